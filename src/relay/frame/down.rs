//! What the phone says.

use alloc::vec::Vec;

use super::{
    ANSWER, ENDED, EVENT, FOUND, GAP, Link, MAX_NUMBER, OFFER, OWN_SENT, Outcome, STATUS, SUPERSEDED,
    UPGRADED, frame, split, whole,
};
use crate::{
    companion::Offer,
    primitives::SecretBytes,
    relay::{RequestId, Suspension},
    session::Origin,
    step::{RecordReader, RecordWriter, UnixMillis},
    wire::{DecodeError, Field},
};

/// A frame of the phone's.
#[derive(Debug)]
pub(in crate::relay) enum Down<'a> {
    Status(Status),
    /// Under its number, and what names the one before it.
    Numbered((u64, Link), Numbered<'a>),
    Ended {
        why: u8,
        taken: u64,
        results: Vec<Outcome>,
    },
    Superseded,
}

/// What is told in order, each under the next number.
#[derive(Debug)]
pub(in crate::relay) enum Numbered<'a> {
    /// A peer's message, or what the account has sent.
    Event {
        at: UnixMillis,
        origin: Origin,
        text: &'a [u8],
    },
    Answer(Outcome),
    Gap {
        count: u64,
        first: UnixMillis,
        last: UnixMillis,
    },
    Found {
        request: RequestId,
        text: &'a [u8],
    },
    /// What makes the desktop a companion, once it has signed for itself.
    Offer {
        request: RequestId,
        offer: Offer,
    },
    /// That it is one; the last that is told.
    Upgraded {
        certificate: &'a [u8],
        list: &'a [u8],
    },
}

/// The phone's answer to an ask.
#[derive(Debug)]
pub(in crate::relay) struct Status {
    /// Of the ask, and when that was made.
    pub(in crate::relay) nonce: u64,
    pub(in crate::relay) at: UnixMillis,
    pub(in crate::relay) suspended: Option<Suspension>,
    /// For how long the phone relays, from the ask on; 0 where it is over.
    pub(in crate::relay) good_for: u64,
    /// The number of the first frame that follows.
    pub(in crate::relay) from: u64,
    /// The number of the next frame that will be told, and what names the one before it.
    pub(in crate::relay) next: u64,
    pub(in crate::relay) link: Link,
    /// The last request that was taken.
    pub(in crate::relay) taken: u64,
    pub(in crate::relay) results: Vec<Outcome>,
}

impl<'a> Down<'a> {
    /// The frame, and the last request that was taken, which it acknowledges.
    pub(in crate::relay) fn encode(&self, taken: u64) -> SecretBytes {
        match self {
            Self::Status(status) => {
                let room = status.results.len().saturating_mul(Outcome::LEN).saturating_add(50);
                frame(STATUS, taken, room, |body| {
                    body.u64(status.nonce)
                        .u64(status.at.0)
                        .u8(status.suspended.map_or(0, Suspension::to_byte));
                    body.u64(status.good_for).u64(status.from).u64(status.next).bytes(&status.link.0);
                    Outcome::encode_all(&status.results, body);
                })
            }
            Self::Numbered(place, numbered) => numbered.encode(*place, taken),
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

    pub(in crate::relay) fn decode(bytes: &'a [u8]) -> Result<(u64, Self), DecodeError> {
        let (kind, taken, body) = split(bytes)?;
        let frame = match kind {
            STATUS => whole(body, |body| {
                Some(Self::Status(Status {
                    nonce: body.u64()?,
                    at: UnixMillis(body.u64()?),
                    suspended: Suspension::from_byte(body.u8()?)?,
                    good_for: body.u64()?,
                    from: body.u64().filter(|number| *number <= MAX_NUMBER)?,
                    next: body.u64().filter(|number| *number <= MAX_NUMBER)?,
                    link: Link(body.array()?),
                    taken,
                    results: Outcome::decode_all(body)?,
                }))
            })?,
            ENDED => whole(body, |body| {
                Some(Self::Ended { why: body.u8()?, taken, results: Outcome::decode_all(body)? })
            })?,
            SUPERSEDED => whole(body, |_| Some(Self::Superseded))?,
            EVENT | OWN_SENT | ANSWER | GAP | FOUND | OFFER | UPGRADED => whole(body, |body| {
                let number = body.u64().filter(|number| *number <= MAX_NUMBER)?;
                let place = (number, Link(body.array()?));
                Some(Self::Numbered(place, Numbered::decode(kind, body)?))
            })?,
            _ => return Err(DecodeError::Malformed(Field::Frame)),
        };
        Ok((taken, frame))
    }
}

impl<'a> Numbered<'a> {
    pub(in crate::relay) fn encode(&self, (number, link): (u64, Link), taken: u64) -> SecretBytes {
        let numbered = |kind, room: usize, write: &dyn Fn(&mut RecordWriter)| {
            frame(kind, taken, room.saturating_add(16), |body| write(body.u64(number).bytes(&link.0)))
        };
        match self {
            Self::Event { at, origin, text } => {
                let kind = match origin {
                    Origin::Peer { .. } => EVENT,
                    Origin::Own { .. } => OWN_SENT,
                };
                numbered(kind, text.len().saturating_add(8 + Origin::MAX_LEN), &|body| {
                    origin.encode(body.u64(at.0));
                    body.bytes(text);
                })
            }
            Self::Answer(outcome) => numbered(ANSWER, Outcome::LEN, &|body| outcome.encode(body)),
            Self::Gap { count, first, last } => numbered(GAP, 24, &|body| {
                body.u64(*count).u64(first.0).u64(last.0);
            }),
            Self::Found { request, text } => numbered(FOUND, text.len().saturating_add(16), &|body| {
                body.bytes(&request.0).bytes(text);
            }),
            Self::Offer { request, offer } => {
                numbered(OFFER, offer.body.len().saturating_add(16 + 2 + 64), &|body| {
                    offer.encode(body.bytes(&request.0));
                })
            }
            Self::Upgraded { certificate, list } => {
                let room = certificate.len().saturating_add(list.len()).saturating_add(2 + 2);
                numbered(UPGRADED, room, &|body| {
                    body.prefixed(certificate).prefixed(list);
                })
            }
        }
    }

    fn decode(kind: u8, body: &mut RecordReader<'a>) -> Option<Self> {
        Some(match kind {
            EVENT | OWN_SENT => Self::Event {
                at: UnixMillis(body.u64()?),
                origin: match kind {
                    EVENT => Origin::decode_peer(body)?,
                    _ => Origin::decode_own(body)?,
                },
                text: body.rest(),
            },
            ANSWER => Self::Answer(Outcome::decode(body)?),
            GAP => Self::Gap {
                count: body.u64()?,
                first: UnixMillis(body.u64()?),
                last: UnixMillis(body.u64()?),
            },
            FOUND => Self::Found { request: RequestId(body.array()?), text: body.rest() },
            OFFER => Self::Offer { request: RequestId(body.array()?), offer: Offer::decode(body)? },
            UPGRADED => Self::Upgraded { certificate: body.prefixed()?, list: body.prefixed()? },
            _ => return None,
        })
    }
}
