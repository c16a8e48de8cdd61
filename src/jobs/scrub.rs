use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::lake::{Lake, LakeFile};

use super::inspect::{reason, set_aside};
use super::runner::{Job, JobContext, JobReport};

/// How often each file is read from end to end.
const VERIFY_EVERY: TimeDelta = TimeDelta::days(7);
/// Bytes a second, at most: the disk is there for others.
const BYTES_PER_S_MAX: u64 = 20_000_000;
/// Files of one run.
const STEP_MAX: i64 = 16;

/// Reads every live file from end to end once a week, slowly, and compares its hash.
///
/// When each was last found right stands in the manifest, so that a restart does not begin again. Bytes that the system
/// still holds in memory may come from there: dropping them first needs unsafe code, which this program has not.
pub struct Scrub {
    lake: Lake,
}

impl Scrub {
    /// Scrubs this lake.
    pub const fn new(lake: Lake) -> Self {
        Self { lake }
    }
}

impl Job for Scrub {
    const NAME: &'static str = "scrub";

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        let due = context
            .database
            .files_to_verify(now - VERIFY_EVERY, STEP_MAX)
            .await
            .context("files to verify")?;
        if due.is_empty() {
            return Ok(JobReport::default());
        }
        let snapshot = context.snapshots.current();
        let files: Vec<Arc<LakeFile>> =
            snapshot.files.values().flatten().filter(|file| due.contains(&file.id)).cloned().collect();
        let lake = self.lake.clone();
        let Verified { right, lost, failed } = tokio::task::spawn_blocking(move || verified(&lake, files))
            .await
            .context("the scrubbing thread died")?;
        set_aside(context, &lost, now).await?;
        context.database.note_files_verified(&right, now).await.context("noting what was verified")?;
        if let Some(error) = failed {
            return Err(error);
        }
        let done = u64::try_from(right.len() + lost.len())?;
        Ok(JobReport { done, more: done > 0 && u64::try_from(due.len())? == u64::try_from(STEP_MAX)? })
    }
}

type Lost = Vec<(Arc<LakeFile>, String)>;

/// What a run found.
#[derive(Default)]
struct Verified {
    /// Ids of files that are right.
    right: Vec<String>,
    lost: Lost,
    /// Why the first of those could not be read that may be read later; they do not hold up the others.
    failed: Option<anyhow::Error>,
}

/// Reads the files. Sleeps between pieces: for a blocking thread.
fn verified(lake: &Lake, files: Vec<Arc<LakeFile>>) -> Verified {
    let mut found = Verified::default();
    for file in files {
        match lake.verify(&file, rest_after) {
            Ok(()) => found.right.push(file.id.clone()),
            Err(error) if error.is_lost_file() => found.lost.push((file, reason(&error))),
            Err(error) => {
                let error = anyhow::Error::new(error).context(format!("verifying {}", file.path));
                found.failed.get_or_insert(error);
            }
        }
    }
    found
}

/// Waits as long as so many bytes may take.
fn rest_after(bytes: usize) {
    let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / BYTES_PER_S_MAX;
    std::thread::sleep(Duration::from_micros(micros));
}
