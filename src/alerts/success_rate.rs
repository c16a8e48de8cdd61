//! Success-rate drop: failures against the scope's own past, by an exact tail.

#![expect(clippy::cast_precision_loss, reason = "counts below 2^53; shares are no money")]
#![expect(clippy::cast_possible_truncation, reason = "rounded counts of at most what was counted")]
#![expect(clippy::cast_sign_loss, reason = "counts are not negative after `max(0)`")]

use chrono::TimeDelta;

use crate::domain::Instant;

use super::evidence::{SeenHour, Surprise};
use super::series::{Baseline, Series, WINDOW_HOURS_MAX, hour_of, hour_start};
use super::tail::wandering_binomial_surprise;
use super::{Evidence, Finding, Loss, Severity, Since, Verdict};

/// False alarms allowed per series and week: one a year.
pub const BUDGET_PER_WEEK: f64 = 0.02;
/// Windows tried, in hours that end now. The first hour is the present one, as far as it has gone.
const WINDOWS: [i64; 8] = [1, 2, 3, 4, 6, 8, 12, WINDOW_HOURS_MAX];
const FAILURES_MIN: i64 = 3;
/// Failures must come from at least so many orders.
const ORDERS_MIN: i64 = 2;
/// The smallest drop worth waking for.
const ODDS_RATIO_MIN: f64 = 1.5;
const SHARE_RISE_MIN: f64 = 0.02;
/// Looks a week at most, overlap of windows included (ALERTS 2.3).
const LOOKS_MAX: f64 = 17_400.0;
/// Orders the recovery test needs; after two days fewer will do.
const RECOVERY_ORDERS_MIN: i64 = 20;
const RECOVERY_ORDERS_FEW: i64 = 6;
const RECOVERY_PATIENCE: TimeDelta = TimeDelta::hours(48);
/// Recovered when such a count would turn up by chance once in ten looks.
const RECOVERY_SURPRISE_MAX: f64 = 1.0;

/// Sums of a span of hours.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    failed: i64,
    of: i64,
    /// Attempt groups beyond the first of their order.
    repeated: i64,
    usual: f64,
}

/// Judges one provider at one store at one moment.
///
/// `floor` is the first hour that evidence may come from (the one after the last recovery).
pub fn judge(series: &Series, at: Instant, open: Option<Since>, floor: i64) -> Verdict {
    let Some(baseline) = Baseline::learn(series, at, open.map(|since| since.onset_at)) else {
        return Verdict::Learning;
    };
    match open {
        Some(since) => still_failing(series, &baseline, at, since),
        None => newly_failing(series, &baseline, at, floor),
    }
}

fn newly_failing(series: &Series, baseline: &Baseline, at: Instant, floor: i64) -> Verdict {
    let now = hour_of(at);
    let looks = LOOKS_MAX.min((10.0 * baseline.weekly_failures).max(30.0));
    let mut best: Option<(i64, Surprise)> = None;
    let mut seen = 0;
    for hours in WINDOWS {
        let first = (now - hours + 1).max(floor);
        let window = sum(series, baseline, first, now);
        seen = window.of;
        if !worth_a_look(&window) {
            continue;
        }
        let surprise = Surprise::new(surprise_of(&window, baseline), looks, BUDGET_PER_WEEK);
        if best.is_none_or(|(_, known)| surprise.found > known.found) {
            best = Some((first, surprise));
        }
    }
    match best {
        Some((first, surprise)) if surprise.fires() => alarm(series, baseline, first, at, surprise),
        _ if seen == 0 => Verdict::NoData,
        _ => Verdict::Calm,
    }
}

