//! Lines that were rejected, mended by a person: only those are read again, by the format of their file, and join the
//! import they came with.
//!
//! A person hands in our own list of rejected lines with its lines put right, or the whole file put right. Either way a
//! line is told by its number; ids would not do, for a refund has its payment's.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::bills::{
    BillContext, FileHints, HEAD_LINES_MAX, Line, NotData, Refusal, RejectCode, Spool, SpoolError, read_bill,
    recognise,
};
use super::import::{ImportError, take_rows};
use super::rejected::{REJECTED_KEPT_MAX, RejectedError, RejectedRow, rejected_rows, row_of, sealed};
use super::{Intake, Pseudonyms};
use crate::domain::{Instant, LedgerLine, Transaction};
use crate::store::{Database, ImportRecord};

/// Bytes of a file's beginning, up to the end of its header, that are kept.
pub const HEAD_BYTES_MAX: u64 = 64 << 10;
/// Columns of our own list: line, column, code, reason, the line itself.
const LIST_COLUMNS: usize = 5;
const LIST_LINE: usize = 0;
const LIST_CODE: usize = 2;
const LIST_RAW: usize = 4;
/// What stands in a kept line where a shopper was.
const BLOTTED: &str = "•••";

/// Lines that a person put right.
pub struct Mending {
    pub import: ImportRecord,
    /// The file that was handed in.
    pub path: PathBuf,
    pub scratch: PathBuf,
    pub now: Instant,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Taken in now.
    pub mended: usize,
    /// Of those handed in, rejected again.
    pub still: usize,
    /// Lines that are none of the rejected ones: left alone.
    pub foreign: usize,
}

/// Why nothing could be mended.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The import keeps nothing by which single lines could be read.
    #[error("the lines of this file cannot be read one by one; put the file right and import it whole")]
    NotByLine,
    /// Neither our list of rejected lines nor the whole file.
    #[error("hand in the list of rejected lines with its lines put right, or the whole file put right")]
    NotWhole,
    /// The file cannot be read; the refusal says why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Rejected(#[from] RejectedError),
}

impl From<SpoolError> for MendError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Refused(refusal) => Self::Refused(refusal),
            SpoolError::Io(error) => Self::Import(error.into()),
        }
    }
}

/// What was read of the mended lines, each with its number in the import's own file.
#[derive(Default)]
struct Found {
    rows: Vec<LedgerLine>,
    witnesses: Vec<LedgerLine>,
    transactions: Vec<Transaction>,
    mended: Vec<i64>,
    still: BTreeMap<i64, RejectedRow>,
    foreign: usize,
}

impl Mending {
    /// Reads the mended lines and takes them in.
    ///
    /// # Errors
    /// [`MendError`]; what was stored before stays as it was.
    pub async fn run(
        self,
        intake: &Intake,
        database: &Database,
        pseudonyms: Arc<Pseudonyms>,
    ) -> Result<Mended, MendError> {
        let most = i64::try_from(REJECTED_KEPT_MAX).unwrap_or(i64::MAX);
        let (id, now) = (self.import.id, self.now);
        let head = database.import_head(id).await.map_err(ImportError::from)?.ok_or(MendError::NotByLine)?;
        let mut open = rejected_rows(database, &pseudonyms, id, most).await?;
        open.retain(|row| !row.mended);
        let reader = Reader { mending: self, head, open, pseudonyms: Arc::clone(&pseudonyms) };
        let reading = tokio::task::spawn_blocking(move || reader.read());
        let found = reading.await.map_err(ImportError::from)??;
        let answer = Mended { mended: found.mended.len(), still: found.still.len(), foreign: found.foreign };
        let still: Vec<RejectedRow> = found.still.into_values().collect();
        let still = sealed(&pseudonyms, id, &still).map_err(RejectedError::from)?;
        take_rows(intake, database, id, found.rows, found.witnesses, found.transactions).await?;
        database.note_mended(id, &found.mended, &still, now).await.map_err(ImportError::from)?;
        Ok(answer)
    }
}

/// The blocking side.
struct Reader {
    mending: Mending,
    head: String,
    open: Vec<RejectedRow>,
    pseudonyms: Arc<Pseudonyms>,
}

impl Reader {
    fn read(&self) -> Result<Found, MendError> {
        let spool = Spool::of(&self.mending.path, &self.mending.scratch, None)?;
        match own_list(&spool)? {
            Some(lines) => self.read_list(lines),
            None => self.read_whole_file(&spool),
        }
    }

