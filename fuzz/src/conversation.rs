//! A whole conversation driven by bytes: three devices, a network that does what it likes, stores that crash and come back from backups.
//!
//! What must hold whatever happens:
//! - what opens is what was sent, to this device, with the id that the sender has, in the session that the sender named;
//! - each message opens at most once, and no two messages with one id, unless the recipient's store went back to an earlier state;
//! - an altered, misdirected or otherwise bound envelope opens nothing; a refusal changes no record; a step that was not stored has not happened;
//! - a batch does what its operations do one by one;
//! - what is asked for again comes under its own id, to whom it was for, in at most four envelopes, and once for each that is asked for; nothing follows from an altered request;
//! - a store that is taken over after a backup opens what is under way and sends nothing in its old sessions;
//! - nothing is sent to a peer whose identity key waits for a decision.
//!
//! And as long as the network only loses, and keeps the order of, what is sent in each direction, and no store goes back ("calm"): every first
//! delivery opens, and when both sides have heard each other they agree on the active session.

mod deliveries;
mod devices;
mod moves;
mod retries;

use std::{collections::BTreeSet, sync::OnceLock};

use outrigger::{
    Address, ConfirmPrekeys, Context, DecideIdentity, Decision, DescribeDevice, DescribePeer, Generation,
    HandOutBundle, Headers, Keep, Limits, MessageId, OneTimePrekeyFields, OpenError, Receive, Received,
    Restart, RetryOutcome, Send, SendError, SessionId, Start, StartError, Step, TrustMark, UnixMillis,
    UploadId,
};

use moves::MOVES;
pub(crate) use moves::Move;

use super::{
    differential::sent_is_as_documented,
    world::{Choices, Failing, NOW, Refusal, Store, Toy, address, low_limits, moves},
};

const DEVICES: usize = 3;

/// Three registered devices: where every conversation begins.
static START: OnceLock<World> = OnceLock::new();

/// `move (1) ‖ its choices`, over and over.
pub fn conversation(data: &[u8]) {
    let mut world = START.get_or_init(World::new).clone();
    moves(data, |kind, choices| world.play(kind, choices));
    if world.calm {
        world.settle();
    }
}

/// A device and what its user has seen.
#[derive(Clone)]
struct Device {
    address: Address,
    held: Held,
    backup: Option<Held>,
    /// How often it was made anew.
    incarnation: usize,
    /// The restore guard, which no backup holds.
    generation: Generation,
    /// Whether its store ever went back: then it may answer a request again.
    went_back: bool,
}

/// What a backup brings back.
#[derive(Clone, Default)]
struct Held {
    store: Store,
    opened: BTreeSet<usize>,
    /// The messages that were shown, by sender and id.
    ids: BTreeSet<(usize, MessageId)>,
    /// Of which generation the records are.
    generation: Option<Generation>,
}

/// What the server has of a device.
#[derive(Clone, Default)]
struct Shelf {
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: Vec<OneTimePrekeyFields>,
    upload: UploadId,
}

#[derive(Clone)]
struct Message {
    from: usize,
    to: usize,
    incarnation: usize,
    envelope: Vec<u8>,
    plaintext: Vec<u8>,
    bound: Vec<u8>,
    id: MessageId,
    session: SessionId,
    kept: bool,
    /// For an answer: the message that it brings again, or reports lost.
    answers: Option<(usize, RetryOutcome)>,
}

/// A request that was made.
#[derive(Clone)]
struct Request {
    /// For which envelope.
    message: usize,
    bytes: Vec<u8>,
    answered: bool,
}

#[derive(Clone)]
struct World {
    devices: Vec<Device>,
    server: Vec<Shelf>,
    messages: Vec<Message>,
    requests: Vec<Request>,
    in_flight: Vec<usize>,
    now: UnixMillis,
    toy: Toy,
    calm: bool,
    restarts: usize,
    /// For each direction the newest message that was delivered.
    newest: [[Option<usize>; DEVICES]; DEVICES],
}

impl World {
    fn new() -> Self {
        let addresses =
            [address(b"alice-0123456789"), address(b"bob---0123456789"), address(b"carol-0123456789")];
        let devices = addresses
            .map(|address| Device {
                address,
                held: Held::default(),
                backup: None,
                incarnation: 0,
                generation: Generation([0; 16]),
                went_back: false,
            })
            .to_vec();
        let mut world = Self {
            devices,
            server: vec![Shelf::default(); DEVICES],
            messages: Vec::new(),
            requests: Vec::new(),
            in_flight: Vec::new(),
            now: NOW,
            toy: Toy(10),
            calm: true,
            restarts: 0,
            newest: Default::default(),
        };
        (0..DEVICES).for_each(|at| world.register(at));
        world
    }

