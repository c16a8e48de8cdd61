//! API keys. Only a keyed hash of the secret is here; whoever holds the file cannot make a key from it.

use super::connection::Connection;
use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::{Instant, KeyMode, KeyScope, OrganisationId, StoreId, StoreSet, instant_from_ms};

/// An API key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// The eight characters that stand open in the key.
    pub id: String,
    pub organisation: OrganisationId,
    /// What its owner calls it.
    pub name: String,
    pub scope: KeyScope,
    pub mode: KeyMode,
    pub stores: StoreSet,
    /// HMAC-SHA-256 of the secret under the installation's pepper.
    pub secret_hmac: Vec<u8>,
    pub created_at: Instant,
    /// To the hour.
    pub last_used_at: Option<Instant>,
    pub revoked_at: Option<Instant>,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    organisation_id: i64,
    name: String,
    scope: String,
    mode: String,
    all_stores: i64,
    created_at_ms: i64,
    last_used_ms: Option<i64>,
    revoked_at_ms: Option<i64>,
    secret_hmac: Vec<u8>,
}

impl KeyRow {
    /// `bound` are pairs of key and store; those of other keys are passed over.
    fn read(self, bound: &[(String, i64)]) -> Result<ApiKeyRecord, StoreError> {
        let (Some(scope), Some(mode)) = (KeyScope::parse(&self.scope), KeyMode::parse(&self.mode)) else {
            return Err(StoreError::Inconsistent {
                table: "api_key",
                row: self.id,
                what: "unknown scope or mode".to_owned(),
            });
        };
        let stores = if self.all_stores != 0 {
            StoreSet::All
        } else {
            StoreSet::of(bound.iter().filter(|(key, _)| *key == self.id).map(|(_, store)| StoreId(*store)))
        };
        Ok(ApiKeyRecord {
            organisation: OrganisationId(self.organisation_id),
            scope,
            mode,
            stores,
            secret_hmac: self.secret_hmac,
            created_at: instant_from_ms(self.created_at_ms),
            last_used_at: self.last_used_ms.map(instant_from_ms),
            revoked_at: self.revoked_at_ms.map(instant_from_ms),
            id: self.id,
            name: self.name,
        })
    }
}

impl Database {
    /// Adds a key; its `last_used_at` and `revoked_at` are not looked at.
    ///
    /// # Errors
    /// One that [`StoreError::is_duplicate`] when the id is taken.
    pub async fn insert_api_key(&self, key: &ApiKeyRecord) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        insert_api_key(write.connection(), key).await?;
        write.commit().await
    }

    /// The key of that id, revoked or not.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, StoreError> {
        let row: Option<KeyRow> =
            statement(include_str!("sql/get_api_key.sql")).bind(id).fetch_optional(self.readers()).await?;
        let Some(row) = row else { return Ok(None) };
        let bound = if row.all_stores != 0 { Vec::new() } else { self.api_key_stores().await? };
        row.read(&bound).map(Some)
    }

    /// Every key: those in use first, then the revoked ones.
    pub async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let rows: Vec<KeyRow> =
            statement(include_str!("sql/list_api_keys.sql")).fetch_all(self.readers()).await?;
        let bound = self.api_key_stores().await?;
        rows.into_iter().map(|row| row.read(&bound)).collect()
    }

    /// Ends a key at once; false when there is none of that id in use.
    pub async fn revoke_api_key(&self, id: &str, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/revoke_api_key.sql"))
            .bind(id)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }

    /// Notes that a key was used.
    pub async fn touch_api_key(&self, id: &str, at: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/touch_api_key.sql"))
            .bind(id)
            .bind(at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    async fn api_key_stores(&self) -> Result<Vec<(String, i64)>, StoreError> {
        statement(include_str!("sql/list_api_key_stores.sql")).fetch_all(self.readers()).await
    }
}

async fn insert_api_key(connection: &mut Connection, key: &ApiKeyRecord) -> Result<(), StoreError> {
    statement(include_str!("sql/insert_api_key.sql"))
        .bind(&key.id)
        .bind(key.organisation.0)
        .bind(&key.name)
        .bind(key.scope.as_str())
        .bind(key.mode.as_str())
        .bind(key.stores == StoreSet::All)
        .bind(&key.secret_hmac)
        .bind(key.created_at.timestamp_millis())
        .execute(&mut *connection)
        .await?;
    if let StoreSet::Some(stores) = &key.stores {
        for store in stores {
            statement(include_str!("sql/insert_api_key_store.sql"))
                .bind(&key.id)
                .bind(store.0)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;

    on_both_engines!(a_key_is_bound_to_its_stores_and_a_revoked_one_says_so);

    async fn a_key_is_bound_to_its_stores_and_a_revoked_one_says_so(database: Database) {
        let now = instant_from_ms(0);
        database.put_setup_token(b"t", instant_from_ms(1)).await.unwrap();
        let (_, store) = database.complete_setup(&FIRST_SETUP, now).await.unwrap();
        let key = ApiKeyRecord {
            id: "aaaaaaaa".into(),
            organisation: store.organisation,
            name: "till".into(),
            scope: KeyScope::Ingest,
            mode: KeyMode::Test,
            stores: StoreSet::of([store.id]),
            secret_hmac: vec![1; 32],
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        };
        database.insert_api_key(&key).await.unwrap();
        let all = ApiKeyRecord { id: "bbbbbbbb".into(), stores: StoreSet::All, ..key.clone() };
        database.insert_api_key(&all).await.unwrap();
        assert!(database.insert_api_key(&all).await.unwrap_err().is_duplicate());
        assert_eq!(database.api_key("aaaaaaaa").await.unwrap(), Some(key.clone()));
        assert!(database.revoke_api_key("aaaaaaaa", now).await.unwrap());
        assert!(!database.revoke_api_key("aaaaaaaa", now).await.unwrap());
        database.touch_api_key("bbbbbbbb", now).await.unwrap();
        let listed = database.api_keys().await.unwrap();
        assert_eq!(listed[0], ApiKeyRecord { last_used_at: Some(now), ..all });
        assert_eq!(listed[1], ApiKeyRecord { revoked_at: Some(now), ..key });
    }
}
