//! The record of a peer's device, which every message rewrites, and the records beside it.

use super::{accepted::Recent, copies, state::Session};
use crate::{
    identity::{Address, IdentityKey, Lists, PeerIdentity},
    ratchet::SkippedKeys,
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader, RecordType,
        RecordWriter, Slot, SuitePolicy, UnixMillis, Write,
    },
    wire::{SessionId, Suite},
};

/// What is known of a peer's device: identity and trust, and the active session. At most 400 bytes once a session is settled, with encrypted headers 660.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) identity: PeerIdentity,
    /// The latest start of all sessions with this device; outlives them, so that the next one is later still.
    pub(super) latest_start: Option<UnixMillis>,
    pub(super) session: Option<Session>,
    /// Whether this device came back from a backup and has had no new session since: the one here sends nothing.
    pub(super) stale: bool,
    /// Where the copy of the next message goes.
    pub(super) next_copy: copies::Place,
    /// What was opened last.
    pub(super) recent: Recent,
    /// Whether device lists were on record when the session began, or came up since: its messages are stamped.
    pub(super) listed: bool,
    /// Whether the device has shown, under the key on record, that it speaks a post-quantum suite.
    pub(super) post_quantum: bool,
    /// Whether a bundle of its was of the strongest suite.
    pub(super) strongest: bool,
}

/// Bits of the flags byte of a stored peer.
mod flags {
    pub(super) const SESSION: u8 = 1;
    pub(super) const STALE: u8 = 1 << 1;
    /// The latest start is that of the session, and not written.
    pub(super) const LATEST: u8 = 1 << 2;
    pub(super) const LISTED: u8 = 1 << 3;
    pub(super) const POST_QUANTUM: u8 = 1 << 4;
    pub(super) const STRONGEST: u8 = 1 << 5;
    pub(super) const ALL: u8 = SESSION | STALE | LATEST | LISTED | POST_QUANTUM | STRONGEST;
}

impl Peer {
    /// A peer whose first key was just seen.
    pub(super) fn pinned(key: IdentityKey) -> Self {
        Self {
            identity: PeerIdentity::pinned(key),
            latest_start: None,
            session: None,
            stale: false,
            next_copy: copies::Place::default(),
            recent: Recent::default(),
            listed: false,
            post_quantum: false,
            strongest: false,
        }
    }

    /// A device of the own account, whose key was seen on its screen.
    pub(super) fn scanned(key: IdentityKey) -> Self {
        Self { identity: PeerIdentity::scanned(key), listed: true, ..Self::pinned(key) }
    }

    /// Notes which suite the device speaks, once that is certain. What a session has whose bundle was the device's shows which KEM its own prekeys are of.
    pub(super) fn meet(&mut self, suite: Suite, by_its_bundle: bool) {
        self.post_quantum |= suite.kem().is_some();
        self.strongest |= by_its_bundle && suite.is_strongest();
    }

    /// Whether a session that this device starts is less than the other has shown that it can, or than its phone has signed for in the list on record.
    pub(super) fn starts_less(&self, suite: Suite, lists: &Lists, to: &Address, own: SuitePolicy) -> bool {
        let fallen = self.strongest && !suite.is_strongest();
        let above = |promised: &Suite| promised.to_byte() > suite.to_byte();
        let promised = own.kem().is_some() && lists.promised_suites(to).iter().any(above);
        self.has_fallen_back(suite) || fallen || promised
    }

    /// Whether a session that the other has started is less than it has shown that it can, or than its phone has signed for where it had a KEM prekey at hand. Of which KEM that was is
    /// this device's choice.
    pub(super) fn accepts_less(&self, suite: Suite, lists: &Lists, from: &Address, with_kem: bool) -> bool {
        let unused = with_kem && suite.kem().is_none();
        self.has_fallen_back(suite) || unused && !lists.promised_suites(from).is_empty()
    }

    /// Whether a session is without the post-quantum part that there was before.
    pub(super) fn has_fallen_back(&self, suite: Suite) -> bool {
        self.post_quantum && suite.kem().is_none()
    }

    /// Whether a session sends.
    pub(super) fn speaks(&self) -> bool {
        self.session.is_some() && !self.stale
    }

    /// The session that sends, if there is one.
    pub(super) fn speaking(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|_| !self.stale)
    }

    /// The device came back from a backup: what it sent since then is not known, so it sends nothing more in this session.
    pub(super) fn grow_stale(&mut self) {
        self.stale = true;
        if let Some(session) = &mut self.session {
            session.chains.stop_sending();
        }
    }

    /// Where the next copy goes: the first byte of the record, so that a send can ask for what is there without decoding the rest.
    pub(super) fn next_copy(
        have: &Loaded,
        address: &Address,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<copies::Place>, RecordError> {
        let first = have.peek::<Self>(Self::key(address), context, needs)?;
        Ok(first.map(copies::Place))
    }

    pub(super) fn key(address: &Address) -> RecordKey {
        address.write_key(KeyWriter::new(RecordKind::Peer)).finish()
    }

    pub(super) fn read(
        have: &Loaded,
        address: &Address,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(Self::key(address), context, needs)
    }
}

