//! Backups: made beside a running server, restored into an empty folder, and tried out.
//!
//! The database first (a consistent copy of one moment), then exactly the files that this copy calls live, each hashed
//! while it is copied. Files are immutable and nothing is removed while a backup runs, so whatever the copy names is
//! there. The other way round, a fold between the two would leave a database that names files which are not in the
//! backup.

mod drill;
mod manifest;
mod restore;
mod schedule;
mod sink;
mod tar;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::TimeDelta;

use crate::analytics::Snapshot;
use crate::domain::Clock;
use crate::lake::{Lake, LakeFile};
use crate::store::Database;

pub use drill::{DrillReport, drill};
pub use manifest::{BACKUP_FORMAT, BackupFile, BackupManifest, BackupTotal, LostFile, MANIFEST, sum_up};
pub use restore::{RestoreReport, RestoreSource, restore};
pub use schedule::{Backup, BackupSchedule};
pub use sink::{FolderSink, NAME_BEGINS, Sink, TarSink, backups_in};

use super::doctor::steady_snapshot;
use super::fold::random_token;

/// How long a backup may hold files back that nobody needs any more; one that dies lets go by then.
const HOLD: TimeDelta = TimeDelta::hours(24);
/// The database in a backup.
pub(super) const DATABASE: &str = "tillwatch.db";
/// The secret in a backup.
pub(super) const SECRET: &str = "secret.key";

/// What is backed up.
#[derive(Clone)]
pub struct BackupSource {
    /// The data folder.
    pub folder: PathBuf,
    pub database: Database,
    pub lake: Lake,
    pub clock: Arc<dyn Clock>,
    /// Whether the secret goes with it.
    pub with_secret: bool,
}

/// Makes a backup. Works beside a running server.
///
/// # Errors
/// What stands in the way. A file of the lake that is damaged does not: the rest is worth keeping, and the manifest
/// names what is missing.
pub async fn back_up(source: &BackupSource, mut sink: Box<dyn Sink>) -> anyhow::Result<BackupManifest> {
    let token = random_token()?;
    let until = source.clock.now() + HOLD;
    source.database.hold_files(&token, until).await.context("keeping files from being removed")?;
    // Beside the data, where there is room for it and nobody else can read it.
    let copy = source.folder.join(format!("backup-{token}.db"));
    let made = copy_all(source, &copy, &mut *sink).await;
    if made.is_err() {
        sink.abandon();
    }
    remove_database(&copy);
    source.database.let_files_go(&token).await.context("letting files go")?;
    made
}

async fn copy_all(source: &BackupSource, copy: &Path, sink: &mut dyn Sink) -> anyhow::Result<BackupManifest> {
    source.database.copy_to(copy).await.context("copying the database")?;
    let copied = Database::open_to_look(&copy.into()).await.context("opening the copy of the database")?;
    let read = async {
        let snapshot = steady_snapshot(&copied).await?;
        let (totals, damaged) = copied.rollup_totals(&snapshot).await?;
        if !damaged.is_empty() {
            // Still worth keeping: figures are made anew from the files, which are whole.
            tracing::warn!(
                blocks = damaged.len(),
                "the backup's totals lack damaged figures; run `tillwatch repair`"
            );
        }
        anyhow::Ok((snapshot, sum_up(&totals)))
    };
    let read = read.await.context("reading the copy of the database");
    copied.close().await;
    let (snapshot, totals) = read?;
    let mut manifest = BackupManifest {
        format: BACKUP_FORMAT,
        tillwatch: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: source.clock.now(),
        data_version: snapshot.version,
        engine: "sqlite".to_owned(),
        database: hashed_file(copy, DATABASE).context("reading the copy of the database")?,
        files: Vec::new(),
        lost: Vec::new(),
        secret: source.with_secret,
        totals,
    };
    // A blocking section: Polars is not asked, but whole files are read and written.
    tokio::task::block_in_place(|| copy_files(source, copy, &snapshot, &mut manifest, sink))?;
    Ok(manifest)
}

