//! What was said before a companion was linked: asked for by the companion, given by the phone's user, in encrypted chunks that travel as files do.
//!
//! ```text
//! companion                                     phone
//! AskHistory ──────────────────────────────────▶ the user agrees
//! OpenHistory ◀── sealed chunks, by any way ──── SealHistory, chunk by chunk
//! TakeHistory ◀── manifest, in the session ───── FinishHistory
//! ```
//! The manifest holds the key and a digest of every chunk: what is missing, twice, swapped or altered is seen at once, and a transfer goes on where it stopped. What comes out
//! is [`FromOwnPhone`]: the phone's word on what was said, and never a message of a peer's. `docs/protocol.md`, section 10 "History".

mod companion;
mod error;
mod phone;

use alloc::vec::Vec;

pub use companion::{AskHistory, FromOwnPhone, HistoryProgress, OpenHistory, TakeHistory};
pub use error::HistoryError;
pub use phone::{FinishHistory, HistoryChunk, SealHistory};

use crate::{
    primitives::{aead::AeadKey, kdf, labels, secret_key},
    session::HistoryId,
    wire::PROTOCOL_VERSION,
};

/// Chunks in one history.
pub(crate) const MAX_CHUNKS: usize = 1_024;
/// Bytes of a chunk's text.
pub(crate) const MAX_CHUNK: usize = 1 << 20;

secret_key! {
    /// 32 random bytes: the key of one history.
    HistoryKey
}

/// A digest of a sealed chunk.
type ChunkDigest = [u8; 16];

fn digest(sealed: &[u8]) -> ChunkDigest {
    kdf::truncate(kdf::sha256(labels::HISTORY_CHUNK, &[sealed]))
}

/// `version ‖ id ‖ index`, in front of what is sealed and bound to it.
fn front(id: HistoryId, index: u32) -> Vec<u8> {
    [&[PROTOCOL_VERSION][..], &id.0, &index.to_be_bytes()].concat()
}

impl HistoryKey {
    fn of_chunk(&self, id: HistoryId, index: u32) -> AeadKey {
        let parts = [labels::HISTORY_KEY, &id.0, &index.to_be_bytes()];
        AeadKey::take_from(&mut kdf::expand(self.expose_bytes(), &parts))
    }
}
