use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::{
    CheckoutEvent, Instant, Item, LedgerLine, MethodDetail, RecordKey, StoreId, Stored, Stream, Text,
    Transaction, Word,
};

use super::columns::Columns;

/// Millionths: quantities in sums.
pub const MICRO: i64 = 1_000_000;

fn ms(at: Instant) -> i64 {
    at.timestamp_millis()
}

fn word(word: Option<Word>) -> Option<&'static str> {
    word.map(Word::as_str)
}

/// What groups the attempts of one payment: a hash of store, account and `payment_id`, else `order_id`, else the
/// attempt itself.
pub fn group_hash<T: Text>(transaction: &Transaction<T>, key: RecordKey) -> u64 {
    let Some(group) = transaction.payment_id.as_deref().or(transaction.order_id.as_deref()) else {
        return key.high;
    };
    crate::domain::row_hash(&(transaction.store.0, &*transaction.account, group))
}

/// A quantity in millionths, rounded; saturates at the ends of `i64`, far beyond any basket.
fn micro(quantity: Decimal) -> i64 {
    if quantity == Decimal::ONE {
        return MICRO;
    }
    let scaled = quantity.saturating_mul(Decimal::from(MICRO)).round();
    scaled.to_i64().unwrap_or(if quantity.is_sign_negative() { i64::MIN } else { i64::MAX })
}

/// The columns that every stream begins with: identity, version, arrival.
fn head<R>(columns: &mut Columns, rows: &[Stored<R>], version: impl Fn(&R) -> (Option<Instant>, bool)) {
    columns.hash("key_high", rows.iter().map(|row| row.key.high));
    columns.hash("key_low", rows.iter().map(|row| row.key.low));
    columns.hash("row_hash", rows.iter().map(|row| row.row_hash));
    columns.integer("version_ms", rows.iter().map(|row| version(&row.record).0.map(ms)));
    columns.flag("terminal", rows.iter().map(|row| Some(version(&row.record).1)));
    columns.flag("witness", rows.iter().map(|row| Some(row.witness)));
    columns.text("feed", rows.iter().map(|row| Some(row.feed.as_str())));
    columns.integer("received_ms", rows.iter().map(|row| Some(ms(row.received_at))));
}

fn method_detail<'a, R: 'a, T: Text + 'a>(
    columns: &mut Columns,
    rows: &'a [Stored<R>],
    of: impl Fn(&'a R) -> &'a MethodDetail<T>,
) {
    columns.text("bank", rows.iter().map(|row| of(&row.record).bank.as_deref()));
    columns.text("card_brand", rows.iter().map(|row| of(&row.record).card_brand.as_deref()));
    columns.text("funding", rows.iter().map(|row| of(&row.record).funding.as_deref()));
    columns.text("wallet", rows.iter().map(|row| of(&row.record).wallet.as_deref()));
}

fn attributes<'a, R: 'a, T: Text + 'a>(
    columns: &mut Columns,
    rows: &'a [Stored<R>],
    of: impl Fn(&'a R) -> &'a [(T, T)],
) {
    columns.texts("attribute_key", rows.iter().map(|row| of(&row.record).iter().map(|pair| &*pair.0)));
    columns.texts("attribute_value", rows.iter().map(|row| of(&row.record).iter().map(|pair| &*pair.1)));
}

fn items<'a, R: 'a, T: Text + 'a>(
    columns: &mut Columns,
    rows: &'a [Stored<R>],
    of: impl Fn(&'a R) -> &'a [Item<T>],
) {
    let list = |row: &'a Stored<R>| of(&row.record).iter();
    columns.texts(
        "item_sku",
        rows.iter().map(|row| list(row).map(|item| item.sku.as_deref().unwrap_or_default())),
    );
    columns.texts(
        "item_name",
        rows.iter().map(|row| list(row).map(|item| item.name.as_deref().unwrap_or_default())),
    );
    columns.texts(
        "item_category",
        rows.iter().map(|row| list(row).map(|item| item.category.as_deref().unwrap_or_default())),
    );
    columns.integers(
        "item_quantity_micro",
        rows.iter().map(|row| list(row).map(|item| Some(micro(item.quantity)))),
    );
    // The exact decimals as they were sent; the millionths are for sums.
    columns.decimals("item_quantity", rows.iter().map(|row| list(row).map(|item| Some(item.quantity))));
    columns.decimals("item_unit_amount", rows.iter().map(|row| list(row).map(|item| item.unit_amount)));
    columns.integers("item_discount", rows.iter().map(|row| list(row).map(|item| item.discount)));
    columns.integers("item_line_amount", rows.iter().map(|row| list(row).map(|item| Some(item.line_amount))));
}

