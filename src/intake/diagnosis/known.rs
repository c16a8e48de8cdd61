use std::collections::BTreeSet;

use super::findings::KnownRows;
use super::tally::Keys;
use crate::analytics::Snapshot;
use crate::domain::StoreId;
use crate::lake::{FileSet, Lake, LakeError, Table, VERSION_COLUMNS};

/// Rows of files that are gone through to find those of one upload. More would take longer than a person waits.
const ROWS_READ_MAX: u64 = 5_000_000;

/// What one row is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    Differing,
    Same,
}

/// How many of these rows are folded already. `None` when too much would have to be read, or a file cannot be: then
/// nothing is claimed. Rows that still wait in the inbox are not seen.
pub fn known_rows(lake: &Lake, snapshot: &Snapshot, store: StoreId, keys: &Keys) -> Option<KnownRows> {
    let files = |day| snapshot.files.get(day).into_iter().flatten();
    let current = |day| files(day).filter(|file| file.file_set == FileSet::Current);
    let rows: u64 = keys.days.keys().flat_map(current).map(|file| file.live_rows()).sum();
    let lost = keys.days.keys().any(|day| snapshot.quarantined.contains_key(day));
    if rows > ROWS_READ_MAX || lost {
        return None;
    }
    match look_up(lake, snapshot, store, keys) {
        Ok(known) => Some(known),
        Err(error) => {
            tracing::warn!(%error, "what an upload has in common with what is here cannot be told");
            None
        }
    }
}

fn look_up(lake: &Lake, snapshot: &Snapshot, store: StoreId, keys: &Keys) -> Result<KnownRows, LakeError> {
    let mut standings = vec![Standing::New; keys.rows];
    let stores = BTreeSet::from([store]);
    for (day, wanted) in &keys.days {
        let files = snapshot.files.get(day).into_iter().flatten();
        for file in files.filter(|file| file.file_set == FileSet::Current) {
            for version in lake.read_stores(file, Some(&VERSION_COLUMNS), &stores)?.versions()? {
                if let Some((row, hash)) = wanted.get(&version.key)
                    && let Some(standing) = standings.get_mut(*row)
                {
                    let same = *hash == version.row_hash || *standing == Standing::Same;
                    *standing = if same { Standing::Same } else { Standing::Differing };
                }
            }
        }
    }
    let count = |which| {
        let found = standings.iter().filter(|standing| **standing == which).count();
        u64::try_from(found).unwrap_or(u64::MAX)
    };
    Ok(KnownRows { same: count(Standing::Same), differing: count(Standing::Differing) })
}
