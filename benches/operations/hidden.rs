//! Encrypted headers, beside the same with headers in clear and three calls of AES-256-GCM on a header's bytes: what they may add at most.

use std::hint::black_box;

use outrigger::{Headers, Keep, Send, Sent};

use crate::{
    case::{Act, Case, Consume, Repeat},
    memory::{Pair, open},
    records::{step_receive, step_refuse},
    sums::{Text, open_headers, seal_headers},
    world::{BOUND, World, step},
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("hidden-encrypt-64", || encrypt(Headers::Encrypted), encrypt_sum).at_most(1.0),
        Case::new(
            "hidden-decrypt-64",
            || decrypt(Headers::Encrypted, false),
            || decrypt(Headers::Plain, true),
        )
        .at_most(1.0),
        // Its digest is of 40 bytes more, and here takes a block of SHA-256 more: no promise.
        Case::new("hidden-step-send-64", || send(Headers::Encrypted), send_sum),
        Case::new("hidden-step-receive-64", || step_receive(next(Headers::Encrypted)), receive_sum)
            .at_most(1.0),
        // A note in front: a Diffie-Hellman.
        Case::new(
            "hidden-first",
            || step_receive(first(Headers::Encrypted)),
            || step_receive(World::first()),
        )
        .batch(1),
        Case::new(
            "hidden-archived-16",
            || step_receive(oldest(Headers::Encrypted)),
            || step_receive(oldest(Headers::Plain)),
        )
        .batch(1),
        // Six trials, a Diffie-Hellman, and six trials for each archived session.
        Case::new("storm-hidden", || step_refuse(forged(0)), || step_receive(next(Headers::Encrypted)))
            .batch(1),
        Case::new(
            "storm-hidden-archived-16",
            || step_refuse(forged(16)),
            || step_receive(next(Headers::Encrypted)),
        )
        .batch(1),
    ]
}

fn encrypt(headers: Headers) -> impl Act {
    let mut pair = Pair::settled(headers);
    Repeat(move || pair.alice.encrypt(black_box(&[1; 64]), BOUND, &mut pair.random).unwrap())
}

fn encrypt_sum() -> impl Act {
    let (mut pair, mut calls) = (Pair::settled(Headers::Plain), Text::header());
    Repeat(move || {
        seal_headers(&mut calls);
        pair.alice.encrypt(black_box(&[1; 64]), BOUND, &mut pair.random).unwrap()
    })
}

fn decrypt(headers: Headers, with_calls: bool) -> impl Act {
    Consume {
        state: (Pair::settled(headers), Text::header(), with_calls),
        ready: |(pair, ..), calls| {
            pair.messages.clear();
            (0..calls).for_each(|_| pair.write(64));
        },
        call: |(pair, calls, with_calls), call| {
            if *with_calls {
                open_headers(calls);
            }
            open(&mut pair.bob, &pair.messages[call]);
        },
    }
}

/// Settled, and the next message of Alice's is on its way.
fn next(headers: Headers) -> (World, Vec<u8>) {
    let mut world = World::settled_with(headers);
    let Sent { envelope, .. } = world.alice_sends(&[1; 64]);
    (world, envelope)
}

/// Alice's first message is on its way.
fn first(headers: Headers) -> (World, Vec<u8>) {
    let mut world = World::started_with(headers);
    let sent = world.alice_sends(&[1; 64]);
    (world, sent.envelope)
}

fn send(headers: Headers) -> impl Act {
    Repeat(sending(headers))
}

fn send_sum() -> impl Act {
    let (mut run, mut calls) = (sending(Headers::Plain), Text::header());
    Repeat(move || {
        seal_headers(&mut calls);
        run()
    })
}

/// The step of a send alone.
fn sending(headers: Headers) -> impl FnMut() -> outrigger::Step<Sent> {
    let World { mut alice, bob } = World::settled_with(headers);
    let send =
        move || Send { to: bob.address, plaintext: &[1; 64], associated_data: BOUND, keep: Keep::ForRetry };
    let have = alice.loaded(&send());
    move || step(&send(), &have, &mut alice.source).unwrap()
}

fn receive_sum() -> impl Act {
    let (mut plain, mut calls) = (step_receive(next(Headers::Plain)), Text::header());
    Repeat(move || {
        open_headers(&mut calls);
        plain.call(0);
    })
}

/// A message of the oldest of 16 archived sessions.
fn oldest(headers: Headers) -> (World, Vec<u8>) {
    let mut world = World::started_with(headers).settle(1);
    let sent = world.alice_sends(&[1; 64]);
    (world.archive(16, headers), sent.envelope)
}

/// Random bytes that look like an envelope.
fn forged(archived: usize) -> (World, Vec<u8>) {
    let mut world = World::started_with(Headers::Encrypted).settle(1);
    if archived > 0 {
        world = world.archive(archived, Headers::Encrypted);
    }
    let mut envelope = world.alice_sends(&[1; 64]).envelope;
    envelope[2..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    (world, envelope)
}
