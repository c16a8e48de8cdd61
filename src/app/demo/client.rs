use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use tokio::sync::watch;

use super::shops::SHOPS;
use super::traffic::{Happening, Traffic};
use super::wire::{event_json, transaction_json};
use crate::domain::{Clock, StoreId};

/// How often the client looks what happened.
const TICK: Duration = Duration::from_secs(1);
/// Records of one request.
const REQUEST_RECORDS_MAX: usize = 500;
/// Records that may wait while the server does not take them; the oldest are let go beyond it.
const WAITING_RECORDS_MAX: usize = 50_000;
/// Longest wait that an answer may ask for.
const RETRY_AFTER_S_MAX: u64 = 60;

/// A client of the public API like any other: it knows an address and a key.
pub struct Client {
    http: reqwest::Client,
    origin: String,
    key: String,
    stores: [StoreId; 3],
    transactions: Lane,
    events: Lane,
}

/// One endpoint and what waits for it.
struct Lane {
    path: &'static str,
    waiting: VecDeque<Value>,
}

impl Lane {
    const fn new(path: &'static str) -> Self {
        Self { path, waiting: VecDeque::new() }
    }

    fn push(&mut self, record: Value) {
        self.waiting.push_back(record);
        if self.waiting.len() > WAITING_RECORDS_MAX {
            self.waiting.pop_front();
        }
    }
}

impl Client {
    /// A client of the service at `origin` (scheme, host, port) with an API key that may send.
    ///
    /// # Errors
    /// When the machine has no TLS set-up that could be used.
    pub fn new(origin: String, key: String, stores: [StoreId; 3]) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        let transactions = Lane::new("/api/v1/transactions");
        let events = Lane::new("/api/v1/checkout-events");
        Ok(Self { http, origin, key, stores, transactions, events })
    }

    /// Sends traffic until told to stop.
    pub async fn run(mut self, mut traffic: Traffic, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
        loop {
            for happening in traffic.until(clock.now()) {
                self.note(&happening);
            }
            let pause = self.send_all().await;
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn note(&mut self, happening: &Happening) {
        match happening {
            Happening::Transaction(one) => {
                let record = transaction_json(one, self.slug(one.store));
                self.transactions.push(record);
            }
            Happening::Event(one) => {
                let record = event_json(one, self.slug(one.store));
                self.events.push(record);
            }
        }
    }

    fn slug(&self, store: StoreId) -> &'static str {
        let place = self.stores.iter().position(|one| *one == store).unwrap_or(0);
        SHOPS[place].slug
    }

    /// Sends what waits; says how long to pause.
    async fn send_all(&mut self) -> Duration {
        for lane in [&mut self.transactions, &mut self.events] {
            while !lane.waiting.is_empty() {
                let count = lane.waiting.len().min(REQUEST_RECORDS_MAX);
                let batch: Vec<&Value> = lane.waiting.iter().take(count).collect();
                let request = self.http.post(format!("{}{}", self.origin, lane.path)).bearer_auth(&self.key);
                match request.json(&batch).send().await {
                    Ok(answer) => {
                        if let Some(delay) = delay_of(lane.path, answer).await {
                            return delay;
                        }
                        lane.waiting.drain(..count);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the demo's client could not send, it tries again");
                        return TICK * 2;
                    }
                }
            }
        }
        TICK
    }
}

/// `None` when the batch is done with: taken, or refused for good.
async fn delay_of(path: &str, answer: reqwest::Response) -> Option<Duration> {
    let status = answer.status();
    let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    if busy {
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        return Some(Duration::from_secs(asked.unwrap_or(2).clamp(1, RETRY_AFTER_S_MAX)));
    }
    let body: Value = answer.json().await.unwrap_or_default();
    let rejected = body.get("rejected").and_then(Value::as_u64).is_some_and(|count| count > 0);
    if !status.is_success() || rejected {
        tracing::warn!(path, %status, %body, "the demo's own records were refused");
    }
    None
}
