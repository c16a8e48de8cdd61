use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::analytics::{ItemKey, ItemSums, View};
use crate::domain::{Currency, DayError, StoreId, Word};

use super::conversion::ValueShare;
use super::fee_basis::Movements;
use super::figure::{Bucket, Compared, ratio_ppm};
use super::overview::{Sides, currencies};
use super::period::{Span, Step};
use super::query::{Breakdown, Query, Settings};
use super::tally::Tally;
use super::walk::{Place, Stop, Stores, before_is_known, buckets, known_buckets, stops};

/// What sells, and how it changes. From basket lines: sales without a basket are not here.
#[derive(Clone, Debug, PartialEq)]
pub struct Categories {
    pub spans: Vec<Span>,
    pub step: Step,
    pub buckets: Vec<Bucket>,
    /// The first store's currency first. Empty: no data.
    pub sections: Vec<CategoriesSection>,
}

/// One currency.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoriesSection {
    pub currency: Currency,
    pub total: Compared<ItemFigures>,
    /// Of all sales, whether or not they have a basket: paid by other means than cash.
    pub online: Compared<ValueShare>,
    /// Basket amounts out of all sales: how much of the volume this page speaks of.
    pub covered: ValueShare,
    /// Of the basket amounts, those without a category; millionths.
    pub uncategorised_ppm: Option<i128>,
    /// Largest first; they add up to `total`. [`Word::NONE`] is uncategorised.
    pub rows: Vec<CategoryRow>,
    /// The largest products, at most [`PRODUCTS_MAX`].
    pub products: Vec<ProductRow>,
    /// The products beyond, together; `None` when all are shown.
    pub other_products: Option<ItemFigures>,
    /// Rows of the breakdown asked for; they add up to `total`. Empty without one.
    pub breakdown: Vec<ItemsRow>,
}

/// How many products are listed.
pub const PRODUCTS_MAX: usize = 200;

/// One category.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryRow {
    pub category: Word,
    pub figures: Compared<ItemFigures>,
    /// Millionths of all basket amounts.
    pub share_ppm: Option<i128>,
    /// Amounts per bucket; `None` is not begun or before data begin.
    pub series: Vec<Option<i128>>,
    pub before: Vec<Option<i128>>,
}

/// One product.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductRow {
    pub sku: Word,
    pub name: Word,
    pub category: Word,
    pub figures: Compared<ItemFigures>,
    /// Millionths of all basket amounts.
    pub share_ppm: Option<i128>,
    /// Millionths that this and all larger ones make together (Pareto).
    pub cumulative_ppm: Option<i128>,
}

/// One row of a breakdown.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemsRow {
    pub key: Word,
    pub figures: Compared<ItemFigures>,
    pub share_ppm: Option<i128>,
}

/// Sums over basket lines. Amounts in minor units, quantities in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemFigures {
    pub sums: ItemSums,
    /// Of `sums.amount`, by methods other than cash; lines without a method are in neither.
    pub online_amount: i128,
    pub cash_amount: i128,
}

impl ItemFigures {
    /// Sold less given back.
    pub fn net_amount(&self) -> i128 {
        self.sums.amount - self.sums.refund_amount
    }

    /// Given back, in millionths of sold (activity, by value).
    pub fn refund_rate_ppm(&self) -> Option<i128> {
        ratio_ppm(self.sums.refund_amount, self.sums.amount)
    }

    /// Minor units per piece, half up; `None` when nothing was sold.
    pub fn average_price(&self) -> Option<i128> {
        ratio_ppm(self.sums.amount, self.sums.quantity_micro)
    }

    /// The share paid by other means than cash.
    pub fn online(&self) -> ValueShare {
        ValueShare { part: self.online_amount, whole: self.online_amount + self.cash_amount }
    }
}

