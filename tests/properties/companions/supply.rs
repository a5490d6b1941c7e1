//! What a companion is told by its phone: all of it, in order, once, and by nobody else.

use outrigger::{
    AccountId, Advice, AskSupply, ConfirmSupply, Content, Decision, DescribePeer, DeviceChange, Generation,
    OpenError, OpenSynced, PlanMessage, Receive, RecordKey, Recover, RemoveCompanion, SealSynced,
    SupplyCompanion, SupplyError, SupplyFrame, SupplyNumber, SupplyState, SyncEpoch, SyncError, TakeSupply,
    TakenSupply, TrustMark, UnixMillis,
};

use super::{
    fanout::{Town, town},
    household::Directory,
};
use crate::world::{DAY, Device};

/// The phone tells; what goes out, if anything.
fn supply(phone: &mut Device, to: &Device, accounts: &[AccountId]) -> Option<Vec<u8>> {
    phone.run(&SupplyCompanion { companion: to.address.device, accounts }).unwrap().envelope
}

/// The companion opens a frame, which it keeps.
fn open(companion: &mut Device, phone: &Device, envelope: &[u8]) -> SupplyFrame {
    let received = companion.run(&Receive { from: phone.address, envelope, associated_data: &[] }).unwrap();
    let Content::Supply(frame) = received.content else { panic!("{received:?}") };
    SupplyFrame::from_kept(frame.as_bytes().to_vec())
}

/// The phone hears how far the companion is.
fn hear(phone: &mut Device, companion: &Device, envelope: &[u8]) -> SupplyState {
    let received = phone.run(&Receive { from: companion.address, envelope, associated_data: &[] }).unwrap();
    let Content::SupplyTaken(taken) = received.content else { panic!("{received:?}") };
    phone.run(&ConfirmSupply { companion: companion.address.device, taken }).unwrap()
}

/// All the way.
fn deliver(phone: &mut Device, companion: &mut Device, envelope: &[u8]) -> TakenSupply {
    let frame = open(companion, phone, envelope);
    let taken = companion.run(&TakeSupply { frame: &frame }).unwrap();
    hear(phone, companion, &taken.acknowledgement);
    taken
}

/// A desktop that has never spoken with ben is told of him, and speaks with all his devices while the phone is off.
#[test]
fn a_companion_that_was_told_of_a_peer_works_alone() {
    let Town { mut directory, mut ada, mut desk, mut ben, mut den, .. } = town();
    let account = ben.address.account;
    ada.decide(ben.address, Decision::Verify(ben.identity)).unwrap();
    assert_eq!(desk.describe(ben.address).trust, TrustMark::Unknown);
    let told = supply(&mut ada, &desk, &[account]).unwrap();
    let taken = deliver(&mut ada, &mut desk, &told);
    assert_eq!(
        (taken.told.len(), taken.told[0].account, taken.told[0].trust),
        (1, account, TrustMark::Verified)
    );
    let appeared = |change: &DeviceChange| matches!(change, DeviceChange::Appeared(entry) if entry.device == den.address.device);
    assert!(taken.told[0].changes.iter().any(appeared));
    assert_eq!(desk.describe(ben.address).trust, TrustMark::Verified);

    // No list is fetched: the desk has it from the phone.
    let plan = desk.run(&PlanMessage { to: account }).unwrap();
    assert_eq!((plan.stale.len(), plan.missing.contains(&den.address)), (0, true));
    let sent = directory.send(&mut desk, account, b"alone").unwrap();
    directory.meet(&mut den, ada.address.account);
    ben.hears(desk.address, &sent, b"alone");
    den.hears(desk.address, &sent, b"alone");
}

