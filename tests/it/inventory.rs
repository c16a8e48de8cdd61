//! Every route of the service stands in `routes.txt` with who may use it, and behaves so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service};

use tillwatch::web::page::Area;

use crate::app;
use crate::service::TestService;

/// `METHOD PATTERN ACCESS`: `public` answers anybody, `session` a person who is signed in, `key` an API key,
/// `signed` a provider's signature, `own` guards itself (said in the comment above the line).
const INVENTORY: &str = include_str!("routes.txt");

struct Route {
    method: Method,
    pattern: &'static str,
    access: &'static str,
}

fn inventory() -> Vec<Route> {
    let lines = INVENTORY.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let [method, pattern, access] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("not three words: {line}")
            };
            Route { method: method.parse().unwrap(), pattern, access }
        })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The patterns that the code of the web layer gives to actix.
fn patterns_in_code() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let mut patterns = BTreeSet::new();
    for path in sources(&root) {
        let code = fs::read_to_string(path).unwrap();
        let code = code.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        for start in ["resource(", ".route(", "scope("] {
            for (at, _) in code.match_indices(start) {
                let rest = code[at + start.len()..].trim_start();
                if let Some(text) = rest.strip_prefix("\"/") {
                    patterns.insert(format!("/{}", text.split('"').next().unwrap()));
                }
            }
        }
    }
    // Reports share one pair of routes, whose path is made from their place in the navigation.
    let reports = fs::read_to_string(root.join("pages/mod.rs")).unwrap().matches("asked::routes::<").count();
    // Reconciliation has routes of its own: its days are those of its sources.
    let areas = Area::SHOP.into_iter().filter(|area| *area != Area::Reconciliation);
    assert_eq!(reports, areas.clone().count(), "each other place of the shop is one report");
    for area in areas {
        patterns.insert(format!("/s/{{store}}/{}", area.path()));
        patterns.insert(format!("/s/{{store}}/{}.csv", area.path()));
    }
    patterns
}

/// A path of a pattern: each `{…}` filled in.
fn path_of(pattern: &str) -> String {
    let mut path = String::new();
    for part in pattern.split_inclusive('/') {
        match part.split_once('{') {
            None => path.push_str(part),
            Some((before, name)) => {
                path.push_str(before);
                let filled = if name.starts_with("store") {
                    "main"
                } else if name.contains("[0-9]") {
                    "1"
                } else {
                    "x"
                };
                path.push_str(filled);
                path.push_str(name.split_once('}').map_or("", |(_, after)| after));
            }
        }
    }
    path
}

#[test]
fn every_route_of_the_code_stands_in_the_inventory() {
    let listed: BTreeSet<String> = inventory().iter().map(|route| route.pattern.to_owned()).collect();
    let code = patterns_in_code();
    assert!(code.len() > 10, "only {} patterns were found", code.len());
    let missing: Vec<_> = code.difference(&listed).collect();
    assert!(missing.is_empty(), "add to tests/it/routes.txt, with who may use it: {missing:?}");
    let gone: Vec<_> = listed.difference(&code).collect();
    assert!(gone.is_empty(), "in tests/it/routes.txt, but not in the code: {gone:?}");
}

#[actix_web::test]
async fn nothing_is_shown_or_changed_without_a_session_or_a_key() {
    let service = TestService::start().await;
    service.owner().await;
    let app = app!(service);
    for route in inventory() {
        let path = path_of(route.pattern);
        let request = TestRequest::with_uri(&path)
            .method(route.method.clone())
            .insert_header(("sec-fetch-site", "same-origin"))
            .to_request();
        let answer = call_service(&app, request).await;
        let status = answer.status().as_u16();
        let location =
            answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        let is_right = match route.access {
            "session" => status == 401 || (status == 303 && location.starts_with("/login")),
            "key" | "signed" => status == 401,
            "public" => status != 401 && !location.starts_with("/login"),
            "own" => true,
            other => panic!("unknown access {other}"),
        };
        assert!(is_right, "{} {path}, {}: answered {status} {location}", route.method, route.access);
    }
}
