//! What a sync costs on the disk of the run.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Bytes written before each sync: about what a commit of few rows writes.
const WRITE_BYTES: usize = 8 << 10;
const SYNCS: usize = 200;

/// Median of a small write and `fdatasync`, in seconds.
///
/// # Errors
/// What the file system says.
pub fn sync_p50_s(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("sync-probe");
    let mut file = File::create(&path)?;
    let bytes = vec![0x5a; WRITE_BYTES];
    let mut taken = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        taken.push(begun.elapsed().as_secs_f64());
    }
    std::fs::remove_file(&path)?;
    taken.sort_by(f64::total_cmp);
    Ok(taken.get(SYNCS / 2).copied().unwrap_or(f64::NAN))
}
