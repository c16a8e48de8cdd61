use askama::Template;

use super::choices;
use super::over_time::{OverTime, Points, over_time};
use crate::domain::{Currency, Word};
use crate::reports::{
    self, Breakdown, Categories, CategoriesSection, CategoryRow, Compared, ItemFigures, ProductRow, Subject,
};
use crate::web::asked::{Asked, ReportPage};
use crate::web::charts::{Bar, Figure, Scale, Spark, height_of};
use crate::web::error::WebError;
use crate::web::filters::Options;
use crate::web::foot::Foot;
use crate::web::head::Head;
use crate::web::kpi::{Kpi, Kpis, Versus, change};
use crate::web::page::{Area, Page};
use crate::web::sheet::{Cell, Column, Sheet};

#[derive(Template)]
#[template(path = "pages/categories.html")]
struct CategoriesPage<'a> {
    page: &'a Page,
    head: Head<'a>,
    foot: Foot<'a>,
    sections: Vec<Shown>,
    no_data_ever: bool,
}

/// One currency, ready to be shown.
struct Shown {
    currency: Currency,
    kpis: Kpis,
    /// False when sales have no baskets.
    has_items: bool,
    series: Figure,
    rows: Vec<RowShown>,
    products: Vec<RowShown>,
    products_about: String,
    rest: String,
    breakdown: Vec<RowShown>,
    breakdown_name: String,
}

struct RowShown {
    name: String,
    /// Of a product: its category.
    category: String,
    amount: String,
    quantity: String,
    share: String,
    cumulative: String,
    bar: Bar,
    spark: Option<Spark>,
    refund_rate: String,
    online: String,
    price: String,
    change: String,
}

impl ReportPage for Categories {
    const AREA: Area = Area::Categories;

    fn work_out(asked: &Asked) -> Result<Self, WebError> {
        let view = asked.view(Subject::Items)?;
        reports::categories(&view, &asked.settings, &asked.query)
            .map_err(|error| WebError::Internal(error.into()))
    }

    fn options(asked: Option<&Asked>) -> Options {
        Options {
            selections: choices::selections(asked, &["provider", "method", "scene", "promotion", "category"]),
            breakdowns: vec![Breakdown::Store, Breakdown::Provider, Breakdown::Method, Breakdown::Scene],
            currencies: choices::currencies(asked),
            compares: true,
            ..Options::default()
        }
    }

    fn html(&self, asked: &Asked) -> Result<String, WebError> {
        let page = &asked.page;
        let head = Head::new(asked, page.t("nav-categories"), &Self::options(Some(asked)), &self.spans);
        let sections = self.sections.iter().map(|section| shown(asked, self, section)).collect();
        Ok(CategoriesPage { page, head, foot: Foot::of(asked)?, sections, no_data_ever: asked.has_no_data() }
            .render()?)
    }

    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError> {
        sheet(self, asked).map_err(|error| WebError::Internal(error.into()))
    }
}

fn shown(asked: &Asked, report: &Categories, section: &CategoriesSection) -> Shown {
    let page = &asked.page;
    let currency = section.currency;
    let largest_of = |amounts: &mut dyn Iterator<Item = i128>| amounts.max().unwrap_or(0);
    let largest = largest_of(&mut section.rows.iter().map(|row| row.figures.value.sums.amount));
    let rows = section.rows.iter().map(|row| category_shown(page, currency, row, largest)).collect();
    let most = largest_of(&mut section.products.iter().map(|row| row.figures.value.sums.amount));
    let products = section.products.iter().map(|row| product_shown(page, currency, row, most)).collect();
    let breakdown = section
        .breakdown
        .iter()
        .map(|row| {
            let name = choices::row_name(asked, row.key);
            row_shown(page, currency, name, &row.figures, row.share_ppm, largest)
        })
        .collect();
    Shown {
        currency,
        kpis: kpis(page, report, section),
        has_items: !section.rows.is_empty(),
        series: series(page, report, section),
        rows,
        products,
        products_about: page.t_with("categories-products-about", &[("n", section.products.len().into())]),
        rest: section.other_products.map_or_else(String::new, |rest| {
            let amount = page.money(rest.sums.amount, currency);
            page.t_with("categories-products-rest", &[("amount", amount.into())])
        }),
        breakdown,
        breakdown_name: asked
            .query
            .by
            .as_ref()
            .map(|by| choices::breakdown_name(page, by))
            .unwrap_or_default(),
    }
}

fn kpis(page: &Page, report: &Categories, section: &CategoriesSection) -> Kpis {
    let versus = Versus::of(page, &report.spans);
    let total = &section.total;
    let amount = total.map(|figures| Some(figures.sums.amount));
    let refund_rate = total.value.refund_rate_ppm();
    let online = page.share(section.online.value.share(), 1);
    let online_change = section
        .online
        .pair
        .as_ref()
        .map_or_else(String::new, |pair| page.delta_points(pair.now.share(), pair.before.share()));
    Kpis::new(
        page,
        vec![
            Kpi::new(page, "items", page.money(total.value.sums.amount, section.currency))
                .note(versus.amount(page, &amount)),
            Kpi::new(page, "online", online).note(online_change),
            Kpi::new(page, "item-refunds", page.ratio(refund_rate, Some(1_000_000_i64), 1))
                .note(page.money(total.value.sums.refund_amount, section.currency)),
            Kpi::new(page, "covered", page.share(section.covered.share(), 1)),
            Kpi::new(page, "uncategorised", page.ratio(section.uncategorised_ppm, Some(1_000_000_i64), 1)),
        ],
    )
}

