//! What a desktop keeps of the phone that relays for it. `docs/relay.md`, "At the desktop".

use super::{
    EndOfRelay, RequestId, RequestState, Suspension,
    frame::{Link, MAX_REQUESTS},
};
use crate::{
    companion::Offer,
    identity::AccountId,
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader, RecordType,
        RecordWriter, Slot, UnixMillis,
    },
    wire::SessionId,
};

/// Frames without a word of the phone's after which only asks go out, one an hour; and after which one a day does.
const SPOKEN_MUCH: u32 = 300;
const SPOKEN_MORE: u32 = 360;
/// As many as that comes to in the fourteen days of its time, and thirty more: of these frames the phone answers the asks.
pub(super) const MAX_UNHEARD: u64 = SPOKEN_MORE as u64 + 14 + 30 + 1;

/// How a relay stands at the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has asked to join, and the phone has not said yet from where it goes on.
    Joining,
    Attached,
    Suspended(Suspension),
    Ended(EndOfRelay),
}

/// How far this desktop is on its way to become a companion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Upgrading {
    #[default]
    No,
    /// The phone has offered it.
    Offered(Offer),
    /// It has accepted, with the request of this number; later ones are queued.
    Accepted(u64),
}

/// The record of the relay.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) phase: Phase,
    /// The account, whose phone it is.
    pub(super) account: AccountId,
    /// The session that this desktop has joined with last.
    pub(super) session: SessionId,
    /// The last number that was shown.
    pub(super) shown: u64,
    /// The last number that was shown indeed: what a status has passed over is not, until the gap is that tells of it.
    pub(super) sure: u64,
    /// Names the frame of the last number.
    pub(super) link: Link,
    /// Whether the phone's store went back, and it has not answered in a new session since: something is missing that it may not know of.
    pub(super) lacks: bool,
    /// Frames since the phone was last told what was shown.
    pub(super) owed: u8,
    /// Places of requests: of the first that has no answer, and of the next.
    pub(super) first: u64,
    pub(super) next: u64,
    /// The number of the next request that goes out, and of the last that was answered.
    pub(super) number: u64,
    pub(super) answered: u64,
    /// The last ask, and when it was made; the last that was answered.
    pub(super) asked: u64,
    pub(super) asked_at: UnixMillis,
    pub(super) heard: u64,
    /// Asks in a row that nothing has come after, and frames of all kinds.
    pub(super) unanswered: u8,
    pub(super) unheard: u32,
    pub(super) good_until: UnixMillis,
    /// The latest time that was seen here.
    pub(super) latest: UnixMillis,
    pub(super) upgrading: Upgrading,
}

/// The record of a request that has no answer.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) id: RequestId,
    pub(super) stage: AskedStage<'a>,
}

/// Where a request is.
#[derive(Debug)]
pub(super) enum AskedStage<'a> {
    /// It has not gone out: kind, time and encoded body.
    Queued { kind: u8, not_after: UnixMillis, body: &'a [u8] },
    /// It has gone out under this number; it is sealed anew each time that it goes out again.
    Sent { number: u64, kind: u8, not_after: UnixMillis, body: &'a [u8] },
    /// It was taken back before it went out.
    Cancelled,
}

impl Upgrading {
    fn encode(&self, body: &mut RecordWriter) {
        match self {
            Self::No => {
                body.u8(0);
            }
            Self::Offered(offer) => offer.encode(body.u8(1)),
            Self::Accepted(number) => {
                body.u8(2).u64(*number);
            }
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(match body.u8()? {
            0 => Self::No,
            1 => Self::Offered(Offer::decode(body)?),
            2 => Self::Accepted(body.u64()?),
            _ => return None,
        })
    }
}

impl Relay {
    pub(super) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::Relay).finish(), context, needs)
    }

    /// The time now; it does not go back.
    pub(super) fn now(&self, context: &Context<'_>) -> UnixMillis {
        context.now.max(self.latest)
    }

    /// Whether the phone has left two asks in a row without an answer, or much else.
    pub(super) fn is_unreachable(&self) -> bool {
        self.unanswered >= 2 || self.has_spoken_much()
    }

    /// Whether so much went out since the phone was heard last that more could end the session: it follows no gap of more than 1,000 messages.
    pub(super) const fn has_spoken_much(&self) -> bool {
        self.unheard >= SPOKEN_MUCH
    }

    /// From when on it may ask: at any time, once an hour, or once a day.
    pub(super) fn may_ask_from(&self) -> UnixMillis {
        match self.unheard {
            unheard if unheard < SPOKEN_MUCH => UnixMillis(0),
            unheard if unheard < SPOKEN_MORE => self.asked_at.plus(UnixMillis::HOUR),
            _ => self.asked_at.plus(UnixMillis::DAY),
        }
    }

    /// Whether it is about to become a companion, as far as it knows.
    pub(super) const fn has_accepted(&self) -> bool {
        matches!(self.upgrading, Upgrading::Accepted(_))
    }

    /// What the phone says of a request: where that is the acceptance, and not done, requests go on.
    pub(super) fn hear_of_acceptance(&mut self, number: u64, state: RequestState) {
        if self.upgrading == Upgrading::Accepted(number) && state != RequestState::Accepted {
            self.upgrading = Upgrading::No;
        }
    }

    pub(super) fn is_over(&self, context: &Context<'_>) -> bool {
        self.now(context) > self.good_until
    }
}

