//! Small facts about the installation, by name.

use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::Instant;

impl Database {
    /// A setting; `None` when it was never set.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        statement(include_str!("sql/get_setting.sql")).bind(name).scalar_optional(self.readers()).await
    }

    /// Sets a setting.
    pub async fn put_setting(&self, name: &str, content: &str, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/put_setting.sql"))
            .bind(name)
            .bind(content)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }
}
