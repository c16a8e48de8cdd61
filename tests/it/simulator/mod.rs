//! Folds, merges and sweeps in a world that can be crashed after any step, from one number.
//!
//! The code under test is the server's own (`jobs/fold`); only its world is simulated: a database of atomic
//! transactions, a disk that loses what was not synced, processes that die, sleep and overtake each other.
//!
//! Every failure names its seed. Replay it with
//! `TILLWATCH_SEED=n cargo nextest run --test it simulator::one_seed --no-capture`; the long run is
//! `cargo nextest run --test it simulator::a_hundred_thousand_seeds --run-ignored only --no-capture`.

mod database;
mod disk;
mod node;
mod random;
mod rows;
mod run;

use run::{Counts, run};

/// Seeds of a normal run of the tests.
const QUICK_SEEDS: u64 = 600;
const LONG_SEEDS: u64 = 100_000;
/// What needs several things to meet happens at least once in so many seeds.
const RARE: u64 = 50;

/// A promise of the protocol, broken on purpose: the simulator must see that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Nothing,
    /// A file's bytes are synced before it gets its name.
    SyncBeforeRename,
    /// Exactly the batches of the list are marked, not all up to the last.
    ExplicitList,
    /// Rollups change in the transaction of the files.
    RollupsInTheCommit,
    /// After an unknown outcome the files stay.
    FilesKeptOnUnknown,
    /// A file that was intended long ago is given up in the database before it is removed.
    AbandonBeforeSweep,
    /// A commit checks that everything is as it was read.
    CompareAndSet,
    /// A withdrawal that did not come to its end is taken up again.
    WithdrawalRepeated,
}

/// The first seed of `seeds` whose run breaks a promise, and which; what all runs went through together otherwise.
fn first_fault(seeds: std::ops::Range<u64>, broken: Break) -> Result<Counts, String> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = usize::try_from(seeds.end - seeds.start).unwrap().div_ceil(threads);
    let parts: Vec<Vec<u64>> = seeds.collect::<Vec<_>>().chunks(share.max(1)).map(<[u64]>::to_vec).collect();
    std::thread::scope(|scope| {
        let part = |part: Vec<u64>| -> Result<Counts, String> {
            let mut all = Counts::default();
            for seed in part {
                all += run(seed, broken).map_err(|fault| format!("TILLWATCH_SEED={seed}: {fault}"))?;
            }
            Ok(all)
        };
        let running: Vec<_> = parts.into_iter().map(|seeds| scope.spawn(move || part(seeds))).collect();
        let mut all = Counts::default();
        for task in running {
            all += task.join().unwrap()?;
        }
        Ok(all)
    })
}

fn assert_whole(seeds: u64) {
    let timer = std::time::Instant::now();
    let counts = first_fault(0..seeds, Break::Nothing).unwrap_or_else(|fault| panic!("{fault}"));
    println!("{seeds} seeds in {:.1} s: {counts:?}", timer.elapsed().as_secs_f64());
    // A run in which nothing happens proves nothing.
    for (what, count) in counts.all() {
        assert!(count * 10 > seeds, "{what} happened only {count} times in {seeds} seeds");
    }
    let overtaken = counts.merges_overtaken;
    assert!(overtaken * RARE > seeds, "a fold overtook a merge only {overtaken} times in {seeds} seeds");
}

#[test]
fn whatever_crashes_every_acknowledged_row_is_counted_once() {
    assert_whole(QUICK_SEEDS);
}

#[test]
#[ignore = "minutes: run by command"]
fn a_hundred_thousand_seeds() {
    assert_whole(LONG_SEEDS);
}

/// Replays `TILLWATCH_SEED`; seed 0 when it is not set.
#[test]
#[expect(clippy::disallowed_methods, reason = "a replay is asked for from outside")]
fn one_seed() {
    let seed = std::env::var("TILLWATCH_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    if let Err(fault) = run(seed, Break::Nothing) {
        panic!("TILLWATCH_SEED={seed}: {fault}");
    }
}

fn assert_found(broken: Break) {
    match first_fault(0..QUICK_SEEDS, broken) {
        Err(fault) => println!("{broken:?}: {fault}"),
        Ok(_) => panic!("{broken:?} was not noticed in {QUICK_SEEDS} seeds"),
    }
}

#[test]
fn a_file_that_is_not_synced_before_its_rename_is_noticed() {
    assert_found(Break::SyncBeforeRename);
}

#[test]
fn a_high_water_mark_in_place_of_the_list_is_noticed() {
    assert_found(Break::ExplicitList);
}

#[test]
fn rollups_apart_from_the_commit_are_noticed() {
    assert_found(Break::RollupsInTheCommit);
}

#[test]
fn files_deleted_after_an_unknown_outcome_are_noticed() {
    assert_found(Break::FilesKeptOnUnknown);
}

#[test]
fn a_sweep_of_files_that_a_sleeping_fold_still_commits_is_noticed() {
    assert_found(Break::AbandonBeforeSweep);
}

#[test]
fn a_commit_that_checks_nothing_is_noticed() {
    assert_found(Break::CompareAndSet);
}

#[test]
fn a_withdrawal_that_is_not_taken_up_again_is_noticed() {
    assert_found(Break::WithdrawalRepeated);
}
