//! ML-KEM: typed keys, refusals where bytes are parsed, private keys held as seeds.
//!
//! FIPS 203; `docs/protocol.md`, section 2 "Primitives". Without the feature `post-quantum` there is no [`KemSize`], so that no key of any exists.

#[cfg(feature = "post-quantum")]
mod ml_kem;
#[cfg(not(feature = "post-quantum"))]
#[path = "none.rs"]
mod ml_kem;
#[cfg(all(test, feature = "post-quantum"))]
mod vectors;

use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    PublicKeyError, Random, RandomError, SecretBytes,
    secret::{secret_key, wipes},
};

/// A parameter set of ML-KEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KemSize {
    /// ML-KEM-768: public keys of 1,184 bytes, ciphertexts of 1,088.
    #[cfg(feature = "post-quantum")]
    MlKem768,
    /// ML-KEM-1024: public keys and ciphertexts of 1,568 bytes.
    #[cfg(feature = "post-quantum")]
    MlKem1024,
}

impl KemSize {
    /// The type byte of an encoded public key; no other key's. A record names the parameter set by it too.
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            #[cfg(feature = "post-quantum")]
            Self::MlKem768 => 0x08,
            #[cfg(feature = "post-quantum")]
            Self::MlKem1024 => 0x09,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            #[cfg(feature = "post-quantum")]
            0x08 => Some(Self::MlKem768),
            #[cfg(feature = "post-quantum")]
            0x09 => Some(Self::MlKem1024),
            _ => None,
        }
    }

    /// Length of a ciphertext in bytes.
    pub(crate) const fn ciphertext_len(self) -> usize {
        match self {
            #[cfg(feature = "post-quantum")]
            Self::MlKem768 => 1_088,
            #[cfg(feature = "post-quantum")]
            Self::MlKem1024 => 1_568,
        }
    }
}

/// An encapsulation key of ML-KEM that holds to FIPS 203, 7.2: its length and its coefficients were checked.
#[derive(Clone, PartialEq, Eq)]
pub struct KemPublicKey {
    size: KemSize,
    /// Type byte and key.
    encoded: Vec<u8>,
}

impl KemPublicKey {
    /// Parses the encoded form: the type byte, `0x08` or `0x09`, then the 1,184 or 1,568 bytes of the key.
    ///
    /// # Errors
    /// [`PublicKeyError::Encoding`] for another length or type byte, [`NotCanonical`](PublicKeyError::NotCanonical) for a coefficient that is not below 3,329.
    pub fn parse_encoded(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let (first, key) = bytes.split_first().ok_or(PublicKeyError::Encoding)?;
        let size = KemSize::from_byte(*first).ok_or(PublicKeyError::Encoding)?;
        let sound = ml_kem::validate(size, key).ok_or(PublicKeyError::Encoding)?;
        match sound {
            true => Ok(Self { size, encoded: bytes.to_vec() }),
            false => Err(PublicKeyError::NotCanonical),
        }
    }

    /// The parameter set.
    #[must_use]
    pub fn size(&self) -> KemSize {
        self.size
    }

    /// The encoded form, 1,185 or 1,569 bytes.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// A ciphertext for this key's holder, and the secret in it. Draws 32 random bytes.
    pub(crate) fn encapsulate(&self, random: &mut Random<'_>) -> Result<(Vec<u8>, KemSecret), KemError> {
        let mut message = random.draw::<32>()?;
        let key = self.encoded.get(1..).unwrap_or_default();
        let made = ml_kem::encapsulate(self.size, key, message);
        message.as_mut_slice().zeroize();
        let (ciphertext, mut secret) = made.ok_or(KemError::Length)?;
        Ok((ciphertext, KemSecret::take_from(&mut secret)))
    }
}

impl fmt::Debug for KemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemPublicKey({:?}, {} bytes)", self.size, self.encoded.len())
    }
}

secret_key! {
    /// The secret in a ciphertext: 32 bytes.
    pub(crate) KemSecret
}

/// Why a KEM operation came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KemError {
    Random(RandomError),
    /// Not of the length of this parameter set. Bytes that are altered otherwise give another secret, and no error.
    Length,
}

impl From<RandomError> for KemError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// A private key of ML-KEM as it is stored: the seed d ‖ z of FIPS 203, from which all of it follows. Nothing in it can be malformed.
pub struct KemSeed {
    size: KemSize,
    seed: [u8; Self::LEN],
}

impl KemSeed {
    /// Length in bytes.
    pub const LEN: usize = 64;

    /// Makes a key from 64 random bytes.
    ///
    /// # Errors
    /// [`RandomError`]: the source failed or repeats itself; no key was made.
    #[cfg_attr(not(feature = "post-quantum"), expect(unreachable_code, reason = "no parameter set is there"))]
    pub fn generate(size: KemSize, random: &mut Random<'_>) -> Result<Self, RandomError> {
        let mut seed = [0; Self::LEN];
        random.draw_into(&mut seed)?;
        Ok(Self::take_from(size, &mut seed))
    }

    /// Takes a seed and wipes the place it came from.
    #[must_use]
    pub fn take_from(size: KemSize, bytes: &mut [u8; Self::LEN]) -> Self {
        let seed = *bytes;
        bytes.as_mut_slice().zeroize();
        Self { size, seed }
    }

    /// The parameter set.
    #[must_use]
    pub fn size(&self) -> KemSize {
        self.size
    }

    /// The only door to the bytes.
    pub(crate) fn expose_bytes(&self) -> &[u8; Self::LEN] {
        &self.seed
    }

    /// Both halves. One key generation.
    #[must_use]
    pub fn expand(&self) -> KemPair {
        let (private, public) = ml_kem::generate(self.size, self.seed);
        let mut encoded = Vec::with_capacity(public.len().saturating_add(1));
        encoded.push(self.size.to_byte());
        encoded.extend_from_slice(&public);
        KemPair { private, public: KemPublicKey { size: self.size, encoded } }
    }
}

impl Drop for KemSeed {
    fn drop(&mut self) {
        self.seed.as_mut_slice().zeroize();
    }
}

impl ZeroizeOnDrop for KemSeed {}

const _: () = wipes::<KemSeed>();

impl fmt::Debug for KemSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemSeed({:?}, redacted)", self.size)
    }
}

/// Both halves of an ML-KEM key, for as long as they are used. The private one is wiped on drop, as far as it is in this crate's hands: the library that computes with it wipes nothing.
#[derive(Debug)]
pub struct KemPair {
    private: SecretBytes,
    public: KemPublicKey,
}

impl KemPair {
    /// The public half.
    #[must_use]
    pub fn public(&self) -> &KemPublicKey {
        &self.public
    }

    /// The secret in a ciphertext. One that was altered gives another secret, so that nothing but what is sealed under it tells (FIPS 203, 6.3).
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<KemSecret, KemError> {
        let secret = ml_kem::decapsulate(self.public.size, &self.private, ciphertext);
        let mut secret = secret.ok_or(KemError::Length)?;
        Ok(KemSecret::take_from(&mut secret))
    }
}
