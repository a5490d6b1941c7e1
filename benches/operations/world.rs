//! Two devices with their stores, and the ways to bring them to where a measurement begins.

use outrigger::{
    AccountId, Address, Context, DeviceId, Generation, Headers, Keep, Loaded, MemoryStore, Operation,
    Receive, Received, Register, ReplenishPrekeys, Restart, Run, Send, Sent, Start, Step, SuitePolicy,
    UnixMillis, VerifiedBundle,
};

use crate::source::Source;

pub(crate) const BOUND: &[u8; 16] = b"conversation 042";
pub(crate) const NOW: UnixMillis = UnixMillis(1_000);
const GENERATION: Generation = Generation([1; 16]);

/// A device, its store and its random source.
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) store: MemoryStore,
    pub(crate) source: Source,
}

impl Device {
    pub(crate) fn new(account: &[u8; 16], seed: u8) -> Self {
        let mut device = Self::empty(account, seed);
        device.run(&Register { address: device.address });
        device
    }

    /// A device whose store is empty.
    pub(crate) fn empty(account: &[u8; 16], seed: u8) -> Self {
        let address = Address::new(AccountId::new(account).unwrap(), DeviceId::PHONE);
        Self { address, store: MemoryStore::new(), source: Source::new(seed) }
    }

    /// Load, step, save: the whole way of an operation through the store.
    pub(crate) fn run<O: Operation>(&mut self, operation: &O) -> O::Output {
        self.store.run(operation, &mut context(&mut self.source)).unwrap()
    }

    /// The same; sessions that it starts have headers of a sort.
    pub(crate) fn run_with<O: Operation>(&mut self, operation: &O, headers: Headers) -> O::Output {
        self.store.run(operation, &mut context(&mut self.source).with_headers(headers)).unwrap()
    }

    /// What an operation loads, so that its step can be measured alone.
    pub(crate) fn loaded<O: Operation>(&mut self, operation: &O) -> Loaded {
        let mut have = Loaded::new();
        while let Ok(Run::Needs(needs)) = operation.run(&have, &mut context(&mut self.source)) {
            let Ok(()) = have.answer(needs, |key| Ok::<_, std::convert::Infallible>(self.store.load(key)));
        }
        have
    }
}

/// The context of one call, made anew for each as an app does. The sums are of X3DH, and so is what stands beside them.
pub(crate) fn context(source: &mut Source) -> Context<'_> {
    Context::new(NOW, GENERATION, source).with_suites(SuitePolicy::Classic)
}

/// Runs an operation on records that are all loaded, to its step.
pub(crate) fn step<O: Operation>(
    operation: &O,
    have: &Loaded,
    source: &mut Source,
) -> Result<Step<O::Output>, O::Error> {
    match operation.run(have, &mut context(source))? {
        Run::Done(step) => Ok(step),
        Run::Needs(needs) => unreachable!("not loaded: {needs:?}"),
    }
}

/// Alice and Bob.
pub(crate) struct World {
    pub(crate) alice: Device,
    pub(crate) bob: Device,
}

impl World {
    /// Both registered; Bob's bundle is verified.
    pub(crate) fn with_bundle() -> (Self, VerifiedBundle) {
        let (world, bytes) = Self::with_bundle_bytes();
        let bundle = VerifiedBundle::verify(&bytes, &world.bob.address).unwrap();
        (world, bundle)
    }

    /// Both registered; the bundle that a server hands out for Bob, with a one-time prekey.
    pub(crate) fn with_bundle_bytes() -> (Self, Vec<u8>) {
        let (alice, bob) = (Device::new(b"alice-0123456789", 3), Device::new(b"bob---0123456789", 4));
        let mut world = Self { alice, bob };
        let upload = world.bob.run(&ReplenishPrekeys { one_time: 1 });
        let bytes = [&upload.bundle[..], &upload.one_time_prekeys[0]].concat();
        (world, bytes)
    }

    /// Alice has started a session and sent nothing yet.
    pub(crate) fn started() -> Self {
        Self::started_with(Headers::Plain)
    }

