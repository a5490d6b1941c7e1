//! Two devices with their stores, and what their steps allocate.

use std::convert::Infallible;

use outrigger::{
    AccountId, Address, ConfirmLink, Consent, Consequence, Context, ContinueLinking, DeviceId, DeviceList,
    Generation, GrantLink, Headers, Keep, LearnDevices, LinkProgress, Loaded, MemoryStore, OpenError,
    Operation, Receive, Received, Register, ReplenishPrekeys, Run, ScanLinkCode, Send, Sent, ShowLinkCode,
    Start, Step, SuitePolicy, UnixMillis, VerifiedBundle,
};
use rand_core::{TryCryptoRng, TryRng};

use crate::counting::{Cost, counted};

/// Bound by every message.
pub(crate) const BOUND: &[u8; 16] = b"conversation 042";
/// One-time prekeys, and so sessions, of a world.
pub(crate) const SESSIONS: u16 = 24;

/// A generator for tests of size only: splitmix64.
pub(crate) struct Source(pub(crate) u64);

impl TryRng for Source {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|value| (value >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            let value = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&value[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Source {}

/// A device, its store and its random source.
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) store: MemoryStore,
    /// Bytes that the last operation loaded.
    pub(crate) loaded: usize,
    /// Of the sessions that it starts.
    pub(crate) headers: Headers,
    source: Source,
    now: u64,
}

impl Device {
    /// With the longest account id, so that keys are as long as they can be.
    pub(crate) fn new(name: u8) -> Self {
        let mut device = Self::empty(name, u64::from(name));
        device.run(&Register { address: device.address });
        device
    }

    fn empty(name: u8, seed: u64) -> Self {
        let address = Address::new(AccountId::new(&[name; 64]).unwrap(), DeviceId::PHONE);
        let headers = Headers::Plain;
        Self { address, store: MemoryStore::new(), loaded: 0, headers, source: Source(seed), now: 1_000 }
    }

    /// Links four companions; the last list.
    fn fill(&mut self) -> DeviceList {
        (0..3).for_each(|number| drop(self.link(number)));
        self.link(3).list
    }

    /// Links a companion; what a server has of it: bundle and certificate, and the account's list.
    pub(crate) fn link(&mut self, number: u8) -> Companion {
        let mut companion = Self::empty(self.address.account.as_bytes()[0], 1_000 + u64::from(number));
        companion.now = self.now;
        let code = companion.run(&ShowLinkCode);
        let request = self.run(&ScanLinkCode { code: code.text() });
        let consequence = Consequence::ReadsAndSpeaksForTheAccount;
        let consent = Consent { companion: request.companion, consequence };
        let grant = self.run(&GrantLink { reference: request.reference, consent });
        let progress = companion.run(&ContinueLinking { message: &grant });
        let LinkProgress::Confirm { confirmation, .. } = progress else { panic!("{progress:?}") };
        let linked = self.run(&ConfirmLink { confirmation: &confirmation });
        let progress = companion.run(&ContinueLinking { message: &linked.acknowledgement });
        let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
        let bundle = companion.run(&ReplenishPrekeys { one_time: 0 }).bundle;
        Companion { address: linked.device, bundle, certificate: joined.certificate, list: linked.list }
    }

    /// Of X3DH, which the limits are of; a KEM changes what the first messages of a session cost, and nothing after them.
    fn context<'a>(source: &'a mut Source, now: &mut u64, headers: Headers) -> Context<'a> {
        *now += 1;
        let context = Context::new(UnixMillis(*now), Generation([1; 16]), source);
        context.with_suites(SuitePolicy::Classic).with_headers(headers)
    }

    /// Load, step, save.
    pub(crate) fn run<O: Operation>(&mut self, operation: &O) -> O::Output {
        self.store.run(operation, &mut Self::context(&mut self.source, &mut self.now, self.headers)).unwrap()
    }

    /// What a step allocates in all its rounds, without the loading and saving of its records. Nothing is stored.
    pub(crate) fn step<O: Operation>(&mut self, operation: &O) -> (Result<Step<O::Output>, O::Error>, Cost) {
        self.rounds(operation, |_| ())
    }

    /// The same, and shows each round's own.
    pub(crate) fn rounds<O: Operation>(
        &mut self,
        operation: &O,
        mut round: impl FnMut(Cost),
    ) -> (Result<Step<O::Output>, O::Error>, Cost) {
        let (mut have, mut total) = (Loaded::new(), Cost::default());
        self.loaded = 0;
        loop {
            let mut context = Self::context(&mut self.source, &mut self.now, self.headers);
            let (run, cost) = counted(|| operation.run(&have, &mut context));
            round(cost);
            total += cost;
            match run {
                Ok(Run::Done(step)) => return (Ok(step), total),
                Err(error) => return (Err(error), total),
                Ok(Run::Needs(needs)) => {
                    let asked = self.store.iter().filter(|(key, _, _)| needs.keys().contains(key));
                    self.loaded += asked.map(|(_, _, bytes)| bytes.len()).sum::<usize>();
                    let Ok(()) = have.answer(needs, |key| Ok::<_, Infallible>(self.store.load(key)));
                }
            }
        }
    }
}

