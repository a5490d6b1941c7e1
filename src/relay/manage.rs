//! What a phone does about its desktops: sends again, renews, consents, tells, lets go; and what either end shows of the relay.

use alloc::vec::Vec;
use core::fmt;

use super::{
    DesktopConsent, EndOfRelay, RelayError, RequestNumber, RequestState, Suspension,
    ask::Desk,
    desktop_record::Phase as DesktopPhase,
    frame::{Down, MAX_REQUESTS, Numbered, Outcome},
    outbox::{ForDesktop, Outbox},
    phone::last_word,
    phone_record::{Desktop, Desktops, Kept, Phase, Seen, WINDOW},
};
use crate::{
    identity::{Address, Device, DeviceId, IdentityKey},
    session::{Line, end_sessions},
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, UnixMillis},
};

/// Gives the frames for a desktop that it has not acknowledged, up to 32, in order: at each start of the phone's app, when the desktop comes online, and where it acknowledges
/// nothing for long. They are the same bytes each time. Writes nothing.
///
/// # Errors
/// [`RelayError::NotPaired`], [`Suspended`](RelayError::Suspended), [`Ended`](RelayError::Ended), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "At the phone".
#[derive(Clone, Copy, Debug)]
pub struct RelayOutbox {
    /// Which desktop.
    pub desktop: DeviceId,
}

/// Lets a desktop go on for another 14 days, by the user's word or since they use this phone. The desktop learns it with the answer to its next
/// [`AskPhone`](crate::AskPhone). It counts from the clock as it is now: a renewal also mends what a clock that was ahead has done.
///
/// The output is until when. Writes one record.
///
/// # Errors
/// [`RelayError::NotPaired`], [`Ended`](RelayError::Ended), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "Time".
#[derive(Clone, Copy, Debug)]
pub struct RenewDesktop {
    /// Which desktop.
    pub desktop: DeviceId,
}

/// Says what a desktop may ask for without the user's word each time. It counts for requests that come from then on, those that the user is being asked about included.
///
/// # Errors
/// [`RelayError::NotPaired`], [`Ended`](RelayError::Ended), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "Requests".
#[derive(Clone, Copy, Debug)]
pub struct SetDesktopConsent {
    /// Which desktop.
    pub desktop: DeviceId,
    /// What it may.
    pub may: DesktopConsent,
}

/// Ends the relay for a desktop: seals a last notice, and wipes the session and all that waits, in one step. Nothing is sealed for it from then on. One that has become a companion
/// ([`Ended`](RelayError::Ended)) is let go with [`RemoveCompanion`](crate::RemoveCompanion).
///
/// The output is the notice, if a session could carry it: send it, and again whenever the desktop sends something ([`FromDesktop::Ended`](crate::FromDesktop::Ended) has it).
///
/// # Errors
/// [`RelayError::NotPaired`], [`Ended`](RelayError::Ended), [`Random`](RelayError::Random), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "The end".
#[derive(Clone, Copy, Debug)]
pub struct DetachDesktop {
    /// Which desktop.
    pub desktop: DeviceId,
}

/// Tells a desktop what became of its request: that the transport has taken it, that a receipt came, what a query has found.
///
/// # Errors
/// [`RelayError::NotPaired`], [`TooLate`](RelayError::TooLate) where the request is not among the last 256 or was refused, [`Full`](RelayError::Full), [`Suspended`](RelayError::Suspended),
/// [`Ended`](RelayError::Ended), [`Send`](RelayError::Send), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "Requests".
#[derive(Clone, Copy, Debug)]
pub struct TellDesktop<'a> {
    /// Which desktop.
    pub desktop: DeviceId,
    /// About which of its requests.
    pub request: RequestNumber,
    /// What.
    pub news: News<'a>,
}

/// What a desktop is told of its request.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum News<'a> {
    /// The transport has taken the message.
    Relayed,
    /// The recipient has it.
    Delivered,
    /// The recipient's user has seen it.
    Read,
    /// What a query has found, or a part of it; up to 1,036,288 B.
    Found(&'a [u8]),
}

impl fmt::Debug for News<'_> {
    /// Shows lengths, not what was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relayed => f.write_str("Relayed"),
            Self::Delivered => f.write_str("Delivered"),
            Self::Read => f.write_str("Read"),
            Self::Found(text) => write!(f, "Found({} bytes)", text.len()),
        }
    }
}

/// Says which desktops this phone relays for, or did. Writes nothing.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DescribeDesktops;

/// How a relay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayStanding {
    /// Granted, or asked to join: the other end has not come yet, or not answered.
    Joining,
    /// Everything flows.
    Attached,
    /// Nothing flows until the phone's user renews the desktop.
    Lapsed,
    /// Nothing flows until the desktop joins anew.
    Suspended(Suspension),
    /// It has ended.
    Ended(EndOfRelay),
}

