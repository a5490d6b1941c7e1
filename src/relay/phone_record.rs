//! What a phone keeps of the desktops that it relays for. `docs/relay.md`, "At the phone".

use alloc::vec::Vec;
use core::ops::Range;

use super::{
    DesktopConsent, EndOfRelay, RequestId, RequestState, Suspension,
    desktop_record::MAX_UNHEARD,
    frame::{Link, MAX_REQUESTS, Outcome},
};
use crate::{
    companion::Offer,
    identity::{Account, AccountId, DeviceId, DeviceList, Epoch, IdentityKey},
    step::{
        Context, KeyWriter, Limits, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader,
        RecordType, RecordWriter, Slot, UnixMillis,
    },
    wire::SessionId,
};

/// Desktops that a phone relays for, or remembers as ended.
pub(super) const MAX_DESKTOPS: usize = 4;
/// Frames that are kept for a desktop, and the bytes of all of them.
pub(super) const MAX_KEPT: u64 = 512;
pub(super) const MAX_KEPT_BYTES: u64 = 8 << 20;
/// Places beyond that for answers and gaps, so that no event takes theirs.
pub(super) const RESERVED: u64 = MAX_REQUESTS + 4;
/// Frames that go out before the desktop has acknowledged the first of them.
pub(super) const WINDOW: u64 = 32;
/// Requests that are remembered.
pub(super) const REMEMBERED: u64 = 256;

// What is under way opens: a status opens behind all that is kept, and behind the statuses that a desktop may ask for before it hears one; and what is kept opens after it.
const _: () = {
    let under_way = MAX_KEPT + RESERVED + MAX_UNHEARD;
    assert!(
        under_way <= Limits::DEFAULT.max_forward as u64 && under_way <= Limits::DEFAULT.max_skipped as u64
    );
    assert!(MAX_KEPT >= WINDOW && REMEMBERED >= MAX_REQUESTS);
};

/// The record of which desktops there are, oldest first, and of whose phone.
#[derive(Debug)]
pub(super) struct Desktops {
    pub(super) account: AccountId,
    pub(super) ids: Vec<DeviceId>,
}

/// How a relay stands at the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Granted; the desktop has not come yet, and may until then.
    Granted(UnixMillis),
    Attached,
    Suspended(Suspension),
    Ended(EndOfRelay),
}

/// What a desktop is offered, and until when its own signature is taken.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) offer: Offer,
    pub(super) until: UnixMillis,
}

/// A desktop that is a companion now.
#[derive(Debug)]
pub(super) struct Upgraded {
    /// Of the first list that names it, as far as this store knows.
    pub(super) epoch: Epoch,
    pub(super) at: UnixMillis,
    /// The number of the frame that tells it so.
    pub(super) number: u64,
    /// What it is told; empty where this store went back, and has it no more.
    pub(super) certificate: Vec<u8>,
}

/// Events that were not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) count: u64,
    pub(super) first: UnixMillis,
    pub(super) last: UnixMillis,
}

/// The record of one desktop.
#[derive(Debug)]
pub(super) struct Desktop {
    pub(super) phase: Phase,
    /// The desktop's identity key, from its screen.
    pub(super) key: IdentityKey,
    /// Names the pairing: ids of relayed messages follow from it.
    pub(super) pairing: [u8; 16],
    /// The session that the desktop has joined with last.
    pub(super) session: SessionId,
    /// The number of the next frame, and of the last that was acknowledged.
    pub(super) next: u64,
    pub(super) acked: u64,
    /// Names the last frame.
    pub(super) link: Link,
    /// Bytes of all frames so far, and of those that were acknowledged.
    pub(super) bytes: u64,
    pub(super) bytes_acked: u64,
    pub(super) missed: Missed,
    /// The last gap that was told, and under which number: it is told again where the desktop joins anew and has not shown it.
    pub(super) gap: Missed,
    pub(super) gap_number: u64,
    /// The number of the last gap of which nobody knows how much it stands for.
    pub(super) unknown_gap: u64,
    /// The last request that was taken.
    pub(super) taken: u64,
    pub(super) consent: DesktopConsent,
    pub(super) good_until: UnixMillis,
    /// The latest time that was seen here.
    pub(super) latest: UnixMillis,
    /// When a desktop past its time was last told so.
    pub(super) told_over: UnixMillis,
    /// What goes to a desktop that is of an earlier session, or for which the relay has ended.
    pub(super) notice: Option<Vec<u8>>,
    pub(super) offered: Option<Offered>,
    pub(super) upgraded: Option<Upgraded>,
}

/// The record of a frame that waits to be acknowledged.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    /// Bytes of all frames up to this one.
    pub(super) bytes: u64,
    pub(super) frame: &'a [u8],
}

