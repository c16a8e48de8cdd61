use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{self, request_id};
use super::body::{self, Body};
use super::idempotency::{self, Standing};
use crate::domain::{CheckoutEvent, LedgerLine, Transaction, Word};
use crate::intake::api::{
    ApiRecord, BATCH_ROWS_MAX, Batch, BodyError, Code, Judge, RowContext, RowError, find_rows,
};
use crate::intake::{Encoded, Intake, IntakeError};
use crate::telemetry::IngestResult;
use crate::web::door::{ApiKey, IngestKey};
use crate::web::{AppState, WebError};

/// Bodies above this are judged on a thread of their own: they would hold up the worker's other requests.
pub(super) const JUDGED_IN_PLACE_BYTES_MAX: usize = 64 << 10;
/// Rows from which on a body is worth a batch of its own; fewer are encoded together with those of others.
const ENCODED_ROWS_MIN: usize = 256;
/// The same from so many bytes on, however few the rows: what waits in the queue is then counted as large as it is.
const ENCODED_BYTES_MIN: usize = 256 << 10;
/// The name of this way in, as accounts name their source of record.
const FEED: &str = "api";
/// Refused rows that are named in the log, one line a batch.
const LOGGED_ROWS_MAX: usize = 5;

/// `POST /api/v1/transactions`: one object, a list, or NDJSON; answers once the accepted rows are durable.
pub(super) async fn transactions(
    request: HttpRequest,
    payload: web::Payload,
    key: IngestKey,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    receive::<Transaction>(&request, payload, key.0, &state, "transaction").await
}

/// `POST /api/v1/checkout-events`.
pub(super) async fn checkout_events(
    request: HttpRequest,
    payload: web::Payload,
    key: IngestKey,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    receive::<CheckoutEvent>(&request, payload, key.0, &state, "checkout_event").await
}

/// `POST /api/v1/ledger-lines`.
pub(super) async fn ledger_lines(
    request: HttpRequest,
    payload: web::Payload,
    key: IngestKey,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    receive::<LedgerLine>(&request, payload, key.0, &state, "ledger_line").await
}

/// Any other method.
pub(super) async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let problem = serde_json::json!({
        "type": "urn:tillwatch:problem:method_not_allowed",
        "title": "Method not allowed",
        "status": StatusCode::METHOD_NOT_ALLOWED.as_u16(),
        "code": "method_not_allowed",
        "detail": "records are sent with POST",
        "request_id": request_id(&request),
    });
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, "POST"))
        .insert_header((CONTENT_TYPE, "application/problem+json; charset=utf-8"))
        .body(problem.to_string())
}

/// A judged body.
enum Judged<R> {
    /// Few rows, or of an account that was not met before.
    Rows(Batch<R>),
    /// Many rows, ready for the inbox.
    Encoded(Encoded, Vec<RowError>),
}

impl<R> Judged<R> {
    fn accepted(&self) -> usize {
        match self {
            Self::Rows(batch) => batch.rows.len(),
            Self::Encoded(encoded, _) => encoded.len(),
        }
    }

    fn errors(&self) -> &[RowError] {
        match self {
            Self::Rows(batch) => &batch.errors,
            Self::Encoded(_, errors) => errors,
        }
    }
}

/// Reads and judges a body, makes its good rows durable, and says what became of each.
async fn receive<R: ApiRecord>(
    request: &HttpRequest,
    payload: web::Payload,
    key: ApiKey,
    state: &AppState,
    kind: &'static str,
) -> Result<HttpResponse, WebError> {
    if state.intake.gate().is_shut() {
        // Before the body: a batch that cannot be kept need not be sent to its end.
        return Err(disk_full(&IntakeError::DiskFull));
    }
    let sender = Word::of(&key.id);
    let claim = idempotency::claim(request, &key.id, state)?;
    let body = body::read(request, payload, &state.intake, sender).await?;
    let first = match claim {
        None => None,
        Some(claim) => match idempotency::look_up(claim, &body, state).await? {
            Standing::Retry(verdict) => return Ok(answer::replayed(verdict)),
            Standing::First(first) => Some(first),
        },
    };
    let judged = judged::<R>(body, key.clone(), state).await?;
    if !judged.errors().is_empty() {
        let count = u64::try_from(judged.errors().len()).unwrap_or(u64::MAX);
        state.metrics.records_received(None, kind, IngestResult::Rejected, count);
        note_refused(request, &key.id, kind, judged.errors());
    }
    if judged.accepted() == 0 {
        return Ok(answer::all_refused(request, judged.errors()));
    }
    let verdict = answer::verdict(judged.accepted(), judged.errors());
    let kept = first.map(|first| first.keep(&verdict));
    let accepted = match judged {
        Judged::Rows(batch) => state.intake.accept_from(sender, Word::of(FEED), batch.rows, kept).await,
        Judged::Encoded(encoded, _) => state.intake.accept_encoded(sender, encoded, kept).await,
    };
    accepted.map(|_| answer::accepted(verdict)).map_err(|error| not_taken(request, error))
}

