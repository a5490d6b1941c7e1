//! Schedules that break sessions, as data (`vectors/torture/`), and every pair of roll-backs of a conversation: for this crate, and for any other library that implements
//! [`Subject`](subject::Subject).

mod alter;
#[path = "../stage/chosen.rs"]
mod chosen;
mod flawed;
mod outrigger;
mod rollbacks;
mod runner;
mod schedule;
mod seat;
mod server;
mod subject;
#[path = "../stage/wire.rs"]
mod wire;
mod world;

use crate::outrigger::Outrigger;

/// All failures at once: each with the schedule, the step, what was expected, what was.
#[test]
fn every_schedule_comes_to_what_it_must() {
    let schedules = schedule::all();
    let run = |schedule| runner::run(Outrigger::default(), schedule).err();
    let failures: Vec<String> = schedules.iter().filter_map(run).map(|failure| failure.to_string()).collect();
    let steps: usize = schedules.iter().map(|schedule| schedule.steps.len()).sum();
    println!("{} schedules, {steps} steps, {} failed", schedules.len(), failures.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
