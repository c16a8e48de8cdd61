//! One file, from its bytes to the inbox: examined whole, then taken in, in chunks.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::bills::{
    BillContext, Examined, FileHints, HEAD_LINES_MAX, Line, LineCounts, NotData, Opening, Refusal,
    RejectedLine, Spool, SpoolError, TotalsCheck, encoding_of, read_bill, recognise,
};
use super::import_days::ImportDays;
use super::mapping::{Mapped, Mapping, MappingContext, choose, read_mapped};
use super::mending::HEAD_BYTES_MAX;
use super::rejected::{REJECTED_KEPT_MAX, RejectedRow, row_of, sealed};
use super::{Intake, IntakeError, Pseudonyms};
use crate::domain::{Instant, LedgerLine, StoreId, Transaction, import_feed};
use crate::store::{
    Database, ImportDraft, ImportFindings, ImportRecord, ImportState, SealError, StoreError, Withdrawal,
};

/// Ledger lines that go to the inbox at once.
const LINES_PER_CHUNK: usize = 10_000;
/// Transactions that go to the inbox at once; each may carry a basket.
const TRANSACTIONS_PER_CHUNK: usize = 2_000;
/// While a file is examined, so many bytes lie between two words of how far it is.
const TELL_AFTER_BYTES: u64 = 4 << 20;
/// Millionths of a whole file.
const PPM_WHOLE: i64 = 1_000_000;
/// Times that a full queue is waited for.
const QUEUE_TRIES_MAX: u32 = 120;
/// Characters of a file name that are kept.
pub const FILE_NAME_CHARS_MAX: usize = 200;

/// A file to take in.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    pub store: StoreId,
    pub path: PathBuf,
    /// For people; never used as a path.
    pub file_name: String,
    /// Text of a mapping file, for files that are no known bill.
    pub mapping: Option<String>,
    /// What some formats do not say.
    pub hints: FileHints,
    /// Folder for the unpacked text while it is read.
    pub scratch: PathBuf,
    pub now: Instant,
}

/// What happened to a file that was handed in.
#[derive(Debug)]
pub enum Begun {
    /// To be run now.
    Started(Box<Import>),
    /// The same file was taken in before, as this import; nothing changes.
    Already(i64),
    /// The same file is being read at this moment, as this import.
    Running(i64),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Millionths of the file.
    pub ppm: i64,
    /// Records that are durable.
    pub rows: i64,
}

/// Why an import did not come to its end on our side. A file that is not taken is no error: see [`ImportState`].
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("reading the file: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the reading thread died: {0}")]
    Thread(#[from] tokio::task::JoinError),
    #[error("import {0} is not there any more")]
    Lost(i64),
}

/// Imports that run in this process, so that a second click does not read the file twice.
static RUNNING: LazyLock<Mutex<BTreeSet<RunningKey>>> = LazyLock::new(Mutex::default);

/// One door (by its address), store, file, mapping.
type RunningKey = (usize, i64, String, String);

/// Takes the key out again when the import ends, however it ends.
#[derive(Debug)]
struct Running(RunningKey);

