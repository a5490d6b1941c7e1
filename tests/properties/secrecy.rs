//! The promises of the Double Ratchet against someone who copies a state: nothing earlier opens, and after a round trip nothing later.
//!
//! The thief of [`thief`](crate::world::thief) reads a saved ratchet without the crate; where sessions are stolen, the thief is a second device
//! with the stolen records. Rows: *Double Ratchet* digest, section 7. Every test also names what the thief *can* read, or it could not fail.

use outrigger::{
    KeyPair, Limits, OpenError, Random, RecordKind, RootSecret, Strength,
    ratchet::{DecryptError, Ratchet},
};

use crate::world::{
    BOUND, Device, NOON, exchange, friends,
    random::Seeded,
    strangers,
    thief::Stolen,
    wire::{Fields, envelope},
};

/// Two ratchets without sessions, and one source for both.
struct Talk {
    ada: Ratchet,
    ben: Ratchet,
    random: Seeded,
}

impl Talk {
    fn new() -> Self {
        let mut random = Seeded::new(5);
        let secret = || RootSecret::take_from(&mut [9; 32]);
        let ben_pair = KeyPair::generate(&mut Random::new(&mut random)).unwrap();
        let ada = Ratchet::initiate(secret(), ben_pair.public(), &mut Random::new(&mut random)).unwrap();
        Self { ada, ben: Ratchet::respond(secret(), ben_pair), random }
    }

    fn ada_says(&mut self, text: &str) -> Vec<u8> {
        self.ada.encrypt(text.as_bytes(), BOUND, &mut Random::new(&mut self.random)).unwrap()
    }

    fn ben_says(&mut self, text: &str) -> Vec<u8> {
        self.ben.encrypt(text.as_bytes(), BOUND, &mut Random::new(&mut self.random)).unwrap()
    }

    fn ben_hears(&mut self, message: &[u8]) {
        self.ben.decrypt(message, BOUND, NOON, &Limits::DEFAULT).unwrap();
    }

    fn ada_hears(&mut self, message: &[u8]) {
        self.ada.decrypt(message, BOUND, NOON, &Limits::DEFAULT).unwrap();
    }

    /// One message each way, both delivered.
    fn round(&mut self) {
        let there = self.ada_says("there");
        self.ben_hears(&there);
        let back = self.ben_says("back");
        self.ada_hears(&back);
    }
}

/// A device with another's records and randomness of its own.
fn stolen(device: &Device) -> Device {
    Device { random: Seeded::new(4_711), ..device.clone() }
}

fn reads(thief: &Stolen, message: &[u8]) -> bool {
    thief.reads(message, BOUND).is_some()
}

#[test]
fn a_captured_state_opens_no_earlier_message() {
    let mut talk = Talk::new();
    let mut sent = Vec::new();
    for step in 0..14 {
        // Ada speaks twice, Ben once, Ada once, Ben twice, and so on; both ends are copied before and after every delivery.
        let from_ada = matches!(step % 6, 0 | 1 | 3);
        let message = if from_ada { talk.ada_says("x") } else { talk.ben_says("x") };
        let copies = [talk.ada.save(), talk.ben.save()].map(|saved| Stolen::read(&saved));
        assert!(copies.iter().any(|thief| reads(thief, &message)), "{step}: the thief reads nothing at all");
        if from_ada {
            talk.ben_hears(&message)
        } else {
            talk.ada_hears(&message)
        }
        sent.push(message);
        for (copy, thief) in
            [talk.ada.save(), talk.ben.save()].map(|saved| Stolen::read(&saved)).iter().enumerate()
        {
            for (place, earlier) in sent.iter().enumerate() {
                assert!(!reads(thief, earlier), "copy {copy} after step {step} reads message {place}");
            }
        }
    }
}

/// Row 1: ada holds a ratchet key of her own when she is copied.
#[test]
fn after_a_round_trip_a_copied_sender_opens_nothing() {
    let mut talk = Talk::new();
    talk.round();
    let there = talk.ada_says("key a_i");
    let [late, held] = ["late", "held back"].map(|text| talk.ada_says(text));
    let thief = Stolen::read(&talk.ada.save());
    assert!(!reads(&thief, &there) && !reads(&thief, &late) && !reads(&thief, &held), "her own past is gone");

    let rest_of_hers = talk.ada_says("the rest of chain a_i");
    talk.ben_hears(&there);
    talk.ben_hears(&rest_of_hers);
    let next_of_his = talk.ben_says("chain b_(j+1)");
    talk.ada_hears(&next_of_his);
    let first_safe = talk.ada_says("chain a_(i+1)");
    talk.ben_hears(&first_safe);
    let then = talk.ben_says("chain b_(j+2)");

    assert!(reads(&thief, &rest_of_hers), "the thief has the chain");
    assert!(reads(&thief, &next_of_his), "the thief has the key that it was made for");
    assert!(!reads(&thief, &first_safe), "one round trip");
    assert!(!reads(&thief, &then));
}

