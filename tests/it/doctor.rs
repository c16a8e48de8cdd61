//! The doctor finds what is planted, and nothing where nothing is wrong.

use std::fs;
use std::sync::Arc;

use tillwatch::domain::{Clock, Status};
use tillwatch::jobs::doctor::{Checkup, Hears, Patient, examine};

use crate::whole_line::{Line, payment};

/// Payments of three days, one of them given in two versions, folded; a secret beside them.
pub async fn three_days() -> Line {
    let line = Line::new().await;
    let secret = line.folder.path().join("secret.key");
    fs::write(&secret, [7; 32]).unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let row = |id: &str, at: &str, status| payment(&line, id, at, status);
    line.send(vec![
        row("a", "2026-11-21T08:00:00Z", Status::Succeeded),
        row("b", "2026-11-22T23:59:00Z", Status::Created),
        row("c", "2026-11-23T08:00:00Z", Status::Succeeded),
    ])
    .await;
    line.fold_until_empty().await;
    line.send(vec![row("b", "2026-11-22T23:59:00Z", Status::Succeeded)]).await;
    line.fold_until_empty().await;
    line
}

pub fn silent() -> Hears {
    Arc::new(|_| ())
}

pub async fn checkup(line: &Line) -> Checkup {
    let patient = Patient {
        folder: line.folder.path(),
        database: &line.context.database,
        lake: &line.lake,
        now: line.clock.now(),
        running: false,
    };
    examine(&patient, silent()).await.unwrap()
}

/// The checks that found something, but for the disk of whoever runs this.
fn found(checkup: &Checkup) -> Vec<&'static str> {
    let mut checks: Vec<_> = checkup.findings.iter().map(|finding| finding.check).collect();
    checks.retain(|check| *check != "disk");
    checks.dedup();
    checks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_installation_has_no_finding() {
    let line = three_days().await;
    let checkup = checkup(&line).await;
    assert!(found(&checkup).is_empty(), "{checkup:#?}");
    assert!(checkup.left_out.is_empty(), "{checkup:#?}");
    let well: Vec<_> = checkup.facts.iter().map(|fact| fact.check).collect();
    for check in
        ["secret", "versions", "database", "sizes", "clock", "inbox", "files", "folder", "totals", "rollups"]
    {
        assert!(well.contains(&check), "{check} was not looked at: {well:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_with_its_day_and_the_days_it_reaches_are_left_out() {
    let line = three_days().await;
    let snapshot = line.context.snapshots.current();
    let file =
        snapshot.files.iter().find(|((_, day), _)| day.to_string() == "2026-11-21").unwrap().1[0].clone();
    let path = line.lake.root().join(&file.path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let checkup = checkup(&line).await;
    assert_eq!(found(&checkup), ["files"]);
    let finding = checkup.findings.iter().find(|finding| finding.check == "files").unwrap();
    assert!(finding.what.contains("2026-11-21") && finding.what.contains("damaged"), "{finding:?}");
    assert!(finding.todo.contains("tillwatch repair"));
    assert!(checkup.left_out.iter().any(|left| left.check == "rollups" && left.why.contains("2026-11-21")));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_that_are_not_those_of_the_rows_are_found_twice_over() {
    let line = three_days().await;
    line.harm_rollups().await;
    assert_eq!(found(&checkup(&line).await), ["totals", "rollups"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_in_the_lake_a_bad_secret_and_a_bad_batch_are_found() {
    let line = three_days().await;
    fs::write(line.lake.root().join("stranger.parquet"), b"x").unwrap();
    fs::set_permissions(
        line.folder.path().join("secret.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let batch = tillwatch::store::InboxBatch {
        stream: tillwatch::domain::Stream::Transactions,
        rows: 3,
        arrow_ipc: b"not arrow",
        received_at: line.clock.now(),
    };
    line.context.database.append_group(&[batch], &[]).await.unwrap();
    let checkup = checkup(&line).await;
    assert_eq!(found(&checkup), ["secret", "inbox", "folder"]);
    assert!(checkup.findings.iter().any(|finding| finding.what.contains("stranger.parquet")));

    fs::write(line.folder.path().join("secret.key"), b"short").unwrap();
    assert!(found(&self::checkup(&line).await).contains(&"secret"));
    fs::remove_file(line.folder.path().join("secret.key")).unwrap();
    assert!(found(&self::checkup(&line).await).contains(&"secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_is_found() {
    let line = three_days().await;
    line.clock.advance(chrono::TimeDelta::hours(-30));
    assert_eq!(found(&checkup(&line).await), ["clock"]);
}
