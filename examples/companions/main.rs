//! A desktop becomes a device of the account, and goes on while the phone is off.
//!
//! `cargo run --release --example companions`
//!
//! ```text
//! the desktop shows a QR code ─▶ the phone scans, its user agrees ─▶ both show one code ─▶ peers see a new device
//! phone off: the desktop and Ben chat ─▶ two weeks later it lapses ─▶ phone on: one signature, and everything resumes
//! another number, a friend that only the phone had met, and the desktop is removed
//! ```
//! `story.rs` tells it, `device.rs` is a device with its store, `server.rs` what a messenger's server keeps and sees. Exits with 1 unless everything that it claims held.

mod device;
mod ledger;
mod server;
mod story;

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
