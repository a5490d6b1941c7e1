//! Operations of the relay in one commit: a phone that was away takes all that waited for it at once, and so does a desktop.

use outrigger::{
    Batch, DescribeRelay, DesktopConsent, FromDesktop, OpenError, RelayError, RelayReceive, TakeFromDesktop,
    TakeFromPhone,
};

use super::office::{office, pair};
use crate::world::BOUND;

/// What peers have sent is told in order to every desktop, and a frame that is in the batch twice is shown once.
#[test]
fn a_batch_is_told_and_shown_in_order() {
    let mut office = office(DesktopConsent::Always);
    let other = pair(&mut office.phone, "other", DesktopConsent::Always);
    let texts: Vec<_> = (1..=40).map(|count| format!("{count}")).collect();
    let envelopes: Vec<_> = texts.iter().map(|text| office.peer.send(office.phone.address, text)).collect();
    let from = office.peer.address;
    let receive = |envelope| RelayReceive { from, envelope, associated_data: BOUND };
    let all: Vec<_> = envelopes.iter().map(|envelope| receive(envelope)).collect();
    let told = office.phone.run(&Batch(&all)).unwrap();
    let told: Vec<_> = told.into_iter().flat_map(|told| told.unwrap().desktops).collect();
    for mut desk in [office.desk, other] {
        let of_desk = told.iter().filter(|told| told.desktop == desk.address.device);
        let frames: Vec<_> = of_desk.flat_map(|told| told.frames.clone()).collect();
        // As many as go out before one is acknowledged.
        assert_eq!(frames.len(), 32);
        let twice: Vec<_> = frames.iter().chain(&frames).map(|envelope| TakeFromPhone { envelope }).collect();
        let taken = desk.run(&Batch(&twice)).unwrap();
        let (first, again) = taken.split_at(32);
        assert!(first.iter().all(Result::is_ok), "{first:?}");
        let is_repeat =
            |taken: &Result<_, RelayError>| matches!(taken, Err(RelayError::Frame(OpenError::Duplicate)));
        assert!(again.iter().all(is_repeat), "{again:?}");
    }
}

/// Requests that come at once, and twice, are done once each; their answers come at once too.
#[test]
fn a_batch_of_requests_is_done_once() {
    let mut office = office(DesktopConsent::Always);
    let asked: Vec<_> = (1..=10).map(|count| office.desk_says(&format!("{count}")).1).collect();
    let desktop = office.desk.address.device;
    let take = |envelope| TakeFromDesktop { desktop, envelope, verdict: None };
    let twice: Vec<_> = asked.iter().chain(&asked).map(|envelope| take(envelope)).collect();
    let done = office.phone.run(&Batch(&twice)).unwrap();
    let sent = done.iter().filter(|done| matches!(done, Ok(FromDesktop::Sent { .. }))).count();
    assert_eq!((sent, done.iter().filter(|done| done.is_err()).count()), (10, 10));
    let answers = office.phone.outbox(&office.desk);
    let all: Vec<_> = answers.iter().map(|envelope| TakeFromPhone { envelope }).collect();
    assert!(office.desk.run(&Batch(&all)).unwrap().iter().all(Result::is_ok));
    assert_eq!(office.desk.run(&DescribeRelay).unwrap().waiting, 0);
}
