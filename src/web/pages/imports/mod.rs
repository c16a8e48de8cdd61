//! Did my file go in right? Upload, result, rejected lines.

mod api;
mod arrivals;
mod events;
mod mappings;
mod mend;
mod pending;
mod undo;
mod upload;
mod waiting;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;
use tempfile::TempPath;

use crate::domain::Store;
use crate::intake::import::{Begun, Import, ImportError, ImportRequest, begin_import, is_running};
use crate::intake::rejected::{REJECTED_KEPT_MAX, RejectedError, RejectedRow, rejected_rows};
use crate::store::{ImportOutcome, ImportRecord, ImportState, PendingImport};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;
use crate::web::texts::Language;
use arrivals::{Standing, Strip};
use undo::Undo;
use upload::{UPLOAD_BYTES_MAX, Upload, UploadError, UploadFault};

/// Imports in the list.
const LISTED_MAX: i64 = 100;
/// Rejected lines on the page; the CSV file has all that are kept.
const REJECTED_SHOWN_MAX: i64 = 50;

#[derive(Template)]
#[template(path = "pages/imports.html")]
struct ImportsPage {
    page: Page,
    /// Stores to choose from where the page shows all of them.
    stores: Vec<Store>,
    imports: Vec<Listed>,
    waiting: Vec<Waiting>,
    strips: Vec<Strip>,
    size_max: String,
    /// What was wrong with the upload that this page answers.
    fault: Option<UploadFault>,
    /// True when a file was discarded just now.
    discarded: bool,
}

/// A file that waits for a yes.
struct Waiting {
    pending: PendingImport,
    store_slug: String,
    zone: Tz,
}

/// An import in the list.
struct Listed {
    record: ImportRecord,
    store_slug: String,
    store_name: String,
    zone: Tz,
    tag: Tag,
}

#[derive(Template)]
#[template(path = "pages/import.html")]
struct ImportPage {
    page: Page,
    record: ImportRecord,
    outcome: ImportOutcome,
    rejected: Vec<RejectedRow>,
    /// How many rejected lines were mended.
    mended: i64,
    /// What came of lines that were just handed in again.
    mending: Option<String>,
    mend_fault: Option<String>,
    zone: Tz,
    tag: Tag,
    already: bool,
    sentence: String,
    period: String,
    /// Reload until it has ended and is folded, and until it is undone.
    refresh: bool,
    undo: Undo,
    /// True when the number that was typed to undo it was another one.
    unsure: bool,
}

/// How an import stands, as a mark.
struct Tag {
    class: &'static str,
    key: &'static str,
}

fn tag_of(state: &AppState, record: &ImportRecord) -> Tag {
    let (class, key) = match record.state {
        ImportState::Running if is_under_way(state, record) => ("", "imports-state-running"),
        ImportState::Running => ("warn", "imports-state-interrupted"),
        ImportState::Done if record.findings.lines_rejected > 0 => ("warn", "imports-state-partly"),
        ImportState::Done => ("good", "imports-state-done"),
        ImportState::Refused => ("bad", "imports-state-refused"),
        ImportState::Failed => ("bad", "imports-state-failed"),
    };
    Tag { class, key }
}

impl ImportPage {
    fn totals(&self) -> String {
        match self.record.findings.totals.as_str() {
            "matched" => self.page.t("imports-totals-matched"),
            "not_comparable" => self.page.t("imports-totals-not-comparable"),
            "no_summary" => self.page.t("imports-totals-none"),
            _ => String::new(),
        }
    }

    fn reason(&self, row: &RejectedRow) -> String {
        reason(&self.page, row)
    }

    fn variant(&self) -> String {
        variant_words(&self.page, &self.record.findings.provider, &self.record.findings.variant)
    }
}

/// Why a line was rejected, in the reader's language.
fn reason(page: &Page, row: &RejectedRow) -> String {
    reason_of(page, &row.code, &row.sentence)
}

/// A reason by its code; what it quotes is taken from the sentence.
fn reason_of(page: &Page, code: &str, sentence: &str) -> String {
    let said = page.language.find(&format!("imports-reject-{code}"));
    let quoted = sentence.split_once('“').and_then(|(_, rest)| rest.rsplit_once('”')).map(|(cell, _)| cell);
    match (said, quoted) {
        (Some(said), Some(cell)) => {
            page.t_with("imports-reason-quoted", &[("reason", said.into()), ("cell", cell.into())])
        }
        (Some(said), None) => said,
        (None, _) => sentence.to_owned(),
    }
}

/// What kind of a provider's files this is, in words; its own word where we have none.
fn variant_words(page: &Page, provider: &str, variant: &str) -> String {
    let word: String = variant
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    let key = format!("imports-variant-{provider}-{}", word.trim_matches('_'));
    page.language.find(&key).unwrap_or_else(|| variant.to_owned())
}

/// The zone of a file's times, in words.
fn zone_words(page: &Page, zone: &str) -> String {
    match zone {
        "" => page.t("imports-zone-own"),
        "Asia/Shanghai" => page.t("imports-zone-beijing"),
        zone => zone.to_owned(),
    }
}

