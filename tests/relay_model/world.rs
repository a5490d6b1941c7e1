//! Stores and what the network has seen, and what happens to them.

use crate::{
    config::{Budget, Config, Fault},
    lab::Lab,
    names::{Device, Fate, Input, PacketId, Party, StoreId, Text, What, When},
};

/// Whether the device lives through what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Death {
    Lives,
    /// It dies after the commit: the output is lost.
    After,
    /// It dies before the commit, and the output has left: only where a fault is planted.
    TooLate,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Do(Party, Input, Death),
    /// A device dies before a commit: nothing has happened.
    Die(Party),
    /// A store goes back to what it was before so many commits.
    GoBack(Party, usize),
    /// A deadline passes.
    Wait,
}

/// The whole world: stores and packets by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// In the order of the parties.
    stores: [StoreId; 4],
    /// What the phone's and the desktop's stores were, while they can go back.
    past: [Vec<StoreId>; 2],
    /// What the network can deliver.
    pub(crate) network: Vec<PacketId>,
    /// What it delivers no more.
    gone: Vec<PacketId>,
    pub(crate) budget: Budget,
    pub(crate) when: When,
    /// What was said down, asked up and wanted, in all times together.
    pub(crate) said: u8,
    pub(crate) asked: u8,
    wanted: u8,
    /// Whether the phone's user has agreed to a companion.
    pub(crate) agreed: bool,
    /// Requests whose message the phone has had in its store.
    pub(crate) handed: Vec<Text>,
    /// Requests that the desktop's user was told are not done.
    pub(crate) refused: Vec<Text>,
    /// Requests of which the user was told that nobody knows.
    pub(crate) unknown: Vec<Text>,
    /// Whether the phone's and the desktop's stores went back.
    pub(crate) back: [bool; 2],
    pub(crate) rejoined: bool,
    pub(crate) wrong: Option<&'static str>,
}

impl World {
    pub(crate) fn new(budget: Budget, stores: [StoreId; 4]) -> Self {
        Self {
            stores,
            past: Default::default(),
            network: Vec::new(),
            gone: Vec::new(),
            budget,
            when: When::default(),
            said: 0,
            asked: 0,
            wanted: 0,
            agreed: false,
            handed: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
            back: [false; 2],
            rejoined: false,
            wrong: None,
        }
    }

    pub(crate) fn store(&self, party: Party) -> StoreId {
        self.stores[party as usize]
    }

    /// Whether nothing has happened that loses what apps were told.
    pub(crate) fn is_straight(&self) -> bool {
        self.back == [false; 2] && !self.rejoined
    }

