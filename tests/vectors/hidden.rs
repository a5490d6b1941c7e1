//! `vectors/hidden.json`: encrypted headers. Its ratchets and sessions are played as those with headers in clear are.

use outrigger::{
    Advice, AnswerRetry, DriveError, EnvelopeDescription, Headers, Limits, MessageId, OpenError, PrekeyId,
    RequestRetry, RetryError, RootSecret, UnixMillis, VerifiedBundle,
    ratchet::{DecryptError, Ratchet},
};
use serde_json::Value;

use crate::{Script, address, array, classic, file, hex, list, means, number, pair, play, play_alone, text};

fn vectors() -> Value {
    file(include_str!("../../vectors/hidden.json"))
}

/// What a responder that has opened nothing says to a message.
fn open_first(of: &Value, message: &[u8]) -> Result<Vec<u8>, DecryptError> {
    let root = RootSecret::take_from(&mut array(&of["root_secret"]));
    let mut responder = Ratchet::respond_with(Headers::Encrypted, root, pair(&of["responder_private"]));
    responder.decrypt(message, b"", UnixMillis(0), &Limits::DEFAULT).map(|opened| opened.to_vec())
}

#[test]
fn the_header_aead() {
    let file = vectors();
    let of = &file["header_aead"];
    let cases = list(&of["cases"]);
    assert_eq!(cases.len(), 10);
    for case in cases {
        let opened = open_first(case, &hex(&case["message"]));
        assert_eq!(opened, Ok(hex(&case["plaintext"])), "{}", case["name"]);
    }
    let of = &of["refused"];
    for entry in list(&of["messages"]) {
        let refused = open_first(of, &hex(&entry["message"]));
        assert_eq!(refused, Err(DecryptError::NotAuthentic), "{}: {}", entry["name"], entry["why"]);
    }
    let honest = hex(&of["honest"]);
    open_first(of, &honest).unwrap();
    for bit in 0..8 * usize::try_from(number(&of["sealed_header_length"])).unwrap() {
        let mut flipped = honest.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open_first(of, &flipped), Err(DecryptError::NotAuthentic), "bit {bit}");
    }
}

#[test]
fn ratchets() {
    let file = vectors();
    let cases = list(&file["ratchets"]);
    assert_eq!(cases.len(), 2);
    cases.iter().for_each(|case| play_alone(case, Headers::Encrypted));
}

#[test]
fn sessions() {
    let file = vectors();
    let cases = list(&file["sessions"]);
    assert_eq!(cases.len(), 3);
    for case in cases.iter().filter(|case| case["suite"] == 1) {
        play(case);
    }
    #[cfg(feature = "post-quantum")]
    for case in cases.iter().filter(|case| case["suite"] != 1) {
        crate::post_quantum::play(&crate::post_quantum::Vectors(Value::Null), case);
    }
}

#[test]
fn envelopes_show_a_length() {
    let file = vectors();
    for case in list(&file["sessions"]) {
        for step in list(&case["steps"]).iter().filter(|step| step["op"] == "send") {
            let envelope = hex(&step["envelope"]);
            assert_eq!(MessageId::of(&envelope).unwrap().as_bytes()[..], hex(&step["message_id"]));
            assert!(EnvelopeDescription::of(&envelope).unwrap().header.is_none());
            let note = step["note"].get("note").map(hex).unwrap_or_default();
            let parts = [&[1, 0x80][..], &note, &hex(&step["sealed_header"])].concat();
            assert_eq!(parts, hex(&step["head"]), "{}", step["name"]);
        }
    }
}

#[test]
fn retry_requests_in_notes() {
    let file = vectors();
    let file = &file["requests"];
    let case = &file["case"];
    let stores = play(case);
    let at = |name: &str| address(&case["devices"][name]);
    let bundle = VerifiedBundle::verify(&hex(&case["devices"]["b"]["prekeys"]["bundle"]), &at("b")).unwrap();
    let now = UnixMillis(number(&case["time"]));
    // Each is tried at the store as it is after the steps.
    let answers = |request: &[u8]| {
        let mut store = stores["a"].clone();
        let mut source = getrandom::SysRng;
        let mut context = classic(now, store.generation, &mut source).with_headers(Headers::Encrypted);
        let answer = AnswerRetry { from: at("b"), request, bundle: Some(&bundle), resend_to: None };
        match store.run(&answer, &mut context) {
            Ok(answer) => Ok(answer),
            Err(DriveError::Refused(error)) => {
                assert!(store == stores["a"], "{error}: a refusal changed a record");
                Err(error)
            }
            Err(other) => panic!("{other}"),
        }
    };
    for entry in list(&file["requests"]) {
        let (name, request) = (text(&entry["name"]), hex(&entry["request"]));
        let answered = answers(&request).expect(name);
        assert_eq!(answered.message_id.as_bytes()[..], hex(&file["message_id"]), "{name}");
        assert_eq!(answered.restarted, entry["restarts"].as_bool().unwrap(), "{name}");
        assert_eq!(means(answered.reason), number(&entry["means"]), "{name}");
        if entry["made_by_b"] == false {
            continue;
        }
        let error = match number(&entry["reason"]) {
            2 => OpenError::KeyGone,
            4 => OpenError::MissingPrekey(PrekeyId::of(bundle.signed_prekey())),
            _ => OpenError::OutOfStep,
        };
        let draws = ["salt", "nonce"].map(|draw| &entry[draw]).into_iter();
        let draws: Vec<_> =
            draws.chain(["private", "nonce"].map(|draw| &entry["note"][draw])).map(hex).collect();
        let mut source = Script(draws.into_iter().rev().collect());
        let mut store = stores["b"].clone();
        let mut context = classic(UnixMillis(number(&entry["asked_at"])), store.generation, &mut source);
        let ask = RequestRetry { from: at("a"), envelope: &hex(&file["envelope"]), error };
        assert_eq!(store.run(&ask, &mut context).unwrap().request, request, "{name}");
    }
    for entry in list(&file["refused"]) {
        let name = format!("{}: {}", entry["name"], entry["why"]);
        let error = answers(&hex(&entry["request"])).expect_err(&name);
        let identity = matches!(error, RetryError::IdentityChanged { .. });
        assert_eq!(identity, entry["name"] == "by another device", "{name}: {error}");
        assert!(identity || matches!(error.advice(), Advice::Drop | Advice::Update), "{name}: {error}");
    }
    let request = hex(&file["requests"][0]["request"]);
    for bit in 0..8 * request.len() {
        let mut flipped = request.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        answers(&flipped).expect_err("a bit flipped");
    }
    for len in 0..request.len() {
        answers(&request[..len]).expect_err("cut");
    }
}
