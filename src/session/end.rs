//! Ending every session with a device: what is left of it is what it was known by.

use alloc::vec::Vec;

use super::{
    archive::{Archive, ArchivePlace},
    peer::Peer,
};
use crate::{
    identity::Address,
    step::{Context, Loaded, Needs, RecordError, Slot, Write},
};

/// A device whose sessions are to end.
pub(super) struct Ending<'a> {
    place: ArchivePlace<'a>,
    archive: Slot<Archive>,
}

impl<'a> Ending<'a> {
    pub(super) fn read(
        peer: &'a Address,
        have: &'a Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        let archive = Archive::read(have, peer, context, needs)?;
        Ok(Self { place: ArchivePlace { have, peer }, archive })
    }

    /// The writes that end all sessions. What was opened is remembered under any key: should this one come back, its messages must not; and copies of what was
    /// sent stay, since each names the key that it was sent to.
    pub(super) fn end(
        mut self,
        slot: &Slot<Peer>,
        mut peer: Peer,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<Write>, RecordError> {
        let mut writes = Vec::new();
        if let Some(session) = peer.session.take() {
            writes.extend(self.place.remove_skipped(session.id, context, needs)?);
        }
        peer.stale = false;
        writes.push(slot.write(peer, context));
        if let Some(mut archive) = self.archive.value.take() {
            writes.extend(archive.clear(self.place, context, needs)?);
            writes.push(self.archive.write(archive, context));
        }
        Ok(writes)
    }
}

/// Ends all sessions with a device that its account has let go; nothing where there was none.
pub(crate) fn end_sessions(
    peer: &Address,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Vec<Write>, RecordError> {
    let mut slot = Peer::read(have, peer, context, needs)?;
    let ending = Ending::read(peer, have, context, needs)?;
    slot.value.take().map_or(Ok(Vec::new()), |known| ending.end(&slot, known, context, needs))
}
