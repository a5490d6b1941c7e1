//! Safety numbers as the field computes them: 60 digits to compare, 74 bytes to scan.
//!
//! `docs/protocol.md`, section 3 "Safety number". It authenticates the two identity keys: not a device list, a session, or the present moment.

use alloc::{string::String, vec::Vec};
use core::fmt;

use prost::Message;
use sha2::{Digest, Sha512};

use super::IdentityKey;
use crate::{
    step::Advice,
    wire::{DecodeError, Field, ScannableHalf, ScannableMessage, decode_canonical},
};

/// Rounds of SHA-512 for each half.
const ITERATIONS: u32 = 5_200;
/// Version of the scannable form.
const SCANNABLE_VERSION: u32 = 1;
/// Bytes of a fingerprint in the scannable form.
const SCANNABLE_LEN: usize = 32;

/// The safety number of this device's account and a peer's. Equal at both sides unless a key was replaced between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyNumber {
    local: Fingerprint,
    remote: Fingerprint,
}

/// Why a scanned code does not match. Nothing has changed; do not mark the peer as verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScanError {
    /// Not a scannable safety number.
    Decode(DecodeError),
    /// Of another version: the app with the lower one must be updated.
    Version {
        /// What was scanned.
        scanned: u32,
        /// What this crate makes.
        ours: u32,
    },
    /// What the scanned screen holds of *us* is not our key: our key at their side is another.
    LocalDiffers,
    /// What we hold of the screen's owner is not their key: their key at our side is another.
    RemoteDiffers,
}

impl ScanError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(_) => Advice::Drop,
            Self::Version { .. } => Advice::Update,
            Self::LocalDiffers | Self::RemoteDiffers => Advice::AskUser,
        }
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "not a safety number: {error}"),
            Self::Version { scanned, ours } => {
                write!(f, "safety number of version {scanned}, ours is {ours}")
            }
            Self::LocalDiffers => f.write_str("the other device holds another key of ours"),
            Self::RemoteDiffers => f.write_str("this device holds another key of theirs"),
        }
    }
}

impl core::error::Error for ScanError {}

impl SafetyNumber {
    /// Length of the scannable form in bytes.
    pub const SCANNABLE_LEN: usize = 74;

    /// The number of two parties, each an identity key and a stable identifier: the account id, or another byte string that the app
    /// has brought into one spelling. Costs twice 5,200 rounds of SHA-512.
    #[must_use]
    pub fn new(local: (&IdentityKey, &[u8]), remote: (&IdentityKey, &[u8])) -> Self {
        Self { local: Fingerprint::new(local.0, local.1), remote: Fingerprint::new(remote.0, remote.1) }
    }

    /// The 60 digits, without spaces; show them in 12 groups of 5.
    #[must_use]
    pub fn digits(&self) -> String {
        let mut halves = [self.local.digits(), self.remote.digits()];
        halves.sort();
        halves.concat()
    }

    /// What this device shows as a code, 74 bytes.
    #[must_use]
    pub fn scannable(&self) -> Vec<u8> {
        let half =
            |fingerprint: &Fingerprint| Some(ScannableHalf { fingerprint: fingerprint.scannable().to_vec() });
        ScannableMessage { version: SCANNABLE_VERSION, local: half(&self.local), remote: half(&self.remote) }
            .encode_to_vec()
    }

    /// Compares a code scanned from the peer's screen.
    ///
    /// # Errors
    /// [`ScanError`]; of the two halves the one that is named first differs.
    pub fn check_scanned(&self, code: &[u8]) -> Result<(), ScanError> {
        if code.len() > Self::SCANNABLE_LEN.saturating_add(8) {
            return Err(ScanError::Decode(DecodeError::TooLong));
        }
        let version = ScannableMessage::decode(code).map_or(SCANNABLE_VERSION, |message| message.version);
        if version != SCANNABLE_VERSION {
            return Err(ScanError::Version { scanned: version, ours: SCANNABLE_VERSION });
        }
        let message: ScannableMessage = decode_canonical(code, Field::Frame).map_err(ScanError::Decode)?;
        let half = |half: Option<ScannableHalf>| {
            half.and_then(|half| <[u8; SCANNABLE_LEN]>::try_from(half.fingerprint).ok())
                .ok_or(ScanError::Decode(DecodeError::Malformed(Field::Fingerprint)))
        };
        let (theirs, ours) = (half(message.local)?, half(message.remote)?);
        if ours != self.local.scannable() {
            return Err(ScanError::LocalDiffers);
        }
        if theirs != self.remote.scannable() {
            return Err(ScanError::RemoteDiffers);
        }
        Ok(())
    }
}

impl fmt::Display for SafetyNumber {
    /// The 60 digits in 12 groups of 5.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, digit) in self.digits().chars().enumerate() {
            if place != 0 && place % 5 == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// One party's half: the hash after all rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint([u8; 64]);

impl Fingerprint {
    fn new(key: &IdentityKey, identifier: &[u8]) -> Self {
        let key = key.encoded();
        let mut hash: [u8; 64] = Sha512::new()
            .chain_update([0, 0])
            .chain_update(key)
            .chain_update(identifier)
            .chain_update(key)
            .finalize()
            .into();
        for _ in 1..ITERATIONS {
            hash = Sha512::new().chain_update(hash).chain_update(key).finalize().into();
        }
        Self(hash)
    }

    /// 30 digits: six groups of 5 bytes, each modulo 100,000.
    fn digits(&self) -> String {
        let (groups, _) = self.0.as_chunks::<5>();
        groups
            .iter()
            .take(6)
            .map(|&[a, b, c, d, e]| {
                alloc::format!("{:05}", u64::from_be_bytes([0, 0, 0, a, b, c, d, e]) % 100_000)
            })
            .collect()
    }

    fn scannable(&self) -> [u8; SCANNABLE_LEN] {
        self.0.first_chunk().copied().unwrap_or_default()
    }
}
