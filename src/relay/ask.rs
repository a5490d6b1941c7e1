//! What a desktop says of itself to its phone: that it is there, what it has shown, that it joins anew, that it leaves.

use alloc::vec::Vec;

use super::{
    EndOfRelay, RelayError, Suspension,
    desktop_record::{Asked, Phase, Relay, Upgrading},
    frame::{Link, MAX_REQUESTS, Up},
};
use crate::{
    identity::{Address, DeviceId},
    prekey::VerifiedBundle,
    session::{Line, Restart, SendError, end_sessions},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, Write},
};

/// Asks the phone how it stands: at each start of this desktop's app, every minute or so while it is open, and where nothing has come for long. Two asks in a row without an
/// answer say that the phone is unreachable.
///
/// The output is the frame for the phone. Writes two records. Draws what a send draws.
///
/// # Errors
/// [`RelayError::NotPaired`], [`Suspended`](RelayError::Suspended), [`Ended`](RelayError::Ended), [`Send`](RelayError::Send), [`Record`](RelayError::Record);
/// [`Unreachable`](RelayError::Unreachable) where the phone was not heard for 300 frames and was asked within the hour, or for 360 and within the day: more could end the session.
///
/// # Spec
/// `docs/relay.md`, "At the desktop".
#[derive(Clone, Copy, Debug)]
pub struct AskPhone;

/// Tells the phone what was shown, so that it lets that go and sends more: when [`owes`](crate::TakenFromPhone::owes) says so, and after the last of what came at once.
///
/// The output is the frame for the phone. Writes two records. Draws what a send draws.
///
/// # Errors
/// As of [`AskPhone`], and [`RelayError::Joining`], [`Lapsed`](RelayError::Lapsed); [`Unreachable`](RelayError::Unreachable) from 300 frames on.
///
/// # Spec
/// `docs/relay.md`, "At the desktop".
#[derive(Clone, Copy, Debug)]
pub struct AckPhone;

/// Joins anew, in another session: where the relay is suspended, where the phone does not answer although it is there, or where the user wants this machine in place of
/// another with the same store. What was under way is settled by the phone's answer: a gap for what did not come, and what became of each request.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`VerifiedBundle`] | the phone's, fetched now |
/// | out | `Vec<u8>` | the frame for the phone |
///
/// # Errors
/// [`RelayError::NotPaired`], [`Ended`](RelayError::Ended), [`Start`](RelayError::Start), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "Joining anew".
#[derive(Clone, Copy, Debug)]
pub struct RejoinPhone<'a> {
    /// The phone's bundle.
    pub bundle: &'a VerifiedBundle,
}

/// Ends the relay from the desktop's side, whether or not the phone can be told. Send the frame, and delete what the store holds.
///
/// The output is the frame for the phone, if a session could carry it.
///
/// # Errors
/// [`RelayError::NotPaired`], [`Ended`](RelayError::Ended), [`Random`](RelayError::Random), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "The end".
#[derive(Clone, Copy, Debug)]
pub struct LeavePhone;

/// The desktop's end as it is changed within one step.
pub(super) struct Desk {
    slot: Slot<Relay>,
    pub(super) relay: Relay,
    pub(super) phone: Address,
}

impl Desk {
    /// `None` where records are needed.
    pub(super) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, RelayError> {
        let mut slot = Relay::read(have, context, needs)?;
        if !needs.is_empty() {
            return Ok(None);
        }
        let relay = slot.value.take().ok_or(RelayError::NotPaired)?;
        let phone = Address::new(relay.account, DeviceId::PHONE);
        Ok(Some(Self { slot, relay, phone }))
    }

    /// That the relay has not ended, and is not suspended.
    pub(super) fn is_joined(&self) -> Result<(), RelayError> {
        match self.relay.phase {
            Phase::Attached | Phase::Joining => Ok(()),
            Phase::Suspended(why) => Err(RelayError::Suspended(why)),
            Phase::Ended(why) => Err(RelayError::Ended(why)),
        }
    }

    /// That it is attached and not past its time.
    pub(super) fn is_attached(&self, context: &Context<'_>) -> Result<(), RelayError> {
        self.is_joined()?;
        if self.relay.phase == Phase::Joining {
            return Err(RelayError::Joining);
        }
        if self.relay.is_over(context) {
            return Err(RelayError::Lapsed { expired_at: self.relay.good_until });
        }
        Ok(())
    }

    /// Seals a frame that has no number.
    pub(super) fn say(
        &mut self,
        frame: &Up<'_>,
        line: &mut Line,
        context: &mut Context<'_>,
    ) -> Result<Vec<u8>, RelayError> {
        if self.relay.has_spoken_much() {
            return Err(RelayError::Unreachable);
        }
        self.relay.owed = 0;
        self.relay.unheard = self.relay.unheard.saturating_add(1);
        Ok(line.seal(&frame.encode(self.relay.shown), context)?)
    }

    pub(super) fn write(mut self, context: &Context<'_>) -> Write {
        self.relay.latest = self.relay.now(context);
        self.slot.write(self.relay, context)
    }

    /// Lets all requests go that have no answer: their places.
    pub(super) fn open_places(&self) -> core::ops::Range<u64> {
        self.relay.first..self.relay.next
    }
}

