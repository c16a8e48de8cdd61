use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;

use super::books::{AskedDays, Books};
use super::shown::account_name;
use crate::analytics::reconciliation::{AccountSum, DayBooks, summarise};
use crate::domain::{Store, StoreId};
use crate::reports::reconciliation::corrections;
use crate::store::Closing;
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Most days of a closed period.
const PERIOD_DAYS_MAX: i64 = 92;

#[derive(Template)]
#[template(path = "pages/reconciliation/closings.html")]
struct ClosingsPage<'a> {
    page: &'a Page,
    is_owner: bool,
    /// Closing is of one store.
    one_store: bool,
    rows: Vec<(String, String, String, String)>,
    errors: FieldErrors,
    typed: CloseForm,
    back: String,
    action: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct CloseForm {
    first: String,
    last: String,
}

#[derive(Template)]
#[template(path = "pages/reconciliation/closing.html")]
struct ClosingPage<'a> {
    page: &'a Page,
    title: String,
    store: String,
    closed: String,
    sums: Vec<SumShown>,
    classes: Vec<(String, String, String, String)>,
    /// Account, and shop, bills and net before and after.
    corrections: Vec<(String, [(String, String); 3])>,
    back: String,
}

struct SumShown {
    name: String,
    shop: String,
    bill: String,
    difference: String,
    fees: String,
    net: String,
    exceptions: String,
}

