//! The codec of the hot path: envelope and ratchet message, borrowed, canonical, without allocation.
//!
//! A ratchet message is the tail of an envelope (fields 3 to 7): concatenated protobuf messages are one message.
//! `docs/protocol.md`, section 5 "The envelope".

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use super::{
    DecodeError, Field, MAX_ENVELOPE, MAX_HANDSHAKE, MAX_PLAINTEXT, PROTOCOL_VERSION, Suite,
    hidden::{self, HIDDEN_FRONT, HiddenEnvelope, SealedHeader},
};
use crate::{
    primitives::{PublicKey, aead},
    step::Headers,
};

/// Tags: field number and wire type in one byte each.
mod tag {
    pub(super) const SESSION_ID: u8 = 1 << 3 | 1;
    pub(super) const HANDSHAKE: u8 = 2 << 3 | 2;
    pub(super) const RATCHET_KEY: u8 = 3 << 3 | 2;
    pub(super) const PREVIOUS_COUNTER: u8 = 4 << 3;
    pub(super) const COUNTER: u8 = 5 << 3;
    pub(super) const PQ: u8 = 6 << 3 | 2;
    pub(super) const CIPHERTEXT: u8 = 7 << 3 | 2;
}

/// Names a session: 8 bytes derived from its handshake secret and transcript, equal at both sides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 8]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// What a ratchet says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ratchet_key: PublicKey,
    pub(crate) previous_counter: u32,
    pub(crate) counter: u32,
}

impl Header {
    /// Appends fields 3 to 7 up to the ciphertext's value, which will have `ciphertext_len` bytes. What `out` then holds is the head.
    pub(crate) fn write_head(&self, ciphertext_len: usize, out: &mut Vec<u8>) {
        write_bytes(tag::RATCHET_KEY, self.ratchet_key.as_bytes(), out);
        for (tag, value) in [(tag::PREVIOUS_COUNTER, self.previous_counter), (tag::COUNTER, self.counter)] {
            if value != 0 {
                out.push(tag);
                write_varint(u64::from(value), out);
            }
        }
        out.push(tag::CIPHERTEXT);
        write_varint(ciphertext_len as u64, out);
    }

    /// An upper bound of what [`write_head`](Self::write_head) appends, and of an encrypted header.
    pub(crate) const MAX_LEN: usize = size_of::<SealedHeader>();
}

const _: () = assert!(Header::MAX_LEN >= 34 + 6 + 6 + 6);

/// A header as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RatchetHeader<'a> {
    Clear(Header),
    Sealed(&'a SealedHeader),
    /// Opened.
    Read(Header, Under),
}

impl RatchetHeader<'_> {
    /// Of what sort its session's headers are.
    pub(crate) const fn headers(&self) -> Headers {
        match self {
            Self::Clear(_) => Headers::Plain,
            Self::Sealed(_) | Self::Read(..) => Headers::Encrypted,
        }
    }
}

/// Which header key of a ratchet a header opened under: what its message has to be then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    /// Of the current receiving chain.
    Current,
    /// Of the next one.
    Next,
    /// Of the one that is so many before the current one, from 0.
    Earlier(usize),
}

/// A ratchet message, parsed; the ciphertext is `nonce ‖ text ‖ tag`, 28 bytes or more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RatchetMessage<'a> {
    pub(crate) header: RatchetHeader<'a>,
    /// Every byte in front of the ciphertext's value, those before the ratchet message included.
    pub(crate) head: &'a [u8],
    pub(crate) ciphertext: &'a [u8],
}

impl<'a> RatchetMessage<'a> {
    /// Parses a ratchet message that stands alone.
    pub(crate) fn parse(bytes: &'a [u8], headers: Headers) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(DecodeError::TooLong);
        }
        match headers {
            Headers::Plain => Self::read(Reader { whole: bytes, rest: bytes }),
            Headers::Encrypted => hidden::read_message(bytes, bytes),
        }
    }

    fn read(mut reader: Reader<'a>) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let key = reader
            .bytes(tag::RATCHET_KEY)
            .and_then(|key| key.try_into().ok())
            .ok_or(bad(Field::RatchetKey))?;
        let ratchet_key = PublicKey::parse(key).map_err(|_| bad(Field::RatchetKey))?;
        let previous_counter = reader.uint32(tag::PREVIOUS_COUNTER).ok_or(bad(Field::PreviousCounter))?;
        let counter = reader.uint32(tag::COUNTER).ok_or(bad(Field::Counter))?;
        for (value, field) in [(previous_counter, Field::PreviousCounter), (counter, Field::Counter)] {
            if value == u32::MAX {
                return Err(bad(field));
            }
        }
        if reader.next_is(tag::PQ) {
            return Err(bad(Field::Pq));
        }
        let ciphertext = reader.bytes(tag::CIPHERTEXT).ok_or(bad(Field::Ciphertext))?;
        let header = RatchetHeader::Clear(Header { ratchet_key, previous_counter, counter });
        let message = Self::new(header, reader.whole, ciphertext)?;
        match reader.rest.is_empty() {
            true => Ok(message),
            false => Err(bad(Field::Ciphertext)),
        }
    }

    /// The message of a ciphertext that `whole` ends with, if that is as long as one can be: 28 bytes at least, and 28 more than a plaintext at the most.
    pub(super) fn new(
        header: RatchetHeader<'a>,
        whole: &'a [u8],
        ciphertext: &'a [u8],
    ) -> Result<Self, DecodeError> {
        if ciphertext.len() > MAX_PLAINTEXT.saturating_add(aead::OVERHEAD) {
            return Err(DecodeError::TooLong);
        }
        if ciphertext.len() < aead::OVERHEAD {
            return Err(DecodeError::Malformed(Field::Ciphertext));
        }
        let head = whole.get(..whole.len().saturating_sub(ciphertext.len())).unwrap_or_default();
        Ok(Self { header, head, ciphertext })
    }
}

