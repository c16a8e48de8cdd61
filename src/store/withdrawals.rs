//! Imports that are undone.

use std::collections::BTreeMap;

use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::{Instant, StoreId, instant_from_ms};

/// A withdrawal that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenWithdrawal {
    pub id: i64,
    pub import: i64,
    pub asked_at: Instant,
}

/// How the undoing of an import stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Name of who asked.
    pub asked_by: String,
    pub asked_at: Instant,
    /// `None` until every row is out.
    pub done_at: Option<Instant>,
    /// Rows that were counted and are no more, so far.
    pub taken_out: i64,
    /// Earlier versions that count again in their place.
    pub brought_back: i64,
}

impl Database {
    /// Asks that an import be undone. False when there is nothing to ask: it still runs, or is being undone already.
    pub async fn ask_withdrawal(
        &self,
        import: i64,
        asked_by: &str,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let asked = statement(include_str!("sql/ask_withdrawal.sql"))
            .bind(import)
            .bind(asked_by)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(asked == 1)
    }

    /// Withdrawals that are not over, oldest first.
    pub async fn open_withdrawals(&self) -> Result<Vec<OpenWithdrawal>, StoreError> {
        let rows: Vec<(i64, i64, i64)> =
            statement(include_str!("sql/open_withdrawals.sql")).fetch_all(self.readers()).await?;
        let open = |(id, import, ms)| OpenWithdrawal { id, import, asked_at: instant_from_ms(ms) };
        Ok(rows.into_iter().map(open).collect())
    }

    /// Adds to what a withdrawal has done.
    pub async fn progress_withdrawal(
        &self,
        id: i64,
        taken_out: i64,
        brought_back: i64,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/progress_withdrawal.sql"))
            .bind(id)
            .bind(taken_out)
            .bind(brought_back)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Ends a withdrawal. Accounts that only this import had brought are forgotten: whoever sends for them first is
    /// their source of record again.
    pub async fn end_withdrawal(&self, withdrawal: &OpenWithdrawal, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/forget_accounts_of_import.sql"))
            .bind(withdrawal.import)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        statement(include_str!("sql/end_withdrawal.sql"))
            .bind(withdrawal.id)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// False for imports of versions that did not note which rows came with them.
    pub async fn is_traceable(&self, import: i64) -> Result<bool, StoreError> {
        let noted: Option<i64> = statement(include_str!("sql/is_traceable.sql"))
            .bind(import)
            .scalar_optional(self.readers())
            .await?;
        Ok(noted == Some(1))
    }

    /// The imports of a store that are undone (true) or being undone.
    pub async fn withdrawals(&self, store: StoreId) -> Result<BTreeMap<i64, bool>, StoreError> {
        let rows: Vec<(i64, Option<i64>)> = statement(include_str!("sql/list_withdrawals.sql"))
            .bind(store.0)
            .fetch_all(self.readers())
            .await?;
        Ok(rows.into_iter().map(|(import, done_ms)| (import, done_ms.is_some())).collect())
    }

    /// How the undoing of an import stands; `None` when nobody asked since it was last taken in.
    pub async fn withdrawal_of(&self, import: i64) -> Result<Option<Withdrawal>, StoreError> {
        let row: Option<(String, i64, Option<i64>, i64, i64)> =
            statement(include_str!("sql/get_withdrawal.sql"))
                .bind(import)
                .fetch_optional(self.readers())
                .await?;
        Ok(row.map(|(asked_by, asked_ms, done_ms, taken_out, brought_back)| Withdrawal {
            asked_by,
            asked_at: instant_from_ms(asked_ms),
            done_at: done_ms.map(instant_from_ms),
            taken_out,
            brought_back,
        }))
    }
}
