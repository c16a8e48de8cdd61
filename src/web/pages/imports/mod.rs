//! Did my file go in right? Upload, result, rejected lines.

mod api;
mod upload;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;
use tempfile::TempPath;

use crate::domain::Store;
use crate::intake::import::{Begun, ImportError, ImportRequest, REJECTED_KEPT_MAX, begin_import, is_running};
use crate::store::{ImportOutcome, ImportRecord, ImportState, RejectedRow};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;
use crate::web::texts::Language;
use upload::{UPLOAD_BYTES_MAX, Upload};

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
    size_max: String,
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
    zone: Tz,
    tag: Tag,
    already: bool,
    sentence: String,
    period: String,
    /// Reload until it has ended and is folded.
    refresh: bool,
}

/// How an import stands, as a mark.
struct Tag {
    class: &'static str,
    key: &'static str,
}

fn tag_of(state: &AppState, record: &ImportRecord) -> Tag {
    let (class, key) = match record.state {
        ImportState::Running if is_running(&state.intake, record) => ("", "imports-state-running"),
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
}

/// Why a line was rejected, in the reader's language.
fn reason(page: &Page, row: &RejectedRow) -> String {
    let said = page.language.find(&format!("imports-reject-{}", row.code));
    let quoted =
        row.sentence.split_once('“').and_then(|(_, rest)| rest.rsplit_once('”')).map(|(cell, _)| cell);
    match (said, quoted) {
        (Some(said), Some(cell)) => {
            page.t_with("imports-reason-quoted", &[("reason", said.into()), ("cell", cell.into())])
        }
        (Some(said), None) => said,
        (None, _) => row.sentence.clone(),
    }
}

/// `GET /s/{store}/imports`
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    slug: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let page = viewer.page(&request, &slug, Area::Imports)?;
    let stores: Vec<Store> = viewer.stores_of(&slug)?.into_iter().cloned().collect();
    let mut imports = Vec::new();
    for store in &stores {
        for record in state.database.imports(store.id, LISTED_MAX).await? {
            imports.push(Listed {
                tag: tag_of(&state, &record),
                store_slug: store.slug.clone(),
                store_name: store.name.clone(),
                zone: store.zone,
                record,
            });
        }
    }
    imports.sort_by_key(|listed| std::cmp::Reverse((listed.record.created_at, listed.record.id)));
    let size_max = format!("{} MiB", UPLOAD_BYTES_MAX >> 20);
    let body = ImportsPage { page, stores, imports, size_max }.render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// `POST /s/{store}/imports`
async fn receive(
    viewer: Viewer,
    slug: web::Path<String>,
    form: Multipart,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.stores_of(&slug)?;
    let upload = Upload::read(&state, form, Some(&|token| viewer.check_csrf(token))).await?;
    let chosen = if upload.store.is_empty() { slug.as_str() } else { &upload.store };
    let store = viewer.store(chosen)?.clone();
    let (request, file) = upload.request(&state, store.id)?;
    let (id, already) = start(&state, request, file).await?;
    let target = format!("/s/{}/imports/{id}{}", store.slug, if already { "?already=1" } else { "" });
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

/// Begins an import and lets it run on; gives its number, and whether the file was known before.
async fn start(state: &AppState, request: ImportRequest, file: TempPath) -> Result<(i64, bool), WebError> {
    let begun = begin_import(&state.intake, &state.database, request).await.map_err(failed)?;
    let import = match begun {
        Begun::Already(id) | Begun::Running(id) => return Ok((id, true)),
        Begun::Started(import) => import,
    };
    let id = import.id;
    let state = state.clone();
    actix_web::rt::spawn(async move {
        let pseudonyms = std::sync::Arc::clone(&state.pseudonyms);
        let outcome = import.run(&state.intake, &state.database, pseudonyms, |_| ()).await;
        if let Err(error) = outcome {
            tracing::error!(import = id, %error, "an import failed");
        }
        drop(file);
    });
    Ok((id, false))
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
    let rejected = state.database.rejected_rows(id, REJECTED_SHOWN_MAX).await?;
    let sentence = match page.language {
        Language::Chinese => record.findings.sentence_zh.clone(),
        Language::English => record.findings.sentence_en.clone(),
    };
    let period = record.findings.days.map(|(first, last)| page.days(first, last)).unwrap_or_default();
    let tag = tag_of(&state, &record);
    let runs = record.state == ImportState::Running && tag.class.is_empty();
    let refresh = runs || (record.state == ImportState::Done && outcome.waiting > 0);
    let already = !query.already.is_empty();
    let zone = store.zone;
    let body = ImportPage { page, record, outcome, rejected, zone, tag, already, sentence, period, refresh }
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
    let rows = state.database.rejected_rows(record.id, most).await?;
    let header = ["imports-line", "imports-column", "imports-code", "imports-reason", "imports-raw"]
        .map(|key| page.t(key));
    let lines = rows.iter().map(|row| {
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
        .service(web::resource("/s/{store}/imports").get(list).post(receive))
        .service(web::resource("/s/{store}/imports/{id}/rejected.csv").get(rejected))
        .service(web::resource("/s/{store}/imports/{id}").get(show))
        .service(web::resource("/api/v1/imports").post(api::receive))
        .service(web::resource("/api/v1/imports/{id}/rejected.csv").get(api::rejected))
        .service(web::resource("/api/v1/imports/{id}").get(api::show));
}
