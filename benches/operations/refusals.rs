//! What a refusal costs, beside the acceptance of the same message: the one side is the message with a bit of its tag flipped.
//! Equal work on both sides is within a twentieth by time; instructions show that it is not more.
//!
//! `storm-*` are envelopes that cannot be opened, as one who goes back or forges sends them by the thousand, with a full memory of what was opened; the other side is the
//! acceptance of the next message, and for the forged chain that of a turn, which costs a Diffie-Hellman too.

use crate::{
    case::Case,
    records::{step_receive, step_refuse},
    world::World,
};

pub(crate) fn cases() -> Vec<Case> {
    let case = |name: &str, make: fn() -> (World, Vec<u8>)| {
        Case::new(name, move || step_refuse(altered(make())), move || step_receive(make())).at_most(1.05)
    };
    vec![
        case("refuse-64", || World::gap(0)),
        case("refuse-turn", World::turn).batch(1),
        case("refuse-skip-1000", || World::gap(1_000)).batch(1),
        case("refuse-first", World::first).batch(1),
        storm(
            "storm-unknown-session",
            |world| altered_at(world.alice_sends(&[1; 64]).envelope, 5),
            || World::gap(0),
        ),
        storm("storm-used-counter", used_counter, || World::gap(0)),
        storm("storm-forged-chain", forged_chain, World::turn).batch(1),
    ]
}

/// An envelope that is made of the world and refused, beside an acceptance.
fn storm(name: &str, forge: fn(&mut World) -> Vec<u8>, accepted: fn() -> (World, Vec<u8>)) -> Case {
    let refused = move || {
        let mut world = World::remembering();
        let envelope = forge(&mut world);
        step_refuse((world, envelope))
    };
    Case::new(name, refused, move || step_receive(accepted()))
}

/// Another message than was opened at its counter.
fn used_counter(world: &mut World) -> Vec<u8> {
    let sent = world.alice_sends(&[1; 64]);
    world.bob_receives(&sent.envelope);
    let last = sent.envelope.len() - 1;
    altered_at(sent.envelope, last)
}

/// Under a ratchet key that nobody has, when Bob has answered and any key may come next.
fn forged_chain(world: &mut World) -> Vec<u8> {
    world.bob_speaks();
    let sent = world.alice_sends(&[1; 64]);
    altered_at(sent.envelope, 11 + 2 + 7)
}

fn altered_at(mut envelope: Vec<u8>, place: usize) -> Vec<u8> {
    envelope[place] ^= 1;
    envelope
}

fn altered((world, mut envelope): (World, Vec<u8>)) -> (World, Vec<u8>) {
    if let Some(last) = envelope.last_mut() {
        *last ^= 1;
    }
    (world, envelope)
}
