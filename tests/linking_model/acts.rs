//! What can happen next, and that it happens.

use outrigger::{RecordKind, UnixMillis};

use crate::{
    config::Fault,
    names::{Act, CodeName, Fate, Party, Who},
    view::GrantingView,
    world::World,
};

/// Past the deadlines, and to their very last moments: a code's minute, a user's five.
const WAITS: [u64; 3] = [1, 60_000, 300_000];

impl World {
    pub(crate) fn actions(&self) -> Vec<Act> {
        if self.wrong.is_some() {
            return Vec::new();
        }
        let mut acts = Vec::new();
        if self.budget.codes > 0 {
            self.add(&mut acts, Act::Show);
        }
        let codes = CodeName::try_from(self.codes.len()).unwrap();
        for (who, _) in &self.phones {
            for code in 0..codes {
                self.add(&mut acts, |fate| Act::Scan(*who, code, fate));
                (0..codes).for_each(|to| self.add(&mut acts, |fate| Act::Agree(*who, code, to, fate)));
                if self.budget.declines > 0 {
                    self.add(&mut acts, |fate| Act::Decline(*who, code, fate));
                }
                if self.budget.removals > 0 && self.is_due(&Act::Remove(*who, code, Fate::Lives)) {
                    self.add(&mut acts, |fate| Act::Remove(*who, code, fate));
                }
            }
        }
        for party in self.parties() {
            if self.budget.abandons > 0 {
                self.add(&mut acts, |fate| Act::Abandon(party, fate));
            }
            (0..self.network.len())
                .for_each(|place| self.add(&mut acts, |fate| Act::Deliver(place, party, fate)));
            acts.extend(Some(Act::Again(party)).filter(|again| self.is_due(again)));
        }
        if self.budget.waits > 0 {
            acts.extend(WAITS.map(Act::Wait));
        }
        acts
    }

    /// Adds an act, with each death that the device can die of it, if the act is one that is to be taken.
    fn add(&self, acts: &mut Vec<Act>, act: impl Fn(Fate) -> Act) {
        acts.push(act(Fate::Lives));
        if self.budget.crashes > 0 && self.is_due(&act(Fate::Lives)) {
            acts.extend([act(Fate::DiesBefore), act(Fate::DiesAfter)]);
        }
    }

    /// Lets something happen; whether anything has changed.
    pub(crate) fn act(&mut self, act: &Act) -> bool {
        let (party, fate) = match *act {
            Act::Wait(millis) => {
                self.budget.waits -= 1;
                self.now = UnixMillis(self.now.0 + millis);
                self.look();
                return true;
            }
            Act::Again(party) => {
                for (name, bytes) in self.unsent(party) {
                    self.send(name, bytes);
                }
                return true;
            }
            Act::Show(fate) | Act::Abandon(Party::Companion, fate) => (Party::Companion, fate),
            Act::Scan(who, _, fate)
            | Act::Agree(who, _, _, fate)
            | Act::Decline(who, _, fate)
            | Act::Remove(who, _, fate)
            | Act::Abandon(Party::Phone(who), fate) => (Party::Phone(who), fate),
            Act::Deliver(_, party, fate) => (party, fate),
        };
        let due = self.is_due(act);
        let before = self.records(party).clone();
        let Some(effect) = self.attempt(act) else {
            if party == Party::Companion && self.config.fault == Some(Fault::ForgetsOnRefusal) {
                self.forget(party, RecordKind::Linking);
            }
            if due {
                self.wrong = Some("refused, and was to be taken");
            } else if *self.records(party) != before {
                self.wrong = Some("a refusal changes something");
            }
            return self.wrong.is_some();
        };
        if !due {
            *self.records_mut(party) = before;
            self.wrong = Some("taken, and was to be refused");
            return true;
        }
        if fate != Fate::DiesBefore {
            self.spend(act);
        }
        self.conclude(act, effect, fate);
        self.look();
        if let Act::Agree(who, _, _, Fate::Lives | Fate::DiesAfter) = *act
            && matches!(self.granting(who), GrantingView::Granted { left, .. } if left != Some(300_000))
        {
            self.wrong = Some("a companion has five minutes");
        }
        true
    }

    fn spend(&mut self, act: &Act) {
        let budget = &mut self.budget;
        match act {
            Act::Show(_) => budget.codes -= 1,
            Act::Decline(..) => budget.declines -= 1,
            Act::Abandon(..) => budget.abandons -= 1,
            Act::Remove(..) => budget.removals -= 1,
            Act::Scan(..) | Act::Agree(..) | Act::Deliver(..) | Act::Again(_) | Act::Wait(_) => {}
        }
    }

    /// Whether nothing but crashes and lost messages has disturbed the linking so far.
    pub(crate) fn is_calm(&self) -> bool {
        let (now, begin) = (&self.budget, &self.config.budget);
        self.codes.len() < 2
            && (now.waits, now.abandons, now.declines, now.removals)
                == (begin.waits, begin.abandons, begin.declines, begin.removals)
    }

    /// The companion's device, if it is one, as a phone's user would name it.
    pub(crate) fn device(&self) -> Option<(Who, CodeName)> {
        let device = self.view.companion.device.as_ref()?;
        Some((device.of?, device.code?))
    }
}
