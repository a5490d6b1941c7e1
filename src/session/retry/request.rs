//! The bytes of a retry request: sealed for one device by another, outside every session. `docs/protocol.md`, section 8 "Retry request".

use alloc::vec::Vec;

use prost::Message;

use super::{
    super::{MessageId, OpenError, message_id::EnvelopeDigest},
    RetryError,
};
use crate::{
    handshake::{NoteKind, open_note, seal_note},
    identity::{Address, IdentityKey, IdentityKeyPair},
    primitives::{
        Random, RandomError, SecretBytes,
        aead::{self, AeadKey, SealError},
        kdf, labels,
    },
    step::{Headers, UnixMillis},
    wire::{
        DecodeError, Field, HIDDEN_FRONT, Incoming, MAX_RETRY_REQUEST, PROTOCOL_VERSION, RetryRequestBody,
        RetryRequestMessage, SessionId, decode_canonical, write_hidden_front,
    },
};

/// What stands in front, where an envelope has version and suite.
const FRONT: [u8; 2] = [PROTOCOL_VERSION, 0];

/// Whether bytes are a retry request rather than an envelope.
pub(in super::super) fn is_retry_request(bytes: &[u8]) -> bool {
    bytes.starts_with(&FRONT)
}

/// Why a message could not be opened, as the recipient tells its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryReason {
    /// The recipient has no such session on record.
    UnknownSession,
    /// The recipient has the session, and does not know the chain.
    OutOfStep,
    /// Another message was opened at its counter, or its key was dropped.
    KeyGone,
    /// Too many messages were missing before it.
    TooFarAhead,
    /// The recipient does not hold a prekey that it was made with.
    MissingPrekey,
    /// The recipient came back from a backup.
    Recovered,
    /// A reason of a later version.
    Other(u32),
}

impl RetryReason {
    /// The reason to ask again after this error; `None` where asking does not help.
    pub(in super::super) fn of(error: &OpenError) -> Option<Self> {
        match error {
            OpenError::OutOfStep => Some(Self::OutOfStep),
            OpenError::KeyGone => Some(Self::KeyGone),
            OpenError::TooFarAhead { .. } => Some(Self::TooFarAhead),
            // No prekey is there that such a session could have been made with.
            OpenError::MissingPrekey(_) | OpenError::TooManyWeakStarts => Some(Self::MissingPrekey),
            OpenError::Decode(_)
            | OpenError::AssociatedDataTooLong
            | OpenError::NotAuthentic
            | OpenError::Duplicate
            | OpenError::RetryRequest
            | OpenError::Frame
            | OpenError::IdentityChanged { .. }
            | OpenError::Unlisted(_)
            | OpenError::NotEntitled
            | OpenError::SuiteRefused(_)
            | OpenError::UnknownContent(_)
            | OpenError::NotRegistered
            | OpenError::Record(_) => None,
        }
    }

    /// Whether it says that nothing of the session will be opened.
    pub(super) fn is_of_session(self) -> bool {
        match self {
            // Whoever does not follow a gap in one chain does not follow it in the next, which names the same gap.
            Self::UnknownSession | Self::TooFarAhead | Self::MissingPrekey | Self::Recovered => true,
            Self::OutOfStep | Self::KeyGone | Self::Other(_) => false,
        }
    }

    fn to_wire(self) -> u32 {
        match self {
            Self::UnknownSession => 1,
            Self::KeyGone => 2,
            Self::TooFarAhead => 3,
            Self::MissingPrekey => 4,
            Self::Recovered => 5,
            Self::OutOfStep => 6,
            Self::Other(reason) => reason,
        }
    }

    fn from_wire(reason: u32) -> Self {
        match reason {
            1 => Self::UnknownSession,
            2 => Self::KeyGone,
            3 => Self::TooFarAhead,
            4 => Self::MissingPrekey,
            5 => Self::Recovered,
            6 => Self::OutOfStep,
            other => Self::Other(other),
        }
    }
}

/// An envelope as a request names it: by its tag, its session, and a digest of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) envelope: MessageId,
    pub(super) session: SessionId,
    pub(super) digest: EnvelopeDigest,
}

impl Wanted {
    /// What stands for the session of an envelope that shows none.
    const NOT_SHOWN: SessionId = SessionId([0; 8]);

    /// Of an envelope's bytes, and the same parsed.
    pub(super) fn of(bytes: &[u8], incoming: &Incoming<'_>) -> Self {
        let digest = EnvelopeDigest::of(bytes);
        let session = incoming.session_id().unwrap_or(Self::NOT_SHOWN);
        Self { envelope: MessageId::of_parsed(incoming), session, digest }
    }

    /// Whether it is this envelope.
    pub(super) fn is(&self, envelope: MessageId, session: SessionId, digest: EnvelopeDigest) -> bool {
        (self.envelope, self.digest) == (envelope, digest)
            && [session, Self::NOT_SHOWN].contains(&self.session)
    }
}

/// What is asked for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) wanted: Wanted,
    pub(super) reason: RetryReason,
    pub(super) asked_at: UnixMillis,
}

