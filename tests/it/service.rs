//! The parts of the service in one process over an empty data folder, with a clock that stands still.

use std::sync::Arc;

use chrono::TimeDelta;
use tillwatch::analytics::SnapshotCell;
use tillwatch::domain::{Clock, Currency, FixedClock, OrganisationId, Role, StoreSet, instant_from_ms};
use tillwatch::intake::webhooks::WebhookDesk;
use tillwatch::intake::{Intake, Pseudonyms};
use tillwatch::lake::Lake;
use tillwatch::store::{Database, DatabaseAddress, FirstSetup, InboxWriter, PersonDraft, Seal, StoreDraft};
use tillwatch::telemetry::Metrics;
use tillwatch::web::door::{Door, DoorKeys, token_hash};
use tillwatch::web::{AppState, WebConfig};

use crate::engines::{Postgres, database_in};

/// 31 October 2026, 12:00 UTC.
pub const NOW_MS: i64 = 1_793_448_000_000;

/// Where browsers find the service.
pub const ORIGIN: &str = "http://127.0.0.1:8080";

pub struct TestService {
    pub state: AppState,
    pub clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
    _postgres: Option<Postgres>,
}

impl TestService {
    pub async fn start() -> Self {
        Self::configured(|_| ()).await
    }

    pub async fn configured(change: impl FnOnce(&mut WebConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, postgres) = database_in(folder.path());
        let database = Database::open(DatabaseAddress::parse(&address).unwrap()).await.unwrap();
        let clock = Arc::new(FixedClock::at(instant_from_ms(NOW_MS)));
        let shown: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        let (writer, _task) = InboxWriter::start(database.clone());
        let mut config = WebConfig {
            started_at: clock.now() - TimeDelta::hours(1),
            data_dir: folder.path().to_owned(),
            public_origin: ORIGIN.to_owned(),
            ..WebConfig::default()
        };
        change(&mut config);
        let metrics = Arc::new(Metrics::new().unwrap());
        let intake =
            Arc::new(Intake::new(database.clone(), writer, Arc::clone(&shown), Arc::clone(&metrics)));
        let pseudonyms = Arc::new(Pseudonyms::new([3; 32]));
        let seal = Seal::new([4; 32]);
        let webhooks = WebhookDesk::new(
            database.clone(),
            Arc::clone(&intake),
            seal.clone(),
            Arc::clone(&pseudonyms),
            Arc::clone(&metrics),
            Arc::clone(&shown),
        );
        let state = AppState {
            intake,
            webhooks: Arc::new(webhooks),
            lake: Arc::new(Lake::open(&folder.path().join("lake")).unwrap()),
            pseudonyms,
            seal,
            snapshots: Arc::new(SnapshotCell::default()),
            metrics,
            config: Arc::new(config),
            clock: shown,
            door: Arc::new(Door::new(DoorKeys { pepper: [1; 32], forms: [2; 32] })),
            database,
        };
        Self { state, clock, _folder: folder, _postgres: postgres }
    }

    /// Sets the service up with the store `main` and returns the `Cookie` header of its owner, signed in.
    pub async fn owner(&self) -> (&'static str, String) {
        let now = self.clock.now();
        let database = &self.state.database;
        database.put_setup_token(b"", now + TimeDelta::minutes(30)).await.unwrap();
        let password_hash = self.state.door.passwords.hash(PASSWORD.to_owned()).await.unwrap();
        let setup = FirstSetup {
            organisation_name: "Tea & Co".into(),
            owner: PersonDraft {
                email: "owner@example.com".into(),
                name: "Wang".into(),
                password_hash,
                role: Role::Owner,
                stores: StoreSet::All,
                language: "en".into(),
            },
            store: StoreDraft {
                organisation: OrganisationId(0),
                slug: "main".into(),
                name: "总店".into(),
                zone: "Asia/Shanghai".parse().unwrap(),
                cut_off: chrono::NaiveTime::MIN,
                week_start: chrono::Weekday::Mon,
                currency: Currency::CNY,
                language: "zh-Hans".into(),
            },
        };
        let (person, _) = database.complete_setup(&setup, now).await.unwrap();
        let token = "5e".repeat(32);
        database.insert_session(&token_hash(&token), person, "test", now).await.unwrap();
        ("cookie", format!("sid={token}"))
    }
}

/// The owner's password.
pub const PASSWORD: &str = "correct horse battery";

/// The application of a service, as `serve` builds it.
#[macro_export]
macro_rules! app {
    ($service:expr) => {
        actix_web::test::init_service(
            actix_web::App::new()
                .app_data(actix_web::web::Data::new($service.state.clone()))
                .wrap(actix_web::middleware::from_fn(tillwatch::web::gate))
                .wrap(actix_web::middleware::from_fn(tillwatch::web::measure))
                .configure(tillwatch::web::routes),
        )
        .await
    };
}
