use askama::Template;

use super::over_time::{OverTime, Points, bucket_name, over_time};
use crate::domain::Currency;
use crate::reports::{self, Breakdown, Compared, Overview, OverviewSection, Slice, Step, Subject};
use crate::web::asked::{Asked, ReportPage};
use crate::web::charts::{Bar, Figure, HeatStrip, Scale, ShareBar, Spark, Table, height_of};
use crate::web::error::WebError;
use crate::web::filters::Options;
use crate::web::firing::Firing;
use crate::web::foot::Foot;
use crate::web::head::Head;
use crate::web::kpi::{Kpi, Kpis, Versus, change};
use crate::web::page::{Area, Page};
use crate::web::pages::choices::selections;
use crate::web::sheet::{Cell, Column, Sheet};

#[derive(Template)]
#[template(path = "pages/overview.html")]
struct OverviewPage<'a> {
    page: &'a Page,
    head: Head<'a>,
    foot: Foot<'a>,
    firing: &'a Firing,
    unresolved: Option<(String, String)>,
    sections: Vec<Shown>,
    no_data_ever: bool,
}

/// One currency, ready to be shown.
struct Shown {
    currency: Currency,
    kpis: Kpis,
    volume: Figure,
    shares: Option<Figure>,
    heat: Option<Figure>,
    slices: Vec<SliceTable>,
    breakdown: Vec<BreakdownShown>,
    breakdown_name: String,
}

struct SliceTable {
    name: String,
    rows: Vec<SliceShown>,
}

struct SliceShown {
    name: String,
    url: Option<String>,
    count: String,
    amount: String,
    share: String,
    bar: Bar,
    spark: Spark,
    change: String,
}

struct BreakdownShown {
    name: String,
    paid: String,
    payments: String,
    average: String,
    refunded: String,
    fees: String,
    proceeds: String,
    success: String,
    change: String,
}

