//! Random batches of payments and bill lines, folds that are cut off, restarts; repeats, replacements, versions in any order, payments across midnight and several
//! currencies, through the door and the fold. Two judges: a full rebuild of every rollup from the live rows, and sums
//! over a map of latest versions that shares no code with either.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tillwatch::analytics::{Changes, Feed, Grains, MoneyKind, Unit, level_changes};
use tillwatch::domain::{
    Currency, Direction, Kind, LedgerKind, LedgerLine, MethodDetail, Money, Status, Store, Transaction, Word,
};
use tillwatch::jobs::{rebuild_levels, rebuild_rollups};
use tillwatch::store::StoreDraft;

use crate::whole_line::{Line, payment};

/// Some 0.7 s each, most of it opening a data folder and writing files. More, and other seeds, by hand.
const CASES: u32 = 12;
const SEED: u64 = 20_261_031;
const DAY_MS: i64 = 86_400_000;

/// What a generated row varies in; the rest is alike in all.
#[derive(Clone, Debug)]
struct Draft {
    id: u8,
    day: i64,
    minute: i64,
    kind: Kind,
    status: u8,
    amount: i64,
    currency: u8,
    payment: Option<u8>,
    method: u8,
    version: Option<i64>,
    completed_after_minutes: Option<i64>,
    fee: Option<i64>,
    lines: u8,
    test: bool,
}

/// A line of a bill.
#[derive(Clone, Copy, Debug)]
struct LineDraft {
    id: u8,
    day: i64,
    status: u8,
    gross: i64,
    version: i64,
}

#[derive(Clone, Debug)]
enum Step {
    /// A batch of this feed (0 or 1), then a fold or not.
    Send { feed: u8, rows: Vec<Draft>, fold: bool },
    /// An earlier batch again, whole.
    Repeat(usize),
    /// Several versions of one record in one batch, in this order, then a fold.
    Updates { row: Draft, versions: Vec<i64> },
    /// Lines of a bill, then a fold or not.
    Lines { rows: Vec<LineDraft>, fold: bool },
    /// A fold that is dropped after so many polls.
    CutOff(u32),
    /// The process starts anew.
    Restart,
}

fn draft() -> impl Strategy<Value = Draft> {
    // Near midnight more often than by chance, for that is where payments cross days.
    let minute = prop_oneof![0..1440_i64, 1430..1440_i64, 0..10_i64];
    let kind = prop_oneof![4 => Just(Kind::Payment), 1 => Just(Kind::Refund)];
    let optional = |range: std::ops::Range<i64>| proptest::option::of(range);
    (
        (0..14_u8, 0..4_i64, minute, kind, any::<u8>(), 0..5000_i64, 0..3_u8),
        (proptest::option::of(0..4_u8), 0..2_u8, optional(0..6), optional(0..30), optional(0..50)),
        (0..3_u8, proptest::bool::weighted(0.1)),
    )
        .prop_map(|(who, how, rest)| Draft {
            id: who.0,
            day: who.1,
            minute: who.2,
            kind: who.3,
            status: who.4,
            amount: who.5,
            currency: who.6,
            payment: how.0,
            method: how.1,
            version: how.2,
            completed_after_minutes: how.3,
            fee: how.4,
            lines: rest.0,
            test: rest.1,
        })
}

fn line_draft() -> impl Strategy<Value = LineDraft> {
    (0..8_u8, 0..3_i64, 0..3_u8, 1..5000_i64, 0..4_i64)
        .prop_map(|(id, day, status, gross, version)| LineDraft { id, day, status, gross, version })
}

fn step() -> impl Strategy<Value = Step> {
    let send = (
        prop_oneof![4 => Just(0_u8), 1 => Just(1)],
        proptest::collection::vec(draft(), 1..25),
        any::<bool>(),
    )
        .prop_map(|(feed, rows, fold)| Step::Send { feed, rows, fold });
    let updates = (draft(), proptest::collection::vec(0..9_i64, 3..7))
        .prop_map(|(row, versions)| Step::Updates { row, versions });
    let lines = (proptest::collection::vec(line_draft(), 1..12), any::<bool>())
        .prop_map(|(rows, fold)| Step::Lines { rows, fold });
    prop_oneof![
        4 => send,
        1 => (0..8_usize).prop_map(Step::Repeat),
        2 => updates,
        2 => lines,
        2 => (0..120_u32).prop_map(Step::CutOff),
        1 => Just(Step::Restart),
    ]
}

fn instant(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap()
}

