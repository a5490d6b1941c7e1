//! Two devices, what is under way between them, and everything that can happen next. What the devices do is the crate's own code on its own records.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    Advice, AnswerRetry, Content, EnvelopeDescription, Keep, OpenError, PrekeyUpload, Receive, RecordKey,
    RecordKind, Recover, Register, ReplenishPrekeys, RequestRetry, RetryError, RetryOutcome, Send, SendError,
    Start, VerifiedBundle, Write,
};

use crate::{
    chosen::assert_form,
    config::{Config, Fault},
    device::{Database, Device, Message, Packet, Who},
    view::{Names, Place},
    wire::sealed_with,
};

/// What may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) doubles: u8,
    pub(crate) losses: u8,
    pub(crate) crashes: u8,
    pub(crate) roll_backs: u8,
    pub(crate) recoveries: u8,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// A device says its next message; it starts a session if it has none.
    Say(Who),
    /// It does, and dies before the commit.
    SayAndDie(Who),
    /// The network takes a packet from an outbox: the how many-th that it has not.
    Post(Who, usize),
    /// A packet arrives, is worked on, and its sender hears of that.
    Arrive(usize),
    /// It is, and the device dies before the sender hears of it: the network has it still.
    ArriveAndDie(usize),
    Double(usize),
    /// The network loses a packet; it is in its sender's outbox still.
    Lose(usize),
    /// A device's database goes back to what it was so many commits ago.
    GoBack(Who, usize),
    /// The same, from a backup: under a new generation, taken over and published anew.
    Restore(Who, usize),
}

/// What a server has of a device.
#[derive(Clone, Debug)]
struct Shelf {
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: Vec<Vec<u8>>,
}

