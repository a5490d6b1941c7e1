//! Retries: a request and an answer beside their primitives, and what they may not cost: the steady path with a full archive.

use std::hint::black_box;

use outrigger::{Address, AnswerRetry, Keep, OpenError, RequestRetry, Send, Sent};

use crate::{
    case::{Act, Case, Repeat},
    records::{HEAD, step_receive},
    sums::{Curve, OpenRequest, Text, seal_request},
    world::{BOUND, World, step},
};

/// Sessions that are archived at the most.
const ARCHIVED: usize = 16;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("retry-ask", ask, ask_sum).batch(1),
        Case::new("retry-answer", answer, answer_sum).batch(1),
        // Beside the same with nothing archived: as many instructions, and by time within what a machine wavers.
        Case::new("archived-16-send", || send(ARCHIVED), || send(0)).at_most(1.05),
        Case::new("archived-16-receive", || receive(ARCHIVED), || receive(0)).at_most(1.05),
    ]
}

/// Bob asks for a message of Alice's.
fn ask() -> impl Act {
    let (mut world, envelope) = World::gap(0);
    let from = world.alice.address;
    let have = world.bob.loaded(&asking(from, &envelope));
    Repeat(move || step(&asking(from, black_box(&envelope)), &have, &mut world.bob.source).unwrap())
}

fn asking(from: Address, envelope: &[u8]) -> RequestRetry<'_> {
    RequestRetry { from, envelope, error: OpenError::KeyGone }
}

fn answering(from: Address, request: &[u8]) -> AnswerRetry<'_> {
    AnswerRetry { from, request, bundle: None, resend_to: None }
}

/// One Diffie-Hellman, the head's digest, the transcript, the key, and AES-256-GCM over the body.
fn ask_sum() -> impl Act {
    let mut curve = Curve::new();
    Repeat(move || seal_request(&mut curve))
}

/// Alice answers in the session that she has: Bob has opened of it since what he asks for.
fn answer() -> impl Act {
    let (mut world, Sent { envelope, .. }) = World::asked();
    let (alice, bob) = (world.alice.address, world.bob.address);
    let request = world.bob.run(&asking(alice, &envelope)).request;
    let have = world.alice.loaded(&answering(bob, &request));
    Repeat(move || step(&answering(bob, black_box(&request)), &have, &mut world.alice.source).unwrap())
}

/// What opening a request costs, and a message with a message id in front.
fn answer_sum() -> impl Act {
    let request = OpenRequest::new();
    let mut text = Text::new(1 + 16 + 64, HEAD + BOUND.len());
    Repeat(move || {
        request.call();
        text.send();
    })
}

/// The step of a send, with so many sessions archived.
fn send(archived: usize) -> impl Act {
    let World { mut alice, bob } = World::archived(archived);
    let to = bob.address;
    let send = move || Send { to, plaintext: &[1; 64], associated_data: BOUND, keep: Keep::ForRetry };
    let have = alice.loaded(&send());
    Repeat(move || step(&send(), &have, &mut alice.source).unwrap())
}

/// The step of a receive, with so many sessions archived.
fn receive(archived: usize) -> impl Act {
    let mut world = World::archived(archived);
    let sent = world.alice_sends(&[1; 64]);
    step_receive((world, sent.envelope))
}
