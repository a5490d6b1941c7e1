//! Prekeys: how long they live, when their private halves are gone, and that each is spent once.

use std::collections::BTreeSet;

use outrigger::{
    ConfirmPrekeys, DescribePrekeys, DeviceError, OpenError, PrekeyId, PrekeyUpload, RecordKind,
    ReplenishPrekeys, StartError, UnixMillis, VerifiedBundle,
};

use crate::world::{
    DAY, Device, NOON, Server, by_suite, exchange, hand, headers_in_clear, strangers,
    wire::{Fields, envelope},
};

/// The signed prekey of a bundle.
fn signed_prekey(bundle: &[u8]) -> [u8; 32] {
    Fields::parse(bundle, 1).bytes(5)[1..].try_into().unwrap()
}

/// The private half of a public key, from the tape of the device that drew it.
fn private_half(device: &Device, public: &[u8; 32]) -> [u8; 32] {
    let draws = device.random.tape.iter().filter_map(|draw| draw.as_slice().try_into().ok());
    draws.into_iter().find(|private| hand::public(private) == *public).unwrap()
}

/// Whether any record holds a private key; the clamped bits at its ends are left out.
fn holds(device: &Device, private: &[u8; 32]) -> bool {
    device.store.holds(&private[1..31])
}

/// A message to ben from someone who fetched `bundle`.
fn first_message(bundle: &[u8], name: &str, ben: &Device) -> (Device, Vec<u8>) {
    let mut stranger = Device::new(name);
    stranger.start_from(bundle, ben.address).unwrap();
    let message = stranger.send(ben.address, b"hello");
    (stranger, message)
}

#[test]
fn a_signed_prekey_is_replaced_at_seven_days_and_not_before() {
    let (_, mut ben, mut server) = strangers();
    let first = ben.publish(0, &mut server);
    assert!((NOON.plus(7 * DAY)..NOON.plus(7 * DAY + DAY / 2)).contains(&first.plan.replenish_at));
    ben.wait(7 * DAY - 1);
    let same = ben.publish(0, &mut server);
    assert_eq!(signed_prekey(&same.bundle), signed_prekey(&first.bundle));
    ben.wait(1);
    let next = ben.publish(0, &mut server);
    assert_ne!(signed_prekey(&next.bundle), signed_prekey(&first.bundle));
    assert!((NOON.plus(14 * DAY)..NOON.plus(14 * DAY + DAY / 2)).contains(&next.plan.replenish_at));
}

#[test]
fn l8_a_replaced_signed_prekey_opens_for_30_days_and_its_private_half_leaves_every_record() {
    let (_, mut ben, mut server) = strangers();
    let bundle = server.fetch_weak(ben.address);
    let public = signed_prekey(&bundle);
    let private = private_half(&ben, &public);
    let id = PrekeyId::of(VerifiedBundle::verify(&bundle, &ben.address).unwrap().signed_prekey());
    ben.wait(7 * DAY);
    ben.publish(0, &mut server);
    assert!(holds(&ben, &private));

    ben.wait(30 * DAY - 1);
    ben.publish(0, &mut server);
    let (cleo, in_grace) = first_message(&bundle, "cleo", &ben);
    ben.opens(cleo.address, &in_grace, b"hello");
    assert!(holds(&ben, &private), "the last millisecond of its grace");
    ben.wait(1);
    let (dan, too_late) = first_message(&bundle, "dan", &ben);
    assert_eq!(ben.refuses(dan.address, &too_late), OpenError::MissingPrekey(id));
    ben.publish(0, &mut server);
    assert!(!holds(&ben, &private), "not in the session that used it either");
    assert_eq!(ben.refuses(dan.address, &too_late), OpenError::MissingPrekey(id));
    // Never again, whatever the clock says.
    ben.now = NOON;
    assert_eq!(ben.refuses(dan.address, &too_late), OpenError::MissingPrekey(id));
}

/// A session's own copy of the signed prekey goes with its first turn, and no archived session keeps one.
#[test]
fn l8_no_session_keeps_the_signed_prekey_that_made_it() {
    let (mut ada, mut ben, mut server) = strangers();
    let private = private_half(&ben, &signed_prekey(&server.fetch_weak(ben.address)));
    ada.start(ben.address, &mut server).unwrap();
    ada.send(ben.address, b"lost");
    exchange(&mut ada, &mut ben);
    ben.store.0.retain(|key, _| key.kind() != RecordKind::SignedPrekey);
    assert!(!holds(&ben, &private));
}

