//! The three ways to read a file, and what a reader of a format is.
//!
//! Whichever way a format takes, no more of a file is in memory than one of its lines, records or entries, each bounded
//! by a constant.

use std::fs::File;
use std::io::BufReader;

use super::records::Records;
use super::refusal::Refusal;
use super::spool::{Spool, SpoolError};
use super::totals::{Control, TotalsCheck};
use super::{Examined, Line, LineCounts};

/// What a reader found out about its file, besides the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The family within the format, e.g. `ALL (old)`.
    pub variant: String,
    /// The zone in which times without an offset were read, e.g. `Asia/Shanghai`; empty where each row says its own.
    pub zone: String,
    /// Columns that nothing is taken from, as the file names them.
    pub unread_columns: Vec<String>,
    /// The file's own totals beside those of its rows.
    pub controls: Vec<Control>,
}

/// What every reader of a format can say.
pub trait Bill {
    /// The provider's word.
    fn provider(&self) -> &'static str;

    /// What was found out so far; complete once the file was read.
    fn about(&self) -> About;

    /// After the end: do the rows add up to the file's own summary?
    ///
    /// # Errors
    /// [`Refusal::TotalsDiffer`], [`Refusal::SummaryMissing`].
    fn finish(&mut self) -> Result<TotalsCheck, Refusal>;
}

/// Reads physical lines: formats whose quotes are ordinary characters (WeChat Pay, Alipay, MT940).
pub trait LineBill: Bill {
    /// Reads the next line.
    ///
    /// # Errors
    /// [`Refusal`] when the whole file is not to be taken.
    fn read(&mut self, number: u64, text: &str) -> Result<Line, Refusal>;
}

/// Reads records of quoted CSV, whose cells may hold line ends.
pub trait RecordBill: Bill {
    /// Reads the next record, of any kind: header, data or footer. `line` is where it begins. Trim the cells: the
    /// last one of a line may end in a carriage return.
    ///
    /// # Errors
    /// [`Refusal`] when the whole file is not to be taken.
    fn read(&mut self, line: u64, record: &csv::StringRecord) -> Result<Line, Refusal>;
}

/// Takes what was read, with the bytes of the text that were gone through.
pub type Give<'a> = dyn FnMut(Line, u64) -> Result<(), Refusal> + 'a;

/// Goes through the text itself (XML, JSON) and gives out each entry as soon as it is whole.
pub trait StreamBill: Bill {
    /// Reads the whole text. An entry is bounded by a constant of the format, and so is the depth of its nesting.
    ///
    /// # Errors
    /// [`Refusal`] when the whole file is not to be taken, what the disk says, and what `give` refuses.
    fn read(&mut self, text: BufReader<File>, give: &mut Give<'_>) -> Result<(), SpoolError>;
}

/// A reader of one file, by the way it reads.
pub enum Reader<'a> {
    Lines(Box<dyn LineBill + 'a>),
    Records(Box<dyn RecordBill + 'a>),
    Stream(Box<dyn StreamBill + 'a>),
}

impl Reader<'_> {
    fn bill(&mut self) -> &mut dyn Bill {
        match self {
            Self::Lines(bill) => bill.as_mut(),
            Self::Records(bill) => bill.as_mut(),
            Self::Stream(bill) => bill.as_mut(),
        }
    }

    /// Reads the whole file, gives every line to `each`, and holds it against its own summary.
    pub(super) fn run(
        mut self,
        spool: &Spool,
        each: &mut dyn FnMut(Line, u64) -> Result<(), Refusal>,
    ) -> Result<Examined, SpoolError> {
        let mut lines = LineCounts::default();
        let mut days: Option<(chrono::NaiveDate, chrono::NaiveDate)> = None;
        let mut give = |line: Line, position: u64| {
            lines.count(&line);
            if let Some(day) = line.day() {
                days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
            }
            each(line, position)
        };
        match &mut self {
            Self::Lines(bill) => {
                spool.lines(|number, text, position| give(bill.read(number, text)?, position))?;
            }
            Self::Records(bill) => {
                let mut records = Records::open(spool)?;
                while let Some((line, position)) = records.advance()? {
                    give(bill.read(line, records.record())?, position)?;
                }
            }
            Self::Stream(bill) => bill.read(spool.reader()?, &mut give)?,
        }
        let bill = self.bill();
        let totals = bill.finish()?;
        Ok(Examined { provider: bill.provider(), about: bill.about(), lines, totals, days })
    }
}
