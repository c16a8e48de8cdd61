//! Blocks of rollups: which there are, their bytes, and the calendars their days follow.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

use crate::analytics::{
    BlockKey, Blocks, Calendar, Calendars, Changes, Detail, Directory, Level, LevelChanges, Owner, Packed,
    RollupError, Snapshot, Total, Totals, Wanted, Written, add_cell_to_totals,
};
use crate::domain::{OrganisationId, StoreId};

use super::manifest::expect_one;
use super::statement::statement;
use super::{Database, StoreError, WriteTransaction};

/// The format that this program keeps rollups in; 1 are blocks of the first release, to be made anew from the rows.
const ROLLUP_FORMAT: i64 = 2;

/// What stands in the database, unpacked.
#[derive(Debug, Default)]
pub struct KeptLevels {
    pub levels: LevelChanges,
    /// Blocks that are not what was written.
    pub damaged: Vec<BlockKey>,
}

impl Database {
    /// The blocks of a snapshot in these spans: from its cache, else read and put there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a fold has replaced one of them meanwhile: take the present snapshot and ask
    /// again. [`StoreError::Inconsistent`] when one is damaged.
    pub async fn fetch_blocks(&self, snapshot: &Snapshot, wanted: &[Wanted]) -> Result<Blocks, StoreError> {
        let (mut blocks, missing) = Blocks::cached(snapshot, wanted);
        for span in missing {
            let Some(days) = snapshot.rollups.days(span.level, span.owner) else { continue };
            let mut lacking = days.range(span.first..=span.last).count();
            for (day, version, bytes) in self.read_cells(span).await? {
                let key = BlockKey { level: span.level, owner: span.owner, day };
                // A block that is newer than the snapshot, or not in it, is another snapshot's.
                if days.get(&day) != Some(&version) {
                    continue;
                }
                lacking -= 1;
                if blocks.get(&key).is_none() {
                    let block = Arc::new(Packed::read(bytes).map_err(|error| damaged(key, &error))?);
                    snapshot.cache.put(key, version, Arc::clone(&block));
                    blocks.insert(key, block);
                }
            }
            // Replaced ones may still be in the cache at the version asked for.
            let held = blocks.days(span.level, span.owner, span.first, span.last).count();
            if lacking > 0 && held < days.range(span.first..=span.last).count() {
                return Err(StoreError::Conflict("a rollup block"));
            }
        }
        Ok(blocks)
    }

    async fn read_cells(&self, span: Wanted) -> Result<Vec<(NaiveDate, i64, Vec<u8>)>, StoreError> {
        let rows: Vec<(i64, i64, Vec<u8>)> = statement(include_str!("sql/rollup_cells_between.sql"))
            .bind(span.level.number())
            .bind(span.owner.0)
            .bind(i64::from(span.first.num_days_from_ce()))
            .bind(i64::from(span.last.num_days_from_ce()))
            .fetch_all(self.readers())
            .await?;
        rows.into_iter().map(|(day, version, bytes)| Ok((day_of(day)?, version, bytes))).collect()
    }

    /// Every block, unpacked: what a rebuild from the rows must equal. Everything in memory: for tests and checks.
    ///
    /// # Errors
    /// As [`Database::fetch_blocks`].
    pub async fn read_levels(&self, snapshot: &Snapshot) -> Result<LevelChanges, StoreError> {
        let kept = self.kept_levels(snapshot).await?;
        match kept.damaged.first() {
            Some(key) => Err(damaged(*key, &"it is not what was written")),
            None => Ok(kept.levels),
        }
    }

    /// As [`Database::read_levels`], with the blocks that cannot be read named and left out.
    ///
    /// # Errors
    /// As [`Database::fetch_blocks`], but for damage.
    pub async fn kept_levels(&self, snapshot: &Snapshot) -> Result<KeptLevels, StoreError> {
        let mut kept = KeptLevels::default();
        for (key, _) in snapshot.rollups.keys() {
            let Some(block) = self.block(snapshot, key, &mut kept.damaged).await? else { continue };
            match key.level {
                Level::Stores => drop(kept.levels.stores.insert(key, block.unpack_stores())),
                Level::Customers | Level::AllCustomers => {
                    kept.levels.customers.insert(key, block.sketch());
                }
                _ => drop(kept.levels.blocks.insert(key, block.unpack())),
            }
        }
        Ok(kept)
    }

