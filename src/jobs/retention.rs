//! Drops whole UTC days that are older than the owner keeps them. Off until the owner says how many days.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{Days, NaiveDate, TimeDelta};

use crate::analytics::{
    Attempt, Changes, GROUP_COLUMNS, Grains, Snapshot, add_conversion, add_ledger_lines, add_transactions,
    attempts,
};
use crate::domain::{Instant, Store, Stream, instant_from_ms};
use crate::lake::{FileSet, Lake, LakeFile};
use crate::store::{CareAction, CareEntry, Database, FoldCommit, Upkeep};

use super::doctor::steady_snapshot;
use super::fold::{Shared, random_token};
use super::rollups::changed_blocks;
use super::runner::{Job, JobContext, JobReport};

/// The setting that says how many days are kept; without it every day is.
pub const KEEP_DAYS: &str = "retention.keep_days";
/// The fewest days that may be kept: bills of a month come weeks later, and refunds too.
pub const KEEP_DAYS_MIN: u32 = 60;
/// Settings of the job's own: when it last looked at the clock, and since when the clock went steadily.
const LAST_LOOKED: &str = "retention.last_looked_ms";
const STEADY_SINCE: &str = "retention.steady_since_ms";
/// How often the job looks.
const INTERVAL: Duration = Duration::from_hours(1);
/// A clock that moved more than this between two looks jumped, or the server was off: wait this long and look again.
const STEADY: TimeDelta = TimeDelta::hours(24);

/// What would be dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Days older than this one.
    pub before: NaiveDate,
    /// Oldest first.
    pub days: Vec<NaiveDate>,
    pub files: usize,
    pub rows: u64,
}

/// The days that are older than so many days.
pub fn expired(snapshot: &Snapshot, now: Instant, keep_days: u32) -> Expired {
    let keep = Days::new(u64::from(keep_days.max(KEEP_DAYS_MIN)));
    let before = now.date_naive().checked_sub_days(keep).unwrap_or(NaiveDate::MIN);
    let mut found = Expired { before, ..Expired::default() };
    for ((_, day), files) in snapshot.files.iter().filter(|((_, day), _)| *day < before) {
        found.days.push(*day);
        found.files += files.len();
        found.rows += files
            .iter()
            .filter(|file| file.file_set == FileSet::Current)
            .map(|file| file.live_rows())
            .sum::<u64>();
    }
    found.days.sort_unstable();
    found.days.dedup();
    found
}

/// Drops one day, the oldest there is: its files, their history and what they add to the figures, in one transaction.
///
/// Money of a day's records that moved on a later day leaves that day's figures too: they always are what the rows give.
///
/// # Errors
/// When a file of it, or of the two days after it, cannot be read; when a fold came first.
pub async fn drop_day(
    database: &Database,
    lake: &Lake,
    snapshot: &Arc<Snapshot>,
    stores: &[Store],
    day: NaiveDate,
    at: Instant,
) -> anyhow::Result<i64> {
    let near = |place: &NaiveDate| *place >= day && *place <= day + Days::new(2);
    if snapshot.quarantined.keys().any(|(_, place)| near(place)) {
        bail!("a file of {day} or of the days after it cannot be read; run `tillwatch repair` first");
    }
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let (reader, base) = (lake.clone(), Arc::clone(snapshot));
    let changes = tokio::task::spawn_blocking(move || changes_without(&reader, &base, &grains, day))
        .await
        .context("the dropping thread died")??;
    let files: Vec<Arc<LakeFile>> = snapshot
        .files
        .iter()
        .filter(|((_, of), _)| *of == day)
        .flat_map(|(_, files)| files)
        .cloned()
        .collect();
    let rows: u64 =
        files.iter().filter(|file| file.file_set == FileSet::Current).map(|file| file.live_rows()).sum();
    let mut change = FoldCommit::nothing(random_token()?, snapshot.version, at);
    (change.blocks, change.calendars) =
        changed_blocks(database, snapshot, &changes, stores).await.context("changing the rollups")?;
    let detail = format!("{} files with {rows} rows dropped: older than they are kept", files.len());
    change.retired = files;
    let entry = CareEntry { at, action: CareAction::Retention, subject: day.to_string(), detail };
    let upkeep = Upkeep { change, quarantined: Vec::new(), trusted_again: Vec::new(), entries: vec![entry] };
    database.commit_upkeep(&upkeep).await.with_context(|| format!("dropping {day}"))
}

