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

/// Seconds of processor that this process has used: on a busy machine they say more than those on the wall.
///
/// # Errors
/// Where there is no `/proc`.
pub fn cpu_s() -> anyhow::Result<f64> {
    /// Ticks a second in `/proc`, on every Linux that is in use.
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks =
        |place: usize| fields.split_whitespace().nth(place).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).unwrap_or(f64::NAN) + ticks(12).unwrap_or(f64::NAN)) / TICKS_PER_S)
}
