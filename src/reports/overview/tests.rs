use chrono_tz::Tz;
use proptest::prelude::*;

use crate::analytics::{ConversionSums, DayBlock, ItemKey, ItemSums, MoneyKind, Slot};
use crate::domain::StoreId;

use super::super::period::Period;
use super::super::testing::{Cell, World, at, contract, conversion, day, paid, query, store};
use super::*;

const NOW: &str = "2026-11-25T06:25:00Z"; // 14:25 on a Wednesday in Shanghai

fn of(world: World, settings: &Settings, query: &Query) -> Overview {
    overview(&world.view(), settings, query).unwrap()
}

#[test]
fn nothing_is_shown_as_nothing() {
    let shown = of(World::default(), &Settings::default(), &query(Period::Today, at(NOW)));
    assert!(shown.sections.is_empty());
    assert_eq!(shown.buckets.len(), 24);
}

#[test]
fn a_day_is_compared_over_whole_hours_only() {
    let world = World::default()
        .with("2026-11-17T17:00:00Z", paid(4, 40_000)) // a week ago 01:00
        .with("2026-11-18T06:00:00Z", paid(9, 90_000)) // a week ago 14:00: later than now, for the chart only
        .with("2026-11-24T17:00:00Z", paid(5, 50_000)) // today 01:00
        .with("2026-11-25T06:00:00Z", paid(1, 10_000)); // today 14:00, running
    let shown = of(world, &contract("wechat_pay", 6_000), &query(Period::Today, at(NOW)));
    let section = &shown.sections[0];
    assert_eq!(section.ladder.value.paid, 60_000);
    assert_eq!(section.ladder.value.payments, 6);
    assert_eq!(section.ladder.value.average(), Some(10_000));
    assert_eq!(section.ladder.value.fees.total(), Some(360));
    assert_eq!(section.ladder.value.net_proceeds(), Some(59_640));
    let pair = section.ladder.pair.as_ref().unwrap();
    assert_eq!((pair.now.paid, pair.before.paid), (50_000, 40_000));
    assert_eq!(section.ladder.map(|ladder| Some(ladder.paid)).change(), Some(0.25));
    // Hour 14 runs, hour 15 has not begun; a week ago both were there.
    let paid_of = |ladder: &Option<Ladder>| ladder.map(|ladder| ladder.paid);
    assert_eq!(paid_of(&section.series[1].value), Some(50_000));
    assert_eq!(paid_of(&section.series[14].value), Some(10_000));
    assert_eq!(paid_of(&section.series[15].value), None);
    assert_eq!(paid_of(&section.series[14].before), Some(90_000));
    assert_eq!(paid_of(&section.series[15].before), Some(0));
    // Wednesday 14:00 has begun once, Thursday never.
    assert_eq!(section.heat[2][14], HeatCell { payments: 1, paid: 10_000, hours: 1 });
    assert_eq!(section.heat[3][14].hours, 0);
}

#[test]
fn without_an_earlier_period_nothing_is_compared() {
    let world = World::default().with("2026-11-24T17:00:00Z", paid(5, 50_000));
    let shown = of(world, &Settings::default(), &query(Period::Today, at(NOW)));
    let section = &shown.sections[0];
    assert_eq!(section.ladder.pair, None);
    assert_eq!(section.series[1].before, None);
    // No contract, no bill: the fee is not known, and so are the proceeds.
    assert_eq!(section.ladder.value.net_proceeds(), None);
}

#[test]
fn two_currencies_stand_apart() {
    let dollars = Cell { currency: "USD", ..paid(1, 999) };
    let world =
        World::default().with("2026-11-24T17:00:00Z", paid(5, 50_000)).with("2026-11-24T17:00:00Z", dollars);
    let shown = of(world, &Settings::default(), &query(Period::Today, at(NOW)));
    let volumes: Vec<_> =
        shown.sections.iter().map(|section| (section.currency.code(), section.ladder.value.paid)).collect();
    assert_eq!(volumes, [("CNY", 50_000), ("USD", 999)]);
    assert_eq!(shown.sections[1].heat[2][1].payments, 1);
}

