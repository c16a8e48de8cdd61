use std::collections::BTreeMap;

use actix_web::web;
use chrono::NaiveDate;

use crate::domain::{Currency, Instant, Store, Word};
use crate::reports::{Breakdown, Compare, Filter, Period, Query, Selection};
use crate::web::page::encode;

/// Most parameters of an address; more are an error.
pub const PARAMETERS_MAX: usize = 64;

/// Most values of one parameter.
pub const VALUES_MAX: usize = 32;

/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 256;

/// Periods with a name in addresses.
pub(super) const PERIODS: [(&str, Period); 9] = [
    ("today", Period::Today),
    ("yesterday", Period::Yesterday),
    ("wtd", Period::ThisWeek),
    ("last-week", Period::LastWeek),
    ("mtd", Period::ThisMonth),
    ("last-month", Period::LastMonth),
    ("7d", Period::LastDays(7)),
    ("30d", Period::LastDays(30)),
    ("90d", Period::LastDays(90)),
];

pub(super) const COMPARISONS: [(&str, Compare); 3] =
    [("prev", Compare::Previous), ("yoy-weekday", Compare::YearBefore), ("none", Compare::None)];

pub(super) const BREAKDOWNS: [(&str, Breakdown); 7] = [
    ("store", Breakdown::Store),
    ("provider", Breakdown::Provider),
    ("method", Breakdown::Method),
    ("scene", Breakdown::Scene),
    ("promotion", Breakdown::Promotion),
    ("operator", Breakdown::Operator),
    ("category", Breakdown::Category),
];

/// Parameters of a selection, in the order of the form.
pub(super) const SELECTIONS: [&str; 6] = ["provider", "method", "scene", "promotion", "operator", "category"];

/// What an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters {
    pub period: Period,
    pub compare: Compare,
    pub filter: Filter,
    pub by: Option<Breakdown>,
    /// `None`: every currency, a section of each.
    pub currency: Option<Currency>,
    /// Parameters that only this page knows (a search, a cursor), as written.
    pub own: BTreeMap<String, String>,
    /// Names of parameters that nobody knows.
    pub ignored: Vec<String>,
}

/// A value that cannot be read. The page is shown again with the form as it was filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is no {field}")]
pub struct FilterError {
    /// Name of the parameter.
    pub field: String,
    pub value: String,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            period: Period::Today,
            compare: Compare::Previous,
            filter: Filter::default(),
            by: None,
            currency: None,
            own: BTreeMap::new(),
            ignored: Vec::new(),
        }
    }
}

/// The pairs of a query string, as they were written.
///
/// # Errors
/// [`FilterError`] when it is no query string or has too many parameters.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, FilterError> {
    let unreadable = || FilterError { field: "query".into(), value: query.chars().take(80).collect() };
    let pairs =
        web::Query::<Vec<(String, String)>>::from_query(query).map_err(|_| unreadable())?.into_inner();
    if pairs.len() > PARAMETERS_MAX || pairs.iter().any(|(_, value)| value.len() > VALUE_BYTES_MAX) {
        return Err(unreadable());
    }
    Ok(pairs)
}

