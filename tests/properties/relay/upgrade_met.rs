//! What an upgrade meets on its way: other linkings, offers that do not stand, and what is queued or missed meanwhile.

use outrigger::{
    AcceptUpgrade, AckPhone, Advice, AskPhone, ConfirmLink, Consent, ContinueLinking, DesktopConsent,
    FlushRequests, ForDesktop, FromDesktop, FromPhone, GrantLink, LinkError, LinkProgress, RefusedRequest,
    RelayError, RelayRequest, RelayStanding, RenewDevices, Request, RequestId, RequestState, ScanLinkCode,
    SetDesktopConsent, ShowLinkCode, UnixMillis, Unsent, UnsentRequest, Verdict, WhileAway,
};

use super::{
    office::{EVER, Office, later, office, pair},
    upgrade::{MINUTE, consent},
    upgrade_mended::refusal,
};
use crate::{
    companions::household::Directory,
    world::{BOUND, DAY, Device},
};

impl Office {
    pub(crate) fn all_now(&mut self, at: UnixMillis) {
        (self.phone.now, self.desk.now, self.peer.now) = (at, at, at);
    }

    fn queues_request(&mut self, request: Request<'_>) -> RequestId {
        let queue = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        let queued = self.desk.run(&queue).unwrap();
        assert_eq!(queued.frames, Vec::<Vec<u8>>::new());
        queued.request
    }

    fn queues_text(&mut self, text: &[u8]) -> RequestId {
        let to = self.peer.address.account;
        self.queues_request(Request::Send { to, plaintext: text, associated_data: BOUND })
    }

    /// The phone hears a word that is no request; what goes to the desktop.
    pub(crate) fn phone_hears_word(&mut self, word: &[u8]) -> Vec<Vec<u8>> {
        let heard = self.phone.from(&self.desk, word).unwrap();
        let FromDesktop::Heard { frames, suspended: None } = heard else { panic!("{heard:?}") };
        frames
    }

    fn missed(&mut self) -> u64 {
        self.at_the_phone().1
    }

    /// What the one desktop is told of a message.
    pub(crate) fn told(&mut self, text: &str) -> ForDesktop {
        let mut told = self.peer_says(text);
        assert_eq!(told.len(), 1);
        told.remove(0)
    }

    /// The desktop takes the frame that makes it a companion.
    fn reads_the_last(&mut self, frame: &[u8]) -> (Vec<(RequestId, RequestState)>, Vec<Unsent>) {
        let said = self.desk.take_frame(frame).unwrap().said;
        let FromPhone::Upgraded { settled, unsent, .. } = said else { panic!("{said:?}") };
        (settled, unsent)
    }

    /// An acceptance that must be refused since nothing stands to accept.
    fn finds_no_offer(&mut self, acceptance: &[u8]) {
        let refused = self.phone.from(&self.desk, acceptance).unwrap();
        assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoOffer, .. }), "{refused:?}");
        assert_eq!(self.at_the_phone().0, RelayStanding::Attached);
    }
}

/// No longer than a peer can say, and longer than what can be passed on.
fn too_long() -> String {
    "x".repeat(1_044_400)
}

/// A linking whose place the desktop has taken is refused, and a new code links.
#[test]
fn a_linking_that_an_upgrade_has_overtaken_begins_anew() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let mut companion = Device::empty("companion");
    let code = companion.run(&ShowLinkCode).unwrap().text().to_owned();
    let request = office.phone.run(&ScanLinkCode { code: &code }).unwrap();
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let grant = office.phone.run(&GrantLink { reference: request.reference, consent }).unwrap();
    let LinkProgress::Confirm { confirmation, .. } =
        companion.run(&ContinueLinking { message: &grant }).unwrap()
    else {
        panic!("no confirmation")
    };
    let acceptance = office.accepts();
    let (list, frames) = office.takes_in(&acceptance);
    for _ in 0..2 {
        let confirm = ConfirmLink { confirmation: &confirmation };
        let refused = office.phone.run(&confirm).map(|linked| linked.device);
        assert_eq!(refusal(refused), (LinkError::Overtaken, Advice::LinkAgain));
    }
    office.becomes(&frames);

    let mut directory = Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
    let mut again = Device::empty("again");
    let linked = directory.link_traffic(&mut office.phone, &mut again).linked;
    assert_eq!(linked.list.epoch().0, list.list.epoch().0 + 1);
    for device in [again.address.device, office.desk.address.device] {
        assert!(linked.list.entry(device).is_some());
    }
}

