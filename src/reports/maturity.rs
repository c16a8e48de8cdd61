use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};

use crate::analytics::{ConversionSums, Piece, Slot, View, bucket_upper_ms};
use crate::domain::{Grain, Instant, Proportion, Word};

use super::query::{MATURITY_LOOKBACK_DAYS, Query};
use super::tally::Tally;

/// From when on a payment without a final state counts as not paid: its age is beyond `H`, the 99th percentile of
/// the times to pay of its method over the last 28 days, at least five minutes and at most a day.
#[derive(Clone, Debug)]
pub(super) struct Maturity {
    by_method: BTreeMap<Word, (TimeDelta, Learned)>,
    now: Instant,
    /// Before this UTC day every cell is old.
    young_since: NaiveDate,
}

/// What `H` of a method was learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Payments whose times to pay were looked at; 0: none, and the longest age holds.
    pub payments: i64,
    /// True when a bound decided, not the payments.
    pub clamped: bool,
}

/// Bounds of `H`.
const AGE_MIN: TimeDelta = TimeDelta::minutes(5);
const AGE_MAX: TimeDelta = TimeDelta::hours(24);

impl Maturity {
    pub(super) fn of(view: &View, query: &Query) -> Self {
        let since = (query.now - TimeDelta::days(MATURITY_LOOKBACK_DAYS)).date_naive();
        let mut counts = Tally::new();
        let today = query.now.date_naive();
        let recent = |piece: &&Piece| piece.parts.latency && piece.day >= since && piece.day <= today;
        for piece in view.pieces.iter().filter(recent) {
            piece.cells.latency(|_, key, count| {
                if piece.tells(key.slot) {
                    counts.add((key.method, key.bucket), *count);
                }
            });
        }
        let mut by_bucket: BTreeMap<Word, BTreeMap<u16, i64>> = BTreeMap::new();
        for ((method, bucket), count) in counts.rows() {
            *by_bucket.entry(*method).or_default().entry(*bucket).or_default() += count;
        }
        let by_method = by_bucket
            .into_iter()
            .filter_map(|(method, buckets)| Some((method, learned_from(&buckets)?)))
            .collect();
        let young_since = (query.now - AGE_MAX).date_naive();
        Self { by_method, now: query.now, young_since }
    }

    /// `H` of a method; the longest where no payment of it has a time to pay.
    pub(super) fn age(&self, method: Word) -> TimeDelta {
        self.by_method.get(&method).map_or(AGE_MAX, |(age, _)| *age)
    }

    /// How `H` of a method was learned.
    pub(super) fn learned(&self, method: Word) -> Learned {
        self.by_method.get(&method).map_or(Learned { payments: 0, clamped: true }, |(_, learned)| *learned)
    }

    /// True when every payment of a cell is older than `H`.
    pub(super) fn is_old(&self, method: Word, day: NaiveDate, slot: Slot, grain: Grain) -> bool {
        // A day on, everything is older than the longest age.
        if day < self.young_since {
            return true;
        }
        let width = match grain {
            Grain::Hour => TimeDelta::hours(1),
            Grain::Quarter => TimeDelta::minutes(15),
        };
        slot.starts_at(day) + width + self.age(method) <= self.now
    }
}

fn learned_from(buckets: &BTreeMap<u16, i64>) -> Option<(TimeDelta, Learned)> {
    let told = TimeDelta::milliseconds(percentile_ms(buckets, 99)?);
    let age = told.clamp(AGE_MIN, AGE_MAX);
    Some((age, Learned { payments: buckets.values().sum(), clamped: age != told }))
}

/// The upper end of the bucket in which the percentile lies (never too short); `None` out of nothing.
pub(super) fn percentile_ms(buckets: &BTreeMap<u16, i64>, percent: i64) -> Option<i64> {
    let total: i64 = buckets.values().sum();
    // The smallest rank that has at least so many percent at or below it.
    let rank = (total * percent + 99) / 100;
    let mut passed = 0;
    buckets
        .iter()
        .find(|(_, count)| {
            passed += **count;
            passed >= rank
        })
        .filter(|_| total > 0)
        .map(|(bucket, _)| bucket_upper_ms(*bucket))
}

