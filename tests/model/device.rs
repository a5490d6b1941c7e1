//! A device of the model: real records, and the app's own tables beside them, committed together.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use outrigger::{
    AccountId, Address, Context, DeviceId, Generation, Limits, Loaded, Operation, Record, RecordKey,
    Revision, Run, UnixMillis, Write,
};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::view::DatabaseView;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    A,
    B,
}

impl Who {
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(crate) fn address(self) -> Address {
        let id = match self {
            Self::A => b"account of the a",
            Self::B => b"account of the b",
        };
        Address::new(AccountId::new(id).unwrap(), DeviceId::PHONE)
    }
}

/// A message as its people know it: who said it, the how many-th, and how often the speaker's store had gone back before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Message {
    pub(crate) by: Who,
    pub(crate) number: u8,
    pub(crate) epoch: u8,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Packet {
    Envelope { message: Message, bytes: Vec<u8> },
    Request { message: Message, bytes: Vec<u8> },
}

impl Packet {
    pub(crate) fn message(&self) -> Message {
        match self {
            Self::Envelope { message, .. } | Self::Request { message, .. } => *message,
        }
    }
}

/// The database: everything in it goes back together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) records: BTreeMap<RecordKey, (Revision, Vec<u8>)>,
    /// What is not acknowledged, and whether the network has it.
    pub(crate) outbox: BTreeMap<Packet, bool>,
    pub(crate) inbox: BTreeSet<Message>,
    /// What was said.
    pub(crate) spoken: BTreeSet<Message>,
    /// Envelopes that were opened: with the counters in a report they tell which skipped keys there are, and which digests.
    pub(crate) opened: BTreeSet<Vec<u8>>,
    /// Envelopes whose copies are held.
    pub(crate) copies: BTreeMap<Vec<u8>, Message>,
    /// Envelopes that were asked for.
    pub(crate) asked: BTreeSet<Vec<u8>>,
    /// Requests whose message has not come: they can be sent again.
    pub(crate) pending: BTreeSet<Packet>,
}

/// A device.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) who: Who,
    pub(crate) generation: u8,
    pub(crate) database: Database,
    /// What the database was before each commit so far, for roll-backs, and how that looked.
    pub(crate) history: Vec<(Database, DatabaseView)>,
    /// How the database looks.
    pub(crate) view: DatabaseView,
    /// How many messages it has said, in all times together.
    pub(crate) said: u8,
    /// How often it went back.
    pub(crate) epoch: u8,
    /// What its user was shown, with the epoch: no roll-back takes that away.
    pub(crate) shown: BTreeMap<(Message, u8), u8>,
    /// What its user was told is lost.
    pub(crate) lost: BTreeSet<Message>,
    /// What it had asked for when its store went back: it has acknowledged the envelope, and knows of it no more.
    pub(crate) forgotten: BTreeSet<Message>,
}

impl Device {
    pub(crate) fn new(who: Who) -> Self {
        Self {
            who,
            generation: 1,
            database: Database::default(),
            history: Vec::new(),
            view: DatabaseView::default(),
            said: 0,
            epoch: 0,
            shown: BTreeMap::new(),
            lost: BTreeSet::new(),
            forgotten: BTreeSet::new(),
        }
    }

    /// Runs an operation to its step, which nothing has stored yet. The random source goes on with the world, whatever a store goes back to.
    pub(crate) fn prepare<O: Operation>(
        &self,
        operation: &O,
        limits: Limits,
        draws: &mut u64,
    ) -> Result<(Vec<Write>, O::Output), O::Error> {
        let mut source = Counting(draws);
        let now = UnixMillis(1_800_000_000_000);
        let generation = Generation([self.generation; 16]);
        let mut context = Context::new(now, generation, &mut source).with_limits(limits);
        let mut have = Loaded::new();
        loop {
            match operation.run(&have, &mut context)? {
                Run::Needs(needs) => {
                    let load = |key: &RecordKey| {
                        let record = self.database.records.get(key);
                        Ok::<_, Infallible>(
                            record.map(|(revision, bytes)| Record::new(*revision, bytes.clone())),
                        )
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

    /// Stores a step's writes and changes the app's tables, in one transaction.
    pub(crate) fn commit(&mut self, writes: &[Write], tables: impl FnOnce(&mut Database)) {
        self.history.push((self.database.clone(), self.view.clone()));
        for write in writes {
            let current = self.database.records.get(write.key()).map(|(revision, _)| *revision);
            assert_eq!(current, write.replaces(), "a conflict in a store with one process");
            match write.bytes() {
                Some(bytes) => {
                    self.database.records.insert(*write.key(), (write.revision(), bytes.to_vec()));
                }
                None => {
                    self.database.records.remove(write.key());
                }
            }
        }
        tables(&mut self.database);
    }
}

/// SHA-256 of a counter of the world's: never the same bytes twice on one path.
struct Counting<'a>(&'a mut u64);

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
