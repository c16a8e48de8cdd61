use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant, RecordKey, Store, StoreId, Word, business_day_of};

/// Cash is counted, not billed.
pub const CASH: &str = "cash";
/// Stored value is the shop's own book.
pub const STORED_VALUE: &str = "stored_value";
/// The provider of bank statements.
pub const BANK: &str = "bank";
/// The account of records that name none.
pub const ANY_ACCOUNT: &str = "default";

/// What an entry moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EntryKind {
    /// Money of a shopper: a payment, stored value bought, a hold captured.
    Sale,
    Refund,
    Dispute,
    /// A charge that stands for itself.
    Fee,
    /// Profit sharing, transfers, adjustments: moves the balance at the provider, is no sale.
    Movement,
    /// From the provider's balance to the bank.
    Payout,
}

impl EntryKind {
    /// True for what both the shop's books and a bill hold.
    pub const fn is_compared(self) -> bool {
        matches!(self, Self::Sale | Self::Refund | Self::Dispute)
    }
}

/// How far an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// Money has moved.
    Posted,
    /// It may still move.
    UnderWay,
    /// It did not move: failed, cancelled, expired.
    Dead,
}

/// One record of the shop, or one line of a bill or statement, as far as reconciliation needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its identity in its stream.
    pub key: RecordKey,
    pub store: StoreId,
    /// Through whom the money goes: see [`rail`].
    pub rail: Word,
    pub account: Word,
    /// The source's own day.
    pub day: NaiveDate,
    pub at_ms: i64,
    /// UTC day under which the row lies in the lake.
    pub filed: NaiveDate,
    pub kind: EntryKind,
    /// Towards the shop.
    pub inward: bool,
    pub standing: Standing,
    /// Another feed is this account's source of record.
    pub witness: bool,
    pub currency: Currency,
    /// Minor units, unsigned.
    pub amount: i64,
    /// What is settled for it, unsigned, where that is another currency.
    pub settled: Option<(Currency, i64)>,
    pub fee: Option<i64>,
    pub net: Option<i64>,
    /// Millionths, as printed on the line.
    pub fee_rate_ppm: Option<u32>,
    pub method: Word,
    /// `transaction_id` or `line_id`.
    pub id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub order_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payment_id: String,
    /// The shop's own number of a refund, as a bill repeats it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub merchant_refund_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payout_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub terminal: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Entry {
    /// What it adds to the shop's money, in minor units.
    pub const fn signed(&self) -> i64 {
        if self.inward { self.amount } else { -self.amount }
    }

    /// What it adds to the balance that is paid out: settled where it was exchanged, else net of its fee.
    pub fn settles(&self) -> (Currency, i128) {
        let sign = if self.inward { 1 } else { -1 };
        if let Some((currency, amount)) = self.settled {
            return (currency, i128::from(amount) * sign);
        }
        let gross = i128::from(self.signed());
        let fee = i128::from(self.fee.unwrap_or(0));
        (self.currency, self.net.map_or(gross - fee, i128::from))
    }

    /// The order of all that is decided by order: time, then key.
    pub const fn place(&self) -> (i64, RecordKey) {
        (self.at_ms, self.key)
    }
}

/// Through whom money goes: cash and stored value by their method, everything else by its provider; a record that names
/// none is told by its method where that is only offered by one.
pub fn rail(provider: &str, method: &str) -> Word {
    match (provider, method) {
        (_, CASH | STORED_VALUE) | ("", "wechat_pay" | "alipay" | "unionpay" | "e_cny" | "paypal") => {
            Word::of(method)
        }
        ("", "bank_transfer") => Word::of(BANK),
        ("", "usdt") => Word::of("trc20"),
        (provider, _) => Word::of(provider),
    }
}

/// True for what settles in the shop itself and is in no provider's bill.
pub fn is_own_book(rail: Word) -> bool {
    matches!(rail.as_str(), CASH | STORED_VALUE)
}

/// The day of a source's own books that an instant belongs to: Beijing's for providers in mainland China, the store's
/// business day for cash and stored value, the store's calendar day at the bank, UTC's everywhere else.
pub fn source_day(rail: Word, at: Instant, store: &Store) -> NaiveDate {
    match rail.as_str() {
        "wechat_pay" | "alipay" | "unionpay" | "e_cny" => at.with_timezone(&Tz::Asia__Shanghai).date_naive(),
        CASH | STORED_VALUE | "" => business_day_of(store, at),
        BANK => at.with_timezone(&store.zone).date_naive(),
        _ => at.date_naive(),
    }
}

/// When the bill of a source day is expected: bills of mainland China after 10:00 Beijing on the next day, others at the
/// end of the next day in UTC. `None` for what has no bill.
pub fn bill_due(rail: Word, day: NaiveDate) -> Option<Instant> {
    if is_own_book(rail) {
        return None;
    }
    let hours = match rail.as_str() {
        "wechat_pay" | "alipay" | "unionpay" | "e_cny" => 24 + 2,
        _ => 48,
    };
    let start = day.and_time(chrono::NaiveTime::MIN).and_utc();
    Some(start + chrono::TimeDelta::hours(hours))
}
