use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use xorf::{BinaryFuse32, Filter};

use crate::domain::RecordKey;

/// Bytes that filters may take, all files together: some 100 million rows of keys and groups. Least recently used
/// ones go first; one that is needed again is built again from its file's columns.
pub const FILTER_BYTES_MAX: usize = 1 << 30;

/// A set of 64-bit hashes that may say "perhaps" of one that is not in it, and never "no" of one that is.
///
/// 32-bit fingerprints at some 36 bits an entry: a hash that is not in the set passes with a chance of 2⁻³². A fold of
/// 100,000 new keys over a day of 1,000 files asks 10⁸ times, so that one fold in 43 reads one file for nothing; what
/// is read is compared by the full key, so nothing is ever decided by a filter's "perhaps".
#[derive(Debug)]
enum Sieve {
    Empty,
    Fuse(BinaryFuse32),
    /// The set could not be built: everything passes.
    Open,
}

impl Sieve {
    fn of(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.is_empty() {
            return Self::Empty;
        }
        BinaryFuse32::try_from(&hashes).map_or(Self::Open, Self::Fuse)
    }

    fn passes(&self, hash: u64) -> bool {
        match self {
            Self::Empty => false,
            Self::Fuse(filter) => filter.contains(&hash),
            Self::Open => true,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Fuse(filter) => filter.len() * size_of::<u32>(),
            Self::Empty | Self::Open => 0,
        }
    }
}

/// What can be said of a file's rows without reading it: keys and groups that are surely not in it.
#[derive(Debug)]
pub struct FileFilters {
    keys: Sieve,
    groups: Sieve,
}

impl FileFilters {
    /// The filters of a file with these rows, superseded ones too.
    pub fn of(keys: impl Iterator<Item = RecordKey>, groups: impl Iterator<Item = u64>) -> Self {
        Self { keys: Sieve::of(keys.map(hash_of).collect()), groups: Sieve::of(groups.collect()) }
    }

    /// False when no row of the file has this key.
    pub fn may_hold_key(&self, key: RecordKey) -> bool {
        self.keys.passes(hash_of(key))
    }

    /// False when no row of the file belongs to this group.
    pub fn may_hold_group(&self, group: u64) -> bool {
        self.groups.passes(group)
    }

    /// Memory it takes.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.groups.bytes() + size_of::<Self>()
    }
}

/// A key is 128 bits of a cryptographic hash already: 64 of them are a hash of it.
const fn hash_of(key: RecordKey) -> u64 {
    key.high ^ key.low.rotate_left(32)
}

/// The filters of the files that folds looked into, within a bound of bytes.
#[derive(Debug)]
pub struct FilterCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_file: HashMap<String, (Arc<FileFilters>, u64)>,
    bytes: usize,
    /// Counts uses: the smallest is the least recently used.
    uses: u64,
}

impl Default for FilterCache {
    fn default() -> Self {
        Self::new(FILTER_BYTES_MAX)
    }
}

impl FilterCache {
    /// An empty cache of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// The filters of a file, if they are kept.
    pub fn get(&self, file_id: &str) -> Option<Arc<FileFilters>> {
        self.with(|kept| {
            kept.uses += 1;
            let now = kept.uses;
            let (filters, last_use) = kept.by_file.get_mut(file_id)?;
            *last_use = now;
            Some(Arc::clone(filters))
        })
    }

    /// Keeps the filters of a file; others go when there is no room.
    pub fn put(&self, file_id: &str, filters: Arc<FileFilters>) {
        self.with(|kept| {
            kept.uses += 1;
            kept.bytes += filters.bytes();
            if let Some((before, _)) = kept.by_file.insert(file_id.to_owned(), (filters, kept.uses)) {
                kept.bytes -= before.bytes();
            }
            while kept.bytes > self.bytes_max && kept.by_file.len() > 1 {
                let oldest = kept.by_file.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| id.clone());
                let Some((gone, _)) = oldest.and_then(|id| kept.by_file.remove(&id)) else { break };
                kept.bytes -= gone.bytes();
            }
        });
    }

    /// Drops the filters of a file that is retired.
    pub fn forget(&self, file_id: &str) {
        self.with(|kept| {
            if let Some((gone, _)) = kept.by_file.remove(file_id) {
                kept.bytes -= gone.bytes();
            }
        });
    }

    /// Memory the filters take.
    pub fn bytes(&self) -> usize {
        self.with(|kept| kept.bytes)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> RecordKey {
        let hash = blake3::hash(&number.to_le_bytes());
        let part = |at: usize| u64::from_le_bytes(hash.as_bytes()[at..at + 8].try_into().unwrap());
        RecordKey { high: part(0), low: part(8) }
    }

    #[test]
    fn a_filter_never_denies_what_is_there_and_nearly_always_what_is_not() {
        let filters = FileFilters::of((0..10_000).map(key), (0..500).map(|number| key(number).high));
        assert!((0..10_000).all(|number| filters.may_hold_key(key(number))));
        assert!((0..500).all(|number| filters.may_hold_group(key(number).high)));
        assert_eq!((10_000..60_000).filter(|number| filters.may_hold_key(key(*number))).count(), 0);
        assert!(filters.bytes() < 10_500 * 6, "{} bytes", filters.bytes());
        let repeated = FileFilters::of([key(1), key(1), key(2)].into_iter(), std::iter::empty());
        assert!(repeated.may_hold_key(key(1)) && repeated.may_hold_key(key(2)));
        assert!(!repeated.may_hold_key(key(3)) && !repeated.may_hold_group(1));
    }

    #[test]
    fn the_least_recently_used_filters_go_first() {
        let filters = || Arc::new(FileFilters::of((0..100).map(key), std::iter::empty()));
        let cache = FilterCache::new(filters().bytes() * 2);
        cache.put("a", filters());
        cache.put("b", filters());
        assert!(cache.get("a").is_some());
        cache.put("c", filters());
        assert!(cache.get("b").is_none() && cache.get("a").is_some() && cache.get("c").is_some());
        cache.put("c", filters());
        assert_eq!(cache.bytes(), filters().bytes() * 2, "replaced, not counted twice");
        cache.forget("a");
        cache.forget("c");
        assert_eq!(cache.bytes(), 0);
    }
}
