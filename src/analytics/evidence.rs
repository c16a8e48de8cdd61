//! What shows that a way to pay works: the youngest record of each sort, from the youngest days backwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::{Instant, Kind, LedgerKind, RecordKey, Status, StoreId, Stream, Word, instant_from_ms};
use crate::lake::{FileSet, Frame, FrameError, Lake, LakeError, LakeFile};

use super::snapshot::Snapshot;

/// Rows that are looked at; what is older shows nothing.
pub const EVIDENCE_ROWS_MAX: u64 = 2_000_000;
/// How the ways in are called by which providers notify; rows of them were verified before they were kept.
const NOTIFIED: &str = "webhook";

/// What a record can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shows {
    /// A payment was paid.
    Paid,
    /// A refund was given back.
    Refunded,
    /// The provider's own notification came in and was right.
    Notified,
}

/// A record that shows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub key: RecordKey,
    /// UTC day of its creation.
    pub day: NaiveDate,
    pub store: StoreId,
    /// When it was completed, else created.
    pub at: Instant,
}

/// A way to pay, live or in test mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub provider: Word,
    pub method: Word,
    pub test: bool,
}

/// The youngest evidence of each sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidences {
    pub found: BTreeMap<(Way, Shows), Evidence>,
    /// Every way of which any record was seen.
    pub ways: BTreeSet<Way>,
    /// When a bill last showed a payout, by provider.
    pub payouts: BTreeMap<Word, Instant>,
    /// The oldest UTC day that was looked at; `None` where there is nothing.
    pub since: Option<NaiveDate>,
    /// There are older days.
    pub is_cut: bool,
}

const COLUMNS: [&str; 11] = [
    "store",
    "key_high",
    "key_low",
    "kind",
    "status",
    "provider",
    "method",
    "test",
    "feed",
    "created_ms",
    "completed_ms",
];
const LEDGER_COLUMNS: [&str; 5] = ["store", "kind", "status", "provider", "posted_ms"];

/// Looks for evidence in the records of these stores, live and test ones, counted or witnesses.
///
/// # Errors
/// The first file that cannot be read.
pub fn evidences(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &BTreeSet<StoreId>,
) -> Result<Evidences, LakeError> {
    let mut all = Evidences::default();
    let mut rows = 0;
    for (day, files) in days(snapshot, Stream::Transactions) {
        rows += files.iter().map(|file| file.rows).sum::<u64>();
        if rows > EVIDENCE_ROWS_MAX && all.since.is_some() {
            all.is_cut = true;
            break;
        }
        all.since = Some(day);
        for file in files {
            add_transactions(&mut all, &lake.read_stores(file, Some(&COLUMNS), stores)?, stores)?;
        }
    }
    rows = 0;
    for (_, files) in days(snapshot, Stream::LedgerLines) {
        rows += files.iter().map(|file| file.rows).sum::<u64>();
        if rows > EVIDENCE_ROWS_MAX {
            break;
        }
        for file in files {
            add_payouts(&mut all, &lake.read_stores(file, Some(&LEDGER_COLUMNS), stores)?, stores)?;
        }
    }
    Ok(all)
}

/// The days of a stream, youngest first, each with its files.
fn days(snapshot: &Snapshot, stream: Stream) -> impl Iterator<Item = (NaiveDate, Vec<&Arc<LakeFile>>)> {
    snapshot.files.iter().rev().filter(move |((of, _), _)| *of == stream).map(|((_, day), files)| {
        (*day, files.iter().filter(|file| file.file_set == FileSet::Current).collect())
    })
}

fn add_transactions(all: &mut Evidences, rows: &Frame, stores: &BTreeSet<StoreId>) -> Result<(), FrameError> {
    let data = rows.data();
    let text = |name: &str| data.column(name)?.str();
    let (kind, status, feed) = (text("kind")?, text("status")?, text("feed")?);
    let (provider, method) = (text("provider")?, text("method")?);
    let (high, low) = (data.column("key_high")?.u64()?, data.column("key_low")?.u64()?);
    let (store, created) = (data.column("store")?.i64()?, data.column("created_ms")?.i64()?);
    let (completed, trial) = (data.column("completed_ms")?.i64()?, data.column("test")?.bool()?);
    for row in 0..rows.rows() {
        let (Some(store), Some(created)) = (store.get(row).map(StoreId), created.get(row)) else { continue };
        if !stores.contains(&store) {
            continue;
        }
        let word = |text: Option<&str>| Word::of(text.unwrap_or_default());
        let way = Way {
            provider: word(provider.get(row)),
            method: word(method.get(row)),
            test: trial.get(row).unwrap_or(false),
        };
        let at = instant_from_ms(completed.get(row).unwrap_or(created));
        let key = RecordKey { high: high.get(row).unwrap_or(0), low: low.get(row).unwrap_or(0) };
        let evidence = Evidence { key, day: instant_from_ms(created).date_naive(), store, at };
        all.ways.insert(way);
        let posted = status.get(row).and_then(Status::parse).is_some_and(Status::is_posted);
        match kind.get(row).and_then(Kind::parse) {
            Some(Kind::Payment | Kind::TopUp) if posted => all.add(way, Shows::Paid, evidence),
            Some(Kind::Refund) if posted => all.add(way, Shows::Refunded, evidence),
            _ => {}
        }
        if feed.get(row).is_some_and(|feed| feed.starts_with(NOTIFIED)) {
            all.add(way, Shows::Notified, evidence);
        }
    }
    Ok(())
}

fn add_payouts(all: &mut Evidences, rows: &Frame, stores: &BTreeSet<StoreId>) -> Result<(), FrameError> {
    let data = rows.data();
    let (kind, status) = (data.column("kind")?.str()?, data.column("status")?.str()?);
    let provider = data.column("provider")?.str()?;
    let (store, posted) = (data.column("store")?.i64()?, data.column("posted_ms")?.i64()?);
    for row in 0..rows.rows() {
        let is_payout = kind.get(row) == Some(LedgerKind::Payout.as_str())
            && status.get(row) == Some("succeeded")
            && store.get(row).is_some_and(|store| stores.contains(&StoreId(store)));
        let Some(at) = posted.get(row).filter(|_| is_payout).map(instant_from_ms) else { continue };
        let known = all.payouts.entry(Word::of(provider.get(row).unwrap_or_default())).or_insert(at);
        *known = (*known).max(at);
    }
    Ok(())
}

impl Evidences {
    /// Keeps the youngest; of two at one moment the one with the larger key, so that the order of files does not matter.
    fn add(&mut self, way: Way, shows: Shows, evidence: Evidence) {
        let known = self.found.entry((way, shows)).or_insert(evidence);
        if (evidence.at, evidence.key) > (known.at, known.key) {
            *known = evidence;
        }
    }
}
