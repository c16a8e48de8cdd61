//! Small files become large ones, and superseded rows leave the disk: a step of its own, committed like a fold.
//!
//! Most of its time goes into new files, and meanwhile folds go on. What they changed is looked at when the merge is
//! committed: rows that were superseded since are so in the new file too, and a merge one of whose files is gone is
//! dropped.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::analytics::Snapshot;
use crate::domain::Stream;
use crate::lake::{
    FileSet, FrameError, GROUP_HASH_COLUMNS, LakeFile, ROW_GROUP_ROWS, SortKey, SupersededRows, Table,
    VERSION_COLUMNS, Version, partition_column,
};
use crate::store::FoldCommit;

use super::files::{NewFile, describe, read_bytes, store_files};
use super::protocol::{Fault, catch_up, try_settle};
use super::world::{Event, World};

/// Live rows that one round of merges takes in at most. Bounds its memory: the compressed bytes of its inputs, some
/// 150 bytes a row for their order, and one row group of decoded rows.
pub const MERGE_ROWS_MAX: u64 = 1 << 20;
/// A file of so many live rows is left alone. No larger: a fold that meets an earlier version in it reads its bytes.
const SETTLED_ROWS: u64 = MERGE_ROWS_MAX / 2;
/// One in so many rows superseded: the file is written anew, once that is worth it.
const SUPERSEDED_SHARE: u64 = 5;
/// How often a commit is tried while others keep committing.
const COMMITS_MAX: usize = 20;
/// Merges of one round: their files are synced together and committed at once, so that many days cost little more
/// than one.
const MERGES_MAX: usize = 64;

/// When merging is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeRules {
    /// Files of similar size (within a factor of eight) of one set and day that are merged.
    pub similar_files: usize,
    /// Fewer superseded rows than this are not worth a rewrite of their own.
    pub superseded_rows_min: u64,
}

impl Default for MergeRules {
    fn default() -> Self {
        Self { similar_files: 8, superseded_rows_min: 4_096 }
    }
}

/// Files of one set and day that become one.
#[derive(Debug)]
struct Merge {
    stream: Stream,
    day: NaiveDate,
    set: FileSet,
    files: Vec<Arc<LakeFile>>,
}

/// Merges what is due, at most `rows_max` live rows. Returns whether there was anything: then there may be more.
///
/// # Errors
/// The database or the disk failed; nothing is lost.
pub async fn merge_due<W: World>(world: &W, rows_max: u64) -> anyhow::Result<bool> {
    catch_up(world).await?;
    let base = world.current();
    let merges = due(&base, world.merge_rules(), rows_max);
    if merges.is_empty() {
        return Ok(false);
    }
    match merge(world, &base, &merges).await {
        Ok(()) | Err(Fault::Conflict) => Ok(true),
        // Whoever looks after files takes one that cannot be read out of the snapshot.
        Err(Fault::Batches(reason)) => Err(anyhow::anyhow!("a merge {reason}")),
        Err(Fault::Elsewhere(error)) => Err(error),
    }
}

fn due(snapshot: &Snapshot, rules: MergeRules, rows_max: u64) -> Vec<Merge> {
    let mut merges = Vec::new();
    let mut room = rows_max;
    for ((stream, day), files) in &snapshot.files {
        if files.len() < rules.similar_files && files.iter().all(|file| file.superseded.is_empty()) {
            continue;
        }
        for set in [FileSet::Current, FileSet::History] {
            let of_set: Vec<&Arc<LakeFile>> = files.iter().filter(|file| file.file_set == set).collect();
            let chosen = choose(&of_set, rules, room);
            if chosen.is_empty() {
                continue;
            }
            room -= chosen.iter().map(|file| file.live_rows()).sum::<u64>().min(room);
            merges.push(Merge { stream: *stream, day: *day, set, files: chosen });
            if merges.len() == MERGES_MAX || room == 0 {
                return merges;
            }
        }
    }
    merges
}

/// Files with too many superseded rows, else the smallest tier with enough files of similar size; none when nothing is
/// due or they would not fit into `room`.
fn choose(files: &[&Arc<LakeFile>], rules: MergeRules, room: u64) -> Vec<Arc<LakeFile>> {
    let superseded = |file: &LakeFile| file.rows - file.live_rows();
    let is_worn = |file: &LakeFile| {
        superseded(file) >= rules.superseded_rows_min && superseded(file) * SUPERSEDED_SHARE > file.rows
    };
    let worn = fitting(files.iter().copied().filter(|file| is_worn(file)), room);
    if !worn.is_empty() {
        return worn;
    }
    let mut tiers: BTreeMap<u32, Vec<&Arc<LakeFile>>> = BTreeMap::new();
    for file in files.iter().copied().filter(|file| file.live_rows() < SETTLED_ROWS) {
        tiers.entry(file.rows.max(1).ilog2() / 3).or_default().push(file);
    }
    let full = tiers.into_values().filter(|tier| tier.len() >= rules.similar_files);
    full.map(|tier| fitting(tier.into_iter(), room)).find(|chosen| chosen.len() > 1).unwrap_or_default()
}

