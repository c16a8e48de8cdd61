//! What happens to every request and answer: an id, a line in the log, the headers of safety, and failures dressed
//! for who asks.

use std::panic::AssertUnwindSafe;
use std::time::Instant as Stopwatch;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    LOCATION, RETRY_AFTER,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::FutureExt;

use super::connections::OpenConnection;
use super::door::random_hex;
use super::error::{Failure, WebError};
use super::page::{Page, encode};
use super::respond;
use super::state::AppState;
use super::texts::Language;

/// What a page may load and do: only what we serve ourselves, and no text is ever turned into script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     font-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Headers of every answer, unless a handler set its own.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("referrer-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=(), display-capture=()",
    ),
    (CACHE_CONTROL, "no-store"),
];

/// Header lines of a request.
pub const HEADERS_MAX: usize = 64;
/// Bytes of all names and values of a request's headers.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// Seconds after which who has too many connections should try again.
const CONNECTIONS_RETRY_AFTER_S: u64 = 5;

const STRICT_TRANSPORT: &str = "max-age=63072000; includeSubDomains";

/// The id of a request: in its answer, its log line, its error page.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage {
    page: Page,
    title: String,
    advice: String,
    status: u16,
    request_id: String,
}

/// The outermost middleware.
///
/// # Errors
/// [`WebError::Internal`] when the handler panicked: the worker lives on.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = random_hex::<8>().unwrap_or_else(|_| "0".repeat(16));
    request.extensions_mut().insert(RequestId(id.clone()));
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let method = request.method().clone();
    let begun = Stopwatch::now();
    let refusal = refused_at_once(&request);
    let is_refused = refusal.is_some();
    let answer = if let Some(refusal) = refusal {
        request.error_response(refusal)
    } else {
        let called = AssertUnwindSafe(next.call(request)).catch_unwind().await;
        let Ok(called) = called else {
            tracing::error!(request = id, "a handler panicked");
            return Err(WebError::Internal(anyhow::anyhow!("a handler panicked")).into());
        };
        called?.map_into_boxed_body()
    };
    let mut answer = dress(answer, &id);
    if is_refused {
        // What else would come over this connection is not waited for.
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let https = state.as_ref().is_some_and(|state| state.config.is_https());
    add_headers(answer.headers_mut(), https, &id);
    note(&answer, &method, begun, &id);
    Ok(answer)
}

/// Requests that no handler sees: over one connection too many, or with a head beyond its limits.
fn refused_at_once(request: &ServiceRequest) -> Option<WebError> {
    if request.conn_data::<OpenConnection>().is_some_and(OpenConnection::is_beyond) {
        return Some(WebError::TooMany { retry_after_s: CONNECTIONS_RETRY_AFTER_S });
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX).then(|| WebError::Refused {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        code: "head_too_large",
        detail: format!("a request has at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in all"),
    })
}

/// One line in the log. No path and no query: the pattern says enough, and they may hold secrets.
fn note(answer: &ServiceResponse<BoxBody>, method: &Method, begun: Stopwatch, id: &str) {
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    let route = answer.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    tracing::info!(request = id, %method, route, status = answer.status().as_u16(), ms, "answered");
}

fn add_headers(headers: &mut HeaderMap, https: bool, id: &str) {
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if https {
        headers.insert(
            HeaderName::from_static("strict-transport-security"),
            HeaderValue::from_static(STRICT_TRANSPORT),
        );
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// Gives a failure its form: a page for people, problem details for machines. Other answers pass.
fn dress(answer: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let Some(failure) = failure_of(&answer, id) else { return answer };
    let request = answer.request().clone();
    let language = Language::of(&request);
    let plain = || failure.problem(language, id);
    let dressed = if is_machine(&request) {
        plain()
    } else if failure.code == "not_signed_in" {
        to_sign_in(&request)
    } else {
        error_page(&request, &failure, id).unwrap_or_else(|_| plain())
    };
    answer.into_response(dressed)
}

/// The failure that an answer stands for; `None` for answers that were made on purpose.
fn failure_of(answer: &ServiceResponse<BoxBody>, id: &str) -> Option<Failure> {
    if let Some(error) = answer.response().error() {
        if let Some(own) = error.as_error::<WebError>() {
            if let WebError::Internal(cause) = own {
                tracing::error!(request = id, error = format!("{cause:#}"), "request failed");
            }
            return Some(own.failure());
        }
        return Some(Failure::of_status(answer.status()));
    }
    let status = answer.status();
    let is_bare = !answer.headers().contains_key(CONTENT_TYPE)
        && matches!(answer.response().body().size(), BodySize::None | BodySize::Sized(0));
    let is_failure = status.is_client_error() || status.is_server_error();
    (is_failure && is_bare).then(|| Failure::of_status(status))
}

/// True for requests that no person reads the answer of.
fn is_machine(request: &HttpRequest) -> bool {
    let path = request.path();
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    path.starts_with("/api/")
        || [".csv", ".json", ".svg"].iter().any(|ending| path.ends_with(ending))
        || accept.starts_with("application/json")
        || accept.starts_with("text/event-stream")
}

fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let target = if *request.method() == Method::GET && wanted != "/" {
        format!("/login?next={}", encode(wanted))
    } else {
        "/login".to_owned()
    };
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((LOCATION, target)).finish()
}

fn error_page(request: &HttpRequest, failure: &Failure, id: &str) -> Result<HttpResponse, askama::Error> {
    let page = Page::new(request);
    let key = failure.title_key();
    let body = ErrorPage {
        title: page.t(key),
        advice: page.t(&format!("{key}-advice")),
        status: failure.status.as_u16(),
        request_id: id.to_owned(),
        page,
    }
    .render()?;
    let mut answer = respond::html(request, failure.status, body);
    if let Some(seconds) = failure.retry_after_s {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(answer)
}
