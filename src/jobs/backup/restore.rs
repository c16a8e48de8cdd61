use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};

use crate::domain::{Instant, instant_from_ms};
use crate::jobs::erase::{ERASURES, Erasure, erase, read_erasures};
use crate::lake::Lake;
use crate::store::{CareAction, CareEntry, Database};

use super::manifest::{BACKUP_FORMAT, BackupFile, BackupManifest, MANIFEST};
use super::sink::{private_file, private_folder, sync_folders};
use super::{DATABASE, SECRET, hashed_file, read_at_most, tar};

/// A manifest is never larger than this.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// Where a backup comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreSource {
    /// A folder.
    Folder(PathBuf),
    /// A tar archive.
    Archive(PathBuf),
    /// A tar archive on the standard input.
    Stdin,
}

impl RestoreSource {
    /// What stands on the command line: `-`, a folder or an archive.
    pub fn of(path: &Path) -> Self {
        match path {
            path if path == Path::new("-") => Self::Stdin,
            path if path.is_dir() => Self::Folder(path.to_owned()),
            path => Self::Archive(path.to_owned()),
        }
    }
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    pub manifest: BackupManifest,
    /// People erased from what came back.
    pub erased: usize,
}

/// Brings a backup into an empty folder. Every hash is compared before the folder gets its name, and people who were
/// erased since are erased again before anybody can see them.
///
/// # Errors
/// What is wrong with the backup; the folder is left as it was.
pub async fn restore(source: &RestoreSource, folder: &Path, now: Instant) -> anyhow::Result<RestoreReport> {
    if folder.exists() && fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; restore into a new folder and look at it first", folder.display());
    }
    let mut name = folder.file_name().context("the folder needs a name")?.to_owned();
    name.push(".restoring");
    let beside = folder.with_file_name(name);
    if beside.exists() {
        fs::remove_dir_all(&beside).context("removing what an earlier restore left")?;
    }
    private_folder(&beside)?;
    let restored = restore_beside(source, &beside, now).await;
    match restored {
        Ok(report) => {
            sync_folders(&beside)?;
            if folder.exists() {
                fs::remove_dir(folder)?;
            }
            fs::rename(&beside, folder)?;
            Ok(report)
        }
        Err(error) => {
            fs::remove_dir_all(&beside).context("removing what was restored so far")?;
            Err(error)
        }
    }
}

async fn restore_beside(
    source: &RestoreSource,
    beside: &Path,
    now: Instant,
) -> anyhow::Result<RestoreReport> {
    let manifest = tokio::task::block_in_place(|| {
        bring(source, beside)?;
        let manifest = read_manifest(beside)?;
        verify(beside, &manifest)?;
        anyhow::Ok(manifest)
    })?;
    let database = Database::open(&beside.join(DATABASE)).await.context("opening the restored database")?;
    let outcome = settle(&database, beside, &manifest, source, now).await;
    database.close().await;
    fs::remove_file(beside.join(MANIFEST))?;
    Ok(RestoreReport { erased: outcome?, manifest })
}

/// What must happen before anybody sees the data.
async fn settle(
    database: &Database,
    beside: &Path,
    manifest: &BackupManifest,
    source: &RestoreSource,
    now: Instant,
) -> anyhow::Result<usize> {
    let (version, ..) = database.data_version().await.context("reading the data version")?;
    if version != manifest.data_version {
        bail!("the database has data version {version}, the manifest says {}", manifest.data_version);
    }
    database.let_all_files_go().await.context("forgetting backups that ran")?;
    let lake = Lake::open(&beside.join("lake")).context("opening the restored lake")?;
    let mut write = database.begin_write().await?;
    let detail = format!(
        "made {} by Tillwatch {}; {} files lost",
        manifest.made_at,
        manifest.tillwatch,
        manifest.lost.len()
    );
    write
        .note_care(&CareEntry { at: now, action: CareAction::Restore, subject: String::new(), detail })
        .await?;
    write.commit().await?;
    erase_again(database, &lake, source, now).await.context("erasing again whoever was erased")
}