#[test]
fn each_store_has_its_own_day() {
    // 01:30 UTC on the 25th: the 25th in Shanghai and London, still the 24th in New York.
    let now = at("2026-11-25T01:30:00Z");
    let stores =
        vec![store(1, Tz::Asia__Shanghai), store(2, Tz::Europe__London), store(3, Tz::America__New_York)];
    let mut query = Query::new(stores, Period::Today, now);
    query.by = Some(Breakdown::Store);
    let cell = |store| Cell { store, ..paid(1, 100 * i128::from(store)) };
    let world = World::default()
        .with("2026-11-24T15:00:00Z", cell(1)) // 23:00 the day before
        .with("2026-11-24T17:00:00Z", cell(1)) // 01:00
        .with("2026-11-24T23:00:00Z", cell(2)) // 23:00 the day before
        .with("2026-11-25T01:00:00Z", cell(2)) // 01:00
        .with("2026-11-24T04:00:00Z", cell(3)) // 23:00 the day before
        .with("2026-11-24T06:00:00Z", cell(3)) // 01:00
        .with("2026-11-25T01:00:00Z", cell(3)); // 20:00, running
    let shown = of(world, &Settings::default(), &query);
    let section = &shown.sections[0];
    assert_eq!(section.ladder.value.paid, 100 + 200 + 300 + 300);
    let rows: Vec<_> =
        section.breakdown.iter().map(|row| (row.key.as_str(), row.ladder.value.paid)).collect();
    assert_eq!(rows, [("store-3", 600), ("store-2", 200), ("store-1", 100)]);
    // All three had their one o'clock.
    assert_eq!(section.series[1].value.unwrap().paid, 600);
    assert_eq!(section.series[20].value.unwrap().paid, 300);
}

#[test]
fn success_leaves_out_what_may_still_be_paid() {
    let old = ConversionSums { started: 10, submitted: 10, paid: 8, open: 1, ..ConversionSums::default() };
    let young = ConversionSums { started: 5, submitted: 5, paid: 3, open: 2, ..ConversionSums::default() };
    let world = World::default()
        .with_block(1, day("2026-11-23"), &conversion(Unit::AttemptGroup, "2026-11-23T20:00:00Z", old))
        .with_block(1, day("2026-11-25"), &conversion(Unit::AttemptGroup, "2026-11-25T06:00:00Z", young));
    let shown = of(world, &Settings::default(), &query(Period::LastDays(7), at(NOW)));
    assert_eq!(shown.sections[0].success.value, Proportion { hits: 11, of: 13 });
}

#[test]
fn categories_are_ranked_by_amount() {
    let line = |category: &str, amount: i128| {
        let key = ItemKey {
            provider: Word::NONE,
            scene: Word::NONE,
            promotion: Word::NONE,
            slot: Slot(4),
            method: Word::of("wechat_pay"),
            category: Word::of(category),
            sku: Word::NONE,
            name: Word::NONE,
            currency: Word::of("CNY"),
        };
        let sums = ItemSums { lines: 1, amount, ..ItemSums::default() };
        DayBlock { items: [(key, sums)].into(), ..DayBlock::default() }
    };
    let world = World::default()
        .with("2026-11-25T01:00:00Z", paid(1, 4_000))
        .with_block(1, day("2026-11-25"), &line("tea", 1_000))
        .with_block(1, day("2026-11-25"), &line("", 3_000));
    let shown = of(world, &Settings::default(), &query(Period::Today, at(NOW)));
    let rows: Vec<_> =
        shown.sections[0].categories.iter().map(|slice| (slice.key.as_str(), slice.share_ppm)).collect();
    assert_eq!(rows, [("", Some(750_000)), ("tea", Some(250_000))]);
    assert_eq!(shown.sections[0].categories[1].series[9], 1_000);
}

