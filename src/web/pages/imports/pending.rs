//! Is this the file, and will it be read right? Asked before anything is taken in.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;
use tempfile::TempPath;

use super::{failed, run_on, sentence_of, variant_words, waiting, zone_words};
use crate::domain::{Currency, Store};
use crate::intake::diagnosis::{Diagnosis, RejectedFound, SampleRow, Warning};
use crate::intake::import::{Begun, begin_import_of, known_import};
use crate::store::{ImportState, PendingImport};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// How long the answer to an upload waits for what is found in it: long enough for a day's bill.
const WAIT: Duration = Duration::from_secs(2);

#[derive(Template)]
#[template(path = "pages/pending_import.html")]
struct PendingPage {
    page: Page,
    pending: PendingImport,
    /// `None` while the file is being read.
    diagnosis: Option<Diagnosis>,
    /// Millionths of it that are read.
    position: i64,
    /// The import that has this very file already, and whether it is still running.
    already: Option<(i64, bool)>,
    warnings: Vec<String>,
    sentence: String,
    zone: Tz,
}

impl PendingPage {
    /// True when a password is asked for.
    fn asks_password(&self) -> bool {
        let code = self.found().and_then(|found| Some(found.refusal.as_ref()?.code.as_str()));
        code == Some(waiting::PASSWORD_NEEDED) && self.pending.place.is_some()
    }

    /// True when a yes would take something in.
    fn can_confirm(&self) -> bool {
        self.already.is_none() && self.found().is_some_and(|found| found.refusal.is_none())
    }

    /// True when a person can say how the file is read.
    fn is_unknown(&self) -> bool {
        let refused = self.found().and_then(|found| found.refusal.as_ref());
        refused.is_some_and(|refused| refused.code == "unknown_format") && self.pending.place.is_some()
    }

    const fn found(&self) -> Option<&Diagnosis> {
        self.diagnosis.as_ref()
    }

    fn name(&self) -> String {
        if self.pending.file_name.is_empty() {
            return self.page.t("imports-unnamed");
        }
        self.pending.file_name.clone()
    }

    fn variant(&self, found: &Diagnosis) -> String {
        variant_words(&self.page, &found.provider, &found.variant)
    }

    fn zone_of_times(&self, found: &Diagnosis) -> String {
        zone_words(&self.page, &found.zone)
    }

    fn period(&self, found: &Diagnosis) -> String {
        found.days.map(|(first, last)| self.page.days(first, last)).unwrap_or_default()
    }

    fn kind(&self, word: &str) -> String {
        self.page.language.find(&format!("ledger-{word}")).unwrap_or_else(|| self.page.word("kind", word))
    }

    fn money(&self, minor: Option<i128>, currency: Currency) -> String {
        self.page.money(minor, currency)
    }

    fn row_money(&self, minor: Option<i64>, row: &SampleRow) -> String {
        self.page.money(minor, row.currency)
    }

    fn reason(&self, found: &RejectedFound) -> String {
        super::reason_of(&self.page, &found.code, &found.sentence)
    }
}

/// A file that waits, if it is this store's.
pub async fn pending_of(
    viewer: &Viewer,
    state: &AppState,
    slug: &str,
    id: i64,
) -> Result<(Store, PendingImport), WebError> {
    let store = viewer.store(slug)?.clone();
    let pending = state.database.pending_import(id, state.clock.now()).await?;
    let pending = pending.filter(|pending| pending.store == store.id).ok_or(WebError::NotFound)?;
    Ok((store, pending))
}

