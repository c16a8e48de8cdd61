//! Reconciliation over the whole line: records and bills come in, are folded, reconciled, shown, and settled by hand.

use std::collections::BTreeMap;

use actix_web::test::{TestRequest, call_service, read_body};
use chrono::NaiveDate;
use tillwatch::analytics::reconciliation::{Class, DayBooks};
use tillwatch::domain::{
    Clock, Currency, Direction, Instant, Kind, LedgerKind, LedgerLine, MethodDetail, Money, OrganisationId,
    Risk, Status, StoreId, Transaction, Word,
};
use tillwatch::jobs::fold::Fold;
use tillwatch::jobs::{Job, JobContext, Reconcile};

use crate::app;
use crate::service::{ORIGIN, TestService};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn payment(store: StoreId, number: u32, time: &str, minor: i64) -> Transaction {
    let created_at = at(time);
    Transaction {
        transaction_id: format!("t{number}"),
        created_at,
        kind: Kind::Payment,
        status: Status::Succeeded,
        amount: Money::from_minor(minor, Currency::CNY).unwrap(),
        store,
        account: "default".into(),
        provider: Some(Word::of("wechat_pay")),
        method: Some(Word::of("wechat_pay")),
        aggregator: None,
        method_detail: MethodDetail::default(),
        scene: None,
        device: None,
        operator: None,
        terminal: None,
        shift: None,
        source: None,
        campaign: None,
        promotion: None,
        order_id: Some(format!("SO-{number}")),
        payment_id: None,
        attempt: None,
        parent_transaction_id: None,
        provider_transaction_id: None,
        subscription_id: None,
        submitted_at: None,
        authorized_at: None,
        completed_at: Some(created_at),
        settled_on: None,
        updated_at: Some(created_at),
        failure_code: None,
        failure_message: None,
        failure_class: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        tax: None,
        fee: None,
        fee_refunded: None,
        customer: None,
        payment_fingerprint: None,
        ip: None,
        items: Vec::new(),
        risk: Risk::default(),
        attributes: Vec::new(),
        test: false,
    }
}

fn line(of: &Transaction) -> LedgerLine {
    let minor = of.amount.minor();
    let fee = (minor * 6 + 500) / 1_000;
    let provider_id = format!("4200000000{}", of.transaction_id);
    LedgerLine {
        line_id: provider_id.clone(),
        posted_at: of.created_at,
        source_day: None,
        store: of.store,
        account: "1900000109".into(),
        provider: of.provider,
        status: Status::Succeeded,
        completed_at: Some(of.created_at),
        updated_at: Some(of.created_at),
        operator: None,
        terminal: None,
        scene: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        category: None,
        attributes: Vec::new(),
        kind: LedgerKind::Payment,
        direction: Direction::In,
        currency: Currency::CNY,
        gross: minor,
        fee: Some(fee),
        net: Some(minor - fee),
        fee_rate: Some("0.60%".into()),
        settle_currency: None,
        settle_amount: None,
        exchange_rate: None,
        provider_transaction_id: Some(provider_id),
        parent_transaction_id: None,
        order_id: of.order_id.clone(),
        payout_id: None,
        method: of.method,
        method_detail: MethodDetail::default(),
        customer: None,
        description: None,
        file: None,
        line_number: None,
        test: false,
    }
}

/// Two days of payments and their bills: one is missing on each side, one is not what it was, one is of midnight.
fn world(store: StoreId) -> (Vec<Transaction>, Vec<LedgerLine>) {
    let mut records = Vec::new();
    for number in 0..40 {
        let day = 28 + number % 2;
        let time = format!("2026-10-{day}T0{}:{:02}:00+08:00", number % 8 + 1, number);
        records.push(payment(store, number, &time, 1_000 + i64::from(number) * 37));
    }
    let mut lines: Vec<LedgerLine> = records.iter().map(line).collect();
    lines.retain(|line| line.order_id.as_deref() != Some("SO-4"));
    records.retain(|record| record.transaction_id != "t6");
    for line in &mut lines {
        if line.order_id.as_deref() == Some("SO-8") {
            line.gross += 100;
        }
    }
    let midnight = payment(store, 99, "2026-10-28T23:59:40+08:00", 8_800);
    let mut next_day = line(&midnight);
    next_day.posted_at = at("2026-10-29T00:00:20+08:00");
    records.push(midnight);
    lines.push(next_day);
    let mut unpaid = payment(store, 98, "2026-10-29T12:00:00+08:00", 6_600);
    lines.push(line(&unpaid));
    unpaid.status = Status::Failed;
    unpaid.completed_at = None;
    records.push(unpaid);
    (records, lines)
}

