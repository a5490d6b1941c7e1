//! The crate's records in a table of the app's own database: all that its store must do for them.

use outrigger::{Record, RecordKey, Revision, Write};
use rusqlite::{Connection, OptionalExtension, params};

/// The table.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        key      BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        bytes    BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// Reads a record; `None`: absent.
pub(crate) fn load(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Record>> {
    let mut select = connection.prepare_cached("SELECT revision, bytes FROM records WHERE key = ?1")?;
    let record = select.query_row([key.as_bytes()], |row| {
        Ok(Record::new(Revision(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?))
    });
    record.optional()
}

/// Applies all writes, each if its record is at the revision that it replaces. `false`: one was not, and the transaction is to be dropped.
pub(crate) fn apply(transaction: &Connection, writes: &[Write]) -> rusqlite::Result<bool> {
    for write in writes {
        if !apply_one(transaction, write)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn apply_one(transaction: &Connection, write: &Write) -> rusqlite::Result<bool> {
    let (key, next) = (write.key().as_bytes(), write.revision().0.cast_signed());
    let changed = match (write.replaces(), write.bytes()) {
        (None, Some(bytes)) => transaction
            .prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![key, next, bytes])?,
        (Some(old), Some(bytes)) => transaction
            .prepare_cached("UPDATE records SET revision = ?2, bytes = ?3 WHERE key = ?1 AND revision = ?4")?
            .execute(params![key, next, bytes, old.0.cast_signed()])?,
        (Some(old), None) => transaction
            .prepare_cached("DELETE FROM records WHERE key = ?1 AND revision = ?2")?
            .execute(params![key, old.0.cast_signed()])?,
        (None, None) => {
            let mut select = transaction.prepare_cached("SELECT 1 FROM records WHERE key = ?1")?;
            usize::from(!select.exists([key])?)
        }
    };
    Ok(changed == 1)
}
