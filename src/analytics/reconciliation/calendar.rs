//! Working days in mainland China: on which days banks and providers settle.
//!
//! Source: the yearly notices of the General Office of the State Council on holidays, for 2025 (国办发明电〔2024〕12号)
//! and 2026 (国办发明电〔2025〕7号), with their make-up working days. The notice for 2027 was not known when this table was
//! written: 2027 holds the days that the Regulation on Public Holidays (as amended from 2025 on) itself names, without
//! make-up days. Outside the table a working day is Monday to Friday.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// First and last day of each holiday, as year, month, day, month, day.
const HOLIDAYS: [(i32, u32, u32, u32, u32); 20] = [
    (2025, 1, 1, 1, 1),
    (2025, 1, 28, 2, 4),
    (2025, 4, 4, 4, 6),
    (2025, 5, 1, 5, 5),
    (2025, 5, 31, 6, 2),
    (2025, 10, 1, 10, 8),
    (2026, 1, 1, 1, 3),
    (2026, 2, 15, 2, 23),
    (2026, 4, 4, 4, 6),
    (2026, 5, 1, 5, 5),
    (2026, 6, 19, 6, 21),
    (2026, 9, 25, 9, 27),
    (2026, 10, 1, 10, 7),
    (2027, 1, 1, 1, 1),
    (2027, 2, 5, 2, 8),
    (2027, 4, 5, 4, 5),
    (2027, 5, 1, 5, 2),
    (2027, 6, 9, 6, 9),
    (2027, 9, 15, 9, 15),
    (2027, 10, 1, 10, 3),
];

/// Saturdays and Sundays on which work is made up for.
const MADE_UP: [(i32, u32, u32); 11] = [
    (2025, 1, 26),
    (2025, 2, 8),
    (2025, 4, 27),
    (2025, 9, 28),
    (2025, 10, 11),
    (2026, 1, 4),
    (2026, 2, 14),
    (2026, 2, 28),
    (2026, 5, 9),
    (2026, 9, 20),
    (2026, 10, 10),
];

/// Longest settlement cycle in days.
pub const CYCLE_DAYS_MAX: u32 = 60;

/// True when providers and banks in mainland China work on this day.
pub fn is_working_day(day: NaiveDate) -> bool {
    let is = |year, month, of_month| NaiveDate::from_ymd_opt(year, month, of_month) == Some(day);
    if MADE_UP.into_iter().any(|(year, month, of_month)| is(year, month, of_month)) {
        return true;
    }
    let in_holiday = HOLIDAYS.into_iter().any(|(year, first_month, first, last_month, last)| {
        let first = NaiveDate::from_ymd_opt(year, first_month, first);
        let last = NaiveDate::from_ymd_opt(year, last_month, last);
        first.is_some_and(|first| first <= day) && last.is_some_and(|last| day <= last)
    });
    !in_holiday && !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The day that lies `days` after `day`, counting working days only where `working` says so. With working days and a
/// count of 0, a day off moves to the next working day.
pub fn due_after(day: NaiveDate, days: u32, working: bool) -> NaiveDate {
    let days = days.min(CYCLE_DAYS_MAX);
    if !working {
        return day.checked_add_days(Days::new(u64::from(days))).unwrap_or(day);
    }
    let mut due = day;
    let mut left = days;
    while left > 0 || !is_working_day(due) {
        let Some(next) = due.succ_opt() else { return due };
        due = next;
        if is_working_day(due) {
            left = left.saturating_sub(1);
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn holidays_and_made_up_days_are_told_from_weekdays() {
        for (text, working) in [
            ("2025-01-26", true),
            ("2025-01-28", false),
            ("2025-02-04", false),
            ("2025-02-05", true),
            ("2025-10-11", true),
            ("2026-02-14", true),
            ("2026-02-16", false),
            ("2026-02-24", true),
            ("2026-10-10", true),
            ("2026-11-21", false),
            ("2026-11-23", true),
            ("2027-02-08", false),
            ("2030-01-01", true),
        ] {
            assert_eq!(is_working_day(day(text)), working, "{text}");
        }
    }

    #[test]
    fn money_of_a_friday_comes_on_monday_and_waits_for_the_end_of_golden_week() {
        assert_eq!(due_after(day("2026-11-20"), 1, true), day("2026-11-23"));
        assert_eq!(due_after(day("2026-09-30"), 1, true), day("2026-10-08"));
        assert_eq!(due_after(day("2026-02-13"), 1, true), day("2026-02-14"));
        assert_eq!(due_after(day("2026-11-21"), 0, true), day("2026-11-23"));
        assert_eq!(due_after(day("2026-11-21"), 1, false), day("2026-11-22"));
        assert_eq!(due_after(day("2026-11-21"), u32::MAX, false), day("2027-01-20"));
    }
}
