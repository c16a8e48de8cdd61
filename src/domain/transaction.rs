use rust_decimal::Decimal;
use serde::Serialize;

use super::{FailureClass, Instant, Kind, Money, RecordKey, Scene, Status, StoreId, Word};

/// The three streams of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Stream {
    /// Payment attempts, refunds, disputes as merchant or gateway report them.
    Transactions,
    /// Lines of bills and statements: what the provider says moved.
    LedgerLines,
    /// Steps of a shopper's way through checkout.
    CheckoutEvents,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Transactions, Self::LedgerLines, Self::CheckoutEvents];

    /// The word in SQL and in file paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::LedgerLines => "ledger_lines",
            Self::CheckoutEvents => "checkout_events",
        }
    }

    /// The stream of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.as_str() == text)
    }
}

/// One payment attempt, refund or dispute, in its latest state. Fields and their meaning: `RECORDS` in the README.
///
/// Amounts other than `amount` are minor units of its currency; `None` is "not known", never 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transaction {
    /// The sender's id of this attempt, refund or dispute; 1 to 128 characters.
    pub transaction_id: String,
    /// When the attempt began. Part of the identity: never changes.
    pub created_at: Instant,
    pub kind: Kind,
    pub status: Status,
    /// What was paid (given back, disputed …) after discounts; never negative, `kind` gives the direction.
    pub amount: Money,
    pub store: StoreId,
    /// Merchant account; `default` when not given.
    pub account: String,
    pub provider: Option<Word>,
    pub method: Option<Word>,
    pub aggregator: Option<Word>,
    pub method_detail: MethodDetail,
    pub scene: Option<Scene>,
    pub device: Option<String>,
    pub operator: Option<String>,
    pub terminal: Option<String>,
    pub shift: Option<String>,
    pub source: Option<String>,
    pub campaign: Option<String>,
    pub promotion: Option<String>,
    pub order_id: Option<String>,
    pub payment_id: Option<String>,
    pub attempt: Option<u32>,
    pub parent_transaction_id: Option<String>,
    pub provider_transaction_id: Option<String>,
    pub subscription_id: Option<String>,
    pub submitted_at: Option<Instant>,
    pub authorized_at: Option<Instant>,
    pub completed_at: Option<Instant>,
    pub settled_on: Option<chrono::NaiveDate>,
    /// The version: a row with it beats rows without.
    pub updated_at: Option<Instant>,
    pub failure_code: Option<String>,
    pub failure_message: Option<String>,
    pub failure_class: Option<FailureClass>,
    pub list_amount: Option<i64>,
    pub discount_merchant: Option<i64>,
    pub discount_platform: Option<i64>,
    pub tax: Option<i64>,
    /// More than 0 is a cost to the shop.
    pub fee: Option<i64>,
    pub fee_refunded: Option<i64>,
    /// Keyed hash, 32 hex digits.
    pub customer: Option<String>,
    /// Keyed hash, 32 hex digits.
    pub payment_fingerprint: Option<String>,
    /// Keyed hash, 32 hex digits.
    pub ip: Option<String>,
    pub items: Vec<Item>,
    pub risk: Risk,
    /// Up to 32 pairs, sorted by key.
    pub attributes: Vec<(String, String)>,
    pub test: bool,
}

/// What exactly the shopper paid with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MethodDetail {
    pub bank: Option<String>,
    pub card_brand: Option<String>,
    /// `debit`, `credit` …
    pub funding: Option<String>,
    pub wallet: Option<String>,
}

/// What an outside risk service said.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Risk {
    pub score: Option<i64>,
    pub verdict: Option<String>,
    pub outcome: Option<String>,
}

/// One line of a basket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    pub sku: Option<String>,
    pub name: Option<String>,
    pub category: Option<String>,
    /// May be negative (a returned line).
    pub quantity: Decimal,
    /// Major units, exact.
    pub unit_amount: Option<Decimal>,
    /// Minor units.
    pub discount: Option<i64>,
    /// Minor units; `quantity × unit_amount − discount` where the sender gives none.
    pub line_amount: i64,
}

/// A record as the lake keeps it: what was sent and what we know of its arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<R> {
    pub record: R,
    /// Identity within the stream.
    pub key: RecordKey,
    /// Hash of the canonical row: equal hashes mean an identical row.
    pub row_hash: u64,
    /// True when another source is this account's source of record: kept for reconciliation, never counted.
    pub witness: bool,
    /// Which way in: `api`, `import`, `webhook:<provider>`.
    pub feed: Word,
    pub received_at: Instant,
}
