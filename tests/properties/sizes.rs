//! Numbers and lengths at their very ends: counters that run out, the longest messages, and the sizes that the docs name.

use outrigger::{
    ChangeNumber, DecodeError, Field, Headers, Keep, KeyPair, Limits, OpenError, PhoneNumber, Random,
    RecordKind, RootSecret, SendError, UnixMillis,
    ratchet::{EncryptError, Ratchet},
    wire::MAX_PLAINTEXT,
};

use crate::world::{
    BOUND, NOON, by_suite, exchange, friends, headers, headers_in_clear,
    random::Seeded,
    strangers,
    wire::{Fields, envelope},
};

/// Offsets in a saved ratchet: the next number of a sending chain, and of a receiving chain while the sending half is due.
const NEXT_SENT: usize = 1 + 32 + 1 + 64 + 32;
const NEXT_RECEIVED: usize = 1 + 32 + 1 + 4 + 1 + 32 + 32;

/// Two ratchets in one chain of ada's, both moved to a number that no test can count to.
fn near_the_end(next: u32) -> (Ratchet, Ratchet, Seeded) {
    let mut source = Seeded::new(8);
    let mut random = Random::new(&mut source);
    let pair = KeyPair::generate(&mut random).unwrap();
    let mut ada = Ratchet::initiate(RootSecret::take_from(&mut [3; 32]), pair.public(), &mut random).unwrap();
    let mut ben = Ratchet::respond(RootSecret::take_from(&mut [3; 32]), pair);
    let message = ada.encrypt(b"one", BOUND, &mut random).unwrap();
    ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap();
    drop(random);
    let moved = |ratchet: &Ratchet, offset: usize| {
        let mut saved = ratchet.save().to_vec();
        let place = &mut saved[offset..offset + 4];
        assert_eq!(place, 1_u32.to_be_bytes(), "the offset");
        place.copy_from_slice(&next.to_be_bytes());
        Ratchet::restore(&saved).unwrap()
    };
    (moved(&ada, NEXT_SENT), moved(&ben, NEXT_RECEIVED), source)
}

#[test]
fn l14_a_chain_ends_with_an_error_and_never_wraps() {
    let (mut ada, mut ben, mut source) = near_the_end(u32::MAX - 3);
    let mut random = Random::new(&mut source);
    for counter in [u32::MAX - 3, u32::MAX - 2] {
        let message = ada.encrypt(b"text", BOUND, &mut random).unwrap();
        assert_eq!(Fields::parse(&message, 0).number(envelope::COUNTER), u64::from(counter));
        ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap();
    }
    let before = ada.save();
    for _ in 0..3 {
        assert_eq!(ada.encrypt(b"text", BOUND, &mut random).unwrap_err(), EncryptError::Exhausted);
        assert_eq!(before[..], ada.save()[..]);
    }
}

/// The previous chain's length is told in the next one's headers: an answer to an exhausted chain must not make messages that nobody may open.
#[test]
fn l14_an_answer_to_an_exhausted_chain_leaves_the_ratchet_usable() {
    for messages in [1, 2] {
        let (mut ada, mut ben, mut source) = near_the_end(u32::MAX - 3);
        let mut random = Random::new(&mut source);
        for _ in 0..messages {
            let message = ada.encrypt(b"text", BOUND, &mut random).unwrap();
            ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap();
        }
        let answer = ben.encrypt(b"answer", BOUND, &mut random).unwrap();
        ada.decrypt(&answer, BOUND, NOON, &Limits::DEFAULT).unwrap();
        let sent = ada.encrypt(b"next chain", BOUND, &mut random);
        let Ok(message) = sent else { continue };
        let opened = ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT);
        assert!(opened.is_ok(), "sent after a chain of 2^32 - {}: {:?}", 4 - messages, opened.unwrap_err());
    }
}

