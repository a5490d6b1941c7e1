//! The network between the two: it loses, doubles and holds back packets, by a seeded generator.
//!
//! Time is counted in ticks. What is lost here comes again because its sender repeats it until a receipt arrives; see `device.rs`.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use crate::{dice::Dice, who::Who};

/// Packets lost, of a hundred.
const LOST: u64 = 14;
/// Packets doubled, of a hundred that are not lost.
const DOUBLED: u64 = 10;
/// Packets held back, of a hundred.
const HELD_BACK: u64 = 15;
/// Ticks that any packet is under way.
const ON_TIME: RangeInclusive<u64> = 1..=3;
/// Further ticks of one that is held back, or of a double.
const LATE: RangeInclusive<u64> = 2..=14;

/// What travels. The network, and whoever sits on it, sees all of this.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: Who,
    /// The line that it is about.
    pub(crate) line: u32,
    pub(crate) body: Body,
}

/// What a packet says of its line.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Here it is, encrypted.
    Envelope(Vec<u8>),
    /// It is in my inbox: stop repeating it.
    Receipt,
    /// I cannot open its envelope, here is my request.
    Retry(Vec<u8>),
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.body {
            Body::Envelope(_) => "message",
            Body::Receipt => "receipt for message",
            Body::Retry(_) => "retry request for message",
        };
        write!(f, "{what} {}, {} to {}", self.line, self.from.name(), self.from.peer().name())
    }
}

/// What became of a packet. Its sender does not learn this; the report does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    Doubled,
    Lost,
}

/// Packets under way, by the tick of their arrival and then in the order of posting.
#[derive(Debug)]
pub(crate) struct Network {
    dice: Dice,
    under_way: BTreeMap<(u64, u64), Packet>,
    posted: u64,
}

impl Network {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { dice, under_way: BTreeMap::new(), posted: 0 }
    }

    /// Takes a packet, and does with it what networks do.
    pub(crate) fn post(&mut self, now: u64, packet: Packet) -> Fate {
        if self.dice.chance(LOST) {
            return Fate::Lost;
        }
        let doubled = self.dice.chance(DOUBLED);
        if doubled {
            let late = self.dice.within(LATE);
            self.send(now.saturating_add(late), packet.clone());
        }
        let late = if self.dice.chance(HELD_BACK) { self.dice.within(LATE) } else { 0 };
        self.send(now.saturating_add(late), packet);
        if doubled { Fate::Doubled } else { Fate::Sent }
    }

    fn send(&mut self, from: u64, packet: Packet) {
        let arrival = from.saturating_add(self.dice.within(ON_TIME));
        self.posted = self.posted.saturating_add(1);
        self.under_way.insert((arrival, self.posted), packet);
    }

    /// The next packet that has arrived by now.
    pub(crate) fn arrived(&mut self, now: u64) -> Option<Packet> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}
