//! What a phone and its desktop say to each other inside their session: `kind (1) ‖ ack (8) ‖ length (4) ‖ body ‖ zeros`. `docs/relay.md`, "Frames".
//!
//! Frames are padded, so that their lengths say little: an acknowledgement, an answer and a short message look alike (lesson L49).

use alloc::vec::Vec;

use super::{RefusedRequest, RequestId, RequestState, Suspension};
use crate::{
    identity::{AccountId, Address},
    primitives::SecretBytes,
    session::{MessageId, SharedId},
    step::{RecordReader, RecordWriter, UnixMillis},
    wire::{DecodeError, Field},
};

/// Length of the smallest frame.
const SMALLEST: usize = 160;
/// `kind ‖ ack ‖ length of the body`.
const FRONT: usize = 1 + 8 + 4;
/// No number that an honest end comes to: numbers rise by one.
const MAX_NUMBER: u64 = 1 << 62;
/// Requests that a desktop can have without an answer.
pub(super) const MAX_REQUESTS: u64 = 64;

/// A frame of the phone's.
#[derive(Debug)]
pub(super) enum Down<'a> {
    Status(Status),
    Numbered(u64, Numbered<'a>),
    Ended { why: u8, taken: u64, results: Vec<Outcome> },
    Superseded,
}

/// What is told in order, each under the next number.
#[derive(Debug)]
pub(super) enum Numbered<'a> {
    Event { at: UnixMillis, from: Address, message: MessageId, shared: Option<SharedId>, text: &'a [u8] },
    OwnSent { at: UnixMillis, to: AccountId, shared: SharedId, text: &'a [u8] },
    Answer(Outcome),
    Gap { count: u64, first: UnixMillis, last: UnixMillis },
    Found { request: RequestId, text: &'a [u8] },
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) number: u64,
    pub(super) request: RequestId,
    pub(super) state: RequestState,
}

/// The phone's answer to an ask.
#[derive(Debug)]
pub(super) struct Status {
    /// Of the ask.
    pub(super) nonce: u64,
    pub(super) suspended: Option<Suspension>,
    /// For how long the phone relays, from the ask on; 0 where it is over.
    pub(super) good_for: u64,
    /// The number of the first frame that follows.
    pub(super) from: u64,
    /// The number of the next frame that will be told.
    pub(super) next: u64,
    /// The last request that was taken.
    pub(super) taken: u64,
    pub(super) results: Vec<Outcome>,
}

/// A frame of the desktop's.
#[derive(Debug)]
pub(super) enum Up<'a> {
    /// Requests from `first` on, before `next`, have no answer yet.
    Ask {
        nonce: u64,
        first: u64,
        next: u64,
    },
    Ack,
    Request {
        number: u64,
        id: RequestId,
        not_after: UnixMillis,
        body: Body<'a>,
    },
    Bye,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    Send { to: AccountId, associated_data: &'a [u8], text: &'a [u8] },
    Read { from: Address, message: MessageId },
    Query(&'a [u8]),
}

/// The length to which a frame of this length is padded: at most 12 % more, and of few different ones (PADMÉ, *Reducing Metadata Leakage from Encrypted Files*, 2019).
fn padded(len: usize) -> usize {
    let exponent = len.max(2).ilog2();
    let bits = exponent.max(1).ilog2().saturating_add(1);
    let mask = 1_usize.checked_shl(exponent.saturating_sub(bits)).unwrap_or(1).saturating_sub(1);
    (len.saturating_add(mask) & !mask).max(SMALLEST)
}

/// Writes a frame. One whose padding would be too long for a message is padded less.
fn frame(kind: u8, ack: u64, room: usize, body: impl FnOnce(&mut RecordWriter)) -> SecretBytes {
    let len = padded(room.saturating_add(FRONT)).min(super::MAX_FRAME.max(room.saturating_add(FRONT)));
    let mut writer = RecordWriter::with_capacity(len);
    writer.u8(kind).u64(ack).u32(0);
    body(&mut writer);
    let mut bytes = writer.finish();
    let body = u32::try_from(bytes.len().saturating_sub(FRONT)).unwrap_or(u32::MAX);
    if let Some(place) = bytes.as_mut_vec().get_mut(9..).and_then(|rest| rest.first_chunk_mut()) {
        *place = body.to_be_bytes();
    }
    let filled = bytes.len();
    bytes.as_mut_vec().resize(len.max(filled), 0);
    bytes
}

/// Takes a frame apart: kind, acknowledgement, body.
fn split(bytes: &[u8]) -> Result<(u8, u64, RecordReader<'_>), DecodeError> {
    let bad = DecodeError::Malformed(Field::Frame);
    let mut front = RecordReader::over(bytes);
    let mut parts = || Some((front.u8()?, front.u64()?, front.u32()?, front.rest()));
    let (kind, ack, len, rest) = parts().ok_or(bad)?;
    let len = usize::try_from(len).map_err(|_| bad)?;
    let (body, padding) = rest.split_at_checked(len).ok_or(bad)?;
    if ack > MAX_NUMBER {
        return Err(bad);
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err(bad);
    }
    Ok((kind, ack, RecordReader::over(body)))
}

/// Reads all of a body.
fn whole<'a, T>(
    mut body: RecordReader<'a>,
    read: impl FnOnce(&mut RecordReader<'a>) -> Option<T>,
) -> Result<T, DecodeError> {
    let value = read(&mut body);
    value.filter(|_| body.rest().is_empty()).ok_or(DecodeError::Malformed(Field::Frame))
}

impl Outcome {
    const LEN: usize = 8 + 16 + 1;

    /// What became of a request, where number and id agree.
    pub(super) fn of(all: &[Self], number: u64, request: RequestId) -> Option<RequestState> {
        let is_it = |outcome: &&Self| (outcome.number, outcome.request) == (number, request);
        all.iter().find(is_it).map(|outcome| outcome.state)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u64(self.number).bytes(&self.request.0).u8(self.state.to_byte());
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self {
            number: body.u64()?,
            request: RequestId(body.array()?),
            state: RequestState::from_byte(body.u8()?)?,
        })
    }

    fn encode_all(all: &[Self], body: &mut RecordWriter) {
        body.u8(u8::try_from(all.len()).unwrap_or(u8::MAX));
        all.iter().for_each(|outcome| outcome.encode(body));
    }

    fn decode_all(body: &mut RecordReader<'_>) -> Option<Vec<Self>> {
        let count = body.u8().filter(|count| u64::from(*count) <= MAX_REQUESTS)?;
        (0..count).map(|_| Self::decode(body)).collect()
    }
}

