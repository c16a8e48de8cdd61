//! The data folder: made, locked, and the secret in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Bytes of the installation's secret.
const SECRET_BYTES: usize = 32;

/// A data folder that this process alone may use, or those that share a database; let go when dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held, never read: the lock goes with it.
    _lock: File,
}

/// Another process uses the folder.
#[derive(Debug, thiserror::Error)]
#[error("{0} is in use by another tillwatch; stop it first, or talk to it over HTTP")]
pub struct InUse(pub String);

impl DataFolder {
    /// Makes the folder (readable by its owner only) where it is missing, and locks it.
    ///
    /// # Errors
    /// [`InUse`] when another process holds it; else what the file system says.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_locked(path, File::try_lock)
    }

    /// The same for data whose database is elsewhere: other servers may use the folder too, but none that keeps its
    /// database in it.
    ///
    /// # Errors
    /// As [`DataFolder::open`].
    pub fn open_shared(path: &Path) -> anyhow::Result<Self> {
        Self::open_locked(path, File::try_lock_shared)
    }

    fn open_locked(
        path: &Path,
        lock_it: impl Fn(&File) -> Result<(), fs::TryLockError>,
    ) -> anyhow::Result<Self> {
        make_private(path).with_context(|| format!("making the data folder {}", path.display()))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join(".lock"))
            .with_context(|| format!("opening the lock of {}", path.display()))?;
        match lock_it(&lock) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(InUse(path.display().to_string()).into()),
            Err(fs::TryLockError::Error(error)) => Err(error).context("locking the data folder"),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The installation's secret, made at the first call. It stands outside the database, so that a copy of the
    /// database alone opens nothing.
    ///
    /// # Errors
    /// When the file cannot be read or made, or is damaged.
    pub fn secret(&self) -> anyhow::Result<[u8; SECRET_BYTES]> {
        secret_of(&self.path)
    }
}

/// The secret of a data folder, for commands that work beside a running server.
///
/// # Errors
/// As [`DataFolder::secret`].
pub fn secret_of(folder: &Path) -> anyhow::Result<[u8; SECRET_BYTES]> {
    let path = folder.join("secret.key");
    match File::open(&path) {
        Ok(mut file) => read_secret(&mut file).with_context(|| format!("reading {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_secret(&path).with_context(|| format!("making {}", path.display()))
        }
        Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
    }
}

fn make_private(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn read_secret(file: &mut File) -> anyhow::Result<[u8; SECRET_BYTES]> {
    let mut bytes = Vec::new();
    file.take(u64::try_from(SECRET_BYTES + 1)?).read_to_end(&mut bytes)?;
    let Ok(secret) = <[u8; SECRET_BYTES]>::try_from(bytes.as_slice()) else {
        bail!(
            "it has not {SECRET_BYTES} bytes; put the right file back from a backup: without it no API key works"
        );
    };
    Ok(secret)
}

fn make_secret(path: &Path) -> anyhow::Result<[u8; SECRET_BYTES]> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_by_one_process_and_keeps_its_secret() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let folder = DataFolder::open(&path).unwrap();
        let secret = folder.secret().unwrap();
        assert!(DataFolder::open(&path).unwrap_err().is::<InUse>());
        assert!(DataFolder::open_shared(&path).unwrap_err().is::<InUse>());
        drop(folder);
        let shared = [DataFolder::open_shared(&path).unwrap(), DataFolder::open_shared(&path).unwrap()];
        assert!(DataFolder::open(&path).unwrap_err().is::<InUse>());
        drop(shared);
        let again = DataFolder::open(&path).unwrap();
        assert_eq!(again.secret().unwrap(), secret);
        fs::write(path.join("secret.key"), b"short").unwrap();
        assert!(again.secret().is_err());
    }
}
