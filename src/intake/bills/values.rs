//! Cells become values, strictly.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::rejection::{Fault, RejectCode};
use crate::domain::{Currency, Instant, Word, decimal_to_minor};

/// Longest id, as in `RECORDS`.
pub const ID_CHARS_MAX: usize = 128;
/// Longest free text that is kept; more is cut.
pub const TEXT_CHARS_MAX: usize = 256;
/// Longest word of a provider or method.
const SLUG_CHARS_MAX: usize = 32;
/// How far in the future a row may be.
const FUTURE_MAX: TimeDelta = TimeDelta::hours(24);
/// No row of a shop is older.
const YEAR_MIN: i32 = 2000;
/// The zone of WeChat Pay's and Alipay's bills.
pub const BEIJING: &str = "Asia/Shanghai";
const BEIJING_SECONDS: i32 = 8 * 3600;

/// A decimal number as bills print it: sign, digits, one point. No exponent, no thousands separator.
pub fn decimal(field: &str, cell: &str) -> Result<Decimal, Fault> {
    if let Some(short) = short_decimal(cell) {
        return Ok(short);
    }
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if !plain {
        return Err(Fault::quoting(field, RejectCode::NotAnAmount, cell));
    }
    let whole = digits.split('.').next().unwrap_or_default();
    cell.parse().map_err(|_| {
        let code = if whole.len() > 15 { RejectCode::AmountOutOfRange } else { RejectCode::NotAnAmount };
        Fault::quoting(field, code, cell)
    })
}

/// Digits that fit 64 bits.
const SHORT_DIGITS_MAX: usize = 18;

/// A number of so few digits, as nearly every amount is; `None` leaves the judgement to the whole rule.
fn short_decimal(cell: &str) -> Option<Decimal> {
    let (negative, digits) = match cell.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (mut value, mut decimals, mut count, mut after_point) = (0_i64, 0, 0, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' if count < SHORT_DIGITS_MAX => {
                value = value * 10 + i64::from(byte - b'0');
                decimals += u32::from(after_point);
                count += 1;
            }
            b'.' if !after_point => after_point = true,
            _ => return None,
        }
    }
    (count > 0).then(|| Decimal::new(if negative { -value } else { value }, decimals))
}

/// Minor units of a decimal of major units, rounded half away from zero.
pub fn minor(field: &str, major: Decimal, currency: Currency) -> Result<i64, Fault> {
    decimal_to_minor(major, currency)
        .map_err(|_| Fault::quoting(field, RejectCode::AmountOutOfRange, &major.to_string()))
}

/// Minor units of a decimal of major units that says exactly so many: what would be rounded is refused.
pub fn exact_minor(field: &str, cell: &str, currency: Currency) -> Result<i64, Fault> {
    let amount = decimal(field, cell)?;
    if amount.normalize().scale() > currency.exponent() {
        return Err(Fault::quoting(field, RejectCode::TooManyDecimals, cell));
    }
    minor(field, amount, currency)
}

/// What a clock shows, wherever it hangs. Without `minutes_will_do` the seconds must be there.
pub fn wall_clock(field: &str, cell: &str, minutes_will_do: bool) -> Result<NaiveDateTime, Fault> {
    let any =
        |formats: &[&str]| formats.iter().find_map(|format| NaiveDateTime::parse_from_str(cell, format).ok());
    if let Some(found) = any(&["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f"]) {
        return Ok(found);
    }
    match any(&["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y/%m/%d %H:%M"]) {
        Some(found) if minutes_will_do => Ok(found),
        Some(_) => Err(Fault::quoting(field, RejectCode::SecondsMissing, cell)),
        None => Err(Fault::quoting(field, RejectCode::NotATime, cell)),
    }
}

/// A time on the clocks of a zone, with its seconds, or one that brings its own offset.
pub fn zoned_time(field: &str, cell: &str, zone: Tz, now: Instant) -> Result<Instant, Fault> {
    zoned(field, cell, zone, now, false)
}

