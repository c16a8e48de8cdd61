use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant as Moment, timeout_at};

use crate::domain::{Instant, Promise, Sabotage, Stream, Word};
use crate::lake::{BATCH_ROWS_MAX, EncodedRows, FrameError, Incoming, Rows, encode_batch};

use super::shares::{Load, Room, Share, Shares};
use super::{Database, InboxBatch, KeptAnswer, StoreError};

/// Rows that may wait for the writer; more are refused with "try again later".
pub const QUEUE_ROWS_MAX: usize = 200_000;
/// Bytes (as received) that may wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;
/// A quarter is left free for whoever comes next; a sender's share is one maximal batch at least.
const QUEUE: Room = Room {
    all: Load { rows: QUEUE_ROWS_MAX, bytes: QUEUE_BYTES_MAX },
    reserve: Load { rows: QUEUE_ROWS_MAX / 4, bytes: QUEUE_BYTES_MAX / 4 },
    least: Load { rows: SHARE_ROWS_MIN, bytes: SHARE_BYTES_MIN },
};
/// Rows of one sender that may wait in any case, while there is room at all.
pub const SHARE_ROWS_MIN: usize = 10_000;
/// Bytes of one sender that may wait in any case: the largest body, and what its columns add.
pub const SHARE_BYTES_MIN: usize = 32 << 20;
/// The longest wait for a larger group.
const WAIT_MAX: Duration = Duration::from_millis(5);
/// Groups after which waiting is tried again, when it brought nothing.
const GROUPS_AT_ONCE: u32 = 32;
/// Submissions that may join one commit.
const GROUP_SUBMISSIONS_MAX: usize = 4_096;

/// The way into the inbox: a queue in front of one task that commits everything that waits in one transaction.
///
/// A request future only hands its rows over and waits. If its client hangs up, the commit still happens.
#[derive(Clone, Debug)]
pub struct InboxWriter {
    sender: mpsc::UnboundedSender<Submission>,
    queue: Shares,
    sabotage: Sabotage,
}

/// Rows that ask to be written.
#[derive(Debug)]
pub struct Parcel {
    pub rows: Incoming,
    /// Who sends: the queue is shared between senders.
    pub sender: Word,
    /// As received.
    pub bytes: usize,
    pub received_at: Instant,
    /// The answer, where it is to be kept for retries.
    pub answer: Option<KeptAnswer>,
}

#[derive(Debug)]
struct Submission {
    rows: Incoming,
    bytes: usize,
    received_at: Instant,
    answer: Option<KeptAnswer>,
    done: oneshot::Sender<Result<i64, Refused>>,
    /// Room in the queue, until the commit.
    share: Share,
}

/// Why rows were not taken. Nothing of them is stored, or (unknown outcome) a retry is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much waits already, of this sender or in all.
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
        Self::start_in(database, QUEUE)
    }

    /// The same with another room for what waits.
    pub fn start_in(database: Database, room: Room) -> (Self, JoinHandle<()>) {
        // Bounded by rows and bytes in `append`, not by the number of messages.
        let (sender, receiver) = mpsc::unbounded_channel();
        let queue = Shares::of(room);
        let sabotage = database.sabotage();
        let task = tokio::spawn(write_groups(database, receiver));
        (Self { sender, queue, sabotage }, task)
    }

    /// Commits rows of one stream and returns the sequence number of their inbox batch, once they are on disk.
    ///
    /// # Errors
    /// [`Refused`]: the caller must not acknowledge.
    pub async fn append(&self, parcel: Parcel) -> Result<i64, Refused> {
        let Parcel { rows, sender, bytes, received_at, answer } = parcel;
        let load = Load { rows: rows.len(), bytes };
        let share = self.queue.take(sender, load).ok_or(Refused::QueueFull)?;
        let (done, committed) = oneshot::channel();
        let submission = Submission { rows, bytes, received_at, answer, done, share };
        self.sender.send(submission).map_err(|_| Refused::Stopping)?;
        if self.sabotage.breaks(Promise::CommitBeforeAnswer) {
            return Ok(0);
        }
        committed.await.map_err(|_| Refused::Stopping)?
    }

    /// True when so much more of this sender may wait.
    pub fn has_room(&self, sender: Word, load: Load) -> bool {
        self.queue.has_room(sender, load)
    }

    /// Rows that wait now.
    pub fn queued_rows(&self) -> usize {
        self.queue.held().rows
    }
}

/// Commits group after group. While one commit is syncing, the next group forms by itself.
async fn write_groups(database: Database, mut receiver: mpsc::UnboundedReceiver<Submission>) {
    let mut held: Option<Submission> = None;
    let mut pace = Pace::default();
    loop {
        let mut group: Vec<Submission> = held.take().into_iter().collect();
        if group.is_empty() && receiver.recv_many(&mut group, 1).await == 0 {
            return;
        }
        held = gather(&mut receiver, &mut group, &mut pace).await;
        let (size, begun) = (group.len(), Moment::now());
        commit_group(&database, group).await;
        pace.committed(size, begun.elapsed(), receiver.len());
    }
}

/// Bytes of one group: far below the largest value of either database.
const GROUP_BYTES_MAX: usize = 64 << 20;

