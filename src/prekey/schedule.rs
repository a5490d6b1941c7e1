//! Which prekeys are alive, how far each has been published, and until when: the one place of their lifetimes. Holds no key.
//!
//! ```text
//! one-time:  made, stored and offered in one step ──confirm──▶ confirmed ──▶ used: gone in the step that makes the session
//!            made, stored and handed out in one step ────────────────────▶ used            (all: retired, when they are too many or after a recovery)
//! signed:    current ──7 days──▶ replaced ──30 days──▶ retired
//! ```

use alloc::vec::Vec;

use super::{OneTimePrekey, PrekeyId, UploadId};
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
/// Uploads and handed-out bundles of which something is still to be known, at the most.
const MAX_BATCHES: usize = 520;
/// How far ahead a server's number may be.
const MAX_AHEAD: u32 = 1 << 20;

/// The prekeys record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prekeys {
    /// Oldest first; the last is the current one.
    signed: Vec<Signed>,
    /// One-time prekeys by the step that made them, oldest first.
    batches: Vec<Batch>,
    next_upload: u32,
    /// What a server has of this device from before this upload opens nothing.
    replaces: Option<u32>,
    /// The last upload that a server was seen to have.
    confirmed: Option<UploadId>,
}

/// Before the first upload: whatever a server has of this address is another's.
impl Default for Prekeys {
    fn default() -> Self {
        Self { signed: Vec::new(), batches: Vec::new(), next_upload: 0, replaces: Some(0), confirmed: None }
    }
}

/// How far one-time prekeys have been published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Published {
    /// In an upload that no server has confirmed.
    Offered = 1,
    /// A server has them.
    Confirmed = 2,
    /// Given to someone directly; no server has them.
    Direct = 3,
}

/// One-time prekeys that one step made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Batch {
    upload: UploadId,
    published: Published,
    ids: Vec<PrekeyId>,
}

