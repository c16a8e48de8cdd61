//! Sets files aside that cannot be trusted, before a number is made from them.
//!
//! A file that was damaged or missing when somebody read it is looked at once more; if it is still so, it becomes
//! *quarantined* in one transaction that moves the data version: pages then say that rows are missing, and name the
//! days. What the rollups hold of it stays as it was. Once a minute every live file is looked at without reading it,
//! so that a file that went missing is known before somebody asks for its rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;

use crate::analytics::{Quarantined, Snapshot};
use crate::domain::Instant;
use crate::lake::{Lake, LakeError, LakeFile};
use crate::store::{CareAction, CareEntry, Database, FoldCommit, StoreError, Upkeep};

use super::fold::random_token;
use super::runner::{Job, JobContext, JobReport};

/// How often suspects are dealt with.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often every live file is looked at.
const GLANCE_EVERY_MS: i64 = 60_000;

/// The inspection.
pub struct Inspect {
    lake: Lake,
    glanced_ms: AtomicI64,
}

impl Inspect {
    /// Inspects this lake; at its first run every live file is looked at.
    pub const fn new(lake: Lake) -> Self {
        Self { lake, glanced_ms: AtomicI64::new(i64::MIN) }
    }
}

impl Job for Inspect {
    const NAME: &'static str = "inspect";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        let suspects = self.lake.take_suspects();
        let due =
            now.timestamp_millis().saturating_sub(self.glanced_ms.load(Ordering::Relaxed)) >= GLANCE_EVERY_MS;
        if suspects.is_empty() && !due {
            return Ok(JobReport::default());
        }
        let (lake, snapshot) = (self.lake.clone(), context.snapshots.current());
        let lost = tokio::task::spawn_blocking(move || lost_files(&lake, &snapshot, &suspects, due))
            .await
            .context("the inspecting thread died")?;
        set_aside(context, &lost, now).await?;
        if due {
            self.glanced_ms.store(now.timestamp_millis(), Ordering::Relaxed);
        }
        Ok(JobReport { done: u64::try_from(lost.len())?, more: false })
    }
}

/// The live files among the suspects (all live files, when `all`) that cannot be trusted, each with the reason.
fn lost_files(
    lake: &Lake,
    snapshot: &Snapshot,
    suspects: &[String],
    all: bool,
) -> Vec<(Arc<LakeFile>, String)> {
    let is_suspect = |file: &LakeFile| suspects.contains(&file.id);
    let mut lost = Vec::new();
    for file in snapshot.files.values().flatten() {
        let looked = match (is_suspect(file), all) {
            (true, _) => lake.verify(file, |_| ()),
            (false, true) => lake.glance(file),
            (false, false) => continue,
        };
        match looked {
            Err(error) if error.is_lost_file() => lost.push((Arc::clone(file), reason(&error))),
            Err(error) => tracing::warn!(file = file.path, %error, "a file could not be inspected"),
            Ok(()) => {}
        }
    }
    lost
}

/// Why a file is set aside, in words that stay right when it is moved.
pub(super) fn reason(error: &LakeError) -> String {
    match error {
        LakeError::Damaged { .. } => "damaged: its bytes are not those that were written".to_owned(),
        LakeError::Missing(_) => "missing".to_owned(),
        other => format!("cannot be read: {other}"),
    }
}

/// Quarantines live files of the present snapshot and publishes the next one.
///
/// # Errors
/// What the database says. After a conflict with a fold nothing is lost: the files are suspects again.
pub(super) async fn set_aside(
    context: &JobContext,
    lost: &[(Arc<LakeFile>, String)],
    at: Instant,
) -> anyhow::Result<()> {
    let base = context.snapshots.current();
    let still_live = |file: &LakeFile| {
        base.files
            .get(&(file.stream, file.day))
            .is_some_and(|files| files.iter().any(|one| one.id == file.id))
    };
    let lost: Vec<_> = lost.iter().filter(|(file, _)| still_live(file)).cloned().collect();
    if lost.is_empty() {
        return Ok(());
    }
    let version = commit_aside(&context.database, &base, &lost, at).await?;
    for (file, reason) in &lost {
        tracing::error!(
            file = file.path,
            reason,
            rows = file.rows,
            "a file is set aside; run `tillwatch repair`"
        );
    }
    context.snapshots.publish(without(&base, version, &lost, at));
    Ok(())
}

/// Quarantines live files of a snapshot in the database; returns the data version from which on they are.
///
/// # Errors
/// What the database says; a fold may have come first.
pub(super) async fn commit_aside(
    database: &Database,
    base: &Snapshot,
    lost: &[(Arc<LakeFile>, String)],
    at: Instant,
) -> anyhow::Result<i64> {
    let upkeep = Upkeep {
        change: FoldCommit::nothing(random_token()?, base.version, at),
        quarantined: lost.iter().map(|(file, reason)| (file.id.clone(), reason.clone())).collect(),
        trusted_again: Vec::new(),
        entries: lost
            .iter()
            .map(|(file, reason)| CareEntry {
                at,
                action: CareAction::Quarantine,
                subject: file.path.clone(),
                detail: format!("{reason}; {} rows", file.rows),
            })
            .collect(),
    };
    match database.commit_upkeep(&upkeep).await {
        Ok(version) => Ok(version),
        // The next round sees what the fold made.
        Err(StoreError::Conflict(what)) => {
            anyhow::bail!("{what} changed meanwhile; the files are looked at again")
        }
        Err(error) => Err(error).context("setting files aside"),
    }
}

fn without(base: &Snapshot, version: i64, lost: &[(Arc<LakeFile>, String)], at: Instant) -> Snapshot {
    let reasons: BTreeMap<&str, &str> =
        lost.iter().map(|(file, reason)| (file.id.as_str(), reason.as_str())).collect();
    let mut next = base.clone();
    next.version = version;
    next.folded_at = at;
    for (file, _) in lost {
        let place = (file.stream, file.day);
        if let Some(files) = next.files.get_mut(&place) {
            files.retain(|one| !reasons.contains_key(one.id.as_str()));
            if files.is_empty() {
                next.files.remove(&place);
            }
        }
        let reason = reasons.get(file.id.as_str()).copied().unwrap_or_default().to_owned();
        next.quarantined.entry(place).or_default().push(Quarantined {
            file: Arc::clone(file),
            reason,
            since: at,
        });
    }
    next
}