/// Begins to examine a waiting file, waits a little, and leads to its page.
pub async fn examined(
    state: &AppState,
    store: &Store,
    pending: &PendingImport,
) -> Result<HttpResponse, WebError> {
    if let Some(task) = waiting::examine(state, pending)? {
        // What takes longer goes on by itself, and its page says how far it is.
        let _ = tokio::time::timeout(WAIT, task).await;
    }
    let target = format!("/s/{}/imports/pending/{}", store.slug, pending.id);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

/// `GET /s/{store}/imports/pending/{id}`
async fn show(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, pending) = pending_of(&viewer, &state, &slug, id).await?;
    let mut page = viewer.page(&request, &slug, Area::Imports)?;
    let diagnosis: Option<Diagnosis> = match &pending.diagnosis {
        Some(json) => Some(serde_json::from_str(json).map_err(|error| WebError::Internal(error.into()))?),
        None => None,
    };
    if diagnosis.is_none() {
        // The server was stopped in the middle: it is read again.
        waiting::examine(&state, &pending)?;
    }
    let known =
        known_import(&state.database, pending.store, &pending.sha256, pending.mapping.as_deref()).await?;
    let already = known.and_then(|known| match known.state {
        ImportState::Done => Some((known.id, false)),
        ImportState::Running if super::is_under_way(&state, &known) => Some((known.id, true)),
        _ => None,
    });
    let (mut sentence, mut warnings) = (String::new(), Vec::new());
    if let Some(found) = &diagnosis {
        if let Some(refused) = &found.refusal {
            sentence = sentence_of(page.language, &refused.sentence, &refused.sentence_zh);
        }
        warnings = found.warnings.iter().map(|warning| said(&page, &viewer, warning)).collect();
        let currencies = found.sums.iter().map(|sum| sum.currency.code());
        page.several_currencies = currencies.collect::<std::collections::BTreeSet<_>>().len() > 1;
    }
    let position = waiting::position_of(&state, id).unwrap_or(0);
    let zone = store.zone;
    let body =
        PendingPage { page, pending, diagnosis, position, already, warnings, sentence, zone }.render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// A warning as a sentence. A store that the reader may not see is not named.
fn said(page: &Page, viewer: &Viewer, warning: &Warning) -> String {
    let count = |lines: &u64| i64::try_from(*lines).unwrap_or(i64::MAX).into();
    match warning {
        Warning::NoTrades => page.t("imports-warn-no-trades"),
        Warning::SecondsMissing { lines } => page.t_with("imports-warn-seconds", &[("n", count(lines))]),
        Warning::InTheFuture { lines } => page.t_with("imports-warn-future", &[("n", count(lines))]),
        Warning::ZoneShift { minutes, rows } => page.t_with(
            "imports-warn-zone",
            &[("span", page.length_of_time(minutes.unsigned_abs() * 60_000).into()), ("n", count(rows))],
        ),
        Warning::AccountElsewhere { account, store, .. } => {
            let named = viewer.stores().iter().find(|known| known.id.0 == *store);
            let store = named.map_or_else(|| page.t("imports-another-store"), |store| store.name.clone());
            page.t_with(
                "imports-warn-account",
                &[("account", account.clone().into()), ("store", store.into())],
            )
        }
        Warning::MostlyRejected => page.t("imports-warn-mostly-rejected"),
    }
}

/// The password of an archive.
#[derive(Deserialize)]
struct Password {
    #[serde(default)]
    password: String,
}

/// `POST /s/{store}/imports/pending/{id}/unlock`: the password is used once and kept nowhere.
async fn unlock(
    form: SignedForm<Password>,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, pending) = pending_of(&form.viewer, &state, &slug, id).await?;
    waiting::open(&state, &pending, form.fields.password).await?;
    let pending = state.database.pending_import(id, state.clock.now()).await?.ok_or(WebError::NotFound)?;
    if pending.diagnosis.is_some() {
        let target = format!("/s/{}/imports/pending/{id}", store.slug);
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish());
    }
    examined(&state, &store, &pending).await
}

/// A form with nothing but its token.
#[derive(Deserialize)]
struct Bare {}

/// `POST /s/{store}/imports/pending/{id}/confirm`
async fn confirm(
    form: SignedForm<Bare>,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, pending) = pending_of(&form.viewer, &state, &slug, id).await?;
    let found: Option<Diagnosis> =
        pending.diagnosis.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let ready = found.is_some_and(|found| found.refusal.is_none());
    let Some(request) = waiting::request_of(&state, &pending)?.filter(|_| ready) else {
        return Err(WebError::Conflict);
    };
    let file = request.path.clone();
    let (sha256, size_bytes) = (pending.sha256.clone(), pending.size_bytes);
    let begun = begin_import_of(&state.intake, &state.database, request, sha256, size_bytes).await;
    let (import, already) = match begun.map_err(failed)? {
        // Another click on the same button, whose import has the file.
        Begun::Running(import) => (import, true),
        Begun::Already(import) => {
            waiting::discard(&state, &pending).await?;
            (import, true)
        }
        Begun::Started(import) => {
            let number = import.id;
            state.database.take_pending_import(id).await?;
            let file = TempPath::try_from_path(file).map_err(|error| WebError::Internal(error.into()))?;
            run_on(&state, import, file);
            (number, false)
        }
    };
    let target = format!("/s/{}/imports/{import}{}", store.slug, if already { "?already=1" } else { "" });
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

/// `POST /s/{store}/imports/pending/{id}/discard`
async fn discard(
    form: SignedForm<Bare>,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, pending) = pending_of(&form.viewer, &state, &slug, id).await?;
    waiting::discard(&state, &pending).await?;
    let target = format!("/s/{}/imports?discarded=1", store.slug);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/imports/pending/{id:[0-9]+}/confirm").post(confirm))
        .service(web::resource("/s/{store}/imports/pending/{id:[0-9]+}/unlock").post(unlock))
        .service(web::resource("/s/{store}/imports/pending/{id:[0-9]+}/discard").post(discard))
        .service(web::resource("/s/{store}/imports/pending/{id:[0-9]+}").get(show));
}
