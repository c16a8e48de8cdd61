//! Events from shoppers' browsers: anybody may knock, little comes in, and nobody is told what became of it.

use actix_web::test::{TestRequest, call_service};
use chrono::TimeDelta;
use serde_json::json;
use tillwatch::domain::{Clock, Stream};
use tillwatch::lake::decode_batch;
use tillwatch::store::CollectSite;

use crate::app;
use crate::funnel::waiting;
use crate::service::TestService;

const SITE: &str = "abcdefghijklmnop";
const SHOP: &str = "https://shop.example";
const BROWSER: &str = "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36";

async fn open() -> TestService {
    let service = TestService::start().await;
    service.owner().await;
    let store = service.state.database.stores().await.unwrap().remove(0);
    let site = CollectSite {
        id: SITE.into(),
        store: store.id,
        name: "shop".into(),
        origins: vec![SHOP.into(), "https://m.shop.example:8443".into()],
        created_at: service.clock.now(),
        last_event_at: None,
    };
    service.state.database.insert_collect_site(&site).await.unwrap();
    service
}

fn event(service: &TestService, id: &str, step: &str) -> serde_json::Value {
    json!({"id": id, "time": service.clock.now().timestamp_millis() - 1_000, "step": step})
}

fn beacon(origin: Option<&str>, body: impl Into<String>) -> TestRequest {
    let request = TestRequest::post()
        .uri(&format!("/collect/{SITE}"))
        .insert_header(("content-type", "text/plain;charset=UTF-8"))
        .insert_header(("user-agent", BROWSER))
        .insert_header(("cookie", "sid=whatever"))
        .set_payload(body.into());
    match origin {
        Some(origin) => request.insert_header(("origin", origin)),
        None => request,
    }
}

fn count(service: &TestService, result: &str) -> u64 {
    let text = String::from_utf8(service.state.metrics.text(0).unwrap()).unwrap();
    let start = format!("tillwatch_beacon_events_total{{result=\"{result}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
    line.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_a_shopper_are_kept_for_the_sites_store() {
    let service = open().await;
    let app = app!(service);
    let mut paid = event(&service, "p2", "payment_attempt");
    paid["dwell"] = json!(4200);
    paid["error"] = json!("cvc");
    paid["value"] = json!(100);
    let body =
        json!({"session": "s1", "events": [event(&service, "p1", "begin_checkout"), paid]}).to_string();
    for _ in 0..2 {
        let answer = call_service(&app, beacon(Some(SHOP), body.clone()).to_request()).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers().get("access-control-allow-origin").unwrap(), SHOP);
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
        assert_eq!(answer.headers().get("vary").unwrap(), "Origin");
    }
    assert_eq!(waiting(&service, "step").await, ["begin_checkout", "payment_attempt"].repeat(2));
    let ids = waiting(&service, "event_id").await;
    assert_eq!(ids[..2], ids[2..], "sent again is the same");
    assert_eq!(waiting(&service, "device").await, ["mobile"; 4]);
    assert_eq!(waiting(&service, "feed").await, ["beacon"; 4]);
    for batch in service.state.database.waiting_batches(10).await.unwrap() {
        assert_eq!(batch.stream, Stream::CheckoutEvents);
        let frame = decode_batch(&service.state.database.read_batch(batch.seq).await.unwrap()).unwrap();
        assert_eq!(frame.data().column("value").unwrap().null_count(), 2, "no money from a browser");
    }
    assert_eq!(count(&service, "accepted"), 4);
    let site = service.state.database.collect_sites().await.unwrap().remove(0);
    assert_eq!(site.last_event_at, Some(service.clock.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_else_is_counted_and_told_nothing() {
    let service = open().await;
    let app = app!(service);
    let good = json!({"session": "s1", "events": [event(&service, "p1", "purchase")]}).to_string();
    let old = service.clock.now() - TimeDelta::hours(25);
    let mut late = event(&service, "p1", "purchase");
    late["time"] = json!(old.timestamp_millis());
    let late = json!({"session": "s1", "events": [late]}).to_string();
    let card = good.replace("\"p1\"", "\"4111111111111111\"");
    let refund = good.replace("purchase", "refund");
    let too_long = format!("{good}{}", " ".repeat(16 << 10));
    let json = || beacon(Some(SHOP), good.clone()).insert_header(("content-type", "application/json"));
    let robot = || beacon(Some(SHOP), good.clone()).insert_header(("user-agent", "Googlebot/2.1"));
    for (request, result) in [
        (beacon(None, good.clone()), "origin"),
        (beacon(Some("null"), good.clone()), "origin"),
        (beacon(Some("https://shop.example.evil.com"), good.clone()), "origin"),
        (beacon(Some("http://shop.example"), good.clone()), "origin"),
        (beacon(Some("https://m.shop.example"), good.clone()), "origin"),
        (beacon(Some(SHOP), good.clone()).uri("/collect/nobody"), "unknown_site"),
        (beacon(Some(SHOP), "{"), "malformed"),
        (beacon(Some(SHOP), refund), "malformed"),
        (beacon(Some(SHOP), too_long), "malformed"),
        (json(), "malformed"),
        (beacon(Some(SHOP), late), "clock"),
        (beacon(Some(SHOP), card), "card_number"),
        (robot(), "robot"),
    ] {
        let before = count(&service, result);
        let answer = call_service(&app, request.to_request()).await;
        assert_eq!((answer.status().as_u16(), count(&service, result)), (204, before + 1), "{result}");
    }
    let get = TestRequest::get().uri(&format!("/collect/{SITE}")).to_request();
    assert_eq!(call_service(&app, get).await.status(), 404);
    assert_eq!(waiting(&service, "step").await, Vec::<String>::new());
    let text = String::from_utf8(service.state.metrics.text(0).unwrap()).unwrap();
    assert!(!text.contains("nobody"), "no name that a stranger chose is a label");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_address_is_cut_and_nothing_is_promised_that_is_not_kept() {
    let service = open().await;
    let app = app!(service);
    let body = json!({"session": "s1", "events": [event(&service, "p1", "purchase")]}).to_string();
    service.state.intake.gate().set_shut(true);
    let answer = call_service(&app, beacon(Some(SHOP), body.clone()).to_request()).await;
    assert_eq!((answer.status().as_u16(), count(&service, "not_committed")), (503, 1));
    service.state.intake.gate().set_shut(false);
    for _ in 0..250 {
        let answer = call_service(&app, beacon(Some(SHOP), body.clone()).to_request()).await;
        assert_eq!(answer.status(), 204);
    }
    assert!(count(&service, "too_many") > 0 && count(&service, "accepted") >= 199);
    assert!(service.state.database.remove_collect_site(SITE, service.clock.now()).await.unwrap());
    service.clock.advance(TimeDelta::seconds(6));
    let before = count(&service, "unknown_site");
    call_service(&app, beacon(Some(SHOP), body).to_request()).await;
    assert_eq!(count(&service, "unknown_site"), before + 1);
}