/// The sentence in the reader's language.
fn sentence_of(language: Language, english: &str, chinese: &str) -> String {
    match language {
        Language::Chinese => chinese.to_owned(),
        Language::English => english.to_owned(),
    }
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    discarded: String,
}

/// `GET /s/{store}/imports`
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    slug: web::Path<String>,
    query: web::Query<ListQuery>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let discarded = !query.discarded.is_empty();
    let list = ListPage { viewer: &viewer, slug: &slug, fault: None, discarded };
    let body = list.read(&request, &state).await?.render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// What the list is made of.
struct ListPage<'a> {
    viewer: &'a Viewer,
    slug: &'a str,
    fault: Option<UploadFault>,
    discarded: bool,
}

impl ListPage<'_> {
    async fn read(self, request: &HttpRequest, state: &AppState) -> Result<ImportsPage, WebError> {
        let page = self.viewer.page(request, self.slug, Area::Imports)?;
        let stores: Vec<Store> = self.viewer.stores_of(self.slug)?.into_iter().cloned().collect();
        let (mut imports, mut waiting, mut strips) = (Vec::new(), Vec::new(), Vec::new());
        let now = state.clock.now();
        for store in &stores {
            let undone = state.database.withdrawals(store.id).await?;
            for record in state.database.imports(store.id, LISTED_MAX).await? {
                imports.push(Listed {
                    tag: undone
                        .get(&record.id)
                        .map_or_else(|| tag_of(state, &record), |is_done| undo::tag_of(*is_done)),
                    store_slug: store.slug.clone(),
                    store_name: store.name.clone(),
                    zone: store.zone,
                    record,
                });
            }
            strips.extend(arrivals::strips(&state.database, &page, store, now).await?);
            let pending = state.database.pending_imports(store.id, now).await?;
            waiting.extend(pending.into_iter().map(|pending| Waiting {
                pending,
                store_slug: store.slug.clone(),
                zone: store.zone,
            }));
        }
        imports.sort_by_key(|listed| std::cmp::Reverse((listed.record.created_at, listed.record.id)));
        let size_max = format!("{} GiB", UPLOAD_BYTES_MAX >> 30);
        let (fault, discarded) = (self.fault, self.discarded);
        Ok(ImportsPage { page, stores, imports, waiting, strips, size_max, fault, discarded })
    }
}

/// `POST /s/{store}/imports`: keeps the file and leads to what was found in it. Nothing is taken in.
async fn receive(
    request: HttpRequest,
    viewer: Viewer,
    slug: web::Path<String>,
    form: Multipart,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.stores_of(&slug)?;
    match take_upload(&viewer, &slug, form, &state).await {
        Ok((store, pending)) => pending::examined(&state, &store, &pending).await,
        Err(UploadError::Web(error)) => Err(error),
        Err(UploadError::Fault(fault)) => {
            let list = ListPage { viewer: &viewer, slug: &slug, fault: Some(fault), discarded: false };
            let body = list.read(&request, &state).await?.render()?;
            Ok(respond::html(&request, fault.status(), body))
        }
    }
}

async fn take_upload(
    viewer: &Viewer,
    slug: &str,
    form: Multipart,
    state: &AppState,
) -> Result<(Store, PendingImport), UploadError> {
    let upload = Upload::read(state, form, Some(&|token| viewer.check_csrf(token))).await?;
    let chosen = if upload.store.is_empty() { slug } else { &upload.store };
    let store = viewer.store(chosen)?.clone();
    let pending = waiting::keep(state, &store, viewer.person.id, upload).await?;
    Ok((store, pending))
}

/// Begins an import and lets it run on; gives its number, and whether the file was known before.
async fn start(state: &AppState, request: ImportRequest, file: TempPath) -> Result<(i64, bool), WebError> {
    let begun = begin_import(&state.intake, &state.database, request).await.map_err(failed)?;
    let import = match begun {
        Begun::Already(id) | Begun::Running(id) => return Ok((id, true)),
        Begun::Started(import) => import,
    };
    let id = import.id;
    run_on(state, import, file);
    Ok((id, false))
}

/// Lets an import run on by itself; the file lives until it has ended.
fn run_on(state: &AppState, import: Box<Import>, file: TempPath) {
    let (id, state) = (import.id, state.clone());
    actix_web::rt::spawn(async move {
        let pseudonyms = std::sync::Arc::clone(&state.pseudonyms);
        let outcome = import.run(&state.intake, &state.database, pseudonyms, |_| ()).await;
        if let Err(error) = outcome {
            tracing::error!(import = id, %error, "an import failed");
        }
        drop(file);
    });
}

/// True while this process reads the file.
fn is_under_way(state: &AppState, record: &ImportRecord) -> bool {
    is_running(&state.intake, record)
}

fn sealed_failed(error: RejectedError) -> WebError {
    match error {
        RejectedError::Store(error) => error.into(),
        RejectedError::Seal(error) => WebError::Internal(error.into()),
    }
}