impl Filters {
    /// Reads a query string; `own` are the names that only this page knows.
    ///
    /// # Errors
    /// [`FilterError`] naming the first value that cannot be read.
    pub fn read(query: &str, own: &[&str]) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        let mut dates: (Option<NaiveDate>, Option<NaiveDate>) = (None, None);
        let mut custom = false;
        let mut selections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs(query)? {
            let bad = || FilterError { field: name.clone(), value: value.clone() };
            let name = name.as_str();
            if value.is_empty() {
                // An empty field of a form says nothing.
                continue;
            }
            match name {
                "period" if value == "custom" => custom = true,
                "period" => filters.period = named(&PERIODS, &value).ok_or_else(bad)?,
                "from" => dates.0 = Some(value.parse().map_err(|_| bad())?),
                "to" => dates.1 = Some(value.parse().map_err(|_| bad())?),
                "cmp" => filters.compare = named(&COMPARISONS, &value).ok_or_else(bad)?,
                "by" => filters.by = Some(breakdown(&value).ok_or_else(bad)?),
                "cur" if value == "all" => filters.currency = None,
                "cur" => filters.currency = Some(Currency::parse(&value).map_err(|_| bad())?),
                // The field of the form; links name the key in the parameter.
                "attr" => filters.filter.attribute = Some(attribute(&value).ok_or_else(bad)?),
                _ if own.contains(&name) => {
                    filters.own.insert(name.to_owned(), value);
                }
                _ => {
                    if let Some(known) = SELECTIONS.into_iter().find(|known| *known == name) {
                        let values = selections.entry(known).or_default();
                        values.extend(value.split(',').filter(|part| !part.is_empty()).map(str::to_owned));
                    } else if let Some(key) = name.strip_prefix("attr.").filter(|key| !key.is_empty()) {
                        filters.filter.attribute = Some((key.to_owned(), value));
                    } else {
                        filters.ignored.push(name.chars().take(40).collect());
                    }
                }
            }
        }
        if custom {
            filters.period = custom_period(dates)?;
        }
        for (name, values) in selections {
            *filters.selection_mut(name) = selection(name, &values)?;
        }
        Ok(filters)
    }

    /// The question to a report.
    pub fn query(&self, stores: Vec<Store>, now: Instant) -> Query {
        Query {
            stores,
            period: self.period,
            compare: self.compare,
            now,
            filter: self.filter.clone(),
            by: self.by.clone(),
            currency: self.currency,
        }
    }

    /// The selection of a parameter of [`SELECTIONS`].
    pub(super) fn selection(&self, name: &str) -> &Selection {
        match name {
            "provider" => &self.filter.provider,
            "method" => &self.filter.method,
            "scene" => &self.filter.scene,
            "promotion" => &self.filter.promotion,
            "operator" => &self.filter.operator,
            _ => &self.filter.category,
        }
    }

    fn selection_mut(&mut self, name: &str) -> &mut Selection {
        match name {
            "provider" => &mut self.filter.provider,
            "method" => &mut self.filter.method,
            "scene" => &mut self.filter.scene,
            "promotion" => &mut self.filter.promotion,
            "operator" => &mut self.filter.operator,
            _ => &mut self.filter.category,
        }
    }

    /// These filters with only this value of a parameter.
    #[must_use]
    pub fn only(&self, name: &str, value: &str) -> Self {
        let mut filters = self.clone();
        filters.own.remove("after");
        *filters.selection_mut(name) = Selection::Only(vec![Word::of(value)]);
        filters
    }

    /// These filters without a parameter.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut filters = self.clone();
        filters.own.remove("after");
        if name.starts_with("attr.") {
            filters.filter.attribute = None;
        } else if SELECTIONS.contains(&name) {
            *filters.selection_mut(name) = Selection::Any;
        } else {
            filters.own.remove(name);
        }
        filters
    }

    /// These filters for other days.
    #[must_use]
    pub fn in_period(&self, period: Period) -> Self {
        let mut filters = self.clone();
        filters.own.remove("after");
        filters.period = period;
        filters
    }

    /// These filters with a parameter of the page's own.
    #[must_use]
    pub fn with_own(&self, name: &str, value: &str) -> Self {
        let mut filters = self.clone();
        filters.own.insert(name.to_owned(), value.to_owned());
        filters
    }

    /// Only the period and the currency of these filters: what a link to another page keeps.
    #[must_use]
    pub fn days_only(&self) -> Self {
        Self { period: self.period, currency: self.currency, ..Self::default() }
    }

    /// These filters as fields of a form.
    pub fn fields(&self) -> Vec<(String, String)> {
        // What we wrote ourselves is readable.
        pairs(self.url().trim_start_matches('?')).unwrap_or_default()
    }

    /// The query string with its question mark; empty when everything is as by default.
    pub fn url(&self) -> String {
        let mut parts: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: String| parts.push((name.to_owned(), value));
        match self.period {
            Period::Today => {}
            Period::Custom { first, last } => {
                put("period", "custom".into());
                put("from", first.to_string());
                put("to", last.to_string());
            }
            period => put("period", period_word(period)),
        }
        if self.compare != Compare::Previous {
            put("cmp", word_of(&COMPARISONS, &self.compare).into());
        }
        if let Some(by) = &self.by {
            put("by", breakdown_word(by));
        }
        if let Some(currency) = self.currency {
            put("cur", currency.code().into());
        }
        for name in SELECTIONS {
            let (mark, words) = match self.selection(name) {
                Selection::Any => continue,
                Selection::Only(words) => ("", words),
                Selection::Except(words) => ("!", words),
            };
            let values: Vec<String> = words.iter().map(|word| format!("{mark}{}", written(*word))).collect();
            put(name, values.join(","));
        }
        if let Some((key, value)) = &self.filter.attribute {
            put(&format!("attr.{key}"), value.clone());
        }
        for (name, value) in &self.own {
            put(name, value.clone());
        }
        let text = parts
            .iter()
            .map(|(name, value)| {
                format!("{}={}", encode(name), encode(value).replace("%2C", ",").replace("%21", "!"))
            })
            .collect::<Vec<_>>()
            .join("&");
        if text.is_empty() { text } else { format!("?{text}") }
    }
}

/// In addresses, "not given" is a dash.
const NOT_GIVEN: &str = "-";

fn written(word: Word) -> &'static str {
    if word.is_none() { NOT_GIVEN } else { word.as_str() }
}

fn named<T: Clone>(names: &[(&str, T)], value: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == value).map(|(_, known)| known.clone())
}

fn word_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, known)| known == value).map_or("", |(name, _)| *name)
}

/// The word of a period: `7d`, `mtd` …, `custom` for dates.
pub(super) fn period_word(period: Period) -> String {
    match period {
        Period::Custom { .. } => "custom".to_owned(),
        Period::LastDays(days) => format!("{days}d"),
        named => word_of(&PERIODS, &named).to_owned(),
    }
}

