use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use chrono::NaiveDate;

use crate::domain::{Instant, Range, StoreId, Stream, Word};
use crate::lake::LakeFile;

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
    /// Rollups by store and UTC day.
    pub rollups: BTreeMap<StoreId, Arc<BTreeMap<NaiveDate, Arc<DayBlock>>>>,
    /// The youngest event by store, stream and provider.
    pub freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
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
