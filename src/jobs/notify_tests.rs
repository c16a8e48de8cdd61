use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::analytics::SnapshotCell;
use crate::domain::{FixedClock, instant_from_ms};
use crate::store::{Database, Outgoing};
use crate::telemetry::Metrics;

/// A stand-in for WeCom that gives these answers one after the other, then `errcode` 0; returns its address and what it got.
async fn stand_in(answers: Vec<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/cgi-bin/webhook/send?key=secret-key", listener.local_addr().unwrap());
    let got = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&got);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 8192];
            // The body ends with the type, its last key in order.
            while !request.ends_with(b"\"msgtype\":\"markdown\"}") {
                let read = stream.read(&mut buffer).await.unwrap();
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&buffer[..read]);
            }
            let text = String::from_utf8(request).unwrap();
            heard.lock().unwrap().push(text.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned());
            let ok = "200 OK|{\"errcode\":0,\"errmsg\":\"ok\"}";
            let (status, body) = answers.next().unwrap_or(ok).split_once('|').unwrap();
            if status != "hang up" {
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (address, got)
}

struct World {
    context: JobContext,
    clock: Arc<FixedClock>,
    channel: i64,
    got: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn with(answers: Vec<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db")).await.unwrap();
        let clock = Arc::new(FixedClock::at(instant_from_ms(1_800_000_000_000)));
        let (url, got) = stand_in(answers).await;
        let now = clock.now();
        let channel = database.replace_channel(None, &url, "zh-Hans", true, now).await.unwrap();
        let context = JobContext {
            database,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            snapshots: Arc::new(SnapshotCell::default()),
            metrics: Arc::new(Metrics::new().unwrap()),
        };
        Self { context, clock, channel, got, _folder: folder }
    }

    async fn post(&self, once: &str, body: &str) {
        let message = Outgoing { channel: self.channel, body: body.to_owned() };
        self.context.database.post_notification(&message, once, self.clock.now()).await.unwrap();
    }

    async fn waiting(&self) -> i64 {
        self.context.database.count_waiting_notifications().await.unwrap()
    }

    fn heard(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

use crate::domain::Clock;

#[tokio::test]
async fn a_message_arrives_once_as_wecom_wants_it() {
    let world = World::with(vec![]).await;
    world.post("1:firing", "**支付宝**").await;
    world.post("1:firing", "**支付宝**").await;
    let notify = Notify::new().unwrap();
    assert_eq!(notify.run(&world.context).await.unwrap().done, 1);
    assert_eq!(notify.run(&world.context).await.unwrap().done, 0);
    assert_eq!(world.waiting().await, 0);
    let heard = world.got.lock().unwrap().clone();
    let body: serde_json::Value = serde_json::from_str(&heard[0]).unwrap();
    assert_eq!(body, serde_json::json!({"msgtype": "markdown", "markdown": {"content": "**支付宝**"}}));
}

#[tokio::test]
async fn what_does_not_get_through_waits_longer_and_longer_and_then_arrives() {
    let world = World::with(vec![
        "500 Internal Server Error|",
        "200 OK|<html>a proxy</html>",
        "hang up|",
        "200 OK|{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}",
    ])
    .await;
    let notify = Notify::new().unwrap();
    world.post("1:firing", "a").await;
    for (tried, pause_s) in [(1, 1), (2, 5), (3, 30), (4, 60)] {
        notify.run(&world.context).await.unwrap();
        assert_eq!((world.heard(), world.waiting().await), (tried, 1));
        // Not before its time.
        world.clock.advance(TimeDelta::milliseconds(pause_s * 1_000 - 1));
        notify.run(&world.context).await.unwrap();
        assert_eq!(world.heard(), tried);
        world.clock.advance(TimeDelta::seconds(pause_s / 5 + 1));
    }
    assert_eq!(notify.run(&world.context).await.unwrap().done, 1);
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test]
async fn a_removed_robot_is_not_asked_again_and_its_error_holds_no_key() {
    let world = World::with(vec!["200 OK|{\"errcode\":93000,\"errmsg\":\"invalid webhook url\"}"]).await;
    let notify = Notify::new().unwrap();
    world.post("1:firing", "a").await;
    notify.run(&world.context).await.unwrap();
    world.clock.advance(TimeDelta::hours(1));
    notify.run(&world.context).await.unwrap();
    assert_eq!((world.heard(), world.waiting().await), (1, 0));
    let channel = world.context.database.channels().await.unwrap().remove(0);
    assert_eq!(channel.last_error, "errcode 93000: invalid webhook url");
    // Nobody there at all: the reason names no address either.
    let client = wecom::client().unwrap();
    let error = wecom::send(&client, "http://127.0.0.1:1/send?key=secret-key", "a").await.unwrap_err();
    assert!(!error.to_string().contains("secret-key") && !error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_robot_takes_twenty_messages_a_minute() {
    let world = World::with(vec![]).await;
    let notify = Notify::new().unwrap();
    for nth in 0..25 {
        world.post(&format!("{nth}:firing"), "a").await;
    }
    assert_eq!(notify.run(&world.context).await.unwrap().done, 20);
    assert_eq!(notify.run(&world.context).await.unwrap().done, 0);
    world.clock.advance(TimeDelta::seconds(61));
    assert_eq!(notify.run(&world.context).await.unwrap().done, 5);
}

#[tokio::test]
async fn a_day_old_message_is_given_up() {
    let world = World::with(vec!["500 Internal Server Error|"; 9]).await;
    let notify = Notify::new().unwrap();
    world.post("1:firing", "a").await;
    world.clock.advance(TimeDelta::hours(24));
    notify.run(&world.context).await.unwrap();
    assert_eq!((world.heard(), world.waiting().await), (1, 0));
}
