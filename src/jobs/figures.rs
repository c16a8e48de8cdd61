//! Changes of the prepared figures that are not a fold's.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use chrono::NaiveDate;

use crate::analytics::{Grains, Written, level_changes};
use crate::domain::Instant;
use crate::lake::Lake;
use crate::store::{Database, FoldCommit};

use super::doctor::steady_snapshot;
use super::fold::random_token;
use super::rebuild_rollups;
use super::rollups::new_calendars;

/// Makes the figures anew from the rows, and commits those that were others; how many days that were.
///
/// # Errors
/// The first file that cannot be read, or what the database says.
pub async fn remake_figures(database: &Database, lake: &Lake, at: Instant) -> anyhow::Result<usize> {
    let snapshot = Arc::new(steady_snapshot(database).await?);
    let stores = database.stores().await.context("reading the stores")?;
    let grains: Grains = stores.iter().map(|store| (store.id, store.grain())).collect();
    let (reader, base) = (lake.clone(), Arc::clone(&snapshot));
    let rebuilt = tokio::task::spawn_blocking(move || rebuild_rollups(&reader, &base, &grains))
        .await
        .context("the rebuilding thread died")??;
    let mut change = FoldCommit::nothing(random_token()?, snapshot.version, at);
    change.calendars = new_calendars(&snapshot, &rebuilt, &stores);
    let mut calendars = snapshot.calendars.clone();
    calendars.extend(&change.calendars);
    let kept = database.kept_levels(&snapshot).await.context("reading the rollups")?;
    let levels = level_changes(&rebuilt, &calendars);
    change.blocks = levels.unlike(&kept.levels);
    let lost = kept.damaged.iter().filter(|key| change.blocks.iter().all(|written| written.key != **key));
    let lost: Vec<Written> = lost.map(|key| Written { key: *key, block: None }).collect();
    change.blocks.extend(lost);
    let days: BTreeSet<NaiveDate> = change.blocks.iter().map(|written| written.key.day).collect();
    let wrong = days.len();
    // Who paid is not taken out of a sketch when a row goes; here it is.
    change.blocks.extend(levels.unlike_customers(&kept.levels));
    if !change.blocks.is_empty() {
        database.commit_fold(&change).await.context("storing the figures")?;
    }
    Ok(wrong)
}
