//! Rows of "At the phone" that no other file here asserts. `rows.txt` says where each row is.

use outrigger::{
    AckPhone, AskPhone, DescribeDesktops, DesktopConsent, DesktopDescription, DetachDesktop, EndOfRelay,
    FlushRequests, FromDesktop, FromPhone, Keep, LeavePhone, LinkError, ListError, News, PlanMessage,
    RecordKind, RefusedRequest, RejoinPhone, RelayError, RelayOutbox, RelayRequest, RelaySend, RelayStanding,
    RemoveCompanion, RenewDesktop, Request, RequestNumber, Suspension, TellDesktop, Verdict, Wanted,
    WhileAway,
};

use super::{
    office::{EVER, Office, grant, later, office},
    upgrade::{MINUTE, consent},
};
use crate::{
    companions::household::Directory,
    world::{BOUND, DAY, Device, NOON, Server},
};

/// Bytes of a record before its body, the last four of them its length.
pub(crate) const HEAD: usize = 22;

impl Office {
    /// How its phone describes the desktop.
    pub(crate) fn at_phone(&mut self) -> DesktopDescription {
        let desktop = self.desk.address.device;
        let described = self.phone.run(&DescribeDesktops).unwrap();
        described.into_iter().find(|one| one.desktop == desktop).unwrap()
    }

    pub(crate) fn standing_at_phone(&mut self) -> RelayStanding {
        self.at_phone().standing
    }

    /// The desktop shows an event, and the phone's store goes back behind it: the desktop's next word says so.
    pub(crate) fn phone_forgets(&mut self) {
        let snapshot = self.phone.store.clone();
        let frames = self.frames("forgotten");
        assert_eq!(self.desk.shows(&frames), ["forgotten"]);
        self.phone.store = snapshot;
    }

    /// The same, up to the phone's suspension.
    pub(crate) fn phone_is_suspended(&mut self) {
        self.phone_forgets();
        let word = self.desk.run(&AckPhone).unwrap();
        let found = self.phone.from(&self.desk, &word).unwrap();
        assert!(matches!(found, FromDesktop::Suspended(Suspension::PhoneWentBack)), "{found:?}");
        let why = RelayStanding::Suspended(Suspension::PhoneWentBack);
        assert_eq!(self.standing_at_phone(), why);
    }
}

/// What is heard of a frame that says that the desktop is there, or what it has shown.
pub(crate) fn heard(from: Result<FromDesktop, RelayError>) -> (Vec<Vec<u8>>, Option<Suspension>) {
    match from {
        Ok(FromDesktop::Heard { frames, suspended }) => (frames, suspended),
        other => panic!("{other:?}"),
    }
}

/// Puts another identity key in the place of a device's own: what it signs from now on does not hold.
pub(crate) fn under_another_key(device: &mut Device) {
    let mut other = Device::empty("forger");
    other.random = crate::world::random::Seeded::new(4_711);
    other.run(&outrigger::Register { address: device.address }).unwrap();
    let record = |device: &Device| {
        let (key, bytes) = device.store.of(RecordKind::Device).next().unwrap();
        (*key, bytes.clone())
    };
    let ((key, _), (_, bytes)) = (record(device), record(&other));
    device.store.tamper(&key, bytes);
}

