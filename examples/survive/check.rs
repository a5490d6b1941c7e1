//! The check at the end: was every message that left its sender heard once, or is there a place for it, and a reason?

use std::collections::BTreeMap;

use crate::{
    lines::{NOT_KEPT, speaker, text_of},
    mailbox::{self, Heard, Way},
    trouble::Trouble,
    who::Who,
    world::World,
};

/// Envelopes that carry a message, at most.
const SENDINGS: u64 = 4;

/// What became of the messages.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) said: u64,
    pub(crate) at_once: u64,
    pub(crate) repeated: u64,
    pub(crate) asked: u64,
    /// Reported lost: the sender had chosen not to keep the text.
    pub(crate) not_kept: u64,
    /// Four envelopes have carried it, and none could be opened.
    pub(crate) four_times: u64,
    /// Asked for in vain: no store has it any more, not its sender's either.
    pub(crate) forgotten: u64,
    /// One sentence for each that is none of these.
    pub(crate) wrong: Vec<String>,
}

/// Looks into both stores.
pub(crate) fn check(world: &mut World) -> Result<Outcome, Trouble> {
    let mut outcome = Outcome::default();
    let out = world.tally.out.clone();
    for reader in Who::BOTH {
        let (inbox, places) = world.with(reader, |device, _| {
            let connection = device.store.connection();
            Ok((mailbox::inbox(connection)?, mailbox::places(connection)?))
        })?;
        let places: BTreeMap<_, _> = places.into_iter().collect();
        let mut heard: BTreeMap<u32, Vec<(Vec<u8>, Way)>> = BTreeMap::new();
        for Heard { message, text, way } in inbox {
            match out.get(&message) {
                Some(line) => heard.entry(*line).or_default().push((text, way)),
                None => outcome.wrong.push(format!("{} heard what nobody said", reader.name())),
            }
        }
        for (message, line) in out.iter().filter(|(_, line)| speaker(**line) == reader.peer()) {
            outcome.said = outcome.said.saturating_add(1);
            match heard.get(line).map(Vec::as_slice) {
                Some([(text, way)]) if *text == text_of(*line) => outcome.heard(*way),
                Some([_]) => outcome.wrong.push(format!("line {line} was heard altered")),
                Some(several) => outcome.wrong.push(format!("line {line} was heard {} times", several.len())),
                None => {
                    let envelopes = world.with(reader.peer(), |device, _| {
                        Ok(mailbox::envelopes_of(device.store.connection(), *line)?)
                    })?;
                    outcome.missing(*line, places.get(message).copied(), envelopes);
                }
            }
        }
    }
    let [alice, bob] = Who::BOTH;
    if world.with(alice, |device, _| device.session())? != world.with(bob, |device, _| device.session())? {
        outcome.wrong.push("the two are in different sessions".into());
    }
    Ok(outcome)
}

impl Outcome {
    fn heard(&mut self, way: Way) {
        let count = match way {
            Way::AtOnce => &mut self.at_once,
            Way::Repeated => &mut self.repeated,
            Way::Asked => &mut self.asked,
        };
        *count = count.saturating_add(1);
    }

    /// A message that was not heard: its place at the reader, and how many envelopes its sender remembers.
    fn missing(&mut self, line: u32, place: Option<bool>, envelopes: u64) {
        let count = match place {
            Some(true) if line.is_multiple_of(NOT_KEPT) => &mut self.not_kept,
            Some(_) if envelopes >= SENDINGS => &mut self.four_times,
            Some(_) if envelopes == 0 => &mut self.forgotten,
            Some(lost) => {
                let what = if lost { "reported lost" } else { "asked for in vain" };
                return self
                    .wrong
                    .push(format!("line {line} was {what}, and its sender has it ({envelopes})"));
            }
            None => return self.wrong.push(format!("line {line} was neither heard nor reported")),
        };
        *count = count.saturating_add(1);
    }

    /// Messages that were heard, in whatever way.
    pub(crate) fn all_heard(&self) -> u64 {
        self.at_once.saturating_add(self.repeated).saturating_add(self.asked)
    }

    /// Messages that are reported.
    pub(crate) fn reported(&self) -> u64 {
        self.not_kept.saturating_add(self.four_times).saturating_add(self.forgotten)
    }
}
