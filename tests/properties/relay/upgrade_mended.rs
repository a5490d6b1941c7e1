//! An upgrade of which one end does not know what the other has done: what comes early, and what went back.

use outrigger::{
    AccountId, AckPhone, Address, Advice, Advise, AnswerRetry, AskPhone, Content, DescribeDesktops,
    DesktopConsent, DetachDesktop, DeviceId, EndOfRelay, FlushRequests, FromDesktop, FromPhone, Keep, News,
    OpenError, Origin, PlanMessage, Receive, RefusedRequest, RejoinPhone, RelayError, RelayReceive,
    RelayStanding, Request, RequestRetry, RequestState, Restart, Send, SendToAccount, SentToAccount,
    SignedList, TellDesktop, Verdict, Wanted,
};

use super::{
    office::{Office, office, pair},
    upgrade::{consent, to_account},
};
use crate::{
    companions::household::Directory,
    world::{BOUND, Device},
};

pub(crate) const UPGRADED: RelayStanding = RelayStanding::Ended(EndOfRelay::Upgraded);

/// What was refused, and what to do about it.
pub(crate) fn refusal<T: core::fmt::Debug, E: Advise>(done: Result<T, E>) -> (E, Advice) {
    let refused = done.unwrap_err();
    let advice = refused.advice();
    (refused, advice)
}

impl Office {
    /// The phone has signed; the list, and the last two frames, which nobody has taken.
    pub(crate) fn is_taken_in(&mut self) -> (SignedList, Vec<Vec<u8>>) {
        self.is_offered();
        let acceptance = self.accepts();
        self.takes_in(&acceptance)
    }

    /// How the phone says that the desktop stands, and how many events it has missed.
    pub(crate) fn at_the_phone(&mut self) -> (RelayStanding, u64) {
        let device = self.desk.address.device;
        let described = self.phone.run(&DescribeDesktops).unwrap();
        let one = described.iter().find(|one| one.desktop == device).unwrap();
        (one.standing, one.missed)
    }

    /// What the desktop, a companion, sends to the peer: its phone's copy.
    pub(crate) fn says_itself(&mut self, text: &str) -> (SentToAccount, Vec<u8>) {
        let to = self.peer.address.account;
        let sent = to_account(&mut self.desk, to, text);
        let copy = copy_for(&self.phone, &sent);
        (sent, copy)
    }

    /// The phone takes something of the desktop's that is no frame.
    pub(crate) fn phone_opens(&mut self, envelope: &[u8]) -> Result<Content, RelayError> {
        let receive = RelayReceive { from: self.desk.address, envelope, associated_data: BOUND };
        self.phone.run(&receive).map(|taken| taken.received.content)
    }

    /// The desktop asks in a new session; the frame.
    pub(crate) fn joins_anew(&mut self) -> Vec<u8> {
        let bundle = self.bundle();
        self.desk.run(&RejoinPhone { bundle: &bundle }).unwrap()
    }

    /// One that the list names already asks, by its user's and the phone user's word, and is a companion by the same list.
    fn is_taken_in_again(&mut self, first: &SignedList) {
        let frame = self.asks_for_upgrade();
        let asked = self.phone.from(&self.desk, &frame).unwrap();
        let FromDesktop::Undecided(Wanted::Upgrade { consent: wanted, .. }) = asked else {
            panic!("{asked:?}")
        };
        assert_eq!(wanted, consent(&self.desk));
        let offered = self.phone.decides(&self.desk, &frame, Verdict::Upgrade(wanted)).unwrap();
        let FromDesktop::Offered { frames, .. } = offered else { panic!("{offered:?}") };
        assert_eq!(self.desk.shows(&frames[..1]), ["Accepted"]);
        let offer = self.desk.take_frame(&frames[1]).unwrap().said;
        assert!(matches!(offer, FromPhone::Offered { .. }), "{offer:?}");
        let acceptance = self.accepts();
        let (list, frames) = self.takes_in(&acceptance);
        assert_eq!((list.list.as_bytes(), list.changes), (first.list.as_bytes(), vec![]));
        let (joined, unsent) = self.becomes(&frames);
        assert!(unsent.is_empty());
        let place = |list: &SignedList| list.list.entry(self.desk.address.device).unwrap().key_index;
        assert_eq!(joined.list.entry(joined.address.device).unwrap().key_index, place(first));
        assert_eq!(joined.list.epoch(), first.list.epoch());
        let word = self.desk.run(&AckPhone).unwrap();
        assert!(matches!(self.phone.from(&self.desk, &word), Ok(FromDesktop::Heard { .. })));
        assert_eq!(self.phone.outbox(&self.desk), Vec::<Vec<u8>>::new());
        assert_eq!(self.at_the_phone().0, UPGRADED);
    }
}

