//! Envelopes with encrypted headers, altered, cut, put together anew, replayed and made up: refused by name, nothing changed, and what was meant
//! opens afterwards.
//!
//! That a refusal changes no record is asserted by [`Device::run`] for every refusal here.

use outrigger::{AnswerRetry, Headers, OpenError, RetryError, SuitePolicy, VerifiedBundle};

use crate::world::{
    Device, Server, exchange, friends,
    hand::{ByHand, identity},
    headers_of_test,
    hidden::{FRONT, HEADER, assert_hidden, note, note_len, repeats},
    phone, strangers,
    wire::{Fields, Value, envelope},
};

/// Two devices that speak suite 1 with encrypted headers and have not met.
fn classic() -> (Device, Device, Server) {
    headers_of_test(Headers::Encrypted);
    let mut server = Server::default();
    let [ada, ben] = ["ada", "ben"].map(|name| {
        let mut device = Device { suites: SuitePolicy::Classic, ..Device::new(name) };
        device.publish(10, &mut server);
        device
    });
    (ada, ben, server)
}

/// Every bit altered, every byte cut off the end or the front, and bytes added anywhere near an edge.
fn altered(good: &[u8], bits: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for place in 0..good.len() {
        for bit in bits {
            let mut one = good.to_vec();
            one[place] ^= bit;
            all.push(one);
        }
        all.push(good[..place].to_vec());
        all.push([&FRONT[..], &good[place.max(3)..]].concat());
    }
    for place in [0, 1, 2, 3, 2 + HEADER, good.len() - 16, good.len()] {
        for added in [&[0][..], &[0x80], &[7; 16], &[0; 88], &[9; 186]] {
            all.push([&good[..place], added, &good[place..]].concat());
        }
    }
    all
}

const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Whether it is one of the errors for what is not what its sender made.
fn is_of_altered(error: &OpenError) -> bool {
    matches!(error, OpenError::Decode(_) | OpenError::NotAuthentic | OpenError::OutOfStep)
}

fn stands(receiver: &mut Device, from: &Device, good: &[u8], bits: &[u8]) {
    assert_hidden(good, from.headers);
    for one in altered(good, bits) {
        let error = receiver.refuses(from.address, &one);
        // With the second of the two bytes in front cleared it looks like a request in clear.
        let request = one.starts_with(&[1, 0]) && error == OpenError::RetryRequest;
        assert!(request || is_of_altered(&error), "{error:?}");
    }
    receiver.opens(from.address, good, b"true");
}

/// A message in its chain, one that brings a turn, and one that is late, in a settled session with one archived.
#[test]
fn every_bit_and_byte_of_a_message_counts() {
    let (mut ada, mut ben, mut server) = classic();
    for _ in 0..2 {
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    let turn = ada.send(ben.address, b"true");
    stands(&mut ben, &ada, &turn, &BITS);
    let late = ada.send(ben.address, b"true");
    let in_chain = ada.send(ben.address, b"true");
    stands(&mut ben, &ada, &in_chain, &BITS);
    stands(&mut ben, &ada, &late, &BITS);
}

#[test]
fn every_bit_and_byte_of_a_first_message_counts() {
    let (mut ada, mut ben, mut server) = classic();
    ada.start(ben.address, &mut server).unwrap();
    let first = ada.send(ben.address, b"true");
    stands(&mut ben, &ada, &first, &BITS);
    // Once its session is there, and it is not answered.
    let second = ada.send(ben.address, b"true");
    stands(&mut ben, &ada, &second, &BITS);
}

#[test]
fn every_byte_of_a_first_message_of_the_default_suite_counts() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let first = ada.send(ben.address, b"true");
    stands(&mut ben, &ada, &first, &[0x80]);
}

