//! Callback addresses: where providers tell of payments as they happen, with which keys, and what could not be believed.

mod new;
mod one;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DurationRound, TimeDelta};

use super::see;
use crate::domain::{Instant, KeyMode};
use crate::intake::webhooks::{EntryFault, Provider};
use crate::store::EndpointRecord;
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::numbers::NONE;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// How far back refusals are shown.
const SHOWN: TimeDelta = TimeDelta::hours(24);

#[derive(Template)]
#[template(path = "pages/settings/endpoints/list.html")]
struct EndpointsPage {
    page: Page,
    is_owner: bool,
    lines: Vec<Line>,
}

/// An endpoint in the list.
struct Line {
    endpoint: EndpointRecord,
    store: String,
    /// "–" before the first.
    last: String,
    refused: i64,
    unread: i64,
}

/// `GET /s/{store}/settings/endpoints`.
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    let page = viewer.page(&request, &path, Area::Settings)?;
    let mut refused: BTreeMap<String, i64> = BTreeMap::new();
    for (endpoint, _, count) in state.database.webhook_refusals(since(state.clock.now())).await? {
        *refused.entry(endpoint).or_default() += count;
    }
    let unread: BTreeMap<String, i64> = state.database.rejected_notice_counts().await?.into_iter().collect();
    let mut lines = Vec::new();
    for endpoint in state.database.webhook_endpoints().await? {
        let Some(store) = viewer.stores().iter().find(|store| store.id == endpoint.store) else { continue };
        lines.push(Line {
            store: store.name.clone(),
            last: endpoint.last_event_at.map_or_else(|| NONE.to_owned(), |at| page.when(at, store.zone)),
            refused: refused.get(&endpoint.id).copied().unwrap_or(0),
            unread: unread.get(&endpoint.id).copied().unwrap_or(0),
            endpoint,
        });
    }
    let body = EndpointsPage { page, is_owner: true, lines }.render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// The first hour of which refusals are shown.
fn since(now: Instant) -> Instant {
    let begin = now - SHOWN;
    begin.duration_trunc(TimeDelta::hours(1)).unwrap_or(begin)
}

/// The sentence about what was pasted.
const fn sentence_of(fault: EntryFault) -> &'static str {
    match fault {
        EntryFault::Empty => "endpoint-fault-empty",
        EntryFault::TooLong => "endpoint-fault-too-long",
        EntryFault::PrivateKey => "endpoint-fault-private-key",
        EntryFault::NoPublicKey => "endpoint-fault-no-public-key",
        EntryFault::NameMissing => "endpoint-fault-name-missing",
        EntryFault::NotApiV3Key => "endpoint-fault-not-api-v3-key",
        EntryFault::NotStripe => "endpoint-fault-not-stripe",
        EntryFault::TooShort => "endpoint-fault-too-short",
        EntryFault::NotHex => "endpoint-fault-not-hex",
        EntryFault::WrongKind => "endpoint-fault-wrong-kind",
    }
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/settings/endpoints").get(list))
        .service(
            web::resource("/s/{store}/settings/endpoints/new/{provider}").get(new::ask).post(new::create),
        )
        .service(web::resource("/s/{store}/settings/endpoints/{endpoint}").get(one::show))
        .service(web::resource("/s/{store}/settings/endpoints/{endpoint}/secrets").post(one::add_secret))
        .service(web::resource("/s/{store}/settings/endpoints/{endpoint}/secrets/end").post(one::end_secret))
        .service(web::resource("/s/{store}/settings/endpoints/{endpoint}/state").post(one::set_state));
}
