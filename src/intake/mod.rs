//! Bytes of any format become rows; `accept` is the one door to the inbox.

mod accept;
pub mod api;
pub mod bills;
mod card_number;
pub mod diagnosis;
pub mod fetching;
pub mod funnel;
mod gate;
mod guarded;
pub mod import;
mod import_days;
pub mod mapping;
pub mod mending;
mod pseudonym;
mod received;
pub mod rejected;
mod statements;
pub mod unlock;
pub mod uploads;
pub mod webhooks;
mod xml;

pub use accept::{ACCOUNTS_PER_STORE_MAX, Accepted, Encoded, Intake, IntakeError};
pub use bills::{FileHints, Refusal};
pub use card_number::{find_card_number, holds_card_number, names_card_secret};
pub use gate::IntakeGate;
pub use pseudonym::Pseudonyms;
pub use received::{Arriving, Received};