/// A companion, as a server knows it, and the first list that names it.
pub(crate) struct Companion {
    pub(crate) address: Address,
    pub(crate) bundle: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) list: DeviceList,
}

/// What the two accounts have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// A phone each.
    Phones,
    /// Each a phone and four companions, and both phones know the other's list.
    Full,
}

impl Accounts {
    /// The longest text of a message between them.
    pub(crate) const fn longest(self) -> usize {
        match self {
            Self::Phones => 1_044_479,
            Self::Full => 1_044_479 - 41,
        }
    }
}

/// Alice and Bob.
pub(crate) struct World {
    pub(crate) alice: Device,
    pub(crate) bob: Device,
    bundles: Vec<Vec<u8>>,
}

impl World {
    /// Alice has started a session.
    pub(crate) fn started(accounts: Accounts) -> Self {
        let (alice, mut bob) = (Device::new(b'a'), Device::new(b'b'));
        let upload = bob.run(&ReplenishPrekeys { one_time: SESSIONS });
        let bundles =
            upload.one_time_prekeys.iter().map(|field| [&upload.bundle[..], field].concat()).collect();
        let mut world = Self { alice, bob, bundles };
        world.start();
        if accounts == Accounts::Full {
            // A phone takes the list of an account whose key it has, so that there is a session before.
            world.turn();
            let lists = [&mut world.alice, &mut world.bob].map(Device::fill);
            let [alice, bob] = [world.alice.address.account, world.bob.address.account];
            world.bob.run(&LearnDevices { account: alice, list: lists[0].as_bytes() });
            world.alice.run(&LearnDevices { account: bob, list: lists[1].as_bytes() });
            world.start();
        }
        world
    }

    /// After some turns, so that all four earlier chains are remembered; Bob has opened all of Alice's.
    pub(crate) fn settled(accounts: Accounts) -> Self {
        Self::archived(0, accounts)
    }

    /// The same with encrypted headers, which the session before has not.
    pub(crate) fn hidden() -> Self {
        let mut world = Self::settled(Accounts::Phones);
        world.alice.headers = Headers::Encrypted;
        world.start();
        (0..6).for_each(|_| world.turn());
        world.deliver();
        world
    }

    /// The same with so many sessions archived on both sides.
    pub(crate) fn archived(sessions: usize, accounts: Accounts) -> Self {
        let mut world = Self::started(accounts);
        for _ in 0..sessions {
            world.turn();
            world.start();
        }
        // As many messages, whatever was archived: what was opened is remembered alike.
        for _ in 0..6 + 16 - sessions {
            world.turn();
        }
        world.deliver();
        world
    }

    /// Alice starts a session, with a one-time prekey of its own.
    pub(crate) fn start(&mut self) {
        let bundle = VerifiedBundle::verify(&self.bundles.pop().unwrap(), &self.bob.address).unwrap();
        self.alice.run(&Start { bundle: &bundle });
    }

    /// A message each way.
    pub(crate) fn turn(&mut self) {
        self.deliver();
        self.answer();
    }

    /// A message of Bob's.
    pub(crate) fn answer(&mut self) {
        let to = self.alice.address;
        let sent =
            self.bob.run(&Send { to, plaintext: &[2; 64], associated_data: BOUND, keep: Keep::ForRetry });
        let from = self.bob.address;
        self.alice.run(&Receive { from, envelope: &sent.envelope, associated_data: BOUND });
    }

    pub(crate) fn deliver(&mut self) {
        let sent = self.send(64);
        self.receive(&sent.envelope);
    }

    pub(crate) fn send(&mut self, size: usize) -> Sent {
        let plaintext = vec![1; size];
        self.alice.run(&Send {
            to: self.bob.address,
            plaintext: &plaintext,
            associated_data: BOUND,
            keep: Keep::ForRetry,
        })
    }

    /// Messages that are lost.
    pub(crate) fn lose(&mut self, count: usize) {
        (0..count).for_each(|_| drop(self.send(0)));
    }

    /// Bob receives and keeps it.
    pub(crate) fn receive(&mut self, envelope: &[u8]) -> Received {
        let from = self.alice.address;
        self.bob.run(&Receive { from, envelope, associated_data: BOUND })
    }

    /// What Bob's step allocates, without keeping anything.
    pub(crate) fn cost(&mut self, envelope: &[u8]) -> (Result<Step<Received>, OpenError>, Cost) {
        let from = self.alice.address;
        self.bob.step(&Receive { from, envelope, associated_data: BOUND })
    }
}
