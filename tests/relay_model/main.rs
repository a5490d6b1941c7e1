//! Every world that a phone, its desktop and a peer can come to, within small bounds: the crate's own operations on their own records, a network that delivers what it has seen
//! any number of times, in any order or never, crashes before and after each commit, stores that go back, a desktop that joins anew.
//!
//! `cargo test --test relay_model -- --nocapture` prints the number of states; `ci/model.sh` goes further. What is held in every state: numbers rise by one at the desktop, and
//! behind a joining a hole has its gap; nothing is shown or heard twice; requests are done in order, and their states move forward; what is refused is not heard, what is
//! accepted was in the phone's hands; no key and nonce twice; stores stay small; nothing is suspended where nothing went back. In every state in which nothing is under way:
//! everything comes, or comes once the desktop joined anew. Faults that are planted are found.

mod checker;
mod config;
mod ends;
mod lab;
mod party;
#[path = "../stage/store.rs"]
mod store;
#[path = "../stage/wire.rs"]
mod wire;
mod world;

use checker::check;
use config::{Budget, CALM, Config, Fault};

const ONE: Budget = Budget { down: 1, up: 1, ..CALM };
const PHONE: Budget = Budget { phone_backs: 1, rejoins: 1, flushes: 1, ..ONE };
const DESK: Budget = Budget { desk_backs: 1, rejoins: 1, flushes: 1, ..ONE };

fn holds(config: Config) {
    let outcome = check(config);
    assert!(outcome.broken.is_empty(), "{}: {:#?}", config.name, outcome.broken);
    assert!(outcome.done, "{}: nothing is done", config.name);
}

/// The fault breaks something, and that is found.
fn finds(fault: Fault, budget: Budget) {
    let outcome = check(Config::new(fault.name(), budget).with_fault(fault));
    assert!(!outcome.broken.is_empty(), "{fault:?} is not found");
}

/// Whether the larger bounds are wanted.
fn far() -> bool {
    std::env::var_os("OUTRIGGER_MODEL").is_some()
}

#[test]
fn undisturbed_everything_comes() {
    holds(Config::new("undisturbed", CALM).without_doubles());
    holds(Config::new("doubled", CALM));
    if far() {
        holds(Config::new("doubled, an acknowledgement", Budget { acks: 1, ..CALM }));
        holds(Config::new("one each, ask and ack", Budget { asks: 1, acks: 1, ..ONE }));
        holds(Config::new("a silent phone", Budget { down: 0, asks: 2, rejoins: 1, ..ONE }));
    }
}

#[test]
fn crashes_lose_nothing() {
    holds(Config::new("one crash, one each", Budget { crashes: 1, flushes: 1, ..ONE }));
    if far() {
        holds(Config::new("two crashes, one each", Budget { crashes: 2, flushes: 1, ..ONE }));
    }
}

#[test]
fn a_phone_that_goes_back_doubles_nothing() {
    holds(Config::new("the phone goes back", PHONE));
    holds(Config::new("the phone goes back, the peer mends", Budget { restarts: 1, ..PHONE }));
    if far() {
        holds(Config::new("the phone goes back, an ask", Budget { down: 2, up: 0, asks: 1, ..PHONE }));
        holds(Config::new("the phone goes back, two each", Budget { down: 2, up: 2, ..PHONE }));
    }
}

#[test]
fn a_desktop_that_goes_back_doubles_nothing() {
    holds(Config::new("the desktop goes back", DESK));
    if far() {
        holds(Config::new("the desktop goes back, an ask", Budget { asks: 1, ..DESK }));
        holds(Config::new("the desktop goes back, two each", Budget { down: 2, up: 2, ..DESK }));
    }
}

#[test]
fn both_go_back_and_nothing_is_doubled() {
    holds(Config::new("both go back", Budget { phone_backs: 1, ..DESK }));
}

#[test]
fn planted_faults_are_found() {
    finds(Fault::ReleaseBeforeStore, Budget { down: 2, up: 0, crashes: 1, ..CALM });
    finds(Fault::ShowsEarly, Budget { up: 0, ..CALM });
    finds(Fault::SendsRepeated, Budget { down: 0, ..ONE });
    finds(Fault::UndecidedIsDone, DESK);
    finds(Fault::SentIsAccepted, Budget { down: 0, ..ONE });
    finds(Fault::NeverAgain, Budget { crashes: 1, flushes: 1, ..ONE });
    finds(Fault::ShowsAgain, PHONE);
}