#[test]
fn sizes_are_met_exactly_and_passed_by_one_byte() {
    headers_in_clear();
    let (mut ada, mut ben, _) = friends();
    let longest = vec![7; MAX_PLAINTEXT - 1];
    let message = ada.send(ben.address, &longest);
    assert!(message.len() <= outrigger::wire::MAX_ENVELOPE);
    ben.opens(ada.address, &message, &longest);
    assert_eq!(ada.try_send(ben.address, vec![7; MAX_PLAINTEXT]).unwrap_err(), SendError::TooLong);
    ben.opens(ada.address, &ada.send(ben.address, b""), b"");
    for (len, fits) in [(0, true), (4_096, true), (4_097, false)] {
        let bound = vec![1; len];
        let send = outrigger::Send {
            to: ben.address,
            plaintext: b"x",
            associated_data: &bound,
            keep: Keep::ForRetry,
        };
        assert_eq!(ada.run(&send).map(|_| ()), if fits { Ok(()) } else { Err(SendError::TooLong) });
        let message = ada.send(ben.address, b"y");
        let receive = outrigger::Receive { from: ada.address, envelope: &message, associated_data: &bound };
        let refusal = ben.run(&receive).unwrap_err();
        let too_long = OpenError::AssociatedDataTooLong;
        assert_eq!(refusal, if fits { OpenError::NotAuthentic } else { too_long });
    }
    let counter = Fields::envelope(&message).with_number(envelope::COUNTER, u64::from(u32::MAX)).encode();
    assert_eq!(ben.refuses(ada.address, &counter), OpenError::Decode(DecodeError::Malformed(Field::Counter)));
}

/// With encrypted headers eight header keys more, at most.
#[test]
fn a_settled_peer_record_has_at_most_400_bytes() {
    let (mut ada, mut ben, _) = friends();
    let most = if headers() == Headers::Encrypted { 660 } else { 400 };
    for _ in 0..8 {
        exchange(&mut ada, &mut ben);
        for device in [&ada, &ben] {
            assert!(device.store.of(RecordKind::Peer).all(|(_, bytes)| bytes.len() <= most));
        }
        exchange(&mut ben, &mut ada);
    }
}

/// Sizes that the docs of `Send`, `Ratchet`, `ReplenishPrekeys`, `ChangeNumber` and `Handshake` name.
#[test]
fn documented_sizes_hold() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    let upload = ben.publish(1, &mut server);
    let sizes = (upload.bundle.len(), upload.one_time_prekeys[0].len(), upload.last_resort.len());
    assert_eq!(sizes, by_suite([(213, 35, 0), (214, 35 + 1_252, 1_252), (214, 35 + 1_636, 1_636)]));
    ada.start(ben.address, &mut server).unwrap();
    let first = ada.send(ben.address, b"");
    let handshake = Fields::envelope(&first).bytes(envelope::HANDSHAKE).len();
    // The KEM part, with tag and length; in the envelope the handshake's own length takes a byte more.
    let kem = by_suite([0, 16 + 1_088 + 3, 16 + 1_568 + 3]);
    assert!((90 + kem..=117 + kem).contains(&handshake), "{handshake} bytes of handshake");
    let kem = if kem == 0 { 0 } else { kem + 1 };
    assert!((76 + 110 + kem..=90 + 125 + kem).contains(&first.len()), "{} bytes", first.len());
    ben.opens(ada.address, &first, b"");
    for len in [0, 1, 1_000, MAX_PLAINTEXT - 1] {
        // The first reply is the shortest: no counter in it.
        let reply = ben.send(ada.address, vec![0; len]);
        assert!((76..=90).contains(&(reply.len() - len)), "{} more than {len}", reply.len() - len);
        ada.opens(ben.address, &reply, vec![0; len]);
        let settled = ada.send(ben.address, vec![0; len]);
        assert!((76..=90).contains(&(settled.len() - len)), "{} more than {len}", settled.len() - len);
        ben.opens(ada.address, &settled, vec![0; len]);
    }
    let (mut ratchet, _, mut source) = near_the_end(u32::MAX - 3);
    for len in [0, MAX_PLAINTEXT] {
        let message = ratchet.encrypt(&vec![0; len], BOUND, &mut Random::new(&mut source)).unwrap();
        assert!((64..=78).contains(&(message.len() - len)));
    }
    for (number, now) in
        [("+1234567", UnixMillis(0)), ("+123456789012345", UnixMillis(u64::MAX)), ("+123456789", NOON)]
    {
        ada.now = now;
        let number = PhoneNumber::parse(number).unwrap();
        let statement = ada.run(&ChangeNumber { number }).unwrap();
        assert!((79..=96).contains(&statement.len()), "{} bytes of statement", statement.len());
    }
}
