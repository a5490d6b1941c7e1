//! Rows of "Races" that no other file here asserts. `rows.txt` says where each row is.

use outrigger::{
    AbandonLinking, AckPhone, AskPhone, BundleError, ConfirmLink, ContinueLinking, DescribeDevices,
    DesktopConsent, DetachDesktop, EndOfRelay, Epoch, FlushRequests, FromDesktop, FromPhone, GrantLink,
    LearnDevices, LeavePhone, LinkError, LinkProgress, ListError, News, OpenError, PlanMessage, RecordKind,
    RefusedRequest, RejoinPhone, RelayError, RelayReceive, RelayStanding, RemoveCompanion, RenewDevices,
    Request, RequestNumber, RequestState, Restart, ScanLinkCode, ShowLinkCode, Suspension, TakeFromDesktop,
    TakeFromPhone, TellDesktop, Verdict, VerifiedBundle,
};

use super::office::{Office, later, office, pair};
use crate::{
    companions::household::{self, Directory},
    world::{BOUND, DAY, Device, Server, random::Seeded},
};

/// A step that was not stored has not happened, at either end: the same bytes are taken as if for the first time, and once.
#[test]
fn a_step_that_was_not_stored_happens_when_the_bytes_come_again() {
    let mut office = office(DesktopConsent::Always);
    let down = office.frames("down");
    let (_, up) = office.desk_says("up");
    let before = (office.phone.store.clone(), office.desk.store.clone());
    let desktop = office.desk.address.device;
    drop(office.phone.prepare(&TakeFromDesktop { desktop, envelope: &up, verdict: None }).unwrap());
    drop(office.desk.prepare(&TakeFromPhone { envelope: &down[0] }).unwrap());
    assert_eq!((office.phone.store.clone(), office.desk.store.clone()), before);
    assert_eq!(office.desk.shows(&down), ["down"]);
    assert!(matches!(office.phone.from(&office.desk, &up), Ok(FromDesktop::Sent { .. })));
    let twice = RelayError::Frame(OpenError::Duplicate);
    assert_eq!(office.desk.take_frame(&down[0]).unwrap_err(), twice);
    assert_eq!(office.phone.from(&office.desk, &up).unwrap_err(), twice);
}

/// A crash behind a step that was stored: frames come with the outbox, the same bytes; what the app has put down in the step's transaction (envelopes to peers, what a frame said) is
/// all of it, and nothing is done or shown again.
#[test]
fn what_a_stored_step_gave_is_not_lost_with_it() {
    let mut office = office(DesktopConsent::Always);
    let (_, up) = office.desk_says("do this");
    let desktop = office.desk.address.device;
    let step = office.phone.prepare(&TakeFromDesktop { desktop, envelope: &up, verdict: None }).unwrap();
    let (writes, held) = step.split();
    let FromDesktop::Sent { sent, desktops, .. } = held.to_store() else { panic!("{:?}", held.to_store()) };
    let (envelopes, frames) = (sent.clone(), desktops[0].frames.clone());
    office.phone.store.apply(&writes).unwrap();
    drop(held);
    assert_eq!(office.phone.outbox(&office.desk), frames);
    office.peer.hears(office.phone.address, &envelopes, b"do this");
    assert!(matches!(office.flush()[..], [FromDesktop::Repeated]));

    let step = office.desk.prepare(&TakeFromPhone { envelope: &frames[0] }).unwrap();
    let (writes, held) = step.split();
    let answered = matches!(held.to_store().said, FromPhone::Answer { state: RequestState::Accepted, .. });
    assert!(answered, "{:?}", held.to_store());
    office.desk.store.apply(&writes).unwrap();
    drop(held);
    let again = office.desk.take_frame(&frames[0]).unwrap_err();
    assert_eq!(again, RelayError::Frame(OpenError::Duplicate));
    assert_eq!(office.at_desk().waiting, 0);
}

