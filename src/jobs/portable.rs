//! Everything as clean Parquet files, and back: the way to leave, and the way from one database to the other.
//!
//! An export holds the live rows of every day without those that were superseded, the earlier versions beside them, the
//! stores, and which feed counts for each account. It holds no people, keys, sessions or settings: those belong to an
//! installation. An import writes the rows through the lake's own writer into an installation that has none yet and makes
//! the figures anew from them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant, Store, StoreId, Stream};
use crate::lake::{FileSet, Lake, LakeFile};
use crate::store::{Database, FoldCommit, StoreDraft};

use super::backup::{BackupTotal, sum_up};
use super::doctor::steady_snapshot;
use super::figures::remake_figures;
use super::fold::random_token;
use crate::analytics::raise_freshness;

/// The layout of an export that this program writes and reads.
const FORMAT: u32 = 1;
/// The layout of the rows in it.
const SCHEMA: u32 = 1;
const MANIFEST: &str = "manifest.json";

/// What an export holds; written last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportManifest {
    pub format: u32,
    /// The columns of the rows: the same number, the same columns.
    pub schema: u32,
    pub tillwatch: String,
    pub made_at: Instant,
    pub organisation: String,
    pub stores: Vec<ExportedStore>,
    /// Store, account, and the feed that counts for it.
    pub accounts: Vec<(i64, String, String)>,
    pub files: Vec<ExportedFile>,
    /// What an import must show again.
    pub totals: Vec<BackupTotal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedStore {
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub zone: String,
    pub cut_off: String,
    pub week_start: u32,
    pub currency: String,
    pub language: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    pub path: String,
    pub stream: String,
    pub day: NaiveDate,
    /// `current`, or `history` for versions that were superseded.
    pub set: String,
    pub rows: u64,
    pub size_bytes: u64,
    pub blake3: String,
}

/// Writes an export into a new folder.
///
/// # Errors
/// When a file cannot be read: an export is whole or not at all.
pub async fn export(
    database: &Database,
    lake: &Lake,
    target: &Path,
    now: Instant,
) -> anyhow::Result<ExportManifest> {
    ensure!(!target.exists(), "{} exists already; an export needs a new folder", target.display());
    let snapshot = steady_snapshot(database).await?;
    if let Some(one) = snapshot.quarantined.values().flatten().next() {
        bail!("{} cannot be read; run `tillwatch repair` first", one.file.path);
    }
    let organisation = database.organisation().await?.context("nothing is set up here yet")?;
    let stores = database.stores().await?;
    let accounts = database.sources_of_record().await.context("reading the accounts")?;
    let (totals, damaged) = database.rollup_totals(&snapshot).await?;
    ensure!(
        damaged.is_empty(),
        "{} prepared figures are damaged; run `tillwatch repair` first",
        damaged.len()
    );
    let totals = sum_up(&totals);
    let files = tokio::task::block_in_place(|| {
        let exported = Lake::open(target)?;
        let mut files = Vec::new();
        for ((stream, day), of_day) in &snapshot.files {
            for file in of_day {
                files.extend(export_file(lake, &exported, file, *stream, *day)?);
            }
        }
        anyhow::Ok(files)
    })?;
    let manifest = ExportManifest {
        format: FORMAT,
        schema: SCHEMA,
        tillwatch: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        organisation: organisation.name,
        stores: stores.iter().map(exported_store).collect(),
        accounts: accounts
            .into_iter()
            .map(|(store, account, feed)| (store.0, account.to_string(), feed))
            .collect(),
        files,
        totals,
    };
    let mut out = File::create_new(target.join(MANIFEST))?;
    out.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    out.sync_all()?;
    File::open(target)?.sync_all()?;
    Ok(manifest)
}

/// One file without its superseded rows; none when every row of it was superseded.
fn export_file(
    lake: &Lake,
    exported: &Lake,
    file: &LakeFile,
    stream: Stream,
    day: NaiveDate,
) -> anyhow::Result<Option<ExportedFile>> {
    let rows = lake.read(file, None).with_context(|| format!("reading {}", file.path))?;
    if rows.rows() == 0 {
        return Ok(None);
    }
    let written =
        exported.write(&rows, stream, day, file.file_set, &file.id).context("writing the export")?;
    Ok(Some(ExportedFile {
        path: written.path,
        stream: stream.as_str().to_owned(),
        day,
        set: file.file_set.as_str().to_owned(),
        rows: written.rows,
        size_bytes: written.size_bytes,
        blake3: written.blake3,
    }))
}

fn exported_store(store: &Store) -> ExportedStore {
    ExportedStore {
        id: store.id.0,
        slug: store.slug.clone(),
        name: store.name.clone(),
        zone: store.zone.name().to_owned(),
        cut_off: store.cut_off.format("%H:%M").to_string(),
        week_start: store.week_start.num_days_from_monday(),
        currency: store.currency.code().to_owned(),
        language: store.language.clone(),
    }
}

