//! What names a message, and what names an envelope.

use core::fmt;

use crate::{
    primitives::{aead, kdf, labels},
    wire::{DecodeError, Incoming},
};

/// Names a message: 16 bytes, the same at sender and recipient, never sent beside it. It is the AEAD tag of the envelope that carried the message first; a message
/// that is sent again keeps its id. Two messages of an honest sender have one id about once in 2^64; keep it under the sender's address all the same.
/// `docs/protocol.md`, section 8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(super) [u8; Self::LEN]);

impl MessageId {
    /// Length in bytes.
    pub const LEN: usize = aead::TAG_LEN;

    /// The id of the message in an envelope, opened or not: for the place where a message will stand that has to be asked for again.
    ///
    /// # Errors
    /// [`DecodeError`]: not an envelope. Bytes that begin as one with an encrypted header are taken for one.
    pub fn of(envelope: &[u8]) -> Result<Self, DecodeError> {
        Incoming::parse(envelope).map(|incoming| Self::of_parsed(&incoming))
    }

    pub(super) fn of_parsed(incoming: &Incoming<'_>) -> Self {
        Self::at_end(incoming.sealed())
    }

    /// The tag at the end of a sealed message.
    pub(super) fn at_end(sealed: &[u8]) -> Self {
        Self(sealed.last_chunk().copied().unwrap_or_default())
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A digest of all bytes of an envelope: whoever alters one names another. `docs/protocol.md`, section 8 "Retry request".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EnvelopeDigest(pub(super) [u8; Self::LEN]);

impl EnvelopeDigest {
    pub(super) const LEN: usize = 16;

    pub(super) fn of(envelope: &[u8]) -> Self {
        Self(kdf::truncate(kdf::sha256(labels::ENVELOPE, &[envelope])))
    }
}
