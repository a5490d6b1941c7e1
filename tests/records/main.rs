//! Records of released formats stay readable: `vectors/records/v1.json` holds two stores and the envelopes under way between them, as format 1
//! wrote them, and every later version of the crate must go on from there. The file is never made anew; a new format gets a file of its own.

mod companions;
mod relay;

use std::{
    collections::BTreeSet,
    env, fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use outrigger::{
    AccountId, Address, AnswerRetry, Arrival, ChangeNumber, ConfirmPrekeys, Context, DescribeDevice,
    DescribePeer, DescribePrekeys, DeviceId, DriveError, Generation, HandOutBundle, Keep, LearnNumber,
    MemoryStore, MessageId, OpenError, PhoneNumber, Receive, Record, RecordKind, Register, ReplenishPrekeys,
    RequestRetry, RetryOutcome, RetryReason, Revision, Run, Send, Start, Strength, SuitePolicy, UnixMillis,
    VerifiedBundle, drive,
};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// SHA-256 of a counter: the same bytes each time.
struct Counting(u64);

impl TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

const GENERATION: Generation = Generation([0x5a; 16]);
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// What wrote format 1 spoke suite 1 only.
fn classic(source: &mut Counting) -> Context<'_> {
    Context::new(NOW, GENERATION, source).with_suites(SuitePolicy::Classic)
}

fn phone(name: &[u8]) -> Address {
    Address::new(AccountId::new(name).unwrap(), DeviceId::PHONE)
}

fn ada() -> Address {
    phone(b"account-of-ada-1")
}

fn ben() -> Address {
    phone(b"account-of-ben-1")
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/records/v1.json")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn send(store: &mut MemoryStore, to: Address, text: &str, context: &mut Context<'_>) -> Vec<u8> {
    store
        .run(&Send { to, plaintext: text.as_bytes(), associated_data: b"", keep: Keep::ForRetry }, context)
        .unwrap()
        .envelope
}

/// Two stores that hold a record of every kind, and what is under way: four envelopes, a request, and the envelope that it asks for.
fn scenario() -> (MemoryStore, MemoryStore, [Vec<u8>; 6]) {
    let mut source = Counting(0);
    let context = &mut classic(&mut source);
    let (mut a, mut b) = (MemoryStore::new(), MemoryStore::new());
    a.run(&Register { address: ada() }, context).unwrap();
    b.run(&Register { address: ben() }, context).unwrap();
    let number = PhoneNumber::parse("+14155550100").unwrap();
    let statement = a.run(&ChangeNumber { number }, context).unwrap();
    let upload = b.run(&ReplenishPrekeys { one_time: 2 }, context).unwrap();
    // Prekeys that are confirmed, handed out, and offered.
    b.run(&ConfirmPrekeys { upload: upload.id }, context).unwrap();
    b.run(&HandOutBundle, context).unwrap();
    b.run(&ReplenishPrekeys { one_time: 1 }, context).unwrap();
    let full = [upload.bundle.as_slice(), &upload.one_time_prekeys[0]].concat();

    a.run(&Start { bundle: &VerifiedBundle::verify(&full, &ben()).unwrap() }, context).unwrap();
    let sent = ["first", "late", "skipped", "fourth"].map(|text| send(&mut a, ben(), text, context));
    for envelope in [&sent[0], &sent[3]] {
        b.run(&Receive { from: ada(), envelope, associated_data: b"" }, context).unwrap();
    }
    b.run(&LearnNumber { account: ada().account, statement: &statement }, context).unwrap();
    // Two that b cannot open and asks for; a is asked for the first when it has heard more of b, and for the second never here.
    let unread = ["asked for", "asked for and not answered"].map(|text| send(&mut a, ben(), text, context));
    let [request, under_way] = [0, 1].map(|place: usize| {
        let ask = RequestRetry { from: ada(), envelope: &unread[place], error: OpenError::KeyGone };
        b.run(&ask, context).unwrap().request
    });
    let answer = send(&mut b, ada(), "answer", context);
    a.run(&Receive { from: ben(), envelope: &answer, associated_data: b"" }, context).unwrap();
    // More than the peer's record remembers.
    for place in 0..9 {
        let envelope = send(&mut a, ben(), &format!("{place}"), context);
        b.run(&Receive { from: ada(), envelope: &envelope, associated_data: b"" }, context).unwrap();
    }
    let answer = AnswerRetry { from: ben(), request: &request, bundle: None, resend_to: None };
    let again = a.run(&answer, context).unwrap().envelope;
    b.run(&Receive { from: ada(), envelope: &again, associated_data: b"" }, context).unwrap();
    let to_archive = send(&mut b, ada(), "to the archive", context);
    a.run(&Start { bundle: &VerifiedBundle::verify(&upload.bundle, &ben()).unwrap() }, context).unwrap();
    let restart = send(&mut a, ben(), "restart", context);
    let ([_, late, skipped, _], [_, unread]) = (sent, unread);
    (a, b, [late, skipped, to_archive, restart, under_way, unread])
}

