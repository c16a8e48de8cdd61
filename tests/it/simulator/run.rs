//! One run: what happens in which order, and whether all is well at its end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use tillwatch::analytics::{Changes, DayBlock, Grains, Snapshot, add_conversion};
use tillwatch::domain::Stream;
use tillwatch::jobs::fold::{
    Counted, MERGE_ROWS_MAX, Withdrawn, days_to_withdraw, fold_waiting, merge_due, sweep, withdraw_day,
};
use tillwatch::lake::{FileSet, LakeFile, Table};

use super::Break;
use super::database::{Database, FileState, InboxBatch};
use super::disk::Disk;
use super::node::{Node, Shared};
use super::random::Random;
use super::rows::{Row, Rows};

/// Things that happen in one run.
const ACTIONS: u64 = 3_000;
const NODES: usize = 2;
/// Few, so that their rows meet.
const IMPORTS: u64 = 12;
const TASKS_PER_NODE: usize = 3;
/// Rounds after which a run that does not come to rest is at fault.
const ROUNDS_TO_REST: usize = 400;

/// What runs went through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    commits: u64,
    batches: u64,
    kills: u64,
    power_cuts: u64,
    held: u64,
    superseded: u64,
    merges: u64,
    /// Merges whose rows a fold superseded meanwhile.
    pub merges_overtaken: u64,
    given_up: u64,
    taken_out: u64,
    brought_back: u64,
}

impl Counts {
    pub fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("a commit", self.commits),
            ("a batch", self.batches),
            ("a kill", self.kills),
            ("a power cut", self.power_cuts),
            ("a batch set aside", self.held),
            ("a superseded row", self.superseded),
            ("a merged file", self.merges),
            ("a file given up", self.given_up),
            ("a row taken out", self.taken_out),
            ("a row brought back", self.brought_back),
        ]
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.commits += more.commits;
        self.batches += more.batches;
        self.kills += more.kills;
        self.power_cuts += more.power_cuts;
        self.held += more.held;
        self.superseded += more.superseded;
        self.merges += more.merges;
        self.merges_overtaken += more.merges_overtaken;
        self.given_up += more.given_up;
        self.taken_out += more.taken_out;
        self.brought_back += more.brought_back;
    }
}

struct Task {
    node: usize,
    work: Pin<Box<dyn Future<Output = ()>>>,
    /// It sleeps until then: a process that was stopped, or is just slow.
    sleeps_until: u64,
    has_slept: bool,
}

struct Run {
    shared: Rc<Shared>,
    nodes: Vec<Rc<Node>>,
    tasks: Vec<Task>,
    counts: Counts,
}

/// Runs one seed; what is wrong at its end, if anything.
pub fn run(seed: u64, broken: Break) -> Result<Counts, String> {
    let shared = Rc::new(Shared {
        database: Database::new(broken),
        disk: Disk::default(),
        random: RefCell::new(Random::of(seed)),
        steps: RefCell::default(),
        is_rough: RefCell::new(true),
    });
    let nodes = (0..NODES).map(|_| Node::start(&shared)).collect();
    let mut run = Run { shared, nodes, tasks: Vec::new(), counts: Counts::default() };
    for _ in 0..ACTIONS {
        run.act();
    }
    run.cut_power();
    run.come_to_rest()?;
    run.judge()?;
    Ok(run.counts)
}

impl Run {
    fn below(&self, limit: u64) -> u64 {
        self.shared.random.borrow_mut().below(limit)
    }

