use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;

use crate::intake::api::RowError;
use crate::web::RequestId;

/// What became of a batch.
#[derive(Serialize)]
struct Verdict<'a> {
    accepted: usize,
    rejected: usize,
    /// Events that are no step of checkout; told where there may be such.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<usize>,
    /// The refused rows.
    rows: &'a [RowError],
}

/// RFC 9457, with the verdict beside it.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
    #[serde(flatten)]
    verdict: Verdict<'a>,
}

/// Says to a retry that its answer is the first request's.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What is answered when rows were accepted.
pub(super) fn verdict(accepted: usize, errors: &[RowError]) -> Vec<u8> {
    let verdict = Verdict { accepted, rejected: errors.len(), ignored: None, rows: errors };
    serde_json::to_vec(&verdict).unwrap_or_default()
}

/// The same where some were passed over.
pub(super) fn verdict_with(accepted: usize, ignored: usize, errors: &[RowError]) -> Vec<u8> {
    let verdict = Verdict { accepted, rejected: errors.len(), ignored: Some(ignored), rows: errors };
    serde_json::to_vec(&verdict).unwrap_or_default()
}

/// 200 with a verdict.
pub(super) fn accepted(verdict: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(verdict)
}

/// 200 with the verdict that was given before.
pub(super) fn replayed(verdict: Vec<u8>) -> HttpResponse {
    let mut answer = accepted(verdict);
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}

/// 422: every row was refused.
pub(super) fn all_refused(request: &HttpRequest, errors: &[RowError]) -> HttpResponse {
    let verdict = Verdict { accepted: 0, rejected: errors.len(), ignored: None, rows: errors };
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let problem = Problem {
        r#type: "urn:tillwatch:problem:no_row_accepted",
        title: "No row was accepted",
        status: status.as_u16(),
        code: "no_row_accepted",
        detail: "every row was refused; `rows` says why",
        request_id: request_id(request),
        verdict,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "application/problem+json; charset=utf-8"))
        .body(body)
}

pub(super) fn request_id(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}
