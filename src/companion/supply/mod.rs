//! What the phone keeps its companions supplied with, so that each can work alone: peers' identity keys with the user's trust, their device lists, and the account's
//! sync keys.
//!
//! ```text
//! phone                                        companion
//! SupplyCompanion ──frame n, after what was taken──▶ Receive, TakeSupply
//! ConfirmSupply   ◀──taken n────────────────────────┘
//! ```
//! A frame holds all that changed since the companion last said what it has taken, as it is now: what was taken is not told again, what was lost comes with the next frame, and
//! a companion that was away for long gets one frame, not a hundred. Frames come from the own phone alone, and are typed so. `docs/protocol.md`, section 10 "Supply".

mod error;
mod frame;
mod keys;
mod phone;
mod take;

pub use error::SupplyError;
pub(crate) use keys::SyncKeys;
pub use keys::{OpenSynced, SealSynced, SyncEpoch, SyncError};
pub use phone::{ConfirmSupply, Supplied, SupplyCompanion, SupplyState};
pub use take::{AskSupply, TakeSupply, TakenSupply, Told};