/// The whole world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) devices: [Device; 2],
    pub(crate) network: Vec<(Who, Packet)>,
    /// What a server has of each: it hands out a one-time prekey once.
    server: BTreeMap<Who, Shelf>,
    pub(crate) budget: Budget,
    draws: u64,
    pub(crate) names: Names,
    /// Every key and nonce that a message was ever sealed with; every nonce, where headers are encrypted.
    sealed: BTreeSet<Vec<u8>>,
    /// How often each message was asked for and answered.
    pub(crate) requests: BTreeMap<Message, u8>,
    /// What no world may come to.
    pub(crate) wrong: Option<&'static str>,
    /// Whether anything went back in time.
    pub(crate) disturbed: bool,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let mut world = Self {
            config,
            devices: [Device::new(Who::A), Device::new(Who::B)],
            network: Vec::new(),
            server: BTreeMap::new(),
            budget: config.budget,
            draws: 0,
            names: Names::default(),
            sealed: BTreeSet::new(),
            requests: BTreeMap::new(),
            wrong: None,
            disturbed: false,
        };
        for who in [Who::A, Who::B] {
            let (writes, _) = world.run(who, &Register { address: who.address() }).unwrap();
            world.device(who).commit(&writes, |_| ());
            world.publish(who);
            world.device(who).history.clear();
        }
        world.look();
        world
    }

    pub(crate) fn device(&mut self, who: Who) -> &mut Device {
        let [a, b] = &mut self.devices;
        if who == Who::A { a } else { b }
    }

    fn run<O: outrigger::Operation>(
        &mut self,
        who: Who,
        operation: &O,
    ) -> Result<(Vec<Write>, O::Output), O::Error> {
        let (limits, mut draws) = (self.config.limits, self.draws);
        let done = self.device(who).prepare(operation, limits, &mut draws);
        self.draws = draws;
        done
    }

    fn publish(&mut self, who: Who) {
        let (writes, upload) = self.run(who, &ReplenishPrekeys { one_time: 3 }).unwrap();
        self.device(who).commit(&writes, |_| ());
        let PrekeyUpload { bundle, last_resort, one_time_prekeys: one_time, .. } = upload;
        self.server.insert(who, Shelf { bundle, last_resort, one_time });
    }

    fn fetch(&mut self, who: Who) -> VerifiedBundle {
        let Shelf { bundle, last_resort, one_time } = self.server.get_mut(&who).unwrap();
        let bytes = [&bundle[..], one_time.pop().as_ref().unwrap_or(last_resort)].concat();
        VerifiedBundle::verify(&bytes, &who.address()).unwrap()
    }

    /// How many one-time prekeys a server has left of a device.
    pub(crate) fn stock(&self, who: Who) -> usize {
        self.server[&who].one_time.len()
    }

    /// Notes what a message was sealed with, and where its sender says that it stands.
    fn seal(&mut self, who: Who, message: Message, envelope: &[u8], writes: &[Write]) {
        let limits = self.config.limits;
        let place = Place::of_last(&self.device(who).report_after(writes, limits));
        if let Some(header) = EnvelopeDescription::of(envelope).unwrap().header {
            let shown = Place { session: header.session, chain: header.chain, counter: header.counter };
            assert_eq!(place, shown, "a report is of another message");
        }
        self.names.envelope(who, message, envelope, place);
        assert_form(envelope);
        for sealed in sealed_with(envelope) {
            if !self.sealed.insert(sealed) {
                self.wrong = Some("a key and a nonce twice");
            }
        }
    }

    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::Say(who) => self.say(*who, false),
            Act::SayAndDie(who) => {
                self.budget.crashes -= 1;
                self.say(*who, true);
            }
            Act::Post(who, place) => self.post(*who, *place),
            Act::Arrive(place) => {
                let (to, packet) = self.network.remove(*place);
                self.arrive(to, &packet);
                self.acknowledge(to.peer(), &packet);
            }
            Act::ArriveAndDie(place) => {
                self.budget.crashes -= 1;
                let (to, packet) = self.network[*place].clone();
                self.arrive(to, &packet);
            }
            Act::Double(place) => {
                self.budget.doubles -= 1;
                let packet = self.network[*place].clone();
                self.network.push(packet);
            }
            Act::Lose(place) => {
                self.budget.losses -= 1;
                let (to, packet) = self.network.remove(*place);
                if let Some(posted) = self.device(to.peer()).database.outbox.get_mut(&packet) {
                    *posted = false;
                }
            }
            Act::GoBack(who, commits) => {
                self.budget.roll_backs -= 1;
                self.go_back(*who, *commits);
            }
            Act::Restore(who, commits) => {
                self.budget.recoveries -= 1;
                self.go_back(*who, *commits);
                self.recover(*who);
            }
        }
        self.network.sort();
        self.look();
    }

    /// Looks at both databases, so that the worlds that look alike are one.
    fn look(&mut self) {
        for device in &mut self.devices {
            let report = device.report(self.config.limits);
            device.view = self.names.database(&device.database, &report);
        }
    }

    fn go_back(&mut self, who: Who, commits: usize) {
        self.disturbed = true;
        let device = self.device(who);
        let place = device.history.len() - commits;
        let asked = device.database.pending.iter().map(Packet::message);
        device.forgotten.extend(asked);
        (device.database, device.view) = device.history[place].clone();
        device.history.truncate(place);
        device.epoch += 1;
        // What the outbox of then had not posted may be under way since; posting it again is a repeat.
        device.database.outbox.values_mut().for_each(|posted| *posted = false);
    }

    fn recover(&mut self, who: Who) {
        self.device(who).generation += 1;
        let records: Vec<RecordKey> = self.device(who).database.records.keys().copied().collect();
        let (writes, _) = self.run(who, &Recover { records: &records }).unwrap();
        self.device(who).commit(&writes, |_| ());
        self.publish(who);
        // What was before is of another generation: a store that goes back so far is refused, and restored once more.
        self.device(who).history.clear();
    }

    fn say(&mut self, who: Who, dies: bool) {
        let to = who.peer().address();
        let number = u8::try_from(self.device(who).database.spoken.len()).unwrap();
        let epoch = self.device(who).epoch;
        let message = Message { by: who, number, epoch };
        let text = [number, epoch];
        let keep = if self.config.keeps(who) { Keep::ForRetry } else { Keep::Nothing };
        let send = Send { to, plaintext: &text, associated_data: &[], keep };
        let done = match self.run(who, &send) {
            Err(SendError::NoSession) => {
                let bundle = self.fetch(who.peer());
                let (writes, _) = self.run(who, &Start { bundle: &bundle }).unwrap();
                self.device(who).commit(&writes, |_| ());
                self.run(who, &send)
            }
            done => done,
        };
        let (writes, sent) = done.unwrap();
        self.seal(who, message, &sent.envelope, &writes);
        let packet = Packet::Envelope { message, bytes: sent.envelope.clone() };
        if dies {
            if self.config.fault == Some(Fault::ReleaseBeforeStore) {
                self.network.push((who.peer(), packet));
            }
            return;
        }
        self.device(who).said += 1;
        self.device(who).commit(&writes, |database| {
            database.spoken.insert(message);
            database.outbox.insert(packet, false);
            database.copies.insert(sent.envelope, message);
        });
    }

    fn post(&mut self, who: Who, place: usize) {
        let waiting = self.device(who).database.outbox.iter_mut().filter(|(_, posted)| !**posted);
        let (packet, posted) = waiting.into_iter().nth(place).unwrap();
        *posted = true;
        let packet = packet.clone();
        self.network.push((who.peer(), packet));
    }

    /// The sender hears that its packet arrived, if it still knows of it and no other copy of it is needed.
    fn acknowledge(&mut self, who: Who, packet: &Packet) {
        self.device(who).database.outbox.remove(packet);
    }

    fn arrive(&mut self, who: Who, packet: &Packet) {
        match packet {
            Packet::Envelope { message, bytes } => self.open(who, *message, bytes),
            Packet::Request { message, bytes } => self.answer(who, *message, bytes),
        }
    }

    fn open(&mut self, who: Who, message: Message, envelope: &[u8]) {
        let from = who.peer().address();
        match self.run(who, &Receive { from, envelope, associated_data: &[] }) {
            Ok((writes, received)) => {
                let device = self.device(who);
                let epoch = device.epoch;
                match received.content {
                    Content::Message(text) => {
                        assert_eq!(*text, [message.number, message.epoch], "another text than was said");
                        let shown = device.shown.entry((message, epoch)).or_default();
                        *shown += 1;
                        if *shown > 1 {
                            self.wrong = Some("a message shown twice");
                        }
                    }
                    Content::Lost => {
                        device.lost.insert(message);
                    }
                    Content::ForAccount { .. }
                    | Content::SentByOwn { .. }
                    | Content::Leaves
                    | Content::Supply(_)
                    | Content::SupplyTaken(_)
                    | Content::HistoryAsked { .. }
                    | Content::History(_)
                    | Content::PassedOn { .. } => {
                        unreachable!("nobody has companions here")
                    }
                    _ => unreachable!("no other content"),
                }
                self.device(who).commit(&writes, |database| {
                    database.inbox.insert(message);
                    database.pending.retain(|request| request.message() != message);
                    database.opened.insert(envelope.to_vec());
                });
            }
            Err(error) if error.advice() == Advice::RequestRetry => self.ask(who, message, envelope, error),
            Err(error) => assert_eq!(error.advice(), Advice::Drop, "{error:?}"),
        }
    }

    fn ask(&mut self, who: Who, message: Message, envelope: &[u8], error: OpenError) {
        let from = who.peer().address();
        match self.run(who, &RequestRetry { from, envelope, error }) {
            Ok((writes, asked)) => {
                *self.requests.entry(message).or_default() += 1;
                self.names.request(&asked.request, envelope);
                let packet = Packet::Request { message, bytes: asked.request };
                self.device(who).commit(&writes, |database| {
                    database.outbox.insert(packet.clone(), false);
                    database.pending.insert(packet);
                    database.asked.insert(envelope.to_vec());
                });
            }
            // Nothing is asked of strangers: an app meets them first.
            Err(RetryError::UnknownPeer) => {
                let bundle = self.fetch(who.peer());
                let (writes, _) = self.run(who, &Start { bundle: &bundle }).unwrap();
                self.device(who).commit(&writes, |_| ());
                self.ask(who, message, envelope, error);
            }
            Err(refused) => assert_eq!(refused, RetryError::AlreadyAsked),
        }
    }

    fn answer(&mut self, who: Who, message: Message, request: &[u8]) {
        let from = who.peer().address();
        let answer = AnswerRetry { from, request, bundle: None, resend_to: None };
        let done = match self.run(who, &answer) {
            Err(RetryError::NoBundle) => {
                let bundle = self.fetch(who.peer());
                self.run(who, &AnswerRetry { bundle: Some(&bundle), ..answer })
            }
            done => done,
        };
        match done {
            Ok((writes, answer)) => {
                self.seal(who, message, &answer.envelope, &writes);
                if answer.outcome == RetryOutcome::Lost && (self.config.keeps(who) || !self.disturbed) {
                    self.wrong = Some("a message is reported lost");
                }
                let request_of = self.names.of_request(request);
                let deletes = answer.restarted && self.config.fault == Some(Fault::RetryDeletes);
                let packet = Packet::Envelope { message, bytes: answer.envelope.clone() };
                self.device(who).commit(&writes, |database| {
                    database.outbox.insert(packet, false);
                    database.replace_copy(&request_of, answer.envelope, message);
                    if deletes {
                        database.records.retain(|key, _| key.kind() != RecordKind::ArchivedSession);
                    }
                });
            }
            Err(error) => assert_eq!(error.advice(), Advice::Drop, "{error:?}"),
        }
    }
}

impl Database {
    /// The answer's copy takes the place of the one of the envelope that was asked for.
    fn replace_copy(&mut self, asked: &[u8], answer: Vec<u8>, message: Message) {
        self.copies.remove(asked);
        self.copies.insert(answer, message);
    }
}
