//! Asking for history and opening it, at the companion.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize;

use super::{ChunkDigest, HistoryError, HistoryKey, MAX_CHUNKS, digest, front};
use crate::{
    identity::{Account, Address, DeviceId},
    primitives::{SecretBytes, aead},
    session::{Heading, HistoryId, HistoryManifest, Keep, Single, ask_ahead},
    step::{
        Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKind, RecordReader, RecordType,
        RecordWriter, Run, Sealed, Slot, Step, UnixMillis,
    },
    wire::{DecodeError, Field, HistoryManifestMessage, decode_canonical},
};

/// Asks the own phone for what was said before, from a time on. What was asked for before is given up. The output is the envelope for the phone.
///
/// Writes three records. Draws 16 random bytes, and those of a send.
///
/// # Errors
/// [`HistoryError::NotACompanion`], [`Send`](HistoryError::Send), [`Random`](HistoryError::Random), [`Record`](HistoryError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "History".
#[derive(Clone, Copy, Debug)]
pub struct AskHistory {
    /// From when on.
    pub since: UnixMillis,
}

/// Takes the manifest of the history that was asked for. One that was not is refused.
///
/// # Errors
/// [`HistoryError::NotAsked`], [`Decode`](HistoryError::Decode), [`Record`](HistoryError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "History".
#[derive(Clone, Copy, Debug)]
pub struct TakeHistory<'a> {
    /// What came.
    pub manifest: &'a HistoryManifest,
}

/// Opens a chunk, in any order, each once. Keep what it says in this step's transaction.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `index` | | its place |
/// | in | `sealed` | up to 1,048,625 B | what came |
/// | out | [`FromOwnPhone`] | | what the phone says was said, and how far the transfer is |
///
/// # Errors
/// [`HistoryError`]: [`OtherChunk`](HistoryError::OtherChunk) for one that the manifest does not have at this place, [`AlreadyOpened`](HistoryError::AlreadyOpened).
///
/// # Spec
/// `docs/protocol.md`, section 10 "History".
#[derive(Clone, Copy)]
pub struct OpenHistory<'a> {
    /// Its place.
    pub index: u32,
    /// What came.
    pub sealed: &'a [u8],
}

impl fmt::Debug for OpenHistory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenHistory {{ index: {}, sealed: {} bytes }}", self.index, self.sealed.len())
    }
}

/// What the own phone says was said: its word, not that of those who are said to have said it. Never show it as verified by them.
#[derive(Debug)]
pub struct FromOwnPhone {
    /// A chunk's text.
    pub text: SecretBytes,
    /// How far the transfer is.
    pub progress: HistoryProgress,
}

/// How far the transfer of a history is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryProgress {
    /// Chunks that were opened.
    pub opened: u32,
    /// Chunks that there are.
    pub chunks: u32,
    /// The places of those that are missing, lowest first, at most 16 of them: fetch them next.
    pub missing: Vec<u32>,
}

impl HistoryProgress {
    /// Whether everything is there, as the phone has given it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.opened == self.chunks
    }
}

/// The record of a history that was asked for.
#[derive(Debug)]
struct Incoming {
    id: HistoryId,
    /// What the manifest said, once it came.
    given: Option<Given>,
}

#[derive(Debug)]
struct Given {
    key: HistoryKey,
    /// With each chunk's digest, whether it was opened.
    chunks: Vec<(ChunkDigest, bool)>,
}

impl Given {
    fn progress(&self) -> HistoryProgress {
        let numbered = (0_u32..).zip(&self.chunks);
        let opened = self.chunks.iter().filter(|(_, opened)| *opened).count();
        HistoryProgress {
            opened: u32::try_from(opened).unwrap_or(u32::MAX),
            chunks: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            missing: numbered.filter(|(_, (_, opened))| !opened).map(|(index, _)| index).take(16).collect(),
        }
    }
}

impl Incoming {
    fn read(have: &Loaded, context: &Context<'_>, needs: &mut Needs) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::HistoryIn).finish(), context, needs)
    }
}

