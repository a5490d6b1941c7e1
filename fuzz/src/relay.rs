//! A relay driven by bytes: a phone, its desktop and a peer, a network that does what it likes, stores that come back from backups.
//!
//! What must hold whatever happens:
//! - a refusal changes no record, and an altered frame does nothing at either end;
//! - the peer shows no message id and no request twice, unless its own store went back; what it shows was asked for;
//! - what the desktop shows rises by one in its numbers, and where it does not, since the desktop has joined anew, a gap says so;
//! - whatever became of the two, the desktop can join anew, and then everything passes again, both ways;
//! - each event that the phone's store knows is shown, or told of as a gap that comes behind it, also where a store went back without its guard; once the desktop has joined anew, and without
//!   that where the phone answers it.
//!
//! And as long as no store goes back ("calm"): each event is shown once, or told as a gap also where the desktop has become a companion and it is passed on; what became of a request only moves
//! forward; and where both ends are attached, all that waits passes without joining anew.

mod ends;
mod moves;
mod rarely;
mod settle;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use outrigger::{
    AckPhone, Address, Advise, AskPhone, CancelRequest, Consent, Consequence, Context, DesktopConsent,
    FlushRequests, ForDesktop, GrantDesktop, JoinPhone, JoinProgress, Keep, MessageId, News, Operation,
    PlanMessage, Register, RejoinPhone, RelayOutbox, RelayReceive, RelayRequest, RelaySend, ReplenishPrekeys,
    Request, RequestId, RequestNumber, RequestState, ScanLinkCode, Send, SentToAccount, ShowDesktopCode,
    Start, TellDesktop, UnixMillis, Verdict, VerifiedBundle, WhileAway,
};

use moves::MOVES;
pub(crate) use moves::Move;

use super::world::{BOUND, Choices, GENERATION, NOW, Store, Toy, address, moves};

/// Rounds in which operations of the relay settle.
const ROUNDS: usize = 7;
const PHONE: usize = 0;
const DESK: usize = 1;
const PEER: usize = 2;

/// Paired, and the peer has a session with the phone: where every run begins.
static START: OnceLock<World> = OnceLock::new();

/// `move (1) ‖ its choices`, over and over.
pub fn relay(data: &[u8]) {
    let mut world = START.get_or_init(World::new).clone();
    moves(data, |kind, choices| world.play(kind, choices));
    world.settle();
}

/// What a backup of one of the three brings back: its records, and what its user has seen.
#[derive(Clone, Default)]
struct Held {
    store: Store,
    /// At the desktop: the last number, the events, and how far each request came.
    number: u64,
    events: BTreeSet<Vec<u8>>,
    gaps: u64,
    /// What was told before a gap that it has shown.
    covered: BTreeSet<Vec<u8>>,
    states: BTreeMap<RequestId, RequestState>,
    /// What a status has told of: an answer that was on its way may say the same once more.
    by_status: BTreeSet<RequestId>,
    /// The acceptance made last, and whether something has come behind it that may be another offer, which has a number and does not say it.
    acceptance: Option<RequestId>,
    late: bool,
    /// At the phone: what it has told, or counted as missed.
    told: BTreeSet<Vec<u8>>,
    /// At the peer.
    ids: BTreeSet<MessageId>,
    texts: BTreeSet<Vec<u8>>,
}

impl Held {
    /// Whether the desktop has accepted an offer, and was not refused.
    fn has_accepted(&self) -> bool {
        let state = self.acceptance.map(|request| self.states.get(&request));
        matches!(state, Some(None | Some(RequestState::Accepted)))
    }

    /// Numbers rise by one, but behind an offer that was not kept.
    fn shows(&mut self, number: u64) {
        let late = std::mem::take(&mut self.late) && number == self.number + 2;
        assert!(
            late || number == self.number + 1,
            "a hole that no gap tells of: {number} after {}",
            self.number
        );
        self.number = number;
    }
}

