//! `vectors/relay.json`: frames of every kind in both directions, taken and refused; what a session carries that is no frame; lengths; what is hashed of a request.
//! An end is tried as it stands in the whole run; all that is tried at it is under one message key, so that each comes to a copy.

#[path = "../stage/wire.rs"]
mod wire;

use outrigger::{
    Address, AskPhone, DescribeRelay, DeviceId, DriveError, FromDesktop, FromPhone, Generation,
    HandOutBundle, Keep, Receive, Register, RelayError, RelayReceive, RelayRequest, Request, RequestId,
    RequestState, Send, Start, Suspension, TakeFromDesktop, TakeFromPhone, TakenFromPhone, UnixMillis,
    Verdict, VerifiedBundle, Wanted, WhileAway,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    Store, address, array, hex, list, number,
    relay::{Ends, account, says, state, vectors},
    run, text,
};

fn refused<T: std::fmt::Debug, E>(
    result: Result<T, DriveError<E, std::convert::Infallible>>,
) -> Result<E, T> {
    match result {
        Err(DriveError::Refused(error)) => Ok(error),
        Ok(output) => Err(output),
        Err(_) => panic!("the store failed"),
    }
}

/// The ends as they stand once the first request and two asks have gone out, and the time then.
fn ends() -> (Value, Ends, u64) {
    ends_before(0)
}

/// Without so many of the last steps.
fn ends_before(steps: usize) -> (Value, Ends, u64) {
    let file = vectors();
    let mut ends = Ends::new(&file["run"]);
    let after = usize::try_from(number(&file["frames"]["after"])).unwrap();
    ends.play(&list(&file["run"]["steps"])[..after - steps]);
    let now = number(&file["frames"]["time"]);
    (file, ends, now)
}

/// That a desktop or a phone refuses this as a frame, with nothing changed.
pub(crate) fn is_refused(ends: &Ends, now: u64, of: &str, envelope: &[u8], name: &str) -> Option<RelayError> {
    let (mut phone, mut desktop) = (ends.phone.clone(), ends.desktop.clone());
    let error = match of {
        "from_phone" => refused(run(&mut desktop, now, &TakeFromPhone { envelope })).ok(),
        _ => {
            let take = TakeFromDesktop { desktop: ends.id, envelope, verdict: Some(Verdict::Allow) };
            refused(run(&mut phone, now, &take)).ok()
        }
    };
    let unchanged = phone == ends.phone && desktop == ends.desktop;
    assert!(error.is_none() || unchanged, "{name}: a refusal changed a record");
    error
}

#[test]
fn frames_that_are_refused() {
    let (file, ends, now) = ends();
    for of in ["from_phone", "from_desktop"] {
        let entries = list(&file["frames"][of]["refused"]);
        assert!(entries.len() > 100);
        for entry in entries {
            let name = text(&entry["name"]);
            match is_refused(&ends, now, of, &hex(&entry["envelope"]), name) {
                Some(RelayError::Decode(_)) => {}
                Some(error) => panic!("{name}: {}: {error}", entry["why"]),
                None => panic!("{name}: {}, and it is taken", entry["why"]),
            }
        }
    }
}

/// What a status or an end settles: the outcome of the request that has gone out.
fn settles(entry: &Value, request: &Value, taken: &TakenFromPhone, name: &str) {
    let id = RequestId(array(&request["request_id"]));
    let said = &entry["said"];
    let FromPhone::Ended { settled, never_sent, .. } = &taken.said else { return };
    let is_ours = |outcome: &&Value| {
        (number(&outcome["number"]), &outcome["request_id"]) == (1, &request["request_id"])
    };
    let ours = list(&said["outcomes"]).iter().find(is_ours);
    let (known, never) = match ours {
        Some(outcome) => (vec![(id, state(&outcome["state"]))], vec![]),
        None if number(&said["ack"]) < 1 => (vec![], vec![id]),
        None => (vec![(id, RequestState::Unknown)], vec![]),
    };
    assert_eq!((settled, never_sent), (&known, &never), "{name}");
}