/// Granted for five minutes, good for fourteen days; the first ask attaches it, to the last millisecond.
#[test]
fn a_granted_desktop_is_attached_by_its_first_ask() {
    let mut phone = Device::new("phone");
    phone.publish(5, &mut Server::default());
    let (mut desk, frame) = grant(&mut phone, "desk", DesktopConsent::Ask);
    let granted = phone.run(&DescribeDesktops).unwrap().remove(0);
    assert_eq!((granted.standing, granted.may), (RelayStanding::Joining, DesktopConsent::Ask));
    assert_eq!((granted.good_until, granted.waiting, granted.missed), (NOON.plus(14 * DAY), 0, 0));
    phone.now = later(5 * MINUTE);
    let joined = phone.from(&desk, &frame).unwrap();
    let FromDesktop::Joined { frames, again: false } = joined else { panic!("{joined:?}") };
    assert_eq!(phone.run(&DescribeDesktops).unwrap()[0].standing, RelayStanding::Attached);
    let said = desk.take_frame(&frames[0]).unwrap().said;
    let FromPhone::Status { good_until, joined: true, settled } = said else { panic!("{said:?}") };
    assert_eq!((good_until, settled), (NOON.plus(14 * DAY - 5 * MINUTE), vec![]));
    assert_eq!(frames.len(), 1);
}

/// Before it has come, and after the end, nothing is kept or counted for a desktop.
#[test]
fn nothing_is_told_before_the_first_ask_and_after_the_end() {
    let mut office = office(DesktopConsent::Always);
    let (granted, ask) = grant(&mut office.phone, "second", DesktopConsent::Always);
    office.phone.run(&DetachDesktop { desktop: office.desk.address.device }).unwrap();
    let of = |office: &Office| -> Vec<_> {
        office.phone.store.of(RecordKind::Desktop).map(|(key, bytes)| (*key, bytes.clone())).collect()
    };
    let before = of(&office);
    assert_eq!(office.peer_says("for nobody"), []);
    let plan = office.phone.run(&PlanMessage { to: office.peer.address.account }).unwrap();
    let keep = Keep::ForRetry;
    let send = RelaySend { plan: &plan, plaintext: b"shown nowhere", associated_data: BOUND, keep };
    assert_eq!(office.phone.run(&send).unwrap().desktops, []);
    assert_eq!((of(&office), office.phone.store.count(RecordKind::RelayOut)), (before, 0));
    office.desk = granted;
    assert!(matches!(office.phone.from(&office.desk, &ask), Ok(FromDesktop::Joined { again: false, .. })));
    let described = office.at_phone();
    assert_eq!((described.waiting, described.missed), (0, 0));
}

/// A session that opens and does not seal costs the desktop what is said, never the phone.
#[test]
fn a_session_that_cannot_seal_suspends_the_desktop_and_no_step_fails() {
    let mut office = office(DesktopConsent::Always);
    office.phone.recover(1, &mut office.server);
    let told = office.peer_says("opened by the phone");
    assert_eq!((told.len(), told[0].frames.len(), told[0].suspended), (1, 0, true));
    let described = office.at_phone();
    assert_eq!((described.standing, described.missed), (RelayStanding::Suspended(Suspension::Session), 1));
    // It is said once.
    let told = office.peer_says("and this");
    assert_eq!((told[0].frames.len(), told[0].suspended, office.at_phone().missed), (0, false, 2));
}

/// What peers and the own app say while the desktop's time is over is counted; the last millisecond is not over.
#[test]
fn what_is_said_while_it_is_over_is_missed() {
    let mut office = office(DesktopConsent::Always);
    office.phone.now = later(14 * DAY);
    assert_eq!(office.frames("in time").len(), 1);
    office.phone.now = later(14 * DAY + 1);
    assert_eq!(office.frames("too late"), Vec::<Vec<u8>>::new());
    let described = office.at_phone();
    assert_eq!((described.standing, described.waiting, described.missed), (RelayStanding::Lapsed, 1, 1));
    let plan = office.phone.run(&PlanMessage { to: office.peer.address.account }).unwrap();
    let keep = Keep::ForRetry;
    let send = RelaySend { plan: &plan, plaintext: b"missed too", associated_data: BOUND, keep };
    assert!(office.phone.run(&send).unwrap().desktops[0].frames.is_empty());
    assert_eq!((office.at_phone().missed, office.phone.store.count(RecordKind::RelayOut)), (2, 1));
}

