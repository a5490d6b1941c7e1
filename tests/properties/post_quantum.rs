//! PQXDH against a server and a network that mean harm: prekeys in another's place, parts left out, bytes altered, old things shown again. For both parameter sets.

use curve25519_dalek::{MontgomeryPoint, constants::EIGHT_TORSION};
use outrigger::{
    Advice, BundleError, DecodeError, Field, KemPublicKey, KemSize, OpenError, PublicKeyError,
    SignedStatement, Strength, Suite, SuitePolicy, VerifiedBundle,
};

use crate::world::{
    Device, NOON, Server, exchange,
    hand::{self, ByHand, Kem},
    headers_in_clear,
    wire::{Fields, Value, envelope},
};

pub(crate) const SIZES: [KemSize; 2] = [KemSize::MlKem768, KemSize::MlKem1024];

pub(crate) fn other(size: KemSize) -> KemSize {
    SIZES.into_iter().find(|other| *other != size).unwrap()
}

/// A device of this policy with ten one-time prekeys.
pub(crate) fn device(name: &str, suites: SuitePolicy, server: &mut Server) -> Device {
    let mut device = Device::new(name);
    device.suites = suites;
    device.publish(10, server);
    device
}

pub(crate) fn pair(size: KemSize) -> (Device, Device, Server) {
    let mut server = Server::default();
    let [ada, ben] = ["ada", "ben"].map(|name| device(name, SuitePolicy::Prefer(size), &mut server));
    (ada, ben, server)
}

fn refusal(bundle: &[u8], ben: &Device) -> BundleError {
    VerifiedBundle::verify(bundle, &ben.address).unwrap_err()
}

const BAD: BundleError = BundleError::BadSignature(SignedStatement::KemPrekey);
const NO_KEY: BundleError = BundleError::Decode(DecodeError::Malformed(Field::KemPrekey));

/// Field 8 as it stands in a unit of fields.
fn kem_field(fields: &[u8]) -> Vec<u8> {
    Fields::parse(fields, 0).bytes(8).to_vec()
}

#[test]
fn both_sides_agree_with_and_without_a_one_time_prekey() {
    for size in SIZES {
        let (mut ada, mut ben, server) = pair(size);
        let suite = Suite::PostQuantum(size);
        let one_time = server.clone().fetch(ben.address);
        for (bundle, strength) in
            [(one_time, Strength::Full), (server.fetch_weak(ben.address), Strength::Weak)]
        {
            let started = ada.start_from(&bundle, ben.address).unwrap();
            assert_eq!((started.suite, started.strength, started.downgraded), (suite, strength, false));
            let received = exchange(&mut ada, &mut ben);
            assert_eq!((received.suite, received.strength, received.downgraded), (suite, strength, false));
            assert_eq!(exchange(&mut ben, &mut ada).suite, suite);
            assert_eq!(ada.describe(ben.address).session.unwrap().suite, suite);
        }
    }
}

/// Computed from `docs/protocol.md` with another ML-KEM: it opens. With the label of the other parameter set, or another secret, it does not.
#[test]
fn l4_the_secret_is_the_pages() {
    for size in SIZES {
        let (ada, ben, server) = pair(size);
        for bytes in [server.clone().fetch(ben.address), server.fetch_weak(ben.address)] {
            let bundle = VerifiedBundle::verify(&bytes, &ben.address).unwrap();
            let kem = || Kem::of(bundle.kem_prekey().unwrap().encoded(), &[0x44; 32]);
            let sealed = |kem| {
                ByHand::start_with(&[0x41; 32], &[0x24; 32], &ada.address, &bundle, NOON, Some(kem))
                    .seal(0, b"\x01by hand")
            };
            for wrong in [
                Kem { label: hand::label(other(size) == KemSize::MlKem1024), ..kem() },
                Kem { label: b"outrigger v1 x3dh", ..kem() },
                Kem { secret: [7; 32], ..kem() },
            ] {
                assert_eq!(ben.clone().refuses(ada.address, &sealed(wrong)), OpenError::NotAuthentic);
            }
            ben.clone().opens(ada.address, &sealed(kem()), b"by hand");
        }
    }
}

