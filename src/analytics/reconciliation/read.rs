//! Rows of the lake as entries of one source day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate, NaiveTime};
use polars::prelude::DataFrame;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::analytics::Snapshot;
use crate::analytics::scan::attribute_values;
use crate::domain::{
    Currency, Kind, LedgerKind, OrganisationId, RATE_PPM_MAX, RecordKey, Status, Store, StoreId, Stream,
    Word, instant_from_ms,
};
use crate::lake::{FileSet, Frame, FrameError, Lake, LakeError, LakeFile};

use super::entry::{BANK, Entry, EntryKind, Standing, rail, source_day};

/// Records on which no money moved are looked at so many days after they began: their payment may be in a later bill.
const UNPAID_DAYS: u64 = 2;
/// A line's own day is believed when it lies this near to the day it was posted on.
const OWN_DAY_APART_MAX: i64 = 1;

const TRANSACTION_COLUMNS: [&str; 20] = [
    "key_high",
    "key_low",
    "witness",
    "test",
    "store",
    "account",
    "kind",
    "status",
    "created_ms",
    "completed_ms",
    "amount",
    "currency",
    "provider",
    "method",
    "transaction_id",
    "order_id",
    "payment_id",
    "provider_transaction_id",
    "terminal_id",
    "fee",
];

const LEDGER_COLUMNS: [&str; 26] = [
    "key_high",
    "key_low",
    "witness",
    "test",
    "store",
    "account",
    "kind",
    "direction",
    "status",
    "posted_ms",
    "source_day",
    "gross",
    "currency",
    "fee",
    "net",
    "fee_rate",
    "provider",
    "method",
    "settle_currency",
    "settle_amount",
    "line_id",
    "provider_transaction_id",
    "order_id",
    "payout_id",
    "terminal_id",
    "description",
];

/// What lists of attributes are read from.
const ATTRIBUTE_COLUMNS: [&str; 2] = ["attribute_key", "attribute_value"];
/// Where bills repeat the shop's own number of a refund.
const MERCHANT_REFUND_ID: &str = "merchant_refund_id";

/// The shop's records and the lines of bills that a source day of these stores is reconciled from.
///
/// # Errors
/// The first file that cannot be read: no partial books.
pub fn read_day(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &[Store],
    day: NaiveDate,
) -> Result<(Vec<Entry>, Vec<Entry>), LakeError> {
    let by_id: BTreeMap<StoreId, &Store> = stores.iter().map(|store| (store.id, store)).collect();
    let ids: BTreeSet<StoreId> = by_id.keys().copied().collect();
    let (mut shop, mut lines) = (Vec::new(), Vec::new());
    for (stream, file) in files_near(snapshot, day) {
        let mut columns: Vec<&str> = match stream {
            Stream::Transactions => TRANSACTION_COLUMNS.to_vec(),
            _ => LEDGER_COLUMNS.to_vec(),
        };
        if stream == Stream::LedgerLines {
            columns.extend(ATTRIBUTE_COLUMNS);
        }
        let rows = lake.read_stores(&file, Some(&columns), &ids)?;
        match stream {
            Stream::Transactions => transactions(&rows, &by_id, day, &mut shop)?,
            _ => ledger_lines(&rows, &by_id, day, &mut lines)?,
        }
    }
    Ok((shop, lines))
}

/// Files that may hold rows of a source day, in any zone.
fn files_near(snapshot: &Snapshot, day: NaiveDate) -> Vec<(Stream, Arc<LakeFile>)> {
    let back = |days: u64| day.checked_sub_days(Days::new(days)).unwrap_or(day);
    let last = day.succ_opt().unwrap_or(day);
    let from_ms = back(1).and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    let mut found = Vec::new();
    for ((stream, filed), files) in &snapshot.files {
        if *stream == Stream::CheckoutEvents || *filed > last {
            continue;
        }
        let is_young = *stream == Stream::Transactions && *filed >= back(UNPAID_DAYS + 1);
        let near = |file: &&Arc<LakeFile>| {
            file.file_set == FileSet::Current && (is_young || file.last_event_ms >= from_ms)
        };
        found.extend(files.iter().filter(near).map(|file| (*stream, Arc::clone(file))));
    }
    found
}

