//! A person who is erased is nowhere any more, and days that are dropped leave figures that the rest gives.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use tillwatch::domain::{Clock, Status, Word};
use tillwatch::intake::Pseudonyms;
use tillwatch::jobs::backup::{BackupSource, RestoreSource, back_up_into, restore};
use tillwatch::jobs::erase::{erase, erasures_of, log_erasures, pseudonyms_of};
use tillwatch::jobs::retention::{KEEP_DAYS, Retention, clock_is_steady, drop_day, expired};
use tillwatch::jobs::{Expire, Job};
use tillwatch::lake::{Lake, decode_batch};
use tillwatch::store::Database;

use crate::whole_line::{Line, payment};

const RAW: &str = "Mrs.Wang@Example.com";

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new([9; 32])
}

fn her() -> String {
    pseudonyms().of("customer", "", RAW)
}

/// Her payments on three days, in two versions and in the inbox, among others'.
async fn a_shop_with_her() -> Line {
    let line = Line::new().await;
    let other = pseudonyms().of("customer", "", "somebody else");
    let rows = |status| {
        (0..6)
            .map(|place| {
                let at = format!("2026-11-2{}T10:00:0{place}Z", place % 3);
                let mut row = payment(&line, &format!("t{place}"), &at, status);
                row.customer = Some(if place % 2 == 0 { her() } else { other.clone() });
                row.ip = (place % 2 == 0).then(her);
                row
            })
            .collect::<Vec<_>>()
    };
    line.send(rows(Status::Created)).await;
    line.fold_until_empty().await;
    line.send(rows(Status::Succeeded)).await;
    line.fold_until_empty().await;
    // Waits for the fold.
    line.send(vec![rows(Status::Succeeded)[0].clone()]).await;
    line
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(everything(&path)) } else { found.push(path) }
    }
    found
}

/// Where her pseudonym is: as bytes of any file, in any row of any Parquet file, in any batch.
async fn traces(folder: &Path) -> Vec<String> {
    let her = her();
    let mut found = Vec::new();
    for path in everything(folder) {
        let bytes = fs::read(&path).unwrap();
        if bytes.windows(her.len()).any(|window| window == her.as_bytes()) {
            found.push(format!("bytes of {}", path.display()));
        }
    }
    let database = Database::open(&folder.join("tillwatch.db")).await.unwrap();
    let lake = Lake::open(&folder.join("lake")).unwrap();
    let hash = tillwatch::lake::person_hash(&her);
    for file in database.load_snapshot().await.unwrap().files.values().flatten() {
        if lake.read_all_rows(file, None).unwrap().rows_of_persons(|person| person == hash).unwrap() > 0 {
            found.push(format!("rows of {}", file.path));
        }
    }
    for seq in database.batch_numbers(tillwatch::domain::Stream::Transactions).await.unwrap() {
        let rows = decode_batch(&database.read_batch(seq).await.unwrap()).unwrap();
        if rows.rows_of_persons(|person| person == hash).unwrap() > 0 {
            found.push(format!("batch {seq}"));
        }
    }
    // Files on the disk that the manifest does not call live.
    let live: BTreeSet<String> = database
        .load_snapshot()
        .await
        .unwrap()
        .files
        .values()
        .flatten()
        .map(|file| file.path.clone())
        .collect();
    found.extend(
        lake.list()
            .unwrap()
            .into_iter()
            .filter(|path| !live.contains(path))
            .map(|path| format!("old {path}")),
    );
    database.close().await;
    found
}

