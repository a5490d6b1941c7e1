//! `vectors/post_quantum.json`: PQXDH. Uploads, bundles, handshakes and whole sessions of the suites 2 and 3, with what is to be refused.

use std::collections::BTreeMap;

use outrigger::{
    BundleError, Context, DriveError, Generation, Keep, KemPair, KemSeed, KemSize, Limits, MessageId,
    OpenError, Random, Receive, Register, ReplenishPrekeys, RootSecret, Send, Start, Strength, Suite,
    SuitePolicy, UnixMillis, VerifiedBundle,
    handshake::{Established, Handshake, HandshakeError, Party, Prekeys, initiate, respond},
    ratchet::Ratchet,
};
use serde_json::Value;

use crate::{
    Script, Store, address, array, file, hex, identity, list, number, pair,
    sessions::{headers, kind},
    text,
};

/// The file. Long values are lists of parts, of which `=name` stands for a KEM key or a ciphertext, and `=name from..to` for some bytes of one.
pub(crate) struct Vectors(pub(crate) Value);

impl Vectors {
    fn load() -> Self {
        Self(file(include_str!("../../vectors/post_quantum.json")))
    }

    fn bytes(&self, value: &Value) -> Vec<u8> {
        let parts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        parts.iter().flat_map(|part| self.part(part)).collect()
    }

    fn part(&self, part: &Value) -> Vec<u8> {
        let Some(name) = text(part).strip_prefix('=') else { return hex(part) };
        if let Some(whole) = self.named(name) {
            return whole;
        }
        let (name, range) = name.rsplit_once(' ').unwrap();
        let (from, to) = range.split_once("..").unwrap();
        self.named(name).unwrap()[from.parse().unwrap()..to.parse().unwrap()].to_vec()
    }

    fn named(&self, name: &str) -> Option<Vec<u8>> {
        let key = self.0["kem_keys"].get(name).map(|key| hex(&key["encoded"]));
        key.or_else(|| self.0["ciphertexts"].get(name).map(hex))
    }

    fn kem_key(&self, name: &Value) -> KemPair {
        let key = &self.0["kem_keys"][text(name)];
        KemSeed::take_from(size(&key["suite"]), &mut array(&key["seed"])).expand()
    }
}

fn size(suite: &Value) -> KemSize {
    match number(suite) {
        2 => KemSize::MlKem768,
        3 => KemSize::MlKem1024,
        other => panic!("suite {other}"),
    }
}

fn policy(name: &Value) -> SuitePolicy {
    match text(name) {
        "classic" => SuitePolicy::Classic,
        "prefer 768" => SuitePolicy::Prefer(KemSize::MlKem768),
        "prefer 1024" => SuitePolicy::Prefer(KemSize::MlKem1024),
        "require 768" => SuitePolicy::Require(KemSize::MlKem768),
        "require 1024" => SuitePolicy::Require(KemSize::MlKem1024),
        other => panic!("{other}"),
    }
}

