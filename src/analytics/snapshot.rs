use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use chrono::NaiveDate;

use crate::domain::{Instant, Range, StoreId, Stream, Word};
use crate::lake::{FileSet, LakeFile};

use super::blocks::{BlockCache, Written};
use super::levels::{BlockKey, Calendar, Calendars, Level, Owner};
use super::summed::SumCache;

/// Everything folded, at one data version: the manifest, and which rollups there are. Immutable; readers hold an
/// `Arc`. The blocks themselves are fetched when asked for (see [`super::Blocks`]) and kept in a bounded cache.
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
    /// Every block with the data version that wrote it.
    pub rollups: Directory,
    /// Under which calendar the levels of each store stand.
    pub calendars: Calendars,
    /// The youngest event by store, stream and provider.
    pub freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
    /// Blocks in memory; one for all snapshots of a process.
    pub cache: Arc<BlockCache>,
    /// Sums of whole days in memory; one for all snapshots of a process.
    pub sums: Arc<SumCache>,
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

/// Which blocks there are, by owner and day, with the data version that wrote each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory(BTreeMap<(Level, Owner), Arc<BTreeMap<NaiveDate, i64>>>);

impl Directory {
    /// Notes a block, or forgets it.
    pub fn put(&mut self, key: BlockKey, version: Option<i64>) {
        let days = Arc::make_mut(self.0.entry((key.level, key.owner)).or_default());
        match version {
            Some(version) => days.insert(key.day, version),
            None => days.remove(&key.day),
        };
        if days.is_empty() {
            self.0.remove(&(key.level, key.owner));
        }
    }

    /// The days of an owner, with versions.
    pub fn days(&self, level: Level, owner: Owner) -> Option<&BTreeMap<NaiveDate, i64>> {
        self.0.get(&(level, owner)).map(AsRef::as_ref)
    }

    /// Every block.
    pub fn keys(&self) -> impl Iterator<Item = (BlockKey, i64)> {
        self.0.iter().flat_map(|((level, owner), days)| {
            let (level, owner) = (*level, *owner);
            days.iter().map(move |(day, version)| (BlockKey { level, owner, day: *day }, *version))
        })
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.0.values().map(|days| days.len()).sum()
    }

    /// True without a block.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Snapshot {
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
        let days = self.rollups.days(Level::Hours, store.into())?;
        Some((*days.keys().next()?, *days.keys().next_back()?))
    }

    /// The stores that are summed up under a calendar.
    pub fn members(&self, calendar: &Calendar) -> BTreeSet<StoreId> {
        let of_it = self.calendars.iter().filter(|(_, own)| *own == calendar);
        of_it.map(|(store, _)| *store).collect()
    }

    /// Takes the blocks that a fold wrote, in the snapshot after it.
    pub fn take_blocks(&mut self, version: i64, blocks: &[Written], calendars: &Calendars) {
        for written in blocks {
            self.rollups.put(written.key, written.block.as_ref().map(|_| version));
            if let Some(block) = &written.block {
                self.cache.put(written.key, version, Arc::clone(block));
            }
        }
        self.calendars.extend(calendars.iter().map(|(store, calendar)| (*store, *calendar)));
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

    /// Replaces the snapshot, unless a newer one is there already. What is in memory stays there.
    pub fn publish(&self, mut snapshot: Snapshot) {
        let mut present = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if snapshot.version >= present.version {
            snapshot.cache = Arc::clone(&present.cache);
            snapshot.sums = Arc::clone(&present.sums);
            *present = Arc::new(snapshot);
        }
    }
}
