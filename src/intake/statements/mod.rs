//! What moved on accounts outside the payment providers: bank statements and transfers on a chain.
//!
//! Each format is a stream of entries; an entry becomes a ledger line of its own account. Bank lines are never sales:
//! their kind is `transfer`, or `fee` for what the bank itself charges.

mod booking;
mod camt;
mod mt940;
mod occurrences;
#[cfg(test)]
mod tests;
mod trongrid;

/// Characters of an account's number that are kept.
const ACCOUNT_CHARS_MAX: usize = 64;

pub(super) use camt::Camt;
pub(super) use mt940::Mt940;
pub(super) use occurrences::Occurrences;
pub(super) use trongrid::TronGrid;
