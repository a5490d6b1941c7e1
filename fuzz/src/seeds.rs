//! The seeds: for each target valid inputs of each kind and a few that are nearly valid. Made from the fixed world, the same on every machine.

use super::{
    companions::household,
    conversation::Move,
    fixture::{Known, fixture},
    records::{DAMAGES, OPERATIONS},
    relay::Move as Relayed,
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

    conversations(&mut seeds);
    companions(&mut seeds);
    relays(&mut seeds);
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

/// Relays, from a friendly one to one of everything.
fn relays(seeds: &mut Seeds) {
    use Relayed::{
        Acknowledge, Again, Altered, Ask, Astray, BackUp, Cancel, Down, Event, Flush, Hear, Lose, Outbox,
        Own, Rarely, Rejoin, Request, RollBack, Say, Take, Tell, Up,
    };
    // Whose store: phone, desktop, peer.
    const PHONE: &[u8] = &[0];
    const DESK: &[u8] = &[1];
    const PEER: &[u8] = &[2];
    // The user's word.
    const ASKED: &[u8] = &[0];
    const ALLOWED: &[u8] = &[1];
    const DENIED: &[u8] = &[2];
    type Part<'a> = &'a [(Relayed, &'a [u8])];

    let down: Part<'_> = &[(Event, &[]), (Down, &[]), (Acknowledge, &[]), (Up, ASKED)];
    let up: Part<'_> =
        &[(Request, &[1]), (Up, ASKED), (Hear, &[0]), (Down, &[]), (Tell, &[0, 0]), (Down, &[])];
    let rejoin: Part<'_> = &[(Rejoin, &[]), (Up, ALLOWED), (Down, &[]), (Down, &[])];
    let parts: [(&str, Part<'_>); 14] = [
        ("down", down),
        ("up", up),
        ("rejoined", rejoin),
        ("own", &[(Own, &[]), (Down, &[]), (Hear, &[0])]),
        (
            "late",
            &[(Say, &[]), (Say, &[]), (Take, &[2]), (Take, &[1]), (Take, &[1]), (Lose, &[0]), (Outbox, &[])],
        ),
        (
            "asked",
            &[(Event, &[]), (Ask, &[]), (Ask, &[]), (Up, ASKED), (Up, ASKED), (Down, &[]), (Down, &[])],
        ),
        (
            "queued",
            &[
                (Ask, &[]),
                (Ask, &[]),
                (Lose, &[0]),
                (Lose, &[0]),
                (Request, &[1]),
                (Request, &[1]),
                (Cancel, &[1]),
                (Request, &[5]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Flush, &[]),
                (Up, ASKED),
                (Flush, &[]),
            ],
        ),
        (
            "consent",
            &[
                (Rarely, &[4, 1]),
                (Request, &[1]),
                (Up, ASKED),
                (Flush, &[]),
                (Up, DENIED),
                (Request, &[0]),
                (Up, ALLOWED),
                (Rarely, &[4, 2]),
                (Request, &[1]),
                (Up, ASKED),
                (Request, &[0x19]),
                (Rarely, &[0]),
                (Up, ASKED),
            ],
        ),
        (
            "forged",
            &[
                (Event, &[]),
                (Request, &[1]),
                (Altered, &[0, 2, 0, 30, 1]),
                (Altered, &[0, 3, 0, 60, 4]),
                (Astray, &[0, 2]),
                (Astray, &[0, 3]),
                (Again, &[0, 0, 1]),
                (Again, &[0, 2, 1]),
                (Again, &[0, 2, 1]),
            ],
        ),
        (
            "phone-rolled-back",
            &[
                (BackUp, PHONE),
                (Event, &[]),
                (Down, &[]),
                (Request, &[1]),
                (Up, ASKED),
                (Hear, &[0]),
                (RollBack, PHONE),
                (Take, &[1]),
                (Flush, &[]),
                (Up, ASKED),
                (Hear, &[1]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
            ],
        ),
        (
            "desk-rolled-back",
            &[
                (Ask, &[]),
                (Ask, &[]),
                (Request, &[1]),
                (BackUp, DESK),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Flush, &[]),
                (Up, ASKED),
                (Up, ASKED),
                (RollBack, DESK),
                (Flush, &[]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
            ],
        ),
        ("peer-rolled-back", &[(BackUp, PEER), (Request, &[1]), (Up, ASKED), (Hear, &[0]), (RollBack, PEER)]),
        ("lapsed", &[(Rarely, &[1]), (Event, &[]), (Down, &[]), (Request, &[1]), (Rarely, &[3]), (Ask, &[])]),
        (
            "cut-short",
            &[
                (Event, &[]),
                (Event, &[]),
                (Rejoin, &[]),
                (Up, ALLOWED),
                (Lose, &[0]),
                (Rejoin, &[]),
                (Rarely, &[5]),
            ],
        ),
    ];
    for (name, part) in parts {
        seeds.add("relay", name, &relayed([part]));
        seeds.add("relay", &format!("{name}-rejoined"), &relayed([down, up, part, rejoin, part, down, up]));
    }
    seeds.add("relay", "everything", &relayed(parts.map(|(_, part)| part)));
    seeds.add(
        "relay",
        "detached",
        &relayed([up, &[(Event, &[]), (Rarely, &[6]), (Down, &[]), (Down, &[])], up]),
    );
    let upgrade: Part<'_> = &[
        (Rarely, &[8]),
        (Up, ALLOWED),
        (Down, &[]),
        (Down, &[]),
        (Rarely, &[9]),
        (Request, &[1]),
        (Up, ASKED),
        (Down, &[]),
        (Down, &[]),
        (Acknowledge, &[]),
        (Up, ASKED),
    ];
    let upgraded: Part<'_> = &[(Own, &[]), (Event, &[]), (Down, &[]), (Down, &[]), (Flush, &[]), (Ask, &[])];
    seeds.add("relay", "upgraded", &relayed([down, up, upgrade, down, upgraded]));
    let accepted: Part<'_> =
        &[(Rarely, &[8]), (Up, ALLOWED), (Down, &[]), (Down, &[]), (Rarely, &[9]), (Request, &[1])];
    seeds.add("relay", "upgrade-rejoined", &relayed([accepted, rejoin, upgrade, down]));
    let (backed_up, rolled_back): (Part<'_>, Part<'_>) = (&[(BackUp, DESK)], &[(RollBack, DESK)]);
    let both = [backed_up, upgrade, rolled_back, rejoin, upgrade, upgraded];
    seeds.add("relay", "upgrade-rolled-back", &relayed(both));
    seeds.add("relay", "left", &relayed([up, &[(Event, &[]), (Rarely, &[7]), (Up, ASKED)], up, down]));
}

fn relayed<'a>(parts: impl IntoIterator<Item = &'a [(Relayed, &'a [u8])]>) -> Vec<u8> {
    let moves = parts.into_iter().flatten();
    moves.flat_map(|(kind, choices)| [&[kind.byte()], *choices].concat()).collect()
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

/// Conversations, from a friendly one to one of everything.
fn conversations(seeds: &mut Seeds) {
    use Move::{
        Answer, AnswerAltered, Ask, BackUp, Confirm, DeliverAgain, DeliverAltered, DeliverAndCrash,
        DeliverAny, DeliverBatch, DeliverLowLimits, DeliverMisdirected, DeliverNext, Lose, Rarely, Recover,
        Replenish, Restart, RollBack, Send, SendAndCrash, Start, StartWeak, TurnClock,
    };
    // Who: the low half names the device, the high half which of the two others it has to do with.
    const ALICE: u8 = 0;
    const BOB: u8 = 0x11;
    const LAPTOP: u8 = 0x02;
    const ALICE_LAPTOP: u8 = 0x10;

    let say = |who| (Send, who, [1].as_slice());
    let hear = |who| (DeliverNext, who, [].as_slice());
    let start = (Start, ALICE, [].as_slice());
    let hello: &[Played<'_>] = &[start, say(ALICE), hear(BOB), say(BOB), hear(ALICE)];
    let answer: &[Played<'_>] = &[say(BOB), say(BOB), hear(ALICE), hear(ALICE), say(ALICE), hear(BOB)];
    let restart: &[Played<'_>] = &[start, say(ALICE), hear(BOB), say(BOB), hear(ALICE)];
    let parts: [(&str, &[Played<'_>]); 21] = [
        ("answer", answer),
        ("restart", restart),
        (
            "late",
            &[
                say(ALICE),
                say(ALICE),
                say(ALICE),
                (DeliverAny, 0, &[2]),
                (DeliverAny, 0, &[0]),
                (DeliverAny, 0, &[0]),
                (DeliverAgain, 0, &[0]),
            ],
        ),
        (
            "lost",
            &[
                say(ALICE),
                say(ALICE),
                (Lose, 0, &[0]),
                hear(BOB),
                say(BOB),
                (Lose, 0, &[0]),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "forged",
            &[
                say(ALICE),
                (DeliverAltered, 0, &[0, 0, 0, 40, 3]),
                (DeliverAltered, 0, &[0, 0, 0, 40, 130]),
                (DeliverAltered, 0, &[0, 0, 0, 14, 170, 9]),
                (DeliverAltered, 0, &[0, 1, 0, 60, 230]),
                (DeliverMisdirected, LAPTOP, &[0, 0]),
                (DeliverMisdirected, LAPTOP, &[0, 1]),
                (DeliverMisdirected, LAPTOP, &[0, 2]),
                hear(BOB),
            ],
        ),
        (
            "crashed",
            &[
                (SendAndCrash, ALICE, &[0, 1]),
                (SendAndCrash, ALICE, &[1, 1]),
                (SendAndCrash, ALICE, &[3, 1]),
                say(ALICE),
                (DeliverAndCrash, 0, &[0]),
                hear(BOB),
            ],
        ),
        (
            "rolled-back",
            &[
                (BackUp, BOB, &[]),
                say(ALICE),
                hear(BOB),
                (RollBack, BOB, &[]),
                (DeliverAgain, 0, &[0]),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "sender-rolled-back",
            &[
                (BackUp, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                (RollBack, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                say(ALICE),
                hear(BOB),
            ],
        ),
        (
            "clock",
            &[
                (TurnClock, 0, &[0]),
                (TurnClock, 0, &[2]),
                (Replenish, 0x21, &[]),
                (TurnClock, 0, &[3]),
                (Replenish, 0x20, &[]),
                start,
                say(ALICE),
                hear(BOB),
                (TurnClock, 0, &[4]),
            ],
        ),
        (
            "replaced",
            &[(Rarely, 1, &[0]), start, say(ALICE), (Rarely, 1, &[1]), start, say(ALICE), hear(BOB)],
        ),
        (
            "suspected",
            &[
                (Rarely, 1, &[0]),
                (Rarely, 1, &[2]),
                say(ALICE),
                (Rarely, 1, &[1]),
                start,
                say(ALICE),
                hear(BOB),
            ],
        ),
        ("batch", &[say(ALICE), say(ALICE), say(ALICE), (DeliverBatch, 1, &[3, 0, 2, 1, 2])]),
        (
            "low-limits",
            &[
                say(ALICE),
                say(ALICE),
                say(ALICE),
                say(ALICE),
                (DeliverLowLimits, 0, &[3]),
                (DeliverLowLimits, 0, &[0]),
            ],
        ),
        (
            "third-device",
            &[
                (Start, LAPTOP, &[]),
                say(LAPTOP),
                hear(ALICE_LAPTOP),
                say(ALICE_LAPTOP),
                hear(LAPTOP),
                (Start, ALICE_LAPTOP, &[]),
                say(ALICE_LAPTOP),
                hear(LAPTOP),
            ],
        ),
        (
            "at-once",
            &[
                start,
                (Start, BOB, &[]),
                say(ALICE),
                say(BOB),
                hear(BOB),
                hear(ALICE),
                say(ALICE),
                hear(BOB),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "given-up",
            &[
                start,
                say(ALICE),
                (Restart, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                hear(BOB),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "asked-again",
            &[
                (BackUp, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                (RollBack, ALICE, &[]),
                say(ALICE),
                say(ALICE),
                hear(BOB),
                (Ask, 0, &[1]),
                (Ask, 0, &[3]),
                (Ask, 0, &[4]),
                (Ask, 0, &[5]),
                (AnswerAltered, 0, &[0, 0, 7]),
                (AnswerAltered, 0, &[0, 1, 7]),
                (AnswerAltered, 0, &[0, 2, 7]),
                (AnswerAltered, 0, &[0, 3, 90]),
                (AnswerAltered, 0, &[0, 4, 90]),
                (AnswerAltered, 0, &[0, 13, 60]),
                (Answer, 0, &[0, 0]),
                (Answer, 0, &[0, 1]),
                (Answer, 0, &[1, 1]),
                hear(BOB),
                hear(BOB),
                hear(BOB),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "not-opened-at-all",
            &[
                (Recover, BOB, &[]),
                say(ALICE),
                hear(BOB),
                (Ask, 0, &[0]),
                (Ask, 0, &[2]),
                (Ask, 0, &[3]),
                (Answer, 0, &[0, 1]),
                (Recover, BOB, &[]),
                (Ask, 0, &[1]),
                (Ask, 0, &[3]),
                (Ask, 0, &[4]),
                (Answer, 0, &[1, 1]),
                (Answer, 0, &[2, 1]),
                hear(BOB),
                hear(BOB),
            ],
        ),
        (
            "recovered",
            &[
                say(ALICE),
                (BackUp, BOB, &[]),
                hear(BOB),
                say(BOB),
                (Recover, BOB, &[]),
                (DeliverAgain, 0, &[0]),
                say(BOB),
                (Start, BOB, &[]),
                say(BOB),
                hear(ALICE),
                hear(ALICE),
                say(ALICE),
                hear(BOB),
                (RollBack, BOB, &[]),
                say(BOB),
            ],
        ),
        (
            "confirmed",
            &[
                (Confirm, 1, &[0]),
                (Replenish, 0x21, &[]),
                (Confirm, 1, &[0]),
                (Confirm, 1, &[200]),
                (Replenish, 0x21, &[]),
                start,
                say(ALICE),
                hear(BOB),
            ],
        ),
        (
            "weak",
            &[
                (StartWeak, ALICE, &[]),
                say(ALICE),
                say(ALICE),
                (DeliverAny, 0, &[1]),
                (DeliverAny, 0, &[0]),
                (DeliverAgain, 0, &[0]),
                (DeliverAgain, 0, &[1]),
            ],
        ),
    ];
    for (name, part) in parts {
        seeds.add("conversation", &format!("{name}-first"), &played([part]));
        seeds.add("conversation", name, &played([hello, part]));
        seeds.add("conversation", &format!("{name}-restarted"), &played([hello, restart, part, answer]));
    }
    let all = parts.map(|(_, part)| part);
    seeds.add("conversation", "everything", &played([hello].into_iter().chain(all)));
    seeds.add("conversation", "many-turns", &played([hello].into_iter().chain([answer; 8])));
    seeds.add("conversation", "many-restarts", &played([hello].into_iter().chain([restart; 18])));
}

/// A move, who, and its choices.
type Played<'a> = (Move, u8, &'a [u8]);

fn played<'a>(parts: impl IntoIterator<Item = &'a [Played<'a>]>) -> Vec<u8> {
    let moves = parts.into_iter().flatten();
    moves.flat_map(|(kind, who, choices)| [&[kind.byte(), *who], *choices].concat()).collect()
}
