//! Why a step of a linking was refused.

use core::fmt;

use crate::{
    identity::{CertificateError, ListError},
    prekey::BundleError,
    primitives::{NonContributory, RandomError, aead::SealError},
    session::StartError,
    step::{Advice, RecordError, UnixMillis, advises},
    wire::DecodeError,
};

/// Why a step of a linking was refused. Nothing has changed: what waits still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// What was scanned is no link code: it has another scheme, or was cut off. It links nothing, whatever it shows.
    NotALinkCode,
    /// A link code, or a message, of a version that this crate does not speak, or none at all.
    Decode(DecodeError),
    /// No such step is next: there is no linking under way, or it is further, or not as far.
    OutOfOrder,
    /// Too late: show or scan a new code.
    Expired {
        /// When its time was over.
        expired_at: UnixMillis,
    },
    /// Of another linking than the one under way.
    OtherLinking,
    /// This code was scanned before.
    AlreadyUsed,
    /// The consent names another companion than the one that was scanned.
    OtherConsent,
    /// Another device was taken in since the grant, and has its place: link again.
    Overtaken,
    /// Altered, or not made by the other side of this linking.
    NotAuthentic,
    /// The phone scanned a code of its own, or of a device that its list has.
    OwnDevice,
    /// The certificate does not hold.
    Certificate(CertificateError),
    /// The companion's first bundle does not hold.
    Bundle(BundleError),
    /// The phone cannot sign a list, or the list in the acknowledgement does not hold.
    List(ListError),
    /// This phone has no signed prekey, or one that is due to be replaced: a desktop's first session could not be started.
    NoPrekeys,
    /// No session with the companion could be started.
    Start(StartError),
    /// The store holds a device already: a companion begins in an empty store.
    AlreadyRegistered,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl LinkError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotALinkCode
            | Self::OutOfOrder
            | Self::OtherLinking
            | Self::NotAuthentic
            | Self::OwnDevice => Advice::Drop,
            Self::Decode(error) => error.advice(),
            Self::Expired { .. } | Self::AlreadyUsed | Self::Overtaken => Advice::LinkAgain,
            Self::OtherConsent | Self::AlreadyRegistered => Advice::FixCall,
            Self::Certificate(_) | Self::Bundle(_) => Advice::LinkAgain,
            Self::List(error) => error.advice(),
            Self::NoPrekeys => Advice::Replenish,
            Self::Start(error) => error.advice(),
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALinkCode => f.write_str("not a code that links a device"),
            Self::Decode(error) => write!(f, "no message of a linking: {error}"),
            Self::OutOfOrder => f.write_str("no such step of the linking is next"),
            Self::Expired { expired_at } => write!(f, "the linking's time was over at {}", expired_at.0),
            Self::OtherLinking => f.write_str("of another linking"),
            Self::AlreadyUsed => f.write_str("this code was scanned before"),
            Self::OtherConsent => f.write_str("the consent is for another companion"),
            Self::Overtaken => f.write_str("another device was taken in since"),
            Self::NotAuthentic => f.write_str("not from the other side of this linking"),
            Self::OwnDevice => f.write_str("the code is of a device of this account"),
            Self::Certificate(error) => error.fmt(f),
            Self::Bundle(error) => error.fmt(f),
            Self::List(error) => error.fmt(f),
            Self::NoPrekeys => f.write_str("there is no signed prekey that is not due"),
            Self::Start(error) => error.fmt(f),
            Self::AlreadyRegistered => f.write_str("the store holds a device already"),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(LinkError);

impl core::error::Error for LinkError {}

macro_rules! from {
    ($($error:ident => $variant:ident),+) => {$(
        impl From<$error> for LinkError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}
from!(DecodeError => Decode, CertificateError => Certificate, BundleError => Bundle, ListError => List, StartError => Start, RandomError => Random, RecordError => Record);

impl From<SealError> for LinkError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random(error) => Self::Random(error),
            SealError::TooLong => Self::NotAuthentic,
        }
    }
}

impl From<NonContributory> for LinkError {
    fn from(_: NonContributory) -> Self {
        Self::NotAuthentic
    }
}

/// Why a phone ended a linking, as it tells the companion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Its user said no.
    Declined,
    /// A reason of a later version.
    Other(u32),
}

impl Refusal {
    pub(super) fn to_wire(self) -> u32 {
        match self {
            Self::Declined => 1,
            Self::Other(reason) => reason,
        }
    }

    pub(super) fn from_wire(reason: u32) -> Self {
        match reason {
            1 => Self::Declined,
            other => Self::Other(other),
        }
    }
}
