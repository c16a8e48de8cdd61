//! Hourly counts of one scope and what is usual for it.

#![expect(clippy::cast_precision_loss, reason = "counts below 2^53; rates are no money")]

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Timelike, Weekday};
use chrono_tz::Tz;

use crate::domain::{Currency, Instant, Range, Word};

/// Days of own history a baseline is made of.
pub const HISTORY_DAYS: i64 = 28;
/// Own history shorter than this, or thinner, only learns.
pub const LEARNING_DAYS_MIN: i64 = 14;
/// See [`LEARNING_DAYS_MIN`].
pub const LEARNING_ORDERS_MIN: i64 = 200;
/// Hours before the judged moment that never enter its baseline: the longest window.
pub const WINDOW_HOURS_MAX: i64 = 24;
/// Orders of general experience mixed into a cell of the day.
const CELL_WEIGHT: f64 = 300.0;
/// How far a rate wanders (logit scale) where little is known, and the least that is ever assumed.
const WANDER_PRIOR: f64 = 0.20;
const WANDER_MIN: f64 = 0.05;
const WANDER_MAX: f64 = 1.0;
/// Information after which the measured wander outweighs the prior one.
const WANDER_WEIGHT: f64 = 2_000.0;
/// Cells of the usual day: hours of workdays, then of days off.
const CELLS: usize = 48;

/// Counts of one hour. Attempt groups by the hour they began in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HourCell {
    pub started: i64,
    /// Orders among them: an order tried again after half an hour is two groups.
    pub intents: i64,
    pub paid: i64,
    /// Without an outcome yet.
    pub open: i64,
    /// Given up by the shopper: neither the provider's failure nor its success.
    pub abandoned: i64,
    /// Refunds accepted in the hour.
    pub refunds: i64,
    /// Minor units of the series' currency.
    pub refund_amount: i128,
}

impl HourCell {
    /// Groups with an outcome that says something about the payment itself.
    pub const fn judged(self) -> i64 {
        self.started - self.open - self.abandoned
    }

    /// Groups that failed.
    pub const fn failed(self) -> i64 {
        self.judged() - self.paid
    }
}

/// What an average payment is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub currency: Currency,
    /// Minor units.
    pub minor: i128,
}

/// Counts of one scope, hour by hour without gaps.
#[derive(Clone, Debug)]
pub struct Series {
    pub zone: Tz,
    /// Hours since 1970 of the first cell.
    pub first_hour: i64,
    pub cells: Vec<HourCell>,
    /// `None` where several currencies mix or nothing was paid.
    pub ticket: Option<Ticket>,
    /// The youngest order's own time, where the feed tells it.
    pub last_order: Option<Instant>,
    /// Refunds by hour and cashier, where a cashier is named; only kept for whole stores.
    pub refunders: BTreeMap<(i64, Word), i64>,
    /// Spans of known incidents: they never count as usual.
    pub masked: Vec<Range>,
}

/// The hour (since 1970) an instant lies in.
pub fn hour_of(at: Instant) -> i64 {
    at.timestamp().div_euclid(3600)
}

/// When that hour begins.
pub fn hour_start(hour: i64) -> Instant {
    DateTime::from_timestamp(hour.saturating_mul(3600), 0).unwrap_or_default()
}

