//! Generated books with planted faults: every fault is found and named, nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    ContractRate, Currency, Instant, OrganisationId, RecordKey, Rounding, Store, StoreId, Word,
};

mod generated;

use generated::{Generated, Shuffle, generate};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn far() -> Instant {
    "2027-06-01T00:00:00Z".parse().unwrap()
}

/// The books of all days, worked on in their order; days that carry on are worked on again.
fn books_of(world: &Generated, order: &[NaiveDate]) -> BTreeMap<NaiveDate, DayBooks> {
    let mut books = BTreeMap::new();
    let mut waiting: BTreeSet<NaiveDate> = BTreeSet::new();
    for first in order {
        waiting.insert(*first);
        while let Some(next) = waiting.pop_first() {
            let rows = world.rows_of(next);
            let done = rework_day(&mut books, next, rows, &world.rules).unwrap();
            waiting.extend(done.carries_to);
        }
    }
    books
}

fn named(books: &BTreeMap<NaiveDate, DayBooks>) -> BTreeSet<(Class, String)> {
    let findings = books.values().flat_map(|day| &day.findings);
    let name = |finding: &Finding| {
        let entry = finding.shop.as_ref().or(finding.bill.as_ref()).unwrap();
        let order = if entry.order_id.is_empty() {
            format!("{} {}", entry.rail, entry.day)
        } else {
            entry.order_id.clone()
        };
        (finding.class_at(far()), order)
    };
    findings.map(name).collect()
}

#[test]
fn every_planted_fault_is_named_and_nothing_else_is() {
    let world = generate(1, 12);
    let books = books_of(&world, &world.days());
    let found = named(&books);
    let missing: Vec<_> = world.planted.difference(&found).collect();
    let invented: Vec<_> = found.difference(&world.planted).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:#?}\ninvented {invented:#?}");
    for class in [
        Class::PaidUnknown,
        Class::OnlyBill,
        Class::OnlyShop,
        Class::AmountDiffers,
        Class::CurrencyDiffers,
        Class::Duplicate,
        Class::FeeDiffers,
        Class::NoBill,
        Class::Late,
        Class::UnderWay,
        Class::Tolerance,
    ] {
        assert!(found.iter().any(|(of, _)| *of == class), "{class:?} was not planted");
    }
    println!("{} rows, {} faults", world.rows(), world.planted.len());
}

#[test]
fn money_at_the_bank_is_found_missing_short_and_late() {
    let world = generate(2, 12);
    let books: Vec<DayBooks> = books_of(&world, &world.days()).into_values().collect();
    let lines: Vec<BankLine> = books.iter().flat_map(|day| day.bank.clone()).collect();
    let found = arrivals(payouts_of(&books, &world.rules), lines, &world.rules, day("2027-06-01"));
    let told: BTreeSet<(String, Arrival, bool)> = found
        .payouts
        .iter()
        .filter(|one| one.arrival != Arrival::Arrived || one.days_late > 0)
        .map(|one| {
            let name = if one.payout.payout_id.is_empty() {
                one.payout.day.to_string()
            } else {
                one.payout.payout_id.clone()
            };
            (name, one.arrival, one.days_late > 0)
        })
        .collect();
    assert_eq!(told, world.planted_payouts);
    assert!(found.payouts.len() > 20, "{}", found.payouts.len());
    let unexplained: Vec<&str> = found.unexplained.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(unexplained, ["财付通 未知来账"]);
}

#[test]
fn the_order_of_rows_and_of_days_decides_nothing() {
    let world = generate(3, 8);
    let expected = books_of(&world, &world.days());
    for seed in 0..4 {
        let shuffled = world.shuffled(seed);
        assert!(books_of(&shuffled, &shuffled.days()) == expected, "rows shuffled by {seed}");
        let mut order = world.days();
        Shuffle::new(seed).shuffle(&mut order);
        assert!(books_of(&world, &order) == expected, "days in the order {order:?}");
    }
    let twice: Vec<NaiveDate> = world.days().into_iter().chain(world.days()).collect();
    assert!(books_of(&world, &twice) == expected, "every day twice");
}

#[test]
fn halves_of_a_bill_come_to_the_same_as_the_whole() {
    let world = generate(4, 6);
    let expected = books_of(&world, &world.days());
    let half = world.half_of_the_lines();
    let mut books = books_of(&half, &half.days());
    let mut waiting: BTreeSet<NaiveDate> = world.days().into_iter().collect();
    while let Some(next) = waiting.pop_first() {
        let done = rework_day(&mut books, next, world.rows_of(next), &world.rules).unwrap();
        waiting.extend(done.carries_to);
    }
    assert!(books == expected, "the second half changed what the whole came to");
}

