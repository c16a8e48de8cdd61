//! Single transactions: a page of them, a search by any id, one with its history.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use polars::prelude::{AnyValue, DataFrame};
use rust_decimal::Decimal;

use crate::domain::{
    Currency, FailureClass, Instant, Kind, Range, RecordKey, Scene, Status, StoreId, Stream, Sum, Word,
    instant_from_ms,
};
use crate::lake::{FileSet, Frame, FrameError, Lake, LakeError};

use super::scan::{Scan, files_of, filter_rows, stores_of};
use super::snapshot::Snapshot;

/// Most hits of a search by id.
pub const SEARCH_HITS_MAX: usize = 200;

/// One transaction as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionLine {
    pub key: RecordKey,
    /// UTC day of its creation: its partition.
    pub day: NaiveDate,
    pub store: StoreId,
    pub transaction_id: String,
    pub created_at: Instant,
    pub completed_at: Option<Instant>,
    pub kind: Kind,
    pub status: Status,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub provider: Word,
    pub method: Word,
    pub scene: Option<Scene>,
    pub operator: Word,
    pub order_id: Option<String>,
    pub payment_id: Option<String>,
    pub provider_transaction_id: Option<String>,
    pub customer: Option<String>,
    pub fee: Option<i64>,
    pub failure_code: Option<String>,
    pub failure_class: Option<FailureClass>,
    /// Not counted: another feed is this account's source of record.
    pub witness: bool,
    pub test: bool,
}

impl TransactionLine {
    /// The cash clock: when it was completed, else created.
    pub fn at(&self) -> Instant {
        self.completed_at.unwrap_or(self.created_at)
    }
}

/// Amounts in major units, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AmountRange {
    pub least: Option<Decimal>,
    pub most: Option<Decimal>,
}

impl AmountRange {
    /// True when an amount of `minor` minor units lies inside.
    pub fn takes(&self, minor: i64, currency: Currency) -> bool {
        let major = Decimal::new(minor, currency.exponent());
        self.least.is_none_or(|least| least <= major) && self.most.is_none_or(|most| major <= most)
    }
}

/// Which transactions a list shows, beyond the scan's spans and filter.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    pub kinds: Vec<Kind>,
    pub statuses: Vec<Status>,
    pub amounts: AmountRange,
    /// Only rows after this one in the list's order (younger first).
    pub after: Option<(Instant, RecordKey)>,
    pub limit: usize,
}

/// A page of a list, and what the whole list amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionPage {
    /// Youngest first.
    pub lines: Vec<TransactionLine>,
    /// The place to go on from; `None` on the last page.
    pub next: Option<(Instant, RecordKey)>,
    /// Counted transactions of the whole list by kind, whether posted, and currency, with their amounts. Witnesses and test payments are
    /// listed but not counted.
    pub totals: BTreeMap<(Kind, bool, Currency), (i64, i128)>,
}

impl TransactionPage {
    /// The total of one kind that is posted, in one currency.
    pub fn posted(&self, kind: Kind, currency: Currency) -> (i64, Sum) {
        let (count, minor) = self.totals.get(&(kind, true, currency)).copied().unwrap_or_default();
        (count, Sum { minor, currency })
    }
}

pub(super) const LINE_COLUMNS: [&str; 29] = [
    "key_high",
    "key_low",
    "store",
    "transaction_id",
    "created_ms",
    "completed_ms",
    "kind",
    "status",
    "amount",
    "currency",
    "provider",
    "method",
    "scene",
    "operator",
    "promotion",
    "order_id",
    "payment_id",
    "provider_transaction_id",
    "parent_transaction_id",
    "customer",
    "fee",
    "failure_code",
    "failure_class",
    "witness",
    "test",
    "attribute_key",
    "attribute_value",
    "item_category",
    "group_hash",
];

/// The ids a search looks into.
const ID_COLUMNS: [&str; 5] =
    ["transaction_id", "order_id", "payment_id", "provider_transaction_id", "parent_transaction_id"];

