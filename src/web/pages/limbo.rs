use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::TimeDelta;

use super::transactions::{RowShown, TransactionsReport, row_shown};
use crate::analytics::open_payments;
use crate::domain::{Currency, Word};
use crate::reports::{Compare, LIMBO_DAYS, LIMBO_ROWS_MAX, Limbo, LimboMethod, Period, limbo, limbo_days};
use crate::web::asked::{Asked, ask};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::filters::Filters;
use crate::web::page::Page;
use crate::web::respond;
use crate::web::sheet::{Cell, Column, Sheet};
use crate::web::state::AppState;

#[derive(Template)]
#[template(path = "pages/limbo.html")]
struct LimboPage<'a> {
    page: &'a Page,
    title: String,
    /// At stake, a sentence a currency.
    stakes: Vec<String>,
    methods: Vec<MethodShown>,
    rows: Vec<LimboShown>,
    /// What bounds the list, in sentences.
    bounds: Vec<String>,
    csv: String,
    no_data_ever: bool,
}

struct MethodShown {
    name: String,
    /// How many, and how long they usually take.
    payments: String,
    at_stake: Vec<String>,
    learned: String,
}

struct LimboShown {
    row: RowShown,
    age: String,
    /// What the provider is asked by.
    ask_by: String,
    provider: String,
}

/// `GET /s/{store}/unresolved`: payments without a final status for longer than usual.
async fn show(
    request: HttpRequest,
    slug: web::Path<String>,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let asked = asked(&request, &slug, &viewer, &state).await?;
    let body = web::block(move || html(&asked, &work_out(&asked)?));
    let body = body.await.map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::html(&request, actix_web::http::StatusCode::OK, body))
}

/// `GET /s/{store}/unresolved.csv`.
async fn export(
    request: HttpRequest,
    slug: web::Path<String>,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let asked = asked(&request, &slug, &viewer, &state).await?;
    let version = asked.snapshot.version.to_string();
    let minute = (asked.query.now.timestamp() / 60).to_string();
    let tag = respond::tag(&asked.page, &["unresolved", &version, &minute]);
    let name = format!("{}-unresolved.csv", asked.page.store);
    let body = web::block(move || csv(&asked, &work_out(&asked)?));
    let body = body.await.map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::tagged_csv(&request, &tag, &name, body))
}

async fn asked(
    request: &HttpRequest,
    slug: &str,
    viewer: &Viewer,
    state: &AppState,
) -> Result<Asked, WebError> {
    let filters =
        Filters { period: Period::LastDays(LIMBO_DAYS), compare: Compare::None, ..Filters::default() };
    ask::<TransactionsReport>(request, slug, viewer, state, filters).await
}

/// Reads the rows of the days on which the rollups say that something is open.
fn work_out(asked: &Asked) -> Result<Limbo, WebError> {
    let internal = |error: anyhow::Error| WebError::Internal(error);
    let days = limbo_days(&asked.rollups, &asked.query).map_err(|error| internal(error.into()))?;
    let stores = asked.query.stores.iter().map(|store| store.id).collect();
    let open = open_payments(&asked.lake, &asked.snapshot, &stores, &days)
        .map_err(|error| internal(anyhow::Error::new(error).context("reading open payments")))?;
    Ok(limbo(&asked.rollups, &asked.query, open))
}

fn html(asked: &Asked, limbo: &Limbo) -> Result<String, WebError> {
    let page = &asked.page;
    let stake = |(currency, (count, minor)): (&Currency, &(i64, i128))| {
        let amount = page.money(*minor, *currency);
        page.t_with("limbo-stake", &[("amount", amount.into()), ("n", (*count).into())])
    };
    let shown = LimboPage {
        title: page.t_with("limbo-title", &[("n", limbo.payments.into())]),
        stakes: limbo.at_stake.iter().map(stake).collect(),
        methods: limbo.methods.iter().map(|method| method_shown(page, method)).collect(),
        rows: rows(asked, limbo),
        bounds: bounds(page, limbo),
        csv: format!("/s/{}/unresolved.csv", page.store),
        no_data_ever: asked.has_no_data(),
        page,
    };
    Ok(shown.render()?)
}

