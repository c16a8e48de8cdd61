use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::books::{AskedDays, Books};
use super::day::classes;
use super::shown::{FindingRow, finding_row};
use crate::analytics::reconciliation::{Class, Entry, Finding};
use crate::domain::{Currency, Word, decimal_to_minor};
use crate::reports::reconciliation::{FindingFilter, findings};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::{Area, Page, encode};
use crate::web::respond;
use crate::web::sheet::{Cell, Column, Sheet};
use crate::web::state::AppState;

/// Rows of one page.
const ROWS_MAX: usize = 500;
/// Longest provider name in an address.
const WORD_CHARS_MAX: usize = 32;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AskedFindings {
    from: String,
    to: String,
    class: String,
    rail: String,
    cur: String,
    /// At least so many days old.
    age: String,
    /// At least so much money, in major units.
    least: String,
}

impl AskedFindings {
    fn days(&self) -> AskedDays {
        AskedDays { from: self.from.clone(), to: self.to.clone() }
    }

    /// The filter, and the names of fields that cannot be read.
    fn filter(&self, usual: Currency) -> (FindingFilter, Vec<&'static str>) {
        let mut wrong = Vec::new();
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let class = given(&self.class).and_then(|text| {
            Class::parse(&text).or_else(|| {
                wrong.push("recon-class");
                None
            })
        });
        let currency = given(&self.cur).and_then(|text| {
            Currency::parse(&text).ok().or_else(|| {
                wrong.push("filter-currency");
                None
            })
        });
        let rail = given(&self.rail).filter(|text| text.len() <= WORD_CHARS_MAX).map(|text| Word::of(&text));
        let age = given(&self.age).map_or(Some(0), |text| text.parse::<u16>().ok().map(i64::from));
        let least = given(&self.least).map_or(Some(0), |text| {
            let major: Decimal = text.parse().ok()?;
            decimal_to_minor(major, currency.unwrap_or(usual)).ok()
        });
        if age.is_none() {
            wrong.push("recon-age");
        }
        if least.is_none() {
            wrong.push("recon-stake");
        }
        let filter = FindingFilter {
            class,
            rail,
            currency,
            age_days: age.unwrap_or(0),
            least: i128::from(least.unwrap_or(0)),
            day: None,
        };
        (filter, wrong)
    }

    fn query(&self) -> String {
        let pairs = [
            ("class", &self.class),
            ("rail", &self.rail),
            ("cur", &self.cur),
            ("age", &self.age),
            ("least", &self.least),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given.map(|(name, value)| format!("&{name}={}", encode(value))).collect();
        pairs.concat()
    }
}

#[derive(Template)]
#[template(path = "pages/reconciliation/exceptions.html")]
struct ExceptionsPage<'a> {
    page: &'a Page,
    books: &'a Books,
    asked: &'a AskedFindings,
    wrong: Vec<String>,
    classes: Vec<(&'static str, String, &'static str)>,
    findings: Vec<FindingRow>,
    count: String,
    more: usize,
    csv: String,
    back: String,
}

/// `GET /s/{store}/reconciliation/exceptions`.
pub async fn show(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    asked: web::Query<AskedFindings>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let books = Books::of(&request, (&viewer, &state), &store, &asked.days()).await?;
    let asked = asked.into_inner();
    let body = web::block(move || render(&books, &asked))
        .await
        .map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::html(&request, StatusCode::OK, body))
}

fn usual(books: &Books) -> Currency {
    books.stores.first().map_or(Currency::CNY, |store| store.currency)
}

fn render(books: &Books, asked: &AskedFindings) -> Result<String, WebError> {
    let page = &books.page;
    let (filter, wrong) = asked.filter(usual(books));
    let report = books.asked();
    let found = findings(&report, &filter);
    let body = ExceptionsPage {
        page,
        books,
        asked,
        wrong: wrong.into_iter().map(|key| page.t(key)).collect(),
        classes: classes(page),
        count: page.t_with("recon-found", &[("n", found.len().into())]),
        more: found.len().saturating_sub(ROWS_MAX),
        findings: found.iter().take(ROWS_MAX).map(|(day, one)| finding_row(books, (*day, one))).collect(),
        csv: format!("{}{}", books.url("/exceptions.csv"), asked.query()),
        back: page.area_url(Area::Reconciliation),
    };
    Ok(body.render()?)
}

const COLUMNS: [Column; 18] = [
    Column::Plain("recon_day"),
    Column::Plain("recon_class"),
    Column::Plain("store"),
    Column::Plain("provider"),
    Column::Plain("recon_account"),
    Column::Plain("currency"),
    Column::Money("recon_shop"),
    Column::Money("recon_bill"),
    Column::Money("recon_difference"),
    Column::Money("recon_fee_difference"),
    Column::Money("recon_stake"),
    Column::Plain("recon_age_days"),
    Column::Plain("recon_order_id"),
    Column::Plain("recon_shop_id"),
    Column::Plain("recon_bill_id"),
    Column::Plain("recon_provider_id"),
    Column::Plain("recon_count"),
    Column::Plain("recon_finding"),
];

/// `GET /s/{store}/reconciliation/exceptions.csv`: the same findings, all of them.
pub async fn export(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    asked: web::Query<AskedFindings>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let books = Books::of(&request, (&viewer, &state), &store, &asked.days()).await?;
    let (filter, _) = asked.filter(usual(&books));
    let name = format!("{store}-reconciliation-{}_{}.csv", books.days.0, books.days.1);
    let body = {
        let report = books.asked();
        sheet(&books, &findings(&report, &filter)).map_err(|error| WebError::Internal(error.into()))?
    };
    let tag = respond::tag(&books.page, &[&blake3::hash(&body).to_hex()]);
    Ok(respond::tagged_csv(&request, &tag, &name, body))
}

fn sheet(books: &Books, found: &[(chrono::NaiveDate, &Finding)]) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&books.page, true, &COLUMNS)?;
    for (day, one) in found {
        let slug = books.stores.iter().find(|store| store.id == one.store).map_or("", |store| &store.slug);
        let (shop, bill) = (one.shop.as_ref(), one.bill.as_ref());
        let of = |entry: Option<&Entry>, field: fn(&Entry) -> &String| {
            Cell::text(entry.map(|entry| field(entry).clone()).unwrap_or_default())
        };
        let money = |entry: Option<&Entry>| Cell::money(entry.map(Entry::signed), one.currency);
        let either = |field: fn(&Entry) -> &String| {
            let text = [shop, bill].into_iter().flatten().map(field).find(|text| !text.is_empty());
            Cell::text(text.cloned().unwrap_or_default())
        };
        sheet.row(vec![
            Cell::value(day),
            Cell::value(one.class_at(books.now).as_str()),
            Cell::text(slug),
            Cell::text(one.rail.as_str()),
            Cell::text(one.account.as_str()),
            Cell::value(one.currency.code()),
            money(shop),
            money(bill),
            Cell::money(one.difference(), one.currency),
            Cell::money(one.fee_minor, one.currency),
            Cell::money(one.stake(), one.currency),
            Cell::value((books.today - *day).num_days()),
            either(|entry| &entry.order_id),
            of(shop, |entry| &entry.id),
            of(bill, |entry| &entry.id),
            either(|entry| &entry.provider_id),
            Cell::value(one.count),
            Cell::value(one.id),
        ])?;
    }
    sheet.finish()
}
