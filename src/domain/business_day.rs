use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::{Instant, Store};

/// A store's business day, named by the local date on which it begins.
pub type BusinessDay = NaiveDate;

/// A half-open span of time: `from` in, `until` out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    pub from: Instant,
    pub until: Instant,
}

impl Range {
    /// True when the instant lies in the span.
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }
}

/// The calendar has no such day (beyond the years chrono can hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such day")]
pub struct DayError;

/// The business day that an instant belongs to.
pub fn business_day_of(store: &Store, at: Instant) -> BusinessDay {
    let local = at.with_timezone(&store.zone).naive_local();
    let shifted = local - (store.cut_off - chrono::NaiveTime::MIN);
    shifted.date()
}

/// The instants of the business days `first` to `last`, both included.
///
/// Days of 23 or 25 hours come out as they are: both ends are computed from local time.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn day_range(store: &Store, first: BusinessDay, last: BusinessDay) -> Result<Range, DayError> {
    let after = last.checked_add_days(Days::new(1)).ok_or(DayError)?;
    Ok(Range {
        from: instant_of(store.zone, first.and_time(store.cut_off))?,
        until: instant_of(store.zone, after.and_time(store.cut_off))?,
    })
}

/// The instant of a local time; in a gap the first minute after it, in an overlap the earlier one.
fn instant_of(zone: Tz, local: NaiveDateTime) -> Result<Instant, DayError> {
    let mut candidate = local;
    // The longest gaps in the zone database are 24 hours (a skipped day at the date line).
    for _ in 0..=(24 * 4) {
        if let Some(found) = zone.from_local_datetime(&candidate).earliest() {
            return Ok(found.with_timezone(&Utc));
        }
        candidate = candidate.checked_add_signed(TimeDelta::minutes(15)).ok_or(DayError)?;
    }
    Err(DayError)
}

#[cfg(test)]
mod tests {
    use super::super::{Currency, OrganisationId, StoreId};
    use super::*;

    fn store(zone: Tz, cut_off_hour: u32) -> Store {
        Store {
            id: StoreId(1),
            organisation: OrganisationId(1),
            slug: "main".into(),
            name: "Main".into(),
            zone,
            cut_off: chrono::NaiveTime::from_hms_opt(cut_off_hour, 0, 0).expect("a time"),
            week_start: chrono::Weekday::Mon,
            currency: Currency::CNY,
            language: "zh-Hans".into(),
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn a_bar_closes_at_four() {
        let bar = store(Tz::Asia__Shanghai, 4);
        let night = "2026-11-24T19:59:59Z".parse::<Instant>().expect("an instant"); // 03:59:59 on the 25th
        assert_eq!(business_day_of(&bar, night), day("2026-11-24"));
        assert_eq!(business_day_of(&bar, night + TimeDelta::seconds(1)), day("2026-11-25"));
        let range = day_range(&bar, day("2026-11-24"), day("2026-11-24")).expect("a range");
        assert_eq!(range.from.to_rfc3339(), "2026-11-23T20:00:00+00:00");
        assert!(range.contains(night));
        assert!(!range.contains(range.until));
    }

    #[test]
    fn days_of_a_clock_change_have_23_and_25_hours() {
        for (zone, date, hours) in [
            (Tz::Europe__London, "2026-03-29", 23),
            (Tz::Europe__London, "2026-10-25", 25),
            (Tz::America__New_York, "2026-11-01", 25),
            (Tz::Asia__Shanghai, "2026-11-01", 24),
        ] {
            let range = day_range(&store(zone, 0), day(date), day(date)).expect("a range");
            assert_eq!((range.until - range.from).num_hours(), hours, "{zone} {date}");
        }
    }

    #[test]
    fn a_cut_off_in_the_gap_is_moved_to_its_end() {
        let range = day_range(&store(Tz::America__New_York, 2), day("2026-03-08"), day("2026-03-08"))
            .expect("a range");
        assert_eq!(range.from.to_rfc3339(), "2026-03-08T07:00:00+00:00");
    }
}
