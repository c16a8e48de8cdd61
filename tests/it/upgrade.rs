//! A data folder of the first version is brought up to date, and one of a later version is left alone.

use std::path::Path;
use std::process::Command;

use tillwatch::analytics::totals_of_rollups;
use tillwatch::jobs::doctor::{Patient, examine, kept_rollups};
use tillwatch::jobs::ready_snapshot;
use tillwatch::lake::Lake;
use tillwatch::store::{Database, StoreError};

use crate::doctor::silent;

/// Made by the program of the commit before formats were kept: 60 payments, ten of them in two versions.
fn unpack(folder: &Path) {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upgrade/version-1.tar.gz");
    let status = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder).status();
    assert!(status.unwrap().success());
}

fn copies(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut copies: Vec<String> = names.filter(|name| name.starts_with("pre-")).collect();
    copies.sort();
    copies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_first_version_keeps_every_figure_and_a_copy_of_before() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let file = folder.path().join("tillwatch.db");
    let database = Database::open(&file).await.unwrap();
    let lake = Lake::open(&folder.path().join("lake")).unwrap();
    // What a start does: the prepared figures of the first version are made anew.
    assert!(database.rollups_are_old().await.unwrap());
    let snapshot = ready_snapshot(&database, &lake).await.unwrap();
    assert!(!database.rollups_are_old().await.unwrap());
    let mut sums = std::collections::BTreeMap::<String, (i64, i128)>::new();
    for ((_, _, currency), total) in totals_of_rollups(&kept_rollups(&database, &snapshot).await.unwrap()) {
        let sum = sums.entry(currency.to_string()).or_default();
        *sum = (sum.0 + total.payments, sum.1 + total.paid);
    }
    assert_eq!(sums, [("CNY".to_owned(), (24, 24_640)), ("JPY".to_owned(), (9, 9_192))].into());

    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    let patient = Patient { folder: folder.path(), database: &database, lake: &lake, now, running: false };
    let checkup = examine(&patient, silent()).await.unwrap();
    let findings: Vec<_> = checkup.findings.iter().filter(|finding| finding.check != "disk").collect();
    assert!(findings.is_empty(), "{findings:?}");
    database.close().await;
    assert_eq!(copies(folder.path()), ["pre-0005.db"]);

    // The copy is what stood there before: it can be put back and brought up to date again.
    let again = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("pre-0005.db"), again.path().join("tillwatch.db")).unwrap();
    let database = Database::open(&again.path().join("tillwatch.db")).await.unwrap();
    // Making the figures anew moved the version by one.
    assert_eq!(database.load_snapshot().await.unwrap().version, snapshot.version - 1);
    database.close().await;

    // A second start changes nothing and keeps no further copy.
    Database::open(&file).await.unwrap().close().await;
    assert_eq!(copies(folder.path()), ["pre-0005.db"]);
}

#[tokio::test]
async fn data_of_a_newer_program_are_left_alone_with_a_sentence() {
    for harm in [
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, x'00', 0)",
        "update data_format set min_writer = 99, written_by = '7.5.0'",
        "update data_format set min_reader = 99, written_by = '7.5.0'",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tillwatch.db");
        Database::open(&file).await.unwrap().close().await;
        let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        sqlx::query(harm).execute(&pool).await.unwrap();
        pool.close().await;
        let before = std::fs::read(&file).unwrap();
        let refused = Database::open(&file).await.unwrap_err();
        assert!(matches!(refused, StoreError::Newer { .. }), "{refused}");
        assert!(refused.to_string().contains("install that version"), "{refused}");
        if harm.contains("7.5.0") {
            assert!(refused.to_string().contains("7.5.0"), "{refused}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), before, "not a byte was written");
    }
}
