//! PostgreSQL that goes away and comes back under load (R8): stopped as by a crash, and connections cut off by its
//! owner. Nothing acknowledged is missing, nothing is counted twice, and records are taken again soon after it is back.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::{Findings, check};
use crate::dice::Dice;
use crate::engines::Postgres;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::rig::{Rig, Serving};

/// How soon after PostgreSQL answers again a batch has to be taken.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);
/// Ends the connections of the service, one in two of them.
const TERMINATE: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
    where pid <> pg_backend_pid() and datname = current_database() and random() < 0.5";

#[derive(Clone, Debug)]
pub struct Away {
    /// How often something is done to PostgreSQL: two crashes for every time its connections are ended.
    pub times: u64,
    /// The pause before each, at least and at most.
    pub pause_ms: (u64, u64),
    pub rows_per_batch: usize,
    pub senders: u64,
    pub seed: u64,
    pub serving: Serving,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Absences {
    pub resumed: u64,
    pub slowest: Duration,
    pub dishonest: Vec<String>,
    pub findings: Findings,
}

impl Away {
    /// `None`, said visibly, where PostgreSQL is not installed.
    pub async fn run(&self, folder: &Path) -> Option<Absences> {
        let begun = Instant::now();
        let mut postgres = Postgres::alone()?;
        let rig = Rig::set_up_on(folder, Some(postgres.address())).await;
        let ledger = Arc::new(Ledger::new(self.rows_per_batch));
        let mut dice = Dice::new(self.seed);
        let mut seen = Absences::default();
        let mut served = rig.serve(&self.serving);
        let load = Load::start(&served, &rig.key, &ledger, self.senders, &mut dice);
        for time in 0..self.times {
            let (least, most) = self.pause_ms;
            tokio::time::sleep(Duration::from_millis(least + dice.below(most - least))).await;
            if time % 3 == 2 {
                postgres.ask(TERMINATE);
            } else {
                postgres.server().stop_at_once();
                tokio::time::sleep(Duration::from_millis(dice.below(500))).await;
                postgres.server().run();
            }
            match load.answers.next_accepted(Instant::now(), RESUMED_WITHIN).await {
                Some(took) => {
                    seen.resumed += 1;
                    seen.slowest = seen.slowest.max(took);
                }
                None => println!("database: time {time}: nothing was taken for {RESUMED_WITHIN:?}"),
            }
        }
        if let Some(status) = served.ended() {
            seen.dishonest.push(format!("the server ended: {status}"));
        }
        let answers = Arc::clone(&load.answers);
        load.stop().await;
        if answers.unexpected() > 0 {
            seen.dishonest.push(format!("{:?}", answers.by_status()));
        }
        drop(served);
        seen.findings = check(&rig, &ledger).await;
        println!(
            "RESULT database: {} absences, {} times taken again, the slowest after {:.1} s, {}, dishonest {:?}, \
             seed {}, {:.0} s",
            self.times,
            seen.resumed,
            seen.slowest.as_secs_f64(),
            seen.findings,
            seen.dishonest,
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        Some(seen)
    }
}

impl Absences {
    pub fn is_clean(&self, times: u64) -> bool {
        self.resumed == times && self.dishonest.is_empty() && self.findings.is_clean()
    }
}

#[cfg(test)]
fn quick() -> Away {
    Away {
        times: 6,
        pause_ms: (300, 1_500),
        rows_per_batch: 50,
        senders: 4,
        seed: 1,
        serving: Serving::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_crashes_and_comes_back_costs_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(seen) = quick().run(folder.path()).await else { return };
    assert!(seen.is_clean(quick().times), "{seen:?}");
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_before_its_commit_is_seen_to_lose_when_postgres_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Away { times: 3, serving: Serving::breaking("early-ack"), ..quick() };
    let Some(seen) = broken.run(folder.path()).await else { return };
    assert!(seen.findings.lost > 0, "{seen:?}");
}
