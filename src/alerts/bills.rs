//! Bill not come: an account that has a bill nearly every day has none for a day whose bill is due. Exact.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::domain::{Currency, Instant, Word};

use super::{Evidence, Finding, Loss, Severity, Verdict};

/// A bill nearly every day: on so many of the days before.
const HAD_DAYS_MIN: i64 = 10;
const OF_DAYS: u64 = 14;
/// How far back a missing day is still asked for.
const ASKED_DAYS: u64 = 7;
/// After the time a provider promises.
const GRACE: TimeDelta = TimeDelta::hours(2);
/// A bill so much later is critical.
const CRITICAL_AFTER: TimeDelta = TimeDelta::hours(24);

/// The bills of one account.
#[derive(Clone, Debug)]
pub struct Bills {
    pub provider: Word,
    /// Days (the provider's own) with at least one line.
    pub days: BTreeSet<NaiveDate>,
    /// Paid per day by the store's own records, minor units; `None`: the store sends none.
    pub sales: Option<BTreeMap<NaiveDate, i128>>,
    pub currency: Option<Currency>,
}

/// The zone a provider's bill days are cut in.
pub fn bill_zone(provider: Word) -> Tz {
    match provider.as_str() {
        "wechat_pay" | "alipay" | "unionpay" | "e_cny" => Tz::Asia__Shanghai,
        _ => Tz::UTC,
    }
}

/// When the bill of a day is due, grace included: the next day at 10:00 Beijing time for the providers that promise
/// it, the second next noon (UTC) for all others.
pub fn due_at(provider: Word, day: NaiveDate) -> Instant {
    let zone = bill_zone(provider);
    let (days, hour) = if zone == Tz::Asia__Shanghai { (1, 10) } else { (2, 12) };
    let on = day.checked_add_days(Days::new(days)).unwrap_or(day);
    let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
    let promised = zone.from_local_datetime(&on.and_time(time)).earliest();
    promised.map_or_else(|| on.and_time(time).and_utc(), |promised| promised.with_timezone(&Utc)) + GRACE
}

/// Judges one account at one moment.
pub fn judge(bills: &Bills, at: Instant) -> Verdict {
    let today = at.with_timezone(&bill_zone(bills.provider)).date_naive();
    let due: Vec<NaiveDate> = (1..=ASKED_DAYS + 2)
        .filter_map(|back| today.checked_sub_days(Days::new(back)))
        .filter(|day| due_at(bills.provider, *day) <= at)
        .take(usize::try_from(ASKED_DAYS).unwrap_or(7))
        .collect();
    let mut missing: Vec<NaiveDate> =
        due.iter().copied().filter(|day| !bills.days.contains(day) && is_expected(bills, *day)).collect();
    missing.sort_unstable();
    let (Some(first_day), Some(last_day)) = (missing.first().copied(), missing.last().copied()) else {
        return if due.iter().any(|day| bills.days.contains(day)) { Verdict::Calm } else { Verdict::NoData };
    };
    let before = |back: u64| first_day.checked_sub_days(Days::new(back));
    let had = (1..=OF_DAYS).filter_map(before).filter(|day| bills.days.contains(day)).count();
    let had_days = i64::try_from(had).unwrap_or(0);
    if had_days < HAD_DAYS_MIN {
        return Verdict::Learning;
    }
    let first_due = due_at(bills.provider, first_day);
    let sales =
        bills.sales.as_ref().map(|sales| missing.iter().filter_map(|day| sales.get(day)).sum::<i128>());
    Verdict::Alarm(Box::new(Finding {
        onset_at: first_due,
        severity: if at - first_due >= CRITICAL_AFTER { Severity::Critical } else { Severity::Warning },
        loss: sales.zip(bills.currency).map(|(minor, currency)| Loss { minor, currency }),
        evidence: Evidence::SettlementLate {
            first_day,
            last_day,
            missing: i64::try_from(missing.len()).unwrap_or(i64::MAX),
            due_at: first_due,
            had_days,
            of_days: i64::try_from(OF_DAYS).unwrap_or(14),
            sales,
            currency: bills.currency,
        },
    }))
}

/// True when that day should have a bill: something was sold, or (where the store's own records are not sent) bills came
/// on three of the last four days of this weekday.
fn is_expected(bills: &Bills, day: NaiveDate) -> bool {
    match &bills.sales {
        Some(sales) => sales.get(&day).is_some_and(|sold| *sold > 0),
        None => {
            (1..=4)
                .filter_map(|weeks| day.checked_sub_days(Days::new(7 * weeks)))
                .filter(|same| bills.days.contains(same))
                .count()
                >= 3
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// A bill every day from 1 November up to and with the 23rd.
    fn bills() -> Bills {
        let days: BTreeSet<_> = (0..23).map(|offset| day("2026-11-01") + Days::new(offset)).collect();
        let sales = (0..25).map(|offset| (day("2026-11-01") + Days::new(offset), 10_000)).collect();
        Bills { provider: Word::of("alipay"), days, sales: Some(sales), currency: Some(Currency::CNY) }
    }

    #[test]
    fn a_bill_is_missed_two_hours_after_ten_in_beijing_and_not_before() {
        // 12:00 in Beijing on the 25th is 04:00 UTC.
        assert_eq!(judge(&bills(), at("2026-11-25T03:59:59Z")), Verdict::Calm);
        let Verdict::Alarm(finding) = judge(&bills(), at("2026-11-25T04:00:00Z")) else { panic!() };
        let Evidence::SettlementLate { first_day, missing, had_days, sales, .. } = finding.evidence else {
            panic!()
        };
        assert_eq!((first_day, missing, had_days, sales), (day("2026-11-24"), 1, 14, Some(10_000)));
        assert_eq!(finding.severity, Severity::Warning);
        let Verdict::Alarm(later) = judge(&bills(), at("2026-11-26T04:00:00Z")) else { panic!() };
        assert_eq!(later.severity, Severity::Critical);
    }

    #[test]
    fn a_gap_in_the_middle_is_missed_too_until_its_bill_comes() {
        let mut one = bills();
        one.days.remove(&day("2026-11-21"));
        let now = at("2026-11-24T08:00:00Z");
        let Verdict::Alarm(finding) = judge(&one, now) else { panic!() };
        assert!(matches!(finding.evidence, Evidence::SettlementLate { missing: 1, .. }));
        one.days.insert(day("2026-11-21"));
        assert_eq!(judge(&one, now), Verdict::Calm);
    }

    #[test]
    fn nothing_sold_needs_no_bill_and_few_bills_are_no_habit() {
        let mut closed = bills();
        closed.sales.as_mut().unwrap().remove(&day("2026-11-24"));
        assert_eq!(judge(&closed, at("2026-11-25T08:00:00Z")), Verdict::Calm);
        let mut weekly = bills();
        weekly.days.retain(|day| chrono::Datelike::weekday(day) == chrono::Weekday::Mon);
        assert_eq!(judge(&weekly, at("2026-11-25T08:00:00Z")), Verdict::Learning);
        // Without sales of one's own: no bill on Sundays is a habit as well.
        let mut no_sundays = bills();
        no_sundays.sales = None;
        no_sundays.days.retain(|day| chrono::Datelike::weekday(day) != chrono::Weekday::Sun);
        assert_eq!(judge(&no_sundays, at("2026-11-24T08:00:00Z")), Verdict::Calm);
    }
}
