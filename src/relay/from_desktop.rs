//! What a frame of a desktop's comes to at its phone, and what the phone's user is asked about it.

use alloc::vec::Vec;
use core::fmt;

use super::{ForDesktop, RefusedRequest, RequestNumber, Suspension};
use crate::{
    companion::{Consent, Plan, SentToAccount, SignedList},
    identity::{AccountId, Address},
    primitives::SecretBytes,
    session::MessageId,
};

/// The user's word on what a desktop wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Do it.
    Allow,
    /// Make it a companion: the only word that does. It names the desktop, and what follows.
    Upgrade(Consent),
    /// Do not.
    Deny,
}

/// What a desktop wants, and the phone's user is asked.
#[non_exhaustive]
pub enum Wanted {
    /// A machine with the desktop's key wants to take its place.
    TakeOver,
    /// To send this.
    Send {
        /// Which request.
        request: RequestNumber,
        /// To whom.
        to: AccountId,
        /// What.
        text: SecretBytes,
    },
    /// Something of the app's own.
    Query {
        /// Which request.
        request: RequestNumber,
        /// What it asks.
        text: SecretBytes,
    },
    /// To become a companion, which reads and speaks for the account without the phone: [`Verdict::Upgrade`] allows it, [`Verdict::Allow`] does not.
    Upgrade {
        /// Which request.
        request: RequestNumber,
        /// What allows it.
        consent: Consent,
    },
}

impl fmt::Debug for Wanted {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakeOver => f.write_str("TakeOver"),
            Self::Send { request, to, text } => {
                write!(f, "Send {{ request: {request:?}, to: {to:?}, text: {} bytes }}", text.len())
            }
            Self::Query { request, text } => {
                write!(f, "Query {{ request: {request:?}, text: {} bytes }}", text.len())
            }
            Self::Upgrade { request, consent } => {
                write!(f, "Upgrade {{ request: {request:?}, consent: {consent:?} }}")
            }
        }
    }
}

/// What a desktop's frame came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromDesktop {
    /// It is of a session before the present one: tell the machine that still speaks in it, if there is a notice.
    Late {
        /// What goes to it.
        notice: Option<Vec<u8>>,
    },
    /// The relay has ended; tell the desktop so, again.
    Ended {
        /// What goes to it, if a session could carry it.
        notice: Option<Vec<u8>>,
    },
    /// It said that it is there, or what it has shown.
    Heard {
        /// What goes to it. More may wait, where it has acknowledged something: [`RelayOutbox`](crate::RelayOutbox) has it.
        frames: Vec<Vec<u8>>,
        /// Whether nothing is relayed for it until it joins anew: tell the user.
        suspended: Option<Suspension>,
    },
    /// It has joined, for the first time or anew.
    Joined {
        /// What goes to it.
        frames: Vec<Vec<u8>>,
        /// Whether it was joined before: tell the user.
        again: bool,
    },
    /// Nothing has changed: ask the user, and run this again with the word that fits: [`Verdict::Upgrade`] for an upgrade, [`Verdict::Allow`] for all else. Keep the word by the request's
    /// number and what it asks for until it is done: where the user is slow and the desktop has asked since, these bytes open no more (`OutOfStep`), and the request comes again in others, for which it counts too.
    Undecided(Wanted),
    /// Nothing has changed: the user does not want it to join.
    Denied,
    /// Nothing has changed: no device of the recipient's can be sent to. Mend what the plan names and run this again, or refuse with [`Verdict::Deny`]. Should the bytes open no more by then,
    /// the request comes again in others.
    Unready {
        /// Which request.
        request: RequestNumber,
        /// What stands between.
        plan: Plan,
    },
    /// It asked to send a message, and that was done.
    Sent {
        /// Which request.
        request: RequestNumber,
        /// What goes to the devices of the recipient and of the own account.
        sent: SentToAccount,
        /// What goes to the desktop, and to others.
        desktops: Vec<ForDesktop>,
    },
    /// It says that a message was read there.
    Read {
        /// Which request.
        request: RequestNumber,
        /// Who sent the message.
        from: Address,
        /// Which.
        message: MessageId,
        /// What goes to the desktop.
        frames: Vec<Vec<u8>>,
    },
    /// It asks something of the app's own: answer it with [`TellDesktop`](crate::TellDesktop).
    Query {
        /// Which request.
        request: RequestNumber,
        /// What it asks.
        text: SecretBytes,
        /// What goes to the desktop.
        frames: Vec<Vec<u8>>,
    },
    /// The user wants it to become a companion, and it was offered that.
    Offered {
        /// Which request.
        request: RequestNumber,
        /// What goes to the desktop.
        frames: Vec<Vec<u8>>,
    },
    /// It is a companion now, in the session that it has: publish the list, and take what comes from it with [`RelayReceive`](crate::RelayReceive) first.
    Upgraded {
        /// Where it is reached.
        device: Address,
        /// The list that names it, for the server; and what that changed, for the account's other companions.
        list: SignedList,
        /// What goes to the desktop.
        frames: Vec<Vec<u8>>,
    },
    /// It asked for something that was not done.
    Refused {
        /// Which request.
        request: RequestNumber,
        /// Why.
        why: RefusedRequest,
        /// What goes to the desktop.
        frames: Vec<Vec<u8>>,
    },
    /// A request that was answered before: [`RelayOutbox`](crate::RelayOutbox) has the answer, if it is not acknowledged.
    Repeated,
    /// Nothing is relayed for this desktop until it joins anew: tell the user.
    Suspended(Suspension),
    /// It has left.
    Left,
    /// It has left, and had become a companion before it knew: run [`RemoveCompanion`](crate::RemoveCompanion), since the list names it.
    LeftCompanion,
}