fn context(service: &TestService) -> JobContext {
    let state = &service.state;
    JobContext {
        database: state.database.clone(),
        clock: state.clock.clone(),
        snapshots: state.snapshots.clone(),
        metrics: state.metrics.clone(),
    }
}

/// Folds what came in and reconciles until nothing is due. On a runtime with several threads: Polars needs it.
async fn work(service: &TestService) -> u64 {
    let (lake, context) = ((*service.state.lake).clone(), context(service));
    let runtime = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let fold = Fold::new(lake.clone());
            while fold.run(&context).await.unwrap().more {}
            let reconcile = Reconcile::new(lake);
            let mut done = 0;
            loop {
                let report = reconcile.run(&context).await.unwrap();
                done += report.done;
                if report.done == 0 && !report.more {
                    return done;
                }
            }
        })
    });
    tokio::task::spawn_blocking(move || runtime.join().unwrap()).await.unwrap()
}

async fn books(service: &TestService) -> BTreeMap<NaiveDate, DayBooks> {
    let days = ("2026-10-01".parse().unwrap(), "2026-11-30".parse().unwrap());
    let books = service.state.database.reconciliation_days(OrganisationId(1), days).await.unwrap();
    books.into_iter().map(|own| (own.day, own)).collect()
}

fn named(books: &BTreeMap<NaiveDate, DayBooks>, now: Instant) -> Vec<(String, Class)> {
    let findings = books.values().flat_map(|day| &day.findings);
    let mut named: Vec<(String, Class)> = findings
        .map(|one| {
            let entry = one.shop.as_ref().or(one.bill.as_ref()).unwrap();
            (entry.order_id.clone(), one.class_at(now))
        })
        .collect();
    named.sort();
    named.dedup();
    named
}

async fn send(service: &TestService, records: &[Transaction], lines: &[LedgerLine]) {
    let intake = &service.state.intake;
    if !records.is_empty() {
        intake.accept_transactions(Word::of("api"), records.to_vec()).await.unwrap();
    }
    if !lines.is_empty() {
        intake.accept_ledger_lines(Word::of("import"), lines.to_vec()).await.unwrap();
    }
}

