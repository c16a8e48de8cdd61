//! The rows of one sheet, one at a time.

use std::ops::ControlFlow;

use super::super::super::xml::{Step, Walked, walk};
use super::super::refusal::{Refusal, WorkbookLimit};
use super::super::spool::SpoolError;
use super::Parts;
use super::book::Book;
use super::number::{date_text, number_text};

/// Columns that are read; the widest bill has a hundred.
const COLUMNS_MAX: usize = 1_000;
/// As many as Excel has.
const ROWS_MAX: u32 = 1_048_576;
const CELLS_MAX: u64 = 50_000_000;

/// Takes a row's number, from 1, and its cells; says whether to go on.
pub type TakeRow<'a> = dyn FnMut(u32, &[String]) -> Result<bool, Refusal> + 'a;

/// Gives every row that has cells to `take`.
pub fn rows(parts: &mut Parts, book: &Book, place: &str, take: &mut TakeRow<'_>) -> Result<(), SpoolError> {
    let mut sheet = Sheet { book, row: 0, column: 0, count: 0, cells: Vec::new(), cell: Cell::default() };
    walk(parts.part(place)?, &["r", "s", "t"], &mut |step, _| sheet.step(step, take))
}

struct Sheet<'a> {
    book: &'a Book,
    row: u32,
    /// Place of the next cell that does not say its own, from 0.
    column: usize,
    count: u64,
    cells: Vec<String>,
    cell: Cell,
}

/// The cell being read.
#[derive(Default)]
struct Cell {
    kind: String,
    style: usize,
    value: String,
}

impl Sheet<'_> {
    fn step(&mut self, step: Step<'_>, take: &mut TakeRow<'_>) -> Walked {
        match step {
            Step::Open { path: "worksheet/sheetData/row", attributes } => {
                self.begin_row(attributes.get("r"))?;
            }
            Step::Open { path: "worksheet/sheetData/row/c", attributes } => {
                if let Some(place) = attributes.get("r") {
                    self.column = column_of(place).ok_or(Refusal::WorkbookDamaged)?;
                }
                self.cell = Cell {
                    kind: attributes.get("t").unwrap_or_default().to_owned(),
                    style: attributes.get("s").and_then(|style| style.parse().ok()).unwrap_or(0),
                    value: String::new(),
                };
            }
            Step::Close { path, text, .. } => match path {
                "worksheet/sheetData/row/c/v"
                | "worksheet/sheetData/row/c/is/t"
                | "worksheet/sheetData/row/c/is/r/t" => self.cell.value.push_str(text),
                "worksheet/sheetData/row/c" => self.end_cell()?,
                "worksheet/sheetData/row" => return self.end_row(take),
                "worksheet/sheetData" => return Ok(ControlFlow::Break(())),
                _ => {}
            },
            Step::Open { .. } => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn begin_row(&mut self, number: Option<&str>) -> Result<(), Refusal> {
        let before = self.row;
        self.row = match number {
            Some(number) => number.parse().map_err(|_| Refusal::WorkbookDamaged)?,
            None => before.saturating_add(1),
        };
        if self.row > ROWS_MAX {
            return Err(Refusal::WorkbookLimit(WorkbookLimit::Rows(ROWS_MAX)));
        }
        if self.row <= before {
            return Err(Refusal::WorkbookDamaged);
        }
        self.column = 0;
        self.cells.clear();
        Ok(())
    }

    fn end_cell(&mut self) -> Result<(), Refusal> {
        let cell = std::mem::take(&mut self.cell);
        let place = self.column;
        self.column += 1;
        let text = self.text_of(&cell)?;
        if text.is_empty() {
            return Ok(());
        }
        if place >= COLUMNS_MAX {
            return Err(Refusal::WorkbookLimit(WorkbookLimit::Columns(COLUMNS_MAX)));
        }
        self.count += 1;
        if self.count > CELLS_MAX {
            return Err(Refusal::WorkbookLimit(WorkbookLimit::Cells(CELLS_MAX)));
        }
        if self.cells.len() <= place {
            self.cells.resize(place + 1, String::new());
        }
        if let Some(slot) = self.cells.get_mut(place) {
            *slot = text;
        }
        Ok(())
    }

    fn text_of(&self, cell: &Cell) -> Result<String, Refusal> {
        let value = cell.value.trim();
        Ok(match cell.kind.as_str() {
            "s" => {
                let text = value.parse().ok().and_then(|number| self.book.text(number));
                text.ok_or(Refusal::WorkbookDamaged)?.trim().to_owned()
            }
            "b" => if value == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "d" => value.replacen('T', " ", 1),
            "" | "n" if value.is_empty() => String::new(),
            "" | "n" => {
                let is_date = self.book.date_styles.get(cell.style).copied().unwrap_or(false);
                let date = if is_date { date_text(value, self.book.is_1904) } else { None };
                date.unwrap_or_else(|| number_text(value))
            }
            _ => value.to_owned(),
        })
    }

    fn end_row(&mut self, take: &mut TakeRow<'_>) -> Walked {
        if self.cells.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        Ok(if take(self.row, &self.cells)? { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}

/// The column of a place such as `AB12`, from 0.
fn column_of(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number =
        letters.fold(0, |number, letter| number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

/// Cells as one line of CSV.
pub fn line_of(cells: &[String]) -> String {
    let shown = cells.iter().map(|cell| {
        // A row is one line: formats that have no quotes are read line by line.
        let plain = cell.replace(['\r', '\n'], " ");
        // Formats without quotes divide at every comma, and quotes inside a cell are ordinary to all.
        let needs_quotes = plain.contains(',') || plain.starts_with('"');
        if needs_quotes { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
    });
    shown.collect::<Vec<_>>().join(",")
}
