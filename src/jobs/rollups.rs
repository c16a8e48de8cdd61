//! What a change of rollups means for the blocks of every level.

use crate::analytics::{Calendar, Calendars, Changes, Snapshot, Written, level_changes};
use crate::domain::Store;
use crate::store::{Database, StoreError};

/// The blocks that signed cells touch, as they are afterwards, and the calendars of stores that are new.
///
/// # Errors
/// When a block cannot be read; [`StoreError::Conflict`] when somebody else has changed it meanwhile.
pub(super) async fn changed_blocks(
    database: &Database,
    base: &Snapshot,
    changes: &Changes,
    stores: &[Store],
) -> Result<(Vec<Written>, Calendars), StoreError> {
    let new = new_calendars(base, changes, stores);
    let mut calendars = base.calendars.clone();
    calendars.extend(&new);
    let changes = changes.clone();
    let levels = on_thread(move || level_changes(&changes, &calendars)).await;
    let present = database.fetch_blocks(base, &levels.wanted()).await?;
    Ok((on_thread(move || levels.applied_by_two(&present)).await, new))
}

/// The calendars of stores whose first cells these are. A store whose calendar was changed keeps its levels under the
/// old one until they are made anew: its pages read by the hour meanwhile.
pub(super) fn new_calendars(base: &Snapshot, changes: &Changes, stores: &[Store]) -> Calendars {
    let touched = |store: &&Store| changes.keys().any(|(of, _)| *of == store.id);
    let unknown = stores.iter().filter(|store| !base.calendars.contains_key(&store.id));
    unknown.filter(touched).map(|store| (store.id, Calendar::of(store))).collect()
}

/// Computes on a thread of its own; a panic there is one here.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(made) => made,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
