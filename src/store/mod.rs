//! All SQL: one file per aggregate, one `.sql` file per statement (`src/store/sql`).
//!
//! # How to add a statement
//!
//! Write `sql/verb_noun.sql` in the subset that SQLite and PostgreSQL share (`$1` placeholders, `returning`,
//! `on conflict … do update`; a sum is cast to bigint), run it in the aggregate's file through
//! `statement(include_str!(…))`, and name what it promises in the function's comment. Where no common wording exists,
//! `sql/verb_noun.postgres.sql` stands beside it and `statement_per_engine` takes both. A test prepares every file of
//! that folder on both engines. Migrations come in pairs, one file of the same number for each engine.

mod address;
mod backups;
mod bill_fetches;
mod connection;
mod contracts;
mod endpoints;
#[cfg(test)]
#[path = "../../tests/it/engines.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod engines;
mod erasures;
mod error;
mod idempotency;
mod imports;
mod inbox;
mod incidents;
mod kept;
mod keys;
mod manifest;
mod outbox;
mod pending_imports;
mod people;
mod postgres;
mod reconciliation;
mod rejected_rows;
mod rollups;
mod saved_mappings;
mod schema;
mod sealed;
mod sessions;
mod settings;
mod shares;
mod shops;
mod sites;
mod sqlite;
mod statement;
mod tasks;
#[cfg(test)]
mod testing;
mod upkeep;
mod versions;
mod webhook_facts;
mod withdrawals;
mod writer;

pub use address::DatabaseAddress;
pub use bill_fetches::{
    BillFetch, BillSource, BillSourceDraft, FetchOutcome, FetchState, KeptKeyError, PublicPart, Told,
};
pub use connection::{Database, Durability, WriteTransaction};
pub use contracts::ContractEntry;
pub use endpoints::{EndpointRecord, REJECTED_PER_ENDPOINT_MAX, RejectedNotice, SecretRecord};
pub use error::StoreError;
pub use idempotency::{Claim, Claims, GivenAnswer, Hash, KeptAnswer};
pub use imports::{ImportDraft, ImportFindings, ImportOutcome, ImportRecord, ImportState};
pub use inbox::{Backlog, BatchOutcome, GroupToken, HeldBatch, InboxBatch, WaitingBatch};
pub use incidents::{Compose, Transition};
pub use keys::ApiKeyRecord;
pub use manifest::FoldCommit;
pub use outbox::{Channel, Delivery, DueNotification, Outgoing};
pub use pending_imports::{
    Admitted, ArrivedDay, ImportDay, PENDING_BYTES_PER_STORE_MAX, PENDING_PER_STORE_MAX, PendingDraft,
    PendingImport,
};
pub use people::{FirstSetup, Person, PersonDraft, PersonId};
pub use reconciliation::{Closing, DayCommit, Partition};
pub use rejected_rows::KeptRejectedRow;
pub use rollups::KeptLevels;
pub use saved_mappings::{MappingDraft, SAVED_MAPPINGS_MAX, SavedMapping};
pub use schema::Schema;
pub use sealed::{Opened, Seal, SealError, SealedPlace};
pub use sessions::{SESSION_AGE_MAX, SESSION_IDLE_MAX, Session, SessionEntry};
pub use shares::{Load, Room, Share, Shares};
pub use shops::{Organisation, StoreChange, StoreDraft};
pub use sites::{COLLECT_SITES_MAX, CollectSite};
pub use tasks::TaskRun;
pub use upkeep::{CareAction, CareEntry, ShownCareEntry, Upkeep};
pub use webhook_facts::{FactScope, KeptFact};
pub use withdrawals::{OpenWithdrawal, Withdrawal};
pub use writer::{
    InboxWriter, Parcel, QUEUE_BYTES_MAX, QUEUE_ROWS_MAX, Refused, SHARE_BYTES_MIN, SHARE_ROWS_MIN,
};
