//! The two who speak.

use outrigger::{AccountId, AccountIdLength, Address, DeviceId};

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

    /// Where its device is reached. A real app draws the account id at random or gets it from its server.
    pub(crate) fn address(self) -> Result<Address, AccountIdLength> {
        let id = match self {
            Self::Alice => b"account of alice",
            Self::Bob => b"the account: bob",
        };
        Ok(Address::new(AccountId::new(id)?, DeviceId::PHONE))
    }
}