fn rows(asked: &Asked, limbo: &Limbo) -> Vec<LimboShown> {
    let page = &asked.page;
    limbo
        .rows
        .iter()
        .map(|one| {
            let line = &one.line;
            let id = line.provider_transaction_id.as_ref().or(line.order_id.as_ref());
            LimboShown {
                age: age(page, one.age),
                ask_by: id.unwrap_or(&line.transaction_id).clone(),
                provider: page.word("provider", &line.provider),
                row: row_shown(asked, line),
            }
        })
        .collect()
}

/// From two days on in days: nobody counts hours then.
fn age(page: &Page, age: TimeDelta) -> String {
    if age < TimeDelta::days(2) {
        return page.length_of_time(u64::try_from(age.num_milliseconds()).unwrap_or(0));
    }
    page.t_with("limbo-days", &[("days", age.num_days().into()), ("hours", (age.num_hours() % 24).into())])
}

fn method_shown(page: &Page, method: &LimboMethod) -> MethodShown {
    let ms = u64::try_from(method.usual.num_milliseconds()).unwrap_or(0);
    let learned = method.learned;
    let key = match (learned.payments, learned.clamped) {
        (0, _) => "limbo-learned-none",
        (_, true) => "limbo-learned-clamped",
        (_, false) => "limbo-learned",
    };
    MethodShown {
        name: page.word("method", &method.method),
        payments: page.t_with(
            "limbo-method",
            &[("n", method.payments.into()), ("usual", page.length_of_time(ms).into())],
        ),
        at_stake: method.at_stake.iter().map(|(currency, minor)| page.money(*minor, *currency)).collect(),
        learned: page.language.t_with(key, &[("n", learned.payments.into())]),
    }
}

fn bounds(page: &Page, limbo: &Limbo) -> Vec<String> {
    let mut bounds = vec![page.t_with("limbo-bound", &[("days", i64::from(LIMBO_DAYS).into())])];
    if limbo.is_cut {
        bounds.push(page.t("limbo-cut"));
    }
    if usize::try_from(limbo.payments).is_ok_and(|payments| payments > LIMBO_ROWS_MAX) {
        bounds.push(page.t_with("limbo-listed", &[("n", page.count(LIMBO_ROWS_MAX).into())]));
    }
    bounds
}

const COLUMNS: [Column; 13] = [
    Column::Plain("transaction_id"),
    Column::Plain("order_id"),
    Column::Plain("provider_transaction_id"),
    Column::Plain("store"),
    Column::Plain("created_at"),
    Column::Plain("age_minutes"),
    Column::Plain("usual_minutes"),
    Column::Plain("kind"),
    Column::Plain("status"),
    Column::Plain("provider"),
    Column::Plain("method"),
    Column::Plain("currency"),
    Column::Money("amount"),
];

fn csv(asked: &Asked, limbo: &Limbo) -> Result<Vec<u8>, WebError> {
    sheet(asked, limbo).map_err(|error| WebError::Internal(error.into()))
}

fn sheet(asked: &Asked, limbo: &Limbo) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    let usual =
        |word: Word| limbo.methods.iter().find(|of| of.method == word).map(|of| of.usual.num_minutes());
    for one in &limbo.rows {
        let line = &one.line;
        let Some(store) = asked.query.stores.iter().find(|store| store.id == line.store) else { continue };
        let optional = |text: &Option<String>| Cell::text(text.clone().unwrap_or_default());
        sheet.row(vec![
            Cell::text(line.transaction_id.clone()),
            optional(&line.order_id),
            optional(&line.provider_transaction_id),
            Cell::text(store.slug.clone()),
            Cell::value(line.created_at.with_timezone(&store.zone).to_rfc3339()),
            Cell::value(one.age.num_minutes()),
            Cell::value(usual(line.method).unwrap_or_default()),
            Cell::value(line.kind.as_str()),
            Cell::value(line.status.as_str()),
            Cell::text(line.provider.as_str()),
            Cell::text(line.method.as_str()),
            Cell::value(line.currency.code()),
            Cell::money(line.amount, line.currency),
        ])?;
    }
    sheet.finish()
}

/// Routes of the page.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/s/{store}/unresolved", web::get().to(show))
        .route("/s/{store}/unresolved.csv", web::get().to(export));
}