/// The source days that rows belong to, by organisation, each with a sum over the hashes of its rows: where it is another,
/// the day must be reconciled again.
pub type SourceDays = BTreeMap<(OrganisationId, NaiveDate), u64>;

/// The source days of the rows of these files.
///
/// # Errors
/// The first file that cannot be read.
pub fn source_days(
    lake: &Lake,
    stream: Stream,
    files: &[Arc<LakeFile>],
    stores: &BTreeMap<StoreId, Store>,
) -> Result<SourceDays, LakeError> {
    let mut days = SourceDays::new();
    let ids: BTreeSet<StoreId> = stores.keys().copied().collect();
    let columns: &[&str] = match stream {
        Stream::Transactions => {
            &["key_low", "row_hash", "store", "provider", "method", "status", "created_ms", "completed_ms"]
        }
        _ => &["key_low", "row_hash", "store", "provider", "method", "status", "posted_ms", "source_day"],
    };
    for file in files.iter().filter(|file| file.file_set == FileSet::Current) {
        let rows = lake.read_stores(file, Some(columns), &ids)?;
        days_of(&rows, stream, stores, &mut days)?;
    }
    Ok(days)
}

fn days_of(
    rows: &Frame,
    stream: Stream,
    stores: &BTreeMap<StoreId, Store>,
    days: &mut SourceDays,
) -> Result<(), FrameError> {
    let columns = Columns::of(rows.data());
    let store_column = columns.integers("store")?;
    let (providers, methods, statuses) =
        (columns.texts("provider")?, columns.texts("method")?, columns.texts("status")?);
    let hashes = columns.hashes()?;
    let is_ledger = stream == Stream::LedgerLines;
    let at = columns.integers(if is_ledger { "posted_ms" } else { "created_ms" })?;
    let completed = if is_ledger { Vec::new() } else { columns.integers("completed_ms")? };
    let own_days = if is_ledger { columns.texts("source_day")? } else { Vec::new() };
    for row in 0..rows.rows() {
        let Some(store) = store_column[row].and_then(|id| stores.get(&StoreId(id))) else { continue };
        let Some(at) = at[row] else { continue };
        let posted = statuses[row].and_then(Status::parse).is_some_and(Status::is_posted);
        let moved = completed.get(row).copied().flatten().filter(|_| posted).unwrap_or(at);
        let rail = rail(providers[row].unwrap_or_default(), methods[row].unwrap_or_default());
        let by_clock = source_day(rail, instant_from_ms(moved), store);
        let first = own_days.get(row).copied().flatten().map_or(by_clock, |own| own_day(own, by_clock));
        let last = if posted || is_ledger { 0 } else { UNPAID_DAYS };
        for later in 0..=last {
            let Some(day) = first.checked_add_days(Days::new(later)) else { continue };
            let sum = days.entry((store.organisation, day)).or_default();
            // A sum, so that the order of rows and files decides nothing.
            *sum = sum.wrapping_add(hashes[row]);
        }
    }
    Ok(())
}

/// The day that a line says is its own, unless that is far from when it was posted.
fn own_day(own: &str, by_clock: NaiveDate) -> NaiveDate {
    let near = |own: &NaiveDate| (*own - by_clock).num_days().abs() <= OWN_DAY_APART_MAX;
    own.parse().ok().filter(near).unwrap_or(by_clock)
}

/// Columns by name.
struct Columns<'a>(&'a DataFrame);

impl<'a> Columns<'a> {
    const fn of(data: &'a DataFrame) -> Self {
        Self(data)
    }

