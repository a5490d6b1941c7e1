//! What stops a device, or all of it.

use std::{error::Error, fmt, io};

use outrigger::{AccountIdLength, BundleError, DecodeError, DriveError};

#[derive(Debug)]
pub(crate) enum Trouble {
    /// The device was killed, on purpose.
    Killed,
    Database(rusqlite::Error),
    Io(io::Error),
    /// Something that no advice leads out of.
    Stuck(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("a device was killed"),
            Self::Database(error) => write!(f, "SQLite: {error}"),
            Self::Io(error) => error.fmt(f),
            Self::Stuck(why) => f.write_str(why),
        }
    }
}

impl Error for Trouble {}

impl<E: Error> From<DriveError<E, Self>> for Trouble {
    fn from(error: DriveError<E, Self>) -> Self {
        match error {
            DriveError::Store(trouble) => trouble,
            DriveError::Refused(error) => Self::Stuck(error.to_string()),
            DriveError::Conflicts => Self::Stuck("another process was always faster".into()),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Errors of values that the example makes itself.
macro_rules! stuck {
    ($($error:ty),+) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self::Stuck(error.to_string())
            }
        }
    )+};
}
stuck!(AccountIdLength, BundleError, DecodeError);
