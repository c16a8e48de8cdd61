//! Numbers as text, without floating point.

use chrono::{Days, NaiveDate, NaiveTime};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Digits that Excel keeps.
const DIGITS_KEPT: u32 = 15;
/// Days between the two ways of counting days.
const DAYS_1904: u64 = 1_462;
const SECONDS_PER_DAY: u32 = 86_400;

/// A number as a person would write it; one that Excel has rounded, as Excel shows it.
pub fn number_text(raw: &str) -> String {
    let raw = raw.trim();
    let parsed = raw.parse::<Decimal>().or_else(|_| Decimal::from_scientific(raw));
    let Ok(number) = parsed else {
        // Too large for a decimal: `4.2000012026112E+39` stands as it is.
        return raw.to_owned();
    };
    if number.abs() >= Decimal::from(10_u64.pow(DIGITS_KEPT)) {
        return scientific(number);
    }
    let rounded = number.round_sf(DIGITS_KEPT).unwrap_or(number);
    rounded.normalize().to_string()
}

/// `4.20000120261120E+24`
fn scientific(number: Decimal) -> String {
    let whole = number.trunc().abs().to_string();
    let kept: String = whole.chars().skip(1).take(14).collect();
    let places = kept.trim_end_matches('0');
    let (first, point) = (&whole[..1], if places.is_empty() { "" } else { "." });
    let sign = if number.is_sign_negative() { "-" } else { "" };
    format!("{sign}{first}{point}{places}E+{}", whole.len() - 1)
}

/// A day and time that Excel counts in days; a time alone where it counts less than one.
pub fn date_text(raw: &str, is_1904: bool) -> Option<String> {
    let raw = raw.trim();
    let serial = raw.parse::<Decimal>().or_else(|_| Decimal::from_scientific(raw)).ok()?;
    if serial.is_sign_negative() {
        return None;
    }
    let days = serial.trunc().to_u64()?;
    let part = (serial.fract() * Decimal::from(SECONDS_PER_DAY)).round().to_u32()?;
    // What is rounded up to midnight is the next day's.
    let (days, seconds) = if part >= SECONDS_PER_DAY { (days + 1, 0) } else { (days, part) };
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0)?;
    if days == 0 && !is_1904 {
        return Some(time.to_string());
    }
    let day = if is_1904 { days + DAYS_1904 } else { days };
    // Excel believes that 1900 was a leap year, so its days before March 1900 count from one day later.
    let zero = NaiveDate::from_ymd_opt(1899, 12, if day < 60 { 31 } else { 30 })?;
    let date = zero.checked_add_days(Days::new(day))?;
    Some(format!("{date} {time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_numbers_lose_no_digit_and_gain_none() {
        for (raw, text) in [
            ("12.5", "12.5"),
            ("0.30000000000000004", "0.3"),
            ("128", "128"),
            ("1.0E-2", "0.01"),
            ("-19.989999999999998", "-19.99"),
            ("100000000000000", "100000000000000"),
            ("123456789012345", "123456789012345"),
            ("4200000001202611200000000001", "4.20000000120261E+27"),
            ("4.2000000012026113E+27", "4.20000000120261E+27"),
            ("4.2E+39", "4.2E+39"),
            ("1000000000000000", "1E+15"),
            ("-1000000000000000", "-1E+15"),
            ("x", "x"),
        ] {
            assert_eq!(number_text(raw), text, "{raw}");
        }
    }

    #[test]
    fn trap_dates_are_counted_from_1900_or_1904() {
        for (raw, is_1904, text) in [
            ("46346", false, Some("2026-11-20 00:00:00")),
            ("46346.385416666664", false, Some("2026-11-20 09:15:00")),
            ("46346.999999999", false, Some("2026-11-21 00:00:00")),
            ("44884.385416666664", true, Some("2026-11-20 09:15:00")),
            ("0.385416666666667", false, Some("09:15:00")),
            ("1", false, Some("1900-01-01 00:00:00")),
            ("61", false, Some("1900-03-01 00:00:00")),
            ("-1", false, None),
            ("99999999999999999999", false, None),
            ("x", false, None),
        ] {
            assert_eq!(date_text(raw, is_1904).as_deref(), text, "{raw}");
        }
    }
}