/// `GET /s/{store}/reconciliation/closings`.
pub async fn list(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    asked: web::Query<AskedDays>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let books = Books::of(&request, (&viewer, &state), &store, &asked).await?;
    let (first, last) = books.days;
    let typed = CloseForm { first: first.to_string(), last: last.min(books.today).to_string() };
    let body = render_list(&books, &state, (typed, FieldErrors::default())).await?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

async fn render_list(
    books: &Books,
    state: &AppState,
    (typed, errors): (CloseForm, FieldErrors),
) -> Result<String, WebError> {
    let page = &books.page;
    let mut rows = Vec::new();
    for store in &books.stores {
        for closing in state.database.reconciliation_closings(store.id).await? {
            let url = format!("{}/closings/{}", page.area_url(Area::Reconciliation), closing.id);
            rows.push((
                url,
                page.days(closing.first, closing.last),
                store.name.clone(),
                signature(page, store, &closing),
            ));
        }
    }
    let back = page.area_url(Area::Reconciliation);
    let body = ClosingsPage {
        page,
        is_owner: books.is_owner,
        one_store: books.stores.len() == 1,
        rows,
        errors,
        typed,
        action: format!("{back}/closings"),
        back,
    };
    Ok(body.render()?)
}

/// Who closed it, and when.
fn signature(page: &Page, store: &Store, closing: &Closing) -> String {
    let when = page.when(closing.at, store.zone);
    page.t_with("recon-closed-by", &[("who", closing.person.as_str().into()), ("when", when.into())])
}

/// `POST /s/{store}/reconciliation/closings`: the figures of these days stand from now on.
pub async fn close(
    request: HttpRequest,
    form: SignedForm<CloseForm>,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let own = viewer.store(&store)?.clone();
    let asked = AskedDays { from: fields.first.clone(), to: fields.last.clone() };
    let books = Books::of(&request, (&viewer, &state), &store, &asked).await?;
    let mut errors = FieldErrors::default();
    let days = read_days(&fields, books.today, &mut errors);
    let open = state.database.reconciliation_closings(own.id).await?;
    if let Some((first, last)) = days {
        if open.iter().any(|closing| closing.first <= last && first <= closing.last) {
            errors.add("first", "recon-close-overlap");
        }
        if books.waiting > 0 {
            errors.add("last", "recon-close-waiting");
        }
    }
    let (Some((first, last)), true) = (days, errors.is_empty()) else {
        let body = render_list(&books, &state, (fields, errors)).await?;
        return Ok(respond::html(&request, StatusCode::UNPROCESSABLE_ENTITY, body));
    };
    let closing = Closing {
        id: 0,
        store: own.id,
        first,
        last,
        statement: sums_of(&books, own.id, (first, last)),
        person: viewer.person.name.clone(),
        at: books.now,
    };
    let id = state.database.insert_reconciliation_closing(&closing).await?;
    tracing::info!(person = viewer.person.id.0, closing = id, "a period was closed");
    let target = format!("/s/{store}/reconciliation/closings/{id}");
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

fn read_days(form: &CloseForm, today: NaiveDate, errors: &mut FieldErrors) -> Option<(NaiveDate, NaiveDate)> {
    let first: Option<NaiveDate> = form.first.trim().parse().ok();
    let last: Option<NaiveDate> = form.last.trim().parse().ok();
    if first.is_none() {
        errors.add("first", "rate-day-wrong");
    }
    if last.is_none() {
        errors.add("last", "rate-day-wrong");
    }
    let (first, last) = (first?, last?);
    if last < first || (last - first).num_days() >= PERIOD_DAYS_MAX {
        errors.add("last", "recon-close-days");
    } else if last >= today {
        errors.add("last", "recon-close-not-over");
    }
    Some((first, last))
}

fn sums_of(books: &Books, store: StoreId, (first, last): (NaiveDate, NaiveDate)) -> Vec<AccountSum> {
    let within: Vec<DayBooks> =
        books.kept.iter().filter(|day| first <= day.day && day.day <= last).cloned().collect();
    summarise(&within, &[store], books.now)
}

/// `GET /s/{store}/reconciliation/closings/{id}`: the statement to print, and what came after it.
pub async fn show(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let mut found = None;
    for store in viewer.stores_of(&slug)? {
        let own = state.database.reconciliation_closings(store.id).await?;
        found = found
            .or(own.into_iter().find(|closing| closing.id == id).map(|closing| (store.clone(), closing)));
    }
    let (store, closing) = found.ok_or(WebError::NotFound)?;
    let asked = AskedDays { from: closing.first.to_string(), to: closing.last.to_string() };
    let books = Books::of(&request, (&viewer, &state), &slug, &asked).await?;
    Ok(respond::html(&request, StatusCode::OK, render_one(&books, &store, &closing)?))
}

fn render_one(books: &Books, store: &Store, closing: &Closing) -> Result<String, WebError> {
    let page = &books.page;
    let name = |sum: &AccountSum| {
        format!(
            "{} · {}",
            account_name(page, &books.stores, (sum.store, sum.rail, sum.account)),
            sum.currency.code()
        )
    };
    let now = sums_of(books, store.id, (closing.first, closing.last));
    let changed = corrections(&closing.statement, &now);
    let body = ClosingPage {
        page,
        title: page.t_with("recon-statement", &[("days", page.days(closing.first, closing.last).into())]),
        store: store.name.clone(),
        closed: signature(page, store, closing),
        sums: closing.statement.iter().map(|sum| sum_shown(page, name(sum), sum)).collect(),
        classes: closing
            .statement
            .iter()
            .flat_map(|sum| sum.classes.iter().map(move |(class, one)| (sum, class, one)))
            .map(|(sum, class, one)| {
                let what = page.word("recon-class", class.as_str());
                (name(sum), what, page.count(one.count), page.money(one.stake, sum.currency))
            })
            .collect(),
        corrections: changed
            .iter()
            .filter_map(|(before, after)| {
                let of = before.as_ref().or(after.as_ref())?;
                let money = |sum: &Option<AccountSum>, figure: fn(&AccountSum) -> i128| {
                    page.money(sum.as_ref().map(figure), of.currency)
                };
                let both = |figure: fn(&AccountSum) -> i128| (money(before, figure), money(after, figure));
                Some((
                    name(of),
                    [both(|sum| sum.shop.minor), both(|sum| sum.bill.minor), both(|sum| sum.net)],
                ))
            })
            .collect(),
        back: format!("{}/closings", page.area_url(Area::Reconciliation)),
    };
    Ok(body.render()?)
}

fn sum_shown(page: &Page, name: String, sum: &AccountSum) -> SumShown {
    let currency = sum.currency;
    let known = sum.days_with_bill > 0;
    SumShown {
        name,
        shop: page.money(sum.shop.minor, currency),
        bill: page.money(sum.billed(), currency),
        difference: page.money(sum.difference(), currency),
        fees: page.money(known.then_some(sum.fees), currency),
        net: page.money(known.then_some(sum.net), currency),
        exceptions: page.count(sum.exceptions().0),
    }
}
