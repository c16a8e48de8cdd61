//! What pages and files say while rows of their days cannot be read.

use std::fs;

use actix_web::test::{TestRequest, call_service, read_body};
use tillwatch::domain::{Kind, Status, Stream, Transaction, Word};
use tillwatch::jobs::{Fold, Inspect, Job, JobContext};

use crate::app;
use crate::service::TestService;
use crate::whole_line::payment_of;

/// A payment on the day before the service's clock.
fn rows(store: tillwatch::domain::StoreId) -> Vec<Transaction> {
    (0..3)
        .map(|n| payment_of(store, &format!("t{n}"), &format!("2026-10-30T0{n}:00:00Z"), Status::Succeeded))
        .collect()
}

/// Runs a job as the server does, on a runtime of several threads, while this one goes on.
async fn elsewhere<J: Job>(job: J, context: JobContext) {
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(job.run(&context)).unwrap();
    });
    while !running.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    running.join().unwrap();
}

#[actix_web::test]
async fn pages_and_files_say_which_days_are_not_whole_and_never_show_a_wrong_number() {
    let service = TestService::start().await;
    let app = app!(service);
    let cookie = service.owner().await;
    let state = &service.state;
    let context = JobContext {
        database: state.database.clone(),
        clock: state.clock.clone(),
        snapshots: state.snapshots.clone(),
        metrics: state.metrics.clone(),
    };
    let store = state.database.stores().await.unwrap()[0].id;
    state.intake.accept_transactions(Word::of("api"), rows(store)).await.unwrap();
    elsewhere(Fold::new((*state.lake).clone()), context.clone()).await;

    let ask = async |uri: &str| {
        let request =
            TestRequest::get().uri(uri).insert_header(cookie.clone()).insert_header(("accept", "text/html"));
        let answer = call_service(&app, request.to_request()).await;
        (answer.status().as_u16(), String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    };
    let days = "period=custom&from=2026-10-30&to=2026-10-31";
    let list = format!("/s/main/transactions?{days}");
    let (status, html) = ask(&list).await;
    assert!(status == 200 && html.contains("t1") && !html.contains("tillwatch repair"), "{html}");

    let snapshot = state.snapshots.current();
    let file =
        snapshot.files.iter().find(|((stream, _), _)| *stream == Stream::Transactions).unwrap().1[0].clone();
    let path = state.lake.root().join(&file.path);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();

    // Before anybody has set it aside: no number, and no failure of ours either.
    let (status, html) = ask(&format!("{list}&kind={}", Kind::Payment.as_str())).await;
    assert_eq!(status, 503, "{html}");
    assert!(html.contains("Some records cannot be read") && html.contains("tillwatch repair"), "{html}");

    elsewhere(Inspect::new((*state.lake).clone()), context).await;
    for page in ["overview", "transactions", "fees", "conversion", "categories", "customers", "daily-close"] {
        let (status, html) = ask(&format!("/s/main/{page}?{days}")).await;
        assert_eq!(status, 200, "{page}: {html}");
        assert!(html.contains("Partial: some records of 30 Oct 2026"), "{page}: {html}");
        let (status, csv) = ask(&format!("/s/main/{page}.csv?{days}")).await;
        assert!(status == 200 && csv.contains("tillwatch repair"), "{page}.csv: {csv}");
    }
    // The daily figures still hold the payments: 3 × 12.05.
    assert!(ask(&format!("/s/main/overview?{days}")).await.1.contains("36.15"));
    // Another week is whole.
    let other = "period=custom&from=2026-09-01&to=2026-09-02";
    assert!(!ask(&format!("/s/main/overview?{other}")).await.1.contains("tillwatch repair"));
    // In Chinese too.
    let chinese = TestRequest::get()
        .uri(&format!("/s/main/overview?{days}"))
        .insert_header((cookie.0, format!("{}; lang=zh-Hans", cookie.1)))
        .to_request();
    let html = String::from_utf8(read_body(call_service(&app, chinese).await).await.to_vec()).unwrap();
    assert!(html.contains("数据不完整"), "{html}");
    let (_, html) = ask("/s/main/status").await;
    assert!(html.contains("damaged: its bytes are not those that were written"), "{html}");
}
