//! Takes waiting inbox batches into the lake and the rollups.
//!
//! Read an explicit list of batches → per stream and UTC day find what they supersede and write new files → work out
//! the change of the rollups from the rows that came and the rows that went → commit files, rollups, marks and data
//! version in one transaction → publish the new snapshot. Killed at any point and run again, it leaves the same files,
//! rollups and rows: before the commit nothing happened, after it all of it happened.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{Days, NaiveDate};

use crate::analytics::{
    Changes, DayBlock, Freshness, GROUP_COLUMNS, Grains, Snapshot, add_conversion, add_ledger_lines,
    add_transactions, attempts, raise_freshness,
};
use crate::domain::{Instant, StoreId, Stream, Word};
use crate::lake::{
    FileSet, Frame, Lake, LakeError, LakeFile, PartitionFold, SupersededRows, decode_batch, fold_partition,
    split_by_day,
};
use crate::store::{BatchOutcome, FoldCommit, StoreError};

use crate::telemetry::FoldResult;

use super::payment_metrics::{count_payments, gauge_pending};
use super::runner::{Job, JobContext, JobReport};

/// Batches in one fold.
const FOLD_BATCHES_MAX: i64 = 256;
/// Rows in one fold: bounds its memory.
const FOLD_ROWS_MAX: u64 = 100_000;
/// How often the inbox is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// The fold.
pub struct Fold {
    lake: Lake,
}

impl Fold {
    /// A fold into this lake.
    pub const fn new(lake: Lake) -> Self {
        Self { lake }
    }
}

impl Job for Fold {
    const NAME: &'static str = "fold";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let waiting =
            context.database.waiting_batches(FOLD_BATCHES_MAX).await.context("listing waiting batches")?;
        context.metrics.set_inbox_batches(waiting.len());
        let mut batches = Vec::new();
        let mut rows = 0;
        for batch in &waiting {
            if rows > 0 && rows + batch.rows > FOLD_ROWS_MAX {
                break;
            }
            rows += batch.rows;
            let bytes = context.database.read_batch(batch.seq).await.context("reading a batch")?;
            batches.push((batch.seq, batch.stream, bytes));
        }
        if batches.is_empty() {
            return Ok(JobReport::default());
        }
        let more = batches.len() < waiting.len() || waiting.len() == usize::try_from(FOLD_BATCHES_MAX)?;
        let timer = std::time::Instant::now();
        self.fold(context, batches).await?;
        context.metrics.fold_took(timer.elapsed().as_secs_f64());
        Ok(JobReport { done: rows, more })
    }
}

impl Fold {
    async fn fold(&self, context: &JobContext, batches: Vec<(i64, Stream, Vec<u8>)>) -> anyhow::Result<()> {
        let base = context.snapshots.current();
        let stores = context.database.stores().await.context("reading the stores")?;
        let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
        let token = random_token()?;
        let at = context.clock.now();

        let plan = plan_files(&base, &batches, &token)?;
        context.database.intend_files(&token, &plan.intents(), at).await.context("noting intended files")?;

        let (lake, snapshot) = (self.lake.clone(), Arc::clone(&base));
        let seqs: Vec<i64> = batches.iter().map(|batch| batch.0).collect();
        let folded = tokio::task::spawn_blocking(move || compute(&lake, &snapshot, plan, &grains))
            .await
            .context("the fold thread died")?
            .context("folding")?;

        let changes = folded.changes.clone();
        let commit = folded.into_commit(&base, &seqs, token, at);
        let timer = std::time::Instant::now();
        let committed = context.database.commit_fold(&commit).await;
        match &committed {
            Ok(_) => context.metrics.database_took("commit_fold", timer.elapsed().as_secs_f64()),
            Err(StoreError::Conflict(_)) => context.metrics.database_failed("commit_fold", "conflict"),
            Err(_) => context.metrics.database_failed("commit_fold", "not_committed"),
        }
        let version = match committed {
            Ok(version) => version,
            Err(StoreError::Unavailable(error)) => {
                // Unknown outcome: the token in the database says whether this fold won. Its files stay either way.
                let (version, winner, _) =
                    context.database.data_version().await.context("settling a commit")?;
                if winner != commit.token {
                    return Err(error).context("committing the fold");
                }
                version
            }
            Err(error) => return Err(error).context("committing the fold"),
        };
        for (stream, outcome) in &commit_outcomes(&commit, &batches) {
            for (result, rows) in [
                (FoldResult::New, outcome.new),
                (FoldResult::Replaced, outcome.replaced),
                (FoldResult::Unchanged, outcome.unchanged),
            ] {
                context.metrics.rows_folded(*stream, result, u64::try_from(rows).unwrap_or(0));
            }
        }
        context.metrics.snapshot_published(at);
        count_payments(&context.metrics, &changes);
        let next = next_snapshot(&base, version, commit);
        gauge_pending(&context.metrics, &next, at);
        context.snapshots.publish(next);
        Ok(())
    }
}

/// One partition's incoming rows, and the ids its files will have.
struct Partition {
    stream: Stream,
    day: NaiveDate,
    incoming: Frame,
    current_id: String,
    history_id: String,
}

