//! Damaged records: any bytes in the place of a stored record give a value or an error, never a panic and never a change.

use std::collections::BTreeSet;

use outrigger::{
    AnswerRetry, ChangeNumber, ConfirmPrekeys, Context, DecideIdentity, Decision, DescribeDevice,
    DescribePeer, DescribePrekeys, Diagnose, Generation, HandOutBundle, Keep, KeyPair, LearnNumber,
    OpenError, Operation, PhoneNumber, Receive, RecordError, RecordKey, Recover, Register, ReplenishPrekeys,
    RequestRetry, Restart, Send, ShowSafetyNumber, Start, Tidy, UnixMillis, UploadId, VerifiedBundle,
};

use super::{
    fixture::{Fixture, fixture},
    world::{BOUND, Choices, GENERATION, NOW, Refusal, Store, Toy, low_limits},
};

/// What the bytes do to the record that they choose.
pub(crate) const DAMAGES: u8 = 7;
/// Operations to choose from; the choice after the last one runs them all.
pub(crate) const OPERATIONS: u8 = 21;

/// `moment (1) ‖ record (1) ‖ other record (1) ‖ damage (1) ‖ bytes ‖ operation (1) ‖ choice (1)`: one record of a store is damaged, then the operation
/// runs, and after it those that read what it wrote.
pub fn records(data: &[u8]) {
    let world = fixture();
    let mut choices = Choices(data);
    let whole = match choices.below(3) {
        0 => &world.settled.store,
        1 => &world.responding.store,
        _ => &world.waiting.store,
    };
    let mut store = whole.clone();
    let Some(key) = store.0.keys().nth(choices.below(store.0.len())).copied() else { return };
    damage(&mut store, &key, &mut choices);
    let operation = choices.byte() % (OPERATIONS + 1);
    let choice = choices.byte();
    for operation in if operation == OPERATIONS { 0..OPERATIONS } else { operation..operation + 1 } {
        run(&store, operation, choice, world, &key);
    }
}

fn damage(store: &mut Store, key: &RecordKey, choices: &mut Choices<'_>) {
    let other = choices.byte();
    let kind = choices.byte() % DAMAGES;
    // The damage takes what the choices after it do not need.
    let payload = choices.take(choices.0.len().saturating_sub(2));
    let Some((revision, bytes)) = store.0.get(key).cloned() else { return };
    let (head, body) = bytes.split_at(HEAD);
    let damaged = match kind {
        0 => payload.to_vec(),
        // A sound head, so that the body's decoder is reached.
        1 => with_body(head, payload),
        // Changes at some places: triples of u16be(place) and a byte to be XORed.
        2 => {
            let mut bytes = bytes;
            for change in payload.chunks_exact(3) {
                let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
                bytes[place] ^= change[2];
            }
            bytes
        }
        3 => bytes[..bytes.len().min(usize::from(other))].to_vec(),
        // Shorter and longer than it was written, with the length put right.
        4 => with_body(head, &body[..body.len().min(usize::from(other))]),
        5 => with_body(head, &[body, payload].concat()),
        // Two keys mixed up.
        _ => {
            let place = usize::from(other) % store.0.len();
            store.0.values().nth(place).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
        }
    };
    store.0.insert(*key, (revision, damaged));
}

/// Kind, version, generation, length of the body.
const HEAD: usize = 1 + 1 + 16 + 4;

fn with_body(head: &[u8], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&head[..HEAD - 4], &len, body].concat()
}

fn run(store: &Store, operation: u8, choice: u8, world: &Fixture, damaged: &RecordKey) {
    let (alice, bob) = (world.alice, world.bob);
    let peer = if store.0.contains_key(&peer_of_alice(world)) { bob } else { alice };
    match operation {
        0 => check(store, &DescribeDevice, damaged, world),
        1 => check(store, &DescribePeer { peer }, damaged, world),
        2 => check(
            store,
            &Send { to: peer, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry },
            damaged,
            world,
        ),
        3 | 4 => {
            let sent = if peer == alice { &world.from_alice } else { &world.from_bob };
            let known = &sent[usize::from(choice) % sent.len()];
            let receive = Receive { from: peer, envelope: &known.bytes, associated_data: BOUND };
            check(store, &receive, damaged, world);
        }
        5 => {
            let bytes = [&world.bundle[..], &world.one_time[usize::from(choice) % world.one_time.len()]];
            if let Ok(bundle) = VerifiedBundle::verify(&bytes.concat(), &bob) {
                check(store, &Start { bundle: &bundle }, damaged, world);
            }
        }
        6 => check(store, &ReplenishPrekeys { one_time: u16::from(choice % 3) }, damaged, world),
        7 => check(store, &Register { address: alice }, damaged, world),
        8 => {
            let number = PhoneNumber::parse("+441632960961").expect("E.164");
            check(store, &ChangeNumber { number }, damaged, world);
        }
        9 => {
            let statement = &world.statements[usize::from(choice) % world.statements.len()];
            check(store, &LearnNumber { account: alice.account, statement }, damaged, world);
        }
        10 | 11 => {
            let mut seed = [9; 32];
            let stranger = KeyPair::take_from(&mut seed).public().encoded();
            let stranger = outrigger::IdentityKey::parse_encoded(&stranger).expect("a key");
            let key = match choice % 3 {
                0 => stranger,
                1 => world.alice_key,
                _ => world.bob_key,
            };
            let decision = match choice / 3 % 5 {
                0 => Decision::Accept(key),
                1 => Decision::Reject(key),
                2 => Decision::Suspect(key),
                3 => Decision::Verify(key),
                _ => Decision::Unverify(key),
            };
            check(store, &DecideIdentity { peer, decision }, damaged, world);
        }
        12 => {
            if let Ok(bundle) = VerifiedBundle::verify(&world.bundle, &bob) {
                check(store, &Restart { bundle: &bundle }, damaged, world);
            }
        }
        13 | 14 => {
            let known = &world.requests[usize::from(choice) % world.requests.len()];
            let bundle = (operation == 14).then_some(&world.alice_bundle);
            let answer = AnswerRetry { from: peer, request: &known.bytes, bundle, resend_to: None };
            check(store, &answer, damaged, world);
        }
        15 => {
            let sent = if peer == alice { &world.from_alice } else { &world.from_bob };
            let known = &sent[usize::from(choice) % sent.len()];
            let error = if choice < 128 { OpenError::KeyGone } else { OpenError::OutOfStep };
            check(store, &RequestRetry { from: peer, envelope: &known.bytes, error }, damaged, world);
        }
        16 => {
            check(store, &DescribePrekeys, damaged, world);
            check(
                store,
                &ConfirmPrekeys { upload: UploadId { number: choice.into(), tag: [0; 8] } },
                damaged,
                world,
            );
        }
        17 => check(store, &HandOutBundle, damaged, world),
        18 => {
            check(store, &Tidy { peer }, damaged, world);
            check(store, &Diagnose { peer }, damaged, world);
        }
        19 => recover(store, choice, damaged, world),
        // Ten thousand hashes: seldom, and never in a run of all.
        _ if choice == 1 => check(store, &ShowSafetyNumber { peer }, damaged, world),
        _ => {}
    }
}

