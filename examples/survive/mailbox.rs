//! The app's own rows. Those that belong to a step are written in the step's transaction.

use outrigger::{MessageId, PrekeyUpload, UnixMillis, UploadId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::server::{Mail, Upload};

/// Something that the server has not taken yet.
pub(crate) struct Outgoing {
    pub(crate) id: i64,
    pub(crate) line: Option<u32>,
    pub(crate) message: Option<Vec<u8>>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tries: u32,
}

/// How a text came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the first packet that was sent of it.
    AtOnce,
    /// By a packet that the sender repeated.
    Repeated,
    /// After a request, by another envelope.
    Asked,
}

/// Keeps what goes to the server; `line`: of which line it is an envelope.
pub(crate) fn put_out(
    tx: &Connection,
    line: Option<u32>,
    message: Option<&MessageId>,
    bytes: &[u8],
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO outbox (line, message, bytes, tries, taken) VALUES (?1, ?2, ?3, 0, 0)")?
        .execute(params![line, message.map(MessageId::as_bytes), bytes])?;
    Ok(())
}

/// What the server has not taken, oldest first.
pub(crate) fn untaken(connection: &Connection) -> rusqlite::Result<Vec<Outgoing>> {
    let mut select = connection
        .prepare_cached("SELECT id, line, message, bytes, tries FROM outbox WHERE taken = 0 ORDER BY id")?;
    let rows = select.query_map([], |row| {
        let (id, line, message) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Outgoing { id, line, message, bytes: row.get(3)?, tries: row.get(4)? })
    })?;
    rows.collect()
}

/// Notes that a packet was handed over, and whether the server took it.
pub(crate) fn tried(tx: &Connection, id: i64, taken: bool) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE outbox SET tries = tries + 1, taken = ?2 WHERE id = ?1")?
        .execute(params![id, taken])?;
    Ok(())
}

/// How many envelopes this device made of a line.
pub(crate) fn envelopes_of(connection: &Connection, line: u32) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached("SELECT count(*) FROM outbox WHERE line = ?1")?;
    select.query_row([line], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Keeps a text; where it was waited for, it stands in its place now.
pub(crate) fn put_in(
    tx: &Transaction<'_>,
    message: &MessageId,
    text: &[u8],
    way: Way,
) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM places WHERE message = ?1")?.execute([message.as_bytes()])?;
    tx.prepare_cached("INSERT INTO inbox VALUES (?1, ?2, ?3)")?.execute(params![
        message.as_bytes(),
        text,
        way as i64
    ])?;
    Ok(())
}

/// Keeps a place for a message that was asked for, or that will not come.
pub(crate) fn put_place(tx: &Connection, message: &MessageId, lost: bool) -> rusqlite::Result<()> {
    let upsert = "INSERT INTO places VALUES (?1, ?2) ON CONFLICT DO UPDATE SET lost = max(lost, ?2)";
    tx.prepare_cached(upsert)?.execute(params![message.as_bytes(), lost])?;
    Ok(())
}

/// A text that was heard.
pub(crate) struct Heard {
    pub(crate) message: Vec<u8>,
    pub(crate) text: Vec<u8>,
    pub(crate) way: Way,
}

/// All that was heard.
pub(crate) fn inbox(connection: &Connection) -> rusqlite::Result<Vec<Heard>> {
    let mut select = connection.prepare("SELECT message, text, way FROM inbox")?;
    let rows = select.query_map([], |row| {
        let way = match row.get::<_, i64>(2)? {
            0 => Way::AtOnce,
            1 => Way::Repeated,
            _ => Way::Asked,
        };
        Ok(Heard { message: row.get(0)?, text: row.get(1)?, way })
    })?;
    rows.collect()
}

/// All places: message, and whether it will not come.
pub(crate) fn places(connection: &Connection) -> rusqlite::Result<Vec<(Vec<u8>, bool)>> {
    let mut select = connection.prepare("SELECT message, lost FROM places")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The next mail to be read: one that was put off, if its time has come; else the first unread.
pub(crate) fn next_mail(connection: &Connection, now: UnixMillis) -> rusqlite::Result<usize> {
    let due = "SELECT coalesce((SELECT min(place) FROM mail WHERE until BETWEEN 1 AND ?1), -1)";
    let due: i64 = connection.prepare_cached(due)?.query_row([now.0.cast_signed()], |row| row.get(0))?;
    if let Ok(place) = usize::try_from(due) {
        return Ok(place);
    }
    let next = "SELECT coalesce(max(place) + 1, 0) FROM mail";
    let next: i64 = connection.prepare_cached(next)?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(next).unwrap_or(usize::MAX))
}

/// Whether mail was put off.
pub(crate) fn puts_off(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM mail WHERE until > 0")?.exists([])
}

/// Notes that a mail was read, or is to be read again then.
pub(crate) fn read(tx: &Connection, mail: &Mail, until: Option<UnixMillis>) -> rusqlite::Result<()> {
    let place = i64::try_from(mail.place).unwrap_or(i64::MAX);
    let until = until.map_or(0, |until| until.0.cast_signed());
    tx.prepare_cached("INSERT OR REPLACE INTO mail VALUES (?1, ?2)")?.execute([place, until])?;
    Ok(())
}

/// The line of a message that this device said.
pub(crate) fn line_of(tx: &Connection, message: &MessageId) -> rusqlite::Result<Option<u32>> {
    let mut select = tx.prepare_cached("SELECT line FROM outbox WHERE message = ?1 AND line IS NOT NULL")?;
    select.query_row([message.as_bytes()], |row| row.get(0)).optional()
}

/// Whether this device has said a line.
pub(crate) fn holds_line(connection: &Connection, line: u32) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM outbox WHERE line = ?1")?.exists([line])
}

/// Keeps an upload.
pub(crate) fn put_upload(tx: &Transaction<'_>, upload: &PrekeyUpload) -> rusqlite::Result<()> {
    // All are of one length, since they are of one suite.
    let each = upload.one_time_prekeys.first().map_or(0, Vec::len);
    tx.prepare_cached("INSERT OR REPLACE INTO uploads VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        upload.id.to_bytes(),
        upload.bundle,
        upload.last_resort,
        i64::try_from(each).unwrap_or(i64::MAX),
        upload.one_time_prekeys.concat(),
        upload.replaces
    ])?;
    Ok(())
}

/// The uploads that are kept, oldest first.
pub(crate) fn uploads(connection: &Connection) -> rusqlite::Result<Vec<Upload>> {
    let mut select = connection.prepare_cached(
        "SELECT id, bundle, last_resort, each, one_time, replaces FROM uploads ORDER BY id",
    )?;
    let rows = select.query_map([], |row| {
        let each = usize::try_from(row.get::<_, i64>(3)?).unwrap_or(usize::MAX);
        let one_time: Vec<u8> = row.get(4)?;
        Ok(Upload {
            id: UploadId::from_bytes(&row.get(0)?),
            bundle: row.get(1)?,
            last_resort: row.get(2)?,
            one_time: one_time.chunks(each.max(1)).map(<[u8]>::to_vec).collect(),
            replaces: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// The server has it.
pub(crate) fn forget_upload(tx: &Connection, upload: UploadId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM uploads WHERE id = ?1")?.execute([upload.to_bytes()])?;
    Ok(())
}
