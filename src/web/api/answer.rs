use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;

use crate::intake::api::RowError;
use crate::web::RequestId;

/// What became of a batch.
#[derive(Serialize)]
struct Verdict<'a> {
    accepted: usize,
    rejected: usize,
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

/// 200 when a row was accepted, 422 when every row was refused.
pub(super) fn verdict(request: &HttpRequest, accepted: usize, errors: &[RowError]) -> HttpResponse {
    let verdict = Verdict { accepted, rejected: errors.len(), rows: errors };
    if accepted > 0 {
        return HttpResponse::Ok().json(verdict);
    }
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
