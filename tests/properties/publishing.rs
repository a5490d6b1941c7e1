//! Prekeys from made to gone: offered once, confirmed, handed out, run out, replaced after the store went back.

use std::collections::BTreeSet;

use outrigger::{
    Advice, ConfirmPrekeys, DescribePrekeys, DeviceError, HandOutBundle, Limits, OpenError, RecordKind,
    ReplenishPrekeys, Start, StartError, Strength, UploadId, VerifiedBundle,
};

use sha2::{Digest, Sha256};

use crate::world::{DAY, Device, Server, exchange, strangers};

#[test]
fn an_upload_is_offered_then_confirmed_and_each_prekey_is_used_once() {
    let mut server = Server::default();
    let (mut ben, mut ada) = (Device::new("ben"), Device::new("ada"));
    let first = ben.publish(4, &mut server);
    let second = ben.publish(3, &mut server);
    assert_eq!((first.id.number, second.id.number), (0, 1));
    let label = b"outrigger v1 upload";
    let tagged = Sha256::digest([&[0, 0, 0, 19][..], label, &first.bundle].concat());
    assert_eq!(first.id.tag, tagged[..8]);
    assert_eq!(UploadId::from_bytes(&second.id.to_bytes()), second.id);
    assert!(first.id.to_bytes() < second.id.to_bytes());
    assert!(
        first.replaces && second.replaces,
        "what was there before is of another store, until one is confirmed"
    );
    let state = ben.run(&DescribePrekeys).unwrap();
    assert_eq!((state.offered, state.confirmed, state.direct), (7, 0, 0));
    assert_eq!(state.unconfirmed, [first.id, second.id]);
    let state = ben.run(&ConfirmPrekeys { upload: first.id }).unwrap();
    assert_eq!((state.offered, state.confirmed), (3, 4));
    let before = ben.store.clone();
    ben.run(&ConfirmPrekeys { upload: first.id }).unwrap();
    assert_eq!(ben.store, before, "confirmed already");

    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    let state = ben.run(&DescribePrekeys).unwrap();
    // The second upload took the first one's place at the server, since none was confirmed when it was made.
    assert_eq!((state.offered, state.confirmed), (2, 4), "used: gone in the step that made the session");
    // The last says it for all before.
    let state = ben.run(&ConfirmPrekeys { upload: second.id }).unwrap();
    assert_eq!((state.offered, state.confirmed, state.unconfirmed.len()), (0, 6, 0));
}

#[test]
fn a_prekey_is_offered_in_one_upload_only() {
    let mut ben = Device::new("ben");
    let mut seen = BTreeSet::new();
    for number in 0..8 {
        let upload = ben.run(&ReplenishPrekeys { one_time: 70 }).unwrap();
        assert_eq!(upload.id.number, number);
        assert!(upload.one_time_prekeys.iter().all(|field| seen.insert(field.clone())), "offered twice");
    }
    let state = ben.run(&DescribePrekeys).unwrap();
    assert_eq!((state.offered, ben.store.count(RecordKind::OneTimePrekey)), (500, 500));
}

#[test]
fn a_bundle_that_is_handed_out_has_a_prekey_that_no_server_sees() {
    let (mut ada, mut ben, server) = strangers();
    let handed = ben.run(&HandOutBundle).unwrap();
    assert_eq!(ben.run(&DescribePrekeys).unwrap().direct, 1);
    let bundle = VerifiedBundle::verify(&handed, &ben.address).unwrap();
    let field = bundle.one_time_prekey().unwrap().encoded();
    let stocked = server.0[&ben.address].one_time.iter();
    assert!(stocked.clone().count() == 10 && stocked.clone().all(|fields| fields[2..35] != field));
    ada.run(&Start { bundle: &bundle }).unwrap();
    assert_eq!(exchange(&mut ada, &mut ben).strength, Strength::Full);
    assert_eq!(ben.run(&DescribePrekeys).unwrap().direct, 0);
    // Without a signed prekey, or with one that is due, there is nothing to hand out.
    ben.wait(8 * DAY);
    let refused = ben.run(&HandOutBundle).unwrap_err();
    assert_eq!((refused, refused.advice()), (DeviceError::NoSignedPrekey, Advice::Replenish));
}

