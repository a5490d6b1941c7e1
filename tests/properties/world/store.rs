//! A store that can be cloned, compared byte for byte and tampered with.

use std::{collections::BTreeMap, convert::Infallible, fmt};

use outrigger::{Record, RecordKey, RecordKind, Rejected, Revision, Write};

/// Records with their revisions. A clone is a snapshot, or what a thief carries away.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Store(pub(crate) BTreeMap<RecordKey, (Revision, Vec<u8>)>);

impl Store {
    pub(crate) fn load(&self, key: &RecordKey) -> Option<Record> {
        self.0.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone()))
    }

    /// Compare and swap of all writes, or of none.
    pub(crate) fn apply(&mut self, writes: &[Write]) -> Result<(), Rejected<Infallible>> {
        let stale =
            |write: &Write| self.0.get(write.key()).map(|(revision, _)| *revision) != write.replaces();
        if writes.iter().any(stale) {
            return Err(Rejected::Conflict);
        }
        for write in writes {
            match write.bytes() {
                Some(bytes) => self.0.insert(*write.key(), (write.revision(), bytes.to_vec())),
                None => self.0.remove(write.key()),
            };
        }
        Ok(())
    }

    /// The records of a kind, in the order of their keys.
    pub(crate) fn of(&self, kind: RecordKind) -> impl Iterator<Item = (&RecordKey, &Vec<u8>)> {
        self.0.iter().filter(move |(key, _)| key.kind() == kind).map(|(key, (_, bytes))| (key, bytes))
    }

    pub(crate) fn count(&self, kind: RecordKind) -> usize {
        self.of(kind).count()
    }

    /// Bytes of all records together.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Whether any record holds these bytes.
    pub(crate) fn holds(&self, needle: &[u8]) -> bool {
        self.0.values().any(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle))
    }

    /// The same records without their revisions: what they say, however often they were written.
    pub(crate) fn contents(&self) -> BTreeMap<RecordKey, Vec<u8>> {
        self.0.iter().map(|(key, (_, bytes))| (*key, bytes.clone())).collect()
    }

    /// Replaces the bytes of a record, as a damaged disk does.
    pub(crate) fn tamper(&mut self, key: &RecordKey, bytes: Vec<u8>) {
        self.0.get_mut(key).unwrap().1 = bytes;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(key, (revision, bytes))| (key, revision, bytes.len())))
            .finish()
    }
}
