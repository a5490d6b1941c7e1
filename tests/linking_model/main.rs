//! Every world that a companion and one or two phones can come to while they link, within small bounds: the crate's own operations on their own records, a network that
//! delivers what it has seen to anyone, any number of times, in any order or never, crashes before and after each commit, users who agree, decline, abandon, remove and
//! show new codes, deadlines that pass, and a stranger's phone that photographs the code.
//!
//! `cargo test --test linking_model -- --nocapture` prints the number of states; `ci/model.sh` goes further. What is held in every state: each machine takes what
//! `docs/protocol.md` lets it take and refuses the rest unchanged; a companion is a device only where it was listed, seen and agreed to, of one account at most, and agrees
//! with its phone; a list names only who confirmed; in the end both are linked, or can begin anew. Faults that are planted are found.

mod acts;
mod checker;
#[path = "../stage/chosen.rs"]
mod chosen;
mod config;
mod ends;
mod names;
mod oracle;
mod plant;
mod safety;
mod steps;
#[path = "../stage/store.rs"]
mod store;
mod view;
mod world;

use checker::{AGREES, AS_DUE, CONFIRMED, ENDS_WELL, ONE_ACCOUNT, RIGHTFUL, check};
use config::{Budget, Config, Fault};

const CALM: Budget = Budget::CALM;

fn holds(config: Config) {
    let outcome = check(config);
    assert!(outcome.broken.is_empty(), "{}: {:?}", config.name, outcome.broken);
    assert!(outcome.linked, "{}: nobody is ever linked", config.name);
}

/// The fault breaks these properties, and that is found.
fn finds(fault: Fault, properties: &[&str], budget: Budget) {
    let outcome = check(Config::new(fault.name(), budget).photographed().with_fault(fault));
    for property in properties {
        let found = outcome.broken.iter().any(|(name, _)| name == property);
        assert!(found, "{fault:?}, {property}: {:?}", outcome.broken);
    }
}

/// Whether the larger bounds are wanted.
fn far() -> bool {
    std::env::var_os("OUTRIGGER_MODEL").is_some()
}

#[test]
fn an_undisturbed_linking_ends_linked() {
    holds(Config::new("undisturbed", CALM));
    holds(Config::new("photographed", CALM).photographed());
}

#[test]
fn crashes_end_no_linking() {
    let crashes = |crashes| Budget { crashes, ..CALM };
    holds(Config::new("two crashes", crashes(2)));
    holds(Config::new("photographed, one crash", crashes(1)).photographed());
    if far() {
        holds(Config::new("five crashes", crashes(5)));
        holds(Config::new("photographed, four crashes", crashes(4)).photographed());
        holds(
            Config::new("photographed, two codes, two crashes", Budget { codes: 2, ..crashes(2) })
                .photographed(),
        );
    }
}

#[test]
fn users_can_say_no_and_begin_anew() {
    let users = Budget { codes: 2, abandons: 1, declines: 1, removals: 1, ..CALM };
    holds(Config::new("two codes, and users say no", users));
    holds(Config::new("photographed, two codes", Budget { codes: 2, ..CALM }).photographed());
    holds(Config::new("photographed, one abandons", Budget { abandons: 1, ..CALM }).photographed());
    if far() {
        let more = Budget { codes: 3, abandons: 2, declines: 2, removals: 2, ..CALM };
        holds(Config::new("three codes, and users say no twice", more));
        holds(Config::new("two codes, users say no, two crashes", Budget { crashes: 2, ..users }));
        holds(Config::new("photographed, and users say no", users).photographed());
    }
}

#[test]
fn deadlines_leave_a_way_out() {
    let late = Budget { waits: 2, ..CALM };
    holds(Config::new("late", late));
    holds(Config::new("photographed, late", late).photographed());
    if far() {
        holds(Config::new("two codes, later", Budget { codes: 2, waits: 4, ..CALM }));
        holds(
            Config::new("photographed, two codes, late", Budget { codes: 2, waits: 2, ..CALM })
                .photographed(),
        );
    }
}

#[test]
fn everything_together_ends_well() {
    let once = Budget { codes: 2, crashes: 1, waits: 1, abandons: 1, declines: 1, removals: 1 };
    if far() {
        holds(Config::new("everything once", once));
        holds(Config::new("everything once, a second wait", Budget { waits: 2, ..once }));
        holds(
            Config::new("photographed, one code, the rest once", Budget { codes: 1, ..once }).photographed(),
        );
    } else {
        holds(Config::new("one code, everything once", Budget { codes: 1, ..once }));
    }
}

#[test]
fn planted_faults_are_found() {
    finds(Fault::DeviceAtGrant, &[RIGHTFUL, AGREES], CALM);
    finds(Fault::ListAtGrant, &[CONFIRMED, ONE_ACCOUNT], CALM);
    finds(Fault::AsksNobody, &[RIGHTFUL], CALM);
    finds(Fault::OldCodesCount, &[AS_DUE], Budget { codes: 2, ..CALM });
    finds(Fault::ForgetsScans, &[AS_DUE], Budget { abandons: 1, ..CALM });
    finds(Fault::StoppedClock, &[AS_DUE], Budget { waits: 2, ..CALM });
    finds(Fault::ForgetsOnRefusal, &[AS_DUE], CALM);
    finds(Fault::ReleaseBeforeStore, &[CONFIRMED, ONE_ACCOUNT, ENDS_WELL], Budget { crashes: 1, ..CALM });
    finds(Fault::NeverAgain, &[ENDS_WELL], Budget { crashes: 1, ..CALM });
    finds(Fault::NoWayOut, &[ENDS_WELL], Budget { abandons: 1, ..CALM });
}
