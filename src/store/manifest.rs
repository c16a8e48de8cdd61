use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::analytics::{Calendars, Freshness, Quarantined, Snapshot, Written};
use crate::domain::{Instant, Promise, StoreId, Stream, Word, instant_from_ms};
use crate::lake::{FileSet, LakeFile, SupersededRows};

use super::rollups::{put_blocks, put_calendars};
use super::statement::statement;
use super::{BatchOutcome, Database, StoreError, WriteTransaction};

/// The newest layout of rows and files that this program reads and writes.
const FORMAT_VERSION: i64 = 1;

/// Everything one fold changes, committed in one transaction or not at all.
#[derive(Debug)]
pub struct FoldCommit {
    /// The fold's own token: tells after an unknown outcome whether it won.
    pub token: String,
    /// The data version that was read.
    pub base_version: i64,
    pub folded_at: Instant,
    /// Exactly these inbox batches, with what their rows were.
    pub batches: Vec<(i64, BatchOutcome)>,
    pub added: Vec<LakeFile>,
    pub retired: Vec<Arc<LakeFile>>,
    /// Files that stay live, with the whole list of their rows that are superseded now.
    pub superseded: Vec<(Arc<LakeFile>, Arc<SupersededRows>)>,
    /// The touched blocks of every level.
    pub blocks: Vec<Written>,
    /// Of stores whose blocks of whole days begin now.
    pub calendars: Calendars,
    pub freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
}

impl FoldCommit {
    /// A commit that changes nothing yet: to be filled.
    pub fn nothing(token: String, base_version: i64, at: Instant) -> Self {
        Self {
            token,
            base_version,
            folded_at: at,
            batches: Vec::new(),
            added: Vec::new(),
            retired: Vec::new(),
            superseded: Vec::new(),
            blocks: Vec::new(),
            calendars: Calendars::new(),
            freshness: BTreeMap::new(),
        }
    }
}

impl Database {
    /// Notes the files that a fold is about to write, so that orphans are known from here and never from a directory
    /// listing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn intend_files(
        &self,
        token: &str,
        files: &[(String, Stream, NaiveDate, FileSet, String)],
        at: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        for (id, stream, day, file_set, path) in files {
            statement(include_str!("sql/intend_file.sql"))
                .bind(id)
                .bind(stream.as_str())
                .bind(day.to_string())
                .bind(file_set.as_str())
                .bind(path)
                .bind(token)
                .bind(at.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// Commits a fold: files, rollups, marks and data version move together.
    ///
    /// Every step checks how many rows it changed; any other number rolls everything back. Two folds can never both
    /// win: each must move the data version from the one it read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else folded meanwhile; [`StoreError::Unavailable`] when the outcome is
    /// unknown (ask [`Database::data_version`] for the token).
    pub async fn commit_fold(&self, fold: &FoldCommit) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        let version = write.apply_fold(fold).await?;
        write.commit().await?;
        if self.sabotage().breaks(Promise::RollupsWithFiles) {
            // Long enough to be killed in.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let mut write = self.begin_write().await?;
            write.commit_rollups(fold, version).await?;
            write.commit().await?;
        }
        Ok(version)
    }
}

impl WriteTransaction {
    /// The steps of a fold inside a transaction; returns the data version it will have made.
    ///
    /// # Errors
    /// As [`Database::commit_fold`].
    pub(super) async fn apply_fold(&mut self, fold: &FoldCommit) -> Result<i64, StoreError> {
        let version = fold.base_version + 1;
        let at_ms = fold.folded_at.timestamp_millis();
        let moved = statement(include_str!("sql/move_data_version.sql"))
            .bind(fold.base_version)
            .bind(&fold.token)
            .bind(at_ms)
            .execute(self.connection())
            .await?;
        expect_one(moved, "the data version")?;
        for (seq, outcome) in &fold.batches {
            let marked = statement(include_str!("sql/mark_batch_folded.sql"))
                .bind(seq)
                .bind(version)
                .bind(at_ms)
                .execute(self.connection())
                .await?;
            expect_one(marked, "an inbox batch")?;
            statement(include_str!("sql/insert_batch_outcome.sql"))
                .bind(seq)
                .bind(outcome.new)
                .bind(outcome.replaced)
                .bind(outcome.unchanged)
                .execute(self.connection())
                .await?;
        }
        self.commit_files(fold, version).await?;
        if !self.sabotage.breaks(Promise::RollupsWithFiles) {
            self.commit_rollups(fold, version).await?;
        }
        Ok(version)
    }

