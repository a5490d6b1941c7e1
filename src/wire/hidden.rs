//! Envelopes with encrypted headers: behind two fixed bytes neither session, key nor number shows. `docs/protocol.md`, section 5 "With encrypted headers".

use alloc::vec::Vec;

use super::{
    DecodeError, Field, PROTOCOL_VERSION,
    envelope::{Header, RatchetHeader, RatchetMessage},
};
use crate::primitives::{
    PublicKey,
    aead::{self, HEADER_OVERHEAD},
};

/// What stands in front, where another envelope has version and suite.
pub(crate) const HIDDEN_FRONT: [u8; 2] = [PROTOCOL_VERSION, 0x80];

/// A header as it travels encrypted.
pub(crate) type SealedHeader = [u8; Header::LEN + HEADER_OVERHEAD];

impl Header {
    /// Length of a header that is to be encrypted, in bytes: always the same.
    pub(crate) const LEN: usize = 32 + 4 + 4;

    /// `ratchet key ‖ u32be(PN) ‖ u32be(N)`.
    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        if let Some((key, numbers)) = bytes.split_first_chunk_mut()
            && let ([previous, counter], []) = numbers.as_chunks_mut()
        {
            *key = *self.ratchet_key.as_bytes();
            *previous = self.previous_counter.to_be_bytes();
            *counter = self.counter.to_be_bytes();
        }
        bytes
    }

    /// The header of these bytes; `None` where the key or a number is none.
    pub(crate) fn from_bytes(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let (key, numbers) = bytes.split_first_chunk()?;
        let ([previous, counter], []) = numbers.as_chunks() else { return None };
        let (previous_counter, counter) = (u32::from_be_bytes(*previous), u32::from_be_bytes(*counter));
        let ratchet_key = PublicKey::parse(key).ok()?;
        let sound = previous_counter != u32::MAX && counter != u32::MAX;
        sound.then_some(Self { ratchet_key, previous_counter, counter })
    }
}

/// An envelope with an encrypted header: it may begin with a note, and nothing says whether it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HiddenEnvelope<'a> {
    whole: &'a [u8],
    body: &'a [u8],
}

impl<'a> HiddenEnvelope<'a> {
    pub(super) fn parse(whole: &'a [u8], body: &'a [u8]) -> Result<Self, DecodeError> {
        // Whether it is too long shows once it is known whether a note is in front.
        match body.len() < size_of::<SealedHeader>().saturating_add(aead::OVERHEAD) {
            true => Err(DecodeError::Malformed(Field::Ciphertext)),
            false => Ok(Self { whole, body }),
        }
    }

    /// What may begin with a note.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The message behind a note of this length, 0 for none.
    pub(crate) fn message_behind(&self, note: usize) -> Result<RatchetMessage<'a>, DecodeError> {
        let rest = self.body.get(note..).unwrap_or_default();
        read_message(self.whole, rest)
    }
}

/// Reads `encrypted header ‖ ciphertext`, which `whole` ends with.
pub(super) fn read_message<'a>(whole: &'a [u8], rest: &'a [u8]) -> Result<RatchetMessage<'a>, DecodeError> {
    let (header, ciphertext) = rest.split_first_chunk().ok_or(DecodeError::Malformed(Field::Ciphertext))?;
    RatchetMessage::new(RatchetHeader::Sealed(header), whole, ciphertext)
}

/// Begins an envelope. A buffer with room for `room` more bytes, so that it need not grow.
pub(crate) fn write_hidden_front(room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room.saturating_add(HIDDEN_FRONT.len()));
    out.extend_from_slice(&HIDDEN_FRONT);
    out
}
