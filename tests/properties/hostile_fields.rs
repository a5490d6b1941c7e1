//! Messages that are well formed but for one field: keys of low order, other spellings, other kinds, other sessions. Each is refused by name.

use outrigger::{
    BundleError, DecodeError, Field, IdentityKey, OpenError, PublicKey, SignedStatement, Suite,
    VerifiedBundle,
};

use crate::{
    hostile_bytes::{Case, cases},
    world::{
        NOON, exchange, friends, hand,
        hand::enc,
        headers_in_clear, strangers,
        wire::{Fields, Value, envelope, put_varint},
    },
};

/// The 7 encodings of low order with and without the top bit, every other value from 2^255 - 19 on, and a key with its top bit set.
fn bad_keys() -> Vec<[u8; 32]> {
    let from_hex = |text: &str| -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    };
    let mut bad = vec![
        [0; 32],
        from_hex("0100000000000000000000000000000000000000000000000000000000000000"),
        from_hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        from_hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ];
    // p - 1 (low order) to 2^255 - 1.
    bad.extend((0xec..=0xff).map(|last| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (last, 0x7f);
        key
    }));
    bad.push(hand::public(&[8; 32]));
    let top_bit_set = bad.iter().map(|key| {
        let mut key = *key;
        key[31] |= 0x80;
        key
    });
    let mut all: Vec<_> = top_bit_set.collect();
    bad.pop();
    all.extend(bad);
    all
}

fn malformed(field: Field) -> OpenError {
    OpenError::Decode(DecodeError::Malformed(field))
}

#[test]
fn l5_a_bad_key_is_refused_in_every_place_of_every_message() {
    headers_in_clear();
    let good = *hand::identity(&[8; 32]).public_key();
    for key in bad_keys() {
        assert!(PublicKey::parse(&key).is_err(), "{key:02x?}");
        assert!(IdentityKey::parse_encoded(&enc(&key)).is_err());
    }
    assert!(PublicKey::parse(good.as_bytes()).is_ok());

    for Case { name, mut ben, ada, message } in cases() {
        let fields = Fields::envelope(&message);
        for key in bad_keys() {
            let altered = fields.with_bytes(envelope::RATCHET_KEY, &key).encode();
            assert_eq!(ben.refuses(ada.address, &altered), malformed(Field::RatchetKey), "{name}");
        }
        if !name.starts_with("first,") {
            continue;
        }
        let handshake = Fields::parse(fields.bytes(envelope::HANDSHAKE), 0);
        for key in bad_keys() {
            for (number, field) in [(1, Field::IdentityKey), (2, Field::EphemeralKey)] {
                let altered = handshake.with_bytes(number, &enc(&key)).encode();
                let altered = fields.with_bytes(envelope::HANDSHAKE, &altered).encode();
                assert_eq!(ben.refuses(ada.address, &altered), malformed(field), "{name}");
            }
        }
        ben.opens(ada.address, &message, b"text");
    }

    let (_, ben, mut server) = strangers();
    let bundle = Fields::parse(&server.fetch(ben.address), 1);
    for key in bad_keys() {
        for (number, field) in [(1, Field::IdentityKey), (5, Field::SignedPrekey), (7, Field::OneTimePrekey)]
        {
            let altered = bundle.with_bytes(number, &enc(&key)).encode();
            let refusal = VerifiedBundle::verify(&altered, &ben.address).unwrap_err();
            assert_eq!(refusal, BundleError::Decode(DecodeError::Malformed(field)));
        }
    }
}

#[test]
fn l4_a_key_of_another_type_or_a_post_quantum_part_is_refused() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    let bundle = Fields::parse(&server.fetch(ben.address), 1);
    ada.start_from(&bundle.encode(), ben.address).unwrap();
    let fields = Fields::envelope(&ada.send(ben.address, b"text"));
    let handshake = Fields::parse(fields.bytes(envelope::HANDSHAKE), 0);
    let in_envelope =
        |handshake: &Fields| fields.with_bytes(envelope::HANDSHAKE, &handshake.encode()).encode();
    for kind in (0..=255).filter(|kind| *kind != 5) {
        for number in [1, 2] {
            let mut key = handshake.bytes(number).to_vec();
            key[0] = kind;
            let altered = in_envelope(&handshake.with_bytes(number, &key));
            assert!(matches!(ben.refuses(ada.address, &altered), OpenError::Decode(_)));
        }
        for number in [1, 5, 7] {
            let mut key = bundle.bytes(number).to_vec();
            key[0] = kind;
            let altered = bundle.with_bytes(number, &key).encode();
            assert!(VerifiedBundle::verify(&altered, &ben.address).is_err());
        }
    }
    // A handshake that is longer than any of its suite is refused before it is read.
    for (pq, field) in [(&b"x"[..], Field::Pq), (&[0; 2_048], Field::Handshake)] {
        let in_handshake = in_envelope(&handshake.with_bytes(5, pq));
        assert_eq!(ben.refuses(ada.address, &in_handshake), malformed(field));
        let in_header = fields.with_bytes(envelope::PQ, pq).encode();
        assert_eq!(ben.refuses(ada.address, &in_header), malformed(Field::Pq));
    }
    for suite in (0..=255_u8).filter(|suite| *suite != fields.front[1]) {
        let mut other = fields.clone();
        other.front[1] = suite;
        let refusal = ben.refuses(ada.address, &other.encode());
        match suite {
            // Suite 0 is no envelope: `AnswerRetry` makes nothing of it.
            0 => assert_eq!(refusal, OpenError::RetryRequest),
            // Nor is suite 0x80: its header is encrypted, under no key that is known.
            0x80 => assert_eq!(refusal, OpenError::OutOfStep),
            // What a handshake holds beside the keys is the suite's.
            _ if Suite::parse(suite).is_ok() => {
                assert!(
                    [Field::Pq, Field::Handshake].map(malformed).contains(&refusal),
                    "{suite}: {refusal}"
                );
            }
            _ => assert_eq!(refusal, OpenError::Decode(DecodeError::Suite(suite))),
        }
    }
}

