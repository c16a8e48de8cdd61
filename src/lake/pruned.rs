//! Reading the rows of some stores without the rest: files are sorted by store, so theirs lie together.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Cursor;

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::read::ParallelStrategy;
use polars::prelude::{BooleanChunked, NewChunkedArray};

use crate::domain::StoreId;

use super::columns::{Frame, FrameError};
use super::file::LakeFile;
use super::folder::{Lake, LakeError};
use super::table::{Table, decode_slice};
use super::trust::Stamp;

/// Few rows are decoded sooner than handed out to threads; who reads many files has threads of its own.
const ALONE: ParallelStrategy = ParallelStrategy::None;
/// Runs of rows closer together than this are read as one.
const GAP_ROWS: usize = 4_096;

impl Lake {
    /// Reads like [`Lake::read`], but may leave out rows of stores that are not asked for. A file that this process
    /// found right and that was not changed since is not read from end to end again.
    ///
    /// # Errors
    /// As [`Lake::read`].
    pub fn read_stores(
        &self,
        file: &LakeFile,
        columns: Option<&[&str]>,
        stores: &BTreeSet<StoreId>,
    ) -> Result<Frame, LakeError> {
        let open =
            File::open(self.root().join(&file.path)).map_err(|source| LakeError::of_file(file, source));
        let known = open.and_then(|open| {
            let found = open.metadata().map_err(|source| LakeError::of_file(file, source))?;
            Ok(self.trusts(file, Stamp::of(&found)).then_some(open))
        });
        if let Some(open) = known.inspect_err(|error| self.suspect(file, error))? {
            let again = || open.try_clone().map_err(|source| LakeError::of_file(file, source));
            return rows_of(file, columns, stores, again);
        }
        let bytes = self.read_bytes(file)?;
        rows_of(file, columns, stores, || Ok(Cursor::new(&bytes[..])))
    }
}

fn rows_of<R: MmapBytesReader>(
    file: &LakeFile,
    columns: Option<&[&str]>,
    stores: &BTreeSet<StoreId>,
    open: impl Fn() -> Result<R, LakeError>,
) -> Result<Frame, LakeError> {
    let mut parts = Vec::new();
    let owners = decode_slice(open()?, Some(&["store"]), None, ALONE)?;
    for (first, rows) in runs(&Frame(owners), stores)? {
        let part = decode_slice(open()?, columns, Some((first, rows)), ALONE)?;
        let live = file.superseded.live_mask(first, rows);
        let part = if live.contains(&false) {
            part.filter(&BooleanChunked::from_slice("".into(), &live)).map_err(FrameError::from)?
        } else {
            part
        };
        parts.push(Frame(part));
    }
    match Frame::concat(parts)? {
        Some(rows) => Ok(rows),
        None => Ok(Frame(decode_slice(open()?, columns, Some((0, 0)), ALONE)?)),
    }
}

/// Where rows of these stores lie: first row and number of rows.
fn runs(rows: &Frame, stores: &BTreeSet<StoreId>) -> Result<Vec<(usize, usize)>, FrameError> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut last: Option<(i64, bool)> = None;
    for (row, store) in rows.0.column("store")?.i64()?.iter().enumerate() {
        let store = store.unwrap_or(0);
        let wanted = match last {
            Some((known, wanted)) if known == store => wanted,
            _ => stores.contains(&StoreId(store)),
        };
        last = Some((store, wanted));
        if !wanted {
            continue;
        }
        match runs.last_mut().filter(|(first, count)| row - (*first + *count) < GAP_ROWS) {
            Some((first, count)) => *count = row + 1 - *first,
            None => runs.push((row, 1)),
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polars::prelude::df;

    use super::super::file::FileSet;
    use super::super::superseded::SupersededRows;
    use super::*;
    use crate::domain::Stream;

    #[test]
    fn the_rows_of_some_stores_are_read_without_the_superseded_ones() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path()).unwrap();
        let rows: i64 = 30_000;
        let store = |row: i64| row / 10_000 + 1;
        let frame = Frame(
            df!(
                "key_high" => (0..rows).map(i64::unsigned_abs).collect::<Vec<_>>(),
                "key_low" => (0..rows).map(i64::unsigned_abs).collect::<Vec<_>>(),
                "row_hash" => (0..rows).map(i64::unsigned_abs).collect::<Vec<_>>(),
                "store" => (0..rows).map(store).collect::<Vec<_>>(),
                "created_ms" => (0..rows).collect::<Vec<_>>(),
            )
            .unwrap(),
        );
        let day = "1970-01-01".parse().unwrap();
        let mut file = lake.write(&frame, Stream::Transactions, day, FileSet::Current, "a").unwrap();
        file.superseded = Arc::new(SupersededRows::of([5, 10_001, 25_000]));
        let read = |stores: &[i64]| -> Vec<i64> {
            let stores = stores.iter().map(|store| StoreId(*store)).collect();
            let found = lake.read_stores(&file, Some(&["created_ms"]), &stores).unwrap();
            found.data().column("created_ms").unwrap().i64().unwrap().iter().flatten().collect()
        };
        let expected = |stores: &[i64]| -> Vec<i64> {
            let live = |row: &i64| ![5, 10_001, 25_000].contains(row);
            (0..rows).filter(|row| stores.contains(&store(*row))).filter(live).collect()
        };
        for stores in [&[2][..], &[1, 3], &[1, 2, 3], &[9]] {
            assert_eq!(read(stores), expected(stores), "{stores:?}");
        }
        // Changed since it was found right: it is compared again, and refused.
        let path = folder.path().join(&file.path);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let stores = BTreeSet::from([StoreId(2)]);
        assert!(matches!(lake.read_stores(&file, None, &stores), Err(LakeError::Damaged { .. })));
    }
}
