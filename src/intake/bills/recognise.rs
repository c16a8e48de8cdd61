//! What a file is, by what it says, never by its name.

use super::columns::{COLUMNS_MAX, Columns, normal};
use super::consumer::{self, Consumer};
use super::formats::{FORMATS, Format, Known};
use super::refusal::Refusal;

/// Lines that are looked at; the longest preamble of a consumer statement has 25.
pub const HEAD_LINES_MAX: usize = 60;

/// What stands between the cells of a line, the usual first.
pub const DELIMITERS: [char; 3] = [',', '\t', ';'];

/// The format that the first lines of a file speak of.
///
/// # Errors
/// [`Refusal`] for what is known and not taken, [`Refusal::Unknown`] for the rest.
pub fn recognise(head: &[String]) -> Result<&'static Format, Refusal> {
    let first = head.iter().find(|line| !line.trim().is_empty()).ok_or(Refusal::Empty)?;
    if let Some(format) = FORMATS.iter().find(|format| format.begins(head)) {
        return Ok(format);
    }
    for line in head {
        // A row's free text may hold any words; only titles and headers speak of the file.
        let title = normal(line);
        if line.starts_with('`') {
            continue;
        }
        if let Some(found) = by_header(line).or_else(|| by_title(&title)) {
            return found;
        }
    }
    let start = first.trim_start_matches(['\u{feff}', ' ']).to_ascii_lowercase();
    let is_answer = ["<xml", "<?xml", "<html", "<!doctype"].iter().any(|tag| start.starts_with(tag))
        || (start.starts_with('{') && start.contains("\"code\""));
    Err(if is_answer { Refusal::ErrorAnswer } else { Refusal::Unknown })
}

impl Format {
    fn begins(&self, head: &[String]) -> bool {
        matches!(self.known, Known::Start(knows) if knows(head))
    }

    /// True when a line with these columns is the header of this format.
    fn has_header(&self, columns: &Columns) -> bool {
        match self.known {
            Known::Header(sets) => sets.iter().any(|names| columns.has_all(names)),
            Known::Start(_) => false,
        }
    }
}

fn by_header(line: &str) -> Option<Result<&'static Format, Refusal>> {
    for delimiter in DELIMITERS {
        // A line of more cells than that is no header, and would be long in being searched.
        if !(1..COLUMNS_MAX).contains(&line.matches(delimiter).count()) {
            continue;
        }
        let columns = Columns::of_cells(line.split(delimiter));
        if let Some(format) = FORMATS.iter().find(|format| format.has_header(&columns)) {
            return Some(Ok(format));
        }
        let partner = columns.find(&["交易对方", "商户名称", "订单标题", "对方账号"]);
        if columns.has_all(&["收/支"]) && partner.is_some() {
            return Some(Err(Refusal::Consumer(Consumer::Other)));
        }
    }
    None
}

fn by_title(title: &str) -> Option<Result<&'static Format, Refusal>> {
    if title.starts_with("#支付宝业务汇总查询") || title.starts_with("#支付宝账务汇总查询")
    {
        return Some(Err(Refusal::AlipaySummary));
    }
    // The header follows; it is what decides, so that a title alone is no bill.
    let consumer = consumer::MARKS.iter().find(|(mark, _)| title.contains(mark))?;
    Some(Err(Refusal::Consumer(consumer.1)))
}
