//! Encrypted headers against a peer that holds the keys and does not keep to the page, and against whoever steals a state.
//!
//! The peer is [`Hand`], which computes every key from `docs/protocol.md`, section 7 alone. Every test has the honest message beside the dishonest one.

use outrigger::{
    Headers, KeyPair, Limits, Random, RootSecret,
    ratchet::{DecryptError, Ratchet},
};

use crate::world::{
    BOUND, NOON,
    hand::public,
    hidden::{
        HEADER, Hand, Key, begin, header, keys_that_open, open_raw, repeats, same_state, seal_behind,
        seal_message, seal_raw, turn,
    },
    random::Seeded,
};

const SECRET: Key = [0x09; 32];

/// The crate's end listens first, the other is by hand.
struct Talk {
    ben: Ratchet,
    random: Seeded,
    hand: Hand,
}

impl Talk {
    fn new() -> Self {
        let mut random = Seeded::new(31);
        let pair = KeyPair::generate(&mut Random::new(&mut random)).unwrap();
        let hand = Hand::initiate(&SECRET, *pair.public().as_bytes(), [0x40; 32]);
        let ben = Ratchet::respond_with(Headers::Encrypted, RootSecret::take_from(&mut { SECRET }), pair);
        Self { ben, random, hand }
    }

    /// So many turns of both ends; then it is ben's peer who speaks, and ben who has answered.
    fn after(turns: u8) -> Self {
        let mut talk = Self::new();
        (1..=turns).for_each(|turn| talk.round(turn));
        talk
    }

    fn round(&mut self, turn: u8) {
        let message = self.hand.says(u32::from(turn > 1), 0);
        self.opens(&message);
        let answer = self.answer();
        self.hand.turns(&answer, [0x40 + turn; 32]);
    }

    fn answer(&mut self) -> Vec<u8> {
        self.ben.encrypt(b"answer", BOUND, &mut Random::new(&mut self.random)).unwrap()
    }

    fn opens(&mut self, message: &[u8]) {
        let opened = self.ben.decrypt(message, BOUND, NOON, &Limits::DEFAULT).unwrap();
        assert_eq!(&*opened, b"said");
    }

    fn refuses(&mut self, message: &[u8]) -> DecryptError {
        let before = self.ben.save();
        let error = self.ben.decrypt(message, BOUND, NOON, &Limits::DEFAULT).unwrap_err();
        assert!(same_state(&self.ben, &before), "{error}: a refusal changed the state");
        error
    }
}

/// The page is enough to speak with the crate, over turns and gaps.
#[test]
fn a_peer_by_hand_that_keeps_to_the_page_is_understood() {
    let mut talk = Talk::after(4);
    let held: Vec<_> = (0..3).map(|counter| talk.hand.says(1, counter)).collect();
    talk.opens(&held[2]);
    talk.opens(&held[0]);
    talk.opens(&held[1]);
    assert_eq!(talk.refuses(&held[1]), DecryptError::Duplicate);
    // A late message of a chain before, under its header key.
    let late = talk.hand.says(1, 3);
    let answer = talk.answer();
    talk.hand.turns(&answer, [0x61; 32]);
    let message = talk.hand.says(4, 0);
    talk.opens(&message);
    talk.opens(&late);
}

/// Under HKr only the current ratchet key, whatever the numbers are.
#[test]
fn a_header_under_the_current_key_that_names_another_chain_is_of_none() {
    let mut talk = Talk::after(3);
    let before = talk.hand.clone();
    let message = talk.hand.says(1, 0);
    talk.opens(&message);
    let chain = talk.hand.sending;
    let earlier = public(&[0x42; 32]);
    for key in [public(&[0x77; 32]), earlier, talk.hand.peer, public(&[0x40; 32])] {
        for counter in [0, 1, 5, u32::MAX - 1] {
            let lie = talk.hand.lies(&chain, &header(&key, 1, counter), 1);
            assert_eq!(talk.refuses(&lie), DecryptError::OutOfStep);
        }
    }
    let honest = before.lies(&chain, &before.header(1, 1), 1);
    talk.opens(&honest);
}

