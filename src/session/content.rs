//! What the AEAD of a session seals: `kind (1) ‖ [message id (16)] ‖ [stamp] ‖ [heading] ‖ text ‖ [padding]`. `docs/protocol.md`, section 8 "Content".

use alloc::vec::Vec;
use core::fmt;

use super::{MessageId, OpenError, stamp::Stamp};
use crate::{
    identity::{AccountId, Address},
    primitives::{Random, RandomError, SecretBytes},
    step::{RecordReader, RecordWriter, UnixMillis},
    wire::unended,
};

/// What an envelope brought.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content {
    /// A message of the app to this device alone.
    Message(SecretBytes),
    /// A message of the app to this device's account: all its devices, and the sender's others, get it under this id.
    ForAccount {
        /// The same in all copies.
        id: SharedId,
        /// What was said.
        text: SecretBytes,
    },
    /// What another device of this account sent: show it as said by this account.
    SentByOwn {
        /// To whom it was sent.
        to: AccountId,
        /// The same in all copies.
        id: SharedId,
        /// What was said.
        text: SecretBytes,
    },
    /// A companion of this account leaves it: run `RemoveCompanion` on this phone with the device that sent it.
    Leaves,
    /// What this companion's phone tells it of peers and keys: keep it in this step's transaction, and run `TakeSupply` with it.
    Supply(SupplyFrame),
    /// A companion of this phone has taken what it was told: run `ConfirmSupply` with it.
    SupplyTaken(SupplyNumber),
    /// A companion of this phone asks for what was said before it was linked: ask the user, and run `SealHistory` for each chunk.
    HistoryAsked {
        /// Names what is asked for.
        id: HistoryId,
        /// From when on.
        since: UnixMillis,
    },
    /// What this companion has asked for is there: keep it in this step's transaction, and run `TakeHistory` with it.
    History(HistoryManifest),
    /// What the own phone passes on to this companion, which was a desktop behind it: its sender went by a device list from before the upgrade, or left this device out. Show it
    /// as if it had come from there, and a message to the account once by its shared id.
    PassedOn {
        /// When the phone opened it.
        at: UnixMillis,
        /// How many could not be passed on since the one before: ask for history.
        missed: u64,
        /// Where it comes from.
        origin: Origin,
        /// What was said.
        text: SecretBytes,
    },
    /// The message of this id was asked for again, and the sender has it no more: it will not come.
    Lost,
}

impl Content {
    /// The text of a message, to whomever it was; `None` where there is none.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Message(text)
            | Self::ForAccount { text, .. }
            | Self::SentByOwn { text, .. }
            | Self::PassedOn { text, .. } => Some(text),
            Self::Leaves
            | Self::Supply(_)
            | Self::SupplyTaken(_)
            | Self::HistoryAsked { .. }
            | Self::History(_)
            | Self::Lost => None,
        }
    }
}

/// Where what a phone passes on comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a peer.
    Peer {
        /// Which device sent it.
        from: Address,
        /// Names it at its sender and at the phone.
        message: MessageId,
        /// Names it on all devices, where it is to the account.
        shared: Option<SharedId>,
    },
    /// From another device of this account.
    Own {
        /// To whom it was sent.
        to: AccountId,
        /// Names it on all devices.
        shared: SharedId,
    },
}

impl Origin {
    /// Upper bound of the encoding's length.
    pub(crate) const MAX_LEN: usize = 2 + AccountId::MAX_LEN + 4 + MessageId::LEN + 1 + SharedId::LEN;

    /// The encoding; it does not say which of the two it is.
    pub(crate) fn encode(&self, body: &mut RecordWriter) {
        match self {
            Self::Peer { from, message, shared } => {
                from.encode(body);
                body.bytes(&message.0).flag(shared.is_some());
                shared.iter().for_each(|shared| {
                    body.bytes(&shared.0);
                });
            }
            Self::Own { to, shared } => {
                body.prefixed(to.as_bytes()).bytes(&shared.0);
            }
        }
    }

    pub(crate) fn decode_peer(body: &mut RecordReader<'_>) -> Option<Self> {
        let (from, message) = (Address::decode(body)?, MessageId(body.array()?));
        let shared = if body.flag()? { Some(SharedId(body.array()?)) } else { None };
        Some(Self::Peer { from, message, shared })
    }

