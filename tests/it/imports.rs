//! Files, from their bytes to durable rows: once, in halves, and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tillwatch::domain::{StoreId, instant_from_ms};
use tillwatch::intake::import::{Begun, ImportError, ImportRequest, begin_import, import_file};
use tillwatch::intake::rejected::rejected_rows;
use tillwatch::intake::{FileHints, Refusal};
use tillwatch::jobs::{Fold, Job, JobContext};
use tillwatch::store::{ImportRecord, ImportState};

use crate::service::TestService;

/// 25 November 2026, after the days of the fixtures.
pub const AFTER_THE_BILLS_MS: i64 = 1_795_564_800_000;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bills").join(name)
}

async fn service() -> (TestService, StoreId) {
    let service = TestService::start().await;
    service.clock.set(instant_from_ms(AFTER_THE_BILLS_MS));
    service.owner().await;
    let store = service.state.database.stores().await.unwrap()[0].id;
    (service, store)
}

fn request(service: &TestService, store: StoreId, path: &Path) -> ImportRequest {
    ImportRequest {
        store,
        path: path.to_owned(),
        file_name: path.file_name().unwrap().to_string_lossy().into_owned(),
        mapping: None,
        hints: FileHints::default(),
        scratch: service.state.config.data_dir.clone(),
        now: service.state.clock.now(),
    }
}

async fn import(
    service: &TestService,
    request: ImportRequest,
) -> Result<(Begun, Option<ImportRecord>), ImportError> {
    let state = &service.state;
    import_file(&state.intake, &state.database, Arc::clone(&state.pseudonyms), request, |_| ()).await
}

async fn inbox_rows(service: &TestService) -> i64 {
    service.state.database.inbox_backlog().await.unwrap().rows
}

#[tokio::test]
async fn a_bill_goes_in_once_and_the_same_file_again_changes_nothing() {
    let (service, store) = service().await;
    let path = fixture("synthetic_v3_tradebill_ALL_edge_cases.csv");
    let (_, record) = import(&service, request(&service, store, &path)).await.unwrap();
    let record = record.unwrap();
    let findings = &record.findings;
    assert_eq!((record.state, findings.code.as_str()), (ImportState::Done, ""));
    assert_eq!((findings.provider.as_str(), findings.variant.as_str()), ("wechat_pay", "ALL"));
    assert_eq!((findings.encoding.as_str(), findings.totals.as_str()), ("UTF-8", "matched"));
    assert_eq!((findings.lines_read, findings.lines_accepted, findings.lines_not_data), (9, 6, 3));
    assert_eq!(findings.days.unwrap().0.to_string(), "2026-11-20");
    assert_eq!(inbox_rows(&service).await, 6);
    let outcome = service.state.database.import_outcome(&record).await.unwrap();
    assert_eq!(outcome.waiting, 1);

    let (again, none) = import(&service, request(&service, store, &path)).await.unwrap();
    assert!(matches!(again, Begun::Already(id) if id == record.id) && none.is_none());
    assert_eq!(inbox_rows(&service).await, 6);
    assert_eq!(service.state.database.imports(store, 10).await.unwrap(), [record]);
}

#[tokio::test]
async fn an_attempt_that_died_half_way_is_repeated_under_its_number() {
    let (service, store) = service().await;
    let path = fixture("synthetic_trade_20261120.csv.zip");
    let state = &service.state;
    let first = begin_import(&state.intake, &state.database, request(&service, store, &path)).await.unwrap();
    let Begun::Started(first) = first else { panic!("{first:?}") };
    let meanwhile =
        begin_import(&state.intake, &state.database, request(&service, store, &path)).await.unwrap();
    assert!(matches!(meanwhile, Begun::Running(id) if id == first.id));
    let id = first.id;
    // The process dies here: nobody runs it any more, the row says "running".
    drop(first);
    let (_, record) = import(&service, request(&service, store, &path)).await.unwrap();
    let record = record.unwrap();
    assert_eq!((record.id, record.state, record.findings.rows), (id, ImportState::Done, 4));
}