/// Row 2: ada has received, and not yet sent: the sending half waits, so that her very next message is safe.
#[test]
fn a_copied_receiver_that_has_not_answered_is_safe_with_its_next_message() {
    let mut talk = Talk::new();
    talk.round();
    let there = talk.ada_says("there");
    talk.ben_hears(&there);
    let [skipped, heard, rest] =
        ["skipped", "heard", "the rest of chain b_j"].map(|text| talk.ben_says(text));
    talk.ada_hears(&heard);
    let thief = Stolen::read(&talk.ada.save());

    assert!(reads(&thief, &skipped), "a key that was kept");
    assert!(reads(&thief, &rest), "the open chain");
    assert!(!reads(&thief, &heard));
    assert!(!reads(&thief, &talk.ada_says("her very next")));
}

/// Row 3: both sides are copied at once.
#[test]
fn two_copied_ends_heal_with_the_first_chain_that_is_younger_on_both_sides() {
    let mut talk = Talk::new();
    talk.round();
    let there = talk.ada_says("there");
    let thieves = [talk.ada.save(), talk.ben.save()].map(|saved| Stolen::read(&saved));
    let either = |message: &[u8]| thieves.iter().any(|thief| reads(thief, message));
    talk.ben_hears(&there);
    let one_young_key = talk.ben_says("b_(j+1) is young, a_i is not");
    talk.ada_hears(&one_young_key);
    let both_young = talk.ada_says("a_(i+1) and b_(j+1)");

    assert!(either(&there));
    assert!(either(&one_young_key));
    assert!(!either(&both_young));
}

#[test]
fn traffic_in_one_direction_never_heals() {
    let mut talk = Talk::new();
    talk.round();
    let first = talk.ada_says("first");
    talk.ben_hears(&first);
    let thief = Stolen::read(&talk.ben.save());
    for place in 0..30 {
        let message = talk.ada_says("no answer comes");
        assert!(reads(&thief, &message), "message {place}");
        talk.ben_hears(&message);
    }
}

#[test]
fn a_stolen_store_opens_nothing_that_was_opened_before() {
    let (mut ada, mut ben, _) = friends();
    let mut past = Vec::new();
    for turn in 0..6 {
        let message = ada.send(ben.address, [turn]);
        ben.opens(ada.address, &message, [turn]);
        past.push(message);
        if turn % 2 == 1 {
            exchange(&mut ben, &mut ada);
        }
        let mut thief = stolen(&ben);
        for message in &past {
            assert!(thief.receive(ada.address, message).is_err());
        }
        let next = ada.clone().send(ben.address, b"next");
        thief.opens(ada.address, &next, b"next");
    }
}

#[test]
fn l12_after_a_round_trip_a_stolen_store_neither_opens_nor_speaks() {
    let (mut ada, mut ben, mut server) = friends();
    // An archived session is stolen along with the active one.
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    assert_eq!(ben.store.count(RecordKind::ArchivedSession), 1);
    let thief = stolen(&ben);

    exchange(&mut ben, &mut ada);
    let from_ada = ada.send(ben.address, b"healed");
    ben.opens(ada.address, &from_ada, b"healed");
    let mut listening = thief.clone();
    assert!(listening.receive(ada.address, &from_ada).is_err(), "it listens as it is");
    // It can also try with a ratchet key of its own first.
    let spoken = listening.send(ada.address, b"i am ben");
    assert!(listening.receive(ada.address, &from_ada).is_err(), "it listens after a turn of its own");
    assert!(ada.receive(ben.address, &spoken).is_err(), "it speaks");

    // And before the round trip it could do both, or this test would show nothing.
    let (mut ada, mut ben, _) = friends();
    let from_ada = ada.send(ben.address, b"not healed");
    ben.clone().opens(ada.address, &from_ada, b"not healed");
    ben.opens(ada.address, &from_ada, b"not healed");
}

#[test]
fn l11_a_clone_is_noticed_when_the_original_has_spoken() {
    let (mut ada, mut ben, _) = friends();
    exchange(&mut ada, &mut ben);
    let mut clone = stolen(&ben);
    exchange(&mut ben, &mut ada);
    let envelope = clone.send(ada.address, b"from the clone");
    let refusal = ada.refuses(ben.address, &envelope);
    assert_eq!(refusal, OpenError::OutOfStep, "the app hears of it, and with a cause");
    // Nothing was accepted in its place, and the original goes on.
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
}

