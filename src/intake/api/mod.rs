//! The HTTP API's bodies become records: rows are found (`split`), read (`wire`) and judged (`fields` and one file a
//! record), each row alone. No clock, no database: the same bytes give the same records.

mod checkout_event;
mod fields;
mod inflate;
mod items;
mod ledger_line;
mod row_error;
mod split;
#[cfg(test)]
mod tests;
mod transaction;
mod wire;

pub use inflate::{InflateError, Inflater};
pub use row_error::{Code, RowError};

use fields::{card_number, text};
use row_error::Fault;
use wire::{Object, Text, read_object};

use super::{Pseudonyms, holds_card_number};
use crate::domain::{CheckoutEvent, Instant, LedgerLine, Store, StoreId, Transaction};

/// Bytes of a body, after decompression.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Rows of one batch.
pub const BATCH_ROWS_MAX: usize = 10_000;
/// Bytes of one row.
pub const ROW_BYTES_MAX: usize = 256 << 10;
/// Characters of an id.
pub const ID_CHARS_MAX: usize = 128;
/// Characters of a label: device, operator, sku, category …
pub const LABEL_CHARS_MAX: usize = 128;
/// Characters of an item's name.
pub const NAME_CHARS_MAX: usize = 256;
/// Characters of a free text: failure message, description.
pub const FREE_TEXT_CHARS_MAX: usize = 512;
/// Characters of a slug: provider, method, aggregator.
pub const SLUG_CHARS_MAX: usize = 32;
/// Lines of a basket.
pub const ITEMS_MAX: usize = 5_000;
/// Pairs of attributes.
pub const ATTRIBUTES_MAX: usize = 32;
/// Characters of an attribute's key.
pub const ATTRIBUTE_KEY_CHARS_MAX: usize = 64;
/// Characters of an attribute's value.
pub const ATTRIBUTE_VALUE_CHARS_MAX: usize = 256;
/// Ways to pay that were offered at one step.
pub const METHODS_OFFERED_MAX: usize = 64;
/// Hours that a moment may be ahead of our clock.
pub const FUTURE_HOURS_MAX: i64 = 24;
/// Earliest year of a moment: before it, a sender mistook seconds for milliseconds.
pub const YEAR_MIN: i32 = 2000;
/// Characters of a customer reference before it is hashed.
const REFERENCE_CHARS_MAX: usize = 512;
/// The merchant account of rows that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// How the rows lie in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/json`: one object, or a list of objects.
    Json,
    /// `application/x-ndjson`: an object a line.
    Lines,
}

/// Why no row of a body could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body holds no row")]
    Empty,
    #[error("the body is not UTF-8 from byte {byte} on")]
    NotUtf8 { byte: usize },
    #[error("the JSON ends in the middle")]
    CutOff,
    #[error(
        "the body is not one JSON object or list: line {line}, character {column}; several objects, one a line, are sent as application/x-ndjson"
    )]
    InvalidJson { line: usize, column: usize },
    #[error("the body holds more than {BATCH_ROWS_MAX} rows")]
    TooManyRows,
}

impl BodyError {
    /// The word on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_body",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::CutOff | Self::InvalidJson { .. } => "invalid_json",
            Self::TooManyRows => "too_many_rows",
        }
    }
}

/// What rows are judged against.
#[derive(Clone, Copy, Debug)]
pub struct RowContext<'a> {
    pub now: Instant,
    /// The stores that the key may write to.
    pub stores: &'a [Store],
    /// True under a test key.
    pub test: bool,
    pub pseudonyms: &'a Pseudonyms,
}

/// A judged body.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<T> {
    /// The good rows, in their order.
    pub rows: Vec<T>,
    /// The others.
    pub errors: Vec<RowError>,
}

/// A record that a row can become.
trait Row<'de>: Sized {
    type Wire: Object<'de>;
    fn judge(wire: Self::Wire, context: &RowContext<'_>) -> Result<Self, Fault>;
}

/// Reads transactions.
///
/// # Errors
/// [`BodyError`] when not even the rows can be told apart.
pub fn parse_transactions(
    body: &[u8],
    format: BodyFormat,
    context: &RowContext<'_>,
) -> Result<Batch<Transaction>, BodyError> {
    parse(body, format, context)
}

