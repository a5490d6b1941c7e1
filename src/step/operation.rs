//! The trait of all operations, and the step that each returns.

use alloc::vec::Vec;
use core::fmt;

use super::{Advise, Context, Loaded, Needs, RecordKey, Revision};
use crate::primitives::SecretBytes;

/// Closes [`Operation`] to other crates.
pub trait Sealed {}

/// An act of a device as a value. `run` is pure: the same operation can be run any number of times, and only a committed step has happened.
pub trait Operation: Sealed {
    /// What the app gets once the step is stored.
    type Output;
    /// Why it can be refused. An error means that nothing has changed.
    type Error: core::error::Error + Advise;

    /// Runs the operation on what was loaded: it asks for more, or returns the step. It settles in at most three rounds,
    /// unless it says otherwise of itself.
    ///
    /// What is loaded for one run must be of one moment: load all rounds in one read transaction, or look again with [`Loaded::is_unchanged`] before you believe a
    /// refusal. (A step needs no such care: its writes name what they replace.)
    ///
    /// # Errors
    /// The operation's own; nothing has changed then.
    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Self::Output>, Self::Error>;
}

/// What a run came to.
#[derive(Debug)]
#[must_use = "answer the needs, or commit the step"]
pub enum Run<T> {
    /// Records must be loaded first: [`Loaded::answer`], then run again.
    Needs(Needs),
    /// Done, once it is stored.
    Done(Step<T>),
}

/// One change of a record: the new bytes, or its removal, and the revision that it replaces. A removal always replaces one.
#[derive(Debug)]
pub struct Write {
    key: RecordKey,
    replaces: Option<Revision>,
    bytes: Option<SecretBytes>,
}

impl Write {
    pub(crate) fn new(key: RecordKey, replaces: Option<Revision>, bytes: Option<SecretBytes>) -> Self {
        Self { key, replaces, bytes }
    }

    /// Which record.
    #[must_use]
    pub fn key(&self) -> &RecordKey {
        &self.key
    }

    /// The revision that must be in the store now; `None`: the record must be absent. Anything else there is a conflict, and none of the step's writes may be stored.
    #[must_use]
    pub fn replaces(&self) -> Option<Revision> {
        self.replaces
    }

    /// The revision to store with the new bytes.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.replaces.map_or(Revision::FIRST, Revision::next)
    }

    /// The new bytes, secret; `None`: the record is to be removed.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// This write after `earlier` of the same record: what the store holds is still what `earlier` replaced.
    pub(crate) fn after(self, earlier: &Self) -> Self {
        Self { replaces: earlier.replaces, ..self }
    }
}

/// The outcome of an operation: writes to be stored in one transaction, and an output that only a store releases.
#[must_use = "commit it: nothing has happened until its writes are stored"]
pub struct Step<T> {
    pub(crate) writes: Vec<Write>,
    pub(crate) output: T,
}

impl<T> Step<T> {
    /// The writes are put into the order of their keys, so that two steps in a store that locks rows wait for each other and never both.
    pub(crate) fn new(mut writes: Vec<Write>, output: T) -> Self {
        #[expect(clippy::unnecessary_sort_by, reason = "keys are long: by key, each comparison copies two")]
        writes.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Self { writes, output }
    }

    /// Stores the writes, and whatever of the output the app wants to keep, by one transaction of the app's own; `Ok` releases the output.
    ///
    /// # Errors
    /// The store's own. The output is dropped unseen; run the operation again.
    pub fn commit<E>(self, store: impl FnOnce(&[Write], &T) -> Result<(), E>) -> Result<T, E> {
        store(&self.writes, &self.output)?;
        Ok(self.output)
    }

    /// For stores that are asynchronous: the writes, and the output behind a door that names its condition.
    pub fn split(self) -> (Vec<Write>, Held<T>) {
        (self.writes, Held(self.output))
    }
}

impl<T> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({} writes, output held)", self.writes.len())
    }
}

/// An output that waits for the store.
#[must_use = "release it once the writes are stored; drop it if they were not"]
pub struct Held<T>(T);

impl<T> Held<T> {
    /// The output, for the rows that the app makes of it in the step's own transaction. Until that is durable it goes nowhere else.
    #[must_use]
    pub fn to_store(&self) -> &T {
        &self.0
    }

    /// Releases the output. Call it only after the transaction with the step's writes is durable: a message released before, and a crash, use a key twice.
    pub fn release_after_store(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(output)")
    }
}
