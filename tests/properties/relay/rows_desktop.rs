//! Rows of "At the desktop" that no other file here asserts. `rows.txt` says where each row is.

use outrigger::{
    AcceptUpgrade, AckPhone, AskPhone, DescribeRelay, DesktopConsent, DetachDesktop, EndOfRelay,
    FlushRequests, FromDesktop, FromPhone, LeavePhone, LinkError, RecordKind, RejoinPhone, RelayDescription,
    RelayError, RelayRequest, RelayStanding, RenewDesktop, Request, RequestNumber, RequestState, Suspension,
    UnixMillis, Verdict, WhileAway,
};

use super::{
    office::{EVER, Office, grant, later, office},
    rows_phone::{HEAD, heard, under_another_key},
    upgrade::consent,
};
use crate::world::{DAY, Device, NOON, Server};

impl Office {
    /// How the desktop describes its relay.
    pub(crate) fn at_desk(&mut self) -> RelayDescription {
        self.desk.run(&DescribeRelay).unwrap()
    }

    pub(crate) fn standing_at_desk(&mut self) -> RelayStanding {
        self.at_desk().standing
    }

    /// The desktop queues a query while its phone does not answer.
    pub(crate) fn queues(&mut self, text: &[u8]) -> outrigger::RequestId {
        for _ in 0..2 {
            self.desk.run(&AskPhone).unwrap();
        }
        let request = Request::Query(text);
        let asked = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        let asked = self.desk.run(&asked).unwrap();
        assert_eq!(asked.frames, Vec::<Vec<u8>>::new());
        asked.request
    }

    /// The desktop takes a frame that suspends it.
    pub(crate) fn is_suspended_by(&mut self, frame: &[u8], why: Suspension) {
        let said = self.desk.take_frame(frame).unwrap().said;
        assert!(matches!(said, FromPhone::Suspended(found) if found == why), "{said:?}");
        assert_eq!(self.standing_at_desk(), RelayStanding::Suspended(why));
    }
}

/// A grant that holds: the desktop has asked, and its first status makes it one that speaks.
#[test]
fn a_grant_makes_a_desktop_that_has_asked() {
    let mut phone = Device::new("phone");
    phone.publish(5, &mut Server::default());
    let (mut desk, ask) = grant(&mut phone, "desk", DesktopConsent::Always);
    let relay = desk.run(&DescribeRelay).unwrap();
    assert_eq!((relay.standing, relay.reachable, relay.waiting), (RelayStanding::Joining, true, 0));
    assert_eq!((relay.phone, desk.active(phone.address).is_some()), (phone.address, true));
    assert_eq!(desk.requests(Request::Query(b"early")).unwrap_err(), RelayError::Joining);
    assert_eq!(desk.run(&AckPhone).unwrap_err(), RelayError::Joining);
    let joined = phone.from(&desk, &ask).unwrap();
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    assert!(matches!(desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { joined: true, .. }));
    assert_eq!(desk.run(&DescribeRelay).unwrap().standing, RelayStanding::Attached);
}

/// After the end nothing is opened, and nothing is said.
#[test]
fn an_ended_desktop_refuses_everything() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("too late");
    let bundle = office.bundle();
    office.desk.run(&LeavePhone).unwrap();
    let ended = RelayError::Ended(EndOfRelay::Left);
    for bytes in [&frames[0][..], b"no frame"] {
        assert_eq!(office.desk.take_frame(bytes).unwrap_err(), ended);
    }
    let refusals = [
        office.desk.run(&AskPhone).unwrap_err(),
        office.desk.run(&AckPhone).unwrap_err(),
        office.desk.run(&FlushRequests).unwrap_err(),
        office.desk.run(&AcceptUpgrade).unwrap_err(),
        office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap_err(),
        office.desk.run(&LeavePhone).map(|_| ()).unwrap_err(),
    ];
    assert!(refusals.iter().all(|refused| *refused == ended), "{refusals:?}");
    for while_away in [WhileAway::Refuse, WhileAway::Queue] {
        let asked = RelayRequest { request: Request::Query(b"?"), not_after: EVER, while_away };
        assert_eq!(office.desk.run(&asked).unwrap_err(), ended);
    }
}