/// Payments or attempt groups, divided by age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aged {
    /// Young ones too.
    pub all: ConversionSums,
    /// Old enough, or at their end.
    pub mature: i64,
    /// Of these, submitted to a provider.
    pub mature_submitted: i64,
    /// Of these, authorized.
    pub mature_authorized: i64,
    /// Amount of the mature ones.
    pub mature_amount: i128,
}

impl Aged {
    pub(super) fn of(sums: &ConversionSums, old: bool) -> Self {
        // The cell does not say how far its open units came: those still on their way count as authorized and
        // submitted as far as there is room, so that no stage has more mature units than the one before it.
        let mature = if old { sums.started } else { sums.started - sums.open };
        Self {
            all: *sums,
            mature,
            mature_submitted: sums.submitted.min(mature),
            mature_authorized: sums.authorized.min(mature),
            mature_amount: if old { sums.started_amount } else { sums.started_amount - sums.open_amount },
        }
    }

    /// Paid of those that were submitted and are mature.
    pub fn success(&self) -> Proportion {
        Proportion { hits: self.all.paid, of: self.mature_submitted.max(self.all.paid) }
    }
}

impl std::ops::AddAssign for Aged {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.mature += other.mature;
        self.mature_submitted += other.mature_submitted;
        self.mature_authorized += other.mature_authorized;
        self.mature_amount += other.mature_amount;
    }
}

#[cfg(test)]
pub(in crate::reports) mod tests {
    use crate::analytics::{DayBlock, LatencyKey, bucket_of_ms};
    use crate::domain::StoreId;

    use super::super::period::Period;
    use super::super::testing::{at, day, query};
    use super::*;

    pub(in crate::reports) fn latency(method: &str, ms: i64, count: i64) -> DayBlock {
        let key = LatencyKey {
            slot: Slot(0),
            provider: Word::NONE,
            method: Word::of(method),
            bucket: bucket_of_ms(ms),
        };
        DayBlock { latency: BTreeMap::from([(key, count)]), ..DayBlock::default() }
    }

    #[test]
    fn the_age_is_the_99th_percentile_between_five_minutes_and_a_day() {
        let now = at("2026-11-25T06:25:00Z");
        let query = query(Period::Today, now);
        let mut view = View::default();
        let mut block = latency("alipay", 4_000, 98);
        block.apply(&latency("alipay", 900_000, 2));
        block.apply(&latency("card", 1_000, 100));
        block.apply(&latency("bank_transfer", 400_000_000, 10));
        view.insert(StoreId(1), Word::NONE, day("2026-11-20"), block);
        // Too long ago to count.
        view.insert(StoreId(1), Word::NONE, day("2026-10-01"), latency("alipay", 86_400_000, 1_000));
        let maturity = Maturity::of(&view, &query);
        let alipay = maturity.age(Word::of("alipay"));
        assert!(alipay >= TimeDelta::minutes(15) && alipay < TimeDelta::minutes(18), "{alipay}");
        assert_eq!(maturity.age(Word::of("card")), TimeDelta::minutes(5));
        assert_eq!(maturity.age(Word::of("bank_transfer")), TimeDelta::hours(24));
        assert_eq!(maturity.age(Word::of("e_cny")), TimeDelta::hours(24));
        let old = |slot| maturity.is_old(Word::of("card"), day("2026-11-25"), Slot(slot), Grain::Hour);
        // 05:00 to 06:00 is over for 25 minutes; 06:00 to 07:00 is running.
        assert!(old(20) && !old(24));
    }

    #[test]
    fn open_units_are_mature_once_they_are_old() {
        let sums = ConversionSums {
            started: 100,
            submitted: 95,
            authorized: 85,
            paid: 64,
            open: 30,
            ..ConversionSums::default()
        };
        // METRICS 1.4: a young window reads 64 of 70, not 64 of 100.
        let young = Aged::of(&sums, false);
        assert_eq!((young.mature, young.success()), (70, Proportion { hits: 64, of: 70 }));
        let old = Aged::of(&sums, true);
        assert_eq!((old.mature, old.success()), (100, Proportion { hits: 64, of: 95 }));
    }
}
