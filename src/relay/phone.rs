//! What a phone takes from its desktops.
//!
//! ```text
//! Granted ──first ask──▶ Attached ──more acknowledged than sent, another request at a used number, a broken session──▶ Suspended
//!                          ▲  └───────────────── an ask in a new session, with the user's word ─────────────────────────┘
//!              RenewDesktop│                                              (any: DetachDesktop, a bye, no renewal in time ──▶ Ended)
//!                  past its time: requests wait, events are counted
//! ```

use alloc::vec::Vec;

use super::{
    EndOfRelay, RelayError, RequestNumber, Suspension,
    frame::{Down, Numbered, Outcome, Status, Up},
    from_desktop::{FromDesktop, Verdict, Wanted},
    outbox::Outbox,
    phone_record::{Desktop, Kept, Phase, Seen, Upgraded},
    phone_request::{Asking, digest},
};
use crate::{
    identity::{Address, Device, DeviceId},
    session::{Arrival, Line, OpenError, OpenedFrame, SendError, end_sessions, open_frame},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis},
    wire::SessionId,
};

/// Takes what a desktop has sent, and does what it says in the same step: one request is done once, however often it comes.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`DeviceId`] | | the desktop, by the transport's word |
/// | in | `envelope` | 75 to 1,048,576 B | what came |
/// | in | [`Verdict`] | | the user's word, where this was run before and asked for it |
/// | out | [`FromDesktop`] | | what it was, and what goes out |
///
/// A request to send costs what a message to an account costs, and an answer. Settles in seven rounds.
///
/// # Errors
/// [`RelayError`]; nothing has changed then, and the same bytes can be tried again.
///
/// # Spec
/// `docs/relay.md`, "At the phone".
#[derive(Clone, Copy, Debug)]
pub struct TakeFromDesktop<'a> {
    /// From which desktop.
    pub desktop: DeviceId,
    /// What came.
    pub envelope: &'a [u8],
    /// The user's word.
    pub verdict: Option<Verdict>,
}

impl Sealed for TakeFromDesktop<'_> {}

impl Operation for TakeFromDesktop<'_> {
    type Output = FromDesktop;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<FromDesktop>, RelayError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let mut slot = Desktop::read(self.desktop, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let phone = device.value.ok_or(RelayError::NotPaired)?.address;
        let desktop = slot.value.take().ok_or(RelayError::NotPaired)?;
        if let Phase::Ended(_) = desktop.phase {
            return Ok(Run::Done(Step::new(Vec::new(), FromDesktop::Ended { notice: desktop.notice })));
        }
        let address = Address::new(phone.account, self.desktop);
        let upgraded = desktop.upgraded_in().is_some();
        let removed = upgraded && desktop.is_listed(self.desktop, have, context, &mut needs)?.is_none();
        if removed {
            return let_go(self.desktop, slot, desktop, &address, have, context, needs);
        }
        let no_frame = |error| match error == OpenError::NotEntitled && upgraded {
            true => RelayError::NoFrame,
            false => RelayError::Frame(error),
        };
        let opened =
            match open_frame(&address, self.envelope, Some(desktop.key), have, context).map_err(no_frame)? {
                Run::Needs(more) => {
                    needs.add_all(&more);
                    return Ok(Run::Needs(needs));
                }
                Run::Done(step) => step,
            };
        let Step { writes, output: OpenedFrame { line, text, session, arrival } } = opened;
        let mut outbox = Outbox::new(self.desktop, slot, desktop, line);
        outbox.writes = writes;
        let taking = Taking { take: self, phone, have, needs };
        taking.take(&mut outbox, &text, (session, arrival), context)
    }
}