    /// What was paid and given back by the stores' own records, out of the rollups, block by block. Damaged blocks are
    /// named and left out.
    ///
    /// # Errors
    /// As [`Database::fetch_blocks`], but for damage.
    pub async fn rollup_totals(&self, snapshot: &Snapshot) -> Result<(Totals, Vec<BlockKey>), StoreError> {
        let (mut totals, mut broken) = (Totals::new(), Vec::new());
        for (key, _) in snapshot.rollups.keys().filter(|(key, _)| key.level == Level::Hours) {
            let Some(block) = self.block(snapshot, key, &mut broken).await? else { continue };
            let store = StoreId(key.owner.0);
            block.money(Detail::Coarse, |_, money, sums| {
                add_cell_to_totals(&mut totals, (store, key.day), money, sums);
            });
        }
        totals.retain(|_, total| *total != Total::default());
        Ok((totals, broken))
    }

    /// One block, past the cache; `None` when it is not there any more, or damaged, which is noted.
    async fn block(
        &self,
        snapshot: &Snapshot,
        key: BlockKey,
        broken: &mut Vec<BlockKey>,
    ) -> Result<Option<Packed>, StoreError> {
        let span = Wanted { level: key.level, owner: key.owner, first: key.day, last: key.day };
        let known = snapshot.rollups.days(key.level, key.owner).and_then(|days| days.get(&key.day));
        for (_, version, bytes) in self.read_cells(span).await? {
            if known != Some(&version) {
                return Err(StoreError::Conflict("a rollup block"));
            }
            match Packed::read(bytes) {
                Ok(block) => return Ok(Some(block)),
                Err(RollupError::Damaged(_)) => broken.push(key),
                Err(error @ RollupError::Format(_)) => return Err(damaged(key, &error)),
            }
        }
        Ok(None)
    }

    /// Every block of [`Level::Hours`], unpacked.
    ///
    /// # Errors
    /// As [`Database::fetch_blocks`].
    pub async fn read_rollups(&self, snapshot: &Snapshot) -> Result<Changes, StoreError> {
        Ok(self.read_levels(snapshot).await?.hours())
    }

