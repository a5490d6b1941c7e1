//! Two devices talk, and hundreds of times something is done to one of them: it is killed, its file goes back, comes back from a backup, is copied and the copy speaks, its
//! prekeys run out. Packets are lost, doubled and held back all the while.
//!
//! `cargo run --release --example survive [--seed N]`
//!
//! ```text
//! world ─┬─▶ device Alice ─▶ store.sqlite + generation     server: keys, mailboxes, and a bad way to them
//!        ├─▶ device Bob   ─▶ store.sqlite + generation     copies of the files, to be put back
//!        └─▶ check ─▶ report
//! ```
//! To see how an app survives, read `device.rs`: it follows `advice()`, and knows nothing else of errors; `store.rs` is its one transaction for each step. The rest is
//! there to disturb these two. The exit code is 0 if every message that left its sender was heard once or reported, 1 if not, 2 if the call was wrong.

mod check;
mod device;
#[path = "../stage/dice.rs"]
mod dice;
mod keys;
mod lines;
mod mailbox;
#[path = "../stage/records.rs"]
mod records;
mod report;
#[path = "../stage/scratch.rs"]
mod scratch;
mod server;
mod source;
mod store;
mod tally;
mod trouble;
#[path = "../stage/who.rs"]
mod who;
mod world;

use std::{env, process::ExitCode};

use crate::{check::Outcome, report::Report, scratch::Scratch, trouble::Trouble, who::Who, world::World};

const USAGE: &str = "usage: survive [--seed N]";
const SEED: u64 = 94;
/// Lines of the conversation.
const LINES: u32 = 500;

fn main() -> ExitCode {
    let Ok(seed) = seed(env::args().skip(1)) else {
        anstream::eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut report = Report::new();
    report.title(&format!("{LINES} messages; seed {seed}"));
    match tell(seed, &mut report) {
        Ok(outcome) if outcome.wrong.is_empty() && !report.unprinted => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(trouble) => {
            anstream::eprintln!("stopped: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// The whole story, in a directory that is gone afterwards.
fn tell(seed: u64, report: &mut Report) -> Result<Outcome, Trouble> {
    let scratch = Scratch::new()?;
    let directories = [scratch.directory(Who::Alice.name())?, scratch.directory(Who::Bob.name())?];
    let mut world = World::new(directories, seed, LINES);
    world.run()?;
    let outcome = check::check(&mut world)?;
    report.disturbances(&world.tally);
    report.packets(&world.server);
    report.messages(&outcome);
    report.last(&outcome, &world.tally);
    Ok(outcome)
}

fn seed(mut arguments: impl Iterator<Item = String>) -> Result<u64, ()> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, _, _) => Ok(SEED),
        (Some("--seed"), Some(seed), None) => seed.parse().map_err(drop),
        _ => Err(()),
    }
}
