//! What is checked: how many messages, what may go wrong, and which fault is planted.

use outrigger::Limits;

use crate::{device::Who, world::Budget};

/// A fault of the app or of a store, planted to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The envelope leaves before its step is stored, and the device dies.
    ReleaseBeforeStore,
    /// A retry deletes the session that it archives.
    RetryDeletes,
}

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    /// Messages that A and B say at the most, all times together.
    pub(crate) says: [u8; 2],
    pub(crate) budget: Budget,
    pub(crate) limits: Limits,
    /// Whether B's texts are kept for a retry; A's are.
    pub(crate) b_keeps: bool,
    pub(crate) fault: Option<Fault>,
}

pub(crate) const NOTHING: Budget = Budget { doubles: 0, losses: 0, crashes: 0, roll_backs: 0, recoveries: 0 };

impl Config {
    pub(crate) const fn new(name: &'static str, says: [u8; 2], budget: Budget) -> Self {
        Self { name, says, budget, limits: Limits::DEFAULT, b_keeps: true, fault: None }
    }

    /// No gap is followed, so that any message that comes early must be asked for.
    pub(crate) fn impatient(self) -> Self {
        Self { limits: Limits::DEFAULT.max_forward(0), ..self }
    }

    pub(crate) const fn with_fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    pub(crate) const fn b_keeps_nothing(self) -> Self {
        Self { b_keeps: false, ..self }
    }

    pub(crate) fn keeps(&self, who: Who) -> bool {
        who == Who::A || self.b_keeps
    }

    pub(crate) fn says(&self, who: Who) -> u8 {
        let [a, b] = self.says;
        if who == Who::A { a } else { b }
    }
}
