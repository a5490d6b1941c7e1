//! Why a device does not speak for its account.

use core::fmt;

use crate::step::{Advice, UnixMillis};

/// Why a companion is not spoken with: what its account's list on record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unlisted {
    /// No list of the account is on record.
    NoList,
    /// The list does not name the device: it is new, or was removed.
    NotListed,
    /// The list names the device with another identity key.
    OtherKey,
    /// The list is past its time: the phone has not signed another.
    Expired {
        /// When its time was over.
        expired_at: UnixMillis,
    },
    /// Two lists of one epoch were seen: neither counts until a later one comes.
    Disputed,
    /// The account is closed; this holds for its phone, too.
    Closed,
}

impl Unlisted {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NoList | Self::NotListed | Self::OtherKey | Self::Expired { .. } | Self::Disputed => {
                Advice::FetchDevices
            }
            Self::Closed => Advice::Drop,
        }
    }
}

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoList => f.write_str("no device list of the account is on record"),
            Self::NotListed => f.write_str("the account's device list does not name this device"),
            Self::OtherKey => f.write_str("the account's device list names this device with another key"),
            Self::Expired { expired_at } => {
                write!(f, "the account's device list expired at {}", expired_at.0)
            }
            Self::Disputed => f.write_str("the account has two device lists of one epoch"),
            Self::Closed => f.write_str("the account is closed"),
        }
    }
}

impl core::error::Error for Unlisted {}
