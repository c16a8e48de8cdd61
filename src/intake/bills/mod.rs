//! Bills of providers: one small module per format, found by content, columns by name.
//!
//! # How to add a format
//!
//! Give it a variant in [`Format`] and the columns it is known by in `recognise.rs`, write a module with a reader that
//! implements [`Bill`], and name it in [`reader_of`]. Put a file of it into `tests/fixtures` and a test beside the
//! others.

mod alipay;
mod archive;
mod columns;
mod recognise;
mod refusal;
mod rejection;
mod spool;
#[cfg(test)]
mod tests;
mod totals;
mod values;
mod wechat_pay;
mod workbook;

pub use recognise::{Consumer, Format, FundFlow, HEAD_LINES_MAX, recognise};
pub use refusal::Refusal;
pub use rejection::{Fault, RejectCode, RejectedLine};
pub use spool::{FILE_BYTES_MAX, LINE_BYTES_MAX, RATIO_MAX, Spool, SpoolError, encoding_of};
pub use totals::TotalsCheck;
pub(super) use values::{decimal, id, in_range, minor};

use super::Pseudonyms;
use crate::domain::{Instant, LedgerLine, StoreId};

/// What a reader needs besides the file.
pub struct BillContext<'a> {
    pub store: StoreId,
    /// Rows more than 24 hours after this are refused.
    pub now: Instant,
    /// SHA-256 of the file, hex.
    pub file: &'a str,
    /// Hashes shoppers' references.
    pub pseudonyms: &'a Pseudonyms,
}

/// What one line of a file is.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Row(Box<LedgerLine>),
    Rejected(RejectedLine),
    NotData(NotData),
}

/// Lines that are no rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotData {
    Header,
    Summary,
    Comment,
    Blank,
}

/// A reader of one format: lines in order, then the check of the whole.
pub trait Bill {
    /// The provider's word.
    fn provider(&self) -> &'static str;

    /// The family within the format; known once the header was read.
    fn variant(&self) -> &'static str;

    /// Reads the next line.
    ///
    /// # Errors
    /// [`Refusal`] when the whole file is not to be taken.
    fn read(&mut self, number: u64, text: &str) -> Result<Line, Refusal>;

    /// After the last line: do the rows add up to the file's own summary?
    ///
    /// # Errors
    /// [`Refusal::TotalsDiffer`], [`Refusal::SummaryMissing`].
    fn finish(&mut self) -> Result<TotalsCheck, Refusal>;
}

/// The reader of a format.
pub fn reader_of<'a>(format: Format, context: &'a BillContext<'a>) -> Box<dyn Bill + 'a> {
    match format {
        Format::WechatPayTrade => Box::new(wechat_pay::WechatPayTrade::new(context)),
        Format::AlipayTrade => Box::new(alipay::AlipayTrade::new(context)),
    }
}

/// Where the lines of a file went: read = accepted + rejected + not data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub headers: u64,
    pub summaries: u64,
    pub comments: u64,
    pub blanks: u64,
}

impl LineCounts {
    /// Lines that are no rows.
    pub const fn not_data(&self) -> u64 {
        self.headers + self.summaries + self.comments + self.blanks
    }

    pub(super) const fn count(&mut self, line: &Line) {
        self.read += 1;
        match line {
            Line::Row(_) => self.accepted += 1,
            Line::Rejected(_) => self.rejected += 1,
            Line::NotData(NotData::Header) => self.headers += 1,
            Line::NotData(NotData::Summary) => self.summaries += 1,
            Line::NotData(NotData::Comment) => self.comments += 1,
            Line::NotData(NotData::Blank) => self.blanks += 1,
        }
    }
}

/// What a file is and what is in it, found without taking anything in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    pub provider: &'static str,
    pub variant: &'static str,
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
    format: Format,
    context: &BillContext<'_>,
    mut each: impl FnMut(Line, u64) -> Result<(), Refusal>,
) -> Result<Examined, SpoolError> {
    let mut reader = reader_of(format, context);
    let mut lines = LineCounts::default();
    let mut days: Option<(chrono::NaiveDate, chrono::NaiveDate)> = None;
    spool.lines(|number, text, position| {
        let line = reader.read(number, text)?;
        lines.count(&line);
        if let Line::Row(row) = &line
            && let Some(day) = row.source_day
        {
            days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
        }
        each(line, position)
    })?;
    let totals = reader.finish()?;
    Ok(Examined { provider: reader.provider(), variant: reader.variant(), lines, totals, days })
}

/// Pairs with a value, as they are kept.
fn attributes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let given =
        pairs.iter().filter_map(|(key, cell)| values::text(cell).map(|cell| ((*key).to_owned(), cell)));
    given.collect()
}
