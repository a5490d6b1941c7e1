//! The long-term identity key of a device: one X25519 key for Diffie-Hellman and XEdDSA.

use core::fmt;

use crate::primitives::{
    KeyPair, PublicKey, PublicKeyError, Random, RandomError, Signature, SignatureInvalid, sign, verify, wipes,
};

/// The identity key of a device; the phone's is the account's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey(PublicKey);

impl IdentityKey {
    pub(crate) const fn new(key: PublicKey) -> Self {
        Self(key)
    }

    /// Parses the encoded form, 33 bytes.
    ///
    /// # Errors
    /// [`PublicKeyError`]: another length or type byte, not canonical, of low order.
    pub fn parse_encoded(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        PublicKey::parse_encoded(bytes).map(Self)
    }

    /// The encoded form, 33 bytes.
    #[must_use]
    pub fn encoded(&self) -> [u8; PublicKey::ENCODED_LEN] {
        self.0.encoded()
    }

    /// The X25519 key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureInvalid> {
        verify(&self.0, message, signature)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({:?})", self.0)
    }
}

/// An identity key with its private half: wiped on drop, never printed, signs only with the public half derived inside (lesson L28).
#[derive(Debug)]
pub struct IdentityKeyPair(KeyPair);

const _: () = wipes::<KeyPair>();

impl IdentityKeyPair {
    /// Makes an identity from 32 random bytes.
    ///
    /// # Errors
    /// [`RandomError`]: the source failed or repeats itself.
    pub fn generate(random: &mut Random<'_>) -> Result<Self, RandomError> {
        KeyPair::generate(random).map(Self)
    }

    pub(crate) const fn new(pair: KeyPair) -> Self {
        Self(pair)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> IdentityKey {
        IdentityKey(*self.0.public())
    }

    pub(crate) fn into_key_pair(self) -> KeyPair {
        self.0
    }

    pub(crate) fn key_pair(&self) -> &KeyPair {
        &self.0
    }

    pub(crate) fn sign(&self, message: &[u8], random: &mut Random<'_>) -> Result<Signature, RandomError> {
        sign(&self.0, message, random)
    }
}
