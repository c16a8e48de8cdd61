//! Damaged files (R11): no number is made from a file that is not as it was written. One bit, a cut end, a block of
//! zeros, two files in each other's place, one file twice, a missing file: an answer is right, or says that it is not
//! whole, or fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use actix_web::test::{TestRequest, call_service};
use tillwatch::domain::{KeyMode, KeyScope, OrganisationId, Sabotage, StoreSet, Stream};
use tillwatch::jobs::{Fold, Job, JobContext};
use tillwatch::lake::{FileSet, Lake};
use tillwatch::store::ApiKeyRecord;
use tillwatch::web::AppState;

use crate::app;
use crate::dice::Dice;
use crate::service::TestService;

/// What is asked after each damage: pages and files that rollups answer, and such that only rows can answer. Some of
/// all days, some of a part of them: two files that change places change nothing for all days together.
const QUESTIONS: [&str; 7] = [
    "overview.csv?period=custom&from=2026-10-21&to=2026-10-30",
    "overview.csv?by=attr.country&period=custom&from=2026-10-21&to=2026-10-25",
    "fees.csv?attr.country=France&period=custom&from=2026-10-26&to=2026-10-30",
    "categories.csv?operator=ann&period=custom&from=2026-10-21&to=2026-10-30",
    "transactions.csv?period=custom&from=2026-10-21&to=2026-10-30",
    "transactions?period=custom&from=2026-10-21&to=2026-10-30",
    "customers.csv?period=custom&from=2026-10-21&to=2026-10-30",
];

#[derive(Clone, Debug)]
pub struct Damage {
    pub mutations: u64,
    pub seed: u64,
    pub sabotage: Sabotage,
}

/// What was answered from damaged files.
#[derive(Debug, Default)]
pub struct Answers {
    pub right: u64,
    pub failed: u64,
    pub partial: u64,
    /// Wrong, and said as if it were right.
    pub wrong: Vec<String>,
    /// Mutations that no answer told of, though one needed the file.
    pub unnoticed: Vec<String>,
}

impl Answers {
    pub fn is_clean(&self) -> bool {
        self.wrong.is_empty() && self.unnoticed.is_empty()
    }
}

/// One way to damage a file.
#[derive(Clone, Copy, Debug)]
enum Mutation {
    BitFlipped,
    Truncated,
    BlockZeroed,
    Swapped,
    /// Another file's bytes: readable, and not what the manifest means.
    Replaced,
    Missing,
}

const MUTATIONS: [Mutation; 6] = [
    Mutation::BitFlipped,
    Mutation::Truncated,
    Mutation::BlockZeroed,
    Mutation::Swapped,
    Mutation::Replaced,
    Mutation::Missing,
];

impl Mutation {
    /// What becomes of these bytes; `None` when the file is gone.
    fn of(self, bytes: &[u8], other: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
        let mut damaged = bytes.to_vec();
        let place = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
        match self {
            Self::BitFlipped => damaged[place] ^= 1 << dice.below(8),
            Self::Truncated => damaged.truncate(place),
            Self::BlockZeroed => {
                let end = (place + 4096).min(bytes.len());
                damaged[place..end].fill(0);
                if damaged == bytes {
                    damaged[place] = 0xff;
                }
            }
            Self::Swapped | Self::Replaced => damaged = other.to_vec(),
            Self::Missing => return None,
        }
        Some(damaged)
    }
}

/// A shop with some days of payments, and the right answers.
struct Shop {
    service: TestService,
    owner: (&'static str, String),
    right: Vec<Vec<u8>>,
    files: Vec<PathBuf>,
}

impl Damage {
    pub async fn run(&self) -> Answers {
        let begun = Instant::now();
        let shop = Shop::open().await;
        let mut dice = Dice::new(self.seed);
        let mut answers = Answers::default();
        for number in 0..self.mutations {
            let mutation = *dice.pick(&MUTATIONS);
            let path = dice.pick(&shop.files).clone();
            let other = shop.files.iter().find(|other| **other != path).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let other_bytes = std::fs::read(other).unwrap();
            put(&path, mutation.of(&bytes, &other_bytes, &mut dice).as_deref());
            if matches!(mutation, Mutation::Swapped) {
                put(other, Some(&bytes));
            }
            let what = format!("mutation {number}, {mutation:?} of {}", path.display());
            shop.judge(self.sabotage, &what, &mut answers).await;
            put(&path, Some(&bytes));
            put(other, Some(&other_bytes));
        }
        println!(
            "RESULT damage: {} mutations, {} answers right, {} failed, {} partial, {} wrong, {} mutations unnoticed, \
             seed {}, {:.0} s",
            self.mutations,
            answers.right,
            answers.failed,
            answers.partial,
            answers.wrong.len(),
            answers.unnoticed.len(),
            self.seed,
            begun.elapsed().as_secs_f64()
        );
        answers
    }
}

fn put(path: &Path, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        None => std::fs::remove_file(path).unwrap(),
    }
}