/// One page of the transactions in the spans, youngest first, by the cash clock.
///
/// # Errors
/// The first file that cannot be read.
pub fn list_transactions(
    lake: &Lake,
    snapshot: &Snapshot,
    scan: &Scan,
    filter: &ListFilter,
) -> Result<TransactionPage, LakeError> {
    let mut page = TransactionPage::default();
    let mut lines = Vec::new();
    let stores = stores_of(scan).into_iter().collect();
    for (stream, file) in files_of(snapshot, scan, &[Stream::Transactions]) {
        let rows = lake.read_stores(&file, Some(&LINE_COLUMNS), &stores)?;
        let rows = filter_rows(&rows, &scan.filter, &stores_of(scan), stream)?;
        for line in transaction_lines(&rows)? {
            let wanted = inside(&scan.ranges, &line)
                && filter.amounts.takes(line.amount, line.currency)
                && (filter.kinds.is_empty() || filter.kinds.contains(&line.kind))
                && (filter.statuses.is_empty() || filter.statuses.contains(&line.status));
            if !wanted {
                continue;
            }
            if !line.witness && !line.test {
                let key = (line.kind, line.status.is_posted(), line.currency);
                let total = page.totals.entry(key).or_default();
                total.0 += 1;
                total.1 += i128::from(line.amount);
            }
            if filter.after.is_none_or(|after| (line.at(), line.key) < after) {
                lines.push(line);
            }
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse((line.at(), line.key)));
    let more = lines.len() > filter.limit;
    lines.truncate(filter.limit);
    page.next = if more { lines.last().map(|line| (line.at(), line.key)) } else { None };
    page.lines = lines;
    Ok(page)
}

fn inside(ranges: &[(StoreId, Range)], line: &TransactionLine) -> bool {
    ranges.iter().any(|(store, range)| *store == line.store && range.contains(line.at()))
}

/// Transactions of these stores any of whose ids is exactly `id`, youngest first, at most [`SEARCH_HITS_MAX`].
///
/// # Errors
/// The first file that cannot be read.
pub fn find_transactions(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &[StoreId],
    id: &str,
) -> Result<Vec<TransactionLine>, LakeError> {
    find_any(lake, snapshot, stores, &[id])
}

/// One pass over the id columns for several ids.
fn find_any(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &[StoreId],
    wanted: &[&str],
) -> Result<Vec<TransactionLine>, LakeError> {
    let mut hits = Vec::new();
    for ((stream, _), files) in snapshot.files.iter().rev() {
        if *stream != Stream::Transactions || hits.len() >= SEARCH_HITS_MAX {
            continue;
        }
        for file in files.iter().filter(|file| file.file_set == FileSet::Current) {
            let ids = lake.read(file, Some(&ID_COLUMNS))?;
            let mask = rows_with_id(ids.data(), wanted)?;
            if !mask.contains(&true) {
                continue;
            }
            let rows = super::scan::masked(&lake.read(file, Some(&LINE_COLUMNS))?, &mask)?;
            hits.extend(transaction_lines(&rows)?.into_iter().filter(|line| stores.contains(&line.store)));
        }
    }
    hits.sort_by_key(|line| std::cmp::Reverse((line.at(), line.key)));
    hits.truncate(SEARCH_HITS_MAX);
    Ok(hits)
}

fn rows_with_id(ids: &DataFrame, wanted: &[&str]) -> Result<Vec<bool>, FrameError> {
    let mut mask = vec![false; ids.height()];
    for name in ID_COLUMNS {
        for (hit, value) in mask.iter_mut().zip(ids.column(name)?.str()?.iter()) {
            *hit = *hit || value.is_some_and(|value| wanted.contains(&value));
        }
    }
    Ok(mask)
}

/// One field of a record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<String>),
}

/// One version of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionVersion {
    pub line: TransactionLine,
    pub received_at: Instant,
    pub updated_at: Option<Instant>,
    /// Which way it came in.
    pub feed: String,
    /// Every field that is given, in the order of the record.
    pub fields: Vec<(String, FieldValue)>,
}