fn failed(error: ImportError) -> WebError {
    match error {
        ImportError::Refused(refusal) => WebError::rejected(refusal.code(), refusal.sentence_en()),
        ImportError::Store(error) => error.into(),
        other => WebError::Internal(other.into()),
    }
}

/// The import of a path, if it is this store's.
async fn record_of(
    viewer: &Viewer,
    state: &AppState,
    slug: &str,
    id: i64,
) -> Result<(Store, ImportRecord), WebError> {
    let store = viewer.store(slug)?.clone();
    let record = state.database.import(id).await?.filter(|record| record.store == store.id);
    Ok((store, record.ok_or(WebError::NotFound)?))
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    already: String,
    #[serde(default)]
    unsure: String,
    /// What came of lines that were handed in again.
    mended: Option<u32>,
    still: Option<u32>,
    foreign: Option<u32>,
    #[serde(default)]
    fault: String,
}

impl Shown {
    /// What came of lines that were handed in again, in words.
    fn mending(&self, page: &Page) -> Option<String> {
        let (mended, still, foreign) = (self.mended?, self.still?, self.foreign?);
        let values = [("mended", mended.into()), ("still", still.into()), ("foreign", foreign.into())];
        Some(page.t_with("imports-mend-outcome", &values))
    }
}

/// `GET /s/{store}/imports/{id}`
async fn show(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    query: web::Query<Shown>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, record) = record_of(&viewer, &state, &slug, id).await?;
    let page = viewer.page(&request, &slug, Area::Imports)?;
    let outcome = state.database.import_outcome(&record).await?;
    let rejected = rejected_rows(&state.database, &state.pseudonyms, id, REJECTED_SHOWN_MAX)
        .await
        .map_err(sealed_failed)?;
    let mended = state.database.mended_rows(id).await?;
    let sentence = sentence_of(page.language, &record.findings.sentence_en, &record.findings.sentence_zh);
    let period = record.findings.days.map(|(first, last)| page.days(first, last)).unwrap_or_default();
    let undo = Undo::of(&state, &viewer, &record).await?;
    let tag = match &undo {
        Undo::Asked(asked) => undo::tag_of(asked.done_at.is_some()),
        _ => tag_of(&state, &record),
    };
    let unsure = !query.unsure.is_empty();
    let runs = record.state == ImportState::Running && tag.class.is_empty();
    let refresh = runs || undo.is_under_way() || (record.state == ImportState::Done && outcome.waiting > 0);
    let already = !query.already.is_empty();
    let zone = store.zone;
    let mending = query.mending(&page);
    let mend_fault = mend::fault_key(&query.fault).map(|key| page.t(&key));
    let body = ImportPage {
        page,
        record,
        outcome,
        rejected,
        mended,
        mending,
        mend_fault,
        zone,
        tag,
        already,
        sentence,
        period,
        refresh,
        undo,
        unsure,
    }
    .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// `GET /s/{store}/imports/{id}/rejected.csv`
async fn rejected(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (_, record) = record_of(&viewer, &state, &slug, id).await?;
    let page = viewer.page(&request, &slug, Area::Imports)?;
    csv_of(&page, &state, &record).await
}

/// The rejected lines of an import as a CSV file, with a byte-order mark for Excel.
async fn csv_of(page: &Page, state: &AppState, record: &ImportRecord) -> Result<HttpResponse, WebError> {
    let most = i64::try_from(REJECTED_KEPT_MAX).unwrap_or(i64::MAX);
    let rows =
        rejected_rows(&state.database, &state.pseudonyms, record.id, most).await.map_err(sealed_failed)?;
    let header = ["imports-line", "imports-column", "imports-code", "imports-reason", "imports-raw"]
        .map(|key| page.t(key));
    let lines = rows.iter().filter(|row| !row.mended).map(|row| {
        let raw = row.raw.clone().unwrap_or_default();
        [row.line.to_string(), row.field.clone(), row.code.clone(), reason(page, row), raw]
    });
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    for cells in std::iter::once(header).chain(lines) {
        writer
            .write_record(cells.map(|cell| plain(&cell)))
            .map_err(|error| WebError::Internal(error.into()))?;
    }
    writer.flush().map_err(|error| WebError::Internal(error.into()))?;
    drop(writer);
    let name = format!("attachment; filename=\"import-{}-rejected.csv\"", record.id);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, name))
        .body(bytes))
}

/// A cell that no spreadsheet takes for a formula.
fn plain(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(pending::routes)
        .configure(mappings::routes)
        .configure(events::routes)
        .configure(undo::routes)
        .configure(mend::routes)
        .service(web::resource("/s/{store}/imports").get(list).post(receive))
        .service(web::resource("/s/{store}/imports/{id:[0-9]+}/rejected.csv").get(rejected))
        .service(web::resource("/s/{store}/imports/{id:[0-9]+}").get(show))
        .service(web::resource("/api/v1/imports").post(api::receive))
        .service(web::resource("/api/v1/imports/{id}/rejected.csv").get(api::rejected))
        .service(web::resource("/api/v1/imports/{id}").get(api::show));
}
