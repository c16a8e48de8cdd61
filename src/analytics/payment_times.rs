use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::NaiveDate;

use crate::domain::{Instant, StoreId, Stream, instant_from_ms};
use crate::lake::{FileSet, FrameError, Lake, LakeError};

use super::snapshot::Snapshot;

/// Rows of files that are gone through: more would take longer than a person waits.
const ROWS_READ_MAX: u64 = 2_000_000;

const COLUMNS: [&str; 7] =
    ["store", "kind", "transaction_id", "order_id", "provider_transaction_id", "created_ms", "completed_ms"];

/// When payments of a store happened that the shop or a provider told of live, and that have one of these ids. Only
/// those of these UTC days are looked for; `None` when those have too many rows.
///
/// # Errors
/// The first file that cannot be read.
pub fn payment_times(
    lake: &Lake,
    snapshot: &Snapshot,
    store: StoreId,
    days: RangeInclusive<NaiveDate>,
    ids: &BTreeSet<&str>,
) -> Result<Option<Vec<(String, Instant)>>, LakeError> {
    let wanted = (Stream::Transactions, *days.start())..=(Stream::Transactions, *days.end());
    let files: Vec<_> = snapshot
        .files
        .range(wanted)
        .flat_map(|(_, files)| files)
        .filter(|file| file.file_set == FileSet::Current)
        .collect();
    if files.iter().map(|file| file.live_rows()).sum::<u64>() > ROWS_READ_MAX {
        return Ok(None);
    }
    let mut found = Vec::new();
    for file in files {
        let rows = lake.read_stores(file, Some(&COLUMNS), &BTreeSet::from([store]))?;
        add_times(rows.data(), store, ids, &mut found)?;
    }
    Ok(Some(found))
}

fn add_times(
    rows: &polars::prelude::DataFrame,
    store: StoreId,
    ids: &BTreeSet<&str>,
    found: &mut Vec<(String, Instant)>,
) -> Result<(), FrameError> {
    let (stores, kinds) = (rows.column("store")?.i64()?, rows.column("kind")?.str()?);
    let (created, completed) = (rows.column("created_ms")?.i64()?, rows.column("completed_ms")?.i64()?);
    let own = rows.column("transaction_id")?.str()?;
    let order = rows.column("order_id")?.str()?;
    let provider = rows.column("provider_transaction_id")?.str()?;
    for row in 0..rows.height() {
        if stores.get(row) != Some(store.0) || kinds.get(row) != Some("payment") {
            continue;
        }
        let known = [provider.get(row), own.get(row), order.get(row)];
        let id = known.into_iter().flatten().find(|id| ids.contains(id));
        if let (Some(id), Some(at)) = (id, completed.get(row).or_else(|| created.get(row))) {
            found.push((id.to_owned(), instant_from_ms(at)));
        }
    }
    Ok(())
}
