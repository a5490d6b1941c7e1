//! Why starting, sending or opening was refused: one enum for each, and what to do next. `docs/errors.md` has them as tables.

use core::fmt;

use crate::{
    handshake::HandshakeError,
    identity::{IdentityKey, Unlisted},
    prekey::PrekeyId,
    primitives::RandomError,
    ratchet::{DecryptError, EncryptError},
    step::{Advice, RecordError, UnixMillis, advises},
    wire::{DecodeError, Suite},
};

/// Why no session was started. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// This store holds no device: run `Register` first.
    NotRegistered,
    /// The bundle is this device's own.
    OwnDevice,
    /// A session that this device started waits for its first reply: send in it, its messages carry the handshake; or give it up with `Restart`.
    AlreadyStarted,
    /// The bundle's identity key is not the one on record, or a change waits for the user's decision.
    IdentityChanged {
        /// On record.
        stored: IdentityKey,
        /// In the bundle, or offered before.
        offered: IdentityKey,
    },
    /// A Diffie-Hellman result was zero.
    NonContributory,
    /// The device is a companion, and its account's list on record does not allow to speak with it.
    Unlisted(Unlisted),
    /// The server had no one-time prekey left, and this device's limits allow no start without one.
    NoOneTimePrekey,
    /// The peer's bundle and this device's policy have no suite in common: it speaks X3DH only where PQXDH is required, or PQXDH only.
    NoCommonSuite,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl StartError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotRegistered | Self::OwnDevice | Self::AlreadyStarted => Advice::FixCall,
            Self::IdentityChanged { .. } => Advice::AskUser,
            Self::NonContributory => Advice::FetchBundle,
            Self::Unlisted(unlisted) => unlisted.advice(),
            Self::NoOneTimePrekey => Advice::Later,
            Self::NoCommonSuite => Advice::Update,
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::OwnDevice => f.write_str("the bundle is this device's own"),
            Self::AlreadyStarted => f.write_str("a session with this peer waits for its first reply"),
            Self::IdentityChanged { stored, offered } => {
                write!(f, "the identity key changed from {stored:?} to {offered:?}")
            }
            Self::NonContributory => f.write_str("a Diffie-Hellman result is zero"),
            Self::Unlisted(unlisted) => unlisted.fmt(f),
            Self::NoOneTimePrekey => f.write_str("the bundle has no one-time prekey"),
            Self::NoCommonSuite => f.write_str("the peer and this device have no suite in common"),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(StartError, SendError, OpenError);

impl core::error::Error for StartError {}

impl From<HandshakeError> for StartError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Random(error) => Self::Random(error),
            HandshakeError::NonContributory => Self::NonContributory,
            HandshakeError::NoCommonSuite => Self::NoCommonSuite,
        }
    }
}

impl From<EncryptError> for StartError {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::Random(error) => Self::Random(error),
            // The first ratchet step fails for want of randomness or of a contributory key only.
            EncryptError::AwaitPeer | EncryptError::TooLong | EncryptError::Exhausted => {
                Self::NonContributory
            }
        }
    }
}

impl From<RecordError> for StartError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// Why nothing was encrypted. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no session with this device that may send: none was started, an accepted identity ended it, or this device came back from a backup.
    NoSession,
    /// Another identity key was offered for this device and the user has not decided.
    IdentityChanged {
        /// On record.
        stored: IdentityKey,
        /// Offered.
        offered: IdentityKey,
    },
    /// The device is a companion, and its account's list on record does not allow to encrypt for it.
    Unlisted(Unlisted),
    /// This companion speaks for its account no more: the phone has not signed a device list in time.
    Lapsed {
        /// When its time was over.
        expired_at: UnixMillis,
    },
    /// This device speaks for its account no more: the phone has removed this companion, it has left, or the account is closed.
    Removed,
    /// Longer than the limit for plaintexts or for associated data.
    TooLong,
    /// 2^32 - 2 messages were sent in this session without an answer: start another.
    Exhausted,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl SendError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NoSession | Self::Exhausted => Advice::FetchBundle,
            Self::IdentityChanged { .. } => Advice::AskUser,
            Self::Unlisted(unlisted) => unlisted.advice(),
            Self::Lapsed { .. } => Advice::AwaitPhone,
            Self::Removed => Advice::LinkAgain,
            Self::TooLong => Advice::FixCall,
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSession => f.write_str("there is no session with this device"),
            Self::IdentityChanged { stored, offered } => {
                write!(f, "the identity key changed from {stored:?} to {offered:?}")
            }
            Self::Unlisted(unlisted) => unlisted.fmt(f),
            Self::Lapsed { expired_at } => {
                write!(f, "the phone has not renewed this companion since {}", expired_at.0)
            }
            Self::Removed => f.write_str("this device speaks for its account no more"),
            Self::TooLong => EncryptError::TooLong.fmt(f),
            Self::Exhausted => EncryptError::Exhausted.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

