//! Organisations and their stores.

use chrono::{NaiveTime, Timelike, Weekday};
use chrono_tz::Tz;

use super::connection::Connection;
use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::{Currency, Instant, OrganisationId, Store, StoreId};

/// Who owns the stores of this installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    pub id: OrganisationId,
    pub name: String,
}

/// A store that has no number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDraft {
    pub organisation: OrganisationId,
    /// Must hold [`crate::domain::is_store_slug`].
    pub slug: String,
    pub name: String,
    pub zone: Tz,
    pub cut_off: NaiveTime,
    pub week_start: Weekday,
    pub currency: Currency,
    pub language: String,
}

/// What may change about a store. Slug and currency may not: addresses, records and sums rest on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreChange {
    pub name: String,
    pub zone: Tz,
    pub cut_off: NaiveTime,
    pub week_start: Weekday,
    pub language: String,
}

#[derive(sqlx::FromRow)]
struct StoreRow {
    id: i64,
    organisation_id: i64,
    slug: String,
    name: String,
    zone: String,
    cut_off_minutes: i64,
    week_start: i64,
    currency: String,
    language: String,
}

impl StoreRow {
    fn read(self) -> Result<Store, StoreError> {
        let row = self.id.to_string();
        let wrong = |what: &str| StoreError::Inconsistent { table: "store", row, what: what.to_owned() };
        let (Ok(zone), Ok(currency)) = (self.zone.parse(), Currency::parse(&self.currency)) else {
            return Err(wrong("unknown zone or currency"));
        };
        let (Some(cut_off), Some(week_start)) = (time_of(self.cut_off_minutes), weekday_of(self.week_start))
        else {
            return Err(wrong("no such cut-off or week start"));
        };
        Ok(Store {
            id: StoreId(self.id),
            organisation: OrganisationId(self.organisation_id),
            slug: self.slug,
            name: self.name,
            zone,
            cut_off,
            week_start,
            currency,
            language: self.language,
        })
    }
}

fn time_of(minutes: i64) -> Option<NaiveTime> {
    NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(minutes).ok()?.checked_mul(60)?, 0)
}

fn minutes_of(time: NaiveTime) -> i64 {
    i64::from(time.num_seconds_from_midnight() / 60)
}

fn weekday_of(days_after_monday: i64) -> Option<Weekday> {
    Weekday::try_from(u8::try_from(days_after_monday).ok()?).ok()
}

impl Database {
    /// The organisation of this installation; `None` before the first set-up.
    pub async fn organisation(&self) -> Result<Option<Organisation>, StoreError> {
        let row: Option<(i64, String)> =
            statement(include_str!("sql/get_organisation.sql")).fetch_optional(self.readers()).await?;
        Ok(row.map(|(id, name)| Organisation { id: OrganisationId(id), name }))
    }

    /// Adds an organisation.
    pub async fn insert_organisation(&self, name: &str, now: Instant) -> Result<OrganisationId, StoreError> {
        let mut write = self.begin_write().await?;
        let id = insert_organisation(write.connection(), name, now).await?;
        write.commit().await?;
        Ok(id)
    }

    /// Every store, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`] when a row holds no zone or currency that this version knows.
    pub async fn stores(&self) -> Result<Vec<Store>, StoreError> {
        let rows: Vec<StoreRow> =
            statement(include_str!("sql/list_stores.sql")).fetch_all(self.readers()).await?;
        rows.into_iter().map(StoreRow::read).collect()
    }

    /// Adds a store.
    ///
    /// # Errors
    /// One that [`StoreError::is_duplicate`] when the organisation has a store of that slug.
    pub async fn insert_store(&self, draft: &StoreDraft, now: Instant) -> Result<Store, StoreError> {
        let mut write = self.begin_write().await?;
        let store = insert_store(write.connection(), draft, now).await?;
        write.commit().await?;
        Ok(store)
    }

    /// Changes a store; false when there is none of that number.
    ///
    /// Business days are computed when shown, so a new zone or cut-off moves past days too.
    pub async fn update_store(&self, id: StoreId, change: &StoreChange) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/update_store.sql"))
            .bind(id.0)
            .bind(&change.name)
            .bind(minutes_of(change.cut_off))
            .bind(i64::from(change.week_start.num_days_from_monday()))
            .bind(&change.language)
            .bind(change.zone.name())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }
}

pub(super) async fn insert_organisation(
    connection: &mut Connection,
    name: &str,
    now: Instant,
) -> Result<OrganisationId, StoreError> {
    let id = statement(include_str!("sql/insert_organisation.sql"))
        .bind(name)
        .bind(now.timestamp_millis())
        .scalar_one(connection)
        .await?;
    Ok(OrganisationId(id))
}

pub(super) async fn insert_store(
    connection: &mut Connection,
    draft: &StoreDraft,
    now: Instant,
) -> Result<Store, StoreError> {
    let id = statement(include_str!("sql/insert_store.sql"))
        .bind(draft.organisation.0)
        .bind(&draft.slug)
        .bind(&draft.name)
        .bind(draft.zone.name())
        .bind(minutes_of(draft.cut_off))
        .bind(i64::from(draft.week_start.num_days_from_monday()))
        .bind(draft.currency.code())
        .bind(&draft.language)
        .bind(now.timestamp_millis())
        .scalar_one(connection)
        .await?;
    let draft = draft.clone();
    Ok(Store {
        id: StoreId(id),
        organisation: draft.organisation,
        slug: draft.slug,
        name: draft.name,
        zone: draft.zone,
        cut_off: draft.cut_off,
        week_start: draft.week_start,
        currency: draft.currency,
        language: draft.language,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_both_engines;
    use super::*;
    use crate::domain::instant_from_ms;

    on_both_engines!(a_store_comes_back_as_it_was_written_and_its_slug_is_its_own);

    async fn a_store_comes_back_as_it_was_written_and_its_slug_is_its_own(database: Database) {
        let now = instant_from_ms(0);
        let organisation = database.insert_organisation("账衡", now).await.unwrap();
        let mut draft = StoreDraft {
            organisation,
            slug: "bar".into(),
            name: "酒吧".into(),
            zone: Tz::Asia__Kolkata,
            cut_off: NaiveTime::from_hms_opt(4, 30, 0).unwrap(),
            week_start: Weekday::Sun,
            currency: Currency::CNY,
            language: "zh-Hans".into(),
        };
        let store = database.insert_store(&draft, now).await.unwrap();
        assert_eq!(database.stores().await.unwrap(), std::slice::from_ref(&store));
        assert!(database.insert_store(&draft, now).await.unwrap_err().is_duplicate());
        draft.slug = "cafe".into();
        database.insert_store(&draft, now).await.unwrap();
        let change = StoreChange {
            name: "Bar".into(),
            zone: Tz::Europe__London,
            cut_off: NaiveTime::MIN,
            week_start: Weekday::Mon,
            language: "en".into(),
        };
        assert!(database.update_store(store.id, &change).await.unwrap());
        assert!(!database.update_store(StoreId(99), &change).await.unwrap());
        let changed = database.stores().await.unwrap().remove(0);
        assert_eq!(
            (changed.zone, changed.cut_off, changed.slug.as_str()),
            (Tz::Europe__London, NaiveTime::MIN, "bar")
        );
    }
}
