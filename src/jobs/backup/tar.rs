//! Just enough of the tar format (POSIX ustar) for a backup: regular files, written and read in one stream.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
/// Sizes that eleven octal digits hold; larger ones are written in base 256, as GNU tar does.
const OCTAL_MAX: u64 = 0o77_777_777_777;
/// The longest path that is believed.
const PATH_BYTES_MAX: usize = 256;

/// Writes the head of a file and its bytes, padded to whole blocks.
pub(super) fn write_entry(
    out: &mut dyn Write,
    path: &str,
    mode: u32,
    size: u64,
    bytes: &mut dyn Read,
) -> io::Result<()> {
    out.write_all(&head(path, mode, size)?)?;
    let copied = io::copy(&mut bytes.take(size), out)?;
    if copied != size {
        return Err(io::Error::other(format!("{path} became shorter while it was copied")));
    }
    let over = usize::try_from(size % 512).unwrap_or(0);
    if over > 0 {
        out.write_all(&[0; BLOCK][over..])?;
    }
    Ok(())
}

/// Ends the archive.
pub(super) fn write_end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])?;
    out.flush()
}

fn head(path: &str, mode: u32, size: u64) -> io::Result<[u8; BLOCK]> {
    let mut head = [0_u8; BLOCK];
    let (prefix, name) = split(path)?;
    put(&mut head, 0, name.as_bytes());
    put(&mut head, 345, prefix.as_bytes());
    put(&mut head, 100, format!("{mode:07o}\0").as_bytes());
    put(&mut head, 108, b"0000000\0");
    put(&mut head, 116, b"0000000\0");
    if size <= OCTAL_MAX {
        put(&mut head, 124, format!("{size:011o}\0").as_bytes());
    } else {
        put(&mut head, 124, &[0x80, 0, 0, 0]);
        put(&mut head, 128, &size.to_be_bytes());
    }
    put(&mut head, 136, b"00000000000\0");
    put(&mut head, 156, b"0");
    put(&mut head, 257, b"ustar\x0000");
    put(&mut head, 148, b"        ");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut head, 148, format!("{sum:06o}\0 ").as_bytes());
    Ok(head)
}

fn put(head: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    head.iter_mut().skip(at).zip(bytes).for_each(|(place, byte)| *place = *byte);
}

/// A name of at most 100 bytes and what stands before it, at most 155.
fn split(path: &str) -> io::Result<(&str, &str)> {
    if path.len() <= 100 {
        return Ok(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= 155 && name.len() <= 100)
        .ok_or_else(|| io::Error::other(format!("{path} is too long for an archive")))
}

/// One file of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub path: String,
    pub size: u64,
}

/// Reads the next head; `None` at the end. The caller reads `size` bytes and then calls [`skip_padding`].
pub(super) fn read_entry(archive: &mut dyn Read) -> io::Result<Option<Entry>> {
    let mut head = [0_u8; BLOCK];
    archive.read_exact(&mut head)?;
    if head.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let mut summed = head;
    put(&mut summed, 148, b"        ");
    let sum: u32 = summed.iter().map(|byte| u32::from(*byte)).sum();
    if octal(&head[148..156]) != Some(u64::from(sum)) {
        return Err(io::Error::other("this is not a tar archive, or it is damaged"));
    }
    if !matches!(head[156], b'0' | 0) {
        return Err(io::Error::other("the archive holds something that is not a file"));
    }
    let (prefix, name) = (text(&head[345..500])?, text(&head[0..100])?);
    let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    if path.len() > PATH_BYTES_MAX {
        return Err(io::Error::other("a path in the archive is too long"));
    }
    let size = if head[124] & 0x80 == 0 {
        octal(&head[124..136])
    } else {
        head[128..136].try_into().ok().map(u64::from_be_bytes)
    };
    let size = size.ok_or_else(|| io::Error::other("a size in the archive cannot be read"))?;
    Ok(Some(Entry { path, size }))
}

/// Skips what fills the last block of a file.
pub(super) fn skip_padding(archive: &mut dyn Read, size: u64) -> io::Result<()> {
    let over = size % 512;
    if over > 0 {
        io::copy(&mut archive.take(512 - over), &mut io::sink())?;
    }
    Ok(())
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

fn text(field: &[u8]) -> io::Result<String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec())
        .map_err(|_| io::Error::other("a path in the archive is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_reads_back_and_the_systems_tar_reads_it_too() {
        let long = format!("lake/history/stream=checkout_events/day=2026-11-24/{}.parquet", "0".repeat(60));
        let files = [("a.txt", vec![7_u8; 3]), (long.as_str(), vec![9; 1024]), ("empty", Vec::new())];
        let mut archive = Vec::new();
        for (path, bytes) in &files {
            let size = u64::try_from(bytes.len()).unwrap();
            write_entry(&mut archive, path, 0o600, size, &mut bytes.as_slice()).unwrap();
        }
        write_end(&mut archive).unwrap();
        let mut rest = archive.as_slice();
        for (path, bytes) in &files {
            let entry = read_entry(&mut rest).unwrap().unwrap();
            assert_eq!((entry.path.as_str(), entry.size), (*path, u64::try_from(bytes.len()).unwrap()));
            let mut read = vec![0; bytes.len()];
            rest.read_exact(&mut read).unwrap();
            assert_eq!(read, *bytes);
            skip_padding(&mut rest, entry.size).unwrap();
        }
        assert_eq!(read_entry(&mut rest).unwrap(), None);

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.tar"), &archive).unwrap();
        let tar =
            std::process::Command::new("tar").args(["-xf", "t.tar"]).current_dir(folder.path()).status();
        assert!(tar.unwrap().success());
        assert_eq!(std::fs::read(folder.path().join(&long)).unwrap(), vec![9; 1024]);

        archive[3] ^= 1;
        assert!(read_entry(&mut archive.as_slice()).is_err(), "a changed head is noticed");
    }

    #[test]
    fn sizes_beyond_eleven_octal_digits_are_kept() {
        let large = OCTAL_MAX + 5;
        let head = head("x", 0o600, large).unwrap();
        assert_eq!(read_entry(&mut head.as_slice()).unwrap().unwrap().size, large);
    }
}
