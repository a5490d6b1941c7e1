//! A desktop becomes a companion: the phone's offer, the desktop's acceptance, and what the phone passes on to it afterwards. `docs/relay.md`, "Upgrade".
//!
//! ```text
//! desktop                                   phone
//! RelayRequest (Upgrade) ─────────────────▶ TakeFromDesktop, with the user's Verdict::Upgrade
//! TakeFromPhone ◀──answer, offer─────────── the account's signature
//! AcceptUpgrade ──its last request────────▶ TakeFromDesktop: signs the list that names it
//! TakeFromPhone ◀──answer, upgraded──────── the relay's last event; what peers do not send there goes as a message
//! ```

use alloc::vec::Vec;

use super::{
    RefusedRequest, RelayError, RequestState, Requested,
    desktop_record::Upgrading,
    frame::{Body, Numbered},
    from_desktop::FromDesktop,
    outbox::{ForDesktop, Outbox},
    phone::Taking,
    phone_record::{Missed, Offered, Seen, Upgraded},
    phone_request::{Asking, answer},
    request::Queue,
};
use crate::{
    companion::{Certifier, LinkError, Offer, TakenIn, accept_offer},
    identity::{Account, Address, Device, IdentityKey, ListError},
    primitives::Signature,
    session::{Heading, Keep, Origin, Received, SendError, Single},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis, Write},
};

/// How long an offer stands: five minutes.
const PATIENCE: u64 = 5 * 60 * 1_000;

/// Accepts the phone's offer: signs for the account, and asks to be taken in. It is this desktop's last request; what is asked for until the phone answers is queued.
///
/// | | type | meaning |
/// |---|---|---|
/// | out | [`Requested`] | its id, under which its answer comes as of any request; what goes to the phone: what was queued before it, and the acceptance |
///
/// Writes three records. Draws 80 random bytes, and those of a send.
///
/// # Errors
/// [`RelayError::Upgrade`] where there is no offer; [`Full`](RelayError::Full), [`Lapsed`](RelayError::Lapsed), [`Joining`](RelayError::Joining),
/// [`Suspended`](RelayError::Suspended), [`Ended`](RelayError::Ended), [`NotPaired`](RelayError::NotPaired), [`Send`](RelayError::Send),
/// [`Random`](RelayError::Random), [`Record`](RelayError::Record).
///
/// # Spec
/// `docs/relay.md`, "Upgrade".
#[derive(Clone, Copy, Debug)]
pub struct AcceptUpgrade;

impl Sealed for AcceptUpgrade {}

impl Operation for AcceptUpgrade {
    type Output = Requested;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Requested>, RelayError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let Some(mut queue) = Queue::read(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let Some(place) = queue.next_place(have, &mut needs)? else { return Ok(Run::Needs(needs)) };
        queue.desk.is_attached(context)?;
        let account_key = queue.line.pinned_key().ok_or(SendError::NoSession)?;
        let device = device.value.ok_or(RelayError::NotPaired)?;
        let Upgrading::Offered(offer) = core::mem::take(&mut queue.desk.relay.upgrading) else {
            return Err(LinkError::OutOfOrder.into());
        };
        queue.flush(false, context)?;
        let signature = accept_offer(&offer, &account_key, &device, context)?;
        let accepted = Upgrading::Accepted(queue.desk.relay.number);
        // How long the phone takes it is for its own clock to say.
        let request = queue.make(&place, UnixMillis(u64::MAX), Body::Accept(signature), context)?;
        queue.desk.relay.upgrading = accepted;
        Ok(Run::Done(queue.finish(context, |frames| Requested { request, frames })))
    }
}