#[test]
fn every_bit_and_byte_of_a_retry_request_in_a_note_counts() {
    let (mut ada, mut ben, mut server) = classic();
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    let before = ada.store.clone();
    exchange(&mut ada, &mut ben);
    ada.store = before;
    let lost = ada.send(ben.address, b"lost");
    let request = ben.asks(ada.address, &lost);
    assert_eq!((request.len(), &request[..2]), (FRONT.len() + note_len(0), &FRONT[..]));
    assert_eq!(ada.refuses(ben.address, &request), OpenError::RetryRequest);
    for one in altered(&request, &BITS) {
        assert!(ada.receive(ben.address, &one).is_err());
        let answer = AnswerRetry { from: ben.address, request: &one, bundle: None, resend_to: None };
        let error = ada.run(&answer).unwrap_err();
        assert!(matches!(error, RetryError::Decode(_) | RetryError::NotAuthentic), "{error:?}");
    }
    // To another device, or in another's name, it is none.
    let mut cleo = Device::new("cleo");
    assert_eq!(cleo.refuses(ben.address, &request), OpenError::OutOfStep);
    let named = AnswerRetry { from: cleo.address, request: &request, bundle: None, resend_to: None };
    assert_eq!(ada.run(&named).unwrap_err(), RetryError::UnknownMessage);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert!(ben.opens(ada.address, &answer.envelope, b"lost").again);
    assert_eq!(ada.answers(ben.address, &request, &mut server), Err(RetryError::UnknownMessage));
}

/// A header says where its own text stands and no other's.
#[test]
fn headers_and_texts_do_not_change_places() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, _) = friends();
    let before = ada.send(ben.address, b"before");
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    let [turn, one, two, three] = ["turn", "one", "two", "three"].map(|text| ada.send(ben.address, text));
    let at = FRONT.len() + HEADER;
    let splice = |header: &[u8], text: &[u8]| [&header[..at], &text[at..]].concat();
    // Of a chain that has not begun it may be one that is forgotten; in a chain that is known it is a wrong tag.
    for (header, text) in [(&turn, &one), (&one, &turn), (&two, &before)] {
        assert_eq!(ben.refuses(ada.address, &splice(header, text)), OpenError::OutOfStep);
    }
    ben.opens(ada.address, &turn, b"turn");
    for (header, text) in [(&one, &two), (&two, &one), (&two, &three), (&before, &one), (&one, &before)] {
        let error = ben.refuses(ada.address, &splice(header, text));
        assert_eq!(error, OpenError::NotAuthentic);
    }
    for (message, text) in [(&one, "one"), (&three, "three"), (&two, "two"), (&before, "before")] {
        ben.opens(ada.address, message, text);
    }
    // Of messages whose keys are used up no mixture opens either, and none counts as the one that was opened.
    for (header, text) in [(&one, &two), (&before, &one)] {
        let error = ben.refuses(ada.address, &splice(header, text));
        assert!(matches!(error, OpenError::Duplicate | OpenError::KeyGone), "{error:?}");
    }
}

/// A note belongs to one envelope and to one device.
#[test]
fn a_note_opens_nothing_but_its_own_envelope_at_its_own_device() {
    let (mut ada, mut ben, mut server) = classic();
    ada.start(ben.address, &mut server).unwrap();
    let [one, two, three] = [0; 3].map(|_| ada.send(ben.address, b"true"));
    let at = FRONT.len() + note_len(1);
    let swap = |note: &[u8], rest: &[u8]| [&note[..at], &rest[at..]].concat();
    let without = |whole: &[u8]| [&FRONT[..], &whole[at..]].concat();
    let refuse_all = |ben: &mut Device| {
        for mixed in [swap(&one, &two), swap(&two, &three), swap(&three, &two)] {
            assert_eq!(ben.refuses(ada.address, &mixed), OpenError::NotAuthentic);
        }
    };
    refuse_all(&mut ben);
    assert_eq!(ben.refuses(ada.address, &without(&one)), OpenError::OutOfStep, "nothing says of what it is");
    ben.opens(ada.address, &one, b"true");
    // The session is there: the header opens, and still the note is missing.
    for message in [&two, &three] {
        assert_eq!(ben.refuses(ada.address, &without(message)), OpenError::NotAuthentic);
    }
    let doubled = [&two[..at], &two[2..]].concat();
    assert!(is_of_altered(&ben.refuses(ada.address, &doubled)));
    assert_eq!(ben.refuses(ada.address, &swap(&two, &three)), OpenError::NotAuthentic);
    // In front of a message that has none.
    exchange(&mut ben, &mut ada);
    let later = ada.send(ben.address, b"later");
    let noted = [&two[..at], &later[2..]].concat();
    assert_eq!(ben.refuses(ada.address, &noted), OpenError::OutOfStep, "of a chain that has not begun");
    let turn = ada.send(ben.address, b"turn");
    ben.opens(ada.address, &turn, b"turn");
    assert_eq!(ben.refuses(ada.address, &noted), OpenError::NotAuthentic);
    // At another device, and in another's name.
    let mut cleo = Device::new("cleo");
    cleo.publish(5, &mut server);
    assert_eq!(cleo.refuses(ada.address, &two), OpenError::OutOfStep);
    let missing = ben.refuses(cleo.address, &two);
    assert!(matches!(missing, OpenError::MissingPrekey(_)), "{missing:?}");
    for (message, text) in [(&later, "later"), (&three, "true"), (&two, "true")] {
        ben.opens(ada.address, message, text);
    }
}

