//! The handshake that makes two devices share a root secret while one of them is away: PQXDH or X3DH.
//!
//! Usable alone, in memory: [`initiate`] and [`respond`] know nothing of records. What they return starts a
//! [`Ratchet`](crate::ratchet::Ratchet); the [`Transcript`] goes into the associated data of every message of it.
//!
//! Where headers are encrypted, what an initiator says in clear otherwise goes as a note, sealed to the responder's identity key.
//!
//! *The X3DH Key Agreement Protocol*, rev. 1; `docs/protocol.md`, section 6.

mod message;
mod note;
mod transcript;
mod x3dh;

pub use message::{Handshake, KemPart};
pub(crate) use note::{Note, NoteKind, open_note, seal_note};
pub use transcript::{Established, Transcript};
pub use x3dh::{HandshakeError, Initiated, Party, Prekeys, initiate, respond};