fn series(page: &Page, report: &Categories, section: &CategoriesSection) -> Figure {
    let exponent = section.currency.exponent();
    let mut points = Points::default();
    for index in 0..report.buckets.len() {
        let sum = |of: fn(&CategoryRow) -> &Vec<Option<i128>>| {
            let mut known = section.rows.iter().filter_map(|row| of(row).get(index).copied().flatten());
            let first = known.next()?;
            Some(first + known.sum::<i128>())
        };
        let side =
            |sum: Option<i128>| (sum.map(|sum| height_of(sum, exponent)), page.money(sum, section.currency));
        points.push(side(sum(|row| &row.series)), side(sum(|row| &row.before)));
    }
    let title = section.rows.iter().find(|row| !row.category.is_none()).map_or_else(
        || page.t("categories-title-plain"),
        |row| {
            let share = page.ratio(row.share_ppm, Some(1_000_000_i64), 0);
            page.t_with(
                "categories-title",
                &[("name", row.category.as_str().into()), ("share", share.into())],
            )
        },
    );
    let code = section.currency.code();
    let what = OverTime {
        page,
        step: report.step,
        buckets: &report.buckets,
        spans: &report.spans,
        id: &format!("items-{code}"),
        title,
        about: page.t_with("categories-series-about", &[("currency", code.into())]),
        scale: Scale::Amount,
        measure: page.word("kpi", "items"),
    };
    over_time(what, points)
}

fn category_shown(page: &Page, currency: Currency, row: &CategoryRow, largest: i128) -> RowShown {
    let name = page.word("category", &row.category);
    let amounts: Vec<i128> = row.series.iter().flatten().copied().collect();
    RowShown {
        spark: Some(Spark::new(&amounts)),
        ..row_shown(page, currency, name, &row.figures, row.share_ppm, largest)
    }
}

fn product_shown(page: &Page, currency: Currency, row: &ProductRow, largest: i128) -> RowShown {
    let name = match (row.name.as_str(), row.sku.as_str()) {
        ("", sku) => sku.to_owned(),
        (name, _) => name.to_owned(),
    };
    RowShown {
        category: page.word("category", &row.category),
        cumulative: page.ratio(row.cumulative_ppm, Some(1_000_000_i64), 1),
        ..row_shown(page, currency, name, &row.figures, row.share_ppm, largest)
    }
}

fn row_shown(
    page: &Page,
    currency: Currency,
    name: String,
    figures: &Compared<ItemFigures>,
    share_ppm: Option<i128>,
    largest: i128,
) -> RowShown {
    let value = &figures.value;
    let mut bar = Bar::new(value.sums.amount, largest);
    if let Some(pair) = &figures.pair {
        bar = bar.with_before(pair.before.sums.amount, largest);
    }
    RowShown {
        name,
        category: String::new(),
        amount: page.money(value.sums.amount, currency),
        quantity: quantity(value.sums.quantity_micro),
        share: page.ratio(share_ppm, Some(1_000_000_i64), 1),
        cumulative: String::new(),
        bar,
        spark: None,
        refund_rate: page.ratio(value.refund_rate_ppm(), Some(1_000_000_i64), 1),
        online: page.share(value.online().share(), 1),
        price: page.money(value.average_price(), currency),
        change: change(page, &figures.map(|figures| figures.sums.amount)),
    }
}

/// Millionths of a piece as pieces, with as many places as there are.
fn quantity(micro: i128) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:06}", micro.abs() / 1_000_000, micro.abs() % 1_000_000);
    crate::web::numbers::plain_decimal(text.trim_end_matches('0').trim_end_matches('.'))
}

const COLUMNS: [Column; 11] = [
    Column::Plain("part"),
    Column::Plain("category"),
    Column::Plain("sku"),
    Column::Plain("name"),
    Column::Plain("currency"),
    Column::Money("amount"),
    Column::Plain("quantity"),
    Column::Money("average_price"),
    Column::Money("refunded"),
    Column::Plain("refund_rate"),
    Column::Plain("share"),
];

fn sheet(report: &Categories, asked: &Asked) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = Sheet::new(&asked.page, asked.byte_order_mark, &COLUMNS)?;
    for section in &report.sections {
        let currency = section.currency;
        let mut row = |part: &str, names: [Word; 3], figures: &ItemFigures, share: Option<i128>| {
            let mut cells = vec![Cell::value(part)];
            cells.extend(names.map(|name| Cell::text(name.as_str())));
            cells.extend(item_cells(figures, share, currency));
            sheet.row(cells)
        };
        let none = Word::NONE;
        row("total", [none; 3], &section.total.value, None)?;
        for of in &section.rows {
            row("category", [of.category, none, none], &of.figures.value, of.share_ppm)?;
        }
        for of in &section.products {
            row("product", [of.category, of.sku, of.name], &of.figures.value, of.share_ppm)?;
        }
        for of in &section.breakdown {
            row("breakdown", [none, none, of.key], &of.figures.value, of.share_ppm)?;
        }
    }
    sheet.finish()
}

fn item_cells(figures: &ItemFigures, share_ppm: Option<i128>, currency: Currency) -> Vec<Cell> {
    let quantity = quantity(figures.sums.quantity_micro).replace(',', "").replace('−', "-");
    vec![
        Cell::value(currency.code()),
        Cell::money(figures.sums.amount, currency),
        Cell::value(quantity),
        Cell::money(figures.average_price(), currency),
        Cell::money(figures.sums.refund_amount, currency),
        Cell::ppm(figures.refund_rate_ppm()),
        Cell::ppm(share_ppm),
    ]
}
