//! What the way in takes a second, durably, against a fixed reference of the same run: see `../README.md`.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of a benchmark"
)]

mod disk;
mod load;
mod mixed;
mod reference;
mod rows;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use load::{Outcome, Plan, Request};
use mixed::Watch;
use rows::{Body, Random};
use tillwatch::app::config::{Config, DataOptions, LogOptions, ServerOptions};
use tillwatch::app::{Running, bind, start};
use tillwatch::domain::{Clock, Currency, KeyMode, KeyScope, StoreSet, SystemClock};
use tillwatch::store::{ApiKeyRecord, StoreDraft};
use tillwatch::telemetry::LogFormat;
use tillwatch::web::AppState;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How the address of a PostgreSQL database begins.
const POSTGRES: &str = "postgres://";
/// Seconds of each measurement, unless the command says otherwise.
const SECONDS: u64 = 10;
const SEED: u64 = 1;
/// Rows of a large request, and the connections that send them.
const BATCH_ROWS: usize = 1_000;
const BATCH_CONNECTIONS: usize = 16;
/// Connections that send one row a request.
const SINGLE_CONNECTIONS: [usize; 2] = [64, 1_024];
/// The fixed rate of the mixed mode, and its rows a request.
const MIXED_ROWS_PER_S: f64 = 50_000.0;
const MIXED_BATCH_ROWS: usize = 500;
/// Bodies that the reference reads.
const REFERENCE_BODIES: usize = 20;

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds `--bench`; `cargo test --benches` calls without it and wants no measuring.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    // As in `serve`: what a request logs is a part of what it costs.
    tillwatch::telemetry::start_logging(LogFormat::Human, "info,actix_server=warn")?;
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(SECONDS);
    let wanted = |name: &str| {
        let mut names = std::env::args().skip(1).filter(|argument| {
            !argument.starts_with("--") && !argument.starts_with(POSTGRES) && argument.parse::<u64>().is_err()
        });
        let first = names.next();
        first.is_none_or(|first| first == name || names.any(|other| other == name))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let span = Duration::from_secs(seconds);
    if wanted("rows") {
        with_server(&runtime, span, false, Bench::rows)?;
    }
    if wanted("single") {
        with_server(&runtime, span, false, Bench::single)?;
    }
    if wanted("mixed") {
        with_server(&runtime, span, true, Bench::mixed)?;
    }
    Ok(())
}

/// Measures with a server over an empty data folder on the disk of the present folder.
fn with_server(
    runtime: &tokio::runtime::Runtime,
    span: Duration,
    with_jobs: bool,
    measure: fn(&Bench) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let server = runtime.block_on(Server::start(folder.path(), with_jobs))?;
    let bench = Bench { server, span, now: SystemClock.now(), folder: folder.path().to_owned() };
    let measured = measure(&bench);
    runtime.block_on(bench.server.stop())?;
    measured
}

/// A whole server in this process. Without its jobs the way in is measured alone.
struct Server {
    running: Running,
    address: SocketAddr,
    stop: actix_web::dev::ServerHandle,
    key: String,
}

impl Server {
    async fn start(folder: &Path, with_jobs: bool) -> anyhow::Result<Self> {
        let log = LogOptions { log: LogFormat::Json, log_filter: "info,actix_server=warn".into() };
        let server = ServerOptions {
            listen: TcpListener::bind("127.0.0.1:0")?.local_addr()?,
            public_url: None,
            trusted_proxy: Vec::new(),
            metrics_token: None,
            allow_local_robot: false,
            alipay_gateway: None,
            wechat_pay_gateway: None,
            log,
        };
        // An empty database of a PostgreSQL server, where one is given.
        let database = std::env::args().find(|argument| argument.starts_with(POSTGRES));
        let data = DataOptions {
            data_dir: folder.to_owned(),
            database: database.as_deref().map(Into::into),
            i_accept_data_loss: false,
        };
        let config = Config::of(&data, &server)?;
        let mut running = start(&config, Arc::new(SystemClock)).await?;
        if !with_jobs {
            running.stop_jobs().await;
        }
        let key = install(&running.state, SystemClock.now()).await?;
        let (server, address) = bind(&running.state, config.listen)?;
        let stop = server.handle();
        tokio::spawn(server);
        Ok(Self { running, address, stop, key })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.stop(true).await;
        self.running.stop().await;
        Ok(())
    }
}

