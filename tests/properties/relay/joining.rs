//! Pairing, joining anew, taking over, leaving.

use outrigger::{
    Consent, Consequence, DescribeDesktops, DesktopConsent, DetachDesktop, EndOfRelay, FromDesktop,
    FromPhone, GrantDesktop, GrantLink, JoinPhone, LeavePhone, LinkError, ListError, RecordKind, RejoinPhone,
    RelayError, RelayOutbox, RelayStanding, RequestState, ScanLinkCode, ShowDesktopCode, ShowLinkCode, Start,
    StartError, Suspension, UnixMillis, Verdict,
};

use super::office::{at, grant, office, pair};
use crate::world::{Device, Server};

/// A code makes of a device what it says, and the consent must name that.
#[test]
fn a_desktops_code_makes_no_companion() {
    let mut server = Server::default();
    let mut phone = Device::new("phone");
    phone.publish(5, &mut server);
    let mut desk = Device::empty("desk");
    let code = desk.run(&ShowDesktopCode).unwrap().text().to_owned();
    let request = phone.run(&ScanLinkCode { code: &code }).unwrap();
    let (companion, reference) = (request.companion, request.reference);
    for consequence in [Consequence::ReadsAndSpeaksForTheAccount, Consequence::ReadsAndSpeaksThroughThePhone]
    {
        let consent = Consent { companion, consequence };
        assert_eq!(phone.run(&GrantLink { reference, consent }).unwrap_err(), LinkError::OtherConsent);
    }
    let consent = Consent { companion, consequence: Consequence::ReadsAndSpeaksForTheAccount };
    let may = DesktopConsent::Ask;
    assert_eq!(phone.run(&GrantDesktop { reference, consent, may }), Err(LinkError::OtherConsent));

    let mut other = Device::empty("other");
    let code = other.run(&ShowLinkCode).unwrap().text().to_owned();
    let request = phone.run(&ScanLinkCode { code: &code }).unwrap();
    let consequence = Consequence::ReadsAndSpeaksThroughThePhone;
    let consent = Consent { companion: request.companion, consequence };
    let granted = phone.run(&GrantDesktop { reference: request.reference, consent, may });
    assert_eq!(granted, Err(LinkError::OtherConsent));
}

/// No bit of a grant can be changed, no part left out; it counts once, in its time, and for its code.
#[test]
fn grants_are_bound_to_their_code() {
    let mut server = Server::default();
    let mut phone = Device::new("phone");
    phone.publish(5, &mut server);
    let mut desk = Device::empty("desk");
    let code = desk.run(&ShowDesktopCode).unwrap().text().to_owned();
    let request = phone.run(&ScanLinkCode { code: &code }).unwrap();
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let may = DesktopConsent::Ask;
    let granted = phone.run(&GrantDesktop { reference: request.reference, consent, may }).unwrap();
    for place in 0..granted.grant.len() {
        let mut altered = granted.grant.clone();
        altered[place] ^= 1 << (place % 8);
        desk.run(&JoinPhone { message: &altered }).unwrap_err();
        desk.run(&JoinPhone { message: &granted.grant[..place] }).unwrap_err();
    }
    let mut other = Device::empty("other");
    other.run(&ShowDesktopCode).unwrap();
    let foreign = other.run(&JoinPhone { message: &granted.grant }).unwrap_err();
    assert_eq!(foreign, LinkError::OtherLinking);
    let mut late = desk.clone();
    late.wait(60_001);
    assert!(matches!(late.run(&JoinPhone { message: &granted.grant }), Err(LinkError::Expired { .. })));
    desk.run(&JoinPhone { message: &granted.grant }).unwrap();
    assert_eq!(desk.run(&JoinPhone { message: &granted.grant }).unwrap_err(), LinkError::OutOfOrder);
}