    /// What can happen, whether or not it changes anything.
    pub(crate) fn acts(&self, config: &Config, lab: &Lab) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.wrong.is_some() {
            return acts;
        }
        let budget = &self.budget;
        let again = config.fault != Some(Fault::NeverAgain);
        let mut add = |wanted: bool, party: Party, input: Input| {
            if wanted {
                acts.push(Act::Do(party, input, Death::Lives));
                if budget.crashes > 0 && matches!(party, Party::Phone | Party::Desk) {
                    acts.push(Act::Do(party, input, Death::After));
                    let too_late = match config.fault {
                        Some(Fault::AcksBeforeStore) => party == Party::Desk,
                        fault => fault == Some(Fault::ReleaseBeforeStore),
                    };
                    if too_late {
                        acts.push(Act::Do(party, input, Death::TooLate));
                    }
                }
            }
        };
        let (desk, facts) = (lab.device(self.store(Party::Desk)), lab.facts(self.store(Party::Desk)));
        let (next, tables) = (self.asked + 1, &desk.tables);
        add(budget.down > 0, Party::Peer, Input::Say(self.said + 1));
        add(budget.restarts > 0 && self.back[0], Party::Peer, Input::Restart(self.when.sessions));
        add(budget.up > 0 && !facts.upgraded, Party::Desk, Input::Request(Text::Up(next)));
        add(config.two && budget.aside > 0, Party::Other, Input::Request(Text::Aside(next)));
        add(budget.upgrades > 0, Party::Desk, Input::Want(self.wanted + 1));
        add(tables.offered, Party::Desk, Input::Accept(self.wanted));
        add(tables.certificate.is_some() && !tables.published, Party::Desk, Input::Publish);
        for asked in tables.asked.iter().filter(|asked| asked.fate == Fate::GivenBack) {
            add(true, Party::Desk, Input::Speak(asked.text));
        }
        add(budget.asks > 0, Party::Desk, Input::Ask);
        add(budget.acks > 0 && tables.unsaid, Party::Desk, Input::Ack);
        add(again && budget.flushes > 0, Party::Desk, Input::Flush);
        add(again, Party::Phone, Input::Outbox);
        add(again && facts.upgraded, Party::Desk, Input::Outbox);
        let stuck = facts.suspended || !facts.reachable;
        add(budget.rejoins > 0 && stuck && !facts.ended, Party::Desk, Input::Rejoin(self.when.sessions));
        add(budget.detaches > 0, Party::Phone, Input::Detach);
        add(budget.withdraws > 0, Party::Phone, Input::Withdraw);
        add(budget.renews > 0 && self.when.waits > 0, Party::Phone, Input::Renew);
        if budget.news > 0 {
            let done = &lab.device(self.store(Party::Phone)).tables.done;
            done.iter().for_each(|(text, ..)| add(true, Party::Phone, Input::News(*text)));
        }
        for id in &self.network {
            let packet = lab.packet(*id);
            let to_decide = packet.from == Party::Desk && packet.to == Party::Phone;
            add(true, packet.to, Input::Take(*id));
            add(budget.denies > 0 && to_decide, packet.to, Input::Deny(*id));
            let wants = matches!(packet.text(), Some(Text::Want(_)));
            add(budget.agrees > 0 && to_decide && wants, packet.to, Input::Agree(*id));
        }
        for (place, party) in [Party::Phone, Party::Desk].into_iter().enumerate() {
            let can = if place == 0 { budget.phone_backs } else { budget.desk_backs };
            if can > 0 {
                acts.extend((1..=self.past[place].len()).map(|commits| Act::GoBack(party, commits)));
            }
            acts.extend((budget.crashes > 0).then_some(Act::Die(party)));
        }
        acts.extend((budget.waits > 0).then_some(Act::Wait));
        acts
    }

    /// Lets something happen; whether anything has changed.
    pub(crate) fn act(&mut self, act: Act, config: &Config, lab: &Lab) -> bool {
        match act {
            Act::Do(party, input, death) => return self.perform(party, input, death, config, lab),
            Act::Die(party) => {
                self.budget.crashes -= 1;
                self.dies(party, lab);
            }
            Act::GoBack(party, commits) => self.goes_back(party, commits, lab),
            Act::Wait => {
                self.budget.waits -= 1;
                self.when.waits += 1;
            }
        }
        self.look(lab);
        true
    }

    fn dies(&mut self, party: Party, lab: &Lab) {
        let device = Device::clone(&lab.device(self.store(party)));
        self.stores[party as usize] = lab.shelve(Device { deaths: device.deaths + 1, draws: 0, ..device });
    }

    fn goes_back(&mut self, party: Party, commits: usize, lab: &Lab) {
        let place = usize::from(party == Party::Desk);
        let backs = if place == 0 { &mut self.budget.phone_backs } else { &mut self.budget.desk_backs };
        *backs -= 1;
        let left = *backs;
        let at = self.past[place].len() - commits;
        let then = Device::clone(&lab.device(self.past[place][at]));
        let deaths = lab.device(self.store(party)).deaths + 1;
        self.past[place].truncate(if left > 0 { at } else { 0 });
        self.back[place] = true;
        self.stores[party as usize] = lab.shelve(Device { deaths, draws: 0, ..then });
    }

    fn perform(&mut self, party: Party, input: Input, death: Death, config: &Config, lab: &Lab) -> bool {
        let before = self.store(party);
        let outcome = lab.step(before, input, self.when);
        if outcome.wrong.is_some() {
            self.wrong = outcome.wrong;
        }
        if outcome.dropped {
            self.drop_packet(input.packet().unwrap());
            return true;
        }
        let Some(after) = outcome.store else { return self.wrong.is_some() };
        if outcome.out.iter().any(|id| self.is_second_list(*id, lab)) {
            return false;
        }
        let new = outcome.out.iter().any(|id| self.is_new(*id));
        if after == before && (!new || death == Death::After) {
            return false;
        }
        self.spend(input);
        if death != Death::Lives {
            self.budget.crashes -= 1;
        }
        if death != Death::TooLate {
            self.commits(party, before, after);
            self.handed.extend(outcome.handed);
            self.handed.sort();
        } else {
            self.dies(party, lab);
        }
        if death != Death::After {
            outcome.out.iter().for_each(|id| self.release(*id, lab));
            let said_taken = death == Death::Lives || config.fault == Some(Fault::AcksBeforeStore);
            let taken = input.packet().filter(|_| !config.doubles && said_taken);
            if let Some(taken) = taken {
                self.drop_packet(taken);
            }
        }
        self.look(lab);
        true
    }

    fn is_new(&self, id: PacketId) -> bool {
        !self.network.contains(&id) && !self.gone.contains(&id)
    }

    fn commits(&mut self, party: Party, before: StoreId, after: StoreId) {
        let can = [self.budget.phone_backs, self.budget.desk_backs];
        let place = party as usize;
        if before != after && can.get(place).is_some_and(|can| *can > 0) {
            self.past[place].push(before);
        }
        self.stores[place] = after;
    }

    fn spend(&mut self, input: Input) {
        let budget = &mut self.budget;
        let spends = match input {
            Input::Say(number) => {
                self.said = number;
                &mut budget.down
            }
            Input::Request(text) => {
                self.asked += 1;
                if text.is_of(Party::Desk) { &mut budget.up } else { &mut budget.aside }
            }
            Input::Want(number) => {
                self.wanted = number;
                &mut budget.upgrades
            }
            Input::Agree(_) => {
                self.agreed = true;
                &mut budget.agrees
            }
            Input::Restart(_) => {
                self.when.sessions += 1;
                &mut budget.restarts
            }
            Input::Rejoin(_) => {
                self.when.sessions += 1;
                self.rejoined = true;
                &mut budget.rejoins
            }
            Input::Ask => &mut budget.asks,
            Input::Ack => &mut budget.acks,
            Input::Detach => &mut budget.detaches,
            Input::Withdraw => &mut budget.withdraws,
            Input::Renew => &mut budget.renews,
            Input::News(_) => &mut budget.news,
            Input::Deny(_) => &mut budget.denies,
            Input::Flush => &mut budget.flushes,
            Input::Outbox
            | Input::Take(_)
            | Input::Accept(_)
            | Input::Publish
            | Input::Speak(_)
            | Input::Meet(_) => return,
        };
        *spends = spends.saturating_sub(1);
    }

    fn release(&mut self, id: PacketId, lab: &Lab) {
        let Err(place) = self.network.binary_search(&id) else { return };
        if self.gone.contains(&id) {
            return;
        }
        let packet = lab.packet(id);
        let repeats = |other: &PacketId| {
            let other = lab.packet(*other);
            packet.sealed.iter().any(|sealed| other.sealed.contains(sealed))
        };
        if self.network.iter().chain(&self.gone).any(repeats) {
            self.wrong = Some("a key and a nonce twice");
        }
        self.network.insert(place, id);
    }

    /// A phone that went back takes the list back that it has signed before it signs another: it is not let sign one that differs, by its time.
    fn is_second_list(&self, id: PacketId, lab: &Lab) -> bool {
        // The body, without the signature behind it.
        let list = |id: &PacketId| {
            let packet = lab.packet(*id);
            let body = packet.bytes.len().saturating_sub(64);
            matches!(packet.what, What::List).then(|| packet.bytes[..body].to_vec())
        };
        let others = || self.network.iter().chain(&self.gone).filter_map(list);
        list(&id).is_some_and(|new| others().any(|old| old != new))
    }

    fn drop_packet(&mut self, id: PacketId) {
        self.network.retain(|other| *other != id);
        self.gone.push(id);
        self.gone.sort();
    }

    /// Whether no delivery changes anything.
    pub(crate) fn is_quiet(&self, lab: &Lab) -> bool {
        self.network.iter().all(|id| {
            let store = self.store(lab.packet(*id).to);
            let outcome = lab.step(store, Input::Take(*id), self.when);
            let changes = outcome
                .store
                .is_some_and(|after| after != store || outcome.out.iter().any(|id| self.is_new(*id)));
            !changes && !outcome.dropped && outcome.wrong.is_none()
        })
    }
}
