use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use polars::prelude::{
    Column, DataFrame, DataType, ExplodeOptions, Expr, IntoColumn, IntoLazy, NamedFrom, Series, coalesce,
    col, lit,
};

use crate::domain::{FailureClass, Grain, LedgerKind, Status, StoreId, Stream, Word, instant_from_ms};
use crate::lake::{Frame, FrameError};

use super::rollup::{
    AttemptKey, AttemptSums, DayBlock, Feed, ItemKey, ItemSums, LatencyKey, MoneyKey, MoneyKind, MoneySums,
    Slot, bucket_of_ms,
};
use super::snapshot::Freshness;

/// Changes of rollups, by store and UTC day. Sums may be negative.
pub type Changes = BTreeMap<(StoreId, NaiveDate), DayBlock>;

/// How finely each store's cells divide time; a store that is missing has hours.
pub type Grains = HashMap<StoreId, Grain>;

/// Adds the cells of transactions, times `sign` (+1 for rows that came, −1 for rows that went).
///
/// Witnesses and test payments are left out of everything. Attempts and time to pay stand on the clock of creation,
/// money and basket lines on the cash clock. Conversion is not here: it counts groups, not rows.
///
/// # Errors
/// [`FrameError`] when a column is missing.
pub fn add_transactions(
    changes: &mut Changes,
    rows: &Frame,
    sign: i64,
    grains: &Grains,
) -> Result<(), FrameError> {
    let rows = with_places(counted(rows.data())?, grains, &["created_ms", "completed_ms"], sign)?;
    if rows.height() == 0 {
        return Ok(());
    }
    add_money(changes, &rows, Feed::Live, &["amount", "fee_refunded", "tax"])?;
    add_attempts(changes, &rows)?;
    add_latency(changes, &rows, grains)?;
    if sign > 0 {
        add_payers(changes, &rows)?;
    }
    add_items(changes, &rows)
}

/// Adds the cells of ledger lines, times `sign`.
///
/// # Errors
/// [`FrameError`] when a column is missing.
pub fn add_ledger_lines(
    changes: &mut Changes,
    rows: &Frame,
    sign: i64,
    grains: &Grains,
) -> Result<(), FrameError> {
    let rows = with_places(counted(rows.data())?, grains, &["posted_ms", "posted_ms"], sign)?;
    if rows.height() == 0 {
        return Ok(());
    }
    add_money(changes, &rows, Feed::Ledger, &["gross"])
}

/// Rows that count: neither witness nor test.
fn counted(rows: &DataFrame) -> Result<DataFrame, FrameError> {
    Ok(rows.clone().lazy().filter(col("witness").not().and(col("test").not())).collect()?)
}

/// Adds `sign`, `posted`, and the UTC day and slot of both clocks.
fn with_places(
    mut rows: DataFrame,
    grains: &Grains,
    clocks: &[&str; 2],
    sign: i64,
) -> Result<DataFrame, FrameError> {
    let stores: Vec<i64> = rows.column("store")?.i64()?.iter().map(|store| store.unwrap_or(0)).collect();
    let first: Vec<Option<i64>> = rows.column(clocks[0])?.i64()?.iter().collect();
    let second: Vec<Option<i64>> = rows.column(clocks[1])?.i64()?.iter().collect();
    let place = |row: usize, ms: i64| {
        let grain = grains.get(&StoreId(stores[row])).copied().unwrap_or(Grain::Hour);
        let (day, slot) = Slot::of(instant_from_ms(ms), grain);
        (chrono::Datelike::num_days_from_ce(&day), i32::from(slot.0))
    };
    let created: Vec<(i32, i32)> =
        first.iter().enumerate().map(|(row, ms)| place(row, ms.unwrap_or(0))).collect();
    let cash: Vec<(i32, i32)> =
        second.iter().enumerate().map(|(row, ms)| place(row, ms.or(first[row]).unwrap_or(0))).collect();
    let posted: Vec<bool> = rows
        .column("status")?
        .str()?
        .iter()
        .map(|status| status.and_then(Status::parse).is_some_and(Status::is_posted))
        .collect();
    let height = rows.height();
    for column in [
        Series::new("sign".into(), vec![sign; height]),
        Series::new("posted".into(), posted),
        Series::new("day".into(), created.iter().map(|place| place.0).collect::<Vec<_>>()),
        Series::new("slot".into(), created.iter().map(|place| place.1).collect::<Vec<_>>()),
        Series::new("cash_day".into(), cash.iter().map(|place| place.0).collect::<Vec<_>>()),
        Series::new("cash_slot".into(), cash.iter().map(|place| place.1).collect::<Vec<_>>()),
    ] {
        rows.with_column(column.into_column())?;
    }
    Ok(rows)
}

