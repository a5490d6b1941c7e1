//! Where a device dies by its own hand, so that the few microseconds that matter are met more often than by chance.

use std::{fmt, process};

/// A moment of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The step is there, no transaction is.
    BeforeTransaction,
    /// The transaction is open; of the step's writes the first is made.
    BetweenWrites,
    /// All is written, the app's rows too, and nothing committed.
    BeforeCommit,
    /// All is committed, and the output has reached nobody.
    AfterCommit,
}

impl Moment {
    pub(crate) const ALL: [Self; 4] =
        [Self::BeforeTransaction, Self::BetweenWrites, Self::BeforeCommit, Self::AfterCommit];
}

/// A death that is planned: in the how-manieth step, at which moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) step: u64,
    pub(crate) moment: Moment,
}

impl Crash {
    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (step, moment) = text.split_once(' ')?;
        let moment = Moment::ALL.into_iter().find(|known| format!("{known:?}") == moment)?;
        Some(Self { step: step.parse().ok()?, moment })
    }

    /// Dies, if this is the place: without a word to anyone, and without closing anything.
    pub(crate) fn here(self, step: u64, moment: Moment) {
        if self.step == step && self.moment == moment {
            process::abort();
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.step, self.moment)
    }
}
