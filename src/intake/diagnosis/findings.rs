use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant};

/// What a file is and what would come of it. Kept as JSON with a file that waits, and told to machines as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The provider's word; empty while not recognised.
    pub provider: String,
    /// The family within the format, or the name of the mapping.
    pub variant: String,
    /// True for a file that a mapping reads.
    pub mapped: bool,
    pub encoding: String,
    /// Zone of times that stand without an offset; empty where each brings its own.
    pub zone: String,
    /// First and last of the source's own days.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// Why nothing of it will be taken.
    pub refusal: Option<Refused>,
    pub lines: LinesFound,
    /// Records that would be taken in; several lines may be one.
    pub records: u64,
    /// Lines that another bill is the record for: kept as witnesses, never counted.
    pub witnesses: u64,
    /// A word of `bills::TotalsCheck`; empty when it did not come to that.
    pub totals: String,
    /// The file's own summary beside what the rows add up to.
    pub summary: Vec<SummaryTotal>,
    pub sums: Vec<KindSum>,
    /// Columns of the header that are not read and not kept.
    pub columns_unread: Vec<String>,
    /// The first rows as they will be read.
    pub sample: Vec<SampleRow>,
    pub rejected: Vec<RejectedFound>,
    pub accounts: Vec<AccountFound>,
    pub warnings: Vec<Warning>,
    /// How many of the records are here already; `None` where that would cost too much to tell.
    pub known: Option<KnownRows>,
}

/// A refusal in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub code: String,
    pub sentence: String,
    pub sentence_zh: String,
}

/// read = accepted + rejected + not data
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesFound {
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub not_data: u64,
}

/// One total of the file's own summary, as printed, and the same of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryTotal {
    /// As the file calls it.
    pub name: String,
    pub printed: String,
    /// `None` where rows could not be read, so that no sum can be made.
    pub computed: Option<String>,
    pub matches: bool,
}

/// The records of one kind and currency; minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindSum {
    pub kind: String,
    pub currency: Currency,
    pub count: u64,
    pub gross: i128,
    /// `None` when no record states a fee.
    pub fee: Option<i128>,
    pub net: Option<i128>,
}

/// One record as it will be read. Who the shopper is does not stand here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    pub line: Option<i64>,
    pub kind: String,
    pub status: String,
    pub at: Instant,
    pub method: String,
    /// The middle of a long id is left out.
    pub id: String,
    pub order: String,
    pub currency: Currency,
    /// Minor units, signed: less than nothing goes out.
    pub amount: i64,
    pub fee: Option<i64>,
    pub net: Option<i64>,
    /// True when the line names a shopper, who is kept as a keyed hash only.
    pub shopper: bool,
    pub witness: bool,
}

/// Lines that are not taken for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedFound {
    pub code: String,
    pub count: u64,
    /// The first such line.
    pub line: u64,
    pub field: String,
    pub sentence: String,
}

/// A merchant account that rows are of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountFound {
    pub provider: String,
    pub account: String,
}

/// What of a file is here already, by identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRows {
    /// The same to the last field: nothing changes.
    pub same: u64,
    /// The same record with other content: the later version will count.
    pub differing: u64,
}

/// What a person should look at before saying yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Warning {
    /// A bill without a single row: nothing happened on its day.
    NoTrades,
    /// So many lines have times without seconds: a spreadsheet saved the file.
    SecondsMissing { lines: u64 },
    /// So many lines lie in the future: the zone is wrong, or the clock.
    InTheFuture { lines: u64 },
    /// Rows lie whole hours away from payments of the same ids that are known already.
    ZoneShift { minutes: i64, rows: u64 },
    /// Bills of this merchant account were imported into another store.
    AccountElsewhere { provider: String, account: String, store: i64 },
    /// More lines are rejected than taken.
    MostlyRejected,
}
