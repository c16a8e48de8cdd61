//! How much room is left on the disk, what that allows, and the ballast that is thrown off when there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::intake::IntakeGate;

use super::runner::{Job, JobContext, JobReport};

/// How often the disk is looked at: writes resume within this time after room returns.
const INTERVAL: Duration = Duration::from_secs(1);
/// The file that is given up when the disk is full, so that deletes, checkpoints and the log still can be written.
const BALLAST: &str = "ballast";
/// Its size, where the disk is not small…
const BALLAST_BYTES: u64 = 128 << 20;
/// …else this part of the disk.
const BALLAST_PART: u64 = 100;
/// It is not made before the server has run so long: the start has better things to write.
const BALLAST_AFTER: Duration = Duration::from_mins(1);
/// Bytes written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// A mark is reached below this share of the disk, and on large disks, where a share is more than anybody needs, below
/// so many bytes.
#[derive(Clone, Copy)]
struct Mark {
    percent: u64,
    bytes_max: u64,
}

const WARN: Mark = Mark { percent: 15, bytes_max: 10 << 30 };
const SPARE: Mark = Mark { percent: 8, bytes_max: 4 << 30 };
const REFUSE: Mark = Mark { percent: 5, bytes_max: 1 << 30 };

/// Free and total bytes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub free: u64,
    pub total: u64,
}

/// What the room that is left allows; the later, the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomLevel {
    Plenty,
    /// Worth a word on the status page.
    Low,
    /// Rewrites that could wait do wait.
    Sparing,
    /// No record is taken in.
    Full,
}

impl RoomLevel {
    pub const fn is_plenty(self) -> bool {
        matches!(self, Self::Plenty)
    }
}

/// The room of the disk that holds this folder.
///
/// # Errors
/// What the system says.
pub fn room_of(folder: &Path) -> io::Result<Room> {
    Ok(Room { free: fs4::available_space(folder)?, total: fs4::total_space(folder)? })
}

impl Room {
    /// What it allows.
    pub fn level(self) -> RoomLevel {
        let below = |mark: Mark| self.free < (self.total / 100 * mark.percent).min(mark.bytes_max);
        match () {
            () if below(REFUSE) => RoomLevel::Full,
            () if below(SPARE) => RoomLevel::Sparing,
            () if below(WARN) => RoomLevel::Low,
            () => RoomLevel::Plenty,
        }
    }
}

/// Looks at the disk, shuts the intake when it is too full and opens it again when it is not.
pub struct DiskWatch {
    folder: PathBuf,
    gate: IntakeGate,
    started: std::time::Instant,
    /// Asks the system; tests ask somebody else.
    ask: fn(&Path) -> io::Result<Room>,
}

impl DiskWatch {
    /// Watches the disk of this data folder.
    pub fn new(folder: PathBuf, gate: IntakeGate) -> Self {
        Self { folder, gate, started: std::time::Instant::now(), ask: room_of }
    }

    fn look(&self) -> io::Result<RoomLevel> {
        let ballast = self.folder.join(BALLAST);
        let room = (self.ask)(&self.folder)?;
        let wanted = BALLAST_BYTES.min(room.total / BALLAST_PART);
        let kept = fs::metadata(&ballast).map_or(0, |file| file.len());
        // The ballast is made again before anything else is: its room does not count as free.
        let level = Room { free: room.free.saturating_sub(wanted.saturating_sub(kept)), ..room }.level();
        if level == RoomLevel::Full {
            if self.gate.set_shut(true) {
                tracing::error!(
                    free = room.free,
                    total = room.total,
                    "the disk is full: no record is taken in"
                );
            }
            // Given up only when nothing else is left, so that it is there when it is needed.
            if kept > 0 && room.free < kept {
                fs::remove_file(&ballast)?;
            }
            return Ok(level);
        }
        if kept < wanted && self.started.elapsed() >= BALLAST_AFTER {
            make_ballast(&ballast, wanted)?;
        }
        if self.gate.set_shut(false) {
            tracing::info!(free = room.free, "the disk has room again: records are taken in");
        }
        Ok(level)
    }
}

