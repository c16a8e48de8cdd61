//! Takes waiting inbox batches into the lake and the rollups.
//!
//! Read an explicit list of batches ([`protocol`]) → per stream and UTC day find what they supersede, asking the
//! filters of the day's files first, and work out the change of the rollups from the rows that came and the rows that
//! went ([`compute`]) → note the new files as intended, write them, sync them ([`files`]) → commit files, superseded
//! rows, rollups, marks and data version in one transaction → publish the new snapshot. Killed at any point and run
//! again, it leaves the same files, rollups and rows: before the commit nothing happened, after it all of it happened.
//!
//! Everything but the pure parts is a step of a [`World`]. The server's is [`Installed`]; the simulator's loses what was
//! not synced, crashes between any two steps and lets tasks overtake each other. Both drive the same code.

mod compute;
mod files;
mod installed;
mod merge;
mod protocol;
mod rollups;
mod sweep;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;

use crate::lake::{FilterCache, Lake};

use super::runner::{Job, JobContext, JobReport};

pub(in crate::jobs) use installed::random_token;
pub use installed::{Installed, SWEEP_MAX};
pub use merge::{MERGE_ROWS_MAX, MergeRules, SMALL_MERGE_ROWS_MAX, merge_due};
pub use protocol::{FOLD_ROWS_MAX, Round, catch_up, fold_waiting};
pub use sweep::sweep;
pub use world::{Counted, Event, Intent, World};

/// How often the inbox is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// While batches always wait, one round in so many may merge as much as an idle one, so that large files come too.
const LARGE_MERGE_EVERY: u32 = 16;
/// Rounds without merging after a merge that failed: folds go on meanwhile.
const MERGE_PAUSE_ROUNDS: u32 = 120;

/// The fold, and between folds the merging of files.
pub struct Fold {
    lake: Lake,
    filters: Arc<FilterCache>,
    rounds: AtomicU32,
    /// The round from which on merging is tried again.
    merges_from: AtomicU32,
}

impl Fold {
    /// A fold into this lake.
    pub fn new(lake: Lake) -> Self {
        Self { lake, filters: Arc::default(), rounds: AtomicU32::new(0), merges_from: AtomicU32::new(0) }
    }
}

impl Job for Fold {
    const NAME: &'static str = "fold";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let world = Installed::new(context.clone(), self.lake.clone(), Arc::clone(&self.filters));
        let number = self.rounds.fetch_add(1, Ordering::Relaxed);
        let room = MergeRoom {
            is_open: number >= self.merges_from.load(Ordering::Relaxed),
            is_large: number.is_multiple_of(LARGE_MERGE_EVERY),
        };
        let runtime = tokio::runtime::Handle::current();
        // Polars computes for up to seconds: the whole round stands on one blocking thread.
        let working = tokio::task::spawn_blocking(move || runtime.block_on(fold_and_merge(&world, room)));
        let (round, merged) = working.await.context("the fold thread died")??;
        let merged = merged.unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "files could not be merged; folds go on");
            self.merges_from.store(number.saturating_add(MERGE_PAUSE_ROUNDS), Ordering::Relaxed);
            false
        });
        let held = context.database.count_held_batches().await.context("counting batches set aside")?;
        context.metrics.set_inbox_held_batches(held);
        context.metrics.set_filter_bytes(self.filters.bytes());
        Ok(JobReport { done: round.rows, more: round.more || merged })
    }
}

/// What a round may merge.
#[derive(Clone, Copy)]
struct MergeRoom {
    is_open: bool,
    /// As much as an idle one, though batches wait.
    is_large: bool,
}

/// A round; merging that fails is no failure of the fold.
async fn fold_and_merge(world: &Installed, room: MergeRoom) -> anyhow::Result<(Round, anyhow::Result<bool>)> {
    let timer = std::time::Instant::now();
    let round = fold_waiting(world).await.context("folding")?;
    if round.rows > 0 {
        world.fold_took(timer.elapsed());
    }
    if !room.is_open {
        return Ok((round, Ok(false)));
    }
    let rows_max = if round.more && !room.is_large { SMALL_MERGE_ROWS_MAX } else { MERGE_ROWS_MAX };
    let merged = merge_due(world, rows_max).await;
    Ok((round, merged))
}
