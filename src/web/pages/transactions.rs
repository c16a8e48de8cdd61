use askama::Template;

use super::choices;
use crate::analytics::{ListFilter, TransactionLine, TransactionPage, find_transactions, list_transactions};
use crate::domain::{Currency, Kind, RecordKey, Status, StoreId, instant_from_ms};
use crate::reports::{Search, Span, day_of, net_minor};
use crate::web::asked::{Asked, ReportPage};
use crate::web::error::WebError;
use crate::web::filters::{FilterError, Filters, Options};
use crate::web::foot::Foot;
use crate::web::head::Head;
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

/// Rows of a page.
const PAGE_ROWS: usize = 50;

/// Rows of a file; the page says when there are more.
const FILE_ROWS_MAX: usize = 10_000;

/// A page of transactions, or the hits of a search by id.
pub struct TransactionsReport {
    spans: Vec<Span>,
    list: TransactionPage,
    /// The id looked for: hits are of any day.
    id: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/transactions.html")]
struct TransactionsPage<'a> {
    page: &'a Page,
    head: Head<'a>,
    foot: Foot<'a>,
    title: String,
    totals: Vec<String>,
    rows: Vec<RowShown>,
    next: Option<String>,
    first: Option<String>,
    searched: bool,
    no_data_ever: bool,
    unresolved: (String, String),
    any_unresolved: bool,
}

/// One transaction as a table row.
pub struct RowShown {
    pub url: String,
    pub time: String,
    pub kind: String,
    pub status: String,
    pub status_class: &'static str,
    pub method: String,
    pub scene: String,
    pub amount: String,
    pub fee: String,
    pub net: String,
    pub id: String,
    pub order: String,
    pub counted: bool,
}

