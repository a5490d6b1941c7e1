//! Every world that a phone, its desktops and a peer can come to, within small bounds: the crate's own operations on their own records, a network that delivers what it has seen
//! any number of times, in any order or never, crashes before and after each commit, stores that go back, a desktop that joins anew, and one that becomes a companion.
//!
//! `cargo test --test relay_model -- --nocapture` prints the number of states; `ci/model.sh` goes further. What is held in every state: numbers rise by one at the desktop, and
//! behind a joining a hole has its gap; nothing is shown or heard twice; requests are done in order, and their states move forward; what is refused is not heard, what is
//! accepted was in the phone's hands; what is done is done in the desktop's time and with leave; nothing is
//! sealed for a desktop that was let go; no key and nonce twice; stores stay small; nothing is suspended, or unknown, where nothing went back. In every state in which nothing is
//! under way: everything comes, or comes once the desktop joined anew. Faults that are planted are found.
//!
//! Of the upgrade: a message of the peer's is shown once, by the relay, passed on or directly, and comes by one of these ways alone unless a store went back; a request is done
//! or given back, never both; there is no companion without the user's word, and leave to send is none; behind the last frame nothing is numbered; an acceptance that is refused
//! changes no list. In the end the desktop is attached, or a companion, and everything is shown, done and answered.

mod begin;
mod bench;
mod checker;
#[path = "../stage/chosen.rs"]
mod chosen;
mod config;
mod desk;
mod ends;
mod lab;
mod look;
mod names;
mod peer;
mod phone;
#[path = "../stage/store.rs"]
mod store;
#[path = "../stage/wire.rs"]
mod wire;
mod world;

use checker::{ENDS_WELL, IN_ORDER, check};
use config::{Budget, CALM, Config, Fault};

const ONE: Budget = Budget { down: 1, up: 1, ..CALM };
const PHONE: Budget = Budget { phone_backs: 1, rejoins: 1, flushes: 1, ..ONE };
const DESK: Budget = Budget { desk_backs: 1, rejoins: 1, flushes: 1, ..ONE };
/// The desktop asks to become a companion, and the phone's user may agree.
const UPGRADE: Budget = Budget { upgrades: 1, agrees: 1, ..ONE };
const ALONE: Budget = Budget { down: 0, up: 0, ..UPGRADE };

fn holds(config: Config) {
    let outcome = check(config);
    assert!(outcome.broken.is_empty(), "{}: {:#?}", config.name, outcome.broken);
    assert!(outcome.done, "{}: nothing is done", config.name);
}

/// The fault breaks this property, for this reason.
fn finds(fault: Fault, config: Config, property: &'static str, why: &'static str) {
    let outcome = check(Config { name: fault.name(), ..config }.with_fault(fault));
    assert!(outcome.why.contains(&(property, why)), "{fault:?} breaks {:#?}", outcome.broken);
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
        holds(Config::new("one each, ask and ack", Budget { asks: 1, acks: 1, ..ONE }));
        holds(Config::new("doubled, an acknowledgement", Budget { acks: 1, ..CALM }));
        holds(Config::new("a silent phone", Budget { down: 0, asks: 2, rejoins: 1, ..ONE }));
    }
}

#[test]
fn users_have_their_say() {
    holds(Config::new("a request is denied", Budget { denies: 1, up: 2, ..ONE }));
    holds(Config::new("news of a request", Budget { news: 1, ..ONE }));
    holds(Config::new("the desktop is detached", Budget { detaches: 1, flushes: 1, ..ONE }));
    holds(Config::new(
        "a lapse and a renewal, one down",
        Budget { waits: 1, renews: 1, asks: 1, up: 0, ..ONE },
    ));
    holds(Config::new("a lapse and a renewal, one up", Budget { waits: 1, renews: 1, down: 0, ..ONE }));
    holds(Config::new("leave is withdrawn", Budget { withdraws: 1, flushes: 1, ..ONE }));
    holds(Config::new(
        "leave is withdrawn, two up, a lapse",
        Budget { withdraws: 1, waits: 1, up: 2, down: 0, ..ONE },
    ));
    if far() {
        holds(Config::new("a lapse and a renewal, one each", Budget { waits: 1, renews: 1, asks: 1, ..ONE }));
        holds(Config::new("detached, two each, a crash", Budget { detaches: 1, crashes: 1, ..CALM }));
        holds(Config::new("two lapses", Budget { waits: 2, renews: 2, asks: 1, up: 0, ..ONE }));
        holds(Config::new("denied, news, two each", Budget { denies: 1, news: 1, ..CALM }));
    }
}

