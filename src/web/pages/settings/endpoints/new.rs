use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::{see, sentence_of};
use crate::domain::{KeyMode, Store};
use crate::intake::webhooks::{Entered, Provider, SecretKind, read_secret};
use crate::store::{EndpointRecord, SecretRecord};
use crate::web::door::{SignedForm, Viewer, random_hex};
use crate::web::error::WebError;
use crate::web::form::{self, FieldErrors};
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Characters of a merchant's or app's id.
const ACCOUNT_CHARS_MAX: usize = 128;
/// Bytes of an endpoint's id: nobody guesses it.
const ID_BYTES: usize = 16;

#[derive(Template)]
#[template(path = "pages/settings/endpoints/new.html")]
struct NewPage {
    page: Page,
    is_owner: bool,
    provider: Provider,
    stores: Vec<Store>,
    errors: FieldErrors,
    typed: NewForm,
}

/// What is typed in. No `Debug`: there are secrets in it.
#[derive(Default, Deserialize)]
pub(super) struct NewForm {
    endpoint_store: String,
    account: String,
    mode: String,
    #[serde(default)]
    app_id: String,
    #[serde(default)]
    capture: String,
    #[serde(flatten)]
    secrets: SecretFields,
}

/// A field for each kind of secret.
#[derive(Default, Deserialize)]
pub(super) struct SecretFields {
    #[serde(default)]
    pub(super) key_name: String,
    #[serde(default)]
    public_key: String,
    #[serde(default)]
    api_v3_key: String,
    #[serde(default)]
    signing_secret: String,
    #[serde(default)]
    hmac_key: String,
}

impl SecretFields {
    /// Reads the field of a kind; what is wrong with it is noted.
    pub(super) fn read(
        &self,
        provider: Provider,
        kind: SecretKind,
        errors: &mut FieldErrors,
    ) -> Option<Entered> {
        let text = match kind {
            SecretKind::PublicKey => &self.public_key,
            SecretKind::ApiV3Key => &self.api_v3_key,
            SecretKind::SigningSecret => &self.signing_secret,
            SecretKind::HmacKey => &self.hmac_key,
        };
        let name = if provider == Provider::WechatPay { self.key_name.as_str() } else { "" };
        read_secret(provider, kind, name, text)
            .map_err(|fault| errors.add(kind.as_str(), sentence_of(fault)))
            .ok()
    }
}

/// Seals what was entered for a row of its own.
///
/// # Errors
/// When the machine gives no random bytes.
pub(super) fn sealed(
    state: &AppState,
    endpoint: &str,
    kind: SecretKind,
    entered: &Entered,
) -> Result<SecretRecord, WebError> {
    let id = random_hex::<ID_BYTES>().map_err(anyhow::Error::from)?;
    let named = (kind.as_str(), entered.name.as_str());
    let now = state.clock.now();
    let record = SecretRecord::sealing(&state.seal, (&id, endpoint), named, &entered.secret, now);
    record.map_err(|error| WebError::Internal(error.into()))
}

/// `GET /s/{store}/settings/endpoints/new/{provider}`.
pub(super) async fn ask(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    let (store, provider) = path.into_inner();
    let provider = Provider::parse(&provider).ok_or(WebError::NotFound)?;
    let typed = NewForm { endpoint_store: store.clone(), ..NewForm::default() };
    render(&request, &viewer, &store, provider, (typed, FieldErrors::default()))
}

fn render(
    request: &HttpRequest,
    viewer: &Viewer,
    at: &str,
    provider: Provider,
    (mut typed, errors): (NewForm, FieldErrors),
) -> Result<HttpResponse, WebError> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    // Never sent back, not even to who typed them.
    typed.secrets = SecretFields { key_name: typed.secrets.key_name, ..SecretFields::default() };
    let page = viewer.page(request, at, Area::Settings)?;
    let body = NewPage { page, is_owner: true, provider, stores: viewer.stores().to_vec(), errors, typed }
        .render()?;
    Ok(respond::html(request, status, body))
}

/// `POST /s/{store}/settings/endpoints/new/{provider}`.
pub(super) async fn create(
    request: HttpRequest,
    form: SignedForm<NewForm>,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let (at, provider) = path.into_inner();
    let provider = Provider::parse(&provider).ok_or(WebError::NotFound)?;
    let mode = KeyMode::parse(&fields.mode).ok_or(WebError::BadRequest)?;
    let mut errors = FieldErrors::default();
    let store = viewer.stores().iter().find(|store| store.slug == fields.endpoint_store);
    if store.is_none() {
        errors.add("endpoint_store", "form-required");
    }
    let account = form::text(&mut errors, "account", &fields.account, ACCOUNT_CHARS_MAX);
    let app_id = match provider {
        Provider::Alipay => form::text(&mut errors, "app_id", &fields.app_id, ACCOUNT_CHARS_MAX),
        _ => String::new(),
    };
    let kinds = provider.secret_kinds().iter().copied();
    let entered: Vec<_> =
        kinds.map(|kind| (kind, fields.secrets.read(provider, kind, &mut errors))).collect();
    let (Some(store), true) = (store, errors.is_empty()) else {
        return render(&request, &viewer, &at, provider, (fields, errors));
    };
    let endpoint = EndpointRecord {
        id: random_hex::<ID_BYTES>().map_err(anyhow::Error::from)?,
        store: store.id,
        provider: provider.as_str().to_owned(),
        account,
        mode,
        app_id,
        manual_capture: provider == Provider::Adyen && fields.capture == "manual",
        created_at: state.clock.now(),
        disabled_at: None,
        last_event_at: None,
    };
    let mut secrets = Vec::new();
    for (kind, entered) in entered {
        if let Some(entered) = entered {
            secrets.push(sealed(&state, &endpoint.id, kind, &entered)?);
        }
    }
    state.database.insert_webhook_endpoint(&endpoint, &secrets).await?;
    tracing::info!(person = viewer.person.id.0, endpoint = endpoint.id, "a callback address was made");
    Ok(see(&at, &format!("/endpoints/{}", endpoint.id)))
}
