//! `vectors/*.json`, made by an independent script of `docs/protocol.md`, replayed through the public API with a scripted random source.
//! (`vectors/xeddsa.json` is replayed in `src/primitives/vectors.rs`.)

mod code;
mod companions;
mod contents;
mod hidden;
#[cfg(feature = "post-quantum")]
mod post_quantum;
mod relay;
mod relay_frames;
mod relay_pairing;
mod relay_upgrade;
mod supply;

use std::{collections::BTreeMap, convert::Infallible};

use outrigger::{
    AccountId, Address, Advice, AnswerRetry, BundleError, Context, DescribePeer, DeviceId, DriveError,
    EnvelopeDescription, Generation, Headers, IdentityKey, IdentityKeyPair, Keep, KeyPair, Limits,
    MemoryStore, MessageId, OpenError, Operation, PrekeyId, PublicKey, Random, Receive, Record, RecordKey,
    Recover, Register, ReplenishPrekeys, RequestRetry, Restart, RetryError, RetryOutcome, RetryReason,
    Revision, RootSecret, SafetyNumber, Send, Start, Strength, Suite, SuitePolicy, UnixMillis,
    VerifiedBundle, drive,
    handshake::{Handshake, Party, Prekeys, initiate, respond},
    ratchet::{DecryptError, Ratchet},
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

#[test]
fn safety_numbers() {
    let file = file(include_str!("../../vectors/fingerprints.json"));
    for entry in list(&file["pairs"]) {
        let key = |name: &str| IdentityKey::parse_encoded(&hex(&entry[name])).unwrap();
        let (a, b) = (key("key_a"), key("key_b"));
        let (id_a, id_b) = (hex(&entry["id_a"]), hex(&entry["id_b"]));
        let at_a = SafetyNumber::new((&a, &id_a), (&b, &id_b));
        let at_b = SafetyNumber::new((&b, &id_b), (&a, &id_a));
        assert_eq!(at_a.digits(), text(&entry["number"]), "{}", entry["name"]);
        assert_eq!(at_b.digits(), text(&entry["number"]));
        assert_eq!(at_a.to_string().replace(' ', ""), text(&entry["number"]));
        assert_eq!(at_a.scannable(), hex(&entry["scannable_a"]));
        assert_eq!(at_b.scannable(), hex(&entry["scannable_b"]));
        assert_eq!(at_a.check_scanned(&at_b.scannable()), Ok(()));
        assert_eq!(at_b.check_scanned(&at_a.scannable()), Ok(()));
    }
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

#[test]
fn prekeys_and_bundles() {
    let file = file(include_str!("../../vectors/prekeys.json"));
    for entry in list(&file["prekey_ids"]) {
        let key = PublicKey::parse(&array(&entry["public"])).unwrap();
        assert_eq!(PrekeyId::of(&key).as_bytes()[..], hex(&entry["id"]), "{}", entry["name"]);
    }
    for entry in list(&file["bundles"]) {
        device(entry);
        for bundle in list(&entry["bundles_with_one_time_prekey"]) {
            let bundle = VerifiedBundle::verify(&hex(bundle), &address(entry)).unwrap();
            assert!(bundle.one_time_prekey().is_some());
        }
    }
    for entry in list(&file["bundles_accepted"]) {
        let bytes = hex(&entry["bundle"]);
        let verified = VerifiedBundle::verify(&bytes, &address(entry));
        assert!(verified.is_ok(), "{}: {verified:?}", entry["name"]);
    }
    for entry in list(&file["bundles_refused"]) {
        let refused: Result<_, BundleError> = VerifiedBundle::verify(&hex(&entry["bundle"]), &address(entry));
        assert!(refused.is_err(), "{}: {}", entry["name"], entry["why"]);
    }
}

#[test]
fn number_statements() {
    use outrigger::{ChangeNumber, LearnNumber, PhoneNumber};

    let file = file(include_str!("../../vectors/prekeys.json"));
    for entry in list(&file["numbers"]) {
        let mut store = MemoryStore::new();
        let account = AccountId::new(&hex(&entry["account_id"])).unwrap();
        let phone = Address::new(account, DeviceId::PHONE);
        let mut source = Script(vec![hex(&entry["z"]), hex(&entry["identity_private"])]);
        let mut context = classic(UnixMillis(number(&entry["issued_at"])), Generation([7; 16]), &mut source);
        store.run(&Register { address: phone }, &mut context).unwrap();
        let number = PhoneNumber::parse(text(&entry["number"])).unwrap();
        let statement = store.run(&ChangeNumber { number }, &mut context).unwrap();
        assert_eq!(statement, hex(&entry["statement"]), "{}", entry["name"]);
    }
    for (list_name, accepted) in [("numbers", true), ("numbers_refused", false)] {
        for entry in list(&file[list_name]) {
            let account = AccountId::new(&hex(&entry["account_id"])).unwrap();
            let mut store = knows_phone(account, &hex(&entry["identity_public"]));
            let mut source = Script(Vec::new());
            let mut context = classic(UnixMillis(0), Generation([7; 16]), &mut source);
            let learned =
                store.run(&LearnNumber { account, statement: &hex(&entry["statement"]) }, &mut context);
            assert_eq!(learned.is_ok(), accepted, "{}: {}", entry["name"], entry["why"]);
        }
    }
}

/// A store whose device has pinned this key at the account's phone. The peer's private half is not needed: the record is written through the decision to accept it.
fn knows_phone(account: AccountId, key: &[u8]) -> MemoryStore {
    use outrigger::{DecideIdentity, Decision};

    let mut source = getrandom::SysRng;
    let mut context = classic(UnixMillis(1), Generation([7; 16]), &mut source);
    let (mut store, mut other) = (MemoryStore::new(), MemoryStore::new());
    let phone = Address::new(account, DeviceId::PHONE);
    let here = Address::new(AccountId::new(&[0xee; 16]).unwrap(), DeviceId::PHONE);
    store.run(&Register { address: here }, &mut context).unwrap();
    other.run(&Register { address: phone }, &mut context).unwrap();
    let upload = other.run(&ReplenishPrekeys { one_time: 0 }, &mut context).unwrap();
    let bundle = VerifiedBundle::verify(&upload.bundle, &phone).unwrap();
    store.run(&Start { bundle: &bundle }, &mut context).unwrap();
    let mut encoded = vec![PublicKey::TYPE];
    encoded.extend_from_slice(key);
    let decision = Decision::Accept(IdentityKey::parse_encoded(&encoded).unwrap());
    store.run(&DecideIdentity { peer: phone, decision }, &mut context).unwrap();
    store
}

#[test]
fn x3dh() {
    let file = file(include_str!("../../vectors/x3dh.json"));
    for entry in list(&file["cases"]) {
        let (a, b) = (&entry["initiator"], &entry["responder"]);
        let (address_a, address_b) = (address(a), address(b));
        let (identity_a, identity_b) = (identity(&a["identity_private"]), identity(&b["identity_private"]));
        let handshake = Handshake::decode(&hex(&entry["handshake"]), Suite::Classic).unwrap();
        assert_eq!(handshake.encode(), hex(&entry["handshake"]));
        let one_time = b["one_time_prekey_private"].as_str().map(|_| pair(&b["one_time_prekey_private"]));
        let at_b = respond(
            Party { identity: &identity_b, address: &address_b },
            &address_a,
            Suite::Classic,
            &handshake,
            Prekeys { signed: &pair(&b["signed_prekey_private"]), one_time: one_time.as_ref(), kem: None },
        )
        .unwrap();
        assert_eq!(at_b.transcript().as_bytes()[..], hex(&entry["transcript"]), "{}", entry["name"]);
        assert_eq!(at_b.session_id().0[..], hex(&entry["session_id"]));

        // The initiator needs a bundle, signed by a device with the responder's keys.
        let mut source = Script(vec![
            [0xb1; 32].iter().zip(0..).map(|(byte, at): (&u8, u8)| byte ^ at).collect(),
            (100..164).collect(),
            (1..65).collect(),
            hex(&b["signed_prekey_private"]),
            hex(&b["identity_private"]),
        ]);
        let mut context = classic(UnixMillis(1), Generation([7; 16]), &mut source);
        let mut store = MemoryStore::new();
        store.run(&Register { address: address_b }, &mut context).unwrap();
        let mut bundle = store.run(&ReplenishPrekeys { one_time: 0 }, &mut context).unwrap().bundle;
        if let Some(one_time) = &one_time {
            bundle.extend([0x3a, 33].iter().chain(&one_time.public().encoded()));
        }
        let bundle = VerifiedBundle::verify(&bundle, &address_b).unwrap();
        let mut source = Script(vec![hex(&a["ephemeral_private"])]);
        let own = Party { identity: &identity_a, address: &address_a };
        let mut random = Random::new(&mut source);
        let at_a = initiate(own, &bundle, SuitePolicy::Classic, handshake.started_at, &mut random).unwrap();
        assert_eq!(at_a.suite, Suite::Classic);
        assert_eq!(at_a.established.transcript(), at_b.transcript());
        assert_eq!(at_a.established.session_id(), at_b.session_id());
        assert_eq!(at_a.handshake, handshake);

        // The root key is not shown; a ratchet from it is the proof. The vectors' own root key is the third.
        let mut random_source = getrandom::SysRng;
        let mut random = Random::new(&mut random_source);
        let signed = pair(&b["signed_prekey_private"]);
        let mut ratchet =
            Ratchet::initiate(at_a.established.into_root_secret(), signed.public(), &mut random).unwrap();
        let message = ratchet.encrypt(b"proof", b"", &mut random).unwrap();
        for root in [at_b.into_root_secret(), RootSecret::take_from(&mut array(&entry["root_key"]))] {
            let mut other = Ratchet::respond(root, pair(&b["signed_prekey_private"]));
            assert_eq!(
                other.decrypt(&message, b"", UnixMillis(0), &Limits::DEFAULT).unwrap()[..],
                b"proof"[..]
            );
        }
    }
}

#[test]
fn the_ratchet_alone() {
    let file = file(include_str!("../../vectors/ratchet.json"));
    list(&file["cases"]).iter().for_each(|case| play_alone(case, Headers::Plain));
}

/// Plays a case of two ratchets, then what is to be tried after it.
fn play_alone(case: &Value, headers: Headers) {
    let mut source = Script::new(&case["initiator_draws"]);
    let responder = pair(&case["responder_private"]);
    let root = || RootSecret::take_from(&mut array(&case["root_secret"]));
    let mut random = Random::new(&mut source);
    let initiator = Ratchet::initiate_with(headers, root(), responder.public(), &mut random).unwrap();
    let mut sides =
        BTreeMap::from([("a", initiator), ("b", Ratchet::respond_with(headers, root(), responder))]);
    let steps = list(&case["steps"]);
    for step in steps.iter().chain(list(&case["after"])) {
        let side = sides.get_mut(text(&step["by"])).unwrap();
        if step["op"] == "send" {
            let mut source = Script::new(&step["draws"]);
            let (plaintext, associated) = (hex(&step["plaintext"]), hex(&step["associated_data"]));
            let message = side.encrypt(&plaintext, &associated, &mut Random::new(&mut source)).unwrap();
            source.assert_drawn(&step["name"]);
            assert_eq!(message, hex(&step["message"]), "{} {}", case["name"], step["name"]);
            continue;
        }
        let sent = step["message"].as_u64().map_or(step, |index| &steps[usize::try_from(index).unwrap()]);
        let before = side.save();
        let (message, associated) = (hex(&sent["message"]), hex(&sent["associated_data"]));
        let opened = side.decrypt(&message, &associated, UnixMillis(0), &Limits::DEFAULT);
        let name = format!("{} {}: {}", case["name"], step["name"], step["why"]);
        match (text(&step["expect"]), opened) {
            ("opens", opened) => assert_eq!(opened.expect(&name)[..], hex(&sent["plaintext"]), "{name}"),
            ("repeat", opened) => assert_eq!(opened.unwrap_err(), DecryptError::Duplicate, "{name}"),
            ("refused", opened) => refusal_is(opened.expect_err(&name), step, &name),
            (other, _) => panic!("{other}"),
        }
        assert!(step["expect"] == "opens" || side.save()[..] == before[..], "{name}");
        // What is saved and restored goes on as if it had not been.
        *side = Ratchet::restore(&side.save()).unwrap();
    }
}

/// A refusal that is no repeat; where the step says so, for that reason of a retry request, or for none.
fn refusal_is(error: DecryptError, step: &Value, name: &str) {
    assert_ne!(error, DecryptError::Duplicate, "{name}");
    let too_far = matches!(error, DecryptError::TooFarAhead { .. }).then_some(3);
    let reason = too_far.or((error == DecryptError::OutOfStep).then_some(6));
    assert!(step.get("reason").is_none_or(|expected| expected.as_u64() == reason), "{name}: {error}");
}

#[test]
fn whole_sessions() {
    let file = file(include_str!("../../vectors/session.json"));
    for case in list(&file["cases"]) {
        let mut stores = play(case);
        let at = |name: &Value| address(&case["devices"][text(name)]);
        for entry in case["large"].as_array().into_iter().flatten() {
            let store = stores.get_mut(text(&entry["by"])).unwrap();
            let mut source = getrandom::SysRng;
            let mut context = classic(UnixMillis(number(&case["time"])), store.generation, &mut source);
            let (envelope, associated) = (large(entry), hex(&entry["associated_data"]));
            let receive =
                Receive { from: at(&entry["from"]), envelope: &envelope, associated_data: &associated };
            let before = store.clone();
            let opened = store.run(&receive, &mut context).is_ok();
            assert_eq!(opened, entry["expect"] == "opens", "{}", entry["why"]);
            assert!(opened || *store == before);
        }
    }
}

/// Plays a case's steps, then what is to be tried after them; the stores as they are in the end.
fn play(case: &Value) -> BTreeMap<&str, Store> {
    let devices = case["devices"].as_object().unwrap();
    let mut stores: BTreeMap<&str, Store> =
        devices.iter().map(|(name, entry)| (name.as_str(), device(entry))).collect();
    let mut kept = BTreeMap::new();
    let at = |name: &Value| address(&devices[text(name)]);
    let steps = list(&case["steps"]);
    for step in steps.iter().chain(list(&case["after"])) {
        let name = format!("{} {}: {}", case["name"], step["name"], step["why"]);
        let by = text(&step["by"]);
        let store = stores.get_mut(by).unwrap();
        let draws = step.get("draws").cloned().unwrap_or(Value::Array(Vec::new()));
        let mut source = Script::new(&draws);
        let now = UnixMillis(number(step.get("time").unwrap_or(&case["time"])));
        let headers = if case["headers"] == "encrypted" { Headers::Encrypted } else { Headers::Plain };
        let mut context = classic(now, store.generation, &mut source).with_headers(headers);
        // The step that made what this one is about.
        let about =
            |field: &str| step[field].as_u64().map_or(step, |index| &steps[usize::try_from(index).unwrap()]);
        match step["op"].as_str().unwrap_or("try") {
            "lose" => *store = device(&devices[by]),
            "keep" => drop(kept.insert(by, store.clone())),
            "go back" => *store = kept[by].clone(),
            "recover" => recover(store, &step["prekeys"], now),
            "start" => {
                let bundle = VerifiedBundle::verify(&hex(&step["bundle"]), &at(&step["with"])).unwrap();
                let started = store.run(&Restart { bundle: &bundle }, &mut context).expect(&name);
                assert_eq!(started.session.0[..], hex(&step["session_id"]), "{name}");
                assert_eq!(started.strength == Strength::Weak, step["weak"].as_bool().unwrap(), "{name}");
                active_is(store, at(&step["with"]), &step["active"], &name);
            }
            "send" => {
                let (plaintext, associated) = (hex(&step["plaintext"]), hex(&step["associated_data"]));
                let keep = if step["kept"] == true { Keep::ForRetry } else { Keep::Nothing };
                let send =
                    Send { to: at(&step["to"]), plaintext: &plaintext, associated_data: &associated, keep };
                let sent = store.run(&send, &mut context).expect(&name);
                assert_eq!(sent.envelope, hex(&step["envelope"]), "{name}");
                assert_eq!(sent.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
            }
            "ask" => {
                let (sent, from) = (about("envelope"), at(&step["to"]));
                let (envelope, associated) = (hex(&sent["envelope"]), hex(&sent["associated_data"]));
                let receive = Receive { from, envelope: &envelope, associated_data: &associated };
                let Err(DriveError::Refused(error)) = store.run(&receive, &mut context) else {
                    panic!("{name}: it opens")
                };
                let ask = RequestRetry { from, envelope: &envelope, error };
                let asked = store.run(&ask, &mut context).expect(&name);
                assert_eq!(asked.request, hex(&step["request"]), "{name}");
                assert_eq!(asked.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
                let again = store.run(&ask, &mut context).map(drop);
                assert_eq!(again, Err(DriveError::Refused(RetryError::AlreadyAsked)), "{name}");
            }
            "answer" => {
                answer(store, step, &hex(&about("request")["request"]), at(&step["to"]), &mut context)
            }
            "receive" | "try" => {
                let (sent, from) = (about("envelope"), at(&step["from"]));
                let (envelope, associated) = (hex(&sent["envelope"]), hex(&sent["associated_data"]));
                let receive = Receive { from, envelope: &envelope, associated_data: &associated };
                let before = store.clone();
                match (text(&step["expect"]), store.run(&receive, &mut context)) {
                    ("opens", received) => {
                        let received = received.expect(&name);
                        let kind = number(&step["kind"]);
                        let text = (kind != 3).then(|| hex(&step["plaintext"]));
                        assert_eq!(received.content.text(), text.as_deref(), "{name}");
                        assert_eq!(received.again, matches!(kind, 2 | 3), "{name}");
                        assert_eq!(received.recovered, step["recovered"].as_bool().unwrap(), "{name}");
                        assert_eq!(received.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
                        if let Some(weak) = step["weak"].as_bool() {
                            assert_eq!(received.strength == Strength::Weak, weak, "{name}");
                        }
                        if step.get("active").is_some() {
                            active_is(store, from, &step["active"], &name);
                        }
                    }
                    (expected, received) => {
                        let Err(DriveError::Refused(error)) = received else { panic!("{name}: it opens") };
                        let found = if error == OpenError::Duplicate {
                            "repeat"
                        } else if error.advice() == Advice::RequestRetry {
                            "ask"
                        } else {
                            "refused"
                        };
                        assert_eq!(found, expected, "{name}: {error}");
                        if expected == "ask" {
                            let fits = match number(&step["reason"]) {
                                2 => error == OpenError::KeyGone,
                                3 => matches!(error, OpenError::TooFarAhead { .. }),
                                4 => matches!(error, OpenError::MissingPrekey(_)),
                                _ => error == OpenError::OutOfStep,
                            };
                            assert!(fits, "{name}: {error}");
                        }
                        assert!(*store == before, "{name}: a refusal changed a record");
                    }
                }
            }
            other => panic!("{other}"),
        }
        drop(context);
        source.assert_drawn(&step["name"]);
    }
    stores
}

/// A step `answer`: what goes out for a request, or that nothing does.
fn answer(store: &mut Store, step: &Value, request: &[u8], from: Address, context: &mut Context<'_>) {
    let name = &step["name"];
    let before = store.clone();
    let answer = AnswerRetry { from, request, bundle: None, resend_to: None };
    if step["expect"] == "refused" {
        let refused = store.run(&answer, context).map(drop);
        let expected = [RetryError::UnknownMessage, RetryError::AnsweredEnough];
        assert!(
            expected.map(|error| Err(DriveError::Refused(error))).contains(&refused),
            "{name}: {refused:?}"
        );
        assert!(*store == before);
        return;
    }
    let bundle =
        step["bundle"].as_str().map(|_| VerifiedBundle::verify(&hex(&step["bundle"]), &from).unwrap());
    if bundle.is_some() {
        let refused = store.run(&answer, context).map(drop);
        assert_eq!(refused, Err(DriveError::Refused(RetryError::NoBundle)), "{name}");
    }
    let answered = store.run(&AnswerRetry { bundle: bundle.as_ref(), ..answer }, context).unwrap();
    assert_eq!(answered.envelope, hex(&step["envelope"]), "{name}");
    assert_eq!(answered.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
    assert_eq!(answered.session.0[..], hex(&step["session_id"]), "{name}");
    assert_eq!(answered.restarted, step["restarted"].as_bool().unwrap(), "{name}");
    assert_eq!(answered.outcome == RetryOutcome::Again, step["outcome"] == "again", "{name}");
    assert_eq!(answered.associated_data, hex(&step["associated_data"]), "{name}");
    assert_eq!(means(answered.reason), number(&step["reason"]), "{name}");
    active_is(store, from, &step["active"], text(name));
}

/// A reason's number; those that are not known are treated as 6.
fn means(reason: RetryReason) -> u64 {
    let known = [
        RetryReason::UnknownSession,
        RetryReason::KeyGone,
        RetryReason::TooFarAhead,
        RetryReason::MissingPrekey,
        RetryReason::Recovered,
    ];
    known.into_iter().zip(1..).find(|(known, _)| *known == reason).map_or(6, |(_, number)| number)
}

/// The records come back from a backup: they are taken over under another generation, and other prekeys are made.
fn recover(store: &mut Store, prekeys: &Value, now: UnixMillis) {
    let keys: Vec<_> = store.records.keys().copied().collect();
    store.generation.0[0] ^= 1;
    let mut source = Script(Vec::new());
    let mut context = classic(now, store.generation, &mut source);
    let recovered = store.run(&Recover { records: &keys }, &mut context).unwrap();
    assert!(recovered.deleted > 0);
    replenish(store, prekeys);
}

#[test]
fn retry_requests() {
    let file = file(include_str!("../../vectors/retry.json"));
    for entry in list(&file["envelopes"]) {
        let envelope = hex(&entry["envelope"]);
        assert_eq!(MessageId::of(&envelope).unwrap().as_bytes()[..], hex(&entry["message_id"]));
        assert_eq!(
            EnvelopeDescription::of(&envelope).unwrap().header.unwrap().session.0[..],
            hex(&entry["session_id"])
        );
        assert_eq!(
            hex(&entry["digest_input"]),
            [&[0, 0, 0, 21][..], b"outrigger v1 envelope", &envelope].concat()
        );
    }
    let case = &file["case"];
    let stores = play(case);
    let at = |name: &str| address(&case["devices"][name]);
    let bundle = |name: &str| {
        VerifiedBundle::verify(&hex(&case["devices"][name]["prekeys"]["bundle"]), &at(name)).unwrap()
    };
    let (wanted, now) = (&file["envelopes"][0], UnixMillis(number(&case["time"])));
    let envelope = hex(&wanted["envelope"]);
    // Each is tried at the store as it is after the steps.
    let answers = |to: &str, from: &str, request: &[u8]| {
        let mut store = stores[to].clone();
        let before = store.clone();
        let mut source = getrandom::SysRng;
        let mut context = classic(now, store.generation, &mut source);
        let bundle = bundle(from);
        let answer = AnswerRetry { from: at(from), request, bundle: Some(&bundle), resend_to: None };
        match store.run(&answer, &mut context) {
            Ok(answer) => Ok(answer),
            Err(DriveError::Refused(error)) => {
                assert!(store == before, "{error}: a refusal changed a record");
                Err(error)
            }
            Err(other) => panic!("{other}"),
        }
    };
    for entry in list(&file["requests"]) {
        let (name, request) = (&entry["name"], hex(&entry["request"]));
        let answered = answers("a", "b", &request).unwrap();
        assert_eq!(answered.message_id.as_bytes()[..], hex(&wanted["message_id"]), "{name}");
        assert_eq!(answered.restarted, entry["restarts"].as_bool().unwrap(), "{name}");
        assert_eq!(means(answered.reason), number(&entry["means"]), "{name}");
        if entry["made_by_b"] == false {
            continue;
        }
        let error = match number(&entry["reason"]) {
            2 => OpenError::KeyGone,
            3 => OpenError::TooFarAhead { gap: 1_001, limit: 1_000 },
            4 => OpenError::MissingPrekey(PrekeyId::of(bundle("b").signed_prekey())),
            _ => OpenError::OutOfStep,
        };
        let mut source = Script(vec![hex(&entry["nonce"]), hex(&entry["salt"])]);
        let mut store = stores["b"].clone();
        let mut context = classic(UnixMillis(number(&entry["asked_at"])), store.generation, &mut source);
        let ask = RequestRetry { from: at("a"), envelope: &envelope, error };
        assert_eq!(store.run(&ask, &mut context).unwrap().request, request, "{name}");
    }
    for entry in list(&file["refused"]) {
        let refused = answers(text(&entry["to"]), text(&entry["from"]), &hex(&entry["request"]));
        let name = format!("{}: {}", entry["name"], entry["why"]);
        let error = refused.expect_err(&name);
        match entry["identity_named"].as_str() {
            Some(_) => {
                let offered = IdentityKey::parse_encoded(&[vec![5], hex(&entry["identity_named"])].concat());
                assert!(
                    matches!(error, RetryError::IdentityChanged { offered: named, .. } if Ok(named) == offered),
                    "{name}: {error}"
                );
            }
            None => assert!(matches!(error.advice(), Advice::Drop | Advice::Update), "{name}: {error}"),
        }
    }
    let altered = &file["altered"];
    let request = hex(&altered["request"]);
    answers("a", "b", &request).unwrap();
    for range in list(&altered["ranges"]) {
        let start = usize::try_from(number(&range["start"])).unwrap();
        for bit in 0..8 * usize::try_from(number(&range["length"])).unwrap() {
            let mut flipped = request.clone();
            flipped[start + bit / 8] ^= 1 << (bit % 8);
            answers("a", "b", &flipped).expect_err("a bit flipped");
        }
    }
    for len in 0..request.len() {
        answers("a", "b", &request[..len]).expect_err("cut");
    }
}

/// An envelope of a million bytes, sealed here since the file only describes it.
fn large(entry: &Value) -> Vec<u8> {
    use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::AeadInOut};
    use sha2::{Digest, Sha256};

    let content_byte = u8::try_from(number(&entry["content_byte"])).unwrap();
    let mut content = vec![content_byte; usize::try_from(number(&entry["content_length"])).unwrap()];
    let (key, nonce): ([u8; 32], [u8; 12]) = (array(&entry["aead_key"]), array(&entry["nonce"]));
    let tag = Aes256Gcm::new(&key.into())
        .encrypt_inout_detached(
            &Nonce::from(nonce),
            &hex(&entry["aead_associated_data"]),
            content.as_mut_slice().into(),
        )
        .unwrap();
    let envelope = [hex(&entry["head"]), nonce.to_vec(), content, tag.to_vec()].concat();
    assert_eq!(Sha256::digest(&envelope)[..], hex(&entry["envelope_sha256"]));
    envelope
}

fn active_is(store: &mut Store, peer: Address, id: &Value, name: &str) {
    let mut source = Script(Vec::new());
    let mut context = classic(UnixMillis(0), store.generation, &mut source);
    let active = store.run(&DescribePeer { peer }, &mut context).unwrap().session;
    assert_eq!(active.map(|session| session.id.0.to_vec()), id.as_str().map(|_| hex(id)), "{name}");
}
