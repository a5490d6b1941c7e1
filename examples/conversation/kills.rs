//! When which device is killed: in each of the four moments that matter, spread over the conversation.

use std::collections::VecDeque;

use crate::{store::CrashPoint, who::Who};

/// What a device is doing as it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Say,
    Hear,
}

/// A planned death.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// Not before this line has been said.
    pub(crate) from_line: u64,
    pub(crate) act: Act,
    pub(crate) point: CrashPoint,
}

impl Kill {
    /// What is said of it.
    pub(crate) fn describe(self, who: Who, line: u32) -> String {
        let name = who.name();
        match (self.act, self.point) {
            (Act::Say, CrashPoint::BeforeCommit) => {
                format!("{name}, before message {line} was committed: it has not been said")
            }
            (Act::Say, CrashPoint::AfterCommit) => {
                format!("{name}, after message {line} was committed, before it was sent")
            }
            (Act::Hear, CrashPoint::BeforeCommit) => {
                format!("{name}, opening message {line}, before the commit: it has not been opened")
            }
            (Act::Hear, CrashPoint::AfterCommit) => {
                format!("{name}, after message {line} was committed, before the receipt")
            }
        }
    }
}

/// Eight deaths, evenly spread: each device in each of the four moments.
const PLAN: [(Who, Act, CrashPoint); 8] = [
    (Who::Alice, Act::Say, CrashPoint::AfterCommit),
    (Who::Bob, Act::Hear, CrashPoint::BeforeCommit),
    (Who::Bob, Act::Say, CrashPoint::BeforeCommit),
    (Who::Alice, Act::Hear, CrashPoint::AfterCommit),
    (Who::Bob, Act::Hear, CrashPoint::AfterCommit),
    (Who::Alice, Act::Say, CrashPoint::BeforeCommit),
    (Who::Alice, Act::Hear, CrashPoint::BeforeCommit),
    (Who::Bob, Act::Say, CrashPoint::AfterCommit),
];

/// The deaths of one device in a conversation of so many lines. In a very short one there may be no moment left for some.
pub(crate) fn kills(who: Who, lines: u64) -> VecDeque<Kill> {
    (1..)
        .zip(PLAN)
        .filter(|(_, (whose, ..))| *whose == who)
        .map(|(ninths, (_, act, point))| Kill { from_line: lines.saturating_mul(ninths) / 9, act, point })
        .collect()
}