fn transaction(line: &Line, stores: &[Store], draft: &Draft) -> Transaction {
    let created_ms = (20_780 + draft.day) * DAY_MS + draft.minute * 60_000;
    let created = instant(created_ms);
    let fitting: Vec<Status> = Status::ALL.iter().copied().filter(|status| status.fits(draft.kind)).collect();
    let status = fitting[usize::from(draft.status) % fitting.len()];
    let currency = ["CNY", "USD", "JPY"][usize::from(draft.currency)];
    let mut row = payment(line, &format!("t{}", draft.id), &created.to_rfc3339(), status);
    row.store = stores[usize::from(draft.id) % stores.len()].id;
    row.kind = draft.kind;
    row.amount = Money::from_minor(draft.amount, Currency::parse(currency).unwrap()).unwrap();
    row.order_id = draft.payment.map(|number| format!("o{number}"));
    row.method = Some(Word::of(["alipay", "card"][usize::from(draft.method)]));
    row.updated_at = draft.version.map(|version| created + TimeDelta::minutes(version));
    row.completed_at = draft.completed_after_minutes.map(|minutes| created + TimeDelta::minutes(minutes));
    row.fee = draft.fee;
    let item = row.items[0].clone();
    row.items = (0..draft.lines)
        .map(|number| {
            let mut item = item.clone();
            item.category = Some(["books", "tea"][usize::from(number % 2)].into());
            item.line_amount = draft.amount + i64::from(number);
            item
        })
        .collect();
    row.test = draft.test;
    row
}

fn ledger_line(store: &Store, draft: LineDraft) -> LedgerLine {
    let posted_at = instant((20_780 + draft.day) * DAY_MS + 3_600_000);
    LedgerLine {
        line_id: format!("l{}", draft.id),
        posted_at,
        source_day: None,
        store: store.id,
        account: "default".into(),
        provider: Some(Word::of("alipay")),
        status: [Status::Pending, Status::Succeeded, Status::Failed][usize::from(draft.status)],
        completed_at: None,
        // No two contents of one version: their order would rest on a hash that the oracle does not know.
        updated_at: Some(
            posted_at
                + TimeDelta::minutes(draft.version * 100_000 + draft.gross * 10 + i64::from(draft.status)),
        ),
        operator: None,
        terminal: None,
        scene: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        category: None,
        attributes: Vec::new(),
        kind: LedgerKind::Payment,
        direction: Direction::In,
        currency: Currency::CNY,
        gross: draft.gross,
        fee: None,
        net: None,
        fee_rate: None,
        settle_currency: None,
        settle_amount: None,
        exchange_rate: None,
        provider_transaction_id: None,
        parent_transaction_id: None,
        order_id: None,
        payout_id: None,
        method: None,
        method_detail: MethodDetail::default(),
        customer: None,
        description: None,
        file: None,
        line_number: None,
        test: false,
    }
}

/// The latest versions by the rules of the records, kept row by row.
#[derive(Default)]
struct Oracle {
    latest: BTreeMap<(i64, String, &'static str, NaiveDate), (Transaction, u64)>,
    source: BTreeMap<i64, u8>,
    arrivals: u64,
    lines: BTreeMap<(String, NaiveDate), LedgerLine>,
}

impl Oracle {
    fn take(&mut self, feed: u8, row: &Transaction) {
        self.arrivals += 1;
        if *self.source.entry(row.store.0).or_insert(feed) != feed {
            return;
        }
        let key = (row.store.0, row.transaction_id.clone(), row.kind.as_str(), row.created_at.date_naive());
        let challenger = (row.clone(), self.arrivals);
        match self.latest.get_mut(&key) {
            None => {
                self.latest.insert(key, challenger);
            }
            Some(holder) if holder.0 == *row => {}
            Some(holder) => {
                if Self::beats(&challenger, holder) {
                    *holder = challenger;
                }
            }
        }
    }

    fn take_line(&mut self, line: &LedgerLine) {
        let key = (line.line_id.clone(), line.posted_at.date_naive());
        let latest = self.lines.entry(key).or_insert_with(|| line.clone());
        if line.updated_at > latest.updated_at {
            *latest = line.clone();
        }
    }

    fn beats(challenger: &(Transaction, u64), holder: &(Transaction, u64)) -> bool {
        let terminal = |row: &Transaction| row.status.is_terminal();
        match (challenger.0.updated_at, holder.0.updated_at) {
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => (terminal(&challenger.0), challenger.1) > (terminal(&holder.0), holder.1),
            (Some(mine), Some(theirs)) => {
                let hash = |row: &Transaction| tillwatch::domain::row_hash(row);
                (mine, terminal(&challenger.0), hash(&challenger.0))
                    > (theirs, terminal(&holder.0), hash(&holder.0))
            }
        }
    }

