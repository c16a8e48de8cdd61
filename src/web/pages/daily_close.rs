use std::collections::BTreeMap;

use askama::Template;
use rust_decimal::Decimal;

use super::choices;
use crate::domain::{Currency, Word, decimal_to_minor};
use crate::reports::{self, CashEntry, CloseRow, CloseSection, DailyClose, Ladder, Subject};
use crate::web::asked::{Asked, ReportPage};
use crate::web::error::WebError;
use crate::web::filters::{FilterError, Filters, Options};
use crate::web::foot::Foot;
use crate::web::head::Head;
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

#[derive(Template)]
#[template(path = "pages/daily_close.html")]
struct DailyClosePage<'a> {
    page: &'a Page,
    head: Head<'a>,
    foot: Foot<'a>,
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
    cash: Option<CashShown>,
}

/// The drawer, with the form to count it.
struct CashShown {
    taken: String,
    refunded: String,
    expected: String,
    /// As typed.
    opening: String,
    counted: String,
    /// Over, short or exact, and by how much; `None` until counted.
    outcome: Option<String>,
    /// The rest of the address.
    fields: Vec<(String, String)>,
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
    const OWN: &'static [&'static str] = &["bom", OPENING, COUNTED];
    const CASHIERS: bool = true;

    fn check(filters: &Filters) -> Result<(), FilterError> {
        for name in [OPENING, COUNTED] {
            typed(filters, name)?;
        }
        Ok(())
    }

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let view = asked.view(Subject::Money)?;
        reports::daily_close(&view, &asked.settings, &asked.query, &entered(asked))
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
        let sections = self.sections.iter().map(|section| shown(asked, section)).collect();
        let store = page.store_name();
        let shown = DailyClosePage {
            page,
            head,
            foot: Foot::of(asked)?,
            sections,
            no_data_ever: asked.has_no_data(),
            store,
            days,
        };
        Ok(shown.render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(self, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

/// Parameters of this page: what was in the drawer before the day and after it, in major units.
const OPENING: &str = "opening";
const COUNTED: &str = "counted";

fn typed(filters: &Filters, name: &str) -> Result<Option<Decimal>, FilterError> {
    let Some(text) = filters.own.get(name) else { return Ok(None) };
    let bad = || FilterError { field: name.into(), value: text.clone() };
    let amount: Decimal = text.trim().replace([',', '，'], "").parse().map_err(|_| bad())?;
    if amount.abs() > Decimal::from(CASH_MAJOR_MAX) { Err(bad()) } else { Ok(Some(amount)) }
}

/// More than any drawer holds.
const CASH_MAJOR_MAX: i64 = 100_000_000;

/// The currency that is counted: the one asked for, else the store's own.
fn cash_currency(asked: &Asked) -> Option<Currency> {
    asked.query.currency.or_else(|| asked.query.stores.first().map(|store| store.currency))
}

fn entered(asked: &Asked) -> BTreeMap<Currency, CashEntry> {
    let amount = |currency: Currency, name: &str| {
        let amount = typed(&asked.filters, name).ok().flatten()?;
        decimal_to_minor(amount, currency).ok().map(i128::from)
    };
    let entry = cash_currency(asked).and_then(|currency| {
        let counted = amount(currency, COUNTED)?;
        Some((currency, CashEntry { opening: amount(currency, OPENING).unwrap_or(0), counted }))
    });
    entry.into_iter().collect()
}

fn cash_shown(asked: &Asked, section: &CloseSection) -> Option<CashShown> {
    let (page, currency, cash) = (&asked.page, section.currency, section.cash);
    if cash_currency(asked) != Some(currency) && cash.taken == 0 && cash.refunded == 0 {
        return None;
    }
    let own = |name: &str| asked.filters.own.get(name).cloned().unwrap_or_default();
    let money = |minor: i128| page.money(minor, currency);
    let outcome = cash.over().map(|over| match over.signum() {
        1 => page.t_with("close-cash-over", &[("amount", money(over).into())]),
        -1 => page.t_with("close-cash-short", &[("amount", money(-over).into())]),
        _ => page.t("close-cash-exact"),
    });
    Some(CashShown {
        taken: money(cash.taken),
        refunded: money(cash.refunded),
        expected: money(cash.expected()),
        opening: own(OPENING),
        counted: own(COUNTED),
        outcome,
        fields: asked.filters.without(OPENING).without(COUNTED).without("bom").fields(),
    })
}

fn shown(asked: &Asked, section: &CloseSection) -> Shown {
    let page = &asked.page;
    let currency = section.currency;
    let total = &section.total;
    let row = |set: &str, row: &CloseRow| row_shown(page, currency, page.word(set, &row.key), &row.ladder);
    let paid = page.money(total.paid, currency);
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
        cash: cash_shown(asked, section),
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

const COLUMNS: [Column; 20] = [
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
    Column::Money("cash_expected"),
    Column::Money("cash_counted"),
    Column::Money("cash_over"),
];

fn sheet(report: &DailyClose, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    for section in &report.sections {
        let currency = section.currency;
        let cash = section.cash;
        let mut row = |part: &str, key: Word, method: Word, ladder: &Ladder| {
            let front = vec![Cell::value(part), Cell::text(key.as_str()), Cell::text(method.as_str())];
            let whole = part == "total";
            let drawer = [
                whole.then(|| cash.expected()),
                cash.entry.filter(|_| whole).map(|entry| entry.counted),
                cash.over().filter(|_| whole),
            ];
            let drawer = drawer.map(|minor| Cell::money(minor, currency)).to_vec();
            sheet.row([front, cells(ladder, currency), drawer].concat())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_typed_in_major_units() {
        let read = |text: &str| typed(&Filters::default().with_own(COUNTED, text), COUNTED);
        assert_eq!(read("1,250.50"), Ok(Some(Decimal::new(125_050, 2))));
        assert_eq!(read(" 20 "), Ok(Some(Decimal::from(20))));
        assert_eq!(typed(&Filters::default(), COUNTED), Ok(None));
        for text in ["twenty", "1e99", "100000001"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_form_keeps_the_rest_of_the_address() {
        let filters = Filters::read("period=yesterday&counted=12&method=cash", &[COUNTED]).unwrap();
        let fields = filters.without(COUNTED).fields();
        let names: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(names, [("period", "yesterday"), ("method", "cash")]);
    }
}