/// A transaction with everything known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDetail {
    pub current: TransactionVersion,
    /// Superseded versions, the latest arrival first, each content once.
    pub history: Vec<TransactionVersion>,
    /// Other attempts, refunds and disputes of the same payment or order, oldest first.
    pub related: Vec<TransactionLine>,
}

/// Finds a transaction of these stores by its identity. `day` (its UTC day), where known, spares looking into every
/// partition.
///
/// # Errors
/// The first file that cannot be read.
pub fn transaction_detail(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &[StoreId],
    key: RecordKey,
    day: Option<NaiveDate>,
) -> Result<Option<TransactionDetail>, LakeError> {
    let mut current = None;
    let mut history = Vec::new();
    for ((stream, file_day), files) in snapshot.files.iter().rev() {
        if *stream != Stream::Transactions || day.is_some_and(|day| day != *file_day) {
            continue;
        }
        for file in files {
            let keys = lake.read(file, Some(&["key_high", "key_low"]))?;
            let mask = rows_with_key(keys.data(), key)?;
            if !mask.contains(&true) {
                continue;
            }
            let found = versions(&super::scan::masked(&lake.read(file, None)?, &mask)?)?;
            match file.file_set {
                FileSet::Current => current = found.into_iter().next(),
                FileSet::History => history.extend(found),
            }
        }
        if current.is_some() {
            break;
        }
    }
    let Some(current) = current.filter(|version| stores.contains(&version.line.store)) else {
        return Ok(None);
    };
    history.sort_by_key(|version| std::cmp::Reverse(version.received_at));
    // What was said again another way is kept too; it is no version of its own.
    let mut shown = vec![&current];
    for version in &history {
        if shown.iter().all(|other| other.fields != version.fields) {
            shown.push(version);
        }
    }
    let history = shown.into_iter().skip(1).cloned().collect();
    let related = related(lake, snapshot, stores, &current.line)?;
    Ok(Some(TransactionDetail { current, history, related }))
}

fn rows_with_key(keys: &DataFrame, key: RecordKey) -> Result<Vec<bool>, FrameError> {
    let (high, low) = (keys.column("key_high")?.u64()?, keys.column("key_low")?.u64()?);
    Ok(high
        .iter()
        .zip(low.iter())
        .map(|(high, low)| high == Some(key.high) && low == Some(key.low))
        .collect())
}

fn related(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &[StoreId],
    line: &TransactionLine,
) -> Result<Vec<TransactionLine>, LakeError> {
    let ids: Vec<&str> =
        [Some(line.transaction_id.as_str()), line.order_id.as_deref(), line.payment_id.as_deref()]
            .into_iter()
            .flatten()
            .collect();
    let hits = find_any(lake, snapshot, stores, &ids)?;
    let mut found: Vec<TransactionLine> =
        hits.into_iter().filter(|hit| hit.key != line.key && hit.store == line.store).collect();
    found.sort_by_key(|hit| (hit.created_at, hit.key));
    Ok(found)
}