/// An acknowledgement that is lost: the same bytes come again and are refused, and whatever the desktop says next has the number.
#[test]
fn a_lost_acknowledgement_comes_with_the_next_word() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["1", "2"].map(|text| office.frames(text)).concat();
    office.desk.shows(&frames);
    let _lost = office.desk.run(&AckPhone).unwrap();
    assert_eq!(office.phone.outbox(&office.desk), frames);
    for frame in &frames {
        let again = office.desk.take_frame(frame).unwrap_err();
        assert_eq!(again, RelayError::Frame(OpenError::Duplicate));
    }
    let words: [fn(&mut Office) -> Vec<u8>; 3] = [
        |office| office.desk.run(&AckPhone).unwrap(),
        |office| office.desk.run(&AskPhone).unwrap(),
        |office| office.desk.requests(Request::Query(b"?")).unwrap().frames.remove(0),
    ];
    for word in words {
        let mut office = office.clone();
        let frame = word(&mut office);
        office.phone.from(&office.desk, &frame).unwrap();
        let outbox = office.phone.outbox(&office.desk);
        assert!(frames.iter().all(|frame| !outbox.contains(frame)));
        assert!(office.at_phone().waiting <= 1);
    }
}

/// The notice needs no place: a desktop can be let go while all 580 are taken.
#[test]
fn a_desktop_is_detached_while_its_outbox_is_full() {
    let mut office = office(DesktopConsent::Always);
    for count in 1..=513 {
        office.peer_says(&format!("{count}"));
    }
    let asked: Vec<_> = (0..64).map(|_| office.desk_says("do this")).collect();
    for (_, frame) in &asked {
        assert!(matches!(office.phone.from(&office.desk, frame), Ok(FromDesktop::Sent { .. })));
    }
    let desktop = office.desk.address.device;
    let tell = |request| TellDesktop { desktop, request: RequestNumber(request), news: News::Relayed };
    for request in 1..=4 {
        assert_eq!(office.phone.run(&tell(request)).unwrap().frames, Vec::<Vec<u8>>::new());
    }
    assert_eq!((office.at_phone().waiting, office.at_phone().missed), (580, 1));
    assert_eq!(office.phone.run(&tell(5)).unwrap_err(), RelayError::Full);
    let notice = office.phone.run(&DetachDesktop { desktop }).unwrap().unwrap();
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    let said = office.desk.take_frame(&notice).unwrap().said;
    let FromPhone::Ended { why: EndOfRelay::Detached, settled, never_sent } = said else {
        panic!("{said:?}")
    };
    let state = |place| if place < 4 { RequestState::Relayed } else { RequestState::Accepted };
    let expected: Vec<_> = asked.iter().enumerate().map(|(place, (id, _))| (*id, state(place))).collect();
    assert_eq!((settled, never_sent), (expected, vec![]));
}

/// Numbers go on above all that either end has used, whichever store went back.
#[test]
fn joining_anew_takes_the_higher_numbers() {
    for (phone_back, desk_back) in [(true, false), (false, true), (true, true)] {
        let mut office = office(DesktopConsent::Always);
        let snapshots = (office.phone.store.clone(), office.desk.store.clone());
        let (_, request) = office.desk_says("request 1");
        let done = office.phone.from(&office.desk, &request).unwrap();
        let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
        assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
        let between = office.phone.store.clone();
        let frames = office.frames("frame 2");
        assert_eq!(office.desk.shows(&frames), ["frame 2"]);
        // Where both go back, the phone goes behind the desktop's frame and not its request.
        let (used_frames, used_requests) = match (phone_back, desk_back) {
            (true, true) => (1, 1),
            _ => (2, 1),
        };
        match (phone_back, desk_back) {
            (true, true) => office.phone.store = between,
            (true, false) => office.phone.store = snapshots.0,
            (false, _) => {}
        }
        if desk_back {
            office.desk.store = snapshots.1;
        }
        office.rejoin();
        office.peer.restart(office.phone.address, &mut office.server).unwrap();
        let (_, request) = office.desk_says("another");
        let done = office.phone.from(&office.desk, &request).unwrap();
        let FromDesktop::Sent { request, desktops, .. } = done else { panic!("{done:?}") };
        assert_eq!(request, RequestNumber(used_requests + 1), "{phone_back} {desk_back}");
        let said = office.desk.take_frame(&desktops[0].frames[0]).unwrap().said;
        let FromPhone::Answer { number, .. } = said else { panic!("{said:?}") };
        assert!(number.0 > used_frames, "{number:?}: {phone_back} {desk_back}");
    }
}

