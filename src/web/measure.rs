use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::AppState;

/// The route of requests that no route takes: their paths are anybody's invention and never a label.
const UNMATCHED: &str = "unmatched";

/// Counts and times every request by the pattern of its route: `App::wrap(from_fn(measure))`, outermost.
///
/// # Errors
/// What the service says; failures are counted too.
pub async fn measure(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(state) = request.app_data::<web::Data<AppState>>().cloned() else {
        return next.call(request).await;
    };
    let _in_flight = state.metrics.request_began();
    let method = method_label(request.method());
    let timer = std::time::Instant::now();
    let result = next.call(request).await;
    let (route, code) = match &result {
        Ok(answer) => (answer.request().match_pattern(), answer.status().as_u16()),
        Err(error) => (None, error.as_response_error().status_code().as_u16()),
    };
    let route = route.as_deref().unwrap_or(UNMATCHED);
    state.metrics.request_answered(method, route, code, timer.elapsed().as_secs_f64());
    result
}

/// A method as a label: the usual ones, else `other`, for clients may invent methods.
const fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