    /// The same with headers of a sort.
    pub(crate) fn started_with(headers: Headers) -> Self {
        let (mut world, bundle) = Self::with_bundle();
        world.alice.run_with(&Start { bundle: &bundle }, headers);
        world
    }

    /// Alice's first message is on its way.
    pub(crate) fn first() -> (Self, Vec<u8>) {
        let mut world = Self::started();
        let sent = world.alice_sends(&[1; 64]);
        (world, sent.envelope)
    }

    /// After some turns, so that all four earlier chains are remembered; Bob has opened all of Alice's.
    pub(crate) fn settled() -> Self {
        Self::settled_with(Headers::Plain)
    }

    /// The same with headers of a sort.
    pub(crate) fn settled_with(headers: Headers) -> Self {
        Self::started_with(headers).settle(6)
    }

    /// So many sessions more, the last of them active and settled.
    pub(crate) fn archive(mut self, sessions: usize, headers: Headers) -> Self {
        let upload = self.bob.run(&ReplenishPrekeys { one_time: 0 });
        let bytes = [upload.bundle, upload.last_resort].concat();
        let weak = VerifiedBundle::verify(&bytes, &self.bob.address).unwrap();
        for _ in 0..sessions {
            self.alice.run_with(&Restart { bundle: &weak }, headers);
            self.alice_speaks();
            self.bob_speaks();
        }
        self.settle(1)
    }

    pub(crate) fn settle(mut self, turns: usize) -> Self {
        for _ in 0..turns {
            self.alice_speaks();
            self.bob_speaks();
        }
        self.alice_speaks();
        self
    }

    /// Settled, with so many sessions archived on both sides; the number of messages does not depend on that.
    pub(crate) fn archived(sessions: usize) -> Self {
        let (mut world, bytes) = Self::with_bundle_bytes();
        let weak = VerifiedBundle::verify(&bytes[..bytes.len() - 35], &world.bob.address).unwrap();
        for _ in 0..=sessions {
            world.alice.run(&Restart { bundle: &weak });
            world.alice_speaks();
            world.bob_speaks();
        }
        world.settle(24 - sessions)
    }

    /// Settled, and Bob remembers as many messages as he ever does.
    pub(crate) fn remembering() -> Self {
        let mut world = Self::settled();
        (0..300).for_each(|_| world.alice_speaks());
        world
    }

    /// Settled; a message of Alice's was not opened, and she has turned since.
    pub(crate) fn asked() -> (Self, Sent) {
        let mut world = Self::settled();
        let sent = world.alice_sends(&[1; 64]);
        world.bob_speaks();
        world.alice_speaks();
        (world, sent)
    }

    /// Settled, and a message under a new ratchet key of Alice's is on its way.
    pub(crate) fn turn() -> (Self, Vec<u8>) {
        let mut world = Self::settled();
        world.bob_speaks();
        let sent = world.alice_sends(&[1; 64]);
        (world, sent.envelope)
    }

    /// Settled; so many of Alice's messages were lost, the one after them is on its way.
    pub(crate) fn gap(lost: usize) -> (Self, Vec<u8>) {
        let mut world = Self::settled();
        (0..lost).for_each(|_| drop(world.alice_sends(&[1; 64])));
        let sent = world.alice_sends(&[1; 64]);
        (world, sent.envelope)
    }

    pub(crate) fn alice_sends(&mut self, plaintext: &[u8]) -> Sent {
        self.alice.run(&Send {
            to: self.bob.address,
            plaintext,
            associated_data: BOUND,
            keep: Keep::ForRetry,
        })
    }

    pub(crate) fn bob_receives(&mut self, envelope: &[u8]) -> Received {
        self.bob.run(&Receive { from: self.alice.address, envelope, associated_data: BOUND })
    }

    fn alice_speaks(&mut self) {
        let sent = self.alice_sends(&[1; 64]);
        self.bob_receives(&sent.envelope);
    }

    pub(crate) fn bob_speaks(&mut self) {
        let sent = self.bob.run(&Send {
            to: self.alice.address,
            plaintext: &[2; 64],
            associated_data: BOUND,
            keep: Keep::ForRetry,
        });
        self.alice.run(&Receive { from: self.bob.address, envelope: &sent.envelope, associated_data: BOUND });
    }
}
