//! What machines ask of the service.

use std::io::Read;

use actix_web::test::{TestRequest, call_and_read_body, call_service, read_body, read_body_json};
use tillwatch::domain::Stream;
use tillwatch::store::InboxBatch;

use crate::app;
use crate::service::TestService;

#[actix_web::test]
async fn a_service_with_an_open_database_is_ready_and_says_of_what() {
    let service = TestService::start().await;
    let app = app!(service);
    let answer = call_service(&app, TestRequest::get().uri("/readyz").to_request()).await;
    assert_eq!(answer.status(), 200);
    let body: serde_json::Value = read_body_json(answer).await;
    let names: Vec<&str> =
        body["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["database", "migrations", "fold", "disk"]);
    assert_eq!(call_and_read_body(&app, TestRequest::get().uri("/healthz").to_request()).await, "ok\n");
}

#[actix_web::test]
async fn data_that_waits_too_long_for_the_fold_makes_it_unready() {
    let service = TestService::start().await;
    let app = app!(service);
    let received_at = service.state.clock.now();
    let batch = InboxBatch { stream: Stream::Transactions, rows: 1, arrow_ipc: b"x", received_at };
    service.state.database.append_group(&[batch], &[]).await.unwrap();
    service.clock.advance(chrono::TimeDelta::minutes(3));
    let answer = call_service(&app, TestRequest::get().uri("/readyz").to_request()).await;
    assert_eq!(answer.status(), 503);
    let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
    assert!(body.contains("1 batches wait, the oldest for 180 s"), "{body}");
}

#[actix_web::test]
async fn metrics_answer_while_the_database_is_down() {
    let service = TestService::configured(|config| config.metrics_token = Some("s3cret".into())).await;
    let app = app!(service);
    service.state.database.close().await;
    let ready = call_service(&app, TestRequest::get().uri("/readyz").to_request()).await;
    assert_eq!(ready.status(), 503);

    let refused = call_service(&app, TestRequest::get().uri("/metrics").to_request()).await;
    assert_eq!(refused.status(), 401);
    call_service(&app, TestRequest::get().uri("/no-such-page/4711").to_request()).await;
    let request = TestRequest::get()
        .uri("/metrics")
        .insert_header(("Authorization", "Bearer s3cret"))
        .insert_header(("Accept-Encoding", "gzip"));
    let answer = call_service(&app, request.to_request()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("content-type").unwrap(), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.headers().get("content-encoding").unwrap(), "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*read_body(answer).await).read_to_string(&mut text).unwrap();
    for line in [
        "tillwatch_http_requests_total{code=\"503\",method=\"GET\",route=\"/readyz\"} 1\n",
        "tillwatch_http_requests_total{code=\"401\",method=\"GET\",route=\"/metrics\"} 1\n",
        "tillwatch_http_requests_total{code=\"404\",method=\"GET\",route=\"unmatched\"} 1\n",
        "tillwatch_http_requests_in_flight 1\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("4711"), "a path is no label");
}
