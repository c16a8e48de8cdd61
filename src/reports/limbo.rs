use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, TimeDelta};

use crate::analytics::{OpenPayments, TransactionLine, Unit, View};
use crate::domain::{Currency, DayError, Word};

use super::maturity::{Learned, Maturity};
use super::query::Query;
use super::walk::{Stores, stops};

/// How many days back payments without a final status are looked for.
pub const LIMBO_DAYS: u16 = 90;
/// Rows of the list.
pub const LIMBO_ROWS_MAX: usize = 500;

/// Payments in limbo (未决): neither paid nor failed, and older than payments of their method usually take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limbo {
    /// Oldest first, at most [`LIMBO_ROWS_MAX`].
    pub rows: Vec<LimboRow>,
    /// All of them.
    pub payments: i64,
    /// Payments and minor units, by currency.
    pub at_stake: BTreeMap<Currency, (i64, i128)>,
    /// By money's first currency and method: the method's usual time and what is at stake.
    pub methods: Vec<LimboMethod>,
    /// There are more than were looked at: figures are of the oldest.
    pub is_cut: bool,
}

/// One payment in limbo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimboRow {
    pub line: TransactionLine,
    pub age: TimeDelta,
}

/// One method of which payments are in limbo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimboMethod {
    pub method: Word,
    pub payments: i64,
    /// From when on a payment is in limbo.
    pub usual: TimeDelta,
    /// How it was learned.
    pub learned: Learned,
    pub at_stake: BTreeMap<Currency, i128>,
}

/// The UTC days on which payments in limbo were begun, and their neighbours: an order may be paid across midnight.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn limbo_days(view: &View, query: &Query) -> Result<BTreeSet<NaiveDate>, DayError> {
    let mut days = BTreeSet::new();
    each_open(view, query, |day, _| {
        days.extend([day.checked_sub_days(Days::new(1)), Some(day), day.checked_add_days(Days::new(1))]);
    })?;
    Ok(days.into_iter().flatten().collect())
}

/// How many orders are in limbo, from the rollups alone.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn limbo_count(view: &View, query: &Query) -> Result<i64, DayError> {
    let mut count = 0;
    each_open(view, query, |_, open| count += open)?;
    Ok(count)
}

/// Day and number of the orders that are open and old.
fn each_open(view: &View, query: &Query, mut take: impl FnMut(NaiveDate, i64)) -> Result<(), DayError> {
    let spans = query.spans()?;
    let maturity = Maturity::of(view, query);
    let stores = Stores::of(query);
    for stop in stops(view, &stores, &spans, |parts| parts.conversion) {
        let Some(store) = query.stores.get(stop.store) else { continue };
        let grain = store.grain();
        stop.cells.conversion(query.payments_detail(), |_, key, sums| {
            let counts = key.unit == Unit::Payment && sums.open > 0 && stop.place(key.slot).is_some();
            if counts && (stop.whole || maturity.is_old(key.method, stop.day, key.slot, grain)) {
                take(stop.day, sums.open);
            }
        });
    }
    Ok(())
}

/// The payments of these that are older than their method usually takes.
pub fn limbo(view: &View, query: &Query, open: OpenPayments) -> Limbo {
    let maturity = Maturity::of(view, query);
    let mut limbo = Limbo { is_cut: open.is_cut, ..Limbo::default() };
    let mut methods: BTreeMap<Word, LimboMethod> = BTreeMap::new();
    for line in open.lines {
        let age = query.now - line.created_at;
        let usual = maturity.age(line.method);
        if age <= usual || age > TimeDelta::days(LIMBO_DAYS.into()) {
            continue;
        }
        limbo.payments += 1;
        let stake = limbo.at_stake.entry(line.currency).or_default();
        stake.0 += 1;
        stake.1 += i128::from(line.amount);
        let method = methods.entry(line.method).or_insert_with(|| LimboMethod {
            method: line.method,
            payments: 0,
            usual,
            learned: maturity.learned(line.method),
            at_stake: BTreeMap::new(),
        });
        method.payments += 1;
        *method.at_stake.entry(line.currency).or_default() += i128::from(line.amount);
        if limbo.rows.len() < LIMBO_ROWS_MAX {
            limbo.rows.push(LimboRow { line, age });
        }
    }
    limbo.methods = methods.into_values().collect();
    limbo.methods.sort_by_key(|method| (-method.payments, method.method));
    limbo
}

#[cfg(test)]
mod tests {
    use crate::domain::{Instant, Kind, RecordKey, Status, StoreId};

    use super::super::period::Period;
    use super::super::testing::{at, day, query};
    use super::*;

    fn line(id: u64, created: &str, amount: i64, method: &str) -> TransactionLine {
        let created_at: Instant = at(created);
        TransactionLine {
            key: RecordKey { high: id, low: 0 },
            day: created_at.date_naive(),
            store: StoreId(1),
            transaction_id: format!("t{id}"),
            created_at,
            completed_at: None,
            kind: Kind::Payment,
            status: Status::Pending,
            amount,
            currency: Currency::CNY,
            provider: Word::NONE,
            method: Word::of(method),
            scene: None,
            operator: Word::NONE,
            order_id: None,
            payment_id: None,
            provider_transaction_id: None,
            customer: None,
            fee: None,
            failure_code: None,
            failure_class: None,
            witness: false,
            test: false,
        }
    }

    #[test]
    fn what_is_older_than_its_method_takes_is_in_limbo_oldest_first() {
        let now = at("2026-11-25T06:25:00Z");
        let query = query(Period::LastDays(LIMBO_DAYS), now);
        let mut view = View::default();
        let block = super::super::maturity::tests::latency("alipay", 4_000, 50);
        view.insert(StoreId(1), Word::NONE, day("2026-11-20"), block);
        let lines = vec![
            line(1, "2026-08-01T00:00:00Z", 1, "alipay"),
            line(2, "2026-11-01T00:00:00Z", 100, "alipay"),
            // Nothing is known of this method: a day.
            line(3, "2026-11-24T06:00:00Z", 20, "card"),
            line(4, "2026-11-24T07:00:00Z", 1_000, "card"),
            line(5, "2026-11-25T06:19:00Z", 3, "alipay"),
            line(6, "2026-11-25T06:22:00Z", 7, "alipay"),
        ];
        let limbo = limbo(&view, &query, OpenPayments { lines, is_cut: false });
        let ids: Vec<&str> = limbo.rows.iter().map(|row| row.line.transaction_id.as_str()).collect();
        assert_eq!(ids, ["t2", "t3", "t5"], "t1 is beyond the days, t4 and t6 are young");
        assert_eq!((limbo.payments, limbo.at_stake[&Currency::CNY]), (3, (3, 123)));
        let alipay = &limbo.methods[0];
        assert_eq!((alipay.payments, alipay.learned), (2, Learned { payments: 50, clamped: true }));
        assert_eq!(alipay.usual, TimeDelta::minutes(5));
        assert_eq!(limbo.methods[1].learned, Learned { payments: 0, clamped: true });
        assert_eq!(limbo.methods[1].usual, TimeDelta::hours(24));
    }
}
