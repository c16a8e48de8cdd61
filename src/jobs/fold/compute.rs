//! What a list of batches changes: which files come, which rows of which files go, which cells change by how much.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};

use crate::analytics::{Attempt, Changes, Freshness, GROUP_COLUMNS, Grains, Snapshot, add_conversion};
use crate::domain::{RecordKey, StoreId, Stream, Word};
use crate::lake::{
    BATCH_ROWS_MAX, FileFilters, FileSet, GROUP_HASH_COLUMNS, IMPORT_COLUMN, LakeFile, Outcome, Place,
    SupersededRows, Table, VERSION_COLUMNS, Version, sorted, split_by_day, supersede,
};
use crate::store::BatchOutcome;

use super::files::{NewFile, encode_file, filters_of, read_columns, read_rows};
use super::protocol::{Batch, Fault};
use super::world::{Counted, World};

/// What a fold computed, before anything is written.
pub(super) struct Computed {
    pub files: Vec<NewFile>,
    pub superseded: Vec<(Arc<LakeFile>, Arc<SupersededRows>)>,
    pub changes: Changes,
    pub freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
    pub outcomes: HashMap<i64, BatchOutcome>,
}

/// The whole computation. Reads filters and, of those files that hold an earlier version of an incoming record or a
/// row of a touched group, only what is needed of them: its cost follows the batches.
pub(super) async fn compute<W: World>(
    world: &W,
    base: &Snapshot,
    batches: &[Batch<W::Rows>],
    token: &str,
    grains: &Grains,
) -> Result<Computed, Fault> {
    let mut computed = Computed {
        files: Vec::new(),
        superseded: Vec::new(),
        changes: Changes::default(),
        freshness: BTreeMap::new(),
        outcomes: HashMap::new(),
    };
    let mut touched = Touched::default();
    let mut place = 0;
    for stream in Stream::ALL {
        let of_stream = batches.iter().filter(|batch| batch.stream == stream);
        let frames = of_stream.map(|batch| (batch.seq, batch.rows.clone()));
        for (day, incoming) in split_by_day(stream, frames)? {
            let name = |set: &str| format!("{:08}-{token}-{place}{set}", base.version + 1);
            let part = Partition { stream, day, current_id: name("c"), history_id: name("h") };
            place += 1;
            incoming.raise(&mut computed.freshness, stream)?;
            let moved = fold_partition(world, base, &part, &incoming, &mut computed).await?;
            moved.plus.count_into(&mut computed.changes, stream, 1, grains)?;
            moved.minus.count_into(&mut computed.changes, stream, -1, grains)?;
            if stream == Stream::Transactions {
                touched.days.insert(day);
                touched.plus.append(&mut moved.plus.attempts()?);
                touched.minus.append(&mut moved.minus.attempts()?);
            }
        }
    }
    change_conversion(world, base, touched, grains, &mut computed.changes).await?;
    Ok(computed)
}

/// One stream's day, and the ids its new files will have.
struct Partition {
    stream: Stream,
    day: NaiveDate,
    current_id: String,
    history_id: String,
}

/// Rows that became, and rows that are no longer, the latest version.
struct Moved<T> {
    plus: T,
    minus: T,
}

