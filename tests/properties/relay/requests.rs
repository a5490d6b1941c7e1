//! Requests: asked for once, done once, and never silently lost.

use outrigger::{
    AskPhone, CancelRequest, DescribeRelay, DesktopConsent, FlushRequests, FromDesktop, FromPhone,
    RecordKind, RefusedRequest, RelayError, RelayRequest, Request, RequestNumber, RequestState, SendError,
    SetDesktopConsent, UnixMillis, Verdict, Wanted, WhileAway,
};

use super::office::{EVER, Office, later, office};
use crate::world::{BOUND, NOON};

fn say<'a>(office: &Office, text: &'a [u8]) -> Request<'a> {
    Request::Send { to: office.peer.address.account, plaintext: text, associated_data: BOUND }
}

/// A request that needs the user's word changes nothing, however often it comes; the word counts for the bytes that it was given for.
#[test]
fn the_user_is_asked_and_nothing_is_pending() {
    let mut office = office(DesktopConsent::Ask);
    let (request, frame) = office.desk_says("may I?");
    let before = office.phone.store.clone();
    for _ in 0..3 {
        let asked = office.phone.from(&office.desk, &frame).unwrap();
        let FromDesktop::Undecided(Wanted::Send { to, text, .. }) = asked else { panic!("{asked:?}") };
        assert_eq!((to, &*text), (office.peer.address.account, &b"may I?"[..]));
        assert_eq!(office.phone.store, before);
    }
    let denied = office.phone.decides(&office.desk, &frame, Verdict::Deny).unwrap();
    let FromDesktop::Refused { why: RefusedRequest::NoConsent, frames, .. } = denied else {
        panic!("{denied:?}")
    };
    let taken = office.desk.take_frame(&frames[0]).unwrap().said;
    let FromPhone::Answer { request: answered, state, .. } = taken else { panic!("{taken:?}") };
    assert_eq!((answered, state), (request, RequestState::Refused(RefusedRequest::NoConsent)));

    let (_, frame) = office.desk_says("and now?");
    let done = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    assert!(matches!(done, FromDesktop::Sent { .. }));
}

/// Consent that is withdrawn while the user is being asked counts for what they are asked about.
#[test]
fn consent_that_was_withdrawn_while_asking_refuses() {
    let mut office = office(DesktopConsent::Ask);
    let (_, frame) = office.desk_says("still?");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Undecided(_))));
    let desktop = office.desk.address.device;
    office.phone.run(&SetDesktopConsent { desktop, may: DesktopConsent::Never }).unwrap();
    let refused = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoConsent, .. }), "{refused:?}");
}

/// The second of two requests waits for the first, which the user is asked about; then both go, in order.
#[test]
fn later_requests_wait_for_the_one_that_is_asked_about() {
    let mut office = office(DesktopConsent::Ask);
    let (_, first) = office.desk_says("first");
    let (_, second) = office.desk_says("second");
    let early = office.phone.decides(&office.desk, &second, Verdict::Allow).unwrap_err();
    assert_eq!(early, RelayError::EarlyRequest { next: RequestNumber(1) });
    assert!(matches!(
        office.phone.decides(&office.desk, &first, Verdict::Allow),
        Ok(FromDesktop::Sent { request: RequestNumber(1), .. })
    ));
    assert!(matches!(
        office.phone.decides(&office.desk, &second, Verdict::Allow),
        Ok(FromDesktop::Sent { request: RequestNumber(2), .. })
    ));
}

/// The same bytes again are refused by the session; what was sent again by `FlushRequests` is the same bytes, and the answer comes again from the outbox.
#[test]
fn a_request_that_comes_a_thousand_times_is_done_once() {
    let mut office = office(DesktopConsent::Always);
    let (_, frame) = office.desk_says("once");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
    let before = office.phone.store.clone();
    for _ in 0..1_000 {
        let repeated = office.phone.from(&office.desk, &frame).unwrap_err();
        assert!(matches!(repeated, RelayError::Frame(outrigger::OpenError::Duplicate)), "{repeated:?}");
    }
    assert_eq!(office.phone.store, before);
    // Sealed anew it opens, and is known by its number and its id.
    for _ in 0..20 {
        assert!(matches!(office.flush()[..], [FromDesktop::Repeated]));
    }
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["Accepted"]);
    assert_eq!(office.desk.run(&FlushRequests).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
}

/// A request is not done after the time that it is good for.
#[test]
fn a_late_request_is_refused() {
    let mut office = office(DesktopConsent::Always);
    let request = say(&office, b"by five past noon");
    let not_after = later(300_000);
    let asked = office.desk.run(&RelayRequest { request, not_after, while_away: WhileAway::Refuse }).unwrap();
    office.phone.now = later(300_001);
    let refused = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::TooLate, .. }), "{refused:?}");
    // A clock that goes back does not make it come true.
    let request = say(&office, b"by five past noon again");
    let asked = office.desk.run(&RelayRequest { request, not_after, while_away: WhileAway::Refuse }).unwrap();
    office.phone.now = NOON;
    let refused = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::TooLate, .. }), "{refused:?}");
}

