use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::Instant;
use crate::intake::uploads::uploads_in;
use crate::store::Database;

use super::runner::{Job, JobContext, JobReport};

/// Waiting files of one run.
const EXPIRED_MAX: i64 = 200;
/// How long the text of a rejected line is kept to be put right.
const REJECTED_KEEP: TimeDelta = TimeDelta::days(30);
/// A file that belongs to no waiting import and was not written for so long was left behind by a process that died:
/// what is being uploaded is written all the time, and what is being imported was opened long ago.
const LEFT_BEHIND_AFTER: TimeDelta = TimeDelta::hours(2);

/// Removes uploads whose time is over, what a crash left behind, and the text of old rejected lines.
pub struct SweepUploads {
    data_dir: PathBuf,
}

impl SweepUploads {
    /// A sweep of the uploads in this data folder.
    pub const fn new(data_dir: PathBuf) -> Self {
        Self { data_dir }
    }
}

impl Job for SweepUploads {
    const NAME: &'static str = "sweep_uploads";

    fn interval(&self) -> Duration {
        Duration::from_mins(5)
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let done = sweep(&context.database, &self.data_dir, context.clock.now()).await?;
        Ok(JobReport { done, more: done >= u64::try_from(EXPIRED_MAX)? })
    }
}

/// One sweep; says how many files and rows went.
///
/// # Errors
/// What database and disk say; what is left goes with the next sweep.
pub async fn sweep(database: &Database, data_dir: &Path, now: Instant) -> anyhow::Result<u64> {
    let folder = uploads_in(data_dir).context("opening the folder of uploads")?;
    let mut gone = 0;
    for (id, place) in database.expired_pending_imports(now, EXPIRED_MAX).await.context("old uploads")? {
        if database.take_pending_import(id).await? && !place.is_empty() {
            remove(&folder.join(&place))?;
        }
        gone += 1;
    }
    // Files first, rows after: a file that gets its row in between is young.
    let files = left_behind(&folder, now).context("looking through the uploads")?;
    let kept: HashSet<String> = database.pending_places().await?.into_iter().collect();
    for (name, path) in files {
        if !kept.contains(&name) {
            remove(&path)?;
            gone += 1;
        }
    }
    gone += database.forget_old_rejected_rows(now - REJECTED_KEEP).await.context("old rejected lines")?;
    Ok(gone)
}

/// Files that were not written for long.
fn left_behind(folder: &Path, now: Instant) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        let written: DateTime<Utc> = about.modified()?.into();
        if about.is_file() && now - written > LEFT_BEHIND_AFTER {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    Ok(found)
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}