/// Away for many updates: one frame brings all of them as they are now; what was taken is not told again.
#[test]
fn after_a_long_absence_a_companion_gets_what_it_missed_once_and_not_everything() {
    let mut directory = Directory::default();
    let mut ada = directory.phone("ada");
    let mut desk = directory.link(&mut ada, "desk");
    let peers: Vec<Device> = (0..6).map(|number| directory.phone(&format!("peer{number}"))).collect();
    let accounts: Vec<AccountId> = peers.iter().map(|peer| peer.address.account).collect();
    for account in &accounts {
        directory.meet(&mut ada, *account);
    }
    let first = supply(&mut ada, &desk, &accounts[..3]).unwrap();
    assert_eq!(deliver(&mut ada, &mut desk, &first).told.len(), 3);
    assert_eq!(supply(&mut ada, &desk, &accounts[..3]), None, "nothing has changed");

    // Five frames are lost, in which the fourth peer changes again and again.
    for round in 0..5 {
        let decision = match round % 2 {
            0 => Decision::Verify(peers[3].identity),
            _ => Decision::Unverify(peers[3].identity),
        };
        ada.decide(peers[3].address, decision).unwrap();
        supply(&mut ada, &desk, &accounts[3..4]).unwrap();
    }
    let all = supply(&mut ada, &desk, &accounts).unwrap();
    let taken = deliver(&mut ada, &mut desk, &all);
    let told: Vec<_> = taken.told.iter().map(|told| told.account).collect();
    assert_eq!(told, accounts[3..], "what was missed, and not what was taken");
    assert_eq!(desk.describe(peers[3].address).trust, TrustMark::Verified);
    assert_eq!(supply(&mut ada, &desk, &accounts), None);
}

/// Frames that come late, twice or out of order: the newest is taken once, older ones change nothing.
#[test]
fn frames_out_of_order_and_repeated_change_nothing() {
    let Town { mut directory, mut ada, mut desk, ben, .. } = town();
    let other = directory.phone("carol");
    directory.meet(&mut ada, other.address.account);
    let one = supply(&mut ada, &desk, &[ben.address.account]).unwrap();
    let two = supply(&mut ada, &desk, &[other.address.account]).unwrap();
    let later = open(&mut desk, &ada, &two);
    let taken = desk.run(&TakeSupply { frame: &later }).unwrap();
    assert_eq!(taken.told.len(), 2, "what frame one told is told again by frame two");
    let earlier = open(&mut desk, &ada, &one);
    let before = desk.store.contents();
    for frame in [&earlier, &later] {
        let again = desk.run(&TakeSupply { frame }).unwrap();
        assert!(again.again && again.told.is_empty());
    }
    let told = |(key, _): &(&RecordKey, &Vec<u8>)| {
        use outrigger::RecordKind::{Devices, SyncKeys, Taken};
        matches!(key.kind(), Devices | SyncKeys | Taken)
    };
    let after = desk.store.contents();
    assert!(before.iter().filter(told).eq(after.iter().filter(told)));
    let state = hear(&mut ada, &desk, &taken.acknowledgement);
    assert_eq!((state.outstanding, state.restarted), (0, false));
}

/// A key that the phone's user has accepted is accepted on the companion, which is told so; one that is in question is in question.
#[test]
fn the_phones_decision_on_a_changed_key_is_the_accounts() {
    let Town { mut directory, mut ada, mut desk, ben, .. } = town();
    let account = ben.address.account;
    let first = supply(&mut ada, &desk, &[account]).unwrap();
    deliver(&mut ada, &mut desk, &first);
    directory.send(&mut desk, account, b"a session under the old key").unwrap();

    let mut again = Device::empty("ben anew");
    again.address = ben.address;
    again.identity = again.run(&outrigger::Register { address: ben.address }).unwrap();
    ada.decide(ben.address, Decision::Suspect(again.identity)).unwrap();
    let suspected = supply(&mut ada, &desk, &[account]).unwrap();
    let taken = deliver(&mut ada, &mut desk, &suspected);
    assert_eq!((taken.told[0].trust, taken.told[0].key_changed), (TrustMark::Changed, false));
    assert_eq!(desk.describe(ben.address).offered, Some(again.identity));

    ada.decide(ben.address, Decision::Accept(again.identity)).unwrap();
    let accepted = supply(&mut ada, &desk, &[account]).unwrap();
    let taken = deliver(&mut ada, &mut desk, &accepted);
    assert!(taken.told[0].key_changed);
    assert!(matches!(taken.told[0].changes[..], [DeviceChange::Gone(_)]));
    let now = desk.describe(ben.address);
    assert_eq!((now.identity_key, now.session), (Some(again.identity), None));
}

