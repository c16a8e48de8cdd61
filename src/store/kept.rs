//! What is still kept of what came in: batches, folded or not.

use crate::domain::Stream;

use super::statement::statement;
use super::{Database, StoreError};

impl Database {
    /// Every batch of a stream that is kept, folded or not.
    pub async fn batch_numbers(&self, stream: Stream) -> Result<Vec<i64>, StoreError> {
        statement(include_str!("sql/batch_numbers.sql"))
            .bind(stream.as_str())
            .scalar_all(self.readers())
            .await
    }

    /// The batches of a stream that were folded and are still kept, with the data version that took each in.
    pub async fn folded_batches(&self, stream: Stream) -> Result<Vec<(i64, i64)>, StoreError> {
        statement(include_str!("sql/folded_batches.sql"))
            .bind(stream.as_str())
            .fetch_all(self.readers())
            .await
    }

    /// Replaces the bytes of a batch by those of the same rows.
    pub async fn replace_batch(&self, seq: i64, arrow_ipc: &[u8]) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let replaced = statement(include_str!("sql/replace_batch.sql"))
            .bind(seq)
            .bind(arrow_ipc)
            .execute(write.connection())
            .await?;
        super::manifest::expect_one(replaced, "an inbox batch")?;
        write.commit().await
    }
}
