//! A store in memory, for tests and first steps.

use alloc::collections::BTreeMap;
use core::convert::Infallible;

use super::{Context, DriveError, Operation, Record, RecordKey, Rejected, Revision, Write, drive};
use crate::primitives::SecretBytes;

/// Records in memory, with the compare-and-swap that a real store does in one transaction. Lost when dropped.
#[derive(Debug, Default)]
pub struct MemoryStore(BTreeMap<RecordKey, (Revision, SecretBytes)>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The record under a key.
    #[must_use]
    pub fn load(&self, key: &RecordKey) -> Option<Record> {
        self.0.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.to_vec()))
    }

    /// Applies all writes or none.
    ///
    /// # Errors
    /// [`Rejected::Conflict`]: a record is not at the revision that its write replaces.
    pub fn apply(&mut self, writes: &[Write]) -> Result<(), Rejected<Infallible>> {
        let current = |write: &Write| self.0.get(write.key()).map(|(revision, _)| *revision);
        if writes.iter().any(|write| current(write) != write.replaces()) {
            return Err(Rejected::Conflict);
        }
        for write in writes {
            match write.bytes() {
                Some(bytes) => {
                    let record = (write.revision(), SecretBytes::new(bytes.to_vec()));
                    self.0.insert(*write.key(), record);
                }
                None => {
                    self.0.remove(write.key());
                }
            }
        }
        Ok(())
    }

    /// Runs an operation over this store; see [`drive`].
    ///
    /// # Errors
    /// The operation's own.
    pub fn run<O: Operation>(
        &mut self,
        operation: &O,
        context: &mut Context<'_>,
    ) -> Result<O::Output, DriveError<O::Error, Infallible>> {
        drive(
            operation,
            context,
            self,
            |store, key| Ok(store.load(key)),
            |store, writes, _| store.apply(writes),
        )
    }

    /// All records in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&RecordKey, Revision, &[u8])> {
        self.0.iter().map(|(key, (revision, bytes))| (key, *revision, &**bytes))
    }
}
