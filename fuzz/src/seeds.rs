//! The seeds: for each target valid inputs of each kind and a few that are nearly valid. Made from the fixed world, the same on every machine.

mod conversation;
mod relay;

use super::{
    companions::household,
    fixture::{Known, fixture},
    records::{DAMAGES, OPERATIONS},
};

/// One file below `seeds/`.
#[derive(Debug)]
pub struct Seed {
    /// The target, which is the folder.
    pub target: &'static str,
    /// The file.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// All seeds that are made; found ones may lie beside them.
pub fn seeds() -> Vec<Seed> {
    let world = fixture();
    let mut seeds = Seeds(Vec::new());
    let with_one_time = [&world.bundle[..], &world.one_time[0]].concat();

    for known in world.from_alice.iter().chain(&world.from_bob) {
        seeds.add("envelope", known.name, &known.bytes);
    }
    let nearly = |known: &Known| [&known.bytes[..known.bytes.len() - 1], &[0]].concat();
    seeds.add("envelope", "e0-altered", &nearly(world.from_alice.last().expect("some")));
    seeds.add("envelope", "later-suite", &[&[1, 2], &world.from_bob[0].bytes[2..]].concat());

    for known in &world.ratchet_messages {
        seeds.add("ratchet_message", known.name, &known.bytes);
    }

    for known in &world.from_alice {
        if let Some(handshake) = handshake_of(&known.bytes) {
            seeds.add("handshake", known.name, handshake);
            seeds.add("handshake", &format!("{}-later", known.name), &[handshake, &[0x2a, 1, 7]].concat());
        }
    }

    seeds.add("bundle", "without-one-time", &world.bundle);
    seeds.add("bundle", "with-one-time", &with_one_time);
    seeds.add("bundle", "two-one-time", &[&with_one_time[..], &world.one_time[1]].concat());

    for known in &world.post_quantum {
        let name = format!("post-quantum-{}", known.name);
        let handshake = handshake_of(&known.first.bytes).expect("a first message");
        seeds.add("bundle", &name, &known.bundle);
        seeds.add("handshake", &name, handshake);
        seeds.add("envelope", &name, &known.first.bytes);
        seeds.add("differential", &format!("raw-{name}"), &[&[0], &known.first.bytes[..]].concat());
        seeds.add("differential", &format!("raw-bundle-{name}"), &[&[0], &known.bundle[..]].concat());
    }

    for known in &world.hidden.1 {
        seeds.add("envelope", &format!("hidden-{}", known.name), &known.bytes);
        seeds.add("envelope", &format!("hidden-{}-altered", known.name), &nearly(known));
    }

    for known in &world.requests {
        seeds.add("retry_request", known.name, &known.bytes);
        seeds.add("retry_request", &format!("{}-altered", known.name), &nearly(known));
        seeds.add("envelope", &format!("request-{}", known.name), &known.bytes);
    }
    let request = &world.requests[0].bytes;
    seeds.add("retry_request", "cut", &request[..request.len() - 1]);
    seeds.add("retry_request", "long", &[&request[..], &[0; 400]].concat());
    seeds.add("retry_request", "later-version", &[&[2], &request[1..]].concat());
    seeds.add("retry_request", "envelope", &world.from_bob[0].bytes);

    for (place, statement) in world.statements.iter().enumerate() {
        seeds.add("number_statement", &format!("statement-{place}"), statement);
    }
    seeds.add("safety_number", "code", &world.code);
    seeds.add("safety_number", "own-code", &world.safety.scannable());
    seeds.add("safety_number", "version-2", &[&[8, 2], &world.code[2..]].concat());

    for (state, saved) in world.ratchets.iter().enumerate() {
        for known in &world.ratchet_messages {
            let len = u16::try_from(saved.len()).expect("short").to_be_bytes();
            let bytes = [&len[..], saved, &known.bytes].concat();
            seeds.add("saved_ratchet", &format!("state-{state}-{}", known.name), &bytes);
        }
    }

    for moment in 0..3 {
        for record in 0..24 {
            // Undamaged (a sound head and no change), every operation; then a change behind the head, one operation.
            seeds.add(
                "records",
                &format!("sound-{moment}-{record}"),
                &[moment, record, 0, 2, OPERATIONS, record],
            );
            let operation = (moment + record) % OPERATIONS;
            let damage = (1 + record) % DAMAGES;
            let bytes = [moment, record, 40, damage, 0, 20, 1, 0, 30, 1, operation, record];
            seeds.add("records", &format!("damage-{moment}-{record}"), &bytes);
        }
    }

    seeds.add("parsers", "number", b"+4915112345678");
    seeds.add("parsers", "account-16", b"alice-0123456789");
    seeds.add("parsers", "account-64", &[0x41; 64]);
    seeds.add("parsers", "key", &world.alice_key.encoded());
    seeds.add("parsers", "bare-key", world.bob_key.public_key().as_bytes());
    seeds.add("parsers", "zero-key", &[0; 32]);

    let real = world.from_alice.iter().chain(&world.from_bob).chain(&world.ratchet_messages);
    for known in real {
        seeds.add("differential", &format!("raw-{}", known.name), &[&[0], &known.bytes[..]].concat());
    }
    for (name, bytes) in [("bundle", &with_one_time), ("code", &world.code), ("number", &world.statements[0])]
    {
        seeds.add("differential", &format!("raw-{name}"), &[&[0], &bytes[..]].concat());
    }
    seeds.add("differential", "built", &built());
    for message in 0..24 {
        for edit in 0..8_u8 {
            let bytes = [2, message, edit, message % 5, 5, 1, edit.wrapping_add(message), 0, 3];
            seeds.add("differential", &format!("edited-{message}-{edit}"), &bytes);
        }
    }

    conversation::conversations(&mut seeds);
    companions(&mut seeds);
    relay::relays(&mut seeds);
    seeds.0
}

/// What was really made, for each decoder that it could be given to, and the same altered; and linkings that go well, and do not.
fn companions(seeds: &mut Seeds) {
    for (name, bytes) in &household().made {
        for target in ["device_list", "certificate", "link_message", "supply"] {
            seeds.add(target, name, bytes);
            let last = bytes.last().map_or(0, |byte| byte ^ 1);
            seeds.add(target, &format!("{name}-altered"), &[&bytes[..bytes.len() - 1], &[last]].concat());
            seeds.add(target, &format!("{name}-cut"), &bytes[..bytes.len() / 2]);
        }
    }
    // Which message, where there is one, and then which of the thirteen things.
    seeds.add("linking", "scan", &[0, 2, 5, 0, 7, 1, 8, 2, 7]);
    seeds.add("linking", "typed", &[1, 0, 3, 1, 7, 2, 4, 0, 5, 3, 7, 4, 8, 5, 7]);
    seeds.add("linking", "declined", &[0, 2, 6, 0, 7, 0, 0, 0, 2, 0, 5]);
    seeds.add("linking", "abandoned", &[0, 2, 5, 0, 7, 0, 9, 1, 8, 0, 10, 0, 0, 0, 2]);
    seeds.add("linking", "altered", &[0, 2, 5, 0, 7, 1, 12, 3, 4, 1, 8, 2, 12, 9, 8]);
}

struct Seeds(Vec<Seed>);

impl Seeds {
    fn add(&mut self, target: &'static str, name: &str, bytes: &[u8]) {
        self.0.push(Seed { target, name: name.into(), bytes: bytes.to_vec() });
    }
}

/// The handshake of an envelope that has one: behind version, suite, session id, tag and a length of one byte.
fn handshake_of(envelope: &[u8]) -> Option<&[u8]> {
    match envelope.get(11..)? {
        [0x12, len, rest @ ..] if *len < 0x80 => rest.get(..usize::from(*len)),
        [0x12, low, high, rest @ ..] => rest.get(..usize::from(*high) << 7 | usize::from(low & 0x7f)),
        _ => None,
    }
}

/// An envelope made field by field: session id, key, two counters, ciphertext.
fn built() -> Vec<u8> {
    let mut bytes = vec![1, 0];
    bytes.extend([0xc1 + 8 * 9 % 64, 1, 2, 3, 4, 5, 6, 7, 8, 20]);
    bytes.extend([3, 0, 4]);
    bytes.extend([9; 32]);
    bytes.extend([20, 0x80 + 4, 60, 0, 20, 0x80 + 5, 60, 1, 20]);
    bytes.extend([7, 0, 3]);
    bytes.extend([1; 28]);
    bytes.push(20);
    bytes
}
