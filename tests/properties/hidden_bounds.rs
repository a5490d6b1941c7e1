//! What noise costs that looks like envelopes with encrypted headers: bounded work, bounded memory, bounded answers, and nothing that is true is kept out.

use std::convert::Infallible;

use outrigger::{
    Advice, AnswerRetry, Context, Headers, Loaded, OpenError, Operation, Receive, RecordKey, RecordKind,
    RequestRetry, RetryError, Run,
};
use rand_core::Rng;

use crate::world::{
    BOUND, Device, exchange, friends, headers_of_test,
    hidden::{FRONT, LEAST},
    phone,
    random::Seeded,
};

/// Ben with a session that ada started and sixteen that are archived.
fn full_archive() -> (Device, Device) {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    ben.publish(20, &mut server);
    for _ in 0..17 {
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 16);
    (ada, ben)
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Seeded::new(seed).fill_bytes(&mut bytes);
    bytes.splice(..2, FRONT);
    bytes
}

/// Noise by the thousand, of every length that means something: nothing is opened, nothing kept but 64 digests, and what is true opens in between.
#[test]
fn a_storm_of_noise_changes_nothing_and_asks_for_no_more_than_the_budget() {
    let (mut ada, mut ben) = full_archive();
    let lengths = [LEAST, LEAST + 1, LEAST + 186, LEAST + 1_293, LEAST + 1_773, 228, 229, 5_000];
    let mut asked = 0;
    let mut most = ben.store.len() + 2_048;
    for round in 0..2_000 {
        let storm = noise(round, lengths[round as usize % lengths.len()]);
        let error = ben.refuses(ada.address, &storm);
        assert_eq!((error, error.advice()), (OpenError::OutOfStep, Advice::RequestRetry));
        match ben.run(&RequestRetry { from: ada.address, envelope: &storm, error }) {
            Ok(_) => asked += 1,
            Err(error) => assert!(matches!(error, RetryError::TooMany { .. }), "{error:?}"),
        }
        // A stranger's costs the same, and nobody is asked.
        let stranger = phone("stranger");
        assert_eq!(ben.refuses(stranger, &storm), OpenError::OutOfStep);
        let ask = RequestRetry { from: stranger, envelope: &storm, error };
        assert_eq!(ben.run(&ask).unwrap_err(), RetryError::UnknownPeer);
        if round % 100 == 0 {
            exchange(&mut ada, &mut ben);
            exchange(&mut ben, &mut ada);
            // Ben's own copies of what he sent.
            most += 512;
        }
        assert!(ben.store.len() < most, "{}", ben.store.len());
    }
    assert_eq!(asked, 64);
}

/// What noise makes a receiver read: a fixed number of records in few rounds, whoever has sent it.
#[test]
fn noise_makes_a_receiver_read_the_archive_once() {
    let (ada, mut ben) = full_archive();
    let storm = noise(1, 400);
    let mut have = Loaded::new();
    let mut context = Context::new(ben.now, ben.generation, &mut ben.random);
    let receive = Receive { from: ada.address, envelope: &storm, associated_data: BOUND };
    let (mut reads, mut rounds) = (0, 0);
    let error = loop {
        match receive.run(&have, &mut context) {
            Ok(Run::Needs(needs)) => {
                rounds += 1;
                let load = |key: &RecordKey| {
                    reads += 1;
                    Ok::<_, Infallible>(ben.store.load(key))
                };
                have.answer(needs, load).unwrap();
            }
            Ok(Run::Done(_)) => panic!("noise opened"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, OpenError::OutOfStep);
    // Sixteen sessions, the peer, the archive, and what a refusal or a start would want.
    assert!((18..=24).contains(&reads), "{reads} records");
    assert!(rounds <= 4, "{rounds} rounds");
}

/// Every length up to that of an envelope that holds something, and those around the limit.
#[test]
fn hostile_lengths_are_refused() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, _) = friends();
    const MOST: usize = 1 << 20;
    let around = [MOST - 1_900, MOST - 3, MOST - 2, MOST - 1, MOST, MOST + 1, MOST + 2];
    for len in (0..LEAST + 240).chain(around) {
        let mut bytes = noise(9, len.max(2));
        bytes.truncate(len);
        let error = ben.refuses(ada.address, &bytes);
        match (LEAST..=MOST).contains(&len) {
            true => assert_eq!(error, OpenError::OutOfStep, "{len}"),
            false => assert!(matches!(error, OpenError::Decode(_)), "{len}: {error:?}"),
        }
        let answer = AnswerRetry { from: ada.address, request: &bytes, bundle: None, resend_to: None };
        assert!(ben.run(&answer).is_err());
    }
    // A true header before a text that is longer than any.
    let good = ada.send(ben.address, b"good");
    let mut long = good.clone();
    long.resize(MOST, 0);
    let error = ben.refuses(ada.address, &long);
    assert!(matches!(error, OpenError::Decode(_) | OpenError::OutOfStep), "{error:?}");
    ben.opens(ada.address, &good, b"good");
    // The longest text there is, in a session and with a note.
    let longest = vec![7; 1_044_479];
    let envelope = ada.send(ben.address, &longest);
    ben.opens(ada.address, &envelope, &longest);
    assert!(ada.try_send(ben.address, vec![7; 1_044_480]).is_err());
}