/// A desktop, as its phone knows it. One that was upgraded is [`Ended`](RelayStanding::Ended): what comes from it goes to [`RelayReceive`](crate::RelayReceive) first, and to
/// [`TakeFromDesktop`](crate::TakeFromDesktop) where that says that it is a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DesktopDescription {
    /// Which.
    pub desktop: DeviceId,
    /// Its identity key.
    pub key: IdentityKey,
    /// How its relay stands.
    pub standing: RelayStanding,
    /// What it may ask for.
    pub may: DesktopConsent,
    /// Until when it was renewed.
    pub good_until: UnixMillis,
    /// Frames that it has not acknowledged.
    pub waiting: u64,
    /// Events that it has missed and was not told of yet.
    pub missed: u64,
}

/// Says how the relay stands at this desktop. Writes nothing.
///
/// # Errors
/// [`RelayError::NotPaired`], [`Record`](RelayError::Record).
#[derive(Clone, Copy, Debug)]
pub struct DescribeRelay;

/// The relay, as its desktop knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayDescription {
    /// The phone.
    pub phone: Address,
    /// How the relay stands.
    pub standing: RelayStanding,
    /// Whether the phone answers: false after two asks in a row without an answer.
    pub reachable: bool,
    /// Until when the phone relays.
    pub good_until: UnixMillis,
    /// Requests that have no answer.
    pub waiting: u64,
}

/// Reads a desktop that has not ended; `None` where records are needed.
fn living(
    id: DeviceId,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Outbox>, RelayError> {
    let device = Device::read(have, context, needs)?;
    let mut slot = Desktop::read(id, have, context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    let phone = device.value.ok_or(RelayError::NotPaired)?.address;
    let desktop = slot.value.take().ok_or(RelayError::NotPaired)?;
    if let Phase::Ended(why) = desktop.phase {
        return Err(RelayError::Ended(why));
    }
    if desktop.upgraded_in().is_some() {
        let listed = desktop.is_listed(id, have, context, needs)?;
        if needs.is_empty() && listed.is_none() {
            return Err(RelayError::Ended(EndOfRelay::Detached));
        }
    }
    let line = Line::read(&Address::new(phone.account, id), have, context, needs)?;
    Ok(needs.is_empty().then(|| Outbox::new(id, slot, desktop, line)))
}

impl Outbox {
    /// That the desktop is none that has become a companion.
    fn is_relayed(&self) -> Result<(), RelayError> {
        match self.desktop.upgraded_in() {
            None => Ok(()),
            Some(_) => Err(RelayError::Ended(EndOfRelay::Upgraded)),
        }
    }
}

impl Sealed for RelayOutbox {}

impl Operation for RelayOutbox {
    type Output = Vec<Vec<u8>>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<Vec<u8>>>, RelayError> {
        let mut needs = Needs::new();
        let Some(outbox) = living(self.desktop, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        if let Phase::Suspended(why) = outbox.desktop.phase {
            return Err(RelayError::Suspended(why));
        }
        let first = outbox.desktop.acked.saturating_add(1);
        let end = outbox.desktop.next.min(first.saturating_add(WINDOW));
        let mut frames = Vec::new();
        for number in first..end {
            let kept = have.read::<Kept<'_>>(Kept::key(self.desktop, number), context, &mut needs)?;
            frames.extend(kept.value.map(|kept| kept.frame.to_vec()));
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(Vec::new(), frames)))
    }
}

impl Sealed for RenewDesktop {}

impl Operation for RenewDesktop {
    type Output = UnixMillis;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<UnixMillis>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut outbox) = living(self.desktop, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        // By the user's word the clock is right as well, whatever it was before.
        outbox.desktop.latest = context.now;
        outbox.desktop.told_over = UnixMillis(0);
        let good_until = context.now.plus(context.limits.list_window);
        outbox.desktop.good_until = good_until;
        Ok(Run::Done(Step::new(outbox.finish_apart(context), good_until)))
    }
}

impl Sealed for SetDesktopConsent {}

impl Operation for SetDesktopConsent {
    type Output = ();
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<()>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut outbox) = living(self.desktop, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        outbox.is_relayed()?;
        outbox.desktop.consent = self.may;
        if self.may == DesktopConsent::Never {
            outbox.desktop.offered = None;
        }
        Ok(Run::Done(Step::new(outbox.finish_apart(context), ())))
    }
}

impl Sealed for DetachDesktop {}

impl Operation for DetachDesktop {
    type Output = Option<Vec<u8>>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Option<Vec<u8>>>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut outbox) = living(self.desktop, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        outbox.is_relayed()?;
        let device = Device::read(have, context, &mut needs)?;
        let phone = device.value.ok_or(RelayError::NotPaired)?.address;
        let taken = outbox.desktop.taken;
        let last = taken.saturating_sub(MAX_REQUESTS - 1).max(1)..taken.saturating_add(1);
        let results = Seen::outcomes(self.desktop, last, have, context, &mut needs)?;
        let address = Address::new(phone.account, self.desktop);
        let ended = end_sessions(&address, have, context, &mut needs)?;
        outbox.forget(have, &mut needs);
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let why = EndOfRelay::Detached.to_byte();
        let notice = last_word(&mut outbox.line, &Down::Ended { why, taken, results }, taken, context)?;
        outbox.writes.extend(ended);
        outbox.desktop.phase = Phase::Ended(EndOfRelay::Detached);
        outbox.desktop.notice.clone_from(&notice);
        Ok(Run::Done(Step::new(outbox.finish_apart(context), notice)))
    }
}

