//! What both ends of a relay name alike.

use core::fmt;

use crate::wire::MAX_PLAINTEXT;

/// Longest frame: what a message can hold with its heading.
pub(super) const MAX_FRAME: usize = MAX_PLAINTEXT - 64;

/// Names a request of a desktop's: 16 random bytes, drawn before it is first stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Numbers a desktop's requests from 1 on, without holes, for as long as it is paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber(pub u64);

/// Numbers what a phone tells a desktop from 1 on, without holes, for as long as it is paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u64);

/// What became of a request. It only moves forward, in the order in which these stand; `Refused` and `Unknown` are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestState {
    /// The phone has it on its way, in its own store.
    Accepted,
    /// The phone's transport has taken it.
    Relayed,
    /// The recipient has it.
    Delivered,
    /// The recipient's user has seen it.
    Read,
    /// The phone did not do it, and never will.
    Refused(RefusedRequest),
    /// Nobody knows whether it was done: the phone came back from a backup, or the request was under way when the relay ended.
    Unknown,
}

/// Why a phone did not do what its desktop asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusedRequest {
    /// The phone's user does not allow it.
    NoConsent,
    /// It came after the time that it was good for.
    TooLate,
    /// The recipient's identity key is in question: the phone's user decides, never the desktop.
    IdentityChanged,
    /// Too long for a message.
    TooLong,
    /// The offer of an upgrade stands no more, or was never made: ask again.
    NoOffer,
    /// This desktop is a companion now, as the phone is about to tell it: send it yourself.
    Upgraded,
    /// It is for the own account, which has no device but the phone.
    Nobody,
}

/// Why nothing is relayed until the desktop joins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspension {
    /// The phone's store went back: the desktop has more than the phone has sent, or was told something else under the same number.
    PhoneWentBack,
    /// The desktop's store went back, or was copied to another machine.
    DesktopWentBack,
    /// The session between the two is broken.
    Session,
    /// Another machine has joined in this one's place.
    TakenOver,
}

/// Why a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndOfRelay {
    /// The phone's user let the desktop go.
    Detached,
    /// The desktop's user left.
    Left,
    /// The desktop is a companion: it speaks for itself.
    Upgraded,
}

impl EndOfRelay {
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Detached => 1,
            Self::Left => 2,
            Self::Upgraded => 3,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Detached),
            2 => Some(Self::Left),
            3 => Some(Self::Upgraded),
            _ => None,
        }
    }
}

/// What a desktop may ask of its phone without its user's word each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DesktopConsent {
    /// Nothing is done for it.
    Never,
    /// The phone's user is asked each time.
    Ask,
    /// Everything is done for it.
    Always,
}

impl DesktopConsent {
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Never => 0,
            Self::Ask => 1,
            Self::Always => 2,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Never),
            1 => Some(Self::Ask),
            2 => Some(Self::Always),
            _ => None,
        }
    }
}