/// The record of a request that was taken.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    pub(super) digest: [u8; 32],
}

impl Missed {
    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self { count: body.u64()?, first: UnixMillis(body.u64()?), last: UnixMillis(body.u64()?) })
    }
}

impl Offered {
    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let until = UnixMillis(body.u64()?);
        Some(Self { offer: Offer::decode(body)?, until })
    }
}

impl Upgraded {
    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let (epoch, at) = (Epoch(body.u32()?), UnixMillis(body.u64()?));
        Some(Self { epoch, at, number: body.u64()?, certificate: body.prefixed()?.to_vec() })
    }
}

impl Desktops {
    pub(super) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::Desktops).finish(), context, needs)
    }
}

fn key(kind: RecordKind, desktop: DeviceId) -> KeyWriter {
    KeyWriter::new(kind).part(&desktop.0.to_be_bytes())
}

impl Desktop {
    pub(super) fn read(
        desktop: DeviceId,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(key(RecordKind::Desktop, desktop).finish(), context, needs)
    }

    /// The place of a desktop whose id was just drawn.
    pub(super) fn new_place(desktop: DeviceId) -> Slot<Self> {
        Slot::absent(key(RecordKind::Desktop, desktop).finish())
    }

    /// The time now; it does not go back.
    pub(super) fn now(&self, context: &Context<'_>) -> UnixMillis {
        context.now.max(self.latest)
    }

    pub(super) const fn suspended(&self) -> Option<Suspension> {
        match self.phase {
            Phase::Suspended(why) => Some(why),
            Phase::Granted(_) | Phase::Attached | Phase::Ended(_) => None,
        }
    }

    /// Since which list it is a companion.
    pub(super) const fn upgraded_in(&self) -> Option<Epoch> {
        match &self.upgraded {
            Some(upgraded) => Some(upgraded.epoch),
            None => None,
        }
    }

    /// Whether it has shown that it is a companion: what was told behind that is for nobody.
    pub(super) fn knows(&self, shown: u64) -> bool {
        self.upgraded.as_ref().is_some_and(|upgraded| shown >= upgraded.number)
    }

    /// Whether the account's newest list names it.
    pub(super) fn is_listed(
        &self,
        desktop: DeviceId,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Epoch>, RecordError> {
        let list = Account::read(have, context, needs)?.value.map(|account| account.known.list);
        let named =
            |list: &DeviceList| list.entry(desktop).is_some_and(|entry| entry.identity_key == self.key);
        Ok(list.filter(named).map(|list| list.epoch()))
    }

    /// Whether its time is over. A companion's is not the relay's to say.
    pub(super) fn is_over(&self, context: &Context<'_>) -> bool {
        self.upgraded_in().is_none() && self.now(context) > self.good_until
    }
}

impl Kept<'_> {
    pub(super) fn key(desktop: DeviceId, number: u64) -> RecordKey {
        key(RecordKind::RelayOut, desktop).part(&number.to_be_bytes()).finish()
    }
}

impl Seen {
    pub(super) fn key(desktop: DeviceId, number: u64) -> RecordKey {
        let place = number.checked_rem(REMEMBERED).unwrap_or_default();
        key(RecordKind::RelaySeen, desktop).part(&place.to_be_bytes()).finish()
    }
}

impl Seen {
    /// What became of requests, as far as they were taken and are remembered.
    pub(super) fn outcomes(
        desktop: DeviceId,
        numbers: Range<u64>,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Outcome>, RecordError> {
        let mut outcomes = Vec::new();
        for number in numbers {
            let seen = have.read::<Self>(Self::key(desktop, number), context, needs)?;
            outcomes.extend(seen.value.map(|seen| seen.outcome).filter(|outcome| outcome.number == number));
        }
        Ok(outcomes)
    }
}

impl RecordType<'_> for Desktops {
    const KIND: RecordKind = RecordKind::Desktops;

    fn max_body_len(&self) -> usize {
        self.ids.len().saturating_mul(4).saturating_add(2 + AccountId::MAX_LEN)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.prefixed(self.account.as_bytes());
        self.ids.iter().for_each(|desktop| {
            body.u32(desktop.0);
        });
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let account = AccountId::new(body.prefixed()?).ok()?;
        let mut ids = Vec::new();
        while let Some(desktop) = body.u32() {
            ids.push(DeviceId(desktop));
        }
        (ids.len() <= MAX_DESKTOPS).then_some(Self { account, ids })
    }
}

