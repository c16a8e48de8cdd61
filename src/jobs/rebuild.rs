//! Every rollup made anew from the live rows: what the folds kept up must equal this.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chrono::{Days, NaiveDate};

use crate::analytics::{
    Attempt, Blocks, Calendar, Calendars, Changes, DayBlock, Directory, GROUP_COLUMNS, Grains, Level,
    LevelChanges, Snapshot, Written, add_conversion, add_ledger_lines, add_transactions, attempts,
    level_changes,
};
use crate::domain::{Store, StoreId, Stream};
use crate::lake::{FileSet, Frame, Lake, LakeError};
use crate::store::Database;

use super::doctor::steady_snapshot;
use super::fold::random_token;

/// Every block of [`Level::Hours`], from the live rows of the lake.
///
/// Holds all of them in memory: for tests and small data; [`rebuild_levels`] goes day by day.
///
/// # Errors
/// The first file that cannot be read.
pub fn rebuild_rollups(lake: &Lake, snapshot: &Snapshot, grains: &Grains) -> anyhow::Result<Changes> {
    let mut rebuild = Rebuild::new(lake, snapshot, grains);
    let mut all = Changes::default();
    for day in rebuild.days() {
        for (store, block) in rebuild.day(day)? {
            all.insert((store, day), block);
        }
    }
    for (place, change) in rebuild.left {
        all.entry(place).or_default().apply(&change);
    }
    all.retain(|_, block| !block.is_empty());
    Ok(all)
}

/// The stored snapshot; rollups of an older format, or of business days that stores no longer follow, are made anew.
///
/// # Errors
/// What the database says, or the first file that cannot be read.
pub async fn ready_snapshot(database: &Database, lake: &Lake) -> anyhow::Result<Snapshot> {
    let snapshot = steady_snapshot(database).await.context("reading the rollups")?;
    let stores = database.stores().await.context("reading the stores")?;
    let moved =
        |store: &Store| snapshot.calendars.get(&store.id).is_some_and(|kept| *kept != Calendar::of(store));
    let is_old = database.rollups_are_old().await?;
    if !is_old && !stores.iter().any(moved) {
        return Ok(snapshot);
    }
    if let Some(lost) = snapshot.quarantined.values().flatten().next() {
        // Made anew, the figures would lack its rows.
        ensure!(!is_old, "{} cannot be read; run `tillwatch repair`, then start again", lost.file.path);
        tracing::warn!(
            "a store's days have changed; its levels are made anew once `tillwatch repair` was run"
        );
        return Ok(snapshot);
    }
    tracing::info!(files = snapshot.files.len(), "the rollups are made anew from the rows");
    let snapshot = Arc::new(snapshot);
    let progress = |day| tracing::info!(%day, "rollups made anew");
    let made = rebuild_levels(database, lake, &snapshot, &stores, progress).await;
    made.context("making the rollups anew")
}

