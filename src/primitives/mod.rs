//! Typed keys over the named crates; nothing of any protocol.
//!
//! Bytes become a type where they are parsed: what is not canonical or of low order never becomes a [`PublicKey`].
//! Every secret wipes itself on drop, prints nothing and cannot be cloned or compared with `==`.
//! `docs/protocol.md`, section 2.

pub(crate) mod aead;
mod dh;
pub(crate) mod kdf;
mod kem;
pub(crate) mod labels;
mod pake;
mod random;
mod secret;
mod sign;
#[cfg(test)]
mod vectors;

pub(crate) use dh::SharedSecret;
pub use dh::{KeyPair, NonContributory, PublicKey, PublicKeyError};

pub(crate) use kem::{KemError, KemSecret};
pub use kem::{KemPair, KemPublicKey, KemSeed, KemSize};
pub(crate) use pake::{Pake, PakeScalar, Share, Shares};
pub use random::{Random, RandomError};
pub use secret::SecretBytes;
pub(crate) use secret::{secret_key, wipes};
pub use sign::Signature;
pub(crate) use sign::{SignatureInvalid, sign, verify};
