use crate::domain::{Instant, StoreId, Stream, instant_from_ms};

use super::statement::statement;
use super::{Database, KeptAnswer, StoreError, WriteTransaction};

/// A waiting batch, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingBatch {
    pub seq: i64,
    pub stream: Stream,
    pub rows: u64,
    pub received_at: Instant,
}

/// A batch that was set aside: it is kept, and holds up nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBatch {
    pub seq: i64,
    pub stream: Stream,
    pub rows: u64,
    pub received_at: Instant,
    pub held_at: Instant,
    /// What went wrong, for people.
    pub reason: String,
}

/// What the inbox holds that is not folded yet and was not set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub batches: i64,
    pub rows: i64,
    pub oldest: Option<Instant>,
}

/// What a fold made of one batch: accepted = new + replaced + unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    pub new: i64,
    pub replaced: i64,
    pub unchanged: i64,
}

/// A columnar batch on its way into the inbox.
#[derive(Clone, Copy, Debug)]
pub struct InboxBatch<'b> {
    pub stream: Stream,
    pub rows: usize,
    pub arrow_ipc: &'b [u8],
    pub received_at: Instant,
}

/// What one group commit is known by, so that it can be sent again without being there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupToken(String);

impl GroupToken {
    /// 128 random bits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the system has no randomness.
    pub fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            StoreError::Unavailable(sqlx::Error::Io(std::io::Error::other(format!("no randomness: {error}"))))
        })?;
        Ok(Self(format!("{:032x}", u128::from_le_bytes(bytes))))
    }
}

impl WriteTransaction {
    /// Appends one columnar batch of a group to the inbox and returns its sequence number; a batch that is there already
    /// is only found. Durable after `commit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn append_batch(
        &mut self,
        group: &GroupToken,
        batch: &InboxBatch<'_>,
    ) -> Result<i64, StoreError> {
        let appended = statement(include_str!("sql/append_batch.sql"))
            .bind(batch.stream.as_str())
            .bind(i64::try_from(batch.rows).unwrap_or(i64::MAX))
            .bind(batch.arrow_ipc)
            .bind(batch.received_at.timestamp_millis())
            .bind(&group.0)
            .scalar_optional(self.connection())
            .await?;
        if let Some(seq) = appended {
            return Ok(seq);
        }
        let find = statement(include_str!("sql/find_group_batch.sql"));
        find.bind(&group.0).bind(batch.stream.as_str()).scalar_one(self.connection()).await
    }
}

impl Database {
    /// Commits batches, one per stream, as one group, with the answers that are kept for retries, and returns their
    /// sequence numbers once they are on disk.
    ///
    /// On PostgreSQL the connection can be lost after COMMIT was sent, and nobody here knows then whether the group is
    /// there. So it is sent again under its token until the database confirms it: what is there is found, not doubled.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing may be acknowledged. On PostgreSQL the group may be there all the same, if
    /// the database stayed away for too long; sending the rows again is safe.
    pub async fn append_group(
        &self,
        batches: &[InboxBatch<'_>],
        answers: &[(KeptAnswer, Instant)],
    ) -> Result<Vec<(Stream, i64)>, StoreError> {
        let group = GroupToken::random()?;
        let mut patience = self.patience();
        loop {
            match self.try_append(&group, batches, answers).await {
                Err(error) if patience.bears(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn try_append(
        &self,
        group: &GroupToken,
        batches: &[InboxBatch<'_>],
        answers: &[(KeptAnswer, Instant)],
    ) -> Result<Vec<(Stream, i64)>, StoreError> {
        let mut write = self.begin_write().await?;
        let mut seqs = Vec::with_capacity(batches.len());
        for batch in batches {
            seqs.push((batch.stream, write.append_batch(group, batch).await?));
        }
        for (answer, at) in answers {
            write.keep_answer(answer, *at).await?;
        }
        write.commit().await?;
        Ok(seqs)
    }
}

impl Database {
    /// The oldest waiting batches, an explicit list: sequence order is not commit order, so nothing is ever marked by
    /// a high-water mark.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_batches(&self, batches_max: i64) -> Result<Vec<WaitingBatch>, StoreError> {
        let rows: Vec<(i64, String, i64, i64)> = statement(include_str!("sql/waiting_batches.sql"))
            .bind(batches_max)
            .fetch_all(self.readers())
            .await?;
        rows.into_iter()
            .map(|(seq, stream, rows, received_ms)| {
                Ok(WaitingBatch {
                    seq,
                    stream: parse_stream(&stream, seq)?,
                    rows: u64::try_from(rows).unwrap_or(0),
                    received_at: instant_from_ms(received_ms),
                })
            })
            .collect()
    }

    /// The bytes of a batch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_batch(&self, seq: i64) -> Result<Vec<u8>, StoreError> {
        let bytes = statement(include_str!("sql/read_batch.sql")).bind(seq).scalar_one(self.readers());
        bytes.await
    }

    /// How much waits to be folded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn inbox_backlog(&self) -> Result<Backlog, StoreError> {
        let (batches, rows, oldest_ms): (i64, i64, Option<i64>) =
            statement(include_str!("sql/inbox_backlog.sql")).fetch_one(self.readers()).await?;
        Ok(Backlog { batches, rows, oldest: oldest_ms.map(instant_from_ms) })
    }

    /// Sets a batch aside: it is no longer folded, and not deleted, until it is released. One that is folded or held
    /// already stays as it is. Returns whether it was set aside now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold_batch(&self, seq: i64, reason: &str, at: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let held = statement(include_str!("sql/hold_batch.sql"))
            .bind(seq)
            .bind(reason)
            .bind(at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(held == 1)
    }

    /// Lets a batch that was set aside be folded again. Returns whether it was held.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_batch(&self, seq: i64) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let released =
            statement(include_str!("sql/release_batch.sql")).bind(seq).execute(write.connection()).await?;
        write.commit().await?;
        Ok(released == 1)
    }

    /// The oldest batches that were set aside.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_batches(&self, batches_max: i64) -> Result<Vec<HeldBatch>, StoreError> {
        type Row = (i64, String, i64, i64, Option<i64>, String);
        let rows: Vec<Row> = statement(include_str!("sql/held_batches.sql"))
            .bind(batches_max)
            .fetch_all(self.readers())
            .await?;
        rows.into_iter()
            .map(|(seq, stream, rows, received_ms, held_ms, reason)| {
                let stream = parse_stream(&stream, seq)?;
                let rows = u64::try_from(rows).unwrap_or(0);
                let received_at = instant_from_ms(received_ms);
                let held_at = held_ms.map_or(received_at, instant_from_ms);
                Ok(HeldBatch { seq, stream, rows, received_at, held_at, reason })
            })
            .collect()
    }

    /// How many batches are set aside.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_held_batches(&self) -> Result<i64, StoreError> {
        statement(include_str!("sql/count_held_batches.sql")).scalar_one(self.readers()).await
    }