/// What comes in a session other than the one joined last turns that session on, and nothing else.
#[test]
fn frames_of_another_session_say_nothing() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("of the former session");
    let bundle = office.bundle();
    let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let apart = |office: &Office| {
        let relay =
            office.desk.store.of(RecordKind::Relay).chain(office.desk.store.of(RecordKind::RelayAsked));
        relay.map(|(key, bytes)| (*key, bytes.clone())).collect::<Vec<_>>()
    };
    let before = (apart(&office), office.at_desk());
    let said = office.desk.take_frame(&frames[0]).unwrap().said;
    assert!(matches!(said, FromPhone::Late), "{said:?}");
    assert_eq!((apart(&office), office.at_desk()), before);
    assert_eq!(office.let_in(&ask).1, ["gap of 1"]);
}

/// The answer to each ask counts from when that was made, and one that comes behind the answer to a later one says nothing.
#[test]
fn a_status_counts_from_its_ask() {
    let mut office = office(DesktopConsent::Always);
    let first = office.desk.run(&AskPhone).unwrap();
    office.desk.now = later(1_000);
    let second = office.desk.run(&AskPhone).unwrap();
    assert!(!office.at_desk().reachable);
    office.phone.now = later(5_000);
    office.phone.run(&RenewDesktop { desktop: office.desk.address.device }).unwrap();
    let [(of_first, _), (of_second, _)] =
        [first, second].map(|ask| heard(office.phone.from(&office.desk, &ask)));
    office.desk.now = later(9_000);
    let mut overtaken = office.desk.clone();
    assert!(matches!(overtaken.take_frame(&of_second[0]).unwrap().said, FromPhone::Status { .. }));
    let said = overtaken.take_frame(&of_first[0]).unwrap().said;
    assert!(matches!(said, FromPhone::Late), "{said:?}");
    assert_eq!(overtaken.run(&DescribeRelay).unwrap().good_until, later(1_000).plus(14 * DAY));
    let said = office.desk.take_frame(&of_first[0]).unwrap().said;
    let FromPhone::Status { good_until, joined: false, .. } = said else { panic!("{said:?}") };
    assert_eq!(good_until, NOON.plus(14 * DAY));
    let said = office.desk.take_frame(&of_second[0]).unwrap().said;
    let FromPhone::Status { good_until, joined: false, settled } = said else { panic!("{said:?}") };
    assert_eq!((good_until, settled), (later(1_000).plus(14 * DAY), vec![]));
    let relay = office.at_desk();
    assert_eq!((relay.good_until, relay.reachable), (good_until, true));
}

/// A status that says that the phone is suspended suspends the desktop, attached or joining, and its time counts.
#[test]
fn a_suspended_status_suspends_the_desktop() {
    let mut office = office(DesktopConsent::Always);
    office.phone_forgets();
    office.phone.now = later(DAY);
    let ask = office.desk.run(&AskPhone).unwrap();
    let (frames, _) = heard(office.phone.from(&office.desk, &ask));
    office.is_suspended_by(&frames[0], Suspension::PhoneWentBack);
    assert_eq!(office.at_desk().good_until, NOON.plus(13 * DAY));

    // Let in, and suspended before it has heard so, as the phone's record says.
    let mut office = super::office::office(DesktopConsent::Always);
    let bundle = office.bundle();
    let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
    assert!(matches!(joined, FromDesktop::Joined { again: true, .. }), "{joined:?}");
    let record = office.phone.store.of(RecordKind::Desktop).next();
    let (key, mut bytes) = record.map(|(key, bytes)| (*key, bytes.clone())).unwrap();
    assert_eq!(bytes[HEAD..HEAD + 9], [2, 0, 0, 0, 0, 0, 0, 0, 0], "attached");
    (bytes[HEAD], bytes[HEAD + 8]) = (3, 1);
    office.phone.store.tamper(&key, bytes);
    let ask = office.desk.run(&AskPhone).unwrap();
    let (frames, _) = heard(office.phone.from(&office.desk, &ask));
    office.is_suspended_by(&frames[0], Suspension::PhoneWentBack);
}

/// What had gone out has its outcome from the status that lets it in; what was queued stays, and goes out under the next number.
#[test]
fn what_was_queued_stays_while_it_joins_anew() {
    let mut office = office(DesktopConsent::Always);
    let (done, frame) = office.desk_says("done");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    office.queues(b"still wanted");
    office.desk.now = later(1_000);
    let (settled, told) = office.rejoin();
    assert_eq!((settled, told), (vec![(done, RequestState::Accepted)], vec!["gap of 1".to_owned()]));
    let relay = office.at_desk();
    assert_eq!((relay.standing, relay.waiting), (RelayStanding::Attached, 1));
    assert_eq!(relay.good_until, later(1_000).plus(14 * DAY));
    let done = office.flush();
    let [FromDesktop::Query { request: RequestNumber(2), text, .. }] = &done[..] else { panic!("{done:?}") };
    assert_eq!(&**text, b"still wanted");
}