#[test]
fn l8_a_one_time_prekey_leaves_every_record_in_the_step_that_makes_the_session() {
    let (mut ada, mut ben, mut server) = strangers();
    let bundle = server.fetch(ben.address);
    let public: [u8; 32] = Fields::parse(&bundle, 1).bytes(7)[1..].try_into().unwrap();
    let private = private_half(&ben, &public);
    ada.start_from(&bundle, ben.address).unwrap();
    let first = ada.send(ben.address, b"hello");
    assert!(holds(&ben, &private));
    let receive =
        outrigger::Receive { from: ada.address, envelope: &first, associated_data: crate::world::BOUND };
    let step = ben.prepare(&receive).unwrap();
    // One step: the session is there and the prekey is not, in its record and in the list.
    step.commit(|writes, _| {
        let kinds: Vec<_> =
            writes.iter().map(|write| (write.key().kind(), write.bytes().is_some())).collect();
        assert!(kinds.contains(&(RecordKind::OneTimePrekey, false)));
        assert!(kinds.contains(&(RecordKind::Prekeys, true)));
        assert!(kinds.contains(&(RecordKind::Peer, true)));
        ben.store.apply(writes)
    })
    .unwrap();
    assert!(!holds(&ben, &private));
    assert!(!ben.store.holds(&hand::prekey_id(&public)));
    assert_eq!(ben.run(&ReplenishPrekeys { one_time: 0 }).unwrap().one_time_alive, 9);
}

#[test]
fn a_message_that_does_not_open_keeps_the_one_time_prekey() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let first = ada.send(ben.address, b"hello");
    let mut forged = first.clone();
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..20 {
        assert_eq!(ben.refuses(ada.address, &forged), OpenError::NotAuthentic);
    }
    assert_eq!(ben.store.count(RecordKind::OneTimePrekey), 10);
    ben.opens(ada.address, &first, b"hello");
}

/// Garbage that names each one-time prekey in turn burns none.
#[test]
fn l1_garbage_drains_no_one_time_prekey() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let first = Fields::envelope(&ada.send(ben.address, b"hello"));
    let handshake = Fields::parse(first.bytes(envelope::HANDSHAKE), 0);
    let keys: Vec<_> = ben.store.of(RecordKind::OneTimePrekey).map(|(key, _)| *key).collect();
    for key in keys {
        let named = handshake.with_bytes(4, &key.as_bytes()[1..]).encode();
        let forged = first.with_bytes(envelope::HANDSHAKE, &named).encode();
        if forged != first.encode() {
            // With a KEM the two ids must be of one prekey.
            let refusal = ben.refuses(ada.address, &forged);
            let mixed = by_suite([false, true, true]) && matches!(refusal, OpenError::MissingPrekey(_));
            assert!(refusal == OpenError::NotAuthentic || mixed, "{refusal}");
        }
    }
    assert_eq!(ben.store.count(RecordKind::OneTimePrekey), 10);
    ben.opens(ada.address, &first.encode(), b"hello");
}

#[test]
fn there_is_no_fall_back_from_four_diffie_hellmans_to_three() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    let bundle = server.fetch(ben.address);
    ada.start_from(&bundle, ben.address).unwrap();
    let first = ada.send(ben.address, b"hello");
    let id = PrekeyId::of(VerifiedBundle::verify(&bundle, &ben.address).unwrap().one_time_prekey().unwrap());
    let fields = Fields::envelope(&first);
    let without = Fields::parse(fields.bytes(envelope::HANDSHAKE), 0).with(4, None);
    let stripped = fields.with_bytes(envelope::HANDSHAKE, &without.encode()).encode();
    // With a KEM the id that is left is of no last resort.
    let refusal = ben.refuses(ada.address, &stripped);
    let mixed = by_suite([false, true, true]) && matches!(refusal, OpenError::MissingPrekey(_));
    assert!(refusal == OpenError::NotAuthentic || mixed, "{refusal}");
    ben.store.0.retain(|key, _| key.kind() != RecordKind::OneTimePrekey);
    assert_eq!(ben.refuses(ada.address, &first), OpenError::MissingPrekey(id));
}

/// X3DH digest, 8: a server that hands one key out twice must not shut the second one out.
#[test]
fn of_two_initiators_with_one_prekey_the_second_recovers_with_a_fresh_bundle() {
    let (mut ada, mut ben, mut server) = strangers();
    let mut cleo = Device::new("cleo");
    let bundle = server.fetch(ben.address);
    ada.start_from(&bundle, ben.address).unwrap();
    cleo.start_from(&bundle, ben.address).unwrap();
    exchange(&mut ada, &mut ben);
    let shut_out = cleo.send(ben.address, b"hello");
    assert!(matches!(ben.refuses(cleo.address, &shut_out), OpenError::MissingPrekey(_)));
    // Ben's app asks for a retry, as the error advises; cleo gives the session up and takes another bundle.
    cleo.restart(ben.address, &mut server).unwrap();
    exchange(&mut cleo, &mut ben);
    exchange(&mut ben, &mut cleo);
}

