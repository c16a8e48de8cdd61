//! The parts of the service in one process over an empty data folder, with a clock that stands still.

use std::sync::Arc;

use chrono::TimeDelta;
use tillwatch::analytics::SnapshotCell;
use tillwatch::domain::{Clock, FixedClock, instant_from_ms};
use tillwatch::intake::Intake;
use tillwatch::lake::Lake;
use tillwatch::store::{Database, InboxWriter};
use tillwatch::telemetry::Metrics;
use tillwatch::web::{AppState, WebConfig};

/// 31 October 2026, 12:00 UTC.
pub const NOW_MS: i64 = 1_793_448_000_000;

pub struct TestService {
    pub state: AppState,
    pub clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
}

impl TestService {
    pub async fn start() -> Self {
        Self::configured(|_| ()).await
    }

    pub async fn configured(change: impl FnOnce(&mut WebConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_path = folder.path().join("tillwatch.db");
        let database = Database::open(&database_path).await.unwrap();
        let clock = Arc::new(FixedClock::at(instant_from_ms(NOW_MS)));
        let shown: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        let (writer, _task) = InboxWriter::start(database.clone());
        let mut config = WebConfig {
            started_at: clock.now() - TimeDelta::hours(1),
            data_dir: folder.path().to_owned(),
            database_path,
            ..WebConfig::default()
        };
        change(&mut config);
        let metrics = Arc::new(Metrics::new().unwrap());
        let state = AppState {
            intake: Arc::new(Intake::new(database.clone(), writer, Arc::clone(&shown), Arc::clone(&metrics))),
            lake: Arc::new(Lake::open(&folder.path().join("lake")).unwrap()),
            snapshots: Arc::new(SnapshotCell::default()),
            metrics,
            config: Arc::new(config),
            clock: shown,
            database,
        };
        Self { state, clock, _folder: folder }
    }
}

/// The application of a service, as `serve` builds it.
#[macro_export]
macro_rules! app {
    ($service:expr) => {
        actix_web::test::init_service(
            actix_web::App::new()
                .app_data(actix_web::web::Data::new($service.state.clone()))
                .wrap(actix_web::middleware::from_fn(tillwatch::web::measure))
                .configure(tillwatch::web::routes),
        )
        .await
    };
}
