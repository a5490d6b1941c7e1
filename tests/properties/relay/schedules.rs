//! Random schedules over a network that loses, doubles and reorders, apps that die between a step and its commit, and stores that go back.

use std::collections::BTreeMap;

use outrigger::{
    AckPhone, AskPhone, Content, DesktopConsent, FlushRequests, FromDesktop, FromPhone, OpenError,
    RejoinPhone, RelayOutbox, RelayReceive, RelayRequest, Request, RequestId, RequestState, TakeFromPhone,
    Verdict, WhileAway,
};
use proptest::prelude::*;

use super::office::{EVER, Office, office};
use crate::world::BOUND;

/// A network and what its users see.
struct Run {
    office: Office,
    /// On their way: to the phone from the peer, to the phone from the desktop, to the desktop, to the peer.
    wires: [Vec<Vec<u8>>; 4],
    said: u32,
    asked: BTreeMap<RequestId, (String, Option<RequestState>)>,
    shown: Vec<String>,
    last_number: u64,
    heard: Vec<String>,
    /// Whether a join came since the last number, and whether numbers were passed over since the last gap.
    joined: bool,
    hole: bool,
}

const FROM_PEER: usize = 0;
const UP: usize = 1;
const DOWN: usize = 2;
const TO_PEER: usize = 3;

impl Run {
    fn new() -> Self {
        Self {
            office: office(DesktopConsent::Always),
            wires: Default::default(),
            said: 0,
            asked: BTreeMap::new(),
            shown: Vec::new(),
            last_number: 0,
            heard: Vec::new(),
            joined: false,
            hole: false,
        }
    }

    fn peer_says(&mut self) {
        self.said += 1;
        let text = format!("down {}", self.said);
        if let Ok(sent) = self.office.peer.try_send(self.office.phone.address, &text) {
            self.wires[FROM_PEER].push(sent.envelope);
        }
    }

    fn desk_says(&mut self) {
        let text = format!("up {}", self.asked.len());
        let to = self.office.peer.address.account;
        let request = Request::Send { to, plaintext: text.as_bytes(), associated_data: BOUND };
        let request = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        if let Ok(asked) = self.office.desk.run(&request) {
            self.asked.insert(asked.request, (text, None));
            self.wires[UP].extend(asked.frames);
        }
    }

    /// Delivers what is at a place of a wire, and leaves it there if it is to come twice.
    fn deliver(&mut self, wire: usize, place: usize, twice: bool) {
        if self.wires[wire].is_empty() {
            return;
        }
        let place = place % self.wires[wire].len();
        let bytes = if twice { self.wires[wire][place].clone() } else { self.wires[wire].remove(place) };
        match wire {
            FROM_PEER => {
                let from = self.office.peer.address;
                let receive = RelayReceive { from, envelope: &bytes, associated_data: BOUND };
                if let Ok(done) = self.office.phone.run(&receive) {
                    self.wires[DOWN].extend(done.desktops.into_iter().flat_map(|told| told.frames));
                }
            }
            UP => match self.office.phone.decides(&self.office.desk, &bytes, Verdict::Allow) {
                Ok(FromDesktop::Sent { sent, desktops, .. }) => {
                    self.wires[TO_PEER].extend(sent.copies.into_iter().map(|(_, copy)| copy.envelope));
                    self.wires[DOWN].extend(desktops.into_iter().flat_map(|told| told.frames));
                }
                Ok(
                    FromDesktop::Heard { frames, .. }
                    | FromDesktop::Joined { frames, .. }
                    | FromDesktop::Refused { frames, .. },
                ) => self.wires[DOWN].extend(frames),
                // An early one is kept by the app.
                Err(outrigger::RelayError::EarlyRequest { .. }) if !twice => self.wires[UP].push(bytes),
                Ok(_) | Err(_) => {}
            },
            DOWN => match self.office.desk.run(&TakeFromPhone { envelope: &bytes }) {
                Ok(taken) => self.note(taken.said),
                Err(outrigger::RelayError::Early { .. } | outrigger::RelayError::Joining) if !twice => {
                    self.wires[DOWN].push(bytes);
                }
                Err(_) => {}
            },
            _ => match self.office.peer.receive(self.office.phone.address, &bytes) {
                Ok(received) => {
                    let Content::ForAccount { text, .. } = received.content else { panic!("{received:?}") };
                    self.heard.push(String::from_utf8(text.to_vec()).unwrap());
                }
                Err(OpenError::Duplicate | OpenError::KeyGone | OpenError::OutOfStep) => {}
                Err(error) => panic!("{error:?}"),
            },
        }
    }

