//! What a file is and what would come of it, found without taking anything in.
//!
//! The file is read to its end as an import would read it, so what is said here is what will happen; memory stays flat:
//! sums, a few rows, and the identities of so many rows as can be looked up at little cost.

mod findings;
mod known;
mod shift;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::Pseudonyms;
use super::bills::{
    About, BillContext, HEAD_LINES_MAX, Line, LineCounts, Opening, Refusal, Spool, SpoolError, TotalsCheck,
    encoding_of, read_bill, recognise,
};
use super::import::{ImportError, ImportRequest, with_saved_mapping};
use super::mapping::{Mapped, Mapping, MappingContext, read_mapped};
use crate::analytics::Snapshot;
use crate::domain::StoreId;
use crate::lake::Lake;
use crate::store::{Database, StoreError};
pub use findings::{
    AccountFound, Diagnosis, KindSum, KnownRows, LinesFound, Refused, RejectedFound, SampleRow, SummaryTotal,
    Warning,
};
use known::known_rows;
use shift::{Probe, shift_of};
pub use tally::SAMPLE_ROWS_MAX;
use tally::{Keys, Tally};

/// The feed under which files come in.
pub const FEED: &str = "import";
/// The account of rows that name none.
const ACCOUNT_NOT_GIVEN: &str = "default";

/// What a diagnosis is held against.
#[derive(Clone)]
pub struct Examiner {
    pub database: Database,
    pub lake: Arc<Lake>,
    pub snapshot: Arc<Snapshot>,
    pub pseudonyms: Arc<Pseudonyms>,
}

impl Examiner {
    /// Reads the file of a request to its end and says what it is. A file that is not taken is no error: see
    /// [`Diagnosis::refusal`]. `position` is told how many millionths are read.
    ///
    /// # Errors
    /// [`ImportError`]: what disk and database say.
    pub async fn examine(
        &self,
        request: ImportRequest,
        position: Arc<AtomicI64>,
    ) -> Result<Diagnosis, ImportError> {
        let request = with_saved_mapping(&self.database, request).await?;
        let store = request.store;
        let pseudonyms = Arc::clone(&self.pseudonyms);
        let reading = move || read(&request, &pseudonyms, &position);
        let (mut diagnosis, keys, probes) = tokio::task::spawn_blocking(reading).await??;
        if diagnosis.refusal.is_none() {
            self.compare(store, keys, probes, &mut diagnosis).await?;
        }
        Ok(diagnosis)
    }

    /// Holds what was found against what is here.
    async fn compare(
        &self,
        store: StoreId,
        keys: Option<Keys>,
        probes: Vec<Probe>,
        diagnosis: &mut Diagnosis,
    ) -> Result<(), ImportError> {
        if let Some(keys) = keys {
            let (lake, snapshot) = (Arc::clone(&self.lake), Arc::clone(&self.snapshot));
            diagnosis.known =
                tokio::task::spawn_blocking(move || known_rows(&lake, &snapshot, store, &keys)).await?;
        }
        let (lake, snapshot) = (Arc::clone(&self.lake), Arc::clone(&self.snapshot));
        let looking = move || shift_of(&lake, &snapshot, store, &probes);
        match tokio::task::spawn_blocking(looking).await? {
            Ok(shift) => diagnosis.warnings.extend(shift),
            Err(error) => tracing::warn!(%error, "times of an upload cannot be compared with what is here"),
        }
        for found in diagnosis.accounts.clone() {
            if let Some(other) = self.other_store_of(store, &found).await? {
                let AccountFound { provider, account } = found;
                diagnosis.warnings.push(Warning::AccountElsewhere { provider, account, store: other.0 });
            }
        }
        Ok(())
    }

    /// Another store that has bills of this account, where this one has none. `default` names no account.
    async fn other_store_of(
        &self,
        store: StoreId,
        found: &AccountFound,
    ) -> Result<Option<StoreId>, StoreError> {
        if found.account == ACCOUNT_NOT_GIVEN {
            return Ok(None);
        }
        let stores = self.database.stores_of_account(&found.provider, &found.account).await?;
        Ok(stores.iter().copied().find(|_| !stores.contains(&store)))
    }
}

/// Reads and sums up; the identities are given where they are few enough.
fn read(
    request: &ImportRequest,
    pseudonyms: &Pseudonyms,
    position: &AtomicI64,
) -> Result<(Diagnosis, Option<Keys>, Vec<Probe>), ImportError> {
    let mut diagnosis = Diagnosis::default();
    let mut tally = Tally::default();
    let outcome = read_into(request, pseudonyms, position, &mut diagnosis, &mut tally);
    match outcome {
        Ok(()) => {}
        Err(SpoolError::Refused(refusal)) => diagnosis.refusal = Some(Refused::of(&refusal)),
        Err(SpoolError::Io(error)) => return Err(error.into()),
    }
    let probes = tally.take_probes();
    let keys = tally.finish(&mut diagnosis);
    Ok((diagnosis, keys, probes))
}

