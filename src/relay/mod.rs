//! The relay: a desktop that lives behind the phone. Peers know the phone alone; it opens what they send and seals it for the desktop, and the other way round.
//!
//! ```text
//! peer                     phone                                          desktop
//!                          GrantDesktop ◀──code────────────────────────── ShowDesktopCode
//!                                       ──grant─────────────────────────▶ JoinPhone
//! ──envelope────────────▶  RelayReceive ──numbered frames, kept until ──▶ TakeFromPhone
//!                                         they are acknowledged
//! ◀──envelopes──────────── TakeFromDesktop ◀──numbered requests─────────── RelayRequest
//! ```
//! The two speak in one session of the ratchet, which the desktop starts: each session begins what is under way anew. Each direction is numbered without holes; a frame
//! that comes early changes nothing and opens later. What went missing is a `Gap` that says so, and a request whose fate nobody knows is `Unknown`; nothing is silent.
//! `docs/relay.md`; design: section 9.

mod ask;
mod desktop;
mod desktop_record;
mod error;
mod frame;
mod from_desktop;
mod from_phone;
mod manage;
mod outbox;
mod pair;
mod pass;
mod phone;
mod phone_record;
mod phone_request;
mod request;
mod state;
mod upgrade;

pub use ask::{AckPhone, AskPhone, LeavePhone, RejoinPhone};
pub use desktop::TakeFromPhone;
pub use error::RelayError;
pub use from_desktop::{FromDesktop, Verdict, Wanted};
pub use from_phone::{FromPhone, TakenFromPhone, Unsent, UnsentRequest};
pub use manage::{
    DescribeDesktops, DescribeRelay, DesktopDescription, DetachDesktop, News, RelayDescription, RelayOutbox,
    RelayStanding, RenewDesktop, SetDesktopConsent, TellDesktop,
};
pub use outbox::ForDesktop;
pub use pair::{GrantDesktop, GrantedDesktop, JoinPhone, JoinProgress, ShowDesktopCode};
pub use pass::{ReceivedAndRelayed, RelayReceive, RelaySend, SentAndRelayed};
pub use phone::TakeFromDesktop;
pub use request::{CancelRequest, FlushRequests, RelayRequest, Request, Requested, WhileAway};
use state::MAX_FRAME;
pub use state::{
    DesktopConsent, EndOfRelay, FrameNumber, RefusedRequest, RequestId, RequestNumber, RequestState,
    Suspension,
};
pub use upgrade::AcceptUpgrade;
