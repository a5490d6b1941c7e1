//! Deleting what time has run out for, where nothing else passes by.

use alloc::vec::Vec;

use super::{
    archive::{Archive, ArchivePlace},
    copies::Place,
    peer::{ArchivedSession, Peer, skipped_key, write_skipped},
};
use crate::{
    identity::Address,
    ratchet::SkippedKeys,
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Slot, Step},
};

/// Deletes what is too old of a peer's device: texts kept for a retry, archived sessions and their keys, keys of skipped messages. None of it can be used any more,
/// and all of it goes by itself when its place is wanted; run this once a day for each peer, so that it goes where nobody speaks, too.
///
/// Reads up to 64 records of sent messages, the archive and what is in it. The output is the number of records that were deleted or became shorter.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
///
/// # Spec
/// `docs/storing.md`, "What goes, and when".
#[derive(Clone, Copy, Debug)]
pub struct Tidy {
    /// Which device.
    pub peer: Address,
}

impl Sealed for Tidy {}

impl Operation for Tidy {
    type Output = usize;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<usize>, RecordError> {
        let mut needs = Needs::new();
        let mut peer = Peer::read(have, &self.peer, context, &mut needs)?;
        let mut archive_slot = Archive::read(have, &self.peer, context, &mut needs)?;
        let copies = Place::all(&self.peer, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let old = copies.iter().filter(|slot| slot.value.as_ref().is_some_and(|copy| copy.expired(context)));
        let mut writes: Vec<_> = old.filter_map(Slot::delete).collect();
        let mut sessions = Vec::from_iter(peer.value.as_ref().and_then(|peer| peer.session.as_ref()));
        let mut archived = Vec::new();
        if let Some(mut archive) = archive_slot.value.take() {
            let place = ArchivePlace { have, peer: &self.peer };
            let dropped = archive.tidy(place, context, &mut needs)?;
            for id in archive.sessions() {
                let key = ArchivedSession::key(&self.peer, id);
                archived.extend(have.read::<ArchivedSession>(key, context, &mut needs)?.value);
            }
            if !dropped.is_empty() {
                writes.extend(dropped);
                writes.push(archive_slot.write(archive, context));
            }
        }
        sessions.extend(archived.iter().map(|old| &old.session));
        for session in sessions.into_iter().filter(|session| session.has_skipped) {
            let key = skipped_key(&self.peer, session.id);
            let mut slot = have.read::<SkippedKeys<'_>>(key, context, &mut needs)?;
            let mut skipped = slot.value.take().unwrap_or(SkippedKeys::none());
            session.chains.tidy(&mut skipped, context.now, &context.limits);
            writes.extend(write_skipped(&slot, skipped, context));
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let count = writes.len();
        // The peer's record is never removed: its revision shows whoever else wrote, also where a record was removed and made again.
        if count > 0 {
            writes.extend(peer.rewrite(context));
        }
        Ok(Run::Done(Step::new(writes, count)))
    }
}
