//! Adyen's reports: amounts are unsigned decimals of major units, and the column says which way they go.

mod accounting;
mod kinds;
mod settlement;
mod zones;

pub use accounting::AdyenAccounting;
pub use settlement::AdyenSettlement;

const PROVIDER: &str = "adyen";
