//! What a desktop that is away costs: no more than so much, and a gap that says what it lacks.

use outrigger::{
    Consent, DescribeDesktops, DesktopConsent, GrantDesktop, LinkError, ListError, RecordKind, ScanLinkCode,
    ShowDesktopCode,
};

use super::office::{later, office, pair};
use crate::world::{Device, Server};

/// 32 frames go out before the first is acknowledged; the rest waits, and goes as it is acknowledged.
#[test]
fn frames_go_out_within_a_window() {
    let mut office = office(DesktopConsent::Always);
    let mut sent = Vec::new();
    for count in 1..=40 {
        sent.extend(office.frames(&format!("{count}")));
    }
    assert_eq!(sent.len(), 32);
    assert_eq!(office.phone.outbox(&office.desk), sent);
    let first = office.desk.take_frame(&sent[0]).unwrap();
    assert!(!first.owes);
    for frame in &sent[1..15] {
        assert!(!office.desk.take_frame(frame).unwrap().owes);
    }
    assert!(office.desk.take_frame(&sent[15]).unwrap().owes);
    office.acknowledge();
    let rest = office.phone.outbox(&office.desk);
    assert_eq!((rest.len(), &rest[..16]), (24, &sent[16..]));
    let texts: Vec<_> = (17..=40).map(|count| format!("{count}")).collect();
    assert_eq!(office.desk.shows(&rest), texts);
}

/// What comes for a desktop that is away is kept up to 512 frames; the rest is counted, never blocks the phone, and is told as one gap at its place.
#[test]
fn an_overflow_is_one_gap() {
    let mut office = office(DesktopConsent::Always);
    for count in 1..=588 {
        office.peer_says(&format!("{count}"));
    }
    let description = office.phone.run(&DescribeDesktops).unwrap().remove(0);
    assert_eq!((description.waiting, description.missed), (512, 76));
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 512);
    let mut shown = Vec::new();
    loop {
        let frames = office.phone.outbox(&office.desk);
        if frames.is_empty() {
            break;
        }
        shown.extend(office.desk.shows(&frames));
        office.acknowledge();
    }
    let texts: Vec<_> = (1..=512).map(|count| format!("{count}")).collect();
    let (last, rest) = shown.split_last().unwrap();
    assert_eq!((rest, last.as_str()), (&texts[..], "gap of 76"));
    let frames = office.frames("and on");
    assert_eq!(office.desk.shows(&frames), ["and on"]);
    office.acknowledge();
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
}

/// Answers have places of their own: a full outbox does not keep a request from being done.
#[test]
fn a_full_outbox_still_answers() {
    let mut office = office(DesktopConsent::Always);
    for count in 1..=520 {
        office.peer_says(&format!("{count}"));
    }
    let (_, frame) = office.desk_says("is anyone there?");
    let done = office.phone.from(&office.desk, &frame).unwrap();
    assert!(matches!(done, outrigger::FromDesktop::Sent { .. }), "{done:?}");
    assert_eq!(office.phone.run(&DescribeDesktops).unwrap()[0].waiting, 513);
}

/// Frames of all kinds have few lengths: an acknowledgement, an answer and a short message look alike.
#[test]
fn l49_short_frames_look_alike() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("hello");
    office.desk.shows(&frames);
    office.acknowledge();
    // The first of each turn is left out: its counter is 0, and takes no bytes.
    let down: Vec<_> = ["first", "", "yes", "a somewhat longer message"]
        .into_iter()
        .flat_map(|text| office.frames(text))
        .map(|frame| frame.len())
        .skip(1)
        .collect();
    let outbox = office.phone.outbox(&office.desk);
    office.desk.shows(&outbox);
    office.desk.run(&outrigger::AckPhone).unwrap();
    let up = [office.desk.run(&outrigger::AckPhone).unwrap().len(), office.desk_says("no").1.len()];
    assert!(down.iter().all(|len| *len == down[0]), "{down:?}");
    assert!(up.iter().all(|len| *len == up[0]), "{up:?}");
    let long = office.frames(&"x".repeat(5_000)).remove(0).len();
    let longer = office.frames(&"x".repeat(5_040)).remove(0).len();
    assert_eq!(long, longer);
}

/// However often the desktop asks while frames for it are lost, they open when they come: a status waits until they are shown. And however often it asks while a request of its
/// is lost, that is done when it comes.
#[test]
fn what_waits_opens_however_often_the_desktop_asks() {
    let mut office = office(DesktopConsent::Always);
    for count in 1..=600 {
        office.peer_says(&format!("{count}"));
    }
    office.desk_says("lost on its way");
    for _ in 0..50 {
        let frame = office.desk.run(&outrigger::AskPhone).unwrap();
        let heard = office.phone.from(&office.desk, &frame).unwrap();
        let outrigger::FromDesktop::Heard { frames, .. } = heard else { panic!("{heard:?}") };
        let early = office.desk.take_frame(&frames[0]).unwrap_err();
        assert_eq!(early, outrigger::RelayError::Early { next: outrigger::FrameNumber(1) });
    }
    let mut shown = Vec::new();
    for _ in 0..20 {
        let frames = office.phone.outbox(&office.desk);
        shown.extend(office.desk.shows(&frames));
        office.acknowledge();
    }
    assert_eq!((shown.len(), shown[511].as_str(), shown[512].as_str()), (513, "512", "gap of 88"));
    for _ in 0..50 {
        assert!(matches!(office.ask(), outrigger::FromPhone::Status { .. }));
    }
    assert!(matches!(office.flush()[..], [outrigger::FromDesktop::Sent { .. }]));
    let outbox = office.phone.outbox(&office.desk);
    assert_eq!(office.desk.shows(&outbox), ["Accepted"]);
}

/// A desktop that nobody has renewed for thirty days after its time gives its place up, with all that was kept for it; not a millisecond before.
#[test]
fn a_desktop_that_was_forgotten_makes_room() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let mut office = office(DesktopConsent::Always);
    let _lost = office.frames("kept for it");
    for name in ["two", "three", "four"] {
        pair(&mut office.phone, name, DesktopConsent::Always);
    }
    let gone = office.desk.address.device;
    office.phone.now = later((14 + 30) * DAY);
    office.phone.publish(10, &mut Server::default());
    let mut late = Device::empty("late");
    late.now = office.phone.now;
    let code = late.run(&ShowDesktopCode).unwrap().text().to_owned();
    let request = office.phone.run(&ScanLinkCode { code: &code }).unwrap();
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let grant = GrantDesktop { reference: request.reference, consent, may: DesktopConsent::Ask };
    assert_eq!(office.phone.run(&grant).unwrap_err(), LinkError::List(ListError::TooManyDevices));
    office.phone.now = later((14 + 30) * DAY + 1);
    office.phone.run(&grant).unwrap();
    let described = office.phone.run(&DescribeDesktops).unwrap();
    assert!(described.len() == 4 && described.iter().all(|one| one.desktop != gone));
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    assert_eq!(office.phone.active(office.desk.address), None);
}