#[test]
fn frames_of_the_phone() {
    let (file, ends, now) = ends();
    let after = usize::try_from(number(&file["frames"]["after"])).unwrap();
    let steps = &list(&file["run"]["steps"])[..after];
    let request = steps.iter().rev().find(|step| step["op"] == "request").unwrap();
    for entry in list(&file["frames"]["from_phone"]["taken"]) {
        let (name, said, envelope) = (text(&entry["name"]), &entry["said"], hex(&entry["envelope"]));
        let mut desktop = ends.desktop.clone();
        let expect = text(&entry["expect"]);
        if expect == "early" {
            let error = is_refused(&ends, now, "from_phone", &envelope, name);
            assert!(matches!(error, Some(RelayError::Early { next }) if next.0 == 1), "{name}: {error:?}");
            continue;
        }
        let taken = run(&mut desktop, now, &TakeFromPhone { envelope: &envelope });
        let taken = taken.unwrap_or_else(|error| panic!("{name}: {error}"));
        match (expect, &taken.said) {
            ("nothing", FromPhone::Late) => {}
            ("desktop went back", FromPhone::Suspended(Suspension::DesktopWentBack)) => {}
            ("phone went back", FromPhone::Suspended(Suspension::PhoneWentBack)) => {}
            ("suspended", FromPhone::Suspended(why)) => {
                let all = [
                    Suspension::PhoneWentBack,
                    Suspension::DesktopWentBack,
                    Suspension::Session,
                    Suspension::TakenOver,
                ];
                assert_eq!(Some(why), all.get(usize::try_from(number(&said["suspended"])).unwrap() - 1));
            }
            ("status", FromPhone::Status { good_until, joined: false, settled }) => {
                assert_eq!(good_until.0, number(&entry["good_until"]), "{name}");
                assert!(settled.is_empty(), "{name}");
                assert_eq!(run(&mut desktop, now, &DescribeRelay).unwrap().good_until, *good_until);
            }
            ("nothing" | "status" | "suspended" | "desktop went back" | "phone went back", other) => {
                panic!("{name}: {expect}: {other:?}")
            }
            _ => {
                says(said, &taken, name);
                settles(entry, request, &taken, name);
            }
        }
        let again = refused(run(&mut desktop, now, &TakeFromPhone { envelope: &envelope }));
        assert!(again.is_ok(), "{name}: it opens again");
    }
}

#[test]
fn frames_of_the_desktop() {
    let (file, ends, now) = ends();
    for entry in list(&file["frames"]["from_desktop"]["taken"]) {
        let (name, said, envelope) = (text(&entry["name"]), &entry["said"], hex(&entry["envelope"]));
        let expect = text(&entry["expect"]);
        if expect == "early" {
            let error = is_refused(&ends, now, "from_desktop", &envelope, name);
            assert!(matches!(error, Some(RelayError::EarlyRequest { next }) if next.0 == 1), "{name}");
            continue;
        }
        let mut phone = ends.phone.clone();
        let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict: None };
        let taken = run(&mut phone, now, &take).unwrap_or_else(|error| panic!("{name}: {error}"));
        let went_back = Some(Suspension::PhoneWentBack);
        match (expect, taken) {
            ("ask", FromDesktop::Heard { frames, suspended: None }) => assert_eq!(frames.len(), 1, "{name}"),
            ("nothing", FromDesktop::Heard { frames, suspended: None }) => assert!(frames.is_empty()),
            ("went back", FromDesktop::Heard { frames, suspended }) => {
                assert_eq!((frames.len(), suspended), (1, went_back), "{name}");
            }
            ("went back", FromDesktop::Suspended(why)) => assert_eq!(Some(why), went_back),
            ("left", FromDesktop::Left) => {}
            ("answered", FromDesktop::Refused { frames, .. }) => assert_eq!(frames.len(), 1, "{name}"),
            ("answered", FromDesktop::Read { request, from, message, frames }) => {
                assert_eq!((request.0, from, frames.len()), (1, address(said), 1), "{name}");
                assert_eq!(message.as_bytes()[..], hex(&said["message_id"]), "{name}");
            }
            ("asks the user", FromDesktop::Undecided(Wanted::Send { to, text, .. })) => {
                assert_eq!(
                    (to, &text[..]),
                    (account(&said["account_id"]), &hex(&said["text"])[..]),
                    "{name}"
                );
            }
            ("asks the user", FromDesktop::Undecided(Wanted::Query { text, .. })) => {
                assert_eq!(text[..], hex(&said["text"]), "{name}");
            }
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
}

/// Allowed, and refused all the same: one binds more than a message can, one has nobody to go to. It is answered.
#[test]
fn requests_that_are_allowed_in_vain() {
    let (file, ends, now) = ends();
    for entry in list(&file["frames"]["from_desktop"]["allowed"]) {
        let (name, envelope, mut phone) = (text(&entry["name"]), hex(&entry["envelope"]), ends.phone.clone());
        let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict: Some(Verdict::Allow) };
        let taken = run(&mut phone, now, &take).unwrap();
        let FromDesktop::Refused { request, why, frames } = taken else { panic!("{name}: {taken:?}") };
        let refused = (number(&entry["said"]["number"]), state(&entry["state"]));
        assert_eq!((request.0, RequestState::Refused(why)), refused, "{name}");
        let [answer] = &frames[..] else { panic!("{name}: {frames:?}") };
        let taken = run(&mut ends.desktop.clone(), now, &TakeFromPhone { envelope: answer }).unwrap();
        let FromPhone::Answer { request, state: found, .. } = taken.said else { panic!("{name}: {taken:?}") };
        let answered = (request.0.to_vec(), found);
        assert_eq!(answered, (hex(&entry["said"]["request_id"]), state(&entry["state"])), "{name}");
    }
}

