//! An import is undone: every figure is what it was before, and what others said as well still stands.

use actix_web::test::TestRequest;
use chrono::TimeDelta;
use tillwatch::analytics::Changes;
use tillwatch::domain::{Clock, Currency, Money, Status, Stream, Transaction, Word, import_feed};
use tillwatch::jobs::rebuild_rollups;
use tillwatch::lake::FileSet;
use tillwatch::store::{ImportDraft, ImportFindings, ImportState};

use crate::imports_page::Browser;
use crate::service::ORIGIN;
use crate::whole_line::{Line, payment};

const DAY: &str = "2026-11-23";

/// An import of these payments, run to its end.
async fn import(line: &Line, name: &str, rows: Vec<Transaction>) -> i64 {
    let draft = ImportDraft {
        store: line.store.id,
        sha256: name.to_owned(),
        mapping_sha256: String::new(),
        file_name: name.to_owned(),
        size_bytes: 1,
    };
    let (database, now) = (&line.context.database, line.clock.now());
    let id = database.begin_import(&draft, now).await.unwrap();
    let count = i64::try_from(rows.len()).unwrap();
    let accepted = line.intake.accept_transactions(import_feed(id), rows).await.unwrap();
    database.add_import_batch(id, accepted.inbox_seq.unwrap(), count, 1_000_000).await.unwrap();
    let day = DAY.parse().unwrap();
    let findings = ImportFindings { rows: count, days: Some((day, day)), ..ImportFindings::default() };
    database.finish_import(id, ImportState::Done, &findings, now).await.unwrap();
    id
}

fn paid(line: &Line, id: &str, amount: i64) -> Transaction {
    let amount = Money::from_minor(amount, Currency::CNY).unwrap();
    let row = payment(line, id, &format!("{DAY}T03:00:00Z"), Status::Succeeded);
    Transaction { amount, updated_at: Some(row.created_at + TimeDelta::minutes(1)), ..row }
}

fn later(row: Transaction) -> Transaction {
    Transaction { updated_at: row.updated_at.map(|at| at + TimeDelta::hours(1)), ..row }
}

/// Asks for it, and lets the job do it.
async fn undo(line: &Line, import: i64) {
    line.clock.set(line.clock.now() + TimeDelta::minutes(1));
    assert!(line.context.database.ask_withdrawal(import, "Wang", line.clock.now()).await.unwrap());
    assert_eq!(line.withdraw().await, 1);
}

/// The figures, which must be those of the rows.
async fn figures(line: &Line) -> Changes {
    let kept = line.rollups().await;
    let snapshot = line.context.snapshots.current();
    let grains = [(line.store.id, line.store.grain())].into();
    assert_eq!(kept, rebuild_rollups(&line.lake, &snapshot, &grains).unwrap());
    kept
}

