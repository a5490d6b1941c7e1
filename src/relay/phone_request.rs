//! What a phone does for a desktop: each request once, in order, with its user's word.

use alloc::vec::Vec;

use super::{
    DesktopConsent, RefusedRequest, RelayError, RequestId, RequestNumber, RequestState, Suspension,
    frame::{Body, Numbered, Outcome},
    from_desktop::{FromDesktop, Verdict, Wanted},
    outbox::{ForDesktop, Outbox, Roster},
    phone::Taking,
    phone_record::{Phase, REMEMBERED, Seen},
};
use crate::{
    companion::{Audience, Consent, Consequence, FanOutError, LinkError, MessageToAccount},
    identity::{AccountId, Address},
    primitives::{SecretBytes, kdf, labels},
    session::{Keep, MessageId, Origin, SharedId},
    step::{Context, Run, Slot, Step},
    wire::MAX_ASSOCIATED_DATA,
};

impl Taking<'_> {
    /// A request that was taken before: the same again, or another under its number.
    pub(super) fn repeated(
        mut self,
        outbox: &mut Outbox,
        number: u64,
        digest: [u8; 32],
        context: &Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let seen = self.have.read::<Seen>(Seen::key(self.take.desktop, number), context, &mut self.needs)?;
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        let forgotten = outbox.desktop.taken.saturating_sub(number) >= REMEMBERED;
        let same = seen.value.is_some_and(|seen| seen.outcome.number == number && seen.digest == digest);
        let repeated = match same || forgotten {
            true => FromDesktop::Repeated,
            false => {
                outbox.desktop.phase = Phase::Suspended(Suspension::DesktopWentBack);
                FromDesktop::Suspended(Suspension::DesktopWentBack)
            }
        };
        let (writes, _) = outbox.finish(context);
        Ok(Run::Done(Step::new(writes, repeated)))
    }

    /// Does what is asked for next.
    pub(super) fn request(
        mut self,
        outbox: &mut Outbox,
        asking: Asking<'_>,
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let key = Seen::key(self.take.desktop, asking.number);
        let seen = self.have.slot::<Seen>(key, &mut self.needs);
        if asking.late {
            return self.refuse(outbox, &asking, &seen, RefusedRequest::TooLate, context);
        }
        // One that asks again has not heard of it: it is offered its place anew.
        let anew = match asking.body {
            Body::Upgrade => true,
            Body::Accept(_) => outbox.desktop.offered.is_some(),
            Body::Send { .. } | Body::Read { .. } | Body::Query(_) => false,
        };
        if outbox.desktop.upgraded_in().is_some() && !anew {
            return self.refuse(outbox, &asking, &seen, RefusedRequest::Upgraded, context);
        }
        if outbox.desktop.consent == DesktopConsent::Never || self.take.verdict == Some(Verdict::Deny) {
            return self.refuse(outbox, &asking, &seen, RefusedRequest::NoConsent, context);
        }
        if let Some(wanted) = self.undecided(outbox, &asking)? {
            return Ok(Run::Done(Step::new(Vec::new(), FromDesktop::Undecided(wanted))));
        }
        match asking.body {
            Body::Send { associated_data, .. } if associated_data.len() > MAX_ASSOCIATED_DATA => {
                self.refuse(outbox, &asking, &seen, RefusedRequest::TooLong, context)
            }
            Body::Send { to, associated_data, text } => {
                self.send(outbox, &asking, &seen, (to, associated_data, text), context)
            }
            Body::Upgrade => self.offer(outbox, &asking, &seen, context),
            Body::Accept(signature) => self.take_in(outbox, &asking, &seen, &signature, context),
            Body::Read { from, message } => {
                self.hand_over(outbox, &asking, &seen, context, |request, frames| FromDesktop::Read {
                    request,
                    from,
                    message,
                    frames,
                })
            }
            Body::Query(text) => self.hand_over(outbox, &asking, &seen, context, |request, frames| {
                FromDesktop::Query { request, text: SecretBytes::new(text.to_vec()), frames }
            }),
        }
    }

    /// What the user is to be asked, where their word is wanted and is not there. What has no effect beyond this account needs none.
    fn undecided(&self, outbox: &Outbox, asking: &Asking<'_>) -> Result<Option<Wanted>, RelayError> {
        let secret = |text: &[u8]| SecretBytes::new(text.to_vec());
        let request = asking.number();
        let needs_word = outbox.desktop.consent == DesktopConsent::Ask;
        let allowed = !needs_word || self.take.verdict == Some(Verdict::Allow);
        Ok(match asking.body {
            Body::Send { to, text, .. } if !allowed => Some(Wanted::Send { request, to, text: secret(text) }),
            Body::Query(text) if !allowed => Some(Wanted::Query { request, text: secret(text) }),
            Body::Upgrade => {
                let wanted = Consent {
                    companion: outbox.desktop.key,
                    consequence: Consequence::ReadsAndSpeaksForTheAccount,
                };
                match self.take.verdict {
                    Some(Verdict::Upgrade(consent)) if consent == wanted => None,
                    Some(Verdict::Upgrade(_)) => return Err(LinkError::OtherConsent.into()),
                    Some(Verdict::Allow | Verdict::Deny) | None => {
                        Some(Wanted::Upgrade { request, consent: wanted })
                    }
                }
            }
            Body::Send { .. } | Body::Query(_) | Body::Read { .. } | Body::Accept(_) => None,
        })
    }

    /// Answers what is for the phone's app to do.
    fn hand_over(
        self,
        outbox: &mut Outbox,
        asking: &Asking<'_>,
        seen: &Slot<Seen>,
        context: &mut Context<'_>,
        output: impl FnOnce(RequestNumber, Vec<Vec<u8>>) -> FromDesktop,
    ) -> Result<Run<FromDesktop>, RelayError> {
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        answer(outbox, asking, seen, RequestState::Accepted, context)?;
        let (writes, frames) = outbox.finish(context);
        Ok(Run::Done(Step::new(writes, output(asking.number(), frames))))
    }

    /// Sends a message for the desktop, answers it, and shows the message to the other desktops.
    fn send(
        mut self,
        outbox: &mut Outbox,
        asking: &Asking<'_>,
        seen: &Slot<Seen>,
        (to, associated_data, text): (AccountId, &[u8], &[u8]),
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        let others = Roster::read(Some(self.take.desktop), self.have, context, &mut self.needs)?;
        let Some(audience) = Audience::of(&self.phone, &to, self.have, context, &mut self.needs)? else {
            return Ok(Run::Needs(self.needs));
        };
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        // What the desktop has asked for it has from the answer, whatever the list says of it.
        let asking_desktop = Address::new(self.phone.account, self.take.desktop);
        let audience = audience.without(&asking_desktop);
        let plan = audience.plan(to)?;
        if !plan.ready.iter().any(|address| address.account == to) {
            if plan.undecided.iter().any(|address| address.account == to) {
                return self.refuse(outbox, asking, seen, RefusedRequest::IdentityChanged, context);
            }
            if plan.is_for_nobody() {
                return self.refuse(outbox, asking, seen, RefusedRequest::Nobody, context);
            }
            let request = asking.number();
            return Ok(Run::Done(Step::new(Vec::new(), FromDesktop::Unready { request, plan })));
        }
        let id = message_id(&outbox.desktop.pairing, asking.id);
        let message = MessageToAccount {
            to,
            id: SharedId::from_bytes(id),
            name: Some(MessageId::from_bytes(id)),
            plaintext: text,
            associated_data,
            keep: Keep::ForRetry,
        };
        let (copies, sent) = match message.send_to(audience, context) {
            Ok(sent) => sent,
            Err(FanOutError::TooLong) => {
                return self.refuse(outbox, asking, seen, RefusedRequest::TooLong, context);
            }
            Err(error) => return Err(error.into()),
        };
        answer(outbox, asking, seen, RequestState::Accepted, context)?;
        outbox.writes.extend(copies);
        let desktop = outbox.id;
        let (mut writes, frames) = outbox.finish(context);
        let mut desktops = Vec::from([ForDesktop { desktop, frames, suspended: false, passed_on: false }]);
        let shown = Numbered::Event { at: context.now, origin: Origin::Own { to, shared: sent.id }, text };
        desktops.extend(others.without(&sent).tell(&shown, &mut writes, context)?);
        let request = asking.number();
        Ok(Run::Done(Step::new(writes, FromDesktop::Sent { request, sent, desktops })))
    }

    pub(super) fn refuse(
        self,
        outbox: &mut Outbox,
        asking: &Asking<'_>,
        seen: &Slot<Seen>,
        why: RefusedRequest,
        context: &mut Context<'_>,
    ) -> Result<Run<FromDesktop>, RelayError> {
        if !self.needs.is_empty() {
            return Ok(Run::Needs(self.needs));
        }
        if let Body::Accept(_) = asking.body {
            outbox.desktop.offered = None;
        }
        answer(outbox, asking, seen, RequestState::Refused(why), context)?;
        let (writes, frames) = outbox.finish(context);
        let request = asking.number();
        Ok(Run::Done(Step::new(writes, FromDesktop::Refused { request, why, frames })))
    }
}

