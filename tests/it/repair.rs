//! Lost files come back exactly, or are given up only when somebody says so.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tillwatch::analytics::Level;
use tillwatch::domain::{Clock, Status};
use tillwatch::jobs::backup::{BackupSource, back_up_into};
use tillwatch::jobs::repair::{Cure, Workshop, carry_out, plan};
use tillwatch::lake::{FileSet, LakeFile};

use crate::doctor::{checkup, three_days};
use crate::whole_line::{Line, payment};

fn shop(line: &Line, backups: Vec<PathBuf>) -> Workshop {
    Workshop {
        folder: line.folder.path().to_owned(),
        database: line.context.database.clone(),
        lake: line.lake.clone(),
        backups,
    }
}

fn files(line: &Line) -> Vec<Arc<LakeFile>> {
    line.context.snapshots.current().files.values().flatten().cloned().collect()
}

/// Takes what the database says now, as a start does.
async fn restart(line: &Line) {
    let snapshot = line.context.database.load_snapshot().await.unwrap();
    line.context.snapshots.publish(snapshot);
}

async fn assert_well(line: &Line) {
    restart(line).await;
    let checkup = checkup(line).await;
    let findings: Vec<_> = checkup.findings.iter().filter(|finding| finding.check != "disk").collect();
    assert!(findings.is_empty() && checkup.left_out.is_empty(), "{findings:?} {:?}", checkup.left_out);
}