/// The recovery test: the smallest window after the firing with enough orders.
fn still_failing(series: &Series, baseline: &Baseline, at: Instant, since: Since) -> Verdict {
    let now = hour_of(at);
    let looks = LOOKS_MAX.min((10.0 * baseline.weekly_failures).max(30.0));
    let first_after = hour_of(since.fired_at.unwrap_or(since.onset_at)) + 1;
    let mut from = now;
    let mut window = Window::default();
    while from >= first_after {
        window = sum(series, baseline, from, now);
        if window.of >= RECOVERY_ORDERS_MIN {
            break;
        }
        from -= 1;
    }
    let patient = at - since.fired_at.unwrap_or(since.onset_at) >= RECOVERY_PATIENCE;
    let enough = if patient { RECOVERY_ORDERS_FEW } else { RECOVERY_ORDERS_MIN };
    if since.fired_at.is_some() && window.of >= enough {
        let recovered =
            odds_ratio(&window) < ODDS_RATIO_MIN || surprise_of(&window, baseline) < RECOVERY_SURPRISE_MAX;
        if recovered {
            return Verdict::Calm;
        }
    }
    let whole = sum(series, baseline, hour_of(since.onset_at), now);
    if since.fired_at.is_none() {
        // Still a suspicion: judged by the same test as at first.
        let surprise = Surprise::new(surprise_of(&whole, baseline), looks, BUDGET_PER_WEEK);
        return if worth_a_look(&whole) && surprise.fires() {
            alarm(series, baseline, hour_of(since.onset_at), at, surprise)
        } else {
            Verdict::Calm
        };
    }
    if window.of < enough {
        return Verdict::NoData;
    }
    let surprise = Surprise::new(surprise_of(&whole, baseline), looks, BUDGET_PER_WEEK);
    alarm(series, baseline, hour_of(since.onset_at), at, surprise)
}

fn sum(series: &Series, baseline: &Baseline, first: i64, last: i64) -> Window {
    let mut window = Window::default();
    for hour in first..=last {
        let cell = series.cell(hour);
        // Payments without an outcome count as not failed: failures are known sooner than successes.
        let of = cell.judged() + cell.open;
        window.failed += cell.failed();
        window.of += of;
        window.repeated += (cell.started - cell.intents).max(0);
        window.usual += of as f64 * baseline.failure_share(series, hour);
    }
    window
}

/// Cheap conditions first: the exact tail is only worked out for what would be worth telling.
fn worth_a_look(window: &Window) -> bool {
    window.failed >= FAILURES_MIN
        && window.failed - window.repeated >= ORDERS_MIN
        && (window.failed - window.repeated) as f64 > 1.3 * window.usual
        && odds_ratio(window) >= ODDS_RATIO_MIN
        && shrunk_share(window) - usual_share(window) >= SHARE_RISE_MIN
}

fn usual_share(window: &Window) -> f64 {
    (window.usual / (window.of.max(1)) as f64).clamp(1e-9, 1.0 - 1e-9)
}

/// The observed share, drawn to the usual one by at most 50 orders: 3 of 3 is not 100 %.
fn shrunk_share(window: &Window) -> f64 {
    let usual = usual_share(window);
    let weight = (1.0 / usual).min(50.0);
    (window.failed as f64 + usual * weight) / (window.of as f64 + weight)
}

fn odds_ratio(window: &Window) -> f64 {
    let odds = |share: f64| share / (1.0 - share).max(1e-9);
    odds(shrunk_share(window)) / odds(usual_share(window))
}

fn surprise_of(window: &Window, baseline: &Baseline) -> f64 {
    // Tries of one order are one piece of evidence.
    let failed = (window.failed - window.repeated).max(0) as u64;
    let of = (window.of - window.repeated).max(0) as u64;
    wandering_binomial_surprise(failed, of, usual_share(window), baseline.spread)
}

fn alarm(series: &Series, baseline: &Baseline, first: i64, at: Instant, surprise: Surprise) -> Verdict {
    let now = hour_of(at);
    // The onset is the first hour of the window with more failures than usual.
    let onset = (first..=now)
        .find(|hour| {
            let window = sum(series, baseline, *hour, *hour);
            window.failed as f64 > window.usual.max(0.5)
        })
        .unwrap_or(first);
    let window = sum(series, baseline, onset, now);
    let excess = (window.failed as f64 - window.usual).clamp(0.0, window.failed as f64);
    let lost_orders = excess.round() as i64;
    let severity = if window.failed * 2 >= window.of { Severity::Critical } else { Severity::Warning };
    let hours = ((now - 2 * WINDOW_HOURS_MAX).max(series.first_hour)..=now)
        .map(|hour| {
            let one = sum(series, baseline, hour, hour);
            SeenHour { from: hour_start(hour), count: one.failed, of: one.of, usual: one.usual }
        })
        .collect();
    Verdict::Alarm(Box::new(Finding {
        onset_at: hour_start(onset),
        severity,
        loss: series
            .ticket
            .map(|ticket| Loss { minor: ticket.minor * i128::from(lost_orders), currency: ticket.currency }),
        evidence: Evidence::SuccessRateDrop {
            from: hour_start(onset),
            until: at,
            failed: window.failed,
            of: window.of,
            usual: window.usual,
            surprise,
            hours,
        },
    }))
}
