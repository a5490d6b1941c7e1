//! PQXDH with ML-KEM-768, from a bundle to both sides of the handshake.

use std::hint::black_box;

use libcrux_ml_kem::mlkem768::{self, MlKem768KeyPair};
use outrigger::{
    Address, Context, Generation, IdentityKeyPair, KemSeed, KemSize, KeyPair, MemoryStore, Operation,
    RecordKind, Register, ReplenishPrekeys, SuitePolicy, VerifiedBundle,
    handshake::{Initiated, Party, Prekeys, initiate, respond},
};
use rand_core::Rng;
use sha2::{Digest, Sha256};

use crate::{
    case::{Act, Case, Repeat},
    source::Source,
    sums::{Curve, key_pair},
    world::{NOW, World},
};

const POLICY: SuitePolicy = SuitePolicy::Require(KemSize::MlKem768);
/// What is hashed into the transcript: that of X3DH, and the KEM key and ciphertext, each behind its length.
const TRANSCRIPT: [u8; 274 + 4 + 1_185 + 4 + 1_088] = [8; 274 + 4 + 1_185 + 4 + 1_088];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("pqxdh-key-generation", generate, generate_sum).at_most(1.1).batch(1),
        Case::new("pqxdh-initiator", initiator, initiator_sum).at_most(1.1).batch(1),
        Case::new("pqxdh-responder", responder, responder_sum).at_most(1.1).batch(1),
    ]
}

/// A device that publishes one pair of a curve and a KEM key, and its bundle with that.
struct Responder {
    address: Address,
    store: MemoryStore,
    bundle: VerifiedBundle,
}

impl Responder {
    fn new() -> Self {
        let (World { bob, .. }, _) = World::with_bundle();
        let (address, mut source) = (bob.address, bob.source);
        let mut store = MemoryStore::new();
        run(&mut store, &mut source, &Register { address });
        let upload = run(&mut store, &mut source, &ReplenishPrekeys { one_time: 1 });
        let bytes = [&upload.bundle[..], &upload.one_time_prekeys[0]].concat();
        Self { address, store, bundle: VerifiedBundle::verify(&bytes, &address).unwrap() }
    }

    fn record(&self, kind: RecordKind) -> &[u8] {
        self.store.iter().find(|(key, _, _)| key.kind() == kind).unwrap().2
    }
}

fn run<O: Operation>(store: &mut MemoryStore, source: &mut Source, operation: &O) -> O::Output {
    store.run(operation, &mut Context::new(NOW, Generation([2; 16]), source).with_suites(POLICY)).unwrap()
}

/// A curve key and a KEM key, as a one-time prekey has them.
fn generate() -> impl Act {
    let mut random = Source::random();
    Repeat(move || {
        let pair = KeyPair::generate(&mut random).unwrap();
        (pair, KemSeed::generate(KemSize::MlKem768, &mut random).unwrap().expand())
    })
}

fn generate_sum() -> impl Act {
    let mut source = Source::new(2);
    Repeat(move || (key_pair(&mut source), kem_pair(&mut source)))
}

fn kem_pair(source: &mut Source) -> MlKem768KeyPair {
    mlkem768::generate_key_pair(drawn(source))
}

fn drawn<const N: usize>(source: &mut Source) -> [u8; N] {
    let mut bytes = [0; N];
    source.fill_bytes(&mut bytes);
    bytes
}

fn initiator() -> impl Act {
    let Responder { bundle, .. } = Responder::new();
    let (World { alice, .. }, _) = World::with_bundle();
    let mut random = Source::random();
    let identity = IdentityKeyPair::generate(&mut random).unwrap();
    Repeat(move || {
        let own = Party { identity: &identity, address: &alice.address };
        initiate(own, black_box(&bundle), POLICY, NOW, &mut random).unwrap()
    })
}

/// A curve key, an encapsulation, what both sides do, and three prekey ids.
fn initiator_sum() -> impl Act {
    let mut curve = Curve::new();
    let kem = kem_pair(&mut curve.source);
    Repeat(move || {
        black_box(key_pair(&mut curve.source));
        let (ciphertext, secret) =
            mlkem768::encapsulate(black_box(kem.public_key()), drawn(&mut curve.source));
        black_box(ciphertext);
        curve.agree(&secret, &TRANSCRIPT);
        for _ in 0..2 {
            black_box(Sha256::digest(black_box([8; 59])));
        }
        black_box(Sha256::digest(black_box([8; 59 - 33 + 1_185])));
    })
}

fn responder() -> impl Act {
    let responder = Responder::new();
    let (World { alice, .. }, _) = World::with_bundle();
    let mut random = Source::random();
    let [peer, identity] = [(); 2].map(|()| IdentityKeyPair::generate(&mut random).unwrap());
    let own = Party { identity: &peer, address: &alice.address };
    let Initiated { handshake, suite, .. } =
        initiate(own, &responder.bundle, POLICY, NOW, &mut random).unwrap();
    // A record is a head of 18 bytes, then the two halves of the key pair; in a one-time prekey a byte for the KEM's size and the seed follow.
    let record = |kind| responder.record(kind);
    let pair = |kind| KeyPair::take_from(&mut record(kind)[18..50].try_into().unwrap());
    let (signed, one_time) = (pair(RecordKind::SignedPrekey), pair(RecordKind::OneTimePrekey));
    let seed = record(RecordKind::OneTimePrekey)[83..147].try_into().unwrap();
    Repeat(move || {
        let own = Party { identity: &identity, address: &responder.address };
        let kem = KemSeed::take_from(KemSize::MlKem768, &mut { black_box(seed) }).expand();
        let keys = Prekeys { signed: &signed, one_time: Some(&one_time), kem: Some(&kem) };
        respond(own, &alice.address, suite, black_box(&handshake), keys).unwrap()
    })
}

/// The KEM key from its seed, a decapsulation, and what both sides do.
fn responder_sum() -> impl Act {
    let mut curve = Curve::new();
    let seed = drawn(&mut curve.source);
    let (ciphertext, _) =
        mlkem768::encapsulate(mlkem768::generate_key_pair(seed).public_key(), drawn(&mut curve.source));
    Repeat(move || {
        let kem = mlkem768::generate_key_pair(black_box(seed));
        let secret = mlkem768::decapsulate(kem.private_key(), black_box(&ciphertext));
        curve.agree(&secret, &TRANSCRIPT);
    })
}
