//! Workbooks (XLSX): the one sheet that is a bill becomes text, a row a line, so that every format and mapping reads it.
//!
//! Numbers are taken as they are written in the file, never through floating point. What Excel has rounded, for it keeps
//! fifteen digits, is written as Excel shows it (`4.2E+27`), and refused where an id should stand.

mod book;
mod number;
mod sheet;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use zip::ZipArchive;

use super::recognise::{HEAD_LINES_MAX, recognise};
use super::refusal::{Refusal, WorkbookLimit};
use super::spool::{FILE_BYTES_MAX, Opening, RATIO_FREE_BYTES, RATIO_MAX, Spool, SpoolError, unpacking};
use book::Book;
use sheet::line_of;

/// The part by which an archive is known as a workbook.
pub const MAIN_PART: &str = "xl/workbook.xml";
/// Parts of an archive that is a workbook.
const PARTS_MAX: usize = 1_000;
/// Bytes of an old or locked workbook that are searched for what it is.
const OLD_BYTES_MAX: u64 = 64 << 20;

/// The parts of one workbook, each unpacked within limits.
struct Parts {
    archive: ZipArchive<BufReader<File>>,
    packed_bytes: u64,
}

impl Parts {
    fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(name).is_some()
    }

    /// Unpacks a part; its length is what comes out, not what the archive says.
    fn part(&mut self, name: &str) -> Result<BufReader<Bounded<impl Read>>, SpoolError> {
        let part = self.archive.by_name(name).map_err(|_| Refusal::WorkbookDamaged)?;
        Ok(BufReader::new(Bounded { part, unpacked: 0, packed: self.packed_bytes }))
    }
}

/// Ends the reading of what grows beyond all measure.
struct Bounded<R> {
    part: R,
    unpacked: u64,
    packed: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(into)?;
        self.unpacked += u64::try_from(read).unwrap_or(u64::MAX);
        let is_bomb = self.unpacked > RATIO_FREE_BYTES && self.unpacked / RATIO_MAX > self.packed;
        if is_bomb || self.unpacked > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}

/// An error while a part is unpacked and read.
fn broken(error: SpoolError) -> SpoolError {
    match error {
        SpoolError::Io(error) => match unpacking(error) {
            SpoolError::Refused(_) => Refusal::WorkbookDamaged.into(),
            failed @ SpoolError::Io(_) => failed,
        },
        SpoolError::Refused(Refusal::CutOff) => Refusal::WorkbookDamaged.into(),
        refused @ SpoolError::Refused(_) => refused,
    }
}

/// The text of the sheet that is a bill, or the only one, or the one a mapping is for.
pub fn spool(
    archive: ZipArchive<BufReader<File>>,
    packed_bytes: u64,
    scratch: &Path,
    opening: Opening<'_>,
) -> Result<Spool, SpoolError> {
    if archive.len() > PARTS_MAX {
        return Err(Refusal::WorkbookLimit(WorkbookLimit::Parts(PARTS_MAX)).into());
    }
    let mut parts = Parts { archive, packed_bytes };
    let book = Book::open(&mut parts).map_err(broken)?;
    let chosen = choose(&mut parts, &book, opening)?;
    let mut out = BufWriter::new(tempfile::tempfile_in(scratch)?);
    let (mut next_row, mut bytes, mut width) = (1_u32, 0_u64, 0_usize);
    let mut failed: Option<io::Error> = None;
    let rows = sheet::rows(&mut parts, &book, &chosen, &mut |row, cells| {
        let mut text = String::new();
        // A line's number is its row's, so rows without a cell are lines without one.
        (next_row..row).for_each(|_| text.push('\n'));
        text.push_str(&line_of(cells));
        // A row ends at its last cell that holds something; below a header it is as wide as that.
        (cells.len()..width).for_each(|_| text.push(','));
        text.push('\n');
        (next_row, width) = (row + 1, width.max(cells.len()));
        bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
        if bytes > FILE_BYTES_MAX {
            return Err(Refusal::TooLarge(FILE_BYTES_MAX));
        }
        failed = out.write_all(text.as_bytes()).err();
        Ok(failed.is_none())
    });
    rows.map_err(broken)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if bytes == 0 {
        return Err(Refusal::Empty.into());
    }
    let file = out.into_inner().map_err(|error| SpoolError::Io(error.into_error()))?;
    Ok(Spool::of_text(file, "XLSX", bytes))
}

/// The place of the sheet to read.
fn choose(parts: &mut Parts, book: &Book, opening: Opening<'_>) -> Result<String, SpoolError> {
    let (mut bills, mut others, mut refused) = (Vec::new(), Vec::new(), None);
    for place in &book.sheets {
        let head = head_of(parts, book, place).map_err(broken)?;
        match recognise(&head) {
            Ok(_) => bills.push(place),
            Err(_) if opening.fits(&head) => bills.push(place),
            Err(Refusal::Unknown) => others.push(place),
            Err(Refusal::Empty) => {}
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match (bills.as_slice(), refused, others.as_slice()) {
        ([one], _, _) | ([], None, [one, ..]) => Ok((*one).clone()),
        ([], Some(refusal), _) => Err(refusal.into()),
        ([], None, []) => Err(Refusal::Empty.into()),
        (several, _, _) => Err(Refusal::WorkbookSheets(several.len()).into()),
    }
}

/// The first lines of a sheet.
fn head_of(parts: &mut Parts, book: &Book, place: &str) -> Result<Vec<String>, SpoolError> {
    let mut head = Vec::new();
    sheet::rows(parts, book, place, &mut |row, cells| {
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        if row > HEAD_LINES_MAX {
            return Ok(false);
        }
        head.resize(row, String::new());
        if let Some(line) = head.last_mut() {
            *line = line_of(cells);
        }
        Ok(true)
    })?;
    Ok(head)
}

/// What a file in Microsoft's compound form is: a workbook of before 2007, or one that is locked.
pub fn old_or_locked(mut file: File) -> io::Result<Refusal> {
    const LOCKED: &str = "EncryptedPackage";
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OLD_BYTES_MAX).read_to_end(&mut bytes)?;
    let wide: Vec<u8> = LOCKED.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let is_locked = bytes.windows(wide.len()).any(|window| window == wide);
    Ok(if is_locked { Refusal::WorkbookLocked } else { Refusal::Workbook })
}
