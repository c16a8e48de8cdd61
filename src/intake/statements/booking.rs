//! One booking on a bank account, whatever the format, becomes a ledger line.

use chrono::{NaiveDate, NaiveTime, TimeZone, Utc};
use rust_decimal::Decimal;

use super::super::bills::{
    BillContext, Fault, ID_CHARS_MAX, Line, Refusal, RejectCode, RejectedLine, TEXT_CHARS_MAX, in_range,
    minor,
};
use super::super::holds_card_number;
use super::occurrences::Occurrences;
use crate::domain::{Currency, Direction, Instant, LedgerKind, LedgerLine, MethodDetail, Status, Word};

/// Digits of the hash that keeps two bookings under one reference apart.
const HASH_CHARS: usize = 12;
/// Longest reference that still leaves room for that hash.
const REFERENCE_CHARS_MAX: usize = ID_CHARS_MAX - HASH_CHARS - 1;
/// What banks write where there is no reference.
const NO_REFERENCE: [&str; 14] = [
    "NOTPROVIDED",
    "NOT PROVIDED",
    "NOTAVAILABLE",
    "NONREF",
    "NOREF",
    "NONE",
    "EREF",
    "KREF",
    "MREF",
    "EREF+",
    "KREF+",
    "MREF+",
    "PREF",
    "X",
];

/// A reference, unless it only says that there is none.
pub fn reference(text: &str) -> Option<String> {
    let text = text.trim();
    let says_something = text.chars().any(char::is_alphanumeric)
        && !NO_REFERENCE.iter().any(|none| none.eq_ignore_ascii_case(text));
    says_something.then(|| text.to_owned())
}

/// When a booking was made, as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The bank's own day.
    pub day: NaiveDate,
    /// The instant, where the bank says one.
    pub at: Option<Instant>,
}

impl Booked {
    /// A day without a time stands for its noon, UTC: the same day nearly everywhere on earth.
    fn instant(self) -> Instant {
        let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
        self.at.unwrap_or_else(|| Utc.from_utc_datetime(&self.day.and_time(noon)))
    }
}

/// What a format found out about one booking.
#[derive(Clone, Debug)]
pub struct Booking {
    pub account: String,
    pub booked: Booked,
    pub direction: Direction,
    pub currency: Currency,
    /// Unsigned, in major units, as printed.
    pub amount: Decimal,
    /// The bank's own reference.
    pub bank_reference: Option<String>,
    /// What the payer or the shop called it.
    pub order_id: Option<String>,
    pub text: String,
    /// Account number or name of the other side; only its keyed hash is kept.
    pub counterparty: Option<String>,
    /// The bank's own charge.
    pub is_charge: bool,
    /// Sorted by key.
    pub attributes: Vec<(&'static str, String)>,
}

/// What things are called in the format, for faults.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    pub amount: &'static str,
    pub day: &'static str,
    pub reference: &'static str,
}

/// Makes ledger lines of one file.
pub struct Bookings<'a> {
    context: &'a BillContext<'a>,
    names: Names,
    seen: Occurrences,
}

impl<'a> Bookings<'a> {
    /// For a file that was not begun.
    pub fn new(context: &'a BillContext<'a>, names: Names) -> Self {
        Self { context, names, seen: Occurrences::default() }
    }

    /// The line of a booking, or why it is none.
    ///
    /// # Errors
    /// [`Refusal`] when the file has more lines without an id than are told apart.
    pub fn line(&mut self, number: u64, booking: Booking) -> Result<Line, Refusal> {
        let id = match self.id_of(&booking) {
            Ok(id) => id?,
            Err(fault) => return Ok(Line::Rejected(RejectedLine::new(number, fault, None))),
        };
        Ok(match self.ledger_line(number, id, booking) {
            Ok(line) => Line::Row(Box::new(line)),
            Err(fault) => Line::Rejected(RejectedLine::new(number, fault, None)),
        })
    }

    /// A bank's reference alone is not enough: a payment and its charge, or the parts of a batch, may share one.
    fn id_of(&mut self, booking: &Booking) -> Result<Result<String, Refusal>, Fault> {
        let what = [
            booking.booked.instant().to_rfc3339(),
            booking.direction.as_str().to_owned(),
            booking.amount.normalize().to_string(),
            booking.currency.code().to_owned(),
            booking.order_id.clone().unwrap_or_default(),
            booking.text.clone(),
            booking.counterparty.clone().unwrap_or_default(),
        ];
        let hash = self.context.pseudonyms.of("bank_line", &booking.account, &what.join("\u{1f}"));
        match &booking.bank_reference {
            Some(reference) if reference.chars().count() > REFERENCE_CHARS_MAX => {
                Err(Fault::quoting(self.names.reference, RejectCode::TooLong, reference))
            }
            Some(reference) => {
                let hash: String = hash.chars().take(HASH_CHARS).collect();
                Ok(Ok(format!("{reference}~{hash}")))
            }
            None => Ok(self.seen.id_of(&hash)),
        }
    }