impl Shop {
    async fn open() -> Self {
        let service = TestService::start().await;
        let owner = service.owner().await;
        send_rows(&service).await;
        let state = &service.state;
        let context = JobContext {
            database: state.database.clone(),
            clock: Arc::clone(&state.clock),
            snapshots: Arc::clone(&state.snapshots),
            metrics: Arc::clone(&state.metrics),
        };
        let fold = Fold::new(state.lake.as_ref().clone());
        while fold.run(&context).await.unwrap().done > 0 {}
        let snapshot = state.snapshots.current();
        let files: Vec<PathBuf> = snapshot
            .files
            .iter()
            .filter(|((stream, _), _)| *stream == Stream::Transactions)
            .flat_map(|(_, files)| files.iter().filter(|file| file.file_set == FileSet::Current))
            .map(|file| state.lake.root().join(&file.path))
            .collect();
        assert!(files.len() > 5, "{files:?}");
        let mut shop = Self { service, owner, right: Vec::new(), files };
        let (first, second) = (shop.ask(Sabotage::default()).await, shop.ask(Sabotage::default()).await);
        for (question, (first, second)) in QUESTIONS.iter().zip(first.into_iter().zip(second)) {
            assert_eq!(first.0, 200, "{question}: {}", String::from_utf8_lossy(&first.1));
            assert_eq!(first, second, "{question} changes by itself");
            println!(
                "{question}\n{}",
                String::from_utf8_lossy(&first.1).chars().take(1500).collect::<String>()
            );
            shop.right.push(first.1);
        }
        shop
    }

    /// All answers, of a process that has not read any file yet: status and body.
    async fn ask(&self, sabotage: Sabotage) -> Vec<(u16, Vec<u8>)> {
        let lake = Lake::open(self.service.state.lake.root()).unwrap().breaking(sabotage);
        let fresh = Fresh { state: AppState { lake: Arc::new(lake), ..self.service.state.clone() } };
        let app = app!(fresh);
        let mut answers = Vec::new();
        for question in QUESTIONS {
            let request = TestRequest::with_uri(&format!("/s/main/{question}"))
                .insert_header(self.owner.clone())
                .insert_header(("accept-language", "en"))
                .to_request();
            let answer = call_service(&app, request).await;
            let status = answer.status().as_u16();
            // A body that breaks off is a failure too.
            let body = actix_web::body::to_bytes(answer.into_body()).await;
            answers.push(body.map_or((0, Vec::new()), |body| (status, body.to_vec())));
        }
        answers
    }

    async fn judge(&self, sabotage: Sabotage, what: &str, answers: &mut Answers) {
        let mut noticed = false;
        let asked = self.ask(sabotage).await;
        for (question, (right, (status, body))) in QUESTIONS.iter().zip(self.right.iter().zip(asked)) {
            if status != 200 {
                answers.failed += 1;
                noticed = true;
            } else if body == *right {
                answers.right += 1;
            } else if String::from_utf8_lossy(&body).to_lowercase().contains("partial") {
                answers.partial += 1;
                noticed = true;
            } else {
                answers.wrong.push(format!("{what}: {question}"));
            }
        }
        if !noticed {
            answers.unnoticed.push(what.to_owned());
        }
    }
}

/// What the application macro wants: something with a state.
struct Fresh {
    state: AppState,
}

/// Ten days of payments with lines, customers, cashiers and an attribute, through the API.
async fn send_rows(service: &TestService) {
    let key = key(service).await;
    let app = app!(service);
    for part in 0..2 {
        let mut rows = Vec::new();
        for number in 0..400 {
            rows.push(serde_json::json!({
                "transaction_id": format!("t{part}-{number}"),
                "created_at": format!("2026-10-{:02}T{:02}:00:00Z", 21 + number % 10, number % 12),
                "status": if number % 7 == 0 { "failed" } else { "succeeded" },
                "amount": 1_000 + number * 13 + part,
                "currency": "CNY", "provider": "alipay", "method": "alipay", "fee": number % 9,
                "operator": if number % 3 == 0 { "ann" } else { "bob" },
                "customer": format!("c{}", number % 90),
                "items": [{"name": "Tea", "sku": format!("tea-{}", number % 5), "category": "tea",
                    "quantity": 1, "line_amount": 1_000 + number * 13 + part}],
                "attributes": {"country": if number % 4 == 0 { "France" } else { "China" }},
            }));
        }
        let request = TestRequest::post()
            .uri("/api/v1/transactions")
            .insert_header(("authorization", key.clone()))
            .set_json(rows)
            .to_request();
        let answer = call_service(&app, request).await;
        assert_eq!(answer.status(), 200);
    }
}

async fn key(service: &TestService) -> String {
    let (text, secret_hmac) = service.state.door.make_key(KeyMode::Live).unwrap();
    let record = ApiKeyRecord {
        id: text.id().to_owned(),
        organisation: OrganisationId(1),
        name: "till".into(),
        scope: KeyScope::Ingest,
        mode: KeyMode::Live,
        stores: StoreSet::All,
        secret_hmac,
        created_at: service.state.clock.now(),
        last_used_at: None,
        revoked_at: None,
    };
    service.state.database.insert_api_key(&record).await.unwrap();
    format!("Bearer {}", text.reveal())
}

#[actix_web::test]
async fn no_number_is_made_from_a_damaged_file() {
    let damage = Damage { mutations: 100, seed: 2, sabotage: Sabotage::default() };
    let answers = damage.run().await;
    assert!(answers.is_clean(), "{answers:?}");
}

#[cfg(debug_assertions)]
#[actix_web::test]
async fn files_that_are_not_compared_with_their_hash_are_seen_to_give_wrong_numbers() {
    let sabotage = Sabotage::of(&[tillwatch::domain::Promise::HashCompared]);
    let answers = Damage { mutations: 15, seed: 1, sabotage }.run().await;
    assert!(!answers.wrong.is_empty(), "{answers:?}");
}