fn cells() -> impl Strategy<Value = Vec<(i64, Cell)>> {
    let methods = prop::sample::select(vec!["wechat_pay", "alipay", "card", "cash", ""]);
    let kinds = prop::sample::select(vec![
        MoneyKind::Payment,
        MoneyKind::Payment,
        MoneyKind::Refund,
        MoneyKind::Dispute,
        MoneyKind::Hold,
        MoneyKind::TopUp,
        MoneyKind::Fee,
        MoneyKind::Payout,
    ]);
    let one = (0_i64..24 * 20, methods, kinds, 1_i64..5, 0_i128..1_000_000, any::<(bool, bool, bool)>());
    let cell = one.prop_map(|(hour, method, kind, count, amount, (billed, stated, yen))| {
        let cell =
            Cell { store: 1 + i64::from(amount % 2 == 0), ..paid(count, amount).by(method).kind(kind) };
        let cell = if yen { Cell { currency: "JPY", ..cell } } else { cell };
        let cell = if billed { cell.billed("1230000109", amount / 166) } else { cell };
        (hour, if stated { cell.fee(amount / 150) } else { cell })
    });
    prop::collection::vec(cell, 0..60)
}

fn world(cells: &[(i64, Cell)]) -> World {
    cells.iter().fold(World::default(), |world, (hour, cell)| {
        let when = at("2026-11-06T00:00:00Z") + chrono::TimeDelta::hours(*hour);
        world.with(&when.to_rfc3339(), *cell)
    })
}

proptest! {
    #[test]
    fn rows_and_buckets_add_up_to_the_total(cells in cells()) {
        let stores = vec![store(1, Tz::Asia__Shanghai), store(2, Tz::America__New_York)];
        let settings = contract("wechat_pay", 6_000);
        let mut totals = Vec::new();
        for by in [Breakdown::Store, Breakdown::Provider, Breakdown::Method, Breakdown::Scene, Breakdown::Operator] {
            let mut query = Query::new(stores.clone(), Period::LastDays(10), at(NOW));
            query.by = Some(by);
            let shown = of(world(&cells), &settings, &query);
            for section in &shown.sections {
                let mut rows = Ladder::default();
                section.breakdown.iter().for_each(|row| rows += row.ladder.value);
                prop_assert_eq!(rows, section.ladder.value);
                let mut points = Ladder::default();
                section.series.iter().filter_map(|point| point.value).for_each(|value| points += value);
                prop_assert_eq!(points, section.ladder.value);
                let slices: i128 = section.providers.iter().map(|slice| slice.amount.value).sum();
                prop_assert_eq!(slices, section.ladder.value.paid);
            }
            totals.push(shown.sections.iter().map(|section| section.ladder.clone()).collect::<Vec<_>>());
        }
        prop_assert!(totals.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn the_ladder_adds_up_to_the_minor_unit(cells in cells()) {
        let query = query(Period::LastDays(10), at(NOW));
        let shown = of(world(&cells), &contract("alipay", 5_500), &query);
        for section in &shown.sections {
            let ladder = section.ladder.value;
            let discounts = ladder.discount_merchant + ladder.discount_platform + ladder.discount_other();
            prop_assert_eq!(ladder.list - discounts, ladder.paid);
            if let (Some(proceeds), Some(fees)) = (ladder.net_proceeds(), ladder.fees.total()) {
                prop_assert_eq!(ladder.paid - ladder.refunded - ladder.disputed - fees, proceeds);
            }
        }
    }

    #[test]
    fn a_period_is_the_sum_of_its_days(cells in cells()) {
        let view = world(&cells).view();
        let settings = contract("wechat_pay", 6_000);
        let stores = vec![store(1, Tz::Asia__Shanghai), store(2, Tz::America__New_York)];
        let total = |first: &str, last: &str| {
            let period = Period::Custom { first: day(first), last: day(last) };
            let mut query = Query::new(stores.clone(), period, at(NOW));
            query.currency = Some(Currency::CNY);
            let shown = overview(&view, &settings, &query).unwrap();
            shown.sections.first().map_or_else(Ladder::default, |section| section.ladder.value)
        };
        let mut days = Ladder::default();
        for date in ["2026-11-20", "2026-11-21", "2026-11-22"] {
            days += total(date, date);
        }
        prop_assert_eq!(days, total("2026-11-20", "2026-11-22"));
    }
}

#[test]
fn a_store_of_another_organisation_is_not_read() {
    let world = World::default().with("2026-11-24T17:00:00Z", Cell { store: 2, ..paid(5, 50_000) });
    let view = world.view();
    assert!(view.pieces.iter().any(|piece| piece.store == StoreId(2)));
    let shown = overview(&view, &Settings::default(), &query(Period::Today, at(NOW))).unwrap();
    assert!(shown.sections.is_empty());
}