/// Makes the rollups of every level anew from the rows and stores them, day by day: memory holds the cells of some
/// days, whatever the lake holds. Killed on the way, the next start begins again.
///
/// # Errors
/// The first file that cannot be read, or what the database says.
pub async fn rebuild_levels(
    database: &Database,
    lake: &Lake,
    snapshot: &Arc<Snapshot>,
    stores: &[Store],
    progress: impl Fn(NaiveDate),
) -> anyhow::Result<Snapshot> {
    let token = random_token()?;
    let version = snapshot.version + 1;
    database.begin_rebuild(&token).await.context("beginning to make the rollups anew")?;
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let calendars: Calendars = stores.iter().map(|store| (store.id, Calendar::of(store))).collect();
    let (sender, mut made) = tokio::sync::mpsc::channel::<(NaiveDate, Vec<Written>)>(2);
    let worker = {
        let (lake, snapshot, calendars) = (lake.clone(), Arc::clone(snapshot), calendars.clone());
        tokio::task::spawn_blocking(move || make_levels(&lake, &snapshot, &grains, &calendars, &sender))
    };
    let (rollups, calendars_kept) = (Directory::default(), Calendars::new());
    let mut next = Snapshot { version, rollups, calendars: calendars_kept, ..(**snapshot).clone() };
    while let Some((day, blocks)) = made.recv().await {
        database.put_rebuilt(&token, &blocks, version).await.context("storing rollups")?;
        next.take_blocks(version, &blocks, &Calendars::new());
        progress(day);
    }
    let left = worker.await.context("the thread that makes rollups died")??;
    // Rows that were completed before they were created: their days are stored already.
    let levels = level_changes(&left, &calendars);
    let present = database.fetch_blocks(&next, &levels.wanted()).await.context("reading rollups again")?;
    let blocks = levels.applied(&present);
    database.put_rebuilt(&token, &blocks, version).await.context("storing rollups")?;
    next.take_blocks(version, &blocks, &Calendars::new());
    let with_rows = |store: &StoreId| next.rollups.days(Level::Hours, (*store).into()).is_some();
    let kept: Calendars = calendars.into_iter().filter(|(store, _)| with_rows(store)).collect();
    database.end_rebuild(&token, snapshot.version, &kept).await.context("ending the rebuild")?;
    next.calendars = kept;
    Ok(next)
}

/// Sends the blocks of each day as soon as nothing more can come to them; gives back what came too late.
fn make_levels(
    lake: &Lake,
    snapshot: &Snapshot,
    grains: &Grains,
    calendars: &Calendars,
    sender: &tokio::sync::mpsc::Sender<(NaiveDate, Vec<Written>)>,
) -> anyhow::Result<Changes> {
    let (days, read) = std::sync::mpsc::sync_channel(DAYS_AHEAD);
    std::thread::scope(|scope| {
        // One thread reads days, the other makes blocks of those before.
        let reader = scope.spawn(move || read_days(Rebuild::new(lake, snapshot, grains), &days));
        let blocks = make_blocks(&read, calendars, sender);
        // Nobody listens any more when the blocks could not be stored: then reading ends too.
        drop(read);
        let left = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        blocks.map_or(Ok(Changes::new()), |()| Ok(left))
    })
}

/// Days that are read before their blocks are made.
const DAYS_AHEAD: usize = 2;

type DayRead = (NaiveDate, BTreeMap<StoreId, DayBlock>);

/// Hands on every day; gives back the cells that came too late for theirs.
fn read_days(
    mut rebuild: Rebuild<'_>,
    days: &std::sync::mpsc::SyncSender<DayRead>,
) -> anyhow::Result<Changes> {
    for day in rebuild.days() {
        if days.send((day, rebuild.day(day)?)).is_err() {
            break;
        }
    }
    Ok(rebuild.left)
}

/// Sends the blocks of the days; `None` when nobody takes them.
fn make_blocks(
    days: &std::sync::mpsc::Receiver<DayRead>,
    calendars: &Calendars,
    sender: &tokio::sync::mpsc::Sender<(NaiveDate, Vec<Written>)>,
) -> Option<()> {
    let mut waiting = LevelChanges::default();
    for (day, blocks) in days {
        for (store, block) in blocks {
            waiting.add(store, day, &block, calendars.get(&store));
        }
        // A business day of a far zone with a late cut-off may end two UTC days after the one it is named by.
        let over = day.checked_sub_days(Days::new(2)).unwrap_or(day);
        let done = waiting.take_until(day, over);
        sender.blocking_send((day, done.applied_by_two(&Blocks::default()))).ok()?;
    }
    sender.blocking_send((NaiveDate::MAX, waiting.applied_by_two(&Blocks::default()))).ok()
}

/// Goes over the lake's days in order.
struct Rebuild<'a> {
    lake: &'a Lake,
    snapshot: &'a Snapshot,
    grains: &'a Grains,
    /// Attempts of the days around the present one.
    attempts: BTreeMap<NaiveDate, Vec<Attempt>>,
    /// Cells of rows of past days for the days to come, by the cash clock; in the end, those of days gone by.
    left: Changes,
}

