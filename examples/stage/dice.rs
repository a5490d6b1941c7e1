//! A small seeded generator for accidents, so that a run can be repeated. Not for keys.

use std::ops::RangeInclusive;

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, both ends included. The bias of the remainder does not matter here.
    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let size = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start().saturating_add(self.next().checked_rem(size).unwrap_or(0))
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.within(1..=100) <= percent
    }
}
