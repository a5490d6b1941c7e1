//! The same envelope again, in every order, at every time, and at every door: shown once, and nothing is spent twice.

use outrigger::{Arrival, Headers, OpenError, RecordKind, Restart, UnixMillis, VerifiedBundle};

use crate::world::{DAY, Device, Server, exchange, friends, headers, phone, strangers};

/// Ada starts, with or without a one-time prekey, and speaks.
fn first_message(one_time: bool) -> (Device, Device, Server, Vec<u8>) {
    let (mut ada, ben, mut server) = strangers();
    let bundle = if one_time { server.fetch(ben.address) } else { server.fetch_weak(ben.address) };
    ada.start_from(&bundle, ben.address).unwrap();
    let first = ada.send(ben.address, b"hello");
    (ada, ben, server, first)
}

/// A replay changes nothing, and is refused for what is still remembered: the message, the session that it made, or the prekey that is gone.
fn replayed(ben: &mut Device, ada: &Device, first: &[u8], refusal: Refusal) {
    let before = ben.store.clone();
    for _ in 0..100 {
        let refused = ben.refuses(ada.address, first);
        let found = match refusal {
            Repeat => refused == OpenError::Duplicate,
            NoSession => refused == OpenError::OutOfStep,
            PrekeyGone => matches!(refused, OpenError::MissingPrekey(_)),
        };
        assert!(found, "{refused:?}");
    }
    assert_eq!(ben.store, before);
}

#[derive(Clone, Copy)]
enum Refusal {
    Repeat,
    NoSession,
    PrekeyGone,
}

use Refusal::{NoSession, PrekeyGone, Repeat};

#[test]
fn l2_a_first_message_100_times_is_one_session_one_text_and_one_spent_prekey() {
    for one_time in [true, false] {
        let (ada, mut ben, _, first) = first_message(one_time);
        let received = ben.opens(ada.address, &first, b"hello");
        assert_eq!(received.arrival, Arrival::NewSession);
        assert_eq!(ben.store.count(RecordKind::OneTimePrekey), if one_time { 9 } else { 10 });
        replayed(&mut ben, &ada, &first, Repeat);
        assert_eq!(ben.store.count(RecordKind::Peer), 1);
        assert_eq!(ben.store.count(RecordKind::ArchivedSession), 0);
    }
}

#[test]
fn l2_a_first_message_is_not_taken_again_once_its_session_is_archived_or_dropped() {
    for one_time in [true, false] {
        let (mut ada, mut ben, mut server, first) = first_message(one_time);
        ben.publish(20, &mut server);
        ben.opens(ada.address, &first, b"hello");
        exchange(&mut ben, &mut ada);
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
        assert_eq!(ben.store.count(RecordKind::ArchivedSession), 1);
        replayed(&mut ben, &ada, &first, Repeat);
        let active = ben.active(ada.address);
        for _ in 0..17 {
            ada.start(ben.address, &mut server).unwrap();
            exchange(&mut ada, &mut ben);
            exchange(&mut ben, &mut ada);
        }
        assert_ne!(ben.active(ada.address), active);
        assert_eq!(ben.store.count(RecordKind::ArchivedSession), 16);
        replayed(&mut ben, &ada, &first, Repeat);
        // At the latest 530 messages later the digest is gone; the prekey and the weak start are not forgotten for that.
        for _ in 0..530 {
            exchange(&mut ada, &mut ben);
        }
        replayed(&mut ben, &ada, &first, if one_time { PrekeyGone } else { NoSession });
    }
}

#[test]
fn l2_a_weak_start_is_remembered_for_as_long_as_its_signed_prekey_can_open_it() {
    let (mut ada, mut ben, mut server, first) = first_message(false);
    ben.opens(ada.address, &first, b"hello");
    replayed(&mut ben, &ada, &first, Repeat);
    // The records of the session are lost, as after 17 others, and what was opened with them.
    let forget = |ben: &mut Device| ben.store.0.retain(|key, _| key.kind() != RecordKind::Peer);
    forget(&mut ben);
    replayed(&mut ben, &ada, &first, NoSession);
    for days in [7, 29, 1] {
        ben.wait(days * DAY);
        ben.publish(0, &mut server);
        replayed(&mut ben, &ada, &first, NoSession);
    }
    // The signed prekey is gone, and the memory goes when it is next written; now only the prekey is missing, whatever the clock says.
    ada.wait(37 * DAY);
    let bundle = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
    ada.run(&Restart { bundle: &bundle }).unwrap();
    exchange(&mut ada, &mut ben);
    forget(&mut ben);
    replayed(&mut ben, &ada, &first, PrekeyGone);
    ben.now = UnixMillis(ben.now.0 - 37 * DAY);
    replayed(&mut ben, &ada, &first, PrekeyGone);
}

