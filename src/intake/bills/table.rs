use super::columns::Columns;
use super::fields::Fields;
use super::reading::{About, Bill, RecordBill};
use super::refusal::Refusal;
use super::rejection::{Fault, RejectedLine};
use super::totals::{Control, TotalsCheck};
use super::values;
use super::{BillContext, Line, NotData};

/// A format that is CSV with one header: what makes it one of its own is how a row is read.
pub trait Table<'a>: Sized {
    /// The provider's word.
    const PROVIDER: &'static str;
    /// The columns without which a record is not the header.
    const HEADERS: &'static [&'static [&'static str]];

    /// Finds the columns.
    ///
    /// # Errors
    /// [`Refusal::ColumnMissing`].
    fn begin(context: &'a BillContext<'a>, columns: &Columns) -> Result<Self, Refusal>;

    /// Reads a row.
    ///
    /// # Errors
    /// The fault for which the row is rejected.
    fn row(&mut self, fields: &Fields<'_>, line: u64) -> Result<Line, Fault>;

    /// Columns of numbers that a spreadsheet may have rounded; shown when a row is rejected.
    fn ids(&self) -> Vec<Option<usize>>;

    /// Other columns that point to nobody, shown when a row is rejected.
    fn shown(&self) -> Vec<Option<usize>>;

    /// Family, zone of times without one.
    fn about(&self) -> (&'static str, String);

    /// What the rows came to where the format says it.
    ///
    /// # Errors
    /// [`Refusal::TotalsDiffer`].
    fn finish(&mut self) -> Result<(TotalsCheck, Vec<Control>), Refusal> {
        Ok((TotalsCheck::NoSummary, Vec::new()))
    }
}

/// Reader of such a format.
pub struct TableBill<'a, T> {
    context: &'a BillContext<'a>,
    table: Option<(Columns, T)>,
    controls: Vec<Control>,
}

impl<'a, T: Table<'a>> TableBill<'a, T> {
    /// A reader that has seen nothing yet.
    pub const fn new(context: &'a BillContext<'a>) -> Self {
        Self { context, table: None, controls: Vec::new() }
    }
}

impl<'a, T: Table<'a>> Bill for TableBill<'a, T> {
    fn provider(&self) -> &'static str {
        T::PROVIDER
    }

    fn about(&self) -> About {
        let Some((columns, table)) = &self.table else { return About::default() };
        let (variant, zone) = table.about();
        About {
            variant: variant.to_owned(),
            zone,
            unread_columns: columns.unread(),
            controls: self.controls.clone(),
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        let Some((_, table)) = &mut self.table else { return Err(Refusal::Unknown) };
        let (check, controls) = table.finish()?;
        self.controls = controls;
        Ok(check)
    }
}

impl<'a, T: Table<'a>> RecordBill for TableBill<'a, T> {
    fn read(&mut self, line: u64, record: &csv::StringRecord) -> Result<Line, Refusal> {
        if record.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(Line::NotData(NotData::Blank));
        }
        let is_header = |columns: &Columns| T::HEADERS.iter().any(|names| columns.has_all(names));
        let Some((columns, table)) = &mut self.table else {
            let columns = Columns::of_cells(record.iter());
            if !is_header(&columns) {
                return Ok(Line::NotData(NotData::Comment));
            }
            columns.each_once()?;
            let table = T::begin(self.context, &columns)?;
            self.table = Some((columns, table));
            return Ok(Line::NotData(NotData::Header));
        };
        // Files that were joined repeat the header between them.
        if columns.is_repeated_by(record) {
            return Ok(Line::NotData(NotData::Header));
        }
        let fields = match Fields::new(columns, record) {
            Ok(fields) => fields,
            Err(fault) => return Ok(Line::Rejected(RejectedLine::new(line, fault, None))),
        };
        let ids = table.ids();
        if ids.iter().any(|place| values::is_excel_damaged(fields.at(*place))) {
            return Err(Refusal::ExcelDamaged(line));
        }
        Ok(table.row(&fields, line).unwrap_or_else(|fault| {
            let shown = [ids, table.shown()].concat();
            Line::Rejected(RejectedLine::new(line, fault, Some(fields.redacted(&shown))))
        }))
    }
}
