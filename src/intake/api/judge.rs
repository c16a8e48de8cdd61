use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::fields::{card_number, check_slug, text};
use super::row_error::{Code, Fault};
use super::wire::{Object, Text, read_object};
use super::{Batch, DEFAULT_ACCOUNT, ID_CHARS_MAX, REFERENCE_CHARS_MAX, ROW_BYTES_MAX, RowContext};
use crate::domain::{CheckoutEvent, Instant, LedgerLine, StoreId, Transaction, Word};
use crate::intake::{Arriving, Received, holds_card_number};

/// From so many rows on it pays to look stores up in a table.
const TABLE_ROWS_MIN: usize = 32;

/// Slugs of a body that are kept at hand: a few are in every row.
const WORDS_MAX: usize = 16;

/// Judges the rows of one body.
#[derive(Debug)]
pub struct Judge<'c> {
    context: &'c RowContext<'c>,
    /// The same stores by their slug, where there are many rows.
    table: HashMap<&'c str, StoreId>,
    /// Slugs that were met in this body.
    words: RefCell<Vec<Word>>,
    pub(super) now: Instant,
}

/// A record that the API takes. Rows are judged each alone; `first` is the place of the first one in its body.
pub trait ApiRecord: Received {
    /// The same with texts that are borrowed from the body.
    type Borrowed<'b>: Arriving;

    /// Judges rows that are kept for a while.
    fn judge(rows: &[&[u8]], first: usize, judge: &Judge<'_>) -> Batch<Self>;

    /// Judges rows that are encoded at once.
    fn judge_borrowed<'b>(rows: &[&'b [u8]], first: usize, judge: &Judge<'_>) -> Batch<Self::Borrowed<'b>>;
}

macro_rules! api_records {
    ($($record:ident),+) => {
        $(impl ApiRecord for $record {
            type Borrowed<'b> = $record<Cow<'b, str>>;

            fn judge(rows: &[&[u8]], first: usize, judge: &Judge<'_>) -> Batch<Self> {
                judge_all(rows, first, judge)
            }

            fn judge_borrowed<'b>(
                rows: &[&'b [u8]],
                first: usize,
                judge: &Judge<'_>,
            ) -> Batch<Self::Borrowed<'b>> {
                judge_all(rows, first, judge)
            }
        })+
    };
}

api_records!(Transaction, LedgerLine, CheckoutEvent);

/// A record that a row can become.
pub(super) trait Row<'de>: Sized {
    type Wire: Object<'de>;
    fn judge(wire: Self::Wire, judge: &Judge<'_>) -> Result<Self, Fault>;
}

fn judge_all<'de, R: Row<'de>>(rows: &[&'de [u8]], first: usize, judge: &Judge<'_>) -> Batch<R> {
    let mut batch = Batch { rows: Vec::with_capacity(rows.len()), errors: Vec::new() };
    for (index, row) in (first..).zip(rows) {
        match judge_row(row, judge) {
            Ok(record) => batch.rows.push(record),
            Err(fault) => batch.errors.push(fault.at(index)),
        }
    }
    batch
}

fn judge_row<'de, R: Row<'de>>(row: &'de [u8], judge: &Judge<'_>) -> Result<R, Fault> {
    if row.len() > ROW_BYTES_MAX {
        let message = format!("the row has more than {ROW_BYTES_MAX} bytes");
        return Err(Fault::new("", Code::RowTooLong, message));
    }
    let json = std::str::from_utf8(row).map_err(|error| {
        Fault::new("", Code::NotUtf8, format!("not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    R::judge(read_object(json)?, judge)
}

impl<'c> Judge<'c> {
    /// A judge of so many rows.
    pub fn new(context: &'c RowContext<'c>, rows: usize) -> Self {
        let stores = if rows < TABLE_ROWS_MIN { &[] } else { context.stores };
        let table = stores.iter().map(|store| (store.slug.as_str(), store.id)).collect();
        Self { context, table, words: RefCell::default(), now: context.now }
    }

    fn store_of_slug(&self, slug: &str) -> Option<StoreId> {
        if self.table.is_empty() {
            return self.context.stores.iter().find(|store| store.slug == slug).map(|store| store.id);
        }
        self.table.get(slug).copied()
    }

    /// The store that a row names, or the only one of the key.
    pub(super) fn store(&self, value: Option<Text<'_>>) -> Result<StoreId, Fault> {
        match (value.filter(|Text(slug)| !slug.is_empty()), self.context.stores) {
            (Some(Text(slug)), _) => self
                .store_of_slug(&slug)
                .ok_or_else(|| Fault::new("store", Code::UnknownStore, "is no store of this key")),
            (None, [only]) => Ok(only.id),
            (None, []) => Err(Fault::new("store", Code::UnknownStore, "this key has no store")),
            (None, _) => {
                let message = "is required, because the key is bound to several stores";
                Err(Fault::new("store", Code::StoreRequired, message))
            }
        }
    }

    /// A lower-case slug: letters, digits, `_` and `-`.
    pub(super) fn slug(&self, field: &'static str, value: Option<Text<'_>>) -> Result<Option<Word>, Fault> {
        let Some(Text(slug)) = value.filter(|Text(slug)| !slug.is_empty()) else { return Ok(None) };
        let mut words = self.words.borrow_mut();
        if let Some(known) = words.iter().find(|word| word.as_str() == slug) {
            return Ok(Some(*known));
        }
        check_slug(field, &slug)?;
        let word = Word::of(&slug);
        if words.len() < WORDS_MAX {
            words.push(word);
        }
        Ok(Some(word))
    }

    #[expect(clippy::unused_self, reason = "stands among its siblings")]
    pub(super) fn account<'a, T: From<Cow<'a, str>>>(&self, value: Option<Text<'a>>) -> Result<T, Fault> {
        Ok(text("account", value, ID_CHARS_MAX)?.unwrap_or_else(|| T::from(Cow::Borrowed(DEFAULT_ACCOUNT))))
    }

    /// The pseudonym of a reference to a person. The number space is the shop's own: who pays with another provider
    /// today is the same customer.
    pub(super) fn pseudonym<'a, T: From<Cow<'a, str>>>(
        &self,
        field: &'static str,
        value: Option<Text<'_>>,
    ) -> Result<Option<T>, Fault> {
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
        Ok(Some(T::from(Cow::Owned(self.context.pseudonyms.of(field, "", &raw)))))
    }

    pub(super) fn ip<'a, T: From<Cow<'a, str>>>(&self, value: Option<Text<'_>>) -> Result<Option<T>, Fault> {
        if let Some(Text(ip)) = &value
            && !ip.trim().is_empty()
            && ip.trim().parse::<std::net::IpAddr>().is_err()
        {
            return Err(Fault::new("ip", Code::UnknownValue, "is not an IPv4 or IPv6 address"));
        }
        self.pseudonym("ip", value)
    }

    pub(super) fn test(&self, value: Option<bool>) -> Result<bool, Fault> {
        match value {
            Some(false) if self.context.test => {
                let message = "cannot be false: this is a test key, and its records are tests";
                Err(Fault::new("test", Code::TestKey, message))
            }
            given => Ok(self.context.test || given.unwrap_or(false)),
        }
    }
}