#[test]
fn l4_a_kem_prekey_that_the_device_has_not_signed_is_refused() {
    for size in SIZES {
        let (ada, ben, server) = pair(size);
        let theirs = server.0[&ada.address].clone();
        for bytes in [server.clone().fetch(ben.address), server.fetch_weak(ben.address)] {
            let fields = Fields::parse(&bytes, 1);
            let kem = fields.bytes(8);
            let with = |kem: &[u8]| refusal(&fields.with_bytes(8, kem).encode(), &ben);
            let signed_at = kem.len() - 64;
            for bit in signed_at * 8..kem.len() * 8 {
                let mut flipped = kem.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(with(&flipped), BAD, "bit {bit}");
            }
            for place in (0..signed_at).step_by(5) {
                let mut flipped = kem.to_vec();
                flipped[place] ^= 1 << (place % 8);
                let refusal = with(&flipped);
                assert!([BAD, NO_KEY].contains(&refusal), "byte {place}: {refusal}");
            }
            // Another device's, signed by that one.
            assert_eq!(with(&kem_field(&theirs.last_resort)), BAD);
            assert_eq!(with(&kem_field(&theirs.one_time[0])), BAD);
            for len in [0, 1, 33, 64, 97, kem.len() - 1] {
                assert_eq!(with(&kem[..len]), NO_KEY, "{len} bytes");
            }
            assert_eq!(with(&[kem, &[0]].concat()), NO_KEY);
        }
    }
}

/// The signature says which key it is for: with which curve key, or the last resort.
#[test]
fn l4_a_signature_of_a_prekey_stands_for_no_other() {
    for size in SIZES {
        let (_, mut ben, mut server) = pair(size);
        let shelf = server.0[&ben.address].clone();
        let [one, two] = [0, 1].map(|place| Fields::parse(&shelf.one_time[place], 0));
        let weak = Fields::parse(&server.fetch_weak(ben.address), 1);
        let full = |curve: &Fields, kem: &[u8]| {
            refusal(&weak.with_bytes(7, curve.bytes(7)).with_bytes(8, kem).encode(), &ben)
        };
        // A one-time KEM prekey as the last resort, the last resort as a one-time one, and with another curve key.
        assert_eq!(refusal(&weak.with_bytes(8, one.bytes(8)).encode(), &ben), BAD);
        assert_eq!(full(&one, weak.bytes(8)), BAD);
        assert_eq!(full(&one, two.bytes(8)), BAD);

        // Between curve and KEM prekeys.
        let (key, signature) = weak.bytes(8).split_at(weak.bytes(8).len() - 64);
        let of_curve = [key, weak.bytes(6)].concat();
        assert_eq!(refusal(&weak.with_bytes(8, &of_curve).encode(), &ben), BAD);
        let swapped = weak.with_bytes(6, signature).encode();
        assert_eq!(refusal(&swapped, &ben), BundleError::BadSignature(SignedStatement::SignedPrekey));
        let curve_as_kem = [weak.bytes(5), weak.bytes(6)].concat();
        assert_eq!(refusal(&weak.with_bytes(8, &curve_as_kem).encode(), &ben), NO_KEY);
        let kem_as_curve = weak.with_bytes(5, key).with_bytes(6, signature).encode();
        assert!(matches!(refusal(&kem_as_curve, &ben), BundleError::Decode(_)));

        // Between parameter sets: the device's own key of the other one, rightly signed.
        ben.suites = SuitePolicy::Prefer(other(size));
        let upload = ben.publish(1, &mut server);
        assert_eq!(refusal(&weak.with_bytes(8, &kem_field(&upload.last_resort)).encode(), &ben), NO_KEY);
        let mut retyped = weak.bytes(8).to_vec();
        retyped[0] ^= 1;
        assert_eq!(refusal(&weak.with_bytes(8, &retyped).encode(), &ben), NO_KEY);
    }
}

/// No decoder takes what another one makes.
#[test]
fn l4_the_encodings_of_keys_are_disjoint() {
    for size in SIZES {
        let (_, ben, server) = pair(size);
        let weak = Fields::parse(&server.fetch_weak(ben.address), 1);
        let (key, _) = weak.bytes(8).split_at(weak.bytes(8).len() - 64);
        let parsed = KemPublicKey::parse_encoded(key).unwrap();
        assert_eq!((parsed.size(), parsed.encoded()), (size, key));
        for kind in 0..=255 {
            let mut other = key.to_vec();
            other[0] = kind;
            assert_eq!(KemPublicKey::parse_encoded(&other).is_ok(), kind == key[0], "{kind}");
            other.truncate(33);
            assert_eq!(KemPublicKey::parse_encoded(&other), Err(PublicKeyError::Encoding));
        }
        assert!(outrigger::PublicKey::parse_encoded(key).is_err());
        assert_eq!(KemPublicKey::parse_encoded(weak.bytes(5)), Err(PublicKeyError::Encoding));
        // Coefficients are below 3,329, which the library would encapsulate to all the same.
        let mut over = key.to_vec();
        over[1..4].fill(0xff);
        assert_eq!(KemPublicKey::parse_encoded(&over), Err(PublicKeyError::NotCanonical));
        assert_eq!(
            refusal(&weak.with_bytes(8, &[&over, &weak.bytes(8)[key.len()..]].concat()).encode(), &ben),
            NO_KEY
        );
        let mut zero = vec![0; key.len()];
        zero[0] = key[0];
        assert!(KemPublicKey::parse_encoded(&zero).is_ok(), "a key like others, and signed by nobody");
        assert_eq!(
            refusal(&weak.with_bytes(8, &[&zero, &weak.bytes(8)[key.len()..]].concat()).encode(), &ben),
            BAD
        );
    }
}