impl AddAssign for ItemFigures {
    fn add_assign(&mut self, other: Self) {
        self.sums += other.sums;
        self.online_amount += other.online_amount;
        self.cash_amount += other.cash_amount;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    currency: Word,
    place: Place,
    category: Word,
    row: Word,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Product {
    currency: Word,
    place: Place,
    category: Word,
    sku: Word,
    name: Word,
}

type Products = Tally<Product, ItemFigures>;

/// Paid with and without a method of this kind.
#[derive(Clone, Copy, Default)]
struct Sales {
    online: i128,
    cash: i128,
    paid: i128,
}

impl AddAssign for Sales {
    fn add_assign(&mut self, other: Self) {
        self.online += other.online;
        self.cash += other.cash;
        self.paid += other.paid;
    }
}

struct Frame {
    before: bool,
    known: Vec<bool>,
    known_before: Vec<bool>,
    broken_down: bool,
}

/// Works out the categories.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn categories(view: &View, settings: &Settings, query: &Query) -> Result<Categories, DayError> {
    let spans = query.spans()?;
    let mut tally = Tally::new();
    let stores = Stores::of(query);
    let by_store = query.by == Some(Breakdown::Store);
    for stop in
        stops(view, &stores, &spans, |parts| if by_store { parts.items_by_store } else { parts.items })
    {
        stop.cells.items(query.items_detail(), |of, key, sums| {
            let Some(place) = stop.place(key.slot) else { return };
            if query.takes_item(key) {
                let row = row_of(query, &stop, of, key);
                let (currency, category) = (key.currency, key.category);
                tally.add(Key { currency, place, category, row }, figures_of(key, sums));
            }
        });
    }
    let mut products = Tally::new();
    for stop in stops(view, &stores, &spans, |parts| parts.products) {
        stop.cells.items(query.products_detail(), |_, key, sums| {
            let Some(place) = stop.place(key.slot) else { return };
            if query.takes_item(key) {
                let place = Place { bucket: 0, ..place };
                let ItemKey { currency, category, sku, name, .. } = *key;
                products.add(Product { currency, place, category, sku, name }, figures_of(key, sums));
            }
        });
    }
    let mut sales: BTreeMap<Word, Sides<Sales>> = BTreeMap::new();
    let movements = Movements::of(view, query, settings, &spans);
    movements.each(Movements::detail_asked(query), |movement| {
        let paid = movement.ladder.paid;
        let of_method = match movement.key.method.as_str() {
            "" => Sales { paid, ..Sales::default() },
            "cash" => Sales { paid, cash: paid, ..Sales::default() },
            _ => Sales { paid, online: paid, ..Sales::default() },
        };
        sales.entry(movement.key.currency).or_default().add(movement.place, of_method);
    });
    let frame = Frame {
        before: before_is_known(view, query, &spans),
        known: known_buckets(view, query, &spans, false),
        known_before: known_buckets(view, query, &spans, true),
        broken_down: query.by.is_some(),
    };
    let codes = tally.rows().map(|(key, _)| key.currency).chain(sales.keys().copied());
    let sections = currencies(query, codes)
        .into_iter()
        .map(|currency| {
            let sales = sales.remove(&Word::of(currency.code())).unwrap_or_default();
            section(currency, (&tally, &products), &sales, &frame)
        })
        .collect();
    Ok(Categories { step: query.step(), buckets: buckets(query, &spans), sections, spans })
}

fn figures_of(key: &ItemKey, sums: &ItemSums) -> ItemFigures {
    let (online_amount, cash_amount) = match key.method.as_str() {
        "" => (0, 0),
        "cash" => (0, sums.amount),
        _ => (sums.amount, 0),
    };
    ItemFigures { sums: *sums, online_amount, cash_amount }
}

fn row_of(query: &Query, stop: &Stop<'_>, store: StoreId, key: &ItemKey) -> Word {
    match &query.by {
        Some(Breakdown::Store) => stop.store_of(store).1,
        Some(Breakdown::Method) => key.method,
        Some(Breakdown::Category) => key.category,
        Some(Breakdown::Provider) => key.provider,
        Some(Breakdown::Scene) => key.scene,
        Some(Breakdown::Promotion) => key.promotion,
        // Not in these cells: the view was made from rows, divided by it.
        Some(Breakdown::Attribute(_) | Breakdown::Operator) => stop.group,
        None => Word::NONE,
    }
}

#[derive(Default)]
struct RowSums {
    figures: Sides<ItemFigures>,
    points: Vec<(i128, i128)>,
}

impl RowSums {
    fn add(&mut self, place: Place, figures: ItemFigures, buckets: usize) {
        self.figures.add(place, figures);
        self.points.resize(buckets, (0, 0));
        if let Some((now, before)) = self.points.get_mut(place.bucket) {
            *if place.before { before } else { now } += figures.sums.amount;
        }
    }
}

fn section(
    currency: Currency,
    (tally, sold_products): (&Tally<Key, ItemFigures>, &Products),
    sales: &Sides<Sales>,
    frame: &Frame,
) -> CategoriesSection {
    let code = Word::of(currency.code());
    let mut total = Sides::<ItemFigures>::default();
    let mut by_category: BTreeMap<Word, RowSums> = BTreeMap::new();
    let mut by_product: BTreeMap<(Word, Word, Word), Sides<ItemFigures>> = BTreeMap::new();
    let mut by_row: BTreeMap<Word, Sides<ItemFigures>> = BTreeMap::new();
    for (key, figures) in tally.rows().filter(|(key, _)| key.currency == code) {
        total.add(key.place, *figures);
        by_category.entry(key.category).or_default().add(key.place, *figures, frame.known.len());
        by_row.entry(key.row).or_default().add(key.place, *figures);
    }
    for (key, figures) in sold_products.rows().filter(|(key, _)| key.currency == code) {
        by_product.entry((key.sku, key.name, key.category)).or_default().add(key.place, *figures);
    }
    let sold = total.value.sums.amount;
    let uncategorised = by_category.get(&Word::NONE).map_or(0, |row| row.figures.value.sums.amount);
    let (products, other_products) = products(by_product, sold, frame);
    let online = |sales: &Sales| ValueShare { part: sales.online, whole: sales.online + sales.cash };
    CategoriesSection {
        currency,
        online: sales.compared(frame.before).map(online),
        covered: ValueShare { part: sold, whole: sales.value.paid },
        uncategorised_ppm: ratio_ppm(uncategorised, sold),
        rows: category_rows(by_category, sold, frame),
        products,
        other_products,
        breakdown: if frame.broken_down { items_rows(by_row, sold, frame) } else { Vec::new() },
        total: total.compared(frame.before),
    }
}

fn category_rows(sums: BTreeMap<Word, RowSums>, sold: i128, frame: &Frame) -> Vec<CategoryRow> {
    let mut rows: Vec<_> = sums
        .into_iter()
        .map(|(category, row)| {
            let points = || row.points.iter();
            CategoryRow {
                category,
                figures: row.figures.compared(frame.before),
                share_ppm: ratio_ppm(row.figures.value.sums.amount, sold),
                series: points().zip(&frame.known).map(|((now, _), known)| known.then_some(*now)).collect(),
                before: points()
                    .zip(&frame.known_before)
                    .map(|((_, before), known)| known.then_some(*before))
                    .collect(),
            }
        })
        .collect();
    rows.sort_by_key(|row| (-row.figures.value.sums.amount, row.category));
    rows
}

fn products(
    sums: BTreeMap<(Word, Word, Word), Sides<ItemFigures>>,
    sold: i128,
    frame: &Frame,
) -> (Vec<ProductRow>, Option<ItemFigures>) {
    // A line with neither number nor name is no product; it stays in its category.
    let mut named: Vec<_> =
        sums.into_iter().filter(|((sku, name, _), _)| !(sku.is_none() && name.is_none())).collect();
    named.sort_by_key(|(key, sides)| (-sides.value.sums.amount, *key));
    let mut cumulative = 0;
    let mut others: Option<ItemFigures> = None;
    let mut rows = Vec::new();
    for ((sku, name, category), sides) in named {
        if rows.len() == PRODUCTS_MAX {
            *others.get_or_insert_default() += sides.value;
            continue;
        }
        cumulative += sides.value.sums.amount;
        rows.push(ProductRow {
            sku,
            name,
            category,
            figures: sides.compared(frame.before),
            share_ppm: ratio_ppm(sides.value.sums.amount, sold),
            cumulative_ppm: ratio_ppm(cumulative, sold),
        });
    }
    (rows, others)
}

fn items_rows(sums: BTreeMap<Word, Sides<ItemFigures>>, sold: i128, frame: &Frame) -> Vec<ItemsRow> {
    let mut rows: Vec<_> = sums
        .into_iter()
        .map(|(key, sides)| ItemsRow {
            key,
            figures: sides.compared(frame.before),
            share_ppm: ratio_ppm(sides.value.sums.amount, sold),
        })
        .collect();
    rows.sort_by_key(|row| (-row.figures.value.sums.amount, row.key));
    rows
}

#[cfg(test)]
mod tests {
    use crate::analytics::{DayBlock, Slot};

