//! What a fold costs, by row, beside a day that holds few rows and one that holds many: see `README.md` beside this
//! file.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use tillwatch::analytics::SnapshotCell;
use tillwatch::domain::{
    Clock, Currency, Item, Kind, MethodDetail, Money, Risk, Scene, Status, StoreId, Stored, Stream,
    SystemClock, Transaction, Word, row_hash,
};
use tillwatch::jobs::JobContext;
use tillwatch::jobs::fold::{Installed, MERGE_ROWS_MAX, Shared, fold_waiting, merge_due};
use tillwatch::lake::{FileSet, Frame, Lake, Rows, StreamRecord, Table, encode_batch, sorted};
use tillwatch::store::{Database, FoldCommit, InboxBatch, StoreDraft};
use tillwatch::telemetry::Metrics;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows in the day that the ratio is taken against.
const FEW_ROWS: u64 = 1_000_000;
/// Rows in the other day, unless the command says otherwise.
const MANY_ROWS: u64 = 4_000_000;
/// Rows of one file: as large as merging makes them.
const FILE_ROWS: u64 = 1 << 19;
const FOLD_ROWS: u64 = 100_000;
const BATCH_ROWS: u64 = 50_000;
/// Folds that are timed; the median counts.
const FOLDS: usize = 7;
const STORES: u64 = 200;
/// The aim: cost by row beside many rows, to cost by row beside few.
const AIM_RATIO: f64 = 1.3;
/// The aim: rows a second on one core.
const AIM_RATE: f64 = 300_000.0;

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds `--bench`; `cargo test --benches` calls without it and wants no measuring.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let many = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(MANY_ROWS);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(many))
}

async fn measure(many: u64) -> anyhow::Result<()> {
    println!(
        "{:>14} {:>16} {:>12} {:>14} {:>12}",
        "rows in day", "first fold ms", "fold ms", "rows/s", "filters MB"
    );
    let few = Bench::over(FEW_ROWS).await?;
    let many = Bench::over(many).await?;
    let ratio = many / few;
    let verdict = if ratio <= AIM_RATIO { "met" } else { "missed" };
    println!("\nratio of cost by row: {ratio:.2} (aim {AIM_RATIO}: {verdict})");
    let rate = 1000.0 * rows_f64(FOLD_ROWS) / few;
    println!("rows a second beside {FEW_ROWS} rows: {rate:.0} (aim {AIM_RATE:.0})");
    many_days().await
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵²")]
const fn rows_f64(rows: u64) -> f64 {
    rows as f64
}

/// One batch whose rows are of 400 different days.
async fn many_days() -> anyhow::Result<()> {
    const DAYS: u64 = 400;
    let mut bench = Bench::new().await?;
    for name in ["first", "second"] {
        let days = (0..DAYS).map(|day| day_of_bench() - TimeDelta::days(i64::try_from(day).unwrap_or(0)));
        let rows =
            days.flat_map(|day| std::iter::repeat_n(day, 25)).map(|day| bench.random.row(day)).collect();
        bench.send(rows).await?;
        println!("10,000 rows of {DAYS} days, {name} batch: {:.0} ms", bench.fold().await?);
    }
    Ok(())
}

fn day_of_bench() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap_or_default()
}

