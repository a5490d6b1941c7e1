//! Two devices talk over a network that loses, doubles and reorders packets, and are killed and restarted in the middle.
//!
//! `cargo run --release --example conversation [--seed N] [FILE]`
//!
//! ```text
//! script ─▶ story ─┬─▶ device Alice ─▶ store.sqlite        server: public keys, and what it sees of the packets
//!                  ├─▶ device Bob   ─▶ store.sqlite        network: loses, doubles, holds back
//!                  └─▶ report
//! ```
//!
//! Each line of FILE is a message, the two speaking in short runs; without FILE they plan a trip. To see how an app uses the crate, read
//! `device.rs` (the operations, and what to do about their errors), `store.rs` (one transaction for each step) and `../stage/records.rs` (the table of records);
//! the rest is a stage for these three. At the end `headers.rs` looks at what envelopes show, with headers in clear and with encrypted ones.
//! The exit code is 0 if every text arrived once and unchanged and encrypted headers show nothing, 1 if not, 2 if the call was wrong.

mod check;
mod device;
#[path = "../stage/dice.rs"]
mod dice;
mod headers;
mod kills;
mod mailbox;
mod network;
#[path = "../stage/records.rs"]
mod records;
mod report;
#[path = "../stage/scratch.rs"]
mod scratch;
mod script;
mod seat;
mod server;
mod store;
mod story;
mod tally;
mod trouble;
#[path = "../stage/who.rs"]
mod who;

use std::{env, ffi::OsString, fs, path::PathBuf, process::ExitCode};

use outrigger::wire::MAX_PLAINTEXT;

use crate::{
    dice::Dice,
    network::Network,
    report::{Report, count},
    scratch::Scratch,
    script::Script,
    store::Durability,
    story::Story,
    trouble::Trouble,
};

const USAGE: &str = "usage: conversation [--seed N] [FILE]";
/// A schedule in which much goes wrong.
const SEED: u64 = 94;
/// Lines above which a conversation is a long one: no line printed for each message, and no waiting for the disk at each step, for the run
/// would measure `fsync` and little else.
const LONG: u64 = 200;

fn main() -> ExitCode {
    let (script, seed, source) = match Call::parse(env::args_os().skip(1)).and_then(Call::read) {
        Ok(read) => read,
        Err(problem) => {
            anstream::eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let long = script.len() > LONG;
    let durability = if long { Durability::ProcessDeath } else { Durability::PowerLoss };
    let mut report = Report::new(long.then_some(script.len()));
    report.title(&format!("{}, {source}; seed {seed}", count(script.len(), "message", "messages")));
    let mut story = Story::new(&script, &mut report, durability, Network::new(Dice::new(seed)));
    let problem = match tell(&mut story) {
        Ok(wrong) => summarize(&wrong),
        Err(trouble) => Some(trouble.to_string()),
    };
    let Story { tally, server, .. } = story;
    report.summary(&tally, &server.seen);
    report.last(&tally, &server.seen, problem.as_deref());
    if problem.is_none() && !report.unprinted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The whole story, in a directory that is gone afterwards.
fn tell(story: &mut Story<'_>) -> Result<Vec<String>, Trouble> {
    let scratch = Scratch::new()?;
    story.set_up(&scratch)?;
    story.converse()?;
    let mut wrong = story.check()?;
    wrong.extend(headers::compare(story.report).map_err(Trouble::Refused)?);
    Ok(wrong)
}

/// The first differences, as one sentence.
fn summarize(wrong: &[String]) -> Option<String> {
    const NAMED: usize = 3;
    let mut named = wrong.iter().take(NAMED).cloned().collect::<Vec<_>>();
    if let Some(more) = wrong.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named.push(format!("and {more} more"));
    }
    (!wrong.is_empty()).then(|| named.join(", "))
}

/// What was asked for on the command line.
struct Call {
    seed: u64,
    file: Option<PathBuf>,
}

impl Call {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut call = Self { seed: SEED, file: None };
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--seed") => {
                    let seed = arguments.next().and_then(|seed| seed.to_str()?.parse().ok());
                    call.seed = seed.ok_or(format!("--seed takes a number\n{USAGE}"))?;
                }
                Some(option) if option.starts_with('-') => return Err(USAGE.to_owned()),
                _ if call.file.is_some() => return Err(USAGE.to_owned()),
                _ => call.file = Some(argument.into()),
            }
        }
        Ok(call)
    }

    /// The script, the seed, and where the script is from.
    fn read(self) -> Result<(Script, u64, String), String> {
        let Some(path) = self.file else { return Ok((Script::built_in(), self.seed, "built in".to_owned())) };
        let source = path.display().to_string();
        let bytes = fs::read(&path).map_err(|error| format!("cannot read {source}: {error}"))?;
        // The runs have dice of their own, so that the network's do not depend on where the lines come from.
        let script = Script::of_file(&bytes, &mut Dice::new(!self.seed));
        // One byte of the crate's limit is the kind of the content.
        let too_long = script.lines().find(|(_, line)| line.text.len() >= MAX_PLAINTEXT);
        match too_long.map(|(number, _)| number) {
            Some(number) => Err(format!("{source}: line {number} is longer than a message can be")),
            None => Ok((script, self.seed, source)),
        }
    }
}
