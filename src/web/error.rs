use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::door::PasswordError;
use super::texts::Language;
use crate::domain::KeyScope;
use crate::lake::LakeError;
use crate::store::StoreError;

/// The code of an answer that needs rows of a damaged or missing file.
const ROWS_LOST: &str = "rows_lost";
/// Seconds after which a request that met a busy database should be tried again.
const BUSY_RETRY_S: u64 = 2;

/// Why a request got no normal answer. Callers see a code and a short sentence, never the cause.
///
/// Machines get `application/problem+json` (RFC 9457), people a page; `super::gate` decides which.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// 400: the request itself cannot be read.
    #[error("the request cannot be read")]
    BadRequest,
    /// A page for who is signed in: people are sent to sign in, machines get 401.
    #[error("nobody is signed in")]
    SignIn,
    /// 401: no key in `Authorization`.
    #[error("no API key was given; send it as `Authorization: Bearer …`")]
    KeyMissing,
    /// 401: mistyped, unknown or revoked; which of them is not said.
    #[error("this API key is not valid")]
    KeyWrong,
    /// 403: a key for something else.
    #[error("this needs a key with the scope `{}`", .0.as_str())]
    KeyScope(KeyScope),
    /// 403: signed in, but not allowed.
    #[error("not allowed")]
    Forbidden,
    /// 403: sent from a page that is not ours, or from one that is too old.
    #[error("the form was not sent from this site's own page, or the page is too old")]
    Forged,
    /// 404: not there, or not for this person or key; the two look the same.
    #[error("not found")]
    NotFound,
    /// 409: changed by somebody else meanwhile.
    #[error("it was changed meanwhile")]
    Conflict,
    /// 409: the first request with the same `Idempotency-Key` is not answered yet.
    #[error("a request with this Idempotency-Key is still under way; try again")]
    UnderWay { retry_after_s: u64 },
    /// 413.
    #[error("the request is too large")]
    TooLarge,
    /// 429.
    #[error("too many tries; wait before the next one")]
    TooMany { retry_after_s: u64 },
    /// 503: overloaded or the database does not answer; trying again is safe.
    #[error("the service is busy; try again")]
    Unavailable { retry_after_s: u64 },
    /// Any other refusal with a code of its own, e.g. 422 `pan_suspected`.
    #[error("{detail}")]
    Refused { status: StatusCode, code: &'static str, detail: String },
    /// 500: our fault; the chain goes to the log once, in `super::gate`.
    #[error("the service could not answer; the failure has been logged")]
    Internal(#[from] anyhow::Error),
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::Conflict,
            away if away.is_away() => {
                tracing::error!(error = %away, "a request met a database that is away");
                Self::Unavailable { retry_after_s: BUSY_RETRY_S }
            }
            other => Self::Internal(other.into()),
        }
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<PasswordError> for WebError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Unavailable { retry_after_s: BUSY_RETRY_S },
            PasswordError::Length | PasswordError::Guessable => Self::Refused {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                code: "password_refused",
                detail: error.to_string(),
            },
            PasswordError::Hash(_) => Self::Internal(error.into()),
        }
    }
}

impl WebError {
    /// What one of actix's own extractors said, in our words.
    pub fn of_actix(error: &actix_web::Error) -> Self {
        if error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::TooLarge
        } else {
            Self::BadRequest
        }
    }

    /// A refusal of a value that can be read but breaks a rule.
    pub fn rejected(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, code, detail: detail.into() }
    }

    /// True when rows were asked for that stand in a damaged or missing file: the request was fine, and so are we.
    fn is_lost_file(&self) -> bool {
        let Self::Internal(cause) = self else { return false };
        cause.chain().any(|cause| cause.downcast_ref::<LakeError>().is_some_and(LakeError::is_lost_file))
    }

    pub(super) fn failure(&self) -> Failure {
        if self.is_lost_file() {
            let detail =
                "rows of this answer stand in a file that is damaged or missing; run `tillwatch repair`";
            return Failure {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: ROWS_LOST,
                detail: Cow::Borrowed(detail),
                retry_after_s: Some(BUSY_RETRY_S),
            };
        }
        let (status, code) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::SignIn => (StatusCode::UNAUTHORIZED, "not_signed_in"),
            Self::KeyMissing => (StatusCode::UNAUTHORIZED, "key_missing"),
            Self::KeyWrong => (StatusCode::UNAUTHORIZED, "key_not_valid"),
            Self::KeyScope(_) => (StatusCode::FORBIDDEN, "key_scope"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Forged => (StatusCode::FORBIDDEN, "forged_request"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict"),
            Self::UnderWay { .. } => (StatusCode::CONFLICT, "idempotency_key_in_use"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Refused { status, code, .. } => (*status, *code),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let retry_after_s = match self {
            Self::TooMany { retry_after_s }
            | Self::Unavailable { retry_after_s }
            | Self::UnderWay { retry_after_s } => Some(*retry_after_s),
            _ => None,
        };
        Failure { status, code, detail: Cow::Owned(self.to_string()), retry_after_s }
    }
}

/// What is told of a failure.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: Cow<'static, str>,
    pub retry_after_s: Option<u64>,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: String,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

impl Failure {
    /// A failure of which only the status is known (a wrong method, a body that was cut off).
    pub(super) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::REQUEST_TIMEOUT => "timeout",
            status if status.is_client_error() => "bad_request",
            _ => "internal",
        };
        let detail = status.canonical_reason().unwrap_or("failed").to_lowercase();
        Self { status, code, detail: Cow::Owned(detail), retry_after_s: None }
    }

    /// The answer for a machine.
    pub(super) fn problem(&self, language: Language, request_id: &str) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            answer.insert_header((RETRY_AFTER, seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header(("WWW-Authenticate", "Bearer"));
        }
        answer.insert_header((CONTENT_TYPE, "application/problem+json; charset=utf-8"));
        let problem = Problem {
            r#type: format!("urn:tillwatch:problem:{}", self.code),
            title: language.t(self.title_key()),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            request_id,
        };
        answer.body(serde_json::to_vec(&problem).unwrap_or_default())
    }

    /// The key of the sentence that says what happened.
    pub(super) fn title_key(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "error-401",
            403 if self.code == "forged_request" => "error-forged",
            403 => "error-403",
            404 => "error-404",
            405 => "error-405",
            409 => "error-409",
            413 => "error-413",
            422 => "error-422",
            429 => "error-429",
            503 if self.code == ROWS_LOST => "error-rows-lost",
            503 => "error-503",
            400..=499 => "error-400",
            _ => "error-500",
        }
    }
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        self.failure().status
    }

    /// The answer where the gate is not passed (it panicked on the way); else the gate makes a better one.
    fn error_response(&self) -> HttpResponse {
        self.failure().problem(Language::English, "")
    }
}
