use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, IdxCa, IdxSize, IntoColumn, NamedFrom, NewChunkedArray, Series,
    SortMultipleOptions,
};

use crate::domain::{Promise, RecordKey, Stream, instant_from_ms};

use super::batch::BATCH_ROWS_MAX;
use super::columns::{Frame, FrameError};
use super::file::{FileSet, LakeFile};
use super::folder::{Lake, LakeError};
use super::supersede::{Outcome, Version, supersede};
use super::superseded::SupersededRows;

/// Small files of one partition above which they are merged into one.
const FILES_PER_PARTITION_MAX: usize = 8;
/// A file of this many rows is no longer small: merging leaves it alone.
const MERGE_ROWS_MAX: u64 = 262_144;

pub(super) const VERSION_COLUMNS: [&str; 6] =
    ["key_high", "key_low", "row_hash", "version_ms", "terminal", "arrival"];

/// What one fold does to one partition.
#[derive(Debug, Default)]
pub struct PartitionFold {
    /// Written and synced; live once the manifest says so.
    pub added: Vec<LakeFile>,
    /// Files whose rows all stand in `added` now.
    pub retired: Vec<Arc<LakeFile>>,
    /// Files that stay, with the whole list of their rows that are superseded now.
    pub superseded: Vec<(Arc<LakeFile>, Arc<SupersededRows>)>,
    /// Rows that are the latest version now and were not before.
    pub plus: Frame,
    /// Rows that were the latest version before and are not now.
    pub minus: Frame,
    /// By inbox batch: how many of its rows were new, replaced, unchanged.
    pub outcomes: HashMap<i64, [i64; 3]>,
}

/// The instant column whose UTC day is the partition.
const fn partition_column(stream: Stream) -> &'static str {
    match stream {
        Stream::Transactions => "created_ms",
        Stream::LedgerLines => "posted_ms",
        Stream::CheckoutEvents => "time_ms",
    }
}

/// Splits the rows of inbox batches (each with its sequence number) by UTC day, in order of arrival.
///
/// # Errors
/// [`FrameError`] when a batch has not the columns of its stream.
pub fn split_by_day(
    stream: Stream,
    batches: Vec<(i64, Frame)>,
) -> Result<Vec<(NaiveDate, Frame)>, FrameError> {
    let mut days: std::collections::BTreeMap<NaiveDate, DataFrame> = std::collections::BTreeMap::new();
    for (seq, frame) in batches {
        let mut data = frame.0;
        let first = seq.saturating_mul(i64::try_from(BATCH_ROWS_MAX).unwrap_or(i64::MAX));
        let arrival: Vec<i64> =
            (0..data.height()).map(|place| first.saturating_add(i64::try_from(place).unwrap_or(0))).collect();
        data.with_column(Series::new("arrival".into(), arrival).into_column())?;
        let mut places: std::collections::BTreeMap<NaiveDate, Vec<IdxSize>> =
            std::collections::BTreeMap::new();
        for (place, ms) in data.column(partition_column(stream))?.i64()?.iter().enumerate() {
            let day = instant_from_ms(ms.unwrap_or(0)).date_naive();
            places.entry(day).or_default().push(IdxSize::try_from(place).unwrap_or(IdxSize::MAX));
        }
        for (day, places) in places {
            let rows = take(&data, &places)?;
            match days.get_mut(&day) {
                Some(present) => {
                    present.vstack_mut(&rows)?;
                }
                None => {
                    days.insert(day, rows);
                }
            }
        }
    }
    Ok(days.into_iter().map(|(day, data)| (day, Frame(data))).collect())
}

