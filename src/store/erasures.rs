use std::collections::BTreeSet;

use crate::domain::Instant;

use super::statement::{statement, statement_per_engine};
use super::{Database, StoreError, sqlite};

impl Database {
    /// Notes that a person is to be erased, by the hash of their pseudonym; noted once.
    pub async fn note_erasure(&self, person: &str, basis: &str, asked_at: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/note_erasure.sql"))
            .bind(person)
            .bind(basis)
            .bind(asked_at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Notes that these persons are erased.
    pub async fn end_erasures(&self, persons: &BTreeSet<String>, at: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        for person in persons {
            statement(include_str!("sql/end_erasure.sql"))
                .bind(person)
                .bind(at.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// Persons who were to be erased and are not yet: hash, basis and when it was asked.
    pub async fn open_erasures(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        statement(include_str!("sql/open_erasures.sql")).fetch_all(self.readers()).await
    }

    /// Hashes of persons who are erased here.
    pub async fn erased_persons(&self) -> Result<BTreeSet<String>, StoreError> {
        let persons: Vec<String> =
            statement(include_str!("sql/erased_persons.sql")).scalar_all(self.readers()).await?;
        Ok(persons.into_iter().collect())
    }

    /// Takes a text out of every line that was rejected.
    pub async fn erase_from_rejected_rows(&self, text: &str) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let erased = statement_per_engine(
            include_str!("sql/erase_from_rejected_rows.sql"),
            include_str!("sql/erase_from_rejected_rows.postgres.sql"),
        )
        .bind(text)
        .execute(write.connection())
        .await?;
        write.commit().await?;
        Ok(erased)
    }

    /// Leaves nothing of deleted rows in free pages or in the log. Nobody else may have the database open.
    ///
    /// # Errors
    /// [`StoreError`]. PostgreSQL does this by itself, later (`vacuum full` at once).
    pub async fn scrub_free_pages(&self) -> Result<(), StoreError> {
        match self.file() {
            Some(file) => sqlite::scrub_free_pages(file).await,
            None => Ok(()),
        }
    }
}
