use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::api::{self, ApiRecord, BODY_BYTES_MAX, Judge, RowContext, RowError};
use super::received::{Arriving, Received};
use crate::domain::{
    CheckoutEvent, Clock, Instant, LedgerLine, StoreId, Stored, Transaction, Word, import_of_feed, row_hash,
};
use crate::lake::{BATCH_ROWS_MAX, BatchBuilder, EncodedRows, FrameError, Incoming, StreamRecord};
use crate::store::{
    Claims, Database, InboxWriter, KeptAnswer, Load, Parcel, QUEUE_ROWS_MAX, Refused, Room, SHARE_BYTES_MIN,
    SHARE_ROWS_MIN, Share, Shares, StoreError,
};
use crate::telemetry::{Arrivals, Metrics};

use super::gate::IntakeGate;

/// Merchant accounts one store may have.
pub const ACCOUNTS_PER_STORE_MAX: i64 = 1_000;
/// Seconds after which a refused sender should try again.
const RETRY_AFTER_S: u64 = 2;
/// What one row is taken to weigh in the queue before it is encoded.
const ROW_BYTES_GUESS: usize = 600;
/// Bytes of all bodies that are being read or judged at one time.
pub const BODIES_BYTES_MAX: usize = 256 << 20;
/// The room for bodies, shared as the queue is: a sender may have one of the largest under way in any case.
const BODIES: Room = Room {
    all: Load { rows: usize::MAX, bytes: BODIES_BYTES_MAX },
    reserve: Load { rows: 0, bytes: BODIES_BYTES_MAX / 4 },
    least: Load { rows: usize::MAX, bytes: SHARE_BYTES_MIN },
};
// A sender's share of the queue and of the room for bodies holds a maximal batch.
const _: () = assert!(api::BATCH_ROWS_MAX <= SHARE_ROWS_MIN && BODY_BYTES_MAX < SHARE_BYTES_MIN);
/// Under whose name lines are witnesses that restate what trade bills say.
pub(super) const ACCOUNT_BILL: &str = "account_bill";
/// Rows that are judged and encoded at once: few enough to stay in the processor's cache.
const CHUNK_ROWS: usize = 64;

/// The one door to the inbox. Every way in (API, bills, webhooks) ends here, so all are counted alike.
pub struct Intake {
    database: Database,
    writer: InboxWriter,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// The feed that is counted, by store and account; a copy of the table, which only grows.
    sources: RwLock<Sources>,
    bodies: Shares,
    gate: IntakeGate,
    claims: Claims,
    /// One large body a processor is judged at a time: more would only turn each other's memory out of its cache.
    judging: Arc<Semaphore>,
}

/// Feeds by store and account.
type Sources = HashMap<StoreId, HashMap<String, Word>>;

/// Good rows of a body, ready for the inbox.
#[derive(Debug)]
pub struct Encoded {
    rows: EncodedRows,
    arrivals: Arrivals,
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

impl Encoded {
    /// How many rows.
    pub const fn len(&self) -> usize {
        self.rows.rows()
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Intake {
    /// The door in front of this writer.
    pub fn new(
        database: Database,
        writer: InboxWriter,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            database,
            writer,
            clock,
            metrics,
            sources: RwLock::default(),
            bodies: Shares::of(BODIES),
            gate: IntakeGate::default(),
            claims: Claims::default(),
            judging: Arc::new(Semaphore::new(processors)),
        }
    }

    /// What shuts this door while the disk is full.
    pub fn gate(&self) -> IntakeGate {
        self.gate.clone()
    }

    /// Makes transactions durable. `feed` names the way in (`api`, `import:<number>`, `webhook:<provider>`): rows of another
    /// feed than the account's source of record are kept as witnesses and not counted.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing may be acknowledged.
    pub async fn accept_transactions(
        &self,
        feed: Word,
        rows: Vec<Transaction>,
    ) -> Result<Accepted, IntakeError> {
        self.accept(feed, rows).await
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
        self.accept(feed, rows).await
    }

    /// Makes ledger lines durable that are the record of nothing: another bill of the same account is, or will be. They
    /// are kept for reconciliation and never counted; their keys are their own, so none takes a counted line's place.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn accept_ledger_witnesses(
        &self,
        feed: Word,
        rows: Vec<LedgerLine>,
    ) -> Result<Accepted, IntakeError> {
        let now = self.clock.now();
        let mut arrivals = Arrivals::at(now);
        let store = |row: LedgerLine| {
            arrivals.add(&row.arrival());
            let key = row.key().as_witness_of(ACCOUNT_BILL);
            Stored { key, row_hash: row_hash(&row), record: row, witness: true, feed, received_at: now }
        };
        let stored = rows.into_iter().map(store).collect();
        self.append(feed, Incoming::Rows(LedgerLine::rows(stored)), &arrivals, None).await
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
        self.accept(feed, rows).await
    }

    /// Makes rows of any stream durable.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing may be acknowledged.
    pub async fn accept<R: Received>(&self, feed: Word, rows: Vec<R>) -> Result<Accepted, IntakeError> {
        self.accept_from(feed, feed, rows, None).await
    }

    /// The same of one of several senders of a feed, who share the queue. `answer` is kept with the rows.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing may be acknowledged.
    pub async fn accept_from<R: Received>(
        &self,
        sender: Word,
        feed: Word,
        rows: Vec<R>,
        answer: Option<KeptAnswer>,
    ) -> Result<Accepted, IntakeError> {
        let now = self.clock.now();
        let mut arrivals = Arrivals::at(now);
        let mut stored = Vec::with_capacity(rows.len());
        for row in rows {
            arrivals.add(&row.arrival());
            let way = way_of(feed);
            let witness =
                R::HAS_SOURCE && self.source_of_record(row.store(), row.account(), way, now).await? != way;
            stored.push(store_row(row, feed, witness, now));
        }
        self.append(sender, Incoming::Rows(R::rows(stored)), &arrivals, answer).await
    }