/// The signed sum of an amount in 128 bits: Polars' sums of 64 bits wrap without a word.
fn signed_sum(amount: Expr) -> Expr {
    (amount.cast(DataType::Int128) * col("sign").cast(DataType::Int128)).sum()
}

/// The signed count of rows for which `condition` holds.
fn signed_count(condition: Expr) -> Expr {
    (condition.cast(DataType::Int64) * col("sign")).sum()
}

/// A text column without nulls: "not given" is the empty word.
fn text(name: &str) -> Expr {
    col(name).fill_null(lit(""))
}

fn add_money(
    changes: &mut Changes,
    rows: &DataFrame,
    feed: Feed,
    columns: &[&str],
) -> Result<(), FrameError> {
    let frame = money_frame(rows, feed, columns)?;
    let cells = Cells::new(&frame, "cash_day", "cash_slot")?;
    let kinds = cells.words("kind")?;
    let [account, provider, method, scene] = cells.all_words(["account", "provider", "method", "scene"])?;
    let [operator, promotion, currency] = cells.all_words(["operator", "promotion", "currency"])?;
    let [count, fee_known_count] = cells.all_counts(["count", "fee_known_count"])?;
    let [amount, list, tax] = cells.all_sums(["sum_amount", "sum_list", "sum_tax"])?;
    let [of_merchant, of_platform] = cells.all_sums(["sum_discount_merchant", "sum_discount_platform"])?;
    let [fee, known, refunded] = cells.all_sums(["sum_fee", "sum_fee_known_amount", "sum_fee_refunded"])?;
    for row in 0..frame.height() {
        let Some(kind) = money_kind(kinds[row].as_str(), feed) else { continue };
        let key = MoneyKey {
            slot: cells.slot(row),
            feed,
            kind,
            account: account[row],
            provider: provider[row],
            method: method[row],
            scene: scene[row],
            operator: operator[row],
            promotion: promotion[row],
            currency: currency[row],
        };
        let sums = MoneySums {
            count: count[row],
            amount: amount[row],
            list: list[row],
            discount_merchant: of_merchant[row],
            discount_platform: of_platform[row],
            tax: tax[row],
            fee: fee[row],
            fee_known_count: fee_known_count[row],
            fee_known_amount: known[row],
            fee_refunded: refunded[row],
        };
        *cells.block(changes, row).money.entry(key).or_default() += sums;
    }
    Ok(())
}

/// Money by cell; the first of `columns` is the amount, the others are those optional sums the stream has.
fn money_frame(rows: &DataFrame, feed: Feed, columns: &[&str]) -> Result<DataFrame, FrameError> {
    let amount = col(columns[0]);
    // A line against its kind's natural direction (a payment taken back) counts negative.
    let towards = if feed == Feed::Ledger {
        let natural = col("kind")
            .eq(lit("refund"))
            .or(col("kind").eq(lit("fee")))
            .or(col("kind").eq(lit("payout")))
            .or(col("kind").eq(lit("dispute")));
        polars::prelude::when(natural.eq(col("direction").eq(lit("out"))))
            .then(lit(1_i64))
            .otherwise(lit(-1_i64))
    } else {
        lit(1_i64)
    };
    let optional = |name: &str| if columns.contains(&name) { col(name) } else { lit(0_i64) };
    let list = coalesce(&[
        col("list_amount"),
        amount.clone()
            + col("discount_merchant").fill_null(lit(0_i64))
            + col("discount_platform").fill_null(lit(0_i64)),
    ]);
    Ok(rows
        .clone()
        .lazy()
        .filter(col("posted"))
        .group_by([
            col("store"),
            col("cash_day"),
            col("cash_slot"),
            col("kind"),
            col("account"),
            text("provider"),
            text("method"),
            text("scene"),
            text("operator"),
            if feed == Feed::Live { text("promotion") } else { lit("").alias("promotion") },
            col("currency"),
        ])
        .agg([
            col("sign").sum().alias("count"),
            signed_sum(amount.clone() * towards.clone()).alias("sum_amount"),
            signed_sum(list * towards.clone()).alias("sum_list"),
            signed_sum(col("discount_merchant") * towards.clone()).alias("sum_discount_merchant"),
            signed_sum(col("discount_platform") * towards.clone()).alias("sum_discount_platform"),
            signed_sum(optional("tax")).alias("sum_tax"),
            signed_sum(col("fee")).alias("sum_fee"),
            signed_count(col("fee").is_not_null()).alias("fee_known_count"),
            signed_sum(
                polars::prelude::when(col("fee").is_not_null()).then(amount * towards).otherwise(lit(0_i64)),
            )
            .alias("sum_fee_known_amount"),
            signed_sum(optional("fee_refunded")).alias("sum_fee_refunded"),
        ])
        .collect()?)
}