impl SummaryTotal {
    fn of(name: &str, printed: &str, computed: &str) -> Self {
        let (name, printed, computed) = (name.to_owned(), printed.to_owned(), computed.to_owned());
        Self { matches: printed == computed, name, printed, computed: Some(computed) }
    }
}

impl Refused {
    /// The refusal's code and sentences.
    pub fn of(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code().to_owned(),
            sentence: refusal.sentence_en(),
            sentence_zh: refusal.sentence_zh(),
        }
    }
}

fn read_into(
    request: &ImportRequest,
    pseudonyms: &Pseudonyms,
    position: &AtomicI64,
    diagnosis: &mut Diagnosis,
    tally: &mut Tally,
) -> Result<(), SpoolError> {
    let mapping = request.mapping.as_deref().map(Mapping::parse).transpose()?;
    let expected = mapping.as_ref().and_then(|mapping| encoding_of(mapping.encoding.as_deref()?));
    let fits = |head: &[String]| mapping.as_ref().is_some_and(|mapping| mapping.fits(head));
    let opening = Opening { encoding: expected, fits: Some(&fits), password: None };
    let spool = Spool::open(&request.path, &request.scratch, opening)?;
    spool.encoding.clone_into(&mut diagnosis.encoding);
    let told = |reached: u64| position.store(ppm_of(reached, spool.bytes), Ordering::Relaxed);
    if let Some(mapping) = &mapping {
        diagnosis.mapped = true;
        mapping.provider.clone().unwrap_or_default().clone_into(&mut diagnosis.provider);
        diagnosis.variant = mapping.name.chars().take(100).collect();
        mapping.zone.name().clone_into(&mut diagnosis.zone);
        TotalsCheck::NoSummary.as_str().clone_into(&mut diagnosis.totals);
        return read_by_mapping(&spool, mapping, request, pseudonyms, diagnosis, tally, told);
    }
    let format = recognise(&spool.head(HEAD_LINES_MAX)?)?;
    let context =
        BillContext { store: request.store, now: request.now, file: "", pseudonyms, hints: &request.hints };
    let mut lines = LinesFound::default();
    let examined = read_bill(&spool, format, &context, |line, reached| {
        told(reached);
        take(line, &mut lines, tally);
        Ok(())
    });
    diagnosis.lines = lines;
    if let Err(SpoolError::Refused(Refusal::TotalsDiffer { what, printed, computed })) = &examined {
        diagnosis.summary.push(SummaryTotal::of(what, printed, computed));
    }
    let examined = examined?;
    examined.provider.clone_into(&mut diagnosis.provider);
    examined.totals.as_str().clone_into(&mut diagnosis.totals);
    diagnosis.days = examined.days;
    let About { variant, zone, unread_columns, controls } = examined.about;
    diagnosis.variant = variant;
    diagnosis.zone = zone;
    diagnosis.columns_unread = unread_columns;
    let totals = controls.iter().map(|one| SummaryTotal::of(&one.what, &one.printed, &one.computed));
    diagnosis.summary.extend(totals);
    Ok(())
}

fn take(line: Line, lines: &mut LinesFound, tally: &mut Tally) {
    lines.read += 1;
    match line {
        Line::Row(row) => tally.add_ledger_line(&row, false),
        Line::Witness(row) => tally.add_ledger_line(&row, true),
        Line::Transaction(row) => tally.add_transaction(&row),
        Line::Rejected(line) => {
            lines.rejected += 1;
            return tally.add_rejected(&line);
        }
        Line::NotData(_) => {
            lines.not_data += 1;
            return;
        }
    }
    lines.accepted += 1;
}

fn read_by_mapping(
    spool: &Spool,
    mapping: &Mapping,
    request: &ImportRequest,
    pseudonyms: &Pseudonyms,
    diagnosis: &mut Diagnosis,
    tally: &mut Tally,
    told: impl Fn(u64),
) -> Result<(), SpoolError> {
    let context = MappingContext { store: request.store, now: request.now, file: "", pseudonyms };
    let days = &mut diagnosis.days;
    let counts = read_mapped(spool, mapping, &context, |mapped, reached| {
        told(reached);
        match mapped {
            Mapped::Rejected(line) => tally.add_rejected(&line),
            Mapped::Line(row) => {
                if let Some(day) = row.source_day {
                    *days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
                }
                tally.add_ledger_line(&row, false);
            }
            Mapped::Transaction(row) => {
                let day = row.created_at.with_timezone(&mapping.zone).date_naive();
                *days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
                tally.add_transaction(&row);
            }
        }
        Ok(())
    })?;
    diagnosis.lines = lines_of(counts);
    Ok(())
}

const fn lines_of(counts: LineCounts) -> LinesFound {
    LinesFound {
        read: counts.read,
        accepted: counts.accepted,
        rejected: counts.rejected,
        not_data: counts.not_data(),
    }
}

fn ppm_of(reached: u64, whole: u64) -> i64 {
    let ppm = u128::from(reached) * 1_000_000 / u128::from(whole.max(1));
    i64::try_from(ppm).unwrap_or(1_000_000).min(1_000_000)
}