/// Takes incoming rows into one partition: finds what they supersede, writes the new files.
///
/// Cost follows the batch and the files that hold superseded rows; of the other files only the key columns are read. A
/// file with a superseded row is not rewritten: the row's place goes onto the file's list.
/// Nothing changes for readers until the manifest names the new files.
///
/// # Errors
/// [`LakeError`]; the files written so far are orphans that the sweep removes.
#[expect(clippy::too_many_lines, reason = "taken apart with the coming steps of the fold")]
pub fn fold_partition(
    lake: &Lake,
    stream: Stream,
    day: NaiveDate,
    files: &[Arc<LakeFile>],
    incoming: &Frame,
    file_id: impl Fn(FileSet) -> String,
) -> Result<PartitionFold, LakeError> {
    let current: Vec<&Arc<LakeFile>> =
        files.iter().filter(|file| file.file_set == FileSet::Current).collect();
    let incoming_versions = versions(&incoming.0)?;
    let mut keys: HashSet<RecordKey> = incoming_versions.iter().map(|version| version.key).collect();
    if lake.sabotage().breaks(Promise::CountedOnce) {
        keys.clear();
    }
    let (existing, places) = existing_versions(lake, &current, &keys)?;
    let verdict = supersede(&existing, &incoming_versions);

    let plus = take_usize(&incoming.0, &verdict.incoming_live)?;
    let mut history = take_usize(&incoming.0, &verdict.incoming_history)?;
    let superseded: Vec<(usize, usize)> =
        verdict.existing_superseded.iter().map(|index| places[*index]).collect();

    let mut fold = PartitionFold {
        outcomes: count_outcomes(&incoming_versions, &verdict.outcomes),
        ..PartitionFold::default()
    };
    let merge = merges(&current, plus.height() > 0 || !superseded.is_empty());
    let mut rows = plus.clone();
    let mut minus: Option<DataFrame> = None;
    for (index, file) in current.iter().enumerate() {
        let mut leaves: Vec<usize> =
            superseded.iter().filter(|(of, _)| *of == index).map(|(_, row)| *row).collect();
        if leaves.is_empty() && !merge.contains(&index) {
            continue;
        }
        leaves.sort_unstable();
        let data = lake.read_all_rows(file, None)?.0;
        let left = take_usize(&data, &leaves)?;
        append(&mut history, &left)?;
        match &mut minus {
            Some(minus) => append(minus, &left)?,
            None => minus = Some(left),
        }
        let gone = file.superseded.with(leaves.iter().filter_map(|place| u32::try_from(*place).ok()));
        if merge.contains(&index) {
            let live = gone.live_mask(0, data.height());
            let stays: Vec<usize> = (0..data.height()).filter(|row| live[*row]).collect();
            append(&mut rows, &take_usize(&data, &stays)?)?;
            fold.retired.push(Arc::clone(file));
        } else {
            fold.superseded.push((Arc::clone(file), Arc::new(gone)));
        }
    }
    if rows.height() > 0 {
        let sorted = sort_rows(&rows, stream)?;
        fold.added.push(lake.write(
            &Frame(sorted),
            stream,
            day,
            FileSet::Current,
            &file_id(FileSet::Current),
        )?);
    }
    if history.height() > 0 {
        let kept: Vec<&Arc<LakeFile>> =
            files.iter().filter(|file| file.file_set == FileSet::History).collect();
        if kept.len() >= FILES_PER_PARTITION_MAX {
            for file in kept {
                append(&mut history, &lake.read(file, None)?.0)?;
                fold.retired.push(Arc::clone(file));
            }
        }
        fold.added.push(lake.write(
            &Frame(history),
            stream,
            day,
            FileSet::History,
            &file_id(FileSet::History),
        )?);
    }
    fold.plus = Frame(plus);
    fold.minus = Frame(minus.unwrap_or_else(|| incoming.0.clear()));
    Ok(fold)
}

/// Which files are merged into the new one: all small ones when there are too many.
fn merges(current: &[&Arc<LakeFile>], changes: bool) -> HashSet<usize> {
    let small: HashSet<usize> =
        (0..current.len()).filter(|index| current[*index].rows < MERGE_ROWS_MAX).collect();
    if changes && small.len() >= FILES_PER_PARTITION_MAX { small } else { HashSet::new() }
}