/// The store went back behind an upload: the server's number shows it, and what it has is replaced.
#[test]
fn a_server_that_is_ahead_shows_that_the_store_went_back() {
    let (mut ada, mut ben, mut server) = strangers();
    let before = ben.store.clone();
    let lost = ben.publish(10, &mut server);
    ben.store = before;
    // The first ten are still good, those of the lost upload are not: the app asks the server at its start.
    let state = ben.run(&ConfirmPrekeys { upload: lost.id }).unwrap();
    assert!(state.replaces);
    assert_eq!(state.next_upload, lost.id.number + 1);
    let upload = ben.publish(10, &mut server);
    assert!(upload.replaces && upload.id.number > lost.id.number);
    assert!(!ben.run(&ConfirmPrekeys { upload: upload.id }).unwrap().replaces);
    assert!(!ben.publish(1, &mut server).replaces, "once one of them is confirmed, no more");
    ada.start(ben.address, &mut server).unwrap();
    assert_eq!(exchange(&mut ada, &mut ben).strength, Strength::Full);
}

#[test]
fn depletion_is_seen_by_both_and_can_be_refused_by_either() {
    let (mut ada, mut ben, server) = strangers();
    let weak = server.fetch_weak(ben.address);
    let careful = Limits::DEFAULT.max_weak_starts(0);
    ada.limits = careful;
    let refused = ada.start_from(&weak, ben.address).unwrap_err();
    assert_eq!((refused, refused.advice()), (StartError::NoOneTimePrekey, Advice::Later));
    ada.limits = Limits::DEFAULT;
    assert_eq!(ada.start_from(&weak, ben.address).unwrap().strength, Strength::Weak);
    let envelope = ada.send(ben.address, b"hello");
    ben.limits = careful;
    let refused = ben.refuses(ada.address, &envelope);
    assert_eq!((refused, refused.advice()), (OpenError::TooManyWeakStarts, Advice::Replenish));
    ben.limits = Limits::DEFAULT;
    assert_eq!(ben.opens(ada.address, &envelope, b"hello").strength, Strength::Weak);
}

/// What a plan asks for, and when: later than due, within half a day, another time on another device.
#[test]
fn the_plan_fills_up_below_the_mark_and_spreads_devices_over_time() {
    let plans: BTreeSet<_> = (0..20)
        .map(|number| {
            let mut device = Device::new(&format!("device-{number}"));
            let plan = device.run(&ReplenishPrekeys { one_time: 0 }).unwrap().plan;
            let due = device.run(&DescribePrekeys).unwrap().signed_due;
            assert!((due.0..due.0 + DAY / 2).contains(&plan.replenish_at.0));
            assert_eq!((plan.one_time(plan.low_water), plan.one_time(0)), (0, plan.target));
            assert_eq!(plan.one_time(plan.low_water - 1), plan.target - plan.low_water + 1);
            plan.replenish_at
        })
        .collect();
    assert!(plans.len() > 15, "{} times for 20 devices", plans.len());
}

/// Another store's upload stands at the server under a number of this one: that what the server has is to be replaced is kept, although nothing else changes, so that
/// a late word about the own upload of that number does not take it back.
#[test]
fn a_number_that_two_stores_have_made_is_replaced_whatever_comes_late() {
    let mut ben = Device::new("ben");
    let own = ben.run(&ReplenishPrekeys { one_time: 2 }).unwrap();
    let other = UploadId { number: own.id.number, tag: [9; 8] };
    assert!(ben.run(&ConfirmPrekeys { upload: other }).unwrap().replaces);
    assert!(ben.run(&ConfirmPrekeys { upload: own.id }).unwrap().replaces);
    let next = ben.run(&ReplenishPrekeys { one_time: 2 }).unwrap();
    assert!(next.replaces);
    assert!(!ben.run(&ConfirmPrekeys { upload: next.id }).unwrap().replaces);
}