    use super::super::period::Period;
    use super::super::testing::{World, at, day, paid, query};
    use super::*;

    const NOW: &str = "2026-11-25T06:25:00Z";

    fn line(method: &str, category: &str, sku: &str, sums: ItemSums) -> DayBlock {
        let key = ItemKey {
            provider: Word::NONE,
            scene: Word::NONE,
            promotion: Word::NONE,
            slot: Slot(16),
            method: Word::of(method),
            category: Word::of(category),
            sku: Word::of(sku),
            name: Word::of(sku),
            currency: Word::of("CNY"),
        };
        DayBlock { items: [(key, sums)].into(), ..DayBlock::default() }
    }

    fn sold(pieces: i128, amount: i128) -> ItemSums {
        ItemSums { lines: 1, quantity_micro: pieces * 1_000_000, amount, ..ItemSums::default() }
    }

    fn world() -> World {
        let back = ItemSums {
            refund_lines: 1,
            refund_quantity_micro: 1_000_000,
            refund_amount: 1_500,
            ..ItemSums::default()
        };
        World::default()
            .with("2026-11-24T04:00:00Z", paid(2, 9_000).by("alipay"))
            .with("2026-11-24T04:00:00Z", paid(1, 3_000).by("cash"))
            .with_block(1, day("2026-11-24"), &line("alipay", "tea", "T1", sold(4, 6_000)))
            .with_block(1, day("2026-11-24"), &line("cash", "tea", "T2", sold(1, 2_000)))
            .with_block(1, day("2026-11-24"), &line("alipay", "", "", sold(1, 2_000)))
            .with_block(1, day("2026-11-24"), &line("alipay", "tea", "T1", back))
            .with_block(1, day("2026-11-17"), &line("alipay", "cake", "C1", sold(2, 5_000)))
    }