fn fitting<'f>(files: impl Iterator<Item = &'f Arc<LakeFile>>, mut room: u64) -> Vec<Arc<LakeFile>> {
    let fits = |file: &&Arc<LakeFile>| {
        let left = room.checked_sub(file.live_rows());
        room = left.unwrap_or(0);
        left.is_some()
    };
    files.take_while(fits).map(Arc::clone).collect()
}

/// A merge whose file is written.
struct Merged {
    /// As they were when their rows were read.
    inputs: Vec<Arc<LakeFile>>,
    /// `None` when no row of them is live.
    output: Option<LakeFile>,
    /// Of each row of the output: its input, and its place there.
    origins: Vec<(usize, usize)>,
}

async fn merge<W: World>(world: &W, base: &Snapshot, due: &[Merge]) -> Result<(), Fault> {
    let token = world.token().map_err(Fault::Elsewhere)?;
    let (mut files, mut done) = (Vec::new(), Vec::new());
    for (place, merge) in due.iter().enumerate() {
        let id = format!("{:08}-{token}-{place}m", base.version + 1);
        let (file, merged) = merged_file(world, merge, &id).await?;
        files.extend(file);
        done.push(merged);
    }
    store_files(world, &token, &files).await?;
    drop(files);
    let committed = commit_merges(world, &token, &done).await;
    let kept = match &committed {
        Ok(kept) => kept.as_slice(),
        // Refused for sure. After any other error the commit may have happened all the same.
        Err(Fault::Conflict) => &[],
        Err(_) => return committed.map(|_| ()),
    };
    let written = done.iter().filter_map(|merged| merged.output.as_ref());
    for dropped in written.filter(|file| !kept.contains(&file.id)) {
        // Nobody can make it live any more. What fails here, the sweep does later.
        let _ = world.remove_file(&dropped.path).await;
    }
    committed.map(|_| ())
}

