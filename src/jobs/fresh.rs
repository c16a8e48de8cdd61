//! The blocks of one snapshot, while folds go on.

use std::sync::Arc;
use std::time::Duration;

use crate::analytics::{Blocks, Snapshot, SnapshotCell, Wanted};
use crate::store::{Database, StoreError};

use super::doctor::steady_snapshot;

/// How often a newer snapshot is taken when a fold replaces blocks while they are read.
const TRIES_MAX: u32 = 6;
/// Pause before the second try; it doubles. A fold of this process is published within it.
const PAUSE: Duration = Duration::from_millis(10);

/// Blocks of the present snapshot, with what was planned on it.
///
/// A fold that committed after the snapshot was taken may have replaced a block: then the snapshot is taken again, from
/// the database when another server folded.
///
/// # Errors
/// What the plan or the database says; [`StoreError::Conflict`] when the blocks changed at every try.
pub async fn fresh_blocks<P, E: From<StoreError>>(
    database: &Database,
    snapshots: &SnapshotCell,
    plan: impl Fn(&Snapshot) -> Result<(P, Vec<Wanted>), E>,
) -> Result<(Arc<Snapshot>, P, Blocks), E> {
    let mut tries = 0;
    loop {
        let snapshot = snapshots.current();
        let (planned, wanted) = plan(&snapshot)?;
        match database.fetch_blocks(&snapshot, &wanted).await {
            Ok(blocks) => return Ok((snapshot, planned, blocks)),
            Err(StoreError::Conflict(_)) if tries < TRIES_MAX => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(tries)).await;
        tries += 1;
        if tries > 1
            && snapshots.current().version == snapshot.version
            && let Ok(newer) = steady_snapshot(database).await
        {
            snapshots.publish(newer);
        }
    }
}
