//! The HTTP API's way in: whatever is sent, the answer says what became of it, and what was taken stays.

use std::io::Write;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tillwatch::domain::{KeyMode, KeyScope, OrganisationId, StoreSet, Stream};
use tillwatch::lake::decode_batch;
use tillwatch::store::{ApiKeyRecord, Database};

use crate::app;
use crate::service::TestService;

const PATH: &str = "/api/v1/transactions";
const JSON: (&str, &str) = ("content-type", "application/json");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

/// A key of a service that has an owner.
pub async fn key(service: &TestService, scope: KeyScope, mode: KeyMode, stores: StoreSet) -> String {
    let (text, secret_hmac) = service.state.door.make_key(mode).unwrap();
    let record = ApiKeyRecord {
        id: text.id().to_owned(),
        organisation: OrganisationId(1),
        name: "till".into(),
        scope,
        mode,
        stores,
        secret_hmac,
        created_at: service.state.clock.now(),
        last_used_at: None,
        revoked_at: None,
    };
    service.state.database.insert_api_key(&record).await.unwrap();
    format!("Bearer {}", text.reveal())
}

/// A service with the store `main` and a live key for it.
async fn open() -> (TestService, String) {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    (service, key)
}

fn row(id: &str) -> Value {
    json!({"transaction_id": id, "created_at": "2026-10-31T18:00:00+08:00", "status": "succeeded", "amount": 1205,
        "currency": "CNY", "provider": "alipay"})
}

fn post(key: &str) -> TestRequest {
    TestRequest::post().uri(PATH).insert_header(("authorization", key))
}

async fn json_of<B: MessageBody>(answer: ServiceResponse<B>) -> Value {
    let Ok(bytes) = actix_web::body::to_bytes(answer.into_body()).await else { panic!("no body") };
    serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {bytes:?}"))
}

/// Sends and returns status and body; failures must be problem details with a code and a request id.
macro_rules! send {
    ($app:expr, $request:expr) => {{
        let answer = call_service(&$app, $request.to_request()).await;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
        let body = json_of(answer).await;
        if status != 200 {
            assert!(kind.starts_with("application/problem+json"), "{kind}");
            for field in ["type", "title", "status", "code", "detail", "request_id"] {
                assert!(!body[field].is_null(), "no {field} in {body}");
            }
            let text = body.to_string().to_lowercase();
            assert!(
                !["sqlite", "sqlx", "/src/", "panicked"].iter().any(|word| text.contains(word)),
                "{text}"
            );
        }
        (status, body)
    }};
}

/// The ids of every transaction in the inbox, in the order of arrival.
async fn stored_ids(service: &TestService) -> Vec<String> {
    ids_in_inbox(&service.state.database).await
}

