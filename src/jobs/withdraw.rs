//! Undoes imports that somebody asked to undo.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::{Days, NaiveDate};

use crate::intake::Intake;
use crate::lake::Lake;
use crate::store::{ImportRecord, OpenWithdrawal};

use super::fold::{Installed, Shared, days_to_withdraw, on_thread, withdraw_day};
use super::runner::{Job, JobContext, JobReport};

/// How often the job looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// The source's own day of a row lies at most so many days from the UTC day it is kept under.
const ZONE_DAYS: u64 = 2;

/// Takes the rows of withdrawn imports out of the lake and the figures.
pub struct Withdraw {
    lake: Lake,
    shared: Shared,
    intake: Arc<Intake>,
}

impl Withdraw {
    pub(super) const fn new(lake: Lake, shared: Shared, intake: Arc<Intake>) -> Self {
        Self { lake, shared, intake }
    }

    async fn carry_out(&self, context: &JobContext, asked: &OpenWithdrawal) -> anyhow::Result<bool> {
        let database = &context.database;
        let import = database.import(asked.import).await?;
        let import = import.ok_or_else(|| anyhow!("import {} is not there any more", asked.import))?;
        if !is_all_folded(context, asked, &import).await? {
            return Ok(false);
        }
        let world = Installed::new(context.clone(), self.lake.clone(), self.shared.clone());
        let days = days_to_withdraw(&world, days_of(&import)).await?;
        for place in days {
            let (world, id) = (world.clone(), import.id);
            let done = on_thread(async move || withdraw_day(&world, id, place).await)
                .await
                .with_context(|| format!("taking import {} out of {}", import.id, place.1))?;
            if done.taken_out > 0 {
                let rows = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                database.progress_withdrawal(asked.id, rows(done.taken_out), rows(done.brought_back)).await?;
            }
        }
        database.end_withdrawal(asked, context.clock.now()).await?;
        self.intake.forget_sources(import.store);
        tracing::info!(import = import.id, "an import was undone");
        Ok(true)
    }
}

/// The UTC days that may hold rows of an import; `None` where it ended before it knew.
fn days_of(import: &ImportRecord) -> Option<RangeInclusive<NaiveDate>> {
    let (first, last) = import.findings.days?;
    let zone = Days::new(ZONE_DAYS);
    Some(first.checked_sub_days(zone)?..=last.checked_add_days(zone)?)
}

/// True when nothing of the import waits for its fold: neither batches that are noted as its own, nor any that came
/// before it was withdrawn.
async fn is_all_folded(
    context: &JobContext,
    asked: &OpenWithdrawal,
    import: &ImportRecord,
) -> anyhow::Result<bool> {
    let outcome = context.database.import_outcome(import).await.context("asking for its batches")?;
    let backlog = context.database.inbox_backlog().await.context("asking what waits")?;
    Ok(outcome.waiting == 0 && backlog.oldest.is_none_or(|oldest| oldest > asked.asked_at))
}

impl Job for Withdraw {
    const NAME: &'static str = "withdraw";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let mut report = JobReport::default();
        let mut failed = None;
        for asked in context.database.open_withdrawals().await.context("listing withdrawals")? {
            match self.carry_out(context, &asked).await {
                Ok(is_done) => report.done += u64::from(is_done),
                // The others are not held up by it; it is tried again in the next round.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(report), Err)
    }
}