#[tokio::test]
async fn a_refused_file_leaves_nothing_but_its_sentence() {
    let (service, store) = service().await;
    let text = std::fs::read_to_string(fixture("synthetic_v3_fundflow_BASIC.csv")).unwrap();
    let path = service.state.config.data_dir.join("edited.csv");
    std::fs::write(&path, text.replace("`1000.00,`99.40", "`900.00,`99.40")).unwrap();
    let (_, record) = import(&service, request(&service, store, &path)).await.unwrap();
    let record = record.unwrap();
    assert_eq!((record.state, record.findings.code.as_str()), (ImportState::Refused, "totals_differ"));
    assert!(record.findings.sentence_zh.contains("支出金额"));
    assert_eq!(inbox_rows(&service).await, 0);
    let folder = import(&service, request(&service, store, Path::new(env!("CARGO_MANIFEST_DIR")))).await;
    assert!(matches!(folder, Err(ImportError::Refused(Refusal::Directory))));
}

/// Folds what waits, and gives the page's file of a day.
async fn folded_overview(service: &TestService, cookie: &(&'static str, String)) -> String {
    use actix_web::test::{TestRequest, call_and_read_body};
    let state = &service.state;
    let context = JobContext {
        database: state.database.clone(),
        clock: Arc::clone(&state.clock),
        snapshots: Arc::clone(&state.snapshots),
        metrics: Arc::clone(&state.metrics),
    };
    let fold = Fold::new(state.lake.as_ref().clone());
    while fold.run(&context).await.unwrap().done > 0 {}
    let app = crate::app!(service);
    let request = TestRequest::with_uri("/s/main/overview.csv?period=custom&from=2026-11-20&to=2026-11-20")
        .insert_header(cookie.clone())
        .insert_header(("accept-language", "en"))
        .to_request();
    String::from_utf8(call_and_read_body(&app, request).await.to_vec()).unwrap()
}

#[actix_web::test]
async fn a_bill_that_restates_another_is_kept_and_counts_nothing() {
    let service = TestService::start().await;
    service.clock.set(instant_from_ms(AFTER_THE_BILLS_MS));
    let owner = service.owner().await;
    let store = service.state.database.stores().await.unwrap()[0].id;
    let mut empty = folded_overview(&service, &owner).await;
    for (trades, movements, witnesses) in [
        ("synthetic_v3_tradebill_ALL_edge_cases.csv", "synthetic_v3_fundflow_BASIC.csv", 3),
        ("synthetic_trade_20261120.csv.zip", "synthetic_signcustomer_20261120.csv.zip", 4),
    ] {
        import(&service, request(&service, store, &fixture(trades))).await.unwrap();
        let before = folded_overview(&service, &owner).await;
        assert_ne!(before, empty, "{trades}");
        let (_, record) = import(&service, request(&service, store, &fixture(movements))).await.unwrap();
        let findings = record.unwrap().findings;
        assert_eq!((findings.rows, findings.lines_rejected), (witnesses + 1, 0), "{movements}");
        assert_eq!(folded_overview(&service, &owner).await, before, "{movements}");
        empty = before;
    }
}

/// The figures after these files went in, one after the other.
async fn figures_of(paths: &[PathBuf]) -> String {
    let service = TestService::start().await;
    service.clock.set(instant_from_ms(AFTER_THE_BILLS_MS));
    let owner = service.owner().await;
    let store = service.state.database.stores().await.unwrap()[0].id;
    let mut figures = String::new();
    for path in paths {
        let (_, record) = import(&service, request(&service, store, path)).await.unwrap();
        let record = record.unwrap();
        assert_eq!(
            (record.state, record.findings.lines_rejected),
            (ImportState::Done, 0),
            "{}",
            path.display()
        );
        figures = folded_overview(&service, &owner).await;
    }
    figures
}

#[actix_web::test]
async fn bills_in_any_order_twice_and_in_halves_give_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    let stripe = std::fs::read_to_string(fixture("synthetic_payout_reconciliation_itemized.csv")).unwrap();
    let lines: Vec<&str> = stripe.lines().collect();
    let half = |name: &str, rows: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{}\n{}\n", lines[0], rows.join("\n"))).unwrap();
        path
    };
    let (first, second) = (half("first.csv", &lines[1..3]), half("second.csv", &lines[3..]));
    let named = |names: &[&str]| names.iter().map(|name| fixture(name)).collect::<Vec<_>>();
    let whole = named(&[
        "synthetic_v3_tradebill_ALL_edge_cases.csv",
        "synthetic_v3_fundflow_BASIC.csv",
        "synthetic_trade_20261120.csv.zip",
        "synthetic_signcustomer_20261120.csv.zip",
        "synthetic_payout_reconciliation_itemized.csv",
        "synthetic_settlement_detail_multi_currency.csv",
    ]);
    let once = figures_of(&whole).await;
    let turned: Vec<PathBuf> = whole.iter().rev().cloned().collect();
    assert_eq!(figures_of(&turned).await, once, "in another order");
    let again =
        named(&["synthetic_v3_tradebill_ALL_edge_cases.bom_crlf.csv", "synthetic_trade_detail.gbk.csv"]);
    let mut twice = vec![second.clone(), first.clone()];
    twice.extend(whole.iter().cloned().chain(again));
    assert_eq!(figures_of(&twice).await, once, "twice, the one in halves");
    let mut halves = vec![second, first];
    halves.extend(
        whole.into_iter().filter(|path| !path.ends_with("synthetic_payout_reconciliation_itemized.csv")),
    );
    assert_eq!(figures_of(&halves).await, once, "in halves alone");
}

