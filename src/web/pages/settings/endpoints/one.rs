use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::new::{SecretFields, sealed};
use super::{see, since};
use crate::domain::{KeyMode, Store};
use crate::intake::webhooks::{Provider, SecretKind};
use crate::store::EndpointRecord;
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::numbers::NONE;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Notices that were not understood, on the page.
const UNREAD_SHOWN: i64 = 20;

#[derive(Template)]
#[template(path = "pages/settings/endpoints/one.html")]
struct EndpointPage {
    page: Page,
    is_owner: bool,
    endpoint: EndpointRecord,
    provider: Provider,
    store: Store,
    last: String,
    origin: String,
    is_https: bool,
    secrets: Vec<SecretLine>,
    /// Reason and number.
    refusals: Vec<(String, i64)>,
    unread: Vec<UnreadLine>,
    errors: FieldErrors,
    key_name: String,
}

/// A secret in the list.
struct SecretLine {
    id: String,
    kind: String,
    name: String,
    fingerprint: String,
    added: String,
    /// "–" before the first use.
    used: String,
    /// When it was ended; `None` while it is in force.
    until: Option<String>,
    /// False for the last of its kind.
    may_end: bool,
}

/// A notice that was not understood.
struct UnreadLine {
    event: String,
    field: String,
    code: String,
    at: String,
}

/// The endpoint of the address, if it is of a store of this owner's.
async fn find(
    state: &AppState,
    viewer: &Viewer,
    id: &str,
) -> Result<(EndpointRecord, Provider, Store), WebError> {
    let endpoint = state.database.webhook_endpoint(id).await?.ok_or(WebError::NotFound)?;
    let store = viewer.stores().iter().find(|store| store.id == endpoint.store).cloned();
    let provider = Provider::parse(&endpoint.provider);
    let (Some(store), Some(provider)) = (store, provider) else { return Err(WebError::NotFound) };
    Ok((endpoint, provider, store))
}

/// `GET /s/{store}/settings/endpoints/{endpoint}`.
pub(super) async fn show(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    render(&request, &state, &viewer, &path, (String::new(), FieldErrors::default())).await
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    (at, id): &(String, String),
    (key_name, errors): (String, FieldErrors),
) -> Result<HttpResponse, WebError> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (endpoint, provider, store) = find(state, viewer, id).await?;
    let page = viewer.page(request, at, Area::Settings)?;
    let refusals = state.database.webhook_refusals(since(state.clock.now())).await?;
    let unread = state.database.rejected_notices(id, UNREAD_SHOWN).await?;
    let body = EndpointPage {
        is_owner: true,
        provider,
        last: endpoint.last_event_at.map_or_else(|| NONE.to_owned(), |at| page.when(at, store.zone)),
        origin: state.config.public_origin.clone(),
        is_https: state.config.is_https(),
        secrets: secrets(state, &page, &endpoint, &store).await?,
        refusals: refusals.into_iter().filter(|(of, ..)| of == id).map(|(_, why, n)| (why, n)).collect(),
        unread: unread
            .into_iter()
            .map(|notice| UnreadLine {
                event: notice.event,
                field: notice.field,
                code: notice.code,
                at: page.when(notice.received_at, store.zone),
            })
            .collect(),
        errors,
        key_name,
        endpoint,
        store,
        page,
    }
    .render()?;
    Ok(respond::html(request, status, body))
}

async fn secrets(
    state: &AppState,
    page: &Page,
    endpoint: &EndpointRecord,
    store: &Store,
) -> Result<Vec<SecretLine>, WebError> {
    let now = state.clock.now();
    let records = state.database.webhook_secrets(&endpoint.id).await?;
    let in_force =
        |kind: &str| records.iter().filter(|record| record.kind == kind && record.is_in_force(now)).count();
    let lines = records.iter().map(|record| SecretLine {
        id: record.id.clone(),
        kind: record.kind.clone(),
        name: record.name.clone(),
        fingerprint: record.fingerprint.clone(),
        added: page.when(record.added_at, store.zone),
        used: record.last_used_at.map_or_else(|| NONE.to_owned(), |at| page.when(at, store.zone)),
        until: record.until.map(|until| page.when(until, store.zone)),
        may_end: in_force(&record.kind) > 1,
    });
    Ok(lines.collect())
}

/// `kind` says which of the secret fields is meant.
#[derive(Deserialize)]
pub(super) struct SecretForm {
    kind: String,
    #[serde(flatten)]
    secrets: SecretFields,
}

/// `POST /s/{store}/settings/endpoints/{endpoint}/secrets`: a second secret beside the first.
pub(super) async fn add_secret(
    request: HttpRequest,
    form: SignedForm<SecretForm>,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let (endpoint, provider, _) = find(&state, &viewer, &path.1).await?;
    let kind = SecretKind::parse(&fields.kind).ok_or(WebError::BadRequest)?;
    let mut errors = FieldErrors::default();
    let Some(entered) = fields.secrets.read(provider, kind, &mut errors) else {
        return render(&request, &state, &viewer, &path, (fields.secrets.key_name, errors)).await;
    };
    let record = sealed(&state, &endpoint.id, kind, &entered)?;
    state.database.insert_webhook_secret(&record).await?;
    state.webhooks.forget();
    tracing::info!(
        person = viewer.person.id.0,
        endpoint = endpoint.id,
        fingerprint = record.fingerprint,
        "a secret of a callback address was added"
    );
    Ok(see(&path.0, &format!("/endpoints/{}", endpoint.id)))
}

#[derive(Deserialize)]
pub(super) struct EndForm {
    secret: String,
}

/// `POST /s/{store}/settings/endpoints/{endpoint}/secrets/end`: not used from the next notice on.
pub(super) async fn end_secret(
    form: SignedForm<EndForm>,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let (endpoint, ..) = find(&state, &viewer, &path.1).await?;
    let now = state.clock.now();
    let records = state.database.webhook_secrets(&endpoint.id).await?;
    let in_force = || records.iter().filter(|record| record.is_in_force(now));
    let ended = in_force().find(|record| record.id == fields.secret).ok_or(WebError::NotFound)?;
    if in_force().filter(|record| record.kind == ended.kind).count() < 2 {
        return Err(WebError::Conflict);
    }
    state.database.end_webhook_secret(&endpoint.id, &fields.secret, now).await?;
    state.webhooks.forget();
    tracing::info!(
        person = viewer.person.id.0,
        endpoint = endpoint.id,
        fingerprint = ended.fingerprint,
        "a secret of a callback address was ended"
    );
    Ok(see(&path.0, &format!("/endpoints/{}", endpoint.id)))
}

#[derive(Deserialize)]
pub(super) struct StateForm {
    on: bool,
}

/// `POST /s/{store}/settings/endpoints/{endpoint}/state`.
pub(super) async fn set_state(
    form: SignedForm<StateForm>,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let (endpoint, ..) = find(&state, &viewer, &path.1).await?;
    let disabled_at = (!fields.on).then(|| state.clock.now());
    state.database.set_webhook_endpoint_disabled(&endpoint.id, disabled_at).await?;
    state.webhooks.forget();
    tracing::info!(
        person = viewer.person.id.0,
        endpoint = endpoint.id,
        on = fields.on,
        "a callback address was switched"
    );
    Ok(see(&path.0, &format!("/endpoints/{}", endpoint.id)))
}