impl Job for DiskWatch {
    const NAME: &'static str = "disk";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, _: &JobContext) -> anyhow::Result<JobReport> {
        tokio::task::block_in_place(|| self.look()).context("looking at the disk")?;
        Ok(JobReport::default())
    }
}

/// Writes bytes that no file system can keep in less room.
fn make_ballast(path: &Path, bytes: u64) -> io::Result<()> {
    let made = write_ballast(path, bytes);
    if made.is_err() {
        // Half of it helps nobody.
        fs::remove_file(path)?;
    }
    made
}

fn write_ballast(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file: File = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = bytes;
    while left > 0 {
        noise.fill(&mut chunk);
        let step = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        file.write_all(chunk.get(..step).unwrap_or_default())?;
        left -= u64::try_from(step).unwrap_or(left);
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Free bytes of a disk of 64 MiB, but for the ballast.
    static FREE: AtomicU64 = AtomicU64::new(0);

    #[expect(clippy::unnecessary_wraps, reason = "stands in for a question that the system may refuse")]
    fn pretend(folder: &Path) -> io::Result<Room> {
        let ballast = fs::metadata(folder.join(BALLAST)).map_or(0, |file| file.len());
        Ok(Room { free: FREE.load(Ordering::SeqCst).saturating_sub(ballast), total: 64 << 20 })
    }

    #[test]
    fn a_full_disk_shuts_the_intake_throws_off_the_ballast_and_heals_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let gate = IntakeGate::default();
        let started = std::time::Instant::now().checked_sub(BALLAST_AFTER).unwrap();
        let watch = DiskWatch { folder: folder.path().to_owned(), gate: gate.clone(), started, ask: pretend };
        let ballast = || fs::metadata(folder.path().join(BALLAST)).map_or(0, |file| file.len());
        FREE.store(32 << 20, Ordering::SeqCst);
        assert_eq!(watch.look().unwrap(), RoomLevel::Plenty);
        assert_eq!((gate.is_shut(), ballast()), (false, (64 << 20) / 100));
        // Below 5 %, but not yet at the end: the ballast stays.
        FREE.store(3 << 20, Ordering::SeqCst);
        assert_eq!(watch.look().unwrap(), RoomLevel::Full);
        assert!(gate.is_shut() && ballast() > 0);
        FREE.store(700 << 10, Ordering::SeqCst);
        watch.look().unwrap();
        assert!(gate.is_shut() && ballast() == 0, "thrown off");
        // Its own room does not open the gate again.
        watch.look().unwrap();
        assert!(gate.is_shut());
        FREE.store(20 << 20, Ordering::SeqCst);
        assert_eq!(watch.look().unwrap(), RoomLevel::Plenty);
        assert!(!gate.is_shut() && ballast() > 0, "taken on again");
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_marks_lie_at_shares_of_small_disks_and_at_bytes_of_large_ones() {
        let level = |free: u64, total: u64| Room { free, total }.level();
        let percent = 20 * GIB / 100;
        assert_eq!(level(15 * percent, 20 * GIB), RoomLevel::Plenty);
        assert_eq!(level(15 * percent - 1, 20 * GIB), RoomLevel::Low);
        assert_eq!(level(8 * percent - 1, 20 * GIB), RoomLevel::Sparing);
        assert_eq!(level(5 * percent - 1, 20 * GIB), RoomLevel::Full);
        assert_eq!(level(10 * GIB, 4_000 * GIB), RoomLevel::Plenty);
        assert_eq!(level(10 * GIB - 1, 4_000 * GIB), RoomLevel::Low);
        assert_eq!(level(4 * GIB - 1, 4_000 * GIB), RoomLevel::Sparing);
        assert_eq!(level(GIB - 1, 4_000 * GIB), RoomLevel::Full);
        assert_eq!(level(3 << 20, 64 << 20), RoomLevel::Full);
    }
}
