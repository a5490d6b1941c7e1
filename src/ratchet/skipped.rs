//! Keys of messages that were skipped: bounded by count, age and chain, oldest dropped first.
//!
//! Held as the bytes of their record, 52 a key in the order of arrival, so that a thousand of them cost one buffer: read where they were
//! loaded, copied once when one is added or taken out.

use alloc::vec::Vec;

use super::{chain::MessageKey, chains::ChainTag};
use crate::{
    primitives::SecretBytes,
    step::{Limits, RecordHead, RecordKind, RecordReader, RecordType, RecordWriter, UnixMillis},
};

/// `chain tag (8) ‖ counter (4) ‖ skipped at (8) ‖ message key (32)`.
const ENTRY: usize = ChainTag::LEN + 4 + 8 + 32;

/// The keys of skipped messages of one session.
#[derive(Debug)]
pub(crate) enum SkippedKeys<'a> {
    /// As they were loaded.
    Stored(&'a [u8]),
    /// Changed: room for the head of a record, then the entries.
    Changed(SecretBytes),
}

struct Entry<'a>(&'a [u8; ENTRY]);

impl Entry<'_> {
    fn is(&self, tag: ChainTag, counter: u32) -> bool {
        self.tag() == tag && self.0.get(8..12) == Some(&counter.to_be_bytes()[..])
    }

    fn tag(&self) -> ChainTag {
        ChainTag(self.0.first_chunk().copied().unwrap_or_default())
    }

    fn expired(&self, now: UnixMillis, limits: &Limits) -> bool {
        let at = self.0.get(12..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_be_bytes);
        now.since(UnixMillis(at)) > limits.skipped_max_age
    }

    fn key(&self) -> Option<MessageKey> {
        self.0.last_chunk().map(|key| MessageKey::take_from(&mut { *key }))
    }
}

impl SkippedKeys<'_> {
    pub(crate) const fn none() -> Self {
        Self::Stored(&[])
    }

    /// The entries' bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Stored(bytes) => bytes,
            Self::Changed(bytes) => bytes.get(RecordHead::LEN..).unwrap_or_default(),
        }
    }

    /// A copy that is its own, without the head's room filled in.
    pub(crate) fn copy_of(entries: &[u8]) -> Option<SkippedKeys<'static>> {
        entries
            .len()
            .is_multiple_of(ENTRY)
            .then(|| SkippedKeys::Changed(buffer(entries.len(), [entries].into_iter())))
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.as_bytes().as_chunks().0.iter().map(Entry)
    }

    /// The key of a skipped message and its place, if it is kept and not too old.
    pub(super) fn find(
        &self,
        tag: ChainTag,
        counter: u32,
        now: UnixMillis,
        limits: &Limits,
    ) -> Option<(usize, MessageKey)> {
        let (place, entry) = self.entries().enumerate().find(|(_, entry)| entry.is(tag, counter))?;
        if entry.expired(now, limits) { None } else { Some((place, entry.key()?)) }
    }

    /// Takes a key out by its place; what held it is wiped or left to the record's owner to be replaced.
    pub(super) fn remove(&mut self, place: usize) {
        let kept = self
            .entries()
            .enumerate()
            .filter(|(other, _)| *other != place)
            .map(|(_, entry)| entry.0.as_slice());
        *self = Self::Changed(buffer(self.as_bytes().len().saturating_sub(ENTRY), kept));
    }

    /// A copy with room for `more` keys: without the expired, those of forgotten chains, and as many of the oldest as would be too many.
    pub(super) fn with_room(
        &self,
        more: u32,
        remembered: &[ChainTag],
        now: UnixMillis,
        limits: &Limits,
    ) -> Room {
        let max = u32::from(limits.max_skipped);
        let keep = |entry: &Entry<'_>| !entry.expired(now, limits) && remembered.contains(&entry.tag());
        let old = u32::try_from(self.entries().filter(keep).count()).unwrap_or(u32::MAX);
        let drop = old.saturating_add(more).saturating_sub(max);
        let total = usize::try_from(old.saturating_add(more).min(max)).unwrap_or(0);
        let newest = self.entries().filter(keep).skip(usize::try_from(drop).unwrap_or(usize::MAX));
        let bytes = buffer(total.saturating_mul(ENTRY), newest.map(|entry| entry.0.as_slice()));
        Room { bytes, surplus: drop.saturating_sub(old), now }
    }
}

/// A buffer that will not grow: the head's room, then the given entries.
fn buffer<'a>(len: usize, entries: impl Iterator<Item = &'a [u8]>) -> SecretBytes {
    let mut bytes = Vec::with_capacity(len.saturating_add(RecordHead::LEN));
    bytes.extend_from_slice(&[0; RecordHead::LEN]);
    entries.for_each(|entry| bytes.extend_from_slice(entry));
    SecretBytes::new(bytes)
}

/// Skipped keys that are being added to, not yet in force.
pub(super) struct Room {
    bytes: SecretBytes,
    /// Keys to come for which there is no room: the oldest go first, even before they are kept.
    surplus: u32,
    now: UnixMillis,
}

impl Room {
    /// Keeps the key of a skipped message; there is room for as many as was asked for.
    pub(super) fn push(&mut self, tag: ChainTag, counter: u32, key: &MessageKey) {
        match self.surplus.checked_sub(1) {
            Some(surplus) => self.surplus = surplus,
            None => {
                let bytes = self.bytes.as_mut_vec();
                bytes.extend_from_slice(&tag.0);
                bytes.extend_from_slice(&counter.to_be_bytes());
                bytes.extend_from_slice(&self.now.0.to_be_bytes());
                bytes.extend_from_slice(key.expose_bytes());
            }
        }
    }

    pub(super) fn into_keys<'a>(self) -> SkippedKeys<'a> {
        SkippedKeys::Changed(self.bytes)
    }
}

impl<'a> RecordType<'a> for SkippedKeys<'a> {
    const KIND: RecordKind = RecordKind::SkippedKeys;

    fn max_body_len(&self) -> usize {
        self.as_bytes().len()
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.bytes(self.as_bytes());
    }

    fn decode(body: &mut RecordReader<'a>) -> Option<Self> {
        let bytes = body.rest();
        bytes.len().is_multiple_of(ENTRY).then_some(Self::Stored(bytes))
    }

    fn take_record(&mut self, head: RecordHead) -> SecretBytes {
        match core::mem::replace(self, Self::none()) {
            Self::Changed(mut bytes) => {
                head.fill(bytes.as_mut_vec());
                bytes
            }
            stored @ Self::Stored(_) => stored.encode_behind(head),
        }
    }
}
