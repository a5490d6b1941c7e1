//! An upgrade that the desktop reads late, or that leaves little room.

use outrigger::{
    AckPhone, Advice, AskPhone, Consent, DescribeDesktops, DesktopConsent, DetachDesktop, FanOutError,
    FromDesktop, FromPhone, GrantDesktop, LearnDevices, LinkError, ListError, OpenError, PlanMessage,
    RecordKind, RelayError, RelayReceive, RenewDesktop, RenewDevices, Restart, ScanLinkCode, ShowDesktopCode,
    Verdict,
};

use super::{
    office::{Office, later, office, pair},
    upgrade::MINUTE,
    upgrade_mended::refusal,
};
use crate::{
    companions::household::Directory,
    world::{BOUND, DAY, Device, Server},
};

/// The phone signs in the last minute of the desktop's time, and the desktop is away past it: an ask is all that it takes.
#[test]
fn a_desktop_that_was_away_past_its_time_is_upgraded() {
    let mut office = office(DesktopConsent::Always);
    office.all_now(later(14 * DAY - MINUTE));
    let (_, frames) = office.is_taken_in();
    office.all_now(later(14 * DAY + MINUTE));
    for frame in &frames {
        let refused = office.desk.take_frame(frame).unwrap_err();
        assert!(matches!(refused, RelayError::Lapsed { .. }), "{refused:?}");
    }
    let ask = office.desk.run(&AskPhone).unwrap();
    let status = office.phone_hears_word(&ask);
    assert_eq!(office.desk.shows(&status).len(), 1);
    assert_eq!(office.phone.outbox(&office.desk), frames);
    office.becomes(&frames);
    let word = office.desk.run(&AckPhone).unwrap();
    office.phone_hears_word(&word);
    assert_eq!(office.phone.outbox(&office.desk), Vec::<Vec<u8>>::new());
}

/// The list that names it is past its time when the desktop reads it: it is taken all the same, the companion is lapsed, and a newer list mends it.
#[test]
fn a_list_that_is_past_its_time_makes_a_lapsed_companion() {
    let mut office = office(DesktopConsent::Always);
    let account = office.phone.address.account;
    let (list, frames) = office.is_taken_in();
    let mut server = core::mem::take(&mut office.server);
    office.all_now(later(15 * DAY));
    let ask = office.desk.run(&AskPhone).unwrap();
    let status = office.phone_hears_word(&ask);
    office.desk.shows(&status);
    let (joined, _) = office.becomes(&frames);
    assert_eq!(joined.list, list.list);

    office.peer.publish(10, &mut server);
    let to = office.peer.address.account;
    office.desk.start(office.peer.address, &mut server).unwrap();
    let says = |office: &mut Office| {
        let plan = office.desk.run(&PlanMessage { to })?;
        office.desk.send_planned(&plan, b"by the companion").map(|sent| sent.copies.len())
    };
    let lapsed = FanOutError::Lapsed { expired_at: list.list.expires_at() };
    assert_eq!(refusal(says(&mut office)), (lapsed, Advice::AwaitPhone));
    let newer = office.phone.run(&RenewDevices).unwrap().list;
    office.desk.run(&LearnDevices { account, list: newer.as_bytes() }).unwrap();
    assert_eq!(says(&mut office), Ok(2));
}

/// A list of the future waits for the clock.
#[test]
fn a_list_of_the_future_waits() {
    let mut office = office(DesktopConsent::Always);
    office.phone.now = later(2 * DAY);
    let (list, frames) = office.is_taken_in();
    assert_eq!(office.desk.shows(&frames[..1]), ["Accepted"]);
    let issued_at = list.list.issued_at();
    for _ in 0..2 {
        let future = RelayError::Upgrade(LinkError::List(ListError::FromTheFuture { issued_at }));
        assert_eq!(refusal(office.desk.take_frame(&frames[1])), (future, Advice::Later));
    }
    office.desk.now = office.phone.now;
    office.becomes_by(&frames[1]);
}

