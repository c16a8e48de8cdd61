//! The load: many connections that send batch after batch and note what was answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::rig::Served;

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The pause after a refusal or a broken connection.
const PAUSE: Duration = Duration::from_millis(20);

/// Senders at work.
pub struct Load {
    tasks: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    pub answers: Arc<Answers>,
}

/// What was answered, by status; 0 stands for no answer at all.
#[derive(Default)]
pub struct Answers {
    by_status: Mutex<BTreeMap<u16, u64>>,
    accepted: AtomicU64,
}

impl Answers {
    /// Batches accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn by_status(&self) -> BTreeMap<u16, u64> {
        self.by_status.lock().unwrap().clone()
    }

    /// Answers with a status that no sender should ever see: neither taken nor "try again later".
    pub fn unexpected(&self) -> u64 {
        let known = [0, 200, 429, 503, 507];
        self.by_status().iter().filter(|(status, _)| !known.contains(status)).map(|(_, count)| count).sum()
    }

    /// How long after `begun` one more batch than now is accepted; `None` when that takes longer than `within`.
    pub async fn next_accepted(&self, begun: Instant, within: Duration) -> Option<Duration> {
        let before = self.accepted();
        while begun.elapsed() < within {
            if self.accepted() > before {
                return Some(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

impl Load {
    /// Starts this many senders against a server.
    pub fn start(served: &Served, key: &str, ledger: &Arc<Ledger>, senders: u64, dice: &mut Dice) -> Self {
        let (stop, answers) = (Arc::<AtomicBool>::default(), Arc::<Answers>::default());
        let tasks = (0..senders)
            .map(|_| {
                let sender = Sender {
                    client: reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build().unwrap(),
                    url: format!("{}/api/v1/transactions", served.origin),
                    key: key.to_owned(),
                    ledger: Arc::clone(ledger),
                    answers: Arc::clone(&answers),
                    stop: Arc::clone(&stop),
                    dice: Dice::new(dice.roll()),
                };
                tokio::spawn(sender.run())
            })
            .collect();
        Self { tasks, stop, answers }
    }

    /// Waits until so many batches were accepted, or for so long.
    pub async fn until_accepted(&self, batches: u64, at_most: Duration) {
        let begun = Instant::now();
        while self.answers.accepted() < batches && begun.elapsed() < at_most {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets every sender end after its present batch.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

struct Sender {
    client: reqwest::Client,
    url: String,
    key: String,
    ledger: Arc<Ledger>,
    answers: Arc<Answers>,
    stop: Arc<AtomicBool>,
    dice: Dice,
}

impl Sender {
    async fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let batch = self.ledger.next_batch(&mut self.dice);
            let status = self.send(batch).await;
            *self.answers.by_status.lock().unwrap().entry(status).or_default() += 1;
            if status == 200 {
                self.ledger.answered(batch);
                self.answers.accepted.fetch_add(1, Ordering::Relaxed);
            } else {
                self.ledger.unanswered(batch);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The status of the answer; 0 when it did not come, or not whole.
    async fn send(&self, batch: usize) -> u16 {
        let request = self
            .client
            .post(&self.url)
            .bearer_auth(&self.key)
            .header("content-type", "application/x-ndjson")
            .body(self.ledger.body(batch));
        let Ok(answer) = request.send().await else { return 0 };
        let status = answer.status().as_u16();
        if status != 200 {
            return status;
        }
        // The head came, the rest may not have: only a whole answer counts.
        let Ok(body) = answer.json::<Value>().await else { return 0 };
        assert_eq!(body["accepted"], self.ledger.rows_per_batch, "a good batch was not taken whole: {body}");
        200
    }
}
