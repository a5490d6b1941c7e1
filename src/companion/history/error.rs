//! Why a history was not asked for, given or opened.

use core::fmt;

use crate::{
    primitives::{RandomError, aead::SealError},
    session::SendError,
    step::{Advice, RecordError, UnixMillis, advises},
    wire::DecodeError,
};

/// Why a history was not asked for, given or opened. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryError {
    /// Only the phone gives history.
    NotThePhone,
    /// Only a companion asks for it.
    NotACompanion,
    /// The account's list names no such companion.
    UnknownDevice,
    /// The companion was linked too short a time ago.
    TooSoon {
        /// When history can be given.
        allowed_at: UnixMillis,
    },
    /// Of another history than the one that was asked for last, or none was asked for.
    NotAsked,
    /// More chunks than a history has (1,024), or a chunk longer than 1,048,576 bytes.
    TooLong,
    /// Not what the manifest names at this place: another chunk, or altered.
    OtherChunk,
    /// This chunk was opened before.
    AlreadyOpened,
    /// What was kept is no manifest.
    Decode(DecodeError),
    /// Nothing can be sent to the other side.
    Send(SendError),
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl HistoryError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotThePhone | Self::NotACompanion | Self::UnknownDevice | Self::TooLong => Advice::FixCall,
            Self::TooSoon { .. } => Advice::Later,
            Self::NotAsked | Self::OtherChunk | Self::AlreadyOpened => Advice::Drop,
            Self::Decode(error) => error.advice(),
            Self::Send(error) => error.advice(),
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThePhone => f.write_str("only the phone gives history"),
            Self::NotACompanion => f.write_str("only a companion asks for history"),
            Self::UnknownDevice => f.write_str("the account's list names no such companion"),
            Self::TooSoon { allowed_at } => write!(f, "history can be given at {}", allowed_at.0),
            Self::NotAsked => f.write_str("not the history that was asked for"),
            Self::TooLong => f.write_str("longer than a history can be"),
            Self::OtherChunk => f.write_str("not the chunk of this place"),
            Self::AlreadyOpened => f.write_str("the chunk was opened before"),
            Self::Decode(error) => write!(f, "no manifest: {error}"),
            Self::Send(error) => error.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(HistoryError);

impl core::error::Error for HistoryError {}

impl From<DecodeError> for HistoryError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<SendError> for HistoryError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<RandomError> for HistoryError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<SealError> for HistoryError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random(error) => Self::Random(error),
            SealError::TooLong => Self::TooLong,
        }
    }
}

impl From<RecordError> for HistoryError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