/// A message to an account that binds nothing.
fn unbound(device: &mut Device, to: AccountId, text: &str) -> SentToAccount {
    let plan = device.run(&PlanMessage { to }).unwrap();
    let keep = Keep::ForRetry;
    let send = SendToAccount { plan: &plan, plaintext: text.as_bytes(), associated_data: &[], keep };
    device.run(&send).unwrap()
}

impl Device {
    /// A message to its own phone that binds nothing.
    fn tells_the_phone(&mut self, text: &str) -> Vec<u8> {
        let to = Address::new(self.address.account, DeviceId::PHONE);
        let send = Send { to, plaintext: text.as_bytes(), associated_data: &[], keep: Keep::ForRetry };
        self.run(&send).unwrap().envelope
    }
}

fn copy_for(device: &Device, sent: &SentToAccount) -> Vec<u8> {
    sent.copies.iter().find(|(to, _)| *to == device.address).expect("a copy").1.envelope.clone()
}

/// What the phone says to the companion before the desktop knows that it is one waits as bytes, and opens then; the phone tells frames from messages the same way.
#[test]
fn a_message_that_comes_before_the_last_frame_waits_for_it() {
    let mut office = office(DesktopConsent::Always);
    let phone = office.phone.address;
    let as_if = office.desk.tells_the_phone("as if I were somebody");
    let refused = RelayError::Frame(OpenError::NotEntitled);
    assert_eq!(refusal(office.phone.from(&office.desk, &as_if)), (refused, Advice::Drop));

    let (_, frames) = office.is_taken_in();
    let to = office.peer.address.account;
    let passed = office.frames("passed on");
    let own = unbound(&mut office.phone, to, "by the phone");
    for early in [&passed[0], &copy_for(&office.desk, &own)] {
        for _ in 0..2 {
            let refused = (RelayError::NoFrame, Advice::Later);
            assert_eq!(refusal(office.desk.take_frame(early)), refused);
        }
    }
    office.becomes(&frames);
    assert_eq!(office.passed_on(&passed[0]).2, "passed on");
    let receive = Receive { from: phone, envelope: &copy_for(&office.desk, &own), associated_data: &[] };
    let received = office.desk.run(&receive).unwrap().content;
    assert!(matches!(received, Content::SentByOwn { id, .. } if id == own.id), "{received:?}");

    // The companion's messages at the phone, and its last frame.
    let plain = office.desk.tells_the_phone("for the phone");
    let copy = copy_for(&office.phone, &unbound(&mut office.desk, to, "for the peer"));
    for message in [&plain, &copy] {
        let refused = (RelayError::NoFrame, Advice::Later);
        assert_eq!(refusal(office.phone.from(&office.desk, message)), refused);
        let receive = RelayReceive { from: office.desk.address, envelope: message, associated_data: &[] };
        office.phone.run(&receive).unwrap();
    }
    let word = office.desk.run(&AckPhone).unwrap();
    let receive = RelayReceive { from: office.desk.address, envelope: &word, associated_data: &[] };
    let refused = (RelayError::Open(OpenError::Frame), Advice::TakeFrame);
    assert_eq!(refusal(office.phone.run(&receive)), refused);
    assert!(matches!(office.phone.from(&office.desk, &word), Ok(FromDesktop::Heard { .. })));
}

/// A phone that went back behind its signature, and has its list again; the desktop has published its bundle.
fn went_back_behind_the_signature(sibling: bool) -> (Office, Directory) {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
    if sibling {
        directory.link(&mut office.phone, "sibling");
    }
    office.server = core::mem::take(&mut directory.bundles);
    let backup = office.phone.store.clone();
    let upgraded = office.upgrade();
    directory.bundles = upgraded.bundles;
    directory.lists.extend(upgraded.lists);
    directory.certificates.extend(upgraded.certificates);
    office.desk.publish(10, &mut directory.bundles);
    office.phone.store = backup;
    office.phone.recover(1, &mut directory.bundles);
    let account = office.phone.address.account;
    directory.learn(&mut office.phone, account).unwrap();
    (office, directory)
}

