//! People, the one-time set-up, and sessions (`super::sessions`).

use super::connection::Connection;
use super::shops::{insert_organisation, insert_store};
use super::statement::statement;
use super::{Database, StoreDraft, StoreError};
use crate::domain::{Instant, OrganisationId, Role, Store, StoreId, StoreSet};

/// A person's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PersonId(pub i64);

/// A person as others may see them: no password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub organisation: OrganisationId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub stores: StoreSet,
    /// `zh-Hans`, `en`, or empty for what the browser asks for.
    pub language: String,
}

/// A person who has no number yet.
#[derive(Clone, Debug)]
pub struct PersonDraft {
    /// Lower case.
    pub email: String,
    pub name: String,
    /// PHC string; never the password.
    pub password_hash: String,
    pub role: Role,
    pub stores: StoreSet,
    pub language: String,
}

#[derive(sqlx::FromRow)]
pub(super) struct PersonRow {
    id: i64,
    organisation_id: i64,
    email: String,
    name: String,
    role: String,
    all_stores: i64,
    language: String,
    disabled_at_ms: Option<i64>,
}

impl Database {
    /// True once somebody can log in.
    pub async fn has_people(&self) -> Result<bool, StoreError> {
        let count: i64 = statement(include_str!("sql/count_people.sql")).scalar_one(self.readers()).await?;
        Ok(count > 0)
    }

