//! The import rule: rooms stand in a row, code names only rooms to its left, each engine has one home.

use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: [&str; 11] = [
    "domain",
    "telemetry",
    "lake",
    "analytics",
    "alerts",
    "store",
    "intake",
    "jobs",
    "reports",
    "web",
    "app",
];

/// What only some places may name.
const HOMES: [(&str, &[&str]); 6] = [
    ("polars", &["src/lake/", "src/analytics/"]),
    ("sqlx", &["src/store/"]),
    ("actix_web", &["src/web/", "src/app/"]),
    ("askama", &["src/web/"]),
    ("Utc::now", &["src/domain/clock.rs"]),
    ("env::var", &["src/app/config"]),
];

fn files_under(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), ending, &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// True when `text` has `name` as a whole word, so that `sqlx` is found in `sqlx::query` and not in `mysqlx`.
fn names(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word))
}

/// The rooms that this code names by `crate::room` or in a `crate::{…}` group.
fn rooms_named(code: &str) -> Vec<&'static str> {
    let mut said = String::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            // A room stands first in each part of the group; a part of a nested group may be read as one, which
            // can only find too much.
            Some(group) => said.push_str(group.split(';').next().unwrap_or_default()),
            None => said
                .push_str(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()),
        }
        said.push('\n');
    }
    ROOMS.into_iter().filter(|room| names(&said, room)).collect()
}

/// Every breach of the rule in one source file.
fn breaches(path: &str, text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let room = path.strip_prefix("src/").and_then(|rest| rest.split(['/', '.']).next()).unwrap_or_default();
    let mut found = Vec::new();
    if let Some(own) = ROOMS.iter().position(|known| *known == room) {
        for named in rooms_named(&code) {
            if ROOMS.iter().position(|known| *known == named) > Some(own) {
                found.push(format!("{path}: {room} names {named}, which stands to its right"));
            }
        }
    }
    for (engine, homes) in HOMES {
        if names(&code, engine) && !homes.iter().any(|home| path.starts_with(home)) {
            found.push(format!("{path}: {engine} lives in {}", homes.join(", ")));
        }
    }
    found
}

/// Inline style and script, which the content security policy of every page forbids.
fn inline_code(path: &str, text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    if lower.contains("style=") || lower.contains("<style") {
        found.push(format!("{path}: inline style"));
    }
    for (at, _) in lower.match_indices("<script") {
        let body = lower[at..].split_once('>').map_or("", |(_, rest)| rest);
        if !body.trim_start().starts_with("</script") {
            found.push(format!("{path}: inline script"));
        }
    }
    let handler = |name: &str| names(&lower, name) && lower.contains(&format!(" {name}="));
    if ["onclick", "onload", "onchange", "onsubmit", "oninput"].into_iter().any(handler) {
        found.push(format!("{path}: inline handler"));
    }
    found
}

#[test]
fn code_names_only_rooms_to_its_left_and_each_engine_has_one_home() {
    let files = files_under("src", ".rs");
    assert!(files.len() > 20, "only {} files were read", files.len());
    let found: Vec<String> = files.iter().flat_map(|(path, text)| breaches(path, text)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_planted_breach_is_found() {
    let planted = "use crate::{domain::Word, web::Page};\nuse sqlx::query;\nfn f() { crate::jobs::run(chrono::Utc::now()) }";
    assert_eq!(
        breaches("src/lake/planted.rs", planted).len(),
        4,
        "{:?}",
        breaches("src/lake/planted.rs", planted)
    );
    let clean =
        "// crate::web and sqlx may be spoken of\nuse crate::domain::{self, Stored};\nlet mysqlx = 1;";
    assert_eq!(breaches("src/lake/clean.rs", clean), Vec::<String>::new());
}

#[test]
fn templates_hold_no_inline_style_script_or_handler() {
    let found: Vec<String> =
        files_under("templates", ".html").iter().flat_map(|(path, text)| inline_code(path, text)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn planted_inline_code_is_found() {
    assert_eq!(inline_code("t", "<p style='x'>").len(), 1);
    assert_eq!(inline_code("t", "<script>alert(1)</script>").len(), 1);
    assert_eq!(inline_code("t", "<a onclick=\"x\">").len(), 1);
    assert!(inline_code("t", "<script src=\"/static/app.js\" defer></script>").is_empty());
}
