//! What can go wrong beyond what an app puts right by itself.

use std::{error::Error, fmt, io};

use outrigger::{AccountIdLength, BundleError, DecodeError, DriveError};

use crate::store::StoreError;

/// Why the conversation stops.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A device was killed on purpose. The story catches this one and restarts the device.
    Killed,
    Store(StoreError),
    /// An operation was refused for a reason that this app has no answer to.
    Refused(Box<dyn Error>),
    NoBundle,
    Io(io::Error),
    /// Nothing has arrived for so many ticks.
    Stalled(u64),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("a device was killed"),
            Self::Store(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
            Self::NoBundle => f.write_str("the server has no keys of this device"),
            Self::Io(error) => error.fmt(f),
            Self::Stalled(ticks) => write!(f, "nothing has arrived for {ticks} ticks"),
        }
    }
}

impl Error for Trouble {}

impl<E: Error + 'static> From<DriveError<E, StoreError>> for Trouble {
    fn from(error: DriveError<E, StoreError>) -> Self {
        match error {
            DriveError::Store(error) => error.into(),
            DriveError::Refused(error) => Self::Refused(error.into()),
            DriveError::Conflicts => Self::Refused("another process always changed the store first".into()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Killed => Self::Killed,
            StoreError::Database(_) | StoreError::Guard(_) => Self::Store(error),
        }
    }
}

impl From<DecodeError> for Trouble {
    fn from(error: DecodeError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<BundleError> for Trouble {
    fn from(error: BundleError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<AccountIdLength> for Trouble {
    fn from(error: AccountIdLength) -> Self {
        Self::Refused(error.into())
    }
}
