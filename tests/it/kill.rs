//! Killed again and again while records come in: what was acknowledged is there, once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tillwatch::analytics::{Grains, SnapshotCell};
use tillwatch::domain::{Clock, Stream, SystemClock};
use tillwatch::jobs::{Fold, Job, JobContext, rebuild_rollups};
use tillwatch::lake::{FileSet, Lake};
use tillwatch::store::Database;
use tillwatch::telemetry::Metrics;

use crate::live::Installation;

const KILLS: u64 = 20;
const SENDERS: usize = 4;
/// Kills come this long after the senders begin, at the earliest and at the latest.
const KILL_AFTER_MS: (u64, u64) = (60, 500);

/// What is wrong with `found`, given what was acknowledged and what was ever sent: lost, doubled, never sent.
fn faults(acknowledged: &BTreeSet<String>, sent: &BTreeSet<String>, found: &[String]) -> Vec<String> {
    let distinct: BTreeSet<&String> = found.iter().collect();
    let mut faults = Vec::new();
    faults.extend(acknowledged.iter().filter(|id| !distinct.contains(id)).map(|id| format!("{id} is lost")));
    faults.extend(distinct.iter().filter(|id| !sent.contains(**id)).map(|id| format!("{id} was never sent")));
    if distinct.len() != found.len() {
        faults.push(format!("{} rows are there twice", found.len() - distinct.len()));
    }
    faults
}

#[test]
fn the_checker_sees_a_planted_loss_and_a_planted_double() {
    let ids_of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let (acknowledged, sent) = (ids_of(&["a", "b"]), ids_of(&["a", "b", "c"]));
    assert!(faults(&acknowledged, &sent, &list(&["a", "b"])).is_empty());
    assert!(
        faults(&acknowledged, &sent, &list(&["a", "b", "c"])).is_empty(),
        "an unknown outcome may be there"
    );
    assert_eq!(faults(&acknowledged, &sent, &list(&["a"])), ["b is lost"]);
    assert_eq!(faults(&acknowledged, &sent, &list(&["a", "b", "b"])), ["1 rows are there twice"]);
    assert_eq!(faults(&acknowledged, &sent, &list(&["a", "b", "d"])), ["d was never sent"]);
}

/// What all senders did, over all lives of the server.
#[derive(Default)]
struct Ledger {
    sent: Mutex<BTreeSet<String>>,
    acknowledged: Mutex<BTreeSet<String>>,
    /// Batches without an answer: sent again to the next life, as a sender should.
    unanswered: Mutex<Vec<Vec<String>>>,
    next: AtomicU64,
}

impl Ledger {
    fn batch(&self) -> Vec<String> {
        if let Some(again) = self.unanswered.lock().unwrap().pop() {
            return again;
        }
        let first = self.next.fetch_add(40, Ordering::Relaxed);
        let ids: Vec<String> = (first..first + 1 + first / 40 % 40).map(|n| format!("t{n:07}")).collect();
        self.sent.lock().unwrap().extend(ids.iter().cloned());
        ids
    }
}

fn row(id: &str, created_at: &str) -> Value {
    json!({"transaction_id": id, "created_at": created_at, "status": "succeeded", "amount": 100, "currency": "CNY",
        "provider": "alipay", "order_id": format!("o-{id}")})
}

/// Sends batch after batch until the server does not answer.
async fn send_until_it_dies(
    client: reqwest::Client,
    url: String,
    key: String,
    at: String,
    ledger: Arc<Ledger>,
) {
    loop {
        let ids = ledger.batch();
        let rows: Vec<Value> = ids.iter().map(|id| row(id, &at)).collect();
        match client.post(&url).bearer_auth(&key).json(&rows).send().await {
            Ok(answer) if answer.status() == 200 => {
                let body: Value = answer.json().await.unwrap_or_default();
                // The head came, the rest may not have: only a whole answer counts.
                if body["accepted"] == ids.len() {
                    ledger.acknowledged.lock().unwrap().extend(ids);
                } else {
                    ledger.unanswered.lock().unwrap().push(ids);
                    return;
                }
            }
            Ok(answer) => {
                let status = answer.status();
                ledger.unanswered.lock().unwrap().push(ids);
                assert!(status == 429 || status == 503, "answered {status}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(_) => {
                ledger.unanswered.lock().unwrap().push(ids);
                return;
            }
        }
    }
}

/// The ids of every counted row, after the last fold; also asserts that rollups equal a rebuild.
async fn ids_in_lake(installation: &Installation) -> Vec<String> {
    let database = Database::open(installation.address.clone()).await.unwrap();
    let lake = Lake::open(&installation.path().join("lake")).unwrap();
    let snapshots = Arc::new(SnapshotCell::new(database.load_snapshot().await.unwrap()));
    let context = JobContext {
        database: database.clone(),
        clock: Arc::new(SystemClock),
        snapshots: Arc::clone(&snapshots),
        metrics: Arc::new(Metrics::new().unwrap()),
    };
    let fold = Fold::new(lake.clone());
    while fold.run(&context).await.unwrap().done > 0 {}
    let snapshot = snapshots.current();
    let stores = database.stores().await.unwrap();
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let rebuilt = rebuild_rollups(&lake, &snapshot, &grains).unwrap();
    let kept: std::collections::BTreeMap<_, _> = snapshot
        .rollups
        .iter()
        .flat_map(|(store, days)| days.iter().map(|(day, block)| ((*store, *day), (**block).clone())))
        .collect();
    assert_eq!(kept, rebuilt);
    let mut ids = Vec::new();
    for ((stream, _), files) in &snapshot.files {
        for file in
            files.iter().filter(|file| *stream == Stream::Transactions && file.file_set == FileSet::Current)
        {
            let frame = lake.read(file, Some(&["transaction_id"])).unwrap();
            let column = frame.data().column("transaction_id").unwrap().str().unwrap().clone();
            ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_acknowledged_and_double_nothing() {
    let installation = Installation::make().await;
    let ledger = Arc::<Ledger>::default();
    let at = (SystemClock.now() - chrono::TimeDelta::hours(1)).to_rfc3339();
    let mut lives_with_answers = 0;
    for life in 0..KILLS {
        let server = installation.serve();
        let url = format!("{}/api/v1/transactions", server.origin);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let before = ledger.acknowledged.lock().unwrap().len();
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (url, key, at) = (url.clone(), installation.key.clone(), at.clone());
                tokio::spawn(send_until_it_dies(client.clone(), url, key, at, Arc::clone(&ledger)))
            })
            .collect();
        // Spread over the span, the same in every run; the rest of the timing is the machine's.
        let spread = (life * 7 % KILLS) * (KILL_AFTER_MS.1 - KILL_AFTER_MS.0) / KILLS;
        tokio::time::sleep(Duration::from_millis(KILL_AFTER_MS.0 + spread)).await;
        drop(server);
        for sender in senders {
            sender.await.unwrap();
        }
        lives_with_answers += u64::from(ledger.acknowledged.lock().unwrap().len() > before);
    }
    let found = ids_in_lake(&installation).await;
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    let sent = ledger.sent.lock().unwrap().clone();
    println!(
        "{KILLS} kills: {} sent, {} acknowledged, {} found",
        sent.len(),
        acknowledged.len(),
        found.len()
    );
    assert!(lives_with_answers >= KILLS / 2, "only {lives_with_answers} lives answered: nothing was proven");
    assert_eq!(faults(&acknowledged, &sent, &found), Vec::<String>::new());
}
