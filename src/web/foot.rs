//! The foot of a report: does its figure add up with the rows and the bills?

use askama::Template;
use askama::filters::HtmlSafe;

use super::asked::Asked;
use super::error::WebError;
use super::page::{Area, Page};
use crate::reports::{FootRow, foot};

/// A foot. Write `{{ foot|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/foot.html")]
pub struct Foot<'a> {
    page: &'a Page,
    rows: Vec<Shown>,
    figure_url: String,
    rows_url: String,
    books_url: String,
    exceptions_url: String,
}

impl HtmlSafe for Foot<'_> {}

#[derive(Clone, Debug)]
struct Shown {
    currency: String,
    figure: String,
    rows: String,
    bills: String,
    gap: String,
}

impl<'a> Foot<'a> {
    /// The foot of what was asked; nothing where the page is narrowed by more than days, stores and a currency, for bills
    /// and books are not cut that way.
    ///
    /// # Errors
    /// [`WebError::Internal`] at the ends of the calendar.
    pub fn of(asked: &'a Asked) -> Result<Self, WebError> {
        let page = &asked.page;
        let days = asked.query.stores.first().map(|store| asked.query.period.days(store, asked.query.now));
        let span = days.map(|(first, last)| format!("?from={first}&to={last}")).unwrap_or_default();
        let books_url = format!("{}{span}", page.area_url(Area::Reconciliation));
        let exceptions_url = format!("{}/exceptions{span}", page.area_url(Area::Reconciliation));
        let narrowed = asked.query.is_narrowed();
        let rows = match &asked.sums {
            Some(sums) if !narrowed => {
                let rows = foot(&asked.rollups, &asked.query, &asked.settings, sums)
                    .map_err(|error| WebError::Internal(error.into()))?;
                rows.iter().map(|row| shown(page, row)).collect()
            }
            _ => Vec::new(),
        };
        let rows_url = asked.url_at(Area::Transactions, &asked.filters);
        let figure_url = asked.url_at(Area::Overview, &asked.filters);
        Ok(Self { page, rows, figure_url, rows_url, books_url, exceptions_url })
    }
}

fn shown(page: &Page, row: &FootRow) -> Shown {
    let money = |minor: Option<i128>| page.money(minor, row.currency);
    Shown {
        currency: row.currency.code().to_owned(),
        figure: money(row.figure),
        rows: money(row.rows),
        bills: money(row.bills),
        gap: money(row.gap),
    }
}
