//! A fleet: processes with several workers each share one device's records in one PostgreSQL table, by compare-and-swap in one transaction a step.
//!
//! ```text
//! postgres-check DIRECTORY                       the whole check, on the server whose socket is in that directory
//! postgres-check DIRECTORY PROCESS ROLE          one process of the fleet
//! ```
//!
//! No advisory locks, no `SELECT FOR UPDATE`: a worker that another one overtook changes no row, rolls back and runs its operation again (`store.rs`).
//! A step that another worker overtook never shows its output: `Held` is dropped with it.

mod check;
mod device;
#[path = "../../../tests/processes/dice.rs"]
mod dice;
mod fleet;
#[path = "../../../tests/processes/keys.rs"]
mod keys;
#[path = "../../../tests/processes/report.rs"]
mod report;
mod store;
#[path = "../../../tests/stage/wire.rs"]
mod wire;

use std::env;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match arguments[..] {
        [server] => runtime.block_on(check::all(server)),
        [server, process, role] => runtime.block_on(fleet::work(server, process, role)),
        _ => panic!("postgres-check DIRECTORY [PROCESS ROLE]"),
    }
}
