//! Power cuts under load, folds included (R2): what was acknowledged before the cut is on the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::{Findings, check};
use crate::dice::Dice;
use crate::engines::Postgres;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::mounts::{self, Disk};
use crate::rig::{Rig, Serving};
use crate::sigkill::Engine;

#[derive(Clone, Debug)]
pub struct Power {
    pub cuts: u64,
    /// A disk is used for so many cuts, one after the other, then a new one: keeps checks short.
    pub cuts_per_disk: u64,
    pub rows_per_batch: usize,
    pub senders: u64,
    /// The cut comes so long after the first answer, at least and at most.
    pub after_ms: (u64, u64),
    pub seed: u64,
    pub engine: Engine,
    /// Settings of PostgreSQL, beyond the usual.
    pub settings: &'static [&'static str],
    pub serving: Serving,
}

/// What the cuts found, over all disks.
#[derive(Debug, Default)]
pub struct Cuts {
    pub acknowledged: u64,
    pub lost: u64,
    /// The first check that was not clean.
    pub first: Option<Findings>,
}

impl Power {
    /// Cuts until the first loss; `None`, said visibly, where file systems cannot be mounted.
    pub async fn run(&self) -> Option<Cuts> {
        let begun = Instant::now();
        let folder = mounts::folder();
        let mut disk = match Disk::new(folder.path()) {
            Ok(disk) => disk,
            Err(why) => {
                println!("skipped: power cuts, for mounts are not possible here: {why}");
                return None;
            }
        };
        let mut dice = Dice::new(self.seed);
        let mut cuts = Cuts::default();
        let mut done = 0;
        while done < self.cuts && cuts.first.is_none() {
            disk.empty().unwrap();
            let mut postgres = match self.engine {
                Engine::Sqlite => None,
                Engine::Postgres => Some(Postgres::alone_in(&disk.path(), self.settings)?),
            };
            let address = postgres.as_ref().map(Postgres::address);
            let rig = Rig::set_up_waived(&disk.path().join("data"), address, self.serving.waived).await;
            disk.sync().unwrap();
            let ledger = Arc::new(Ledger::new(self.rows_per_batch));
            for _ in 0..self.cuts_per_disk.min(self.cuts - done) {
                self.load_and_cut(&mut disk, &rig, &mut postgres, &ledger, &mut dice).await;
                done += 1;
                let findings = check(&rig, &ledger).await;
                if !findings.is_clean() {
                    println!("power: cut {done}: {findings}");
                    cuts.lost += findings.lost;
                    cuts.first = Some(findings);
                    break;
                }
            }
            cuts.acknowledged += ledger.acknowledged_rows();
            println!("power: {done} cuts, {} rows acknowledged, {} lost", cuts.acknowledged, cuts.lost);
        }
        println!(
            "RESULT power on {:?}: {done} cuts, {} rows acknowledged before them, {} lost, {}, seed {}, {:.0} s",
            self.engine,
            cuts.acknowledged,
            cuts.lost,
            cuts.first.as_ref().map_or_else(|| "all clean".to_owned(), ToString::to_string),
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        Some(cuts)
    }

    async fn load_and_cut(
        &self,
        disk: &mut Disk,
        rig: &Rig,
        postgres: &mut Option<Postgres>,
        ledger: &Arc<Ledger>,
        dice: &mut Dice,
    ) {
        let mut served = rig.serve(&self.serving);
        let load = Load::start(&served, &rig.key, ledger, self.senders, dice);
        load.until_accepted(1, Duration::from_secs(10)).await;
        let (least, most) = self.after_ms;
        tokio::time::sleep(Duration::from_millis(least + dice.below(most - least))).await;
        // What was answered before the copy begins must be in it; what is answered later may be.
        let mark = ledger.mark();
        disk.cut().unwrap();
        assert_eq!(served.ended(), None, "the server ended by itself");
        drop(served);
        load.stop().await;
        if let Some(postgres) = postgres {
            postgres.server().stop_at_once();
        }
        disk.power_on().unwrap();
        if let Some(postgres) = postgres {
            postgres.server().run();
        }
        ledger.back_to(&mark);
    }
}

#[cfg(test)]
fn quick() -> Power {
    Power {
        cuts: 20,
        cuts_per_disk: 5,
        rows_per_batch: 20,
        senders: 4,
        after_ms: (50, 700),
        seed: 5,
        engine: Engine::Sqlite,
        settings: &[],
        serving: Serving::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_power_cuts_take_nothing_that_was_acknowledged() {
    let Some(cuts) = quick().run().await else { return };
    assert!(cuts.first.is_none(), "{:?}", cuts.first);
    assert!(cuts.acknowledged > 1_000, "too little was acknowledged to prove anything: {cuts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_power_cuts_take_nothing_that_was_acknowledged_on_postgres() {
    let quick = Power { cuts: 5, engine: Engine::Postgres, ..quick() };
    let Some(cuts) = quick.run().await else { return };
    assert!(cuts.first.is_none(), "{:?}", cuts.first);
    assert!(cuts.acknowledged > 200, "too little was acknowledged to prove anything: {cuts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_does_not_sync_is_seen_to_lose() {
    let broken = Power {
        cuts: 5,
        engine: Engine::Postgres,
        settings: &["fsync=off"],
        serving: Serving { waived: true, ..Serving::default() },
        ..quick()
    };
    let Some(cuts) = broken.run().await else { return };
    let first = cuts.first.as_ref().expect("nothing was lost");
    assert!(first.lost > 0 || first.unreadable.is_some(), "{cuts:?}");
}

#[cfg(debug_assertions)]
mod controls {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn commits_that_are_not_synced_are_seen_to_be_lost() {
        let broken = Power { serving: Serving::breaking("sync-normal"), ..quick() };
        let Some(cuts) = broken.run().await else { return };
        assert!(cuts.lost > 0, "{cuts:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_that_are_not_synced_are_seen_to_be_lost() {
        let broken = Power { serving: Serving::breaking("no-fsync"), after_ms: (1_500, 4_000), ..quick() };
        let Some(cuts) = broken.run().await else { return };
        let first = cuts.first.as_ref().expect("no file was lost");
        assert!(first.lost > 0 || first.unreadable.is_some(), "{cuts:?}");
    }
}
