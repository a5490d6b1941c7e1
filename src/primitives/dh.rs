//! X25519: typed keys, refusals where bytes are parsed.
//!
//! RFC 7748, 5 and 6.1; `docs/protocol.md`, section 2 "Primitives".

use core::fmt;

use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    Random, RandomError,
    secret::{secret_key, wipes},
};

/// Why 32 or 33 bytes are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not 33 bytes that begin with the type byte of X25519, `0x05`.
    Encoding,
    /// A second spelling of a key: bit 255 is set, or the value is 2^255 - 19 or more.
    NotCanonical,
    /// Of order 1, 2, 4 or 8: every shared secret with it is zero.
    LowOrder,
}

impl fmt::Display for PublicKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoding => "not an encoded X25519 key",
            Self::NotCanonical => "not the canonical spelling of a public key",
            Self::LowOrder => "a public key of low order",
        })
    }
}

impl core::error::Error for PublicKeyError {}

/// A Diffie-Hellman result was all zero. Cannot happen with a [`PublicKey`] that was parsed, and is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonContributory;

impl fmt::Display for NonContributory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Diffie-Hellman result is zero")
    }
}

impl core::error::Error for NonContributory {}

/// The canonical u coordinates of low order, without 0 and 1, which differ in the first byte only.
const LOW_ORDER: [[u8; 32]; 3] = [
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

/// An X25519 public key: 32 bytes, canonical, not of low order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Length in bytes, bare.
    pub const LEN: usize = 32;
    /// Length in bytes, encoded: the type byte and the key.
    pub const ENCODED_LEN: usize = 33;
    /// The type byte of X25519 in an encoded key.
    pub const TYPE: u8 = 0x05;

    /// Parses the bare form: 32 bytes, little-endian u.
    ///
    /// # Errors
    /// [`PublicKeyError::NotCanonical`] and [`PublicKeyError::LowOrder`].
    pub fn parse(bytes: &[u8; Self::LEN]) -> Result<Self, PublicKeyError> {
        let [first, middle @ .., last] = bytes;
        let above_p = *last == 0x7f && *first >= 0xed && middle.iter().all(|byte| *byte == 0xff);
        if last & 0x80 != 0 || above_p {
            return Err(PublicKeyError::NotCanonical);
        }
        let zero_or_one = *first <= 1 && *last == 0 && middle.iter().all(|byte| *byte == 0);
        // By the first byte first: this is a point of a settled record's in nearly every case.
        if zero_or_one || LOW_ORDER.iter().any(|low| low.first() == Some(first) && low == bytes) {
            return Err(PublicKeyError::LowOrder);
        }
        Ok(Self(*bytes))
    }

    /// Parses the encoded form: `0x05`, then the 32 bytes of the bare form.
    ///
    /// # Errors
    /// [`PublicKeyError`]: [`Encoding`](PublicKeyError::Encoding) for another length or type byte, else as [`parse`](Self::parse).
    pub fn parse_encoded(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        match bytes.split_first() {
            Some((&Self::TYPE, bare)) => Self::parse(bare.try_into().map_err(|_| PublicKeyError::Encoding)?),
            Some(_) | None => Err(PublicKeyError::Encoding),
        }
    }

    /// The bare 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The encoded form, 33 bytes.
    #[must_use]
    pub fn encoded(&self) -> [u8; Self::ENCODED_LEN] {
        let mut bytes = [Self::TYPE; Self::ENCODED_LEN];
        if let Some(bare) = bytes.last_chunk_mut() {
            *bare = self.0;
        }
        bytes
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

secret_key! {
    /// The result of one Diffie-Hellman: 32 bytes, secret.
    pub(crate) SharedSecret
}

/// An X25519 key pair. The private half is 32 random bytes, clamped at use; it is wiped on drop and never printed.
pub struct KeyPair {
    private: StaticSecret,
    public: PublicKey,
}

impl KeyPair {
    /// Makes a key pair from 32 random bytes.
    ///
    /// # Errors
    /// [`RandomError`]: the source failed or repeats itself; no key was made.
    pub fn generate(random: &mut Random<'_>) -> Result<Self, RandomError> {
        let mut seed = [0; 32];
        random.draw_into(&mut seed)?;
        Ok(Self::take_from(&mut seed))
    }

    /// Makes the key pair of given private bytes and wipes the place they came from.
    #[must_use]
    pub fn take_from(seed: &mut [u8; 32]) -> Self {
        let private = StaticSecret::from(*seed);
        seed.as_mut_slice().zeroize();
        // A clamped scalar is a multiple of 8 and not of the group order, so its public key is canonical and not of low order.
        let public = PublicKey(x25519_dalek::PublicKey::from(&private).to_bytes());
        Self { private, public }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Both halves as a record holds them; wipes the place of the private one. `None` where the public half is none. That they belong together is the record's word.
    pub(crate) fn from_stored(private: &mut [u8; 32], public: &[u8; 32]) -> Option<Self> {
        let secret = StaticSecret::from(*private);
        private.as_mut_slice().zeroize();
        Some(Self { private: secret, public: PublicKey::parse(public).ok()? })
    }

    pub(crate) fn expose_private(&self) -> &[u8; 32] {
        self.private.as_bytes()
    }

    /// X25519 with the peer's key; one scalar multiplication, constant time.
    pub(crate) fn diffie_hellman(&self, peer: &PublicKey) -> Result<SharedSecret, NonContributory> {
        let shared = self.private.diffie_hellman(&x25519_dalek::PublicKey::from(peer.0));
        if !shared.was_contributory() {
            return Err(NonContributory);
        }
        Ok(SharedSecret::take_from(&mut shared.to_bytes()))
    }
}

const _: () = wipes::<StaticSecret>();

/// The private half, the only secret in it, wipes itself.
impl ZeroizeOnDrop for KeyPair {}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({:?}, redacted)", self.public)
    }
}
