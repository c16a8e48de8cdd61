use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha384};

use super::see;
use crate::domain::Store;
use crate::intake::funnel::{BEACON_AHEAD_MINUTES_MAX, BEACON_HOURS_MAX};
use crate::store::{COLLECT_SITES_MAX, CollectSite};
use crate::web::assets;
use crate::web::door::{SignedForm, Viewer, is_origin, random_bytes};
use crate::web::error::WebError;
use crate::web::form::{self, FieldErrors};
use crate::web::numbers::NONE;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Characters of a site's name.
const NAME_CHARS_MAX: usize = 60;
/// Origins of one site.
const ORIGINS_MAX: usize = 20;
/// Letters of a site's id: 75 bits, so that none is found by trying.
const ID_CHARS: usize = 16;

#[derive(Template)]
#[template(path = "pages/settings/beacon.html")]
struct BeaconPage {
    page: Page,
    is_owner: bool,
    sites: Vec<SiteShown>,
    stores: Vec<Store>,
    errors: FieldErrors,
    typed: SiteForm,
    /// Address of the script.
    script: String,
    /// What a strict content security policy has to allow.
    origin: String,
    /// The script as it is now, and its hash.
    pinned: String,
    integrity: String,
    /// How far a browser's clock may be off.
    hours: i64,
    minutes: i64,
}

/// A site in the list.
struct SiteShown {
    site: CollectSite,
    store: String,
    /// "–" before the first event.
    last_event: String,
    /// What was refused since this server started, in words; empty when nothing was.
    refused: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SiteForm {
    name: String,
    site_store: String,
    origins: String,
}

impl SiteForm {
    /// The site that was typed in, without an id; `None` when a field is wrong, noted in `errors`.
    fn read(&self, stores: &[Store], errors: &mut FieldErrors) -> Option<(String, Store, Vec<String>)> {
        let name = form::text(errors, "name", &self.name, NAME_CHARS_MAX);
        let store = stores.iter().find(|store| store.slug == self.site_store);
        if store.is_none() {
            errors.add("site_store", "form-required");
        }
        let mut origins: Vec<String> = self
            .origins
            .split_whitespace()
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
            .collect();
        origins.sort_unstable();
        origins.dedup();
        if origins.is_empty() {
            errors.add("origins", "form-required");
        } else if origins.len() > ORIGINS_MAX {
            errors.add("origins", "beacon-origins-many");
        } else if !origins.iter().all(|origin| is_origin(origin)) {
            errors.add("origins", "beacon-origin-wrong");
        }
        errors.is_empty().then(|| store.cloned().map(|store| (name, store, origins))).flatten()
    }
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    at: &str,
    (typed, errors): (SiteForm, FieldErrors),
) -> Result<HttpResponse, WebError> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = viewer.page(request, at, Area::Settings)?;
    let sites = state.database.collect_sites().await?;
    let sites = sites.into_iter().filter_map(|site| site_shown(site, state, viewer, &page)).collect();
    let origin = state.config.public_origin.clone();
    let body = BeaconPage {
        page,
        is_owner: true,
        sites,
        stores: viewer.stores().to_vec(),
        errors,
        typed,
        script: format!("{origin}{}", assets::BEACON_PATH),
        pinned: format!("{origin}{}", assets::url(assets::BEACON)),
        integrity: format!("sha384-{}", STANDARD.encode(Sha384::digest(assets::beacon_script()))),
        origin,
        hours: BEACON_HOURS_MAX,
        minutes: BEACON_AHEAD_MINUTES_MAX,
    }
    .render()?;
    Ok(respond::html(request, status, body))
}

fn site_shown(site: CollectSite, state: &AppState, viewer: &Viewer, page: &Page) -> Option<SiteShown> {
    let store = viewer.stores().iter().find(|store| store.id == site.store)?;
    let known = state.door.sites.state(&site.id);
    let last = known.last_event_at.max(site.last_event_at);
    let last_event = last.map_or_else(|| NONE.to_owned(), |at| page.when(at, store.zone));
    let refused = known
        .counts
        .iter()
        .filter(|(result, _)| *result != crate::telemetry::BeaconResult::Accepted)
        .map(|(result, count)| {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            format!(
                "{}: {}",
                page.word("beacon-refused", &result.as_str().replace('_', "-")),
                page.count(count)
            )
        })
        .collect();
    Some(SiteShown { store: store.name.clone(), last_event, refused, site })
}

/// `GET /s/{store}/settings/beacon`.
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    let typed = SiteForm { site_store: path.clone(), ..SiteForm::default() };
    render(&request, &state, &viewer, &path, (typed, FieldErrors::default())).await
}

/// `POST /s/{store}/settings/beacon`: makes a site.
async fn create(
    request: HttpRequest,
    form: SignedForm<SiteForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let mut errors = FieldErrors::default();
    let Some((name, store, origins)) = fields.read(viewer.stores(), &mut errors) else {
        return render(&request, &state, &viewer, &path, (fields, errors)).await;
    };
    if state.database.collect_sites().await?.len() >= COLLECT_SITES_MAX {
        errors.add("name", "beacon-sites-many");
        return render(&request, &state, &viewer, &path, (fields, errors)).await;
    }
    let site = CollectSite {
        id: site_id()?,
        store: store.id,
        name,
        origins,
        created_at: state.clock.now(),
        last_event_at: None,
    };
    state.database.insert_collect_site(&site).await?;
    state.door.sites.forget();
    tracing::info!(person = viewer.person.id.0, site = site.id, "a site of the checkout beacon was made");
    Ok(see(&path, "/beacon"))
}

/// Letters, so that no part of an id looks like a card number.
fn site_id() -> Result<String, WebError> {
    let bytes = random_bytes::<ID_CHARS>().map_err(anyhow::Error::from)?;
    Ok(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}

#[derive(Deserialize)]
struct RemoveForm {
    site: String,
}

/// `POST /s/{store}/settings/beacon/remove`: its pages are not heard any more.
async fn remove(
    form: SignedForm<RemoveForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let sites = state.database.collect_sites().await?;
    let is_own = sites
        .iter()
        .any(|site| site.id == fields.site && viewer.stores().iter().any(|store| store.id == site.store));
    if !is_own || !state.database.remove_collect_site(&fields.site, state.clock.now()).await? {
        return Err(WebError::NotFound);
    }
    state.door.sites.forget();
    tracing::info!(
        person = viewer.person.id.0,
        site = fields.site,
        "a site of the checkout beacon was removed"
    );
    Ok(see(&path, "/beacon"))
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/settings/beacon").get(list).post(create))
        .service(web::resource("/s/{store}/settings/beacon/remove").post(remove));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_letters_and_differ() {
        let (one, other) = (site_id().unwrap(), site_id().unwrap());
        assert!(one.len() == ID_CHARS && one.bytes().all(|byte| byte.is_ascii_lowercase()), "{one}");
        assert_ne!(one, other);
    }
}
