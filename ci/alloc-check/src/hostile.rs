//! What a message can make a step allocate: the dearest that are accepted, and what resembles them and is refused.

use outrigger::{AnswerRetry, Batch, Keep, OpenError, Receive, RequestRetry, Send};

use crate::{
    forge::{Forged, altered},
    report::{Measured, Report},
    world::{Accounts, BOUND, World},
};

pub(crate) fn check(report: &mut Report) {
    for accounts in [Accounts::Phones, Accounts::Full] {
        report.in_world(if accounts == Accounts::Full { ", full accounts" } else { "" });
        in_session(report, accounts);
        gaps(report, accounts);
        first_messages(report, accounts);
        archives(report, accounts);
        storm(report, accounts);
    }
}

/// No envelope that cannot be opened, and no request that is not answered, makes a step allocate more than this beyond its own size.
const STORM: usize = 8 * 1_024;
/// Nor a true request of a peer's for what was not sent to it: the places of 64 copies, in two rounds. Their texts are not copied.
const LOOKED_THROUGH: usize = 96 * 1_024;

/// Envelopes that cannot be opened, as one who goes back or forges sends them by the thousand, with a full memory of what was opened. A refusal has no step, so nothing is written.
fn storm(report: &mut Report, accounts: Accounts) {
    let mut world = World::settled(accounts);
    (0..300).for_each(|_| world.deliver());
    let used = world.send(64).envelope;
    world.receive(&used);
    let base = Forged::from(&used);
    let cases = [
        ("unknown session", Forged { session: [9; 8], ..base.clone() }.bytes()),
        ("used counter", altered(&used)),
        ("opened before", used.clone()),
        ("forged chain", Forged { key: [9; 32], ..base.clone() }.bytes()),
        ("1,001 ahead", Forged { counter: 2_000, ..base.clone() }.bytes()),
    ];
    for turned in [false, true] {
        // Bob has answered: any ratchet key may come next.
        if turned {
            world.answer();
        }
        for (name, envelope) in &cases {
            let (step, cost) = world.cost(envelope);
            assert!(step.is_err(), "{name} was accepted");
            let beyond = cost.bytes.saturating_sub(envelope.len());
            report.at_most(&format!("storm: {name}{}", if turned { ", turned" } else { "" }), beyond, STORM);
        }
    }

    // What asking costs once the hour's budget is spent, and what a request does that nobody answers.
    let from = world.alice.address;
    for number in 0..64_u8 {
        let envelope = Forged { session: [number; 8], ciphertext: vec![number; 100], ..base.clone() }.bytes();
        world.bob.run(&RequestRetry { from, envelope: &envelope, error: OpenError::KeyGone });
    }
    let ask = RequestRetry { from, envelope: &cases[0].1, error: OpenError::KeyGone };
    let (step, cost) = world.bob.step(&ask);
    assert!(step.is_err(), "more than the budget");
    report.at_most("storm: asked beyond the budget", cost.bytes, STORM);

    // Alice keeps 64 texts of the longest kind; reading them is the store's.
    let to = world.bob.address;
    let long = vec![1; 65_536];
    let send = Send { to, plaintext: &long, associated_data: BOUND, keep: Keep::ForRetry };
    (0..64).for_each(|_| drop(world.alice.run(&send)));
    let last = world.alice.run(&send).envelope;
    let unknown = altered(&last);
    let mut other = World::settled(accounts);
    let ask = RequestRetry { from, envelope: &unknown, error: OpenError::KeyGone };
    let request = other.bob.run(&ask).request;
    for (name, request, limit) in [
        ("a forged request", altered(&request), STORM),
        ("a request for what was not sent", request, LOOKED_THROUGH),
    ] {
        let answer = AnswerRetry { from: to, request: &request, bundle: None, resend_to: None };
        let (step, cost) = world.alice.step(&answer);
        assert!(step.is_err(), "{name} was answered");
        report.at_most(&format!("storm: {name}"), cost.bytes, limit);
        report.note(&format!("bytes loaded: {name}"), world.alice.loaded);
    }
}

/// Accepted as it is and refused with a wrong tag.
fn pair(report: &mut Report, name: &str, world: &mut World, envelope: &[u8]) -> Measured {
    let (step, cost) = world.cost(envelope);
    assert!(step.is_ok(), "{name}: {step:?}");
    drop(step);
    let accepted = Measured { len: envelope.len(), cost };
    report.hostile(name, accepted);
    refused(report, &format!("{name}, wrong tag"), world, &altered(envelope), accepted);
    accepted
}

/// Refused, whatever it is.
fn refused(report: &mut Report, name: &str, world: &mut World, envelope: &[u8], accepted: Measured) {
    let (step, cost) = world.cost(envelope);
    assert!(step.is_err(), "{name} was accepted");
    report.refusal(name, Measured { len: envelope.len(), cost }, accepted);
}

