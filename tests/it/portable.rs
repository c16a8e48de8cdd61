//! Everything goes out as Parquet and comes in again with the same totals.

use std::fs;

use tillwatch::domain::Clock;
use tillwatch::jobs::doctor::kept_rollups;
use tillwatch::jobs::portable::{export, import};
use tillwatch::lake::{FileSet, Lake};
use tillwatch::store::Database;

use crate::doctor::three_days;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_read_into_an_empty_installation_gives_the_same_figures_and_rows() {
    let line = three_days().await;
    let place = tempfile::tempdir().unwrap();
    let (out, now) = (place.path().join("out"), line.clock.now());
    let manifest = export(&line.context.database, &line.lake, &out, now).await.unwrap();
    let current: u64 = manifest.files.iter().filter(|file| file.set == "current").map(|file| file.rows).sum();
    assert_eq!(current, 3, "without the version that was superseded");
    assert!(export(&line.context.database, &line.lake, &out, now).await.is_err(), "never over another");

    let target = tempfile::tempdir().unwrap();
    let database = Database::open(&target.path().join("tillwatch.db")).await.unwrap();
    let lake = Lake::open(&target.path().join("lake")).unwrap();
    import(&database, &lake, &out, now).await.unwrap();
    let snapshot = database.load_snapshot().await.unwrap();
    assert_eq!(kept_rollups(&database, &snapshot).await.unwrap(), line.rollups().await);
    assert_eq!(database.stores().await.unwrap(), line.context.database.stores().await.unwrap());
    let history = snapshot.files.values().flatten().filter(|file| file.file_set == FileSet::History).count();
    assert_eq!(history, 1, "earlier versions come along");
    let again = import(&database, &lake, &out, now).await.unwrap_err();
    assert!(again.to_string().contains("empty installation"), "{again}");

    // A byte that flipped on the way is noticed.
    let harmed = out.join(&manifest.files[0].path);
    let mut bytes = fs::read(&harmed).unwrap();
    bytes[50] ^= 1;
    fs::write(&harmed, bytes).unwrap();
    let third = tempfile::tempdir().unwrap();
    let database = Database::open(&third.path().join("tillwatch.db")).await.unwrap();
    let lake = Lake::open(&third.path().join("lake")).unwrap();
    let refused = import(&database, &lake, &out, now).await.unwrap_err();
    assert!(format!("{refused:#}").contains("damaged"), "{refused:#}");
}
