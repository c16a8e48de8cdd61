//! A report as a CSV file: UTF-8 with a mark that Excel needs, amounts both as written and in minor units, texts that
//! no spreadsheet takes for a formula.

use super::numbers::{Figure, money_plain};
use super::page::Page;
use crate::domain::{Currency, Proportion};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// One column of this name.
    Plain(&'static str),
    /// Two columns: the amount in major units, and `…_minor`.
    Money(&'static str),
}

/// One cell; an amount fills two columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// From outside: guarded against formulas.
    Text(String),
    /// Our own: a number, a date, a word of ours.
    Value(String),
    Money(Option<i128>, Currency),
}

impl Cell {
    /// A text from outside.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A word, a date or the like that we made ourselves.
    #[expect(clippy::needless_pass_by_value, reason = "cells are made of words, dates and texts alike")]
    pub fn value(value: impl ToString) -> Self {
        Self::Value(value.to_string())
    }

    /// A whole number; empty when not known.
    pub fn count(figure: impl Figure) -> Self {
        Self::Value(figure.figure().map(|whole| whole.to_string()).unwrap_or_default())
    }

    /// An amount; empty when not known.
    pub fn money(minor: impl Figure, currency: Currency) -> Self {
        Self::Money(minor.figure(), currency)
    }

    /// A counted share in 0..=1 with six places; empty out of nothing.
    pub fn share(proportion: Proportion) -> Self {
        Self::Value(proportion.share().map(|share| format!("{share:.6}")).unwrap_or_default())
    }

    /// Millionths as a share in 0..=1; empty when not known.
    pub fn ppm(ppm: impl Figure) -> Self {
        let written = |ppm: i128| {
            let sign = if ppm < 0 { "-" } else { "" };
            format!("{sign}{}.{:06}", ppm.abs() / 1_000_000, ppm.abs() % 1_000_000)
        };
        Self::Value(ppm.figure().map(written).unwrap_or_default())
    }

    /// Nothing.
    pub fn empty() -> Self {
        Self::Value(String::new())
    }
}

/// Rows on their way to a file.
pub struct Sheet {
    writer: csv::Writer<Vec<u8>>,
    columns: Vec<Column>,
    /// Said in a last line when rows are missing.
    notice: Option<String>,
}

/// Spreadsheets run a cell that begins with one of these.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Excel reads a file without it in the local encoding, which garbles Chinese.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Sheet {
    /// A sheet with these columns, named in the page's language.
    ///
    /// # Errors
    /// Never in practice: rows are written to memory.
    pub fn new(page: &Page, byte_order_mark: bool, columns: &[Column]) -> Result<Self, csv::Error> {
        let mut bytes = Vec::new();
        if byte_order_mark {
            bytes.extend_from_slice(BYTE_ORDER_MARK);
        }
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(bytes);
        let heads: Vec<String> = columns
            .iter()
            .flat_map(|column| match column {
                Column::Plain(name) => vec![page.word("csv", name)],
                Column::Money(name) => {
                    let name = page.word("csv", name);
                    let minor = page.t_with("csv-minor-of", &[("name", (&name).into())]);
                    vec![name, minor]
                }
            })
            .collect();
        writer.write_record(heads)?;
        Ok(Self { writer, columns: columns.to_vec(), notice: page.partial_notice() })
    }

    /// Adds one row: a cell for each column.
    ///
    /// # Errors
    /// When the cells are not those of the columns.
    pub fn row(&mut self, cells: Vec<Cell>) -> Result<(), csv::Error> {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        let mut record = csv::StringRecord::new();
        for cell in cells {
            match cell {
                Cell::Text(text) => record.push_field(&guarded(&text)),
                Cell::Value(value) => record.push_field(&value),
                Cell::Money(Some(minor), currency) => {
                    record.push_field(&money_plain(minor, currency));
                    record.push_field(&minor.to_string());
                }
                Cell::Money(None, _) => {
                    record.push_field("");
                    record.push_field("");
                }
            }
        }
        self.writer.write_record(&record)
    }

    /// The file.
    ///
    /// # Errors
    /// Never in practice: rows are written to memory.
    pub fn finish(mut self) -> Result<Vec<u8>, csv::Error> {
        if let Some(notice) = self.notice.take() {
            let fields =
                self.columns.iter().map(|column| if matches!(column, Column::Money(_)) { 2 } else { 1 });
            let mut record = vec![notice];
            record.resize(fields.sum::<usize>().max(1), String::new());
            self.writer.write_record(&record)?;
        }
        self.writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}

fn guarded(text: &str) -> String {
    if text.starts_with(FORMULA_STARTS) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn written(byte_order_mark: bool, cells: Vec<Cell>) -> String {
        let page = Page::new(&TestRequest::default().to_http_request());
        let columns = [Column::Plain("key"), Column::Money("paid")];
        let mut sheet = Sheet::new(&page, byte_order_mark, &columns).unwrap();
        sheet.row(cells).unwrap();
        String::from_utf8(sheet.finish().unwrap()).unwrap()
    }

    #[test]
    fn amounts_stand_twice_and_formulas_are_disarmed() {
        let cny = Currency::CNY;
        let file = written(false, vec![Cell::text("=1+1"), Cell::money(-1_205_i64, cny)]);
        assert_eq!(file, "key,paid,paid_minor\r\n'=1+1,-12.05,-1205\r\n");
        let file = written(true, vec![Cell::text("茶, 热"), Cell::money(None::<i128>, cny)]);
        assert_eq!(file, "\u{feff}key,paid,paid_minor\r\n\"茶, 热\",,\r\n");
    }

    #[test]
    fn shares_are_decimals() {
        assert_eq!(Cell::ppm(6_000_i64), Cell::Value("0.006000".into()));
        assert_eq!(Cell::ppm(-1_i64), Cell::Value("-0.000001".into()));
        assert_eq!(Cell::share(Proportion { hits: 1, of: 3 }), Cell::Value("0.333333".into()));
        assert_eq!(Cell::share(Proportion::default()), Cell::empty());
    }
}
