//! XEdDSA: signatures with the X25519 identity key. We sign in the published form and verify it and the deployed form.
//!
//! *The XEdDSA and VXEdDSA Signature Schemes*, rev. 1, 2.3, 3 and 5; `docs/protocol.md`, section 2 "Signatures".
//! Built on scalars, since the call for given nonces of ed25519-dalek hashes in another order than XEdDSA does.

use core::fmt;

use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, Scalar, scalar::clamp_integer};
use sha2::{Digest, Sha512};
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::{KeyPair, PublicKey, Random, RandomError};

/// Where the deployed form keeps the sign of the signer's Edwards key, and Edwards encodings the sign of x.
const SIGN_BIT: u8 = 0x80;

/// `hash_1` of the specification, 2.5: 2^256 - 2, little-endian, in front of the nonce's hash.
const HASH_1: [u8; 32] = {
    let mut prefix = [0xff; 32];
    prefix[0] = 0xfe;
    prefix
};

/// An XEdDSA signature: R and s, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; Self::LEN]);

impl Signature {
    /// Length in bytes.
    pub const LEN: usize = 64;

    /// Any 64 bytes; whether they are a signature is for the verifier to say.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(*bytes)
    }

    /// The 64 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(64 bytes)")
    }
}

/// The signature does not verify, or the key can make none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignatureInvalid;

/// Signs `message` with 64 fresh random bytes (`xeddsa_sign`, 3). No branch depends on the key.
#[expect(clippy::arithmetic_side_effects, reason = "scalar arithmetic is modulo the group order")]
pub(crate) fn sign(
    pair: &KeyPair,
    message: &[u8],
    random: &mut Random<'_>,
) -> Result<Signature, RandomError> {
    let mut hedge = Zeroizing::new([0; 64]);
    random.draw_into(&mut hedge)?;
    let mut clamped = clamp_integer(*pair.expose_private());
    let private = Zeroizing::new(Scalar::from_bytes_mod_order(clamped));
    clamped.zeroize();

    // calculate_key_pair: the Edwards key with sign bit zero, and the scalar that belongs to it.
    let mut public = EdwardsPoint::mul_base(&private).compress().to_bytes();
    let sign = Choice::from(public.last().map_or(0, |byte| byte >> 7));
    let scalar = Zeroizing::new(Scalar::conditional_select(&private, &-*private, sign));
    if let Some(last) = public.last_mut() {
        *last &= !SIGN_BIT;
    }

    let nonce = Zeroizing::new(hash_to_scalar(&[&HASH_1, scalar.as_bytes(), message, &*hedge]));
    let commitment = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let challenge = hash_to_scalar(&[&commitment, &public, message]);
    let response = *nonce + challenge * *scalar;

    let mut signature = [0; Signature::LEN];
    let (r, s) = signature.split_at_mut(32);
    r.copy_from_slice(&commitment);
    s.copy_from_slice(response.as_bytes());
    Ok(Signature(signature))
}

/// Verifies either form (`xeddsa_verify`, 3, with the deployed sign bit). Cofactorless; small-order key or R and s at or above the group order are refused.
pub(crate) fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), SignatureInvalid> {
    let mut bytes = signature.0;
    let (_, s) = bytes.split_last_chunk_mut::<32>().ok_or(SignatureInvalid)?;
    let top = s.last_mut().ok_or(SignatureInvalid)?;
    let sign = *top >> 7;
    *top &= !SIGN_BIT;
    // Checked here, since a feature of the curve crate that any other crate may switch on relaxes its own check.
    Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)).ok_or(SignatureInvalid)?;
    let point = MontgomeryPoint(*key.as_bytes()).to_edwards(sign).ok_or(SignatureInvalid)?;
    // x is zero for some keys of small order only, which a parsed key is not; then both signs would be one point.
    ed25519_dalek::VerifyingKey::from(point)
        .verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes))
        .map_err(|_| SignatureInvalid)
}

fn hash_to_scalar(parts: &[&[u8]]) -> Scalar {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut wide: [u8; 64] = hash.finalize().into();
    let scalar = Scalar::from_bytes_mod_order_wide(&wide);
    wide.zeroize();
    scalar
}
