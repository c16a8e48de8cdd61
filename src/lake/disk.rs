//! The steps by which a file gets onto the disk for good, each alone: a fold and the simulator take them one by one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::domain::Promise;

use super::folder::{Lake, LakeError};

/// Files that are synced at the same time: a disk's own queue and its journal take many syncs for the price of few.
const SYNCS_MAX: usize = 16;

impl Lake {
    /// Writes bytes beside the place where the file will stand; its folder is made, and noted on the disk, if needed.
    ///
    /// # Errors
    /// [`LakeError::Io`].
    pub fn write_beside(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        let target = self.root().join(path);
        let write = || {
            self.make_folder(target.parent().unwrap_or(self.root()))?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(beside(&target))?;
            file.write_all(bytes)
        };
        write().map_err(|source| failed(path, source))
    }

    /// Waits until what was written beside these places is on the disk.
    ///
    /// # Errors
    /// [`LakeError::Io`]: nothing may be made live.
    pub fn sync_beside(&self, paths: &[&str]) -> Result<(), LakeError> {
        let beside: Vec<(PathBuf, &str)> =
            paths.iter().map(|path| (beside(&self.root().join(path)), *path)).collect();
        self.sync_all(&beside)
    }

    /// What was written beside a place, read back.
    ///
    /// # Errors
    /// [`LakeError::Io`].
    pub fn read_beside(&self, path: &str) -> Result<Vec<u8>, LakeError> {
        fs::read(beside(&self.root().join(path))).map_err(|source| failed(path, source))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`LakeError::Io`].
    pub fn settle(&self, path: &str) -> Result<(), LakeError> {
        let target = self.root().join(path);
        fs::rename(beside(&target), &target).map_err(|source| failed(path, source))
    }

    /// Waits until the names of these files are on the disk.
    ///
    /// # Errors
    /// [`LakeError::Io`]: nothing may be made live.
    pub fn sync_folders(&self, paths: &[&str]) -> Result<(), LakeError> {
        let mut folders: Vec<(PathBuf, &str)> = paths
            .iter()
            .filter_map(|path| Some((self.root().join(path).parent()?.to_owned(), *path)))
            // A folder that was never made holds no name.
            .filter(|(folder, _)| folder.is_dir())
            .collect();
        folders.sort();
        folders.dedup_by(|a, b| a.0 == b.0);
        self.sync_all(&folders)
    }

    /// All steps for one file.
    pub(super) fn store(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.write_beside(path, bytes)?;
        self.sync_beside(&[path])?;
        self.settle(path)?;
        self.sync_folders(&[path])
    }

    /// Removes what stands beside a file from a write that was cut off.
    pub(super) fn clear_beside(&self, path: &str) -> Result<(), LakeError> {
        match fs::remove_file(beside(&self.root().join(path))) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed(path, source)),
            _ => Ok(()),
        }
    }

    /// Removes a file, and what may stand beside it from a write that was cut off. What is gone already is fine.
    ///
    /// # Errors
    /// [`LakeError::Io`].
    pub fn remove(&self, path: &str) -> Result<(), LakeError> {
        self.clear_beside(path)?;
        match fs::remove_file(self.root().join(path)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed(path, source)),
            _ => Ok(()),
        }
    }

    fn sync_all(&self, paths: &[(PathBuf, &str)]) -> Result<(), LakeError> {
        if self.sabotage().breaks(Promise::FilesSynced) {
            return Ok(());
        }
        let sync = |(path, name): &(PathBuf, &str)| {
            File::open(path).and_then(|file| file.sync_all()).map_err(|source| failed(name, source))
        };
        if let [only] = paths {
            return sync(only);
        }
        let share = paths.len().div_ceil(SYNCS_MAX).max(1);
        std::thread::scope(|scope| {
            let tasks: Vec<_> =
                paths.chunks(share).map(|part| scope.spawn(move || part.iter().try_for_each(sync))).collect();
            tasks.into_iter().try_for_each(|task| {
                task.join()
                    .unwrap_or_else(|_| Err(failed("", io::Error::other("a thread died while syncing"))))
            })
        })
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        if self.sabotage().breaks(Promise::FilesSynced) {
            return Ok(());
        }
        // Each newly made folder is an entry of its parent, which must reach the disk too.
        let mut made = folder;
        while let Some(parent) = made.parent() {
            File::open(parent)?.sync_all()?;
            if parent == self.root() {
                break;
            }
            made = parent;
        }
        Ok(())
    }
}

fn beside(target: &Path) -> PathBuf {
    target.with_extension("tmp")
}

fn failed(path: &str, source: io::Error) -> LakeError {
    LakeError::Io { path: path.to_owned(), source }
}
