use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::web::choices::own_path;
use crate::web::door::{self, SignedForm, client_ip, same_origin};
use crate::web::error::WebError;
use crate::web::page::Page;
use crate::web::respond;
use crate::web::state::AppState;

/// Seconds until the next try is allowed after too many.
const RETRY_AFTER_S: u64 = 180;

#[derive(Template)]
#[template(path = "pages/login.html")]
struct LoginPage {
    page: Page,
    next: String,
    email: String,
    /// The last try was wrong.
    is_wrong: bool,
    /// Nobody can sign in yet.
    is_new: bool,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct LoginForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login?next=/path`.
async fn show(
    request: HttpRequest,
    query: web::Query<Next>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let body = LoginPage {
        page: Page::new(&request),
        next: own_path(&query.next).to_owned(),
        email: String::new(),
        is_wrong: false,
        is_new: !state.database.has_people().await?,
    }
    .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// `POST /login`: the same answer in the same time for a wrong password and for an address nobody has.
async fn sign_in(
    request: HttpRequest,
    state: web::Data<AppState>,
    form: web::Form<LoginForm>,
) -> Result<HttpResponse, WebError> {
    same_origin(&request, &state.config)?;
    let form = form.into_inner();
    let email = form.email.trim().to_lowercase();
    if !state.door.may_sign_in(&email, client_ip(&request, &state.config)) {
        tracing::warn!("too many tries to sign in");
        return Err(WebError::TooMany { retry_after_s: RETRY_AFTER_S });
    }
    let found = state.database.person_for_login(&email).await?;
    let (person, hash) = found.unzip();
    let is_right = state.door.passwords.verify(form.password, hash).await?;
    let next = own_path(&form.next);
    let Some(person) = person.filter(|_| is_right) else {
        tracing::warn!("a sign-in failed");
        let page = Page::new(&request);
        let body =
            LoginPage { page, next: next.to_owned(), email: form.email, is_wrong: true, is_new: false };
        return Ok(respond::html(&request, StatusCode::UNAUTHORIZED, body.render()?));
    };
    let mut answer = HttpResponse::SeeOther();
    door::start_session(&state, &request, person, &mut answer).await?;
    tracing::info!(person = person.0, "signed in");
    Ok(answer.insert_header((LOCATION, next)).finish())
}

#[derive(Deserialize)]
struct Nothing {}

/// `POST /logout`: ends the session on the server and in the browser.
async fn sign_out(form: SignedForm<Nothing>, state: web::Data<AppState>) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields: Nothing {} } = form;
    state.database.revoke_session(viewer.session, viewer.person.id, state.clock.now()).await?;
    let mut answer = HttpResponse::SeeOther();
    door::end_session(&state.config, &mut answer);
    Ok(answer.insert_header((LOCATION, "/login")).finish())
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/login").get(show).post(sign_in))
        .service(web::resource("/logout").post(sign_out));
}
