//! The settings page of the checkout beacon: a site is made, shown with what to put in, and removed.

use actix_web::body::to_bytes;
use actix_web::test::{TestRequest, call_service};

use crate::app;
use crate::service::TestService;

/// The token of the first form of a page.
fn csrf(html: &str) -> String {
    let at = html.find("name=\"csrf\" value=\"").expect("a form") + "name=\"csrf\" value=\"".len();
    html[at..].split('"').next().unwrap().to_owned()
}

const PATH: &str = "/s/main/settings/beacon";

macro_rules! page {
    ($app:expr, $cookie:expr, $language:expr) => {{
        let request = TestRequest::get().uri(PATH).insert_header($cookie.clone());
        let request = request.insert_header(("cookie", format!("{}; lang={}", $cookie.1, $language)));
        let answer = call_service(&$app, request.to_request()).await;
        assert_eq!(answer.status(), 200);
        let Ok(bytes) = to_bytes(answer.into_body()).await else { panic!("no body") };
        String::from_utf8(bytes.to_vec()).unwrap()
    }};
}

macro_rules! send {
    ($app:expr, $cookie:expr, $path:expr, $fields:expr) => {{
        let request = TestRequest::post()
            .uri($path)
            .insert_header($cookie.clone())
            .insert_header(("sec-fetch-site", "same-origin"))
            .set_form($fields);
        call_service(&$app, request.to_request()).await
    }};
}

#[actix_web::test]
async fn a_site_is_made_shown_and_removed() {
    let service = TestService::start().await;
    let cookie = service.owner().await;
    let app = app!(service);
    let html = page!(app, cookie, "zh-Hans");
    assert!(html.contains("结账埋点") && html.contains("还没有站点"), "{html}");
    let token = csrf(&html);
    let fields = |origins: &'static str| {
        [
            ("csrf", token.clone()),
            ("name", "web <shop>".into()),
            ("site_store", "main".into()),
            ("origins", origins.to_owned()),
        ]
    };
    for wrong in ["", "shop.example.com", "https://shop.example.com/checkout", "*"] {
        let answer = send!(app, cookie, PATH, fields(wrong));
        assert_eq!(answer.status(), 422, "{wrong}");
    }
    let answer = send!(app, cookie, PATH, fields("https://Shop.example.com/\nhttps://m.shop.example.com"));
    assert_eq!(answer.status(), 303);
    let site = service.state.database.collect_sites().await.unwrap().remove(0);
    assert_eq!(site.origins, ["https://m.shop.example.com", "https://shop.example.com"]);
    let html = page!(app, cookie, "en");
    for text in [
        &format!("data-site=\"{}\"", site.id),
        "http://127.0.0.1:8080/beacon.js",
        "connect-src http://127.0.0.1:8080",
        "integrity=\"sha384-",
        "web &#60;shop&#62;",
        "Last event received: <b>–</b>",
    ] {
        assert!(html.contains(text), "{text} is not in {html}");
    }
    let gone = [("csrf", token.clone()), ("site", site.id.clone())];
    assert_eq!(send!(app, cookie, "/s/main/settings/beacon/remove", &gone).status(), 303);
    assert_eq!(send!(app, cookie, "/s/main/settings/beacon/remove", &gone).status(), 404);
    assert!(page!(app, cookie, "en").contains("No site tells"));
}
