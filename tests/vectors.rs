//! `vectors/*.json`, made by an independent script of `docs/protocol.md`, replayed through the public API with a scripted random source.
//! (`vectors/xeddsa.json` is replayed in `src/primitives/vectors.rs`.)

use std::collections::BTreeMap;

use outrigger::{
    AccountId, Address, BundleError, Context, DescribePeer, DeviceId, DriveError, Generation, IdentityKey,
    IdentityKeyPair, Keep, KeyPair, Limits, MemoryStore, OpenError, PrekeyId, PublicKey, Random, Receive,
    Register, ReplenishPrekeys, Restart, RootSecret, SafetyNumber, Send, Start, Strength, Suite, UnixMillis,
    VerifiedBundle,
    handshake::{Handshake, Party, initiate, respond},
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
    let file = file(include_str!("../vectors/fingerprints.json"));
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

/// Registers a device of the vectors in a fresh store and makes its prekeys; its uploads must be those of the script.
fn device(entry: &Value) -> MemoryStore {
    let mut store = MemoryStore::new();
    let prekeys = &entry["prekeys"];
    let issued_at = UnixMillis(number(&prekeys["issued_at"]));
    let mut source = Script::new(&entry["register_draws"]);
    let mut context = Context::new(issued_at, Generation([7; 16]), &mut source);
    let key = store.run(&Register { address: address(entry) }, &mut context).unwrap();
    assert_eq!(key.public_key().as_bytes()[..], hex(&entry["identity_public"]));

    let one_time = list(&prekeys["one_time_prekeys"]);
    let mut source = Script::new(&prekeys["draws"]);
    let mut context = Context::new(issued_at, Generation([7; 16]), &mut source);
    let count = u16::try_from(one_time.len()).unwrap();
    let upload = store.run(&ReplenishPrekeys { one_time: count }, &mut context).unwrap();
    drop(context);
    source.assert_drawn(&entry["name"]);
    assert_eq!(upload.bundle, hex(&prekeys["bundle"]));
    let fields: Vec<_> = one_time.iter().map(|one| hex(&one["upload"])).collect();
    assert_eq!(upload.one_time_prekeys.iter().map(|field| field.to_vec()).collect::<Vec<_>>(), fields);
    store
}

#[test]
fn prekeys_and_bundles() {
    let file = file(include_str!("../vectors/prekeys.json"));
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
        let verified = VerifiedBundle::verify(&hex(&entry["bundle"]), &address(entry));
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

    let file = file(include_str!("../vectors/prekeys.json"));
    for entry in list(&file["numbers"]) {
        let mut store = MemoryStore::new();
        let account = AccountId::new(&hex(&entry["account_id"])).unwrap();
        let phone = Address::new(account, DeviceId::PHONE);
        let mut source = Script(vec![hex(&entry["z"]), hex(&entry["identity_private"])]);
        let mut context =
            Context::new(UnixMillis(number(&entry["issued_at"])), Generation([7; 16]), &mut source);
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
            let mut context = Context::new(UnixMillis(0), Generation([7; 16]), &mut source);
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
    let mut context = Context::new(UnixMillis(1), Generation([7; 16]), &mut source);
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
    let file = file(include_str!("../vectors/x3dh.json"));
    for entry in list(&file["cases"]) {
        let (a, b) = (&entry["initiator"], &entry["responder"]);
        let (address_a, address_b) = (address(a), address(b));
        let (identity_a, identity_b) = (identity(&a["identity_private"]), identity(&b["identity_private"]));
        let handshake = Handshake::decode(&hex(&entry["handshake"])).unwrap();
        assert_eq!(handshake.encode(), hex(&entry["handshake"]));
        let one_time = b["one_time_prekey_private"].as_str().map(|_| pair(&b["one_time_prekey_private"]));
        let at_b = respond(
            Party { identity: &identity_b, address: &address_b },
            &address_a,
            Suite::Classic,
            &handshake,
            &pair(&b["signed_prekey_private"]),
            one_time.as_ref(),
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
        let mut context = Context::new(UnixMillis(1), Generation([7; 16]), &mut source);
        let mut store = MemoryStore::new();
        store.run(&Register { address: address_b }, &mut context).unwrap();
        let mut bundle = store.run(&ReplenishPrekeys { one_time: 0 }, &mut context).unwrap().bundle;
        if let Some(one_time) = &one_time {
            bundle.extend([0x3a, 33].iter().chain(&one_time.public().encoded()));
        }
        let bundle = VerifiedBundle::verify(&bundle, &address_b).unwrap();
        let mut source = Script(vec![hex(&a["ephemeral_private"])]);
        let own = Party { identity: &identity_a, address: &address_a };
        let at_a = initiate(own, &bundle, handshake.started_at, &mut Random::new(&mut source)).unwrap();
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
    let file = file(include_str!("../vectors/ratchet.json"));
    for case in list(&file["cases"]) {
        let mut source = Script::new(&case["initiator_draws"]);
        let responder = pair(&case["responder_private"]);
        let root = || RootSecret::take_from(&mut array(&case["root_secret"]));
        let initiator = Ratchet::initiate(root(), responder.public(), &mut Random::new(&mut source)).unwrap();
        let mut sides = BTreeMap::from([("a", initiator), ("b", Ratchet::respond(root(), responder))]);
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
                ("refused", opened) => assert_ne!(opened.unwrap_err(), DecryptError::Duplicate, "{name}"),
                (other, _) => panic!("{other}"),
            }
            assert!(step["expect"] == "opens" || side.save()[..] == before[..], "{name}");
            // What is saved and restored goes on as if it had not been.
            *side = Ratchet::restore(&side.save()).unwrap();
        }
    }
}

#[test]
fn whole_sessions() {
    let file = file(include_str!("../vectors/session.json"));
    for case in list(&file["cases"]) {
        let devices = case["devices"].as_object().unwrap();
        let mut stores: BTreeMap<&str, MemoryStore> =
            devices.iter().map(|(name, entry)| (name.as_str(), device(entry))).collect();
        let at = |name: &Value| address(&devices[text(name)]);
        let steps = list(&case["steps"]);
        for step in steps.iter().chain(list(&case["after"])) {
            let name = format!("{} {}: {}", case["name"], step["name"], step["why"]);
            let store = stores.get_mut(text(&step["by"])).unwrap();
            let draws = step.get("draws").cloned().unwrap_or(Value::Array(Vec::new()));
            let mut source = Script::new(&draws);
            let now = step.get("time").unwrap_or(&case["time"]);
            let mut context = Context::new(UnixMillis(number(now)), Generation([7; 16]), &mut source);
            match step["op"].as_str().unwrap_or("try") {
                "lose" => *store = device(&devices[text(&step["by"])]),
                "start" => {
                    let bundle = VerifiedBundle::verify(&hex(&step["bundle"]), &at(&step["with"])).unwrap();
                    let started = store.run(&Restart { bundle: &bundle }, &mut context).expect(&name);
                    assert_eq!(started.session.0[..], hex(&step["session_id"]), "{name}");
                    assert_eq!(started.strength == Strength::Weak, step["weak"].as_bool().unwrap(), "{name}");
                    active_is(store, at(&step["with"]), &step["active"], &name);
                }
                "send" => {
                    let (plaintext, associated) = (hex(&step["plaintext"]), hex(&step["associated_data"]));
                    let send = Send {
                        to: at(&step["to"]),
                        plaintext: &plaintext,
                        associated_data: &associated,
                        keep: Keep::ForRetry,
                    };
                    let sent = store.run(&send, &mut context).expect(&name);
                    assert_eq!(sent.envelope, hex(&step["envelope"]), "{name}");
                    assert_eq!(sent.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
                }
                "receive" | "try" => {
                    let sent = step["envelope"]
                        .as_u64()
                        .map_or(step, |index| &steps[usize::try_from(index).unwrap()]);
                    let (envelope, associated) = (hex(&sent["envelope"]), hex(&sent["associated_data"]));
                    let receive = Receive {
                        from: at(&step["from"]),
                        envelope: &envelope,
                        associated_data: &associated,
                    };
                    let before = dump(store);
                    match (text(&step["expect"]), store.run(&receive, &mut context)) {
                        ("opens", received) => {
                            let received = received.expect(&name);
                            assert_eq!(
                                received.content.text().unwrap()[..],
                                hex(&step["plaintext"]),
                                "{name}"
                            );
                            if let Some(weak) = step["weak"].as_bool() {
                                assert_eq!(received.strength == Strength::Weak, weak, "{name}");
                            }
                            if step.get("active").is_some() {
                                active_is(store, at(&step["from"]), &step["active"], &name);
                            }
                        }
                        ("repeat", received) => {
                            let refused = DriveError::Refused(OpenError::Duplicate);
                            assert_eq!(received.unwrap_err(), refused, "{name}");
                            assert_eq!(dump(store), before, "{name}");
                        }
                        ("refused", received) => {
                            received
                                .map(|received| received.content.text().unwrap().to_vec())
                                .expect_err(&name);
                            assert_eq!(dump(store), before, "{name}");
                        }
                        (other, _) => panic!("{other}"),
                    }
                }
                other => panic!("{other}"),
            }
            drop(context);
            source.assert_drawn(&step["name"]);
        }
        for entry in case["large"].as_array().into_iter().flatten() {
            let store = stores.get_mut(text(&entry["by"])).unwrap();
            let mut source = getrandom::SysRng;
            let mut context =
                Context::new(UnixMillis(number(&case["time"])), Generation([7; 16]), &mut source);
            let (envelope, associated) = (large(entry), hex(&entry["associated_data"]));
            let receive =
                Receive { from: at(&entry["from"]), envelope: &envelope, associated_data: &associated };
            let before = dump(store);
            let opened = store.run(&receive, &mut context).is_ok();
            assert_eq!(opened, entry["expect"] == "opens", "{}", entry["why"]);
            assert!(opened || dump(store) == before);
        }
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

fn dump(store: &MemoryStore) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    store.iter().map(|(key, revision, bytes)| (key.as_bytes().to_vec(), revision.0, bytes.to_vec())).collect()
}

fn active_is(store: &mut MemoryStore, peer: Address, id: &Value, name: &str) {
    let mut source = Script(Vec::new());
    let mut context = Context::new(UnixMillis(0), Generation([7; 16]), &mut source);
    let active = store.run(&DescribePeer { peer }, &mut context).unwrap().session.unwrap();
    assert_eq!(active.id.0[..], hex(id), "{name}");
}
