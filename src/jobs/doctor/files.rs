use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::analytics::Snapshot;
use crate::jobs::inspect::reason;
use crate::lake::{FileSet, Lake, LakeFile, control_total};

use super::checkup::Checkup;
use super::{Hears, Progress};

/// Orphans that are named one by one; more are counted.
const ORPHANS_NAMED_MAX: usize = 20;

/// Every live file against its hash, every quarantined one again. Returns those whose rows cannot be read.
pub(super) fn examine(
    checkup: &mut Checkup,
    lake: &Lake,
    snapshot: &Snapshot,
    hears: &Hears,
) -> Vec<Arc<LakeFile>> {
    let mut lost = Vec::new();
    let live: Vec<&Arc<LakeFile>> = snapshot.files.values().flatten().collect();
    let of: u64 = live.iter().map(|file| file.size_bytes).sum();
    let mut done = 0;
    for file in &live {
        let tell = |bytes: usize| {
            done += u64::try_from(bytes).unwrap_or(0);
            hears(Progress { check: "files", done, of });
        };
        match lake.verify(file, tell) {
            Ok(()) => examine_control(checkup, lake, file),
            Err(error) => {
                let todo = if error.is_lost_file() {
                    REPAIR
                } else {
                    "see to what the system says, then run the doctor again"
                };
                let what = format!("{} of {} is {}", file.path, file.day, reason(&error));
                checkup.found("files", what, means(file), todo);
                lost.push(Arc::clone(file));
            }
        }
    }
    for one in snapshot.quarantined.values().flatten() {
        let (what, todo) = match lake.verify(&one.file, |_| ()) {
            Ok(()) => {
                (format!("{} was set aside ({}) and is right again", one.file.path, one.reason), REPAIR)
            }
            Err(error) => (format!("{} was set aside: {}", one.file.path, reason(&error)), REPAIR),
        };
        checkup.found("files", what, means(&one.file), todo);
        lost.push(Arc::clone(&one.file));
    }
    if lost.is_empty() {
        checkup.well("files", format!("{} files, {of} bytes, every hash is right", live.len()));
    }
    lost
}

/// The rows of a file whose bytes are right must amount to what they did when it was written.
fn examine_control(checkup: &mut Checkup, lake: &Lake, file: &LakeFile) {
    let Some(should) = file.control else { return };
    let found = lake
        .read_all_rows(file, Some(&["key_high", "key_low", "row_hash"]))
        .and_then(|rows| Ok(control_total(&rows)?));
    let what = match found {
        Ok(found) if found == should => return,
        Ok(found) => format!("{}: its rows amount to {found}, the manifest says {should}", file.path),
        Err(error) => format!("{} cannot be read: {error}", file.path),
    };
    checkup.found(
        "files",
        what,
        "figures of that day may be wrong, and this is a fault of Tillwatch",
        "keep the folder as it is, restore a backup, and report it",
    );
}

const REPAIR: &str =
    "run `tillwatch repair`; it rebuilds the file from what was received lately or from a backup";

fn means(file: &LakeFile) -> String {
    match file.file_set {
        FileSet::Current => format!(
            "{} records that began on {} (UTC) cannot be listed or filtered; daily figures still hold them",
            file.rows, file.day
        ),
        FileSet::History => {
            format!(
                "{} earlier versions of records of {} cannot be shown; no figure rests on them",
                file.rows, file.day
            )
        }
    }
}

/// The manifest against the folder: files that nobody knows are named, never touched.
pub(super) fn examine_folder(
    checkup: &mut Checkup,
    lake: &Lake,
    known: &BTreeSet<String>,
    running: bool,
) -> anyhow::Result<()> {
    let found = lake.list().context("listing the lake")?;
    let is_orphan = |path: &&String| !known.contains(*path);
    // What a server is writing now stands there before the manifest is read again.
    let orphans: Vec<&String> = found
        .iter()
        .filter(is_orphan)
        .filter(|path| !(running && Path::new(path).extension().is_some_and(|ending| ending == "tmp")))
        .collect();
    if orphans.is_empty() {
        checkup.well("folder", format!("{} files in the folder, the manifest knows them all", found.len()));
        return Ok(());
    }
    if running {
        checkup.leave_out("folder", format!("{} files were written while the server ran", orphans.len()));
        return Ok(());
    }
    let named: Vec<&str> = orphans.iter().take(ORPHANS_NAMED_MAX).map(|path| path.as_str()).collect();
    checkup.found(
        "folder",
        format!(
            "{} files stand in the lake that no record of the database names: {}",
            orphans.len(),
            named.join(", ")
        ),
        "no figure is made from them; they take up room, or were put there by somebody",
        "nothing has to be done; `tillwatch repair` moves those older than 7 days to lost+found",
    );
    Ok(())
}
