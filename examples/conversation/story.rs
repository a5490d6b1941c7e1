//! The story: two devices are set up, talk over a network that loses things, are killed again and again, and are asked at the end what
//! they have heard.

use std::collections::BTreeMap;

use outrigger::{Strength, VerifiedBundle};

use crate::{
    check::check,
    device::{Answered, Device, Heard, Said},
    kills::Act,
    network::{Body, Fate, Network, Packet},
    report::{Event, Report, count, hex},
    scratch::Scratch,
    script::{Line, Script},
    seat::Seat,
    server::Server,
    store::Durability,
    tally::{Tally, add},
    trouble::Trouble,
    who::Who,
};

/// Ticks without a new text after which something must be wrong.
const STALLED: u64 = 5_000;

/// Everything that happens.
pub(crate) struct Story<'a> {
    pub(crate) script: &'a Script,
    pub(crate) report: &'a mut Report,
    pub(crate) durability: Durability,
    pub(crate) network: Network,
    pub(crate) server: Server,
    pub(crate) tally: Tally,
    seats: BTreeMap<Who, Seat>,
    /// The last line that was said, and the times that go by.
    reached: u32,
    now: u64,
    heard_at: u64,
}

impl<'a> Story<'a> {
    pub(crate) fn new(
        script: &'a Script,
        report: &'a mut Report,
        durability: Durability,
        network: Network,
    ) -> Self {
        let (server, tally, seats) = (Server::default(), Tally::default(), BTreeMap::new());
        Self { script, report, durability, network, server, tally, seats, reached: 0, now: 0, heard_at: 0 }
    }

    /// Makes both devices and uploads their keys. The server is asked over an ordinary connection; only packets take the bad network.
    pub(crate) fn set_up(&mut self, scratch: &Scratch) -> Result<(), Trouble> {
        self.report.heading("Setup");
        self.report.stores(scratch, self.durability);
        for who in Who::BOTH {
            let directory = scratch.directory(who.name())?;
            let (identity, upload) = Device::set_up(who, &directory, self.durability)?;
            let key = hex(identity.encoded().get(..8).unwrap_or_default());
            let one_time = upload.one_time_prekeys.len();
            let made = format!(
                "identity key {key}..., a bundle of {} bytes, {one_time} one-time prekeys",
                upload.bundle.len()
            );
            self.report.fact(who.name(), &made);
            self.server.upload(who.address()?, upload);
            self.seats.insert(who, Seat::new(who, directory, self.durability, self.script.len())?);
        }
        Ok(())
    }

    /// Lets them talk until every line has its receipt and nothing is under way.
    pub(crate) fn converse(&mut self) -> Result<(), Trouble> {
        self.report.heading("Conversation");
        while !(self.all_is_said() && self.network.is_empty()) {
            self.now = self.now.saturating_add(1);
            if self.now.saturating_sub(self.heard_at) > STALLED {
                return Err(Trouble::Stalled(STALLED));
            }
            while let Some(packet) = self.network.arrived(self.now) {
                let who = packet.from.peer();
                let outcome = self.deliver(who, packet);
                self.unless_killed(who, outcome)?;
            }
            for who in Who::BOTH {
                let outcome = self.take_turn(who);
                self.unless_killed(who, outcome)?;
            }
        }
        Ok(())
    }

    /// One sentence for each difference between what was heard and what was to be said.
    pub(crate) fn check(&mut self) -> Result<Vec<String>, Trouble> {
        check(self.script, &mut self.seats, self.report, &mut self.tally)
    }

    fn all_is_said(&self) -> bool {
        let done = |who: &Who, device: &Device| {
            device.waiting() == 0 && self.script.next(*who, device.said()).is_none()
        };
        self.seats.iter().all(|(who, seat)| seat.device.as_ref().is_some_and(|device| done(who, device)))
    }

