//! A session: a ratchet bound to a transcript, and how far the two sides have heard of each other.

use alloc::vec::Vec;

use super::{
    OpenError,
    content::{Front, Kind, Marks, Unsealed},
    padding::behind,
    send::Said,
};
use crate::{
    handshake::{Established, Handshake, NoteKind, Transcript, seal_note},
    identity::IdentityKey,
    prekey::VerifiedBundle,
    primitives::{KeyPair, Random, aead},
    ratchet::{Chains, EncryptError, Located, SkippedKeys},
    step::{Context, Headers, Padding, RecordReader, RecordWriter, UnixMillis},
    wire::{Envelope, Header, MAX_PLAINTEXT, SessionId, Suite, write_front, write_hidden_front},
};

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

/// Bits of the flags byte of a stored session; the phase takes two.
mod flags {
    pub(super) const PHASE: u8 = 3;
    pub(super) const WEAK_START: u8 = 1 << 2;
    pub(super) const RECOVERED: u8 = 1 << 3;
    pub(super) const SKIPPED: u8 = 1 << 4;
    pub(super) const ALL: u8 = PHASE | WEAK_START | RECOVERED | SKIPPED;
}

/// One session with one device of a peer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) suite: Suite,
    pub(super) phase: Phase,
    weak_start: bool,
    /// Whether this side started it as its first since it came back from a backup.
    recovered: bool,
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
        (handshake, suite): (&Handshake, Suite),
        bundle: &VerifiedBundle,
        recovered: bool,
        context: &mut Context<'_>,
    ) -> Result<Self, EncryptError> {
        let (id, transcript) = (established.session_id(), *established.transcript());
        let root = established.into_root_secret();
        Ok(Self {
            id,
            suite,
            phase: Phase::Initiating { handshake: handshake.encode() },
            weak_start: handshake.one_time_prekey.is_none(),
            recovered,
            order: handshake.started_at,
            transcript,
            started_at: context.now,
            has_skipped: false,
            chains: Chains::initiate(root, bundle.signed_prekey(), context.headers, &mut context.random)?,
        })
    }

    /// The responder's end, with the signed prekey that the handshake names.
    pub(super) fn respond(
        established: Established,
        handshake: &Handshake,
        (suite, headers): (Suite, Headers),
        signed_prekey: KeyPair,
        now: UnixMillis,
    ) -> Self {
        let (id, transcript) = (established.session_id(), *established.transcript());
        Self {
            id,
            suite,
            phase: Phase::Responding,
            weak_start: handshake.one_time_prekey.is_none(),
            recovered: false,
            order: handshake.started_at,
            transcript,
            started_at: now,
            has_skipped: false,
            chains: Chains::respond(established.into_root_secret(), signed_prekey, headers),
        }
    }

    pub(super) fn strength(&self) -> Strength {
        match self.phase {
            Phase::Initiating { .. } | Phase::Responding if self.weak_start => Strength::Weak,
            Phase::Initiating { .. } | Phase::Responding | Phase::Settled => Strength::Full,
        }
    }

    /// Whether it was started here and nothing has opened in it.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.phase, Phase::Initiating { .. })
    }

    /// Whether its messages say that this side came back from a backup.
    pub(super) fn tells_of_recovery(&self) -> bool {
        self.recovered && self.is_unanswered()
    }

    /// Whether its sending chain has not come to its end.
    pub(super) fn can_send(&self) -> bool {
        self.chains.sending_chain().is_none_or(|(_, next)| next.checked_add(2).is_some())
    }

    /// Seals a message for the device of this identity key.
    pub(super) fn seal(
        &mut self,
        to: &IdentityKey,
        kind: Kind,
        said: &Said<'_>,
        associated: &[u8],
        padding: Padding,
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, EncryptError> {
        let text = said.text.len().saturating_add(said.stamp.len());
        let front_len = Front::len_of(kind);
        // What shows is padded: the content, and the note before it.
        let note = self.note().map_or(0, NoteKind::len);
        let shown = text.saturating_add(front_len).saturating_add(note);
        let padding = behind(shown, padding, MAX_PLAINTEXT.saturating_add(note));
        let text = text.saturating_add(padding.len());
        let room = text.saturating_add(Front::MAX_LEN + aead::OVERHEAD + Header::MAX_LEN);
        let marks = Marks {
            recovered: self.tells_of_recovery(),
            stamped: !said.stamp.is_empty(),
            headed: said.headed,
            padded: !padding.is_empty(),
        };
        let content = Front::new(kind, marks);
        let front = self.front(to, room, random)?;
        let plaintext = [content.as_bytes(), said.stamp, said.text, &padding];
        self.chains.seal(front, &plaintext, &[&self.transcript.0, associated], random)
    }

    /// The note that its envelopes begin with, if they do.
    fn note(&self) -> Option<NoteKind> {
        let hidden = self.chains.headers() == Headers::Encrypted;
        (hidden && self.is_unanswered()).then_some(NoteKind::Handshake(self.suite))
    }

    /// Begins an envelope.
    fn front(&self, to: &IdentityKey, room: usize, random: &mut Random<'_>) -> Result<Vec<u8>, EncryptError> {
        let handshake = match &self.phase {
            Phase::Initiating { handshake } => Some(handshake.as_slice()),
            Phase::Responding | Phase::Settled => None,
        };
        if self.chains.headers() == Headers::Plain {
            return Ok(write_front(self.suite, self.id, handshake, room));
        }
        let note = self.note().zip(handshake);
        let mut front = write_hidden_front(room.saturating_add(note.map_or(0, |(note, _)| note.len())));
        if let Some((note, handshake)) = note {
            seal_note(note, &[&self.id.0, handshake], to, random, &mut front)?;
        }
        Ok(front)
    }

    /// Opens an envelope at its place in the ratchet; the session may be half changed on `Err` and is then to be dropped.
    pub(super) fn open(
        &mut self,
        located: Located,
        envelope: &Envelope<'_>,
        associated: &[u8],
        skipped: &mut SkippedKeys<'_>,
        context: &Context<'_>,
    ) -> Result<Unsealed, OpenError> {
        let bound = [&self.transcript.0[..], associated];
        let opened =
            self.chains.open(located, &envelope.message, &bound, skipped, context.now, &context.limits)?;
        match (&self.phase, opened.turned) {
            (Phase::Initiating { .. }, _) | (Phase::Responding, true) => self.phase = Phase::Settled,
            (Phase::Responding, false) | (Phase::Settled, _) => {}
        }
        if let SkippedKeys::Changed(_) = skipped {
            self.has_skipped = !skipped.as_bytes().is_empty();
        }
        Unsealed::parse(opened.plaintext)
    }

    /// Marks the session as just made by its first envelope: the turn that opened it was the initiator's own.
    pub(super) fn made_by_first_envelope(self) -> Self {
        Self { phase: Phase::Responding, ..self }
    }

    /// Upper bound of the encoding in bytes: exact but for the chains.
    pub(super) fn max_len(&self) -> usize {
        const FIXED: usize = 8 + 1 + 1 + 8 + 32 + 8;
        let len = self.chains.max_len().saturating_add(FIXED);
        match &self.phase {
            Phase::Initiating { handshake } => handshake.len().saturating_add(2).saturating_add(len),
            Phase::Responding | Phase::Settled => len,
        }
    }

    pub(super) fn encode(&self, body: &mut RecordWriter) {
        let (phase, handshake) = match &self.phase {
            Phase::Initiating { handshake } => (0, Some(handshake)),
            Phase::Responding => (1, None),
            Phase::Settled => (2, None),
        };
        body.bytes(&self.id.0).u8(self.suite.to_byte()).flags([
            (true, phase),
            (self.weak_start, flags::WEAK_START),
            (self.recovered, flags::RECOVERED),
            (self.has_skipped, flags::SKIPPED),
        ]);
        if let Some(handshake) = handshake {
            body.prefixed(handshake);
        }
        body.u64(self.order.0).bytes(&self.transcript.0).u64(self.started_at.0);
        self.chains.encode(body);
    }

    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let id = SessionId(body.array()?);
        let suite = Suite::parse(body.u8()?).ok()?;
        let flags = body.flags(flags::ALL)?;
        Some(Self {
            id,
            suite,
            phase: match flags & flags::PHASE {
                0 => Phase::Initiating { handshake: body.prefixed()?.to_vec() },
                1 => Phase::Responding,
                2 => Phase::Settled,
                _ => return None,
            },
            weak_start: flags & flags::WEAK_START != 0,
            recovered: flags & flags::RECOVERED != 0,
            has_skipped: flags & flags::SKIPPED != 0,
            order: UnixMillis(body.u64()?),
            transcript: Transcript(body.array()?),
            started_at: UnixMillis(body.u64()?),
            chains: Chains::decode(body)?,
        })
    }
}