/// Registers a device in a fresh store and makes its prekeys; what it uploads must be what the script uploads.
fn device(vectors: &Vectors, entry: &Value) -> Store {
    let mut store = Store { records: BTreeMap::new(), generation: Generation([7; 16]) };
    let prekeys = &entry["prekeys"];
    let policy = policy(&prekeys["policy"]);
    let issued_at = UnixMillis(number(&prekeys["issued_at"]));
    let mut source = Script::new(&entry["register_draws"]);
    let mut context = Context::new(issued_at, store.generation, &mut source).with_suites(policy);
    store.run(&Register { address: address(entry) }, &mut context).unwrap();

    let one_time = list(&prekeys["one_time_prekeys"]);
    let mut source = Script::new(&prekeys["draws"]);
    let mut context = Context::new(issued_at, store.generation, &mut source).with_suites(policy);
    let count = u16::try_from(one_time.len()).unwrap();
    let upload = store.run(&ReplenishPrekeys { one_time: count }, &mut context).unwrap();
    drop(context);
    source.assert_drawn(&prekeys["policy"]);
    assert_eq!(upload.bundle, hex(&prekeys["bundle"]));
    let expected: Vec<_> = one_time.iter().map(|one| vectors.bytes(&one["upload"])).collect();
    assert_eq!(upload.one_time_prekeys, expected);
    let last_resort = prekeys["last_resort"].get("upload").map(|upload| vectors.bytes(upload));
    assert_eq!(upload.last_resort, last_resort.unwrap_or_default());
    for fields in upload.one_time_prekeys.iter().chain([&upload.last_resort]) {
        let bundle = [&upload.bundle[..], fields].concat();
        let bundle = VerifiedBundle::verify(&bundle, &address(entry)).unwrap();
        let suite = Suite::parse(*hex(&prekeys["suites"]).last().unwrap()).unwrap();
        assert_eq!(bundle.suite(policy), Some(suite));
    }
    store
}

#[test]
fn kem_keys() {
    let vectors = Vectors::load();
    for (name, entry) in vectors.0["kem_keys"].as_object().unwrap() {
        let pair = vectors.kem_key(&Value::from(name.as_str()));
        assert_eq!(pair.public().encoded(), hex(&entry["encoded"]), "{name}");
    }
}

#[test]
fn uploads() {
    let vectors = Vectors::load();
    let entries = list(&vectors.0["uploads"]);
    assert_eq!(entries.len(), 5);
    entries.iter().for_each(|entry| drop(device(&vectors, entry)));
}

#[test]
fn bundles() {
    let vectors = Vectors::load();
    let of = &vectors.0["bundles"];
    let verify = |entry: &Value| VerifiedBundle::verify(&vectors.bytes(&entry["bundle"]), &address(of));
    for entry in list(&of["accepted"]) {
        let bundle = verify(entry).unwrap_or_else(|error| panic!("{}: {error}", entry["name"]));
        let kem = (!entry["kem_suite"].is_null()).then(|| Suite::PostQuantum(size(&entry["kem_suite"])));
        for mine in [KemSize::MlKem768, KemSize::MlKem1024] {
            assert_eq!(bundle.suite(SuitePolicy::Require(mine)), kem, "{}", entry["name"]);
        }
        assert_eq!(bundle.one_time_prekey().is_some(), entry["one_time"] == true, "{}", entry["name"]);
    }
    for entry in list(&of["refused"]) {
        let name = format!("{}: {}", entry["name"], entry["why"]);
        let error = verify(entry).expect_err(&name);
        let fits = match text(&entry["kind"]) {
            "stripped" => error == BundleError::Stripped,
            "signature" => matches!(error, BundleError::BadSignature(_)),
            "shape" => matches!(error, BundleError::Decode(_)),
            other => panic!("{other}"),
        };
        assert!(fits, "{name}: {error}");
    }
}