/// A server that takes the KEM prekey out leaves a bundle that looks like one of X3DH; but the device has signed for more.
#[test]
fn l4_a_stripped_bundle_is_refused() {
    for size in SIZES {
        let (_, ben, server) = pair(size);
        let full = Fields::parse(&server.clone().fetch(ben.address), 1);
        for stripped in [full.with(8, None), full.with(7, None).with(8, None)] {
            let refusal = refusal(&stripped.encode(), &ben);
            assert_eq!((refusal, refusal.advice()), (BundleError::Stripped, Advice::Drop));
            let unsaid = stripped.with_bytes(2, &[1]).encode();
            let suites = BundleError::BadSignature(SignedStatement::Suites);
            assert_eq!(VerifiedBundle::verify(&unsaid, &ben.address).unwrap_err(), suites);
        }
    }
}

/// Any byte of the ciphertext: one error, that of a wrong curve part; nothing is used up.
#[test]
fn a_mauled_ciphertext_is_not_authentic_and_uses_nothing_up() {
    headers_in_clear();
    for size in SIZES {
        let (mut ada, mut ben, server) = pair(size);
        for bundle in [server.clone().fetch(ben.address), server.fetch_weak(ben.address)] {
            ada.start_from(&bundle, ben.address).unwrap();
            let first = ada.send(ben.address, b"hello");
            let fields = Fields::envelope(&first);
            let handshake = Fields::parse(fields.bytes(envelope::HANDSHAKE), 0);
            let pq = handshake.bytes(5);
            let with = |number: u64, bytes: &[u8]| {
                let handshake = handshake.with_bytes(number, bytes).encode();
                fields.with_bytes(envelope::HANDSHAKE, &handshake).encode()
            };
            for place in (16..pq.len()).step_by(if size == KemSize::MlKem768 { 1 } else { 7 }) {
                let mut mauled = pq.to_vec();
                mauled[place] ^= 1 << (place % 8);
                assert_eq!(
                    ben.refuses(ada.address, &with(5, &mauled)),
                    OpenError::NotAuthentic,
                    "byte {place}"
                );
            }
            let curve = with(2, &hand::enc(&hand::public(&[9; 32])));
            assert_eq!(ben.refuses(ada.address, &curve), OpenError::NotAuthentic);
            for cut in [&pq[..pq.len() - 1], &pq[..16], &[pq, &[0]].concat()] {
                let malformed = |field| OpenError::Decode(DecodeError::Malformed(field));
                let refusal = ben.refuses(ada.address, &with(5, cut));
                assert!([Field::Pq, Field::Handshake].map(malformed).contains(&refusal), "{refusal}");
            }
            ben.opens(ada.address, &first, b"hello");
            exchange(&mut ben, &mut ada);
        }
    }
}

/// Suite and KEM part go together, and no session is of a suite that it did not begin in.
#[test]
fn l4_a_message_of_another_suite_is_refused() {
    headers_in_clear();
    for size in SIZES {
        let (mut ada, mut ben, mut server) = pair(size);
        ada.start(ben.address, &mut server).unwrap();
        let first = ada.send(ben.address, b"hello");
        let fields = Fields::envelope(&first);
        let handshake = Fields::parse(fields.bytes(envelope::HANDSHAKE), 0);
        let without = fields.with_bytes(envelope::HANDSHAKE, &handshake.with(5, None).encode());
        let of = |fields: &Fields, suite: Suite| {
            let mut fields = fields.clone();
            fields.front[1] = suite.to_byte();
            fields.encode()
        };
        for suite in [Suite::Classic, Suite::PostQuantum(size), Suite::PostQuantum(other(size))] {
            if suite != Suite::PostQuantum(size) {
                assert!(matches!(ben.refuses(ada.address, &of(&fields, suite)), OpenError::Decode(_)));
            }
            let refusal = ben.refuses(ada.address, &of(&without, suite));
            let classic = suite == Suite::Classic;
            assert!(if classic {
                refusal == OpenError::NotAuthentic
            } else {
                matches!(refusal, OpenError::Decode(_))
            });
        }
        ben.opens(ada.address, &first, b"hello");
        exchange(&mut ben, &mut ada);
        let settled = ada.send(ben.address, b"settled");
        for suite in [Suite::Classic, Suite::PostQuantum(other(size))] {
            let altered = of(&Fields::envelope(&settled), suite);
            assert_eq!(ben.refuses(ada.address, &altered), OpenError::NotAuthentic);
        }
        ben.opens(ada.address, &settled, b"settled");
    }
}

