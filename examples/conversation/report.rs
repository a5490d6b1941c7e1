//! The account that is printed: one line for each event of a short conversation; of a long one a summary, and a progress bar on a terminal.

use std::{
    fmt::Display,
    io::{ErrorKind, Write as _},
    time::Instant,
};

use anstream::AutoStream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize as _, Style};

use crate::{scratch::Scratch, server::Seen, store::Durability, tally::Tally, who::Who};

/// Columns for a text.
const TEXT: usize = 64;

/// What happened, beside a text that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Start,
    Turn,
    Lost,
    Again,
    Drop,
    Ask,
    Anew,
    Kill,
    Back,
}

impl Event {
    fn label(self) -> (&'static str, Style) {
        match self {
            Self::Start => ("start", Style::new().blue().bold()),
            Self::Turn => ("turn", Style::new().blue()),
            Self::Lost => ("lost", Style::new().red()),
            Self::Again => ("again", Style::new().dimmed()),
            Self::Drop => ("drop", Style::new().yellow()),
            Self::Ask => ("ask", Style::new().yellow()),
            Self::Anew => ("anew", Style::new().yellow()),
            Self::Kill => ("kill", Style::new().red().bold()),
            Self::Back => ("back", Style::new().green().bold()),
        }
    }
}

/// Prints. Colour goes to terminals only: `anstream` takes it out of everything else.
pub(crate) struct Report {
    out: AutoStream<std::io::Stdout>,
    bar: Option<ProgressBar>,
    began: Instant,
    /// Whether a line could not be printed.
    pub(crate) unprinted: bool,
}

impl Report {
    /// A report of single lines, or with a bar for so many messages.
    pub(crate) fn new(bar: Option<u64>) -> Self {
        let bar = bar.map(|lines| {
            let bar = ProgressBar::with_draw_target(Some(lines), ProgressDrawTarget::stderr());
            let style = "{bar:40} {human_pos} of {human_len} messages, {eta} left";
            bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
        });
        Self { out: anstream::stdout(), bar, began: Instant::now(), unprinted: false }
    }

    pub(crate) fn title(&mut self, text: &str) {
        self.print(format_args!("{}: {text}", "outrigger conversation".bold()));
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.print(format_args!("\n{}", text.bold()));
    }

    /// A fact of the setup or of the summary.
    pub(crate) fn fact(&mut self, label: &str, text: &str) {
        self.print(format_args!("  {:<11}  {text}", label.style(name_style(label))));
    }

