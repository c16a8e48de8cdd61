//! The twelve questions over a year of transactions: see `README.md` in the folder above.
//!
//! `cargo bench --bench questions -- 1000000 FOLDER` makes a year of so many rows in the folder (or takes the one that
//! is there), makes the rollups from the rows, starts anew and asks. `questions_duckdb.py FOLDER` then asks DuckDB the
//! same of the same files, compares the answers and prints the ratio.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod ask;
mod year;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use chrono::{Days, NaiveTime};
use tillwatch::domain::{Currency, Store, StoreId, Stream};
use tillwatch::jobs::rebuild_levels;
use tillwatch::lake::{FileSet, Lake, LakeFile, Rows, decode_batch, encode_batch, split_by_day};
use tillwatch::store::{Database, FoldCommit, StoreDraft};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of the year, unless the command says otherwise.
const ROWS: u64 = 200_000;
/// How often each question is asked; the median counts.
const ROUNDS: usize = 21;

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds `--bench`; `cargo test --benches` calls without it and wants no measuring.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let rows = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROWS);
    let named = arguments.iter().find(|argument| argument.parse::<u64>().is_err());
    let temporary = tempfile::tempdir()?;
    let folder = named.map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&folder, rows))
}

async fn measure(folder: &Path, rows: u64) -> anyhow::Result<()> {
    let database = Database::open(&folder.join("tillwatch.db")).await?;
    let lake = Lake::open(&folder.join("lake"))?;
    if database.stores().await?.is_empty() {
        make(&database, &lake, rows).await?;
    }
    let stores = database.stores().await?;
    let snapshot = Arc::new(database.load_snapshot().await?);
    if snapshot.rollups.is_empty() || database.rollups_are_old().await? {
        let timer = Instant::now();
        rebuild_levels(&database, &lake, &snapshot, &stores, |_| {}).await?;
        let seconds = timer.elapsed().as_secs_f64();
        println!("rollups made anew in {seconds:.1} s, memory then {} MB", resident_mb());
        std::fs::write(folder.join("rebuild_seconds"), format!("{seconds}"))?;
    }
    drop(snapshot);
    database.close().await;

    let before = resident_mb();
    let timer = Instant::now();
    let database = Database::open(&folder.join("tillwatch.db")).await?;
    let snapshot = Arc::new(database.load_snapshot().await?);
    let start = timer.elapsed().as_secs_f64();
    let files = snapshot.files.values().flatten();
    let (all, bytes) = files.fold((0, 0), |sum, file| (sum.0 + file.rows, sum.1 + file.size_bytes));
    println!("{all} rows, {:.1} bytes a row in files", bytes as f64 / all as f64);
    println!(
        "{} blocks; opened in {start:.3} s; memory {before} → {} MB",
        snapshot.rollups.len(),
        resident_mb()
    );
    // Midnight in Shanghai, five days after the year.
    let now = "2026-01-05T16:00:00Z".parse()?;
    let world = ask::World { database: &database, snapshot, stores, now };
    let mut answers = Vec::new();
    let (mut warm_all, mut first_all) = (0.0, 0.0);
    println!("{:<32} {:>10} {:>10}", "question", "first ms", "median ms");
    for (question, name) in ask::NAMES.iter().enumerate() {
        let mut millis = Vec::new();
        let mut answer = ask::Answer::new();
        for _ in 0..ROUNDS {
            let timer = Instant::now();
            answer = world.answer(question).await?;
            millis.push(timer.elapsed().as_secs_f64() * 1000.0);
        }
        let first = millis[0];
        millis.sort_by(f64::total_cmp);
        let median = millis[millis.len() / 2];
        println!("{name:<32} {first:>10.2} {median:>10.2}");
        (warm_all, first_all) = (warm_all + median, first_all + first);
        let text = |numbers: Vec<i128>| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
        let answer: std::collections::BTreeMap<_, _> =
            answer.into_iter().map(|(key, numbers)| (key, text(numbers))).collect();
        answers.push(serde_json::json!({ "question": name, "ms": median, "answer": answer }));
    }
    println!("{:<32} {first_all:>10.2} {warm_all:>10.2}", "all together");
    let lake = Lake::open(&folder.join("lake"))?;
    answers.push(ask_rows(&world, &lake)?);
    let cache = &world.snapshot.cache;
    let (blocks, sums) = (cache.bytes() >> 20, world.snapshot.sums.bytes() >> 20);
    println!(
        "memory {} MB, of these {blocks} MB in {} blocks, {sums} MB in sums",
        resident_mb(),
        cache.len()
    );
    std::fs::write(folder.join("answers.json"), serde_json::to_vec(&answers)?)?;
    Ok(())
}