struct Plan {
    partitions: Vec<Partition>,
}

impl Plan {
    fn intents(&self) -> Vec<(String, Stream, NaiveDate, FileSet, String)> {
        let mut intents = Vec::new();
        for part in &self.partitions {
            for (id, set) in [(&part.current_id, FileSet::Current), (&part.history_id, FileSet::History)] {
                let path = Lake::path_for(part.stream, part.day, set, id);
                intents.push((id.clone(), part.stream, part.day, set, path));
            }
        }
        intents
    }
}

/// 128 random bits in hex.
pub(super) fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

fn plan_files(base: &Snapshot, batches: &[(i64, Stream, Vec<u8>)], token: &str) -> anyhow::Result<Plan> {
    let mut partitions = Vec::new();
    for stream in Stream::ALL {
        let mut frames = Vec::new();
        for (seq, _, bytes) in batches.iter().filter(|batch| batch.1 == stream) {
            frames.push((*seq, decode_batch(bytes).with_context(|| format!("decoding batch {seq}"))?));
        }
        for (day, incoming) in split_by_day(stream, frames)? {
            let place = partitions.len();
            let name = |set: &str| format!("{:08}-{token}-{place}{set}", base.version + 1);
            partitions.push(Partition {
                stream,
                day,
                incoming,
                current_id: name("c"),
                history_id: name("h"),
            });
        }
    }
    Ok(Plan { partitions })
}

/// What a fold computed, before it is committed.
struct Folded {
    added: Vec<LakeFile>,
    retired: Vec<Arc<LakeFile>>,
    superseded: Vec<(Arc<LakeFile>, Arc<SupersededRows>)>,
    changes: Changes,
    freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
    outcomes: HashMap<i64, BatchOutcome>,
}

/// The whole computation; runs on a blocking thread.
fn compute(lake: &Lake, base: &Snapshot, plan: Plan, grains: &Grains) -> anyhow::Result<Folded> {
    let mut folded = Folded {
        added: Vec::new(),
        retired: Vec::new(),
        superseded: Vec::new(),
        changes: Changes::default(),
        freshness: BTreeMap::new(),
        outcomes: HashMap::new(),
    };
    let mut transactions: Vec<(NaiveDate, PartitionFold)> = Vec::new();
    refuse_quarantined(base, &plan)?;
    for part in plan.partitions {
        let files = base.files.get(&(part.stream, part.day)).map_or(&[][..], Vec::as_slice);
        let file_id = |set: FileSet| match set {
            FileSet::Current => part.current_id.clone(),
            FileSet::History => part.history_id.clone(),
        };
        let mut fold = fold_partition(lake, part.stream, part.day, files, &part.incoming, file_id)
            .with_context(|| format!("folding {} of {}", part.stream.as_str(), part.day))?;
        raise_freshness(&mut folded.freshness, part.stream, &part.incoming)?;
        for (seq, counts) in &fold.outcomes {
            let outcome = folded.outcomes.entry(*seq).or_default();
            outcome.new += counts[0];
            outcome.replaced += counts[1];
            outcome.unchanged += counts[2];
        }
        folded.added.append(&mut fold.added);
        folded.retired.append(&mut fold.retired);
        folded.superseded.append(&mut fold.superseded);
        match part.stream {
            Stream::Transactions => {
                add_transactions(&mut folded.changes, &fold.plus, 1, grains)?;
                add_transactions(&mut folded.changes, &fold.minus, -1, grains)?;
                transactions.push((part.day, fold));
            }
            Stream::LedgerLines => {
                add_ledger_lines(&mut folded.changes, &fold.plus, 1, grains)?;
                add_ledger_lines(&mut folded.changes, &fold.minus, -1, grains)?;
            }
            Stream::CheckoutEvents => {}
        }
    }
    change_conversion(lake, base, &transactions, grains, &mut folded.changes)?;
    Ok(folded)
}

/// Nothing is folded beside a file whose rows cannot be read: what a row supersedes, and which payment it belongs to,
/// would be guessed. The batches wait until the file is repaired.
fn refuse_quarantined(base: &Snapshot, plan: &Plan) -> anyhow::Result<()> {
    for part in &plan.partitions {
        let needed = match part.stream {
            Stream::Transactions => days_around(std::iter::once(part.day)),
            Stream::LedgerLines | Stream::CheckoutEvents => BTreeSet::from([part.day]),
        };
        if let Some(day) = needed.iter().find(|day| base.quarantined.contains_key(&(part.stream, **day))) {
            anyhow::bail!("a file of {day} is set aside; run `tillwatch repair`");
        }
    }
    Ok(())
}

