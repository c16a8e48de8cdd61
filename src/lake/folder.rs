use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use polars::prelude::{BooleanChunked, ChunkAgg, NewChunkedArray};

use crate::domain::{Promise, RecordKey, Sabotage, Stream};

use super::columns::{Frame, FrameError};
use super::control::ControlTotal;
use super::file::{FileSet, LakeFile};
use super::superseded::SupersededRows;
use super::table::Table;
use super::trust::{Stamp, Trust};

/// Bytes that are hashed at a time when a file is only verified.
const VERIFY_CHUNK_BYTES: usize = 1 << 20;
/// What the system says of a sector that cannot be read.
const EIO: i32 = 5;

/// What a control total is made from.
const CONTROL_COLUMNS: [&str; 3] = ["key_high", "key_low", "row_hash"];

/// The folder of Parquet files. Which of them are live, the manifest says; this only reads and writes bytes.
#[derive(Clone, Debug)]
pub struct Lake {
    root: Arc<PathBuf>,
    /// Files whose hash was checked by this process: once is enough until the file is changed or scrubbed.
    trust: Arc<Trust>,
    sabotage: Sabotage,
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The file system said no (full disk, no permission …).
    #[error("file {path}: {source}")]
    Io { path: String, source: io::Error },
    /// The manifest names the file, the folder has it not.
    #[error("file {0} is missing")]
    Missing(String),
    /// The bytes are not those that were written: no number may be made from them.
    #[error("file {path} is damaged: its hash is {found}, the manifest says {expected}")]
    Damaged { path: String, expected: String, found: String },
    /// The file or frame has not the columns it should have.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What was written does not read back the same.
    #[error("file {0} does not read back as it was written")]
    ReadBack(String),
}

impl LakeError {
    /// True when the rows of a file cannot be had, however often it is tried: damaged, missing, unreadable sectors.
    pub fn is_lost_file(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Missing(_) => true,
            Self::Io { source, .. } => source.raw_os_error() == Some(EIO),
            Self::Frame(_) | Self::ReadBack(_) => false,
        }
    }

    pub(super) fn of_file(file: &LakeFile, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            return Self::Missing(file.path.clone());
        }
        Self::Io { path: file.path.clone(), source }
    }
}

