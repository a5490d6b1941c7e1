//! What is printed: one table of disturbances, and what became of the messages.

use std::{fmt::Display, io::Write as _};

use anstream::AutoStream;
use owo_colors::{OwoColorize as _, Style};

use crate::{
    check::Outcome,
    server::Server,
    tally::{Counts, Kind, Tally},
};

/// Prints. Colour goes to terminals only: `anstream` takes it out of everything else.
pub(crate) struct Report {
    out: AutoStream<std::io::Stdout>,
    /// Whether a line could not be printed.
    pub(crate) unprinted: bool,
}

fn label(kind: Kind) -> (&'static str, Style) {
    match kind {
        Kind::None => ("before any of them", Style::new().dimmed()),
        Kind::KilledBefore => ("killed before a commit", Style::new().red()),
        Kind::KilledAfter => ("killed after a commit", Style::new().red()),
        Kind::RolledBack => ("rolled back", Style::new().yellow()),
        Kind::Restored => ("restored from a backup", Style::new().yellow()),
        Kind::Cloned => ("a copy spoke", Style::new().magenta()),
        Kind::RunDry => ("no one-time prekeys left", Style::new().blue()),
    }
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { out: anstream::stdout(), unprinted: false }
    }

    pub(crate) fn title(&mut self, text: &str) {
        self.print(format_args!("{}: {text}", "outrigger survive".bold()));
    }

    /// One line for each kind of disturbance: how often, and what followed until the next.
    pub(crate) fn disturbances(&mut self, tally: &Tally) {
        let columns = ["times", "asked", "sent again", "lost", "in vain", "repaired", "repeats"];
        self.print(format_args!("\n{}", "Disturbances, and what followed until the next".bold()));
        self.print(format_args!("  {:<24}{}", "", row(columns).dimmed()));
        let mut sum = Counts::default();
        for kind in Kind::ALL {
            let (name, style) = label(kind);
            let counts = tally.of(kind);
            self.print(format_args!("  {:<24}{}", name.style(style), row(cells(&counts))));
            sum = sum.plus(&counts);
        }
        self.print(format_args!("  {:<24}{}", "in all", row(cells(&sum)).bold()));
    }

    /// What the way to the server did.
    pub(crate) fn packets(&mut self, server: &Server) {
        let packets = &server.packets;
        self.print(format_args!("\n{}", "Network".bold()));
        let text = format!(
            "{} posted; {} lost, {} doubled, {} held back",
            packets.posted, packets.lost, packets.doubled, packets.held_back
        );
        self.fact("packets", &text);
        self.fact(
            "bundles",
            &format!("{} were handed out without a one-time prekey", server.without_one_time),
        );
    }

    /// What became of the messages.
    pub(crate) fn messages(&mut self, outcome: &Outcome) {
        self.print(format_args!("\n{}", "Messages".bold()));
        self.fact("said", &format!("{} left their sender", outcome.said));
        let heard = format!(
            "{}: {} at once, {} by a repeated packet, {} encrypted anew after a request",
            outcome.all_heard(),
            outcome.at_once,
            outcome.repeated,
            outcome.asked
        );
        self.fact("heard", &heard);
        self.fact("reported", &format!("{} as a place that stays empty:", outcome.reported()));
        self.fact("", &format!("{:>4} whose sender had chosen to keep no text", outcome.not_kept));
        self.fact("", &format!("{:>4} that went out four times", outcome.four_times));
        self.fact(
            "",
            &format!(
                "{:>4} that no store holds any more: said by a copy, or on a branch that went back",
                outcome.forgotten
            ),
        );
    }

    /// The last line.
    pub(crate) fn last(&mut self, outcome: &Outcome, tally: &Tally) {
        let disturbances =
            Kind::ALL.iter().fold(0, |sum: u64, kind| sum.saturating_add(tally.of(*kind).times));
        match outcome.wrong.as_slice() {
            [] => self.print(format_args!(
                "\n{}: {} messages, {disturbances} disturbances; every message was heard once or reported",
                "ok".green().bold(),
                outcome.said
            )),
            wrong => {
                wrong.iter().take(5).for_each(|sentence| self.print(format_args!("  {}", sentence.red())));
                self.print(format_args!("\n{}: {} messages", "wrong".red().bold(), wrong.len()));
            }
        }
    }

    fn fact(&mut self, label: &str, text: &str) {
        self.print(format_args!("  {label:<11}  {text}"));
    }

    fn print(&mut self, line: impl Display) {
        self.unprinted |= writeln!(self.out, "{line}").is_err();
    }
}

fn row(cells: [impl Display; 7]) -> String {
    cells.iter().fold(String::new(), |row, cell| row + &format!("{cell:>11}"))
}

fn cells(counts: &Counts) -> [u64; 7] {
    let Counts { times, asked, sent_again, unanswered, said_lost, repaired, duplicates } = *counts;
    [times, asked, sent_again, said_lost, unanswered, repaired, duplicates]
}

impl Counts {
    fn plus(self, other: &Self) -> Self {
        Self {
            times: self.times.saturating_add(other.times),
            asked: self.asked.saturating_add(other.asked),
            sent_again: self.sent_again.saturating_add(other.sent_again),
            unanswered: self.unanswered.saturating_add(other.unanswered),
            said_lost: self.said_lost.saturating_add(other.said_lost),
            repaired: self.repaired.saturating_add(other.repaired),
            duplicates: self.duplicates.saturating_add(other.duplicates),
        }
    }
}