    fn texts(&self, name: &str) -> Result<Vec<Option<&'a str>>, FrameError> {
        Ok(self.0.column(name)?.str()?.iter().collect())
    }

    fn integers(&self, name: &str) -> Result<Vec<Option<i64>>, FrameError> {
        Ok(self.0.column(name)?.i64()?.iter().collect())
    }

    fn flags(&self, name: &str) -> Result<Vec<bool>, FrameError> {
        Ok(self.0.column(name)?.bool()?.iter().map(|flag| flag.unwrap_or(false)).collect())
    }

    /// One for each row: of what it says, and of which record.
    fn hashes(&self) -> Result<Vec<u64>, FrameError> {
        let (keys, rows) = (self.0.column("key_low")?.u64()?, self.0.column("row_hash")?.u64()?);
        let both =
            |(key, row): (Option<u64>, Option<u64>)| key.unwrap_or(0).rotate_left(1) ^ row.unwrap_or(0);
        Ok(keys.iter().zip(rows.iter()).map(both).collect())
    }

    fn keys(&self) -> Result<Vec<RecordKey>, FrameError> {
        let (high, low) = (self.0.column("key_high")?.u64()?, self.0.column("key_low")?.u64()?);
        let key = |(high, low): (Option<u64>, Option<u64>)| RecordKey {
            high: high.unwrap_or(0),
            low: low.unwrap_or(0),
        };
        Ok(high.iter().zip(low.iter()).map(key).collect())
    }
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn standing_of(status: Status) -> Standing {
    if status.is_posted() {
        Standing::Posted
    } else if status.is_terminal() {
        Standing::Dead
    } else {
        Standing::UnderWay
    }
}

/// What a transaction moves; `None` for deposits that were not taken.
fn transaction_kind(kind: Kind, status: Status) -> Option<(EntryKind, bool)> {
    match kind {
        Kind::Payment | Kind::TopUp => Some((EntryKind::Sale, true)),
        Kind::Hold if status == Status::Captured => Some((EntryKind::Sale, true)),
        Kind::Hold => None,
        Kind::Refund => Some((EntryKind::Refund, false)),
        Kind::Dispute => Some((EntryKind::Dispute, false)),
    }
}

fn transactions(
    rows: &Frame,
    stores: &BTreeMap<StoreId, &Store>,
    day: NaiveDate,
    entries: &mut Vec<Entry>,
) -> Result<(), FrameError> {
    let columns = TransactionColumns::of(&Columns::of(rows.data()))?;
    entries.extend((0..rows.rows()).filter_map(|row| columns.entry(row, stores, day)));
    Ok(())
}

struct TransactionColumns<'a> {
    keys: Vec<RecordKey>,
    store: Vec<Option<i64>>,
    witness: Vec<bool>,
    trial: Vec<bool>,
    created: Vec<Option<i64>>,
    completed: Vec<Option<i64>>,
    amount: Vec<Option<i64>>,
    fee: Vec<Option<i64>>,
    kind: Vec<Option<&'a str>>,
    status: Vec<Option<&'a str>>,
    currency: Vec<Option<&'a str>>,
    account: Vec<Option<&'a str>>,
    provider: Vec<Option<&'a str>>,
    method: Vec<Option<&'a str>>,
    id: Vec<Option<&'a str>>,
    provider_id: Vec<Option<&'a str>>,
    order: Vec<Option<&'a str>>,
    payment: Vec<Option<&'a str>>,
    terminal: Vec<Option<&'a str>>,
}

impl<'a> TransactionColumns<'a> {
    fn of(columns: &Columns<'a>) -> Result<Self, FrameError> {
        Ok(Self {
            keys: columns.keys()?,
            store: columns.integers("store")?,
            witness: columns.flags("witness")?,
            trial: columns.flags("test")?,
            created: columns.integers("created_ms")?,
            completed: columns.integers("completed_ms")?,
            amount: columns.integers("amount")?,
            fee: columns.integers("fee")?,
            kind: columns.texts("kind")?,
            status: columns.texts("status")?,
            currency: columns.texts("currency")?,
            account: columns.texts("account")?,
            provider: columns.texts("provider")?,
            method: columns.texts("method")?,
            id: columns.texts("transaction_id")?,
            provider_id: columns.texts("provider_transaction_id")?,
            order: columns.texts("order_id")?,
            payment: columns.texts("payment_id")?,
            terminal: columns.texts("terminal_id")?,
        })
    }

