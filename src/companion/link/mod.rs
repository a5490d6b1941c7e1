//! Linking: how a companion comes into the account, from the code on its screen to its place in the device list.
//!
//! ```text
//! companion  (ShowLinkCode) ▶ Shown ──grant──▶ Granted ──acknowledgement──▶ a device of the account
//! phone      (ScanLinkCode) ▶ Scanned ──GrantLink──▶ Granted ──confirmation──▶ Linked: the list names the companion
//!                                  └──DeclineLink──▶ Declined                    (any: AbandonLinking, or its time runs out)
//! ```
//! Three things must hold together: the companion's keys came by the phone's camera; the grant came from a phone that has seen the linking secret on the screen; and the
//! account's key has signed for the companion. The phone signs for nobody without a value in which its user names the companion and what it may do.
//! Each side keeps its state in one record, so that a linking outlives a restart, and the bytes that it sent last, so that they can be sent again.
//! `docs/protocol.md`, section 10 "Linking".

mod code;
mod companion;
mod companion_record;
mod desktop;
mod error;
mod granting;
mod invitation;
mod message;
mod phone;
mod phone_record;
mod upgrade;

pub use code::{EnterLinkCode, ShowTypedCode, TakeInvitation, TypedCode};
pub use companion::{
    AbandonLinking, ContinueLinking, DescribeLinking, Joined, LinkCode, LinkProgress, Linking, ShowLinkCode,
};
pub(crate) use desktop::{DesktopGrant, DesktopLinking, show_desktop_code, take_desktop_grant};
pub use error::{LinkError, Refusal};
pub use granting::{Acknowledgement, DescribeGranting, Granting, GrantingStage};
pub use invitation::{ComparisonCode, LinkReference};
pub(crate) use phone::new_device_id;
pub use phone::{
    ConfirmLink, Consent, Consequence, DeclineLink, GrantLink, LinkRequest, Linked, ScanLinkCode,
};
pub(crate) use upgrade::{Certifier, Offer, TakenIn, accept_offer, become_companion, check_offer};
