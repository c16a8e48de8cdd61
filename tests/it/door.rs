//! The door: who comes in, who does not.

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service};
use chrono::TimeDelta;
use tillwatch::domain::{Clock, Role, StoreSet};
use tillwatch::store::{PersonDraft, StoreDraft};
use tillwatch::web::door::token_hash;

use crate::app;
use crate::service::{ORIGIN, PASSWORD, TestService};

const TOKEN: &str = "setup-token-of-a-test";

/// The header of a form sent from our own page.
const OWN_PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn body_of<B: MessageBody>(answer: ServiceResponse<B>) -> String {
    let Ok(bytes) = actix_web::body::to_bytes(answer.into_body()).await else { panic!("no body") };
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A form sent from one of our own pages.
fn form(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    TestRequest::post().uri(path).insert_header(OWN_PAGE).set_form(fields)
}

fn header<'a, B>(answer: &'a ServiceResponse<B>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The session's cookie of an answer.
fn cookie_of<B>(answer: &ServiceResponse<B>) -> (&'static str, String) {
    ("cookie", header(answer, "set-cookie").split(';').next().unwrap().to_owned())
}

/// The token of the forms on a page.
fn csrf_of(html: &str) -> String {
    let after = html.split_once("name=\"csrf\" value=\"").expect("a form with a token").1;
    after.split('"').next().unwrap().to_owned()
}

const SETUP: [(&str, &str); 12] = [
    ("token", TOKEN),
    ("name", "Wang"),
    ("email", "Owner@Example.com"),
    ("password", PASSWORD),
    ("organisation", "Tea & Co"),
    ("store_name", "总店"),
    ("slug", "main"),
    ("zone", "Asia/Shanghai"),
    ("cut_off", "04:00"),
    ("week_start", "0"),
    ("currency", "CNY"),
    ("language", "zh-Hans"),
];

/// A service whose set-up link is `/setup?token=…` with [`TOKEN`].
async fn fresh() -> TestService {
    let service = TestService::start().await;
    let ends_at = service.state.clock.now() + TimeDelta::minutes(30);
    service.state.database.put_setup_token(&token_hash(TOKEN), ends_at).await.unwrap();
    service
}

#[actix_web::test]
async fn the_set_up_link_works_once_and_then_is_not_there() {
    let service = fresh().await;
    let app = app!(service);
    let link = format!("/setup?token={TOKEN}");
    let get = |uri: &str| TestRequest::get().uri(uri).to_request();
    assert_eq!(call_service(&app, get("/setup?token=wrong")).await.status(), 404);
    assert_eq!(call_service(&app, get("/setup")).await.status(), 404);
    let page = body_of(call_service(&app, get(&link)).await).await;
    assert!(page.contains("action=\"/setup\""), "{page}");

    let cross_site = TestRequest::post().uri("/setup").insert_header(("sec-fetch-site", "cross-site"));
    assert_eq!(call_service(&app, cross_site.set_form(SETUP).to_request()).await.status(), 403);
    let mut wrong = SETUP;
    wrong[3].1 = "short";
    wrong[7].1 = "Mars/Olympus";
    let answer = call_service(&app, form("/setup", &wrong).to_request()).await;
    assert_eq!(answer.status(), 422);
    let page = body_of(answer).await;
    assert!(page.contains("href=\"#zone\"") && page.contains("href=\"#password\""), "{page}");
    assert!(
        page.contains("Tea &#38; Co") && !page.contains("short\""),
        "what was typed is kept, but no password"
    );

    let answer = call_service(&app, form("/setup", &SETUP).to_request()).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, "/s/main/overview"));
    let home =
        call_service(&app, TestRequest::get().uri("/").insert_header(cookie_of(&answer)).to_request()).await;
    assert_eq!(header(&home, "location"), "/s/main/overview");
    assert_eq!(call_service(&app, get(&link)).await.status(), 404);
    assert_eq!(call_service(&app, form("/setup", &SETUP).to_request()).await.status(), 404);
}