    /// What the fold made of a batch; `None` while it waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn batch_outcome(&self, seq: i64) -> Result<Option<BatchOutcome>, StoreError> {
        let row: Option<(i64, i64, i64)> = statement(include_str!("sql/count_outcomes.sql"))
            .bind(seq)
            .fetch_optional(self.readers())
            .await?;
        Ok(row.map(|(new, replaced, unchanged)| BatchOutcome { new, replaced, unchanged }))
    }

    /// Deletes at most `batches_max` batches that were folded before `before`; returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_batches(&self, before: Instant, batches_max: i64) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let deleted = statement(include_str!("sql/expire_batches.sql"))
            .bind(before.timestamp_millis())
            .bind(batches_max)
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(deleted)
    }

    /// The feed that is counted for this account; the first that sends becomes it. `None` when the store has
    /// `accounts_max` accounts already and this one is not among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn source_of_record(
        &self,
        store: StoreId,
        account: &str,
        feed: &str,
        at: Instant,
        accounts_max: i64,
    ) -> Result<Option<String>, StoreError> {
        let find = include_str!("sql/find_source_of_record.sql");
        let known: Option<String> =
            statement(find).bind(store.0).bind(account).scalar_optional(self.readers()).await?;
        if known.is_some() {
            return Ok(known);
        }
        let mut write = self.begin_write().await?;
        let count: i64 = statement(include_str!("sql/count_accounts.sql"))
            .bind(store.0)
            .scalar_one(write.connection())
            .await?;
        if count >= accounts_max {
            return Ok(None);
        }
        statement(include_str!("sql/register_account.sql"))
            .bind(store.0)
            .bind(account)
            .bind(feed)
            .bind(at.timestamp_millis())
            .execute(write.connection())
            .await?;
        let kept: String = statement(find).bind(store.0).bind(account).scalar_one(write.connection()).await?;
        write.commit().await?;
        Ok(Some(kept))
    }
}

fn parse_stream(text: &str, seq: i64) -> Result<Stream, StoreError> {
    Stream::parse(text).ok_or_else(|| StoreError::Inconsistent {
        table: "inbox",
        row: seq.to_string(),
        what: format!("stream `{text}`"),
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::testing::on_both_engines;
    use super::*;

    on_both_engines!(
        a_batch_set_aside_waits_until_it_is_released_and_is_never_purged,
        a_group_that_is_sent_again_is_found_and_not_doubled
    );

    async fn a_group_that_is_sent_again_is_found_and_not_doubled(database: Database) {
        let now = instant_from_ms(0);
        let lines = InboxBatch { stream: Stream::LedgerLines, rows: 3, arrow_ipc: b"x", received_at: now };
        let group = [lines, InboxBatch { stream: Stream::Transactions, ..lines }];
        let token = GroupToken::random().unwrap();
        let first = database.try_append(&token, &group, &[]).await.unwrap();
        assert_eq!(database.try_append(&token, &group, &[]).await.unwrap(), first);
        assert_eq!(database.waiting_batches(10).await.unwrap().len(), 2);
        database.append_group(&group, &[]).await.unwrap();
        assert_eq!(database.waiting_batches(10).await.unwrap().len(), 4);
    }

    async fn a_batch_set_aside_waits_until_it_is_released_and_is_never_purged(database: Database) {
        let now = instant_from_ms(1_700_000_000_000);
        let batch = InboxBatch { stream: Stream::LedgerLines, rows: 3, arrow_ipc: b"x", received_at: now };
        let seq = database.append_group(&[batch], &[]).await.unwrap()[0].1;
        assert!(database.hold_batch(seq, "damaged", now).await.unwrap());
        assert!(!database.hold_batch(seq, "again", now).await.unwrap(), "held already");
        assert!(database.waiting_batches(10).await.unwrap().is_empty());
        assert_eq!(database.inbox_backlog().await.unwrap().rows, 0);
        assert_eq!(database.count_held_batches().await.unwrap(), 1);
        let held = database.held_batches(10).await.unwrap();
        assert_eq!((held[0].seq, held[0].rows, held[0].reason.as_str()), (seq, 3, "damaged"));
        assert_eq!(database.expire_batches(now + TimeDelta::days(999), 10).await.unwrap(), 0);
        assert!(database.release_batch(seq).await.unwrap());
        assert!(!database.release_batch(seq).await.unwrap());
        assert_eq!(database.waiting_batches(10).await.unwrap().len(), 1);
    }
}
