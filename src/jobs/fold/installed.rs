use std::sync::Arc;

use chrono::TimeDelta;

use crate::analytics::{Changes, Grains, Snapshot};
use crate::domain::{Instant, Promise, Stream};
use crate::jobs::payment_metrics::{count_payments, gauge_pending, pending_blocks};
use crate::jobs::rollups::changed_blocks;
use crate::jobs::runner::JobContext;
use crate::lake::{FilterCache, Frame, Lake, LakeError, LakeFile};
use crate::store::{BatchOutcome, FoldCommit, StoreError, WaitingBatch};
use crate::telemetry::FoldResult;

use super::protocol::BATCHES_MAX;
use super::world::{Event, Intent, Turn, World};

/// How long a retired file stays: longer than any reader of an old snapshot needs it.
const RETIRED_KEEP: TimeDelta = TimeDelta::hours(24);
/// How old an intended file must be before it counts as an orphan.
const INTENDED_KEEP: TimeDelta = TimeDelta::hours(1);
/// Files that are swept in one round.
pub const SWEEP_MAX: i64 = 200;

/// 128 random bits in hex.
pub(in crate::jobs) fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

/// The world as it is: the installation's database, lake, snapshot and clock.
#[derive(Clone)]
pub struct Installed {
    context: JobContext,
    lake: Lake,
    shared: Shared,
}

/// What the folds and merges of a process share from round to round.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    pub filters: Arc<FilterCache>,
    turns: Arc<tokio::sync::Mutex<()>>,
}

impl Shared {
    /// Waits until nobody else who shares this commits.
    pub async fn turn(&self) -> Turn {
        Turn::of(&self.turns).await
    }
}

impl Installed {
    /// The world of this installation.
    pub const fn new(context: JobContext, lake: Lake, shared: Shared) -> Self {
        Self { context, lake, shared }
    }
}

impl Installed {
    /// Notes how long a fold took.
    pub(super) fn fold_took(&self, time: std::time::Duration) {
        self.context.metrics.fold_took(time.as_secs_f64());
    }
}

impl World for Installed {
    type Rows = Frame;

    async fn waiting_batches(&self) -> Result<Vec<WaitingBatch>, StoreError> {
        let waiting =
            self.context.database.waiting_batches(i64::try_from(BATCHES_MAX).unwrap_or(i64::MAX)).await?;
        self.context.metrics.set_inbox_batches(waiting.len());
        Ok(waiting)
    }

    async fn read_batch(&self, seq: i64) -> Result<Vec<u8>, StoreError> {
        self.context.database.read_batch(seq).await
    }

    async fn hold_batch(&self, seq: i64, reason: &str) -> Result<(), StoreError> {
        self.context.database.hold_batch(seq, reason, self.now()).await?;
        Ok(())
    }

    async fn note_intents(&self, token: &str, files: &[Intent]) -> Result<(), StoreError> {
        self.context.database.intend_files(token, files, self.now()).await
    }

    async fn commit(&self, commit: &FoldCommit) -> Result<i64, StoreError> {
        let timer = std::time::Instant::now();
        let committed = self.context.database.commit_fold(commit).await;
        if committed.is_ok() {
            self.context.metrics.database_took("commit_fold", timer.elapsed().as_secs_f64());
        }
        committed
    }

    async fn change_blocks(
        &self,
        base: &Snapshot,
        changes: &Changes,
        commit: &mut FoldCommit,
    ) -> Result<(), StoreError> {
        let database = &self.context.database;
        let stores = database.stores().await?;
        (commit.blocks, commit.calendars) = changed_blocks(database, base, changes, &stores).await?;
        Ok(())
    }

    async fn data_version(&self) -> Result<(i64, String), StoreError> {
        let (version, token, _) = self.context.database.data_version().await?;
        Ok((version, token))
    }

    async fn load_snapshot(&self) -> Result<Snapshot, StoreError> {
        self.context.database.load_snapshot().await
    }

    async fn grains(&self) -> Result<Grains, StoreError> {
        let stores = self.context.database.stores().await?;
        Ok(stores.iter().map(|store| (store.id, store.grain())).collect())
    }

