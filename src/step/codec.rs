//! The bytes of records: `kind (1) ‖ format version (1) ‖ generation (16) ‖ length of the body (4) ‖ body`, fixed layouts, big-endian.
//!
//! Reading is total: any bytes give a value or an error. Readers take every version ever released; there is one so far.

use alloc::vec::Vec;
use core::fmt;

use super::{Advice, Context, Generation, RecordKey, RecordKind, advises};
use crate::primitives::{KeyPair, PublicKey, SecretBytes};

/// Format version of every record kind.
const VERSION: u8 = 1;

/// Why a loaded record cannot be used. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes are not what this crate stored under a key of this kind: the store is damaged.
    Corrupt(RecordKey),
    /// The record was written by a later version of the crate.
    TooNew(RecordKey),
    /// The record is of another [`Generation`]: the store came back from a backup or was copied from another device. [`Recover`](crate::Recover) takes it over.
    RestoredFromBackup,
}

impl RecordError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::TooNew(_) => Advice::Update,
            Self::Corrupt(_) => Advice::RegisterAnew,
            Self::RestoredFromBackup => Advice::Recover,
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(key) => write!(f, "the stored record {key:?} is damaged"),
            Self::TooNew(key) => write!(f, "the stored record {key:?} is of a later version"),
            Self::RestoredFromBackup => f.write_str("the store was restored from a backup"),
        }
    }
}

advises!(RecordError);

impl core::error::Error for RecordError {}

/// What stands in front of every record's body.
pub(crate) struct RecordHead([u8; Self::LEN]);

impl RecordHead {
    pub(crate) const LEN: usize = 22;

    /// The head of a record whose body's length is not known yet.
    pub(crate) fn new(kind: RecordKind, generation: Generation) -> Self {
        let mut head = [VERSION; Self::LEN];
        let [first, _version, rest @ ..] = &mut head;
        *first = kind as u8;
        if let Some(place) = rest.first_chunk_mut() {
            *place = generation.0;
        }
        Self(head)
    }

    /// A copy of a record under another generation, whatever its version.
    pub(crate) fn adopt(record: &[u8], generation: Generation) -> SecretBytes {
        let mut copy = SecretBytes::new(record.to_vec());
        if let Some(place) = copy.as_mut_vec().get_mut(2..).and_then(|rest| rest.first_chunk_mut()) {
            *place = generation.0;
        }
        copy
    }

    /// Puts the head into the room that was left for it in front of a body.
    pub(crate) fn fill(&self, record: &mut [u8]) {
        let body = record.len().saturating_sub(Self::LEN);
        if let Some(place) = record.first_chunk_mut() {
            *place = self.0;
            if let Some(len) = place.last_chunk_mut() {
                *len = u32::try_from(body).unwrap_or(u32::MAX).to_be_bytes();
            }
        }
    }
}

/// A value that is stored as one record.
pub(crate) trait RecordType<'a>: Sized {
    const KIND: RecordKind;
    /// An upper bound of the body's length, so that a secret is written without growing, and so copying, its buffer.
    fn max_body_len(&self) -> usize;
    fn encode(&self, body: &mut RecordWriter);
    /// `None`: not a body that `encode` wrote. Must consume all of it.
    fn decode(body: &mut RecordReader<'a>) -> Option<Self>;

    fn encode_behind(&self, head: RecordHead) -> SecretBytes {
        let mut writer = RecordWriter::with_capacity(self.max_body_len().saturating_add(RecordHead::LEN));
        self.encode(writer.bytes(&head.0));
        head.fill(&mut writer.0);
        writer.finish()
    }

    /// The whole record; the value is of no use afterwards.
    fn take_record(&mut self, head: RecordHead) -> SecretBytes {
        self.encode_behind(head)
    }
}

