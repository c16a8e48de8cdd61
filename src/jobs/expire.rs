use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::lake::Lake;

use super::fold::{Installed, SWEEP_MAX, Shared, sweep};
use super::runner::{Job, JobContext, JobReport};

/// How long folded batches are kept: they are the source of repair.
const INBOX_KEEP: TimeDelta = TimeDelta::hours(72);
/// Batches of one run.
const BATCHES_MAX: i64 = 200;
/// How long an answer is kept for retries under its `Idempotency-Key`.
const ANSWERS_KEEP: TimeDelta = TimeDelta::hours(24);
/// Kept answers of one run: they are small.
const ANSWERS_MAX: i64 = 5_000;

/// How long it is counted what could not be proved; the page shows a day.
const WEBHOOK_COUNTS_KEEP: TimeDelta = TimeDelta::hours(48);
/// How long a notice is kept, sealed, that could not be read.
const WEBHOOK_REJECTED_KEEP: TimeDelta = TimeDelta::days(30);
/// How long it is kept what notices said: no provider speaks of a payment longer.
const WEBHOOK_FACTS_KEEP: TimeDelta = TimeDelta::days(400);

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
        let now = context.clock.now();
        let batches =
            context.database.expire_batches(now - INBOX_KEEP, BATCHES_MAX).await.context("old batches")?;
        let answers =
            context.database.expire_answers(now - ANSWERS_KEEP, ANSWERS_MAX).await.context("old answers")?;
        expire_webhooks(context).await?;
        let world = Installed::new(context.clone(), self.lake.clone(), Shared::default());
        let files = sweep(&world).await?;
        let more = batches == u64::try_from(BATCHES_MAX)?
            || answers == u64::try_from(ANSWERS_MAX)?
            || files == u64::try_from(SWEEP_MAX)?;
        Ok(JobReport { done: batches + answers + files, more })
    }
}

async fn expire_webhooks(context: &JobContext) -> anyhow::Result<()> {
    let (database, now) = (&context.database, context.clock.now());
    let notes = database.expire_webhook_notes(now - WEBHOOK_COUNTS_KEEP, now - WEBHOOK_REJECTED_KEEP);
    notes.await.context("old counts of notices")?;
    database.expire_webhook_facts(now - WEBHOOK_FACTS_KEEP).await.context("old facts of notices")?;
    Ok(())
}