#[test]
fn handshakes() {
    let vectors = Vectors::load();
    let entries = list(&vectors.0["handshakes"]);
    assert_eq!(entries.len(), 4);
    for entry in entries {
        let name = &entry["name"];
        let (a, b) = (&entry["initiator"], &entry["responder"]);
        let (address_a, address_b) = (address(a), address(b));
        let (identity_a, identity_b) = (identity(&a["identity_private"]), identity(&b["identity_private"]));
        let suite = Suite::PostQuantum(size(&entry["suite"]));
        let encoded = vectors.bytes(&entry["handshake"]);
        let handshake = Handshake::decode(&encoded, suite).unwrap();
        assert_eq!(handshake.encode(), encoded, "{name}");
        let part = handshake.kem.as_ref().unwrap();
        assert_eq!([part.prekey.as_bytes(), &part.ciphertext[..]].concat(), vectors.bytes(&entry["pq"]));

        let signed = pair(&b["signed_prekey_private"]);
        let one_time = b["one_time_prekey_private"].as_str().map(|_| pair(&b["one_time_prekey_private"]));
        let kem = vectors.kem_key(&b["key"]);
        let keys = Prekeys { signed: &signed, one_time: one_time.as_ref(), kem: Some(&kem) };
        let own = Party { identity: &identity_b, address: &address_b };
        let at_b = |handshake: &Handshake| respond(own, &address_a, suite, handshake, keys).unwrap();
        is_established(at_b(&handshake), entry, b);
        for altered in list(&entry["altered"]) {
            let mut handshake = handshake.clone();
            handshake.kem.as_mut().unwrap().ciphertext = vectors.bytes(&altered["ciphertext"]);
            is_established(at_b(&handshake), altered, b);
        }

        // Another suite, or keys of one, give nothing.
        let no_kem = Prekeys { kem: None, ..keys };
        let other =
            if size(&entry["suite"]) == KemSize::MlKem768 { KemSize::MlKem1024 } else { KemSize::MlKem768 };
        let other_kem = KemSeed::take_from(other, &mut [9; 64]).expand();
        for (suite, keys) in [
            (suite, no_kem),
            (suite, Prekeys { kem: Some(&other_kem), ..keys }),
            (Suite::Classic, keys),
            (Suite::Classic, no_kem),
            (Suite::PostQuantum(other), keys),
            (Suite::PostQuantum(other), Prekeys { kem: Some(&other_kem), ..keys }),
        ] {
            let refused = respond(own, &address_a, suite, &handshake, keys);
            assert_eq!(refused.unwrap_err(), HandshakeError::NoCommonSuite, "{name}");
        }
        for refused in list(&entry["refused"]) {
            let suite = Suite::parse(u8::try_from(number(&refused["suite"])).unwrap()).unwrap();
            let decoded = Handshake::decode(&vectors.bytes(&refused["handshake"]), suite);
            decoded.expect_err(&format!("{name}, {}: {}", refused["name"], refused["why"]));
        }

        let bundle = VerifiedBundle::verify(&vectors.bytes(&b["bundle"]), &address_b).unwrap();
        let own = Party { identity: &identity_a, address: &address_a };
        // The bundle says which size; what the initiator's own prekeys are of does not matter.
        for own_size in [KemSize::MlKem768, KemSize::MlKem1024] {
            for policy in [SuitePolicy::Prefer(own_size), SuitePolicy::Require(own_size)] {
                let mut source = Script::new(&a["draws"]);
                let mut random = Random::new(&mut source);
                let at_a = initiate(own, &bundle, policy, handshake.started_at, &mut random).unwrap();
                drop(random);
                source.assert_drawn(name);
                assert_eq!(at_a.suite, suite, "{name}");
                assert_eq!(at_a.handshake.encode(), encoded, "{name}");
                is_established(at_a.established, entry, b);
            }
        }
    }
}

/// What a side holds is what the vectors say. The root key is not shown; a ratchet between it and the vectors' own is the proof.
fn is_established(established: Established, expected: &Value, responder: &Value) {
    let name = &expected["name"];
    assert_eq!(established.transcript().as_bytes()[..], hex(&expected["transcript"]), "{name}");
    assert_eq!(established.session_id().0[..], hex(&expected["session_id"]), "{name}");
    let mut source = getrandom::SysRng;
    let mut random = Random::new(&mut source);
    let signed = pair(&responder["signed_prekey_private"]);
    let mut one = Ratchet::initiate(established.into_root_secret(), signed.public(), &mut random).unwrap();
    let message = one.encrypt(b"proof", b"", &mut random).unwrap();
    let root = RootSecret::take_from(&mut array(&expected["root_key"]));
    let mut other = Ratchet::respond(root, signed);
    let opened = other.decrypt(&message, b"", UnixMillis(0), &Limits::DEFAULT);
    assert_eq!(opened.unwrap()[..], b"proof"[..], "{name}");
}

