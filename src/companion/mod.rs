//! Companion devices: a desktop or web client that speaks for the account with keys of its own, vouched for by the phone.
//!
//! ```text
//! companion                         phone                             peers
//! ShowLinkCode ──QR code──────────▶ ScanLinkCode, the user's consent
//! ContinueLinking ◀──grant───────── GrantLink
//!             ──confirmation──────▶ ConfirmLink ──device list────────▶ LearnDevices
//! ContinueLinking ◀─acknowledgement─┘
//! PlanMessage, SendToAccount ──────────────────────────────────────── ▶ Receive, with a stamp of lists
//! ```
//! The phone holds the account's identity key and signs two things with it: one certificate for each companion, once; and the list of companions, again and again. A list
//! is good for 14 days: a phone that is lost, or stops renewing, ends its companions. Peers and siblings know a companion by that list alone.
//! `docs/protocol.md`, section 10; design: section 8.

mod describe;
mod fanout;
mod history;
mod learn;
mod leave;
mod link;
mod sign;
mod supply;

pub use describe::{DescribeDevices, DevicesDescription};
pub(crate) use fanout::{Audience, MessageToAccount};
pub use fanout::{FanOutError, Plan, PlanMessage, SendToAccount, SentToAccount};
pub use history::{
    AskHistory, FinishHistory, FromOwnPhone, HistoryChunk, HistoryError, HistoryProgress, OpenHistory,
    SealHistory, TakeHistory,
};
pub use learn::{LearnDevices, Learned};
pub use leave::{LeaveAccount, LeaveError};
pub use link::{
    AbandonLinking, Acknowledgement, ComparisonCode, ConfirmLink, Consent, Consequence, ContinueLinking,
    DeclineLink, DescribeGranting, DescribeLinking, EnterLinkCode, GrantLink, Granting, GrantingStage,
    Joined, LinkCode, LinkError, LinkProgress, LinkReference, LinkRequest, Linked, Linking, Refusal,
    ScanLinkCode, ShowLinkCode, ShowTypedCode, TakeInvitation, TypedCode,
};
pub(crate) use link::{
    Certifier, DesktopGrant, DesktopLinking, Offer, TakenIn, accept_offer, become_companion, check_offer,
    new_device_id, show_desktop_code, take_desktop_grant,
};
pub use sign::{CloseAccount, RemoveCompanion, RenewDevices, SignedList};
pub use supply::{
    AskSupply, ConfirmSupply, OpenSynced, SealSynced, Supplied, SupplyCompanion, SupplyError, SupplyState,
    SyncEpoch, SyncError, TakeSupply, TakenSupply, Told,
};
