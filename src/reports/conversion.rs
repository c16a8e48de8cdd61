use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::analytics::{ConversionKey, Detail, Unit, View};
use crate::domain::{Currency, DayError, Proportion, StoreId, Word};

use super::failures::{Failures, failures};
use super::figure::{Bucket, Compared};
use super::maturity::{Aged, Maturity};
use super::overview::{Sides, currencies};
use super::period::{Span, Step};
use super::query::{Breakdown, Query};
use super::tally::Tally;
use super::walk::{Place, Stop, Stores, before_is_known, buckets, known_buckets, stops};

/// Where payments get lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    pub spans: Vec<Span>,
    pub step: Step,
    pub buckets: Vec<Bucket>,
    /// Per method of the period: after how many milliseconds a payment without a final state counts as not paid.
    pub mature_after_ms: BTreeMap<Word, i64>,
    /// The first store's currency first. Empty: no data.
    pub sections: Vec<ConversionSection>,
}

/// One currency.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversionSection {
    pub currency: Currency,
    pub rates: Compared<Rates>,
    /// Per bucket; `None` is not begun or before data begin.
    pub series: Vec<Option<Rates>>,
    pub before: Vec<Option<Rates>>,
    /// By payments started, largest first, by the first attempt's dimensions.
    pub methods: Vec<ConversionRow>,
    pub providers: Vec<ConversionRow>,
    pub scenes: Vec<ConversionRow>,
    /// Rows of the breakdown asked for; they add up to `rates`. Empty without one.
    pub breakdown: Vec<ConversionRow>,
    pub failures: Failures,
}

/// One value of a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversionRow {
    /// [`Word::NONE`] is "not given".
    pub key: Word,
    pub rates: Compared<Rates>,
}

/// Counts of payments and of attempt groups; the rates are made from them when shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Payment intents: retries and changes of method forgiven.
    pub payments: Aged,
    /// Attempt groups.
    pub groups: Aged,
}

/// A share of an amount. Minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueShare {
    pub part: i128,
    pub whole: i128,
}

impl ValueShare {
    /// In 0..=1; `None` out of nothing.
    #[expect(clippy::cast_precision_loss, reason = "a share is shown, not computed with")]
    pub fn share(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }
}

impl Rates {
    /// Conversion, the headline: paid of the mature payments.
    pub fn conversion(&self) -> Proportion {
        Proportion { hits: self.payments.all.paid, of: self.payments.mature }
    }

    /// Conversion weighted by amount.
    pub fn conversion_by_value(&self) -> ValueShare {
        ValueShare { part: self.payments.all.paid_amount, whole: self.payments.mature_amount }
    }

    /// What conversion can come to: all that are young fail, all are paid. Equal bounds when all are mature.
    pub fn bounds(&self) -> (Proportion, Proportion) {
        let (paid, of) = (self.payments.all.paid, self.payments.all.started);
        let young = of - self.payments.mature;
        (Proportion { hits: paid, of }, Proportion { hits: paid + young, of })
    }

    /// Submitted of mature, authorized of submitted, paid of authorized. Their product is the conversion.
    pub fn stages(&self) -> [Proportion; 3] {
        let counts = &self.payments;
        let reached = [counts.mature, counts.mature_submitted, counts.mature_authorized, counts.all.paid];
        std::array::from_fn(|stage| Proportion { hits: reached[stage + 1], of: reached[stage] })
    }

    /// Payment success rate: paid of the submitted attempt groups.
    pub fn success(&self) -> Proportion {
        self.groups.success()
    }

    /// Paid of the started attempt groups, weighted by amount.
    pub fn success_by_value(&self) -> ValueShare {
        ValueShare { part: self.groups.all.paid_amount, whole: self.groups.mature_amount }
    }

    /// Paid by the first attempt, of the same groups as [`Rates::success`].
    pub fn first_try(&self) -> Proportion {
        Proportion { hits: self.groups.all.paid_first_try, ..self.success() }
    }

    /// How much retries add: success − first try, as a share.
    pub fn retry_lift(&self) -> Option<f64> {
        Some(self.success().share()? - self.first_try().share()?)
    }

