//! What all sheets of a workbook share: their places, texts, and which styles are dates.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::super::super::xml::{Step, walk};
use super::super::refusal::{Refusal, WorkbookLimit};
use super::super::spool::SpoolError;
use super::{MAIN_PART, Parts};

const SHEETS_MAX: usize = 256;
/// Bytes of all texts together, which are in memory.
const TEXTS_BYTES_MAX: usize = 128 << 20;
const TEXTS_MAX: usize = 4_000_000;
/// As many as Excel has.
const STYLES_MAX: usize = 65_536;
/// The relations of the main part to the others.
const RELATIONS_PART: &str = "xl/_rels/workbook.xml.rels";

/// A workbook without its sheets.
#[derive(Default)]
pub struct Book {
    /// Parts of the sheets that are shown, in order.
    pub sheets: Vec<String>,
    pub is_1904: bool,
    /// For each style whether its numbers are dates.
    pub date_styles: Vec<bool>,
    texts: Texts,
}

/// Texts, one behind the other.
#[derive(Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Book {
    /// Reads everything but the sheets.
    pub fn open(parts: &mut Parts) -> Result<Self, SpoolError> {
        let mut book = Self::default();
        let relations = relations(parts)?;
        let part_of = |kind: &str| {
            let mut found = relations.values().filter(|(own, _)| own.ends_with(kind));
            found.next().map(|(_, target)| target.clone())
        };
        book.read_main(parts, &relations)?;
        if let Some(styles) = part_of("/styles").filter(|part| parts.has(part)) {
            book.read_styles(parts, &styles)?;
        }
        if let Some(texts) = part_of("/sharedStrings").filter(|part| parts.has(part)) {
            book.texts = read_texts(parts, &texts)?;
        }
        if book.sheets.is_empty() {
            return Err(Refusal::WorkbookDamaged.into());
        }
        Ok(book)
    }

    /// A shared text by its number.
    pub fn text(&self, number: usize) -> Option<&str> {
        let end = *self.texts.ends.get(number)?;
        let start = if number == 0 { 0 } else { *self.texts.ends.get(number - 1)? };
        self.texts.all.get(start..end)
    }

    fn read_main(&mut self, parts: &mut Parts, relations: &Relations) -> Result<(), SpoolError> {
        let part = parts.part(MAIN_PART)?;
        walk(part, &["id", "state", "date1904"], &mut |step, _| {
            let Step::Open { path, attributes } = step else { return Ok(ControlFlow::Continue(())) };
            if path == "workbook/workbookPr" {
                self.is_1904 = matches!(attributes.get("date1904"), Some("1" | "true"));
            }
            let is_shown = attributes.get("state").is_none_or(|state| state == "visible");
            if path == "workbook/sheets/sheet" && is_shown {
                if self.sheets.len() >= SHEETS_MAX {
                    return Err(Refusal::WorkbookLimit(WorkbookLimit::Sheets(SHEETS_MAX)));
                }
                // Charts and macros stand among the sheets and have no cells.
                let relation = attributes.get("id").and_then(|id| relations.get(id));
                let sheet = relation.filter(|(kind, _)| kind.ends_with("/worksheet"));
                self.sheets.extend(sheet.map(|(_, target)| target.clone()));
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn read_styles(&mut self, parts: &mut Parts, name: &str) -> Result<(), SpoolError> {
        let mut formats: HashMap<String, bool> = HashMap::new();
        let mut styles: Vec<String> = Vec::new();
        walk(parts.part(name)?, &["numFmtId", "formatCode"], &mut |step, _| {
            let Step::Open { path, attributes } = step else { return Ok(ControlFlow::Continue(())) };
            let id = attributes.get("numFmtId").unwrap_or_default();
            match path {
                "styleSheet/numFmts/numFmt" => {
                    formats.insert(
                        id.to_owned(),
                        is_date_format(attributes.get("formatCode").unwrap_or_default()),
                    );
                }
                "styleSheet/cellXfs/xf" => styles.push(id.to_owned()),
                _ => {}
            }
            if styles.len() > STYLES_MAX || formats.len() > STYLES_MAX {
                return Err(Refusal::WorkbookLimit(WorkbookLimit::Styles(STYLES_MAX)));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let is_date = |id: &String| formats.get(id).copied().unwrap_or_else(|| is_built_in_date(id));
        self.date_styles = styles.iter().map(is_date).collect();
        Ok(())
    }
}

/// By id: the kind, and the part that is meant.
type Relations = HashMap<String, (String, String)>;

fn relations(parts: &mut Parts) -> Result<Relations, SpoolError> {
    let mut relations = Relations::new();
    walk(parts.part(RELATIONS_PART)?, &["Id", "Type", "Target"], &mut |step, _| {
        if let Step::Open { path: "Relationships/Relationship", attributes } = step {
            let get = |name| attributes.get(name).unwrap_or_default();
            let target = match get("Target") {
                whole if whole.starts_with('/') => whole.trim_start_matches('/').to_owned(),
                within => format!("xl/{within}"),
            };
            relations.insert(get("Id").to_owned(), (get("Type").to_owned(), target));
        }
        if relations.len() > SHEETS_MAX * 4 {
            return Err(Refusal::WorkbookLimit(WorkbookLimit::Sheets(SHEETS_MAX)));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(relations)
}

fn read_texts(parts: &mut Parts, name: &str) -> Result<Texts, SpoolError> {
    let mut texts = Texts::default();
    walk(parts.part(name)?, &[], &mut |step, _| {
        let Step::Close { path, text, .. } = step else { return Ok(ControlFlow::Continue(())) };
        match path {
            "sst/si/t" | "sst/si/r/t" => texts.all.push_str(text),
            "sst/si" => texts.ends.push(texts.all.len()),
            _ => {}
        }
        if texts.all.len() > TEXTS_BYTES_MAX || texts.ends.len() > TEXTS_MAX {
            return Err(Refusal::WorkbookLimit(WorkbookLimit::Texts(TEXTS_BYTES_MAX)));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(texts)
}

/// The formats without a code of their own that show a date or a time; from 27 on those of Chinese Excel.
fn is_built_in_date(id: &str) -> bool {
    matches!(id.parse(), Ok(14..=22 | 27..=36 | 45..=47 | 50..=58_u32))
}

/// True for `yyyy-mm-dd`, false for `#,##0.00_);[Red]`: letters outside quotes and brackets decide.
fn is_date_format(code: &str) -> bool {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    let first = code.split(';').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("general") {
        return false;
    }
    first.chars().any(|c| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '\\' | '_' | '*' => escaped = true,
            '[' => bracketed = true,
            ']' => bracketed = false,
            // `[h]:mm` counts hours beyond a day.
            'h' | 'H' | 'm' | 's' | 'S' if bracketed => return first.contains(&format!("[{c}")),
            _ if bracketed => {}
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' => return true,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_dates_are_told_from_those_of_numbers() {
        for date in [
            "yyyy-mm-dd",
            "yyyy\\-mm\\-dd hh:mm:ss",
            "m/d/yy",
            "yyyy\"年\"m\"月\"d\"日\"",
            "[h]:mm:ss",
            "[$-804]yyyy",
        ] {
            assert!(is_date_format(date), "{date}");
        }
        for number in [
            "General",
            "0.00",
            "#,##0.00_);[Red]\\(#,##0.00\\)",
            "\"day\"0",
            "0.00E+00",
            "@",
            "[$¥-804]#,##0.00",
            "",
        ] {
            assert!(!is_date_format(number), "{number}");
        }
    }
}
