//! Bytes of any format become rows; `accept` is the one door to the inbox.

mod accept;

pub use accept::{ACCOUNTS_PER_STORE_MAX, Accepted, Intake, IntakeError};
