//! Devices, a server and the bytes under way, for any [`Subject`]; and what must hold at every step, whatever a schedule expects of it:
//!
//! - a refusal changes nothing,
//! - what opens was said, by that sender to that address,
//! - nothing is heard twice in one history of a store,
//! - no key and nonce come twice on the wire, whichever store went back.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    seat::{Crash, Packet, Seat},
    server::Server,
    subject::{Alteration, Opened, Refusal, Subject},
};

/// When every schedule begins: milliseconds of Unix time.
pub(crate) const NOON: u64 = 1_800_000_000_000;

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The device died of it.
    Crashed,
    /// The format or the library has nothing of the kind.
    Skipped,
    Opened(Opened),
    Refused(Refusal),
    /// Whether two devices would send in the same session.
    SameSession(bool),
}

impl From<Result<(), Refusal>> for Outcome {
    fn from(result: Result<(), Refusal>) -> Self {
        result.map_or_else(Self::Refused, |()| Self::Done)
    }
}

/// Something that must never happen.
pub(crate) type Broken = String;

#[derive(Clone)]
pub(crate) struct World<S: Subject> {
    pub(crate) subject: S,
    pub(crate) seats: BTreeMap<String, Seat<S::Device>>,
    /// `None`: not to be had from this library, so that what follows from it is skipped.
    pub(crate) packets: BTreeMap<String, Option<Packet>>,
    pub(crate) server: Server,
    /// Sender, recipient, text.
    said: BTreeSet<(String, String, String)>,
    on_the_wire: BTreeSet<Vec<u8>>,
    /// A label that names nothing is no mistake: the library could not make it.
    lenient: bool,
}

impl<S: Subject> World<S> {
    pub(crate) fn new(subject: S, lenient: bool) -> Self {
        Self {
            subject,
            seats: BTreeMap::new(),
            packets: BTreeMap::new(),
            server: Server::default(),
            said: BTreeSet::new(),
            on_the_wire: BTreeSet::new(),
            lenient,
        }
    }

    /// Registers a device in an empty store. Where one of that name was, its history is gone.
    pub(crate) fn register(&mut self, name: &str) {
        let now = self.seats.get(name).map_or(NOON, |seat| seat.now);
        let mut device = self.subject.register(name);
        self.subject.set_clock(&mut device, now);
        let seat = Seat { address: name.into(), device, now, inbox: BTreeSet::new(), crash: None };
        self.seats.insert(name.into(), seat);
        self.server.forget(name);
    }

    /// Runs an operation of a device, which may die of it. What was committed before a death is kept, as an app keeps it in the same transaction.
    fn act<T>(
        &mut self,
        name: &str,
        operation: impl FnOnce(&mut S, &mut S::Device) -> Result<T, Refusal>,
    ) -> Result<(Option<Result<T, Refusal>>, bool), Broken> {
        let seat = self.seats.get_mut(name).ok_or(format!("no device {name}"))?;
        let crash = seat.crash.take();
        let before = seat.device.clone();
        let result = operation(&mut self.subject, &mut seat.device);
        if result.is_err() && self.subject.stored(&before) != self.subject.stored(&seat.device) {
            return Err("a refusal changed what is stored".into());
        }
        if crash == Some(Crash::BeforeCommit) {
            seat.device = before;
            return Ok((None, true));
        }
        Ok((Some(result), crash.is_some()))
    }

    /// The same for operations that give bytes to be sent.
    fn make(
        &mut self,
        name: &str,
        label: &str,
        text: &str,
        operation: impl FnOnce(&mut S, &mut S::Device) -> Result<Vec<u8>, Refusal>,
    ) -> Result<Outcome, Broken> {
        let from = self.seats.get(name).ok_or(format!("no device {name}"))?.address.clone();
        let (made, died) = self.act(name, operation)?;
        match made {
            None => Ok(Outcome::Crashed),
            Some(Err(refusal)) => Ok(Outcome::Refused(refusal)),
            Some(Ok(bytes)) => {
                for key in self.subject.keys_and_nonces(&bytes) {
                    if !self.on_the_wire.insert(key) {
                        return Err("a key and its nonce came twice".into());
                    }
                }
                let packet = Packet { bytes, from, text: text.into() };
                self.packets.insert(label.into(), Some(packet));
                Ok(if died { Outcome::Crashed } else { Outcome::Done })
            }
        }
    }

