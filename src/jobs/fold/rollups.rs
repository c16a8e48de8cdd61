//! The snapshot after a commit.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::analytics::Snapshot;
use crate::domain::Stream;
use crate::lake::LakeFile;
use crate::store::FoldCommit;

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
