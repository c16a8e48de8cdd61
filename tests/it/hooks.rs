//! Providers' notices over HTTP: answered in the provider's form, after the commit; refused, limited, kept sealed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, read_body};
use chrono::TimeDelta;
use tillwatch::domain::{Clock, KeyMode, StoreId, Stream, instant_from_ms};
use tillwatch::intake::webhooks::{NOTICE_BYTES_MAX, Provider, SecretKind, read_secret};
use tillwatch::jobs::{Fold, Job, JobContext};
use tillwatch::lake::decode_batch;
use tillwatch::store::{EndpointRecord, PersonId, SecretRecord};
use tillwatch::web::door::token_hash;

use crate::app;
use crate::service::{NOW_MS, TestService};

/// The clock of the synthetic samples.
const CLOCK_MS: i64 = 1_795_132_800_000;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks").join(name))
        .unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

/// A service at the samples' clock, with an endpoint for each provider, whose id is the provider's word.
pub async fn with_endpoints() -> TestService {
    let service = TestService::start().await;
    service.clock.advance(TimeDelta::milliseconds(CLOCK_MS - NOW_MS));
    service.owner().await;
    for (provider, account, secrets) in [
        (
            Provider::WechatPay,
            "1900000109",
            vec![
                (
                    SecretKind::PublicKey,
                    "PUB_KEY_ID_0119000001092026112000000000000001",
                    text("wechat/synthetic_platform_pub.pem"),
                ),
                (SecretKind::ApiV3Key, "", "synthetic-apiv3-key-0123456789ab".into()),
            ],
        ),
        (
            Provider::Alipay,
            "2088000000000001",
            vec![(SecretKind::PublicKey, "", text("alipay/synthetic_alipay_pub.pem"))],
        ),
        (
            Provider::Stripe,
            "acct_1",
            vec![(SecretKind::SigningSecret, "", "whsec_synthetic_0123456789abcdef".into())],
        ),
        (
            Provider::Hyperswitch,
            "merchant_syn",
            vec![(SecretKind::SigningSecret, "", "synthetic_payment_response_hash_key".into())],
        ),
    ] {
        let now = service.clock.now();
        let endpoint = EndpointRecord {
            id: provider.as_str().into(),
            store: StoreId(1),
            provider: provider.as_str().into(),
            account: account.into(),
            mode: KeyMode::Live,
            app_id: if provider == Provider::Alipay { "2021000000000001".into() } else { String::new() },
            manual_capture: false,
            created_at: now,
            disabled_at: None,
            last_event_at: None,
        };
        let sealed = secrets.iter().enumerate().map(|(at, (kind, name, pasted))| {
            let entered = read_secret(provider, *kind, name, pasted).unwrap();
            let id = format!("{}-{at}", provider.as_str());
            let named = (kind.as_str(), entered.name.as_str());
            SecretRecord::sealing(&service.state.seal, (&id, provider.as_str()), named, &entered.secret, now)
                .unwrap()
        });
        let sealed: Vec<_> = sealed.collect();
        service.state.database.insert_webhook_endpoint(&endpoint, &sealed).await.unwrap();
    }
    service
}

/// A sample's body and headers.
pub fn sent(name: &str) -> (Vec<u8>, Vec<(String, String)>) {
    let (folder, rest) = name.split_once('/').unwrap();
    let file = |ending: &str| format!("{folder}/synthetic_{rest}{ending}");
    match folder {
        "wechat" | "hyperswitch" => {
            let headers: BTreeMap<String, String> =
                serde_json::from_slice(&fixture(&file(".headers.json"))).unwrap();
            (fixture(&file(".body.json")), headers.into_iter().collect())
        }
        "stripe" => {
            let signature = text(&file(".signature.txt")).trim().to_owned();
            (fixture(&file(".body.json")), vec![("Stripe-Signature".into(), signature)])
        }
        _ => (
            fixture(&file(".form.txt")),
            vec![("Content-Type".into(), "application/x-www-form-urlencoded; charset=utf-8".into())],
        ),
    }
}

pub fn post(path: &str, (body, headers): (Vec<u8>, Vec<(String, String)>)) -> TestRequest {
    let mut request = TestRequest::post().uri(path).set_payload(body);
    for (name, value) in headers {
        request = request.insert_header((name, value));
    }
    request
}

/// Rows of the inbox.
async fn rows(service: &TestService) -> usize {
    let mut rows = 0;
    for seq in service.state.database.batch_numbers(Stream::Transactions).await.unwrap() {
        rows += decode_batch(&service.state.database.read_batch(seq).await.unwrap()).unwrap().rows();
    }
    rows
}

