use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{
    CheckoutEvent, Clock, Instant, LedgerLine, StoreId, Stored, Transaction, Word, row_hash,
};
use crate::lake::{BATCH_ROWS_MAX, Rows, StreamRecord};
use crate::store::{Database, InboxWriter, Refused, StoreError};
use crate::telemetry::{Arrival, Metrics};

use super::gate::IntakeGate;

/// Merchant accounts one store may have.
pub const ACCOUNTS_PER_STORE_MAX: i64 = 1_000;
/// Seconds after which a refused sender should try again.
const RETRY_AFTER_S: u64 = 2;
/// What one row is taken to weigh in the queue where its size on the wire is not known (a bill's line).
const ROW_BYTES_GUESS: usize = 600;

/// The one door to the inbox. Every way in (API, bills, webhooks) ends here, so all are counted alike.
pub struct Intake {
    database: Database,
    writer: InboxWriter,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// The feed that is counted, by store and account; a copy of the table, which only grows.
    sources: RwLock<HashMap<(StoreId, String), Word>>,
    gate: IntakeGate,
}

/// Rows that are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub rows: usize,
    /// The inbox batch they are in; after the fold `Database::batch_outcome` tells new, replaced, unchanged of the
    /// whole batch.
    pub inbox_seq: Option<i64>,
}

/// Why rows could not be taken now. A retry is always safe.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Too much waits; try again after so many seconds.
    #[error("the intake queue is full; try again in {retry_after_s} seconds")]
    QueueFull { retry_after_s: u64 },
    /// More rows than one call may bring.
    #[error("{0} rows in one call; at most {BATCH_ROWS_MAX}")]
    TooManyRows(usize),
    /// A store has its full number of accounts.
    #[error("the store has {ACCOUNTS_PER_STORE_MAX} merchant accounts already")]
    TooManyAccounts,
    /// The disk is too full to take anything in; reading goes on.
    #[error("the server's disk is full; nothing was taken in, send the batch again later")]
    DiskFull,
    /// The database did not commit.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The commit failed or the server is stopping.
    #[error("{0}; nothing was acknowledged, send the batch again")]
    NotCommitted(Refused),
}

impl Intake {
    /// The door in front of this writer.
    pub fn new(
        database: Database,
        writer: InboxWriter,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { database, writer, clock, metrics, sources: RwLock::default(), gate: IntakeGate::default() }
    }

    /// What shuts this door while the disk is full.
    pub fn gate(&self) -> IntakeGate {
        self.gate.clone()
    }

    /// Makes transactions durable. `feed` names the way in (`api`, `import`, `webhook:<provider>`): rows of another
    /// feed than the account's source of record are kept as witnesses and not counted.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing may be acknowledged.
    pub async fn accept_transactions(
        &self,
        feed: Word,
        rows: Vec<Transaction>,
    ) -> Result<Accepted, IntakeError> {
        let now = self.clock.now();
        let arrivals = rows
            .iter()
            .map(|row| Arrival {
                provider: row.provider,
                kind: row.kind.as_str(),
                told_at: row.updated_at.or(row.completed_at).unwrap_or(row.created_at),
                live: true,
            })
            .collect();
        let mut stored = Vec::with_capacity(rows.len());
        for row in rows {
            let source = self.source_of_record(row.store, &row.account, feed, now).await?;
            stored.push(store_row(row, feed, source != feed, now));
        }
        self.append(Rows::Transactions(stored), arrivals, now).await
    }

    /// Makes ledger lines durable.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn accept_ledger_lines(
        &self,
        feed: Word,
        rows: Vec<LedgerLine>,
    ) -> Result<Accepted, IntakeError> {
        let now = self.clock.now();
        let arrivals = rows
            .iter()
            .map(|row| Arrival {
                provider: row.provider,
                kind: "ledger_line",
                told_at: row.posted_at,
                live: false,
            })
            .collect();
        let stored = rows.into_iter().map(|row| store_row(row, feed, false, now)).collect();
        self.append(Rows::LedgerLines(stored), arrivals, now).await
    }

    /// Makes checkout events durable.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn accept_checkout_events(
        &self,
        feed: Word,
        rows: Vec<CheckoutEvent>,
    ) -> Result<Accepted, IntakeError> {
        let now = self.clock.now();
        let arrivals = rows
            .iter()
            .map(|row| Arrival { provider: None, kind: "checkout_event", told_at: row.time, live: true })
            .collect();
        let stored = rows.into_iter().map(|row| store_row(row, feed, false, now)).collect();
        self.append(Rows::CheckoutEvents(stored), arrivals, now).await
    }

    /// True when so many more rows and bytes may come in now; asked before a body is read.
    pub fn has_room(&self, rows: usize, bytes: usize) -> bool {
        self.writer.has_room(rows, bytes)
    }

    /// Rows that wait for their commit.
    pub fn queued_rows(&self) -> usize {
        self.writer.queued_rows()
    }

    async fn append(
        &self,
        rows: Rows,
        arrivals: Vec<Arrival>,
        now: Instant,
    ) -> Result<Accepted, IntakeError> {
        let count = rows.len();
        if count == 0 {
            return Ok(Accepted { rows: 0, inbox_seq: None });
        }
        if count > BATCH_ROWS_MAX {
            return Err(IntakeError::TooManyRows(count));
        }
        if self.gate.is_shut() {
            return Err(IntakeError::DiskFull);
        }
        let timer = std::time::Instant::now();
        let answer = self.writer.append(rows, count * ROW_BYTES_GUESS, now).await;
        self.metrics.set_intake_queue(self.writer.queued_rows());
        match &answer {
            Ok(_) => self.metrics.database_took("append_batch", timer.elapsed().as_secs_f64()),
            // A full queue is no fault of the database, and it never saw these rows.
            Err(Refused::QueueFull) => {}
            Err(_) => self.metrics.database_failed("append_batch", "not_committed"),
        }
        match answer {
            Ok(seq) => {
                self.metrics.records_accepted(&arrivals, now);
                Ok(Accepted { rows: count, inbox_seq: Some(seq) })
            }
            Err(Refused::QueueFull) => Err(IntakeError::QueueFull { retry_after_s: RETRY_AFTER_S }),
            Err(refused) => Err(IntakeError::NotCommitted(refused)),
        }
    }

    async fn source_of_record(
        &self,
        store: StoreId,
        account: &str,
        feed: Word,
        now: Instant,
    ) -> Result<Word, IntakeError> {
        let known =
            |sources: &HashMap<(StoreId, String), Word>| sources.get(&(store, account.to_owned())).copied();
        if let Some(source) = known(&self.sources.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(source);
        }
        let kept = self
            .database
            .source_of_record(store, account, feed.as_str(), now, ACCOUNTS_PER_STORE_MAX)
            .await?
            .ok_or(IntakeError::TooManyAccounts)?;
        let source = Word::of(&kept);
        self.sources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((store, account.to_owned()), source);
        Ok(source)
    }
}

fn store_row<R: StreamRecord>(record: R, feed: Word, witness: bool, received_at: Instant) -> Stored<R> {
    let key = if witness { record.key().as_witness_of(feed.as_str()) } else { record.key() };
    Stored { key, row_hash: row_hash(&record), record, witness, feed, received_at }
}
