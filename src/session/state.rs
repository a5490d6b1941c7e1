//! A session: a ratchet bound to a transcript, and how far the two sides have heard of each other.

use alloc::vec::Vec;

use super::OpenError;
use crate::{
    handshake::{Established, Handshake, Transcript},
    prekey::VerifiedBundle,
    primitives::{KeyPair, Random, SecretBytes, aead},
    ratchet::{Chains, EncryptError, Place, SkippedKeys},
    step::{Context, RecordReader, RecordWriter, UnixMillis},
    wire::{Envelope, Header, SessionId, Suite, write_front},
};

/// Content of the app's own; the first byte of what a session's AEAD seals.
const APP_MESSAGE: u8 = 1;

/// What protects a session's first messages should the signed prekey leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strength {
    /// Full: a one-time prekey was used, or a turn has been completed since.
    Full,
    /// Weak: it began without a one-time prekey and no turn has been completed yet.
    Weak,
}

/// How far a session has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// Started here, and nothing has opened in it: every message carries the handshake, kept encoded.
    Initiating { handshake: Vec<u8> },
    /// Started by the peer, which has not answered a ratchet key of ours yet.
    Responding,
    /// Each side has answered the other.
    Settled,
}

/// One session with one device of a peer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    suite: Suite,
    pub(super) phase: Phase,
    weak_start: bool,
    /// The start that both sides know; orders the sessions of a pair.
    pub(super) order: UnixMillis,
    transcript: Transcript,
    /// When it began at this side, by this side's clock.
    pub(super) started_at: UnixMillis,
    /// Whether a record of skipped keys belongs to it.
    pub(super) has_skipped: bool,
    pub(super) chains: Chains,
}

impl Session {
    /// The initiator's end. Draws 32 random bytes.
    pub(super) fn initiate(
        established: Established,
        handshake: &Handshake,
        bundle: &VerifiedBundle,
        context: &mut Context<'_>,
    ) -> Result<Self, EncryptError> {
        let (id, transcript) = (established.session_id(), *established.transcript());
        let root = established.into_root_secret();
        Ok(Self {
            id,
            suite: bundle.suite(),
            phase: Phase::Initiating { handshake: handshake.encode() },
            weak_start: handshake.one_time_prekey.is_none(),
            order: handshake.started_at,
            transcript,
            started_at: context.now,
            has_skipped: false,
            chains: Chains::initiate(root, bundle.signed_prekey(), &mut context.random)?,
        })
    }

    /// The responder's end, with the signed prekey that the handshake names.
    pub(super) fn respond(
        established: Established,
        handshake: &Handshake,
        suite: Suite,
        signed_prekey: KeyPair,
        now: UnixMillis,
    ) -> Self {
        let (id, transcript) = (established.session_id(), *established.transcript());
        Self {
            id,
            suite,
            phase: Phase::Responding,
            weak_start: handshake.one_time_prekey.is_none(),
            order: handshake.started_at,
            transcript,
            started_at: now,
            has_skipped: false,
            chains: Chains::respond(established.into_root_secret(), signed_prekey),
        }
    }

    pub(super) fn strength(&self) -> Strength {
        match self.phase {
            Phase::Initiating { .. } | Phase::Responding if self.weak_start => Strength::Weak,
            Phase::Initiating { .. } | Phase::Responding | Phase::Settled => Strength::Full,
        }
    }

    /// Seals a message of the app.
    pub(super) fn seal(
        &mut self,
        plaintext: &[u8],
        associated: &[u8],
        random: &mut Random<'_>,
    ) -> Result<(Vec<u8>, Header), EncryptError> {
        let handshake = match &self.phase {
            Phase::Initiating { handshake } => Some(handshake.as_slice()),
            Phase::Responding | Phase::Settled => None,
        };
        let room = plaintext.len().saturating_add(1 + aead::OVERHEAD + Header::MAX_LEN);
        let front = write_front(self.suite, self.id, handshake, room);
        let content = [&[APP_MESSAGE][..], plaintext];
        self.chains.seal(front, &content, &[&self.transcript.0, associated], random)
    }

    /// Opens an envelope at its place in the ratchet; the session may be half changed on `Err` and is then to be dropped.
    pub(super) fn open(
        &mut self,
        place: Place,
        envelope: &Envelope<'_>,
        associated: &[u8],
        skipped: &mut SkippedKeys<'_>,
        context: &Context<'_>,
    ) -> Result<SecretBytes, OpenError> {
        let bound = [&self.transcript.0[..], associated];
        let opened =
            self.chains.open(place, &envelope.message, &bound, skipped, context.now, &context.limits)?;
        match (&self.phase, opened.turned) {
            (Phase::Initiating { .. }, _) | (Phase::Responding, true) => self.phase = Phase::Settled,
            (Phase::Responding, false) | (Phase::Settled, _) => {}
        }
        if let SkippedKeys::Changed(_) = skipped {
            self.has_skipped = !skipped.as_bytes().is_empty();
        }
        let mut content = opened.plaintext;
        match content.first() {
            Some(&APP_MESSAGE) => {
                content.as_mut_vec().remove(0);
                Ok(content)
            }
            Some(kind) => Err(OpenError::UnknownContent(*kind)),
            None => Err(OpenError::UnknownContent(0)),
        }
    }

    /// Marks the session as just made by its first envelope: the turn that opened it was the initiator's own.
    pub(super) fn made_by_first_envelope(self) -> Self {
        Self { phase: Phase::Responding, ..self }
    }

    /// Upper bound of the encoding in bytes: exact but for the chains.
    pub(super) fn max_len(&self) -> usize {
        const FIXED: usize = 8 + 1 + 1 + 1 + 8 + 32 + 8 + 1 + Chains::MAX_LEN;
        match &self.phase {
            Phase::Initiating { handshake } => handshake.len().saturating_add(FIXED + 2),
            Phase::Responding | Phase::Settled => FIXED,
        }
    }

    pub(super) fn encode(&self, body: &mut RecordWriter) {
        body.bytes(&self.id.0).u8(self.suite.to_byte());
        match &self.phase {
            Phase::Initiating { handshake } => body.u8(0).prefixed(handshake),
            Phase::Responding => body.u8(1),
            Phase::Settled => body.u8(2),
        };
        body.u8(u8::from(self.weak_start))
            .u64(self.order.0)
            .bytes(&self.transcript.0)
            .u64(self.started_at.0)
            .u8(u8::from(self.has_skipped));
        self.chains.encode(body);
    }

    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self {
            id: SessionId(body.array()?),
            suite: Suite::parse(body.u8()?).ok()?,
            phase: match body.u8()? {
                0 => Phase::Initiating { handshake: body.prefixed()?.to_vec() },
                1 => Phase::Responding,
                2 => Phase::Settled,
                _ => return None,
            },
            weak_start: body.flag()?,
            order: UnixMillis(body.u64()?),
            transcript: Transcript(body.array()?),
            started_at: UnixMillis(body.u64()?),
            has_skipped: body.flag()?,
            chains: Chains::decode(body)?,
        })
    }
}
