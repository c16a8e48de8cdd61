//! Ten thousand connections that do nothing, and bodies that drip (R12): everybody else is answered about as fast as
//! without them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::ledger::Ledger;
use crate::rig::{Rig, Served, Serving};

/// Files that a process may have open beside the crowd.
const FILES_BESIDE: u64 = 300;
/// A p99 below this counts as this: two fast numbers may differ by a factor and mean nothing. A build that is not
/// optimised, on a machine that does other things too, wavers more.
const FLOOR: Duration = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 25 });
/// Connections from one address of the loopback network: a server may limit them.
const PER_ADDRESS: u64 = 100;
/// The others: so many connections, each with a request every so often.
const OTHERS: u64 = 10;
const OTHERS_EVERY: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
pub struct Crowd {
    pub idle: u64,
    /// Connections that send a body at one byte per second.
    pub dripping: u64,
    /// The others are measured so long without and so long with the crowd.
    pub measure: Duration,
    /// Stops the server for 700 ms of every second while the crowd is there: a control that must be seen.
    pub stutter: bool,
}

/// What was measured.
#[derive(Debug)]
pub struct Calm {
    pub alone: Duration,
    pub among: Duration,
    /// Connections of the crowd that were open at the end.
    pub open: u64,
    pub failed: u64,
}

impl Calm {
    pub fn is_kept(&self) -> bool {
        self.among <= 2 * self.alone.max(FLOOR) && self.failed == 0
    }
}

impl Crowd {
    /// `None`, said visibly, where a process may not have so many open files.
    pub async fn run(&self, folder: &Path) -> Option<Calm> {
        let needed = self.idle + self.dripping + FILES_BESIDE;
        if let Err(why) = raise_files(needed) {
            println!("skipped: {} connections, for {needed} open files are not allowed: {why}", self.idle);
            return None;
        }
        let rig = Rig::set_up(folder).await;
        // Inherits what this process may open.
        let served = rig.serve(&Serving::default());
        let ledger = Ledger::new(1);
        let (alone, _) = self.latency(&served, &rig, &ledger).await;
        let memory_alone = resident_mebibytes(served.process_id());
        let crowd = Standing::gather(&served, &rig.key, self.idle, self.dripping).await;
        let pauses = self.stutter.then(|| stutter(served.process_id()));
        let (among, failed) = self.latency(&served, &rig, &ledger).await;
        drop(pauses);
        let open = crowd.open.load(Ordering::Relaxed);
        let memory_among = resident_mebibytes(served.process_id());
        drop(crowd);
        // Once more without: the machine itself may be slower or faster by now.
        let alone = alone.max(self.latency(&served, &rig, &ledger).await.0);
        let calm = Calm { alone, among, open, failed };
        println!(
            "RESULT crowd: {} of {} connections open and {} dripping, p99 of the others {:.1} ms, {:.1} ms without, \
             {} failed, memory of the server {} MiB, {memory_alone} MiB without",
            calm.open,
            self.idle,
            self.dripping,
            among.as_secs_f64() * 1e3,
            alone.as_secs_f64() * 1e3,
            calm.failed,
            memory_among,
        );
        Some(calm)
    }

