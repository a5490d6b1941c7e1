//! What each party does, and what its app makes of it.

use outrigger::{
    AccountId, AckPhone, Address, AskPhone, Content, Context, DetachDesktop, DeviceId, FlushRequests,
    ForDesktop, FromDesktop, FromPhone, Generation, Keep, News, OpenError, Operation, Receive, RejoinPhone,
    RelayError, RelayOutbox, RelayReceive, RelayRequest, Request, RequestNumber, RequestState, Restart, Send,
    TakeFromDesktop, TakeFromPhone, TellDesktop, UnixMillis, Verdict, VerifiedBundle, WhileAway, Write,
};

use crate::{
    config::Fault,
    lab::{Device, Fate, Input, Lab, Outcome, Packet, PacketId, Party, Text},
    store::{Counting, Records, prepare, store},
};

const BEGIN: u64 = 1_800_000_000_000;
const EVER: UnixMillis = UnixMillis(u64::MAX);
/// Draws that one death of a device is away from the next: more than any run makes.
const DEATH: u64 = 1 << 32;

pub(crate) fn address(party: Party) -> Address {
    match party {
        Party::Phone => Address::new(AccountId::new(b"account of phone").unwrap(), DeviceId::PHONE),
        Party::Peer => Address::new(AccountId::new(b"account of peers").unwrap(), DeviceId::PHONE),
        Party::Desk => unreachable!("its phone says"),
    }
}

fn generation() -> Generation {
    Generation([1; 16])
}

/// A device at work.
pub(crate) struct Bench<'a> {
    lab: &'a Lab,
    device: Device,
    clock: u8,
    outcome: Outcome,
    changed: bool,
}

/// Runs an operation of a device to its step; its random source goes on.
pub(crate) fn run<O: Operation>(
    device: &mut Device,
    clock: u8,
    operation: &O,
) -> Result<(Vec<Write>, O::Output), O::Error> {
    // The devices and the times after each death have draws of their own.
    let begin = ((1 + device.party as u64) << 48) | (u64::from(device.deaths) * DEATH);
    let mut draws = begin + device.draws;
    let mut source = Counting(&mut draws);
    let now = UnixMillis(BEGIN + 1_000 * u64::from(clock));
    let mut context = Context::new(now, generation(), &mut source);
    let done = prepare(&device.records, operation, &mut context);
    drop(context);
    if done.is_ok() {
        device.draws = draws - begin;
    }
    done
}

/// Runs an operation and stores its step.
pub(crate) fn run_and_store<O: Operation>(device: &mut Device, clock: u8, operation: &O) -> O::Output
where
    O::Error: core::fmt::Debug,
{
    let (writes, output) = run(device, clock, operation).unwrap();
    store(&mut device.records, &writes);
    output
}

impl<'a> Bench<'a> {
    pub(crate) fn new(lab: &'a Lab, device: Device, clock: u8) -> Self {
        Self { lab, device, clock, outcome: Outcome::default(), changed: false }
    }

    /// Runs an operation that only reads.
    pub(crate) fn ask<O: Operation>(records: &Records, operation: &O) -> Result<O::Output, O::Error> {
        let mut draws = u64::MAX / 2;
        let mut source = Counting(&mut draws);
        let mut context = Context::new(UnixMillis(BEGIN), generation(), &mut source);
        let (writes, output) = prepare(records, operation, &mut context)?;
        assert!(writes.is_empty(), "a description writes");
        Ok(output)
    }

    fn make<O: Operation>(&mut self, operation: &O) -> Result<O::Output, O::Error> {
        let (writes, output) = run(&mut self.device, self.clock, operation)?;
        store(&mut self.device.records, &writes);
        self.changed = true;
        Ok(output)
    }

    fn is_wrong(&mut self, why: &'static str) {
        self.outcome.wrong.get_or_insert(why);
    }

    fn send(&mut self, to: Party, bytes: Vec<u8>, text: Option<Text>) -> PacketId {
        let id = self.lab.pack(self.device.party, to, bytes, text);
        self.outcome.out.push(id);
        id
    }

