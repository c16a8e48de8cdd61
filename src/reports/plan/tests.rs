//! Whatever blocks a plan takes, a report says what the hours of every store say.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use proptest::prelude::*;

use super::super::testing::{at, day, store};
use super::super::{Breakdown, Compare, Period, Selection, categories, conversion, fees, overview};
use super::*;
use crate::analytics::{
    AttemptKey, AttemptSums, Blocks, Calendars, Changes, ConversionKey, ConversionSums, DayBlock, Feed,
    Freshness, ItemKey, ItemSums, LatencyKey, MoneyKey, MoneyKind, MoneySums, Slot, Unit, View, bucket_of_ms,
    level_changes,
};
use crate::domain::{Status, Store};

const NOW: &str = "2026-11-25T06:25:00Z";
const WORDS: [&str; 3] = ["wechat_pay", "card", ""];

fn cell(days_back: i64, of: [u8; 8], amount: i64) -> (i64, NaiveDate, DayBlock) {
    let utc_day = day("2026-11-25") - TimeDelta::days(days_back);
    let word = |number: u8| Word::of(WORDS[usize::from(number) % WORDS.len()]);
    let (provider, method, scene, promotion) = (word(of[0]), word(of[1]), word(of[2]), word(of[3]));
    let currency = Word::of(if of[4].is_multiple_of(5) { "USD" } else { "CNY" });
    let slot = Slot(of[5] % 24 * 4);
    let (feed, kind) = match of[6] % 8 {
        0 => (Feed::Ledger, MoneyKind::Payment),
        1 => (Feed::Live, MoneyKind::Refund),
        2 => (Feed::Ledger, MoneyKind::Fee),
        _ => (Feed::Live, MoneyKind::Payment),
    };
    let (account, operator) = (Word::of("default"), word(of[7]));
    let money =
        MoneyKey { slot, feed, kind, account, provider, method, scene, operator, promotion, currency };
    let (amount, count) = (i128::from(amount), i64::from(of[7] % 4) + 1);
    let sums = MoneySums { count, amount, list: amount, fee: amount / 100, ..MoneySums::default() };
    let sums = MoneySums { fee_known_count: count, fee_known_amount: amount, ..sums };
    let status = if of[7].is_multiple_of(3) { Status::Failed } else { Status::Succeeded };
    let (failure_code, failure_class) = (Word::NONE, None);
    let attempt = AttemptKey {
        slot,
        provider,
        method,
        scene,
        promotion,
        currency,
        status,
        failure_code,
        failure_class,
    };
    let reached = ConversionSums { started: count, submitted: count, paid: count / 2, ..Default::default() };
    let reached = ConversionSums { open: count % 2, started_amount: amount, ..reached };
    let unit = if of[7].is_multiple_of(2) { Unit::Payment } else { Unit::AttemptGroup };
    let (category, sku, name) = (word(of[4]), word(of[5]), Word::NONE);
    let item = ItemKey { slot, provider, method, scene, promotion, category, sku, name, currency };
    let mut block = DayBlock::default();
    block.money.insert(money, sums);
    block.attempts.insert(attempt, AttemptSums { count, amount });
    block
        .conversion
        .insert(ConversionKey { unit, slot, provider, method, scene, promotion, currency }, reached);
    block.items.insert(item, ItemSums { lines: count, amount, ..ItemSums::default() });
    // Four weeks back the hours are read by UTC days, whole days by business days: not at the edge. Nor is one of the
    // business day that has not begun.
    if !(26..31).contains(&days_back) && (days_back > 0 || slot.0 < 24) {
        let bucket = bucket_of_ms(amount.try_into().unwrap());
        block.latency.insert(LatencyKey { slot, provider, method, bucket }, 1);
    }
    (i64::from(of[6] / 8 % 3) + 1, utc_day, block)
}

