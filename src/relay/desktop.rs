//! What a desktop takes from its phone.
//!
//! ```text
//! Joining ──status──▶ Attached ──superseded, a hole, a roll-back──▶ Suspended ──RejoinPhone──▶ Joining
//!                        │  ▲                                           (any: ended ──▶ Ended)
//!                 no status │ status
//!                 in time ▼ │
//!                        past its time: shows and sends nothing
//! ```

use alloc::{boxed::Box, vec::Vec};
use core::cmp::Ordering;

use super::{
    EndOfRelay, FrameNumber, RefusedRequest, RelayError, RequestId, RequestState, Suspension,
    ask::Desk,
    desktop_record::{Asked, AskedStage, Phase, Upgrading},
    frame::{Down, Link, Numbered, Outcome, Status},
    from_phone::{FromPhone, TakenFromPhone, Unsent},
};
use crate::{
    companion::{Joined, Offer, become_companion, check_offer},
    identity::Device,
    primitives::SecretBytes,
    session::{Line, OpenError, Origin, open_frame},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis, Write},
};

/// Frames after which the phone is to be told what was shown: half of what it sends before it waits for that.
const OWED: u8 = 16;

/// Takes what the phone has sent, and applies it in the same step.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `envelope` | 75 to 1,048,576 B | what came |
/// | out | [`TakenFromPhone`] | | what it said: keep it in this step's transaction |
///
/// Writes the session and the relay's record; an answer removes that of its request. Draws no randomness. Settles in four rounds.
///
/// # Errors
/// [`RelayError`]; nothing has changed then, and the same bytes can be tried again: [`Early`](RelayError::Early) ones after what is missing, and those that came while the relay
/// was [`Lapsed`](RelayError::Lapsed) once it was renewed.
///
/// # Spec
/// `docs/relay.md`, "At the desktop".
#[derive(Clone, Copy, Debug)]
pub struct TakeFromPhone<'a> {
    /// What came.
    pub envelope: &'a [u8],
}

impl Sealed for TakeFromPhone<'_> {}

impl Operation for TakeFromPhone<'_> {
    type Output = TakenFromPhone;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<TakenFromPhone>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut desk) = Desk::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        if let Phase::Ended(why) = desk.relay.phase {
            return Err(RelayError::Ended(why));
        }
        let places = Places::ask_ahead(&desk, have, &mut needs);
        let Step { mut writes, output: mut opened } =
            match open_frame(&desk.phone, self.envelope, None, have, context)
                .map_err(|error| desk.no_frame(error))?
            {
                Run::Needs(more) => {
                    needs.add_all(&more);
                    return Ok(Run::Needs(needs));
                }
                Run::Done(step) => step,
            };
        let (_, frame) = Down::decode(&opened.text)?;
        // The end counts in whatever session it comes: the phone may not have met a newer one.
        if opened.session != desk.relay.session && !matches!(frame, Down::Ended { .. }) {
            writes.extend(opened.line.write(context));
            return Ok(Run::Done(Step::new(writes, TakenFromPhone { said: FromPhone::Late, owes: false })));
        }
        let link = Link::to(self.envelope);
        let mut taking = Taking { desk: &mut desk, link, places, have, needs, writes: Vec::new() };
        let said = match frame {
            Down::Status(status) => taking.status(&status, context)?,
            Down::Numbered(place, numbered) => match (taking.place(place, context)?, numbered) {
                (Place::Shown, _) => FromPhone::Late,
                (Place::BehindAnother, _) => taking.suspend(Suspension::PhoneWentBack),
                (Place::Next(number), Numbered::Upgraded { certificate, list }) => {
                    let said = taking.upgraded(number, (certificate, list), &mut opened.line, context)?;
                    if !taking.needs.is_empty() {
                        return Ok(Run::Needs(taking.needs));
                    }
                    writes.extend(taking.writes);
                    writes.extend(opened.line.write(context));
                    writes.push(desk.write(context));
                    return Ok(Run::Done(Step::new(writes, TakenFromPhone { said, owes: true })));
                }
                (Place::Next(number), numbered) => taking.numbered(number, &numbered, context)?,
            },
            Down::Superseded => {
                taking.desk.is_joined()?;
                taking.desk.suspend(Suspension::TakenOver);
                FromPhone::Suspended(Suspension::TakenOver)
            }
            Down::Ended { why, taken, results } => {
                let why = match EndOfRelay::from_byte(why) {
                    Some(EndOfRelay::Left) => EndOfRelay::Left,
                    Some(EndOfRelay::Detached | EndOfRelay::Upgraded) | None => EndOfRelay::Detached,
                };
                let (settled, never_sent) = taking.settle_end(taken, &results, context)?;
                let mut needs = taking.needs;
                let ended = desk.end(why, have, context, &mut needs)?;
                if !needs.is_empty() {
                    return Ok(Run::Needs(needs));
                }
                // The session that opened this ends with it: what opening would have written gives way.
                let said = FromPhone::Ended { why, settled, never_sent };
                return Ok(Run::Done(Step::new(ended.writes, TakenFromPhone { said, owes: false })));
            }
        };
        if !taking.needs.is_empty() {
            return Ok(Run::Needs(taking.needs));
        }
        writes.extend(taking.writes);
        writes.extend(opened.line.write(context));
        (desk.relay.unanswered, desk.relay.unheard) = (0, 0);
        let owes = desk.relay.owed >= OWED;
        writes.push(desk.write(context));
        Ok(Run::Done(Step::new(writes, TakenFromPhone { said, owes })))
    }
}

