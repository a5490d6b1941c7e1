//! What an envelope says of itself, before anything is opened.

use super::super::MessageId;
use crate::{
    handshake::Handshake,
    prekey::PrekeyId,
    primitives::aead,
    ratchet::ChainTag,
    step::UnixMillis,
    wire::{DecodeError, Envelope, Incoming, RatchetHeader, SessionId, Suite},
};

/// What stands in the clear in an envelope; nothing of it is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvelopeDescription {
    /// The message that it brings, or another that it brings again.
    pub message_id: MessageId,
    /// What its header says; `None` where that is encrypted, and nothing else shows.
    pub header: Option<HeaderDescription>,
}

/// What an envelope says of its session and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderDescription {
    /// What its session is made of.
    pub suite: Suite,
    /// The session that it is of.
    pub session: SessionId,
    /// The first 8 bytes of the sender's ratchet key.
    pub chain: [u8; 8],
    /// Its number in that chain.
    pub counter: u32,
    /// Messages in the sender's chain before.
    pub previous_counter: u32,
    /// Length of what is sealed, in bytes: the text and 1, or 17 where it comes again.
    pub sealed_len: usize,
    /// The handshake, while the sender has no answer.
    pub handshake: Option<HandshakeDescription>,
}

/// The part of a handshake that names keys of the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeDescription {
    /// Orders the session among those of the two devices.
    pub started_at: UnixMillis,
    /// The signed prekey that it was made with.
    pub signed_prekey: PrekeyId,
    /// The one-time prekey, if there was one.
    pub one_time_prekey: Option<PrekeyId>,
}

impl EnvelopeDescription {
    /// Reads an envelope.
    ///
    /// # Errors
    /// [`DecodeError`]: not an envelope, or its handshake is none. Bytes that begin as one with an encrypted header are taken for one.
    pub fn of(envelope: &[u8]) -> Result<Self, DecodeError> {
        let incoming = Incoming::parse(envelope)?;
        let message_id = MessageId::of_parsed(&incoming);
        let Incoming::Clear(Envelope { suite, session_id, handshake, message }) = incoming else {
            return Ok(Self { message_id, header: None });
        };
        let RatchetHeader::Clear(header) = &message.header else {
            return Ok(Self { message_id, header: None });
        };
        let handshake = handshake.map(|bytes| Handshake::decode(&bytes, suite)).transpose()?;
        let header = HeaderDescription {
            suite,
            session: session_id,
            chain: ChainTag::of(&header.ratchet_key).0,
            counter: header.counter,
            previous_counter: header.previous_counter,
            sealed_len: message.ciphertext.len().saturating_sub(aead::OVERHEAD),
            handshake: handshake.map(|handshake| HandshakeDescription {
                started_at: handshake.started_at,
                signed_prekey: handshake.signed_prekey,
                one_time_prekey: handshake.one_time_prekey,
            }),
        };
        Ok(Self { message_id, header: Some(header) })
    }
}
