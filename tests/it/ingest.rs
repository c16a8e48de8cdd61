//! The way in at its limit: large bodies, floods, compressed bodies.

use actix_web::body::MessageBody;
use actix_web::test::{TestRequest, call_service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tillwatch::domain::{Clock, FixedClock, KeyMode, KeyScope, StoreSet};
use tillwatch::intake::Intake;
use tillwatch::lake::decode_batch;
use tillwatch::store::{InboxWriter, Load, Room};

use crate::api::key;
use crate::app;
use crate::service::TestService;

const PATH: &str = "/api/v1/transactions";

fn row(number: usize) -> Value {
    let mut row = json!({"transaction_id": format!("t{number}"), "created_at": "2026-10-31T18:00:00+08:00",
        "status": "succeeded", "amount": 1205 + number, "currency": "CNY", "provider": "alipay",
        "completed_at": "2026-10-31T10:00:01.5Z", "operator": format!("  {} ", number % 3)});
    if number.is_multiple_of(2) {
        row["items"] =
            json!([{"sku": "\u{e9}\n".trim(), "quantity": 1.5, "unit_amount": "3.10", "category": "tea"}]);
    }
    if number.is_multiple_of(7) {
        row["attributes"] = json!({"table": "4", "area": "garden \"A\""});
        row["customer"] = json!(format!("c{number}@example.com"));
    }
    if number.is_multiple_of(11) {
        row["operator"] = json!("4111 1111 1111 1111");
    }
    row
}

fn lines(rows: impl Iterator<Item = usize>) -> String {
    rows.map(|number| row(number).to_string() + "\n").collect()
}

fn post(key: &str, body: String) -> TestRequest {
    TestRequest::post()
        .uri(PATH)
        .insert_header(("authorization", key))
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload(body)
}

async fn json_of<B: MessageBody>(answer: actix_web::dev::ServiceResponse<B>) -> Value {
    let Ok(bytes) = actix_web::body::to_bytes(answer.into_body()).await else { panic!("no body") };
    serde_json::from_slice(&bytes).unwrap()
}

/// The rows of the whole inbox, decoded.
async fn inbox(service: &TestService) -> Vec<tillwatch::lake::Frame> {
    let mut frames = Vec::new();
    for batch in service.state.database.waiting_batches(1000).await.unwrap() {
        frames.push(decode_batch(&service.state.database.read_batch(batch.seq).await.unwrap()).unwrap());
    }
    frames
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_kept_exactly_as_small_ones_are() {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    let mut errors = Vec::new();
    // Fewer than are worth a batch of their own; the first makes the account known.
    for first in [0, 200, 400] {
        let answer = call_service(&app, post(&key, lines(first..first + 200)).to_request()).await;
        let answer = json_of(answer).await;
        for refused in answer["rows"].as_array().unwrap() {
            let index = refused["index"].as_u64().unwrap() + first as u64;
            errors.push((index, refused["field"].clone(), refused["code"].clone()));
        }
    }
    let answer = json_of(call_service(&app, post(&key, lines(0..600)).to_request()).await).await;
    let of_large: Vec<_> = answer["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["index"].as_u64().unwrap(), row["field"].clone(), row["code"].clone()))
        .collect();
    assert_eq!(of_large, errors);
    assert_eq!(answer["accepted"], 600 - errors.len());
    let mut frames = inbox(&service).await;
    let large = frames.pop().unwrap();
    let mut small = frames.remove(0).data().clone();
    for frame in frames {
        small.vstack_mut(frame.data()).unwrap();
    }
    assert!(large.data().equals_missing(&small));
}

/// A service whose queue takes 2,000 rows.
async fn small_service() -> TestService {
    let mut service = TestService::start().await;
    service.owner().await;
    let load = |rows| Load { rows, bytes: rows * 10_000 };
    let room = Room { all: load(2_000), reserve: load(500), least: load(100) };
    let (writer, _task) = InboxWriter::start_in(service.state.database.clone(), room);
    let clock: Arc<dyn Clock> = Arc::<FixedClock>::clone(&service.clock);
    let metrics = Arc::clone(&service.state.metrics);
    service.state.intake = Arc::new(Intake::new(service.state.database.clone(), writer, clock, metrics));
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_key_pushes_no_other_key_out() {
    let service = small_service().await;
    let flood = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let honest = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    // Both keys and the account are known from here on, without the database's writer.
    for (number, key) in [(1, &flood), (2, &honest)] {
        assert_eq!(
            call_service(&app, post(key, lines(std::iter::once(number))).to_request()).await.status(),
            200
        );
    }
    let intake = &service.state.intake;
    // Nothing is committed while another transaction has the one writer: everything waits.
    let blocked = service.state.database.begin_write().await.unwrap();
    // Ten times the queue, thirteen times the share of a key alone.
    let flooding = join_all((0..200).map(|_| call_service(&app, post(&flood, lines(1..101)).to_request())));
    let honest_ones = async {
        while intake.queued_rows() < 1_300 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        join_all((0..4).map(|_| call_service(&app, post(&honest, lines(1..101)).to_request()))).await
    };
    let released = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let most = intake.queued_rows();
        drop(blocked);
        most
    };
    let (flooding, honest_ones, most) = tokio::join!(flooding, honest_ones, released);
    assert!(honest_ones.iter().all(|answer| answer.status() == 200));
    let taken = flooding.iter().filter(|answer| answer.status() == 200).count();
    let refused: Vec<_> = flooding.iter().filter(|answer| answer.status() == 429).collect();
    assert!(taken + refused.len() == 200 && refused.len() > 150, "{taken} taken, {} refused", refused.len());
    assert!(refused.iter().all(|answer| answer.headers().contains_key("retry-after")));
    assert!((1_300..=2_000).contains(&most), "{most} rows waited");
    assert_eq!(intake.queued_rows(), 0, "everything is given back");
    assert_eq!(
        call_service(&app, post(&flood, lines(1..101)).to_request()).await.status(),
        200,
        "it is over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_refused_before_its_body_is_read() {
    let service = small_service().await;
    let flood = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    assert_eq!(call_service(&app, post(&flood, lines(1..2)).to_request()).await.status(), 200);
    // All but the reserve is 15 MB; this says that it is more, and holds nothing that could be read.
    let told = post(&flood, "not JSON".into()).insert_header(("content-length", 15_000_001));
    assert_eq!(call_service(&app, told.to_request()).await.status(), 429);
    let told = post(&flood, "not JSON".into()).insert_header(("content-length", 14_000_000));
    assert_ne!(call_service(&app, told.to_request()).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn zstd_is_taken_and_its_bombs_are_not() {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let app = app!(service);
    let send = |body: Vec<u8>| {
        TestRequest::post()
            .uri(PATH)
            .insert_header(("authorization", key.as_str()))
            .insert_header(("content-type", "application/x-ndjson"))
            .insert_header(("content-encoding", "zstd"))
            .set_payload(body)
            .to_request()
    };
    let pack = |plain: &[u8]| zstd::bulk::compress(plain, 3).unwrap();
    let good = pack(lines(1..3).as_bytes());
    for (body, status, code) in [
        (good.clone(), 200, Value::Null),
        (good[..good.len() - 2].to_vec(), 400, json!("invalid_zstd")),
        (b"{}".to_vec(), 400, json!("invalid_zstd")),
        (pack(&vec![b' '; 64 << 20]), 413, json!("too_large")),
        // One layer only: what is inside is no JSON.
        (pack(&pack(&vec![b' '; 64 << 20])), 422, json!("no_row_accepted")),
    ] {
        let answer = call_service(&app, send(body)).await;
        let answered = answer.status();
        let body = json_of(answer).await;
        assert_eq!((answered.as_u16(), &body["code"]), (status, &code), "{body}");
    }
}