struct Bench {
    context: JobContext,
    lake: Lake,
    shared: Shared,
    random: Random,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = Database::open(&folder.path().join("tillwatch.db")).await?;
        let organisation = database.insert_organisation("Shops", clock.now()).await?;
        for number in 0..STORES {
            let draft = StoreDraft {
                organisation,
                slug: format!("s{number}"),
                name: format!("Store {number}"),
                zone: chrono_tz::Asia::Shanghai,
                cut_off: NaiveTime::MIN,
                week_start: chrono::Weekday::Mon,
                currency: Currency::CNY,
                language: "en".into(),
            };
            database.insert_store(&draft, clock.now()).await?;
        }
        let lake = Lake::open(&folder.path().join("lake"))?;
        let snapshots = Arc::new(SnapshotCell::new(database.load_snapshot().await?));
        let context = JobContext { database, clock, snapshots, metrics: Arc::new(Metrics::new()?) };
        let random = Random(20_261_125);
        Ok(Self { context, lake, shared: Shared::default(), random, _folder: folder })
    }

    /// Median milliseconds of a fold of new rows into a day that holds `rows` already.
    async fn over(rows: u64) -> anyhow::Result<f64> {
        let mut bench = Self::new().await?;
        bench.fill(rows).await?;
        // After a start the filters are not there: the first fold reads the keys of every file of the day.
        bench.send_new().await?;
        let first = bench.fold().await?;
        let mut times = Vec::new();
        for _ in 0..FOLDS {
            bench.send_new().await?;
            times.push(bench.fold().await?);
        }
        times.sort_by(f64::total_cmp);
        let median = times.get(FOLDS / 2).copied().context("no folds")?;
        let rate = 1000.0 * rows_f64(FOLD_ROWS) / median;
        let filters = bench.shared.filters.bytes() / 1_000_000;
        println!("{rows:>14} {first:>16.0} {median:>12.0} {rate:>14.0} {filters:>12}");
        Ok(median)
    }

    /// Files as merging leaves them, written through the lake's own writer and committed like a fold.
    async fn fill(&mut self, rows: u64) -> anyhow::Result<()> {
        let mut left = rows;
        let mut number = 0;
        while left > 0 {
            let count = left.min(FILE_ROWS);
            let frame = self.frame(count)?;
            let base = self.context.snapshots.current();
            let now = self.context.clock.now();
            let (id, token) = (format!("fill-{number}"), format!("fill-token-{number}"));
            let place = (Stream::Transactions, day_of_bench(), FileSet::Current);
            let path = Lake::path_for(place.0, place.1, place.2, &id);
            let intent = (id.clone(), place.0, place.1, place.2, path);
            self.context.database.intend_files(&token, &[intent], now).await?;
            let file = self.lake.write(&frame, place.0, place.1, place.2, &id)?;
            let mut commit = FoldCommit::nothing(token, base.version, now);
            commit.added.push(file);
            self.context.database.commit_fold(&commit).await?;
            self.context.snapshots.publish(self.context.database.load_snapshot().await?);
            (left, number) = (left - count, number + 1);
        }
        Ok(())
    }

    fn frame(&mut self, rows: u64) -> anyhow::Result<Frame> {
        let mut parts = Vec::new();
        let mut left = rows;
        while left > 0 {
            let count = left.min(BATCH_ROWS);
            let rows = (0..count).map(|_| self.random.row(day_of_bench())).collect();
            let mut part = Frame::decode_batch(encode_batch(&Rows::Transactions(rows))?.bytes())?;
            part.number_arrivals(0)?;
            parts.push(part);
            left -= count;
        }
        let all = Frame::concat(parts)?.context("no rows")?;
        Ok(sorted(&all, Stream::Transactions)?)
    }

    async fn send_new(&mut self) -> anyhow::Result<()> {
        for _ in 0..FOLD_ROWS / BATCH_ROWS {
            let rows = (0..BATCH_ROWS).map(|_| self.random.row(day_of_bench())).collect();
            self.send(rows).await?;
        }
        Ok(())
    }

    async fn send(&self, rows: Vec<Stored<Transaction>>) -> anyhow::Result<()> {
        let encoded = encode_batch(&Rows::Transactions(rows))?;
        let batch = InboxBatch {
            stream: Stream::Transactions,
            rows: encoded.rows(),
            arrow_ipc: encoded.bytes(),
            received_at: self.context.clock.now(),
        };
        self.context.database.append_group(&[batch], &[]).await?;
        Ok(())
    }

    /// Folds once and says how many milliseconds it took; merges that come due afterwards are not in it.
    async fn fold(&self) -> anyhow::Result<f64> {
        let world = Installed::new(self.context.clone(), self.lake.clone(), self.shared.clone());
        let runtime = tokio::runtime::Handle::current();
        let working = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                let timer = Instant::now();
                fold_waiting(&world).await?;
                let taken = timer.elapsed().as_secs_f64() * 1000.0;
                while merge_due(&world, MERGE_ROWS_MAX).await? {}
                anyhow::Ok(taken)
            })
        });
        working.await?
    }
}