impl Running {
    fn claim(key: RunningKey) -> Option<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(key.clone()).then(|| Self(key))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// An import that has its number and has not begun to read.
#[derive(Debug)]
pub struct Import {
    pub id: i64,
    request: ImportRequest,
    sha256: String,
    _running: Running,
}

/// Notes the file as an import, unless it was taken in before.
///
/// # Errors
/// [`ImportError::Refused`] for a folder; what disk and database say.
pub async fn begin_import(
    intake: &Intake,
    database: &Database,
    request: ImportRequest,
) -> Result<Begun, ImportError> {
    let path = request.path.clone();
    let (sha256, size_bytes) = tokio::task::spawn_blocking(move || hash_of(&path)).await??;
    begin_import_of(intake, database, request, sha256, size_bytes).await
}

/// The same of a file that was handed in in another form (locked, packed), whose hash and size these are.
///
/// # Errors
/// As [`begin_import`].
pub async fn begin_import_of(
    intake: &Intake,
    database: &Database,
    request: ImportRequest,
    sha256: String,
    size_bytes: i64,
) -> Result<Begun, ImportError> {
    let request = with_saved_mapping(database, request).await?;
    let mapping_sha256 = hash_of_mapping(request.mapping.as_deref());
    let draft = ImportDraft {
        store: request.store,
        sha256: sha256.clone(),
        mapping_sha256: mapping_sha256.clone(),
        file_name: request.file_name.chars().take(FILE_NAME_CHARS_MAX).collect(),
        size_bytes,
    };
    let key = key_of(intake, request.store, &sha256, &mapping_sha256);
    let known = database.find_import(&draft).await?;
    let Some(running) = Running::claim(key) else {
        return Ok(Begun::Running(known.map_or(0, |known| known.id)));
    };
    if let Some(known) = known {
        match database.withdrawal_of(known.id).await? {
            None if known.state == ImportState::Done => return Ok(Begun::Already(known.id)),
            // Its rows are being taken out: those that came now would go with them.
            Some(Withdrawal { done_at: None, .. }) => return Ok(Begun::Running(known.id)),
            _ => {}
        }
    }
    let id = database.begin_import(&draft, request.now).await?;
    Ok(Begun::Started(Box::new(Import { id, request, sha256, _running: running })))
}

/// The import of this very file with this mapping into this store, whatever became of it; `None` once it was undone.
///
/// # Errors
/// What the database says.
pub async fn known_import(
    database: &Database,
    store: StoreId,
    sha256: &str,
    mapping: Option<&str>,
) -> Result<Option<ImportRecord>, StoreError> {
    let draft = ImportDraft {
        store,
        sha256: sha256.to_owned(),
        mapping_sha256: hash_of_mapping(mapping),
        file_name: String::new(),
        size_bytes: 0,
    };
    let Some(known) = database.find_import(&draft).await? else { return Ok(None) };
    let withdrawal = database.withdrawal_of(known.id).await?;
    Ok(withdrawal.is_none_or(|withdrawal| withdrawal.done_at.is_none()).then_some(known))
}

fn hash_of_mapping(mapping: Option<&str>) -> String {
    mapping.map_or_else(String::new, |text| hex(&Sha256::digest(text)))
}

/// The request with the one of the store's saved mappings that its file is for, when the person named none.
///
/// # Errors
/// [`ImportError`]: what disk and database say.
pub async fn with_saved_mapping(
    database: &Database,
    request: ImportRequest,
) -> Result<ImportRequest, ImportError> {
    if request.mapping.is_some() || request.path.is_dir() {
        return Ok(request);
    }
    let saved = database.saved_mappings(request.store).await?;
    if saved.is_empty() {
        return Ok(request);
    }
    let (path, scratch) = (request.path.clone(), request.scratch.clone());
    let mapping = tokio::task::spawn_blocking(move || choose(&path, &scratch, &saved)).await??;
    Ok(ImportRequest { mapping, ..request })
}

/// True while this process reads the file; an import that says "running" without it was interrupted.
pub fn is_running(intake: &Intake, record: &ImportRecord) -> bool {
    let key = key_of(intake, record.store, &record.sha256, &record.mapping_sha256);
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
}

fn key_of(intake: &Intake, store: StoreId, sha256: &str, mapping_sha256: &str) -> RunningKey {
    (std::ptr::from_ref(intake).addr(), store.0, sha256.to_owned(), mapping_sha256.to_owned())
}

/// Takes a file in and waits for its end.
///
/// # Errors
/// [`ImportError`]; what was taken in before it stays, and the same file again is safe.
pub async fn import_file(
    intake: &Intake,
    database: &Database,
    pseudonyms: Arc<Pseudonyms>,
    request: ImportRequest,
    progress: impl Fn(Progress) + Send,
) -> Result<(Begun, Option<ImportRecord>), ImportError> {
    match begin_import(intake, database, request).await? {
        Begun::Started(import) => {
            let id = import.id;
            let record = import.run(intake, database, pseudonyms, progress).await?;
            Ok((Begun::Already(id), Some(record)))
        }
        begun @ (Begun::Already(_) | Begun::Running(_)) => Ok((begun, None)),
    }
}

/// What the reading thread sends.
enum Message {
    Rejected(Vec<RejectedRow>),
    /// The text up to the end of the header: by it a line that was mended is read.
    Head(String),
    Lines(Vec<LedgerLine>, u64),
    Witnesses(Vec<LedgerLine>, u64),
    Transactions(Vec<Transaction>, u64),
    /// How much of the text was examined; nothing of it is taken in yet.
    Examined(u64),
    /// Length of the text, once it is unpacked.
    Length(u64),
}

/// How much of an import's way the taking in is: half, where a long file was examined before.
#[derive(Clone, Copy)]
enum Share {
    Whole,
    Half,
}

impl Share {
    const fn of(self, ppm: i64) -> i64 {
        match self {
            Self::Whole => ppm,
            Self::Half => i64::midpoint(PPM_WHOLE, ppm),
        }
    }
}

/// What of an import is durable.
#[derive(Default)]
struct SoFar {
    rows: i64,
    days: ImportDays,
}

impl Import {
    /// Reads the file and takes its rows in. A file that is not taken ends as [`ImportState::Refused`].
    ///
    /// # Errors
    /// [`ImportError`]; the import is then noted as failed where that is possible.
    pub async fn run(
        self,
        intake: &Intake,
        database: &Database,
        pseudonyms: Arc<Pseudonyms>,
        progress: impl Fn(Progress) + Send,
    ) -> Result<ImportRecord, ImportError> {
        let (send, receive) = mpsc::channel(2);
        let reading =
            Reading { request: self.request.clone(), sha256: self.sha256.clone(), pseudonyms, send };
        let pseudonyms = Arc::clone(&reading.pseudonyms);
        let reader = tokio::task::spawn_blocking(move || reading.run());
        let mut so_far = SoFar::default();
        let taken = self.take_in(intake, database, &pseudonyms, receive, progress, &mut so_far).await;
        let SoFar { rows, days } = so_far;
        let (mut findings, outcome) = match reader.await {
            Ok(read) => read,
            Err(died) => {
                let findings = ImportFindings { rows, ..ImportFindings::default() };
                database.finish_import(self.id, ImportState::Failed, &findings, self.request.now).await?;
                return Err(died.into());
            }
        };
        let state = match (&taken, outcome) {
            (Ok(()), Ok(())) => ImportState::Done,
            (Ok(()), Err(SpoolError::Refused(refusal))) => {
                refusal.code().clone_into(&mut findings.code);
                findings.sentence_en = refusal.sentence_en();
                findings.sentence_zh = refusal.sentence_zh();
                ImportState::Refused
            }
            (Err(_), _) | (_, Err(SpoolError::Io(_))) => ImportState::Failed,
        };
        // What was taken in before something failed is there, and counted.
        findings.rows = rows;
        database.note_import_days(self.id, &days.into_days()).await?;
        database.finish_import(self.id, state, &findings, self.request.now).await?;
        taken?;
        database.import(self.id).await?.ok_or(ImportError::Lost(self.id))
    }

