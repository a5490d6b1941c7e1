//! HKDF, HMAC and SHA-256 as the protocol uses them; which label goes where stands with the caller.

use hkdf::HkdfExtract;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

type HmacSha256 = Hmac<Sha256>;

/// A keyed HMAC. HMAC takes keys of every length, so the error of the generic interface has no cause here.
fn keyed(key: &[u8; 32]) -> HmacSha256 {
    // The block-sized form cannot fail; HMAC pads a short key with zeros to the block (RFC 2104, 2).
    let mut block = [0; 64];
    if let Some(head) = block.first_chunk_mut() {
        *head = *key;
    }
    let mac = HmacSha256::new((&block).into());
    block.as_mut_slice().zeroize();
    mac
}

/// `HMAC(key, message)`, 32 bytes.
pub(crate) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    finish(keyed(key), message)
}

/// Fed in place: `chain_update` would move the whole state each time.
fn finish(mut mac: HmacSha256, last: &[u8]) -> [u8; 32] {
    mac.update(last);
    mac.finalize().into_bytes().into()
}

/// `HMAC(key, first)` and `HMAC(key, second)` for one key schedule.
pub(crate) fn hmac_pair(key: &[u8; 32], first: &[u8], second: &[u8]) -> ([u8; 32], [u8; 32]) {
    let mac = keyed(key);
    (finish(mac.clone(), first), finish(mac, second))
}

/// `HKDF(salt, ikm, info, 32 N)`, the ikm in parts, the output in N keys.
pub(crate) fn hkdf<const N: usize>(salt: &[u8; 32], ikm: &[&[u8]], info: &[u8]) -> [[u8; 32]; N] {
    const { assert!(N <= 255, "HKDF-SHA256 gives at most 255 blocks") };
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    ikm.iter().for_each(|part| extract.input_ikm(part));
    let (mut prk, expander) = extract.finalize();
    prk.as_mut_slice().zeroize();
    let mut out = [[0; 32]; N];
    // The one cause of failure is a length that the assertion above excludes.
    let expanded = expander.expand(info, out.as_flattened_mut());
    debug_assert!(expanded.is_ok());
    out
}

/// `Expand(prk, info, 32)`, the info in parts: the single block `HMAC(prk, info ‖ 0x01)` (RFC 5869, 2.3).
pub(crate) fn expand(prk: &[u8; 32], info: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(prk);
    info.iter().for_each(|part| mac.update(part));
    finish(mac, &[1])
}

/// SHA-256 over `lp(label)` and then the parts as they are.
pub(crate) fn sha256(label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(length_prefix(label));
    hash.update(label);
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// SHA-256 over length-prefixed parts, the first of them the label.
pub(crate) fn sha256_prefixed(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(length_prefix(part));
        hash.update(part);
    }
    hash.finalize().into()
}

/// `u32be(length)`. Nothing in the protocol is longer than a u32 tells: envelopes end at 2^20 bytes.
pub(crate) fn length_prefix(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// The first N of 32 bytes.
pub(crate) fn truncate<const N: usize>(bytes: [u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    core::array::from_fn(|i| bytes.get(i).copied().unwrap_or_default())
}
