//! All SQL: one file per aggregate, one `.sql` file per statement (`src/store/sql`).
//!
//! # How to add a statement
//!
//! Write `sql/verb_noun.sql` in the subset that SQLite and PostgreSQL share (`$1` placeholders, `returning`,
//! `on conflict … do update`), bind it in the aggregate's file through `include_str!`, and name what it promises
//! in the function's comment. A test prepares every file of that folder.

mod connection;
mod contracts;
mod error;
mod imports;
mod inbox;
mod incidents;
mod keys;
mod manifest;
mod outbox;
mod people;
mod schema;
mod sessions;
mod settings;
mod shops;
mod tasks;
#[cfg(test)]
mod testing;
mod upkeep;
mod writer;

pub use connection::{Database, WriteTransaction};
pub use contracts::ContractEntry;
pub use error::StoreError;
pub use imports::{ImportDraft, ImportFindings, ImportOutcome, ImportRecord, ImportState, RejectedRow};
pub use inbox::{Backlog, BatchOutcome, HeldBatch, WaitingBatch};
pub use incidents::{Compose, Transition};
pub use keys::ApiKeyRecord;
pub use manifest::FoldCommit;
pub use outbox::{Channel, Delivery, DueNotification, Outgoing};
pub use people::{FirstSetup, Person, PersonDraft, PersonId};
pub use schema::Schema;
pub use sessions::{SESSION_AGE_MAX, SESSION_IDLE_MAX, Session, SessionEntry};
pub use shops::{Organisation, StoreChange, StoreDraft};
pub use tasks::TaskRun;
pub use upkeep::{CareAction, CareEntry, ShownCareEntry, Upkeep};
pub use writer::{InboxWriter, QUEUE_BYTES_MAX, QUEUE_ROWS_MAX, Refused};