const STATUS: u8 = 1;
const EVENT: u8 = 2;
const OWN_SENT: u8 = 3;
const ANSWER: u8 = 4;
const GAP: u8 = 5;
const FOUND: u8 = 6;
const ENDED: u8 = 7;
const SUPERSEDED: u8 = 8;
const ASK: u8 = 9;
const ACK: u8 = 10;
const SEND: u8 = 11;
const READ: u8 = 12;
const QUERY: u8 = 13;
const BYE: u8 = 14;

impl<'a> Down<'a> {
    /// The frame, and the last request that was taken, which it acknowledges.
    pub(super) fn encode(&self, taken: u64) -> SecretBytes {
        match self {
            Self::Status(status) => {
                let room = status.results.len().saturating_mul(Outcome::LEN).saturating_add(34);
                frame(STATUS, taken, room, |body| {
                    body.u64(status.nonce).u8(status.suspended.map_or(0, Suspension::to_byte));
                    body.u64(status.good_for).u64(status.from).u64(status.next);
                    Outcome::encode_all(&status.results, body);
                })
            }
            Self::Numbered(number, numbered) => numbered.encode(*number, taken),
            Self::Ended { why, taken, results } => {
                let room = results.len().saturating_mul(Outcome::LEN).saturating_add(2);
                frame(ENDED, *taken, room, |body| {
                    body.u8(*why);
                    Outcome::encode_all(results, body);
                })
            }
            Self::Superseded => frame(SUPERSEDED, taken, 0, |_| {}),
        }
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<(u64, Self), DecodeError> {
        let (kind, taken, body) = split(bytes)?;
        let frame = match kind {
            STATUS => whole(body, |body| {
                Some(Self::Status(Status {
                    nonce: body.u64()?,
                    suspended: Suspension::from_byte(body.u8()?)?,
                    good_for: body.u64()?,
                    from: body.u64().filter(|number| *number <= MAX_NUMBER)?,
                    next: body.u64().filter(|number| *number <= MAX_NUMBER)?,
                    taken,
                    results: Outcome::decode_all(body)?,
                }))
            })?,
            ENDED => whole(body, |body| {
                Some(Self::Ended { why: body.u8()?, taken, results: Outcome::decode_all(body)? })
            })?,
            SUPERSEDED => whole(body, |_| Some(Self::Superseded))?,
            EVENT | OWN_SENT | ANSWER | GAP | FOUND => whole(body, |body| {
                let number = body.u64().filter(|number| *number <= MAX_NUMBER)?;
                Some(Self::Numbered(number, Numbered::decode(kind, body)?))
            })?,
            _ => return Err(DecodeError::Malformed(Field::Frame)),
        };
        Ok((taken, frame))
    }
}

impl<'a> Numbered<'a> {
    pub(super) fn encode(&self, number: u64, taken: u64) -> SecretBytes {
        match self {
            Self::Event { at, from, message, shared, text } => {
                let account = from.account.as_bytes().len();
                let shared_len = if shared.is_some() { SharedId::LEN } else { 0 };
                let room = text.len().saturating_add(8 + 8 + 2 + 4 + 16 + 1).saturating_add(shared_len);
                let room = room.saturating_add(account);
                frame(EVENT, taken, room, |body| {
                    from.encode(body.u64(number).u64(at.0));
                    body.bytes(message.as_bytes()).flag(shared.is_some());
                    shared.iter().for_each(|shared| {
                        body.bytes(shared.as_bytes());
                    });
                    body.bytes(text);
                })
            }
            Self::OwnSent { at, to, shared, text } => {
                let room = text.len().saturating_add(8 + 8 + 2 + 16).saturating_add(to.as_bytes().len());
                frame(OWN_SENT, taken, room, |body| {
                    body.u64(number).u64(at.0).prefixed(to.as_bytes());
                    body.bytes(shared.as_bytes()).bytes(text);
                })
            }
            Self::Answer(outcome) => frame(ANSWER, taken, 8 + Outcome::LEN, |body| {
                outcome.encode(body.u64(number));
            }),
            Self::Gap { count, first, last } => frame(GAP, taken, 32, |body| {
                body.u64(number).u64(*count).u64(first.0).u64(last.0);
            }),
            Self::Found { request, text } => frame(FOUND, taken, text.len().saturating_add(24), |body| {
                body.u64(number).bytes(&request.0).bytes(text);
            }),
        }
    }

