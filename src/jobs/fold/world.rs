use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::analytics::{
    Attempt, Changes, Freshness, Grains, Snapshot, add_ledger_lines, add_transactions, attempts,
    raise_freshness,
};
use crate::domain::{Instant, StoreId, Stream, Word};
use crate::lake::{FileSet, FilterCache, Frame, FrameError, LakeError, LakeFile, Table};
use crate::store::{BatchOutcome, FoldCommit, StoreError, WaitingBatch};

use super::merge::MergeRules;

/// A file that is about to be written: id, stream, day, set, path.
pub type Intent = (String, Stream, NaiveDate, FileSet, String);

/// Everything outside of folds, merges and sweeps, as single effects. Between any two of them the process may die, the
/// power may fail, another process may do the same: what the core promises must hold whatever happens there.
///
/// The server gives the real database, disk and memory ([`super::Installed`]); the simulator (`tests/it/simulator`)
/// gives ones that it can crash after any step.
pub trait World {
    /// What holds rows.
    type Rows: Counted;

    /// The oldest batches that wait, an explicit list.
    fn waiting_batches(&self) -> impl Future<Output = Result<Vec<WaitingBatch>, StoreError>>;
    /// The bytes of a batch.
    fn read_batch(&self, seq: i64) -> impl Future<Output = Result<Vec<u8>, StoreError>>;
    /// Sets a batch aside.
    fn hold_batch(&self, seq: i64, reason: &str) -> impl Future<Output = Result<(), StoreError>>;
    /// Notes files before they are written.
    fn note_intents(&self, token: &str, files: &[Intent]) -> impl Future<Output = Result<(), StoreError>>;
    /// Commits everything in one transaction, or nothing; any error but a conflict is an unknown outcome.
    fn commit(&self, commit: &FoldCommit) -> impl Future<Output = Result<i64, StoreError>>;
    /// Puts into a commit what these changes make of the rollups as `base` knows them.
    fn change_blocks(
        &self,
        base: &Snapshot,
        changes: &Changes,
        commit: &mut FoldCommit,
    ) -> impl Future<Output = Result<(), StoreError>>;
    /// The version of the data, and the token of who made it.
    fn data_version(&self) -> impl Future<Output = Result<(i64, String), StoreError>>;
    /// Everything that is committed.
    fn load_snapshot(&self) -> impl Future<Output = Result<Snapshot, StoreError>>;
    /// How finely each store divides time.
    fn grains(&self) -> impl Future<Output = Result<Grains, StoreError>>;
    /// Gives up on files that were intended long ago and never made live: from now on they cannot be.
    fn abandon_intents(&self) -> impl Future<Output = Result<u64, StoreError>>;
    /// Files that were retired or given up so long ago that nobody reads them: id and path.
    fn sweepable_files(&self) -> impl Future<Output = Result<Vec<(String, String)>, StoreError>>;
    /// Forgets a file that was removed.
    fn forget_file(&self, id: &str) -> impl Future<Output = Result<(), StoreError>>;

    /// The bytes of a live file, compared with its hash.
    fn read_file(&self, file: &LakeFile) -> impl Future<Output = Result<Vec<u8>, LakeError>>;
    /// Writes bytes beside a path.
    fn write_beside(&self, path: &str, bytes: &[u8]) -> impl Future<Output = Result<(), LakeError>>;
    /// Waits until what was written is on the disk.
    fn sync_beside(&self, paths: &[&str]) -> impl Future<Output = Result<(), LakeError>>;
    /// Reads what was written.
    fn read_beside(&self, path: &str) -> impl Future<Output = Result<Vec<u8>, LakeError>>;
    /// Gives a file its name.
    fn settle(&self, path: &str) -> impl Future<Output = Result<(), LakeError>>;
    /// Waits until names are on the disk.
    fn sync_folders(&self, paths: &[&str]) -> impl Future<Output = Result<(), LakeError>>;
    /// Notes that the file now stands there as it was written: what is changed later will be noticed.
    fn stands_right(&self, _: &LakeFile) {}
    /// Removes a file and what stands beside it.
    fn remove_file(&self, path: &str) -> impl Future<Output = Result<(), LakeError>>;