/// Takes the old contribution of every touched group out of the conversion cells and puts the new one in.
///
/// A change on day d touches intents that begin on d−1, d or d+1, and those are judged from the rows of d−2 to d+2.
/// Intents further out are judged alike before and after, so that what is not loaded cancels.
fn change_conversion(
    lake: &Lake,
    base: &Snapshot,
    folds: &[(NaiveDate, PartitionFold)],
    grains: &Grains,
    changes: &mut Changes,
) -> anyhow::Result<()> {
    let mut plus = Vec::new();
    let mut minus = Vec::new();
    for (_, fold) in folds {
        plus.append(&mut attempts(&fold.plus)?);
        minus.append(&mut attempts(&fold.minus)?);
    }
    let touched: HashSet<u64> =
        plus.iter().chain(&minus).filter(|row| row.grouped).map(|row| row.group).collect();
    let gone: HashSet<_> = minus.iter().map(|row| row.key).collect();
    let context = rows_of_groups(lake, base, &days_around(folds.iter().map(|(day, _)| *day)), &touched)?;

    let mut after: Vec<_> = context.iter().filter(|row| !gone.contains(&row.key)).cloned().collect();
    after.extend(plus);
    let mut before = context;
    // Rows without a group stand alone: they were not loaded, and are their own context.
    before.extend(minus.into_iter().filter(|row| !row.grouped));
    add_conversion(changes, before, -1, grains);
    add_conversion(changes, after, 1, grains);
    Ok(())
}

fn days_around(days: impl Iterator<Item = NaiveDate>) -> BTreeSet<NaiveDate> {
    days.flat_map(|day| {
        let first = day.checked_sub_days(Days::new(2)).unwrap_or(day);
        first.iter_days().take(5)
    })
    .collect()
}

fn rows_of_groups(
    lake: &Lake,
    base: &Snapshot,
    days: &BTreeSet<NaiveDate>,
    groups: &HashSet<u64>,
) -> Result<Vec<crate::analytics::Attempt>, LakeError> {
    let mut found = Vec::new();
    if groups.is_empty() {
        return Ok(found);
    }
    for day in days {
        let files = base.files.get(&(Stream::Transactions, *day)).map_or(&[][..], Vec::as_slice);
        for file in files.iter().filter(|file| file.file_set == FileSet::Current) {
            let rows = lake.read(file, Some(&GROUP_COLUMNS))?.rows_with_hash("group_hash", groups)?;
            found.append(&mut attempts(&rows)?);
        }
    }
    Ok(found)
}

impl Folded {
    fn into_commit(self, base: &Snapshot, seqs: &[i64], token: String, at: Instant) -> FoldCommit {
        let blocks = self
            .changes
            .into_iter()
            .filter(|(_, change)| !change.is_empty())
            .map(|((store, day), change)| {
                let mut block =
                    present_block(base, store, day).map_or_else(DayBlock::default, |block| (*block).clone());
                block.apply(&change);
                (store, day, Arc::new(block))
            })
            .collect();
        let batches =
            seqs.iter().map(|seq| (*seq, self.outcomes.get(seq).copied().unwrap_or_default())).collect();
        FoldCommit {
            token,
            base_version: base.version,
            folded_at: at,
            batches,
            added: self.added,
            retired: self.retired,
            superseded: self.superseded,
            blocks,
            freshness: self.freshness,
        }
    }
}

fn present_block(base: &Snapshot, store: StoreId, day: NaiveDate) -> Option<Arc<DayBlock>> {
    base.rollups.get(&store)?.get(&day).cloned()
}

fn commit_outcomes(commit: &FoldCommit, batches: &[(i64, Stream, Vec<u8>)]) -> Vec<(Stream, BatchOutcome)> {
    let streams: HashMap<i64, Stream> = batches.iter().map(|(seq, stream, _)| (*seq, *stream)).collect();
    commit.batches.iter().filter_map(|(seq, outcome)| Some((*streams.get(seq)?, *outcome))).collect()
}

fn next_snapshot(base: &Snapshot, version: i64, commit: FoldCommit) -> Snapshot {
    let mut next = base.clone();
    next.version = version;
    next.folded_at = commit.folded_at;
    let retired: HashSet<&str> = commit.retired.iter().map(|file| file.id.as_str()).collect();
    let partitions: BTreeSet<(Stream, NaiveDate)> =
        commit.retired.iter().map(|file| (file.stream, file.day)).collect();
    for partition in partitions {
        if let Some(files) = next.files.get_mut(&partition) {
            files.retain(|file| !retired.contains(file.id.as_str()));
        }
    }
    for (file, rows) in commit.superseded {
        let files = next.files.entry((file.stream, file.day)).or_default();
        for present in files.iter_mut().filter(|present| present.id == file.id) {
            *present = Arc::new(LakeFile { superseded: Arc::clone(&rows), ..LakeFile::clone(present) });
        }
    }
    for file in commit.added {
        next.files.entry((file.stream, file.day)).or_default().push(Arc::new(file));
    }
    for (store, day, block) in commit.blocks {
        let days = next.rollups.entry(store).or_default();
        let days = Arc::make_mut(days);
        if block.is_empty() {
            days.remove(&day);
        } else {
            days.insert(day, block);
        }
    }
    for (key, fresh) in commit.freshness {
        let known = next.freshness.entry(key).or_insert(fresh);
        known.last_event = known.last_event.max(fresh.last_event);
        known.last_received = known.last_received.max(fresh.last_received);
    }
    next
}