impl Desk {
    /// A message of the phone's is for the companion that this desktop is about to become. One that binds something does not open here at all.
    fn no_frame(&self, error: OpenError) -> RelayError {
        let bound =
            matches!(error, OpenError::NotAuthentic | OpenError::OutOfStep) && self.relay.has_accepted();
        if bound || error == OpenError::NotEntitled { RelayError::NoFrame } else { RelayError::Frame(error) }
    }
}

/// What became of requests.
type Settled = Vec<(RequestId, RequestState)>;

/// Where requests stand that have no answer.
struct Places(core::ops::Range<u64>);

impl Places {
    /// Asks for those that what came may be about.
    fn ask_ahead(desk: &Desk, have: &Loaded, needs: &mut Needs) -> Self {
        let all = desk.open_places();
        let about = if desk.relay.phase == Phase::Joining { usize::MAX } else { 2 };
        for place in all.clone().take(about) {
            have.slot::<Asked<'_>>(Asked::key(place), needs);
        }
        Self(all)
    }
}

/// Where a numbered frame stands.
enum Place {
    /// It was shown.
    Shown,
    Next(FrameNumber),
    /// It would be next, and is told behind another frame than the one that was shown: the phone's store went back.
    BehindAnother,
}

/// A frame on its way into the desktop's records.
struct Taking<'a> {
    desk: &'a mut Desk,
    /// Names the frame.
    link: Link,
    places: Places,
    have: &'a Loaded,
    needs: Needs,
    writes: Vec<Write>,
}

