//! The life cycle of every operation: it asks, it is pure, it happens when its step is stored and not before, and it trusts no record.

use std::{cell::Cell, convert::Infallible};

use outrigger::{
    Batch, Context, DecideIdentity, Decision, DriveError, Keep, LearnNumber, Loaded, OpenError, Operation,
    Receive, RecordKey, RecordKind, Rejected, ReplenishPrekeys, Run, Send, Start, Unanswered, VerifiedBundle,
    Write, drive,
};

use crate::world::{
    BOUND, Device, NOON, Server,
    cast::{Cast, cast},
    exchange,
    hand::ByHand,
    phone, strangers,
};

/// How many times an operation asks, where each time it gets all that it asked for.
fn rounds<O: Operation>(device: &mut Device, operation: &O) -> usize {
    let mut have = Loaded::new();
    let mut context = Context::new(device.now, device.generation, &mut device.random);
    let mut asked = Vec::new();
    for round in 0..100 {
        match operation.run(&have, &mut context) {
            Ok(Run::Needs(needs)) => {
                assert!(!needs.keys().is_empty(), "it asks for nothing");
                for key in needs.keys() {
                    assert!(!asked.contains(key), "{key:?} was answered before");
                    asked.push(*key);
                }
                have.answer(needs, |key| Ok::<_, Infallible>(device.store.load(key))).unwrap();
            }
            Ok(Run::Done(_)) | Err(_) => return round,
        }
    }
    panic!("it never settles");
}

#[test]
fn every_operation_settles_in_at_most_three_rounds() {
    let Cast { mut ben, mut ada, bundle, cleo, first, in_order, late, archived, statement } = cast();
    let mut server = Server::default();
    ben.publish(30, &mut server);
    // Sixteen archived sessions: the next one drops another, which must be read first.
    for _ in 0..17 {
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 16);
    ada.start(ben.address, &mut server).unwrap();
    let replaces = ada.send(ben.address, b"replaces");
    let receive = |from: &Device, envelope| {
        rounds(&mut ben.clone(), &Receive { from: from.address, envelope, associated_data: BOUND })
    };
    let most = [&first, &in_order, &late, &archived].map(|envelope| receive(&cleo, envelope));
    let most =
        most.into_iter().chain([&first, &in_order, &late, &archived, &replaces].map(|it| receive(&ada, it)));
    assert!(most.max().unwrap() <= 3);
    let peer = ada.address;
    let accept = DecideIdentity { peer, decision: Decision::Accept(cleo.identity) };
    assert!(rounds(&mut ben.clone(), &accept) <= 3);
    assert!(rounds(&mut ben.clone(), &Start { bundle: &bundle }) <= 3);
    assert!(rounds(&mut ben.clone(), &ReplenishPrekeys { one_time: 1 }) <= 3);
    assert!(rounds(&mut ben.clone(), &LearnNumber { account: peer.account, statement: &statement }) <= 3);
    // A batch is an operation too: of messages that each need what the one before it writes.
    let mut envelopes = Vec::new();
    for _ in 0..6 {
        let envelope = ada.send(ben.address, b"next");
        ben.clone().opens(ada.address, &envelope, b"next");
        envelopes.push(envelope);
    }
    let receives: Vec<_> = envelopes
        .iter()
        .rev()
        .map(|envelope| Receive { from: peer, envelope, associated_data: BOUND })
        .collect();
    assert!(rounds(&mut ben, &Batch(&receives)) <= 3);
}

/// A batch whose every envelope makes a session that pushes another out of the archive.
#[test]
fn a_batch_of_first_messages_settles_in_at_most_three_rounds() {
    let (_, mut ben, server) = strangers();
    let bundle = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
    let mallory = phone("mallory");
    let envelope = |number: u8| {
        let started_at = NOON.plus(u64::from(number));
        ByHand::start(&[0x41; 32], &[number; 32], &mallory, &bundle, started_at).seal(0, b"\x01x")
    };
    for number in 1..=17 {
        ben.opens(mallory, &envelope(number), b"x");
    }
    let envelopes: Vec<_> = (18..28).map(envelope).collect();
    let receives: Vec<_> = envelopes
        .iter()
        .map(|envelope| Receive { from: mallory, envelope, associated_data: BOUND })
        .collect();
    let rounds = rounds(&mut ben, &Batch(&receives));
    assert!(rounds <= 3, "{rounds} rounds");
}