impl Office {
    /// The companion and its phone, which went back, have a session again: one of the two started it.
    fn meet_again(&mut self, directory: &mut Directory, by_the_phone: bool) {
        if by_the_phone {
            directory.start(&mut self.phone, self.desk.address).unwrap();
            let to = self.peer.address.account;
            let own = to_account(&mut self.phone, to, "by the phone");
            self.desk.sees(self.phone.address, to, &own, b"by the phone");
        } else {
            let bundle = directory.verified(&mut self.desk, self.phone.address);
            self.desk.run(&Restart { bundle: &bundle }).unwrap();
        }
    }
}

/// What the companion says is taken, and from then on the phone knows what it is: it passes on what peers do not send there, and says what was missed.
#[test]
fn a_phone_that_went_back_meets_its_companion() {
    for (sibling, by_the_phone) in [(false, false), (true, false), (false, true), (true, true)] {
        let (mut office, mut directory) = went_back_behind_the_signature(sibling);
        assert_ne!(office.at_the_phone().0, UPGRADED);
        for text in ["one", "two"] {
            assert!(office.peer_says(text).iter().all(|told| told.frames.is_empty()));
        }
        office.meet_again(&mut directory, by_the_phone);
        let to = office.peer.address.account;
        let (sent, copy) = office.says_itself("by the companion");
        let heard = office.phone_opens(&copy).unwrap();
        let Content::SentByOwn { to: whom, id, text } = &heard else { panic!("{heard:?}") };
        assert_eq!((*whom, *id, &**text), (to, sent.id, &b"by the companion"[..]));
        assert_eq!(office.at_the_phone(), (UPGRADED, 2));

        let account = office.phone.address.account;
        let by_no_list = to_account(&mut office.peer, account, "by no list");
        let frames = office.phone_hears(&by_no_list);
        let (missed, origin, text) = office.passed_on(&frames[0]);
        assert_eq!((missed, &*text), (2, "by no list"));
        assert!(matches!(origin, Origin::Peer { shared: Some(id), .. } if id == by_no_list.id));
        let frames = office.frames("to the phone alone");
        assert_eq!(office.passed_on(&frames[0]).0, 0);

        // By the list that names it, nothing is doubled.
        directory.learn(&mut office.peer, account).unwrap();
        let both = directory.send(&mut office.peer, account, b"to both").unwrap();
        office.desk.hears(office.peer.address, &both, b"to both");
        assert_eq!(office.phone_hears(&both), Vec::<Vec<u8>>::new());
    }
}

/// What the phone cannot open since it went back it asks for again, and meets its companion by that.
#[test]
fn what_a_phone_that_went_back_asks_for_again_is_taken() {
    let (mut office, mut directory) = went_back_behind_the_signature(true);
    let (sent, copy) = office.says_itself("by the companion");
    let (refused, advice) = refusal(office.phone_opens(&copy));
    assert_eq!(advice, Advice::RequestRetry);
    let RelayError::Open(error) = refused else { panic!("{refused:?}") };
    let request = RequestRetry { from: office.desk.address, envelope: &copy, error };
    let request = office.phone.run(&request).unwrap().request;
    let bundle = directory.verified(&mut office.desk, office.phone.address);
    let (from, bundle) = (office.phone.address, Some(&bundle));
    let answer = office.desk.run(&AnswerRetry { from, request: &request, bundle, resend_to: None }).unwrap();
    let again = answer.envelope;
    let heard = office.phone_opens(&again).unwrap();
    assert!(matches!(heard, Content::SentByOwn { id, .. } if id == sent.id), "{heard:?}");
    assert_eq!(office.at_the_phone().0, UPGRADED);
}

