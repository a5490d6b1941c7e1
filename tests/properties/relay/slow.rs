//! Answers that are slower than the asks, ends that are over for long, phones that are off for long, users who take their time: what waits opens all the same.

use outrigger::{
    AckPhone, AskPhone, DescribeRelay, DesktopConsent, FlushRequests, FromDesktop, FromPhone, Generation,
    Recover, RefusedRequest, RelayError, RelayRequest, RelayStanding, RenewDesktop, Request, RequestNumber,
    Suspension, Verdict, Wanted, WhileAway,
};

use super::{
    office::{Office, grant, later, office},
    rows_phone::heard,
};
use crate::world::{BOUND, DAY};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

impl Office {
    /// The desktop asks, and the phone answers: what goes back.
    fn is_asked(&mut self) -> Vec<Vec<u8>> {
        let ask = self.desk.run(&AskPhone).unwrap();
        heard(self.phone.from(&self.desk, &ask)).0
    }

    fn waits(&mut self, milliseconds: u64) {
        self.phone.wait(milliseconds);
        self.desk.wait(milliseconds);
    }

    fn renews(&mut self) {
        self.phone.run(&RenewDesktop { desktop: self.desk.address.device }).unwrap();
    }
}

/// The answer to each ask comes behind the next ask, and a frame waits meanwhile: it opens however long that goes on.
#[test]
fn what_waits_opens_where_answers_are_slower_than_asks() {
    for asks in 1..12 {
        let mut office = office(DesktopConsent::Always);
        let waiting = office.frames("waits");
        let mut before: Option<Vec<u8>> = None;
        for _ in 0..asks {
            let status = office.is_asked().remove(0);
            if let Some(late) = before.replace(status) {
                let early = office.desk.take_frame(&late).unwrap_err();
                assert!(matches!(early, RelayError::Early { .. }), "{early:?}");
            }
        }
        assert_eq!(office.desk.shows(&waiting), ["waits"], "after {asks} asks");
        let said = office.desk.take_frame(&before.unwrap()).unwrap().said;
        assert!(matches!(said, FromPhone::Status { .. }), "{said:?}");
    }
}

/// A desktop whose answers are always one behind is let in, and renewed.
#[test]
fn one_whose_answers_are_late_joins_and_is_renewed() {
    let mut office = office(DesktopConsent::Always);
    let frame = office.joins_anew();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    let mut late = frames[0].clone();
    let mut good_until = Vec::new();
    for day in 1..30 {
        office.waits(DAY);
        office.renews();
        let status = office.is_asked().remove(0);
        let said = office.desk.take_frame(&std::mem::replace(&mut late, status)).unwrap().said;
        let FromPhone::Status { good_until: until, joined, .. } = said else { panic!("{said:?}") };
        assert_eq!(joined, day == 1);
        good_until.push(until);
        assert_eq!(office.at_desk().standing, RelayStanding::Attached, "day {day}");
    }
    // Each counts from its own ask, the day before.
    assert_eq!(good_until.last(), Some(&later((28 + 14) * DAY)));
}

/// Two weeks past its time, asking every minute of a day and more: what was missed and what waits come with the renewal.
#[test]
fn a_desktop_that_was_over_for_long_goes_on_where_it_was() {
    for waits in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let waiting = if waits { office.frames("waits") } else { Vec::new() };
        office.waits(14 * DAY + 1);
        assert_eq!(office.frames("missed"), Vec::<Vec<u8>>::new());
        let (mut asked, mut answered) = (0, 0);
        for _ in 0..3_000 {
            office.waits(MINUTE);
            let Ok(ask) = office.desk.run(&AskPhone) else { continue };
            asked += 1;
            let heard = office.phone.from(&office.desk, &ask).unwrap();
            let FromDesktop::Heard { frames, .. } = heard else { panic!("{heard:?}") };
            for frame in &frames {
                answered += 1;
                let said = office.desk.take_frame(frame).map(|taken| taken.said);
                match waits {
                    true => assert!(matches!(said, Err(RelayError::Early { .. })), "{said:?}"),
                    false => assert!(matches!(said, Ok(FromPhone::Status { .. })), "{said:?}"),
                }
            }
        }
        assert!(asked > 300 && answered == 3, "{asked} {answered}");
        assert_eq!(office.at_desk().standing, RelayStanding::Lapsed);
        office.renews();
        office.waits(HOUR);
        let frames = office.is_asked();
        assert!(matches!(office.desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { .. }));
        let mut told = waiting;
        told.extend(frames[1..].iter().cloned());
        let expected: &[&str] = if waits { &["waits", "gap of 1"] } else { &["gap of 1"] };
        assert_eq!(office.desk.shows(&told), expected);
        assert_eq!(office.at_desk().standing, RelayStanding::Attached);
    }
}