/// While the phone is away a request is refused or queued, as the call says; it can be taken back until it goes out, and then goes in order.
#[test]
fn what_is_asked_while_the_phone_is_away_waits_or_is_refused() {
    let mut office = office(DesktopConsent::Always);
    for _ in 0..2 {
        office.desk.run(&AskPhone).unwrap();
    }
    assert!(!office.desk.run(&DescribeRelay).unwrap().reachable);
    let request = say(&office, b"now or never");
    let refused = office.desk.requests(request).unwrap_err();
    assert_eq!(refused, RelayError::Unreachable);
    let mut queued = Vec::new();
    for text in [&b"one"[..], b"two", b"three"] {
        let request = say(&office, text);
        let asked = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        let asked = office.desk.run(&asked).unwrap();
        assert_eq!(asked.frames, Vec::<Vec<u8>>::new());
        queued.push(asked.request);
    }
    office.desk.run(&CancelRequest { request: queued[1] }).unwrap();
    assert_eq!(office.desk.run(&CancelRequest { request: queued[1] }), Err(RelayError::TooLate));
    assert!(matches!(office.ask(), FromPhone::Status { joined: false, .. }));
    let done = office.flush();
    let texts: Vec<_> = done
        .iter()
        .map(|done| {
            let FromDesktop::Sent { sent, .. } = done else { panic!("{done:?}") };
            let envelope = &sent.copies[0].1.envelope;
            let received = office.peer.receive(office.phone.address, envelope).unwrap();
            String::from_utf8(received.content.text().unwrap().to_vec()).unwrap()
        })
        .collect();
    assert_eq!(texts, ["one", "three"]);
    assert_eq!(office.desk.run(&CancelRequest { request: queued[0] }), Err(RelayError::TooLate));
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["Accepted", "Accepted"]);
    assert_eq!(office.desk.run(&DescribeRelay).unwrap().waiting, 0);
    assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
}

/// A queue holds 64; what is too long is refused before anything is drawn.
#[test]
fn a_queue_is_bounded() {
    let mut office = office(DesktopConsent::Always);
    for count in 0..64 {
        let text = format!("{count}");
        let request = say(&office, text.as_bytes());
        office.desk.requests(request).unwrap();
    }
    let request = say(&office, b"one more");
    assert_eq!(office.desk.requests(request).unwrap_err(), RelayError::Full);
    let long = vec![0; 1_036_289];
    let request = say(&office, &long);
    assert_eq!(office.desk.requests(request).unwrap_err(), RelayError::Send(SendError::TooLong));
    let done = office.flush();
    assert!(done.iter().all(|done| matches!(done, FromDesktop::Sent { .. })) && done.len() == 64);
}

/// The longest text passes both ways.
#[test]
fn the_longest_text_passes() {
    let mut office = office(DesktopConsent::Always);
    let text = vec![b'x'; 1_036_288];
    let request = say(&office, &text);
    let asked = office.desk.requests(request).unwrap();
    let done = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    let FromDesktop::Sent { sent, desktops, .. } = done else { panic!("{done:?}") };
    office.peer.hears(office.phone.address, &sent, &text);
    assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
    let text = String::from_utf8(text).unwrap();
    let frames = office.frames(&text);
    assert_eq!(office.desk.shows(&frames)[0].len(), text.len());
}

/// A recipient that cannot be sent to: nothing changes, and the plan says what to mend.
#[test]
fn a_request_waits_until_its_recipient_can_be_sent_to() {
    let mut office = office(DesktopConsent::Always);
    let mut stranger = crate::world::Device::new("stranger");
    stranger.publish(2, &mut office.server);
    let request =
        Request::Send { to: stranger.address.account, plaintext: b"hello you", associated_data: BOUND };
    let asked = office.desk.requests(request).unwrap();
    let before = office.phone.store.clone();
    let unready = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    let FromDesktop::Unready { plan, .. } = unready else { panic!("{unready:?}") };
    assert_eq!(plan.missing, [stranger.address]);
    assert_eq!(office.phone.store, before);
    office.phone.start(stranger.address, &mut office.server).unwrap();
    let done = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    let FromDesktop::Sent { sent, .. } = done else { panic!("{done:?}") };
    stranger.hears(office.phone.address, &sent, b"hello you");
}