    /// Everybody who is not disabled.
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        let rows: Vec<PersonRow> =
            statement(include_str!("sql/list_people.sql")).fetch_all(self.readers()).await?;
        let mut people = Vec::with_capacity(rows.len());
        for row in rows.into_iter().filter(|row| row.disabled_at_ms.is_none()) {
            people.push(self.complete_person(row).await?);
        }
        Ok(people)
    }

    /// Adds a person.
    ///
    /// # Errors
    /// One that [`StoreError::is_duplicate`] when the address is taken.
    pub async fn insert_person(
        &self,
        organisation: OrganisationId,
        draft: &PersonDraft,
        now: Instant,
    ) -> Result<PersonId, StoreError> {
        let mut write = self.begin_write().await?;
        let id = insert_person(write.connection(), organisation, draft, now).await?;
        write.commit().await?;
        Ok(id)
    }

    /// The number and password hash of whoever logs in with this address (lower case) and is not disabled.
    pub async fn person_for_login(&self, email: &str) -> Result<Option<(PersonId, String)>, StoreError> {
        let row: Option<(i64, String)> = statement(include_str!("sql/get_person_for_login.sql"))
            .bind(email)
            .fetch_optional(self.readers())
            .await?;
        Ok(row.map(|(id, hash)| (PersonId(id), hash)))
    }

    /// Sets a password and ends every session of that person; `None` when nobody has the address.
    pub async fn set_password(
        &self,
        email: &str,
        password_hash: &str,
        now: Instant,
    ) -> Result<Option<PersonId>, StoreError> {
        let mut write = self.begin_write().await?;
        let id: Option<i64> = statement(include_str!("sql/set_person_password.sql"))
            .bind(email)
            .bind(password_hash)
            .scalar_optional(write.connection())
            .await?;
        if let Some(id) = id {
            statement(include_str!("sql/revoke_person_sessions.sql"))
                .bind(id)
                .bind(now.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await?;
        Ok(id.map(PersonId))
    }

    /// Sets the language of a person's pages; empty for the browser's.
    pub async fn set_person_language(&self, person: PersonId, language: &str) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/set_person_language.sql"))
            .bind(person.0)
            .bind(language)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    pub(super) async fn complete_person(&self, row: PersonRow) -> Result<Person, StoreError> {
        let stores = if row.all_stores != 0 {
            StoreSet::All
        } else {
            let ids: Vec<i64> = statement(include_str!("sql/list_person_stores.sql"))
                .bind(row.id)
                .scalar_all(self.readers())
                .await?;
            StoreSet::of(ids.into_iter().map(StoreId))
        };
        let role = Role::parse(&row.role).ok_or_else(|| StoreError::Inconsistent {
            table: "person",
            row: row.id.to_string(),
            what: "unknown role".to_owned(),
        })?;
        Ok(Person {
            id: PersonId(row.id),
            organisation: OrganisationId(row.organisation_id),
            email: row.email,
            name: row.name,
            role,
            stores,
            language: row.language,
        })
    }
}

/// The first set-up: who owns the installation, and its first store.
#[derive(Clone, Debug)]
pub struct FirstSetup {
    pub organisation_name: String,
    pub owner: PersonDraft,
    /// Its organisation is filled in.
    pub store: StoreDraft,
}

impl Database {
    /// Keeps the hash of the set-up link's token until `ends_at`; an earlier link is dead from now on.
    pub async fn put_setup_token(&self, token_sha256: &[u8], ends_at: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/put_setup_token.sql"))
            .bind(token_sha256)
            .bind(ends_at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// The hash of the token that may set up this installation now; `None` once a person exists.
    pub async fn setup_token(&self, now: Instant) -> Result<Option<Vec<u8>>, StoreError> {
        statement(include_str!("sql/get_setup_token.sql"))
            .bind(now.timestamp_millis())
            .scalar_optional(self.readers())
            .await
    }

    /// Creates organisation, owner and first store, and kills the token: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a person exists or the token has ended meanwhile.
    pub async fn complete_setup(
        &self,
        setup: &FirstSetup,
        now: Instant,
    ) -> Result<(PersonId, Store), StoreError> {
        let mut write = self.begin_write().await?;
        // Taken first: of two who do it at once, one waits here and then finds it gone.
        let token: Option<i64> = statement(include_str!("sql/take_setup_token.sql"))
            .bind(now.timestamp_millis())
            .scalar_optional(write.connection())
            .await?;
        if token.is_none() {
            return Err(StoreError::Conflict("the first set-up"));
        }
        let organisation = insert_organisation(write.connection(), &setup.organisation_name, now).await?;
        let owner = insert_person(write.connection(), organisation, &setup.owner, now).await?;
        let draft = StoreDraft { organisation, ..setup.store.clone() };
        let store = insert_store(write.connection(), &draft, now).await?;
        write.commit().await?;
        Ok((owner, store))
    }
}

async fn insert_person(
    connection: &mut Connection,
    organisation: OrganisationId,
    draft: &PersonDraft,
    now: Instant,
) -> Result<PersonId, StoreError> {
    let id: i64 = statement(include_str!("sql/insert_person.sql"))
        .bind(organisation.0)
        .bind(&draft.email)
        .bind(&draft.name)
        .bind(&draft.password_hash)
        .bind(draft.role.as_str())
        .bind(draft.stores == StoreSet::All)
        .bind(&draft.language)
        .bind(now.timestamp_millis())
        .scalar_one(&mut *connection)
        .await?;
    if let StoreSet::Some(stores) = &draft.stores {
        for store in stores {
            statement(include_str!("sql/insert_person_store.sql"))
                .bind(id)
                .bind(store.0)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(PersonId(id))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;
    use crate::domain::instant_from_ms;

    on_both_engines!(the_first_set_up_happens_once);

    async fn the_first_set_up_happens_once(database: Database) {
        let now = instant_from_ms(0);
        assert!(database.complete_setup(&FIRST_SETUP, now).await.is_err(), "without a token");
        let ends_at = now + TimeDelta::minutes(30);
        database.put_setup_token(b"first", ends_at).await.unwrap();
        database.put_setup_token(b"second", ends_at).await.unwrap();
        assert_eq!(database.setup_token(now).await.unwrap().as_deref(), Some(&b"second"[..]));
        assert_eq!(database.setup_token(ends_at).await.unwrap(), None);
        database.complete_setup(&FIRST_SETUP, now).await.unwrap();
        database.put_setup_token(b"third", ends_at).await.unwrap();
        assert_eq!(database.setup_token(now).await.unwrap(), None);
        assert!(matches!(database.complete_setup(&FIRST_SETUP, now).await, Err(StoreError::Conflict(_))));
        assert_eq!(database.people().await.unwrap().len(), 1);
        assert_eq!(database.stores().await.unwrap().len(), 1);
    }
}
