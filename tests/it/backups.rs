//! Backups are made beside running folds, restored whole, and tell when they are not.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tillwatch::domain::{Clock, Status};
use tillwatch::jobs::backup::{
    BackupSource, FolderSink, RestoreSource, TarSink, back_up, back_up_into, backups_in, drill, restore,
};
use tillwatch::jobs::doctor::steady_snapshot;
use tillwatch::jobs::{Expire, Job};
use tillwatch::lake::Lake;
use tillwatch::store::Database;

use crate::doctor::{silent, three_days};
use crate::whole_line::{Line, payment};

fn source(line: &Line) -> BackupSource {
    BackupSource {
        folder: line.folder.path().to_owned(),
        database: line.context.database.clone(),
        lake: line.lake.clone(),
        clock: line.clock.clone(),
        with_secret: false,
    }
}

/// What a folder holds, read as a server would.
async fn assert_same(line: &Line, restored: &Path) {
    let database = Database::open(&restored.join("tillwatch.db")).await.unwrap();
    let (was, is) = (line.context.snapshots.current(), steady_snapshot(&database).await.unwrap());
    database.close().await;
    assert_eq!((was.version, &was.files, &was.rollups), (is.version, &is.files, &is.rollups));
    let lake = Lake::open(&restored.join("lake")).unwrap();
    for file in is.files.values().flatten() {
        assert_eq!(lake.read(file, None).unwrap().rows(), line.lake.read(file, None).unwrap().rows());
    }
}