impl Batch {
    /// Whether anything is still to be known of it: a key that is alive, or that a server has it.
    fn counts(&self) -> bool {
        !self.ids.is_empty() || self.published == Published::Offered
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    pub(crate) fn key() -> RecordKey {
        KeyWriter::new(RecordKind::Prekeys).finish()
    }

    /// The signed prekey that is published, unless it is due to be replaced.
    pub(crate) fn current(&self, now: UnixMillis) -> Option<PrekeyId> {
        self.signed.last().filter(|signed| now < signed.made_at.plus(ROTATION)).map(|signed| signed.id)
    }

    /// The newest signed prekey, due or not.
    pub(crate) fn latest(&self) -> Option<PrekeyId> {
        self.signed.last().map(|signed| signed.id)
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

    /// The record of a device that came back from a backup: its prekeys may have been used, so none is left.
    pub(crate) fn after_recovery(self) -> Self {
        let replaces = Some(self.next_upload);
        Self { next_upload: self.next_upload, confirmed: self.confirmed, replaces, ..Self::default() }
    }

    pub(crate) fn one_time_alive(&self) -> usize {
        self.batches.iter().fold(0, |sum, batch| sum.saturating_add(batch.ids.len()))
    }

    /// How many one-time prekeys are published so far.
    pub(crate) fn count(&self, published: Published) -> usize {
        let such = self.batches.iter().filter(|batch| batch.published == published);
        such.fold(0, |sum, batch| sum.saturating_add(batch.ids.len()))
    }

    /// The uploads that no server has confirmed, oldest first.
    pub(crate) fn unconfirmed(&self) -> impl Iterator<Item = UploadId> {
        let offered = self.batches.iter().filter(|batch| batch.published == Published::Offered);
        offered.map(|batch| batch.upload)
    }

    /// How many signed prekeys are accepted, the current one included.
    pub(crate) fn signed_alive(&self) -> usize {
        self.signed.len()
    }

    /// Lets the one-time prekeys go, oldest first, that must so that so many new ones fit; handed out and never used, or never published. Their records, to be deleted.
    pub(crate) fn make_room(
        &mut self,
        new: usize,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Slot<OneTimePrekey>>, RecordError> {
        let surplus = self.one_time_alive().saturating_add(new).saturating_sub(Self::MAX_ONE_TIME);
        let oldest = self.batches.iter().flat_map(|batch| &batch.ids).take(surplus).copied();
        let oldest: Vec<_> = oldest.collect();
        oldest.iter().for_each(|id| self.remove_one_time(id));
        oldest.iter().map(|id| have.read(OneTimePrekey::key(id), context, needs)).collect()
    }

    /// Takes the one-time prekeys of an upload, which is to be confirmed even if there are none.
    pub(crate) fn add_upload(&mut self, upload: UploadId, ids: Vec<PrekeyId>) -> UploadId {
        self.next_upload = upload.number.saturating_add(1);
        self.batches.push(Batch { upload, published: Published::Offered, ids });
        // An app that confirms nothing: what is without keys is forgotten first.
        while self.batches.len() > MAX_BATCHES {
            let empty = self.batches.iter().position(|batch| batch.ids.is_empty()).unwrap_or(0);
            self.batches.remove(empty);
        }
        upload
    }

    /// Takes a one-time prekey that was handed out directly.
    pub(crate) fn add_direct(&mut self, id: PrekeyId) {
        let upload = UploadId { number: 0, tag: [0; 8] };
        self.batches.push(Batch { upload, published: Published::Direct, ids: Vec::from([id]) });
    }

    /// A server has this upload, and so all before it. One that this store has not made shows that the store went back: what the server has is to be replaced.
    pub(crate) fn confirm(&mut self, upload: UploadId) {
        if !self.has_made(upload) {
            let after = upload.number.saturating_add(1);
            // A server that counts ahead by more is not believed: numbers must not run out.
            if after.saturating_sub(self.next_upload) <= MAX_AHEAD {
                self.next_upload = self.next_upload.max(after);
                self.replaces = Some(self.next_upload);
            }
            return;
        }
        self.confirmed = self.confirmed.max(Some(upload));
        self.replaces = self.replaces.filter(|since| upload.number < *since);
        for batch in &mut self.batches {
            if batch.upload.number <= upload.number && batch.published == Published::Offered {
                batch.published = Published::Confirmed;
            }
        }
        self.batches.retain(Batch::counts);
    }

    fn has_made(&self, upload: UploadId) -> bool {
        let offered = |batch: &Batch| batch.published == Published::Offered && batch.upload == upload;
        match self.confirmed {
            Some(last) if upload.number == last.number => upload.tag == last.tag,
            // The server is behind what was seen of it.
            Some(last) if upload.number < last.number => true,
            Some(_) | None => self.batches.iter().any(offered),
        }
    }

    /// What a server has of this device is of other suites than what it gets now.
    pub(crate) fn replace_all(&mut self) {
        self.replaces = Some(self.next_upload);
    }

    /// Whether what a server has opens nothing.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaces.is_some()
    }

    /// The number of the next upload.
    pub(crate) fn next_upload(&self) -> u32 {
        self.next_upload
    }

    pub(crate) fn remove_one_time(&mut self, id: &PrekeyId) {
        self.batches.iter_mut().for_each(|batch| batch.ids.retain(|alive| alive != id));
        self.batches.retain(Batch::counts);
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
        let ids =
            self.one_time_alive().saturating_mul(16).saturating_add(self.batches.len().saturating_mul(15));
        self.signed.len().saturating_mul(32).saturating_add(ids).saturating_add(1 + 4 + 5 + 13)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u8(u8::try_from(self.signed.len()).unwrap_or(u8::MAX));
        for signed in &self.signed {
            body.bytes(&signed.id.0).u64(signed.made_at.0).u64(signed.replaced_at.0);
        }
        body.u32(self.next_upload).flag(self.replaces.is_some());
        if let Some(since) = self.replaces {
            body.u32(since);
        }
        body.flag(self.confirmed.is_some());
        if let Some(upload) = self.confirmed {
            body.u32(upload.number).bytes(&upload.tag);
        }
        for batch in &self.batches {
            let ids: &[PrekeyId] = &batch.ids;
            let count = u16::try_from(ids.len()).unwrap_or(u16::MAX);
            body.u32(batch.upload.number).bytes(&batch.upload.tag).u8(batch.published as u8);
            body.bytes(&count.to_be_bytes());
            ids.iter().for_each(|id| {
                body.bytes(&id.0);
            });
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
        let next_upload = body.u32()?;
        let replaces = if body.flag()? { Some(body.u32()?) } else { None };
        let confirmed = match body.flag()? {
            true => Some(UploadId { number: body.u32()?, tag: body.array()? }),
            false => None,
        };
        let mut batches = Vec::new();
        while let Some(number) = body.u32() {
            let upload = UploadId { number, tag: body.array()? };
            let published = match body.u8()? {
                1 => Published::Offered,
                2 => Published::Confirmed,
                3 => Published::Direct,
                _ => return None,
            };
            let count = u16::from_be_bytes(body.array()?);
            let ids = (0..count).map(|_| body.array().map(PrekeyId)).collect::<Option<_>>()?;
            batches.push(Batch { upload, published, ids });
        }
        Some(Self { signed, batches, next_upload, replaces, confirmed })
    }
}
