//! The HTTP API's bodies become records: rows are found (`split`), read (`wire`) and judged (`fields` and one file a
//! record), each row alone. No clock, no database: the same bytes give the same records.

mod checkout_event;
mod fields;
mod inflate;
mod items;
mod judge;
mod ledger_line;
mod row_error;
mod split;
#[cfg(test)]
mod tests;
mod transaction;
mod wire;

pub(super) use checkout_event::{WireCheckoutEvent, judge_wire};
pub(super) use fields::read_instant;
pub(super) use items::WireItem;
pub(super) use row_error::Fault;
pub(super) use wire::{Objects, Pairs, Text};

pub use inflate::{Encoding, InflateError, Inflater};
pub use judge::{ApiRecord, Judge};
pub use row_error::{Code, RowError};
pub use split::rows as find_rows;

use super::Pseudonyms;
use crate::domain::{CheckoutEvent, Instant, LedgerLine, Store, Transaction};

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
pub(super) const REFERENCE_CHARS_MAX: usize = 512;
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

fn parse<T: ApiRecord>(
    body: &[u8],
    format: BodyFormat,
    context: &RowContext<'_>,
) -> Result<Batch<T>, BodyError> {
    let rows = find_rows(body, format)?;
    Ok(T::judge(&rows, 0, &Judge::new(context, rows.len())))
}
