//! From rows where no rollup holds the answer: the same cells, made from those rows only that a filter takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Instant, Range, StoreId, Stream, Word};
use crate::lake::{FileSet, Frame, FrameError, Lake, LakeError, LakeFile, Table};
use chrono::NaiveDate;

use super::changes::{Changes, Grains, add_ledger_lines, add_transactions};
use super::groups::{add_conversion, attempts};
use super::snapshot::Snapshot;
use super::view::{Piece, View};

mod filter;

pub use filter::{Filter, Selection};
pub(super) use filter::{attribute_values, filter_rows, masked};

/// What a scan divides its rows by, beyond the dimensions that cells hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DivideBy {
    /// The value of the attribute with this key.
    Attribute(String),
    /// The cashier.
    Operator,
}

/// Which rows of which days, divided how.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The spans asked for, by store.
    pub ranges: Vec<(StoreId, Range)>,
    pub filter: Filter,
    pub divide_by: Option<DivideBy>,
    pub grains: Grains,
}

const TRANSACTION_COLUMNS: [&str; 45] = [
    "key_high",
    "key_low",
    "group_hash",
    "grouped",
    "witness",
    "test",
    "store",
    "account",
    "kind",
    "status",
    "created_ms",
    "completed_ms",
    "submitted_ms",
    "authorized_ms",
    "attempt",
    "amount",
    "currency",
    "provider",
    "method",
    "scene",
    "operator",
    "failure_code",
    "failure_class",
    "list_amount",
    "discount_merchant",
    "discount_platform",
    "tax",
    "fee",
    "fee_refunded",
    "customer",
    "order_id",
    "payment_id",
    "transaction_id",
    "provider_transaction_id",
    "parent_transaction_id",
    "attribute_key",
    "attribute_value",
    "item_sku",
    "item_name",
    "item_category",
    "item_quantity_micro",
    "item_line_amount",
    "promotion",
    "feed",
    "aggregator",
];

const LEDGER_COLUMNS: [&str; 21] = [
    "witness",
    "test",
    "store",
    "account",
    "kind",
    "direction",
    "status",
    "posted_ms",
    "gross",
    "currency",
    "provider",
    "method",
    "scene",
    "operator",
    "list_amount",
    "discount_merchant",
    "discount_platform",
    "fee",
    "category",
    "attribute_key",
    "attribute_value",
];

/// Rows of several files are counted together up to so many: a file of a few rows costs little more than its reading.
const COUNTED_ROWS: usize = 65_536;