    /// Makes rows durable that are encoded already.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing may be acknowledged.
    pub async fn accept_encoded(
        &self,
        sender: Word,
        encoded: Encoded,
        answer: Option<KeptAnswer>,
    ) -> Result<Accepted, IntakeError> {
        self.append(sender, Incoming::Encoded(encoded.rows), &encoded.arrivals, answer).await
    }

    /// Judges the rows of a body and encodes the good ones without keeping any. `None` when a row is of an account
    /// that was not met before: then its source of record must be found out first, which is [`Intake::accept`]'s.
    ///
    /// Takes some microseconds a row: call it on a blocking thread.
    ///
    /// # Errors
    /// [`FrameError`], which no valid row causes.
    pub fn encode<R: ApiRecord>(
        &self,
        feed: Word,
        rows: &[&[u8]],
        context: &RowContext<'_>,
    ) -> Result<Option<(Encoded, Vec<RowError>)>, FrameError> {
        let now = self.clock.now();
        let judge = Judge::new(context, rows.len());
        let (mut arrivals, mut errors) = (Arrivals::at(now), Vec::new());
        let mut builder = BatchBuilder::default();
        for (number, chunk) in rows.chunks(CHUNK_ROWS).enumerate() {
            let mut batch = R::judge_borrowed(chunk, number * CHUNK_ROWS, &judge);
            errors.append(&mut batch.errors);
            let Some(stored) = self.store_rows(batch.rows, feed, &mut arrivals) else { return Ok(None) };
            builder.append(&stored);
        }
        Ok(Some((Encoded { rows: builder.finish()?, arrivals }, errors)))
    }

    /// Rows as they are kept; `None` when an account's source of record is not known here.
    fn store_rows<R: Arriving>(
        &self,
        rows: Vec<R>,
        feed: Word,
        arrivals: &mut Arrivals,
    ) -> Option<Vec<Stored<R>>> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter()
            .map(|row| {
                arrivals.add(&row.arrival());
                let witness =
                    R::HAS_SOURCE && *sources.get(&row.store()).and_then(|of| of.get(row.account()))? != feed;
                Some(store_row(row, feed, witness, arrivals.received_at()))
            })
            .collect()
    }

    /// Room for the body of a request of `sender`, of so many bytes as far as is known; `None` when it is refused now,
    /// here or in the queue behind.
    pub fn body_room(&self, sender: Word, bytes: usize) -> Option<Share> {
        if !self.has_room(sender, bytes.max(1)) {
            return None;
        }
        self.bodies.take(sender, Load { rows: 0, bytes })
    }

    /// True when a batch of so many bytes of `sender` would find room in the queue now.
    pub fn has_room(&self, sender: Word, bytes: usize) -> bool {
        self.writer.has_room(sender, Load { rows: 1, bytes })
    }

    /// A turn at judging a large body; hold it until the rows are encoded.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        Arc::clone(&self.judging).acquire_owned().await.ok()
    }

    /// Requests that are under way with a key against repetition.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// True when nobody finds room any more.
    pub fn is_full(&self) -> bool {
        self.queued_rows() >= QUEUE_ROWS_MAX
    }

    /// Rows that wait for their commit.
    pub fn queued_rows(&self) -> usize {
        self.writer.queued_rows()
    }

    async fn append(
        &self,
        sender: Word,
        rows: Incoming,
        arrivals: &Arrivals,
        answer: Option<KeptAnswer>,
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
        let bytes = rows.bytes().unwrap_or(count * ROW_BYTES_GUESS);
        let parcel = Parcel { rows, sender, bytes, received_at: arrivals.received_at(), answer };
        let answer = self.writer.append(parcel).await;
        self.metrics.set_intake_queue(self.writer.queued_rows());
        match &answer {
            Ok(_) => self.metrics.database_took("append_batch", timer.elapsed().as_secs_f64()),
            // A full queue is no fault of the database, and it never saw these rows.
            Err(Refused::QueueFull) => {}
            Err(_) => self.metrics.database_failed("append_batch", "not_committed"),
        }
        match answer {
            Ok(seq) => {
                self.metrics.records_accepted(arrivals);
                Ok(Accepted { rows: count, inbox_seq: Some(seq) })
            }
            Err(Refused::QueueFull) => Err(IntakeError::QueueFull { retry_after_s: RETRY_AFTER_S }),
            Err(refused) => Err(IntakeError::NotCommitted(refused)),
        }
    }

    /// Asks the database again for the sources of record of a store's accounts: some were forgotten.
    pub fn forget_sources(&self, store: StoreId) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).remove(&store);
    }

    async fn source_of_record(
        &self,
        store: StoreId,
        account: &str,
        feed: Word,
        now: Instant,
    ) -> Result<Word, IntakeError> {
        let known = |sources: &Sources| sources.get(&store)?.get(account).copied();
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
            .entry(store)
            .or_default()
            .insert(account.to_owned(), source);
        Ok(source)
    }
}

/// All imports are one way in: none of them is another source than the others.
fn way_of(feed: Word) -> Word {
    if import_of_feed(feed.as_str()).is_some() { Word::of("import") } else { feed }
}

fn store_row<R: StreamRecord>(record: R, feed: Word, witness: bool, received_at: Instant) -> Stored<R> {
    let key = if witness { record.key().as_witness_of(way_of(feed).as_str()) } else { record.key() };
    Stored { key, row_hash: row_hash(&record), record, witness, feed, received_at }
}
