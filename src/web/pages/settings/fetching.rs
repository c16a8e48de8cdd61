mod form;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use self::form::{AccountForm, KindBoxes};
use self::shown::{Card, card_of};
use super::see;
use crate::domain::Store;
use crate::jobs::{FetchBills, JobContext, newest_day};
use crate::store::{BillSource, KeptKeyError};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// How long the test button waits; what takes longer goes on and is seen when the page is loaded again.
const TEST_WITHIN: Duration = Duration::from_secs(20);

#[derive(Template)]
#[template(path = "pages/settings/fetching.html")]
struct FetchingPage {
    page: Page,
    is_owner: bool,
    cards: Vec<Card>,
    stores: Vec<Store>,
    errors: FieldErrors,
    typed: AccountForm,
}

/// What happened before the page is shown.
#[derive(Default)]
struct News {
    typed: AccountForm,
    errors: FieldErrors,
    /// The source whose test has just ended.
    tested: Option<i64>,
}

/// The sources of the stores that the path means.
async fn sources_of(
    viewer: &Viewer,
    state: &AppState,
    slug: &str,
) -> Result<Vec<(Store, BillSource)>, WebError> {
    viewer.require_owner()?;
    let stores = viewer.stores_of(slug)?;
    let sources = state.database.bill_sources().await?;
    let of = |source: BillSource| {
        let store = stores.iter().find(|store| store.id == source.store)?;
        Some(((*store).clone(), source))
    };
    Ok(sources.into_iter().filter_map(of).collect())
}

/// One source of this person's stores.
async fn source_of(viewer: &Viewer, state: &AppState, slug: &str, id: i64) -> Result<BillSource, WebError> {
    let sources = sources_of(viewer, state, slug).await?;
    sources.into_iter().map(|(_, source)| source).find(|source| source.id == id).ok_or(WebError::NotFound)
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    slug: &str,
    news: News,
) -> Result<HttpResponse, WebError> {
    let status = if news.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = viewer.page(request, slug, Area::Settings)?;
    let now = state.clock.now();
    let mut cards = Vec::new();
    for (store, source) in sources_of(viewer, state, slug).await? {
        let since = shown::oldest_shown(now);
        let fetches = state.database.bill_fetches(source.id, since).await?;
        let is_tested = news.tested == Some(source.id);
        cards.push(card_of(&page, &store, source, &fetches, is_tested, now));
    }
    let stores = viewer.stores_of(slug)?.into_iter().cloned().collect();
    let (typed, errors) = (news.typed, news.errors);
    let body = FetchingPage { page, is_owner: true, cards, stores, errors, typed }.render()?;
    Ok(respond::html(request, status, body))
}

#[derive(Deserialize)]
struct Shown {
    tested: Option<i64>,
}

/// `GET /s/{store}/settings/fetching`.
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
    query: web::Query<Shown>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    render(&request, &state, &viewer, &path, News { tested: query.tested, ..News::default() }).await
}

/// `POST /s/{store}/settings/fetching`: keeps credentials. Nothing is fetched by it; an account that was switched on
/// stays so, and what failed is asked for again with the new ones.
async fn save(
    request: HttpRequest,
    form: SignedForm<AccountForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let mut errors = FieldErrors::default();
    let now = state.clock.now();
    let known = sources_of(&viewer, &state, &path).await?;
    let stores = viewer.stores_of(&path)?;
    let Some(draft) = fields.read(&stores, &known, now, &mut errors)? else {
        let news = News { typed: fields.without_secrets(), errors, tested: None };
        return render(&request, &state, &viewer, &path, news).await;
    };
    let id =
        state.database.replace_bill_source(&state.seal, &draft, now).await.map_err(|error| match error {
            KeptKeyError::Store(error) => WebError::from(error),
            other => WebError::Internal(other.into()),
        })?;
    state.database.ask_bill_fetches(id, now).await?;
    tracing::info!(person = viewer.person.id.0, source = id, "credentials for fetching bills were saved");
    Ok(see(&path, "/fetching"))
}

