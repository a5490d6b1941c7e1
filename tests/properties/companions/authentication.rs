//! Companions live by the phone's signature: they lapse, resume, are removed, and leave.

use outrigger::{
    Content, DeviceList, FanOutError, Generation, LeaveAccount, LeaveError, OpenError, PlanMessage, Receive,
    RequestRetry, RetryError, SendError, StartError, Unlisted, VerifiedBundle,
};

use super::fanout::{Town, town};
use crate::world::{DAY, Device};

/// At the window's end and the tolerance companions send and are sent to; a millisecond later neither, and a new list is all that it takes.
#[test]
fn companions_lapse_to_the_millisecond_and_resume_with_the_next_list() {
    let Town { mut directory, mut ada, mut desk, mut ben, .. } = town();
    let (account, peer) = (ada.address.account, ben.address.account);
    directory.meet(&mut desk, peer);
    directory.send(&mut desk, peer, b"settle").unwrap();
    let unread = directory.send(&mut ben, account, b"settle").unwrap();
    let (_, unread) = unread.copies.iter().find(|(to, _)| *to == desk.address).unwrap();
    let list = DeviceList::verify(&directory.lists[&account], &account, &ada.identity).unwrap();
    let expired_at = list.expires_at();
    let end = expired_at.plus(DeviceList::CLOCK_TOLERANCE);

    for (now, lapsed) in [(end, false), (end.plus(1), true)] {
        for device in [&mut desk, &mut ben] {
            device.now = now;
        }
        // Ben's own list is as old; he renews it, so that only ada's is looked at.
        directory.renew(&mut ben);
        let by_desk = desk.run(&PlanMessage { to: peer });
        let alone = desk.try_send(ben.address, b"by itself");
        let to_desk = ben.try_send(desk.address, b"to the desk");
        let ask = RequestRetry { from: ben.address, envelope: &unread.envelope, error: OpenError::KeyGone };
        let asked = desk.clone().run(&ask);
        if lapsed {
            assert_eq!(asked.unwrap_err(), RetryError::Send(SendError::Lapsed { expired_at }));
            assert_eq!(by_desk.unwrap_err(), FanOutError::Lapsed { expired_at });
            let refused = alone.unwrap_err();
            assert_eq!(refused, SendError::Lapsed { expired_at });
            assert_eq!(refused.advice(), outrigger::Advice::AwaitPhone);
            assert_eq!(to_desk.unwrap_err(), SendError::Unlisted(Unlisted::Expired { expired_at }));
            desk.try_send(ada.address, b"wake up").expect("its own phone can be told");
        } else {
            asked.unwrap();
            by_desk.unwrap();
            alone.unwrap();
            to_desk.unwrap();
        }
    }
    // Nobody starts anything with a lapsed companion either.
    let list = DeviceList::verify(&directory.lists[&account], &account, &ada.identity).unwrap();
    let bundle = directory.bundles.fetch(desk.address);
    let verified = VerifiedBundle::verify_companion(
        &bundle,
        &directory.certificates[&desk.address],
        &desk.address,
        &list,
    );
    let refused = ben.run(&outrigger::Restart { bundle: &verified.unwrap() }).unwrap_err();
    assert!(matches!(refused, StartError::Unlisted(Unlisted::Expired { .. })));

    ada.now = end.plus(DAY);
    directory.renew(&mut ada);
    for device in [&mut desk, &mut ben] {
        device.now = ada.now;
        directory.learn(device, account).unwrap();
    }
    directory.renew(&mut ben);
    desk.try_send(ben.address, b"back").unwrap();
    ben.try_send(desk.address, b"welcome back").unwrap();
}

/// The window is the phone's to shorten.
#[test]
fn a_phone_can_sign_for_less_than_two_weeks() {
    let Town { mut directory, mut ada, mut desk, ben, .. } = town();
    ada.limits = ada.limits.list_window(2 * DAY);
    let list = directory.renew(&mut ada);
    assert_eq!(list.expires_at(), list.issued_at().plus(2 * DAY));
    directory.learn(&mut desk, ada.address.account).unwrap();
    directory.meet(&mut desk, ben.address.account);
    desk.now = list.expires_at().plus(DeviceList::CLOCK_TOLERANCE + 1);
    assert!(matches!(desk.try_send(ben.address, b"?"), Err(SendError::Lapsed { .. })));
}

