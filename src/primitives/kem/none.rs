//! In place of the library where there is no parameter set, and so nothing to compute with.

use alloc::vec::Vec;

use super::KemSize;
use crate::primitives::SecretBytes;

pub(super) fn validate(size: KemSize, _: &[u8]) -> Option<bool> {
    match size {}
}

pub(super) fn encapsulate(size: KemSize, _: &[u8], _: [u8; 32]) -> Option<(Vec<u8>, [u8; 32])> {
    match size {}
}

pub(super) fn generate(size: KemSize, _: [u8; 64]) -> (SecretBytes, Vec<u8>) {
    match size {}
}

pub(super) fn decapsulate(size: KemSize, _: &[u8], _: &[u8]) -> Option<[u8; 32]> {
    match size {}
}