/// A service with the two days in, reconciled, and the cookie of its owner.
async fn reconciled() -> (TestService, (&'static str, String)) {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let store = service.state.database.stores().await.unwrap()[0].id;
    let (records, lines) = world(store);
    send(&service, &records, &lines).await;
    assert!(work(&service).await >= 2);
    (service, cookie)
}

/// The days that the lists are asked for.
const SPAN: &str = "from=2026-10-20&to=2026-10-31";

#[actix_web::test]
async fn what_differs_is_found_and_shown() {
    let (service, cookie) = reconciled().await;
    let found = named(&books(&service).await, service.clock.now());
    let expected = [
        ("SO-4", Class::OnlyShop),
        ("SO-6", Class::OnlyBill),
        ("SO-8", Class::AmountDiffers),
        ("SO-98", Class::PaidUnknown),
        ("SO-99", Class::Late),
    ];
    assert_eq!(found, expected.map(|(order, class)| (order.to_owned(), class)));
    assert_eq!(work(&service).await, 0, "nothing is worked on again when nothing changed");

    let app = app!(service);
    let page = async |path: &str| {
        let request = TestRequest::get().uri(path).insert_header(cookie.clone()).to_request();
        let answer = call_service(&app, request).await;
        let status = answer.status().as_u16();
        (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    };
    let (status, html) = page(&format!("/s/main/reconciliation?{SPAN}")).await;
    assert!(status == 200 && html.contains("4 exceptions over"), "{html}");
    for path in ["reconciliation/days/2026-10-28", "reconciliation/accounts", "reconciliation/closings"] {
        assert_eq!(page(&format!("/s/main/{path}")).await.0, 200, "{path}");
    }
    let (_, list) = page(&format!("/s/main/reconciliation/exceptions?{SPAN}")).await;
    assert_eq!(list.matches("/reconciliation/findings/").count(), 4, "{list}");
    let (_, csv) = page(&format!("/s/main/reconciliation/exceptions.csv?{SPAN}")).await;
    assert_eq!(csv.lines().count(), 5, "{csv}");
    let (_, fees) = page("/s/main/fees?period=custom&from=2026-10-28&to=2026-10-29").await;
    assert!(fees.contains("Does it add up?"), "{fees}");
    let nobody = format!("/s/main/reconciliation/findings/{}?day=2026-10-28", "0".repeat(32));
    assert_eq!(page(&nobody).await.0, 404);
}

#[actix_web::test]
async fn a_difference_is_accepted_with_a_reason_and_is_no_exception_any_more() {
    let (service, cookie) = reconciled().await;
    let app = app!(service);
    let get = async |path: &str| {
        let request = TestRequest::get().uri(path).insert_header(cookie.clone()).to_request();
        String::from_utf8(read_body(call_service(&app, request).await).await.to_vec()).unwrap()
    };
    let list = get(&format!("/s/main/reconciliation/exceptions?{SPAN}")).await;
    let row = list.split("/s/main/reconciliation/findings/").find(|part| part.contains("SO-8<")).unwrap();
    let here = format!("/s/main/reconciliation/findings/{}", row.split('?').next().unwrap());
    let detail = get(&format!("{here}?day=2026-10-28")).await;
    assert!(detail.contains("Amount differs") && detail.contains("differs</span>"), "{detail}");
    let csrf = detail.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let post = async |reason: &str| {
        let form = format!("csrf={csrf}&day=2026-10-28&kind=accept&other=&reason={reason}");
        let request = TestRequest::post()
            .uri(&here)
            .insert_header(cookie.clone())
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(form)
            .to_request();
        call_service(&app, request).await.status().as_u16()
    };
    assert_eq!(post("").await, 422, "a reason is needed");
    assert_eq!(post("tip").await, 303);
    let detail = get(&format!("{here}?day=2026-10-28")).await;
    assert!(detail.contains("Accepted by hand") && detail.contains("tip"), "{detail}");
    let html = get(&format!("/s/main/reconciliation?{SPAN}")).await;
    assert!(html.contains("3 exceptions over"), "{html}");
}

#[actix_web::test]
async fn a_closed_period_keeps_its_figures_and_shows_what_came_later() {
    let (service, cookie) = reconciled().await;
    let store = service.state.database.stores().await.unwrap()[0].id;
    let app = app!(service);
    let get = async |path: &str| {
        let request = TestRequest::get().uri(path).insert_header(cookie.clone()).to_request();
        String::from_utf8(read_body(call_service(&app, request).await).await.to_vec()).unwrap()
    };
    let list = get("/s/main/reconciliation/closings").await;
    let csrf = list.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let close = async |first: &str, last: &str| {
        let request = TestRequest::post()
            .uri("/s/main/reconciliation/closings")
            .insert_header(cookie.clone())
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(format!("csrf={csrf}&first={first}&last={last}"))
            .to_request();
        call_service(&app, request).await.status().as_u16()
    };
    assert_eq!(close("2026-10-28", "2026-12-29").await, 422, "days that are not over");
    assert_eq!(close("2026-10-28", "2026-10-29").await, 303);
    assert_eq!(close("2026-10-29", "2026-10-30").await, 422, "closed already");
    let statement = get("/s/main/reconciliation/closings/1").await;
    assert!(statement.contains("Nothing has changed since"), "{statement}");
    send(&service, &[payment(store, 500, "2026-10-28T15:00:00+08:00", 12_345)], &[]).await;
    work(&service).await;
    let statement = get("/s/main/reconciliation/closings/1").await;
    assert!(statement.contains("Restatements since"), "{statement}");
}

#[actix_web::test]
async fn halves_repeats_and_any_order_come_to_the_same_books() {
    let mut all = Vec::new();
    for way in 0..4 {
        let service = TestService::start().await;
        service.owner().await;
        let store = service.state.database.stores().await.unwrap()[0].id;
        let (mut records, mut lines) = world(store);
        match way {
            0 => send(&service, &records, &lines).await,
            1 => {
                records.reverse();
                lines.reverse();
                send(&service, &[], &lines).await;
                work(&service).await;
                send(&service, &records, &[]).await;
            }
            2 => {
                let (half, rest) = lines.split_at(lines.len() / 2);
                send(&service, &records, half).await;
                work(&service).await;
                send(&service, &[], rest).await;
            }
            _ => {
                send(&service, &records, &lines).await;
                work(&service).await;
                send(&service, &records, &lines).await;
            }
        }
        work(&service).await;
        all.push(books(&service).await);
    }
    for (way, other) in all.iter().enumerate().skip(1) {
        assert!(*other == all[0], "way {way}");
    }
}
