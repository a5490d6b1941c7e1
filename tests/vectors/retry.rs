//! `vectors/retry.json`: retry requests.

use std::collections::BTreeMap;

use outrigger::{
    Address, Advice, AnswerRetry, DriveError, EnvelopeDescription, IdentityKey, MessageId, OpenError,
    PrekeyId, RequestRetry, RetryAnswer, RetryError, UnixMillis, VerifiedBundle,
};
use serde_json::Value;

use crate::{
    Script, Store, address, classic, file, hex, list, number,
    sessions::{headers, means, play},
    text,
};

/// The devices of a case as they are after its steps. Each request is tried at a copy.
pub(crate) struct Asked<'a> {
    case: &'a Value,
    stores: BTreeMap<&'a str, Store>,
}

impl<'a> Asked<'a> {
    pub(crate) fn after(case: &'a Value) -> Self {
        Self { case, stores: play(case) }
    }

    /// What `to` answers to a request of `from`; where it refuses, nothing has changed.
    pub(crate) fn answers(&self, to: &str, from: &str, request: &[u8]) -> Result<RetryAnswer, RetryError> {
        let mut store = self.stores[to].clone();
        let mut source = getrandom::SysRng;
        let now = UnixMillis(number(&self.case["time"]));
        let mut context = classic(now, store.generation, &mut source).with_headers(headers(self.case));
        let bundle = self.bundle(from);
        let answer = AnswerRetry { from: self.at(from), request, bundle: Some(&bundle), resend_to: None };
        match store.run(&answer, &mut context) {
            Ok(answer) => Ok(answer),
            Err(DriveError::Refused(error)) => {
                assert!(store == self.stores[to], "{error}: a refusal changed a record");
                Err(error)
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// A valid request of b to a, for the message of an envelope: what comes of it and, where b makes such, that b makes it from these draws.
    pub(crate) fn is_answered(&self, entry: &Value, message_id: &Value, envelope: &[u8], draws: &[&Value]) {
        let (name, request) = (text(&entry["name"]), hex(&entry["request"]));
        let answered = self.answers("a", "b", &request).expect(name);
        assert_eq!(answered.message_id.as_bytes()[..], hex(message_id), "{name}");
        assert_eq!(answered.restarted, entry["restarts"].as_bool().unwrap(), "{name}");
        assert_eq!(means(answered.reason), number(&entry["means"]), "{name}");
        if entry["made_by_b"] == false {
            return;
        }
        let error = match number(&entry["reason"]) {
            2 => OpenError::KeyGone,
            3 => OpenError::TooFarAhead { gap: 1_001, limit: 1_000 },
            4 => OpenError::MissingPrekey(PrekeyId::of(self.bundle("b").signed_prekey())),
            _ => OpenError::OutOfStep,
        };
        let mut source = Script(draws.iter().rev().map(|draw| hex(draw)).collect());
        let mut store = self.stores["b"].clone();
        let asked_at = UnixMillis(number(&entry["asked_at"]));
        let mut context = classic(asked_at, store.generation, &mut source).with_headers(headers(self.case));
        let ask = RequestRetry { from: self.at("a"), envelope, error };
        assert_eq!(store.run(&ask, &mut context).unwrap().request, request, "{name}");
        drop(context);
        source.assert_drawn(&entry["name"]);
    }

    fn at(&self, name: &str) -> Address {
        address(&self.case["devices"][name])
    }

    fn bundle(&self, name: &str) -> VerifiedBundle {
        let bundle = hex(&self.case["devices"][name]["prekeys"]["bundle"]);
        VerifiedBundle::verify(&bundle, &self.at(name)).unwrap()
    }
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
    let asked = Asked::after(&file["case"]);
    let wanted = &file["envelopes"][0];
    let envelope = hex(&wanted["envelope"]);
    for entry in list(&file["requests"]) {
        asked.is_answered(entry, &wanted["message_id"], &envelope, &[&entry["salt"], &entry["nonce"]]);
    }
    for entry in list(&file["refused"]) {
        let refused = asked.answers(text(&entry["to"]), text(&entry["from"]), &hex(&entry["request"]));
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
    asked.answers("a", "b", &request).unwrap();
    for range in list(&altered["ranges"]) {
        let start = usize::try_from(number(&range["start"])).unwrap();
        for bit in 0..8 * usize::try_from(number(&range["length"])).unwrap() {
            let mut flipped = request.clone();
            flipped[start + bit / 8] ^= 1 << (bit % 8);
            asked.answers("a", "b", &flipped).expect_err("a bit flipped");
        }
    }
    for len in 0..request.len() {
        asked.answers("a", "b", &request[..len]).expect_err("cut");
    }
}
