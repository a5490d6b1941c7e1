//! A device with a store that can be copied and put back, and a process that can be killed.

use std::{collections::BTreeMap, error::Error, fmt};

use getrandom::{SysRng, rand_core::UnwrapErr};
use outrigger::{
    AccountId, Address, Context, DeviceId, DriveError, Generation, Keep, Operation, PlanMessage,
    PrekeyUpload, Receive, Received, Record, RecordKey, RecordKind, Recover, Recovered, Register, Rejected,
    ReplenishPrekeys, Revision, SendToAccount, SentToAccount, Start, UnixMillis, VerifiedBundle, Write,
    drive,
};

use crate::server::Server;

/// Records. A clone is a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store(BTreeMap<RecordKey, (Revision, Vec<u8>)>);

/// Why nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Killed;

/// A device: its records, and the time by its clock.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) now: UnixMillis,
    pub(crate) store: Store,
    /// Whether the process is killed right before its next transaction is committed.
    pub(crate) killed: bool,
    generation: Generation,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl Store {
    fn load(&self, key: &RecordKey) -> Option<Record> {
        self.0.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone()))
    }

    /// Compare and swap of all writes, or of none.
    fn apply(&mut self, writes: &[Write]) -> Result<(), Rejected<Killed>> {
        let current = |write: &Write| self.0.get(write.key()).map(|(revision, _)| *revision);
        if writes.iter().any(|write| current(write) != write.replaces()) {
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

    pub(crate) fn count(&self, kind: RecordKind) -> usize {
        self.0.keys().filter(|key| key.kind() == kind).count()
    }

    /// The kinds of the records in which a text stands.
    pub(crate) fn holding(&self, text: &[u8]) -> Vec<RecordKind> {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        self.0.iter().filter(|(_, (_, bytes))| holds(bytes)).map(|(key, _)| key.kind()).collect()
    }
}

impl Device {
    /// A device with an empty store.
    pub(crate) fn new(address: Address, now: UnixMillis) -> Outcome<Self> {
        Ok(Self { address, now, store: Store::default(), killed: false, generation: new_generation()? })
    }

    /// A phone that the server knows.
    pub(crate) fn phone(name: &str, now: UnixMillis, server: &mut Server) -> Outcome<Self> {
        let account = AccountId::new(format!("{name:.<16}").as_bytes())?;
        let mut phone = Self::new(Address::new(account, DeviceId::PHONE), now)?;
        phone.run(&Register { address: phone.address })?;
        let upload = phone.replenish()?;
        server.publish(phone.address, &upload);
        Ok(phone)
    }

    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
    ) -> Result<O::Output, DriveError<O::Error, Killed>> {
        let (mut random, killed) = (UnwrapErr(SysRng), self.killed);
        drive(
            operation,
            &mut Context::new(self.now, self.generation, &mut random),
            &mut self.store,
            |store, key| Ok(store.load(key)),
            |store, writes, _| if killed { Err(Rejected::Failed(Killed)) } else { store.apply(writes) },
        )
    }

    fn replenish(&mut self) -> Outcome<PrekeyUpload> {
        Ok(self.run(&ReplenishPrekeys { one_time: 20 })?)
    }

    /// Puts a backup back, as its user does on another phone.
    pub(crate) fn restore(&mut self, backup: Store, server: &mut Server) -> Outcome<Recovered> {
        self.store = backup;
        self.generation = new_generation()?;
        let records: Vec<_> = self.store.0.keys().copied().collect();
        let recovered = self.run(&Recover { records: &records })?;
        let upload = self.replenish()?;
        server.publish(self.address, &upload);
        Ok(recovered)
    }

    /// Starts a session with a phone, from what the server has of it.
    pub(crate) fn start(&mut self, to: &Address, server: &mut Server) -> Outcome<()> {
        let bundle = server.bundle(to).ok_or("the server has no bundle")?;
        self.run(&Start { bundle: &VerifiedBundle::verify(&bundle, to)? })?;
        Ok(())
    }

    /// Sends to every device of an account, and posts the copies.
    pub(crate) fn send(&mut self, to: AccountId, text: &str, server: &mut Server) -> Outcome<SentToAccount> {
        let plan = self.run(&PlanMessage { to })?;
        let keep = Keep::ForRetry;
        let send = SendToAccount { plan: &plan, plaintext: text.as_bytes(), associated_data: &[], keep };
        let sent = self.run(&send)?;
        server.post_all(self.address, &sent);
        Ok(sent)
    }

    pub(crate) fn receive(
        &mut self,
        from: Address,
        envelope: &[u8],
    ) -> Result<Received, DriveError<outrigger::OpenError, Killed>> {
        self.run(&Receive { from, envelope, associated_data: &[] })
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process was killed")
    }
}

impl Error for Killed {}

fn new_generation() -> Outcome<Generation> {
    let mut generation = [0; 16];
    getrandom::fill(&mut generation)?;
    Ok(Generation(generation))
}