/// No list is a relayed desktop's own, not even one that names it.
#[test]
fn a_relayed_desktop_learns_no_list_of_its_account() {
    let mut office = office(DesktopConsent::Always);
    let account = office.phone.address.account;
    let mut directory = Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
    directory.link(&mut office.phone, "sibling");
    let relayed = (ListError::Relayed, Advice::FixCall);
    assert_eq!(refusal(directory.learn(&mut office.desk, account)), relayed);
    let (list, frames) = office.is_taken_in();
    directory.publish(&list.list);
    assert_eq!(refusal(directory.learn(&mut office.desk, account)), relayed);
    office.becomes(&frames);
    assert!(directory.learn(&mut office.desk, account).unwrap().changes.is_empty());
}

/// A fifth desktop's code, and what the phone makes of it.
fn grants_another(office: &mut Office, name: &str) -> Result<(), LinkError> {
    office.phone.publish(10, &mut Server::default());
    let mut another = Device::empty(name);
    another.now = office.phone.now;
    let code = another.run(&ShowDesktopCode).unwrap().text().to_owned();
    let request = office.phone.run(&ScanLinkCode { code: &code })?;
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let may = DesktopConsent::Ask;
    office.phone.run(&GrantDesktop { reference: request.reference, consent, may }).map(|_| ())
}

/// One that has not heard that it is a companion keeps its place for as long as it takes, and ended ones give theirs first.
#[test]
fn no_room_is_made_from_one_that_has_not_heard() {
    let mut office = office(DesktopConsent::Always);
    let (_, frames) = office.is_taken_in();
    let others = ["two", "three", "four"].map(|name| pair(&mut office.phone, name, DesktopConsent::Always));
    office.all_now(later(14 * DAY + 1));
    let full = LinkError::List(ListError::TooManyDevices);
    assert_eq!(grants_another(&mut office, "none"), Err(full));
    assert_eq!(office.phone.outbox(&office.desk), frames);

    let mut heard = office.clone();
    let ask = heard.desk.run(&AskPhone).unwrap();
    let status = heard.phone_hears_word(&ask);
    heard.desk.shows(&status);
    heard.becomes(&frames);
    heard.acknowledge();
    let ids = |office: &mut Office| {
        office.phone.run(&DescribeDesktops).unwrap().iter().map(|one| one.desktop).collect::<Vec<_>>()
    };
    for office in [&mut office, &mut heard] {
        let ended = others[2].address.device;
        office.phone.run(&DetachDesktop { desktop: ended }).unwrap();
        grants_another(office, "five").unwrap();
        let left = ids(office);
        assert!(left.contains(&office.desk.address.device) && !left.contains(&ended), "the ended one first");
    }
    // With nobody else to go, it goes where it has heard.
    let device = office.desk.address.device;
    assert_eq!(grants_another(&mut office, "six"), Err(full));
    assert!(ids(&mut office).contains(&device));
    grants_another(&mut heard, "six").unwrap();
    assert!(!ids(&mut heard).contains(&device));
}

/// A status that renews a desktop overtakes what waits; one that comes for that a month later joins anew, and sees what is new.
#[test]
fn a_frame_that_was_overtaken_a_month_ago_opens_no_more() {
    let mut office = office(DesktopConsent::Always);
    let overtaken = office.told("overtaken");
    let desktop = office.desk.address.device;
    office.all_now(later(14 * DAY + 1));
    office.phone.run(&RenewDesktop { desktop }).unwrap();
    let ask = office.desk.run(&AskPhone).unwrap();
    let frames = office.phone_hears_word(&ask);
    assert!(matches!(office.desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { .. }));
    office.all_now(later(46 * DAY));
    office.phone.run(&RenewDesktop { desktop }).unwrap();
    let gone = office.desk.take_frame(&overtaken.frames[0]).unwrap_err();
    assert_eq!(gone, RelayError::Frame(OpenError::KeyGone));
    let frame = office.joins_anew();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
    let status = office.desk.take_frame(&frames[0]).unwrap().said;
    assert!(matches!(status, FromPhone::Status { joined: true, .. }), "{status:?}");
    let shown = office.desk.shows(&frames[1..]);
    assert!(matches!(&shown[..], [gap] if gap.starts_with("gap")), "{shown:?}");
    let told = office.told("new");
    assert_eq!(office.desk.shows(&told.frames), ["new"]);
}

