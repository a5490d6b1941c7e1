//! The first envelope of a session: X3DH or PQXDH at the responder's side, and everything that must hold before it makes a session.

use alloc::vec::Vec;

use super::{
    Arrival, OpenError,
    accepted::Memory,
    archive::{Archive, ArchivePlace, becomes_active},
    content::Unsealed,
    peer::{Peer, skipped_key, write_skipped},
    receive::{Arrived, Opened},
    state::Session,
};
use crate::{
    handshake::{self, Handshake, Party, respond},
    identity::Device,
    prekey::{OneTimePrekey, PrekeyId, Prekeys, SignedPrekey},
    primitives::KemPair,
    ratchet::SkippedKeys,
    step::{Context, Needs, Run, Slot, Step, Write},
    wire::{Envelope, SessionId, Suite},
};

/// A handshake and the records that it needs.
pub(super) struct Accept {
    handshake: Handshake,
    device: Slot<Device>,
    prekeys: Slot<Prekeys>,
    signed: Slot<SignedPrekey>,
    one_time: Option<Slot<OneTimePrekey>>,
    archive: Slot<Archive>,
}

/// The private keys that a handshake names.
struct Keys {
    device: Device,
    signed: SignedPrekey,
    one_time: Option<OneTimePrekey>,
    kem: Option<KemPair>,
}

impl Accept {
    pub(super) fn read(
        (handshake, suite): (&[u8], Suite),
        arrived: &Arrived<'_>,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, OpenError> {
        if suite.kem().is_none() && !context.suites.takes_classic() {
            return Err(OpenError::SuiteRefused(suite));
        }
        let handshake = Handshake::decode(handshake, suite)?;
        let have = arrived.have;
        Memory::ask_ahead(arrived.from, have, needs);
        let one_time = |id| have.read(OneTimePrekey::key(id), context, needs);
        Ok(Self {
            one_time: handshake.one_time_prekey.as_ref().map(one_time).transpose()?,
            device: Device::read(have, context, needs)?,
            prekeys: Prekeys::read(have, context, needs)?,
            signed: have.read(SignedPrekey::key(&handshake.signed_prekey), context, needs)?,
            archive: Archive::read(have, arrived.from, context, needs)?,
            handshake,
        })
    }

    /// Makes the session, opens the envelope in it, and lets the one-time prekey go in the same step.
    pub(super) fn finish(
        mut self,
        arrived: &Arrived<'_>,
        envelope: &Envelope<'_>,
        slot: &mut Slot<Peer>,
        context: &Context<'_>,
    ) -> Result<Run<Opened>, OpenError> {
        let offered = self.handshake.identity_key;
        let mut peer = slot.value.take().unwrap_or_else(|| Peer::pinned(offered));
        let prekeys = self.prekeys.value.take().unwrap_or_default();
        let mut archive = self.archive.value.take().unwrap_or_default();
        // A first envelope without a one-time prekey must not make its session twice. `docs/protocol.md`, section 6 "Repeats".
        if archive.knows_weak_start(envelope.session_id) {
            return Err(OpenError::OutOfStep);
        }
        let mut needs = Needs::new();
        let lists = arrived.lists(context, &mut needs)?;
        arrived.is_named(&offered, &lists)?;
        let keys = self.keys(arrived, envelope.suite, &prekeys, context)?;
        let place = ArchivePlace { have: arrived.have, peer: arrived.from };
        if let Some(former) = &peer.session {
            archive.prepare(former.id, place, context, &mut needs)?;
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let with_kem = keys.signed.last_resort.is_some();
        let unproved = self.derive(arrived, envelope, keys, context)?;
        let (session, unsealed, skipped) = open_first(unproved, envelope, arrived, context)?;
        // Only now: the sender has shown that it holds the key, so that nobody else can make the app ask its user.
        let stored = peer.identity.key();
        if stored != offered {
            return Err(OpenError::IdentityChanged { stored, offered });
        }
        let weak = self.handshake.one_time_prekey.is_none();
        if weak && !archive.has_room_for_weak_start(&prekeys, &context.limits) {
            return Err(OpenError::TooManyWeakStarts);
        }
        let memory = Memory::to_ask(arrived.from, arrived.have, context, &mut needs)?;
        let noted = arrived.note(&unsealed, memory, &mut peer.recent, context, &mut needs)?;
        let view = arrived.view(&unsealed, &lists)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }

        let mut writes: Vec<Write> = skipped.into_iter().chain(noted).collect();
        writes.extend(self.use_up_prekey(session.id, prekeys, &mut archive, context).into_iter().flatten());
        let mut opened = Opened::new(unsealed, view, arrived.id, Arrival::NewSession, &session);
        peer.listed |= lists.matter();
        opened.downgraded = peer.accepts_less(session.suite, &lists, arrived.from, with_kem);
        let (arrival, archived) = peer.take_in(session);
        opened.arrival = arrival;
        let filed = archived.map(|archived| archive.add(archived, place, context, &mut needs)).transpose()?;
        if filed.is_some() || weak {
            writes.extend(filed.into_iter().flatten());
            writes.push(self.archive.write(archive, context));
        }
        slot.value = Some(peer);
        Ok(Run::Done(Step { writes, output: opened }))
    }

