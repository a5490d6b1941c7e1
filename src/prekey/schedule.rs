//! Which prekeys are alive and until when: the one place of their lifetimes. Holds no key.

use alloc::vec::Vec;

use super::PrekeyId;
use crate::step::{
    Context, KeyWriter, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader, RecordType,
    RecordWriter, Slot, UnixMillis,
};

/// A signed prekey is replaced when it is this old.
const ROTATION: u64 = 7 * UnixMillis::DAY;
/// A replaced signed prekey is accepted for this long, for first messages that were under way.
const GRACE: u64 = 30 * UnixMillis::DAY;
/// Signed prekeys alive at the most, whatever the clock did.
const MAX_SIGNED: usize = 16;

/// The prekeys record.
#[derive(Debug, Default)]
pub(crate) struct Prekeys {
    /// Oldest first; the last is the current one.
    signed: Vec<Signed>,
    one_time: Vec<PrekeyId>,
}

#[derive(Clone, Copy, Debug)]
struct Signed {
    id: PrekeyId,
    made_at: UnixMillis,
    /// When the next one took its place; for the current one it has no meaning and is 0.
    replaced_at: UnixMillis,
}

impl Prekeys {
    /// One-time prekeys alive at the most.
    pub(crate) const MAX_ONE_TIME: usize = 500;

    pub(crate) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(Self::key(), context, needs)
    }

    fn key() -> RecordKey {
        KeyWriter::new(RecordKind::Prekeys).finish()
    }

    /// The signed prekey that is published, unless it is due to be replaced.
    pub(crate) fn current(&self, now: UnixMillis) -> Option<PrekeyId> {
        self.signed.last().filter(|signed| now < signed.made_at.plus(ROTATION)).map(|signed| signed.id)
    }

    /// When the current signed prekey is due.
    pub(crate) fn rotation_at(&self) -> UnixMillis {
        self.signed.last().map_or(UnixMillis(0), |signed| signed.made_at.plus(ROTATION))
    }

    /// Whether first messages to this signed prekey are accepted.
    pub(crate) fn accepts(&self, id: &PrekeyId, now: UnixMillis) -> bool {
        let current = self.signed.last().is_some_and(|signed| signed.id == *id);
        current || self.signed.iter().any(|signed| signed.id == *id && !signed.expired(now))
    }

    /// Whether the private half of this signed prekey is still held.
    pub(crate) fn holds(&self, id: &PrekeyId) -> bool {
        self.signed.iter().any(|signed| signed.id == *id)
    }

    /// Where the clock was ahead when a signed prekey was made or replaced, its time runs from now on.
    pub(crate) fn clamp(&mut self, now: UnixMillis) {
        for signed in &mut self.signed {
            signed.made_at = signed.made_at.min(now);
            signed.replaced_at = signed.replaced_at.min(now);
        }
    }

    pub(crate) fn rotate(&mut self, id: PrekeyId, now: UnixMillis) {
        if let Some(last) = self.signed.last_mut() {
            last.replaced_at = now;
        }
        self.signed.push(Signed { id, made_at: now, replaced_at: UnixMillis(0) });
    }

    /// Signed prekeys whose grace is over; their private halves are to be deleted.
    pub(crate) fn retired(&self, now: UnixMillis) -> impl Iterator<Item = PrekeyId> {
        let replaced = self.signed.split_last().map_or(&[][..], |(_, replaced)| replaced);
        let surplus = self.signed.len().saturating_sub(MAX_SIGNED.saturating_sub(1));
        let over = move |(place, signed): &(usize, &Signed)| *place < surplus || signed.expired(now);
        replaced.iter().enumerate().filter(over).map(|(_, signed)| signed.id)
    }

    pub(crate) fn remove_signed(&mut self, id: &PrekeyId) {
        self.signed.retain(|signed| signed.id != *id);
    }

    pub(crate) fn one_time_alive(&self) -> usize {
        self.one_time.len()
    }

    /// The one-time prekeys, oldest first, that must go so that so many new ones fit; handed out and never used, or never published.
    pub(crate) fn surplus(&self, new: usize) -> Vec<PrekeyId> {
        let surplus = self.one_time.len().saturating_add(new).saturating_sub(Self::MAX_ONE_TIME);
        self.one_time.iter().take(surplus).copied().collect()
    }

    pub(crate) fn add_one_time(&mut self, id: PrekeyId) {
        self.one_time.push(id);
    }

    pub(crate) fn remove_one_time(&mut self, id: &PrekeyId) {
        self.one_time.retain(|alive| alive != id);
    }
}

impl Signed {
    fn expired(&self, now: UnixMillis) -> bool {
        now >= self.replaced_at.plus(GRACE)
    }
}

impl RecordType<'_> for Prekeys {
    const KIND: RecordKind = RecordKind::Prekeys;

    fn max_body_len(&self) -> usize {
        let entries =
            self.signed.len().saturating_mul(32).saturating_add(self.one_time.len().saturating_mul(16));
        entries.saturating_add(1)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u8(u8::try_from(self.signed.len()).unwrap_or(u8::MAX));
        for signed in &self.signed {
            body.bytes(&signed.id.0).u64(signed.made_at.0).u64(signed.replaced_at.0);
        }
        for id in &self.one_time {
            body.bytes(&id.0);
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let count = body.u8()?;
        let one_signed = |body: &mut RecordReader<'_>| {
            Some(Signed {
                id: PrekeyId(body.array()?),
                made_at: UnixMillis(body.u64()?),
                replaced_at: UnixMillis(body.u64()?),
            })
        };
        let signed = (0..count).map(|_| one_signed(body)).collect::<Option<_>>()?;
        let (ids, []) = body.rest().as_chunks() else { return None };
        Some(Self { signed, one_time: ids.iter().copied().map(PrekeyId).collect() })
    }
}
