//! What is counted, under the disturbance that came last before it.

use std::collections::BTreeMap;

use outrigger::{Advice, OpenError, RetryAnswer, RetryOutcome};

/// What is done to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing yet.
    None,
    KilledBefore,
    KilledAfter,
    RolledBack,
    Restored,
    Cloned,
    RunDry,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::None,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::RolledBack,
        Self::Restored,
        Self::Cloned,
        Self::RunDry,
    ];
}

/// What followed on disturbances of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) times: u64,
    pub(crate) asked: u64,
    pub(crate) sent_again: u64,
    pub(crate) unanswered: u64,
    pub(crate) said_lost: u64,
    pub(crate) repaired: u64,
    pub(crate) duplicates: u64,
}

/// Everything that is counted on the way.
#[derive(Debug)]
pub(crate) struct Tally {
    last: Kind,
    by_kind: BTreeMap<Kind, Counts>,
    /// The messages that left their sender, each with its line. Not known to any device.
    pub(crate) out: BTreeMap<Vec<u8>, u32>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { last: Kind::None, by_kind: BTreeMap::new(), out: BTreeMap::new() }
    }

    pub(crate) fn disturbed(&mut self, kind: Kind) {
        self.last = kind;
        add(&mut self.counts().times);
    }

    pub(crate) fn refused(&mut self, error: &OpenError) {
        if *error == OpenError::Duplicate || error.advice() == Advice::Drop {
            add(&mut self.counts().duplicates);
        }
    }

    pub(crate) fn asked(&mut self, asked: bool) {
        if asked {
            add(&mut self.counts().asked);
        }
    }

    pub(crate) fn answered(&mut self, answer: &RetryAnswer) {
        let counts = self.counts();
        match answer.outcome {
            RetryOutcome::Again => add(&mut counts.sent_again),
            RetryOutcome::Lost => add(&mut counts.said_lost),
        }
        if answer.restarted {
            add(&mut counts.repaired);
        }
    }

    pub(crate) fn unanswered(&mut self) {
        add(&mut self.counts().unanswered);
    }

    /// An envelope of a line left its sender.
    pub(crate) fn went_out(&mut self, line: u32, message: Vec<u8>) {
        self.out.entry(message).or_insert(line);
    }

    pub(crate) fn of(&self, kind: Kind) -> Counts {
        self.by_kind.get(&kind).copied().unwrap_or_default()
    }

    fn counts(&mut self) -> &mut Counts {
        self.by_kind.entry(self.last).or_default()
    }
}

pub(crate) fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
