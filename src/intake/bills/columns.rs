use std::cell::Cell;

use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode};

/// Columns of one file; the widest report that is known has some hundred.
pub const COLUMNS_MAX: usize = 1_000;

/// The columns of a file, by name. Positions are looked up once, from the header of this very file.
#[derive(Clone, Debug)]
pub struct Columns {
    names: Vec<String>,
    /// Which were asked for and found: the others are told to the person.
    found: Vec<Cell<bool>>,
}

impl Columns {
    /// Reads a header line: cells divided by commas; bracket forms, quotes, tabs and byte-order marks do not matter.
    pub fn of_header(line: &str) -> Self {
        Self::of_cells(line.split(','))
    }

    /// The same of cells that are divided already.
    pub fn of_cells<'a>(cells: impl Iterator<Item = &'a str>) -> Self {
        let names = cells.map(normal).collect::<Vec<_>>();
        // Some exporters end each line with a comma.
        let kept = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        Self { names: names.into_iter().take(kept).collect(), found: vec![Cell::new(false); kept] }
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Position of the first of these names that the file has. Goes through all names: ask once per file.
    pub fn find(&self, names: &[&str]) -> Option<usize> {
        let place = names.iter().find_map(|name| self.names.iter().position(|own| is_same(own, name)))?;
        self.found.get(place)?.set(true);
        Some(place)
    }

    /// Position of the first column whose name is such.
    pub fn find_where(&self, is_such: impl Fn(&str) -> bool) -> Option<usize> {
        let place = self.names.iter().position(|name| is_such(name))?;
        self.found.get(place)?.set(true);
        Some(place)
    }

    /// True when the record is this header once more, as where files were joined.
    pub fn is_repeated_by(&self, record: &csv::StringRecord) -> bool {
        let mut cells = self.names.iter().zip(record);
        record.len() >= self.names.len() && cells.all(|(name, cell)| *name == normal(cell))
    }

    /// Names of the columns that nobody asked for.
    pub fn unread(&self) -> Vec<String> {
        let names = self.names.iter().zip(&self.found);
        names.filter(|(name, found)| !name.is_empty() && !found.get()).map(|(name, _)| name.clone()).collect()
    }

    /// Position of a column that must be there, by any of its names.
    ///
    /// # Errors
    /// [`Refusal::ColumnMissing`] with the first name.
    pub fn need(&self, names: &[&str]) -> Result<usize, Refusal> {
        self.find(names)
            .ok_or_else(|| Refusal::ColumnMissing(names.first().copied().unwrap_or_default().to_owned()))
    }

    /// Refuses a header that names a column twice: which of the two is meant is not for us to guess. Also one that names
    /// too many.
    pub fn each_once(&self) -> Result<(), Refusal> {
        if self.names.len() > COLUMNS_MAX {
            return Err(Refusal::TooManyColumns(COLUMNS_MAX));
        }
        for (place, name) in self.names.iter().enumerate() {
            if !name.is_empty() && self.names[..place].iter().any(|before| is_same(before, name)) {
                return Err(Refusal::ColumnTwice(name.clone()));
            }
        }
        Ok(())
    }

    /// The name of the column at a position.
    pub fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// True when the file has every one of these columns.
    pub fn has_all(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.find(&[name]).is_some())
    }
}

/// A column's name in the one form that is compared.
pub fn normal(cell: &str) -> String {
    cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '`' | '"' | '\''))
        .chars()
        .map(|c| match c {
            '（' => '(',
            '）' => ')',
            '：' => ':',
            '／' => '/',
            '＋' => '+',
            '－' => '-',
            other => other,
        })
        .filter(|c| !c.is_whitespace())
        .collect()
}

/// True for one name in two spellings: capitals, spaces and underscores do not matter.
fn is_same(one: &str, other: &str) -> bool {
    let letters = |name: &'_ str| -> Vec<u8> {
        let kept = name.bytes().filter(|byte| *byte != b' ' && *byte != b'_');
        kept.map(|byte| byte.to_ascii_lowercase()).collect()
    };
    one == other || (one.is_ascii() && other.is_ascii() && letters(one) == letters(other))
}

/// The cells of one line, trimmed.
#[derive(Debug)]
pub struct Cells<'a> {
    columns: &'a Columns,
    cells: Vec<std::borrow::Cow<'a, str>>,
}

