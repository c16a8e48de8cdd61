//! Files that were handed in on a page and wait for a person's yes, and the days that finished imports hold.

use chrono::NaiveDate;

use super::statement::statement;
use super::{Database, PersonId, StoreError, WriteTransaction};
use crate::domain::{Instant, StoreId, instant_from_ms};

/// Files of one store that may wait at a time.
pub const PENDING_PER_STORE_MAX: i64 = 20;
/// Bytes of all files of one store that wait: two of the largest.
pub const PENDING_BYTES_PER_STORE_MAX: i64 = 8 << 30;

/// A file that is about to wait.
#[derive(Clone, Debug)]
pub struct PendingDraft {
    pub store: StoreId,
    pub person: PersonId,
    /// For people; never a path.
    pub file_name: String,
    /// Its name in the folder of uploads.
    pub place: String,
    pub size_bytes: i64,
    /// Of the file as it was handed in, hex.
    pub sha256: String,
    /// Text of a mapping file.
    pub mapping: Option<String>,
    /// Of which the file is, where it does not say so; empty: not said.
    pub account: String,
    pub expires_at: Instant,
}

/// A file that waits for a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingImport {
    pub id: i64,
    pub store: StoreId,
    pub person: PersonId,
    pub file_name: String,
    /// `None` when the file is not kept: it is refused for good.
    pub place: Option<String>,
    pub size_bytes: i64,
    pub sha256: String,
    pub mapping: Option<String>,
    /// Of which the file is, where it does not say so; empty: not said.
    pub account: String,
    /// JSON of what was found; `None` while it is being read.
    pub diagnosis: Option<String>,
    pub created_at: Instant,
    pub expires_at: Instant,
}

/// Whether a file may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Under this number.
    Yes(i64),
    /// The store has [`PENDING_PER_STORE_MAX`] waiting already.
    TooMany,
    /// The store's waiting files would exceed [`PENDING_BYTES_PER_STORE_MAX`].
    TooLarge,
}

/// One of a source's days that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedDay {
    pub provider: String,
    pub account: String,
    /// Which of the account's bills.
    pub variant: String,
    pub day: NaiveDate,
    /// 0: the bill says that nothing happened.
    pub rows: i64,
    /// The newest import that has it.
    pub import: i64,
}

/// How many rows of one of a source's days an import has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportDay {
    pub provider: String,
    pub account: String,
    pub day: NaiveDate,
    /// 0: the bill says that nothing happened.
    pub rows: i64,
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    id: i64,
    store_id: i64,
    person_id: i64,
    file_name: String,
    place: String,
    size_bytes: i64,
    sha256: String,
    mapping: Option<String>,
    account: String,
    diagnosis: Option<String>,
    created_at_ms: i64,
    expires_at_ms: i64,
}

impl PendingRow {
    fn read(self) -> PendingImport {
        PendingImport {
            id: self.id,
            store: StoreId(self.store_id),
            person: PersonId(self.person_id),
            file_name: self.file_name,
            place: Some(self.place).filter(|place| !place.is_empty()),
            size_bytes: self.size_bytes,
            sha256: self.sha256,
            mapping: self.mapping,
            account: self.account,
            diagnosis: self.diagnosis,
            created_at: instant_from_ms(self.created_at_ms),
            expires_at: instant_from_ms(self.expires_at_ms),
        }
    }
}

impl Database {
    /// Lets a file wait, unless the store has too many or too much waiting. A refused one whose file is gone makes room.
    pub async fn add_pending_import(
        &self,
        draft: &PendingDraft,
        now: Instant,
    ) -> Result<Admitted, StoreError> {
        let mut write = self.begin_write().await?;
        if let Some(refused) = make_room(&mut write, draft).await? {
            write.commit().await?;
            return Ok(refused);
        }
        let id = statement(include_str!("sql/insert_pending_import.sql"))
            .bind(draft.store.0)
            .bind(draft.person.0)
            .bind(&draft.file_name)
            .bind(&draft.place)
            .bind(draft.size_bytes)
            .bind(&draft.sha256)
            .bind(&draft.mapping)
            .bind(&draft.account)
            .bind(now.timestamp_millis())
            .bind(draft.expires_at.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(Admitted::Yes(id))
    }

    /// A waiting file by its number; one whose time is over is not there.
    pub async fn pending_import(&self, id: i64, now: Instant) -> Result<Option<PendingImport>, StoreError> {
        let row: Option<PendingRow> = statement(include_str!("sql/get_pending_import.sql"))
            .bind(id)
            .bind(now.timestamp_millis())
            .fetch_optional(self.readers())
            .await?;
        Ok(row.map(PendingRow::read))
    }

    /// The waiting files of a store, newest first.
    pub async fn pending_imports(
        &self,
        store: StoreId,
        now: Instant,
    ) -> Result<Vec<PendingImport>, StoreError> {
        let rows: Vec<PendingRow> = statement(include_str!("sql/list_pending_imports.sql"))
            .bind(store.0)
            .bind(now.timestamp_millis())
            .fetch_all(self.readers())
            .await?;
        Ok(rows.into_iter().map(PendingRow::read).collect())
    }

    /// Keeps what was found in a waiting file.
    pub async fn note_pending_diagnosis(&self, id: i64, diagnosis: &str) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let set = statement(include_str!("sql/set_pending_diagnosis.sql")).bind(id).bind(diagnosis);
        set.execute(write.connection()).await?;
        write.commit().await
    }

