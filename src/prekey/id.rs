//! Prekey ids.

use core::fmt;

use crate::primitives::{KemPublicKey, PublicKey, kdf, labels};

/// Names a prekey: the first 16 bytes of a labelled SHA-256 of the encoded key. `docs/protocol.md`, section 4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrekeyId(pub(crate) [u8; Self::LEN]);

impl PrekeyId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The id of a key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(kdf::truncate(kdf::sha256(labels::PREKEY_ID, &[&key.encoded()])))
    }

    /// The id of a KEM key.
    pub(crate) fn of_kem(key: &KemPublicKey) -> Self {
        Self(kdf::truncate(kdf::sha256(labels::PREKEY_ID, &[key.encoded()])))
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for PrekeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrekeyId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
