//! Reconciliation (对账): the shop's records beside the lines of bills, payouts beside the lines of the bank.
//!
//! Per organisation and source day (each source on its own day). Rules in order of certainty: ids; numbers found in texts
//! by the store's own pattern; an equal amount is only ever a suggestion. What is not simply matched becomes a finding,
//! and the findings of an account explain the difference of its totals to the minor unit: [`DayBooks::check`].
//!
//! Days are worked on one after the other. What one day leaves open is carried into the next seven, so that memory holds
//! the rows of one day, and a change costs the days it touches.

mod arrivals;
mod books;
mod by_hand;
mod calendar;
mod carry;
mod day;
mod entry;
mod fees;
mod limits;
mod matching;
mod read;
mod reference;
mod rules;
mod summary;
#[cfg(test)]
mod tests;

pub use arrivals::{Arrival, Arrivals, Arrived, BankLine, Payout, PayoutSource, arrivals, payouts_of};
pub use books::{
    Because, Bucket, Class, Closed, DayBooks, DaySum, FeeCheck, Finding, More, Tally, Unbalanced,
};
pub use by_hand::{Action, ActionKind, apply};
pub use calendar::{CYCLE_DAYS_MAX, due_after, is_working_day};
pub use carry::{Reworked, days_around, rework_day};
pub use day::{DayResult, DayRows, OPEN_DAYS, UNBILLED_MAX, reconcile_day};
pub use entry::{ANY_ACCOUNT, BANK, Entry, EntryKind, Standing, bill_due, is_own_book, rail, source_day};
pub use limits::FINDINGS_OF_CLASS_MAX;
pub use read::{SourceDays, read_day, source_days};
pub use reference::{PATTERN_CHARS_MAX, Reference};
pub use rules::{AccountRules, Rules};
pub use summary::{AccountSum, ClassSums, summarise};
