//! What is counted on the way, for the report.

use std::collections::BTreeSet;

use outrigger::OpenError;

use crate::network::{Body, Packet};

/// Counts of one conversation.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Texts found in the inboxes at the end, and their bytes.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) restarts: u64,
    pub(crate) lost_envelopes: u64,
    pub(crate) lost_receipts: u64,
    /// Packets that arrived while the device was down.
    pub(crate) lost_down: u64,
    pub(crate) doubled: u64,
    /// Envelopes sent again, and lines that were encrypted anew since the peer asked.
    pub(crate) repeated: u64,
    pub(crate) anew: u64,
    /// Texts that came after a later one.
    pub(crate) late: u64,
    /// Texts that came although an envelope of theirs had been lost.
    pub(crate) recovered: u64,
    /// Envelopes refused of a line that is in the inbox: as duplicates, and for another reason.
    pub(crate) duplicates: u64,
    pub(crate) forgotten: u64,
    /// Envelopes refused of a line that is not there, and requests that went out for them.
    pub(crate) unread: u64,
    pub(crate) asked: u64,
    /// Lines that came, and lines to come that have been lost at least once.
    arrived: BTreeSet<u32>,
    missed: BTreeSet<u32>,
}

impl Tally {
    /// Everything that did not reach the other app.
    pub(crate) fn losses(&self) -> u64 {
        self.lost_envelopes.saturating_add(self.lost_receipts).saturating_add(self.lost_down)
    }

    /// What was found in an inbox at the end.
    pub(crate) fn found(&mut self, lengths: impl Iterator<Item = usize>) {
        for len in lengths {
            add(&mut self.messages, true);
            self.bytes = self.bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        }
    }

    /// The network lost a packet.
    pub(crate) fn lost(&mut self, packet: &Packet) {
        match packet.body {
            Body::Envelope(_) => add(&mut self.lost_envelopes, true),
            Body::Receipt | Body::Retry(_) => add(&mut self.lost_receipts, true),
        }
        self.missed(packet);
    }

    /// A packet arrived while the device was down.
    pub(crate) fn lost_down(&mut self, packet: &Packet) {
        add(&mut self.lost_down, true);
        self.missed(packet);
    }

    fn missed(&mut self, packet: &Packet) {
        if matches!(packet.body, Body::Envelope(_)) && !self.arrived.contains(&packet.line) {
            self.missed.insert(packet.line);
        }
    }

    /// Whether an envelope of a line was lost before the line came.
    pub(crate) fn was_missed(&self, line: u32) -> bool {
        self.missed.contains(&line)
    }

    /// A text came.
    pub(crate) fn arrived(&mut self, line: u32) {
        self.arrived.insert(line);
        add(&mut self.recovered, self.missed.remove(&line));
    }

    /// An envelope of a line that is in the inbox was refused.
    pub(crate) fn refused_again(&mut self, error: OpenError) {
        match error == OpenError::Duplicate {
            true => add(&mut self.duplicates, true),
            false => add(&mut self.forgotten, true),
        }
    }
}

/// Counts one, if it is one.
pub(crate) fn add(counter: &mut u64, one: bool) {
    *counter = counter.saturating_add(u64::from(one));
}
