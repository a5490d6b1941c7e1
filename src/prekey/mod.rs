//! What a device publishes so that others can start a session while it is away.
//!
//! ```text
//! ReplenishPrekeys ──▶ bundle + one-time prekeys ──▶ server ──▶ bundle ──verify──▶ VerifiedBundle ──▶ Start
//! ```
//!
//! A signed prekey is replaced every 7 days and accepted for 30 more; a one-time prekey is gone in the step that makes its session. Ids are hashes of keys:
//! never used twice, in no order, never sent beside the key. `docs/protocol.md`, section 4.

mod bundle;
mod id;
mod keys;
mod publish;
mod replenish;
mod schedule;

pub(crate) use bundle::encode_bundle;
pub use bundle::{BundleError, SignedStatement, VerifiedBundle};
pub use id::PrekeyId;
pub(crate) use keys::{OneTimePrekey, SignedPrekey};
pub use publish::{ConfirmPrekeys, DescribePrekeys, HandOutBundle, PrekeysDescription};
pub use replenish::{OneTimePrekeyFields, PrekeyUpload, RefillPlan, ReplenishPrekeys, UploadId};
pub(crate) use schedule::Prekeys;
