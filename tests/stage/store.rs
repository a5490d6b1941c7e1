//! A store that can be cloned, and a random source that goes on with a world and not with a store.

use std::{collections::BTreeMap, convert::Infallible};

use outrigger::{Context, Loaded, Operation, Record, RecordKey, Revision, Run, Write};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// The records of a store.
pub(crate) type Records = BTreeMap<RecordKey, (Revision, Vec<u8>)>;

/// Runs an operation to its step, which nothing has stored yet.
pub(crate) fn prepare<O: Operation>(
    records: &Records,
    operation: &O,
    context: &mut Context<'_>,
) -> Result<(Vec<Write>, O::Output), O::Error> {
    let mut have = Loaded::new();
    loop {
        match operation.run(&have, context)? {
            Run::Needs(needs) => {
                let load = |key: &RecordKey| {
                    let record = records.get(key);
                    Ok::<_, Infallible>(record.map(|(revision, bytes)| Record::new(*revision, bytes.clone())))
                };
                have.answer(needs, load).unwrap();
            }
            Run::Done(step) => {
                let (writes, held) = step.split();
                return Ok((writes, held.release_after_store()));
            }
        }
    }
}

/// Stores a step's writes.
pub(crate) fn store(records: &mut Records, writes: &[Write]) {
    for write in writes {
        let current = records.get(write.key()).map(|(revision, _)| *revision);
        assert_eq!(current, write.replaces(), "a conflict in a store with one process");
        match write.bytes() {
            Some(bytes) => {
                records.insert(*write.key(), (write.revision(), bytes.to_vec()));
            }
            None => {
                records.remove(write.key());
            }
        }
    }
}

/// SHA-256 of a counter of the world's: never the same bytes twice on one path.
pub(crate) struct Counting<'a>(pub(crate) &'a mut u64);

impl TryRng for Counting<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            *self.0 += 1;
            chunk.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting<'_> {}