/// The same while the relay is suspended.
#[test]
fn what_is_said_while_it_is_suspended_is_missed() {
    let mut office = office(DesktopConsent::Always);
    office.phone_is_suspended();
    assert_eq!(office.frames("unseen"), Vec::<Vec<u8>>::new());
    let described = office.at_phone();
    let why = RelayStanding::Suspended(Suspension::PhoneWentBack);
    assert_eq!((described.standing, described.waiting, described.missed), (why, 0, 1));
}

/// After the end nothing that comes is opened, and the notice goes out again, if there is one.
#[test]
fn whatever_an_ended_desktop_sends_is_answered_with_the_notice() {
    let mut office = office(DesktopConsent::Always);
    let ask = office.desk.run(&AskPhone).unwrap();
    let mut left = office.clone();
    let notice = office.phone.run(&DetachDesktop { desktop: office.desk.address.device }).unwrap();
    assert!(notice.is_some());
    let bye = left.desk.run(&LeavePhone).unwrap().unwrap();
    assert!(matches!(left.phone.from(&left.desk, &bye), Ok(FromDesktop::Left)));
    for (office, expected) in [(&mut office, notice), (&mut left, None)] {
        let before = office.phone.store.clone();
        for bytes in [&ask[..], &ask[..], b"", b"no envelope"] {
            let ended = office.phone.from(&office.desk, bytes).unwrap();
            let FromDesktop::Ended { notice } = ended else { panic!("{ended:?}") };
            assert_eq!(notice, expected);
        }
        assert_eq!(office.phone.store, before);
    }
}

