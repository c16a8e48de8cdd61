//! Providers' notices: `POST /hooks/{provider}/{endpoint}`, and copies that the shop's own system passes on:
//! `…/forwarded`. A notice proves itself, so neither asks for a key; each provider gets the answer that it expects, and
//! a good one only after the commit.
//!
//! The forwarded copy has an address of its own, and nothing else: the body and the signature's headers are passed on as
//! they came, so the signature still holds, and only the time in it is looked at more kindly. A proxy can be told that in
//! one line, and no secret has to be put into it.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;

use super::answer::request_id;
use super::body;
use crate::intake::IntakeError;
use crate::intake::webhooks::{Delivered, DeskError, NOTICE_BYTES_MAX, NoticeHeaders, Provider};
use crate::web::door::{client_ip, network_of};
use crate::web::{AppState, WebError};

/// Seconds after which a provider may send again what could not be taken now.
const RETRY_AFTER_S: u64 = 5;

/// `POST /hooks/{provider}/{endpoint}`.
pub(super) async fn direct(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> HttpResponse {
    take(&request, payload, &path, &state, false).await
}

/// `POST /hooks/{provider}/{endpoint}/forwarded`.
pub(super) async fn forwarded(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> HttpResponse {
    take(&request, payload, &path, &state, true).await
}

/// How a notice ended, as far as its sender is told.
enum Told {
    Done,
    Not { status: StatusCode, sentence: String, retry_after_s: Option<u64> },
}

async fn take(
    request: &HttpRequest,
    payload: web::Payload,
    (provider, endpoint): &(String, String),
    state: &AppState,
    is_forwarded: bool,
) -> HttpResponse {
    let network = network_of(client_ip(request, &state.config));
    let told = match deliver(request, payload, (provider, endpoint), state, is_forwarded, network).await {
        Ok(delivered) => told_of(delivered),
        Err(told) => told,
    };
    answer(Provider::parse(provider), told)
}

async fn deliver(
    request: &HttpRequest,
    payload: web::Payload,
    (provider, endpoint): (&str, &str),
    state: &AppState,
    is_forwarded: bool,
    network: IpAddr,
) -> Result<Delivered, Told> {
    if state.intake.gate().is_shut() {
        return Err(not_now(request, &DeskError::Intake(IntakeError::DiskFull)));
    }
    let desk = &state.webhooks;
    let found = desk.find(provider, endpoint).await.map_err(|error| not_now(request, &error))?;
    let Some(known) = found else { return Ok(desk.refuse_stranger(network)) };
    let read = body::read_plain(request, payload, &state.intake, known.sender(), NOTICE_BYTES_MAX).await;
    let body = read.map_err(|error| unread(&error))?;
    let headers =
        NoticeHeaders::gather(|name| request.headers().get(name).and_then(|value| value.to_str().ok()));
    let taken = desk.take(&known, &headers, &body.bytes, is_forwarded, network).await;
    taken.map_err(|error| not_now(request, &error))
}

/// What is wrong is said on the page of the endpoint, to its owner: here a stranger might ask.
fn told_of(delivered: Delivered) -> Told {
    match delivered {
        Delivered::Taken => Told::Done,
        Delivered::Refused(_) => Told::Not {
            status: StatusCode::UNAUTHORIZED,
            sentence: "the notice could not be verified".to_owned(),
            retry_after_s: None,
        },
        Delivered::Limited { retry_after_s } => Told::Not {
            status: StatusCode::TOO_MANY_REQUESTS,
            sentence: "too many notices from there could not be verified".to_owned(),
            retry_after_s: Some(retry_after_s),
        },
    }
}

/// Our fault, or no room: the provider sends again.
fn not_now(request: &HttpRequest, error: &DeskError) -> Told {
    if let DeskError::Intake(IntakeError::QueueFull { .. } | IntakeError::DiskFull) = error {
        tracing::warn!(request = request_id(request), %error, "a notice was not taken");
    } else {
        tracing::error!(request = request_id(request), %error, "a notice was not committed");
    }
    Told::Not {
        status: StatusCode::SERVICE_UNAVAILABLE,
        sentence: "the notice could not be taken now; send it again".to_owned(),
        retry_after_s: Some(RETRY_AFTER_S),
    }
}

fn unread(error: &WebError) -> Told {
    let retry_after_s = matches!(error, WebError::TooMany { .. }).then_some(RETRY_AFTER_S);
    Told::Not { status: error.status_code(), sentence: error.to_string(), retry_after_s }
}

/// The answer in the provider's own form.
fn answer(provider: Option<Provider>, told: Told) -> HttpResponse {
    let (status, sentence, retry_after_s) = match told {
        Told::Done => return done(provider),
        Told::Not { status, sentence, retry_after_s } => (status, sentence, retry_after_s),
    };
    let mut answer = HttpResponse::build(status);
    if let Some(seconds) = retry_after_s {
        answer.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    match provider {
        Some(Provider::WechatPay) => answer.json(json!({ "code": "FAIL", "message": sentence })),
        Some(Provider::Alipay) => answer.content_type(ContentType::plaintext()).body("fail"),
        Some(Provider::Adyen) => answer.content_type(ContentType::plaintext()).body(sentence),
        Some(Provider::Stripe | Provider::Hyperswitch) | None => answer.json(json!({ "error": sentence })),
    }
}

fn done(provider: Option<Provider>) -> HttpResponse {
    match provider {
        Some(Provider::WechatPay) => HttpResponse::NoContent().finish(),
        // Exactly these seven bytes, or it is sent seven times more.
        Some(Provider::Alipay) => HttpResponse::Ok().content_type(ContentType::plaintext()).body("success"),
        Some(Provider::Adyen) => HttpResponse::Ok().content_type(ContentType::plaintext()).body("[accepted]"),
        Some(Provider::Stripe | Provider::Hyperswitch) | None => {
            HttpResponse::Ok().json(json!({ "received": true }))
        }
    }
}
