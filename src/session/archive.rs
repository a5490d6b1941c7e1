//! Sessions that receive only, and the rule which of two sessions is active. `docs/protocol.md`, section 8 "One active session".

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::{
    peer::{ArchivedSession, skipped_key},
    state::Session,
};
use crate::{
    identity::Address,
    prekey::{PrekeyId, Prekeys},
    ratchet::SkippedKeys,
    step::{
        Context, KeyWriter, Limits, Loaded, Needs, RecordError, RecordKind, RecordReader, RecordType,
        RecordWriter, Slot, UnixMillis, Write,
    },
    wire::SessionId,
};

/// Whether a session takes the active one's place: the later start, and of equal ones the smaller id. The same at both sides, in whatever order envelopes come.
pub(super) fn becomes_active(new: &Session, active: &Session) -> bool {
    (new.order, Reverse(new.id)) > (active.order, Reverse(active.id))
}

/// What is archived for a peer's device, and which sessions without a one-time prekey it has started.
#[derive(Debug, Default)]
pub(super) struct Archive {
    /// Newest first, with the time when it was archived.
    sessions: Vec<(SessionId, UnixMillis)>,
    /// With the signed prekey that each used: as long as that is held, the session's first envelopes must not make it again.
    weak_starts: Vec<(SessionId, PrekeyId)>,
}

impl Archive {
    pub(super) fn read(
        have: &Loaded,
        peer: &Address,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(peer.write_key(KeyWriter::new(RecordKind::Archive)).finish(), context, needs)
    }

    /// The archived sessions, newest first.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().map(|(id, _)| *id)
    }

    pub(super) fn knows_weak_start(&self, session: SessionId) -> bool {
        self.weak_starts.iter().any(|(known, _)| *known == session)
    }

    /// Forgets the weak starts whose signed prekey is gone; whether there is room for another.
    pub(super) fn has_room_for_weak_start(&mut self, prekeys: &Prekeys, limits: &Limits) -> bool {
        self.weak_starts.retain(|(_, prekey)| prekeys.holds(prekey));
        self.weak_starts.len() < usize::from(limits.max_weak_starts)
    }

    pub(super) fn remember_weak_start(&mut self, session: SessionId, prekey: PrekeyId) {
        self.weak_starts.push((session, prekey));
    }

    /// Asks for what [`add`](Self::add) will need, before any work is done. All that may ever be dropped is asked for at once, so that a batch of envelopes
    /// that make sessions settles in a few rounds.
    pub(super) fn prepare(
        &self,
        former: SessionId,
        place: ArchivePlace<'_>,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<(), RecordError> {
        place.have.slot::<ArchivedSession>(ArchivedSession::key(place.peer, former), needs);
        let full = self.sessions.len() >= usize::from(context.limits.max_archived);
        if full || self.young(context) < self.sessions.len() {
            for (session, _) in &self.sessions {
                place.remove(*session, context, needs)?.for_each(drop);
            }
        }
        Ok(())
    }

    /// Archives a session and drops those that are too many or too old, with their keys.
    pub(super) fn add(
        &mut self,
        session: Session,
        place: ArchivePlace<'_>,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Write>, RecordError> {
        let id = session.id;
        // Absent, unless records are of different moments.
        let slot = place.have.slot(ArchivedSession::key(place.peer, id), needs);
        let mut writes = Vec::from([slot.write(ArchivedSession::new(session, context.now), context)]);
        self.sessions.insert(0, (id, context.now));
        let kept = self.young(context).clamp(1, usize::from(context.limits.max_archived));
        writes.extend(self.keep(kept, place, context, needs)?);
        Ok(writes)
    }

    /// Drops the archived sessions that are too old, with their keys.
    pub(super) fn tidy(
        &mut self,
        place: ArchivePlace<'_>,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Write>, RecordError> {
        self.keep(self.young(context), place, context, needs)
    }

    /// Drops all archived sessions, with their keys.
    pub(super) fn clear(
        &mut self,
        place: ArchivePlace<'_>,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Write>, RecordError> {
        self.keep(0, place, context, needs)
    }

    /// Drops all but so many of the newest, with their keys.
    fn keep(
        &mut self,
        newest: usize,
        place: ArchivePlace<'_>,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Write>, RecordError> {
        let mut writes = Vec::new();
        for (id, _) in self.sessions.drain(newest.min(self.sessions.len())..) {
            writes.extend(place.remove(id, context, needs)?);
        }
        Ok(writes)
    }

    /// How many of the newest are not too old.
    fn young(&self, context: &Context<'_>) -> usize {
        self.sessions.iter().take_while(|(_, at)| !ArchivedSession::is_too_old(*at, context)).count()
    }
}

/// Whose archive, in which store.
#[derive(Clone, Copy)]
pub(super) struct ArchivePlace<'a> {
    pub(super) have: &'a Loaded,
    pub(super) peer: &'a Address,
}

impl ArchivePlace<'_> {
    /// The removal of an archived session and of its skipped keys.
    fn remove(
        self,
        session: SessionId,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<impl Iterator<Item = Write> + use<>, RecordError> {
        let archived =
            self.have.read::<ArchivedSession>(ArchivedSession::key(self.peer, session), context, needs)?;
        let bare = archived.value.as_ref().is_some_and(|archived| !archived.session.has_skipped);
        let skipped = if bare { None } else { self.remove_skipped(session, context, needs)? };
        Ok(archived.delete().into_iter().chain(skipped))
    }

    /// Removes a session's skipped keys.
    pub(super) fn remove_skipped(
        self,
        session: SessionId,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Write>, RecordError> {
        let skipped = self.have.read::<SkippedKeys<'_>>(skipped_key(self.peer, session), context, needs)?;
        Ok(skipped.delete())
    }
}

impl RecordType<'_> for Archive {
    const KIND: RecordKind = RecordKind::Archive;

    fn max_body_len(&self) -> usize {
        let sessions = self.sessions.len().saturating_mul(16);
        self.weak_starts.len().saturating_mul(24).saturating_add(sessions).saturating_add(1)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u8(u8::try_from(self.sessions.len()).unwrap_or(u8::MAX));
        for (id, at) in &self.sessions {
            body.bytes(&id.0).u64(at.0);
        }
        for (id, prekey) in &self.weak_starts {
            body.bytes(&id.0).bytes(prekey.as_bytes());
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let count = body.u8()?;
        let one = |body: &mut RecordReader<'_>| Some((SessionId(body.array()?), UnixMillis(body.u64()?)));
        let sessions = (0..count).map(|_| one(body)).collect::<Option<_>>()?;
        let mut weak_starts = Vec::new();
        while let Some(id) = body.array() {
            weak_starts.push((SessionId(id), PrekeyId(body.array()?)));
        }
        Some(Self { sessions, weak_starts })
    }
}
