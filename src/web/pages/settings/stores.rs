use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::see;
use crate::domain::{Grain, Store};
use crate::store::StoreChange;
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, Page};
use crate::web::pages::store_fields::StoreFields;
use crate::web::respond;
use crate::web::state::AppState;

#[derive(Template)]
#[template(path = "pages/settings/stores.html")]
struct StoresPage {
    page: Page,
    is_owner: bool,
    stores: Vec<Store>,
}

#[derive(Template)]
#[template(path = "pages/settings/store.html")]
struct StorePage {
    page: Page,
    is_owner: bool,
    /// Where the form goes.
    action: String,
    store: StoreFields,
    errors: FieldErrors,
    is_new_store: bool,
}

/// `GET /s/{store}/settings`: the stores this person may see.
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let body = StoresPage {
        page: viewer.page(&request, &path, Area::Settings)?,
        is_owner: viewer.is_owner(),
        stores: viewer.stores().to_vec(),
    }
    .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// The form of a store: `slug` is `None` for a new one.
fn form_page(
    request: &HttpRequest,
    viewer: &Viewer,
    at: &str,
    slug: Option<&str>,
    (store, errors): (StoreFields, FieldErrors),
) -> Result<HttpResponse, WebError> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let tail = slug.map_or_else(|| "new-store".to_owned(), |slug| format!("stores/{slug}"));
    let body = StorePage {
        page: viewer.page(request, at, Area::Settings)?,
        is_owner: true,
        action: format!("/s/{at}/settings/{tail}"),
        store,
        errors,
        is_new_store: slug.is_none(),
    }
    .render()?;
    Ok(respond::html(request, status, body))
}

/// `GET /s/{store}/settings/new-store`.
async fn new(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    let blank = StoreFields::blank(viewer.page(&request, &path, Area::Settings)?.language);
    form_page(&request, &viewer, &path, None, (blank, FieldErrors::default()))
}

/// `POST /s/{store}/settings/new-store`.
async fn create(
    request: HttpRequest,
    form: SignedForm<StoreFields>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let mut errors = FieldErrors::default();
    if let Some(draft) = fields.draft(viewer.person.organisation, &mut errors) {
        match state.database.insert_store(&draft, state.clock.now()).await {
            Ok(store) => {
                state.door.forget_keys();
                tracing::info!(person = viewer.person.id.0, store = store.slug, "a store was added");
                return Ok(see(&path, ""));
            }
            Err(error) if error.is_duplicate() => errors.add("slug", "store-slug-taken"),
            Err(error) => return Err(error.into()),
        }
    }
    form_page(&request, &viewer, &path, None, (fields, errors))
}

/// `GET /s/{store}/settings/stores/{slug}`.
async fn edit(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    let (at, slug) = path.into_inner();
    let fields = StoreFields::of(viewer.store(&slug)?);
    form_page(&request, &viewer, &at, Some(&slug), (fields, FieldErrors::default()))
}

/// `POST /s/{store}/settings/stores/{slug}`.
async fn change(
    request: HttpRequest,
    form: SignedForm<StoreFields>,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let (at, slug) = path.into_inner();
    let store = viewer.store(&slug)?;
    let mut errors = FieldErrors::default();
    if let Some(change) = fields.change(&mut errors) {
        if needs_finer_cells(store, &change, &state) {
            errors.add("cut_off", "store-grain-fixed");
        } else {
            state.database.update_store(store.id, &change).await?;
            state.door.forget_keys();
            tracing::info!(person = viewer.person.id.0, store = slug, "a store was changed");
            return Ok(see(&at, ""));
        }
    }
    form_page(&request, &viewer, &at, Some(&slug), (fields, errors))
}

/// True when days would begin inside an hour, but what is counted so far is kept by whole hours.
fn needs_finer_cells(store: &Store, change: &StoreChange, state: &AppState) -> bool {
    let changed = Store { zone: change.zone, cut_off: change.cut_off, ..store.clone() };
    store.grain() == Grain::Hour
        && changed.grain() == Grain::Quarter
        && state.snapshots.current().days_with_data(store.id).is_some()
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/settings").get(list))
        .service(web::resource("/s/{store}/settings/new-store").get(new).post(create))
        .service(web::resource("/s/{store}/settings/stores/{slug}").get(edit).post(change));
}