impl Asked<'_> {
    pub(super) const fn is_cancelled(&self) -> bool {
        matches!(self.stage, AskedStage::Cancelled)
    }

    pub(super) fn key(place: u64) -> RecordKey {
        let place = place.checked_rem(MAX_REQUESTS).unwrap_or_default();
        KeyWriter::new(RecordKind::RelayAsked).part(&place.to_be_bytes()).finish()
    }
}

impl RecordType<'_> for Relay {
    const KIND: RecordKind = RecordKind::Relay;

    fn max_body_len(&self) -> usize {
        1 + 1 + 2 + AccountId::MAX_LEN + 8 + 8 + 8 + 8 + 1 + 1 + 7 * 8 + 1 + 4 + 8 + 8 + 1 + Offer::MAX_LEN
    }

    fn encode(&self, body: &mut RecordWriter) {
        let (phase, detail) = match self.phase {
            Phase::Joining => (1, 0),
            Phase::Attached => (2, 0),
            Phase::Suspended(why) => (3, why.to_byte()),
            Phase::Ended(why) => (4, why.to_byte()),
        };
        body.u8(phase).u8(detail).prefixed(self.account.as_bytes()).bytes(&self.session.0);
        body.u64(self.shown)
            .u64(self.sure)
            .bytes(&self.link.0)
            .flag(self.lacks)
            .u8(self.owed)
            .u64(self.first)
            .u64(self.next)
            .u64(self.number)
            .u64(self.answered);
        body.u64(self.asked).u64(self.asked_at.0).u64(self.heard).u8(self.unanswered).u32(self.unheard);
        body.u64(self.good_until.0).u64(self.latest.0);
        self.upgrading.encode(body);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let (phase, detail) = (body.u8()?, body.u8()?);
        Some(Self {
            phase: match phase {
                1 if detail == 0 => Phase::Joining,
                2 if detail == 0 => Phase::Attached,
                3 => Phase::Suspended(Suspension::from_byte(detail)??),
                4 => Phase::Ended(EndOfRelay::from_byte(detail)?),
                _ => return None,
            },
            account: AccountId::new(body.prefixed()?).ok()?,
            session: SessionId(body.array()?),
            shown: body.u64()?,
            sure: body.u64()?,
            link: Link(body.array()?),
            lacks: body.flag()?,
            owed: body.u8()?,
            first: body.u64()?,
            next: body.u64()?,
            number: body.u64().filter(|number| *number > 0)?,
            answered: body.u64()?,
            asked: body.u64()?,
            asked_at: UnixMillis(body.u64()?),
            heard: body.u64()?,
            unanswered: body.u8()?,
            unheard: body.u32()?,
            good_until: UnixMillis(body.u64()?),
            latest: UnixMillis(body.u64()?),
            upgrading: Upgrading::decode(body)?,
        })
        .filter(|relay| {
            let waiting = relay.number.checked_sub(1).and_then(|sent| sent.checked_sub(relay.answered));
            let asked = relay.next.checked_sub(relay.first);
            [waiting, asked].into_iter().all(|count| count.is_some_and(|count| count <= MAX_REQUESTS))
        })
    }
}

impl<'a> RecordType<'a> for Asked<'a> {
    const KIND: RecordKind = RecordKind::RelayAsked;

    fn max_body_len(&self) -> usize {
        let text = match &self.stage {
            AskedStage::Queued { body, .. } | AskedStage::Sent { body, .. } => body.len(),
            AskedStage::Cancelled => 0,
        };
        text.saturating_add(16 + 1 + 8 + 1 + 8)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.bytes(&self.id.0);
        match &self.stage {
            AskedStage::Queued { kind, not_after, body: asked } => {
                body.u8(1).u8(*kind).u64(not_after.0).bytes(asked);
            }
            AskedStage::Sent { number, kind, not_after, body: asked } => {
                body.u8(2).u64(*number).u8(*kind).u64(not_after.0).bytes(asked);
            }
            AskedStage::Cancelled => {
                body.u8(3);
            }
        }
    }

    fn decode(body: &mut RecordReader<'a>) -> Option<Self> {
        Some(Self {
            id: RequestId(body.array()?),
            stage: match body.u8()? {
                1 => AskedStage::Queued {
                    kind: body.u8()?,
                    not_after: UnixMillis(body.u64()?),
                    body: body.rest(),
                },
                2 => AskedStage::Sent {
                    number: body.u64()?,
                    kind: body.u8()?,
                    not_after: UnixMillis(body.u64()?),
                    body: body.rest(),
                },
                3 => AskedStage::Cancelled,
                _ => return None,
            },
        })
    }
}
