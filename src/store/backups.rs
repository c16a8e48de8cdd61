use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::Instant;

use super::statement::statement;
use super::{Database, StoreError, sqlite};

impl Database {
    /// Keeps every file of the lake from being removed, until [`Database::let_files_go`] or `until`: a backup that
    /// dies must not keep them for ever.
    pub async fn hold_files(&self, token: &str, until: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/hold_files.sql"))
            .bind(token)
            .bind(until.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// The backup with this token has ended.
    pub async fn let_files_go(&self, token: &str) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/let_files_go.sql")).bind(token).execute(write.connection()).await?;
        write.commit().await
    }

    /// No backup runs: in what was restored from one, its own hold still stands.
    pub async fn let_all_files_go(&self) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/let_all_files_go.sql")).execute(write.connection()).await?;
        write.commit().await
    }

    /// True while a backup runs.
    pub async fn files_are_held(&self, now: Instant) -> Result<bool, StoreError> {
        let holds: i64 = statement(include_str!("sql/count_holds.sql"))
            .bind(now.timestamp_millis())
            .scalar_one(self.readers())
            .await?;
        Ok(holds > 0)
    }

    /// Copies an SQLite database as it is at one moment, beside whoever writes to it, and syncs the copy.
    ///
    /// # Errors
    /// [`StoreError::Unsafe`] on PostgreSQL, whose own tools make dumps.
    pub async fn copy_to(&self, target: &Path) -> Result<(), StoreError> {
        match self.file() {
            Some(file) => sqlite::copy(file, target).await,
            None => Err(StoreError::Unsafe("a PostgreSQL database is copied by pg_dump".to_owned())),
        }
    }

    /// What SQLite finds wrong with its own file; `None` on PostgreSQL, which looks after its files itself.
    pub async fn integrity_faults(&self) -> Result<Option<Vec<String>>, StoreError> {
        match self.file() {
            Some(file) => Ok(Some(sqlite::integrity_faults(file).await?)),
            None => Ok(None),
        }
    }

    /// Every path that the manifest names, in whatever state.
    pub async fn known_paths(&self) -> Result<BTreeSet<String>, StoreError> {
        let paths: Vec<String> =
            statement(include_str!("sql/known_paths.sql")).scalar_all(self.readers()).await?;
        Ok(paths.into_iter().collect())
    }
}
