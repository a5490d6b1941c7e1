//! What stands in memory that is given back: each block is searched for every key and seed that was drawn before.
//!
//! Known are the draws of 32 and 64 bytes: private keys of the curve, seeds of KEM keys (of whose expanded form z is a part), what is encapsulated, nonces of signatures. What is derived from them is not known here. The stack is not
//! searched.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use outrigger::{
    AccountId, Address, Context, DeviceId, Generation, Headers, Keep, KemSize, MemoryStore, Operation,
    Receive, Register, ReplenishPrekeys, Restart, Send, SuitePolicy, UnixMillis, VerifiedBundle,
};
use rand_core::{TryCryptoRng, TryRng};

use crate::{report::Report, world::Source};

/// Most secrets that are looked for.
const MOST: usize = 1_024;

static WATCHING: AtomicBool = AtomicBool::new(false);
/// Seeds of this search, apart from those of the other figures.
const FIRST_SEED: u64 = 1 << 32;
static DEVICES: AtomicU64 = AtomicU64::new(0);
static KNOWN: AtomicUsize = AtomicUsize::new(0);
static FOUND: AtomicUsize = AtomicUsize::new(0);
/// The first 8 bytes of each.
static SECRETS: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];

/// Searches a block that is about to be given back.
///
/// # Safety
/// The block must be allocated, with this size.
pub(crate) unsafe fn look(block: *const u8, size: usize) {
    if !WATCHING.load(Relaxed) {
        return;
    }
    let secrets = &SECRETS[..KNOWN.load(Relaxed).min(MOST)];
    for place in 0..size.saturating_sub(7) {
        // SAFETY: 8 bytes from here on are inside the block; they are read as they stand, whether they were written or not, and nothing follows from what they are but a count.
        let bytes = unsafe { block.add(place).cast::<u64>().read_unaligned() };
        if bytes != 0 && secrets.iter().any(|secret| secret.load(Relaxed) == bytes) {
            FOUND.fetch_add(1, Relaxed);
        }
    }
}

/// A source whose longer draws are remembered.
struct Watched(Source);

impl TryRng for Watched {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.try_fill_bytes(out)?;
        if out.len() >= 32 {
            for half in out.chunks_exact(32) {
                remember(half);
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Watched {}

fn remember(secret: &[u8]) {
    let place = KNOWN.fetch_add(1, Relaxed);
    assert!(place < MOST, "more secrets than are looked for");
    SECRETS[place].store(u64::from_ne_bytes(secret[..8].try_into().unwrap()), Relaxed);
}

struct Device {
    address: Address,
    store: MemoryStore,
    source: Watched,
}

impl Device {
    /// No two share a stream of draws: what is public of one would be taken for a secret of another.
    fn new(name: u8) -> Self {
        let address = Address::new(AccountId::new(&[name; 16]).unwrap(), DeviceId::PHONE);
        Self {
            address,
            store: MemoryStore::new(),
            source: Watched(Source(FIRST_SEED + DEVICES.fetch_add(1, Relaxed))),
        }
    }

    fn run<O: Operation>(&mut self, operation: &O, how: (SuitePolicy, Headers), day: u64) -> O::Output {
        let context =
            Context::new(UnixMillis(1 + day * UnixMillis::DAY), Generation([1; 16]), &mut self.source);
        self.store.run(operation, &mut context.with_suites(how.0).with_headers(how.1)).unwrap()
    }

    fn says(&mut self, to: &mut Self, how: (SuitePolicy, Headers)) {
        let send = Send { to: to.address, plaintext: b"text", associated_data: b"", keep: Keep::ForRetry };
        let sent = self.run(&send, how, 0);
        let receive = Receive { from: self.address, envelope: &sent.envelope, associated_data: b"" };
        to.run(&receive, how, 0);
    }
}

/// Prekeys made, used, replaced and deleted; sessions of one suite begun with and without a one-time prekey, and turned.
fn conversation(how: (SuitePolicy, Headers)) {
    let (mut alice, mut bob) = (Device::new(b'a'), Device::new(b'b'));
    for device in [&mut alice, &mut bob] {
        device.run(&Register { address: device.address }, how, 0);
    }
    let upload = bob.run(&ReplenishPrekeys { one_time: 2 }, how, 0);
    for end in [&upload.one_time_prekeys[0][..], &upload.last_resort] {
        let bundle = VerifiedBundle::verify(&[&upload.bundle[..], end].concat(), &bob.address).unwrap();
        alice.run(&Restart { bundle: &bundle }, how, 0);
        for _ in 0..3 {
            alice.says(&mut bob, how);
            bob.says(&mut alice, how);
        }
    }
    for day in [8, 40] {
        bob.run(&ReplenishPrekeys { one_time: 2 }, how, day);
    }
}

/// How often anything that an act draws is found while it runs and lets go of what it holds.
fn found(act: impl FnOnce()) -> usize {
    KNOWN.store(0, Relaxed);
    FOUND.store(0, Relaxed);
    WATCHING.store(true, Relaxed);
    act();
    WATCHING.store(false, Relaxed);
    FOUND.load(Relaxed)
}

pub(crate) fn check(report: &mut Report) {
    // The control: a key that nobody wipes.
    let leak = || {
        let mut leak = vec![0; 32];
        let Ok(()) = Watched(Source(FIRST_SEED - 1)).try_fill_bytes(&mut leak);
    };
    report.at_least("drawn keys in freed memory, of one that was left there", found(leak), 1);
    for (name, suites) in [
        ("X3DH", SuitePolicy::Classic),
        ("ML-KEM-768", SuitePolicy::Prefer(KemSize::MlKem768)),
        ("ML-KEM-1024", SuitePolicy::Prefer(KemSize::MlKem1024)),
    ] {
        for headers in [Headers::Plain, Headers::Encrypted] {
            let name = format!("drawn keys in freed memory: {name}, headers {headers:?}");
            report.at_most(&name, found(|| conversation((suites, headers))), 0);
        }
    }
}