impl ReportPage for TransactionsReport {
    const AREA: Area = Area::Transactions;
    const COUNTS_UNRESOLVED: bool = true;
    const OWN: &'static [&'static str] = &["bom", "q", "status", "kind", "after"];

    fn check(filters: &Filters) -> Result<(), FilterError> {
        list_filter(filters).map(|_| ())
    }

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let internal = |error: anyhow::Error| WebError::Internal(error);
        let spans = asked.query.spans().map_err(|error| internal(error.into()))?;
        let search = asked.filters.own.get("q").and_then(|text| Search::parse(text));
        if let Some(Search::Id(id)) = &search {
            let stores: Vec<StoreId> = asked.query.stores.iter().map(|store| store.id).collect();
            let lines = find_transactions(&asked.lake, &asked.snapshot, &stores, id)
                .map_err(|error| internal(anyhow::Error::new(error).context("searching transactions")))?;
            let list = TransactionPage { lines, ..TransactionPage::default() };
            return Ok(Self { spans, list, id: Some(id.clone()) });
        }
        let mut filter = list_filter(&asked.filters).map_err(|_| WebError::BadRequest)?;
        if asked.is_file {
            filter.after = None;
            filter.limit = FILE_ROWS_MAX;
        }
        let scan = asked.query.scan_of_period().map_err(|error| internal(error.into()))?;
        let list = list_transactions(&asked.lake, &asked.snapshot, &scan, &filter)
            .map_err(|error| internal(anyhow::Error::new(error).context("listing transactions")))?;
        Ok(Self { spans, list, id: None })
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: choices::selections(
                asked,
                &["provider", "method", "scene", "promotion", "operator", "category"],
            ),
            searches: true,
            own: vec![
                ("status", Status::ALL.iter().map(|status| status.as_str()).collect()),
                ("kind", Kind::ALL.iter().map(|kind| kind.as_str()).collect()),
            ],
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let head = Head::new(asked, page.t("nav-transactions"), &Self::options(Some(asked)), &self.spans);
        let whole: i64 = self.list.totals.values().map(|(count, _)| count).sum();
        let cut = usize::try_from(whole).is_ok_and(|whole| whole > FILE_ROWS_MAX);
        let note = page.t_with("transactions-export-cut", &[("n", page.count(FILE_ROWS_MAX).into())]);
        let head = head.note(if cut { note } else { String::new() });
        let rows: Vec<RowShown> = self.list.lines.iter().map(|line| row_shown(asked, line)).collect();
        let count: i64 = self.list.totals.values().map(|(count, _)| count).sum();
        let title = match &self.id {
            Some(id) => page.t_with("transactions-hits", &[("id", id.into())]),
            None => page.t_with("transactions-title", &[("n", count.into())]),
        };
        let next = self.list.next.map(|(at, key)| {
            let cursor = format!("{}-{key}", at.timestamp_millis());
            asked.url(&asked.filters.with_own("after", &cursor))
        });
        let first =
            asked.filters.own.contains_key("after").then(|| asked.url(&asked.filters.without("after")));
        let searched = self.id.is_some();
        let totals = totals(page, &self.list);
        let no_data_ever = asked.has_no_data();
        let unresolved = asked.unresolved_link();
        let shown = TransactionsPage {
            page,
            head,
            foot: Foot::of(asked)?,
            title,
            totals,
            rows,
            next,
            first,
            searched,
            no_data_ever,
            unresolved,
            any_unresolved: asked.unresolved > 0,
        };
        Ok(shown.render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(&self.list, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

/// The filter of the page's own parameters.
fn list_filter(filters: &Filters) -> Result<ListFilter, FilterError> {
    let own = |name: &str| filters.own.get(name).map(String::as_str);
    let bad = |field: &str| FilterError {
        field: field.to_owned(),
        value: own(field).unwrap_or_default().to_owned(),
    };
    let status = own("status").map(|word| Status::parse(word).ok_or_else(|| bad("status"))).transpose()?;
    let kind = own("kind").map(|word| Kind::parse(word).ok_or_else(|| bad("kind"))).transpose()?;
    let after = own("after").map(|text| cursor(text).ok_or_else(|| bad("after"))).transpose()?;
    let amounts = match own("q").and_then(Search::parse) {
        Some(Search::Amount(range)) => range,
        _ => crate::analytics::AmountRange::default(),
    };
    Ok(ListFilter {
        kinds: kind.into_iter().collect(),
        statuses: status.into_iter().collect(),
        amounts,
        after,
        limit: PAGE_ROWS,
    })
}

fn cursor(text: &str) -> Option<(crate::domain::Instant, RecordKey)> {
    let (ms, key) = text.split_once('-')?;
    Some((instant_from_ms(ms.parse().ok()?), RecordKey::parse(key)?))
}

/// A sentence for each currency, of the whole list.
fn totals(page: &Page, list: &TransactionPage) -> Vec<String> {
    let mut currencies: Vec<Currency> = list.totals.keys().map(|(_, _, currency)| *currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
        .into_iter()
        .map(|currency| {
            let (payments, paid) = list.posted(Kind::Payment, currency);
            let (holds, held) = list.posted(Kind::Hold, currency);
            let (refunds, refunded) = list.posted(Kind::Refund, currency);
            page.t_with(
                "transactions-total",
                &[
                    ("paid", page.money(paid.minor + held.minor, currency).into()),
                    ("payments", (payments + holds).into()),
                    ("refunded", page.money(refunded.minor, currency).into()),
                    ("refunds", refunds.into()),
                ],
            )
        })
        .collect()
}

/// How a status looks: good, waiting, bad, neither.
pub fn status_class(status: Status) -> &'static str {
    match status {
        Status::Succeeded | Status::Won | Status::Captured => "good",
        Status::Failed | Status::Blocked | Status::Lost => "bad",
        Status::Pending
        | Status::ActionRequired
        | Status::EvidenceDue
        | Status::Underpaid
        | Status::Overpaid => "warn",
        _ => "",
    }
}

/// A transaction as a row of a table.
pub fn row_shown(asked: &Asked, line: &TransactionLine) -> RowShown {
    let page = &asked.page;
    let zone = asked.query.stores.iter().find(|store| store.id == line.store).map(|store| store.zone);
    let at = line.at();
    let time = zone.map_or_else(
        || at.to_rfc3339(),
        |zone| format!("{} {}", page.short_day(at.with_timezone(&zone).date_naive()), page.time(at, zone)),
    );
    let sign = if line.kind == Kind::Refund || line.kind == Kind::Dispute { -1 } else { 1 };
    RowShown {
        url: format!("{}/{}?day={}", page.area_url(Area::Transactions), line.key, line.day),
        time,
        kind: page.word("kind", line.kind.as_str()),
        status: page.word("status", line.status.as_str()),
        status_class: status_class(line.status),
        method: page.word("method", &line.method),
        scene: line.scene.map(|scene| page.word("scene", scene.as_str())).unwrap_or_default(),
        amount: page.money(line.amount * sign, line.currency),
        fee: page.money(line.fee, line.currency),
        net: page.money(net_minor(line), line.currency),
        id: line.transaction_id.clone(),
        order: line.order_id.clone().unwrap_or_default(),
        counted: !line.witness && !line.test,
    }
}

const COLUMNS: [Column; 20] = [
    Column::Plain("transaction_id"),
    Column::Plain("order_id"),
    Column::Plain("provider_transaction_id"),
    Column::Plain("store"),
    Column::Plain("day"),
    Column::Plain("created_at"),
    Column::Plain("completed_at"),
    Column::Plain("completed_at_utc"),
    Column::Plain("kind"),
    Column::Plain("status"),
    Column::Plain("provider"),
    Column::Plain("method"),
    Column::Plain("scene"),
    Column::Plain("operator"),
    Column::Plain("currency"),
    Column::Money("amount"),
    Column::Money("fee"),
    Column::Money("net"),
    Column::Plain("failure_code"),
    Column::Plain("counted"),
];

fn sheet(list: &TransactionPage, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    for line in &list.lines {
        let Some(store) = asked.query.stores.iter().find(|store| store.id == line.store) else { continue };
        let local = |at: crate::domain::Instant| at.with_timezone(&store.zone).to_rfc3339();
        let optional = |text: &Option<String>| Cell::text(text.clone().unwrap_or_default());
        sheet.row(vec![
            Cell::text(line.transaction_id.clone()),
            optional(&line.order_id),
            optional(&line.provider_transaction_id),
            Cell::text(store.slug.clone()),
            Cell::value(day_of(line, store)),
            Cell::value(local(line.created_at)),
            Cell::value(line.completed_at.map(local).unwrap_or_default()),
            Cell::value(line.completed_at.map(|at| at.to_rfc3339()).unwrap_or_default()),
            Cell::value(line.kind.as_str()),
            Cell::value(line.status.as_str()),
            Cell::text(line.provider.as_str()),
            Cell::text(line.method.as_str()),
            Cell::value(line.scene.map_or("", crate::domain::Scene::as_str)),
            Cell::text(line.operator.as_str()),
            Cell::value(line.currency.code()),
            Cell::money(line.amount, line.currency),
            Cell::money(line.fee, line.currency),
            Cell::money(net_minor(line), line.currency),
            optional(&line.failure_code),
            Cell::value(!line.witness && !line.test),
        ])?;
    }
    sheet.finish()
}
