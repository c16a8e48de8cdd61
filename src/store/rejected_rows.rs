//! Lines of files that were not taken: sealed, mended, forgotten.

use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::Instant;

/// A line that was not taken, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct KeptRejectedRow {
    pub line: i64,
    pub field: String,
    pub code: String,
    pub sentence: String,
    /// In the open: of imports from before lines were sealed.
    pub raw: Option<String>,
    /// The line without what points to a shopper, sealed; empty where it must not be kept.
    pub sealed: Vec<u8>,
    /// When it was mended; `None` while it is rejected.
    pub mended_at_ms: Option<i64>,
}

impl Database {
    /// Keeps rejected lines.
    pub async fn add_rejected_rows(&self, import: i64, rows: &[KeptRejectedRow]) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        for row in rows {
            statement(include_str!("sql/insert_rejected_row.sql"))
                .bind(import)
                .bind(row.line)
                .bind(&row.field)
                .bind(&row.code)
                .bind(&row.sentence)
                .bind(&row.sealed)
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// The rejected lines of an import, in the order of the file, mended ones too.
    pub async fn rejected_rows(&self, import: i64, most: i64) -> Result<Vec<KeptRejectedRow>, StoreError> {
        let rows = statement(include_str!("sql/list_rejected_rows.sql")).bind(import).bind(most);
        rows.fetch_all(self.readers()).await
    }

    /// How many of an import's rejected lines were mended.
    pub async fn mended_rows(&self, import: i64) -> Result<i64, StoreError> {
        let count = statement(include_str!("sql/count_mended_rows.sql")).bind(import);
        count.scalar_one(self.readers()).await
    }

    /// Notes which lines were mended and what is wrong with those that still are not taken; the import's counts follow.
    pub async fn note_mended(
        &self,
        import: i64,
        mended: &[i64],
        still: &[KeptRejectedRow],
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let mut count = 0_i64;
        for line in mended {
            let marked = statement(include_str!("sql/mark_row_mended.sql"))
                .bind(import)
                .bind(*line)
                .bind(now.timestamp_millis())
                .bind(Vec::new())
                .execute(write.connection())
                .await?;
            count += i64::from(marked > 0);
        }
        for row in still {
            statement(include_str!("sql/replace_rejected_row.sql"))
                .bind(import)
                .bind(row.line)
                .bind(&row.field)
                .bind(&row.code)
                .bind(&row.sentence)
                .bind(&row.sealed)
                .execute(write.connection())
                .await?;
        }
        let counted = statement(include_str!("sql/count_row_mended.sql")).bind(import).bind(count);
        counted.execute(write.connection()).await?;
        write.commit().await
    }

    /// Keeps how an import's file began: the text up to the end of its header.
    pub async fn note_import_head(&self, import: i64, head: &str) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let set = statement(include_str!("sql/set_import_head.sql")).bind(import).bind(head);
        set.execute(write.connection()).await?;
        write.commit().await
    }

    /// How an import's file began; `None` where its lines cannot be read alone.
    pub async fn import_head(&self, import: i64) -> Result<Option<String>, StoreError> {
        let head: Option<(Option<String>,)> = statement(include_str!("sql/get_import_head.sql"))
            .bind(import)
            .fetch_optional(self.readers())
            .await?;
        Ok(head.and_then(|(head,)| head))
    }

    /// The imports that have sealed lines.
    pub async fn imports_with_sealed_rows(&self) -> Result<Vec<i64>, StoreError> {
        statement(include_str!("sql/imports_with_sealed_rows.sql")).scalar_all(self.readers()).await
    }

    /// Forgets what stood in a rejected line.
    pub async fn clear_rejected_row(&self, import: i64, line: i64) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let clear = statement(include_str!("sql/clear_rejected_row.sql"));
        let clear = clear.bind(import).bind(line).bind(Vec::new());
        clear.execute(write.connection()).await?;
        write.commit().await
    }

    /// Forgets what stood in rejected lines of imports that ended before `before`; why they were rejected stays.
    pub async fn forget_old_rejected_rows(&self, before: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let forget = statement(include_str!("sql/forget_old_rejected_rows.sql"));
        let gone =
            forget.bind(before.timestamp_millis()).bind(Vec::new()).execute(write.connection()).await?;
        write.commit().await?;
        Ok(gone)
    }
}