    /// Of the groups with two attempts or more, those paid by a later one.
    pub fn retry_yield(&self) -> Proportion {
        Proportion { hits: self.groups.all.retried_paid, of: self.groups.all.retried }
    }

    /// Of the mature payments, those the shopper left: cancelled, or expired unpaid.
    pub fn abandoned(&self) -> Proportion {
        Proportion { hits: self.payments.all.abandoned, of: self.payments.mature }
    }

    /// Of the mature payments, those lost with a technical failure.
    pub fn lost_technically(&self) -> Proportion {
        Proportion { hits: self.payments.all.failed_technical, of: self.payments.mature }
    }

    /// "n of N mature".
    pub fn mature(&self) -> Proportion {
        Proportion { hits: self.payments.mature, of: self.payments.all.started }
    }
}

impl AddAssign for Rates {
    fn add_assign(&mut self, other: Self) {
        self.payments += other.payments;
        self.groups += other.groups;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    unit: Unit,
    currency: Word,
    place: Place,
    provider: Word,
    method: Word,
    /// `None`: told by another piece.
    scene: Option<Word>,
    /// Counts for its scene only: the rest is told by another piece.
    scene_only: bool,
    row: Word,
}

/// Works out the conversion.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn conversion(view: &View, query: &Query) -> Result<Conversion, DayError> {
    let spans = query.spans()?;
    let maturity = Maturity::of(view, query);
    let mut tally = Tally::new();
    let stores = Stores::of(query);
    for stop in stops(view, &stores, &spans, |parts| parts.conversion || parts.scenes) {
        let Some(store) = query.stores.get(stop.store) else { continue };
        let grain = store.grain();
        // The page always shows scenes.
        stop.cells.conversion(Detail::Full, |of, key, sums| {
            let Some(place) = stop.place(key.slot) else { return };
            if !takes(query, key) {
                return;
            }
            let old = stop.whole || maturity.is_old(key.method, stop.day, key.slot, grain);
            let ConversionKey { unit, provider, method, currency, .. } = *key;
            let (scene, scene_only) = (stop.parts.scenes.then_some(key.scene), !stop.parts.conversion);
            let row = row_of(query, &stop, of, key);
            let key = Key { unit, currency, place, provider, method, scene, scene_only, row };
            tally.add(key, Aged::of(sums, old));
        });
    }
    let mut failures = failures(view, query, &spans);
    let frame = Frame {
        before: before_is_known(view, query, &spans),
        known: known_buckets(view, query, &spans, false),
        known_before: known_buckets(view, query, &spans, true),
        broken_down: query.by.is_some(),
    };
    let codes = tally.rows().map(|(key, _)| key.currency).chain(failures.keys().copied());
    let sections = currencies(query, codes)
        .into_iter()
        .map(|currency| {
            let failures = failures.remove(&Word::of(currency.code())).unwrap_or_default();
            section(currency, &tally, failures, &frame)
        })
        .collect();
    let methods = tally.rows().map(|(key, _)| key.method);
    let mature_after_ms = methods.map(|method| (method, maturity.age(method).num_milliseconds())).collect();
    let buckets = buckets(query, &spans);
    Ok(Conversion { step: query.step(), buckets, mature_after_ms, sections, spans })
}

fn takes(query: &Query, key: &ConversionKey) -> bool {
    query.filter.provider.takes(key.provider)
        && query.filter.method.takes(key.method)
        && query.filter.scene.takes(key.scene)
        && query.filter.promotion.takes(key.promotion)
        && query.currency.is_none_or(|only| only.code() == key.currency.as_str())
}

/// The row of the breakdown that a conversion cell belongs to.
fn row_of(query: &Query, stop: &Stop<'_>, store: StoreId, key: &ConversionKey) -> Word {
    match &query.by {
        Some(Breakdown::Store) => stop.store_of(store).1,
        Some(Breakdown::Provider) => key.provider,
        Some(Breakdown::Method) => key.method,
        Some(Breakdown::Scene) => key.scene,
        Some(Breakdown::Promotion) => key.promotion,
        // Not in these cells: the view was made from rows, divided by it.
        Some(Breakdown::Attribute(_) | Breakdown::Operator) => stop.group,
        Some(Breakdown::Category) | None => Word::NONE,
    }
}

