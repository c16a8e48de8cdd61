//! ZIP archives. Nothing is ever written to a path that an archive names: one entry is read, into a nameless file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::read::{ZipFile, ZipReadOptions};
use zip::result::ZipError;

use super::recognise::{HEAD_LINES_MAX, recognise};
use super::refusal::Refusal;
use super::spool::{Opening, Spool, SpoolError, unpack, unpacking};
use super::workbook;

/// Entries an archive of bills may have; a month of days with summaries is 62.
const ENTRIES_MAX: usize = 100;
/// Bytes of an entry that are looked at to recognise it.
const HEAD_BYTES: u64 = 64 << 10;

/// An archive that is open for reading.
type Archive = ZipArchive<BufReader<File>>;

/// The one bill in an archive, chosen by what its entries hold: names come in GBK without saying so.
pub fn spool(
    file: File,
    packed_bytes: u64,
    scratch: &Path,
    opening: Opening<'_>,
) -> Result<Spool, SpoolError> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| refused(error, opening))?;
    if archive.index_for_name(workbook::MAIN_PART).is_some() {
        return workbook::spool(archive, packed_bytes, scratch, opening);
    }
    if archive.len() > ENTRIES_MAX {
        return Err(Refusal::ArchiveEntries(ENTRIES_MAX).into());
    }
    let (entry, is_locked) = choose(&mut archive, scratch, opening)?;
    let packed = open(&mut archive, entry, opening)?;
    let raw = unpack(packed, packed_bytes, scratch).map_err(|error| unlocked(error, is_locked))?;
    Spool::decode(raw, scratch, opening.encoding)
}

/// Opens an entry, with the password where it needs one.
fn open<'a>(
    archive: &'a mut Archive,
    place: usize,
    opening: Opening<'_>,
) -> Result<ZipFile<'a, BufReader<File>>, SpoolError> {
    let is_locked = archive.by_index_raw(place).map_err(|error| refused(error, opening))?.encrypted();
    let password = opening.password.filter(|_| is_locked).map(str::as_bytes);
    let options = ZipReadOptions::new().password(password);
    archive.by_index_with_options(place, options).map_err(|error| refused(error, opening))
}

/// The old way of locking notices most wrong passwords only by what comes out.
fn unlocked(error: SpoolError, is_locked: bool) -> SpoolError {
    match error {
        SpoolError::Refused(Refusal::ArchiveDamaged | Refusal::CutOff) if is_locked => {
            Refusal::PasswordNeeded { wrong: true }.into()
        }
        other => other,
    }
}

/// The number of the entry to read, and whether it is locked. With a mapping any single text will do.
fn choose(archive: &mut Archive, scratch: &Path, opening: Opening<'_>) -> Result<(usize, bool), SpoolError> {
    let (mut bills, mut others, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for place in 0..archive.len() {
        let data = archive.by_index_raw(place).map_err(|error| refused(error, opening))?;
        if data.is_dir() || data.size() == 0 {
            continue;
        }
        let is_locked = data.encrypted();
        drop(data);
        if is_locked && opening.password.is_none() {
            return Err(Refusal::PasswordNeeded { wrong: false }.into());
        }
        let head = head_of(archive, place, scratch, opening).map_err(|error| unlocked(error, is_locked))?;
        let Some(head) = head else { continue };
        match recognise(&head) {
            Ok(_) => bills.push((place, is_locked)),
            Err(_) if opening.fits(&head) => bills.push((place, is_locked)),
            Err(Refusal::Unknown) => texts.push((place, is_locked)),
            Err(refusal) => others.push(refusal),
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

/// The first lines of an entry; `None` when they are no text.
fn head_of(
    archive: &mut Archive,
    place: usize,
    scratch: &Path,
    opening: Opening<'_>,
) -> Result<Option<Vec<String>>, SpoolError> {
    let entry = open(archive, place, opening)?;
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
    match Spool::decode(file, scratch, opening.encoding) {
        Ok(text) => Ok(Some(text.head(HEAD_LINES_MAX)?)),
        Err(SpoolError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(error: ZipError, opening: Opening<'_>) -> SpoolError {
    let wrong = opening.password.is_some();
    match error {
        ZipError::Io(cause) => unpacking(cause),
        ZipError::InvalidPassword => Refusal::PasswordNeeded { wrong }.into(),
        ZipError::UnsupportedArchive(what) if what == ZipError::PASSWORD_REQUIRED => {
            Refusal::PasswordNeeded { wrong }.into()
        }
        // An archive without its directory at the end is one that was cut off or never was one.
        _ => Refusal::ArchiveDamaged.into(),
    }
}
