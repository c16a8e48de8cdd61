use super::statement::statement;
use super::{Database, StoreError};

/// How far the database's schema is from the one this program was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Number of the youngest migration that was applied.
    pub applied: i64,
    /// Number of the youngest migration that this program knows.
    pub known: i64,
    /// How many that this program knows were not applied yet.
    pub pending: i64,
}

impl Database {
    /// The schema of the database and of the program; they differ when a newer program has been here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let applied: Option<i64> =
            statement(include_str!("sql/youngest_migration.sql")).scalar_one(self.readers()).await?;
        let known = self.migrations().iter().map(|migration| migration.version).max();
        let count: i64 =
            statement(include_str!("sql/count_migrations.sql")).scalar_one(self.readers()).await?;
        let all = i64::try_from(self.migrations().iter().count()).unwrap_or(i64::MAX);
        Ok(Schema { applied: applied.unwrap_or(0), known: known.unwrap_or(0), pending: all - count })
    }
}