    /// Puts another file in the place of a waiting one, to be read anew; an empty place: none is kept. False when
    /// somebody else changed it meanwhile.
    pub async fn replace_pending_file(
        &self,
        pending: &PendingImport,
        place: &str,
        size_bytes: i64,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/replace_pending_file.sql"))
            .bind(pending.id)
            .bind(pending.place.as_deref().unwrap_or_default())
            .bind(place)
            .bind(size_bytes)
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }

    /// Takes a waiting file out of the list; true for exactly one of all who ask, whose the file then is.
    pub async fn take_pending_import(&self, id: i64) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let taken = delete(&mut write, id).await?;
        write.commit().await?;
        Ok(taken == 1)
    }

    /// Numbers and places of waiting files whose time is over.
    pub async fn expired_pending_imports(
        &self,
        now: Instant,
        most: i64,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let expired = statement(include_str!("sql/expired_pending_imports.sql"));
        expired.bind(now.timestamp_millis()).bind(most).fetch_all(self.readers()).await
    }

    /// The places of all waiting files.
    pub async fn pending_places(&self) -> Result<Vec<String>, StoreError> {
        statement(include_str!("sql/list_pending_places.sql")).scalar_all(self.readers()).await
    }

    /// Keeps which days an import has rows of, in place of what was noted of it before.
    pub async fn note_import_days(&self, import: i64, days: &[ImportDay]) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let before = statement(include_str!("sql/delete_import_days.sql")).bind(import);
        before.execute(write.connection()).await?;
        for day in days {
            statement(include_str!("sql/insert_import_day.sql"))
                .bind(import)
                .bind(&day.provider)
                .bind(&day.account)
                .bind(day.day.to_string())
                .bind(day.rows)
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// The source's days of a store that finished imports hold and nobody undid, from `first` on.
    pub async fn arrived_days(
        &self,
        store: StoreId,
        first: NaiveDate,
    ) -> Result<Vec<ArrivedDay>, StoreError> {
        let rows: Vec<(String, String, String, String, i64, i64)> =
            statement(include_str!("sql/list_arrived_days.sql"))
                .bind(store.0)
                .bind(first.to_string())
                .fetch_all(self.readers())
                .await?;
        let read =
            |(provider, account, variant, day, rows, import): (String, String, String, String, i64, i64)| {
                let day = day.parse().map_err(|_| StoreError::Inconsistent {
                    table: "import_day",
                    row: import.to_string(),
                    what: format!("day `{day}`"),
                })?;
                Ok(ArrivedDay { provider, account, variant, day, rows, import })
            };
        rows.into_iter().map(read).collect()
    }

    /// The stores into which bills of this merchant account were imported.
    pub async fn stores_of_account(&self, provider: &str, account: &str) -> Result<Vec<StoreId>, StoreError> {
        let ids: Vec<i64> = statement(include_str!("sql/stores_of_account.sql"))
            .bind(provider)
            .bind(account)
            .scalar_all(self.readers())
            .await?;
        Ok(ids.into_iter().map(StoreId).collect())
    }
}

/// Says no, or makes room where a refused file without bytes can go.
async fn make_room(
    write: &mut WriteTransaction,
    draft: &PendingDraft,
) -> Result<Option<Admitted>, StoreError> {
    let load = statement(include_str!("sql/load_of_pending_imports.sql")).bind(draft.store.0);
    let (count, bytes): (i64, i64) = load.fetch_one(write.connection()).await?;
    if bytes.saturating_add(draft.size_bytes) > PENDING_BYTES_PER_STORE_MAX {
        return Ok(Some(Admitted::TooLarge));
    }
    if count < PENDING_PER_STORE_MAX {
        return Ok(None);
    }
    let oldest = statement(include_str!("sql/oldest_pending_import_without_file.sql"));
    let gone: Option<i64> = oldest.bind(draft.store.0).scalar_optional(write.connection()).await?;
    let Some(gone) = gone else { return Ok(Some(Admitted::TooMany)) };
    delete(write, gone).await?;
    Ok(None)
}

