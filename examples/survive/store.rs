//! A device's store: one SQLite file with the crate's records and the app's own tables, and one transaction for each step.
//!
//! ```text
//! records   what the crate writes            places   messages that were asked for, or will not come
//! outbox    what was said, and what goes out for requests, until the server has it
//! uploads   prekeys, until the server has them
//! inbox     what was heard                   mail     how far the mailbox was read
//! ```
//! All of it goes back together, when it goes back. The guard (`generation`) lies beside the file and in no backup.

use std::{fs, path::Path};

use outrigger::{Context, DriveError, Generation, Operation, RecordKey, Rejected, UnixMillis, Write, drive};
use rand_core::TryRng;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{records, source::Keys, trouble::Trouble};

/// Where a device dies at its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// All is written, nothing committed.
    BeforeCommit,
    /// It is committed, and its output reaches nobody.
    AfterCommit,
}

/// The open store of one device, and what is around it: its clock, its source of randomness.
pub(crate) struct Store {
    connection: Connection,
    generation: Generation,
    pub(crate) keys: Keys,
    pub(crate) now: UnixMillis,
    pub(crate) crash: Option<Crash>,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS outbox (
        id INTEGER PRIMARY KEY, line INTEGER, message BLOB, bytes BLOB NOT NULL, tries INTEGER NOT NULL, taken INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS inbox (message BLOB, text BLOB NOT NULL, way INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS places (message BLOB PRIMARY KEY, lost INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS uploads (
        id BLOB PRIMARY KEY, bundle BLOB NOT NULL, last_resort BLOB NOT NULL, each INTEGER NOT NULL, one_time BLOB NOT NULL,
        replaces INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS mail (place INTEGER PRIMARY KEY, until INTEGER NOT NULL) STRICT;";

impl Store {
    /// Opens the store of a directory, and makes what is not there.
    pub(crate) fn open(directory: &Path, mut keys: Keys, now: UnixMillis) -> Result<Self, Trouble> {
        let guard = directory.join("generation");
        if !guard.exists() {
            // A new device, or one that a backup was put onto: the records, if there are any, are of another generation.
            let mut fresh = [0; 16];
            let Ok(()) = keys.try_fill_bytes(&mut fresh);
            fs::write(&guard, fresh)?;
        }
        let generation =
            fs::read(&guard)?.try_into().map_err(|_| Trouble::Stuck("the guard is damaged".into()))?;
        let connection = Connection::open(directory.join("store.sqlite"))?;
        // The accidents here are those of processes and files; none is of the disk.
        connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.execute_batch(records::SCHEMA)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, generation: Generation(generation), keys, now, crash: None })
    }

    /// Runs an operation to its end. `keep` stores what the app wants of the output, in the step's own transaction.
    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
        mut keep: impl FnMut(&Transaction<'_>, &O::Output) -> rusqlite::Result<()>,
    ) -> Result<O::Output, DriveError<O::Error, Trouble>> {
        let Self { connection, generation, keys, now, crash } = self;
        let mut context = Context::new(*now, *generation, keys);
        let load = |connection: &mut Connection, key: &_| Ok(records::load(connection, key)?);
        drive(operation, &mut context, connection, load, |connection, writes, output| {
            match commit(connection, crash, writes, |transaction| keep(transaction, output)) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Rejected::Conflict),
                Err(error) => Err(Rejected::Failed(error)),
            }
        })
    }

    /// A transaction of the app's own.
    pub(crate) fn note(
        &mut self,
        keep: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), Trouble> {
        commit(&mut self.connection, &mut self.crash, &[], keep).map(drop)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The keys of all records.
    pub(crate) fn record_keys(&self) -> Result<Vec<RecordKey>, Trouble> {
        let mut select = self.connection.prepare("SELECT key FROM records")?;
        let keys = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        Ok(keys
            .collect::<rusqlite::Result<Vec<_>>>()?
            .iter()
            .filter_map(|key| RecordKey::from_bytes(key))
            .collect())
    }
}

/// All writes and what the app keeps, or nothing. `false`: a record was not at the revision that its write replaces.
fn commit(
    connection: &mut Connection,
    crash: &mut Option<Crash>,
    writes: &[Write],
    keep: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<bool, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !records::apply(&transaction, writes)? {
        return Ok(false);
    }
    keep(&transaction)?;
    match crash.take() {
        Some(Crash::BeforeCommit) => return Err(Trouble::Killed),
        Some(Crash::AfterCommit) => {
            transaction.commit()?;
            return Err(Trouble::Killed);
        }
        None => transaction.commit()?,
    }
    Ok(true)
}
