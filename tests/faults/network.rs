//! The network between the service and PostgreSQL cut in the middle of a commit (R9): the service cannot know whether
//! it happened, and neither loses nor doubles anything.
//!
//! A relay of our own stands between the two. Network namespaces are not needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::check::{Findings, check};
use crate::dice::{Dice, mix};
use crate::engines::Postgres;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::rig::{Rig, Serving};

/// PostgreSQL's socket below its folder, and the relay's below its own.
const SOCKET: &str = ".s.PGSQL.5432";
/// A run ends by then even when too few commits were cut.
const RUN_MAX: Duration = Duration::from_mins(30);

#[derive(Clone, Debug)]
pub struct Network {
    /// Commits to be cut.
    pub cuts: u64,
    /// One commit in so many is cut.
    pub one_in: u64,
    pub rows_per_batch: usize,
    pub senders: u64,
    pub seed: u64,
    pub serving: Serving,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Cuts {
    /// Cut before PostgreSQL saw the commit, and after it had answered.
    pub before: u64,
    pub after: u64,
    pub dishonest: Vec<String>,
    pub findings: Findings,
}

impl Network {
    /// `None`, said visibly, where PostgreSQL is not installed.
    pub async fn run(&self, folder: &Path) -> Option<Cuts> {
        let begun = Instant::now();
        let postgres = Postgres::alone()?;
        let rig = Rig::set_up_on(&folder.join("data"), Some(postgres.address())).await;
        let relayed = folder.join("relay");
        let address = postgres.address();
        let direct = address.split_once("host=").unwrap().1.split('&').next().unwrap();
        let relay = Relay::start(Path::new(direct), &relayed, self.one_in, self.seed);
        let address = address.replace(direct, relayed.to_str().unwrap());
        let ledger = Arc::new(Ledger::new(self.rows_per_batch));
        let mut dice = Dice::new(self.seed);
        let mut served = rig.at(&address).serve(&self.serving);
        let load = Load::start(&served, &rig.key, &ledger, self.senders, &mut dice);
        while relay.cut() < self.cuts && begun.elapsed() < RUN_MAX {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut seen = Cuts {
            before: relay.counts.before.load(Ordering::Relaxed),
            after: relay.counts.after.load(Ordering::Relaxed),
            ..Cuts::default()
        };
        if let Some(status) = served.ended() {
            seen.dishonest.push(format!("the server ended: {status}"));
        }
        let answers = Arc::clone(&load.answers);
        load.stop().await;
        if answers.unexpected() > 0 {
            seen.dishonest.push(format!("{:?}", answers.by_status()));
        }
        drop((served, relay));
        seen.findings = check(&rig, &ledger).await;
        println!(
            "RESULT network: {} commits cut before and {} after they happened, {}, dishonest {:?}, seed {}, {:.0} s",
            seen.before,
            seen.after,
            seen.findings,
            seen.dishonest,
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        Some(seen)
    }
}

impl Cuts {
    pub fn is_clean(&self, cuts: u64) -> bool {
        self.before + self.after >= cuts
            && self.before > 0
            && self.after > 0
            && self.dishonest.is_empty()
            && self.findings.is_clean()
    }
}

/// Passes everything on, until a commit that is to be cut.
struct Relay {
    task: JoinHandle<()>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    before: AtomicU64,
    after: AtomicU64,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    fn start(direct: &Path, relayed: &Path, one_in: u64, seed: u64) -> Self {
        std::fs::create_dir_all(relayed).unwrap();
        let listener = UnixListener::bind(relayed.join(SOCKET)).unwrap();
        let (target, counts) = (direct.join(SOCKET), Arc::<Counts>::default());
        let shared = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let wire = Wire { target: target.clone(), counts: Arc::clone(&shared), one_in, seed };
                tokio::spawn(async move { wire.pass(client).await });
            }
        });
        Self { task, counts }
    }

    fn cut(&self) -> u64 {
        self.counts.before.load(Ordering::Relaxed) + self.counts.after.load(Ordering::Relaxed)
    }
}

/// One connection through the relay.
struct Wire {
    target: PathBuf,
    counts: Arc<Counts>,
    one_in: u64,
    seed: u64,
}

impl Wire {
    /// Ends when either side does, or at a cut: both sides see a connection that broke.
    async fn pass(self, mut client: UnixStream) {
        let Ok(mut server) = UnixStream::connect(&self.target).await else { return };
        let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(count @ 1..) = read else { return };
                    if is_commit(&asked[..count]) && self.is_cut() {
                        return self.cut(&mut server, &asked[..count]).await;
                    }
                    if server.write_all(&asked[..count]).await.is_err() { return }
                }
                read = server.read(&mut answered) => {
                    let Ok(count @ 1..) = read else { return };
                    if client.write_all(&answered[..count]).await.is_err() { return }
                }
            }
        }
    }

    fn is_cut(&self) -> bool {
        let number = self.counts.commits.fetch_add(1, Ordering::Relaxed);
        mix(self.seed ^ (number << 8)).is_multiple_of(self.one_in)
    }

    /// Swallows the commit, or passes it on and swallows the answer.
    async fn cut(&self, server: &mut UnixStream, commit: &[u8]) {
        let cuts = self.counts.before.load(Ordering::Relaxed) + self.counts.after.load(Ordering::Relaxed);
        if cuts.is_multiple_of(2) {
            self.counts.before.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut answer = [0; 1024];
        if server.write_all(commit).await.is_ok()
            && server.read(&mut answer).await.is_ok_and(|count| count > 0)
        {
            self.counts.after.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A simple query whose text is `commit`, at the end of what was sent.
fn is_commit(bytes: &[u8]) -> bool {
    bytes.to_ascii_lowercase().ends_with(b"commit\0")
}

#[cfg(test)]
fn quick() -> Network {
    Network { cuts: 10, one_in: 6, rows_per_batch: 50, senders: 4, seed: 1, serving: Serving::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_nobody_knows_whether_it_happened_is_neither_lost_nor_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let Some(seen) = quick().run(folder.path()).await else { return };
    assert!(seen.is_clean(quick().cuts), "{seen:?}");
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_before_its_commit_is_seen_to_lose_when_commits_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Network { serving: Serving::breaking("early-ack"), ..quick() };
    let Some(seen) = broken.run(folder.path()).await else { return };
    assert!(seen.findings.lost > 0, "{seen:?}");
}
