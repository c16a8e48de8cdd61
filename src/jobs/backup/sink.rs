use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::manifest::{BackupFile, MANIFEST};
use super::tar;

/// Where the files of a backup go.
pub trait Sink: Send {
    /// Takes a file.
    fn put(&mut self, path: &str, size: u64, bytes: &mut dyn Read) -> io::Result<()>;

    /// Takes a file from an earlier backup without a copy; false when it has none with these very bytes.
    fn reuse(&mut self, _file: &BackupFile) -> io::Result<bool> {
        Ok(false)
    }

    /// The backup is whole.
    fn finish(&mut self) -> io::Result<()>;

    /// The backup will not become whole.
    fn abandon(&mut self) {}
}

/// A stream of tar, to a command or to the standard output.
pub struct TarSink<W: Write + Send>(pub W);

impl<W: Write + Send> Sink for TarSink<W> {
    fn put(&mut self, path: &str, size: u64, bytes: &mut dyn Read) -> io::Result<()> {
        tar::write_entry(&mut self.0, path, 0o600, size, bytes)
    }

    fn finish(&mut self) -> io::Result<()> {
        tar::write_end(&mut self.0)
    }
}

/// A folder that is written beside its final name and gets it when it is whole.
pub struct FolderSink {
    target: PathBuf,
    beside: PathBuf,
    /// An earlier backup in the same place: files with the same bytes are linked, not copied. Never the live lake: a
    /// link to it would be damaged with it.
    earlier: Option<PathBuf>,
}

impl FolderSink {
    /// A new backup at `target`, which must not exist.
    ///
    /// # Errors
    /// What the file system says.
    pub fn new(target: &Path, earlier: Option<PathBuf>) -> io::Result<Self> {
        if target.exists() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} exists already", target.display()),
            ));
        }
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let beside = target.with_file_name(name);
        if beside.exists() {
            // Of a backup that died.
            fs::remove_dir_all(&beside)?;
        }
        private_folder(&beside)?;
        Ok(Self { target: target.to_owned(), beside, earlier })
    }

    fn place(&self, path: &str) -> io::Result<PathBuf> {
        let place = self.beside.join(path);
        if let Some(folder) = place.parent() {
            private_folder(folder)?;
        }
        Ok(place)
    }
}

impl Sink for FolderSink {
    fn put(&mut self, path: &str, size: u64, bytes: &mut dyn Read) -> io::Result<()> {
        let place = self.place(path)?;
        let mut file = private_file(&place)?;
        if io::copy(bytes, &mut file)? != size {
            return Err(io::Error::other(format!("{path} has not the size that was expected")));
        }
        file.sync_all()
    }

    fn reuse(&mut self, file: &BackupFile) -> io::Result<bool> {
        let Some(earlier) = self.earlier.as_ref().map(|earlier| earlier.join(&file.path)) else {
            return Ok(false);
        };
        let Ok(mut open) = File::open(&earlier) else { return Ok(false) };
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut open, &mut hasher)?;
        if hasher.finalize().to_hex().as_str() != file.blake3 {
            return Ok(false);
        }
        let place = self.place(&file.path)?;
        if fs::hard_link(&earlier, &place).is_err() {
            // Where links are not possible, of the bytes that were just compared, not of the live file, which may be lost.
            let mut copy = private_file(&place)?;
            io::copy(&mut File::open(&earlier)?, &mut copy)?;
            copy.sync_all()?;
        }
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        sync_folders(&self.beside)?;
        fs::rename(&self.beside, &self.target)?;
        match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }

    fn abandon(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.beside) {
            tracing::warn!(folder = %self.beside.display(), %error, "what was left of a backup stays");
        }
    }
}

/// A file that only its owner may read, and that was not there before.
pub(super) fn private_file(place: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(place)
}

/// A folder that only its owner may enter, with those above it.
pub(super) fn private_folder(place: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(place)
}

/// Syncs a folder and every folder below it.
pub(super) fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_folders(&path)?;
        }
    }
    File::open(folder)?.sync_all()
}

/// The whole backups in a folder, oldest first.
///
/// # Errors
/// What the file system says.
pub fn backups_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let named = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(NAME_BEGINS) && !name.ends_with(".partial"));
        if named && path.join(MANIFEST).is_file() {
            found.push(path);
        }
    }
    // The names hold the time, so that the order of the names is that of the backups.
    found.sort();
    Ok(found)
}

/// How the name of a backup's folder begins; the time follows.
pub const NAME_BEGINS: &str = "tillwatch-";