/// A granted desktop comes within five minutes, or not at all; nobody else comes in its place.
#[test]
fn a_granted_desktop_comes_in_time() {
    let mut server = Server::default();
    let mut phone = Device::new("phone");
    phone.publish(5, &mut server);
    let (desk, frame) = grant(&mut phone, "desk", DesktopConsent::Ask);
    let mut late = phone.clone();
    late.wait(300_001);
    assert!(matches!(late.from(&desk, &frame), Err(RelayError::Lapsed { .. })));
    // Another device that says it is this desktop: its key is not the one that was on the screen.
    let mut thief = Device::new("thief");
    thief.address = phone.address;
    let joined = phone.from(&desk, &frame).unwrap();
    assert!(matches!(joined, FromDesktop::Joined { again: false, .. }));
    assert_eq!(phone.from(&thief, &frame).unwrap_err(), RelayError::NotPaired);
}

/// Nobody can start a session with a desktop, and no list names it.
#[test]
fn a_desktop_is_no_device_of_the_account_to_others() {
    let mut office = office(DesktopConsent::Always);
    let bundle = office.bundle();
    assert_eq!(office.phone.run(&Start { bundle: &bundle }).unwrap_err(), StartError::OwnDevice);
    let desk = office.desk.address;
    let listed = office.peer.run(&outrigger::DescribeDevices { account: desk.account }).unwrap();
    assert_eq!(listed.list, None);
    let refused = office.peer.try_send(at(&office.phone, desk.device), "psst").unwrap_err();
    assert_eq!(refused, outrigger::SendError::NoSession);
}

/// Four desktops at most; one that has ended makes room.
#[test]
fn a_phone_has_four_desktops() {
    let mut office = office(DesktopConsent::Ask);
    for name in ["two", "three", "four"] {
        pair(&mut office.phone, name, DesktopConsent::Ask);
    }
    let mut fifth = Device::empty("fifth");
    let code = fifth.run(&ShowDesktopCode).unwrap().text().to_owned();
    let request = office.phone.run(&ScanLinkCode { code: &code }).unwrap();
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let granting = GrantDesktop { reference: request.reference, consent, may: DesktopConsent::Ask };
    let full = office.phone.run(&granting).unwrap_err();
    assert_eq!(full, LinkError::List(ListError::TooManyDevices));
    office.phone.run(&DetachDesktop { desktop: office.desk.address.device }).unwrap();
    office.phone.run(&granting).unwrap();
    assert_eq!(office.phone.run(&DescribeDesktops).unwrap().len(), 4);
    assert_eq!(office.phone.store.count(RecordKind::Desktop), 4);
}

/// A desktop whose store went back speaks in turns that the phone has seen: nothing that it says opens, so that the phone is unreachable to it. It joins anew, is told of the hole, and
/// goes on.
#[test]
fn a_desktop_that_went_back_joins_anew() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("lost");
    let snapshot = office.desk.store.clone();
    assert_eq!(office.desk.shows(&frames), ["lost"]);
    office.acknowledge();
    office.desk.store = snapshot;
    for _ in 0..2 {
        let ask = office.desk.run(&outrigger::AskPhone).unwrap();
        assert!(matches!(office.phone.from(&office.desk, &ask), Err(RelayError::Frame(_))));
    }
    assert!(!office.desk.run(&outrigger::DescribeRelay).unwrap().reachable);
    let (settled, told) = office.rejoin();
    assert_eq!((settled.len(), told), (0, vec!["gap of 1".into()]));
    let frames = office.frames("after");
    assert_eq!(office.desk.shows(&frames), ["after"]);
}

/// A desktop whose store went back within its turn: the phone's answer shows that it has forgotten something.
#[test]
fn a_desktop_that_went_back_within_a_turn_finds_out() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["seen", "lost"].map(|text| office.frames(text)).concat();
    assert_eq!(office.desk.shows(&frames[..1]), ["seen"]);
    // The turn begins here.
    office.desk.run(&outrigger::AckPhone).unwrap();
    let snapshot = office.desk.store.clone();
    assert_eq!(office.desk.shows(&frames[1..]), ["lost"]);
    office.acknowledge();
    office.desk.store = snapshot;
    let ask = office.desk.run(&outrigger::AskPhone).unwrap();
    assert!(office.phone.from(&office.desk, &ask).is_err());
    let said = office.ask();
    assert!(matches!(said, FromPhone::Suspended(Suspension::DesktopWentBack)), "{said:?}");
    assert_eq!(
        office.desk.run(&outrigger::AckPhone).unwrap_err(),
        RelayError::Suspended(Suspension::DesktopWentBack)
    );
    let (settled, told) = office.rejoin();
    assert_eq!((settled.len(), told), (0, vec!["gap of 1".into()]));
}

