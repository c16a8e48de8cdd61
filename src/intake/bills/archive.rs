//! ZIP archives. Nothing is ever written to a path that an archive names: one entry is read, into a nameless file.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use encoding_rs::Encoding;
use zip::ZipArchive;
use zip::result::ZipError;

use super::formats::Format;
use super::recognise::recognise;
use super::refusal::Refusal;
use super::spool::{Spool, SpoolError, unpack};
use super::workbook;

/// Entries an archive of bills may have; a month of days with summaries is 62.
const ENTRIES_MAX: usize = 100;
/// Bytes of an entry that are looked at to recognise it.
const HEAD_BYTES: u64 = 64 << 10;

/// The one bill in an archive, chosen by what its entries hold: names come in GBK without saying so.
pub fn spool(
    mut file: File,
    packed_bytes: u64,
    scratch: &Path,
    expected: Option<&'static Encoding>,
) -> Result<Spool, SpoolError> {
    let mut archive = ZipArchive::new(BufReader::new(file.try_clone()?)).map_err(refused)?;
    if archive.len() > ENTRIES_MAX {
        return Err(Refusal::ArchiveEntries(ENTRIES_MAX).into());
    }
    if archive.file_names().any(|name| name.is_ok_and(|name| name == "xl/workbook.xml")) {
        file.rewind()?;
        return Err(workbook::refusal(file).into());
    }
    let entry = choose(&mut archive, scratch, expected)?;
    let packed = archive.by_index(entry).map_err(refused)?;
    let raw = unpack(packed, packed_bytes, scratch)?;
    Spool::decode(raw, scratch, expected)
}

/// The number of the entry to read. With `expected` (a mapping says what to do) any single text will do.
fn choose(
    archive: &mut ZipArchive<BufReader<File>>,
    scratch: &Path,
    expected: Option<&'static Encoding>,
) -> Result<usize, SpoolError> {
    let (mut bills, mut others, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for place in 0..archive.len() {
        let data = archive.by_index_raw(place).map_err(refused)?;
        if data.is_dir() || data.size() == 0 {
            continue;
        }
        if data.encrypted() {
            return Err(Refusal::PasswordProtected.into());
        }
        drop(data);
        let head = head_of(archive, place, scratch, expected)?;
        match head {
            Some(Ok(_)) => bills.push(place),
            Some(Err(Refusal::Unknown)) => texts.push(place),
            Some(Err(refusal)) => others.push(refusal),
            None => {}
        }
    }
    match (bills.as_slice(), texts.as_slice()) {
        ([one], _) => Ok(*one),
        ([], [one]) if others.is_empty() => Ok(*one),
        ([], _) => {
            // The summary beside an account bill is not what the sender meant.
            others.sort_by_key(|refusal| *refusal == Refusal::AlipaySummary);
            Err(others.into_iter().next().unwrap_or(Refusal::ArchiveWithoutBill).into())
        }
        (several, _) => Err(Refusal::ArchiveSeveralBills(several.len()).into()),
    }
}

/// What the first lines of an entry say it is; `None` when they are no text.
fn head_of(
    archive: &mut ZipArchive<BufReader<File>>,
    place: usize,
    scratch: &Path,
    expected: Option<&'static Encoding>,
) -> Result<Option<Result<&'static Format, Refusal>>, SpoolError> {
    let entry = archive.by_index(place).map_err(refused)?;
    let whole = entry.size() <= HEAD_BYTES;
    let mut head = Vec::new();
    if entry.take(HEAD_BYTES).read_to_end(&mut head).is_err() {
        return Err(Refusal::ArchiveDamaged.into());
    }
    if !whole {
        // Cut at a line's end, so that no character is halved.
        head.truncate(head.iter().rposition(|byte| *byte == b'\n').map_or(head.len(), |end| end + 1));
    }
    let mut file = tempfile::tempfile_in(scratch)?;
    std::io::Write::write_all(&mut file, &head)?;
    match Spool::decode(file, scratch, expected) {
        Ok(text) => Ok(Some(recognise(&text.head(super::recognise::HEAD_LINES_MAX)?))),
        Err(SpoolError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(error: ZipError) -> SpoolError {
    match error {
        ZipError::Io(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => Refusal::CutOff.into(),
        ZipError::Io(cause) => cause.into(),
        ZipError::InvalidPassword => Refusal::PasswordProtected.into(),
        ZipError::UnsupportedArchive(what) if what == ZipError::PASSWORD_REQUIRED => {
            Refusal::PasswordProtected.into()
        }
        // An archive without its directory at the end is one that was cut off or never was one.
        _ => Refusal::ArchiveDamaged.into(),
    }
}
