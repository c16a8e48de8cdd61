//! Reads a body within limits of size, time and the room behind it; actix has no deadline for bodies of its own.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use tokio::time::{Instant as Deadline, timeout_at};

use crate::domain::Word;
use crate::intake::Intake;
use crate::intake::api::{BODY_BYTES_MAX, BodyFormat, Encoding, InflateError, Inflater};
use crate::store::Share;
use crate::web::WebError;

/// Seconds after which a sender should try again when there is no room.
const RETRY_AFTER_S: u64 = 2;
/// After so many bytes it is asked again whether there is room behind.
const ASK_AGAIN_BYTES: usize = 1 << 20;

/// How large and how slow a body may be.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// After decompression.
    pub bytes_max: usize,
    /// Longest wait for the next piece; and the least time that every body has.
    pub patience: Duration,
    /// A body has the time that its length takes at this pace …
    pub bytes_per_second: u32,
    /// … and must keep this one on average.
    pub bytes_per_second_min: u32,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes_max: BODY_BYTES_MAX,
            patience: Duration::from_secs(10),
            bytes_per_second: 32 << 10,
            bytes_per_second_min: 1 << 10,
        }
    }
}

/// A body that was read, and the room it takes until it is dropped.
pub(super) struct Body {
    pub bytes: Vec<u8>,
    pub format: BodyFormat,
    _room: Share,
}

/// Reads the body of a request.
///
/// # Errors
/// 415 for a type or encoding that is not taken, 411/413/408 for length and pace, 429 when the queue behind is full,
/// 400 when it is cut off or is not the gzip or zstd it says it is.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    intake: &Intake,
    sender: Word,
) -> Result<Body, WebError> {
    read_as(request, payload, intake, sender, &[]).await
}

/// The same where `json` are more names of types that are JSON.
///
/// # Errors
/// As [`read`].
pub(super) async fn read_as(
    request: &HttpRequest,
    payload: web::Payload,
    intake: &Intake,
    sender: Word,
    json: &[&str],
) -> Result<Body, WebError> {
    let limits = request.app_data::<web::Data<BodyLimits>>().map_or_else(BodyLimits::default, |set| ***set);
    let format = format_of(request.headers(), json)?;
    let encoding = encoding_of(request.headers())?;
    let told = told_length(request.headers());
    if told.is_some_and(|bytes| bytes > limits.bytes_max) {
        return Err(WebError::TooLarge);
    }
    let mut room = intake.body_room(sender, told.unwrap_or(0)).ok_or_else(no_room)?;
    let mut sink = Sink::new(encoding, told.unwrap_or(0), limits.bytes_max)?;
    let has_room = || intake.has_room(sender, 1);
    receive(payload, &limits, told, &mut sink, &mut room, has_room).await?;
    let bytes = sink.finish()?;
    if !room.grow_to(bytes.len()) {
        return Err(no_room());
    }
    Ok(Body { bytes, format, _room: room })
}

/// A body to the byte, as signatures want it, and the room it takes until it is dropped.
pub(super) struct PlainBody {
    pub bytes: Vec<u8>,
    _room: Share,
}

/// Reads a body of any type as it comes, within the same limits; at most `bytes_max`.
///
/// # Errors
/// As [`read`]; 415 for one that is compressed.
pub(super) async fn read_plain(
    request: &HttpRequest,
    payload: web::Payload,
    intake: &Intake,
    sender: Word,
    bytes_max: usize,
) -> Result<PlainBody, WebError> {
    let set = request.app_data::<web::Data<BodyLimits>>().map_or_else(BodyLimits::default, |set| ***set);
    let limits = BodyLimits { bytes_max: set.bytes_max.min(bytes_max), ..set };
    if encoding_of(request.headers())?.is_some() {
        let detail = "a notice is sent as it was signed, not compressed";
        return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail));
    }
    let told = told_length(request.headers());
    if told.is_some_and(|bytes| bytes > limits.bytes_max) {
        return Err(WebError::TooLarge);
    }
    let mut room = intake.body_room(sender, told.unwrap_or(0)).ok_or_else(no_room)?;
    let mut sink = Sink::new(None, told.unwrap_or(0), limits.bytes_max)?;
    receive(payload, &limits, told, &mut sink, &mut room, || intake.has_room(sender, 1)).await?;
    Ok(PlainBody { bytes: sink.finish()?, _room: room })
}

/// Waits for piece after piece.
async fn receive(
    mut payload: web::Payload,
    limits: &BodyLimits,
    told: Option<usize>,
    sink: &mut Sink,
    room: &mut Share,
    has_room: impl Fn() -> bool,
) -> Result<(), WebError> {
    let begun = Deadline::now();
    let whole =
        begun + limits.patience.max(time_at_pace(told.unwrap_or(limits.bytes_max), limits.bytes_per_second));
    let (mut received, mut asked_at) = (0_usize, 0_usize);
    loop {
        let pace = begun + limits.patience.max(time_at_pace(received, limits.bytes_per_second_min));
        let deadline = whole.min(pace).min(Deadline::now() + limits.patience);
        let piece = match timeout_at(deadline, payload.next()).await {
            Err(_) => return Err(too_slow()),
            Ok(None) => return Ok(()),
            Ok(Some(Err(_))) => {
                return Err(refused(StatusCode::BAD_REQUEST, "body_cut_off", "the body ended early"));
            }
            Ok(Some(Ok(piece))) => piece,
        };
        received = received.saturating_add(piece.len());
        if received > limits.bytes_max {
            return Err(WebError::TooLarge);
        }
        sink.push(&piece)?;
        if !room.grow_to(sink.len().max(received)) {
            return Err(no_room());
        }
        if received - asked_at > ASK_AGAIN_BYTES {
            asked_at = received;
            if !has_room() {
                return Err(no_room());
            }
        }
    }
}