/// A phone whose store went back: the desktop has more than it sent. The desktop joins anew; what was under way is accounted for, and nothing is sent twice.
#[test]
fn a_phone_that_went_back_is_found_out() {
    let mut office = office(DesktopConsent::Always);
    let snapshot = office.phone.store.clone();
    let frames: Vec<_> = ["one", "two", "three"].map(|text| office.frames(text)).concat();
    let (request, frame) = office.desk_says("once at most");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { sent, .. } = done else { panic!("{done:?}") };
    office.peer.hears(office.phone.address, &sent, b"once at most");
    assert_eq!(office.desk.shows(&frames), ["one", "two", "three"]);
    office.phone.store = snapshot;
    let ack = office.desk.run(&outrigger::AckPhone).unwrap();
    let found = office.phone.from(&office.desk, &ack).unwrap();
    assert!(matches!(found, FromDesktop::Suspended(Suspension::PhoneWentBack)), "{found:?}");
    let standing = office.phone.run(&DescribeDesktops).unwrap()[0].standing;
    assert_eq!(standing, RelayStanding::Suspended(Suspension::PhoneWentBack));
    let (settled, _) = office.rejoin();
    assert_eq!(settled, [(request, RequestState::Unknown)]);
    // The phone's session with the peer went back, too: the peer starts another.
    office.peer.restart(office.phone.address, &mut office.server).unwrap();
    let frames = office.frames("all is well");
    assert_eq!(office.desk.shows(&frames), ["all is well"]);
    let (_, frame) = office.desk_says("and again");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
}

/// A phone that went back does a request again that it does not know any more: the peer takes it once, by its id.
#[test]
fn a_request_that_is_done_twice_is_heard_once() {
    let mut office = office(DesktopConsent::Always);
    let (_, frame) = office.desk_says("once");
    let snapshot = office.phone.clone();
    let FromDesktop::Sent { sent, .. } = office.phone.from(&office.desk, &frame).unwrap() else { panic!() };
    office.peer.hears(office.phone.address, &sent, b"once");
    office.phone.store = snapshot.store;
    let mut straight = office.clone();
    let FromDesktop::Sent { sent: again, .. } = straight.phone.from(&straight.desk, &frame).unwrap() else {
        panic!()
    };
    assert_eq!(again.id, sent.id);
    let twice = straight.peer.take(straight.phone.address, &again).unwrap_err();
    assert!(matches!(twice, outrigger::OpenError::KeyGone | outrigger::OpenError::OutOfStep), "{twice:?}");
    // In another session, where no counter tells, the id does.
    office.peer.restart(office.phone.address, &mut office.server).unwrap();
    let fresh = office.peer.send(office.phone.address, "a new session");
    office.phone.opens(office.peer.address, &fresh, "a new session");
    let FromDesktop::Sent { sent: again, .. } = office.phone.from(&office.desk, &frame).unwrap() else {
        panic!()
    };
    let twice = office.peer.take(office.phone.address, &again).unwrap_err();
    assert_eq!(twice, outrigger::OpenError::Duplicate);
}

