//! Padding: lengths say less, whatever else stands in a message, and come off again at whoever opens it.

use std::{collections::BTreeSet, num::NonZeroU16};

use outrigger::{
    EnvelopeDescription, Headers, Keep, OpenError, Padding, PlanMessage, RetryOutcome, Send, VerifiedBundle,
};

use crate::{
    companions::household::Directory,
    world::{BOUND, friends, headers_of_test, strangers},
};

fn multiple(bytes: u16) -> Padding {
    Padding::Multiple(NonZeroU16::new(bytes).unwrap())
}

/// All texts of up to a bucket have one length; the next byte goes into the next. The recipient need not pad.
#[test]
fn short_messages_look_alike() {
    let (mut ada, mut ben, _) = friends();
    // The first message of a chain has no counter in its header.
    let first = ada.send(ben.address, "first");
    ben.opens(ada.address, &first, "first");
    ada.padding = multiple(160);
    let mut lengths = BTreeSet::new();
    for len in [0, 1, 2, 100, 157, 158] {
        let text = vec![b'x'; len];
        let envelope = ada.send(ben.address, &text);
        ben.opens(ada.address, &envelope, &text);
        lengths.insert(envelope.len());
    }
    assert_eq!(lengths.len(), 1, "{lengths:?}");
    // Kind and end take two bytes of the bucket.
    let longer = ada.send(ben.address, [b'x'; 159]);
    assert_eq!(longer.len() - lengths.first().unwrap(), 160);
    // Texts that end like padding are whole.
    for text in [&b"\x80"[..], b"\0\0\0", b"\x80\0", b""] {
        let envelope = ada.send(ben.address, text);
        ben.opens(ada.address, &envelope, text);
        let unpadded = ben.send(ada.address, text);
        ada.opens(ben.address, &unpadded, text);
    }
}

/// With encrypted headers an envelope that carries a note has no length of its own.
#[test]
fn a_note_is_padded_with_what_is_behind_it() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = strangers();
    (ada.padding, ben.padding) = (multiple(2_048), multiple(2_048));
    ada.start(ben.address, &mut server).unwrap();
    let mut lengths = BTreeSet::new();
    for len in [0, 1, 100, 200] {
        let text = vec![b'x'; len];
        let with_note = ada.send(ben.address, &text);
        lengths.insert(with_note.len());
        ben.opens(ada.address, &with_note, &text);
    }
    let answer = ben.send(ada.address, b"answer");
    lengths.insert(answer.len());
    ada.opens(ben.address, &answer, b"answer");
    lengths.insert(ada.send(ben.address, [b'x'; 2_000]).len());
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [2 + 88 + 12 + 2_048 + 16]);
}

/// By PADMÉ a text grows by at most 12 %, and few lengths are left.
#[test]
fn long_messages_have_few_lengths() {
    let (mut ada, mut ben, _) = friends();
    let plain = ada.send(ben.address, [0; 1_000]).len() - 1_000;
    ada.padding = Padding::Padme;
    let mut lengths = BTreeSet::new();
    for len in (1_000..2_000).step_by(7) {
        let envelope = ada.send(ben.address, vec![1; len]);
        let grown = envelope.len() - plain;
        assert!(grown > len && grown * 100 <= (len + 2) * 112, "{len} to {grown}");
        lengths.insert(grown);
        if len % 5 == 0 {
            ben.opens(ada.address, &envelope, vec![1; len]);
        }
    }
    assert!(lengths.len() <= 33, "{}", lengths.len());
}

/// The longest text goes out with the room that is left, and one that is longer is refused as ever.
#[test]
fn the_longest_text_is_padded_as_far_as_it_goes() {
    let (mut ada, mut ben, _) = friends();
    ada.padding = multiple(u16::MAX);
    for len in [1_044_478, 1_044_479] {
        let text = vec![7; len];
        let envelope = ada.send(ben.address, &text);
        ben.opens(ada.address, &envelope, &text);
    }
    assert!(ada.try_send(ben.address, vec![7; 1_044_480]).is_err());
}

/// Copies of a message to an account, with stamps and headings of several lengths, and a message that comes again.
#[test]
fn copies_and_repeats_are_padded_too() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let mut desk = directory.link(&mut ada, "desk");
    directory.meet(&mut ben, ada.address.account);
    ben.padding = multiple(256);
    let to = ada.address.account;
    let sent = directory.send(&mut ben, to, b"hello").unwrap();
    let lengths: BTreeSet<_> = sent.copies.iter().map(|(_, copy)| copy.envelope.len()).collect();
    assert_eq!((sent.copies.len(), lengths.len()), (2, 1), "{lengths:?}");
    ada.hears(ben.address, &sent, b"hello");
    desk.hears(ben.address, &sent, b"hello");
    assert!(ben.run(&PlanMessage { to }).is_ok());

    let (mut ada, mut ben, mut server) = friends();
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    ada.padding = multiple(256);
    let lost =
        ada.run(&Send { to: ben.address, plaintext: b"lost", associated_data: BOUND, keep: Keep::ForRetry });
    let lost = lost.unwrap().envelope;
    let request = ben
        .run(&outrigger::RequestRetry { from: ada.address, envelope: &lost, error: OpenError::KeyGone })
        .unwrap()
        .request;
    let answer = outrigger::AnswerRetry {
        from: ben.address,
        request: &request,
        bundle: Some(&bundle),
        resend_to: None,
    };
    let again = ada.run(&answer).unwrap();
    assert_eq!(again.outcome, RetryOutcome::Again);
    let opened = ben.opens(ada.address, &again.envelope, "lost");
    assert!(opened.again);
    let header = EnvelopeDescription::of(&again.envelope).unwrap().header;
    assert!(header.is_none_or(|header| header.sealed_len == 256));
}
