//! Why a companion was not supplied, or did not take what it was told.

use core::fmt;

use crate::session::{SendError, SupplyNumber};
use crate::{
    step::{Advice, RecordError, advises},
    wire::DecodeError,
};

/// Why nothing was told or taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupplyError {
    /// This store holds no device.
    NotRegistered,
    /// Only the phone supplies.
    NotThePhone,
    /// Only a companion is supplied.
    NotACompanion,
    /// The account's list names no such companion.
    UnknownDevice,
    /// What was kept is no frame.
    Decode(DecodeError),
    /// It goes on from what this companion has not taken, since its store went back: run `AskSupply`, and the phone tells everything again.
    Gap {
        /// What this companion has taken.
        taken: SupplyNumber,
        /// After which number the frame goes on.
        after: SupplyNumber,
    },
    /// Nothing can be sent to the other side.
    Send(SendError),
    /// A record cannot be used.
    Record(RecordError),
}

impl SupplyError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotRegistered | Self::NotThePhone | Self::NotACompanion | Self::UnknownDevice => {
                Advice::FixCall
            }
            Self::Decode(error) => error.advice(),
            Self::Gap { .. } => Advice::AskSupply,
            Self::Send(error) => error.advice(),
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for SupplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::NotThePhone => f.write_str("only the phone supplies companions"),
            Self::NotACompanion => f.write_str("only a companion is supplied"),
            Self::UnknownDevice => f.write_str("the account's list names no such companion"),
            Self::Decode(error) => write!(f, "no frame of a supply: {error}"),
            Self::Gap { taken, after } => {
                write!(f, "it goes on after {}, and {} is what was taken", after.0, taken.0)
            }
            Self::Send(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(SupplyError);

impl core::error::Error for SupplyError {}

impl From<DecodeError> for SupplyError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<SendError> for SupplyError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<RecordError> for SupplyError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