/// Reads an export into an installation that has no records and no stores yet.
///
/// # Errors
/// When the installation is not empty, when a file is damaged, or when the totals are not those of the export.
pub async fn import(
    database: &Database,
    lake: &Lake,
    source: &Path,
    now: Instant,
) -> anyhow::Result<ExportManifest> {
    let json = fs::read(source.join(MANIFEST))
        .with_context(|| format!("{} holds no whole export", source.display()))?;
    let manifest: ExportManifest = serde_json::from_slice(&json).context("the manifest cannot be read")?;
    if manifest.format > FORMAT || manifest.schema > SCHEMA {
        bail!("the export was made by Tillwatch {}: install that version or a newer one", manifest.tillwatch);
    }
    let base = steady_snapshot(database).await?;
    let is_empty = base.files.is_empty() && database.stores().await?.is_empty();
    ensure!(is_empty, "an export is read into an empty installation only; this one has stores or records");
    add_stores(database, &manifest, now).await?;
    for (store, account, feed) in &manifest.accounts {
        database
            .source_of_record(StoreId(*store), account, feed, now, i64::MAX)
            .await
            .context("adding an account")?;
    }
    take_files(database, lake, source, &manifest, now).await?;
    remake_figures(database, lake, now).await.context("making the figures")?;
    let snapshot = steady_snapshot(database).await?;
    let totals = sum_up(&database.rollup_totals(&snapshot).await?.0);
    ensure!(totals == manifest.totals, "the totals of what was read are not those of the export");
    Ok(manifest)
}

async fn add_stores(database: &Database, manifest: &ExportManifest, now: Instant) -> anyhow::Result<()> {
    let organisation = match database.organisation().await? {
        Some(organisation) => organisation.id,
        None => database.insert_organisation(&manifest.organisation, now).await?,
    };
    for store in &manifest.stores {
        let day = u8::try_from(store.week_start).ok().and_then(|day| chrono::Weekday::try_from(day).ok());
        let draft = StoreDraft {
            organisation,
            slug: store.slug.clone(),
            name: store.name.clone(),
            zone: store.zone.parse().map_err(|_| anyhow::anyhow!("`{}` is no time zone", store.zone))?,
            cut_off: chrono::NaiveTime::parse_from_str(&store.cut_off, "%H:%M").context("a cut-off")?,
            week_start: day.context("a day that weeks begin with")?,
            currency: Currency::parse(&store.currency).context("a currency")?,
            language: store.language.clone(),
        };
        let made = database
            .insert_store(&draft, now)
            .await
            .with_context(|| format!("adding the store {}", store.slug))?;
        // Rows name their store by its number.
        ensure!(
            made.id.0 == store.id,
            "store {} would get another number here; start from an empty data folder",
            store.slug
        );
    }
    Ok(())
}

async fn take_files(
    database: &Database,
    lake: &Lake,
    source: &Path,
    manifest: &ExportManifest,
    now: Instant,
) -> anyhow::Result<()> {
    for (place, file) in manifest.files.iter().enumerate() {
        let stream =
            Stream::parse(&file.stream).with_context(|| format!("`{}` is no stream", file.stream))?;
        let set = FileSet::parse(&file.set).with_context(|| format!("`{}` is no set of files", file.set))?;
        let (version, ..) = database.data_version().await?;
        let token = random_token()?;
        let id = format!("{:08}-{token}-{place}c", version + 1);
        let intent = (id.clone(), stream, file.day, set, Lake::path_for(stream, file.day, set, &id));
        database.intend_files(&token, &[intent], now).await?;
        let mut change = FoldCommit::nothing(token, version, now);
        let written = tokio::task::block_in_place(|| {
            let rows = read_exported(source, file, stream, set)?;
            if set == FileSet::Current {
                raise_freshness(&mut change.freshness, stream, &rows)?;
            }
            anyhow::Ok(lake.write(&rows, stream, file.day, set, &id)?)
        })
        .with_context(|| format!("reading {} of the export", file.path))?;
        ensure!(
            written.rows == file.rows,
            "{} has {} rows, the manifest says {}",
            file.path,
            written.rows,
            file.rows
        );
        change.added.push(written);
        database.commit_fold(&change).await.context("taking a file in")?;
    }
    Ok(())
}

fn read_exported(
    source: &Path,
    file: &ExportedFile,
    stream: Stream,
    set: FileSet,
) -> anyhow::Result<crate::lake::Frame> {
    let inside =
        PathBuf::from(&file.path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    ensure!(inside, "the path leads elsewhere");
    let known = LakeFile {
        id: file.path.clone(),
        stream,
        day: file.day,
        file_set: set,
        path: file.path.clone(),
        rows: file.rows,
        size_bytes: file.size_bytes,
        blake3: file.blake3.clone(),
        last_event_ms: i64::MAX,
        control: None,
        superseded: Arc::default(),
    };
    Ok(Lake::open(source)?.read(&known, None)?)
}
