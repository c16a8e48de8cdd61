//! Imported files: what they were, where their lines went, which were rejected.

use chrono::NaiveDate;

use super::statement::statement;
use super::{BatchOutcome, Database, StoreError};
use crate::domain::{Instant, StoreId, instant_from_ms};

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Being read; after a restart of the process nobody does, and the same file again begins anew.
    Running,
    Done,
    /// Not taken, for a reason; nothing of it went in.
    Refused,
    /// Something on our side broke; the same file again goes on.
    Failed,
}

impl ImportState {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Refused, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// What is found out about a file while it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportFindings {
    pub provider: String,
    pub variant: String,
    pub encoding: String,
    /// Why it was refused: code, and the sentence in both languages.
    pub code: String,
    pub sentence_en: String,
    pub sentence_zh: String,
    /// = accepted + rejected + not data
    pub lines_read: i64,
    pub lines_accepted: i64,
    pub lines_rejected: i64,
    pub lines_not_data: i64,
    /// Records; several lines may be one.
    pub rows: i64,
    /// Whether the rows add up to the file's own summary: a word of `intake::bills::TotalsCheck`.
    pub totals: String,
    /// First and last of the source's own days.
    pub days: Option<(NaiveDate, NaiveDate)>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRecord {
    pub id: i64,
    pub store: StoreId,
    pub sha256: String,
    pub mapping_sha256: String,
    pub file_name: String,
    pub size_bytes: i64,
    pub state: ImportState,
    pub findings: ImportFindings,
    /// Millionths of the file that are taken in.
    pub progress_ppm: i64,
    pub created_at: Instant,
    pub finished_at: Option<Instant>,
}

/// What the folds made of an import's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    pub counts: BatchOutcome,
    /// Batches that still wait for the fold.
    pub waiting: i64,
    /// True when the batches hold rows of other senders too, which came at the same moment and are counted with it.
    pub shared: bool,
}

/// A file that is about to be read.
#[derive(Clone, Debug)]
pub struct ImportDraft {
    pub store: StoreId,
    pub sha256: String,
    pub mapping_sha256: String,
    pub file_name: String,
    pub size_bytes: i64,
}

#[derive(sqlx::FromRow)]
struct ImportRow {
    id: i64,
    store_id: i64,
    sha256: String,
    mapping_sha256: String,
    file_name: String,
    size_bytes: i64,
    provider: String,
    variant: String,
    encoding: String,
    state: String,
    code: String,
    sentence_en: String,
    sentence_zh: String,
    lines_read: i64,
    lines_accepted: i64,
    lines_rejected: i64,
    lines_not_data: i64,
    row_count: i64,
    totals: String,
    first_day: Option<String>,
    last_day: Option<String>,
    progress_ppm: i64,
    created_at_ms: i64,
    finished_at_ms: Option<i64>,
}

impl ImportRow {
    fn read(self) -> Result<ImportRecord, StoreError> {
        let state = ImportState::parse(&self.state).ok_or_else(|| StoreError::Inconsistent {
            table: "import",
            row: self.id.to_string(),
            what: format!("state `{}`", self.state),
        })?;
        let day = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(ImportRecord {
            id: self.id,
            store: StoreId(self.store_id),
            sha256: self.sha256,
            mapping_sha256: self.mapping_sha256,
            file_name: self.file_name,
            size_bytes: self.size_bytes,
            state,
            findings: ImportFindings {
                provider: self.provider,
                variant: self.variant,
                encoding: self.encoding,
                code: self.code,
                sentence_en: self.sentence_en,
                sentence_zh: self.sentence_zh,
                lines_read: self.lines_read,
                lines_accepted: self.lines_accepted,
                lines_rejected: self.lines_rejected,
                lines_not_data: self.lines_not_data,
                rows: self.row_count,
                totals: self.totals,
                days: day(self.first_day).zip(day(self.last_day)),
            },
            progress_ppm: self.progress_ppm,
            created_at: instant_from_ms(self.created_at_ms),
            finished_at: self.finished_at_ms.map(instant_from_ms),
        })
    }
}

impl Database {
    /// The import of this very file with this mapping into this store, whatever became of it.
    pub async fn find_import(&self, draft: &ImportDraft) -> Result<Option<ImportRecord>, StoreError> {
        let row: Option<ImportRow> = statement(include_str!("sql/find_import.sql"))
            .bind(draft.store.0)
            .bind(&draft.sha256)
            .bind(&draft.mapping_sha256)
            .fetch_optional(self.readers())
            .await?;
        row.map(ImportRow::read).transpose()
    }

