//! A desktop becomes a companion: nothing is lost, nothing is doubled, and nobody but the phone's user can make it so.

mod passed_on;

use outrigger::{
    AcceptUpgrade, AccountId, AckPhone, Advice, AskPhone, CancelRequest, Consent, Consequence, Content,
    DescribeDesktops, DesktopConsent, DetachDesktop, EndOfRelay, FlushRequests, FromDesktop, FromPhone,
    Joined, LearnDevices, LinkError, ListError, OpenError, Origin, PlanMessage, Receive, RefusedRequest,
    RelayError, RelayReceive, RelayRequest, RelayStanding, RemoveCompanion, Request, SentToAccount,
    SetDesktopConsent, SignedList, TellDesktop, Unsent, UnsentRequest, Verdict, Wanted, WhileAway,
};

use super::office::{EVER, Office, later, office, pair};
use crate::{
    companions::household::Directory,
    world::{BOUND, Device},
};

pub(crate) const MINUTE: u64 = 60_000;

pub(crate) fn consent(desk: &Device) -> Consent {
    Consent { companion: desk.identity, consequence: Consequence::ReadsAndSpeaksForTheAccount }
}

impl Office {
    /// The desktop asks to be upgraded; the frame.
    pub(crate) fn asks_for_upgrade(&mut self) -> Vec<u8> {
        self.desk.requests(Request::Upgrade).unwrap().frames.pop().unwrap()
    }

    /// The phone's user agrees, and the desktop has the offer.
    pub(crate) fn is_offered(&mut self) {
        let frame = self.asks_for_upgrade();
        let offered = self.phone.decides(&self.desk, &frame, Verdict::Upgrade(consent(&self.desk))).unwrap();
        let FromDesktop::Offered { frames, .. } = offered else { panic!("{offered:?}") };
        assert_eq!(self.desk.shows(&frames[..1]), ["Accepted"]);
        let offer = self.desk.take_frame(&frames[1]).unwrap().said;
        assert!(matches!(offer, FromPhone::Offered { .. }), "{offer:?}");
    }

    /// The desktop accepts; the frame.
    pub(crate) fn accepts(&mut self) -> Vec<u8> {
        self.desk.run(&AcceptUpgrade).unwrap().frames.pop().unwrap()
    }

    /// The phone takes the desktop in.
    pub(crate) fn takes_in(&mut self, acceptance: &[u8]) -> (SignedList, Vec<Vec<u8>>) {
        let upgraded = self.phone.from(&self.desk, acceptance).unwrap();
        let FromDesktop::Upgraded { device, list, frames } = upgraded else { panic!("{upgraded:?}") };
        assert_eq!(device, self.desk.address);
        assert_eq!(list.list.entry(device.device).unwrap().identity_key, self.desk.identity);
        (list, frames)
    }

    /// The desktop takes the last two frames of its relay.
    pub(crate) fn becomes(&mut self, frames: &[Vec<u8>]) -> (Joined, Vec<Unsent>) {
        assert_eq!(self.desk.shows(&frames[..1]), ["Accepted"]);
        self.becomes_by(&frames[1])
    }

    pub(crate) fn becomes_by(&mut self, frame: &[u8]) -> (Joined, Vec<Unsent>) {
        let taken = self.desk.take_frame(frame).unwrap();
        assert!(taken.owes);
        let FromPhone::Upgraded { joined, settled, unsent, .. } = taken.said else { panic!("{taken:?}") };
        assert_eq!((joined.address, joined.account_key), (self.desk.address, self.phone.identity));
        assert_eq!(settled, []);
        (*joined, unsent)
    }

