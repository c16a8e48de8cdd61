use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::app::DataFolder;
use crate::app::config::DataOptions;
use crate::jobs::portable::{ExportManifest, export, import};
use crate::lake::Lake;
use crate::store::Database;

use super::serve::now;

#[derive(Args, Debug)]
pub(super) struct Export {
    /// A new folder for Parquet files and a manifest
    folder: PathBuf,
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Args, Debug)]
pub(super) struct ImportAll {
    /// A folder that `tillwatch export` made
    folder: PathBuf,
    #[command(flatten)]
    data: DataOptions,
}

/// Writes everything as Parquet, beside a running server too.
pub(super) async fn run(options: Export) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    let database = Database::open(options.data.database()?).await.context("opening the database")?;
    let lake = Lake::open(&folder.join("lake")).context("opening the lake")?;
    let made = export(&database, &lake, &options.folder, now()).await;
    database.close().await;
    tell("exported", &made?);
    println!("People, keys and settings are not in it: they belong to an installation.");
    Ok(())
}

/// Reads an export into an empty data folder.
pub(super) async fn run_import(options: ImportAll) -> anyhow::Result<()> {
    let lock = DataFolder::open(&options.data.data_dir)?;
    lock.secret()?;
    let database = Database::open(options.data.database()?).await.context("opening the database")?;
    let lake = Lake::open(&lock.path().join("lake")).context("opening the lake")?;
    let made = import(&database, &lake, &options.folder, now()).await;
    database.close().await;
    tell("read", &made?);
    println!(
        "The totals are those of the export. Put the old secret.key into the folder, so that customers stay the same."
    );
    Ok(())
}

fn tell(what: &str, manifest: &ExportManifest) {
    let rows: u64 = manifest.files.iter().map(|file| file.rows).sum();
    println!("{what:<12}{} stores, {} files, {rows} rows", manifest.stores.len(), manifest.files.len());
    for total in &manifest.totals {
        println!(
            "total       store {} in {}: {} payments of {} minor units",
            total.store, total.currency, total.payments, total.paid
        );
    }
}
