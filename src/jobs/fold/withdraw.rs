//! Takes the rows of an import out again, as if it had never come in.
//!
//! One day of a stream at a time, each committed like a fold: the import's rows leave, and of every record it had changed
//! the latest version that came another way is brought back from the history. Interrupted and run again, it goes on with
//! the days that are left. Nothing of the import may wait in the inbox.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{AddAssign, RangeInclusive};
use std::sync::Arc;

use anyhow::bail;
use chrono::NaiveDate;

use crate::analytics::{Changes, Snapshot};
use crate::domain::{RecordKey, Stream};
use crate::lake::{FileSet, IMPORT_COLUMN, LakeFile, Table, VERSION_COLUMNS, Version, sorted};
use crate::store::FoldCommit;

use super::compute::{Touched, change_conversion, refuse_quarantined};
use super::files::{NewFile, encode_file, read_columns, read_rows, store_files};
use super::protocol::{Fault, catch_up, settle};
use super::world::{Counted, World};

/// How often a day is tried while others keep committing.
const COMMITS_MAX: usize = 20;

/// What a withdrawal did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// Rows that were counted and are no more.
    pub taken_out: u64,
    /// Earlier versions that are counted again in their place.
    pub brought_back: u64,
}

impl AddAssign for Withdrawn {
    fn add_assign(&mut self, more: Self) {
        self.taken_out += more.taken_out;
        self.brought_back += more.brought_back;
    }
}

/// The days of streams that hold anything, of these UTC days; of all when `None`.
///
/// # Errors
/// The database does not answer.
pub async fn days_to_withdraw<W: World>(
    world: &W,
    days: Option<RangeInclusive<NaiveDate>>,
) -> anyhow::Result<Vec<(Stream, NaiveDate)>> {
    catch_up(world).await?;
    let base = world.current();
    let places = base.files.keys().filter(|(_, day)| days.as_ref().is_none_or(|days| days.contains(day)));
    Ok(places.copied().collect())
}

/// Takes every row of `import` out of a day.
///
/// # Errors
/// A file cannot be read, the database or the disk failed: nothing happened, or all of it. The next try takes out what
/// is left.
pub async fn withdraw_day<W: World>(
    world: &W,
    import: i64,
    (stream, day): (Stream, NaiveDate),
) -> anyhow::Result<Withdrawn> {
    for _ in 0..COMMITS_MAX {
        let _turn = world.turn().await;
        catch_up(world).await?;
        match try_withdraw(world, import, stream, day).await {
            Ok(done) => return Ok(done),
            Err(Fault::Conflict) => {}
            Err(Fault::Batches(reason)) => bail!("it {reason}"),
            Err(Fault::Elsewhere(error)) => return Err(error),
        }
    }
    bail!("others kept committing")
}

async fn try_withdraw<W: World>(
    world: &W,
    import: i64,
    stream: Stream,
    day: NaiveDate,
) -> Result<Withdrawn, Fault> {
    let base = world.current();
    let files = base.files.get(&(stream, day)).map_or(&[][..], Vec::as_slice);
    // Which version is to be brought back, a file that cannot be read might know.
    refuse_quarantined(world, &base, stream, day, |_| true)?;
    let found = Found::of(world, files, import).await?;
    if found.out.is_empty() {
        return Ok(Withdrawn::default());
    }
    let token = world.token().map_err(Fault::Elsewhere)?;
    let moved = found.take(world, files).await?;
    let mut new: Vec<NewFile> = Vec::new();
    if moved.back.height() > 0 {
        let id = format!("{:08}-{token}-0c", base.version + 1);
        new.push(encode_file(&sorted(&moved.back, stream)?, stream, day, FileSet::Current, &id)?);
    }
    let changes = changes(world, &base, &moved, stream, day).await?;
    let mut commit = FoldCommit::nothing(token.clone(), base.version, world.now());
    commit.added = new.iter().map(|new| new.file.clone()).collect();
    for (file, rows) in &found.out {
        let Some(file) = files.get(*file) else { continue };
        let list = file.superseded.with(rows.iter().filter_map(|row| u32::try_from(*row).ok()));
        commit.superseded.push((Arc::clone(file), Arc::new(list)));
    }
    world.change_blocks(&base, &changes, &mut commit).await?;
    store_files(world, &token, &new).await?;
    settle(world, &base, commit).await?;
    let count = |rows: &W::Rows| u64::try_from(rows.height()).unwrap_or(u64::MAX);
    Ok(Withdrawn { taken_out: count(&moved.gone), brought_back: count(&moved.back) })
}