/// Frames of the former session, and of one that a newer has overtaken: they change the session alone, and are answered with the notice.
#[test]
fn late_frames_change_nothing_but_the_session() {
    let mut office = office(DesktopConsent::Always);
    let of_former = office.desk.run(&AskPhone).unwrap();
    let asks = [1_000, 2_000].map(|moment| {
        office.desk.now = later(moment);
        let bundle = office.bundle();
        office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap()
    });
    office.phone.now = office.desk.now;
    office.let_in(&asks[1]);
    let apart = |office: &Office| {
        let kinds = [RecordKind::Desktops, RecordKind::Desktop, RecordKind::RelayOut, RecordKind::RelaySeen];
        let of = |kind| office.phone.store.of(kind).map(|(key, bytes)| (*key, bytes.clone()));
        kinds.into_iter().flat_map(of).collect::<Vec<_>>()
    };
    let before = apart(&office);
    let notices = [&of_former, &asks[0]].map(|late| match office.phone.from(&office.desk, late) {
        Ok(FromDesktop::Late { notice }) => notice.unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!(notices[0], notices[1]);
    assert_eq!(apart(&office), before);
    assert_eq!(office.standing_at_phone(), RelayStanding::Attached);
}

/// What a new session says before its ask is refused, and opens behind it.
#[test]
fn in_a_new_session_the_ask_comes_first() {
    let mut office = office(DesktopConsent::Always);
    let (_, frame) = office.desk_says("the first");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    let bundle = office.bundle();
    let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
    let early = office.phone.from(&office.desk, &bye).unwrap_err();
    assert_eq!(early, RelayError::EarlyRequest { next: RequestNumber(2) });
    assert_eq!(office.standing_at_phone(), RelayStanding::Attached);
    let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
    assert!(matches!(joined, FromDesktop::Joined { again: true, .. }), "{joined:?}");
    assert!(matches!(office.phone.from(&office.desk, &bye), Ok(FromDesktop::Left)));
}

/// A bye ends an attached relay and a suspended one, with all that was kept for it.
#[test]
fn a_bye_ends_the_relay_however_it_stands() {
    for suspended in [false, true] {
        let mut office = office(DesktopConsent::Always);
        // A notice stands, for the machine of before.
        office.rejoin();
        let (_, frame) = office.desk_says("done");
        let done = office.phone.from(&office.desk, &frame).unwrap();
        let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
        assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
        if suspended {
            office.phone_is_suspended();
        }
        assert_eq!(office.phone.store.count(RecordKind::RelayOut), 1);
        let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
        assert!(matches!(office.phone.from(&office.desk, &bye), Ok(FromDesktop::Left)));
        assert_eq!(office.standing_at_phone(), RelayStanding::Ended(EndOfRelay::Left));
        let kept = [RecordKind::RelayOut, RecordKind::RelaySeen].map(|kind| office.phone.store.count(kind));
        assert_eq!(kept, [0, 0]);
        assert_eq!(office.phone.active(office.desk.address), None);
        let again = office.phone.from(&office.desk, &bye).unwrap();
        assert!(matches!(again, FromDesktop::Ended { notice: None }), "{again:?}");
    }
}

/// While it is suspended only asks and byes are looked at.
#[test]
fn a_suspended_desktop_may_ask_and_nothing_else() {
    let mut office = office(DesktopConsent::Always);
    office.phone_is_suspended();
    let refused = RelayError::Suspended(Suspension::PhoneWentBack);
    let word = office.desk.run(&AckPhone).unwrap();
    assert_eq!(office.phone.from(&office.desk, &word).unwrap_err(), refused);
    let (_, request) = office.desk_says("do this");
    assert_eq!(office.phone.from(&office.desk, &request).unwrap_err(), refused);
    let desktop = office.desk.address.device;
    assert_eq!(office.phone.run(&RelayOutbox { desktop }).unwrap_err(), refused);
    let tell = TellDesktop { desktop, request: RequestNumber(1), news: News::Relayed };
    assert_eq!(office.phone.run(&tell).unwrap_err(), refused);
    let ask = office.desk.run(&AskPhone).unwrap();
    let (frames, suspended) = heard(office.phone.from(&office.desk, &ask));
    assert_eq!((frames.len(), suspended), (1, Some(Suspension::PhoneWentBack)));
}

/// More shown than was sent: of the frame that says so a request is not done, and an ask is answered.
#[test]
fn of_a_frame_that_finds_the_phone_out_only_an_ask_is_looked_at() {
    let mut office = office(DesktopConsent::Always);
    office.phone_forgets();
    let mut asked = office.clone();
    let (_, request) = office.desk_says("not done");
    let found = office.phone.from(&office.desk, &request).unwrap();
    assert!(matches!(found, FromDesktop::Suspended(Suspension::PhoneWentBack)), "{found:?}");
    assert_eq!(office.phone.store.count(RecordKind::RelaySeen), 0);

    let ask = asked.desk.run(&AskPhone).unwrap();
    let (frames, suspended) = heard(asked.phone.from(&asked.desk, &ask));
    assert_eq!((frames.len(), suspended), (1, Some(Suspension::PhoneWentBack)));
    for office in [&mut office, &mut asked] {
        let why = RelayStanding::Suspended(Suspension::PhoneWentBack);
        assert_eq!(office.standing_at_phone(), why);
    }
}

/// What was shown goes, whatever frame says so; an acknowledgement that an other has overtaken takes nothing back.
#[test]
fn an_acknowledgement_never_goes_back() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["1", "2", "3"].map(|text| office.frames(text)).concat();
    office.desk.shows(&frames[..1]);
    let first = office.desk.run(&AckPhone).unwrap();
    office.desk.shows(&frames[1..2]);
    let second = office.desk.run(&AckPhone).unwrap();
    let kept = |office: &mut Office| (office.at_phone().waiting, office.outbox_texts().len());
    assert_eq!(kept(&mut office), (3, 3));
    assert_eq!(heard(office.phone.from(&office.desk, &second)).0, Vec::<Vec<u8>>::new());
    assert_eq!((kept(&mut office), office.phone.outbox(&office.desk)), ((1, 1), frames[2..].to_vec()));
    heard(office.phone.from(&office.desk, &first));
    heard(office.phone.from(&office.desk, &office.desk.clone().run(&AckPhone).unwrap()));
    assert_eq!((kept(&mut office), office.phone.outbox(&office.desk)), ((1, 1), frames[2..].to_vec()));
}

impl Office {
    /// The frames that the phone has on record for desktops.
    fn outbox_texts(&self) -> Vec<Vec<u8>> {
        self.phone.store.of(RecordKind::RelayOut).map(|(_, bytes)| bytes.clone()).collect()
    }

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
    let FromDesktop::Undecided(Wanted::Query(text)) = undecided else { panic!("{undecided:?}") };
    assert_eq!(&*text, b"what?");
    assert_eq!(office.phone.store, before);
    let done = office.phone.decides(&office.desk, &asked.frames[0], Verdict::Allow).unwrap();
    assert!(matches!(done, FromDesktop::Query { request: RequestNumber(1), .. }), "{done:?}");
}

/// A desktop that keeps to no bound asks for a message that is longer than one can be.
#[test]
fn a_request_that_is_too_long_for_a_message_is_refused() {
    let mut office = office(DesktopConsent::Always);
    // With a list on record a message has a stamp, which takes what a frame leaves.
    Directory::default().link(&mut office.phone, "sibling");
    for _ in 0..2 {
        office.desk.run(&AskPhone).unwrap();
    }
    let text = vec![b'x'; 1_036_288];
    let to = office.peer.address.account;
    let request = Request::Send { to, plaintext: &text, associated_data: &[] };
    office.desk.run(&RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue }).unwrap();
    let record = office.desk.store.of(RecordKind::RelayAsked).next();
    let (key, mut bytes) = record.map(|(key, bytes)| (*key, bytes.clone())).unwrap();
    bytes.extend([b'x'; 8_125]);
    let len = u32::try_from(bytes.len() - HEAD).unwrap();
    bytes[HEAD - 4..HEAD].copy_from_slice(&len.to_be_bytes());
    office.desk.store.tamper(&key, bytes);
    let frames = office.desk.run(&FlushRequests).unwrap();
    let refused = office.phone.from(&office.desk, &frames[0]).unwrap();
    let FromDesktop::Refused { request: RequestNumber(1), why: RefusedRequest::TooLong, frames } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(office.desk.shows(&frames), ["Refused(TooLong)"]);
    assert_eq!(office.phone.store.count(RecordKind::RelaySeen), 1);
}