    /// Waits until nobody else in this process is about to commit: a fold does not work for nothing because a merge
    /// was first. What other processes do, the commit itself notices.
    fn turn(&self) -> impl Future<Output = Turn>;
    /// The present snapshot of this process.
    fn current(&self) -> Arc<Snapshot>;
    /// Puts the rollups of a commit into the snapshot after it.
    fn take_blocks(&self, next: &mut Snapshot, commit: &FoldCommit);
    /// Replaces it, unless a newer one is there.
    fn publish(&self, snapshot: Snapshot);
    /// The filters of files this process looked into.
    fn filters(&self) -> &FilterCache;
    /// False only where a test breaks the promise that a row is counted once.
    fn knows_earlier_rows(&self) -> bool {
        true
    }
    /// When merging is worth it.
    fn merge_rules(&self) -> MergeRules {
        MergeRules::default()
    }
    /// A name that nobody has used: 128 random bits.
    fn token(&self) -> anyhow::Result<String>;
    /// The time.
    fn now(&self) -> Instant;
    /// Batches were taken in and the snapshot with them published: for metrics.
    fn folded(
        &self,
        outcomes: &[(Stream, BatchOutcome)],
        changes: &Changes,
        next: &Snapshot,
    ) -> impl Future<Output = ()>;
    /// Tells what else happened, for metrics and the log.
    fn note(&self, event: Event<'_>);
}

/// Whoever holds it is the only one in this process that commits.
#[derive(Debug)]
pub struct Turn {
    _held: Option<OwnedMutexGuard<()>>,
}

impl Turn {
    /// Of those who share the lock.
    pub async fn of(lock: &Arc<Mutex<()>>) -> Self {
        Self { _held: Some(Arc::clone(lock).lock_owned().await) }
    }

    /// Where nobody waits for anybody, as in the simulator.
    pub const fn free() -> Self {
        Self { _held: None }
    }
}

/// What the core tells of itself.
#[derive(Debug)]
pub enum Event<'e> {
    /// Files were merged.
    Merged { files: usize, rows: u64 },
    /// Somebody else committed first; it will be tried again.
    Conflict { what: &'e str },
    /// A commit failed and did not happen.
    NotCommitted,
    /// A batch was set aside.
    Held { seq: i64, reason: &'e str },
    /// A live file is damaged or missing.
    Lost { file: &'e LakeFile, reason: &'e str },
}

/// Rows that rollups can be made from.
pub trait Counted: Table {
    /// Adds the cells of these rows, times `sign`; conversion is apart, by groups.
    ///
    /// # Errors
    /// [`FrameError`] when a column is missing.
    fn count_into(
        &self,
        changes: &mut Changes,
        stream: Stream,
        sign: i64,
        grains: &Grains,
    ) -> Result<(), FrameError>;

    /// The counted payment attempts among these rows.
    ///
    /// # Errors
    /// [`FrameError`] when a column is missing.
    fn attempts(&self) -> Result<Vec<Attempt>, FrameError>;

    /// Raises the youngest event and arrival per store and provider.
    ///
    /// # Errors
    /// [`FrameError`] when a column is missing.
    fn raise(
        &self,
        freshness: &mut BTreeMap<(StoreId, Stream, Word), Freshness>,
        stream: Stream,
    ) -> Result<(), FrameError>;
}

impl Counted for Frame {
    fn count_into(
        &self,
        changes: &mut Changes,
        stream: Stream,
        sign: i64,
        grains: &Grains,
    ) -> Result<(), FrameError> {
        match stream {
            Stream::Transactions => add_transactions(changes, self, sign, grains),
            Stream::LedgerLines => add_ledger_lines(changes, self, sign, grains),
            Stream::CheckoutEvents => Ok(()),
        }
    }

    fn attempts(&self) -> Result<Vec<Attempt>, FrameError> {
        attempts(self)
    }

    fn raise(
        &self,
        freshness: &mut BTreeMap<(StoreId, Stream, Word), Freshness>,
        stream: Stream,
    ) -> Result<(), FrameError> {
        raise_freshness(freshness, stream, self)
    }
}