/// Commits the merges that still stand beside what was committed meanwhile; returns the ids of their files.
async fn commit_merges<W: World>(world: &W, token: &str, done: &[Merged]) -> Result<Vec<String>, Fault> {
    for _ in 0..COMMITS_MAX {
        let _turn = world.turn().await;
        catch_up(world).await.map_err(Fault::Elsewhere)?;
        let present = world.current();
        let mut commit = FoldCommit::nothing(token.to_owned(), present.version, world.now());
        for merged in done {
            merged.take_into(&mut commit, &present);
        }
        if commit.retired.is_empty() {
            return Ok(Vec::new());
        }
        let kept = commit.added.iter().map(|file| file.id.clone()).collect();
        let (files, rows) = (commit.retired.len(), commit.added.iter().map(|file| file.rows).sum());
        match try_settle(world, &present, commit).await {
            Ok(()) => {
                world.note(Event::Merged { files, rows });
                return Ok(kept);
            }
            Err(Fault::Conflict) => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Conflict)
}

impl Merged {
    /// Puts the merge into a commit over `present`; leaves it out when one of its inputs is not what it was.
    fn take_into(&self, commit: &mut FoldCommit, present: &Snapshot) {
        let live = |input: &Arc<LakeFile>| {
            let files = present.files.get(&(input.stream, input.day))?;
            files.iter().find(|file| file.id == input.id).cloned()
        };
        let Some(live) = self.inputs.iter().map(live).collect::<Option<Vec<_>>>() else { return };
        let mut since: HashSet<(usize, usize)> = HashSet::new();
        for (index, (before, now)) in self.inputs.iter().zip(&live).enumerate() {
            let known = &before.superseded;
            if known.places().iter().any(|place| !holds(&now.superseded, *place)) {
                return;
            }
            let more = now.superseded.places().iter().filter(|place| !holds(known, **place));
            since.extend(more.filter_map(|place| Some((index, usize::try_from(*place).ok()?))));
        }
        commit.retired.extend(live);
        let Some(mut output) = self.output.clone() else { return };
        if !since.is_empty() {
            let is_superseded = |(_, origin): &(usize, &(usize, usize))| since.contains(*origin);
            let places = self.origins.iter().enumerate().filter(is_superseded);
            let places = SupersededRows::of(places.filter_map(|(place, _)| u32::try_from(place).ok()));
            output.superseded = Arc::new(places);
            commit.superseded.push((Arc::new(output.clone()), Arc::clone(&output.superseded)));
        }
        commit.added.push(output);
    }
}

fn holds(rows: &SupersededRows, place: u32) -> bool {
    usize::try_from(place).is_ok_and(|place| rows.contains(place))
}

/// A live row of an input: where it stands and what the manifest has to know of it.
struct Line {
    order: SortKey,
    file: usize,
    place: usize,
    version: Version,
    group: Option<u64>,
}

/// The live rows of all inputs in order, as a file; none when there are none.
async fn merged_file<W: World>(
    world: &W,
    merge: &Merge,
    id: &str,
) -> Result<(Option<NewFile>, Merged), Fault> {
    let mut inputs = Vec::with_capacity(merge.files.len());
    let mut lines = Vec::new();
    for (index, file) in merge.files.iter().enumerate() {
        // Compared with its hash: a damaged file is never laundered into a fresh one.
        let bytes = read_bytes(world, file).await?;
        lines.append(&mut live_lines::<W::Rows>(&bytes, file, index)?);
        inputs.push(bytes);
    }
    if lines.is_empty() {
        return Ok((None, Merged { inputs: merge.files.clone(), output: None, origins: Vec::new() }));
    }
    lines.sort_unstable_by_key(|line| (line.order, line.file, line.place));
    let groups = lines.chunks(ROW_GROUP_ROWS).map(|part| rows_of::<W::Rows>(&inputs, part));
    let bytes = W::Rows::encode(groups)?;
    let versions: Vec<Version> = lines.iter().map(|line| line.version).collect();
    let groups: Vec<Option<u64>> = lines.iter().map(|line| line.group).collect();
    let last_event_ms = merge.files.iter().map(|file| file.last_event_ms).max().unwrap_or(i64::MAX);
    let place = (merge.stream, merge.day, merge.set, id);
    let file = describe(bytes, &versions, &groups, last_event_ms, place);
    let origins = lines.iter().map(|line| (line.file, line.place)).collect();
    let merged = Merged { inputs: merge.files.clone(), output: Some(file.file.clone()), origins };
    Ok((Some(file), merged))
}

fn live_lines<T: Table>(bytes: &[u8], file: &LakeFile, index: usize) -> Result<Vec<Line>, FrameError> {
    let mut columns = VERSION_COLUMNS.to_vec();
    columns.extend(["store", partition_column(file.stream)]);
    if file.stream == Stream::Transactions {
        columns.extend(GROUP_HASH_COLUMNS);
    }
    let rows = T::decode(bytes, Some(&columns))?;
    let live = file.superseded.live_mask(0, rows.height());
    let orders = rows.sort_keys(file.stream)?;
    let described = orders.into_iter().zip(rows.versions()?).zip(rows.groups()?);
    Ok(described
        .enumerate()
        .filter(|(place, _)| live.get(*place) == Some(&true))
        .map(|(place, ((order, version), group))| Line { order, file: index, place, version, group })
        .collect())
}

/// The whole rows of these lines, in their order.
fn rows_of<T: Table>(inputs: &[Vec<u8>], lines: &[Line]) -> Result<T, FrameError> {
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); inputs.len()];
    for line in lines {
        if let Some(places) = places.get_mut(line.file) {
            places.push(line.place);
        }
    }
    let mut parts = Vec::new();
    let mut firsts = Vec::with_capacity(inputs.len());
    let mut first = 0;
    for (bytes, places) in inputs.iter().zip(&mut places) {
        firsts.push(first);
        first += places.len();
        if !places.is_empty() {
            places.sort_unstable();
            parts.push(T::decode_rows(bytes, None, places)?);
        }
    }
    let stands_at = |line: &Line| {
        let within = places.get(line.file).and_then(|places| places.binary_search(&line.place).ok());
        firsts.get(line.file).copied().unwrap_or(0) + within.unwrap_or(0)
    };
    let order: Vec<usize> = lines.iter().map(stands_at).collect();
    let Some(rows) = T::concat(parts)? else { return Err(FrameError::unreadable("no rows to merge")) };
    if order.is_sorted() { Ok(rows) } else { rows.take(&order) }
}

#[cfg(test)]
mod tests {
    use crate::lake::SupersededRows;

    use super::*;

