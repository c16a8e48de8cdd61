//! Any table of any shop, till, aggregator or bank, read by a mapping that names its columns.
//!
//! A mapping makes either transactions or ledger lines. The header may stand below a preamble: it is the first line that
//! has all the columns named.

mod amounts;
mod columns;
mod config;
mod group;
pub mod guess;
mod header;
mod line;
mod lines;
mod records;
mod saved;
#[cfg(test)]
mod tests;
mod times;
mod transactions;

use chrono_tz::Tz;
use serde::Deserialize;

use super::Pseudonyms;
use super::bills::{LineCounts, Refusal, RejectedLine, Spool, SpoolError};
use crate::domain::{Instant, LedgerLine, StoreId, Transaction};
pub use config::{
    Condition, CustomerColumn, MAPPING_BYTES_MAX, Makes, SlugField, StatusColumn, TimeColumn,
    TransactionMapping, Unit,
};
pub use header::Header;
pub use lines::{AmountField, FeeMeans, LineColumns, LineField, LineMapping, LineRule, Movement, SignMeans};
pub use saved::choose;

/// What the reader needs besides file and mapping.
pub struct MappingContext<'a> {
    pub store: StoreId,
    pub now: Instant,
    /// SHA-256 of the file, hex.
    pub file: &'a str,
    pub pseudonyms: &'a Pseudonyms,
}

/// What comes out of a mapped file.
#[derive(Debug)]
pub enum Mapped {
    Transaction(Box<Transaction>),
    Line(Box<LedgerLine>),
    Rejected(RejectedLine),
}

/// How a table is read.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// What the file is, for people.
    pub name: String,
    /// An encoding that must be met.
    pub encoding: Option<String>,
    /// The zone of times without an offset.
    pub zone: Tz,
    /// Provider of every row, where one holds for all.
    pub provider: Option<String>,
    rows: Rows,
}

#[derive(Clone, Debug)]
enum Rows {
    Transactions(Box<TransactionMapping>),
    Lines(Box<LineMapping>),
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`Refusal::Mapping`] in the words of what is wrong, with its place in the file.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(default)]
            makes: Makes,
        }
        fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Refusal> {
            toml::from_str(text).map_err(|error| Refusal::Mapping(error.to_string()))
        }
        if text.len() > MAPPING_BYTES_MAX {
            return Err(Refusal::Mapping(format!("it is larger than {} KiB", MAPPING_BYTES_MAX >> 10)));
        }
        match read::<Kind>(text)?.makes {
            Makes::Transactions => {
                let mapping: TransactionMapping = read(text)?;
                mapping.check().map_err(Refusal::Mapping)?;
                Ok(Self {
                    name: mapping.name.clone(),
                    encoding: mapping.encoding.clone(),
                    zone: mapping.zone,
                    provider: mapping.provider.clone(),
                    rows: Rows::Transactions(Box::new(mapping)),
                })
            }
            Makes::LedgerLines => Self::of_lines(read(text)?),
        }
    }

    /// A mapping that makes ledger lines.
    ///
    /// # Errors
    /// [`Refusal::Mapping`].
    pub fn of_lines(mapping: LineMapping) -> Result<Self, Refusal> {
        mapping.check().map_err(Refusal::Mapping)?;
        Ok(Self {
            name: mapping.name.clone(),
            encoding: mapping.encoding.clone(),
            zone: mapping.zone,
            provider: mapping.provider.clone(),
            rows: Rows::Lines(Box::new(mapping)),
        })
    }

    /// Every column that the mapping names.
    fn columns(&self) -> Vec<&str> {
        match &self.rows {
            Rows::Transactions(mapping) => mapping.columns(),
            Rows::Lines(mapping) => mapping.columns(),
        }
    }

    const fn delimiter(&self) -> char {
        match &self.rows {
            Rows::Transactions(mapping) => mapping.delimiter,
            Rows::Lines(mapping) => mapping.delimiter,
        }
    }

    /// True when one of these lines, the first of a file, is a header with every column that the mapping names.
    pub fn fits(&self, head: &[String]) -> bool {
        let columns = self.columns();
        // What a workbook becomes is divided by commas, whatever the mapping says of files.
        [self.delimiter(), ','].into_iter().any(|delimiter| {
            let text = head.join("\n");
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(u8::try_from(delimiter).unwrap_or(b','))
                .from_reader(text.as_bytes());
            let mut records = reader.records().map_while(Result::ok);
            records.any(|record| Header::of(&record).missing(&columns).is_none())
        })
    }
}

/// Reads the whole file by its mapping and gives rows and rejected lines to `each`, with the position reached.
///
/// # Errors
/// [`SpoolError`]; a refusal comes before the first row.
pub fn read_mapped(
    spool: &Spool,
    mapping: &Mapping,
    context: &MappingContext<'_>,
    mut each: impl FnMut(Mapped, u64) -> Result<(), Refusal>,
) -> Result<LineCounts, SpoolError> {
    match &mapping.rows {
        Rows::Transactions(mapping) => transactions::read(spool, mapping, context, &mut each),
        Rows::Lines(mapping) => lines::read(spool, mapping, context, &mut each),
    }
}

/// True for a word that a provider or method may have.
pub fn is_slug(text: &str) -> bool {
    config::slug_of(text).is_some()
}

/// Takes what was read, with the bytes of the text that were gone through.
type Each<'a> = dyn FnMut(Mapped, u64) -> Result<(), Refusal> + 'a;