/// A desktop whose store went back behind a request: the status that renews it says that the phone has taken more than it asked for.
#[test]
fn a_status_with_more_requests_than_were_made_suspends() {
    let mut office = office(DesktopConsent::Always);
    // The turn begins here.
    office.acknowledge();
    let snapshot = office.desk.store.clone();
    let (_, frame) = office.desk_says("forgotten");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    office.desk.store = snapshot;
    office.phone.now = later(15 * DAY);
    office.desk.now = later(15 * DAY);
    office.phone.run(&RenewDesktop { desktop: office.desk.address.device }).unwrap();
    let twice = office.desk.run(&AskPhone).unwrap();
    assert!(matches!(office.phone.from(&office.desk, &twice), Err(RelayError::Frame(_))));
    let ask = office.desk.run(&AskPhone).unwrap();
    let (frames, _) = heard(office.phone.from(&office.desk, &ask));
    office.is_suspended_by(&frames[0], Suspension::DesktopWentBack);
}

/// What is numbered and comes before the status opens behind it.
#[test]
fn what_comes_while_it_joins_opens_once_it_is_attached() {
    let mut office = office(DesktopConsent::Always);
    office.frames("unseen");
    let bundle = office.bundle();
    let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    let [status, gap] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(office.desk.take_frame(gap).unwrap_err(), RelayError::Joining);
    assert!(matches!(office.desk.take_frame(status).unwrap().said, FromPhone::Status { joined: true, .. }));
    assert_eq!(office.desk.shows(std::slice::from_ref(gap)), ["gap of 1"]);
}

/// An answer to a request that this store knows nothing of says that it went back.
#[test]
fn an_answer_to_a_request_that_it_did_not_make_suspends() {
    let mut office = office(DesktopConsent::Always);
    // The turn begins here.
    office.acknowledge();
    let snapshot = office.desk.store.clone();
    let (_, frame) = office.desk_says("forgotten");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
    office.desk.store = snapshot;
    office.is_suspended_by(&desktops[0].frames[0], Suspension::DesktopWentBack);
}

/// A desktop that was let in, has not heard so, and was overtaken by another machine is told.
#[test]
fn a_desktop_that_is_joining_hears_that_another_took_its_place() {
    let mut office = office(DesktopConsent::Always);
    let mut other = office.desk.clone();
    other.random = crate::world::random::Seeded::new(99);
    let bundle = office.bundle();
    let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
    assert!(matches!(joined, FromDesktop::Joined { .. }), "{joined:?}");
    other.now = later(1_000);
    office.phone.now = other.now;
    let bundle = office.bundle();
    let ask = other.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let joined = office.phone.decides(&other, &ask, Verdict::Allow).unwrap();
    assert!(matches!(joined, FromDesktop::Joined { .. }), "{joined:?}");
    assert_eq!(office.standing_at_desk(), RelayStanding::Joining);
    let ask = office.desk.run(&AskPhone).unwrap();
    let late = office.phone.from(&office.desk, &ask).unwrap();
    let FromDesktop::Late { notice: Some(notice) } = late else { panic!("{late:?}") };
    office.is_suspended_by(&notice, Suspension::TakenOver);
}

/// While it is suspended only the end counts.
#[test]
fn a_suspended_desktop_takes_nothing_but_the_end() {
    let mut office = office(DesktopConsent::Always);
    let ask = office.desk.run(&AskPhone).unwrap();
    let (status, _) = heard(office.phone.from(&office.desk, &ask));
    let snapshot = office.desk.store.clone();
    let (_, frame) = office.desk_says("forgotten");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
    let event = office.frames("an event");
    office.desk.store = snapshot;
    office.is_suspended_by(&desktops[0].frames[0], Suspension::DesktopWentBack);

    let refused = RelayError::Suspended(Suspension::DesktopWentBack);
    for frame in [&status[0], &event[0]] {
        assert_eq!(office.desk.take_frame(frame).unwrap_err(), refused);
    }
    assert_eq!(office.desk.run(&AskPhone).unwrap_err(), refused);
    assert_eq!(office.desk.run(&AckPhone).unwrap_err(), refused);
    assert_eq!(office.desk.requests(Request::Query(b"?")).unwrap_err(), refused);
    assert_eq!(office.desk.run(&FlushRequests).unwrap_err(), refused);
    let notice = office.phone.run(&DetachDesktop { desktop: office.desk.address.device }).unwrap().unwrap();
    let said = office.desk.take_frame(&notice).unwrap().said;
    assert!(matches!(said, FromPhone::Ended { why: EndOfRelay::Detached, .. }), "{said:?}");
    assert_eq!(office.standing_at_desk(), RelayStanding::Ended(EndOfRelay::Detached));
    assert_eq!(office.desk.active(office.phone.address), None);
}

