//! Protocol version and suites. `docs/protocol.md`, section 5.

use alloc::vec::Vec;

use super::{DecodeError, MAX_SUITES};
use crate::{primitives::KemSize, step::SuitePolicy};

/// The first byte of everything on the wire.
pub const PROTOCOL_VERSION: u8 = 1;

/// What a session's cryptography is made of. Fixed when the session starts, authenticated in every message.
///
/// `0x10` to `0x1f` are kept for a post-quantum ratchet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// `0x01`: X3DH, Double Ratchet; X25519, SHA-256, AES-256-GCM.
    Classic,
    /// `0x02`, `0x03`: PQXDH with ML-KEM-768 or ML-KEM-1024, the rest the same. The first secret is post-quantum, the ratchet after it is not.
    PostQuantum(KemSize),
}

impl Suite {
    /// All that this crate speaks.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Classic,
        #[cfg(feature = "post-quantum")]
        Self::PostQuantum(KemSize::MlKem768),
        #[cfg(feature = "post-quantum")]
        Self::PostQuantum(KemSize::MlKem1024),
    ];

    /// The suite of a byte.
    ///
    /// # Errors
    /// [`DecodeError::Suite`]: not one that this crate speaks.
    pub fn parse(byte: u8) -> Result<Self, DecodeError> {
        let known = Self::ALL.iter().find(|suite| suite.to_byte() == byte);
        known.copied().ok_or(DecodeError::Suite(byte))
    }

    /// Whether bytes are those of suites: 1 to 16, none 0, strictly ascending.
    pub(crate) fn are_listed(bytes: &[u8]) -> bool {
        let in_order = bytes.iter().zip(bytes.iter().skip(1)).all(|(one, next)| one < next);
        (1..=MAX_SUITES).contains(&bytes.len()) && bytes.first() != Some(&0) && in_order
    }

    /// The bytes of the suites that a device accepts under a policy.
    pub(crate) fn accepted(policy: SuitePolicy) -> Vec<u8> {
        let classic = policy.takes_classic().then_some(Self::Classic);
        classic.into_iter().chain(policy.kem().map(Self::PostQuantum)).map(Self::to_byte).collect()
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Classic => 1,
            #[cfg(feature = "post-quantum")]
            Self::PostQuantum(KemSize::MlKem768) => 2,
            #[cfg(feature = "post-quantum")]
            Self::PostQuantum(KemSize::MlKem1024) => 3,
            #[cfg(not(feature = "post-quantum"))]
            Self::PostQuantum(none) => match none {},
        }
    }

    /// Whether it has a KEM, and there is none above it.
    pub(crate) fn is_strongest(self) -> bool {
        self.kem().is_some() && Self::ALL.last() == Some(&self)
    }

    /// The KEM in its handshake.
    #[must_use]
    pub const fn kem(self) -> Option<KemSize> {
        match self {
            Self::Classic => None,
            Self::PostQuantum(size) => Some(size),
        }
    }
}
