//! `Idempotency-Key`: a retry gets the answer that was given, also by a server that was killed in between.

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::time::Duration;
use tillwatch::domain::{Clock, KeyMode, KeyScope, StoreSet, SystemClock};
use tillwatch::lake::decode_batch;
use tillwatch::store::Database;

use crate::api::{ids_in_inbox, key};
use crate::app;
use crate::live::Installation;
use crate::service::TestService;

const PATH: &str = "/api/v1/transactions";
const HEADER: &str = "idempotency-key";

fn row(id: &str) -> Value {
    json!({"transaction_id": id, "created_at": "2026-10-31T18:00:00+08:00", "status": "succeeded", "amount": 1205,
        "currency": "CNY", "provider": "alipay"})
}

fn post(api_key: &str, key: &str, body: &Value) -> TestRequest {
    TestRequest::post()
        .uri(PATH)
        .insert_header(("authorization", api_key))
        .insert_header((HEADER, key))
        .set_json(body)
}

/// Status, whether it is said to be a replay, and the body.
async fn read<B: MessageBody>(answer: ServiceResponse<B>) -> (u16, bool, Value) {
    let status = answer.status().as_u16();
    let replayed = answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
    let Ok(bytes) = actix_web::body::to_bytes(answer.into_body()).await else { panic!("no body") };
    (status, replayed, serde_json::from_slice(&bytes).unwrap())
}

macro_rules! send {
    ($app:expr, $request:expr) => {
        read(call_service(&$app, $request.to_request()).await).await
    };
}