/// The same of formats that print no seconds.
pub fn zoned_minute(field: &str, cell: &str, zone: Tz, now: Instant) -> Result<Instant, Fault> {
    zoned(field, cell, zone, now, true)
}

fn zoned(field: &str, cell: &str, zone: Tz, now: Instant, minutes: bool) -> Result<Instant, Fault> {
    if let Ok(at) = DateTime::parse_from_rfc3339(cell) {
        return in_range(field, cell, at.with_timezone(&Utc), now);
    }
    let local = wall_clock(field, cell, minutes)?;
    // Of an hour that comes twice the first is taken.
    let there = zone.from_local_datetime(&local).earliest();
    let at = there.ok_or_else(|| Fault::quoting(field, RejectCode::NoSuchTime, cell))?;
    in_range(field, cell, at.with_timezone(&Utc), now)
}

/// A provider's or method's word, where it is one: lower-case letters, digits, `_` and `-`.
pub fn slug(cell: &str) -> Option<Word> {
    let slug = cell.to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let is_slug = !slug.is_empty() && slug.len() <= SLUG_CHARS_MAX && slug.bytes().all(fits);
    is_slug.then(|| Word::of(&slug))
}

/// A Beijing wall-clock time. Old bills print full-width colons.
pub fn beijing_time(field: &str, cell: &str, now: Instant) -> Result<Instant, Fault> {
    let local = match usual_clock(cell) {
        Some(local) => local,
        None => wall_clock(field, &cell.replace('：', ":"), false)
            .map_err(|fault| Fault::quoting(field, fault.code, cell))?,
    };
    let at = local
        .checked_sub_signed(TimeDelta::seconds(i64::from(BEIJING_SECONDS)))
        .ok_or_else(|| Fault::quoting(field, RejectCode::TimeOutOfRange, cell))?;
    in_range(field, cell, at.and_utc(), now)
}

/// `2026-11-20 09:15:07`, read without a format: chrono's own reading by one takes 300 ns, a tenth of what a row may take.
/// `None` leaves the judgement to it.
fn usual_clock(cell: &str) -> Option<NaiveDateTime> {
    let bytes: &[u8; 19] = cell.as_bytes().try_into().ok()?;
    let is_usual =
        bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b' ' && bytes[13] == b':' && bytes[16] == b':';
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    if !is_usual {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    day.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)
}

/// Refuses what is older than any shop or more than 24 hours ahead.
pub fn in_range(field: &str, cell: &str, at: Instant, now: Instant) -> Result<Instant, Fault> {
    if at > now + FUTURE_MAX {
        return Err(Fault::quoting(field, RejectCode::InTheFuture, cell));
    }
    if chrono::Datelike::year(&at) < YEAR_MIN {
        return Err(Fault::quoting(field, RejectCode::TimeOutOfRange, cell));
    }
    Ok(at)
}

/// The Beijing day of an instant.
pub fn beijing_day(at: Instant) -> Option<NaiveDate> {
    let zone = FixedOffset::east_opt(BEIJING_SECONDS)?;
    Some(at.with_timezone(&zone).date_naive())
}

/// An id that must be there.
pub fn id(field: &str, cell: &str) -> Result<String, Fault> {
    if cell.is_empty() {
        return Err(Fault::new(field, RejectCode::Missing));
    }
    if cell.len() > ID_CHARS_MAX && cell.chars().count() > ID_CHARS_MAX {
        return Err(Fault::quoting(field, RejectCode::TooLong, cell));
    }
    if has_control(cell) {
        return Err(Fault::new(field, RejectCode::ControlCharacter));
    }
    if cell.starts_with(['=', '@']) {
        return Err(Fault::quoting(field, RejectCode::Formula, cell));
    }
    Ok(cell.to_owned())
}