/// `splitmix64`: the same rows at each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn signed(&mut self, limit: u64) -> i64 {
        i64::try_from(self.below(limit)).unwrap_or(0)
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let place = usize::try_from(self.below(u64::try_from(of.len()).ok()?)).ok()?;
        of.get(place).copied()
    }

    #[expect(clippy::expect_used, reason = "amounts are small")]
    /// A paid payment most of the time: random 128-bit id, 28-digit provider id, one or two lines of thirty categories.
    /// Stores are of very unequal size: the square of a uniform number.
    fn row(&mut self, day: NaiveDate) -> Stored<Transaction> {
        let at: DateTime<Utc> =
            day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::milliseconds(self.signed(86_400_000));
        let uniform = self.below(STORES * STORES);
        let store = 1 + i64::try_from(uniform.isqrt()).unwrap_or(0);
        let status = self.one_of(&[Status::Succeeded, Status::Succeeded, Status::Succeeded, Status::Failed]);
        let status = status.unwrap_or(Status::Succeeded);
        let amount = 100 + self.signed(50_000);
        let methods = ["wechat_pay", "alipay", "card", "unionpay", "cash", "e_cny"].map(Word::of);
        let scenes = [Scene::StaticQr, Scene::Scanner, Scene::MiniProgram, Scene::App, Scene::Web];
        let method = self.one_of(&methods);
        let record = Transaction {
            transaction_id: format!("{:016x}{:016x}", self.next(), self.next()),
            created_at: at,
            kind: Kind::Payment,
            status,
            amount: Money::from_minor(amount, Currency::CNY).expect("some hundred yuan"),
            store: StoreId(store),
            account: "default".into(),
            provider: method,
            method,
            aggregator: None,
            method_detail: MethodDetail::default(),
            scene: self.one_of(&scenes),
            device: None,
            operator: Some(format!("op{}", self.below(9))),
            terminal: None,
            shift: None,
            source: None,
            campaign: None,
            promotion: (self.below(10) == 0).then(|| "autumn".into()),
            order_id: Some(format!("{:016x}", self.next())),
            payment_id: None,
            attempt: None,
            parent_transaction_id: None,
            provider_transaction_id: Some(format!(
                "{:014}{:014}",
                self.below(100_000_000_000_000),
                self.below(100_000_000_000_000)
            )),
            subscription_id: None,
            submitted_at: None,
            authorized_at: None,
            completed_at: (status == Status::Succeeded)
                .then(|| at + TimeDelta::milliseconds(2_000 + self.signed(9_000))),
            settled_on: None,
            updated_at: None,
            failure_code: (status == Status::Failed).then(|| "USERPAYING".into()),
            failure_message: None,
            failure_class: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            tax: None,
            fee: Some(amount * 6 / 1000),
            fee_refunded: None,
            customer: Some(format!("{:016x}{:016x}", self.next(), self.below(1 << 20))),
            payment_fingerprint: None,
            ip: None,
            items: (0..=self.below(2)).map(|_| self.item(amount)).collect(),
            risk: Risk::default(),
            attributes: Vec::new(),
            test: false,
        };
        let (key, row_hash) = (record.key(), row_hash(&record));
        Stored { record, key, row_hash, witness: false, feed: Word::of("api"), received_at: at }
    }

    /// One of three thousand articles, each with its name and category.
    fn item(&mut self, amount: i64) -> Item {
        let article = self.below(3_000);
        Item {
            sku: Some(format!("sku-{article}")),
            name: Some(format!("article {article}")),
            category: Some(format!("category-{}", article % 30)),
            quantity: 1.into(),
            unit_amount: None,
            discount: None,
            line_amount: amount,
        }
    }
}