    /// All of it, up to the acknowledgement; what a server then has, but for the companion's bundle.
    pub(crate) fn upgrade(&mut self) -> Directory {
        self.is_offered();
        let acceptance = self.accepts();
        let (list, frames) = self.takes_in(&acceptance);
        let (joined, unsent) = self.becomes(&frames);
        assert!(unsent.is_empty());
        assert_eq!(joined.list, list.list);
        let word = self.desk.run(&AckPhone).unwrap();
        assert!(matches!(self.phone.from(&self.desk, &word), Ok(FromDesktop::Heard { .. })));
        assert_eq!(self.phone.outbox(&self.desk), Vec::<Vec<u8>>::new());
        let mut directory = Directory { bundles: core::mem::take(&mut self.server), ..Directory::default() };
        directory.certificates.insert(joined.address, joined.certificate);
        directory.publish(&list.list);
        directory
    }

    /// The phone takes what the peer has sent to the account; what goes to the desktop.
    pub(crate) fn phone_hears(&mut self, sent: &SentToAccount) -> Vec<Vec<u8>> {
        let (_, copy) = sent.copies.iter().find(|(to, _)| *to == self.phone.address).expect("a copy");
        let desktops = self.phone_takes(&copy.envelope);
        desktops.into_iter().flat_map(|desktop| desktop.frames).collect()
    }

    /// The desktop, a companion, opens what its phone passes on.
    pub(crate) fn passed_on(&mut self, envelope: &[u8]) -> (u64, Origin, String) {
        let receive = Receive { from: self.phone.address, envelope, associated_data: &[] };
        let received = self.desk.run(&receive).unwrap();
        let Content::PassedOn { missed, origin, text, .. } = received.content else { panic!("{received:?}") };
        (missed, origin, String::from_utf8(text.to_vec()).unwrap())
    }
}

pub(crate) fn to_account(device: &mut Device, to: AccountId, text: &str) -> SentToAccount {
    let plan = device.run(&PlanMessage { to }).unwrap();
    device.send_planned(&plan, text.as_bytes()).unwrap()
}

/// Row by row of the way there, and what the desktop is then: a companion that speaks while the phone is off.
#[test]
fn a_desktop_becomes_a_companion() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("before");
    assert_eq!(office.desk.shows(&frames), ["before"]);
    let session = office.desk.active(office.phone.address);
    let mut directory = office.upgrade();
    assert_eq!(office.desk.active(office.phone.address), session, "the session goes on");
    assert_eq!(office.phone.active(office.desk.address), session);

    // What the phone says to it alone is stamped, as between devices of an account with companions.
    let alone = office.phone.send(office.desk.address, "alone");
    assert!(office.desk.opens(office.phone.address, &alone, "alone").view.is_some());

    // The phone is off. The companion publishes its keys; a peer learns of it, and the two speak.
    let Office { desk, peer, phone, .. } = &mut office;
    desk.publish(10, &mut directory.bundles);
    let account = phone.address.account;
    directory.learn(peer, account).unwrap();
    let sent = directory.send(peer, account, b"to both").unwrap();
    assert_eq!(sent.copies.len(), 2);
    let received = desk.hears(peer.address, &sent, b"to both");
    assert_eq!(received.view.unwrap().own_epoch.0, 1);
    let answer = directory.send(desk, peer.address.account, b"from the desk itself").unwrap();
    peer.hears(desk.address, &answer, b"from the desk itself");

    // The phone comes back: it has its own copies, and passes nothing on.
    assert_eq!(office.phone_hears(&sent), Vec::<Vec<u8>>::new());
    let (phone, from) = (&mut office.phone, office.desk.address);
    phone.sees(from, office.peer.address.account, &answer, b"from the desk itself");
}

