//! Rows of "At the phone" of a desktop that is or becomes a companion.

use outrigger::{
    AskPhone, DesktopConsent, EndOfRelay, FromDesktop, FromPhone, LeavePhone, LinkError, ListError,
    RecordKind, RefusedRequest, RejoinPhone, RelayError, RelayStanding, RemoveCompanion, RequestNumber,
    Verdict, Wanted,
};

use super::{
    office::{Office, later, office},
    rows_phone::under_another_key,
    upgrade::{MINUTE, consent},
};
use crate::companions::household::Directory;

impl Office {
    /// A desktop whose store went back behind its upgrade, and that was let in again; what it is told behind the status.
    fn went_back_behind_the_upgrade() -> (Self, Vec<Vec<u8>>) {
        let mut office = office(DesktopConsent::Always);
        let backup = office.desk.clone();
        office.server = office.upgrade().bundles;
        office.desk = backup;
        let bundle = office.bundle();
        let ask = office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
        let joined = office.phone.decides(&office.desk, &ask, Verdict::Allow).unwrap();
        let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
        let said = office.desk.take_frame(&frames[0]).unwrap().said;
        assert!(matches!(said, FromPhone::Status { joined: true, .. }), "{said:?}");
        (office, frames[1..].to_vec())
    }
}

/// One that has not heard that it is a companion, and asks to become one, is offered its place anew.
#[test]
fn an_upgraded_desktop_that_asks_again_is_offered_its_place() {
    let (mut office, _) = Office::went_back_behind_the_upgrade();
    let frame = office.asks_for_upgrade();
    let undecided = office.phone.from(&office.desk, &frame).unwrap();
    assert!(matches!(undecided, FromDesktop::Undecided(Wanted::Upgrade { .. })), "{undecided:?}");
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    let FromDesktop::Offered { frames, .. } = offered else { panic!("{offered:?}") };
    assert_eq!(frames.len(), 2);
}

/// One that has not heard that it is a companion leaves: its end is wiped, and its place in the list is for the phone's app to take.
#[test]
fn an_upgraded_desktop_that_leaves_is_a_companion_to_be_removed() {
    let (mut office, _) = Office::went_back_behind_the_upgrade();
    let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
    let left = office.phone.from(&office.desk, &bye).unwrap();
    assert!(matches!(left, FromDesktop::LeftCompanion), "{left:?}");
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    assert_eq!(office.phone.active(office.desk.address), None);
    let again = office.phone.from(&office.desk, &bye).unwrap();
    assert!(matches!(again, FromDesktop::Ended { notice: None }), "{again:?}");
    office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
}

/// What comes from a companion that the list names no more is not opened, and nothing is left of its relay.
#[test]
fn what_a_removed_companion_sends_ends_its_relay() {
    let (mut office, _) = Office::went_back_behind_the_upgrade();
    let ask = office.desk.run(&AskPhone).unwrap();
    office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
    for bytes in [&ask[..], b"no envelope"] {
        let mut office = office.clone();
        let ended = office.phone.from(&office.desk, bytes).unwrap();
        assert!(matches!(ended, FromDesktop::Ended { notice: None }), "{ended:?}");
        assert_eq!(office.standing_at_phone(), RelayStanding::Ended(EndOfRelay::Detached));
        let kept = [RecordKind::RelayOut, RecordKind::RelaySeen].map(|kind| office.phone.store.count(kind));
        assert_eq!(kept, [0, 0]);
    }
}

/// A phone whose records came back offers nothing until it has seen its newest list; the same bytes do then.
#[test]
fn a_phone_that_can_sign_no_list_offers_nothing() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory::default();
    directory.link(&mut office.phone, "sibling");
    office.phone.recover(1, &mut office.server);
    office.rejoin();
    let frame = office.asks_for_upgrade();
    let verdict = Verdict::Upgrade(consent(&office.desk));
    let refused = office.phone.decides(&office.desk, &frame, verdict).unwrap_err();
    assert_eq!(refused, RelayError::Upgrade(LinkError::List(ListError::NotSeenSinceRestore)));
    let mut denied = office.clone();
    let said_no = denied.phone.decides(&denied.desk, &frame, Verdict::Deny).unwrap();
    assert!(matches!(said_no, FromDesktop::Refused { why: RefusedRequest::NoConsent, .. }), "{said_no:?}");
    let account = office.phone.address.account;
    directory.learn(&mut office.phone, account).unwrap();
    let offered = office.phone.decides(&office.desk, &frame, verdict).unwrap();
    assert!(matches!(offered, FromDesktop::Offered { .. }), "{offered:?}");
}

/// A second offer stands in place of the first, at both ends, for five minutes of its own.
#[test]
fn an_offer_stands_in_place_of_the_one_before() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    office.phone.now = later(4 * MINUTE);
    office.is_offered();
    let acceptance = office.accepts();
    office.phone.now = later(9 * MINUTE);
    let (list, frames) = office.takes_in(&acceptance);
    let (joined, _) = office.becomes(&frames);
    assert_eq!(joined.list, list.list);
}

/// An acceptance that another key has signed is refused, and the offer stands no more.
#[test]
fn an_acceptance_that_does_not_hold_takes_the_offer_away() {
    let mut office = office(DesktopConsent::Always);
    office.is_offered();
    // Both machines speak in the turn that begins here.
    office.acknowledge();
    let mut copy = office.clone();
    under_another_key(&mut office.desk);
    let forged = office.accepts();
    let refused = office.phone.from(&office.desk, &forged).unwrap();
    let FromDesktop::Refused { request: RequestNumber(2), why: RefusedRequest::NoOffer, frames } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(office.desk.shows(&frames), ["Refused(NoOffer)"]);
    // Another machine with the same store, one request further, accepts the same offer as it should.
    copy.desk.random = crate::world::random::Seeded::new(9);
    copy.desk_says("never sent");
    let sound = copy.accepts();
    let refused = office.phone.from(&office.desk, &sound).unwrap();
    assert!(matches!(refused, FromDesktop::Refused { why: RefusedRequest::NoOffer, .. }), "{refused:?}");
    assert_eq!(office.standing_at_phone(), RelayStanding::Attached);
}
