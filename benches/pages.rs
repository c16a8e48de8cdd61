//! What each page costs at the server, on the demo's data: see `README.md` beside this file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, StatusCode, redirect};
use tillwatch::app::config::{Config, DataOptions, LogOptions, ServerOptions, local_origin};
use tillwatch::app::demo::installation::{self, Login};
use tillwatch::app::demo::loading::{Loader, make_ahead};
use tillwatch::app::demo::{History, Outline};
use tillwatch::app::{bind, start};
use tillwatch::domain::{Clock, SystemClock};
use tillwatch::telemetry::LogFormat;
use tillwatch::web::AppState;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DAYS: u64 = 90;
const SEED: u64 = 1;
/// Requests a page, unless the command says otherwise.
const REQUESTS: usize = 200;
/// Requests before the first that is counted.
const WARM_UP: usize = 10;
/// The aims: 50 ms at p99, 50 kB with everything a page loads.
const AIM_MS: f64 = 50.0;
const AIM_BYTES: usize = 50_000;

const PAGES: [&str; 10] = [
    "overview",
    "daily-close",
    "transactions",
    "fees",
    "conversion",
    "categories",
    "customers",
    "alerts",
    "imports",
    "status",
];

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds `--bench`; `cargo test --benches` calls without it and wants no measuring.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let requests = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(REQUESTS);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(requests))
}

async fn measure(requests: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = LogOptions { log: LogFormat::Human, log_filter: "error".into() };
    let server = ServerOptions {
        listen: free_address()?,
        public_url: None,
        trusted_proxy: Vec::new(),
        metrics_token: None,
        allow_local_robot: false,
        alipay_gateway: None,
        wechat_pay_gateway: None,
        log,
    };
    let data = DataOptions { data_dir: folder.path().to_owned(), database: None, i_accept_data_loss: false };
    let config = Config::of(&data, &server)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let running = start(&config, Arc::clone(&clock)).await?;
    let (server, address) = bind(&running.state, config.listen)?;
    let stop = server.handle();
    let serving = tokio::spawn(server);

    let timer = Instant::now();
    let login = load(&running.state, clock.as_ref()).await?;
    println!("{} days loaded and folded in {:.1} s\n", DAYS, timer.elapsed().as_secs_f64());
    let mut visitor = Visitor::new(local_origin(address))?;
    visitor.sign_in(&login).await?;
    report(&mut visitor, requests).await?;

    stop.stop(true).await;
    serving.await??;
    running.stop().await;
    Ok(())
}

/// An address that is free now; forms are taken from the address the server was told, so it cannot choose one itself.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn load(state: &AppState, clock: &dyn Clock) -> anyhow::Result<Login> {
    let until = clock.now();
    let demo = installation::prepare(state, until).await?;
    let outline = Outline { seed: SEED, days: DAYS, until, stores: demo.stores };
    let (mut bundles, made) = make_ahead(History::of(outline));
    let mut loader = Loader::new(&state.intake, &state.pseudonyms);
    while let Some(mut bundle) = bundles.recv().await {
        bundle.bills.clear();
        loader.take(bundle).await?;
    }
    loader.finish().await?;
    made.await?;
    while state.database.inbox_backlog().await?.batches > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(demo.login)
}

async fn report(visitor: &mut Visitor, requests: usize) -> anyhow::Result<()> {
    let empty = visitor.time("/healthz", requests).await?;
    println!("{:<34} {:>9} {:>9} {:>7} {:>9} {:>9}", "page", "p50 ms", "p99 ms", "ratio", "page B", "all B");
    println!("{:<34} {:>9.3} {:>9.3} {:>7.1}", "an empty handler (/healthz)", empty.p50, empty.p99, 1.0);
    for store in ["all".to_owned(), visitor.first_store().await?] {
        for page in PAGES {
            let path = format!("/s/{store}/{page}");
            let Some((page_bytes, all_bytes)) = visitor.weigh(&path).await? else {
                println!("{path:<34} not there");
                continue;
            };
            let times = visitor.time(&path, requests).await?;
            let over = match (times.p99 > AIM_MS, all_bytes > AIM_BYTES) {
                (false, false) => "",
                (true, false) => "  slow",
                (false, true) => "  heavy",
                (true, true) => "  slow, heavy",
            };
            println!(
                "{path:<34} {:>9.3} {:>9.3} {:>7.1} {page_bytes:>9} {all_bytes:>9}{over}",
                times.p50,
                times.p99,
                times.p50 / empty.p50
            );
        }
    }
    println!("\n{requests} requests each; aims: {AIM_MS} ms at p99, {AIM_BYTES} B with everything");
    Ok(())
}