    async fn abandon_intents(&self) -> Result<u64, StoreError> {
        let now = self.now();
        self.context.database.abandon_intents(now - INTENDED_KEEP, now).await
    }

    async fn sweepable_files(&self) -> Result<Vec<(String, String)>, StoreError> {
        let now = self.now();
        // A backup copies files of a moment ago.
        if self.context.database.files_are_held(now).await? {
            return Ok(Vec::new());
        }
        self.context.database.sweepable_files(now - RETIRED_KEEP, SWEEP_MAX).await
    }

    async fn forget_file(&self, id: &str) -> Result<(), StoreError> {
        self.context.database.forget_file(id).await
    }

    async fn read_file(&self, file: &LakeFile) -> Result<Vec<u8>, LakeError> {
        self.lake.read_bytes(file)
    }

    async fn write_beside(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.lake.write_beside(path, bytes)
    }

    async fn sync_beside(&self, paths: &[&str]) -> Result<(), LakeError> {
        self.lake.sync_beside(paths)
    }

    async fn read_beside(&self, path: &str) -> Result<Vec<u8>, LakeError> {
        self.lake.read_beside(path)
    }

    async fn settle(&self, path: &str) -> Result<(), LakeError> {
        self.lake.settle(path)
    }

    async fn sync_folders(&self, paths: &[&str]) -> Result<(), LakeError> {
        self.lake.sync_folders(paths)
    }

    fn stands_right(&self, file: &LakeFile) {
        self.lake.note_right(file);
    }

    async fn remove_file(&self, path: &str) -> Result<(), LakeError> {
        self.lake.remove(path)
    }

    async fn turn(&self) -> Turn {
        self.shared.turn().await
    }

    fn current(&self) -> Arc<Snapshot> {
        self.context.snapshots.current()
    }

    fn take_blocks(&self, next: &mut Snapshot, commit: &FoldCommit) {
        next.take_blocks(next.version, &commit.blocks, &commit.calendars);
    }

    fn publish(&self, snapshot: Snapshot) {
        self.context.snapshots.publish(snapshot);
    }

    fn filters(&self) -> &FilterCache {
        &self.shared.filters
    }

    fn knows_earlier_rows(&self) -> bool {
        !self.lake.sabotage().breaks(Promise::CountedOnce)
    }

    fn token(&self) -> anyhow::Result<String> {
        random_token()
    }

    fn now(&self) -> Instant {
        self.context.clock.now()
    }

    async fn folded(&self, outcomes: &[(Stream, BatchOutcome)], changes: &Changes, next: &Snapshot) {
        let metrics = &self.context.metrics;
        for (stream, outcome) in outcomes {
            for (result, rows) in [
                (FoldResult::New, outcome.new),
                (FoldResult::Replaced, outcome.replaced),
                (FoldResult::Unchanged, outcome.unchanged),
            ] {
                metrics.rows_folded(*stream, result, u64::try_from(rows).unwrap_or(0));
            }
        }
        metrics.snapshot_published(next.folded_at);
        count_payments(metrics, changes);
        match pending_blocks(&self.context.database, next, next.folded_at).await {
            Ok(blocks) => gauge_pending(metrics, &blocks),
            // The fold is committed; the gauge is set again with the next one.
            Err(error) => tracing::warn!(%error, "what is pending could not be counted"),
        }
    }

    fn note(&self, event: Event<'_>) {
        let metrics = &self.context.metrics;
        match event {
            Event::Merged { files, rows } => tracing::debug!(files, rows, "files merged"),
            Event::Conflict { what } => {
                tracing::info!(what, "somebody else committed first");
                metrics.database_failed("commit_fold", "conflict");
            }
            Event::NotCommitted => metrics.database_failed("commit_fold", "not_committed"),
            Event::Held { seq, reason } => {
                tracing::error!(batch = seq, reason, "batch {seq} is set aside: it cannot be folded");
            }
            Event::Lost { file, reason } => {
                tracing::error!(file = file.id, path = file.path, reason, "a live file cannot be read");
            }
        }
    }
}