/// In a settled session, next in order.
fn in_session(report: &mut Report, accounts: Accounts) {
    let mut world = World::settled(accounts);
    let small = world.send(64).envelope;
    let accepted = pair(report, "64 B, next", &mut world, &small);
    world.receive(&small);
    let long = world.send(accounts.longest()).envelope;
    pair(report, "longest, next", &mut world, &long);

    let base = Forged { counter: 2, ..Forged::from(&small) };
    let cases = [
        ("claims 2^32 - 1 bytes", Forged { claimed: Some(u64::from(u32::MAX)), ..base.clone() }),
        ("claims 2^63 bytes", Forged { claimed: Some(1 << 63), ..base.clone() }),
        ("counter 2^32 - 2", Forged { counter: u32::MAX - 1, ..base.clone() }),
        ("counter 1,001 ahead", Forged { counter: 1_100, ..base.clone() }),
        ("previous counter 2^32 - 2", Forged { key: [9; 32], previous: u32::MAX - 1, ..base.clone() }),
        ("unknown session", Forged { session: [9; 8], ..base.clone() }),
        ("2 MiB", Forged { ciphertext: vec![0; 2 << 20], ..base.clone() }),
    ];
    for (name, forged) in cases {
        refused(report, name, &mut world, &forged.bytes(), accepted);
    }
}

/// Gaps of 1,000 messages in the old and the new chain, with 1,000 keys stored already, and a late message among them.
fn gaps(report: &mut Report, accounts: Accounts) {
    let mut world = World::settled(accounts);
    let late = world.send(64).envelope;
    world.lose(999);
    let ahead = world.send(64).envelope;
    pair(report, "1,000 ahead", &mut world, &ahead);
    world.receive(&ahead);
    pair(report, "late, of 1,000 stored", &mut world, &late);
    world.lose(1_000);
    let ahead = world.send(64).envelope;
    pair(report, "1,000 ahead, 1,000 stored", &mut world, &ahead);

    // Bob answers, so that Alice turns; of the old chain and of the new one 1,000 are lost.
    let mut world = turned_with_gaps(accounts);
    let turn = world.send(64).envelope;
    pair(report, "1,000 + 1,000 ahead, 1,000 stored", &mut world, &turn);
    let from = world.alice.address;
    let receives = [Receive { from, envelope: &turn, associated_data: BOUND }];
    let (step, cost) = world.bob.step(&Batch(&receives));
    drop(step);
    report.note("bytes of the same in a batch of one", cost.bytes.saturating_sub(turn.len()));
}

/// 1,000 keys are stored; Alice has turned, and 1,000 messages of the old chain and of the new one are lost.
fn turned_with_gaps(accounts: Accounts) -> World {
    let mut world = World::settled(accounts);
    world.lose(1_000);
    world.turn();
    world.turn();
    world.deliver();
    world.lose(1_000);
    world.answer();
    world.lose(1_000);
    world
}

fn first_messages(report: &mut Report, accounts: Accounts) {
    let mut world = World::started(accounts);
    let long = world.send(1_044_000).envelope;
    pair(report, "first message, longest", &mut world, &long);

    let mut world = World::started(accounts);
    let first = world.send(64).envelope;
    let accepted = pair(report, "first message", &mut world, &first);
    world.lose(999);
    let ahead = world.send(64).envelope;
    pair(report, "first message, 1,000 ahead", &mut world, &ahead);

    let base = Forged::from(&first);
    let handshake = base.handshake.clone().unwrap();
    let changed = |at: usize| {
        let mut handshake = handshake.clone();
        handshake[at] ^= 1;
        handshake
    };
    let repeated = handshake.iter().copied().cycle().take(handshake.len() * 34).collect();
    let keys = [&[0x0a, 33][..], &[5; 33]].concat().repeat(117);
    let pq = [&handshake[..], &[0x2a, 0x80, 0x10], &[1; 2_048]].concat();
    let cases = [
        ("first, other ephemeral key", changed(40)),
        ("first, unknown signed prekey", changed(75)),
        ("first, unknown one-time prekey", changed(95)),
        ("first, handshake repeated to 4 KiB", repeated),
        ("first, one key repeated to 4 KiB", keys),
        ("first, a pq field", pq),
        ("first, groups in groups", vec![0x0b; 4_096]),
        ("first, a key of 2^32 bytes", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("first, handshake of 1 MiB", vec![0x0a; 1_000_000]),
        ("first, empty handshake", Vec::new()),
    ];
    for (name, handshake) in cases {
        refused(report, name, &mut world, &base.with_handshake(handshake), accepted);
    }
}

/// A first message that archives a session and drops the oldest of 16, each with 1,000 stored keys.
fn archives(report: &mut Report, accounts: Accounts) {
    let mut world = World::started(accounts);
    for _ in 0..18 {
        world.turn();
        world.lose(1_000);
        world.turn();
        world.start();
    }
    world.lose(1_000);
    let first = world.send(64).envelope;
    pair(report, "first message, 1,000 ahead, archive full", &mut world, &first);
    drop(world.cost(&first));
    report.note("bytes loaded: first message, archive full", world.bob.loaded);
    drop(world.cost(&altered(&first)));
    report.note("bytes loaded: the same with a wrong tag", world.bob.loaded);
    let mut stranger = Forged::from(&first);
    if let Some(key) = stranger.handshake.as_mut().and_then(|handshake| handshake.get_mut(75)) {
        *key ^= 1;
    }
    drop(world.cost(&stranger.bytes()));
    report.note("bytes loaded: the same for an unknown signed prekey", world.bob.loaded);
}