#[derive(Deserialize)]
struct SwitchForm {
    source: i64,
    /// Empty to switch off.
    #[serde(default)]
    on: String,
    #[serde(default)]
    first_day: String,
    #[serde(flatten)]
    kinds: KindBoxes,
}

/// `POST /s/{store}/settings/fetching/switch`: on, with what is to be fetched from which day on; or off.
async fn switch(
    request: HttpRequest,
    form: SignedForm<SwitchForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    let source = source_of(&viewer, &state, &path, fields.source).await?;
    let now = state.clock.now();
    if fields.on.is_empty() {
        state.database.set_bill_source(source.id, &source.kinds, false, source.first_day, now).await?;
        tracing::info!(person = viewer.person.id.0, source = source.id, "fetching of bills was switched off");
        return Ok(see(&path, "/fetching"));
    }
    let mut errors = FieldErrors::default();
    let kinds = fields.kinds.read(source.provider, &mut errors);
    let first_day = form::first_day(source.provider, &fields.first_day, now, &mut errors);
    let Some(first_day) = first_day.filter(|_| errors.is_empty()) else {
        return render(&request, &state, &viewer, &path, News { errors, ..News::default() }).await;
    };
    if !source.has_key {
        return Err(WebError::BadRequest);
    }
    state.database.set_bill_source(source.id, &kinds, true, first_day, now).await?;
    tracing::info!(person = viewer.person.id.0, source = source.id, "fetching of bills was switched on");
    Ok(see(&path, "/fetching"))
}

#[derive(Deserialize)]
struct OneSource {
    source: i64,
}

/// `POST /s/{store}/settings/fetching/test`: fetches the newest day's bills now, and waits a while for them.
async fn test(
    form: SignedForm<OneSource>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let source = source_of(&form.viewer, &state, &path, form.fields.source).await?;
    if !source.has_key {
        return Err(WebError::BadRequest);
    }
    let (id, day) = (source.id, newest_day(state.clock.now()));
    let fetch = FetchBills::new(
        state.config.gateways.clone(),
        Arc::clone(&state.intake),
        Arc::clone(&state.pseudonyms),
        state.seal.clone(),
        &state.config.data_dir,
    )?;
    let context = JobContext {
        database: state.database.clone(),
        clock: Arc::clone(&state.clock),
        snapshots: Arc::clone(&state.snapshots),
        metrics: Arc::clone(&state.metrics),
    };
    tracing::info!(person = form.viewer.person.id.0, source = id, "bills are fetched as a test");
    // On its own: who closes the page does not stop a bill in its middle.
    let running = actix_web::rt::spawn(async move { fetch.fetch_day(&context, &source, day).await });
    if let Ok(ended) = tokio::time::timeout(TEST_WITHIN, running).await {
        ended.map_err(anyhow::Error::from)??;
    }
    Ok(see(&path, &format!("/fetching?tested={id}")))
}

/// `POST /s/{store}/settings/fetching/again`: what did not come is asked for at the next run.
async fn again(
    form: SignedForm<OneSource>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let source = source_of(&form.viewer, &state, &path, form.fields.source).await?;
    state.database.ask_bill_fetches(source.id, state.clock.now()).await?;
    Ok(see(&path, "/fetching"))
}

/// `POST /s/{store}/settings/fetching/forget`: deletes the credentials.
async fn forget(
    form: SignedForm<OneSource>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let source = source_of(&form.viewer, &state, &path, form.fields.source).await?;
    state.database.forget_bill_source_key(source.id, state.clock.now()).await?;
    tracing::info!(
        person = form.viewer.person.id.0,
        source = source.id,
        "credentials for fetching bills were deleted"
    );
    Ok(see(&path, "/fetching"))
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/settings/fetching").get(list).post(save))
        .service(web::resource("/s/{store}/settings/fetching/switch").post(switch))
        .service(web::resource("/s/{store}/settings/fetching/test").post(test))
        .service(web::resource("/s/{store}/settings/fetching/again").post(again))
        .service(web::resource("/s/{store}/settings/fetching/forget").post(forget));
}
