//! Blocks at hand: those fetched for one answer, and the cache they come from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use super::levels::{BlockKey, Level, LevelChanges, Owner};
use super::packed::Packed;
use super::snapshot::Snapshot;

/// Memory of the cache. A block takes some kilobytes; all stores of a year without their hours fit.
pub const CACHE_BYTES_MAX: usize = 192 << 20;

/// A span of blocks of one owner, both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    pub level: Level,
    pub owner: Owner,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// Blocks of one snapshot, in memory.
#[derive(Clone, Debug, Default)]
pub struct Blocks(BTreeMap<BlockKey, Arc<Packed>>);

impl Blocks {
    /// Puts a block in.
    pub fn insert(&mut self, key: BlockKey, block: Arc<Packed>) {
        self.0.insert(key, block);
    }

    /// A block.
    pub fn get(&self, key: &BlockKey) -> Option<&Arc<Packed>> {
        self.0.get(key)
    }

    /// Every block.
    pub fn all(&self) -> impl Iterator<Item = &Packed> {
        self.0.values().map(AsRef::as_ref)
    }

    /// The blocks of an owner from day to day, both included, oldest first.
    pub fn days(
        &self,
        level: Level,
        owner: Owner,
        first: NaiveDate,
        last: NaiveDate,
    ) -> impl Iterator<Item = (NaiveDate, &Arc<Packed>)> {
        let key = |day: NaiveDate| BlockKey { level, owner, day };
        self.0.range(key(first)..=key(last.max(first))).map(|(key, block)| (key.day, block))
    }

    /// Those of `wanted` that the cache holds, and the spans that it holds only in part, as short as they can be.
    pub fn cached(snapshot: &Snapshot, wanted: &[Wanted]) -> (Self, Vec<Wanted>) {
        let (mut found, mut missing) = (Self::default(), Vec::new());
        for span in wanted {
            let Some(days) = snapshot.rollups.days(span.level, span.owner) else { continue };
            let mut lacking: Option<(NaiveDate, NaiveDate)> = None;
            for (day, version) in days.range(span.first..=span.last.max(span.first)) {
                let key = BlockKey { level: span.level, owner: span.owner, day: *day };
                match snapshot.cache.get(key, *version) {
                    Some(block) => found.insert(key, block),
                    None => lacking = Some((lacking.map_or(*day, |(first, _)| first), *day)),
                }
            }
            missing.extend(lacking.map(|(first, last)| Wanted { first, last, ..*span }));
        }
        (found, missing)
    }
}

/// A block as it is after a fold; `None` when nothing is left in it.
#[derive(Clone, Debug)]
pub struct Written {
    pub key: BlockKey,
    pub block: Option<Arc<Packed>>,
}

impl LevelChanges {
    /// The spans of the blocks that change.
    pub fn wanted(&self) -> Vec<Wanted> {
        self.blocks
            .keys()
            .chain(self.stores.keys())
            .chain(self.customers.keys())
            .map(|key| Wanted { level: key.level, owner: key.owner, first: key.day, last: key.day })
            .collect()
    }

    /// Takes out the changes of UTC days up to `day` and of business days up to `business_day`.
    #[must_use]
    pub fn take_until(&mut self, day: NaiveDate, business_day: NaiveDate) -> Self {
        let over = |key: &BlockKey| match key.level {
            Level::Hours | Level::AllHours => key.day <= day,
            _ => key.day <= business_day,
        };
        Self {
            blocks: self.blocks.extract_if(.., |key, _| over(key)).collect(),
            stores: self.stores.extract_if(.., |key, _| over(key)).collect(),
            customers: self.customers.extract_if(.., |key, _| over(key)).collect(),
        }
    }

    /// Two parts of about the same size, to be worked on by two threads.
    fn halves(self) -> (Self, Self) {
        let (mut one, mut other) = (Self::default(), Self::default());
        for (place, (key, block)) in self.blocks.into_iter().enumerate() {
            if place % 2 == 0 { &mut one } else { &mut other }.blocks.insert(key, block);
        }
        for (place, (key, block)) in self.stores.into_iter().enumerate() {
            if place % 2 == 1 { &mut one } else { &mut other }.stores.insert(key, block);
        }
        one.customers = self.customers;
        (one, other)
    }

    /// The blocks of these cells that others lack or have otherwise, and those that only the others have, as gone. Who
    /// paid is not looked at.
    pub fn unlike(&self, others: &Self) -> Vec<Written> {
        let mut written = Vec::new();
        let keys = self.blocks.keys().chain(others.blocks.keys());
        for key in keys.copied().collect::<BTreeSet<_>>() {
            let should = self.blocks.get(&key).filter(|block| !block.is_empty());
            if should != others.blocks.get(&key) {
                let block = should.map(|block| Arc::new(Packed::of(block.clone())));
                written.push(Written { key, block });
            }
        }
        let keys = self.stores.keys().chain(others.stores.keys());
        for key in keys.copied().collect::<BTreeSet<_>>() {
            let should = self.stores.get(&key);
            if should != others.stores.get(&key) {
                let block = should.map(|stores| Arc::new(Packed::of_stores(stores.clone())));
                written.push(Written { key, block });
            }
        }
        written
    }

