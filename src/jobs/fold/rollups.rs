//! The boundary to the rollups: changes in, block updates and the next snapshot out.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::analytics::{Changes, DayBlock, Snapshot};
use crate::domain::{StoreId, Stream};
use crate::lake::LakeFile;
use crate::store::FoldCommit;

/// The new contents of the blocks that a change touches; an empty one is to be deleted.
pub(super) fn block_updates(base: &Snapshot, changes: &Changes) -> Vec<(StoreId, NaiveDate, Arc<DayBlock>)> {
    changes
        .iter()
        .filter(|(_, change)| !change.is_empty())
        .map(|((store, day), change)| {
            let present = base.rollups.get(store).and_then(|days| days.get(day));
            let mut block = present.map_or_else(DayBlock::default, |block| (**block).clone());
            block.apply(change);
            (*store, *day, Arc::new(block))
        })
        .collect()
}

/// Puts the blocks of a commit into the snapshot after it.
pub(super) fn take_blocks(next: &mut Snapshot, commit: &FoldCommit) {
    for (store, day, block) in &commit.blocks {
        let days = Arc::make_mut(next.rollups.entry(*store).or_default());
        if block.is_empty() {
            days.remove(day);
        } else {
            days.insert(*day, Arc::clone(block));
        }
    }
}

/// The snapshot after a commit, from the one before it whose rollups are those after it already.
pub(super) fn next_snapshot(mut next: Snapshot, version: i64, commit: FoldCommit) -> Snapshot {
    next.version = version;
    next.folded_at = commit.folded_at;
    let retired: HashSet<&str> = commit.retired.iter().map(|file| file.id.as_str()).collect();
    let partitions: BTreeSet<(Stream, NaiveDate)> =
        commit.retired.iter().map(|file| (file.stream, file.day)).collect();
    for partition in &partitions {
        if let Some(files) = next.files.get_mut(partition) {
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
    for partition in partitions {
        if next.files.get(&partition).is_some_and(Vec::is_empty) {
            next.files.remove(&partition);
        }
    }
    for (key, fresh) in commit.freshness {
        let known = next.freshness.entry(key).or_insert(fresh);
        known.last_event = known.last_event.max(fresh.last_event);
        known.last_received = known.last_received.max(fresh.last_received);
    }
    next
}
