//! How is a file read that no format knows? Columns are chosen once, from a sample, and remembered.

mod editor;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;

use crate::domain::Store;
use crate::store::SavedMapping;
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

#[derive(Template)]
#[template(path = "pages/mappings.html")]
struct MappingsPage {
    page: Page,
    mappings: Vec<SavedMapping>,
    zone: Tz,
}

/// `GET /s/{store}/imports/mappings`
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    slug: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let store = viewer.store(&slug)?.clone();
    let page = viewer.page(&request, &slug, Area::Imports)?;
    let mappings = state.database.saved_mappings(store.id).await?;
    let body = MappingsPage { page, mappings, zone: store.zone }.render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// A saved mapping, if it is this store's.
async fn saved_of(
    viewer: &Viewer,
    state: &AppState,
    slug: &str,
    id: i64,
) -> Result<(Store, SavedMapping), WebError> {
    let store = viewer.store(slug)?.clone();
    let saved = state.database.saved_mapping(id).await?.filter(|saved| saved.store == store.id);
    Ok((store, saved.ok_or(WebError::NotFound)?))
}

/// `GET /s/{store}/imports/mappings/{id}.toml`: what `tillwatch import --mapping` takes.
async fn download(
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (_, saved) = saved_of(&viewer, &state, &slug, id).await?;
    let name = format!("attachment; filename=\"mapping-{id}.toml\"");
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/toml; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, name))
        .body(saved.text))
}

/// A form with nothing but its token.
#[derive(Deserialize)]
struct Bare {}

/// `POST /s/{store}/imports/mappings/{id}/retire`
async fn retire(
    form: SignedForm<Bare>,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, saved) = saved_of(&form.viewer, &state, &slug, id).await?;
    state.database.retire_mapping(store.id, &saved.name, state.clock.now()).await?;
    let target = format!("/s/{}/imports/mappings", store.slug);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/imports/mappings").get(list))
        .service(web::resource("/s/{store}/imports/mappings/new").get(editor::show).post(editor::receive))
        .service(web::resource("/s/{store}/imports/mappings/{id:[0-9]+}.toml").get(download))
        .service(web::resource("/s/{store}/imports/mappings/{id:[0-9]+}/retire").post(retire));
}
