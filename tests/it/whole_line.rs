//! The way of a record from the door to the snapshot, in process: everything but HTTP.

use std::sync::Arc;
use std::task::Poll;

use chrono::{NaiveTime, TimeDelta};
use tillwatch::analytics::{
    BlockKey, Cells, Changes, DayBlock, Grains, Level, Packed, Piece, SnapshotCell, Written, level_changes,
};
use tillwatch::domain::{
    Clock, Currency, FixedClock, Instant, Item, Kind, MethodDetail, Money, Risk, Status, Store, StoreId,
    Stream, Transaction, Word,
};
use tillwatch::intake::Intake;
use tillwatch::jobs::fold::{Installed, MERGE_ROWS_MAX, Shared, World, fold_waiting, merge_due};
use tillwatch::jobs::{Fold, Job, JobContext, rebuild_rollups};
use tillwatch::lake::{FileSet, Lake};
use tillwatch::store::{Database, DatabaseAddress, FoldCommit, InboxBatch, InboxWriter, StoreDraft};
use tillwatch::telemetry::Metrics;

use crate::engines::{Postgres, database_in};

/// A data folder with one store, its door and its fold.
pub struct Line {
    pub store: Store,
    pub intake: Arc<Intake>,
    pub context: JobContext,
    pub lake: Lake,
    fold: Fold,
    pub clock: Arc<FixedClock>,
    pub folder: tempfile::TempDir,
    _postgres: Option<Postgres>,
}

