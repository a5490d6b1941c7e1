//! A device with its store, and what its app does to reach an account: mend what the plan names, then send.

use std::{collections::BTreeMap, convert::Infallible, error::Error};

use getrandom::{SysRng, rand_core::UnwrapErr};
use outrigger::{
    AccountId, Address, Context, DescribeDevices, DeviceChange, DeviceId, DriveError, Generation, Keep,
    LearnDevices, OpenError, Operation, PlanMessage, PrekeyUpload, Receive, Received, Record, RecordKey,
    Register, Rejected, ReplenishPrekeys, Revision, SendToAccount, SentToAccount, Start, UnixMillis,
    VerifiedBundle, Write, drive,
};

use crate::server::Server;

/// Records. A clone is a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store(pub(crate) BTreeMap<RecordKey, (Revision, Vec<u8>)>);

/// A device: its records, and the time by its clock.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) now: UnixMillis,
    pub(crate) store: Store,
    pub(crate) generation: Generation,
}

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

impl Store {
    fn load(&self, key: &RecordKey) -> Option<Record> {
        self.0.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone()))
    }

    /// Compare and swap of all writes, or of none.
    fn apply<E>(&mut self, writes: &[Write]) -> Result<(), Rejected<E>> {
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
}

impl Device {
    /// A device with an empty store.
    pub(crate) fn new(address: Address, now: UnixMillis) -> Outcome<Self> {
        Ok(Self { address, now, store: Store::default(), generation: new_generation()? })
    }

    /// A phone that the server knows.
    pub(crate) fn phone(name: &str, now: UnixMillis, server: &mut Server) -> Outcome<Self> {
        let account = AccountId::new(format!("{name:.<16}").as_bytes())?;
        let mut phone = Self::new(Address::new(account, DeviceId::PHONE), now)?;
        phone.run(&Register { address: phone.address })?;
        phone.publish(None, server)?;
        Ok(phone)
    }

    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
    ) -> Result<O::Output, DriveError<O::Error, Infallible>> {
        self.run_by(operation, Store::apply)
    }

    /// The same, with another way to commit.
    pub(crate) fn run_by<O: Operation, E>(
        &mut self,
        operation: &O,
        commit: impl Fn(&mut Store, &[Write]) -> Result<(), Rejected<E>>,
    ) -> Result<O::Output, DriveError<O::Error, E>> {
        let mut random = UnwrapErr(SysRng);
        drive(
            operation,
            &mut Context::new(self.now, self.generation, &mut random),
            &mut self.store,
            |store, key| Ok(store.load(key)),
            |store, writes, _| commit(store, writes),
        )
    }

    /// Makes prekeys, for the server; a companion with its certificate.
    pub(crate) fn publish(&mut self, certificate: Option<&[u8]>, server: &mut Server) -> Outcome<()> {
        let upload: PrekeyUpload = self.run(&ReplenishPrekeys { one_time: 20 })?;
        server.publish(self.address, &upload, certificate);
        Ok(())
    }

    /// Fetches an account's list, where the server has one; what has changed.
    pub(crate) fn learn(&mut self, account: AccountId, server: &Server) -> Outcome<Vec<DeviceChange>> {
        match server.list(&account) {
            Some(list) => Ok(self.run(&LearnDevices { account, list })?.changes),
            None => Ok(Vec::new()),
        }
    }

    /// Starts a session with a device, from what the server has of it.
    pub(crate) fn start(&mut self, to: &Address, server: &mut Server) -> Outcome<()> {
        let (bundle, certificate) = server.bundle(to).ok_or("the server has no bundle")?;
        let verified = if to.device == DeviceId::PHONE {
            VerifiedBundle::verify(&bundle, to)?
        } else {
            let list = self.run(&DescribeDevices { account: to.account })?.list.ok_or("no list")?;
            VerifiedBundle::verify_companion(&bundle, &certificate, to, &list)?
        };
        self.run(&Start { bundle: &verified })?;
        Ok(())
    }

    /// Sends to every device of an account and to the own other ones, and posts the copies.
    pub(crate) fn send(&mut self, to: AccountId, text: &str, server: &mut Server) -> Outcome<SentToAccount> {
        for account in self.run(&PlanMessage { to })?.stale {
            // Where no newer list is to be had, the companions are left out.
            let _ = self.learn(account, server);
        }
        for address in self.run(&PlanMessage { to })?.missing {
            self.start(&address, server)?;
        }
        let plan = self.run(&PlanMessage { to })?;
        let plaintext = text.as_bytes();
        let send = SendToAccount { plan: &plan, plaintext, associated_data: &[], keep: Keep::ForRetry };
        let sent = self.run(&send)?;
        server.post_all(self.address, &sent);
        Ok(sent)
    }

    pub(crate) fn receive(
        &mut self,
        from: Address,
        envelope: &[u8],
    ) -> Result<Received, DriveError<OpenError, Infallible>> {
        self.run(&Receive { from, envelope, associated_data: &[] })
    }
}

/// What tells a store from one that was restored or copied; kept outside backups.
pub(crate) fn new_generation() -> Outcome<Generation> {
    let mut generation = [0; 16];
    getrandom::fill(&mut generation)?;
    Ok(Generation(generation))
}
