use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use actix_web::test::TestRequest;

use super::*;

/// Keys of a language with the variables of each.
fn keys(tag: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys = BTreeMap::new();
    for path in files(&root().join("locales").join(tag), "ftl") {
        let mut key = None;
        for line in std::fs::read_to_string(&path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with([' ', '}', '['])) {
                assert!(
                    keys.insert(name.to_owned(), BTreeSet::new()).is_none(),
                    "{name} twice in {tag}, {}",
                    path.display()
                );
                key = Some(name.to_owned());
            }
            let Some(key) = &key else { continue };
            let variables = line.split('$').skip(1).map(|rest| {
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
            });
            keys.get_mut(key).unwrap().extend(variables);
        }
    }
    keys
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn both_languages_have_the_same_texts() {
    let (english, chinese) = (keys("en"), keys("zh-Hans"));
    for (key, variables) in &english {
        assert_eq!(chinese.get(key), Some(variables), "{key} differs in zh-Hans");
    }
    for key in chinese.keys() {
        assert!(english.contains_key(key), "{key} is missing in en");
    }
    for (key, variables) in &english {
        let values: Vec<(&'static str, Value)> =
            variables.iter().map(|name| (&*name.clone().leak(), Value::from(1_i64))).collect();
        for language in Language::ALL {
            assert_ne!(&language.t_with(key, &values), key, "{key} cannot be read in {}", language.tag());
        }
    }
}

#[test]
fn templates_and_pages_use_known_keys() {
    let known = keys("en");
    let mut sources = files(&root().join("templates"), "html");
    sources.extend(files(&root().join("src/web"), "rs"));
    let mut unknown = Vec::new();
    for path in sources.iter().filter(|path| !path.ends_with("texts_tests.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        for call in ["t(\"", "t_with(\"", "t_with(\n            \"", "t_with(\n                \""] {
            for (at, _) in text.match_indices(call) {
                let before = text[..at].chars().next_back().unwrap_or(' ');
                let line = text[..at].lines().last().unwrap_or_default();
                if before != '.' || line.trim_start().starts_with("//") {
                    continue;
                }
                let key = text[at + call.len()..].split('"').next().unwrap_or_default();
                if !known.contains_key(key) {
                    unknown.push(format!("{key} in {}", path.display()));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "unknown keys:\n{}", unknown.join("\n"));
}

#[test]
fn chinese_texts_have_full_width_punctuation() {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for path in files(&root().join("locales/zh-Hans"), "ftl") {
        for line in std::fs::read_to_string(&path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            let text = line.split_once('=').map_or(line, |(_, text)| text);
            let chars: Vec<char> = text.chars().collect();
            for window in chars.windows(2) {
                let (left, right) = (window[0], window[1]);
                let wrong = (is_chinese(left) && ",;:?!()".contains(right))
                    || (is_chinese(right) && ",;?!()".contains(left));
                assert!(!wrong, "half-width punctuation in {}: {line}", path.display());
            }
            assert!(!text.contains('您'), "您 in {}: {line}", path.display());
        }
    }
}

#[test]
fn the_language_is_the_chosen_one_or_the_accepted_one() {
    let of = |cookie: Option<&str>, header: &str| {
        let mut request = TestRequest::default().insert_header(("Accept-Language", header));
        if let Some(cookie) = cookie {
            request = request.insert_header(("Cookie", format!("lang={cookie}")));
        }
        Language::of(&request.to_http_request())
    };
    assert_eq!(of(None, "zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
    assert_eq!(of(None, "fr,en;q=0.5,zh;q=0.7"), Language::Chinese);
    assert_eq!(of(None, "zh;q=0,en;q=0.1"), Language::English);
    assert_eq!(of(None, "fr"), Language::English);
    assert_eq!(of(Some("en"), "zh-CN"), Language::English);
    assert_eq!(of(Some("xx"), "zh-CN"), Language::Chinese);
}

#[test]
fn numbers_in_texts_are_grouped_and_not_isolated() {
    let text = Language::English.t_with("frame-payments", &[("n", Value::from(12_345_i64))]);
    assert_eq!(text, "12,345 payments");
    assert_eq!(Language::English.t_with("frame-payments", &[("n", Value::from(1_i64))]), "1 payment");
    assert_eq!(Language::Chinese.t_with("frame-payments", &[("n", Value::from(1_i64))]), "1 笔");
    assert_eq!(Language::English.t("no-such-key"), "no-such-key");
}
