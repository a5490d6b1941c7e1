//! The life cycle of every operation: it asks, it is pure, it happens when its step is stored and not before, and it trusts no record.

use std::{cell::Cell, convert::Infallible};

use outrigger::{
    AnswerRetry, Batch, ConfirmPrekeys, Context, DecideIdentity, Decision, DescribePrekeys, Diagnose,
    DriveError, HandOutBundle, Headers, Keep, LearnNumber, Loaded, OpenError, Operation, Receive, RecordKey,
    RecordKind, Recover, Rejected, ReplenishPrekeys, RequestRetry, Run, Send, Start, Tidy, Unanswered,
    UploadId, VerifiedBundle, Write, drive,
};

use crate::world::{
    BOUND, DAY, Device, NOON, Server,
    cast::{Cast, cast},
    exchange, friends,
    hand::ByHand,
    headers, headers_in_clear, phone, strangers,
    wire::{Fields, envelope},
};

/// How many times an operation asks, where each time it gets all that it asked for.
pub(crate) fn rounds<O: Operation>(device: &mut Device, operation: &O) -> usize {
    let mut have = Loaded::new();
    let mut context = Context::new(device.now, device.generation, &mut device.random)
        .with_suites(device.suites)
        .with_headers(device.headers)
        .with_limits(device.limits);
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
    let Cast {
        mut ben,
        mut ada,
        bundle,
        cleo,
        first,
        in_order,
        late,
        archived,
        statement,
        gone,
        request,
        ..
    } = cast();
    let mut server = Server::default();
    ben.publish(30, &mut server);
    ada.publish(30, &mut server);
    fill_archive(&mut ada, &mut ben, &mut server);
    ada.start(ben.address, &mut server).unwrap();
    let replaces = ada.send(ben.address, b"replaces");
    let receive = |ben: &Device, from: &Device, envelope| {
        rounds(&mut ben.clone(), &Receive { from: from.address, envelope, associated_data: BOUND })
    };
    let mut most = Vec::new();
    for from in [&ada, &cleo] {
        for envelope in [&first, &in_order, &late, &archived, &gone, &request, &replaces] {
            most.push(receive(&ben, from, envelope));
        }
    }
    assert!(most.iter().all(|rounds| *rounds <= 3), "{most:?}");
    let peer = ada.address;
    let accept = DecideIdentity { peer, decision: Decision::Accept(cleo.identity) };
    assert!(rounds(&mut ben.clone(), &accept) <= 3);
    assert!(rounds(&mut ben.clone(), &Start { bundle: &bundle }) <= 3);
    assert!(rounds(&mut ben.clone(), &ReplenishPrekeys { one_time: 1 }) <= 3);
    // Where there is no room for them, others go.
    assert!(rounds(&mut ben.clone(), &ReplenishPrekeys { one_time: 500 }) <= 3);
    assert!(rounds(&mut ben.clone(), &LearnNumber { account: peer.account, statement: &statement }) <= 3);
    assert!(rounds(&mut ben.clone(), &HandOutBundle) <= 3);
    assert!(rounds(&mut ben.clone(), &DescribePrekeys) <= 3);
    assert!(rounds(&mut ben.clone(), &ConfirmPrekeys { upload: UploadId { number: 9, tag: [0; 8] } }) <= 3);
    assert!(rounds(&mut ben.clone(), &Diagnose { peer }) <= 3);
    assert!(rounds(&mut ben.clone(), &Tidy { peer }) <= 3);
    ben.wait(40 * DAY);
    assert!(rounds(&mut ben.clone(), &Tidy { peer }) <= 3, "with all of it to delete");
    let keys: Vec<_> = ben.store.0.keys().copied().collect();
    assert_eq!(rounds(&mut ben, &Recover { records: &keys }), 1);
}

