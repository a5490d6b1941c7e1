//! Giving history, at the phone.

use alloc::vec::Vec;
use core::fmt;

use prost::Message;
use zeroize::Zeroize;

use super::{ChunkDigest, HistoryError, HistoryKey, MAX_CHUNK, MAX_CHUNKS, digest, front};
use crate::{
    identity::{Account, Address, DeviceId},
    primitives::{SecretBytes, aead},
    session::{Heading, HistoryId, Keep, Single},
    step::{
        Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKind, RecordReader, RecordType,
        RecordWriter, Run, Sealed, Slot, Step, UnixMillis,
    },
    wire::HistoryManifestMessage,
};

/// Seals the next chunk of the history that a companion has asked for. Begin with the newest: the user sees that first.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`DeviceId`], [`HistoryId`] | | as of [`Content::HistoryAsked`](crate::Content::HistoryAsked); another id than before begins another history |
/// | in | `text` | 1 to 1,048,576 B | what the app makes of its messages |
/// | out | [`HistoryChunk`] | text and 49 B | what goes to a file server, or to the companion by any way |
///
/// Writes one record. Draws 12 random bytes, and 32 for the first chunk.
///
/// # Errors
/// [`HistoryError`]: [`TooSoon`](HistoryError::TooSoon) within [`Limits::history_cool_down`](crate::Limits::history_cool_down) of the linking.
///
/// # Spec
/// `docs/protocol.md`, section 10 "History".
#[derive(Clone, Copy)]
pub struct SealHistory<'a> {
    /// For which companion.
    pub companion: DeviceId,
    /// Which history.
    pub id: HistoryId,
    /// What the chunk says.
    pub text: &'a [u8],
}

impl fmt::Debug for SealHistory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealHistory {{ companion: {:?}, text: {} bytes }}", self.companion, self.text.len())
    }
}

/// A sealed chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryChunk {
    /// Its place, from 0.
    pub index: u32,
    /// What travels; it can be read by the companion alone, once it has the manifest.
    pub sealed: Vec<u8>,
}

/// Says to the companion which chunks its history has, and gives it the key. The output is the envelope for the companion. The phone forgets the key.
///
/// # Errors
/// [`HistoryError`]: [`NotAsked`](HistoryError::NotAsked) where no chunk of this history was sealed.
///
/// # Spec
/// `docs/protocol.md`, section 10 "History".
#[derive(Clone, Copy, Debug)]
pub struct FinishHistory {
    /// For which companion.
    pub companion: DeviceId,
    /// Which history.
    pub id: HistoryId,
}

/// The record of a history on its way to a companion.
#[derive(Debug)]
struct Outgoing {
    id: HistoryId,
    key: HistoryKey,
    digests: Vec<ChunkDigest>,
}

impl Outgoing {
    fn read(
        companion: DeviceId,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        let key = KeyWriter::new(RecordKind::HistoryOut).part(&companion.0.to_be_bytes()).finish();
        have.read(key, context, needs)
    }
}

impl RecordType<'_> for Outgoing {
    const KIND: RecordKind = RecordKind::HistoryOut;

    fn max_body_len(&self) -> usize {
        self.digests.len().saturating_mul(16).saturating_add(16 + 32)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.bytes(&self.id.0).bytes(self.key.expose_bytes()).bytes(self.digests.as_flattened());
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let (id, key) = (HistoryId(body.array()?), HistoryKey::take_from(&mut body.array()?));
        let (digests, rest) = body.rest().as_chunks();
        rest.is_empty().then(|| Self { id, key, digests: digests.to_vec() })
    }
}

/// The account of this phone, which has such a companion, linked long enough ago; nothing where records are needed.
fn may_give(
    companion: DeviceId,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Address>, HistoryError> {
    let account = Account::read(have, context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    let account = account.value.ok_or(HistoryError::UnknownDevice)?;
    if account.device != DeviceId::PHONE {
        return Err(HistoryError::NotThePhone);
    }
    account.known.list.entry(companion).ok_or(HistoryError::UnknownDevice)?;
    // What was linked before this store knew when is long linked.
    let linked_at = account.linked_at(companion).unwrap_or(UnixMillis(0));
    let allowed_at = linked_at.plus(context.limits.history_cool_down);
    if context.now < allowed_at {
        return Err(HistoryError::TooSoon { allowed_at });
    }
    Ok(Some(Address::new(*account.known.list.account(), companion)))
}

impl Sealed for SealHistory<'_> {}

impl Operation for SealHistory<'_> {
    type Output = HistoryChunk;
    type Error = HistoryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<HistoryChunk>, HistoryError> {
        if self.text.len() > MAX_CHUNK || self.text.is_empty() {
            return Err(HistoryError::TooLong);
        }
        let mut needs = Needs::new();
        let mut slot = Outgoing::read(self.companion, have, context, &mut needs)?;
        if may_give(self.companion, have, context, &mut needs)?.is_none() {
            return Ok(Run::Needs(needs));
        }
        let mut outgoing = match slot.value.take().filter(|outgoing| outgoing.id == self.id) {
            Some(outgoing) => outgoing,
            None => {
                let mut key = [0; 32];
                context.random.draw_into(&mut key)?;
                Outgoing { id: self.id, key: HistoryKey::take_from(&mut key), digests: Vec::new() }
            }
        };
        if outgoing.digests.len() >= MAX_CHUNKS {
            return Err(HistoryError::TooLong);
        }
        let index = u32::try_from(outgoing.digests.len()).map_err(|_| HistoryError::TooLong)?;
        let mut sealed = front(self.id, index);
        let associated = sealed.clone();
        let key = outgoing.key.of_chunk(self.id, index);
        aead::seal(key, &associated, &[self.text], &mut context.random, &mut sealed)?;
        outgoing.digests.push(digest(&sealed));
        let write = slot.write(outgoing, context);
        Ok(Run::Done(Step::new(Vec::from([write]), HistoryChunk { index, sealed })))
    }
}

impl Sealed for FinishHistory {}

impl Operation for FinishHistory {
    type Output = Vec<u8>;
    type Error = HistoryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, HistoryError> {
        let mut needs = Needs::new();
        let slot = Outgoing::read(self.companion, have, context, &mut needs)?;
        let Some(companion) = may_give(self.companion, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let outgoing = slot.value.as_ref().filter(|outgoing| outgoing.id == self.id);
        let outgoing = outgoing.ok_or(HistoryError::NotAsked)?;
        let mut message = HistoryManifestMessage {
            id: self.id.0.to_vec(),
            key: outgoing.key.expose_bytes().to_vec(),
            digests: outgoing.digests.as_flattened().to_vec(),
        };
        let manifest = SecretBytes::new(message.encode_to_vec());
        message.key.as_mut_slice().zeroize();
        let text = Heading::History.before(&manifest);
        let single = Single::among_own(&companion, &text, Keep::ForRetry);
        let Some((sent, writes)) = single.seal(have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let mut writes = Vec::from(writes);
        writes.extend(slot.delete());
        Ok(Run::Done(Step::new(writes, sent.envelope)))
    }
}
