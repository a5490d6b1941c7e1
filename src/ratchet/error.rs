//! Why a ratchet refused.

use core::fmt;

use crate::{
    primitives::{RandomError, aead::SealError},
    step::Advice,
    wire::DecodeError,
};

/// Why a message was not opened. The ratchet is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecryptError {
    /// No message of a ratchet.
    Decode(DecodeError),
    /// The caller's own associated data is beyond its limit.
    AssociatedDataTooLong,
    /// Altered, for another ratchet, or with other associated data; which of them is not said.
    NotAuthentic,
    /// Opened before, or so late that its key has been dropped.
    Duplicate,
    /// It would skip more keys in a chain than the limit allows.
    TooFarAhead {
        /// Keys to be skipped.
        gap: u32,
        /// The limit in force.
        limit: u32,
    },
    /// Under a ratchet key of no chain that this side remembers, and it does not open as the next: later than 5 turns, forged, or one of the two sides has
    /// lost or gone back in its state.
    OutOfStep,
}

impl DecryptError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::AssociatedDataTooLong => Advice::FixCall,
            Self::NotAuthentic | Self::Duplicate => Advice::Drop,
            Self::TooFarAhead { .. } | Self::OutOfStep => Advice::RequestRetry,
        }
    }
}

impl fmt::Display for DecryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::AssociatedDataTooLong => f.write_str("the associated data is longer than the limit"),
            Self::NotAuthentic => f.write_str("not authentic"),
            Self::Duplicate => f.write_str("opened before, or too late"),
            Self::TooFarAhead { gap, limit } => {
                write!(f, "{gap} messages are missing before this one, the limit is {limit}")
            }
            Self::OutOfStep => f.write_str("of no chain that this side knows"),
        }
    }
}

impl core::error::Error for DecryptError {}

impl From<DecodeError> for DecryptError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Why nothing was encrypted. The ratchet is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncryptError {
    /// A responder cannot speak before it has opened a message.
    AwaitPeer,
    /// Longer than the limit for plaintexts or for associated data.
    TooLong,
    /// 2^32 - 2 messages were sent without an answer; start a new session.
    Exhausted,
    /// The random source failed or repeats itself.
    Random(RandomError),
}

impl EncryptError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::AwaitPeer => Advice::AwaitPeer,
            Self::TooLong => Advice::FixCall,
            Self::Exhausted => Advice::FetchBundle,
            Self::Random(_) => Advice::CheckRandomSource,
        }
    }
}

impl fmt::Display for EncryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AwaitPeer => f.write_str("the peer must speak first"),
            Self::TooLong => f.write_str("longer than the limit"),
            Self::Exhausted => f.write_str("too many messages without an answer"),
            Self::Random(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EncryptError {}

impl From<RandomError> for EncryptError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<SealError> for EncryptError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random(error) => Self::Random(error),
            SealError::TooLong => Self::TooLong,
        }
    }
}

/// Saved bytes are no state of a [`Ratchet`](super::Ratchet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatchetStateError;

impl fmt::Display for RatchetStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a saved ratchet")
    }
}

impl core::error::Error for RatchetStateError {}
