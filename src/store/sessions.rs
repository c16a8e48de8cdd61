//! Sessions: who is logged in where. The token itself is only in the browser.

use chrono::TimeDelta;

use super::people::PersonRow;
use super::statement::statement;
use super::{Database, Person, PersonId, StoreError};
use crate::domain::{Instant, instant_from_ms};

/// A session ends after this long without a request.
pub const SESSION_IDLE_MAX: TimeDelta = TimeDelta::minutes(30);
/// A session ends after this long in any case.
pub const SESSION_AGE_MAX: TimeDelta = TimeDelta::hours(12);
/// `last_seen` is written at most this often, so that reading pages seldom writes.
const SEEN_GRAIN: TimeDelta = TimeDelta::minutes(1);
/// Ended sessions are forgotten after this long.
const SESSION_KEPT: TimeDelta = TimeDelta::days(7);

/// A running session and whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: i64,
    pub person: Person,
}

/// A line of the list of sessions.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
struct SessionRow {
    id: i64,
    client: String,
    created_at_ms: i64,
    last_seen_ms: i64,
    ends_at_ms: i64,
}

/// A session as its owner sees it in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    pub id: i64,
    /// What the browser calls itself.
    pub client: String,
    pub created_at: Instant,
    /// To the minute.
    pub last_seen_at: Instant,
    pub ends_at: Instant,
}

#[derive(sqlx::FromRow)]
struct FoundRow {
    session_id: i64,
    last_seen_ms: i64,
    #[sqlx(flatten)]
    person: PersonRow,
}

impl Database {
    /// Begins a session; sessions that ended long ago are forgotten on the way.
    pub async fn insert_session(
        &self,
        token_sha256: &[u8],
        person: PersonId,
        client: &str,
        now: Instant,
    ) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/delete_old_sessions.sql"))
            .bind((now - SESSION_KEPT).timestamp_millis())
            .execute(write.connection())
            .await?;
        let id = statement(include_str!("sql/insert_session.sql"))
            .bind(token_sha256)
            .bind(person.0)
            .bind(client)
            .bind(now.timestamp_millis())
            .bind((now + SESSION_AGE_MAX).timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(id)
    }

    /// The session of that token, if it runs and its person is not disabled. Notes that it was seen.
    pub async fn session(&self, token_sha256: &[u8], now: Instant) -> Result<Option<Session>, StoreError> {
        let row: Option<FoundRow> = statement(include_str!("sql/get_session.sql"))
            .bind(token_sha256)
            .bind(now.timestamp_millis())
            .bind((now - SESSION_IDLE_MAX).timestamp_millis())
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        if row.last_seen_ms < (now - SEEN_GRAIN).timestamp_millis()
            && let Err(error) = self.touch_session(row.session_id, now).await
        {
            // On a full disk pages can still be read.
            tracing::warn!(%error, "a session's last request was not written down");
        }
        let person = self.complete_person(row.person).await?;
        Ok(Some(Session { id: row.session_id, person }))
    }

    /// The running sessions of a person, last seen first.
    pub async fn sessions_of(&self, person: PersonId, now: Instant) -> Result<Vec<SessionEntry>, StoreError> {
        let rows: Vec<SessionRow> = statement(include_str!("sql/list_sessions.sql"))
            .bind(person.0)
            .bind(now.timestamp_millis())
            .bind((now - SESSION_IDLE_MAX).timestamp_millis())
            .fetch_all(self.readers())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| SessionEntry {
                id: row.id,
                client: row.client,
                created_at: instant_from_ms(row.created_at_ms),
                last_seen_at: instant_from_ms(row.last_seen_ms),
                ends_at: instant_from_ms(row.ends_at_ms),
            })
            .collect())
    }

    /// Ends one session of a person; false when they have no such running session.
    pub async fn revoke_session(&self, id: i64, person: PersonId, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/revoke_session.sql"))
            .bind(id)
            .bind(person.0)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }

    async fn touch_session(&self, id: i64, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/touch_session.sql"))
            .bind(id)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;

    on_both_engines!(a_session_ends_by_idleness_by_age_and_when_it_is_revoked);

    async fn a_session_ends_by_idleness_by_age_and_when_it_is_revoked(database: Database) {
        let start = instant_from_ms(1_000_000_000_000);
        database.put_setup_token(b"t", start + TimeDelta::minutes(30)).await.unwrap();
        let (person, _) = database.complete_setup(&FIRST_SETUP, start).await.unwrap();
        database.insert_session(b"a", person, "", start).await.unwrap();
        let mut now = start;
        // Seen every 20 minutes it lives, but not beyond its age.
        for _ in 0..35 {
            now += TimeDelta::minutes(20);
            assert!(database.session(b"a", now).await.unwrap().is_some(), "{now}");
        }
        assert!(database.session(b"a", start + SESSION_AGE_MAX).await.unwrap().is_none());
        let id = database.insert_session(b"b", person, "", now).await.unwrap();
        assert!(database.session(b"b", now + SESSION_IDLE_MAX).await.unwrap().is_none());
        assert!(!database.revoke_session(id, PersonId(person.0 + 1), now).await.unwrap());
        assert!(database.revoke_session(id, person, now).await.unwrap());
        assert!(database.session(b"b", now).await.unwrap().is_none());
        database.insert_session(b"c", person, "", now).await.unwrap();
        database.set_password("a@example.com", "new", now).await.unwrap().unwrap();
        assert!(database.sessions_of(person, now).await.unwrap().is_empty());
    }
}
