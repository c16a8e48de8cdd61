//! The order of steps that makes a crash harmless, and what is done when a step fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, bail};
use futures_util::FutureExt;

use crate::analytics::{Changes, Snapshot};
use crate::domain::Stream;
use crate::lake::{FrameError, Table};
use crate::store::{BatchOutcome, FoldCommit, StoreError};

use super::compute::{Computed, compute};
use super::files::{NewFile, store_files};
use super::rollups::next_snapshot;
use super::world::{Event, World};

/// Rows in one fold: bounds its memory.
pub const FOLD_ROWS_MAX: u64 = 100_000;
/// Batches that are looked at in one round.
pub const BATCHES_MAX: usize = 256;
/// How often the snapshot is loaded again while others keep committing.
const LOADS_MAX: usize = 20;
/// Longest kept reason of a batch that was set aside.
const REASON_CHARS_MAX: usize = 500;

/// A decoded batch.
pub(super) struct Batch<T> {
    pub seq: i64,
    pub stream: Stream,
    pub rows: T,
}

/// Why a step did not succeed, by whose fault it is.
#[derive(Debug)]
pub(super) enum Fault {
    /// The batches', or that of a file they need: without them, the others go on.
    Batches(String),
    /// The database's, the disk's: it is tried again.
    Elsewhere(anyhow::Error),
    /// Somebody else committed first: it is tried again from what they left.
    Conflict,
}

impl Fault {
    pub(super) fn elsewhere(error: impl Into<anyhow::Error>) -> Self {
        Self::Elsewhere(error.into())
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self::Batches(error.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::Conflict,
            error => Self::elsewhere(error),
        }
    }
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Rows taken in.
    pub rows: u64,
    /// Batches set aside.
    pub held: u64,
    /// More is waiting, or somebody else was first: go on at once.
    pub more: bool,
}

/// Takes waiting batches in, at most [`FOLD_ROWS_MAX`] rows (or one batch, if that has more).
///
/// # Errors
/// The database or the disk failed; nothing is lost, and the next round tries again.
pub async fn fold_waiting<W: World>(world: &W) -> anyhow::Result<Round> {
    let _turn = world.turn().await;
    catch_up(world).await?;
    let waiting = world.waiting_batches().await.context("listing waiting batches")?;
    let mut round = Round::default();
    let mut batches = Vec::new();
    let mut rows = 0;
    let mut taken = 0;
    for batch in &waiting {
        if rows > 0 && rows + batch.rows > FOLD_ROWS_MAX {
            break;
        }
        (rows, taken) = (rows + batch.rows, taken + 1);
        let bytes = world.read_batch(batch.seq).await.context("reading a batch")?;
        match decode::<W::Rows>(&bytes, batch.rows) {
            Ok(rows) => batches.push(Batch { seq: batch.seq, stream: batch.stream, rows }),
            Err(reason) => set_aside(world, batch.seq, &reason, &mut round).await?,
        }
    }
    round.more = taken < waiting.len() || waiting.len() >= BATCHES_MAX || round.held > 0;
    fold_list(world, batches, &mut round).await?;
    Ok(round)
}

fn decode<T: Table>(bytes: &[u8], rows: u64) -> Result<T, String> {
    let decoded = catch_unwind(AssertUnwindSafe(|| T::decode_batch(bytes)));
    match decoded {
        Ok(Ok(table)) if u64::try_from(table.height()) == Ok(rows) => Ok(table),
        Ok(Ok(table)) => Err(format!("it has {} rows and should have {rows}", table.height())),
        Ok(Err(error)) => Err(format!("it cannot be read: {error}")),
        Err(panic) => Err(format!("reading it panicked: {}", panic_text(panic.as_ref()))),
    }
}

/// Folds a list as one; when that fails because of the list, its halves, until the batch that is to blame stands alone
/// and is set aside.
async fn fold_list<W: World>(
    world: &W,
    batches: Vec<Batch<W::Rows>>,
    round: &mut Round,
) -> anyhow::Result<()> {
    let mut lists = vec![batches];
    while let Some(mut list) = lists.pop() {
        if list.is_empty() {
            continue;
        }
        match fold(world, &list).await {
            Ok(rows) => round.rows += rows,
            Err(Fault::Elsewhere(error)) => return Err(error),
            Err(Fault::Conflict) => {
                round.more = true;
                return Ok(());
            }
            Err(Fault::Batches(reason)) => {
                if let [only] = &list[..] {
                    set_aside(world, only.seq, &reason, round).await?;
                } else {
                    let later = list.split_off(list.len() / 2);
                    lists.push(later);
                    lists.push(list);
                }
            }
        }
    }
    Ok(())
}

