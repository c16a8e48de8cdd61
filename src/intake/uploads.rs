//! Where files that were handed in stand until they are read, and how long.

use std::io;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;

/// Folder of the data folder in which uploads and their unpacked text stand.
const UPLOADS: &str = "uploads";
/// How long a file waits for a person's yes.
pub const PENDING_KEEP: TimeDelta = TimeDelta::hours(24);

/// The folder for uploads, made where it is not there.
///
/// # Errors
/// When the disk refuses.
pub fn uploads_in(data_dir: &Path) -> io::Result<PathBuf> {
    let folder = data_dir.join(UPLOADS);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