/// The same of what is bound to it.
#[test]
fn a_request_that_binds_more_than_a_message_can_is_refused() {
    let mut office = office(DesktopConsent::Always);
    for _ in 0..2 {
        office.desk.run(&AskPhone).unwrap();
    }
    let to = office.peer.address.account;
    let request = Request::Send { to, plaintext: &[b'x'; 5_000], associated_data: &[] };
    office.desk.run(&RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue }).unwrap();
    let record = office.desk.store.of(RecordKind::RelayAsked).next();
    let (key, mut bytes) = record.map(|(key, bytes)| (*key, bytes.clone())).unwrap();
    // Behind the id, the stage, the kind, the time and the account: how much of the rest is bound.
    let place = HEAD + 16 + 1 + 1 + 8 + 2 + to.as_bytes().len();
    assert_eq!(bytes[place..place + 3], [0, 0, b'x']);
    bytes[place..place + 2].copy_from_slice(&4_097_u16.to_be_bytes());
    office.desk.store.tamper(&key, bytes);
    let frames = office.desk.run(&FlushRequests).unwrap();
    let refused = office.phone.from(&office.desk, &frames[0]).unwrap();
    let FromDesktop::Refused { request: RequestNumber(1), why: RefusedRequest::TooLong, frames } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(office.desk.shows(&frames), ["Refused(TooLong)"]);
}