impl Lake {
    /// The lake in this folder, which is created.
    ///
    /// # Errors
    /// [`LakeError::Io`].
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        fs::create_dir_all(root)
            .map_err(|source| LakeError::Io { path: root.display().to_string(), source })?;
        Ok(Self { root: Arc::new(root.to_owned()), trust: Arc::default(), sabotage: Sabotage::default() })
    }

    /// The same lake, with these promises broken.
    #[must_use]
    pub fn breaking(self, sabotage: Sabotage) -> Self {
        Self { sabotage, ..self }
    }

    /// The promises that are broken on purpose.
    pub const fn sabotage(&self) -> Sabotage {
        self.sabotage
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a new file of this partition will stand, below the root.
    pub fn path_for(stream: Stream, day: NaiveDate, file_set: FileSet, id: &str) -> String {
        let set = if file_set == FileSet::History { "history/" } else { "" };
        format!("{set}stream={}/day={day}/{id}.parquet", stream.as_str())
    }

    /// Writes a frame as a Parquet file that survives a power cut: written beside, synced, read back, renamed, folder
    /// synced.
    ///
    /// # Errors
    /// [`LakeError`]; nothing is left under the final name.
    pub fn write(
        &self,
        frame: &Frame,
        stream: Stream,
        day: NaiveDate,
        file_set: FileSet,
        id: &str,
    ) -> Result<LakeFile, LakeError> {
        let path = Self::path_for(stream, day, file_set, id);
        let bytes = Frame::encode(std::iter::once(Ok(frame.clone())))?;
        self.store(&path, &bytes)?;
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        let written = LakeFile {
            id: id.to_owned(),
            stream,
            day,
            file_set,
            path,
            rows: u64::try_from(frame.rows()).unwrap_or(u64::MAX),
            size_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            blake3,
            last_event_ms: last_event_ms(frame, stream),
            control: Some(control_total(frame)?),
            superseded: Arc::default(),
        };
        // Read back from the file, not from memory.
        let read = self.read_all_rows(&written, Some(&CONTROL_COLUMNS))?;
        if read.rows() != frame.rows() || Some(control_total(&read)?) != written.control {
            return Err(LakeError::ReadBack(written.path));
        }
        Ok(written)
    }

    /// Reads the named columns (all, when `None`) of the live rows of a file whose hash is checked first: when this
    /// process opens it for the first time, and whenever it was changed since.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when the bytes are not those of the manifest, [`LakeError::Missing`].
    pub fn read(&self, file: &LakeFile, columns: Option<&[&str]>) -> Result<Frame, LakeError> {
        Ok(self.read_all_rows(file, columns)?.without(&file.superseded)?)
    }

    /// Reads like [`Lake::read`], superseded rows too, so that rows stand at their places in the file.
    ///
    /// # Errors
    /// As [`Lake::read`].
    pub fn read_all_rows(&self, file: &LakeFile, columns: Option<&[&str]>) -> Result<Frame, LakeError> {
        Ok(Frame::decode(&self.read_bytes(file)?, columns)?)
    }

    /// Reads a file from end to end and compares its hash, whatever is known of it. `pause` is called with the number
    /// of bytes after each piece, so that a scrub can go slowly.
    ///
    /// The bytes may come from the system's memory and not from the disk: dropping them there first needs a call that
    /// only unsafe code can make.
    ///
    /// # Errors
    /// As [`Lake::read`].
    pub fn verify(&self, file: &LakeFile, pause: impl FnMut(usize)) -> Result<(), LakeError> {
        let hashed = self.hash(file, pause).map_err(|source| LakeError::of_file(file, source));
        let compared = hashed.and_then(|(found, stamp)| self.compare(file, &found, stamp));
        compared.inspect_err(|error| self.suspect(file, error))
    }

    /// What can be told without reading a byte: the file is there, has its size, and was not changed since it was
    /// found right. A changed one is read again.
    ///
    /// # Errors
    /// As [`Lake::read`].
    pub fn glance(&self, file: &LakeFile) -> Result<(), LakeError> {
        let stamp = fs::metadata(self.root.join(&file.path)).map(|found| Stamp::of(&found));
        match stamp {
            Ok(stamp) if self.trust.covers(file, stamp) => Ok(()),
            // Never read by this process: its size is all that is asked for now.
            Ok(stamp) if stamp.size() == file.size_bytes && !self.trust.knows(file) => Ok(()),
            _ => self.verify(file, |_| ()),
        }
    }

    /// Notes that a file stands as it was written: its bytes were compared before it got its name.
    pub fn note_right(&self, file: &LakeFile) {
        // One that cannot be looked at now is hashed when it is read.
        if let Ok(found) = fs::metadata(self.root.join(&file.path)) {
            self.trust.note_right(file, Stamp::of(&found));
        }
    }

    /// Ids of files that could not be trusted when they were read, since the last call.
    pub fn take_suspects(&self) -> Vec<String> {
        self.trust.take_suspects()
    }

    /// Every file of the folder, below the root, with `/`; whether the manifest knows it is not asked.
    ///
    /// # Errors
    /// [`LakeError::Io`].
    pub fn list(&self) -> Result<Vec<String>, LakeError> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.as_ref().clone()];
        while let Some(folder) = folders.pop() {
            let failed = |source| LakeError::Io { path: folder.display().to_string(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(below) = path.strip_prefix(self.root.as_path()) {
                    found.push(below.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Puts a file's own bytes back into its place, where it is damaged or missing.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when they are not its own.
    pub fn put_back(&self, file: &LakeFile, bytes: &[u8]) -> Result<(), LakeError> {
        let found = blake3::hash(bytes).to_hex().to_string();
        if found != file.blake3 {
            return Err(LakeError::Damaged { path: file.path.clone(), expected: file.blake3.clone(), found });
        }
        // Of somebody who died while writing it.
        self.clear_beside(&file.path)?;
        self.store(&file.path, bytes)?;
        self.verify(file, |_| ())
    }

    /// The bytes of a file, hashed whatever is known of it.
    ///
    /// # Errors
    /// As [`Lake::read`].
    pub fn bytes(&self, file: &LakeFile) -> Result<Vec<u8>, LakeError> {
        let read = || {
            let failed = |source| LakeError::of_file(file, source);
            let mut open = File::open(self.root.join(&file.path)).map_err(failed)?;
            let stamp = Stamp::of(&open.metadata().map_err(failed)?);
            let mut bytes = Vec::new();
            open.read_to_end(&mut bytes).map_err(failed)?;
            self.compare(file, &blake3::hash(&bytes), stamp)?;
            Ok(bytes)
        };
        read().inspect_err(|error| self.suspect(file, error))
    }

    /// The bytes of a file, compared with its hash like [`Lake::read`].
    ///
    /// # Errors
    /// As [`Lake::read`].
    pub fn read_bytes(&self, file: &LakeFile) -> Result<Vec<u8>, LakeError> {
        self.checked_bytes(file).inspect_err(|error| self.suspect(file, error))
    }

    fn checked_bytes(&self, file: &LakeFile) -> Result<Vec<u8>, LakeError> {
        let failed = |source| LakeError::of_file(file, source);
        let mut open = File::open(self.root.join(&file.path)).map_err(failed)?;
        // Before the bytes: a change after this moment is noticed at the next read.
        let stamp = Stamp::of(&open.metadata().map_err(failed)?);
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.size()).unwrap_or(0));
        open.read_to_end(&mut bytes).map_err(failed)?;
        let size_is_right = u64::try_from(bytes.len()) == Ok(file.size_bytes);
        if !(size_is_right && self.trust.covers(file, stamp)) {
            self.compare(file, &blake3::hash(&bytes), stamp)?;
        }
        Ok(bytes)
    }

    /// True when this process compared the file's hash and the file was not changed since.
    pub(super) fn trusts(&self, file: &LakeFile, stamp: Stamp) -> bool {
        stamp.size() == file.size_bytes && self.trust.covers(file, stamp)
    }

    fn compare(&self, file: &LakeFile, found: &blake3::Hash, stamp: Stamp) -> Result<(), LakeError> {
        let found = found.to_hex().to_string();
        if found != file.blake3 && !self.sabotage.breaks(Promise::HashCompared) {
            return Err(LakeError::Damaged { path: file.path.clone(), expected: file.blake3.clone(), found });
        }
        self.trust.note_right(file, stamp);
        Ok(())
    }

    fn hash(&self, file: &LakeFile, mut pause: impl FnMut(usize)) -> io::Result<(blake3::Hash, Stamp)> {
        let mut open = File::open(self.root.join(&file.path))?;
        let stamp = Stamp::of(&open.metadata()?);
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; VERIFY_CHUNK_BYTES];
        loop {
            let read = open.read(&mut chunk)?;
            if read == 0 {
                return Ok((hasher.finalize(), stamp));
            }
            hasher.update(chunk.get(..read).unwrap_or_default());
            pause(read);
        }
    }

    pub(super) fn suspect(&self, file: &LakeFile, error: &LakeError) {
        if error.is_lost_file() {
            self.trust.note_lost(file);
        }
    }
}

/// The youngest instant a row of this stream tells of; the end of time when the column is missing, so that nothing is
/// skipped that should not be.
pub(super) fn last_event_ms(frame: &Frame, stream: Stream) -> i64 {
    let columns: &[&str] = match stream {
        Stream::Transactions => &["created_ms", "completed_ms"],
        Stream::LedgerLines => &["posted_ms"],
        Stream::CheckoutEvents => &["time_ms"],
    };
    let latest = |name: &&str| frame.0.column(name).and_then(|column| Ok(column.i64()?.max())).ok();
    columns
        .iter()
        .map(latest)
        .try_fold(i64::MIN, |most, found| Some(most.max(found?.unwrap_or(i64::MIN))))
        .unwrap_or(i64::MAX)
}

/// What the rows of a frame amount to.
///
/// # Errors
/// [`FrameError`] when a column of the identity or the row's hash is missing.
pub fn control_total(frame: &Frame) -> Result<ControlTotal, FrameError> {
    let high = frame.0.column("key_high")?.u64()?;
    let low = frame.0.column("key_low")?.u64()?;
    let row_hash = frame.0.column("row_hash")?.u64()?;
    let mut total = ControlTotal::default();
    for ((high, low), row_hash) in high.iter().zip(low.iter()).zip(row_hash.iter()) {
        let key = RecordKey { high: high.unwrap_or(0), low: low.unwrap_or(0) };
        total.add_row(key, row_hash.unwrap_or(0));
    }
    Ok(total)
}

impl Frame {
    /// The rows that are not in the list, when this frame holds all rows of the list's file.
    fn without(self, superseded: &SupersededRows) -> Result<Self, FrameError> {
        if superseded.is_empty() {
            return Ok(self);
        }
        let live = superseded.live_mask(0, self.0.height());
        Ok(Self(self.0.filter(&BooleanChunked::from_slice("".into(), &live))?))
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    fn written(lake: &Lake) -> LakeFile {
        let frame = Frame(
            df!(
                "key_high" => [1_u64, 2, 3],
                "key_low" => [1_u64, 2, 3],
                "row_hash" => [7_u64, 8, 9],
                "amount" => [10_i64, 20, 30],
            )
            .unwrap(),
        );
        let day = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        lake.write(&frame, Stream::Transactions, day, FileSet::Current, "f1").unwrap()
    }

    #[test]
    fn files_read_back_by_column() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path()).unwrap();
        let file = written(&lake);
        let amounts = lake.read(&file, Some(&["amount"])).unwrap();
        assert_eq!(amounts.data().width(), 1);
        assert_eq!(amounts.data().column("amount").unwrap().i64().unwrap().sum(), Some(60));
    }

    #[test]
    fn superseded_rows_are_not_read_and_the_total_is_that_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path()).unwrap();
        let mut file = written(&lake);
        file.superseded = Arc::new(SupersededRows::of([1]));
        assert_eq!(file.live_rows(), 2);
        let amounts = lake.read(&file, Some(&["amount"])).unwrap();
        assert_eq!(amounts.data().column("amount").unwrap().i64().unwrap().sum(), Some(40));
        let all = lake.read_all_rows(&file, None).unwrap();
        assert_eq!(Some(control_total(&all).unwrap()), file.control);
        assert_ne!(Some(control_total(&lake.read(&file, None).unwrap()).unwrap()), file.control);
    }

    #[test]
    fn a_changed_byte_is_noticed_before_a_number_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(&Lake::open(folder.path()).unwrap());
        let path = folder.path().join(&file.path);
        let mut bytes = fs::read(&path).unwrap();
        for index in [4, bytes.len() / 2, bytes.len() - 1] {
            bytes[index] ^= 1;
            fs::write(&path, &bytes).unwrap();
            // A new process: nothing is verified yet.
            let read = Lake::open(folder.path()).unwrap().read(&file, None);
            assert!(matches!(read, Err(LakeError::Damaged { .. })), "byte {index}");
            bytes[index] ^= 1;
        }
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Lake::open(folder.path()).unwrap().read(&file, None).is_err());
        fs::remove_file(&path).unwrap();
        assert!(matches!(Lake::open(folder.path()).unwrap().read(&file, None), Err(LakeError::Missing(_))));
    }

    #[test]
    fn a_change_under_a_running_process_is_noticed_at_the_next_read() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path()).unwrap();
        let file = written(&lake);
        lake.read(&file, None).unwrap();
        assert!(lake.take_suspects().is_empty());
        let path = folder.path().join(&file.path);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(lake.glance(&file).is_err());
        assert!(lake.read(&file, None).unwrap_err().is_lost_file());
        assert_eq!(lake.take_suspects(), ["f1"]);
        assert!(lake.take_suspects().is_empty(), "told once");
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        lake.verify(&file, |_| ()).unwrap();
        lake.glance(&file).unwrap();
        assert_eq!(lake.list().unwrap(), std::slice::from_ref(&file.path));
        fs::remove_file(&path).unwrap();
        assert!(lake.glance(&file).unwrap_err().is_lost_file());
    }
}