/// The signed cells of a day's rows, and of the payments that reach over its end.
fn changes_without(
    lake: &Lake,
    snapshot: &Snapshot,
    grains: &Grains,
    day: NaiveDate,
) -> anyhow::Result<Changes> {
    let mut changes = Changes::default();
    let of = |stream: Stream, day: NaiveDate| {
        let files = snapshot.files.get(&(stream, day)).map_or(&[][..], Vec::as_slice);
        files.iter().filter(|file| file.file_set == FileSet::Current)
    };
    let mut gone: Vec<Attempt> = Vec::new();
    for file in of(Stream::Transactions, day) {
        add_transactions(&mut changes, &lake.read(file, None)?, -1, grains)?;
        gone.append(&mut attempts(&lake.read(file, Some(&GROUP_COLUMNS))?)?);
    }
    for file in of(Stream::LedgerLines, day) {
        add_ledger_lines(&mut changes, &lake.read(file, None)?, -1, grains)?;
    }
    let mut stays: Vec<Attempt> = Vec::new();
    for later in day.iter_days().skip(1).take(2) {
        for file in of(Stream::Transactions, later) {
            stays.append(&mut attempts(&lake.read(file, Some(&GROUP_COLUMNS))?)?);
        }
    }
    let before = stays.iter().cloned().chain(gone).collect();
    add_conversion(&mut changes, before, -1, grains);
    add_conversion(&mut changes, stays, 1, grains);
    Ok(changes)
}

/// Drops what is older than the owner keeps, a day at a time.
pub struct Retention {
    lake: Lake,
    shared: Shared,
}

impl Retention {
    /// Retention in this lake, taking turns with those who share this.
    pub const fn new(lake: Lake, shared: Shared) -> Self {
        Self { lake, shared }
    }
}

impl Job for Retention {
    const NAME: &'static str = "retention";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        let keep = context.database.setting(KEEP_DAYS).await?.and_then(|days| days.parse::<u32>().ok());
        let Some(keep) = keep else { return Ok(JobReport::default()) };
        if !clock_is_steady(&context.database, now).await? {
            return Ok(JobReport::default());
        }
        // Folds of this process wait for the one day: else the next of them would always be first on a busy server.
        let _turn = self.shared.turn().await;
        let snapshot = Arc::new(steady_snapshot(&context.database).await?);
        let Some(day) = expired(&snapshot, now, keep).days.first().copied() else {
            return Ok(JobReport::default());
        };
        let stores = context.database.stores().await?;
        drop_day(&context.database, &self.lake, &snapshot, &stores, day, now).await?;
        context.snapshots.publish(context.database.load_snapshot().await?);
        Ok(JobReport { done: 1, more: true })
    }
}

/// False when the clock jumped since the last look, or has not gone steadily for a day since it did: a clock that is
/// wrong must not erase data.
pub async fn clock_is_steady(database: &Database, now: Instant) -> anyhow::Result<bool> {
    let (last, since) = (noted(database, LAST_LOOKED).await?, noted(database, STEADY_SINCE).await?);
    let shown = now.timestamp_millis().to_string();
    database.put_setting(LAST_LOOKED, &shown, now).await?;
    let jumped = last.is_none_or(|last| now < last || now - last > STEADY);
    if jumped || since.is_none() {
        database.put_setting(STEADY_SINCE, &shown, now).await?;
        return Ok(false);
    }
    Ok(since.is_some_and(|since| now - since >= STEADY))
}

async fn noted(database: &Database, name: &str) -> anyhow::Result<Option<Instant>> {
    let ms = database.setting(name).await?.and_then(|ms| ms.parse().ok());
    Ok(ms.map(instant_from_ms))
}
