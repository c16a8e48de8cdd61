//! Bills of providers: one small module per format, found by content, columns by name.
//!
//! # How to add a format
//!
//! Write a module with a reader that implements [`LineBill`], [`RecordBill`] or [`StreamBill`], and give it an entry in
//! the table of `formats.rs`: by what the format is known, and how its reader begins. Put a file of it into
//! `tests/fixtures` and a test beside the others.

mod adyen;
mod alipay;
mod alipay_account;
mod archive;
mod attempt;
mod columns;
mod consumer;
mod fields;
mod formats;
mod hyperswitch;
mod moved;
mod paypal;
mod reading;
mod recognise;
mod records;
mod refusal;
mod rejection;
mod spool;
mod stripe;
mod table;
#[cfg(test)]
mod tests;
mod totals;
mod values;
mod wechat_pay;
mod wechat_pay_flow;
mod workbook;

pub(super) use columns::normal;
pub use consumer::Consumer;
pub use formats::{Format, Known};
pub use reading::{About, Bill, Give, LineBill, Reader, RecordBill, StreamBill};
pub use recognise::{HEAD_LINES_MAX, recognise};
pub use records::RECORD_BYTES_MAX;
pub use refusal::{Refusal, WorkbookLimit, XmlFault};
pub use rejection::{Fault, RejectCode, RejectedLine};
pub use spool::{FILE_BYTES_MAX, LINE_BYTES_MAX, Opening, RATIO_MAX, Spool, SpoolError, encoding_of};
pub use totals::{Control, TotalsCheck};
pub(super) use values::{ID_CHARS_MAX, TEXT_CHARS_MAX, decimal, in_range, is_excel_damaged, minor};

use super::Pseudonyms;
use crate::domain::{Instant, LedgerLine, StoreId, Transaction};

/// What a reader needs besides the file.
pub struct BillContext<'a> {
    pub store: StoreId,
    /// Rows more than 24 hours after this are refused.
    pub now: Instant,
    /// SHA-256 of the file, hex.
    pub file: &'a str,
    /// Hashes shoppers' references.
    pub pseudonyms: &'a Pseudonyms,
    pub hints: &'a FileHints,
}

/// What the person who hands a file in knows and some formats do not say.
#[derive(Clone, Debug, Default)]
pub struct FileHints {
    /// The merchant account that the file is of; taken only where the file names none.
    pub account: Option<String>,
    /// The zone of the times; taken only where the format prints them without one and has no rule of its own.
    pub zone: Option<chrono_tz::Tz>,
}

impl BillContext<'_> {
    /// The account of rows that do not name theirs.
    pub fn account(&self) -> &str {
        self.hints.account.as_deref().unwrap_or("default")
    }
}

/// What one line (record, entry) of a file is.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Row(Box<LedgerLine>),
    /// A ledger line that says what another bill of the same account is the record for: kept to compare, never counted.
    Witness(Box<LedgerLine>),
    /// An attempt that the file tells of, paid or failed.
    Transaction(Box<Transaction>),
    Rejected(RejectedLine),
    NotData(NotData),
}

impl Line {
    /// The source's own day.
    fn day(&self) -> Option<chrono::NaiveDate> {
        match self {
            Self::Row(row) | Self::Witness(row) => row.source_day,
            Self::Transaction(row) => Some(row.created_at.date_naive()),
            Self::Rejected(_) | Self::NotData(_) => None,
        }
    }
}

/// Lines that are no rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotData {
    Header,
    Summary,
    Comment,
    Blank,
    /// A line of a kind that moves no money and tells of no attempt.
    Passed,
}

/// Where the lines of a file went: read = accepted + rejected + not data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub read: u64,
    pub accepted: u64,
    /// Of the accepted ones.
    pub witnesses: u64,
    /// Of the accepted ones.
    pub transactions: u64,
    pub rejected: u64,
    pub headers: u64,
    pub summaries: u64,
    pub comments: u64,
    pub blanks: u64,
    pub passed: u64,
}

impl LineCounts {
    /// Lines that are no rows.
    pub const fn not_data(&self) -> u64 {
        self.headers + self.summaries + self.comments + self.blanks + self.passed
    }

    pub(super) const fn count(&mut self, line: &Line) {
        self.read += 1;
        match line {
            Line::Row(_) => self.accepted += 1,
            Line::Witness(_) => {
                self.accepted += 1;
                self.witnesses += 1;
            }
            Line::Transaction(_) => {
                self.accepted += 1;
                self.transactions += 1;
            }
            Line::Rejected(_) => self.rejected += 1,
            Line::NotData(NotData::Header) => self.headers += 1,
            Line::NotData(NotData::Summary) => self.summaries += 1,
            Line::NotData(NotData::Comment) => self.comments += 1,
            Line::NotData(NotData::Blank) => self.blanks += 1,
            Line::NotData(NotData::Passed) => self.passed += 1,
        }
    }
}

/// What a file is and what is in it, found without taking anything in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    pub provider: &'static str,
    pub about: About,
    pub lines: LineCounts,
    pub totals: TotalsCheck,
    /// First and last of the source's own days among the rows.
    pub days: Option<(chrono::NaiveDate, chrono::NaiveDate)>,
}

/// Reads the whole file, gives every line to `each`, and holds it against its own summary.
///
/// # Errors
/// [`SpoolError`]; what was given to `each` before must then not be kept.
pub fn read_bill(
    spool: &Spool,
    format: &Format,
    context: &BillContext<'_>,
    mut each: impl FnMut(Line, u64) -> Result<(), Refusal>,
) -> Result<Examined, SpoolError> {
    (format.open)(context).run(spool, &mut each)
}

/// Pairs with a value, as they are kept.
fn attributes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut kept = Vec::with_capacity(pairs.iter().filter(|(_, cell)| !cell.is_empty()).count());
    for (key, cell) in pairs {
        kept.extend(values::text(cell).map(|cell| ((*key).to_owned(), cell)));
    }
    kept
}