    /// The record in this row, when it is one that the day is reconciled from. A row that was judged at the door has
    /// kind, status, currency and time; one that has not is another program's.
    fn entry(&self, row: usize, stores: &BTreeMap<StoreId, &Store>, day: NaiveDate) -> Option<Entry> {
        let store = self.store[row].and_then(|id| stores.get(&StoreId(id)))?;
        let created_ms = self.created[row].filter(|_| !self.trial[row])?;
        let status = self.status[row].and_then(Status::parse)?;
        let standing = standing_of(status);
        let posted = standing == Standing::Posted;
        let at_ms = self.completed[row].filter(|_| posted).unwrap_or(created_ms);
        let method = self.method[row].unwrap_or_default();
        let rail = rail(self.provider[row].unwrap_or_default(), method);
        let own = source_day(rail, instant_from_ms(at_ms), store);
        let age = u64::try_from((day - own).num_days()).ok()?;
        if age > if posted { 0 } else { UNPAID_DAYS } {
            return None;
        }
        let (kind, inward) = transaction_kind(self.kind[row].and_then(Kind::parse)?, status)?;
        Some(Entry {
            key: self.keys[row],
            store: store.id,
            rail,
            account: Word::of(self.account[row].unwrap_or_default()),
            day: own,
            at_ms,
            filed: instant_from_ms(created_ms).date_naive(),
            kind,
            inward,
            standing,
            witness: self.witness[row],
            currency: Currency::parse(self.currency[row]?).ok()?,
            amount: self.amount[row]?,
            settled: None,
            fee: self.fee[row],
            net: None,
            fee_rate_ppm: None,
            method: Word::of(method),
            id: owned(self.id[row]),
            provider_id: owned(self.provider_id[row]),
            order_id: owned(self.order[row]),
            payment_id: owned(self.payment[row]),
            merchant_refund_id: String::new(),
            payout_id: String::new(),
            terminal: owned(self.terminal[row]),
            text: String::new(),
        })
    }
}

/// What a line moves. At the bank everything but its own charges is money of somebody: it may be a payment by transfer.
fn line_kind(kind: LedgerKind, is_bank: bool, inward: bool) -> EntryKind {
    match kind {
        LedgerKind::Payment => EntryKind::Sale,
        LedgerKind::Refund => EntryKind::Refund,
        LedgerKind::Dispute => EntryKind::Dispute,
        LedgerKind::Fee => EntryKind::Fee,
        LedgerKind::Transfer if is_bank && inward => EntryKind::Sale,
        LedgerKind::Transfer if is_bank => EntryKind::Refund,
        LedgerKind::Payout => EntryKind::Payout,
        LedgerKind::Transfer | LedgerKind::Adjustment => EntryKind::Movement,
    }
}

/// `0.60%` as millionths.
fn rate_ppm(text: &str) -> Option<u32> {
    let percent: Decimal = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    let ppm = percent.checked_mul(Decimal::from(10_000))?.to_u32()?;
    (ppm <= RATE_PPM_MAX).then_some(ppm)
}

fn ledger_lines(
    rows: &Frame,
    stores: &BTreeMap<StoreId, &Store>,
    day: NaiveDate,
    entries: &mut Vec<Entry>,
) -> Result<(), FrameError> {
    let columns = LedgerColumns::of(rows)?;
    entries.extend((0..rows.rows()).filter_map(|row| columns.entry(row, stores, day)));
    Ok(())
}

struct LedgerColumns<'a> {
    keys: Vec<RecordKey>,
    store: Vec<Option<i64>>,
    /// Witness or test: never counted.
    left_out: Vec<bool>,
    posted: Vec<Option<i64>>,
    own_day: Vec<Option<&'a str>>,
    gross: Vec<Option<i64>>,
    fee: Vec<Option<i64>>,
    net: Vec<Option<i64>>,
    settle_amount: Vec<Option<i64>>,
    settle_currency: Vec<Option<&'a str>>,
    kind: Vec<Option<&'a str>>,
    direction: Vec<Option<&'a str>>,
    status: Vec<Option<&'a str>>,
    currency: Vec<Option<&'a str>>,
    account: Vec<Option<&'a str>>,
    provider: Vec<Option<&'a str>>,
    method: Vec<Option<&'a str>>,
    id: Vec<Option<&'a str>>,
    provider_id: Vec<Option<&'a str>>,
    order: Vec<Option<&'a str>>,
    payout: Vec<Option<&'a str>>,
    terminal: Vec<Option<&'a str>>,
    text: Vec<Option<&'a str>>,
    rate: Vec<Option<&'a str>>,
    refund_id: Vec<Option<String>>,
}