/// One handshake, both forms: whichever comes first makes the session, and the other form opens nothing in it.
#[test]
fn a_session_keeps_the_form_that_made_it() {
    headers_of_test(Headers::Encrypted);
    let (_, mut ben, mut server) = strangers();
    let mallory = phone("mallory");
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let by = ByHand::start(&[0x41; 32], &[0x24; 32], &mallory, &bundle, ben.now);
    let hidden = |counter| by.seal_hidden(counter, b"\x01hello", &ben.identity);
    let messages = [
        [hidden(0), hidden(1), by.seal(0, b"\x01hello"), by.seal(1, b"\x01hello")],
        [by.seal(0, b"\x01hello"), by.seal(1, b"\x01hello"), hidden(0), hidden(1)],
    ];
    let fresh = ben.clone();
    for ([first, next, other, another], headers) in messages.iter().zip([Headers::Encrypted, Headers::Plain])
    {
        ben = fresh.clone();
        ben.opens(mallory, first, b"hello");
        assert_eq!(ben.describe(mallory).session.unwrap().headers, headers);
        for message in [other, another] {
            assert_eq!(ben.refuses(mallory, message), OpenError::NotAuthentic);
        }
        ben.opens(mallory, next, b"hello");
    }
}

/// An envelope in clear that names a hidden session, and a hidden one to a session in clear.
#[test]
fn an_envelope_of_the_other_form_is_refused_by_the_session_that_it_names() {
    headers_of_test(Headers::Plain);
    let (mut ada, mut ben, mut server) = friends();
    let clear = ada.send(ben.address, b"clear");
    ada.headers = Headers::Encrypted;
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    let session = ben.active(ada.address).unwrap();
    assert_eq!(ben.describe(ada.address).session.unwrap().headers, Headers::Encrypted);
    let named = Fields::envelope(&clear).with(envelope::SESSION_ID, Some(Value::Fixed64(session.0)));
    assert_eq!(ben.refuses(ada.address, &named.encode()), OpenError::NotAuthentic);
    let hidden = ada.send(ben.address, b"hidden");
    let clear_front = [&Fields::envelope(&clear).front[..], &hidden[2..]].concat();
    assert!(matches!(ben.refuses(ada.address, &clear_front), OpenError::Decode(_)));
    let hidden_front = [&FRONT[..], &clear[2..]].concat();
    assert!(is_of_altered(&ben.refuses(ada.address, &hidden_front)));
    // Every other pair of first bytes.
    for byte in 0..=255 {
        for front in [[byte, FRONT[1]], [FRONT[0], byte]] {
            if front != FRONT {
                let error = ben.refuses(ada.address, &[&front[..], &hidden[2..]].concat());
                let request = front == [1, 0] && error == OpenError::RetryRequest;
                assert!(request || matches!(error, OpenError::Decode(_)), "{front:?}: {error:?}");
            }
        }
    }
    ben.opens(ada.address, &hidden, b"hidden");
    ben.opens(ada.address, &clear, b"clear");
}