struct Frame {
    before: bool,
    known: Vec<bool>,
    known_before: Vec<bool>,
    broken_down: bool,
}

fn section(
    currency: Currency,
    tally: &Tally<Key, Aged>,
    failures: Failures,
    frame: &Frame,
) -> ConversionSection {
    let code = Word::of(currency.code());
    let mut total = Sides::<Rates>::default();
    let mut points = vec![(Rates::default(), Rates::default()); frame.known.len()];
    let mut dimensions: [BTreeMap<Word, Sides<Rates>>; 3] = Default::default();
    let mut scenes: BTreeMap<Word, Sides<Rates>> = BTreeMap::new();
    for (key, aged) in tally.rows().filter(|(key, _)| key.currency == code) {
        let rates = &match key.unit {
            Unit::Payment => Rates { payments: *aged, ..Rates::default() },
            Unit::AttemptGroup => Rates { groups: *aged, ..Rates::default() },
        };
        if let Some(scene) = key.scene {
            scenes.entry(scene).or_default().add(key.place, *rates);
        }
        if key.scene_only {
            continue;
        }
        total.add(key.place, *rates);
        if let Some((now, before)) = points.get_mut(key.place.bucket) {
            *if key.place.before { before } else { now } += *rates;
        }
        for (rows, word) in dimensions.iter_mut().zip([key.method, key.provider, key.row]) {
            rows.entry(word).or_default().add(key.place, *rates);
        }
    }
    let shown = |known: &[bool], points: Vec<Rates>| -> Vec<Option<Rates>> {
        points.into_iter().zip(known).map(|(rates, known)| known.then_some(rates)).collect()
    };
    let (now, before): (Vec<_>, Vec<_>) = points.into_iter().unzip();
    let [methods, providers, broken_down] = dimensions.map(|sums| rows(sums, frame));
    ConversionSection {
        currency,
        rates: total.compared(frame.before),
        series: shown(&frame.known, now),
        before: shown(&frame.known_before, before),
        methods,
        providers,
        scenes: rows(scenes, frame),
        breakdown: if frame.broken_down { broken_down } else { Vec::new() },
        failures,
    }
}