/// The group order q, added to the second half of a signature: the same signature to a lax verifier.
#[test]
fn l20_l30_a_signature_has_one_form_and_no_small_order_part() {
    const Q: [u8; 16] =
        [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14];
    let (_, ben, server) = strangers();
    let bundle = Fields::parse(&server.fetch_weak(ben.address), 1);
    let refuse = |number, signature: &[u8]| {
        let statement = if number == 4 { SignedStatement::Suites } else { SignedStatement::SignedPrekey };
        let altered = bundle.with_bytes(number, signature).encode();
        let refusal = VerifiedBundle::verify(&altered, &ben.address).unwrap_err();
        assert_eq!(refusal, BundleError::BadSignature(statement));
    };
    for number in [4, 6] {
        let sound = bundle.bytes(number).to_vec();
        let mut plus_q = sound.clone();
        let mut carry = 0;
        for (place, byte) in plus_q[32..].iter_mut().enumerate() {
            let add = Q.get(place).copied().unwrap_or(if place == 31 { 0x10 } else { 0 });
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        refuse(number, &plus_q);
        // R of small order (1, -1, the two of order 4), with its own s and with s = 0.
        for r in [[1, 0x00], [0xec, 0x7f], [0, 0], [0, 0x80]] {
            let mut small = [if r[0] == 0xec { 0xff } else { 0 }; 32];
            (small[0], small[31]) = (r[0], r[1]);
            refuse(number, &[&small[..], &sound[32..]].concat());
            refuse(number, &[&small[..], &[0; 32]].concat());
        }
        refuse(number, &[0; 64]);
        // One signature in the place of the other.
        refuse(number, bundle.bytes(10 - number));
    }
    // A key on the twist makes no signature; it is a key all the same, and nothing panics.
    let mut twist = [0; 32];
    twist[0] = 2;
    let altered = bundle.with_bytes(1, &enc(&twist)).encode();
    let refusal = VerifiedBundle::verify(&altered, &ben.address).unwrap_err();
    assert_eq!(refusal, BundleError::BadSignature(SignedStatement::Suites));
}

#[test]
fn one_encoding_per_value_in_every_message() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    let bundle = server.fetch(ben.address);
    ada.start_from(&bundle, ben.address).unwrap();
    ada.send(ben.address, b"lost");
    let message = ada.send(ben.address, b"text");
    let fields = Fields::envelope(&message);
    assert_eq!(fields.encode(), message, "the editor of these tests writes what it read");
    // Zero written out, fields left out, unknown or swapped or doubled ones, numbers beyond their type.
    let mut others = vec![
        fields.with(envelope::PREVIOUS_COUNTER, Some(Value::Varint(0))),
        fields.with(envelope::SESSION_ID, None),
        fields.with(8, Some(Value::Varint(1))),
        fields.with(envelope::COUNTER, Some(Value::Varint(1 << 32 | 1))),
        fields.with(envelope::COUNTER, Some(Value::Varint(u64::MAX))),
        fields.with(envelope::COUNTER, Some(Value::Varint(u64::from(u32::MAX)))),
        fields.with(envelope::PREVIOUS_COUNTER, Some(Value::Varint(u64::from(u32::MAX)))),
    ];
    for place in 0..fields.list.len() {
        let (mut swapped, mut doubled) = (fields.clone(), fields.clone());
        swapped.list.swap(place, (place + 1) % fields.list.len());
        doubled.list.insert(place, fields.list[place].clone());
        others.extend([swapped, doubled]);
    }
    for other in others {
        let refusal = ben.refuses(ada.address, &other.encode());
        assert!(matches!(refusal, OpenError::Decode(_)), "{refusal:?}: {other:?}");
    }
    // A varint of more than its least length: the counter 1 as 0x81 0x00.
    let long = replace(&message, &[0x28, 1], &[0x28, 0x81, 0]);
    assert!(matches!(ben.refuses(ada.address, &long), OpenError::Decode(_)));
    ben.opens(ada.address, &message, b"text");

    let sound = Fields::parse(&bundle, 1);
    for place in 0..sound.list.len() {
        let (mut swapped, mut doubled) = (sound.clone(), sound.clone());
        swapped.list.swap(place, (place + 1) % sound.list.len());
        doubled.list.insert(place, sound.list[place].clone());
        for other in [swapped, doubled] {
            assert!(VerifiedBundle::verify(&other.encode(), &ben.address).is_err());
        }
    }
}

