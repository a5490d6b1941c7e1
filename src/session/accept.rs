//! The first envelope of a session: X3DH at the responder's side, and everything that must hold before it makes a session.

use alloc::vec::Vec;

use super::{
    Arrival, OpenError, Receive, Received,
    archive::{Archive, ArchivePlace, becomes_active},
    peer::{Peer, skipped_key, write_skipped},
    state::Session,
};
use crate::{
    handshake::{Handshake, Party, respond},
    identity::{Device, PeerIdentity},
    prekey::{OneTimePrekey, Prekeys, SignedPrekey},
    ratchet::SkippedKeys,
    step::{Context, Loaded, Needs, Run, Slot, Step},
    wire::Envelope,
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

impl Accept {
    pub(super) fn read(
        handshake: &[u8],
        receive: &Receive<'_>,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, OpenError> {
        let handshake = Handshake::decode(handshake)?;
        let one_time = |id| have.read(OneTimePrekey::key(id), context, needs);
        Ok(Self {
            one_time: handshake.one_time_prekey.as_ref().map(one_time).transpose()?,
            device: Device::read(have, context, needs)?,
            prekeys: Prekeys::read(have, context, needs)?,
            signed: have.read(SignedPrekey::key(&handshake.signed_prekey), context, needs)?,
            archive: Archive::read(have, &receive.from, context, needs)?,
            handshake,
        })
    }

    /// Makes the session, opens the envelope in it, and lets the one-time prekey go in the same step.
    pub(super) fn finish(
        mut self,
        envelope: &Envelope<'_>,
        receive: &Receive<'_>,
        mut peer_slot: Slot<Peer>,
        have: &Loaded,
        context: &Context<'_>,
    ) -> Result<Run<Received>, OpenError> {
        let peer = peer_slot.value.take();
        let mut prekeys = self.prekeys.value.take().unwrap_or_default();
        let mut archive = self.archive.value.take().unwrap_or_default();
        self.check_repeat(envelope, &mut archive, &prekeys)?;
        let mut needs = Needs::new();
        let place = ArchivePlace { have, peer: &receive.from };
        if peer.as_ref().is_some_and(|peer| peer.session.is_some()) {
            archive.prepare(place, context, &mut needs)?;
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let session = self.derive(envelope, receive, &prekeys, context)?;
        let (session, received, skipped) = open_first(session, envelope, receive, context)?;
        // Only now: the sender has shown that it holds the key, so that nobody else can make the app ask its user.
        let offered = self.handshake.identity_key;
        if let Some(stored) =
            peer.as_ref().map(|peer| peer.identity.key()).filter(|stored| *stored != offered)
        {
            return Err(OpenError::IdentityChanged { stored, offered });
        }

        let mut writes = Vec::from_iter(skipped);
        if let (Some(id), Some(slot)) = (&self.handshake.one_time_prekey, &self.one_time) {
            prekeys.remove_one_time(id);
            writes.extend(slot.delete());
            writes.push(self.prekeys.write(prekeys, context));
        } else {
            archive.remember_weak_start(session.id, self.handshake.signed_prekey);
        }
        let (identity, latest, former) = match peer {
            Some(peer) => (peer.identity, peer.latest_start, peer.session),
            None => (PeerIdentity::pinned(offered), None, None),
        };
        let latest_start = latest.max(Some(session.order));
        let (active, archived) = match former {
            None => (session, None),
            Some(former) if becomes_active(&session, &former) => (session, Some(former)),
            Some(former) => (former, Some(session)),
        };
        let arrival = if active.id == received.session { Arrival::NewSession } else { Arrival::NewArchived };
        let archive_changes = archived.is_some() || self.handshake.one_time_prekey.is_none();
        if let Some(archived) = archived {
            writes.extend(archive.add(archived, place, context, &mut needs)?);
        }
        if archive_changes {
            writes.push(self.archive.write(archive, context));
        }
        writes.push(peer_slot.write(Peer { identity, latest_start, session: Some(active) }, context));
        Ok(Run::Done(Step::new(writes, Received { arrival, ..received })))
    }

    /// A first envelope without a one-time prekey must not make its session twice. `docs/protocol.md`, section 6 "Repeats".
    fn check_repeat(
        &self,
        envelope: &Envelope<'_>,
        archive: &mut Archive,
        prekeys: &Prekeys,
    ) -> Result<(), OpenError> {
        if archive.knows_weak_start(envelope.session_id) {
            return Err(OpenError::Duplicate);
        }
        let weak = self.handshake.one_time_prekey.is_none();
        if weak && !archive.has_room_for_weak_start(prekeys) {
            return Err(OpenError::TooManyWeakStarts);
        }
        Ok(())
    }

    /// The handshake: who it is from, which keys it uses, and the session that follows. Nothing is proved yet.
    fn derive(
        &mut self,
        envelope: &Envelope<'_>,
        receive: &Receive<'_>,
        prekeys: &Prekeys,
        context: &Context<'_>,
    ) -> Result<Session, OpenError> {
        let device = self.device.value.take().ok_or(OpenError::NotRegistered)?;
        let offered = self.handshake.identity_key;
        if offered == device.identity.public() || receive.from == device.address {
            return Err(OpenError::NotAuthentic);
        }
        let signed_id = self.handshake.signed_prekey;
        let signed = self.signed.value.take().filter(|_| prekeys.accepts(&signed_id, context.now));
        let signed = signed.ok_or(OpenError::MissingPrekey(signed_id))?;
        let one_time = match (self.handshake.one_time_prekey, self.one_time.as_mut()) {
            (Some(id), Some(slot)) => Some(slot.value.take().ok_or(OpenError::MissingPrekey(id))?),
            _ => None,
        };
        let one_time = one_time.as_ref().map(|key| &key.0);
        let own = Party { identity: &device.identity, address: &device.address };
        let established =
            respond(own, &receive.from, envelope.suite, &self.handshake, &signed.pair, one_time)
                .map_err(|_| OpenError::NotAuthentic)?;
        if established.session_id() != envelope.session_id {
            return Err(OpenError::NotAuthentic);
        }
        Ok(Session::respond(established, &self.handshake, envelope.suite, signed.pair, context.now))
    }
}

/// Opens the envelope in the session that it makes; the write is of the keys of messages before it.
fn open_first(
    mut session: Session,
    envelope: &Envelope<'_>,
    receive: &Receive<'_>,
    context: &Context<'_>,
) -> Result<(Session, Received, Option<crate::step::Write>), OpenError> {
    let place = session.chains.locate(&envelope.message.header, &context.limits)?;
    let mut skipped = SkippedKeys::none();
    let plaintext = session.open(place, envelope, receive.associated_data, &mut skipped, context)?;
    let session = session.made_by_first_envelope();
    let received = Received {
        plaintext,
        session: session.id,
        arrival: Arrival::NewSession,
        strength: session.strength(),
        header: envelope.message.header,
    };
    let slot = Slot::absent(skipped_key(&receive.from, session.id));
    let write = write_skipped(&slot, skipped, context);
    Ok((session, received, write))
}
