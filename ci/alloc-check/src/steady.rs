//! The steady state: allocations, bytes added, bytes written.

use outrigger::{Keep, 
    KeyPair, Limits, Operation, Random, Receive, RootSecret, Send, UnixMillis, Write, ratchet::Ratchet,
};

use crate::{
    counting::{Cost, counted},
    report::Report,
    world::{BOUND, Device, Source, World},
};

/// Allocations of a message.
const CALLS: usize = 4;
/// Bytes that a message of an established session adds to its plaintext.
const ADDED: usize = 84;
/// Bytes written to the store by a message.
const WRITTEN: usize = 400;

pub(crate) fn check(report: &mut Report) {
    let (encrypt, decrypt) = in_memory();
    report.at_most("allocations: encrypt in memory", encrypt.calls, CALLS);
    report.at_most("allocations: decrypt in memory", decrypt.calls, CALLS);

    let mut world = World::settled();
    // Bob has answered, so that his record holds two chains too; the answer is lost.
    let (to, from) = (world.bob.address, world.alice.address);
    world.bob.run(&Send { to: from, plaintext: &[2; 64], associated_data: BOUND, keep: Keep::ForRetry });
    let send = Send { to, plaintext: &[1; 64], associated_data: BOUND, keep: Keep::ForRetry };
    let first = through_records(report, "send", &mut world.alice, &send);
    world.receive(&first.envelope);
    let sent = world.alice.run(&send);
    let receive = Receive { from, envelope: &sent.envelope, associated_data: BOUND };
    through_records(report, "receive", &mut world.bob, &receive);

    report.at_most("bytes added to 64 bytes", sent.envelope.len() - 64, ADDED);
    // A counter takes a third byte from 16,384 on, in this chain and the one before.
    for _ in 0..2 {
        (0..16_400).for_each(|_| world.deliver());
        world.turn();
    }
    (0..16_400).for_each(|_| world.deliver());
    report.at_most(
        "bytes added to 64 bytes, counters above 16,383",
        world.send(64).envelope.len() - 64,
        ADDED,
    );
    report
        .note("bytes added to 1 MB, counters above 16,383", world.send(1_000_000).envelope.len() - 1_000_000);
}

/// Reports an operation's step, then runs it through the store and returns what came out.
fn through_records<O: Operation>(
    report: &mut Report,
    name: &str,
    device: &mut Device,
    operation: &O,
) -> O::Output {
    let mut last = Cost::default();
    let (step, all) = device.rounds(operation, |round| last = round);
    report.at_most(&format!("allocations: {name}, record loaded"), last.calls, CALLS);
    report.note(&format!("allocations: {name}, with the round that asks for it"), all.calls);
    let (writes, held) = step.unwrap().split();
    drop(held);
    report.at_most(
        &format!("bytes written: {name}"),
        writes.iter().filter_map(Write::bytes).map(<[u8]>::len).sum(),
        WRITTEN,
    );
    report.at_most(&format!("records written: {name}"), writes.len(), 1);
    let (output, whole) = counted(|| device.run(operation));
    report.note(&format!("allocations: {name}, load + step + save"), whole.calls);
    output
}

fn in_memory() -> (Cost, Cost) {
    let mut source = Source(1);
    let mut random = Random::new(&mut source);
    let key = KeyPair::generate(&mut random).unwrap();
    let root = || RootSecret::take_from(&mut [7; 32]);
    let mut alice = Ratchet::initiate(root(), key.public(), &mut random).unwrap();
    let mut bob = Ratchet::respond(root(), key);
    let (now, limits) = (UnixMillis(1), Limits::DEFAULT);
    for _ in 0..6 {
        let message = alice.encrypt(&[1; 64], BOUND, &mut random).unwrap();
        bob.decrypt(&message, BOUND, now, &limits).unwrap();
        let message = bob.encrypt(&[1; 64], BOUND, &mut random).unwrap();
        alice.decrypt(&message, BOUND, now, &limits).unwrap();
    }
    let first = alice.encrypt(&[1; 64], BOUND, &mut random).unwrap();
    bob.decrypt(&first, BOUND, now, &limits).unwrap();
    let (message, encrypt) = counted(|| alice.encrypt(&[1; 64], BOUND, &mut random).unwrap());
    let (_, decrypt) = counted(|| bob.decrypt(&message, BOUND, now, &limits).unwrap());
    (encrypt, decrypt)
}