/// Starts until sixteen sessions are archived on both sides: the next one drops another, which must be read first.
fn fill_archive(ada: &mut Device, ben: &mut Device, server: &mut Server) {
    for _ in 0..17 {
        ada.start(ben.address, server).unwrap();
        exchange(ada, ben);
        exchange(ben, ada);
    }
    assert_eq!(ada.store.count(RecordKind::ArchivedSession), 16);
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 16);
}

/// Asking, answering with a new session over a full archive, and opening that answer, which makes a session over a full archive itself.
#[test]
fn every_step_of_a_retry_settles_in_at_most_three_rounds() {
    let (mut ada, mut ben, mut server) = friends();
    ben.publish(30, &mut server);
    fill_archive(&mut ada, &mut ben, &mut server);
    let wanted = ada.sends(ben.address, b"wanted", Keep::ForRetry).envelope;
    let anew = retry_rounds(&ada, &ben, &server, &wanted, true);
    assert!(anew.iter().all(|rounds| *rounds <= 3), "with a new session: {anew:?}");
    // Ben has opened more of the session since: it is alive, and the answer goes into it.
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    let within = retry_rounds(&ada, &ben, &server, &wanted, false);
    assert!(within.iter().all(|rounds| *rounds <= 3), "in the session: {within:?}");
}

/// Rounds of asking for a message, of refusing to answer without a bundle, of answering, of opening the answer, and of both envelopes that come after it.
fn retry_rounds(ada: &Device, ben: &Device, server: &Server, wanted: &[u8], anew: bool) -> Vec<usize> {
    let (mut ada, mut ben, mut server) = (ada.clone(), ben.clone(), server.clone());
    let ask = RequestRetry { from: ada.address, envelope: wanted, error: OpenError::KeyGone };
    let mut most = vec![rounds(&mut ben.clone(), &ask)];
    let request = ben.run(&ask).unwrap().request;
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let answer = AnswerRetry { from: ben.address, request: &request, bundle: Some(&bundle), resend_to: None };
    most.push(rounds(&mut ada.clone(), &AnswerRetry { bundle: None, ..answer }));
    most.push(rounds(&mut ada.clone(), &answer));
    let answer = ada.run(&answer).unwrap();
    assert_eq!(answer.restarted, anew);
    let receive = |envelope| Receive { from: ada.address, envelope, associated_data: BOUND };
    most.push(rounds(&mut ben.clone(), &receive(&answer.envelope)));
    assert!(ben.opens(ada.address, &answer.envelope, b"wanted").again);
    most.push(rounds(&mut ben.clone(), &receive(&answer.envelope)));
    most.push(rounds(&mut ben, &receive(wanted)));
    most
}

/// A repeat, a lost key or a late message of an archived session: the peer, the session, its keys with what was opened before.
#[test]
fn every_refusal_of_an_envelope_settles_in_at_most_three_rounds() {
    headers_in_clear();
    let Cast { mut ben, ada, cleo, first, in_order, late, archived, gone, .. } = cast();
    let mut most = Vec::new();
    let receive = |from: &Device, envelope| Receive { from: from.address, envelope, associated_data: BOUND };
    for (from, envelope, text) in [
        (&ada, &in_order, &b"in order"[..]),
        (&ada, &late, b"late"),
        (&ada, &archived, b"archived"),
        (&cleo, &first, b"first"),
    ] {
        ben.opens(from.address, envelope, text);
        most.push(rounds(&mut ben.clone(), &receive(from, envelope)));
    }
    most.push(rounds(&mut ben, &receive(&ada, &gone)));
    // Another chain of the archived session, after a gap.
    let fields = Fields::envelope(&archived);
    let mut key = fields.bytes(envelope::RATCHET_KEY).to_vec();
    key[5] ^= 1;
    let forged = fields.with_bytes(envelope::RATCHET_KEY, &key).with_number(envelope::COUNTER, 3).encode();
    assert_eq!(
        ben.refuses(ada.address, &forged),
        OpenError::Duplicate,
        "it has the tag of one that was opened"
    );
    most.push(rounds(&mut ben, &receive(&ada, &forged)));
    assert!(most.iter().all(|rounds| *rounds <= 3), "{most:?}");
}