/// The same where the other key begins with the same eight bytes: the receiver's record is edited, since two such keys cost 2^32 key pairs.
#[test]
fn a_header_under_the_current_key_that_names_a_key_like_the_current_one_is_of_none() {
    let mut talk = Talk::after(3);
    let message = talk.hand.says(1, 0);
    talk.opens(&message);
    let answer = talk.answer();
    let key = talk.hand.key();
    let mut saved = talk.ben.save().to_vec();
    let place = saved.windows(32).position(|window| window == key).unwrap();
    saved[place + 8] ^= 1;
    talk.ben = Ratchet::restore(&saved).unwrap();
    // Sealed as the first message of a new chain, so that nothing but the header key speaks against it.
    let current = talk.hand.sending;
    talk.hand.hears(&answer);
    let [_, chain, _] = talk.hand.turn_with_peer();
    let lie = seal_message(&current, &header(&key, 1, 0), (&chain, 0), &[], BOUND, b"said");
    assert_eq!(talk.refuses(&lie), DecryptError::OutOfStep);
}

/// Under NHKr only a new ratchet key.
#[test]
fn a_header_under_the_next_key_that_names_a_known_chain_is_of_none() {
    let mut talk = Talk::after(3);
    let message = talk.hand.says(1, 0);
    talk.opens(&message);
    let known = [talk.hand.key(), public(&[0x42; 32]), public(&[0x41; 32])];
    let answer = talk.answer();
    let next = talk.hand.next_sending;
    talk.hand.turns(&answer, [0x70; 32]);
    for key in known {
        for counter in [0, 1, 7] {
            let lie = talk.hand.lies(&next, &header(&key, 1, counter), counter);
            assert_eq!(talk.refuses(&lie), DecryptError::OutOfStep);
        }
    }
    // Ben's own key, which is no peer's.
    let own = talk.hand.lies(&next, &header(&talk.hand.peer, 1, 0), 0);
    assert_eq!(talk.refuses(&own), DecryptError::NotAuthentic);
    let honest = talk.hand.says(1, 0);
    talk.opens(&honest);
}

/// Under the key of a chain before only that chain, and there only what was skipped.
#[test]
fn a_header_under_an_earlier_key_opens_nothing_but_what_was_skipped_there() {
    let mut talk = Talk::after(2);
    let earlier = talk.hand.clone();
    let message = earlier.says(1, 1);
    talk.opens(&message);
    let answer = talk.answer();
    talk.hand.turns(&answer, [0x70; 32]);
    let message = talk.hand.says(2, 0);
    talk.opens(&message);
    let under = earlier.sending;
    for key in [talk.hand.key(), public(&[0x71; 32]), public(&[0x41; 32]), talk.hand.peer] {
        let lie = talk.hand.lies(&under, &header(&key, 1, 1), 1);
        assert_eq!(talk.refuses(&lie), DecryptError::OutOfStep);
    }
    for counter in [1, 2, 3, u32::MAX - 1] {
        let lie = earlier.lies(&under, &earlier.header(1, counter), 0);
        assert_eq!(talk.refuses(&lie), DecryptError::Duplicate, "{counter}");
    }
    // A wrong text keeps the key.
    let mut altered = earlier.says(1, 0);
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(talk.refuses(&altered), DecryptError::NotAuthentic);
    talk.opens(&earlier.says(1, 0));
}

