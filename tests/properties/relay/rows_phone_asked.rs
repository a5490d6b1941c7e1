//! Rows of "At the phone" of what a desktop asks for: what it has missed, and requests.

use outrigger::{
    AckPhone, AskPhone, DesktopConsent, FlushRequests, FromDesktop, FromPhone, RecordKind, RefusedRequest,
    RelayRequest, RelayStanding, RenewDesktop, Request, RequestNumber, Verdict, Wanted, WhileAway,
};

use super::{
    office::{EVER, Office, later, office},
    rows_phone::{HEAD, heard},
};
use crate::{
    companions::household::Directory,
    world::{DAY, NOON},
};

impl Office {
    /// A relay that was renewed behind an event that was missed.
    fn with_a_missed_event() -> Self {
        let mut office = office(DesktopConsent::Always);
        office.phone.now = later(15 * DAY);
        assert_eq!(office.frames("missed"), Vec::<Vec<u8>>::new());
        office.phone.run(&RenewDesktop { desktop: office.desk.address.device }).unwrap();
        assert_eq!(office.at_phone().missed, 1);
        office
    }

    fn shows_the_gap(&mut self, frame: &[u8]) {
        let said = self.desk.take_frame(frame).unwrap().said;
        let FromPhone::Gap { missed: 1, first, last, .. } = said else { panic!("{said:?}") };
        assert_eq!((first, last), (later(15 * DAY), later(15 * DAY)));
        assert_eq!(self.at_phone().missed, 0);
    }
}

/// An ask brings the status, and behind it what was missed.
#[test]
fn an_ask_is_answered_with_a_status_and_then_the_gap() {
    let mut office = Office::with_a_missed_event();
    let ask = office.desk.run(&AskPhone).unwrap();
    let (frames, suspended) = heard(office.phone.from(&office.desk, &ask));
    assert_eq!((frames.len(), suspended), (2, None));
    let said = office.desk.take_frame(&frames[0]).unwrap().said;
    assert!(matches!(said, FromPhone::Status { joined: false, .. }), "{said:?}");
    office.shows_the_gap(&frames[1]);
}

/// An acknowledgement brings what was missed, and then what is kept goes.
#[test]
fn an_acknowledgement_brings_the_gap() {
    let mut office = Office::with_a_missed_event();
    let word = office.desk.run(&AckPhone).unwrap();
    let (frames, suspended) = heard(office.phone.from(&office.desk, &word));
    assert_eq!((frames.len(), suspended), (1, None));
    assert_eq!(office.phone.outbox(&office.desk), frames);
    office.shows_the_gap(&frames[0]);
}

/// What was asked so long ago that the phone has forgotten it is taken for repeated: it is not done again, and nothing is suspended.
#[test]
fn a_request_256_behind_counts_as_repeated() {
    let mut office = office(DesktopConsent::Always);
    let (_, first) = office.desk_says("the first");
    let again = office.desk.run(&FlushRequests).unwrap().remove(0);
    let mut frames = vec![first];
    // No more turns than the session remembers: what is asked at once is answered at once.
    for count in [64, 64, 64, 64, 1] {
        let answers = office.phone.outbox(&office.desk);
        assert_eq!(office.desk.shows(&answers).len(), if frames.is_empty() { 32 } else { 0 });
        if frames.is_empty() {
            office.acknowledge();
            let answers = office.phone.outbox(&office.desk);
            assert_eq!(office.desk.shows(&answers).len(), 32);
        }
        frames.extend((frames.len()..count).map(|_| office.desk_says("another").1));
        for frame in frames.drain(..) {
            assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
        }
    }
    let before = office.phone.outbox(&office.desk);
    // Its place is that of request 257, which is another.
    assert_eq!(office.phone.store.count(RecordKind::RelaySeen), 256);
    let repeated = office.phone.from(&office.desk, &again).unwrap();
    assert!(matches!(repeated, FromDesktop::Repeated), "{repeated:?}");
    assert_eq!(office.standing_at_phone(), RelayStanding::Attached);
    assert_eq!(office.phone.outbox(&office.desk), before);
}

