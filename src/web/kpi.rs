//! Key figures: label, value, change, and how the value is computed.

use askama::Template;
use askama::filters::HtmlSafe;

use super::numbers::{Figure, NONE};
use super::page::Page;
use crate::domain::Proportion;
use crate::reports::{Compared, Span};

/// One key figure.
#[derive(Clone, Debug)]
pub struct Kpi {
    label: String,
    value: String,
    /// Change, share, interval: a line each.
    notes: Vec<String>,
    /// Definition in words.
    how: String,
    /// What lies behind the figure.
    url: Option<String>,
}

impl Kpi {
    /// A figure called by the text of `kpi-{name}` and explained by that of `how-{name}`.
    pub fn new(page: &Page, name: &str, value: String) -> Self {
        Self {
            label: page.word("kpi", name),
            value,
            notes: Vec::new(),
            how: page.word("how", name),
            url: None,
        }
    }

    /// Adds a line below the value; an empty one is left out.
    #[must_use]
    pub fn note(mut self, text: String) -> Self {
        if !text.is_empty() {
            self.notes.push(text);
        }
        self
    }

    /// Adds the link to what lies behind the figure.
    #[must_use]
    pub fn linked(mut self, url: String) -> Self {
        self.url = Some(url);
        self
    }
}

/// A row of key figures. Write `{{ kpis|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<dl class="kpis">{% for kpi in kpis %}<div class="kpi"><dt>{{ kpi.label }}</dt><dd><span class="value">{% if let Some(url) = kpi.url %}<a href="{{ url }}">{{ kpi.value }}</a>{% else %}{{ kpi.value }}{% endif %}</span>{% for note in kpi.notes %}<br><span class="note">{{ note }}</span>{% endfor %}<details><summary>{{ how }}</summary>{{ kpi.how }}</details></dd></div>{% endfor %}</dl>"#
)]
pub struct Kpis {
    kpis: Vec<Kpi>,
    how: String,
}

impl HtmlSafe for Kpis {}

impl Kpis {
    /// These figures in a row.
    pub fn new(page: &Page, kpis: Vec<Kpi>) -> Self {
        Self { kpis, how: page.t("kpi-how") }
    }
}

/// Says changes: what is compared, and with which days.
#[derive(Clone, Debug)]
pub struct Versus {
    /// The earlier days; `None` when nothing is compared.
    days: Option<String>,
}

impl Versus {
    /// The comparison of a report.
    pub fn of(page: &Page, spans: &[Span]) -> Self {
        let before = spans.first().and_then(|span| span.before.as_ref());
        Self { days: before.map(|before| page.days(before.first, before.last)) }
    }

    /// `+9.8% vs 1–30 Sep 2026`; empty when nothing is compared.
    pub fn amount(&self, page: &Page, compared: &Compared<Option<i128>>) -> String {
        self.say(page, compared.pair.as_ref().map(|pair| page.delta(pair.now, pair.before)))
    }

    /// As [`Versus::amount`], of a whole number.
    pub fn count<T: Figure + Copy>(&self, page: &Page, compared: &Compared<T>) -> String {
        self.say(page, compared.pair.as_ref().map(|pair| page.delta(pair.now, pair.before)))
    }

    /// `−0.7 pp vs 1–30 Sep 2026`.
    pub fn share(&self, page: &Page, compared: &Compared<Proportion>) -> String {
        let pair = compared.pair.as_ref();
        self.say(page, pair.map(|pair| page.delta_points(pair.now.share(), pair.before.share())))
    }

    fn say(&self, page: &Page, change: Option<String>) -> String {
        let Some(days) = &self.days else { return String::new() };
        match change {
            Some(change) if change != NONE => {
                page.t_with("change-versus", &[("change", change.into()), ("days", days.into())])
            }
            _ => page.t("change-unknown"),
        }
    }
}

/// A change for a table cell: `+9.8%`, "–" when nothing is known before.
pub fn change<T: Figure + Copy>(page: &Page, compared: &Compared<T>) -> String {
    compared.pair.as_ref().map_or_else(|| NONE.to_owned(), |pair| page.delta(pair.now, pair.before))
}
