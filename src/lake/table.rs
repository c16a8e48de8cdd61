use std::collections::BTreeMap;
use std::io::Cursor;

use chrono::NaiveDate;
use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::read::{ParallelStrategy, ParquetReader};
use polars::io::parquet::write::{ParquetCompression, ParquetWriter, StatisticsOptions};
use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Schema, SerReader, Series};

use crate::domain::{RecordKey, Stream, import_of_feed, instant_from_ms};

use super::batch::{BATCH_ROWS_MAX, decode_batch};
use super::columns::{Frame, FrameError};
use super::folder::last_event_ms;
use super::gather::gather;
use super::supersede::Version;

/// Rows of one row group: small enough to skip by store, large enough to read fast.
pub const ROW_GROUP_ROWS: usize = 65_536;

/// What decides a row's place in a file: store, instant, key. By store first: a report of one store skips the row
/// groups of the others.
pub type SortKey = (i64, i64, u64, u64);

/// Rows of one stream, whatever holds them. What folds and merges do is written against this: in the server rows are
/// Polars frames, in the simulator plain lists.
pub trait Table: Clone + Sized {
    /// Reads an inbox batch.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are damaged.
    fn decode_batch(bytes: &[u8]) -> Result<Self, FrameError>;

    /// How many rows.
    fn height(&self) -> usize;

    /// The rows at these places, in that order.
    ///
    /// # Errors
    /// [`FrameError`] when a place lies outside.
    fn take(&self, places: &[usize]) -> Result<Self, FrameError>;

    /// The rows of all, one after the other; `None` when there is not one table.
    ///
    /// # Errors
    /// [`FrameError`] when their columns differ.
    fn concat(tables: Vec<Self>) -> Result<Option<Self>, FrameError>;

    /// The order of the rows in a file.
    ///
    /// # Errors
    /// [`FrameError`] when a column is missing.
    fn sort_keys(&self, stream: Stream) -> Result<Vec<SortKey>, FrameError>;

    /// What decides which row of a record is the latest.
    ///
    /// # Errors
    /// [`FrameError`] when a column is missing.
    fn versions(&self) -> Result<Vec<Version>, FrameError>;

    /// The group of each row that may have others in it; rows of streams without groups have none.
    ///
    /// # Errors
    /// [`FrameError`] when a column has another type.
    fn groups(&self) -> Result<Vec<Option<u64>>, FrameError>;

    /// The import that brought each row, if one did.
    ///
    /// # Errors
    /// [`FrameError`] when the column is missing.
    fn imports(&self) -> Result<Vec<Option<i64>>, FrameError>;

    /// Numbers the rows by arrival, from `first` on.
    ///
    /// # Errors
    /// [`FrameError`].
    fn number_arrivals(&mut self, first: i64) -> Result<(), FrameError>;

    /// The youngest instant a row tells of.
    fn last_event_ms(&self, stream: Stream) -> i64;

    /// The bytes of a file of these rows; each table that comes becomes row groups of its own.
    ///
    /// # Errors
    /// [`FrameError`], the first that comes.
    fn encode(tables: impl Iterator<Item = Result<Self, FrameError>>) -> Result<Vec<u8>, FrameError>;

    /// Rows of a file: the named columns, all when `None`.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are no file or have no such column.
    fn decode(bytes: &[u8], columns: Option<&[&str]>) -> Result<Self, FrameError>;

    /// Like [`Table::decode`], only the rows at these rising places. Decodes no more than the part of each row group
    /// that holds them.
    ///
    /// # Errors
    /// As [`Table::decode`].
    fn decode_rows(bytes: &[u8], columns: Option<&[&str]>, places: &[usize]) -> Result<Self, FrameError>;
}

/// What [`Table::versions`] reads.
pub const VERSION_COLUMNS: [&str; 6] =
    ["key_high", "key_low", "row_hash", "version_ms", "terminal", "arrival"];

/// What [`Table::imports`] reads.
pub const IMPORT_COLUMN: &str = "feed";

/// What [`Table::groups`] reads, where a stream has groups.
pub const GROUP_HASH_COLUMNS: [&str; 2] = ["group_hash", "grouped"];

/// The instant column whose UTC day is the partition.
pub const fn partition_column(stream: Stream) -> &'static str {
    match stream {
        Stream::Transactions => "created_ms",
        Stream::LedgerLines => "posted_ms",
        Stream::CheckoutEvents => "time_ms",
    }
}

