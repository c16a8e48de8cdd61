//! A disk that fills and is emptied again (R6): records are refused and nothing else, pages are still answered, records
//! are taken again by themselves, and nothing acknowledged is missing.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::{Findings, check};
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::mounts::{self, Mount};
use crate::rig::{Rig, Served, Serving};

/// The whole disk.
const DISK_MEBIBYTES: u64 = 256;
/// What is in the log already may be overwritten without new room, so the first refusal may take a moment.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);
/// How soon records have to be taken after room is back.
const RESUMED_WITHIN: Duration = Duration::from_secs(10);
/// Requests that must be answered while the disk is full.
const STILL_ANSWERED: [&str; 5] =
    ["/healthz", "/metrics", "/login", "/s/main/overview", "/s/main/transactions"];

#[derive(Clone, Debug)]
pub struct DiskFull {
    pub times: u64,
    pub rows_per_batch: usize,
    pub senders: u64,
    pub seed: u64,
    pub serving: Serving,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Fillings {
    pub refused: u64,
    pub resumed: u64,
    pub slowest: Duration,
    /// What was not answered, or answered otherwise, while the disk was full.
    pub silent: Vec<String>,
    /// Answers to senders that are neither "taken" nor "later", and ends of the server.
    pub dishonest: Vec<String>,
    pub findings: Findings,
}

impl Fillings {
    pub fn is_clean(&self, times: u64) -> bool {
        (self.refused, self.resumed) == (times, times)
            && self.silent.is_empty()
            && self.dishonest.is_empty()
            && self.findings.is_clean()
    }
}

impl DiskFull {
    /// `None`, said visibly, where file systems cannot be mounted.
    pub async fn run(&self) -> Option<Fillings> {
        let begun = Instant::now();
        let folder = mounts::folder();
        let disk = folder.path().join("small");
        let _mount = match Mount::in_memory(&disk, DISK_MEBIBYTES) {
            Ok(mount) => mount,
            Err(why) => {
                println!("skipped: full disks, for mounts are not possible here: {why}");
                return None;
            }
        };
        let rig = Rig::set_up(&disk.join("data")).await;
        let ledger = Arc::new(Ledger::new(self.rows_per_batch));
        let mut dice = Dice::new(self.seed);
        let mut served = rig.serve(&self.serving);
        let mut seen = Fillings::default();
        for _ in 0..self.times {
            let load = Load::start(&served, &rig.key, &ledger, self.senders, &mut dice);
            load.until_accepted(2 + dice.below(20), Duration::from_secs(10)).await;
            fill_and_empty(&load, &served, &rig.cookie, &disk.join("ballast"), &mut seen).await;
            let answers = Arc::clone(&load.answers);
            load.stop().await;
            if answers.unexpected() > 0 {
                seen.dishonest.push(format!("{:?}", answers.by_status()));
            }
            if let Some(status) = served.ended() {
                seen.dishonest.push(format!("the server ended: {status}"));
                served = rig.serve(&self.serving);
            }
        }
        drop(served);
        seen.findings = check(&rig, &ledger).await;
        println!(
            "RESULT disk-full: {} fillings, {} refused, {} resumed by themselves, the slowest after {:.1} s, {}, \
             silent {:?}, dishonest {:?}, seed {}, {:.0} s",
            self.times,
            seen.refused,
            seen.resumed,
            seen.slowest.as_secs_f64(),
            seen.findings,
            seen.silent,
            seen.dishonest,
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        Some(seen)
    }
}

async fn fill_and_empty(load: &Load, served: &Served, cookie: &str, ballast: &Path, seen: &mut Fillings) {
    fill(ballast);
    if refused(load).await {
        seen.refused += 1;
        // The jobs meet the full disk too.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        for path in STILL_ANSWERED {
            let request = client.get(format!("{}{path}", served.origin)).header("cookie", cookie);
            match request.send().await {
                Ok(answer) if answer.status() == 200 && answer.url().path() == path => {}
                Ok(answer) => seen.silent.push(format!("{path}: {} {}", answer.status(), answer.url())),
                Err(error) => seen.silent.push(format!("{path}: {error}")),
            }
        }
    }
    std::fs::remove_file(ballast).unwrap();
    if let Some(took) = load.answers.next_accepted(Instant::now(), RESUMED_WITHIN).await {
        seen.resumed += 1;
        seen.slowest = seen.slowest.max(took);
    }
}

/// Fills the disk to the last byte. What the server frees meanwhile is filled too.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    let mebibyte = vec![7; 1 << 20];
    while file.write_all(&mebibyte).is_ok() {}
    while file.write_all(&mebibyte[..4096]).is_ok() {}
}

/// Waits until batches are refused and none is taken any more.
async fn refused(load: &Load) -> bool {
    let refusals =
        || [503, 507].iter().filter_map(|status| load.answers.by_status().get(status).copied()).sum::<u64>();
    let (begun, before) = (Instant::now(), refusals());
    while begun.elapsed() < REFUSED_WITHIN {
        if refusals() > before {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_honestly_and_records_are_taken_again_when_there_is_room() {
    let filling =
        DiskFull { times: 3, rows_per_batch: 100, senders: 4, seed: 1, serving: Serving::default() };
    let Some(seen) = filling.run().await else { return };
    assert!(seen.is_clean(filling.times), "{seen:?}");
}

/// The watch looks once a second; a disk can fill faster, and then the database itself says no.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_faster_than_the_watch_looks_loses_nothing_either() {
    let serving = Serving::breaking("no-disk-watch");
    let filling = DiskFull { times: 2, rows_per_batch: 100, senders: 4, seed: 1, serving };
    let Some(seen) = filling.run().await else { return };
    assert!(seen.is_clean(filling.times), "{seen:?}");
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_before_its_commit_is_seen_to_lose_on_a_full_disk() {
    let broken = ["early-ack", "no-disk-watch"].map(str::to_owned).to_vec();
    let serving = Serving { broken, ..Serving::default() };
    let broken = DiskFull { times: 1, rows_per_batch: 100, senders: 4, seed: 1, serving };
    let Some(seen) = broken.run().await else { return };
    assert!(seen.refused == 0 && seen.findings.lost > 0, "{seen:?}");
}