    /// Makes durable what the reading thread sends, and counts it, also when it ends with an error.
    async fn take_in(
        &self,
        intake: &Intake,
        database: &Database,
        pseudonyms: &Pseudonyms,
        mut receive: mpsc::Receiver<Message>,
        progress: impl Fn(Progress) + Send,
        so_far: &mut SoFar,
    ) -> Result<(), ImportError> {
        let feed = import_feed(self.id);
        let (mut length, mut share) = (0, Share::Whole);
        while let Some(message) = receive.recv().await {
            let (position, accepted) = match message {
                Message::Length(bytes) => {
                    length = bytes;
                    continue;
                }
                Message::Examined(position) => {
                    share = Share::Half;
                    let ppm = ppm_of(position, length) / 2;
                    database.progress_import(self.id, ppm).await?;
                    progress(Progress { ppm, rows: so_far.rows });
                    continue;
                }
                Message::Rejected(lines) => {
                    database.add_rejected_rows(self.id, &sealed(pseudonyms, self.id, &lines)?).await?;
                    continue;
                }
                Message::Head(head) => {
                    database.note_import_head(self.id, &head).await?;
                    continue;
                }
                Message::Lines(lines, position) => {
                    for line in &lines {
                        so_far.days.add(line);
                    }
                    (position, patiently(|| intake.accept_ledger_lines(feed, lines.clone())).await?)
                }
                Message::Witnesses(lines, position) => {
                    for line in &lines {
                        so_far.days.add(line);
                    }
                    (position, patiently(|| intake.accept_ledger_witnesses(feed, lines.clone())).await?)
                }
                Message::Transactions(chunk, position) => {
                    (position, patiently(|| intake.accept_transactions(feed, chunk.clone())).await?)
                }
            };
            let count = i64::try_from(accepted.rows).unwrap_or(i64::MAX);
            so_far.rows += count;
            let ppm = share.of(ppm_of(position, length));
            if let Some(seq) = accepted.inbox_seq {
                database.add_import_batch(self.id, seq, count, ppm).await?;
            }
            progress(Progress { ppm, rows: so_far.rows });
        }
        Ok(())
    }
}

/// Takes rows of an import in that were rejected before and are right now.
///
/// # Errors
/// [`ImportError`]; a part may have gone in, and again is safe.
pub async fn take_rows(
    intake: &Intake,
    database: &Database,
    import: i64,
    rows: Vec<LedgerLine>,
    witnesses: Vec<LedgerLine>,
    transactions: Vec<Transaction>,
) -> Result<(), ImportError> {
    let feed = import_feed(import);
    let accepted = [
        patiently(|| intake.accept_ledger_lines(feed, rows.clone())).await?,
        patiently(|| intake.accept_ledger_witnesses(feed, witnesses.clone())).await?,
        patiently(|| intake.accept_transactions(feed, transactions.clone())).await?,
    ];
    for accepted in accepted {
        if let Some(seq) = accepted.inbox_seq {
            let count = i64::try_from(accepted.rows).unwrap_or(i64::MAX);
            database.add_import_batch(import, seq, count, PPM_WHOLE).await?;
        }
    }
    Ok(())
}

/// Tries again while the queue is full: a file can wait, its sender cannot send it in smaller pieces.
async fn patiently<F, T>(mut accept: impl FnMut() -> F) -> Result<T, IntakeError>
where
    F: Future<Output = Result<T, IntakeError>>,
{
    let mut tries = 0;
    loop {
        match accept().await {
            Err(IntakeError::QueueFull { retry_after_s }) if tries < QUEUE_TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(Duration::from_secs(retry_after_s)).await;
            }
            answer => return answer,
        }
    }
}

