//! Tables of what a provider, till or bank says moved: each line becomes a ledger line.

mod config;
mod reader;
#[cfg(test)]
mod tests;

use super::super::bills::{LineCounts, Refusal, RejectedLine, Spool, SpoolError};
use super::super::statements::Occurrences;
use super::records::Records;
use super::transactions::hash_of;
use super::{Each, Mapped, MappingContext};
pub use config::{AmountField, FeeMeans, LineColumns, LineField, LineMapping, LineRule, Movement, SignMeans};
use reader::{LineReader, Places};

/// Reads the whole file and gives ledger lines and rejected lines to `each`.
pub(super) fn read(
    spool: &Spool,
    mapping: &LineMapping,
    context: &MappingContext<'_>,
    each: &mut Each<'_>,
) -> Result<LineCounts, SpoolError> {
    // What refuses the whole file must be met before anything is given out.
    pass(spool, mapping, context, &mut |_, _| Ok(()))?;
    pass(spool, mapping, context, each)
}

/// One way through the file.
pub(super) fn pass(
    spool: &Spool,
    mapping: &LineMapping,
    context: &MappingContext<'_>,
    each: &mut Each<'_>,
) -> Result<LineCounts, SpoolError> {
    let mut records = Records::open(spool, mapping.delimiter, &mapping.columns(), &mapping.footer)?;
    let places = Places::of(&records.header, mapping)?;
    let reader = LineReader { mapping, places: &places, names: &records.header.names.clone(), context };
    let preamble = records.preamble;
    let mut counts =
        LineCounts { read: 1 + preamble, headers: 1, comments: preamble, ..LineCounts::default() };
    let mut seen = Occurrences::default();
    let mut record = csv::StringRecord::new();
    while let Some((line, position)) = records.advance(&mut record)? {
        counts.read += 1;
        if counts.pass(records.kind(&record), reader.is_skipped(&record)) {
            continue;
        }
        if reader.is_damaged(&record) {
            return Err(Refusal::ExcelDamaged(line).into());
        }
        let id = match reader.id(&record) {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Ok(seen.id_of(&hash_of(&record, context))?),
            Err(fault) => Err(fault),
        };
        match id.and_then(|id| reader.read(line, id, &record)) {
            Ok(row) => {
                counts.accepted += 1;
                each(Mapped::Line(Box::new(row)), position)?;
            }
            Err(fault) => {
                counts.rejected += 1;
                let raw = Some(reader.redacted(&record));
                each(Mapped::Rejected(RejectedLine::new(line, fault, raw)), position)?;
            }
        }
    }
    Ok(counts)
}