impl RecordType<'_> for Incoming {
    const KIND: RecordKind = RecordKind::HistoryIn;

    fn max_body_len(&self) -> usize {
        let chunks = self.given.as_ref().map_or(0, |given| given.chunks.len().saturating_mul(17));
        chunks.saturating_add(16 + 1 + 32)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.bytes(&self.id.0).flag(self.given.is_some());
        if let Some(given) = &self.given {
            body.bytes(given.key.expose_bytes());
            for (digest, opened) in &given.chunks {
                body.bytes(digest).flag(*opened);
            }
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let (id, given) = (HistoryId(body.array()?), body.flag()?);
        if !given {
            return Some(Self { id, given: None });
        }
        let key = HistoryKey::take_from(&mut body.array()?);
        let mut chunks = Vec::new();
        while let Some(digest) = body.array() {
            chunks.push((digest, body.flag()?));
        }
        Some(Self { id, given: Some(Given { key, chunks }) })
    }
}

impl Sealed for AskHistory {}

impl Operation for AskHistory {
    type Output = Vec<u8>;
    type Error = HistoryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, HistoryError> {
        let mut needs = Needs::new();
        let account = Account::read(have, context, &mut needs)?;
        let slot = Incoming::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let account = account.value.filter(|account| account.device != DeviceId::PHONE);
        let account = account.ok_or(HistoryError::NotACompanion)?;
        let phone = Address::new(*account.known.list.account(), DeviceId::PHONE);
        ask_ahead(&phone, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let id = HistoryId(context.random.draw()?);
        let text = Heading::AskHistory(id, self.since).before(&[]);
        let single = Single::among_own(&phone, &text, Keep::ForRetry);
        let Some((sent, writes)) = single.seal(have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let mut writes = Vec::from(writes);
        writes.push(slot.write(Incoming { id, given: None }, context));
        Ok(Run::Done(Step::new(writes, sent.envelope)))
    }
}

impl Sealed for TakeHistory<'_> {}

impl Operation for TakeHistory<'_> {
    type Output = HistoryProgress;
    type Error = HistoryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<HistoryProgress>, HistoryError> {
        let mut message: HistoryManifestMessage = decode_canonical(self.manifest.as_bytes(), Field::Frame)?;
        let bad = DecodeError::Malformed(Field::Frame);
        let key: Result<[u8; 32], _> = message.key.as_slice().try_into();
        message.key.as_mut_slice().zeroize();
        let key = HistoryKey::take_from(&mut key.map_err(|_| bad)?);
        let id = HistoryId(message.id.as_slice().try_into().map_err(|_| bad)?);
        let (digests, rest) = message.digests.as_chunks();
        if !rest.is_empty() || digests.is_empty() || digests.len() > MAX_CHUNKS {
            return Err(bad.into());
        }
        let mut needs = Needs::new();
        let slot = Incoming::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let asked = slot.value.as_ref().is_some_and(|asked| asked.id == id && asked.given.is_none());
        if !asked {
            return Err(HistoryError::NotAsked);
        }
        let given = Given { key, chunks: digests.iter().map(|digest| (*digest, false)).collect() };
        let progress = given.progress();
        let write = slot.write(Incoming { id, given: Some(given) }, context);
        Ok(Run::Done(Step::new(Vec::from([write]), progress)))
    }
}

impl Sealed for OpenHistory<'_> {}

impl Operation for OpenHistory<'_> {
    type Output = FromOwnPhone;
    type Error = HistoryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<FromOwnPhone>, HistoryError> {
        let mut needs = Needs::new();
        let mut slot = Incoming::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let Some(Incoming { id, given: Some(mut given) }) = slot.value.take() else {
            return Err(HistoryError::NotAsked);
        };
        let place = usize::try_from(self.index).map_err(|_| HistoryError::OtherChunk)?;
        let (expected, opened) = given.chunks.get_mut(place).ok_or(HistoryError::OtherChunk)?;
        let front = front(id, self.index);
        let sealed = self.sealed.strip_prefix(front.as_slice()).ok_or(HistoryError::OtherChunk)?;
        if digest(self.sealed) != *expected {
            return Err(HistoryError::OtherChunk);
        }
        if *opened {
            return Err(HistoryError::AlreadyOpened);
        }
        *opened = true;
        let text = aead::open(given.key.of_chunk(id, self.index), &front, sealed);
        let text = text.map_err(|_| HistoryError::OtherChunk)?;
        let progress = given.progress();
        // What was opened in full opens no more, and its key goes.
        let write = match progress.is_complete() {
            true => slot.delete(),
            false => Some(slot.write(Incoming { id, given: Some(given) }, context)),
        };
        Ok(Run::Done(Step::new(write.into_iter().collect(), FromOwnPhone { text, progress })))
    }
}
