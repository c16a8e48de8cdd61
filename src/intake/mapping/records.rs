//! The records of a table, below its header.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use super::super::bills::{Refusal, Spool, SpoolError};
use super::header::Header;

/// Bytes of one record; a quote that is never closed would swallow the rest of the file.
const RECORD_BYTES_MAX: u64 = 1 << 20;
/// Records among which the header is looked for.
const PREAMBLE_MAX: u64 = 60;

/// The records of a file after its header.
pub struct Records {
    reader: csv::Reader<Guarded>,
    since: Rc<Cell<u64>>,
    pub header: Header,
    /// Records before the header.
    pub preamble: u64,
    footer: Vec<String>,
    /// Rows of a workbook end at their last cell that holds something.
    is_workbook: bool,
}

/// What a record is, before anything is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Data,
    /// Sums up others.
    Footer,
    /// Words without a table around them.
    Note,
}

/// Stops the reader when one record swallows too much.
struct Guarded {
    text: BufReader<File>,
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
    /// Looks for the header: the first record that has all of these columns.
    ///
    /// # Errors
    /// [`Refusal::ColumnMissing`] with what the likeliest header lacks.
    pub fn open(
        spool: &Spool,
        delimiter: char,
        wanted: &[&str],
        footer: &[String],
    ) -> Result<Self, SpoolError> {
        let since = Rc::new(Cell::new(0));
        let guarded = Guarded { text: spool.reader()?, since: Rc::clone(&since) };
        let is_workbook = spool.encoding == "XLSX";
        let delimiter = if is_workbook { b',' } else { u8::try_from(delimiter).unwrap_or(b',') };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(guarded);
        let none = csv::StringRecord::new();
        let footer = footer.to_vec();
        let mut records = Self { reader, since, header: Header::of(&none), preamble: 0, footer, is_workbook };
        let mut record = none;
        let mut best: Option<(usize, String)> = None;
        while records.preamble < PREAMBLE_MAX && records.advance(&mut record)?.is_some() {
            let header = Header::of(&record);
            let Some((absent, first)) = header.missing(wanted) else {
                records.header = header;
                return Ok(records);
            };
            if best.as_ref().is_none_or(|(fewest, _)| absent < *fewest) {
                best = Some((absent, first.to_owned()));
            }
            records.preamble += 1;
        }
        Err(best.map_or(Refusal::Empty, |(_, name)| Refusal::ColumnMissing(name)).into())
    }

    /// Reads the next record; gives its line and the position after it.
    pub fn advance(&mut self, record: &mut csv::StringRecord) -> Result<Option<(u64, u64)>, SpoolError> {
        self.since.set(0);
        let line = self.reader.position().line();
        let found = self.reader.read_record(record).map_err(|error| refused(error, line))?;
        let line = record.position().map_or(line, csv::Position::line);
        if found {
            self.fit(record);
        }
        Ok(found.then(|| (line, self.reader.position().byte())))
    }

    /// Brings a record to the header's length where nothing is lost by it.
    fn fit(&self, record: &mut csv::StringRecord) {
        let columns = self.header.names.len();
        let is_padded =
            record.len() > columns && record.iter().skip(columns).all(|cell| cell.trim().is_empty());
        if columns > 0 && is_padded {
            record.truncate(columns);
        }
        while self.is_workbook && record.len() < columns {
            record.push_field("");
        }
    }

    /// What a record is.
    pub fn kind(&self, record: &csv::StringRecord) -> Kind {
        let mut filled = record.iter().map(str::trim).filter(|cell| !cell.is_empty());
        let Some(first) = filled.next() else { return Kind::Note };
        let first = first.trim_start_matches(['`', '\u{feff}']);
        // `合计3笔` sums up; `Total Wine` is somebody's name.
        let sums_up = |word: &String| {
            first.trim_end_matches([':', '：']) == word
                || (!word.is_ascii() && first.starts_with(word.as_str()))
        };
        if self.footer.iter().any(sums_up) {
            return Kind::Footer;
        }
        // A note below the table has one cell where rows have several.
        let is_note = !self.footer.is_empty() && filled.next().is_none() && self.header.names.len() > 2;
        if is_note { Kind::Note } else { Kind::Data }
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
