//! What a fold tells the metrics about payments: the rises of its change. Counters never fall, so a row that replaces
//! another counts in its new outcome and stays counted in none of its open ones.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};

use crate::analytics::{
    Blocks, Calendar, Changes, DayBlock, Detail, Feed, Level, MoneyKind, Snapshot, Unit, Wanted,
    bucket_upper_ms,
};
use crate::domain::{AMOUNT_MINOR_MAX, Currency, FailureClass, Instant, Money, Status, Word};
use crate::store::{Database, StoreError};
use crate::telemetry::{Metrics, Outcome};

/// How far back open payments are looked for.
const PENDING_WITHIN: TimeDelta = TimeDelta::hours(48);

/// Counts what a committed fold brought.
pub(super) fn count_payments(metrics: &Metrics, changes: &Changes) {
    for change in changes.values() {
        count_attempts(metrics, change);
        count_money(metrics, change);
        for (key, count) in &change.latency {
            let seconds = seconds_of_ms(bucket_upper_ms(key.bucket));
            for _ in 0..(*count).max(0) {
                metrics.payment_took(given(key.provider), given(key.method), seconds);
            }
        }
        for (key, sums) in change.conversion.iter().filter(|(key, _)| key.unit == Unit::Payment) {
            let failed = sums.started - sums.paid - sums.open - sums.abandoned;
            for (outcome, count) in [
                (Outcome::Succeeded, sums.paid),
                (Outcome::Failed, failed),
                (Outcome::Cancelled, sums.abandoned),
            ] {
                metrics.orders_ended(given(key.provider), given(key.method), outcome, rise(count));
            }
        }
    }
}

fn count_attempts(metrics: &Metrics, change: &DayBlock) {
    for (key, sums) in &change.attempts {
        let outcome = match key.status {
            Status::Succeeded | Status::Overpaid => Outcome::Succeeded,
            Status::Failed | Status::Blocked | Status::Underpaid => Outcome::Failed,
            Status::Cancelled | Status::Expired => Outcome::Cancelled,
            _ => continue,
        };
        let (provider, method) = (given(key.provider), given(key.method));
        metrics.attempts_ended(provider, method, outcome, rise(sums.count));
        if key.status == Status::Failed {
            let class = key.failure_class.map_or("none", FailureClass::as_str);
            metrics.attempts_failed(provider, method, class, rise(sums.count));
        }
    }
}

fn count_money(metrics: &Metrics, change: &DayBlock) {
    for (key, sums) in change.money.iter().filter(|(key, _)| key.feed == Feed::Live) {
        let Ok(currency) = Currency::parse(key.currency.as_str()) else { continue };
        let provider = given(key.provider);
        match key.kind {
            MoneyKind::Payment => {
                for amount in pieces(sums.amount, currency) {
                    metrics.amount_paid(provider, amount);
                }
            }
            MoneyKind::Refund => {
                metrics.refunds_ended(provider, Outcome::Succeeded, rise(sums.count));
                for amount in pieces(sums.amount, currency) {
                    metrics.amount_refunded(provider, amount);
                }
            }
            _ => {}
        }
    }
}

/// A sum as amounts that each fit one record; nothing for a sum that fell.
fn pieces(sum: i128, currency: Currency) -> impl Iterator<Item = Money> {
    let most = i128::from(AMOUNT_MINOR_MAX);
    let mut left = sum.max(0);
    std::iter::from_fn(move || {
        let piece = left.min(most);
        left -= piece;
        let minor = i64::try_from(piece).ok().filter(|minor| *minor > 0)?;
        Money::from_minor(minor, currency).ok()
    })
}

/// The blocks that hold payments which may still be open.
pub(super) async fn pending_blocks(
    database: &Database,
    snapshot: &Snapshot,
    now: Instant,
) -> Result<Blocks, StoreError> {
    let (first, last) = ((now - PENDING_WITHIN).date_naive(), NaiveDate::MAX);
    let owners: BTreeSet<_> = snapshot.calendars.values().map(Calendar::owner).collect();
    let wanted: Vec<_> =
        owners.into_iter().map(|owner| Wanted { level: Level::AllHours, owner, first, last }).collect();
    database.fetch_blocks(snapshot, &wanted).await
}

/// Sets how many payments are open now, per provider.
pub(super) fn gauge_pending(metrics: &Metrics, blocks: &Blocks) {
    let mut open: BTreeMap<&str, i64> = BTreeMap::new();
    for block in blocks.all() {
        block.conversion(Detail::Coarse, |_, key, sums| {
            if key.unit == Unit::Payment {
                *open.entry(key.provider.as_str()).or_default() += sums.open;
            }
        });
    }
    let counts = open.into_iter().map(|(provider, count)| (provider, u32::try_from(count).unwrap_or(0)));
    metrics.set_payments_pending(counts.collect::<Vec<_>>());
}

fn given(word: Word) -> Option<Word> {
    (!word.is_none()).then_some(word)
}

fn rise(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "a histogram's buckets are far wider than the loss")]
fn seconds_of_ms(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_beyond_one_record_is_counted_in_pieces() {
        let most = i128::from(AMOUNT_MINOR_MAX);
        let whole: i128 = pieces(most * 2 + 7, Currency::CNY).map(|piece| i128::from(piece.minor())).sum();
        assert_eq!(whole, most * 2 + 7);
        assert_eq!(pieces(-5, Currency::CNY).count(), 0);
        assert_eq!(pieces(0, Currency::CNY).count(), 0);
    }
}
