//! What passes, both ways.

use outrigger::{
    Content, DescribeDesktops, DescribeRelay, DesktopConsent, FromDesktop, FromPhone, Keep, News, OpenError,
    PlanMessage, Receive, RecordKind, RelayError, RelaySend, RelayStanding, Request, RequestState,
    TellDesktop,
};

use super::office::{office, pair};
use crate::world::BOUND;

/// Peers speak with the phone; the desktop sees it, in order, once, and the text is in none of the phone's records.
#[test]
fn what_a_peer_says_is_shown_at_the_desktop() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["one of many words", "two", "three"].map(|text| office.frames(text)).concat();
    assert!(!office.phone.store.holds(b"one of many words"));
    let taken = office.desk.take_frame(&frames[0]).unwrap();
    let FromPhone::Event { from, text, number, shared: None, .. } = &taken.said else { panic!("{taken:?}") };
    assert_eq!((*from, &**text, number.0), (office.peer.address, &b"one of many words"[..], 1));
    assert_eq!(office.desk.shows(&frames[1..]), ["two", "three"]);
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 3);
    assert_eq!(office.acknowledge(), Vec::<Vec<u8>>::new());
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
}

/// What the desktop says goes to the peer in the account's name, once; the desktop hears how far it came.
#[test]
fn what_a_desktop_says_reaches_the_peer() {
    let mut office = office(DesktopConsent::Always);
    let (request, frame) = office.desk_says("from the desktop");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { request: number, sent, desktops } = done else { panic!("{done:?}") };
    assert_eq!((sent.copies.len(), desktops.len()), (1, 1));
    let envelope = &sent.copies[0].1.envelope;
    let received = office.peer.receive(office.phone.address, envelope).unwrap();
    let Content::ForAccount { id, text } = &received.content else { panic!("{received:?}") };
    assert_eq!((*id, &**text), (sent.id, &b"from the desktop"[..]));
    assert_eq!(received.message_id.as_bytes(), sent.id.as_bytes());
    let taken = office.desk.take_frame(&desktops[0].frames[0]).unwrap().said;
    let FromPhone::Answer { request: answered, state, .. } = taken else { panic!("{taken:?}") };
    assert_eq!((answered, state), (request, RequestState::Accepted));

    let desktop = office.desk.address.device;
    for (news, state) in
        [(News::Relayed, Some("Relayed")), (News::Read, Some("Read")), (News::Delivered, None)]
    {
        let told = office.phone.run(&TellDesktop { desktop, request: number, news }).unwrap();
        let shown = office.desk.shows(&told.frames);
        assert_eq!(shown.first().map(String::as_str), state, "{news:?}");
    }
}

/// What the phone's own app sends is shown at the desktop; what one desktop sends, at the other.
#[test]
fn desktops_see_what_the_account_says() {
    let mut office = office(DesktopConsent::Always);
    let mut second = pair(&mut office.phone, "second", DesktopConsent::Always);
    let to = office.peer.address.account;
    let plan = office.phone.run(&PlanMessage { to }).unwrap();
    let keep = Keep::ForRetry;
    let send = RelaySend { plan: &plan, plaintext: b"from the phone", associated_data: BOUND, keep };
    let sent = office.phone.run(&send).unwrap();
    assert_eq!(sent.desktops.len(), 2);
    assert_eq!(office.desk.shows(&sent.desktops[0].frames), ["from the phone"]);
    assert_eq!(second.shows(&sent.desktops[1].frames), ["from the phone"]);

    let (_, frame) = office.desk_says("from the desk");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
    let for_second = desktops.iter().find(|told| told.desktop == second.address.device).unwrap();
    let for_first = desktops.iter().find(|told| told.desktop == office.desk.address.device).unwrap();
    assert_eq!(second.shows(&for_second.frames), ["from the desk"]);
    assert_eq!(office.desk.shows(&for_first.frames), ["Accepted"]);
}

/// Reads and questions of the app's own go up; answers come down.
#[test]
fn receipts_and_questions_pass() {
    let mut office = office(DesktopConsent::Ask);
    let frames = office.frames("read me");
    let taken = office.desk.take_frame(&frames[0]).unwrap().said;
    let FromPhone::Event { from, message, .. } = taken else { panic!("{taken:?}") };
    let read = office.desk.requests(Request::Read { from, message }).unwrap();
    let told = office.phone.from(&office.desk, &read.frames[0]).unwrap();
    let FromDesktop::Read { from: whose, message: which, frames, .. } = told else { panic!("{told:?}") };
    assert_eq!((whose, which), (from, message));
    assert_eq!(office.desk.shows(&frames), ["Accepted"]);

    let asked = office.desk.requests(Request::Query(b"older than Monday")).unwrap();
    let told = office.phone.decides(&office.desk, &asked.frames[0], outrigger::Verdict::Allow).unwrap();
    let FromDesktop::Query { request, text, frames } = told else { panic!("{told:?}") };
    assert_eq!(&*text, b"older than Monday");
    assert_eq!(office.desk.shows(&frames), ["Accepted"]);
    let desktop = office.desk.address.device;
    let news = News::Found(b"seven messages");
    let told = office.phone.run(&TellDesktop { desktop, request, news }).unwrap();
    assert_eq!(office.desk.shows(&told.frames), ["found seven messages"]);
}

/// A frame is for the relay's operations, and a message is not.
#[test]
fn frames_and_messages_are_not_taken_for_each_other() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("an event");
    let receive = Receive { from: office.phone.address, envelope: &frames[0], associated_data: &[] };
    assert_eq!(office.desk.run(&receive).unwrap_err(), OpenError::Frame);
    let (_, up) = office.desk_says("a request");
    let receive = Receive { from: office.desk.address, envelope: &up, associated_data: &[] };
    let refused = office.phone.run(&receive).unwrap_err();
    assert_eq!(refused, OpenError::Frame);
    // And they still open where they belong.
    assert_eq!(office.desk.shows(&frames), ["an event"]);
    assert!(matches!(office.phone.from(&office.desk, &up), Ok(FromDesktop::Sent { .. })));
}

/// Both ends say how the relay stands.
#[test]
fn both_ends_describe_the_relay() {
    let mut office = office(DesktopConsent::Ask);
    office.frames("waits");
    let all = office.phone.run(&DescribeDesktops).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].standing, all[0].waiting, all[0].missed), (RelayStanding::Attached, 1, 0));
    assert_eq!((all[0].key, all[0].may), (office.desk.identity, DesktopConsent::Ask));
    let relay = office.desk.run(&DescribeRelay).unwrap();
    assert_eq!((relay.standing, relay.reachable, relay.waiting), (RelayStanding::Attached, true, 0));
    assert_eq!(relay.phone, office.phone.address);
    assert_eq!(office.peer.run(&DescribeRelay).unwrap_err(), RelayError::NotPaired);
}

/// What a peer sent and does not open has the advice that it has without a relay.
#[test]
fn refusals_of_peers_messages_keep_their_advice() {
    let mut office = office(DesktopConsent::Always);
    let envelope = office.peer.send(office.phone.address, "lost");
    let records: Vec<_> = office.phone.store.of(RecordKind::Peer).map(|(key, _)| *key).collect();
    for key in records {
        office.phone.store.0.remove(&key);
    }
    let from = office.peer.address;
    let refused = office.phone.receive(from, &envelope).unwrap_err();
    let relay = outrigger::RelayReceive { from, envelope: &envelope, associated_data: BOUND };
    let relayed = office.phone.run(&relay).unwrap_err();
    assert_eq!(relayed, RelayError::Open(refused));
    assert_eq!(relayed.advice(), refused.advice());
}