/// Free text: `None` when empty, cut when long, without line ends and other characters that cannot be seen.
pub fn text(cell: &str) -> Option<String> {
    if cell.is_empty() {
        return None;
    }
    if cell.len() <= TEXT_CHARS_MAX && !has_control(cell) {
        return Some(cell.to_owned());
    }
    let seen = cell.chars().map(|c| if c.is_control() { ' ' } else { c });
    Some(seen.take(TEXT_CHARS_MAX).collect())
}

/// True when there are characters that cannot be seen. Those beyond ASCII all begin with one byte.
fn has_control(cell: &str) -> bool {
    cell.bytes().any(|byte| byte < b' ' || byte == 0x7f || byte == 0xc2) && cell.chars().any(char::is_control)
}

/// Digits that Excel keeps of a number; the others become zeros.
const EXCEL_DIGITS: usize = 15;
/// A number that long does not end in so many zeros by itself: once in a thousand million.
const ROUNDED_DIGITS_MIN: usize = 24;

/// True for what Excel makes of a long number: `4.2E+27`, or all zeros after the fifteenth digit.
pub fn is_excel_damaged(cell: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if cell.len() >= ROUNDED_DIGITS_MIN && cell.ends_with("000000000") && number(cell) {
        let (kept, lost) = cell.split_at(EXCEL_DIGITS);
        // Nine in ten rounded numbers; the first number of a count that begins with 0 is none of them.
        return !kept.ends_with('0') && lost.bytes().all(|byte| byte == b'0');
    }
    if !cell.as_bytes().contains(&b'+') {
        return false;
    }
    let Some((mantissa, exponent)) = cell.split_once(['E', 'e']) else { return false };
    let mantissa = mantissa.replacen('.', "", 1);
    exponent.strip_prefix('+').is_some_and(number) && number(&mantissa)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instant_from_ms;

    const NOW_MS: i64 = 1_795_651_200_000;

    #[test]
    fn only_plain_decimals_are_amounts() {
        for good in ["0.32000", "-0.77", "128", "+1.5", "0.00"] {
            assert!(decimal("x", good).is_ok(), "{good}");
        }
        for bad in ["", "-", ".", "1e5", "1,204.00", "¥5", "1_000", "1.2.3", "NaN", "１２"] {
            assert_eq!(decimal("x", bad).unwrap_err().code, RejectCode::NotAnAmount, "{bad}");
        }
        let huge = decimal("x", &"9".repeat(40)).unwrap_err();
        assert_eq!(huge.code, RejectCode::AmountOutOfRange);
    }

    #[test]
    fn beijing_is_eight_hours_ahead() {
        let now = instant_from_ms(NOW_MS);
        let at = beijing_time("t", "2026-11-20 00:00:00", now).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-19T16:00:00+00:00");
        assert_eq!(beijing_day(at).unwrap().to_string(), "2026-11-20");
        assert_eq!(beijing_time("t", "2026-11-20 00：00：00", now).unwrap(), at);
        for (cell, code) in [
            ("2026/11/20 9:15", RejectCode::SecondsMissing),
            ("9999-12-31 00:00:00", RejectCode::InTheFuture),
            ("99999-12-31 00:00:00", RejectCode::NotATime),
            ("0001-01-01 00:00:00", RejectCode::TimeOutOfRange),
            ("2026-02-30 00:00:00", RejectCode::NotATime),
            ("", RejectCode::NotATime),
        ] {
            assert_eq!(beijing_time("t", cell, now).unwrap_err().code, code, "{cell}");
        }
    }

    #[test]
    fn numbers_that_excel_rounded_are_seen() {
        for rounded in ["4.2E+27", "1E+15", "4200000001202610000000000000"] {
            assert!(is_excel_damaged(rounded), "{rounded}");
        }
        for whole in [
            "4200000001202611200000000001",
            "2026112022001400000000000001",
            "10000000000000000000",
            "2026112022001400000000000000",
            "SYN2026E1",
            "E+5",
            "1.2E-3",
            "AE+5",
        ] {
            assert!(!is_excel_damaged(whole), "{whole}");
        }
    }
}
