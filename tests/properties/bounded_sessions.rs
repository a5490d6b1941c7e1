//! What peers and strangers can make this device keep: archived sessions, memories of weak starts, and nothing of forged first messages.

use outrigger::{Decision, Limits, OpenError, RecordKind, UnixMillis, VerifiedBundle};

use crate::world::{
    DAY, Device, NOON, Server, exchange, friends,
    hand::ByHand,
    headers_in_clear, phone,
    wire::{Fields, Value, envelope},
};

/// A session is replaced again and again; each leaves a message under way, and a key of a skipped one.
fn replaced_sessions(count: usize, limits: Limits) -> (Device, Device, Vec<Vec<u8>>) {
    let (mut ada, mut ben, mut server) = friends();
    (ada.limits, ben.limits) = (limits, limits);
    ben.publish(u16::try_from(count).unwrap(), &mut server);
    let mut under_way = Vec::new();
    for _ in 0..count {
        under_way.push(ada.send(ben.address, b"under way"));
        exchange(&mut ada, &mut ben);
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    (ada, ben, under_way)
}

#[test]
fn sixteen_sessions_are_archived_and_the_oldest_goes_with_its_keys() {
    for (limits, kept) in [(Limits::DEFAULT, 16), (Limits::DEFAULT.max_archived(3), 3)] {
        let (ada, mut ben, under_way) = replaced_sessions(18, limits);
        for device in [&ada, &ben] {
            assert_eq!(device.store.count(RecordKind::ArchivedSession), kept);
            assert!(device.store.count(RecordKind::SkippedKeys) <= kept + 1);
            assert_eq!(device.store.count(RecordKind::Archive), 1);
        }
        for (age, message) in under_way.iter().rev().enumerate() {
            if age < kept {
                ben.opens(ada.address, message, b"under way");
            } else {
                assert_eq!(ben.refuses(ada.address, message), OpenError::OutOfStep);
            }
        }
    }
}

#[test]
fn l12_an_archived_session_opens_for_30_days_and_no_longer() {
    let (ada, mut ben, under_way) = replaced_sessions(2, Limits::DEFAULT);
    ben.wait(30 * DAY);
    ben.opens(ada.address, &under_way[0], b"under way");
    ben.wait(1);
    // It was archived at the same time, and its key was kept at the same time. Neither is young enough.
    assert!(ben.receive(ada.address, &under_way[1]).is_err());
}

/// The same, with a message in order, which no skipped key's age closes.
#[test]
fn l12_an_archived_session_opens_nothing_in_order_after_30_days() {
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    let in_old = ada.send(ben.address, b"in order");
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 1);
    ben.wait(30 * DAY);
    ben.clone().opens(ada.address, &in_old, b"in order");
    ben.wait(1);
    assert!(ben.receive(ada.address, &in_old).is_err(), "archived for at most 30 days");
}

#[test]
fn l12_archived_sessions_leave_the_store_with_their_age() {
    let (mut ada, mut ben, mut server) = friends();
    for _ in 0..3 {
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 3);
    ben.wait(30 * DAY + 1);
    ada.wait(30 * DAY + 1);
    ben.publish(1, &mut server);
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    for device in [&ada, &ben] {
        assert_eq!(device.store.count(RecordKind::ArchivedSession), 1, "the one that was just archived");
    }
}

/// 10,000 first messages that a stranger made up: with and without one-time prekey ids, of keys that exist and keys that do not.
#[test]
fn l9_ten_thousand_hostile_first_messages_leave_no_trace() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = friends();
    ada.start(ben.address, &mut server).unwrap();
    let under_way = ada.send(ben.address, b"under way");
    let sound = Fields::envelope(&under_way);
    let handshake = Fields::parse(sound.bytes(envelope::HANDSHAKE), 0);
    let mallory = phone("mallory");
    let before = ben.store.clone();
    for i in 0..10_000_u32 {
        let mut random = i.to_be_bytes().repeat(8);
        random[0] = 9;
        let forged = match i % 4 {
            0 => handshake.with_bytes(3, &random[..16]),
            1 => handshake.with_bytes(4, &random[..16]),
            2 => handshake.with(4, None),
            _ => handshake.clone(),
        };
        let forged = forged.with_bytes(2, &[&[5], &random[..31], &[0]].concat());
        let forged = sound
            .with(envelope::SESSION_ID, Some(Value::Fixed64(random[..8].try_into().unwrap())))
            .with_bytes(envelope::HANDSHAKE, &forged.encode())
            .encode();
        let from = if i % 8 < 4 { mallory } else { ada.address };
        let refusal = ben.refuses(from, &forged);
        assert!(matches!(refusal, OpenError::NotAuthentic | OpenError::MissingPrekey(_)), "{refusal}");
    }
    assert_eq!(ben.store, before);
    ben.opens(ada.address, &under_way, b"under way");
    exchange(&mut ben, &mut ada);
}