impl Office {
    /// A desktop whose store went back behind its upgrade, and that was let in again; what it is told behind the status.
    fn went_back_behind_the_upgrade() -> (Self, Vec<Vec<u8>>) {
        let mut office = office(DesktopConsent::Always);
        let backup = office.desk.clone();
        office.server = office.upgrade().bundles;
        office.desk = backup;
        let bundle = office.bundle();
        let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
        let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
        let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
        let said = office.desk.take_frame(&frames[0]).unwrap().said;
        assert!(matches!(said, FromPhone::Status { joined: true, .. }), "{said:?}");
        (office, frames[1..].to_vec())
    }
}

/// One that has not heard that it is a companion, and asks to become one, is offered its place anew.
#[test]
fn an_upgraded_desktop_that_asks_again_is_offered_its_place() {
    let (mut office, _) = Office::went_back_behind_the_upgrade();
    let frame = office.asks_for_upgrade();
    let undecided = office.phone.from(&office.desk, &frame).unwrap();
    assert!(matches!(undecided, FromDesktop::Undecided(Wanted::Upgrade(_))), "{undecided:?}");
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    let FromDesktop::Offered { frames, .. } = offered else { panic!("{offered:?}") };
    assert_eq!(frames.len(), 2);
}

/// One that has not heard that it is a companion leaves: its end is wiped, and its place in the list is for the phone's app to take.
#[test]
fn an_upgraded_desktop_that_leaves_is_a_companion_to_be_removed() {
    let (mut office, _) = Office::went_back_behind_the_upgrade();
    let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
    let left = office.phone.from(&office.desk, &bye).unwrap();
    assert!(matches!(left, FromDesktop::LeftCompanion), "{left:?}");
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    assert_eq!(office.phone.active(office.desk.address), None);
    let again = office.phone.from(&office.desk, &bye).unwrap();
    assert!(matches!(again, FromDesktop::Ended { notice: None }), "{again:?}");
    office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
}

/// What comes from a companion that the list names no more is not opened, and nothing is left of its relay.
#[test]
fn what_a_removed_companion_sends_ends_its_relay() {
    let (mut office, _) = Office::went_back_behind_the_upgrade();
    let ask = office.desk.run(&AskPhone).unwrap();
    office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
    for bytes in [&ask[..], b"no envelope"] {
        let mut office = office.clone();
        let ended = office.phone.from(&office.desk, bytes).unwrap();
        assert!(matches!(ended, FromDesktop::Ended { notice: None }), "{ended:?}");
        assert_eq!(office.standing_at_phone(), RelayStanding::Ended(EndOfRelay::Detached));
        let kept = [RecordKind::RelayOut, RecordKind::RelaySeen].map(|kind| office.phone.store.count(kind));
        assert_eq!(kept, [0, 0]);
    }
}

/// A phone whose records came back offers nothing until it has seen its newest list; the same bytes do then.
#[test]
fn a_phone_that_can_sign_no_list_offers_nothing() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory::default();
    directory.link(&mut office.phone, "sibling");
    office.phone.recover(1, &mut office.server);
    office.rejoin();
    let frame = office.asks_for_upgrade();
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let refused = office.phone.decides(&office.desk, &frame, verdict).unwrap_err();
    assert_eq!(refused, RelayError::Upgrade(LinkError::List(ListError::NotSeenSinceRestore)));
    let mut denied = office.clone();
    let said_no = denied.phone.decides(&denied.desk, &frame, Verdict::Deny).unwrap();
    assert!(matches!(said_no, FromDesktop::Refused { why: RefusedRequest::NoConsent, .. }), "{said_no:?}");
    let account = office.phone.address.account;
    directory.learn(&mut office.phone, account).unwrap();
    let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    assert!(matches!(offered, FromDesktop::Offered { .. }), "{offered:?}");
}

/// A second offer stands in place of the first, at both ends, for five minutes of its own.
#[test]
fn an_offer_stands_in_place_of_the_one_before() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    office.phone.now = later(4 * MINUTE);
    office.is_offered();
    let acceptance = office.accepts();
    office.phone.now = later(9 * MINUTE);
    let (list, frames) = office.takes_in(&acceptance);
    let (joined, _) = office.becomes(&frames);
    assert_eq!(joined.list, list.list);
}