/// Decodes a whole record of the context's generation.
pub(crate) fn decode_record<'a, R: RecordType<'a>>(
    key: &RecordKey,
    bytes: &'a [u8],
    context: &Context<'_>,
) -> Result<R, RecordError> {
    decode_body(key, &mut body_of(key, bytes, R::KIND, context)?)
}

/// The body of a record of the context's generation.
pub(crate) fn body_of<'a>(
    key: &RecordKey,
    bytes: &'a [u8],
    kind: RecordKind,
    context: &Context<'_>,
) -> Result<RecordReader<'a>, RecordError> {
    match open_record(key, bytes, kind)? {
        (generation, body) if generation == context.generation => Ok(body),
        _ => Err(RecordError::RestoredFromBackup),
    }
}

/// A record's generation, whichever it is, and its body.
pub(crate) fn open_record<'a>(
    key: &RecordKey,
    bytes: &'a [u8],
    wanted: RecordKind,
) -> Result<(Generation, RecordReader<'a>), RecordError> {
    let corrupt = RecordError::Corrupt(*key);
    let mut reader = RecordReader(bytes);
    let [kind, version] = reader.array().ok_or(corrupt)?;
    if kind != wanted as u8 || version == 0 {
        return Err(corrupt);
    }
    if version > VERSION {
        return Err(RecordError::TooNew(*key));
    }
    let generation = reader.array().map(Generation).ok_or(corrupt)?;
    match reader.u32().and_then(|len| usize::try_from(len).ok()) {
        Some(len) if len == reader.0.len() => Ok((generation, reader)),
        Some(_) | None => Err(corrupt),
    }
}

/// Decodes all of a body.
pub(crate) fn decode_body<'a, R: RecordType<'a>>(
    key: &RecordKey,
    body: &mut RecordReader<'a>,
) -> Result<R, RecordError> {
    R::decode(body).filter(|_| body.0.is_empty()).ok_or(RecordError::Corrupt(*key))
}

/// Appends to a record; the buffer was made large enough at the start.
pub(crate) struct RecordWriter(Vec<u8>);

impl RecordWriter {
    pub(crate) fn with_capacity(len: usize) -> Self {
        Self(Vec::with_capacity(len))
    }

    pub(crate) fn finish(self) -> SecretBytes {
        SecretBytes::new(self.0)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// A flag in a byte of its own.
    pub(crate) fn flag(&mut self, set: bool) -> &mut Self {
        self.u8(u8::from(set))
    }

    /// Flags that share a byte: the bits of those that are set.
    pub(crate) fn flags<const N: usize>(&mut self, flags: [(bool, u8); N]) -> &mut Self {
        self.u8(flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bits)| all | bits))
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Both halves of a key pair, 64 bytes.
    pub(crate) fn key_pair(&mut self, pair: &KeyPair) -> &mut Self {
        self.bytes(pair.expose_private()).bytes(pair.public().as_bytes())
    }

    /// A length in two bytes, then the bytes. Nothing stored this way is longer than 64 KiB; were it, it would be cut and read as corrupt.
    pub(crate) fn prefixed(&mut self, bytes: &[u8]) -> &mut Self {
        let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.bytes(&len.to_be_bytes()).bytes(bytes)
    }
}

/// Reads a record from the front.
pub(crate) struct RecordReader<'a>(&'a [u8]);

impl<'a> RecordReader<'a> {
    pub(crate) fn over(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_be_bytes(self.array()?);
        self.take(usize::from(len))
    }

    pub(crate) fn key_pair(&mut self) -> Option<KeyPair> {
        KeyPair::from_stored(&mut self.array()?, &self.array()?)
    }

    pub(crate) fn public_key(&mut self) -> Option<PublicKey> {
        PublicKey::parse(&self.array()?).ok()
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// Flags that share a byte, of which no other bits are set.
    pub(crate) fn flags(&mut self, all: u8) -> Option<u8> {
        self.u8().filter(|flags| flags & !all == 0)
    }

    /// A flag, 0 or 1 and nothing else.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}