/// No word but the one that names the desktop and the consequence makes a companion, whatever else the desktop may.
#[test]
fn only_the_users_word_upgrades() {
    for may in [DesktopConsent::Ask, DesktopConsent::Always] {
        let mut office = office(may);
        let frame = office.asks_for_upgrade();
        let before = office.phone.store.clone();
        for verdict in [None, Some(Verdict::Allow)] {
            let asked = match verdict {
                None => office.phone.from(&office.desk, &frame),
                Some(verdict) => office.phone.decides(&office.desk, &frame, verdict),
            };
            let Ok(FromDesktop::Undecided(Wanted::Upgrade { consent: wanted, .. })) = asked else {
                panic!("{asked:?}")
            };
            assert_eq!(wanted, consent(&office.desk));
        }
        let relayed =
            Consent { consequence: Consequence::ReadsAndSpeaksThroughThePhone, ..consent(&office.desk) };
        let other = Consent { companion: office.peer.identity, ..consent(&office.desk) };
        for wrong in [relayed, other] {
            let refused = office.phone.decides(&office.desk, &frame, Verdict::Upgrade(wrong)).unwrap_err();
            assert_eq!(refused, RelayError::Upgrade(LinkError::OtherConsent));
            assert_eq!(refused.advice(), Advice::FixCall);
        }
        assert_eq!(office.phone.store, before);
        let denied = office.phone.decides(&office.desk, &frame, Verdict::Deny).unwrap();
        let FromDesktop::Refused { why: RefusedRequest::NoConsent, frames, .. } = denied else {
            panic!("{denied:?}")
        };
        assert_eq!(office.desk.shows(&frames), ["Refused(NoConsent)"]);
        // The word for an upgrade is none for anything else.
        let (_, frame) = office.desk_says("hello");
        let verdict = Verdict::Upgrade(consent(&office.desk));
        let done = office.phone.decides(&office.desk, &frame, verdict).unwrap();
        match may {
            DesktopConsent::Ask => assert!(matches!(done, FromDesktop::Undecided(_)), "{done:?}"),
            DesktopConsent::Always | DesktopConsent::Never => {
                assert!(matches!(done, FromDesktop::Sent { .. }), "{done:?}");
            }
        }
    }
    let mut office = office(DesktopConsent::Never);
    let frame = office.asks_for_upgrade();
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let refused = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoConsent, .. }), "{refused:?}");
}

/// There is nothing to accept without an offer.
#[test]
fn nothing_is_accepted_without_an_offer() {
    let mut office = office(DesktopConsent::Always);
    let refused = office.desk.run(&AcceptUpgrade).unwrap_err();
    assert_eq!(refused, RelayError::Upgrade(LinkError::OutOfOrder));
    office.is_offered();
    office.accepts();
    let refused = office.desk.run(&AcceptUpgrade).unwrap_err();
    assert_eq!(refused, RelayError::Upgrade(LinkError::OutOfOrder));
}

/// An offer that lapsed, or that another linking has overtaken, or that consent was withdrawn after, ends in a refusal, and both go on as before.
#[test]
fn an_offer_that_does_not_stand_is_refused() {
    type Spoil = fn(&mut Office);
    let lapse: Spoil = |office| office.phone.now = later(5 * MINUTE + 1);
    let overtake: Spoil = |office| drop(Directory::default().link(&mut office.phone, "another"));
    let withdraw: Spoil = |office| {
        let desktop = office.desk.address.device;
        office.phone.run(&SetDesktopConsent { desktop, may: DesktopConsent::Never }).unwrap();
    };
    let no_offer = RefusedRequest::NoOffer;
    for (spoil, expected) in [(lapse, no_offer), (overtake, no_offer), (withdraw, RefusedRequest::NoConsent)]
    {
        let mut office = office(DesktopConsent::Always);
        office.is_offered();
        let acceptance = office.accepts();
        spoil(&mut office);
        let refused = office.phone.from(&office.desk, &acceptance).unwrap();
        let FromDesktop::Refused { why, frames, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(why, expected);
        office.desk.now = office.phone.now;
        assert_eq!(office.desk.shows(&frames), [format!("Refused({expected:?})")]);
        let desktop = office.desk.address.device;
        office.phone.run(&SetDesktopConsent { desktop, may: DesktopConsent::Always }).unwrap();
        // It goes on as a desktop, and a second try succeeds.
        let (_, frame) = office.desk_says("still here");
        let sent = office.phone.from(&office.desk, &frame).unwrap();
        let FromDesktop::Sent { desktops, .. } = sent else { panic!("{sent:?}") };
        assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
        office.upgrade();
    }
    // The last millisecond counts.
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let acceptance = office.accepts();
    office.phone.now = later(5 * MINUTE);
    office.takes_in(&acceptance);
}

/// A phone that cannot sign a list offers nothing, and the same bytes do once it can.
#[test]
fn a_full_list_waits_for_a_place() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory::default();
    let names = ["one", "two", "three", "four"];
    let siblings = names.map(|name| directory.link(&mut office.phone, name));
    let frame = office.asks_for_upgrade();
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let refused = office.phone.decides(&office.desk, &frame, verdict).unwrap_err();
    assert_eq!(refused, RelayError::Upgrade(LinkError::List(ListError::TooManyDevices)));
    office.phone.run(&RemoveCompanion { device: siblings[0].address.device }).unwrap();
    let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    assert!(matches!(offered, FromDesktop::Offered { .. }), "{offered:?}");
}

