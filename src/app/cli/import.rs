use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::config::{Config, DataOptions};
use crate::app::{InUse, Running, start};
use crate::domain::{Store, SystemClock};
use crate::intake::FileHints;
use crate::intake::fetching::Gateways;
use crate::intake::import::{Begun, ImportRequest, import_file};
use crate::intake::rejected::{REJECTED_KEPT_MAX, RejectedRow, rejected_rows};
use crate::store::{Database, ImportOutcome, ImportRecord, ImportState};

use super::serve::now;
use super::{import_preview, import_remote};

/// How long the folds are waited for, in steps of a fifth of a second.
const FOLD_STEPS_MAX: u32 = 600;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// A bill as downloaded (CSV, GZ, ZIP), or any CSV file with --mapping
    pub file: PathBuf,
    /// The store's slug; not needed where there is only one
    #[arg(long)]
    pub store: Option<String>,
    /// A TOML file that names the columns of a file of no known provider
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// The account that the file is of, where it does not say so itself: an account's number, an address on a chain
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Say what the file is and what would come of it, and take nothing in
    #[arg(long)]
    pub dry_run: bool,
    /// Write the rejected lines with their reasons to this CSV file
    #[arg(long, value_name = "FILE")]
    pub rejected_to: Option<PathBuf>,
    /// Where a running server is found; used while it holds the data folder
    #[arg(long, env = "TILLWATCH_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,
    /// Key for the running server (scope: ingest)
    #[arg(long, env = "TILLWATCH_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub api_key: Option<String>,
    #[command(flatten)]
    pub data: DataOptions,
}

/// Imports a file: into the data folder, or through the server that holds it.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    if options.file.is_dir() {
        bail!("{} is a folder; import its files one by one", options.file.display());
    }
    let mapping = match &options.mapping {
        Some(path) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
        }
        None => None,
    };
    let config = Config {
        data_dir: options.data.data_dir.clone(),
        database: options.data.database()?,
        durability: options.data.durability(),
        listen: ([127, 0, 0, 1], 0).into(),
        public_origin: String::new(),
        trusted_proxies: Vec::new(),
        metrics_token: None,
        allow_local_robot: false,
        gateways: Gateways::default(),
        sabotage: crate::domain::Sabotage::default(),
    };
    match start(&config, Arc::new(SystemClock)).await {
        Ok(running) => {
            let outcome = import_here(&running, &options, mapping).await;
            running.stop().await;
            outcome
        }
        Err(error) if error.is::<InUse>() => import_remote::run(&options, mapping.as_deref()).await,
        Err(error) => Err(error),
    }
}

async fn import_here(running: &Running, options: &Options, mapping: Option<String>) -> anyhow::Result<()> {
    let state = &running.state;
    let store = pick_store(state.database.stores().await?, options.store.as_deref())?;
    let name = options.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let request = ImportRequest {
        store: store.id,
        path: options.file.clone(),
        file_name: name.unwrap_or_default(),
        mapping,
        hints: FileHints { account: options.account.clone(), zone: Some(store.zone) },
        scratch: state.config.data_dir.clone(),
        now: now(),
    };
    if options.dry_run {
        return import_preview::here(running, request).await;
    }
    let bar = bar();
    let shown = bar.clone();
    let progress = move |progress: crate::intake::import::Progress| {
        shown.set_position(u64::try_from(progress.ppm).unwrap_or(0));
        shown.set_message(format!("{} records", progress.rows));
    };
    let pseudonyms = Arc::clone(&state.pseudonyms);
    let imported = import_file(&state.intake, &state.database, pseudonyms, request, progress).await;
    bar.finish_and_clear();
    let (begun, record) = imported.context("importing")?;
    if let (Begun::Already(id), None) = (&begun, &record) {
        println!("This very file was already imported as #{id}. Nothing was changed.");
        return Ok(());
    }
    let Some(record) = record else { bail!("the same file is being imported at this moment") };
    let outcome = folded(&state.database, &record).await?;
    print(&record, &outcome);
    if let Some(path) = &options.rejected_to {
        let most = i64::try_from(REJECTED_KEPT_MAX)?;
        let rows = rejected_rows(&state.database, &state.pseudonyms, record.id, most).await?;
        write_rejected(path, &rows).with_context(|| format!("writing {}", path.display()))?;
    }
    if record.state == ImportState::Refused {
        bail!("the file was refused: {}", record.findings.sentence_en);
    }
    Ok(())
}

fn pick_store(stores: Vec<Store>, slug: Option<&str>) -> anyhow::Result<Store> {
    let slugs = stores.iter().map(|store| store.slug.clone()).collect::<Vec<_>>().join(", ");
    let mut fitting = stores.into_iter().filter(|store| slug.is_none_or(|slug| store.slug == slug));
    match (fitting.next(), fitting.next()) {
        (Some(store), None) => Ok(store),
        (None, _) if slugs.is_empty() => bail!("nothing is set up yet: run `tillwatch serve` first"),
        (None, _) => bail!("there is no such store; known are: {slugs}"),
        (Some(_), Some(_)) => bail!("name the store with --store; known are: {slugs}"),
    }
}

/// Waits until the records are counted, so that new, replaced and unchanged can be told.
async fn folded(database: &Database, record: &ImportRecord) -> anyhow::Result<ImportOutcome> {
    for _ in 0..FOLD_STEPS_MAX {
        let outcome = database.import_outcome(record).await?;
        if outcome.waiting == 0 {
            return Ok(outcome);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(database.import_outcome(record).await?)
}

/// A bar over millionths of the file.
pub(super) fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1_000_000);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn print(record: &ImportRecord, outcome: &ImportOutcome) {
    let findings = &record.findings;
    println!("import      #{}  {}", record.id, record.file_name);
    println!("file        {} {} {}", findings.provider, findings.variant, findings.encoding);
    if let Some((first, last)) = findings.days {
        println!("days        {first} to {last}");
    }
    println!(
        "lines       {} read = {} taken in + {} rejected + {} not data",
        findings.lines_read, findings.lines_accepted, findings.lines_rejected, findings.lines_not_data
    );
    let counts = &outcome.counts;
    if outcome.waiting > 0 {
        println!("records     {} taken in, still being counted", findings.rows);
    } else {
        println!(
            "records     {} taken in = {} new + {} replaced + {} unchanged",
            findings.rows, counts.new, counts.replaced, counts.unchanged
        );
    }
    println!("totals      {}", totals(&findings.totals));
}

/// The check against the file's own summary, in words.
pub(super) fn totals(word: &str) -> &'static str {
    match word {
        "matched" => "the rows add up to the file's summary",
        "not_comparable" => "cannot be compared: amounts of rejected lines are unreadable",
        "no_summary" => "the file has no summary",
        _ => "–",
    }
}

fn write_rejected(path: &std::path::Path, rows: &[RejectedRow]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["line", "column", "code", "reason", "raw"])?;
    for row in rows {
        let raw = row.raw.as_deref().unwrap_or_default();
        let cells = [&row.line.to_string(), &row.field, &row.code, &row.sentence, raw];
        writer.write_record(cells.map(plain))?;
    }
    writer.flush()?;
    Ok(())
}

/// A cell that no spreadsheet takes for a formula.
fn plain(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}
