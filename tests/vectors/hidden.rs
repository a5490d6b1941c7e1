//! `vectors/hidden.json`: encrypted headers. Its ratchets and sessions are played as those with headers in clear are.

use outrigger::{
    Advice, EnvelopeDescription, Headers, Limits, MessageId, RetryError, RootSecret, UnixMillis,
    ratchet::{DecryptError, Ratchet},
};
use serde_json::Value;

use crate::{
    array, companions::altered, file, hex, list, number, pair, ratchet::play_alone, retry::Asked,
    sessions::play,
};

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
    let asked = Asked::after(&file["case"]);
    let envelope = hex(&file["envelope"]);
    for entry in list(&file["requests"]) {
        let note = &entry["note"];
        let draws = [&entry["salt"], &entry["nonce"], &note["private"], &note["nonce"]];
        asked.is_answered(entry, &file["message_id"], &envelope, &draws);
    }
    for entry in list(&file["refused"]) {
        let name = format!("{}: {}", entry["name"], entry["why"]);
        let error = asked.answers("a", "b", &hex(&entry["request"])).expect_err(&name);
        let identity = matches!(error, RetryError::IdentityChanged { .. });
        assert_eq!(identity, entry["name"] == "by another device", "{name}: {error}");
        assert!(identity || matches!(error.advice(), Advice::Drop | Advice::Update), "{name}: {error}");
    }
    altered(&hex(&file["requests"][0]["request"]), |request| {
        asked.answers("a", "b", request).expect_err("altered");
    });
}
