//! The page that says whether the service itself is well.

use actix_web::test::{TestRequest, call_service, read_body};
use chrono::TimeDelta;
use tillwatch::analytics::{Freshness, Snapshot};
use tillwatch::domain::{Stream, Word};
use tillwatch::store::{InboxBatch, TaskRun};

use crate::app;
use crate::service::TestService;

#[actix_web::test]
async fn the_status_page_tells_failing_jobs_backlog_and_freshness_apart() {
    let service = TestService::start().await;
    let app = app!(service);
    let cookie = service.owner().await;
    let state = &service.state;
    let now = state.clock.now();

    let well =
        TaskRun { last_success_at: Some(now - TimeDelta::seconds(3)), ..TaskRun::new("fold", 500, now) };
    let failing = TaskRun {
        failures_in_row: 2,
        last_error: "the <provider> did not answer".into(),
        ..TaskRun::new("notify", 5_000, now)
    };
    for run in [&well, &failing] {
        state.database.replace_task_run(run).await.unwrap();
    }
    let store = state.database.stores().await.unwrap()[0].id;
    let fresh =
        Freshness { last_event: now - TimeDelta::minutes(2), last_received: now - TimeDelta::minutes(1) };
    let freshness = [((store, Stream::Transactions, Word::of("alipay")), fresh)].into();
    state.snapshots.publish(Snapshot { version: 7, folded_at: now, freshness, ..Snapshot::default() });

    let ask = async |uri: &str| {
        let answer =
            call_service(&app, TestRequest::get().uri(uri).insert_header(cookie.clone()).to_request()).await;
        (answer.status().as_u16(), String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    };
    let (status, html) = ask("/s/main/status").await;
    assert_eq!(status, 200);
    for text in [
        "Nothing waits",
        "Take in records</th><td><span class=\"tag good\">Well",
        "<span class=\"tag bad\">Failing</span>",
        "the &#60;provider&#62; did not answer",
        "<th scope=\"row\">总店</th><td>Transactions</td><td>Alipay</td><td>31 Oct 2026 19:58",
    ] {
        assert!(html.contains(text), "{text} is not in\n{html}");
    }
    assert_eq!(ask("/s/nobodys/status").await.0, 404);

    let batch = InboxBatch { stream: Stream::Transactions, rows: 12, arrow_ipc: b"x", received_at: now };
    let seq = state.database.append_group(&[batch], &[]).await.unwrap()[0].1;
    service.clock.advance(TimeDelta::minutes(5));
    let (_, html) = ask("/s/all/status").await;
    assert!(html.contains("<span class=\"tag warn\">Inbox</span> 1 batch with 12 rows wait"), "{html}");

    assert!(state.database.hold_batch(seq, "it cannot be <read>", now).await.unwrap());
    let (_, html) = ask("/s/all/status").await;
    for text in ["Nothing waits", "Set aside</span> Batch", "12 rows", "it cannot be &#60;read&#62;"] {
        assert!(html.contains(text), "{text} is not in\n{html}");
    }
}