/// The identity key on record for a device, and the one that waits for a decision.
pub(crate) fn identity_on_record(
    address: &Address,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<(IdentityKey, Option<IdentityKey>)>, RecordError> {
    let slot = Peer::read(have, address, context, needs)?;
    Ok(slot.value.map(|peer| (peer.identity.key(), peer.identity.offered())))
}

/// Pins a device of the own account, whose key was seen on its screen or came over its camera.
pub(crate) fn pin_scanned(
    device: &Address,
    key: IdentityKey,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Write, RecordError> {
    Ok(Peer::read(have, device, context, needs)?.write(Peer::scanned(key), context))
}

/// Pins a device of the own account whose address was just drawn.
pub(crate) fn pin_new(device: &Address, key: IdentityKey, context: &Context<'_>) -> Write {
    Slot::absent(Peer::key(device)).write(Peer { listed: false, ..Peer::scanned(key) }, context)
}

impl RecordType<'_> for Peer {
    const KIND: RecordKind = RecordKind::Peer;

    fn max_body_len(&self) -> usize {
        const FIXED: usize = PeerIdentity::MAX_LEN + 1 + 1 + Recent::MAX_LEN + 8;
        self.session.as_ref().map_or(0, Session::max_len).saturating_add(FIXED)
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.identity.encode(body.u8(self.next_copy.0));
        let is_latest = self.session.as_ref().is_some_and(|session| Some(session.order) == self.latest_start);
        body.flags([
            (self.session.is_some(), flags::SESSION),
            (self.stale, flags::STALE),
            (is_latest, flags::LATEST),
            (self.listed, flags::LISTED),
            (self.post_quantum, flags::POST_QUANTUM),
            (self.strongest, flags::STRONGEST),
        ]);
        self.recent.encode(body);
        if !is_latest {
            // A start is never 0.
            body.u64(self.latest_start.map_or(0, |start| start.0));
        }
        if let Some(session) = &self.session {
            session.encode(body);
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let next_copy = copies::Place(body.u8()?);
        let identity = PeerIdentity::decode(body)?;
        let flags = body.flags(flags::ALL)?;
        let recent = Recent::decode(body)?;
        let latest = if flags & flags::LATEST == 0 { Some(UnixMillis(body.u64()?)) } else { None };
        let session = if flags & flags::SESSION != 0 { Some(Session::decode(body)?) } else { None };
        let latest_start = match latest {
            Some(latest) => Some(latest).filter(|start| start.0 != 0),
            None => Some(session.as_ref()?.order),
        };
        let has = |flag| flags & flag != 0;
        Some(Self {
            identity,
            latest_start,
            session,
            stale: has(flags::STALE),
            next_copy,
            recent,
            listed: has(flags::LISTED),
            post_quantum: has(flags::POST_QUANTUM),
            strongest: has(flags::STRONGEST),
        })
    }
}

/// A session that receives only, and since when.
#[derive(Debug)]
pub(super) struct ArchivedSession {
    pub(super) session: Session,
    archived_at: UnixMillis,
}

impl ArchivedSession {
    /// Archives a session: it forgets its sending chain.
    pub(super) fn new(mut session: Session, now: UnixMillis) -> Self {
        session.chains.stop_sending();
        Self { session, archived_at: now }
    }

    /// Whether it is too old to open anything.
    pub(super) fn expired(&self, context: &Context<'_>) -> bool {
        Self::is_too_old(self.archived_at, context)
    }

    /// Whether what was archived then opens nothing any more.
    pub(super) fn is_too_old(archived_at: UnixMillis, context: &Context<'_>) -> bool {
        context.now.since(archived_at) > context.limits.archived_max_age
    }

    pub(super) fn key(peer: &Address, session: SessionId) -> RecordKey {
        session_key(RecordKind::ArchivedSession, peer, session)
    }
}

impl RecordType<'_> for ArchivedSession {
    const KIND: RecordKind = RecordKind::ArchivedSession;

    fn max_body_len(&self) -> usize {
        self.session.max_len().saturating_add(8)
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.session.encode(body.u64(self.archived_at.0));
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let archived_at = UnixMillis(body.u64()?);
        Some(Self { session: Session::decode(body)?, archived_at })
    }
}

/// The key of a session's skipped keys; the same while it is active and archived.
pub(super) fn skipped_key(peer: &Address, session: SessionId) -> RecordKey {
    session_key(RecordKind::SkippedKeys, peer, session)
}

fn session_key(kind: RecordKind, peer: &Address, session: SessionId) -> RecordKey {
    peer.write_key(KeyWriter::new(kind)).part(&session.0).finish()
}

/// The write that stores changed skipped keys; none where they did not change, and a removal where none is left.
pub(super) fn write_skipped<'a>(
    slot: &Slot<SkippedKeys<'a>>,
    skipped: SkippedKeys<'a>,
    context: &Context<'_>,
) -> Option<Write> {
    match skipped {
        SkippedKeys::Stored(_) => None,
        SkippedKeys::Changed(_) if skipped.as_bytes().is_empty() => slot.delete(),
        SkippedKeys::Changed(_) => Some(slot.write(skipped, context)),
    }
}
