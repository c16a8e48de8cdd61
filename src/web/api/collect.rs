//! `POST /collect/{site}`: events of a checkout, from the shopper's browser (`static/beacon.js`).
//!
//! The id in the address is public and can only write: it is bound to one store and to the origins of its pages, and
//! takes nothing but steps of checkout. Whoever sends learns nothing: the answer is 204, whatever became of it, but for
//! events that were good and could not be committed. What became of them is counted.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderName, ORIGIN, RETRY_AFTER, USER_AGENT, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::domain::{CheckoutEvent, Word};
use crate::intake::api::RowContext;
use crate::intake::funnel::{BEACON_BYTES_MAX, BeaconFault, read_beacon};
use crate::telemetry::BeaconResult;
use crate::web::AppState;
use crate::web::door::{Site, client_ip};

/// Time a body of a few kilobytes has.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// Seconds after which events that could not be committed might be sent again.
const RETRY_AFTER_S: u64 = 2;
/// The name of this way in.
const FEED: &str = "beacon";
/// Lets pages of other sites have the answer, which says nothing.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// What programs that read the web call themselves; a shopper's browser does not.
const ROBOTS: [&str; 8] =
    ["bot", "crawl", "spider", "slurp", "facebookexternalhit", "lighthouse", "curl/", "python"];

/// `POST /collect/{site}`.
pub(super) async fn collect(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Path<String>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let now = state.clock.now();
    let site = match state.door.sites.find(&state.database, &site, now).await {
        Ok(site) => site,
        Err(error) => {
            tracing::error!(%error, "the sites of beacons could not be read");
            state.metrics.beacon_events(BeaconResult::NotCommitted, 1);
            return later();
        }
    };
    let Some(site) = site else {
        state.metrics.beacon_events(BeaconResult::UnknownSite, 1);
        return done(None);
    };
    let origin = origin_of(&request, &site);
    let result = match taken(&request, payload, &site, origin, &state).await {
        Ok(()) => return done(origin),
        Err(result) => result,
    };
    note(&state, &site, result, 1).await;
    if result == BeaconResult::NotCommitted { later() } else { done(origin) }
}

/// The page's origin, where it is one of the site's.
fn origin_of<'s>(request: &HttpRequest, site: &'s Site) -> Option<&'s str> {
    let mut given = request.headers().get_all(ORIGIN);
    let origin = given.next()?.to_str().ok()?;
    let known = site.record.origins.iter().find(|known| *known == origin)?;
    given.next().is_none().then_some(known)
}

/// Takes what can be taken; otherwise says why nothing was.
async fn taken(
    request: &HttpRequest,
    payload: web::Payload,
    site: &Site,
    origin: Option<&str>,
    state: &AppState,
) -> Result<(), BeaconResult> {
    if !state.door.may_collect(&site.record.id, client_ip(request, &state.config)) {
        return Err(BeaconResult::TooMany);
    }
    origin.ok_or(BeaconResult::Origin)?;
    let client = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_robot(client) {
        return Err(BeaconResult::Robot);
    }
    let body = read_body(request, payload).await.ok_or(BeaconResult::Malformed)?;
    let stores = std::slice::from_ref(&site.store);
    let context = RowContext { now: state.clock.now(), stores, test: false, pseudonyms: &state.pseudonyms };
    let read = read_beacon(&body, &site.record.id, &context).map_err(result_of)?;
    let mut events: Vec<CheckoutEvent> = Vec::with_capacity(read.len());
    for event in read {
        match event {
            Ok(event) => events.push(CheckoutEvent { device: Some(device_of(client).to_owned()), ..event }),
            Err(fault) => note(state, site, result_of(fault), 1).await,
        }
    }
    if events.is_empty() {
        return Ok(());
    }
    let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
    let sender = Word::of(&site.record.id);
    if let Err(error) = state.intake.accept_from(sender, Word::of(FEED), events, None).await {
        tracing::warn!(site = site.record.id, %error, "events of a beacon were not committed");
        return Err(BeaconResult::NotCommitted);
    }
    note(state, site, BeaconResult::Accepted, count).await;
    Ok(())
}

const fn result_of(fault: BeaconFault) -> BeaconResult {
    match fault {
        BeaconFault::Malformed => BeaconResult::Malformed,
        BeaconFault::Clock => BeaconResult::Clock,
        BeaconFault::CardNumber => BeaconResult::CardNumber,
    }
}

/// Counts, and writes the last event down now and then. A full disk must not keep anybody waiting.
async fn note(state: &AppState, site: &Site, result: BeaconResult, events: u64) {
    let now = state.clock.now();
    state.metrics.beacon_events(result, events);
    if state.door.sites.note(&site.record.id, result, events, now)
        && let Err(error) = state.database.touch_collect_site(&site.record.id, now).await
    {
        tracing::warn!(site = site.record.id, %error, "the last event of a site was not written down");
    }
}

/// A text of at most [`BEACON_BYTES_MAX`]; `None` for anything else.
async fn read_body(request: &HttpRequest, mut payload: web::Payload) -> Option<Vec<u8>> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    if kind.split(';').next()?.trim() != "text/plain" {
        return None;
    }
    let read = async {
        let mut body = Vec::new();
        while let Some(piece) = payload.next().await {
            let piece = piece.ok()?;
            if body.len() + piece.len() > BEACON_BYTES_MAX {
                return None;
            }
            body.extend_from_slice(&piece);
        }
        Some(body)
    };
    timeout(BODY_WITHIN, read).await.ok().flatten()
}

/// True for programs that say they are one. The name itself is not kept.
fn is_robot(client: &str) -> bool {
    let client = client.to_ascii_lowercase();
    client.is_empty() || ROBOTS.iter().any(|robot| client.contains(robot))
}

/// What the shopper holds, as far as the browser says.
fn device_of(client: &str) -> &'static str {
    if client.contains("iPad") || client.contains("Tablet") {
        "tablet"
    } else if client.contains("Mobi") || client.contains("Android") {
        "mobile"
    } else {
        "desktop"
    }
}

/// 204. Only pages of the site itself may see even that.
fn done(origin: Option<&str>) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    answer.insert_header((RESOURCE_POLICY, "cross-origin")).insert_header((VARY, "Origin"));
    if let Some(origin) = origin {
        answer.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin));
    }
    answer.finish()
}

/// 503: nothing was kept.
fn later() -> HttpResponse {
    HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE)
        .insert_header((RESOURCE_POLICY, "cross-origin"))
        .insert_header((RETRY_AFTER, RETRY_AFTER_S))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_from_robots_and_telephones_from_desks() {
        let phone =
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0";
        let desk = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0 Safari/537.36";
        assert!(!is_robot(phone) && !is_robot(desk));
        for robot in ["", "Googlebot/2.1", "Mozilla/5.0 (compatible; Baiduspider/2.0)", "curl/8.5"] {
            assert!(is_robot(robot), "{robot}");
        }
        assert_eq!((device_of(phone), device_of(desk)), ("mobile", "desktop"));
        assert_eq!(device_of("Mozilla/5.0 (iPad; CPU OS 17_0) Mobile/15E148"), "tablet");
    }
}
