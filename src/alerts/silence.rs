//! Silence: no order for longer than the usual traffic of these hours lets one expect.

#![expect(clippy::cast_precision_loss, reason = "counts below 2^53; expectations are no money")]

use chrono::TimeDelta;

use crate::domain::{Instant, Word};

use super::evidence::Surprise;
use super::series::{Baseline, Series, hour_of, hour_start};
use super::tail::gap_surprise;
use super::{Evidence, Finding, Loss, Severity, Since, Verdict};

/// False alarms allowed per series and week.
pub const BUDGET_PER_WEEK: f64 = 0.02;
/// Traffic is more clumped than Poisson: shape of the gamma its rate is drawn from (ALERTS 2.4).
const CLUMPING: f64 = 12.0;
/// A minute is a look.
const LOOKS_MAX: f64 = 10_080.0;
/// Orders after the gap that end it.
const ORDERS_TO_RESOLVE: i64 = 2;

/// Judges one provider at one store (or, with `whole`, the store as one) at one moment.
///
/// `others` is the store's remaining traffic: when it is slow too, a holiday or an early closing is the better
/// explanation and the expectation shrinks with it.
pub fn judge(
    series: &Series,
    others: Option<&Series>,
    provider: Word,
    at: Instant,
    open: Option<Since>,
) -> Verdict {
    let Some(baseline) = Baseline::learn(series, at, open.map(|since| since.onset_at)) else {
        return Verdict::Learning;
    };
    if let Some(seen) = open.and_then(|since| since.silent_seen) {
        let from = open.map_or(0, |since| hour_of(since.onset_at - TimeDelta::seconds(1)));
        let now_seen: i64 = (from..=hour_of(at)).map(|hour| series.cell(hour).started).sum();
        if now_seen >= seen + ORDERS_TO_RESOLVE {
            return Verdict::Calm;
        }
    }
    let Some((last_hour, last_order, exact)) = last_order(series, at) else { return Verdict::NoData };
    let mut usual = expected(series, &baseline, last_order, at);
    if let Some(others) = others
        && let Some(usual_others) = Baseline::learn(others, at, None)
    {
        let seen: i64 = (last_hour + 1..=hour_of(at)).map(|hour| others.cell(hour).started).sum();
        let due = expected(others, &usual_others, last_order, at);
        usual *= ((seen as f64 + 2.0) / (due + 2.0)).min(1.0);
    }
    let looks = LOOKS_MAX.min(baseline.weekly_orders.max(30.0));
    let surprise = Surprise::new(gap_surprise(usual, CLUMPING), looks, BUDGET_PER_WEEK);
    if !surprise.fires() {
        return if open.is_some_and(|since| since.fired_at.is_some()) {
            Verdict::NoData
        } else {
            Verdict::Calm
        };
    }
    let evidence = Evidence::TrafficSilence {
        last_order,
        exact,
        until: at,
        usual,
        seen: series.cell(last_hour).started,
        surprise,
    };
    Verdict::Alarm(Box::new(Finding {
        onset_at: last_order,
        severity: if provider.is_none() { Severity::Critical } else { Severity::Warning },
        loss: loss(series, usual),
        evidence,
    }))
}

/// The hour of the last order, its time, and whether that time is the order's own. Without one it is taken as late as
/// the hour allows, so that the gap is never told longer than it is.
fn last_order(series: &Series, at: Instant) -> Option<(i64, Instant, bool)> {
    let now = hour_of(at);
    let newest = series.first_hour + i64::try_from(series.cells.len()).ok()? - 1;
    let hour = (series.first_hour..=newest.min(now)).rev().find(|hour| series.cell(*hour).started > 0)?;
    match series.last_order {
        Some(own) if hour_of(own) == hour && own <= at => Some((hour, own, true)),
        _ => Some((hour, hour_start(hour + 1).min(at), false)),
    }
}

/// Orders usual between two moments.
fn expected(series: &Series, baseline: &Baseline, from: Instant, until: Instant) -> f64 {
    (hour_of(from)..=hour_of(until))
        .map(|hour| {
            let begin = hour_start(hour).max(from);
            let end = hour_start(hour + 1).min(until);
            let share = (end - begin).num_seconds().max(0) as f64 / 3600.0;
            baseline.orders_in(series, hour) * share
        })
        .sum()
}

#[expect(clippy::cast_possible_truncation, reason = "a rounded count of orders")]
fn loss(series: &Series, usual: f64) -> Option<Loss> {
    let orders = i128::from(usual.round() as i64);
    series.ticket.map(|ticket| Loss { minor: ticket.minor * orders, currency: ticket.currency })
}
