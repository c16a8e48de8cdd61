use askama::Template;

use super::choices;
use crate::analytics::{CustomerCounts, Scan, customer_counts};
use crate::domain::{Range, StoreId};
use crate::reports::{self, Customers, Span};
use crate::web::asked::{Asked, ReportPage};
use crate::web::error::WebError;
use crate::web::filters::Options;
use crate::web::head::Head;
use crate::web::kpi::{Kpi, Kpis, Versus};
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

/// Customers of the period, with the days they are counted on.
pub struct CustomersReport {
    customers: Customers,
    spans: Vec<Span>,
}

#[derive(Template)]
#[template(path = "pages/customers.html")]
struct CustomersPage<'a> {
    page: &'a Page,
    head: Head<'a>,
    title: String,
    kpis: Kpis,
    /// False when no payment names a customer.
    known: bool,
    empty: bool,
    no_data_ever: bool,
}

impl ReportPage for CustomersReport {
    const AREA: Area = Area::Customers;

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let internal = |error: anyhow::Error| WebError::Internal(error);
        let spans = asked.query.spans().map_err(|error| internal(error.into()))?;
        let scan = asked.query.scan_of_period().map_err(|error| internal(error.into()))?;
        let count = |ranges: Vec<(StoreId, Range)>| -> Result<CustomerCounts, WebError> {
            let scan = Scan { ranges, ..scan.clone() };
            customer_counts(&asked.lake, &asked.snapshot, &scan)
                .map_err(|error| internal(anyhow::Error::new(error).context("counting customers")))
        };
        let ranges = |of: &dyn Fn(&Span) -> Option<Range>| -> Vec<(StoreId, Range)> {
            let of_span = |span: &Span| Some((asked.query.stores.get(span.store)?.id, of(span)?));
            spans.iter().filter_map(of_span).collect()
        };
        let value = count(scan.ranges.clone())?;
        let earlier = ranges(&|span| span.before.as_ref().map(|before| before.like));
        // Before the first record nothing is known, and nothing is not 0.
        let known = earlier.iter().any(|(store, range)| {
            asked.snapshot.days_with_data(*store).is_some_and(|(first, _)| first <= range.from.date_naive())
        });
        let (like, before) = if earlier.is_empty() || !known {
            (None, None)
        } else {
            (Some(count(ranges(&|span| Some(span.like)))?), Some(count(earlier)?))
        };
        Ok(Self { customers: reports::customers(value, like, before), spans })
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: choices::selections(
                asked,
                &["provider", "method", "scene", "promotion", "operator", "category"],
            ),
            compares: true,
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let customers = &self.customers;
        let counts = &customers.counts.value;
        let head = Head::new(asked, page.t("nav-customers"), &Self::options(Some(asked)), &self.spans);
        let share = page.percent(customers.returning.value, 1);
        let shown = CustomersPage {
            page,
            head,
            title: page.t_with("customers-title", &[("share", share.into())]),
            kpis: kpis(page, &self.spans, customers),
            known: counts.paying > 0,
            empty: counts.payments_with_reference + counts.payments_without_reference == 0,
            no_data_ever: asked.has_no_data(),
        };
        Ok(shown.render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(&self.customers, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

fn payments(counts: &CustomerCounts) -> i64 {
    counts.payments_with_reference + counts.payments_without_reference
}

fn kpis(page: &Page, spans: &[Span], customers: &Customers) -> Kpis {
    let versus = Versus::of(page, spans);
    let counts = &customers.counts;
    let per_customer = customers.payments_per_customer_milli.value;
    let per_customer = per_customer
        .map_or_else(|| "–".to_owned(), |milli| format!("{}.{:02}", milli / 1000, milli % 1000 / 10));
    Kpis::new(
        page,
        vec![
            Kpi::new(page, "customers", page.count(counts.value.paying))
                .note(versus.count(page, &counts.map(|counts| counts.paying))),
            Kpi::new(page, "returning", page.percent(customers.returning.value, 1))
                .note(page.t_with("kpi-people", &[("n", counts.value.paying_more_than_once.into())]))
                .note(
                    page.t_with(
                        "kpi-interval",
                        &[("range", page.interval(customers.returning.value).into())],
                    ),
                )
                .note(versus.share(page, &customers.returning)),
            Kpi::new(page, "per-customer", per_customer)
                .note(versus.count(page, &customers.payments_per_customer_milli)),
            Kpi::new(page, "payments", page.count(payments(&counts.value)))
                .note(versus.count(page, &counts.map(payments))),
            Kpi::new(page, "referenced", page.percent(customers.referenced.value, 1))
                .note(versus.share(page, &customers.referenced)),
        ],
    )
}

const COLUMNS: [Column; 3] = [Column::Plain("name"), Column::Plain("value"), Column::Plain("before")];

fn sheet(customers: &Customers, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let page = &asked.page;
    let mut sheet = Sheet::new(page, asked.byte_order_mark, &COLUMNS)?;
    let counts = &customers.counts;
    let before = counts.pair.as_ref().map(|pair| pair.before);
    for (name, value, before) in [
        ("customers", Cell::count(counts.value.paying), Cell::count(before.map(|of| of.paying))),
        (
            "returning-count",
            Cell::count(counts.value.paying_more_than_once),
            Cell::count(before.map(|of| of.paying_more_than_once)),
        ),
        ("payments", Cell::count(payments(&counts.value)), Cell::count(before.as_ref().map(payments))),
    ] {
        sheet.row(vec![Cell::value(page.word("kpi", name)), value, before])?;
    }
    for (name, share) in [("returning", &customers.returning), ("referenced", &customers.referenced)] {
        let before = share.pair.as_ref().map_or_else(Cell::empty, |pair| Cell::share(pair.before));
        sheet.row(vec![Cell::value(page.word("kpi", name)), Cell::share(share.value), before])?;
    }
    sheet.finish()
}