async fn fold_partition<W: World>(
    world: &W,
    base: &Snapshot,
    part: &Partition,
    incoming: &W::Rows,
    computed: &mut Computed,
) -> Result<Moved<W::Rows>, Fault> {
    let files = base.files.get(&(part.stream, part.day)).map_or(&[][..], Vec::as_slice);
    let current: Vec<&Arc<LakeFile>> =
        files.iter().filter(|file| file.file_set == FileSet::Current).collect();
    let versions = incoming.versions()?;
    let keys: HashSet<RecordKey> = versions.iter().map(|version| version.key).collect();
    refuse_quarantined(world, base, part.stream, part.day, |filters| {
        keys.iter().any(|key| filters.may_hold_key(*key))
    })?;
    let looked_into = if world.knows_earlier_rows() { &current[..] } else { &[] };
    let known = known_rows(world, looked_into, &keys).await?;
    let existing: Vec<Version> = known.iter().map(|known| known.version).collect();
    let verdict = supersede(&existing, &versions);
    count_outcomes(&mut computed.outcomes, &versions, &verdict.outcomes);

    let all_live = verdict.incoming_live.len() == incoming.height();
    let plus = if all_live { incoming.clone() } else { incoming.take(&verdict.incoming_live)? };
    let mut earlier = said_again(world, &current, &known, incoming, &verdict.identical).await?;
    earlier.extend(&verdict.incoming_history);
    earlier.sort_unstable();
    let mut history = vec![incoming.take(&earlier)?];
    let mut minus = vec![incoming.take(&[])?];
    let mut gone: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in &verdict.existing_superseded {
        if let Some(known) = known.get(*index) {
            gone.entry(known.file).or_default().push(known.row);
        }
    }
    for (index, mut rows) in gone {
        let Some(file) = current.get(index) else { continue };
        rows.sort_unstable();
        let left = read_rows(world, file, None, &rows).await?;
        let list = file.superseded.with(rows.iter().filter_map(|row| u32::try_from(*row).ok()));
        computed.superseded.push((Arc::clone(file), Arc::new(list)));
        history.push(left.clone());
        minus.push(left);
    }
    let history = W::Rows::concat(history)?;
    for (set, rows, id) in [
        (FileSet::Current, Some(plus.clone()), &part.current_id),
        (FileSet::History, history, &part.history_id),
    ] {
        if let Some(rows) = rows.filter(|rows| rows.height() > 0) {
            let rows = sorted(&rows, part.stream)?;
            computed.files.push(encode_file(&rows, part.stream, part.day, set, id)?);
        }
    }
    let minus = W::Rows::concat(minus)?.map_or_else(|| incoming.take(&[]), Ok)?;
    Ok(Moved { plus, minus })
}

/// Those identical rows that came another way than the row they repeat, where one of the two ways is an import. They
/// are kept in the history: when that import is withdrawn, what others said as well still stands.
async fn said_again<W: World>(
    world: &W,
    files: &[&Arc<LakeFile>],
    known: &[Known],
    incoming: &W::Rows,
    identical: &[(usize, Place)],
) -> Result<Vec<usize>, Fault> {
    if identical.is_empty() {
        return Ok(Vec::new());
    }
    let imports = incoming.imports()?;
    let of_incoming = |row: usize| imports.get(row).copied().flatten();
    let mut in_files: BTreeMap<usize, Vec<Option<i64>>> = BTreeMap::new();
    let mut kept = Vec::new();
    for (row, place) in identical {
        let first = match *place {
            Place::Incoming(other) => of_incoming(other),
            Place::Existing(other) => {
                let Some((known, file)) =
                    known.get(other).and_then(|known| Some((known, files.get(known.file)?)))
                else {
                    continue;
                };
                let imports = match in_files.entry(known.file) {
                    Entry::Occupied(read) => read.into_mut(),
                    Entry::Vacant(new) => {
                        new.insert(read_columns(world, file, &[IMPORT_COLUMN]).await?.imports()?)
                    }
                };
                imports.get(known.row).copied().flatten()
            }
        };
        if first != of_incoming(*row) {
            kept.push(*row);
        }
    }
    Ok(kept)
}

/// Beside a file whose rows cannot be read nothing is folded that may have to do with them: what a row supersedes, and
/// which payment it belongs to, would be guessed. Its filters, where they are still kept, tell what surely has not.
pub(super) fn refuse_quarantined<W: World>(
    world: &W,
    base: &Snapshot,
    stream: Stream,
    day: NaiveDate,
    may_matter: impl Fn(&FileFilters) -> bool,
) -> Result<(), Fault> {
    let files = base.quarantined.get(&(stream, day)).map_or(&[][..], Vec::as_slice);
    for lost in files.iter().filter(|lost| lost.file.file_set == FileSet::Current) {
        if world.filters().get(&lost.file.id).is_none_or(|filters| may_matter(&filters)) {
            let reason = format!("a file of {day} is set aside ({}); run `tillwatch repair`", lost.file.path);
            return Err(Fault::Batches(reason));
        }
    }
    Ok(())
}

fn count_outcomes(counts: &mut HashMap<i64, BatchOutcome>, versions: &[Version], outcomes: &[Outcome]) {
    for (version, outcome) in versions.iter().zip(outcomes) {
        let seq = version.arrival / i64::try_from(BATCH_ROWS_MAX).unwrap_or(i64::MAX);
        let counts = counts.entry(seq).or_default();
        match outcome {
            Outcome::New => counts.new += 1,
            Outcome::Replaced => counts.replaced += 1,
            Outcome::Unchanged => counts.unchanged += 1,
        }
    }
}

