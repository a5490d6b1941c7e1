//! Rows of "At the phone" that no other file here asserts. `rows.txt` says where each row is.

use outrigger::{
    AckPhone, AskPhone, DescribeDesktops, DesktopConsent, DesktopDescription, DetachDesktop, EndOfRelay,
    FromDesktop, FromPhone, Keep, LeavePhone, News, PlanMessage, RecordKind, RejoinPhone, RelayError,
    RelayOutbox, RelaySend, RelayStanding, RenewDesktop, RequestNumber, Suspension, TellDesktop, Verdict,
};

use super::{
    office::{Office, grant, later, office},
    upgrade::MINUTE,
};
use crate::world::{BOUND, DAY, Device, NOON, Server};

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

    /// The frames that the phone has on record for desktops.
    pub(crate) fn outbox_texts(&self) -> Vec<Vec<u8>> {
        self.phone.store.of(RecordKind::RelayOut).map(|(_, bytes)| bytes.clone()).collect()
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
    let relay_of = |office: &Office| {
        let mut relay = office.desk.store.0.clone();
        relay.retain(|key, _| key.kind() == RecordKind::Relay);
        relay
    };
    let before = relay_of(&office);
    let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    // One that does not wait to be let in.
    let joining = relay_of(&office);
    office.desk.store.0.extend(before);
    let (_, frame) = office.desk_says("the second");
    office.desk.store.0.extend(joining);
    let early = office.phone.from(&office.desk, &frame).unwrap_err();
    assert_eq!(early, RelayError::EarlyRequest { next: RequestNumber(2) });
    assert_eq!(office.standing_at_phone(), RelayStanding::Attached);
    let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
    assert!(matches!(joined, FromDesktop::Joined { again: true, .. }), "{joined:?}");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
}

/// A desktop that leaves before its phone has met the session that it wanted to join in, or has let it in, is gone all the same.
#[test]
fn a_bye_needs_no_leave_to_join() {
    for asked in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let bundle = office.bundle();
        let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
        let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
        if asked {
            let denied = office.phone.decides(&office.desk, &ask, Verdict::Deny).unwrap();
            assert!(matches!(denied, FromDesktop::Denied), "{denied:?}");
        }
        assert!(matches!(office.phone.from(&office.desk, &bye), Ok(FromDesktop::Left)));
        assert_eq!(office.standing_at_phone(), RelayStanding::Ended(EndOfRelay::Left));
    }
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

/// Fourteen days from now, whatever it was and whatever the clock has shown before: granted, attached or suspended.
#[test]
fn a_renewal_counts_from_now() {
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
        // A clock that was ahead, and is put back; then a phone that allows less.
        phone.now = later(365 * DAY);
        assert_eq!(phone.run(&renew).unwrap(), NOON.plus(379 * DAY));
        phone.now = later(DAY);
        assert_eq!(phone.run(&renew).unwrap(), NOON.plus(15 * DAY));
        phone.limits = phone.limits.list_window(DAY);
        assert_eq!(phone.run(&renew).unwrap(), NOON.plus(2 * DAY));
        let described = phone.run(&DescribeDesktops).unwrap().remove(0);
        assert_eq!((described.good_until, described.standing), (NOON.plus(2 * DAY), standing));
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
