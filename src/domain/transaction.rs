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
/// Amounts other than `amount` are minor units of its currency; `None` is "not known", never 0. `T` is what its texts
/// are: owned, or (between a request's body and the columns) borrowed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transaction<T = String> {
    /// The sender's id of this attempt, refund or dispute; 1 to 128 characters.
    pub transaction_id: T,
    /// When the attempt began. Part of the identity: never changes.
    #[serde(serialize_with = "super::instant_text::serialize")]
    pub created_at: Instant,
    pub kind: Kind,
    pub status: Status,
    /// What was paid (given back, disputed …) after discounts; never negative, `kind` gives the direction.
    pub amount: Money,
    pub store: StoreId,
    /// Merchant account; `default` when not given.
    pub account: T,
    pub provider: Option<Word>,
    pub method: Option<Word>,
    pub aggregator: Option<Word>,
    pub method_detail: MethodDetail<T>,
    pub scene: Option<Scene>,
    pub device: Option<T>,
    pub operator: Option<T>,
    pub terminal: Option<T>,
    pub shift: Option<T>,
    pub source: Option<T>,
    pub campaign: Option<T>,
    pub promotion: Option<T>,
    pub order_id: Option<T>,
    pub payment_id: Option<T>,
    pub attempt: Option<u32>,
    pub parent_transaction_id: Option<T>,
    pub provider_transaction_id: Option<T>,
    pub subscription_id: Option<T>,
    #[serde(serialize_with = "super::instant_text::serialize_some")]
    pub submitted_at: Option<Instant>,
    #[serde(serialize_with = "super::instant_text::serialize_some")]
    pub authorized_at: Option<Instant>,
    #[serde(serialize_with = "super::instant_text::serialize_some")]
    pub completed_at: Option<Instant>,
    pub settled_on: Option<chrono::NaiveDate>,
    /// The version: a row with it beats rows without.
    #[serde(serialize_with = "super::instant_text::serialize_some")]
    pub updated_at: Option<Instant>,
    pub failure_code: Option<T>,
    pub failure_message: Option<T>,
    pub failure_class: Option<FailureClass>,
    pub list_amount: Option<i64>,
    pub discount_merchant: Option<i64>,
    pub discount_platform: Option<i64>,
    pub tax: Option<i64>,
    /// More than 0 is a cost to the shop.
    pub fee: Option<i64>,
    pub fee_refunded: Option<i64>,
    /// Keyed hash, 32 hex digits.
    pub customer: Option<T>,
    /// Keyed hash, 32 hex digits.
    pub payment_fingerprint: Option<T>,
    /// Keyed hash, 32 hex digits.
    pub ip: Option<T>,
    pub items: Vec<Item<T>>,
    pub risk: Risk<T>,
    /// Up to 32 pairs, sorted by key.
    pub attributes: Vec<(T, T)>,
    pub test: bool,
}

/// What exactly the shopper paid with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MethodDetail<T = String> {
    pub bank: Option<T>,
    pub card_brand: Option<T>,
    /// `debit`, `credit` …
    pub funding: Option<T>,
    pub wallet: Option<T>,
}

/// What an outside risk service said.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Risk<T = String> {
    pub score: Option<i64>,
    pub verdict: Option<T>,
    pub outcome: Option<T>,
}

impl Transaction {
    /// A live transaction of which only the head is known; everything else is not given.
    pub fn of_head(
        transaction_id: String,
        created_at: Instant,
        (kind, status): (Kind, Status),
        amount: Money,
        (store, account): (StoreId, &str),
    ) -> Self {
        Self {
            transaction_id,
            created_at,
            kind,
            status,
            amount,
            store,
            account: account.to_owned(),
            provider: None,
            method: None,
            aggregator: None,
            method_detail: MethodDetail::default(),
            scene: None,
            device: None,
            operator: None,
            terminal: None,
            shift: None,
            source: None,
            campaign: None,
            promotion: None,
            order_id: None,
            payment_id: None,
            attempt: None,
            parent_transaction_id: None,
            provider_transaction_id: None,
            subscription_id: None,
            submitted_at: None,
            authorized_at: None,
            completed_at: None,
            settled_on: None,
            updated_at: None,
            failure_code: None,
            failure_message: None,
            failure_class: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            tax: None,
            fee: None,
            fee_refunded: None,
            customer: None,
            payment_fingerprint: None,
            ip: None,
            items: Vec::new(),
            risk: Risk::default(),
            attributes: Vec::new(),
            test: false,
        }
    }
}

/// One line of a basket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item<T = String> {
    pub sku: Option<T>,
    pub name: Option<T>,
    pub category: Option<T>,
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
    /// Which way in: `api`, `import:<number>`, `webhook:<provider>`.
    pub feed: Word,
    pub received_at: Instant,
}

/// What stands in front of the number of an import, in [`Stored::feed`].
const IMPORT: &str = "import:";

/// The [`Stored::feed`] of rows that an import brings.
pub fn import_feed(import: i64) -> Word {
    Word::of(&format!("{IMPORT}{import}"))
}

/// The import that a feed names, if it names one.
pub fn import_of_feed(feed: &str) -> Option<i64> {
    feed.strip_prefix(IMPORT)?.parse().ok()
}
