//! Which list counts: every way in which a server, a thief or a backup can show a wrong one.

use outrigger::{
    Address, DescribeDevices, DeviceChange, DeviceId, DeviceList, Epoch, Generation, LearnDevices, ListError,
    PlanMessage, RecordKey, Recover, RemoveCompanion, RenewDevices, SendError, Standing, StartError,
    UnixMillis, Unlisted,
};

use super::{
    fanout::{Town, town},
    household::Directory,
};
use crate::world::{DAY, Device, NOON};

fn learn(device: &mut Device, of: &Device, list: &DeviceList) -> Result<outrigger::Learned, ListError> {
    device.run(&LearnDevices { account: of.address.account, list: list.as_bytes() })
}

/// L31: what appeared and what went is said, to peers and to the account's own companions.
#[test]
fn l31_every_change_of_devices_is_an_event_for_peers_and_siblings() {
    let Town { mut directory, mut ada, mut desk, lab, mut ben, .. } = town();
    let account = ada.address.account;
    let attic = directory.link(&mut ada, "attic");
    for device in [&mut desk, &mut ben] {
        let learned = directory.learn(device, account).unwrap();
        let appeared: Vec<_> = learned.changes.iter().collect();
        assert!(
            matches!(appeared[..], [DeviceChange::Appeared(entry)] if entry.device == attic.address.device)
        );
        assert_eq!(directory.learn(device, account).unwrap().changes, [], "said once");
    }
    directory.remove(&mut ada, lab.address.device);
    for device in [&mut desk, &mut ben] {
        let learned = directory.learn(device, account).unwrap();
        assert!(
            matches!(learned.changes[..], [DeviceChange::Gone(entry)] if entry.device == lab.address.device)
        );
    }
}

#[test]
fn an_older_list_is_refused_and_the_newest_again_changes_nothing() {
    let Town { mut directory, mut ada, mut ben, .. } = town();
    let old = directory.lists[&ada.address.account].clone();
    let new = directory.renew(&mut ada);
    learn(&mut ben, &ada, &new).unwrap();
    let refused = ben.run(&LearnDevices { account: ada.address.account, list: &old }).unwrap_err();
    assert_eq!(refused, ListError::RolledBack { known: new.epoch(), offered: Epoch(new.epoch().0 - 1) });
    let before = ben.store.contents();
    let again = learn(&mut ben, &ada, &new).unwrap();
    assert!(again.changes.is_empty() && !again.disputed);
    assert_eq!(ben.store.contents(), before);
}

/// Equivocation: two phones of one key (a clone, a thief) sign different lists of one epoch. Whoever meets both trusts neither, until a later one comes.
#[test]
fn two_lists_of_one_epoch_dispute_each_other_until_a_later_one_comes() {
    let Town { mut directory, mut ada, mut desk, lab, mut ben, .. } = town();
    let account = ada.address.account;
    directory.send(&mut ben, account, b"settle").unwrap();
    let mut clone = ada.clone();
    let one = ada.run(&RenewDevices).unwrap().list;
    clone.random = crate::world::random::Seeded::new(77);
    let other = clone.run(&RemoveCompanion { device: lab.address.device }).unwrap().list;
    assert_eq!((one.epoch(), one.incarnation()), (other.epoch(), other.incarnation()));
    assert_ne!(one.digest(), other.digest());
    for device in [&mut ben, &mut desk] {
        learn(device, &ada, &one).unwrap();
        let learned = learn(device, &ada, &other).unwrap();
        assert!(learned.disputed && learned.changes.is_empty());
        assert_eq!(learned.list, one, "what was on record stays, and counts no more");
        assert!(learn(device, &ada, &one).unwrap().disputed, "seeing the first again settles nothing");
    }
    let plan = ben.run(&PlanMessage { to: account }).unwrap();
    assert_eq!((plan.stale.contains(&account), plan.ready.contains(&desk.address)), (true, false));
    assert!(plan.ready.contains(&ada.address), "the phone itself is not in doubt");
    let refused = ben.try_send(desk.address, b"?").unwrap_err();
    assert_eq!(refused, SendError::Unlisted(Unlisted::Disputed));
    let later = directory.renew(&mut ada);
    for device in [&mut ben, &mut desk] {
        assert!(!learn(device, &ada, &later).unwrap().disputed);
    }
    ben.try_send(desk.address, b"again").unwrap();
}

