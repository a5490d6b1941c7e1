//! What an operation gets from outside: the time, randomness, the restore guard, the limits.

use core::fmt;

use rand_core::TryCryptoRng;

use super::{Headers, Limits, Padding, SuitePolicy};
use crate::primitives::Random;

/// A time: milliseconds since 1970-01-01 UTC. Always an argument; the crate has no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Milliseconds in an hour.
    pub const HOUR: u64 = 60 * 60 * 1_000;
    /// Milliseconds in a day.
    pub const DAY: u64 = 24 * Self::HOUR;
    /// The latest time that a clock is taken to show where an order follows from it, so that there is always a later one.
    pub(crate) const LATEST: Self = Self(1 << 62);

    /// Milliseconds from `earlier` to this time; 0 where the clock went back.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time and so many milliseconds.
    #[must_use]
    pub fn plus(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

/// The restore guard: 16 random bytes, drawn when the store is made and kept *outside* what backups save.
///
/// Every record carries it. A store that comes back from a backup onto a device with another value is refused by every operation with
/// [`RecordError::RestoredFromBackup`](super::RecordError::RestoredFromBackup), before a key of its past is used again, until [`Recover`](crate::Recover) has run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Generation(pub [u8; 16]);

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generation(16 bytes)")
    }
}

/// Everything that an operation takes from the world outside: nothing is fetched.
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) now: UnixMillis,
    pub(crate) generation: Generation,
    pub(crate) random: Random<'a>,
    pub(crate) limits: Limits,
    pub(crate) suites: SuitePolicy,
    pub(crate) padding: Padding,
    pub(crate) headers: Headers,
    /// How many operations of the same batch run before this one, so that needs are asked for ahead.
    pub(crate) batched: usize,
}

impl<'a> Context<'a> {
    /// The time now, the restore guard, and a random source: any `CryptoRng`, or a `TryCryptoRng`, whose errors then travel up.
    pub fn new<R: TryCryptoRng>(now: UnixMillis, generation: Generation, random: &'a mut R) -> Self {
        let random = Random::new(random);
        let (limits, suites) = (Limits::DEFAULT, SuitePolicy::default());
        let (padding, headers) = (Padding::default(), Headers::default());
        Self { now, generation, random, limits, suites, padding, headers, batched: 0 }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with other suites.
    #[must_use]
    pub fn with_suites(mut self, suites: SuitePolicy) -> Self {
        self.suites = suites;
        self
    }

    /// The same with messages padded so.
    #[must_use]
    pub fn with_padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// The same with sessions started so; sessions on record stay as they are.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}
