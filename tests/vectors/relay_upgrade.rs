//! `vectors/relay.json`: a desktop that becomes a companion. Frames 15 to 18, the certificate, and what is passed on from then on.

use outrigger::{
    AcceptUpgrade, Address, Certificate, Consent, Consequence, Content, DeviceList, DriveError, FromDesktop,
    FromPhone, IdentityKey, LearnDevices, Origin, Receive, RelayError, RelayRequest, Request, RequestState,
    Requested, TakeFromDesktop, TakeFromPhone, TakenFromPhone, UnixMillis, UnsentRequest, Verdict, Wanted,
    WhileAway,
};
use serde_json::Value;

use crate::{
    Store, address, array,
    companions::does,
    hex, list, number,
    relay::{Ends, account, none, says, state, vectors},
    relay_frames::is_refused,
    run, text,
};

fn request_upgrade(desktop: &mut Store, draws: &Value, now: u64) -> Requested {
    let (not_after, while_away) = (UnixMillis(u64::MAX), WhileAway::Refuse);
    does(desktop, draws, now, &RelayRequest { request: Request::Upgrade, not_after, while_away })
}

/// The frames that go to the phone: what was queued, then the acceptance.
fn accept(desktop: &mut Store, draws: &Value, now: u64) -> Requested {
    does(desktop, draws, now, &AcceptUpgrade)
}

/// What the phone's user agrees to.
fn consent(ends: &Ends) -> Consent {
    let consequence = Consequence::ReadsAndSpeaksForTheAccount;
    Consent { companion: ends.key.unwrap(), consequence }
}

fn is_offer(said: &Value, taken: &TakenFromPhone) {
    let FromPhone::Offered { number: nth, request } = &taken.said else { panic!("{taken:?}") };
    assert_eq!((nth.0, request.0.to_vec()), (number(&said["number"]), hex(&said["request_id"])));
}

/// That the desktop is what the frame says, and has back what it asked for in vain.
fn is_upgraded<'a>(
    ends: &Ends,
    said: &Value,
    taken: &TakenFromPhone,
    expected: impl ExactSizeIterator<Item = &'a Value>,
    without_object: &[Vec<u8>],
) {
    let FromPhone::Upgraded { number: nth, joined, settled, unsent, .. } = &taken.said else {
        panic!("{taken:?}")
    };
    assert!(taken.owes);
    // To be upgraded it has asked in vain; it is.
    let settled: Vec<_> = settled.iter().map(|(request, _)| request.0.to_vec()).collect();
    assert_eq!(settled, without_object);
    assert_eq!((nth.0, joined.certificate.clone()), (number(&said["number"]), hex(&said["certificate"])));
    assert_eq!(joined.list.as_bytes()[..], hex(&said["device_list"]));
    assert_eq!(joined.address, Address::new(ends.own.account, ends.id));
    assert_eq!(joined.list.entry(ends.id).unwrap().identity_key, ends.key.unwrap());
    assert_eq!(unsent.len(), expected.len());
    for (one, expected) in unsent.iter().zip(expected) {
        assert_eq!(one.request.0[..], hex(&expected["request_id"]));
        assert_eq!(one.not_after.0, number(&expected["not_after"]));
        let said = match &one.asked {
            UnsentRequest::Send { to, plaintext, associated_data } => {
                assert_eq!(*to, account(&expected["account_id"]));
                assert_eq!(*associated_data, hex(&expected["associated_data"]));
                ("send", &plaintext[..])
            }
            UnsentRequest::Query(text) => ("query", &text[..]),
            UnsentRequest::Read { .. } | _ => panic!("{one:?}"),
        };
        assert_eq!(said, (text(&expected["what"]), &hex(&expected["text"])[..]));
    }
}

/// What goes to the desktop, and the list where one was signed.
fn outcome(taken: FromDesktop) -> (Vec<Vec<u8>>, Option<DeviceList>) {
    if let FromDesktop::Offered { frames, .. } = taken {
        return (frames, None);
    }
    let FromDesktop::Upgraded { frames, list, .. } = taken else { panic!("{taken:?}") };
    (frames, Some(list.list))
}

/// That what was passed on is what the content says.
fn is_passed_on(said: &Value, content: &Content) {
    let Content::PassedOn { at, missed, origin, text } = content else { panic!("{content:?}") };
    assert_eq!((*missed, at.0), (number(&said["missed"]), number(&said["time"])));
    assert_eq!(text[..], hex(&said["text"]));
    let shared = said["shared_id"].as_str().map(|_| hex(&said["shared_id"]));
    match origin {
        Origin::Peer { from, message, shared: found } => {
            assert_eq!((number(&said["own"]), *from), (0, address(said)));
            assert_eq!(message.as_bytes()[..], hex(&said["message_id"]));
            assert_eq!(found.map(|id| id.as_bytes().to_vec()), shared);
        }
        Origin::Own { to, shared: found } => {
            assert_eq!((number(&said["own"]), *to), (1, account(&said["account_id"])));
            assert_eq!(Some(found.as_bytes().to_vec()), shared);
        }
    }
}

