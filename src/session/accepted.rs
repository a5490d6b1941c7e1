//! Which messages of a peer's device were opened: short digests, so that a repeat is told from another message at a used counter.
//!
//! The newest few stand in the peer's record, which every message rewrites; when they are many they move on, all at once, into a record of their own.
//! `docs/protocol.md`, section 8 "What was opened".

use alloc::vec::Vec;

use super::MessageId;
use crate::{
    identity::Address,
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader, RecordType,
        RecordWriter, Slot, Write,
    },
};

/// The first bytes of a message id.
type Digest = [u8; 4];

fn digest(id: MessageId) -> Digest {
    id.0.first_chunk().copied().unwrap_or_default()
}

/// The newest digests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    digests: [Digest; Self::MAX],
    len: u8,
    /// Whether the memory is asked although an envelope opens: messages have come again, and their first envelopes may be late.
    wary: bool,
}

impl Recent {
    const MAX: usize = 8;

    /// Length of the longest encoding in bytes.
    pub(super) const MAX_LEN: usize = 1 + 4 * Self::MAX + 1;

    fn digests(&self) -> &[Digest] {
        self.digests.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn has_room(&self, digests: usize) -> bool {
        self.digests().len().saturating_add(digests) <= Self::MAX
    }

    fn push(&mut self, digest: Digest) {
        if let Some(place) = self.digests.get_mut(usize::from(self.len)) {
            *place = digest;
            self.len = self.len.saturating_add(1);
        }
    }

    pub(super) fn encode(&self, body: &mut RecordWriter) {
        body.flag(self.wary).u8(self.len);
        self.digests().iter().for_each(|digest| {
            body.bytes(digest);
        });
    }

    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let mut recent = Self { wary: body.flag()?, len: body.u8()?, ..Self::default() };
        for place in recent.digests.get_mut(..usize::from(recent.len))? {
            *place = body.array()?;
        }
        Some(recent)
    }
}

/// The digests before the newest, oldest first.
#[derive(Debug, Default)]
struct Accepted {
    opened: Vec<Digest>,
    /// Messages that came again: their first envelopes may open late, however many messages later.
    again: Vec<Digest>,
}

impl Accepted {
    /// Many times what a sender keeps copies of: what is older is not sent again by anyone, unless it overtook hundreds of others.
    const MAX: usize = 512;
    const MAX_AGAIN: usize = 255;
}

impl RecordType<'_> for Accepted {
    const KIND: RecordKind = RecordKind::Accepted;

    fn max_body_len(&self) -> usize {
        self.opened.len().saturating_add(self.again.len()).saturating_mul(4).saturating_add(1)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u8(u8::try_from(self.again.len()).unwrap_or(u8::MAX));
        self.again.iter().chain(&self.opened).for_each(|digest| {
            body.bytes(digest);
        });
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let again = body.u8()?;
        let (digests, []) = body.rest().as_chunks() else { return None };
        let (again, opened) = digests.split_at_checked(usize::from(again))?;
        Some(Self { opened: opened.to_vec(), again: again.to_vec() })
    }
}

/// The record of older digests, where it is wanted.
pub(super) struct Memory(Option<Slot<Accepted>>);

impl Memory {
    /// Reads the record if an envelope that opens will have to move the newest digests there, in a batch ahead of that; or if it may have come again before.
    pub(super) fn to_note(
        recent: &Recent,
        peer: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        match !recent.wary && recent.has_room(context.batched.saturating_add(1)) {
            true => Ok(Self(None)),
            false => Self::to_ask(peer, have, context, needs),
        }
    }

    /// Asks for the record, for a later round.
    pub(super) fn ask_ahead(peer: &Address, have: &Loaded, needs: &mut Needs) {
        have.slot::<Accepted>(Self::key(peer), needs);
    }

    fn key(peer: &Address) -> RecordKey {
        peer.write_key(KeyWriter::new(RecordKind::Accepted)).finish()
    }

    /// Reads the record.
    pub(super) fn to_ask(
        peer: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        Ok(Self(Some(have.read(Self::key(peer), context, needs)?)))
    }

    /// Whether the message of an envelope that opens has come before, by another envelope.
    pub(super) fn came_again(&self, recent: &Recent, id: MessageId) -> bool {
        recent.wary && self.knows(recent, id)
    }

    /// Whether a message was opened before.
    pub(super) fn knows(&self, recent: &Recent, id: MessageId) -> bool {
        let digest = digest(id);
        recent.digests().contains(&digest)
            || self
                .older()
                .is_some_and(|older| older.opened.contains(&digest) || older.again.contains(&digest))
    }

    /// Notes that an envelope was opened, and which message it brought; the write is of digests that moved.
    pub(super) fn note(
        self,
        recent: &mut Recent,
        envelope: MessageId,
        brought: MessageId,
        context: &Context<'_>,
    ) -> Option<Write> {
        let again = (brought != envelope).then(|| digest(brought));
        let write = match recent.has_room(1) && again.is_none() {
            true => None,
            false => self.move_on(recent, again, context),
        };
        recent.push(digest(envelope));
        recent.wary |= again.is_some();
        write
    }

    /// Notes a message under its envelope's id and under the one that its sender has given it, so that neither brings it again.
    pub(super) fn note_named(
        self,
        recent: &mut Recent,
        envelope: MessageId,
        name: MessageId,
        context: &Context<'_>,
    ) -> Option<Write> {
        let write = match recent.has_room(2) {
            true => None,
            false => self.move_on(recent, None, context),
        };
        recent.push(digest(envelope));
        recent.push(digest(name));
        write
    }

    /// Moves the newest digests on into the record.
    fn move_on(self, recent: &mut Recent, again: Option<Digest>, context: &Context<'_>) -> Option<Write> {
        let mut slot = self.0?;
        let mut older = slot.value.take().unwrap_or_default();
        older.opened.extend_from_slice(recent.digests());
        older.opened.drain(..older.opened.len().saturating_sub(Accepted::MAX));
        older.again.extend(again);
        older.again.drain(..older.again.len().saturating_sub(Accepted::MAX_AGAIN));
        recent.len = 0;
        Some(slot.write(older, context))
    }

    fn older(&self) -> Option<&Accepted> {
        self.0.as_ref().and_then(|slot| slot.value.as_ref())
    }

    /// How many messages are remembered.
    pub(super) fn count(&self, recent: &Recent) -> u16 {
        let older = self.older().map_or(0, |older| older.opened.len());
        u16::try_from(older.saturating_add(recent.digests().len())).unwrap_or(u16::MAX)
    }
}
