//! What was sent last to a peer's device: a ring of records, so that a message can be sent again when the peer asks for it.
//!
//! A copy names its envelope by all that a request can say of it, and holds the text where the call wanted that. An answer takes the copy's place, so that an envelope is
//! answered once. `docs/protocol.md`, section 8 "Retry".

use alloc::vec::Vec;

use super::{MessageId, message_id::EnvelopeDigest, send::Said};
use crate::{
    identity::{Address, IdentityKey},
    ratchet::ChainTag,
    step::{
        Context, KeyWriter, Limits, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader,
        RecordType, RecordWriter, Slot, UnixMillis,
    },
    wire::{MAX_ASSOCIATED_DATA, SessionId},
};

/// Whether a message that was sent can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// Its text is kept for 14 days, among the 64 messages sent last to the device: should the recipient ask, it gets it again. Texts of up to 65,536 bytes.
    ForRetry,
    /// Its text is not kept: for what is of no use later. Should the recipient ask, it is told that it will not come.
    Nothing,
}

/// The text of a copy.
#[derive(Debug)]
pub(super) enum Text<'a> {
    Kept(&'a [u8]),
    /// It begins with a heading, which is kept with it.
    Headed(&'a [u8]),
    /// The call wanted it so, or it is too long.
    NotKept,
}

/// A message that was sent.
#[derive(Debug)]
pub(super) struct RetryCopy<'a> {
    /// The envelope, by its tag.
    pub(super) envelope: MessageId,
    /// The message: another id than the envelope's where it was sent before.
    pub(super) message: MessageId,
    pub(super) session: SessionId,
    /// The sending chain that it is of.
    pub(super) chain: ChainTag,
    /// To whom: the key is the recipient, the address only its place.
    pub(super) recipient: IdentityKey,
    pub(super) sent_at: UnixMillis,
    /// How many envelopes have carried the message, this one included.
    pub(super) sendings: u8,
    /// Of the envelope as it was sent.
    pub(super) digest: EnvelopeDigest,
    pub(super) associated_data: &'a [u8],
    pub(super) text: Text<'a>,
}

impl<'a> RetryCopy<'a> {
    /// Longest text that is kept.
    pub(super) const MAX_TEXT: usize = 1 << 16;
    /// Envelopes for one message, the first included.
    pub(super) const MAX_SENDINGS: u8 = 4;

    /// The text, if it is to be kept and can be.
    pub(super) fn text(keep: Keep, said: &Said<'a>) -> Text<'a> {
        match keep {
            Keep::ForRetry if said.text.len() > Self::MAX_TEXT => Text::NotKept,
            Keep::ForRetry if said.headed => Text::Headed(said.text),
            Keep::ForRetry => Text::Kept(said.text),
            Keep::Nothing => Text::NotKept,
        }
    }

    /// Whether it is too old to be sent again.
    pub(super) fn expired(&self, context: &Context<'_>) -> bool {
        let max = context.limits.retry_max_age;
        context.now.since(self.sent_at) > max || self.sent_at.since(context.now) > max
    }

    /// What can still be sent again.
    pub(super) fn sendable(&self, context: &Context<'_>) -> Option<Said<'a>> {
        if self.expired(context) || self.sendings >= Self::MAX_SENDINGS {
            return None;
        }
        match self.text {
            Text::Kept(text) => Some(Said { text, headed: false, stamp: &[] }),
            Text::Headed(text) => Some(Said { text, headed: true, stamp: &[] }),
            Text::NotKept => None,
        }
    }
}

impl<'a> RecordType<'a> for RetryCopy<'a> {
    const KIND: RecordKind = RecordKind::RetryCopy;

    fn max_body_len(&self) -> usize {
        const FIXED: usize = 16 + 16 + 8 + 8 + 32 + 8 + 1 + 16 + 2 + 1;
        let text = match self.text {
            Text::Kept(text) | Text::Headed(text) => text.len(),
            Text::NotKept => 0,
        };
        text.saturating_add(self.associated_data.len()).saturating_add(FIXED)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.bytes(&self.envelope.0)
            .bytes(&self.message.0)
            .bytes(&self.session.0)
            .bytes(&self.chain.0)
            .bytes(self.recipient.public_key().as_bytes())
            .u64(self.sent_at.0)
            .u8(self.sendings)
            .bytes(&self.digest.0)
            .prefixed(self.associated_data);
        match self.text {
            Text::Kept(text) => body.u8(0).bytes(text),
            Text::NotKept => body.u8(1),
            Text::Headed(text) => body.u8(2).bytes(text),
        };
    }

    fn decode(body: &mut RecordReader<'a>) -> Option<Self> {
        Some(Self {
            envelope: MessageId(body.array()?),
            message: MessageId(body.array()?),
            session: SessionId(body.array()?),
            chain: ChainTag(body.array()?),
            recipient: IdentityKey::new(body.public_key()?),
            sent_at: UnixMillis(body.u64()?),
            sendings: body.u8()?,
            digest: EnvelopeDigest(body.array()?),
            associated_data: body.prefixed()?,
            text: match body.u8()? {
                0 => Text::Kept(body.rest()),
                1 => Text::NotKept,
                2 => Text::Headed(body.rest()),
                _ => return None,
            },
        })
    }
}

// Associated data is stored with a length of two bytes.
const _: () = assert!(MAX_ASSOCIATED_DATA <= 0xffff);

/// The place of the next copy in the ring.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place(pub(super) u8);

impl Place {
    /// The place after so many more; one beyond a ring that has become smaller is the first.
    fn after(self, more: usize, limits: &Limits) -> Self {
        let size = usize::from(limits.retry_copies).max(1);
        let now = Some(usize::from(self.0)).filter(|place| *place < size).unwrap_or(0);
        Self(u8::try_from(now.saturating_add(more).checked_rem(size).unwrap_or(0)).unwrap_or(0))
    }

    /// The place after this one.
    pub(super) fn next(self, limits: &Limits) -> Self {
        self.after(1, limits)
    }

    /// What is at this place, to be replaced; in a batch it asks for the places of those before, too.
    pub(super) fn slot<'a>(
        self,
        peer: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Slot<RetryCopy<'a>> {
        let limits = &context.limits;
        let slot = have.slot(self.after(0, limits).key(peer), needs);
        if !needs.is_empty() {
            for ahead in 1..=context.batched.min(usize::from(limits.retry_copies)) {
                have.slot::<RetryCopy<'_>>(self.after(ahead, limits).key(peer), needs);
            }
        }
        slot
    }

    fn key(self, peer: &Address) -> RecordKey {
        peer.write_key(KeyWriter::new(RecordKind::RetryCopy)).part(&[self.0]).finish()
    }

    /// All copies for a peer's device, whatever the limit is now.
    pub(super) fn all<'a>(
        peer: &Address,
        have: &'a Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Slot<RetryCopy<'a>>>, RecordError> {
        (0..Limits::DEFAULT.retry_copies)
            .map(|place| have.read(Self(place).key(peer), context, needs))
            .collect()
    }
}
