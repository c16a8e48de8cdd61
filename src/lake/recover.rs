//! Makes the rows of a lost file again from what was received lately.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::RecordKey;

use super::columns::Frame;
use super::file::{FileSet, LakeFile};
use super::folder::{Lake, LakeError, control_total};
use super::supersede::{Version, supersede};
use super::table::{Table, VERSION_COLUMNS, sorted, split_by_day};

/// A batch that was folded and is still kept.
#[derive(Clone, Debug)]
pub struct KeptBatch {
    pub seq: i64,
    /// The data version that took it in.
    pub folded_version: i64,
    pub rows: Frame,
}

/// What was made again of a lost file.
#[derive(Clone, Debug)]
pub enum Recovered {
    /// The very bytes: the hash of the manifest is theirs.
    Identical(Vec<u8>),
    /// The same rows in other bytes, as another version of the file's writer makes them: those that are live.
    SameRows(Frame),
}

/// Makes the rows of a lost file of current rows again; `None` when what is kept does not give exactly them.
///
/// The file was written by one fold: its rows are those of that fold's batches that won over what stood in older files,
/// and, when small files were merged into it, what won of the batches of earlier folds. Both are tried; whether one is
/// right, the hash of the file says, or the control total of its rows.
///
/// # Errors
/// [`LakeError`] when another file of the partition cannot be read either.
pub fn recover(
    lake: &Lake,
    lost: &LakeFile,
    others: &[Arc<LakeFile>],
    kept: &[KeptBatch],
) -> Result<Option<Recovered>, LakeError> {
    let Some(made_in) = lost.made_in() else { return Ok(None) };
    if lost.file_set != FileSet::Current {
        return Ok(None);
    }
    let (older, younger): (Vec<_>, Vec<_>) = others
        .iter()
        .filter(|file| file.file_set == FileSet::Current && file.id != lost.id)
        .partition(|file| file.made_in().is_some_and(|version| version < made_in));
    let standing = standing_versions(lake, &older)?;
    let attempts: [fn(i64, i64) -> bool; 2] =
        [|folded, made_in| folded == made_in, |folded, made_in| folded < made_in];
    for takes in attempts {
        let batches = kept.iter().filter(|batch| takes(batch.folded_version, made_in));
        let batches = batches.map(|batch| (batch.seq, batch.rows.clone()));
        let days = split_by_day(lost.stream, batches)?;
        let Some((_, incoming)) = days.into_iter().find(|(day, _)| *day == lost.day) else { continue };
        let verdict = supersede(&standing, &incoming.versions()?);
        let rows = sorted(&incoming.take(&verdict.incoming_live)?, lost.stream)?;
        let bytes = Frame::encode(std::iter::once(Ok(rows.clone())))?;
        if blake3::hash(&bytes).to_hex().as_str() == lost.blake3 {
            return Ok(Some(Recovered::Identical(bytes)));
        }
        if lost.control.is_some() && Some(control_total(&rows)?) == lost.control {
            let live = without_keys(&rows, &live_keys(lake, &younger)?)?;
            if u64::try_from(live.rows()) == Ok(lost.live_rows()) {
                return Ok(Some(Recovered::SameRows(live)));
            }
        }
    }
    Ok(None)
}

/// The latest version of each record in these files, whether it was superseded later or not.
fn standing_versions(lake: &Lake, files: &[&Arc<LakeFile>]) -> Result<Vec<Version>, LakeError> {
    let mut all = Vec::new();
    for file in files {
        all.append(&mut lake.read_all_rows(file, Some(&VERSION_COLUMNS))?.versions()?);
    }
    let latest = supersede(&[], &all).incoming_live;
    Ok(latest.into_iter().filter_map(|place| all.get(place).copied()).collect())
}

fn live_keys(lake: &Lake, files: &[&Arc<LakeFile>]) -> Result<HashSet<RecordKey>, LakeError> {
    let mut keys = HashSet::new();
    for file in files {
        let rows = lake.read(file, Some(&VERSION_COLUMNS))?.versions()?;
        keys.extend(rows.iter().map(|version| version.key));
    }
    Ok(keys)
}

fn without_keys(rows: &Frame, gone: &HashSet<RecordKey>) -> Result<Frame, LakeError> {
    let versions = rows.versions()?;
    let stays: Vec<usize> = (0..rows.rows())
        .filter(|place| versions.get(*place).is_some_and(|row| !gone.contains(&row.key)))
        .collect();
    Ok(rows.take(&stays)?)
}
