//! A process: its memory, on top of the database and the disk that all share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use tillwatch::analytics::{Changes, Grains, Snapshot, SnapshotCell};
use tillwatch::domain::{Instant, Stream, instant_from_ms};
use tillwatch::jobs::fold::{Event, Intent, MergeRules, Turn, World};
use tillwatch::lake::{FilterCache, LakeError, LakeFile};
use tillwatch::store::{BatchOutcome, FoldCommit, StoreError, WaitingBatch};

use super::Break;
use super::database::{Blocks, Database};
use super::disk::Disk;
use super::random::Random;
use super::rows::Rows;

/// Steps after which an intended file counts as an orphan: fewer than a paused fold may sleep.
const INTENDED_KEEP: u64 = 60;
/// Steps after which a retired file is removed.
const RETIRED_KEEP: u64 = 200;
/// Bytes of filters a process keeps: fewer than it would like, so that they are built again now and then.
const FILTER_BYTES: usize = 2_000;

/// What all processes share.
pub struct Shared {
    pub database: Database,
    pub disk: Disk,
    pub random: RefCell<Random>,
    /// Steps so far: the clock.
    pub steps: RefCell<u64>,
    /// While false no step fails by itself, so that a run comes to an end.
    pub is_rough: RefCell<bool>,
}

/// A process. When it dies, this is gone.
pub struct Node {
    pub shared: Rc<Shared>,
    pub snapshots: SnapshotCell,
    filters: FilterCache,
    /// Rollup blocks of commits that are under way, by token.
    blocks: RefCell<HashMap<String, Blocks>>,
}

impl Node {
    pub fn start(shared: &Rc<Shared>) -> Rc<Self> {
        let (snapshots, filters) = (SnapshotCell::default(), FilterCache::new(FILTER_BYTES));
        Rc::new(Self { shared: Rc::clone(shared), snapshots, filters, blocks: RefCell::default() })
    }

    /// Lets everybody else go first, and perhaps the process die: nothing after this may count on what was before.
    pub async fn step(&self) {
        let mut is_first = true;
        poll_fn(|_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }).await;
        *self.shared.steps.borrow_mut() += 1;
    }

    fn steps(&self) -> u64 {
        *self.shared.steps.borrow()
    }

    fn fails(&self, one_in: u64) -> bool {
        *self.shared.is_rough.borrow() && self.shared.random.borrow_mut().one_in(one_in)
    }

    fn is_broken(&self, promise: Break) -> bool {
        self.shared.database.broken == promise
    }
}

fn lost_connection() -> StoreError {
    StoreError::Unavailable(sqlx::Error::WorkerCrashed)
}

fn failed(path: &str, kind: std::io::ErrorKind) -> LakeError {
    LakeError::Io { path: path.to_owned(), source: kind.into() }
}

fn beside(path: &str) -> String {
    path.replace(".parquet", ".tmp")
}

impl World for Node {
    type Rows = Rows;

    async fn waiting_batches(&self) -> Result<Vec<WaitingBatch>, StoreError> {
        self.step().await;
        Ok(self.shared.database.waiting())
    }

    async fn read_batch(&self, seq: i64) -> Result<Vec<u8>, StoreError> {
        self.step().await;
        Ok(self.shared.database.state.borrow().inbox[&seq].bytes.clone())
    }

    async fn hold_batch(&self, seq: i64, reason: &str) -> Result<(), StoreError> {
        self.step().await;
        if let Some(batch) = self.shared.database.state.borrow_mut().inbox.get_mut(&seq)
            && !batch.is_folded
        {
            batch.held.get_or_insert_with(|| reason.to_owned());
        }
        Ok(())
    }

    async fn note_intents(&self, _: &str, files: &[Intent]) -> Result<(), StoreError> {
        self.step().await;
        self.shared.database.intend(files, self.steps());
        Ok(())
    }

    async fn commit(&self, commit: &FoldCommit) -> Result<i64, StoreError> {
        self.step().await;
        if self.fails(12) {
            self.after_unknown(commit);
            return Err(lost_connection());
        }
        let blocks = self.blocks.borrow_mut().remove(&commit.token).unwrap_or_default();
        let committed = self.shared.database.commit(commit, &blocks, self.steps())?;
        if self.is_broken(Break::RollupsInTheCommit) {
            self.step().await;
            self.shared.database.commit_rollups_later(&blocks);
        }
        if self.fails(12) {
            // It happened, and its answer got lost.
            self.after_unknown(commit);
            return Err(lost_connection());
        }
        Ok(committed)
    }

