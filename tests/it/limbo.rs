//! Payments without a final status, and what the records show of each way to pay: found in the rows, told on pages and
//! in files alike.

use std::sync::Arc;

use actix_web::test::{TestRequest, call_and_read_body, call_service};
use serde_json::{Value, json};
use tillwatch::domain::{Clock, KeyMode, KeyScope, StoreSet, Word};
use tillwatch::intake::api::{BodyFormat, RowContext, parse_transactions};
use tillwatch::jobs::{Fold, Job, JobContext};

use crate::api::key;
use crate::app;
use crate::service::TestService;

fn row(id: &str, at: &str, status: &str, amount: i64, method: &str) -> Value {
    let mut row = json!({"transaction_id": id, "created_at": at, "status": status, "amount": amount,
        "currency": "CNY", "provider": method, "method": method});
    if status == "succeeded" {
        row["completed_at"] = json!(at.replace(":00+08:00", ":04+08:00"));
    }
    row
}

/// Two days of payments; the clock stands at 20:00 in Shanghai on the 31st.
fn rows() -> Vec<Value> {
    let mut rows: Vec<Value> = (0..30)
        .map(|n| {
            row(&format!("paid{n}"), &format!("2026-10-29T10:{n:02}:00+08:00"), "succeeded", 100, "alipay")
        })
        .collect();
    rows.push(row("late", "2026-10-31T18:00:00+08:00", "pending", 12_000, "alipay"));
    rows.push(row("young", "2026-10-31T19:57:00+08:00", "pending", 7, "alipay"));
    // Nothing is known of cards: they have a day.
    rows.push(row("oldest", "2026-10-30T10:00:00+08:00", "submitted", 5_000, "card"));
    rows.push(row("under-a-day", "2026-10-31T10:00:00+08:00", "submitted", 1, "card"));
    rows.push(row("gone", "2026-10-30T10:00:00+08:00", "failed", 5_000, "card"));
    for (id, status) in [("first-try", "pending"), ("second-try", "succeeded")] {
        let mut attempt = row(id, "2026-10-29T12:00:00+08:00", status, 900, "alipay");
        attempt["order_id"] = json!("o4");
        rows.push(attempt);
    }
    let mut refund = row("back", "2026-10-29T13:00:00+08:00", "succeeded", 50, "alipay");
    refund["kind"] = json!("refund");
    refund["method"] = Value::Null;
    rows.push(refund);
    rows
}

async fn send(service: &TestService, mode: KeyMode, rows: Vec<Value>) {
    let key = key(service, KeyScope::Ingest, mode, StoreSet::All).await;
    let app = app!(service);
    let request = TestRequest::post()
        .uri("/api/v1/transactions")
        .insert_header(("authorization", key))
        .set_json(Value::Array(rows));
    assert_eq!(call_service(&app, request.to_request()).await.status(), 200);
}

/// As a provider's endpoint hands it on.
async fn notified(service: &TestService, row: &Value) {
    let stores = service.state.database.stores().await.unwrap();
    let pseudonyms = Arc::clone(&service.state.pseudonyms);
    let context =
        RowContext { now: service.clock.now(), stores: &stores, test: false, pseudonyms: &pseudonyms };
    let batch = parse_transactions(row.to_string().as_bytes(), BodyFormat::Json, &context).unwrap();
    let feed = Word::of("webhook:alipay");
    service.state.intake.accept_transactions(feed, batch.rows).await.unwrap();
}

async fn fold(service: &TestService) {
    let state = &service.state;
    let context = JobContext {
        database: state.database.clone(),
        clock: Arc::clone(&state.clock),
        snapshots: Arc::clone(&state.snapshots),
        metrics: Arc::clone(&state.metrics),
    };
    let fold = Fold::new(state.lake.as_ref().clone());
    while fold.run(&context).await.unwrap().done > 0 {}
}

macro_rules! get {
    ($app:expr, $cookie:expr, $path:expr) => {{
        let request = TestRequest::with_uri(&format!("/s/main/{}", $path))
            .insert_header($cookie.clone())
            .insert_header(("accept-language", "en"))
            .to_request();
        String::from_utf8(call_and_read_body(&$app, request).await.to_vec()).unwrap()
    }};
}

#[actix_web::test]
async fn payments_without_a_final_status_are_listed_with_the_money_at_stake() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    assert!(get!(app, cookie, "unresolved").contains("class=\"empty\""), "nothing at all");
    send(&service, KeyMode::Live, rows()).await;
    let trial = row("trial", "2026-10-30T10:00:00+08:00", "pending", 1_000_000, "alipay");
    send(&service, KeyMode::Test, vec![trial]).await;
    fold(&service).await;
    let html = get!(app, cookie, "unresolved");
    assert!(html.contains("2 payments have no final status"), "{html}");
    assert!(html.contains("170.00 at stake in 2 payments"), "{html}");
    let places: Vec<_> = ["34 h", ">oldest<", "2 h", ">late<"].map(|text| html.find(text)).into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {html}");
    assert!(
        html.contains("from 31 payments of the last 28 days, kept between 5 minutes and 24 hours"),
        "{html}"
    );
    assert!(html.contains("no payment of this method in the last 28 days"), "{html}");
    for absent in ["young", "under-a-day", "gone", "first-try", "trial"] {
        assert!(!html.contains(&format!(">{absent}<")), "{absent}");
    }
    let csv = get!(app, cookie, "unresolved.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[1].contains("oldest,") && lines[1].contains(",2040,1440,"), "{csv}");
    assert!(lines[2].contains("late,") && lines[2].contains(",120,5,"), "{csv}");
    for page in ["overview", "transactions"] {
        let html = get!(app, cookie, page);
        assert!(html.contains("2 orders have had no final status"), "{page}: {html}");
    }
    send(
        &service,
        KeyMode::Live,
        vec![
            row("late", "2026-10-31T18:00:00+08:00", "succeeded", 12_000, "alipay"),
            row("oldest", "2026-10-30T10:00:00+08:00", "expired", 5_000, "card"),
        ],
    )
    .await;
    fold(&service).await;
    assert!(get!(app, cookie, "unresolved").contains("Nothing is open longer than usual"));
    assert!(!get!(app, cookie, "overview").contains("no final status"));
}

#[actix_web::test]
async fn each_way_to_pay_is_as_ready_as_its_records_show() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    send(&service, KeyMode::Live, rows()).await;
    let trial = row("trial", "2026-10-30T10:00:00+08:00", "succeeded", 1, "alipay");
    send(&service, KeyMode::Test, vec![trial]).await;
    notified(&service, &row("paid7", "2026-10-29T10:07:00+08:00", "succeeded", 100, "alipay")).await;
    fold(&service).await;
    let html = get!(app, cookie, "settings/go-live");
    // Alipay: paid, refunded, notified live; paid in test mode; of eight that apply.
    assert!(html.contains("4 of 8 shown"), "{html}");
    // Cards: nothing was ever paid.
    assert!(html.contains("0 of 8 shown"), "{html}");
    for text in [
        "29 Oct 2026 10:07",
        "Refund it in the sandbox and send that with a test key.",
        "No fee is known yet: import the provider’s bill.",
        "No payout is known",
        "No notification came in by an endpoint",
    ] {
        assert!(html.contains(text), "{text} is not in {html}");
    }
    let link = html.split("/s/main/transactions/").nth(1).unwrap().split('"').next().unwrap();
    let detail = get!(app, cookie, format!("transactions/{link}").replace("&#38;", "&"));
    assert!(detail.contains("alipay"), "the evidence can be looked at: {detail}");
}