    fn counted(&self) -> impl Iterator<Item = &Transaction> {
        self.latest.values().map(|(row, _)| row).filter(|row| !row.test)
    }
}

/// Figures of one store and UTC day that both sides can name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    /// By kind and currency: count, amount, known fees.
    money: BTreeMap<(MoneyKind, String), (i64, i128, i128)>,
    /// By status: attempts.
    attempts: BTreeMap<Status, i64>,
    /// Intents begun, paid, open.
    intents: (i64, i64, i64),
    /// By category: sold lines and their amount.
    items: BTreeMap<String, (i64, i128)>,
    /// Posted bill lines: count and gross amount.
    lines: (i64, i128),
}

type ByDay = BTreeMap<(i64, NaiveDate), Figures>;

fn expected(oracle: &Oracle) -> ByDay {
    let mut figures = ByDay::new();
    for row in oracle.counted() {
        let (store, currency) = (row.store.0, row.amount.currency().code().to_owned());
        if row.kind == Kind::Payment {
            let created = figures.entry((store, row.created_at.date_naive())).or_default();
            *created.attempts.entry(row.status).or_default() += 1;
        }
        if row.status.is_posted() {
            let cash_day = row.completed_at.unwrap_or(row.created_at).date_naive();
            let figures = figures.entry((store, cash_day)).or_default();
            let kind = if row.kind == Kind::Payment { MoneyKind::Payment } else { MoneyKind::Refund };
            let money = figures.money.entry((kind, currency)).or_default();
            money.0 += 1;
            money.1 += i128::from(row.amount.minor());
            money.2 += i128::from(row.fee.unwrap_or(0));
            for item in row.items.iter().filter(|_| row.kind == Kind::Payment) {
                let sold = figures.items.entry(item.category.clone().unwrap()).or_default();
                sold.0 += 1;
                sold.1 += i128::from(item.line_amount);
            }
        }
    }
    for line in oracle.lines.values().filter(|line| line.status.is_posted()) {
        let lines = &mut figures.entry((line.store.0, line.posted_at.date_naive())).or_default().lines;
        *lines = (lines.0 + 1, lines.1 + i128::from(line.gross));
    }
    for (day, begun) in intents(oracle) {
        figures.entry(day).or_default().intents = begun;
    }
    figures.retain(|_, figures| *figures != Figures::default());
    figures
}

/// Payments by brute force: an attempt begins one when no other of its order lies in the 24 hours before it.
fn intents(oracle: &Oracle) -> BTreeMap<(i64, NaiveDate), (i64, i64, i64)> {
    let rows: Vec<&Transaction> = oracle.counted().filter(|row| row.kind == Kind::Payment).collect();
    let order = |row: &Transaction| {
        (
            row.store.0,
            row.order_id.clone().unwrap_or_else(|| format!("alone {}", row.created_at) + &row.transaction_id),
        )
    };
    let mut seen = BTreeSet::new();
    let mut begun: BTreeMap<(i64, NaiveDate), (i64, i64, i64)> = BTreeMap::new();
    for row in &rows {
        let of_order: Vec<&&Transaction> = rows.iter().filter(|other| order(other) == order(row)).collect();
        let span = TimeDelta::hours(24);
        let is_first = !of_order
            .iter()
            .any(|other| other.created_at < row.created_at && row.created_at - other.created_at <= span);
        // Attempts of one instant are one beginning.
        if !is_first || !seen.insert((order(row), row.created_at)) {
            continue;
        }
        let within = || {
            of_order.iter().filter(|other| {
                other.created_at >= row.created_at && other.created_at - row.created_at <= span
            })
        };
        let paid = within().any(|other| other.status.is_posted());
        let open = !paid && within().any(|other| !other.status.is_terminal());
        let day = begun.entry((row.store.0, row.created_at.date_naive())).or_default();
        *day = (day.0 + 1, day.1 + i64::from(paid), day.2 + i64::from(open));
    }
    begun
}

fn found(rollups: &Changes) -> ByDay {
    let mut all = ByDay::new();
    for ((store, day), block) in rollups {
        let mut figures = Figures::default();
        for (key, sums) in &block.money {
            if key.feed == Feed::Ledger {
                figures.lines = (figures.lines.0 + sums.count, figures.lines.1 + sums.amount);
                continue;
            }
            let money = figures.money.entry((key.kind, key.currency.to_string())).or_default();
            *money = (money.0 + sums.count, money.1 + sums.amount, money.2 + sums.fee);
        }
        for (key, sums) in &block.attempts {
            *figures.attempts.entry(key.status).or_default() += sums.count;
        }
        for (_, sums) in block.conversion.iter().filter(|(key, _)| key.unit == Unit::Payment) {
            let begun = figures.intents;
            figures.intents = (begun.0 + sums.started, begun.1 + sums.paid, begun.2 + sums.open);
        }
        for (key, sums) in block.items.iter().filter(|(_, sums)| sums.lines != 0) {
            let sold = figures.items.entry(key.category.to_string()).or_default();
            *sold = (sold.0 + sums.lines, sold.1 + sums.amount);
        }
        all.insert((store.0, *day), figures);
    }
    all.retain(|_, figures| *figures != Figures::default());
    all
}

