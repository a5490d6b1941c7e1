//! Every world that two devices can come to, within small bounds: the crate's own operations on their own records, an app that follows `advice()`, a network that reorders,
//! doubles and loses, crashes before and after each commit, stores that go back and stores that are restored.
//!
//! `cargo test --test model -- --nocapture` prints the number of states; `ci/model.sh` goes further. What is held in every state: no key and nonce twice, no message shown
//! twice, none missing once all is quiet, none reported lost that was kept, few requests, and that the two go on to talk in one session. Faults that are planted are found.

mod checker;
#[path = "../stage/chosen.rs"]
mod chosen;
mod config;
mod device;
#[path = "../stage/store.rs"]
mod store;
mod view;
#[path = "../stage/wire.rs"]
mod wire;
mod world;

use checker::check;
use config::{Config, Fault, NOTHING};
use world::Budget;

fn holds(config: Config, asks: bool) {
    let outcome = check(config);
    assert!(outcome.broken.is_empty(), "{}: {:?}", config.name, outcome.broken);
    assert!(outcome.states > 10, "{}: it goes nowhere", config.name);
    assert_eq!(outcome.asked, asks, "{}: a retry", config.name);
}

fn finds(config: Config) {
    let outcome = check(config);
    assert!(!outcome.broken.is_empty(), "{}: the fault is not found", config.name);
}

/// Whether the larger bounds are wanted.
fn far() -> bool {
    std::env::var_os("OUTRIGGER_MODEL").is_some()
}

#[test]
fn two_that_start_at_once_come_to_one_session() {
    holds(Config::new("both start, one message each", [1, 1], NOTHING), false);
    holds(Config::new("both start, two messages and one", [2, 1], NOTHING), false);
    holds(Config::new("doubled", [1, 1], Budget { doubles: 2, ..NOTHING }), false);
    holds(Config::new("lost and repeated", [1, 1], Budget { losses: 2, ..NOTHING }), false);
    if far() {
        holds(Config::new("both start, two messages each", [2, 2], NOTHING), false);
        holds(Config::new("both start, three and two", [3, 2], NOTHING), false);
        holds(Config::new("two each, doubled", [2, 2], Budget { doubles: 1, ..NOTHING }), false);
    }
}

#[test]
fn crashes_lose_nothing_and_double_nothing() {
    holds(Config::new("one crash", [1, 1], Budget { crashes: 1, ..NOTHING }), false);
    holds(Config::new("one crash and a double", [1, 1], Budget { crashes: 1, doubles: 1, ..NOTHING }), false);
    if far() {
        holds(Config::new("two crashes, two messages each", [2, 2], Budget { crashes: 2, ..NOTHING }), false);
    }
}

#[test]
fn messages_that_come_too_early_are_asked_for_and_come_once() {
    holds(Config::new("no gap is followed", [2, 0], NOTHING).impatient(), true);
    holds(Config::new("no gap is followed, an answer", [2, 1], NOTHING).impatient(), true);
    holds(Config::new("no gap, doubled", [2, 0], Budget { doubles: 1, ..NOTHING }).impatient(), true);
    if far() {
        holds(Config::new("no gap, two each", [2, 2], NOTHING).impatient(), true);
        holds(Config::new("no gap, three", [3, 0], NOTHING).impatient(), true);
        holds(Config::new("no gap, three and one", [3, 1], NOTHING).impatient(), true);
    }
}

#[test]
fn a_store_that_goes_back_is_mended() {
    let back = Budget { roll_backs: 1, ..NOTHING };
    holds(Config::new("one goes back", [1, 1], back), true);
    holds(Config::new("one goes back, two and one", [2, 1], back), true);
    if far() {
        holds(Config::new("one goes back, two each", [2, 2], back), true);
        holds(Config::new("one goes back, doubled", [2, 1], Budget { doubles: 1, ..back }), true);
        holds(Config::new("both go back", [2, 1], Budget { roll_backs: 2, ..NOTHING }), true);
    }
}

#[test]
fn a_restored_store_is_mended() {
    let restored = Budget { recoveries: 1, ..NOTHING };
    holds(Config::new("one is restored", [1, 1], restored), true);
    holds(Config::new("one is restored, two and one", [2, 1], restored), true);
    if far() {
        holds(Config::new("one is restored, two each", [2, 2], restored), true);
        holds(
            Config::new("one is restored, one goes back", [1, 1], Budget { roll_backs: 1, ..restored }),
            true,
        );
    }
}

#[test]
fn planted_faults_are_found() {
    let crash = Budget { crashes: 1, ..NOTHING };
    finds(Config::new("released before it is stored", [2, 0], crash).with_fault(Fault::ReleaseBeforeStore));
    // What B says is not kept, so that what a deleted session would have opened is gone.
    let retry = Config::new("a retry that deletes nothing", [3, 1], NOTHING).impatient().b_keeps_nothing();
    if far() {
        holds(retry, true);
    }
    finds(Config { name: "a retry that deletes the session", ..retry }.with_fault(Fault::RetryDeletes));
}