/// A phone that is off for a year, and a network that keeps nothing: the desktop falls silent by and by, so that the two understand each other afterwards.
#[test]
fn a_desktop_that_hears_nothing_falls_silent() {
    let mut office = office(DesktopConsent::Always);
    let (_, lost) = office.desk_says("lost on its way");
    let mut asked = Vec::new();
    let mut minute = 0_u64;
    while office.desk.now < later(40 * DAY) {
        office.desk.wait(MINUTE);
        minute += 1;
        let relay = office.desk.clone();
        match office.desk.run(&AskPhone) {
            Ok(_) => asked.push(minute),
            Err(error) => {
                assert_eq!(error, RelayError::Unreachable);
                assert_eq!(office.desk.store.0, relay.store.0);
            }
        }
    }
    let early = asked.iter().filter(|minute| **minute <= 299).count();
    let hourly: Vec<_> = asked.iter().skip(299).take(60).collect();
    assert_eq!((early, hourly[1] - hourly[0], hourly[59] - hourly[58]), (299, 60, 60));
    let daily: Vec<_> = asked.iter().skip(299 + 61).collect();
    assert!(daily.windows(2).all(|pair| pair[1] - pair[0] == 24 * 60), "{daily:?}");
    assert!(asked.len() < 400);

    // Nothing else goes out meanwhile.
    let request = Request::Query(b"anyone?");
    let ask = |while_away| RelayRequest { request, not_after: super::office::EVER, while_away };
    let lapsed = RelayError::Lapsed { expired_at: later(14 * DAY) };
    assert_eq!(office.desk.run(&FlushRequests).unwrap_err(), lapsed);
    assert_eq!(office.desk.run(&ask(WhileAway::Refuse)).unwrap_err(), lapsed);

    office.phone.now = office.desk.now;
    office.renews();
    office.desk.wait(DAY);
    let frames = office.is_asked();
    let said = office.desk.take_frame(&frames[0]).unwrap().said;
    assert!(matches!(said, FromPhone::Status { joined: false, .. }), "{said:?}");
    assert!(matches!(office.flush()[..], [FromDesktop::Sent { .. }]));
    assert!(matches!(office.phone.from(&office.desk, &lost), Ok(FromDesktop::Repeated)));
}

/// Requests that are sent again and again into the void come to an end before the session does.
#[test]
fn what_is_sent_again_comes_to_an_end() {
    let mut office = office(DesktopConsent::Always);
    for count in 0..60 {
        office.desk_says(&format!("{count}"));
    }
    let mut out = 60;
    while let Ok(frames) = office.desk.run(&FlushRequests) {
        out += frames.len();
    }
    assert_eq!(out, 300);
    assert_eq!(office.desk.run(&FlushRequests).unwrap_err(), RelayError::Unreachable);
    assert_eq!(office.desk.run(&AckPhone).unwrap_err(), RelayError::Unreachable);
    assert!(!office.at_desk().reachable);
    let later = Request::Query(b"one more");
    assert_eq!(office.desk.requests(later).unwrap_err(), RelayError::Unreachable);
    assert_eq!(office.desk.run(&AskPhone).unwrap_err(), RelayError::Unreachable);
    office.waits(HOUR);
    let frames = office.is_asked();
    assert!(matches!(office.desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { .. }));
    assert_eq!(office.flush().len(), 60);
}

/// A user who takes more minutes than the session remembers turns: the word counts for the request as it comes again.
#[test]
fn a_word_counts_for_a_request_in_whatever_frame_it_comes() {
    for asks in 1..10 {
        let mut office = office(DesktopConsent::Ask);
        let (_, shown) = office.desk_says("may I?");
        let asked = office.phone.from(&office.desk, &shown).unwrap();
        let FromDesktop::Undecided(Wanted::Send { request: RequestNumber(1), .. }) = asked else {
            panic!("{asked:?}")
        };
        for _ in 0..asks {
            office.ask();
        }
        let done = match office.phone.decides(&office.desk, &shown, Verdict::Allow) {
            Ok(done) => done,
            Err(error) => {
                assert!(asks > 4 && matches!(error, RelayError::Frame(_)), "{asks}: {error:?}");
                let again = office.desk.run(&FlushRequests).unwrap().remove(0);
                let asked = office.phone.from(&office.desk, &again).unwrap();
                let FromDesktop::Undecided(Wanted::Send { request: RequestNumber(1), .. }) = asked else {
                    panic!("{asked:?}")
                };
                office.phone.decides(&office.desk, &again, Verdict::Allow).unwrap()
            }
        };
        assert!(matches!(done, FromDesktop::Sent { request: RequestNumber(1), .. }), "{done:?}");
    }
}

