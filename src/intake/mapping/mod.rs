//! Any CSV file, read by a mapping file that names its columns.
//!
//! Lines of one transaction need not stand together: a first pass notes the last line of every id, the second gives
//! each transaction out at its last line, so only those whose lines are still to come are in memory.

mod columns;
mod config;
mod group;
mod line;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::rc::Rc;

use super::Pseudonyms;
use super::bills::{Fault, LineCounts, Refusal, RejectCode, RejectedLine, Spool, SpoolError};
use crate::domain::{Instant, StoreId, Transaction};
use columns::Places;
use config::Lines;
pub use config::{MAPPING_BYTES_MAX, Mapping};
use group::Group;
use line::LineReader;

/// Transactions of one file.
pub const GROUPS_MAX: usize = 10_000_000;
/// Bytes of one record; a quote that is never closed would swallow the rest of the file.
const RECORD_BYTES_MAX: u64 = 1 << 20;

/// What the reader needs besides file and mapping.
pub struct MappingContext<'a> {
    pub store: StoreId,
    pub now: Instant,
    pub pseudonyms: &'a Pseudonyms,
}

/// What comes out of a mapped file.
#[derive(Debug)]
pub enum Mapped {
    Transaction(Box<Transaction>),
    Rejected(RejectedLine),
}

/// Reads the whole file by its mapping and gives transactions and rejected lines to `each`, with the position reached.
///
/// # Errors
/// [`SpoolError`]; a refusal comes before the first row.
pub fn read_mapped(
    spool: &Spool,
    mapping: &Mapping,
    context: &MappingContext<'_>,
    mut each: impl FnMut(Mapped, u64) -> Result<(), Refusal>,
) -> Result<LineCounts, SpoolError> {
    let hasher = RandomState::new();
    // Also where lines stand alone: what refuses the file must be met before anything is given out.
    let last = last_lines(spool, mapping, &hasher)?;
    let mut records = Records::open(spool, mapping)?;
    let places = Places::of(&records.header, mapping)?;
    let reader = LineReader { mapping, places: &places, context };
    let mut out =
        Output { counts: LineCounts { read: 1, headers: 1, ..LineCounts::default() }, each: &mut each };
    let mut open: HashMap<String, Group> = HashMap::new();
    let mut record = csv::StringRecord::new();
    let mut number = 0_u64;
    while let Some((line, position)) = records.next(&mut record)? {
        number += 1;
        out.counts.read += 1;
        let id = match reader.id(&record) {
            Ok(id) => id,
            Err(fault) => {
                out.reject(line, fault, Some(reader.redacted(&record)), position)?;
                continue;
            }
        };
        let group = open.entry(id.clone()).or_default();
        match reader.read(&record).and_then(|mapped| group.add(mapped)) {
            Ok(()) => group.lines.push(line),
            Err(fault) => {
                group.spoilt_by.get_or_insert(line);
                out.reject(line, fault, Some(reader.redacted(&record)), position)?;
            }
        }
        let is_last = last.get(&hasher.hash_one(&id)).is_none_or(|last| *last <= number);
        if is_last && let Some(group) = open.remove(&id) {
            out.close(id, group, mapping, context, position)?;
        }
    }
    // Ids whose hashes collide can be left over: they are complete now.
    for (id, group) in open {
        out.close(id, group, mapping, context, spool.bytes)?;
    }
    Ok(out.counts)
}

/// Number of the last record of every id, by the id's hash; empty where each line stands alone.
fn last_lines(
    spool: &Spool,
    mapping: &Mapping,
    hasher: &RandomState,
) -> Result<HashMap<u64, u64>, SpoolError> {
    let mut records = Records::open(spool, mapping)?;
    let places = Places::of(&records.header, mapping)?;
    let mut last = HashMap::new();
    let mut record = csv::StringRecord::new();
    let mut number = 0_u64;
    while records.next(&mut record)?.is_some() {
        number += 1;
        let id = record.get(places.id).unwrap_or_default().trim();
        if mapping.transaction.lines == Lines::Grouped {
            last.insert(hasher.hash_one(id), number);
        }
        if last.len() > GROUPS_MAX {
            return Err(Refusal::TooManyGroups(GROUPS_MAX).into());
        }
    }
    Ok(last)
}

/// Counts and hands on.
struct Output<'a> {
    counts: LineCounts,
    each: &'a mut dyn FnMut(Mapped, u64) -> Result<(), Refusal>,
}

impl Output<'_> {
    fn reject(&mut self, line: u64, fault: Fault, raw: Option<String>, position: u64) -> Result<(), Refusal> {
        self.counts.rejected += 1;
        (self.each)(Mapped::Rejected(RejectedLine::new(line, fault, raw)), position)
    }

    fn close(
        &mut self,
        id: String,
        group: Group,
        mapping: &Mapping,
        context: &MappingContext<'_>,
        position: u64,
    ) -> Result<(), Refusal> {
        let lines = group.lines.clone();
        let fault = match group.spoilt_by {
            Some(bad) => Fault::quoting("", RejectCode::TransactionRejected, &bad.to_string()),
            None => match group.finish(id, mapping, context) {
                Ok(transaction) => {
                    self.counts.accepted += u64::try_from(lines.len()).unwrap_or(u64::MAX);
                    return (self.each)(Mapped::Transaction(Box::new(transaction)), position);
                }
                Err(fault) => fault,
            },
        };
        for line in lines {
            self.reject(line, fault.clone(), None, position)?;
        }
        Ok(())
    }
}

/// The records of a file after its header.
struct Records {
    reader: csv::Reader<Guarded>,
    since: Rc<Cell<u64>>,
    header: csv::StringRecord,
}

/// Stops the reader when one record swallows too much.
struct Guarded {
    text: io::BufReader<std::fs::File>,
    since: Rc<Cell<u64>>,
}

impl Read for Guarded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(into)?;
        self.since.set(self.since.get() + u64::try_from(read).unwrap_or(0));
        if self.since.get() > RECORD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "record too long"));
        }
        Ok(read)
    }
}

impl Records {
    fn open(spool: &Spool, mapping: &Mapping) -> Result<Self, SpoolError> {
        let since = Rc::new(Cell::new(0));
        let guarded = Guarded { text: spool.reader()?, since: Rc::clone(&since) };
        let delimiter = u8::try_from(mapping.delimiter).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(guarded);
        let mut header = csv::StringRecord::new();
        let found = reader.read_record(&mut header).map_err(|error| refused(error, 1))?;
        if !found {
            return Err(Refusal::Empty.into());
        }
        Ok(Self { reader, since, header })
    }

    /// Reads the next record; gives its line and the position after it.
    fn next(&mut self, record: &mut csv::StringRecord) -> Result<Option<(u64, u64)>, SpoolError> {
        self.since.set(0);
        let line = self.reader.position().line();
        let found = self.reader.read_record(record).map_err(|error| refused(error, line))?;
        let line = record.position().map_or(line, csv::Position::line);
        Ok(found.then(|| (line, self.reader.position().byte())))
    }
}

fn refused(error: csv::Error, line: u64) -> SpoolError {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            Refusal::LineTooLong(line).into()
        }
        csv::ErrorKind::Io(cause) => cause.into(),
        _ => Refusal::LineTooLong(line).into(),
    }
}