impl Series {
    /// The cell of an hour; empty outside of what is known.
    pub fn cell(&self, hour: i64) -> HourCell {
        usize::try_from(hour - self.first_hour)
            .ok()
            .and_then(|index| self.cells.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// Who gave most of the refunds of these hours, where that is more than a third of `refunds`.
    pub fn busiest_refunder(&self, first: i64, last: i64, refunds: i64) -> Option<(String, i64)> {
        let mut by: BTreeMap<Word, i64> = BTreeMap::new();
        for ((_, name), count) in self.refunders.range((first, Word::NONE)..(last + 1, Word::NONE)) {
            *by.entry(*name).or_default() += count;
        }
        let (name, count) = by.into_iter().max_by_key(|(_, count)| *count)?;
        (count * 3 > refunds).then(|| (name.to_string(), count))
    }

    /// Takes another series' orders out of this one.
    pub fn subtract(&mut self, other: &Self) {
        for (index, cell) in self.cells.iter_mut().enumerate() {
            let taken = other.cell(self.first_hour + i64::try_from(index).unwrap_or(0));
            cell.started -= taken.started;
            cell.intents -= taken.intents;
            cell.paid -= taken.paid;
            cell.open -= taken.open;
            cell.abandoned -= taken.abandoned;
            cell.refunds -= taken.refunds;
            cell.refund_amount -= taken.refund_amount;
        }
        self.last_order = None;
    }

    /// Hours of `from..until` that hold data and lie in no known incident.
    pub fn usual_hours(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, HourCell)> {
        let first = from.max(self.first_hour);
        (first..until.max(first)).map(|hour| (hour, self.cell(hour))).filter(|(hour, _)| {
            let start = hour_start(*hour);
            !self
                .masked
                .iter()
                .any(|span| span.from < start + chrono::TimeDelta::hours(1) && start < span.until)
        })
    }

    /// Which cell of the usual day an hour belongs to, in the store's civil time.
    pub fn cell_of(&self, hour: i64) -> usize {
        let local = hour_start(hour).with_timezone(&self.zone);
        let off = matches!(local.weekday(), Weekday::Sat | Weekday::Sun);
        usize::try_from(local.hour()).unwrap_or(0) % 24 + if off { 24 } else { 0 }
    }
}

/// What is usual for a scope, learned from its own past.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Share of failures per cell of the usual day.
    failure: [f64; CELLS],
    /// Orders begun per hour and cell.
    volume: [f64; CELLS],
    /// The last week's volume against the whole window's, 0.25 to 4.
    level: f64,
    /// Logit-scale spread of the failure share: its own wander and what the window leaves open.
    pub spread: f64,
    /// Failures in a usual week.
    pub weekly_failures: f64,
    pub weekly_orders: f64,
    pub weekly_refunds: f64,
    /// Size of the negative binomial of a day's refunds.
    pub refund_size: f64,
}

impl Baseline {
    /// Learns from the 28 days that end 24 hours before `at` (or at `until` if that is earlier, while firing).
    /// `None`: too little history, the scope is still learning.
    pub fn learn(series: &Series, at: Instant, until: Option<Instant>) -> Option<Self> {
        let last = hour_of(at) - WINDOW_HOURS_MAX;
        let last = until.map_or(last, |until| last.min(hour_of(until)));
        let first = last - HISTORY_DAYS * 24;
        let begun = series.cells.iter().position(|cell| cell.started > 0)?;
        let begun = series.first_hour + i64::try_from(begun).ok()?;
        if last - begun.max(first) < LEARNING_DAYS_MIN * 24 {
            return None;
        }
        let first = first.max(begun);
        let mut sums = [Usual::default(); CELLS];
        let mut orders = 0;
        for (hour, cell) in series.usual_hours(first, last) {
            sums[series.cell_of(hour)].add(cell);
            orders += cell.started;
        }
        if orders < LEARNING_ORDERS_MIN {
            return None;
        }
        let mut all = Usual::default();
        for sum in &sums {
            all.merge(sum);
        }
        let failure = smooth_shares(&sums, (all.failed + 0.5) / (all.judged + 1.0));
        let volume = sums.map(|sum| if sum.hours > 0.0 { sum.started / sum.hours } else { 0.0 });
        let weeks = (all.hours / 168.0).max(1.0);
        let mut learned = Self {
            failure,
            volume,
            level: 1.0,
            spread: WANDER_PRIOR,
            weekly_failures: all.failed / weeks,
            weekly_orders: all.started / weeks,
            weekly_refunds: all.refunds / weeks,
            refund_size: refund_size(series, first, last),
        };
        learned.spread = learned.measure_spread(series, first, last, all.judged);
        learned.refund_size = learned.refund_size.min(learned.hourly_refund_size(series, first, last));
        learned.level = learned.measure_level(series, last);
        Some(learned)
    }

    /// The usual share of failures in an hour.
    pub fn failure_share(&self, series: &Series, hour: i64) -> f64 {
        self.failure[series.cell_of(hour)]
    }

    /// Orders usual in a whole hour.
    pub fn orders_in(&self, series: &Series, hour: i64) -> f64 {
        self.volume[series.cell_of(hour)] * self.level
    }

    /// Refunds usual in a whole hour: they follow the orders of the day.
    pub fn refunds_in(&self, series: &Series, hour: i64) -> f64 {
        self.volume[series.cell_of(hour)] * self.weekly_refunds / self.weekly_orders.max(1.0)
    }

