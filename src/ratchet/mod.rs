//! The Double Ratchet: new keys for every message, recovery with every turn.
//!
//! ```text
//! root key ──DH step──▶ root key ──DH step──▶ …          a turn: the peer answered with a new ratchet key
//!              │                     │
//!          chain key ─▶ chain key ─▶ …                    a message: one step of its chain
//!                  │            │
//!             message key   message key ─▶ AEAD key       used once
//! ```
//!
//! A [`Ratchet`] works alone, in memory, from a root secret of any origin; a session keeps the same two parts in records: the
//! chains, which every message rewrites, and the keys of skipped messages, which few need. Receiving runs half of a turn (one Diffie-Hellman); the
//! other half waits for the next send. Nothing moves before the tag is verified.
//!
//! With encrypted headers each root step also gives a header key for the chain after next, and a message shows no counter and no ratchet key: what it is of is found by trial, at most six
//! times.
//!
//! *The Double Ratchet Algorithm*, 2 to 5; `docs/protocol.md`, section 7.

mod alone;
mod chain;
mod chains;
mod error;
mod headers;
mod place;
mod record;
mod skipped;

pub use alone::Ratchet;
pub use chain::RootSecret;
pub(crate) use chains::{ChainTag, Chains, associated_fits};
pub use error::{DecryptError, EncryptError, RatchetStateError};
pub(crate) use place::Located;
pub(crate) use skipped::SkippedKeys;