#[derive(Clone)]
struct Frame {
    up: bool,
    bytes: Vec<u8>,
}

#[derive(Clone)]
struct World {
    held: [Held; 3],
    backups: [Option<Held>; 3],
    phone: Address,
    desk: Address,
    peer: Address,
    bundle: Vec<u8>,
    frames: Vec<Frame>,
    in_flight: Vec<usize>,
    /// Those with which the desktop has left.
    byes: BTreeSet<Vec<u8>>,
    /// Envelopes of the peer's, and of the phone's to it.
    said: Vec<Vec<u8>>,
    posted: Vec<Vec<u8>>,
    /// What the phone took of the peer's and what it said itself, and what the desktop asked to say.
    relayed: BTreeSet<Vec<u8>>,
    asked: BTreeSet<Vec<u8>>,
    requests: Vec<RequestId>,
    cancelled: BTreeSet<RequestId>,
    taken: Vec<RequestNumber>,
    texts: u32,
    now: UnixMillis,
    /// The latest that it ever was, by any clock.
    latest: UnixMillis,
    /// How far the clock of each is ahead, in milliseconds.
    ahead: [u64; 3],
    toy: Toy,
    calm: bool,
}

impl World {
    fn new() -> Self {
        let (phone, peer) = (address(b"alice-0123456789"), address(b"bob---0123456789"));
        let mut world = Self {
            held: Default::default(),
            backups: Default::default(),
            phone,
            desk: phone,
            peer,
            bundle: Vec::new(),
            frames: Vec::new(),
            in_flight: Vec::new(),
            byes: BTreeSet::new(),
            said: Vec::new(),
            posted: Vec::new(),
            relayed: BTreeSet::new(),
            asked: BTreeSet::new(),
            requests: Vec::new(),
            cancelled: BTreeSet::new(),
            taken: Vec::new(),
            texts: 0,
            now: NOW,
            latest: NOW,
            ahead: [0; 3],
            toy: Toy(13),
            calm: true,
        };
        world.must(PHONE, &Register { address: phone });
        world.must(PEER, &Register { address: peer });
        world.replenish();
        let bundle = world.verified();
        world.must(PEER, &Start { bundle: &bundle });
        world.pair();
        world.say();
        world.take(0).expect("opens");
        world.deliver_all();
        world
    }

    fn pair(&mut self) {
        let code = self.must(DESK, &ShowDesktopCode);
        let request = self.must(PHONE, &ScanLinkCode { code: code.text() });
        let consequence = Consequence::ReadsAndSpeaksThroughThePhone;
        let consent = Consent { companion: request.companion, consequence };
        let (reference, may) = (request.reference, DesktopConsent::Always);
        let granted = self.must(PHONE, &GrantDesktop { reference, consent, may });
        let progress = self.must(DESK, &JoinPhone { message: &granted.grant });
        let JoinProgress::Joining { address, frame, .. } = progress else { panic!("{progress:?}") };
        self.desk = address;
        self.send(true, [frame]);
        self.deliver_all();
    }

