//! `vectors/supply.json`: what a phone tells its companion, and a history, at the companion of `linking` in `vectors/companions.json`.

use outrigger::{
    AccountId, Address, AskHistory, Content, DescribeDevices, DescribePeer, DeviceId, DriveError, Generation,
    HistoryError, HistoryManifest, Keep, OpenHistory, OpenSynced, Receive, Send, SupplyError, SupplyFrame,
    SyncEpoch, SyncError, TakeHistory, TakeSupply, TrustMark, UnixMillis,
};
use serde_json::Value;

use crate::{Script, Store, classic, companions::linked, file, hex, list, number, run, text};

/// The companion of the linking, once its phone has spoken with it, and the phone.
fn household(case: &Value) -> (Store, Store, Address) {
    let (mut phone, mut companion, joined) = linked(case);
    let now = number(&case["time"]);
    let send = Send { to: joined.address, plaintext: b"hello", associated_data: b"", keep: Keep::Nothing };
    let envelope = run(&mut phone, now, &send).unwrap().envelope;
    let own = Address::new(joined.address.account, DeviceId::PHONE);
    let receive = Receive { from: own, envelope: &envelope, associated_data: b"" };
    let received = run(&mut companion, now, &receive).unwrap();
    assert_eq!(received.content.text(), Some(&b"hello"[..]));
    (phone, companion, own)
}

fn trust(value: &Value) -> TrustMark {
    match text(value) {
        "pinned" => TrustMark::Pinned,
        "verified" => TrustMark::Verified,
        "changed" => TrustMark::Changed,
        other => panic!("{other}"),
    }
}

/// What the store holds of an account is what the frame says.
fn holds(store: &mut Store, now: u64, told: &Value, name: &str) {
    let account = AccountId::new(&hex(&told["account_id"])).unwrap();
    let peer = Address::new(account, DeviceId::PHONE);
    let described = run(store, now, &DescribePeer { peer }).unwrap();
    assert_eq!(described.trust, trust(&told["trust"]), "{name}");
    let key = described.identity_key.unwrap();
    assert_eq!(key.public_key().as_bytes()[..], hex(&told["identity_key"]), "{name}");
    let list = run(store, now, &DescribeDevices { account }).unwrap().list;
    let epoch = list.map(|list| u64::from(list.epoch().0));
    assert_eq!(epoch, told["list_epoch"].as_u64(), "{name}");
}

#[test]
fn frames() {
    let companions = file(include_str!("../../vectors/companions.json"));
    let case = &companions["linking"];
    let supply = file(include_str!("../../vectors/supply.json"));
    let now = number(&case["time"]);
    let (_, mut companion, _) = household(case);
    for step in list(&supply["steps"]) {
        let name = text(&step["name"]);
        let frame = SupplyFrame::from_kept(hex(&step["frame"]));
        let before = companion.clone();
        match (text(&step["outcome"]), run(&mut companion, now, &TakeSupply { frame: &frame })) {
            ("gap", Err(DriveError::Refused(SupplyError::Gap { taken, .. }))) => {
                assert_eq!(taken.0, number(&step["taken"]), "{name}");
                assert!(companion == before, "{name}: a refusal changed a record");
            }
            (outcome @ ("again" | "taken"), Ok(taken)) => {
                assert_eq!(taken.again, outcome == "again", "{name}");
                assert_eq!(taken.told.len(), list(&step["told"]).len(), "{name}");
                for (found, told) in taken.told.iter().zip(list(&step["told"])) {
                    assert_eq!(found.account.as_bytes()[..], hex(&told["account_id"]), "{name}");
                    assert_eq!(found.trust, trust(&told["trust"]), "{name}");
                    assert_eq!(found.key_changed, told["key_changed"].as_bool().unwrap(), "{name}");
                    holds(&mut companion, now, told, name);
                }
            }
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
    for entry in list(&supply["refused"]) {
        let frame = SupplyFrame::from_kept(hex(&entry["frame"]));
        let before = companion.clone();
        let refused = run(&mut companion, now, &TakeSupply { frame: &frame });
        assert!(matches!(refused, Err(DriveError::Refused(SupplyError::Decode(_)))), "{}", entry["name"]);
        assert!(companion == before, "{}: a refusal changed a record", entry["name"]);
    }
    let full = SupplyFrame::from_kept(hex(&supply["full"]));
    assert_eq!(run(&mut companion, now, &TakeSupply { frame: &full }).unwrap().told.len(), 64);
    for entry in list(&supply["synced"]) {
        let sealed = hex(&entry["sealed"]);
        let opened = run(&mut companion, now, &OpenSynced { sealed: &sealed, associated_data: b"bound" });
        match entry["unknown"].as_bool() {
            Some(_) => {
                let epoch = SyncEpoch(number(&entry["epoch"]).try_into().unwrap());
                assert_eq!(opened.unwrap_err(), DriveError::Refused(SyncError::UnknownEpoch(epoch)));
            }
            None => assert_eq!(opened.unwrap()[..], b"for the account"[..]),
        }
    }
}

#[test]
fn histories() {
    let companions = file(include_str!("../../vectors/companions.json"));
    let case = &companions["linking"];
    let supply = file(include_str!("../../vectors/supply.json"));
    let (now, history) = (number(&case["time"]), &case["history"]);
    let (mut phone, mut companion, own) = household(case);
    let manifest = HistoryManifest::from_kept(hex(&supply["manifest"]));
    let unasked = run(&mut companion, now, &TakeHistory { manifest: &manifest });
    assert_eq!(unasked.unwrap_err(), DriveError::Refused(HistoryError::NotAsked));

    // The id is drawn first; then a ratchet key and a nonce.
    let mut source = Script::new(&supply["ask_draws"]);
    let mut context = classic(UnixMillis(now), Generation([9; 16]), &mut source);
    let asked = companion.run(&AskHistory { since: UnixMillis(7) }, &mut context).unwrap();
    drop(context);
    let from = run(&mut companion, now, &outrigger::DescribeDevice).unwrap().address;
    let receive = Receive { from, envelope: &asked, associated_data: b"" };
    let Content::HistoryAsked { id, .. } = run(&mut phone, now, &receive).unwrap().content else {
        panic!("not asked")
    };
    assert_eq!(id.0[..], hex(&history["id"]));
    assert_eq!(own.account, from.account);

    for entry in list(&supply["refused_manifests"]) {
        let manifest = HistoryManifest::from_kept(hex(&entry["manifest"]));
        let before = companion.clone();
        let taken = run(&mut companion, now, &TakeHistory { manifest: &manifest });
        assert!(matches!(taken, Err(DriveError::Refused(_))), "{}", entry["name"]);
        assert!(companion == before, "{}: a refusal changed a record", entry["name"]);
    }
    run(&mut companion, now, &TakeHistory { manifest: &manifest }).unwrap();
    let second = run(&mut companion, now, &TakeHistory { manifest: &manifest });
    assert!(second.is_err(), "a second manifest");
    let chunks: Vec<_> = list(&history["chunks"]).iter().map(|chunk| hex(&chunk["sealed"])).collect();
    assert!(run(&mut companion, now, &OpenHistory { index: 1, sealed: &chunks[0] }).is_err());
    for (index, chunk) in [(1, &chunks[1]), (0, &chunks[0])] {
        let told = run(&mut companion, now, &OpenHistory { index, sealed: chunk }).unwrap();
        assert_eq!(told.text[..], hex(&history["chunks"][index as usize]["text"]));
    }
}