    /// How clumped refunds are from hour to hour, by least squares: (r − μ)² = μ + μ² ÷ size.
    fn hourly_refund_size(&self, series: &Series, first: i64, last: i64) -> f64 {
        let (mut over, mut information) = (0.0, 0.0);
        for (hour, cell) in series.usual_hours(first, last) {
            let usual = self.refunds_in(series, hour);
            let residual = cell.refunds as f64 - usual;
            over += residual * residual - usual;
            information += usual * usual;
        }
        if over > 0.0 { (information / over).clamp(1.0, 100.0) } else { 100.0 }
    }

    fn measure_level(&self, series: &Series, last: i64) -> f64 {
        let (mut seen, mut usual) = (0.0, 0.0);
        for (hour, cell) in series.usual_hours(last - 168, last) {
            seen += cell.started as f64;
            usual += self.volume[series.cell_of(hour)];
        }
        ((seen + 5.0) / (usual + 5.0)).clamp(0.25, 4.0)
    }

    /// Least squares of the squared residuals on the sampling variance: what is left over is wander (ALERTS 2.2, 6),
    /// shrunk to the prior where the history carries little information.
    fn measure_spread(&self, series: &Series, first: i64, last: i64, judged: f64) -> f64 {
        let (mut over, mut information, mut mean) = (0.0, 0.0, 0.0);
        for (hour, cell) in series.usual_hours(first, last) {
            let share = self.failure_share(series, hour);
            let of = cell.judged() as f64;
            let variance = of * share * (1.0 - share);
            let residual = cell.failed() as f64 - of * share;
            over += residual * residual - variance;
            information += variance * variance;
            mean += variance;
        }
        let measured = if information > 0.0 { (over / information).max(0.0) * 4.0 / 3.0 } else { 0.0 };
        let weight = mean / (mean + WANDER_WEIGHT);
        let wander = measured.sqrt().mul_add(weight, WANDER_PRIOR * (1.0 - weight));
        let wander = wander.clamp(WANDER_MIN, WANDER_MAX);
        let share = self.failure.iter().sum::<f64>() / 48.0;
        let effective = judged.min(300.0 + judged / 48.0);
        let unknown = 1.0 / (effective * share * (1.0 - share)).max(1.0);
        wander.mul_add(wander, unknown).sqrt()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    hours: f64,
    started: f64,
    judged: f64,
    failed: f64,
    refunds: f64,
}

impl Usual {
    fn add(&mut self, cell: HourCell) {
        self.hours += 1.0;
        self.started += cell.started as f64;
        self.judged += cell.judged() as f64;
        self.failed += cell.failed() as f64;
        self.refunds += cell.refunds as f64;
    }

    fn merge(&mut self, other: &Self) {
        self.hours += other.hours;
        self.started += other.started;
        self.judged += other.judged;
        self.failed += other.failed;
        self.refunds += other.refunds;
    }
}

/// Shares per cell: each mixed with its neighbours (¼ ½ ¼ around the clock), then drawn to the overall share.
fn smooth_shares(sums: &[Usual; CELLS], overall: f64) -> [f64; CELLS] {
    std::array::from_fn(|index| {
        let (day, hour) = (index / 24 * 24, index % 24);
        let before = &sums[day + (hour + 23) % 24];
        let after = &sums[day + (hour + 1) % 24];
        let own = &sums[index];
        let judged = 0.5 * own.judged + 0.25 * (before.judged + after.judged);
        let failed = 0.5 * own.failed + 0.25 * (before.failed + after.failed);
        ((failed + overall * CELL_WEIGHT) / (judged + CELL_WEIGHT)).clamp(1e-6, 1.0 - 1e-6)
    })
}

/// How clumped refunds are: from the mean and variance of daily counts, 1 (very) to 100 (hardly).
fn refund_size(series: &Series, first: i64, last: i64) -> f64 {
    let mut days = Vec::new();
    let mut start = first;
    while start + 24 <= last {
        days.push(series.usual_hours(start, start + 24).map(|(_, cell)| cell.refunds as f64).sum::<f64>());
        start += 24;
    }
    // The two wildest days are left out: a burst of the past must not excuse the next one.
    days.sort_by(f64::total_cmp);
    days.truncate(days.len().saturating_sub(2));
    let count = days.len() as f64;
    if count < 2.0 {
        return 2.0;
    }
    let mean = days.iter().sum::<f64>() / count;
    let variance = days.iter().map(|day| (day - mean) * (day - mean)).sum::<f64>() / (count - 1.0);
    if variance <= mean { 100.0 } else { (mean * mean / (variance - mean)).clamp(1.0, 100.0) }
}