async fn delete(write: &mut WriteTransaction, id: i64) -> Result<u64, StoreError> {
    let gone = statement(include_str!("sql/delete_pending_import.sql")).bind(id);
    gone.execute(write.connection()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{FIRST_SETUP, on_both_engines};
    use crate::store::{ImportDraft, ImportFindings, ImportState};

    on_both_engines!(
        waiting_files_are_bounded_and_one_alone_takes_each,
        days_of_finished_imports_are_told_by_account,
    );

    async fn owner(database: &Database) -> PersonId {
        let now = instant_from_ms(0);
        database.put_setup_token(b"", instant_from_ms(9)).await.unwrap();
        database.complete_setup(&FIRST_SETUP, now).await.unwrap().0
    }

    fn draft(store: StoreId, person: PersonId, place: &str, size_bytes: i64) -> PendingDraft {
        PendingDraft {
            store,
            person,
            file_name: "a.csv".into(),
            place: place.into(),
            size_bytes,
            sha256: "00".into(),
            mapping: None,
            account: String::new(),
            expires_at: instant_from_ms(1_000),
        }
    }

    async fn waiting_files_are_bounded_and_one_alone_takes_each(database: Database) {
        let (person, now) = (owner(&database).await, instant_from_ms(10));
        let store = database.stores().await.unwrap()[0].id;
        let add = async |place: &str, size: i64| {
            database.add_pending_import(&draft(store, person, place, size), now).await.unwrap()
        };
        assert_eq!(add("large", PENDING_BYTES_PER_STORE_MAX + 1).await, Admitted::TooLarge);
        let Admitted::Yes(first) = add("p0", 5).await else { panic!("not admitted") };
        for n in 1..PENDING_PER_STORE_MAX {
            assert!(matches!(add(&format!("p{n}"), 5).await, Admitted::Yes(_)));
        }
        assert_eq!(add("more", 5).await, Admitted::TooMany);
        let pending = database.pending_import(first, now).await.unwrap().unwrap();
        assert_eq!((pending.place.as_deref(), pending.diagnosis.as_deref()), (Some("p0"), None));
        // One whose file is gone makes room.
        assert!(database.replace_pending_file(&pending, "", 0).await.unwrap());
        assert!(!database.replace_pending_file(&pending, "other", 0).await.unwrap(), "it was changed");
        let Admitted::Yes(newest) = add("more", 5).await else { panic!("not admitted") };
        assert_eq!(database.pending_import(first, now).await.unwrap(), None);
        database.note_pending_diagnosis(newest, "{}").await.unwrap();
        let listed = database.pending_imports(store, now).await.unwrap();
        assert_eq!((listed.len(), listed[0].id, listed[0].diagnosis.as_deref()), (20, newest, Some("{}")));
        assert!(database.take_pending_import(newest).await.unwrap());
        assert!(!database.take_pending_import(newest).await.unwrap());
        let later = instant_from_ms(1_000);
        assert_eq!(database.pending_imports(store, later).await.unwrap(), []);
        assert_eq!(database.expired_pending_imports(later, 100).await.unwrap().len(), 19);
        assert_eq!(database.pending_places().await.unwrap().len(), 19);
    }

    async fn days_of_finished_imports_are_told_by_account(database: Database) {
        owner(&database).await;
        let store = database.stores().await.unwrap()[0].id;
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let import = async |sha256: &str, days: &[(&str, i64)], state: ImportState| {
            let draft = ImportDraft {
                store,
                sha256: sha256.into(),
                mapping_sha256: String::new(),
                file_name: "a".into(),
                size_bytes: 1,
            };
            let id = database.begin_import(&draft, instant_from_ms(1)).await.unwrap();
            let days: Vec<ImportDay> = days
                .iter()
                .map(|(text, rows)| ImportDay {
                    provider: "wechat_pay".into(),
                    account: "m1".into(),
                    day: day(text),
                    rows: *rows,
                })
                .collect();
            database.note_import_days(id, &days).await.unwrap();
            // Noted again, they are replaced.
            database.note_import_days(id, &days).await.unwrap();
            let findings = ImportFindings::default();
            database.finish_import(id, state, &findings, instant_from_ms(2)).await.unwrap();
            id
        };
        import("a", &[("2026-11-20", 4), ("2026-11-21", 0)], ImportState::Done).await;
        let second = import("b", &[("2026-11-20", 2)], ImportState::Done).await;
        import("c", &[("2026-11-22", 2)], ImportState::Failed).await;
        let arrived = database.arrived_days(store, day("2026-11-20")).await.unwrap();
        let told: Vec<_> = arrived.iter().map(|one| (one.day, one.rows)).collect();
        assert_eq!(told, [(day("2026-11-20"), 6), (day("2026-11-21"), 0)]);
        assert_eq!(arrived[0].import, second);
        assert_eq!(database.arrived_days(store, day("2026-11-21")).await.unwrap().len(), 1);
        assert_eq!(database.stores_of_account("wechat_pay", "m1").await.unwrap(), [store]);
        assert_eq!(database.stores_of_account("wechat_pay", "m2").await.unwrap(), []);
    }
}