#[actix_web::test]
async fn the_set_up_link_ends_after_half_an_hour() {
    let service = fresh().await;
    let app = app!(service);
    service.clock.advance(TimeDelta::minutes(30));
    let request = TestRequest::get().uri(&format!("/setup?token={TOKEN}")).to_request();
    assert_eq!(call_service(&app, request).await.status(), 404);
}

#[actix_web::test]
async fn signing_in_takes_the_right_password_and_a_page_of_our_own() {
    let service = TestService::start().await;
    service.owner().await;
    let app = app!(service);
    let fields =
        |password| [("email", "OWNER@example.com "), ("password", password), ("next", "//evil.example")];
    let wrong = call_service(&app, form("/login", &fields("not the right one")).to_request()).await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().get("set-cookie").is_none());
    let foreign = TestRequest::post().uri("/login").insert_header(("origin", "https://evil.example"));
    assert_eq!(call_service(&app, foreign.set_form(fields(PASSWORD)).to_request()).await.status(), 403);
    let own = TestRequest::post().uri("/login").insert_header(("origin", ORIGIN));
    let right = call_service(&app, own.set_form(fields(PASSWORD)).to_request()).await;
    assert_eq!((right.status().as_u16(), header(&right, "location")), (303, "/"), "led nowhere else");
    let cookie = header(&right, "set-cookie");
    assert!(cookie.starts_with("sid=") && cookie.contains("HttpOnly; SameSite=Lax; Path=/"), "{cookie}");
}

#[actix_web::test]
async fn with_https_the_cookie_is_held_to_this_host() {
    let service =
        TestService::configured(|config| config.public_origin = "https://till.example.com".into()).await;
    service.owner().await;
    let app = app!(service);
    let fields = [("email", "owner@example.com"), ("password", PASSWORD)];
    let answer = call_service(&app, form("/login", &fields).to_request()).await;
    let cookie = header(&answer, "set-cookie");
    assert!(cookie.starts_with("__Host-sid=") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(header(&answer, "strict-transport-security"), "max-age=63072000; includeSubDomains");
}

#[actix_web::test]
async fn the_sixth_try_on_one_account_is_refused_even_when_it_is_right() {
    let service = TestService::start().await;
    service.owner().await;
    let app = app!(service);
    for n in 0..5 {
        let fields = [("email", "owner@example.com"), ("password", "wrong")];
        assert_eq!(call_service(&app, form("/login", &fields).to_request()).await.status(), 401, "{n}");
    }
    let fields = [("email", "owner@example.com"), ("password", PASSWORD)];
    let answer = call_service(&app, form("/login", &fields).to_request()).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "retry-after"), "180");
}

#[actix_web::test]
async fn signing_out_needs_the_token_of_the_form_and_ends_the_session_on_the_server() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let home = || TestRequest::get().uri("/").insert_header(cookie.clone()).to_request();
    for token in ["", "0000"] {
        let request = form("/logout", &[("csrf", token)]).insert_header(cookie.clone());
        assert_eq!(call_service(&app, request.to_request()).await.status(), 403);
    }
    let error = TestRequest::get().uri("/account").insert_header(cookie.clone()).to_request();
    let token = csrf_of(&body_of(call_service(&app, error).await).await);
    let cross_site = TestRequest::post()
        .uri("/logout")
        .insert_header(("sec-fetch-site", "same-site"))
        .insert_header(cookie.clone())
        .set_form([("csrf", &token)]);
    assert_eq!(call_service(&app, cross_site.to_request()).await.status(), 403, "with the right token");
    assert_eq!(header(&call_service(&app, home()).await, "location"), "/s/main/overview");
    let request = form("/logout", &[("csrf", &token)]).insert_header(cookie.clone());
    let answer = call_service(&app, request.to_request()).await;
    assert_eq!(header(&answer, "location"), "/login");
    assert!(header(&answer, "set-cookie").contains("Max-Age=0"));
    assert_eq!(
        header(&call_service(&app, home()).await, "location"),
        "/login",
        "the old cookie is worth nothing"
    );
}

