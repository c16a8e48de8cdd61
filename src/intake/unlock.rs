//! Archives that are locked by a password: written anew without it, and then read like any other.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::bills::{FILE_BYTES_MAX, RATIO_MAX, Refusal, SpoolError};

/// Entries an archive may have; as many as are read of one that is not locked.
const ENTRIES_MAX: usize = 100;
/// Below this a high ratio does no harm.
const RATIO_FREE_BYTES: u64 = 8 << 20;
const STEP_BYTES: usize = 64 << 10;

/// Why an archive was not opened.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// Not with this password.
    #[error("this password does not open the archive")]
    WrongPassword,
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl From<io::Error> for UnlockError {
    fn from(error: io::Error) -> Self {
        Self::Spool(error.into())
    }
}

/// Opens a locked archive and writes what is in it to an archive without a lock, under a name of its own in `folder`. The
/// password is used here and kept nowhere. Entries are numbered: what an archive calls them is no path of ours.
///
/// # Errors
/// [`UnlockError`].
pub fn unlock(locked: &Path, folder: &Path, password: &str) -> Result<PathBuf, UnlockError> {
    let packed_bytes = std::fs::metadata(locked)?.len();
    let mut archive = ZipArchive::new(BufReader::new(File::open(locked)?)).map_err(refused)?;
    if archive.len() > ENTRIES_MAX {
        return Err(SpoolError::from(Refusal::ArchiveEntries(ENTRIES_MAX)).into());
    }
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut open = ZipWriter::new(BufWriter::new(file));
    let mut bounds = Bounds { packed_bytes, total: 0 };
    for place in 0..archive.len() {
        let mut entry = archive.by_index_decrypt(place, password.as_bytes()).map_err(refused)?;
        if entry.is_dir() {
            continue;
        }
        let options = SimpleFileOptions::default().large_file(true);
        open.start_file(format!("{place}.csv"), options).map_err(refused)?;
        bounds.copy(&mut entry, &mut open)?;
    }
    let written = open.finish().map_err(refused)?;
    let file = written.into_inner().map_err(io::IntoInnerError::into_error)?;
    let (_, path) = file.keep().map_err(|error| UnlockError::from(error.error))?;
    Ok(path)
}

/// How much may come out of an archive.
struct Bounds {
    packed_bytes: u64,
    total: u64,
}

impl Bounds {
    fn copy(&mut self, from: &mut impl Read, to: &mut impl Write) -> Result<(), UnlockError> {
        let mut step = vec![0_u8; STEP_BYTES];
        loop {
            // The old way of locking notices most wrong passwords only by what comes out.
            let read = from.read(&mut step).map_err(|_| UnlockError::WrongPassword)?;
            if read == 0 {
                return Ok(());
            }
            self.total += u64::try_from(read).unwrap_or(0);
            if self.total > FILE_BYTES_MAX {
                return Err(SpoolError::from(Refusal::TooLarge(FILE_BYTES_MAX)).into());
            }
            if self.total > RATIO_FREE_BYTES && self.total / RATIO_MAX > self.packed_bytes {
                return Err(SpoolError::from(Refusal::Bomb).into());
            }
            to.write_all(&step[..read])?;
        }
    }
}

fn refused(error: ZipError) -> UnlockError {
    match error {
        ZipError::InvalidPassword => UnlockError::WrongPassword,
        ZipError::Io(cause) => cause.into(),
        _ => SpoolError::from(Refusal::ArchiveDamaged).into(),
    }
}
