//! Stores that go back in time: no key with the same nonce twice, repeats refused, nothing opened as something else.
//!
//! Equal session, ratchet key and counter mean an equal AEAD key (`docs/protocol.md`, section 7), so the wire shows when a key is used
//! again, and then the nonce must differ.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{Generation, OpenError, RecordError, SendError};

use crate::world::{
    Device, NOON, exchange, friends, headers_in_clear,
    store::Store,
    strangers,
    wire::{Fields, MessageKey},
};

/// Collects messages and refuses one whose key and nonce were both there before.
#[derive(Default)]
struct Nonces(BTreeMap<MessageKey, BTreeSet<[u8; 12]>>);

impl Nonces {
    fn add(&mut self, message: &[u8]) {
        let (key, nonce) = Fields::envelope(message).key_and_nonce().unwrap();
        assert!(self.0.entry(key).or_default().insert(nonce), "the same key and nonce twice");
    }

    fn keys_used_again(&self) -> usize {
        self.0.values().filter(|nonces| nonces.len() > 1).count()
    }
}

#[test]
fn l13_two_sends_from_one_record_use_one_key_and_two_nonces() {
    headers_in_clear();
    let (mut ada, mut ben, _) = friends();
    exchange(&mut ada, &mut ben);
    let snapshot = ada.store.clone();
    let one = ada.send(ben.address, b"one");
    ada.store = snapshot;
    let two = ada.send(ben.address, b"two");
    let ((key, nonce), (same_key, other_nonce)) =
        [&one, &two].map(|sent| Fields::envelope(sent).key_and_nonce().unwrap()).into();
    assert_eq!(key, same_key);
    assert_ne!(nonce, other_nonce);
}

/// A conversation of twelve steps from the very first message; ada speaks once from every snapshot of hers, and once more after each pair.
#[test]
fn l13_no_key_and_nonce_twice_on_any_two_branches() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let mut nonces = Nonces::default();
    let mut snapshots: Vec<(Store, Store)> = Vec::new();
    for step in 0..12 {
        let from_ada = matches!(step % 6, 0 | 1 | 3 | 4);
        let (from, to) = if from_ada { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
        let message = from.send(to.address, [step]);
        nonces.add(&message);
        to.opens(from.address, &message, [step]);
        snapshots.push((ada.store.clone(), ben.store.clone()));
    }
    let mut branch = |device: &mut Device, peer: &Device, store: &Store| {
        device.store = store.clone();
        for text in ["one", "two"] {
            nonces.add(&device.send(peer.address, text));
        }
    };
    for (one, (ada_then, ben_then)) in snapshots.iter().enumerate() {
        for (ada_later, ben_later) in &snapshots[one..] {
            branch(&mut ada, &ben, ada_then);
            branch(&mut ada, &ben, ada_later);
            branch(&mut ben, &ada, ben_then);
            branch(&mut ben, &ada, ben_later);
        }
    }
    assert!(nonces.keys_used_again() > 10, "the branches share keys, or this shows nothing");
}

#[test]
fn what_is_sent_after_a_roll_back_has_no_key_and_is_no_repeat() {
    let (mut ada, mut ben, _) = friends();
    exchange(&mut ada, &mut ben);
    let snapshot = ada.store.clone();
    let opened = ["one", "two", "three"].map(|text| {
        let message = ada.send(ben.address, text);
        ben.opens(ada.address, &message, text);
        message
    });
    ada.store = snapshot;
    for text in ["four", "five", "six"] {
        let message = ada.send(ben.address, text);
        assert_eq!(ben.refuses(ada.address, &message), OpenError::KeyGone);
    }
    for message in &opened {
        assert_eq!(ben.refuses(ada.address, message), OpenError::Duplicate);
    }
    // From there on the counters are new again, and the two still understand each other.
    let message = ada.send(ben.address, b"seven");
    ben.opens(ada.address, &message, b"seven");
    exchange(&mut ben, &mut ada);
}

/// Of two messages under one key the first that arrives opens, as itself, and the other never does.
#[test]
fn one_of_two_messages_under_one_key_opens_and_says_its_own_text() {
    for other_first in [false, true] {
        let (mut ada, mut ben, _) = friends();
        exchange(&mut ada, &mut ben);
        let snapshot = ada.store.clone();
        let before = ada.send(ben.address, b"before the roll-back");
        ada.store = snapshot;
        let after = ada.send(ben.address, b"after");
        let (opened, text, other) = match other_first {
            true => (&after, "after", &before),
            false => (&before, "before the roll-back", &after),
        };
        ben.opens(ada.address, opened, text);
        assert_eq!(ben.refuses(ada.address, other), OpenError::KeyGone);
        assert_eq!(ben.refuses(ada.address, opened), OpenError::Duplicate);
    }
}

/// Rolled back across a turn: the branch draws another ratchet key, which the peer cannot mistake for a next one.
#[test]
fn a_branch_across_a_turn_is_out_of_step_and_opens_nothing() {
    let (mut ada, mut ben, _) = friends();
    let due = ada.store.clone();
    exchange(&mut ada, &mut ben);
    ada.store = due;
    let branch = ada.send(ben.address, b"another key for the same turn");
    assert_eq!(ben.refuses(ada.address, &branch), OpenError::OutOfStep);
    let answer = ben.send(ada.address, b"to the key of the first branch");
    assert_eq!(ben.refuses(ada.address, &branch), OpenError::OutOfStep);
    assert_eq!(ada.refuses(ben.address, &answer), OpenError::OutOfStep);
}

/// A receiver that goes back opens again what it opened, as the same text, and nothing twice from then on.
#[test]
fn a_rolled_back_receiver_opens_the_same_again_and_only_once() {
    let (mut ada, mut ben, _) = friends();
    let snapshot = ben.store.clone();
    let messages = [0_u8, 1, 2].map(|text| ada.send(ben.address, [text]));
    for (text, message) in messages.iter().enumerate() {
        ben.opens(ada.address, message, [text as u8]);
    }
    ben.store = snapshot;
    for (text, message) in messages.iter().enumerate().rev() {
        ben.opens(ada.address, message, [text as u8]);
        assert_eq!(ben.refuses(ada.address, message), OpenError::Duplicate);
    }
}

/// The guard of the design against restored backups: a generation that the backup does not bring along.
#[test]
fn l13_a_restored_store_of_another_generation_sends_nothing() {
    let (mut ada, mut ben, _) = friends();
    let backup = ada.store.clone();
    exchange(&mut ada, &mut ben);
    ada.store = backup;
    ada.generation = Generation([0x68; 16]);
    assert_eq!(
        ada.try_send(ben.address, b"again").unwrap_err(),
        SendError::Record(RecordError::RestoredFromBackup)
    );
    let message = ben.send(ada.address, b"hello?");
    assert_eq!(ada.refuses(ben.address, &message), OpenError::Record(RecordError::RestoredFromBackup));
    assert_eq!(ada.now, NOON);
}
