//! What the tests of this room share.

use std::sync::LazyLock;

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;

use super::{Database, FirstSetup, PersonDraft, StoreDraft};
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

/// An empty database and the folder that it lives in while the test runs.
pub async fn open() -> (Database, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db")).await.unwrap();
    (database, folder)
}
