//! The checker: reads a stopped installation through the library and compares it with the ledger.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use tillwatch::analytics::{Grains, SnapshotCell, level_changes};
use tillwatch::domain::{Stream, SystemClock};
use tillwatch::jobs::{Fold, Job, JobContext, rebuild_rollups};
use tillwatch::lake::{FileSet, Lake};
use tillwatch::store::Database;
use tillwatch::telemetry::Metrics;

use crate::ledger::{Ledger, amount_of, id_of, row_of};
use crate::rig::Rig;

/// What a check found; all zero and empty when every promise was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub acknowledged: u64,
    pub stored: u64,
    /// Acknowledged rows that are not there.
    pub lost: u64,
    /// Rows that are counted more often than once, by how often too often.
    pub doubled: u64,
    /// Rows that nobody sent.
    pub strange: u64,
    /// Rows with another amount than was sent.
    pub altered: u64,
    /// Batches of which a part is there: a batch is taken whole or not at all.
    pub torn: u64,
    /// True when the rollups kept up by folds are not those made anew from the rows.
    pub rollups_differ: bool,
    /// What stood in the way of counting, such as a damaged file; nothing else was found out then.
    pub unreadable: Option<String>,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        let counts = [self.lost, self.doubled, self.strange, self.altered, self.torn];
        counts == [0; 5] && !self.rollups_differ && self.unreadable.is_none()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} rows acknowledged, {} stored, {} lost, {} doubled",
            self.acknowledged, self.stored, self.lost, self.doubled
        )?;
        if [self.strange, self.altered, self.torn] != [0; 3] {
            write!(out, ", {} strange, {} altered, {} batches torn", self.strange, self.altered, self.torn)?;
        }
        if self.rollups_differ {
            write!(out, ", ROLLUPS DIFFER FROM A REBUILD")?;
        }
        if let Some(why) = &self.unreadable {
            write!(out, ", UNREADABLE: {why}")?;
        }
        Ok(())
    }
}

/// Counts stored rows by their number.
pub struct Count<'a> {
    ledger: &'a Ledger,
    standing: Vec<bool>,
    times: Vec<u8>,
    findings: Findings,
}

impl<'a> Count<'a> {
    pub fn new(ledger: &'a Ledger) -> Self {
        let standing = ledger.standing();
        let times = vec![0; standing.len() * ledger.rows_per_batch];
        let findings = Findings { acknowledged: ledger.acknowledged_rows(), ..Findings::default() };
        Self { ledger, standing, times, findings }
    }

    pub fn row(&mut self, id: &str, amount: i64) {
        self.findings.stored += 1;
        let Some((row, times)) = row_of(id).and_then(|row| Some((row, self.times.get_mut(row)?))) else {
            self.findings.strange += 1;
            return;
        };
        self.findings.altered += u64::from(amount != amount_of(row));
        self.findings.doubled += u64::from(*times > 0);
        *times = times.saturating_add(1);
    }

    pub fn end(mut self) -> Findings {
        for (batch, acknowledged) in self.standing.iter().enumerate() {
            let first = batch * self.ledger.rows_per_batch;
            let rows = &self.times[first..first + self.ledger.rows_per_batch];
            let missing = rows.len() - rows.iter().map(|times| usize::from((*times).min(1))).sum::<usize>();
            if *acknowledged {
                self.findings.lost += missing as u64;
            }
            self.findings.torn += u64::from(missing > 0 && missing < rows.len());
        }
        self.findings
    }
}

/// Folds what waits, counts every row, and makes the rollups anew. Nobody else may use the folder.
pub async fn check(rig: &Rig, ledger: &Ledger) -> Findings {
    let mut count = Count::new(ledger);
    match count_rows(rig, &mut count).await {
        Ok(rollups_agree) => Findings { rollups_differ: !rollups_agree, ..count.end() },
        // What was not read was not counted: it may be there or not.
        Err(error) => Findings {
            acknowledged: ledger.acknowledged_rows(),
            unreadable: Some(format!("{error:#}")),
            ..Findings::default()
        },
    }
}

/// True when the rollups equal a rebuild.
async fn count_rows(rig: &Rig, count: &mut Count<'_>) -> anyhow::Result<bool> {
    let database = rig.database().await.context("opening the database")?;
    let counted = count_in(rig, &database, count).await;
    database.close().await;
    counted
}

async fn count_in(rig: &Rig, database: &Database, count: &mut Count<'_>) -> anyhow::Result<bool> {
    let lake = Lake::open(&rig.path().join("lake")).context("opening the lake")?;
    let snapshots = Arc::new(SnapshotCell::new(database.load_snapshot().await.context("loading")?));
    let context = JobContext {
        database: database.clone(),
        clock: Arc::new(SystemClock),
        snapshots: Arc::clone(&snapshots),
        metrics: Arc::new(Metrics::new()?),
    };
    let fold = Fold::new(lake.clone());
    while fold.run(&context).await.context("folding what waited")?.done > 0 {}
    let snapshot = snapshots.current();
    for ((stream, _), files) in &snapshot.files {
        let live = |file: &&Arc<_>| *stream == Stream::Transactions && is_current(file);
        for file in files.iter().filter(live) {
            let frame = lake.read(file, Some(&["transaction_id", "amount"]))?;
            let ids = frame.data().column("transaction_id")?.str()?;
            let amounts = frame.data().column("amount")?.i64()?;
            for (id, amount) in ids.iter().zip(amounts.iter()) {
                count.row(id.unwrap_or_default(), amount.unwrap_or(i64::MIN));
            }
        }
    }
    let grains: Grains = database.stores().await?.iter().map(|store| (store.id, store.grain())).collect();
    let rebuilt = rebuild_rollups(&lake, &snapshot, &grains).context("rebuilding")?;
    let levels = database.read_levels(&snapshot).await.context("reading the rollups")?;
    let kept = database.read_rollups(&snapshot).await.context("reading the rollups")?;
    Ok(kept == rebuilt && levels == level_changes(&rebuilt, &snapshot.calendars))
}

fn is_current(file: &tillwatch::lake::LakeFile) -> bool {
    file.file_set == FileSet::Current
}

#[test]
fn the_checker_sees_a_planted_loss_a_planted_double_and_a_stranger() {
    let ledger = Ledger::new(2);
    let mut dice = crate::dice::Dice::new(7);
    let batches = [(); 3].map(|()| ledger.next_batch(&mut dice));
    assert_eq!(batches, [0, 1, 2]);
    ledger.answered(0);
    ledger.answered(1);
    let stored = |rows: &[usize]| {
        let mut count = Count::new(&ledger);
        for row in rows {
            count.row(&id_of(*row), amount_of(*row));
        }
        count.end()
    };
    let acknowledged = stored(&[0, 1, 2, 3]);
    assert!(acknowledged.is_clean(), "{acknowledged}");
    assert!(stored(&[0, 1, 2, 3, 4, 5]).is_clean(), "an unanswered batch may be there");
    assert_eq!(stored(&[0, 2, 3]).lost, 1);
    assert_eq!(stored(&[0, 1, 2, 3, 3]).doubled, 1);
    assert_eq!(stored(&[0, 1, 2, 3, 4]).torn, 1);
    assert_eq!(stored(&[0, 1, 2, 3, 99]).strange, 1);
    let mut count = Count::new(&ledger);
    for row in 0..4 {
        count.row(&id_of(row), amount_of(row) + i64::from(row == 2));
    }
    assert_eq!(count.end().altered, 1);
}