#[actix_web::test]
async fn failures_are_pages_for_people_and_problems_for_machines() {
    let service = TestService::start().await;
    let app = app!(service);
    let page = TestRequest::get().uri("/nowhere").insert_header(("accept-language", "zh-CN")).to_request();
    let answer = call_service(&app, page).await;
    assert_eq!(answer.status(), 404);
    let id = header(&answer, "x-request-id").to_owned();
    let html = body_of(answer).await;
    assert!(html.contains("找不到页面") && html.contains(&id), "{html}");
    for path in ["/nowhere.csv", "/api/v1/nowhere"] {
        let answer = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(header(&answer, "content-type"), "application/problem+json; charset=utf-8");
        let problem: serde_json::Value = serde_json::from_str(&body_of(answer).await).unwrap();
        assert_eq!((problem["status"].as_i64(), problem["code"].as_str()), (Some(404), Some("not_found")));
    }
    let wrong_method = TestRequest::delete().uri("/login").to_request();
    let answer = call_service(&app, wrong_method).await;
    assert_eq!(answer.status(), 405);
    assert!(body_of(answer).await.contains("<h1>"));
}

#[actix_web::test]
async fn every_answer_has_the_headers_of_safety() {
    let service = TestService::start().await;
    let app = app!(service);
    let big = "x".repeat(1 << 20);
    for request in [
        TestRequest::get().uri("/login"),
        TestRequest::get().uri("/"),
        TestRequest::get().uri("/nowhere"),
        TestRequest::get().uri("/api/v1/nowhere"),
        TestRequest::get().uri("/healthz"),
        TestRequest::delete().uri("/login"),
        form("/login", &[]),
        form("/login", &[("email", &big)]),
    ] {
        let answer = call_service(&app, request.to_request()).await;
        let policy = header(&answer, "content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("trusted-types 'none'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(header(&answer, name), value, "{name} of {:?}", answer.request().path());
        }
        assert!(answer.headers().get("strict-transport-security").is_none(), "on plain http");
        assert!(answer.headers().get("server").is_none());
    }
}

#[actix_web::test]
async fn a_revoked_session_is_refused() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let account = || TestRequest::get().uri("/account").insert_header(cookie.clone()).to_request();
    let token = csrf_of(&body_of(call_service(&app, account()).await).await);
    let session = service.state.database.people().await.unwrap()[0].id;
    let sessions = service.state.database.sessions_of(session, service.state.clock.now()).await.unwrap();
    let id = sessions[0].id.to_string();
    let fields = [("csrf", token.as_str()), ("session", id.as_str())];
    let request = form("/account/sessions/revoke", &fields).insert_header(cookie.clone()).to_request();
    assert_eq!(header(&call_service(&app, request).await, "location"), "/account");
    let answer = call_service(&app, account()).await;
    assert_eq!(header(&answer, "location"), "/login?next=%2Faccount");
}

#[actix_web::test]
async fn a_new_password_ends_every_other_session() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let account = || TestRequest::get().uri("/account").insert_header(cookie.clone()).to_request();
    let token = csrf_of(&body_of(call_service(&app, account()).await).await);
    let change = |current: &str, password: &str| {
        form("/account/password", &[("csrf", &token), ("current", current), ("password", password)])
            .insert_header(cookie.clone())
            .to_request()
    };
    assert_eq!(
        call_service(&app, change("not the present one", "another good password")).await.status(),
        422
    );
    assert_eq!(call_service(&app, change(PASSWORD, "short")).await.status(), 422);
    let answer = call_service(&app, change(PASSWORD, "another good password")).await;
    assert_eq!(header(&answer, "location"), "/account");
    assert_eq!(call_service(&app, account()).await.status(), 303, "the old session is gone");
    let request = TestRequest::get().uri("/account").insert_header(cookie_of(&answer)).to_request();
    assert_eq!(call_service(&app, request).await.status(), 200);
}

