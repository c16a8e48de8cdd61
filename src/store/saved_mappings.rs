//! Mappings that somebody made for a store's files.

use super::statement::statement;
use super::{Database, PersonId, StoreError};
use crate::domain::{Instant, StoreId, instant_from_ms};

/// Mappings of one store that are in use.
pub const SAVED_MAPPINGS_MAX: usize = 100;

/// A mapping in one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMapping {
    pub id: i64,
    pub store: StoreId,
    pub name: String,
    pub version: i64,
    /// A mapping file.
    pub text: String,
    pub created_at: Instant,
}

/// A mapping to keep.
#[derive(Clone, Debug)]
pub struct MappingDraft {
    pub store: StoreId,
    pub name: String,
    pub text: String,
    pub person: PersonId,
}

#[derive(sqlx::FromRow)]
struct SavedRow {
    id: i64,
    store_id: i64,
    name: String,
    version: i64,
    text: String,
    created_at_ms: i64,
}

impl SavedRow {
    fn read(self) -> SavedMapping {
        SavedMapping {
            id: self.id,
            store: StoreId(self.store_id),
            name: self.name,
            version: self.version,
            text: self.text,
            created_at: instant_from_ms(self.created_at_ms),
        }
    }
}

impl Database {
    /// Keeps a mapping as the next version of its name; `None` when the store has as many as it may.
    pub async fn save_mapping(&self, draft: &MappingDraft, now: Instant) -> Result<Option<i64>, StoreError> {
        let known = self.saved_mappings(draft.store).await?;
        if known.len() >= SAVED_MAPPINGS_MAX && known.iter().all(|own| own.name != draft.name) {
            return Ok(None);
        }
        let mut write = self.begin_write().await?;
        let id = statement(include_str!("sql/insert_saved_mapping.sql"))
            .bind(draft.store.0)
            .bind(&draft.name)
            .bind(&draft.text)
            .bind(draft.person.0)
            .bind(now.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(Some(id))
    }

    /// The mappings of a store that are in use, each in its latest version, by name.
    pub async fn saved_mappings(&self, store: StoreId) -> Result<Vec<SavedMapping>, StoreError> {
        let rows: Vec<SavedRow> = statement(include_str!("sql/list_saved_mappings.sql"))
            .bind(store.0)
            .fetch_all(self.readers())
            .await?;
        Ok(rows.into_iter().map(SavedRow::read).collect())
    }

    /// A mapping in any version, by its number.
    pub async fn saved_mapping(&self, id: i64) -> Result<Option<SavedMapping>, StoreError> {
        let row: Option<SavedRow> = statement(include_str!("sql/get_saved_mapping.sql"))
            .bind(id)
            .fetch_optional(self.readers())
            .await?;
        Ok(row.map(SavedRow::read))
    }

    /// Takes a mapping out of use, in all its versions; what was imported by it stays.
    pub async fn retire_mapping(&self, store: StoreId, name: &str, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/retire_saved_mapping.sql"))
            .bind(store.0)
            .bind(name)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }
}
