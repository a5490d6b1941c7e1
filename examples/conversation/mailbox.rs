//! The app's own tables: what it has said, and what it has heard.
//!
//! Every function takes a connection or a transaction; a row that belongs to a step is written in the step's transaction.

use outrigger::MessageId;
use rusqlite::{Connection, OptionalExtension, params};

// `inbox.line` is not unique on purpose: the check at the end is to find a doubled line, not the database to hide it.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS outbox (
        line     INTEGER PRIMARY KEY,
        text     BLOB NOT NULL,
        envelope BLOB                  -- NULL once a receipt came
    ) STRICT;
    CREATE TABLE IF NOT EXISTS inbox (
        arrival  INTEGER PRIMARY KEY,
        line     INTEGER NOT NULL,
        text     BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS requests (
        message  BLOB PRIMARY KEY,     -- the id of what could not be opened
        request  BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS inbox_line ON inbox (line);";

/// Keeps a line and the envelope to be sent of it.
pub(crate) fn put_out(tx: &Connection, line: u32, text: &[u8], envelope: &[u8]) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO outbox VALUES (?1, ?2, ?3)")?.execute(params![line, text, envelope])?;
    Ok(())
}

/// Keeps another envelope of a line that was said.
pub(crate) fn put_again(tx: &Connection, line: u32, envelope: &[u8]) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE outbox SET envelope = ?2 WHERE line = ?1")?.execute(params![line, envelope])?;
    Ok(())
}

/// Keeps a retry request, which the network may lose.
pub(crate) fn put_request(tx: &Connection, message: &MessageId, request: &[u8]) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO requests VALUES (?1, ?2)")?
        .execute(params![message.as_bytes(), request])?;
    Ok(())
}

/// The request that was made for a message.
pub(crate) fn request(connection: &Connection, message: &MessageId) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = connection.prepare_cached("SELECT request FROM requests WHERE message = ?1")?;
    select.query_row([message.as_bytes()], |row| row.get(0)).optional()
}

/// Keeps a line that was heard, unless an earlier envelope has brought it; whether it is a new one.
pub(crate) fn put_in(tx: &Connection, line: u32, text: &[u8]) -> rusqlite::Result<bool> {
    if holds(tx, line)? {
        return Ok(false);
    }
    tx.prepare_cached("INSERT INTO inbox (line, text) VALUES (?1, ?2)")?.execute(params![line, text])?;
    Ok(true)
}

/// Whether a line is in the inbox.
pub(crate) fn holds(connection: &Connection, line: u32) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM inbox WHERE line = ?1")?.exists([line])
}

/// Takes receipts: these envelopes need not be sent again. The text stays, it is the history.
pub(crate) fn settle(connection: &mut Connection, lines: &[u32]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for line in lines {
        transaction.prepare_cached("UPDATE outbox SET envelope = NULL WHERE line = ?1")?.execute([line])?;
    }
    transaction.commit()
}

/// Every envelope without a receipt: all that a restarted device needs to go on.
pub(crate) fn unsettled(connection: &Connection) -> rusqlite::Result<Vec<(u32, Vec<u8>)>> {
    let mut select = connection.prepare("SELECT line, envelope FROM outbox WHERE envelope IS NOT NULL")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The highest line said, and the highest heard; 0: none.
pub(crate) fn last_lines(connection: &Connection) -> rusqlite::Result<(u32, u32)> {
    connection.query_row(
        "SELECT coalesce((SELECT max(line) FROM outbox), 0), coalesce((SELECT max(line) FROM inbox), 0)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// What was heard, in the order in which it came, without the first so many.
pub(crate) fn heard(connection: &Connection, shown: u64) -> rusqlite::Result<Vec<(u32, Vec<u8>)>> {
    // No row is ever deleted, so that the arrivals are numbered from 1 without a gap.
    let mut select =
        connection.prepare("SELECT line, text FROM inbox WHERE arrival > ?1 ORDER BY arrival")?;
    select.query_map([shown.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
