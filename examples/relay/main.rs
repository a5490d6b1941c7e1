//! A desktop lives behind a phone: peers know the phone alone, which opens what they send and seals it for the desktop, and the other way round.
//!
//! `cargo run --release --example relay`
//!
//! ```text
//! the desktop shows a QR code ─▶ the phone scans, its user agrees ─▶ both show one code ─▶ peers notice nothing
//! both ways through the phone, with its user's word ─▶ the phone is off, is killed, comes back from a backup: once, in order, or it says what is missing
//! two weeks without its user's word: nothing flows ─▶ renewed: everything does ─▶ the desktop is let go
//! ```
//! `story.rs` and `trouble.rs` tell it, `world.rs` is what the apps do with what comes, `device.rs` a device with its store, `server.rs` what carries the bytes. Exits with 1
//! unless everything that it claims held.

mod device;
#[path = "../companions/ledger.rs"]
mod ledger;
mod server;
mod story;
mod trouble;
mod world;

use std::process::ExitCode;

use owo_colors::OwoColorize;

fn main() -> ExitCode {
    match story::tell() {
        Ok((held, 0)) => {
            anstream::println!("\n{} {held} claims held", "ok".green().bold());
            ExitCode::SUCCESS
        }
        Ok((held, failed)) => {
            anstream::println!(
                "\n{} {failed} of {} claims",
                "wrong".red().bold(),
                held.saturating_add(failed)
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            anstream::eprintln!("{} {error}", "stopped:".red().bold());
            ExitCode::FAILURE
        }
    }
}
