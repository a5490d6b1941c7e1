//! One encoding per value: what prost decodes must encode to the very same bytes.

use alloc::vec::Vec;

use prost::Message;

use super::{DecodeError, Field, PROTOCOL_VERSION};

/// Takes the version byte off, after the length was checked.
pub(crate) fn split_version(bytes: &[u8], limit: usize) -> Result<&[u8], DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong);
    }
    match bytes.split_first() {
        Some((&PROTOCOL_VERSION, body)) => Ok(body),
        Some((version, _)) => Err(DecodeError::Version(*version)),
        None => Err(DecodeError::Malformed(Field::Frame)),
    }
}

/// Decodes a message whose length was checked, and refuses every encoding of it but one: unknown, repeated, unordered or default-valued
/// fields and long varints all encode differently.
pub(crate) fn decode_canonical<M: Message + Default>(bytes: &[u8], field: Field) -> Result<M, DecodeError> {
    match M::decode(bytes) {
        Ok(message) if message.encode_to_vec() == bytes => Ok(message),
        Ok(_) | Err(_) => Err(DecodeError::Malformed(field)),
    }
}

/// The version byte, then the message.
pub(crate) fn encode_versioned<M: Message>(message: &M) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.encoded_len().saturating_add(1));
    out.push(PROTOCOL_VERSION);
    message.encode_raw(&mut out);
    out
}
