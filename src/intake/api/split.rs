//! Finds the rows in a body.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{BATCH_ROWS_MAX, BodyError, BodyFormat};

/// The rows of a body; each is JSON or not, which is judged row by row.
pub fn rows(body: &[u8], format: BodyFormat) -> Result<Vec<&[u8]>, BodyError> {
    let rows = match format {
        BodyFormat::Lines => lines(body)?,
        BodyFormat::Json => json(body)?,
    };
    if rows.is_empty() { Err(BodyError::Empty) } else { Ok(rows) }
}

/// One row a line; empty lines are no rows.
fn lines(body: &[u8]) -> Result<Vec<&[u8]>, BodyError> {
    let mut rows = Vec::new();
    let mut rest = without_bom(body);
    while !rest.is_empty() {
        let line = next_line(&mut rest).trim_ascii();
        if line.is_empty() {
            continue;
        }
        if rows.len() == BATCH_ROWS_MAX {
            return Err(BodyError::TooManyRows);
        }
        rows.push(line);
    }
    Ok(rows)
}

/// Takes the next line off, with its end; many bytes are looked at at once.
fn next_line<'b>(rest: &mut &'b [u8]) -> &'b [u8] {
    let whole = *rest;
    // Reading from memory cannot fail.
    let length = rest.skip_until(b'\n').unwrap_or(whole.len());
    whole.get(..length).unwrap_or(whole)
}

fn json(body: &[u8]) -> Result<Vec<&[u8]>, BodyError> {
    let text = std::str::from_utf8(without_bom(body))
        .map_err(|error| BodyError::NotUtf8 { byte: error.valid_up_to() })?
        .trim_ascii();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = RowsSeed { is_list: text.starts_with('[') }.deserialize(&mut deserializer);
    match read.and_then(|rows| deserializer.end().map(|()| rows)) {
        Ok(Some(rows)) => Ok(rows),
        Ok(None) => Err(BodyError::TooManyRows),
        Err(error) if error.is_eof() => Err(BodyError::CutOff),
        Err(error) => Err(BodyError::InvalidJson { line: error.line(), column: error.column() }),
    }
}

fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// `None` when there are too many.
struct RowsSeed {
    is_list: bool,
}

impl<'de> DeserializeSeed<'de> for RowsSeed {
    type Value = Option<Vec<&'de [u8]>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.is_list {
            return deserializer.deserialize_seq(self);
        }
        let row = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
        Ok(Some(vec![row.get().as_bytes()]))
    }
}

impl<'de> Visitor<'de> for RowsSeed {
    type Value = Option<Vec<&'de [u8]>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        let mut count = 0_usize;
        // Read to the end even beyond the limit, so that a wrong end is told as what it is.
        while let Some(row) = list.next_element::<&'de RawValue>()? {
            count += 1;
            if count <= BATCH_ROWS_MAX {
                rows.push(row.get().as_bytes());
            }
        }
        Ok((count <= BATCH_ROWS_MAX).then_some(rows))
    }
}
