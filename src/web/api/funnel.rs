//! Checkout events in the shapes of others: `POST /api/v1/checkout-events/ga4`, `…/segment`, `…/cloudevents`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use percent_encoding::percent_decode_str;

use super::answer;
use super::body::{self, Body};
use super::idempotency::{self, Standing};
use super::receive::{JUDGED_IN_PLACE_BYTES_MAX, disk_full, not_taken, note_refused, unreadable};
use crate::domain::Word;
use crate::intake::IntakeError;
use crate::intake::api::RowContext;
use crate::intake::funnel::{Attributes, Shape, Sorted, parse};
use crate::telemetry::IngestResult;
use crate::web::door::{ApiKey, IngestKey};
use crate::web::{AppState, WebError};

/// One event, and a list of them.
const CLOUD_EVENTS: [&str; 2] = ["application/cloudevents+json", "application/cloudevents-batch+json"];
/// What records of this kind are called in metrics and log.
const KIND: &str = "checkout_event";

/// `POST /api/v1/checkout-events/ga4`: a payload of the measurement protocol, a list of them, or one a line.
pub(super) async fn ga4(
    request: HttpRequest,
    payload: web::Payload,
    key: IngestKey,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    receive(&request, payload, key.0, &state, Shape::Ga4).await
}

/// `POST /api/v1/checkout-events/segment`: a call, a batch, a list of them, or one a line.
pub(super) async fn segment(
    request: HttpRequest,
    payload: web::Payload,
    key: IngestKey,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    receive(&request, payload, key.0, &state, Shape::Segment).await
}

/// `POST /api/v1/checkout-events/cloudevents`: structured, batch and binary mode.
pub(super) async fn cloud_events(
    request: HttpRequest,
    payload: web::Payload,
    key: IngestKey,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    receive(&request, payload, key.0, &state, Shape::CloudEvents).await
}

async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    key: ApiKey,
    state: &AppState,
    shape: Shape,
) -> Result<HttpResponse, WebError> {
    if state.intake.gate().is_shut() {
        return Err(disk_full(&IntakeError::DiskFull));
    }
    let sender = Word::of(&key.id);
    let claim = idempotency::claim(request, &key.id, state)?;
    let types: &[&str] = if shape == Shape::CloudEvents { &CLOUD_EVENTS } else { &[] };
    let mut body = body::read_as(request, payload, &state.intake, sender, types).await?;
    if shape == Shape::CloudEvents
        && let Some(attributes) = binary_mode(request.headers())
    {
        body.bytes = attributes.around(&body.bytes).ok_or_else(no_json)?;
    }
    let first = match claim {
        None => None,
        Some(claim) => match idempotency::look_up(claim, &body, state).await? {
            Standing::Retry(verdict) => return Ok(answer::replayed(verdict)),
            Standing::First(first) => Some(first),
        },
    };
    let id = key.id.clone();
    let sorted = sorted(body, key, state, shape).await?;
    let count = |result, events: usize| {
        if events > 0 {
            let events = u64::try_from(events).unwrap_or(u64::MAX);
            state.metrics.records_received(None, KIND, result, events);
        }
    };
    count(IngestResult::Rejected, sorted.errors.len());
    count(IngestResult::Ignored, sorted.ignored);
    if !sorted.errors.is_empty() {
        note_refused(request, &id, KIND, &sorted.errors);
        if sorted.events.is_empty() {
            return Ok(answer::all_refused(request, &sorted.errors));
        }
    }
    let verdict = answer::verdict_with(sorted.events.len(), sorted.ignored, &sorted.errors);
    let kept = first.map(|first| first.keep(&verdict));
    let accepted = state.intake.accept_from(sender, Word::of(shape.as_str()), sorted.events, kept).await;
    accepted.map(|_| answer::accepted(verdict)).map_err(|error| not_taken(request, error))
}

/// Reads the events of a body, of a large one on a thread of its own.
async fn sorted(body: Body, key: ApiKey, state: &AppState, shape: Shape) -> Result<Sorted, WebError> {
    let now = state.clock.now();
    let pseudonyms = Arc::clone(&state.pseudonyms);
    let read = move |body: &Body| {
        let context = RowContext { now, stores: key.stores(), test: key.is_test(), pseudonyms: &pseudonyms };
        parse(&body.bytes, body.format, shape, &context).map_err(unreadable)
    };
    if body.bytes.len() <= JUDGED_IN_PLACE_BYTES_MAX {
        return read(&body);
    }
    let turn = state.intake.turn().await;
    let read = web::block(move || {
        let _turn = turn;
        read(&body)
    });
    read.await.map_err(|error| WebError::Internal(error.into()))?
}

/// The attributes of an event in binary mode: headers `ce-…`. Where the type of the body says that the whole event is in
/// it, the headers are only copies.
fn binary_mode(headers: &HeaderMap) -> Option<Attributes> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("application/cloudevents") {
        return None;
    }
    let header = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        // CloudEvents writes what is no plain ASCII as percent-encoded UTF-8.
        Some(percent_decode_str(text).decode_utf8_lossy().into_owned())
    };
    let attributes = Attributes {
        specversion: header("ce-specversion"),
        id: header("ce-id"),
        source: header("ce-source"),
        kind: header("ce-type"),
        time: header("ce-time"),
        subject: header("ce-subject"),
    };
    (attributes.specversion.is_some() || attributes.id.is_some()).then_some(attributes)
}

fn no_json() -> WebError {
    WebError::Refused {
        status: StatusCode::BAD_REQUEST,
        code: "invalid_json",
        detail: "the data of an event in binary mode are one JSON object in UTF-8".to_owned(),
    }
}