    /// Our own list: the lines are put behind the beginning of their file and read by its format.
    fn read_list(&self, lines: Vec<(i64, String)>) -> Result<Found, MendError> {
        let open: HashMap<i64, &RejectedRow> = self.open.iter().map(|row| (row.line, row)).collect();
        let mut found = Found::default();
        let mut wanted = Vec::new();
        for (number, text) in lines {
            match open.get(&number) {
                // A line that was left as it is stays rejected, and is not read again.
                Some(row) if !text.is_empty() && row.raw.as_deref() != Some(text.as_str()) => {
                    wanted.push((number, text));
                }
                Some(_) => {}
                None => found.foreign += 1,
            }
        }
        if wanted.is_empty() {
            return Ok(found);
        }
        let path = self.mending.scratch.clone();
        let mut file = tempfile::NamedTempFile::new_in(path).map_err(ImportError::from)?;
        let mut text = self.head.trim_end_matches(['\r', '\n']).to_owned();
        for (_, line) in &wanted {
            text.push('\n');
            text.push_str(&line.replace(['\r', '\n'], " "));
        }
        text.push('\n');
        file.write_all(text.as_bytes()).map_err(ImportError::from)?;
        let spool = Spool::of(file.path(), &self.mending.scratch, None)?;
        let mut next = 0;
        self.each_line(&spool, |line| {
            if let Some((number, text)) = wanted.get(next) {
                self.sort(line, *number, Some(text), &mut found);
            }
            next += 1;
        })?;
        Ok(found)
    }

    /// The whole file once more: its lines are told by their numbers.
    fn read_whole_file(&self, spool: &Spool) -> Result<Found, MendError> {
        let open: HashMap<i64, &RejectedRow> = self.open.iter().map(|row| (row.line, row)).collect();
        let mut found = Found::default();
        let lines = self.each_line(spool, |line| {
            let number = match &line {
                Line::Row(row) | Line::Witness(row) => row.line_number,
                Line::Rejected(line) => i64::try_from(line.line).ok(),
                // A transaction does not say where it stood; our list does.
                Line::Transaction(_) | Line::NotData(_) => None,
            };
            if let Some(number) = number.filter(|number| open.contains_key(number)) {
                self.sort(line, number, None, &mut found);
            }
        })?;
        if i64::try_from(lines).ok() == Some(self.mending.import.findings.lines_read) {
            Ok(found)
        } else {
            Err(MendError::NotWhole)
        }
    }

    /// Files a line that was read under its number in the import's own file.
    fn sort(&self, line: Line, number: i64, text: Option<&String>, found: &mut Found) {
        let own = |mut row: Box<LedgerLine>| {
            row.line_number = Some(number);
            // The shopper was blotted out when the line was kept: nobody, not somebody of that name.
            let provider = row.provider.map(|word| word.as_str().to_owned()).unwrap_or_default();
            let nobody = self.pseudonyms.of("customer", &provider, BLOTTED);
            row.customer = row.customer.filter(|customer| *customer != nobody);
            *row
        };
        match line {
            Line::Row(row) => found.rows.push(own(row)),
            Line::Witness(row) => found.witnesses.push(own(row)),
            Line::Transaction(row) => found.transactions.push(*row),
            Line::Rejected(line) => {
                let mut row = row_of(line);
                row.line = number;
                // What the person wrote is what they will want to go on from.
                row.raw = row.raw.and_then(|raw| text.cloned().or(Some(raw)));
                found.still.insert(number, row);
                return;
            }
            Line::NotData(_) => return,
        }
        found.mended.push(number);
    }

    /// Gives every line behind the header to `each`; says how many lines there are in all. The end is not held against a
    /// summary: these are some of a file's lines, or changed ones.
    fn each_line(&self, spool: &Spool, mut each: impl FnMut(Line)) -> Result<u64, MendError> {
        let head = spool.head(HEAD_LINES_MAX).map_err(ImportError::from)?;
        let format = recognise(&head)?;
        let hints = FileHints::default();
        let context = BillContext {
            store: self.mending.import.store,
            now: self.mending.now,
            file: &self.mending.import.sha256,
            pseudonyms: &self.pseudonyms,
            hints: &hints,
        };
        let (mut behind, mut lines) = (false, 0);
        let outcome = read_bill(spool, format, &context, |line, _| {
            lines += 1;
            match line {
                Line::NotData(NotData::Header) => behind = true,
                line if behind => each(line),
                _ => {}
            }
            Ok(())
        });
        match outcome {
            Err(SpoolError::Refused(Refusal::SummaryMissing | Refusal::TotalsDiffer { .. })) | Ok(_) => {
                Ok(lines)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Our own list of rejected lines, if it is one: numbers and lines.
fn own_list(spool: &Spool) -> Result<Option<Vec<(i64, String)>>, MendError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(
        spool
            .reader()
            .map_err(ImportError::from)?
            .take(u64::try_from(REJECTED_KEPT_MAX).unwrap_or(0) * 4_096),
    );
    let mut lines = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else { return Ok(None) };
        let number = record.get(LIST_LINE).and_then(|cell| cell.trim().parse().ok());
        let code = record.get(LIST_CODE).unwrap_or_default().trim();
        let is_known = RejectCode::ALL.iter().any(|known| known.as_str() == code);
        match number {
            Some(number) if record.len() == LIST_COLUMNS && is_known && lines.len() < REJECTED_KEPT_MAX => {
                let raw = record.get(LIST_RAW).unwrap_or_default();
                // The mark that keeps a spreadsheet from taking a cell for a formula.
                lines.push((number, raw.strip_prefix('\'').unwrap_or(raw).trim().to_owned()));
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(lines).filter(|lines| !lines.is_empty()))
}
