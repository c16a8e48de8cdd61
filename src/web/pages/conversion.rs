use askama::Template;

use super::choices;
use super::over_time::{OverTime, Points, over_time};
use crate::analytics::funnel_counts;
use crate::domain::{Currency, Proportion, Word};
use crate::reports::{
    self, Breakdown, Conversion, ConversionRow, ConversionSection, FailureRow, Failures, Funnel, Rates,
    Subject,
};
use crate::web::asked::{Asked, ReportPage};
use crate::web::charts::{Bar, Figure, Scale, ShareBar, Table};
use crate::web::error::WebError;
use crate::web::filters::Options;
use crate::web::foot::Foot;
use crate::web::head::Head;
use crate::web::kpi::{Kpi, Kpis, Versus, change};
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

/// Below this many payments a rate is only for orientation.
const FEW: i64 = 30;

/// Conversion from the rollups, and the way before it from checkout events.
pub struct ConversionReport {
    conversion: Conversion,
    funnel: Funnel,
}

#[derive(Template)]
#[template(path = "pages/conversion.html")]
struct ConversionPage<'a> {
    page: &'a Page,
    head: Head<'a>,
    foot: Foot<'a>,
    sections: Vec<Shown>,
    funnel: Vec<StepShown>,
    funnel_missing: String,
    no_data_ever: bool,
}

/// One currency, ready to be shown.
struct Shown {
    currency: Currency,
    title: String,
    kpis: Kpis,
    stages: Vec<StepShown>,
    series: Figure,
    outcomes: Option<Figure>,
    tables: Vec<RateTable>,
    reasons: Vec<ReasonShown>,
}

struct StepShown {
    name: String,
    count: String,
    bar: Bar,
    of_previous: String,
    of_first: String,
}

struct RateTable {
    title: String,
    head: String,
    rows: Vec<RateShown>,
}

struct RateShown {
    name: String,
    url: Option<String>,
    started: String,
    conversion: String,
    interval: String,
    success: String,
    first_try: String,
    change: String,
    few: bool,
}

struct ReasonShown {
    name: String,
    class: String,
    codes: String,
    attempts: String,
    share: String,
    bar: Bar,
    amount: String,
    change: String,
    advice: String,
}