/// L33, L34: a frame counts from the own phone alone. The same words from a sibling or a peer are refused, and stay closed.
#[test]
fn l34_nobody_but_the_own_phone_supplies() {
    let Town { mut directory, mut ada, mut desk, mut lab, mut ben, .. } = town();
    // The phone itself takes no supply, and a companion gives none.
    let told = supply(&mut ada, &desk, &[ben.address.account]).unwrap();
    let frame = open(&mut desk, &ada, &told);
    assert_eq!(ada.run(&TakeSupply { frame: &frame }).unwrap_err(), SupplyError::NotACompanion);
    assert_eq!(ben.run(&TakeSupply { frame: &frame }).unwrap_err(), SupplyError::NotACompanion);
    let by_companion = SupplyCompanion { companion: lab.address.device, accounts: &[ben.address.account] };
    assert_eq!(desk.run(&by_companion).unwrap_err(), SupplyError::NotThePhone);
    let by_stranger = SupplyCompanion { companion: lab.address.device, accounts: &[] };
    assert_eq!(ben.run(&by_stranger).unwrap_err(), SupplyError::UnknownDevice);
    // A frame that was meant for the desk does not open at the lab, and a sibling's acknowledgement is not the desk's.
    let elsewhere = Receive { from: ada.address, envelope: &told, associated_data: &[] };
    assert!(matches!(
        lab.run(&elsewhere).unwrap_err(),
        OpenError::OutOfStep | OpenError::NotAuthentic | OpenError::MissingPrekey(_)
    ));
    directory.send(&mut lab, ada.address.account, b"hello").unwrap();
    let taken = lab.run(&AskSupply).unwrap();
    let state = hear(&mut ada, &lab, &taken);
    assert_eq!(state.taken, SupplyNumber(0));
    assert!(supply(&mut ada, &desk, &[]).is_some(), "the desk has taken nothing yet");
}

/// A companion whose store went back finds the gap, says how far it is, and is told everything again.
#[test]
fn a_companion_that_went_back_is_told_everything_again() {
    let Town { mut directory, mut ada, mut desk, ben, .. } = town();
    let account = ben.address.account;
    directory.send(&mut desk, ada.address.account, b"settle").unwrap();
    let first = supply(&mut ada, &desk, &[account]).unwrap();
    let backup = desk.store.clone();
    deliver(&mut ada, &mut desk, &first);
    desk.store = backup;
    desk.generation = Generation([0x72; 16]);
    let records: Vec<RecordKey> = desk.store.0.keys().copied().collect();
    desk.run(&Recover { records: &records }).unwrap();

    ada.decide(ben.address, Decision::Verify(ben.identity)).unwrap();
    directory.start(&mut desk, ada.address).unwrap();
    let asked = desk.run(&AskSupply).unwrap();
    let state = hear(&mut ada, &desk, &asked);
    assert_eq!((state.taken, state.restarted), (SupplyNumber(0), true));
    let all = supply(&mut ada, &desk, &[account]).unwrap();
    let taken = deliver(&mut ada, &mut desk, &all);
    assert_eq!(taken.told.len(), 1);
    assert_eq!(desk.run(&DescribePeer { peer: ben.address }).unwrap().trust, TrustMark::Verified);
}

#[test]
fn a_frame_after_what_was_not_taken_is_a_gap() {
    let Town { mut ada, mut desk, ben, .. } = town();
    let told = supply(&mut ada, &desk, &[ben.address.account]).unwrap();
    let frame = open(&mut desk, &ada, &told);
    let before = desk.clone();
    desk.run(&TakeSupply { frame: &frame }).unwrap();
    // The phone thinks that frame 1 was taken, and this store never took it.
    ada.run(&ConfirmSupply { companion: desk.address.device, taken: SupplyNumber(1) }).unwrap();
    ada.decide(ben.address, Decision::Verify(ben.identity)).unwrap();
    let next = supply(&mut ada, &desk, &[ben.address.account]).unwrap();
    let mut behind = before;
    let frame = open(&mut behind, &ada, &next);
    let refused = behind.run(&TakeSupply { frame: &frame }).unwrap_err();
    assert_eq!(refused, SupplyError::Gap { taken: SupplyNumber(0), after: SupplyNumber(1) });
    assert_eq!(refused.advice(), Advice::AskSupply);
}

