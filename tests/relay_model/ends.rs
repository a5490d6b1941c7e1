//! What comes of a world in the end, when the network delivers all that can be taken, and both apps do what they do at their start and on their timers.

use outrigger::RequestState;

use crate::{
    config::{Config, Fault},
    lab::{Fate, Input, Lab, Party, Text},
    world::{Act, Death, World},
};

impl World {
    fn does(&mut self, party: Party, input: Input, config: &Config, lab: &Lab) -> bool {
        self.act(Act::Do(party, input, Death::Lives), config, lab)
    }

    /// Delivers everything until nothing changes.
    fn settles(&mut self, config: &Config, lab: &Lab) {
        for _ in 0..20 {
            let mut changed = false;
            for id in self.network.clone() {
                let to = lab.packet(id).to;
                changed |= self.does(to, Input::Take(id), config, lab);
            }
            if !changed || self.wrong.is_some() {
                return;
            }
        }
        self.wrong = Some("it does not come to rest");
    }

    /// What apps do at their start, and on their timers.
    fn starts(&mut self, config: &Config, lab: &Lab) {
        if config.fault != Some(Fault::NeverAgain) {
            self.does(Party::Phone, Input::Outbox, config, lab);
            self.does(Party::Desk, Input::Flush, config, lab);
        }
        self.does(Party::Desk, Input::Ask, config, lab);
        self.settles(config, lab);
        if lab.device(self.desk).tables.unsaid {
            self.does(Party::Desk, Input::Ack, config, lab);
            self.settles(config, lab);
        }
    }

    /// Everything came, or the user can join anew, and from then on everything comes.
    pub(crate) fn ends_well(&self, config: &Config, lab: &Lab) -> Result<(), &'static str> {
        let mut world = self.clone();
        world.budget.phone_backs = 0;
        world.budget.desk_backs = 0;
        world.settles(config, lab);
        for _ in 0..2 {
            world.starts(config, lab);
        }
        if let Some(wrong) = world.wrong {
            return Err(wrong);
        }
        if lab.facts(world.phone).ended {
            return world.has_ended(lab);
        }
        if self.back == [false; 2] && !self.rejoined {
            world.is_whole(lab)?;
            return world.lets_go(lab);
        }
        world.flows_again(config, lab)
    }

    /// Everything that was said was shown, and everything that was asked was done, or refused.
    fn is_whole(&self, lab: &Lab) -> Result<(), &'static str> {
        let (phone, desk, peer) = (lab.device(self.phone), lab.device(self.desk), lab.device(self.peer));
        if phone.tables.seen.len() != usize::from(self.said) {
            return Err("the phone has not opened everything");
        }
        if desk.tables.seen != phone.tables.seen {
            return Err("not everything was shown, in its order");
        }
        if desk.tables.missed > 0 || !self.unknown.is_empty() {
            return Err("said to be missing, and nothing is");
        }
        for (text, (_, fate)) in &desk.tables.asked {
            let fits = match fate {
                Fate::Told(RequestState::Refused(_)) => !peer.tables.seen.contains(text),
                Fate::Told(RequestState::Unknown) | Fate::Queued | Fate::Sent | Fate::NeverSent => false,
                Fate::Told(_) => peer.tables.seen.contains(text),
            };
            if !fits {
                return Err("a request is not done, or not answered");
            }
        }
        Ok(())
    }

    /// Nothing waits at the phone for what was shown.
    fn lets_go(&self, lab: &Lab) -> Result<(), &'static str> {
        let phone = lab.device(self.phone);
        let kept = phone.records.keys().filter(|key| key.kind() == outrigger::RecordKind::RelayOut);
        if kept.count() == 0 { Ok(()) } else { Err("the phone keeps what was shown") }
    }

    /// Each end knows, and no request is left without a word.
    fn has_ended(&self, lab: &Lab) -> Result<(), &'static str> {
        let desk = lab.device(self.desk);
        if !desk.tables.ended {
            return Err("the desktop does not hear of the end");
        }
        let settled = |fate: &Fate| matches!(fate, Fate::NeverSent | Fate::Told(_));
        if desk.tables.asked.values().all(|(_, fate)| settled(fate)) {
            Ok(())
        } else {
            Err("a request has no word at the end")
        }
    }

    /// The desktop joins anew once; then what is new flows, and nothing came twice.
    fn flows_again(mut self, config: &Config, lab: &Lab) -> Result<(), &'static str> {
        if self.back[0] {
            self.does(Party::Peer, Input::Restart(self.clock), config, lab);
        }
        self.does(Party::Desk, Input::Rejoin(self.clock), config, lab);
        self.settles(config, lab);
        let (down, up) = (Text::Down(self.said + 1), Text::Up(self.asked + 1));
        self.does(Party::Peer, Input::Say(self.said + 1), config, lab);
        self.does(Party::Desk, Input::Request(self.asked + 1), config, lab);
        self.settles(config, lab);
        for _ in 0..2 {
            self.starts(config, lab);
        }
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let (phone, desk, peer) = (lab.device(self.phone), lab.device(self.desk), lab.device(self.peer));
        let count = |seen: &[Text], text: Text| seen.iter().filter(|seen| **seen == text).count();
        if count(&desk.tables.seen, down) != 1 {
            return Err("what is new is not shown once");
        }
        if desk.tables.asked.get(&up).map(|(_, fate)| *fate) != Some(Fate::Told(RequestState::Accepted)) {
            return Err("what is new is not accepted");
        }
        if count(&peer.tables.seen, up) != 1 {
            return Err("what is new is not heard once");
        }
        if desk.tables.asked.values().any(|(_, fate)| matches!(fate, Fate::Queued | Fate::Sent)) {
            return Err("a request has no word");
        }
        let unseen = phone.tables.seen.iter().filter(|text| !desk.tables.seen.contains(text)).count();
        // A phone whose store went back may tell other messages under numbers that were shown, and neither end can see it.
        if !self.back[0] && unseen as u64 > desk.tables.missed {
            return Err("more is missing than is said");
        }
        self.lets_go(lab)
    }
}
