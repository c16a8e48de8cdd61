//! `Idempotency-Key`: a retry gets the answer that was given, whatever became of the connection, and nothing is taken
//! in twice.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;

use super::body::Body;
use crate::intake::api::BodyFormat;
use crate::store::{Claim, Hash, KeptAnswer};
use crate::web::{AppState, WebError};

/// Names a request, so that its retries are known.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Seconds after which a retry should come whose first request is still under way.
const RETRY_AFTER_S: u64 = 1;

/// The first request under its key.
pub(super) struct First {
    claim: Claim,
    body: Hash,
}

impl First {
    /// The answer as it is kept.
    pub(super) fn keep(self, answer: &[u8]) -> KeptAnswer {
        KeptAnswer { claim: self.claim, body: self.body, answer: answer.to_vec() }
    }
}

/// What a request under a key is.
pub(super) enum Standing {
    First(First),
    /// A retry, and what was answered.
    Retry(Vec<u8>),
}

/// Claims the key that a request names, if it names one. Asked before the body is read.
///
/// # Errors
/// 400 for what is no key, 409 while another request with the same key is under way.
pub(super) fn claim(
    request: &HttpRequest,
    api_key: &str,
    state: &AppState,
) -> Result<Option<Claim>, WebError> {
    let mut given = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(key) = given.next() else { return Ok(None) };
    let key = key.as_bytes();
    let is_key = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len())
        && key.iter().all(u8::is_ascii_graphic)
        && given.next().is_none();
    if !is_key {
        return Err(WebError::Refused {
            status: StatusCode::BAD_REQUEST,
            code: "invalid_idempotency_key",
            detail: format!(
                "Idempotency-Key is one header of 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters"
            ),
        });
    }
    let scoped = scoped(api_key, request.path(), key);
    let claim = state.intake.claims().claim(scoped);
    claim.map(Some).ok_or(WebError::UnderWay { retry_after_s: RETRY_AFTER_S })
}

/// Finds out whether the request of this claim was answered before.
///
/// # Errors
/// 422 when another body was sent under the same key.
pub(super) async fn look_up(claim: Claim, body: &Body, state: &AppState) -> Result<Standing, WebError> {
    let hash = hash_of(body);
    let Some(given) = state.database.find_answer(claim.key()).await? else {
        return Ok(Standing::First(First { claim, body: hash }));
    };
    if given.body != hash {
        let detail = "another body was sent under this Idempotency-Key; a new request needs a new key";
        return Err(WebError::rejected("idempotency_key_reused", detail));
    }
    Ok(Standing::Retry(given.answer))
}

/// A key means something to one API key and one path only.
fn scoped(api_key: &str, path: &str, key: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in [api_key.as_bytes(), path.as_bytes(), key] {
        // The length in front keeps ("ab", "c") and ("a", "bc") apart.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Of the inflated body: a retry may be compressed otherwise.
fn hash_of(body: &Body) -> Hash {
    let format: &[u8] = match body.format {
        BodyFormat::Json => b"json\n",
        BodyFormat::Lines => b"lines\n",
    };
    blake3::Hasher::new().update(format).update(&body.bytes).finalize().into()
}
