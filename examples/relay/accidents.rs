//! What befalls a phone: it is killed, and its user puts a backup back; and what can be seen in its records.

use std::{error::Error, fmt};

use outrigger::{DriveError, Operation, RecordKind, Recover, Recovered, Rejected};

use crate::{
    device::{Device, Outcome, Store, new_generation},
    server::Server,
};

/// Why nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Killed;

impl Store {
    pub(crate) fn count(&self, kind: RecordKind) -> usize {
        self.0.keys().filter(|key| key.kind() == kind).count()
    }

    /// The kinds of the records in which a text stands.
    pub(crate) fn holding(&self, text: &[u8]) -> Vec<RecordKind> {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        self.0.iter().filter(|(_, (_, bytes))| holds(bytes)).map(|(key, _)| key.kind()).collect()
    }
}

impl Device {
    /// Runs an operation in a process that is killed right before its transaction is committed.
    pub(crate) fn run_killed<O: Operation>(
        &mut self,
        operation: &O,
    ) -> Result<O::Output, DriveError<O::Error, Killed>> {
        self.run_by(operation, |_, _| Err(Rejected::Failed(Killed)))
    }

    /// Puts a backup back, as its user does on another phone.
    pub(crate) fn restore(&mut self, backup: Store, server: &mut Server) -> Outcome<Recovered> {
        self.store = backup;
        self.generation = new_generation()?;
        let records: Vec<_> = self.store.0.keys().copied().collect();
        let recovered = self.run(&Recover { records: &records })?;
        self.publish(None, server)?;
        Ok(recovered)
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process was killed")
    }
}

impl Error for Killed {}