    fn play(&mut self, kind: u8, choices: &mut Choices<'_>) {
        let who = choices.byte();
        let at = usize::from(who & 15) % DEVICES;
        let other = (at + 1 + usize::from(who >> 4) % (DEVICES - 1)) % DEVICES;
        match MOVES[usize::from(kind) % MOVES.len()] {
            Move::Start => self.start(at, other, true),
            Move::StartWeak => self.start(at, other, false),
            Move::Restart => self.restart(at, other),
            Move::Send => self.send(at, other, choices),
            Move::SendAndCrash => self.send_and_crash(at, other, choices),
            Move::DeliverNext => {
                if let Some(place) = self.next_in_flight(other, at) {
                    let message = self.in_flight.remove(place);
                    self.deliver(message, Limits::DEFAULT);
                }
            }
            Move::DeliverAny => {
                if let Some(message) = self.pick(choices) {
                    self.in_flight.retain(|kept| *kept != message);
                    self.deliver(message, Limits::DEFAULT);
                }
            }
            Move::DeliverAgain => {
                if !self.messages.is_empty() {
                    let message = choices.below(self.messages.len());
                    self.deliver(message, Limits::DEFAULT);
                }
            }
            Move::Lose => {
                if let Some(message) = self.pick(choices) {
                    self.in_flight.retain(|kept| *kept != message);
                }
            }
            Move::DeliverAltered => self.deliver_altered(choices),
            Move::DeliverMisdirected => self.deliver_misdirected(at, choices),
            Move::DeliverBatch => self.deliver_batch(at, choices),
            Move::DeliverAndCrash => self.deliver_and_crash(choices),
            Move::DeliverLowLimits => {
                if let Some(message) = self.pick(choices) {
                    self.calm = false;
                    self.deliver(message, low_limits());
                }
            }
            Move::Replenish => self.replenish(at, u16::from(who >> 4)),
            Move::BackUp => {
                let device = &mut self.devices[at];
                device.backup = Some(Held { generation: Some(device.generation), ..device.held.clone() });
            }
            Move::RollBack => {
                if let Some(backup) = self.devices[at].backup.clone() {
                    self.calm = false;
                    self.devices[at].went_back = true;
                    let foreign = backup.generation != Some(self.devices[at].generation);
                    self.devices[at].held = backup;
                    if foreign {
                        self.take_over(at);
                    }
                }
            }
            Move::Ask => {
                if !self.messages.is_empty() {
                    let message = choices.below(self.messages.len());
                    self.ask(message);
                }
            }
            Move::Answer => {
                if !self.requests.is_empty() {
                    let request = choices.below(self.requests.len());
                    self.answer(request, choices.byte());
                }
            }
            Move::AnswerAltered => self.answer_altered(choices),
            Move::Recover => {
                self.calm = false;
                let device = &mut self.devices[at];
                device.went_back = true;
                device.held = device.backup.clone().unwrap_or_else(|| device.held.clone());
                device.generation.0[0] = device.generation.0[0].wrapping_add(1);
                self.take_over(at);
            }
            Move::Confirm => {
                let made = self.server[at].upload;
                // A number that was never made shows that the store went back: the next upload replaces all.
                let upload = UploadId { number: made.number + u32::from(choices.byte() / 128), ..made };
                let state = self.run(at, &ConfirmPrekeys { upload }).expect("readable");
                assert!(state.next_upload > upload.number);
                // Of what was made, all up to it is confirmed; of what was not, nothing is known.
                assert!(state.replaces || state.unconfirmed.iter().all(|id| id.number > upload.number));
                self.run(at, &HandOutBundle).map_or_else(|error| error.show(), drop);
            }
            Move::TurnClock => self.turn_clock(choices),
            Move::Rarely => self.rarely(at, other, choices),
        }
    }

