//! The ritual as one call, for stores that can be called directly.

use core::fmt;

use super::{Advice, Advise, Context, Loaded, Operation, Record, RecordKey, Run, Write};

/// Runs of an operation before [`drive`] gives up on a store where other processes always win.
const MAX_CONFLICTS: u32 = 32;

/// Why a store did not take a step's writes. None of them was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected<E> {
    /// A record was not at the revision that its write replaces: another process was faster.
    Conflict,
    /// The store failed.
    Failed(E),
}

impl<E> From<E> for Rejected<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

/// Why [`drive`] came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveError<O, E> {
    /// The operation was refused; nothing has changed.
    Refused(O),
    /// The store failed; nothing has changed, if the store keeps to its own transaction.
    Store(E),
    /// Other processes were faster 32 times in a row; nothing has changed.
    Conflicts,
}

impl<O: Advise, E> DriveError<O, E> {
    /// What the app does next; `None` where its store is the cause.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            Self::Refused(error) => Some(error.advice()),
            Self::Store(_) | Self::Conflicts => None,
        }
    }
}

impl<O: fmt::Display, E: fmt::Display> fmt::Display for DriveError<O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "refused: {error}"),
            Self::Store(error) => write!(f, "the store failed: {error}"),
            Self::Conflicts => f.write_str("other processes always changed the records first"),
        }
    }
}

impl<O: core::error::Error, E: core::error::Error> core::error::Error for DriveError<O, E> {}

/// Runs an operation to its end over a store: loads what it needs, commits its step, and on a conflict loads afresh and runs it again with fresh randomness.
///
/// `load` reads one record (`None`: absent). `store` applies all writes, and whatever of the output the app keeps, in one transaction, or none of them; it
/// answers [`Rejected::Conflict`] where a record is not at the revision that its write replaces. Where many processes share a store, it waits a little before it answers so,
/// by chance and longer each time.
///
/// # Errors
/// [`DriveError`]. The output of a step that was not stored is dropped unseen.
pub fn drive<O: Operation, S, E>(
    operation: &O,
    context: &mut Context<'_>,
    database: &mut S,
    mut load: impl FnMut(&mut S, &RecordKey) -> Result<Option<Record>, E>,
    mut store: impl FnMut(&mut S, &[Write], &O::Output) -> Result<(), Rejected<E>>,
) -> Result<O::Output, DriveError<O::Error, E>> {
    for _ in 0..MAX_CONFLICTS {
        let mut have = Loaded::new();
        let mut rounds = 0_u32;
        let step = loop {
            match operation.run(&have, context) {
                Ok(Run::Needs(needs)) => {
                    rounds = rounds.saturating_add(1);
                    have.answer(needs, |key| load(database, key)).map_err(DriveError::Store)?;
                }
                Ok(Run::Done(step)) => break Some(step),
                Err(error) => {
                    let sound = rounds < 2
                        || have.is_unchanged(|key| load(database, key)).map_err(DriveError::Store)?;
                    if sound {
                        return Err(DriveError::Refused(error));
                    }
                    break None;
                }
            }
        };
        let Some(step) = step else { continue };
        match step.commit(|writes, output| store(database, writes, output)) {
            Ok(output) => return Ok(output),
            Err(Rejected::Conflict) => {}
            Err(Rejected::Failed(error)) => return Err(DriveError::Store(error)),
        }
    }
    Err(DriveError::Conflicts)
}
