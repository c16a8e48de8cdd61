use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use crate::app::DataFolder;
use crate::app::config::DataOptions;
use crate::jobs::doctor::steady_snapshot;
use crate::jobs::retention::{KEEP_DAYS, KEEP_DAYS_MIN, drop_day, expired};
use crate::lake::Lake;
use crate::store::Database;

use super::serve::now;

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    /// Keep so many days from now on; the server drops older ones, a day at a time
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
    /// Keep every day again
    #[arg(long, conflicts_with = "keep_days")]
    keep_all: bool,
    /// Only say what would be dropped
    #[arg(long)]
    dry_run: bool,
    /// Drop it now; the server must be stopped
    #[arg(long, conflicts_with = "dry_run")]
    now: bool,
}

/// How long records are kept. Off until a number of days is set.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    let database = Database::open(options.data.database()?).await.context("opening the database")?;
    let outcome = keep(&options, &database).await;
    database.close().await;
    outcome
}

async fn keep(options: &Options, database: &Database) -> anyhow::Result<()> {
    let known = database.setting(KEEP_DAYS).await?.and_then(|days| days.parse::<u32>().ok());
    if let Some(days) = options.keep_days
        && days < KEEP_DAYS_MIN
    {
        bail!("at least {KEEP_DAYS_MIN} days are kept: bills and refunds come weeks later");
    }
    if options.keep_all && !options.dry_run {
        database.put_setting(KEEP_DAYS, "", now()).await?;
        println!("Every day is kept.");
        return Ok(());
    }
    let Some(days) = options.keep_days.or(known) else {
        println!("Every day is kept. To change that: tillwatch retention --keep-days 730");
        return Ok(());
    };
    let snapshot = Arc::new(steady_snapshot(database).await?);
    let found = expired(&snapshot, now(), days);
    println!("keep        {days} days: those before {} (UTC) go", found.before);
    println!("now         {} days, {} files, {} records", found.days.len(), found.files, found.rows);
    if options.dry_run {
        println!("Nothing was changed.");
        return Ok(());
    }
    if options.keep_days.is_some() {
        database.put_setting(KEEP_DAYS, &days.to_string(), now()).await?;
        println!("set         the server drops older days from now on, after a day of a steady clock");
    }
    if options.now {
        drop_all(options, database, days).await?;
    }
    Ok(())
}

async fn drop_all(options: &Options, database: &Database, days: u32) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    let _lock = DataFolder::open(folder)?;
    let lake = Lake::open(&folder.join("lake")).context("opening the lake")?;
    let stores = database.stores().await?;
    loop {
        let snapshot = Arc::new(steady_snapshot(database).await?);
        let at = now();
        if snapshot.youngest_receipt() > at {
            bail!("the machine's clock stands before the youngest record: set it first");
        }
        let Some(day) = expired(&snapshot, at, days).days.first().copied() else { return Ok(()) };
        drop_day(database, &lake, &snapshot, &stores, day, at).await?;
        println!("dropped     {day}");
    }
}