/// Requests that were made before the acceptance are done before it; later ones are queued, and given back, in order and whole.
#[test]
fn requests_around_the_switch_are_done_once() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let (_, before) = office.desk_says("before");
    let acceptance = office.accepts();
    assert_eq!(
        office.phone.from(&office.desk, &acceptance).unwrap_err(),
        RelayError::EarlyRequest { next: outrigger::RequestNumber(2) }
    );
    let to = office.peer.address.account;
    let send = |text: &'static [u8]| Request::Send { to, plaintext: text, associated_data: BOUND };
    assert_eq!(office.desk.requests(send(b"refused")).unwrap_err(), RelayError::Upgrading);
    let queue = |request| RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
    let first = office.desk.run(&queue(send(b"first"))).unwrap();
    let cancelled = office.desk.run(&queue(send(b"cancelled"))).unwrap();
    office.desk.run(&CancelRequest { request: cancelled.request }).unwrap();
    let second = office.desk.run(&queue(Request::Query(b"second"))).unwrap();
    assert!(first.frames.is_empty() && second.frames.is_empty());
    // What is sent again is what has gone out: the request before, and the acceptance.
    let again = office.desk.run(&FlushRequests).unwrap();
    assert_eq!(again.len(), 2);

    let sent = office.phone.from(&office.desk, &before).unwrap();
    let FromDesktop::Sent { desktops, .. } = sent else { panic!("{sent:?}") };
    let event = office.frames("an event");
    let (_, frames) = office.takes_in(&acceptance);
    for again in &again {
        assert!(matches!(office.phone.from(&office.desk, again), Ok(FromDesktop::Repeated)));
    }
    assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
    // Nothing of the switch comes before what was told before it.
    let early = office.desk.take_frame(&frames[1]).unwrap_err();
    assert!(matches!(early, RelayError::Early { .. }));
    assert_eq!(office.desk.shows(&event), ["an event"]);
    let (_, unsent) = office.becomes(&frames);
    let [one, two] = &unsent[..] else { panic!("{unsent:?}") };
    assert_eq!((one.request, one.not_after, two.request), (first.request, EVER, second.request));
    let UnsentRequest::Send { to: whom, plaintext, associated_data } = &one.asked else { panic!("{one:?}") };
    assert_eq!((*whom, &**plaintext, &**associated_data), (to, &b"first"[..], BOUND));
    let UnsentRequest::Query(text) = &two.asked else { panic!("{two:?}") };
    assert_eq!(&**text, b"second");
    assert_eq!(office.desk.store.count(outrigger::RecordKind::RelayAsked), 0);
}

/// The frame that ends the relay is lost, comes twice, and its last word is lost: the outbox has it until the phone hears of it.
#[test]
fn the_last_frame_comes_again_until_it_is_acknowledged() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let acceptance = office.accepts();
    let (_, lost) = office.takes_in(&acceptance);
    let kept = office.phone.outbox(&office.desk);
    assert!(kept.ends_with(&lost));
    let before = office.desk.clone();
    office.becomes(&lost);
    // A crash before the step was stored.
    office.desk = before;
    office.becomes(&lost);
    let again = office.desk.take_frame(&lost[1]).unwrap_err();
    assert_eq!(again, RelayError::Ended(EndOfRelay::Upgraded));
    let _lost = office.desk.run(&AckPhone).unwrap();
    assert_eq!(office.phone.outbox(&office.desk), kept);
    let word = office.desk.run(&AckPhone).unwrap();
    assert!(matches!(office.phone.from(&office.desk, &word), Ok(FromDesktop::Heard { .. })));
    assert_eq!(office.phone.outbox(&office.desk), Vec::<Vec<u8>>::new());
}

