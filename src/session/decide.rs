//! The user's decision about an identity key.

use alloc::vec::Vec;

use super::{
    end::{Ending, end_sessions},
    peer::Peer,
};
use crate::{
    identity::{Address, Decision, DeviceId, Devices, Lists, TrustError, TrustMark},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step, UnixMillis},
};

/// Records what the user decided about a peer's identity key. Accepting another key ends the sessions under the old one, in the same step; where it
/// is a phone's, also those with the account's companions, whose list the old key signed.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`Address`] | the peer's device |
/// | in | [`Decision`] | it names the key that the user was shown |
/// | out | [`TrustMark`] | the mark from now on |
///
/// # Errors
/// [`TrustError`].
///
/// # Spec
/// `docs/protocol.md`, section 8 "Identity".
#[derive(Clone, Copy, Debug)]
pub struct DecideIdentity {
    /// Whose key.
    pub peer: Address,
    /// What was decided.
    pub decision: Decision,
}

impl Sealed for DecideIdentity {}

impl Operation for DecideIdentity {
    type Output = TrustMark;
    type Error = TrustError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<TrustMark>, TrustError> {
        let mut needs = Needs::new();
        let mut slot = Peer::read(have, &self.peer, context, &mut needs)?;
        let ending = Ending::read(&self.peer, have, context, &mut needs)?;
        let lists = Lists::read(have, &self.peer.account, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let peer = slot.value.take().ok_or(TrustError::UnknownPeer)?;
        let identity = peer.identity.decide(self.decision)?;
        let mark = identity.mark();
        if identity.key() == peer.identity.key() {
            let write = slot.write(Peer { identity, ..peer }, context);
            return Ok(Run::Done(Step::new(Vec::from([write]), mark)));
        }

        if lists.own().is_some_and(|own| *own.known.list.account() == self.peer.account) {
            return Err(TrustError::OwnAccount);
        }
        // What follows from clocks is kept. A start beyond that was made to be the last: the order begins anew with the key.
        let latest_start =
            peer.latest_start.filter(|latest| *latest < UnixMillis::LATEST.plus(UnixMillis::LATEST.0));
        // What the device with the former key could is no claim on the new one.
        let peer = Peer { identity, latest_start, post_quantum: false, strongest: false, ..peer };
        let mut writes = ending.end(&slot, peer, context, &mut needs)?;
        // The account's companions spoke under the old key's list: with the key they go.
        if let (DeviceId::PHONE, Some(Devices(known))) = (self.peer.device, &lists.theirs.value) {
            for entry in known.list.entries() {
                let companion = Address::new(self.peer.account, entry.device);
                writes.extend(end_sessions(&companion, have, context, &mut needs)?);
            }
            writes.extend(lists.theirs.delete());
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(writes, mark)))
    }
}