    /// Numbers rise by one, but behind a join, which passes numbers over: then a gap stands before the next that is shown.
    fn number(&mut self, number: u64) {
        let last = core::mem::replace(&mut self.last_number, number);
        let joined = core::mem::take(&mut self.joined);
        assert!(number == last + 1 || (joined && number > last), "{number} after {last}");
        self.hole |= number > last + 1;
    }

    fn note(&mut self, said: FromPhone) {
        match said {
            FromPhone::Event { number, text, .. } => {
                self.number(number.0);
                assert!(!self.hole, "{number:?} behind a hole without a gap");
                self.shown.push(String::from_utf8(text.to_vec()).unwrap());
            }
            FromPhone::Gap { number, .. } => {
                self.number(number.0);
                self.hole = false;
                self.shown.push("gap".into());
            }
            FromPhone::Answer { number, request, state } => {
                self.number(number.0);
                self.settle(request, state);
            }
            FromPhone::Status { joined, settled, .. } => {
                for (request, state) in settled {
                    self.settle(request, state);
                }
                // Numbers go on from where the phone says; a gap follows where there is one.
                self.joined |= joined;
            }
            FromPhone::Late | FromPhone::Suspended(_) => {}
            said @ (FromPhone::OwnSent { .. } | FromPhone::Found { .. } | FromPhone::Ended { .. } | _) => {
                panic!("{said:?}")
            }
        }
    }

    /// States only move forward.
    fn settle(&mut self, request: RequestId, state: RequestState) {
        let (_, before) = self.asked.get_mut(&request).expect("a request of this desktop's");
        assert!(before.is_none_or(|before| before <= state), "{before:?} {state:?}");
        *before = Some(state);
    }

    /// Both ends do what an app does at its start and on its timers.
    fn timers(&mut self) {
        if let Ok(frame) = self.office.desk.run(&AskPhone) {
            self.wires[UP].push(frame);
        }
        if let Ok(frames) = self.office.desk.run(&FlushRequests) {
            self.wires[UP].extend(frames);
        }
        if let Ok(frame) = self.office.desk.run(&AckPhone) {
            self.wires[UP].push(frame);
        }
        let desktop = self.office.desk.address.device;
        if let Ok(frames) = self.office.phone.run(&RelayOutbox { desktop }) {
            self.wires[DOWN].extend(frames);
        }
    }

    /// Delivers everything, again and again, until nothing is new.
    fn drain(&mut self) {
        for _ in 0..8 {
            self.timers();
            for wire in [FROM_PEER, UP, DOWN, TO_PEER] {
                for _ in 0..self.wires[wire].len() * 2 {
                    self.deliver(wire, 0, false);
                }
            }
        }
    }

