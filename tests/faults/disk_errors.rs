//! A disk that says no to a sync or a write (R5): the server stops at once with a failure, for a later sync may succeed
//! without the pages that were lost; nothing it acknowledged is missing, and it starts again.
//!
//! Errors are put between the server and the C library by libfiu (Debian's package `fiu-utils`).

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::{Findings, check};
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::rig::{Rig, Serving};

/// How soon a server whose disk fails has to be gone.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// What fails: every call from some moment on, or one call in so many.
const FAILURES: [&str; 4] = [
    "enable name=posix/io/sync/fsync",
    "enable name=posix/io/rw/pwrite",
    "enable_random name=posix/io/sync/fsync,probability=0.2",
    "enable_random name=posix/io/rw/pwrite,probability=0.2",
];

#[derive(Clone, Debug)]
pub struct DiskErrors {
    pub runs: u64,
    pub rows_per_batch: usize,
    pub senders: u64,
    pub seed: u64,
    pub serving: Serving,
}

/// What the runs found.
#[derive(Debug, Default)]
pub struct Stops {
    /// Runs in which the server ended by itself, in time and with a failure.
    pub stopped: u64,
    pub slowest: Duration,
    pub findings: Findings,
}

impl DiskErrors {
    /// Lets the disk fail once per run, in the same installation; `None`, said visibly, without libfiu.
    pub async fn run(&self, folder: &Path) -> Option<Stops> {
        let begun = Instant::now();
        if Command::new("fiu-run").arg("-h").output().is_err() {
            println!("skipped: failing disks, for fiu-run is absent (apt-get install fiu-utils)");
            return None;
        }
        let rig = Rig::set_up(&folder.join("data")).await;
        let ledger = Arc::new(Ledger::new(self.rows_per_batch));
        let mut dice = Dice::new(self.seed);
        let mut stops = Stops::default();
        for run in 0..self.runs {
            let failure = FAILURES[usize::try_from(run).unwrap() % FAILURES.len()];
            match self.fail_once(&rig, &ledger, folder, failure, &mut dice).await {
                Some(took) => {
                    stops.stopped += 1;
                    stops.slowest = stops.slowest.max(took);
                }
                None => println!("disk errors: run {run}, {failure}: the server went on"),
            }
        }
        stops.findings = check(&rig, &ledger).await;
        println!(
            "RESULT disk-errors: {} runs, {} stops, the slowest after {:.2} s, {}, seed {}, {:.0} s",
            self.runs,
            stops.stopped,
            stops.slowest.as_secs_f64(),
            stops.findings,
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        Some(stops)
    }

    /// Load, then the failure; how long the server took to end with a failure.
    async fn fail_once(
        &self,
        rig: &Rig,
        ledger: &Arc<Ledger>,
        folder: &Path,
        failure: &str,
        dice: &mut Dice,
    ) -> Option<Duration> {
        let control = folder.join("fiu").to_string_lossy().into_owned();
        let under = ["fiu-run", "-x", "-f", &control].map(str::to_owned).to_vec();
        let mut served = rig.serve(&Serving { under, ..self.serving.clone() });
        let load = Load::start(&served, &rig.key, ledger, self.senders, dice);
        load.until_accepted(1 + dice.below(20), Duration::from_secs(10)).await;
        let id = served.process_id().to_string();
        // Returns only when the server has answered it, or is gone.
        let mut order = Command::new("fiu-ctrl").args(["-f", &control, "-c", failure, &id]).spawn().unwrap();
        let ended = tokio::task::block_in_place(|| served.ends_within(ENDS_WITHIN));
        let _ = order.kill();
        let _ = order.wait();
        drop(served);
        load.stop().await;
        let (status, took) = ended?;
        (!status.success()).then_some(took)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_stops_the_server_at_once_and_costs_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let failing =
        DiskErrors { runs: 8, rows_per_batch: 50, senders: 4, seed: 1, serving: Serving::default() };
    let Some(stops) = failing.run(folder.path()).await else { return };
    assert_eq!(stops.stopped, failing.runs);
    assert!(stops.findings.is_clean(), "{}", stops.findings);
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_before_its_commit_is_seen_to_lose_when_the_disk_fails() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::breaking("early-ack");
    let broken = DiskErrors { runs: 4, rows_per_batch: 50, senders: 4, seed: 1, serving };
    let Some(stops) = broken.run(folder.path()).await else { return };
    assert!(stops.findings.lost > 0, "{}", stops.findings);
}
