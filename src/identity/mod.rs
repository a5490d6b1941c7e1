//! Who someone is: account, device, identity key, phone number, trust, safety number; and which devices speak for an account.
//!
//! An account is an opaque stable id that the app gives, and the phone's identity key. Sessions bind identity keys and addresses, never the
//! phone number, which is a signed statement and can change. `docs/protocol.md`, section 3.

mod address;
mod certificate;
mod device;
mod device_list;
mod devices;
mod fingerprint;
mod key;
mod list_error;
mod number;
mod trust;
mod unlisted;

pub use address::{AccountId, AccountIdLength, Address, DeviceId};
pub use certificate::{Certificate, CertificateError};
pub(crate) use certificate::{CertificateBody, Keys, encode_certificate};
pub(crate) use device::Device;
pub use device::{ChangeNumber, DescribeDevice, DeviceDescription, DeviceError, Register};
pub(crate) use device_list::{Change, Issue};
pub use device_list::{DeviceEntry, DeviceList, Epoch, Incarnation, KeyIndex, ListDigest};
pub use devices::DeviceChange;
pub(crate) use devices::{Account, Devices, Follows, Known, Lists};
pub use fingerprint::{SafetyNumber, ScanError};
pub use key::{IdentityKey, IdentityKeyPair};
pub use list_error::ListError;
pub use number::{NotE164, NumberError, PhoneNumber, VerifiedNumber};
pub(crate) use number::{sign_number, verify_number};
pub(crate) use trust::PeerIdentity;
pub use trust::{Decision, TrustError, TrustMark};
pub use unlisted::Unlisted;
