//! What comes of a world in the end, when the network delivers all that can be taken, and apps do what they do at their start and on their timers.

use outrigger::{RefusedRequest, RequestState};

use crate::{
    config::{Config, Fault},
    lab::Lab,
    names::{Fate, Input, Party, Tables, Text, What},
    world::{Act, Death, World},
};

impl World {
    fn does(&mut self, party: Party, input: Input, config: &Config, lab: &Lab) -> bool {
        self.act(Act::Do(party, input, Death::Lives), config, lab)
    }

    /// Delivers everything until nothing changes.
    fn settles(&mut self, config: &Config, lab: &Lab) {
        for _ in 0..30 {
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
        let again = config.fault != Some(Fault::NeverAgain);
        if config.budget.waits > 0 {
            self.does(Party::Phone, Input::Renew, config, lab);
        }
        if again {
            self.does(Party::Phone, Input::Outbox, config, lab);
        }
        let desktops: &[_] = if config.two { &[Party::Desk, Party::Other] } else { &[Party::Desk] };
        for desk in desktops {
            let companion = lab.facts(self.store(*desk)).upgraded;
            if again {
                self.does(*desk, if companion { Input::Outbox } else { Input::Flush }, config, lab);
            }
            if !companion {
                self.does(*desk, Input::Ask, config, lab);
            }
        }
        self.settles(config, lab);
        self.decides(config, lab);
        for desk in desktops {
            if lab.device(self.store(*desk)).tables.unsaid {
                self.does(*desk, Input::Ack, config, lab);
                self.settles(config, lab);
            }
        }
    }

    /// The users of the phone and the desktop say what they have left open, and a companion speaks.
    fn decides(&mut self, config: &Config, lab: &Lab) {
        for id in self.network.clone() {
            if matches!(lab.packet(id).text(), Some(Text::Want(_))) {
                let word = if self.budget.agrees > 0 { Input::Agree(id) } else { Input::Deny(id) };
                self.does(Party::Phone, word, config, lab);
            }
        }
        self.settles(config, lab);
        if lab.device(self.store(Party::Desk)).tables.offered {
            self.does(Party::Desk, Input::Accept(0), config, lab);
            self.settles(config, lab);
        }
        let tables = lab.device(self.store(Party::Desk)).tables.clone();
        if tables.certificate.is_some() && !tables.published {
            self.does(Party::Desk, Input::Publish, config, lab);
        }
        for asked in tables.asked.iter().filter(|asked| asked.fate == Fate::GivenBack) {
            self.does(Party::Desk, Input::Speak(asked.text), config, lab);
        }
        self.settles(config, lab);
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
        if lab.facts(world.store(Party::Phone)).ended {
            return world.has_ended(lab);
        }
        if world.is_straight() {
            world.is_whole(config, lab)?;
            return world.lets_go(lab);
        }
        world.flows_again(config, lab)
    }

    /// Everything that was said was shown, and everything that was asked was done, or refused.
    fn is_whole(&self, config: &Config, lab: &Lab) -> Result<(), &'static str> {
        let [phone, peer] = [Party::Phone, Party::Peer].map(|party| lab.device(self.store(party)));
        let down = phone.tables.seen.iter().filter(|text| matches!(text, Text::Down(_)));
        if down.count() != usize::from(self.said) {
            return Err("the phone has not opened everything");
        }
        for party in [Party::Desk, Party::Other].into_iter().take(1 + usize::from(config.two)) {
            let desk = lab.device(self.store(party));
            let shown = shows(&desk.tables, &phone.tables, party);
            if !shown {
                return Err("not everything was shown, in its order");
            }
            if desk.tables.missed > 0 && config.budget.waits == 0 {
                return Err("said to be missing, and nothing is");
            }
            self.is_answered(&desk.tables, &peer.tables)?;
        }
        Ok(())
    }