/// Takes a damaged store over, all at once or key by key; what is taken over must be readable as far as it was.
fn recover(store: &Store, choice: u8, damaged: &RecordKey, world: &Fixture) {
    let keys = store.0.keys().copied().collect::<Vec<_>>();
    let toy = &mut Toy(9);
    let mut after = store.clone();
    for records in keys.chunks(if choice.is_multiple_of(2) { keys.len() } else { 1 }) {
        let before = after.clone();
        match after.run(&Recover { records }, &mut Context::new(NOW, RECOVERED, toy)) {
            Ok(recovered) => assert!(recovered.kept + recovered.deleted <= records.len()),
            Err(error) => {
                error.show();
                assert_eq!(after, before);
                assert!(records.contains(damaged), "a sound record is called damaged: {error}");
            }
        }
    }
    let written = after.0.iter().filter(|(key, record)| *key != damaged && store.0.get(key) != Some(record));
    let written = written.map(|(key, _)| *key).collect();
    readable(&after, &written, world, RECOVERED);
}

/// The generation of a store that was taken over.
const RECOVERED: Generation = Generation([0x68; 16]);

/// The key under which Alice's store holds Bob; Bob's store never has it.
fn peer_of_alice(world: &Fixture) -> RecordKey {
    let is_peer = |key: &&RecordKey| key.kind() == outrigger::RecordKind::Peer;
    *world.waiting.store.0.keys().find(is_peer).expect("Alice knows Bob")
}

/// Runs an operation on a damaged store at three times and under two limits. After a step, everything that it wrote must be readable.
fn check<O: Operation>(store: &Store, operation: &O, damaged: &RecordKey, world: &Fixture)
where
    O::Error: Refusal,
{
    let moments = [
        (NOW, outrigger::Limits::DEFAULT),
        (NOW.plus(40 * UnixMillis::DAY), low_limits()),
        (UnixMillis(0), low_limits()),
    ];
    for (now, limits) in moments {
        let toy = &mut Toy(6);
        let mut after = store.clone();
        let mut context = Context::new(now, GENERATION, toy).with_limits(limits);
        match after.run(operation, &mut context) {
            Err(error) => {
                error.show();
                assert_eq!(&after, store);
                if let Some(RecordError::Corrupt(key) | RecordError::TooNew(key)) = error.record() {
                    assert_eq!(key, *damaged, "a sound record is called damaged");
                }
            }
            Ok(_) => {
                let written = after
                    .0
                    .iter()
                    .filter(|(key, record)| store.0.get(key) != Some(record))
                    .map(|(key, _)| *key)
                    .collect::<BTreeSet<_>>();
                if !written.is_empty() {
                    readable(&after, &written, world, GENERATION);
                }
            }
        }
    }
}

/// No operation may call damaged what one has just written.
fn readable(store: &Store, written: &BTreeSet<RecordKey>, world: &Fixture, generation: Generation) {
    let toy = &mut Toy(7);
    let mut context = Context::new(NOW, generation, toy);
    let look = |error: Option<RecordError>| {
        if let Some(RecordError::Corrupt(key) | RecordError::TooNew(key)) = error {
            assert!(!written.contains(&key), "{key:?} was just written and cannot be read");
        }
    };
    for peer in [world.alice, world.bob] {
        look(store.step(&DescribePeer { peer }, &mut context).err());
        let send = Send { to: peer, plaintext: b"", associated_data: BOUND, keep: Keep::ForRetry };
        look(store.step(&send, &mut context).err().and_then(|error| error.record()));
    }
    for known in &world.requests {
        let answer = AnswerRetry { from: world.alice, request: &known.bytes, bundle: None, resend_to: None };
        look(store.step(&answer, &mut context).err().and_then(|error| error.record()));
    }
    look(store.step(&DescribeDevice, &mut context).err().and_then(|error| error.record()));
    let replenish = ReplenishPrekeys { one_time: 0 };
    look(store.step(&replenish, &mut context).err().and_then(|error| error.record()));
    for (from, sent) in [(world.alice, &world.from_alice), (world.bob, &world.from_bob)] {
        for known in sent {
            let receive = Receive { from, envelope: &known.bytes, associated_data: BOUND };
            look(store.step(&receive, &mut context).err().and_then(|error| error.record()));
        }
    }
}