/// Reads ledger lines.
///
/// # Errors
/// [`BodyError`] when not even the rows can be told apart.
pub fn parse_ledger_lines(
    body: &[u8],
    format: BodyFormat,
    context: &RowContext<'_>,
) -> Result<Batch<LedgerLine>, BodyError> {
    parse(body, format, context)
}

/// Reads checkout events.
///
/// # Errors
/// [`BodyError`] when not even the rows can be told apart.
pub fn parse_checkout_events(
    body: &[u8],
    format: BodyFormat,
    context: &RowContext<'_>,
) -> Result<Batch<CheckoutEvent>, BodyError> {
    parse(body, format, context)
}

fn parse<'de, T: Row<'de>>(
    body: &'de [u8],
    format: BodyFormat,
    context: &RowContext<'_>,
) -> Result<Batch<T>, BodyError> {
    let found = split::rows(body, format)?;
    let mut batch = Batch { rows: Vec::with_capacity(found.len()), errors: Vec::new() };
    for (index, row) in found.into_iter().enumerate() {
        match parse_row(row, context) {
            Ok(record) => batch.rows.push(record),
            Err(fault) => batch.errors.push(fault.at(index)),
        }
    }
    Ok(batch)
}

fn parse_row<'de, T: Row<'de>>(row: &'de [u8], context: &RowContext<'_>) -> Result<T, Fault> {
    if row.len() > ROW_BYTES_MAX {
        let message = format!("the row has more than {ROW_BYTES_MAX} bytes");
        return Err(Fault::new("", Code::RowTooLong, message));
    }
    let json = std::str::from_utf8(row).map_err(|error| {
        Fault::new("", Code::NotUtf8, format!("not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    T::judge(read_object(json)?, context)
}

impl RowContext<'_> {
    /// The store that a row names, or the only one of the key.
    fn store(&self, value: Option<Text<'_>>) -> Result<StoreId, Fault> {
        match (value.filter(|Text(slug)| !slug.is_empty()), self.stores) {
            (Some(Text(slug)), stores) => stores
                .iter()
                .find(|store| store.slug == slug)
                .map(|store| store.id)
                .ok_or_else(|| Fault::new("store", Code::UnknownStore, "is no store of this key")),
            (None, [only]) => Ok(only.id),
            (None, []) => Err(Fault::new("store", Code::UnknownStore, "this key has no store")),
            (None, _) => {
                let message = "is required, because the key is bound to several stores";
                Err(Fault::new("store", Code::StoreRequired, message))
            }
        }
    }

    #[expect(clippy::unused_self, reason = "stands among its siblings")]
    fn account(&self, value: Option<Text<'_>>) -> Result<String, Fault> {
        Ok(text("account", value, ID_CHARS_MAX)?.unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()))
    }

    /// The pseudonym of a reference to a person. The number space is the shop's own: who pays with another provider
    /// today is the same customer.
    fn pseudonym(&self, field: &'static str, value: Option<Text<'_>>) -> Result<Option<String>, Fault> {
        let Some(Text(raw)) = value else { return Ok(None) };
        if raw.trim().is_empty() {
            return Ok(None);
        }
        if raw.len() > REFERENCE_CHARS_MAX {
            return Err(Fault::new(
                field,
                Code::TooLong,
                format!("has more than {REFERENCE_CHARS_MAX} bytes"),
            ));
        }
        // Not even the hash of a card number is kept.
        if holds_card_number(&raw) {
            return Err(card_number(field));
        }
        Ok(Some(self.pseudonyms.of(field, "", &raw)))
    }

    fn ip(&self, value: Option<Text<'_>>) -> Result<Option<String>, Fault> {
        if let Some(Text(ip)) = &value
            && !ip.trim().is_empty()
            && ip.trim().parse::<std::net::IpAddr>().is_err()
        {
            return Err(Fault::new("ip", Code::UnknownValue, "is not an IPv4 or IPv6 address"));
        }
        self.pseudonym("ip", value)
    }

    fn test(&self, value: Option<bool>) -> Result<bool, Fault> {
        match value {
            Some(false) if self.test => {
                let message = "cannot be false: this is a test key, and its records are tests";
                Err(Fault::new("test", Code::TestKey, message))
            }
            given => Ok(self.test || given.unwrap_or(false)),
        }
    }
}