/// A second store, whose days begin at 18:15 UTC: it needs quarter hours.
async fn hill(line: &Line) -> Store {
    let draft = StoreDraft {
        organisation: line.store.organisation,
        slug: "hill".into(),
        name: "Hill".into(),
        zone: chrono_tz::Asia::Kathmandu,
        cut_off: NaiveTime::MIN,
        week_start: chrono::Weekday::Sun,
        currency: Currency::CNY,
        language: "en".into(),
    };
    line.context.database.insert_store(&draft, line.context.clock.now()).await.unwrap()
}

async fn judge(steps: Vec<Step>) {
    let mut line = Line::new().await;
    let stores = [line.store.clone(), hill(&line).await];
    let mut oracle = Oracle::default();
    let mut sent: Vec<(u8, Vec<Transaction>)> = Vec::new();
    for step in steps {
        let (feed, rows, fold) = match step {
            Step::Send { feed, rows, fold } => {
                let rows: Vec<_> = rows.iter().map(|row| transaction(&line, &stores, row)).collect();
                sent.push((feed, rows.clone()));
                (feed, rows, fold)
            }
            Step::Repeat(which) if !sent.is_empty() => {
                let (feed, rows) = sent[which % sent.len()].clone();
                (feed, rows, true)
            }
            Step::Repeat(_) => continue,
            Step::Updates { row, versions } => {
                let update = |version: &i64| Draft {
                    version: Some(*version),
                    amount: row.amount + *version,
                    ..row.clone()
                };
                let rows = versions.iter().map(|version| transaction(&line, &stores, &update(version)));
                (0, rows.collect(), true)
            }
            Step::Lines { rows, fold } => {
                let rows: Vec<_> = rows.iter().map(|row| ledger_line(&stores[0], *row)).collect();
                for row in &rows {
                    oracle.take_line(row);
                }
                line.intake.accept_ledger_lines(Word::of("import"), rows).await.unwrap();
                if fold {
                    line.fold_until_empty().await;
                }
                continue;
            }
            Step::CutOff(polls) => {
                line.fold_cut_off(polls).await;
                continue;
            }
            Step::Restart => {
                line.restart().await;
                continue;
            }
        };
        for row in &rows {
            oracle.take(feed, row);
        }
        let word = Word::of(["api", "import"][usize::from(feed)]);
        line.intake.accept_transactions(word, rows).await.unwrap();
        if fold {
            line.fold_until_empty().await;
        }
    }
    line.fold_until_empty().await;
    compare(&line, &stores, &oracle).await;
}

/// What folds kept up, a rebuild, the database and plain sums must be equal.
async fn compare(line: &Line, stores: &[Store], oracle: &Oracle) {
    let snapshot = line.context.snapshots.current();
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let database = &line.context.database;
    let kept = line.rollups().await;
    let rebuilt = rebuild_rollups(&line.lake, &snapshot, &grains).unwrap();
    assert_eq!(kept, rebuilt, "folds and rebuild differ");
    let levels = database.read_levels(&snapshot).await.unwrap();
    assert_eq!(levels, level_changes(&rebuilt, &snapshot.calendars), "levels differ from their hours");
    let durable = line.context.database.load_snapshot().await.unwrap();
    assert_eq!(durable.rollups, snapshot.rollups, "memory and database differ");
    assert_eq!(database.read_levels(&durable).await.unwrap(), levels, "memory and database differ");
    // A rebuild of everything, day by day, stores the same bytes.
    let (durable, stores) = (std::sync::Arc::new(durable), stores.to_vec());
    let anew = rebuild_levels(database, &line.lake, &durable, &stores, |_| {}).await.unwrap();
    assert_eq!(database.read_levels(&anew).await.unwrap(), levels, "a rebuild by days differs");
    assert_eq!(found(&kept), expected(oracle), "folds and the sums over latest versions differ");
}

#[test]
fn what_folds_keep_up_equals_a_rebuild_and_the_sums_over_latest_versions() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config = Config {
        cases: CASES,
        max_shrink_iters: 60,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(SEED),
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&proptest::collection::vec(step(), 1..10), |steps| {
        let judged = std::panic::AssertUnwindSafe(|| runtime.block_on(judge(steps)));
        std::panic::catch_unwind(judged).map_err(|_| TestCaseError::fail("see the panic above"))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
