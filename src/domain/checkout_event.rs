use serde::Serialize;

use super::{Currency, Instant, Item, StoreId, Word};

/// A step of a shopper's way through checkout (GA4 names, and ours for payment).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Step {
    ViewItem,
    AddToCart,
    BeginCheckout,
    AddShippingInfo,
    AddPaymentInfo,
    PaymentAttempt,
    PaymentFailed,
    Purchase,
    Refund,
    Cancel,
}

/// Every step, in the order of the way.
pub const STEPS: [Step; 10] = [
    Step::ViewItem,
    Step::AddToCart,
    Step::BeginCheckout,
    Step::AddShippingInfo,
    Step::AddPaymentInfo,
    Step::PaymentAttempt,
    Step::PaymentFailed,
    Step::Purchase,
    Step::Refund,
    Step::Cancel,
];

impl Step {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewItem => "view_item",
            Self::AddToCart => "add_to_cart",
            Self::BeginCheckout => "begin_checkout",
            Self::AddShippingInfo => "add_shipping_info",
            Self::AddPaymentInfo => "add_payment_info",
            Self::PaymentAttempt => "payment_attempt",
            Self::PaymentFailed => "payment_failed",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Cancel => "cancel",
        }
    }

    /// The step of a wire word.
    pub fn parse(text: &str) -> Option<Self> {
        STEPS.into_iter().find(|step| step.as_str() == text)
    }
}

/// One step of one shopper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckoutEvent<T = String> {
    pub event_id: T,
    #[serde(serialize_with = "super::instant_text::serialize")]
    pub time: Instant,
    pub store: StoreId,
    pub session_id: T,
    /// Keyed hash, 32 hex digits.
    pub visitor: Option<T>,
    pub step: Step,
    pub order_id: Option<T>,
    pub currency: Option<Currency>,
    /// Minor units of `currency`.
    pub value: Option<i64>,
    pub methods_offered: Vec<Word>,
    pub method: Option<Word>,
    pub promotion: Option<T>,
    pub source: Option<T>,
    pub campaign: Option<T>,
    pub device: Option<T>,
    pub dwell_ms: Option<i64>,
    pub autofilled: Option<bool>,
    pub field_error: Option<T>,
    pub items: Vec<Item<T>>,
    pub attributes: Vec<(T, T)>,
    pub test: bool,
}
