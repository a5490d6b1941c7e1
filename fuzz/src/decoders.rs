//! One target for each decoder of bytes from outside, through the public API.
//!
//! Beside "no panic", each says what an outsider who holds no key can get: nothing opens or verifies but what was really sent.

use outrigger::{
    AccountId, AnswerRetry, BundleError, DecodeError, Field, IdentityKey, Keep, KeyPair, LearnNumber, Limits,
    NumberError, OpenError, PhoneNumber, PublicKey, Random, Receive, RetryError, RetryOutcome, Send,
    SignedStatement, Start, Suite, UnixMillis, VerifiedBundle,
    handshake::Handshake,
    ratchet::{DecryptError, Ratchet},
};

use super::{
    fixture::{Known, Moment, fixture},
    world::{BOUND, Choices, NOW, Refusal, Toy, context, low_limits},
};

/// An envelope, given to devices at moments of a conversation: an empty store, one that would make a session, those with sessions, with headers in clear and encrypted.
pub fn envelope(data: &[u8]) {
    let world = fixture();
    let first = world.post_quantum.iter().map(|known| &known.first);
    let sent: Vec<_> = world.from_alice.iter().chain(first).chain(&world.hidden.1).collect();
    for moment in [&world.empty, &world.fresh, &world.responding, &world.settled, &world.prepared] {
        receive(moment, &sent, data);
    }
    receive(&world.hidden.0, &sent, data);
    receive(&world.waiting, &world.from_bob.iter().collect::<Vec<_>>(), data);
}

fn receive(moment: &Moment, sent: &[&Known], data: &[u8]) {
    let toy = &mut Toy(2);
    let mut store = moment.store.clone();
    let receive = Receive { from: moment.from, envelope: data, associated_data: BOUND };
    let answer = store.run(&receive, &mut context(toy));
    match answer {
        Err(error) => {
            error.show();
            assert_eq!(error.record(), None);
            assert_eq!(store, moment.store);
            let again = store.run(&receive, &mut context(toy)).expect_err("was refused");
            assert_eq!(again, error);
        }
        Ok(received) => {
            let known = sent.iter().find(|known| known.bytes == data).expect("nobody sent what opened");
            assert_eq!(received.content.text().unwrap(), known.plaintext);
            let opened = store.clone();
            store.run(&receive, &mut context(toy)).expect_err("opened twice");
            assert_eq!(store, opened);
        }
    }
}

/// A retry request, at the device that it is for, at its own sender, and at two that know nobody. Only what Alice has made is answered, once, with what she wants;
/// nothing else changes anything.
pub fn retry_request(data: &[u8]) {
    let world = fixture();
    for (moment, mine) in [
        (&world.settled, true),
        (&world.responding, false),
        (&world.waiting, false),
        (&world.fresh, false),
        (&world.empty, false),
    ] {
        let toy = &mut Toy(8);
        let mut store = moment.store.clone();
        let answer = AnswerRetry {
            from: moment.from,
            request: data,
            bundle: Some(&world.alice_bundle),
            resend_to: None,
        };
        let answered = store.run(&answer, &mut context(toy));
        match answered {
            Err(error) => {
                error.show();
                assert_eq!(error.record(), None);
                assert_eq!(store, moment.store);
                // Alice's own requests come back to her, to a Bob who has not sent it yet, or to an empty store.
                let known = world.requests.iter().any(|known| known.bytes == data);
                let expected = if known {
                    let home = error == RetryError::NotAuthentic && moment.from == world.bob;
                    let elsewhere = error == RetryError::UnknownMessage && !mine;
                    home || elsewhere || error == RetryError::NotRegistered
                } else {
                    matches!(
                        error,
                        RetryError::Decode(_)
                            | RetryError::NotAuthentic
                            | RetryError::UnknownMessage
                            | RetryError::NotRegistered
                    )
                };
                assert!(expected, "{error}");
            }
            Ok(answered) => {
                assert!(mine);
                let known = world.requests.iter().find(|known| known.bytes == data).expect("nobody asked");
                assert_eq!(answered.outcome, RetryOutcome::Again);
                assert_eq!(answered.associated_data, BOUND);
                assert_eq!(answered.restarted, matches!(known.name, "prekey-missing" | "too-far"));
                let mut alice = world.asking.clone();
                let receive =
                    Receive { from: world.bob, envelope: &answered.envelope, associated_data: BOUND };
                let received = alice.run(&receive, &mut context(toy)).expect("opens");
                assert_eq!(received.content.text(), Some(&known.plaintext[..]));
                assert_eq!((received.again, received.message_id), (true, answered.message_id));
                let after = store.clone();
                let refused = store.run(&answer, &mut context(toy)).expect_err("answered twice");
                assert_eq!(refused, RetryError::UnknownMessage);
                assert_eq!(store, after);
            }
        }
        let receive = Receive { from: moment.from, envelope: data, associated_data: BOUND };
        if data.starts_with(&[1, 0]) {
            let refused = store.run(&receive, &mut context(toy)).expect_err("not an envelope");
            assert_eq!(refused, OpenError::RetryRequest);
        }
    }
}