/// What came too late, or was not allowed, is taken: it has its number, its answer, and is not looked at again.
#[test]
fn what_is_refused_is_taken_and_remembered() {
    for (verdict, why) in [(None, RefusedRequest::TooLate), (Some(Verdict::Deny), RefusedRequest::NoConsent)]
    {
        let mut office = office(DesktopConsent::Ask);
        let not_after = if verdict.is_none() { NOON } else { EVER };
        let request = Request::Query(b"what?");
        let asked = RelayRequest { request, not_after, while_away: WhileAway::Refuse };
        let asked = office.desk.run(&asked).unwrap();
        office.phone.now = later(1);
        let desktop = office.desk.address.device;
        let take = outrigger::TakeFromDesktop { desktop, envelope: &asked.frames[0], verdict };
        let refused = office.phone.run(&take).unwrap();
        let FromDesktop::Refused { request: RequestNumber(1), why: said, frames } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(said, why);
        assert_eq!(office.phone.store.count(RecordKind::RelaySeen), 1);
        // The word that comes afterwards finds it answered.
        let again = office.desk.run(&FlushRequests).unwrap();
        let repeated = office.phone.decides(&office.desk, &again[0], Verdict::Allow).unwrap();
        assert!(matches!(repeated, FromDesktop::Repeated), "{repeated:?}");
        assert_eq!(office.desk.shows(&frames), [format!("Refused({why:?})")]);
        // The next one has the next number.
        let next = office.desk.requests(Request::Query(b"and now?")).unwrap();
        let done = office.phone.decides(&office.desk, &next.frames[0], Verdict::Allow).unwrap();
        assert!(matches!(done, FromDesktop::Query { request: RequestNumber(2), .. }), "{done:?}");
    }
}

/// A query waits for the user's word as a message does, and nothing is pending.
#[test]
fn a_query_waits_for_the_users_word() {
    let mut office = office(DesktopConsent::Ask);
    let asked = office.desk.requests(Request::Query(b"what?")).unwrap();
    let before = office.phone.store.clone();
    let undecided = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    let FromDesktop::Undecided(Wanted::Query { text, .. }) = undecided else { panic!("{undecided:?}") };
    assert_eq!(&*text, b"what?");
    assert_eq!(office.phone.store, before);
    let done = office.phone.decides(&office.desk, &asked.frames[0], Verdict::Allow).unwrap();
    assert!(matches!(done, FromDesktop::Query { request: RequestNumber(1), .. }), "{done:?}");
}

impl Office {
    /// A desktop that keeps to no bound: what it queued is changed in its store, and goes out. The phone refuses it.
    fn asks_too_much(&mut self, request: Request<'_>, change: impl FnOnce(&mut Vec<u8>)) {
        for _ in 0..2 {
            self.desk.run(&AskPhone).unwrap();
        }
        self.desk.run(&RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue }).unwrap();
        let record = self.desk.store.of(RecordKind::RelayAsked).next();
        let (key, mut bytes) = record.map(|(key, bytes)| (*key, bytes.clone())).unwrap();
        change(&mut bytes);
        self.desk.store.tamper(&key, bytes);
        let frames = self.desk.run(&FlushRequests).unwrap();
        let refused = self.phone.from(&self.desk, &frames[0]).unwrap();
        let FromDesktop::Refused { request: RequestNumber(1), why: RefusedRequest::TooLong, frames } =
            refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(self.desk.shows(&frames), ["Refused(TooLong)"]);
    }
}

/// A desktop that keeps to no bound asks for a message that is longer than one can be.
#[test]
fn a_request_that_is_too_long_for_a_message_is_refused() {
    let mut office = office(DesktopConsent::Always);
    // With a list on record a message has a stamp, which takes what a frame leaves.
    Directory::default().link(&mut office.phone, "sibling");
    let text = vec![b'x'; 1_036_288];
    let to = office.peer.address.account;
    let request = Request::Send { to, plaintext: &text, associated_data: &[] };
    office.asks_too_much(request, |bytes| {
        bytes.extend([b'x'; 8_125]);
        let len = u32::try_from(bytes.len() - HEAD).unwrap();
        bytes[HEAD - 4..HEAD].copy_from_slice(&len.to_be_bytes());
    });
    assert_eq!(office.phone.store.count(RecordKind::RelaySeen), 1);
}

/// The same of what is bound to it.
#[test]
fn a_request_that_binds_more_than_a_message_can_is_refused() {
    let mut office = office(DesktopConsent::Always);
    let to = office.peer.address.account;
    let request = Request::Send { to, plaintext: &[b'x'; 5_000], associated_data: &[] };
    office.asks_too_much(request, |bytes| {
        // Behind the id, the stage, the kind, the time and the account: how much of the rest is bound.
        let place = HEAD + 16 + 1 + 1 + 8 + 2 + to.as_bytes().len();
        assert_eq!(bytes[place..place + 3], [0, 0, b'x']);
        bytes[place..place + 2].copy_from_slice(&4_097_u16.to_be_bytes());
    });
}