fn money_kind(kind: &str, feed: Feed) -> Option<MoneyKind> {
    Some(match (feed, kind) {
        (_, "payment") => MoneyKind::Payment,
        (_, "refund") => MoneyKind::Refund,
        (_, "dispute") => MoneyKind::Dispute,
        (Feed::Live, "hold") => MoneyKind::Hold,
        (Feed::Live, "top_up") => MoneyKind::TopUp,
        (Feed::Ledger, kind) => match LedgerKind::parse(kind)? {
            LedgerKind::Fee => MoneyKind::Fee,
            LedgerKind::Payout => MoneyKind::Payout,
            LedgerKind::Transfer => MoneyKind::Transfer,
            LedgerKind::Adjustment => MoneyKind::Adjustment,
            LedgerKind::Payment | LedgerKind::Refund | LedgerKind::Dispute => return None,
        },
        _ => return None,
    })
}

fn add_attempts(changes: &mut Changes, rows: &DataFrame) -> Result<(), FrameError> {
    let when_failed = |name: &str| {
        polars::prelude::when(col("status").eq(lit("failed"))).then(text(name)).otherwise(lit("")).alias(name)
    };
    let frame = rows
        .clone()
        .lazy()
        .filter(col("kind").eq(lit("payment")))
        .group_by([
            col("store"),
            col("day"),
            col("slot"),
            text("provider"),
            text("method"),
            text("scene"),
            text("promotion"),
            col("currency"),
            col("status"),
            when_failed("failure_code"),
            when_failed("failure_class"),
        ])
        .agg([col("sign").sum().alias("count"), signed_sum(col("amount")).alias("sum_amount")])
        .collect()?;
    let cells = Cells::new(&frame, "day", "slot")?;
    let [provider, method, scene] = cells.all_words(["provider", "method", "scene"])?;
    let [promotion, currency, statuses] = cells.all_words(["promotion", "currency", "status"])?;
    let [failure_code, failure_class] = cells.all_words(["failure_code", "failure_class"])?;
    let [count] = cells.all_counts(["count"])?;
    let [amount] = cells.all_sums(["sum_amount"])?;
    for row in 0..frame.height() {
        let Some(status) = Status::parse(statuses[row].as_str()) else { continue };
        let key = AttemptKey {
            slot: cells.slot(row),
            provider: provider[row],
            method: method[row],
            scene: scene[row],
            promotion: promotion[row],
            currency: currency[row],
            status,
            failure_code: failure_code[row],
            failure_class: FailureClass::parse(failure_class[row].as_str()),
        };
        let sums = AttemptSums { count: count[row], amount: amount[row] };
        *cells.block(changes, row).attempts.entry(key).or_default() += sums;
    }
    Ok(())
}

/// Time to pay, `submitted` (else created) to completed, of paid payments only.
fn add_latency(changes: &mut Changes, rows: &DataFrame, grains: &Grains) -> Result<(), FrameError> {
    let stores = rows.column("store")?.i64()?;
    let kind = rows.column("kind")?.str()?;
    let posted = rows.column("posted")?.bool()?;
    let created = rows.column("created_ms")?.i64()?;
    let submitted = rows.column("submitted_ms")?.i64()?;
    let completed = rows.column("completed_ms")?.i64()?;
    let provider = rows.column("provider")?.str()?;
    let method = rows.column("method")?.str()?;
    let sign = rows.column("sign")?.i64()?;
    for row in 0..rows.height() {
        let (Some(created), Some(completed)) = (created.get(row), completed.get(row)) else { continue };
        if kind.get(row) != Some("payment") || posted.get(row) != Some(true) {
            continue;
        }
        let store = StoreId(stores.get(row).unwrap_or(0));
        let grain = grains.get(&store).copied().unwrap_or(Grain::Hour);
        let (day, slot) = Slot::of(instant_from_ms(created), grain);
        let key = LatencyKey {
            slot,
            provider: Word::of(provider.get(row).unwrap_or_default()),
            method: Word::of(method.get(row).unwrap_or_default()),
            bucket: bucket_of_ms(completed - submitted.get(row).unwrap_or(created)),
        };
        *changes.entry((store, day)).or_default().latency.entry(key).or_default() +=
            sign.get(row).unwrap_or(0);
    }
    Ok(())
}