/// What a session of the two carries: as a frame, and as a message.
#[test]
fn what_is_no_frame() {
    let (file, ends, now) = ends();
    for entry in list(&file["frames"]["contents"]) {
        let of = text(&entry["of"]);
        let name = format!("{of}: {}", text(&entry["name"]));
        let envelope = hex(&entry["envelope"]);
        let error = is_refused(&ends, now, of, &envelope, &name);
        assert_eq!(error.is_none(), entry["expect"] == "frame", "{name}: {error:?}");
        let associated_data = hex(&entry["associated_data"]);
        let (mut store, from) = match of {
            "from_phone" => (ends.desktop.clone(), ends.own),
            _ => (ends.phone.clone(), Address::new(ends.own.account, ends.id)),
        };
        let before = store.clone();
        let receive = Receive { from, envelope: &envelope, associated_data: &associated_data };
        let relayed = RelayReceive { from, envelope: &envelope, associated_data: &associated_data };
        if entry["expect"] != "message" {
            assert!(run(&mut store, now, &receive).is_err(), "{name}: it opens as a message");
            assert!(run(&mut store, now, &relayed).is_err(), "{name}: it opens as a message");
            assert!(store == before, "{name}: a refusal changed a record");
        }
    }
}

/// The length of the frame in an envelope: nonce, tag, kind and heading are no part of it.
fn frame_length(envelope: &[u8]) -> u64 {
    let fields = wire::Fields::parse(envelope, 2).list;
    let sealed = fields.into_iter().find(|(field, _)| *field == wire::envelope::CIPHERTEXT);
    let Some((_, wire::Value::Bytes(sealed))) = sealed else { panic!("no ciphertext") };
    u64::try_from(sealed.len() - 12 - 16 - 2).unwrap()
}

