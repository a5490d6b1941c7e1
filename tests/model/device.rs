//! A device of the model: real records, and the app's own tables beside them, committed together.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    AccountId, Address, Context, DeviceId, Diagnose, Generation, Limits, Operation, Report, UnixMillis, Write,
};

use crate::{
    chosen::chosen,
    store::{Counting, Records, prepare, store},
    view::DatabaseView,
};

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
    pub(crate) records: Records,
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
        self.prepare_on(&self.database.records, operation, limits, draws)
    }

    /// What it reports of its peer.
    pub(crate) fn report(&self, limits: Limits) -> Report {
        self.report_of(&self.database.records, limits)
    }

    /// The same once a step is stored, which it may never be.
    pub(crate) fn report_after(&self, writes: &[Write], limits: Limits) -> Report {
        let mut records = self.database.records.clone();
        store(&mut records, writes);
        self.report_of(&records, limits)
    }

    fn report_of(&self, records: &Records, limits: Limits) -> Report {
        let diagnose = Diagnose { peer: self.who.peer().address() };
        self.prepare_on(records, &diagnose, limits, &mut 0).unwrap().1
    }

    fn prepare_on<O: Operation>(
        &self,
        records: &Records,
        operation: &O,
        limits: Limits,
        draws: &mut u64,
    ) -> Result<(Vec<Write>, O::Output), O::Error> {
        let mut source = Counting(draws);
        let now = UnixMillis(1_800_000_000_000);
        let generation = Generation([self.generation; 16]);
        let mut context = chosen(Context::new(now, generation, &mut source)).with_limits(limits);
        prepare(records, operation, &mut context)
    }

    /// Stores a step's writes and changes the app's tables, in one transaction.
    pub(crate) fn commit(&mut self, writes: &[Write], tables: impl FnOnce(&mut Database)) {
        self.history.push((self.database.clone(), self.view.clone()));
        store(&mut self.database.records, writes);
        tables(&mut self.database);
    }
}