    /// Which blocks there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn rollup_directory(&self) -> Result<Directory, StoreError> {
        let rows: Vec<(i64, i64, i64, i64)> =
            statement(include_str!("sql/all_rollup_versions.sql")).fetch_all(self.readers()).await?;
        let mut directory = Directory::default();
        for (level, owner, day, version) in rows {
            let Some(known) = Level::parse(level) else {
                return Err(inconsistent(format!("{level}/{owner}/{day}"), &"unknown level"));
            };
            directory.put(BlockKey { level: known, owner: Owner(owner), day: day_of(day)? }, Some(version));
        }
        Ok(directory)
    }

    /// The calendars that the blocks of whole days follow.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn rollup_calendars(&self) -> Result<Calendars, StoreError> {
        let rows: Vec<(i64, i64, String, i64)> =
            statement(include_str!("sql/all_rollup_calendars.sql")).fetch_all(self.readers()).await?;
        let mut calendars = Calendars::new();
        for (store, organisation, zone, minutes) in rows {
            let cut_off = u32::try_from(minutes)
                .ok()
                .and_then(|minutes| NaiveTime::from_num_seconds_from_midnight_opt(minutes * 60, 0));
            let (Ok(zone), Some(cut_off)) = (zone.parse(), cut_off) else {
                return Err(inconsistent(format!("calendar {store}"), &"unknown zone or cut-off"));
            };
            let calendar = Calendar { organisation: OrganisationId(organisation), zone, cut_off };
            calendars.insert(StoreId(store), calendar);
        }
        Ok(calendars)
    }

    /// True when the rollups must be made anew from the rows.
    ///
    /// # Errors
    /// [`StoreError::Unsafe`] when a newer program wrote them.
    pub async fn rollups_are_old(&self) -> Result<bool, StoreError> {
        let format: i64 =
            statement(include_str!("sql/read_rollup_format.sql")).scalar_one(self.readers()).await?;
        if format > ROLLUP_FORMAT {
            return Err(StoreError::Unsafe(format!(
                "the rollups have format {format}; this program knows {ROLLUP_FORMAT}: use a newer one"
            )));
        }
        Ok(format < ROLLUP_FORMAT)
    }

    /// Forgets every block before they are made anew, under a token. Until [`Database::end_rebuild`] nobody folds, and a
    /// start begins again, which ends the right of this token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_rebuild(&self, token: &str) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/begin_rebuild.sql")).bind(token).execute(write.connection()).await?;
        for forget in [
            include_str!("sql/delete_all_rollup_cells.sql"),
            include_str!("sql/delete_all_rollup_calendars.sql"),
        ] {
            statement(forget).execute(write.connection()).await?;
        }
        write.commit().await
    }

    /// Ends the right of a rebuild that was killed, so that a repair can commit; the next start begins again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn abandon_rebuild(&self) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/abandon_rebuild.sql")).execute(write.connection()).await?;
        write.commit().await
    }

    /// Writes blocks that were made anew, in a transaction of their own; `version` is that after the rebuild.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another server began a rebuild meanwhile.
    pub async fn put_rebuilt(&self, token: &str, blocks: &[Written], version: i64) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        confirm_rebuild(&mut write, token, 1).await?;
        put_blocks(&mut write, blocks, version).await?;
        write.commit().await
    }

    /// Every block is there again: the data version moves on from `base`, so that every server reads them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another server began a rebuild or folded meanwhile.
    pub async fn end_rebuild(&self, token: &str, base: i64, calendars: &Calendars) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        confirm_rebuild(&mut write, token, ROLLUP_FORMAT).await?;
        let moved = statement(include_str!("sql/move_version_of_rebuild.sql"))
            .bind(base)
            .bind(token)
            .execute(write.connection())
            .await?;
        expect_one(moved, "the data version")?;
        put_calendars(&mut write, calendars).await?;
        statement(include_str!("sql/delete_old_rollup_blocks.sql")).execute(write.connection()).await?;
        write.commit().await
    }
}

async fn confirm_rebuild(write: &mut WriteTransaction, token: &str, format: i64) -> Result<(), StoreError> {
    let own = statement(include_str!("sql/confirm_rebuild.sql"))
        .bind(token)
        .bind(format)
        .execute(write.connection())
        .await?;
    expect_one(own, "the rebuild of the rollups")
}

/// Writes blocks as they are after a fold.
pub(super) async fn put_blocks(
    write: &mut WriteTransaction,
    blocks: &[Written],
    version: i64,
) -> Result<(), StoreError> {
    for Written { key, block } in blocks {
        let day = i64::from(key.day.num_days_from_ce());
        let Some(block) = block else {
            statement(include_str!("sql/delete_rollup_cells.sql"))
                .bind(key.level.number())
                .bind(key.owner.0)
                .bind(day)
                .execute(write.connection())
                .await?;
            continue;
        };
        statement(include_str!("sql/replace_rollup_cells.sql"))
            .bind(key.level.number())
            .bind(key.owner.0)
            .bind(day)
            .bind(version)
            .bind(block.bytes())
            .execute(write.connection())
            .await?;
    }
    Ok(())
}

/// Notes under which calendar stores are kept.
pub(super) async fn put_calendars(
    write: &mut WriteTransaction,
    calendars: &Calendars,
) -> Result<(), StoreError> {
    for (store, calendar) in calendars {
        statement(include_str!("sql/replace_rollup_calendar.sql"))
            .bind(store.0)
            .bind(calendar.organisation.0)
            .bind(calendar.zone.name())
            .bind(i64::from(calendar.cut_off.num_seconds_from_midnight() / 60))
            .execute(write.connection())
            .await?;
    }
    Ok(())
}

fn day_of(number: i64) -> Result<NaiveDate, StoreError> {
    let day = i32::try_from(number).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
    day.ok_or_else(|| inconsistent(number.to_string(), &"no such day"))
}

fn damaged(key: BlockKey, error: &impl std::fmt::Display) -> StoreError {
    inconsistent(format!("{:?}/{}/{}", key.level, key.owner.0, key.day), error)
}

fn inconsistent(row: String, what: &impl std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table: "rollup_cells", row, what: what.to_string() }
}