/// Notes that anyone can make: whatever they hold, a typed error, and no session.
#[test]
fn a_note_that_holds_anything_else_is_refused_by_name() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    let mallory = phone("mallory");
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let by = ByHand::start(&[0x41; 32], &[0x24; 32], &mallory, &bundle, ben.now);
    let text = by.note_text();
    let suite = bundle.suite(ben.suites).unwrap().to_byte();
    let session = ben.active(ada.address).unwrap();
    let renamed = |id: &[u8; 8]| [&id[..], &text[8..]].concat();
    let own = ben.identity;
    let texts = [
        vec![],
        vec![0; 3],
        text[..8].to_vec(),
        text[..text.len() - 1].to_vec(),
        [&text[..], &[1]].concat(),
        renamed(&[0; 8]),
        renamed(&session.0),
    ];
    for (place, text) in texts.iter().enumerate() {
        let whole = |kind, text: &[u8]| {
            let note = note(kind, text, &[0x51; 32], false, &own);
            by.seal_hidden_behind(&[&FRONT[..], &note].concat(), 0, b"\x01hello")
        };
        let error = ben.refuses(mallory, &whole(suite, text));
        assert!(matches!(error, OpenError::Decode(_) | OpenError::NotAuthentic), "{place}: {error:?}");
        // In the name of someone who has such a session.
        let error = ben.refuses(ada.address, &whole(suite, text));
        assert!(is_of_altered(&error), "{place}: {error:?}");
        if text.len() < 100 {
            let request = whole(0, text);
            assert_eq!(ben.refuses(mallory, &request), OpenError::RetryRequest);
            let answer = AnswerRetry { from: ada.address, request: &request, bundle: None, resend_to: None };
            assert!(ben.run(&answer).is_err());
            let bare = &request[..FRONT.len() + note_len(0)];
            let error = ben.run(&AnswerRetry { request: bare, ..answer }).unwrap_err();
            assert!(matches!(error, RetryError::Decode(_)), "{error:?}");
        }
    }
    // Keys that are none, a note that is filled up otherwise, and one without its end.
    for (first, last) in [(0, 0), (1, 0), (0xec, 0x7f), (0xed, 0x7f), (0xff, 0x7f), (0, 0x80), (0xff, 0xff)] {
        let mut bad = by.seal_hidden(0, b"\x01hello", &ben.identity);
        let middle = if first < 2 { 0 } else { 0xff };
        (bad[2], bad[33]) = (first, last);
        bad[3..33].fill(middle);
        assert_eq!(ben.refuses(mallory, &bad), OpenError::OutOfStep);
    }
    // Either top bit is good, and makes another note: the same session.
    for top in [false, true] {
        let note = note(suite, &text, &[0x52; 32], top, &ben.identity);
        let good = by.seal_hidden_behind(&[&FRONT[..], &note].concat(), u32::from(top), b"\x01hello");
        let mut other = good.clone();
        other[33] ^= 0x80;
        assert_eq!(ben.refuses(mallory, &other), OpenError::OutOfStep);
        ben.opens(mallory, &good, b"hello");
    }
    assert_eq!(ben.describe(mallory).identity_key, Some(identity(&[0x41; 32])));
    exchange(&mut ada, &mut ben);
}

/// A store that goes back, or that two processes have: no two messages share a string, so no nonce and no key of a note.
#[test]
fn l13_branches_of_one_store_share_nothing_on_the_wire() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let (mut snapshots, mut wire) = (vec![ada.store.clone()], Vec::new());
    for step in 0..10_u8 {
        let from_ada = matches!(step % 5, 0 | 1 | 3);
        let (from, to) = if from_ada { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
        let message = from.send(to.address, [step]);
        to.opens(from.address, &message, [step]);
        wire.push(message);
        snapshots.push(ada.store.clone());
    }
    for snapshot in snapshots.iter().chain(&snapshots) {
        for _ in 0..2 {
            ada.store = snapshot.clone();
            if let Ok(sent) = ada.try_send(ben.address, b"branch") {
                wire.push(sent.envelope);
            }
        }
    }
    assert!(wire.len() > 45, "{}", wire.len());
    assert!(wire.iter().all(|message| message.starts_with(&FRONT)));
    assert_eq!(repeats(&wire), 0);
}
