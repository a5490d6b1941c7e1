//! Why a device list was refused.

use core::fmt;

use super::{Epoch, IdentityKey};
use crate::{
    primitives::RandomError,
    step::{Advice, RecordError, UnixMillis, advises},
    wire::DecodeError,
};

/// Why a device list was refused or not made. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListError {
    /// No device list.
    Decode(DecodeError),
    /// Not signed by the account's identity key.
    BadSignature,
    /// The list of another account.
    OtherAccount,
    /// No identity key of this account's phone is on record.
    UnknownAccount,
    /// The account's identity key is in question: another was offered, and the user has not decided.
    IdentityChanged {
        /// On record.
        stored: IdentityKey,
        /// Offered.
        offered: IdentityKey,
    },
    /// Older than the list on record.
    RolledBack {
        /// Of the list on record.
        known: Epoch,
        /// Of this one.
        offered: Epoch,
    },
    /// Of another life of the account than the list on record, under the same identity key.
    ForeignIncarnation,
    /// Issued later than clocks may differ.
    FromTheFuture {
        /// When it says that it was issued.
        issued_at: UnixMillis,
    },
    /// Past its time: fetch a newer one, or wait until the phone signs one.
    Expired {
        /// When its time was over.
        expired_at: UnixMillis,
    },
    /// It names a device by an id or index that the list on record gave to another key, or goes back in its indexes.
    Reused,
    /// This store holds no device: run `Register` or a linking first.
    NotRegistered,
    /// Only the phone, device 0, signs device lists.
    NotThePhone,
    /// The phone came back from a backup and has not seen its newest list yet: fetch it from the server and run `LearnDevices` with it.
    NotSeenSinceRestore,
    /// This device is a desktop behind its phone: no list is its own.
    Relayed,
    /// No such companion is in the list.
    UnknownDevice,
    /// The account has as many devices as it can (5).
    TooManyDevices,
    /// The account is closed, or its line of lists has come to its end: register anew.
    LineEnded,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl ListError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::BadSignature
            | Self::OtherAccount
            | Self::RolledBack { .. }
            | Self::ForeignIncarnation
            | Self::FromTheFuture { .. }
            | Self::Reused => Advice::Drop,
            Self::UnknownAccount => Advice::FetchBundle,
            Self::IdentityChanged { .. } => Advice::AskUser,
            Self::Expired { .. } | Self::NotSeenSinceRestore => Advice::FetchDevices,
            Self::NotRegistered
            | Self::NotThePhone
            | Self::Relayed
            | Self::UnknownDevice
            | Self::TooManyDevices => Advice::FixCall,
            Self::LineEnded => Advice::RegisterAnew,
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "no device list: {error}"),
            Self::BadSignature => f.write_str("the device list is not signed by this account"),
            Self::OtherAccount => f.write_str("the device list is another account's"),
            Self::UnknownAccount => f.write_str("no identity key of this account's phone is on record"),
            Self::IdentityChanged { stored, offered } => {
                write!(f, "the account's identity key changed from {stored:?} to {offered:?}")
            }
            Self::RolledBack { known, offered } => {
                write!(f, "list {} is older than {}, which is on record", offered.0, known.0)
            }
            Self::ForeignIncarnation => f.write_str("the device list is of another life of the account"),
            Self::FromTheFuture { issued_at } => {
                write!(f, "the device list is of the future: {}", issued_at.0)
            }
            Self::Expired { expired_at } => write!(f, "the device list expired at {}", expired_at.0),
            Self::Reused => f.write_str("the device list uses an id or index twice"),
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::Relayed => f.write_str("a desktop behind its phone has no list of its own"),
            Self::NotThePhone => f.write_str("only the phone signs device lists"),
            Self::NotSeenSinceRestore => {
                f.write_str("the newest list was not seen since this phone was restored")
            }
            Self::UnknownDevice => f.write_str("no such companion is in the list"),
            Self::TooManyDevices => f.write_str("the account has as many devices as it can"),
            Self::LineEnded => f.write_str("the account has signed its last list"),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(ListError);

impl core::error::Error for ListError {}

impl From<DecodeError> for ListError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<RandomError> for ListError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<RecordError> for ListError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