#[test]
fn books_survive_being_written_down() {
    let world = generate(5, 3);
    for books in books_of(&world, &world.days()).into_values() {
        let text = serde_json::to_string(&books).unwrap();
        assert_eq!(serde_json::from_str::<DayBooks>(&text).unwrap(), books);
    }
    let huge = Tally { count: 1, minor: i128::from(i64::MAX) * 1_000 };
    assert_eq!(serde_json::from_str::<Tally>(&serde_json::to_string(&huge).unwrap()).unwrap(), huge);
}

#[test]
fn what_is_done_by_hand_is_laid_over_and_can_be_taken_back() {
    let world = generate(1, 12);
    let computed: Vec<DayBooks> = books_of(&world, &world.days()).into_values().collect();
    let of = |class: Class, books: &[DayBooks]| -> Vec<RecordKey> {
        let findings = books.iter().flat_map(|day| &day.findings);
        findings.filter(|one| one.class_at(far()) == class).map(|one| one.id).collect()
    };
    let action = |id, kind, finding, other| Action {
        id,
        store: StoreId(1),
        kind,
        finding,
        other,
        person: "A".into(),
        reason: "seen".into(),
        at: far(),
    };
    let (record, line) = (of(Class::OnlyShop, &computed)[0], of(Class::OnlyBill, &computed)[0]);
    let mut books = computed.clone();
    let matched = action(1, ActionKind::Match, record, Some(line));
    apply(&mut books, std::slice::from_ref(&matched));
    assert!(!of(Class::OnlyShop, &books).contains(&record) && !of(Class::OnlyBill, &books).contains(&line));
    for day in &books {
        day.check().unwrap();
    }
    apply(&mut books, &[action(2, ActionKind::Unmatch, record, None)]);
    assert_eq!(books, computed);
    let pair = of(Class::AmountDiffers, &computed)[0];
    apply(&mut books, &[action(3, ActionKind::Unmatch, pair, None)]);
    assert!(of(Class::OnlyShop, &books).contains(&pair));
    for day in &books {
        day.check().unwrap();
    }
    let mut books = computed.clone();
    apply(&mut books, &[action(4, ActionKind::Accept, pair, None), action(5, ActionKind::Note, pair, None)]);
    assert_eq!(of(Class::AcceptedByHand, &books), [pair]);
    let stores: Vec<StoreId> = (1..=3).map(StoreId).collect();
    let total = |books: &[DayBooks]| -> Vec<Option<i128>> {
        summarise(books, &stores, far()).iter().map(AccountSum::difference).collect()
    };
    assert_eq!(total(&books), total(&computed));
}

/// Prints what a day of 100,000 payments and as many lines costs. In release for figures that mean something:
/// `cargo test --release a_day_of_100_000 -- --nocapture`.
#[test]
fn a_day_of_100_000_payments_prints_what_it_costs() {
    let world = generated::one_large_day(100_000);
    let the_day = world.days()[0];
    let rows = world.rows_of(the_day);
    let count = rows.0.len() + rows.1.len();
    let before = memory_kb("VmRSS:");
    let timer = std::time::Instant::now();
    let mut books = BTreeMap::new();
    rework_day(&mut books, the_day, rows, &world.rules).unwrap();
    let seconds = timer.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(count).unwrap()) / seconds;
    let peak = memory_kb("VmHWM:").zip(before).map(|(peak, before)| peak.saturating_sub(before) / 1_024);
    println!("{count} rows in {seconds:.3} s: {rate:.0} rows/s; {peak:?} MB beside the rows");
    assert!(books[&the_day].findings.is_empty());
}

fn memory_kb(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever the shop and its bills say, the parts explain the difference to the minor unit: `rework_day` refuses
    /// books that do not add up, and the sums over all days are those of the rows.
    #[test]
    fn differences_are_explained_to_the_minor_unit(seed in any::<u64>()) {
        let world = generated::chaos(seed);
        let books: Vec<DayBooks> = books_of(&world, &world.days()).into_values().collect();
        let stores: Vec<StoreId> = (1..=3).map(StoreId).collect();
        let mut by_currency: BTreeMap<Currency, i128> = BTreeMap::new();
        for sum in summarise(&books, &stores, far()) {
            let explained: i128 = sum.classes.values().map(|class| class.shop - class.bill).sum();
            prop_assert_eq!(sum.shop.minor - sum.bill.minor, explained);
            *by_currency.entry(sum.currency).or_default() += sum.shop.minor - sum.bill.minor;
        }
        prop_assert_eq!(by_currency, world.differences());
    }
}
