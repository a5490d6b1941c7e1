//! A phone that is killed at any moment, thousands of times, and goes on from what its file holds.
//!
//! The network is at-least-once: mail is handed over until its text is seen in the inbox, and what is in the outbox is delivered, some of it twice.
//! The parent looks into the file only now and then, so that most of the time the phone itself has to make order after a kill.

use std::{
    env, fmt,
    time::{Duration, Instant},
};

use crate::trial::Trial;

/// Wall time of the test, where no number of kills is asked for.
const TIME: Duration = Duration::from_secs(20);
/// Steps that the test takes at least.
const STEPS: u64 = 1_000;

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Killed from outside, and how often a transaction had begun to write by then.
    pub(crate) kills: u64,
    pub(crate) mid_write: u64,
    /// Died by its own hand, at each of the moments.
    pub(crate) crashes: [u64; 4],
    /// Came to its end unharmed.
    pub(crate) unharmed: u64,
    /// Steps of the phone that were stored.
    pub(crate) steps: u64,
    /// Texts opened at the peer and at the phone.
    pub(crate) to_peer: u64,
    pub(crate) to_phone: u64,
    /// Sessions that the peer started.
    pub(crate) sessions: u64,
    /// Envelopes handed to the phone again, and envelopes that the peer got from the outbox and not from the wire, or after it.
    pub(crate) handed_again: u64,
    pub(crate) rescued: u64,
    pub(crate) delivered_again: u64,
    /// Refused by the phone and by the peer as opened before.
    pub(crate) refused_by_phone: u64,
    pub(crate) refused_by_peer: u64,
}

impl Counts {
    /// Deaths of both sorts.
    pub(crate) fn deaths(&self) -> u64 {
        self.kills + self.crashes.iter().sum::<u64>()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, between, written, after] = self.crashes;
        writeln!(
            f,
            "killed           {:>8}   of these with a transaction half written: {}",
            self.kills, self.mid_write
        )?;
        writeln!(
            f,
            "died by itself   {:>8}   before the transaction {before}, between two writes {between}, before the commit {written}, after it {after}",
            self.deaths() - self.kills
        )?;
        writeln!(f, "ended unharmed   {:>8}", self.unharmed)?;
        writeln!(f, "steps stored     {:>8}", self.steps)?;
        writeln!(
            f,
            "texts opened     {:>8}   at the peer {}, at the phone {}",
            self.to_peer + self.to_phone,
            self.to_peer,
            self.to_phone
        )?;
        writeln!(f, "sessions         {:>8}", self.sessions)?;
        writeln!(
            f,
            "redelivered      {:>8}   mail {}, from the outbox what never left or was lost {}, what had arrived {}",
            self.handed_again + self.rescued + self.delivered_again,
            self.handed_again,
            self.rescued,
            self.delivered_again
        )?;
        write!(
            f,
            "refused as known {:>8}   by the phone {}, by the peer {}",
            self.refused_by_phone + self.refused_by_peer,
            self.refused_by_phone,
            self.refused_by_peer
        )
    }
}

/// With `OUTRIGGER_KILLS` in the environment it goes on until there were so many.
#[test]
fn a_phone_that_is_killed_at_any_moment_loses_nothing_doubles_nothing_and_uses_no_key_twice() {
    let wanted: Option<u64> = env::var("OUTRIGGER_KILLS").ok().map(|kills| kills.parse().unwrap());
    let begin = Instant::now();
    let mut trial = Trial::new();
    let mut told = 0;
    loop {
        let counts = &trial.counts;
        let enough = match wanted {
            Some(kills) => counts.deaths() >= kills,
            None => counts.steps >= STEPS && begin.elapsed() >= TIME,
        };
        if enough {
            break;
        }
        if counts.deaths() / 1_000 > told {
            told = counts.deaths() / 1_000;
            println!("{} deaths, {} steps, {} s", counts.deaths(), counts.steps, begin.elapsed().as_secs());
        }
        trial.live_and_die();
    }
    trial.settle();
    println!("{}\nseconds          {:>8}", trial.counts, begin.elapsed().as_secs());
}