    async fn commit_files(&mut self, fold: &FoldCommit, version: i64) -> Result<(), StoreError> {
        for file in &fold.added {
            let published = statement(include_str!("sql/publish_file.sql"))
                .bind(&file.id)
                .bind(i64::try_from(file.rows).unwrap_or(i64::MAX))
                .bind(i64::try_from(file.size_bytes).unwrap_or(i64::MAX))
                .bind(&file.blake3)
                .bind(version)
                .bind(file.last_event_ms)
                .bind(file.control.map(|control| control.to_string()).unwrap_or_default())
                .execute(self.connection())
                .await?;
            expect_one(published, "a new file")?;
        }
        for file in &fold.retired {
            let retired = statement(include_str!("sql/retire_file.sql"))
                .bind(&file.id)
                .bind(version)
                .bind(fold.folded_at.timestamp_millis())
                .execute(self.connection())
                .await?;
            expect_one(retired, "a live file")?;
        }
        for (file, rows) in &fold.superseded {
            let replaced = statement(include_str!("sql/replace_superseded_rows.sql"))
                .bind(&file.id)
                .bind(rows.encode())
                .bind(i64::try_from(file.rows).unwrap_or(i64::MAX))
                .execute(self.connection())
                .await?;
            expect_one(replaced, "a live file")?;
        }
        Ok(())
    }

    async fn commit_rollups(&mut self, fold: &FoldCommit, version: i64) -> Result<(), StoreError> {
        put_blocks(self, &fold.blocks, version).await?;
        put_calendars(self, &fold.calendars).await?;
        for ((store, stream, provider), fresh) in &fold.freshness {
            statement(include_str!("sql/raise_freshness.sql"))
                .bind(store.0)
                .bind(stream.as_str())
                .bind(provider.as_str())
                .bind(fresh.last_event.timestamp_millis())
                .bind(fresh.last_received.timestamp_millis())
                .execute(self.connection())
                .await?;
        }
        Ok(())
    }
}

impl Database {
    /// The present data version and the token of the fold that made it.
    ///
    /// # Errors
    /// [`StoreError::Unsafe`] when a newer program wrote this database.
    pub async fn data_version(&self) -> Result<(i64, String, Instant), StoreError> {
        let (version, token, format, folded_ms): (i64, String, i64, i64) =
            statement(include_str!("sql/read_data_version.sql")).fetch_one(self.readers()).await?;
        if format > FORMAT_VERSION {
            return Err(StoreError::Unsafe(format!(
                "the data have format {format}; this program knows {FORMAT_VERSION}: use a newer one"
            )));
        }
        Ok((version, token, instant_from_ms(folded_ms)))
    }

    /// The snapshot as it is stored: manifest and rollups, without reading a row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_snapshot(&self) -> Result<Snapshot, StoreError> {
        let (version, _, folded_at) = self.data_version().await?;
        let mut snapshot = Snapshot {
            version,
            folded_at,
            files: self.files_in_state("live").await?,
            quarantined: self.quarantined_files().await?,
            rollups: self.rollup_directory().await?,
            calendars: self.rollup_calendars().await?,
            ..Snapshot::default()
        };
        let fresh: Vec<(i64, String, String, i64, i64)> =
            statement(include_str!("sql/all_freshness.sql")).fetch_all(self.readers()).await?;
        for (store, stream, provider, event_ms, received_ms) in fresh {
            let known = Stream::parse(&stream).ok_or_else(|| {
                inconsistent("freshness", format!("{store}/{stream}/{provider}"), &"unknown stream")
            })?;
            let fresh = Freshness {
                last_event: instant_from_ms(event_ms),
                last_received: instant_from_ms(received_ms),
            };
            snapshot.freshness.insert((StoreId(store), known, Word::of(&provider)), fresh);
        }
        Ok(snapshot)
    }