#[test]
fn two_desktops_are_told_the_same() {
    holds(Config::new("two desktops, one each", Budget { aside: 1, ..ONE }).with_two());
    holds(
        Config::upgrade("two desktops, one upgrades", Budget { aside: 1, down: 0, up: 0, ..UPGRADE })
            .with_two(),
    );
    if far() {
        holds(Config::new("two desktops, two down", Budget { aside: 1, down: 2, ..ONE }).with_two());
        holds(
            Config::upgrade("two desktops, one upgrades, one down", Budget { aside: 1, up: 0, ..UPGRADE })
                .with_two(),
        );
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
    if far() {
        holds(Config::new("the phone goes back, the peer mends", Budget { restarts: 1, ..PHONE }));
        holds(Config::new("the phone goes back, an ask", Budget { down: 2, up: 0, asks: 1, ..PHONE }));
        holds(Config::new("the phone goes back, two down, one up", Budget { down: 2, ..PHONE }));
    }
}

#[test]
fn a_desktop_that_goes_back_doubles_nothing() {
    holds(Config::new("the desktop goes back", DESK));
    if far() {
        holds(Config::new("the desktop goes back, an ask", Budget { asks: 1, ..DESK }));
        holds(Config::new("the desktop goes back, two down, one up", Budget { down: 2, ..DESK }));
    }
}

#[test]
fn both_go_back_and_nothing_is_doubled() {
    let both = Budget { phone_backs: 1, ..DESK };
    holds(Config::new("both go back, one down", Budget { up: 0, ..both }));
    if far() {
        holds(Config::new("both go back", both));
    }
}

#[test]
fn an_upgrade_loses_and_doubles_nothing() {
    holds(Config::upgrade("an upgrade, one each", UPGRADE));
    holds(
        Config::upgrade("an upgrade, two down, one to the phone", Budget { down: 2, up: 0, ..UPGRADE })
            .to_both(),
    );
    if far() {
        holds(Config::upgrade("an upgrade, two up", Budget { down: 0, up: 2, ..UPGRADE }));
        holds(Config::upgrade("an upgrade, two down, one up", Budget { down: 2, ..UPGRADE }).to_both());
        holds(Config::upgrade(
            "an upgrade, asked for twice, denied or not",
            Budget { upgrades: 2, denies: 1, ..UPGRADE },
        ));
        holds(Config::upgrade("an upgrade, a flush and an ask", Budget { flushes: 1, asks: 1, ..ALONE }));
        holds(Config::upgrade("an upgrade, a flush, one up", Budget { down: 0, flushes: 1, ..UPGRADE }));
    }
}

#[test]
fn an_upgrade_that_is_refused_changes_nothing() {
    holds(Config::upgrade("an upgrade, denied or not", Budget { denies: 1, down: 0, ..UPGRADE }));
    holds(Config::upgrade("an offer that lapses", Budget { waits: 1, down: 0, ..UPGRADE }));
    holds(Config::upgrade("an upgrade, leave is withdrawn", Budget { withdraws: 1, down: 0, ..UPGRADE }));
    if far() {
        holds(Config::upgrade(
            "an offer that lapses, twice",
            Budget { waits: 1, upgrades: 2, agrees: 2, ..UPGRADE },
        ));
        holds(Config::upgrade("an upgrade against the end", Budget { detaches: 1, ..UPGRADE }));
    }
}

#[test]
fn an_upgrade_survives_crashes() {
    holds(Config::upgrade("an upgrade, a crash, one up", Budget { crashes: 1, down: 0, ..UPGRADE }));
    if far() {
        holds(Config::upgrade("an upgrade, a crash, one each", Budget { crashes: 1, ..UPGRADE }));
        holds(Config::upgrade("an upgrade, two crashes, one down", Budget { crashes: 2, up: 0, ..UPGRADE }));
    }
}

#[test]
fn an_upgrade_and_a_store_that_goes_back() {
    holds(Config::upgrade(
        "an upgrade, the desktop goes back",
        Budget { desk_backs: 1, rejoins: 1, ..ALONE },
    ));
    holds(Config::upgrade("an upgrade, the phone goes back", Budget { phone_backs: 1, rejoins: 1, ..ALONE }));
    if far() {
        let down = Budget { up: 0, rejoins: 1, ..UPGRADE };
        holds(Config::upgrade(
            "an upgrade, the desktop goes back, one down",
            Budget { desk_backs: 1, ..down },
        ));
        holds(Config::upgrade(
            "an upgrade, the phone goes back, one down",
            Budget { phone_backs: 1, ..down },
        ));
        let up = Budget { down: 0, rejoins: 1, ..UPGRADE };
        holds(Config::upgrade("an upgrade, the desktop goes back, one up", Budget { desk_backs: 1, ..up }));
        holds(Config::upgrade("an upgrade, the phone goes back, one up", Budget { phone_backs: 1, ..up }));
    }
}

/// The phone sees on the server that it has signed a list, and learns of its companion from there, or from what the companion says.
#[test]
fn a_phone_that_goes_back_sees_its_list() {
    let back = Budget { phone_backs: 1, rejoins: 1, ..ALONE };
    holds(Config::upgrade("an upgrade, the phone goes back and sees its list", back).learning());
    if far() {
        let (up, down) = (Budget { up: 1, ..back }, Budget { down: 1, ..back });
        holds(Config::upgrade("the same, one up", up).learning());
        holds(Config::upgrade("the same, one down", down).learning());
    }
}

#[test]
fn planted_faults_are_found() {
    let one_up = Budget { down: 0, ..ONE };
    let find = |fault, budget, property, why| finds(fault, Config::new("", budget), property, why);
    let crash = Budget { down: 2, up: 0, crashes: 1, ..CALM };
    find(Fault::ReleaseBeforeStore, crash, IN_ORDER, "suspended, and nothing went back");
    find(Fault::ShowsEarly, Budget { up: 0, ..CALM }, IN_ORDER, "shown twice");
    find(Fault::SendsRepeated, one_up, IN_ORDER, "heard twice");
    find(Fault::UndecidedIsDone, DESK, ENDS_WELL, "what is new is not shown once");
    find(Fault::SentIsAccepted, one_up, IN_ORDER, "accepted, and the phone never had it");
    let crash = Budget { crashes: 1, ..ONE };
    find(Fault::NeverAgain, crash, ENDS_WELL, "not everything was shown, in its order");
    let asks = Budget { up: 0, asks: 1, ..PHONE };
    find(Fault::ShowsAgain, asks, IN_ORDER, "shown twice");
    let again = Budget { flushes: 1, ..one_up };
    find(Fault::LosesSeen, again, IN_ORDER, "suspended, and nothing went back");
    let ends = Budget { detaches: 1, up: 0, ..ONE };
    find(Fault::EndIsNotStored, ends, IN_ORDER, "sealed for a desktop that was let go");
    let acked = Config::new("", Budget { down: 1, crashes: 1, up: 0, ..CALM }).without_doubles();
    finds(Fault::AcksBeforeStore, acked, ENDS_WELL, "not everything was shown, in its order");
}

#[test]
fn faults_of_an_upgrade_are_found() {
    let find = |fault, budget, property, why| finds(fault, Config::upgrade("", budget), property, why);
    let (up, down) = (Budget { down: 0, ..UPGRADE }, Budget { up: 0, ..UPGRADE });
    find(Fault::PassesAllOn, down, IN_ORDER, "shown twice");
    find(Fault::PassesNothingOn, down, ENDS_WELL, "not everything was shown, in its order");
    find(Fault::AcceptanceOvertakes, up, IN_ORDER, "given back, and it had gone out");
    find(Fault::QueuedAreSent, up, IN_ORDER, "heard twice");
    find(Fault::CompanionEarly, ALONE, ENDS_WELL, "a request is not done, or not answered");
    find(Fault::AllowUpgrades, ALONE, IN_ORDER, "a companion without the user's word");
    find(Fault::DropsGivenBack, up, ENDS_WELL, "a request is not done, or not answered");
}