impl Line {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now: Instant = "2026-11-24T12:00:00Z".parse().unwrap();
        let clock = Arc::new(FixedClock::at(now));
        let (address, postgres) = database_in(folder.path());
        let database = Database::open(DatabaseAddress::parse(&address).unwrap()).await.unwrap();
        let organisation = database.insert_organisation("Shops", now).await.unwrap();
        let draft = StoreDraft {
            organisation,
            slug: "main".into(),
            name: "Main".into(),
            zone: chrono_tz::Asia::Shanghai,
            cut_off: NaiveTime::MIN,
            week_start: chrono::Weekday::Mon,
            currency: Currency::CNY,
            language: "zh-Hans".into(),
        };
        let store = database.insert_store(&draft, now).await.unwrap();
        let (writer, _task) = InboxWriter::start(database.clone());
        let metrics = Arc::new(Metrics::new().unwrap());
        let intake = Arc::new(Intake::new(database.clone(), writer, clock.clone(), metrics.clone()));
        let lake = Lake::open(&folder.path().join("lake")).unwrap();
        let snapshots = Arc::new(SnapshotCell::new(database.load_snapshot().await.unwrap()));
        let context = JobContext { database, clock: clock.clone(), snapshots, metrics };
        Self {
            store,
            intake,
            context,
            fold: Fold::new(lake.clone()),
            lake,
            clock,
            folder,
            _postgres: postgres,
        }
    }

    pub async fn fold_until_empty(&self) {
        while self.fold.run(&self.context).await.unwrap().done > 0 {}
    }

    /// Undoes the imports that somebody asked to undo; returns how many.
    pub async fn withdraw(&self) -> u64 {
        self.fold.withdraw(Arc::clone(&self.intake)).run(&self.context).await.unwrap().done
    }

    /// The prepared figures, by store and UTC day.
    pub async fn rollups(&self) -> tillwatch::analytics::Changes {
        let snapshot = self.context.snapshots.current();
        tillwatch::jobs::doctor::kept_rollups(&self.context.database, &snapshot).await.unwrap()
    }

    /// Makes the prepared figures of one day wrong, as a bug would.
    pub async fn harm_rollups(&self) {
        let base = self.context.snapshots.current();
        let ((store, day), mut wrong) = self.rollups().await.pop_first().unwrap();
        wrong.money.values_mut().next().unwrap().amount += 1;
        let mut change = FoldCommit::nothing("harm".into(), base.version, base.folded_at);
        let key = BlockKey { level: Level::Hours, owner: store.into(), day };
        change.blocks.push(Written { key, block: Some(Arc::new(Packed::of(wrong))) });
        self.context.database.commit_fold(&change).await.unwrap();
    }

    /// Makes the first block of a level wrong, as a bug would.
    pub async fn harm_level(&self, level: Level) {
        let base = self.context.snapshots.current();
        let levels = self.context.database.read_levels(&base).await.unwrap();
        let wrong = |block: &mut DayBlock| block.money.values_mut().next().unwrap().amount += 1;
        let (key, packed) = if level == Level::Stores {
            let (key, mut stores) = levels.stores.into_iter().next().unwrap();
            wrong(stores.values_mut().next().unwrap());
            (key, Packed::of_stores(stores))
        } else {
            let mut blocks = levels.blocks.into_iter();
            let (key, mut block) = blocks.find(|(key, _)| key.level == level).unwrap();
            wrong(&mut block);
            (key, Packed::of(block))
        };
        let mut change = FoldCommit::nothing("harm".into(), base.version, base.folded_at);
        change.blocks.push(Written { key, block: Some(Arc::new(packed)) });
        self.context.database.commit_fold(&change).await.unwrap();
    }

    /// Changes a bit of every block of a level, as a disk would. SQLite only.
    pub async fn damage_blocks(&self, level: Level) {
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(self.folder.path().join("tillwatch.db"));
        let mut database = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let damage = "update rollup_cells set cells = cast(substr(cells, 1, length(cells) - 1) || x'ff' as blob) where level = ?1";
        let done = sqlx::query(damage).bind(level.number()).execute(&mut database).await.unwrap();
        assert!(done.rows_affected() > 0);
    }

    /// Retires every file, as folds do that write them anew.
    pub async fn retire_everything(&self) {
        let base = self.context.snapshots.current();
        let mut change = FoldCommit::nothing("retire".into(), base.version, self.clock.now());
        change.retired = base.files.values().flatten().cloned().collect();
        self.context.database.commit_fold(&change).await.unwrap();
    }

    /// One fold, which may fail.
    pub async fn try_fold(&self) -> anyhow::Result<u64> {
        Ok(self.fold.run(&self.context).await?.done)
    }

    /// A fold that is dropped after it was polled so often: wherever it stood, the rest of it never happens.
    pub async fn fold_cut_off(&self, mut polls: u32) {
        let world = Installed::new(self.context.clone(), self.lake.clone(), Shared::default());
        let mut work = std::pin::pin!(fold_waiting(&world));
        std::future::poll_fn(|context| {
            if polls == 0 {
                return Poll::Ready(());
            }
            polls -= 1;
            work.as_mut().poll(context).map(|done| _ = done.unwrap())
        })
        .await;
    }

    /// What a process that starts anew knows: what is committed.
    pub async fn restart(&mut self) {
        let snapshot = self.context.database.load_snapshot().await.unwrap();
        self.context.snapshots = Arc::new(SnapshotCell::new(snapshot));
        self.fold = Fold::new(self.lake.clone());
    }

    pub async fn send(&self, rows: Vec<Transaction>) -> i64 {
        self.intake.accept_transactions(Word::of("api"), rows).await.unwrap().inbox_seq.unwrap()
    }

    /// Rollups kept up by folds, the stored ones, and those made anew from the rows must be one.
    pub async fn assert_equals_rebuild(&self) {
        let snapshot = self.context.snapshots.current();
        let grains: Grains = [(self.store.id, self.store.grain())].into();
        let rebuilt = rebuild_rollups(&self.lake, &snapshot, &grains).unwrap();
        let kept = self.context.database.read_levels(&snapshot).await.unwrap();
        assert_eq!(self.rollups().await, rebuilt);
        assert_eq!(kept, level_changes(&rebuilt, &snapshot.calendars), "levels differ from their hours");
        let stored = self.context.database.load_snapshot().await.unwrap();
        assert_eq!(stored.version, snapshot.version);
        assert_eq!(stored.rollups, snapshot.rollups);
        assert_eq!(stored.calendars, snapshot.calendars);
        // From the database, not from memory.
        assert_eq!(self.context.database.read_levels(&stored).await.unwrap(), kept);
        assert_eq!(stored.files.len(), snapshot.files.len());
    }
}