fn harm(line: &Line, file: &LakeFile, missing: bool) {
    let path = line.lake.root().join(&file.path);
    if missing {
        return fs::remove_file(path).unwrap();
    }
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lost_file_of_the_last_days_is_made_again_from_the_inbox() {
    let line = three_days().await;
    let before = line.rollups().await;
    for (place, file) in files(&line).into_iter().enumerate() {
        if file.file_set == FileSet::History {
            continue;
        }
        harm(&line, &file, place % 2 == 0);
        let shop = shop(&line, Vec::new());
        let planned = plan(&shop, line.clock.now()).await.unwrap();
        assert_eq!(planned.files.len(), 1);
        assert!(matches!(planned.files[0].1, Cure::FromInbox(_)), "{:?}", planned.files[0].1.says());
        carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
        assert_well(&line).await;
        assert_eq!(line.rollups().await, before);
        assert!(plan(&shop, line.clock.now()).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lost_file_comes_back_from_a_backup_its_history_too() {
    let line = three_days().await;
    let place = tempfile::tempdir().unwrap();
    let source = BackupSource {
        folder: line.folder.path().to_owned(),
        database: line.context.database.clone(),
        lake: line.lake.clone(),
        clock: line.clock.clone(),
        with_secret: false,
    };
    back_up_into(&source, place.path(), None).await.unwrap();
    // Nothing is kept in the inbox any more.
    line.clock.advance(chrono::TimeDelta::days(4));
    line.context.database.expire_batches(line.clock.now(), 1_000).await.unwrap();
    let before = line.rollups().await;
    for file in files(&line) {
        harm(&line, &file, file.file_set == FileSet::History);
        let without = plan(&shop(&line, Vec::new()), line.clock.now()).await.unwrap();
        assert!(matches!(without.files[0].1, Cure::Lost));
        let refused =
            carry_out(&shop(&line, Vec::new()), without, false, line.clock.now()).await.unwrap_err();
        assert!(refused.to_string().contains("--accept-loss"), "{refused}");

        let shop = shop(&line, vec![place.path().to_owned()]);
        let planned = plan(&shop, line.clock.now()).await.unwrap();
        assert!(matches!(planned.files[0].1, Cure::FromBackup(_)), "{:?}", planned.files[0].1.says());
        carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
        assert_well(&line).await;
        assert_eq!(line.rollups().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_given_up_leave_the_figures_and_are_written_down() {
    let line = three_days().await;
    line.clock.advance(chrono::TimeDelta::days(4));
    line.context.database.expire_batches(line.clock.now(), 1_000).await.unwrap();
    let file = files(&line).into_iter().find(|file| file.day.to_string() == "2026-11-21").unwrap();
    harm(&line, &file, true);
    let shop = shop(&line, Vec::new());
    let planned = plan(&shop, line.clock.now()).await.unwrap();
    carry_out(&shop, planned, true, line.clock.now()).await.unwrap();
    assert_well(&line).await;
    assert!(line.rollups().await.keys().all(|(_, day)| day.to_string() != "2026-11-21"));
    let entries = line.context.database.care_entries(10).await.unwrap();
    assert!(
        entries.iter().any(|entry| entry.action == "accept_loss" && entry.subject == file.path),
        "{entries:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_figures_are_made_anew_and_strangers_are_moved_away() {
    let line = three_days().await;
    let before = line.rollups().await;
    line.harm_rollups().await;
    let stranger = line.lake.root().join("stranger.parquet");
    fs::write(&stranger, b"x").unwrap();
    let shop = shop(&line, Vec::new());
    let planned = plan(&shop, line.clock.now()).await.unwrap();
    assert!(planned.rollups_are_wrong && planned.files.is_empty());
    assert!(planned.strangers.is_empty(), "it is not a week old: somebody may be at work");
    carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
    restart(&line).await;
    assert_eq!(line.rollups().await, before);

    let later = tillwatch::domain::SystemClock.now() + chrono::TimeDelta::days(8);
    let planned = plan(&shop, later).await.unwrap();
    assert_eq!(planned.strangers, ["stranger.parquet"]);
    carry_out(&shop, planned, false, later).await.unwrap();
    assert!(!stranger.exists() && line.folder.path().join("lost+found/stranger.parquet").exists());
    assert_well(&line).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_and_damaged_figures_of_every_level_are_found_and_made_anew() {
    for level in [Level::Hours, Level::Days, Level::AllHours, Level::AllDays, Level::Stores] {
        for damaged in [false, true] {
            let line = three_days().await;
            let before = line.context.database.read_levels(&line.context.snapshots.current()).await.unwrap();
            if damaged {
                line.damage_blocks(level).await;
            } else {
                line.harm_level(level).await;
            }
            restart(&line).await;
            let found = checkup(&line).await;
            let named = found.findings.iter().any(|finding| finding.check == "rollups");
            assert!(named, "{level:?}, damaged: {damaged}: {found:?}");
            let shop = shop(&line, Vec::new());
            let planned = plan(&shop, line.clock.now()).await.unwrap();
            assert!(planned.rollups_are_wrong, "{level:?}, damaged: {damaged}");
            carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
            assert_well(&line).await;
            let after = line.context.database.read_levels(&line.context.snapshots.current()).await.unwrap();
            assert_eq!(after, before, "{level:?}, damaged: {damaged}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_kept_for_as_long_as_a_file_is_lost() {
    let line = three_days().await;
    let file = files(&line)[0].clone();
    harm(&line, &file, false);
    tillwatch::jobs::Job::run(&tillwatch::jobs::Inspect::new(line.lake.clone()), &line.context)
        .await
        .unwrap();
    line.clock.advance(chrono::TimeDelta::days(4));
    assert_eq!(line.context.database.expire_batches(line.clock.now(), 1_000).await.unwrap(), 0);
    let shop = shop(&line, Vec::new());
    let planned = plan(&shop, line.clock.now()).await.unwrap();
    assert!(matches!(planned.files[0].1, Cure::FromInbox(_)), "{:?}", planned.files[0].1.says());
    carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
    assert_eq!(line.context.database.expire_batches(line.clock.now(), 1_000).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_bytes_are_right_again_is_taken_back() {
    let line = three_days().await;
    let file = files(&line)[0].clone();
    let path = line.lake.root().join(&file.path);
    let good = fs::read(&path).unwrap();
    fs::write(&path, b"bad").unwrap();
    tillwatch::jobs::Job::run(&tillwatch::jobs::Inspect::new(line.lake.clone()), &line.context)
        .await
        .unwrap();
    assert_eq!(line.context.snapshots.current().quarantined.len(), 1);
    fs::write(&path, good).unwrap();
    let shop = shop(&line, Vec::new());
    let planned = plan(&shop, line.clock.now()).await.unwrap();
    assert!(matches!(planned.files[0].1, Cure::RightAgain));
    carry_out(&shop, planned, false, line.clock.now()).await.unwrap();
    assert_well(&line).await;
    assert!(line.context.snapshots.current().quarantined.is_empty());
    line.send(vec![payment(&line, "new", "2026-11-21T08:00:00Z", Status::Succeeded)]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
}
