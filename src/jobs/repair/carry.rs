use std::fs;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::domain::Instant;
use crate::jobs::doctor::steady_snapshot;
use crate::jobs::figures::remake_figures;
use crate::jobs::fold::random_token;
use crate::jobs::inspect::commit_aside;
use crate::lake::{Lake, LakeFile, Recovered};
use crate::store::{CareAction, CareEntry, FoldCommit, Upkeep};

use super::{Cure, Plan, Workshop};

/// Does what was planned. Rows that are nowhere to be found are given up only with `accept_loss`; without it nothing is
/// done at all when there are such.
///
/// # Errors
/// What stands in the way; steps already taken stay taken, and a new plan goes on from there.
pub async fn carry_out(shop: &Workshop, plan: Plan, accept_loss: bool, now: Instant) -> anyhow::Result<()> {
    let lost = plan.lost().count();
    if lost > 0 && !accept_loss {
        bail!(
            "{lost} files are nowhere to be found; name a backup with --from, or give their rows up with --accept-loss"
        );
    }
    // Nobody else is at work on this folder: a rebuild that is not over was killed.
    shop.database.abandon_rebuild().await.context("ending a rebuild that was killed")?;
    if !plan.newly_lost.is_empty() {
        let base = steady_snapshot(&shop.database).await?;
        commit_aside(&shop.database, &base, &plan.newly_lost, now).await?;
    }
    for (file, cure) in plan.files {
        heal(shop, &file, cure, now).await.with_context(|| format!("repairing {}", file.path))?;
    }
    if lost > 0 || plan.rollups_are_wrong {
        rebuild(shop, now, lost > 0).await?;
    }
    for (seq, reason) in &plan.held_batches {
        shop.database.release_batch(*seq).await.context("releasing a batch")?;
        note(
            shop,
            now,
            CareAction::Repair,
            format!("batch {seq}"),
            format!("released; it was held: {reason}"),
        )
        .await?;
    }
    for path in &plan.strangers {
        move_away(shop, path)?;
        note(shop, now, CareAction::Repair, path.clone(), "moved to lost+found".to_owned()).await?;
    }
    Ok(())
}

async fn heal(shop: &Workshop, file: &Arc<LakeFile>, cure: Cure, now: Instant) -> anyhow::Result<()> {
    let base = steady_snapshot(&shop.database).await?;
    let says = cure.says();
    let token = random_token()?;
    let mut upkeep = Upkeep {
        change: FoldCommit::nothing(token.clone(), base.version, now),
        quarantined: Vec::new(),
        trusted_again: Vec::new(),
        entries: Vec::new(),
    };
    let mut action = CareAction::Repair;
    match cure {
        Cure::RightAgain => upkeep.trusted_again.push(file.id.clone()),
        Cure::FromInbox(Recovered::Identical(bytes)) => {
            tokio::task::block_in_place(|| shop.lake.put_back(file, &bytes))?;
            upkeep.trusted_again.push(file.id.clone());
        }
        Cure::FromBackup(path) => {
            let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            tokio::task::block_in_place(|| shop.lake.put_back(file, &bytes))?;
            upkeep.trusted_again.push(file.id.clone());
        }
        Cure::FromInbox(Recovered::SameRows(rows)) => {
            let id = format!("{:08}-{token}-0c", base.version + 1);
            let path = Lake::path_for(file.stream, file.day, file.file_set, &id);
            let intent = (id.clone(), file.stream, file.day, file.file_set, path);
            shop.database.intend_files(&token, &[intent], now).await.context("noting an intended file")?;
            let written = tokio::task::block_in_place(|| {
                shop.lake.write(&rows, file.stream, file.day, file.file_set, &id)
            })?;
            upkeep.change.added.push(written);
            upkeep.change.retired.push(Arc::clone(file));
        }
        Cure::Lost => {
            action = CareAction::AcceptLoss;
            upkeep.change.retired.push(Arc::clone(file));
        }
    }
    let detail = format!("{} rows of {}: {says}", file.live_rows(), file.day);
    upkeep.entries.push(CareEntry { at: now, action, subject: file.path.clone(), detail });
    shop.database.commit_upkeep(&upkeep).await.context("committing the repair")?;
    Ok(())
}

/// Makes the figures anew from the rows.
async fn rebuild(shop: &Workshop, now: Instant, after_loss: bool) -> anyhow::Result<()> {
    remake_figures(&shop.database, &shop.lake, now).await.context("making the figures anew")?;
    let why = if after_loss {
        "made anew without the rows that were given up"
    } else {
        "they were not those of the rows"
    };
    note(shop, now, CareAction::Repair, "figures".to_owned(), why.to_owned()).await
}

async fn note(
    shop: &Workshop,
    at: Instant,
    action: CareAction,
    subject: String,
    detail: String,
) -> anyhow::Result<()> {
    let mut write = shop.database.begin_write().await?;
    write.note_care(&CareEntry { at, action, subject, detail }).await?;
    write.commit().await.context("writing the log")
}

/// Moves a file that nobody knows out of the lake: never deleted, for it may be somebody's.
fn move_away(shop: &Workshop, path: &str) -> anyhow::Result<()> {
    let target = shop.folder.join("lost+found").join(path);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).context("making lost+found")?;
    }
    fs::rename(shop.lake.root().join(path), &target).with_context(|| format!("moving {path}"))
}
