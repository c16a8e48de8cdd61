//! Lines become fields: a tag between colons, and all that follows up to the next.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use super::super::super::bills::{LINE_BYTES_MAX, Refusal, SpoolError};

/// Bytes of one field; a text of six lines has 400.
pub const FIELD_BYTES_MAX: usize = 16 << 10;

/// One field of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Between the colons: `61`, `60F`.
    pub tag: String,
    /// Its lines, divided by line ends.
    pub value: String,
    /// Where it begins.
    pub line: u64,
}

/// The fields of a file, one at a time.
pub struct Fields {
    text: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    position: u64,
    open: Option<Field>,
    /// A colon that stood alone on its line: the tag that it begins was wrapped.
    colon: bool,
}

impl Fields {
    /// From the beginning of a text.
    pub fn new(text: BufReader<File>) -> Self {
        Self { text, line: Vec::new(), number: 0, position: 0, open: None, colon: false }
    }

    /// Bytes of the text that were gone through.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The next field. `is_closed` says that the statement has its closing balance: a dash then ends the message.
    pub fn advance(&mut self, is_closed: bool) -> Result<Option<Field>, SpoolError> {
        while self.next_line()? {
            let line = String::from_utf8_lossy(&self.line).into_owned();
            let line = line.trim_end().trim_start_matches('\u{feff}');
            // Wrappers stand around a message: `{1:F01…}{2:I940…}{4:` before, `-}{5:…}` behind.
            let inner = line.rsplit_once("{4:").map_or(line, |(_, rest)| rest);
            if inner.trim().is_empty() || inner.starts_with('{') || self.is_end(inner, is_closed) {
                continue;
            }
            if inner.trim() == ":" {
                self.colon = true;
                continue;
            }
            let joined = if std::mem::take(&mut self.colon) { format!(":{inner}") } else { inner.to_owned() };
            if let Some(done) = self.take(&joined)? {
                return Ok(Some(done));
            }
        }
        Ok(self.open.take())
    }

    fn next_line(&mut self) -> Result<bool, SpoolError> {
        self.line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        let read = (&mut self.text).take(limit).read_until(b'\n', &mut self.line)?;
        self.number += 1;
        self.position += u64::try_from(read).unwrap_or(0);
        if read == LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
            return Err(Refusal::LineTooLong(self.number).into());
        }
        Ok(read > 0)
    }

    /// A dash ends a message; inside a text it is part of the text.
    fn is_end(&self, line: &str, is_closed: bool) -> bool {
        let closing = self.open.as_ref().is_some_and(|field| field.tag.starts_with("62"));
        line.starts_with("-}") || (line.starts_with('-') && line.len() <= 4 && (is_closed || closing))
    }

    /// Adds a line; gives the field that is complete because another begins.
    fn take(&mut self, line: &str) -> Result<Option<Field>, Refusal> {
        if let Some((tag, value)) = tag_of(line) {
            let begun = Field { tag: tag.to_owned(), value: value.to_owned(), line: self.number };
            return Ok(self.open.replace(begun));
        }
        if let Some(field) = &mut self.open {
            if field.value.len() + line.len() >= FIELD_BYTES_MAX {
                return Err(Refusal::LineTooLong(self.number));
            }
            field.value.push('\n');
            field.value.push_str(line);
        }
        Ok(None)
    }
}

/// `:61:…` is the tag `61` and what follows.
fn tag_of(line: &str) -> Option<(&str, &str)> {
    let (tag, value) = line.strip_prefix(':')?.split_once(':')?;
    let is_tag = (2..=3).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    is_tag.then_some((tag, value))
}
