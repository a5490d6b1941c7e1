//! Sending in the active session.

use alloc::vec::Vec;
use core::fmt;

use super::{
    Keep, MessageId, SendError, Strength,
    content::Kind,
    copies::{RetryCopy, Text},
    message_id::EnvelopeDigest,
    peer::Peer,
    stamp::Stamp,
};
use crate::{
    identity::{Address, DeviceId, IdentityKey, Lists},
    ratchet::associated_fits,
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Slot, Step, UnixMillis, Write},
    wire::SessionId,
};

/// Encrypts a message for one device, in the active session with it, and remembers what was sent.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | the device |
/// | in | `plaintext` | 0 to 1,044,463 B, less a stamp | |
/// | in | `associated_data` | 0 to 4,096 B | bound, not sent: the recipient passes the same bytes |
/// | in | [`Keep`] | | whether it can be sent again, should the recipient ask |
/// | out | [`Sent`] | plaintext and 76 to 90 B, with encrypted headers 119; 41 B of stamp more where a device list of either account is on record; until the first reply about 120 B more, of suite 2 and 3 1,230 and 1,710, with encrypted headers 186, 1,293 or 1,773 | the envelope |
///
/// Reads and writes two records: the peer's, at most 400 bytes in a settled session (660 with encrypted headers), and the message's copy, about 160 bytes and what is kept. Draws 12 random bytes (28 with encrypted headers, and until the first reply 44 more, for a key generation and a Diffie-Hellman), and 32
/// more for the first message after one from the peer's next turn, which also costs one key generation and one Diffie-Hellman.
///
/// # Errors
/// [`SendError`].
///
/// # Spec
/// *The Double Ratchet Algorithm*, 3.4; `docs/protocol.md`, sections 5, 7 and 8.
#[derive(Clone, Copy)]
pub struct Send<'a> {
    /// To which device.
    pub to: Address,
    /// What to say.
    pub plaintext: &'a [u8],
    /// What to bind.
    pub associated_data: &'a [u8],
    /// Whether the text is kept for a retry.
    pub keep: Keep,
}

/// An encrypted message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// What goes to the device, through any transport. Send the same bytes again as often as need be.
    pub envelope: Vec<u8>,
    /// Names the message, here and at the recipient.
    pub message_id: MessageId,
    /// The session that it was sent in.
    pub session: SessionId,
    /// Weak: do not put what must stay secret for long into it.
    pub strength: Strength,
}

impl fmt::Debug for Send<'_> {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Send {{ to: {:?}, plaintext: {} bytes }}", self.to, self.plaintext.len())
    }
}

impl Sealed for Send<'_> {}

impl Operation for Send<'_> {
    type Output = Sent;
    type Error = SendError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Sent>, SendError> {
        if !associated_fits(self.associated_data) {
            return Err(SendError::TooLong);
        }
        let mut needs = Needs::new();
        let single = Single {
            to: &self.to,
            text: self.plaintext,
            headed: false,
            associated_data: self.associated_data,
            keep: self.keep,
            name: None,
        };
        Ok(match single.seal(have, context, &mut needs)? {
            Some((sent, writes)) => Run::Done(Step::new(Vec::from(writes), sent)),
            None => Run::Needs(needs),
        })
    }
}

/// One message to one device: all that [`Send`] does, and every copy of a message to an account.
pub(crate) struct Single<'a> {
    pub(crate) to: &'a Address,
    pub(crate) text: &'a [u8],
    /// Whether the text begins with a heading.
    pub(crate) headed: bool,
    pub(crate) associated_data: &'a [u8],
    pub(crate) keep: Keep,
    /// The message's id, where it is not its envelope's.
    pub(crate) name: Option<MessageId>,
}

/// A device that a message can go out to: its record, and the place of the message's copy.
pub(crate) struct Ready<'a> {
    peer: Slot<Peer>,
    copy: Slot<RetryCopy<'a>>,
}

impl<'a> Single<'a> {
    /// What devices of one account say to each other.
    pub(crate) const fn among_own(to: &'a Address, text: &'a [u8], keep: Keep) -> Self {
        Self { to, text, headed: true, associated_data: &[], keep, name: None }
    }