/// The way out that there is: the one who cannot open starts a session of his own, and both sides move to it.
#[test]
fn a_session_of_the_peers_replaces_one_that_cannot_be_opened() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    ben.store.0.retain(|key, _| key.kind() != RecordKind::OneTimePrekey);
    let lost = ada.send(ben.address, b"lost");
    assert!(matches!(ben.refuses(ada.address, &lost), OpenError::MissingPrekey(_)));
    assert_eq!(ada.start(ben.address, &mut server).unwrap_err(), StartError::AlreadyStarted);
    ben.wait(1);
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
}

#[test]
fn an_upload_is_put_together_by_concatenation() {
    let (_, mut ben, mut server) = strangers();
    let upload = ben.publish(7, &mut server);
    assert_eq!((upload.one_time_prekeys.len(), upload.one_time_alive), (7, 17));
    let alone = [&upload.bundle[..], &upload.last_resort].concat();
    let alone = VerifiedBundle::verify(&alone, &ben.address).unwrap();
    assert_eq!(alone.one_time_prekey(), None);
    assert_eq!(*alone.identity_key(), ben.identity);
    for field in upload.one_time_prekeys {
        let whole = VerifiedBundle::verify(&[&upload.bundle[..], &field].concat(), &ben.address).unwrap();
        assert_eq!(whole.one_time_prekey().unwrap().encoded(), field[2..35]);
        let twice = [&upload.bundle[..], &field, &field].concat();
        assert!(VerifiedBundle::verify(&twice, &ben.address).is_err());
    }
}

fn ids(upload: &PrekeyUpload) -> Vec<[u8; 16]> {
    let bare = |field: &[u8]| <[u8; 32]>::try_from(&field[3..35]).unwrap();
    upload.one_time_prekeys.iter().map(|field| hand::prekey_id(&bare(field))).collect()
}

#[test]
fn l1_prekey_ids_never_repeat_and_show_no_order() {
    let mut ben = Device::new("ben");
    let mut server = Server::default();
    let all: Vec<_> = (0..5).flat_map(|_| ids(&ben.publish(100, &mut server))).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 500);
    // As many steps up as down, give or take: a counter or a clock would show.
    let up = all.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((200..300).contains(&up), "{up} of 499 steps go up");
    // Nor does the store keep them in the order in which they were made.
    let stored: Vec<_> =
        ben.store.of(RecordKind::OneTimePrekey).map(|(key, _)| key.as_bytes()[1..].to_vec()).collect();
    assert_eq!(stored.len(), 500);
    assert_ne!(stored, all);
}

#[test]
fn five_hundred_one_time_prekeys_are_alive_and_the_oldest_make_room() {
    let mut ben = Device::new("ben");
    let mut server = Server::default();
    let oldest = ids(&ben.publish(2, &mut server));
    let [first] = ben.run(&DescribePrekeys).unwrap().unconfirmed[..] else { panic!("one upload") };
    ben.run(&ConfirmPrekeys { upload: first }).unwrap();
    let upload = ben.publish(498, &mut server);
    assert_eq!(upload.one_time_alive, 500);
    assert!(ben.store.holds(&oldest[0]) && ben.store.holds(&oldest[1]));
    let public: [u8; 32] = Fields::parse(&server.fetch(ben.address), 1).bytes(7)[1..].try_into().unwrap();
    let private = private_half(&ben, &public);
    let next = ben.publish(1, &mut server);
    assert_eq!((next.one_time_alive, ben.store.count(RecordKind::OneTimePrekey)), (500, 500));
    assert!(!ben.store.holds(&oldest[0]) && ben.store.holds(&oldest[1]), "the first made goes first");
    assert!(!holds(&ben, &private));
    for one_time in [501, u16::MAX] {
        let refusal = ben.run(&ReplenishPrekeys { one_time }).unwrap_err();
        assert_eq!(refusal, DeviceError::TooManyPrekeys { limit: 500 });
    }
    assert_eq!(ben.publish(500, &mut server).one_time_alive, 500);
    assert!(!ben.store.holds(&oldest[1]));
}

