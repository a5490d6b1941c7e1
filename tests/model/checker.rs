//! The model as the checker takes it: states by their view, actions, and what must hold.

use std::{
    fmt,
    hash::{Hash, Hasher},
    time::Instant,
};

use outrigger::SessionId;
use stateright::{Checker, Model, Property};

use crate::{
    config::Config,
    device::{Device, Message, Packet, Who},
    view::{DatabaseView, PacketView},
    world::{Act, Budget, World},
};

/// A world that is known by how it looks.
#[derive(Clone)]
pub(crate) struct State(World);

/// Everything by which two states differ.
type View<'a> = (
    [(&'a DatabaseView, Vec<&'a DatabaseView>, u8, u8, usize); 2],
    Vec<((Message, u8), u8)>,
    Vec<Message>,
    Vec<(Who, PacketView)>,
    Budget,
    Option<&'static str>,
);

impl State {
    fn view(&self) -> View<'_> {
        let world = &self.0;
        let devices = world.devices.each_ref().map(|device| {
            // What a device could go back to matters while it still can.
            let can = world.budget.roll_backs + world.budget.recoveries > 0;
            let history = device.history.iter().filter(|_| can).map(|(_, view)| view).collect();
            (&device.view, history, device.epoch, device.said, world.stock(device.who))
        });
        let mut network: Vec<_> =
            world.network.iter().map(|(to, packet)| (*to, world.names.packet(packet))).collect();
        network.sort();
        let shown = world.devices.iter().flat_map(|device| device.shown.clone()).collect();
        let lost = |device: &Device| device.lost.iter().chain(&device.forgotten).copied().collect::<Vec<_>>();
        let lost = world.devices.iter().flat_map(lost).collect();
        (devices, shown, lost, network, world.budget, world.wrong)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view().hash(state);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.view())
    }
}

impl World {
    fn actions(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.wrong.is_some() {
            return acts;
        }
        for device in &self.devices {
            let who = device.who;
            if device.said < self.config.says(who) {
                acts.push(Act::Say(who));
                acts.extend((self.budget.crashes > 0).then_some(Act::SayAndDie(who)));
            }
            let waiting = device.database.outbox.values().filter(|posted| !**posted).count();
            acts.extend((0..waiting).map(|place| Act::Post(who, place)));
            let commits = 1..=device.history.len();
            if self.budget.roll_backs > 0 {
                acts.extend(commits.clone().map(|commits| Act::GoBack(who, commits)));
            }
            if self.budget.recoveries > 0 {
                acts.extend(commits.map(|commits| Act::Restore(who, commits)));
            }
        }
        for place in 0..self.network.len() {
            acts.push(Act::Arrive(place));
            acts.extend((self.budget.crashes > 0).then_some(Act::ArriveAndDie(place)));
            acts.extend((self.budget.doubles > 0).then_some(Act::Double(place)));
            acts.extend((self.budget.losses > 0).then_some(Act::Lose(place)));
        }
        acts
    }

    /// Nothing is under way and nothing waits.
    fn is_quiet(&self) -> bool {
        self.network.is_empty() && self.devices.iter().all(|device| device.database.outbox.is_empty())
    }

    /// Every message that was said, in the time that counts, was shown to the other's user, is asked for, or was reported lost; or its receiver's store went back behind its
    /// asking, once it had acknowledged the envelope.
    fn is_whole(&self) -> bool {
        let [a, b] = &self.devices;
        [(a, b), (b, a)].into_iter().all(|(speaker, hearer)| {
            speaker.database.spoken.iter().all(|message| {
                hearer.shown.keys().any(|(shown, _)| shown == message)
                    || hearer.database.pending.iter().any(|request| request.message() == *message)
                    || hearer.lost.contains(message)
                    || hearer.forgotten.contains(message)
            })
        })
    }

    /// Sends every request again whose message has not come: a peer whose store went back may have lost its answer.
    fn ask_again(&mut self) {
        for device in &mut self.devices {
            let pending = device.database.pending.clone();
            device.database.outbox.extend(pending.into_iter().map(|request| (request, false)));
        }
    }