    fn play(&mut self, kind: u8, choices: &mut Choices<'_>) {
        match MOVES[usize::from(kind) % MOVES.len()] {
            Move::Event => {
                self.say();
                let _ = self.take(self.said.len() - 1);
            }
            Move::Say => self.say(),
            Move::Take => {
                let place = choices.below(self.said.len());
                let _ = self.take(place);
            }
            Move::Own => self.own(),
            Move::Request => self.request(choices),
            Move::Flush => {
                let frames = self.run(DESK, &FlushRequests).unwrap_or_default();
                self.send(true, frames);
            }
            Move::Cancel => {
                if let Some(request) = self.requests.get(choices.below(self.requests.len())).copied()
                    && self.run(DESK, &CancelRequest { request }).is_ok()
                {
                    self.cancelled.insert(request);
                }
            }
            Move::Ask => {
                let frame = self.run(DESK, &AskPhone);
                self.send(true, frame.ok());
            }
            Move::Acknowledge => {
                let frame = self.run(DESK, &AckPhone);
                self.send(true, frame.ok());
            }
            Move::Up => drop(self.next(true, verdict(choices))),
            Move::Down => drop(self.next(false, None)),
            Move::Again => {
                if let Some(frame) = self.pick(choices) {
                    let _ = self.deliver(&frame, verdict(choices));
                }
            }
            Move::Astray => {
                if let Some(Frame { up, bytes }) = self.pick(choices) {
                    assert!(self.deliver(&Frame { up: !up, bytes }, Some(Verdict::Allow)).is_none());
                }
            }
            Move::Altered => self.altered(choices),
            Move::Lose => {
                if !self.in_flight.is_empty() {
                    self.in_flight.remove(choices.below(self.in_flight.len()));
                }
            }
            Move::Outbox => {
                let frames = self.run(PHONE, &RelayOutbox { desktop: self.desk.device });
                self.send(false, frames.unwrap_or_default());
            }
            Move::Tell => self.tell(choices),
            Move::Hear => {
                if let Some(envelope) = self.posted.get(choices.below(self.posted.len())).cloned() {
                    let _ = self.hear(&envelope);
                }
            }
            Move::BackUp => {
                let at = choices.below(3);
                self.backups[at] = Some(self.held[at].clone());
            }
            Move::RollBack => {
                let at = choices.below(3);
                if let Some(backup) = self.backups[at].clone() {
                    self.calm = false;
                    self.held[at] = backup;
                    // What the phone has forgotten comes again, and is to be told of again.
                    let [phone, desk, _] = &mut self.held;
                    desk.covered.retain(|text| phone.told.contains(text));
                }
            }
            Move::Rejoin => {
                let bundle = self.verified();
                let frame = self.run(DESK, &RejoinPhone { bundle: &bundle });
                self.send(true, frame.ok());
            }
            Move::Rarely => self.rarely(choices),
        }
    }

    fn say(&mut self) {
        let text = self.text("said");
        let send = Send { to: self.phone, plaintext: &text, associated_data: BOUND, keep: Keep::ForRetry };
        if let Ok(sent) = self.run(PEER, &send) {
            self.said.push(sent.envelope);
        }
    }

    /// The phone takes a message of the peer's, which changes nothing or goes to the desktop too.
    fn take(&mut self, place: usize) -> Option<Vec<ForDesktop>> {
        let envelope = self.said.get(place)?.clone();
        let receive = RelayReceive { from: self.peer, envelope: &envelope, associated_data: BOUND };
        let taken = self.run(PHONE, &receive).ok()?;
        let text = taken.received.content.text().expect("a message").to_vec();
        self.held[PHONE].told.insert(text.clone());
        let new = self.relayed.insert(text);
        assert!(new || !self.calm, "opened twice");
        self.told(&taken.desktops);
        Some(taken.desktops)
    }

    fn own(&mut self) {
        let Ok(plan) = self.run(PHONE, &PlanMessage { to: self.peer.account }) else { return };
        let text = self.text("own");
        let (associated_data, keep) = (BOUND, Keep::ForRetry);
        if let Ok(sent) = self.run(PHONE, &RelaySend { plan: &plan, plaintext: &text, associated_data, keep })
        {
            self.asked.insert(text.clone());
            // A companion whose list is past its time gets no copy, which the phone's app has from the plan.
            if !sent.desktops.is_empty() || sent.sent.copies.iter().any(|(to, _)| *to == self.desk) {
                self.held[PHONE].told.insert(text.clone());
                self.relayed.insert(text);
            }
            self.posted(&sent.sent);
            self.told(&sent.desktops);
        }
    }

