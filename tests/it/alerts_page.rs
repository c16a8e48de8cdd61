//! The pages of alerts: who sees what, taking one on, the robot.

use actix_web::test::{TestRequest, call_service, read_body};
use chrono::TimeDelta;
use tillwatch::alerts::{
    AlertKind, AlertState, Change, Episode, Evidence, Loss, Scope, Severity, Step, Surprise,
};
use tillwatch::domain::{Clock, Currency, StoreId, Word};

use crate::app;
use crate::service::{ORIGIN, TestService};

/// Alipay of the first store fails since an hour ago.
async fn plant(service: &TestService) -> i64 {
    let now = service.clock.now();
    let onset_at = now - TimeDelta::hours(1);
    let store = service.state.database.stores().await.unwrap()[0].id;
    let episode = Episode {
        id: 0,
        scope: Scope {
            kind: AlertKind::SuccessRateDrop,
            store: Some(store),
            provider: Word::of("alipay"),
            subject: String::new(),
        },
        state: AlertState::Firing,
        severity: Severity::Critical,
        onset_at,
        pending_at: onset_at,
        fired_at: Some(onset_at),
        resolved_at: None,
        evaluated_at: now,
        rounds: 2,
        calm_since: None,
        frozen: false,
        found_late: false,
        loss: Some(Loss { minor: 420_000, currency: Currency::CNY }),
        evidence: Evidence::SuccessRateDrop {
            from: onset_at,
            until: now,
            failed: 62,
            of: 100,
            usual: 3.0,
            surprise: Surprise::new(40.0, 1_000.0, 0.02),
            hours: Vec::new(),
        },
        acknowledged: None,
    };
    let elsewhere =
        Episode { scope: Scope { store: Some(StoreId(99)), ..episode.scope.clone() }, ..episode.clone() };
    let changes = [episode, elsewhere].map(|episode| Change { episode, step: Step::Firing });
    service.state.database.commit_evaluation(&changes, &[], now, &|_| Vec::new()).await.unwrap();
    let known = service.state.database.episodes_since(now).await.unwrap();
    known.iter().find(|one| one.scope.store == Some(store)).unwrap().id
}

/// The token of the page's forms.
fn csrf_of(body: &str) -> String {
    let at = body.find("name=\"csrf\" value=\"").unwrap() + 19;
    body[at..].split('"').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_firing_alert_is_shown_taken_on_and_exported_and_no_other_stores() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let id = plant(&service).await;
    let app = app!(service);
    let page = async |path: &str| {
        let request = TestRequest::get().uri(path).insert_header(cookie.clone()).to_request();
        let answer = call_service(&app, request).await;
        let status = answer.status().as_u16();
        (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    };
    let (status, list) = page("/s/main/alerts").await;
    assert_eq!(status, 200);
    assert!(list.contains("Alipay success fell from 97.0% to 38.0%"), "{list}");
    assert_eq!(list.matches("<article").count(), 1);
    assert!(list.contains("<span class=\"badge\">1"), "the navigation counts it");

    let (_, detail) = page(&format!("/s/main/alerts/{id}")).await;
    let csrf = csrf_of(&detail);
    let form = format!("csrf={csrf}&reason=calling+Alipay&hours=8");
    let request = TestRequest::post()
        .uri(&format!("/s/main/alerts/{id}/acknowledge"))
        .insert_header(cookie.clone())
        .insert_header(("origin", ORIGIN))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(form)
        .to_request();
    assert_eq!(call_service(&app, request).await.status(), 303);
    let (_, list) = page("/s/all/alerts").await;
    assert!(list.contains("Wang has it. calling Alipay"), "{list}");
    assert!(!list.contains("class=\"badge\""));
    let (_, detail) = page(&format!("/s/main/alerts/{id}")).await;
    assert!(detail.contains("Wang: calling Alipay"), "the timeline tells it");

    let (status, csv) = page("/s/main/alerts.csv").await;
    assert_eq!(status, 200);
    let line = csv.lines().nth(1).unwrap();
    assert!(
        line.contains("success_rate_drop,main,alipay,,critical,firing,2026-10-31T19:00:00+08:00"),
        "{line}"
    );
    assert!(line.contains("4200.00,420000,CNY,Wang"), "{line}");
    assert_eq!(page("/s/main/alerts/999").await.0, 404);
    assert_eq!(
        page(&format!("/s/main/alerts/{}", id + 1)).await.0,
        404,
        "another store's alert is not there"
    );
}

#[actix_web::test]
async fn a_robots_address_is_checked_kept_and_never_shown() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let get = async || {
        let request =
            TestRequest::get().uri("/s/main/alerts/robot").insert_header(cookie.clone()).to_request();
        String::from_utf8(read_body(call_service(&app, request).await).await.to_vec()).unwrap()
    };
    let csrf = csrf_of(&get().await);
    let post = async |path: &str, fields: &str| {
        let request = TestRequest::post()
            .uri(path)
            .insert_header(cookie.clone())
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(format!("csrf={csrf}&{fields}"))
            .to_request();
        call_service(&app, request).await.status().as_u16()
    };
    let robot = "/s/main/alerts/robot";
    assert_eq!(post(robot, "address=http%3A%2F%2F169.254.169.254%2F&language=en").await, 422);
    let good = "address=https%3A%2F%2Fqyapi.weixin.qq.com%2Fcgi-bin%2Fwebhook%2Fsend%3Fkey%3D693a91f6-secret";
    assert_eq!(post(robot, &format!("{good}&language=zh-Hans&daily=1")).await, 303);
    let shown = get().await;
    assert!(shown.contains("qyapi.weixin.qq.com …et") && !shown.contains("693a91f6"), "{shown}");
    // Without an address the options change and the robot stays.
    assert_eq!(post(robot, "address=&language=en").await, 303);
    let channel = service.state.database.channels().await.unwrap().remove(0);
    assert!(channel.url.ends_with("693a91f6-secret") && channel.language == "en" && !channel.daily_report);
    assert_eq!(post("/s/main/alerts/robot/test", "").await, 303);
    assert_eq!(service.state.database.count_waiting_notifications().await.unwrap(), 1);
    assert_eq!(post("/s/main/alerts/robot/remove", "").await, 303);
    assert!(service.state.database.channels().await.unwrap().is_empty());
    assert_eq!(service.state.database.count_waiting_notifications().await.unwrap(), 0);
}
