//! What passes the phone by itself: messages of peers to its desktops, and messages of its own app.

use alloc::vec::Vec;
use core::fmt;

use super::{
    RelayError,
    frame::Numbered,
    outbox::{ForDesktop, Roster},
    upgrade::PassedOn,
};
use crate::{
    companion::{Plan, SendToAccount, SentToAccount},
    identity::Address,
    session::{Content, Keep, OpenError, Origin, Receive, Received, open_frame},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step},
};

/// [`Receive`] on a phone that has desktops: opens what a peer has sent, and seals it for each of them, in one step.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | | as of [`Receive`] |
/// | out | [`ReceivedAndRelayed`] | what was opened, for the phone's own app; what goes to each desktop |
///
/// Messages are relayed; what the account's devices say to each other is not. Writes what [`Receive`] writes, and for each desktop three records: the session with it, how its
/// relay stands, and the frame. The text stands in none of them. A desktop that was upgraded gets as a message what its sender has not sent there, which writes two records and keeps the text
/// for a retry.
///
/// # Errors
/// [`RelayError::Open`], [`Random`](RelayError::Random), [`Record`](RelayError::Record); never for a desktop's sake.
///
/// # Spec
/// `docs/relay.md`, "At the phone".
#[derive(Clone, Copy, Debug)]
pub struct RelayReceive<'a> {
    /// From which device, by the transport's word.
    pub from: Address,
    /// What came.
    pub envelope: &'a [u8],
    /// What the sender bound.
    pub associated_data: &'a [u8],
}

/// What was opened, and relayed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReceivedAndRelayed {
    /// For the phone's own app.
    pub received: Received,
    /// For its desktops.
    pub desktops: Vec<ForDesktop>,
}

/// [`SendToAccount`] on a phone that has desktops: they see what it sent.
///
/// # Errors
/// [`RelayError::FanOut`], [`Random`](RelayError::Random), [`Record`](RelayError::Record); never for a desktop's sake.
///
/// # Spec
/// `docs/relay.md`, "At the phone".
#[derive(Clone, Copy)]
pub struct RelaySend<'a> {
    /// To whom, by which lists.
    pub plan: &'a Plan,
    /// What to say.
    pub plaintext: &'a [u8],
    /// What to bind.
    pub associated_data: &'a [u8],
    /// Whether the text is kept for a retry.
    pub keep: Keep,
}

impl fmt::Debug for RelaySend<'_> {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelaySend {{ to: {:?}, plaintext: {} bytes }}", self.plan.to, self.plaintext.len())
    }
}

/// What was sent, and shown to desktops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentAndRelayed {
    /// For the recipient's devices and the own ones.
    pub sent: SentToAccount,
    /// For desktops.
    pub desktops: Vec<ForDesktop>,
}

impl Sealed for RelayReceive<'_> {}

impl Operation for RelayReceive<'_> {
    type Output = ReceivedAndRelayed;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Self::Output>, RelayError> {
        let mut needs = Needs::new();
        let mut roster = Roster::read(None, have, context, &mut needs)?;
        let receive =
            Receive { from: self.from, envelope: self.envelope, associated_data: self.associated_data };
        let Step { mut writes, output: received } = match receive.run(have, context) {
            Ok(Run::Needs(more)) => {
                needs.add_all(&more);
                return Ok(Run::Needs(needs));
            }
            Ok(Run::Done(step)) => step,
            Err(error) if needs.is_empty() => return self.refused(error, &roster, have, context),
            Err(error) => return Err(error.into()),
        };
        roster.meet(&self.from, &mut writes, have, context, &mut needs)?;
        let (at, from, message) = (context.now, self.from, received.message_id);
        let event = match &received.content {
            // What a companion says to its phone alone is between the two.
            Content::Message(_) if roster.is_own(&from) => None,
            Content::Message(text) => Some((Origin::Peer { from, message, shared: None }, text)),
            Content::ForAccount { id, text } => {
                Some((Origin::Peer { from, message, shared: Some(*id) }, text))
            }
            Content::SentByOwn { to, id, text } => Some((Origin::Own { to: *to, shared: *id }, text)),
            Content::Leaves
            | Content::Supply(_)
            | Content::SupplyTaken(_)
            | Content::HistoryAsked { .. }
            | Content::History(_)
            | Content::PassedOn { .. }
            | Content::Lost => None,
        };
        let mut desktops = Vec::new();
        if let Some((origin, text)) = event {
            let passed = PassedOn { from: &from, received: &received, origin, text };
            desktops = roster.pass_on(&passed, &mut writes, have, context, &mut needs)?;
            if needs.is_empty() {
                desktops.extend(roster.tell(&Numbered::Event { at, origin, text }, &mut writes, context)?);
            }
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(writes, ReceivedAndRelayed { received, desktops })))
    }
}

impl RelayReceive<'_> {
    /// Why an envelope was refused. A frame binds nothing: where a message of the same device would bind something, what does not open may be one.
    fn refused(
        &self,
        error: OpenError,
        roster: &Roster,
        have: &Loaded,
        context: &Context<'_>,
    ) -> Result<Run<ReceivedAndRelayed>, RelayError> {
        let bound = matches!(error, OpenError::NotAuthentic | OpenError::OutOfStep);
        let Some(key) = roster.key_of_upgraded(&self.from).filter(|_| bound) else {
            return Err(error.into());
        };
        match open_frame(&self.from, self.envelope, Some(key), have, context) {
            Ok(Run::Needs(needs)) => Ok(Run::Needs(needs)),
            Ok(Run::Done(_)) => Err(OpenError::Frame.into()),
            Err(_) => Err(error.into()),
        }
    }
}

impl Sealed for RelaySend<'_> {}

impl Operation for RelaySend<'_> {
    type Output = SentAndRelayed;
    type Error = RelayError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Self::Output>, RelayError> {
        let mut needs = Needs::new();
        let roster = Roster::read(None, have, context, &mut needs)?;
        let send = SendToAccount {
            plan: self.plan,
            plaintext: self.plaintext,
            associated_data: self.associated_data,
            keep: self.keep,
        };
        let Step { mut writes, output: sent } = match send.run(have, context)? {
            Run::Needs(more) => {
                needs.add_all(&more);
                return Ok(Run::Needs(needs));
            }
            Run::Done(step) => step,
        };
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let (at, to) = (context.now, self.plan.to);
        let origin = Origin::Own { to, shared: sent.id };
        let event = Numbered::Event { at, origin, text: self.plaintext };
        let desktops = roster.without(&sent).tell(&event, &mut writes, context)?;
        Ok(Run::Done(Step::new(writes, SentAndRelayed { sent, desktops })))
    }
}