/// The amounts of all live rows.
fn amounts(line: &Line) -> Vec<i64> {
    let snapshot = line.context.snapshots.current();
    let key = (Stream::Transactions, DAY.parse().unwrap());
    let files = snapshot.files.get(&key).cloned().unwrap_or_default();
    let current = files.iter().filter(|file| file.file_set == FileSet::Current);
    let mut amounts: Vec<i64> = current
        .flat_map(|file| {
            let rows = line.lake.read(file, Some(&["amount"])).unwrap();
            let column = rows.data().column("amount").unwrap().i64().unwrap();
            column.iter().flatten().collect::<Vec<_>>()
        })
        .collect();
    amounts.sort_unstable();
    amounts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_import_leaves_every_figure_as_it_was() {
    let line = Line::new().await;
    let (one, two) = (paid(&line, "one", 100), paid(&line, "two", 200));
    line.intake.accept_transactions(Word::of("import"), vec![one.clone(), two.clone()]).await.unwrap();
    line.fold_until_empty().await;
    let before = figures(&line).await;

    let changed = later(paid(&line, "one", 999));
    let id = import(&line, "a", vec![changed, two.clone(), paid(&line, "three", 300)]).await;
    line.fold_until_empty().await;
    assert_eq!(amounts(&line), [200, 300, 999]);
    assert_ne!(figures(&line).await, before);

    undo(&line, id).await;
    assert_eq!(amounts(&line), [100, 200]);
    assert_eq!(figures(&line).await, before);
    let withdrawal = line.context.database.withdrawal_of(id).await.unwrap().unwrap();
    assert_eq!((withdrawal.asked_by.as_str(), withdrawal.taken_out, withdrawal.brought_back), ("Wang", 2, 1));
    assert!(withdrawal.done_at.is_some());
    assert!(!line.context.database.ask_withdrawal(id, "Wang", line.clock.now()).await.unwrap(), "once");
    assert_eq!(line.withdraw().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_imports_said_stands_until_both_are_undone() {
    let line = Line::new().await;
    let none = figures(&line).await;
    let rows = || vec![paid(&line, "one", 100), paid(&line, "two", 200)];
    let first = import(&line, "a", rows()).await;
    let second = import(&line, "b", rows()).await;
    line.fold_until_empty().await;
    let third = import(&line, "c", rows()).await;
    line.fold_until_empty().await;
    let both = figures(&line).await;

    undo(&line, first).await;
    assert_eq!((amounts(&line), figures(&line).await == both), (vec![100, 200], true));
    undo(&line, third).await;
    assert_eq!((amounts(&line), figures(&line).await == both), (vec![100, 200], true));
    undo(&line, second).await;
    assert_eq!((amounts(&line), figures(&line).await == none), (vec![], true));

    // The same file again counts again.
    line.clock.set(line.clock.now() + TimeDelta::minutes(1));
    assert_eq!(import(&line, "b", rows()).await, second);
    line.fold_until_empty().await;
    assert_eq!(figures(&line).await, both);
    assert_eq!(line.context.database.withdrawal_of(second).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_only_the_import_brought_is_free_for_its_live_feed() {
    let line = Line::new().await;
    let id = import(&line, "a", vec![paid(&line, "one", 100)]).await;
    line.fold_until_empty().await;
    undo(&line, id).await;
    line.send(vec![paid(&line, "one", 150)]).await;
    line.fold_until_empty().await;
    assert!(!figures(&line).await.is_empty(), "the live feed is counted, no witness");

    // Where another import stands, its account stays as it is.
    let other = Line::new().await;
    import(&other, "a", vec![paid(&other, "one", 100)]).await;
    let id = import(&other, "b", vec![paid(&other, "two", 200)]).await;
    other.fold_until_empty().await;
    undo(&other, id).await;
    let before = figures(&other).await;
    other.send(vec![paid(&other, "one", 150)]).await;
    other.fold_until_empty().await;
    assert_eq!(figures(&other).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_undone_while_rows_wait_or_the_import_runs() {
    let line = Line::new().await;
    let id = import(&line, "a", vec![paid(&line, "one", 100)]).await;
    let database = &line.context.database;
    assert!(database.ask_withdrawal(id, "Wang", line.clock.now()).await.unwrap());
    assert_eq!(line.withdraw().await, 0);
    line.fold_until_empty().await;
    assert_eq!((amounts(&line), line.withdraw().await), (vec![100], 1));
    assert!(amounts(&line).is_empty());

    let draft = ImportDraft {
        store: line.store.id,
        sha256: "running".into(),
        mapping_sha256: String::new(),
        file_name: String::new(),
        size_bytes: 1,
    };
    let running = database.begin_import(&draft, line.clock.now()).await.unwrap();
    assert!(!database.ask_withdrawal(running, "Wang", line.clock.now()).await.unwrap());
    assert!(!database.ask_withdrawal(running + 1, "Wang", line.clock.now()).await.unwrap());
}

/// A file of the day that cannot be read might know what is to be brought back: it is repaired first.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_damaged_file_nothing_is_undone_and_other_imports_are() {
    let line = Line::new().await;
    line.send(vec![paid(&line, "one", 100)]).await;
    line.fold_until_empty().await;
    let damaged = line.context.snapshots.current().files.values().next().unwrap()[0].path.clone();
    let id = import(&line, "a", vec![paid(&line, "two", 200)]).await;
    line.fold_until_empty().await;
    std::fs::remove_file(line.folder.path().join("lake").join(damaged)).unwrap();
    line.clock.set(line.clock.now() + TimeDelta::minutes(1));
    assert!(line.context.database.ask_withdrawal(id, "Wang", line.clock.now()).await.unwrap());
    let job = tillwatch::jobs::Fold::new(line.lake.clone()).withdraw(std::sync::Arc::clone(&line.intake));
    let error = tillwatch::jobs::Job::run(&job, &line.context).await.unwrap_err();
    assert!(format!("{error:#}").contains("cannot be read"), "{error:#}");
    assert_eq!(line.context.database.open_withdrawals().await.unwrap().len(), 1);
}

/// The button of a page: the number of the import must be typed.
async fn press_undo(browser: &Browser, place: &str, number: &str) -> String {
    let body = format!("csrf={}&number={number}", browser.csrf().await);
    let request = TestRequest::post()
        .uri(&format!("{place}/undo"))
        .insert_header(("origin", ORIGIN))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(body);
    let (status, target, _) = browser.ask(request).await;
    assert_eq!(status, 303);
    browser.get(target.split('#').next().unwrap()).await.2
}

#[actix_web::test]
async fn the_page_undoes_an_import_whose_number_is_typed_and_takes_the_file_again() {
    let browser = Browser::start().await;
    let (_, pending, _) = browser.upload_fixture("synthetic_trade_20261120.csv.zip").await;
    let (_, place, _) = browser.press(&format!("{pending}/confirm")).await;
    assert!(browser.ended(&place).await.contains("Undo this import"));
    browser.fold().await;
    let live_rows = || {
        let snapshot = browser.service.state.snapshots.current();
        let current = snapshot.files.values().flatten().filter(|file| file.file_set == FileSet::Current);
        current.map(|file| file.live_rows()).sum::<u64>()
    };
    assert_eq!(live_rows(), 4);

    assert!(press_undo(&browser, &place, "7").await.contains("That is not the number"));
    browser.service.clock.set(browser.service.state.clock.now() + TimeDelta::minutes(1));
    assert!(press_undo(&browser, &place, "1").await.contains("asked to undo this import"));
    assert!(browser.get("/s/main/imports").await.2.contains("Being undone"));
    let state = &browser.service.state;
    let context = tillwatch::jobs::JobContext {
        database: state.database.clone(),
        clock: state.clock.clone(),
        snapshots: state.snapshots.clone(),
        metrics: state.metrics.clone(),
    };
    let job =
        tillwatch::jobs::Fold::new((*state.lake).clone()).withdraw(std::sync::Arc::clone(&state.intake));
    assert_eq!(tillwatch::jobs::Job::run(&job, &context).await.unwrap().done, 1);
    assert_eq!(live_rows(), 0);
    let html = browser.get(&place).await.2;
    assert!(html.contains("Undone by Wang") && html.contains("<dd>4</dd>"), "{html}");

    browser.service.clock.set(browser.service.state.clock.now() + TimeDelta::minutes(1));
    let (_, pending, _) = browser.upload_fixture("synthetic_trade_20261120.csv.zip").await;
    let (_, again, _) = browser.press(&format!("{pending}/confirm")).await;
    assert_eq!(again, place, "under its old number");
    browser.ended(&again).await;
    browser.fold().await;
    assert_eq!(live_rows(), 4);
}
