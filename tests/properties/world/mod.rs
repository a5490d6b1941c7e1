//! A fake world: devices with stores that can be copied, rolled back and crashed, a key server, and a random source that repeats.
//!
//! Everything goes through the public API. What an attacker would do by hand stands beside it: [`wire`] edits messages field by field,
//! [`hand`] computes the protocol from `docs/protocol.md` without the crate, [`thief`] uses a stolen ratchet with nothing but that page.

pub(crate) mod cast;
#[path = "../../stage/chosen.rs"]
mod chosen;
pub(crate) mod hand;
pub(crate) mod hidden;
pub(crate) mod random;
pub(crate) mod store;
pub(crate) mod thief;
#[path = "../../stage/wire.rs"]
pub(crate) mod wire;

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
};

use outrigger::{
    AccountId, Address, Context, DecideIdentity, Decision, DescribePeer, DeviceId, DriveError, Generation,
    Headers, IdentityKey, Keep, Limits, Loaded, OneTimePrekeyFields, OpenError, Operation, Padding,
    PeerDescription, PrekeyUpload, Receive, Received, Register, ReplenishPrekeys, Restart, Run, Send,
    SendError, Sent, SessionId, Start, StartError, Started, Step, SuitePolicy, TrustError, TrustMark,
    UnixMillis, VerifiedBundle, drive,
};
use random::Seeded;
use store::Store;

pub(crate) use chosen::suites;

/// When every world begins.
pub(crate) const NOON: UnixMillis = UnixMillis(1_800_000_000_000);
/// A day in milliseconds.
pub(crate) const DAY: u64 = UnixMillis::DAY;
/// What every message of these tests binds.
pub(crate) const BOUND: &[u8] = b"bound, not sent";

/// The headers of every session of a device that says nothing else.
pub(crate) fn headers() -> Headers {
    OF_TEST.get().unwrap_or_else(chosen::headers)
}

thread_local! {
    static OF_TEST: Cell<Option<Headers>> = const { Cell::new(None) };
}

/// From here on this test's headers are in clear: for what takes envelopes apart field by field.
pub(crate) fn headers_in_clear() {
    headers_of_test(Headers::Plain);
}

/// From here on this test's headers are of this form, whatever `OUTRIGGER_HEADERS` says.
pub(crate) fn headers_of_test(headers: Headers) {
    OF_TEST.set(Some(headers));
}

/// What the suites of these tests say, in the order of: X3DH, PQXDH with ML-KEM-768, with ML-KEM-1024.
pub(crate) fn by_suite<T>(all: [T; 3]) -> T {
    let policies = [
        SuitePolicy::Classic,
        #[cfg(feature = "post-quantum")]
        SuitePolicy::Prefer(outrigger::KemSize::MlKem768),
        #[cfg(feature = "post-quantum")]
        SuitePolicy::Prefer(outrigger::KemSize::MlKem1024),
    ];
    let place = policies.iter().position(|policy| *policy == suites()).unwrap();
    all.into_iter().nth(place).unwrap()
}

/// The phone of an account; names of up to 16 letters.
pub(crate) fn phone(name: &str) -> Address {
    let mut id = [b'.'; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    Address::new(AccountId::new(&id).unwrap(), DeviceId::PHONE)
}

/// One device: a store, a clock, a random source that no roll-back touches.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) identity: IdentityKey,
    pub(crate) generation: Generation,
    pub(crate) now: UnixMillis,
    pub(crate) limits: Limits,
    pub(crate) padding: Padding,
    pub(crate) suites: SuitePolicy,
    pub(crate) headers: Headers,
    pub(crate) random: Seeded,
    pub(crate) store: Store,
}

impl Device {
    /// A registered device without prekeys.
    pub(crate) fn new(name: &str) -> Self {
        let mut device = Self::empty(name);
        device.identity = device.run(&Register { address: device.address }).unwrap();
        device
    }

    /// A device whose store is empty; its identity is a stand-in until it registers.
    pub(crate) fn empty(name: &str) -> Self {
        let seed = name.bytes().fold(1, |seed, byte| seed * 31 + u64::from(byte));
        let identity = hand::identity(&[7; 32]);
        Self {
            address: phone(name),
            identity,
            generation: Generation([0x67; 16]),
            now: NOON,
            limits: Limits::DEFAULT,
            padding: Padding::None,
            suites: suites(),
            headers: headers(),
            random: Seeded::new(seed),
            store: Store::default(),
        }
    }

    /// Runs an operation to its end. A refusal must leave every record as it was, so that is asserted here for all tests.
    pub(crate) fn run<O: Operation>(&mut self, operation: &O) -> Result<O::Output, O::Error> {
        let before = self.store.clone();
        let context = Context::new(self.now, self.generation, &mut self.random);
        let context = context.with_limits(self.limits).with_suites(self.suites);
        let mut context = context.with_padding(self.padding).with_headers(self.headers);
        let done = drive(
            operation,
            &mut context,
            &mut self.store,
            |store, key| Ok::<_, Infallible>(store.load(key)),
            |store, writes, _| store.apply(writes),
        );
        match done {
            Ok(output) => Ok(output),
            Err(DriveError::Refused(error)) => {
                assert_eq!(self.store, before, "{error}: a refusal changed a record");
                Err(error)
            }
            Err(DriveError::Store(never)) => match never {},
            Err(DriveError::Conflicts) => panic!("a conflict in a store with one process"),
        }
    }