/// Sync keys: all devices hold the same, and a removed one does not hold the next.
#[test]
fn sync_keys_are_shared_and_leave_with_a_removed_companion() {
    let Town { mut ada, mut desk, mut lab, mut ben, .. } = town();
    let seal = |device: &mut Device, text: &[u8]| {
        device.run(&SealSynced { plaintext: text, associated_data: b"settings 1" })
    };
    let open_synced = |device: &mut Device, sealed: &[u8]| {
        device.run(&OpenSynced { sealed, associated_data: b"settings 1" }).map(|text| text.to_vec())
    };
    assert_eq!(seal(&mut desk, b"?").unwrap_err(), SyncError::NoKey);
    assert_eq!(seal(&mut ben, b"?").map(|_| ()), Ok(()), "ben has a companion of his own");
    for companion in [&mut desk, &mut lab] {
        let told = supply(&mut ada, companion, &[]).unwrap();
        deliver(&mut ada, companion, &told);
    }
    let sealed = seal(&mut desk, b"dark mode").unwrap();
    for device in [&mut ada, &mut desk, &mut lab] {
        assert_eq!(open_synced(device, &sealed).unwrap(), b"dark mode");
    }
    assert_eq!(open_synced(&mut ben, &sealed).unwrap_err(), SyncError::NotAuthentic);
    for place in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        assert!(open_synced(&mut lab, &altered).is_err(), "{place}");
    }
    let other = OpenSynced { sealed: &sealed, associated_data: b"settings 2" };
    assert_eq!(lab.run(&other).unwrap_err(), SyncError::NotAuthentic);

    // The lab is removed: the next key is drawn in the same step, and does not reach it.
    ada.run(&RemoveCompanion { device: lab.address.device }).unwrap();
    let after = seal(&mut ada, b"private").unwrap();
    assert_eq!(open_synced(&mut lab, &after).unwrap_err(), SyncError::UnknownEpoch(SyncEpoch(3)));
    let refused = ada.run(&SupplyCompanion { companion: lab.address.device, accounts: &[] }).unwrap_err();
    assert_eq!(refused, SupplyError::UnknownDevice);
    let told = supply(&mut ada, &desk, &[]).unwrap();
    deliver(&mut ada, &mut desk, &told);
    assert_eq!(open_synced(&mut desk, &after).unwrap(), b"private");
    assert_eq!(
        open_synced(&mut desk, &sealed).unwrap(),
        b"dark mode",
        "what was sealed before stays readable"
    );
}

/// A phone that came back from a backup has lost the keys that it drew since: its first list brings one of a later epoch, and no epoch stands for two keys.
#[test]
fn a_restored_phone_draws_a_sync_key_of_its_own_epoch() {
    let Town { mut directory, mut ada, mut desk, lab, .. } = town();
    let backup = ada.store.clone();
    directory.remove(&mut ada, lab.address.device);
    let told = supply(&mut ada, &desk, &[]).unwrap();
    deliver(&mut ada, &mut desk, &told);
    let lost = seal_synced(&mut desk, b"under the lost key");
    ada.wait(1);

    ada.store = backup;
    ada.generation = Generation([0x61; 16]);
    let records: Vec<RecordKey> = ada.store.0.keys().copied().collect();
    ada.run(&Recover { records: &records }).unwrap();
    let account = ada.address.account;
    directory.learn(&mut ada, account).unwrap();
    let error = ada.run(&OpenSynced { sealed: &lost, associated_data: b"" }).unwrap_err();
    assert_eq!(error, SyncError::UnknownEpoch(SyncEpoch(3)));
    let list = directory.renew(&mut ada);
    let sealed = seal_synced(&mut ada, b"after the restore");
    assert_eq!(sealed[1..5], list.epoch().0.to_be_bytes());
    // A renewal that follows brings none.
    directory.renew(&mut ada);
    assert_eq!(seal_synced(&mut ada, b"the same key")[1..5], sealed[1..5]);

    ada.publish(10, &mut directory.bundles);
    directory.learn(&mut desk, ada.address.account).unwrap();
    directory.start(&mut ada, desk.address).unwrap();
    // What it told since the backup has numbers that it does not use again.
    let told = supply(&mut ada, &desk, &[]).unwrap();
    assert!(!deliver(&mut ada, &mut desk, &told).again);
    assert_eq!(supply(&mut ada, &desk, &[]), None);
    for sealed in [&lost, &sealed] {
        desk.run(&OpenSynced { sealed, associated_data: b"" }).unwrap();
    }
    assert_eq!(seal_synced(&mut desk, b"under the newest")[1..5], list.epoch().0.to_be_bytes());
}

