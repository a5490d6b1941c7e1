//! Protocol version and suites. `docs/protocol.md`, section 5.

use super::DecodeError;

/// The first byte of everything on the wire.
pub const PROTOCOL_VERSION: u8 = 1;

/// What a session's cryptography is made of. Fixed when the session starts, authenticated in every message.
///
/// `0x02` and `0x03` are kept for PQXDH with ML-KEM-768 and ML-KEM-1024, `0x10` to `0x1f` for a post-quantum ratchet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Suite {
    /// X3DH, Double Ratchet; X25519, SHA-256, AES-256-GCM.
    Classic = 1,
}

impl Suite {
    /// The suites that this crate speaks, as the byte string of a suites statement.
    pub(crate) const SPOKEN: &'static [u8] = &[Self::Classic as u8];

    /// The suite of a byte.
    ///
    /// # Errors
    /// [`DecodeError::Suite`]: not one that this crate speaks.
    pub fn parse(byte: u8) -> Result<Self, DecodeError> {
        if byte == Self::Classic as u8 { Ok(Self::Classic) } else { Err(DecodeError::Suite(byte)) }
    }

    /// The byte on the wire.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        self as u8
    }
}
