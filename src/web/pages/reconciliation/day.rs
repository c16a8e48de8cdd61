use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;

use super::books::{AskedDays, Books};
use super::shown::{FindingRow, account_name, day_url, finding_row, signed, tone};
use crate::analytics::reconciliation::{AccountSum, Class, summarise};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::Page;
use crate::web::respond;
use crate::web::state::AppState;

/// Findings of a day that are listed; the list of exceptions has them all.
const LISTED_MAX: usize = 300;

#[derive(Template)]
#[template(path = "pages/reconciliation/day.html")]
struct DayPage<'a> {
    page: &'a Page,
    title: String,
    previous: String,
    next: String,
    back: String,
    accounts: Vec<Equation>,
    findings: Vec<FindingRow>,
    more: usize,
}

/// Why the shop's total is another than the bill's.
struct Equation {
    name: String,
    /// Name, count, amount, class of the row.
    lines: Vec<(String, String, String, &'static str)>,
    facts: Vec<(String, String)>,
}

/// `GET /s/{store}/reconciliation/days/{day}`.
pub async fn show(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (store, day) = path.into_inner();
    let day: NaiveDate = day.parse().map_err(|_| WebError::NotFound)?;
    let asked = AskedDays { from: day.to_string(), to: day.to_string() };
    let books = Books::of(&request, (&viewer, &state), &store, &asked).await?;
    let body =
        web::block(move || render(&books, day)).await.map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::html(&request, StatusCode::OK, body))
}

fn render(books: &Books, day: NaiveDate) -> Result<String, WebError> {
    let page = &books.page;
    let own: Vec<_> = books.kept.iter().filter(|one| one.day == day).cloned().collect();
    let accounts: Vec<Equation> =
        summarise(&own, &books.ids, books.now).iter().map(|sum| equation(books, sum)).collect();
    let mut found: Vec<_> = own
        .iter()
        .flat_map(|one| &one.findings)
        .filter(|finding| books.ids.contains(&finding.store))
        .collect();
    found
        .sort_by_key(|finding| (finding.class_at(books.now), std::cmp::Reverse(finding.stake()), finding.id));
    let more = found.len().saturating_sub(LISTED_MAX);
    let neighbour = |day: Option<NaiveDate>| day.map(|day| day_url(page, day)).unwrap_or_default();
    let body = DayPage {
        page,
        title: page.t_with("recon-day-title", &[("day", page.day(day).into())]),
        previous: neighbour(day.pred_opt()),
        next: neighbour(day.succ_opt()),
        back: page.area_url(crate::web::page::Area::Reconciliation),
        accounts,
        findings: found.into_iter().take(LISTED_MAX).map(|one| finding_row(books, (day, one))).collect(),
        more,
    };
    Ok(body.render()?)
}

fn equation(books: &Books, sum: &AccountSum) -> Equation {
    let page = &books.page;
    let currency = sum.currency;
    let money = |minor: i128| page.money(minor, currency);
    let mut lines = vec![(page.t("recon-eq-shop"), page.count(sum.shop.count), money(sum.shop.minor), "")];
    for (class, one) in &sum.classes {
        let part = one.shop - one.bill;
        if part != 0 {
            let name = page.word("recon-class", class.as_str());
            lines.push((name, page.count(one.count), signed(page, -part, currency), "part"));
        }
    }
    lines.push((
        page.t("recon-eq-bill"),
        page.count(sum.bill.count),
        page.money(sum.billed(), currency),
        "total",
    ));
    let mut facts = vec![(page.t("recon-matched-records"), page.count(sum.matched.count))];
    if sum.days_with_bill > 0 {
        facts.push((page.t("recon-eq-fees"), money(sum.fees)));
        if sum.movements != 0 {
            facts.push((page.t("recon-eq-movements"), signed(page, sum.movements, currency)));
        }
        facts.push((page.t("recon-eq-net"), money(sum.net)));
    }
    let check = sum.fee_check;
    if check.lines > 0 {
        let off: i128 = sum.classes.values().map(|one| one.fee).sum();
        facts.push((page.t("recon-fee-checked"), page.count(check.lines)));
        facts.push((page.t("recon-fee-charged"), money(check.charged)));
        facts.push((page.t("recon-fee-expected"), money(check.expected)));
        facts.push((page.t("recon-fee-rounding"), signed(page, check.rounding, currency)));
        facts.push((page.t("recon-fee-off"), signed(page, off, currency)));
    }
    Equation {
        name: format!(
            "{} · {}",
            account_name(page, &books.stores, (sum.store, sum.rail, sum.account)),
            currency.code()
        ),
        lines,
        facts,
    }
}

/// Every class with its name, for a list to choose from.
pub fn classes(page: &Page) -> Vec<(&'static str, String, &'static str)> {
    let shown = |class: &Class| (class.as_str(), page.word("recon-class", class.as_str()), tone(*class));
    Class::ALL.iter().map(shown).collect()
}
