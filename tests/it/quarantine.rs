//! Files that are damaged or missing: found before a number is made, set aside, said.

use std::fs;

use tillwatch::domain::{Range, Status};
use tillwatch::jobs::{Inspect, Job, Scrub};

use crate::whole_line::{Line, payment};

const DAY: &str = "2026-11-23";

/// A line with payments of two days, folded.
async fn two_days() -> Line {
    let line = Line::new().await;
    let rows = (0..6)
        .map(|place| {
            let day = if place < 3 { DAY } else { "2026-11-24" };
            payment(&line, &format!("t{place}"), &format!("{day}T0{place}:00:00Z"), Status::Succeeded)
        })
        .collect();
    line.send(rows).await;
    line.fold_until_empty().await;
    line
}

fn path_of_day(line: &Line) -> std::path::PathBuf {
    let snapshot = line.context.snapshots.current();
    let files = snapshot.files.iter().find(|((_, day), _)| day.to_string() == DAY).unwrap().1;
    line.folder.path().join("lake").join(&files[0].path)
}

fn span(from: &str, until: &str) -> Range {
    let at = |text: &str| format!("{text}T00:00:00Z").parse().unwrap();
    Range { from: at(from), until: at(until) }
}

/// Ways for a file to be wrong.
fn harm(path: &std::path::Path, how: usize) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    match how {
        0 => bytes[middle] ^= 1,
        1 => bytes.truncate(middle),
        2 => bytes[4..middle].fill(0),
        _ => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_went_bad_is_set_aside_and_its_rollups_stay() {
    for how in 0..4 {
        let line = two_days().await;
        let before = line.context.snapshots.current();
        harm(&path_of_day(&line), how);
        let inspect = Inspect::new(line.lake.clone());
        assert_eq!(inspect.run(&line.context).await.unwrap().done, 1, "way {how}");

        let after = line.context.snapshots.current();
        assert!(after.version > before.version, "pages kept by browsers would stay");
        assert_eq!(after.rollups, before.rollups);
        assert_eq!(after.files.len(), before.files.len() - 1);
        assert_eq!(after.partial_days(span("2026-11-20", "2026-11-30")).len(), 1);
        assert!(after.partial_days(span("2026-11-24", "2026-11-30")).is_empty());
        // A start reads the same.
        let stored = line.context.database.load_snapshot().await.unwrap();
        assert_eq!(
            (stored.version, &stored.files, &stored.quarantined),
            (after.version, &after.files, &after.quarantined)
        );
        let entries = line.context.database.care_entries(10).await.unwrap();
        assert_eq!((entries.len(), entries[0].action.as_str()), (1, "quarantine"));
        assert_eq!(inspect.run(&line.context).await.unwrap().done, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_files_are_left_alone_and_a_scrub_notes_them() {
    let line = two_days().await;
    let version = line.context.snapshots.current().version;
    assert_eq!(Inspect::new(line.lake.clone()).run(&line.context).await.unwrap().done, 0);
    let scrub = Scrub::new(line.lake.clone());
    assert_eq!(scrub.run(&line.context).await.unwrap().done, 2);
    assert_eq!(scrub.run(&line.context).await.unwrap().done, 0, "once a week");
    assert_eq!(line.context.snapshots.current().version, version);
    line.clock.advance(chrono::TimeDelta::days(8));
    harm(&path_of_day(&line), 0);
    assert_eq!(scrub.run(&line.context).await.unwrap().done, 2);
    assert_eq!(line.context.snapshots.current().quarantined.len(), 1, "the scrub found it");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_folded_beside_a_file_that_cannot_be_read() {
    let line = two_days().await;
    harm(&path_of_day(&line), 3);
    Inspect::new(line.lake.clone()).run(&line.context).await.unwrap();
    let before = line.context.snapshots.current();
    // The same payment again: whether it is new cannot be known.
    line.send(vec![payment(&line, "t0", &format!("{DAY}T00:00:00Z"), Status::Succeeded)]).await;
    assert_eq!(line.try_fold().await.unwrap(), 0);
    let held = line.context.database.held_batches(10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert!(held[0].reason.contains("is set aside"), "{}", held[0].reason);
    assert_eq!(line.context.snapshots.current().rollups, before.rollups);
}