/// Two processes of one app: the step that is stored second is refused by the store, and runs again; nobody takes over.
#[test]
fn two_processes_on_one_store_take_turns() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["1", "2"].map(|text| office.frames(text)).concat();
    let [one, other] = [(); 2].map(|()| {
        let step = office.desk.prepare(&TakeFromPhone { envelope: &frames[0] }).unwrap();
        step.split().0
    });
    office.desk.store.apply(&one).unwrap();
    assert!(office.desk.store.apply(&other).is_err());
    let again = office.desk.take_frame(&frames[0]).unwrap_err();
    assert_eq!(again, RelayError::Frame(OpenError::Duplicate));
    // Different steps: the second runs again, and both count.
    let word = office.desk.prepare(&AckPhone).unwrap();
    assert_eq!(office.desk.shows(&frames[1..]), ["2"]);
    let (writes, _) = word.split();
    assert!(office.desk.store.apply(&writes).is_err());
    assert_eq!(office.acknowledge(), Vec::<Vec<u8>>::new());
    assert_eq!((office.at_phone().waiting, office.standing_at_phone()), (0, RelayStanding::Attached));
    assert_eq!(office.standing_at_desk(), RelayStanding::Attached);
}

/// One message is told to two desktops in one step, each has its own outbox, and what one acknowledges the other keeps.
#[test]
fn two_desktops_have_an_outbox_each() {
    let mut office = office(DesktopConsent::Always);
    let mut second = pair(&mut office.phone, "second", DesktopConsent::Always);
    let told = office.peer_says("to both");
    assert_eq!((told.len(), office.phone.store.count(RecordKind::RelayOut)), (2, 2));
    let of = |device| &told.iter().find(|told| told.desktop == device).unwrap().frames;
    assert_eq!(office.desk.shows(of(office.desk.address.device)), ["to both"]);
    office.acknowledge();
    assert_eq!(office.phone.outbox(&office.desk), Vec::<Vec<u8>>::new());
    let kept = office.phone.outbox(&second);
    assert_eq!(&kept, of(second.address.device));
    assert_eq!(second.shows(&kept), ["to both"]);
}

/// Two desktops send at once: the phone's order counts, each sees the other's message and its own answer.
#[test]
fn two_desktops_that_send_at_once_see_each_other() {
    let mut office = office(DesktopConsent::Always);
    let mut second = pair(&mut office.phone, "second", DesktopConsent::Always);
    let (_, of_first) = office.desk_says("from the first");
    let to = office.peer.address.account;
    let send = Request::Send { to, plaintext: b"from the second", associated_data: BOUND };
    let of_second = second.requests(send).unwrap().frames.remove(0);
    for (desk, frame) in [(&second, &of_second), (&office.desk, &of_first)] {
        assert!(matches!(office.phone.from(desk, frame), Ok(FromDesktop::Sent { .. })));
    }
    let (first, other) = (office.phone.outbox(&office.desk), office.phone.outbox(&second));
    assert_eq!(office.desk.shows(&first), ["from the second", "Accepted"]);
    assert_eq!(second.shows(&other), ["Accepted", "from the first"]);
}

/// What came before the notice is shown, what comes behind it is not.
#[test]
fn nothing_is_shown_after_the_notice() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["before", "behind"].map(|text| office.frames(text)).concat();
    let notice = office.phone.run(&DetachDesktop { desktop: office.desk.address.device }).unwrap().unwrap();
    assert_eq!(office.desk.shows(&frames[..1]), ["before"]);
    let said = office.desk.take_frame(&notice).unwrap().said;
    assert!(matches!(said, FromPhone::Ended { .. }), "{said:?}");
    let ended = RelayError::Ended(EndOfRelay::Detached);
    assert_eq!(office.desk.take_frame(&frames[1]).unwrap_err(), ended);
}

