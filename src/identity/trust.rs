//! What is known of a peer's identity key, and how it changes: only by the user's decision.
//!
//! ```text
//!             first seen            Verify
//! unknown ───────────────▶ pinned ─────────▶ verified
//!                           ▲  │  ◀───────── ▲  │
//!                    Accept │  │  Unverify   │  │ Suspect (another key was offered)
//!                           │  ▼             │  ▼
//!                           └── changed ─────┘  Reject: back to what it was
//! ```
//! Every decision names the key that it is about, so that a decision shown for one key never lands on another.

use core::fmt;

use super::IdentityKey;
use crate::step::{Advice, RecordError, RecordReader, RecordWriter, advises};

/// How far the identity key of a peer is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrustMark {
    /// No key is on record.
    Unknown,
    /// The first key seen; no one has compared it.
    Pinned,
    /// The user has compared the safety number.
    Verified,
    /// Another key was offered and the user has not decided: nothing is sent.
    Changed,
}

/// What the user decided about an identity key. Each names the key that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The safety number for this key was compared and is right.
    Verify(IdentityKey),
    /// The comparison for this key no longer counts.
    Unverify(IdentityKey),
    /// This other key was offered: send nothing until the user has decided.
    Suspect(IdentityKey),
    /// Take this other key in place of the one on record; sessions under the old one end.
    Accept(IdentityKey),
    /// Keep the key on record and forget that this one was offered.
    Reject(IdentityKey),
}

/// Why a decision was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustError {
    /// Nothing is on record for this address.
    UnknownPeer,
    /// The decision is about another key than the one on record, or, where a change waits for a decision, than the one offered.
    OtherKey {
        /// On record.
        stored: IdentityKey,
    },
    /// A change waits for a decision: accept or reject the offered key first.
    Undecided {
        /// The key that was offered.
        offered: IdentityKey,
    },
    /// The device is of this account: its key comes from the account's list, not from a decision. A companion whose phone has another key belongs to that account no more:
    /// link it again.
    OwnAccount,
    /// A record cannot be used.
    Record(RecordError),
}

impl TrustError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::UnknownPeer => Advice::FetchBundle,
            Self::OtherKey { .. } | Self::Undecided { .. } => Advice::AskUser,
            Self::OwnAccount => Advice::LinkAgain,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPeer => f.write_str("no identity key is on record for this address"),
            Self::OtherKey { stored } => write!(f, "the key on record is {stored:?}"),
            Self::Undecided { offered } => write!(f, "the change to {offered:?} is not decided"),
            Self::OwnAccount => f.write_str("the keys of this account's own devices are not decided on"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(TrustError);

impl core::error::Error for TrustError {}

impl From<RecordError> for TrustError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// A peer's identity as stored: the key that counts, whether the user compared it, and a change that waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PeerIdentity {
    key: IdentityKey,
    verified: bool,
    offered: Option<IdentityKey>,
}

impl PeerIdentity {
    pub(crate) const fn pinned(key: IdentityKey) -> Self {
        Self { key, verified: false, offered: None }
    }

    /// A key that one device has read from the other's screen.
    pub(crate) const fn scanned(key: IdentityKey) -> Self {
        Self { key, verified: true, offered: None }
    }

    /// What the own phone has on record of the key.
    pub(crate) const fn told(key: IdentityKey, verified: bool, offered: Option<IdentityKey>) -> Self {
        Self { key, verified, offered }
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.verified
    }

    pub(crate) fn key(&self) -> IdentityKey {
        self.key
    }

    pub(crate) fn offered(&self) -> Option<IdentityKey> {
        self.offered
    }

    pub(crate) fn mark(&self) -> TrustMark {
        match (self.offered, self.verified) {
            (Some(_), _) => TrustMark::Changed,
            (None, true) => TrustMark::Verified,
            (None, false) => TrustMark::Pinned,
        }
    }

    /// The identity after a decision. Its key differs from this one's after `Accept` only.
    pub(crate) fn decide(&self, decision: Decision) -> Result<Self, TrustError> {
        let Self { key, verified, offered } = *self;
        let other_key = TrustError::OtherKey { stored: key };
        match (decision, offered) {
            (Decision::Verify(named), None) if named == key => Ok(Self { key, verified: true, offered }),
            (Decision::Unverify(named), None) if named == key => Ok(Self { key, verified: false, offered }),
            (Decision::Suspect(named), _) if named != key => Ok(Self { key, verified, offered: Some(named) }),
            (Decision::Accept(named), None) if named != key => Ok(Self::pinned(named)),
            (Decision::Accept(named), Some(offered)) if named == offered => Ok(Self::pinned(named)),
            (Decision::Reject(named), Some(offered)) if named == offered => {
                Ok(Self { key, verified, offered: None })
            }
            (Decision::Verify(named) | Decision::Unverify(named), Some(offered)) if named == key => {
                Err(TrustError::Undecided { offered })
            }
            (
                Decision::Verify(_)
                | Decision::Unverify(_)
                | Decision::Suspect(_)
                | Decision::Accept(_)
                | Decision::Reject(_),
                _,
            ) => Err(other_key),
        }
    }

    /// Upper bound of the encoding in bytes.
    pub(crate) const MAX_LEN: usize = 32 + 1 + 1 + 32;

    pub(crate) fn encode(&self, body: &mut RecordWriter) {
        body.bytes(self.key.public_key().as_bytes()).flag(self.verified).flag(self.offered.is_some());
        if let Some(offered) = self.offered {
            body.bytes(offered.public_key().as_bytes());
        }
    }

    pub(crate) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let key = |body: &mut RecordReader<'_>| body.public_key().map(IdentityKey::new);
        Some(Self {
            key: key(body)?,
            verified: body.flag()?,
            offered: if body.flag()? { Some(key(body)?) } else { None },
        })
    }
}