/// The padded length of each length that a desktop's frame can have, and of the longest of a phone's.
#[test]
fn lengths() {
    // The two asks make the phone unreachable, and this desktop's requests refused.
    let (file, ends, now) = ends_before(2);
    let limit = |name: &str| number(&file["limits"][name]);
    let longest_text = usize::try_from(limit("request_text")).unwrap();
    let asked = run(&mut ends.desktop.clone(), now, &AskPhone).unwrap();
    assert_eq!(frame_length(&asked), limit("shortest_frame"));

    let makes = |request: Request<'_>| {
        let (not_after, while_away) = (UnixMillis(u64::MAX), WhileAway::Refuse);
        run(&mut ends.desktop.clone(), now, &RelayRequest { request, not_after, while_away })
    };
    // A query, or else a request to send, whose frame has this length without padding.
    let (to, bound) = (ends.peer.account, [0xff; 4096]);
    let around = 2 + to.as_bytes().len() + 2 + bound.len();
    let of_length = |len: u64| {
        let len = usize::try_from(len).unwrap().checked_sub(13 + 8 + 16 + 8)?;
        let text = vec![0xff; len];
        let request = match len {
            _ if len <= longest_text => Request::Query(&text),
            _ if len - around > longest_text => return None,
            _ => Request::Send { to, plaintext: &text[around..], associated_data: &bound },
        };
        makes(request).unwrap().frames.pop()
    };
    let mut tried = 0;
    for entry in list(&file["padding"]) {
        if let Some(frame) = of_length(number(&entry["length"])) {
            assert_eq!(frame_length(&frame), number(&entry["padded"]), "{}", entry["length"]);
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried}");
    for (length, fits) in [(longest_text, true), (longest_text + 1, false)] {
        assert_eq!(makes(Request::Query(&vec![0; length])).is_ok(), fits, "{length}");
    }
    longest_of_the_phone(&file, &ends, now);
}

/// Events of a peer whose frames are as long as can be, and one byte longer.
fn longest_of_the_phone(file: &Value, ends: &Ends, now: u64) {
    let mut phone = ends.phone.clone();
    let mut peer = Store { records: Default::default(), generation: Generation([5; 16]) };
    let from = Address::new(outrigger::AccountId::new(&[0x77; 16]).unwrap(), DeviceId::PHONE);
    run(&mut peer, now, &Register { address: from }).unwrap();
    let bundle = run(&mut phone, now, &HandOutBundle).unwrap();
    let bundle = VerifiedBundle::verify(&bundle, &ends.own).unwrap();
    run(&mut peer, now, &Start { bundle: &bundle }).unwrap();
    let longest = number(&file["limits"]["longest_frame"]);
    let lengths = list(&file["padding"]).iter().map(|entry| (number(&entry["length"]), &entry["padded"]));
    for (length, padded) in
        lengths.filter(|(length, _)| *length > 1_000_000).chain([(longest + 1, &Value::Null)])
    {
        let (mut phone, mut peer) = (phone.clone(), peer.clone());
        let front = 13 + 8 + 8 + 8 + 2 + 16 + 4 + 16 + 1;
        let text = vec![0xff; usize::try_from(length).unwrap() - front];
        let send = Send { to: ends.own, plaintext: &text, associated_data: b"", keep: Keep::Nothing };
        let envelope = run(&mut peer, now, &send).unwrap().envelope;
        let receive = RelayReceive { from, envelope: &envelope, associated_data: b"" };
        let relayed = run(&mut phone, now, &receive).unwrap();
        let frames: Vec<_> = relayed.desktops[0].frames.iter().map(|frame| frame_length(frame)).collect();
        assert_eq!(frames, padded.as_u64().into_iter().collect::<Vec<_>>(), "{length}");
    }
}

/// The digest of a request stands in a record, also of one that was refused.
#[test]
fn digests_of_requests() {
    let (file, ends, now) = ends();
    for entry in list(&file["labels"]["digests"]) {
        let (name, digest) = (text(&entry["name"]), hex(&entry["digest"]));
        assert_eq!(Sha256::digest(hex(&entry["hashed"]))[..], digest, "{name}");
        let Some(_) = entry["envelope"].as_str() else { continue };
        let mut phone = ends.phone.clone();
        let envelope = hex(&entry["envelope"]);
        let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict: Some(Verdict::Deny) };
        let taken = run(&mut phone, now, &take).unwrap();
        assert!(matches!(taken, FromDesktop::Refused { .. }), "{name}: {taken:?}");
        let holds = |(_, bytes): &(_, Vec<u8>)| bytes.windows(32).any(|found| found == digest);
        assert!(phone.records.values().any(holds), "{name}: no such digest is on record");
    }
    let named = &file["labels"]["message_id"];
    assert_eq!(Sha256::digest(hex(&named["hashed"]))[..16], hex(&named["id"]));
}