/// The notice is lost: it is the answer to everything that the desktop sends, and without it the desktop lapses by its own clock.
#[test]
fn a_desktop_that_misses_its_notice_lapses() {
    let mut office = office(DesktopConsent::Always);
    let frames = office.frames("unseen");
    let desktop = office.desk.address.device;
    let lost = office.phone.run(&DetachDesktop { desktop }).unwrap().unwrap();
    let word = office.desk.run(&AckPhone).unwrap();
    let ask = office.desk.run(&AskPhone).unwrap();
    let (_, request) = office.desk_says("do this");
    for frame in [word, ask, request] {
        let ended = office.phone.from(&office.desk, &frame).unwrap();
        let FromDesktop::Ended { notice } = ended else { panic!("{ended:?}") };
        assert_eq!(notice.as_ref(), Some(&lost));
    }
    office.desk.now = later(14 * DAY + 1);
    assert_eq!(office.standing_at_desk(), RelayStanding::Lapsed);
    assert!(matches!(office.desk.take_frame(&frames[0]), Err(RelayError::Lapsed { .. })));
    assert!(matches!(office.desk.requests(Request::Query(b"?")), Err(RelayError::Lapsed { .. })));
    // It is the end all the same, whenever it comes.
    let said = office.desk.take_frame(&lost).unwrap().said;
    assert!(matches!(said, FromPhone::Ended { why: EndOfRelay::Detached, .. }), "{said:?}");
}

/// A machine takes over while both have a request under one number: the outcome is that of the one whose id it is, and nothing is done twice.
#[test]
fn a_takeover_settles_by_number_and_id() {
    let mut office = office(DesktopConsent::Always);
    // Both machines speak in the turn that begins here.
    office.acknowledge();
    let mut other = office.clone();
    other.desk.random = Seeded::new(99);
    let (done, of_former) = office.desk_says("of the former");
    let again = office.desk.run(&FlushRequests).unwrap();
    let (unknown, of_other) = other.desk_says("of the other");
    assert_ne!(done, unknown);
    assert!(matches!(office.phone.from(&office.desk, &of_former), Ok(FromDesktop::Sent { .. })));
    let former = core::mem::replace(&mut office.desk, other.desk);
    let (settled, _) = office.rejoin();
    assert_eq!(settled, [(unknown, RequestState::Unknown)]);
    // What either has sent in the former session is done no more: it is late, or has the key of a frame that was opened.
    let late = office.phone.from(&former, &again[0]).unwrap();
    assert!(matches!(late, FromDesktop::Late { notice: Some(_) }), "{late:?}");
    assert!(matches!(office.phone.from(&former, &of_other), Err(RelayError::Frame(_))));
    assert_eq!(office.desk.run(&FlushRequests).unwrap(), Vec::<Vec<u8>>::new());
    // The former one joins in its turn, and hears of its own.
    office.desk = former;
    office.desk.now = later(1_000);
    office.phone.now = later(1_000);
    assert_eq!(office.rejoin().0, [(done, RequestState::Accepted)]);
}

/// Before it has heard that it is a companion no bundle of the desktop's starts a session, whatever list a peer has.
#[test]
fn there_is_no_bundle_before_the_switch() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let acceptance = office.accepts();
    let (list, frames) = office.takes_in(&acceptance);
    let account = office.phone.address.account;
    office.peer.run(&LearnDevices { account, list: list.list.as_bytes() }).unwrap();
    let desk = office.desk.address;
    let mut server = Server::default();
    office.desk.publish(2, &mut server);
    let refused = VerifiedBundle::verify(&server.fetch(desk), &desk).unwrap_err();
    assert_eq!(refused, BundleError::NeedsCertificate);
    let plan = office.peer.run(&PlanMessage { to: account }).unwrap();
    assert_eq!((plan.missing.contains(&desk), plan.ready.contains(&desk)), (true, false));
    let (joined, _) = office.becomes(&frames);
    let bundle = server.fetch(desk);
    VerifiedBundle::verify_companion(&bundle, &joined.certificate, &desk, &list.list).unwrap();
}

