//! A seeded source for keys, so that a run can be repeated. An app takes the system's (`getrandom::SysRng`).

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng, utils::next_word_via_fill};
use sha2::{Digest, Sha256};

/// SHA-256 of the seed and a counter. It belongs to the machine, not to a store: no roll-back turns it back.
#[derive(Debug)]
pub(crate) struct Keys {
    seed: u64,
    drawn: u64,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }
}

impl TryRng for Keys {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.drawn = self.drawn.saturating_add(1);
            let hash = Sha256::digest([self.seed.to_be_bytes(), self.drawn.to_be_bytes()].concat());
            chunk.iter_mut().zip(hash).for_each(|(byte, drawn)| *byte = drawn);
        }
        Ok(())
    }
}

impl TryCryptoRng for Keys {}