    /// The keys that the handshake names, and everything that can be said of it without computing with them.
    fn keys(
        &mut self,
        arrived: &Arrived<'_>,
        suite: Suite,
        prekeys: &Prekeys,
        context: &Context<'_>,
    ) -> Result<Keys, OpenError> {
        let device = self.device.value.take().ok_or(OpenError::NotRegistered)?;
        if self.handshake.identity_key == device.identity.public() || *arrived.from == device.address {
            return Err(OpenError::NotAuthentic);
        }
        let signed_id = self.handshake.signed_prekey;
        let signed = self.signed.value.take().filter(|_| prekeys.accepts(&signed_id, context.now));
        let signed = signed.ok_or(OpenError::MissingPrekey(signed_id))?;
        let one_time = match (self.handshake.one_time_prekey, self.one_time.as_mut()) {
            (Some(id), Some(slot)) => Some(slot.value.take().ok_or(OpenError::MissingPrekey(id))?),
            _ => None,
        };
        // The KEM prekey goes with the one-time prekey, or without one with the signed prekey.
        let kem = match &self.handshake.kem {
            None => None,
            Some(part) => {
                let seed = match &one_time {
                    Some(one_time) => one_time.kem.as_ref(),
                    None => signed.last_resort.as_ref().map(|last| &last.seed),
                };
                let missing = OpenError::MissingPrekey(part.prekey);
                let seed = seed.filter(|seed| Some(seed.size()) == suite.kem());
                let pair = seed.ok_or(missing)?.expand();
                if PrekeyId::of_kem(pair.public()) != part.prekey {
                    return Err(missing);
                }
                Some(pair)
            }
        };
        Ok(Keys { device, signed, one_time, kem })
    }

    /// The handshake, and the session that follows. Nothing is proved yet.
    fn derive(
        &self,
        arrived: &Arrived<'_>,
        envelope: &Envelope<'_>,
        keys: Keys,
        context: &Context<'_>,
    ) -> Result<Session, OpenError> {
        let Keys { device, signed, one_time, kem } = keys;
        let own = Party { identity: &device.identity, address: &device.address };
        let one_time = one_time.as_ref().map(|prekey| &prekey.pair);
        let prekeys = handshake::Prekeys { signed: &signed.pair, one_time, kem: kem.as_ref() };
        let suite = envelope.suite;
        let established = respond(own, arrived.from, suite, &self.handshake, prekeys)
            .map_err(|_| OpenError::NotAuthentic)?;
        if established.session_id() != envelope.session_id {
            return Err(OpenError::NotAuthentic);
        }
        let headers = envelope.message.header.headers();
        Ok(Session::respond(established, &self.handshake, (suite, headers), signed.pair, context.now))
    }

    /// Lets the one-time prekey go; without one the archive remembers the session, so that it is not made again.
    fn use_up_prekey(
        &self,
        session: SessionId,
        mut prekeys: Prekeys,
        archive: &mut Archive,
        context: &Context<'_>,
    ) -> [Option<Write>; 2] {
        if let (Some(id), Some(one_time)) = (&self.handshake.one_time_prekey, &self.one_time) {
            prekeys.remove_one_time(id);
            return [one_time.delete(), Some(self.prekeys.write(prekeys, context))];
        }
        archive.remember_weak_start(session, self.handshake.signed_prekey);
        [None, None]
    }
}

impl Peer {
    /// Takes a session that the peer started: it is the active one, or is to be archived, by the rule that both sides compute alike. What is to be archived comes back.
    fn take_in(&mut self, session: Session) -> (Arrival, Option<Session>) {
        self.meet(session.suite, false);
        self.latest_start = self.latest_start.max(Some(session.order));
        match self.session.take() {
            Some(former) if !becomes_active(&session, &former) => {
                self.session = Some(former);
                (Arrival::NewArchived, Some(session))
            }
            former => {
                self.session = Some(session);
                self.stale = false;
                (Arrival::NewSession, former)
            }
        }
    }
}

/// Opens the envelope in the session that it makes; the write is of the keys of messages before it.
fn open_first(
    mut session: Session,
    envelope: &Envelope<'_>,
    arrived: &Arrived<'_>,
    context: &Context<'_>,
) -> Result<(Session, Unsealed, Option<Write>), OpenError> {
    let located = session.chains.locate(&envelope.message.header, &context.limits)?;
    let mut skipped = SkippedKeys::none();
    let unsealed = session.open(located, envelope, arrived.associated_data, &mut skipped, context)?;
    let session = session.made_by_first_envelope();
    let slot = Slot::absent(skipped_key(arrived.from, session.id));
    let write = write_skipped(&slot, skipped, context);
    Ok((session, unsealed, write))
}