    pub(crate) fn send(&mut self, from: &str, to: &str, label: &str, keep: bool) -> Result<Outcome, Broken> {
        let address = self.seats.get(from).ok_or(format!("no device {from}"))?.address.clone();
        self.said.insert((address, to.into(), label.into()));
        self.make(from, label, label, |subject, device| subject.send(device, to, label, keep))
    }

    /// Delivers to a device, as from an address.
    pub(crate) fn deliver(
        &mut self,
        label: &str,
        to: &str,
        from: Option<&str>,
    ) -> Result<(Outcome, String), Broken> {
        let Some(packet) = self.packet(label)? else { return Ok((Outcome::Skipped, String::new())) };
        let from = from.unwrap_or(&packet.from).to_owned();
        let (result, died) = self.act(to, |subject, device| subject.receive(device, &from, &packet.bytes))?;
        let Some(result) = result else { return Ok((Outcome::Crashed, packet.text)) };
        if let Ok(Opened::Text(text) | Opened::Again(text)) = &result {
            let seat = self.seats.get_mut(to).ok_or("no device")?;
            if !self.said.contains(&(from.clone(), seat.address.clone(), text.clone())) {
                return Err(format!("{to} hears {text:?} from {from}, who never said it"));
            }
            if !seat.inbox.insert((from, text.clone())) {
                return Err(format!("{to} hears {text:?} twice"));
            }
        }
        let outcome = match result {
            _ if died => Outcome::Crashed,
            Ok(opened) => Outcome::Opened(opened),
            Err(refusal) => Outcome::Refused(refusal),
        };
        Ok((outcome, packet.text))
    }

    pub(crate) fn start(&mut self, from: &str, to: &str) -> Result<Outcome, Broken> {
        let fetched = self.server.hand_out(to)?;
        let (result, died) = self.act(from, |subject, device| subject.start(device, to, &fetched))?;
        Ok(match result {
            Some(result) if !died => result.into(),
            Some(_) | None => Outcome::Crashed,
        })
    }

    /// A request for what a label names, by the device that could not open it.
    pub(crate) fn ask(&mut self, by: &str, label: &str, request: &str) -> Result<Outcome, Broken> {
        let Some(Packet { bytes, from, text }) = self.packet(label)? else {
            return Ok(self.skip(request));
        };
        self.make(by, request, &text, |subject, device| subject.ask(device, &from, &bytes))
    }

    /// The answer to a request, with the keys of the one that asks, if the library wants them.
    pub(crate) fn answer(
        &mut self,
        by: &str,
        (request, from): (&str, Option<&str>),
        label: &str,
        resend: bool,
    ) -> Result<Outcome, Broken> {
        let Some(Packet { bytes, from: sender, text }) = self.packet(request)? else {
            return Ok(self.skip(label));
        };
        let from = from.unwrap_or(&sender).to_owned();
        let mut server = self.server.clone();
        let outcome = self.make(by, label, &text, |subject, device| {
            match subject.answer(device, &from, &bytes, None, resend) {
                Err(Refusal::NoSession) => {
                    let fetched = server.hand_out(&from).ok();
                    subject.answer(device, &from, &bytes, fetched.as_ref(), resend)
                }
                other => other,
            }
        });
        self.server = server;
        outcome
    }

    pub(crate) fn publish(&mut self, name: &str, one_time: u16) -> Result<Outcome, Broken> {
        let address = self.seats.get(name).ok_or(format!("no device {name}"))?.address.clone();
        let (upload, died) = self.act(name, |subject, device| Ok(subject.publish(device, one_time)))?;
        let Some(Ok(upload)) = upload else { return Ok(Outcome::Crashed) };
        let taken = self.server.take(address, upload);
        if died {
            return Ok(Outcome::Crashed);
        }
        if taken { Ok(Outcome::Done) } else { self.check_in(name, one_time) }
    }