    /// What a device does in each tick by itself: take receipts, repeat what has none, say the next line.
    fn take_turn(&mut self, who: Who) -> Result<(), Trouble> {
        let (script, now) = (self.script, self.now);
        let Some(seat) = self.seats.get_mut(&who) else { return Ok(()) };
        let receipts = std::mem::take(&mut seat.receipts);
        let Some(device) = &mut seat.device else { return self.revive(who) };
        device.settle(&receipts)?;
        for line in device.due(now) {
            let Some(device) = self.prepare(who, Act::Say, line) else { return Ok(()) };
            if let Some(packet) = device.repeat(now, line) {
                add(&mut self.tally.repeated, true);
                self.post(packet);
            }
        }
        let said = self.seats.get(&who).and_then(|seat| seat.device.as_ref()).map(Device::said);
        match said.and_then(|said| script.next(who, said)) {
            Some((number, line)) => self.say(who, number, line),
            None => Ok(()),
        }
    }

    fn say(&mut self, who: Who, number: u32, line: &Line) -> Result<(), Trouble> {
        let now = self.now;
        let Some(device) = self.prepare(who, Act::Say, number) else { return Ok(()) };
        if !device.may_say(line) {
            return Ok(());
        }
        match device.say(now, number, &line.text)? {
            Said::Packet(packet) => {
                self.reached = self.reached.max(number);
                self.post(packet);
                Ok(())
            }
            // What the error advised. The line is said in the next tick.
            Said::NeedsBundle => self.start(who),
        }
    }

    fn start(&mut self, who: Who) -> Result<(), Trouble> {
        let bundle = self.server.bundle(&who.peer().address()?).ok_or(Trouble::NoBundle)?;
        let Some(device) = self.seats.get_mut(&who).and_then(|seat| seat.device.as_mut()) else {
            return Ok(());
        };
        let started = device.start(&bundle)?;
        let strength = match started.strength {
            Strength::Full => "with a one-time prekey",
            Strength::Weak => "without a one-time prekey, weak until the first answer",
        };
        let (name, peer, session) = (who.name(), who.peer().name(), hex(&started.session.0));
        self.report.event(
            Event::Start,
            format_args!("{name} checked {peer}'s bundle: session {session}, {strength}"),
        );
        Ok(())
    }

    /// A packet has arrived, at a device that may be down.
    fn deliver(&mut self, who: Who, packet: Packet) -> Result<(), Trouble> {
        let Some(device) = self.prepare(who, Act::Hear, packet.line) else {
            self.tally.lost_down(&packet);
            self.report.event(Event::Lost, format_args!("{packet}: {} is down", who.name()));
            return Ok(());
        };
        match &packet.body {
            Body::Envelope(envelope) => {
                let heard = device.hear(packet.line, envelope)?;
                self.heard(who, packet.line, envelope.len(), heard);
            }
            Body::Receipt => {
                if let Some(seat) = self.seats.get_mut(&who) {
                    seat.receipts.push(packet.line);
                }
            }
            Body::Retry(request) => self.answer(who, packet.line, request)?,
        }
        Ok(())
    }

    /// Tells what a device made of an envelope, and answers for it.
    fn heard(&mut self, who: Who, line: u32, len: usize, heard: Heard) {
        let answer = match heard {
            Heard::New { text, late } => {
                add(&mut self.tally.late, late);
                let how = match (self.tally.was_missed(line), late) {
                    (true, _) => ", recovered",
                    (false, true) => ", late",
                    (false, false) => "",
                };
                self.show(who, line, &text, &format!("{len} B{how}"));
                Some(Body::Receipt)
            }
            Heard::Known => Some(Body::Receipt),
            Heard::Again(error) => {
                self.tally.refused_again(error);
                self.report.event(Event::Again, format_args!("message {line}, refused: {error}"));
                Some(Body::Receipt)
            }
            Heard::Retry(error, request) => {
                add(&mut self.tally.unread, true);
                add(&mut self.tally.asked, true);
                self.report.event(Event::Ask, format_args!("message {line} anew, refused: {error}"));
                Some(Body::Retry(request))
            }
            Heard::Dropped(error) => {
                add(&mut self.tally.unread, true);
                self.report.event(Event::Drop, format_args!("message {line}, refused: {error}"));
                None
            }
        };
        if let Some(body) = answer {
            self.post(Packet { from: who, line, body });
        }
    }