/// Rows of a day, by file, with their rising places.
type Places = BTreeMap<usize, Vec<usize>>;

/// What a withdrawal changes in a day.
#[derive(Default)]
struct Found {
    /// Rows that count and shall not.
    gone: Places,
    /// Rows of the history that shall count again.
    back: Places,
    /// Rows that no reader shall see where they stand: those that go, those that are brought back, and what the import
    /// left in the history.
    out: Places,
}

/// Whole rows that go and come back.
struct Moved<T> {
    gone: T,
    back: T,
}

impl Found {
    async fn of<W: World>(world: &W, files: &[Arc<LakeFile>], import: i64) -> Result<Self, Fault> {
        let mut found = Self::default();
        let mut keys: HashSet<RecordKey> = HashSet::new();
        let mut past: Vec<(Version, usize, usize)> = Vec::new();
        let mut columns = VERSION_COLUMNS.to_vec();
        columns.push(IMPORT_COLUMN);
        for (index, file) in files.iter().enumerate() {
            let rows = read_columns(world, file, &columns).await?;
            for (row, (version, of)) in rows.versions()?.into_iter().zip(rows.imports()?).enumerate() {
                if file.superseded.contains(row) {
                    continue;
                }
                let is_current = file.file_set == FileSet::Current;
                match (of == Some(import), is_current) {
                    (true, true) => {
                        keys.insert(version.key);
                        found.gone.entry(index).or_default().push(row);
                        found.out.entry(index).or_default().push(row);
                    }
                    (true, false) => found.out.entry(index).or_default().push(row),
                    (false, true) => {}
                    (false, false) => past.push((version, index, row)),
                }
            }
        }
        let mut latest: HashMap<RecordKey, (Version, usize, usize)> = HashMap::new();
        for one in past.into_iter().filter(|(version, ..)| keys.contains(&version.key)) {
            let best = latest.entry(one.0.key).or_insert(one);
            if one.0.rank() > best.0.rank() {
                *best = one;
            }
        }
        for (_, index, row) in latest.into_values() {
            found.back.entry(index).or_default().push(row);
            found.out.entry(index).or_default().push(row);
        }
        for rows in found.back.values_mut().chain(found.out.values_mut()) {
            rows.sort_unstable();
        }
        Ok(found)
    }

    async fn take<W: World>(&self, world: &W, files: &[Arc<LakeFile>]) -> Result<Moved<W::Rows>, Fault> {
        Ok(Moved {
            gone: rows_at(world, files, &self.gone).await?,
            back: rows_at(world, files, &self.back).await?,
        })
    }
}

/// The whole rows at these places.
async fn rows_at<W: World>(world: &W, files: &[Arc<LakeFile>], places: &Places) -> Result<W::Rows, Fault> {
    let mut parts = Vec::with_capacity(places.len());
    for (file, rows) in places {
        if let Some(file) = files.get(*file) {
            parts.push(read_rows(world, file, None, rows).await?);
        }
    }
    if parts.is_empty() {
        // None, in the columns of whichever file there is.
        let Some(file) = files.first() else { return Err(Fault::Conflict) };
        return read_rows(world, file, None, &[]).await;
    }
    W::Rows::concat(parts)?.ok_or(Fault::Conflict)
}

async fn changes<W: World>(
    world: &W,
    base: &Snapshot,
    moved: &Moved<W::Rows>,
    stream: Stream,
    day: NaiveDate,
) -> Result<Changes, Fault> {
    let grains = world.grains().await?;
    let mut changes = Changes::default();
    moved.back.count_into(&mut changes, stream, 1, &grains)?;
    moved.gone.count_into(&mut changes, stream, -1, &grains)?;
    if stream == Stream::Transactions {
        let touched =
            Touched { days: [day].into(), plus: moved.back.attempts()?, minus: moved.gone.attempts()? };
        change_conversion(world, base, touched, &grains, &mut changes).await?;
    }
    Ok(changes)
}