    fn decode(kind: u8, body: &mut RecordReader<'a>) -> Option<Self> {
        Some(match kind {
            EVENT => {
                let (at, from) = (UnixMillis(body.u64()?), Address::decode(body)?);
                let message = MessageId::from_bytes(body.array()?);
                let shared = if body.flag()? { Some(SharedId::from_bytes(body.array()?)) } else { None };
                Self::Event { at, from, message, shared, text: body.rest() }
            }
            OWN_SENT => Self::OwnSent {
                at: UnixMillis(body.u64()?),
                to: AccountId::new(body.prefixed()?).ok()?,
                shared: SharedId::from_bytes(body.array()?),
                text: body.rest(),
            },
            ANSWER => Self::Answer(Outcome::decode(body)?),
            GAP => Self::Gap {
                count: body.u64()?,
                first: UnixMillis(body.u64()?),
                last: UnixMillis(body.u64()?),
            },
            FOUND => Self::Found { request: RequestId(body.array()?), text: body.rest() },
            _ => return None,
        })
    }
}

impl<'a> Up<'a> {
    /// The frame, and the last number that was shown, which it acknowledges.
    pub(super) fn encode(&self, shown: u64) -> SecretBytes {
        match self {
            Self::Ask { nonce, first, next } => frame(ASK, shown, 24, |body| {
                body.u64(*nonce).u64(*first).u64(*next);
            }),
            Self::Ack => frame(ACK, shown, 0, |_| {}),
            Self::Bye => frame(BYE, shown, 0, |_| {}),
            Self::Request { number, id, not_after, body: asked } => {
                let kind = asked.kind();
                frame(kind, shown, asked.room().saturating_add(8 + 16 + 8), |body| {
                    body.u64(*number).bytes(&id.0).u64(not_after.0);
                    asked.encode(body);
                })
            }
        }
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<(u64, Self), DecodeError> {
        let (kind, shown, body) = split(bytes)?;
        let frame = match kind {
            ASK => whole(body, |body| {
                let (nonce, first, next) = (body.u64()?, body.u64()?, body.u64()?);
                let count = next.checked_sub(first)?;
                (count <= MAX_REQUESTS && first > 0 && next <= MAX_NUMBER).then_some(Self::Ask {
                    nonce,
                    first,
                    next,
                })
            })?,
            ACK => whole(body, |_| Some(Self::Ack))?,
            BYE => whole(body, |_| Some(Self::Bye))?,
            SEND | READ | QUERY => whole(body, |body| {
                Some(Self::Request {
                    number: body.u64().filter(|number| (1..=MAX_NUMBER).contains(number))?,
                    id: RequestId(body.array()?),
                    not_after: UnixMillis(body.u64()?),
                    body: Body::decode(kind, body)?,
                })
            })?,
            _ => return Err(DecodeError::Malformed(Field::Frame)),
        };
        Ok((shown, frame))
    }
}

impl<'a> Body<'a> {
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Send { .. } => SEND,
            Self::Read { .. } => READ,
            Self::Query(_) => QUERY,
        }
    }