/// A writer whose bytes can be looked at later.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_whole_from_a_folder_and_from_an_archive() {
    let line = three_days().await;
    let place = tempfile::tempdir().unwrap();
    let now = line.clock.now();
    let (target, manifest) = back_up_into(&source(&line), &place.path().join("backups"), None).await.unwrap();
    assert!(manifest.lost.is_empty() && !manifest.secret && !target.join("secret.key").exists());
    assert_eq!(manifest.totals.len(), 1);
    assert_eq!((manifest.totals[0].payments, manifest.totals[0].paid), (3, 3 * 1205));
    let restored = place.path().join("restored");
    restore(&RestoreSource::of(&target), &restored, now).await.unwrap();
    assert_same(&line, &restored).await;
    let again = restore(&RestoreSource::of(&target), &restored, now).await.unwrap_err();
    assert!(again.to_string().contains("not empty"), "{again}");

    let archive = Shared::default();
    let with_secret = BackupSource { with_secret: true, ..source(&line) };
    back_up(&with_secret, Box::new(TarSink(archive.clone()))).await.unwrap();
    let file = place.path().join("till.tar");
    fs::write(&file, archive.0.lock().unwrap().as_slice()).unwrap();
    let unpacked = place.path().join("unpacked");
    restore(&RestoreSource::of(&file), &unpacked, now).await.unwrap();
    assert_same(&line, &unpacked).await;
    assert_eq!(fs::read(unpacked.join("secret.key")).unwrap(), [7; 32]);
    // Nothing is left in the data folder.
    let left: Vec<_> =
        fs::read_dir(line.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("backup-")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_lost_a_bit_is_refused_and_nothing_is_restored() {
    let line = three_days().await;
    let place = tempfile::tempdir().unwrap();
    let (target, manifest) = back_up_into(&source(&line), place.path(), None).await.unwrap();
    for path in ["tillwatch.db", &manifest.files[0].path] {
        let harmed = target.join(path);
        let good = fs::read(&harmed).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&harmed, &bad).unwrap();
        let restored = place.path().join("restored");
        let refused = restore(&RestoreSource::of(&target), &restored, line.clock.now()).await.unwrap_err();
        assert!(format!("{refused:#}").contains("damaged"), "{refused:#}");
        assert!(!restored.exists() && !place.path().join("restored.restoring").exists());
        fs::write(&harmed, &good).unwrap();
    }
    fs::remove_file(target.join("backup.json")).unwrap();
    let refused =
        restore(&RestoreSource::of(&target), &place.path().join("r"), line.clock.now()).await.unwrap_err();
    assert!(format!("{refused:#}").contains("not finished"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_leads_out_of_the_folder_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("evil.tar");
    // As the system's tar writes it, path and all.
    fs::write(place.path().join("x"), b"x").unwrap();
    let status = std::process::Command::new("tar")
        .args(["--format=ustar", "-P", "-cf", "evil.tar", "--transform", "s|^x$|../escaped|", "x"])
        .current_dir(place.path())
        .status();
    assert!(status.unwrap().success());
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    let refused = restore(&RestoreSource::of(&archive), &place.path().join("in/to"), now).await.unwrap_err();
    assert!(format!("{refused:#}").contains("leads elsewhere"), "{refused:#}");
    assert!(!place.path().join("in/escaped").exists() && !place.path().join("escaped").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_left_out_by_name_and_found_again_in_an_earlier_backup() {
    let line = three_days().await;
    let place = tempfile::tempdir().unwrap();
    let (first, _) = back_up_into(&source(&line), place.path(), None).await.unwrap();
    let file = line.context.snapshots.current().files.values().next().unwrap()[0].clone();
    fs::write(line.lake.root().join(&file.path), b"gone bad").unwrap();
    // The earlier backup has it.
    line.clock.advance(chrono::TimeDelta::hours(1));
    let (second, manifest) = back_up_into(&source(&line), place.path(), None).await.unwrap();
    assert!(manifest.lost.is_empty(), "{:?}", manifest.lost);
    let inode = |folder: &PathBuf| {
        std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder.join("lake").join(&file.path)).unwrap())
    };
    assert_eq!(inode(&first), inode(&second), "linked, not copied");
    // Alone it is named, and the rest is kept.
    let alone = tempfile::tempdir().unwrap();
    let (_, manifest) = back_up_into(&source(&line), alone.path(), None).await.unwrap();
    assert_eq!(manifest.lost.len(), 1);
    assert!(manifest.lost[0].path.ends_with(&file.path) && manifest.lost[0].reason.contains("damaged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_backups_are_kept_and_later_folds_do_not_touch_them() {
    let line = three_days().await;
    let place = tempfile::tempdir().unwrap();
    for hour in 0..4 {
        let id = format!("later{hour}");
        line.send(vec![payment(&line, &id, "2026-11-21T09:00:00Z", Status::Succeeded)]).await;
        line.fold_until_empty().await;
        line.clock.advance(chrono::TimeDelta::hours(1));
        back_up_into(&source(&line), place.path(), Some(2)).await.unwrap();
    }
    let kept = backups_in(place.path()).unwrap();
    assert_eq!(kept.len(), 2);
    // Files of the older one were retired and are swept; its own stay.
    line.clock.advance(chrono::TimeDelta::days(3));
    Expire::new(line.lake.clone()).run(&line.context).await.unwrap();
    let restored = place.path().join("restored");
    restore(&RestoreSource::of(&kept[0]), &restored, line.clock.now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_while_a_backup_runs_unless_it_died() {
    let line = three_days().await;
    let snapshot = line.context.snapshots.current();
    let expire = Expire::new(line.lake.clone());
    let on_disk = || line.lake.list().unwrap().len();
    line.retire_everything().await;
    line.clock.advance(chrono::TimeDelta::days(2));
    let now = line.clock.now();
    line.context.database.hold_files("t", now + chrono::TimeDelta::hours(24)).await.unwrap();
    let before = on_disk();
    expire.run(&line.context).await.unwrap();
    assert_eq!(on_disk(), before);
    line.clock.advance(chrono::TimeDelta::hours(25));
    expire.run(&line.context).await.unwrap();
    assert!(on_disk() < before, "a hold that ran out holds nothing; version {}", snapshot.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_one_moment_and_passes_the_drill() {
    let line = Arc::new(three_days().await);
    let loader = Arc::clone(&line);
    let load = tokio::spawn(async move {
        for batch in 0..12 {
            let rows = (0..20)
                .map(|place| {
                    let at = format!("2026-11-2{}T10:00:{place:02}Z", place % 4);
                    payment(&loader, &format!("load-{batch}-{place}"), &at, Status::Succeeded)
                })
                .collect();
            loader.send(rows).await;
            loader.fold_until_empty().await;
        }
    });
    let report = drill(&source(&line), line.clock.now(), silent()).await.unwrap();
    load.await.unwrap();
    assert_eq!(report.totals, report.manifest.totals);
    let findings: Vec<_> = report.checkup.findings.iter().filter(|finding| finding.check != "disk").collect();
    assert!(findings.is_empty(), "{findings:?}");
    let left: Vec<_> =
        fs::read_dir(line.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("drill-")), "{left:?}");
}

#[test]
fn a_folder_that_exists_is_never_written_over() {
    let place = tempfile::tempdir().unwrap();
    assert!(FolderSink::new(place.path(), None).is_err());
}
