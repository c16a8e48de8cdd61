//! Stripe's CSV files: in whatever columns and order were chosen.

mod balance;
mod category;
mod payments;

use super::columns::Columns;

pub use balance::StripeBalance;
pub use payments::StripePayments;

const PROVIDER: &str = "stripe";
/// Keys of metadata that shops give to their own order number, without case, spaces and signs.
const ORDER_KEYS: [&str; 8] = [
    "orderid",
    "order",
    "ordernumber",
    "orderno",
    "orderref",
    "orderreference",
    "merchantorderid",
    "clientreferenceid",
];
/// The same of their store.
const STORE_KEYS: [&str; 6] = ["store", "storeid", "storecode", "shop", "shopid", "location"];

/// Where a metadata column with one of these keys stands: `payment_metadata[order_id]`, `order_id (metadata)`.
fn metadata(columns: &Columns, keys: &[&str]) -> Option<usize> {
    let key_of = |name: &str| -> Option<String> {
        let lower = name.to_ascii_lowercase();
        let key = match lower.strip_suffix("(metadata)") {
            Some(key) => key,
            None => lower.strip_suffix(']')?.split_once("metadata[")?.1,
        };
        Some(key.chars().filter(char::is_ascii_alphanumeric).collect())
    };
    keys.iter().find_map(|key| columns.find_where(|name| key_of(name).as_deref() == Some(key)))
}