/// Transactions as columns. `day` and `slot` columns are not here: they depend on the store's settings at fold time.
fn transactions<T: Text>(columns: &mut Columns, rows: &[Stored<Transaction<T>>]) {
    head(columns, rows, |row| (row.updated_at, row.status.is_terminal()));
    let each = || rows.iter().map(|row| &row.record);
    columns.hash("group_hash", rows.iter().map(|row| group_hash(&row.record, row.key)));
    columns.flag("grouped", each().map(|row| Some(row.payment_id.is_some() || row.order_id.is_some())));
    columns.integer("store", each().map(|row| Some(row.store.0)));
    columns.text("account", each().map(|row| Some(&*row.account)));
    columns.text("transaction_id", each().map(|row| Some(&*row.transaction_id)));
    columns.integer("created_ms", each().map(|row| Some(ms(row.created_at))));
    columns.text("kind", each().map(|row| Some(row.kind.as_str())));
    columns.text("status", each().map(|row| Some(row.status.as_str())));
    columns.integer("amount", each().map(|row| Some(row.amount.minor())));
    columns.text("currency", each().map(|row| Some(row.amount.currency().code())));
    columns.text("provider", each().map(|row| word(row.provider)));
    columns.text("method", each().map(|row| word(row.method)));
    columns.text("aggregator", each().map(|row| word(row.aggregator)));
    method_detail(columns, rows, |row| &row.method_detail);
    columns.text("scene", each().map(|row| row.scene.map(crate::domain::Scene::as_str)));
    columns.text("device", each().map(|row| row.device.as_deref()));
    columns.text("operator", each().map(|row| row.operator.as_deref()));
    columns.text("terminal_id", each().map(|row| row.terminal.as_deref()));
    columns.text("shift", each().map(|row| row.shift.as_deref()));
    columns.text("source", each().map(|row| row.source.as_deref()));
    columns.text("campaign", each().map(|row| row.campaign.as_deref()));
    columns.text("promotion", each().map(|row| row.promotion.as_deref()));
    columns.text("order_id", each().map(|row| row.order_id.as_deref()));
    columns.text("payment_id", each().map(|row| row.payment_id.as_deref()));
    columns.integer("attempt", each().map(|row| row.attempt.map(i64::from)));
    columns.text("parent_transaction_id", each().map(|row| row.parent_transaction_id.as_deref()));
    columns.text("provider_transaction_id", each().map(|row| row.provider_transaction_id.as_deref()));
    columns.text("subscription_id", each().map(|row| row.subscription_id.as_deref()));
    columns.integer("submitted_ms", each().map(|row| row.submitted_at.map(ms)));
    columns.integer("authorized_ms", each().map(|row| row.authorized_at.map(ms)));
    columns.integer("completed_ms", each().map(|row| row.completed_at.map(ms)));
    let settled: Vec<Option<String>> = each().map(|row| row.settled_on.map(|day| day.to_string())).collect();
    columns.text("settled_on", settled.iter().map(Option::as_deref));
    columns.text("failure_code", each().map(|row| row.failure_code.as_deref()));
    columns.text("failure_message", each().map(|row| row.failure_message.as_deref()));
    columns
        .text("failure_class", each().map(|row| row.failure_class.map(crate::domain::FailureClass::as_str)));
    columns.integer("list_amount", each().map(|row| row.list_amount));
    columns.integer("discount_merchant", each().map(|row| row.discount_merchant));
    columns.integer("discount_platform", each().map(|row| row.discount_platform));
    columns.integer("tax", each().map(|row| row.tax));
    columns.integer("fee", each().map(|row| row.fee));
    columns.integer("fee_refunded", each().map(|row| row.fee_refunded));
    columns.text("customer", each().map(|row| row.customer.as_deref()));
    columns.text("payment_fingerprint", each().map(|row| row.payment_fingerprint.as_deref()));
    columns.text("ip", each().map(|row| row.ip.as_deref()));
    columns.integer("risk_score", each().map(|row| row.risk.score));
    columns.text("risk_verdict", each().map(|row| row.risk.verdict.as_deref()));
    columns.text("risk_outcome", each().map(|row| row.risk.outcome.as_deref()));
    items(columns, rows, |row| &row.items);
    attributes(columns, rows, |row| &row.attributes);
    columns.flag("test", each().map(|row| Some(row.test)));
}

