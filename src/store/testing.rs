//! What the tests of this room share.

use std::sync::LazyLock;

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;

use super::engines::Postgres;
use super::{Database, DatabaseAddress, FirstSetup, PersonDraft, StoreDraft};
use crate::domain::{Currency, OrganisationId, Role, StoreSet};

/// An owner and a store.
pub static FIRST_SETUP: LazyLock<FirstSetup> = LazyLock::new(|| FirstSetup {
    organisation_name: "Test".into(),
    owner: PersonDraft {
        email: "a@example.com".into(),
        name: "A".into(),
        password_hash: "$argon2id$".into(),
        role: Role::Owner,
        stores: StoreSet::All,
        language: String::new(),
    },
    store: StoreDraft {
        organisation: OrganisationId(0),
        slug: "main".into(),
        name: "Main".into(),
        zone: Tz::Asia__Shanghai,
        cut_off: NaiveTime::MIN,
        week_start: Weekday::Mon,
        currency: Currency::CNY,
        language: "en".into(),
    },
});

/// An empty database on SQLite, and the folder that it lives in while the test runs.
pub async fn open() -> (Database, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db")).await.unwrap();
    (database, folder)
}

/// An empty database on PostgreSQL; `None` where that is not installed.
pub async fn open_postgres() -> Option<(Database, Postgres)> {
    let server = Postgres::fresh()?;
    let address = DatabaseAddress::parse(&server.address()).unwrap();
    Some((Database::open(address).await.unwrap(), server))
}

/// Makes two tests of each function that takes an empty database: `name::sqlite` and `name::postgres`.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                let (database, _folder) = $crate::store::testing::open().await;
                super::$name(database).await;
            }

            #[tokio::test]
            async fn postgres() {
                let Some((database, _server)) = $crate::store::testing::open_postgres().await else { return };
                super::$name(database).await;
            }
        }
    )+};
}
pub(super) use on_both_engines;
