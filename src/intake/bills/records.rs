//! Records of quoted CSV, one at a time, however many lines each takes.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use super::recognise::{DELIMITERS, HEAD_LINES_MAX};
use super::refusal::Refusal;
use super::spool::{Spool, SpoolError};

/// Bytes of one record; a quote that is never closed would swallow the rest of the file.
pub const RECORD_BYTES_MAX: u64 = 1 << 20;

/// The records of a file from its first line on; empty lines are passed over. Cells are as they are written: whoever
/// reads one trims it, also of the carriage return at a line's end.
pub struct Records {
    reader: csv::Reader<Guarded>,
    since: Rc<Cell<u64>>,
    record: csv::StringRecord,
}

/// Stops the reader when one record swallows too much, and ends the last line where the file does not.
struct Guarded {
    text: BufReader<File>,
    since: Rc<Cell<u64>>,
    ended: bool,
}

impl Read for Guarded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(into)?;
        match into.get(..read).and_then(|fresh| fresh.last()) {
            Some(last) => self.ended = *last == b'\n',
            None if !self.ended && !into.is_empty() => {
                into[0] = b'\n';
                self.ended = true;
                return Ok(1);
            }
            None => {}
        }
        self.since.set(self.since.get() + u64::try_from(read).unwrap_or(0));
        if self.since.get() > RECORD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "record too long"));
        }
        Ok(read)
    }
}

impl Records {
    /// Begins at the first line; what stands between cells is found there.
    pub fn open(spool: &Spool) -> Result<Self, SpoolError> {
        let since = Rc::new(Cell::new(0));
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .delimiter(delimiter_of(&spool.head(HEAD_LINES_MAX)?))
            .from_reader(Guarded { text: spool.reader()?, since: Rc::clone(&since), ended: true });
        Ok(Self { reader, since, record: csv::StringRecord::new() })
    }

    /// Goes to the next record; gives the line it begins on and the position after it.
    pub fn advance(&mut self) -> Result<Option<(u64, u64)>, SpoolError> {
        self.since.set(0);
        let line = self.reader.position().line();
        let found = self.reader.read_record(&mut self.record).map_err(|error| refused(error, line))?;
        let after = self.reader.position();
        // Empty lines before it belong to no record, so its first line is told from its last.
        let inside = self.record.as_slice().bytes().filter(|byte| *byte == b'\n').count();
        let begins = after.line().saturating_sub(1 + u64::try_from(inside).unwrap_or(0));
        Ok(found.then(|| (begins, after.byte())))
    }

    /// The record that was gone to.
    pub const fn record(&self) -> &csv::StringRecord {
        &self.record
    }
}

/// The delimiter that stands most often in the first line that has any.
fn delimiter_of(head: &[String]) -> u8 {
    let times = |line: &str, delimiter: char| line.matches(delimiter).count();
    let first = head.iter().find(|line| DELIMITERS.iter().any(|delimiter| line.contains(*delimiter)));
    let Some(line) = first else { return b',' };
    // Of several that stand there equally often the usual one is the first.
    let most = DELIMITERS.iter().rev().max_by_key(|delimiter| times(line, **delimiter));
    most.and_then(|delimiter| u8::try_from(*delimiter).ok()).unwrap_or(b',')
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn records_of(text: &str) -> Result<Vec<(u64, Vec<String>)>, SpoolError> {
        let scratch = tempfile::tempdir().unwrap();
        let mut file = tempfile::NamedTempFile::new_in(scratch.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let spool = Spool::of(file.path(), scratch.path(), None)?;
        let (mut records, mut found) = (Records::open(&spool)?, Vec::new());
        while let Some((line, position)) = records.advance()? {
            assert!(position <= spool.bytes + 1);
            found.push((line, records.record().iter().map(|cell| cell.trim().to_owned()).collect()));
        }
        Ok(found)
    }

    #[test]
    fn a_cell_may_hold_line_ends_delimiters_and_quotes() {
        let found = records_of("\u{feff}a,b\r\n1 ,\"x\ny, \"\"z\"\"\"\r\n\r\n2,\"\"").unwrap();
        let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(found[0], (1, cells(["a", "b"])));
        assert_eq!(found[1], (2, cells(["1", "x\ny, \"z\""])));
        assert_eq!(found[2].1, [""]);
        assert_eq!(found[3], (5, cells(["2", ""])));
        assert_eq!(records_of("a;b\n1;2,5\n").unwrap()[1].1, ["1", "2,5"]);
        assert_eq!(records_of("a\tb,c\td\n").unwrap()[0].1, ["a", "b,c", "d"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_refused_not_followed() {
        let text = format!("a,b\n1,\"{}", "x\n".repeat(2 << 20));
        let refused = records_of(&text).unwrap_err();
        assert!(matches!(refused, SpoolError::Refused(Refusal::LineTooLong(2))), "{refused}");
    }
}