/// An outsider fetches every one-time prekey and uses none. The device must be able to go on publishing some.
#[test]
fn l1_a_drained_device_can_publish_one_time_prekeys_again() {
    let mut ben = Device::new("ben");
    let mut server = Server::default();
    for _ in 0..5 {
        ben.publish(100, &mut server);
        (0..100).for_each(|_| drop(server.fetch(ben.address)));
    }
    // Long after every message that could name one of them would be refused for its signed prekey.
    for _ in 0..30 {
        ben.wait(7 * DAY);
        ben.publish(0, &mut server);
    }
    let refill = ben.run(&ReplenishPrekeys { one_time: 100 });
    assert!(refill.is_ok(), "all sessions are weak from now on, for ever: {}", refill.unwrap_err());
}

#[test]
fn signed_prekeys_are_bounded_whatever_the_clock_does() {
    let mut ben = Device::new("ben");
    let mut server = Server::default();
    for turn in 0..100_u64 {
        ben.now = if turn % 2 == 0 { NOON.plus(turn * 7 * DAY) } else { UnixMillis(turn) };
        ben.publish(0, &mut server);
        assert!(ben.store.count(RecordKind::SignedPrekey) <= 16);
    }
    for now in [UnixMillis(0), UnixMillis(u64::MAX), UnixMillis(1), UnixMillis(u64::MAX)] {
        ben.now = now;
        ben.publish(1, &mut server);
        let bundle = server.fetch(ben.address);
        let mut stranger = Device::new("cleo");
        stranger.now = now;
        stranger.start_from(&bundle, ben.address).unwrap();
        let message = stranger.send(ben.address, b"hello");
        let mut ben = ben.clone();
        ben.opens(stranger.address, &message, b"hello");
        let answer = ben.send(stranger.address, b"hello");
        stranger.opens(ben.address, &answer, b"hello");
    }
}

#[test]
fn l50_a_clock_that_goes_back_locks_nothing_out_and_unlocks_nothing() {
    let (_, mut ben, mut server) = strangers();
    let bundle = server.fetch_weak(ben.address);
    ben.now = UnixMillis(NOON.0 - 400 * DAY);
    let same = ben.publish(0, &mut server);
    assert_eq!(signed_prekey(&same.bundle), signed_prekey(&bundle));
    let (cleo, message) = first_message(&bundle, "cleo", &ben);
    ben.opens(cleo.address, &message, b"hello");
}

/// L8, L50: one wrong clock, once, must not stop the rotation for the rest of the century.
#[test]
fn l50_a_prekey_made_under_a_clock_far_ahead_is_replaced_after_a_week_of_the_right_one() {
    let (_, mut ben, mut server) = strangers();
    ben.now = NOON.plus(75 * 365 * DAY);
    let ahead = ben.publish(0, &mut server);
    ben.now = NOON.plus(DAY);
    ben.publish(0, &mut server);
    ben.wait(8 * DAY);
    let later = ben.publish(0, &mut server);
    assert_ne!(signed_prekey(&later.bundle), signed_prekey(&ahead.bundle), "a week of true time has passed");
}

/// L8, L50: nor keep the private half of the one before it.
#[test]
fn l50_a_prekey_replaced_under_a_clock_far_ahead_is_deleted_in_the_end() {
    let (_, mut ben, mut server) = strangers();
    let private = private_half(&ben, &signed_prekey(&server.fetch_weak(ben.address)));
    ben.now = NOON.plus(75 * 365 * DAY);
    ben.publish(0, &mut server);
    ben.now = NOON.plus(DAY);
    for _ in 0..10 {
        ben.wait(7 * DAY);
        ben.publish(0, &mut server);
    }
    assert!(!holds(&ben, &private), "it opens first messages of 70 days ago");
}

/// L50: while nothing has opened in it a session is not replaced by accident; given up on purpose it is at once, whatever the clock says.
#[test]
fn l50_an_unanswered_start_is_given_up_on_purpose_only_and_at_any_time() {
    let (mut ada, mut ben, mut server) = strangers();
    let ahead = NOON.plus(75 * 365 * DAY);
    ada.now = ahead;
    ada.start(ben.address, &mut server).unwrap();
    let lost = ada.send(ben.address, b"lost");
    for now in [ahead, NOON, UnixMillis(0), NOON.plus(31 * DAY)] {
        ada.now = now;
        assert_eq!(ada.start(ben.address, &mut server).unwrap_err(), StartError::AlreadyStarted);
        ada.restart(ben.address, &mut server).unwrap();
        assert_eq!(ada.start(ben.address, &mut server).unwrap_err(), StartError::AlreadyStarted);
    }
    exchange(&mut ada, &mut ben);
    let active = ben.active(ada.address);
    ben.opens(ada.address, &lost, b"lost");
    assert_eq!(ben.active(ada.address), active);
    exchange(&mut ben, &mut ada);
    // Answered, it is replaced like any other.
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
}