/// Neither end is a relay's any more: what the relay would do says so.
#[test]
fn after_the_upgrade_nothing_is_relayed() {
    let mut office = office(DesktopConsent::Always);
    let (_, frame) = office.desk_says("hello");
    let sent = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { desktops, request, .. } = sent else { panic!("{sent:?}") };
    assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
    office.upgrade();
    let over = RelayError::Ended(EndOfRelay::Upgraded);
    let desktop = office.desk.address.device;
    assert_eq!(office.desk.run(&AskPhone).unwrap_err(), over);
    assert_eq!(office.desk.requests(Request::Query(b"?")).unwrap_err(), over);
    assert_eq!(office.desk.run(&outrigger::LeavePhone).unwrap_err(), over);
    assert_eq!(office.desk.run(&AcceptUpgrade).unwrap_err(), over);
    assert_eq!(office.phone.run(&DetachDesktop { desktop }).unwrap_err(), over);
    let told = TellDesktop { desktop, request, news: outrigger::News::Delivered };
    assert_eq!(office.phone.run(&told).unwrap_err(), over);
    let described = office.phone.run(&DescribeDesktops).unwrap();
    assert_eq!(described[0].standing, RelayStanding::Ended(EndOfRelay::Upgraded));
    assert_eq!(
        office.desk.run(&outrigger::DescribeRelay).unwrap().standing,
        RelayStanding::Ended(EndOfRelay::Upgraded)
    );
}

/// A desktop whose store went back behind its upgrade: what it asks for is refused with the reason, and once it has joined anew it is told again.
#[test]
fn a_desktop_that_went_back_is_told_again() {
    let mut office = office(DesktopConsent::Always);
    let backup = office.desk.clone();
    let mut directory = office.upgrade();
    office.server = core::mem::take(&mut directory.bundles);
    office.desk = backup;
    let bundle = office.bundle();
    let frame = office.desk.run(&outrigger::RejoinPhone { bundle: &bundle }).unwrap();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
    let status = office.desk.take_frame(&frames[0]).unwrap().said;
    assert!(matches!(status, FromPhone::Status { joined: true, .. }), "{status:?}");
    // A request that is made before it has heard.
    let (request, frame) = office.desk_says("through the phone?");
    let refused = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Refused { why: RefusedRequest::Upgraded, frames: answer, .. } = refused else {
        panic!("{refused:?}")
    };
    let (last, gaps) = frames[1..].split_last().unwrap();
    assert!(office.desk.shows(gaps).iter().all(|gap| gap.starts_with("gap")));
    let taken = office.desk.take_frame(last).unwrap();
    let FromPhone::Upgraded { settled, unsent, joined, .. } = taken.said else { panic!("{taken:?}") };
    assert_eq!(
        (settled.len(), unsent.len(), unsent[0].request),
        (0, 1, request),
        "it is this device's to do"
    );
    assert_eq!(joined.address, office.desk.address);
    assert_eq!(office.desk.take_frame(&answer[0]).unwrap_err(), RelayError::Ended(EndOfRelay::Upgraded));
}

