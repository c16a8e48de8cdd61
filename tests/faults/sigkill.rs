//! SIGKILL under load (R1): what was acknowledged is there after any number of violent ends, and counted once (R3);
//! the rollups equal a rebuild (R4).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::{Findings, check};
use crate::dice::Dice;
use crate::engines::Postgres;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::rig::{Rig, Serving};

/// One life in so many is ended while it starts.
const KILLED_AT_START_ONE_IN: u64 = 20;
/// A life ends by then even when its rows were not taken.
const LIFE_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Sigkill {
    pub kills: u64,
    /// Rows to be acknowledged over all lives, about.
    pub rows: u64,
    pub rows_per_batch: usize,
    pub senders: u64,
    /// One life in so many gets no load for a while before its end, so that folds are killed too…
    pub quiet_one_in: u64,
    /// …for so long at most.
    pub quiet_ms_max: u64,
    /// Everything is counted after so many kills, and at the end.
    pub check_every: u64,
    pub seed: u64,
    pub engine: Engine,
    pub serving: Serving,
}

/// Which database is under the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Sigkill {
    /// `None`, said visibly, where the engine is not installed.
    pub async fn run(&self, folder: &Path) -> Option<Findings> {
        let begun = Instant::now();
        let postgres = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::alone()?),
        };
        let rig = Rig::set_up_on(folder, postgres.as_ref().map(Postgres::address)).await;
        let ledger = Arc::new(Ledger::new(self.rows_per_batch));
        let mut dice = Dice::new(self.seed);
        let mut findings = Findings::default();
        for life in 1..=self.kills {
            self.live_and_die(&rig, &ledger, &mut dice).await;
            if life.is_multiple_of(self.check_every) || life == self.kills {
                findings = check(&rig, &ledger).await;
                println!("sigkill: {life} kills, {findings} in {:.0} s", begun.elapsed().as_secs_f64());
            }
            if !findings.is_clean() {
                break;
            }
        }
        println!(
            "RESULT sigkill on {:?}: {} kills, {findings}, {} batches sent again after their answer, seed {}, {:.0} s",
            self.engine,
            self.kills,
            ledger.repeats(),
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        Some(findings)
    }

    /// One life of the server: load until a random number of batches is acknowledged, then SIGKILL.
    async fn live_and_die(&self, rig: &Rig, ledger: &Arc<Ledger>, dice: &mut Dice) {
        if dice.one_in(KILLED_AT_START_ONE_IN) {
            let started = rig.start(&self.serving);
            tokio::time::sleep(Duration::from_millis(dice.below(150))).await;
            drop(started);
            return;
        }
        let mut served = rig.serve(&self.serving);
        let load = Load::start(&served, &rig.key, ledger, self.senders, dice);
        let batches = dice.below(2 * self.rows / self.kills / self.rows_per_batch as u64 + 1);
        load.until_accepted(batches, LIFE_MAX).await;
        let answers = Arc::clone(&load.answers);
        if dice.one_in(self.quiet_one_in) {
            load.stop().await;
            tokio::time::sleep(Duration::from_millis(dice.below(self.quiet_ms_max))).await;
            assert_eq!(served.ended(), None, "the server ended by itself");
            drop(served);
        } else {
            tokio::time::sleep(Duration::from_millis(dice.below(40))).await;
            assert_eq!(served.ended(), None, "the server ended by itself");
            drop(served);
            load.stop().await;
        }
        assert_eq!(answers.unexpected(), 0, "{:?}", answers.by_status());
    }
}

#[cfg(test)]
fn quick() -> Sigkill {
    Sigkill {
        kills: 20,
        rows: 16_000,
        rows_per_batch: 50,
        senders: 6,
        quiet_one_in: 6,
        quiet_ms_max: 2_000,
        check_every: 20,
        seed: 3,
        engine: Engine::Sqlite,
        serving: Serving::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_acknowledged_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let findings = quick().run(folder.path()).await.expect("SQLite is always there");
    assert!(findings.is_clean(), "{findings}");
    assert!(findings.acknowledged > 8_000, "too little was acknowledged to prove anything: {findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_on_postgres_lose_nothing_that_was_acknowledged_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let quick = Sigkill { engine: Engine::Postgres, ..quick() };
    let Some(findings) = quick.run(folder.path()).await else { return };
    assert!(findings.is_clean(), "{findings}");
    assert!(findings.acknowledged > 8_000, "too little was acknowledged to prove anything: {findings}");
}

#[cfg(debug_assertions)]
mod controls {
    use super::*;

    /// Few rows and long pauses: what is broken in folds shows only where folds end before the server does.
    fn folding(promise: &str) -> Sigkill {
        Sigkill {
            rows: 8_000,
            rows_per_batch: 20,
            quiet_one_in: 1,
            quiet_ms_max: 4_000,
            check_every: 4,
            serving: Serving::breaking(promise),
            ..quick()
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_answers_before_its_commit_is_seen_to_lose() {
        let folder = tempfile::tempdir().unwrap();
        let broken = Sigkill { check_every: 4, serving: Serving::breaking("early-ack"), ..quick() };
        let findings = broken.run(folder.path()).await.expect("SQLite is always there");
        assert!(findings.lost > 0, "{findings}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_fold_that_counts_repeats_again_is_seen_to_double() {
        let folder = tempfile::tempdir().unwrap();
        let findings = folding("dedup-off").run(folder.path()).await.expect("SQLite is always there");
        assert!(findings.doubled > 0, "{findings}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rollups_in_a_transaction_of_their_own_are_seen_to_differ() {
        let folder = tempfile::tempdir().unwrap();
        let findings = folding("rollup-apart").run(folder.path()).await.expect("SQLite is always there");
        assert!(findings.rollups_differ, "{findings}");
    }
}
