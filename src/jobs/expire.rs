use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::lake::Lake;

use super::runner::{Job, JobContext, JobReport};

/// How long folded batches are kept: they are the source of repair.
const INBOX_KEEP: TimeDelta = TimeDelta::hours(72);
/// How long a retired file stays: longer than any reader of an old snapshot needs it.
const RETIRED_KEEP: TimeDelta = TimeDelta::hours(24);
/// How old an intended file must be before it counts as an orphan.
const INTENDED_KEEP: TimeDelta = TimeDelta::hours(1);
/// Batches or files of one run.
const STEP_MAX: i64 = 200;

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
        let now = context.clock.now();
        let batches =
            context.database.expire_batches(now - INBOX_KEEP, STEP_MAX).await.context("old batches")?;
        // A backup copies files of a moment ago.
        let files = if context.database.files_are_held(now).await.context("asking for running backups")? {
            Vec::new()
        } else {
            let retired = now - RETIRED_KEEP;
            context
                .database
                .sweepable_files(retired, now - INTENDED_KEEP, STEP_MAX)
                .await
                .context("files to remove")?
        };
        let most = u64::try_from(STEP_MAX)?;
        let more = batches == most || u64::try_from(files.len())? == most;
        for (id, path) in &files {
            // The file first: a row without a file is found again, a file without a row is not.
            self.lake.remove(path).with_context(|| format!("removing {path}"))?;
            context.database.forget_file(id).await.context("forgetting a file")?;
        }
        Ok(JobReport { done: batches + u64::try_from(files.len())?, more })
    }
}
