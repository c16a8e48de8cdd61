//! Changes of the prepared figures that are not a fold's.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use chrono::NaiveDate;

use crate::analytics::{Changes, DayBlock, Grains, Snapshot};
use crate::domain::{Instant, StoreId};
use crate::lake::Lake;
use crate::store::{Database, FoldCommit};

use super::doctor::{kept_rollups, steady_snapshot};
use super::fold::random_token;
use super::rebuild_rollups;

/// Makes the figures anew from the rows, and commits those that were others; how many days that were.
///
/// # Errors
/// The first file that cannot be read, or what the database says.
pub async fn remake_figures(database: &Database, lake: &Lake, at: Instant) -> anyhow::Result<usize> {
    let snapshot = Arc::new(steady_snapshot(database).await?);
    let stores = database.stores().await.context("reading the stores")?;
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let kept = kept_rollups(database, &snapshot).await?;
    let (reader, base) = (lake.clone(), Arc::clone(&snapshot));
    let rebuilt = tokio::task::spawn_blocking(move || rebuild_rollups(&reader, &base, &grains))
        .await
        .context("the rebuilding thread died")??;
    let nothing = DayBlock::default();
    let places: BTreeSet<(StoreId, NaiveDate)> = kept.keys().chain(rebuilt.keys()).copied().collect();
    let mut change = FoldCommit::nothing(random_token()?, snapshot.version, at);
    for place in places {
        let should = rebuilt.get(&place).unwrap_or(&nothing);
        if kept.get(&place).unwrap_or(&nothing) != should {
            change.blocks.push((place.0, place.1, Arc::new(should.clone())));
        }
    }
    let wrong = change.blocks.len();
    if wrong > 0 {
        database.commit_fold(&change).await.context("storing the figures")?;
    }
    Ok(wrong)
}

/// The blocks that signed cells touch, as they are afterwards.
pub(super) fn blocks_after(base: &Snapshot, changes: Changes) -> Vec<(StoreId, NaiveDate, Arc<DayBlock>)> {
    let after = |((store, day), change): ((StoreId, NaiveDate), DayBlock)| {
        let present = base.rollups.get(&store).and_then(|days| days.get(&day));
        let mut block = present.map_or_else(DayBlock::default, |block| (**block).clone());
        block.apply(&change);
        (store, day, Arc::new(block))
    };
    changes.into_iter().filter(|(_, change)| !change.is_empty()).map(after).collect()
}
