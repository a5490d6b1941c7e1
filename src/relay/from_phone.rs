//! What a desktop is told by its phone.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{EndOfRelay, FrameNumber, RequestId, RequestState, Suspension, frame::Body};
use crate::{
    companion::Joined,
    identity::{AccountId, Address},
    primitives::SecretBytes,
    session::{MessageId, SharedId},
    step::UnixMillis,
};

/// What was taken.
#[derive(Debug)]
#[non_exhaustive]
pub struct TakenFromPhone {
    /// What it said.
    pub said: FromPhone,
    /// Whether to run [`AckPhone`](crate::AckPhone) now: the phone sends no more before it.
    pub owes: bool,
}

/// What the phone said.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromPhone {
    /// Nothing new: it was shown before, answers a question that is no longer open, or offers anew what is accepted already.
    Late,
    /// How the phone stands.
    Status {
        /// Until when it relays, by this desktop's clock.
        good_until: UnixMillis,
        /// Whether this is what lets a desktop in that asked to join.
        joined: bool,
        /// What became of requests that were under way when this desktop joined.
        settled: Vec<(RequestId, RequestState)>,
    },
    /// Nothing is relayed until this desktop joins anew: ask the user, and run [`RejoinPhone`](crate::RejoinPhone).
    Suspended(Suspension),
    /// A peer's message. Show it once, by its sender and id: a phone whose store went back may tell it again, under another number.
    Event {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// When the phone opened it.
        at: UnixMillis,
        /// Who sent it.
        from: Address,
        /// Names it at its sender and at the phone.
        message: MessageId,
        /// Names it on all devices, where it is to the account.
        shared: Option<SharedId>,
        /// What was said.
        text: SecretBytes,
    },
    /// What the phone, or another device of the account, has sent: show it as said by this account.
    OwnSent {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// When it was sent.
        at: UnixMillis,
        /// To whom.
        to: AccountId,
        /// Names it on all devices.
        shared: SharedId,
        /// What was said.
        text: SecretBytes,
    },
    /// What became of a request.
    Answer {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// Which request.
        request: RequestId,
        /// What became of it.
        state: RequestState,
    },
    /// Messages are missing here: show so, and ask for them with a query where the app has one for that.
    Gap {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// How many, as far as the phone knows.
        missed: u64,
        /// When the first of them came.
        first: UnixMillis,
        /// When the last of them came.
        last: UnixMillis,
    },
    /// An answer to a query.
    Found {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// Which query.
        request: RequestId,
        /// What the phone's app has found.
        text: SecretBytes,
    },
    /// The phone's user agrees to an upgrade: run [`AcceptUpgrade`](crate::AcceptUpgrade) within five minutes.
    Offered {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// The request that it answers.
        request: RequestId,
    },
    /// This device is a companion of the account: the relay has ended, and its session is the one with the phone. Run [`AckPhone`](crate::AckPhone), run
    /// [`ReplenishPrekeys`](crate::ReplenishPrekeys) and publish its upload with the certificate, and from now on take what comes with [`Receive`](crate::Receive).
    Upgraded {
        /// Its place among all that the phone has told.
        number: FrameNumber,
        /// What this device is now.
        joined: Box<Joined>,
        /// Requests to become what it is now, which are without object.
        settled: Vec<(RequestId, RequestState)>,
        /// Requests that the phone has not done, and never will, in order: keep them in this step's transaction, and send them from here.
        unsent: Vec<Unsent>,
    },
    /// The relay has ended: delete what the store holds.
    Ended {
        /// Why.
        why: EndOfRelay,
        /// What became of requests that were under way.
        settled: Vec<(RequestId, RequestState)>,
        /// Requests that the phone has not done, and never will.
        never_sent: Vec<RequestId>,
    },
}

/// A request that was queued when the desktop became a companion.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unsent {
    /// Which.
    pub request: RequestId,
    /// Until when it is worth doing.
    pub not_after: UnixMillis,
    /// What was asked for.
    pub asked: UnsentRequest,
}

/// What was asked for, and is this device's own to do now.
#[non_exhaustive]
pub enum UnsentRequest {
    /// To send a message to an account.
    Send {
        /// To whom.
        to: AccountId,
        /// What to say.
        plaintext: SecretBytes,
        /// What to bind.
        associated_data: Vec<u8>,
    },
    /// To note that a message was read.
    Read {
        /// Who sent the message.
        from: Address,
        /// Which.
        message: MessageId,
    },
    /// A question of the app's own.
    Query(SecretBytes),
}

impl fmt::Debug for UnsentRequest {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { to, plaintext, .. } => {
                write!(f, "Send {{ to: {to:?}, plaintext: {} bytes }}", plaintext.len())
            }
            Self::Read { from, message } => write!(f, "Read {{ from: {from:?}, message: {message:?} }}"),
            Self::Query(text) => write!(f, "Query({} bytes)", text.len()),
        }
    }
}

impl Unsent {
    /// Nothing where the request was for what has come.
    pub(super) fn read(request: RequestId, kind: u8, not_after: UnixMillis, body: &[u8]) -> Option<Self> {
        let secret = |text: &[u8]| SecretBytes::new(text.to_vec());
        let asked = match Body::decode(kind, body)? {
            Body::Send { to, associated_data, text } => {
                UnsentRequest::Send { to, plaintext: secret(text), associated_data: associated_data.to_vec() }
            }
            Body::Read { from, message } => UnsentRequest::Read { from, message },
            Body::Query(text) => UnsentRequest::Query(secret(text)),
            Body::Upgrade | Body::Accept(_) => return None,
        };
        Some(Self { request, not_after, asked })
    }
}
