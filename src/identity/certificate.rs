//! The certificate of a companion: the account's word that this device is its own, and the device's that it belongs to this account.
//!
//! Neither signature is worth anything alone. The account's key stands in both signatures and not in the bytes: who verifies a certificate holds that key already, with
//! the list that it signed. `docs/protocol.md`, section 10 "Certificate".

use alloc::vec::Vec;
use core::fmt;

use prost::Message;

use super::{
    AccountId, Address, Change, DeviceEntry, DeviceId, DeviceList, IdentityKey, IdentityKeyPair, Incarnation,
    KeyIndex,
};
use crate::{
    primitives::{Random, RandomError, Signature, kdf::length_prefix},
    step::{Advice, UnixMillis},
    wire::{
        CertificateBodyMessage, CertificateMessage, DecodeError, Field, MAX_CERTIFICATE, decode_canonical,
        encode_versioned, split_version,
    },
};

/// What stands in front of what the account signs.
const ACCOUNT: [u8; 2] = [0x06, 0x00];
/// What stands in front of what the companion signs.
const DEVICE: [u8; 2] = [0x06, 0x01];

/// Why a certificate was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// No certificate.
    Decode(DecodeError),
    /// Not signed by the account's identity key for this device.
    BadAccountSignature,
    /// Not signed by the device itself for this account.
    BadDeviceSignature,
    /// Of another account or device than the one that was asked for.
    OtherDevice,
    /// Of another life of the account than its list.
    ForeignIncarnation,
    /// The account's list does not name this device.
    NotListed,
    /// The account's list names this device with another key or index.
    OtherKey,
}

impl CertificateError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::BadAccountSignature | Self::BadDeviceSignature | Self::OtherDevice => Advice::Drop,
            Self::ForeignIncarnation | Self::NotListed | Self::OtherKey => Advice::FetchDevices,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "no certificate: {error}"),
            Self::BadAccountSignature => f.write_str("the certificate is not signed by the account"),
            Self::BadDeviceSignature => f.write_str("the certificate is not signed by the device"),
            Self::OtherDevice => f.write_str("the certificate is another device's"),
            Self::ForeignIncarnation => f.write_str("the certificate is of another life of the account"),
            Self::NotListed => f.write_str("the account's list does not name the device"),
            Self::OtherKey => f.write_str("the account's list names the device with another key"),
        }
    }
}

impl core::error::Error for CertificateError {}

impl From<DecodeError> for CertificateError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// A certificate whose two signatures verified, and which the account's list bears out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    address: Address,
    entry: DeviceEntry,
    linked_at: UnixMillis,
}

impl Certificate {
    /// Parses and verifies the certificate of the device at `address` against its account's list. Two signature verifications.
    ///
    /// | | type | size | meaning |
    /// |---|---|---|---|
    /// | in | `bytes` | 212 to 277 B; 512 are the limit | the certificate |
    /// | in | [`Address`] | | the device that was asked for |
    /// | in | [`DeviceList`] | | the account's list, verified |
    ///
    /// # Errors
    /// [`CertificateError`].
    ///
    /// # Spec
    /// `docs/protocol.md`, section 10 "Certificate".
    pub fn verify(bytes: &[u8], address: &Address, list: &DeviceList) -> Result<Self, CertificateError> {
        let message: CertificateMessage =
            decode_canonical(split_version(bytes, MAX_CERTIFICATE)?, Field::Frame)?;
        let body = CertificateBody::decode(&message.body)?;
        let identity_key = IdentityKey::parse_encoded(&message.identity_key);
        let identity_key = identity_key.map_err(|_| DecodeError::Malformed(Field::IdentityKey))?;
        let keys = Keys { account: list.account_key(), device: &identity_key };
        keys.check_account(&message.body, &message.account_signature)?;
        keys.check_device(&message.body, &message.device_signature)?;
        if body.address != *address || *list.account() != address.account {
            return Err(CertificateError::OtherDevice);
        }
        if body.incarnation != list.incarnation() {
            return Err(CertificateError::ForeignIncarnation);
        }
        let entry = *list.entry(address.device).ok_or(CertificateError::NotListed)?;
        if entry.identity_key != identity_key || entry.key_index != body.key_index {
            return Err(CertificateError::OtherKey);
        }
        Ok(Self { address: *address, entry, linked_at: body.linked_at })
    }