    /// What goes out, stamped as the lists on record want it, and the writes of the peer's record and of the copy; `None` where records are needed.
    pub(crate) fn seal(
        &self,
        have: &Loaded,
        context: &mut Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<(Sent, [Write; 2])>, SendError> {
        let next = Peer::next_copy(have, self.to, context, needs)?;
        if !needs.is_empty() {
            return Ok(None);
        }
        let copy = next.unwrap_or_default().slot(self.to, have, context, needs);
        let slot = Peer::read(have, self.to, context, needs)?;
        let peer = slot.value.as_ref().ok_or(SendError::NoSession)?;
        let wanted = peer.listed || self.headed;
        let lists = wanted.then(|| Lists::read(have, &self.to.account, context, needs)).transpose()?;
        if !needs.is_empty() {
            return Ok(None);
        }
        let mut stamp = Vec::new();
        if let Some(lists) = &lists {
            may_speak(lists, self.to, &peer.identity.key(), context.now)?;
            stamp = encode_stamp(lists, self.to, Vec::new());
        }
        self.seal_in(Ready { peer: slot, copy }, &stamp, context).map(Some)
    }

    /// The same, where the lists were looked at ([`can_send`]) and the stamp is made.
    pub(crate) fn seal_in(
        &self,
        Ready { peer: mut slot, copy }: Ready<'_>,
        stamp: &[u8],
        context: &mut Context<'_>,
    ) -> Result<(Sent, [Write; 2]), SendError> {
        let peer = slot.value.as_mut().ok_or(SendError::NoSession)?;
        // A heading is for accounts with companions, whatever was on record when the session began.
        peer.listed |= self.headed;
        let said = Said { text: self.text, headed: self.headed, stamp };
        let kind = self.name.map_or(Kind::Message, Kind::Named);
        let outgoing = Outgoing::first(kind, said, self.associated_data, self.keep, context.now);
        let (sent, copied) = outgoing.seal(peer, &copy, context)?;
        peer.next_copy = peer.next_copy.next(&context.limits);
        // The record was read, so there is one to write.
        let rewritten = slot.rewrite(context).ok_or(SendError::NoSession)?;
        Ok((sent, [rewritten, copied]))
    }
}

/// Asks ahead for what a message to a device will need, for operations that need other records first.
pub(crate) fn ask_ahead(
    to: &Address,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<(), RecordError> {
    Lists::ask_ahead(have, &to.account, needs);
    ask_ahead_in_session(to, have, context, needs)
}

/// The same without the lists.
pub(crate) fn ask_ahead_in_session(
    to: &Address,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<(), RecordError> {
    if let Some(next) = Peer::next_copy(have, to, context, needs)? {
        next.slot(to, have, context, needs);
    }
    Ok(())
}

/// The stamp of a message for a device's account, encoded; empty where no list is on record.
pub(crate) fn encode_stamp(lists: &Lists, to: &Address, left_out: Vec<DeviceId>) -> Vec<u8> {
    Stamp::new(lists, to, left_out).map_or(Vec::new(), |stamp| stamp.encode())
}

/// Whether a message can go out to a device now: what keeps it from going, found before anything is encrypted.
pub(crate) fn can_send<'a>(
    to: &Address,
    lists: &Lists,
    have: &'a Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Ready<'a>, SendError> {
    speaks_for_account(lists, to, context.now)?;
    let mut slot = Peer::read(have, to, context, needs)?;
    let Some(peer) = slot.value.as_mut().filter(|peer| peer.speaks()) else {
        // No session is worth starting with a companion that may not be sent to.
        let listed = lists.listed_key(to);
        let may = listed.map_or(Ok(()), |key| lists.may_be_sent_to(to, &key, context.now));
        return Err(may.err().map_or(SendError::NoSession, SendError::Unlisted));
    };
    let (stored, offered) = (peer.identity.key(), peer.identity.offered());
    let session = peer.speaking().ok_or(SendError::NoSession)?;
    if let Some(offered) = offered {
        return Err(SendError::IdentityChanged { stored, offered });
    }
    if !session.can_send() {
        return Err(SendError::Exhausted);
    }
    lists.may_be_sent_to(to, &stored, context.now).map_err(SendError::Unlisted)?;
    let copy = peer.next_copy.slot(to, have, context, needs);
    Ok(Ready { peer: slot, copy })
}

/// Whether this device may speak for its account now, and to that device, as the lists on record say.
pub(super) fn may_speak(
    lists: &Lists,
    to: &Address,
    key: &IdentityKey,
    now: UnixMillis,
) -> Result<(), SendError> {
    speaks_for_account(lists, to, now)?;
    lists.may_be_sent_to(to, key, now).map_err(SendError::Unlisted)
}

/// Whether this device may speak for its account now. A companion whose time is over speaks to its own phone only, which can renew it.
pub(super) fn speaks_for_account(lists: &Lists, to: &Address, now: UnixMillis) -> Result<(), SendError> {
    let Some(own) = lists.own() else { return Ok(()) };
    let list = &own.known.list;
    if list.is_closed() {
        return Err(SendError::Removed);
    }
    let to_own_phone = (to.device, to.account) == (DeviceId::PHONE, *list.account());
    if own.device == DeviceId::PHONE || to_own_phone {
        return Ok(());
    }
    if own.left || list.entry(own.device).is_none() {
        return Err(SendError::Removed);
    }
    if !list.is_live(now) {
        return Err(SendError::Lapsed { expired_at: list.expires_at() });
    }
    Ok(())
}

/// What is said, and in what it is wrapped.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) text: &'a [u8],
    /// Whether the text begins with a heading.
    pub(super) headed: bool,
    /// An encoded stamp, or nothing.
    pub(super) stamp: &'a [u8],
}

/// A message on its way into the session that speaks, and into its copy.
pub(super) struct Outgoing<'a> {
    pub(super) kind: Kind,
    pub(super) said: Said<'a>,
    pub(super) associated_data: &'a [u8],
    pub(super) keep: Text<'a>,
    pub(super) sendings: u8,
    /// When the message was first sent: how long its text is kept counts from then.
    pub(super) said_at: UnixMillis,
}

impl<'a> Outgoing<'a> {
    /// A message that is sent for the first time.
    fn first(kind: Kind, said: Said<'a>, associated_data: &'a [u8], keep: Keep, now: UnixMillis) -> Self {
        let keep = RetryCopy::text(keep, &said);
        Self { kind, said, associated_data, keep, sendings: 1, said_at: now }
    }

