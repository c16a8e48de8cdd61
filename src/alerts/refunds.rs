//! Refund burst: far more refunds than the store's own past lets one expect.

#![expect(clippy::cast_precision_loss, reason = "counts below 2^53; expectations are no money")]
#![expect(clippy::cast_sign_loss, reason = "counts are not negative after `max(0)`")]

use chrono::TimeDelta;

use crate::domain::Instant;

use super::evidence::{SeenHour, Surprise};
use super::series::{Baseline, Series, WINDOW_HOURS_MAX, hour_of, hour_start};
use super::tail::negative_binomial_surprise;
use super::{Evidence, Finding, Loss, Severity, Since, Verdict};

/// False alarms allowed per series and week.
pub const BUDGET_PER_WEEK: f64 = 0.01;
const WINDOWS: [i64; 5] = [1, 2, 4, 8, WINDOW_HOURS_MAX];
/// Fewer refunds are no burst.
const REFUNDS_MIN: i64 = 5;
/// Nor is less than twice the usual number.
const RATIO_MIN: f64 = 2.0;
const LOOKS_MAX: f64 = 17_400.0;
/// A burst is over after so many hours that look usual.
const CALM_HOURS: i64 = 6;
const RECOVERY_SURPRISE_MAX: f64 = 1.0;

/// Judges one store at one moment, all its providers together: a cashier who gives money back does not choose one.
pub fn judge(series: &Series, at: Instant, open: Option<Since>, floor: i64) -> Verdict {
    let Some(baseline) = Baseline::learn(series, at, open.map(|since| since.onset_at)) else {
        return Verdict::Learning;
    };
    let now = hour_of(at);
    if let Some(since) = open {
        let fired_at = since.fired_at.unwrap_or(since.onset_at);
        let (refunds, usual, orders) = sum(series, &baseline, now - CALM_HOURS + 1, now);
        let quiet = refunds < REFUNDS_MIN || surprise_of(refunds, usual, &baseline) < RECOVERY_SURPRISE_MAX;
        let onset = hour_of(since.onset_at);
        return match (at - fired_at >= TimeDelta::hours(CALM_HOURS) && quiet, orders) {
            (true, 0) => Verdict::NoData,
            (true, _) => Verdict::Calm,
            (false, _) => alarm(series, &baseline, onset, at),
        };
    }
    let mut best: Option<(i64, f64)> = None;
    for hours in WINDOWS {
        let first = (now - hours + 1).max(floor);
        let (refunds, usual, _) = sum(series, &baseline, first, now);
        if refunds < REFUNDS_MIN || (refunds as f64) < RATIO_MIN * usual {
            continue;
        }
        let found = surprise_of(refunds, usual, &baseline);
        if best.is_none_or(|(_, known)| found > known) {
            best = Some((first, found));
        }
    }
    match best {
        Some((first, found)) if graded(found, &baseline).fires() => alarm(series, &baseline, first, at),
        _ => Verdict::Calm,
    }
}

fn graded(found: f64, baseline: &Baseline) -> Surprise {
    Surprise::new(found, LOOKS_MAX.min((10.0 * baseline.weekly_refunds).max(30.0)), BUDGET_PER_WEEK)
}

/// Refunds, usual refunds and orders of these hours.
fn sum(series: &Series, baseline: &Baseline, first: i64, last: i64) -> (i64, f64, i64) {
    let (mut refunds, mut usual, mut orders) = (0, 0.0, 0);
    for hour in first..=last {
        let cell = series.cell(hour);
        refunds += cell.refunds;
        orders += cell.started;
        usual += baseline.refunds_in(series, hour);
    }
    (refunds, usual, orders)
}

fn surprise_of(refunds: i64, usual: f64, baseline: &Baseline) -> f64 {
    // Nothing is impossible: a store without a single refund in four weeks may have one.
    negative_binomial_surprise(refunds.max(0) as u64, usual.max(0.05), baseline.refund_size)
}

fn alarm(series: &Series, baseline: &Baseline, first: i64, at: Instant) -> Verdict {
    let now = hour_of(at);
    let onset = (first..=now).find(|hour| series.cell(*hour).refunds > 0).unwrap_or(first);
    let last = (onset..=now).rev().find(|hour| series.cell(*hour).refunds > 0).unwrap_or(now);
    let (refunds, usual, _) = sum(series, baseline, onset, last);
    let amount: i128 = (onset..=last).map(|hour| series.cell(hour).refund_amount).sum();
    let currency = series.ticket.map(|ticket| ticket.currency);
    let hours = ((now - 2 * WINDOW_HOURS_MAX).max(series.first_hour)..=now)
        .map(|hour| {
            let (count, usual, _) = sum(series, baseline, hour, hour);
            SeenHour { from: hour_start(hour), count, of: 0, usual }
        })
        .collect();
    Verdict::Alarm(Box::new(Finding {
        onset_at: hour_start(onset),
        severity: Severity::Warning,
        loss: currency.map(|currency| Loss { minor: amount, currency }),
        evidence: Evidence::RefundSpike {
            from: hour_start(onset),
            until: hour_start(last + 1).min(at),
            refunds,
            usual,
            amount,
            currency,
            operator: series.busiest_refunder(onset, last, refunds),
            surprise: graded(surprise_of(refunds, usual, baseline), baseline),
            hours,
        },
    }))
}
