//! What the crate allocates: a message in the steady state, one to an account, and the worst that a hostile message can cause.
//!
//! And what stands in the memory that it gives back: no key that was drawn.
//!
//! Prints a row for each figure and ends with failure where one is over its limit; `--all` adds a row for each hostile message. A step's figure is that of its rounds of `run`; loading, saving and
//! what they copy is the store's. Bytes are the sum of all allocations, freed or not, so they are an upper bound of what was held at once.

mod accounts;
mod counting;
mod forge;
mod hostile;
mod report;
mod steady;
mod wiped;
mod world;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() -> ExitCode {
    let mut report = report::Report::default();
    steady::check(&mut report);
    accounts::check(&mut report);
    wiped::check(&mut report);
    hostile::check(&mut report);
    match report.finish() {
        0 => ExitCode::SUCCESS,
        over => {
            eprintln!("{over} figures are over their limits");
            ExitCode::FAILURE
        }
    }
}
