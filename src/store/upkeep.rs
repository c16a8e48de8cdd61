use crate::domain::{Instant, instant_from_ms};

use super::statement::statement;
use super::{Database, FoldCommit, StoreError, WriteTransaction};

/// What looking after the data changes, committed in one transaction or not at all. Like a fold it moves the data
/// version, so that no fold can win that was computed from what stood there before.
#[derive(Debug)]
pub struct Upkeep {
    /// Files, rollups and the data version, as a fold that takes in no batch.
    pub change: FoldCommit,
    /// Ids of live files that cannot be trusted any more, each with the reason.
    pub quarantined: Vec<(String, String)>,
    /// Ids of quarantined files whose bytes are right again.
    pub trusted_again: Vec<String>,
    pub entries: Vec<CareEntry>,
}

/// What looking after did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CareAction {
    /// A file was found damaged or missing and set aside.
    Quarantine,
    /// A file, rollups or batches were put right.
    Repair,
    /// Rows were given up.
    AcceptLoss,
    /// Whole days were dropped because they are older than the owner keeps them.
    Retention,
    /// A person was erased.
    Erasure,
    /// The data came from a backup.
    Restore,
}

impl CareAction {
    /// The word in SQL and on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Repair => "repair",
            Self::AcceptLoss => "accept_loss",
            Self::Retention => "retention",
            Self::Erasure => "erasure",
            Self::Restore => "restore",
        }
    }
}

/// One line of the log of what was done to the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CareEntry {
    pub at: Instant,
    pub action: CareAction,
    /// A file or days; never a person.
    pub subject: String,
    pub detail: String,
}

/// A line as it is shown: its action may be one that a newer program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCareEntry {
    pub at: Instant,
    pub action: String,
    pub subject: String,
    pub detail: String,
}

impl Database {
    /// Commits what looking after changes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a fold committed meanwhile or a file is not in the state it was seen in.
    pub async fn commit_upkeep(&self, upkeep: &Upkeep) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        let version = write.apply_fold(&upkeep.change).await?;
        let at_ms = upkeep.change.folded_at.timestamp_millis();
        for (id, reason) in &upkeep.quarantined {
            let set = statement(include_str!("sql/quarantine_file.sql"))
                .bind(id)
                .bind(reason)
                .bind(at_ms)
                .execute(write.connection())
                .await?;
            super::manifest::expect_one(set, "a live file")?;
        }
        for id in &upkeep.trusted_again {
            let set = statement(include_str!("sql/trust_file_again.sql"))
                .bind(id)
                .execute(write.connection())
                .await?;
            super::manifest::expect_one(set, "a quarantined file")?;
        }
        for entry in &upkeep.entries {
            write.note_care(entry).await?;
        }
        write.commit().await?;
        Ok(version)
    }

    /// The newest lines of the log, newest first.
    pub async fn care_entries(&self, entries_max: i64) -> Result<Vec<ShownCareEntry>, StoreError> {
        let rows: Vec<(i64, String, String, String)> = statement(include_str!("sql/list_care_entries.sql"))
            .bind(entries_max)
            .fetch_all(self.readers())
            .await?;
        let shown = |(at_ms, action, subject, detail)| ShownCareEntry {
            at: instant_from_ms(at_ms),
            action,
            subject,
            detail,
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Ids of live files that no scrub found right since `before`, the longest unread first.
    pub async fn files_to_verify(&self, before: Instant, files_max: i64) -> Result<Vec<String>, StoreError> {
        statement(include_str!("sql/files_to_verify.sql"))
            .bind(before.timestamp_millis())
            .bind(files_max)
            .scalar_all(self.readers())
            .await
    }

    /// Notes that files were read whole and found right.
    pub async fn note_files_verified(&self, ids: &[String], at: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        for id in ids {
            statement(include_str!("sql/note_file_verified.sql"))
                .bind(id)
                .bind(at.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }
}

impl WriteTransaction {
    /// Writes a line of the log, in the transaction of the change it tells of.
    pub async fn note_care(&mut self, entry: &CareEntry) -> Result<(), StoreError> {
        statement(include_str!("sql/insert_care_entry.sql"))
            .bind(entry.at.timestamp_millis())
            .bind(entry.action.as_str())
            .bind(&entry.subject)
            .bind(&entry.detail)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
