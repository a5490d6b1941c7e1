//! Keys, bundles, the handshake, and the first message of a session, both ways.

use std::hint::black_box;

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signature, VerifyingKey};
use outrigger::{
    IdentityKeyPair, Keep, KeyPair, RecordKind, Send, Start, SuitePolicy, VerifiedBundle,
    handshake::{Initiated, Party, Prekeys, initiate, respond},
};

use crate::{
    case::{Act, Case, Repeat},
    records::{receive_sum, send_sum, step_receive},
    source::Source,
    sums::{Curve, key_pair},
    world::{BOUND, NOW, World, step},
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("key-generation", generate, generate_sum).batch(4),
        Case::new("bundle-verification", verify, verify_sum).batch(1),
        Case::new("x3dh-initiator", initiator, || curve(Curve::initiate)).batch(1),
        Case::new("x3dh-responder", responder, || curve(|curve| curve.respond())).batch(1),
        Case::new("step-start", start, start_sum).batch(1),
        Case::new("step-first-send", first_send, || send_sum(64)),
        Case::new("step-first-receive", || step_receive(World::first()), first_receive_sum).batch(1),
    ]
}

fn generate() -> impl Act {
    let mut random = Source::random();
    Repeat(move || KeyPair::generate(&mut random).unwrap())
}

fn generate_sum() -> impl Act {
    let mut source = Source::new(2);
    Repeat(move || key_pair(&mut source))
}

fn verify() -> impl Act {
    let (world, bytes) = World::with_bundle_bytes();
    let address = world.bob.address;
    Repeat(move || VerifiedBundle::verify(black_box(&bytes), &address).unwrap())
}

/// One conversion of the key, two strict verifications, of messages as long as the two statements.
fn verify_sum() -> impl Act {
    let (_, bytes) = World::with_bundle_bytes();
    // version, then field 1 (tag, length, 0x05, u), field 2 (3 bytes), field 3 (tag and a varint), field 4 (tag, length, signature).
    let key = MontgomeryPoint(bytes[4..36].try_into().unwrap());
    let (suites_at, prekey_at) = (find(&bytes, &[0x22, 64]), find(&bytes, &[0x32, 64]));
    let signature = |at: usize| Signature::from_bytes(bytes[at..at + 64].try_into().unwrap());
    let signatures = [signature(suites_at), signature(prekey_at)];
    let prekey = bytes[prekey_at - 2 - 33..prekey_at - 2].to_vec();
    let statement = [
        &b"outrigger v1 suites\0\0\0\0\x10"[..],
        b"bob---0123456789",
        &[0; 4],
        &1_000_u64.to_be_bytes(),
        &[0, 0, 0, 1, 1],
    ]
    .concat();
    Repeat(move || {
        let key = VerifyingKey::from(black_box(&key).to_edwards(0).unwrap());
        key.verify_strict(&statement, &signatures[0]).unwrap();
        key.verify_strict(&prekey, &signatures[1]).unwrap();
    })
}

/// Where the value after a tag and a length begins.
fn find(bytes: &[u8], front: &[u8]) -> usize {
    bytes.windows(front.len()).position(|window| window == front).unwrap() + front.len()
}

fn curve(act: impl Fn(&mut Curve)) -> impl Act {
    let mut curve = Curve::new();
    Repeat(move || act(&mut curve))
}

fn initiator() -> impl Act {
    let (world, bundle) = World::with_bundle();
    let mut random = Source::random();
    let identity = IdentityKeyPair::generate(&mut random).unwrap();
    let address = world.alice.address;
    Repeat(move || {
        let own = Party { identity: &identity, address: &address };
        initiate(own, black_box(&bundle), SuitePolicy::Classic, NOW, &mut random).unwrap()
    })
}

fn responder() -> impl Act {
    let (world, bundle) = World::with_bundle();
    let mut random = Source::random();
    let [alice, identity] = [(); 2].map(|()| IdentityKeyPair::generate(&mut random).unwrap());
    let (from, address) = (world.alice.address, world.bob.address);
    let own = Party { identity: &alice, address: &from };
    let Initiated { handshake, suite, .. } =
        initiate(own, &bundle, SuitePolicy::Classic, NOW, &mut random).unwrap();
    // A record is a head of 18 bytes, then the key pair.
    let pair = |kind| {
        let (_, _, bytes) = world.bob.store.iter().find(|(key, _, _)| key.kind() == kind).unwrap();
        KeyPair::take_from(&mut bytes[18..50].try_into().unwrap())
    };
    let (signed, one_time) = (pair(RecordKind::SignedPrekey), pair(RecordKind::OneTimePrekey));
    Repeat(move || {
        let own = Party { identity: &identity, address: &address };
        let keys = Prekeys { signed: &signed, one_time: Some(&one_time), kem: None };
        respond(own, &from, suite, black_box(&handshake), keys).unwrap()
    })
}

fn start() -> impl Act {
    let (mut world, bundle) = World::with_bundle();
    let have = world.alice.loaded(&Start { bundle: &bundle });
    Repeat(move || step(&Start { bundle: &bundle }, &have, &mut world.alice.source).unwrap())
}

/// The handshake and the ratchet's first sending half.
fn start_sum() -> impl Act {
    curve(|curve| {
        curve.initiate();
        black_box(curve.sending_half());
    })
}

fn first_send() -> impl Act {
    let World { mut alice, bob } = World::started();
    let send =
        move || Send { to: bob.address, plaintext: &[1; 64], associated_data: BOUND, keep: Keep::ForRetry };
    let have = alice.loaded(&send());
    Repeat(move || step(&send(), &have, &mut alice.source).unwrap())
}

/// The handshake, the ratchet's first receiving half, one message.
fn first_receive_sum() -> impl Act {
    let mut receive = receive_sum(64);
    let curve = Curve::new();
    Repeat(move || {
        curve.respond();
        black_box(curve.receiving_half());
        receive.call(0);
    })
}