/// The two ends of a request: who asks, and who is asked.
pub(super) struct Ends<'a> {
    pub(super) asks: (&'a IdentityKey, &'a Address),
    pub(super) asked: (&'a IdentityKey, &'a Address),
}

impl Ends<'_> {
    /// Everything that both sides must agree on, and the request's own key, from the Diffie-Hellman of the two identity keys. An own key for each request, by its salt.
    fn key(
        &self,
        own: &IdentityKeyPair,
        peer: &IdentityKey,
        salt: &[u8; 32],
    ) -> Result<([u8; 32], AeadKey), RetryError> {
        let ((asks, from), (asked, to)) = (self.asks, self.asked);
        let transcript = from.with_encoded(|from| {
            to.with_encoded(|to| {
                let keys = [asks.encoded(), asked.encoded()];
                let [asks, asked] = &keys;
                kdf::sha256_prefixed(&[labels::RETRY_REQUEST, &FRONT, asks, asked, from, to, salt])
            })
        });
        let shared =
            own.key_pair().diffie_hellman(peer.public_key()).map_err(|_| RetryError::NotAuthentic)?;
        let info = [labels::RETRY_KEY, &transcript].concat();
        let [mut key] = kdf::hkdf(salt, &[shared.expose_bytes()], &info);
        Ok((transcript, AeadKey::take_from(&mut key)))
    }
}

impl Request {
    /// The request's bytes; in a note where what is asked for had its header encrypted.
    pub(super) fn seal(
        &self,
        own: &IdentityKeyPair,
        ends: &Ends<'_>,
        headers: Headers,
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, RetryError> {
        let salt: [u8; 32] = random.draw()?;
        let (transcript, key) = ends.key(own, ends.asked.0, &salt)?;
        let body = RetryRequestBody {
            message_id: self.wanted.envelope.0.to_vec(),
            session_id: self.wanted.session.0.to_vec(),
            envelope: self.wanted.digest.0.to_vec(),
            reason: self.reason.to_wire(),
            asked_at: self.asked_at.0,
        };
        let mut sealed = Vec::new();
        aead::seal(key, &transcript, &[&body.encode_to_vec()], random, &mut sealed)?;
        let message =
            RetryRequestMessage { identity_key: ends.asks.0.encoded().to_vec(), salt: salt.to_vec(), sealed };
        let mut out = Vec::from(FRONT);
        message.encode_raw(&mut out);
        if headers == Headers::Plain {
            return Ok(out);
        }
        let mut hidden = write_hidden_front(NoteKind::RetryRequest.len());
        seal_note(NoteKind::RetryRequest, &[&out], ends.asked.0, random, &mut hidden)?;
        Ok(hidden)
    }

    /// Opens a request that `from` is said to have sent; the key is the one that it was sealed with, and is not compared with any other here.
    pub(super) fn open(
        bytes: &[u8],
        from: &Address,
        own: &IdentityKeyPair,
        address: &Address,
    ) -> Result<(IdentityKey, Self), RetryError> {
        let bad = DecodeError::Malformed;
        if bytes.len() > MAX_RETRY_REQUEST {
            return Err(DecodeError::TooLong.into());
        }
        let noted = bytes.strip_prefix(&HIDDEN_FRONT).map(|note| unwrap(note, own)).transpose()?;
        let bytes = noted.as_deref().unwrap_or(bytes);
        let outer = bytes.strip_prefix(&FRONT).ok_or(bad(Field::Frame))?;
        let message: RetryRequestMessage = decode_canonical(outer, Field::Frame)?;
        let asks = IdentityKey::parse_encoded(&message.identity_key).map_err(|_| bad(Field::IdentityKey))?;
        let salt = message.salt.as_slice().try_into().map_err(|_| bad(Field::Salt))?;
        let own_key = own.public();
        let ends = Ends { asks: (&asks, from), asked: (&own_key, address) };
        let (transcript, key) = ends.key(own, &asks, salt)?;
        let body = aead::open(key, &transcript, &message.sealed).map_err(|_| RetryError::NotAuthentic)?;
        let body: RetryRequestBody = decode_canonical(&body, Field::Sealed)?;
        let wanted = Wanted {
            envelope: MessageId(array(&body.message_id)?),
            session: SessionId(array(&body.session_id)?),
            digest: EnvelopeDigest(array(&body.envelope)?),
        };
        let reason = RetryReason::from_wire(body.reason);
        Ok((asks, Self { wanted, reason, asked_at: UnixMillis(body.asked_at) }))
    }
}

/// The request in a note that is nothing else.
fn unwrap(note: &[u8], own: &IdentityKeyPair) -> Result<SecretBytes, RetryError> {
    let whole = note.len() == NoteKind::RetryRequest.len();
    let opened = open_note(note, own).filter(|note| whole && note.kind == NoteKind::RetryRequest);
    opened.map(|note| note.text).ok_or(RetryError::NotAuthentic)
}

impl From<SealError> for RetryError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random(error) => Self::Random(error),
            // A request is short.
            SealError::TooLong => Self::Random(RandomError::Failed),
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Malformed(Field::Sealed))
}