fn ppm_of(position: u64, length: u64) -> i64 {
    let whole = u128::from(length.max(1));
    i64::try_from(u128::from(position) * 1_000_000 / whole).unwrap_or(1_000_000).min(1_000_000)
}

/// The blocking side: reads, judges, sends.
struct Reading {
    request: ImportRequest,
    sha256: String,
    pseudonyms: Arc<Pseudonyms>,
    send: mpsc::Sender<Message>,
}

impl Reading {
    fn run(self) -> (ImportFindings, Result<(), SpoolError>) {
        let mut findings = ImportFindings::default();
        let outcome = self.read(&mut findings);
        (findings, outcome)
    }

    fn read(&self, findings: &mut ImportFindings) -> Result<(), SpoolError> {
        let mapping = self.request.mapping.as_deref().map(Mapping::parse).transpose()?;
        let expected = mapping.as_ref().and_then(|mapping| encoding_of(mapping.encoding.as_deref()?));
        let fits = |head: &[String]| mapping.as_ref().is_some_and(|mapping| mapping.fits(head));
        let opening = Opening { encoding: expected, fits: Some(&fits), password: None };
        let spool = Spool::open(&self.request.path, &self.request.scratch, opening)?;
        spool.encoding.clone_into(&mut findings.encoding);
        self.send(Message::Length(spool.bytes))?;
        match &mapping {
            Some(mapping) => self.read_mapped(&spool, mapping, findings),
            None => self.read_bill(&spool, findings),
        }
    }

