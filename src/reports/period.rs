use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta, Timelike};

use crate::domain::{BusinessDay, DayError, Grain, Instant, Range, Store, business_day_of, day_range};

/// Which business days a report covers. Resolved per store: "today" differs between time zones and cut-offs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Period {
    /// The running business day, up to now.
    #[default]
    Today,
    Yesterday,
    /// The last so many days, today included. 7, 28 and 91 are the presets.
    LastDays(u16),
    /// From the store's first day of the week, up to now.
    ThisWeek,
    LastWeek,
    ThisMonth,
    LastMonth,
    /// Both included.
    Custom {
        first: BusinessDay,
        last: BusinessDay,
    },
}

/// What a period is compared with. Always like for like: the same elapsed part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compare {
    /// The same weekdays before; for months the month before.
    #[default]
    Previous,
    /// The same weekdays 52 weeks earlier.
    YearBefore,
    None,
}

/// How a chart divides the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One business day: hours since it began; 23 or 25 of them when clocks change.
    Hour,
    Day,
    /// Seven days each, from the first day of the period.
    Week,
}

/// Longest custom period, in days. Longer ones are cut at their end.
pub const PERIOD_DAYS_MAX: u64 = 3 * 366;

/// From how many days on a chart shows weeks.
const WEEKS_FROM_DAYS: u64 = 100;

/// One store's share of a query: its own days and instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index into [`super::Query::stores`].
    pub store: usize,
    pub first: BusinessDay,
    pub last: BusinessDay,
    /// The instants of the period; ends now when the period is still running.
    pub range: Range,
    /// True when the period is still running: figures are of a part.
    pub partial: bool,
    /// The part of `range` that figures are compared over: up to the last whole cell. Equals `range` for a past period.
    pub like: Range,
    /// What is compared with.
    pub before: Option<Before>,
    /// Starts of the chart's buckets, then the end of the whole period (also its future part).
    pub edges: Vec<Instant>,
}

/// The earlier period of a [`Span`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    pub first: BusinessDay,
    pub last: BusinessDay,
    /// The same elapsed part as [`Span::like`].
    pub like: Range,
    /// The whole earlier period, for the chart.
    pub range: Range,
    /// As [`Span::edges`].
    pub edges: Vec<Instant>,
}

impl Period {
    /// The first and last business day for a store.
    pub fn days(self, store: &Store, now: Instant) -> (BusinessDay, BusinessDay) {
        let today = business_day_of(store, now);
        let back = |day: NaiveDate, days: u64| day.checked_sub_days(Days::new(days)).unwrap_or(day);
        let since_week_start = u64::from(today.weekday().days_since(store.week_start));
        let week = back(today, since_week_start);
        let month = today.with_day(1).unwrap_or(today);
        match self {
            Self::Today => (today, today),
            Self::Yesterday => (back(today, 1), back(today, 1)),
            Self::LastDays(days) => (back(today, u64::from(days.max(1)) - 1), today),
            Self::ThisWeek => (week, today),
            Self::LastWeek => (back(week, 7), back(week, 1)),
            Self::ThisMonth => (month, today),
            Self::LastMonth => (month.checked_sub_months(Months::new(1)).unwrap_or(month), back(month, 1)),
            Self::Custom { first, last } => {
                let longest = first.checked_add_days(Days::new(PERIOD_DAYS_MAX - 1)).unwrap_or(last);
                (first, last.max(first).min(longest))
            }
        }
    }

    /// The chart's step; the same for every store of a query.
    pub fn step(self, store: &Store, now: Instant) -> Step {
        let (first, last) = self.days(store, now);
        match (last - first).num_days().unsigned_abs() + 1 {
            1 => Step::Hour,
            days if days >= WEEKS_FROM_DAYS => Step::Week,
            _ => Step::Day,
        }
    }

    /// The earlier days to compare with.
    fn days_before(
        self,
        compare: Compare,
        first: BusinessDay,
        last: BusinessDay,
    ) -> Option<(BusinessDay, BusinessDay)> {
        let shifted = |days: u64| {
            Some((first.checked_sub_days(Days::new(days))?, last.checked_sub_days(Days::new(days))?))
        };
        match (compare, self) {
            (Compare::None, _) => None,
            (Compare::YearBefore, _) => shifted(364),
            (Compare::Previous, Self::ThisMonth | Self::LastMonth) => {
                Some((first.checked_sub_months(Months::new(1))?, first.checked_sub_days(Days::new(1))?))
            }
            (Compare::Previous, _) => {
                let days = (last - first).num_days().unsigned_abs() + 1;
                // Whole weeks back, so that Saturdays are compared with Saturdays.
                shifted(days.div_ceil(7) * 7)
            }
        }
    }
}

impl Span {
    /// Resolves a period for one store.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub(super) fn resolve(
        index: usize,
        store: &Store,
        period: Period,
        compare: Compare,
        step: Step,
        now: Instant,
    ) -> Result<Self, DayError> {
        let (first, last) = period.days(store, now);
        let whole = day_range(store, first, last)?;
        let partial = whole.contains(now);
        let range = if partial { Range { from: whole.from, until: now } } else { whole };
        let like = if partial { Range { from: whole.from, until: cell_start(store, now) } } else { whole };
        let before = match period.days_before(compare, first, last) {
            None => None,
            Some((first, last)) => {
                let range = day_range(store, first, last)?;
                let elapsed = if partial { like.until - like.from } else { range.until - range.from };
                let until = (range.from + elapsed).min(range.until);
                let edges = edges(store, step, first, last, range)?;
                Some(Before { first, last, like: Range { from: range.from, until }, range, edges })
            }
        };
        Ok(Self {
            store: index,
            first,
            last,
            range,
            partial,
            like,
            before,
            edges: edges(store, step, first, last, whole)?,
        })
    }
}

