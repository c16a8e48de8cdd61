use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::lake::Lake;

use super::fold::{Installed, SWEEP_MAX, sweep};
use super::runner::{Job, JobContext, JobReport};

/// How long folded batches are kept: they are the source of repair.
const INBOX_KEEP: TimeDelta = TimeDelta::hours(72);
/// Batches of one run.
const BATCHES_MAX: i64 = 200;

/// Deletes folded batches and files that nobody needs any more.
pub struct Expire {
    lake: Lake,
}

impl Expire {
    /// Expiry in this lake.
    pub const fn new(lake: Lake) -> Self {
        Self { lake }
    }
}

impl Job for Expire {
    const NAME: &'static str = "expire";

    fn interval(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        context.database.measure_size().await.context("measuring the database")?;
        let before = context.clock.now() - INBOX_KEEP;
        let batches = context.database.expire_batches(before, BATCHES_MAX).await.context("old batches")?;
        let world = Installed::new(context.clone(), self.lake.clone(), Arc::default());
        let files = sweep(&world).await?;
        let more = batches == u64::try_from(BATCHES_MAX)? || files == u64::try_from(SWEEP_MAX)?;
        Ok(JobReport { done: batches + files, more })
    }
}
