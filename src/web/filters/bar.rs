use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{Days, NaiveDate};

use super::grammar::FilterError;
use super::grammar::{
    BREAKDOWNS, COMPARISONS, Filters, PERIODS, SELECTIONS, breakdown_word, compare_word, pairs, period_word,
};
use crate::domain::{Currency, Word};
use crate::reports::{Breakdown, Period, Selection};
use crate::web::page::Page;

/// One option of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub name: String,
    pub chosen: bool,
}

/// A filter in force, with the address that takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    pub text: String,
    pub url: String,
}

/// What a page lets one choose from.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Parameters of selections that this page can answer (`provider`, `method` …) with the values there are.
    pub selections: Vec<(&'static str, BTreeSet<Word>)>,
    /// Breakdowns that this page can answer.
    pub breakdowns: Vec<Breakdown>,
    /// Currencies there are; a choice only when there are several.
    pub currencies: Vec<Currency>,
    /// False where a page compares with nothing.
    pub compares: bool,
    /// True where the page searches.
    pub searches: bool,
    /// Parameters that only this page knows, with the words they take.
    pub own: Vec<(&'static str, Vec<&'static str>)>,
}

/// The bar above a report: a form that works without a script, the filters in force, the way to other days.
/// Write `{{ bar|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/filters.html")]
pub struct FilterBar<'a> {
    page: &'a Page,
    /// Path of the page.
    path: String,
    periods: Vec<Choice>,
    from: String,
    to: String,
    custom: bool,
    comparisons: Vec<Choice>,
    breakdowns: Vec<Choice>,
    currencies: Vec<Choice>,
    selections: Vec<(&'static str, String, Vec<Choice>)>,
    /// `country=France`, as the field shows it; empty without.
    attribute: String,
    search: Option<String>,
    previous: Option<String>,
    next: Option<String>,
    chips: Vec<Chip>,
    clear: String,
    ignored: String,
    error: Option<FilterError>,
    narrowed: bool,
}

impl HtmlSafe for FilterBar<'_> {}

impl<'a> FilterBar<'a> {
    /// The bar of a report on these filters. `days` are those the report covers; `running` when today is one of them.
    pub fn new(
        page: &'a Page,
        filters: &Filters,
        options: &Options,
        days: Option<(NaiveDate, NaiveDate)>,
        running: bool,
    ) -> Self {
        let mut bar = Self::with_choices(page, options, &written_values(filters, days));
        bar.chips = chips(page, filters, &bar.path);
        bar.clear = format!("{}{}", bar.path, filters.days_only().url());
        bar.ignored = filters.ignored.join(", ");
        if let Some((first, last)) = days {
            let length = Days::new((last - first).num_days().unsigned_abs() + 1);
            let shifted = |first: Option<NaiveDate>, last: Option<NaiveDate>| {
                let period = Period::Custom { first: first?, last: last? };
                Some(format!("{}{}", bar.path, filters.in_period(period).url()))
            };
            bar.previous = shifted(first.checked_sub_days(length), last.checked_sub_days(length));
            // Nothing comes after today.
            if !running {
                bar.next = shifted(first.checked_add_days(length), last.checked_add_days(length));
            }
        }
        bar
    }

    /// The bar of an address that cannot be read: filled in as it was written, with what is wrong.
    pub fn broken(page: &'a Page, options: &Options, query: &str, error: FilterError) -> Self {
        let values = pairs(query).unwrap_or_default().into_iter().collect();
        Self { error: Some(error), ..Self::with_choices(page, options, &values) }
    }