struct Times {
    p50: f64,
    p99: f64,
}

/// A browser without a cache: one connection, one cookie.
struct Visitor {
    client: Client,
    origin: String,
    cookie: String,
    /// Compressed bytes of the files that pages load.
    assets: BTreeMap<String, usize>,
}

impl Visitor {
    fn new(origin: String) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { client, origin, cookie: String::new(), assets: BTreeMap::new() })
    }

    async fn sign_in(&mut self, login: &Login) -> anyhow::Result<()> {
        let fields: String = [("email", login.email), ("password", login.password.as_str())]
            .map(|(name, value)| format!("{name}={}", tillwatch::web::page::encode(value)))
            .join("&");
        let answer = self
            .client
            .post(format!("{}/login", self.origin))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header(ORIGIN, &self.origin)
            .body(fields)
            .send()
            .await?;
        let status = answer.status();
        let cookie = answer.headers().get(SET_COOKIE);
        let cookie =
            cookie.with_context(|| format!("signing in answered {status} without a cookie"))?.to_str()?;
        cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        Ok(())
    }

    async fn get(&self, path: &str) -> anyhow::Result<(StatusCode, bool, Vec<u8>)> {
        let answer = self
            .client
            .get(format!("{}{path}", self.origin))
            .header(ACCEPT_ENCODING, "gzip")
            .header(COOKIE, &self.cookie)
            .send()
            .await?;
        if let Some(target) = answer.headers().get(LOCATION) {
            bail!("{path} sends on to {}", target.to_str()?);
        }
        let status = answer.status();
        let packed = answer.headers().contains_key(CONTENT_ENCODING);
        Ok((status, packed, answer.bytes().await?.to_vec()))
    }

    async fn time(&self, path: &str, requests: usize) -> anyhow::Result<Times> {
        let mut taken = Vec::with_capacity(requests);
        for number in 0..requests + WARM_UP {
            let timer = Instant::now();
            let (status, _, _) = self.get(path).await?;
            let ms = timer.elapsed().as_secs_f64() * 1000.0;
            if status != StatusCode::OK {
                bail!("{path} answered {status}");
            }
            if number >= WARM_UP {
                taken.push(ms);
            }
        }
        taken.sort_by(f64::total_cmp);
        let at = |percent: usize| taken.get((taken.len() * percent / 100).min(taken.len() - 1)).copied();
        Ok(Times { p50: at(50).context("no requests")?, p99: at(99).context("no requests")? })
    }

    /// Bytes on the wire of the page alone and with the files it loads; `None` when there is no such page.
    async fn weigh(&mut self, path: &str) -> anyhow::Result<Option<(usize, usize)>> {
        let (status, packed, body) = self.get(path).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut html = String::new();
        if packed {
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut html)?;
        } else {
            html = String::from_utf8(body.clone())?;
        }
        let loaded: BTreeSet<String> =
            html.split('"').filter(|part| part.starts_with("/static/")).map(str::to_owned).collect();
        let mut all = body.len();
        for url in loaded {
            if !self.assets.contains_key(&url) {
                let (_, _, file) = self.get(&url).await?;
                self.assets.insert(url.clone(), file.len());
            }
            all += self.assets[&url];
        }
        Ok(Some((body.len(), all)))
    }

    async fn first_store(&self) -> anyhow::Result<String> {
        let (_, packed, body) = self.get("/s/all/status").await?;
        let mut html = String::new();
        if packed {
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut html)?;
        }
        let links = html.split("\"/s/").skip(1).filter_map(|rest| rest.split('/').next());
        links.map(str::to_owned).find(|slug| slug != "all").context("no store is linked")
    }
}