    /// Runs an operation up to its step, which is not committed: what a crash before the commit leaves.
    pub(crate) fn prepare<O: Operation>(&mut self, operation: &O) -> Result<Step<O::Output>, O::Error> {
        let mut have = Loaded::new();
        let context = Context::new(self.now, self.generation, &mut self.random);
        let context = context.with_limits(self.limits).with_suites(self.suites);
        let mut context = context.with_padding(self.padding).with_headers(self.headers);
        loop {
            match operation.run(&have, &mut context)? {
                Run::Needs(needs) => {
                    have.answer(needs, |key| Ok::<_, Infallible>(self.store.load(key))).unwrap();
                }
                Run::Done(step) => return Ok(step),
            }
        }
    }

    /// Makes prekeys and publishes them.
    pub(crate) fn publish(&mut self, one_time: u16, server: &mut Server) -> PrekeyUpload {
        let upload = self.run(&ReplenishPrekeys { one_time }).unwrap();
        server.take(self.address, &upload);
        upload
    }

    /// Starts a session with what the server hands out.
    pub(crate) fn start(&mut self, peer: Address, server: &mut Server) -> Result<Started, StartError> {
        self.start_from(&server.fetch(peer), peer)
    }

    /// Starts a session from the bytes of a bundle.
    pub(crate) fn start_from(&mut self, bundle: &[u8], peer: Address) -> Result<Started, StartError> {
        self.run(&Start { bundle: &VerifiedBundle::verify(bundle, &peer).unwrap() })
    }

    /// Gives up a session that waits for its first reply.
    pub(crate) fn restart(&mut self, peer: Address, server: &mut Server) -> Result<Started, StartError> {
        self.run(&Restart { bundle: &VerifiedBundle::verify(&server.fetch(peer), &peer).unwrap() })
    }

    pub(crate) fn try_send(&mut self, to: Address, text: impl AsRef<[u8]>) -> Result<Sent, SendError> {
        self.run(&Send { to, plaintext: text.as_ref(), associated_data: BOUND, keep: Keep::ForRetry })
    }

    pub(crate) fn send(&mut self, to: Address, text: impl AsRef<[u8]>) -> Vec<u8> {
        self.try_send(to, text).unwrap().envelope
    }

    pub(crate) fn receive(&mut self, from: Address, envelope: &[u8]) -> Result<Received, OpenError> {
        self.run(&Receive { from, envelope, associated_data: BOUND })
    }

    /// Receives what must open, and asserts what it says.
    pub(crate) fn opens(&mut self, from: Address, envelope: &[u8], text: impl AsRef<[u8]>) -> Received {
        let received = self.receive(from, envelope).unwrap();
        assert_eq!(received.content.text(), Some(text.as_ref()));
        received
    }

    /// Receives what must be refused.
    pub(crate) fn refuses(&mut self, from: Address, envelope: &[u8]) -> OpenError {
        self.receive(from, envelope).unwrap_err()
    }

    pub(crate) fn describe(&mut self, peer: Address) -> PeerDescription {
        self.run(&DescribePeer { peer }).unwrap()
    }

    pub(crate) fn active(&mut self, peer: Address) -> Option<SessionId> {
        self.describe(peer).session.map(|session| session.id)
    }

    pub(crate) fn decide(&mut self, peer: Address, decision: Decision) -> Result<TrustMark, TrustError> {
        self.run(&DecideIdentity { peer, decision })
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, milliseconds: u64) {
        self.now = self.now.plus(milliseconds);
    }
}

/// What the server of a messenger keeps of a device.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    pub(crate) bundle: Vec<u8>,
    pub(crate) last_resort: Vec<u8>,
    pub(crate) one_time: VecDeque<OneTimePrekeyFields>,
}

/// What the server of a messenger keeps: bundles, and one-time prekeys that it hands out once.
#[derive(Clone, Default)]
pub(crate) struct Server(pub(crate) BTreeMap<Address, Shelf>);

impl Server {
    pub(crate) fn take(&mut self, address: Address, upload: &PrekeyUpload) {
        let shelf = self.0.entry(address).or_default();
        shelf.bundle.clone_from(&upload.bundle);
        shelf.last_resort.clone_from(&upload.last_resort);
        if upload.replaces {
            shelf.one_time.clear();
        }
        shelf.one_time.extend(upload.one_time_prekeys.iter().cloned());
    }

    /// A bundle with a one-time prekey while there is one, else with the last resort; concatenation is all that it takes.
    pub(crate) fn fetch(&mut self, address: Address) -> Vec<u8> {
        let shelf = self.0.get_mut(&address).unwrap_or_else(|| panic!("no bundle of {address:?}"));
        let last = shelf.one_time.pop_front().unwrap_or_else(|| shelf.last_resort.clone());
        [&shelf.bundle[..], &last].concat()
    }

    /// A bundle without a one-time prekey.
    pub(crate) fn fetch_weak(&self, address: Address) -> Vec<u8> {
        let shelf = &self.0[&address];
        [&shelf.bundle[..], &shelf.last_resort].concat()
    }
}

/// Two devices with ten one-time prekeys each, and their server.
pub(crate) fn strangers() -> (Device, Device, Server) {
    let mut server = Server::default();
    let [ada, ben] = ["ada", "ben"].map(|name| {
        let mut device = Device::new(name);
        device.publish(10, &mut server);
        device
    });
    (ada, ben, server)
}

/// Two devices in a settled session that ada started: each has answered the other.
pub(crate) fn friends() -> (Device, Device, Server) {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    (ada, ben, server)
}

/// One message that arrives.
pub(crate) fn exchange(from: &mut Device, to: &mut Device) -> Received {
    let envelope = from.send(to.address, b"on its way");
    to.opens(from.address, &envelope, b"on its way")
}