    /// No message that its speaker still knows to have said is waited for, unless its user saw it in a time that is gone: an envelope is answered once.
    fn nothing_waits(&self) -> bool {
        let [a, b] = &self.devices;
        [(a, b), (b, a)].into_iter().all(|(speaker, hearer)| {
            let shown = |message: &Message| hearer.shown.keys().any(|(shown, _)| shown == message);
            let mut waited = hearer.database.pending.iter().map(Packet::message);
            let excused = |message: &Message| shown(message) || hearer.forgotten.contains(message);
            !waited.any(|message| speaker.database.spoken.contains(&message) && !excused(&message))
        })
    }

    /// Whatever happened: the two talk on, and end in one session that both speak in.
    fn is_alive(&self) -> bool {
        let mut world = self.clone();
        (world.config.fault, world.config.says) = (None, [u8::MAX; 2]);
        world.ask_again();
        if !world.settles() {
            return false;
        }
        for who in [Who::A, Who::B, Who::A, Who::B] {
            world.act(&Act::Say(who));
            if !world.settles() {
                return false;
            }
        }
        let active = |who: Who| -> Option<SessionId> {
            let [a, b] = &world.devices;
            let device = if who == Who::A { a } else { b };
            let report = device.report(world.config.limits);
            report.active.filter(|_| !report.stale).map(|session| session.id)
        };
        world.wrong.is_none()
            && world.is_whole()
            && world.nothing_waits()
            && active(Who::A).is_some()
            && active(Who::A) == active(Who::B)
    }

    /// Delivers everything until nothing is under way; whether that comes to an end.
    fn settles(&mut self) -> bool {
        for _ in 0..40 {
            if self.is_quiet() {
                return true;
            }
            for who in [Who::A, Who::B] {
                while self.device(who).database.outbox.values().any(|posted| !posted) {
                    self.act(&Act::Post(who, 0));
                }
            }
            while !self.network.is_empty() {
                self.act(&Act::Arrive(0));
            }
        }
        false
    }

    /// Each message costs its bound of requests at the most: one for each envelope that carries it, and five carry it.
    fn asks_little(&self) -> bool {
        self.requests.values().all(|requests| *requests <= 5)
    }
}

impl Model for Config {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        vec![State(World::new(*self))]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        actions.extend(state.0.actions());
    }

    fn next_state(&self, last: &State, action: Act) -> Option<State> {
        let mut next = last.clone();
        next.0.act(&action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no key twice, no message twice, none reported lost", |_, state: &State| {
                state.0.wrong.is_none()
            }),
            Property::always("no message missing when all is quiet", |_, state: &State| {
                !state.0.is_quiet() || state.0.wrong.is_some() || state.0.is_whole()
            }),
            Property::always("the two talk on in one session", |_, state: &State| {
                !state.0.is_quiet() || state.0.wrong.is_some() || state.0.is_alive()
            }),
            Property::always("requests are few", |_, state: &State| state.0.asks_little()),
            Property::sometimes("it is asked", |_, state: &State| {
                state.0.network.iter().any(|(_, packet)| matches!(packet, Packet::Request { .. }))
            }),
        ]
    }
}

/// What a check came to.
pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) broken: Vec<(&'static str, String)>,
    pub(crate) asked: bool,
}

/// Checks every state of a configuration, or stops at the first that breaks a property.
pub(crate) fn check(config: Config) -> Outcome {
    let began = Instant::now();
    let checker = config.checker().threads(2).spawn_bfs().join();
    let found = checker.discoveries();
    let asked = found.contains_key("it is asked");
    let broken: Vec<_> = found
        .into_iter()
        .filter(|(name, _)| *name != "it is asked")
        .map(|(name, path)| (name, format!("{:?}", path.into_actions())))
        .collect();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!(
        "{:<44} {states:>9} states, {:>9} transitions, depth {depth:>3}, {:>5.1} s{}",
        config.name,
        checker.state_count(),
        began.elapsed().as_secs_f64(),
        if asked { ", asks" } else { "" },
    );
    Outcome { states, broken, asked }
}