impl Taking<'_> {
    fn read(&mut self, place: u64, context: &Context<'_>) -> Result<Slot<Asked<'_>>, RelayError> {
        Ok(self.have.read(Asked::key(place), context, &mut self.needs)?)
    }

    fn suspend(&mut self, why: Suspension) -> FromPhone {
        self.desk.suspend(why);
        FromPhone::Suspended(why)
    }

    fn status(&mut self, status: &Status, context: &Context<'_>) -> Result<FromPhone, RelayError> {
        self.desk.is_joined()?;
        let relay = &mut self.desk.relay;
        // Counted from the question, so that this end is over before the phone's.
        let asked_at = status.at.min(relay.asked_at);
        let good_until = match status.good_for {
            0 => UnixMillis(asked_at.0.saturating_sub(1)),
            good_for => asked_at.plus(good_for),
        };
        let answers = (relay.heard.saturating_add(1)..=relay.asked).contains(&status.nonce);
        let renews = answers && relay.is_over(context) && relay.now(context) <= good_until;
        let next = relay.shown.saturating_add(1);
        let missing = status.from <= next && next < status.next;
        if missing && relay.phase == Phase::Attached && status.suspended.is_none() && !renews {
            // A status that was taken before what waits would turn the session on, and what waits would open no more.
            return Err(RelayError::Early { next: FrameNumber(next) });
        }
        if !answers {
            return Ok(FromPhone::Late);
        }
        relay.heard = status.nonce;
        relay.good_until = good_until;
        if let Some(why) = status.suspended {
            return Ok(self.suspend(why));
        }
        let joined = relay.phase == Phase::Joining;
        let mut settled = Vec::new();
        if joined {
            relay.phase = Phase::Attached;
            relay.lacks = false;
            relay.shown = status.from.saturating_sub(1);
            // A later status names a frame that is still to come.
            relay.link = if status.from == status.next { status.link } else { Link::default() };
            relay.owed = 0;
            relay.number = relay.number.max(status.taken.saturating_add(1));
            relay.answered = relay.number.saturating_sub(1);
            settled = self.settle_sent(&status.results, context)?;
            let relay = &mut self.desk.relay;
            match relay.upgrading {
                Upgrading::Accepted(number) => {
                    let result = status.results.iter().find(|outcome| outcome.number == number);
                    let state = result.map_or(RequestState::Unknown, |outcome| outcome.state);
                    relay.hear_of_acceptance(number, state);
                }
                Upgrading::No | Upgrading::Offered(_) => relay.upgrading = Upgrading::No,
            }
        } else if status.from > relay.shown.saturating_add(1) || status.taken >= relay.number {
            // The phone remembers more of this desktop than it does itself.
            return Ok(self.suspend(Suspension::DesktopWentBack));
        } else if status.next == next && !relay.link.is(status.link) {
            return Ok(self.suspend(Suspension::PhoneWentBack));
        }
        Ok(FromPhone::Status { good_until: self.desk.relay.good_until, joined, settled })
    }

    /// What became of each request that has gone out; those that have not stay queued.
    fn settle_sent(&mut self, results: &[Outcome], context: &Context<'_>) -> Result<Settled, RelayError> {
        let mut settled = Vec::new();
        let mut first = self.places.0.end;
        for place in self.places.0.clone() {
            let slot: Slot<Asked<'_>> = self.have.read(Asked::key(place), context, &mut self.needs)?;
            match &slot.value {
                Some(Asked { id, stage: AskedStage::Sent { number, .. } }) => {
                    let known = Outcome::of(results, *number, *id);
                    let state = known.unwrap_or(RequestState::Unknown);
                    settled.push((*id, state));
                    self.desk.relay.hear_of_acceptance(*number, state);
                    self.writes.extend(slot.delete());
                }
                Some(Asked { stage: AskedStage::Queued { .. }, .. }) => first = first.min(place),
                Some(Asked { stage: AskedStage::Cancelled, .. }) | None => {}
            }
        }
        self.desk.relay.first = first;
        Ok(settled)
    }

    fn settle_end(
        &mut self,
        taken: u64,
        results: &[Outcome],
        context: &Context<'_>,
    ) -> Result<(Settled, Vec<RequestId>), RelayError> {
        let (mut settled, mut never_sent) = (Vec::new(), Vec::new());
        for place in self.places.0.clone() {
            let slot = self.read(place, context)?;
            match &slot.value {
                Some(Asked { id, stage: AskedStage::Sent { number, .. } }) => {
                    match Outcome::of(results, *number, *id) {
                        Some(state) => settled.push((*id, state)),
                        None if *number > taken => never_sent.push(*id),
                        None => settled.push((*id, RequestState::Unknown)),
                    }
                }
                Some(Asked { id, stage: AskedStage::Queued { .. } }) => never_sent.push(*id),
                Some(Asked { stage: AskedStage::Cancelled, .. }) | None => {}
            }
        }
        Ok((settled, never_sent))
    }

    fn numbered(
        &mut self,
        number: FrameNumber,
        numbered: &Numbered<'_>,
        context: &Context<'_>,
    ) -> Result<FromPhone, RelayError> {
        let text = |text: &[u8]| SecretBytes::new(text.to_vec());
        let said = match numbered {
            &Numbered::Event { at, origin: Origin::Peer { from, message, shared }, text: said } => {
                FromPhone::Event { number, at, from, message, shared, text: text(said) }
            }
            &Numbered::Event { at, origin: Origin::Own { to, shared }, text: said } => {
                FromPhone::OwnSent { number, at, to, shared, text: text(said) }
            }
            &Numbered::Gap { count, first, last } => FromPhone::Gap { number, missed: count, first, last },
            &Numbered::Found { request, text: found } => {
                FromPhone::Found { number, request, text: text(found) }
            }
            Numbered::Offer { request, offer } => {
                let kept = self.offered(offer, context)?;
                if kept { FromPhone::Offered { number, request: *request } } else { FromPhone::Late }
            }
            // Taken by itself.
            Numbered::Upgraded { .. } => return Ok(FromPhone::Late),
            Numbered::Answer(outcome) => {
                if !self.answer(outcome, context)? {
                    return Ok(self.suspend(Suspension::DesktopWentBack));
                }
                FromPhone::Answer { number, request: outcome.request, state: outcome.state }
            }
        };
        self.shown(number);
        Ok(said)
    }

    /// Where a frame of this number stands, which is told behind the one that `link` names.
    fn place(&self, (number, link): (u64, Link), context: &Context<'_>) -> Result<Place, RelayError> {
        self.desk.is_attached(context)?;
        let next = self.desk.relay.shown.saturating_add(1);
        match number.cmp(&next) {
            Ordering::Less => Ok(Place::Shown),
            Ordering::Equal if !self.desk.relay.link.is(link) => Ok(Place::BehindAnother),
            Ordering::Equal => Ok(Place::Next(FrameNumber(number))),
            Ordering::Greater => Err(RelayError::Early { next: FrameNumber(next) }),
        }
    }

    fn shown(&mut self, FrameNumber(number): FrameNumber) {
        self.desk.relay.shown = number;
        self.desk.relay.sure = number;
        self.desk.relay.link = self.link;
        self.desk.relay.owed = self.desk.relay.owed.saturating_add(1);
    }

    /// Keeps the phone's offer, until the app accepts it. False: it has accepted one before, and waits for the answer.
    fn offered(&mut self, offer: &Offer, context: &Context<'_>) -> Result<bool, RelayError> {
        let device = Device::read(self.have, context, &mut self.needs)?;
        let phone = Line::read(&self.desk.phone, self.have, context, &mut self.needs)?;
        if !self.needs.is_empty() {
            return Ok(false);
        }
        let device = device.value.ok_or(RelayError::NotPaired)?;
        let account_key = phone.pinned_key().ok_or(RelayError::NotPaired)?;
        check_offer(offer, &account_key, &device)?;
        let kept = !self.desk.relay.has_accepted();
        if kept {
            self.desk.relay.upgrading = Upgrading::Offered(offer.clone());
        }
        Ok(kept)
    }

    /// The account's list names this desktop: in one step it is a companion, and what it has not asked its phone for is its own to do. Of no use while anything is needed.
    fn upgraded(
        &mut self,
        number: FrameNumber,
        (certificate, list): (&[u8], &[u8]),
        line: &mut Line,
        context: &Context<'_>,
    ) -> Result<FromPhone, RelayError> {
        let (mut settled, mut unsent) = (Vec::new(), Vec::new());
        for place in self.places.0.clone() {
            let slot = self.have.read::<Asked<'_>>(Asked::key(place), context, &mut self.needs)?;
            self.writes.extend(slot.delete());
            match slot.value.map(|asked| (asked.id, asked.stage)) {
                // What has gone out and has no answer before this frame the phone has not done, and refuses.
                Some((id, AskedStage::Sent { kind, not_after, body, .. }))
                | Some((id, AskedStage::Queued { kind, not_after, body })) => {
                    match Unsent::read(id, kind, not_after, body) {
                        Some(one) => unsent.push(one),
                        None => settled.push((id, RequestState::Refused(RefusedRequest::Upgraded))),
                    }
                }
                Some((_, AskedStage::Cancelled)) | None => {}
            }
        }
        let device = Device::read(self.have, context, &mut self.needs)?;
        if !self.needs.is_empty() {
            return Ok(FromPhone::Late);
        }
        let address = device.value.ok_or(RelayError::NotPaired)?.address;
        let account_key = line.pinned_key().ok_or(RelayError::NotPaired)?;
        let named = (certificate, list);
        let (list, account) =
            become_companion(named, &account_key, &address, self.have, context, &mut self.needs)?;
        line.stamp_from_now_on();
        self.writes.push(account);
        self.shown(number);
        let relay = &mut self.desk.relay;
        relay.phase = Phase::Ended(EndOfRelay::Upgraded);
        relay.first = relay.next;
        relay.upgrading = Upgrading::No;
        let joined = Box::new(Joined { address, account_key, list, certificate: certificate.to_vec() });
        Ok(FromPhone::Upgraded { number, joined, settled, unsent })
    }

    /// The first place from here on of a request that was not taken back; the places before it are free.
    fn past_cancelled(&mut self, from: u64, context: &Context<'_>) -> Result<u64, RelayError> {
        for place in from..self.places.0.end {
            let slot = self.read(place, context)?;
            let delete = slot.delete().filter(|_| slot.value.is_some_and(|asked| asked.is_cancelled()));
            match delete {
                Some(delete) => self.writes.push(delete),
                None => return Ok(place),
            }
        }
        Ok(self.places.0.end.max(from))
    }

    /// Takes the answer to the first request that has none, or a later word on one that has. False: this desktop does not know the request.
    fn answer(&mut self, outcome: &Outcome, context: &Context<'_>) -> Result<bool, RelayError> {
        if outcome.number <= self.desk.relay.answered {
            return Ok(true);
        }
        let cancelled = match self.places.0.clone().next() {
            Some(first) => self.read(first, context)?.value.is_some_and(|asked| asked.is_cancelled()),
            None => false,
        };
        if cancelled {
            // The one that is answered stands behind: all are asked for at once.
            for place in self.places.0.clone() {
                self.have.slot::<Asked<'_>>(Asked::key(place), &mut self.needs);
            }
        }
        for place in self.places.0.clone() {
            let slot = self.read(place, context)?;
            let delete = slot.delete();
            match slot.value.map(|asked| (asked.id, asked.stage)) {
                Some((id, AskedStage::Sent { number, .. }))
                    if (number, id) == (outcome.number, outcome.request) =>
                {
                    self.writes.extend(delete);
                    self.desk.relay.answered = number;
                    self.desk.relay.hear_of_acceptance(number, outcome.state);
                    self.desk.relay.first = self.past_cancelled(place.saturating_add(1), context)?;
                    return Ok(true);
                }
                Some((_, AskedStage::Cancelled)) => self.writes.extend(delete),
                Some((_, AskedStage::Sent { .. } | AskedStage::Queued { .. })) => break,
                // Not loaded yet: the answer is looked at again then.
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}
