//! Answers of pages and exports: compressed when the browser takes it, tagged so that an unchanged report is not
//! sent (nor made) twice, and never kept by anything between us and the reader.

use std::io::Write;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::assets;
use super::page::Page;

/// Below this a compressed body is hardly smaller.
const COMPRESS_FROM_BYTES: usize = 600;

/// A page that may not be kept at all: forms, errors, anything that is not a report.
pub fn html(request: &HttpRequest, status: StatusCode, body: String) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"));
    finish(request, answer, body.into_bytes())
}

/// A strong tag of everything an answer depends on: the page's language, theme, person and path, the build, and
/// `state`, what the report was made from (data version, resolved days, settings).
pub fn tag(page: &Page, state: &[&str]) -> String {
    let fingerprint = page.fingerprint();
    let parts: Vec<&str> = std::iter::once(fingerprint.as_str()).chain(state.iter().copied()).collect();
    tag_of(&parts)
}

/// The answer 304 when the reader has what this tag stands for already.
pub fn unchanged(request: &HttpRequest, tag: &str) -> Option<HttpResponse> {
    has(request, tag).then(|| {
        let mut answer = HttpResponse::NotModified();
        tagged(&mut answer, tag);
        answer.finish()
    })
}

/// A report as a page.
pub fn tagged_html(request: &HttpRequest, tag: &str, body: Vec<u8>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
    tagged(&mut answer, tag);
    finish(request, answer, body)
}

/// A report as a CSV file.
pub fn tagged_csv(request: &HttpRequest, tag: &str, file_name: &str, body: Vec<u8>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    let name: String =
        file_name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    answer
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    tagged(&mut answer, tag);
    finish(request, answer, body)
}

/// A strong tag of everything an answer depends on.
fn tag_of(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    // The build: embedded files stand for the look, the version for texts and templates.
    for part in [env!("CARGO_PKG_VERSION"), build(), &assets::fingerprint()].iter().chain(parts) {
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        hasher.update(&part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    format!("\"{}\"", hasher.finalize().to_hex().chars().take(32).collect::<String>())
}

/// A hash of templates and texts, taken when the program was built.
const fn build() -> &'static str {
    match option_env!("TILLWATCH_TEMPLATES") {
        Some(hash) => hash,
        None => "",
    }
}

fn has(request: &HttpRequest, tag: &str) -> bool {
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or("");
    // A proxy that compresses may have made the tag weak.
    known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

fn tagged(answer: &mut HttpResponseBuilder, tag: &str) {
    answer
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((VARY, "Accept-Encoding, Accept-Language, Cookie"));
}

/// True when the request accepts gzip.
pub(super) fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    accepted.split(',').any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        let names = pieces.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        names && !pieces.any(|piece| matches!(piece, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn finish(request: &HttpRequest, mut answer: HttpResponseBuilder, body: Vec<u8>) -> HttpResponse {
    if body.len() >= COMPRESS_FROM_BYTES && takes_gzip(request) {
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(5));
        // Writing to a Vec cannot fail; were it to, the plain body is sent.
        if let Ok(gzip) = encoder.write_all(&body).and_then(|()| encoder.finish()) {
            answer.insert_header((CONTENT_ENCODING, "gzip"));
            return answer.body(gzip);
        }
    }
    answer.body(body)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn ask(tag: Option<&str>, language: &str) -> (HttpRequest, Page) {
        let mut request = TestRequest::with_uri("/s/main/fees").insert_header(("Accept-Language", language));
        if let Some(tag) = tag {
            request = request.insert_header(("If-None-Match", tag));
        }
        let request = request.to_http_request();
        let page = Page::new(&request);
        (request, page)
    }

    fn answer(tag: Option<&str>, language: &str, state: &str) -> HttpResponse {
        let (request, page) = ask(tag, language);
        let tag = super::tag(&page, &[state]);
        unchanged(&request, &tag).unwrap_or_else(|| tagged_html(&request, &tag, b"<p>...</p>".to_vec()))
    }

    #[test]
    fn an_unchanged_report_is_not_sent_twice() {
        let first = answer(None, "zh", "7");
        let tag = first.headers().get("etag").unwrap().to_str().unwrap().to_owned();
        assert_eq!(answer(Some(&tag), "zh", "7").status(), 304);
        assert_eq!(answer(Some(&format!("W/{tag}")), "zh", "7").status(), 304);
        assert_eq!(answer(Some(&tag), "zh", "8").status(), 200, "another data version");
        assert_eq!(answer(Some(&tag), "en", "7").status(), 200, "another language");
    }

    #[test]
    fn bodies_are_compressed_only_for_who_takes_it() {
        for (header, expected) in [("gzip", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("", false)]
        {
            let request = TestRequest::default().insert_header(("Accept-Encoding", header)).to_http_request();
            assert_eq!(takes_gzip(&request), expected, "{header}");
        }
    }
}
