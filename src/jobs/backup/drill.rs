use std::time::Duration;

use anyhow::Context;

use crate::domain::Instant;
use crate::jobs::doctor::{Checkup, Hears, Patient, examine, steady_snapshot};
use crate::lake::Lake;
use crate::store::Database;

use super::manifest::{BackupManifest, BackupTotal, sum_up};
use super::{BackupSource, DATABASE, FolderSink, RestoreSource, back_up, restore};

/// What a drill found.
#[derive(Clone, Debug)]
pub struct DrillReport {
    pub manifest: BackupManifest,
    /// How long the backup took.
    pub backup: Duration,
    /// How long it would take until a server could start: the time to recover.
    pub recovery: Duration,
    /// What the doctor says of the restored folder.
    pub checkup: Checkup,
    /// The totals of the restored folder.
    pub totals: Vec<BackupTotal>,
}

impl DrillReport {
    /// True when what came back is what was backed up, and well. How full the disk is says nothing about a backup.
    pub fn passed(&self) -> bool {
        let well = self.checkup.findings.iter().all(|finding| finding.check == "disk");
        self.totals == self.manifest.totals && self.manifest.lost.is_empty() && well
    }
}

/// Backs up, restores into a temporary folder, has the doctor look at it and compares the totals. The secret goes with
/// it and is removed again with the folder.
///
/// # Errors
/// What stands in the way of the drill; a backup that does not hold is in the report.
pub async fn drill(source: &BackupSource, now: Instant, hears: Hears) -> anyhow::Result<DrillReport> {
    // Inside the data folder: as private as the data, and on a disk that is large enough.
    let rehearsal =
        tempfile::Builder::new().prefix("drill-").tempdir_in(&source.folder).context("making a folder")?;
    let source = BackupSource { with_secret: true, ..source.clone() };
    let target = rehearsal.path().join("backup");
    let timer = std::time::Instant::now();
    let manifest = back_up(&source, Box::new(FolderSink::new(&target, None)?)).await.context("backing up")?;
    let backup = timer.elapsed();

    let folder = rehearsal.path().join("restored");
    let timer = std::time::Instant::now();
    restore(&RestoreSource::Folder(target), &folder, now).await.context("restoring")?;
    let database = Database::open(&folder.join(DATABASE)).await.context("opening what was restored")?;
    let snapshot = steady_snapshot(&database).await.context("reading what was restored")?;
    let totals = sum_up(&database.rollup_totals(&snapshot).await?.0);
    let recovery = timer.elapsed();

    let lake = Lake::open(&folder.join("lake"))?;
    let patient = Patient { folder: &folder, database: &database, lake: &lake, now, running: false };
    let checkup = examine(&patient, hears).await.context("examining what was restored")?;
    database.close().await;
    Ok(DrillReport { manifest, backup, recovery, checkup, totals })
}
