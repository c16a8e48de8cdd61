//! The head of a report: what, of which days, how fresh, in which zone and currency, and the filters.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;

use super::asked::Asked;
use super::filters::{FilterBar, Options};
use super::page::Page;
use crate::domain::{Instant, StoreId, Word};
use crate::reports::Span;

/// The head of a report. Write `{{ head|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/head.html")]
pub struct Head<'a> {
    page: &'a Page,
    title: String,
    days: String,
    partial: bool,
    /// "Data through …", by provider.
    fresh: String,
    /// Zone, cut-off, currency, data version.
    place: String,
    csv: Option<String>,
    bar: FilterBar<'a>,
    notes: Vec<String>,
}

impl HtmlSafe for Head<'_> {}

impl<'a> Head<'a> {
    /// The head of what was asked.
    pub fn new(asked: &'a Asked, title: String, options: &Options, spans: &[Span]) -> Self {
        let page = &asked.page;
        let span = spans.first();
        let days = span.map(|span| (span.first, span.last));
        Self {
            page,
            title,
            days: days.map(|(first, last)| page.days(first, last)).unwrap_or_default(),
            partial: span.is_some_and(|span| span.partial),
            fresh: freshness(asked),
            place: place(asked),
            csv: Some(asked.csv_url()),
            bar: FilterBar::new(page, &asked.filters, options, days, span.is_some_and(|span| span.partial)),
            notes: Vec::new(),
        }
    }

    /// The head of an address that cannot be read.
    pub fn broken(page: &'a Page, title: String, bar: FilterBar<'a>) -> Self {
        let empty = String::new;
        Self {
            page,
            title,
            days: empty(),
            partial: false,
            fresh: empty(),
            place: empty(),
            csv: None,
            bar,
            notes: Vec::new(),
        }
    }

    /// Adds a note below the filters; an empty one is left out.
    #[must_use]
    pub fn note(mut self, text: String) -> Self {
        if !text.is_empty() {
            self.notes.push(text);
        }
        self
    }
}

/// "Data through 31 Oct 23:58 · WeChat Pay 23:58 · Alipay 23:51".
fn freshness(asked: &Asked) -> String {
    let page = &asked.page;
    let stores: Vec<StoreId> = asked.query.stores.iter().map(|store| store.id).collect();
    let Some(zone) = asked.query.stores.first().map(|store| store.zone) else { return String::new() };
    let mut by_provider: BTreeMap<Word, Instant> = BTreeMap::new();
    for ((store, _, provider), freshness) in &asked.snapshot.freshness {
        if stores.contains(store) {
            let last = by_provider.entry(*provider).or_insert(freshness.last_event);
            *last = (*last).max(freshness.last_event);
        }
    }
    let Some(youngest) = by_provider.values().max() else { return page.t("head-no-data-yet") };
    let mut parts = vec![page.t_with("head-through", &[("when", page.when(*youngest, zone).into())])];
    let today = youngest.with_timezone(&zone).date_naive();
    for (provider, at) in by_provider.iter().filter(|(provider, _)| !provider.is_none()) {
        let day = at.with_timezone(&zone).date_naive();
        let time = if day == today { page.time(*at, zone) } else { page.short_day(day) };
        parts.push(format!("{} {time}", page.word("provider", provider)));
    }
    parts.join(" · ")
}

/// "Asia/Shanghai, days from 04:00 · CNY · data version 812".
fn place(asked: &Asked) -> String {
    let page = &asked.page;
    let Some(store) = asked.query.stores.first() else { return String::new() };
    let mut zones: Vec<&str> = asked.query.stores.iter().map(|store| store.zone.name()).collect();
    zones.dedup();
    let mut parts = vec![zones.join(&page.t("list-comma"))];
    if store.cut_off != chrono::NaiveTime::MIN {
        parts
            .push(page.t_with("head-cut-off", &[("time", store.cut_off.format("%H:%M").to_string().into())]));
    }
    parts.push(match asked.query.currency {
        None if page.several_currencies => page.t("currency-all"),
        only => only.unwrap_or(store.currency).code().to_owned(),
    });
    parts.push(page.t_with("head-version", &[("version", asked.snapshot.version.to_string().into())]));
    parts.join(" · ")
}
