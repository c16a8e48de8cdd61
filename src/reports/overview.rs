use std::collections::BTreeMap;

use crate::analytics::{ConversionKey, Slot, Unit, View};
use crate::domain::{Currency, DayError, Proportion, StoreId, Word};

use super::fee_basis::{Movement, Movements};
use super::figure::{Bucket, Compared, Ladder, Pair, ratio_ppm};
use super::maturity::{Aged, Maturity};
use super::period::{Span, Step};
use super::query::{Breakdown, Query, Settings};
use super::tally::Tally;
use super::walk::{
    Place, Stop, Stores, before_is_known, buckets, hours_of_week, known_buckets, stops, week_hour,
};

/// How much was taken, and what became of it. Sections of different currencies are never added.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    pub spans: Vec<Span>,
    pub step: Step,
    /// The chart's time axis; every series below has one entry for each.
    pub buckets: Vec<Bucket>,
    /// The first store's currency first, then by code. Empty: no data.
    pub sections: Vec<OverviewSection>,
}

/// All figures of one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct OverviewSection {
    pub currency: Currency,
    /// Volume, payments, refunds, fees, net proceeds: see [`Ladder`].
    pub ladder: Compared<Ladder>,
    /// Payment success rate: paid of the attempt groups that were submitted and are mature.
    pub success: Compared<Proportion>,
    pub series: Vec<OverviewPoint>,
    /// By volume, largest first.
    pub providers: Vec<Slice>,
    pub methods: Vec<Slice>,
    /// Basket amounts by category, largest first; [`Word::NONE`] is uncategorised.
    pub categories: Vec<Slice>,
    /// Rows of the breakdown asked for, by volume; they add up to `ladder`. Empty without one.
    pub breakdown: Vec<BreakdownRow>,
    /// By weekday of the business day (Monday first), then by hour of the wall clock.
    pub heat: [[HeatCell; 24]; 7],
}

/// One bucket of the chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverviewPoint {
    /// `None`: not begun, or before data begin.
    pub value: Option<Ladder>,
    /// The same bucket of the earlier period, also where the running one is not there yet.
    pub before: Option<Ladder>,
}

/// One value of a dimension, with its share of the volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// [`Word::NONE`] is "not given".
    pub key: Word,
    pub count: i64,
    /// Minor units.
    pub amount: Compared<i128>,
    /// Millionths of the section's total; `None` out of nothing.
    pub share_ppm: Option<i128>,
    /// Amounts per bucket, for a sparkline.
    pub series: Vec<i128>,
}

/// One row of a breakdown.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakdownRow {
    /// Value of the dimension; for stores the slug. [`Word::NONE`] is "not given".
    pub key: Word,
    pub ladder: Compared<Ladder>,
    /// As in the section; nothing where the dimension is not in the cells (operators).
    pub success: Compared<Proportion>,
}

/// Payments of one hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeatCell {
    pub payments: i64,
    pub paid: i128,
    /// How many such hours have begun in the period; 0 means no value.
    pub hours: u32,
}

/// Works out the overview.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn overview(view: &View, settings: &Settings, query: &Query) -> Result<Overview, DayError> {
    let spans = query.spans()?;
    let mut gathered = Gathered::default();
    let mut money = Tally::new();
    let mut clock = WeekClock::default();
    let movements = Movements::of(view, query, settings, &spans);
    movements.each(Movements::detail_asked(query), |movement| {
        let key = MoneyRow {
            currency: movement.key.currency,
            place: movement.place,
            provider: movement.key.provider,
            method: movement.key.method,
            row: row_of(query, movement),
        };
        money.add(key, movement.ladder);
        // Whole days know no hours: theirs follow.
        if !movement.place.before && !movement.whole {
            let (weekday, hour) = clock.of(query, movement);
            let ladder = &movement.ladder;
            gathered.heat(movement.key.currency, (weekday, hour), ladder.payments, ladder.paid);
        }
    });
    movements.each_hour(|key, weekday, sums| {
        let hour = usize::from(key.hour);
        gathered.heat(key.money.currency, (weekday, hour), sums.count, sums.amount);
    });
    gathered.payments(view, query, &spans);
    gathered.items(view, query, &spans);
    let frame = Frame {
        before: before_is_known(view, query, &spans),
        known: known_buckets(view, query, &spans, false),
        known_before: known_buckets(view, query, &spans, true),
        hours: if view.hours_unknown { [[0; 24]; 7] } else { hours_of_week(query, &spans) },
        broken_down: query.by.is_some(),
    };
    let mut codes: Vec<_> = money.rows().map(|(key, _)| key.currency).collect();
    codes.extend(gathered.success.keys().map(|(currency, _)| *currency));
    let sections = currencies(query, codes)
        .into_iter()
        .map(|currency| section(currency, &money, &mut gathered, &frame))
        .collect();
    Ok(Overview { step: query.step(), buckets: buckets(query, &spans), spans, sections })
}

