//! Who someone is: account, device, identity key, phone number, trust, safety number.
//!
//! An account is an opaque stable id that the app gives, and the phone's identity key. Sessions bind identity keys and addresses, never the
//! phone number, which is a signed statement and can change. `docs/protocol.md`, section 3.

mod address;
mod device;
mod fingerprint;
mod key;
mod number;
mod trust;

pub use address::{AccountId, AccountIdLength, Address, DeviceId};
pub(crate) use device::Device;
pub use device::{ChangeNumber, DescribeDevice, DeviceDescription, DeviceError, Register};
pub use fingerprint::{SafetyNumber, ScanError};
pub use key::{IdentityKey, IdentityKeyPair};
pub use number::{NotE164, NumberError, PhoneNumber, VerifiedNumber};
pub(crate) use number::{sign_number, verify_number};
pub(crate) use trust::PeerIdentity;
pub use trust::{Decision, TrustError, TrustMark};
