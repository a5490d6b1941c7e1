//! AES-256-GCM with a random nonce under a key that is used once. `docs/protocol.md`, sections 2 and 7.

use alloc::vec::Vec;

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag, aead::AeadInOut};

use super::{Random, RandomError, SecretBytes, secret::secret_key};

/// Length of the nonce in bytes.
pub(crate) const NONCE_LEN: usize = 12;
/// Length of the tag in bytes; never shortened (lesson L15).
pub(crate) const TAG_LEN: usize = 16;
/// What sealing adds to a plaintext, in bytes.
pub(crate) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

secret_key! {
    /// The key of one message: 32 bytes, used once.
    pub(crate) AeadKey
}

/// The tag is wrong: another key, other associated data or an altered ciphertext. Which of them is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAuthentic;

/// Appends `nonce ‖ ciphertext ‖ tag` of the concatenated plaintext parts to `out`.
pub(crate) fn seal(
    key: AeadKey,
    associated: &[u8],
    plaintext: &[&[u8]],
    random: &mut Random<'_>,
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let nonce: [u8; NONCE_LEN] = random.draw().map_err(SealError::Random)?;
    out.extend_from_slice(&nonce);
    let start = out.len();
    plaintext.iter().for_each(|part| out.extend_from_slice(part));
    let text = out.get_mut(start..).unwrap_or_default();
    let tag = Aes256Gcm::new(key.expose_bytes().into())
        .encrypt_inout_detached(&Nonce::from(nonce), associated, text.into())
        .map_err(|_| SealError::TooLong)?;
    out.extend_from_slice(&tag);
    Ok(())
}

/// Why nothing was sealed.
pub(crate) enum SealError {
    Random(RandomError),
    /// Beyond the 2^36 bytes of GCM; the limits of `wire` end long before.
    TooLong,
}

/// Opens `nonce ‖ ciphertext ‖ tag` into a buffer of its own, which is wiped when the tag is wrong (lesson L16).
pub(crate) fn open(key: AeadKey, associated: &[u8], sealed: &[u8]) -> Result<SecretBytes, NotAuthentic> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotAuthentic)?;
    let (text, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(NotAuthentic)?;
    let mut plaintext = SecretBytes::new(text.to_vec());
    Aes256Gcm::new(key.expose_bytes().into())
        .decrypt_inout_detached(
            &Nonce::from(*nonce),
            associated,
            plaintext.as_mut_vec().as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| NotAuthentic)?;
    Ok(plaintext)
}
