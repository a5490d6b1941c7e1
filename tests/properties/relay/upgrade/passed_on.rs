//! What is sent to the phone alone is passed on to the desktop that has become a companion.

use outrigger::{AccountId, Address, DesktopConsent, DeviceId, OpenError, Origin, Receive, RelayReceive};

use super::{super::office::office, to_account};
use crate::{companions::household::Directory, world::BOUND};

/// What peers send by the list before, or leave the desktop out of, or send to the phone alone, the phone passes on; nothing else.
#[test]
fn what_does_not_reach_it_is_passed_on() {
    let mut office = office(DesktopConsent::Always);
    let account = office.phone.address.account;
    let early = to_account(&mut office.peer, account, "by no list");
    let mut directory = office.upgrade();

    let frames = office.phone_hears(&early);
    let (missed, origin, text) = office.passed_on(&frames[0]);
    let Origin::Peer { from, shared, .. } = origin else { panic!("{origin:?}") };
    assert_eq!((missed, from, shared, &*text), (0, office.peer.address, Some(early.id), "by no list"));

    // The list without the bundle: the peer leaves the desktop out.
    directory.learn(&mut office.peer, account).unwrap();
    let partly = to_account(&mut office.peer, account, "without the bundle");
    assert_eq!(partly.left_out.len(), 1);
    let frames = office.phone_hears(&partly);
    assert_eq!(office.passed_on(&frames[0]).2, "without the bundle");

    // To the phone alone.
    let frames = office.frames("for the phone");
    let (_, origin, text) = office.passed_on(&frames[0]);
    assert!(matches!(origin, Origin::Peer { shared: None, .. }));
    assert_eq!(text, "for the phone");

    // With the bundle it comes directly.
    office.desk.publish(10, &mut directory.bundles);
    let sent = directory.send(&mut office.peer, account, b"to both").unwrap();
    office.desk.hears(office.peer.address, &sent, b"to both");
    assert_eq!(office.phone_hears(&sent), Vec::<Vec<u8>>::new());

    // The epoch before that of another linking is still one that names it.
    let list = directory.renew(&mut office.phone);
    assert_eq!(list.epoch().0, 2);
    let sent = directory.send(&mut office.peer, account, b"by the first list").unwrap();
    office.desk.hears(office.peer.address, &sent, b"by the first list");
    assert_eq!(office.phone_hears(&sent), Vec::<Vec<u8>>::new());
}

/// What another companion has sent by the list before is passed on too, as said by this account.
#[test]
fn what_a_sibling_sent_by_the_list_before_is_passed_on() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = Directory { bundles: core::mem::take(&mut office.server), ..Directory::default() };
    let mut sibling = directory.link(&mut office.phone, "sibling");
    office.server = core::mem::take(&mut directory.bundles);
    directory.bundles = core::mem::take(&mut office.upgrade().bundles);

    let to = office.peer.address.account;
    let sent = directory.send(&mut sibling, to, b"from the sibling").unwrap();
    let (_, copy) = sent.copies.iter().find(|(to, _)| *to == office.phone.address).unwrap();
    let receive = RelayReceive { from: sibling.address, envelope: &copy.envelope, associated_data: BOUND };
    let desktops = office.phone.run(&receive).unwrap().desktops;
    let (_, origin, text) = office.passed_on(&desktops[0].frames[0]);
    assert_eq!((origin, &*text), (Origin::Own { to, shared: sent.id }, "from the sibling"));
}

/// Without a session to the companion nothing is passed on, and the next one that is says how many are missing.
#[test]
fn what_could_not_be_passed_on_is_counted() {
    let mut office = office(DesktopConsent::Always);
    let mut directory = office.upgrade();
    office.desk.publish(10, &mut directory.bundles);
    office.phone.recover(1, &mut directory.bundles);
    for text in ["one", "two"] {
        let sent = office.peer.send(office.phone.address, text);
        let told = office.phone_takes(&sent);
        assert!(told[0].suspended && told[0].frames.is_empty());
    }
    let account = office.phone.address.account;
    directory.learn(&mut office.phone, account).unwrap();
    directory.start(&mut office.phone, office.desk.address).unwrap();
    let frames = office.frames("three");
    assert_eq!((office.passed_on(&frames[0]).0, office.frames("four").len()), (2, 1));
    let frames = office.frames("five");
    assert_eq!(office.passed_on(&frames[0]).0, 0);
}

/// Only a phone passes things on.
#[test]
fn nobody_but_the_phone_passes_on() {
    let address = |name: &[u8]| Address::new(AccountId::new(name).unwrap(), DeviceId(7));
    // A stranger's desktop takes nothing of the kind from another desktop of its phone: its only session is with the phone.
    let mut office = office(DesktopConsent::Always);
    office.upgrade();
    let other = address(&[9; 16]);
    let frames = office.frames("passed on");
    let receive = Receive { from: other, envelope: &frames[0], associated_data: &[] };
    assert_eq!(office.desk.run(&receive).unwrap_err(), OpenError::OutOfStep);
    assert_eq!(office.passed_on(&frames[0]).2, "passed on");
}