/// The ends of the pairing that these are tried at, whose desktop has its first request out.
fn tried(case: &Value) -> (Ends, u64) {
    let mut ends = Ends::new(case);
    ends.play(list(&case["steps"]));
    (ends, number(&case["time"]))
}

#[test]
fn frames_15_to_18() {
    let file = vectors();
    let case = &file["upgrade_frames"];
    let (ends, now) = tried(case);
    for of in ["from_phone", "from_desktop"] {
        for entry in list(&case[of]["refused"]) {
            let name = text(&entry["name"]);
            let error = is_refused(&ends, now, of, &hex(&entry["envelope"]), name);
            assert!(error.is_some(), "{name}: {}", entry["why"]);
        }
        for entry in list(&case[of]["taken"]).iter().filter(|entry| entry["expect"] == "early") {
            let name = text(&entry["name"]);
            let error = is_refused(&ends, now, of, &hex(&entry["envelope"]), name);
            let early = matches!(error, Some(RelayError::Early { .. } | RelayError::EarlyRequest { .. }));
            assert!(early, "{name}: {error:?}");
        }
    }
    for entry in list(&case["from_phone"]["taken"]) {
        let (name, envelope) = (text(&entry["name"]), hex(&entry["envelope"]));
        let mut desktop = ends.desktop.clone();
        let taken = run(&mut desktop, now, &TakeFromPhone { envelope: &envelope });
        match (text(&entry["expect"]), taken) {
            ("early", Err(_)) => {}
            ("offer", Ok(taken)) => is_offer(&entry["said"], &taken),
            // The request that was out is answered by nothing before this.
            ("upgraded", Ok(taken)) => {
                is_upgraded(&ends, &entry["said"], &taken, list(&case["steps"]).last().into_iter(), &[]);
            }
            ("answer", Ok(taken)) => says(&entry["said"], &taken, name),
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
    for entry in list(&case["from_desktop"]["taken"]) {
        let (name, envelope) = (text(&entry["name"]), hex(&entry["envelope"]));
        let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict: None };
        match (text(&entry["expect"]), run(&mut ends.phone.clone(), now, &take)) {
            ("early", Err(_)) => {}
            ("asks the user", Ok(FromDesktop::Undecided(Wanted::Upgrade { consent: wanted, .. }))) => {
                assert_eq!(wanted, consent(&ends), "{name}");
            }
            ("answered", Ok(FromDesktop::Refused { why, frames, .. })) => {
                assert_eq!((RequestState::Refused(why), frames.len()), (state(&entry["state"]), 1), "{name}");
            }
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
}

/// A request that waits behind the acceptance.
fn queues(desktop: &mut Store, step: &Value) {
    let (said, not_after) = (hex(&step["text"]), UnixMillis(number(&step["not_after"])));
    let bound = step["associated_data"].as_str().map(|_| hex(&step["associated_data"])).unwrap_or_default();
    let request = match text(&step["what"]) {
        "query" => Request::Query(&said),
        _ => Request::Send { to: account(&step["account_id"]), plaintext: &said, associated_data: &bound },
    };
    let queue = RelayRequest { request, not_after, while_away: WhileAway::Queue };
    let made = does(desktop, &step["draws"], number(&step["time"]), &queue);
    assert_eq!(made.request.0[..], hex(&step["request_id"]));
    assert!(made.frames.is_empty());
    let refuse = RelayRequest { while_away: WhileAway::Refuse, ..queue };
    let refused = run(&mut desktop.clone(), number(&step["time"]), &refuse);
    assert!(matches!(refused, Err(DriveError::Refused(RelayError::Upgrading))), "{refused:?}");
}

/// Plays a step of the upgrade. What else there is, is played as in every run.
fn step(ends: &mut Ends, step: &Value) {
    let (draws, now) = (&step["draws"], number(&step["time"]));
    let told: Vec<_> =
        step["told"].as_array().into_iter().flatten().map(|told| hex(&told["envelope"])).collect();
    let envelope = step["envelope"].as_str().map(|_| hex(&step["envelope"])).unwrap_or_default();
    match (text(&step["op"]), step["said"]["kind"].as_u64()) {
        ("request", _) if step["what"] == "upgrade" => {
            let made = request_upgrade(&mut ends.desktop, draws, now);
            assert_eq!((made.request.0.to_vec(), made.frames), (hex(&step["request_id"]), vec![envelope]));
        }
        ("accept", _) => {
            let made = accept(&mut ends.desktop, draws, now);
            assert_eq!((made.request.0.to_vec(), made.frames), (hex(&step["request_id"]), vec![envelope]));
        }
        ("queue", _) => queues(&mut ends.desktop, step),
        ("learn", _) => {
            let learn = LearnDevices { account: ends.own.account, list: &hex(&step["list"]) };
            assert!(!does(&mut ends.phone, &none(), now, &learn).disputed);
        }
        ("phone takes", Some(kind @ (17 | 18))) => {
            let verdict = (kind == 17).then(|| Verdict::Upgrade(consent(ends)));
            let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict };
            let (frames, list) = outcome(does(&mut ends.phone, draws, now, &take));
            assert_eq!(frames, told, "{kind}");
            let signed = step["list"].as_str().map(|_| hex(&step["list"]));
            assert_eq!(list.as_ref().map(|list| list.as_bytes().to_vec()), signed);
            if let Some(list) = list {
                assert_eq!(list.digest().0, array(&step["list_digest"]));
            }
            let digest = hex(&step["digest"]);
            let holds = |(_, bytes): &(_, Vec<u8>)| bytes.windows(32).any(|found| found == digest);
            assert!(ends.phone.records.values().any(holds), "no such digest is on record");
        }
        ("desktop takes", Some(15)) => {
            let taken = does(&mut ends.desktop, &none(), now, &TakeFromPhone { envelope: &envelope });
            is_offer(&step["said"], &taken);
        }
        ("desktop takes", Some(16)) => {
            let taken = does(&mut ends.desktop, &none(), now, &TakeFromPhone { envelope: &envelope });
            let without_object: Vec<_> = list(&step["settled"]).iter().map(hex).collect();
            is_upgraded(ends, &step["said"], &taken, list(&step["unsent"]).iter(), &without_object);
        }
        ("passed on", _) => {
            let receive = Receive { from: ends.own, envelope: &envelope, associated_data: b"" };
            let received = does(&mut ends.desktop, &none(), now, &receive);
            is_passed_on(&step["said"], &received.content);
        }
        _ => ends.step(step),
    }
}

#[test]
fn an_upgrade_and_what_is_passed_on() {
    let file = vectors();
    let case = &file["upgrade"];
    let mut ends = Ends::new(case);
    let refused = &case["refused_acceptances"];
    for (at, one) in list(&case["steps"]).iter().enumerate() {
        if at as u64 == number(&refused["after"]) {
            for entry in list(&refused["acceptances"]) {
                let envelope = hex(&entry["envelope"]);
                let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict: None };
                let taken = run(&mut ends.phone.clone(), number(&refused["time"]), &take).unwrap();
                let FromDesktop::Refused { why, .. } = taken else { panic!("{}: {taken:?}", entry["name"]) };
                assert_eq!(RequestState::Refused(why), state(&entry["state"]), "{}", entry["name"]);
            }
        }
        step(&mut ends, one);
    }

    let phone = [vec![5], hex(&case["phone"]["identity_public"])].concat();
    let phone = IdentityKey::parse_encoded(&phone).unwrap();
    let upgrades = list(&case["steps"]).iter().find(|step| step["outcome"] == "upgrades").unwrap();
    let devices = DeviceList::verify(&hex(&upgrades["list"]), &ends.own.account, &phone).unwrap();
    let desktop = Address::new(ends.own.account, ends.id);
    Certificate::verify(&hex(&upgrades["certificate"]), &desktop, &devices).unwrap();

    forwarded(&file["forwarded"], &ends);
}

/// Content of heading 9, at a desktop that is a companion.
fn forwarded(passed: &Value, ends: &Ends) {
    let now = number(&passed["time"]);
    for entry in list(&passed["passed_on"]) {
        let envelope = hex(&entry["envelope"]);
        let receive = Receive { from: ends.own, envelope: &envelope, associated_data: b"" };
        let received = run(&mut ends.desktop.clone(), now, &receive);
        is_passed_on(&entry["said"], &received.unwrap_or_else(|e| panic!("{}: {e}", entry["name"])).content);
    }
    for entry in list(&passed["refused"]) {
        let (envelope, mut desktop) = (hex(&entry["envelope"]), ends.desktop.clone());
        let receive = Receive { from: ends.own, envelope: &envelope, associated_data: b"" };
        assert!(run(&mut desktop, now, &receive).is_err(), "{}: {}", entry["name"], entry["why"]);
        assert!(desktop == ends.desktop, "{}: a refusal changed a record", entry["name"]);
    }
}

/// Where the list names the desktop already it gets the same place, and the list stays as it is.
#[test]
fn an_upgrade_of_one_that_is_listed() {
    let file = vectors();
    let case = &file["upgrade"];
    let mut ends = Ends::new(case);
    let before = usize::try_from(number(&case["listed_already"]["after"])).unwrap();
    let steps = list(&case["steps"])[..before].iter().chain(list(&case["listed_already"]["steps"]));
    steps.for_each(|one| step(&mut ends, one));
}

/// A desktop whose store went back behind all that joins anew, and is told that it is a companion.
#[test]
fn an_upgrade_that_the_desktop_knows_no_more() {
    let file = vectors();
    let case = &file["upgrade"];
    let mut ends = Ends::new(case);
    let (before, after) =
        list(&case["steps"]).split_at(usize::try_from(number(&case["told_again"]["after"])).unwrap());
    before.iter().for_each(|one| step(&mut ends, one));
    let kept = ends.desktop.clone();
    after.iter().for_each(|one| step(&mut ends, one));
    ends.desktop = kept;
    list(&case["told_again"]["steps"]).iter().for_each(|one| step(&mut ends, one));
}