    fn choose(&self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap())).unwrap()
    }

    /// One thing happens: mostly a task takes a step, now and then one begins, sleeps, dies.
    fn act(&mut self) {
        match self.below(100) {
            0..12 => self.begin(),
            12..14 => self.put_to_sleep(),
            14 if self.below(8) == 0 => self.kill(),
            15 if self.below(30) == 0 => self.cut_power(),
            _ => self.poll(),
        }
    }

    fn begin(&mut self) {
        let node = self.choose(NODES);
        if self.tasks.iter().filter(|task| task.node == node).count() >= TASKS_PER_NODE {
            return;
        }
        let world = Rc::clone(&self.nodes[node]);
        let work: Pin<Box<dyn Future<Output = ()>>> = match self.below(10) {
            0..4 => {
                let batch = self.batch();
                Box::pin(async move { take_in(&world, batch).await })
            }
            // An error is no fault: what it left undone is tried again, and judged at the end.
            4..7 => Box::pin(async move { drop(fold_waiting(&*world).await) }),
            7..9 => Box::pin(async move { drop(merge_due(&*world, MERGE_ROWS_MAX).await) }),
            _ if self.below(3) == 0 => {
                let import = self.import();
                Box::pin(async move { drop(take_back(&world, import).await) })
            }
            _ => Box::pin(async move { drop(sweep(&*world).await) }),
        };
        self.tasks.push(Task { node, work, sleeps_until: 0, has_slept: false });
    }

    fn put_to_sleep(&mut self) {
        if !self.tasks.is_empty() {
            let (place, steps) = (self.choose(self.tasks.len()), self.below(150));
            let task = &mut self.tasks[place];
            // Once: whoever sleeps longer than files are kept, and then dies, may leave one that no row leads to.
            if !std::mem::replace(&mut task.has_slept, true) {
                task.sleeps_until = *self.shared.steps.borrow() + steps;
            }
        }
    }

    fn poll(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        let place = self.choose(self.tasks.len());
        let now = *self.shared.steps.borrow();
        let task = &mut self.tasks[place];
        if task.sleeps_until > now {
            // Time goes on while everybody sleeps.
            *self.shared.steps.borrow_mut() += 1;
            return;
        }
        if task.work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            drop(self.tasks.swap_remove(place));
        }
    }

    /// A process dies: its tasks and its memory are gone, the disk's cache is not.
    fn kill(&mut self) {
        self.counts.kills += 1;
        let node = self.choose(NODES);
        self.tasks.retain(|task| task.node != node);
        self.nodes[node] = Node::start(&self.shared);
    }

    fn cut_power(&mut self) {
        self.counts.power_cuts += 1;
        self.tasks.clear();
        self.nodes = (0..NODES).map(|_| Node::start(&self.shared)).collect();
        self.shared.disk.cut_power(&mut self.shared.random.borrow_mut());
    }

    /// Rows of a batch, or nothing that could be read.
    fn batch(&self) -> (Stream, Vec<Row>, bool) {
        let stream = if self.below(4) == 0 { Stream::LedgerLines } else { Stream::Transactions };
        let import = (self.below(3) == 0).then(|| self.import());
        let rows = (0..=self.below(6)).map(|_| Row { import, ..self.row() }).collect();
        (stream, rows, self.below(25) == 0)
    }

    fn import(&self) -> u8 {
        u8::try_from(self.below(IMPORTS)).unwrap()
    }

    fn row(&self) -> Row {
        let id = u16::try_from(self.below(12)).unwrap();
        let (day, minute) = (u8::try_from(self.below(3)).unwrap(), u16::try_from(self.below(1440)).unwrap());
        // The same id with the same version is the same row at most times, so that rows are repeated.
        let version = (id < 9).then(|| i64::try_from(self.below(5)).unwrap());
        let content = u16::try_from(version.unwrap_or(0)).unwrap() + id * 7;
        Row {
            id,
            day,
            minute: if id < 9 && self.below(3) == 0 { minute } else { content },
            version,
            paid: content % 3 == 0,
            amount: i32::from(content) * 100 + 1,
            group: (id % 3 != 0).then_some(u8::try_from(id % 4).unwrap()),
            import: None,
            arrival: 0,
        }
    }

    /// Nothing fails any more: one process folds until nothing waits, merges and sweeps.
    fn come_to_rest(&mut self) -> Result<(), String> {
        *self.shared.is_rough.borrow_mut() = false;
        let node = Node::start(&self.shared);
        self.nodes = vec![Rc::clone(&node)];
        for _ in 0..ROUNDS_TO_REST {
            finish(fold_waiting(&*node)).map_err(|error| format!("the last folds fail: {error:#}"))?;
            if self.shared.database.waiting().is_empty() {
                self.take_back_all(&node)?;
                self.no_file_without_a_name()?;
                return self.sweep_all(&node);
            }
        }
        Err(format!("{} batches are never folded", self.shared.database.waiting().len()))
    }

    fn take_back_all(&mut self, node: &Node) -> Result<(), String> {
        if self.shared.database.broken == Break::WithdrawalRepeated {
            return Ok(());
        }
        let withdrawn = self.shared.database.state.borrow().withdrawn.clone();
        for import in withdrawn {
            finish(take_back(node, import)).map_err(|error| format!("withdrawing fails: {error:#}"))?;
        }
        Ok(())
    }

    fn sweep_all(&mut self, node: &Node) -> Result<(), String> {
        while finish(merge_due(node, MERGE_ROWS_MAX)).map_err(|error| format!("merging fails: {error:#}"))? {}
        for _ in 0..2 {
            *self.shared.steps.borrow_mut() += 10_000;
            finish(sweep(node)).map_err(|error| format!("sweeping fails: {error:#}"))?;
        }
        Ok(())
    }

    /// Every file on the disk is one that a row of the manifest leads to.
    fn no_file_without_a_name(&mut self) -> Result<(), String> {
        let state = self.shared.database.state.borrow();
        let mut named: BTreeSet<String> = BTreeSet::new();
        for row in state.files.values() {
            named.insert(row.path.replace(".parquet", ".tmp"));
            named.insert(row.path.clone());
        }
        self.counts.given_up +=
            u64::try_from(state.files.values().filter(|row| row.file.is_none()).count()).unwrap();
        let on_disk = self.shared.disk.paths();
        match on_disk.difference(&named).next() {
            Some(orphan) => Err(format!("{orphan} is on the disk, and no row leads to it")),
            None => Ok(()),
        }
    }

    fn judge(&mut self) -> Result<(), String> {
        let shared = Rc::clone(&self.shared);
        let state = shared.database.state.borrow();
        let live: BTreeSet<String> = state
            .files
            .values()
            .filter(|row| row.state == FileState::Live)
            .map(|row| row.path.clone())
            .collect();
        equal("files on the disk and live files", &shared.disk.paths(), &live)?;

        let mut expected: BTreeMap<(Stream, u64), Row> = BTreeMap::new();
        let (mut versions, mut stays) = (BTreeSet::new(), BTreeSet::new());
        for (seq, batch) in &state.inbox {
            self.judge_batch(*seq, batch)?;
            let Ok(rows) = Rows::decode_batch(&batch.bytes) else { continue };
            for row in rows.0 {
                versions.insert((batch.stream, row.key().low, row.hash()));
                if row.import.is_some_and(|import| state.withdrawn.contains(&import)) {
                    continue;
                }
                stays.insert((batch.stream, row.key().low, row.hash()));
                let latest = expected.entry((batch.stream, row.key().low)).or_insert(row);
                if row.beats(latest) {
                    *latest = row;
                }
            }
        }
        self.counts.commits += u64::try_from(state.version).unwrap();
        self.counts.taken_out += state.rows_taken_out;
        self.counts.brought_back += state.rows_brought_back;
        let withdrawn = state.withdrawn.clone();
        drop(state);
        self.judge_rows(&Acknowledged { latest: expected, versions, stays, withdrawn })
    }

    fn judge_batch(&mut self, seq: i64, batch: &InboxBatch) -> Result<(), String> {
        self.counts.batches += 1;
        let is_poison = Rows::decode_batch(&batch.bytes).is_err();
        self.counts.held += u64::from(is_poison);
        match (&batch.held, batch.is_folded) {
            (Some(_), false) if is_poison => Ok(()),
            (None, true) if !is_poison => Ok(()),
            (held, folded) => Err(format!("batch {seq}: poison {is_poison}, held {held:?}, folded {folded}")),
        }
    }

    /// What the live files hold is exactly the latest rows, once each; rollups equal a rebuild from them; every version
    /// that was ever acknowledged is in a file.
    fn judge_rows(&mut self, acknowledged: &Acknowledged) -> Result<(), String> {
        let snapshot = self.shared.database.load();
        self.counts.merges_overtaken += self.shared.database.state.borrow().merges_overtaken;
        let by_id = |snapshot: &Snapshot| {
            let files = snapshot.files.values().flatten();
            files.map(|file| (file.id.clone(), LakeFile::clone(file))).collect::<BTreeMap<_, _>>()
        };
        let memory = self.nodes[0].snapshots.current();
        equal("files in memory and in the database", &by_id(&memory), &by_id(&snapshot))?;
        let (mut found, mut kept) = (Vec::new(), BTreeSet::new());
        let (mut rebuilt, mut attempts) = (Changes::default(), Vec::new());
        for ((stream, _), files) in &snapshot.files {
            for file in files {
                let bytes =
                    self.shared.disk.read(&file.path).ok_or_else(|| format!("{} is gone", file.path))?;
                if blake3::hash(&bytes).to_hex().as_str() != file.blake3 {
                    return Err(format!("{} is damaged", file.path));
                }
                self.counts.merges += u64::from(file.id.ends_with('m'));
                self.counts.superseded += u64::try_from(file.superseded.len()).unwrap();
                let all = Rows::decode(&bytes, None).map_err(|error| error.to_string())?;
                kept.extend(all.0.iter().map(|row| (*stream, row.key().low, row.hash())));
                let places: Vec<usize> =
                    (0..all.height()).filter(|at| !file.superseded.contains(*at)).collect();
                let rows = all.take(&places).map_err(|error| error.to_string())?;
                if file.file_set == FileSet::History {
                    self.counts.superseded += u64::try_from(rows.height()).unwrap();
                    continue;
                }
                if let Some(row) = rows.0.iter().find(|row| acknowledged.is_withdrawn(row)) {
                    return Err(format!("{row:?} is live, and its import withdrawn"));
                }
                found.extend(rows.0.iter().map(|row| (*stream, Row { arrival: 0, import: None, ..*row })));
                let counted = rows.count_into(&mut rebuilt, *stream, 1, &Grains::default());
                counted.map_err(|error| error.to_string())?;
                if *stream == Stream::Transactions {
                    attempts.append(&mut rows.attempts().map_err(|error| error.to_string())?);
                }
            }
        }
        found.sort_unstable();
        let latest = acknowledged.latest.iter();
        let mut wanted: Vec<(Stream, Row)> =
            latest.map(|((of, _), row)| (*of, Row { import: None, ..*row })).collect();
        wanted.sort_unstable();
        equal("live rows and the latest of those acknowledged", &found, &wanted)?;
        let strangers: Vec<_> = kept.difference(&acknowledged.versions).collect();
        equal("versions in files that nobody sent", &strangers, &Vec::new())?;
        let lost: Vec<_> = acknowledged.stays.difference(&kept).collect();
        equal("versions that were acknowledged and are in no file", &lost, &Vec::new())?;
        add_conversion(&mut rebuilt, attempts, 1, &Grains::default());
        self.judge_rollups(&rebuilt)
    }

    fn judge_rollups(&self, rebuilt: &Changes) -> Result<(), String> {
        let clean = |block: &DayBlock| {
            let mut clean = DayBlock::default();
            clean.apply(block);
            clean
        };
        let rebuilt: BTreeMap<_, _> = rebuilt
            .iter()
            .map(|(place, block)| (*place, clean(block)))
            .filter(|(_, block)| !block.is_empty())
            .collect();
        let state = self.shared.database.state.borrow();
        equal("rollups and their rebuild", &state.blocks, &rebuilt)
    }
}