impl Sealed for TellDesktop<'_> {}

impl Operation for TellDesktop<'_> {
    type Output = ForDesktop;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<ForDesktop>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut outbox) = living(self.desktop, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        outbox.is_relayed()?;
        if let Phase::Suspended(why) = outbox.desktop.phase {
            return Err(RelayError::Suspended(why));
        }
        let number = self.request.0;
        let mut slot = have.read::<Seen>(Seen::key(self.desktop, number), context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let seen = slot.value.take().filter(|seen| seen.outcome.number == number);
        let Seen { outcome, digest } = seen.ok_or(RelayError::TooLate)?;
        if matches!(outcome.state, RequestState::Refused(_) | RequestState::Unknown) {
            return Err(RelayError::TooLate);
        }
        let state = match self.news {
            News::Relayed => RequestState::Relayed,
            News::Delivered => RequestState::Delivered,
            News::Read => RequestState::Read,
            News::Found(_) if !outbox.has_room_for_events(1) => return Err(RelayError::Full),
            News::Found(text) => {
                outbox.append(&Numbered::Found { request: outcome.request, text }, context)?;
                outcome.state
            }
        };
        if state > outcome.state {
            let outcome = Outcome { state, ..outcome };
            outbox.writes.push(slot.write(Seen { outcome, digest }, context));
            outbox.append(&Numbered::Answer(outcome), context)?;
        }
        let (writes, frames) = outbox.finish(context);
        Ok(Run::Done(Step::new(
            writes,
            ForDesktop { desktop: self.desktop, frames, suspended: false, passed_on: false },
        )))
    }
}

impl Sealed for DescribeDesktops {}

impl Operation for DescribeDesktops {
    type Output = Vec<DesktopDescription>;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Self::Output>, RecordError> {
        let mut needs = Needs::new();
        let mut all = Vec::new();
        if let Some(Desktops { account, ids }) = Desktops::read(have, context, &mut needs)?.value {
            for id in ids {
                let slot = Desktop::read(id, have, context, &mut needs)?;
                let mut line = Line::read(&Address::new(account, id), have, context, &mut needs)?;
                let speaks = line.session().is_some();
                all.extend(slot.value.map(|desktop| desktop.describe(id, speaks, context)));
            }
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(Vec::new(), all)))
    }
}

impl Desktop {
    fn describe(&self, desktop: DeviceId, speaks: bool, context: &Context<'_>) -> DesktopDescription {
        DesktopDescription {
            desktop,
            key: self.key,
            standing: match self.phase {
                _ if self.upgraded_in().is_some() => RelayStanding::Ended(EndOfRelay::Upgraded),
                Phase::Granted(_) => RelayStanding::Joining,
                Phase::Attached if !speaks => RelayStanding::Suspended(Suspension::Session),
                Phase::Attached if self.is_over(context) => RelayStanding::Lapsed,
                Phase::Attached => RelayStanding::Attached,
                Phase::Suspended(why) => RelayStanding::Suspended(why),
                Phase::Ended(why) => RelayStanding::Ended(why),
            },
            may: self.consent,
            good_until: self.good_until,
            waiting: self.next.saturating_sub(1).saturating_sub(self.acked),
            missed: self.missed.count,
        }
    }
}

impl Sealed for DescribeRelay {}

impl Operation for DescribeRelay {
    type Output = RelayDescription;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<RelayDescription>, RelayError> {
        let mut needs = Needs::new();
        let Some(Desk { relay, phone, .. }) = Desk::read(have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let mut line = Line::read(&phone, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let speaks = line.session().is_some();
        let description = RelayDescription {
            phone,
            standing: match relay.phase {
                DesktopPhase::Joining | DesktopPhase::Attached if !speaks => {
                    RelayStanding::Suspended(Suspension::Session)
                }
                DesktopPhase::Joining => RelayStanding::Joining,
                DesktopPhase::Attached if relay.is_over(context) => RelayStanding::Lapsed,
                DesktopPhase::Attached => RelayStanding::Attached,
                DesktopPhase::Suspended(why) => RelayStanding::Suspended(why),
                DesktopPhase::Ended(why) => RelayStanding::Ended(why),
            },
            reachable: !relay.is_unreachable(),
            good_until: relay.good_until,
            waiting: relay.next.saturating_sub(relay.first),
        };
        Ok(Run::Done(Step::new(Vec::new(), description)))
    }
}
