use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;

use super::transactions::{RowShown, TransactionsReport, row_shown, status_class};
use crate::analytics::{FieldValue, TransactionDetail, TransactionVersion, transaction_detail};
use crate::domain::{RecordKey, StoreId, Stream, import_of_feed, instant_from_ms};
use crate::lake::LakeError;
use crate::reports::Waterfall;
use crate::web::asked::{Asked, ask};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::filters::Filters;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

#[derive(Template)]
#[template(path = "pages/transaction.html")]
struct TransactionPage<'a> {
    page: &'a Page,
    title: String,
    row: RowShown,
    back: String,
    witness: bool,
    test: bool,
    failure: String,
    money: Vec<(String, String, &'static str)>,
    fields: Vec<(String, String)>,
    history: Vec<VersionShown>,
    rows: Vec<RowShown>,
    place: String,
}

struct VersionShown {
    received: String,
    feed: String,
    status: String,
    status_class: &'static str,
    amount: String,
    current: bool,
}

#[derive(Deserialize)]
struct Hint {
    /// UTC day of creation; spares a search through every partition.
    day: Option<NaiveDate>,
}

/// `GET /s/{store}/transactions/{key}`: one transaction with its versions and relatives.
async fn show(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    hint: web::Query<Hint>,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, key) = path.into_inner();
    let key = RecordKey::parse(&key).ok_or(WebError::NotFound)?;
    let asked = ask::<TransactionsReport>(&request, &slug, &viewer, &state, Filters::default()).await?;
    let day = hint.into_inner().day;
    let body = web::block(move || body(&asked, key, day))
        .await
        .map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::html(&request, actix_web::http::StatusCode::OK, body))
}

fn body(asked: &Asked, key: RecordKey, day: Option<NaiveDate>) -> Result<String, WebError> {
    let stores: Vec<StoreId> = asked.query.stores.iter().map(|store| store.id).collect();
    let detail = transaction_detail(&asked.lake, &asked.snapshot, &stores, key, day)
        .map_err(|error| WebError::Internal(anyhow::Error::new(error).context("reading a transaction")))?
        .ok_or_else(|| not_found(asked, day))?;
    let page = &asked.page;
    let line = &detail.current.line;
    let store = asked.query.stores.iter().find(|store| store.id == line.store).ok_or(WebError::NotFound)?;
    let shown = TransactionPage {
        page,
        title: page.t_with("detail-title", &[("id", (&line.transaction_id).into())]),
        row: row_shown(asked, line),
        back: page.area_url(Area::Transactions),
        witness: line.witness,
        test: line.test,
        failure: failure(page, &detail),
        money: money(page, &detail),
        fields: fields(&detail.current),
        history: history(asked, &detail, store.zone),
        rows: detail.related.iter().map(|other| row_shown(asked, other)).collect(),
        place: format!("{} · {}", store.name, store.zone.name()),
    };
    Ok(shown.render()?)
}

/// It is not there, or it stands in a file that cannot be read: the second must not look like the first.
fn not_found(asked: &Asked, day: Option<NaiveDate>) -> WebError {
    let is_set_aside =
        |place: &(Stream, NaiveDate)| place.0 == Stream::Transactions && day.is_none_or(|day| place.1 == day);
    match asked.snapshot.quarantined.iter().find(|(place, _)| is_set_aside(place)) {
        Some((_, files)) => {
            let path = files.first().map(|one| one.file.path.clone()).unwrap_or_default();
            WebError::Internal(anyhow::Error::new(LakeError::Missing(path)))
        }
        None => WebError::NotFound,
    }
}

/// Why it failed and what to do; empty when it did not.
fn failure(page: &Page, detail: &TransactionDetail) -> String {
    let line = &detail.current.line;
    let Some(code) = &line.failure_code else { return String::new() };
    match crate::domain::failure_reason(line.provider, code) {
        Some(reason) => format!(
            "{} ({code}) · {}",
            page.word("reason", reason.as_str()),
            page.word("advice", reason.as_str())
        ),
        None => page.t_with("reason-unknown", &[("code", code.into())]),
    }
}

/// From list amount to proceeds, of a posted payment; a line for what is stated.
fn money(page: &Page, detail: &TransactionDetail) -> Vec<(String, String, &'static str)> {
    let Some(way) = Waterfall::of(detail) else { return Vec::new() };
    let currency = detail.current.line.currency;
    let mut lines = Vec::new();
    let mut line = |key: &str, minor: Option<i64>, class: &'static str| {
        lines.push((page.language.t(key), page.money(minor, currency), class));
    };
    if way.list.is_some() {
        line("close-list", way.list, "rung");
    }
    for (key, minor) in [
        ("close-discount-merchant", way.discount_merchant),
        ("close-discount-platform", way.discount_platform),
    ] {
        if let Some(minor) = minor.filter(|minor| *minor != 0) {
            line(key, Some(-minor), "less");
        }
    }
    line("close-paid", Some(way.paid), "rung");
    if way.refunded != 0 {
        line("close-refunded", Some(-way.refunded), "less");
    }
    line("close-fees", way.fee.map(|fee| -fee), "less");
    line("close-proceeds", way.proceeds, "rung");
    lines
}

fn fields(version: &TransactionVersion) -> Vec<(String, String)> {
    version
        .fields
        .iter()
        // Said in words above.
        .filter(|(name, _)| !matches!(name.as_str(), "witness" | "test" | "store"))
        .map(|(name, value)| {
            let text = match value {
                FieldValue::Text(text) => text.clone(),
                FieldValue::Integer(ms) if name.ends_with("_ms") => instant_from_ms(*ms).to_rfc3339(),
                FieldValue::Integer(number) => number.to_string(),
                FieldValue::Flag(flag) => flag.to_string(),
                FieldValue::List(items) => items.join(", "),
            };
            (name.strip_suffix("_ms").map_or_else(|| name.clone(), |bare| format!("{bare}_at")), text)
        })
        .collect()
}

fn history(asked: &Asked, detail: &TransactionDetail, zone: chrono_tz::Tz) -> Vec<VersionShown> {
    let page = &asked.page;
    std::iter::once(&detail.current)
        .chain(&detail.history)
        .enumerate()
        .map(|(index, version)| VersionShown {
            received: page.when(version.received_at, zone),
            feed: import_of_feed(&version.feed).map_or_else(
                || page.word("feed", &version.feed),
                |import| page.t_with("feed-import-number", &[("number", import.to_string().into())]),
            ),
            status: page.word("status", version.line.status.as_str()),
            status_class: status_class(version.line.status),
            amount: page.money(version.line.amount, version.line.currency),
            current: index == 0,
        })
        .collect()
}

/// Routes of the page.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/s/{store}/transactions/{key}", web::get().to(show));
}