/// Consent never, and every refused acceptance, end the offer: under a later number the same acceptance finds none.
#[test]
fn an_offer_does_not_outlive_its_refusal() {
    type Refuse = fn(&mut Office, &[u8]);
    let may = |office: &mut Office, may| {
        let desktop = office.desk.address.device;
        office.phone.run(&SetDesktopConsent { desktop, may }).unwrap();
    };
    let never: Refuse = |office, acceptance| {
        let refused = office.phone.from(&office.desk, acceptance).unwrap();
        assert!(
            matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoConsent, .. }),
            "{refused:?}"
        );
    };
    let deny: Refuse = |office, acceptance| {
        let refused = office.phone.decides(&office.desk, acceptance, Verdict::Deny).unwrap();
        assert!(
            matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoConsent, .. }),
            "{refused:?}"
        );
    };
    let lapsed: Refuse = |office, acceptance| {
        office.phone.now = later(5 * MINUTE + 1);
        office.finds_no_offer(acceptance);
        office.phone.now = later(0);
    };
    for (withdrawn, refuse) in [(true, never), (false, deny), (false, lapsed)] {
        for standing in [DesktopConsent::Ask, DesktopConsent::Always] {
            let mut office = office(standing);
            office.is_offered();
            // A copy of the desktop in the same turn, which has a request before the acceptance: it accepts the same offer one number later.
            let turn = office.desk.requests(Request::Query(b"turn")).unwrap().frames.pop().unwrap();
            let done = office.phone.decides(&office.desk, &turn, Verdict::Allow).unwrap();
            assert!(matches!(done, FromDesktop::Query { .. }), "{done:?}");
            let mut copy = office.desk.clone();
            copy.requests(Request::Query(b"first")).unwrap();
            let again = copy.run(&AcceptUpgrade).unwrap().frames.pop().unwrap();
            let acceptance = office.accepts();
            if withdrawn {
                may(&mut office, DesktopConsent::Never);
            }
            refuse(&mut office, &acceptance);
            may(&mut office, standing);
            office.finds_no_offer(&again);
        }
    }
    // Withdrawn and given again, before the acceptance comes.
    let mut office = office(DesktopConsent::Ask);
    office.is_offered();
    let acceptance = office.accepts();
    may(&mut office, DesktopConsent::Never);
    may(&mut office, DesktopConsent::Ask);
    office.finds_no_offer(&acceptance);
}

