//! Lines of one transaction need not stand together: a first pass notes the last line of every id, the second gives each
//! transaction out at its last line, so only those whose lines are still to come are in memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::super::bills::{Fault, LineCounts, Refusal, RejectCode, RejectedLine, Spool, SpoolError};
use super::super::statements::Occurrences;
use super::columns::Places;
use super::config::{Lines, TransactionMapping};
use super::group::Group;
use super::line::LineReader;
use super::records::{Kind, Records};
use super::{Each, Mapped, MappingContext};

/// Transactions of one file.
pub const GROUPS_MAX: usize = 10_000_000;

/// Reads the whole file and gives transactions and rejected lines to `each`.
pub fn read(
    spool: &Spool,
    mapping: &TransactionMapping,
    context: &MappingContext<'_>,
    each: &mut Each<'_>,
) -> Result<LineCounts, SpoolError> {
    let hasher = RandomState::new();
    // Also where lines stand alone: what refuses the file must be met before anything is given out.
    let last = last_lines(spool, mapping, context, &hasher)?;
    let mut records = open(spool, mapping)?;
    let places = Places::of(&records.header, mapping)?;
    let reader = LineReader { mapping, places: &places, context };
    let counts = LineCounts {
        read: 1 + records.preamble,
        headers: 1,
        comments: records.preamble,
        ..LineCounts::default()
    };
    let mut out = Output { counts, each };
    let mut open: HashMap<String, Group> = HashMap::new();
    let mut record = csv::StringRecord::new();
    let mut seen = Occurrences::default();
    let mut number = 0_u64;
    while let Some((line, position)) = records.advance(&mut record)? {
        number += 1;
        out.counts.read += 1;
        if out.counts.pass(records.kind(&record), reader.is_skipped(&record)) {
            continue;
        }
        let id = match reader.id(&record) {
            Ok(Some(id)) => id,
            Ok(None) => seen.id_of(&hash_of(&record, context))?,
            Err(fault) => {
                out.reject(line, fault, Some(reader.redacted(&record)), position)?;
                continue;
            }
        };
        let group = open.entry(id.clone()).or_default();
        match reader.read(&record).and_then(|mapped| group.add(mapped)) {
            Ok(()) => group.lines.push(line),
            Err(fault) => {
                group.spoilt_by.get_or_insert(line);
                out.reject(line, fault, Some(reader.redacted(&record)), position)?;
            }
        }
        let is_last = last.get(&hasher.hash_one(&id)).is_none_or(|last| *last <= number);
        if is_last && let Some(group) = open.remove(&id) {
            out.close(id, group, mapping, context, position)?;
        }
    }
    // Ids whose hashes collide can be left over: they are complete now.
    for (id, group) in open {
        out.close(id, group, mapping, context, spool.bytes)?;
    }
    Ok(out.counts)
}

fn open(spool: &Spool, mapping: &TransactionMapping) -> Result<Records, SpoolError> {
    Records::open(spool, mapping.delimiter, &mapping.columns(), &mapping.footer)
}

/// What a line says, as an id for it: without the key nobody can tell from it what that was.
pub(super) fn hash_of(record: &csv::StringRecord, context: &MappingContext<'_>) -> String {
    let cells: Vec<&str> = record.iter().map(str::trim).collect();
    context.pseudonyms.of("mapped_line", "", &cells.join("\u{1f}"))
}

impl LineCounts {
    /// Counts a line that nothing is made of; false for one that is data.
    pub(super) const fn pass(&mut self, kind: Kind, is_skipped: bool) -> bool {
        match kind {
            Kind::Footer => self.summaries += 1,
            Kind::Note => self.comments += 1,
            Kind::Data if is_skipped => self.passed += 1,
            Kind::Data => return false,
        }
        true
    }
}

/// Number of the last record of every id, by the id's hash; empty where each line stands alone.
///
/// # Errors
/// What refuses the whole file, e.g. an id that lost its digits in a spreadsheet.
fn last_lines(
    spool: &Spool,
    mapping: &TransactionMapping,
    context: &MappingContext<'_>,
    hasher: &RandomState,
) -> Result<HashMap<u64, u64>, SpoolError> {
    let mut records = open(spool, mapping)?;
    let places = Places::of(&records.header, mapping)?;
    let reader = LineReader { mapping, places: &places, context };
    let mut last = HashMap::new();
    let mut record = csv::StringRecord::new();
    let mut number = 0_u64;
    while let Some((line, _)) = records.advance(&mut record)? {
        number += 1;
        if records.kind(&record) != Kind::Data || reader.is_skipped(&record) {
            continue;
        }
        if reader.is_damaged(&record) {
            return Err(Refusal::ExcelDamaged(line).into());
        }
        if mapping.transaction.lines == Lines::Grouped
            && let Ok(Some(id)) = reader.id(&record)
        {
            last.insert(hasher.hash_one(id), number);
        }
        if last.len() > GROUPS_MAX {
            return Err(Refusal::TooManyGroups(GROUPS_MAX).into());
        }
    }
    Ok(last)
}

/// Counts and hands on.
struct Output<'a, 'b> {
    counts: LineCounts,
    each: &'a mut Each<'b>,
}

impl Output<'_, '_> {
    fn reject(&mut self, line: u64, fault: Fault, raw: Option<String>, position: u64) -> Result<(), Refusal> {
        self.counts.rejected += 1;
        (self.each)(Mapped::Rejected(RejectedLine::new(line, fault, raw)), position)
    }

    fn close(
        &mut self,
        id: String,
        group: Group,
        mapping: &TransactionMapping,
        context: &MappingContext<'_>,
        position: u64,
    ) -> Result<(), Refusal> {
        let lines = group.lines.clone();
        let fault = match group.spoilt_by {
            Some(bad) => Fault::quoting("", RejectCode::TransactionRejected, &bad.to_string()),
            None => match group.finish(id, mapping, context) {
                Ok(transaction) => {
                    self.counts.accepted += u64::try_from(lines.len()).unwrap_or(u64::MAX);
                    return (self.each)(Mapped::Transaction(Box::new(transaction)), position);
                }
                Err(fault) => fault,
            },
        };
        for line in lines {
            self.reject(line, fault.clone(), None, position)?;
        }
        Ok(())
    }
}