fn dump(store: &MemoryStore) -> Value {
    store
        .iter()
        .map(|(key, revision, bytes)| {
            json!({ "key": to_hex(key.as_bytes()), "revision": revision.0, "bytes": to_hex(bytes) })
        })
        .collect()
}

/// A store of the app's own over the file's records, so that nothing of what wrote them is in the way.
struct Rows(Vec<(Vec<u8>, Revision, Vec<u8>)>);

impl Rows {
    fn run<O: outrigger::Operation>(&mut self, operation: &O, context: &mut Context<'_>) -> O::Output
    where
        O::Error: std::fmt::Debug,
    {
        self.try_run(operation, context).unwrap()
    }

    fn try_run<O: outrigger::Operation>(
        &mut self,
        operation: &O,
        context: &mut Context<'_>,
    ) -> Result<O::Output, DriveError<O::Error, std::fmt::Error>> {
        let load = |rows: &mut Self, key: &outrigger::RecordKey| {
            let row = rows.0.iter().find(|(stored, ..)| stored == key.as_bytes());
            Ok::<_, std::fmt::Error>(row.map(|(_, revision, bytes)| Record::new(*revision, bytes.clone())))
        };
        drive(operation, context, self, load, |rows, writes, _| {
            for write in writes {
                rows.0.retain(|(stored, ..)| stored != write.key().as_bytes());
                if let Some(bytes) = write.bytes() {
                    rows.0.push((write.key().as_bytes().to_vec(), write.revision(), bytes.to_vec()));
                }
            }
            Ok(())
        })
    }
}

#[test]
fn format_1_is_what_this_version_writes() {
    let (a, b, envelopes) = scenario();
    let kinds: BTreeSet<u8> = a.iter().chain(b.iter()).map(|(key, ..)| key.kind() as u8).collect();
    assert_eq!(kinds.len(), RecordKind::RetryBudget as usize, "a record of every kind");
    let made = json!({
        "about": "two stores as record format 1 wrote them; on their way are envelopes to b, b, a and b, a retry request to a, and the envelope to b that it asks for; never made anew",
        "a": dump(&a), "b": dump(&b), "envelopes": envelopes.map(|envelope| to_hex(&envelope)),
    });
    is_kept(&made, &path());
}

/// Stores by their names.
type Stores<'a> = Vec<(&'static str, &'a MemoryStore)>;

fn has_every_kind(stores: &Stores<'_>, kinds: RangeInclusive<RecordKind>) {
    let there: BTreeSet<u8> =
        stores.iter().flat_map(|(_, store)| store.iter().map(|(key, ..)| key.kind() as u8)).collect();
    let missing: Vec<_> =
        (*kinds.start() as u8..=*kinds.end() as u8).filter(|kind| !there.contains(kind)).collect();
    assert_eq!(missing, [0; 0], "a record of every kind");
}

fn dump_all(about: &str, stores: &Stores<'_>, under_way: &[(&str, Vec<u8>)]) -> Value {
    let mut made = json!({ "about": about });
    for (name, store) in stores {
        made[*name] = dump(store);
    }
    for (name, bytes) in under_way {
        made["under way"][*name] = json!(to_hex(bytes));
    }
    made
}

/// Whether the file holds this; a file that is not there yet is made where that is asked for.
fn is_kept(made: &Value, path: &Path) {
    if env::var_os("OUTRIGGER_WRITE_VECTORS").is_some() && !path.exists() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(*made, kept);
}

fn rows(stored: &Value) -> Rows {
    let rows = stored.as_array().unwrap().iter();
    Rows(
        rows.map(|row| {
            (from_hex(&row["key"]), Revision(row["revision"].as_u64().unwrap()), from_hex(&row["bytes"]))
        })
        .collect(),
    )
}

#[test]
fn stores_of_format_1_go_on() {
    let file: Value = serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let (mut a, mut b) = (rows(&file["a"]), rows(&file["b"]));
    let envelopes: Vec<_> = file["envelopes"].as_array().unwrap().iter().map(from_hex).collect();
    let mut source = Counting(1 << 32);
    let context = &mut classic(&mut source);

    assert_eq!(a.run(&DescribeDevice, context).number.unwrap().as_str(), "+14155550100");
    let known = b.run(&DescribePeer { peer: ada() }, context);
    assert_eq!(known.number.unwrap().number().as_str(), "+14155550100");
    let prekeys = b.run(&DescribePrekeys, context);
    assert_eq!((prekeys.confirmed, prekeys.direct, prekeys.offered), (1, 1, 1));
    let expected = [
        ("late", Arrival::Active, Strength::Full),
        ("skipped", Arrival::Active, Strength::Full),
        ("to the archive", Arrival::Archived, Strength::Full),
        ("restart", Arrival::NewSession, Strength::Weak),
    ];
    for (envelope, (text, arrival, strength)) in envelopes.iter().zip(expected) {
        let (store, from) = if text == "to the archive" { (&mut a, ben()) } else { (&mut b, ada()) };
        let received = store.run(&Receive { from, envelope, associated_data: b"" }, context);
        assert_eq!(
            (received.content.text().unwrap(), received.arrival, received.strength),
            (text.as_bytes(), arrival, strength)
        );
    }
    // What was asked for comes again, under the id of the envelope that could not be opened, and once.
    let [.., request, unread] = &envelopes[..] else { panic!("six") };
    let ask = RequestRetry { from: ada(), envelope: unread, error: OpenError::KeyGone };
    assert!(b.try_run(&ask, context).is_err(), "asked already");
    let answer = AnswerRetry { from: ben(), request, bundle: None, resend_to: None };
    let answer = a.run(&answer, context);
    assert_eq!((answer.outcome, answer.reason), (RetryOutcome::Again, RetryReason::KeyGone));
    let receive = Receive { from: ada(), envelope: &answer.envelope, associated_data: b"" };
    let received = b.run(&receive, context);
    assert_eq!(received.content.text().unwrap(), b"asked for and not answered");
    assert_eq!((received.again, Ok(received.message_id)), (true, MessageId::of(unread)));
    for envelope in [&answer.envelope, unread, &envelopes[0]] {
        let receive = Receive { from: ada(), envelope, associated_data: b"" };
        assert_eq!(b.try_run(&receive, context).unwrap_err(), DriveError::Refused(OpenError::Duplicate));
    }
    let answer = b
        .run(&Send { to: ada(), plaintext: b"on", associated_data: b"", keep: Keep::ForRetry }, context)
        .envelope;
    let received = a.run(&Receive { from: ben(), envelope: &answer, associated_data: b"" }, context);
    assert_eq!((received.content.text().unwrap(), received.strength), (&b"on"[..], Strength::Full));
}

/// The ritual by hand, as the README shows it, over a store that says nothing but "absent".
#[test]
fn an_empty_store_asks_and_settles() {
    let mut source = Counting(7);
    let context = &mut classic(&mut source);
    let mut have = outrigger::Loaded::new();
    let operation = Register { address: ada() };
    let Ok(Run::Needs(needs)) = outrigger::Operation::run(&operation, &have, context) else {
        panic!("it must ask first")
    };
    have.answer(needs, |_| Ok::<_, ()>(None)).unwrap();
    assert!(matches!(outrigger::Operation::run(&operation, &have, context), Ok(Run::Done(_))));
}
