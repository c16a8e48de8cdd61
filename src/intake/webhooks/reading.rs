//! What a proved notice says.

use chrono::TimeDelta;
use serde::Serialize;

use super::super::holds_card_number;
use crate::domain::{
    Currency, FailureReason, Instant, Kind, LedgerLine, Money, Status, StoreId, Transaction, Word,
    failure_reason,
};
use crate::intake::Pseudonyms;

/// Longest id, as in `RECORDS`.
pub(super) const ID_CHARS_MAX: usize = 128;
/// Longest label that is kept; more is cut.
const LABEL_CHARS_MAX: usize = 128;
/// Longest message that is kept; more is cut.
const MESSAGE_CHARS_MAX: usize = 256;
/// Longest provider, method or scheme as a slug.
const SLUG_CHARS_MAX: usize = 32;
/// How far in the future a row may be.
const FUTURE_MAX: TimeDelta = TimeDelta::hours(24);
/// No payment of a shop is older.
const YEAR_MIN: i32 = 2000;

/// Whose notices these are, and what the reader may use.
#[derive(Clone, Copy, Debug)]
pub struct EndpointContext<'a> {
    pub store: StoreId,
    /// The merchant's id at the provider: notices that name another are refused.
    pub account: &'a str,
    /// Alipay's app_id; empty where it is not asked.
    pub app_id: &'a str,
    /// Adyen: an authorised payment is paid only when it is captured.
    pub manual_capture: bool,
    /// Everything that comes here is a test.
    pub test: bool,
    pub pseudonyms: &'a Pseudonyms,
    pub now: Instant,
}

/// What one notice says about one payment, refund or dispute of which no single notice says all: kept, and the row is
/// made from all that was said (`derive`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, e.g. `trade/2026…`.
    pub subject: String,
    /// Which thing it says: the same twice is one fact, and the first that says it is believed.
    pub key: String,
    /// JSON, without what points to a shopper.
    pub said: String,
    /// Pseudonym of the shopper.
    pub customer: Option<String>,
}

/// Why a proved notice could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {code:?}")]
pub struct Fault {
    pub field: &'static str,
    pub code: FaultCode,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// No JSON, or another value than the format has there.
    Unreadable,
    Missing,
    TooLong,
    NotAnAmount,
    OutOfRange,
    NotATime,
    UnknownStatus,
    UnknownCurrency,
    CardNumber,
    /// More notices about one payment than anybody sends.
    TooMany,
}

impl FaultCode {
    /// The word in the database and in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::NotAnAmount => "not_an_amount",
            Self::OutOfRange => "out_of_range",
            Self::NotATime => "not_a_time",
            Self::UnknownStatus => "unknown_status",
            Self::UnknownCurrency => "unknown_currency",
            Self::CardNumber => "card_number",
            Self::TooMany => "too_many",
        }
    }
}

impl Fault {
    pub(super) const fn new(field: &'static str, code: FaultCode) -> Self {
        Self { field, code }
    }
}

/// What a delivery says, item by item.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub transactions: Vec<Transaction>,
    pub lines: Vec<LedgerLine>,
    pub facts: Vec<Fact>,
    /// Items that could not be read: what they were, and why.
    pub faults: Vec<(String, Fault)>,
    /// Items that say nothing that is kept here.
    pub passed_over: usize,
    /// Fields that nobody asked for.
    pub unread_fields: usize,
}

impl Reading {
    /// Adds what an item says, or why it cannot be read.
    pub(super) fn add(&mut self, event: &str, said: Result<Said, Fault>) {
        match said {
            Ok(Said::Transaction(row)) => self.transactions.push(*row),
            Ok(Said::Line(row)) => self.lines.push(*row),
            Ok(Said::Facts(facts)) => self.facts.extend(facts),
            Ok(Said::Nothing) => self.passed_over += 1,
            Err(fault) => self.faults.push((event.chars().take(LABEL_CHARS_MAX).collect(), fault)),
        }
    }
}

/// What one item says.
pub(super) enum Said {
    Transaction(Box<Transaction>),
    Line(Box<LedgerLine>),
    Facts(Vec<Fact>),
    /// Known, or of a kind that came after this version: nothing is kept of it.
    Nothing,
}

