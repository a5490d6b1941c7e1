//! What a refusal costs, beside the acceptance of the same message: the one side is the message with a bit of its tag flipped.
//! Equal work on both sides is within a twentieth by time; instructions show that it is not more.

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
    ]
}

fn altered((world, mut envelope): (World, Vec<u8>)) -> (World, Vec<u8>) {
    if let Some(last) = envelope.last_mut() {
        *last ^= 1;
    }
    (world, envelope)
}
