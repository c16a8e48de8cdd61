//! Puts the rooms together and takes them apart again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinHandle;

use crate::analytics::SnapshotCell;
use crate::domain::{Clock, Instant, Promise, SteadyClock};
use crate::intake::webhooks::WebhookDesk;
use crate::intake::{Intake, Pseudonyms};
use crate::jobs::backup::{Backup, BackupSchedule};
use crate::jobs::disk::DiskWatch;
use crate::jobs::retention::Retention;
use crate::jobs::sweep_uploads::SweepUploads;
use crate::jobs::{
    EvaluateAlerts, Expire, FetchBills, Fold, Inspect, JobContext, Notify, Reconcile, Runner, Scrub,
    ready_snapshot,
};
use crate::lake::Lake;
use crate::store::{Database, InboxWriter, QUEUE_ROWS_MAX, Seal};
use crate::telemetry::Metrics;
use crate::web::door::{Door, DoorKeys};
use crate::web::{AppState, WebConfig};

use super::config::Config;
use super::daily_report::DailyReport;
use super::data_folder::DataFolder;

/// How long jobs may take to finish at the end.
const JOBS_STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long the last commit may take at the end.
const WRITER_STOP_WITHIN: Duration = Duration::from_secs(10);

/// Everything that runs, but for the HTTP server.
pub struct Running {
    pub state: AppState,
    /// None once the jobs were stopped.
    runner: Option<Runner>,
    writer: JoinHandle<()>,
    _folder: DataFolder,
}

/// Opens the data folder and starts the writer and the jobs on the present runtime (a multi-threaded one: Polars
/// panics when called from a single-threaded one).
///
/// # Errors
/// What stands in the way, in a sentence.
pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    let folder = match config.database.file() {
        Some(_) => DataFolder::open(&config.data_dir)?,
        None => DataFolder::open_shared(&config.data_dir)?,
    };
    let secret = folder.secret()?;
    let database = Database::open_with(&config.database, config.durability)
        .await
        .with_context(|| format!("opening the database {}", config.database))?
        .breaking(config.sabotage)
        .await?;
    let lake = Lake::open(&folder.path().join("lake")).context("opening the lake")?.breaking(config.sabotage);
    let snapshot = ready_snapshot(&database, &lake).await.context("reading the rollups")?;
    let metrics = Arc::new(Metrics::new().context("defining the metrics")?);
    metrics.set_intake_queue_capacity(QUEUE_ROWS_MAX);
    metrics.snapshot_published(snapshot.folded_at);
    let snapshots = Arc::new(SnapshotCell::new(snapshot));
    let (inbox, writer) = InboxWriter::start(database.clone());
    let steady = SteadyClock::new(Arc::clone(&clock), snapshots.current().youngest_receipt());
    let intake = Arc::new(Intake::new(database.clone(), inbox, Arc::new(steady), Arc::clone(&metrics)));

    let context = JobContext {
        database: database.clone(),
        clock: Arc::clone(&clock),
        snapshots: Arc::clone(&snapshots),
        metrics: Arc::clone(&metrics),
    };
    let mut runner = Runner::new(context);
    let fold = Fold::new(lake.clone());
    runner.spawn(fold.compact());
    runner.spawn(fold.withdraw(Arc::clone(&intake)));
    runner.spawn(Retention::new(lake.clone(), fold.shared()));
    runner.spawn(fold);
    runner.spawn(Expire::new(lake.clone()));
    runner.spawn(Inspect::new(lake.clone()));
    runner.spawn(Scrub::new(lake.clone()));
    runner.spawn(SweepUploads::new(folder.path().to_owned()));
    runner.spawn(Reconcile::new(lake.clone()));
    if !config.sabotage.breaks(Promise::ShutInTime) {
        runner.spawn(DiskWatch::new(folder.path().to_owned(), intake.gate()));
    }

    let web = web_config(config, folder.path(), clock.now());
    let pseudonyms = Arc::new(pseudonyms_with(&secret));
    let seal = seal_with(&secret);
    let webhooks = Arc::new(WebhookDesk::new(
        database.clone(),
        Arc::clone(&intake),
        seal.clone(),
        Arc::clone(&pseudonyms),
        Arc::clone(&metrics),
        Arc::clone(&clock),
    ));
    let state = AppState {
        database,
        snapshots,
        lake: Arc::new(lake),
        intake,
        pseudonyms,
        seal,
        webhooks,
        clock,
        metrics,
        config: Arc::new(web),
        door: Arc::new(Door::new(door_keys(&secret))),
    };
    Ok(Running { state, runner: Some(runner), writer, _folder: folder })
}