/// After the step that removes it a companion gets nothing from anyone who knows, its messages are refused, and it reads nothing new.
#[test]
fn a_removed_companion_is_out_everywhere() {
    let Town { mut directory, mut ada, mut desk, mut lab, mut ben, mut den } = town();
    let (account, peer) = (ada.address.account, ben.address.account);
    directory.meet(&mut lab, peer);
    directory.meet(&mut den, account);
    let settled = directory.send(&mut lab, peer, b"settle").unwrap();
    ben.hears(lab.address, &settled, b"settle");
    let answer = directory.send(&mut ben, account, b"settled").unwrap();
    lab.hears(ben.address, &answer, b"settled");
    let sibling = directory.send(&mut desk, account, b"between us").unwrap();
    lab.sees(desk.address, account, &sibling, b"between us");
    let late = directory.send(&mut lab, peer, b"sent before, comes after").unwrap();

    directory.remove(&mut ada, lab.address.device);
    assert_eq!(ada.describe(lab.address).session, None, "ended in the step that signed the list");
    for device in [&mut desk, &mut ben, &mut den] {
        directory.learn(device, account).unwrap();
        assert_eq!(device.describe(lab.address).session, None);
    }
    // Its old session, and a new one.
    let refused = OpenError::Unlisted(Unlisted::NotListed);
    assert_eq!(ben.take(lab.address, &late).unwrap_err(), refused);
    let first = lab.send(den.address, b"let me in");
    assert_eq!(den.refuses(lab.address, &first), refused);
    let first = lab.send(ben.address, b"let me in");
    assert_eq!(ben.refuses(lab.address, &first), refused);
    // Nothing goes out to it.
    for device in [&mut ada, &mut desk, &mut ben] {
        let to = if device.address.account == account { peer } else { account };
        let sent = directory.send(device, to, b"without the lab").unwrap();
        assert!(sent.copies.iter().all(|(address, _)| *address != lab.address));
        assert!(device.try_send(lab.address, b"?").is_err());
        for (_, copy) in &sent.copies {
            let stolen = lab.run(&Receive {
                from: device.address,
                envelope: &copy.envelope,
                associated_data: crate::world::BOUND,
            });
            assert!(stolen.is_err());
        }
    }
    // And when it learns of it, it says nothing more.
    assert!(directory.learn(&mut lab, account).unwrap().removed);
    assert_eq!(lab.run(&PlanMessage { to: peer }).unwrap_err(), FanOutError::Removed);
    assert_eq!(lab.try_send(ben.address, b"?").unwrap_err(), SendError::Removed);
}

/// A companion leaves: it falls silent at once, and its phone removes it when the word comes.
#[test]
fn a_companion_that_leaves_is_silent_at_once_and_removed_by_its_phone() {
    let Town { mut directory, mut ada, mut desk, ben, mut lab, .. } = town();
    directory.meet(&mut lab, ben.address.account);
    directory.start(&mut lab, ada.address).unwrap();
    let word = lab.run(&LeaveAccount).unwrap();
    assert_eq!(lab.try_send(ben.address, b"one more thing").unwrap_err(), SendError::Removed);
    assert_eq!(lab.run(&PlanMessage { to: ben.address.account }).unwrap_err(), FanOutError::Removed);
    lab.run(&LeaveAccount).expect("the word can be said again");
    let heard = |device: &mut Device| {
        device
            .run(&Receive { from: lab.address, envelope: &word, associated_data: &[] })
            .map(|received| received.content)
    };
    assert!(heard(&mut desk).is_err(), "it is the phone's to hear");
    assert!(matches!(heard(&mut ada).unwrap(), Content::Leaves));
    directory.remove(&mut ada, lab.address.device);
    let learned = directory.learn(&mut desk, ada.address.account).unwrap();
    assert!(learned.list.entry(lab.address.device).is_none());
    assert_eq!(ada.run(&LeaveAccount).unwrap_err(), LeaveError::NotACompanion);
    assert_eq!(Device::new("carol").run(&LeaveAccount).unwrap_err(), LeaveError::NotACompanion);
}

/// A companion that came back from a backup is the same companion: it goes on with new sessions, and asks nobody's user.
#[test]
fn a_restored_companion_goes_on() {
    let Town { mut directory, ada, mut desk, mut ben, .. } = town();
    let peer = ben.address.account;
    directory.meet(&mut desk, peer);
    let sent = directory.send(&mut desk, peer, b"before").unwrap();
    ben.hears(desk.address, &sent, b"before");
    let backup = desk.store.clone();
    for text in [&b"one"[..], b"two"] {
        let sent = directory.send(&mut desk, peer, text).unwrap();
        ben.hears(desk.address, &sent, text);
    }
    desk.store = backup;
    desk.generation = Generation([0x64; 16]);
    let records: Vec<_> = desk.store.0.keys().copied().collect();
    desk.run(&outrigger::Recover { records: &records }).unwrap();
    desk.publish(5, &mut directory.bundles);
    directory.learn(&mut desk, ada.address.account).unwrap();
    let sent = directory.send(&mut desk, peer, b"after").unwrap();
    let received = ben.hears(desk.address, &sent, b"after");
    assert!(received.recovered);
    assert_eq!(ben.describe(desk.address).offered, None);
}
