//! Lines that were rejected: sealed while they are kept, opened to be shown, downloaded and mended.

use super::Pseudonyms;
use super::bills::RejectedLine;
use crate::store::{Database, KeptRejectedRow, SealError, SealedPlace, StoreError};

/// Rejected lines of one import that are kept; all are counted.
pub const REJECTED_KEPT_MAX: usize = 10_000;

/// A line that was not taken, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    pub line: i64,
    pub field: String,
    pub code: String,
    pub sentence: String,
    /// Without what points to a shopper; `None` where it must not be kept, or is kept no more.
    pub raw: Option<String>,
    /// True when it was mended and taken in.
    pub mended: bool,
}

/// Why rejected lines cannot be kept or shown.
#[derive(Debug, thiserror::Error)]
pub enum RejectedError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A rejected line of a file, in the open.
pub fn row_of(line: RejectedLine) -> RejectedRow {
    RejectedRow {
        line: i64::try_from(line.line).unwrap_or(i64::MAX),
        field: line.field,
        code: line.code.as_str().to_owned(),
        sentence: line.sentence,
        raw: line.raw,
        mended: false,
    }
}

/// Seals lines of an import.
///
/// # Errors
/// [`SealError`].
pub fn sealed(
    pseudonyms: &Pseudonyms,
    import: i64,
    rows: &[RejectedRow],
) -> Result<Vec<KeptRejectedRow>, SealError> {
    let seal = pseudonyms.seal();
    let keep = |row: &RejectedRow| {
        let key = key_of(import, row.line);
        let sealed = row.raw.as_deref().map(|raw| seal.seal(place(&key), raw.as_bytes())).transpose()?;
        Ok(KeptRejectedRow {
            line: row.line,
            field: row.field.clone(),
            code: row.code.clone(),
            sentence: row.sentence.clone(),
            raw: None,
            sealed: sealed.unwrap_or_default(),
            mended_at_ms: None,
        })
    };
    rows.iter().map(keep).collect()
}

/// The rejected lines of an import, in the order of the file, at most `most`.
///
/// # Errors
/// [`RejectedError`].
pub async fn rejected_rows(
    database: &Database,
    pseudonyms: &Pseudonyms,
    import: i64,
    most: i64,
) -> Result<Vec<RejectedRow>, RejectedError> {
    let kept = database.rejected_rows(import, most).await?;
    kept.into_iter().map(|row| Ok(opened(pseudonyms, import, row)?)).collect()
}

fn opened(pseudonyms: &Pseudonyms, import: i64, row: KeptRejectedRow) -> Result<RejectedRow, SealError> {
    let raw = if row.sealed.is_empty() {
        row.raw
    } else {
        let key = key_of(import, row.line);
        let raw = pseudonyms.seal().open(place(&key), &row.sealed)?;
        Some(String::from_utf8_lossy(raw.reveal()).into_owned())
    };
    let mended = row.mended_at_ms.is_some();
    Ok(RejectedRow { line: row.line, field: row.field, code: row.code, sentence: row.sentence, raw, mended })
}

/// Forgets every rejected line in which one of these texts stands.
///
/// # Errors
/// [`RejectedError`].
pub async fn erase_from_rejected(
    database: &Database,
    pseudonyms: &Pseudonyms,
    texts: &[&str],
) -> Result<(), RejectedError> {
    for text in texts {
        database.erase_from_rejected_rows(text).await?;
    }
    let most = i64::try_from(REJECTED_KEPT_MAX).unwrap_or(i64::MAX);
    for import in database.imports_with_sealed_rows().await? {
        for row in rejected_rows(database, pseudonyms, import, most).await? {
            if row.raw.is_some_and(|raw| texts.iter().any(|text| raw.contains(text))) {
                database.clear_rejected_row(import, row.line).await?;
            }
        }
    }
    Ok(())
}

fn key_of(import: i64, line: i64) -> String {
    format!("{import}/{line}")
}

const fn place(row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "rejected_row", row, column: "sealed" }
}