/// A copy of the desktop's store on another machine: the last to join has it, the phone's user is asked, and the other is told.
#[test]
fn a_takeover_is_asked_and_told() {
    let mut office = office(DesktopConsent::Always);
    let mut former = office.desk.clone();
    office.desk.random = crate::world::random::Seeded::new(99);
    let bundle = office.bundle();
    let frame = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let denied = office.phone.decides(&office.desk, &frame, Verdict::Deny).unwrap();
    assert!(matches!(denied, FromDesktop::Denied), "{denied:?}");
    office.let_in(&frame);
    // The former machine speaks on in its session.
    let ask = former.run(&outrigger::AskPhone).unwrap();
    let late = office.phone.from(&former, &ask).unwrap();
    let FromDesktop::Late { notice: Some(notice) } = late else { panic!("{late:?}") };
    let said = former.take_frame(&notice).unwrap().said;
    assert!(matches!(said, FromPhone::Suspended(Suspension::TakenOver)), "{said:?}");
    let frames = office.frames("to the new one");
    assert_eq!(office.desk.shows(&frames), ["to the new one"]);
    assert!(former.take_frame(&frames[0]).is_err());
}

/// What waits when the desktop joins anew is told as a gap, what became of each request is told, and what was queued goes out.
#[test]
fn joining_anew_accounts_for_everything() {
    let mut office = office(DesktopConsent::Always);
    for text in ["one", "two"] {
        office.frames(text);
    }
    let (done, frame) = office.desk_says("done");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    let (never, _) = office.desk_says("never arrived");
    let (settled, told) = office.rejoin();
    assert_eq!(settled, [(done, RequestState::Accepted), (never, RequestState::Unknown)]);
    assert_eq!(told, ["gap of 3"]);
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 1);
    let (_, frame) = office.desk_says("goes on");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
}

/// The phone's user lets a desktop go: the notice survives, nothing is sealed for it any more, and its records are gone.
#[test]
fn a_detached_desktop_is_told_and_gets_nothing_more() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("shown before");
    let (stands, frame) = office.desk_says("stands");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    let (late, under_way) = office.desk_says("too late");
    let desktop = office.desk.address.device;
    let notice = office.phone.run(&DetachDesktop { desktop }).unwrap().unwrap();
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    assert!(office.peer_says("not for it").is_empty());
    assert_eq!(
        office.phone.run(&RelayOutbox { desktop }).unwrap_err(),
        RelayError::Ended(EndOfRelay::Detached)
    );
    let again = office.phone.from(&office.desk, &under_way).unwrap();
    let FromDesktop::Ended { notice: same } = again else { panic!("{again:?}") };
    assert_eq!(same.as_ref(), Some(&notice));
    assert_eq!(office.desk.shows(&frames), ["shown before"]);
    let ended = office.desk.take_frame(&notice).unwrap().said;
    let FromPhone::Ended { why, settled, never_sent } = ended else { panic!("{ended:?}") };
    assert_eq!((why, settled), (EndOfRelay::Detached, vec![(stands, RequestState::Accepted)]));
    assert_eq!(never_sent, [late]);
    assert_eq!(office.desk.take_frame(&notice).unwrap_err(), RelayError::Ended(EndOfRelay::Detached));
    assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
}

/// The desktop's user leaves, whether or not the phone hears of it.
#[test]
fn a_desktop_that_leaves_is_gone_at_once() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("unseen");
    let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
    let ended = Err(RelayError::Ended(EndOfRelay::Left));
    assert_eq!(office.desk.take_frame(&frames[0]).map(|_| ()), ended);
    assert!(matches!(office.phone.from(&office.desk, &bye), Ok(FromDesktop::Left)));
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    assert!(office.peer_says("not for it").is_empty());
    assert!(matches!(office.phone.from(&office.desk, &bye), Ok(FromDesktop::Ended { .. })));
}

