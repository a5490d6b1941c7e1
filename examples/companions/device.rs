//! A device with its store, and what its app does to reach an account: mend what the plan names, then send.

use std::{convert::Infallible, error::Error};

use getrandom::{SysRng, rand_core::UnwrapErr};
use outrigger::{
    AccountId, Address, Content, Context, DescribeDevices, DeviceChange, DeviceId, DriveError, Generation,
    Keep, LearnDevices, MemoryStore, Operation, PlanMessage, PrekeyUpload, Receive, Received, Register,
    ReplenishPrekeys, SendToAccount, SentToAccount, Start, UnixMillis, VerifiedBundle,
};

use crate::server::Server;

/// A device: its records, and the time by its clock.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) now: UnixMillis,
    generation: Generation,
    store: MemoryStore,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl Device {
    /// A device with an empty store.
    pub(crate) fn new(address: Address, now: UnixMillis) -> Outcome<Self> {
        let mut generation = [0; 16];
        getrandom::fill(&mut generation)?;
        Ok(Self { address, now, generation: Generation(generation), store: MemoryStore::new() })
    }

    /// A phone that the server knows.
    pub(crate) fn phone(name: &str, now: UnixMillis, server: &mut Server) -> Outcome<Self> {
        let account = AccountId::new(format!("{name:.<16}").as_bytes())?;
        let mut phone = Self::new(Address::new(account, DeviceId::PHONE), now)?;
        phone.run(&Register { address: phone.address })?;
        let upload = phone.replenish()?;
        server.publish(phone.address, &upload, &[]);
        Ok(phone)
    }

    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
    ) -> Result<O::Output, DriveError<O::Error, Infallible>> {
        let mut random = UnwrapErr(SysRng);
        self.store.run(operation, &mut Context::new(self.now, self.generation, &mut random))
    }

    pub(crate) fn replenish(&mut self) -> Outcome<PrekeyUpload> {
        Ok(self.run(&ReplenishPrekeys { one_time: 20 })?)
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
    ) -> Result<Received, DriveError<outrigger::OpenError, Infallible>> {
        self.run(&Receive { from, envelope, associated_data: &[] })
    }

    /// Opens all that waits at the server; the texts, in order.
    pub(crate) fn fetch(&mut self, server: &mut Server) -> Outcome<Vec<String>> {
        let mut texts = Vec::new();
        for mail in server.fetch(&self.address) {
            let received = self.receive(mail.from, &mail.envelope)?;
            let text = String::from_utf8_lossy(received.content.text().unwrap_or_default());
            let by_own = matches!(received.content, Content::SentByOwn { .. });
            texts.push(if by_own { format!("(sent) {text}") } else { text.into_owned() });
        }
        Ok(texts)
    }
}