    /// Twice: first the whole file is examined, so that one that does not add up leaves nothing behind.
    fn read_bill(&self, spool: &Spool, findings: &mut ImportFindings) -> Result<(), SpoolError> {
        let format = recognise(&spool.head(HEAD_LINES_MAX)?)?;
        let context = BillContext {
            store: self.request.store,
            now: self.request.now,
            file: &self.sha256,
            pseudonyms: &self.pseudonyms,
            hints: &self.request.hints,
        };
        let (mut rejected, mut head, mut told) = (Vec::new(), HeadFinder::default(), 0);
        let examined = read_bill(spool, format, &context, |line, position| {
            head.see(&line, position);
            if position - told > TELL_AFTER_BYTES {
                told = position;
                self.give(Message::Examined(position))?;
            }
            if let Line::Rejected(line) = line {
                keep(&mut rejected, line);
            }
            Ok(())
        })?;
        note(findings, examined);
        if let Some(head) = head.text(spool)?.filter(|_| !rejected.is_empty()) {
            self.send(Message::Head(head))?;
        }
        self.send(Message::Rejected(rejected))?;
        let mut chunks = Chunks::default();
        read_bill(spool, format, &context, |line, position| {
            chunks.take(line, position).map_or(Ok(()), |full| self.give(full))
        })?;
        for rest in chunks.rest(spool.bytes) {
            self.send(rest)?;
        }
        Ok(())
    }

    fn read_mapped(
        &self,
        spool: &Spool,
        mapping: &Mapping,
        findings: &mut ImportFindings,
    ) -> Result<(), SpoolError> {
        let context = MappingContext {
            store: self.request.store,
            now: self.request.now,
            file: &self.sha256,
            pseudonyms: &self.pseudonyms,
        };
        mapping.provider.clone().unwrap_or_default().clone_into(&mut findings.provider);
        mapping.name.chars().take(100).collect::<String>().clone_into(&mut findings.variant);
        let (mut chunks, mut rejected) = (Chunks::default(), Vec::new());
        let mut days: Option<(chrono::NaiveDate, chrono::NaiveDate)> = None;
        let lines = read_mapped(spool, mapping, &context, |mapped, position| {
            let (line, day) = match mapped {
                Mapped::Rejected(line) => {
                    keep(&mut rejected, line);
                    return Ok(());
                }
                Mapped::Transaction(row) => {
                    let day = row.created_at.with_timezone(&mapping.zone).date_naive();
                    (Line::Transaction(row), Some(day))
                }
                Mapped::Line(row) => {
                    let day = row.source_day;
                    (Line::Row(row), day)
                }
            };
            if let Some(day) = day {
                days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
            }
            chunks.take(line, position).map_or(Ok(()), |full| self.give(full))
        })?;
        findings.days = days;
        TotalsCheck::NoSummary.as_str().clone_into(&mut findings.totals);
        count(findings, lines);
        self.send(Message::Rejected(rejected))?;
        for rest in chunks.rest(spool.bytes) {
            self.send(rest)?;
        }
        Ok(())
    }

