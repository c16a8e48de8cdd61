use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::USER_AGENT;
use actix_web::{HttpRequest, HttpResponseBuilder};
use sha2::{Digest, Sha256};

use super::random::random_hex;
use crate::store::PersonId;
use crate::web::error::WebError;
use crate::web::state::{AppState, WebConfig};

/// Characters kept of what a browser calls itself.
const CLIENT_CHARS_MAX: usize = 160;
/// Hex digits of a session's token: 256 bits.
const TOKEN_CHARS: usize = 64;

/// The hash that is kept of a token.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Name of the session's cookie. With https the browser itself holds it to this host, path `/` and https; on plain
/// http (a machine's own address) it would refuse such a cookie.
const fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-sid" } else { "sid" }
}

fn cookie(config: &WebConfig, value: String) -> Cookie<'static> {
    Cookie::build(cookie_name(config.is_https()), value)
        .path("/")
        .secure(config.is_https())
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

/// The hash of the token that this request carries.
pub(super) fn token_hash_of(request: &HttpRequest, config: &WebConfig) -> Option<[u8; 32]> {
    let cookie = request.cookie(cookie_name(config.is_https()))?;
    let token = cookie.value();
    (token.len() == TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| token_hash(token))
}

/// Begins a session: always a new token, whatever the browser brought.
///
/// # Errors
/// [`WebError::Internal`].
pub async fn start_session(
    state: &AppState,
    request: &HttpRequest,
    person: PersonId,
    answer: &mut HttpResponseBuilder,
) -> Result<(), WebError> {
    let now = state.clock.now();
    if let Some(old) = token_hash_of(request, &state.config)
        && let Some(session) = state.database.session(&old, now).await?
    {
        state.database.revoke_session(session.id, session.person.id, now).await?;
    }
    let token = random_hex::<32>().map_err(anyhow::Error::from)?;
    let client = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let client: String = client.chars().take(CLIENT_CHARS_MAX).collect();
    state.database.insert_session(&token_hash(&token), person, &client, now).await?;
    answer.cookie(cookie(&state.config, token));
    Ok(())
}

/// Takes the cookie back from the browser; the session itself is revoked by the caller.
pub fn end_session(config: &WebConfig, answer: &mut HttpResponseBuilder) {
    let mut gone = cookie(config, String::new());
    gone.make_removal();
    answer.cookie(gone);
    answer.insert_header(("Clear-Site-Data", "\"cache\", \"storage\""));
}