/// What a till gets for its key: the status of a request that needs one.
macro_rules! status_with_key {
    ($app:expr, $authorization:expr) => {{
        let mut request = TestRequest::post().uri("/api/key-probe");
        if let Some(value) = $authorization {
            request = request.insert_header(("authorization", value));
        }
        let answer = call_service(&$app, request.to_request()).await;
        let status = answer.status().as_u16();
        (status, body_of(answer).await)
    }};
}

async fn probe(key: tillwatch::web::door::IngestKey) -> String {
    let slugs: Vec<&str> = key.0.stores().iter().map(|store| store.slug.as_str()).collect();
    format!("{} {}", slugs.join(","), key.0.is_test())
}

/// The service with one more route, which asks for a key that may send records.
macro_rules! app_with_probe {
    ($service:expr) => {
        actix_web::test::init_service(
            actix_web::App::new()
                .app_data(actix_web::web::Data::new($service.state.clone()))
                .wrap(actix_web::middleware::from_fn(tillwatch::web::gate))
                .service(actix_web::web::resource("/api/key-probe").post(probe))
                .configure(tillwatch::web::routes),
        )
        .await
    };
}

#[actix_web::test]
async fn a_key_is_shown_once_works_and_is_refused_from_its_revocation_on() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app_with_probe!(service);
    let page = "/s/main/settings/keys";
    let get = || TestRequest::get().uri(page).insert_header(cookie.clone()).to_request();
    let token = csrf_of(&body_of(call_service(&app, get()).await).await);
    let make = |scope: &str, mode: &str| {
        form(
            page,
            &[("csrf", &token), ("name", "till"), ("scope", scope), ("mode", mode), ("store-main", "on")],
        )
        .insert_header(cookie.clone())
        .to_request()
    };
    let html = body_of(call_service(&app, make("ingest", "test")).await).await;
    let key = html.split("<pre><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(key.starts_with("tw_test_"), "{key}");
    assert!(!body_of(call_service(&app, get()).await).await.contains(&key), "shown twice");

    let bearer = Some(format!("Bearer {key}"));
    assert_eq!(status_with_key!(app, bearer.clone()), (200, "main true".to_owned()));
    let (status, problem) = status_with_key!(app, None::<String>);
    assert!(status == 401 && problem.contains("\"code\":\"key_missing\""), "{problem}");
    let in_address = TestRequest::post().uri(&format!("/api/key-probe?key={key}")).to_request();
    assert_eq!(call_service(&app, in_address).await.status(), 401);
    let mut mistyped = key.clone();
    mistyped.replace_range(20..21, if &key[20..21] == "a" { "b" } else { "a" });
    assert_eq!(status_with_key!(app, Some(format!("Bearer {mistyped}"))).0, 401);
    assert_eq!(status_with_key!(app, Some(format!("Basic {key}"))).0, 401);

    let html = body_of(call_service(&app, make("read", "live")).await).await;
    let read = html.split("<pre><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let (status, problem) = status_with_key!(app, Some(format!("Bearer {read}")));
    assert!(status == 403 && problem.contains("\"code\":\"key_scope\""), "{problem}");

    let fields = [("csrf", token.as_str()), ("key", &key[8..16])];
    let request = form("/s/main/settings/keys/revoke", &fields).insert_header(cookie.clone()).to_request();
    assert_eq!(header(&call_service(&app, request).await, "location"), page);
    assert_eq!(status_with_key!(app, bearer).0, 401, "a revoked key");
}

#[actix_web::test]
async fn stores_and_rates_are_added_and_a_strangers_store_is_not_there() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let get = |path: &str| TestRequest::get().uri(path).insert_header(cookie.clone()).to_request();
    let token = csrf_of(&body_of(call_service(&app, get("/account")).await).await);
    let store = |slug: &str| {
        let mut fields = vec![("csrf", token.as_str())];
        fields.extend(SETUP[5..].iter().copied());
        fields[2].1 = slug;
        form("/s/all/settings/new-store", &fields).insert_header(cookie.clone()).to_request()
    };
    assert_eq!(call_service(&app, store("main")).await.status(), 422, "the slug is taken");
    assert_eq!(header(&call_service(&app, store("bar")).await, "location"), "/s/all/settings");
    assert!(body_of(call_service(&app, get("/s/bar/settings")).await).await.contains(">bar<"));
    for path in ["/s/nobody/settings", "/s/all/settings/stores/nobody", "/s/nobody/settings/keys"] {
        assert_eq!(call_service(&app, get(path)).await.status(), 404, "{path}");
    }
    let rate = |percent: &str| {
        let fields = [
            ("csrf", token.as_str()),
            ("rate_store", "bar"),
            ("provider", "wechat_pay"),
            ("method", ""),
            ("valid_from", "2026-10-01"),
            ("percent", percent),
            ("fixed", ""),
            ("rounding", "half_up"),
        ];
        form("/s/all/settings/rates", &fields).insert_header(cookie.clone()).to_request()
    };
    assert_eq!(call_service(&app, rate("0.00001")).await.status(), 422);
    assert_eq!(call_service(&app, rate("0.6")).await.status(), 303);
    let entry = service.state.database.contract_rates().await.unwrap()[0];
    assert_eq!(entry.rate.rate_ppm, 6_000);
    assert!(body_of(call_service(&app, get("/s/all/settings/rates")).await).await.contains("0.6"));
    let id = entry.id.to_string();
    for (day, status) in [("2026-09-30", 422), ("2026-12-31", 303)] {
        let fields = [("csrf", token.as_str()), ("rate", id.as_str()), ("last_day", day)];
        let request = form("/s/all/settings/rates/end", &fields).insert_header(cookie.clone());
        assert_eq!(call_service(&app, request.to_request()).await.status(), status, "{day}");
    }
}