    /// The sketches of customers that others lack or have otherwise, and those that only the others have, as gone.
    pub fn unlike_customers(&self, others: &Self) -> Vec<Written> {
        let keys = self.customers.keys().chain(others.customers.keys());
        keys.copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter(|key| self.customers.get(key) != others.customers.get(key))
            .map(|key| {
                let block = self.customers.get(&key).map(|sketch| Arc::new(Packed::of_sketch(sketch)));
                Written { key, block }
            })
            .collect()
    }

    /// The blocks after this change, made by two threads.
    pub fn applied_by_two(self, present: &Blocks) -> Vec<Written> {
        let (one, other) = self.halves();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| other.applied(present));
            let mut written = one.applied(present);
            written.append(&mut second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            written
        })
    }

    /// The blocks after this change.
    pub fn applied(self, present: &Blocks) -> Vec<Written> {
        let mut written = Vec::with_capacity(self.blocks.len() + self.stores.len());
        for (key, change) in self.blocks {
            if change.is_empty() {
                continue;
            }
            let mut block = present.get(&key).map(|block| block.unpack()).unwrap_or_default();
            block.apply(&change);
            let block = (!block.is_empty()).then(|| Arc::new(Packed::of(block)));
            // Nothing is left of the day: nor is who paid on it.
            let level = match key.level {
                Level::Days => Some(Level::Customers),
                Level::AllDays => Some(Level::AllCustomers),
                _ => None,
            };
            if let Some(level) = level.filter(|_| block.is_none()) {
                written.push(Written { key: BlockKey { level, ..key }, block: None });
            }
            written.push(Written { key, block });
        }
        for (key, changes) in self.stores {
            let mut stores = present.get(&key).map(|block| block.unpack_stores()).unwrap_or_default();
            for (store, change) in changes {
                stores.entry(store).or_default().apply(&change);
            }
            stores.retain(|_, block| !block.is_empty());
            let block = (!stores.is_empty()).then(|| Arc::new(Packed::of_stores(stores)));
            written.push(Written { key, block });
        }
        for (key, more) in self.customers {
            let known = present.get(&key).map(|block| block.sketch()).unwrap_or_default();
            let mut joined = known.clone();
            joined.join(&more);
            if joined != known {
                written.push(Written { key, block: Some(Arc::new(Packed::of_sketch(&joined))) });
            }
        }
        written
    }
}

/// Blocks that were asked for lately, by the version they have. Bounded in bytes, the longest unused go first.
#[derive(Debug)]
pub struct BlockCache {
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    blocks: HashMap<(BlockKey, i64), (Arc<Packed>, u64)>,
    bytes: usize,
    clock: u64,
}

impl Default for BlockCache {
    fn default() -> Self {
        Self::new(CACHE_BYTES_MAX)
    }
}

impl BlockCache {
    /// An empty cache of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, held: Mutex::default() }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block at exactly this version.
    pub fn get(&self, key: BlockKey, version: i64) -> Option<Arc<Packed>> {
        let mut held = self.held();
        held.clock += 1;
        let now = held.clock;
        let (block, used) = held.blocks.get_mut(&(key, version))?;
        *used = now;
        Some(Arc::clone(block))
    }

    /// Keeps a block, and lets go of others when there is no room.
    pub fn put(&self, key: BlockKey, version: i64, block: Arc<Packed>) {
        let mut held = self.held();
        held.clock += 1;
        let now = held.clock;
        held.bytes += block.weight();
        if let Some((gone, _)) = held.blocks.insert((key, version), (block, now)) {
            held.bytes -= gone.weight();
        }
        if held.bytes > self.bytes_max {
            held.shrink(self.bytes_max / 8 * 7);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.held().bytes
    }

    /// Blocks held.
    pub fn len(&self) -> usize {
        self.held().blocks.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Held {
    /// Lets the longest unused go until so many bytes are left.
    fn shrink(&mut self, bytes: usize) {
        let mut by_age: Vec<_> = self.blocks.iter().map(|(key, (_, used))| (*used, *key)).collect();
        by_age.sort_unstable();
        for (_, key) in by_age {
            if self.bytes <= bytes {
                break;
            }
            if let Some((gone, _)) = self.blocks.remove(&key) {
                self.bytes -= gone.weight();
            }
        }
    }
}