/// Numbers at the edge: typed errors before any key is derived, and the limits exactly where the page has them.
#[test]
fn numbers_beyond_the_limits_are_refused_by_name() {
    let limit = 1_000;
    let mut talk = Talk::after(3);
    let message = talk.hand.says(1, 0);
    talk.opens(&message);
    let current = talk.hand.sending;
    let far = |gap| DecryptError::TooFarAhead { gap, limit };
    for (counter, gap) in [(limit + 2, limit + 1), (u32::MAX - 1, u32::MAX - 2)] {
        let lie = talk.hand.lies(&current, &talk.hand.header(1, counter), 0);
        assert_eq!(talk.refuses(&lie), far(gap));
    }
    // PN says nothing in a chain that is known.
    for previous in [0, limit + 2, u32::MAX - 1] {
        let lie = talk.hand.lies(&current, &talk.hand.header(previous, 0), 0);
        assert_eq!(talk.refuses(&lie), DecryptError::Duplicate);
    }
    let answer = talk.answer();
    talk.hand.turns(&answer, [0x70; 32]);
    let next = talk.hand.sending;
    for (previous, counter, error) in [
        (1, limit + 1, far(limit + 1)),
        (1, u32::MAX - 1, far(u32::MAX - 1)),
        (limit + 2, 0, far(limit + 1)),
        (u32::MAX - 1, 0, far(u32::MAX - 2)),
        (u32::MAX - 1, u32::MAX - 1, far(u32::MAX - 2)),
        (u32::MAX, 0, DecryptError::OutOfStep),
        (1, u32::MAX, DecryptError::OutOfStep),
        (u32::MAX, u32::MAX, DecryptError::OutOfStep),
    ] {
        let lie = talk.hand.lies(&next, &talk.hand.header(previous, counter), 0);
        assert_eq!(talk.refuses(&lie), error, "PN {previous}, N {counter}");
    }
    // Both at their limit open.
    let honest = talk.hand.says(1 + limit, limit);
    talk.opens(&honest);
}

/// Keys that no key pair has: of low order, and written in a second way.
#[test]
fn a_header_with_a_key_that_is_none_is_of_no_chain() {
    let small = |byte: u8| -> Key { core::array::from_fn(|place| if place == 0 { byte } else { 0 }) };
    let of_eight = [
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
            0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
    ];
    let near_p = |first: u8, last: u8| -> Key {
        core::array::from_fn(|place| match place {
            0 => first,
            31 => last,
            _ => 0xff,
        })
    };
    let mut bad = vec![small(0), small(1), near_p(0xec, 0x7f)];
    bad.extend(of_eight);
    // p, p + 1, 2^255 - 1, and a good key with its top bit set.
    bad.extend([near_p(0xed, 0x7f), near_p(0xee, 0x7f), near_p(0xff, 0x7f), [0xff; 32]]);
    let mut talk = Talk::after(2);
    let mut topped = talk.hand.key();
    topped[31] |= 0x80;
    bad.push(topped);
    for key in bad {
        for under in [talk.hand.sending, talk.hand.next_sending] {
            for counter in [0, 1] {
                let lie = talk.hand.lies(&under, &header(&key, 1, counter), counter);
                assert_eq!(talk.refuses(&lie), DecryptError::OutOfStep, "{key:02x?}");
            }
        }
    }
    // At an end that has opened nothing it is a wrong tag.
    let mut fresh = Talk::new();
    let lie = fresh.hand.lies(&fresh.hand.sending, &header(&small(0), 0, 0), 0);
    assert_eq!(fresh.refuses(&lie), DecryptError::NotAuthentic);
    let honest = talk.hand.says(1, 0);
    talk.opens(&honest);
}

/// Sixteen bytes that are not zero in front of a header that is right, under the right key.
#[test]
fn a_header_without_the_zeros_is_none() {
    let mut talk = Talk::after(2);
    let head = talk.hand.header(1, 0);
    for bit in 0..128 {
        let mut text = [&[0; 16][..], &head].concat();
        text[bit / 8] ^= 1 << (bit % 8);
        let sealed = seal_raw(&talk.hand.sending, [0x17; 16], &text);
        assert!(open_raw(&talk.hand.sending, &sealed).is_some());
        // All else is as it should be: without the bit it opens.
        let lie = seal_behind(&sealed, (&talk.hand.chain, 0), &[], BOUND, b"said");
        assert_eq!(talk.refuses(&lie), DecryptError::OutOfStep, "bit {bit}");
    }
    let sealed = seal_raw(&talk.hand.sending, [0x17; 16], &[&[0; 16][..], &head].concat());
    let honest = seal_behind(&sealed, (&talk.hand.chain, 0), &[], BOUND, b"said");
    talk.opens(&honest);
}

