use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::Stream;

use super::control::ControlTotal;
use super::superseded::SupersededRows;

/// Live rows, or the versions they superseded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileSet {
    /// The latest version of each record: what every figure is made from.
    Current,
    /// Superseded versions, kept for the page of a transaction.
    History,
}

impl FileSet {
    /// The word in SQL and in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::History => "history",
        }
    }

    /// The set of a word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "current" => Some(Self::Current),
            "history" => Some(Self::History),
            _ => None,
        }
    }
}

/// One immutable Parquet file, as the manifest knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeFile {
    pub id: String,
    pub stream: Stream,
    /// UTC day of every row in it.
    pub day: NaiveDate,
    pub file_set: FileSet,
    /// Below the lake's root, with `/`.
    pub path: String,
    pub rows: u64,
    pub size_bytes: u64,
    /// BLAKE3 of the whole file, hex: checked before a number is made from it.
    pub blake3: String,
    /// The youngest completion (else creation) in it: a report by the cash clock skips files that end before it.
    pub last_event_ms: i64,
    /// What all its rows amount to, superseded ones too; `None` in files written before totals were kept.
    pub control: Option<ControlTotal>,
    /// Rows that are no longer the latest version: no reader sees them.
    pub superseded: Arc<SupersededRows>,
}

impl LakeFile {
    /// The data version of the fold that wrote it: its id begins with it.
    pub fn made_in(&self) -> Option<i64> {
        self.id.split('-').next()?.parse().ok()
    }

    /// How many rows readers see.
    pub fn live_rows(&self) -> u64 {
        self.rows.saturating_sub(u64::try_from(self.superseded.len()).unwrap_or(u64::MAX))
    }
}
