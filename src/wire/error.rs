//! Why bytes are no message.

use core::fmt;

use crate::step::Advice;

/// The part of a message that is wrong: the first one met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The message as a whole: cut off, fields out of order, repeated or unknown, a value not in its one encoding.
    Frame,
    /// `session_id`.
    SessionId,
    /// `handshake`.
    Handshake,
    /// `ratchet_key`.
    RatchetKey,
    /// `previous_counter`.
    PreviousCounter,
    /// `counter`.
    Counter,
    /// `pq`: there, where the suite has none, or missing, or of another length than the suite's.
    Pq,
    /// `ciphertext`.
    Ciphertext,
    /// `identity_key`.
    IdentityKey,
    /// `ephemeral_key`.
    EphemeralKey,
    /// `signed_prekey` or its id.
    SignedPrekey,
    /// `one_time_prekey` or its id.
    OneTimePrekey,
    /// `kem_prekey`, or its id.
    KemPrekey,
    /// `suites`.
    Suites,
    /// `issued_at`.
    IssuedAt,
    /// `started_at`.
    StartedAt,
    /// A signature's length.
    Signature,
    /// `number`.
    Number,
    /// A half of a scannable safety number.
    Fingerprint,
    /// `salt`.
    Salt,
    /// `sealed`, or what it holds.
    Sealed,
    /// `account_id`.
    AccountId,
    /// `incarnation`.
    Incarnation,
    /// `epoch`.
    Epoch,
    /// `expires_at`.
    ExpiresAt,
    /// An entry of a device list, or its order among the others.
    Entry,
    /// `device_id`.
    DeviceId,
    /// `key_index`.
    KeyIndex,
    /// `linked_at`.
    LinkedAt,
    /// `reference`.
    Reference,
    /// `mac`.
    Mac,
    /// `share`.
    Share,
    /// `reason`.
    Reason,
}

/// Why bytes from outside were refused before anything was done with them. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A protocol version that this crate does not speak.
    Version(u8),
    /// A suite that this crate does not speak.
    Suite(u8),
    /// Longer than the limit for this kind of message; nothing was allocated for it.
    TooLong,
    /// No message of this version: the first field that is wrong. For a key this includes a non-canonical one or one of low order.
    Malformed(Field),
}

impl DecodeError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Version(_) | Self::Suite(_) => Advice::Update,
            Self::TooLong | Self::Malformed(_) => Advice::Drop,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "protocol version {version} is not known"),
            Self::Suite(suite) => write!(f, "suite {suite} is not known"),
            Self::TooLong => f.write_str("longer than the limit"),
            Self::Malformed(field) => write!(f, "malformed: {field:?}"),
        }
    }
}

impl core::error::Error for DecodeError {}
