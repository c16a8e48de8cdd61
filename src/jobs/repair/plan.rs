use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;

use crate::analytics::{Grains, level_changes};
use crate::domain::{Instant, Stream, instant_from_ms};
use crate::jobs::backup::{BackupManifest, MANIFEST, backups_in, hashed_file};
use crate::jobs::doctor::steady_snapshot;
use crate::jobs::inspect::reason;
use crate::jobs::rebuild_rollups;
use crate::lake::{FileSet, KeptBatch, LakeFile, decode_batch, recover};

use super::{Cure, Plan, Workshop};

/// Batches that one repair releases.
const HELD_MAX: i64 = 10_000;
/// How old a file must be that nobody knows before it is moved away.
const STRANGER_AGE: TimeDelta = TimeDelta::days(7);

/// Looks at everything and says what will be done.
///
/// # Errors
/// When something cannot be looked at.
pub async fn plan(shop: &Workshop, now: Instant) -> anyhow::Result<Plan> {
    let snapshot = steady_snapshot(&shop.database).await?;
    let mut plan = Plan { held_batches: held_batches(shop).await?, ..Plan::default() };
    let live: Vec<Arc<LakeFile>> = snapshot.files.values().flatten().cloned().collect();
    let mut suspects: Vec<Arc<LakeFile>> = Vec::new();
    for file in &live {
        match tokio::task::block_in_place(|| shop.lake.verify(file, |_| ())) {
            Err(error) if error.is_lost_file() => {
                plan.newly_lost.push((Arc::clone(file), reason(&error)));
                suspects.push(Arc::clone(file));
            }
            Err(error) => return Err(error).with_context(|| format!("verifying {}", file.path)),
            Ok(()) => {}
        }
    }
    suspects.extend(snapshot.quarantined.values().flatten().map(|one| Arc::clone(&one.file)));
    let found = tokio::task::block_in_place(|| in_backups(&shop.backups))?;
    for file in suspects {
        let lost: Vec<&str> = plan.newly_lost.iter().map(|(file, _)| file.id.as_str()).collect();
        let partition = snapshot.files.get(&(file.stream, file.day)).cloned().unwrap_or_default();
        let others: Vec<Arc<LakeFile>> =
            partition.into_iter().filter(|other| !lost.contains(&other.id.as_str())).collect();
        let cure = cure(shop, &file, &others, &found).await?;
        plan.files.push((file, cure));
    }
    if plan.files.is_empty() {
        let stores = shop.database.stores().await?;
        let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
        let kept = shop.database.kept_levels(&snapshot).await.context("reading the rollups")?;
        let rebuilt = tokio::task::block_in_place(|| rebuild_rollups(&shop.lake, &snapshot, &grains))?;
        let rebuilt = level_changes(&rebuilt, &snapshot.calendars);
        plan.rollups_are_wrong = !kept.damaged.is_empty() || !rebuilt.unlike(&kept.levels).is_empty();
    }
    plan.strangers = strangers(shop, now).await?;
    Ok(plan)
}

async fn held_batches(shop: &Workshop) -> anyhow::Result<Vec<(i64, String)>> {
    let held = shop.database.held_batches(HELD_MAX).await.context("listing batches that were set aside")?;
    Ok(held.into_iter().map(|batch| (batch.seq, batch.reason)).collect())
}

async fn cure(
    shop: &Workshop,
    file: &Arc<LakeFile>,
    others: &[Arc<LakeFile>],
    found: &BTreeMap<String, PathBuf>,
) -> anyhow::Result<Cure> {
    if tokio::task::block_in_place(|| shop.lake.verify(file, |_| ())).is_ok() {
        return Ok(Cure::RightAgain);
    }
    if file.file_set == FileSet::Current {
        let kept = kept_batches(shop, file.stream).await?;
        if let Some(recovered) = tokio::task::block_in_place(|| recover(&shop.lake, file, others, &kept))? {
            return Ok(Cure::FromInbox(recovered));
        }
    }
    let path = found
        .get(&file.blake3)
        .filter(|path| hashed_file(path, "").is_ok_and(|hashed| hashed.blake3 == file.blake3));
    Ok(path.map_or(Cure::Lost, |path| Cure::FromBackup(path.clone())))
}

/// The batches of a stream that were folded and are still kept.
async fn kept_batches(shop: &Workshop, stream: Stream) -> anyhow::Result<Vec<KeptBatch>> {
    let mut kept = Vec::new();
    for (seq, folded_version) in shop.database.folded_batches(stream).await.context("listing kept batches")? {
        let bytes = shop.database.read_batch(seq).await.context("reading a kept batch")?;
        let rows = decode_batch(&bytes).with_context(|| format!("decoding batch {seq}"))?;
        kept.push(KeptBatch { seq, folded_version, rows });
    }
    Ok(kept)
}

/// Files of backups by their hash; each place may be one backup or a folder of them.
fn in_backups(places: &[PathBuf]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for place in places {
        let mut backups =
            backups_in(place).with_context(|| format!("looking for backups in {}", place.display()))?;
        if place.join(MANIFEST).is_file() {
            backups.push(place.clone());
        }
        anyhow::ensure!(!backups.is_empty(), "there is no backup in {}", place.display());
        for backup in backups {
            let json =
                fs::read(backup.join(MANIFEST)).with_context(|| format!("reading {}", backup.display()))?;
            let manifest: BackupManifest =
                serde_json::from_slice(&json).with_context(|| format!("reading {}", backup.display()))?;
            found.extend(manifest.files.into_iter().map(|file| (file.blake3, backup.join(file.path))));
        }
    }
    Ok(found)
}

async fn strangers(shop: &Workshop, now: Instant) -> anyhow::Result<Vec<String>> {
    let known = shop.database.known_paths().await.context("reading the manifest")?;
    let mut strangers = shop.lake.list().context("listing the lake")?;
    strangers
        .retain(|path| !known.contains(path) && is_older(&shop.lake.root().join(path), now - STRANGER_AGE));
    Ok(strangers)
}

fn is_older(path: &Path, than: Instant) -> bool {
    let seconds = fs::metadata(path).map(|file| std::os::unix::fs::MetadataExt::mtime(&file));
    seconds.is_ok_and(|seconds| instant_from_ms(seconds.saturating_mul(1_000)) < than)
}