/// Each once, the first store's own currency first.
pub(super) fn currencies(query: &Query, codes: impl IntoIterator<Item = Word>) -> Vec<Currency> {
    let own = query.stores.first().map(|store| store.currency);
    let distinct: std::collections::BTreeSet<_> = codes.into_iter().collect();
    // A code in a cell was judged at intake.
    let mut currencies: Vec<_> = distinct.iter().filter_map(|code| Currency::parse(code).ok()).collect();
    currencies.sort_by_key(|currency| (Some(*currency) != own, *currency));
    currencies
}

/// The row of the breakdown that a movement belongs to.
pub(super) fn row_of(query: &Query, movement: &Movement) -> Word {
    match &query.by {
        None | Some(Breakdown::Category) => Word::NONE,
        Some(Breakdown::Store) => movement.store_word,
        Some(Breakdown::Provider) => movement.key.provider,
        Some(Breakdown::Method) => movement.key.method,
        Some(Breakdown::Scene) => movement.key.scene,
        Some(Breakdown::Promotion) => movement.key.promotion,
        Some(Breakdown::Operator) => movement.key.operator,
        Some(Breakdown::Attribute(_)) => movement.group,
    }
}

fn takes(query: &Query, key: &ConversionKey) -> bool {
    query.filter.provider.takes(key.provider)
        && query.filter.method.takes(key.method)
        && query.filter.scene.takes(key.scene)
        && query.filter.promotion.takes(key.promotion)
        && query.currency.is_none_or(|only| only.code() == key.currency.as_str())
}

