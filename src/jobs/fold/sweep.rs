use anyhow::Context;

use super::world::World;

/// Removes files that nobody needs any more, and tells how many.
///
/// A file that was intended and never made live is first given up, in a transaction: from then on a fold that was only
/// paused cannot make it live any more. Removed are only files that were given up or retired long before, the file
/// before its row: a row without a file is found again, a file without a row is not.
///
/// # Errors
/// The database or the disk failed; the rest is swept next time.
pub async fn sweep<W: World>(world: &W) -> anyhow::Result<u64> {
    world.abandon_intents().await.context("giving up intended files")?;
    let files = world.sweepable_files().await.context("files to remove")?;
    for (_, path) in &files {
        world.remove_file(path).await.with_context(|| format!("removing {path}"))?;
    }
    let paths: Vec<&str> = files.iter().map(|(_, path)| path.as_str()).collect();
    world.sync_folders(&paths).await.context("noting the removal on the disk")?;
    for (id, _) in &files {
        world.forget_file(id).await.context("forgetting a file")?;
    }
    Ok(u64::try_from(files.len())?)
}
