//! The caller's random source, with the checks that catch a broken one.

use core::fmt;

use rand_core::TryCryptoRng;
use zeroize::Zeroize;

/// Bytes of a draw that are compared with those of the draw before.
const COMPARED: usize = 12;

/// Why random bytes could not be used. No key was made, no state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RandomError {
    /// The source returned an error.
    Failed,
    /// All bytes of a draw are equal, or it begins like the draw before: the source is broken.
    Repeats,
}

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the random source failed",
            Self::Repeats => "the random source repeats itself",
        })
    }
}

impl core::error::Error for RandomError {}

/// The caller's source behind one object-safe face, so that nothing else in the crate is generic over it.
trait Source {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

impl<R: TryCryptoRng> Source for R {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.try_fill_bytes(bytes).map_err(|_| RandomError::Failed)
    }
}

/// A borrowed random source that refuses to hand out what cannot be random.
///
/// Each draw of 12 bytes or more is checked: all bytes equal, or the same first 12 bytes as the draw before it
/// from the same `Random`, is [`RandomError::Repeats`] (a sound source does so about once in 2^88 draws). There is no
/// fall-back: an error of the source travels up to the caller.
pub struct Random<'a> {
    source: &'a mut dyn Source,
    last: [u8; COMPARED],
}

impl<'a> Random<'a> {
    /// Borrows a source: any `CryptoRng`, or a `TryCryptoRng` whose errors then reach the caller.
    pub fn new<R: TryCryptoRng>(source: &'a mut R) -> Self {
        Self { source, last: [0; COMPARED] }
    }

    /// Draws `N` bytes, 12 or more, that are no secret, or that the caller wipes.
    pub(crate) fn draw<const N: usize>(&mut self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        self.draw_into(&mut bytes).map(|()| bytes)
    }

    /// Fills a place of the caller's, 12 bytes or more; wiped on an error.
    pub(crate) fn draw_into<const N: usize>(&mut self, bytes: &mut [u8; N]) -> Result<(), RandomError> {
        const { assert!(N >= COMPARED, "the check needs 12 bytes") };
        let drawn = self.source.fill(bytes).and_then(|()| self.check(bytes));
        if drawn.is_err() {
            bytes.zeroize();
        }
        drawn
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), RandomError> {
        let head: &[u8; COMPARED] = bytes.first_chunk().ok_or(RandomError::Failed)?;
        let constant = bytes.iter().all(|byte| Some(byte) == bytes.first());
        let repeated = *head == self.last;
        self.last = *head;
        if constant || repeated { Err(RandomError::Repeats) } else { Ok(()) }
    }
}

impl fmt::Debug for Random<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(redacted)")
    }
}

impl Drop for Random<'_> {
    fn drop(&mut self) {
        self.last.as_mut_slice().zeroize();
    }
}