const fn no_room() -> WebError {
    WebError::TooMany { retry_after_s: RETRY_AFTER_S }
}

fn time_at_pace(bytes: usize, bytes_per_second: u32) -> Duration {
    let ms = bytes.saturating_mul(1000) / usize::try_from(bytes_per_second.max(1)).unwrap_or(usize::MAX);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

fn too_slow() -> WebError {
    refused(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body came too slowly; nothing was taken")
}

fn refused(status: StatusCode, code: &'static str, detail: impl Into<String>) -> WebError {
    WebError::Refused { status, code, detail: detail.into() }
}

fn told_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn format_of(headers: &HeaderMap, json: &[&str]) -> Result<BodyFormat, WebError> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let charset =
        parts.find_map(|part| part.strip_prefix("charset=").map(|name| name.trim_matches('"').to_owned()));
    let format = match essence.as_str() {
        "application/json" => Some(BodyFormat::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some(BodyFormat::Lines)
        }
        other if json.contains(&other) => Some(BodyFormat::Json),
        _ => None,
    };
    let unsupported =
        |detail: &str| refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail);
    if charset.is_some_and(|name| name != "utf-8" && name != "utf8") {
        return Err(unsupported("JSON is sent as UTF-8"));
    }
    format.ok_or_else(|| unsupported("send application/json, or application/x-ndjson with one object a line"))
}

/// One layer of gzip or zstd, or none.
fn encoding_of(headers: &HeaderMap) -> Result<Option<Encoding>, WebError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING);
    let encoding = encodings.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = match encoding.trim().to_ascii_lowercase().as_str() {
        _ if encodings.next().is_some() => None,
        "" | "identity" => Some(None),
        "gzip" | "x-gzip" => Some(Some(Encoding::Gzip)),
        "zstd" => Some(Some(Encoding::Zstd)),
        _ => None,
    };
    known.ok_or_else(|| {
        let detail = "a body is sent plain or with one layer of gzip or zstd";
        refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
    })
}

/// Where pieces go.
enum Sink {
    Plain(Vec<u8>),
    Packed { inflater: Inflater, encoding: Encoding, received: usize },
}

impl Sink {
    fn new(encoding: Option<Encoding>, told: usize, bytes_max: usize) -> Result<Self, WebError> {
        let Some(encoding) = encoding else { return Ok(Self::Plain(Vec::with_capacity(told))) };
        let inflater = Inflater::new(encoding, bytes_max).map_err(|error| given_up(encoding, error))?;
        Ok(Self::Packed { inflater, encoding, received: 0 })
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), WebError> {
        match self {
            Self::Plain(bytes) => bytes.extend_from_slice(piece),
            Self::Packed { inflater, encoding, received } => {
                *received += piece.len();
                inflater.push(piece).map_err(|error| given_up(*encoding, error))?;
            }
        }
        Ok(())
    }

    /// Bytes held.
    fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Packed { inflater, .. } => inflater.held_bytes(),
        }
    }

    fn finish(self) -> Result<Vec<u8>, WebError> {
        match self {
            Self::Plain(bytes) => Ok(bytes),
            // An empty body is empty, whatever its encoding is said to be.
            Self::Packed { received: 0, .. } => Ok(Vec::new()),
            Self::Packed { inflater, encoding, .. } => {
                inflater.finish().map_err(|error| given_up(encoding, error))
            }
        }
    }
}

fn given_up(encoding: Encoding, error: InflateError) -> WebError {
    let code = match (error, encoding) {
        (InflateError::Damaged, Encoding::Gzip) => "invalid_gzip",
        (InflateError::Damaged, Encoding::Zstd) => "invalid_zstd",
        (InflateError::TooLarge | InflateError::Ratio | InflateError::Window, _) => "too_large",
        (InflateError::NoRoom, _) => return WebError::TooMany { retry_after_s: RETRY_AFTER_S },
    };
    let status = match error {
        InflateError::Damaged => StatusCode::BAD_REQUEST,
        _ => StatusCode::PAYLOAD_TOO_LARGE,
    };
    refused(status, code, error.to_string())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(actix_web::http::header::HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn types_and_encodings_are_told_apart() {
        let format =
            |value| format_of(&headers(&[(CONTENT_TYPE, value)]), &["application/cloudevents+json"]).ok();
        assert_eq!(format("application/json"), Some(BodyFormat::Json));
        assert_eq!(format("Application/JSON; charset=UTF-8"), Some(BodyFormat::Json));
        assert_eq!(format("application/x-ndjson"), Some(BodyFormat::Lines));
        assert_eq!(format("application/json; charset=gbk"), None);
        assert_eq!(format("text/plain"), None);
        assert_eq!(format("application/cloudevents+json; charset=utf-8"), Some(BodyFormat::Json));
        let encoding = |values: &[&'static str]| {
            let pairs: Vec<_> = values.iter().map(|value| (CONTENT_ENCODING, *value)).collect();
            encoding_of(&headers(&pairs)).ok()
        };
        assert_eq!(encoding(&[]), Some(None));
        assert_eq!(encoding(&["GZIP"]), Some(Some(Encoding::Gzip)));
        assert_eq!(encoding(&["zstd"]), Some(Some(Encoding::Zstd)));
        for several in [&["gzip, gzip"][..], &["gzip", "gzip"], &["zstd, gzip"], &["zstd", "zstd"], &["br"]] {
            assert_eq!(encoding(several), None, "{several:?}");
        }
    }
}