/// Identity key and signed prekey leak while the session is weak, and again after the first completed turn.
#[test]
fn l1_a_start_without_one_time_prekey_is_weak_until_the_first_completed_turn() {
    let (mut ada, mut ben, server) = strangers();
    // The thief has all of ben's long-lived keys, and hears everything.
    let leaked = stolen(&ben);
    let started = ada.start_from(&server.fetch_weak(ben.address), ben.address).unwrap();
    assert_eq!(started.strength, Strength::Weak);
    let sent = ada.try_send(ben.address, b"hello").unwrap();
    assert_eq!(sent.strength, Strength::Weak);
    let received = ben.opens(ada.address, &sent.envelope, b"hello");
    assert_eq!(received.strength, Strength::Weak);
    assert_eq!(ben.describe(ada.address).session.unwrap().strength, Strength::Weak);
    let mut thief = leaked.clone();
    thief.opens(ada.address, &sent.envelope, b"hello");
    // More of the same chain shows nothing of ada's next key.
    let more = ada.send(ben.address, b"more");
    assert_eq!(ben.opens(ada.address, &more, b"more").strength, Strength::Weak);
    thief.opens(ada.address, &more, b"more");

    let reply = ben.try_send(ada.address, b"reply").unwrap();
    assert_eq!(reply.strength, Strength::Weak, "ben does not know yet that ada has his new key");
    let received = ada.opens(ben.address, &reply.envelope, b"reply");
    assert_eq!(received.strength, Strength::Full, "at ada the first reply ends it");
    let second = ada.try_send(ben.address, b"second turn").unwrap();
    assert_eq!(second.strength, Strength::Full);
    let received = ben.opens(ada.address, &second.envelope, b"second turn");
    assert_eq!(received.strength, Strength::Full, "at ben the turn is complete");
    assert_eq!(ben.describe(ada.address).session.unwrap().strength, Strength::Full);

    // The thief holds the root of the session, and tries with and without a ratchet key of its own.
    assert!(thief.receive(ada.address, &second.envelope).is_err());
    thief.send(ada.address, b"guess");
    assert!(thief.receive(ada.address, &second.envelope).is_err());
    let mut anew = leaked;
    assert!(anew.receive(ada.address, &second.envelope).is_err());
}

#[test]
fn a_start_with_a_one_time_prekey_is_full_and_closed_to_later_leaks() {
    let (mut ada, mut ben, mut server) = strangers();
    let started = ada.start(ben.address, &mut server).unwrap();
    assert_eq!(started.strength, Strength::Full);
    let hello = ada.send(ben.address, b"hello");
    assert!(ben.clone().receive(ada.address, &hello).is_ok(), "the one-time prekey is still there");
    let received = ben.opens(ada.address, &hello, b"hello");
    assert_eq!(received.strength, Strength::Full);
    // Everything that ben has now does not open it again; nor without the session that remembers it.
    let mut thief = ben.clone();
    assert_eq!(thief.refuses(ada.address, &hello), OpenError::Duplicate);
    thief.store.0.retain(|key, _| key.kind() != RecordKind::Peer);
    assert!(matches!(thief.refuses(ada.address, &hello), OpenError::MissingPrekey(_)));
}

/// Private keys that were drawn are in the records for as long as they are needed and no longer.
#[test]
fn ratchet_keys_leave_the_records_with_their_turn() {
    let (mut ada, mut ben, _) = friends();
    let held = |device: &Device, key: &[u8]| device.store.holds(&key[1..31]);
    for _ in 0..4 {
        let before = ada.random.tape.len();
        exchange(&mut ada, &mut ben);
        let [pair, ..] = &ada.random.tape[before..] else { panic!("a turn draws a key first") };
        let pair = pair.clone();
        assert!(held(&ada, &pair), "the key is in use");
        exchange(&mut ben, &mut ada);
        assert!(!held(&ada, &pair), "answered, and gone before the next is drawn");
    }
}

#[test]
fn chain_and_message_keys_leave_the_saved_state_with_their_message() {
    let mut talk = Talk::new();
    talk.round();
    let [one, two] = ["one", "two"].map(|text| talk.ada_says(text));
    talk.ben_hears(&two);
    let skipped = |talk: &Talk| talk.ben.save()[..].to_vec();
    let with_key = skipped(&talk);
    let key = with_key[with_key.len() - 32..].to_vec();
    talk.ben_hears(&one);
    let after = skipped(&talk);
    assert_eq!(with_key.len() - after.len(), 52);
    assert!(!after.windows(32).any(|window| window == key), "an opened message's key is gone");
    let again = talk.ben.decrypt(&one, BOUND, NOON, &Limits::DEFAULT).unwrap_err();
    assert_eq!(again, DecryptError::Duplicate);
}

/// root (32), state (1), key pair (64), chain (32), next (4): where the sending chain's key stands in a saved ratchet.
#[test]
fn a_moved_chain_leaves_no_old_key_behind() {
    let mut talk = Talk::new();
    talk.round();
    talk.ada_says("the chain exists");
    let before = talk.ada.save();
    talk.ada_says("moves it");
    let after = talk.ada.save();
    assert!(!after.windows(32).any(|window| window == &before[98..130]));
    assert_eq!(before[1..98], after[1..98], "root and key pair stand still within a chain");
    let message = Fields::parse(&talk.ada_says("numbered"), 0);
    assert_eq!(message.number(envelope::COUNTER), 2);
}