/// The two forms of a ratchet from one secret open nothing of each other.
#[test]
fn the_two_forms_from_one_secret_do_not_mix() {
    let mut random = Seeded::new(7);
    let private: Key = [0x55; 32];
    let pair = || KeyPair::take_from(&mut { private });
    let secret = || RootSecret::take_from(&mut { SECRET });
    let forms = [Headers::Plain, Headers::Encrypted];
    for (one, other) in [(0, 1), (1, 0)].map(|(one, other)| (forms[one], forms[other])) {
        let mut source = Random::new(&mut random);
        let mut ada = Ratchet::initiate_with(one, secret(), pair().public(), &mut source).unwrap();
        let message = ada.encrypt(b"said", BOUND, &mut source).unwrap();
        let mut ben = Ratchet::respond_with(other, secret(), pair());
        let before = ben.save();
        let error = ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap_err();
        assert!(matches!(error, DecryptError::NotAuthentic | DecryptError::Decode(_)), "{error:?}");
        assert!(same_state(&ben, &before));
        let mut ben = Ratchet::respond_with(one, secret(), pair());
        assert_eq!(&*ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap(), b"said");
    }
}

/// A state that is loaded twice: the header key is used again, its nonce is not, and neither is any byte of what shows.
#[test]
fn l13_no_header_key_and_nonce_twice_on_two_branches() {
    let mut talk = Talk::after(3);
    let message = talk.hand.says(1, 0);
    talk.opens(&message);
    // Once with the turn still due, so that the branches draw two ratchet keys, and once in a chain.
    for _ in 0..2 {
        let saved = talk.ben.save();
        let branches: Vec<Vec<u8>> = (0..40)
            .map(|_| {
                talk.ben = Ratchet::restore(&saved).unwrap();
                talk.answer()
            })
            .collect();
        let under: Vec<_> = branches.iter().filter_map(|sent| talk.hand.reads(sent)).collect();
        assert_eq!(under.len(), 40, "all under one key");
        assert!(under.iter().all(|header| header[36..] == under[0][36..]), "all with one counter");
        let mut nonces: Vec<_> = branches.iter().map(|sent| &sent[..16]).collect();
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), 40);
        assert_eq!(repeats(&branches), 0);
    }
}

/// What a stolen state has of header keys: of the current chain and the four before, and of what comes; of nothing earlier, and of no chain of its
/// own that is over.
#[test]
fn a_captured_state_reads_no_header_of_a_forgotten_chain() {
    let mut talk = Talk::new();
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for turn in 1..=9 {
        let message = talk.hand.says(u32::from(turn > 1), 0);
        talk.opens(&message);
        received.push(message);
        let reads = |talk: &Talk, message: &[u8]| {
            !keys_that_open([&talk.ben.save().to_vec()], &message[..HEADER]).is_empty()
        };
        let open: Vec<_> = received.iter().map(|message| reads(&talk, message)).collect();
        let kept = received.len().min(5);
        assert!(open.iter().rev().take(kept).all(|open| *open), "{turn}: {open:?}");
        assert!(open.iter().rev().skip(kept).all(|open| !open), "{turn}: {open:?}");
        assert!(
            sent.iter().all(|message: &Vec<u8>| !reads(&talk, message)),
            "{turn}: its own, of a chain that is over"
        );
        let answer = talk.answer();
        assert!(reads(&talk, &answer), "its own current chain");
        talk.hand.turns(&answer, [0x40 + turn; 32]);
        sent.push(answer);
    }
}

/// The derivation of this file is that of the page: root key, chain key and next header key are three different keys.
#[test]
fn the_keys_of_a_step_are_apart() {
    let mut keys = begin(&SECRET).to_vec();
    keys.extend(turn(&SECRET, &SECRET));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 6);
}