/// Splits the rows of inbox batches (each with its sequence number) by UTC day, numbered by arrival.
///
/// # Errors
/// [`FrameError`] when a batch has not the columns of its stream.
pub fn split_by_day<T: Table>(
    stream: Stream,
    batches: impl IntoIterator<Item = (i64, T)>,
) -> Result<Vec<(NaiveDate, T)>, FrameError> {
    let mut days: BTreeMap<NaiveDate, Vec<T>> = BTreeMap::new();
    for (seq, mut rows) in batches {
        rows.number_arrivals(seq.saturating_mul(i64::try_from(BATCH_ROWS_MAX).unwrap_or(i64::MAX)))?;
        let mut places: BTreeMap<NaiveDate, Vec<usize>> = BTreeMap::new();
        for (place, key) in rows.sort_keys(stream)?.into_iter().enumerate() {
            places.entry(instant_from_ms(key.1).date_naive()).or_default().push(place);
        }
        for (day, places) in places {
            let part = if places.len() == rows.height() { rows.clone() } else { rows.take(&places)? };
            days.entry(day).or_default().push(part);
        }
    }
    let mut split = Vec::with_capacity(days.len());
    for (day, parts) in days {
        if let Some(rows) = T::concat(parts)? {
            split.push((day, rows));
        }
    }
    Ok(split)
}

/// The rows in the order of a file.
///
/// # Errors
/// [`FrameError`] when a column is missing.
pub fn sorted<T: Table>(rows: &T, stream: Stream) -> Result<T, FrameError> {
    let keys = rows.sort_keys(stream)?;
    if keys.is_sorted() {
        return Ok(rows.clone());
    }
    let mut places: Vec<usize> = (0..keys.len()).collect();
    places.sort_unstable_by_key(|place| keys.get(*place));
    rows.take(&places)
}

impl Table for Frame {
    fn decode_batch(bytes: &[u8]) -> Result<Self, FrameError> {
        decode_batch(bytes)
    }

    fn height(&self) -> usize {
        self.0.height()
    }

    fn take(&self, places: &[usize]) -> Result<Self, FrameError> {
        Ok(Self(gather(&self.0, places)?))
    }

    fn concat(tables: Vec<Self>) -> Result<Option<Self>, FrameError> {
        let mut tables = tables.into_iter();
        let Some(Self(mut all)) = tables.next() else { return Ok(None) };
        for Self(more) in tables {
            all.vstack_mut(&more)?;
        }
        // Once, in place of a walk over many chunks at every step that follows.
        all.rechunk_mut();
        Ok(Some(Self(all)))
    }

    fn sort_keys(&self, stream: Stream) -> Result<Vec<SortKey>, FrameError> {
        let store = self.0.column("store")?.i64()?;
        let at = self.0.column(partition_column(stream))?.i64()?;
        let high = self.0.column("key_high")?.u64()?;
        let low = self.0.column("key_low")?.u64()?;
        let rows = store.iter().zip(at.iter()).zip(high.iter()).zip(low.iter());
        Ok(rows
            .map(|(((store, at), high), low)| {
                (store.unwrap_or(0), at.unwrap_or(0), high.unwrap_or(0), low.unwrap_or(0))
            })
            .collect())
    }

    fn versions(&self) -> Result<Vec<Version>, FrameError> {
        let data = &self.0;
        let high = data.column("key_high")?.u64()?;
        let low = data.column("key_low")?.u64()?;
        let row_hash = data.column("row_hash")?.u64()?;
        let version_ms = data.column("version_ms")?.i64()?;
        let terminal = data.column("terminal")?.bool()?;
        let arrival = data.column("arrival")?.i64()?;
        let keys = high.iter().zip(low.iter()).zip(row_hash.iter());
        let ranks = version_ms.iter().zip(terminal.iter()).zip(arrival.iter());
        Ok(keys
            .zip(ranks)
            .map(|(((high, low), row_hash), ((version_ms, terminal), arrival))| Version {
                key: RecordKey { high: high.unwrap_or(0), low: low.unwrap_or(0) },
                row_hash: row_hash.unwrap_or(0),
                version_ms,
                terminal: terminal.unwrap_or(false),
                arrival: arrival.unwrap_or(0),
            })
            .collect())
    }