/// The phone went back behind its signature, or both did: a desktop that does not know what it is asks, and has its place anew; the list stays.
#[test]
fn a_desktop_that_the_list_names_has_its_place_anew() {
    for both in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let mut directory =
            Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
        directory.link(&mut office.phone, "sibling");
        office.server = core::mem::take(&mut directory.bundles);
        let account = office.phone.address.account;
        let (phone, desk) = (office.phone.store.clone(), office.desk.clone());
        let (list, frames) = office.is_taken_in();
        directory.publish(&list.list);
        if both {
            office.becomes(&frames);
        }
        office.phone.store = phone;
        office.phone.recover(1, &mut office.server);
        directory.learn(&mut office.phone, account).unwrap();
        if both {
            // The phone has met it as a companion, and cannot tell it again what is gone with its record.
            let bundle = office.bundle();
            office.desk.run(&Restart { bundle: &bundle }).unwrap();
            let (_, copy) = office.says_itself("by the companion");
            office.phone_opens(&copy).unwrap();
            assert_eq!(office.at_the_phone().0, UPGRADED);
            office.desk = desk;
            // Of two sessions that began at once it is chance which one is active.
            office.desk.wait(1_000);
        }
        let (_, rest) = office.rejoin();
        assert!(rest.iter().all(|said| said.starts_with("gap")), "{rest:?}");
        if both {
            let (_, frame) = office.desk_says("through the phone?");
            let refused = office.phone.from(&office.desk, &frame).unwrap();
            let FromDesktop::Refused { why: RefusedRequest::Upgraded, frames, .. } = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(office.desk.shows(&frames), ["Refused(Upgraded)"]);
        }
        office.is_taken_in_again(&list);

        let frames = office.frames("to the phone alone");
        assert_eq!(office.passed_on(&frames[0]).2, "to the phone alone");
        let (_, copy) = office.says_itself("by the companion at last");
        office.phone_opens(&copy).unwrap();
    }
}

/// A desktop whose store went back asks for its place before it has read that it has it: it is a companion by what was told before, and the phone goes on passing on.
#[test]
fn asking_anew_before_reading_the_last_frame_changes_nothing() {
    let mut office = office(DesktopConsent::Always);
    let backup = office.desk.clone();
    let mut directory = office.upgrade();
    office.server = core::mem::take(&mut directory.bundles);
    office.desk = backup;
    let frame = office.joins_anew();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    office.desk.take_frame(&frames[0]).unwrap();
    let ask = office.asks_for_upgrade();
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let offered = office.phone.decides(&office.desk, &ask, verdict).unwrap();
    assert!(matches!(offered, FromDesktop::Offered { .. }), "{offered:?}");
    let (last, gaps) = frames[1..].split_last().unwrap();
    office.desk.shows(gaps);
    let taken = office.desk.take_frame(last).unwrap();
    let FromPhone::Upgraded { settled, .. } = &taken.said else { panic!("{taken:?}") };
    let [(_, state)] = settled[..] else { panic!("{taken:?}") };
    assert_eq!(state, RequestState::Refused(RefusedRequest::Upgraded));
    office.acknowledge();
    let told = office.told("to the phone alone");
    assert!(told.passed_on);
    assert_eq!(office.passed_on(&told.frames[0]).2, "to the phone alone");
    assert_eq!(office.at_the_phone().0, UPGRADED);
}

/// Nothing is over but the relay: what is refused since the desktop is a companion tells nobody to link again.
#[test]
fn what_is_refused_behind_an_upgrade_is_dropped() {
    let mut office = office(DesktopConsent::Always);
    let (_, frame) = office.desk_says("hello");
    let sent = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Sent { desktops, request, .. } = sent else { panic!("{sent:?}") };
    office.desk.shows(&desktops[0].frames);
    let (_, frames) = office.is_taken_in();
    office.becomes(&frames);
    let over = || (RelayError::Ended(EndOfRelay::Upgraded), Advice::Drop);
    let passed = office.frames("passed on");
    for envelope in [&passed[0], &frames[1]] {
        assert_eq!(refusal(office.desk.take_frame(envelope)), over());
    }
    assert_eq!(refusal(office.desk.run(&AskPhone)), over());
    assert_eq!(refusal(office.desk.run(&FlushRequests)), over());
    assert_eq!(refusal(office.desk.requests(Request::Query(b"?"))), over());
    let desktop = office.desk.address.device;
    for news in [News::Relayed, News::Found(b"found")] {
        assert_eq!(refusal(office.phone.run(&TellDesktop { desktop, request, news })), over());
    }
    assert_eq!(refusal(office.phone.run(&DetachDesktop { desktop })), over());
    for why in [EndOfRelay::Detached, EndOfRelay::Left] {
        assert_eq!(RelayError::Ended(why).advice(), Advice::LinkAgain);
    }
}