/// Any of the messages that carry the handshake makes the session; the others find it, in every order.
#[test]
fn l2_first_messages_in_every_order_make_one_session() {
    for one_time in [true, false] {
        let (mut ada, ben, _, first) = first_message(one_time);
        let messages = [first, ada.send(ben.address, b"hello"), ada.send(ben.address, b"hello")];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut ben = ben.clone();
            for place in order {
                ben.opens(ada.address, &messages[place], b"hello");
            }
            for message in &messages {
                replayed(&mut ben, &ada, message, Repeat);
            }
            assert_eq!(ben.store.count(RecordKind::ArchivedSession), 0);
        }
    }
}

/// Four messages across a turn, each delivered twice, in each of the 2,520 orders.
#[test]
fn duplicates_in_any_order_open_once() {
    let (mut ada, mut ben, _) = friends();
    let messages = {
        let one = ada.send(ben.address, [0]);
        let two = ada.send(ben.address, [1]);
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
        [one, two, ada.send(ben.address, [2]), ada.send(ben.address, [3])]
    };
    let mut leaves = 0;
    deliver_all(&ben, &ada, &messages, [0; 4], &mut leaves);
    assert_eq!(leaves, 2_520);
}

fn deliver_all(ben: &Device, ada: &Device, messages: &[Vec<u8>; 4], delivered: [u8; 4], leaves: &mut u32) {
    if delivered == [2; 4] {
        *leaves += 1;
    }
    for place in 0..4 {
        let (mut ben, mut delivered) = (ben.clone(), delivered);
        match delivered[place] {
            0 => drop(ben.opens(ada.address, &messages[place], [u8::try_from(place).unwrap()])),
            1 => assert_eq!(ben.refuses(ada.address, &messages[place]), OpenError::Duplicate),
            _ => continue,
        }
        delivered[place] += 1;
        deliver_all(&ben, ada, messages, delivered, leaves);
    }
}

#[test]
fn a_message_sent_back_to_its_sender_opens_nothing() {
    let (mut ada, ben, _, first) = first_message(true);
    // With encrypted headers nothing shows whose it is.
    let refusal = if headers() == Headers::Plain { OpenError::NotAuthentic } else { OpenError::OutOfStep };
    assert_eq!(ada.refuses(ben.address, &first), refusal);
    assert!(ada.receive(ada.address, &first).is_err());
    let (mut ada, mut ben, _) = friends();
    let turn = ada.send(ben.address, b"turn");
    let next = ada.send(ben.address, b"next");
    for message in [&turn, &next] {
        assert_eq!(ada.refuses(ben.address, message), refusal);
        assert_eq!(ada.refuses(ada.address, message), OpenError::OutOfStep);
    }
    ben.opens(ada.address, &turn, b"turn");
    ben.opens(ada.address, &next, b"next");
}

/// L35: the sender is who the session is with; another name on the envelope opens nothing, and the true one still does.
#[test]
fn l35_an_envelope_under_another_senders_name_opens_nothing() {
    let (ada, mut ben, mut server, first) = first_message(true);
    let mut cleo = Device::new("cleo");
    cleo.publish(2, &mut server);
    assert_eq!(ben.refuses(phone("nobody"), &first), OpenError::NotAuthentic);
    assert_eq!(ben.refuses(ben.address, &first), OpenError::NotAuthentic);
    // Nor does it make the app doubt cleo's key: nothing shows that whoever put her name on it holds another.
    cleo.start(ben.address, &mut server).unwrap();
    exchange(&mut cleo, &mut ben);
    assert_eq!(ben.refuses(cleo.address, &first), OpenError::NotAuthentic);
    ben.opens(ada.address, &first, b"hello");
    assert_eq!(ben.refuses(ada.address, &first), OpenError::Duplicate);
    let (mut ada, mut ben, _) = friends();
    let settled = ada.send(ben.address, b"settled");
    assert_eq!(ben.refuses(cleo.address, &settled), OpenError::OutOfStep);
    ben.opens(ada.address, &settled, b"settled");
}

#[test]
fn a_message_opens_at_its_recipient_only() {
    let (mut ada, ben, mut server, first) = first_message(true);
    let mut cleo = Device::new("cleo");
    cleo.publish(2, &mut server);
    let not_hers = |refusal| match headers() == Headers::Encrypted {
        true => assert_eq!(refusal, OpenError::OutOfStep),
        false => assert!(matches!(refusal, OpenError::MissingPrekey(_))),
    };
    not_hers(cleo.refuses(ada.address, &first));
    ada.start(cleo.address, &mut server).unwrap();
    exchange(&mut ada, &mut cleo);
    let for_ben = ada.send(ben.address, b"for ben");
    not_hers(cleo.refuses(ada.address, &for_ben));
}
