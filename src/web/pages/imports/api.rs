use std::sync::Arc;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::upload::Upload;
use super::{csv_of, failed, start, waiting};
use crate::domain::Store;
use crate::intake::diagnosis::Diagnosis;
use crate::intake::import::{ImportRequest, hash_of, known_import};
use crate::store::{ImportOutcome, ImportRecord, ImportState};
use crate::web::door::{ApiKey, IngestKey};
use crate::web::error::WebError;
use crate::web::state::AppState;

/// An import, for machines.
#[derive(Serialize)]
struct ImportAnswer<'a> {
    id: i64,
    /// True when the same file had been handed in before.
    already: bool,
    state: &'a str,
    file_name: &'a str,
    provider: &'a str,
    variant: &'a str,
    encoding: &'a str,
    /// Why the file was refused.
    code: &'a str,
    sentence: &'a str,
    sentence_zh: &'a str,
    totals: &'a str,
    lines: Lines,
    rows: Rows,
    progress_ppm: i64,
}

/// read = accepted + rejected + not data
#[derive(Serialize)]
struct Lines {
    read: i64,
    accepted: i64,
    rejected: i64,
    not_data: i64,
}

/// accepted = new + replaced + unchanged, once no batch waits.
#[derive(Serialize)]
struct Rows {
    accepted: i64,
    new: i64,
    replaced: i64,
    unchanged: i64,
    batches_waiting: i64,
    /// The counts hold rows of other senders too, which came at the same moment.
    shared: bool,
}

fn answer(status: StatusCode, record: &ImportRecord, outcome: &ImportOutcome, already: bool) -> HttpResponse {
    let findings = &record.findings;
    HttpResponse::build(status).json(ImportAnswer {
        id: record.id,
        already,
        state: record.state.as_str(),
        file_name: &record.file_name,
        provider: &findings.provider,
        variant: &findings.variant,
        encoding: &findings.encoding,
        code: &findings.code,
        sentence: &findings.sentence_en,
        sentence_zh: &findings.sentence_zh,
        totals: &findings.totals,
        lines: Lines {
            read: findings.lines_read,
            accepted: findings.lines_accepted,
            rejected: findings.lines_rejected,
            not_data: findings.lines_not_data,
        },
        rows: Rows {
            accepted: findings.rows,
            new: outcome.counts.new,
            replaced: outcome.counts.replaced,
            unchanged: outcome.counts.unchanged,
            batches_waiting: outcome.waiting,
            shared: outcome.shared,
        },
        progress_ppm: record.progress_ppm,
    })
}

/// What a machine may ask of an upload.
#[derive(Deserialize)]
pub struct Asked {
    /// `1`: say what the file is and what would come of it, and take nothing in.
    #[serde(default)]
    preview: String,
}

/// What is in a file that was shown and not taken in.
#[derive(Serialize)]
struct PreviewAnswer<'a> {
    /// The import that has this very file already.
    already: Option<i64>,
    file_name: &'a str,
    #[serde(flatten)]
    found: Diagnosis,
}

/// `POST /api/v1/imports`: a form with `file`, and where wanted `store` and `mapping`. Answers once the file is here;
/// how it went is asked at `/api/v1/imports/{id}`. With `?preview=1` nothing is taken in.
pub async fn receive(
    key: IngestKey,
    form: Multipart,
    asked: web::Query<Asked>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    if key.0.is_test() {
        return Err(WebError::rejected("live_key_needed", "a bill holds live payments: use a live key"));
    }
    let upload = Upload::read(&state, form, None).await?;
    let store = store_of(&key.0, &upload.store)?.id;
    let (request, file) = upload.request(&state, store)?;
    if asked.preview == "1" {
        return preview(&state, request).await;
    }
    let (id, already) = start(&state, request, file).await?;
    let record = state.database.import(id).await?.ok_or(WebError::NotFound)?;
    let outcome = state.database.import_outcome(&record).await?;
    let status = if already { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(answer(status, &record, &outcome, already))
}

/// Says what the file is; it goes when this has been answered.
async fn preview(state: &AppState, request: ImportRequest) -> Result<HttpResponse, WebError> {
    let (path, mapping, store) = (request.path.clone(), request.mapping.clone(), request.store);
    let file_name = request.file_name.clone();
    let hashed = tokio::task::spawn_blocking(move || hash_of(&path)).await;
    let (sha256, _) = hashed.map_err(|died| WebError::Internal(died.into()))?.map_err(failed)?;
    let known = known_import(&state.database, store, &sha256, mapping.as_deref()).await?;
    let already = known.filter(|known| known.state == ImportState::Done).map(|known| known.id);
    let found = waiting::examiner(state).examine(request, Arc::default()).await.map_err(failed)?;
    Ok(HttpResponse::Ok().json(PreviewAnswer { already, file_name: &file_name, found }))
}

fn store_of<'a>(key: &'a ApiKey, slug: &str) -> Result<&'a Store, WebError> {
    if slug.is_empty() {
        let only = key.only_store();
        return only.ok_or_else(|| {
            WebError::rejected(
                "store_needed",
                "the key is bound to several stores: name one in the field `store`",
            )
        });
    }
    key.store(slug).ok_or(WebError::NotFound)
}

async fn record_of(key: &ApiKey, state: &AppState, id: i64) -> Result<ImportRecord, WebError> {
    let record = state.database.import(id).await?.ok_or(WebError::NotFound)?;
    if key.stores().iter().any(|store| store.id == record.store) {
        Ok(record)
    } else {
        Err(WebError::NotFound)
    }
}

/// `GET /api/v1/imports/{id}`
pub async fn show(
    key: IngestKey,
    id: web::Path<i64>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let record = record_of(&key.0, &state, *id).await?;
    let outcome = state.database.import_outcome(&record).await?;
    Ok(answer(StatusCode::OK, &record, &outcome, false))
}

/// `GET /api/v1/imports/{id}/rejected.csv`
pub async fn rejected(
    request: HttpRequest,
    key: IngestKey,
    id: web::Path<i64>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let record = record_of(&key.0, &state, *id).await?;
    let page = crate::web::page::Page::new(&request);
    csv_of(&page, &state, &record).await
}