/// The start of the rollup cell that holds this instant.
fn cell_start(store: &Store, at: Instant) -> Instant {
    let minutes = match store.grain() {
        Grain::Hour => at.minute(),
        Grain::Quarter => at.minute() % 15,
    };
    let into = TimeDelta::minutes(i64::from(minutes)) + TimeDelta::seconds(i64::from(at.second()));
    at - into - TimeDelta::nanoseconds(i64::from(at.nanosecond()))
}

fn edges(
    store: &Store,
    step: Step,
    first: BusinessDay,
    last: BusinessDay,
    whole: Range,
) -> Result<Vec<Instant>, DayError> {
    let mut edges = Vec::new();
    match step {
        Step::Hour => {
            let mut at = whole.from;
            while at < whole.until {
                edges.push(at);
                at += TimeDelta::hours(1);
            }
        }
        Step::Day | Step::Week => {
            let stride = if step == Step::Day { 1 } else { 7 };
            let mut day = first;
            while day <= last {
                edges.push(day_range(store, day, day)?.from);
                day = day.checked_add_days(Days::new(stride)).ok_or(DayError)?;
            }
        }
    }
    edges.push(whole.until);
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::super::testing::{at, day, store};
    use super::*;

    fn span(zone: Tz, period: Period, now: &str) -> Span {
        let store = store(1, zone);
        let now = at(now);
        Span::resolve(0, &store, period, Compare::Previous, period.step(&store, now), now).unwrap()
    }

    #[test]
    fn today_is_compared_with_the_same_whole_hours_a_week_earlier() {
        // 14:25 in Shanghai on a Wednesday.
        let span = span(Tz::Asia__Shanghai, Period::Today, "2026-11-25T06:25:00Z");
        assert!(span.partial);
        assert_eq!(span.range, Range { from: at("2026-11-24T16:00:00Z"), until: at("2026-11-25T06:25:00Z") });
        assert_eq!(span.like.until, at("2026-11-25T06:00:00Z"));
        let before = span.before.unwrap();
        assert_eq!(before.first, day("2026-11-18"));
        assert_eq!(
            before.like,
            Range { from: at("2026-11-17T16:00:00Z"), until: at("2026-11-18T06:00:00Z") }
        );
        assert_eq!(before.range.until, at("2026-11-18T16:00:00Z"));
        assert_eq!(span.edges.len(), 25);
    }

    #[test]
    fn days_of_a_clock_change_have_23_and_25_buckets() {
        let now = "2026-12-01T12:00:00Z";
        for (date, buckets) in [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)] {
            let period = Period::Custom { first: day(date), last: day(date) };
            let span = span(Tz::Europe__London, period, now);
            assert_eq!(span.edges.len() - 1, buckets, "{date}");
            assert!(!span.partial);
        }
    }

    #[test]
    fn periods_are_compared_with_the_same_weekdays() {
        let now = "2026-11-25T06:25:00Z";
        for (period, first, last, before_first, before_last) in [
            (Period::Yesterday, "2026-11-24", "2026-11-24", "2026-11-17", "2026-11-17"),
            (Period::LastDays(7), "2026-11-19", "2026-11-25", "2026-11-12", "2026-11-18"),
            (Period::LastDays(28), "2026-10-29", "2026-11-25", "2026-10-01", "2026-10-28"),
            (Period::ThisWeek, "2026-11-23", "2026-11-25", "2026-11-16", "2026-11-18"),
            (Period::LastWeek, "2026-11-16", "2026-11-22", "2026-11-09", "2026-11-15"),
            (Period::ThisMonth, "2026-11-01", "2026-11-25", "2026-10-01", "2026-10-31"),
            (Period::LastMonth, "2026-10-01", "2026-10-31", "2026-09-01", "2026-09-30"),
            (
                Period::Custom { first: day("2026-11-01"), last: day("2026-11-10") },
                "2026-11-01",
                "2026-11-10",
                "2026-10-18",
                "2026-10-27",
            ),
        ] {
            let span = span(Tz::Asia__Shanghai, period, now);
            assert_eq!((span.first, span.last), (day(first), day(last)), "{period:?}");
            let before = span.before.unwrap();
            assert_eq!((before.first, before.last), (day(before_first), day(before_last)), "{period:?}");
        }
    }

    #[test]
    fn a_running_month_is_compared_with_as_much_of_the_month_before() {
        let span = span(Tz::Asia__Shanghai, Period::ThisMonth, "2026-11-25T06:25:00Z");
        let before = span.before.unwrap();
        assert_eq!(before.like.until - before.like.from, span.like.until - span.like.from);
        assert_eq!(before.like.until, at("2026-10-25T06:00:00Z"));
        // At the end of March the month before is over.
        let march = super::tests::span(Tz::Asia__Shanghai, Period::ThisMonth, "2026-03-31T06:25:00Z");
        assert_eq!(march.before.unwrap().like.until, at("2026-02-28T16:00:00Z"));
    }

    #[test]
    fn a_custom_period_is_cut_at_its_limit() {
        let period = Period::Custom { first: day("2000-01-01"), last: day("2026-01-01") };
        let span = span(Tz::UTC, period, "2026-11-25T06:25:00Z");
        assert_eq!((span.last - span.first).num_days(), 3 * 366 - 1);
        assert_eq!(period.step(&store(1, Tz::UTC), at("2026-11-25T06:25:00Z")), Step::Week);
    }
}