    /// What happens seldom: a new device under an old address, and decisions about keys.
    fn rarely(&mut self, at: usize, other: usize, choices: &mut Choices<'_>) {
        let kind = choices.byte();
        if kind.is_multiple_of(4) {
            self.calm = false;
            self.devices[at].held.store = Store::default();
            self.devices[at].backup = None;
            self.devices[at].incarnation += 1;
            self.devices[at].went_back = true;
            self.register(at);
            return;
        }
        let description = self.run(at, &DescribeDevice).expect("registered");
        let key = description.identity_key;
        let decision = match kind % 4 {
            1 => Decision::Accept(key),
            2 => Decision::Suspect(key),
            _ if kind & 16 == 0 => Decision::Reject(key),
            _ => Decision::Verify(key),
        };
        let peer = self.devices[at].address;
        let before = self.run(other, &DescribePeer { peer }).expect("readable").identity_key;
        if self.run(other, &DecideIdentity { peer, decision }).is_ok()
            && !matches!(decision, Decision::Verify(_))
        {
            self.calm = false;
            // What was opened is forgotten with the key that it was of.
            if before != Some(key) && matches!(decision, Decision::Accept(_)) {
                self.devices[other].held.ids.retain(|(from, _)| *from != at);
            }
        }
    }

    fn start(&mut self, at: usize, other: usize, one_time: bool) {
        let field = if one_time { self.server[other].one_time.pop() } else { None };
        let bundle = self.bundle(other, field.as_ref());
        match self.run(at, &Start { bundle: &bundle }) {
            Ok(_) => {}
            Err(StartError::AlreadyStarted | StartError::IdentityChanged { .. }) => {
                // The server cannot know that its key was not used; here it takes it back.
                self.server[other].one_time.extend(field);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Gives up a session without an answer, where there is one.
    fn restart(&mut self, at: usize, other: usize) {
        let field = self.server[other].one_time.pop();
        let bundle = self.bundle(other, field.as_ref());
        match self.run(at, &Restart { bundle: &bundle }) {
            // Each archives a session; the peer may still be speaking in the one that the seventeenth lets go.
            Ok(_) => {
                self.restarts += 1;
                self.calm = self.calm && self.restarts < 8;
            }
            Err(StartError::IdentityChanged { .. }) => self.server[other].one_time.extend(field),
            Err(error) => panic!("{error}"),
        }
    }

    fn send(&mut self, at: usize, to: usize, choices: &mut Choices<'_>) {
        let (plaintext, bound) = self.text(choices);
        let kept = bound.len() < 12;
        let send = Send {
            to: self.devices[to].address,
            plaintext: &plaintext,
            associated_data: &bound,
            keep: if kept { Keep::ForRetry } else { Keep::Nothing },
        };
        let peer = self.run(at, &DescribePeer { peer: self.devices[to].address }).expect("readable");
        let blocked = peer.trust == TrustMark::Changed;
        let stale = peer.session.is_some_and(|session| session.stale);
        match self.run(at, &send) {
            Ok(sent) => {
                assert!(!blocked, "sent under a key that waits for a decision");
                assert!(!stale, "sent in a session of a backup");
                assert_eq!(peer.session.map(|session| session.id), Some(sent.session));
                sent_is_as_documented(&sent.envelope, sent.session, plaintext.len());
                self.in_flight.push(self.messages.len());
                self.messages.push(Message {
                    from: at,
                    to,
                    incarnation: self.devices[to].incarnation,
                    id: sent.message_id,
                    envelope: sent.envelope,
                    plaintext,
                    bound,
                    session: sent.session,
                    kept,
                    answers: None,
                });
            }
            Err(SendError::NoSession) => assert!(peer.session.is_none() || stale),
            Err(SendError::IdentityChanged { .. }) => assert!(blocked),
            Err(error) => panic!("{error}"),
        }
    }

    /// A send that fails at one of its draws, or whose step is never stored.
    fn send_and_crash(&mut self, at: usize, to: usize, choices: &mut Choices<'_>) {
        let mut failing = Failing { toy: Toy(self.messages.len() as u64), draws: choices.byte() % 4 };
        let (plaintext, bound) = self.text(choices);
        let send = Send {
            to: self.devices[to].address,
            plaintext: &plaintext,
            associated_data: &bound,
            keep: Keep::ForRetry,
        };
        let context = &mut Context::new(self.now, self.devices[at].generation, &mut failing);
        if let Err(error) = self.devices[at].held.store.step(&send, context) {
            let allowed = matches!(
                error,
                SendError::NoSession | SendError::IdentityChanged { .. } | SendError::Random(_)
            );
            assert!(allowed, "{error}");
        }
    }

    fn text(&self, choices: &mut Choices<'_>) -> (Vec<u8>, Vec<u8>) {
        let choice = choices.byte();
        let mut plaintext = self.messages.len().to_be_bytes().to_vec();
        plaintext.resize([0, 8, 9, 100][usize::from(choice % 4)], choice);
        (plaintext, vec![choice; usize::from(choice >> 4)])
    }

    /// A whole delivery to the right device with the right associated data.
    fn deliver(&mut self, message: usize, limits: Limits) {
        let newest = self.newest_of(message);
        let in_order = newest.is_none_or(|newest| newest < message);
        *newest = (*newest).max(Some(message));
        let (to, first) = {
            let sent = &self.messages[message];
            (sent.to, !self.devices[sent.to].held.opened.contains(&message))
        };
        match self.open(message, limits) {
            Ok(step) => {
                let received = self.devices[to].held.store.commit(step);
                self.opened(message, &received);
            }
            Err(error) => {
                self.refused(&error);
                assert!(!(self.calm && in_order && first), "message {message} is lost: {error}");
            }
        }
    }

    fn newest_of(&mut self, message: usize) -> &mut Option<usize> {
        let Message { from, to, .. } = self.messages[message];
        &mut self.newest[from][to]
    }

    fn open(&mut self, message: usize, limits: Limits) -> Result<Step<Received>, OpenError> {
        let sent = &self.messages[message];
        let receive = Receive {
            from: self.devices[sent.from].address,
            envelope: &sent.envelope,
            associated_data: &sent.bound,
        };
        let context =
            &mut Context::new(self.now, self.devices[sent.to].generation, &mut self.toy).with_limits(limits);
        self.devices[sent.to].held.store.step(&receive, context)
    }

    /// What must be so when a message has opened and its step is stored.
    fn opened(&mut self, message: usize, received: &Received) {
        let sent = &self.messages[message];
        assert_eq!((received.message_id, received.session), (sent.id, sent.session));
        assert_eq!(received.again, sent.answers.is_some());
        let lost = sent.answers.is_some_and(|(_, outcome)| outcome == RetryOutcome::Lost);
        assert_eq!(received.content.text(), (!lost).then_some(&sent.plaintext[..]));
        let device = &mut self.devices[sent.to];
        assert_eq!(device.incarnation, sent.incarnation, "opened by a device that it was not for");
        assert!(device.held.opened.insert(message), "message {message} opened twice");
        let shown = lost || device.held.ids.insert((sent.from, sent.id));
        assert!(shown, "two messages with one id opened");
    }

    /// What a refusal of something that was really sent may not be.
    fn refused(&self, error: &OpenError) {
        error.show();
        let wrong = matches!(
            error,
            OpenError::Decode(_)
                | OpenError::AssociatedDataTooLong
                | OpenError::NotRegistered
                | OpenError::Record(_)
        );
        assert!(!wrong, "{error}");
    }

    fn turn_clock(&mut self, choices: &mut Choices<'_>) {
        let day = UnixMillis::DAY;
        self.now = match choices.byte() % 6 {
            // Within a day nothing ends: still calm.
            0 | 1 if self.now.since(NOW) < day => self.now.plus(1_000),
            2 => self.now.plus(8 * day),
            3 => self.now.plus(31 * day),
            4 => UnixMillis(self.now.0.saturating_sub(9 * day)),
            _ => self.now.plus(day),
        };
        self.calm = self.calm && self.now.since(NOW) < day && self.now >= NOW;
    }

    /// One of the messages in flight.
    fn pick(&self, choices: &mut Choices<'_>) -> Option<usize> {
        let place = choices.below(self.in_flight.len());
        self.in_flight.get(place).copied()
    }

    fn next_in_flight(&self, from: usize, to: usize) -> Option<usize> {
        let between =
            |message: &usize| (self.messages[*message].from, self.messages[*message].to) == (from, to);
        self.in_flight.iter().position(between)
    }

    /// The calm end: what is in flight arrives in order, both sides speak a few times more, and then they agree.
    fn settle(&mut self) {
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            for _ in 0..3 {
                for (from, to) in [(one, other), (other, one)] {
                    self.send(from, to, &mut Choices(&[1]));
                    while let Some(place) = self.next_in_flight(from, to) {
                        let message = self.in_flight.remove(place);
                        self.deliver(message, Limits::DEFAULT);
                    }
                }
            }
            let mut active = |at: usize, peer: usize| {
                let peer = self.devices[peer].address;
                self.run(at, &DescribePeer { peer }).expect("readable").session.map(|session| session.id)
            };
            assert_eq!(active(one, other), active(other, one), "no common session");
        }
    }

    fn run<O: outrigger::Operation>(&mut self, at: usize, operation: &O) -> Result<O::Output, O::Error> {
        // What the last of the devices starts has encrypted headers.
        let headers = if at + 1 == DEVICES { Headers::Encrypted } else { Headers::Plain };
        let context = Context::new(self.now, self.devices[at].generation, &mut self.toy);
        self.devices[at].held.store.run(operation, &mut context.with_headers(headers))
    }
}
