//! Receiving: the envelope names its session, and that one opens it or nothing does.

use core::fmt;

use super::{
    MessageId, OpenError, Strength,
    accept::Accept,
    peer::{ArchivedSession, Peer, skipped_key, write_skipped},
    state::Session,
};
use crate::{
    identity::Address,
    primitives::SecretBytes,
    ratchet::{SkippedKeys, associated_fits},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, Write},
    wire::{Envelope, Header, SessionId},
};

/// Opens an envelope.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | the device that the transport says it is from; a wrong word of it opens nothing |
/// | in | `envelope` | 75 to 1,048,576 B | |
/// | in | `associated_data` | 0 to 4,096 B | what the sender bound |
/// | out | [`Received`] | | the plaintext, and how it came |
///
/// In order it reads and writes one record and costs no Diffie-Hellman; a new ratchet key of the peer's costs one. A gap or a late message reads and writes the session's skipped keys too. The first
/// envelope of a session costs three or four more Diffie-Hellmans; the one-time prekey is deleted in the same step. Draws no randomness.
///
/// Opening uses the message's key up: keep the plaintext, or what you make of it, in the same transaction as the step's writes.
///
/// # Errors
/// [`OpenError`]; nothing has changed then, and the same bytes can be tried again.
///
/// # Spec
/// *X3DH*, 3.4; *The Double Ratchet Algorithm*, 3.5; `docs/protocol.md`, sections 6 to 8.
#[derive(Clone, Copy)]
pub struct Receive<'a> {
    /// From which device, by the transport's word.
    pub from: Address,
    /// What came.
    pub envelope: &'a [u8],
    /// What the sender bound.
    pub associated_data: &'a [u8],
}

/// By which session an envelope was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// By the active session.
    Active,
    /// By an archived one: late, or the peer has not met the active one yet.
    Archived,
    /// By a session that it made, and which is the active one now.
    NewSession,
    /// By a session that it made, and which is archived, since the active one started later: both sides started at once, or it is late.
    NewArchived,
}

/// An opened message.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// What was said.
    pub plaintext: SecretBytes,
    /// The session that opened it.
    pub session: SessionId,
    /// How it came.
    pub arrival: Arrival,
    /// Weak: the session has no full strength yet; an answer gives it.
    pub strength: Strength,
    pub(super) header: Header,
}

impl Received {
    /// The message's id, the same at the sender; one SHA-256.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        MessageId::of(self.session, &self.header)
    }
}

impl fmt::Debug for Receive<'_> {
    /// Shows lengths, not what the caller binds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receive {{ from: {:?}, envelope: {} bytes }}", self.from, self.envelope.len())
    }
}

impl Sealed for Receive<'_> {}

impl Operation for Receive<'_> {
    type Output = Received;
    type Error = OpenError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Received>, OpenError> {
        if !associated_fits(self.associated_data) {
            return Err(OpenError::AssociatedDataTooLong);
        }
        let envelope = Envelope::parse(self.envelope)?;
        let mut needs = Needs::new();
        let mut peer_slot = Peer::read(have, &self.from, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let active = peer_slot.value.as_mut().and_then(|peer| peer.session.as_mut());
        if let Some(session) = active.filter(|session| session.id == envelope.session_id) {
            let opened = self.open(&envelope, session, Arrival::Active, have, context)?;
            return Ok(opened.into_run(|| peer_slot.rewrite(context)));
        }

        let archived_key = ArchivedSession::key(&self.from, envelope.session_id);
        let mut archived = have.read::<ArchivedSession>(archived_key, context, &mut needs)?;
        let accept =
            envelope.handshake.map(|bytes| Accept::read(bytes, self, have, context, &mut needs)).transpose();
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        if let Some(ArchivedSession { session, .. }) =
            archived.value.as_mut().filter(|old| !old.expired(context))
        {
            let opened = self.open(&envelope, session, Arrival::Archived, have, context)?;
            return Ok(opened.into_run(|| archived.rewrite(context)));
        }
        match accept? {
            Some(accept) => accept.finish(&envelope, self, peer_slot, have, context),
            None => Err(OpenError::OutOfStep),
        }
    }
}

/// What became of an envelope in a session that is on record.
enum InSession {
    Needs(Needs),
    /// The session was changed in place, and perhaps its skipped keys.
    Opened(Received, Option<Write>),
}

impl InSession {
    fn into_run(self, write_session: impl FnOnce() -> Option<Write>) -> Run<Received> {
        match self {
            Self::Needs(needs) => Run::Needs(needs),
            Self::Opened(received, skipped) => {
                Run::Done(Step::new(write_session().into_iter().chain(skipped).collect(), received))
            }
        }
    }
}

impl Receive<'_> {
    /// Opens an envelope in a session that is on record.
    fn open(
        &self,
        envelope: &Envelope<'_>,
        session: &mut Session,
        arrival: Arrival,
        have: &Loaded,
        context: &Context<'_>,
    ) -> Result<InSession, OpenError> {
        let place = session.chains.locate(&envelope.message.header, &context.limits)?;
        let skipped_key = skipped_key(&self.from, session.id);
        let mut slot = Slot::<SkippedKeys<'_>>::absent(skipped_key);
        if place.needs_skipped() {
            let mut needs = Needs::new();
            slot = have.read(skipped_key, context, &mut needs)?;
            if !needs.is_empty() {
                return Ok(InSession::Needs(needs));
            }
        }
        let mut skipped = slot.value.take().unwrap_or(SkippedKeys::none());
        let plaintext = session.open(place, envelope, self.associated_data, &mut skipped, context)?;
        let received = Received {
            plaintext,
            session: session.id,
            arrival,
            strength: session.strength(),
            header: envelope.message.header,
        };
        Ok(InSession::Opened(received, write_skipped(&slot, skipped, context)))
    }
}
