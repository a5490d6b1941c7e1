//! Real processes on one SQLite file: several at once, and one that is killed again and again.
//!
//! ```text
//! one_file.rs   an app and its notification extension open and send at full speed over one file
//! prekeys.rs    two processes make prekeys at once, and open two first messages made with one prekey
//! kills.rs      a device is killed at any moment, thousands of times, and goes on from what its file holds
//! ```
//!
//! The other processes are this test binary once more (`child.rs`). Nothing is locked but by SQLite's own transaction, one for each step, in which
//! every write is checked against the revision that it replaces (`store.rs`).

#![cfg(unix)]

mod child;
mod crash;
mod device;
mod dice;
mod frames;
mod keys;
mod kills;
mod life;
mod one_file;
mod prekeys;
mod report;
mod scratch;
mod store;
mod trial;
#[path = "../stage/wire.rs"]
mod wire;
