//! How a world looks, without a key: two that look alike go on alike, and are one state.
//!
//! Envelopes, sessions and chains get names by who made them and in which order; counters and phases come from the device's own report, so that encrypted headers are no matter.
//! Left out, and why that is sound:
//! - bytes of keys, ids and ciphertexts: nothing but the order of two session ids that started at one time steers anything by them, and which of them is active stands in the view;
//! - which chains have one header key: that follows from the chain that each of them answers;
//! - which one-time prekey a session used: all are alike, and how many are left stands in the view;
//! - where in its ring a copy stands: no configuration says as many messages as the ring has places;
//! - the digests of what was opened: they follow from the envelopes opened.

use std::collections::BTreeMap;

use outrigger::{Report, SessionId, SessionPhase, SessionReport};

use crate::device::{Database, Message, Packet, Who};

/// The how many-th of its kind that someone made.
pub(crate) type Name = (Who, u8);

/// An envelope: what it brings, and the how many-th for that.
pub(crate) type EnvelopeName = (Message, u8);

/// Names of what the world has made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    sessions: BTreeMap<SessionId, Name>,
    chains: BTreeMap<[u8; 8], Name>,
    envelopes: BTreeMap<Vec<u8>, (EnvelopeName, Name, Name, u32)>,
    requests: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Where a message stands: its session, chain and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) session: SessionId,
    pub(crate) chain: [u8; 8],
    pub(crate) counter: u32,
}

impl Place {
    /// Where the message stands that was sent last before a report.
    pub(crate) fn of_last(report: &Report) -> Self {
        let session = report.active.as_ref().unwrap();
        let chain = session.sending.unwrap();
        Self { session: session.id, chain: chain.key, counter: chain.next - 1 }
    }
}

/// How a packet looks: what it is about, and whether it is a request.
pub(crate) type PacketView = (EnvelopeName, bool);

/// How a session looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SessionView {
    name: Option<Name>,
    phase: SessionPhase,
    sending: Option<(Option<Name>, u32)>,
    receiving: Option<(Option<Name>, u32)>,
    previous: u32,
    earlier: Vec<Option<Name>>,
}

/// How a database looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DatabaseView {
    outbox: Vec<(PacketView, bool)>,
    pending: Vec<PacketView>,
    spoken: Vec<Message>,
    opened: Vec<(EnvelopeName, Name, Name, u32)>,
    copies: Vec<(EnvelopeName, Name, Name, u32)>,
    asked: Vec<(EnvelopeName, Name, Name, u32)>,
    stale: bool,
    active: Option<SessionView>,
    archived: Vec<SessionView>,
    one_time: u16,
}

fn name<K: Ord + Copy>(names: &mut BTreeMap<K, Name>, key: K, who: Who) -> Name {
    let next = names.values().filter(|(by, _)| *by == who).count();
    *names.entry(key).or_insert((who, u8::try_from(next).unwrap()))
}

impl Names {
    pub(crate) fn envelope(&mut self, who: Who, message: Message, bytes: &[u8], place: Place) {
        // A session is named by who first seals in it, which is who started it.
        let session = name(&mut self.sessions, place.session, who);
        let chain = name(&mut self.chains, place.chain, who);
        let number = self.envelopes.values().filter(|((of, _), ..)| *of == message).count();
        let envelope = (message, u8::try_from(number).unwrap());
        self.envelopes.insert(bytes.to_vec(), (envelope, session, chain, place.counter));
    }

    pub(crate) fn request(&mut self, request: &[u8], envelope: &[u8]) {
        self.requests.insert(request.to_vec(), envelope.to_vec());
    }

    /// The envelope that a request is about.
    pub(crate) fn of_request(&self, request: &[u8]) -> Vec<u8> {
        self.requests[request].clone()
    }

    pub(crate) fn packet(&self, packet: &Packet) -> PacketView {
        match packet {
            Packet::Envelope { bytes, .. } => (self.envelopes[bytes].0, false),
            Packet::Request { bytes, .. } => (self.envelopes[&self.requests[bytes]].0, true),
        }
    }

    fn session(&self, report: &SessionReport) -> SessionView {
        let key = |key: &[u8; 8]| self.chains.get(key).copied();
        let chain = |chain: &outrigger::ChainReport| (key(&chain.key), chain.next);
        SessionView {
            name: self.sessions.get(&report.id).copied(),
            phase: report.phase,
            sending: report.sending.as_ref().map(chain),
            receiving: report.receiving.as_ref().map(chain),
            previous: report.previous_counter,
            earlier: report.earlier.iter().map(key).collect(),
        }
    }

    pub(crate) fn database(&self, database: &Database, report: &Report) -> DatabaseView {
        let envelope = |bytes: &Vec<u8>| self.envelopes[bytes];
        let sorted = |mut names: Vec<_>| {
            names.sort();
            names
        };
        let mut outbox: Vec<_> =
            database.outbox.iter().map(|(packet, posted)| (self.packet(packet), *posted)).collect();
        outbox.sort();
        DatabaseView {
            outbox,
            pending: database.pending.iter().map(|packet| self.packet(packet)).collect(),
            spoken: database.spoken.iter().copied().collect(),
            opened: sorted(database.opened.iter().map(envelope).collect()),
            copies: sorted(database.copies.keys().map(envelope).collect()),
            asked: sorted(database.asked.iter().map(envelope).collect()),
            stale: report.stale,
            active: report.active.as_ref().map(|session| self.session(session)),
            archived: report.archived.iter().map(|session| self.session(session)).collect(),
            one_time: report.one_time_prekeys,
        }
    }
}