    /// The p99 of batches of one row, and how many were not taken.
    async fn latency(&self, served: &Served, rig: &Rig, ledger: &Ledger) -> (Duration, u64) {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let until = Instant::now() + self.measure;
        let tasks: Vec<JoinHandle<Vec<Option<Duration>>>> = (0..OTHERS)
            .map(|other| {
                let (client, key) = (client.clone(), rig.key.clone());
                let url = format!("{}/api/v1/transactions", served.origin);
                let body = ledger.body(usize::try_from(other).unwrap());
                tokio::spawn(async move {
                    let mut took = Vec::new();
                    while Instant::now() < until {
                        let begun = Instant::now();
                        let request = client.post(&url).bearer_auth(&key).body(body.clone());
                        let request = request.header("content-type", "application/x-ndjson");
                        let is_taken = request.send().await.is_ok_and(|answer| answer.status() == 200);
                        took.push(is_taken.then(|| begun.elapsed()));
                        tokio::time::sleep(OTHERS_EVERY).await;
                    }
                    took
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        let failed = all.iter().filter(|took| took.is_none()).count() as u64;
        let mut taken: Vec<Duration> = all.into_iter().flatten().collect();
        taken.sort_unstable();
        (taken.get(taken.len() * 99 / 100).copied().unwrap_or(Duration::MAX), failed)
    }
}

/// The crowd: gone when dropped.
struct Standing {
    tasks: Vec<JoinHandle<()>>,
    open: Arc<AtomicU64>,
    go_on: Arc<AtomicBool>,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.go_on.store(false, Ordering::Relaxed);
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Standing {
    /// Opens all connections and waits until nearly all are.
    async fn gather(served: &Served, key: &str, idle: u64, dripping: u64) -> Self {
        let address = served.origin.trim_start_matches("http://").to_owned();
        let open = Arc::<AtomicU64>::default();
        let go_on = Arc::new(AtomicBool::new(true));
        let mut tasks = Vec::new();
        for number in 0..idle + dripping {
            let (address, key) = (address.clone(), key.to_owned());
            let (open, go_on) = (Arc::clone(&open), Arc::clone(&go_on));
            tasks.push(tokio::spawn(async move {
                while go_on.load(Ordering::Relaxed) {
                    let closed = if number < idle {
                        idle_until_closed(number, &address, &open).await
                    } else {
                        drip_until_closed(number, &address, &key).await
                    };
                    if closed.is_err() {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            }));
            // Not all in one instant: the queue of new connections is short.
            if number.is_multiple_of(50) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let begun = Instant::now();
        while open.load(Ordering::Relaxed) < idle * 95 / 100 && begun.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { tasks, open, go_on }
    }
}

/// Connects from an address that this number of the crowd shares with some others.
async fn connect(number: u64, address: &str) -> std::io::Result<TcpStream> {
    let host = u8::try_from(number / PER_ADDRESS % 250).unwrap_or(0);
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 1, 1 + host], 0).into())?;
    socket.connect(address.parse().map_err(std::io::Error::other)?).await
}

/// One request, then silence until the server ends the connection.
async fn idle_until_closed(number: u64, address: &str, open: &AtomicU64) -> std::io::Result<()> {
    let mut stream = connect(number, address).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    open.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    open.fetch_sub(1, Ordering::Relaxed);
    Ok(())
}

/// A body of a byte per second until the server has had enough.
async fn drip_until_closed(number: u64, address: &str, key: &str) -> std::io::Result<()> {
    let mut stream = connect(number, address).await?;
    let head = format!(
        "POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: 100000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(b" ").await?;
    }
}

/// Lets this process open so many files.
fn raise_files(needed: u64) -> Result<(), String> {
    let id = std::process::id().to_string();
    let limit = format!("--nofile={needed}:");
    let asked =
        Command::new("prlimit").args(["--pid", &id, &limit]).output().map_err(|error| error.to_string())?;
    if asked.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&asked.stderr).trim().to_owned())
}

fn resident_mebibytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Stops and continues the server until dropped.
fn stutter(process: u32) -> impl Drop {
    struct Pauses(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);
    impl Drop for Pauses {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Relaxed);
            self.1.take().map(std::thread::JoinHandle::join);
        }
    }
    let go_on = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&go_on);
    let thread = std::thread::spawn(move || {
        let signal = |name: &str| {
            Command::new("kill").args([name, &process.to_string()]).status().unwrap();
        };
        while asked.load(Ordering::Relaxed) {
            signal("-STOP");
            std::thread::sleep(Duration::from_millis(700));
            signal("-CONT");
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    Pauses(go_on, Some(thread))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_idle_connections_slow_nobody_down() {
    let folder = tempfile::tempdir().unwrap();
    let crowd = Crowd { idle: 2_000, dripping: 100, measure: Duration::from_secs(5), stutter: false };
    let Some(calm) = crowd.run(folder.path()).await else { return };
    assert!(calm.open >= 1_900, "{calm:?}");
    assert!(calm.is_kept(), "{calm:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stutters_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let crowd = Crowd { idle: 10, dripping: 0, measure: Duration::from_secs(4), stutter: true };
    let Some(calm) = crowd.run(folder.path()).await else { return };
    assert!(!calm.is_kept(), "{calm:?}");
}
