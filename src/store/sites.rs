//! Sites that send checkout events from a shopper's browser. Their ids are public and can only write.

use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::{Instant, StoreId, instant_from_ms};

/// Sites of one installation that are in use.
pub const COLLECT_SITES_MAX: usize = 1_000;

/// A site as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectSite {
    /// Stands open in the shop's pages.
    pub id: String,
    pub store: StoreId,
    /// What its owner calls it.
    pub name: String,
    /// Its pages' origins, as browsers write them.
    pub origins: Vec<String>,
    pub created_at: Instant,
    /// To ten seconds; of all servers.
    pub last_event_at: Option<Instant>,
}

#[derive(sqlx::FromRow)]
struct SiteRow {
    id: String,
    store_id: i64,
    name: String,
    origins: String,
    created_at_ms: i64,
    last_event_ms: Option<i64>,
}

impl From<SiteRow> for CollectSite {
    fn from(row: SiteRow) -> Self {
        Self {
            id: row.id,
            store: StoreId(row.store_id),
            name: row.name,
            origins: row.origins.lines().map(str::to_owned).collect(),
            created_at: instant_from_ms(row.created_at_ms),
            last_event_at: row.last_event_ms.map(instant_from_ms),
        }
    }
}

impl Database {
    /// Adds a site; its `last_event_at` is not looked at.
    ///
    /// # Errors
    /// One that [`StoreError::is_duplicate`] when the id is taken.
    pub async fn insert_collect_site(&self, site: &CollectSite) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/insert_collect_site.sql"))
            .bind(&site.id)
            .bind(site.store.0)
            .bind(&site.name)
            .bind(site.origins.join("\n"))
            .bind(site.created_at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Every site in use, oldest first, at most [`COLLECT_SITES_MAX`].
    pub async fn collect_sites(&self) -> Result<Vec<CollectSite>, StoreError> {
        let rows: Vec<SiteRow> = statement(include_str!("sql/list_collect_sites.sql"))
            .bind(i64::try_from(COLLECT_SITES_MAX).unwrap_or(i64::MAX))
            .fetch_all(self.readers())
            .await?;
        Ok(rows.into_iter().map(CollectSite::from).collect())
    }

    /// Ends a site; false when there is none of that id in use.
    pub async fn remove_collect_site(&self, id: &str, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/remove_collect_site.sql"))
            .bind(id)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }

    /// Notes that an event of a site was kept.
    pub async fn touch_collect_site(&self, id: &str, at: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/touch_collect_site.sql"))
            .bind(id)
            .bind(at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;

    on_both_engines!(a_site_is_listed_until_it_is_removed);

    async fn a_site_is_listed_until_it_is_removed(database: Database) {
        let now = instant_from_ms(1_000);
        database.put_setup_token(b"t", now).await.unwrap();
        let (_, store) = database.complete_setup(&FIRST_SETUP, instant_from_ms(0)).await.unwrap();
        let site = CollectSite {
            id: "abcdefghijklmnop".into(),
            store: store.id,
            name: "shop".into(),
            origins: vec!["https://shop.example".into(), "https://m.shop.example:8443".into()],
            created_at: now,
            last_event_at: None,
        };
        database.insert_collect_site(&site).await.unwrap();
        assert!(database.insert_collect_site(&site).await.unwrap_err().is_duplicate());
        assert_eq!(database.collect_sites().await.unwrap(), std::slice::from_ref(&site));
        database.touch_collect_site(&site.id, instant_from_ms(3_000)).await.unwrap();
        database.touch_collect_site(&site.id, instant_from_ms(2_000)).await.unwrap();
        let touched = CollectSite { last_event_at: Some(instant_from_ms(3_000)), ..site.clone() };
        assert_eq!(database.collect_sites().await.unwrap(), [touched]);
        assert!(database.remove_collect_site(&site.id, now).await.unwrap());
        assert!(!database.remove_collect_site(&site.id, now).await.unwrap());
        assert_eq!(database.collect_sites().await.unwrap(), []);
    }
}
