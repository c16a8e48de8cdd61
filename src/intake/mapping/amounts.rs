//! Amounts as people and spreadsheets write them.

use rust_decimal::Decimal;

use super::super::bills::{Fault, RejectCode, decimal};

/// Signs and words of money that may stand before or behind a number.
const MARKS: [&str; 12] = ["¥", "￥", "$", "€", "£", "元", "RMB", "CNY", "USD", "EUR", "USDT", "HKD"];
/// What stands for "nothing here".
const NOTHING: [&str; 4] = ["-", "--", "—", "/"];

/// An amount in major units; `None` where the cell says that there is none.
///
/// `¥1,234.50`, `（1.00）`, `1.00-`, `−5`, `１２` are amounts; `1,5` is none, for it may mean fifteen or one and a half.
pub fn amount(field: &str, cell: &str) -> Result<Option<Decimal>, Fault> {
    let text = plain(cell);
    if text.is_empty() || NOTHING.contains(&text.as_str()) {
        return Ok(None);
    }
    let fault = || Fault::quoting(field, RejectCode::NotAnAmount, cell);
    let (negative, digits) = without_sign(&text).ok_or_else(fault)?;
    // Explorers of chains print small amounts so; `E+` is what a spreadsheet makes of a number that it has rounded.
    if digits.contains("E-") {
        let small = Decimal::from_scientific(&digits)
            .ok()
            .filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()));
        let value = small.ok_or_else(fault)?;
        return Ok(Some(if negative { -value } else { value }));
    }
    let digits = without_grouping(&digits).ok_or_else(fault)?;
    let value = decimal(field, &digits).map_err(|found| Fault::quoting(field, found.code, cell))?;
    Ok(Some(if negative { -value } else { value }))
}

/// Full-width forms become plain ones, spaces go.
fn plain(cell: &str) -> String {
    let narrow = cell.chars().filter(|c| !c.is_whitespace() && *c != '\u{200b}').map(|c| match c {
        '０'..='９' | '，' | '．' | '＋' | '－' | '（' | '）' => {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
        }
        '−' | '–' | '\u{2011}' => '-',
        other => other,
    });
    narrow.collect()
}

/// Takes sign, brackets and marks of money off, once each; `None` where two signs stand.
fn without_sign(text: &str) -> Option<(bool, String)> {
    let mut rest = text;
    let mut signs = 0;
    let mut negative = false;
    loop {
        let before = rest;
        for mark in MARKS {
            rest = rest.strip_prefix(mark).unwrap_or(rest);
            rest = rest.strip_suffix(mark).unwrap_or(rest);
        }
        let minus = rest.strip_prefix('-').or_else(|| rest.strip_suffix('-'));
        let brackets = rest.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
        if let Some(inner) = minus.or(brackets) {
            (negative, rest, signs) = (true, inner, signs + 1);
        } else if let Some(inner) = rest.strip_prefix('+') {
            (rest, signs) = (inner, signs + 1);
        }
        if rest == before {
            break;
        }
    }
    (signs <= 1).then(|| (negative, rest.to_owned()))
}

/// Takes thousands separators out where they stand at every third place.
fn without_grouping(text: &str) -> Option<String> {
    let (whole, places) = text.split_once('.').map_or((text, None), |(whole, places)| (whole, Some(places)));
    let separator = whole.chars().find(|c| matches!(c, ',' | '\''));
    let Some(separator) = separator else { return Some(text.to_owned()) };
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let is_grouped = (1..=3).contains(&first.len()) && groups.clone().all(|group| group.len() == 3);
    let joined: String = std::iter::once(first).chain(groups).collect();
    is_grouped.then(|| places.map_or_else(|| joined.clone(), |places| format!("{joined}.{places}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (cell, value) in [
            ("1,204.00", "1204.00"),
            ("¥ 1,234,567.5", "1234567.5"),
            ("-￥12", "-12"),
            ("￥-12", "-12"),
            ("（1.00）", "-1.00"),
            ("(1,000)", "-1000"),
            ("1.00-", "-1.00"),
            ("−5", "-5"),
            ("１，２３４．５", "1234.5"),
            ("+0.5", "0.5"),
            ("128.00元", "128.00"),
            ("CNY 7", "7"),
            ("12 345.6", "12345.6"),
            ("353.7515", "353.7515"),
            ("1.9E-4", "0.00019"),
        ] {
            let found = amount("x", cell).unwrap().unwrap();
            assert_eq!(found.to_string(), value, "{cell}");
        }
        for none in ["", " ", "-", "--", "—", "/"] {
            assert_eq!(amount("x", none).unwrap(), None, "{none}");
        }
        for bad in [
            "1,5", "1,23,456", "1.2.3", "--5", "1e5", "x", "¥", "12%", "(5", "1,2345", "1.2,345", "4.2E+27",
            "xE-4", "E-4",
        ] {
            assert_eq!(amount("x", bad).unwrap_err().code, RejectCode::NotAnAmount, "{bad}");
        }
    }
}