    async fn quarantined_files(&self) -> Result<BTreeMap<(Stream, NaiveDate), Vec<Quarantined>>, StoreError> {
        let notes: Vec<(String, Option<String>, Option<i64>)> =
            statement(include_str!("sql/quarantine_notes.sql")).fetch_all(self.readers()).await?;
        let notes: BTreeMap<String, (Option<String>, Option<i64>)> =
            notes.into_iter().map(|(id, reason, at_ms)| (id, (reason, at_ms))).collect();
        let set_aside = |file: Arc<LakeFile>| {
            let (reason, at_ms) = notes.get(&file.id).cloned().unwrap_or_default();
            let since = instant_from_ms(at_ms.unwrap_or(0));
            Quarantined { file, reason: reason.unwrap_or_default(), since }
        };
        let files = self.files_in_state("quarantined").await?;
        Ok(files
            .into_iter()
            .map(|(place, files)| (place, files.into_iter().map(set_aside).collect()))
            .collect())
    }

    async fn files_in_state(
        &self,
        state: &'static str,
    ) -> Result<BTreeMap<(Stream, NaiveDate), Vec<Arc<LakeFile>>>, StoreError> {
        type Row = (String, String, String, String, String, i64, i64, String, i64, String, Option<Vec<u8>>);
        let rows: Vec<Row> =
            statement(include_str!("sql/files_in_state.sql")).bind(state).fetch_all(self.readers()).await?;
        let mut files: BTreeMap<(Stream, NaiveDate), Vec<Arc<LakeFile>>> = BTreeMap::new();
        for row in rows {
            let (id, stream, day, file_set, path, row_count, size_bytes, blake3, last_event_ms, ..) = row;
            let day = parse_day(&day, "lake_file", &id)?;
            let (Some(stream), Some(file_set)) = (Stream::parse(&stream), FileSet::parse(&file_set)) else {
                return Err(inconsistent("lake_file", id, &"unknown stream or file set"));
            };
            let rows = u64::try_from(row_count).unwrap_or(0);
            let superseded = SupersededRows::decode(row.10.as_deref().unwrap_or_default(), rows)
                .map_err(|error| inconsistent("lake_file", id.clone(), &error))?;
            let control = if row.9.is_empty() { None } else { Some(row.9.parse()) }
                .transpose()
                .map_err(|error: std::num::ParseIntError| inconsistent("lake_file", id.clone(), &error))?;
            let file = LakeFile {
                id,
                stream,
                day,
                file_set,
                path,
                rows,
                size_bytes: u64::try_from(size_bytes).unwrap_or(0),
                blake3,
                last_event_ms,
                control,
                superseded: Arc::new(superseded),
            };
            files.entry((stream, day)).or_default().push(Arc::new(file));
        }
        Ok(files)
    }

    /// Gives up on files that a fold intended before `before` and never made live; from now on it cannot any more.
    /// They count as retired since `at`. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn abandon_intents(&self, before: Instant, at: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let abandoned = statement(include_str!("sql/abandon_intents.sql"))
            .bind(before.timestamp_millis())
            .bind(at.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(abandoned)
    }

    /// Files that nobody needs any more: retired or given up before `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweepable_files(
        &self,
        before: Instant,
        files_max: i64,
    ) -> Result<Vec<(String, String)>, StoreError> {
        statement(include_str!("sql/sweepable_files.sql"))
            .bind(before.timestamp_millis())
            .bind(files_max)
            .fetch_all(self.readers())
            .await
    }

    /// Forgets a file after it was removed from the lake.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_file(&self, id: &str) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/forget_file.sql")).bind(id).execute(write.connection()).await?;
        write.commit().await
    }
}

pub(super) fn expect_one(changed: u64, what: &'static str) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict(what)) }
}

fn inconsistent(table: &'static str, row: String, what: &impl std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table, row, what: what.to_string() }
}

fn parse_day(text: &str, table: &'static str, row: &str) -> Result<NaiveDate, StoreError> {
    text.parse().map_err(|error: chrono::ParseError| inconsistent(table, row.to_owned(), &error))
}