/// A message to a ratchet that stands alone, in each of its states, under the default limits and under low ones.
pub fn ratchet_message(data: &[u8]) {
    let world = fixture();
    for saved in &world.ratchets {
        for limits in [Limits::DEFAULT, low_limits()] {
            let mut ratchet = Ratchet::restore(saved).expect("saved by the crate");
            match ratchet.decrypt(data, BOUND, NOW, &limits) {
                Err(error) => {
                    let _ = format!("{error} {error:?}");
                    assert_eq!(*ratchet.save(), **saved);
                }
                Ok(plaintext) => {
                    let known = world.ratchet_messages.iter().find(|known| known.bytes == data);
                    assert_eq!(*plaintext, known.expect("nobody sent what opened").plaintext);
                    ratchet.decrypt(data, BOUND, NOW, &limits).expect_err("opened twice");
                }
            }
        }
    }
}

/// The handshake field of an envelope, of any suite.
pub fn handshake(data: &[u8]) {
    let mut taken = 0;
    for (byte, lengths) in [(1, 90..=117), (2, 1_197..=1_224), (3, 1_677..=1_704)] {
        let Ok(suite) = Suite::parse(byte) else { continue };
        match Handshake::decode(data, suite) {
            Err(error) => {
                let _ = format!("{error} {error:?} {:?}", error.advice());
            }
            Ok(handshake) => {
                assert_eq!(handshake.encode(), data, "a second encoding");
                assert!(lengths.contains(&data.len()));
                assert_eq!(handshake.kem.is_some(), byte != 1);
                let _ = format!("{handshake:?}");
                taken += 1;
            }
        }
    }
    assert!(taken <= 1, "a handshake of two suites");
}

/// A bundle. Whatever the server does to it, only the unsigned one-time prekey can be another than the device's.
pub fn bundle(data: &[u8]) {
    let world = fixture();
    match VerifiedBundle::verify(data, &world.bob) {
        Err(error) => {
            let _ = format!("{error} {error:?} {:?}", error.advice());
        }
        Ok(bundle) => {
            let classic = data.starts_with(&world.bundle);
            let [one_time, last_resort] = &world.post_quantum;
            // A KEM prekey is signed, with the one-time prekey that it goes with or as the last resort: nothing in such a bundle can be another.
            let whole = data == one_time.bundle || data == last_resort.bundle;
            assert!(classic || whole, "nobody signed what verified");
            if classic {
                assert_eq!(bundle.one_time_prekey().is_some(), data.len() > world.bundle.len());
            }
            assert_eq!((bundle.address(), bundle.identity_key()), (&world.bob, &world.bob_key));
            let other = VerifiedBundle::verify(data, &world.alice).expect_err("for another address");
            assert_eq!(other, BundleError::BadSignature(SignedStatement::Suites));

            let toy = &mut Toy(3);
            let mut store = world.caller.clone();
            store.run(&Start { bundle: &bundle }, &mut context(toy)).expect("a verified bundle starts");
            let send = Send { to: world.bob, plaintext: b"", associated_data: b"", keep: Keep::ForRetry };
            store.run(&send, &mut context(toy)).expect("a started session sends");
        }
    }
}

/// A number statement, at a device that knows no number of the account yet and at one that does.
pub fn number_statement(data: &[u8]) {
    let world = fixture();
    let toy = &mut Toy(4);
    let learn = LearnNumber { account: world.alice.account, statement: data };
    for moment in [&world.fresh, &world.responding, &world.settled] {
        let mut store = moment.store.clone();
        let answer = store.run(&learn, &mut context(toy));
        match answer {
            Err(error) => {
                error.show();
                assert_eq!(error.record(), None);
                assert_eq!(store, moment.store);
                assert_eq!(error == NumberError::UnknownAccount, moment.store == world.fresh.store);
            }
            Ok(_) => {
                let known = world.statements.iter().position(|statement| statement == data);
                let known = known.expect("nobody signed what verified");
                assert!(moment.store != world.settled.store || known > 0, "an older statement was taken");
                let learned = store.clone();
                store.run(&learn, &mut context(toy)).expect("the same statement again");
                assert_eq!(store, learned);
            }
        }
    }
}