impl<'a> Cells<'a> {
    /// Divides a line. Quotes are ordinary characters; a file whose every cell begins with a backtick is divided
    /// there, so that a comma inside a text does no harm.
    ///
    /// # Errors
    /// [`RejectCode::ColumnCount`].
    pub fn of_line(columns: &'a Columns, line: &'a str) -> Result<Self, Fault> {
        let mut cells = match line.strip_prefix('`') {
            Some(rest) => ticked(rest, columns.len()),
            None => plain(line, columns.len()),
        };
        // With a cell in quotes an empty one at the end hides that the line was divided inside it.
        let is_quoted = !line.starts_with('`') && line.contains(",\"");
        if is_quoted {
            let mut found = quoted(line);
            drop_empty_tail(&mut found, columns.len());
            if found.len() == columns.len() {
                cells = found;
            }
        }
        drop_empty_tail(&mut cells, columns.len());
        if cells.len() != columns.len() && line.contains('"') {
            cells = quoted(line);
            drop_empty_tail(&mut cells, columns.len());
        }
        if cells.len() != columns.len() {
            let found = format!("{} / {}", cells.len(), columns.len());
            return Err(Fault::quoting("", RejectCode::ColumnCount, &found));
        }
        Ok(Self { columns, cells })
    }

    /// The cell at a position; empty where the file has no such column.
    pub fn at(&self, place: Option<usize>) -> &str {
        place.and_then(|place| self.cells.get(place)).map_or("", |cell| cell)
    }

    /// The name of the column at a position.
    pub fn name(&self, place: Option<usize>) -> &str {
        place.map_or("", |place| self.columns.name(place))
    }

    /// The line with the cells of these positions blotted out; it is divided again as it was, also where a cell holds
    /// a comma.
    pub fn redacted(&self, places: &[Option<usize>]) -> String {
        let shown = self.cells.iter().enumerate().map(|(place, cell)| {
            if places.contains(&Some(place)) && !cell.is_empty() {
                "•••".to_owned()
            } else if cell.contains(',') {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.to_string()
            }
        });
        shown.collect::<Vec<_>>().join(",")
    }
}

/// Exporters pad with one empty cell at the end; more than the header has is cut only where nothing stands there.
fn drop_empty_tail(cells: &mut Vec<std::borrow::Cow<'_, str>>, columns: usize) {
    while cells.len() > columns && cells.last().is_some_and(|cell| cell.is_empty()) {
        cells.pop();
    }
}

/// Divides where a comma stands.
fn plain(line: &str, columns: usize) -> Vec<std::borrow::Cow<'_, str>> {
    let mut cells = Vec::with_capacity(columns + 1);
    cells.extend(line.split(',').map(|cell| std::borrow::Cow::from(clean(cell))));
    cells
}

/// Divides where a comma and a backtick stand; either alone belongs to its cell.
fn ticked(rest: &str, columns: usize) -> Vec<std::borrow::Cow<'_, str>> {
    let mut cells = Vec::with_capacity(columns + 1);
    let mut begin = 0;
    for (tick, _) in rest.match_indices('`') {
        if let Some(cell) = rest.get(begin..tick).and_then(|cell| cell.strip_suffix(',')) {
            cells.push(clean(cell).into());
            begin = tick + 1;
        }
    }
    cells.push(clean(rest.get(begin..).unwrap_or_default()).into());
    cells
}

fn clean(cell: &str) -> &str {
    let cell = cell.trim_ascii();
    let is_plain = |byte: Option<&u8>| byte.is_none_or(|byte| byte.is_ascii_graphic() && *byte != b'`');
    // Nearly every cell begins and ends with a letter or digit.
    if is_plain(cell.as_bytes().first()) && is_plain(cell.as_bytes().last()) {
        return cell;
    }
    cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').trim_start_matches('`').trim_start()
}

/// A line that some spreadsheet has put in quotes.
fn quoted(line: &str) -> Vec<std::borrow::Cow<'static, str>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|cell| clean(cell).to_owned().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_one_form() {
        let columns = Columns::of_header("\u{feff}订单金额（元）\t,`手续费 ,\"备注\",");
        assert_eq!(columns.len(), 3);
        assert_eq!(columns.find(&["订单金额(元)"]), Some(0));
        assert_eq!(columns.need(&["费", "手续费"]), Ok(1));
        assert!(columns.each_once().is_ok());
        assert!(Columns::of_header("a,b,a").each_once().is_err());
    }

    #[test]
    fn a_comma_inside_a_text_does_no_harm_between_backticks() {
        let columns = Columns::of_header("a,b,c");
        let cells = Cells::of_line(&columns, "`1,`x,y \"z\",`3\t").unwrap();
        assert_eq!((cells.at(Some(0)), cells.at(Some(1)), cells.at(Some(2))), ("1", "x,y \"z\"", "3"));
        assert_eq!(cells.redacted(&[Some(1)]), "1,•••,3");
        let kept = cells.redacted(&[]);
        assert_eq!(Cells::of_line(&columns, &kept).unwrap().at(Some(1)), "x,y \"z\"");
        let cells = Cells::of_line(&columns, "1\t,\"x,y\",3").unwrap();
        assert_eq!(cells.at(Some(1)), "x,y");
        assert!(Cells::of_line(&columns, "1,2").is_err());
        assert!(Cells::of_line(&columns, "1,2,3,4").is_err());
    }
}