    fn send(&self, message: Message) -> Result<(), SpoolError> {
        self.give(message).map_err(SpoolError::from)
    }

    /// The other side has gone when it met an error of its own; that one is told, this one ends the reading.
    fn give(&self, message: Message) -> Result<(), Refusal> {
        self.send.blocking_send(message).map_err(|_| Refusal::CutOff)
    }
}

/// Rows on their way to the inbox, by what becomes of them.
#[derive(Default)]
struct Chunks {
    lines: Vec<LedgerLine>,
    witnesses: Vec<LedgerLine>,
    transactions: Vec<Transaction>,
}

impl Chunks {
    /// Puts a line to its like; gives a chunk out when it is full.
    fn take(&mut self, line: Line, position: u64) -> Option<Message> {
        match line {
            Line::Row(row) => self.lines.push(*row),
            Line::Witness(row) => self.witnesses.push(*row),
            Line::Transaction(row) => self.transactions.push(*row),
            Line::Rejected(_) | Line::NotData(_) => return None,
        }
        if self.lines.len() >= LINES_PER_CHUNK {
            return Some(Message::Lines(std::mem::take(&mut self.lines), position));
        }
        if self.witnesses.len() >= LINES_PER_CHUNK {
            return Some(Message::Witnesses(std::mem::take(&mut self.witnesses), position));
        }
        (self.transactions.len() >= TRANSACTIONS_PER_CHUNK)
            .then(|| Message::Transactions(std::mem::take(&mut self.transactions), position))
    }

    /// What is left at the end.
    fn rest(self, position: u64) -> [Message; 3] {
        [
            Message::Lines(self.lines, position),
            Message::Witnesses(self.witnesses, position),
            Message::Transactions(self.transactions, position),
        ]
    }
}

fn note(findings: &mut ImportFindings, examined: Examined) {
    examined.provider.clone_into(&mut findings.provider);
    findings.variant = examined.about.variant;
    examined.totals.as_str().clone_into(&mut findings.totals);
    findings.days = examined.days;
    count(findings, examined.lines);
}

fn keep(rejected: &mut Vec<RejectedRow>, line: RejectedLine) {
    if rejected.len() < REJECTED_KEPT_MAX {
        rejected.push(row_of(line));
    }
}

/// Finds where the header of a file ends.
#[derive(Default)]
struct HeadFinder {
    end: Option<u64>,
}

impl HeadFinder {
    fn see(&mut self, line: &Line, position: u64) {
        if self.end.is_none() && matches!(line, Line::NotData(NotData::Header)) {
            self.end = Some(position);
        }
    }

    /// The text up to there; `None` for files without a header, and with one that is too long to keep.
    fn text(&self, spool: &Spool) -> io::Result<Option<String>> {
        let Some(end) = self.end.filter(|end| *end <= HEAD_BYTES_MAX) else { return Ok(None) };
        let mut bytes = Vec::new();
        spool.reader()?.take(end).read_to_end(&mut bytes)?;
        Ok(String::from_utf8(bytes).ok())
    }
}

fn count(findings: &mut ImportFindings, lines: LineCounts) {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    findings.lines_read = number(lines.read);
    findings.lines_accepted = number(lines.accepted);
    findings.lines_rejected = number(lines.rejected);
    findings.lines_not_data = number(lines.not_data());
}

/// SHA-256 and size of a file.
///
/// # Errors
/// [`Refusal::Directory`] for a folder; what the disk says.
pub fn hash_of(path: &Path) -> Result<(String, i64), ImportError> {
    if path.is_dir() {
        return Err(Refusal::Directory.into());
    }
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let (mut step, mut bytes) = (vec![0_u8; 64 << 10], 0_i64);
    loop {
        let read = file.read(&mut step)?;
        if read == 0 {
            return Ok((hex(&hasher.finalize()), bytes));
        }
        hasher.update(&step[..read]);
        bytes += i64::try_from(read).unwrap_or(0);
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
