//! Sessions with encrypted headers over time: late chains, archives, repeats, restarts of either form, other identities and backups.

use outrigger::{
    Address, Arrival, Decision, Headers, OpenError, RecordKind, Register, RetryReason, SessionId, TrustMark,
    Unlisted, VerifiedBundle,
};

use crate::{
    companions::household::Directory,
    world::{
        DAY, Device, NOON, Server, exchange, friends,
        hand::ByHand,
        headers_of_test,
        hidden::{FRONT, note_len},
        phone,
        random::Seeded,
        strangers,
    },
};

fn form(device: &mut Device, peer: Address) -> Headers {
    device.describe(peer).session.unwrap().headers
}

/// Ada starts anew in the form that she has, and both answer.
fn start_anew(ada: &mut Device, ben: &mut Device, server: &mut Server) -> SessionId {
    let started = ada.restart(ben.address, server).unwrap();
    assert_eq!(started.headers, ada.headers);
    assert_eq!(exchange(ada, ben).headers, ada.headers);
    exchange(ben, ada);
    assert_eq!(form(ben, ada.address), ada.headers);
    started.session
}

/// A message of each of seven chains is held back, and one after it delivered: of the current chain and the four before it opens, in whatever order,
/// under header keys that are no longer current.
#[test]
fn late_messages_open_in_four_chains_before_the_current_one() {
    headers_of_test(Headers::Encrypted);
    for newest_first in [true, false] {
        let (mut ada, mut ben, _) = friends();
        let mut held = Vec::new();
        for _ in 0..7 {
            held.push([0; 3].map(|_| ada.send(ben.address, b"held")));
            exchange(&mut ada, &mut ben);
            exchange(&mut ben, &mut ada);
        }
        let mut order: Vec<_> = (0..7).collect();
        if newest_first {
            order.reverse();
        }
        for chain in order {
            for message in held[chain].iter().rev() {
                if chain < 2 {
                    assert_eq!(ben.refuses(ada.address, message), OpenError::OutOfStep, "{chain}");
                } else {
                    let received = ben.opens(ada.address, message, b"held");
                    assert_eq!(received.arrival, Arrival::Active);
                    assert_eq!(ben.refuses(ada.address, message), OpenError::Duplicate);
                }
            }
        }
    }
}

/// What is of a forgotten chain is asked for, and comes.
#[test]
fn a_message_of_the_fifth_chain_before_comes_again() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    let held = ada.send(ben.address, b"held");
    for _ in 0..6 {
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    let request = ben.asks(ada.address, &held);
    assert_eq!(request.len(), FRONT.len() + note_len(0));
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert_eq!((answer.reason, answer.restarted), (RetryReason::OutOfStep, false));
    assert!(ben.opens(ada.address, &answer.envelope, b"held").again);
    assert_eq!(ben.refuses(ada.address, &held), OpenError::Duplicate);
}

/// The keys that a late message needs go with time and with the chain, and the header of one that is too old is still read.
#[test]
fn a_late_message_is_read_and_refused_when_its_key_is_too_old() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, _) = friends();
    let held = ada.send(ben.address, b"held");
    exchange(&mut ada, &mut ben);
    ben.wait(30 * DAY + 1);
    assert_eq!(ben.refuses(ada.address, &held), OpenError::KeyGone);
}

/// Eighteen sessions, and a message under way in each: those of the sixteen archived ones are found by trial, and of no other.
#[test]
fn sixteen_archived_sessions_are_found_by_trial() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    ben.publish(30, &mut server);
    let mut under_way = Vec::new();
    for _ in 0..18 {
        let late = ada.send(ben.address, b"late");
        exchange(&mut ada, &mut ben);
        let next = ada.send(ben.address, b"next");
        under_way.push((ben.active(ada.address).unwrap(), late, next));
        start_anew(&mut ada, &mut ben, &mut server);
    }
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 16);
    let active = ben.active(ada.address);
    for (place, (session, late, next)) in under_way.iter().enumerate() {
        if place < 2 {
            assert_eq!(ben.refuses(ada.address, late), OpenError::OutOfStep);
            assert_eq!(ben.refuses(ada.address, next), OpenError::OutOfStep);
            continue;
        }
        for (message, text) in [(next, "next"), (late, "late")] {
            let received = ben.opens(ada.address, message, text);
            assert_eq!((received.arrival, received.session), (Arrival::Archived, *session));
            assert_eq!(ben.refuses(ada.address, message), OpenError::Duplicate);
        }
    }
    assert_eq!(ben.active(ada.address), active, "none becomes active again");
    exchange(&mut ben, &mut ada);
}