fn rows(sums: BTreeMap<Word, Sides<Rates>>, frame: &Frame) -> Vec<ConversionRow> {
    let mut rows: Vec<_> = sums
        .into_iter()
        .map(|(key, sides)| ConversionRow { key, rates: sides.compared(frame.before) })
        .collect();
    rows.sort_by_key(|row| (-row.rates.value.payments.all.started, row.key));
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::analytics::ConversionSums;

    use super::super::period::Period;
    use super::super::testing::{World, at, conversion as block, day, query};
    use super::*;

    const NOW: &str = "2026-11-25T06:25:00Z";

    fn shown(world: World) -> Conversion {
        conversion(&world.view(), &query(Period::LastDays(7), at(NOW))).unwrap()
    }

    fn old(unit: Unit, sums: ConversionSums) -> World {
        World::default().with_block(1, day("2026-11-20"), &block(unit, "2026-11-20T04:00:00Z", sums))
    }

    #[test]
    fn the_headline_and_its_stages() {
        let sums = ConversionSums {
            started: 200,
            submitted: 180,
            authorized: 150,
            paid: 144,
            abandoned: 20,
            failed_technical: 6,
            started_amount: 2_000_000,
            paid_amount: 1_500_000,
            ..ConversionSums::default()
        };
        let shown = shown(old(Unit::Payment, sums));
        let rates = shown.sections[0].rates.value;
        assert_eq!(rates.conversion(), Proportion { hits: 144, of: 200 });
        assert_eq!(rates.conversion_by_value().share(), Some(0.75));
        assert_eq!(rates.abandoned(), Proportion { hits: 20, of: 200 });
        assert_eq!(rates.lost_technically(), Proportion { hits: 6, of: 200 });
        assert_eq!(rates.stages().map(|stage| (stage.hits, stage.of)), [(180, 200), (150, 180), (144, 150)]);
        assert_eq!(rates.bounds().0, rates.bounds().1);
        assert_eq!(shown.sections[0].methods[0].key.as_str(), "wechat_pay");
        // No time to pay is known: a day.
        assert_eq!(shown.mature_after_ms[&Word::of("wechat_pay")], 86_400_000);
    }

    #[test]
    fn young_payments_make_bounds_not_failures() {
        // METRICS 1.4: 64 of 100 paid, 30 on their way.
        let sums = ConversionSums {
            started: 100,
            submitted: 100,
            authorized: 94,
            paid: 64,
            open: 30,
            ..Default::default()
        };
        let world = World::default().with_block(
            1,
            day("2026-11-25"),
            &block(Unit::Payment, "2026-11-25T06:00:00Z", sums),
        );
        let rates = shown(world).sections[0].rates.value;
        assert_eq!(rates.conversion(), Proportion { hits: 64, of: 70 });
        assert_eq!(rates.mature(), Proportion { hits: 70, of: 100 });
        let (low, high) = rates.bounds();
        assert_eq!((low.hits, low.of, high.hits, high.of), (64, 100, 94, 100));
    }

    #[test]
    fn retries_lift_and_yield() {
        let sums = ConversionSums {
            started: 100,
            submitted: 100,
            paid: 92,
            paid_first_try: 80,
            retried: 18,
            retried_paid: 12,
            ..Default::default()
        };
        let rates = shown(old(Unit::AttemptGroup, sums)).sections[0].rates.value;
        assert_eq!(rates.first_try(), Proportion { hits: 80, of: 100 });
        assert!((rates.retry_lift().unwrap() - 0.12).abs() < 1e-12);
        assert_eq!(rates.retry_yield(), Proportion { hits: 12, of: 18 });
        // 92 of 100 lies between 85.0 and 95.9 %.
        let (low, high) = rates.success().wilson_95().unwrap();
        assert!((low - 0.850).abs() < 0.001 && (high - 0.959).abs() < 0.001);
    }

    #[test]
    fn nothing_is_no_rate() {
        assert!(shown(World::default()).sections.is_empty());
        let none = Rates::default();
        assert_eq!(none.conversion().share(), None);
        assert_eq!(none.retry_lift(), None);
        assert_eq!(none.conversion_by_value().share(), None);
    }

    /// Any counts that a cell can hold.
    fn sums() -> impl Strategy<Value = ConversionSums> {
        (0_i64..50, 0_i64..50, 0_i64..50, 0_i64..50, 0_i64..50).prop_map(
            |(paid, lost, late, open, unsent)| {
                let authorized = paid + late;
                let submitted = authorized + lost;
                ConversionSums {
                    started: submitted + open + unsent,
                    submitted: submitted + open / 2,
                    authorized,
                    paid,
                    open: open + late,
                    ..ConversionSums::default()
                }
            },
        )
    }

    proptest! {
        #[test]
        fn the_product_of_the_stages_is_the_conversion(
            cells in prop::collection::vec((0_i64..24 * 8, sums()), 1..20),
        ) {
            let mut world = World::default();
            for (hour, sums) in cells {
                let when = at("2026-11-18T00:00:00Z") + chrono::TimeDelta::hours(hour);
                let change = block(Unit::Payment, &when.to_rfc3339(), sums);
                world = world.with_block(1, when.date_naive(), &change);
            }
            for section in shown(world).sections {
                let rates = section.rates.value;
                let stages = rates.stages();
                // Exact: each stage is counted out of the one before, from all mature ones to those paid.
                prop_assert_eq!(stages[0].of, rates.conversion().of);
                prop_assert_eq!(stages[2].hits, rates.conversion().hits);
                for pair in stages.windows(2) {
                    prop_assert_eq!(pair[0].hits, pair[1].of);
                }
                for stage in stages {
                    prop_assert!(0 <= stage.hits && stage.hits <= stage.of, "{:?}", stages);
                }
                let mut rows = Rates::default();
                section.methods.iter().for_each(|row| rows += row.rates.value);
                prop_assert_eq!(rows, rates);
            }
        }
    }
}