/// Ledger lines as columns.
fn ledger_lines<T: Text>(columns: &mut Columns, rows: &[Stored<LedgerLine<T>>]) {
    head(columns, rows, |row| (row.updated_at, row.status.is_terminal()));
    let each = || rows.iter().map(|row| &row.record);
    columns.integer("store", each().map(|row| Some(row.store.0)));
    columns.text("account", each().map(|row| Some(&*row.account)));
    columns.text("line_id", each().map(|row| Some(&*row.line_id)));
    columns.integer("posted_ms", each().map(|row| Some(ms(row.posted_at))));
    let days: Vec<Option<String>> = each().map(|row| row.source_day.map(|day| day.to_string())).collect();
    columns.text("source_day", days.iter().map(Option::as_deref));
    columns.text("kind", each().map(|row| Some(row.kind.as_str())));
    columns.text("direction", each().map(|row| Some(row.direction.as_str())));
    columns.text("status", each().map(|row| Some(row.status.as_str())));
    columns.integer("gross", each().map(|row| Some(row.gross)));
    columns.text("currency", each().map(|row| Some(row.currency.code())));
    columns.integer("fee", each().map(|row| row.fee));
    columns.integer("net", each().map(|row| row.net));
    columns.text("fee_rate", each().map(|row| row.fee_rate.as_deref()));
    columns.text("provider", each().map(|row| word(row.provider)));
    columns.text("method", each().map(|row| word(row.method)));
    method_detail(columns, rows, |row| &row.method_detail);
    columns.text("scene", each().map(|row| row.scene.map(crate::domain::Scene::as_str)));
    columns.text("operator", each().map(|row| row.operator.as_deref()));
    columns.text("terminal_id", each().map(|row| row.terminal.as_deref()));
    columns.integer("completed_ms", each().map(|row| row.completed_at.map(ms)));
    columns.integer("list_amount", each().map(|row| row.list_amount));
    columns.integer("discount_merchant", each().map(|row| row.discount_merchant));
    columns.integer("discount_platform", each().map(|row| row.discount_platform));
    columns.text("category", each().map(|row| row.category.as_deref()));
    columns.text("settle_currency", each().map(|row| row.settle_currency.map(crate::domain::Currency::code)));
    columns.integer("settle_amount", each().map(|row| row.settle_amount));
    columns.text("exchange_rate", each().map(|row| row.exchange_rate.as_deref()));
    columns.text("provider_transaction_id", each().map(|row| row.provider_transaction_id.as_deref()));
    columns.text("parent_transaction_id", each().map(|row| row.parent_transaction_id.as_deref()));
    columns.text("order_id", each().map(|row| row.order_id.as_deref()));
    columns.text("payout_id", each().map(|row| row.payout_id.as_deref()));
    columns.text("customer", each().map(|row| row.customer.as_deref()));
    columns.text("description", each().map(|row| row.description.as_deref()));
    columns.text("file", each().map(|row| row.file.as_deref()));
    columns.integer("line_number", each().map(|row| row.line_number));
    attributes(columns, rows, |row| &row.attributes);
    columns.flag("test", each().map(|row| Some(row.test)));
}