/// A phone that dies with what the acceptance came to: the list is on record, and the frame comes with the outbox.
#[test]
fn a_crash_after_the_acceptance_leaves_the_list_and_the_frame() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    office.acknowledge();
    let acceptance = office.accepts();
    let before = office.phone.store.clone();
    let take = TakeFromDesktop { desktop: office.desk.address.device, envelope: &acceptance, verdict: None };
    drop(office.phone.prepare(&take).unwrap());
    assert_eq!(office.phone.store, before);
    drop(office.phone.run(&take).unwrap());
    let account = office.phone.address.account;
    let on_record = office.phone.run(&DescribeDevices { account }).unwrap().list.unwrap();
    assert_eq!(on_record.entry(office.desk.address.device).unwrap().identity_key, office.desk.identity);
    let frames = office.phone.outbox(&office.desk);
    let (joined, _) = office.becomes(&frames);
    assert_eq!(joined.list, on_record);
}

/// A desktop that went back behind its upgrade, and joins anew when the phone has signed another list, is told by the newest.
#[test]
fn one_that_went_back_is_told_with_the_newest_list() {
    let mut office = office(DesktopConsent::Always);
    let backup = office.desk.clone();
    office.server = office.upgrade().bundles;
    let newest = office.phone.run(&RenewDevices).unwrap().list;
    assert_eq!(newest.epoch(), Epoch(2));
    office.desk = backup;
    let bundle = office.bundle();
    let frame = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    let joined = office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
    assert!(matches!(office.desk.take_frame(&frames[0]).unwrap().said, FromPhone::Status { .. }));
    let (last, gaps) = frames[1..].split_last().unwrap();
    assert_eq!(office.desk.shows(gaps), ["gap of 4"]);
    let (joined, _) = office.becomes_by(last);
    assert_eq!(joined.list, newest);
}

/// A phone whose store went back behind the upgrade: the desktop is a companion by the list that the server has, and the phone signs nothing before it has taken that back. With the
/// first message of the companion it is one here too, and what was missed until then is said.
#[test]
fn a_phone_that_went_back_behind_the_upgrade_hears_of_it_from_the_companion() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
    directory.link(&mut office.phone, "sibling");
    let backup = office.phone.store.clone();
    let newest = office.upgrade_in(&mut directory);
    let account = office.phone.address.account;
    office.desk.publish(10, &mut directory.bundles);

    office.phone.store = backup;
    office.phone.recover(1, &mut directory.bundles);
    assert_eq!(office.phone.run(&RenewDevices).unwrap_err(), ListError::NotSeenSinceRestore);
    directory.learn(&mut office.peer, account).unwrap();
    let sent = directory.send(&mut office.peer, account, b"to the companion").unwrap();
    office.desk.hears(office.peer.address, &sent, b"to the companion");
    let learned = directory.learn(&mut office.phone, account).unwrap();
    assert_eq!(learned.list.epoch(), newest);
    assert!(learned.list.entry(office.desk.address.device).is_some());
    assert_eq!(directory.renew(&mut office.phone).epoch(), Epoch(newest.0 + 1));
    office.peer.restart(office.phone.address, &mut directory.bundles).unwrap();
    assert_eq!(office.frames("missed"), Vec::<Vec<u8>>::new());
    assert_eq!(office.standing_at_phone(), RelayStanding::Suspended(Suspension::Session));

    let phone = office.phone.address;
    let bundle = VerifiedBundle::verify(&directory.bundles.fetch(phone), &phone).unwrap();
    office.desk.run(&Restart { bundle: &bundle }).unwrap();
    let said = directory.send(&mut office.desk, office.peer.address.account, b"by itself").unwrap();
    let (_, copy) = said.copies.iter().find(|(to, _)| *to == phone).unwrap();
    let receive =
        RelayReceive { from: office.desk.address, envelope: &copy.envelope, associated_data: BOUND };
    office.phone.run(&receive).unwrap();
    assert_eq!(office.standing_at_phone(), RelayStanding::Ended(EndOfRelay::Upgraded));
    let frames = office.frames("for the phone");
    let (missed, _, text) = office.passed_on(&frames[0]);
    assert_eq!((missed, &*text), (1, "for the phone"));
}

