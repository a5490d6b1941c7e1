//! A device's store: one SQLite file, and one transaction for each step.
//!
//! The crate says what to read and what to write; this file is all that an app must bring to it. A step's writes and the app's own rows
//! (`mailbox.rs`) go into the same transaction: either the message key is used up *and* the text is kept, or neither.
//!
//! The records hold private keys. A real app encrypts this file, or lays it where the system does.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
    time::SystemTime,
};

use getrandom::SysRng;
use outrigger::{Context, DriveError, Generation, Operation, Rejected, UnixMillis, Write, drive};
use rusqlite::{Connection, TransactionBehavior, config::DbConfig};

use crate::{mailbox, records};

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// When it is on the disk. What an app needs: a state that goes back after the message left encrypts under the same key again.
    PowerLoss,
    /// When the system has it: survives the death of the process, not that of the machine. Only for measuring, without one `fsync` a step.
    ProcessDeath,
}

impl Durability {
    fn synchronous(self) -> &'static str {
        match self {
            Self::PowerLoss => "FULL",
            Self::ProcessDeath => "NORMAL",
        }
    }

    /// What is said of it.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::PowerLoss => "write-ahead log, synchronous=FULL: each step waits for the disk",
            Self::ProcessDeath => {
                "write-ahead log, synchronous=NORMAL, for speed: safe from kills, not from power cuts"
            }
        }
    }
}

/// Where a device is to die at its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// All is written, nothing committed: the step has not happened.
    BeforeCommit,
    /// It is committed, and its output has reached nobody: the step has happened.
    AfterCommit,
}

/// Why the store failed.
#[derive(Debug)]
pub(crate) enum StoreError {
    Database(rusqlite::Error),
    /// The file with the restore guard.
    Guard(io::Error),
    /// The device was killed: drop everything in memory.
    Killed,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => write!(f, "SQLite: {error}"),
            Self::Guard(error) => write!(f, "the restore guard: {error}"),
            Self::Killed => f.write_str("killed"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// The open store of one device.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    generation: Generation,
    /// Set to kill the device at the next commit.
    pub(crate) crash: Option<CrashPoint>,
}

impl Store {
    /// Makes a store in an empty directory.
    pub(crate) fn create(directory: &Path, durability: Durability) -> Result<Self, StoreError> {
        // The guard lies beside the database, in a file that no backup may save: a database that comes back without it, or beside another
        // one, is refused by every operation, before a key of its past is used again.
        let mut generation = [0; 16];
        getrandom::fill(&mut generation).map_err(|error| StoreError::Guard(error.into()))?;
        let path = directory.join("generation");
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = file.map_err(StoreError::Guard)?;
        file.write_all(&generation).and_then(|()| file.sync_all()).map_err(StoreError::Guard)?;
        Self::open(directory, durability)
    }

    /// Opens the store that is there, after a kill too: SQLite finds by itself what was committed.
    pub(crate) fn open(directory: &Path, durability: Durability) -> Result<Self, StoreError> {
        let guard = fs::read(directory.join("generation")).map_err(StoreError::Guard)?;
        let guard = guard.try_into().map_err(|_| StoreError::Guard(io::ErrorKind::InvalidData.into()))?;
        let connection = Connection::open(directory.join("store.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", durability.synchronous())?;
        // A key that was used is overwritten in the file, not only unlinked.
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.execute_batch(records::SCHEMA)?;
        connection.execute_batch(mailbox::SCHEMA)?;
        Ok(Self { connection, generation: Generation(guard), crash: None })
    }

    /// Runs an operation to its end. `keep` stores what the app wants of the output, in the step's own transaction.
    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
        mut keep: impl FnMut(&Connection, &O::Output) -> rusqlite::Result<()>,
    ) -> Result<O::Output, DriveError<O::Error, StoreError>> {
        let mut random = SysRng;
        let mut context = Context::new(now(), self.generation, &mut random);
        let load = |store: &mut Self, key: &_| Ok(records::load(&store.connection, key)?);
        drive(operation, &mut context, self, load, |store, writes, output| {
            match store.commit(writes, |transaction| keep(transaction, output)) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Rejected::Conflict),
                Err(error) => Err(Rejected::Failed(error)),
            }
        })
    }

    /// Rows of the app's own, outside a step.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM records", [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// All writes and what the app keeps, or nothing. `false`: a record was not at the revision that its write replaces.
    fn commit(
        &mut self,
        writes: &[Write],
        keep: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<bool, StoreError> {
        let crash = self.crash.take();
        // Dropped on every way out but the last: rolled back.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !records::apply(&transaction, writes)? {
            return Ok(false);
        }
        keep(&transaction)?;
        if crash != Some(CrashPoint::BeforeCommit) {
            transaction.commit()?;
        } else {
            drop(transaction);
        }
        match crash {
            Some(_) => {
                // The dead tidy nothing up: without this, closing would move the log into the database.
                self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                Err(StoreError::Killed)
            }
            None => Ok(true),
        }
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