impl RecordType<'_> for Desktop {
    const KIND: RecordKind = RecordKind::Desktop;

    fn max_body_len(&self) -> usize {
        let offered = self.offered.as_ref().map_or(0, |_| Offer::MAX_LEN + 8);
        let upgraded = self.upgraded.as_ref().map_or(0, |upgraded| upgraded.certificate.len());
        self.notice
            .as_ref()
            .map_or(0, Vec::len)
            .saturating_add(offered)
            .saturating_add(upgraded)
            .saturating_add(1 + 1 + 4 + 8 + 8 + 2)
            .saturating_add(1 + 8 + 32 + 16 + 8 + 5 * 8 + 3 * 8 + 4 * 8 + 8 + 8 + 1 + 8 + 8 + 8 + 2)
    }

    fn encode(&self, body: &mut RecordWriter) {
        let (phase, detail) = match self.phase {
            Phase::Granted(until) => (1, until.0),
            Phase::Attached => (2, 0),
            Phase::Suspended(why) => (3, u64::from(why.to_byte())),
            Phase::Ended(why) => (4, u64::from(why.to_byte())),
        };
        body.u8(phase)
            .u64(detail)
            .bytes(self.key.public_key().as_bytes())
            .bytes(&self.pairing)
            .bytes(&self.session.0);
        body.u64(self.next).u64(self.acked).bytes(&self.link.0).u64(self.bytes).u64(self.bytes_acked);
        for Missed { count, first, last } in [self.missed, self.gap] {
            body.u64(count).u64(first.0).u64(last.0);
        }
        body.u64(self.gap_number).u64(self.unknown_gap);
        body.u64(self.taken).u8(self.consent.to_byte()).u64(self.good_until.0).u64(self.latest.0);
        body.u64(self.told_over.0).prefixed(self.notice.as_deref().unwrap_or_default());
        body.flag(self.offered.is_some());
        if let Some(Offered { offer, until }) = &self.offered {
            offer.encode(body.u64(until.0));
        }
        body.flag(self.upgraded.is_some());
        if let Some(Upgraded { epoch, at, number, certificate }) = &self.upgraded {
            body.u32(epoch.0).u64(at.0).u64(*number).prefixed(certificate);
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let (phase, detail) = (body.u8()?, body.u64()?);
        let small = u8::try_from(detail).ok();
        Some(Self {
            phase: match phase {
                1 => Phase::Granted(UnixMillis(detail)),
                2 if detail == 0 => Phase::Attached,
                3 => Phase::Suspended(Suspension::from_byte(small?)??),
                4 => Phase::Ended(EndOfRelay::from_byte(small?)?),
                _ => return None,
            },
            key: IdentityKey::new(body.public_key()?),
            pairing: body.array()?,
            session: SessionId(body.array()?),
            next: body.u64().filter(|next| *next > 0)?,
            acked: body.u64()?,
            link: Link(body.array()?),
            bytes: body.u64()?,
            bytes_acked: body.u64()?,
            missed: Missed::decode(body)?,
            gap: Missed::decode(body)?,
            gap_number: body.u64()?,
            unknown_gap: body.u64()?,
            taken: body.u64()?,
            consent: DesktopConsent::from_byte(body.u8()?)?,
            good_until: UnixMillis(body.u64()?),
            latest: UnixMillis(body.u64()?),
            told_over: UnixMillis(body.u64()?),
            notice: Some(body.prefixed()?.to_vec()).filter(|notice| !notice.is_empty()),
            offered: if body.flag()? { Some(Offered::decode(body)?) } else { None },
            upgraded: if body.flag()? { Some(Upgraded::decode(body)?) } else { None },
        })
        .filter(|desktop| {
            let kept = desktop.next.checked_sub(1).and_then(|told| told.checked_sub(desktop.acked));
            let kept = kept.is_some_and(|kept| kept <= MAX_KEPT.saturating_add(RESERVED));
            kept && desktop.bytes_acked <= desktop.bytes
        })
    }
}

impl<'a> RecordType<'a> for Kept<'a> {
    const KIND: RecordKind = RecordKind::RelayOut;

    fn max_body_len(&self) -> usize {
        self.frame.len().saturating_add(8)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u64(self.bytes).bytes(self.frame);
    }

    fn decode(body: &mut RecordReader<'a>) -> Option<Self> {
        Some(Self { bytes: body.u64()?, frame: body.rest() })
    }
}

impl RecordType<'_> for Seen {
    const KIND: RecordKind = RecordKind::RelaySeen;

    fn max_body_len(&self) -> usize {
        8 + 16 + 1 + 32
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u64(self.outcome.number).bytes(&self.outcome.request.0).u8(self.outcome.state.to_byte());
        body.bytes(&self.digest);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let outcome = Outcome {
            number: body.u64()?,
            request: RequestId(body.array()?),
            state: RequestState::from_byte(body.u8()?)?,
        };
        Some(Self { outcome, digest: body.array()? })
    }
}