    fn ledger_line(&self, number: u64, line_id: String, booking: Booking) -> Result<LedgerLine, Fault> {
        let context = self.context;
        let gross = exact_minor(self.names.amount, booking.amount, booking.currency)?;
        let day = booking.booked.day.to_string();
        let posted_at = in_range(self.names.day, &day, booking.booked.instant(), context.now)?;
        let (description, is_withheld) = description(&booking.text);
        let mut attributes = booking.attributes;
        if is_withheld {
            attributes.push(("text_withheld", "card_number".to_owned()));
            attributes.sort_unstable_by_key(|(key, _)| *key);
        }
        let outward = booking.direction == Direction::Out;
        Ok(LedgerLine {
            line_id,
            posted_at,
            source_day: Some(booking.booked.day),
            store: context.store,
            account: booking.account,
            provider: Some(Word::of("bank")),
            status: Status::Succeeded,
            completed_at: Some(posted_at),
            updated_at: Some(posted_at),
            operator: None,
            terminal: None,
            scene: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            category: None,
            attributes: kept(attributes),
            kind: if booking.is_charge && outward { LedgerKind::Fee } else { LedgerKind::Transfer },
            direction: booking.direction,
            currency: booking.currency,
            gross,
            fee: None,
            net: Some(if outward { -gross } else { gross }),
            fee_rate: None,
            settle_currency: None,
            settle_amount: None,
            exchange_rate: None,
            provider_transaction_id: booking.bank_reference,
            parent_transaction_id: None,
            order_id: booking.order_id.map(|id| id.chars().take(ID_CHARS_MAX).collect()),
            payout_id: None,
            method: Some(Word::of("bank_transfer")),
            method_detail: MethodDetail::default(),
            customer: booking.counterparty.map(|name| context.pseudonyms.of("customer", "bank", &name)),
            description,
            file: Some(context.file.to_owned()),
            line_number: i64::try_from(number).ok(),
            test: false,
        })
    }
}

/// True for what has the shape of an international account number.
pub fn looks_like_iban(text: &str) -> bool {
    (15..=34).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && text.bytes().skip(2).take(2).all(|byte| byte.is_ascii_digit())
}

/// The same with right check digits (ISO 13616), so that no order's number is taken for one.
fn is_iban(text: &str) -> bool {
    // Read from the fifth character on, and the first four behind; letters count from 10; all of it is 1 modulo 97.
    let turned = text.chars().skip(4).chain(text.chars().take(4));
    let rest = turned.filter_map(|c| c.to_digit(36)).fold(0, |rest, digit| {
        let shift = if digit > 9 { 100 } else { 10 };
        (rest * shift + digit) % 97
    });
    looks_like_iban(text) && rest == 1
}

/// The text without account numbers of others.
fn without_accounts(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_iban(bare) { "•••" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Text that is kept, and whether it was withheld: what looks like a card number is never kept, but the money moved.
fn description(text: &str) -> (Option<String>, bool) {
    let text = without_accounts(text);
    if holds_card_number(&text) {
        return (None, true);
    }
    ((!text.is_empty()).then(|| text.chars().take(TEXT_CHARS_MAX).collect()), false)
}

fn kept(attributes: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    let plain = attributes.into_iter().filter(|(_, value)| !value.is_empty() && !holds_card_number(value));
    plain.map(|(key, value)| (key.to_owned(), value.chars().take(TEXT_CHARS_MAX).collect())).collect()
}

/// Minor units of a decimal, without rounding: money on an account is what the bank says it is.
pub fn exact_minor(field: &str, major: Decimal, currency: Currency) -> Result<i64, Fault> {
    if major.normalize().scale() > currency.exponent() {
        return Err(Fault::quoting(field, RejectCode::TooManyDecimals, &format!("{major} {currency}")));
    }
    minor(field, major, currency)
}

/// The sum of one statement, held against its balances.
#[derive(Clone, Debug, Default)]
pub struct StatementSum {
    /// Currency of the entries; `None` before the first.
    currency: Option<String>,
    sum: Decimal,
    is_incomparable: bool,
}

impl StatementSum {
    /// Adds what an entry moves.
    pub fn add(&mut self, signed: Decimal, currency: &str) {
        if self.currency.as_deref().is_some_and(|own| own != currency) {
            self.is_incomparable = true;
        }
        self.currency.get_or_insert_with(|| currency.to_owned());
        match self.sum.checked_add(signed) {
            Some(sum) => self.sum = sum,
            None => self.is_incomparable = true,
        }
    }

    /// An entry whose amount cannot be read.
    pub fn spoil(&mut self) {
        self.is_incomparable = true;
    }

    /// Opening balance + entries; `None` where currencies differ or an amount could not be read.
    pub fn closing(&self, opening: &Balance, closing: &Balance) -> Option<Decimal> {
        let own = self.currency.as_deref().unwrap_or(&opening.currency);
        let comparable = !self.is_incomparable && opening.currency == own && closing.currency == own;
        if comparable { opening.signed.checked_add(self.sum) } else { None }
    }
}

/// A balance of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Below zero when the account is overdrawn.
    pub signed: Decimal,
    pub currency: String,
}
