//! The record of a peer's device, which every message rewrites, and the records beside it.

use super::state::Session;
use crate::{
    identity::{Address, PeerIdentity},
    ratchet::SkippedKeys,
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader, RecordType,
        RecordWriter, Slot, UnixMillis, Write,
    },
    wire::SessionId,
};

/// What is known of a peer's device: identity and trust, and the active session. At most 400 bytes once a session is settled.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) identity: PeerIdentity,
    /// The latest start of all sessions with this device; outlives them, so that the next one is later still.
    pub(super) latest_start: Option<UnixMillis>,
    pub(super) session: Option<Session>,
}

impl Peer {
    pub(super) fn read(
        have: &Loaded,
        address: &Address,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(address.write_key(KeyWriter::new(RecordKind::Peer)).finish(), context, needs)
    }
}

impl RecordType<'_> for Peer {
    const KIND: RecordKind = RecordKind::Peer;

    fn max_body_len(&self) -> usize {
        self.session.as_ref().map_or(0, Session::max_len).saturating_add(PeerIdentity::MAX_LEN + 8 + 1)
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.identity.encode(body);
        // A start is never 0.
        body.u64(self.latest_start.map_or(0, |start| start.0)).u8(u8::from(self.session.is_some()));
        if let Some(session) = &self.session {
            session.encode(body);
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let identity = PeerIdentity::decode(body)?;
        let latest_start = Some(UnixMillis(body.u64()?)).filter(|start| start.0 != 0);
        let session = if body.flag()? { Some(Session::decode(body)?) } else { None };
        Some(Self { identity, latest_start, session })
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
        context.now.since(self.archived_at) > context.limits.archived_max_age
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
