//! The random source of both sides of every ratio: AES-256 in counter mode, 64 bytes at a time, from a fixed key.
//!
//! The cheaper the source, the stricter the ratio: a nonce costs a few nanoseconds on either side, where the operating system's
//! source costs a call into the kernel and would hide what the crate adds. The fixed key makes instruction counts repeatable.

use std::convert::Infallible;

use aes_gcm::{
    KeyInit,
    aes::{Aes256Enc, Block, cipher::BlockCipherEncrypt},
};
use outrigger::Random;
use rand_core::{TryCryptoRng, TryRng};

const BUFFER: usize = 64;

/// A counter-mode generator.
pub(crate) struct Source {
    cipher: Aes256Enc,
    counter: u128,
    buffer: [u8; BUFFER],
    used: usize,
}

impl Source {
    pub(crate) fn new(seed: u8) -> Self {
        Self { cipher: Aes256Enc::new(&[seed; 32].into()), counter: 0, buffer: [0; BUFFER], used: BUFFER }
    }

    /// A source that lives as long as the process, so that what borrows it can be kept beside other state.
    pub(crate) fn leaked() -> &'static mut Self {
        Box::leak(Box::new(Self::new(1)))
    }

    pub(crate) fn random() -> Random<'static> {
        Random::new(Self::leaked())
    }

    fn refill(&mut self) {
        let mut blocks: [Block; BUFFER / 16] = std::array::from_fn(|_| {
            self.counter += 1;
            self.counter.to_le_bytes().into()
        });
        self.cipher.encrypt_blocks(&mut blocks);
        for (place, block) in self.buffer.chunks_exact_mut(16).zip(&blocks) {
            place.copy_from_slice(block);
        }
        self.used = 0;
    }
}

impl TryRng for Source {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let mut out = out;
        while !out.is_empty() {
            if self.used == BUFFER {
                self.refill();
            }
            let len = out.len().min(BUFFER - self.used);
            let (now, later) = out.split_at_mut(len);
            now.copy_from_slice(&self.buffer[self.used..self.used + len]);
            self.used += len;
            out = later;
        }
        Ok(())
    }
}

impl TryCryptoRng for Source {}
