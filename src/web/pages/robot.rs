use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;

use crate::domain::StoreId;
use crate::jobs::wecom;
use crate::store::{Channel, Outgoing};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, EVERY_STORE, Page};
use crate::web::respond;
use crate::web::state::AppState;
use crate::web::texts::Language;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/s/{store}/alerts/robot", web::get().to(show))
        .route("/s/{store}/alerts/robot", web::post().to(save))
        .route("/s/{store}/alerts/robot/test", web::post().to(test))
        .route("/s/{store}/alerts/robot/remove", web::post().to(remove));
}

/// What is shown of a robot: never its address.
struct Known {
    masked: String,
    language: String,
    daily_report: bool,
    last_sent: Option<String>,
    last_error: String,
}

#[derive(Template)]
#[template(path = "pages/robot.html")]
struct RobotPage {
    page: Page,
    known: Option<Known>,
    errors: FieldErrors,
}

/// The robot that `{store}` means; with `all` the one of every store.
async fn channel(
    state: &AppState,
    viewer: &Viewer,
    store: &str,
) -> Result<(Option<StoreId>, Option<Channel>), WebError> {
    viewer.require_owner()?;
    let of = if store == EVERY_STORE { None } else { Some(viewer.store(store)?.id) };
    let found = state.database.channels().await?.into_iter().find(|channel| channel.store == of);
    Ok((of, found))
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    store: &str,
    errors: FieldErrors,
) -> Result<HttpResponse, WebError> {
    let page = viewer.page(request, store, Area::Alerts)?;
    let (of, found) = channel(state, viewer, store).await?;
    let zone = viewer
        .stores()
        .iter()
        .find(|store| of.is_none_or(|of| store.id == of))
        .map_or(Tz::UTC, |store| store.zone);
    let known = found.map(|channel| Known {
        masked: wecom::masked(&channel.url),
        last_sent: channel.last_sent_at.map(|at| page.when(at, zone)),
        language: channel.language,
        daily_report: channel.daily_report,
        last_error: channel.last_error,
    });
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(respond::html(request, status, RobotPage { page, known, errors }.render()?))
}

/// `GET /s/{store}/alerts/robot`: where alerts are sent.
async fn show(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    render(&request, &state, &viewer, &store, FieldErrors::default()).await
}

#[derive(Deserialize)]
struct RobotForm {
    #[serde(default)]
    address: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    daily: String,
}

/// `POST /s/{store}/alerts/robot`: sets the robot; an empty address keeps the known one.
async fn save(
    request: HttpRequest,
    form: SignedForm<RobotForm>,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    let (of, known) = channel(&state, &viewer, &store).await?;
    let language = Language::parse(&fields.language).unwrap_or(Language::Chinese).tag();
    let daily = !fields.daily.is_empty();
    if let (Some(known), true) = (&known, fields.address.trim().is_empty()) {
        state.database.set_channel_options(known.id, language, daily).await?;
        return Ok(back(&store));
    }
    let Ok(address) = wecom::accept_address(&fields.address, state.config.allow_local_robot) else {
        let mut errors = FieldErrors::default();
        errors.add("address", "robot-address-wrong");
        return render(&request, &state, &viewer, &store, errors).await;
    };
    state.database.replace_channel(of, &address, language, daily, state.clock.now()).await?;
    tracing::info!(person = viewer.person.id.0, store = %*store, "a robot was set");
    Ok(back(&store))
}

#[derive(Deserialize)]
struct Nothing {}

/// `POST /s/{store}/alerts/robot/test`: puts a test message into the outbox, the way of every other.
async fn test(
    form: SignedForm<Nothing>,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (_, known) = channel(&state, &form.viewer, &store).await?;
    let known = known.ok_or(WebError::NotFound)?;
    let now = state.clock.now();
    let message = Outgoing { channel: known.id, body: wecom::test_message(&known.language) };
    // A second press within ten seconds is the same wish.
    let once = format!("test:{}:{}", known.id, now.timestamp() / 10);
    state.database.post_notification(&message, &once, now).await?;
    Ok(back(&store))
}

/// `POST /s/{store}/alerts/robot/remove`: forgets the robot and what waits for it.
async fn remove(
    form: SignedForm<Nothing>,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (_, known) = channel(&state, &form.viewer, &store).await?;
    if let Some(known) = known {
        state.database.delete_channel(known.id).await?;
        tracing::info!(person = form.viewer.person.id.0, store = %*store, "a robot was removed");
    }
    Ok(back(&store))
}

/// The slug was found among the viewer's stores, or is `all`: it is safe in an address.
fn back(store: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, format!("/s/{store}/alerts/robot"))).finish()
}
