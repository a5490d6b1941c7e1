//! Why a step of a relay was refused.

use core::fmt;

use super::{EndOfRelay, FrameNumber, RequestNumber, Suspension};
use crate::{
    companion::{FanOutError, LinkError},
    identity::ListError,
    primitives::RandomError,
    session::{OpenError, SendError, StartError},
    step::{Advice, RecordError, UnixMillis, advises},
    wire::DecodeError,
};

/// Why a step of a relay was refused. Nothing has changed, and the same bytes can be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayError {
    /// This store holds no device, or not one that a relay of this kind has: a phone with such a desktop, or a desktop.
    NotPaired,
    /// What a peer has sent does not open.
    Open(OpenError),
    /// What the other end of the relay has sent does not open, or is no frame. Nothing is asked for again: what was lost comes again, and what is broken is mended by joining anew.
    Frame(OpenError),
    /// No frame but a message, or at a desktop that is upgrading perhaps one. A desktop that is about to become a companion keeps the bytes, and opens them with `Receive` once it is one; a phone gives what comes from a
    /// desktop that is one to `RelayReceive`.
    NoFrame,
    /// A frame that this version cannot read.
    Decode(DecodeError),
    /// The frame's number is not the next one: keep the bytes, and try them again after what is missing, which comes again if it was lost.
    Early {
        /// The number that is next.
        next: FrameNumber,
    },
    /// The request's number is not the next one: keep the bytes, and try them again after what is missing, which comes again if it was lost.
    EarlyRequest {
        /// The number that is next.
        next: RequestNumber,
    },
    /// Nothing is relayed: on the desktop ask the user, fetch the phone's bundle and run `RejoinPhone`.
    Suspended(Suspension),
    /// The desktop has asked to join, and the phone has not answered yet.
    Joining,
    /// The phone's user has not renewed the desktop in time: `RenewDesktop` on the phone lets everything go on.
    Lapsed {
        /// When its time was over.
        expired_at: UnixMillis,
    },
    /// The relay has ended.
    Ended(EndOfRelay),
    /// The phone does not answer, and the call wants no queue; or so much went out since it was heard that more could end the session.
    Unreachable,
    /// As many requests wait for an answer as can, or as many frames for an acknowledgement.
    Full,
    /// It went out, or has its answer: it cannot be taken back.
    TooLate,
    /// Nothing can be sent to the other end.
    Send(SendError),
    /// No session with the phone could be started.
    Start(StartError),
    /// The message to the account was not sent.
    FanOut(FanOutError),
    /// The desktop has accepted to become a companion: what it asks for waits until the phone has answered.
    Upgrading,
    /// The upgrade: the phone can sign no list that names the desktop, the consent is for another, there is no offer, or certificate or list do not hold.
    Upgrade(LinkError),
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl RelayError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotPaired => Advice::FixCall,
            Self::Open(error) => error.advice(),
            Self::Frame(error) => match error {
                OpenError::Record(error) => error.advice(),
                OpenError::Decode(error) => error.advice(),
                OpenError::UnknownContent(_) => Advice::Update,
                OpenError::Frame
                | OpenError::RetryRequest
                | OpenError::AssociatedDataTooLong
                | OpenError::NotAuthentic
                | OpenError::Duplicate
                | OpenError::KeyGone
                | OpenError::TooFarAhead { .. }
                | OpenError::OutOfStep
                | OpenError::MissingPrekey(_)
                | OpenError::IdentityChanged { .. }
                | OpenError::Unlisted(_)
                | OpenError::NotEntitled
                | OpenError::SuiteRefused(_)
                | OpenError::TooManyWeakStarts
                | OpenError::NotRegistered => Advice::Drop,
            },
            Self::Decode(error) => error.advice(),
            Self::Early { .. }
            | Self::EarlyRequest { .. }
            | Self::Full
            | Self::Unreachable
            | Self::Upgrading
            | Self::NoFrame => Advice::Later,
            // A companion's clock that is behind, or its phone's that is ahead.
            Self::Upgrade(LinkError::List(ListError::FromTheFuture { .. })) => Advice::Later,
            Self::Suspended(_) | Self::Joining => Advice::RejoinPhone,
            Self::Lapsed { .. } => Advice::AwaitPhone,
            // Nothing is over but the relay: the device is a companion.
            Self::Ended(EndOfRelay::Upgraded) => Advice::Drop,
            Self::Ended(EndOfRelay::Detached | EndOfRelay::Left) => Advice::LinkAgain,
            Self::TooLate => Advice::Drop,
            Self::Send(SendError::NoSession | SendError::Exhausted) => Advice::RejoinPhone,
            Self::Send(error) => error.advice(),
            Self::Start(error) => error.advice(),
            Self::FanOut(error) => error.advice(),
            Self::Upgrade(error) => error.advice(),
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPaired => f.write_str("the store holds no end of such a relay"),
            Self::Open(error) | Self::Frame(error) => error.fmt(f),
            Self::NoFrame => f.write_str("a message, and no frame of a relay"),
            Self::Decode(error) => write!(f, "no frame of a relay: {error}"),
            Self::Early { next } => write!(f, "frame {} is next", next.0),
            Self::EarlyRequest { next } => write!(f, "request {} is next", next.0),
            Self::Suspended(why) => write!(f, "nothing is relayed until the desktop joins anew: {why:?}"),
            Self::Joining => f.write_str("the phone has not taken this desktop in yet"),
            Self::Lapsed { expired_at } => {
                write!(f, "the phone has not renewed the desktop since {}", expired_at.0)
            }
            Self::Ended(why) => write!(f, "the relay has ended: {why:?}"),
            Self::Unreachable => f.write_str("the phone does not answer"),
            Self::Full => f.write_str("as much is under way as can be"),
            Self::TooLate => f.write_str("the request cannot be taken back any more"),
            Self::Send(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::FanOut(error) => error.fmt(f),
            Self::Upgrading => f.write_str("the desktop is about to become a companion"),
            Self::Upgrade(error) => error.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(RelayError);

impl core::error::Error for RelayError {}

macro_rules! from {
    ($($error:ident => $variant:ident),+) => {$(
        impl From<$error> for RelayError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}
from!(OpenError => Open, DecodeError => Decode, SendError => Send, StartError => Start, FanOutError => FanOut, LinkError => Upgrade, RandomError => Random, RecordError => Record);
