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
mod withdraw;
mod world;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::intake::Intake;
use crate::lake::Lake;

use super::runner::{Job, JobContext, JobReport};
use super::withdraw::Withdraw;

pub(in crate::jobs) use installed::random_token;
pub use installed::{Installed, SWEEP_MAX, Shared};
pub use merge::{MERGE_ROWS_MAX, MergeRules, merge_due};
pub use protocol::{FOLD_ROWS_MAX, Round, catch_up, fold_waiting};
pub use sweep::sweep;
pub use withdraw::{Withdrawn, days_to_withdraw, withdraw_day};
pub use world::{Counted, Event, Intent, Turn, World};

/// How often the inbox is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often files are looked at that may be merged.
const MERGE_INTERVAL: Duration = Duration::from_secs(1);

/// The fold.
pub struct Fold {
    lake: Lake,
    shared: Shared,
}

impl Fold {
    /// A fold into this lake.
    pub fn new(lake: Lake) -> Self {
        Self { lake, shared: Shared::default() }
    }

    /// What whoever commits beside it takes turns by.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// The merging of its files, beside it.
    pub fn compact(&self) -> Compact {
        Compact { lake: self.lake.clone(), shared: self.shared.clone() }
    }

    /// The undoing of imports, beside it.
    pub fn withdraw(&self, intake: Arc<Intake>) -> Withdraw {
        Withdraw::new(self.lake.clone(), self.shared.clone(), intake)
    }
}

impl Job for Fold {
    const NAME: &'static str = "fold";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let world = Installed::new(context.clone(), self.lake.clone(), self.shared.clone());
        // Polars computes for up to seconds: the whole round stands on one blocking thread.
        let round = on_thread(async move || {
            let timer = std::time::Instant::now();
            let round = fold_waiting(&world).await.context("folding")?;
            if round.rows > 0 {
                world.fold_took(timer.elapsed());
            }
            Ok(round)
        })
        .await?;
        let held = context.database.count_held_batches().await.context("counting batches set aside")?;
        context.metrics.set_inbox_held_batches(held);
        context.metrics.set_filter_bytes(self.shared.filters.bytes());
        Ok(JobReport { done: round.rows, more: round.more })
    }
}

/// Merges small files, so that a question reads few large ones. Works beside the fold: when it fails, folds go on.
pub struct Compact {
    lake: Lake,
    shared: Shared,
}

impl Job for Compact {
    const NAME: &'static str = "compact";

    fn interval(&self) -> Duration {
        MERGE_INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let world = Installed::new(context.clone(), self.lake.clone(), self.shared.clone());
        let merged = on_thread(async move || merge_due(&world, MERGE_ROWS_MAX).await).await?;
        Ok(JobReport { done: u64::from(merged), more: merged })
    }
}

pub(in crate::jobs) async fn on_thread<T: Send + 'static, F: Future<Output = anyhow::Result<T>>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work())).await.context("its thread died")?
}