/// An offer that another key than the pinned one has signed is refused, and is still next.
#[test]
fn an_offer_under_another_key_is_refused() {
    let mut office = office(DesktopConsent::Always);
    let frame = office.asks_for_upgrade();
    under_another_key(&mut office.phone);
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    let FromDesktop::Offered { frames, .. } = offered else { panic!("{offered:?}") };
    assert_eq!(office.desk.shows(&frames[..1]), ["Accepted"]);
    let before = office.desk.store.clone();
    let refused = office.desk.take_frame(&frames[1]).unwrap_err();
    assert!(matches!(refused, RelayError::Upgrade(LinkError::Certificate(_))), "{refused:?}");
    assert_eq!(office.desk.run(&AcceptUpgrade).unwrap_err(), RelayError::Upgrade(LinkError::OutOfOrder));
    assert_eq!(office.desk.store, before);
}

/// What was queued before the offer was accepted goes out before the acceptance, and is done before it.
#[test]
fn what_was_queued_goes_before_the_acceptance() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    office.queues(b"before it");
    let frames = office.desk.run(&AcceptUpgrade).unwrap().frames;
    let [query, acceptance] = &frames[..] else { panic!("{frames:?}") };
    let done = office.phone.from(&office.desk, query).unwrap();
    let FromDesktop::Query { text, frames, .. } = done else { panic!("{done:?}") };
    assert_eq!(&*text, b"before it");
    assert_eq!(office.desk.shows(&frames), ["Accepted"]);
    let (_, frames) = office.takes_in(acceptance);
    let (_, unsent) = office.becomes(&frames);
    assert!(unsent.is_empty(), "{unsent:?}");
}

/// A refused acceptance: the desktop is none that waits, its offer is gone, and what was queued meanwhile goes through the phone.
#[test]
fn a_refused_acceptance_lets_what_was_queued_go() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let acceptance = office.accepts();
    let request = Request::Query(b"meanwhile");
    let queued = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
    assert_eq!(office.desk.run(&queued).unwrap().frames, Vec::<Vec<u8>>::new());
    let refused = office.phone.decides(&office.desk, &acceptance, Verdict::Deny).unwrap();
    let FromDesktop::Refused { frames, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(office.desk.shows(&frames), ["Refused(NoConsent)"]);
    assert_eq!(office.desk.run(&AcceptUpgrade).unwrap_err(), RelayError::Upgrade(LinkError::OutOfOrder));
    let done = office.flush();
    let [FromDesktop::Query { text, .. }] = &done[..] else { panic!("{done:?}") };
    assert_eq!(&**text, b"meanwhile");
}

/// A desktop that joins anew while its acceptance is lost: nobody has done it, and all goes on as before.
#[test]
fn an_acceptance_that_was_lost_ends_with_joining_anew() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let request = office.desk.run(&AcceptUpgrade).unwrap().request;
    assert_eq!(office.desk.requests(Request::Query(b"?")).unwrap_err(), RelayError::Upgrading);
    let (settled, _) = office.rejoin();
    assert_eq!(settled, [(request, RequestState::Unknown)]);
    assert_eq!(office.desk.run(&AcceptUpgrade).unwrap_err(), RelayError::Upgrade(LinkError::OutOfOrder));
    let (_, frame) = office.desk_says("through the phone");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
    assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
    office.upgrade();
}

/// Leaving takes session and requests with it, joining or suspended, and has a bye while there is a session.
#[test]
fn a_desktop_leaves_however_it_stands() {
    for suspended in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let (_, lost) = office.desk_says("under way");
        drop(lost);
        if suspended {
            office.phone_is_suspended_by_its_desktop();
        } else {
            let bundle = office.bundle();
            office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
            assert_eq!(office.standing_at_desk(), RelayStanding::Joining);
        }
        assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 1);
        assert!(office.desk.run(&LeavePhone).unwrap().is_some());
        assert_eq!(office.standing_at_desk(), RelayStanding::Ended(EndOfRelay::Left));
        assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
        assert_eq!(office.desk.active(office.phone.address), None);
    }
}

