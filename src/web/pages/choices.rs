//! What there is to choose from: the values that the rollups of the asked days hold.

use std::collections::{BTreeSet, HashSet};

use crate::analytics::{Detail, ItemDetail, View};
use crate::domain::{Currency, Word};
use crate::reports::Breakdown;
use crate::web::asked::Asked;
use crate::web::page::Page;

/// Most values of one list; the rest can be written into the address.
const VALUES_LISTED_MAX: usize = 60;

/// Values of these parameters; none when nothing was asked.
pub fn selections(asked: Option<&Asked>, names: &[&'static str]) -> Vec<(&'static str, BTreeSet<Word>)> {
    let found = asked.map(|asked| Found::of(&asked.rollups, names)).unwrap_or_default();
    names
        .iter()
        .map(|name| {
            let mut words: BTreeSet<Word> = found.words(name).iter().copied().collect();
            while words.len() > VALUES_LISTED_MAX {
                words.pop_last();
            }
            (*name, words)
        })
        .collect()
}

/// Values met in the cells. Words are compared by where they lie, so a set of those met takes nanoseconds a cell.
#[derive(Default)]
struct Found {
    by_name: [HashSet<Word>; NAMES.len()],
}

/// Parameters of selections, in the order of [`Found::by_name`].
const NAMES: [&str; 6] = ["provider", "method", "scene", "operator", "promotion", "category"];

impl Found {
    fn of(view: &View, names: &[&'static str]) -> Self {
        let mut found = Self::default();
        let wants = |name: &str| names.contains(&name);
        let fine = wants("scene") || wants("operator") || wants("promotion");
        let detail = if fine { Detail::Full } else { Detail::Coarse };
        let [providers, methods, scenes, operators, promotions, categories] = &mut found.by_name;
        for piece in &view.pieces {
            if piece.parts.money {
                piece.cells.money(detail, |_, key, _| {
                    providers.insert(key.provider);
                    methods.insert(key.method);
                    scenes.insert(key.scene);
                    operators.insert(key.operator);
                    promotions.insert(key.promotion);
                });
            }
            // Blocks that tell stores apart have no scenes: those of attempts speak for them.
            if fine && piece.parts.attempts && !piece.parts.money {
                piece.cells.attempts(Detail::Full, |_, key, _| {
                    scenes.insert(key.scene);
                    promotions.insert(key.promotion);
                });
            }
            if piece.parts.items && wants("category") {
                piece.cells.items(ItemDetail::Category, |_, key, _| {
                    categories.insert(key.category);
                });
            }
        }
        found
    }

    fn words(&self, name: &str) -> &HashSet<Word> {
        let place = NAMES.iter().position(|known| *known == name).unwrap_or(0);
        &self.by_name[place]
    }
}

/// Currencies of the rollups of the asked days.
pub fn currencies(asked: Option<&Asked>) -> Vec<Currency> {
    let Some(asked) = asked else { return Vec::new() };
    let mut words: HashSet<Word> = HashSet::new();
    for piece in asked.rollups.pieces.iter().filter(|piece| piece.parts.money) {
        piece.cells.money(Detail::Coarse, |_, key, _| {
            words.insert(key.currency);
        });
    }
    let words: BTreeSet<Word> = words.into_iter().collect();
    words.iter().filter_map(|code| Currency::parse(code).ok()).collect()
}

/// Name of the first column of a breakdown.
pub fn breakdown_name(page: &Page, by: &Breakdown) -> String {
    match by {
        Breakdown::Store => page.t("nav-store"),
        Breakdown::Provider => page.word("filter", "provider"),
        Breakdown::Method => page.word("filter", "method"),
        Breakdown::Scene => page.word("filter", "scene"),
        Breakdown::Promotion => page.word("filter", "promotion"),
        Breakdown::Operator => page.word("filter", "operator"),
        Breakdown::Category => page.word("filter", "category"),
        Breakdown::Attribute(key) => key.clone(),
    }
}

/// Name of a row of the breakdown asked for.
pub fn row_name(asked: &Asked, key: Word) -> String {
    let page = &asked.page;
    match &asked.query.by {
        Some(Breakdown::Store) => asked
            .query
            .stores
            .iter()
            .find(|store| store.slug == key.as_str())
            .map_or_else(|| key.to_string(), |store| store.name.clone()),
        Some(Breakdown::Provider) => page.word("provider", &key),
        Some(Breakdown::Method) => page.word("method", &key),
        Some(Breakdown::Scene) => page.word("scene", &key),
        _ => page.word("value", &key),
    }
}
