use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use chrono::NaiveDate;

use crate::domain::{Instant, Range, StoreId, Stream, Word};
use crate::lake::{FileSet, LakeFile};

use super::DayBlock;

/// Everything folded, at one data version: the manifest and the rollups. Immutable; readers hold an `Arc`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with every fold; printed on every page.
    pub version: i64,
    /// When the fold committed.
    pub folded_at: Instant,
    /// Live files by stream and UTC day, current and history sets.
    pub files: BTreeMap<(Stream, NaiveDate), Vec<Arc<LakeFile>>>,
    /// Files whose rows are counted in the rollups and cannot be read: damaged or missing, until they are repaired.
    pub quarantined: BTreeMap<(Stream, NaiveDate), Vec<Quarantined>>,
    /// Rollups by store and UTC day.
    pub rollups: BTreeMap<StoreId, Arc<BTreeMap<NaiveDate, Arc<DayBlock>>>>,
    /// The youngest event by store, stream and provider.
    pub freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
}

/// A file that cannot be trusted, why, and since when it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub file: Arc<LakeFile>,
    pub reason: String,
    pub since: Instant,
}

/// How fresh one feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The youngest event's own time.
    pub last_event: Instant,
    /// When the youngest record came in.
    pub last_received: Instant,
}

impl Snapshot {
    /// The blocks of a store that may hold cells of this span, with their UTC days, oldest first.
    pub fn blocks(&self, store: StoreId, range: Range) -> impl Iterator<Item = (NaiveDate, &DayBlock)> {
        let first = range.from.date_naive();
        // `until` is outside: a span ending at midnight does not touch the next day.
        let last = (range.until - chrono::TimeDelta::nanoseconds(1)).date_naive();
        self.rollups
            .get(&store)
            .into_iter()
            .flat_map(move |days| days.range(first..=last.max(first)))
            .map(|(day, block)| (*day, block.as_ref()))
    }

    /// The youngest time at which a record was received: no later one may be earlier.
    pub fn youngest_receipt(&self) -> Instant {
        self.freshness.values().map(|fresh| fresh.last_received).max().unwrap_or(Instant::MIN_UTC)
    }

    /// The UTC days of a span that have a quarantined file of current rows, oldest first: whoever shows rows of the
    /// span must say that they are not all.
    pub fn partial_days(&self, range: Range) -> Vec<NaiveDate> {
        let first = range.from.date_naive();
        let last = (range.until - chrono::TimeDelta::nanoseconds(1)).date_naive().max(first);
        let is_current =
            |files: &Vec<Quarantined>| files.iter().any(|one| one.file.file_set == FileSet::Current);
        let days: BTreeSet<NaiveDate> = self
            .quarantined
            .iter()
            .filter(|((_, day), files)| (first..=last).contains(day) && is_current(files))
            .map(|((_, day), _)| *day)
            .collect();
        days.into_iter().collect()
    }

    /// The first and last UTC day with anything counted for a store.
    pub fn days_with_data(&self, store: StoreId) -> Option<(NaiveDate, NaiveDate)> {
        let days = self.rollups.get(&store)?;
        Some((*days.keys().next()?, *days.keys().next_back()?))
    }
}

/// The present snapshot; replaced after each fold.
#[derive(Debug, Default)]
pub struct SnapshotCell(RwLock<Arc<Snapshot>>);

impl SnapshotCell {
    /// A cell that holds `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(RwLock::new(Arc::new(snapshot)))
    }

    /// The present snapshot. Take it once per page: one page never disagrees with itself.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Replaces the snapshot, unless a newer one is there already.
    pub fn publish(&self, snapshot: Snapshot) {
        let mut present = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if snapshot.version >= present.version {
            *present = Arc::new(snapshot);
        }
    }
}
