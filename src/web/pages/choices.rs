//! What there is to choose from: the values that the rollups of the asked days hold.

use std::collections::BTreeSet;

use crate::analytics::View;
use crate::domain::{Currency, Word};
use crate::reports::Breakdown;
use crate::web::asked::Asked;
use crate::web::page::Page;

/// Most values of one list; the rest can be written into the address.
const VALUES_LISTED_MAX: usize = 60;

/// Values of these parameters; none when nothing was asked.
pub fn selections(asked: Option<&Asked>, names: &[&'static str]) -> Vec<(&'static str, BTreeSet<Word>)> {
    let mut found: Vec<(&'static str, BTreeSet<Word>)> =
        names.iter().map(|name| (*name, BTreeSet::new())).collect();
    let Some(asked) = asked else { return found };
    let view = View::of(&asked.snapshot, &asked.query.ranges().unwrap_or_default());
    for block in view.blocks.values().flat_map(|days| days.values()) {
        for (name, words) in &mut found {
            match *name {
                "provider" => words.extend(block.money.keys().map(|key| key.provider)),
                "method" => words.extend(block.money.keys().map(|key| key.method)),
                "scene" => words.extend(block.money.keys().map(|key| key.scene)),
                "operator" => words.extend(block.money.keys().map(|key| key.operator)),
                _ => words.extend(block.items.keys().map(|key| key.category)),
            }
        }
    }
    for (_, words) in &mut found {
        while words.len() > VALUES_LISTED_MAX {
            words.pop_last();
        }
    }
    found
}

/// Currencies of the rollups of the asked days.
pub fn currencies(asked: Option<&Asked>) -> Vec<Currency> {
    let Some(asked) = asked else { return Vec::new() };
    let view = View::of(&asked.snapshot, &asked.query.ranges().unwrap_or_default());
    let words: BTreeSet<Word> = view
        .blocks
        .values()
        .flat_map(|days| days.values())
        .flat_map(|block| block.money.keys().map(|key| key.currency))
        .collect();
    words.iter().filter_map(|code| Currency::parse(code).ok()).collect()
}

/// Name of the first column of a breakdown.
pub fn breakdown_name(page: &Page, by: &Breakdown) -> String {
    match by {
        Breakdown::Store => page.t("nav-store"),
        Breakdown::Provider => page.word("filter", "provider"),
        Breakdown::Method => page.word("filter", "method"),
        Breakdown::Scene => page.word("filter", "scene"),
        Breakdown::Operator => page.word("filter", "operator"),
        Breakdown::Category => page.word("filter", "category"),
        Breakdown::Attribute(key) => key.clone(),
    }
}

/// Name of a row of the breakdown asked for.
pub fn row_name(asked: &Asked, key: &Word) -> String {
    let page = &asked.page;
    match &asked.query.by {
        Some(Breakdown::Store) => asked
            .query
            .stores
            .iter()
            .find(|store| store.slug == key.as_str())
            .map_or_else(|| key.to_string(), |store| store.name.clone()),
        Some(Breakdown::Provider) => page.word("provider", key),
        Some(Breakdown::Method) => page.word("method", key),
        Some(Breakdown::Scene) => page.word("scene", key),
        _ => page.word("value", key),
    }
}