/// A code scanned from a screen.
pub fn safety_number(data: &[u8]) {
    let world = fixture();
    match world.safety.check_scanned(data) {
        Ok(()) => assert_eq!(data, world.code, "another code matches"),
        Err(error) => {
            assert_ne!(data, world.code);
            let _ = format!("{error} {error:?} {:?}", error.advice());
        }
    }
}

/// Saved bytes of a ratchet, and then a message for it: `u16be(length) ‖ state ‖ message`. Any state that is accepted must be usable.
pub fn saved_ratchet(data: &[u8]) {
    let mut choices = Choices(data);
    let len = usize::from(choices.u16());
    let saved = choices.take(len);
    let message = choices.0;
    let Ok(mut ratchet) = Ratchet::restore(saved) else { return };
    let _ = format!("{ratchet:?}");
    assert_eq!(*ratchet.save(), *saved, "a second encoding of a state");

    let toy = &mut Toy(5);
    for limits in [low_limits(), Limits::DEFAULT] {
        for (bytes, now) in [(message, NOW), (message, UnixMillis(0)), (message, UnixMillis(u64::MAX))] {
            let before = ratchet.save();
            match ratchet.decrypt(bytes, BOUND, now, &limits) {
                Err(_) => assert_eq!(*ratchet.save(), *before),
                Ok(_) => {
                    ratchet.decrypt(bytes, BOUND, now, &limits).expect_err("opened twice");
                }
            }
        }
    }
    for _ in 0..2 {
        let before = ratchet.save();
        match ratchet.encrypt(b"out", BOUND, &mut Random::new(toy)) {
            Err(_) => assert_eq!(*ratchet.save(), *before),
            Ok(out) => {
                let sent = ratchet.save();
                assert_ne!(*sent, *before, "a message left and no state moved");
                let own = ratchet.decrypt(&out, BOUND, NOW, &Limits::DEFAULT).expect_err("own message");
                // A counter that no honest state holds, from a damaged one, travels on into the header.
                let at_the_end = DecryptError::Decode(DecodeError::Malformed(Field::PreviousCounter));
                let read = !matches!(own, DecryptError::Decode(_)) || own == at_the_end;
                assert!(read, "wrote what it cannot read: {own}");
                assert_eq!(*ratchet.save(), *sent);
            }
        }
    }
    Ratchet::restore(&ratchet.save()).expect("reads what it writes");
}

/// The parsers of single values.
pub fn parsers(data: &[u8]) {
    match AccountId::new(data) {
        Ok(id) => assert_eq!(id.as_bytes(), data),
        Err(error) => assert_eq!(error.0, data.len()),
    }
    assert_eq!(AccountId::new(data).is_ok(), (16..=64).contains(&data.len()));

    if let Ok(text) = str::from_utf8(data) {
        let model = match text.as_bytes() {
            [b'+', first @ b'1'..=b'9', rest @ ..] => {
                let _ = first;
                (6..=14).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        };
        let number = PhoneNumber::parse(text);
        assert_eq!(number.is_ok(), model, "{text:?}");
        if let Ok(number) = number {
            assert_eq!(number.as_str(), text);
            assert!(!format!("{number:?}").contains(text.trim_start_matches('+')), "shown in Debug");
        }
    }

    if let Some(bare) = data.first_chunk() {
        if let Ok(key) = PublicKey::parse(bare) {
            assert_eq!(key.as_bytes(), bare);
            assert_eq!(PublicKey::parse_encoded(&key.encoded()), Ok(key));
        }
        let pair = KeyPair::take_from(&mut { *bare });
        assert_eq!(PublicKey::parse(pair.public().as_bytes()), Ok(*pair.public()), "an own key is refused");
    }
    match (PublicKey::parse_encoded(data), IdentityKey::parse_encoded(data)) {
        (Ok(key), Ok(identity)) => {
            assert_eq!((&key.encoded()[..], &identity.encoded()[..]), (data, data));
        }
        (Err(key), Err(identity)) => assert_eq!(key, identity),
        (key, identity) => panic!("{key:?} and {identity:?}"),
    }
    if let Some(&byte) = data.first() {
        assert_eq!(Suite::parse(byte).is_ok(), matches!(byte, 1..=3));
    }
}
