use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;

use crate::store::SessionEntry;
use crate::web::door::{self, PasswordError, Passwords, SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, EVERY_STORE, Page};
use crate::web::respond;
use crate::web::state::AppState;
use crate::web::texts::{LANGUAGE_COOKIE, Language};

#[derive(Template)]
#[template(path = "pages/account.html")]
struct AccountPage {
    page: Page,
    email: String,
    language: String,
    /// Sessions, and whether each is this browser's.
    sessions: Vec<(SessionEntry, bool)>,
    /// The zone that times are shown in: the first store's.
    zone: Tz,
    errors: FieldErrors,
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    errors: FieldErrors,
) -> Result<HttpResponse, WebError> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let sessions = state.database.sessions_of(viewer.person.id, state.clock.now()).await?;
    let body = AccountPage {
        page: viewer.page(request, EVERY_STORE, Area::Settings)?,
        email: viewer.person.email.clone(),
        language: viewer.person.language.clone(),
        sessions: sessions
            .into_iter()
            .map(|session| {
                let own = session.id == viewer.session;
                (session, own)
            })
            .collect(),
        zone: viewer.stores().first().map_or(Tz::UTC, |store| store.zone),
        errors,
    }
    .render()?;
    Ok(respond::html(request, status, body))
}

/// `GET /account`: language, password, sessions of who is signed in.
async fn show(
    request: HttpRequest,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    render(&request, &state, &viewer, FieldErrors::default()).await
}

#[derive(Deserialize)]
struct LanguageForm {
    language: String,
}

/// `POST /account/language`: an unknown tag means what the browser asks for.
async fn set_language(
    form: SignedForm<LanguageForm>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let language = Language::parse(&form.fields.language).map_or("", Language::tag);
    state.database.set_person_language(form.viewer.person.id, language).await?;
    let mut answer = back();
    // What this browser was switched to would hide the choice.
    let mut switched = Cookie::build(LANGUAGE_COOKIE, "").path("/").finish();
    switched.make_removal();
    answer.add_cookie(&switched).map_err(|error| WebError::Internal(error.into()))?;
    Ok(answer)
}

#[derive(Deserialize)]
struct PasswordForm {
    current: String,
    password: String,
}

/// `POST /account/password`: ends every session of this person and begins a new one here.
async fn set_password(
    request: HttpRequest,
    form: SignedForm<PasswordForm>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    let email = &viewer.person.email;
    if !state.door.may_sign_in(email, door::client_ip(&request, &state.config)) {
        return Err(WebError::TooMany { retry_after_s: 180 });
    }
    let mut errors = FieldErrors::default();
    let hash = state.database.person_for_login(email).await?.map(|(_, hash)| hash);
    if !state.door.passwords.verify(fields.current, hash).await? {
        errors.add("current", "account-current-wrong");
    }
    match Passwords::judge(&fields.password, email) {
        Err(PasswordError::Length) => errors.add("password", "password-length"),
        Err(_) => errors.add("password", "password-guessable"),
        Ok(()) => {}
    }
    if !errors.is_empty() {
        return render(&request, &state, &viewer, errors).await;
    }
    let hash = state.door.passwords.hash(fields.password).await?;
    state.database.set_password(email, &hash, state.clock.now()).await?;
    let mut answer = HttpResponse::SeeOther();
    door::start_session(&state, &request, viewer.person.id, &mut answer).await?;
    tracing::info!(person = viewer.person.id.0, "a password was changed");
    Ok(answer.insert_header((LOCATION, "/account")).finish())
}

#[derive(Deserialize)]
struct SessionForm {
    session: i64,
}

/// `POST /account/sessions/revoke`: ends one session of this person.
async fn revoke(form: SignedForm<SessionForm>, state: web::Data<AppState>) -> Result<HttpResponse, WebError> {
    let person = form.viewer.person.id;
    if !state.database.revoke_session(form.fields.session, person, state.clock.now()).await? {
        return Err(WebError::NotFound);
    }
    Ok(back())
}

fn back() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, "/account")).finish()
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/account").get(show))
        .service(web::resource("/account/language").post(set_language))
        .service(web::resource("/account/password").post(set_password))
        .service(web::resource("/account/sessions/revoke").post(revoke));
}