/// An archived session whose record is damaged stands in the way of its own messages alone: they are asked for again, and noise is noise.
#[test]
fn a_damaged_archived_session_is_passed_over() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    let mut late = Vec::new();
    for _ in 0..3 {
        late.push((ben.active(ada.address).unwrap(), ada.send(ben.address, b"late")));
        start_anew(&mut ada, &mut ben, &mut server);
    }
    let damaged = late[1].0;
    for (key, (_, bytes)) in &mut ben.store.0 {
        if key.kind() == RecordKind::ArchivedSession && key.as_bytes().ends_with(&damaged.0) {
            bytes.truncate(bytes.len() - 1);
        }
    }
    assert_eq!(ben.refuses(ada.address, &[&FRONT[..], &[7; 300]].concat()), OpenError::OutOfStep);
    for (session, message) in &late {
        match *session == damaged {
            true => assert_eq!(ben.refuses(ada.address, message), OpenError::OutOfStep),
            false => assert_eq!(ben.opens(ada.address, message, b"late").session, *session),
        }
    }
    let request = ben.asks(ada.address, &late[1].1);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    ben.opens(ada.address, &answer.envelope, b"late");
}

#[test]
fn l12_an_archived_session_is_not_tried_after_30_days() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    let [one, two] = [0; 2].map(|_| ada.send(ben.address, b"in order"));
    start_anew(&mut ada, &mut ben, &mut server);
    ben.wait(30 * DAY);
    ben.opens(ada.address, &one, b"in order");
    ben.wait(1);
    assert_eq!(ben.refuses(ada.address, &two), OpenError::OutOfStep);
}

/// First messages that come again, in any order, meet the session that they made, wherever it is by then; it is made once.
#[test]
fn a_first_message_makes_its_session_once() {
    headers_of_test(Headers::Encrypted);
    for weak in [false, true] {
        let (mut ada, mut ben, mut server) = strangers();
        ben.publish(40, &mut server);
        let bundle = if weak { server.fetch_weak(ben.address) } else { server.fetch(ben.address) };
        let session = ada.start_from(&bundle, ben.address).unwrap().session;
        let [first, second, third, fourth] = [0; 4].map(|_| ada.send(ben.address, b"hello"));
        assert_eq!(ben.opens(ada.address, &second, b"hello").arrival, Arrival::NewSession);
        assert_eq!(ben.opens(ada.address, &first, b"hello").arrival, Arrival::Active);
        let again = |ben: &mut Device, messages: &[&Vec<u8>]| {
            for message in messages {
                assert_eq!(ben.refuses(ada.address, message), OpenError::Duplicate);
            }
            ben.store.count(RecordKind::ArchivedSession)
        };
        assert_eq!(again(&mut ben, &[&first, &second]), 0);
        let mut ada = ada.clone();
        start_anew(&mut ada, &mut ben, &mut server);
        let received = ben.opens(ada.address, &third, b"hello");
        assert_eq!((received.arrival, received.session), (Arrival::Archived, session));
        assert_eq!(again(&mut ben, &[&first, &second, &third]), 1);
        for _ in 0..17 {
            start_anew(&mut ada, &mut ben, &mut server);
        }
        assert_eq!(again(&mut ben, &[&first, &second, &third]), 16);
        // Its session is gone, and is not made again by a message that never came.
        let error = ben.refuses(ada.address, &fourth);
        match weak {
            true => assert_eq!(error, OpenError::OutOfStep),
            false => assert!(matches!(error, OpenError::MissingPrekey(_)), "{error:?}"),
        }
    }
}

