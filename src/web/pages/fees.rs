use askama::Template;

use super::choices;
use super::over_time::{OverTime, Points, over_time};
use crate::domain::{Currency, Word};
use crate::reports::{self, Audit, Breakdown, Fees, FeesRow, FeesSection, Ladder, Subject, Verdict};
use crate::web::asked::{Asked, ReportPage};
use crate::web::charts::{Figure, Limit, Scale, ShareBar, Table};
use crate::web::error::WebError;
use crate::web::filters::Options;
use crate::web::foot::Foot;
use crate::web::head::Head;
use crate::web::kpi::{Kpi, Kpis, Versus, change};
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

#[derive(Template)]
#[template(path = "pages/fees.html")]
struct FeesPage<'a> {
    page: &'a Page,
    head: Head<'a>,
    foot: Foot<'a>,
    sections: Vec<Shown>,
    no_data_ever: bool,
    /// Where contract rates are kept.
    contracts_url: String,
}

/// One currency, ready to be shown.
struct Shown {
    currency: Currency,
    kpis: Kpis,
    rate: Figure,
    parts: Option<Figure>,
    rows: Vec<RowShown>,
    breakdown: Vec<RowShown>,
    breakdown_name: String,
    /// Payments whose fee nobody knows.
    unknown: i64,
}

