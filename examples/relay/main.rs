//! A desktop lives behind a phone: peers know the phone alone, which opens what they send and seals it for the desktop, and the other way round.
//!
//! `cargo run --release --example relay`
//!
//! ```text
//! the desktop shows a QR code ─▶ the phone scans, its user agrees ─▶ both show one code ─▶ peers notice nothing
//! both ways through the phone, with its user's word ─▶ the phone is off, is killed, comes back from a backup: once, in order, or it says what is missing
//! two weeks without its user's word: nothing flows ─▶ renewed: everything does ─▶ the desktop is let go
//! another desktop becomes a companion ─▶ the phone passes on what peers do not send there yet ─▶ phone off: the desktop and Ben chat
//! ```
//! `story.rs`, `trouble.rs` and `upgrade.rs` tell it, `world.rs` is what the apps do with what comes, `accidents.rs` what befalls a phone; `../stage/device.rs` is a device with its
//! store, `../stage/server.rs` what carries the bytes. Exits with 1 unless everything that it claims held.

mod accidents;
#[path = "../stage/device.rs"]
mod device;
#[path = "../stage/ledger.rs"]
mod ledger;
#[path = "../stage/server.rs"]
mod server;
mod story;
mod trouble;
mod upgrade;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    ledger::end(story::tell())
}