impl Said {
    pub(super) fn transaction(row: Transaction) -> Result<Self, Fault> {
        refuse_card_numbers(&row)?;
        Ok(Self::Transaction(Box::new(row)))
    }

    /// A fact in its written form.
    pub(super) fn fact(
        subject: String,
        key: String,
        said: &impl Serialize,
        customer: Option<String>,
    ) -> Result<Self, Fault> {
        let said = serde_json::to_string(said).map_err(|_| Fault::new("", FaultCode::Unreadable))?;
        if subject.chars().count() > 2 * ID_CHARS_MAX || key.chars().count() > 2 * ID_CHARS_MAX {
            return Err(Fault::new("", FaultCode::TooLong));
        }
        Ok(Self::Facts(vec![Fact { subject, key, said, customer }]))
    }
}

/// Refuses a row with text that looks like a card number: not even in a message it is kept.
pub(super) fn refuse_card_numbers(row: &Transaction) -> Result<(), Fault> {
    let texts = [
        ("order_id", &row.order_id),
        ("failure_code", &row.failure_code),
        ("failure_message", &row.failure_message),
        ("device", &row.device),
        ("terminal", &row.terminal),
        ("bank", &row.method_detail.bank),
    ];
    match texts.into_iter().find(|(_, text)| text.as_deref().is_some_and(holds_card_number)) {
        Some((field, _)) => Err(Fault::new(field, FaultCode::CardNumber)),
        None => Ok(()),
    }
}

/// A transaction of which only the head is known.
pub(super) fn transaction(
    context: &EndpointContext<'_>,
    kind: Kind,
    id: String,
    created_at: Instant,
    status: Status,
    amount: Money,
) -> Transaction {
    let owner = (context.store, context.account);
    Transaction { test: context.test, ..Transaction::of_head(id, created_at, (kind, status), amount, owner) }
}

/// Puts in what the provider says of a failure, and whose fault it is where the code is a known one.
pub(super) fn failed_with(row: &mut Transaction, code: Option<&str>, message: Option<&str>) {
    let provider = row.provider.unwrap_or(Word::NONE);
    row.failure_class = code.and_then(|code| failure_reason(provider, code)).map(FailureReason::class);
    row.failure_code = code.and_then(label);
    row.failure_message = message.and_then(|text| cut(text, MESSAGE_CHARS_MAX));
}

/// An amount that cannot be negative.
pub(super) fn money(field: &'static str, minor: i64, currency: Currency) -> Result<Money, Fault> {
    if minor < 0 {
        return Err(Fault::new(field, FaultCode::OutOfRange));
    }
    Money::from_minor(minor, currency).map_err(|_| Fault::new(field, FaultCode::OutOfRange))
}

/// A currency in upper or lower case.
pub(super) fn currency(field: &'static str, code: &str) -> Result<Currency, Fault> {
    Currency::parse(&code.to_ascii_uppercase()).map_err(|_| Fault::new(field, FaultCode::UnknownCurrency))
}

/// An instant that a shop can have.
pub(super) fn plausible(
    field: &'static str,
    at: Instant,
    context: &EndpointContext<'_>,
) -> Result<Instant, Fault> {
    if at > context.now + FUTURE_MAX || chrono::Datelike::year(&at) < YEAR_MIN {
        return Err(Fault::new(field, FaultCode::OutOfRange));
    }
    Ok(at)
}

/// An id that must be there and fit.
pub(super) fn id(field: &'static str, text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::new(field, FaultCode::Missing));
    }
    if text.chars().count() > ID_CHARS_MAX {
        return Err(Fault::new(field, FaultCode::TooLong));
    }
    Ok(text.to_owned())
}

/// A label: none when empty, cut when long.
pub(super) fn label(text: &str) -> Option<String> {
    cut(text, LABEL_CHARS_MAX)
}

fn cut(text: &str, chars_max: usize) -> Option<String> {
    (!text.is_empty()).then(|| text.chars().take(chars_max).collect())
}

/// A provider's or method's word as a slug; none when it has no letter or digit.
pub(super) fn slug(text: &str) -> Option<Word> {
    let slug: String = text
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(SLUG_CHARS_MAX)
        .collect();
    slug.bytes().any(|byte| byte.is_ascii_alphanumeric()).then(|| Word::of(&slug))
}
