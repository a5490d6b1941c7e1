//! What there is in a world, by name: parties, codes, messages.

use std::sync::Arc;

use outrigger::{AccountId, Address, DeviceId, IdentityKey, LinkReference};

/// A phone: the user's own, or the one that photographs the companion's screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    Own,
    Stranger,
}

impl Who {
    pub(crate) fn address(self) -> Address {
        let id = match self {
            Self::Own => b"account of owner",
            Self::Stranger => b"the stranger's..",
        };
        Address::new(AccountId::new(id).unwrap(), DeviceId::PHONE)
    }
}

/// Whoever has a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    Companion,
    Phone(Who),
}

/// The how many-th code that the companion showed.
pub(crate) type CodeName = u8;

/// A code that was shown.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) reference: LinkReference,
    /// Of the companion that it is for.
    pub(crate) key: IdentityKey,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Grant,
    Confirmation,
    /// With the account's list of an epoch.
    Acknowledgement(u32),
    Refusal,
}

/// A message: what it is, the phone and the code of its linking, and the how many-th grant of these it is or follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    pub(crate) phone: Who,
    pub(crate) code: CodeName,
    pub(crate) grant: u8,
}

impl Name {
    /// What follows this message in its linking.
    pub(crate) fn followed_by(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// The bytes of a message.
pub(crate) type Bytes = Arc<[u8]>;

/// How a device goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Lives,
    /// It dies before the commit: nothing happened.
    DiesBefore,
    /// It dies after the commit: the output is lost.
    DiesAfter,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// The companion shows a code.
    Show(Fate),
    /// A phone scans one.
    Scan(Who, CodeName, Fate),
    /// A phone's user agrees: in the linking of one code, to the companion of another or the same.
    Agree(Who, CodeName, CodeName, Fate),
    Decline(Who, CodeName, Fate),
    Abandon(Party, Fate),
    /// A phone's user removes the companion of a code.
    Remove(Who, CodeName, Fate),
    /// The network delivers a message that it has seen, wherever it likes; it has it still.
    Deliver(usize, Party, Fate),
    /// A party sends again what it sent last.
    Again(Party),
    /// Time passes, for all.
    Wait(u64),
}
