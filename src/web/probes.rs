//! What machines ask: is it alive, is it ready, how is it doing.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::{AppState, respond};
use crate::jobs::disk::{RoomLevel, room_of};
use crate::telemetry::CONTENT_TYPE as METRICS_TYPE;

/// A database that takes longer than this to answer a small question is not ready.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// Data that waits longer than this to be folded means the pages are stale.
const FOLD_LAG_MAX_S: i64 = 120;

/// `GET /healthz`: the process answers. Says nothing about anything else.
pub(super) async fn health() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type("text/plain").body("ok\n")
}

/// One thing that must work, and what is known of it.
#[derive(Serialize)]
struct Part {
    name: &'static str,
    ready: bool,
    detail: String,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    version: &'static str,
    data_version: i64,
    parts: Vec<Part>,
}

/// `GET /readyz`: 200 when records can be taken in and pages are fresh, else 503; the parts say which is not.
///
/// Anyone may ask, so the details name no store, path or amount.
pub(super) async fn readiness(state: web::Data<AppState>) -> HttpResponse {
    let mut parts = database_parts(&state).await;
    parts.push(disk_part(&state));
    let ready = parts.iter().all(|part| part.ready);
    let body = Readiness {
        ready,
        version: env!("CARGO_PKG_VERSION"),
        data_version: state.snapshots.current().version,
        parts,
    };
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

async fn database_parts(state: &AppState) -> Vec<Part> {
    let asked = async {
        let schema = state.database.schema().await?;
        let backlog = state.database.inbox_backlog().await?;
        Ok::<_, crate::store::StoreError>((schema, backlog))
    };
    match tokio::time::timeout(DATABASE_PATIENCE, asked).await {
        Ok(Ok((schema, backlog))) => {
            let lag_s = backlog.oldest.map_or(0, |at| (state.clock.now() - at).num_seconds().max(0));
            vec![
                Part { name: "database", ready: true, detail: "answers".to_owned() },
                Part {
                    name: "migrations",
                    ready: schema.applied == schema.known,
                    detail: format!("{} applied, {} known", schema.applied, schema.known),
                },
                Part {
                    name: "fold",
                    ready: lag_s <= FOLD_LAG_MAX_S,
                    detail: format!("{} batches wait, the oldest for {lag_s} s", backlog.batches),
                },
            ]
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database failed");
            vec![Part { name: "database", ready: false, detail: "does not answer".to_owned() }]
        }
        Err(_) => {
            vec![Part { name: "database", ready: false, detail: "did not answer in time".to_owned() }]
        }
    }
}

fn disk_part(state: &AppState) -> Part {
    match room_of(&state.config.data_dir) {
        Ok(room) => Part {
            name: "disk",
            ready: room.level() < RoomLevel::Full,
            detail: format!("{} MB free of {}", room.free / 1_000_000, room.total / 1_000_000),
        },
        Err(error) => {
            tracing::warn!(%error, "free disk space is unknown");
            Part { name: "disk", ready: true, detail: "free space is unknown".to_owned() }
        }
    }
}

/// `GET /metrics`: the Prometheus text. Reads memory, `/proc` and file sizes, so that it answers while the database
/// is down.
pub(super) async fn metrics(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    if let Some(refusal) =
        refuse_scrape(request.headers(), request.peer_addr(), state.config.metrics_token.as_deref())
    {
        return refusal;
    }
    let (open, idle, most) = state.database.reader_load();
    state.metrics.set_database_connections(open.saturating_sub(idle), idle, most);
    state.metrics.set_database_size(state.database.size_bytes());
    state.metrics.set_files_quarantined(state.snapshots.current().quarantined.values().map(Vec::len).sum());
    state.metrics.set_intake_queue(state.intake.queued_rows());
    state.metrics.set_rollup_cache_bytes(state.snapshots.current().cache.bytes());
    match state.metrics.text(state.clock.now().timestamp_millis()) {
        Ok(text) => compressed(&request, text),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// May scrape: with a token, who knows it; without, who asks from this machine and not through a proxy on it.
fn refuse_scrape(headers: &HeaderMap, peer: Option<SocketAddr>, token: Option<&str>) -> Option<HttpResponse> {
    if let Some(token) = token {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = given.strip_prefix("Bearer ").unwrap_or_default();
        // Hashed first, so that not even the length shows in the time.
        let same = blake3::hash(given.as_bytes()).as_bytes().ct_eq(blake3::hash(token.as_bytes()).as_bytes());
        if bool::from(same) && !token.is_empty() {
            return None;
        }
        return Some(HttpResponse::Unauthorized().insert_header(("WWW-Authenticate", "Bearer")).finish());
    }
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let direct = !forwarded.into_iter().any(|name| headers.contains_key(name));
    if direct && peer.is_some_and(|peer| peer.ip().is_loopback()) {
        return None;
    }
    Some(
        HttpResponse::Forbidden()
            .content_type("text/plain")
            .body("set a metrics token to scrape from another machine\n"),
    )
}

fn compressed(request: &HttpRequest, text: Vec<u8>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, METRICS_TYPE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("Vary", "Accept-Encoding"));
    if respond::takes_gzip(request) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to a Vec cannot fail; were it to, the plain text is sent.
        if let Ok(gzip) = encoder.write_all(&text).and_then(|()| encoder.finish()) {
            return answer.insert_header((CONTENT_ENCODING, "gzip")).body(gzip);
        }
    }
    answer.body(text)
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;

    use super::*;

    fn verdict(peer: &str, header: Option<(&'static str, &str)>, token: Option<&str>) -> StatusCode {
        let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
        if let Some(header) = header {
            request = request.insert_header(header);
        }
        let request = request.to_http_request();
        refuse_scrape(request.headers(), request.peer_addr(), token)
            .map_or(StatusCode::OK, |refusal| refusal.status())
    }

    #[test]
    fn without_a_token_only_this_machine_may_scrape_and_no_proxy_on_it() {
        assert_eq!(verdict("127.0.0.1:9", None, None), 200);
        assert_eq!(verdict("[::1]:9", None, None), 200);
        assert_eq!(verdict("192.0.2.7:9", None, None), 403);
        assert_eq!(verdict("127.0.0.1:9", Some(("X-Forwarded-For", "192.0.2.7")), None), 403);
    }

    #[test]
    fn with_a_token_it_alone_opens_from_anywhere() {
        let bearer = |text| Some(("Authorization", text));
        assert_eq!(verdict("192.0.2.7:9", bearer("Bearer s3cret"), Some("s3cret")), 200);
        assert_eq!(verdict("127.0.0.1:9", None, Some("s3cret")), 401);
        assert_eq!(verdict("127.0.0.1:9", bearer("Bearer s3cre"), Some("s3cret")), 401);
        assert_eq!(verdict("127.0.0.1:9", bearer("Basic s3cret"), Some("s3cret")), 401);
        assert_eq!(verdict("127.0.0.1:9", bearer("Bearer "), Some("")), 401, "an empty token opens nothing");
    }
}
