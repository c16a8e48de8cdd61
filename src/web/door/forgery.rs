use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::header::ORIGIN;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::SecretKey;
use super::random::hex;
use crate::web::error::WebError;
use crate::web::state::WebConfig;

/// Refuses a request that a page of somebody else made the browser send.
///
/// `Sec-Fetch-Site` decides where the browser sends it; else `Origin` must be ours. A request with neither was made
/// by no browser of the last years and is refused too: it has no business with a cookie.
///
/// # Errors
/// [`WebError::Forged`].
pub fn same_origin(request: &HttpRequest, config: &WebConfig) -> Result<(), WebError> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let ours = match header("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => header(ORIGIN.as_str()).is_some_and(|origin| origin == config.public_origin),
    };
    if ours { Ok(()) } else { Err(WebError::Forged) }
}

/// The token of the forms of one session.
pub(super) fn form_token(key: &SecretKey, session: i64) -> String {
    hex(&keyed_hash(key, &session.to_le_bytes()))
}

/// HMAC-SHA-256.
pub(super) fn keyed_hash(key: &SecretKey, message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length; the fallback cannot be reached and would verify nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The address of the client: the peer's, or what a trusted proxy says it is.
pub fn client_ip(request: &HttpRequest, config: &WebConfig) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    if !config.trusted_proxies.contains(&peer) {
        return peer;
    }
    let forwarded = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|part| part.trim().parse::<IpAddr>().ok())
        .collect::<Vec<_>>();
    // The last one that is no proxy of ours: everything before it, the client may have written.
    forwarded.into_iter().rev().find(|ip| !config.trusted_proxies.contains(ip)).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn config() -> WebConfig {
        WebConfig {
            public_origin: "http://127.0.0.1:8080".into(),
            trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
            ..WebConfig::default()
        }
    }

    #[test]
    fn only_our_own_pages_may_send_forms() {
        for (site, origin, ours) in [
            (Some("same-origin"), None, true),
            (Some("none"), None, true),
            (Some("same-site"), Some("http://127.0.0.1:8080"), false),
            (Some("cross-site"), Some("http://127.0.0.1:8080"), false),
            (Some("cross-site"), None, false),
            (None, Some("http://127.0.0.1:8080"), true),
            (None, Some("https://127.0.0.1:8080"), false),
            (None, Some("http://evil.example"), false),
            (None, Some("null"), false),
            (None, None, false),
        ] {
            let mut request = TestRequest::post();
            if let Some(site) = site {
                request = request.insert_header(("sec-fetch-site", site));
            }
            if let Some(origin) = origin {
                request = request.insert_header(("origin", origin));
            }
            let answer = same_origin(&request.to_http_request(), &config());
            assert_eq!(answer.is_ok(), ours, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_forwarded_address_is_believed_of_a_known_proxy_only() {
        let from = |peer: &str, forwarded: &str| {
            let request = TestRequest::get()
                .peer_addr(format!("{peer}:1").parse().unwrap())
                .insert_header(("x-forwarded-for", forwarded))
                .to_http_request();
            client_ip(&request, &config()).to_string()
        };
        assert_eq!(from("9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(from("10.0.0.1", "1.1.1.1"), "1.1.1.1");
        assert_eq!(from("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.1"), "1.1.1.1");
        assert_eq!(from("10.0.0.1", "rubbish"), "10.0.0.1");
    }
}