fn world() -> impl Strategy<Value = Changes> {
    let days = prop_oneof![0..4_i64, 0..40_i64, 30..128_i64, 364..372_i64];
    let cells = proptest::collection::vec((days, any::<[u8; 8]>(), 1..100_000_i64), 1..80);
    (cells, any::<bool>()).prop_map(|(cells, with_bills)| {
        let mut changes = Changes::new();
        for (days_back, mut of, amount) in cells {
            // Without bills whole days may be summed.
            of[6] |= u8::from(!with_bills);
            let (store, day, block) = cell(days_back, of, amount);
            changes.entry((StoreId(store), day)).or_default().apply(&block);
        }
        changes
    })
}

fn stores() -> Vec<Store> {
    let bar =
        Store { cut_off: chrono::NaiveTime::from_hms_opt(4, 0, 0).unwrap(), ..store(3, Tz::Europe__London) };
    vec![store(1, Tz::Asia__Shanghai), store(2, Tz::Asia__Shanghai), bar]
}

/// A snapshot with every level in its cache.
fn snapshot(changes: &Changes, stores: &[Store]) -> Snapshot {
    let calendars: Calendars = stores.iter().map(|store| (store.id, Calendar::of(store))).collect();
    let mut snapshot = Snapshot { version: 1, ..Snapshot::default() };
    let blocks = level_changes(changes, &calendars).applied(&Blocks::default());
    snapshot.take_blocks(1, &blocks, &calendars);
    for ((store, _), block) in changes {
        if block.money.keys().any(|key| key.feed == Feed::Ledger) {
            let known = Freshness { last_event: at(NOW), last_received: at(NOW) };
            snapshot.freshness.insert((*store, Stream::LedgerLines, Word::of("card")), known);
        }
    }
    snapshot
}

/// The hours of the stores asked for: when a payment is mature depends on no other store.
fn hours(changes: &Changes, asked: &[Store]) -> View {
    let mut view = View::default();
    let is_asked = |store: StoreId| asked.iter().any(|of| of.id == store);
    for ((store, day), block) in changes.iter().filter(|((store, _), _)| is_asked(*store)) {
        view.insert(*store, Word::NONE, *day, block.clone());
    }
    view
}