    fn file(id: &str, rows: u64, superseded: u32) -> Arc<LakeFile> {
        Arc::new(LakeFile {
            id: id.to_owned(),
            stream: Stream::Transactions,
            day: NaiveDate::default(),
            file_set: FileSet::Current,
            path: String::new(),
            rows,
            size_bytes: 0,
            blake3: String::new(),
            last_event_ms: 0,
            control: None,
            superseded: Arc::new(SupersededRows::of(0..superseded)),
        })
    }

    /// What a commit over these live files makes of a merge of "a" (its second row superseded) and "b", of two live rows
    /// each, those of "b" first.
    fn committed(live: &[Arc<LakeFile>]) -> FoldCommit {
        let merged = Merged {
            inputs: vec![with(&file("a", 3, 0), &[1]), file("b", 2, 0)],
            output: Some(LakeFile::clone(&file("new", 4, 0))),
            origins: vec![(1, 0), (1, 1), (0, 0), (0, 2)],
        };
        let place = (Stream::Transactions, NaiveDate::default());
        let present = Snapshot { files: BTreeMap::from([(place, live.to_vec())]), ..Snapshot::default() };
        let mut commit = FoldCommit::nothing("token".into(), 7, chrono::DateTime::UNIX_EPOCH);
        merged.take_into(&mut commit, &present);
        commit
    }

    fn with(file: &LakeFile, superseded: &[u32]) -> Arc<LakeFile> {
        let superseded = Arc::new(SupersededRows::of(superseded.iter().copied()));
        Arc::new(LakeFile { superseded, ..file.clone() })
    }

    #[test]
    fn what_was_superseded_while_files_were_merged_is_superseded_in_the_new_file() {
        let (a, b, other) = (file("a", 3, 0), file("b", 2, 0), file("other", 9, 0));
        let unchanged = committed(&[other.clone(), with(&a, &[1]), b.clone()]);
        assert!(unchanged.superseded.is_empty() && unchanged.added[0].superseded.is_empty());
        assert_eq!(unchanged.retired.iter().map(|file| file.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let changed = committed(&[with(&a, &[1, 2]), with(&b, &[0])]);
        let [new] = &changed.added[..] else { panic!("one file") };
        assert_eq!(new.superseded.places(), [0, 3]);
        let [(file, rows)] = &changed.superseded[..] else { panic!("one list") };
        assert_eq!((file.id.as_str(), rows.places()), ("new", &[0, 3][..]));
        assert_eq!(changed.retired[0].superseded.places(), [1, 2]);
    }

    #[test]
    fn a_merge_whose_files_are_not_what_they_were_is_dropped() {
        let (a, b) = (file("a", 3, 0), file("b", 2, 0));
        for live in [vec![with(&a, &[1])], vec![b.clone()], vec![with(&a, &[2]), b], vec![]] {
            let commit = committed(&live);
            assert!(commit.added.is_empty() && commit.retired.is_empty() && commit.superseded.is_empty());
        }
    }

    fn chosen(files: &[Arc<LakeFile>], room: u64) -> Vec<u64> {
        choose(&files.iter().collect::<Vec<_>>(), MergeRules::default(), room)
            .iter()
            .map(|file| file.rows)
            .collect()
    }

    #[test]
    fn eight_files_of_similar_size_are_merged_and_seven_are_not() {
        let mut files: Vec<_> = (0..7).map(|number| file(&number.to_string(), 100, 0)).collect();
        assert!(chosen(&files, MERGE_ROWS_MAX).is_empty());
        files.push(file("large", SETTLED_ROWS, 0));
        assert!(chosen(&files, MERGE_ROWS_MAX).is_empty(), "a large file is not similar");
        files.push(file("eighth", 300, 0));
        assert_eq!(chosen(&files, MERGE_ROWS_MAX).len(), 8);
        assert_eq!(chosen(&files, 350), [100, 100, 100], "no more than fits");
        assert!(chosen(&files, 150).is_empty(), "one alone is no merge");
    }

    #[test]
    fn a_file_with_a_fifth_of_its_rows_superseded_is_written_anew() {
        assert!(chosen(&[file("a", 25_000, 5_000)], MERGE_ROWS_MAX).is_empty());
        assert_eq!(chosen(&[file("a", 25_000, 5_001)], MERGE_ROWS_MAX), [25_000]);
        assert!(chosen(&[file("a", 10, 10)], MERGE_ROWS_MAX).is_empty(), "a small one waits for its tier");
        assert_eq!(chosen(&[file("a", SETTLED_ROWS * 2, 400_000)], MERGE_ROWS_MAX), [SETTLED_ROWS * 2]);
    }
}
