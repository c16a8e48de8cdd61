use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::{mpsc, watch};

use crate::app::config::{Config, DataOptions, LogOptions, ServerOptions};
use crate::app::demo::client::Client;
use crate::app::demo::installation::{self, Demo, Login};
use crate::app::demo::loading::{Loader, make_ahead};
use crate::app::demo::{DAYS_MAX, History, Outline, Script, Traffic};
use crate::app::{bind, start};
use crate::domain::{Clock, Instant, SystemClock};
use crate::telemetry::{LogFormat, start_logging};
use crate::web::AppState;

/// How often the fold's backlog is looked at while the history is loaded.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bills that may wait for the one being imported.
const BILLS_AHEAD: usize = 64;
/// How long the client may take to end.
const CLIENT_STOP_WITHIN: Duration = Duration::from_secs(12);

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Keep the data in this folder; without it a temporary one is used and removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    listen: std::net::SocketAddr,
    /// Seed of the history: the same seed and end give the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Days of history
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=DAYS_MAX))]
    days: u64,
    /// End of the history, e.g. 2026-11-25T08:00:00+08:00; by default now
    #[arg(long, value_name = "INSTANT")]
    until: Option<chrono::DateTime<chrono::FixedOffset>>,
    /// Which log lines are written
    #[arg(long, default_value = "warn", value_name = "FILTER")]
    log_filter: String,
}

/// Makes a history of three stores, serves it, and goes on sending live traffic until SIGTERM or Ctrl-C.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    start_logging(LogFormat::Human, &options.log_filter).context("starting the log")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let until = end_of(&options, clock.now())?;
    let temporary = match &options.data_dir {
        Some(_) => None,
        None => {
            Some(tempfile::Builder::new().prefix("tillwatch-demo-").tempdir().context("making a folder")?)
        }
    };
    let data_dir = match (&options.data_dir, &temporary) {
        (Some(kept), _) => kept.clone(),
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => bail!("no data folder"),
    };
    let config = config(data_dir, options.listen, &options.log_filter)?;
    let mut running = start(&config, Arc::clone(&clock)).await?;
    // Bound before the work, so that a port in use is told at once.
    let (server, address) = bind(&running.state, config.listen)?;
    let origin = crate::app::config::local_origin(address);
    let mut server = tokio::spawn(server);

    let outline =
        |demo: &Demo| Outline { seed: options.seed, days: options.days, until, stores: demo.stores };
    let prepared = async {
        let demo = installation::prepare(&running.state, until).await?;
        let traffic = if demo.is_new {
            let traffic = load(&running.state, outline(&demo)).await?;
            installation::finish(&running.state.database, until, clock.now()).await?;
            traffic
        } else {
            println!("The folder holds a demo already: its history is kept, live traffic goes on.");
            Traffic::from(options.seed, Script::until(demo.until), demo.stores, clock.now(), Vec::new())
        };
        anyhow::Ok((demo, traffic))
    };
    let prepared = tokio::select! {
        prepared = prepared => Some(prepared?),
        _ = &mut server => None,
    };
    let (stop, stopped) = watch::channel(false);
    if let Some((demo, traffic)) = prepared {
        running.watch()?;
        announce(&origin, &demo.login, &demo.key, began.elapsed(), options.data_dir.as_deref());
        let client = Client::new(origin, demo.key, demo.stores).context("making the live client")?;
        let sending = tokio::spawn(client.run(traffic, Arc::clone(&clock), stopped));
        // Ends by itself on SIGTERM and Ctrl-C, after running requests.
        let outcome = server.await;
        // Fails only when the client is gone already.
        let _ = stop.send(true);
        if tokio::time::timeout(CLIENT_STOP_WITHIN, sending).await.is_err() {
            tracing::warn!("the live client did not end in time");
        }
        outcome.context("the server's task")?.context("serving")?;
    }
    println!("stopping");
    running.stop().await;
    Ok(())
}

/// The end of the history: whole seconds, not in the future.
fn end_of(options: &Options, now: Instant) -> anyhow::Result<Instant> {
    let until = options.until.map_or(now, |until| until.to_utc());
    if until > now {
        bail!("--until is in the future");
    }
    Ok(until - chrono::TimeDelta::nanoseconds(i64::from(until.timestamp_subsec_nanos())))
}

fn config(data_dir: PathBuf, listen: std::net::SocketAddr, log_filter: &str) -> anyhow::Result<Config> {
    let log = LogOptions { log: LogFormat::Human, log_filter: log_filter.to_owned() };
    let server = ServerOptions {
        listen,
        public_url: None,
        trusted_proxy: Vec::new(),
        metrics_token: None,
        allow_local_robot: false,
        alipay_gateway: None,
        wechat_pay_gateway: None,
        log,
    };
    Config::of(&DataOptions { data_dir, database: None, i_accept_data_loss: false }, &server)
}

/// Loads the history through the inbox and waits until it is folded.
async fn load(state: &AppState, outline: Outline) -> anyhow::Result<Traffic> {
    let history = History::of(outline);
    let progress = Progress::new(history.days_left());
    let (mut bundles, made) = make_ahead(history);
    let mut loader = Loader::new(&state.intake, &state.pseudonyms);
    let (bills, waiting) = mpsc::channel(BILLS_AHEAD);
    let importing = tokio::spawn(installation::import_bills(state.clone(), waiting));
    while let Some(mut bundle) = bundles.recv().await {
        for bill in std::mem::take(&mut bundle.bills) {
            // Fails only when the import has failed: its own error is told below.
            let _ = bills.send(bill).await;
        }
        loader.take(bundle).await.context("loading the history")?;
        progress.day(loader.loaded);
    }
    loader.finish().await.context("loading the history")?;
    drop(bills);
    let bills = importing.await.context("the import of the bills")??;
    let history = made.await.context("making the history")?;
    loop {
        let backlog = state.database.inbox_backlog().await?;
        if backlog.batches == 0 {
            break;
        }
        progress.folding(backlog.rows);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    progress.done(loader.loaded, bills);
    Ok(history.into_traffic())
}

/// A bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(days: u64) -> Self {
        let bar = ProgressBar::new(days);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} days  {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(LOOK_EVERY);
        Self { bar }
    }

    fn day(&self, rows: usize) {
        self.bar.inc(1);
        self.bar.set_message(format!("{rows} records"));
        if self.bar.is_hidden() && self.bar.position().is_multiple_of(10) {
            eprintln!("{} of {} days made: {rows} records", self.bar.position(), self.days());
        }
    }

    fn days(&self) -> u64 {
        self.bar.length().unwrap_or_default()
    }

    fn folding(&self, rows: i64) {
        self.bar.set_message(format!("{rows} rows still to be counted"));
    }

    fn done(&self, rows: usize, bills: usize) {
        self.bar.finish_and_clear();
        println!("{rows} records and {bills} bills are in.");
    }
}

fn announce(origin: &str, login: &Login, key: &str, took: Duration, kept: Option<&std::path::Path>) {
    println!();
    println!("  Tillwatch demo    {origin}");
    println!("  sign in as        {}", login.email);
    println!("  password          {}", login.password);
    println!("  API key (ingest)  {key}");
    println!();
    let place = kept.map_or_else(
        || "The data is in a temporary folder and goes away with the demo.".to_owned(),
        |folder| format!("The data stays in {}.", folder.display()),
    );
    println!("Ready after {} s. Live payments come in at the pace of the hour. {place}", took.as_secs());
    println!("Ctrl-C ends it.");
}