impl Taking<'_> {
    /// Offers to a desktop what its user and the phone's want.
    pub(super) fn offer(
        mut self,
        outbox: &mut Outbox,
        asking: &Asking<'_>,
        seen: &Slot<Seen>,
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let certifier = Certifier::read(self.have, context, &mut self.needs).map_err(LinkError::from)?;
        let Some(certifier) = certifier.filter(|_| self.needs.is_empty()) else {
            return Ok(Run::Needs(self.needs));
        };
        let offer = certifier.offer(outbox.id, &outbox.desktop.key, context)?;
        answer(outbox, asking, seen, RequestState::Accepted, context)?;
        outbox.append(&Numbered::Offer { request: asking.id, offer: offer.clone() }, context)?;
        let until = outbox.desktop.now(context).plus(PATIENCE);
        outbox.desktop.offered = Some(Offered { offer, until });
        let (writes, frames) = outbox.finish(context);
        Ok(Run::Done(Step::new(writes, FromDesktop::Offered { request: asking.number(), frames })))
    }

    /// Takes a desktop in that has signed for itself: the list that names it, and the last that the relay tells.
    pub(super) fn take_in(
        mut self,
        outbox: &mut Outbox,
        asking: &Asking<'_>,
        seen: &Slot<Seen>,
        signature: &Signature,
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let certifier = Certifier::read(self.have, context, &mut self.needs).map_err(LinkError::from)?;
        let Some(certifier) = certifier.filter(|_| self.needs.is_empty()) else {
            return Ok(Run::Needs(self.needs));
        };
        let offered =
            outbox.desktop.offered.take().filter(|offered| outbox.desktop.now(context) <= offered.until);
        let Some(Offered { offer, .. }) = offered else {
            return self.refuse(outbox, asking, seen, RefusedRequest::NoOffer, context);
        };
        let Some(TakenIn { signed, certificate, writes }) =
            certify(certifier, &offer, &outbox.desktop.key, signature, context)?
        else {
            return self.refuse(outbox, asking, seen, RefusedRequest::NoOffer, context);
        };
        // What was missed stands before the last event, or nobody would tell of it.
        outbox.tell_gap(context)?;
        let untold = outbox.desktop.missed.count > 0 && outbox.desktop.upgraded_in().is_none();
        if untold || !outbox.has_room_for_events(1) {
            return Err(RelayError::Full);
        }
        answer(outbox, asking, seen, RequestState::Accepted, context)?;
        let list = signed.list.as_bytes();
        let number = outbox.desktop.next;
        outbox.append(&Numbered::Upgraded { certificate: &certificate, list }, context)?;
        outbox.line.stamp_from_now_on();
        // Told again: what it lacks is counted from the first time.
        let epoch = outbox.desktop.upgraded_in().unwrap_or(signed.list.epoch());
        let at = outbox.desktop.now(context);
        outbox.desktop.upgraded = Some(Upgraded { epoch, at, number, certificate });
        outbox.writes.extend(writes);
        let device = Address::new(*signed.list.account(), outbox.id);
        let (writes, frames) = outbox.finish(context);
        Ok(Run::Done(Step::new(writes, FromDesktop::Upgraded { device, list: signed, frames })))
    }

    /// The newest list, where it names a desktop that was upgraded.
    pub(super) fn list_that_names(
        &mut self,
        outbox: &Outbox,
        context: &Context<'_>,
    ) -> Result<Option<Vec<u8>>, RelayError> {
        if outbox.desktop.upgraded_in().is_none() {
            return Ok(None);
        }
        let account = Account::read(self.have, context, &mut self.needs)?;
        let list = account.value.map(|account| account.known.list);
        let list = list.filter(|list| list.entry(outbox.id).is_some());
        Ok(list.map(|list| list.as_bytes().to_vec()))
    }
}

/// The list that names the desktop; `None` where the offer does not hold any more, or what came does not fit to it.
fn certify(
    certifier: Certifier,
    offer: &Offer,
    key: &IdentityKey,
    signature: &Signature,
    context: &mut Context<'_>,
) -> Result<Option<TakenIn>, RelayError> {
    match certifier.take_in(offer, key, signature, context) {
        Ok(taken) => Ok(Some(taken)),
        Err(
            LinkError::Certificate(_)
            | LinkError::Overtaken
            | LinkError::List(ListError::LineEnded | ListError::TooManyDevices),
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the phone has opened, on its way to desktops that are companions now.
pub(super) struct PassedOn<'a> {
    pub(super) from: &'a Address,
    pub(super) received: &'a Received,
    pub(super) origin: Origin,
    pub(super) text: &'a [u8],
}

impl PassedOn<'_> {
    /// Whether the sender has sent it to that device too.
    fn has_come(&self, outbox: &Outbox) -> bool {
        let to_account = !matches!(self.origin, Origin::Peer { shared: None, .. });
        let by = self.received.view.as_ref().filter(|view| !view.left_out.contains(&outbox.id));
        let went_by = by.map(|view| view.own_epoch);
        to_account && !self.received.again && went_by >= outbox.desktop.upgraded_in()
    }

    /// Passes it on to a desktop that was upgraded, unless it is listed no more, said it itself, or has it from the sender; `None` where records are needed.
    pub(super) fn pass_on(
        &self,
        mut outbox: Outbox,
        have: &Loaded,
        context: &mut Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<(ForDesktop, Vec<Write>)>, RelayError> {
        let account = Account::read(have, context, needs)?.value;
        let list = account.map(|account| account.known.list);
        let Some(list) = list.filter(|list| list.entry(outbox.id).is_some()) else { return Ok(None) };
        let to = Address::new(*list.account(), outbox.id);
        if *self.from == to || self.has_come(&outbox) {
            return Ok(None);
        }
        let missed = outbox.desktop.missed.count;
        let text = Heading::PassedOn(missed, context.now, self.origin).before(self.text);
        let mut suspended = false;
        let single = Single::among_own(&to, &text, Keep::ForRetry);
        let (frames, mut writes) = match single.seal(have, context, needs) {
            Ok(None) => return Ok(None),
            Ok(Some((sent, writes))) => (Vec::from([sent.envelope]), Vec::from(writes)),
            Err(SendError::Random(error)) => return Err(error.into()),
            Err(SendError::Record(error)) => return Err(error.into()),
            Err(SendError::NoSession | SendError::Exhausted) => {
                suspended = true;
                (Vec::new(), Vec::new())
            }
            // A list that is past its time or disputed, or too long a text.
            Err(
                SendError::IdentityChanged { .. }
                | SendError::Unlisted(_)
                | SendError::Lapsed { .. }
                | SendError::Removed
                | SendError::TooLong,
            ) => (Vec::new(), Vec::new()),
        };
        let desktop = outbox.id;
        if frames.is_empty() {
            outbox.miss(1, context);
        } else {
            outbox.desktop.missed = Missed::default();
        }
        if frames.is_empty() || missed > 0 {
            writes.extend(outbox.finish_apart(context));
        }
        Ok(Some((ForDesktop { desktop, frames, suspended, passed_on: true }, writes)))
    }
}