#[tokio::test]
async fn a_report_of_attempts_becomes_transactions() {
    let (service, store) = service().await;
    let path = fixture("synthetic_payments_report.csv");
    let (_, record) = import(&service, request(&service, store, &path)).await.unwrap();
    let findings = record.unwrap().findings;
    assert_eq!((findings.provider.as_str(), findings.rows, findings.lines_rejected), ("hyperswitch", 2, 0));
    assert_eq!(inbox_rows(&service).await, 2);
}

#[tokio::test]
async fn rejected_lines_are_kept_without_what_must_not_be_kept() {
    let (service, store) = service().await;
    let text = std::fs::read_to_string(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    let path = service.state.config.data_dir.join("bad.csv");
    let bad =
        text.replacen("`书籍", "`card 4111111111111111", 1).replacen("`NATIVE,`SUCCESS", "`NATIVE,`WHAT", 1);
    let bad = bad.replacen("`MWEB,`SUCCESS", "`MWEB,`WHAT", 1);
    std::fs::write(&path, bad).unwrap();
    let (_, record) = import(&service, request(&service, store, &path)).await.unwrap();
    let record = record.unwrap();
    assert_eq!((record.findings.lines_accepted, record.findings.lines_rejected), (4, 2));
    let rejected =
        rejected_rows(&service.state.database, &service.state.pseudonyms, record.id, 10).await.unwrap();
    let found: Vec<_> = rejected.iter().map(|row| (row.line, row.code.as_str(), row.raw.is_some())).collect();
    assert_eq!(found, [(3, "pan_suspected", false), (4, "unknown_kind", true)]);
    assert!(!rejected[1].raw.as_ref().unwrap().contains("oSYN_user_A"));
}

#[tokio::test]
async fn a_mapped_file_becomes_transactions_and_a_wrong_mapping_is_told() {
    let (service, store) = service().await;
    let path = service.state.config.data_dir.join("shop.csv");
    std::fs::write(
        &path,
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
         1,a,A,2,2011-01-17 10:37:00,1.5,7.0,France\n1,b,B,1,2011-01-17 10:37:00,2,7.0,France\nA2,b,B,1,2011-01-17 10:37:00,2,,France\n",
    )
    .unwrap();
    let mapping = include_str!("../../examples/online_retail.toml");
    let with = |mapping: &str| ImportRequest {
        mapping: Some(mapping.to_owned()),
        ..request(&service, store, &path)
    };
    let (_, record) = import(&service, with(mapping)).await.unwrap();
    let findings = record.unwrap().findings;
    assert_eq!((findings.rows, findings.lines_accepted, findings.lines_rejected), (1, 2, 1));
    assert_eq!(findings.totals, "no_summary");
    let (_, record) = import(&service, with("name = 3")).await.unwrap();
    assert_eq!(record.unwrap().findings.code, "mapping");
}
