//! The rollups are made anew by one server at a time, while nobody folds.

use tillwatch::domain::{Clock, Status};
use tillwatch::jobs::ready_snapshot;
use tillwatch::jobs::repair::{Workshop, carry_out, plan};
use tillwatch::store::{FoldCommit, StoreChange, StoreError};

use crate::doctor::three_days;
use crate::whole_line::payment;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_folds_while_the_rollups_are_made_anew_and_who_began_last_goes_on() {
    let line = three_days().await;
    let database = &line.context.database;
    let base = line.context.snapshots.current();
    database.begin_rebuild("one").await.unwrap();
    let fold = FoldCommit::nothing("fold".into(), base.version, line.clock.now());
    assert!(matches!(database.commit_fold(&fold).await, Err(StoreError::Conflict(_))));

    database.begin_rebuild("two").await.unwrap();
    let put = database.put_rebuilt("one", &[], base.version + 1).await;
    assert!(matches!(put, Err(StoreError::Conflict(_))), "{put:?}");
    let end = database.end_rebuild("one", base.version, &base.calendars).await;
    assert!(matches!(end, Err(StoreError::Conflict(_))), "{end:?}");
    assert!(database.rollups_are_old().await.unwrap());

    // Whoever starts next makes them whole, and the others see that there is something new.
    let made = ready_snapshot(database, &line.lake).await.unwrap();
    assert_eq!(made.version, base.version + 1);
    line.context.snapshots.publish(made);
    line.send(vec![payment(&line, "d", "2026-11-23T09:00:00Z", Status::Succeeded)]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_is_repaired_also_when_a_rebuild_was_killed_on_the_way() {
    let line = three_days().await;
    let before = line.rollups().await;
    let file = line.context.snapshots.current().files.values().next().unwrap()[0].clone();
    std::fs::remove_file(line.lake.root().join(&file.path)).unwrap();
    let database = &line.context.database;
    database.begin_rebuild("killed").await.unwrap();
    let shop = Workshop {
        folder: line.folder.path().to_owned(),
        database: database.clone(),
        lake: line.lake.clone(),
        backups: Vec::new(),
    };
    let planned = plan(&shop, line.clock.now()).await.unwrap();
    carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
    line.context.snapshots.publish(ready_snapshot(database, &line.lake).await.unwrap());
    assert_eq!(line.rollups().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_file_is_lost_figures_are_not_made_anew_without_its_rows() {
    let line = three_days().await;
    let before = line.rollups().await;
    let file = line.context.snapshots.current().files.values().next().unwrap()[0].clone();
    std::fs::remove_file(line.lake.root().join(&file.path)).unwrap();
    tillwatch::jobs::Job::run(&tillwatch::jobs::Inspect::new(line.lake.clone()), &line.context)
        .await
        .unwrap();
    let database = &line.context.database;
    let change = StoreChange {
        name: line.store.name.clone(),
        zone: chrono_tz::Asia::Singapore,
        cut_off: line.store.cut_off,
        week_start: line.store.week_start,
        language: line.store.language.clone(),
    };
    assert!(database.update_store(line.store.id, &change).await.unwrap());
    let kept = ready_snapshot(database, &line.lake).await.unwrap();
    line.context.snapshots.publish(kept);
    assert_eq!(line.rollups().await, before);
}
