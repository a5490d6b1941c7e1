//! What a phone and its desktop say to each other inside their session: `kind (1) ‖ ack (8) ‖ length (4) ‖ body ‖ zeros`. `docs/relay.md`, "Frames".
//!
//! Frames are padded, so that their lengths say little: an acknowledgement, an answer and a short message look alike (lesson L49).

mod down;
mod up;

use alloc::vec::Vec;

pub(super) use self::{
    down::{Down, Numbered, Status},
    up::{Body, Up},
};
use super::{RefusedRequest, RequestId, RequestState, Suspension};
use crate::{
    companion::Offer,
    primitives::{SecretBytes, Signature},
    session::{Heading, padme},
    step::{RecordReader, RecordWriter},
    wire::{DecodeError, Field, MAX_CERTIFICATE},
};

/// Length of the smallest frame.
const SMALLEST: usize = 160;
/// `kind ‖ ack ‖ length of the body`.
const FRONT: usize = 1 + 8 + 4;
/// No number that an honest end comes to: numbers rise by one.
const MAX_NUMBER: u64 = 1 << 62;
/// Requests that a desktop can have without an answer.
pub(super) const MAX_REQUESTS: u64 = 64;

/// Names a numbered frame to the one behind it: the last eight bytes of its envelope; zeros where none was told, or it is not known. A phone whose store went back tells other frames
/// under numbers that it has used; by this its desktop sees that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link(pub(super) [u8; Self::LEN]);

impl Link {
    pub(super) const LEN: usize = 8;

    pub(super) fn to(envelope: &[u8]) -> Self {
        envelope.last_chunk().copied().map_or(Self::default(), Self)
    }

    /// Whether this can be the frame that the other end names.
    pub(super) fn is(self, named: Self) -> bool {
        self == named || self == Self::default()
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) number: u64,
    pub(super) request: RequestId,
    pub(super) state: RequestState,
}

/// The length to which a frame of this length is padded, where that is not too long for a message.
fn padded(len: usize) -> usize {
    padme(len).max(SMALLEST).min(len.max(super::MAX_FRAME))
}

/// Writes a frame whose body has at most `room` bytes, behind its heading in a message.
fn frame(kind: u8, ack: u64, room: usize, body: impl FnOnce(&mut RecordWriter)) -> SecretBytes {
    let headed = |frame: usize| frame.saturating_add(1);
    let mut writer = RecordWriter::with_capacity(headed(padded(room.saturating_add(FRONT))));
    writer.u8(Heading::RELAY).u8(kind).u64(ack).u32(0);
    body(&mut writer);
    let mut bytes = writer.finish();
    let filled = bytes.len().saturating_sub(1);
    let body = u32::try_from(filled.saturating_sub(FRONT)).unwrap_or(u32::MAX);
    if let Some(place) = bytes.as_mut_vec().get_mut(10..).and_then(|rest| rest.first_chunk_mut()) {
        *place = body.to_be_bytes();
    }
    bytes.as_mut_vec().resize(headed(padded(filled)), 0);
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
    if ack > MAX_NUMBER || padding.iter().any(|byte| *byte != 0) {
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
            number: body.u64().filter(|number| (1..=MAX_NUMBER).contains(number))?,
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
const OFFER: u8 = 15;
const UPGRADED: u8 = 16;
const UPGRADE: u8 = 17;
const ACCEPT: u8 = 18;

impl Offer {
    /// Upper bound of the encoding's length.
    pub(super) const MAX_LEN: usize = 2 + MAX_CERTIFICATE + Signature::LEN;

    pub(super) fn encode(&self, body: &mut RecordWriter) {
        body.prefixed(&self.body).bytes(self.account_signature.as_bytes());
    }

    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let certificate = body.prefixed().filter(|bytes| bytes.len() <= MAX_CERTIFICATE)?.to_vec();
        Some(Self { body: certificate, account_signature: Signature::from_bytes(&body.array()?) })
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
            20 => Self::Refused(RefusedRequest::NoOffer),
            21 => Self::Refused(RefusedRequest::Upgraded),
            22 => Self::Refused(RefusedRequest::Nobody),
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
            Self::NoOffer => 20,
            Self::Upgraded => 21,
            Self::Nobody => 22,
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
    use crate::{relay::MAX_FRAME, step::UnixMillis};

    /// Numbers that no honest end comes to would bring counters to their end.
    #[test]
    fn numbers_beyond_all_are_refused() {
        let (at, link) = (UnixMillis(1), Link::default());
        let ask = |first, next| Up::Ask { nonce: 1, at, first, next, link, lacks: false };
        assert!(Up::decode(&ask(1, 1).encode(MAX_NUMBER)[1..]).is_ok());
        for shown in [MAX_NUMBER + 1, u64::MAX - 1, u64::MAX] {
            assert!(Up::decode(&ask(1, 1).encode(shown)[1..]).is_err());
            assert!(Down::decode(&Down::Superseded.encode(shown)[1..]).is_err());
        }
        for (first, next) in [(0, 1), (2, 1), (1, 66), (MAX_NUMBER + 1, MAX_NUMBER + 1)] {
            assert!(Up::decode(&ask(first, next).encode(0)[1..]).is_err());
        }
    }

    /// Short frames have one length, and the longest that a message can hold are not padded beyond it.
    #[test]
    fn frames_are_padded_within_their_bounds() {
        for (len, expected) in
            [(1, 160), (160, 160), (161, 176), (MAX_FRAME, MAX_FRAME), (MAX_FRAME + 1, MAX_FRAME + 1)]
        {
            assert_eq!(padded(len), expected, "{len}");
        }
        assert_eq!(padded(MAX_FRAME - 1), MAX_FRAME);
    }
}