/// Replaces the first place where `from` stands.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..place], to, &bytes[place + from.len()..]].concat()
}

/// Groups in groups, messages in messages, at the longest that each place lets in: refused, and no stack overflows.
#[test]
fn l29_nested_fields_are_refused_in_bounded_stack() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let fields = Fields::envelope(&ada.send(ben.address, b"text"));
    for tag in [0x0b, 0x13, 0x12, 0x1a] {
        let mut nested = Vec::new();
        while nested.len() < 4_000 {
            let mut outer = vec![tag];
            if tag & 7 == 2 {
                put_varint(nested.len() as u64, &mut outer);
            }
            outer.extend(&nested);
            nested = outer;
        }
        let altered = fields.with_bytes(envelope::HANDSHAKE, &nested).encode();
        let refusal = ben.refuses(ada.address, &altered);
        assert!(matches!(refusal, OpenError::Decode(DecodeError::Malformed(_))), "{refusal:?}");
        let bundle = [&[1][..], &nested, &nested].concat();
        assert!(VerifiedBundle::verify(&bundle, &ben.address).is_err());
        let whole = [&[1, 1][..], &nested.repeat(260)].concat();
        assert!(matches!(ben.refuses(ada.address, &whole), OpenError::Decode(_)));
    }
    let long = fields.with_bytes(envelope::HANDSHAKE, &[0; 4_097]).encode();
    assert_eq!(ben.refuses(ada.address, &long), OpenError::Decode(DecodeError::TooLong));
    let too_long = vec![1; outrigger::wire::MAX_ENVELOPE + 1];
    assert_eq!(ben.refuses(ada.address, &too_long), OpenError::Decode(DecodeError::TooLong));
}

/// An authentic message of a kind that is not known yet keeps its key; so does one with no content at all.
#[test]
fn unknown_content_keeps_its_key() {
    let (_, mut ben, mut server) = strangers();
    let mallory = crate::world::phone("mallory");
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let session = hand::ByHand::start(&[0x41; 32], &[0x21; 32], &mallory, &bundle, NOON);
    let unknown = |ben: &mut crate::world::Device, content: &[u8]| {
        let kind = content.first().copied().unwrap_or(0);
        let refused = ben.refuses(mallory, &session.seal(0, content));
        assert_eq!(refused, OpenError::UnknownContent(kind), "{content:?}");
    };
    for kind in (0..=255).filter(|kind| !matches!(kind & 0x7f, 1..=4)) {
        for len in [0, 1, 16, 17] {
            unknown(&mut ben, &[&[kind][..], &[b'x'; 17][..len]].concat());
        }
    }
    unknown(&mut ben, &[]);
    // A message id is 16 bytes; a lost message has no text.
    for mark in [0, 0x80] {
        for (kind, lens) in [(2, &[0, 1, 15][..]), (3, &[0, 1, 15, 17, 40]), (4, &[0, 1, 15])] {
            for len in lens {
                unknown(&mut ben, &[&[kind | mark][..], &[b'x'; 40][..*len]].concat());
            }
        }
    }
    ben.opens(mallory, &session.seal(0, b"\x01known"), b"known");
    for (counter, content) in [(1, &b"\x02x"[..]), (2, b"")] {
        assert!(matches!(
            ben.refuses(mallory, &session.seal(counter, content)),
            OpenError::UnknownContent(_)
        ));
    }
    ben.opens(mallory, &session.seal(2, b"\x01known"), b"known");
    ben.opens(mallory, &session.seal(1, b"\x01known"), b"known");
}

/// A ciphertext meets the session that its head names and no other one; under another name it is refused, and both sessions go on.
#[test]
fn l17_an_envelope_meets_the_one_session_that_it_names() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = friends();
    let old = ada.active(ben.address).unwrap();
    let in_old = ada.send(ben.address, b"in the old one");
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    let new = ada.active(ben.address).unwrap();
    let in_new = ada.send(ben.address, b"in the new one");
    for (message, named) in [(&in_old, new), (&in_new, old)] {
        let renamed =
            Fields::envelope(message).with(envelope::SESSION_ID, Some(Value::Fixed64(named.0))).encode();
        assert!(ben.receive(ada.address, &renamed).is_err());
    }
    let unknown = Fields::envelope(&in_old).with(envelope::SESSION_ID, Some(Value::Fixed64([0; 8])));
    assert_eq!(ben.refuses(ada.address, &unknown.encode()), OpenError::OutOfStep);
    ben.opens(ada.address, &in_old, b"in the old one");
    ben.opens(ada.address, &in_new, b"in the new one");
}
