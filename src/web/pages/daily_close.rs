use std::collections::BTreeMap;

use askama::Template;

use super::choices;
use crate::domain::{Currency, Word};
use crate::reports::{self, CloseRow, CloseSection, DailyClose, Ladder, Subject};
use crate::web::asked::{Asked, ReportPage};
use crate::web::error::WebError;
use crate::web::filters::Options;
use crate::web::head::Head;
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

#[derive(Template)]
#[template(path = "pages/daily_close.html")]
struct DailyClosePage<'a> {
    page: &'a Page,
    head: Head<'a>,
    sections: Vec<Shown>,
    no_data_ever: bool,
    store: String,
    days: String,
}

/// One currency, ready to be shown.
struct Shown {
    currency: Currency,
    title: String,
    rungs: Vec<Rung>,
    unknown_fees: i64,
    methods: Vec<RowShown>,
    operators: Vec<RowShown>,
    total: RowShown,
    cash: Option<[String; 3]>,
}

/// One line of the way from list amount to proceeds.
struct Rung {
    name: String,
    amount: String,
    class: &'static str,
}

struct RowShown {
    name: String,
    payments: String,
    paid: String,
    refunds: String,
    refunded: String,
    fees: String,
    proceeds: String,
}

impl ReportPage for DailyClose {
    const AREA: Area = Area::DailyClose;

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let view = asked.view(Subject::Money)?;
        reports::daily_close(&view, &asked.settings, &asked.query, &BTreeMap::new())
            .map_err(|error| WebError::Internal(error.into()))
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: choices::selections(asked, &["method", "operator"]),
            currencies: choices::currencies(asked),
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let span = self.spans.first();
        let days = span.map(|span| page.days(span.first, span.last)).unwrap_or_default();
        let several = span.is_some_and(|span| span.first != span.last);
        let note =
            if several { page.t_with("close-pick-day", &[("days", (&days).into())]) } else { String::new() };
        let head =
            Head::new(asked, page.t("nav-daily-close"), &Self::options(Some(asked)), &self.spans).note(note);
        let sections = self.sections.iter().map(|section| shown(page, section)).collect();
        let store = page.store_name();
        let shown = DailyClosePage { page, head, sections, no_data_ever: asked.has_no_data(), store, days };
        Ok(shown.render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(self, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

fn shown(page: &Page, section: &CloseSection) -> Shown {
    let currency = section.currency;
    let total = &section.total;
    let row = |set: &str, row: &CloseRow| row_shown(page, currency, page.word(set, &row.key), &row.ladder);
    let paid = page.money(total.paid, currency);
    let cash = section.cash;
    Shown {
        currency,
        title: page.t_with("close-title", &[("paid", paid.into()), ("n", total.payments.into())]),
        rungs: rungs(page, currency, total),
        unknown_fees: total.fees.unknown_count,
        methods: section.methods.iter().map(|of| row("method", of)).collect(),
        operators: section
            .operators
            .iter()
            .filter(|_| section.operators.len() > 1)
            .map(|of| row("value", of))
            .collect(),
        total: row_shown(page, currency, page.t("close-total"), total),
        cash: (cash.taken != 0 || cash.refunded != 0)
            .then(|| [cash.taken, cash.refunded, cash.expected()].map(|amount| page.money(amount, currency))),
    }
}

fn rungs(page: &Page, currency: Currency, total: &Ladder) -> Vec<Rung> {
    let mut rungs = Vec::new();
    let mut rung = |key: &str, minor: Option<i128>, class: &'static str| {
        rungs.push(Rung { name: page.t(key), amount: page.money(minor, currency), class });
    };
    rung("close-list", Some(total.list), "rung");
    for (key, minor) in [
        ("close-discount-merchant", total.discount_merchant),
        ("close-discount-platform", total.discount_platform),
        ("close-discount-other", total.discount_other()),
    ] {
        if minor != 0 {
            rung(key, Some(-minor), "less");
        }
    }
    rung("close-paid", Some(total.paid), "rung");
    rung("close-refunded", Some(-total.refunded), "less");
    if total.disputed != 0 {
        rung("close-disputed", Some(-total.disputed), "less");
    }
    rung("close-net-sales", Some(total.net_sales()), "rung");
    rung("close-fees", total.fees.total().map(|fees| -fees), "less");
    rung("close-proceeds", total.net_proceeds(), "rung");
    if total.top_up_amount != 0 {
        rung("close-top-ups", Some(total.top_up_amount), "less");
    }
    rungs
}

fn row_shown(page: &Page, currency: Currency, name: String, ladder: &Ladder) -> RowShown {
    RowShown {
        name,
        payments: page.count(ladder.payments),
        paid: page.money(ladder.paid, currency),
        refunds: page.count(ladder.refunds),
        refunded: page.money(ladder.refunded, currency),
        fees: page.money(ladder.fees.total(), currency),
        proceeds: page.money(ladder.net_proceeds(), currency),
    }
}

const COLUMNS: [Column; 17] = [
    Column::Plain("part"),
    Column::Plain("key"),
    Column::Plain("method"),
    Column::Plain("currency"),
    Column::Plain("payments"),
    Column::Money("list"),
    Column::Money("discount_merchant"),
    Column::Money("discount_platform"),
    Column::Money("discount_other"),
    Column::Money("paid"),
    Column::Plain("refunds"),
    Column::Money("refunded"),
    Column::Money("disputed"),
    Column::Money("net_sales"),
    Column::Money("fees"),
    Column::Plain("fee_unknown"),
    Column::Money("proceeds"),
];

fn sheet(report: &DailyClose, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    for section in &report.sections {
        let currency = section.currency;
        let mut row = |part: &str, key: Word, method: Word, ladder: &Ladder| {
            let front = vec![Cell::value(part), Cell::text(key.as_str()), Cell::text(method.as_str())];
            sheet.row([front, cells(ladder, currency)].concat())
        };
        row("total", Word::NONE, Word::NONE, &section.total)?;
        for of in &section.methods {
            row("method", of.key, of.key, &of.ladder)?;
        }
        for of in &section.operators {
            row("operator", of.key, Word::NONE, &of.ladder)?;
        }
        for (operator, of) in &section.operator_methods {
            row("operator_method", *operator, of.key, &of.ladder)?;
        }
    }
    sheet.finish()
}

fn cells(ladder: &Ladder, currency: Currency) -> Vec<Cell> {
    vec![
        Cell::value(currency.code()),
        Cell::count(ladder.payments),
        Cell::money(ladder.list, currency),
        Cell::money(ladder.discount_merchant, currency),
        Cell::money(ladder.discount_platform, currency),
        Cell::money(ladder.discount_other(), currency),
        Cell::money(ladder.paid, currency),
        Cell::count(ladder.refunds),
        Cell::money(ladder.refunded, currency),
        Cell::money(ladder.disputed, currency),
        Cell::money(ladder.net_sales(), currency),
        Cell::money(ladder.fees.total(), currency),
        Cell::count(ladder.fees.unknown_count),
        Cell::money(ladder.net_proceeds(), currency),
    ]
}
