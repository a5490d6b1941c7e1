//! What is counted, and how a child tells its counts to its parent.

use std::fmt;

/// Counts of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Steps that were stored.
    pub(crate) steps: u64,
    /// Steps that were not, since another process was faster; all of them ran again.
    pub(crate) conflicts: u64,
    /// The most of them in a row.
    pub(crate) in_a_row: u64,
    /// Envelopes refused as opened before.
    pub(crate) duplicates: u64,
    /// Envelopes refused as opened before or too late, which of them is not known any more.
    pub(crate) keys_gone: u64,
    /// First messages refused for want of their prekey.
    pub(crate) prekeys_gone: u64,
}

impl Tally {
    /// Its line on a child's output.
    pub(crate) fn line(&self) -> String {
        let Self { steps, conflicts, in_a_row, duplicates, keys_gone, prekeys_gone } = self;
        format!("tally {steps} {conflicts} {in_a_row} {duplicates} {keys_gone} {prekeys_gone}")
    }

    /// Reads the line, if it is one.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("tally ")?;
        let counts: Vec<u64> = counts.split(' ').map(|count| count.parse().unwrap()).collect();
        let [steps, conflicts, in_a_row, duplicates, keys_gone, prekeys_gone] = counts[..] else {
            panic!("{line}")
        };
        Some(Self { steps, conflicts, in_a_row, duplicates, keys_gone, prekeys_gone })
    }

    /// The counts of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            conflicts: self.conflicts + other.conflicts,
            in_a_row: self.in_a_row.max(other.in_a_row),
            duplicates: self.duplicates + other.duplicates,
            keys_gone: self.keys_gone + other.keys_gone,
            prekeys_gone: self.prekeys_gone + other.prekeys_gone,
        }
    }

    /// Envelopes that were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.duplicates + self.keys_gone + self.prekeys_gone
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, conflicts, in_a_row, duplicates, keys_gone, prekeys_gone } = self;
        write!(
            f,
            "{steps} steps, {conflicts} conflicts (at most {in_a_row} in a row), refused: {duplicates} as duplicates, \
             {keys_gone} without a key, {prekeys_gone} without a prekey"
        )
    }
}