/// A real peer that starts session after session without a one-time prekey: 64 are remembered, and the next is refused until the signed prekey is gone.
#[test]
fn l2_weak_starts_are_bounded_by_refusal_and_not_by_forgetting() {
    let (mut ada, mut ben, mut server) = friends();
    let bundle = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
    let mallory = phone("mallory");
    let weak = |number: u16, bundle: &VerifiedBundle| {
        let mut ephemeral = [0x23; 32];
        ephemeral[1..3].copy_from_slice(&number.to_be_bytes());
        let started_at = NOON.plus(u64::from(number));
        ByHand::start(&[0x41; 32], &ephemeral, &mallory, bundle, started_at).seal(0, b"\x01spam")
    };
    let first: Vec<_> = (0..64).map(|number| weak(number, &bundle)).collect();
    for message in &first {
        ben.opens(mallory, message, b"spam");
    }
    let size = ben.store.len();
    for number in 64..300 {
        assert_eq!(ben.refuses(mallory, &weak(number, &bundle)), OpenError::TooManyWeakStarts);
    }
    assert_eq!(ben.store.len(), size);
    assert!(ben.store.count(RecordKind::ArchivedSession) <= 16);
    for message in &first {
        assert_eq!(ben.refuses(mallory, message), OpenError::Duplicate, "none is forgotten");
    }
    // Others are not touched by it, nor is a start of the same peer with a one-time prekey.
    exchange(&mut ada, &mut ben);
    ada.start_from(&server.fetch_weak(ben.address), ben.address).unwrap();
    exchange(&mut ada, &mut ben);
    let full = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let strong = ByHand::start(&[0x41; 32], &[0x24; 32], &mallory, &full, NOON.plus(400));
    ben.opens(mallory, &strong.seal(0, b"\x01strong"), b"strong");
    // A week later another signed prekey counts, and the old one is still held.
    ben.wait(7 * DAY);
    ben.publish(0, &mut server);
    let bundle = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
    assert_eq!(ben.refuses(mallory, &weak(500, &bundle)), OpenError::TooManyWeakStarts);
    ben.wait(30 * DAY);
    ben.publish(0, &mut server);
    let bundle = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
    ben.opens(mallory, &weak(501, &bundle), b"spam");
}

/// A peer that claims the last of all times for its session: bounded damage, which its victim can undo.
#[test]
fn l50_a_session_from_the_end_of_time_does_not_hold_a_pair_for_ever() {
    let (mut ada, ben, mut server) = friends();
    // Whoever once had ben's identity key can start this, from anywhere.
    let stolen_identity: [u8; 32] = ben.random.tape[0].as_slice().try_into().unwrap();
    let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    let forged = ByHand::start(&stolen_identity, &[0x24; 32], &ben.address, &bundle, UnixMillis(u64::MAX));
    let _ = ada.receive(ben.address, &forged.seal(0, b"\x01i am ben"));
    // Ben himself starts anew, and ada starts anew: one of the two must bring them back together.
    let mut ben = ben;
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);
    let by_ben = ben.active(ada.address) == ada.active(ben.address);
    let by_ada = ada.start(ben.address, &mut server).is_ok();
    assert!(by_ben || by_ada, "ada speaks with the thief from now on, whatever she and ben do");
}

/// The same, when the user has taken another key for ben: the sessions under the old key have ended, and so has what they claimed.
#[test]
fn l50_a_start_under_a_key_that_was_given_up_does_not_hold_the_next_key() {
    let (mut ada, ben, mut server) = friends();
    let stolen_identity: [u8; 32] = ben.random.tape[0].as_slice().try_into().unwrap();
    let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    let forged = ByHand::start(&stolen_identity, &[0x24; 32], &ben.address, &bundle, UnixMillis(u64::MAX));
    let _ = ada.receive(ben.address, &forged.seal(0, b"\x01i am ben"));
    let mut anew = Device::new("ben anew");
    anew.address = ben.address;
    anew.store = crate::world::store::Store::default();
    anew.identity = anew.run(&outrigger::Register { address: ben.address }).unwrap();
    let mut server = Server::default();
    anew.publish(5, &mut server);
    ada.decide(ben.address, Decision::Accept(anew.identity)).unwrap();
    let started = ada.start(ben.address, &mut server);
    assert!(started.is_ok(), "ada can start no session with ben's new device: {}", started.unwrap_err());
    exchange(&mut ada, &mut anew);
}