/// Makes the next ask: what has no answer, and what was shown.
fn ask(relay: &mut Relay, line: &mut Line, context: &mut Context<'_>) -> Result<Vec<u8>, SendError> {
    relay.asked = relay.asked.saturating_add(1);
    relay.asked_at = relay.now(context);
    relay.unanswered = relay.unanswered.saturating_add(1);
    relay.unheard = relay.unheard.saturating_add(1);
    relay.owed = 0;
    let unanswered = relay.answered.saturating_add(1);
    let first = match relay.upgrading {
        // What became of the acceptance is asked for until it is known what followed.
        Upgrading::Accepted(number) => number.min(unanswered),
        Upgrading::No | Upgrading::Offered(_) => unanswered,
    };
    let (nonce, at, next, lacks) = (relay.asked, relay.asked_at, relay.number, relay.lacks);
    let first = first.max(next.saturating_sub(MAX_REQUESTS));
    // Where it joins, what was passed over is told again; what stands before that has no name.
    let has_passed_over = relay.phase == Phase::Joining && relay.sure != relay.shown;
    let (shown, link) =
        if has_passed_over { (relay.sure, Link::default()) } else { (relay.shown, relay.link) };
    let frame = Up::Ask { nonce, at, first, next, link, lacks };
    line.seal(&frame.encode(shown), context)
}

/// The first ask in a session that was just started, and the write of that session.
pub(super) fn first_ask(
    relay: &mut Relay,
    mut line: Line,
    context: &mut Context<'_>,
) -> Result<(Vec<u8>, Vec<Write>), SendError> {
    relay.phase = Phase::Joining;
    relay.unheard = 0;
    relay.session = line.session().ok_or(SendError::NoSession)?;
    let frame = ask(relay, &mut line, context)?;
    Ok((frame, line.write(context).into_iter().collect()))
}

impl Sealed for AskPhone {}

impl Operation for AskPhone {
    type Output = Vec<u8>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, RelayError> {
        speak(have, context, |desk, line, context| {
            desk.is_joined()?;
            if desk.relay.now(context) < desk.relay.may_ask_from() {
                return Err(RelayError::Unreachable);
            }
            Ok(ask(&mut desk.relay, line, context)?)
        })
    }
}

impl Sealed for AckPhone {}

impl Operation for AckPhone {
    type Output = Vec<u8>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, RelayError> {
        speak(have, context, |desk, line, context| {
            // One that has become a companion owes its last word.
            if desk.relay.phase != Phase::Ended(EndOfRelay::Upgraded) {
                desk.is_attached(context)?;
            }
            desk.say(&Up::Ack, line, context)
        })
    }
}

/// Says something that changes nothing but the session and what is known of the phone.
fn speak(
    have: &Loaded,
    context: &mut Context<'_>,
    say: impl FnOnce(&mut Desk, &mut Line, &mut Context<'_>) -> Result<Vec<u8>, RelayError>,
) -> Result<Run<Vec<u8>>, RelayError> {
    let mut needs = Needs::new();
    let Some(mut desk) = Desk::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
    let mut line = Line::read(&desk.phone, have, context, &mut needs)?;
    if !needs.is_empty() {
        return Ok(Run::Needs(needs));
    }
    let frame = say(&mut desk, &mut line, context)?;
    let writes = line.write(context).into_iter().chain([desk.write(context)]).collect();
    Ok(Run::Done(Step::new(writes, frame)))
}

impl Sealed for RejoinPhone<'_> {}

impl Operation for RejoinPhone<'_> {
    type Output = Vec<u8>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut desk) = Desk::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        if let Phase::Ended(why) = desk.relay.phase {
            return Err(RelayError::Ended(why));
        }
        if *self.bundle.address() != desk.phone {
            return Err(RelayError::NotPaired);
        }
        let Step { mut writes, .. } = match (Restart { bundle: self.bundle }).run(have, context)? {
            Run::Needs(more) => return Ok(Run::Needs(more)),
            Run::Done(step) => step,
        };
        let line = Line::after(&mut writes, &desk.phone, context)?.ok_or(SendError::NoSession)?;
        let (frame, changed) = first_ask(&mut desk.relay, line, context)?;
        writes.extend(changed);
        writes.push(desk.write(context));
        Ok(Run::Done(Step::new(writes, frame)))
    }
}

impl Sealed for LeavePhone {}

impl Operation for LeavePhone {
    type Output = Option<Vec<u8>>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Self::Output>, RelayError> {
        let mut needs = Needs::new();
        let Some(desk) = Desk::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        if let Phase::Ended(why) = desk.relay.phase {
            return Err(RelayError::Ended(why));
        }
        let mut line = Line::read(&desk.phone, have, context, &mut needs)?;
        let ended = desk.end(EndOfRelay::Left, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let bye = match line.seal(&Up::Bye.encode(ended.shown), context) {
            Ok(frame) => Some(frame),
            Err(SendError::Random(error)) => return Err(error.into()),
            Err(_) => None,
        };
        Ok(Run::Done(Step::new(ended.writes, bye)))
    }
}

/// The writes that end a relay at the desktop.
pub(super) struct EndedDesk {
    shown: u64,
    pub(super) writes: Vec<Write>,
}

impl Desk {
    /// Ends the relay: the session, and what waits. Of no use while anything is needed.
    pub(super) fn end(
        mut self,
        why: EndOfRelay,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<EndedDesk, RelayError> {
        let mut writes = end_sessions(&self.phone, have, context, needs)?;
        for place in self.open_places() {
            let slot = have.slot::<Asked<'_>>(Asked::key(place), needs);
            writes.extend(slot.delete());
        }
        self.relay.phase = Phase::Ended(why);
        self.relay.first = self.relay.next;
        let shown = self.relay.shown;
        writes.push(self.write(context));
        Ok(EndedDesk { shown, writes })
    }

    /// Notes that the relay is suspended.
    pub(super) fn suspend(&mut self, why: Suspension) {
        self.relay.phase = Phase::Suspended(why);
        self.relay.lacks |= why == Suspension::PhoneWentBack;
    }
}
