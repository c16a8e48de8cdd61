use std::collections::{BTreeSet, HashMap};
use std::fs::Metadata;
use std::sync::{Mutex, PoisonError};

use super::file::LakeFile;

/// What this process knows of the files it has read: which were right, as they stand on the disk, and which were not.
#[derive(Debug, Default)]
pub(super) struct Trust(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By file id: the stamp under which the hash was found right.
    right: HashMap<String, Stamp>,
    /// Ids of files that were damaged or missing when they were read.
    suspects: BTreeSet<String>,
}

/// What changes with a file's bytes, or with the file itself. The time of the change of the inode is among it, because
/// the time of the change of the bytes can be set by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }
}

impl Trust {
    /// True when this very file was found right since it was last changed.
    pub(super) fn covers(&self, file: &LakeFile, stamp: Stamp) -> bool {
        self.with(|known| known.right.get(&file.id) == Some(&stamp))
    }

    /// True when the file was found right once, changed since or not.
    pub(super) fn knows(&self, file: &LakeFile) -> bool {
        self.with(|known| known.right.contains_key(&file.id))
    }

    /// The bytes under this stamp have the hash of the manifest.
    pub(super) fn note_right(&self, file: &LakeFile, stamp: Stamp) {
        self.with(|known| {
            known.right.insert(file.id.clone(), stamp);
            known.suspects.remove(&file.id);
        });
    }

    /// The bytes are wrong, or gone.
    pub(super) fn note_lost(&self, file: &LakeFile) {
        self.with(|known| {
            known.right.remove(&file.id);
            known.suspects.insert(file.id.clone());
        });
    }

    /// The suspects so far; the next call tells only of later ones.
    pub(super) fn take_suspects(&self) -> Vec<String> {
        self.with(|known| std::mem::take(&mut known.suspects)).into_iter().collect()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