#[actix_web::test]
async fn a_member_sees_only_their_stores_and_changes_nothing() {
    let service = TestService::start().await;
    service.owner().await;
    let (database, now) = (&service.state.database, service.clock.now());
    let main = database.stores().await.unwrap().remove(0);
    let draft = StoreDraft {
        organisation: main.organisation,
        slug: "bar".into(),
        name: "Secret bar".into(),
        zone: main.zone,
        cut_off: main.cut_off,
        week_start: main.week_start,
        currency: main.currency,
        language: "en".into(),
    };
    database.insert_store(&draft, now).await.unwrap();
    let member = PersonDraft {
        email: "member@example.com".into(),
        name: "Li".into(),
        password_hash: String::new(),
        role: Role::Member,
        stores: StoreSet::of([main.id]),
        language: "en".into(),
    };
    let person = database.insert_person(main.organisation, &member, now).await.unwrap();
    let token = "ab".repeat(32);
    database.insert_session(&token_hash(&token), person, "", now).await.unwrap();
    let cookie = ("cookie", format!("sid={token}"));
    let app = app!(service);
    let get = |path: &str| TestRequest::get().uri(path).insert_header(cookie.clone()).to_request();
    let page = body_of(call_service(&app, get("/s/all/settings")).await).await;
    assert!(
        page.contains("总店") && !page.contains("Secret bar") && !page.contains("settings/keys"),
        "{page}"
    );
    assert_eq!(call_service(&app, get("/s/bar/settings")).await.status(), 404);
    for path in ["/s/all/settings/keys", "/s/main/settings/rates", "/s/all/settings/new-store"] {
        assert_eq!(call_service(&app, get(path)).await.status(), 403, "{path}");
    }
    let csrf = csrf_of(&page);
    let fields = [("csrf", csrf.as_str()), ("name", "x"), ("scope", "ingest"), ("mode", "live")];
    let request = form("/s/main/settings/keys", &fields).insert_header(cookie.clone()).to_request();
    assert_eq!(call_service(&app, request).await.status(), 403);
}