/// Where events were missed, they are told of before the relay's last frame, or it waits.
#[test]
fn what_was_missed_is_told_before_the_last_frame() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    office.acknowledge();
    let mut told = Vec::new();
    for event in 0..515 {
        told.extend(office.frames(&format!("event {event}")));
    }
    let acceptance = office.accepts();
    let before = office.phone.store.clone();
    assert_eq!(office.phone.from(&office.desk, &acceptance).unwrap_err(), RelayError::Full);
    assert_eq!(office.phone.store, before);
    assert_eq!(office.desk.shows(&told).len(), 32, "up to the window");
    let mut shown = Vec::new();
    // The acknowledgement makes room; the acceptance is sealed anew.
    let word = office.desk.run(&AckPhone).unwrap();
    assert!(matches!(office.phone.from(&office.desk, &word), Ok(FromDesktop::Heard { .. })));
    let again = office.desk.run(&FlushRequests).unwrap();
    office.takes_in(&again[0]);
    loop {
        let frames = office.phone.outbox(&office.desk);
        let (last, before) = frames.split_last().unwrap();
        if frames.len() < 32 {
            shown.extend(office.desk.shows(before));
            office.becomes_by(last);
            break;
        }
        shown.extend(office.desk.shows(&frames));
        let word = office.desk.run(&AckPhone).unwrap();
        assert!(matches!(office.phone.from(&office.desk, &word), Ok(FromDesktop::Heard { .. })));
    }
    let events = shown.iter().filter(|said| said.starts_with("event")).count();
    let missed: usize =
        shown.iter().filter_map(|said| said.strip_prefix("gap of ")?.parse::<usize>().ok()).sum();
    assert_eq!(32 + events + missed, 515);
    assert_eq!(shown.last().unwrap(), "Accepted");
}

/// What the list names no more gets nothing, and its place is free for another desktop; one whose relay is over leaves nothing behind.
#[test]
fn a_removed_companion_gets_nothing_and_makes_room() {
    let mut office = office(DesktopConsent::Always);
    office.upgrade();
    let desktop = office.desk.address.device;
    let list = office.phone.run(&RemoveCompanion { device: desktop }).unwrap().list;
    assert_eq!(office.peer_says("not for it"), []);
    let account = office.phone.address.account;
    assert!(office.desk.run(&LearnDevices { account, list: list.as_bytes() }).unwrap().removed);
    for name in ["two", "three", "four"] {
        pair(&mut office.phone, name, DesktopConsent::Always);
    }
    assert!(office.phone.run(&DescribeDesktops).unwrap().iter().any(|one| one.desktop == desktop));
    pair(&mut office.phone, "five", DesktopConsent::Always);
    let described = office.phone.run(&DescribeDesktops).unwrap();
    assert!(described.len() == 4 && described.iter().all(|one| one.desktop != desktop));
    assert_eq!(office.phone.store.count(outrigger::RecordKind::RelaySeen), 0);
}

/// Fourteen days after the upgrade its place is free, although the list names it; not a millisecond before.
#[test]
fn a_companion_of_two_weeks_makes_room() {
    const DAY: u64 = 24 * 60 * MINUTE;
    let mut office = office(DesktopConsent::Always);
    office.upgrade();
    for name in ["two", "three", "four"] {
        pair(&mut office.phone, name, DesktopConsent::Always);
    }
    let mut server = crate::world::Server::default();
    office.phone.now = later(14 * DAY);
    office.phone.publish(10, &mut server);
    let mut late = Device::empty("late");
    late.now = office.phone.now;
    let code = late.run(&outrigger::ShowDesktopCode).unwrap().text().to_owned();
    let request = office.phone.run(&outrigger::ScanLinkCode { code: &code }).unwrap();
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let grant = outrigger::GrantDesktop { reference: request.reference, consent, may: DesktopConsent::Ask };
    assert_eq!(office.phone.run(&grant).unwrap_err(), LinkError::List(ListError::TooManyDevices));
    office.phone.now = later(14 * DAY + 1);
    office.phone.run(&grant).unwrap();
}

/// A desktop says nothing to the account but frames, although its session could carry more.
#[test]
fn a_desktop_says_nothing_but_frames() {
    let mut office = office(DesktopConsent::Always);
    let phone = office.phone.address;
    let envelope = office.desk.send(phone, "as if I were somebody");
    let receive = RelayReceive { from: office.desk.address, envelope: &envelope, associated_data: BOUND };
    let before = office.phone.store.clone();
    assert_eq!(office.phone.run(&receive).unwrap_err(), RelayError::Open(OpenError::NotEntitled));
    assert_eq!(office.phone.store, before);
}
