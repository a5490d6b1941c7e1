//! What comes of a world in the end, when the network delivers all that can be taken and every side sends again what it has.

use outrigger::{Content, DescribeDevice, Keep, LearnDevices, Receive, Send};

use crate::{
    config::{Budget, Fault},
    names::{Act, CodeName, Fate, Party, Who},
    view::LinkingView,
    world::World,
};

impl World {
    /// In the end both are linked and talk, or the companion is no device, and the users can begin anew: then both are linked. Undisturbed, both are linked at once.
    pub(crate) fn ends_well(&self) -> bool {
        let mut world = self.clone();
        world.budget = Budget::AMPLE;
        if !world.settles() {
            return false;
        }
        let calm = self.is_calm();
        match (world.device(), world.view.companion.device.is_some()) {
            (Some((who, code)), _) => world.is_linked(who, code) || world.hears_of_removal(who, code),
            (None, true) => false,
            (None, false) => !calm && world.begins_anew(),
        }
    }

    fn is_linked(&mut self, who: Who, code: CodeName) -> bool {
        self.is_safe()
            && self.view.phone(who).list.as_ref().is_some_and(|list| list.names(code))
            && self.talk(who)
    }

    pub(crate) fn is_safe(&self) -> bool {
        self.wrong.is_none()
            && self.is_rightful()
            && self.agrees()
            && self.lists_only_confirmed()
            && self.has_one_account()
    }

    /// A companion that was removed before its acknowledgement came hears of it with the newest list.
    fn hears_of_removal(&mut self, who: Who, code: CodeName) -> bool {
        let list = self.phone_list(who).unwrap();
        let learn = LearnDevices { account: who.address().account, list: list.as_bytes() };
        let learned = self.run_and_store(Party::Companion, &learn);
        self.facts.removed.contains(&(who, code)) && learned.is_ok_and(|learned| learned.removed)
    }

    /// All give up what is under way, the phones remove companions that never joined, and the user's phone links with a new code.
    fn begins_anew(&mut self) -> bool {
        for party in self.parties() {
            let abandon = Act::Abandon(party, Fate::Lives);
            if self.is_due(&abandon) && self.config.fault != Some(Fault::NoWayOut) {
                self.act(&abandon);
            }
        }
        for (who, code) in self.facts.listed.clone() {
            let remove = Act::Remove(who, code, Fate::Lives);
            if self.is_due(&remove) {
                self.act(&remove);
            }
        }
        let listed = self.view.phones.iter().filter_map(|(_, phone)| phone.list.as_ref());
        if listed.flat_map(|list| &list.entries).next().is_some() {
            return false;
        }
        self.act(&Act::Show(Fate::Lives));
        self.settles()
            && self.device().is_some_and(|(who, code)| who == Who::Own && self.is_linked(who, code))
    }

    /// Lets everything happen that is due, until nothing is; whether that comes to an end.
    fn settles(&mut self) -> bool {
        for _ in 0..40 {
            let Some(next) = self.next_due() else { return true };
            self.act(&next);
            if self.wrong.is_some() {
                return false;
            }
        }
        false
    }

    /// What a sound network and users who want the linking do next.
    fn next_due(&self) -> Option<Act> {
        let mut acts: Vec<_> = self.parties().into_iter().map(Act::Again).collect();
        for place in 0..self.network.len() {
            acts.extend(self.parties().into_iter().map(|party| Act::Deliver(place, party, Fate::Lives)));
        }
        for (who, _) in &self.phones {
            acts.extend(self.scanned(*who).map(|code| Act::Agree(*who, code, code, Fate::Lives)));
        }
        if self.codes.is_empty() {
            acts.push(Act::Show(Fate::Lives));
        }
        if let LinkingView::Shown { code, left: Some(_) } = self.view.companion.linking {
            acts.push(Act::Scan(Who::Own, code, Fate::Lives));
        }
        acts.into_iter().find(|act| self.is_due(act))
    }

    /// The phone speaks in the session that it started, and the companion answers.
    fn talk(&mut self, who: Who) -> bool {
        let phone = who.address();
        let companion = self.ask(Party::Companion, &DescribeDevice).unwrap().address;
        let ends = [(Party::Phone(who), phone), (Party::Companion, companion)];
        let [first, second] = ends;
        [(first, second), (second, first)].into_iter().all(|((speaker, from), (hearer, to))| {
            let send = Send { to, plaintext: b"linked", associated_data: &[], keep: Keep::Nothing };
            let Ok(sent) = self.run_and_store(speaker, &send) else { return false };
            let receive = Receive { from, envelope: &sent.envelope, associated_data: &[] };
            self.run_and_store(hearer, &receive).is_ok_and(
                |received| matches!(received.content, Content::Message(text) if *text == *b"linked"),
            )
        })
    }
}
