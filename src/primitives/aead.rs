//! AES-256-GCM: with a random nonce under a key that is used once, and for headers with a longer one under a key that is used many times. `docs/protocol.md`, sections 2 and 7.

use alloc::vec::Vec;

use aes_gcm::{
    Aes256Gcm, AesGcm, KeyInit, Tag,
    aead::{AeadInOut, Nonce, consts::U16},
    aes::Aes256,
};

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

secret_key! {
    /// The key of one chain's headers: 32 bytes, used for each of them.
    pub(crate) HeaderKey
}

/// GCM with a nonce of 128 bits, which may be random under a key that is used many times (*The Double Ratchet Algorithm*, 4.2).
type HeaderGcm = AesGcm<Aes256, U16>;

/// Length of a header's nonce in bytes.
const HEADER_NONCE_LEN: usize = 16;
/// Zero bytes in front of a header. GCM alone does not commit to its key: with these it takes about 2^64 trials to find a ciphertext that opens under two keys (lesson L17).
const COMMITMENT_LEN: usize = 16;
/// What sealing adds to a header, in bytes.
pub(crate) const HEADER_OVERHEAD: usize = HEADER_NONCE_LEN + COMMITMENT_LEN + TAG_LEN;

/// Appends `nonce ‖ ciphertext ‖ tag` of `0^16 ‖ header` to `out`.
pub(crate) fn seal_header(
    key: &HeaderKey,
    header: &[u8],
    random: &mut Random<'_>,
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let cipher = HeaderGcm::new(key.expose_bytes().into());
    append::<_, HEADER_NONCE_LEN>(&cipher, &[], &[&[0; COMMITMENT_LEN], header], random, out)
}

/// Opens what [`seal_header`] made of `N` bytes; `None` under any other key. `M` is `N` and the zeros.
pub(crate) fn open_header<const M: usize, const N: usize>(key: &HeaderKey, sealed: &[u8]) -> Option<[u8; N]> {
    let (nonce, rest) = sealed.split_first_chunk::<HEADER_NONCE_LEN>()?;
    let (text, tag) = rest.split_last_chunk::<TAG_LEN>()?;
    let mut text: [u8; M] = text.try_into().ok()?;
    HeaderGcm::new(key.expose_bytes().into())
        .decrypt_inout_detached(&(*nonce).into(), &[], text.as_mut_slice().into(), &Tag::from(*tag))
        .ok()?;
    let (zeros, header) = text.split_first_chunk::<COMMITMENT_LEN>()?;
    let committed = zeros.iter().fold(0, |any, byte| any | byte) == 0;
    header.try_into().ok().filter(|_| committed)
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
    let cipher = Aes256Gcm::new(key.expose_bytes().into());
    append::<_, NONCE_LEN>(&cipher, associated, plaintext, random, out)
}

/// Appends a nonce of `N` bytes, drawn here, the sealed parts and the tag.
fn append<C: AeadInOut, const N: usize>(
    cipher: &C,
    associated: &[u8],
    parts: &[&[u8]],
    random: &mut Random<'_>,
    out: &mut Vec<u8>,
) -> Result<(), SealError>
where
    [u8; N]: Into<Nonce<C>>,
{
    let nonce: [u8; N] = random.draw().map_err(SealError::Random)?;
    out.extend_from_slice(&nonce);
    let start = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let text = out.get_mut(start..).unwrap_or_default();
    let tag = cipher
        .encrypt_inout_detached(&nonce.into(), associated, text.into())
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
            &(*nonce).into(),
            associated,
            plaintext.as_mut_vec().as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| NotAuthentic)?;
    Ok(plaintext)
}
