//! `vectors/*.json`, made by an independent script of `docs/protocol.md`, replayed through the public API with a scripted random source.
//! (`vectors/xeddsa.json` is replayed in `src/primitives/vectors.rs`.)

mod code;
mod companions;
mod contents;
mod hidden;
#[cfg(feature = "post-quantum")]
mod post_quantum;
mod prekeys;
mod ratchet;
mod relay;
mod relay_frames;
mod relay_pairing;
mod relay_upgrade;
mod retry;
mod sessions;
mod supply;

use std::{collections::BTreeMap, convert::Infallible};

use outrigger::{
    AccountId, Address, Context, DeviceId, DriveError, Generation, IdentityKeyPair, KeyPair, Operation,
    Random, Record, RecordKey, Register, ReplenishPrekeys, Revision, SuitePolicy, UnixMillis, drive,
};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

/// Hands out the listed draws in order, each for one call of its length, and fails after the last.
struct Script(Vec<Vec<u8>>);

impl Script {
    fn new(draws: &Value) -> Self {
        Self(list(draws).iter().rev().map(hex).collect())
    }

    fn assert_drawn(&self, what: &Value) {
        assert!(self.0.is_empty(), "{what}: {} draws were not taken", self.0.len());
    }
}

impl TryRng for Script {
    type Error = std::fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(std::fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(std::fmt::Error)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let draw = self.0.pop().filter(|draw| draw.len() == bytes.len()).ok_or(std::fmt::Error)?;
        bytes.copy_from_slice(&draw);
        Ok(())
    }
}

impl TryCryptoRng for Script {}

/// The vectors are of suite 1.
fn classic<'a, R: TryCryptoRng>(now: UnixMillis, generation: Generation, random: &'a mut R) -> Context<'a> {
    Context::new(now, generation, random).with_suites(SuitePolicy::Classic)
}

/// Runs an operation on a device's store at a time, with random bytes that no vector depends on.
fn run<O: Operation>(
    store: &mut Store,
    now: u64,
    operation: &O,
) -> Result<O::Output, DriveError<O::Error, std::convert::Infallible>> {
    let mut source = getrandom::SysRng;
    let generation = store.generation;
    store.run(operation, &mut classic(UnixMillis(now), generation, &mut source))
}

fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = text(value);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn address(value: &Value) -> Address {
    let device = u32::try_from(number(&value["device_id"])).unwrap();
    Address::new(AccountId::new(&hex(&value["account_id"])).unwrap(), DeviceId(device))
}

fn pair(value: &Value) -> KeyPair {
    KeyPair::take_from(&mut array(value))
}

fn identity(value: &Value) -> IdentityKeyPair {
    let mut source = Script(vec![hex(value)]);
    IdentityKeyPair::generate(&mut Random::new(&mut source)).unwrap()
}

/// Records that can be copied, and the generation that they are of.
#[derive(Clone, PartialEq)]
struct Store {
    records: BTreeMap<RecordKey, (Revision, Vec<u8>)>,
    generation: Generation,
}

impl Store {
    fn run<O: Operation>(
        &mut self,
        operation: &O,
        context: &mut Context<'_>,
    ) -> Result<O::Output, DriveError<O::Error, Infallible>> {
        let load = |records: &mut BTreeMap<RecordKey, (Revision, Vec<u8>)>, key: &RecordKey| {
            Ok(records.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone())))
        };
        drive(operation, context, &mut self.records, load, |records, writes, _| {
            for write in writes {
                match write.bytes() {
                    Some(bytes) => drop(records.insert(*write.key(), (write.revision(), bytes.to_vec()))),
                    None => drop(records.remove(write.key())),
                }
            }
            Ok(())
        })
    }
}

/// Registers a device of the vectors in a fresh store and makes its prekeys; its uploads must be those of the script.
fn device(entry: &Value) -> Store {
    let mut store = Store { records: BTreeMap::new(), generation: Generation([7; 16]) };
    let issued_at = UnixMillis(number(&entry["prekeys"]["issued_at"]));
    let mut source = Script::new(&entry["register_draws"]);
    let mut context = classic(issued_at, store.generation, &mut source);
    let key = store.run(&Register { address: address(entry) }, &mut context).unwrap();
    assert_eq!(key.public_key().as_bytes()[..], hex(&entry["identity_public"]));
    replenish(&mut store, &entry["prekeys"]);
    store
}

/// Makes a signed prekey and one-time prekeys: the first of all, or the first after a recovery.
fn replenish(store: &mut Store, prekeys: &Value) {
    let one_time = list(&prekeys["one_time_prekeys"]);
    let mut source = Script::new(&prekeys["draws"]);
    let issued_at = UnixMillis(number(&prekeys["issued_at"]));
    let mut context = classic(issued_at, store.generation, &mut source);
    let count = u16::try_from(one_time.len()).unwrap();
    let upload = store.run(&ReplenishPrekeys { one_time: count }, &mut context).unwrap();
    drop(context);
    source.assert_drawn(&prekeys["signed_prekey_id"]);
    assert!(upload.replaces);
    assert_eq!(upload.bundle, hex(&prekeys["bundle"]));
    let fields: Vec<_> = one_time.iter().map(|one| hex(&one["upload"])).collect();
    assert_eq!(upload.one_time_prekeys.iter().map(|field| field.to_vec()).collect::<Vec<_>>(), fields);
}