/// Ends the relay of a companion that the account's list names no more; its sessions have ended with its removal.
fn let_go(
    id: DeviceId,
    slot: Slot<Desktop>,
    desktop: Desktop,
    address: &Address,
    have: &Loaded,
    context: &Context<'_>,
    mut needs: Needs,
) -> Result<Run<FromDesktop>, RelayError> {
    let line = Line::read(address, have, context, &mut needs)?;
    let mut outbox = Outbox::new(id, slot, desktop, line);
    outbox.forget(have, &mut needs);
    if !needs.is_empty() {
        return Ok(Run::Needs(needs));
    }
    outbox.desktop.phase = Phase::Ended(EndOfRelay::Detached);
    outbox.desktop.notice = None;
    outbox.desktop.upgraded = None;
    Ok(Run::Done(Step::new(outbox.finish_apart(context), FromDesktop::Ended { notice: None })))
}

/// A desktop's frame on its way into the phone's records.
pub(super) struct Taking<'a> {
    pub(super) take: &'a TakeFromDesktop<'a>,
    pub(super) phone: Address,
    pub(super) have: &'a Loaded,
    pub(super) needs: Needs,
}

impl Taking<'_> {
    fn take(
        mut self,
        outbox: &mut Outbox,
        text: &[u8],
        (session, arrival): (SessionId, Arrival),
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let (shown, frame) = Up::decode(text)?;
        if matches!(arrival, Arrival::Archived | Arrival::NewArchived) {
            let notice = outbox.desktop.notice.clone();
            let (writes, _) = outbox.finish(context);
            return Ok(Run::Done(Step::new(writes, FromDesktop::Late { notice })));
        }
        // Only the pinned key makes a session: the desktop can leave before it was let in.
        if let Up::Bye = frame {
            return self.leave(outbox, context);
        }
        if session != outbox.desktop.session {
            let Up::Ask { nonce, at, first, next, link, lacks } = frame else {
                return Err(RelayError::EarlyRequest {
                    next: RequestNumber(outbox.desktop.taken.saturating_add(1)),
                });
            };
            outbox.desktop.session = session;
            // As much was told as was shown, and not the same: this store went back.
            let last = shown.saturating_add(1) == outbox.desktop.next;
            let lacks = lacks || last && !link.is(outbox.desktop.link);
            return self.join(outbox, (shown, lacks), (nonce, at), first..next, context);
        }
        if let Phase::Suspended(why) = outbox.desktop.phase
            && !matches!(frame, Up::Ask { .. })
        {
            return Err(RelayError::Suspended(why));
        }
        if outbox.line.session().is_none() {
            // This phone came back from a backup: its end of the session opens, and says nothing.
            outbox.desktop.phase = Phase::Suspended(Suspension::Session);
            let (writes, _) = outbox.finish(context);
            return Ok(Run::Done(Step::new(writes, FromDesktop::Suspended(Suspension::Session))));
        }
        self.acknowledge(outbox, shown, context)?;
        let results = match &frame {
            Up::Ask { first, next, .. } => {
                Seen::outcomes(self.take.desktop, *first..*next, self.have, context, &mut self.needs)?
            }
            Up::Ack | Up::Bye | Up::Request { .. } => Vec::new(),
        };
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        match frame {
            Up::Ask { nonce, at, .. } => self.status(outbox, (nonce, at), results, context),
            _ if outbox.desktop.phase == Phase::Suspended(Suspension::PhoneWentBack) => {
                let (writes, _) = outbox.finish(context);
                Ok(Run::Done(Step::new(writes, FromDesktop::Suspended(Suspension::PhoneWentBack))))
            }
            Up::Request { number, id, body, text, .. } if number <= outbox.desktop.taken => {
                self.repeated(outbox, number, digest(id, body.kind(), text), context)
            }
            Up::Request { number, id, not_after, body, text } => {
                let next = outbox.desktop.taken.saturating_add(1);
                if number != next {
                    return Err(RelayError::EarlyRequest { next: RequestNumber(next) });
                }
                if outbox.desktop.is_over(context) {
                    return Err(RelayError::Lapsed { expired_at: outbox.desktop.good_until });
                }
                let late = outbox.desktop.now(context) > not_after;
                self.request(outbox, Asking { number, id, body, text, late }, context)
            }
            Up::Ack | Up::Bye => {
                outbox.tell_gap(context)?;
                let (writes, frames) = outbox.finish(context);
                Ok(Run::Done(Step::new(writes, FromDesktop::Heard { frames, suspended: None })))
            }
        }
    }

    /// Lets go what was shown. More shown than was sent suspends the relay.
    fn acknowledge(
        &mut self,
        outbox: &mut Outbox,
        shown: u64,
        context: &Context<'_>,
    ) -> Result<(), RelayError> {
        if shown >= outbox.desktop.next {
            outbox.desktop.phase = Phase::Suspended(Suspension::PhoneWentBack);
        } else if outbox.desktop.knows(shown) {
            outbox.drop_all(self.have, &mut self.needs);
        } else if shown > outbox.desktop.acked {
            let key = Kept::key(outbox.id, shown);
            let kept = self.have.read::<Kept<'_>>(key, context, &mut self.needs)?;
            let bytes = kept.value.map_or(outbox.desktop.bytes, |kept| kept.bytes);
            let bytes = bytes.clamp(outbox.desktop.bytes_acked, outbox.desktop.bytes);
            outbox.acknowledge(shown, bytes, self.have, &mut self.needs);
        }
        Ok(())
    }

    /// Answers an ask in the session that the desktop is in.
    fn status(
        self,
        outbox: &mut Outbox,
        ask: (u64, UnixMillis),
        results: Vec<Outcome>,
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        // One that is past its time shows nothing, and what it has not shown keeps it from opening more than so much: it is told so once a day.
        let next_word = outbox.desktop.told_over.plus(UnixMillis::DAY);
        if !outbox.desktop.is_over(context) || outbox.desktop.now(context) >= next_word {
            // The status goes first: it may be what lets the desktop show the rest.
            say_status(outbox, ask, results, context)?;
        }
        outbox.tell_gap(context)?;
        let suspended = outbox.desktop.suspended();
        let (writes, frames) = outbox.finish(context);
        let heard = FromDesktop::Heard { frames, suspended };
        Ok(Run::Done(Step::new(writes, heard)))
    }

    /// Takes a desktop in that asks in a new session: what was under way is dropped and told as a gap, and what became of its requests is told.
    fn join(
        mut self,
        outbox: &mut Outbox,
        (shown, lacks): (u64, bool),
        ask: (u64, UnixMillis),
        asked: core::ops::Range<u64>,
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let again = match outbox.desktop.phase {
            Phase::Granted(until) if outbox.desktop.now(context) > until => {
                return Err(RelayError::Lapsed { expired_at: until });
            }
            Phase::Granted(_) => false,
            Phase::Attached | Phase::Suspended(_) | Phase::Ended(_) => true,
        };
        match self.take.verdict {
            _ if !again => {}
            Some(Verdict::Allow) => {}
            Some(Verdict::Deny) => return Ok(Run::Done(Step::new(Vec::new(), FromDesktop::Denied))),
            Some(Verdict::Upgrade(_)) | None => {
                return Ok(Run::Done(Step::new(Vec::new(), FromDesktop::Undecided(Wanted::TakeOver))));
            }
        }
        let results = Seen::outcomes(self.take.desktop, asked.clone(), self.have, context, &mut self.needs)?;
        let list = self.list_that_names(outbox, context)?;
        // As it was before this step.
        let address = Address::new(self.phone.account, outbox.id);
        let mut former = Line::read(&address, self.have, context, &mut self.needs)?;
        outbox.drop_all(self.have, &mut self.needs);
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        outbox.desktop.notice = match former.session() {
            // The former session sends nothing after this step, so that this is the last that it seals.
            Some(_) => last_word(&mut former, &Down::Superseded, outbox.desktop.taken, context)?,
            None => None,
        };
        // What this phone has told and forgotten nobody can count.
        let went_back = again && (former.session().is_none() || shown >= outbox.desktop.next);
        let forgot = lacks || went_back || outbox.desktop.unknown_gap > shown;
        outbox.miss_above(shown, context);
        if shown >= outbox.desktop.next {
            outbox.desktop.next = shown.saturating_add(1);
            outbox.desktop.acked = shown;
        }
        outbox.desktop.taken = outbox.desktop.taken.max(asked.end.saturating_sub(1));
        outbox.desktop.phase = Phase::Attached;
        outbox.desktop.offered = None;
        // The status goes first: it says from where the numbers go on.
        say_status(outbox, ask, results, context)?;
        if forgot {
            outbox.tell_unknown_gap(context)?;
        }
        outbox.append_gap(context)?;
        let told = outbox.desktop.upgraded.as_ref().map(|upgraded| upgraded.certificate.clone());
        if let (Some(certificate), Some(list)) = (told.filter(|certificate| !certificate.is_empty()), &list) {
            let number = outbox.desktop.next;
            outbox.append(&Numbered::Upgraded { certificate: &certificate, list }, context)?;
            outbox.desktop.upgraded =
                outbox.desktop.upgraded.take().map(|upgraded| Upgraded { number, ..upgraded });
        }
        let (writes, frames) = outbox.finish(context);
        Ok(Run::Done(Step::new(writes, FromDesktop::Joined { frames, again })))
    }

    /// The desktop has left: its session and what waits go.
    fn leave(mut self, outbox: &mut Outbox, context: &Context<'_>) -> Result<Run<FromDesktop>, RelayError> {
        let address = Address::new(self.phone.account, outbox.id);
        outbox.writes = end_sessions(&address, self.have, context, &mut self.needs)?;
        outbox.forget(self.have, &mut self.needs);
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        outbox.desktop.phase = Phase::Ended(EndOfRelay::Left);
        outbox.desktop.notice = None;
        let left = match outbox.desktop.upgraded_in() {
            None => FromDesktop::Left,
            Some(_) => FromDesktop::LeftCompanion,
        };
        Ok(Run::Done(Step::new(outbox.finish_apart(context), left)))
    }
}

