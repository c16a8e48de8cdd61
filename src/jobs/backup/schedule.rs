use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::domain::Instant;
use crate::jobs::runner::{Job, JobContext, JobReport};
use crate::lake::Lake;

use super::{BackupSource, back_up_into};

/// How often it is asked whether a backup is due.
const INTERVAL: Duration = Duration::from_mins(1);
/// The setting that says when the last one was made.
const LAST_MADE: &str = "backup.last_made_ms";

/// When backups are made, where they go, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSchedule {
    pub folder: PathBuf,
    pub every: TimeDelta,
    pub keep: usize,
}

/// Makes a backup when one is due.
pub struct Backup {
    lake: Lake,
    data_folder: PathBuf,
    schedule: BackupSchedule,
    last_made: Mutex<Option<Instant>>,
}

impl Backup {
    /// Backs up this data folder.
    pub const fn new(lake: Lake, data_folder: PathBuf, schedule: BackupSchedule) -> Self {
        Self { lake, data_folder, schedule, last_made: Mutex::new(None) }
    }
}

impl Job for Backup {
    const NAME: &'static str = "backup";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        let known = *self.last_made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let last = match known {
            Some(last) => Some(last),
            None => context
                .database
                .setting(LAST_MADE)
                .await?
                .and_then(|ms| ms.parse().ok())
                .map(crate::domain::instant_from_ms),
        };
        // A clock that was set back must not put the next one off for ever.
        if last.is_some_and(|last| last <= now && now - last < self.schedule.every) {
            return Ok(JobReport::default());
        }
        let source = BackupSource {
            folder: self.data_folder.clone(),
            database: context.database.clone(),
            lake: self.lake.clone(),
            clock: std::sync::Arc::clone(&context.clock),
            with_secret: false,
        };
        let (target, manifest) = back_up_into(&source, &self.schedule.folder, Some(self.schedule.keep))
            .await
            .with_context(|| format!("backing up to {}", self.schedule.folder.display()))?;
        *self.last_made.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(now);
        context.database.put_setting(LAST_MADE, &now.timestamp_millis().to_string(), now).await?;
        if !manifest.lost.is_empty() {
            anyhow::bail!("{} files could not be backed up; run `tillwatch doctor`", manifest.lost.len());
        }
        tracing::info!(folder = %target.display(), files = manifest.files.len(), "backed up");
        Ok(JobReport { done: 1, more: false })
    }
}