fn copy_files(
    source: &BackupSource,
    copy: &Path,
    snapshot: &Snapshot,
    manifest: &mut BackupManifest,
    sink: &mut dyn Sink,
) -> anyhow::Result<()> {
    let put = |sink: &mut dyn Sink, path: &str, from: &Path| -> anyhow::Result<()> {
        let mut open = File::open(from).with_context(|| format!("opening {}", from.display()))?;
        let size = open.metadata()?.len();
        sink.put(path, size, &mut open).with_context(|| format!("writing {path}"))
    };
    put(sink, DATABASE, copy)?;
    if source.with_secret {
        put(sink, SECRET, &source.folder.join(SECRET))?;
    }
    let quarantined = snapshot.quarantined.values().flatten().map(|one| &one.file);
    for file in snapshot.files.values().flatten().chain(quarantined) {
        copy_file(&source.lake, file, manifest, sink)?;
    }
    let json = serde_json::to_vec_pretty(&*manifest)?;
    sink.put(MANIFEST, u64::try_from(json.len())?, &mut json.as_slice()).context("writing the manifest")?;
    sink.finish().context("finishing")
}

fn copy_file(
    lake: &Lake,
    file: &LakeFile,
    manifest: &mut BackupManifest,
    sink: &mut dyn Sink,
) -> anyhow::Result<()> {
    let path = format!("lake/{}", file.path);
    let entry = BackupFile { path: path.clone(), size_bytes: file.size_bytes, blake3: file.blake3.clone() };
    if sink.reuse(&entry).with_context(|| format!("linking {path}"))? {
        manifest.files.push(entry);
        return Ok(());
    }
    match lake.bytes(file) {
        Ok(bytes) => {
            sink.put(&path, file.size_bytes, &mut bytes.as_slice())
                .with_context(|| format!("writing {path}"))?;
            manifest.files.push(entry);
        }
        Err(error) if error.is_lost_file() => {
            let reason = super::inspect::reason(&error);
            manifest.lost.push(LostFile { path, blake3: file.blake3.clone(), reason });
        }
        Err(error) => return Err(error).with_context(|| format!("reading {path}")),
    }
    Ok(())
}

/// Size and hash of a file.
pub(in crate::jobs) fn hashed_file(place: &Path, path: &str) -> io::Result<BackupFile> {
    let mut hasher = blake3::Hasher::new();
    let size_bytes = io::copy(&mut File::open(place)?, &mut hasher)?;
    Ok(BackupFile { path: path.to_owned(), size_bytes, blake3: hasher.finalize().to_hex().to_string() })
}

/// Removes a database file and what SQLite puts beside it.
fn remove_database(place: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut path = place.as_os_str().to_owned();
        path.push(ending);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a copy of the database stays in the data folder");
        }
    }
}

/// Makes a backup in a folder of backups, under the time as its name, and keeps the newest `keep`.
///
/// # Errors
/// What stands in the way.
pub async fn back_up_into(
    source: &BackupSource,
    folder: &Path,
    keep: Option<usize>,
) -> anyhow::Result<(PathBuf, BackupManifest)> {
    if folder.starts_with(source.folder.join("lake")) {
        bail!("a backup inside the lake would be taken for its files; choose another folder");
    }
    let earlier = backups_in(folder).with_context(|| format!("listing {}", folder.display()))?;
    let name = format!("{NAME_BEGINS}{}", source.clock.now().format("%Y%m%dT%H%M%S%3fZ"));
    let target = folder.join(name);
    let sink = FolderSink::new(&target, earlier.last().cloned()).context("making the backup's folder")?;
    let manifest = back_up(source, Box::new(sink)).await?;
    // One that lacks files takes no good one's place: the file that is lost may be in it.
    if let Some(keep) = keep.filter(|_| manifest.lost.is_empty()) {
        let mut kept = backups_in(folder)?;
        let surplus = kept.len().saturating_sub(keep.max(1));
        for old in kept.drain(..surplus) {
            fs::remove_dir_all(&old).with_context(|| format!("removing {}", old.display()))?;
        }
    }
    Ok((target, manifest))
}

/// Reads all of a stream, at most `most` bytes.
pub(super) fn read_at_most(bytes: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    bytes.take(most + 1).read_to_end(&mut read)?;
    if u64::try_from(read.len()).unwrap_or(u64::MAX) > most {
        return Err(io::Error::other("larger than it may be"));
    }
    Ok(read)
}
