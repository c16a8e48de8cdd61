use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::domain::{Instant, Promise, Sabotage, Stream};
use crate::lake::{BATCH_ROWS_MAX, Rows, encode_batch};

use super::{Database, InboxBatch, StoreError};

/// Rows that may wait for the writer; more are refused with "try again later".
pub const QUEUE_ROWS_MAX: usize = 200_000;
/// Bytes (as received) that may wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;
/// Submissions that may join one commit.
const GROUP_SUBMISSIONS_MAX: usize = 4_096;

/// The way into the inbox: a queue in front of one task that commits everything that waits in one transaction.
///
/// A request future only hands its rows over and waits. If its client hangs up, the commit still happens.
#[derive(Clone, Debug)]
pub struct InboxWriter {
    sender: mpsc::UnboundedSender<Submission>,
    load: Arc<Load>,
    sabotage: Sabotage,
}

#[derive(Debug, Default)]
struct Load {
    rows: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Submission {
    rows: Rows,
    bytes: usize,
    received_at: Instant,
    done: oneshot::Sender<Result<i64, Refused>>,
}

/// Why rows were not taken. Nothing of them is stored, or (unknown outcome) a retry is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much waits already.
    #[error("the intake queue is full")]
    QueueFull,
    /// The commit failed; the cause is in the log.
    #[error("the database did not commit")]
    NotCommitted,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl InboxWriter {
    /// Starts the writer task on the present runtime. It ends when every handle is dropped and the queue is empty.
    pub fn start(database: Database) -> (Self, JoinHandle<()>) {
        // Bounded by rows and bytes in `reserve`, not by the number of messages.
        let (sender, receiver) = mpsc::unbounded_channel();
        let load = Arc::<Load>::default();
        let sabotage = database.sabotage();
        let task = tokio::spawn(write_groups(database, receiver, Arc::clone(&load)));
        (Self { sender, load, sabotage }, task)
    }

    /// Commits rows of one stream and returns the sequence number of their inbox batch, once they are on disk.
    ///
    /// # Errors
    /// [`Refused`]: the caller must not acknowledge.
    pub async fn append(&self, rows: Rows, bytes: usize, received_at: Instant) -> Result<i64, Refused> {
        self.reserve(rows.len(), bytes)?;
        let (done, committed) = oneshot::channel();
        self.sender.send(Submission { rows, bytes, received_at, done }).map_err(|_| Refused::Stopping)?;
        if self.sabotage.breaks(Promise::CommitBeforeAnswer) {
            return Ok(0);
        }
        committed.await.map_err(|_| Refused::Stopping)?
    }

    /// True when so much more may wait.
    pub fn has_room(&self, rows: usize, bytes: usize) -> bool {
        self.load.rows.load(Ordering::Relaxed).saturating_add(rows) <= QUEUE_ROWS_MAX
            && self.load.bytes.load(Ordering::Relaxed).saturating_add(bytes) <= QUEUE_BYTES_MAX
    }

    /// Rows that wait now.
    pub fn queued_rows(&self) -> usize {
        self.load.rows.load(Ordering::Relaxed)
    }

    fn reserve(&self, rows: usize, bytes: usize) -> Result<(), Refused> {
        let rows_before = self.load.rows.fetch_add(rows, Ordering::Relaxed);
        let bytes_before = self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        if rows_before.saturating_add(rows) > QUEUE_ROWS_MAX
            || bytes_before.saturating_add(bytes) > QUEUE_BYTES_MAX
        {
            self.load.release(rows, bytes);
            return Err(Refused::QueueFull);
        }
        Ok(())
    }
}

impl Load {
    fn release(&self, rows: usize, bytes: usize) {
        self.rows.fetch_sub(rows, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Commits group after group. While one commit is syncing, the next group forms by itself.
async fn write_groups(
    database: Database,
    mut receiver: mpsc::UnboundedReceiver<Submission>,
    load: Arc<Load>,
) {
    let mut held: Option<Submission> = None;
    loop {
        let mut group: Vec<Submission> = held.take().into_iter().collect();
        if group.is_empty() && receiver.recv_many(&mut group, 1).await == 0 {
            return;
        }
        let mut rows: usize = group.iter().map(|submission| submission.rows.len()).sum();
        while group.len() < GROUP_SUBMISSIONS_MAX {
            let Ok(next) = receiver.try_recv() else { break };
            if rows + next.rows.len() > BATCH_ROWS_MAX {
                held = Some(next);
                break;
            }
            rows += next.rows.len();
            group.push(next);
        }
        let bytes = group.iter().map(|submission| submission.bytes).sum();
        commit_group(&database, group).await;
        load.release(rows, bytes);
    }
}

/// Writes one batch per stream in one transaction and answers every submission.
async fn commit_group(database: &Database, group: Vec<Submission>) {
    let mut batches: Vec<(Rows, Instant)> = Vec::new();
    let mut waiting = Vec::with_capacity(group.len());
    for submission in group {
        let stream = submission.rows.stream();
        waiting.push((stream, submission.done));
        let place = batches.iter().position(|(rows, _)| rows.stream() == stream).unwrap_or_else(|| {
            batches.push((Rows::none(stream), submission.received_at));
            batches.len() - 1
        });
        if let Err(stray) = batches[place].0.append(submission.rows) {
            // Cannot happen: the place was found by the stream. Answered with an error rather than lost in silence.
            tracing::error!(stream = stray.stream().as_str(), "rows of another stream in a batch");
        }
    }
    let outcome = match encode_and_commit(database, batches).await {
        Ok(seqs) => Ok(seqs),
        Err(error) => {
            tracing::error!(%error, "the inbox commit failed");
            stop_if_the_disk_lies(&error);
            Err(Refused::NotCommitted)
        }
    };
    for (stream, done) in waiting {
        let answer = outcome.as_ref().map_err(|refused| *refused).and_then(|seqs| {
            seqs.iter().find(|(of, _)| *of == stream).map(|(_, seq)| *seq).ok_or(Refused::NotCommitted)
        });
        // A client that hung up has no receiver any more; its rows are committed all the same.
        let _ = done.send(answer);
    }
}

async fn encode_and_commit(
    database: &Database,
    batches: Vec<(Rows, Instant)>,
) -> Result<Vec<(Stream, i64)>, WriteError> {
    let encoded = tokio::task::spawn_blocking(move || {
        batches
            .into_iter()
            .map(|(rows, received_at)| Ok((rows.stream(), rows.len(), encode_batch(&rows)?, received_at)))
            .collect::<Result<Vec<_>, crate::lake::FrameError>>()
    })
    .await??;
    let batches: Vec<InboxBatch<'_>> = encoded
        .iter()
        .map(|(stream, rows, bytes, received_at)| InboxBatch {
            stream: *stream,
            rows: *rows,
            arrow_ipc: bytes,
            received_at: *received_at,
        })
        .collect();
    Ok(database.append_group(&batches).await?)
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Encode(#[from] crate::lake::FrameError),
    #[error("the encoding thread died: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Ends the process when the disk under the database failed.
fn stop_if_the_disk_lies(error: &WriteError) {
    if let WriteError::Store(error) = error {
        super::sqlite::stop_if_the_disk_lies(error);
    }
}
