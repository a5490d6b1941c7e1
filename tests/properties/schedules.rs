//! Random schedules of sending, losing, doubling, reordering, crashing and rolling back, against a model that has no cryptography in it.
//!
//! The model says of each delivery whether the message must open, must not, or may: it must while nothing beyond the protocol's bounds was lost
//! and neither side was rolled back; it must not once it was opened, unless the receiver went back to before that. Whatever opens says exactly
//! what was sent. What is refused is called a duplicate if and only if the receiver, by its records as they are now, has opened it; else the advice is to ask for it
//! again, whoever went back. At the end everything still under way arrives, and each pair that was never rolled back speaks in one session.

use std::collections::BTreeSet;

use outrigger::{Advice, Keep, OpenError, Receive, Restart, Send, Start, StartError, VerifiedBundle};
use proptest::{
    prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed},
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::world::{BOUND, Device, Server, exchange, store::Store};

/// Sessions that are started at the most: fewer than are archived, so that none is dropped.
const MAX_STARTS: usize = 14;
/// Turns for which a delayed message's key is kept.
const MAX_TURNS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Opens,
    Refused,
    Either,
}

#[derive(Clone, Copy, Debug)]
enum Crash {
    /// The step is lost: as if nothing had been done.
    BeforeCommit,
    /// The step is stored, the output is lost.
    BeforeRelease,
}

#[derive(Clone, Debug)]
enum Transition {
    /// `again`: a session that waits for its reply is given up.
    Start {
        from: usize,
        to: usize,
        weak: bool,
        again: bool,
    },
    Send {
        from: usize,
        to: usize,
        crash: Option<Crash>,
    },
    /// `stays`: the same bytes will come again.
    Deliver {
        place: usize,
        stays: bool,
        crash: Option<Crash>,
    },
    Lose {
        place: usize,
    },
    Replenish {
        device: usize,
    },
    /// The device's clock moves, back too.
    Clock {
        device: usize,
        minutes: i16,
    },
    Snapshot {
        device: usize,
    },
    RollBack {
        device: usize,
    },
}

/// A message under way, as the model sees it.
#[derive(Clone, Debug)]
struct Mail {
    number: u16,
    from: usize,
    to: usize,
    /// How often the sender had received from the recipient when it was sent: each time can begin a new chain.
    received: u32,
}

/// What the model holds of a device.
#[derive(Clone, Debug, Default)]
struct Memory {
    sessions: BTreeSet<usize>,
    opened: BTreeSet<u16>,
}

#[derive(Clone, Debug)]
struct Model {
    devices: usize,
    memory: Vec<Memory>,
    snapshots: Vec<Option<Memory>>,
    received: [[u32; 3]; 3],
    /// Devices that were rolled back: only safety is promised with them.
    rolled_back: BTreeSet<usize>,
    mail: Vec<Mail>,
    sent: u16,
    starts: usize,
    verdict: Verdict,
}

impl Model {
    fn new(devices: usize) -> Self {
        Self {
            devices,
            memory: vec![Memory::default(); devices],
            snapshots: vec![None; devices],
            received: [[0; 3]; 3],
            rolled_back: BTreeSet::new(),
            mail: Vec::new(),
            sent: 0,
            starts: 0,
            verdict: Verdict::Either,
        }
    }

    fn verdict(&self, mail: &Mail) -> Verdict {
        let turns = self.received[mail.from][mail.to] - mail.received;
        if self.memory[mail.to].opened.contains(&mail.number) {
            Verdict::Refused
        } else if turns > MAX_TURNS || self.was_rolled_back(mail.from, mail.to) {
            Verdict::Either
        } else {
            Verdict::Opens
        }
    }

    fn was_rolled_back(&self, one: usize, two: usize) -> bool {
        self.rolled_back.contains(&one) || self.rolled_back.contains(&two)
    }