/// The ids of every transaction that waits in the inbox.
pub async fn ids_in_inbox(database: &Database) -> Vec<String> {
    let mut ids = Vec::new();
    for batch in database.waiting_batches(100_000).await.unwrap() {
        if batch.stream == Stream::Transactions {
            let frame = decode_batch(&database.read_batch(batch.seq).await.unwrap()).unwrap();
            let column = frame.data().column("transaction_id").unwrap().str().unwrap().clone();
            ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
        }
    }
    ids
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_a_list_and_lines_are_taken() {
    let (service, key) = open().await;
    let app = app!(service);
    let (status, body) = send!(app, post(&key).set_json(row("a")));
    assert_eq!((status, body), (200, json!({"accepted": 1, "rejected": 0, "rows": []})));
    let (status, body) = send!(app, post(&key).set_json(json!([row("b"), row("c")])));
    assert_eq!((status, &body["accepted"]), (200, &json!(2)));
    let lines = format!("{}\n{}\n", row("d"), row("e"));
    let (status, _) = send!(app, post(&key).insert_header(LINES).set_payload(lines.clone()));
    assert_eq!(status, 200);
    let packed = post(&key).insert_header(LINES).insert_header(("content-encoding", "gzip"));
    let (status, _) = send!(app, packed.set_payload(gzip(lines.replace("\"d\"", "\"f\"").as_bytes())));
    assert_eq!(status, 200);
    assert_eq!(stored_ids(&service).await, ["a", "b", "c", "d", "e", "f", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_two_streams_are_taken() {
    let (service, key) = open().await;
    let app = app!(service);
    let line = json!({"line_id": "l", "posted_at": "2026-10-31T10:00:00Z", "kind": "fee", "direction": "out",
        "currency": "CNY", "gross": 6});
    let event =
        json!({"event_id": "e", "time": "2026-10-31T10:00:00Z", "session_id": "s", "step": "purchase"});
    for (path, body) in [("/api/v1/ledger-lines", line), ("/api/v1/checkout-events", event)] {
        let (status, body) = send!(app, post(&key).uri(path).set_json(json!([body, {}])));
        assert_eq!((status, &body["accepted"], &body["rejected"]), (200, &json!(1), &json!(1)), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_rows_are_kept_and_bad_ones_named() {
    let (service, key) = open().await;
    let app = app!(service);
    let mut bad = row("bad");
    bad["order_id"] = json!("4111 1111 1111 1111");
    let (status, body) = send!(app, post(&key).set_json(json!([row("a"), bad, row("b"), {"x": 1}])));
    assert_eq!((status, &body["accepted"], &body["rejected"]), (200, &json!(2), &json!(2)));
    assert_eq!(
        (&body["rows"][0]["index"], &body["rows"][0]["field"], &body["rows"][0]["code"]),
        (&json!(1), &json!("order_id"), &json!("pan_suspected"))
    );
    assert_eq!((&body["rows"][1]["index"], &body["rows"][1]["code"]), (&json!(3), &json!("unknown_field")));
    assert!(!body.to_string().contains("1111"), "{body}");
    assert_eq!(stored_ids(&service).await, ["a", "b"]);
    let metrics = String::from_utf8(service.state.metrics.text(0).unwrap()).unwrap();
    let counted = |line: &str| line.contains("ingest_events_total") && line.contains("\"rejected\"");
    assert!(metrics.lines().any(|line| counted(line) && line.ends_with(" 2")), "{metrics}");
}

/// Bodies that must be refused as a whole, each with its status, code and, where a row is at fault, its field.
fn wicked_bodies() -> Vec<(&'static str, TestRequest, u16, &'static str, &'static str)> {
    let plain = |body: &str| TestRequest::default().insert_header(JSON).set_payload(body.to_owned());
    let raw = |body: Vec<u8>| TestRequest::default().insert_header(JSON).set_payload(body);
    let packed = |body: Vec<u8>| raw(body).insert_header(("content-encoding", "gzip"));
    let changed = |field: &str, value: Value| {
        let mut row = row("wicked");
        row[field] = value;
        plain(&row.to_string())
    };
    let whole = json!([row("wicked"), row("wicked")]).to_string();
    let gbk = b"[{\"transaction_id\": \"wicked\", \"operator\": \"\xd5\xc5\xc8\xfd\"}]".to_vec();
    let many = format!("[{}]", vec!["{}"; 10_001].join(","));
    vec![
        ("truncated", plain(&whole[..whole.len() - 9]), 400, "invalid_json", ""),
        ("empty", plain(""), 400, "empty_body", ""),
        ("blank", plain(" \n "), 400, "empty_body", ""),
        ("empty list", plain("[]"), 400, "empty_body", ""),
        ("text", plain("hello"), 400, "invalid_json", ""),
        ("GBK", raw(gbk), 400, "not_utf8", ""),
        ("deep list", plain(&"[".repeat(100_000)), 400, "invalid_json", ""),
        (
            "deep field",
            plain(&format!("{{\"amount\":{}{}}}", "[".repeat(9_999), "]".repeat(9_999))),
            422,
            "wrong_type",
            "amount",
        ),
        ("no gzip", packed(b"{}".to_vec()), 400, "invalid_gzip", ""),
        ("cut gzip", packed(gzip(whole.as_bytes())[..30].to_vec()), 400, "invalid_gzip", ""),
        ("bomb", packed(gzip(&vec![b' '; 64 << 20])), 413, "too_large", ""),
        ("bomb in a bomb", packed(gzip(&gzip(&vec![b' '; 64 << 20]))), 400, "not_utf8", ""),
        ("too many rows", plain(&many), 413, "too_many_rows", ""),
        ("too large", raw(vec![b' '; (16 << 20) + 1]), 413, "too_large", ""),
        ("wrong type", changed("amount", json!("12")), 422, "wrong_type", "amount"),
        ("negative", changed("amount", json!(-1)), 422, "out_of_range", "amount"),
        ("too much", changed("amount", json!(1_000_000_000_000_001_i64)), 422, "out_of_range", "amount"),
        (
            "beyond 64 bits",
            plain(&row("w").to_string().replace("1205", "99999999999999999999999")),
            422,
            "wrong_type",
            "amount",
        ),
        ("unknown field", changed("colour", json!(1)), 422, "unknown_field", "colour"),
        ("unknown currency", changed("currency", json!("RMB")), 422, "unknown_currency", "currency"),
        ("card number", changed("operator", json!("4111-1111-1111-1111")), 422, "pan_suspected", "operator"),
        ("year 9999", changed("created_at", json!("9999-12-31T23:59:59Z")), 422, "in_future", "created_at"),
        ("no offset", changed("created_at", json!("2026-10-31T10:00:00")), 422, "invalid_time", "created_at"),
        ("foreign store", changed("store", json!("elsewhere")), 422, "unknown_store", "store"),
        ("row too long", changed("operator", json!("x".repeat(300 << 10))), 422, "row_too_long", ""),
        ("null byte", changed("operator", json!("a\u{0}")), 422, "control_character", "operator"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_harms_what_is_there() {
    let (service, key) = open().await;
    let app = app!(service);
    let mut expected = vec!["first".to_owned()];
    assert_eq!(send!(app, post(&key).set_json(row("first"))).0, 200);
    for (name, request, status, code, field) in wicked_bodies() {
        let request = request.method(Method::POST).uri(PATH).insert_header(("authorization", key.as_str()));
        let (answered, body) = send!(app, request);
        assert_eq!(answered, status, "{name}: {body}");
        let at = if status == 422 { &body["rows"][0] } else { &body };
        assert_eq!(at["code"], code, "{name}: {body}");
        if status == 422 {
            assert_eq!((&body["code"], &at["field"]), (&json!("no_row_accepted"), &json!(field)), "{name}");
        }
        let after = format!("after {name}");
        assert_eq!(send!(app, post(&key).set_json(row(&after))).0, 200, "{name}");
        expected.push(after);
    }
    assert_eq!(stored_ids(&service).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_send_is_told_so() {
    let (service, live) = open().await;
    let read = key(&service, KeyScope::Read, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    let (status, body) = send!(app, TestRequest::post().uri(PATH).set_json(row("a")));
    assert_eq!((status, &body["code"]), (401, &json!("key_missing")));
    let wrong = live.replace("tw_live", "tw_test");
    let (status, body) = send!(app, post(&wrong).set_json(row("a")));
    assert_eq!((status, &body["code"]), (401, &json!("key_not_valid")));
    let (status, body) = send!(app, post(&read).set_json(row("a")));
    assert_eq!((status, &body["code"]), (403, &json!("key_scope")));
    let (status, body) = send!(app, post(&live).method(Method::GET));
    assert_eq!((status, &body["code"]), (405, &json!("method_not_allowed")));
    let text = ("content-type", "text/csv");
    let (status, body) = send!(app, post(&live).insert_header(text).set_payload("a,b"));
    assert_eq!((status, &body["code"]), (415, &json!("unsupported_media_type")));
    let brotli = post(&live).insert_header(JSON).insert_header(("content-encoding", "br"));
    let (status, body) = send!(app, brotli.set_payload("{}"));
    assert_eq!((status, &body["code"]), (415, &json!("unsupported_encoding")));
    assert_eq!(stored_ids(&service).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_key_makes_tests_and_a_key_without_stores_nothing() {
    let (service, _) = open().await;
    let test = key(&service, KeyScope::Ingest, KeyMode::Test, StoreSet::All).await;
    let none = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::of([])).await;
    let app = app!(service);
    assert_eq!(send!(app, post(&test).set_json(row("a"))).0, 200);
    let (status, body) = send!(app, post(&none).set_json(row("b")));
    assert_eq!((status, &body["rows"][0]["code"]), (422, &json!("unknown_store")));
    let mut named = row("c");
    named["store"] = json!("main");
    let (status, body) = send!(app, post(&none).set_json(named));
    assert_eq!((status, &body["rows"][0]["code"]), (422, &json!("unknown_store")));
}

#[actix_web::test]
async fn a_full_disk_refuses_records_with_a_sentence_and_goes_on_reading() {
    let service = TestService::start().await;
    let app = app!(service);
    let cookie = service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    service.state.intake.gate().set_shut(true);
    let (status, body) =
        send!(app, post(&key).insert_header(JSON).set_payload(json!([row("a")]).to_string()));
    assert_eq!((status, &body["code"]), (507, &json!("disk_full")), "{body}");
    assert!(body["detail"].as_str().unwrap().contains("send the batch again later"), "{body}");
    let page = TestRequest::get().uri("/s/main/overview").insert_header(cookie).to_request();
    assert_eq!(call_service(&app, page).await.status(), 200);
    service.state.intake.gate().set_shut(false);
    let (status, _) = send!(app, post(&key).insert_header(JSON).set_payload(json!([row("a")]).to_string()));
    assert_eq!(status, 200);
}
