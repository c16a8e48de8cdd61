use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;

use super::see;
use crate::domain::{KeyMode, KeyScope, Store, StoreSet};
use crate::store::ApiKeyRecord;
use crate::web::door::{KeyText, SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::{self, FieldErrors};
use crate::web::numbers::NONE;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Characters of a key's name.
const NAME_CHARS_MAX: usize = 60;

#[derive(Template)]
#[template(path = "pages/settings/keys.html")]
struct KeysPage {
    page: Page,
    is_owner: bool,
    keys: Vec<Line>,
    stores: Vec<Store>,
    zone: Tz,
    errors: FieldErrors,
    name: String,
    /// The text of a key that was made just now; shown this once.
    made: Option<KeyText>,
    /// Where records are sent.
    origin: String,
}

/// A key in the list.
struct Line {
    record: ApiKeyRecord,
    /// Names of its stores; empty for all.
    stores: String,
    made_at: String,
    /// "–" before the first use.
    used_at: String,
}

#[derive(Deserialize)]
struct KeyForm {
    name: String,
    scope: String,
    mode: String,
    /// `store-<slug>` for each box that is ticked.
    #[serde(flatten)]
    boxes: HashMap<String, String>,
}

/// What happened before the page is shown.
#[derive(Default)]
struct News {
    made: Option<KeyText>,
    name: String,
    errors: FieldErrors,
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    at: &str,
    news: News,
) -> Result<HttpResponse, WebError> {
    let status = if news.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = viewer.page(request, at, Area::Settings)?;
    let zone = viewer.stores().first().map_or(Tz::UTC, |store| store.zone);
    let records = state.database.api_keys().await?;
    let keys = records.into_iter().map(|record| line_of(record, viewer, &page, zone)).collect();
    let body = KeysPage {
        page,
        is_owner: true,
        keys,
        stores: viewer.stores().to_vec(),
        zone,
        errors: news.errors,
        name: news.name,
        made: news.made,
        origin: state.config.public_origin.clone(),
    }
    .render()?;
    Ok(respond::html(request, status, body))
}

fn line_of(record: ApiKeyRecord, viewer: &Viewer, page: &Page, zone: Tz) -> Line {
    let stores = match &record.stores {
        StoreSet::All => String::new(),
        StoreSet::Some(bound) => {
            let names = viewer.stores().iter().filter(|store| bound.contains(&store.id));
            names.map(|store| store.name.as_str()).collect::<Vec<_>>().join(", ")
        }
    };
    let made_at = page.when(record.created_at, zone);
    let used_at = record.last_used_at.map_or_else(|| NONE.to_owned(), |at| page.when(at, zone));
    Line { record, stores, made_at, used_at }
}

/// `GET /s/{store}/settings/keys`.
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    render(&request, &state, &viewer, &path, News::default()).await
}

/// `POST /s/{store}/settings/keys`: makes a key and shows it in the answer, which nobody keeps.
async fn create(
    request: HttpRequest,
    form: SignedForm<KeyForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let mut errors = FieldErrors::default();
    let name = form::text(&mut errors, "name", &fields.name, NAME_CHARS_MAX);
    let (Some(scope), Some(mode)) = (KeyScope::parse(&fields.scope), KeyMode::parse(&fields.mode)) else {
        return Err(WebError::BadRequest);
    };
    if !errors.is_empty() {
        return render(&request, &state, &viewer, &path, News { errors, name, made: None }).await;
    }
    let (key, secret_hmac) = state.door.make_key(mode).map_err(anyhow::Error::from)?;
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        organisation: viewer.person.organisation,
        name,
        scope,
        mode,
        stores: ticked(&fields.boxes, viewer.stores()),
        secret_hmac,
        created_at: state.clock.now(),
        last_used_at: None,
        revoked_at: None,
    };
    state.database.insert_api_key(&record).await?;
    tracing::info!(person = viewer.person.id.0, key = record.id, "an API key was made");
    render(&request, &state, &viewer, &path, News { made: Some(key), ..News::default() }).await
}

/// The stores whose boxes are ticked; none ticked means every store.
fn ticked(boxes: &HashMap<String, String>, stores: &[Store]) -> StoreSet {
    let chosen: Vec<_> = stores
        .iter()
        .filter(|store| boxes.contains_key(&format!("store-{}", store.slug)))
        .map(|store| store.id)
        .collect();
    if chosen.is_empty() { StoreSet::All } else { StoreSet::of(chosen) }
}

#[derive(Deserialize)]
struct RevokeForm {
    key: String,
}

/// `POST /s/{store}/settings/keys/revoke`: refused from the next request on.
async fn revoke(
    form: SignedForm<RevokeForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let was_in_use = state.database.revoke_api_key(&fields.key, state.clock.now()).await?;
    state.door.forget_keys();
    if !was_in_use {
        return Err(WebError::NotFound);
    }
    tracing::info!(person = viewer.person.id.0, key = fields.key, "an API key was revoked");
    Ok(see(&path, "/keys"))
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/settings/keys").get(list).post(create))
        .service(web::resource("/s/{store}/settings/keys/revoke").post(revoke));
}
