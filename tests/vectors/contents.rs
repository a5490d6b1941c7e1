//! `vectors/companions.json`: what the AEAD of a session seals, with stamps and headings.

use outrigger::{
    AccountId, Address, Advice, Content, DriveError, LearnDevices, OpenError, Receive, Received, SharedId,
    Standing, UnixMillis,
};
use serde_json::Value;

use crate::{Script, address, classic, device, file, hex, list, number, text};

fn standing(value: &Value) -> Standing {
    match text(value) {
        "same" => Standing::Same,
        "receiver behind" => Standing::Behind,
        "sender behind" => Standing::Ahead,
        "two lists" => Standing::Disputed,
        other => panic!("{other}"),
    }
}

/// The stamp's parts and the heading's, as the crate says them.
fn is_as_said(received: &Received, step: &Value) {
    let name = text(&step["name"]);
    assert_eq!(received.message_id.as_bytes()[..], hex(&step["message_id"]), "{name}");
    assert_eq!(received.again, matches!(number(&step["kind"]), 2 | 3), "{name}");
    assert_eq!(received.recovered, step["recovered"].as_bool().unwrap(), "{name}");
    match (&received.view, step["views"].as_array()) {
        (None, None) => {}
        (Some(view), Some(views)) => {
            let left_out: Vec<_> = view.left_out.iter().map(|device| u64::from(device.0)).collect();
            let expected: Vec<_> = list(&step["stamp"]["left_out"]).iter().map(number).collect();
            assert_eq!((view.theirs, view.own), (standing(&views[0]), standing(&views[1])), "{name}");
            assert_eq!(left_out, expected, "{name}");
        }
        (view, _) => panic!("{name}: {view:?}"),
    }
    let (heading, said) = (&step["heading"], hex(&step["text"]));
    let is_shared = |id: &SharedId| id.as_bytes()[..] == hex(&heading["shared_id"]);
    let fits = match (&received.content, heading["type"].as_u64()) {
        (Content::Lost, None) => step["kind"] == 3,
        (Content::Message(text), None) => step["kind"] != 3 && text[..] == said,
        (Content::ForAccount { id, text }, Some(1)) => is_shared(id) && text[..] == said,
        (Content::SentByOwn { to, id, text }, Some(2)) => {
            is_shared(id) && text[..] == said && *to == AccountId::new(&hex(&heading["account_id"])).unwrap()
        }
        (Content::Leaves, Some(3)) => true,
        (Content::SupplyTaken(taken), Some(5)) => taken.0 == number(&heading["number"]),
        (Content::HistoryAsked { id, since }, Some(6)) => {
            id.0[..] == hex(&heading["history_id"]) && since.0 == number(&heading["time"])
        }
        _ => false,
    };
    assert!(fits, "{name}: {:?}", received.content);
}

#[test]
fn stamps_and_headings() {
    let file = file(include_str!("../../vectors/companions.json"));
    let file = &file["contents"];
    let now = UnixMillis(number(&file["time"]));
    let devices = &file["devices"];
    let at = |name: &Value| -> Address { address(&devices[text(name)]) };
    let mut stores = ["b", "d"].map(|name| (name, device(&devices[name])));
    for step in list(&file["steps"]) {
        let store = stores.iter_mut().find(|(name, _)| *name == text(&step["by"])).map(|(_, store)| store);
        let store = store.unwrap();
        let mut source = Script(Vec::new());
        let mut context = classic(now, store.generation, &mut source);
        if step["op"] == "learn" {
            let account = AccountId::new(&hex(&step["account_id"])).unwrap();
            store.run(&LearnDevices { account, list: &hex(&step["list"]) }, &mut context).unwrap();
            continue;
        }
        let (name, envelope, associated) =
            (text(&step["name"]), hex(&step["envelope"]), hex(&step["associated_data"]));
        let receive = Receive { from: at(&step["from"]), envelope: &envelope, associated_data: &associated };
        let before = store.clone();
        match (text(&step["expect"]), store.run(&receive, &mut context)) {
            ("opens", received) => {
                is_as_said(&received.unwrap_or_else(|error| panic!("{name}: {error}")), step);
            }
            (expected, Err(DriveError::Refused(error))) => {
                let kind = hex(&step["content"])[0];
                match expected {
                    "refused" => assert_eq!(error, OpenError::UnknownContent(kind), "{name}"),
                    "frame" => {
                        assert_eq!(
                            (&error, error.advice()),
                            (&OpenError::Frame, Advice::TakeFrame),
                            "{name}"
                        );
                    }
                    "not of own account" => assert_eq!(error, OpenError::NotEntitled, "{name}"),
                    other => panic!("{name}: {other}"),
                }
                assert!(*store == before, "{name}: a refusal changed a record");
            }
            (_, other) => panic!("{name}: {:?}", other.map(|received| received.content)),
        }
    }
}
