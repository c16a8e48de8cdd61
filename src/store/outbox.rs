//! Channels, and messages that wait to be sent through them.

use crate::domain::{Instant, StoreId, instant_from_ms};

use super::statement::statement;
use super::{Database, StoreError, WriteTransaction};

/// A message to be written into the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub channel: i64,
    /// What is sent, in the channel's own format.
    pub body: String,
}

/// A message whose time to be sent has come.
#[derive(Clone, PartialEq, Eq)]
pub struct DueNotification {
    pub id: i64,
    pub channel: i64,
    /// A secret: never shown, never logged.
    pub url: String,
    pub body: String,
    /// Tries so far.
    pub attempts: i64,
    pub due_at: Instant,
    pub created_at: Instant,
}

/// What became of a try to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Sent {
        at: Instant,
    },
    /// Tried again at `due`.
    Later {
        due: Instant,
        error: String,
    },
    /// Given up.
    Failed {
        error: String,
    },
}

/// A robot in a group chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: i64,
    /// `None`: every store.
    pub store: Option<StoreId>,
    /// A secret: never shown, never logged.
    pub url: String,
    pub language: String,
    pub daily_report: bool,
    pub created_at: Instant,
    pub last_sent_at: Option<Instant>,
    /// The cause of the youngest message that is not through; empty: none.
    pub last_error: String,
}

#[derive(sqlx::FromRow)]
struct ChannelRow {
    id: i64,
    store_id: i64,
    url: String,
    language: String,
    daily_report: i64,
    created_at_ms: i64,
    sent_at_ms: Option<i64>,
    last_error: Option<String>,
}

impl ChannelRow {
    fn read(self) -> Channel {
        Channel {
            id: self.id,
            store: (self.store_id != 0).then_some(StoreId(self.store_id)),
            url: self.url,
            language: self.language,
            daily_report: self.daily_report != 0,
            created_at: instant_from_ms(self.created_at_ms),
            last_sent_at: self.sent_at_ms.map(instant_from_ms),
            last_error: self.last_error.unwrap_or_default(),
        }
    }
}

impl WriteTransaction {
    /// Writes a message of a change; `once` keeps it from being written twice.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn insert_notification(
        &mut self,
        message: &Outgoing,
        once: &str,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let written = statement(include_str!("sql/insert_notification.sql"))
            .bind(message.channel)
            .bind(once)
            .bind(&message.body)
            .bind(now.timestamp_millis())
            .execute(self.connection())
            .await?;
        Ok(written > 0)
    }
}

impl Database {
    /// Writes a message of its own, once. False: it was written before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn post_notification(
        &self,
        message: &Outgoing,
        once: &str,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let written = write.insert_notification(message, once, now).await?;
        write.commit().await?;
        Ok(written)
    }

    /// Messages to send now, the most overdue first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_notifications(
        &self,
        now: Instant,
        most: i64,
    ) -> Result<Vec<DueNotification>, StoreError> {
        let rows: Vec<(i64, i64, String, String, i64, i64, i64)> =
            statement(include_str!("sql/due_notifications.sql"))
                .bind(now.timestamp_millis())
                .bind(most)
                .fetch_all(self.readers())
                .await?;
        let read = |(id, channel, url, body, attempts, due_ms, created_ms)| DueNotification {
            id,
            channel,
            url,
            body,
            attempts,
            due_at: instant_from_ms(due_ms),
            created_at: instant_from_ms(created_ms),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Takes a message to be sent, so that no other server sends it until `until`. False: another one has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_notification(
        &self,
        due: &DueNotification,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let claimed = statement(include_str!("sql/claim_notification.sql"))
            .bind(due.id)
            .bind(due.due_at.timestamp_millis())
            .bind(until.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(claimed == 1)
    }

    /// Notes what became of a try to send.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_notification(
        &self,
        due: &DueNotification,
        delivery: &Delivery,
        now: Instant,
    ) -> Result<(), StoreError> {
        let (state, next, sent, error) = match delivery {
            Delivery::Sent { at } => ("sent", now, Some(at.timestamp_millis()), ""),
            Delivery::Later { due, error } => ("waiting", *due, None, error.as_str()),
            Delivery::Failed { error } => ("failed", now, None, error.as_str()),
        };
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/settle_notification.sql"))
            .bind(due.id)
            .bind(state)
            .bind(due.attempts + 1)
            .bind(next.timestamp_millis())
            .bind(sent)
            .bind(error)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// How many messages wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_waiting_notifications(&self) -> Result<i64, StoreError> {
        statement(include_str!("sql/count_waiting_notifications.sql")).scalar_one(self.readers()).await
    }

    /// Deletes messages that were written before then and are not waiting.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_notifications(&self, before: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let deleted = statement(include_str!("sql/expire_notifications.sql"))
            .bind(before.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(deleted)
    }

    /// Sets the robot of a store (`None`: of every store); returns its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replace_channel(
        &self,
        store: Option<StoreId>,
        url: &str,
        language: &str,
        daily_report: bool,
        now: Instant,
    ) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        let id = statement(include_str!("sql/replace_channel.sql"))
            .bind(store.map_or(0, |store| store.0))
            .bind(url)
            .bind(language)
            .bind(i64::from(daily_report))
            .bind(now.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(id)
    }

    /// Changes a robot's language and daily report, its address stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_channel_options(&self, id: i64, language: &str, daily: bool) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/set_channel_options.sql"))
            .bind(id)
            .bind(language)
            .bind(i64::from(daily))
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Forgets a robot and what waits for it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_channel(&self, id: i64) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/delete_channel.sql")).bind(id).execute(write.connection()).await?;
        write.commit().await
    }

    /// Every robot, with when it last took a message.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn channels(&self) -> Result<Vec<Channel>, StoreError> {
        let rows: Vec<ChannelRow> =
            statement(include_str!("sql/list_channels.sql")).fetch_all(self.readers()).await?;
        Ok(rows.into_iter().map(ChannelRow::read).collect())
    }
}
