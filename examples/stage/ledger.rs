//! What is said on the screen, and whether it held.

use std::process::ExitCode;

use outrigger::{Address, DeviceId, LinkCode};
use owo_colors::OwoColorize;
use qrcode::{QrCode, render::unicode};

use crate::device::Outcome;

/// Claims that held, and claims that did not.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    held: u32,
    failed: u32,
}

impl Ledger {
    pub(crate) fn chapter(&self, title: &str) {
        anstream::println!("\n{}", title.bold());
    }

    /// Something that must be so.
    pub(crate) fn claim(&mut self, holds: bool, text: &str) {
        if holds {
            self.held = self.held.saturating_add(1);
            anstream::println!("  {} {text}", "✓".green());
        } else {
            self.failed = self.failed.saturating_add(1);
            anstream::println!("  {} {text}", "✗".red());
        }
    }

    pub(crate) fn note(&self, text: &str) {
        anstream::println!("    {}", text.dimmed());
    }
}

/// Ends a story: how many claims held, and whether all did.
pub(crate) fn end(told: Outcome<Ledger>) -> ExitCode {
    match told {
        Ok(Ledger { held, failed: 0 }) => {
            anstream::println!("\n{} {held} claims held", "ok".green().bold());
            ExitCode::SUCCESS
        }
        Ok(Ledger { held, failed }) => {
            let all = held.saturating_add(failed);
            anstream::println!("\n{} {failed} of {all} claims", "wrong".red().bold());
            ExitCode::FAILURE
        }
        Err(error) => {
            anstream::eprintln!("{} {error}", "stopped:".red().bold());
            ExitCode::FAILURE
        }
    }
}

/// Draws the code as a screen would.
pub(crate) fn draw(code: &LinkCode) -> Result<(), qrcode::types::QrError> {
    let image = QrCode::new(code.text())?.render::<unicode::Dense1x2>().quiet_zone(true).build();
    anstream::println!("{image}");
    Ok(())
}

/// A device as a person calls it.
pub(crate) fn name(address: &Address) -> String {
    let id = String::from_utf8_lossy(address.account.as_bytes());
    let person = id.trim_end_matches('.');
    match address.device {
        DeviceId::PHONE => format!("{person}'s phone"),
        DeviceId(device) => format!("{person}'s companion {device:08x}"),
    }
}