/// A live row whose record has another version coming in.
struct Known {
    version: Version,
    /// Place of its file in the list, and its own in the file.
    file: usize,
    row: usize,
}

/// Those live rows whose key is among `keys`. A file whose filter knows none of the keys is not read; one that is read
/// is compared by the full key.
async fn known_rows<W: World>(
    world: &W,
    files: &[&Arc<LakeFile>],
    keys: &HashSet<RecordKey>,
) -> Result<Vec<Known>, Fault> {
    let mut found = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let filters = filters_of(world, file).await?;
        let hits: HashSet<RecordKey> =
            keys.iter().copied().filter(|key| filters.may_hold_key(*key)).collect();
        if hits.is_empty() {
            continue;
        }
        let rows = read_columns(world, file, &VERSION_COLUMNS).await?;
        for (row, version) in rows.versions()?.into_iter().enumerate() {
            if hits.contains(&version.key) && !file.superseded.contains(row) {
                found.push(Known { version, file: index, row });
            }
        }
    }
    Ok(found)
}

/// Attempts that came and went, and their days.
#[derive(Default)]
pub(super) struct Touched {
    pub days: BTreeSet<NaiveDate>,
    pub plus: Vec<Attempt>,
    pub minus: Vec<Attempt>,
}

/// Takes the old contribution of every touched group out of the conversion cells and puts the new one in.
///
/// A change on day d touches intents that begin on d−1, d or d+1, and those are judged from the rows of d−2 to d+2.
/// Intents further out are judged alike before and after, so that what is not loaded cancels.
pub(super) async fn change_conversion<W: World>(
    world: &W,
    base: &Snapshot,
    touched: Touched,
    grains: &Grains,
    changes: &mut Changes,
) -> Result<(), Fault> {
    let Touched { days, plus, minus } = touched;
    let groups: HashSet<u64> =
        plus.iter().chain(&minus).filter(|row| row.grouped).map(|row| row.group).collect();
    let gone: HashSet<RecordKey> = minus.iter().map(|row| row.key).collect();
    let context = rows_of_groups(world, base, &days_around(&days), &groups).await?;

    let mut after: Vec<_> = context.iter().filter(|row| !gone.contains(&row.key)).cloned().collect();
    after.extend(plus);
    let mut before = context;
    // Rows without a group stand alone: they were not loaded, and are their own context.
    before.extend(minus.into_iter().filter(|row| !row.grouped));
    add_conversion(changes, before, -1, grains);
    add_conversion(changes, after, 1, grains);
    Ok(())
}

fn days_around(days: &BTreeSet<NaiveDate>) -> BTreeSet<NaiveDate> {
    days.iter()
        .flat_map(|day| {
            let first = day.checked_sub_days(Days::new(2)).unwrap_or(*day);
            first.iter_days().take(5)
        })
        .collect()
}

async fn rows_of_groups<W: World>(
    world: &W,
    base: &Snapshot,
    days: &BTreeSet<NaiveDate>,
    groups: &HashSet<u64>,
) -> Result<Vec<Attempt>, Fault> {
    let mut found = Vec::new();
    if groups.is_empty() {
        return Ok(found);
    }
    for day in days {
        refuse_quarantined(world, base, Stream::Transactions, *day, |filters| {
            groups.iter().any(|group| filters.may_hold_group(*group))
        })?;
        let files = base.files.get(&(Stream::Transactions, *day)).map_or(&[][..], Vec::as_slice);
        for file in files.iter().filter(|file| file.file_set == FileSet::Current) {
            let filters: Arc<FileFilters> = filters_of(world, file).await?;
            if !groups.iter().any(|group| filters.may_hold_group(*group)) {
                continue;
            }
            let hashes = read_columns(world, file, &GROUP_HASH_COLUMNS).await?.groups()?;
            let is_wanted = |row: &usize| {
                let group = hashes.get(*row).copied().flatten();
                group.is_some_and(|group| groups.contains(&group)) && !file.superseded.contains(*row)
            };
            let places: Vec<usize> = (0..hashes.len()).filter(is_wanted).collect();
            if !places.is_empty() {
                let rows = read_rows(world, file, Some(&GROUP_COLUMNS), &places).await?;
                found.append(&mut rows.attempts()?);
            }
        }
    }
    Ok(found)
}
