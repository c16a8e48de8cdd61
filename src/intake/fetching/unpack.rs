//! A bill as WeChat Pay sends it, gzip or plain, becomes the plain file whose SHA-1 was announced.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use tempfile::{NamedTempFile, TempPath};

use super::super::bills::{FILE_BYTES_MAX, RATIO_MAX};
use super::Fault;

/// Below this a high ratio does no harm.
const RATIO_FREE_BYTES: u64 = 8 << 20;
const STEP_BYTES: usize = 64 << 10;

/// Unpacks `packed` into `folder` and holds the plain bytes against `sha1` (hex). Blocking.
pub(super) fn unpack_and_check(packed: &Path, folder: &Path, sha1: &str) -> Result<TempPath, Fault> {
    let bytes = std::fs::metadata(packed).map_err(|error| disk(&error))?.len();
    let mut file = BufReader::new(File::open(packed).map_err(|error| disk(&error))?);
    let is_gzip = io::BufRead::fill_buf(&mut file).map_err(|error| disk(&error))?.starts_with(&[0x1f, 0x8b]);
    let (plain, path) = NamedTempFile::new_in(folder).map_err(|error| disk(&error))?.into_parts();
    let found = if is_gzip {
        copy(flate2::read::MultiGzDecoder::new(file), plain, bytes)?
    } else {
        copy(file, plain, bytes)?
    };
    if found.eq_ignore_ascii_case(sha1.trim()) { Ok(path) } else { Err(Fault::HashWrong) }
}

/// Copies within the limits; the SHA-1 of what was copied, hex.
fn copy(mut from: impl Read, mut to: File, packed_bytes: u64) -> Result<String, Fault> {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let (mut step, mut total) = (vec![0_u8; STEP_BYTES], 0_u64);
    loop {
        let read = from.read(&mut step).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::CutOff,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => Fault::Damaged,
            _ => disk(&error),
        })?;
        if read == 0 {
            break;
        }
        total += u64::try_from(read).unwrap_or(0);
        if total > FILE_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        if total > RATIO_FREE_BYTES && total / RATIO_MAX > packed_bytes {
            return Err(Fault::Bomb);
        }
        hash.update(&step[..read]);
        to.write_all(&step[..read]).map_err(|error| disk(&error))?;
    }
    to.flush().map_err(|error| disk(&error))?;
    Ok(hash.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

pub(super) fn disk(error: &io::Error) -> Fault {
    Fault::Disk(error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn check(bytes: &[u8], sha1: &str) -> Result<Vec<u8>, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let packed = folder.path().join("packed");
        std::fs::write(&packed, bytes).unwrap();
        let path = unpack_and_check(&packed, folder.path(), sha1)?;
        Ok(std::fs::read(path).unwrap())
    }

    /// SHA-1 of "abc" (FIPS 180).
    const ABC: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

    #[test]
    fn the_hash_is_that_of_the_plain_bill_packed_or_not() {
        assert_eq!(check(&gzip(b"abc"), ABC).unwrap(), b"abc");
        assert_eq!(check(b"abc", &ABC.to_uppercase()).unwrap(), b"abc");
        assert_eq!(check(&gzip(b"abd"), ABC), Err(Fault::HashWrong));
        assert_eq!(check(b"", ABC), Err(Fault::HashWrong));
        assert_eq!(check(b"abc", ""), Err(Fault::HashWrong));
    }

    #[test]
    fn cut_damaged_and_swollen_files_are_told_apart() {
        let packed = gzip(&(0..40_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
        assert_eq!(check(&packed[..packed.len() / 2], ABC), Err(Fault::CutOff));
        let mut damaged = packed.clone();
        let middle = damaged.len() - 6;
        damaged[middle] ^= 0xff;
        assert_eq!(check(&damaged, ABC), Err(Fault::Damaged));
        assert_eq!(check(&gzip(&vec![0; 32 << 20]), ABC), Err(Fault::Bomb));
    }
}