#[test]
fn what_was_not_answered_is_asked_again_and_never_taken_for_absent() {
    let cast = cast();
    let (ben, ada) = (&cast.ben, &cast.ada);
    let mut random = ben.random.clone();
    let mut context = Context::new(ben.now, ben.generation, &mut random);
    let receive = Receive { from: ada.address, envelope: &cast.in_order, associated_data: BOUND };
    for _ in 0..3 {
        assert!(matches!(receive.run(&Loaded::new(), &mut context), Ok(Run::Needs(_))));
    }
    let mut have = Loaded::new();
    let Ok(Run::Needs(needs)) = receive.run(&have, &mut context) else { panic!("it asks") };
    let key = needs.keys()[0];
    let elsewhere = *ben.store.of(RecordKind::Device).next().unwrap().0;
    let unanswered = have.answer_with(needs, [(elsewhere, None)]);
    assert_eq!(unanswered, Err(Unanswered(key)));
    let Ok(Run::Needs(needs)) = receive.run(&have, &mut context) else { panic!("it asks again") };
    let failed = have.answer(needs, |_| Err("disk"));
    assert_eq!(failed, Err("disk"));
    let Ok(Run::Needs(needs)) = receive.run(&have, &mut context) else { panic!("and again") };
    // Absent is an answer, and another one than not loaded.
    have.answer_with(needs, [(key, None)]).unwrap();
    let run = (0..3).find_map(|_| match receive.run(&have, &mut context) {
        Ok(Run::Needs(needs)) => {
            let absent: Vec<_> = needs.keys().iter().map(|key| (*key, None)).collect();
            have.answer_with(needs, absent).unwrap();
            None
        }
        other => Some(other.map(drop)),
    });
    assert_eq!(run, Some(Err(OpenError::OutOfStep)));
}

/// The bytes of a step.
fn written<T>(step: outrigger::Step<T>) -> Vec<(RecordKey, Option<u64>, Option<Vec<u8>>)> {
    let (writes, _held) = step.split();
    let write = |write: &Write| {
        (*write.key(), write.replaces().map(|revision| revision.0), write.bytes().map(<[u8]>::to_vec))
    };
    writes.iter().map(write).collect()
}

#[test]
fn the_same_inputs_and_the_same_randomness_make_the_same_step() {
    let cast = cast();
    let (ben, peer) = (&cast.ben, cast.ada.address);
    let send = Send { to: peer, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry };
    let twice = [(); 2].map(|()| written(ben.clone().prepare(&send).unwrap()));
    assert_eq!(twice[0], twice[1]);
    let start = Start { bundle: &cast.bundle };
    let twice = [(); 2].map(|()| written(ben.clone().prepare(&start).unwrap()));
    assert_eq!(twice[0], twice[1]);
    let receive = Receive { from: cast.cleo.address, envelope: &cast.first, associated_data: BOUND };
    let mut other_randomness = ben.clone();
    other_randomness.random = crate::world::random::Seeded::new(1);
    let twice = [ben.clone(), other_randomness].map(|mut ben| written(ben.prepare(&receive).unwrap()));
    assert_eq!(twice[0], twice[1], "receiving draws nothing");
    assert_eq!(ben.clone().prepare(&receive).map(drop), Ok(()));
    let drawn = ben.random.tape.len();
    let mut ben = ben.clone();
    ben.opens(cast.cleo.address, &cast.first, b"first");
    assert_eq!(ben.random.tape.len(), drawn);
}

#[test]
fn a_commit_that_fails_releases_nothing_and_changes_nothing() {
    let Cast { mut ben, ada, in_order, .. } = cast();
    let receive = Receive { from: ada.address, envelope: &in_order, associated_data: BOUND };
    let before = ben.store.clone();
    let step = ben.prepare(&receive).unwrap();
    let seen = Cell::new(false);
    let failed = step.commit(|writes, received| {
        seen.set(!writes.is_empty() && received.content.text() == Some(b"in order"));
        Err("disk full")
    });
    assert_eq!(failed.map(drop), Err("disk full"));
    assert!(seen.get(), "the transaction sees the output, to store it along");
    let mut context = Context::new(ben.now, ben.generation, &mut ben.random);
    let failed = drive(
        &receive,
        &mut context,
        &mut ben.store,
        |store, key| Ok(store.load(key)),
        |_, _, _| Err(Rejected::Failed("disk full")),
    );
    assert!(matches!(failed, Err(DriveError::Store("disk full"))));
    let failed = drive(&receive, &mut context, &mut ben.store, |_, _| Err("no disk"), |_, _, _| Ok(()));
    assert!(matches!(failed, Err(DriveError::Store("no disk"))));
    drop(context);
    assert_eq!(ben.store, before);
    ben.opens(ada.address, &in_order, b"in order");
}