/// F4: who has one KEM private key gives it to everyone, and makes the secret again for another prekey. What was made for one key is bound to it.
#[test]
fn l4_a_secret_that_is_encapsulated_again_for_another_prekey_is_refused() {
    for size in SIZES {
        let (ada, mut ben, server) = pair(size);
        let weak = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
        let full = VerifiedBundle::verify(&server.clone().fetch(ben.address), &ben.address).unwrap();
        let last = weak.kem_prekey().unwrap().encoded();
        let one_time = full.kem_prekey().unwrap().encoded();
        for (bundle, given, rewritten) in [(&weak, one_time, last), (&full, last, one_time)] {
            // Even for a KEM in which the two ciphertexts hold one secret.
            let right = Kem::of(rewritten, &[0x44; 32]);
            let kem = Kem { key: given.to_vec(), ..Kem::of(rewritten, &[0x44; 32]) };
            let mut session =
                ByHand::start_with(&[0x41; 32], &[0x24; 32], &ada.address, bundle, NOON, Some(kem));
            let refusal = ben.refuses(ada.address, &session.seal(0, b"\x01x"));
            assert!(matches!(refusal, OpenError::MissingPrekey(id) if *id.as_bytes() == hand::kem_id(given)));
            let part = [&hand::kem_id(rewritten)[..], &right.ciphertext].concat();
            session.handshake = session.handshake.with(5, Some(Value::Bytes(part)));
            assert_eq!(ben.refuses(ada.address, &session.seal(0, b"\x01x")), OpenError::NotAuthentic);
        }
    }
}

/// X25519 gives one secret for a key and the key moved by a point of small order: the transcript has the key's bytes, so that no second session comes of it.
#[test]
fn l2_a_first_message_with_its_key_moved_by_torsion_is_no_second_one() {
    for size in SIZES {
        let (ada, mut ben, server) = pair(size);
        let weak = VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap();
        let session = ByHand::start_with(
            &[0x41; 32],
            &[0x24; 32],
            &ada.address,
            &weak,
            NOON,
            Some(Kem::of(weak.kem_prekey().unwrap().encoded(), &[0x44; 32])),
        );
        let first = session.seal(0, b"\x01once");
        ben.opens(ada.address, &first, b"once");
        let fields = Fields::envelope(&first);
        let handshake = Fields::parse(fields.bytes(envelope::HANDSHAKE), 0);
        let key = hand::public(&[0x24; 32]);
        let point = MontgomeryPoint(key).to_edwards(0).unwrap();
        for torsion in &EIGHT_TORSION[1..] {
            let moved = (point + torsion).to_montgomery().to_bytes();
            assert_ne!(moved, key);
            assert_eq!(hand::dh(&[9; 32], &moved), hand::dh(&[9; 32], &key), "what the attack rests on");
            let altered = handshake.with_bytes(2, &hand::enc(&moved)).encode();
            let altered = fields.with_bytes(envelope::HANDSHAKE, &altered);
            // In the session that is on record, and as the first of another.
            assert!(ben.receive(ada.address, &altered.encode()).is_err());
            let elsewhere = altered.with(envelope::SESSION_ID, Some(Value::Fixed64([7; 8]))).encode();
            assert_eq!(ben.refuses(ada.address, &elsewhere), OpenError::NotAuthentic);
        }
    }
}

/// With the last resort nothing is used up: what was accepted is remembered, also when its session is archived.
#[test]
fn l2_a_first_message_of_the_last_resort_counts_once() {
    headers_in_clear();
    for size in SIZES {
        let (mut ada, mut ben, mut server) = pair(size);
        ada.start_from(&server.fetch_weak(ben.address), ben.address).unwrap();
        let first = ada.send(ben.address, b"once");
        ben.opens(ada.address, &first, b"once");
        let again = |ben: &mut Device| {
            for _ in 0..20 {
                assert_eq!(ben.refuses(ada.address, &first), OpenError::Duplicate);
            }
        };
        again(&mut ben);
        let mut elsewhere = ada.clone();
        exchange(&mut ben, &mut elsewhere);
        for _ in 0..20 {
            elsewhere.restart(ben.address, &mut server).unwrap();
            exchange(&mut elsewhere, &mut ben);
            exchange(&mut ben, &mut elsewhere);
        }
        assert!(ben.receive(ada.address, &first).is_err(), "its session is gone by now");
        let session = Fields::envelope(&first).get(envelope::SESSION_ID).cloned();
        let Some(Value::Fixed64(id)) = session else { panic!("an id") };
        assert_ne!(ben.active(ada.address).map(|id| id.0), Some(id));
    }
}