    fn shown(by: Option<Breakdown>) -> CategoriesSection {
        let mut query = query(Period::Yesterday, at(NOW));
        query.by = by;
        categories(&world().view(), &Settings::default(), &query).unwrap().sections.remove(0)
    }

    #[test]
    fn categories_have_shares_refunds_and_a_past() {
        let section = shown(None);
        assert_eq!(section.total.value.sums.amount, 10_000);
        assert_eq!(section.total.value.net_amount(), 8_500);
        assert_eq!(section.uncategorised_ppm, Some(200_000));
        let names: Vec<_> = section.rows.iter().map(|row| (row.category.as_str(), row.share_ppm)).collect();
        assert_eq!(names, [("tea", Some(800_000)), ("", Some(200_000)), ("cake", Some(0))]);
        let tea = &section.rows[0];
        assert_eq!(tea.figures.value.refund_rate_ppm(), Some(187_500));
        assert_eq!(tea.figures.value.average_price(), Some(1_600));
        assert_eq!(tea.figures.value.online(), ValueShare { part: 6_000, whole: 8_000 });
        assert_eq!(tea.series[12], Some(8_000)); // 04:00 UTC is noon
        assert_eq!(section.rows[2].before[12], Some(5_000));
        assert_eq!(section.rows[2].figures.pair.as_ref().map(|pair| pair.before.sums.amount), Some(5_000));
    }

    #[test]
    fn the_online_share_is_of_all_sales() {
        let section = shown(None);
        assert_eq!(section.online.value, ValueShare { part: 9_000, whole: 12_000 });
        assert_eq!(section.covered, ValueShare { part: 10_000, whole: 12_000 });
    }

    #[test]
    fn products_are_ranked_and_cumulated() {
        let section = shown(None);
        let rows: Vec<_> = section
            .products
            .iter()
            .map(|row| (row.sku.as_str(), row.share_ppm, row.cumulative_ppm))
            .collect();
        assert_eq!(
            rows,
            [
                ("T1", Some(600_000), Some(600_000)),
                ("T2", Some(200_000), Some(800_000)),
                ("C1", Some(0), Some(800_000))
            ]
        );
        assert_eq!(section.other_products, None);
    }

    #[test]
    fn rows_add_up_to_the_total() {
        for by in [Breakdown::Store, Breakdown::Method, Breakdown::Category] {
            let section = shown(Some(by));
            let mut rows = ItemFigures::default();
            section.breakdown.iter().for_each(|row| rows += row.figures.value);
            assert_eq!(rows, section.total.value);
        }
        let section = shown(None);
        let mut rows = ItemFigures::default();
        section.rows.iter().for_each(|row| rows += row.figures.value);
        assert_eq!(rows, section.total.value);
    }

    #[test]
    fn products_beyond_the_limit_are_counted_together() {
        let mut world = World::default();
        for number in 0..PRODUCTS_MAX + 3 {
            world = world.with_block(
                1,
                day("2026-11-24"),
                &line("alipay", "tea", &format!("S{number:04}"), sold(1, 100)),
            );
        }
        let query = query(Period::Yesterday, at(NOW));
        let shown = categories(&world.view(), &Settings::default(), &query).unwrap();
        assert_eq!(shown.sections[0].products.len(), PRODUCTS_MAX);
        assert_eq!(shown.sections[0].other_products.map(|rest| rest.sums.amount), Some(300));
    }
}
