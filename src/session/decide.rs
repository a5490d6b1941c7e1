//! The user's decision about an identity key.

use alloc::vec::Vec;

use super::{
    archive::{Archive, ArchivePlace},
    peer::Peer,
    start::LATEST_CLOCK,
};
use crate::{
    identity::{Address, Decision, TrustError, TrustMark},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step},
};

/// Records what the user decided about a peer's identity key. Accepting another key ends the sessions under the old one, in the same step.
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
        let mut archive_slot = Archive::read(have, &self.peer, context, &mut needs)?;
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

        let place = ArchivePlace { have, peer: &self.peer };
        // What follows from clocks is kept. A start beyond that was made to be the last: the order begins anew with the key.
        let latest_start = peer.latest_start.filter(|latest| *latest < LATEST_CLOCK.plus(LATEST_CLOCK.0));
        // What was opened is remembered under any key: should the first one come back, its messages must not.
        let mut writes = Vec::new();
        if let Some(session) = &peer.session {
            writes.extend(place.remove_skipped(session.id, context, &mut needs)?);
        }
        // Copies of what was sent stay: each names the key that it was sent to.
        let (next_copy, recent) = (peer.next_copy, peer.recent);
        let ended = Peer { identity, latest_start, next_copy, recent, ..Peer::pinned(peer.identity.key()) };
        writes.push(slot.write(ended, context));
        if let Some(mut archive) = archive_slot.value.take() {
            writes.extend(archive.clear(place, context, &mut needs)?);
            writes.push(archive_slot.write(archive, context));
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(writes, mark)))
    }
}