/// Who paid, by the cash clock.
fn add_payers(changes: &mut Changes, rows: &DataFrame) -> Result<(), FrameError> {
    let Ok(customer) = rows.column("customer") else { return Ok(()) };
    let (customer, kind, posted) =
        (customer.str()?, rows.column("kind")?.str()?, rows.column("posted")?.bool()?);
    let cells = Cells::new(rows, "cash_day", "cash_slot")?;
    for row in 0..rows.height() {
        let paid = posted.get(row) == Some(true) && kind.get(row) == Some("payment");
        let Some(name) = customer.get(row).filter(|_| paid) else { continue };
        let mut hash = [0; 8];
        hash.iter_mut().zip(blake3::hash(name.as_bytes()).as_bytes()).for_each(|(byte, of)| *byte = *of);
        let payer = (cells.slot(row), u64::from_le_bytes(hash));
        cells.block(changes, row).payers.0.push(payer);
    }
    Ok(())
}

/// One row per basket line of posted payments and refunds.
fn basket_lines(rows: &DataFrame) -> Result<DataFrame, FrameError> {
    let lines = ["item_sku", "item_name", "item_category", "item_quantity_micro", "item_line_amount"];
    Ok(rows
        .clone()
        .lazy()
        .filter(col("posted").and(col("kind").eq(lit("payment")).or(col("kind").eq(lit("refund")))))
        .select(
            ["store", "cash_day", "cash_slot", "kind", "currency", "sign"]
                .into_iter()
                .chain(["provider", "method", "scene", "promotion"])
                .chain(lines)
                .map(col)
                .collect::<Vec<_>>(),
        )
        .filter(col("item_sku").list().len().gt(lit(0_u32)))
        .explode(
            polars::prelude::by_name(lines, true, false),
            ExplodeOptions { empty_as_null: false, keep_nulls: true },
        )
        .collect()?)
}

fn add_items(changes: &mut Changes, rows: &DataFrame) -> Result<(), FrameError> {
    let refund = || col("kind").eq(lit("refund"));
    let of = |condition: Expr, amount: &str| {
        signed_sum(polars::prelude::when(condition).then(col(amount)).otherwise(lit(0_i64)))
    };
    let frame = basket_lines(rows)?
        .lazy()
        .group_by([
            col("store"),
            col("cash_day"),
            col("cash_slot"),
            text("provider"),
            text("method"),
            text("scene"),
            text("promotion"),
            text("item_category"),
            text("item_sku"),
            text("item_name"),
            col("currency"),
        ])
        .agg([
            signed_count(refund().not()).alias("lines"),
            of(refund().not(), "item_quantity_micro").alias("quantity"),
            of(refund().not(), "item_line_amount").alias("sum_amount"),
            signed_count(refund()).alias("refund_lines"),
            of(refund(), "item_quantity_micro").alias("refund_quantity"),
            of(refund(), "item_line_amount").alias("refund_amount"),
        ])
        .collect()?;
    let cells = Cells::new(&frame, "cash_day", "cash_slot")?;
    let [provider, method, scene] = cells.all_words(["provider", "method", "scene"])?;
    let [promotion, currency, category] = cells.all_words(["promotion", "currency", "item_category"])?;
    let [sku, name] = cells.all_words(["item_sku", "item_name"])?;
    let [lines, refund_lines] = cells.all_counts(["lines", "refund_lines"])?;
    let [quantity, amount] = cells.all_sums(["quantity", "sum_amount"])?;
    let [refund_quantity, refund_amount] = cells.all_sums(["refund_quantity", "refund_amount"])?;
    for row in 0..frame.height() {
        let key = ItemKey {
            slot: cells.slot(row),
            provider: provider[row],
            method: method[row],
            scene: scene[row],
            promotion: promotion[row],
            category: category[row],
            sku: sku[row],
            name: name[row],
            currency: currency[row],
        };
        let sums = ItemSums {
            lines: lines[row],
            quantity_micro: quantity[row],
            amount: amount[row],
            refund_lines: refund_lines[row],
            refund_quantity_micro: refund_quantity[row],
            refund_amount: refund_amount[row],
        };
        *cells.block(changes, row).items.entry(key).or_default() += sums;
    }
    Ok(())
}