/// Checkout events as columns.
fn checkout_events<T: Text>(columns: &mut Columns, rows: &[Stored<CheckoutEvent<T>>]) {
    // An event has no later state: the first one in stays, unless a different row replaces it by arrival.
    head(columns, rows, |_| (None, true));
    let each = || rows.iter().map(|row| &row.record);
    columns.integer("store", each().map(|row| Some(row.store.0)));
    columns.text("event_id", each().map(|row| Some(&*row.event_id)));
    columns.integer("time_ms", each().map(|row| Some(ms(row.time))));
    columns.text("session_id", each().map(|row| Some(&*row.session_id)));
    columns.text("visitor", each().map(|row| row.visitor.as_deref()));
    columns.text("step", each().map(|row| Some(row.step.as_str())));
    columns.text("order_id", each().map(|row| row.order_id.as_deref()));
    columns.text("currency", each().map(|row| row.currency.map(crate::domain::Currency::code)));
    columns.integer("value", each().map(|row| row.value));
    columns.texts("methods_offered", each().map(|row| row.methods_offered.iter().map(|word| word.as_str())));
    columns.text("method", each().map(|row| word(row.method)));
    columns.text("promotion", each().map(|row| row.promotion.as_deref()));
    columns.text("source", each().map(|row| row.source.as_deref()));
    columns.text("campaign", each().map(|row| row.campaign.as_deref()));
    columns.text("device", each().map(|row| row.device.as_deref()));
    columns.integer("dwell_ms", each().map(|row| row.dwell_ms));
    columns.flag("autofilled", each().map(|row| row.autofilled));
    columns.text("field_error", each().map(|row| row.field_error.as_deref()));
    items(columns, rows, |row| &row.items);
    attributes(columns, rows, |row| &row.attributes);
    columns.flag("test", each().map(|row| Some(row.test)));
}

/// A record that can stand in a stream: its identity's parts.
pub trait StreamRecord: serde::Serialize + Sized {
    /// The stream it belongs to.
    const STREAM: Stream;
    /// The store it belongs to.
    fn store(&self) -> StoreId;
    /// The merchant account; `default` where the stream has none.
    fn account(&self) -> &str;
    /// The instant whose UTC day is the partition.
    fn partition_instant(&self) -> Instant;
    /// Its identity.
    fn key(&self) -> RecordKey;
    /// Appends a chunk of rows to the columns of the stream; `BatchBuilder` calls it.
    fn append(columns: &mut Columns, rows: &[Stored<Self>]);
}

impl<T: Text> StreamRecord for Transaction<T> {
    const STREAM: Stream = Stream::Transactions;
    fn store(&self) -> StoreId {
        self.store
    }
    fn account(&self) -> &str {
        &self.account
    }
    fn partition_instant(&self) -> Instant {
        self.created_at
    }
    fn append(columns: &mut Columns, rows: &[Stored<Self>]) {
        transactions(columns, rows);
    }
    fn key(&self) -> RecordKey {
        let day = self.created_at.date_naive();
        RecordKey::of(self.store, &self.account, self.kind.as_str(), &self.transaction_id, day)
    }
}

impl<T: Text> StreamRecord for LedgerLine<T> {
    const STREAM: Stream = Stream::LedgerLines;
    fn store(&self) -> StoreId {
        self.store
    }
    fn account(&self) -> &str {
        &self.account
    }
    fn partition_instant(&self) -> Instant {
        self.posted_at
    }
    fn append(columns: &mut Columns, rows: &[Stored<Self>]) {
        ledger_lines(columns, rows);
    }
    fn key(&self) -> RecordKey {
        // Two providers may use one merchant number: the provider of a bill is known and never changes.
        let account = format!("{}:{}", self.provider.map_or("", Word::as_str), &*self.account);
        RecordKey::of(self.store, &account, self.kind.as_str(), &self.line_id, self.posted_at.date_naive())
    }
}

impl<T: Text> StreamRecord for CheckoutEvent<T> {
    const STREAM: Stream = Stream::CheckoutEvents;
    fn store(&self) -> StoreId {
        self.store
    }
    fn account(&self) -> &'static str {
        "default"
    }
    fn partition_instant(&self) -> Instant {
        self.time
    }
    fn append(columns: &mut Columns, rows: &[Stored<Self>]) {
        checkout_events(columns, rows);
    }
    fn key(&self) -> RecordKey {
        RecordKey::of(self.store, "", "", &self.event_id, self.time.date_naive())
    }
}
