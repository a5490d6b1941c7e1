//! The rows that are printed, and whether all were within their limits.

use crate::counting::Cost;

/// No message makes a step allocate more than this beyond its own size.
const HOSTILE: usize = 72 * 1_024;

/// A message and what Bob's step allocated for it.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) len: usize,
    pub(crate) cost: Cost,
}

impl Measured {
    /// Bytes beyond the message's own size.
    fn beyond(self) -> usize {
        self.cost.bytes.saturating_sub(self.len)
    }
}

/// One row for each figure: name, measured, limit, verdict, separated by tabs.
#[derive(Default)]
pub(crate) struct Report {
    /// In which world the following figures are, to be read after their names.
    world: &'static str,
    over: usize,
    dearest: Option<(String, usize)>,
    most_held: usize,
    refusals: usize,
    dear_refusals: usize,
}

impl Report {
    /// Names the world of the following figures.
    pub(crate) fn in_world(&mut self, world: &'static str) {
        self.world = world;
    }

    /// A figure with a limit.
    pub(crate) fn at_most(&mut self, name: &str, measured: usize, limit: usize) {
        let world = self.world;
        let verdict = if measured <= limit { "ok" } else { "over" };
        self.over += usize::from(measured > limit);
        println!("{name}{world}\t{measured}\t{limit}\t{verdict}");
    }

    /// A figure that must be reached: of a control, which shows that a check can fail.
    pub(crate) fn at_least(&mut self, name: &str, measured: usize, least: usize) {
        let verdict = if measured >= least { "ok" } else { "under" };
        self.over += usize::from(measured < least);
        println!("{name}\t{measured}\tat least {least}\t{verdict}");
    }

    /// A figure for information.
    pub(crate) fn note(&self, name: &str, measured: usize) {
        println!("{name}{}\t{measured}\t-\t-", self.world);
    }

    /// A hostile message; the dearest of all makes a row.
    pub(crate) fn hostile(&mut self, name: &str, measured: Measured) {
        let beyond = measured.beyond();
        if std::env::args().any(|argument| argument == "--all") {
            println!("  {name}\t{beyond}\t{} calls\t{} at once", measured.cost.calls, measured.cost.peak);
        }
        self.most_held = self.most_held.max(measured.cost.peak.saturating_sub(measured.len));
        if self.dearest.as_ref().is_none_or(|(_, most)| beyond > *most) {
            self.dearest = Some((format!("{name}{}", self.world), beyond));
        }
    }

    /// A refusal beside the acceptance that it resembles, both beyond the messages' own sizes.
    pub(crate) fn refusal(&mut self, name: &str, refused: Measured, accepted: Measured) {
        self.hostile(name, refused);
        self.refusals += 1;
        if refused.beyond() > accepted.beyond() {
            self.dear_refusals += 1;
            eprintln!("{name}: refused for {} bytes, accepted for {}", refused.beyond(), accepted.beyond());
        }
    }

    /// Prints what was gathered; how many figures were over their limits.
    pub(crate) fn finish(mut self) -> usize {
        self.world = "";
        if let Some((name, beyond)) = self.dearest.take() {
            self.at_most(&format!("bytes in all rounds of the dearest step ({name})"), beyond, HOSTILE);
        }
        self.at_most("bytes held at once by the dearest round", self.most_held, HOSTILE);
        let name = format!("refusals dearer than acceptance, of {}", self.refusals);
        self.at_most(&name, self.dear_refusals, 0);
        self.over
    }
}