    fn deliver(&mut self, place: usize, stays: bool, crash: Option<Crash>) {
        let mail = if stays || crash.is_some() { self.mail[place].clone() } else { self.mail.remove(place) };
        self.verdict = self.verdict(&mail);
        if matches!(crash, Some(Crash::BeforeCommit)) {
            return;
        }
        self.received[mail.to][mail.from] += 1;
        if self.verdict == Verdict::Opens {
            self.memory[mail.to].opened.insert(mail.number);
            self.memory[mail.to].sessions.insert(mail.from);
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        (2..=3_usize).prop_map(Self::new).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let devices = state.devices;
        let pair = (0..devices, 1..devices).prop_map(move |(from, step)| (from, (from + step) % devices));
        let crash = prop_oneof![
            6 => Just(None),
            1 => Just(Some(Crash::BeforeCommit)),
            1 => Just(Some(Crash::BeforeRelease)),
        ];
        // The newest more often than the oldest: some stay under way for many turns.
        let under_way = state.mail.len().max(1);
        let place = prop_oneof![1 => 0..under_way, 2 => Just(under_way - 1)].boxed();
        prop_oneof![
            3 => (pair.clone(), any::<bool>(), any::<bool>())
                .prop_map(|((from, to), weak, again)| Transition::Start { from, to, weak, again }),
            12 => (pair, crash.clone()).prop_map(|((from, to), crash)| Transition::Send { from, to, crash }),
            14 => (place.clone(), proptest::bool::weighted(0.25), crash)
                .prop_map(|(place, stays, crash)| Transition::Deliver { place, stays, crash }),
            2 => place.prop_map(|place| Transition::Lose { place }),
            1 => (0..devices).prop_map(|device| Transition::Replenish { device }),
            2 => (0..devices, any::<i16>()).prop_map(|(device, minutes)| Transition::Clock { device, minutes: minutes / 16 }),
            1 => (0..devices).prop_map(|device| Transition::Snapshot { device }),
            1 => (0..devices).prop_map(|device| Transition::RollBack { device }),
        ]
        .boxed()
    }

    fn preconditions(state: &Self, transition: &Transition) -> bool {
        match transition {
            Transition::Start { .. } => state.starts < MAX_STARTS,
            Transition::Send { from, to, .. } => state.memory[*from].sessions.contains(to),
            Transition::Deliver { place, .. } | Transition::Lose { place } => *place < state.mail.len(),
            Transition::RollBack { device } => state.snapshots[*device].is_some(),
            Transition::Replenish { .. } | Transition::Clock { .. } | Transition::Snapshot { .. } => true,
        }
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        match *transition {
            Transition::Start { from, to, .. } => {
                state.starts += 1;
                state.memory[from].sessions.insert(to);
            }
            Transition::Send { from, to, crash: None } => {
                let mail = Mail { number: state.sent, from, to, received: state.received[from][to] };
                state.mail.push(mail);
                state.sent += 1;
            }
            Transition::Deliver { place, stays, crash } => state.deliver(place, stays, crash),
            Transition::Lose { place } => drop(state.mail.remove(place)),
            Transition::Snapshot { device } => state.snapshots[device] = Some(state.memory[device].clone()),
            Transition::RollBack { device } => {
                state.memory[device] = state.snapshots[device].clone().unwrap();
                state.rolled_back.insert(device);
            }
            Transition::Send { crash: Some(_), .. }
            | Transition::Replenish { .. }
            | Transition::Clock { .. } => {}
        }
        state
    }
}

/// The real thing: devices, and the bytes under way in the order of the model's.
struct Devices {
    devices: Vec<Device>,
    server: Server,
    /// Number, sender, recipient, envelope.
    mail: Vec<(u16, usize, usize, Vec<u8>)>,
    snapshots: Vec<Option<(Store, BTreeSet<u16>)>>,
    /// What each device has opened, by its records as they are now.
    opened: Vec<BTreeSet<u16>>,
    sent: u16,
}

impl Devices {
    fn deliver(&mut self, place: usize, stays: bool, crash: Option<Crash>, verdict: Verdict) {
        let (number, from, to, envelope) = self.mail[place].clone();
        if !stays && crash.is_none() {
            self.mail.remove(place);
        }
        let from = self.devices[from].address;
        let receive = Receive { from, envelope: &envelope, associated_data: BOUND };
        let done = match crash {
            None => self.devices[to].run(&receive),
            Some(crash) => self.devices[to].prepare(&receive).map(|step| {
                step.commit(|writes, _| match crash {
                    Crash::BeforeCommit => Ok(()),
                    Crash::BeforeRelease => self.devices[to].store.apply(writes),
                })
                .unwrap()
            }),
        };
        let new = !self.opened[to].contains(&number);
        match &done {
            Ok(received) => {
                assert_eq!(
                    received.content.text().unwrap(),
                    number.to_be_bytes(),
                    "another text than was sent"
                );
                assert!(new, "opened twice");
                assert_ne!(verdict, Verdict::Refused);
                if !matches!(crash, Some(Crash::BeforeCommit)) {
                    self.opened[to].insert(number);
                }
            }
            Err(error) => {
                assert_ne!(verdict, Verdict::Opens, "refused: {error}");
                // Fewer messages than are remembered: the digests tell a repeat from a lost key, exactly.
                assert_eq!(*error == OpenError::Duplicate, !new, "{error}");
                assert!(!new || error.advice() == Advice::RequestRetry, "{error}");
            }
        }
    }
}

impl StateMachineTest for Devices {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let mut server = Server::default();
        let names = ["ada", "ben", "cleo"];
        let mut devices: Vec<_> = names[..model.devices].iter().map(|name| Device::new(name)).collect();
        devices.iter_mut().for_each(|device| drop(device.publish(5, &mut server)));
        let (snapshots, opened) = (vec![None; devices.len()], vec![BTreeSet::new(); devices.len()]);
        Self { devices, server, mail: Vec::new(), snapshots, opened, sent: 0 }
    }