    fn groups(&self) -> Result<Vec<Option<u64>>, FrameError> {
        let Ok(hashes) = self.0.column("group_hash") else { return Ok(vec![None; self.0.height()]) };
        let grouped = self.0.column("grouped")?.bool()?;
        let rows = hashes.u64()?.iter().zip(grouped.iter());
        Ok(rows.map(|(hash, grouped)| hash.filter(|_| grouped == Some(true))).collect())
    }

    fn imports(&self) -> Result<Vec<Option<i64>>, FrameError> {
        let feeds = self.0.column(IMPORT_COLUMN)?.str()?;
        Ok(feeds.iter().map(|feed| import_of_feed(feed?)).collect())
    }

    fn number_arrivals(&mut self, first: i64) -> Result<(), FrameError> {
        let arrival: Vec<i64> = (0..self.0.height())
            .map(|place| first.saturating_add(i64::try_from(place).unwrap_or(i64::MAX)))
            .collect();
        self.0.with_column(Series::new("arrival".into(), arrival).into_column())?;
        Ok(())
    }

    fn last_event_ms(&self, stream: Stream) -> i64 {
        last_event_ms(self, stream)
    }

    fn encode(tables: impl Iterator<Item = Result<Self, FrameError>>) -> Result<Vec<u8>, FrameError> {
        let mut bytes = Vec::new();
        let mut tables = tables.peekable();
        let schema = match tables.peek() {
            Some(Ok(first)) => Schema::clone(first.0.schema()),
            _ => Schema::default(),
        };
        let mut writer = ParquetWriter::new(&mut bytes)
            .with_compression(ParquetCompression::Zstd(None))
            .with_statistics(StatisticsOptions::default())
            .set_parallel(false)
            .batched(&schema)?;
        for table in tables {
            let data = table?.0;
            for first in (0..data.height()).step_by(ROW_GROUP_ROWS) {
                let mut group = data.slice(i64::try_from(first).unwrap_or(i64::MAX), ROW_GROUP_ROWS);
                group.rechunk_mut();
                writer.write_batch(&group)?;
            }
        }
        writer.finish()?;
        Ok(bytes)
    }

    fn decode(bytes: &[u8], columns: Option<&[&str]>) -> Result<Self, FrameError> {
        decode_slice(Cursor::new(bytes), columns, None, ParallelStrategy::Auto).map(Self)
    }

    fn decode_rows(bytes: &[u8], columns: Option<&[&str]>, places: &[usize]) -> Result<Self, FrameError> {
        let mut parts = Vec::new();
        for part in places.chunk_by(|a, b| a / ROW_GROUP_ROWS == b / ROW_GROUP_ROWS) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let rows = Self(decode_slice(
                Cursor::new(bytes),
                columns,
                Some((*first, last - first + 1)),
                ParallelStrategy::Auto,
            )?);
            if rows.height() == part.len() {
                parts.push(rows);
                continue;
            }
            let within: Vec<usize> = part.iter().map(|place| place - first).collect();
            parts.push(rows.take(&within)?);
        }
        match Self::concat(parts)? {
            Some(rows) => Ok(rows),
            None => {
                Ok(Self(decode_slice(Cursor::new(bytes), columns, Some((0, 0)), ParallelStrategy::None)?))
            }
        }
    }
}

/// Some columns of some rows (first and number) of a Parquet file; row groups without one of them are not decoded.
pub(super) fn decode_slice<R: MmapBytesReader>(
    file: R,
    columns: Option<&[&str]>,
    slice: Option<(usize, usize)>,
    by: ParallelStrategy,
) -> Result<DataFrame, FrameError> {
    let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Ok(ParquetReader::new(file).with_columns(columns).with_slice(slice).read_parallel(by).finish()?)
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    #[test]
    fn rows_are_found_at_their_places_across_row_groups() {
        let rows: Vec<i64> = (0..150_000).collect();
        let frame = Frame(df!("amount" => rows).unwrap());
        let bytes = Frame::encode(std::iter::once(Ok(frame))).unwrap();
        let places = [0, 7, 65_535, 65_536, 65_537, 131_072, 149_999];
        let found = Frame::decode_rows(&bytes, Some(&["amount"]), &places).unwrap();
        let found: Vec<i64> = found.0.column("amount").unwrap().i64().unwrap().iter().flatten().collect();
        assert_eq!(found, places.map(|place| i64::try_from(place).unwrap()));
        let none = Frame::decode_rows(&bytes, None, &[]).unwrap();
        assert_eq!((none.height(), none.0.width()), (0, 1));
    }
}
