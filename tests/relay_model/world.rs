//! A phone, its desktop and a peer, what the network has seen, and what happens to them.

use outrigger::{
    Consent, DesktopConsent, FromDesktop, GrantDesktop, JoinPhone, JoinProgress, Keep, Receive, Register,
    ReplenishPrekeys, RequestState, ScanLinkCode, Send, ShowDesktopCode, Start, TakeFromDesktop,
    TakeFromPhone, VerifiedBundle,
};

use crate::{
    config::{Budget, Config, Fault},
    lab::{Device, Fate, Input, Lab, PacketId, Party, StoreId, Text},
    party::{address, empty, run_and_store},
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
}

/// The whole world: stores and packets by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) phone: StoreId,
    pub(crate) desk: StoreId,
    pub(crate) peer: StoreId,
    /// What the phone's and the desktop's stores were, while they can go back.
    past: [Vec<StoreId>; 2],
    /// What the network can deliver.
    pub(crate) network: Vec<PacketId>,
    /// What it delivers no more.
    gone: Vec<PacketId>,
    pub(crate) budget: Budget,
    /// How many sessions were started anew.
    pub(crate) clock: u8,
    /// What was said down and asked up, in all times together.
    pub(crate) said: u8,
    pub(crate) asked: u8,
    /// Requests whose message the phone has had in its store.
    handed: Vec<Text>,
    /// Requests that the desktop's user was told are not done.
    refused: Vec<Text>,
    /// Requests of which the user was told that nobody knows.
    pub(crate) unknown: Vec<Text>,
    /// Whether the phone's and the desktop's stores went back.
    pub(crate) back: [bool; 2],
    pub(crate) rejoined: bool,
    pub(crate) wrong: Option<&'static str>,
}

/// A phone and a peer that speak, and a desktop that has joined.
pub(crate) fn begin(config: &Config) -> (Lab, World) {
    let (mut phone, mut desk, mut peer) = (empty(Party::Phone), empty(Party::Desk), empty(Party::Peer));
    let (at_phone, at_peer) = (address(Party::Phone), address(Party::Peer));
    run_and_store(&mut phone, 0, &Register { address: at_phone });
    run_and_store(&mut peer, 0, &Register { address: at_peer });
    let upload = run_and_store(&mut phone, 0, &ReplenishPrekeys { one_time: 6 });
    let mut bundles: Vec<Vec<u8>> =
        upload.one_time_prekeys.iter().map(|prekey| [&upload.bundle[..], prekey].concat()).collect();

    let bundle = VerifiedBundle::verify(&bundles.pop().unwrap(), &at_phone).unwrap();
    run_and_store(&mut peer, 0, &Start { bundle: &bundle });
    exchange(&mut peer, &mut phone);
    exchange(&mut phone, &mut peer);

    let code = run_and_store(&mut desk, 0, &ShowDesktopCode);
    let request = run_and_store(&mut phone, 0, &ScanLinkCode { code: code.text() });
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let (reference, may) = (request.reference, DesktopConsent::Always);
    let granted = run_and_store(&mut phone, 0, &GrantDesktop { reference, consent, may });
    let joining = run_and_store(&mut desk, 0, &JoinPhone { message: &granted.grant });
    let JoinProgress::Joining { frame, .. } = joining else { panic!("{joining:?}") };
    let desktop = granted.desktop;
    let take = TakeFromDesktop { desktop, envelope: &frame, verdict: None };
    let joined = run_and_store(&mut phone, 0, &take);
    let FromDesktop::Joined { frames, again: false } = joined else { panic!("{joined:?}") };
    run_and_store(&mut desk, 0, &TakeFromPhone { envelope: &frames[0] });

    let lab = Lab::new(config.fault, bundles, desktop);
    let world = World {
        phone: lab.shelve(phone),
        desk: lab.shelve(desk),
        peer: lab.shelve(peer),
        past: Default::default(),
        network: Vec::new(),
        gone: Vec::new(),
        budget: config.budget,
        clock: 0,
        said: 0,
        asked: 0,
        handed: Vec::new(),
        refused: Vec::new(),
        unknown: Vec::new(),
        back: [false; 2],
        rejoined: false,
        wrong: None,
    };
    (lab, world)
}