    fn act(&mut self, dice: u8, place: usize) {
        match dice {
            0..=39 => self.peer_says(),
            40..=69 => self.desk_says(),
            70..=199 => self.deliver(usize::from(dice % 4), place, place.is_multiple_of(5)),
            200..=219 => self.timers(),
            // Lost.
            220..=234 => {
                let wire = &mut self.wires[usize::from(dice % 4)];
                // What the peer sends is its server's to keep.
                if !wire.is_empty() && !matches!(dice % 4, 0 | 3) {
                    wire.remove(place % wire.len());
                }
            }
            // Died between the step and its commit: nothing has happened.
            _ => {
                if let Some(bytes) = self.wires[DOWN].first() {
                    drop(self.office.desk.prepare(&TakeFromPhone { envelope: bytes }));
                }
            }
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<(u8, usize)>> {
    prop::collection::vec((any::<u8>(), 0_usize..64), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without roll-backs everything arrives, both ways, once and in order.
    #[test]
    fn everything_arrives_once_and_in_order(acts in acts()) {
        let mut run = Run::new();
        for (dice, place) in acts {
            run.act(dice, place);
        }
        run.drain();
        let all: Vec<_> = (1..=run.said).map(|count| format!("down {count}")).collect();
        let mut shown = run.shown.clone();
        shown.sort();
        let mut sorted = all.clone();
        sorted.sort();
        // In the order in which the phone opened them, which a network may change.
        prop_assert_eq!(shown, sorted);
        let asked: Vec<_> = (0..run.asked.len()).map(|count| format!("up {count}")).collect();
        let mut heard = run.heard.clone();
        heard.sort();
        let mut sorted = asked;
        sorted.sort();
        prop_assert_eq!(heard, sorted);
        for (text, state) in run.asked.values() {
            prop_assert_eq!((text, *state), (text, Some(RequestState::Accepted)));
        }
    }

    /// With either store going back to any moment: nothing comes twice to the peer, no request is said to be refused that was done, and once the desktop has joined anew
    /// everything flows.
    #[test]
    fn stores_that_go_back_double_nothing(
        before in acts(), between in acts(), after in acts(), which in 1_u8..4, key in any::<bool>(),
    ) {
        let mut run = Run::new();
        for (dice, place) in before {
            run.act(dice, place);
        }
        let snapshots = (run.office.phone.store.clone(), run.office.desk.store.clone(), run.last_number);
        for (dice, place) in between {
            run.act(dice, place);
        }
        if which & 1 != 0 {
            run.office.phone.store = snapshots.0;
        }
        if which & 2 != 0 {
            run.office.desk.store = snapshots.1;
            // Its app has forgotten what it showed and asked since.
            run.last_number = snapshots.2;
            for (_, state) in run.asked.values_mut() {
                *state = None;
            }
        }
        if key {
            for (dice, place) in after {
                run.act(dice, place);
            }
        }
        // The phone's session with the peer went back, too.
        run.office.peer.restart(run.office.phone.address, &mut run.office.server).unwrap();
        run.peer_says();
        let bundle = run.office.bundle();
        let frame = run.office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
        run.wires[UP].push(frame);
        run.drain();
        let mut heard = run.heard.clone();
        heard.sort();
        let count = heard.len();
        heard.dedup();
        prop_assert_eq!(count, heard.len(), "a request came twice to the peer");
        for (text, state) in run.asked.values() {
            let refused = matches!(state, Some(RequestState::Refused(_)));
            prop_assert!(!(refused && run.heard.contains(text)), "{} was refused, and done", text);
        }
        run.shown.clear();
        run.peer_says();
        run.desk_says();
        run.drain();
        prop_assert_eq!(run.shown.len(), 1);
        let said = run.heard.last().cloned();
        prop_assert!(said.is_some_and(|said| said.starts_with("up")));
    }
}

/// Every pair of moments of a run of twelve steps: the phone goes back to one, the desktop to the other. The desktop joins anew, nothing comes twice to the peer, nothing is said
/// to be refused that was done, and everything flows.
#[test]
fn every_pair_of_restore_points() {
    let mut run = Run::new();
    let moment = |run: &Run| {
        let shown = (run.last_number, run.shown.clone());
        (run.office.phone.store.clone(), run.office.desk.store.clone(), shown)
    };
    let mut moments = vec![moment(&run)];
    for step in 0..12 {
        match step % 4 {
            0 => run.peer_says(),
            1 => run.desk_says(),
            2 => (FROM_PEER..=DOWN).for_each(|wire| run.deliver(wire, 0, false)),
            _ => {
                run.timers();
                (UP..=TO_PEER).for_each(|wire| run.deliver(wire, 0, false));
            }
        }
        moments.push(moment(&run));
    }
    assert!(!run.heard.is_empty() && !run.shown.is_empty());
    for (phone, _, _) in &moments {
        for (_, desk, (last_number, shown)) in &moments {
            let mut back = Run { office: run.office.clone(), wires: run.wires.clone(), ..Run::new() };
            back.asked.clone_from(&run.asked);
            back.asked.values_mut().for_each(|(_, state)| *state = None);
            back.heard.clone_from(&run.heard);
            (back.last_number, back.shown) = (*last_number, shown.clone());
            back.office.phone.store = phone.clone();
            back.office.desk.store = desk.clone();
            back.drain();
            // What it shows before it joins anew is what comes next, as before.
            let in_order: Vec<_> = (1..=back.shown.len()).map(|count| format!("down {count}")).collect();
            assert_eq!(back.shown, in_order);
            back.office.peer.restart(back.office.phone.address, &mut back.office.server).unwrap();
            back.peer_says();
            let bundle = back.office.bundle();
            let frame = back.office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
            back.wires[UP].push(frame);
            back.drain();
            let mut heard = back.heard.clone();
            heard.sort();
            let count = heard.len();
            heard.dedup();
            assert_eq!(count, heard.len(), "a request came twice to the peer");
            for (text, state) in back.asked.values() {
                let refused = matches!(state, Some(RequestState::Refused(_)));
                assert!(!(refused && back.heard.contains(text)), "{text} was refused, and done");
            }
            back.shown.clear();
            back.peer_says();
            back.drain();
            assert_eq!(back.shown.len(), 1, "it flows again");
        }
    }
}