impl From<EncryptError> for SendError {
    fn from(error: EncryptError) -> Self {
        match error {
            // A responder's session is made by opening a message, so it never waits for one.
            EncryptError::AwaitPeer => Self::NoSession,
            EncryptError::TooLong => Self::TooLong,
            EncryptError::Exhausted => Self::Exhausted,
            EncryptError::Random(error) => Self::Random(error),
        }
    }
}

impl From<RecordError> for SendError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// Why an envelope was not opened. Nothing has changed, and the same bytes can be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// No envelope of a version and suite that we speak, or one beyond the limits.
    Decode(DecodeError),
    /// The caller's own associated data is beyond its limit.
    AssociatedDataTooLong,
    /// Altered, not from the device that it is said to come from, not for this one, or with other associated data; which of them is not said.
    NotAuthentic,
    /// The message was opened before.
    Duplicate,
    /// Of a used counter, and not what was opened there: the sender's state went back, or the message is so late that its key was dropped.
    KeyGone,
    /// Not an envelope: the peer asks for something again. Give the bytes to `AnswerRetry`.
    RetryRequest,
    /// Further ahead than this side follows.
    TooFarAhead {
        /// Messages missing before it.
        gap: u32,
        /// The limit in force.
        limit: u32,
    },
    /// Of no session or chain that this side remembers: later than 5 turns, forged, or one of the two sides has lost or gone back in its state.
    OutOfStep,
    /// It starts a session with a prekey that this device does not hold, or no longer accepts.
    MissingPrekey(PrekeyId),
    /// It starts a session, and opens, under another identity key than the one on record for its sender.
    IdentityChanged {
        /// On record.
        stored: IdentityKey,
        /// In the envelope, whose sender holds it.
        offered: IdentityKey,
    },
    /// It comes from a companion that its account's list on record does not name.
    Unlisted(Unlisted),
    /// It says what only a device of the own account may say, or only its phone, or only a companion to its phone; and comes from another.
    NotEntitled,
    /// It starts a session without a one-time prekey, and this sender has started as many as the limits allow (64) under signed prekeys that are still held. Replenish
    /// and publish, then ask for it again with this error.
    TooManyWeakStarts,
    /// It starts a session of a suite that this device's policy refuses.
    SuiteRefused(Suite),
    /// Not a message: a frame between a phone and the desktop that it relays for. Give the bytes to `TakeFromDesktop` on a phone, to `TakeFromPhone` on a desktop.
    Frame,
    /// Authentic, and of a kind that a later version of the crate understands.
    UnknownContent(u8),
    /// It starts a session, and this store holds no device.
    NotRegistered,
    /// A record cannot be used.
    Record(RecordError),
}

impl OpenError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::NotAuthentic | Self::Duplicate | Self::NotEntitled | Self::SuiteRefused(_) => Advice::Drop,
            Self::KeyGone | Self::TooFarAhead { .. } | Self::OutOfStep | Self::MissingPrekey(_) => {
                Advice::RequestRetry
            }
            Self::RetryRequest => Advice::AnswerRetry,
            Self::Frame => Advice::TakeFrame,
            Self::IdentityChanged { .. } => Advice::AskUser,
            Self::Unlisted(unlisted) => unlisted.advice(),
            Self::TooManyWeakStarts => Advice::Replenish,
            Self::UnknownContent(_) => Advice::Update,
            Self::NotRegistered | Self::AssociatedDataTooLong => Advice::FixCall,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::AssociatedDataTooLong => DecryptError::AssociatedDataTooLong.fmt(f),
            Self::NotAuthentic => DecryptError::NotAuthentic.fmt(f),
            Self::SuiteRefused(suite) => write!(f, "this device takes no session of {suite:?}"),
            Self::Duplicate => f.write_str("opened before"),
            Self::KeyGone => f.write_str("the key of this message is gone"),
            Self::RetryRequest => f.write_str("a request to send something again"),
            Self::TooFarAhead { gap, limit } => DecryptError::TooFarAhead { gap: *gap, limit: *limit }.fmt(f),
            Self::OutOfStep => f.write_str("of no session that this device knows"),
            Self::MissingPrekey(id) => write!(f, "{id:?} is not held"),
            Self::IdentityChanged { stored, offered } => {
                write!(f, "the identity key changed from {stored:?} to {offered:?}")
            }
            Self::Unlisted(unlisted) => unlisted.fmt(f),
            Self::NotEntitled => f.write_str("the device may not say this"),
            Self::TooManyWeakStarts => f.write_str("too many sessions started without a one-time prekey"),
            Self::Frame => f.write_str("a frame of the relay"),
            Self::UnknownContent(kind) => write!(f, "content of kind {kind} is not known"),
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<DecodeError> for OpenError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<DecryptError> for OpenError {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::Decode(error) => Self::Decode(error),
            DecryptError::AssociatedDataTooLong => Self::AssociatedDataTooLong,
            DecryptError::NotAuthentic => Self::NotAuthentic,
            // Whether it was opened before is seen from the message's id.
            DecryptError::Duplicate => Self::KeyGone,
            DecryptError::TooFarAhead { gap, limit } => Self::TooFarAhead { gap, limit },
            DecryptError::OutOfStep => Self::OutOfStep,
        }
    }
}

impl From<RecordError> for OpenError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