/// What a companion says to its phone alone is between the two: no desktop is told, and none that was upgraded has it passed on.
#[test]
fn what_is_said_to_the_own_phone_alone_stays_there() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
    let mut sibling = directory.link(&mut office.phone, "sibling");
    pair(&mut office.phone, "other", DesktopConsent::Always);
    office.server = core::mem::take(&mut directory.bundles);
    let mut server = core::mem::take(&mut office.upgrade().bundles);
    sibling.start(office.phone.address, &mut server).unwrap();
    let phone = office.phone.address;
    let by_sibling = (sibling.address, sibling.send(phone, "between us"));
    let by_desk = (office.desk.address, office.desk.send(phone, "between us"));
    for (from, envelope) in [&by_sibling, &by_desk] {
        let receive = RelayReceive { from: *from, envelope, associated_data: BOUND };
        let taken = office.phone.run(&receive).unwrap();
        assert_eq!(taken.received.content.text(), Some(&b"between us"[..]));
        assert_eq!(taken.desktops, []);
    }
    assert_eq!(office.peer_says("to the phone").len(), 2);
}
/// A phone that went back speaks to its companion as to a desktop until it hears from it: what went that way is said to be missing, and goes.
#[test]
fn what_a_phone_that_went_back_told_as_frames_is_missed() {
    let (mut office, mut directory) = went_back_behind_the_signature(true);
    office.meet_again(&mut directory, true);
    for text in ["one", "two"] {
        office.peer_says(text);
    }
    let (_, copy) = office.says_itself("by the companion");
    office.phone_opens(&copy).unwrap();
    assert_eq!(office.at_the_phone(), (UPGRADED, 2));
    assert_eq!(office.phone.store.count(outrigger::RecordKind::RelayOut), 0);
    let frames = office.frames("three");
    assert_eq!(office.passed_on(&frames[0]).0, 2);
}

/// A message that binds something cannot be told from a forged one before the desktop is a companion: it waits as well.
#[test]
fn what_binds_something_waits_for_the_last_frame_too() {
    let mut office = office(DesktopConsent::Always);
    let (_, frames) = office.is_taken_in();
    let to = office.peer.address.account;
    let bound = to_account(&mut office.phone, to, "bound");
    let early = refusal(office.desk.take_frame(&copy_for(&office.desk, &bound)));
    assert_eq!(early, (RelayError::NoFrame, Advice::Later));
    office.becomes(&frames);
    office.desk.sees(office.phone.address, to, &bound, b"bound");
}

/// Answers behind the last frame are for nobody: they go with its acknowledgement.
#[test]
fn nothing_is_kept_behind_an_acknowledged_last_frame() {
    let mut office = office(DesktopConsent::Always);
    let backup = office.desk.clone();
    let mut directory = office.upgrade();
    office.server = core::mem::take(&mut directory.bundles);
    office.desk = backup;
    let frame = office.joins_anew();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    office.desk.take_frame(&frames[0]).unwrap();
    let (_, early) = office.desk_says("early");
    office.phone.from(&office.desk, &early).unwrap();
    for frame in &frames[1..] {
        office.desk.take_frame(frame).unwrap();
    }
    office.acknowledge();
    assert_eq!(office.phone.outbox(&office.desk).len(), 0);
}

/// A desktop that went back and accepts under the number of another request does not take what became of that for what became of its acceptance.
#[test]
fn another_request_of_that_number_is_not_the_acceptance() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let backup = office.desk.clone();
    let (_, frame) = office.desk_says("under the same number");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    office.desk = backup;
    let _lost = office.accepts();
    let frame = office.joins_anew();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
    let status = office.desk.take_frame(&frames[0]).unwrap().said;
    let FromPhone::Status { joined: true, settled, .. } = status else { panic!("{status:?}") };
    let settled: Vec<_> = settled.into_iter().map(|(_, state)| state).collect();
    assert_eq!(settled, [RequestState::Unknown]);
    assert!(office.desk.shows(&frames[1..]).iter().all(|told| told.starts_with("gap")));
    office.upgrade();
}