fn count_outcomes(versions: &[Version], outcomes: &[Outcome]) -> HashMap<i64, [i64; 3]> {
    let mut counts: HashMap<i64, [i64; 3]> = HashMap::new();
    for (version, outcome) in versions.iter().zip(outcomes) {
        let seq = version.arrival / i64::try_from(BATCH_ROWS_MAX).unwrap_or(i64::MAX);
        let place = match outcome {
            Outcome::New => 0,
            Outcome::Replaced => 1,
            Outcome::Unchanged => 2,
        };
        counts.entry(seq).or_default()[place] += 1;
    }
    counts
}

/// The versions of those live rows whose key is among `keys`, and where each stands: (file, row).
#[expect(clippy::type_complexity, reason = "two parallel lists, used once")]
fn existing_versions(
    lake: &Lake,
    files: &[&Arc<LakeFile>],
    keys: &HashSet<RecordKey>,
) -> Result<(Vec<Version>, Vec<(usize, usize)>), LakeError> {
    let mut found = Vec::new();
    let mut places = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let data = lake.read_all_rows(file, Some(&VERSION_COLUMNS))?.0;
        for (row, version) in versions(&data)?.into_iter().enumerate() {
            if keys.contains(&version.key) && !file.superseded.contains(row) {
                found.push(version);
                places.push((index, row));
            }
        }
    }
    Ok((found, places))
}

pub(super) fn versions(data: &DataFrame) -> Result<Vec<Version>, FrameError> {
    let high = data.column("key_high")?.u64()?;
    let low = data.column("key_low")?.u64()?;
    let row_hash = data.column("row_hash")?.u64()?;
    let version_ms = data.column("version_ms")?.i64()?;
    let terminal = data.column("terminal")?.bool()?;
    let arrival = data.column("arrival")?.i64()?;
    let rows = high.iter().zip(low.iter()).zip(row_hash.iter()).zip(version_ms.iter()).zip(terminal.iter());
    Ok(rows
        .zip(arrival.iter())
        .map(|(((((high, low), row_hash), version_ms), terminal), arrival)| Version {
            key: RecordKey { high: high.unwrap_or(0), low: low.unwrap_or(0) },
            row_hash: row_hash.unwrap_or(0),
            version_ms,
            terminal: terminal.unwrap_or(false),
            arrival: arrival.unwrap_or(0),
        })
        .collect())
}

pub(super) fn sort_rows(data: &DataFrame, stream: Stream) -> Result<DataFrame, FrameError> {
    // By store first: a report of one store skips the row groups of the others.
    Ok(data
        .sort(["store", partition_column(stream), "key_high", "key_low"], SortMultipleOptions::default())?)
}

fn append(rows: &mut DataFrame, more: &DataFrame) -> Result<(), FrameError> {
    rows.vstack_mut(more)?;
    Ok(())
}

fn take(data: &DataFrame, places: &[IdxSize]) -> Result<DataFrame, FrameError> {
    Ok(data.take(&IdxCa::from_slice("".into(), places))?)
}

pub(super) fn take_usize(data: &DataFrame, places: &[usize]) -> Result<DataFrame, FrameError> {
    let places: Vec<IdxSize> =
        places.iter().map(|place| IdxSize::try_from(*place).unwrap_or(IdxSize::MAX)).collect();
    take(data, &places)
}

impl Frame {
    /// The rows whose `column` (of hashes) is among `wanted`.
    ///
    /// # Errors
    /// [`FrameError`] when there is no such column.
    pub fn rows_with_hash(&self, column: &str, wanted: &HashSet<u64>) -> Result<Self, FrameError> {
        let hashes: &Column = self.0.column(column)?;
        let mask: Vec<bool> =
            hashes.u64()?.iter().map(|hash| hash.is_some_and(|hash| wanted.contains(&hash))).collect();
        Ok(Self(self.0.filter(&BooleanChunked::from_slice("".into(), &mask))?))
    }
}
