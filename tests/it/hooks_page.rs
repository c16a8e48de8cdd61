//! Settings, callback addresses: made, looked at, keys changed, switched off; nothing secret is shown again.

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, read_body};
use tillwatch::domain::instant_from_ms;

use crate::app;
use crate::hooks::{post, sent, with_endpoints};
use crate::service::{ORIGIN, TestService};

const NEW: &str = "/s/main/settings/endpoints/new/stripe";
const SECRET: &str = "whsec_canary_of_the_page";

/// The value of the hidden field `csrf` of a page.
fn token(page: &str) -> String {
    page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

macro_rules! get {
    ($app:expr, $cookie:expr, $path:expr) => {{
        let answer =
            call_service(&$app, TestRequest::get().uri($path).insert_header($cookie.clone()).to_request())
                .await;
        let status = answer.status();
        (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    }};
}

macro_rules! submit {
    ($app:expr, $cookie:expr, $path:expr, $form:expr) => {{
        let request = TestRequest::post()
            .uri($path)
            .insert_header($cookie.clone())
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload($form);
        let answer = call_service(&$app, request.to_request()).await;
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let status = answer.status();
        (status, to, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    }};
}

#[actix_web::test]
async fn an_address_is_made_and_its_secret_never_shown_again() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let (status, page) = get!(app, cookie, NEW);
    assert_eq!(status, StatusCode::OK);
    let csrf = token(&page);
    let wrong =
        format!("csrf={csrf}&endpoint_store=main&account=acct_1&mode=live&signing_secret=sk_live_{SECRET}");
    let (status, _, page) = submit!(app, cookie, NEW, wrong);
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("begins with whsec_") && !page.contains("canary"), "not even to who typed it");
    let right = format!("csrf={csrf}&endpoint_store=main&account=acct_1&mode=live&signing_secret={SECRET}");
    let (status, to, _) = submit!(app, cookie, NEW, right.clone());
    assert_eq!(status, StatusCode::SEE_OTHER);
    let to = to.unwrap();
    let (_, page) = get!(app, cookie, &to);
    let id = to.rsplit('/').next().unwrap();
    assert_eq!(id.len(), 32);
    for shown in
        [format!("{ORIGIN}/hooks/stripe/{id}"), format!("/hooks/stripe/{id}/forwarded"), "acct_1".into()]
    {
        assert!(page.contains(&shown), "{shown}");
    }
    assert!(!page.contains("canary"));
    let (status, list) = get!(app, cookie, "/s/main/settings/endpoints");
    assert!(status == StatusCode::OK && list.contains(id) && !list.contains("canary"));
    for path in [NEW, "/s/main/settings/endpoints"] {
        let answer = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert_ne!(answer.status(), StatusCode::OK, "without a session");
    }
    let (status, ..) = submit!(app, cookie, NEW, right.replace(&csrf, "x"));
    assert_eq!(status, StatusCode::FORBIDDEN, "without the token of the form");
}

#[actix_web::test]
async fn a_secret_is_changed_without_a_gap() {
    let service = with_endpoints().await;
    let cookie = ("cookie", format!("sid={}", "5e".repeat(32)));
    let app = app!(service);
    let here = "/s/main/settings/endpoints/stripe";
    let (_, page) = get!(app, cookie, here);
    let csrf = token(&page);
    let is_taken = || post("/hooks/stripe/stripe", sent("stripe/charge_succeeded")).to_request();
    assert_eq!(call_service(&app, is_taken()).await.status(), StatusCode::OK);
    let end = |id: &str| format!("csrf={csrf}&secret={id}");
    let (status, ..) = submit!(app, cookie, &format!("{here}/secrets/end"), end("stripe-0"));
    assert_eq!(status, StatusCode::CONFLICT, "the last of its kind");
    let second = format!("csrf={csrf}&kind=signing_secret&signing_secret={SECRET}");
    let (status, ..) = submit!(app, cookie, &format!("{here}/secrets"), second);
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(call_service(&app, is_taken()).await.status(), StatusCode::OK, "both are in force");
    let (status, ..) = submit!(app, cookie, &format!("{here}/secrets/end"), end("stripe-0"));
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(
        call_service(&app, is_taken()).await.status(),
        StatusCode::UNAUTHORIZED,
        "the old one is ended"
    );
    let (_, page) = get!(app, cookie, here);
    assert!(page.contains("signature does not fit") && !page.contains("canary"));
    let (status, ..) = submit!(app, cookie, &format!("{here}/state"), format!("csrf={csrf}&on=false"));
    assert_eq!(status, StatusCode::SEE_OTHER);
    let endpoint = service.state.database.webhook_endpoint("stripe").await.unwrap().unwrap();
    assert!(endpoint.disabled_at.is_some_and(|at| at > instant_from_ms(0)));
    let (status, _) = get!(app, cookie, "/s/main/settings/endpoints/nothing");
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn the_pages_of_every_provider_can_be_read_in_both_languages() {
    let service = with_endpoints().await;
    let app = app!(service);
    for language in ["en", "zh-Hans"] {
        let cookie = ("cookie", format!("sid={}; lang={language}", "5e".repeat(32)));
        for provider in ["wechat_pay", "alipay", "stripe", "adyen", "hyperswitch"] {
            let mut paths = vec![format!("/s/main/settings/endpoints/new/{provider}")];
            if provider != "adyen" {
                paths.push(format!("/s/main/settings/endpoints/{provider}"));
            }
            for path in paths {
                let (status, page) = get!(app, cookie, &path);
                assert_eq!(status, StatusCode::OK, "{path}");
                // A key without a text is shown as it is.
                let bare = page
                    .split(['>', '<', '"', ' '])
                    .find(|word| word.starts_with("endpoint-") && !word.contains("secret/"));
                assert_eq!(bare, None, "{path} {language}");
            }
        }
    }
    let (status, _) =
        get!(app, ("cookie", format!("sid={}", "5e".repeat(32))), "/s/main/settings/endpoints/new/paypal");
    assert_eq!(status, StatusCode::NOT_FOUND);
}