/// Makes a view from rows. Reads only the files that may hold rows of the spans, on two threads; takes a millisecond and
/// more per file, so call it on a blocking thread.
///
/// # Errors
/// The first file that cannot be read: no partial figure.
pub fn scan_view(lake: &Lake, snapshot: &Snapshot, scan: &Scan) -> Result<View, LakeError> {
    let stores: BTreeSet<StoreId> = stores_of(scan).into_iter().collect();
    let files = files_of(snapshot, scan, &[Stream::Transactions, Stream::LedgerLines]);
    let (one, other): (Vec<_>, Vec<_>) = files.chunks(2).map(|pair| (pair.first(), pair.get(1))).unzip();
    let count = |files: Vec<Option<&(Stream, Arc<LakeFile>)>>| {
        let mut counter = Counter::new(scan);
        for (stream, file) in files.into_iter().flatten() {
            counter.read(lake, *stream, file, &stores)?;
        }
        counter.finish()
    };
    let (one, other) = std::thread::scope(|scope| {
        let second = scope.spawn(|| count(other));
        (count(one), second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let mut counted = one?;
    counted.add(other?);
    Ok(counted.view(snapshot, scan))
}

/// What was counted, by the value that rows are divided by.
#[derive(Default)]
struct Counted {
    changes: BTreeMap<Word, Changes>,
    /// Intents are told from all rows of a group, whichever file they stand in.
    attempts: BTreeMap<Word, Vec<super::Attempt>>,
}

impl Counted {
    fn add(&mut self, other: Self) {
        for (group, changes) in other.changes {
            let own = self.changes.entry(group).or_default();
            for (place, block) in changes {
                own.entry(place).or_default().apply(&block);
            }
        }
        for (group, mut attempts) in other.attempts {
            self.attempts.entry(group).or_default().append(&mut attempts);
        }
    }

    fn view(mut self, snapshot: &Snapshot, scan: &Scan) -> View {
        let mut view = View::default();
        for (group, rows) in self.attempts {
            add_conversion(self.changes.entry(group).or_default(), rows, 1, &scan.grains);
        }
        for (group, changes) in self.changes {
            for ((store, day), block) in changes {
                view.pieces.push(Piece::made(store, group, day, Arc::new(block)));
            }
        }
        for (store, _) in &scan.ranges {
            if let Some((first, _)) = snapshot.days_with_data(*store) {
                view.first_day.insert(*store, first);
            }
        }
        view
    }
}

/// Counts the rows of one file after the other.
struct Counter<'a> {
    scan: &'a Scan,
    counted: Counted,
    /// Rows that are not counted yet.
    waiting: BTreeMap<(Stream, Word), Vec<Frame>>,
    waiting_rows: usize,
}

impl<'a> Counter<'a> {
    fn new(scan: &'a Scan) -> Self {
        Self { scan, counted: Counted::default(), waiting: BTreeMap::new(), waiting_rows: 0 }
    }

    fn read(
        &mut self,
        lake: &Lake,
        stream: Stream,
        file: &LakeFile,
        stores: &BTreeSet<StoreId>,
    ) -> Result<(), LakeError> {
        if !self.may_take(lake, stream, file, stores)? {
            return Ok(());
        }
        let columns: &[&str] =
            if stream == Stream::Transactions { &TRANSACTION_COLUMNS } else { &LEDGER_COLUMNS };
        let rows = lake.read_stores(file, Some(columns), stores)?;
        for (group, rows) in taken(&rows, self.scan, stream)? {
            if rows.rows() > 0 {
                self.waiting_rows += rows.rows();
                self.waiting.entry((stream, group)).or_default().push(rows);
            }
        }
        if self.waiting_rows >= COUNTED_ROWS { Ok(self.count()?) } else { Ok(()) }
    }

    /// False when the filter takes no row of the file: told from a few columns, before some forty are read.
    fn may_take(
        &self,
        lake: &Lake,
        stream: Stream,
        file: &LakeFile,
        stores: &BTreeSet<StoreId>,
    ) -> Result<bool, LakeError> {
        let columns = self.scan.filter.columns(stream);
        if columns.len() == 1 {
            return Ok(true);
        }
        let rows = lake.read_stores(file, Some(&columns), stores)?;
        Ok(filter_rows(&rows, &self.scan.filter, &stores_of(self.scan), stream)?.rows() > 0)
    }

    fn count(&mut self) -> Result<(), FrameError> {
        self.waiting_rows = 0;
        for ((stream, group), parts) in std::mem::take(&mut self.waiting) {
            let Some(rows) = Frame::concat(parts)? else { continue };
            let changes = self.counted.changes.entry(group).or_default();
            if stream == Stream::Transactions {
                add_transactions(changes, &rows, 1, &self.scan.grains)?;
                self.counted.attempts.entry(group).or_default().append(&mut attempts(&rows)?);
            } else {
                add_ledger_lines(changes, &rows, 1, &self.scan.grains)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Counted, LakeError> {
        self.count()?;
        Ok(self.counted)
    }
}

/// The live files that may hold rows of the spans: their day is not after the span, their youngest event not before.
pub(super) fn files_of(snapshot: &Snapshot, scan: &Scan, streams: &[Stream]) -> Vec<(Stream, Arc<LakeFile>)> {
    let Some((from, until)) = bounds(&scan.ranges) else { return Vec::new() };
    let last: NaiveDate = until.date_naive();
    snapshot
        .files
        .iter()
        .filter(|((stream, day), _)| streams.contains(stream) && *day <= last)
        .flat_map(|((stream, _), files)| files.iter().map(move |file| (*stream, file)))
        .filter(|(_, file)| {
            file.file_set == FileSet::Current && file.last_event_ms >= from.timestamp_millis()
        })
        .map(|(stream, file)| (stream, Arc::clone(file)))
        .collect()
}

fn bounds(ranges: &[(StoreId, Range)]) -> Option<(Instant, Instant)> {
    let from = ranges.iter().map(|(_, range)| range.from).min()?;
    let until = ranges.iter().map(|(_, range)| range.until).max()?;
    Some((from, until))
}

/// The rows that the filter takes, by the value they are divided by.
fn taken(rows: &Frame, scan: &Scan, stream: Stream) -> Result<Vec<(Word, Frame)>, FrameError> {
    let kept = filter_rows(rows, &scan.filter, &stores_of(scan), stream)?;
    let Some(divide_by) = &scan.divide_by else { return Ok(vec![(Word::NONE, kept)]) };
    let values = group_values(&kept, divide_by)?;
    let mut distinct: Vec<Word> = values.clone();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
        .into_iter()
        .map(|value| {
            let mask: Vec<bool> = values.iter().map(|of| *of == value).collect();
            Ok((value, masked(&kept, &mask)?))
        })
        .collect()
}

pub(super) fn stores_of(scan: &Scan) -> Vec<StoreId> {
    scan.ranges.iter().map(|(store, _)| *store).collect()
}

fn group_values(rows: &Frame, divide_by: &DivideBy) -> Result<Vec<Word>, FrameError> {
    let column = match divide_by {
        DivideBy::Attribute(key) => {
            let values = attribute_values(rows, key)?;
            return Ok(values.iter().map(|value| Word::of(value.as_deref().unwrap_or_default())).collect());
        }
        DivideBy::Operator => "operator",
    };
    let values = rows.data().column(column)?.str()?;
    Ok(values.iter().map(|value| Word::of(value.unwrap_or_default())).collect())
}