    fn with_choices(page: &'a Page, options: &Options, values: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| values.get(name).map(String::as_str).unwrap_or_default();
        let path = page.url.split('?').next().unwrap_or("/").to_owned();
        let period = if value("period").is_empty() { "today" } else { value("period") };
        let mut periods: Vec<Choice> = PERIODS
            .iter()
            .map(|(word, _)| choice(word, page.word("period", word), word == &period))
            .collect();
        periods.push(choice("custom", page.word("period", "custom"), period == "custom"));
        let compare = if value("cmp").is_empty() { "prev" } else { value("cmp") };
        let comparisons = COMPARISONS
            .iter()
            .filter(|_| options.compares)
            .map(|(word, _)| choice(word, page.word("compare", word), word == &compare))
            .collect();
        let selections: Vec<(&str, String, Vec<Choice>)> = SELECTIONS
            .into_iter()
            .filter_map(|name| {
                let (_, words) = options.selections.iter().find(|(known, _)| *known == name)?;
                let choices = selection_choices(page, name, words, value(name));
                (choices.len() > 1).then(|| (name, page.word("filter", name), choices))
            })
            .collect();
        let own_selections = options.own.iter().map(|(name, words)| {
            let words = words.iter().map(|word| Word::of(word)).collect();
            (*name, page.word("filter", name), selection_choices(page, name, &words, value(name)))
        });
        let selections = selections.into_iter().chain(own_selections).collect();
        let attribute = values
            .iter()
            .find_map(|(name, value)| {
                let key = name.strip_prefix("attr.").map(|key| format!("{key}={value}"));
                key.or_else(|| (name == "attr").then(|| value.clone()))
            })
            .unwrap_or_default();
        Self {
            page,
            path,
            custom: period == "custom",
            periods,
            from: value("from").to_owned(),
            to: value("to").to_owned(),
            comparisons,
            breakdowns: breakdown_choices(page, options, value("by")),
            currencies: currency_choices(page, options, value("cur")),
            narrowed: !attribute.is_empty()
                || SELECTIONS.iter().any(|name| !value(name).is_empty())
                || options.own.iter().any(|(name, _)| !value(name).is_empty()),
            selections,
            attribute,
            search: options.searches.then(|| value("q").to_owned()),
            previous: None,
            next: None,
            chips: Vec::new(),
            clear: String::new(),
            ignored: String::new(),
            error: None,
        }
    }
}

fn choice(value: &str, name: String, chosen: bool) -> Choice {
    Choice { value: value.to_owned(), name, chosen }
}

/// The filters as the fields of the form hold them.
fn written_values(filters: &Filters, days: Option<(NaiveDate, NaiveDate)>) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = filters.own.clone();
    let mut put = |name: &str, value: String| values.insert(name.to_owned(), value);
    put("period", period_word(filters.period));
    if let Some((first, last)) = days {
        put("from", first.to_string());
        put("to", last.to_string());
    }
    put("cmp", compare_word(filters.compare).to_owned());
    if let Some(by) = &filters.by {
        put("by", breakdown_word(by));
    }
    if let Some(currency) = filters.currency {
        put("cur", currency.code().to_owned());
    }
    let address = filters.url();
    let selected = pairs(address.trim_start_matches('?')).unwrap_or_default();
    for (name, value) in selected {
        if SELECTIONS.contains(&name.as_str()) || name.starts_with("attr.") {
            put(&name, value);
        }
    }
    values
}

/// Every value there is, and first the present choice when it is none of them (several, or an exclusion).
fn selection_choices(page: &Page, name: &str, words: &BTreeSet<Word>, present: &str) -> Vec<Choice> {
    let mut choices = vec![choice("", page.t("filter-any"), present.is_empty())];
    let mut found = present.is_empty();
    for word in words {
        let value = if word.is_none() { "-" } else { word.as_str() };
        found |= value == present;
        choices.push(choice(value, page.word(name, word), value == present));
    }
    if !found {
        choices.push(choice(present, selection_text(page, name, present), true));
    }
    choices
}

/// A selection as a sentence part: `Alipay, WeChat Pay`, `not Cash`.
fn selection_text(page: &Page, name: &str, written: &str) -> String {
    let texts: Vec<String> = written
        .split(',')
        .map(|value| match value.strip_prefix('!') {
            Some(value) => page.t_with("filter-not", &[("name", value_name(page, name, value).into())]),
            None => value_name(page, name, value),
        })
        .collect();
    texts.join(&page.t("list-comma"))
}

fn value_name(page: &Page, name: &str, value: &str) -> String {
    page.word(name, if value == "-" { "" } else { value })
}

fn breakdown_choices(page: &Page, options: &Options, present: &str) -> Vec<Choice> {
    if options.breakdowns.is_empty() {
        return Vec::new();
    }
    let mut choices = vec![choice("", page.t("by-nothing"), present.is_empty())];
    for (word, by) in &BREAKDOWNS {
        if options.breakdowns.contains(by) {
            choices.push(choice(word, page.word("by", word), word == &present));
        }
    }
    if let Some(key) = present.strip_prefix("attr.") {
        choices.push(choice(present, key.to_owned(), true));
    }
    choices
}