    fn apply(mut this: Self, model: &Model, transition: Transition) -> Self {
        match transition {
            Transition::Start { from, to, weak, again } => {
                let peer = this.devices[to].address;
                let bundle = if weak { this.server.fetch_weak(peer) } else { this.server.fetch(peer) };
                let bundle = &VerifiedBundle::verify(&bundle, &peer).unwrap();
                let device = &mut this.devices[from];
                match if again { device.run(&Restart { bundle }) } else { device.run(&Start { bundle }) } {
                    Ok(_) => {}
                    Err(StartError::AlreadyStarted) => assert!(!again),
                    Err(other) => panic!("{other}"),
                }
            }
            Transition::Send { from, to, crash } => {
                let (to_address, text) = (this.devices[to].address, this.sent.to_be_bytes());
                let send =
                    Send { to: to_address, plaintext: &text, associated_data: BOUND, keep: Keep::ForRetry };
                let step = this.devices[from].prepare(&send).unwrap();
                let store = &mut this.devices[from].store;
                let sent = step.commit(|writes, _| match crash {
                    Some(Crash::BeforeCommit) => Ok(()),
                    Some(Crash::BeforeRelease) | None => store.apply(writes),
                });
                if crash.is_none() {
                    this.mail.push((this.sent, from, to, sent.unwrap().envelope));
                    this.sent += 1;
                }
            }
            Transition::Deliver { place, stays, crash } => this.deliver(place, stays, crash, model.verdict),
            Transition::Lose { place } => drop(this.mail.remove(place)),
            Transition::Replenish { device } => drop(this.devices[device].publish(2, &mut this.server)),
            Transition::Clock { device, minutes } => {
                let now = &mut this.devices[device].now.0;
                *now = now.saturating_add_signed(i64::from(minutes) * 60_000);
            }
            Transition::Snapshot { device } => {
                this.snapshots[device] =
                    Some((this.devices[device].store.clone(), this.opened[device].clone()));
            }
            Transition::RollBack { device } => {
                let (store, opened) = this.snapshots[device].clone().unwrap();
                (this.devices[device].store, this.opened[device]) = (store, opened);
            }
        }
        this
    }

    /// Everything arrives, both sides of every sound pair speak, and they agree.
    fn teardown(mut this: Self, mut model: Model) {
        while !model.mail.is_empty() {
            model.deliver(0, false, None);
            this.deliver(0, false, None, model.verdict);
        }
        for one in 0..model.devices {
            for two in one + 1..model.devices {
                if model.was_rolled_back(one, two) {
                    continue;
                }
                let speakers: Vec<_> = [(one, two), (two, one)]
                    .into_iter()
                    .filter(|(from, to)| model.memory[*from].sessions.contains(to))
                    .collect();
                let Some(first) = speakers.first().copied() else { continue };
                // Whoever can speak does; a session that the other has not met yet is met now.
                for (from, to) in speakers.into_iter().chain([first, (first.1, first.0), first]) {
                    let [from, to] = this.devices.get_disjoint_mut([from, to]).unwrap();
                    exchange(from, to);
                }
                let [one, two] = this.devices.get_disjoint_mut([one, two]).unwrap();
                let actives = [one.active(two.address), two.active(one.address)];
                assert_eq!(actives[0], actives[1], "quiet, and two sessions are active");
                assert!(actives[0].is_some());
            }
        }
    }
}

fn config() -> Config {
    Config {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_260_801),
        ..Config::default()
    }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn l10_l13_random_schedules_open_what_they_must_and_nothing_else(sequential 20..90 => Devices);
}