/// Times at their exact boundaries: from the future, and expired.
#[test]
fn a_list_from_the_future_or_past_its_time_is_refused_to_the_millisecond() {
    let Town { mut directory, mut ada, ben, .. } = town();
    let tolerance = DeviceList::CLOCK_TOLERANCE;
    ada.wait(DAY);
    let list = directory.renew(&mut ada);
    assert_eq!((list.issued_at(), list.expires_at()), (ada.now, ada.now.plus(14 * DAY)));
    let at = |now: UnixMillis| {
        let mut ben = ben.clone();
        ben.now = now;
        learn(&mut ben, &ada, &list).map(|_| ())
    };
    let issued_at = list.issued_at();
    assert_eq!(at(UnixMillis(issued_at.0 - tolerance - 1)), Err(ListError::FromTheFuture { issued_at }));
    assert_eq!(at(UnixMillis(issued_at.0 - tolerance)), Ok(()));
    let expired_at = list.expires_at();
    assert_eq!(at(expired_at.plus(tolerance)), Ok(()));
    assert_eq!(at(expired_at.plus(tolerance + 1)), Err(ListError::Expired { expired_at }));
}

/// A phone registered anew under the same identity key cannot exist; one whose records of lists are gone, and who begins another line of lists, is refused.
#[test]
fn another_line_of_lists_under_the_same_key_is_refused() {
    let Town { mut directory, mut ada, mut ben, .. } = town();
    let lost = ada.store.0.keys().filter(|key| matches!(key.kind(), outrigger::RecordKind::Account));
    let lost: Vec<RecordKey> = lost.copied().collect();
    lost.iter().for_each(|key| drop(ada.store.0.remove(key)));
    directory.link(&mut ada, "attic");
    assert_eq!(directory.learn(&mut ben, ada.address.account).unwrap_err(), ListError::ForeignIncarnation);
}

#[test]
fn a_list_that_is_not_the_accounts_is_refused() {
    let Town { directory, mut ada, mut ben, mut desk, .. } = town();
    let (of_ada, of_ben) = (ada.address.account, ben.address.account);
    let offered = LearnDevices { account: of_ada, list: &directory.lists[&of_ben] };
    assert_eq!(ben.run(&offered).unwrap_err(), ListError::BadSignature);
    assert_eq!(desk.run(&RenewDevices).unwrap_err(), ListError::NotThePhone);
    assert_eq!(
        desk.run(&RemoveCompanion { device: desk.address.device }).unwrap_err(),
        ListError::NotThePhone
    );
    let mut altered = directory.lists[&of_ada].clone();
    for place in 0..altered.len() {
        altered[place] ^= 4;
        let refused = ben.run(&LearnDevices { account: of_ada, list: &altered }).unwrap_err();
        assert!(matches!(refused, ListError::BadSignature | ListError::Decode(_)), "{place}: {refused}");
        altered[place] ^= 4;
    }
    let mut carol = Device::new("carol");
    let unknown = carol.run(&LearnDevices { account: of_ada, list: &directory.lists[&of_ada] }).unwrap_err();
    assert_eq!(unknown, ListError::UnknownAccount);
    // Signed by the right key, and shown as another account's: the account stands in what is signed.
    let renamed = Address::new(outrigger::AccountId::new(&[b'z'; 16]).unwrap(), DeviceId::PHONE);
    let list = DeviceList::verify(&directory.lists[&of_ada], &renamed.account, &ada.identity).unwrap_err();
    assert_eq!(list, ListError::OtherAccount);
    assert!(ada.run(&DescribeDevices { account: of_ada }).unwrap().list.is_some());
}

/// A phone that came back from a backup would sign an epoch twice. It signs nothing before it has seen its newest list, and goes on from there.
#[test]
fn a_restored_phone_goes_on_from_its_newest_list() {
    let Town { mut directory, mut ada, mut desk, lab, mut ben, .. } = town();
    let account = ada.address.account;
    let backup = ada.store.clone();
    directory.remove(&mut ada, lab.address.device);
    let newest = directory.renew(&mut ada);
    learn(&mut ben, &ada, &newest).unwrap();

    ada.store = backup;
    ada.generation = Generation([0x61; 16]);
    let records: Vec<RecordKey> = ada.store.0.keys().copied().collect();
    ada.run(&Recover { records: &records }).unwrap();
    assert!(ada.run(&DescribeDevices { account }).unwrap().restored);
    assert_eq!(ada.run(&RenewDevices).unwrap_err(), ListError::NotSeenSinceRestore);
    assert_eq!(
        ada.run(&RemoveCompanion { device: lab.address.device }).unwrap_err(),
        ListError::NotSeenSinceRestore
    );
    // However old it is by now.
    ada.wait(30 * DAY);
    let learned = directory.learn(&mut ada, account).unwrap();
    assert!(matches!(learned.changes[..], [DeviceChange::Gone(entry)] if entry.device == lab.address.device));
    let next = directory.renew(&mut ada);
    assert_eq!(next.epoch(), Epoch(newest.epoch().0 + 1));
    ben.now = ada.now;
    desk.now = ada.now;
    assert_eq!(learn(&mut ben, &ada, &next).unwrap().changes, []);
    assert!(!learn(&mut desk, &ada, &next).unwrap().removed);
}