/// A batch is an operation too: of messages that each need what the one before it writes, at most three rounds however many they are.
#[test]
fn a_long_batch_settles_in_at_most_three_rounds() {
    let (mut ada, mut ben, mut server) = friends();
    ben.publish(10, &mut server);
    let texts: Vec<_> = (0..70_u8).map(|place| [place; 3]).collect();
    for settled in [true, false] {
        if !settled {
            ada.start(ben.address, &mut server).unwrap();
        }
        let sends: Vec<_> = texts
            .iter()
            .map(|text| Send {
                to: ben.address,
                plaintext: text,
                associated_data: BOUND,
                keep: Keep::ForRetry,
            })
            .collect();
        assert!(rounds(&mut ada.clone(), &Batch(&sends)) <= 3, "sends");
        let envelopes: Vec<_> =
            ada.run(&Batch(&sends)).unwrap().into_iter().map(|sent| sent.unwrap().envelope).collect();
        let mut receives: Vec<_> = envelopes
            .iter()
            .map(|envelope| Receive { from: ada.address, envelope, associated_data: BOUND })
            .collect();
        assert!(rounds(&mut ben.clone(), &Batch(&receives)) <= 3, "in order");
        receives.reverse();
        assert!(rounds(&mut ben.clone(), &Batch(&receives)) <= 3, "backwards");
        let twice = [&receives[..], &receives[..]].concat();
        assert!(rounds(&mut ben.clone(), &Batch(&twice)) <= 3, "twice");
        ben.run(&Batch(&receives)).unwrap().into_iter().for_each(|done| drop(done.unwrap()));
        assert!(rounds(&mut ben.clone(), &Batch(&receives)) <= 3, "again");
    }
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
    let mut context =
        Context::new(ben.now, ben.generation, &mut random).with_suites(ben.suites).with_headers(ben.headers);
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
    // What shows no session may be a first message, and needs an identity key to be looked at.
    let hidden = headers() == Headers::Encrypted;
    assert_eq!(run, Some(Err(if hidden { OpenError::NotRegistered } else { OpenError::OutOfStep })));
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
    macro_rules! same {
        ($($operation:expr),* $(,)?) => {$(
            let twice = [(); 2].map(|()| written(ben.clone().prepare(&$operation).unwrap()));
            assert_eq!(twice[0], twice[1], "{}", stringify!($operation));
        )*};
    }
    let ask = RequestRetry { from: peer, envelope: &cast.gone, error: OpenError::KeyGone };
    let answer = AnswerRetry { from: peer, request: &cast.request, bundle: None, resend_to: None };
    let anew = AnswerRetry { request: &cast.request_anew, bundle: Some(&cast.bundle), ..answer };
    same! {
        Start { bundle: &cast.bundle }, ReplenishPrekeys { one_time: 3 }, HandOutBundle,
        ConfirmPrekeys { upload: UploadId { number: 3, tag: [0; 8] } }, Tidy { peer }, ask, answer, anew,
    }
    let receive = Receive { from: cast.cleo.address, envelope: &cast.first, associated_data: BOUND };
    let keys: Vec<_> = ben.store.0.keys().copied().collect();
    let recovers = || {
        let mut ben = ben.clone();
        ben.generation.0[0] ^= 1;
        ben
    };
    let recover = Recover { records: &keys };
    let mut with_other_randomness = recovers();
    with_other_randomness.random = crate::world::random::Seeded::new(1);
    let twice = [recovers(), with_other_randomness].map(|mut ben| written(ben.prepare(&recover).unwrap()));
    assert_eq!(twice[0], twice[1], "recovering draws nothing");
    assert_eq!(twice[0].len(), keys.len());
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
    let mut context = Context::new(ben.now, ben.generation, &mut ben.random)
        .with_suites(ben.suites)
        .with_headers(ben.headers);
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