/// What senders were told is kept.
struct Acknowledged {
    /// The latest version of each record that was not withdrawn.
    latest: BTreeMap<(Stream, u64), Row>,
    /// Every version: stream, id and day, hash.
    versions: BTreeSet<(Stream, u64, u64)>,
    /// Those that came another way than by an import that was withdrawn.
    stays: BTreeSet<(Stream, u64, u64)>,
    withdrawn: BTreeSet<u8>,
}

impl Acknowledged {
    fn is_withdrawn(&self, row: &Row) -> bool {
        row.import.is_some_and(|import| self.withdrawn.contains(&import))
    }
}

/// A sender: its rows get a number when their transaction begins, are visible when it ends, and count from then on.
async fn take_in(world: &Node, (stream, rows, is_poison): (Stream, Vec<Row>, bool)) {
    let seq = {
        let mut state = world.shared.database.state.borrow_mut();
        state.next_seq += 1;
        state.next_seq
    };
    world.step().await;
    world.step().await;
    let count = u64::try_from(rows.len()).unwrap();
    let mut state = world.shared.database.state.borrow_mut();
    if rows.iter().filter_map(|row| row.import).any(|import| state.withdrawn.contains(&import)) {
        // An import that is withdrawn has come to its end.
        return;
    }
    let bytes = if is_poison { vec![0xff; 3] } else { Rows(rows).to_bytes() };
    let batch = InboxBatch { stream, rows: count, bytes, is_folded: false, held: None };
    state.inbox.insert(seq, batch);
}

/// Withdraws an import, unless some of its rows still wait.
async fn take_back(world: &Node, import: u8) -> anyhow::Result<Withdrawn> {
    let waits = {
        let mut state = world.shared.database.state.borrow_mut();
        state.withdrawn.insert(import);
        let waiting = state.inbox.values().filter(|batch| !batch.is_folded && batch.held.is_none());
        let rows = waiting.filter_map(|batch| Rows::decode_batch(&batch.bytes).ok());
        rows.flat_map(|rows| rows.0).any(|row| row.import == Some(import))
    };
    if waits {
        return Ok(Withdrawn::default());
    }
    let mut done = Withdrawn::default();
    for place in days_to_withdraw(world, None).await? {
        done += withdraw_day(world, i64::from(import), place).await?;
    }
    let mut state = world.shared.database.state.borrow_mut();
    state.rows_taken_out += done.taken_out;
    state.rows_brought_back += done.brought_back;
    Ok(done)
}

/// Drives a future to its end, alone.
fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} differ: {found:?}\nare not\n{wanted:?}")) }
}