    /// Frames that bring no text go to the other end.
    fn send_all(&mut self, to: Party, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            self.send(to, frame, None);
        }
    }

    pub(crate) fn run(mut self, input: Input) -> Outcome {
        match input {
            Input::Say(number) => self.say(Text::Down(number)),
            Input::Restart(number) => self.restart(number),
            Input::Request(number) => self.request(Text::Up(number)),
            Input::Ask => self.word(&AskPhone),
            Input::Ack => self.word(&AckPhone),
            Input::Flush => self.flush(),
            Input::Rejoin(number) => self.rejoin(number),
            Input::Outbox => self.outbox(),
            Input::Detach => {
                let desktop = self.lab.desktop;
                if let Ok(notice) = self.make(&DetachDesktop { desktop }) {
                    self.send_all(Party::Desk, notice);
                }
            }
            Input::News(text) => self.news(text),
            Input::Take(packet) | Input::Deny(packet) => {
                let packet = self.lab.packet(packet);
                assert_eq!(packet.to, self.device.party);
                let verdict = matches!(input, Input::Deny(_)).then_some(Verdict::Deny);
                match packet.from {
                    Party::Desk => self.take_from_desktop(&packet, verdict),
                    Party::Peer => self.receive_and_relay(&packet),
                    Party::Phone if packet.to == Party::Desk => self.take_from_phone(&packet),
                    Party::Phone => self.hear(&packet),
                }
            }
        }
        if self.changed {
            self.outcome.store = Some(self.lab.shelve(self.device));
        }
        self.outcome
    }

    // The peer.

    fn say(&mut self, text: Text) {
        let to = address(Party::Phone);
        let said = Send { to, plaintext: &text.bytes(), associated_data: &[], keep: Keep::ForRetry };
        let sent = self.make(&said).unwrap();
        self.send(Party::Phone, sent.envelope, Some(text));
    }

    fn restart(&mut self, number: u8) {
        let bundle = &self.lab.bundles[usize::from(number)];
        let bundle = VerifiedBundle::verify(bundle, &address(Party::Phone)).unwrap();
        self.make(&Restart { bundle: &bundle }).unwrap();
    }

    fn hear(&mut self, packet: &Packet) {
        let receive = Receive { from: address(Party::Phone), envelope: &packet.bytes, associated_data: &[] };
        if let Ok(received) = self.make(&receive) {
            let text = match &received.content {
                Content::ForAccount { text, .. } | Content::Message(text) => Text::of(text),
                said @ (Content::SentByOwn { .. }
                | Content::Leaves
                | Content::Supply(_)
                | Content::SupplyTaken(_)
                | Content::HistoryAsked { .. }
                | Content::History(_)
                | Content::Lost
                | _) => panic!("{said:?}"),
            };
            if self.device.tables.seen.contains(&text) {
                self.is_wrong("heard twice");
            }
            self.device.tables.seen.push(text);
        }
    }

    // The phone.

    fn receive_and_relay(&mut self, packet: &Packet) {
        let receive =
            RelayReceive { from: address(Party::Peer), envelope: &packet.bytes, associated_data: &[] };
        if let Ok(done) = self.make(&receive) {
            let Content::Message(text) = &done.received.content else { panic!("{:?}", done.received) };
            let text = Text::of(text);
            if self.device.tables.seen.contains(&text) {
                self.is_wrong("opened twice");
            }
            self.device.tables.seen.push(text);
            self.tell(done.desktops, Some(text));
        }
    }

    /// What goes to the desktop; the last of it brings a text.
    fn tell(&mut self, desktops: Vec<ForDesktop>, text: Option<Text>) {
        for told in desktops {
            let last = told.frames.len().saturating_sub(1);
            for (place, frame) in told.frames.into_iter().enumerate() {
                self.send(Party::Desk, frame, text.filter(|_| place == last));
            }
        }
    }

    fn outbox(&mut self) {
        let desktop = self.lab.desktop;
        if let Ok(frames) = Self::ask(&self.device.records, &RelayOutbox { desktop }) {
            self.send_all(Party::Desk, frames);
        }
        self.outcome.out.extend(&self.device.tables.outbox);
        self.changed = !self.outcome.out.is_empty();
    }

    fn news(&mut self, text: Text) {
        let done = self.device.tables.done.iter().find(|(done, ..)| *done == text);
        let Some((_, number, _)) = done.copied() else { return };
        let news = News::Relayed;
        let tell = TellDesktop { desktop: self.lab.desktop, request: RequestNumber(number), news };
        if let Ok(told) = self.make(&tell) {
            self.tell(vec![told], None);
        }
    }

    fn take_from_desktop(&mut self, packet: &Packet, verdict: Option<Verdict>) {
        let take = TakeFromDesktop { desktop: self.lab.desktop, envelope: &packet.bytes, verdict };
        let before = self.device.clone();
        let done = match self.make(&take) {
            Ok(FromDesktop::Undecided(_)) => {
                if self.device != before {
                    self.is_wrong("undecided, and something changes");
                }
                if self.lab.fault == Some(Fault::UndecidedIsDone) {
                    self.outcome.dropped = true;
                    self.changed = false;
                    return;
                }
                self.make(&TakeFromDesktop { verdict: Some(Verdict::Allow), ..take })
            }
            done => done,
        };
        if verdict == Some(Verdict::Deny) && !matches!(done, Ok(FromDesktop::Refused { .. })) {
            // There is nothing to say no to.
            (self.device, self.changed) = (before, false);
            return;
        }
        match done {
            Ok(done) => self.taken_from_desktop(packet, done),
            Err(error) => {
                let repeated = matches!(error, RelayError::Frame(OpenError::Duplicate | OpenError::KeyGone));
                if repeated {
                    self.repeated(packet);
                }
            }
        }
    }

    /// A faulty app's answer to a request that comes again.
    fn repeated(&mut self, packet: &Packet) {
        let Some(text) = packet.text.filter(|_| self.lab.fault == Some(Fault::SendsRepeated)) else { return };
        if self.device.tables.outbox.len() > 1 {
            return;
        }
        let to = address(Party::Peer);
        let send = Send { to, plaintext: &text.bytes(), associated_data: &[], keep: Keep::Nothing };
        let sent = self.make(&send).unwrap();
        let id = self.send(Party::Peer, sent.envelope, Some(text));
        self.device.tables.outbox.push(id);
    }

    fn taken_from_desktop(&mut self, packet: &Packet, done: FromDesktop) {
        match done {
            FromDesktop::Sent { request, sent, desktops } => {
                let text = packet.text.unwrap();
                if self.device.tables.done.last().is_some_and(|(last, ..)| *last >= text) {
                    self.is_wrong("requests out of order, or done twice");
                }
                assert_eq!((sent.copies.len(), sent.left_out.len()), (1, 0));
                for (to, copy) in sent.copies {
                    assert_eq!(to, address(Party::Peer));
                    let id = self.send(Party::Peer, copy.envelope, Some(text));
                    self.device.tables.outbox.push(id);
                }
                self.device.tables.done.push((text, request.0, sent.id));
                self.outcome.handed = Some(text);
                self.tell(desktops, None);
            }
            FromDesktop::Heard { frames, .. }
            | FromDesktop::Joined { frames, .. }
            | FromDesktop::Refused { frames, .. } => {
                self.send_all(Party::Desk, frames);
            }
            FromDesktop::Late { notice } | FromDesktop::Ended { notice } => {
                self.send_all(Party::Desk, notice);
            }
            FromDesktop::Repeated => self.repeated(packet),
            FromDesktop::Suspended(_) | FromDesktop::Left => {}
            said @ (FromDesktop::Undecided(_)
            | FromDesktop::Denied
            | FromDesktop::Unready(_)
            | FromDesktop::Read { .. }
            | FromDesktop::Query { .. }
            | _) => panic!("{said:?}"),
        }
    }

    // The desktop.

    fn request(&mut self, text: Text) {
        let (to, plaintext) = (address(Party::Peer).account, &text.bytes()[..]);
        let request = Request::Send { to, plaintext, associated_data: &[] };
        let request = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        let Ok(requested) = self.make(&request) else { return };
        self.device.tables.asked.insert(text, (requested.request, Fate::Queued));
        if !requested.frames.is_empty() {
            self.sends(requested.frames, |fate| *fate == Fate::Queued);
        }
    }

    /// Requests go out: those of these fates, in their order.
    fn sends(&mut self, frames: Vec<Vec<u8>>, which: impl Fn(&Fate) -> bool) {
        let eager = self.lab.fault == Some(Fault::SentIsAccepted);
        let mut texts = Vec::new();
        for (text, (_, fate)) in self.device.tables.asked.iter_mut().filter(|(_, (_, fate))| which(fate)) {
            texts.push(*text);
            *fate = if eager { Fate::Told(RequestState::Accepted) } else { Fate::Sent };
        }
        assert_eq!(texts.len(), frames.len(), "as many go out as are open");
        for (frame, text) in frames.into_iter().zip(texts) {
            self.send(Party::Phone, frame, Some(text));
        }
        self.device.tables.unsaid = false;
    }

    fn flush(&mut self) {
        let before = self.device.clone();
        match self.make(&FlushRequests) {
            Ok(frames) if !frames.is_empty() => {
                self.sends(frames, |fate| matches!(fate, Fate::Queued | Fate::Sent));
            }
            _ => (self.device, self.changed) = (before, false),
        }
    }

    fn word<O: Operation<Output = Vec<u8>>>(&mut self, operation: &O) {
        if let Ok(frame) = self.make(operation) {
            self.device.tables.unsaid = false;
            self.send(Party::Phone, frame, None);
        }
    }

    fn rejoin(&mut self, number: u8) {
        let bundle = &self.lab.bundles[usize::from(number)];
        let bundle = VerifiedBundle::verify(bundle, &address(Party::Phone)).unwrap();
        self.word(&RejoinPhone { bundle: &bundle });
    }

    fn take_from_phone(&mut self, packet: &Packet) {
        match self.make(&TakeFromPhone { envelope: &packet.bytes }) {
            Ok(taken) => {
                if self.device.tables.ended {
                    self.is_wrong("something is opened after the end");
                }
                self.said(taken.said);
            }
            Err(RelayError::Early { .. }) if self.lab.fault == Some(Fault::ShowsEarly) => {
                if let Some(text) = packet.text.filter(|text| matches!(text, Text::Down(_))) {
                    self.shows(text);
                    self.changed = true;
                }
            }
            Err(_) => {}
        }
    }

    fn said(&mut self, said: FromPhone) {
        match said {
            FromPhone::Status { joined, settled, .. } => {
                self.device.tables.joined |= joined;
                for (request, state) in settled {
                    self.settle(request, Fate::Told(state));
                }
            }
            FromPhone::Late | FromPhone::Suspended(_) => {}
            FromPhone::Event { number, message, text, .. } => {
                self.number(number.0, None);
                // A phone whose store went back tells again what it opens again: the message's id is the same.
                let known = self.device.tables.names.contains(&message);
                if !known || self.lab.fault == Some(Fault::ShowsAgain) {
                    self.device.tables.names.push(message);
                    self.shows(Text::of(&text));
                }
            }
            FromPhone::Answer { number, request, state } => {
                self.number(number.0, None);
                self.settle(request, Fate::Told(state));
            }
            FromPhone::Gap { number, missed, .. } => {
                self.number(number.0, Some(missed));
                self.device.tables.missed += missed;
            }
            FromPhone::Ended { settled, never_sent, .. } => {
                self.device.tables.ended = true;
                settled.into_iter().for_each(|(request, state)| self.settle(request, Fate::Told(state)));
                never_sent.into_iter().for_each(|request| self.settle(request, Fate::NeverSent));
            }
            said @ (FromPhone::OwnSent { .. } | FromPhone::Found { .. } | _) => panic!("{said:?}"),
        }
    }

    /// Numbers rise by one; behind a status that joined there may be a hole, and then a gap that says so.
    fn number(&mut self, number: u64, gap: Option<u64>) {
        let tables = &mut self.device.tables;
        let hole = number.checked_sub(tables.last + 1);
        let joined = std::mem::take(&mut tables.joined);
        (tables.last, tables.unsaid) = (number, true);
        match hole {
            Some(0) => {}
            None => self.is_wrong("a number comes twice"),
            Some(_) if !joined => self.is_wrong("a number is left out"),
            Some(hole) if gap.is_none_or(|missed| missed < hole) => self.is_wrong("a hole without its gap"),
            Some(_) => {}
        }
    }

    fn shows(&mut self, text: Text) {
        if self.device.tables.seen.contains(&text) {
            self.is_wrong("shown twice");
        }
        self.device.tables.seen.push(text);
    }

    fn settle(&mut self, request: outrigger::RequestId, fate: Fate) {
        let asked = self.device.tables.asked.values_mut().find(|(id, _)| *id == request);
        let Some((_, before)) = asked else { return self.is_wrong("an answer to nothing that was asked") };
        let forward = match (*before, fate) {
            (Fate::Queued, Fate::Told(_)) | (Fate::NeverSent, _) => false,
            (Fate::Told(before), Fate::Told(after)) => {
                let ends = matches!(before, RequestState::Refused(_) | RequestState::Unknown);
                before == after || !ends && before < after
            }
            (Fate::Told(_), _) => false,
            (Fate::Sent | Fate::Queued, _) => true,
        };
        *before = fate;
        if !forward {
            self.is_wrong("a request goes back");
        }
    }
}

/// A device whose store is empty.
pub(crate) fn empty(party: Party) -> Device {
    Device { party, records: Records::new(), tables: crate::lab::Tables::default(), draws: 0, deaths: 0 }
}
