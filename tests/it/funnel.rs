//! Checkout events in the shapes of others come in by their own addresses and are kept like any.

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service};
use serde_json::{Value, json};
use tillwatch::domain::{KeyMode, KeyScope, StoreSet};
use tillwatch::lake::decode_batch;

use crate::api::key;
use crate::app;
use crate::service::TestService;

async fn json_of<B: MessageBody>(answer: ServiceResponse<B>) -> (u16, Value) {
    let status = answer.status().as_u16();
    let Ok(bytes) = actix_web::body::to_bytes(answer.into_body()).await else { panic!("no body") };
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {bytes:?}")))
}

/// Values of a column of every batch that waits.
pub async fn waiting(service: &TestService, column: &str) -> Vec<String> {
    let mut values = Vec::new();
    for batch in service.state.database.waiting_batches(1_000).await.unwrap() {
        let frame = decode_batch(&service.state.database.read_batch(batch.seq).await.unwrap()).unwrap();
        let column = frame.data().column(column).unwrap().str().unwrap().clone();
        values.extend(column.iter().map(|value| value.unwrap_or_default().to_owned()));
    }
    values
}

fn post(shape: &str, key: &str, kind: &'static str) -> TestRequest {
    TestRequest::post()
        .uri(&format!("/api/v1/checkout-events/{shape}"))
        .insert_header(("authorization", key))
        .insert_header(("content-type", kind))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shape_has_its_address_and_its_answer() {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    let ga4 = json!({"client_id": "1.2", "timestamp_micros": 1_793_440_000_000_000_i64, "events": [
        {"name": "begin_checkout", "params": {"session_id": 7, "currency": "CNY", "value": 12.5}},
        {"name": "page_view", "params": {}},
        {"name": "purchase", "params": {"session_id": 7, "currency": "CNY", "value": "much"}}]});
    let answer = call_service(&app, post("ga4", &key, "application/json").set_json(&ga4).to_request()).await;
    let (status, body) = json_of(answer).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["accepted"], &body["rejected"], &body["ignored"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(body["rows"][0]["field"], "events[2].params.value");
    let track = json!({"type": "track", "event": "Order Completed", "messageId": "m1", "anonymousId": "a",
        "timestamp": "2026-10-31T10:00:00Z", "properties": {"order_id": "o1", "revenue": 1, "currency": "CNY"}});
    let request = post("segment", &key, "application/x-ndjson").set_payload(format!("{track}\n{track}\n"));
    assert_eq!(json_of(call_service(&app, request.to_request()).await).await.1["accepted"], 2);
    let event = json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.payment_failed",
        "time": "2026-10-31T10:00:00Z", "data": {"session_id": "s1", "method": "card"}});
    let batch = "application/cloudevents-batch+json; charset=utf-8";
    let request = post("cloudevents", &key, batch).set_payload(json!([event]).to_string());
    assert_eq!(json_of(call_service(&app, request.to_request()).await).await.0, 200);
    let binary = post("cloudevents", &key, "application/json")
        .insert_header(("ce-specversion", "1.0"))
        .insert_header(("ce-id", "1"))
        .insert_header(("ce-source", "/shop"))
        .insert_header(("ce-type", "shop.payment_failed"))
        .insert_header(("ce-time", "2026-10-31T10:00:00Z"))
        .set_payload(event["data"].to_string());
    assert_eq!(json_of(call_service(&app, binary.to_request()).await).await.0, 200);
    let copied = post("cloudevents", &key, "application/cloudevents+json")
        .insert_header(("ce-id", "another"))
        .set_payload(event.to_string());
    assert_eq!(json_of(call_service(&app, copied.to_request()).await).await.0, 200);
    assert_eq!(
        waiting(&service, "step").await,
        ["begin_checkout", "purchase", "purchase", "payment_failed", "payment_failed", "payment_failed"]
    );
    let ids = waiting(&service, "event_id").await;
    assert_eq!((ids[1].as_str(), &ids[3], &ids[3]), ("m1", &ids[4], &ids[5]), "each mode is one event");
    let metrics = String::from_utf8(service.state.metrics.text(0).unwrap()).unwrap();
    let ignored =
        "tillwatch_ingest_events_total{kind=\"checkout_event\",provider=\"none\",result=\"ignored\"} 1";
    assert!(metrics.contains(ignored), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_shape_is_refused_in_words() {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    for (shape, kind, body, expected) in [
        ("ga4", "application/json", "{}", (422, "no_row_accepted")),
        ("ga4", "application/cloudevents+json", "{}", (415, "unsupported_media_type")),
        ("segment", "text/plain", "{}", (415, "unsupported_media_type")),
        ("cloudevents", "application/cloudevents+json", "{", (400, "invalid_json")),
        ("segment", "application/json", "", (400, "empty_body")),
    ] {
        let request = post(shape, &key, kind).set_payload(body);
        let (status, body) = json_of(call_service(&app, request.to_request()).await).await;
        assert_eq!((status, body["code"].as_str().unwrap()), expected, "{shape} {body}");
    }
    // A retry under its key gets the answer that was given; another event in binary mode is another body.
    let event = |id: &str| {
        post("cloudevents", &key, "application/json")
            .insert_header(("ce-specversion", "1.0"))
            .insert_header(("ce-id", id))
            .insert_header(("ce-source", "/shop"))
            .insert_header(("ce-type", "purchase"))
            .insert_header(("idempotency-key", "k"))
            .set_payload(r#"{"session_id":"s"}"#)
            .to_request()
    };
    assert_eq!(call_service(&app, event("1")).await.status(), 200);
    let again = call_service(&app, event("1")).await;
    assert_eq!(again.headers().get("idempotency-replayed").unwrap(), "true");
    assert_eq!(json_of(call_service(&app, event("2")).await).await.1["code"], "idempotency_key_reused");
    assert_eq!(waiting(&service, "step").await, ["purchase"]);
}
