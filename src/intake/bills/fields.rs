use super::columns::Columns;
use super::rejection::{Fault, RejectCode};
use super::values;
use crate::domain::{Currency, Money};

/// The cells of one CSV record under the columns of its header.
pub struct Fields<'a> {
    columns: &'a Columns,
    record: &'a csv::StringRecord,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// [`RejectCode::ColumnCount`] when there are not as many cells as columns; empty ones too many do no harm.
    pub fn new(columns: &'a Columns, record: &'a csv::StringRecord) -> Result<Self, Fault> {
        let beyond = record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty());
        if record.len() < columns.len() || beyond {
            let found = format!("{} / {}", record.len(), columns.len());
            return Err(Fault::quoting("", RejectCode::ColumnCount, &found));
        }
        Ok(Self { columns, record })
    }

    /// The cell at a position; empty where the file has no such column.
    pub fn at(&self, place: Option<usize>) -> &'a str {
        place.and_then(|place| self.record.get(place)).unwrap_or_default().trim()
    }

    /// The name of the column at a position.
    pub fn name(&self, place: Option<usize>) -> &'a str {
        place.map_or("", |place| self.columns.name(place))
    }

    /// A fault that quotes the cell.
    pub fn fault(&self, place: Option<usize>, code: RejectCode) -> Fault {
        Fault::quoting(self.name(place), code, self.at(place))
    }

    /// An id that must be there.
    pub fn id(&self, place: Option<usize>) -> Result<String, Fault> {
        values::id(self.name(place), self.at(place))
    }

    /// An id that may be missing.
    pub fn some_id(&self, place: Option<usize>) -> Result<Option<String>, Fault> {
        if self.at(place).is_empty() { Ok(None) } else { self.id(place).map(Some) }
    }

    /// A currency's code in capitals or small letters.
    pub fn currency(&self, place: Option<usize>) -> Result<Currency, Fault> {
        Currency::parse(&self.at(place).to_ascii_uppercase())
            .map_err(|_| self.fault(place, RejectCode::UnknownCurrency))
    }

    /// A decimal of major units in minor units; `None` where nothing stands.
    pub fn money(&self, place: Option<usize>, currency: Currency) -> Result<Option<i64>, Fault> {
        let cell = self.at(place);
        if cell.is_empty() {
            return Ok(None);
        }
        values::exact_minor(self.name(place), cell, currency).map(Some)
    }

    /// The same of an amount that must be there.
    pub fn needed_money(&self, place: Option<usize>, currency: Currency) -> Result<i64, Fault> {
        self.money(place, currency)?.ok_or_else(|| Fault::new(self.name(place), RejectCode::Missing))
    }

    /// The same of one whose direction is told elsewhere.
    pub fn unsigned_money(&self, place: Option<usize>, currency: Currency) -> Result<Option<i64>, Fault> {
        match self.money(place, currency)? {
            Some(amount) if amount < 0 => Err(self.fault(place, RejectCode::NegativeAmount)),
            amount => Ok(amount),
        }
    }

    /// What a shopper paid or was to pay: needed, and not negative.
    pub fn paid(&self, place: Option<usize>, currency: Currency) -> Result<Money, Fault> {
        let amount = self.unsigned_money(place, currency)?;
        let amount = amount.ok_or_else(|| Fault::new(self.name(place), RejectCode::Missing))?;
        Money::from_minor(amount, currency).map_err(|_| self.fault(place, RejectCode::AmountOutOfRange))
    }

    /// The line with only these cells readable: the others may point to a shopper.
    pub fn redacted(&self, shown: &[Option<usize>]) -> String {
        let cells = self.record.iter().enumerate().map(|(place, cell)| {
            let cell = cell.trim();
            if cell.is_empty() || shown.contains(&Some(place)) { cell } else { "•••" }
        });
        cells.collect::<Vec<_>>().join(",")
    }
}