    /// The app starts: it hears what the server has, and publishes anew where the library says so.
    pub(crate) fn check_in(&mut self, name: &str, one_time: u16) -> Result<Outcome, Broken> {
        let seat = self.seats.get_mut(name).ok_or(format!("no device {name}"))?;
        let last = self.server.last(&seat.address);
        match last.is_none_or(|last| self.subject.check_in(&mut seat.device, last)) {
            true => self.publish(name, one_time),
            false => Ok(Outcome::Done),
        }
    }

    /// The session in which a device would send.
    pub(crate) fn session(&mut self, name: &str, peer: &str) -> Result<Option<Vec<u8>>, Broken> {
        let seat = self.seats.get_mut(name).ok_or(format!("no device {name}"))?;
        Ok(self.subject.session(&mut seat.device, peer))
    }

    /// Whether two devices would send in the same session.
    pub(crate) fn same_session(&mut self, one: &str, other: &str) -> Result<bool, Broken> {
        let address = |world: &Self, name: &str| world.seats.get(name).map(|seat| seat.address.clone());
        let of = address(self, one).ok_or("no device")?;
        let to = address(self, other).ok_or("no device")?;
        let session = self.session(one, &to)?;
        Ok(session.is_some() && session == self.session(other, &of)?)
    }

    pub(crate) fn alter(
        &mut self,
        label: &str,
        made: &str,
        alteration: &Alteration<'_>,
    ) -> Result<Outcome, Broken> {
        let Some(packet) = self.packet(label)? else { return Ok(self.skip(made)) };
        let Some(bytes) = self.subject.alter(&packet.bytes, alteration) else { return Ok(self.skip(made)) };
        self.packets.insert(made.into(), Some(Packet { bytes, ..packet }));
        Ok(Outcome::Done)
    }

    pub(crate) fn packet(&self, label: &str) -> Result<Option<Packet>, Broken> {
        match self.packets.get(label) {
            Some(packet) => Ok(packet.clone()),
            None if self.lenient => Ok(None),
            None => Err(format!("nothing is called {label}")),
        }
    }

    /// Notes that a label names nothing here.
    pub(crate) fn skip(&mut self, label: &str) -> Outcome {
        self.packets.insert(label.into(), None);
        Outcome::Skipped
    }

    /// Delivers, and does what the library says until the text is there or nothing more can be done; counts the requests.
    pub(crate) fn settle(&mut self, label: &str, to: &str) -> Result<(Outcome, String, usize), Broken> {
        let Some(Packet { from, .. }) = self.packet(label)? else {
            return Ok((Outcome::Skipped, String::new(), 0));
        };
        let mut label = label.to_owned();
        for requests in 0..6 {
            let (outcome, text) = self.deliver(&label, to, None)?;
            if outcome != Outcome::Refused(Refusal::AskAgain) {
                return Ok((outcome, text, requests));
            }
            let request = format!("request for {label}");
            let mut asked = self.ask(to, &label, &request)?;
            if asked == Outcome::Refused(Refusal::NoSession) {
                self.start(to, &from)?;
                asked = self.ask(to, &label, &request)?;
            }
            if asked != Outcome::Done {
                return Ok((asked, text, requests));
            }
            label = format!("answer to {label}");
            let answered = self.answer(&from, (&request, None), &label, false)?;
            if answered != Outcome::Done {
                return Ok((answered, text, requests + 1));
            }
        }
        Err(format!("no end to {label}"))
    }

    /// Moves a device's clock.
    pub(crate) fn turn_clock(&mut self, name: &str, to: impl FnOnce(u64) -> u64) -> Result<(), Broken> {
        let seat = self.seats.get_mut(name).ok_or(format!("no device {name}"))?;
        seat.now = to(seat.now);
        self.subject.set_clock(&mut seat.device, seat.now);
        Ok(())
    }

    /// Puts the store of a snapshot into a device; the clock on the wall stays.
    pub(crate) fn put_back(&mut self, name: &str, seat: Seat<S::Device>) {
        let now = self.seats.get(name).map_or(seat.now, |seat| seat.now);
        let mut seat = Seat { now, crash: None, ..seat };
        self.subject.set_clock(&mut seat.device, now);
        self.seats.insert(name.into(), seat);
    }
}
