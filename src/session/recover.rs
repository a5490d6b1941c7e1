//! Taking over a store that came back from a backup.

use alloc::vec::Vec;

use super::peer::Peer;
use crate::{
    identity::Account,
    prekey::Prekeys,
    step::{
        Context, Loaded, Needs, Operation, RecordError, RecordKey, RecordKind, Restored, Run, Sealed, Step,
        Write,
    },
};

/// Takes over the records of a store that came back from a backup: they are of another [`Generation`](crate::Generation) than the context's.
///
/// Identity, trust, numbers, archived sessions and copies of what was sent are kept. Active sessions open what is still under way and send nothing; each is replaced
/// at first use, with a mark for the peer that says why. All prekeys are deleted: run [`ReplenishPrekeys`](crate::ReplenishPrekeys) next, and publish.
///
/// Give it the keys of all records, at once or in batches of any size, each a step of its own. Until a record was taken over, every operation that meets it is
/// refused; one of the context's generation is left as it is, so that a run that was cut short is run again.
///
/// Draw the context's new generation yourself and keep it outside backups, as at the start. Do not run it on a copy of a store that is still in use: the two would
/// replace each other's sessions, and every peer would see it.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`RecordKey`]s | of the store, in any order |
/// | out | [`Recovered`] | what was done |
///
/// # Errors
/// [`RecordError::Corrupt`] and [`TooNew`](RecordError::TooNew); leave that key out to lose that record only.
///
/// # Spec
/// `docs/protocol.md`, section 8 "Recovery"; `docs/storing.md`.
#[derive(Clone, Copy, Debug)]
pub struct Recover<'a> {
    /// Which records.
    pub records: &'a [RecordKey],
}

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Records that were kept.
    pub kept: usize,
    /// Of these, peers' devices whose session is to be replaced.
    pub stale: usize,
    /// Prekeys that were deleted.
    pub deleted: usize,
}

impl Sealed for Recover<'_> {}

impl Operation for Recover<'_> {
    type Output = Recovered;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Recovered>, RecordError> {
        let mut needs = Needs::new();
        let mut writes = Vec::new();
        let mut recovered = Recovered::default();
        for key in self.records {
            if let Some(restored) = have.restored(*key, context, &mut needs)? {
                writes.push(recovered.take_over(key.kind(), &restored, context)?);
            }
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(writes, recovered)))
    }
}

impl Recovered {
    fn take_over(
        &mut self,
        kind: RecordKind,
        restored: &Restored<'_>,
        context: &Context<'_>,
    ) -> Result<Write, RecordError> {
        let write = match kind {
            RecordKind::SignedPrekey | RecordKind::OneTimePrekey => {
                self.deleted = self.deleted.saturating_add(1);
                return Ok(restored.delete());
            }
            RecordKind::Peer => {
                let (slot, mut peer) = restored.decode::<Peer>()?;
                self.stale = self.stale.saturating_add(usize::from(peer.session.is_some()));
                peer.grow_stale();
                slot.write(peer, context)
            }
            RecordKind::Prekeys => {
                let (slot, prekeys) = restored.decode::<Prekeys>()?;
                slot.write(prekeys.after_recovery(), context)
            }
            RecordKind::Account => {
                let (slot, account) = restored.decode::<Account>()?;
                slot.write(account.after_recovery(), context)
            }
            // A linking that was under way has gone on without this store, or has ended.
            RecordKind::Linking | RecordKind::Granting => return Ok(restored.delete()),
            // Sealed in a session that speaks no more: the desktop joins anew, and is told what it lacks.
            RecordKind::RelayOut => return Ok(restored.delete()),
            RecordKind::Device
            | RecordKind::Devices
            | RecordKind::Supply
            | RecordKind::Supplied
            | RecordKind::Taken
            | RecordKind::SyncKeys
            | RecordKind::HistoryOut
            | RecordKind::HistoryIn
            | RecordKind::Archive
            | RecordKind::ArchivedSession
            | RecordKind::SkippedKeys
            | RecordKind::Number
            | RecordKind::RetryCopy
            | RecordKind::Accepted
            | RecordKind::Asked
            | RecordKind::Desktops
            | RecordKind::Desktop
            | RecordKind::RelaySeen
            | RecordKind::Relay
            | RecordKind::RelayAsked
            | RecordKind::RetryBudget => restored.keep(context),
        };
        self.kept = self.kept.saturating_add(1);
        Ok(write)
    }
}
