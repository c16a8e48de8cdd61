//! Files of `static/`, embedded, compressed once and addressed by their hash, so that a browser never asks twice.

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::respond;

/// The script that pages of other sites load.
pub const BEACON: &str = "beacon.js";
/// Where it stands whatever its hash is.
pub const BEACON_PATH: &str = "/beacon.js";
/// How long browsers keep it from there.
const BEACON_KEPT: &str = "public, max-age=3600, stale-while-revalidate=86400";

/// One embedded file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    /// First half of its BLAKE3 hash, in hex.
    hash: String,
    plain: &'static [u8],
    gzip: Bytes,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("app.css", "text/css; charset=utf-8", &include_bytes!("../../static/app.css")[..]),
        ("app.js", "text/javascript; charset=utf-8", &include_bytes!("../../static/app.js")[..]),
        (BEACON, "text/javascript; charset=utf-8", beacon_script()),
        ("favicon.svg", "image/svg+xml", &include_bytes!("../../static/favicon.svg")[..]),
    ]
    .into_iter()
    .map(|(name, kind, plain)| Asset {
        name,
        kind,
        hash: blake3::hash(plain).to_hex().chars().take(16).collect(),
        plain,
        gzip: compress(plain),
    })
    .collect()
});

fn compress(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a Vec cannot fail; were it to, the plain file is served.
    match encoder.write_all(plain).and_then(|()| encoder.finish()) {
        Ok(gzip) => Bytes::from(gzip),
        Err(_) => Bytes::new(),
    }
}

/// URL of an embedded file, e.g. `/static/3f2a….app.css`; the plain name where there is no such file.
pub fn url(name: &str) -> String {
    ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or_else(|| format!("/static/{name}"), |asset| format!("/static/{}.{name}", asset.hash))
}

/// The beacon's script as it is served.
pub(super) const fn beacon_script() -> &'static [u8] {
    include_bytes!("../../static/beacon.js")
}

/// One text that changes when any embedded file does.
pub(super) fn fingerprint() -> String {
    ASSETS.iter().map(|asset| asset.hash.as_str()).collect()
}

/// `GET /static/{hash}.{name}`: kept for a year. An older hash gets today's file, not to be kept.
async fn show(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let Some((hash, name)) = file.split_once('.') else { return HttpResponse::NotFound().finish() };
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return HttpResponse::NotFound().finish();
    };
    let keep = if hash == asset.hash { "public, max-age=31536000, immutable" } else { "no-cache" };
    serve(&request, asset, keep)
}

/// `GET /beacon.js`: today's script, for pages of other sites.
async fn beacon(request: HttpRequest) -> HttpResponse {
    match ASSETS.iter().find(|asset| asset.name == BEACON) {
        Some(asset) => serve(&request, asset, BEACON_KEPT),
        None => HttpResponse::NotFound().finish(),
    }
}

fn serve(request: &HttpRequest, asset: &Asset, keep: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, asset.kind))
        .insert_header((CACHE_CONTROL, keep))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if asset.name == BEACON {
        // Pages of other sites load it, also with a hash to check it by.
        answer
            .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    }
    if respond::takes_gzip(request) && !asset.gzip.is_empty() {
        answer.insert_header((CONTENT_ENCODING, "gzip"));
        return answer.body(asset.gzip.clone());
    }
    answer.body(asset.plain)
}

/// Browsers ask for this without being told to.
async fn favicon() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, url("favicon.svg"))).finish()
}

/// Routes of the embedded files.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/static/{file}", web::get().to(show))
        .route("/beacon.js", web::get().to(beacon))
        .route("/favicon.ico", web::get().to(favicon));
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;

    #[actix_web::test]
    async fn files_are_kept_for_a_year_under_their_hash_only() {
        let app = init_service(App::new().configure(routes)).await;
        let get = |uri: String| TestRequest::with_uri(&uri).insert_header(("Accept-Encoding", "gzip"));
        let answer = call_service(&app, get(url("app.css")).to_request()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers().get("content-encoding").unwrap(), "gzip");
        assert!(answer.headers().get("cache-control").unwrap().to_str().unwrap().contains("immutable"));
        let old = call_service(&app, get("/static/0000.app.css".into()).to_request()).await;
        assert_eq!(old.headers().get("cache-control").unwrap(), "no-cache");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
        for path in [url(BEACON), BEACON_PATH.to_owned()] {
            let answer = call_service(&app, get(path).to_request()).await;
            assert_eq!(answer.headers().get("cross-origin-resource-policy").unwrap(), "cross-origin");
            assert_eq!(answer.headers().get("access-control-allow-origin").unwrap(), "*");
        }
        let unknown = call_service(&app, get("/static/0000.secret".into()).to_request()).await;
        assert_eq!(unknown.status(), 404);
    }

    #[test]
    fn scripts_and_styles_stay_small() {
        for (name, bytes_max) in [("app.css", 8_000), ("app.js", 3_000), (BEACON, 1_000)] {
            let asset = ASSETS.iter().find(|asset| asset.name == name).unwrap();
            assert!(asset.gzip.len() <= bytes_max, "{name} weighs {} bytes", asset.gzip.len());
        }
    }
}
