use serde::Serialize;

use super::{Currency, Instant, MethodDetail, Scene, Status, StoreId, Word};

/// What a ledger line moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum LedgerKind {
    Payment,
    Refund,
    Dispute,
    Fee,
    Payout,
    Transfer,
    Adjustment,
}

impl LedgerKind {
    /// Every value.
    pub const ALL: [Self; 7] = [
        Self::Payment,
        Self::Refund,
        Self::Dispute,
        Self::Fee,
        Self::Payout,
        Self::Transfer,
        Self::Adjustment,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Fee => "fee",
            Self::Payout => "payout",
            Self::Transfer => "transfer",
            Self::Adjustment => "adjustment",
        }
    }

    /// The value of a wire word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Towards the shop or away from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Direction {
    In,
    Out,
}

impl Direction {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// The value of a wire word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "in" => Some(Self::In),
            "out" => Some(Self::Out),
            _ => None,
        }
    }
}

/// One line of a provider's bill, bank statement, till close-out or chain transfer.
///
/// Amounts are minor units of `currency`; `None` is "not known".
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerLine<T = String> {
    pub line_id: T,
    #[serde(serialize_with = "super::instant_text::serialize")]
    pub posted_at: Instant,
    /// The source's own day (Beijing for WeChat Pay and Alipay).
    pub source_day: Option<chrono::NaiveDate>,
    pub store: StoreId,
    /// The provider's merchant id, or `default`.
    pub account: T,
    pub provider: Option<Word>,
    pub status: Status,
    #[serde(serialize_with = "super::instant_text::serialize_some")]
    pub completed_at: Option<Instant>,
    #[serde(serialize_with = "super::instant_text::serialize_some")]
    pub updated_at: Option<Instant>,
    pub operator: Option<T>,
    pub terminal: Option<T>,
    pub scene: Option<Scene>,
    pub list_amount: Option<i64>,
    pub discount_merchant: Option<i64>,
    pub discount_platform: Option<i64>,
    pub category: Option<T>,
    pub attributes: Vec<(T, T)>,
    pub kind: LedgerKind,
    pub direction: Direction,
    pub currency: Currency,
    /// Unsigned.
    pub gross: i64,
    /// More than 0 is a cost; a fee given back is negative.
    pub fee: Option<i64>,
    /// Signed: what the line adds to the shop's balance.
    pub net: Option<i64>,
    /// As printed, e.g. `0.60%`.
    pub fee_rate: Option<T>,
    pub settle_currency: Option<Currency>,
    pub settle_amount: Option<i64>,
    pub exchange_rate: Option<T>,
    pub provider_transaction_id: Option<T>,
    pub parent_transaction_id: Option<T>,
    pub order_id: Option<T>,
    pub payout_id: Option<T>,
    pub method: Option<Word>,
    pub method_detail: MethodDetail<T>,
    /// Keyed hash, 32 hex digits.
    pub customer: Option<T>,
    pub description: Option<T>,
    /// SHA-256 of the file, hex. Where a line was read is not part of what it says: the same line in two files is
    /// one and the same row, so neither this nor the number enters `row_hash`.
    #[serde(skip)]
    pub file: Option<T>,
    #[serde(skip)]
    pub line_number: Option<i64>,
    pub test: bool,
}
