//! Another process writes between two rounds of loading: what one run saw is of no one moment, and must not be believed.

use std::{cell::RefCell, convert::Infallible};

use outrigger::{Context, Keep, Loaded, OpenError, Operation, Receive, RecordKind, Run, Send, drive};

use crate::world::{BOUND, Device, strangers};

/// Ada's first two messages, and Ben, who has opened neither.
fn two_first_messages() -> (Device, Device, [Vec<u8>; 2]) {
    let (mut ada, ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let envelopes = [b"one", b"two"].map(|text| ada.send(ben.address, text));
    (ada, ben, envelopes)
}

/// The second message's run reads the peer's record; then another process opens the first, and the one-time prekey is gone.
#[test]
fn a_refusal_of_what_was_torn_is_wrong_and_can_be_told() {
    let (ada, mut ben, [first, second]) = two_first_messages();
    let receive = Receive { from: ada.address, envelope: &second, associated_data: BOUND };
    let mut have = Loaded::new();
    let mut random = ben.random.clone();
    let mut context =
        Context::new(ben.now, ben.generation, &mut random).with_suites(ben.suites).with_headers(ben.headers);
    let mut round = 0;
    let refused = loop {
        match receive.run(&have, &mut context) {
            Ok(Run::Needs(needs)) => {
                round += 1;
                if round == 2 {
                    ben.opens(ada.address, &first, b"one");
                }
                have.answer(needs, |key| Ok::<_, Infallible>(ben.store.load(key))).unwrap();
            }
            Ok(Run::Done(_)) => panic!("it was not torn"),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, OpenError::MissingPrekey(_)));
    assert_eq!(have.is_unchanged(|key| Ok::<_, Infallible>(ben.store.load(key))), Ok(false));
    ben.opens(ada.address, &second, b"two");
}

#[test]
fn drive_looks_again_before_it_believes_a_refusal() {
    let (ada, ben, [first, second]) = two_first_messages();
    let receive = Receive { from: ada.address, envelope: &second, associated_data: BOUND };
    let mut random = ben.random.clone();
    let mut context =
        Context::new(ben.now, ben.generation, &mut random).with_suites(ben.suites).with_headers(ben.headers);
    let shared = RefCell::new(ben);
    let mut raced = false;
    let load = |_: &mut (), key: &outrigger::RecordKey| {
        if key.kind() != RecordKind::Peer && !raced {
            raced = true;
            shared.borrow_mut().opens(ada.address, &first, b"one");
        }
        Ok::<_, Infallible>(shared.borrow().store.load(key))
    };
    let store = |_: &mut (), writes: &[outrigger::Write], _: &outrigger::Received| {
        shared.borrow_mut().store.apply(writes)
    };
    let received = drive(&receive, &mut context, &mut (), load, store).unwrap();
    assert_eq!(received.content.text(), Some(&b"two"[..]));
}

/// Row locks are taken in the order of the writes.
#[test]
fn writes_come_in_the_order_of_their_keys() {
    let (mut ada, mut ben, [first, _]) = two_first_messages();
    let receive = Receive { from: ada.address, envelope: &first, associated_data: BOUND };
    let (writes, held) = ben.prepare(&receive).unwrap().split();
    assert!(writes.len() > 2 && writes.is_sorted_by_key(|write| *write.key()));
    assert_eq!(held.to_store().content.text(), Some(&b"one"[..]));
    let send = Send { to: ben.address, plaintext: b"x", associated_data: BOUND, keep: Keep::ForRetry };
    let (writes, _) = ada.prepare(&send).unwrap().split();
    assert!(writes.len() == 2 && writes.is_sorted_by_key(|write| *write.key()));
}