pub(super) fn breakdown_word(by: &Breakdown) -> String {
    match by {
        Breakdown::Attribute(key) => format!("attr.{key}"),
        named => word_of(&BREAKDOWNS, named).to_owned(),
    }
}

pub(super) fn compare_word(compare: Compare) -> &'static str {
    word_of(&COMPARISONS, &compare)
}

fn breakdown(value: &str) -> Option<Breakdown> {
    match value.strip_prefix("attr.").filter(|key| !key.is_empty()) {
        Some(key) => Some(Breakdown::Attribute(key.to_owned())),
        None => named(&BREAKDOWNS, value),
    }
}

/// `country=France`, as a person writes it into the field.
fn attribute(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once(['=', '＝'])?;
    let (key, value) = (key.trim(), value.trim());
    (!key.is_empty() && !value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}

fn custom_period(dates: (Option<NaiveDate>, Option<NaiveDate>)) -> Result<Period, FilterError> {
    let missing = |field: &str| FilterError { field: field.into(), value: String::new() };
    // One date alone is that one day.
    match dates {
        (None, None) => Err(missing("from")),
        (Some(day), None) | (None, Some(day)) => Ok(Period::Custom { first: day, last: day }),
        (Some(first), Some(last)) if last < first => {
            Err(FilterError { field: "to".into(), value: last.to_string() })
        }
        (Some(first), Some(last)) => Ok(Period::Custom { first, last }),
    }
}

/// Values as a selection: all of them chosen, or all of them excluded by a leading `!`.
fn selection(name: &str, values: &[String]) -> Result<Selection, FilterError> {
    let bad = || FilterError { field: name.to_owned(), value: values.join(",") };
    if values.len() > VALUES_MAX {
        return Err(bad());
    }
    let excluded = values.iter().filter(|value| value.starts_with('!')).count();
    let words = values
        .iter()
        .map(|value| value.strip_prefix('!').unwrap_or(value))
        .map(|value| if value == NOT_GIVEN { Word::NONE } else { Word::of(value) })
        .collect();
    match excluded {
        0 if values.is_empty() => Ok(Selection::Any),
        0 => Ok(Selection::Only(words)),
        all if all == values.len() => Ok(Selection::Except(words)),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_read_back() {
        for query in [
            "",
            "?period=7d",
            "?period=custom&from=2026-10-01&to=2026-10-31&cmp=none",
            "?period=mtd&by=attr.country&cur=CNY&provider=alipay,wechat_pay&method=!cash&attr.table=7",
            "?scene=-",
            "?cmp=yoy-weekday&by=store&category=%E8%8C%B6",
        ] {
            let filters = Filters::read(query.trim_start_matches('?'), &[]).unwrap();
            assert_eq!(filters.url(), query);
            assert!(filters.ignored.is_empty());
        }
    }

    #[test]
    fn defaults_are_left_out_and_repeats_are_joined() {
        let filters =
            Filters::read("period=today&cmp=prev&cur=all&provider=a&provider=b&method=&x=1", &[]).unwrap();
        assert_eq!(filters.url(), "?provider=a,b");
        assert_eq!(filters.ignored, ["x"]);
        let own = Filters::read("q=4200&after=abc&period=7d", &["q", "after"]).unwrap();
        assert_eq!(own.own["q"], "4200");
        assert_eq!(own.only("method", "card").url(), "?period=7d&method=card&q=4200", "the cursor is gone");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (query, field) in [
            ("period=1d", "period"),
            ("period=custom", "from"),
            ("period=custom&from=2026-02-30", "from"),
            ("period=custom&from=2026-02-02&to=2026-02-01", "to"),
            ("cmp=yes", "cmp"),
            ("by=attr.", "by"),
            ("attr=country", "attr"),
            ("attr==France", "attr"),
            ("cur=RMB", "cur"),
            ("method=cash,!card", "method"),
        ] {
            assert_eq!(
                Filters::read(query, &[]).map_err(|error| error.field),
                Err(field.to_owned()),
                "{query}"
            );
        }
        for query in ["attr=country=France", "attr.country=France"] {
            let read = Filters::read(query, &[]).unwrap();
            assert_eq!(read.filter.attribute, Some(("country".into(), "France".into())), "{query}");
            assert_eq!(read.url(), "?attr.country=France");
        }
        let many = (0..=PARAMETERS_MAX).map(|index| format!("x{index}=1")).collect::<Vec<_>>().join("&");
        assert!(Filters::read(&many, &[]).is_err());
    }

    #[test]
    fn one_date_is_one_day_and_dates_without_custom_say_nothing() {
        let one = Filters::read("period=custom&from=2026-10-01", &[]).unwrap().period;
        assert_eq!(one, Period::Custom { first: day("2026-10-01"), last: day("2026-10-01") });
        assert_eq!(Filters::read("from=2026-10-01", &[]).unwrap().period, Period::Today);
    }
}