/// Another offer that comes while an acceptance waits is none to the desktop, which asks again once it is refused.
#[test]
fn another_offer_while_an_acceptance_waits_is_not_shown() {
    let mut office = office(DesktopConsent::Always);
    let asked = [office.asks_for_upgrade(), office.asks_for_upgrade()];
    let [first, second] = asked.map(|frame| {
        let verdict = Verdict::Upgrade(consent(&office.desk));
        let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
        let FromDesktop::Offered { frames, .. } = offered else { panic!("{offered:?}") };
        frames
    });
    assert_eq!(office.desk.shows(&first[..1]), ["Accepted"]);
    let said = office.desk.take_frame(&first[1]).unwrap().said;
    assert!(matches!(said, FromPhone::Offered { .. }), "{said:?}");
    let acceptance = office.accepts();
    assert_eq!(office.desk.shows(&second[..1]), ["Accepted"]);
    let said = office.desk.take_frame(&second[1]).unwrap().said;
    assert!(matches!(said, FromPhone::Late), "{said:?}");
    let none = RelayError::Upgrade(LinkError::OutOfOrder);
    assert_eq!(office.desk.run(&AcceptUpgrade).unwrap_err(), none);

    let refused = office.phone.from(&office.desk, &acceptance).unwrap();
    let FromDesktop::Refused { why: RefusedRequest::NoOffer, frames, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(office.desk.shows(&frames), ["Refused(NoOffer)"]);
    assert_eq!(office.desk.run(&AcceptUpgrade).unwrap_err(), none);
    office.upgrade();
}

/// What was missed behind the phone's signature is said by the next that is passed on, whatever the desktop says before; no frame comes behind the last.
#[test]
fn no_word_of_the_desktop_swallows_what_was_missed() {
    let mut office = office(DesktopConsent::Always);
    let (_, frames) = office.is_taken_in();
    assert!(office.told(&too_long()).frames.is_empty());
    let kept = office.phone.outbox(&office.desk);
    assert!(kept.ends_with(&frames));
    // Before it has shown its last frame, and behind it.
    let ask = office.desk.run(&AskPhone).unwrap();
    assert_eq!(office.phone_hears_word(&ask).len(), 1, "the status");
    let word = office.desk.run(&AckPhone).unwrap();
    assert_eq!(office.phone_hears_word(&word), Vec::<Vec<u8>>::new());
    assert_eq!((office.missed(), office.phone.outbox(&office.desk)), (1, kept));

    // Joining anew it is told before the last frame.
    let mut anew = office.clone();
    let frame = anew.joins_anew();
    let joined = anew.phone.decides(&anew.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames: told, .. } = joined else { panic!("{joined:?}") };
    anew.desk.take_frame(&told[0]).unwrap();
    let (last, gaps) = told[1..].split_last().unwrap();
    assert!(anew.desk.shows(gaps)[0].starts_with("gap of"));
    anew.reads_the_last(last);
    assert_eq!(anew.missed(), 0);
    let next = anew.frames("next");
    assert_eq!(anew.passed_on(&next[0]).0, 0);

    office.becomes(&frames);
    let word = office.desk.run(&AckPhone).unwrap();
    assert_eq!(office.phone_hears_word(&word), Vec::<Vec<u8>>::new());
    assert_eq!((office.missed(), office.phone.outbox(&office.desk)), (1, vec![]));
    let next = office.frames("next");
    assert_eq!(office.passed_on(&next[0]).0, 1);
    let next = office.frames("one more");
    assert_eq!((office.passed_on(&next[0]).0, office.missed()), (0, 0));
}

/// What is queued behind the acceptance stays queued where the desktop joins anew without knowing what became of it, and is its own to do in the end.
#[test]
fn what_is_queued_behind_a_lost_acceptance_stays_queued() {
    for answer_lost in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let (_, frames) = office.is_taken_in();
        if !answer_lost {
            assert_eq!(office.desk.shows(&frames[..1]), ["Accepted"]);
        }
        let queued = office.queues_text(b"queued");
        let frame = office.joins_anew();
        let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
        let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
        let status = office.desk.take_frame(&frames[0]).unwrap().said;
        let FromPhone::Status { joined: true, settled, .. } = status else { panic!("{status:?}") };
        let settled: Vec<_> = settled.into_iter().map(|(_, state)| state).collect();
        assert_eq!(settled, vec![RequestState::Accepted; usize::from(answer_lost)]);
        assert_eq!(office.desk.run(&FlushRequests).unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(office.desk.requests(Request::Query(b"?")).unwrap_err(), RelayError::Upgrading);
        let (last, gaps) = frames[1..].split_last().unwrap();
        assert!(office.desk.shows(gaps).iter().all(|gap| gap.starts_with("gap")));
        let (settled, unsent) = office.reads_the_last(last);
        assert_eq!((settled, unsent.len(), unsent[0].request), (vec![], 1, queued));
    }
}

/// A queued request to become what it is by then is refused as upgraded, and nothing that is given back is shown by accident.
#[test]
fn what_is_given_back_is_not_printed() {
    let mut office = office(DesktopConsent::Always);
    let (_, frames) = office.is_taken_in();
    let text = b"a queued text";
    let send = office.queues_text(text);
    let upgrade = office.queues_request(Request::Upgrade);
    let query = office.queues_request(Request::Query(text));
    assert_eq!(office.desk.shows(&frames[..1]), ["Accepted"]);
    let taken = office.desk.clone().take_frame(&frames[1]).unwrap();
    let (settled, unsent) = office.reads_the_last(&frames[1]);
    assert_eq!(settled, [(upgrade, RequestState::Refused(RefusedRequest::Upgraded))]);
    assert_eq!(unsent.iter().map(|one| one.request).collect::<Vec<_>>(), [send, query]);
    let UnsentRequest::Send { plaintext, associated_data, .. } = &unsent[0].asked else {
        panic!("{unsent:?}")
    };
    assert_eq!((&**plaintext, &**associated_data), (&text[..], BOUND));
    let printed = [format!("{taken:?}"), format!("{unsent:?}"), format!("{unsent:#?}")];
    for secret in [&text[..], BOUND] {
        let as_text = String::from_utf8(secret.to_vec()).unwrap();
        let as_bytes = format!("{secret:?}");
        let as_bytes = as_bytes.trim_matches(['[', ']']);
        for printed in &printed {
            let flat: String = printed.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!flat.contains(&as_text) && !flat.contains(as_bytes), "{printed}");
        }
    }
    assert!(printed[1].contains("13 bytes"), "{}", printed[1]);
}

/// Only want of a session suspends; where the list is past its time or a text is too long, it is missed and said with the next. Messages are told from frames.
#[test]
fn what_is_not_passed_on_suspends_only_for_want_of_a_session() {
    let mut office = office(DesktopConsent::Always);
    let frame = office.told("as a frame");
    assert!(!frame.passed_on && frame.frames.len() == 1);
    office.desk.shows(&frame.frames);
    let mut directory = office.upgrade();
    let message = office.told("as a message");
    assert!(message.passed_on && !message.suspended);
    office.passed_on(&message.frames[0]);

    let long = office.told(&too_long());
    assert!(!long.suspended && long.frames.is_empty());
    office.all_now(later(15 * DAY));
    let over = office.told("while the list is over");
    assert!(!over.suspended && over.frames.is_empty());
    office.phone.run(&RenewDevices).unwrap();
    let next = office.told("next");
    assert!(next.passed_on && !next.suspended);
    assert_eq!(office.passed_on(&next.frames[0]).0, 2);

    office.phone.recover(1, &mut directory.bundles);
    let none = office.told("without a session");
    assert!(none.suspended && none.frames.is_empty());
}

/// The phone says which it is of what it tells one of two desktops.
#[test]
fn a_frame_for_one_is_told_from_a_message_for_another() {
    let mut office = office(DesktopConsent::Always);
    let other = pair(&mut office.phone, "other", DesktopConsent::Always);
    office.upgrade();
    let told = office.peer_says("to both");
    let mut marked: Vec<_> = told.iter().map(|told| (told.desktop, told.passed_on)).collect();
    marked.sort();
    let mut expected = vec![(other.address.device, false), (office.desk.address.device, true)];
    expected.sort();
    assert_eq!(marked, expected);
}