/// A question that no rollup answers, over one store's year: asked of the rows, files found right before.
fn ask_rows(world: &ask::World<'_>, lake: &Lake) -> anyhow::Result<serde_json::Value> {
    let mut millis = Vec::new();
    let mut found = (0, 0);
    for _ in 0..4 {
        let timer = Instant::now();
        found = world.rows_of_one_store(lake)?;
        millis.push(timer.elapsed().as_secs_f64() * 1000.0);
    }
    let name = "rows: one store, three filters";
    let first = millis.remove(0);
    millis.sort_by(f64::total_cmp);
    println!("{name:<32} {first:>10.2} {:>10.2}", millis[1]);
    let answer = [("all", [found.0.to_string(), found.1.to_string()])];
    Ok(
        serde_json::json!({ "question": name, "ms": millis[1], "answer": std::collections::BTreeMap::from(answer) }),
    )
}

/// Writes the year through the lake's own writer, two days at a time.
async fn make(database: &Database, lake: &Lake, rows: u64) -> anyhow::Result<()> {
    let timer = Instant::now();
    let at = "2025-01-01T00:00:00Z".parse()?;
    let organisation = database.insert_organisation("Shops", at).await?;
    let mut stores = Vec::new();
    for number in 1..=year::STORES {
        let draft = StoreDraft {
            organisation,
            slug: format!("store-{number:03}"),
            name: format!("Store {number}"),
            zone: chrono_tz::Asia::Shanghai,
            cut_off: NaiveTime::MIN,
            week_start: chrono::Weekday::Mon,
            currency: Currency::CNY,
            language: "zh-Hans".into(),
        };
        stores.push(database.insert_store(&draft, at).await?);
    }
    let ids: Vec<StoreId> = stores.iter().map(|store: &Store| store.id).collect();
    let days: Vec<_> = year::first_day().iter_days().take(usize::try_from(year::DAYS)?).collect();
    let mut made = 0;
    for pair in days.chunks(2) {
        let mut tasks = Vec::new();
        for day in pair.iter().copied() {
            let (lake, ids) = (lake.clone(), ids.clone());
            tasks.push(tokio::task::spawn_blocking(move || write_day(&lake, day, &ids, rows / year::DAYS)));
        }
        let mut files = Vec::new();
        for task in tasks {
            files.push(task.await??);
        }
        made += files.iter().map(|file| file.rows).sum::<u64>();
        publish(database, files).await?;
    }
    let seconds = timer.elapsed().as_secs_f64();
    println!("{made} rows written in {seconds:.1} s, {:.0} rows/s", made as f64 / seconds);
    Ok(())
}

fn write_day(lake: &Lake, day: chrono::NaiveDate, stores: &[StoreId], rows: u64) -> anyhow::Result<LakeFile> {
    let mut frames = Vec::new();
    year::day(day, stores, rows, |chunk| {
        let bytes = encode_batch(&Rows::Transactions(chunk)).context("encoding rows");
        frames.push(bytes.and_then(|bytes| decode_batch(bytes.bytes()).context("decoding rows")));
    });
    let frames: Result<Vec<_>, _> = frames.into_iter().collect();
    let numbered: Vec<_> = (1_i64..).zip(frames?).collect();
    let mut parts = split_by_day(Stream::Transactions, numbered)?;
    let (_, frame) = parts.pop().context("a day has rows")?;
    Ok(lake.write(&frame, Stream::Transactions, day, FileSet::Current, &format!("{day}-made"))?)
}

async fn publish(database: &Database, added: Vec<LakeFile>) -> anyhow::Result<()> {
    let (base_version, _, at) = database.data_version().await?;
    let token = format!("made-{base_version}");
    let intents: Vec<_> = added
        .iter()
        .map(|file| (file.id.clone(), file.stream, file.day, file.file_set, file.path.clone()))
        .collect();
    let folded_at = at.checked_add_days(Days::new(1)).unwrap_or(at);
    database.intend_files(&token, &intents, folded_at).await?;
    let commit = FoldCommit { added, ..FoldCommit::nothing(token, base_version, folded_at) };
    database.commit_fold(&commit).await?;
    Ok(())
}

/// Resident memory of this process.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