impl<'a> LedgerColumns<'a> {
    fn of(rows: &'a Frame) -> Result<Self, FrameError> {
        let columns = Columns::of(rows.data());
        let (witness, trial) = (columns.flags("witness")?, columns.flags("test")?);
        Ok(Self {
            keys: columns.keys()?,
            store: columns.integers("store")?,
            left_out: witness.iter().zip(&trial).map(|(witness, trial)| *witness || *trial).collect(),
            posted: columns.integers("posted_ms")?,
            own_day: columns.texts("source_day")?,
            gross: columns.integers("gross")?,
            fee: columns.integers("fee")?,
            net: columns.integers("net")?,
            settle_amount: columns.integers("settle_amount")?,
            settle_currency: columns.texts("settle_currency")?,
            kind: columns.texts("kind")?,
            direction: columns.texts("direction")?,
            status: columns.texts("status")?,
            currency: columns.texts("currency")?,
            account: columns.texts("account")?,
            provider: columns.texts("provider")?,
            method: columns.texts("method")?,
            id: columns.texts("line_id")?,
            provider_id: columns.texts("provider_transaction_id")?,
            order: columns.texts("order_id")?,
            payout: columns.texts("payout_id")?,
            terminal: columns.texts("terminal_id")?,
            text: columns.texts("description")?,
            rate: columns.texts("fee_rate")?,
            refund_id: attribute_values(rows, MERCHANT_REFUND_ID)?,
        })
    }

    fn settled(&self, row: usize, currency: Currency) -> Option<(Currency, i64)> {
        let other = self.settle_currency[row].and_then(|code| Currency::parse(code).ok())?;
        let amount = self.settle_amount[row]?;
        (other != currency).then_some((other, amount.saturating_abs()))
    }

    /// The line in this row, when it is of this day and money moves by it.
    fn entry(&self, row: usize, stores: &BTreeMap<StoreId, &Store>, day: NaiveDate) -> Option<Entry> {
        let store = self.store[row].and_then(|id| stores.get(&StoreId(id)))?;
        let at_ms = self.posted[row].filter(|_| !self.left_out[row])?;
        let method = self.method[row].unwrap_or_default();
        let rail = rail(self.provider[row].unwrap_or_default(), method);
        let by_clock = source_day(rail, instant_from_ms(at_ms), store);
        let own = self.own_day[row].map_or(by_clock, |own| own_day(own, by_clock));
        let standing = standing_of(self.status[row].and_then(Status::parse)?);
        if own != day || standing == Standing::Dead {
            return None;
        }
        let inward = self.direction[row] == Some("in");
        let currency = Currency::parse(self.currency[row]?).ok()?;
        let kind = LedgerKind::parse(self.kind[row]?)?;
        Some(Entry {
            key: self.keys[row],
            store: store.id,
            rail,
            account: Word::of(self.account[row].unwrap_or_default()),
            day: own,
            at_ms,
            filed: instant_from_ms(at_ms).date_naive(),
            kind: line_kind(kind, rail.as_str() == BANK, inward),
            inward,
            standing,
            witness: false,
            currency,
            amount: self.gross[row]?,
            settled: self.settled(row, currency),
            fee: self.fee[row],
            net: self.net[row],
            fee_rate_ppm: self.rate[row].and_then(rate_ppm),
            method: Word::of(method),
            id: owned(self.id[row]),
            provider_id: owned(self.provider_id[row]),
            order_id: owned(self.order[row]),
            payment_id: String::new(),
            merchant_refund_id: self.refund_id[row].clone().unwrap_or_default(),
            payout_id: owned(self.payout[row]),
            terminal: owned(self.terminal[row]),
            text: owned(self.text[row]),
        })
    }
}
