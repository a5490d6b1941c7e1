//! The two who speak.

use outrigger::{AccountId, Address, DeviceId};

use crate::trouble::Trouble;

/// One of the two who speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Alice,
    Bob,
}

impl Who {
    pub(crate) const BOTH: [Self; 2] = [Self::Alice, Self::Bob];

    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alice => "Alice",
            Self::Bob => "Bob",
        }
    }

    /// Where its device is reached.
    pub(crate) fn address(self) -> Result<Address, Trouble> {
        let id = match self {
            Self::Alice => b"account of alice",
            Self::Bob => b"the account: bob",
        };
        Ok(Address::new(AccountId::new(id)?, DeviceId::PHONE))
    }
}