/// An acceptance that another key has signed is refused, and the offer stands no more.
#[test]
fn an_acceptance_that_does_not_hold_takes_the_offer_away() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    // Both machines speak in the turn that begins here.
    office.acknowledge();
    let mut copy = office.clone();
    under_another_key(&mut office.desk);
    let forged = office.accepts();
    let refused = office.phone.from(&office.desk, &forged).unwrap();
    let FromDesktop::Refused { request: RequestNumber(2), why: RefusedRequest::NoOffer, frames } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(office.desk.shows(&frames), ["Refused(NoOffer)"]);
    // Another machine with the same store, one request further, accepts the same offer as it should.
    copy.desk.random = crate::world::random::Seeded::new(9);
    copy.desk_says("never sent");
    let sound = copy.accepts();
    let refused = office.phone.from(&office.desk, &sound).unwrap();
    assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoOffer, .. }), "{refused:?}");
    assert_eq!(office.standing_at_phone(), RelayStanding::Attached);
}

/// Fourteen days from now, or what it was: granted, attached or suspended.
#[test]
fn a_renewal_counts_from_now_and_shortens_nothing() {
    let mut phone = Device::new("phone");
    phone.publish(5, &mut Server::default());
    let (desk, _) = grant(&mut phone, "granted", DesktopConsent::Ask);
    let mut suspended = office(DesktopConsent::Always);
    suspended.phone_is_suspended();
    let attached = office(DesktopConsent::Always);
    let all = [(phone, desk), (attached.phone, attached.desk), (suspended.phone, suspended.desk)];
    for (mut phone, desk) in all {
        let renew = RenewDesktop { desktop: desk.address.device };
        let standing = phone.run(&DescribeDesktops).unwrap()[0].standing;
        phone.now = later(DAY);
        assert_eq!(phone.run(&renew).unwrap(), NOON.plus(15 * DAY));
        // A phone that allows less from now on, and a clock that is put back.
        phone.limits = phone.limits.list_window(DAY);
        assert_eq!(phone.run(&renew).unwrap(), NOON.plus(15 * DAY));
        phone.now = NOON;
        assert_eq!(phone.run(&renew).unwrap(), NOON.plus(15 * DAY));
        let described = phone.run(&DescribeDesktops).unwrap().remove(0);
        assert_eq!((described.good_until, described.standing), (NOON.plus(15 * DAY), standing));
        phone.run(&DetachDesktop { desktop: desk.address.device }).unwrap();
        assert_eq!(phone.run(&renew).unwrap_err(), RelayError::Ended(EndOfRelay::Detached));
    }
}

/// Nothing seals a notice for a desktop that has not come; for one that is suspended its session does.
#[test]
fn a_desktop_is_detached_however_it_stands() {
    let mut phone = Device::new("phone");
    phone.publish(5, &mut Server::default());
    let (desk, ask) = grant(&mut phone, "granted", DesktopConsent::Ask);
    let desktop = desk.address.device;
    assert_eq!(phone.run(&DetachDesktop { desktop }).unwrap(), None);
    assert!(matches!(phone.from(&desk, &ask), Ok(FromDesktop::Ended { notice: None })));

    let mut office = office(DesktopConsent::Always);
    office.phone_is_suspended();
    let notice = office.phone.run(&DetachDesktop { desktop: office.desk.address.device }).unwrap().unwrap();
    assert_eq!(office.standing_at_phone(), RelayStanding::Ended(EndOfRelay::Detached));
    assert_eq!(office.phone.active(office.desk.address), None);
    let said = office.desk.take_frame(&notice).unwrap().said;
    assert!(matches!(said, FromPhone::Ended { why: EndOfRelay::Detached, .. }), "{said:?}");
}