    /// Whose certificate.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The device as the list names it.
    #[must_use]
    pub fn entry(&self) -> &DeviceEntry {
        &self.entry
    }

    /// When the phone linked it, by the phone's clock.
    #[must_use]
    pub fn linked_at(&self) -> UnixMillis {
        self.linked_at
    }
}

/// What a certificate says, but for the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertificateBody {
    pub(crate) address: Address,
    pub(crate) key_index: KeyIndex,
    pub(crate) linked_at: UnixMillis,
    pub(crate) incarnation: Incarnation,
}

impl CertificateBody {
    /// The change of the list that takes in the device with this key, which accepts these suites.
    pub(crate) fn adds(&self, identity_key: IdentityKey, suites: Vec<u8>) -> Change {
        let entry = DeviceEntry { device: self.address.device, key_index: self.key_index, identity_key };
        Change::Add { incarnation: self.incarnation, entry, suites }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        CertificateBodyMessage {
            account_id: self.address.account.as_bytes().to_vec(),
            device_id: self.address.device.0,
            key_index: self.key_index.0,
            linked_at: self.linked_at.0,
            incarnation: self.incarnation.0.to_vec(),
        }
        .encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let message: CertificateBodyMessage = decode_canonical(bytes, Field::Frame)?;
        let account = AccountId::new(&message.account_id).map_err(|_| bad(Field::AccountId))?;
        let incarnation = message.incarnation.as_slice().try_into().map_err(|_| bad(Field::Incarnation))?;
        let fields = [
            (message.device_id != 0, Field::DeviceId),
            (message.key_index != 0, Field::KeyIndex),
            (message.linked_at != 0, Field::LinkedAt),
        ];
        if let Some((_, field)) = fields.into_iter().find(|(sound, _)| !sound) {
            return Err(bad(field));
        }
        Ok(Self {
            address: Address::new(account, DeviceId(message.device_id)),
            key_index: KeyIndex(message.key_index),
            linked_at: UnixMillis(message.linked_at),
            incarnation: Incarnation(incarnation),
        })
    }
}

/// The two identity keys that both signatures of a certificate bind.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) account: &'a IdentityKey,
    pub(crate) device: &'a IdentityKey,
}

impl Keys<'_> {
    fn signed_bytes(&self, prefix: [u8; 2], body: &[u8]) -> Vec<u8> {
        let (account, device) = (self.account.encoded(), self.device.encoded());
        [&prefix, &length_prefix(body)[..], body, &account, &device].concat()
    }

    /// The account's signature, by the phone.
    pub(crate) fn sign_account(
        &self,
        phone: &IdentityKeyPair,
        body: &[u8],
        random: &mut Random<'_>,
    ) -> Result<Signature, RandomError> {
        phone.sign(&self.signed_bytes(ACCOUNT, body), random)
    }

    /// The device's signature, by the companion.
    pub(crate) fn sign_device(
        &self,
        companion: &IdentityKeyPair,
        body: &[u8],
        random: &mut Random<'_>,
    ) -> Result<Signature, RandomError> {
        companion.sign(&self.signed_bytes(DEVICE, body), random)
    }

    pub(crate) fn check_account(&self, body: &[u8], signature: &[u8]) -> Result<(), CertificateError> {
        self.account
            .verify(&self.signed_bytes(ACCOUNT, body), &parse(signature)?)
            .map_err(|_| CertificateError::BadAccountSignature)
    }

    pub(crate) fn check_device(&self, body: &[u8], signature: &[u8]) -> Result<(), CertificateError> {
        self.device
            .verify(&self.signed_bytes(DEVICE, body), &parse(signature)?)
            .map_err(|_| CertificateError::BadDeviceSignature)
    }
}

fn parse(signature: &[u8]) -> Result<Signature, DecodeError> {
    let bytes = signature.try_into().map_err(|_| DecodeError::Malformed(Field::Signature))?;
    Ok(Signature::from_bytes(bytes))
}

/// The certificate as it travels.
pub(crate) fn encode_certificate(
    body: Vec<u8>,
    identity_key: &IdentityKey,
    account_signature: &[u8],
    device_signature: &Signature,
) -> Vec<u8> {
    encode_versioned(&CertificateMessage {
        body,
        identity_key: identity_key.encoded().to_vec(),
        account_signature: account_signature.to_vec(),
        device_signature: device_signature.as_bytes().to_vec(),
    })
}