/// What came, parsed as far as it shows itself.
#[derive(Clone, Debug)]
pub(crate) enum Incoming<'a> {
    Clear(Envelope<'a>),
    Hidden(HiddenEnvelope<'a>),
}

impl<'a> Incoming<'a> {
    /// Parses a whole envelope of at most [`MAX_ENVELOPE`] bytes.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(DecodeError::TooLong);
        }
        match bytes.strip_prefix(&HIDDEN_FRONT) {
            Some(body) => HiddenEnvelope::parse(bytes, body).map(Self::Hidden),
            None => Envelope::parse(bytes).map(Self::Clear),
        }
    }

    /// The ciphertext of its message; of a hidden one, which may begin with a note, at least the ciphertext's end.
    pub(crate) fn sealed(&self) -> &'a [u8] {
        match self {
            Self::Clear(envelope) => envelope.message.ciphertext,
            Self::Hidden(hidden) => hidden.body(),
        }
    }

    /// Whether its header is encrypted.
    pub(crate) const fn headers(&self) -> Headers {
        match self {
            Self::Clear(_) => Headers::Plain,
            Self::Hidden(_) => Headers::Encrypted,
        }
    }

    /// The session that it shows to be of.
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::Clear(envelope) => Some(envelope.session_id),
            Self::Hidden(_) => None,
        }
    }
}

/// An envelope of which it is known what session it says to be of. Nothing in it is authenticated yet.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) suite: Suite,
    pub(crate) session_id: SessionId,
    pub(crate) handshake: Option<Cow<'a, [u8]>>,
    pub(crate) message: RatchetMessage<'a>,
}

impl<'a> Envelope<'a> {
    /// Parses a whole envelope with a header in clear, whose length was checked.
    fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let ([version, suite], rest) = bytes.split_first_chunk().ok_or(bad(Field::Frame))?;
        if *version != PROTOCOL_VERSION {
            return Err(DecodeError::Version(*version));
        }
        let suite = Suite::parse(*suite)?;
        let mut reader = Reader { whole: bytes, rest };
        let session_id = reader.fixed64(tag::SESSION_ID).map(SessionId).ok_or(bad(Field::SessionId))?;
        let handshake = match reader.next_is(tag::HANDSHAKE) {
            true => Some(reader.bytes(tag::HANDSHAKE).ok_or(bad(Field::Handshake))?),
            false => None,
        };
        if handshake.is_some_and(|bytes| bytes.len() > MAX_HANDSHAKE) {
            return Err(DecodeError::TooLong);
        }
        let handshake = handshake.map(Cow::Borrowed);
        Ok(Self { suite, session_id, handshake, message: RatchetMessage::read(reader)? })
    }
}

/// Begins an envelope: version, suite, session id, handshake. A buffer with room for `room` more bytes, so that it need not grow.
pub(crate) fn write_front(
    suite: Suite,
    session_id: SessionId,
    handshake: Option<&[u8]>,
    room: usize,
) -> Vec<u8> {
    let len = handshake.map_or(0, <[u8]>::len).saturating_add(24);
    let mut out = Vec::with_capacity(len.saturating_add(room));
    out.extend_from_slice(&[PROTOCOL_VERSION, suite.to_byte(), tag::SESSION_ID]);
    out.extend_from_slice(&session_id.0);
    if let Some(handshake) = handshake {
        write_bytes(tag::HANDSHAKE, handshake, &mut out);
    }
    out
}

fn write_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads fields in the one order that is allowed.
struct Reader<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn next_is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    fn tag(&mut self, tag: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        (*first == tag).then_some(())
    }

    fn fixed64(&mut self, tag: u8) -> Option<[u8; 8]> {
        self.tag(tag)?;
        let (value, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*value)
    }

    fn bytes(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.tag(tag)?;
        let len = usize::try_from(self.varint()?).ok()?;
        let (value, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(value)
    }

    /// A uint32 that is left out where it is 0.
    fn uint32(&mut self, tag: u8) -> Option<u32> {
        if !self.next_is(tag) {
            return Some(0);
        }
        self.tag(tag)?;
        self.varint().filter(|value| *value != 0)
    }

    /// A varint of up to 32 bits and of least length.
    fn varint(&mut self) -> Option<u32> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let part = u32::from(byte & 0x7f);
            // The fifth byte has room for four bits.
            if shift == 28 && part > 0x0f {
                return None;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return (part != 0 || shift == 0).then_some(value);
            }
        }
        None
    }
}