impl<'a> Rebuild<'a> {
    const fn new(lake: &'a Lake, snapshot: &'a Snapshot, grains: &'a Grains) -> Self {
        Self { lake, snapshot, grains, attempts: BTreeMap::new(), left: Changes::new() }
    }

    /// Every day that may hold cells: those of partitions, and after them as far as the youngest row tells.
    fn days(&self) -> Vec<NaiveDate> {
        let first = self.snapshot.files.keys().map(|(_, day)| *day).min();
        let files = self.snapshot.files.values().flatten();
        let last = files.map(|file| crate::domain::instant_from_ms(file.last_event_ms).date_naive()).max();
        let last = last.max(self.snapshot.files.keys().map(|(_, day)| *day).max());
        match (first, last) {
            (Some(first), Some(last)) => first.iter_days().take_while(|day| *day <= last).collect(),
            _ => Vec::new(),
        }
    }

    /// The blocks of one day by store, without empty cells.
    fn day(&mut self, day: NaiveDate) -> anyhow::Result<BTreeMap<StoreId, DayBlock>> {
        let first = day.checked_sub_days(Days::new(2)).unwrap_or(day);
        let near: Vec<NaiveDate> = first.iter_days().take(4).collect();
        for near in near.iter().copied() {
            if !self.attempts.contains_key(&near) {
                let found = self.attempts_of(near)?;
                self.attempts.insert(near, found);
            }
        }
        self.attempts.retain(|known, _| *known >= first);
        for rows in self.frames(Stream::Transactions, day, None)? {
            add_transactions(&mut self.left, &rows, 1, self.grains)?;
        }
        for rows in self.frames(Stream::LedgerLines, day, None)? {
            add_ledger_lines(&mut self.left, &rows, 1, self.grains)?;
        }
        self.add_conversion(day, &near);
        let mut blocks: BTreeMap<StoreId, DayBlock> = BTreeMap::new();
        self.left.retain(|(store, of), block| {
            if *of == day {
                blocks.entry(*store).or_default().apply(block);
            }
            *of != day
        });
        blocks.retain(|_, block| !block.is_empty());
        Ok(blocks)
    }

    /// Cells of a day are of intents that begin on it or on the day before; those are judged from the rows of a day more
    /// on both sides.
    fn add_conversion(&mut self, day: NaiveDate, near: &[NaiveDate]) {
        let of = |day: NaiveDate| self.attempts.get(&day).map_or(&[][..], Vec::as_slice);
        let groups: std::collections::HashSet<_> =
            of(day).iter().filter(|row| row.grouped).map(|row| (row.store, row.group)).collect();
        let mut rows = of(day).to_vec();
        let near = near.iter().filter(|of| **of != day).flat_map(|near| of(*near));
        rows.extend(near.filter(|row| row.grouped && groups.contains(&(row.store, row.group))).cloned());
        let mut begun = Changes::new();
        add_conversion(&mut begun, rows, 1, self.grains);
        for ((store, of), block) in begun {
            if of == day {
                self.left.entry((store, day)).or_default().apply(&block);
            }
        }
    }

    fn attempts_of(&self, day: NaiveDate) -> anyhow::Result<Vec<Attempt>> {
        let mut found = Vec::new();
        for rows in self.frames(Stream::Transactions, day, Some(&GROUP_COLUMNS))? {
            found.append(&mut attempts(&rows)?);
        }
        Ok(found)
    }

    fn frames(
        &self,
        stream: Stream,
        day: NaiveDate,
        columns: Option<&[&str]>,
    ) -> Result<Vec<Frame>, LakeError> {
        let files = self.snapshot.files.get(&(stream, day)).map_or(&[][..], Vec::as_slice);
        let live = files.iter().filter(|file| file.file_set == FileSet::Current);
        live.map(|file| self.lake.read(file, columns)).collect()
    }
}
