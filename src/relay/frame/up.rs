//! What the desktop says.

use super::{
    ACCEPT, ACK, ASK, BYE, Link, MAX_NUMBER, MAX_REQUESTS, QUERY, READ, SEND, UPGRADE, frame, split, whole,
};
use crate::{
    identity::{AccountId, Address},
    primitives::{SecretBytes, Signature},
    relay::RequestId,
    session::MessageId,
    step::{RecordReader, RecordWriter, UnixMillis},
    wire::{DecodeError, Field},
};

/// A frame of the desktop's.
#[derive(Debug)]
pub(in crate::relay) enum Up<'a> {
    /// Requests from `first` on, before `next`, have no answer yet.
    Ask {
        nonce: u64,
        /// When it was made, by the desktop's clock: the phone's answer has it again.
        at: UnixMillis,
        first: u64,
        next: u64,
        /// Names the last frame that was shown, the one that is acknowledged.
        link: Link,
        /// Whether the phone told something under used numbers, and has not said yet that it is missing.
        lacks: bool,
    },
    Ack,
    Request {
        number: u64,
        id: RequestId,
        not_after: UnixMillis,
        body: Body<'a>,
        /// The body's encoding.
        text: &'a [u8],
    },
    Bye,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::relay) enum Body<'a> {
    Send {
        to: AccountId,
        associated_data: &'a [u8],
        text: &'a [u8],
    },
    Read {
        from: Address,
        message: MessageId,
    },
    Query(&'a [u8]),
    /// To become a companion.
    Upgrade,
    /// The signature of its own that an offer wants.
    Accept(Signature),
}

impl<'a> Up<'a> {
    /// The frame, and the last number that was shown, which it acknowledges.
    pub(in crate::relay) fn encode(&self, shown: u64) -> SecretBytes {
        match self {
            Self::Ask { nonce, at, first, next, link, lacks } => frame(ASK, shown, 41, |body| {
                body.u64(*nonce).u64(at.0).u64(*first).u64(*next).bytes(&link.0).flag(*lacks);
            }),
            Self::Ack => frame(ACK, shown, 0, |_| {}),
            Self::Bye => frame(BYE, shown, 0, |_| {}),
            Self::Request { number, id, not_after, body: asked, text } => {
                frame(asked.kind(), shown, text.len().saturating_add(8 + 16 + 8), |body| {
                    body.u64(*number).bytes(&id.0).u64(not_after.0).bytes(text);
                })
            }
        }
    }

    pub(in crate::relay) fn decode(bytes: &'a [u8]) -> Result<(u64, Self), DecodeError> {
        let (kind, shown, body) = split(bytes)?;
        let frame = match kind {
            ASK => whole(body, |body| {
                let (nonce, at) = (body.u64()?, UnixMillis(body.u64()?));
                let (first, next) = (body.u64()?, body.u64()?);
                let (link, lacks) = (Link(body.array()?), body.flag()?);
                let count = next.checked_sub(first)?;
                let counts = count <= MAX_REQUESTS && first > 0 && next <= MAX_NUMBER;
                counts.then_some(Self::Ask { nonce, at, first, next, link, lacks })
            })?,
            ACK => whole(body, |_| Some(Self::Ack))?,
            BYE => whole(body, |_| Some(Self::Bye))?,
            SEND | READ | QUERY | UPGRADE | ACCEPT => whole(body, |body| {
                let number = body.u64().filter(|number| (1..=MAX_NUMBER).contains(number))?;
                let (id, not_after) = (RequestId(body.array()?), UnixMillis(body.u64()?));
                let text = body.rest();
                let body = Body::decode(kind, text)?;
                Some(Self::Request { number, id, not_after, body, text })
            })?,
            _ => return Err(DecodeError::Malformed(Field::Frame)),
        };
        Ok((shown, frame))
    }
}

impl<'a> Body<'a> {
    pub(in crate::relay) const fn kind(&self) -> u8 {
        match self {
            Self::Send { .. } => SEND,
            Self::Read { .. } => READ,
            Self::Query(_) => QUERY,
            Self::Upgrade => UPGRADE,
            Self::Accept(_) => ACCEPT,
        }
    }

    /// The encoding.
    pub(in crate::relay) fn to_text(self) -> SecretBytes {
        let mut text = RecordWriter::with_capacity(self.room());
        self.encode(&mut text);
        text.finish()
    }

    /// Length of the encoding.
    fn room(&self) -> usize {
        match self {
            Self::Send { to, associated_data, text } => {
                let parts = to.as_bytes().len().saturating_add(associated_data.len());
                parts.saturating_add(text.len()).saturating_add(4)
            }
            Self::Read { from, .. } => from.account.as_bytes().len().saturating_add(2 + 4 + 16),
            Self::Query(text) => text.len(),
            Self::Upgrade => 0,
            Self::Accept(_) => Signature::LEN,
        }
    }

    fn encode(&self, body: &mut RecordWriter) {
        match self {
            Self::Send { to, associated_data, text } => {
                body.prefixed(to.as_bytes()).prefixed(associated_data).bytes(text);
            }
            Self::Read { from, message } => {
                from.encode(body);
                body.bytes(message.as_bytes());
            }
            Self::Query(text) => {
                body.bytes(text);
            }
            Self::Upgrade => {}
            Self::Accept(signature) => {
                body.bytes(signature.as_bytes());
            }
        }
    }

    pub(in crate::relay) fn decode(kind: u8, text: &'a [u8]) -> Option<Self> {
        let body = &mut RecordReader::over(text);
        let asked = match kind {
            SEND => Self::Send {
                to: AccountId::new(body.prefixed()?).ok()?,
                associated_data: body.prefixed()?,
                text: body.rest(),
            },
            READ => {
                let from = Address::decode(body)?;
                Self::Read { from, message: MessageId::from_bytes(body.array()?) }
            }
            QUERY => Self::Query(body.rest()),
            UPGRADE => Self::Upgrade,
            ACCEPT => Self::Accept(Signature::from_bytes(&body.array()?)),
            _ => return None,
        };
        body.rest().is_empty().then_some(asked)
    }
}