async fn open() -> (TestService, String) {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    (service, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_and_takes_in_nothing() {
    let (service, api_key) = open().await;
    let app = app!(service);
    let body = json!([row("a"), {"x": 1}]);
    let (status, replayed, first) = send!(app, post(&api_key, "k1", &body));
    assert_eq!((status, replayed, &first["rejected"]), (200, false, &json!(1)));
    for _ in 0..2 {
        assert_eq!(send!(app, post(&api_key, "k1", &body)), (200, true, first.clone()));
    }
    assert_eq!(ids_in_inbox(&service.state.database).await, ["a"]);
    let (status, _, problem) = send!(app, post(&api_key, "k1", &json!([row("b")])));
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency_key_reused")));
    // Under another key, of another API key or on another path it is another request.
    let other = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    assert!(!send!(app, post(&api_key, "k2", &body)).1);
    assert!(!send!(app, post(&other, "k1", &body)).1);
    let event =
        json!({"event_id": "e", "time": "2026-10-31T10:00:00Z", "session_id": "s", "step": "purchase"});
    let (status, replayed, _) = send!(app, post(&api_key, "k1", &event).uri("/api/v1/checkout-events"));
    assert_eq!((status, replayed), (200, false));
    assert_eq!(ids_in_inbox(&service.state.database).await, ["a", "a", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_not_kept_and_a_key_must_be_one() {
    let (service, api_key) = open().await;
    let app = app!(service);
    let (status, _, problem) = send!(app, post(&api_key, "k", &json!({"x": 1})));
    assert_eq!((status, &problem["code"]), (422, &json!("no_row_accepted")));
    assert_eq!(send!(app, post(&api_key, "k", &row("a"))).0, 200, "mended under the same key");
    let longest = "k".repeat(tillwatch::web::api::IDEMPOTENCY_KEY_CHARS_MAX);
    assert_eq!(send!(app, post(&api_key, &longest, &row("b"))).0, 200);
    for bad in ["", "two words", &format!("{longest}k")] {
        let (status, _, problem) = send!(app, post(&api_key, bad, &row("c")));
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_idempotency_key")), "{bad}");
    }
    let twice = post(&api_key, "k3", &row("c")).append_header((HEADER, "k4"));
    assert_eq!(send!(app, twice).0, 400);
    assert_eq!(ids_in_inbox(&service.state.database).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_overtakes_its_first_request_is_told_to_wait() {
    let (service, api_key) = open().await;
    let app = app!(service);
    assert_eq!(send!(app, post(&api_key, "k0", &row("a"))).0, 200);
    let blocked = service.state.database.begin_write().await.unwrap();
    let first = async { send!(app, post(&api_key, "k1", &row("b"))) };
    let retry = async {
        while service.state.intake.queued_rows() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let answer = call_service(&app, post(&api_key, "k1", &row("b")).to_request()).await;
        let retry_after = answer.headers().contains_key("retry-after");
        drop(blocked);
        (read(answer).await, retry_after)
    };
    let (first, ((status, _, problem), retry_after)) = tokio::join!(first, retry);
    assert_eq!((status, &problem["code"], retry_after), (409, &json!("idempotency_key_in_use"), true));
    assert_eq!((first.0, first.1), (200, false));
    assert_eq!(send!(app, post(&api_key, "k1", &row("b"))), (200, true, first.2));
    assert_eq!(ids_in_inbox(&service.state.database).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_for_a_day() {
    let (service, api_key) = open().await;
    let app = app!(service);
    assert_eq!(send!(app, post(&api_key, "k", &row("a"))).0, 200);
    let (database, now) = (&service.state.database, service.clock.now());
    assert_eq!(database.expire_answers(now - TimeDelta::hours(24), 10).await.unwrap(), 0);
    assert!(send!(app, post(&api_key, "k", &row("a"))).1);
    assert_eq!(database.expire_answers(now + TimeDelta::milliseconds(1), 10).await.unwrap(), 1);
    assert!(!send!(app, post(&api_key, "k", &row("a"))).1, "forgotten");
}

/// One request under a key of its own: status and whether it was replayed, or `None` when the server died.
async fn try_once(
    client: &reqwest::Client,
    origin: &str,
    api_key: &str,
    number: usize,
    at: &str,
) -> Option<(u16, bool)> {
    let mut row = row(&format!("t{number}"));
    row["created_at"] = json!(at);
    let sent = client
        .post(format!("{origin}{PATH}"))
        .bearer_auth(api_key)
        .header(HEADER, format!("key-{number}"))
        .json(&row)
        .send();
    let answer = sent.await.ok()?;
    let (status, replayed) =
        (answer.status().as_u16(), answer.headers().contains_key("idempotency-replayed"));
    answer.bytes().await.ok()?;
    Some((status, replayed))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_kill_is_replayed_after_it() {
    const LIVES: u64 = 5;
    let installation = Installation::make().await;
    let at = (SystemClock.now() - TimeDelta::hours(1)).to_rfc3339();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    let (mut next, mut answered, mut open) = (0, Vec::new(), Vec::new());
    for life in 0..LIVES {
        let server = installation.serve();
        let origin = server.origin.clone();
        for number in answered.iter().copied() {
            let retried = try_once(&client, &origin, &installation.key, number, &at).await;
            assert_eq!(retried, Some((200, true)), "request {number} was answered before the kill");
        }
        // Whether these were taken in is unknown; either way a retry makes it so, once.
        for number in open.drain(..) {
            let retried = try_once(&client, &origin, &installation.key, number, &at).await;
            assert_eq!(retried.map(|(status, _)| status), Some(200), "request {number} had no answer");
            answered.push(number);
        }
        let kill = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(80 + 70 * life));
            drop(server);
        });
        loop {
            match try_once(&client, &origin, &installation.key, next, &at).await {
                Some((status, replayed)) => {
                    assert_eq!((status, replayed), (200, false));
                    answered.push(next);
                }
                None => open.push(next),
            }
            next += 1;
            if open.len() == 1 {
                break;
            }
        }
        kill.await.unwrap();
    }
    assert!(answered.len() > 10, "only {} were answered: nothing was proven", answered.len());
    let server = installation.serve();
    let last = open.pop().unwrap();
    let retried = try_once(&client, &server.origin, &installation.key, last, &at).await;
    assert_eq!(retried.map(|(status, _)| status), Some(200));
    drop(server);
    println!("{LIVES} kills, {next} requests");
    let database = Database::open(installation.address.clone()).await.unwrap();
    // Every batch since the beginning, folded or not.
    let mut ids = Vec::new();
    for seq in 1.. {
        let Ok(bytes) = database.read_batch(seq).await else { break };
        let frame = decode_batch(&bytes).unwrap();
        let column = frame.data().column("transaction_id").unwrap().str().unwrap().clone();
        ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
    }
    ids.sort_unstable();
    let mut sent: Vec<String> = (0..next).map(|number| format!("t{number}")).collect();
    sent.sort_unstable();
    assert_eq!(ids, sent, "every request was taken in exactly once");
}