fn source(line: &Line) -> BackupSource {
    BackupSource {
        folder: line.folder.path().to_owned(),
        database: line.context.database.clone(),
        lake: line.lake.clone(),
        clock: line.clock.clone(),
        with_secret: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_erased_is_in_no_file_no_batch_and_no_restored_backup() {
    let line = a_shop_with_her().await;
    let backups = tempfile::tempdir().unwrap();
    let (backup, _) = back_up_into(&source(&line), backups.path(), None).await.unwrap();
    let before = line.rollups().await;
    let now = line.clock.now();
    let people = pseudonyms_of(&pseudonyms(), &[Word::of("alipay")].into(), RAW);
    assert!(people.contains(&her()) && people.len() == 2);
    let erasures = erasures_of(&people, "ticket 7", now);
    log_erasures(line.folder.path(), &erasures).unwrap();
    log_erasures(backups.path(), &erasures).unwrap();
    let database = &line.context.database;
    assert!(!traces(line.folder.path()).await.is_empty(), "she is found before");
    let erased = erase(database, &line.lake, &erasures, now).await.unwrap();
    assert!(erased.rows >= 6 && erased.batches >= 3, "{erased:?}");
    assert_eq!(traces(line.folder.path()).await, Vec::<String>::new());

    // Her payments are still counted.
    line.context.snapshots.publish(database.load_snapshot().await.unwrap());
    assert_eq!(line.rollups().await, before);
    line.assert_equals_rebuild().await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;

    // The backup from before knows her; what is restored from it does not.
    let restored = backups.path().join("restored");
    let report = restore(&RestoreSource::of(&backup), &restored, now).await.unwrap();
    assert!(report.erased > 0);
    assert_eq!(traces(&restored).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_erased_while_a_backup_runs() {
    let line = a_shop_with_her().await;
    let now = line.clock.now();
    line.context.database.hold_files("t", now + TimeDelta::hours(1)).await.unwrap();
    let erasures = erasures_of(&[her()].into(), "x", now);
    assert!(erase(&line.context.database, &line.lake, &erasures, now).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_are_dropped_leave_what_a_rebuild_of_the_rest_gives() {
    let line = Line::new().await;
    // An order whose second attempt is on the next day, money that moved a day later, two stores' worth of days.
    let mut rows = Vec::new();
    for place in 0..8 {
        let at = format!("2026-08-0{}T23:50:0{place}Z", 1 + place % 4);
        let mut row = payment(
            &line,
            &format!("t{place}"),
            &at,
            if place % 3 == 0 { Status::Failed } else { Status::Succeeded },
        );
        row.order_id = Some(format!("o{}", place / 2));
        row.completed_at = Some(row.created_at + TimeDelta::minutes(20));
        rows.push(row);
    }
    line.send(rows).await;
    line.fold_until_empty().await;
    let database = &line.context.database;
    let now = line.clock.now();
    let snapshot = line.context.snapshots.current();
    let found = expired(&snapshot, now, 0);
    assert_eq!(found.days.len(), 4, "{found:?}");
    assert!(expired(&snapshot, now, 200).days.is_empty());
    let stores = database.stores().await.unwrap();
    for (done, day) in found.days.iter().enumerate().take(2) {
        let snapshot = Arc::new(database.load_snapshot().await.unwrap());
        drop_day(database, &line.lake, &snapshot, &stores, *day, now).await.unwrap();
        line.context.snapshots.publish(database.load_snapshot().await.unwrap());
        line.assert_equals_rebuild().await;
        assert_eq!(expired(&line.context.snapshots.current(), now, 0).days.len(), 3 - done);
    }
    let entries = database.care_entries(10).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.action == "retention").count(), 2);
    line.clock.advance(TimeDelta::days(3));
    Expire::new(line.lake.clone()).run(&line.context).await.unwrap();
    assert!(!line.lake.list().unwrap().iter().any(|path| path.contains("2026-08-01")), "the files are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_drops_nothing_until_it_went_steadily_for_a_day() {
    let line = Line::new().await;
    line.send(vec![payment(&line, "old", "2026-11-20T10:00:00Z", Status::Succeeded)]).await;
    line.fold_until_empty().await;
    let database = &line.context.database;
    database.put_setting(KEEP_DAYS, "60", line.clock.now()).await.unwrap();
    let retention = Retention::new(line.lake.clone(), tillwatch::jobs::fold::Shared::default());
    let steady = async || clock_is_steady(database, line.clock.now()).await.unwrap();
    for _ in 0..30 {
        steady().await;
        line.clock.advance(TimeDelta::hours(1));
    }
    assert!(steady().await, "thirty hours, an hour at a time");
    // The clock says that a year has passed.
    line.clock.advance(TimeDelta::days(365));
    assert_eq!(retention.run(&line.context).await.unwrap().done, 0);
    line.clock.advance(TimeDelta::hours(1));
    assert_eq!(retention.run(&line.context).await.unwrap().done, 0);
    assert_eq!(line.context.snapshots.current().files.len(), 1);
    // Set right: nothing was lost. Had it been true, a day later the day goes.
    for _ in 0..26 {
        line.clock.advance(TimeDelta::hours(1));
        retention.run(&line.context).await.unwrap();
    }
    assert!(line.context.snapshots.current().files.is_empty());
}