    pub(crate) fn decode_own(body: &mut RecordReader<'_>) -> Option<Self> {
        let to = AccountId::new(body.prefixed()?).ok()?;
        Some(Self::Own { to, shared: SharedId(body.array()?) })
    }
}

/// Names a message to an account: 16 random bytes, the same in the copy of every device. What a receipt or an answer refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedId(pub(super) [u8; Self::LEN]);

impl SharedId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    pub(crate) fn draw(random: &mut Random<'_>) -> Result<Self, RandomError> {
        random.draw().map(Self)
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for SharedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// What the own phone tells a companion, as it came: told by the phone, and by nobody else. Up to 64 KiB, secret.
#[derive(Debug)]
pub struct SupplyFrame(pub(crate) SecretBytes);

impl SupplyFrame {
    /// Takes bytes that [`as_bytes`](Self::as_bytes) gave, from where the app kept them since they came.
    #[must_use]
    pub fn from_kept(bytes: Vec<u8>) -> Self {
        Self(SecretBytes::new(bytes))
    }

    /// The bytes to keep until they are taken; secret.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Which chunks a history has, as it came: told by the own phone, and by nobody else. Secret.
#[derive(Debug)]
pub struct HistoryManifest(pub(crate) SecretBytes);

impl HistoryManifest {
    /// Takes bytes that [`as_bytes`](Self::as_bytes) gave, from where the app kept them since they came.
    #[must_use]
    pub fn from_kept(bytes: Vec<u8>) -> Self {
        Self(SecretBytes::new(bytes))
    }

    /// The bytes to keep until they are taken; secret.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Names a history that a companion asks for: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryId(pub [u8; 16]);

/// Numbers what a phone tells one companion: rising, and of the time when it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SupplyNumber(pub u64);

/// What is sealed, but for the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message.
    Message,
    /// A message that was sent before, by its first envelope's id.
    Again(MessageId),
    /// A message that was asked for again and cannot be sent.
    Lost(MessageId),
    /// A message whose id its sender has chosen, since it may come by several envelopes.
    Named(MessageId),
}

const MESSAGE: u8 = 1;
const AGAIN: u8 = 2;
const LOST: u8 = 3;
const NAMED: u8 = 4;
/// Set in the kind while the sender, since it was restored from a backup, has not been answered.
const RECOVERED: u8 = 0x80;
/// Set in the kind where a stamp follows.
const STAMPED: u8 = 0x40;
/// Set in the kind where the text begins with a heading.
const HEADED: u8 = 0x20;
/// Set in the kind where padding follows the text.
const PADDED: u8 = 0x10;

/// What else the kind says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) recovered: bool,
    pub(super) stamped: bool,
    pub(super) headed: bool,
    pub(super) padded: bool,
}

/// The bytes in front of stamp and text.
pub(super) struct Front {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl Front {
    pub(super) const MAX_LEN: usize = 1 + MessageId::LEN;

    pub(super) fn new(kind: Kind, marks: Marks) -> Self {
        let (first, id) = match kind {
            Kind::Message => (MESSAGE, None),
            Kind::Again(id) => (AGAIN, Some(id)),
            Kind::Lost(id) => (LOST, Some(id)),
            Kind::Named(id) => (NAMED, Some(id)),
        };
        let bits = [
            (marks.recovered, RECOVERED),
            (marks.stamped, STAMPED),
            (marks.headed, HEADED),
            (marks.padded, PADDED),
        ];
        let bits = bits.into_iter().filter(|(set, _)| *set).fold(first, |all, (_, bit)| all | bit);
        let mut bytes = [bits; Self::MAX_LEN];
        if let (Some(id), Some(place)) = (id, bytes.last_chunk_mut()) {
            *place = id.0;
        }
        Self { bytes, len: Self::len_of(kind) }
    }

    /// Its length for this kind.
    pub(super) const fn len_of(kind: Kind) -> usize {
        match kind {
            Kind::Message => 1,
            Kind::Again(_) | Kind::Lost(_) | Kind::Named(_) => Self::MAX_LEN,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What a text is, where it is not a message to the device alone: `type (1) ‖ what the type says`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    ForAccount(SharedId),
    SentByOwn(SharedId, AccountId),
    Leaves,
    Supply,
    SupplyTaken(SupplyNumber),
    AskHistory(HistoryId, UnixMillis),
    History,
    /// A frame between a phone and the desktop that it relays for.
    Relay,
    /// How many could not be passed on since the one before, when the phone opened it, where it comes from.
    PassedOn(u64, UnixMillis, Origin),
}

/// Who may say something: a device of the own account, or only its phone, or only a companion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sayers {
    Anyone,
    OwnAccount,
    OwnPhone,
    OwnCompanion,
}

impl Heading {
    const FOR_ACCOUNT: u8 = 1;
    const SENT_BY_OWN: u8 = 2;
    const LEAVES: u8 = 3;
    const SUPPLY: u8 = 4;
    const SUPPLY_TAKEN: u8 = 5;
    const ASK_HISTORY: u8 = 6;
    const HISTORY: u8 = 7;
    /// Before a frame, which is written behind it: nothing follows but the frame.
    pub(crate) const RELAY: u8 = 8;
    const PASSED_ON: u8 = 9;

    /// The heading and the text behind it.
    pub(crate) fn before(&self, text: &[u8]) -> SecretBytes {
        const LONGEST: usize = 1 + 8 + 8 + 1 + Origin::MAX_LEN;
        let mut bytes = Vec::with_capacity(text.len().saturating_add(LONGEST));
        match self {
            Self::ForAccount(id) => {
                bytes.push(Self::FOR_ACCOUNT);
                bytes.extend_from_slice(&id.0);
            }
            Self::SentByOwn(id, to) => {
                bytes.push(Self::SENT_BY_OWN);
                bytes.extend_from_slice(&id.0);
                bytes.push(u8::try_from(to.as_bytes().len()).unwrap_or_default());
                bytes.extend_from_slice(to.as_bytes());
            }
            Self::Leaves => bytes.push(Self::LEAVES),
            Self::Supply => bytes.push(Self::SUPPLY),
            Self::SupplyTaken(number) => {
                bytes.push(Self::SUPPLY_TAKEN);
                bytes.extend_from_slice(&number.0.to_be_bytes());
            }
            Self::AskHistory(id, since) => {
                bytes.push(Self::ASK_HISTORY);
                bytes.extend_from_slice(&id.0);
                bytes.extend_from_slice(&since.0.to_be_bytes());
            }
            Self::History => bytes.push(Self::HISTORY),
            Self::Relay => bytes.push(Self::RELAY),
            Self::PassedOn(missed, at, origin) => {
                bytes.push(Self::PASSED_ON);
                let mut body = RecordWriter::with_capacity(17 + Origin::MAX_LEN);
                origin.encode(body.u64(*missed).u64(at.0).flag(matches!(origin, Origin::Own { .. })));
                bytes.extend_from_slice(&body.finish());
            }
        }
        bytes.extend_from_slice(text);
        SecretBytes::new(bytes)
    }

    /// Who may say this.
    pub(super) fn sayers(&self) -> Sayers {
        match self {
            Self::ForAccount(_) | Self::Relay => Sayers::Anyone,
            Self::SentByOwn(..) => Sayers::OwnAccount,
            Self::Supply | Self::History | Self::PassedOn(..) => Sayers::OwnPhone,
            Self::Leaves | Self::SupplyTaken(_) | Self::AskHistory(..) => Sayers::OwnCompanion,
        }
    }

    /// Whether a text follows.
    fn has_text(&self) -> bool {
        match self {
            Self::ForAccount(_)
            | Self::SentByOwn(..)
            | Self::Supply
            | Self::History
            | Self::Relay
            | Self::PassedOn(..) => true,
            Self::Leaves | Self::SupplyTaken(_) | Self::AskHistory(..) => false,
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        match body.u8()? {
            Self::FOR_ACCOUNT => Some(Self::ForAccount(SharedId(body.array()?))),
            Self::SENT_BY_OWN => {
                let id = SharedId(body.array()?);
                let len = usize::from(body.u8()?);
                Some(Self::SentByOwn(id, AccountId::new(body.take(len)?).ok()?))
            }
            Self::LEAVES => Some(Self::Leaves),
            Self::SUPPLY => Some(Self::Supply),
            Self::SUPPLY_TAKEN => Some(Self::SupplyTaken(SupplyNumber(body.u64()?))),
            Self::ASK_HISTORY => Some(Self::AskHistory(HistoryId(body.array()?), UnixMillis(body.u64()?))),
            Self::HISTORY => Some(Self::History),
            Self::RELAY => Some(Self::Relay),
            Self::PASSED_ON => {
                let (missed, at) = (body.u64()?, UnixMillis(body.u64()?));
                let origin = if body.flag()? { Origin::decode_own(body) } else { Origin::decode_peer(body) };
                Some(Self::PassedOn(missed, at, origin?))
            }
            _ => None,
        }
    }
}

/// Sealed bytes taken apart.
pub(super) struct Unsealed {
    pub(super) kind: Kind,
    pub(super) recovered: bool,
    pub(super) stamp: Option<Stamp>,
    pub(super) heading: Option<Heading>,
    pub(super) text: SecretBytes,
}

impl Unsealed {
    /// Takes what was opened apart; what is not known stays sealed for a later version.
    pub(super) fn parse(mut sealed: SecretBytes) -> Result<Self, OpenError> {
        let first = sealed.first().copied().unwrap_or(0);
        if first & PADDED != 0 {
            let len = unended(&sealed).filter(|len| *len > 0).ok_or(OpenError::UnknownContent(first))?;
            sealed.as_mut_vec().truncate(len);
        }
        let parsed = Self::fronts(first, &sealed).ok_or(OpenError::UnknownContent(first))?;
        let (kind, stamp, heading, front) = parsed;
        sealed.as_mut_vec().drain(..front);
        Ok(Self { kind, recovered: first & RECOVERED != 0, stamp, heading, text: sealed })
    }

    /// Whether device lists say what it means, or whether it may be said.
    pub(super) fn concerns_lists(&self) -> bool {
        self.stamp.is_some() || self.sayers() != Sayers::Anyone
    }

    /// Who may say it.
    pub(super) fn sayers(&self) -> Sayers {
        self.heading.map_or(Sayers::Anyone, |heading| heading.sayers())
    }

    /// What stands before the text, and its length.
    fn fronts(first: u8, sealed: &[u8]) -> Option<(Kind, Option<Stamp>, Option<Heading>, usize)> {
        let mut rest = RecordReader::over(sealed.get(1..)?);
        let kind = match first & !(RECOVERED | STAMPED | HEADED | PADDED) {
            MESSAGE => Kind::Message,
            AGAIN => Kind::Again(MessageId(rest.array()?)),
            LOST => Kind::Lost(MessageId(rest.array()?)),
            NAMED => Kind::Named(MessageId(rest.array()?)),
            _ => return None,
        };
        let stamp = if first & STAMPED != 0 { Some(Stamp::decode(&mut rest)?) } else { None };
        let heading = if first & HEADED != 0 { Some(Heading::decode(&mut rest)?) } else { None };
        let text = rest.rest();
        let lost = matches!(kind, Kind::Lost(_));
        let bare = lost || heading.is_some_and(|heading| !heading.has_text());
        if lost && heading.is_some() || bare && !text.is_empty() {
            return None;
        }
        Some((kind, stamp, heading, sealed.len().checked_sub(text.len())?))
    }

    /// What was said; whether the sender could say it is checked before. A frame of the relay is for the relay's operations.
    pub(super) fn into_content(self) -> Result<Content, OpenError> {
        let text = self.text;
        if let Kind::Lost(_) = self.kind {
            return Ok(Content::Lost);
        }
        Ok(match self.heading {
            None => Content::Message(text),
            Some(Heading::ForAccount(id)) => Content::ForAccount { id, text },
            Some(Heading::SentByOwn(id, to)) => Content::SentByOwn { to, id, text },
            Some(Heading::Leaves) => Content::Leaves,
            Some(Heading::Supply) => Content::Supply(SupplyFrame(text)),
            Some(Heading::SupplyTaken(number)) => Content::SupplyTaken(number),
            Some(Heading::AskHistory(id, since)) => Content::HistoryAsked { id, since },
            Some(Heading::History) => Content::History(HistoryManifest(text)),
            Some(Heading::Relay) => return Err(OpenError::Frame),
            Some(Heading::PassedOn(missed, at, origin)) => Content::PassedOn { at, missed, origin, text },
        })
    }

    /// The frame of the relay that this is.
    pub(super) fn into_frame(self) -> Result<SecretBytes, OpenError> {
        match (self.kind, self.heading, self.stamp) {
            (Kind::Message, Some(Heading::Relay), None) => Ok(self.text),
            _ => Err(OpenError::NotEntitled),
        }
    }
}