/// An organisation of 200 stores and a key for all of them.
async fn install(state: &AppState, now: DateTime<Utc>) -> anyhow::Result<String> {
    let organisation = state.database.insert_organisation("Benchmark", now).await?;
    for store in 0..rows::STORES as u64 {
        let draft = StoreDraft {
            organisation,
            slug: rows::slug(store),
            name: rows::slug(store),
            zone: chrono_tz::Asia::Shanghai,
            cut_off: chrono::NaiveTime::MIN,
            week_start: chrono::Weekday::Mon,
            currency: Currency::CNY,
            language: "en".into(),
        };
        state.database.insert_store(&draft, now).await?;
    }
    let (text, secret_hmac) = state.door.make_key(KeyMode::Live)?;
    let record = ApiKeyRecord {
        id: text.id().to_owned(),
        organisation,
        name: "benchmark".into(),
        scope: KeyScope::Ingest,
        mode: KeyMode::Live,
        stores: StoreSet::All,
        secret_hmac,
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    state.database.insert_api_key(&record).await?;
    Ok(text.reveal().to_owned())
}

struct Bench {
    server: Server,
    span: Duration,
    now: DateTime<Utc>,
    folder: PathBuf,
}

impl Bench {
    fn requests(&self, connections: usize, rows: usize) -> Vec<Request> {
        let mut random = Random(SEED);
        (0..connections)
            .map(|_| Request::records(&self.server.key, rows, Body::of(rows, &mut random, self.now)))
            .collect()
    }

    fn send(&self, requests: Vec<Request>) -> anyhow::Result<Outcome> {
        load::send(self.server.address, requests, &Plan { span: self.span, ..Plan::default() })
    }

    /// NDJSON of 1,000 rows against the reference.
    fn rows(&self) -> anyhow::Result<()> {
        let mut random = Random(SEED);
        let bodies: Vec<Body> =
            (0..REFERENCE_BODIES).map(|_| Body::of(BATCH_ROWS, &mut random, self.now)).collect();
        let bytes = bodies.iter().map(|body| body.bytes.len()).sum::<usize>() / REFERENCE_BODIES / BATCH_ROWS;
        let before = reference::rows_per_s(&bodies, self.span / 4)?;
        let mut sent = self.send(self.requests(BATCH_CONNECTIONS, BATCH_ROWS))?;
        let after = reference::rows_per_s(&bodies, self.span / 4)?;
        let reference = before.midpoint(after);
        println!(
            "rows: {:.0} durable rows/s ({BATCH_ROWS} a request of {bytes} B a row, {BATCH_CONNECTIONS} connections, \
             p50 {:.1} ms, p99 {:.1} ms; {:.2} µs of processor a row with its sending); reference {reference:.0} rows/s ({before:.0} before, {after:.0} after); \
             ratio {:.2}",
            sent.rows_per_s(),
            sent.percentile_ms(50),
            sent.percentile_ms(99),
            sent.cpu_us(),
            sent.rows_per_s() / reference,
        );
        Ok(())
    }

    /// One row a request against the smaller of connections ÷ fsync and half an empty handler.
    fn single(&self) -> anyhow::Result<()> {
        for connections in SINGLE_CONNECTIONS {
            let sync_before = disk::sync_p50_s(&self.folder)?;
            let mut sent = self.send(self.requests(connections, 1))?;
            let sync = sync_before.midpoint(disk::sync_p50_s(&self.folder)?);
            let empty = self.send(vec![Request::nothing(); connections])?;
            let by_sync = connections as f64 / sync;
            let by_handler = empty.requests_per_s() / 2.0;
            println!(
                "single: {:.0} durable requests/s of one row, {connections} connections (p50 {:.1} ms, p99 {:.1} ms; {:.0} µs of processor each); \
                 fsync p50 {:.2} ms allows {by_sync:.0}/s, half of the empty handler is {by_handler:.0}/s; ratio {:.2}",
                sent.requests_per_s(),
                sent.percentile_ms(50),
                sent.percentile_ms(99),
                sent.cpu_us(),
                sync * 1000.0,
                sent.requests_per_s() / by_sync.min(by_handler),
            );
        }
        Ok(())
    }

    /// At a fixed rate, with folds beside it: how long until a row is visible, and whether folds keep up.
    fn mixed(&self) -> anyhow::Result<()> {
        let plan = Plan { span: self.span, rows_per_s: Some(MIXED_ROWS_PER_S), ..Plan::default() };
        let snapshots = Arc::clone(&self.server.running.state.snapshots);
        let watch = Watch::start(snapshots, Arc::clone(&plan.acknowledged));
        let sent =
            load::send(self.server.address, self.requests(BATCH_CONNECTIONS, MIXED_BATCH_ROWS), &plan)?;
        let seen = watch.finish()?;
        println!(
            "mixed: {:.0} rows/s acknowledged of {MIXED_ROWS_PER_S:.0} asked, visible after p50 {:.2} s, p99 {:.2} s; \
             {:.0} rows/s folded, {} rows waited in the middle and {} at the end{}",
            sent.rows_per_s(),
            seen.p50_s,
            seen.p99_s,
            seen.folded_per_s,
            seen.waiting_middle,
            seen.waiting_end,
            if seen.all_visible { "" } else { "; NOT ALL BECAME VISIBLE" },
        );
        Ok(())
    }
}