/// Erases whoever was erased since the backup was made, or was to be when it was: by the log beside the backup, and by
/// the database's own.
async fn erase_again(
    database: &Database,
    lake: &Lake,
    source: &RestoreSource,
    now: Instant,
) -> anyhow::Result<usize> {
    let log = match source {
        RestoreSource::Folder(path) | RestoreSource::Archive(path) => {
            path.parent().map(|folder| folder.join(ERASURES))
        }
        RestoreSource::Stdin => None,
    };
    let mut erasures = log.map(|log| read_erasures(&log)).transpose()?.unwrap_or_default();
    let done = database.erased_persons().await?;
    erasures.retain(|erasure| !done.contains(&erasure.person));
    for (person, basis, asked_ms) in database.open_erasures().await? {
        erasures.push(Erasure { person, basis, asked_at: instant_from_ms(asked_ms) });
    }
    if erasures.is_empty() {
        return Ok(0);
    }
    Ok(erase(database, lake, &erasures, now).await?.rows)
}

fn bring(source: &RestoreSource, beside: &Path) -> anyhow::Result<()> {
    match source {
        RestoreSource::Folder(from) => {
            let manifest = read_manifest(from)?;
            let files = manifest.files.iter().chain([&manifest.database]).map(|file| file.path.as_str());
            let secret = manifest.secret.then_some(SECRET);
            for path in files.chain(secret).chain([MANIFEST]) {
                let place = place_of(beside, path)?;
                let mut open =
                    File::open(from.join(path)).with_context(|| format!("opening {path} of the backup"))?;
                let size = open.metadata()?.len();
                write(&place, &mut open, size).with_context(|| format!("writing {path}"))?;
            }
            Ok(())
        }
        RestoreSource::Archive(path) => {
            let open = File::open(path).with_context(|| format!("opening {}", path.display()))?;
            unpack(&mut BufReader::with_capacity(1 << 20, open), beside)
        }
        RestoreSource::Stdin => unpack(&mut io::stdin().lock(), beside),
    }
}

fn unpack(archive: &mut dyn Read, beside: &Path) -> anyhow::Result<()> {
    while let Some(entry) = tar::read_entry(archive).context("reading the archive")? {
        let place = place_of(beside, &entry.path)?;
        write(&place, &mut (&mut *archive).take(entry.size), entry.size)
            .with_context(|| format!("writing {}", entry.path))?;
        tar::skip_padding(archive, entry.size).context("reading the archive")?;
    }
    Ok(())
}

fn write(place: &Path, bytes: &mut dyn Read, size: u64) -> anyhow::Result<()> {
    let mut file = private_file(place)?;
    let written = io::copy(bytes, &mut file)?;
    if written != size {
        bail!("it ends after {written} of {size} bytes");
    }
    file.sync_all()?;
    Ok(())
}

/// Where a path of a backup stands; a path that leads out of the folder is refused.
fn place_of(beside: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let inside =
        !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        bail!("the backup holds the path `{path}`, which leads elsewhere: it was not made by Tillwatch");
    }
    let place = beside.join(path);
    if let Some(folder) = place.parent() {
        private_folder(folder)?;
    }
    Ok(place)
}

fn read_manifest(folder: &Path) -> anyhow::Result<BackupManifest> {
    let mut open = File::open(folder.join(MANIFEST)).with_context(|| {
        format!("there is no {MANIFEST}: the backup was not finished, or this is not one")
    })?;
    let json = read_at_most(&mut open, MANIFEST_BYTES_MAX)?;
    let manifest: BackupManifest = serde_json::from_slice(&json).context("the manifest cannot be read")?;
    if manifest.format > BACKUP_FORMAT {
        bail!(
            "the backup was made by Tillwatch {} and has format {}; this program reads {BACKUP_FORMAT}: install that version or a newer one",
            manifest.tillwatch,
            manifest.format
        );
    }
    Ok(manifest)
}

/// Every file against the hash of the manifest.
fn verify(folder: &Path, manifest: &BackupManifest) -> anyhow::Result<()> {
    for file in manifest.files.iter().chain([&manifest.database]) {
        let found: BackupFile = hashed_file(&place_of(folder, &file.path)?, &file.path)
            .with_context(|| format!("{} of the backup cannot be read", file.path))?;
        if found != *file {
            bail!("{} of the backup is damaged; take another backup", file.path);
        }
    }
    Ok(())
}