impl ReportPage for Overview {
    const AREA: Area = Area::Overview;
    const COUNTS_UNRESOLVED: bool = true;

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let view = asked.view(Subject::Money)?;
        reports::overview(&view, &asked.settings, &asked.query)
            .map_err(|error| WebError::Internal(error.into()))
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: selections(asked, &["provider", "method", "scene", "promotion", "operator"]),
            breakdowns: vec![
                Breakdown::Store,
                Breakdown::Provider,
                Breakdown::Method,
                Breakdown::Scene,
                Breakdown::Operator,
            ],
            currencies: super::choices::currencies(asked),
            compares: true,
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let head = Head::new(asked, page.t("nav-overview"), &Self::options(Some(asked)), &self.spans);
        let sections = self.sections.iter().map(|section| shown(asked, self, section)).collect();
        let firing = &asked.firing;
        let unresolved = (asked.unresolved > 0).then(|| asked.unresolved_link());
        Ok(OverviewPage {
            page,
            head,
            foot: Foot::of(asked)?,
            firing,
            unresolved,
            sections,
            no_data_ever: asked.has_no_data(),
        }
        .render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(self, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

fn shown(asked: &Asked, report: &Overview, section: &OverviewSection) -> Shown {
    let page = &asked.page;
    let currency = section.currency;
    let breakdown = section.breakdown.iter().map(|row| breakdown_row(asked, currency, row)).collect();
    Shown {
        currency,
        kpis: kpis(asked, report, section),
        volume: volume(asked, report, section),
        shares: shares(page, section),
        heat: (report.step != Step::Hour).then(|| heat(page, section)).flatten(),
        slices: [
            ("method", "overview-methods", &section.methods),
            ("provider", "overview-providers", &section.providers),
            ("category", "overview-categories", &section.categories),
        ]
        .into_iter()
        .filter(|(_, _, slices)| !slices.is_empty())
        .map(|(name, title, slices)| slice_table(asked, currency, name, page.language.t(title), slices))
        .collect(),
        breakdown,
        breakdown_name: asked
            .query
            .by
            .as_ref()
            .map(|by| super::choices::breakdown_name(page, by))
            .unwrap_or_default(),
    }
}

fn kpis(asked: &Asked, report: &Overview, section: &OverviewSection) -> Kpis {
    let page = &asked.page;
    let versus = Versus::of(page, &report.spans);
    let (ladder, currency) = (&section.ladder.value, section.currency);
    let paid = section.ladder.map(|ladder| Some(ladder.paid));
    let payments = page.t_with("frame-payments", &[("n", ladder.payments.into())]);
    let fees = ladder.fees;
    let mut fee_notes =
        page.t_with("kpi-of-volume", &[("rate", page.ratio(fees.rate_ppm(), Some(1_000_000_i64), 3).into())]);
    if fees.is_estimated() {
        fee_notes = format!("{fee_notes}{}", page.t("kpi-partly-estimated"));
    }
    let unknown = match fees.unknown_count {
        0 => String::new(),
        n => page.t_with("kpi-fee-unknown", &[("n", n.into())]),
    };
    let own = asked.filters.url();
    let at = |area| format!("{}{own}", page.area_url(area));
    Kpis::new(
        page,
        vec![
            Kpi::new(page, "volume", page.money(ladder.paid, currency))
                .note(versus.amount(page, &paid))
                .note(payments)
                .linked(at(Area::Transactions)),
            Kpi::new(page, "success", page.percent(section.success.value, 1))
                .note(page.t_with("kpi-interval", &[("range", page.interval(section.success.value).into())]))
                .note(versus.share(page, &section.success))
                .linked(at(Area::Conversion)),
            Kpi::new(page, "fees", page.money(fees.total(), currency))
                .note(fee_notes)
                .note(unknown)
                .linked(at(Area::Fees)),
            Kpi::new(page, "refunds", page.money(ladder.refunded, currency))
                .note(page.t_with(
                    "kpi-of-volume",
                    &[("rate", page.ratio(ladder.refund_rate_ppm(), Some(1_000_000_i64), 2).into())],
                ))
                .note(page.t_with("kpi-refunds-count", &[("n", ladder.refunds.into())])),
            Kpi::new(page, "proceeds", page.money(ladder.net_proceeds(), currency))
                .note(versus.amount(page, &section.ladder.map(reports::Ladder::net_proceeds)))
                .note(if fees.unknown_count > 0 { page.t("kpi-upper-bound") } else { String::new() }),
            Kpi::new(page, "average", page.money(ladder.average(), currency))
                .note(versus.amount(page, &section.ladder.map(reports::Ladder::average))),
        ],
    )
}

fn volume(asked: &Asked, report: &Overview, section: &OverviewSection) -> Figure {
    let page = &asked.page;
    let (currency, exponent) = (section.currency, section.currency.exponent());
    let mut points = Points::default();
    for point in &section.series {
        let side = |ladder: Option<reports::Ladder>| {
            let paid = ladder.map(|ladder| ladder.paid);
            (paid.map(|paid| height_of(paid, exponent)), page.money(paid, currency))
        };
        points.push(side(point.value), side(point.before));
    }
    let days = report.spans.first().map(|span| page.days(span.first, span.last)).unwrap_or_default();
    let about =
        page.t_with("overview-volume-about", &[("currency", currency.code().into()), ("days", days.into())]);
    let what = OverTime {
        page,
        step: report.step,
        buckets: &report.buckets,
        spans: &report.spans,
        id: &format!("volume-{}", currency.code()),
        title: volume_title(page, report, &section.ladder.map(|ladder| Some(ladder.paid))),
        about,
        scale: Scale::Amount,
        measure: page.word("kpi", "volume"),
    };
    over_time(what, points)
}

/// The finding: rose, fell, or hardly changed; without a comparison just what is shown.
fn volume_title(page: &Page, report: &Overview, paid: &Compared<Option<i128>>) -> String {
    let days = report.spans.first().and_then(|span| span.before.as_ref());
    let (Some(change), Some(before), Some(sides)) = (paid.change(), days, paid.pair.as_ref()) else {
        return page.t("overview-volume-plain");
    };
    let text = page.delta(sides.now, sides.before).replace(['+', '−'], "");
    let values = [("change", text.into()), ("days", page.days(before.first, before.last).into())];
    if change > 0.03 {
        page.t_with("overview-volume-rose", &values)
    } else if change < -0.03 {
        page.t_with("overview-volume-fell", &values)
    } else {
        page.t_with("overview-volume-same", &values)
    }
}

fn shares(page: &Page, section: &OverviewSection) -> Option<Figure> {
    let parts: Vec<(String, i128)> =
        section.methods.iter().map(|slice| (page.word("method", &slice.key), slice.amount.value)).collect();
    let first = parts.first()?.0.clone();
    let whole: i128 = parts.iter().map(|(_, amount)| amount).sum();
    let bar = ShareBar::new(&parts, &page.t("word-other"), |part, whole| page.ratio(part, whole, 1))?;
    let share = page.ratio(parts.first().map(|(_, amount)| *amount), whole, 0);
    let title = page.t_with("overview-shares-title", &[("name", first.into()), ("share", share.into())]);
    let about = page.t_with("overview-shares-about", &[("currency", section.currency.code().into())]);
    let id = format!("shares-{}", section.currency.code());
    Some(Figure::new(page, &id, title, about, Some(bar.into()), Table::default()))
}

fn heat(page: &Page, section: &OverviewSection) -> Option<Figure> {
    let mut busiest = (0, 0, 0.0);
    let mut table = Table { heads: vec![page.t("column-hour")], rows: Vec::new() };
    let mut rows = Vec::new();
    for (weekday, hours) in section.heat.iter().enumerate() {
        let name = page.numbered("weekday", weekday);
        table.heads.push(name.clone());
        let mut cells = Vec::new();
        for (hour, cell) in hours.iter().enumerate() {
            let value = (cell.hours > 0).then(|| per_hour(cell.payments, cell.hours));
            if value.is_some_and(|value| value > busiest.2) {
                busiest = (weekday, hour, value.unwrap_or_default());
            }
            let text = value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
            cells.push((value, format!("{name} {hour:02}:00 · {text}")));
            if weekday == 0 {
                table.rows.push(vec![format!("{hour:02}:00")]);
            }
            if let Some(row) = table.rows.get_mut(hour) {
                row.push(text);
            }
        }
        rows.push((name, cells));
    }
    let strip = HeatStrip::new(rows)?;
    let day = page.numbered("weekday", busiest.0);
    let hour = format!("{:02}:00", busiest.1);
    let title = page.t_with("overview-heat-title", &[("day", day.into()), ("hour", hour.into())]);
    let id = format!("heat-{}", section.currency.code());
    Some(Figure::new(page, &id, title, page.t("overview-heat-about"), Some(strip.into()), table))
}

#[expect(clippy::cast_precision_loss, reason = "a mean is shown, not computed with")]
fn per_hour(payments: i64, hours: u32) -> f64 {
    payments as f64 / f64::from(hours)
}

fn slice_table(asked: &Asked, currency: Currency, name: &str, title: String, slices: &[Slice]) -> SliceTable {
    let page = &asked.page;
    let largest = slices.iter().map(|slice| slice.amount.value).max().unwrap_or(0);
    let rows = slices
        .iter()
        .take(SLICES_MAX)
        .map(|slice| {
            let mut bar = Bar::new(slice.amount.value, largest);
            if let Some(pair) = &slice.amount.pair {
                bar = bar.with_before(pair.before, largest.max(1));
            }
            SliceShown {
                name: page.word(name, &slice.key),
                url: (name != "category").then(|| asked.url(&asked.filters.only(name, &slice.key))),
                count: page.count(slice.count),
                amount: page.money(slice.amount.value, currency),
                share: page.ratio(slice.share_ppm, Some(1_000_000_i64), 1),
                bar,
                spark: Spark::new(&slice.series),
                change: change(page, &slice.amount),
            }
        })
        .collect();
    SliceTable { name: title, rows }
}

/// How many rows a short table has; the rest is on its own page.
const SLICES_MAX: usize = 8;

fn breakdown_row(asked: &Asked, currency: Currency, row: &reports::BreakdownRow) -> BreakdownShown {
    let page = &asked.page;
    let ladder = &row.ladder.value;
    BreakdownShown {
        name: super::choices::row_name(asked, row.key),
        paid: page.money(ladder.paid, currency),
        payments: page.count(ladder.payments),
        average: page.money(ladder.average(), currency),
        refunded: page.money(ladder.refunded, currency),
        fees: page.money(ladder.fees.total(), currency),
        proceeds: page.money(ladder.net_proceeds(), currency),
        success: page.percent(row.success.value, 1),
        change: change(page, &row.ladder.map(|ladder| ladder.paid)),
    }
}

const COLUMNS: [Column; 14] = [
    Column::Plain("part"),
    Column::Plain("key"),
    Column::Plain("starts_at"),
    Column::Plain("currency"),
    Column::Plain("payments"),
    Column::Money("list"),
    Column::Money("paid"),
    Column::Plain("refunds"),
    Column::Money("refunded"),
    Column::Money("net_sales"),
    Column::Money("fees"),
    Column::Money("proceeds"),
    Column::Plain("fee_unknown"),
    Column::Plain("success_rate"),
];

fn sheet(report: &Overview, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    let zone = asked.query.stores.first().map(|store| store.zone);
    for section in &report.sections {
        let currency = section.currency;
        let total = ladder_cells(&section.ladder.value, currency, Cell::share(section.success.value));
        sheet.row(with_front("total", Cell::empty(), Cell::empty(), total))?;
        for (point, bucket) in section.series.iter().zip(&report.buckets) {
            let Some(ladder) = &point.value else { continue };
            let starts = zone.map(|zone| bucket.starts_at.with_timezone(&zone).to_rfc3339());
            let name = bucket_name(&asked.page, report.step, bucket);
            let cells = ladder_cells(ladder, currency, Cell::empty());
            sheet.row(with_front(
                "bucket",
                Cell::value(name),
                Cell::value(starts.unwrap_or_default()),
                cells,
            ))?;
        }
        for row in &section.breakdown {
            let cells = ladder_cells(&row.ladder.value, currency, Cell::share(row.success.value));
            sheet.row(with_front("breakdown", Cell::text(row.key.as_str()), Cell::empty(), cells))?;
        }
    }
    sheet.finish()
}

fn with_front(part: &str, key: Cell, starts_at: Cell, rest: Vec<Cell>) -> Vec<Cell> {
    let mut cells = vec![Cell::value(part), key, starts_at];
    cells.extend(rest);
    cells
}

fn ladder_cells(ladder: &reports::Ladder, currency: Currency, success: Cell) -> Vec<Cell> {
    vec![
        Cell::value(currency.code()),
        Cell::count(ladder.payments),
        Cell::money(ladder.list, currency),
        Cell::money(ladder.paid, currency),
        Cell::count(ladder.refunds),
        Cell::money(ladder.refunded, currency),
        Cell::money(ladder.net_sales(), currency),
        Cell::money(ladder.fees.total(), currency),
        Cell::money(ladder.net_proceeds(), currency),
        Cell::count(ladder.fees.unknown_count),
        success,
    ]
}