/// Whatever the clock says, each frame has a number above the last.
#[test]
fn a_wrong_clock_stops_no_supply() {
    let Town { mut directory, mut ada, mut desk, mut ben, .. } = town();
    let right = ada.now;
    for (round, wrong) in [right.plus(25_000 * DAY), UnixMillis(0), right].into_iter().enumerate() {
        ada.now = wrong;
        let list = directory.renew(&mut ben);
        ada.now = right;
        directory.learn(&mut ada, ben.address.account).unwrap();
        // Its companions lapse by this clock, too, until it signs by it.
        ada.now = wrong;
        directory.renew(&mut ada);
        let told = supply(&mut ada, &desk, &[ben.address.account]).unwrap();
        assert!(!deliver(&mut ada, &mut desk, &told).again, "{round}");
        let account = ben.address.account;
        let known = desk.run(&outrigger::DescribeDevices { account }).unwrap().list.unwrap();
        assert_eq!(known, list, "{round}");
    }
}

fn seal_synced(device: &mut Device, plaintext: &[u8]) -> Vec<u8> {
    device.run(&SealSynced { plaintext, associated_data: b"" }).unwrap()
}

/// More accounts than a frame holds: the rest waits, and comes when the first is taken.
#[test]
fn more_than_a_frame_holds_comes_in_turns() {
    let mut directory = Directory::default();
    let mut ada = directory.phone("ada");
    let mut desk = directory.link(&mut ada, "desk");
    let mut accounts = Vec::new();
    for number in 0..70 {
        let mut peer = Device::new(&format!("p{number}"));
        peer.publish(1, &mut directory.bundles);
        directory.meet(&mut ada, peer.address.account);
        accounts.push(peer.address.account);
    }
    let supplied = ada.run(&SupplyCompanion { companion: desk.address.device, accounts: &accounts }).unwrap();
    assert_eq!((supplied.told, supplied.waiting.len()), (64, 6));
    deliver(&mut ada, &mut desk, &supplied.envelope.unwrap());
    let rest = ada.run(&SupplyCompanion { companion: desk.address.device, accounts: &accounts }).unwrap();
    assert_eq!((rest.told, rest.waiting.len()), (6, 0));
    deliver(&mut ada, &mut desk, &rest.envelope.unwrap());
    assert!(accounts.iter().all(|account| {
        let peer = outrigger::Address::new(*account, outrigger::DeviceId::PHONE);
        desk.describe(peer).trust == TrustMark::Pinned
    }));
}

/// The safety number is the account's: the same on the phone, on the companion, and for every device of the peer. Whoever compared it has compared all of them.
#[test]
fn a_safety_number_is_the_accounts_on_every_device() {
    use outrigger::ShowSafetyNumber;
    let Town { mut directory, mut ada, mut desk, mut ben, den, .. } = town();
    let told = supply(&mut ada, &desk, &[ben.address.account]).unwrap();
    deliver(&mut ada, &mut desk, &told);
    let on_phone = ada.run(&ShowSafetyNumber { peer: ben.address }).unwrap();
    let on_desk = desk.run(&ShowSafetyNumber { peer: ben.address }).unwrap();
    let of_companion = desk.run(&ShowSafetyNumber { peer: den.address }).unwrap();
    let at_ben = ben.run(&ShowSafetyNumber { peer: desk.address }).unwrap();
    assert_eq!(on_phone.digits(), on_desk.digits());
    assert_eq!(on_phone.digits(), of_companion.digits());
    assert_eq!(on_phone.digits(), at_ben.digits());

    // A companion is trusted as its phone is.
    directory.send(&mut ben, ada.address.account, b"hello").unwrap();
    assert_eq!(ben.describe(desk.address).trust, TrustMark::Pinned);
    ben.decide(ada.address, Decision::Verify(ada.identity)).unwrap();
    assert_eq!(ben.describe(desk.address).trust, TrustMark::Verified);
    assert_eq!(ada.describe(desk.address).trust, TrustMark::Verified, "its key came by the camera");
    assert_eq!(desk.describe(ada.address).trust, TrustMark::Verified);
}

/// An account that is named twice is told of once, and what is told settles in three rounds of loading, also where it ends sessions.
#[test]
fn an_account_that_is_named_twice_is_told_once() {
    let Town { mut ada, mut desk, ben, .. } = town();
    let account = ben.address.account;
    let supplied = SupplyCompanion {
        companion: desk.address.device,
        accounts: &[account, account, ada.address.account],
    };
    let supplied = ada.run(&supplied).unwrap();
    assert_eq!(supplied.told, 1);
    assert_eq!(deliver(&mut ada, &mut desk, &supplied.envelope.unwrap()).told.len(), 1);
}
