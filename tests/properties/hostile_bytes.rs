//! Bytes from people who mean harm: every flipped bit, every cut, every addition. All are refused, no record
//! changes ([`Device::run`] compares every byte), and what was meant still opens.

use outrigger::{
    ChangeNumber, KeyPair, LearnNumber, Limits, NumberError, OpenError, PhoneNumber, Random, RootSecret,
    SafetyNumber, ShowSafetyNumber, SuitePolicy, VerifiedBundle, ratchet::Ratchet,
};

use crate::world::{
    BOUND, Device, NOON, Server, exchange, friends, headers_in_clear,
    random::Seeded,
    strangers,
    wire::{Fields, envelope},
};

/// A receiver, a message that it opens, and what the message is.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ben: Device,
    pub(crate) ada: Device,
    pub(crate) message: Vec<u8>,
}

/// Every kind of envelope.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, ada: &Device, ben: &Device, message: &[u8]| {
        cases.push(Case { name, ada: ada.clone(), ben: ben.clone(), message: message.to_vec() });
    };
    let (mut ada, ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    add("first, with a one-time prekey", &ada, &ben, &ada.clone().send(ben.address, b"text"));
    let (mut ada, mut ben, server) = strangers();
    ada.start_from(&server.fetch_weak(ben.address), ben.address).unwrap();
    let first = ada.send(ben.address, b"text");
    add("first, without a one-time prekey", &ada, &ben, &first);
    ben.opens(ada.address, &first, b"text");
    add("repeated first", &ada, &ben, &ada.clone().send(ben.address, b"text"));
    add("first reply", &ben, &ada, &ben.clone().send(ada.address, b"text"));
    let (mut ada, mut ben, mut server) = friends();
    ada.start(ben.address, &mut server).unwrap();
    add("first, and it replaces a session", &ada, &ben, &ada.clone().send(ben.address, b"text"));
    let (mut cleo, dan, _) = friends();
    let turn = cleo.send(dan.address, b"text");
    add("settled, a turn", &cleo, &dan, &turn);
    exchange(&mut ada, &mut ben);
    let late = ada.send(ben.address, b"text");
    exchange(&mut ada, &mut ben);
    add("late, by a stored key", &ada, &ben, &late);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    add("settled, within a chain", &ada, &ben, &ada.clone().send(ben.address, b"text"));
    ada.send(ben.address, b"lost");
    add("settled, behind a gap", &ada, &ben, &ada.clone().send(ben.address, b"text"));
    cases
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

fn cuts_and_additions(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cuts = (0..bytes.len()).flat_map(|len| [bytes[..len].to_vec(), bytes[bytes.len() - len..].to_vec()]);
    let additions = [0, 1, 0x3a, 0x0a, 0x80, 0xff].map(|byte| [bytes, &[byte]].concat());
    cuts.chain(additions).chain([[bytes, bytes].concat(), [&[1], bytes].concat()])
}

#[test]
fn l10_l15_every_flipped_bit_of_every_envelope_is_refused() {
    for Case { name, mut ben, ada, message } in cases() {
        for (bit, flipped) in flips(&message).enumerate() {
            assert!(ben.receive(ada.address, &flipped).is_err(), "{name}: bit {bit}");
        }
        ben.opens(ada.address, &message, b"text");
    }
}

#[test]
fn l15_every_cut_and_every_addition_is_refused() {
    headers_in_clear();
    for Case { name, mut ben, ada, message } in cases() {
        for altered in cuts_and_additions(&message) {
            assert!(ben.receive(ada.address, &altered).is_err(), "{name}: {} bytes", altered.len());
        }
        // The tag is 16 bytes: shorter and longer ones that the frame agrees with are refused too.
        let fields = Fields::envelope(&message);
        let sealed = fields.bytes(envelope::CIPHERTEXT).to_vec();
        for len in 0..sealed.len() {
            let shorter = fields.with_bytes(envelope::CIPHERTEXT, &sealed[..len]).encode();
            assert!(ben.receive(ada.address, &shorter).is_err(), "{name}: tag cut to {len}");
        }
        let longer = fields.with_bytes(envelope::CIPHERTEXT, &[&sealed[..], &[0]].concat()).encode();
        let refused = ben.refuses(ada.address, &longer);
        assert!(matches!(refused, OpenError::NotAuthentic | OpenError::OutOfStep), "{refused:?}");
        ben.opens(ada.address, &message, b"text");
    }
}

#[test]
fn associated_data_is_bound_and_cannot_be_moved() {
    for Case { name, mut ben, ada, message } in cases() {
        for associated_data in [&b""[..], &BOUND[1..], &[BOUND, b"x"].concat(), b"bound, not sens"] {
            let refused =
                ben.run(&outrigger::Receive { from: ada.address, envelope: &message, associated_data });
            assert!(matches!(refused, Err(OpenError::NotAuthentic | OpenError::OutOfStep)), "{name}");
        }
        ben.opens(ada.address, &message, b"text");
    }
}

#[test]
fn a_standalone_ratchet_refuses_the_same_and_stays_as_it_was() {
    let mut random = Seeded::new(6);
    let mut random = Random::new(&mut random);
    let pair = KeyPair::generate(&mut random).unwrap();
    let mut ada = Ratchet::initiate(RootSecret::take_from(&mut [3; 32]), pair.public(), &mut random).unwrap();
    let mut ben = Ratchet::respond(RootSecret::take_from(&mut [3; 32]), pair);
    let hear = |to: &mut Ratchet, message: &[u8]| to.decrypt(message, BOUND, NOON, &Limits::DEFAULT);
    for round in 0..4 {
        let late = ada.encrypt(b"late", BOUND, &mut random).unwrap();
        let message = ada.encrypt(b"text", BOUND, &mut random).unwrap();
        for message in [&message, &late] {
            let before = ben.save();
            for altered in flips(message).chain(cuts_and_additions(message)) {
                assert!(hear(&mut ben, &altered).is_err(), "round {round}");
                assert_eq!(before[..], ben.save()[..], "round {round}: a refusal changed the ratchet");
            }
            assert!(ben.decrypt(message, b"other", NOON, &Limits::DEFAULT).is_err());
            hear(&mut ben, message).unwrap();
        }
        let back = ben.encrypt(b"back", BOUND, &mut random).unwrap();
        hear(&mut ada, &back).unwrap();
    }
}

/// The one-time prekey of a bundle of X3DH is not signed: a server can swap or withhold it, and gets no session out of it.
#[test]
fn every_flipped_bit_of_a_bundle_is_refused_before_or_at_the_first_message() {
    let mut server = Server::default();
    let [ada, mut ben] = ["ada", "ben"].map(|name| {
        let mut device = Device::new(name);
        device.suites = SuitePolicy::Classic;
        device.publish(1, &mut server);
        device
    });
    let bundle = server.fetch(ben.address);
    let signed_len = bundle.len() - 35;
    for (bit, flipped) in flips(&bundle).enumerate() {
        match VerifiedBundle::verify(&flipped, &ben.address) {
            Err(_) => {}
            Ok(_) => {
                assert!(bit / 8 >= signed_len + 3, "bit {bit} of a signed part");
                let mut ada = ada.clone();
                ada.start_from(&flipped, ben.address).unwrap();
                let message = ada.send(ben.address, b"text");
                assert!(matches!(ben.refuses(ada.address, &message), OpenError::MissingPrekey(_)));
            }
        }
    }
    for altered in cuts_and_additions(&bundle) {
        let verified = VerifiedBundle::verify(&altered, &ben.address);
        // One cut is a bundle again: the one that leaves the one-time prekey out.
        assert_eq!(verified.is_ok(), altered == bundle[..signed_len], "{} bytes", altered.len());
    }
}

#[test]
fn every_flipped_bit_of_a_number_statement_is_refused() {
    let (mut ada, mut ben, _) = friends();
    let number = PhoneNumber::parse("+493012345678").unwrap();
    let statement = ben.run(&ChangeNumber { number: number.clone() }).unwrap();
    let account = ben.address.account;
    for altered in flips(&statement).chain(cuts_and_additions(&statement)) {
        assert!(ada.run(&LearnNumber { account, statement: &altered }).is_err());
    }
    // Nor does another account's statement serve.
    let foreign = ada.run(&ChangeNumber { number: number.clone() }).unwrap();
    assert_eq!(
        ada.run(&LearnNumber { account, statement: &foreign }).unwrap_err(),
        NumberError::BadSignature
    );
    assert_eq!(*ada.run(&LearnNumber { account, statement: &statement }).unwrap().number(), number);
}

#[test]
fn every_flipped_bit_of_a_scannable_code_is_refused() {
    let (mut ada, mut ben, _) = friends();
    let shown = ben.run(&ShowSafetyNumber { peer: ada.address }).unwrap().scannable();
    let own: SafetyNumber = ada.run(&ShowSafetyNumber { peer: ben.address }).unwrap();
    assert_eq!(own.check_scanned(&shown), Ok(()));
    for altered in flips(&shown).chain(cuts_and_additions(&shown)) {
        assert!(own.check_scanned(&altered).is_err());
    }
    assert!(own.check_scanned(&own.scannable()).is_err(), "its own screen");
}
