use std::cell::Cell;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::StoreId;

/// Identity of a record within its stream: 128 bits of a hash over who, account, kind, id and UTC day.
///
/// The day is the partition, so an earlier version is looked for in one partition only. The provider is not
/// part of it: a payment may be created before the shopper has chosen one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    pub high: u64,
    pub low: u64,
}

impl RecordKey {
    /// The identity of a record of `store` with this account, kind, id and UTC day.
    pub fn of(store: StoreId, account: &str, kind: &str, id: &str, day: NaiveDate) -> Self {
        with_scratch(|bytes| {
            bytes.extend_from_slice(&store.0.to_le_bytes());
            for part in [account, kind, id] {
                // The length in front keeps ("ab", "c") and ("a", "bc") apart.
                bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
            bytes.extend_from_slice(&chrono::Datelike::num_days_from_ce(&day).to_le_bytes());
            let (high, low) = split(blake3::hash(bytes).as_bytes());
            Self { high, low }
        })
    }

    /// The identity of a witness: a row that another feed than the account's source of record brought. It must never
    /// take the place of the counted row with the same id.
    #[must_use]
    pub fn as_witness_of(self, feed: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.high.to_le_bytes()).update(&self.low.to_le_bytes()).update(feed.as_bytes());
        let (high, low) = split(hasher.finalize().as_bytes());
        Self { high, low }
    }

    /// Reads 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        Some(Self {
            high: u64::from_str_radix(text.get(..16)?, 16).ok()?,
            low: u64::from_str_radix(text.get(16..)?, 16).ok()?,
        })
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}

impl Serialize for RecordKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a key is 32 hex digits"))
    }
}

fn split(bytes: &[u8; 32]) -> (u64, u64) {
    let mut high = [0; 8];
    let mut low = [0; 8];
    high.copy_from_slice(&bytes[..8]);
    low.copy_from_slice(&bytes[8..16]);
    (u64::from_le_bytes(high), u64::from_le_bytes(low))
}

/// Hash of the canonical form of a row: two rows with one hash are identical.
///
/// # Panics
/// Never in practice: every field of a record has a form.
#[expect(
    clippy::expect_used,
    reason = "a hash of nothing would make two different rows identical in silence"
)]
pub fn row_hash(record: &impl Serialize) -> u64 {
    with_scratch(|bytes| {
        let written = postcard::to_extend(record, std::mem::take(bytes));
        *bytes = written.expect("records have no part that cannot be written");
        split(blake3::hash(bytes).as_bytes()).0
    })
}

/// Bytes of the scratch of a thread that are kept: nearly every row's canonical form is smaller.
const SCRATCH_BYTES_KEPT: usize = 16 << 10;

/// Lends an empty buffer that this thread uses again and again: several hashes are made of every row.
fn with_scratch<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    SCRATCH.with(|scratch| {
        let mut bytes = scratch.take();
        bytes.clear();
        let made = work(&mut bytes);
        bytes.shrink_to(SCRATCH_BYTES_KEPT);
        scratch.set(bytes);
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_where_any_part_differs() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 24).expect("a day");
        let key = RecordKey::of(StoreId(1), "default", "payment", "a", day);
        assert_eq!(key, RecordKey::of(StoreId(1), "default", "payment", "a", day));
        assert_ne!(key, RecordKey::of(StoreId(2), "default", "payment", "a", day));
        assert_ne!(key, RecordKey::of(StoreId(1), "defaultp", "ayment", "a", day));
        assert_ne!(key, RecordKey::of(StoreId(1), "default", "refund", "a", day));
        assert_ne!(key, RecordKey::of(StoreId(1), "default", "payment", "a", day.succ_opt().expect("a day")));
        assert_eq!(RecordKey::parse(&key.to_string()), Some(key));
        assert_eq!(RecordKey::parse("zz"), None);
    }
}
