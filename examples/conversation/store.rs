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
use outrigger::{
    Context, DriveError, Generation, Operation, Record, RecordKey, Rejected, Revision, UnixMillis, Write,
    drive,
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, config::DbConfig, params};

use crate::mailbox;

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

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        key      BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        bytes    BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

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
        connection.execute_batch(SCHEMA)?;
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
        drive(operation, &mut context, self, Self::load, |store, writes, output| {
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

    fn load(&mut self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT revision, bytes FROM records WHERE key = ?1")?;
        let record = select.query_row([key.as_bytes()], |row| {
            Ok(Record::new(Revision(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?))
        });
        Ok(record.optional()?)
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
        for write in writes {
            if !apply(&transaction, write)? {
                return Ok(false);
            }
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

/// Applies a write if the record is at the revision that it replaces.
fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<bool> {
    let (key, next) = (write.key().as_bytes(), write.revision().0.cast_signed());
    let changed = match (write.replaces(), write.bytes()) {
        (None, Some(bytes)) => connection
            .prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![key, next, bytes])?,
        (Some(old), Some(bytes)) => connection
            .prepare_cached("UPDATE records SET revision = ?2, bytes = ?3 WHERE key = ?1 AND revision = ?4")?
            .execute(params![key, next, bytes, old.0.cast_signed()])?,
        (Some(old), None) => connection
            .prepare_cached("DELETE FROM records WHERE key = ?1 AND revision = ?2")?
            .execute(params![key, old.0.cast_signed()])?,
        (None, None) => {
            let mut select = connection.prepare_cached("SELECT 1 FROM records WHERE key = ?1")?;
            usize::from(!select.exists([key])?)
        }
    };
    Ok(changed == 1)
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
