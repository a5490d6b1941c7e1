//! A device's store: one SQLite file, one transaction for each step, every write checked against the revision that it replaces.
//!
//! The app's own tables are in the same file, and what it makes of a step's output goes into the step's own transaction.

use std::{path::Path, thread, time::Duration};

use getrandom::SysRng;
use outrigger::{
    Context, DriveError, Generation, Operation, Record, RecordKey, Rejected, Revision, UnixMillis, Write,
    drive,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    crash::{Crash, Moment},
    report::Tally,
};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Conflicts in a row after which a process takes SQLite's write lock before it loads and not after, so that no race, however uneven, is lost for ever.
const PATIENCE: u64 = 8;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, revision INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS outbox (place INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, envelope BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS inbox (place INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE IF NOT EXISTS prekeys (place INTEGER PRIMARY KEY, field BLOB NOT NULL UNIQUE, bundle BLOB NOT NULL) STRICT;";

/// How SQLite keeps a transaction apart until it is committed.
#[derive(Clone, Copy)]
pub(crate) enum Journal {
    /// New pages in a log: readers and the writer do not wait for each other.
    Ahead,
    /// Old pages in a journal, which is there while a transaction is open: who comes after a kill rolls it back.
    Rollback,
}

/// An open store.
pub(crate) struct Store {
    pub(crate) connection: Connection,
    pub(crate) tally: Tally,
    pub(crate) crash: Option<Crash>,
    lost_in_a_row: u64,
}

impl Store {
    /// Opens a file, or makes it.
    pub(crate) fn open(path: &Path, journal: Journal) -> Self {
        let mut connection = Connection::open(path).unwrap();
        // SQLite's own way of waiting begins with a millisecond, in which the other process has made several steps: here they are to meet.
        connection.busy_handler(Some(wait_for_the_lock)).unwrap();
        let mode = match journal {
            Journal::Ahead => "WAL",
            Journal::Rollback => "DELETE",
        };
        connection.pragma_update(None, "journal_mode", mode).unwrap();
        Self::on(connection)
    }

    pub(crate) fn in_memory() -> Self {
        Self::on(Connection::open_in_memory().unwrap())
    }

    fn on(connection: Connection) -> Self {
        // Processes die here, not the machine: what the system has is safe.
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        Self { connection, tally: Tally::default(), crash: None, lost_in_a_row: 0 }
    }

    /// Runs an operation to its end; `keep` stores what the app wants of the output, in the step's transaction.
    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
        mut keep: impl FnMut(&Connection, &O::Output) -> rusqlite::Result<()>,
    ) -> Result<O::Output, O::Error> {
        let mut random = SysRng;
        let mut context = Context::new(NOW, Generation([7; 16]), &mut random);
        self.lost_in_a_row = 0;
        let done = drive(operation, &mut context, self, Self::load, |store, writes, output| {
            store.commit(writes, |connection| keep(connection, output))
        });
        // Refused: what it was refused by is still being read.
        self.end_transaction("ROLLBACK").unwrap();
        match done {
            Ok(output) => Ok(output),
            Err(DriveError::Refused(error)) => Err(error),
            Err(DriveError::Store(error)) => panic!("the store failed: {error}"),
            Err(DriveError::Conflicts) => panic!("lost {} times in a row", self.lost_in_a_row),
        }
    }

    /// A column of texts or envelopes, in the order in which they came.
    pub(crate) fn column<T: rusqlite::types::FromSql>(&self, query: &str) -> Vec<T> {
        let mut select = self.connection.prepare(query).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// All that one attempt loads is of one moment: a peer's record of before and a prekey of after another process's step would make a refusal of what is sound.
    fn load(&mut self, key: &RecordKey) -> rusqlite::Result<Option<Record>> {
        if self.connection.is_autocommit() {
            // Who has lost often enough goes first for once.
            self.connection.execute_batch(if self.is_patient() { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
        }
        self.connection
            .prepare_cached("SELECT revision, bytes FROM records WHERE key = ?1")?
            .query_row([key.as_bytes()], |row| {
                Ok(Record::new(Revision(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?))
            })
            .optional()
    }

    /// All writes and what the app keeps, or nothing.
    fn commit(
        &mut self,
        writes: &[Write],
        keep: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), Rejected<rusqlite::Error>> {
        self.may_die(Moment::BeforeTransaction);
        if self.is_patient() {
            // From here to the next line others may write: that is what the revisions are for.
            self.end_transaction("COMMIT")?;
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        for write in writes {
            if !apply(&self.connection, write)? {
                self.end_transaction("ROLLBACK")?;
                self.lost_in_a_row += 1;
                self.tally.conflicts += 1;
                self.tally.in_a_row = self.tally.in_a_row.max(self.lost_in_a_row);
                return Err(Rejected::Conflict);
            }
            self.may_die(Moment::BetweenWrites);
        }
        keep(&self.connection)?;
        self.may_die(Moment::BeforeCommit);
        self.end_transaction("COMMIT")?;
        self.may_die(Moment::AfterCommit);
        self.tally.steps += 1;
        Ok(())
    }

    fn is_patient(&self) -> bool {
        self.lost_in_a_row < PATIENCE
    }

    /// Ends the transaction, if one is open.
    fn end_transaction(&self, how: &str) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch(how) }
    }

    fn may_die(&self, moment: Moment) {
        self.crash.iter().for_each(|crash| crash.here(self.tally.steps + 1, moment));
    }
}

fn wait_for_the_lock(tries: i32) -> bool {
    thread::sleep(Duration::from_micros(20));
    tries < 1_000_000
}

/// Applies a write if the record is at the revision that it replaces.
fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<bool> {
    let (key, next) = (write.key().as_bytes(), write.revision().0.cast_signed());
    let replaces = write.replaces().map(|revision| revision.0.cast_signed());
    let changed = match (replaces, write.bytes()) {
        (None, Some(bytes)) => connection
            .prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![key, next, bytes])?,
        (Some(old), Some(bytes)) => connection
            .prepare_cached("UPDATE records SET revision = ?2, bytes = ?3 WHERE key = ?1 AND revision = ?4")?
            .execute(params![key, next, bytes, old])?,
        (old, None) => connection
            .prepare_cached("DELETE FROM records WHERE key = ?1 AND revision = ?2")?
            .execute(params![key, old])?,
    };
    Ok(changed == 1)
}