/// Reads the rows of an aggregated frame as cells.
struct Cells<'a> {
    frame: &'a DataFrame,
    places: Vec<(StoreId, NaiveDate, Slot)>,
}

impl<'a> Cells<'a> {
    fn new(frame: &'a DataFrame, day: &str, slot: &str) -> Result<Self, FrameError> {
        let stores = frame.column("store")?.i64()?;
        let days = frame.column(day)?.i32()?;
        let slots = frame.column(slot)?.i32()?;
        let places = (0..frame.height())
            .map(|row| {
                let day =
                    NaiveDate::from_num_days_from_ce_opt(days.get(row).unwrap_or(0)).unwrap_or_default();
                let slot = Slot(u8::try_from(slots.get(row).unwrap_or(0)).unwrap_or(0));
                (StoreId(stores.get(row).unwrap_or(0)), day, slot)
            })
            .collect();
        Ok(Self { frame, places })
    }

    fn column(&self, name: &str) -> Result<&'a Column, FrameError> {
        Ok(self.frame.column(name)?)
    }

    fn slot(&self, row: usize) -> Slot {
        self.places[row].2
    }

    fn block<'c>(&self, changes: &'c mut Changes, row: usize) -> &'c mut DayBlock {
        let (store, day, _) = self.places[row];
        changes.entry((store, day)).or_default()
    }

    fn words(&self, name: &str) -> Result<Vec<Word>, FrameError> {
        let texts = self.column(name)?.str()?;
        Ok(texts.iter().map(|text| Word::of(text.unwrap_or_default())).collect())
    }

    /// The words of several columns, row by row. Columns are looked up once, not at every row.
    fn all_words<const N: usize>(&self, names: [&str; N]) -> Result<[Vec<Word>; N], FrameError> {
        all(names, |name| self.words(name))
    }

    fn all_counts<const N: usize>(&self, names: [&str; N]) -> Result<[Vec<i64>; N], FrameError> {
        all(names, |name| Ok(self.column(name)?.i64()?.iter().map(|count| count.unwrap_or(0)).collect()))
    }

    fn all_sums<const N: usize>(&self, names: [&str; N]) -> Result<[Vec<i128>; N], FrameError> {
        all(names, |name| Ok(self.column(name)?.i128()?.iter().map(|sum| sum.unwrap_or(0)).collect()))
    }
}

fn all<T: Default, const N: usize>(
    names: [&str; N],
    read: impl Fn(&str) -> Result<T, FrameError>,
) -> Result<[T; N], FrameError> {
    let mut columns = std::array::from_fn(|_| T::default());
    for (column, name) in columns.iter_mut().zip(names) {
        *column = read(name)?;
    }
    Ok(columns)
}

/// Raises the youngest event and arrival per store and provider by these rows, counted or not.
///
/// # Errors
/// [`FrameError`] when a column is missing.
pub fn raise_freshness(
    freshness: &mut BTreeMap<(StoreId, Stream, Word), Freshness>,
    stream: Stream,
    rows: &Frame,
) -> Result<(), FrameError> {
    let data = rows.data();
    let (first, last) = match stream {
        Stream::Transactions => ("created_ms", "completed_ms"),
        Stream::LedgerLines => ("posted_ms", "posted_ms"),
        Stream::CheckoutEvents => ("time_ms", "time_ms"),
    };
    let store = data.column("store")?.i64()?;
    let began = data.column(first)?.i64()?;
    let ended = data.column(last)?.i64()?;
    let received = data.column("received_ms")?.i64()?;
    let provider =
        if stream == Stream::CheckoutEvents { None } else { Some(data.column("provider")?.str()?) };
    for row in 0..data.height() {
        let event_ms = began.get(row).unwrap_or(0).max(ended.get(row).unwrap_or(i64::MIN));
        let fresh = Freshness {
            last_event: instant_from_ms(event_ms),
            last_received: instant_from_ms(received.get(row).unwrap_or(0)),
        };
        let name = Word::of(provider.and_then(|provider| provider.get(row)).unwrap_or_default());
        let known = freshness.entry((StoreId(store.get(row).unwrap_or(0)), stream, name)).or_insert(fresh);
        known.last_event = known.last_event.max(fresh.last_event);
        known.last_received = known.last_received.max(fresh.last_received);
    }
    Ok(())
}