/// Starts without a one-time prekey are counted whatever their form, and each is remembered.
#[test]
fn l2_weak_starts_are_bounded_in_both_forms_together() {
    headers_of_test(Headers::Encrypted);
    let (_, mut ben, server) = strangers();
    ben.limits = ben.limits.max_weak_starts(4);
    let mallory = phone("mallory");
    let bundle = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
    let weak = |number: u8, hidden: bool, own: &outrigger::IdentityKey| {
        let at = NOON.plus(number.into());
        let by = ByHand::start(&[0x41; 32], &[0x50 + number; 32], &mallory, &bundle, at);
        if hidden { by.seal_hidden(0, b"\x01hello", own) } else { by.seal(0, b"\x01hello") }
    };
    let own = ben.identity;
    for number in 0..4 {
        ben.opens(mallory, &weak(number, number % 2 == 0, &own), b"hello");
    }
    for hidden in [true, false] {
        assert_eq!(ben.refuses(mallory, &weak(5, hidden, &own)), OpenError::TooManyWeakStarts);
    }
    // The one that made a session in the one form makes none in the other, although its records are lost.
    ben.store.0.retain(|key, _| !matches!(key.kind(), RecordKind::Peer | RecordKind::ArchivedSession));
    for number in 0..4 {
        for hidden in [true, false] {
            let error = ben.refuses(mallory, &weak(number, hidden, &own));
            assert_eq!(error, OpenError::OutOfStep, "{number}");
        }
    }
}

/// The form is switched by a restart, in either direction; what is under way in either form opens.
#[test]
fn sessions_of_both_forms_live_beside_each_other() {
    for first in [Headers::Plain, Headers::Encrypted] {
        headers_of_test(first);
        let (mut ada, mut ben, mut server) = friends();
        let mut under_way = Vec::new();
        for round in 0..6 {
            let late = [&mut ada, &mut ben].map(|device| device.headers);
            assert_eq!(late[0] == first, round % 2 == 0);
            let from_ada = ada.send(ben.address, b"late");
            let from_ben = ben.send(ada.address, b"late");
            let hidden = ada.headers == Headers::Encrypted;
            assert_eq!((from_ada.starts_with(&FRONT), from_ben.starts_with(&FRONT)), (hidden, hidden));
            under_way.push((from_ada, from_ben));
            // Ben keeps to his own choice where he starts, and to the session's where he answers.
            let other = if ada.headers == Headers::Plain { Headers::Encrypted } else { Headers::Plain };
            ada.headers = other;
            start_anew(&mut ada, &mut ben, &mut server);
        }
        for (from_ada, from_ben) in under_way.iter().rev() {
            assert_eq!(ben.opens(ada.address, from_ada, b"late").arrival, Arrival::Archived);
            assert_eq!(ada.opens(ben.address, from_ben, b"late").arrival, Arrival::Archived);
        }
    }
}

/// Both start at once, in two forms: the later start is active at both, in its form.
#[test]
fn crossing_starts_of_two_forms_converge() {
    for (ada_later, orders) in [(true, 0), (false, 0), (true, 1), (false, 1)] {
        headers_of_test(Headers::Encrypted);
        let (mut ada, mut ben, mut server) = strangers();
        ben.headers = Headers::Plain;
        if ada_later { &mut ada } else { &mut ben }.wait(5);
        ada.start(ben.address, &mut server).unwrap();
        ben.start(ada.address, &mut server).unwrap();
        let (hers, his) = (ada.send(ben.address, b"hers"), ben.send(ada.address, b"his"));
        if orders == 0 {
            ben.opens(ada.address, &hers, b"hers");
            ada.opens(ben.address, &his, b"his");
        } else {
            ada.opens(ben.address, &his, b"his");
            ben.opens(ada.address, &hers, b"hers");
        }
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
        assert_eq!(ada.active(ben.address), ben.active(ada.address));
        let expected = if ada_later { Headers::Encrypted } else { Headers::Plain };
        assert_eq!((form(&mut ada, ben.address), form(&mut ben, ada.address)), (expected, expected));
    }
}

