//! A desktop's requests: made once, queued while the phone is away, sent in order, taken back while they have not gone out.

use alloc::vec::Vec;
use core::fmt;

use super::{
    RelayError, RequestId,
    ask::Desk,
    desktop_record::{Asked, AskedStage},
    frame::{Body, MAX_REQUESTS, Up},
};
use crate::{
    identity::{AccountId, Address},
    session::{Line, MessageId, SendError},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis, Write},
    wire::{MAX_ASSOCIATED_DATA, MAX_PLAINTEXT},
};

/// Longest text of a request: what a message to an account can hold, less what the frame around it takes.
const MAX_TEXT: usize = MAX_PLAINTEXT - 8_192;

/// What a desktop asks of its phone.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Request<'a> {
    /// To send a message to an account, in the account's name.
    Send {
        /// To whom.
        to: AccountId,
        /// What to say, up to 1,036,288 B.
        plaintext: &'a [u8],
        /// What to bind, up to 4,096 B: the recipients pass the same bytes.
        associated_data: &'a [u8],
    },
    /// To note that a message was read here. Whether anyone is told is the phone's app's to say.
    Read {
        /// Who sent the message.
        from: Address,
        /// Which.
        message: MessageId,
    },
    /// A question of the app's own, such as for older messages; up to 1,036,288 B.
    Query(&'a [u8]),
    /// To become a companion, with the keys that this desktop has. The phone's offer follows: run [`AcceptUpgrade`](crate::AcceptUpgrade) then.
    Upgrade,
}

impl fmt::Debug for Request<'_> {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { to, plaintext, .. } => {
                write!(f, "Send {{ to: {to:?}, plaintext: {} bytes }}", plaintext.len())
            }
            Self::Read { from, message } => write!(f, "Read {{ from: {from:?}, message: {message:?} }}"),
            Self::Query(text) => write!(f, "Query({} bytes)", text.len()),
            Self::Upgrade => f.write_str("Upgrade"),
        }
    }
}

/// What becomes of a request while the phone does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhileAway {
    /// It is refused: [`RelayError::Unreachable`].
    Refuse,
    /// It waits, and [`FlushRequests`] sends it.
    Queue,
}

/// Asks the phone to do something for this desktop.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`Request`] | what |
/// | in | [`UnixMillis`] | until when it is worth doing, by the phone's clock |
/// | in | [`WhileAway`] | what becomes of it while the phone does not answer |
/// | out | [`Requested`] | its id, and what goes to the phone |
///
/// Writes two or three records. Draws 16 random bytes, and those of a send.
///
/// # Errors
/// [`RelayError::Unreachable`], [`Full`](RelayError::Full) where 64 requests have no answer, [`Lapsed`](RelayError::Lapsed), [`Joining`](RelayError::Joining),
/// [`Suspended`](RelayError::Suspended), [`Upgrading`](RelayError::Upgrading) (these four only where it is not to be queued), [`Ended`](RelayError::Ended), [`Send`](RelayError::Send).
///
/// # Spec
/// `docs/relay.md`, "Requests".
#[derive(Clone, Copy, Debug)]
pub struct RelayRequest<'a> {
    /// What.
    pub request: Request<'a>,
    /// Until when.
    pub not_after: UnixMillis,
    /// While the phone is away.
    pub while_away: WhileAway,
}

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requested {
    /// Names it in every later answer.
    pub request: RequestId,
    /// What goes to the phone: this request, and what was queued before it. Empty where it is queued.
    pub frames: Vec<Vec<u8>>,
}

/// Sends what was queued, in order, and all that has no answer yet, again: when the phone answers after an absence, and where an answer is long in coming. The same request is
/// done once, however often it is sent, and under however many keys.
///
/// The output is what goes to the phone; empty where nothing waits.
///
/// # Errors
/// As of [`RelayRequest`].
///
/// # Spec
/// `docs/relay.md`, "Requests".
#[derive(Clone, Copy, Debug)]
pub struct FlushRequests;

/// Takes a request back that has not gone out.
///
/// # Errors
/// [`RelayError::TooLate`] where it has, or is not known; [`NotPaired`](RelayError::NotPaired), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "Requests".
#[derive(Clone, Copy, Debug)]
pub struct CancelRequest {
    /// Which.
    pub request: RequestId,
}