fn exchange(from: &mut Device, to: &mut Device) {
    let (sender, recipient) = (address(from.party), address(to.party));
    let send = Send { to: recipient, plaintext: b"hello", associated_data: &[], keep: Keep::Nothing };
    let sent = run_and_store(from, 0, &send);
    run_and_store(to, 0, &Receive { from: sender, envelope: &sent.envelope, associated_data: &[] });
}

impl World {
    fn store(&self, party: Party) -> StoreId {
        match party {
            Party::Phone => self.phone,
            Party::Desk => self.desk,
            Party::Peer => self.peer,
        }
    }

    fn store_mut(&mut self, party: Party) -> &mut StoreId {
        match party {
            Party::Phone => &mut self.phone,
            Party::Desk => &mut self.desk,
            Party::Peer => &mut self.peer,
        }
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
                if budget.crashes > 0 && party != Party::Peer {
                    acts.push(Act::Do(party, input, Death::After));
                    if config.fault == Some(Fault::ReleaseBeforeStore) {
                        acts.push(Act::Do(party, input, Death::TooLate));
                    }
                }
            }
        };
        let (desk, facts) = (lab.device(self.desk), lab.facts(self.desk));
        add(budget.down > 0, Party::Peer, Input::Say(self.said + 1));
        add(budget.restarts > 0 && self.back[0], Party::Peer, Input::Restart(self.clock));
        add(budget.up > 0, Party::Desk, Input::Request(self.asked + 1));
        add(budget.asks > 0, Party::Desk, Input::Ask);
        add(budget.acks > 0 && desk.tables.unsaid, Party::Desk, Input::Ack);
        add(again && budget.flushes > 0, Party::Desk, Input::Flush);
        add(again, Party::Phone, Input::Outbox);
        let stuck = facts.suspended || !facts.reachable;
        add(budget.rejoins > 0 && stuck && !facts.ended, Party::Desk, Input::Rejoin(self.clock));
        add(budget.detaches > 0, Party::Phone, Input::Detach);
        if budget.news > 0 {
            let done = &lab.device(self.phone).tables.done;
            done.iter().for_each(|(text, ..)| add(true, Party::Phone, Input::News(*text)));
        }
        for id in &self.network {
            let packet = lab.packet(*id);
            add(true, packet.to, Input::Take(*id));
            add(budget.denies > 0 && packet.from == Party::Desk, packet.to, Input::Deny(*id));
        }
        for (place, party) in [Party::Phone, Party::Desk].into_iter().enumerate() {
            let can = if place == 0 { budget.phone_backs } else { budget.desk_backs };
            if can > 0 {
                acts.extend((1..=self.past[place].len()).map(|commits| Act::GoBack(party, commits)));
            }
            acts.extend((budget.crashes > 0).then_some(Act::Die(party)));
        }
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
        }
        self.look(lab);
        true
    }

    fn dies(&mut self, party: Party, lab: &Lab) {
        let device = Device::clone(&lab.device(self.store(party)));
        *self.store_mut(party) = lab.shelve(Device { deaths: device.deaths + 1, draws: 0, ..device });
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
        *self.store_mut(party) = lab.shelve(Device { deaths, draws: 0, ..then });
    }

    fn perform(&mut self, party: Party, input: Input, death: Death, config: &Config, lab: &Lab) -> bool {
        let before = self.store(party);
        let outcome = lab.step(before, input, self.clock);
        if outcome.wrong.is_some() {
            self.wrong = outcome.wrong;
        }
        let taken = match input {
            Input::Take(id) | Input::Deny(id) => Some(id),
            Input::Say(_)
            | Input::Restart(_)
            | Input::Request(_)
            | Input::Ask
            | Input::Ack
            | Input::Flush
            | Input::Rejoin(_)
            | Input::Outbox
            | Input::Detach
            | Input::News(_) => None,
        };
        if outcome.dropped {
            self.drop_packet(taken.unwrap());
            return true;
        }
        let Some(after) = outcome.store else { return self.wrong.is_some() };
        let new = outcome.out.iter().any(|id| !self.network.contains(id) && !self.gone.contains(id));
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
            if let Some(taken) = taken.filter(|_| !config.doubles && death == Death::Lives) {
                self.drop_packet(taken);
            }
        }
        self.look(lab);
        true
    }

    fn commits(&mut self, party: Party, before: StoreId, after: StoreId) {
        let can = [self.budget.phone_backs, self.budget.desk_backs];
        let place = match party {
            Party::Phone => 0,
            Party::Desk => 1,
            Party::Peer => 2,
        };
        if before != after && can.get(place).is_some_and(|can| *can > 0) {
            self.past[place].push(before);
        }
        *self.store_mut(party) = after;
    }

    fn spend(&mut self, input: Input) {
        let budget = &mut self.budget;
        let spends = match input {
            Input::Say(number) => {
                self.said = number;
                &mut budget.down
            }
            Input::Request(number) => {
                self.asked = number;
                &mut budget.up
            }
            Input::Restart(_) => {
                self.clock += 1;
                &mut budget.restarts
            }
            Input::Rejoin(_) => {
                self.clock += 1;
                self.rejoined = true;
                &mut budget.rejoins
            }
            Input::Ask => &mut budget.asks,
            Input::Ack => &mut budget.acks,
            Input::Detach => &mut budget.detaches,
            Input::News(_) => &mut budget.news,
            Input::Deny(_) => &mut budget.denies,
            Input::Flush => &mut budget.flushes,
            Input::Outbox | Input::Take(_) => return,
        };
        *spends = spends.saturating_sub(1);
    }

    fn release(&mut self, id: PacketId, lab: &Lab) {
        let Err(place) = self.network.binary_search(&id) else { return };
        if self.gone.contains(&id) {
            return;
        }
        let sealed = lab.packet(id).sealed;
        if self.network.iter().chain(&self.gone).any(|other| lab.packet(*other).sealed == sealed) {
            self.wrong = Some("a key and a nonce twice");
        }
        self.network.insert(place, id);
    }

    fn drop_packet(&mut self, id: PacketId) {
        self.network.retain(|other| *other != id);
        self.gone.push(id);
        self.gone.sort();
    }

    /// What must hold of all stores together.
    fn look(&mut self, lab: &Lab) {
        let (desk, peer) = (lab.device(self.desk), lab.device(self.peer));
        for (text, (_, fate)) in &desk.tables.asked {
            match fate {
                Fate::Queued | Fate::Sent => {}
                Fate::NeverSent | Fate::Told(RequestState::Refused(_)) => {
                    if !self.refused.contains(text) {
                        self.refused.push(*text);
                    }
                }
                Fate::Told(RequestState::Unknown) => {
                    if !self.unknown.contains(text) {
                        self.unknown.push(*text);
                    }
                }
                Fate::Told(_) => {
                    if !self.handed.contains(text) {
                        self.wrong.get_or_insert("accepted, and the phone never had it");
                    }
                }
            }
        }
        self.refused.sort();
        self.unknown.sort();
        if self.refused.iter().any(|text| peer.tables.seen.contains(text)) {
            self.wrong.get_or_insert("refused, and heard");
        }
        if ![self.phone, self.desk, self.peer].iter().all(|store| lab.facts(*store).bounded) {
            self.wrong.get_or_insert("a store grows");
        }
        let suspended = lab.facts(self.phone).suspended || lab.facts(self.desk).suspended;
        if suspended && self.back == [false; 2] && !self.rejoined {
            self.wrong.get_or_insert("suspended, and nothing went back");
        }
    }

    /// Whether no delivery changes anything.
    pub(crate) fn is_quiet(&self, config: &Config, lab: &Lab) -> bool {
        self.network.iter().all(|id| {
            let packet = lab.packet(*id);
            !self.clone().act(Act::Do(packet.to, Input::Take(*id), Death::Lives), config, lab)
        })
    }
}
