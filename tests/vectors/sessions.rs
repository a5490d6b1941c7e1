//! `vectors/session.json`: whole sessions between two devices.

use std::collections::BTreeMap;

use outrigger::{
    Address, Advice, AnswerRetry, Context, DescribePeer, DriveError, Headers, Keep, OpenError, Receive,
    Recover, RequestRetry, Restart, RetryError, RetryOutcome, RetryReason, Send, Strength, UnixMillis,
    VerifiedBundle,
};
use serde_json::Value;

use crate::{Script, Store, address, array, classic, device, file, hex, list, number, replenish, text};

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
pub(crate) fn play(case: &Value) -> BTreeMap<&str, Store> {
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
        let mut context = classic(now, store.generation, &mut source).with_headers(headers(case));
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
                        assert_eq!(kind(error), expected, "{name}: {error}");
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

/// What sort of headers a case is of.
pub(crate) fn headers(case: &Value) -> Headers {
    if case["headers"] == "encrypted" { Headers::Encrypted } else { Headers::Plain }
}

/// What the vectors call a refusal.
pub(crate) fn kind(error: OpenError) -> &'static str {
    match (error, error.advice()) {
        (OpenError::Duplicate, _) => "repeat",
        (_, Advice::RequestRetry) => "ask",
        _ => "refused",
    }
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
pub(crate) fn means(reason: RetryReason) -> u64 {
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