    /// Notes an import as running and returns its number; one that did not come to its end begins anew.
    pub async fn begin_import(&self, draft: &ImportDraft, now: Instant) -> Result<i64, StoreError> {
        let known = self.find_import(draft).await?;
        let mut write = self.begin_write().await?;
        let id = if let Some(known) = known {
            for sql in
                [include_str!("sql/delete_import_batches.sql"), include_str!("sql/delete_rejected_rows.sql")]
            {
                statement(sql).bind(known.id).execute(write.connection()).await?;
            }
            statement(include_str!("sql/restart_import.sql"))
                .bind(known.id)
                .bind(&draft.file_name)
                .bind(now.timestamp_millis())
                .execute(write.connection())
                .await?;
            known.id
        } else {
            statement(include_str!("sql/insert_import.sql"))
                .bind(draft.store.0)
                .bind(&draft.sha256)
                .bind(&draft.mapping_sha256)
                .bind(&draft.file_name)
                .bind(draft.size_bytes)
                .bind(now.timestamp_millis())
                .scalar_one(write.connection())
                .await?
        };
        write.commit().await?;
        Ok(id)
    }

    /// Notes that a batch of this import is durable in the inbox.
    pub async fn add_import_batch(
        &self,
        id: i64,
        inbox_seq: i64,
        rows: i64,
        progress_ppm: i64,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/insert_import_batch.sql"))
            .bind(id)
            .bind(inbox_seq)
            .bind(rows)
            .execute(write.connection())
            .await?;
        statement(include_str!("sql/progress_import.sql"))
            .bind(id)
            .bind(progress_ppm)
            .bind(rows)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Notes how far an import is of which nothing more is durable.
    pub async fn progress_import(&self, id: i64, progress_ppm: i64) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        let noted =
            statement(include_str!("sql/progress_import.sql")).bind(id).bind(progress_ppm).bind(0_i64);
        noted.execute(write.connection()).await?;
        write.commit().await
    }

    /// Ends an import.
    pub async fn finish_import(
        &self,
        id: i64,
        state: ImportState,
        findings: &ImportFindings,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/finish_import.sql"))
            .bind(id)
            .bind(&findings.provider)
            .bind(&findings.variant)
            .bind(&findings.encoding)
            .bind(state.as_str())
            .bind(&findings.code)
            .bind(&findings.sentence_en)
            .bind(&findings.sentence_zh)
            .bind(findings.lines_read)
            .bind(findings.lines_accepted)
            .bind(findings.lines_rejected)
            .bind(findings.lines_not_data)
            .bind(findings.rows)
            .bind(&findings.totals)
            .bind(findings.days.map(|(first, _)| first.to_string()))
            .bind(findings.days.map(|(_, last)| last.to_string()))
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// An import by its number.
    pub async fn import(&self, id: i64) -> Result<Option<ImportRecord>, StoreError> {
        let row: Option<ImportRow> =
            statement(include_str!("sql/get_import.sql")).bind(id).fetch_optional(self.readers()).await?;
        row.map(ImportRow::read).transpose()
    }

    /// The newest imports of a store.
    pub async fn imports(&self, store: StoreId, most: i64) -> Result<Vec<ImportRecord>, StoreError> {
        let rows: Vec<ImportRow> = statement(include_str!("sql/list_imports.sql"))
            .bind(store.0)
            .bind(most)
            .fetch_all(self.readers())
            .await?;
        rows.into_iter().map(ImportRow::read).collect()
    }

    /// What the folds made of an import's rows so far.
    pub async fn import_outcome(&self, record: &ImportRecord) -> Result<ImportOutcome, StoreError> {
        let (batches, folded, new, replaced, unchanged): (i64, i64, i64, i64, i64) =
            statement(include_str!("sql/sum_import_outcome.sql"))
                .bind(record.id)
                .fetch_one(self.readers())
                .await?;
        let waiting = batches - folded;
        let shared = waiting == 0 && new + replaced + unchanged != record.findings.rows;
        Ok(ImportOutcome { counts: BatchOutcome { new, replaced, unchanged }, waiting, shared })
    }
}