/// A request that is next.
pub(super) struct Asking<'a> {
    pub(super) number: u64,
    pub(super) id: RequestId,
    pub(super) body: Body<'a>,
    pub(super) text: &'a [u8],
    pub(super) late: bool,
}

impl Asking<'_> {
    pub(super) const fn number(&self) -> RequestNumber {
        RequestNumber(self.number)
    }
}

/// What tells a request from every other: its id and all that it asks for.
pub(super) fn digest(id: RequestId, kind: u8, text: &[u8]) -> [u8; 32] {
    kdf::sha256(labels::RELAY_REQUEST, &[&id.0, &[kind], text])
}

/// The id of a relayed message: the same whenever the same request is done, whatever either store went back to.
fn message_id(pairing: &[u8; 16], request: RequestId) -> [u8; 16] {
    kdf::truncate(kdf::sha256(labels::RELAY_MESSAGE, &[pairing, &request.0]))
}

/// Notes that a request was taken, and tells its desktop.
pub(super) fn answer(
    outbox: &mut Outbox,
    asking: &Asking<'_>,
    seen: &Slot<Seen>,
    state: RequestState,
    context: &mut Context<'_>,
) -> Result<(), RelayError> {
    let outcome = Outcome { number: asking.number, request: asking.id, state };
    outbox.desktop.taken = asking.number;
    let digest = digest(asking.id, asking.body.kind(), asking.text);
    outbox.writes.push(seen.write(Seen { outcome, digest }, context));
    outbox.append(&Numbered::Answer(outcome), context)
}