/// Path, sample, and the answer that the provider expects.
const EXPECTED: [(&str, &str, u16, &str); 6] = [
    ("/hooks/wechat_pay/wechat_pay", "wechat/payment_success", 204, ""),
    ("/hooks/wechat_pay/wechat_pay", "wechat/refund_abnormal", 204, ""),
    ("/hooks/alipay/alipay", "alipay/trade_success", 200, "success"),
    ("/hooks/stripe/stripe", "stripe/charge_succeeded", 200, r#"{"received":true}"#),
    ("/hooks/hyperswitch/hyperswitch", "hyperswitch/payment_failed", 200, r#"{"received":true}"#),
    ("/hooks/hyperswitch/hyperswitch", "hyperswitch/unknown_event", 200, r#"{"received":true}"#),
];

#[actix_web::test]
async fn each_provider_is_answered_as_it_expects_after_the_commit() {
    let service = with_endpoints().await;
    let app = app!(service);
    for (path, name, status, body) in EXPECTED {
        let before = rows(&service).await;
        let answer = call_service(&app, post(path, sent(name)).to_request()).await;
        assert_eq!(answer.status().as_u16(), status, "{name}");
        assert_eq!(read_body(answer).await, body, "{name}");
        let made = usize::from(name != "hyperswitch/unknown_event");
        assert_eq!(rows(&service).await - before, made, "{name} is in the inbox when it is answered");
    }
    let source =
        service.state.database.source_of_record(StoreId(1), "1900000109", "api", service.clock.now(), 9);
    assert_eq!(
        source.await.unwrap().as_deref(),
        Some("webhook:wechat_pay"),
        "the first that sends for an account"
    );
    let endpoint = service.state.database.webhook_endpoint("stripe").await.unwrap().unwrap();
    assert_eq!(endpoint.last_event_at, Some(instant_from_ms(CLOCK_MS)));
    let secrets = service.state.database.webhook_secrets("wechat_pay").await.unwrap();
    assert!(secrets.iter().all(|secret| secret.last_used_at.is_some()));
}

#[actix_web::test]
async fn a_retry_and_a_forwarded_copy_are_answered_alike() {
    let service = with_endpoints().await;
    let app = app!(service);
    for (path, name, status, body) in EXPECTED {
        for path in [path.to_owned(), path.to_owned(), format!("{path}/forwarded")] {
            let answer = call_service(&app, post(&path, sent(name)).to_request()).await;
            assert_eq!(
                (answer.status().as_u16(), read_body(answer).await.as_ref()),
                (status, body.as_bytes())
            );
        }
    }
    service.clock.advance(TimeDelta::hours(1));
    for (suffix, status) in [("", 401), ("/forwarded", 204)] {
        let path = format!("/hooks/wechat_pay/wechat_pay{suffix}");
        let answer = call_service(&app, post(&path, sent("wechat/payment_success")).to_request()).await;
        assert_eq!(answer.status().as_u16(), status, "an hour later, {suffix}");
    }
    let kept = service.state.database.rejected_notices("wechat_pay", 9).await.unwrap();
    assert_eq!(
        (kept.len(), kept[0].code.as_str()),
        (1, "clock_off"),
        "ours may be the wrong clock: kept sealed"
    );
}

#[actix_web::test]
async fn what_is_not_believed_is_refused_in_the_providers_form_and_looks_like_no_address_at_all() {
    let service = with_endpoints().await;
    let app = app!(service);
    let fail = |word: &str| format!(r#"{{"code":"FAIL","message":"{word}"}}"#);
    let sentence = "the notice could not be verified";
    for (path, name, body) in [
        ("/hooks/wechat_pay/wechat_pay", "wechat/payment_success", fail(sentence)),
        ("/hooks/alipay/alipay", "alipay/trade_success", "fail".to_owned()),
        ("/hooks/stripe/stripe", "stripe/charge_succeeded", format!(r#"{{"error":"{sentence}"}}"#)),
        (
            "/hooks/hyperswitch/hyperswitch",
            "hyperswitch/payment_failed",
            format!(r#"{{"error":"{sentence}"}}"#),
        ),
    ] {
        let (mut changed, headers) = sent(name);
        let at = changed.len() / 3;
        changed[at] ^= 1;
        let (provider, _) = path.rsplit_once('/').unwrap();
        for (path, body_sent) in [
            (path.to_owned(), changed),
            // No such address; another provider's; and a right notice at a wrong address.
            (format!("{provider}/0123"), sent(name).0),
            (format!("{provider}/adyen"), sent(name).0),
        ] {
            let answer = call_service(&app, post(&path, (body_sent, headers.clone())).to_request()).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(read_body(answer).await, body, "{path}");
        }
    }
    assert_eq!(rows(&service).await, 0);
    let answer =
        call_service(&app, post("/hooks/paypal/stripe", sent("stripe/charge_succeeded")).to_request()).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let counted = service.state.database.webhook_refusals(instant_from_ms(0)).await.unwrap();
    assert_eq!(counted.iter().map(|(.., count)| count).sum::<i64>(), 4, "{counted:?}");
    let metrics = String::from_utf8(service.state.metrics.text(CLOCK_MS).unwrap()).unwrap();
    assert!(
        metrics.contains(r#"tillwatch_webhook_refused_total{provider="stripe",reason="signature_wrong"} 1"#)
    );
    assert!(
        metrics.contains(r#"tillwatch_webhook_notices_total{provider="none",result="no_endpoint"} 9"#),
        "{metrics}"
    );
    for secret in ["whsec_", "synthetic-apiv3", "oSYN"] {
        assert!(!metrics.contains(secret));
    }
}

#[actix_web::test]
async fn too_many_forged_notices_are_limited_and_right_ones_still_come_in() {
    let service = with_endpoints().await;
    let app = app!(service);
    let (body, _) = sent("stripe/charge_succeeded");
    let forged = || {
        post("/hooks/stripe/stripe", (body.clone(), vec![("Stripe-Signature".into(), "t=1,v1=00".into())]))
    };
    let mut statuses = Vec::new();
    for _ in 0..70 {
        let answer = call_service(&app, forged().to_request()).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.headers().contains_key("retry-after"));
        }
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 60);
    assert_eq!(statuses.last(), Some(&429));
    let good =
        call_service(&app, post("/hooks/stripe/stripe", sent("stripe/charge_succeeded")).to_request()).await;
    assert_eq!(good.status(), StatusCode::OK);
}

#[actix_web::test]
async fn bodies_have_their_limits_and_are_not_inflated() {
    let service = with_endpoints().await;
    let app = app!(service);
    let too_long = post("/hooks/stripe/stripe", (vec![b' '; NOTICE_BYTES_MAX + 1], Vec::new()));
    assert_eq!(call_service(&app, too_long.to_request()).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let packed = post("/hooks/stripe/stripe", (vec![1], vec![("Content-Encoding".into(), "gzip".into())]));
    assert_eq!(call_service(&app, packed.to_request()).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let get = TestRequest::get().uri("/hooks/stripe/stripe").to_request();
    assert_eq!(call_service(&app, get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    service.state.intake.gate().set_shut(true);
    let answer =
        call_service(&app, post("/hooks/alipay/alipay", sent("alipay/trade_success")).to_request()).await;
    assert_eq!(
        (answer.status(), read_body(answer).await.as_ref()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"fail"[..])
    );
}

#[actix_web::test]
async fn a_switched_off_endpoint_is_none() {
    let service = with_endpoints().await;
    let app = app!(service);
    let now = service.clock.now();
    let database = &service.state.database;
    database.set_webhook_endpoint_disabled("stripe", Some(now)).await.unwrap();
    let send = || post("/hooks/stripe/stripe", sent("stripe/charge_succeeded")).to_request();
    assert_eq!(call_service(&app, send()).await.status(), StatusCode::UNAUTHORIZED);
    database.set_webhook_endpoint_disabled("stripe", None).await.unwrap();
    service.state.webhooks.forget();
    assert_eq!(call_service(&app, send()).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn a_person_who_is_erased_is_in_no_fact() {
    let service = with_endpoints().await;
    let app = app!(service);
    call_service(&app, post("/hooks/alipay/alipay", sent("alipay/trade_success")).to_request()).await;
    let customers = service.state.database.webhook_fact_customers().await.unwrap();
    let buyer = service.state.pseudonyms.of("customer", "alipay", "2088000000009999");
    assert_eq!(customers, [buyer.as_str()]);
    assert_eq!(service.state.database.erase_from_webhook_facts(&buyer).await.unwrap(), 1);
    // The next notice about the trade still makes the same rows, without the person only where nobody names it again.
    let answer =
        call_service(&app, post("/hooks/alipay/alipay", sent("alipay/partial_refund")).to_request()).await;
    assert_eq!(answer.status(), StatusCode::OK);
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

/// Refunds of Alipay are told of by their sum: what each gave back is right only when all are known.
#[actix_web::test]
async fn told_of_in_any_order_the_folded_rows_are_the_same() {
    let mut seen: Vec<String> = Vec::new();
    for order in [
        ["trade_success", "partial_refund", "full_refund_closed", "trade_success"],
        ["full_refund_closed", "full_refund_closed", "partial_refund", "trade_success"],
        ["partial_refund", "trade_success", "partial_refund", "full_refund_closed"],
    ] {
        let service = with_endpoints().await;
        let app = app!(service);
        for name in order {
            let notice = post("/hooks/alipay/alipay", sent(&format!("alipay/{name}")));
            assert_eq!(call_service(&app, notice.to_request()).await.status(), StatusCode::OK);
            fold(&service).await;
        }
        // Two days later, when the day is over.
        service.clock.advance(TimeDelta::days(2));
        let (token, now) = ("7a".repeat(32), service.clock.now());
        let database = &service.state.database;
        database.insert_session(&token_hash(&token), PersonId(1), "test", now).await.unwrap();
        let list = "/s/main/transactions.csv?period=custom&from=2026-11-20&to=2026-11-20";
        let cookie = ("cookie", format!("sid={token}"));
        let list = TestRequest::get().uri(list).insert_header(cookie).to_request();
        seen.push(String::from_utf8(read_body(call_service(&app, list).await).await.to_vec()).unwrap());
    }
    assert_eq!(seen[0].lines().count(), 4, "{}", seen[0]);
    for given_back in [
        "refund,succeeded,alipay,alipay,,,CNY,28.00,2800",
        "refund,succeeded,alipay,alipay,,,CNY,100.00,10000",
    ] {
        assert!(seen[0].contains(given_back), "{}", seen[0]);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}