/// The last frame that a session seals before it ends; none where it cannot.
pub(super) fn last_word(
    line: &mut Line,
    frame: &Down<'_>,
    taken: u64,
    context: &mut Context<'_>,
) -> Result<Option<Vec<u8>>, RelayError> {
    match line.seal(&frame.encode(taken), context) {
        Ok(frame) => Ok(Some(frame)),
        Err(SendError::Random(error)) => Err(error.into()),
        Err(SendError::Record(error)) => Err(error.into()),
        Err(
            SendError::NoSession
            | SendError::IdentityChanged { .. }
            | SendError::Unlisted(_)
            | SendError::Lapsed { .. }
            | SendError::Removed
            | SendError::TooLong
            | SendError::Exhausted,
        ) => Ok(None),
    }
}

/// Says how the relay stands.
fn say_status(
    outbox: &mut Outbox,
    (nonce, at): (u64, UnixMillis),
    results: Vec<Outcome>,
    context: &mut Context<'_>,
) -> Result<(), RelayError> {
    let desktop = &mut outbox.desktop;
    desktop.told_over = if desktop.is_over(context) { desktop.now(context) } else { UnixMillis(0) };
    let status = Status {
        nonce,
        at,
        suspended: desktop.suspended(),
        good_for: match desktop.upgraded_in() {
            None => desktop.good_until.since(desktop.now(context)),
            Some(_) => context.limits.list_window,
        },
        from: desktop.acked.saturating_add(1),
        next: desktop.next,
        link: desktop.link,
        taken: desktop.taken,
        results,
    };
    outbox.say(&Down::Status(status), context)
}