    /// A peer asks for a line again.
    fn answer(&mut self, who: Who, line: u32, request: &[u8]) -> Result<(), Trouble> {
        let (now, peer) = (self.now, who.peer().address()?);
        let mut bundle = None;
        loop {
            let Some(device) = self.prepare(who, Act::Say, line) else { return Ok(()) };
            match device.answer(now, line, request, bundle.as_ref())? {
                Answered::Packet(packet) => {
                    add(&mut self.tally.anew, true);
                    self.report.event(Event::Anew, format_args!("{packet}: encrypted once more"));
                    self.post(packet);
                    return Ok(());
                }
                Answered::NeedsBundle => {
                    let bytes = self.server.bundle(&peer).ok_or(Trouble::NoBundle)?;
                    bundle = Some(VerifiedBundle::verify(&bytes, &peer)?);
                }
                Answered::Dropped(error) => {
                    self.report
                        .event(Event::Drop, format_args!("request for message {line}, refused: {error}"));
                    return Ok(());
                }
            }
        }
    }

    /// Hands a packet to the network, where the server sees it.
    fn post(&mut self, packet: Packet) {
        if let Body::Envelope(envelope) = &packet.body
            && self.server.relay(envelope)
            && self.server.seen.turns() > 0
        {
            let (turn, name) = (self.server.seen.turns(), packet.from.name());
            self.report.event(Event::Turn, format_args!("{turn}: {name} sends under a new ratchet key"));
        }
        match self.network.post(self.now, packet.clone()) {
            Fate::Sent => {}
            Fate::Doubled => add(&mut self.tally.doubled, true),
            Fate::Lost => {
                self.tally.lost(&packet);
                self.report.event(Event::Lost, format_args!("{packet}"));
            }
        }
    }

    fn prepare(&mut self, who: Who, act: Act, line: u32) -> Option<&mut Device> {
        self.seats.get_mut(&who)?.prepare(self.reached, act, line)
    }

    /// Where a device was killed, the story goes on without it for a while.
    fn unless_killed(&mut self, who: Who, outcome: Result<(), Trouble>) -> Result<(), Trouble> {
        match (outcome, self.seats.get_mut(&who)) {
            (Err(Trouble::Killed), Some(seat)) => {
                if let Some(death) = seat.die(self.now) {
                    self.report.event(Event::Kill, death);
                }
                Ok(())
            }
            (outcome, _) => outcome,
        }
    }

    /// Restarts a device that is down, when its time has come.
    fn revive(&mut self, who: Who) -> Result<(), Trouble> {
        let Some(seat) = self.seats.get_mut(&who) else { return Ok(()) };
        let shown = seat.shown;
        let Some(device) = seat.revive(self.now)? else { return Ok(()) };
        add(&mut self.tally.restarts, true);
        let session = device
            .session()?
            .map_or("no session".to_owned(), |session| format!("session {}", hex(&session.id.0)));
        let waiting = count(u64::try_from(device.waiting()).unwrap_or(u64::MAX), "message", "messages");
        let records = count(device.records()?, "record", "records");
        let unseen = device.unseen(shown)?;
        let back = format!("{}: {records}, {session}, {waiting} without a receipt", who.name());
        self.report.event(Event::Back, back);
        // Committed, and not shown before it died.
        for (line, text) in unseen {
            self.show(who, line, &text, "from the store");
        }
        Ok(())
    }

    /// Shows a text to its reader.
    fn show(&mut self, who: Who, line: u32, text: &[u8], note: &str) {
        self.heard_at = self.now;
        self.tally.arrived(line);
        if let Some(seat) = self.seats.get_mut(&who) {
            add(&mut seat.shown, true);
        }
        self.report.heard(line, who.peer(), text, note);
    }
}