/// Adds what waits, and what is about to come back; returns a submission that did not fit any more.
async fn gather(
    receiver: &mut mpsc::UnboundedReceiver<Submission>,
    group: &mut Vec<Submission>,
    pace: &mut Pace,
) -> Option<Submission> {
    let mut rows: usize = group.iter().map(|submission| submission.rows.len()).sum();
    let mut bytes: usize = group.iter().map(|submission| submission.bytes).sum();
    let deadline = Moment::now() + pace.patience();
    let waiting = group.len() + receiver.len();
    while group.len() < GROUP_SUBMISSIONS_MAX {
        let next = match receiver.try_recv() {
            Ok(next) => next,
            Err(_) if group.len() >= pace.expected => break,
            Err(_) => match timeout_at(deadline, receiver.recv()).await {
                Ok(Some(next)) => next,
                Ok(None) | Err(_) => break,
            },
        };
        if rows + next.rows.len() > BATCH_ROWS_MAX || bytes + next.bytes > GROUP_BYTES_MAX {
            return Some(next);
        }
        rows += next.rows.len();
        bytes += next.bytes;
        group.push(next);
    }
    pace.gathered(waiting, group.len());
    None
}

/// How long it is worth to wait for a larger group.
///
/// Senders that were just answered mostly send again within a fraction of a sync. Without waiting for them they fall
/// into two halves, each of which waits for the other's sync.
#[derive(Debug, Default)]
struct Pace {
    /// Submissions that are awaited before a commit begins.
    expected: usize,
    /// What the last commit took.
    took: Duration,
    /// Groups that are committed at once, because waiting brought nothing the last time.
    at_once: u32,
}

impl Pace {
    /// A commit of `size` submissions ended, and so many wait already.
    fn committed(&mut self, size: usize, took: Duration, waiting: usize) {
        self.took = took;
        self.expected = if size > 1 { waiting + size - size / 8 } else { 1 };
        self.at_once = self.at_once.saturating_sub(1);
    }

    fn patience(&self) -> Duration {
        if self.at_once > 0 { Duration::ZERO } else { (self.took / 4).min(WAIT_MAX) }
    }

    /// A group of `waiting` became one of `size`.
    fn gathered(&mut self, waiting: usize, size: usize) {
        let is_in_vain = self.expected > waiting && (size - waiting.min(size)) * 4 < self.expected - waiting;
        if is_in_vain && self.at_once == 0 {
            self.at_once = GROUPS_AT_ONCE;
        }
    }
}

/// What becomes one inbox row: rows of one stream of all requests that waited.
struct Gathered {
    few: Rows,
    encoded: EncodedRows,
    received_at: Instant,
}

impl Gathered {
    fn new(stream: Stream, received_at: Instant) -> Self {
        Self { few: Rows::none(stream), encoded: EncodedRows::none(stream), received_at }
    }

    fn take(&mut self, incoming: Incoming) {
        let stray = match incoming {
            Incoming::Rows(rows) => self.few.append(rows).err().map(|rows| rows.stream()),
            Incoming::Encoded(rows) => self.encoded.append(rows).err().map(|rows| rows.stream()),
        };
        if let Some(stray) = stray {
            // Cannot happen: the place was found by the stream. Said rather than lost in silence.
            tracing::error!(stream = stray.as_str(), "rows of another stream in a batch");
        }
    }

    /// Few rows of many requests are encoded together, behind those that came encoded.
    fn encode(mut self) -> Result<(EncodedRows, Instant), FrameError> {
        if !self.few.is_empty() {
            let stray = self.encoded.append(encode_batch(&self.few)?);
            debug_assert!(stray.is_ok(), "both are of one stream");
        }
        Ok((self.encoded, self.received_at))
    }
}

/// Writes one batch per stream in one transaction and answers every submission.
async fn commit_group(database: &Database, group: Vec<Submission>) {
    let mut batches: Vec<(Stream, Gathered)> = Vec::new();
    let mut waiting = Vec::with_capacity(group.len());
    let mut answers = Vec::new();
    for submission in group {
        let stream = submission.rows.stream();
        waiting.push((stream, submission.done, submission.share));
        answers.extend(submission.answer.map(|answer| (answer, submission.received_at)));
        let place = batches.iter().position(|(of, _)| *of == stream).unwrap_or_else(|| {
            batches.push((stream, Gathered::new(stream, submission.received_at)));
            batches.len() - 1
        });
        batches[place].1.take(submission.rows);
    }
    let outcome = match encode_and_commit(database, batches, &answers).await {
        Ok(seqs) => Ok(seqs),
        Err(error) => {
            tracing::error!(%error, "the inbox commit failed");
            stop_if_the_disk_lies(&error);
            Err(Refused::NotCommitted)
        }
    };
    // Retries are let in again: what they look for is there now, or will never be.
    drop(answers);
    for (stream, done, share) in waiting {
        drop(share);
        let answer = outcome.as_ref().map_err(|refused| *refused).and_then(|seqs| {
            seqs.iter().find(|(of, _)| *of == stream).map(|(_, seq)| *seq).ok_or(Refused::NotCommitted)
        });
        // A client that hung up has no receiver any more; its rows are committed all the same.
        let _ = done.send(answer);
    }
}

async fn encode_and_commit(
    database: &Database,
    batches: Vec<(Stream, Gathered)>,
    answers: &[(KeptAnswer, Instant)],
) -> Result<Vec<(Stream, i64)>, WriteError> {
    let encoded = tokio::task::spawn_blocking(move || {
        batches.into_iter().map(|(_, gathered)| gathered.encode()).collect::<Result<Vec<_>, FrameError>>()
    })
    .await??;
    let batches: Vec<InboxBatch<'_>> = encoded
        .iter()
        .map(|(rows, received_at)| InboxBatch {
            stream: rows.stream(),
            rows: rows.rows(),
            arrow_ipc: rows.bytes(),
            received_at: *received_at,
        })
        .collect();
    Ok(database.append_group(&batches, answers).await?)
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Encode(#[from] FrameError),
    #[error("the encoding thread died: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Ends the process when the disk under the database failed.
fn stop_if_the_disk_lies(error: &WriteError) {
    if let WriteError::Store(error) = error {
        super::sqlite::stop_if_the_disk_lies(error);
    }
}