/// Room for the last event alone is none where a gap stands before it: the acceptance waits, and opens once both have room.
#[test]
fn the_last_frame_takes_no_gaps_place() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    office.acknowledge();
    for _ in 0..513 {
        office.peer_says("kept, or missed");
    }
    let outbox = office.phone.outbox(&office.desk);
    office.desk.shows(&outbox[..1]);
    // It acknowledges one of 512, so that there is one place.
    let acceptance = office.accepts();
    assert_eq!(office.phone.from(&office.desk, &acceptance).unwrap_err(), RelayError::Full);
    office.desk.shows(&outbox[1..2]);
    // With two the gap is told, which leaves one.
    let gap = office.acknowledge();
    assert_eq!((gap, office.at_phone().missed), (vec![], 0));
    let (list, _) = office.takes_in(&acceptance);
    assert!(list.list.entry(office.desk.address.device).is_some());
}

/// An app that binds something to its messages is told all the same that a frame of a companion's is one: its last word, and the ask of one that went back behind its upgrade.
#[test]
fn frames_are_told_from_messages_that_bind_something() {
    let frame = (RelayError::Open(OpenError::Frame), Advice::TakeFrame);
    let mut office = office(DesktopConsent::Always);
    let before = office.desk.clone();
    office.server = office.upgrade().bundles;
    let word = office.desk.run(&AckPhone).unwrap();
    let mut back = Office { desk: before, ..office.clone() };
    let ask = back.joins_anew();
    for (office, envelope) in [(&mut office, &word), (&mut back, &ask)] {
        for associated_data in [&[][..], BOUND] {
            let receive = RelayReceive { from: office.desk.address, envelope, associated_data };
            let refused = office.phone.run(&receive).unwrap_err();
            assert_eq!((refused, refused.advice()), frame);
        }
        assert!(office.phone.decides(&office.desk, envelope, Verdict::Allow).is_ok());
        // What does not open as a frame either is what it was.
        let noise = [&envelope[..envelope.len() - 1], &[envelope[envelope.len() - 1] ^ 1]].concat();
        let receive = RelayReceive { from: office.desk.address, envelope: &noise, associated_data: BOUND };
        assert!(!matches!(office.phone.run(&receive).unwrap_err(), RelayError::Open(OpenError::Frame)));
    }
}

/// A companion that speaks as one knows that it is one: its last word may be lost, and its session replaced.
#[test]
fn a_companion_that_speaks_knows_that_it_is_one() {
    let mut office = office(DesktopConsent::Always);
    let (_, frames) = office.is_taken_in();
    office.becomes(&frames);
    let _lost = office.desk.run(&AckPhone).unwrap();
    let bundle = office.bundle();
    office.desk.run(&Restart { bundle: &bundle }).unwrap();
    let waiting = |office: &mut Office| office.phone.run(&DescribeDesktops).unwrap()[0].waiting;
    assert_eq!(waiting(&mut office), 2);
    let hello = office.desk.send(office.phone.address, "as a companion");
    let receive = RelayReceive { from: office.desk.address, envelope: &hello, associated_data: BOUND };
    office.phone.run(&receive).unwrap();
    assert_eq!((waiting(&mut office), office.phone.store.count(RecordKind::RelayOut)), (0, 0));
    // So its place can be another's, in time.
    for name in ["two", "three", "four"] {
        pair(&mut office.phone, name, DesktopConsent::Always);
    }
    office.phone.now = later(15 * DAY);
    office.phone.publish(10, &mut office.server);
    grants_another(&mut office, "five").unwrap();
}