/// A phone whose clock was years ahead, or at the beginning of time: once it is right, so are its lists.
#[test]
fn a_wrong_clock_spoils_no_later_list() {
    for wrong in [NOON.plus(3_650 * DAY), UnixMillis(u64::MAX), UnixMillis(0)] {
        let Town { mut directory, mut ada, mut ben, .. } = town();
        let right = ada.now;
        ada.now = wrong;
        let spoilt = directory.renew(&mut ada);
        assert!(learn(&mut ben, &ada, &spoilt).is_err(), "{wrong:?}");
        ada.now = right;
        let next = directory.renew(&mut ada);
        assert_eq!((next.issued_at(), next.epoch()), (right, Epoch(spoilt.epoch().0 + 1)));
        learn(&mut ben, &ada, &next).unwrap();
    }
}

/// Stamps: who is behind is named on both sides, by the first message.
#[test]
fn a_stamp_says_which_side_is_behind() {
    let Town { mut directory, mut ada, mut desk, mut ben, .. } = town();
    let account = ada.address.account;
    directory.learn(&mut desk, account).unwrap();
    let first = directory.send(&mut ben, account, b"in step").unwrap();
    let view = ada.hears(ben.address, &first, b"in step").view.unwrap();
    assert_eq!((view.theirs, view.own), (Standing::Same, Standing::Same));
    // Ada takes another companion in: ben does not know it, nor does her desktop.
    let attic = directory.link(&mut ada, "attic");
    let stale = directory.send(&mut ben, account, b"to two of three").unwrap();
    assert!(stale.copies.iter().all(|(address, _)| *address != attic.address));
    let view = ada.hears(ben.address, &stale, b"to two of three").view.unwrap();
    assert_eq!((view.theirs, view.own), (Standing::Same, Standing::Ahead), "ben's view of ada is stale");
    let answer = directory.send(&mut ada, ben.address.account, b"I have a new one").unwrap();
    let view = ben.hears(ada.address, &answer, b"I have a new one").view.unwrap();
    assert_eq!((view.theirs, view.own), (Standing::Behind, Standing::Same), "ben is to fetch ada's list");
    // Her own desktop hears of the device that it has not witnessed by the stamp of its phone's copy.
    let view = desk.sees(ada.address, ben.address.account, &answer, b"I have a new one").view.unwrap();
    assert_eq!((view.theirs, view.own), (Standing::Behind, Standing::Behind));
    let learned = directory.learn(&mut desk, account).unwrap();
    assert_eq!(learned.changes.len(), 1);
}

/// A server that shows ben one list and ada's desktop another of the same epoch is found out by the first message between them.
#[test]
fn a_split_view_is_found_out_by_the_first_message() {
    let Town { mut directory, mut ada, mut desk, lab, mut ben, .. } = town();
    let account = ada.address.account;
    directory.send(&mut ben, account, b"settle").unwrap();
    let mut clone = ada.clone();
    clone.random = crate::world::random::Seeded::new(78);
    let for_ben = ada.run(&RenewDevices).unwrap().list;
    let for_desk = clone.run(&RemoveCompanion { device: lab.address.device }).unwrap().list;
    learn(&mut ben, &ada, &for_ben).unwrap();
    learn(&mut desk, &ada, &for_desk).unwrap();
    let sent = directory.send(&mut ben, account, b"hello desk").unwrap();
    let view = desk.hears(ben.address, &sent, b"hello desk").view.unwrap();
    assert_eq!(view.own, Standing::Disputed);
}

/// Bundles are verified against a list; what starts a session looks at the list on record again.
#[test]
fn a_bundle_verified_by_an_old_list_starts_nothing_once_the_list_has_changed() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let desk = directory.link(&mut ada, "desk");
    directory.meet(&mut ben, ada.address.account);
    let list = ben.run(&DescribeDevices { account: ada.address.account }).unwrap().list.unwrap();
    let bundle = directory.bundles.fetch(desk.address);
    let certificate = &directory.certificates[&desk.address];
    let verified =
        outrigger::VerifiedBundle::verify_companion(&bundle, certificate, &desk.address, &list).unwrap();
    directory.remove(&mut ada, desk.address.device);
    directory.learn(&mut ben, ada.address.account).unwrap();
    let refused = ben.run(&outrigger::Start { bundle: &verified }).unwrap_err();
    assert_eq!(refused, StartError::Unlisted(Unlisted::NotListed));
}