pub(super) fn transaction_lines(rows: &Frame) -> Result<Vec<TransactionLine>, FrameError> {
    let data = rows.data();
    let text = |name: &str| -> Result<Vec<Option<&str>>, FrameError> {
        Ok(data.column(name)?.str()?.iter().collect())
    };
    let integer = |name: &str| -> Result<Vec<Option<i64>>, FrameError> {
        Ok(data.column(name)?.i64()?.iter().collect())
    };
    let (high, low) = (data.column("key_high")?.u64()?, data.column("key_low")?.u64()?);
    let (store, amount, fee) = (integer("store")?, integer("amount")?, integer("fee")?);
    let (created, completed) = (integer("created_ms")?, integer("completed_ms")?);
    let (id, kind, status, currency) =
        (text("transaction_id")?, text("kind")?, text("status")?, text("currency")?);
    let (provider, method, scene, operator) =
        (text("provider")?, text("method")?, text("scene")?, text("operator")?);
    let (order, payment, provider_id) =
        (text("order_id")?, text("payment_id")?, text("provider_transaction_id")?);
    let (customer, code, class) = (text("customer")?, text("failure_code")?, text("failure_class")?);
    let (witness, trial) = (data.column("witness")?.bool()?, data.column("test")?.bool()?);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let word = |text: Option<&str>| Word::of(text.unwrap_or_default());
    let mut lines = Vec::with_capacity(data.height());
    for row in 0..data.height() {
        // A row that was judged at the door has all four; one that has not is another program's.
        let (Some(kind), Some(status), Some(currency), Some(created)) = (
            kind[row].and_then(Kind::parse),
            status[row].and_then(Status::parse),
            currency[row].and_then(|code| Currency::parse(code).ok()),
            created[row],
        ) else {
            continue;
        };
        let created_at = instant_from_ms(created);
        lines.push(TransactionLine {
            key: RecordKey { high: high.get(row).unwrap_or(0), low: low.get(row).unwrap_or(0) },
            day: created_at.date_naive(),
            store: StoreId(store[row].unwrap_or(0)),
            transaction_id: id[row].unwrap_or_default().to_owned(),
            created_at,
            completed_at: completed[row].map(instant_from_ms),
            kind,
            status,
            amount: amount[row].unwrap_or(0),
            currency,
            provider: word(provider[row]),
            method: word(method[row]),
            scene: scene[row].and_then(Scene::parse),
            operator: word(operator[row]),
            order_id: owned(order[row]),
            payment_id: owned(payment[row]),
            provider_transaction_id: owned(provider_id[row]),
            customer: owned(customer[row]),
            fee: fee[row],
            failure_code: owned(code[row]),
            failure_class: class[row].and_then(FailureClass::parse),
            witness: witness.get(row).unwrap_or(false),
            test: trial.get(row).unwrap_or(false),
        });
    }
    Ok(lines)
}

/// Columns that are ours, not the sender's.
const INNER_COLUMNS: [&str; 10] = [
    "key_high",
    "key_low",
    "row_hash",
    "version_ms",
    "terminal",
    "arrival",
    "group_hash",
    "grouped",
    "received_ms",
    "feed",
];

fn versions(rows: &Frame) -> Result<Vec<TransactionVersion>, FrameError> {
    let data = rows.data();
    let received = data.column("received_ms")?.i64()?;
    let updated = data.column("version_ms")?.i64()?;
    let feed = data.column("feed")?.str()?;
    transaction_lines(rows)?
        .into_iter()
        .enumerate()
        .map(|(row, line)| {
            Ok(TransactionVersion {
                line,
                received_at: instant_from_ms(received.get(row).unwrap_or(0)),
                updated_at: updated.get(row).map(instant_from_ms),
                feed: feed.get(row).unwrap_or_default().to_owned(),
                fields: fields(data, row)?,
            })
        })
        .collect()
}

fn fields(data: &DataFrame, row: usize) -> Result<Vec<(String, FieldValue)>, FrameError> {
    let mut fields = Vec::new();
    for column in data.columns() {
        let name = column.name().as_str();
        if INNER_COLUMNS.contains(&name) {
            continue;
        }
        let value = match column.get(row)? {
            AnyValue::String(text) => FieldValue::Text(text.to_owned()),
            AnyValue::StringOwned(text) => FieldValue::Text(text.to_string()),
            AnyValue::Int64(number) => FieldValue::Integer(number),
            AnyValue::Boolean(flag) => FieldValue::Flag(flag),
            AnyValue::List(list) if !list.is_empty() => {
                FieldValue::List(list.iter().map(|value| value.str_value().into_owned()).collect())
            }
            _ => continue,
        };
        fields.push((name.to_owned(), value));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_amounts_is_in_major_units() {
        let range = AmountRange { least: "10".parse().ok(), most: "20".parse().ok() };
        let yen = Currency::parse("JPY").unwrap();
        for (minor, currency, inside) in [
            (999, Currency::CNY, false),
            (1_000, Currency::CNY, true),
            (2_000, Currency::CNY, true),
            (2_001, Currency::CNY, false),
            (15, yen, true),
        ] {
            assert_eq!(range.takes(minor, currency), inside, "{minor} {currency}");
        }
        assert!(AmountRange::default().takes(0, yen));
    }
}
