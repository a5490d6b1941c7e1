//! Asking the sender of an envelope for its message again.

use alloc::vec::Vec;
use core::fmt;

use super::{
    super::{
        MessageId, OpenError,
        accepted::Memory,
        peer::{ArchivedSession, Peer},
        send::speaks_for_account,
    },
    RetryError, RetryReason,
    budget::Budget,
    request::{Ends, Request, Wanted},
};
use crate::{
    identity::{Address, Device, Lists},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step},
    wire::Incoming,
};

/// Asks the sender of an envelope that could not be opened to send its message again: once for each, at most 64 in an hour to one device and 512 to all. Nothing is
/// asked of a device that this one has not met: start a session with it first.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | who sent the envelope, by the transport's word |
/// | in | `envelope` | 75 to 1,048,576 B | what could not be opened |
/// | in | [`OpenError`] | | why not: what [`Receive`](crate::Receive) answered |
/// | out | [`RetryRequest`] | 149 to 160 B, for an envelope with an encrypted header 228 | what goes to the sender, who gives it to [`AnswerRetry`](super::AnswerRetry) |
///
/// One Diffie-Hellman, draws 44 random bytes; twice as much for an envelope with an encrypted header. Writes two records: what was asked of this device, at most 1,056 bytes, and of all.
///
/// # Errors
/// [`RetryError`]: [`NotRetryable`](RetryError::NotRetryable), [`UnknownPeer`](RetryError::UnknownPeer), [`AlreadyAsked`](RetryError::AlreadyAsked),
/// [`TooMany`](RetryError::TooMany), [`IdentityChanged`](RetryError::IdentityChanged), [`Send`](RetryError::Send) on a companion that lapsed or was removed, and what is wrong with bytes, randomness and records.
///
/// # Spec
/// `docs/protocol.md`, section 8 "Retry"; *The Sesame Algorithm*, "Retry requests".
#[derive(Clone, Copy)]
pub struct RequestRetry<'a> {
    /// From which device it came, by the transport's word.
    pub from: Address,
    /// What could not be opened.
    pub envelope: &'a [u8],
    /// Why not.
    pub error: OpenError,
}

/// A request on its way to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryRequest {
    /// What goes to the device, by the way that envelopes go.
    pub request: Vec<u8>,
    /// The message that will come again, or be reported lost, under this id; where the envelope was an answer itself, under the id that it brings.
    pub message_id: MessageId,
}

impl fmt::Debug for RequestRetry<'_> {
    /// Shows the envelope's length only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, envelope, error } = self;
        write!(f, "RequestRetry {{ from: {from:?}, envelope: {} bytes, error: {error:?} }}", envelope.len())
    }
}

impl Sealed for RequestRetry<'_> {}

impl Operation for RequestRetry<'_> {
    type Output = RetryRequest;
    type Error = RetryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<RetryRequest>, RetryError> {
        let reason = RetryReason::of(&self.error).ok_or(RetryError::NotRetryable)?;
        let incoming = Incoming::parse(self.envelope)?;
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let peer = Peer::read(have, &self.from, context, &mut needs)?;
        let lists = Lists::read(have, &self.from.account, context, &mut needs)?;
        let memory = Memory::to_ask(&self.from, have, context, &mut needs)?;
        let budget = Budget::read(&self.from, have, context, &mut needs)?;
        let shown = incoming.session_id();
        let mut archived = None;
        if let Some(id) = shown {
            let key = ArchivedSession::key(&self.from, id);
            archived = have.read::<ArchivedSession>(key, context, &mut needs)?.value;
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(RetryError::NotRegistered)?;
        speaks_for_account(&lists, &self.from, context.now)?;
        // A companion that was never met has its key from its account's list.
        let listed = || lists.listed_key(&self.from).map(Peer::pinned);
        let peer = peer.value.or_else(listed).ok_or(RetryError::UnknownPeer)?;
        let stored = peer.identity.key();
        if let Some(offered) = peer.identity.offered() {
            return Err(RetryError::IdentityChanged { stored, offered });
        }
        let wanted = Wanted::of(self.envelope, &incoming);
        if memory.knows(&peer.recent, wanted.envelope) {
            return Err(RetryError::AlreadyAsked);
        }
        let writes = budget.spend(wanted.digest, context)?;
        // An envelope that shows no session may be of any.
        let active = peer.session.as_ref().is_some_and(|session| shown.is_none_or(|id| session.id == id));
        let unknown =
            reason == RetryReason::OutOfStep && !active && archived.is_none_or(|old| old.expired(context));
        let reason = match (peer.stale, unknown) {
            (true, _) => RetryReason::Recovered,
            (false, true) => RetryReason::UnknownSession,
            (false, false) => reason,
        };
        let own = device.identity.public();
        let ends = Ends { asks: (&own, &device.address), asked: (&stored, &self.from) };
        let request = Request { wanted, reason, asked_at: context.now };
        let request = request.seal(&device.identity, &ends, incoming.headers(), &mut context.random)?;
        let output = RetryRequest { request, message_id: wanted.envelope };
        Ok(Run::Done(Step::new(Vec::from(writes), output)))
    }
}