    fn request(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let text = self.text("asked");
        let request = match how % 4 {
            0 => Request::Query(&text),
            _ => Request::Send { to: self.peer.account, plaintext: &text, associated_data: BOUND },
        };
        let while_away = if how & 4 == 0 { WhileAway::Queue } else { WhileAway::Refuse };
        let not_after = if how & 0x18 == 0x18 { self.now } else { UnixMillis(u64::MAX) };
        self.asked.insert(text.clone());
        self.ask_for(request, while_away, not_after);
    }

    fn ask_for(&mut self, request: Request<'_>, while_away: WhileAway, not_after: UnixMillis) {
        if let Ok(made) = self.run(DESK, &RelayRequest { request, not_after, while_away }) {
            self.requests.push(made.request);
            self.send(true, made.frames);
        }
    }

    fn tell(&mut self, choices: &mut Choices<'_>) {
        let Some(request) = self.taken.get(choices.below(self.taken.len())) else { return };
        let news = [News::Relayed, News::Delivered, News::Read, News::Found(b"found")];
        let (desktop, request, news) = (self.desk.device, *request, news[choices.below(news.len())]);
        if let Ok(told) = self.run(PHONE, &TellDesktop { desktop, request, news }) {
            self.told(&[told]);
        }
    }

    fn altered(&mut self, choices: &mut Choices<'_>) {
        let Some(Frame { up, mut bytes }) = self.pick(choices) else { return };
        let place = usize::from(choices.u16()) % bytes.len();
        bytes[place] ^= choices.byte().max(1);
        assert!(self.deliver(&Frame { up, bytes }, Some(Verdict::Allow)).is_none(), "an altered frame");
    }

    fn pick(&self, choices: &mut Choices<'_>) -> Option<Frame> {
        let place = usize::from(choices.u16()).checked_rem(self.frames.len())?;
        self.frames.get(place).cloned()
    }

    fn send(&mut self, up: bool, frames: impl IntoIterator<Item = Vec<u8>>) {
        for bytes in frames {
            let known = self.frames.iter().position(|frame| frame.bytes == bytes);
            let place = known.unwrap_or_else(|| {
                self.frames.push(Frame { up, bytes });
                self.frames.len() - 1
            });
            if !self.in_flight.contains(&place) {
                self.in_flight.push(place);
            }
        }
    }

    fn told(&mut self, desktops: &[ForDesktop]) {
        desktops.iter().for_each(|told| self.send(false, told.frames.clone()));
    }

    fn posted(&mut self, sent: &SentToAccount) {
        for (to, sent) in &sent.copies {
            match *to == self.desk {
                true => self.send(false, [sent.envelope.clone()]),
                false => self.posted.push(sent.envelope.clone()),
            }
        }
    }

    fn text(&mut self, of: &str) -> Vec<u8> {
        self.texts += 1;
        format!("{of} {}", self.texts).into_bytes()
    }

    fn replenish(&mut self) {
        let upload = self.must(PHONE, &ReplenishPrekeys { one_time: 0 });
        self.bundle = [upload.bundle, upload.last_resort].concat();
    }

    fn verified(&self) -> VerifiedBundle {
        VerifiedBundle::verify(&self.bundle, &self.phone).expect("verifies")
    }

    fn run<O: Operation>(&mut self, at: usize, operation: &O) -> Result<O::Output, O::Error> {
        let now = self.now.plus(self.ahead[at]);
        self.latest = self.latest.max(now);
        let context = &mut Context::new(now, GENERATION, &mut self.toy);
        let store = &mut self.held[at].store;
        let step = store.step_in(ROUNDS, operation, context);
        step.map(|step| store.commit(step)).inspect_err(|error| {
            let _ = format!("{error} {error:?} {:?}", error.advice());
        })
    }

    fn must<O: Operation>(&mut self, at: usize, operation: &O) -> O::Output {
        self.run(at, operation).unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }
}

/// The user's word, where they are asked.
fn verdict(choices: &mut Choices<'_>) -> Option<Verdict> {
    [None, Some(Verdict::Allow), Some(Verdict::Deny)][choices.below(3)]
}