/// Another identity key in a note is named to the user once the message opens under it, and not before.
#[test]
fn l48_a_changed_key_in_a_note_is_named_by_who_holds_it_alone() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    let old = ben.send(ada.address, b"old");
    let mut anew = Device::empty("ben");
    anew.random = Seeded::new(77);
    anew.identity = anew.run(&Register { address: anew.address }).unwrap();
    anew.start(ada.address, &mut server).unwrap();
    let hello = anew.send(ada.address, b"it is me");
    let (stored, offered) = (ben.identity, anew.identity);
    let mut altered = hello.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(ada.refuses(ben.address, &altered), OpenError::NotAuthentic);
    assert_eq!(ada.refuses(ben.address, &hello), OpenError::IdentityChanged { stored, offered });
    // The old one still speaks, until the user has decided.
    ada.opens(ben.address, &old, b"old");
    let late = ben.send(ada.address, b"late");
    ada.decide(ben.address, Decision::Suspect(offered)).unwrap();
    ada.decide(ben.address, Decision::Accept(offered)).unwrap();
    assert_eq!(ada.refuses(ben.address, &late), OpenError::OutOfStep);
    assert_eq!(ada.opens(ben.address, &hello, b"it is me").arrival, Arrival::NewSession);
    exchange(&mut ada, &mut anew);
    assert_eq!(ada.describe(ben.address).trust, TrustMark::Pinned);
    // A note to the key on record is none to the one before.
    let mut anew_server = Server::default();
    anew.publish(5, &mut anew_server);
    ada.restart(ben.address, &mut anew_server).unwrap();
    let sent = ada.send(ben.address, b"to the new one");
    assert_eq!(ben.refuses(ada.address, &sent), OpenError::OutOfStep);
    anew.opens(ada.address, &sent, b"to the new one");
}

/// A device whose store came back: what is under way opens, what is beyond the backup comes again, and the new session says why it is there.
#[test]
fn a_recovered_device_starts_anew_with_encrypted_headers() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    let before = ada.send(ben.address, b"before the backup");
    let backup = ben.store.clone();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    let beyond = ada.send(ben.address, b"beyond");
    ben.store = backup;
    ben.recover(0x99, &mut server);
    ben.opens(ada.address, &before, b"before the backup");
    let request = ben.asks(ada.address, &beyond);
    assert_eq!(request.len(), FRONT.len() + note_len(0));
    ben.wait(60_000);
    ben.start(ada.address, &mut server).unwrap();
    assert!(exchange(&mut ben, &mut ada).recovered);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert_eq!((answer.reason, answer.restarted), (RetryReason::Recovered, false));
    assert!(ben.opens(ada.address, &answer.envelope, b"beyond").again);
    assert_eq!(form(&mut ben, ada.address), Headers::Encrypted);
    exchange(&mut ben, &mut ada);
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
}

/// A companion that its account has removed has no session: what it sends says no more than noise, and is refused as the removed one's.
#[test]
fn a_removed_companion_is_told_from_noise() {
    headers_of_test(Headers::Encrypted);
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let mut desk = directory.link(&mut ada, "desk");
    directory.learn(&mut desk, ada.address.account).unwrap();
    directory.meet(&mut desk, ben.address.account);
    directory.meet(&mut ben, ada.address.account);
    let first = desk.send(ben.address, b"first");
    ben.opens(desk.address, &first, b"first");
    exchange(&mut ben, &mut desk);
    assert_eq!(form(&mut ben, desk.address), Headers::Encrypted);
    let waits = desk.send(ben.address, b"waits");
    directory.remove(&mut ada, desk.address.device);
    directory.learn(&mut ben, ada.address.account).unwrap();
    let late = desk.send(ben.address, b"late");
    for message in [&waits, &late] {
        let error = ben.refuses(desk.address, message);
        assert_eq!(error, OpenError::Unlisted(Unlisted::NotListed));
    }
    // It starts anew: the note names a session that is not made.
    directory.start(&mut desk, ben.address).unwrap();
    let anew = desk.send(ben.address, b"anew");
    assert!(anew.len() > late.len() + 100);
    assert_eq!(ben.refuses(desk.address, &anew), OpenError::Unlisted(Unlisted::NotListed));
}

/// The suite of a hidden envelope is its session's: what a device refuses in clear it refuses hidden.
#[cfg(feature = "post-quantum")]
#[test]
fn a_device_that_wants_post_quantum_sessions_refuses_a_hidden_one_of_suite_1() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = strangers();
    ada.suites = outrigger::SuitePolicy::Classic;
    ben.suites = outrigger::SuitePolicy::Classic;
    ben.publish(5, &mut server);
    ada.start(ben.address, &mut server).unwrap();
    let [first, second] = [0; 2].map(|_| ada.send(ben.address, b"x"));
    ben.suites = outrigger::SuitePolicy::Require(outrigger::KemSize::MlKem768);
    let error = ben.refuses(ada.address, &first);
    assert!(matches!(error, OpenError::SuiteRefused(_)), "{error:?}");
    ben.suites = outrigger::SuitePolicy::Classic;
    ben.opens(ada.address, &second, b"x");
}
