//! The library that computes, behind slices: `None` where a length is not the parameter set's.

use alloc::vec::Vec;

use libcrux_ml_kem::{mlkem768, mlkem1024};
use zeroize::Zeroize;

use super::KemSize;
use crate::primitives::SecretBytes;

/// Whether an encapsulation key is sound: FIPS 203, 7.2.
pub(super) fn validate(size: KemSize, key: &[u8]) -> Option<bool> {
    Some(match size {
        KemSize::MlKem768 => mlkem768::validate_public_key(&key.try_into().ok()?),
        KemSize::MlKem1024 => mlkem1024::validate_public_key(&key.try_into().ok()?),
    })
}

/// Ciphertext and secret.
pub(super) fn encapsulate(size: KemSize, key: &[u8], message: [u8; 32]) -> Option<(Vec<u8>, [u8; 32])> {
    Some(match size {
        KemSize::MlKem768 => {
            let (ciphertext, secret) = mlkem768::encapsulate(&key.try_into().ok()?, message);
            (ciphertext.as_slice().to_vec(), secret)
        }
        KemSize::MlKem1024 => {
            let (ciphertext, secret) = mlkem1024::encapsulate(&key.try_into().ok()?, message);
            (ciphertext.as_slice().to_vec(), secret)
        }
    })
}

/// Private and public key of a seed.
pub(super) fn generate(size: KemSize, seed: [u8; 64]) -> (SecretBytes, Vec<u8>) {
    match size {
        KemSize::MlKem768 => {
            let (private, public) = mlkem768::generate_key_pair(seed).into_parts();
            (wiped(private.into()), public.as_slice().to_vec())
        }
        KemSize::MlKem1024 => {
            let (private, public) = mlkem1024::generate_key_pair(seed).into_parts();
            (wiped(private.into()), public.as_slice().to_vec())
        }
    }
}

/// The secret in a ciphertext.
pub(super) fn decapsulate(size: KemSize, private: &[u8], ciphertext: &[u8]) -> Option<[u8; 32]> {
    Some(match size {
        KemSize::MlKem768 => mlkem768::decapsulate(&private.try_into().ok()?, &ciphertext.try_into().ok()?),
        KemSize::MlKem1024 => mlkem1024::decapsulate(&private.try_into().ok()?, &ciphertext.try_into().ok()?),
    })
}

/// Moves a key off the stack.
fn wiped<const N: usize>(mut key: [u8; N]) -> SecretBytes {
    let bytes = SecretBytes::new(key.to_vec());
    key.as_mut_slice().zeroize();
    bytes
}