    /// The encoding by itself.
    pub(super) fn to_text(self) -> SecretBytes {
        let mut text = RecordWriter::with_capacity(self.room());
        self.encode(&mut text);
        text.finish()
    }

    /// Length of the encoding.
    pub(super) fn room(&self) -> usize {
        match self {
            Self::Send { to, associated_data, text } => {
                let parts = to.as_bytes().len().saturating_add(associated_data.len());
                parts.saturating_add(text.len()).saturating_add(4)
            }
            Self::Read { from, .. } => from.account.as_bytes().len().saturating_add(2 + 4 + 16),
            Self::Query(text) => text.len(),
        }
    }

    pub(super) fn encode(&self, body: &mut RecordWriter) {
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
        }
    }

    pub(super) fn decode(kind: u8, body: &mut RecordReader<'a>) -> Option<Self> {
        Some(match kind {
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
            _ => return None,
        })
    }
}

impl RequestState {
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Accepted => 1,
            Self::Relayed => 2,
            Self::Delivered => 3,
            Self::Read => 4,
            Self::Refused(why) => why.to_byte(),
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Unknown,
            1 => Self::Accepted,
            2 => Self::Relayed,
            3 => Self::Delivered,
            4 => Self::Read,
            16 => Self::Refused(RefusedRequest::NoConsent),
            17 => Self::Refused(RefusedRequest::TooLate),
            18 => Self::Refused(RefusedRequest::IdentityChanged),
            19 => Self::Refused(RefusedRequest::TooLong),
            _ => return None,
        })
    }
}

impl RefusedRequest {
    const fn to_byte(self) -> u8 {
        match self {
            Self::NoConsent => 16,
            Self::TooLate => 17,
            Self::IdentityChanged => 18,
            Self::TooLong => 19,
        }
    }
}

impl Suspension {
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::PhoneWentBack => 1,
            Self::DesktopWentBack => 2,
            Self::Session => 3,
            Self::TakenOver => 4,
        }
    }

    /// `None`: not known. `Some(None)`: not suspended.
    pub(super) const fn from_byte(byte: u8) -> Option<Option<Self>> {
        Some(match byte {
            0 => None,
            1 => Some(Self::PhoneWentBack),
            2 => Some(Self::DesktopWentBack),
            3 => Some(Self::Session),
            4 => Some(Self::TakenOver),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that no honest end comes to would bring counters to their end.
    #[test]
    fn numbers_beyond_all_are_refused() {
        let ask = Up::Ask { nonce: 1, first: 1, next: 1 };
        assert!(Up::decode(&ask.encode(MAX_NUMBER)).is_ok());
        for shown in [MAX_NUMBER + 1, u64::MAX - 1, u64::MAX] {
            assert!(Up::decode(&ask.encode(shown)).is_err());
            assert!(Down::decode(&Down::Superseded.encode(shown)).is_err());
        }
        for (first, next) in [(0, 1), (2, 1), (1, 66), (MAX_NUMBER + 1, MAX_NUMBER + 1)] {
            assert!(Up::decode(&Up::Ask { nonce: 1, first, next }.encode(0)).is_err());
        }
    }

    /// PADMÉ by its published rule, on numbers worked out by hand: at most 12 % more, and few lengths.
    #[test]
    fn lengths_are_padded_by_the_published_rule() {
        for (len, expected) in
            [(1, 160), (160, 160), (161, 176), (1_000, 1_024), (5_084, 5_120), (9_000, 9_216)]
        {
            assert_eq!(padded(len), expected, "{len}");
        }
        for len in 200..20_000_usize {
            assert!(padded(len) >= len && padded(len) * 100 <= len * 112, "{len}");
        }
    }
}
