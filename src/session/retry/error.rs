//! Why nothing was asked again, or not answered.

use core::fmt;

use super::super::{SendError, StartError};
use crate::{
    identity::IdentityKey,
    primitives::RandomError,
    step::{Advice, RecordError, UnixMillis, advises},
    wire::DecodeError,
};

/// Why a retry was not asked for, or not answered. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryError {
    /// No envelope, or no request, or of a version that we do not speak.
    Decode(DecodeError),
    /// Asking: the error is not one that asking again can mend.
    NotRetryable,
    /// Asking: this device has not met the sender; nothing is asked of strangers.
    UnknownPeer,
    /// Asking: this envelope was asked for already, or its message was opened meanwhile.
    AlreadyAsked,
    /// Asking: the budget of the hour is spent, for this device or for all.
    TooMany {
        /// When there is more.
        again_at: UnixMillis,
    },
    /// Answering: not made with the identity keys of these two devices.
    NotAuthentic,
    /// Answering: this device did not send such an envelope to the one that asks, has answered for it, or has sent 64 others since.
    UnknownMessage,
    /// Answering: the message went out in four envelopes, and was reported lost in a fifth.
    AnsweredEnough,
    /// Answering: the session is broken, and a new one needs the peer's bundle: fetch it, and call again with it.
    NoBundle,
    /// Answering: the bundle is another device's than the one that asks.
    OtherBundle,
    /// The request is made under another identity key than the one on record, or a change waits for the user's decision.
    IdentityChanged {
        /// On record.
        stored: IdentityKey,
        /// The request's, or offered before.
        offered: IdentityKey,
    },
    /// Answering: the message was sent to another identity key than the one on record now. Ask the user, and call again with `resend_to`.
    SentToAnotherKey {
        /// To which it was sent.
        sent_to: IdentityKey,
        /// On record.
        stored: IdentityKey,
    },
    /// This store holds no device.
    NotRegistered,
    /// Answering: no new session could be started.
    Start(StartError),
    /// Answering: nothing could be encrypted. Asking: this is a companion whose own list is past its time or names it no more.
    Send(SendError),
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl RetryError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::NotRetryable
            | Self::AlreadyAsked
            | Self::NotAuthentic
            | Self::UnknownMessage
            | Self::AnsweredEnough => Advice::Drop,
            Self::TooMany { .. } => Advice::Later,
            Self::UnknownPeer | Self::NoBundle => Advice::FetchBundle,
            Self::IdentityChanged { .. } | Self::SentToAnotherKey { .. } => Advice::AskUser,
            Self::OtherBundle | Self::NotRegistered => Advice::FixCall,
            Self::Start(error) => error.advice(),
            Self::Send(error) => error.advice(),
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for RetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::NotRetryable => f.write_str("asking again does not mend this"),
            Self::UnknownPeer => f.write_str("nothing is asked of a device that was not met"),
            Self::AlreadyAsked => f.write_str("asked already"),
            Self::TooMany { again_at } => write!(f, "too many requests, the next at {}", again_at.0),
            Self::NotAuthentic => f.write_str("not a request of this device's to this one"),
            Self::UnknownMessage => f.write_str("a request for something that was not sent"),
            Self::AnsweredEnough => f.write_str("answered as often as can be"),
            Self::NoBundle => f.write_str("the answer needs the peer's bundle"),
            Self::OtherBundle => f.write_str("the bundle is of another device"),
            Self::IdentityChanged { stored, offered } => {
                write!(f, "the identity key changed from {stored:?} to {offered:?}")
            }
            Self::SentToAnotherKey { sent_to, stored } => {
                write!(f, "sent to {sent_to:?}, and {stored:?} asks for it")
            }
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::Start(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(RetryError);

impl core::error::Error for RetryError {}

impl From<DecodeError> for RetryError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<StartError> for RetryError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::IdentityChanged { stored, offered } => Self::IdentityChanged { stored, offered },
            StartError::Random(error) => Self::Random(error),
            StartError::Record(error) => Self::Record(error),
            StartError::NotRegistered
            | StartError::OwnDevice
            | StartError::AlreadyStarted
            | StartError::NonContributory
            | StartError::Unlisted(_)
            | StartError::NoOneTimePrekey
            | StartError::NoCommonSuite => Self::Start(error),
        }
    }
}

impl From<SendError> for RetryError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::IdentityChanged { stored, offered } => Self::IdentityChanged { stored, offered },
            SendError::Random(error) => Self::Random(error),
            SendError::Record(error) => Self::Record(error),
            SendError::NoSession
            | SendError::Unlisted(_)
            | SendError::Lapsed { .. }
            | SendError::Removed
            | SendError::TooLong
            | SendError::Exhausted => Self::Send(error),
        }
    }
}

impl From<RandomError> for RetryError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<RecordError> for RetryError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
