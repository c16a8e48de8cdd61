use super::super::bills::{Refusal, normal};

/// The names of a file's columns, in the form in which they are compared.
#[derive(Clone, Debug)]
pub struct Header {
    pub names: Vec<String>,
    compared: Vec<String>,
}

impl Header {
    /// Reads a header record.
    pub fn of(record: &csv::StringRecord) -> Self {
        let trimmed = record.iter().map(|name| {
            name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '`')).to_owned()
        });
        let mut names: Vec<String> = trimmed.collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        let compared = names.iter().map(|name| normal(name)).collect();
        Self { names, compared }
    }

    /// The place of a column.
    ///
    /// # Errors
    /// [`Refusal::ColumnMissing`], [`Refusal::ColumnTwice`].
    pub fn find(&self, wanted: &str) -> Result<usize, Refusal> {
        let form = normal(wanted);
        let mut found = self.compared.iter().enumerate().filter(|(_, name)| **name == form);
        let first = found.next().ok_or_else(|| Refusal::ColumnMissing(wanted.to_owned()))?;
        if found.next().is_some() {
            return Err(Refusal::ColumnTwice(wanted.to_owned()));
        }
        Ok(first.0)
    }

    /// The first column that is not there; `None` when all are.
    pub fn missing<'a>(&self, wanted: &[&'a str]) -> Option<(usize, &'a str)> {
        let absent: Vec<&&str> =
            wanted.iter().filter(|name| !self.compared.contains(&normal(name))).collect();
        absent.first().map(|first| (absent.len(), **first))
    }
}
