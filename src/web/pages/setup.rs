use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::store_fields::StoreFields;
use crate::domain::{OrganisationId, Role, StoreSet};
use crate::store::{FirstSetup, PersonDraft};
use crate::web::door::{self, PasswordError, Passwords, same_origin, token_hash};
use crate::web::error::WebError;
use crate::web::form::{self, FieldErrors};
use crate::web::page::Page;
use crate::web::respond;
use crate::web::state::AppState;

/// Characters of a person's or organisation's name, and of an address.
const NAME_CHARS_MAX: usize = 80;
const EMAIL_CHARS_MAX: usize = 254;

#[derive(Template)]
#[template(path = "pages/setup.html")]
struct SetupPage {
    page: Page,
    token: String,
    name: String,
    email: String,
    organisation: String,
    store: StoreFields,
    errors: FieldErrors,
    is_new_store: bool,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct SetupForm {
    #[serde(default)]
    token: String,
    name: String,
    email: String,
    password: String,
    organisation: String,
    #[serde(flatten)]
    store: StoreFields,
}

/// 404 unless the token is the one of the printed link, in time, and nobody can sign in yet.
async fn check(state: &AppState, token: &str) -> Result<(), WebError> {
    let kept = state.database.setup_token(state.clock.now()).await?.ok_or(WebError::NotFound)?;
    let is_right: bool = kept.ct_eq(&token_hash(token)).into();
    if is_right { Ok(()) } else { Err(WebError::NotFound) }
}

/// `GET /setup?token=…`.
async fn show(
    request: HttpRequest,
    query: web::Query<Token>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    check(&state, &query.token).await?;
    let page = Page::new(&request);
    let body = SetupPage {
        token: query.into_inner().token,
        name: String::new(),
        email: String::new(),
        organisation: String::new(),
        store: StoreFields::blank(page.language),
        errors: FieldErrors::default(),
        is_new_store: true,
        page,
    }
    .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// `POST /setup`: owner, organisation and first store in one transaction; then signed in.
async fn complete(
    request: HttpRequest,
    state: web::Data<AppState>,
    form: web::Form<SetupForm>,
) -> Result<HttpResponse, WebError> {
    check(&state, &form.token).await?;
    same_origin(&request, &state.config)?;
    let form = form.into_inner();
    let mut errors = FieldErrors::default();
    let Some(setup) = read(&state, &form, &mut errors).await? else {
        let body = SetupPage {
            page: Page::new(&request),
            token: form.token,
            name: form.name,
            email: form.email,
            organisation: form.organisation,
            store: form.store,
            errors,
            is_new_store: true,
        }
        .render()?;
        return Ok(respond::html(&request, StatusCode::UNPROCESSABLE_ENTITY, body));
    };
    let (person, store) = state.database.complete_setup(&setup, state.clock.now()).await?;
    tracing::info!(store = store.slug, "the installation is set up");
    let mut answer = HttpResponse::SeeOther();
    door::start_session(&state, &request, person, &mut answer).await?;
    Ok(answer.insert_header((LOCATION, format!("/s/{}/overview", store.slug))).finish())
}

async fn read(
    state: &AppState,
    form: &SetupForm,
    errors: &mut FieldErrors,
) -> Result<Option<FirstSetup>, WebError> {
    let name = form::text(errors, "name", &form.name, NAME_CHARS_MAX);
    let email = form::text(errors, "email", &form.email, EMAIL_CHARS_MAX).to_lowercase();
    if !is_address(&email) {
        errors.add("email", "form-email-wrong");
    }
    let organisation_name = form::text(errors, "organisation", &form.organisation, NAME_CHARS_MAX);
    match Passwords::judge(&form.password, &email) {
        Err(PasswordError::Length) => errors.add("password", "password-length"),
        Err(_) => errors.add("password", "password-guessable"),
        Ok(()) => {}
    }
    // The organisation gets its number in the same transaction as the store.
    let Some(store) = form.store.draft(OrganisationId(0), errors) else { return Ok(None) };
    if !errors.is_empty() {
        return Ok(None);
    }
    let owner = PersonDraft {
        email,
        name,
        password_hash: state.door.passwords.hash(form.password.clone()).await?,
        role: Role::Owner,
        stores: StoreSet::All,
        language: String::new(),
    };
    Ok(Some(FirstSetup { organisation_name, owner, store }))
}

/// Something before and after one `@`, and no space. More can only be learned by sending mail there.
fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(char::is_whitespace)
}

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/setup").get(show).post(complete));
}
