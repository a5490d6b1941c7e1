//! Messages through records: the whole way (load, step, save) over a `MemoryStore`, and the step alone on what was loaded.

use std::hint::black_box;

use outrigger::{Address, Keep, OpenError, Receive, Received, Send, Sent, Step};

use crate::{
    case::{Act, Case, Consume, Repeat},
    sums::{Text, receiving_turn, sending_turn},
    world::{BOUND, Device, World, step},
};

const SIZES: [(usize, &str); 3] = [(64, "64"), (1_024, "1k"), (65_536, "64k")];
/// `lp`'s length and the head of an envelope in these cases, and the transcript.
pub(crate) const HEAD: usize = 4 + 51 + 32;

/// A message of a session: its content has a kind byte more.
fn text(size: usize) -> Text {
    Text::new(size + 1, HEAD + BOUND.len())
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, name) in SIZES {
        let (send_sum, receive_sum) = (move || send_sum(size), move || receive_sum(size));
        let batch = if size < 10_000 { 64 } else { 2 };
        let send = Case::new(format!("record-send-{name}"), move || send(size), send_sum).batch(batch);
        let receive =
            Case::new(format!("record-receive-{name}"), move || receive(size), receive_sum).batch(batch);
        let promised = size == 64;
        // A send also writes the copy for a retry, which no primitive stands for.
        cases.push(send);
        cases.push(if promised { receive.at_most(2.0) } else { receive });
    }
    cases.push(Case::new("step-send-64", || step_send(alice()), || send_sum(64)));
    cases.push(Case::new("step-receive-64", || step_receive(World::gap(0)), || receive_sum(64)));
    cases.push(
        Case::new("step-turn-receive", || step_receive(World::turn()), || receiving_turn(text(64)))
            .at_most(1.1)
            .batch(1),
    );
    cases.push(
        Case::new("step-turn-send", || step_send(bob()), || sending_turn(text(64))).at_most(1.1).batch(1),
    );
    cases
}

/// The whole way of a send.
fn send(size: usize) -> impl Act {
    let mut world = World::settled();
    let plaintext = vec![1; size];
    Repeat(move || world.alice_sends(black_box(&plaintext)))
}

/// The whole way of a receive.
fn receive(size: usize) -> impl Act {
    Consume {
        state: (World::settled(), vec![1; size], Vec::<Sent>::new()),
        ready: |(world, plaintext, sent), calls| {
            *sent = (0..calls).map(|_| world.alice_sends(plaintext)).collect();
        },
        call: |(world, _, sent), call| {
            black_box(world.bob_receives(&sent[call].envelope));
        },
    }
}

/// Alice in a settled session; her next send is in the chain that she has.
fn alice() -> (Device, Address) {
    let World { alice, bob } = World::settled();
    (alice, bob.address)
}

/// Bob in a settled session; his next send runs the sending half of a turn.
fn bob() -> (Device, Address) {
    let World { alice, bob } = World::settled();
    (bob, alice.address)
}

/// The step of a send alone.
fn step_send((mut device, to): (Device, Address)) -> impl Act {
    let send = move || Send { to, plaintext: &[1; 64], associated_data: BOUND, keep: Keep::ForRetry };
    let have = device.loaded(&send());
    Repeat(move || step(&send(), &have, &mut device.source).unwrap())
}

/// The step of a receive alone; it is accepted.
pub(crate) fn step_receive(arrived: (World, Vec<u8>)) -> impl Act {
    let mut run = receiving(arrived);
    Repeat(move || run().unwrap())
}

/// The step of a receive alone; it is refused.
pub(crate) fn step_refuse(arrived: (World, Vec<u8>)) -> impl Act {
    let mut run = receiving(arrived);
    Repeat(move || run().unwrap_err())
}

fn receiving((mut world, envelope): (World, Vec<u8>)) -> impl FnMut() -> Result<Step<Received>, OpenError> {
    let from = world.alice.address;
    let have = world.bob.loaded(&Receive { from, envelope: &envelope, associated_data: BOUND });
    move || {
        let receive = Receive { from, envelope: black_box(&envelope), associated_data: BOUND };
        step(&receive, &have, &mut world.bob.source)
    }
}

pub(crate) fn send_sum(size: usize) -> impl Act {
    let mut text = text(size);
    Repeat(move || text.send())
}

pub(crate) fn receive_sum(size: usize) -> impl Act {
    let mut text = text(size);
    Repeat(move || text.receive())
}