    /// Seals the message, and gives the write of its copy.
    pub(super) fn seal(
        self,
        peer: &mut Peer,
        place: &Slot<RetryCopy<'_>>,
        context: &mut Context<'_>,
    ) -> Result<(Sent, Write), SendError> {
        let (recipient, offered) = (peer.identity.key(), peer.identity.offered());
        let session = peer.speaking().ok_or(SendError::NoSession)?;
        if let Some(offered) = offered {
            return Err(SendError::IdentityChanged { stored: recipient, offered });
        }
        let (id, strength) = (session.id, session.strength());
        let bytes = session.seal(
            &recipient,
            self.kind,
            &self.said,
            self.associated_data,
            context.padding,
            &mut context.random,
        )?;
        let envelope = MessageId::at_end(&bytes);
        let message = match self.kind {
            Kind::Message => envelope,
            Kind::Again(message) | Kind::Lost(message) | Kind::Named(message) => message,
        };
        let copy = RetryCopy {
            envelope,
            message,
            session: id,
            chain: session.chains.sending_chain().map(|(chain, _)| chain).unwrap_or_default(),
            recipient,
            sent_at: self.said_at,
            sendings: self.sendings,
            digest: EnvelopeDigest::of(&bytes),
            associated_data: self.associated_data,
            text: self.keep,
        };
        let write = place.write(copy, context);
        Ok((Sent { envelope: bytes, message_id: message, session: id, strength }, write))
    }
}