async fn set_aside<W: World>(world: &W, seq: i64, reason: &str, round: &mut Round) -> anyhow::Result<()> {
    let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
    world.hold_batch(seq, &reason).await.with_context(|| format!("setting batch {seq} aside"))?;
    world.note(Event::Held { seq, reason: &reason });
    round.held += 1;
    Ok(())
}

/// Folds exactly these batches; returns how many rows they had.
async fn fold<W: World>(world: &W, batches: &[Batch<W::Rows>]) -> Result<u64, Fault> {
    let base = world.current();
    let token = world.token().map_err(Fault::Elsewhere)?;
    let grains = world.grains().await?;
    let computing = AssertUnwindSafe(compute(world, &base, batches, &token, &grains)).catch_unwind();
    let computed = computing.await.unwrap_or_else(|panic| {
        Err(Fault::Batches(format!("folding it panicked: {}", panic_text(panic.as_ref()))))
    })?;
    let (mut commit, changes, files) = commit_of(world, &base, batches, computed, token.clone());
    // Before anything is written: it fails when somebody else has changed the blocks meanwhile.
    world.change_blocks(&base, &changes, &mut commit).await?;
    store_files(world, &token, &files).await?;
    let outcomes = outcomes_by_stream(&commit, batches);
    settle(world, &base, commit).await?;
    world.folded(&outcomes, &changes, &world.current()).await;
    Ok(batches.iter().map(|batch| u64::try_from(batch.rows.height()).unwrap_or(0)).sum())
}

fn commit_of<W: World>(
    world: &W,
    base: &Snapshot,
    batches: &[Batch<W::Rows>],
    computed: Computed,
    token: String,
) -> (FoldCommit, Changes, Vec<NewFile>) {
    let outcome = |seq| computed.outcomes.get(&seq).copied().unwrap_or_default();
    let mut commit = FoldCommit::nothing(token, base.version, world.now());
    commit.batches = batches.iter().map(|batch| (batch.seq, outcome(batch.seq))).collect();
    commit.added = computed.files.iter().map(|new| new.file.clone()).collect();
    commit.superseded = computed.superseded;
    commit.freshness = computed.freshness;
    (commit, computed.changes, computed.files)
}

fn outcomes_by_stream<T>(commit: &FoldCommit, batches: &[Batch<T>]) -> Vec<(Stream, BatchOutcome)> {
    batches.iter().zip(&commit.batches).map(|(batch, (_, outcome))| (batch.stream, *outcome)).collect()
}

/// Commits, and publishes the snapshot after it. When somebody else was first, the files of the commit are removed.
pub(super) async fn settle<W: World>(world: &W, base: &Snapshot, commit: FoldCommit) -> Result<(), Fault> {
    let added: Vec<String> = commit.added.iter().map(|file| file.path.clone()).collect();
    let settled = try_settle(world, base, commit).await;
    if matches!(settled, Err(Fault::Conflict)) {
        // Refused for sure, so nobody can make these files live any more. What fails here, the sweep does later.
        for path in added {
            let _ = world.remove_file(&path).await;
        }
    }
    settled
}

/// Commits, and publishes the snapshot after it; after a conflict the files are left for another try.
///
/// After an unknown outcome the token in the database says who won. The files stay where they are either way: if the
/// commit happened after all they are live, and if not, their intents lead the sweep to them.
pub(super) async fn try_settle<W: World>(
    world: &W,
    base: &Snapshot,
    commit: FoldCommit,
) -> Result<(), Fault> {
    let version = match world.commit(&commit).await {
        Ok(version) => version,
        Err(StoreError::Conflict(what)) => {
            world.note(Event::Conflict { what });
            return Err(Fault::Conflict);
        }
        Err(error) => {
            let (version, winner) = world.data_version().await?;
            if winner != commit.token {
                world.note(Event::NotCommitted);
                return Err(Fault::Elsewhere(anyhow::Error::new(error).context("committing")));
            }
            version
        }
    };
    for file in &commit.retired {
        world.filters().forget(&file.id);
    }
    let mut next = base.clone();
    next.version = version;
    world.take_blocks(&mut next, &commit);
    world.publish(next_snapshot(next, version, commit));
    Ok(())
}

/// Brings this process's snapshot up to what is committed, if another one committed meanwhile.
///
/// # Errors
/// The database did not answer.
pub async fn catch_up<W: World>(world: &W) -> anyhow::Result<()> {
    for _ in 0..LOADS_MAX {
        let (version, _) = world.data_version().await.context("asking for the data version")?;
        if version == world.current().version {
            return Ok(());
        }
        let loaded = world.load_snapshot().await.context("loading the snapshot")?;
        // Its parts are read one after the other: only if nobody committed meanwhile do they belong together.
        if world.data_version().await.context("asking for the data version")?.0 == loaded.version {
            world.publish(loaded);
            return Ok(());
        }
    }
    bail!("others committed faster than the snapshot could be loaded")
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