/// A phone that was restored from a backup under the restore guard: the relay stands still until the desktop joins anew, and then goes on.
#[test]
fn a_restored_phone_goes_on_when_its_desktop_joins_anew() {
    let mut office = office(DesktopConsent::Always);
    office.frames("before the backup");
    let backup = office.phone.store.clone();
    let frames: Vec<_> = ["a", "b"].map(|text| office.frames(text)).concat();
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox).len(), 3);
    drop(frames);
    office.phone.store = backup;
    office.phone.generation = outrigger::Generation([0x99; 16]);
    let records: Vec<_> = office.phone.store.0.keys().copied().collect();
    office.phone.run(&outrigger::Recover { records: &records }).unwrap();
    let mut server = office.server.clone();
    office.phone.publish(10, &mut server);
    office.server = server;
    let ask = office.desk.run(&outrigger::AskPhone).unwrap();
    let standing = office.phone.run(&DescribeDesktops).unwrap()[0].standing;
    assert_eq!(standing, RelayStanding::Suspended(Suspension::Session));
    let still = office.phone.from(&office.desk, &ask).unwrap();
    assert!(matches!(still, FromDesktop::Suspended(Suspension::Session)), "{still:?}");
    let (settled, told) = office.rejoin();
    assert_eq!((settled.len(), told), (0, vec!["gap of 0".into()]));
    office.peer.restart(office.phone.address, &mut office.server).unwrap();
    let frames = office.frames("after the backup");
    assert_eq!(office.desk.shows(&frames), ["after the backup"]);
    office.phone.wait(UnixMillis::DAY);
    office.acknowledge();
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
}

/// A desktop that asks again before it was let in is told what became of its requests, by whichever answer comes.
#[test]
fn a_second_ask_while_joining_brings_the_outcomes_too() {
    for first_is_lost in [false, true] {
        joins_by_one_of_two_answers(first_is_lost);
    }
}

fn joins_by_one_of_two_answers(first_is_lost: bool) {
    let mut office = office(DesktopConsent::Always);
    let (request, frame) = office.desk_says("done");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    let bundle = office.bundle();
    let first = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let second = office.desk.run(&outrigger::AskPhone).unwrap();
    let joined = office.phone.decides(&office.desk, &first, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    let of_first = frames[0].clone();
    let heard = office.phone.from(&office.desk, &second).unwrap();
    let FromDesktop::Heard { frames, .. } = heard else { panic!("{heard:?}") };
    let (taken, other) = if first_is_lost { (&frames[0], &of_first) } else { (&of_first, &frames[0]) };
    let said = office.desk.take_frame(taken).unwrap().said;
    let FromPhone::Status { joined: true, settled, .. } = said else { panic!("{said:?}") };
    assert_eq!(settled, [(request, RequestState::Accepted)]);
    // What stands between the two comes first.
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["gap of 1"]);
    let said = office.desk.take_frame(other).unwrap().said;
    match first_is_lost {
        true => assert!(matches!(said, FromPhone::Late), "{said:?}"),
        false => assert!(matches!(said, FromPhone::Status { joined: false, .. }), "{said:?}"),
    }
}

/// A phone whose user lets the desktop go while it asks to join anew: the notice is of the session before, and counts.
#[test]
fn a_desktop_that_is_joining_hears_of_the_end() {
    let mut office = office(DesktopConsent::Always);
    let bundle = office.bundle();
    let frame = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Undecided(_))));
    let desktop = office.desk.address.device;
    let notice = office.phone.run(&DetachDesktop { desktop }).unwrap().unwrap();
    let said = office.desk.take_frame(&notice).unwrap().said;
    assert!(matches!(said, FromPhone::Ended { why: EndOfRelay::Detached, .. }), "{said:?}");
}

/// A desktop that takes the status of one joining and not its gap, and joins again: it is told all the same, also where the phone's store went back in between.
#[test]
fn a_gap_that_was_not_shown_is_told_again() {
    for goes_back in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let frames: Vec<_> = ["1", "2", "3", "4"].map(|text| office.frames(text)).concat();
        assert_eq!(office.desk.shows(&frames[..1]), ["1"]);
        let before = office.phone.store.clone();
        let bundle = office.bundle();
        let frame = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
        let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
        let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
        assert!(matches!(office.desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { .. }));
        if goes_back {
            office.phone.store = before;
        }
        let (_, told) = office.rejoin();
        assert_eq!(told, ["gap of 3"], "{goes_back}");
        let frames = office.frames("5");
        assert_eq!(office.desk.shows(&frames), ["5"]);
    }
}