fn web_config(config: &Config, data_dir: &Path, started_at: Instant) -> WebConfig {
    WebConfig {
        started_at,
        data_dir: data_dir.to_owned(),
        metrics_token: config.metrics_token.clone(),
        public_origin: config.public_origin.clone(),
        allow_local_robot: config.allow_local_robot,
        gateways: config.gateways.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
    }
}

/// The keys of the door, derived from the installation's secret.
pub fn door_keys(secret: &[u8; 32]) -> DoorKeys {
    DoorKeys {
        pepper: derived(secret, "tillwatch 2026-11 API key secrets"),
        forms: derived(secret, "tillwatch 2026-11 form tokens"),
    }
}

/// What turns references to people into keyed hashes, derived from the installation's secret.
pub fn pseudonyms_with(secret: &[u8; 32]) -> Pseudonyms {
    Pseudonyms::new(derived(secret, "tillwatch 2026-11 pseudonyms"))
}

/// What seals the secrets of others that are kept, with a key derived from the installation's secret.
pub fn seal_with(secret: &[u8; 32]) -> Seal {
    Seal::new(derived(secret, "tillwatch 2026-11 sealed secrets"))
}

/// A key for one purpose, derived from the installation's secret.
fn derived(secret: &[u8; 32], purpose: &str) -> [u8; 32] {
    blake3::derive_key(purpose, secret)
}

impl Running {
    /// Starts the jobs that call others, and those that judge the data and tell of it. A process that first loads a history calls it afterwards:
    /// half a history looks like an outage.
    ///
    /// # Errors
    /// When the client of robots or of providers cannot be set up.
    pub fn watch(&mut self) -> anyhow::Result<()> {
        let Some(runner) = &mut self.runner else { return Ok(()) };
        let state = &self.state;
        runner.spawn(FetchBills::new(
            state.config.gateways.clone(),
            Arc::clone(&state.intake),
            Arc::clone(&state.pseudonyms),
            state.seal.clone(),
            &state.config.data_dir,
        )?);
        runner.spawn(EvaluateAlerts::new(Some(Arc::clone(&self.state.intake))));
        runner.spawn(Notify::new()?);
        runner.spawn(DailyReport);
        Ok(())
    }

    /// Makes backups on a schedule.
    pub fn back_up(&mut self, schedule: BackupSchedule) {
        let lake = self.state.lake.as_ref().clone();
        if let Some(runner) = &mut self.runner {
            runner.spawn(Backup::new(lake, self.state.config.data_dir.clone(), schedule));
        }
    }

    /// Stops the jobs; what comes in is still committed, and waits in the inbox.
    pub async fn stop_jobs(&mut self) {
        if let Some(runner) = self.runner.take() {
            runner.stop(JOBS_STOP_WITHIN).await;
        }
    }

    /// Stops jobs, commits what was accepted, closes the database. Call it after the HTTP server has stopped.
    pub async fn stop(mut self) {
        self.stop_jobs().await;
        let database = self.state.database.clone();
        // The writer ends when the last door to it is gone and its queue is empty.
        drop(self.state);
        if tokio::time::timeout(WRITER_STOP_WITHIN, self.writer).await.is_err() {
            tracing::warn!("the inbox writer did not end in time");
        }
        database.close().await;
    }
}