/// A clock that was ahead for a moment makes no request too late once the phone's user has renewed the desktop.
#[test]
fn a_renewal_mends_a_clock_that_was_ahead() {
    let mut office = office(DesktopConsent::Always);
    office.phone.now = later(365 * DAY);
    assert_eq!(office.frames("while the clock is wrong"), Vec::<Vec<u8>>::new());
    office.phone.now = later(MINUTE);
    office.renews();
    let frames = office.is_asked();
    assert!(matches!(office.desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { .. }));
    assert_eq!(office.desk.shows(&frames[1..]), ["gap of 1"]);
    let to = office.peer.address.account;
    let request = Request::Send { to, plaintext: b"now", associated_data: BOUND };
    let (not_after, while_away) = (later(HOUR), WhileAway::Refuse);
    let asked = office.desk.run(&RelayRequest { request, not_after, while_away }).unwrap();
    let done = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    assert!(matches!(done, FromDesktop::Sent { .. }), "{done:?}");
}

/// A grant that is over stays over, wherever the clock goes.
#[test]
fn a_grant_that_is_over_does_not_come_back_with_the_clock() {
    let mut office = office(DesktopConsent::Always);
    let (desk, frame) = grant(&mut office.phone, "two", DesktopConsent::Always);
    office.phone.now = later(6 * MINUTE);
    assert!(matches!(office.phone.from(&desk, &frame), Err(RelayError::Lapsed { .. })));
    // Whatever is stored then has seen the time.
    office.peer_says("noon and six");
    office
        .phone
        .run(&outrigger::SetDesktopConsent { desktop: desk.address.device, may: DesktopConsent::Ask })
        .unwrap();
    office.phone.now = later(MINUTE);
    let again = office.phone.from(&desk, &frame);
    assert!(matches!(again, Err(RelayError::Lapsed { .. })), "{again:?}");
}

/// A gap that nobody can count is told as such until it was shown.
#[test]
fn a_gap_of_unknown_size_that_was_lost_is_told_again() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("one");
    office.desk.shows(&frames);
    office.acknowledge();
    let backup = office.phone.store.clone();
    for count in 0..5 {
        office.peer_says(&format!("forgotten {count}"));
    }
    office.phone.store = backup;
    office.phone.generation = Generation([9; 16]);
    let records: Vec<_> = office.phone.store.0.keys().copied().collect();
    office.phone.run(&Recover { records: &records }).unwrap();
    office.phone.publish(10, &mut office.server);
    for _ in 0..2 {
        let frame = office.joins_anew();
        let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
        assert!(matches!(joined, FromDesktop::Joined { .. }), "{joined:?}");
    }
    let (_, told) = office.rejoin();
    assert_eq!(told, ["gap of 0", "gap of 2"]);
}

/// A desktop that came back from a backup says so itself.
#[test]
fn a_desktop_that_cannot_speak_says_so() {
    let mut office = office(DesktopConsent::Always);
    office.desk.generation = Generation([9; 16]);
    let records: Vec<_> = office.desk.store.0.keys().copied().collect();
    office.desk.run(&Recover { records: &records }).unwrap();
    assert!(matches!(office.desk.run(&AskPhone).unwrap_err(), RelayError::Send(_)));
    let relay = office.desk.run(&DescribeRelay).unwrap();
    assert_eq!(relay.standing, RelayStanding::Suspended(Suspension::Session));
}

/// A note to oneself, where the account has no device but the phone, is refused; what comes after it is done.
#[test]
fn what_is_for_nobody_is_refused() {
    let mut office = office(DesktopConsent::Always);
    let to = office.phone.address.account;
    let note = Request::Send { to, plaintext: b"note to self", associated_data: BOUND };
    let asked = office.desk.requests(note).unwrap();
    let done = office.phone.from(&office.desk, &asked.frames[0]).unwrap();
    let FromDesktop::Refused { why: RefusedRequest::Nobody, frames, .. } = done else { panic!("{done:?}") };
    assert_eq!(office.desk.shows(&frames), ["Refused(Nobody)"]);
    let (_, next) = office.desk_says("next");
    assert!(matches!(office.phone.from(&office.desk, &next), Ok(FromDesktop::Sent { .. })));
}
