//! The reader's own choices, kept in cookies: language and theme. Links, so that they work without a session;
//! they change nothing but a look.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::page::{THEME_COOKIE, Theme};
use super::texts::{LANGUAGE_COOKIE, Language};

#[derive(Deserialize)]
struct Back {
    #[serde(default)]
    back: String,
}

/// `GET /language/{tag}?back=/path`: remembers the language and goes back.
async fn language(tag: web::Path<String>, back: web::Query<Back>) -> HttpResponse {
    match Language::parse(&tag) {
        Some(language) => remember(LANGUAGE_COOKIE, language.tag(), &back.back),
        None => HttpResponse::NotFound().finish(),
    }
}

/// `GET /theme/{word}?back=/path`: remembers the theme and goes back.
async fn theme(word: web::Path<String>, back: web::Query<Back>) -> HttpResponse {
    remember(THEME_COOKIE, Theme::parse(&word).as_str(), &back.back)
}

fn remember(name: &'static str, value: &'static str, back: &str) -> HttpResponse {
    let cookie = Cookie::build(name, value)
        .path("/")
        .max_age(Duration::days(400))
        .same_site(SameSite::Lax)
        .http_only(true)
        .finish();
    HttpResponse::SeeOther()
        .cookie(cookie)
        .insert_header((LOCATION, own_path(back)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

/// The path when it is one of ours, else the start page: nobody is led elsewhere by a link to us.
pub(super) fn own_path(back: &str) -> &str {
    let elsewhere = !back.starts_with('/')
        || back.starts_with("//")
        || back.contains('\\')
        || back.chars().any(|c| c.is_control() || !c.is_ascii());
    if elsewhere { "/" } else { back }
}

/// Routes of the choices.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/language/{tag}", web::get().to(language)).route("/theme/{word}", web::get().to(theme));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for back in
            ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nb", "javascript:1"]
        {
            assert_eq!(own_path(back), "/", "{back}");
        }
        assert_eq!(own_path("/s/main/fees?period=7d"), "/s/main/fees?period=7d");
    }
}