    fn is_answered(&self, desk: &Tables, peer: &Tables) -> Result<(), &'static str> {
        for asked in &desk.asked {
            let heard = peer.seen.contains(&asked.text);
            let fits = match asked.fate {
                Fate::Told(RequestState::Refused(_)) => !heard,
                Fate::Told(RequestState::Unknown)
                | Fate::Queued
                | Fate::Sent
                | Fate::NeverSent
                | Fate::GivenBack => false,
                Fate::Told(_) | Fate::Spoken => heard || !asked.text.is_said(),
            };
            if !fits {
                return Err("a request is not done, or not answered");
            }
        }
        Ok(())
    }

    /// Nothing waits at the phone for what was shown.
    fn lets_go(&self, lab: &Lab) -> Result<(), &'static str> {
        let phone = lab.device(self.store(Party::Phone));
        let kept = phone.records.keys().filter(|key| key.kind() == outrigger::RecordKind::RelayOut);
        if kept.count() == 0 { Ok(()) } else { Err("the phone keeps what was shown") }
    }

    /// Each end knows, and no request is left without a word.
    fn has_ended(&self, lab: &Lab) -> Result<(), &'static str> {
        let desk = lab.device(self.store(Party::Desk));
        if !desk.tables.ended {
            return Err("the desktop does not hear of the end");
        }
        let settled = |fate: Fate| matches!(fate, Fate::NeverSent | Fate::Told(_));
        if desk.tables.asked.iter().all(|asked| settled(asked.fate)) {
            Ok(())
        } else {
            Err("a request has no word at the end")
        }
    }

    /// The desktop joins anew once; then what is new flows, and nothing came twice.
    fn flows_again(mut self, config: &Config, lab: &Lab) -> Result<(), &'static str> {
        if self.back[0] {
            self.does(Party::Peer, Input::Restart(self.when.sessions), config, lab);
        }
        if !lab.facts(self.store(Party::Desk)).upgraded {
            self.does(Party::Desk, Input::Rejoin(self.when.sessions), config, lab);
        }
        self.settles(config, lab);
        self.decides(config, lab);
        let companion = lab.facts(self.store(Party::Desk)).upgraded;
        if companion {
            self.meets(config, lab);
        }
        let (down, up) = (Text::Down(self.said + 1), Text::Up(self.asked + 1));
        // The phone answers in the peer's new session once it has it.
        self.does(Party::Peer, Input::Say(self.said + 1), config, lab);
        self.settles(config, lab);
        if !companion {
            self.does(Party::Desk, Input::Request(up), config, lab);
        }
        self.settles(config, lab);
        for _ in 0..2 {
            self.starts(config, lab);
        }
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let [phone, desk, peer] =
            [Party::Phone, Party::Desk, Party::Peer].map(|party| lab.device(self.store(party)));
        let count = |seen: &[Text], text: Text| seen.iter().filter(|seen| **seen == text).count();
        if count(&desk.tables.seen, down) != 1 {
            return Err("what is new is not shown once");
        }
        let fate = |text| desk.tables.asked.iter().find(|asked| asked.text == text).map(|asked| asked.fate);
        let heard = count(&peer.tables.seen, up);
        let done = match fate(up) {
            Some(Fate::Told(RequestState::Accepted) | Fate::Spoken) => heard == 1,
            // It is a companion meanwhile, which sends for itself.
            Some(Fate::Told(RequestState::Refused(RefusedRequest::Upgraded))) => heard == 0,
            None => companion,
            Some(_) => false,
        };
        if !done {
            return Err("what is new is not done");
        }
        if desk.tables.asked.iter().any(|asked| matches!(asked.fate, Fate::Queued | Fate::Sent)) {
            return Err("a request has no word");
        }
        let unseen = phone.tables.seen.iter().filter(|text| matches!(text, Text::Down(_)));
        let unseen = unseen.filter(|text| !desk.tables.seen.contains(text)).count();
        // A phone whose store went back may tell other messages under numbers that were shown, and neither end can see it.
        // What came to a companion goes with the store that had it.
        let forgot = self.back[0] || self.back[1] && desk.tables.companion;
        if !forgot && unseen as u64 > desk.tables.missed {
            return Err("more is missing than is said");
        }
        // A companion takes no answer that comes behind its last frame.
        if desk.tables.companion { Ok(()) } else { self.lets_go(lab) }
    }

    /// The companion publishes keys once more, and the peer starts anew with it.
    fn meets(&mut self, config: &Config, lab: &Lab) {
        self.does(Party::Desk, Input::Publish, config, lab);
        let posted = lab.device(self.store(Party::Desk)).tables.outbox.clone();
        let is_bundle = |id: &&u32| matches!(lab.packet(**id).what, What::Bundle(_));
        if let Some(id) = posted.iter().rfind(is_bundle) {
            self.does(Party::Peer, Input::Meet(*id), config, lab);
        }
    }
}

/// Whether a desktop has shown all that its phone has opened and sent, in its order, but what it said to be missing, and what the desktop has said itself. What comes to a
/// companion comes by several ways, and in any order.
fn shows(desk: &Tables, phone: &Tables, party: Party) -> bool {
    let is_others = |text: &&Text| !text.is_of(party);
    let (mut shown, mut known) = (desk.seen.clone(), Vec::new());
    known.extend(phone.seen.iter().filter(is_others).copied());
    if desk.companion {
        shown.sort();
        known.sort();
    }
    let mut rest = known.iter();
    let in_order = shown.iter().all(|text| rest.any(|known| known == text));
    in_order && (known.len() - shown.len()) as u64 == desk.missed
}