impl<'a> Request<'a> {
    fn body(&self) -> Result<Body<'a>, SendError> {
        let (text, associated) = match self {
            Self::Send { plaintext, associated_data, .. } => (plaintext.len(), associated_data.len()),
            Self::Read { .. } | Self::Upgrade => (0, 0),
            Self::Query(text) => (text.len(), 0),
        };
        if text > MAX_TEXT || associated > MAX_ASSOCIATED_DATA {
            return Err(SendError::TooLong);
        }
        Ok(match *self {
            Self::Send { to, plaintext, associated_data } => {
                Body::Send { to, associated_data, text: plaintext }
            }
            Self::Read { from, message } => Body::Read { from, message },
            Self::Query(text) => Body::Query(text),
            Self::Upgrade => Body::Upgrade,
        })
    }
}

/// The places of a desktop's requests that have no answer, as one step changes them.
pub(super) struct Queue<'a> {
    pub(super) desk: Desk,
    pub(super) line: Line,
    places: Vec<Slot<Asked<'a>>>,
    writes: Vec<Write>,
    frames: Vec<Vec<u8>>,
}

impl<'a> Queue<'a> {
    /// `None` where records are needed.
    pub(super) fn read(
        have: &'a Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, RelayError> {
        let Some(desk) = Desk::read(have, context, needs)? else { return Ok(None) };
        let line = Line::read(&desk.phone, have, context, needs)?;
        let read = |place| have.read(Asked::key(place), context, needs);
        let places = desk.open_places().map(read).collect::<Result<Vec<_>, _>>()?;
        if !needs.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { desk, line, places, writes: Vec::new(), frames: Vec::new() }))
    }

    /// The place of another request; `None` where it is needed.
    pub(super) fn next_place(
        &self,
        have: &'a Loaded,
        needs: &mut Needs,
    ) -> Result<Option<Slot<Asked<'a>>>, RelayError> {
        let relay = &self.desk.relay;
        let slot = have.slot::<Asked<'_>>(Asked::key(relay.next), needs);
        if !needs.is_empty() {
            return Ok(None);
        }
        match relay.next.saturating_sub(relay.first) >= MAX_REQUESTS {
            true => Err(RelayError::Full),
            false => Ok(Some(slot)),
        }
    }

    /// Sends another request.
    pub(super) fn make(
        &mut self,
        place: &Slot<Asked<'_>>,
        not_after: UnixMillis,
        body: Body<'_>,
        context: &mut Context<'_>,
    ) -> Result<RequestId, RelayError> {
        let request = RequestId(context.random.draw()?);
        self.send(place, request, not_after, (body, &body.to_text()), context)?;
        self.desk.relay.next = self.desk.relay.next.checked_add(1).ok_or(RelayError::Full)?;
        Ok(request)
    }

    /// Seals a request under its number.
    fn seal(
        &mut self,
        number: u64,
        id: RequestId,
        not_after: UnixMillis,
        (body, text): (Body<'_>, &[u8]),
        context: &mut Context<'_>,
    ) -> Result<(), RelayError> {
        let request = Up::Request { number, id, not_after, body, text };
        let frame = self.desk.say(&request, &mut self.line, context)?;
        self.frames.push(frame);
        Ok(())
    }

    /// Sends a request for the first time, under the next number; it is kept until it is answered.
    fn send(
        &mut self,
        slot: &Slot<Asked<'_>>,
        id: RequestId,
        not_after: UnixMillis,
        (body, text): (Body<'_>, &[u8]),
        context: &mut Context<'_>,
    ) -> Result<(), RelayError> {
        let number = self.desk.relay.number;
        let after = number.checked_add(1).ok_or(RelayError::Full)?;
        self.seal(number, id, not_after, (body, text), context)?;
        let stage = AskedStage::Sent { number, kind: body.kind(), not_after, body: text };
        self.writes.push(slot.write(Asked { id, stage }, context));
        self.desk.relay.number = after;
        Ok(())
    }

    /// Sends what is queued, and what was sent again where that is wanted: in a frame of its own each time, since the session may have turned on since.
    pub(super) fn flush(&mut self, again: bool, context: &mut Context<'_>) -> Result<(), RelayError> {
        for slot in core::mem::take(&mut self.places) {
            // What stands there was encoded by this crate; a body that is damaged otherwise is of no use.
            match &slot.value {
                // After its acceptance this desktop asks for nothing more.
                Some(Asked { id, stage: AskedStage::Queued { kind, not_after, body: text } })
                    if !self.desk.relay.has_accepted() =>
                {
                    if let Some(body) = Body::decode(*kind, text) {
                        self.send(&slot, *id, *not_after, (body, text), context)?;
                    }
                }
                Some(Asked { id, stage: AskedStage::Sent { number, kind, not_after, body: text } })
                    if again =>
                {
                    if let Some(body) = Body::decode(*kind, text) {
                        self.seal(*number, *id, *not_after, (body, text), context)?;
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    pub(super) fn finish<T>(
        mut self,
        context: &Context<'_>,
        output: impl FnOnce(Vec<Vec<u8>>) -> T,
    ) -> Step<T> {
        let mut writes = self.writes;
        if !self.frames.is_empty() {
            writes.extend(self.line.write(context));
        }
        writes.push(self.desk.write(context));
        Step::new(writes, output(self.frames))
    }
}

impl Sealed for RelayRequest<'_> {}

impl Operation for RelayRequest<'_> {
    type Output = Requested;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Requested>, RelayError> {
        let body = self.request.body()?;
        let mut needs = Needs::new();
        let Some(mut queue) = Queue::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let Some(slot) = queue.next_place(have, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let relay = &queue.desk.relay;
        let after = relay.next.checked_add(1).ok_or(RelayError::Full)?;
        let ready = match queue.desk.is_attached(context) {
            Err(RelayError::Ended(why)) => return Err(RelayError::Ended(why)),
            Ok(()) if relay.is_unreachable() => Err(RelayError::Unreachable),
            Ok(()) if relay.has_accepted() => Err(RelayError::Upgrading),
            other => other,
        };
        let request = match (ready, self.while_away) {
            (Ok(()), _) => {
                queue.flush(false, context)?;
                queue.make(&slot, self.not_after, body, context)?
            }
            (Err(error), WhileAway::Refuse) => return Err(error),
            (Err(_), WhileAway::Queue) => {
                let request = RequestId(context.random.draw()?);
                let text = body.to_text();
                let (kind, not_after) = (body.kind(), self.not_after);
                let stage = AskedStage::Queued { kind, not_after, body: &text };
                queue.writes.push(slot.write(Asked { id: request, stage }, context));
                queue.desk.relay.next = after;
                request
            }
        };
        Ok(Run::Done(queue.finish(context, |frames| Requested { request, frames })))
    }
}

impl Sealed for FlushRequests {}

impl Operation for FlushRequests {
    type Output = Vec<Vec<u8>>;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<Vec<u8>>>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut queue) = Queue::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        queue.desk.is_attached(context)?;
        // All of it goes out, or nothing.
        if queue.desk.relay.has_spoken_much() {
            return Err(RelayError::Unreachable);
        }
        queue.flush(true, context)?;
        if queue.frames.is_empty() {
            return Ok(Run::Done(Step::new(Vec::new(), queue.frames)));
        }
        Ok(Run::Done(queue.finish(context, |frames| frames)))
    }
}

impl Sealed for CancelRequest {}

impl Operation for CancelRequest {
    type Output = ();
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<()>, RelayError> {
        let mut needs = Needs::new();
        let Some(mut queue) = Queue::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let is_it =
            |slot: &&Slot<Asked<'_>>| slot.value.as_ref().is_some_and(|asked| asked.id == self.request);
        let slot = queue.places.iter().find(is_it).ok_or(RelayError::TooLate)?;
        match slot.value.as_ref().map(|asked| &asked.stage) {
            Some(AskedStage::Queued { .. }) => {}
            Some(AskedStage::Sent { .. } | AskedStage::Cancelled) | None => return Err(RelayError::TooLate),
        }
        let is_gone = |slot: &Slot<Asked<'_>>| {
            slot.value.as_ref().is_none_or(|asked| asked.id == self.request || asked.is_cancelled())
        };
        // Places at the front are free at once; one in the middle when those before it are answered.
        let front = queue.places.iter().take_while(|slot| is_gone(slot)).count();
        let mut writes: Vec<_> = queue.places.iter().take(front).filter_map(Slot::delete).collect();
        if !queue.places.iter().take(front).any(|slot| is_it(&slot)) {
            writes.push(slot.write(Asked { id: self.request, stage: AskedStage::Cancelled }, context));
        }
        let freed = u64::try_from(front).unwrap_or_default();
        queue.desk.relay.first = queue.desk.relay.first.saturating_add(freed);
        writes.push(queue.desk.write(context));
        Ok(Run::Done(Step::new(writes, ())))
    }
}