impl ReportPage for ConversionReport {
    const AREA: Area = Area::Conversion;

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let view = asked.view(Subject::Payments)?;
        let internal = |error: anyhow::Error| WebError::Internal(error);
        let conversion = reports::conversion(&view, &asked.query).map_err(|error| internal(error.into()))?;
        let scan = asked.query.scan_of_period().map_err(|error| internal(error.into()))?;
        let counts = funnel_counts(&asked.lake, &asked.snapshot, &scan)
            .map_err(|error| internal(anyhow::Error::new(error).context("counting checkout sessions")))?;
        Ok(Self { conversion, funnel: reports::funnel(&counts, None, None) })
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: choices::selections(asked, &["provider", "method", "scene", "promotion"]),
            breakdowns: vec![Breakdown::Store],
            currencies: choices::currencies(asked),
            compares: true,
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let report = &self.conversion;
        let head = Head::new(asked, page.t("nav-conversion"), &Self::options(Some(asked)), &report.spans);
        let sections = report.sections.iter().map(|section| shown(asked, report, section)).collect();
        let missing: Vec<String> =
            self.funnel.missing.iter().map(|step| page.word("step", step.as_str())).collect();
        let shown = ConversionPage {
            page,
            head,
            foot: Foot::of(asked)?,
            sections,
            funnel: funnel_steps(page, &self.funnel),
            funnel_missing: missing.join(&page.t("list-comma")),
            no_data_ever: asked.has_no_data(),
        };
        Ok(shown.render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(&self.conversion, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

fn funnel_steps(page: &Page, funnel: &Funnel) -> Vec<StepShown> {
    let first = funnel.steps.first().map_or(0, |step| step.sessions.value);
    funnel
        .steps
        .iter()
        .map(|step| StepShown {
            name: page.word("step", step.step.as_str()),
            count: page.count(step.sessions.value),
            bar: Bar::new(step.sessions.value.into(), first.into()),
            of_previous: page.percent(step.of_previous.value, 1),
            of_first: page.percent(step.of_first.value, 1),
        })
        .collect()
}

fn shown(asked: &Asked, report: &Conversion, section: &ConversionSection) -> Shown {
    let page = &asked.page;
    let rates = &section.rates.value;
    let mut tables = Vec::new();
    if let Some(by) = asked.query.by.as_ref().filter(|_| !section.breakdown.is_empty()) {
        let head = choices::breakdown_name(page, by);
        let title = page.t_with("breakdown-title", &[("name", (&head).into())]);
        let rows = section.breakdown.iter().map(|row| rate_shown(asked, None, row)).collect();
        tables.push(RateTable { title, head, rows });
    }
    for (set, title, rows) in [
        ("method", page.t("conversion-methods"), &section.methods),
        ("provider", page.t("conversion-providers"), &section.providers),
        ("scene", page.t("conversion-scenes"), &section.scenes),
    ] {
        let head = page.word("filter", set);
        let rows: Vec<_> = rows.iter().map(|row| rate_shown(asked, Some(set), row)).collect();
        if !rows.is_empty() {
            tables.push(RateTable { title, head, rows });
        }
    }
    let rate = page.percent(rates.conversion(), 1);
    Shown {
        currency: section.currency,
        title: page.t_with("conversion-title", &[("rate", rate.into())]),
        kpis: kpis(asked, report, section),
        stages: stages(page, rates),
        series: series(asked, report, section),
        outcomes: outcomes(page, section),
        tables,
        reasons: reasons(page, section.currency, &section.failures),
    }
}

fn kpis(asked: &Asked, report: &Conversion, section: &ConversionSection) -> Kpis {
    let page = &asked.page;
    let versus = Versus::of(page, &report.spans);
    let rates = &section.rates;
    let now = &rates.value;
    let outcomes = &section.failures.outcomes;
    let share = |name: &str, of: fn(&Rates) -> Proportion| {
        Kpi::new(page, name, page.percent(of(now), 1))
            .note(page.t_with("kpi-interval", &[("range", page.interval(of(now)).into())]))
            .note(versus.share(page, &rates.map(of)))
    };
    let by_value = page.share(now.conversion_by_value().share(), 1);
    let mature = now.mature();
    let mature = page.t_with("kpi-mature", &[("n", mature.hits.into()), ("all", mature.of.into())]);
    let lift = page.delta_points(now.retry_lift(), Some(0.0));
    Kpis::new(
        page,
        vec![
            share("conversion", Rates::conversion)
                .note(page.t_with("kpi-by-value", &[("rate", by_value.into())]))
                .note(mature),
            share("success", Rates::success),
            share("first-try", Rates::first_try).note(page.t_with("kpi-lift", &[("points", lift.into())])),
            share("retry-yield", Rates::retry_yield),
            Kpi::new(page, "authorization", page.percent(outcomes.value.authorization(), 1))
                .note(versus.share(page, &outcomes.map(reports::Outcomes::authorization))),
            Kpi::new(page, "technical", page.percent(outcomes.value.technical_share(), 2))
                .note(versus.share(page, &outcomes.map(reports::Outcomes::technical_share))),
            share("abandoned", Rates::abandoned),
        ],
    )
}

/// Started, submitted, authorized, paid: of mature payments, each out of the one before.
fn stages(page: &Page, rates: &Rates) -> Vec<StepShown> {
    let [submitted, authorized, paid] = rates.stages();
    let first = submitted.of;
    [
        ("conversion-stage-started", first, None),
        ("conversion-stage-submitted", submitted.hits, Some(submitted)),
        ("conversion-stage-authorized", authorized.hits, Some(authorized)),
        ("conversion-stage-paid", paid.hits, Some(paid)),
    ]
    .into_iter()
    .map(|(key, count, of_previous)| StepShown {
        name: page.language.t(key),
        count: page.count(count),
        bar: Bar::new(count.into(), first.into()),
        of_previous: of_previous.map(|share| page.percent(share, 1)).unwrap_or_default(),
        of_first: page.percent(Proportion { hits: count, of: first }, 1),
    })
    .collect()
}

fn series(asked: &Asked, report: &Conversion, section: &ConversionSection) -> Figure {
    let page = &asked.page;
    let mut points = Points::default();
    for (now, before) in section.series.iter().zip(&section.before) {
        let side = |rates: &Option<Rates>| {
            let share = rates.as_ref().map(Rates::conversion);
            let text = share.map(|share| format!("{} ({})", page.percent(share, 1), page.count(share.of)));
            (share.and_then(Proportion::share), text.unwrap_or_else(|| "–".to_owned()))
        };
        points.push(side(now), side(before));
        points.band.push(now.as_ref().and_then(|rates| rates.conversion().wilson_95()));
    }
    let what = OverTime {
        page,
        step: report.step,
        buckets: &report.buckets,
        spans: &report.spans,
        id: &format!("conversion-{}", section.currency.code()),
        title: page.t("conversion-series-plain"),
        about: page.t("conversion-series-about"),
        scale: Scale::Share,
        measure: page.word("kpi", "conversion"),
    };
    over_time(what, points)
}

/// Every attempt in one part of one bar: what failed first, so that it has a colour.
fn outcomes(page: &Page, section: &ConversionSection) -> Option<Figure> {
    let outcomes = &section.failures.outcomes.value;
    let mut parts: Vec<(&str, i64)> = vec![
        ("outcome-declined", outcomes.declined.count),
        ("outcome-technical", outcomes.technical.count),
        ("outcome-left", outcomes.left.count),
        ("outcome-risk", outcomes.risk.count),
        ("outcome-merchant", outcomes.merchant.count),
        ("outcome-underpaid", outcomes.underpaid.count),
        ("outcome-open", outcomes.open.count),
    ];
    parts.sort_by_key(|(_, count)| -count);
    parts.insert(0, ("outcome-approved", outcomes.approved.count));
    let named: Vec<(String, i128)> =
        parts.into_iter().map(|(key, count)| (page.language.t(key), i128::from(count))).collect();
    let bar = ShareBar::new(&named, &page.t("word-other"), |part, whole| page.ratio(part, whole, 1))?;
    let title = page.t_with("conversion-outcomes", &[("n", outcomes.all().count.into())]);
    let id = format!("outcomes-{}", section.currency.code());
    let rows = named.iter().map(|(name, count)| vec![name.clone(), page.count(*count)]).collect();
    let table = Table { heads: vec![page.t("column-status"), page.t("column-attempts")], rows };
    Some(Figure::new(page, &id, title, page.t("conversion-outcomes-about"), Some(bar.into()), table))
}

fn rate_shown(asked: &Asked, set: Option<&str>, row: &ConversionRow) -> RateShown {
    let page = &asked.page;
    let rates = &row.rates.value;
    let pair = row.rates.pair.as_ref();
    let change = pair.map_or_else(
        || "–".to_owned(),
        |pair| page.delta_points(pair.now.conversion().share(), pair.before.conversion().share()),
    );
    RateShown {
        name: set.map_or_else(|| choices::row_name(asked, row.key), |set| page.word(set, &row.key)),
        url: set.map(|set| asked.url(&asked.filters.only(set, &row.key))),
        started: page.count(rates.payments.all.started),
        conversion: page.percent(rates.conversion(), 1),
        interval: page.interval(rates.conversion()),
        success: page.percent(rates.success(), 1),
        first_try: page.percent(rates.first_try(), 1),
        change,
        few: rates.conversion().of < FEW,
    }
}

/// How many codes a reason names.
const CODES_SHOWN: usize = 3;

fn reasons(page: &Page, currency: Currency, failures: &Failures) -> Vec<ReasonShown> {
    let largest = failures.reasons.iter().map(|row| row.attempts.value).max().unwrap_or(0);
    failures.reasons.iter().map(|row| reason_shown(page, currency, row, largest)).collect()
}

fn reason_shown(page: &Page, currency: Currency, row: &FailureRow, largest: i64) -> ReasonShown {
    let code = row.codes.first().map_or(Word::NONE, |code| code.code);
    let (name, advice) = match row.reason {
        Some(reason) => (page.word("reason", reason.as_str()), page.word("advice", reason.as_str())),
        None if code.is_none() => (page.t("reason-none"), String::new()),
        None => {
            let name = page.t_with("reason-unknown", &[("code", code.as_str().into())]);
            (name, page.t("advice-unknown"))
        }
    };
    let codes: Vec<String> = row
        .codes
        .iter()
        .filter(|code| !code.code.is_none())
        .take(CODES_SHOWN)
        .map(|code| format!("{} {} ({})", page.word("provider", &code.provider), code.code, code.attempts))
        .collect();
    ReasonShown {
        name,
        class: row.class.map(|class| page.word("failure", class_word(class))).unwrap_or_default(),
        codes: codes.join(" · "),
        attempts: page.count(row.attempts.value),
        share: page.ratio(row.share_ppm, Some(1_000_000_i64), 1),
        bar: Bar::new(row.attempts.value.into(), largest.into()),
        amount: page.money(row.amount, currency),
        change: change(page, &row.attempts),
        advice,
    }
}

fn class_word(class: crate::domain::FailureClass) -> &'static str {
    class.as_str()
}

const COLUMNS: [Column; 16] = [
    Column::Plain("part"),
    Column::Plain("key"),
    Column::Plain("currency"),
    Column::Plain("started"),
    Column::Plain("mature"),
    Column::Plain("submitted"),
    Column::Plain("authorized"),
    Column::Plain("paid_count"),
    Column::Plain("conversion_rate"),
    Column::Plain("conversion_low"),
    Column::Plain("conversion_high"),
    Column::Plain("success_rate"),
    Column::Plain("first_try_rate"),
    Column::Plain("attempts"),
    Column::Money("amount"),
    Column::Plain("share"),
];

fn sheet(report: &Conversion, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    for section in &report.sections {
        let currency = section.currency;
        sheet.row(rate_cells("total", Word::NONE, &section.rates.value, currency))?;
        for (part, rows) in [
            ("method", &section.methods),
            ("provider", &section.providers),
            ("scene", &section.scenes),
            ("breakdown", &section.breakdown),
        ] {
            for row in rows {
                sheet.row(rate_cells(part, row.key, &row.rates.value, currency))?;
            }
        }
        for row in &section.failures.reasons {
            let code = row.codes.first().map_or("", |code| code.code.as_str());
            let key = row.reason.map_or(code, crate::domain::FailureReason::as_str);
            let mut cells = vec![Cell::value("failure"), Cell::text(key), Cell::value(currency.code())];
            cells.resize(13, Cell::empty());
            cells.push(Cell::count(row.attempts.value));
            cells.push(Cell::money(row.amount, currency));
            cells.push(Cell::ppm(row.share_ppm));
            sheet.row(cells)?;
        }
    }
    sheet.finish()
}

fn rate_cells(part: &str, key: Word, rates: &Rates, currency: Currency) -> Vec<Cell> {
    let payments = &rates.payments;
    let bound =
        |bound: Option<f64>| Cell::value(bound.map(|share| format!("{share:.6}")).unwrap_or_default());
    let interval = rates.conversion().wilson_95();
    vec![
        Cell::value(part),
        Cell::text(key.as_str()),
        Cell::value(currency.code()),
        Cell::count(payments.all.started),
        Cell::count(payments.mature),
        Cell::count(payments.mature_submitted),
        Cell::count(payments.mature_authorized),
        Cell::count(payments.all.paid),
        Cell::share(rates.conversion()),
        bound(interval.map(|(low, _)| low)),
        bound(interval.map(|(_, high)| high)),
        Cell::share(rates.success()),
        Cell::share(rates.first_try()),
        Cell::empty(),
        Cell::Money(None, currency),
        Cell::empty(),
    ]
}
