//! The doctor looks at everything and changes nothing: files against their hashes, the manifest against the folder,
//! rollups against a full rebuild, figures against the rows, the inbox, the database, the installation.

mod checkup;
mod figures;
mod files;
mod inbox;
mod installation;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::analytics::{Changes, Grains, Snapshot};
use crate::domain::Instant;
use crate::lake::Lake;
use crate::store::Database;

pub use checkup::{Checkup, Fact, Finding, LeftOut};

/// How often a snapshot is read again when a fold commits between.
const SNAPSHOT_TRIES_MAX: u32 = 20;

/// Whom the doctor looks at.
#[derive(Clone, Debug)]
pub struct Patient<'a> {
    /// The data folder.
    pub folder: &'a Path,
    pub database: &'a Database,
    pub lake: &'a Lake,
    pub now: Instant,
    /// A server holds the folder: what it changes while the doctor looks is no finding.
    pub running: bool,
}

/// How far an examination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub check: &'static str,
    /// Bytes, or files, or batches, whichever the examination counts.
    pub done: u64,
    pub of: u64,
}

/// Hears of progress.
pub type Hears = Arc<dyn Fn(Progress) + Send + Sync>;

/// Examines everything.
///
/// # Errors
/// Only when the examination itself cannot go on; whatever is wrong with the data is a finding.
pub async fn examine(patient: &Patient<'_>, hears: Hears) -> anyhow::Result<Checkup> {
    let mut checkup = Checkup::default();
    installation::examine(&mut checkup, patient)?;
    if !installation::schema_is_known(&mut checkup, patient).await? {
        for check in ["database", "files", "folder", "inbox", "rollups", "totals"] {
            checkup.leave_out(check, "the database has another shape than this program knows");
        }
        return Ok(checkup);
    }
    installation::examine_database(&mut checkup, patient, &hears).await?;
    let snapshot = match steady_snapshot(patient.database).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            checkup.found(
                "rollups",
                format!("what the database says of the figures cannot be read: {error:#}"),
                "no page can be shown",
                "run `tillwatch repair`; if that does not help, restore a backup",
            );
            return Ok(checkup);
        }
    };
    installation::examine_clock(&mut checkup, patient, &snapshot);
    inbox::examine(&mut checkup, patient, &hears).await?;
    let known = patient.database.known_paths().await.context("reading the manifest")?;
    let stores = patient.database.stores().await.context("reading the stores")?;
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let kept = patient.database.kept_levels(&snapshot).await.context("reading the rollups")?;
    let (lake, running) = (patient.lake.clone(), patient.running);
    tokio::task::spawn_blocking(move || {
        let lost = files::examine(&mut checkup, &lake, &snapshot, &hears);
        files::examine_folder(&mut checkup, &lake, &known, running)?;
        figures::examine(&mut checkup, &lake, snapshot, &kept, &lost, &grains, &hears)?;
        Ok(checkup)
    })
    .await
    .context("the examining thread died")?
}

/// The prepared figures of a snapshot, by store and UTC day.
///
/// # Errors
/// When a block cannot be read.
pub async fn kept_rollups(database: &Database, snapshot: &Snapshot) -> anyhow::Result<Changes> {
    database.read_rollups(snapshot).await.context("reading the rollups")
}

/// A snapshot of one data version: read again when a fold committed between its queries.
///
/// # Errors
/// What the database says, or that it never stood still.
pub async fn steady_snapshot(database: &Database) -> anyhow::Result<Snapshot> {
    for _ in 0..SNAPSHOT_TRIES_MAX {
        let snapshot = database.load_snapshot().await?;
        let (version, ..) = database.data_version().await?;
        if version == snapshot.version {
            return Ok(snapshot);
        }
    }
    anyhow::bail!(
        "the data changed at every one of {SNAPSHOT_TRIES_MAX} tries; stop the server, or try again later"
    )
}
