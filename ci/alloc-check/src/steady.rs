//! The steady state: allocations, bytes added, bytes written.

use outrigger::{
    Keep, KeyPair, Limits, Operation, Random, Receive, RecordKind, RootSecret, Send, UnixMillis,
    ratchet::Ratchet,
};

use crate::{
    counting::{Cost, counted},
    report::Report,
    world::{Accounts, BOUND, Device, Source, World},
};

/// Allocations of a message.
const CALLS: usize = 4;
/// Of a send through a record: one more, for the copy that a retry would be answered from.
const SEND_CALLS: usize = 5;
/// Of the receive that moves what was opened last into the memory of it: four more, every eighth time.
const EIGHTH_CALLS: usize = 8;
/// Bytes that a message of an established session adds to its plaintext.
const ADDED: usize = 84;
/// Bytes written to the peer's record by a message.
const WRITTEN: usize = 400;
/// With encrypted headers: what one adds, and what it writes.
const HIDDEN_ADDED: usize = 119;
const HIDDEN_WRITTEN: usize = 660;
/// Bytes of a copy beyond the text and the associated data.
const COPY: usize = 180;
/// Bytes of the memory of what was opened: 512 digests, 255 of what came again, their count and the record's head.
const MEMORY: usize = 22 + 1 + 4 * (512 + 255);
/// The text of these messages.
const TEXT: usize = 64;

pub(crate) fn check(report: &mut Report) {
    let (encrypt, decrypt) = in_memory();
    report.at_most("allocations: encrypt in memory", encrypt.calls, CALLS);
    report.at_most("allocations: decrypt in memory", decrypt.calls, CALLS);

    let mut world = World::settled(Accounts::Phones);
    // Bob has answered, so that his record holds two chains too; the answer is lost.
    let (to, from) = (world.bob.address, world.alice.address);
    world.bob.run(&Send { to: from, plaintext: &[2; 64], associated_data: BOUND, keep: Keep::ForRetry });
    let send = Send { to, plaintext: &[1; TEXT], associated_data: BOUND, keep: Keep::ForRetry };
    let sent = through_records(report, "send", &mut world.alice, &send, SEND_CALLS, 2);
    // The memory is as long as it gets; in each eight receives there is one that adds to it.
    (0..300).for_each(|_| world.deliver());
    world.receive(&sent.envelope);
    let mut eighth = 0;
    for _ in 0..8 {
        let sent = world.alice.run(&send);
        let receive = Receive { from, envelope: &sent.envelope, associated_data: BOUND };
        let (step, _) = world.bob.step(&receive);
        let (name, calls, records) = match step.unwrap().split().0.len() {
            1 => ("receive", CALLS, 1),
            _ => ("receive, the eighth", EIGHTH_CALLS, 2),
        };
        eighth += records - 1;
        through_records(report, name, &mut world.bob, &receive, calls, records);
    }
    report.at_most("receives of eight that write two records", eighth, 1);
    archived(report);
    hidden(report);

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
    calls: usize,
    records: usize,
) -> O::Output {
    let mut last = Cost::default();
    let (step, all) = device.rounds(operation, |round| last = round);
    report.at_most(&format!("allocations: {name}, record loaded"), last.calls, calls);
    report.note(&format!("allocations: {name}, with the round that asks for it"), all.calls);
    let (writes, held) = step.unwrap().split();
    drop(held);
    for write in &writes {
        let len = write.bytes().map_or(0, <[u8]>::len);
        match write.key().kind() {
            RecordKind::RetryCopy => {
                let kept = TEXT + BOUND.len();
                report.at_most(&format!("bytes written beyond what is kept, copy: {name}"), len - kept, COPY);
            }
            RecordKind::Accepted => report.at_most(&format!("bytes written, memory: {name}"), len, MEMORY),
            _ => report.at_most(&format!("bytes written: {name}"), len, WRITTEN),
        }
    }
    report.at_most(&format!("records written: {name}"), writes.len(), records);
    let (output, whole) = counted(|| device.run(operation));
    report.note(&format!("allocations: {name}, load + step + save"), whole.calls);
    output
}

/// Sixteen archived sessions cost a message nothing: as many bytes loaded and written, and as many allocations, as with none.
fn archived(report: &mut Report) {
    let figures = |sessions: usize| {
        let mut world = World::archived(sessions, Accounts::Phones);
        let (to, from) = (world.bob.address, world.alice.address);
        let send = Send { to, plaintext: &[1; TEXT], associated_data: BOUND, keep: Keep::ForRetry };
        let mut figures = figures_of(&mut world.alice, &send).to_vec();
        let sent = world.alice.run(&send);
        let receive = Receive { from, envelope: &sent.envelope, associated_data: BOUND };
        figures.extend(figures_of(&mut world.bob, &receive));
        figures
    };
    let names = ["send", "receive"].into_iter().flat_map(|name| {
        ["allocations", "bytes allocated", "bytes loaded", "bytes written"]
            .map(|figure| format!("{figure}, 16 sessions archived: {name}"))
    });
    for (name, (many, none)) in names.zip(figures(16).into_iter().zip(figures(0))) {
        report.at_most(&name, many, none);
    }
}

/// A message with encrypted headers.
fn hidden(report: &mut Report) {
    let mut world = World::hidden();
    let (to, from) = (world.bob.address, world.alice.address);
    let send = Send { to, plaintext: &[1; TEXT], associated_data: BOUND, keep: Keep::ForRetry };
    let [calls, _, _, written] = figures_of(&mut world.alice, &send);
    report.at_most("allocations: send, encrypted header, with the round that asks for it", calls, 9);
    let of_copy = COPY + TEXT + BOUND.len();
    report.at_most("bytes written: send, encrypted header, copy included", written, HIDDEN_WRITTEN + of_copy);
    let sent = world.alice.run(&send);
    report.at_most("bytes added to 64 bytes, encrypted header", sent.envelope.len() - TEXT, HIDDEN_ADDED);
    let receive = Receive { from, envelope: &sent.envelope, associated_data: BOUND };
    let [calls, _, _, written] = figures_of(&mut world.bob, &receive);
    report.at_most("allocations: receive, encrypted header, with the round that asks for it", calls, 6);
    report.at_most("bytes written: receive, encrypted header", written, HIDDEN_WRITTEN);
}

/// Allocations, bytes allocated, bytes loaded, bytes written.
fn figures_of<O: Operation>(device: &mut Device, operation: &O) -> [usize; 4] {
    let (step, cost) = device.step(operation);
    let written = step.unwrap().split().0.iter().filter_map(|write| write.bytes().map(<[u8]>::len)).sum();
    [cost.calls, cost.bytes, device.loaded, written]
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