    /// A text that arrived.
    pub(crate) fn heard(&mut self, line: u32, speaker: Who, text: &[u8], note: &str) {
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => {
                let name = speaker.name();
                let (text, note) = (shown(text), note.dimmed());
                self.print(format_args!(
                    "{line:>6}  {:<5}  {text:<TEXT$}  {note}",
                    name.style(name_style(name))
                ));
            }
        }
    }

    /// Something else that happened. Of a long conversation only kills and restarts are told.
    pub(crate) fn event(&mut self, event: Event, text: impl Display) {
        if self.bar.is_none() || matches!(event, Event::Kill | Event::Back) {
            let (label, style) = event.label();
            let text = if event == Event::Again { Style::new().dimmed() } else { Style::new() }.style(text);
            self.print(format_args!("        {:<5}  {text}", label.style(style)));
        }
    }

    /// Where the stores are, and when a step in them counts as done.
    pub(crate) fn stores(&mut self, scratch: &Scratch, durability: Durability) {
        self.fact("stores", &format!("SQLite files in {scratch}, removed at the end"));
        self.fact("", durability.describe());
    }

    /// What an inbox came to.
    pub(crate) fn compared(&mut self, who: Who, texts: usize, wrong: usize) {
        let (texts, wrong) = (texts.try_into().unwrap_or(u64::MAX), wrong.try_into().unwrap_or(u64::MAX));
        let texts = count(texts, "text", "texts");
        let wrong = count(wrong, "difference", "differences");
        self.fact(who.name(), &format!("{texts} in the inbox, {wrong} from what {} said", who.peer().name()));
    }

    /// What the two would read to each other, to be sure that nobody sits between them.
    pub(crate) fn safety_number(&mut self, digits: &str) {
        let groups = digits.as_bytes().chunks(5).map(String::from_utf8_lossy).collect::<Vec<_>>();
        self.fact("safety", &groups.join(" "));
    }

    /// What came of it all.
    pub(crate) fn summary(&mut self, tally: &Tally, seen: &Seen) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let n = grouped;
        self.heading("What the server saw");
        let uploads = format!(
            "{} uploads with {} one-time prekeys; {} given out, {} bytes",
            n(seen.uploads),
            n(seen.one_time_uploaded),
            count(seen.bundles, "bundle", "bundles"),
            n(seen.bundle_bytes)
        );
        self.fact("keys", &uploads);
        let envelopes = format!(
            "{}, {} bytes in all, the largest {}; {} with a handshake",
            count(seen.envelopes, "envelope", "envelopes"),
            n(seen.envelope_bytes),
            n(seen.largest),
            n(seen.with_handshake)
        );
        self.fact("envelopes", &envelopes);
        let turns = count(seen.turns(), "turn", "turns");
        self.fact("ratchet", &format!("{turns}: each brought a ratchet key of 32 bytes, in clear"));

        self.heading("What was lost and recovered");
        let lost = format!(
            "{}, {} and retry requests, {} at a device that was down",
            count(tally.lost_envelopes, "envelope", "envelopes"),
            count(tally.lost_receipts, "receipt", "receipts"),
            count(tally.lost_down, "packet", "packets"),
        );
        self.fact("lost", &lost);
        let repeated = format!(
            "{} sent again, {} encrypted anew; {} came by that",
            count(tally.repeated, "envelope", "envelopes"),
            count(tally.anew, "message", "messages"),
            count(tally.recovered, "lost text", "lost texts"),
        );
        self.fact("recovered", &repeated);
        let order = format!(
            "{} came after a later one; {} doubled by the network",
            count(tally.late, "text", "texts"),
            count(tally.doubled, "packet", "packets")
        );
        self.fact("order", &order);
        let refused = format!(
            "{}, {} under another reason; {} unread, {}",
            count(tally.duplicates, "duplicate", "duplicates"),
            count(tally.forgotten, "repeat", "repeats"),
            n(tally.unread),
            count(tally.asked, "request", "requests")
        );
        self.fact("refused", &refused);
        if self.bar.is_some() {
            let seconds = self.began.elapsed().as_secs_f64();
            self.fact("time", &format!("{seconds:.1} s, {} a message", micros(seconds, tally.messages)));
        }
    }

    /// The last line.
    pub(crate) fn last(&mut self, tally: &Tally, seen: &Seen, problem: Option<&str>) {
        let counts = format!(
            "{}, {}, {}, {}, {}",
            count(tally.messages, "message", "messages"),
            count(tally.bytes, "byte", "bytes"),
            count(seen.turns(), "turn", "turns"),
            count(tally.restarts, "restart", "restarts"),
            count(tally.losses(), "loss", "losses")
        );
        match problem {
            None => {
                let ok = "ok".green().bold().to_string();
                self.print(format_args!(
                    "\n{ok}: {counts}; every text arrived once, unchanged; encrypted headers show nothing"
                ));
            }
            Some(problem) => {
                let failed = "FAILED".red().bold().to_string();
                self.print(format_args!("\n{failed}: {counts}; {problem}"));
            }
        }
    }

    fn print(&mut self, line: std::fmt::Arguments<'_>) {
        let out = &mut self.out;
        let mut print = || writeln!(out, "{line}");
        let printed = match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        };
        // Whoever closed the pipe wants to read no more, and the exit code still tells how it ended. A full disk is another matter.
        self.unprinted |= printed.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe);
    }
}

fn name_style(name: &str) -> Style {
    match name {
        "Alice" => Style::new().cyan(),
        "Bob" => Style::new().magenta(),
        _ => Style::new().dimmed(),
    }
}

/// A text for the terminal: what is no character of a line is replaced, so that no text can give the terminal orders.
fn shown(text: &[u8]) -> String {
    let start = text.get(..TEXT.saturating_mul(4)).unwrap_or(text);
    let start = String::from_utf8_lossy(start);
    let mut chars = start.chars().map(|char| if is_plain(char) { char } else { char::REPLACEMENT_CHARACTER });
    let mut shown: String = chars.by_ref().take(TEXT).collect();
    if chars.next().is_some() {
        shown.pop();
        shown.push('\u{2026}');
    }
    if text.is_empty() { "(an empty line)".to_owned() } else { shown }
}

/// Neither a control character nor one that turns the direction of the line round.
fn is_plain(char: char) -> bool {
    let turns = ['\u{200e}', '\u{200f}', '\u{61c}', '\u{2028}', '\u{2029}'];
    !char.is_control()
        && !turns.contains(&char)
        && !('\u{202a}'..='\u{202e}').contains(&char)
        && !('\u{2066}'..='\u{2069}').contains(&char)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number with its noun.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number in groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let places = (0..digits.len()).rev();
    let mut grouped = String::new();
    for (digit, place) in digits.chars().zip(places) {
        grouped.push(digit);
        if place > 0 && place.is_multiple_of(3) {
            grouped.push(',');
        }
    }
    grouped
}

fn micros(seconds: f64, messages: u64) -> String {
    let micros = seconds * 1e6 / (messages.max(1) as f64);
    format!("{micros:.0} microseconds")
}
