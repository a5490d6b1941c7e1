//! `vectors/ratchet.json`: the ratchet used alone.

use std::collections::BTreeMap;

use outrigger::{
    Headers, Limits, Random, RootSecret, UnixMillis,
    ratchet::{DecryptError, Ratchet},
};
use serde_json::Value;

use crate::{Script, array, file, hex, list, pair, text};

#[test]
fn the_ratchet_alone() {
    let file = file(include_str!("../../vectors/ratchet.json"));
    list(&file["cases"]).iter().for_each(|case| play_alone(case, Headers::Plain));
}

/// Plays a case of two ratchets, then what is to be tried after it.
pub(crate) fn play_alone(case: &Value, headers: Headers) {
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