struct RowShown {
    name: String,
    url: Option<String>,
    paid: String,
    payments: String,
    fees: String,
    estimated: bool,
    rate: String,
    contract: String,
    expected: String,
    difference: String,
    /// Word of the verdict, and its class.
    verdict: (String, &'static str),
    change: String,
}

impl ReportPage for Fees {
    const AREA: Area = Area::Fees;

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let view = asked.view(Subject::Money)?;
        reports::fees(&view, &asked.settings, &asked.query).map_err(|error| WebError::Internal(error.into()))
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: choices::selections(asked, &["provider", "method", "scene", "promotion", "operator"]),
            breakdowns: vec![Breakdown::Store, Breakdown::Provider, Breakdown::Method, Breakdown::Scene],
            currencies: choices::currencies(asked),
            compares: true,
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let head = Head::new(asked, page.t("nav-fees"), &Self::options(Some(asked)), &self.spans);
        let sections = self.sections.iter().map(|section| shown(asked, self, section)).collect();
        let contracts_url = format!("{}#contracts", page.area_url(Area::Settings));
        Ok(FeesPage {
            page,
            head,
            foot: Foot::of(asked)?,
            sections,
            no_data_ever: asked.has_no_data(),
            contracts_url,
        }
        .render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(self, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

fn shown(asked: &Asked, report: &Fees, section: &FeesSection) -> Shown {
    let page = &asked.page;
    let currency = section.currency;
    let several_providers = section.rows.iter().any(|row| row.provider != row.method);
    let breakdown = section
        .breakdown
        .iter()
        .map(|row| {
            let name = choices::row_name(asked, row.key);
            row_shown(page, currency, (name, None), &row.ladder, &row.audit, None)
        })
        .collect();
    let rows = section
        .rows
        .iter()
        .map(|row| {
            let name = row_name(page, row, several_providers);
            let url = asked.url(&asked.filters.only("provider", &row.provider).only("method", &row.method));
            let contract = row.contract.map(|rate| contract_text(page, currency, &rate));
            row_shown(page, currency, (name, Some(url)), &row.ladder, &row.audit, contract)
        })
        .collect();
    Shown {
        currency,
        kpis: kpis(asked, report, section),
        rate: rate_figure(asked, report, section),
        parts: parts(page, section),
        rows,
        breakdown,
        breakdown_name: asked
            .query
            .by
            .as_ref()
            .map(|by| choices::breakdown_name(page, by))
            .unwrap_or_default(),
        unknown: section.ladder.value.fees.unknown_count,
    }
}

/// `WeChat Pay`, or `Stripe · Bank card` where a provider has methods of other names.
fn row_name(page: &Page, row: &FeesRow, several: bool) -> String {
    let method = page.word("method", &row.method);
    if !several || row.provider == row.method {
        return method;
    }
    format!("{} · {method}", page.word("provider", &row.provider))
}

fn contract_text(page: &Page, currency: Currency, rate: &crate::domain::ContractRate) -> String {
    let percent = page.rate_ppm(i64::from(rate.rate_ppm));
    if rate.fixed_minor == 0 {
        return percent;
    }
    format!("{percent} + {}", page.money(rate.fixed_minor, currency))
}

fn kpis(asked: &Asked, report: &Fees, section: &FeesSection) -> Kpis {
    let page = &asked.page;
    let currency = section.currency;
    let versus = Versus::of(page, &report.spans);
    let fees = section.ladder.value.fees;
    let audit = section.audit;
    let estimated = if fees.is_estimated() {
        page.t_with("fees-estimated-part", &[("amount", page.money(fees.estimated, currency).into())])
    } else {
        String::new()
    };
    let contract = (audit.amount > 0).then(|| audit.expected * 1_000_000 / audit.amount);
    let charged = (audit.amount > 0).then(|| audit.charged * 1_000_000 / audit.amount);
    Kpis::new(
        page,
        vec![
            Kpi::new(page, "fees", page.money(fees.total(), currency))
                .note(versus.amount(page, &section.ladder.map(|ladder| ladder.fees.total())))
                .note(estimated),
            Kpi::new(page, "fee-rate", page.rate_ppm(fees.rate_ppm().map(two_places))).note(
                page.t_with("kpi-of-payments", &[("n", (fees.charged_count + fees.estimated_count).into())]),
            ),
            Kpi::new(page, "fee-contract", page.rate_ppm(contract.map(two_places))).note(
                page.t_with("fees-charged-same", &[("rate", page.rate_ppm(charged.map(two_places)).into())]),
            ),
            Kpi::new(page, "fee-difference", signed(page, audit.difference(), currency))
                .note(verdict(page, &audit).0),
            Kpi::new(page, "fee-known", page.ratio(fees.known_ppm(), Some(1_000_000_i64), 1))
                .note(page.t_with("fees-unknown-count", &[("n", fees.unknown_count.into())])),
        ],
    )
}

/// Millionths rounded to a thousandth of a percent: more places would say more than is known.
fn two_places(ppm: i128) -> i128 {
    (ppm + 5).div_euclid(10) * 10
}

/// An amount with its sign written out; gains have a plus.
fn signed(page: &Page, minor: Option<i128>, currency: Currency) -> String {
    match minor {
        Some(minor) if minor > 0 => format!("+{}", page.money(minor, currency)),
        minor => page.money(minor, currency),
    }
}

fn verdict(page: &Page, audit: &Audit) -> (String, &'static str) {
    match audit.verdict() {
        Verdict::Unknown if audit.without_contract_count > 0 => (page.t("verdict-no-contract"), ""),
        Verdict::Unknown => (page.t("verdict-unknown"), ""),
        Verdict::Agrees => (page.t("verdict-agrees"), "good"),
        Verdict::Over => (page.t("verdict-over"), "bad"),
        Verdict::Under => (page.t("verdict-under"), "warn"),
    }
}

fn row_shown(
    page: &Page,
    currency: Currency,
    (name, url): (String, Option<String>),
    ladder: &reports::Compared<Ladder>,
    audit: &Audit,
    contract: Option<String>,
) -> RowShown {
    let value = &ladder.value;
    let expected = (audit.count > 0).then_some(audit.expected);
    RowShown {
        name,
        url,
        paid: page.money(value.paid, currency),
        payments: page.count(value.payments),
        fees: page.money(value.fees.total(), currency),
        estimated: value.fees.is_estimated(),
        rate: page.rate_ppm(value.fees.rate_ppm().map(two_places)),
        contract: contract.unwrap_or_else(|| crate::web::numbers::NONE.to_owned()),
        expected: page.money(expected, currency),
        difference: signed(page, audit.difference(), currency),
        verdict: verdict(page, audit),
        change: change(page, &ladder.map(|ladder| ladder.fees.total())),
    }
}

fn rate_figure(asked: &Asked, report: &Fees, section: &FeesSection) -> Figure {
    let page = &asked.page;
    let mut points = Points::default();
    for (now, before) in section.series.iter().zip(&section.before) {
        let side = |ladder: &Option<Ladder>| {
            let ppm = ladder.as_ref().and_then(|ladder| ladder.fees.rate_ppm());
            (ppm.map(share_of_ppm), page.rate_ppm(ppm.map(two_places)))
        };
        points.push(side(now), side(before));
    }
    let audit = section.audit;
    if audit.amount > 0 {
        let ppm = audit.expected * 1_000_000 / audit.amount;
        let label = page.t_with("fees-contract-line", &[("rate", page.rate_ppm(two_places(ppm)).into())]);
        points.limit = Some(Limit { value: share_of_ppm(ppm), label });
    }
    let rate = section.ladder.value.fees.rate_ppm();
    let title = match (rate, audit.verdict()) {
        (None, _) => page.t("fees-rate-plain"),
        (Some(rate), Verdict::Over) => page.t_with(
            "fees-rate-over",
            &[
                ("rate", page.rate_ppm(two_places(rate)).into()),
                ("amount", page.money(audit.difference(), section.currency).into()),
            ],
        ),
        (Some(rate), _) => {
            page.t_with("fees-rate-title", &[("rate", page.rate_ppm(two_places(rate)).into())])
        }
    };
    let what = OverTime {
        page,
        step: report.step,
        buckets: &report.buckets,
        spans: &report.spans,
        id: &format!("rate-{}", section.currency.code()),
        title,
        about: page.t_with("fees-rate-about", &[("currency", section.currency.code().into())]),
        scale: Scale::Share,
        measure: page.word("kpi", "fee-rate"),
    };
    over_time(what, points)
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than any rounding here")]
fn share_of_ppm(ppm: i128) -> f64 {
    ppm as f64 / 1_000_000.0
}

/// Who gets the fees, as shares of one bar.
fn parts(page: &Page, section: &FeesSection) -> Option<Figure> {
    let mut parts: Vec<(Word, i128)> = Vec::new();
    for row in &section.rows {
        let fees = row.ladder.value.fees.total().unwrap_or(0);
        match parts.iter_mut().find(|(provider, _)| *provider == row.provider) {
            Some((_, sum)) => *sum += fees,
            None => parts.push((row.provider, fees)),
        }
    }
    parts.sort_by_key(|(provider, fees)| (-fees, *provider));
    let named: Vec<(String, i128)> =
        parts.iter().map(|(provider, fees)| (page.word("provider", provider), *fees)).collect();
    let whole: i128 = named.iter().map(|(_, fees)| (*fees).max(0)).sum();
    let first = named.first()?;
    let share = page.ratio(first.1, whole, 0);
    let title = page.t_with("fees-parts-title", &[("name", (&first.0).into()), ("share", share.into())]);
    let bar = ShareBar::new(&named, &page.t("word-other"), |part, whole| page.ratio(part, whole, 1))?;
    let id = format!("fee-parts-{}", section.currency.code());
    let about = page.t_with("fees-parts-about", &[("currency", section.currency.code().into())]);
    Some(Figure::new(page, &id, title, about, Some(bar.into()), Table::default()))
}

const COLUMNS: [Column; 17] = [
    Column::Plain("part"),
    Column::Plain("key"),
    Column::Plain("method"),
    Column::Plain("currency"),
    Column::Plain("payments"),
    Column::Money("paid"),
    Column::Money("fees"),
    Column::Money("fees_charged"),
    Column::Money("fees_estimated"),
    Column::Money("fees_returned"),
    Column::Money("fees_separate"),
    Column::Plain("fee_unknown"),
    Column::Plain("fee_rate"),
    Column::Plain("contract_rate"),
    Column::Money("fees_expected"),
    Column::Money("fees_difference"),
    Column::Plain("verdict"),
];

fn sheet(report: &Fees, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    for section in &report.sections {
        let currency = section.currency;
        let front = |part: &str, key: Word, method: Word| {
            vec![Cell::value(part), Cell::text(key.as_str()), Cell::text(method.as_str())]
        };
        let total = cells(&section.ladder.value, &section.audit, Cell::empty(), currency);
        sheet.row([front("total", Word::NONE, Word::NONE), total].concat())?;
        for row in &section.rows {
            let contract = row.contract.map(|rate| i64::from(rate.rate_ppm));
            let rest = cells(&row.ladder.value, &row.audit, Cell::ppm(contract), currency);
            sheet.row([front("method", row.provider, row.method), rest].concat())?;
        }
        for row in &section.breakdown {
            let rest = cells(&row.ladder.value, &row.audit, Cell::empty(), currency);
            sheet.row([front("breakdown", row.key, Word::NONE), rest].concat())?;
        }
    }
    sheet.finish()
}

fn cells(ladder: &Ladder, audit: &Audit, contract: Cell, currency: Currency) -> Vec<Cell> {
    let fees = &ladder.fees;
    let expected = (audit.count > 0).then_some(audit.expected);
    let verdict = match audit.verdict() {
        Verdict::Unknown => "",
        Verdict::Agrees => "agrees",
        Verdict::Over => "over",
        Verdict::Under => "under",
    };
    vec![
        Cell::value(currency.code()),
        Cell::count(ladder.payments),
        Cell::money(ladder.paid, currency),
        Cell::money(fees.total(), currency),
        Cell::money(fees.charged, currency),
        Cell::money(fees.estimated, currency),
        Cell::money(fees.returned, currency),
        Cell::money(fees.separate, currency),
        Cell::count(fees.unknown_count),
        Cell::ppm(fees.rate_ppm()),
        contract,
        Cell::money(expected, currency),
        Cell::money(audit.difference(), currency),
        Cell::value(verdict),
    ]
}