impl Office {
    /// The upgrade, with what a directory has of the account before it.
    fn upgrade_in(&mut self, directory: &mut Directory) -> Epoch {
        self.is_offered();
        let acceptance = self.accepts();
        let (list, frames) = self.takes_in(&acceptance);
        let (joined, _) = self.becomes(&frames);
        directory.certificates.insert(joined.address, joined.certificate);
        directory.publish(&list.list);
        list.list.epoch()
    }
}

/// The phone's user removes the companion before it has heard that it is one: the upgrade stands, and the next list ends it.
#[test]
fn a_removal_stands_behind_the_upgrade() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    let acceptance = office.accepts();
    let (first, frames) = office.takes_in(&acceptance);
    let removed = office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap().list;
    assert_eq!(removed.epoch().0, first.list.epoch().0 + 1);
    let (joined, _) = office.becomes(&frames);
    assert_eq!(joined.list, first.list);
    assert_eq!(office.standing_at_desk(), RelayStanding::Ended(EndOfRelay::Upgraded));
    let account = office.phone.address.account;
    let learned = office.desk.run(&LearnDevices { account, list: removed.as_bytes() }).unwrap();
    assert!(learned.removed);
    assert_eq!(office.peer_says("not for it"), []);
}

/// A linking that was granted before the acceptance: who confirms first has the place, and the other is refused and begins anew.
#[test]
fn a_linking_and_an_upgrade_do_not_share_a_place() {
    for linked_first in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let mut other = Device::empty("other");
        let code = other.run(&ShowLinkCode).unwrap().text().to_owned();
        let request = office.phone.run(&ScanLinkCode { code: &code }).unwrap();
        let consent = household::consent(&request);
        let granted = office.phone.run(&GrantLink { reference: request.reference, consent }).unwrap();
        let progress = other.run(&ContinueLinking { message: &granted }).unwrap();
        let LinkProgress::Confirm { confirmation, .. } = progress else { panic!("{progress:?}") };
        let confirm = ConfirmLink { confirmation: &confirmation };
        office.is_offered();
        let acceptance = office.accepts();
        if linked_first {
            office.phone.run(&confirm).unwrap();
            let refused = office.phone.from(&office.desk, &acceptance).unwrap();
            let FromDesktop::Refused { why: RefusedRequest::NoOffer, frames, .. } = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(office.desk.shows(&frames), ["Refused(NoOffer)"]);
        } else {
            let (list, _) = office.takes_in(&acceptance);
            assert_eq!(office.phone.run(&confirm).unwrap_err(), LinkError::Overtaken);
            let account = office.phone.address.account;
            let on_record = office.phone.run(&DescribeDevices { account }).unwrap().list.unwrap();
            assert_eq!(on_record, list.list);
            // It begins anew, behind the companion.
            office.phone.run(&AbandonLinking).unwrap();
            Directory::default().link(&mut office.phone, "another");
        }
    }
}

/// A bye before the acceptance ends the relay; one behind it is that of a companion, which the phone's app removes.
#[test]
fn a_bye_counts_by_which_side_of_the_acceptance_it_comes() {
    for bye_first in [false, true] {
        let mut office = office(DesktopConsent::Always);
        office.is_offered();
        let acceptance = office.accepts();
        let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
        if bye_first {
            assert!(matches!(office.phone.from(&office.desk, &bye), Ok(FromDesktop::Left)));
            let ended = office.phone.from(&office.desk, &acceptance).unwrap();
            assert!(matches!(ended, FromDesktop::Ended { notice: None }), "{ended:?}");
            let account = office.phone.address.account;
            assert_eq!(office.phone.run(&DescribeDevices { account }).unwrap().list, None);
        } else {
            office.takes_in(&acceptance);
            let left = office.phone.from(&office.desk, &bye).unwrap();
            assert!(matches!(left, FromDesktop::LeftCompanion), "{left:?}");
            office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
        }
    }
}