/// Judges a body, a large one on a thread of its own.
async fn judged<R: ApiRecord>(body: Body, key: ApiKey, state: &AppState) -> Result<Judged<R>, WebError> {
    let now = state.clock.now();
    let pseudonyms = Arc::clone(&state.pseudonyms);
    let intake = Arc::clone(&state.intake);
    let judge = move |body: Body| {
        let context = RowContext { now, stores: key.stores(), test: key.is_test(), pseudonyms: &pseudonyms };
        judge_rows(&body, &context, &intake)
    };
    if body.bytes.len() > JUDGED_IN_PLACE_BYTES_MAX {
        let turn = state.intake.turn().await;
        let judged = web::block(move || {
            let _turn = turn;
            judge(body)
        });
        judged.await.map_err(|error| WebError::Internal(error.into()))?
    } else {
        judge(body)
    }
}

fn judge_rows<R: ApiRecord>(
    body: &Body,
    context: &RowContext<'_>,
    intake: &Intake,
) -> Result<Judged<R>, WebError> {
    let rows = find_rows(&body.bytes, body.format).map_err(unreadable)?;
    // Never on an actix worker: Polars may block.
    let is_large = rows.len() >= ENCODED_ROWS_MIN || body.bytes.len() >= ENCODED_BYTES_MIN;
    if is_large && body.bytes.len() > JUDGED_IN_PLACE_BYTES_MAX {
        let encoded = intake.encode::<R>(Word::of(FEED), &rows, context);
        if let Some((encoded, errors)) = encoded.map_err(|error| WebError::Internal(error.into()))? {
            return Ok(Judged::Encoded(encoded, errors));
        }
    }
    Ok(Judged::Rows(R::judge(&rows, 0, &Judge::new(context, rows.len()))))
}

/// Position, field and code; never a value.
pub(super) fn note_refused(request: &HttpRequest, key: &str, kind: &str, errors: &[RowError]) {
    let first: Vec<String> = errors
        .iter()
        .take(LOGGED_ROWS_MAX)
        .map(|error| format!("{}:{}:{}", error.index, error.field, error.code.as_str()))
        .collect();
    let card_numbers = errors.iter().filter(|error| error.code == Code::PanSuspected).count();
    tracing::warn!(
        request = request_id(request),
        key,
        kind,
        rejected = errors.len(),
        card_numbers,
        first = first.join(" "),
        "rows were refused"
    );
}

pub(super) fn unreadable(error: BodyError) -> WebError {
    let status = match error {
        BodyError::TooManyRows => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    let detail = match error {
        BodyError::TooManyRows => format!("{error}; send batches of at most {BATCH_ROWS_MAX}"),
        _ => error.to_string(),
    };
    WebError::Refused { status, code: error.code(), detail }
}

pub(super) fn disk_full(error: &IntakeError) -> WebError {
    WebError::Refused {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "disk_full",
        detail: error.to_string(),
    }
}

pub(super) fn not_taken(request: &HttpRequest, error: IntakeError) -> WebError {
    match error {
        IntakeError::QueueFull { retry_after_s } => WebError::TooMany { retry_after_s },
        error @ IntakeError::DiskFull => disk_full(&error),
        IntakeError::TooManyAccounts => WebError::rejected(
            "too_many_accounts",
            "a store of this batch has its full number of merchant accounts; nothing was taken",
        ),
        IntakeError::TooManyRows(_) => WebError::Refused {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "too_many_rows",
            detail: error.to_string(),
        },
        IntakeError::Store(_) | IntakeError::NotCommitted(_) => {
            tracing::error!(request = request_id(request), %error, "a batch was not committed");
            WebError::Unavailable { retry_after_s: 2 }
        }
    }
}