    async fn change_blocks(
        &self,
        _: &Snapshot,
        changes: &Changes,
        commit: &mut FoldCommit,
    ) -> Result<(), StoreError> {
        self.step().await;
        // If somebody commits between this and our commit, ours is refused.
        let blocks = self.shared.database.changed_blocks(changes);
        self.blocks.borrow_mut().insert(commit.token.clone(), blocks);
        Ok(())
    }

    async fn data_version(&self) -> Result<(i64, String), StoreError> {
        self.step().await;
        let state = self.shared.database.state.borrow();
        Ok((state.version, state.token.clone()))
    }

    async fn load_snapshot(&self) -> Result<Snapshot, StoreError> {
        self.step().await;
        Ok(self.shared.database.load())
    }

    async fn grains(&self) -> Result<Grains, StoreError> {
        Ok(Grains::default())
    }

    async fn abandon_intents(&self) -> Result<u64, StoreError> {
        self.step().await;
        let now = self.steps();
        Ok(self.shared.database.abandon(now.saturating_sub(INTENDED_KEEP), now))
    }

    async fn sweepable_files(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.step().await;
        let now = self.steps();
        let (retired, intended) = (now.saturating_sub(RETIRED_KEEP), now.saturating_sub(INTENDED_KEEP));
        Ok(self.shared.database.sweepable(retired, intended))
    }

    async fn forget_file(&self, id: &str) -> Result<(), StoreError> {
        self.step().await;
        self.shared.database.forget(id);
        Ok(())
    }

    async fn read_file(&self, file: &LakeFile) -> Result<Vec<u8>, LakeError> {
        self.step().await;
        let Some(bytes) = self.shared.disk.read(&file.path) else {
            return Err(LakeError::Missing(file.path.clone()));
        };
        let found = blake3::hash(&bytes).to_hex().to_string();
        if found != file.blake3 {
            return Err(LakeError::Damaged { path: file.path.clone(), expected: file.blake3.clone(), found });
        }
        Ok(bytes)
    }

    async fn write_beside(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.step().await;
        if self.fails(80) || !self.shared.disk.create(&beside(path), bytes) {
            return Err(failed(path, std::io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    async fn sync_beside(&self, paths: &[&str]) -> Result<(), LakeError> {
        for path in paths {
            self.step().await;
            if !self.is_broken(Break::SyncBeforeRename) {
                self.shared.disk.sync(&beside(path));
            }
        }
        Ok(())
    }

    async fn read_beside(&self, path: &str) -> Result<Vec<u8>, LakeError> {
        self.step().await;
        self.shared.disk.read(&beside(path)).ok_or_else(|| LakeError::Missing(path.to_owned()))
    }

    async fn settle(&self, path: &str) -> Result<(), LakeError> {
        self.step().await;
        let renamed = self.shared.disk.rename(&beside(path), path);
        if renamed { Ok(()) } else { Err(failed(path, std::io::ErrorKind::NotFound)) }
    }

    async fn sync_folders(&self, paths: &[&str]) -> Result<(), LakeError> {
        for path in paths {
            self.step().await;
            self.shared.disk.sync_folder_of(path);
        }
        Ok(())
    }

    async fn remove_file(&self, path: &str) -> Result<(), LakeError> {
        self.step().await;
        self.shared.disk.remove(&beside(path));
        self.shared.disk.remove(path);
        Ok(())
    }

    async fn turn(&self) -> Turn {
        self.step().await;
        Turn::free()
    }

    fn current(&self) -> Arc<Snapshot> {
        self.snapshots.current()
    }

    fn take_blocks(&self, _: &mut Snapshot, _: &FoldCommit) {}

    async fn folded(&self, _: &[(Stream, BatchOutcome)], _: &Changes, _: &Snapshot) {}

    fn publish(&self, snapshot: Snapshot) {
        self.snapshots.publish(snapshot);
    }

    fn filters(&self) -> &FilterCache {
        &self.filters
    }

    fn merge_rules(&self) -> MergeRules {
        MergeRules { similar_files: 3, superseded_rows_min: 2 }
    }

    fn token(&self) -> anyhow::Result<String> {
        Ok(format!("{:016x}", self.shared.random.borrow_mut().next()))
    }

    fn now(&self) -> Instant {
        instant_from_ms(i64::try_from(self.steps()).unwrap())
    }

    fn note(&self, _: Event<'_>) {}
}

impl Node {
    fn after_unknown(&self, commit: &FoldCommit) {
        if self.is_broken(Break::FilesKeptOnUnknown) {
            for file in &commit.added {
                self.shared.disk.remove(&file.path);
            }
        }
    }
}
