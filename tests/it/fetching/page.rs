//! The settings page: pasting credentials, the switch, the test button, what is said of each failure.

use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service, read_body};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tillwatch::domain::{BillProvider, Clock, Role, StoreSet};
use tillwatch::store::PersonDraft;
use tillwatch::web::door::token_hash;

use super::stand_in::{
    APP_ID, MCHID, MERCHANT_KEY, MERCHANT_PUBLIC, PLATFORM_ID, PLATFORM_PUBLIC, SERIAL, Say, StandIn,
};
use super::{World, bill, day};
use crate::app;
use crate::service::{ORIGIN, TestService};

const PAGE: &str = "/s/main/settings/fetching";

/// A service whose providers are the stand-in, at ten in the morning of 21 November 2026 in Beijing.
async fn service() -> (TestService, StandIn, (&'static str, String)) {
    let stand_in = StandIn::start().await;
    let gateway = format!("{}/gateway.do", stand_in.address);
    let gateways =
        tillwatch::intake::fetching::Gateways::at(Some(&stand_in.address), Some(&gateway)).unwrap();
    let service = TestService::configured(|config| config.gateways = gateways).await;
    service.clock.set(super::at("2026-11-21T10:00:00"));
    stand_in.now_s.store(super::at("2026-11-21T10:00:00").timestamp(), std::sync::atomic::Ordering::SeqCst);
    let cookie = service.owner().await;
    (service, stand_in, cookie)
}

fn csrf_of(body: &str) -> String {
    let at = body.find("name=\"csrf\" value=\"").unwrap() + 19;
    body[at..].split('"').next().unwrap().to_owned()
}

fn form(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn location<B>(answer: &ServiceResponse<B>) -> String {
    answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned()
}

/// GET and POST as the owner's browser.
macro_rules! browser {
    ($app:ident, $cookie:ident, $get:ident, $post:ident) => {
        let $get = async |path: &str| {
            let request = TestRequest::get().uri(path).insert_header($cookie.clone()).to_request();
            let answer = call_service(&$app, request).await;
            let status = answer.status().as_u16();
            (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
        };
        let $post = async |path: &str, body: String| {
            let request = TestRequest::post()
                .uri(path)
                .insert_header($cookie.clone())
                .insert_header(("origin", ORIGIN))
                .insert_header(("content-type", "application/x-www-form-urlencoded"))
                .set_payload(body);
            let answer = call_service(&$app, request.to_request()).await;
            let (status, to) = (answer.status().as_u16(), location(&answer));
            (status, to, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
        };
    };
}

#[actix_web::test]
async fn credentials_are_pasted_tested_switched_on_and_deleted_and_never_shown() {
    let (service, stand_in, cookie) = service().await;
    let app = app!(service);
    browser!(app, cookie, get, post);
    let (status, html) = get(PAGE).await;
    assert_eq!(status, 200);
    assert!(html.contains("No account is set up yet"), "{html}");
    let csrf = csrf_of(&html);
    let credentials = |key: &str, csrf: &str| {
        form(&[
            ("csrf", csrf),
            ("provider", "wechat_pay"),
            ("of_store", "main"),
            ("account", MCHID),
            ("serial", "40:8b 07E79B8269FEC3D5D3E6AB8ED163A6A380DB"),
            ("private_key", key),
            ("platform_id", PLATFORM_ID),
            ("platform_keys", PLATFORM_PUBLIC),
        ])
    };
    assert_eq!(post(PAGE, credentials(MERCHANT_KEY, "wrong")).await.0, 403);
    let (status, to, _) = post(PAGE, credentials(MERCHANT_KEY, &csrf)).await;
    assert_eq!((status, to.as_str()), (303, PAGE));
    let source = service.state.database.bill_sources().await.unwrap().remove(0);
    assert!(source.has_key && !source.is_on, "saving does not switch on");
    assert_eq!(source.public.certificate_serial, SERIAL);
    let id = source.id.to_string();
    let (_, html) = get(PAGE).await;
    assert!(html.contains("Switched off") && html.contains(&source.public.fingerprint), "{html}");
    assert!(!html.contains("PRIVATE KEY") && !html.contains(MERCHANT_KEY.lines().nth(2).unwrap()));
    assert!(stand_in.heard().is_empty(), "nothing was asked by saving and looking");

    stand_in.will_say([Say::NotReady, bill(super::WECHAT_BILL)]);
    let one = form(&[("csrf", &csrf), ("source", &id)]);
    let (_, to, _) = post(&format!("{PAGE}/test"), one.clone()).await;
    let (_, html) = get(&to).await;
    assert!(html.contains("still making this bill") && html.contains("nothing asks again"), "{html}");
    let (status, to, _) = post(&format!("{PAGE}/test"), one.clone()).await;
    assert_eq!((status, to.clone()), (303, format!("{PAGE}?tested={id}")));
    let (_, html) = get(&to).await;
    assert!(html.contains("Result of the test") && html.contains("Fetched"), "{html}");
    assert!(html.contains("/s/main/imports/1"), "{html}");
    assert_eq!((stand_in.heard().len(), stand_in.bad().len()), (2, 0));

    let on = form(&[
        ("csrf", &csrf),
        ("source", &id),
        ("on", "1"),
        ("trade", "on"),
        ("fund_basic", "on"),
        ("first_day", "2026-11-01"),
    ]);
    assert_eq!(post(&format!("{PAGE}/switch"), on).await.0, 303);
    let source = service.state.database.bill_sources().await.unwrap().remove(0);
    assert!(source.is_on && source.kinds.len() == 2 && source.first_day == day("2026-11-01"));
    for (kinds, first) in
        [(&[][..], "2026-11-01"), (&[("trade", "on")], "2026-11-21"), (&[("trade", "on")], "2026-08-20")]
    {
        let mut pairs = vec![("csrf", csrf.as_str()), ("source", &id), ("on", "1"), ("first_day", first)];
        pairs.extend(kinds);
        assert_eq!(post(&format!("{PAGE}/switch"), form(&pairs)).await.0, 422, "{first}");
    }
    let off = form(&[("csrf", &csrf), ("source", &id), ("on", "")]);
    assert_eq!(post(&format!("{PAGE}/switch"), off).await.0, 303);
    assert!(!service.state.database.bill_sources().await.unwrap()[0].is_on);
    assert_eq!(post(&format!("{PAGE}/forget"), one.clone()).await.0, 303);
    let (_, html) = get(PAGE).await;
    assert!(html.contains("Credentials deleted") && html.contains("Fetched"), "{html}");
    assert_eq!(post(&format!("{PAGE}/test"), one.clone()).await.0, 400);
    assert_eq!(post(&format!("{PAGE}/again"), form(&[("csrf", &csrf), ("source", "99")])).await.0, 404);
}

#[actix_web::test]
async fn what_was_pasted_wrongly_is_named_and_the_private_key_does_not_come_back() {
    let (service, stand_in, cookie) = service().await;
    let app = app!(service);
    browser!(app, cookie, get, post);
    let csrf = csrf_of(&get(PAGE).await.1);
    let alipay = |account: &str, key: &str, platform: &str| {
        form(&[
            ("csrf", &csrf),
            ("provider", "alipay"),
            ("of_store", "main"),
            ("account", account),
            ("private_key", key),
            ("platform_keys", platform),
        ])
    };
    for (body, sentence) in [
        (alipay("2088 or so", MERCHANT_KEY, PLATFORM_PUBLIC), "Digits only"),
        (alipay(APP_ID, MERCHANT_PUBLIC, PLATFORM_PUBLIC), "The private key is needed here"),
        (alipay(APP_ID, "hello", PLATFORM_PUBLIC), "This is no key"),
        (alipay(APP_ID, MERCHANT_KEY, MERCHANT_KEY), "make a new one"),
        (alipay(APP_ID, MERCHANT_KEY, MERCHANT_PUBLIC), "public half of your own key"),
    ] {
        let (status, _, html) = post(PAGE, body).await;
        assert_eq!(status, 422);
        assert!(html.contains(sentence), "{sentence}\n{html}");
        assert!(html.contains("<details open>"), "the form that was sent is open");
    }
    let (_, _, html) = post(PAGE, alipay("x", MERCHANT_KEY, PLATFORM_PUBLIC)).await;
    assert!(!html.contains("PRIVATE KEY") && html.contains("BEGIN PUBLIC KEY"), "{html}");
    assert!(service.state.database.bill_sources().await.unwrap().is_empty());
    assert_eq!(post(PAGE, alipay(APP_ID, MERCHANT_KEY, PLATFORM_PUBLIC)).await.0, 303);
    assert!(stand_in.heard().is_empty());
}

#[actix_web::test]
async fn every_failure_is_in_words_of_both_languages() {
    let (service, stand_in, cookie) = service().await;
    let world = World::around(service, stand_in).await;
    let id = world.switch_on(BillProvider::WechatPay, super::TRADE, "2026-11-18").await;
    world.stand_in.will_say([Say::Refuse(403, "NO_AUTH"), Say::NotReady, Say::NoActivity]);
    world.run().await;
    let app = app!(world.service);
    browser!(app, cookie, get, post);
    let (_, html) = get(PAGE).await;
    for text in [
        "Open the bill interface",
        "NO_AUTH",
        "still making this bill",
        "one try",
        "No activity",
        "21 Nov 2026 10:30",
    ] {
        assert!(html.contains(text), "{text} is not in\n{html}");
    }
    let csrf = csrf_of(&html);
    let request =
        TestRequest::get().uri(PAGE).insert_header(("cookie", format!("{}; lang=zh-Hans", cookie.1)));
    let html = read_body(call_service(&app, request.to_request()).await).await;
    let html = String::from_utf8(html.to_vec()).unwrap();
    for text in
        ["自动取账单", "请在支付机构的平台为该商户开通账单接口权限", "每半小时自动再取一次", "当天无业务"]
    {
        assert!(html.contains(text), "{text} is not in\n{html}");
    }
    let again = form(&[("csrf", &csrf), ("source", &id.to_string())]);
    assert_eq!(post(&format!("{PAGE}/again"), again).await.0, 303);
    world.stand_in.will_say([Say::NoActivity, Say::NoActivity]);
    world.run().await;
    assert!(get(PAGE).await.1.contains("Every bill of the last 30 days is here"));
}

#[actix_web::test]
async fn a_member_neither_sees_nor_changes_it() {
    let (service, stand_in, _) = service().await;
    let world = World::around(service, stand_in).await;
    let id = world.switch_on(BillProvider::WechatPay, super::TRADE, "2026-11-20").await;
    let (database, now) = (&world.service.state.database, world.service.clock.now());
    let member = PersonDraft {
        email: "member@example.com".into(),
        name: "Li".into(),
        password_hash: String::new(),
        role: Role::Member,
        stores: StoreSet::of([world.store]),
        language: "en".into(),
    };
    let organisation = database.stores().await.unwrap()[0].organisation;
    let person = database.insert_person(organisation, &member, now).await.unwrap();
    let token = "ab".repeat(32);
    database.insert_session(&token_hash(&token), person, "", now).await.unwrap();
    let cookie = ("cookie", format!("sid={token}"));
    let app = app!(world.service);
    browser!(app, cookie, get, post);
    assert_eq!(get(PAGE).await.0, 403);
    let csrf = csrf_of(&get("/s/main/imports").await.1);
    let one =
        form(&[("csrf", &csrf), ("source", &id.to_string()), ("first_day", "2026-11-20"), ("trade", "on")]);
    for what in ["switch", "test", "again", "forget"] {
        assert_eq!(post(&format!("{PAGE}/{what}"), one.clone()).await.0, 403, "{what}");
    }
    assert!(world.stand_in.heard().is_empty());
    assert!(world.source(id).await.is_on);
}