fn query() -> impl Strategy<Value = Query> {
    let period = prop_oneof![
        Just(Period::Today),
        Just(Period::Yesterday),
        Just(Period::LastDays(7)),
        Just(Period::LastDays(30)),
        Just(Period::ThisMonth),
        Just(Period::LastMonth),
        Just(Period::Custom { first: day("2026-10-20"), last: day("2026-11-10") }),
        Just(Period::Custom { first: day("2026-07-20"), last: day("2026-11-24") }),
    ];
    let compare = prop_oneof![Just(Compare::Previous), Just(Compare::YearBefore), Just(Compare::None)];
    let by = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Breakdown::Store)),
        1 => Just(Some(Breakdown::Method)),
        1 => Just(Some(Breakdown::Scene)),
        1 => Just(Some(Breakdown::Promotion)),
        1 => Just(Some(Breakdown::Provider)),
    ];
    (period, compare, by, 0..8_u8, 0..4_usize).prop_map(|(period, compare, by, filtered, asked)| {
        let only = |bit: u8| match filtered & bit {
            0 => Selection::Any,
            _ => Selection::Only(vec![Word::of("card"), Word::NONE]),
        };
        let mut query = Query { compare, by, ..Query::new(stores(), period, at(NOW)) };
        query.filter.method = only(1);
        query.filter.scene = only(2);
        query.filter.promotion = only(4);
        match asked {
            0 => query.stores.truncate(1),
            1 => query.stores.truncate(2),
            _ => {}
        }
        query
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_level_says_what_the_hours_say(world in world(), query in query()) {
        let snapshot = snapshot(&world, &stores());
        judge(&snapshot, &world, &query)?;
        // Again, with sums that are known.
        judge(&snapshot, &world, &query)?;
    }
}

fn judge(snapshot: &Snapshot, world: &Changes, query: &Query) -> Result<(), TestCaseError> {
    let settings = Settings::default();
    let plan = query.plan(snapshot, &settings, false).unwrap();
    let (blocks, missing) = Blocks::cached(snapshot, &plan.wanted());
    prop_assert!(missing.is_empty());
    let view = plan.view(snapshot, &blocks);
    let fine = hours(world, &query.stores);
    let mut expected = overview(&fine, &settings, query).unwrap();
    let found = overview(&view, &settings, query).unwrap();
    if view.hours_unknown {
        for (section, of) in expected.sections.iter_mut().zip(&found.sections) {
            prop_assert!(of.heat.iter().flatten().all(|cell| cell.hours == 0));
            section.heat = of.heat;
        }
    }
    prop_assert_eq!(found, expected);
    prop_assert_eq!(fees(&view, &settings, query).unwrap(), fees(&fine, &settings, query).unwrap());
    let expected = categories(&fine, &settings, query).unwrap();
    prop_assert_eq!(categories(&view, &settings, query).unwrap(), expected);
    prop_assert_eq!(conversion(&view, query).unwrap(), conversion(&fine, query).unwrap());
    Ok(())
}

#[test]
fn a_year_of_all_stores_comes_from_blocks_of_all_and_the_running_day_from_hours() {
    let changes: Changes = BTreeMap::from([((StoreId(1), day("2026-01-01")), cell(1, [3; 8], 5).2)]);
    let stores = stores()[..2].to_vec();
    let mut snapshot = snapshot(&changes, &stores);
    snapshot.cache = Arc::default();
    let period = Period::LastDays(365);
    let query = Query { compare: Compare::None, ..Query::new(stores, period, at(NOW)) };
    let levels = |query: &Query| -> Vec<Level> {
        let plan = query.plan(&snapshot, &Settings::default(), false).unwrap();
        let figures = plan.pieces.iter().filter(|piece| piece.parts.money);
        let mut levels: Vec<_> = figures.map(|piece| (piece.wanted.level, piece.wanted.owner)).collect();
        levels.dedup();
        levels.into_iter().map(|(level, _)| level).collect()
    };
    assert_eq!(levels(&query), [Level::AllDays, Level::AllHours]);
    let ranked = Query { by: Some(Breakdown::Store), ..query.clone() };
    assert_eq!(levels(&ranked), [Level::Stores, Level::Hours, Level::Hours]);
    // A year is told by its weeks; what is known of them needs no block.
    let plan = query.plan(&snapshot, &Settings::default(), false).unwrap();
    let together = |plan: &Plan| plan.pieces.iter().filter(|of| matches!(of.told, Told::Together(_))).count();
    assert!((52..60).contains(&together(&plan)), "{}", together(&plan));
    let (blocks, _) = Blocks::cached(&snapshot, &plan.wanted());
    plan.view(&snapshot, &blocks);
    // Who may not see all stores is not shown their sum.
    let one = Query { stores: query.stores[1..].to_vec(), ..query };
    assert_eq!(levels(&one), [Level::Days, Level::Hours]);
}

#[test]
fn a_store_that_moved_to_another_zone_is_told_once() {
    let moved = Store { zone: Tz::Asia__Singapore, ..stores()[0].clone() };
    let two = vec![moved, stores()[1].clone()];
    // The levels still stand under the calendar that both had.
    let changes: Changes = [1, 2]
        .map(|store| ((StoreId(store), day("2026-11-20")), cell(5, [3; 8], 100).2))
        .into_iter()
        .collect();
    let snapshot = snapshot(&changes, &stores());
    for two in [two.clone(), two.into_iter().rev().collect()] {
        let query = Query::new(two.clone(), Period::LastDays(30), at(NOW));
        let plan = query.plan(&snapshot, &Settings::default(), false).unwrap();
        let (blocks, _) = Blocks::cached(&snapshot, &plan.wanted());
        let found = overview(&plan.view(&snapshot, &blocks), &Settings::default(), &query).unwrap();
        let expected = overview(&hours(&changes, &two), &Settings::default(), &query).unwrap();
        assert_eq!(found.sections[0].ladder.value, expected.sections[0].ladder.value);
    }
}