impl Office {
    /// Both ends are suspended, since the phone's store went back.
    fn phone_is_suspended_by_its_desktop(&mut self) {
        self.phone_is_suspended();
        let ask = self.desk.run(&AskPhone).unwrap();
        let (frames, _) = heard(self.phone.from(&self.desk, &ask));
        self.is_suspended_by(&frames[0], Suspension::PhoneWentBack);
    }
}

/// The user may join anew in every phase but the last, and another phone's bundle is none to join with.
#[test]
fn a_desktop_joins_anew_from_every_phase() {
    let mut attached = office(DesktopConsent::Always);
    let stranger = attached.peer.address;
    let other = outrigger::VerifiedBundle::verify(&attached.server.fetch(stranger), &stranger).unwrap();
    let refused = attached.desk.run(&RejoinPhone { bundle: &other }).unwrap_err();
    assert_eq!(refused, RelayError::NotPaired);
    let mut suspended = attached.clone();
    suspended.phone_is_suspended_by_its_desktop();
    let mut lapsed = attached.clone();
    lapsed.desk.now = NOON.plus(15 * UnixMillis::DAY);
    let mut joining = attached.clone();
    let bundle = joining.bundle();
    joining.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    joining.desk.now = later(1_000);
    for office in [&mut attached, &mut suspended, &mut lapsed, &mut joining] {
        office.phone.now = office.desk.now;
        office.phone.run(&RenewDesktop { desktop: office.desk.address.device }).unwrap();
        let (settled, _) = office.rejoin();
        assert_eq!((settled.len(), office.standing_at_desk()), (0, RelayStanding::Attached));
    }
}

/// A message of the phone's is for the companion that the desktop is about to be: it opens then.
#[test]
fn a_message_before_the_switch_opens_after_it() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let acceptance = office.accepts();
    let (_, frames) = office.takes_in(&acceptance);
    let passed_on = office.frames("to the phone alone").remove(0);
    assert_eq!(office.desk.take_frame(&passed_on).unwrap_err(), RelayError::NoFrame);
    office.becomes(&frames);
    assert_eq!(office.passed_on(&passed_on).2, "to the phone alone");
}

/// The desktop's time counts to its last millisecond, and no longer.
#[test]
fn the_last_millisecond_counts_at_the_desktop_too() {
    let mut office = office(DesktopConsent::Always);
    let frame = office.frames("in time").remove(0);
    let end = office.desk.run(&DescribeRelay).unwrap().good_until;
    office.desk.now = end.plus(1);
    let over = RelayError::Lapsed { expired_at: end };
    assert_eq!(office.desk.take_frame(&frame).unwrap_err(), over);
    assert_eq!(office.desk.run(&AckPhone).unwrap_err(), over);
    assert_eq!(office.desk.run(&DescribeRelay).unwrap().standing, RelayStanding::Lapsed);
    // A refusal has noted no time.
    office.desk.now = end;
    assert_eq!(office.desk.shows(&[frame]), ["in time"]);
    office.desk.run(&AckPhone).unwrap();
}

/// For a clock that is put back time stands still: what was over is over, at both ends.
#[test]
fn a_clock_that_is_put_back_brings_no_time() {
    let mut office = office(DesktopConsent::Always);
    let frame = office.frames("in time").remove(0);
    let end = office.desk.run(&DescribeRelay).unwrap().good_until;
    // What is asked, and what is missed, notes the time.
    (office.desk.now, office.phone.now) = (end.plus(1), end.plus(1));
    office.desk.run(&AskPhone).unwrap();
    assert_eq!(office.frames("missed"), Vec::<Vec<u8>>::new());
    (office.desk.now, office.phone.now) = (NOON, NOON);
    assert_eq!(office.desk.take_frame(&frame).unwrap_err(), RelayError::Lapsed { expired_at: end });
    assert_eq!(office.frames("missed too"), Vec::<Vec<u8>>::new());
    assert_eq!(office.standing_at_phone(), RelayStanding::Lapsed);
    assert_eq!(office.at_desk().standing, RelayStanding::Lapsed);
}
