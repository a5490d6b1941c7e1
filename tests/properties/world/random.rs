//! Random sources: one that repeats from a seed and keeps a tape of its draws, and those of a broken machine.

use std::{convert::Infallible, fmt};

use rand_core::{TryCryptoRng, TryRng, utils::next_word_via_fill};
use sha2::{Digest, Sha256};

/// SHA-256 in counter mode over a seed. The tape holds every draw: private keys are its draws of 32 bytes.
#[derive(Clone)]
pub(crate) struct Seeded {
    seed: u64,
    counter: u64,
    pub(crate) tape: Vec<Vec<u8>>,
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0, tape: Vec::new() }
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.counter += 1;
            let words = [self.seed.to_be_bytes(), self.counter.to_be_bytes()].concat();
            chunk.copy_from_slice(&Sha256::digest(words)[..chunk.len()]);
        }
        self.tape.push(bytes.to_vec());
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// What is wrong with a source.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Every byte is this one.
    Constant(u8),
    /// The same 64 different bytes in every draw.
    Stuck,
    /// An error at this draw, counted from 0, and sound before and after.
    FailsAt(usize),
    /// Sound, and then stuck at what this draw gave.
    StuckFrom(usize),
}

/// A broken source, which counts its draws.
pub(crate) struct Broken {
    fault: Fault,
    pub(crate) draws: usize,
    sound: Seeded,
    held: Vec<u8>,
}

impl Broken {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, draws: 0, sound: Seeded::new(99), held: (1..=64).collect() }
    }
}

/// The error of a source; its text must reach no one's eyes but through the crate's own error.
#[derive(Debug)]
pub(crate) struct SourceFailed;

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source failed")
    }
}

impl std::error::Error for SourceFailed {}

impl TryRng for Broken {
    type Error = SourceFailed;

    fn try_next_u32(&mut self) -> Result<u32, SourceFailed> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, SourceFailed> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), SourceFailed> {
        let draw = self.draws;
        self.draws += 1;
        match self.fault {
            Fault::Constant(byte) => bytes.fill(byte),
            Fault::FailsAt(place) if place == draw => return Err(SourceFailed),
            Fault::StuckFrom(place) if place < draw => {
                bytes.iter_mut().zip(&self.held).for_each(|(to, from)| *to = *from);
            }
            Fault::Stuck => bytes.iter_mut().zip(&self.held).for_each(|(to, from)| *to = *from),
            Fault::FailsAt(_) | Fault::StuckFrom(_) => {
                let _ = self.sound.try_fill_bytes(bytes);
                self.held[..bytes.len()].copy_from_slice(bytes);
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Broken {}