/// An identity key in question is for the phone's user; a desktop's word decides nothing.
#[test]
fn a_changed_identity_is_not_accepted_on_a_desktops_word() {
    let mut office = office(DesktopConsent::Always);
    let mallory = crate::world::Device::new("mallory");
    let offered = outrigger::Decision::Suspect(mallory.identity);
    office.phone.decide(office.peer.address, offered).unwrap();
    let (_, frame) = office.desk_says("to whom?");
    let refused = office.phone.from(&office.desk, &frame).unwrap();
    let FromDesktop::Refused { why: RefusedRequest::IdentityChanged, frames, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(office.desk.shows(&frames), ["Refused(IdentityChanged)"]);
}

/// Past its time nothing is asked and nothing is done; renewed, all of it goes on, and nothing was lost.
#[test]
fn a_lapsed_desktop_goes_on_once_it_is_renewed() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("before");
    let (_, frame) = office.desk_says("under way");
    office.phone.wait(15 * UnixMillis::DAY);
    office.desk.wait(15 * UnixMillis::DAY);
    let lapsed = office.phone.from(&office.desk, &frame).unwrap_err();
    assert!(matches!(lapsed, RelayError::Lapsed { .. }), "{lapsed:?}");
    assert!(matches!(office.desk.take_frame(&frames[0]), Err(RelayError::Lapsed { .. })));
    let request = say(&office, b"more");
    assert!(matches!(office.desk.requests(request), Err(RelayError::Lapsed { .. })));
    assert_eq!(office.frames("while lapsed"), Vec::<Vec<u8>>::new());

    let desktop = office.desk.address.device;
    office.phone.run(&outrigger::RenewDesktop { desktop }).unwrap();
    assert!(matches!(office.ask(), FromPhone::Status { .. }));
    let done = office.phone.from(&office.desk, &frame).unwrap();
    assert!(matches!(done, FromDesktop::Sent { .. }), "{done:?}");
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["before", "gap of 1", "Accepted"]);
}

/// Requests that were queued and taken back leave their places at once.
#[test]
fn cancelled_requests_do_not_fill_the_queue() {
    let mut office = office(DesktopConsent::Always);
    let queue = |office: &mut Office| {
        let request = say(office, b"on second thoughts");
        let asked = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        for _ in 0..2 {
            office.desk.run(&AskPhone).unwrap();
        }
        office.desk.run(&asked).unwrap().request
    };
    let all: Vec<_> = (0..64).map(|_| queue(&mut office)).collect();
    for request in all.into_iter().rev() {
        office.desk.run(&CancelRequest { request }).unwrap();
    }
    assert_eq!(office.desk.run(&DescribeRelay).unwrap().waiting, 0);
    assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
    assert!(matches!(office.ask(), FromPhone::Status { .. }));
    let (_, frame) = office.desk_says("this one");
    assert!(matches!(office.phone.from(&office.desk, &frame), Ok(FromDesktop::Sent { .. })));
}

/// One that is taken back between two others gives its place up when the first is answered.
#[test]
fn a_cancelled_request_in_the_middle_is_passed_over() {
    let mut office = office(DesktopConsent::Always);
    let (_, first) = office.desk_says("first");
    for _ in 0..2 {
        office.desk.run(&AskPhone).unwrap();
    }
    let queue = |office: &mut Office, text: &[u8]| {
        let request = say(office, text);
        let asked = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        office.desk.run(&asked).unwrap().request
    };
    let (middle, _) = (queue(&mut office, b"middle"), queue(&mut office, b"last"));
    office.desk.run(&CancelRequest { request: middle }).unwrap();
    assert!(matches!(office.ask(), FromPhone::Status { .. }));
    assert!(matches!(office.phone.from(&office.desk, &first), Ok(FromDesktop::Sent { .. })));
    let frames = office.desk.run(&FlushRequests).unwrap();
    assert_eq!(frames.len(), 2);
    assert!(matches!(office.phone.from(&office.desk, &frames[0]), Ok(FromDesktop::Repeated)));
    assert!(matches!(office.phone.from(&office.desk, &frames[1]), Ok(FromDesktop::Sent { .. })));
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["Accepted", "Accepted"]);
    assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
}

/// One that is taken back behind the only other gives its place up with that one's answer.
#[test]
fn a_cancelled_request_at_the_end_leaves_its_place() {
    let mut office = office(DesktopConsent::Always);
    let (_, first) = office.desk_says("first");
    for _ in 0..2 {
        office.desk.run(&AskPhone).unwrap();
    }
    let request = say(&office, b"last");
    let asked = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
    let request = office.desk.run(&asked).unwrap().request;
    office.desk.run(&CancelRequest { request }).unwrap();
    assert!(matches!(office.ask(), FromPhone::Status { .. }));
    assert!(matches!(office.phone.from(&office.desk, &first), Ok(FromDesktop::Sent { .. })));
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["Accepted"]);
    assert_eq!(office.desk.run(&DescribeRelay).unwrap().waiting, 0);
    assert_eq!(office.desk.store.count(RecordKind::RelayAsked), 0);
}