#[test]
fn sessions() {
    let vectors = Vectors::load();
    let cases = list(&vectors.0["sessions"]);
    assert_eq!(cases.len(), 4);
    cases.iter().for_each(|case| play(&vectors, case));
}

/// Plays a case's steps, then what is to be tried after them.
pub(crate) fn play(vectors: &Vectors, case: &Value) {
    let devices = &case["devices"];
    let mut stores: BTreeMap<_, _> =
        ["a", "b"].into_iter().map(|name| (name, device(vectors, &devices[name]))).collect();
    let at = |name: &Value| address(&devices[text(name)]);
    let suite = Suite::PostQuantum(size(&case["suite"]));
    let steps = list(&case["steps"]);
    for step in steps.iter().chain(list(&case["after"])) {
        let name = format!("{} {}: {}", case["name"], step["name"], step["why"]);
        let by = text(&step["by"]);
        let store = stores.get_mut(by).unwrap();
        let mut source = step.get("draws").map_or(Script(Vec::new()), Script::new);
        let mut context = Context::new(UnixMillis(number(&case["time"])), store.generation, &mut source)
            .with_suites(policy(&devices[by]["prekeys"]["policy"]))
            .with_headers(headers(case));
        match step["op"].as_str().unwrap_or("try") {
            "start" => {
                let bundle = VerifiedBundle::verify(&vectors.bytes(&step["bundle"]), &at(&step["with"]));
                let started = store.run(&Start { bundle: &bundle.unwrap() }, &mut context).unwrap();
                assert_eq!(started.session.0[..], hex(&step["session_id"]), "{name}");
                assert_eq!((started.suite, started.downgraded), (suite, false), "{name}");
                assert_eq!(started.strength == Strength::Weak, step["weak"] == true, "{name}");
            }
            "send" => {
                let (plaintext, associated_data) = (hex(&step["plaintext"]), hex(&step["associated_data"]));
                let send = Send {
                    to: at(&step["to"]),
                    plaintext: &plaintext,
                    associated_data: &associated_data,
                    keep: Keep::ForRetry,
                };
                let sent = store.run(&send, &mut context).unwrap();
                assert_eq!(sent.envelope, vectors.bytes(&step["envelope"]), "{name}");
                assert_eq!(sent.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
            }
            "receive" | "try" => {
                let sent =
                    step["envelope"].as_u64().map_or(step, |index| &steps[usize::try_from(index).unwrap()]);
                let (envelope, associated_data) =
                    (vectors.bytes(&sent["envelope"]), hex(&sent["associated_data"]));
                let from = at(&step["from"]);
                let receive = Receive { from, envelope: &envelope, associated_data: &associated_data };
                let before = store.clone();
                match (text(&step["expect"]), store.run(&receive, &mut context)) {
                    ("opens", received) => {
                        let received = received.expect(&name);
                        assert_eq!(received.content.text().unwrap(), hex(&step["plaintext"]), "{name}");
                        assert_eq!(received.session.0[..], hex(&step["session_id"]), "{name}");
                        assert_eq!(received.message_id, MessageId::of(&envelope).unwrap(), "{name}");
                        assert!([received.suite.to_byte(), 0x80].contains(&envelope[1]), "{name}");
                        assert_eq!(received.strength == Strength::Weak, step["weak"] == true, "{name}");
                    }
                    (expected, received) => {
                        let Err(DriveError::Refused(error)) = received else { panic!("{name}: it opens") };
                        assert_eq!(kind(error), expected, "{name}: {error}");
                        let missing = matches!(error, OpenError::MissingPrekey(_));
                        assert_eq!(missing, step["reason"] == 4, "{name}: {error}");
                        assert!(*store == before, "{name}: a refusal changed a record");
                    }
                }
            }
            other => panic!("{other}"),
        }
        drop(context);
        source.assert_drawn(&step["name"]);
    }
}
