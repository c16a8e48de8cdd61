//! Rows small enough that a fold of them takes microseconds: what the fold does with them is the real code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tillwatch::analytics::{Attempt, Changes, Feed, Freshness, Grains, MoneyKey, MoneyKind, MoneySums, Slot};
use tillwatch::domain::{Grain, RecordKey, Status, StoreId, Stream, Word, instant_from_ms};
use tillwatch::jobs::fold::Counted;
use tillwatch::lake::{FrameError, SortKey, Table, Version};

pub const DAY_MS: i64 = 86_400_000;
const FIRST_DAY: i64 = 20_780;
const STORE: StoreId = StoreId(1);

/// A record: what a sender would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Row {
    pub id: u16,
    /// Days after the first; part of the identity.
    pub day: u8,
    pub minute: u16,
    /// Versioned rows order by this; a row without has one content only, so that its order cannot matter.
    pub version: Option<i64>,
    pub paid: bool,
    pub amount: i32,
    pub group: Option<u8>,
    /// Which import brought it; no part of what it says.
    pub import: Option<u8>,
    pub arrival: i64,
}

pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Apart from the hashes of keys.
fn group_hash(group: u8) -> u64 {
    mix(1 << 40 | u64::from(group))
}

impl Row {
    pub fn key(&self) -> RecordKey {
        let low = u64::from(self.id) << 8 | u64::from(self.day);
        RecordKey { high: mix(low), low }
    }

    pub fn at_ms(&self) -> i64 {
        (FIRST_DAY + i64::from(self.day)) * DAY_MS + i64::from(self.minute) * 60_000
    }

    pub fn hash(&self) -> u64 {
        let parts = [
            u64::from(self.id),
            u64::from(self.minute),
            self.version.map_or(0, |version| version.unsigned_abs() + 1),
            u64::from(self.paid),
            u64::from(self.amount.unsigned_abs()),
            self.group.map_or(0, |group| u64::from(group) + 1),
        ];
        parts.into_iter().fold(u64::from(self.day), |hash, part| mix(hash ^ part))
    }

    /// What decides which row of a record is the latest, said once more and independently of `lake/supersede`.
    pub fn beats(&self, other: &Self) -> bool {
        (self.version, self.paid, self.hash()) > (other.version, other.paid, other.hash())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows(pub Vec<Row>);

impl Rows {
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap()
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        postcard::from_bytes(bytes).map_err(|error| FrameError::unreadable(&error.to_string()))
    }
}

impl Table for Rows {
    fn decode_batch(bytes: &[u8]) -> Result<Self, FrameError> {
        Self::of_bytes(bytes)
    }

    fn height(&self) -> usize {
        self.0.len()
    }

    fn take(&self, places: &[usize]) -> Result<Self, FrameError> {
        Ok(Self(places.iter().map(|place| self.0[*place]).collect()))
    }

    fn concat(tables: Vec<Self>) -> Result<Option<Self>, FrameError> {
        if tables.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self(tables.into_iter().flat_map(|table| table.0).collect())))
    }

    fn sort_keys(&self, _: Stream) -> Result<Vec<SortKey>, FrameError> {
        Ok(self.0.iter().map(|row| (STORE.0, row.at_ms(), row.key().high, row.key().low)).collect())
    }

    fn versions(&self) -> Result<Vec<Version>, FrameError> {
        let version = |row: &Row| Version {
            key: row.key(),
            row_hash: row.hash(),
            version_ms: row.version,
            terminal: row.paid,
            arrival: row.arrival,
        };
        Ok(self.0.iter().map(version).collect())
    }

    fn groups(&self) -> Result<Vec<Option<u64>>, FrameError> {
        Ok(self.0.iter().map(|row| row.group.map(group_hash)).collect())
    }

    fn imports(&self) -> Result<Vec<Option<i64>>, FrameError> {
        Ok(self.0.iter().map(|row| row.import.map(i64::from)).collect())
    }

    fn number_arrivals(&mut self, first: i64) -> Result<(), FrameError> {
        for (arrival, row) in (first..).zip(&mut self.0) {
            row.arrival = arrival;
        }
        Ok(())
    }

    fn last_event_ms(&self, _: Stream) -> i64 {
        self.0.iter().map(Row::at_ms).max().unwrap_or(i64::MAX)
    }

    fn encode(tables: impl Iterator<Item = Result<Self, FrameError>>) -> Result<Vec<u8>, FrameError> {
        let tables: Vec<Self> = tables.collect::<Result<_, _>>()?;
        Ok(Self::concat(tables)?.unwrap_or_default().to_bytes())
    }

    fn decode(bytes: &[u8], _: Option<&[&str]>) -> Result<Self, FrameError> {
        Self::of_bytes(bytes)
    }

    fn decode_rows(bytes: &[u8], _: Option<&[&str]>, places: &[usize]) -> Result<Self, FrameError> {
        Self::of_bytes(bytes)?.take(places)
    }
}

impl Counted for Rows {
    fn count_into(
        &self,
        changes: &mut Changes,
        stream: Stream,
        sign: i64,
        _: &Grains,
    ) -> Result<(), FrameError> {
        for row in &self.0 {
            let (day, slot) = Slot::of(instant_from_ms(row.at_ms()), Grain::Hour);
            let key = MoneyKey {
                slot,
                feed: if stream == Stream::Transactions { Feed::Live } else { Feed::Ledger },
                kind: MoneyKind::Payment,
                account: Word::NONE,
                provider: Word::NONE,
                method: Word::NONE,
                scene: Word::NONE,
                operator: Word::NONE,
                promotion: Word::NONE,
                currency: Word::of("CNY"),
            };
            let amount = i128::from(row.amount) * i128::from(sign);
            let sums = MoneySums { count: sign, amount, ..MoneySums::default() };
            *changes.entry((STORE, day)).or_default().money.entry(key).or_default() += sums;
        }
        Ok(())
    }

    fn attempts(&self) -> Result<Vec<Attempt>, FrameError> {
        let attempt = |row: &Row| Attempt {
            store: STORE,
            group: row.group.map_or(row.key().high, group_hash),
            grouped: row.group.is_some(),
            key: row.key(),
            created_ms: row.at_ms(),
            number: 0,
            status: if row.paid { Status::Succeeded } else { Status::Pending },
            submitted: true,
            authorized: row.paid,
            technical: false,
            provider: Word::NONE,
            method: Word::NONE,
            scene: Word::NONE,
            promotion: Word::NONE,
            currency: Word::of("CNY"),
            amount: i64::from(row.amount),
        };
        Ok(self.0.iter().map(attempt).collect())
    }

    fn raise(
        &self,
        freshness: &mut BTreeMap<(StoreId, Stream, Word), Freshness>,
        stream: Stream,
    ) -> Result<(), FrameError> {
        for row in &self.0 {
            let at = instant_from_ms(row.at_ms());
            let fresh = Freshness { last_event: at, last_received: at };
            let known = freshness.entry((STORE, stream, Word::NONE)).or_insert(fresh);
            known.last_event = known.last_event.max(at);
            known.last_received = known.last_received.max(at);
        }
        Ok(())
    }
}
