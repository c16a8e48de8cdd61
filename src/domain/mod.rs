//! The words of the payments field as types. No I/O, no async, nothing that knows a database or a page.
//!
//! A value that exists is valid: strings from outside are judged in `intake` and die there.

mod access;
mod business_day;
mod checkout_event;
mod clock;
mod contract;
mod currency;
mod failure_reason;
mod fetched_bill;
mod identity;
mod instant_text;
mod ledger_line;
mod money;
mod proportion;
mod sabotage;
mod status;
mod steady_clock;
mod store;
mod text;
mod transaction;
mod word;

pub use access::{KeyMode, KeyScope, Role, StoreSet};
pub use business_day::{BusinessDay, DayError, Range, business_day_of, day_range};
pub use checkout_event::{CheckoutEvent, STEPS, Step};
pub use clock::{Clock, FixedClock, Instant, SystemClock, instant_from_ms};
pub use contract::{ContractRate, RATE_PPM_MAX, Rounding};
pub use currency::{Currency, CurrencyError};
pub use failure_reason::{FailureReason, failure_reason};
pub use fetched_bill::{BillKind, BillProvider};
pub use identity::{RecordKey, row_hash};
pub use ledger_line::{Direction, LedgerKind, LedgerLine};
pub use money::{AMOUNT_MINOR_MAX, Money, MoneyError, Sum, decimal_to_minor};
pub use proportion::Proportion;
pub use sabotage::{Promise, Sabotage};
pub use status::{FailureClass, Kind, Scene, Status};
pub use steady_clock::SteadyClock;
pub use store::{Grain, OrganisationId, SLUG_CHARS_MAX, Store, StoreId, is_store_slug};
pub use text::Text;
pub use transaction::{Item, MethodDetail, Risk, Stored, Stream, Transaction, import_feed, import_of_feed};
pub use word::Word;