fn currency_choices(page: &Page, options: &Options, present: &str) -> Vec<Choice> {
    if options.currencies.len() < 2 && present.is_empty() {
        return Vec::new();
    }
    let mut choices = vec![choice("", page.t("currency-all"), present.is_empty())];
    choices.extend(
        options
            .currencies
            .iter()
            .map(|known| choice(known.code(), known.code().to_owned(), known.code() == present)),
    );
    choices
}

fn chips(page: &Page, filters: &Filters, path: &str) -> Vec<Chip> {
    let mut chips = Vec::new();
    for name in SELECTIONS {
        let (exclude, words) = match filters.selection(name) {
            Selection::Any => continue,
            Selection::Only(words) => (false, words),
            Selection::Except(words) => (true, words),
        };
        let names: Vec<String> = words.iter().map(|word| page.word(name, word)).collect();
        let value = names.join(&page.t("list-comma"));
        let value = if exclude { page.t_with("filter-not", &[("name", value.into())]) } else { value };
        let text =
            page.t_with("filter-is", &[("field", page.word("filter", name).into()), ("value", value.into())]);
        chips.push(Chip { text, url: format!("{path}{}", filters.without(name).url()) });
    }
    if let Some((key, value)) = &filters.filter.attribute {
        let text = page.t_with("filter-is", &[("field", key.into()), ("value", value.into())]);
        chips.push(Chip { text, url: format!("{path}{}", filters.without("attr.").url()) });
    }
    if let Some(search) = filters.own.get("q") {
        let text =
            page.t_with("filter-is", &[("field", page.t("filter-search").into()), ("value", search.into())]);
        chips.push(Chip { text, url: format!("{path}{}", filters.without("q").url()) });
    }
    for name in ["status", "kind"] {
        let Some(word) = filters.own.get(name) else { continue };
        let value = page.word(name, word);
        let text =
            page.t_with("filter-is", &[("field", page.word("filter", name).into()), ("value", value.into())]);
        chips.push(Chip { text, url: format!("{path}{}", filters.without(name).url()) });
    }
    chips
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn options() -> Options {
        Options {
            selections: vec![("method", ["wechat_pay", "card", ""].map(Word::of).into())],
            breakdowns: vec![Breakdown::Provider],
            currencies: vec![Currency::CNY],
            compares: true,
            ..Options::default()
        }
    }

    fn page(query: &str) -> Page {
        Page::new(&TestRequest::with_uri(&format!("/s/main/fees{query}")).to_http_request())
    }

    #[test]
    fn chips_take_their_filter_away_and_days_have_neighbours() {
        let query = "?period=custom&from=2026-10-01&to=2026-10-07&method=card";
        let page = page(query);
        let filters = Filters::read(&query[1..], &[]).unwrap();
        let days = Some(("2026-10-01".parse().unwrap(), "2026-10-07".parse().unwrap()));
        let bar = FilterBar::new(&page, &filters, &options(), days, false);
        assert_eq!(bar.chips.len(), 1);
        assert_eq!(bar.chips[0].text, "Method: Bank card");
        assert_eq!(bar.chips[0].url, "/s/main/fees?period=custom&from=2026-10-01&to=2026-10-07");
        assert_eq!(
            bar.next.as_deref(),
            Some("/s/main/fees?period=custom&from=2026-10-08&to=2026-10-14&method=card")
        );
        let html = bar.render().unwrap();
        assert!(html.contains("value=\"card\" selected") && html.contains("rel=\"prev\""), "{html}");
    }

    #[test]
    fn a_broken_address_keeps_what_was_filled_in() {
        let query = "period=custom&from=2026-02-30&to=2026-03-01&method=card";
        let page = page("");
        let error = Filters::read(query, &[]).unwrap_err();
        let html = FilterBar::broken(&page, &options(), query, error).render().unwrap();
        assert!(html.contains("value=\"2026-02-30\"") && html.contains("aria-invalid=\"true\""), "{html}");
        assert!(html.contains("value=\"card\" selected"));
    }
}