/// A payment of ¥12.05 with one line.
pub fn payment(line: &Line, id: &str, at: &str, status: Status) -> Transaction {
    payment_of(line.store.id, id, at, status)
}

/// The same of any store.
pub fn payment_of(store: StoreId, id: &str, at: &str, status: Status) -> Transaction {
    Transaction {
        transaction_id: id.into(),
        created_at: at.parse().unwrap(),
        kind: Kind::Payment,
        status,
        amount: Money::from_minor(1205, Currency::CNY).unwrap(),
        store,
        account: "default".into(),
        provider: Some(Word::of("alipay")),
        method: Some(Word::of("alipay")),
        aggregator: None,
        method_detail: MethodDetail::default(),
        scene: None,
        device: None,
        operator: None,
        terminal: None,
        shift: None,
        source: None,
        campaign: None,
        promotion: None,
        order_id: Some(format!("order-{id}")),
        payment_id: None,
        attempt: None,
        parent_transaction_id: None,
        provider_transaction_id: None,
        subscription_id: None,
        submitted_at: None,
        authorized_at: None,
        completed_at: None,
        settled_on: None,
        updated_at: None,
        failure_code: None,
        failure_message: None,
        failure_class: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        tax: None,
        fee: None,
        fee_refunded: None,
        customer: None,
        payment_fingerprint: None,
        ip: None,
        items: vec![Item {
            sku: Some("book-1".into()),
            name: Some("Book".into()),
            category: Some("books".into()),
            quantity: 2.into(),
            unit_amount: None,
            discount: None,
            line_amount: 1205,
        }],
        risk: Risk::default(),
        attributes: vec![("country".into(), "France".into())],
        test: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_twice_is_counted_once() {
    let line = Line::new().await;
    let rows = vec![
        payment(&line, "a", "2026-11-24T10:00:00+08:00", Status::Succeeded),
        payment(&line, "b", "2026-11-23T23:59:00+08:00", Status::Failed),
    ];
    let first = line.send(rows.clone()).await;
    line.fold_until_empty().await;
    let again = line.send(rows).await;
    line.fold_until_empty().await;
    let outcome = |seq| line.context.database.batch_outcome(seq);
    let (first, again) = (outcome(first).await.unwrap().unwrap(), outcome(again).await.unwrap().unwrap());
    assert_eq!((first.new, first.replaced, first.unchanged), (2, 0, 0));
    assert_eq!((again.new, again.replaced, again.unchanged), (0, 0, 2));
    let rollups = line.rollups().await;
    let paid: Vec<_> = rollups.values().flat_map(|block| block.money.values()).collect();
    assert_eq!(paid.len(), 1);
    assert_eq!((paid[0].count, paid[0].amount), (1, 1205));
    line.assert_equals_rebuild().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_version_replaces_and_the_earlier_one_goes_to_the_history() {
    let line = Line::new().await;
    let at = "2026-11-24T10:00:00+08:00";
    line.send(vec![payment(&line, "a", at, Status::Pending)]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
    line.send(vec![payment(&line, "a", at, Status::Succeeded)]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
    let snapshot = line.context.snapshots.current();
    let files: Vec<_> = snapshot.files.values().flatten().collect();
    let rows: Vec<(FileSet, u64, u64)> =
        files.iter().map(|file| (file.file_set, file.rows, file.live_rows())).collect();
    let expected = [(FileSet::Current, 1, 0), (FileSet::Current, 1, 1), (FileSet::History, 1, 1)];
    assert_eq!(rows, expected, "the old row stays in its file, taken out, and stands in the history");
    let stored = line.context.database.load_snapshot().await.unwrap();
    assert_eq!(stored.files, snapshot.files, "what is superseded is durable");
    let rollups = line.rollups().await;
    let conversion: Vec<_> = rollups.values().flat_map(|block| block.conversion.values()).collect();
    assert!(
        conversion.iter().all(|sums| (sums.started, sums.paid, sums.open) == (1, 1, 0)),
        "{conversion:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_crosses_midnight_is_one_payment() {
    let line = Line::new().await;
    let mut late = payment(&line, "a", "2026-11-23T23:58:00Z", Status::Failed);
    late.payment_id = Some("p1".into());
    let mut early = payment(&line, "b", "2026-11-24T00:03:00Z", Status::Succeeded);
    early.payment_id = Some("p1".into());
    // The second day first: the head moves to the day before when the first attempt comes in.
    line.send(vec![early]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
    line.send(vec![late]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
    let days = line.rollups().await;
    let intents: i64 = days
        .values()
        .flat_map(|block| &block.conversion)
        .filter(|(key, _)| key.unit == tillwatch::analytics::Unit::Payment)
        .map(|(_, sums)| sums.started)
        .sum();
    assert_eq!(intents, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_beyond_64_bits_are_exact() {
    let line = Line::new().await;
    let huge = Money::from_minor(tillwatch::domain::AMOUNT_MINOR_MAX, Currency::CNY).unwrap();
    let rows: Vec<Transaction> = (0..10_000)
        .map(|number| {
            let mut row = payment(&line, &format!("{number}"), "2026-11-24T10:00:00Z", Status::Succeeded);
            row.amount = huge;
            row.items.clear();
            row
        })
        .collect();
    line.send(rows).await;
    line.fold_until_empty().await;
    let rollups = line.rollups().await;
    let total: i128 = rollups.values().flat_map(|block| block.money.values()).map(|sums| sums.amount).sum();
    assert_eq!(total, 10_000 * i128::from(tillwatch::domain::AMOUNT_MINOR_MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_another_feed_is_a_witness_and_not_counted() {
    let line = Line::new().await;
    let at = "2026-11-24T10:00:00+08:00";
    line.send(vec![payment(&line, "a", at, Status::Succeeded)]).await;
    let mut other = payment(&line, "a", at, Status::Succeeded);
    other.amount = Money::from_minor(999, Currency::CNY).unwrap();
    line.intake.accept_transactions(Word::of("import"), vec![other]).await.unwrap();
    line.fold_until_empty().await;
    let rollups = line.rollups().await;
    let total: i128 = rollups.values().flat_map(|block| block.money.values()).map(|sums| sums.amount).sum();
    assert_eq!(total, 1205);
    line.assert_equals_rebuild().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_folds_are_merged_and_nothing_is_lost() {
    let line = Line::new().await;
    for number in 0..20 {
        line.clock.advance(TimeDelta::seconds(1));
        line.send(vec![payment(&line, &format!("{number}"), "2026-11-24T10:00:00Z", Status::Succeeded)])
            .await;
        line.fold_until_empty().await;
        while line.fold.compact().run(&line.context).await.unwrap().more {}
    }
    line.assert_equals_rebuild().await;
    let snapshot = line.context.snapshots.current();
    let files: Vec<_> = snapshot.files.values().flatten().collect();
    assert!(files.len() <= 9, "{} files", files.len());
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fold_supersedes_while_files_are_merged_stays_superseded() {
    let line = Line::new().await;
    for number in 0..8 {
        line.clock.advance(TimeDelta::seconds(1));
        line.send(vec![payment(&line, &format!("{number}"), "2026-11-24T10:00:00Z", Status::Pending)]).await;
        line.fold_until_empty().await;
    }
    let world = Installed::new(line.context.clone(), line.lake.clone(), Shared::default());
    // The merge has written its file and waits for its turn to commit it …
    let turn = world.turn().await;
    let is_merged = || line.lake.list().unwrap().iter().any(|path| path.ends_with("m.parquet"));
    let fold_meanwhile = async {
        while !is_merged() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        // … while a fold of another process finds one of its rows paid.
        line.clock.advance(TimeDelta::seconds(1));
        line.send(vec![payment(&line, "3", "2026-11-24T10:00:00Z", Status::Succeeded)]).await;
        line.fold_until_empty().await;
        drop(turn);
    };
    let both = Box::pin(async { tokio::join!(merge_due(&world, MERGE_ROWS_MAX), fold_meanwhile) });
    let (merged, ()) = tokio::time::timeout(std::time::Duration::from_mins(1), both).await.unwrap();
    assert!(merged.unwrap());
    let snapshot = line.context.snapshots.current();
    let current = snapshot.files.values().flatten().filter(|file| file.file_set == FileSet::Current);
    let mut rows: Vec<_> = current.map(|file| (file.rows, file.live_rows())).collect();
    rows.sort_unstable();
    assert_eq!(rows, [(1, 1), (8, 7)]);
    let stored = line.context.database.load_snapshot().await.unwrap();
    assert_eq!(stored.files, snapshot.files);
    line.assert_equals_rebuild().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_the_rows_equals_the_rollups_and_a_filter_takes_part_of_them() {
    let line = Line::new().await;
    let mut rows = Vec::new();
    for number in 0..30 {
        let status = if number % 3 == 0 { Status::Failed } else { Status::Succeeded };
        let mut row = payment(&line, &format!("{number}"), "2026-11-24T10:00:00Z", status);
        row.created_at += TimeDelta::minutes(i64::from(number) * 47);
        row.completed_at = Some(row.created_at + TimeDelta::hours(3));
        row.customer = (number % 2 == 0).then(|| format!("{:032x}", number % 4));
        if number % 5 == 0 {
            row.attributes = vec![("country".into(), "Spain".into())];
        }
        rows.push(row);
    }
    line.send(rows).await;
    line.fold_until_empty().await;
    let snapshot = line.context.snapshots.current();
    let range = tillwatch::domain::Range {
        from: "2026-11-24T00:00:00Z".parse().unwrap(),
        until: "2026-11-27T00:00:00Z".parse().unwrap(),
    };
    let mut scan = tillwatch::analytics::Scan {
        ranges: vec![(line.store.id, range)],
        grains: [(line.store.id, line.store.grain())].into(),
        ..tillwatch::analytics::Scan::default()
    };
    let view = tillwatch::analytics::scan_view(&line.lake, &snapshot, &scan).unwrap();
    let made = |piece: &Piece| match &piece.cells {
        Cells::Made(block) => ((piece.store, piece.day), (**block).clone()),
        Cells::Packed(_) | Cells::Summed(_) => panic!("a scan makes its cells"),
    };
    let scanned: Changes = view.pieces.iter().map(made).collect();
    assert_eq!(scanned, line.rollups().await);

    let customers = tillwatch::analytics::customer_counts(&line.lake, &snapshot, &scan).unwrap();
    assert_eq!((customers.paying, customers.paying_more_than_once), (2, 2));
    assert_eq!((customers.payments_with_reference, customers.payments_without_reference), (10, 10));

    scan.filter.attribute = Some(("country".into(), "Spain".into()));
    let view = tillwatch::analytics::scan_view(&line.lake, &snapshot, &scan).unwrap();
    let spanish: Changes = view.pieces.iter().map(made).collect();
    let attempts = spanish.values().flat_map(|block| block.attempts.values());
    assert_eq!(attempts.map(|sums| sums.count).sum::<i64>(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_found_by_any_id_with_its_history() {
    let line = Line::new().await;
    let at = "2026-11-24T10:00:00+08:00";
    line.send(vec![payment(&line, "a", at, Status::Pending)]).await;
    line.fold_until_empty().await;
    line.send(vec![payment(&line, "a", at, Status::Succeeded), payment(&line, "b", at, Status::Failed)])
        .await;
    line.fold_until_empty().await;
    let snapshot = line.context.snapshots.current();
    let stores = [line.store.id];
    let find =
        |id: &str| tillwatch::analytics::find_transactions(&line.lake, &snapshot, &stores, id).unwrap();
    let hit = find("order-a").remove(0);
    assert_eq!((hit.transaction_id.as_str(), hit.status), ("a", Status::Succeeded));
    assert!(find("nothing").is_empty());
    assert!(tillwatch::analytics::find_transactions(&line.lake, &snapshot, &[], "a").unwrap().is_empty());
    let detail =
        tillwatch::analytics::transaction_detail(&line.lake, &snapshot, &stores, hit.key, None).unwrap();
    let detail = detail.unwrap();
    assert_eq!(detail.current.line.status, Status::Succeeded);
    assert_eq!(detail.history.len(), 1);
    assert_eq!(detail.history[0].line.status, Status::Pending);
    let other_store = [tillwatch::domain::StoreId(99)];
    let hidden = tillwatch::analytics::transaction_detail(&line.lake, &snapshot, &other_store, hit.key, None);
    assert_eq!(hidden.unwrap(), None);
}

async fn junk(line: &Line) -> i64 {
    let received_at = line.context.clock.now();
    let batch = InboxBatch { stream: Stream::Transactions, rows: 3, arrow_ipc: b"junk", received_at };
    line.context.database.append_group(&[batch], &[]).await.unwrap()[0].1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let line = Line::new().await;
    let at = "2026-11-24T10:00:00+08:00";
    line.send(vec![payment(&line, "a", at, Status::Succeeded)]).await;
    let seq = junk(&line).await;
    line.send(vec![payment(&line, "b", at, Status::Succeeded)]).await;
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
    let rows: u64 = line.context.snapshots.current().files.values().flatten().map(|file| file.rows).sum();
    assert_eq!(rows, 2);
    let held = line.context.database.held_batches(10).await.unwrap();
    assert_eq!(held.iter().map(|batch| batch.seq).collect::<Vec<_>>(), [seq]);
    assert!(held[0].reason.contains("cannot be read"), "{}", held[0].reason);
    let text = String::from_utf8(line.context.metrics.text(0).unwrap()).unwrap();
    assert!(text.contains("tillwatch_inbox_held_batches 1\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_holds_up_only_the_batches_that_need_it() {
    let mut line = Line::new().await;
    let (early, late) = ("2026-11-04T10:00:00Z", "2026-11-24T10:00:00Z");
    line.send(vec![payment(&line, "a", early, Status::Pending)]).await;
    line.send(vec![payment(&line, "b", late, Status::Pending)]).await;
    line.fold_until_empty().await;
    let damaged = {
        let snapshot = line.context.snapshots.current();
        let day = snapshot.files.keys().next().copied().unwrap();
        line.lake.root().join(&snapshot.files[&day][0].path)
    };
    let right = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, b"not these bytes").unwrap();
    // After a start nothing is known of any file.
    line.fold = Fold::new(line.lake.clone());
    let needs_it = line.send(vec![payment(&line, "a", early, Status::Succeeded)]).await;
    let goes_on = line.send(vec![payment(&line, "b", late, Status::Succeeded)]).await;
    line.fold_until_empty().await;
    let database = &line.context.database;
    let held = database.held_batches(10).await.unwrap();
    assert_eq!(held.iter().map(|batch| batch.seq).collect::<Vec<_>>(), [needs_it]);
    assert_eq!(database.batch_outcome(goes_on).await.unwrap().unwrap().replaced, 1);

    std::fs::write(&damaged, right).unwrap();
    assert!(database.release_batch(needs_it).await.unwrap());
    line.fold_until_empty().await;
    line.assert_equals_rebuild().await;
    assert_eq!(line.context.database.batch_outcome(needs_it).await.unwrap().unwrap().replaced, 1);
}