fn success_row(query: &Query, stop: &Stop<'_>, store: StoreId, key: &ConversionKey) -> Word {
    match &query.by {
        Some(Breakdown::Store) => stop.store_of(store).1,
        Some(Breakdown::Provider) => key.provider,
        Some(Breakdown::Method) => key.method,
        Some(Breakdown::Scene) => key.scene,
        Some(Breakdown::Promotion) => key.promotion,
        Some(Breakdown::Attribute(_)) => stop.group,
        // Not in these cells: counted in the section, not in a row.
        Some(Breakdown::Operator | Breakdown::Category) | None => Word::NONE,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MoneyRow {
    currency: Word,
    place: Place,
    provider: Word,
    method: Word,
    row: Word,
}

/// What holds for every section.
struct Frame {
    before: bool,
    known: Vec<bool>,
    known_before: Vec<bool>,
    hours: [[u32; 24]; 7],
    broken_down: bool,
}

/// A figure on its way to be [`Compared`].
#[derive(Clone, Debug, Default)]
pub(super) struct Sides<T> {
    pub value: T,
    pub like: T,
    pub before: T,
}

impl<T: std::ops::AddAssign + Copy> Sides<T> {
    pub(super) fn add(&mut self, place: Place, value: T) {
        if !place.before {
            self.value += value;
            if place.like {
                self.like += value;
            }
        } else if place.like {
            self.before += value;
        }
    }

    pub(super) fn compared(&self, before_is_known: bool) -> Compared<T> {
        let pair = before_is_known.then_some(Pair { now: self.like, before: self.before });
        Compared { value: self.value, pair }
    }
}

#[derive(Clone, Copy, Default)]
struct Sold {
    lines: i64,
    amount: i128,
}

impl std::ops::AddAssign for Sold {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.amount += other.amount;
    }
}

type Heat = [[(i64, i128); 24]; 7];

#[derive(Default)]
struct Gathered {
    heat: BTreeMap<Word, Heat>,
    /// By currency and row of the breakdown.
    success: BTreeMap<(Word, Word), Sides<Aged>>,
    categories: BTreeMap<Word, BTreeMap<Word, SliceSums>>,
}

#[derive(Default)]
struct SliceSums {
    count: i64,
    amount: Sides<i128>,
    series: Vec<i128>,
}

impl SliceSums {
    fn add(&mut self, place: Place, count: i64, amount: i128, buckets: usize) {
        self.amount.add(place, amount);
        if place.before {
            return;
        }
        self.count += count;
        self.series.resize(buckets, 0);
        if let Some(point) = self.series.get_mut(place.bucket) {
            *point += amount;
        }
    }
}

impl Gathered {
    fn heat(&mut self, currency: Word, (weekday, hour): (usize, usize), count: i64, amount: i128) {
        if count == 0 && amount == 0 {
            return;
        }
        let heat = self.heat.entry(currency).or_insert([[(0, 0); 24]; 7]);
        if let Some((payments, paid)) = heat.get_mut(weekday).and_then(|hours| hours.get_mut(hour)) {
            *payments += count;
            *paid += amount;
        }
    }

    fn payments(&mut self, view: &View, query: &Query, spans: &[Span]) {
        let maturity = Maturity::of(view, query);
        // Scenes and promotions are asked for seldom; without them there are several times fewer cells.
        let detail = query.payments_detail();
        let stores = Stores::of(query);
        let mut tally = Tally::new();
        for stop in stops(view, &stores, spans, |parts| parts.conversion) {
            let Some(store) = query.stores.get(stop.store) else { continue };
            let grain = store.grain();
            stop.cells.conversion(detail, |of, key, sums| {
                let Some(place) = stop.place(key.slot) else { return };
                if key.unit == Unit::AttemptGroup && takes(query, key) {
                    let old = stop.whole || maturity.is_old(key.method, stop.day, key.slot, grain);
                    let place = Place { bucket: 0, ..place };
                    let row = success_row(query, &stop, of, key);
                    tally.add((key.currency, row, place), Aged::of(sums, old));
                }
            });
        }
        for ((currency, row, place), aged) in tally.rows() {
            self.success.entry((*currency, *row)).or_default().add(*place, *aged);
        }
    }

    fn items(&mut self, view: &View, query: &Query, spans: &[Span]) {
        // Basket lines know no cashier: no part is better than a wrong one.
        if !query.filter.operator.is_any() {
            return;
        }
        let buckets = spans.iter().map(|span| span.edges.len() - 1).max().unwrap_or(0);
        let mut tally = Tally::new();
        let stores = Stores::of(query);
        for stop in stops(view, &stores, spans, |parts| parts.items) {
            stop.cells.items(query.items_detail(), |_, key, sums| {
                let Some(place) = stop.place(key.slot) else { return };
                if query.takes_item(key) {
                    let sold = Sold { lines: sums.lines, amount: sums.amount };
                    tally.add((key.currency, key.category, place), sold);
                }
            });
        }
        for ((currency, category, place), sold) in tally.rows() {
            let slices = self.categories.entry(*currency).or_default();
            slices.entry(*category).or_default().add(*place, sold.lines, sold.amount, buckets);
        }
    }
}

fn section(
    currency: Currency,
    money: &Tally<MoneyRow, Ladder>,
    gathered: &mut Gathered,
    frame: &Frame,
) -> OverviewSection {
    let code = Word::of(currency.code());
    let mut total = Sides::<Ladder>::default();
    let mut points = vec![(Ladder::default(), Ladder::default()); frame.known.len()];
    let mut providers = BTreeMap::new();
    let mut methods = BTreeMap::new();
    let mut rows: BTreeMap<Word, Sides<Ladder>> = BTreeMap::new();
    for (key, ladder) in money.rows().filter(|(key, _)| key.currency == code) {
        if let Some((value, before)) = points.get_mut(key.place.bucket) {
            *if key.place.before { before } else { value } += *ladder;
        }
        total.add(key.place, *ladder);
        rows.entry(key.row).or_default().add(key.place, *ladder);
        for (slices, word) in [(&mut providers, key.provider), (&mut methods, key.method)] {
            let slice: &mut SliceSums = BTreeMap::entry(slices, word).or_default();
            slice.add(key.place, ladder.payments, ladder.paid, frame.known.len());
        }
    }
    let mut success = Sides::<Aged>::default();
    for ((_, _), sides) in gathered.success.iter().filter(|((of, _), _)| *of == code) {
        success.value += sides.value;
        success.like += sides.like;
        success.before += sides.before;
    }
    let heat = gathered.heat.remove(&code).unwrap_or([[(0, 0); 24]; 7]);
    OverviewSection {
        currency,
        ladder: total.compared(frame.before),
        success: success.compared(frame.before).map(Aged::success),
        series: series(&points, frame),
        providers: slices(providers, frame),
        methods: slices(methods, frame),
        categories: slices(gathered.categories.remove(&code).unwrap_or_default(), frame),
        breakdown: breakdown(code, rows, gathered, frame),
        heat: std::array::from_fn(|weekday| {
            std::array::from_fn(|hour| {
                let (payments, paid) = heat[weekday][hour];
                HeatCell { payments, paid, hours: frame.hours[weekday][hour] }
            })
        }),
    }
}

fn series(points: &[(Ladder, Ladder)], frame: &Frame) -> Vec<OverviewPoint> {
    let known = |known: &[bool], index: usize| known.get(index).copied().unwrap_or(false);
    points
        .iter()
        .enumerate()
        .map(|(index, (value, before))| OverviewPoint {
            value: known(&frame.known, index).then_some(*value),
            before: known(&frame.known_before, index).then_some(*before),
        })
        .collect()
}

fn slices(sums: BTreeMap<Word, SliceSums>, frame: &Frame) -> Vec<Slice> {
    let total: i128 = sums.values().map(|slice| slice.amount.value).sum();
    let mut slices: Vec<_> = sums
        .into_iter()
        .filter(|(_, slice)| slice.count != 0 || slice.amount.value != 0 || slice.amount.before != 0)
        .map(|(key, mut slice)| {
            slice.series.resize(frame.known.len(), 0);
            Slice {
                key,
                count: slice.count,
                amount: slice.amount.compared(frame.before),
                share_ppm: ratio_ppm(slice.amount.value, total),
                series: slice.series,
            }
        })
        .collect();
    slices.sort_by_key(|slice| (-slice.amount.value, slice.key));
    slices
}

fn breakdown(
    code: Word,
    mut rows: BTreeMap<Word, Sides<Ladder>>,
    gathered: &Gathered,
    frame: &Frame,
) -> Vec<BreakdownRow> {
    if !frame.broken_down {
        return Vec::new();
    }
    for (_, row) in gathered.success.keys().filter(|(of, _)| *of == code) {
        rows.entry(*row).or_default();
    }
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|(key, sides)| BreakdownRow {
            key,
            ladder: sides.compared(frame.before),
            success: gathered
                .success
                .get(&(code, key))
                .map_or_else(Compared::default, |sides| sides.compared(frame.before).map(Aged::success)),
        })
        .collect();
    rows.sort_by_key(|row| (-row.ladder.value.paid, row.key));
    rows
}

/// Remembers the last cell's weekday and hour: cells come slot by slot.
#[derive(Default)]
struct WeekClock {
    last: Option<(usize, chrono::NaiveDate, Slot)>,
    found: (usize, usize),
}

impl WeekClock {
    fn of(&mut self, query: &Query, movement: &Movement) -> (usize, usize) {
        let cell = Some((movement.store, movement.day, movement.key.slot));
        if self.last != cell {
            let at = movement.key.slot.starts_at(movement.day);
            let store = query.stores.get(movement.store);
            self.found = store.map_or((0, 0), |store| week_hour(store, at));
            self.last = cell;
        }
        self.found
    }
}

#[cfg(test)]
mod tests;
