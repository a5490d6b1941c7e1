//! A device's records in a PostgreSQL table, shared with every other worker.

use std::time::Duration;

use getrandom::SysRng;
use outrigger::{
    Context, Generation, Loaded, Operation, Record, RecordKey, Revision, Run, UnixMillis, Write,
};
use tokio_postgres::{
    Client, Error, IsolationLevel, NoTls, Transaction,
    error::SqlState,
    types::{FromSql, ToSql},
};

use crate::{dice::Dice, report::Tally};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Bounds of the pause after a conflict, in microseconds; each in a row doubles it.
const SHORTEST_PAUSE: u64 = 100;
const LONGEST_PAUSE: u64 = 20_000;

const SCHEMA: &str = "
    CREATE TABLE records (device TEXT, key BYTEA, revision BIGINT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY (device, key));
    CREATE TABLE outbox (place BIGSERIAL, device TEXT, text TEXT, envelope BYTEA NOT NULL, PRIMARY KEY (device, text));
    CREATE TABLE inbox (device TEXT, text TEXT, PRIMARY KEY (device, text));
    CREATE TABLE prekeys (device TEXT, field BYTEA, PRIMARY KEY (device, field));";

/// A row that the app makes of an output: a statement, whose first parameter is the device, and the others.
pub(crate) type Row = (&'static str, Vec<Box<dyn ToSql + Send + Sync>>);

/// A connection, and the device whose records it serves.
pub(crate) struct Store {
    client: Client,
    pub(crate) device: String,
    pub(crate) tally: Tally,
    dice: Dice,
}

impl Store {
    /// Connects to the server whose socket is in a directory.
    pub(crate) async fn connect(server: &str, device: &str) -> Self {
        let place = format!("host={server} user=app dbname=postgres");
        let (client, connection) = tokio_postgres::connect(&place, NoTls).await.unwrap();
        tokio::spawn(async { connection.await.unwrap() });
        let dice = Dice::new(getrandom::u64().unwrap());
        Self { client, device: device.to_owned(), tally: Tally::default(), dice }
    }

    /// Makes the tables.
    pub(crate) async fn create(&self) {
        self.client.batch_execute(SCHEMA).await.unwrap();
    }

    /// Runs an operation to its end. `rows` says what the app keeps of the output, in the step's own transaction.
    pub(crate) async fn run<O: Operation>(
        &mut self,
        operation: &O,
        rows: impl Fn(&O::Output) -> Vec<Row>,
    ) -> Result<O::Output, O::Error> {
        let mut lost = 0;
        loop {
            if let Some(output) = self.attempt(operation, &rows).await? {
                return Ok(output);
            }
            lost += 1;
            self.tally.conflicts += 1;
            self.tally.in_a_row = self.tally.in_a_row.max(lost);
            // Without a pause the same few always win: an attempt that is always made at once is always a little late.
            let longest = LONGEST_PAUSE.min(SHORTEST_PAUSE << lost.min(16));
            tokio::time::sleep(Duration::from_micros(self.dice.within(0..=longest))).await;
        }
    }

    /// One attempt: `None` where another worker was faster.
    async fn attempt<O: Operation>(
        &mut self,
        operation: &O,
        rows: impl Fn(&O::Output) -> Vec<Row>,
    ) -> Result<Option<O::Output>, O::Error> {
        let step = {
            // All that one attempt loads is of one moment: a peer's record of before and a prekey of after another worker's step would make a refusal of
            // what is sound.
            let reading = self.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
            let reading = reading.read_only(true).start().await.unwrap();
            let mut have = Loaded::new();
            loop {
                // The context is made anew in each round, for it does not cross an await.
                let run = operation.run(&have, &mut Context::new(NOW, Generation([7; 16]), &mut SysRng))?;
                match run {
                    Run::Needs(needs) => {
                        let answers = load(&reading, &self.device, needs.keys()).await.unwrap();
                        have.answer_with(needs, answers).unwrap();
                    }
                    Run::Done(step) => break step,
                }
            }
        };
        let (writes, held) = step.split();
        let rows = rows(held.to_store());
        let stored = match self.store(&writes, rows).await {
            Ok(stored) => stored,
            // Two workers that wait for each other's rows; the server has rolled one of them back.
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => false,
            Err(error) => panic!("the store failed: {error:?}"),
        };
        self.tally.steps += u64::from(stored);
        Ok(stored.then(|| held.release_after_store()))
    }

    /// All writes and the app's rows in one transaction, or nothing. `false`: a record was not at the revision that its write replaces.
    async fn store(&mut self, writes: &[Write], rows: Vec<Row>) -> Result<bool, Error> {
        // Dropped on every way out but the last: rolled back.
        let transaction = self.client.transaction().await?;
        for write in writes {
            if !apply(&transaction, &self.device, write).await? {
                transaction.rollback().await?;
                return Ok(false);
            }
        }
        for (statement, columns) in &rows {
            let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.device];
            parameters.extend(columns.iter().map(|column| &**column as &(dyn ToSql + Sync)));
            transaction.execute(*statement, &parameters).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// A column of what the tables hold of a device.
    pub(crate) async fn column<T: for<'a> FromSql<'a>>(&self, query: &str, device: &str) -> Vec<T> {
        let rows = self.client.query(query, &[&device]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

async fn load(
    reading: &Transaction<'_>,
    device: &str,
    keys: &[RecordKey],
) -> Result<Vec<(RecordKey, Option<Record>)>, Error> {
    let statement =
        reading.prepare("SELECT revision, bytes FROM records WHERE device = $1 AND key = $2").await?;
    let mut answers = Vec::new();
    for key in keys {
        let row = reading.query_opt(&statement, &[&device, &key.as_bytes()]).await?;
        let record = row.map(|row| Record::new(Revision(row.get::<_, i64>(0).cast_unsigned()), row.get(1)));
        answers.push((*key, record));
    }
    Ok(answers)
}

/// Applies a write if the record is at the revision that it replaces.
async fn apply(transaction: &Transaction<'_>, device: &str, write: &Write) -> Result<bool, Error> {
    let (key, next) = (write.key().as_bytes(), write.revision().0.cast_signed());
    let replaces = write.replaces().map(|revision| revision.0.cast_signed());
    let changed = match (replaces, write.bytes()) {
        (None, Some(bytes)) => {
            let insert = "INSERT INTO records VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            transaction.execute(insert, &[&device, &key, &next, &bytes]).await?
        }
        (Some(old), Some(bytes)) => {
            let update = "UPDATE records SET revision = $3, bytes = $4 WHERE device = $1 AND key = $2 AND revision = $5";
            transaction.execute(update, &[&device, &key, &next, &bytes, &old]).await?
        }
        (old, None) => {
            let delete = "DELETE FROM records WHERE device = $1 AND key = $2 AND revision = $3";
            transaction.execute(delete, &[&device, &key, &old]).await?
        }
    };
    Ok(changed == 1)
}
