//! A desktop becomes a device of the account, and goes on while the phone is off.
//!
//! `cargo run --release --example companions`
//!
//! ```text
//! the desktop shows a QR code ─▶ the phone scans, its user agrees ─▶ both show one code ─▶ peers see a new device
//! phone off: the desktop and Ben chat ─▶ two weeks later it lapses ─▶ phone on: one signature, and everything resumes
//! another number, a friend that only the phone had met, and the desktop is removed
//! ```
//! `story.rs` tells it, `../stage/device.rs` is a device with its store, `../stage/server.rs` what a messenger's server keeps and sees. Exits with 1 unless everything that it
//! claims held.

#[path = "../stage/device.rs"]
mod device;
#[path = "../stage/ledger.rs"]
mod ledger;
#[path = "../stage/server.rs"]
mod server;
mod story;

use std::process::ExitCode;

fn main() -> ExitCode {
    ledger::end(story::tell())
}
