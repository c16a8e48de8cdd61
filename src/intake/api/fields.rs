//! Judges single values: what passes is what the domain types may hold.

use std::borrow::Cow;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Timelike};
use serde_json::value::RawValue;

use super::row_error::{Code, Fault};
use super::wire::Text;
use super::{ATTRIBUTE_KEY_CHARS_MAX, ATTRIBUTE_VALUE_CHARS_MAX, FUTURE_HOURS_MAX, SLUG_CHARS_MAX, YEAR_MIN};
use crate::domain::{AMOUNT_MINOR_MAX, Currency, Instant};
use crate::intake::{holds_card_number, names_card_secret};
use rust_decimal::Decimal;

/// Digits of a quantity or a unit price: more cannot be multiplied exactly.
const DECIMAL_CHARS_MAX: usize = 24;

/// A text of at most `chars_max` characters without control characters and card numbers. Spaces around it are
/// dropped; an empty one is none.
pub(super) fn text<'a, T: From<Cow<'a, str>>>(
    field: &'static str,
    value: Option<Text<'a>>,
    chars_max: usize,
) -> Result<Option<T>, Fault> {
    let Some(Text(text)) = value else { return Ok(None) };
    let text = trimmed(text);
    if text.is_empty() {
        return Ok(None);
    }
    check_text(field, &text, chars_max)?;
    Ok(Some(T::from(text)))
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn check_text(field: &'static str, text: &str, chars_max: usize) -> Result<(), Fault> {
    // Characters are counted only where there may be too many: each takes a byte at least.
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(Fault::new(field, Code::TooLong, format!("has more than {chars_max} characters")));
    }
    // Few texts hold anything but plain ASCII, which is looked at many bytes at a time.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !is_plain && text.chars().any(char::is_control) {
        return Err(Fault::new(field, Code::ControlCharacter, "holds control characters"));
    }
    if holds_card_number(text) {
        return Err(card_number(field));
    }
    Ok(())
}

pub(super) fn card_number(field: &'static str) -> Fault {
    Fault::new(field, Code::PanSuspected, "holds what looks like a card number, which may not be sent here")
}

/// A text that must be there.
pub(super) fn required_text<'a, T: From<Cow<'a, str>>>(
    field: &'static str,
    value: Option<Text<'a>>,
    chars_max: usize,
) -> Result<T, Fault> {
    text(field, value, chars_max)?.ok_or_else(|| missing(field))
}

pub(super) fn missing(field: &'static str) -> Fault {
    Fault::new(field, Code::Missing, "is required")
}

/// A word of a closed set.
pub(super) fn word_of<T>(
    field: &'static str,
    value: Option<Text<'_>>,
    parse: impl Fn(&str) -> Option<T>,
    expected: &'static str,
) -> Result<Option<T>, Fault> {
    let Some(Text(word)) = value else { return Ok(None) };
    match parse(&word) {
        Some(value) => Ok(Some(value)),
        None => Err(Fault::new(field, Code::UnknownValue, format!("must be one of: {expected}"))),
    }
}

/// Checks a lower-case slug: letters, digits, `_` and `-`.
pub(super) fn check_slug(field: &'static str, slug: &str) -> Result<(), Fault> {
    let fits = slug.len() <= SLUG_CHARS_MAX
        && slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if !fits {
        let message = format!(
            "must be at most {SLUG_CHARS_MAX} lower-case letters, digits, `_` or `-`, as in `wechat_pay`"
        );
        return Err(Fault::new(field, Code::NotASlug, message));
    }
    if holds_card_number(slug) {
        return Err(card_number(field));
    }
    Ok(())
}

/// A currency code.
pub(super) fn currency(field: &'static str, value: Option<Text<'_>>) -> Result<Option<Currency>, Fault> {
    let Some(Text(code)) = value else { return Ok(None) };
    match Currency::parse(&code) {
        Ok(currency) => Ok(Some(currency)),
        Err(_) => Err(Fault::new(
            field,
            Code::UnknownCurrency,
            "is not an ISO 4217 code in capitals, nor USDT or USDC",
        )),
    }
}

/// Minor units from 0 up.
pub(super) fn amount(field: &'static str, value: Option<i64>) -> Result<Option<i64>, Fault> {
    bounded(field, value, 0, AMOUNT_MINOR_MAX)
}

/// Minor units, less than 0 too.
pub(super) fn signed_amount(field: &'static str, value: Option<i64>) -> Result<Option<i64>, Fault> {
    bounded(field, value, -AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX)
}

/// A whole number within these bounds, both in.
pub(super) fn bounded(
    field: &'static str,
    value: Option<i64>,
    least: i64,
    most: i64,
) -> Result<Option<i64>, Fault> {
    match value {
        Some(number) if !(least..=most).contains(&number) => {
            Err(Fault::new(field, Code::OutOfRange, format!("must be between {least} and {most}")))
        }
        within => Ok(within),
    }
}

/// An exact decimal, written as a JSON number or as a string.
pub(super) fn decimal(field: &'static str, value: Option<&RawValue>) -> Result<Option<Decimal>, Fault> {
    let Some(raw) = value else { return Ok(None) };
    let raw = raw.get();
    if raw == "null" {
        return Ok(None);
    }
    let text = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
    let is_plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'.'));
    if !is_plain {
        let message = "must be a decimal number such as 1.5 or \"1.5\"";
        return Err(Fault::new(field, Code::WrongType, message));
    }
    if text.len() > DECIMAL_CHARS_MAX {
        let message = format!("has more than {DECIMAL_CHARS_MAX} digits");
        return Err(Fault::new(field, Code::OutOfRange, message));
    }
    match Decimal::from_str_exact(text) {
        Ok(number) => Ok(Some(number.normalize())),
        Err(_) => Err(Fault::new(field, Code::WrongType, "must be a decimal number such as 1.5 or \"1.5\"")),
    }
}

/// A moment, whole milliseconds, not before the year 2000 and not more than 24 hours ahead of `now`.
pub(super) fn instant(
    field: &'static str,
    value: Option<Text<'_>>,
    now: Instant,
) -> Result<Option<Instant>, Fault> {
    let Some(Text(text)) = value else { return Ok(None) };
    let at = read_instant(&text).ok_or_else(|| {
        let message = "must be RFC 3339 with an offset, as in 2026-11-24T10:00:00+08:00";
        Fault::new(field, Code::InvalidTime, message)
    })?;
    if at > now + TimeDelta::hours(FUTURE_HOURS_MAX) {
        let message = format!("is more than {FUTURE_HOURS_MAX} hours in the future");
        return Err(Fault::new(field, Code::InFuture, message));
    }
    if chrono::Datelike::year(&at) < YEAR_MIN {
        return Err(Fault::new(field, Code::OutOfRange, format!("is before the year {YEAR_MIN}")));
    }
    Ok(Some(at))
}

/// A day, not before the year 2000 and not more than a year ahead of `now`.
pub(super) fn day(
    field: &'static str,
    value: Option<Text<'_>>,
    now: Instant,
) -> Result<Option<NaiveDate>, Fault> {
    let Some(Text(text)) = value else { return Ok(None) };
    let day = (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok())
        .flatten()
        .ok_or_else(|| Fault::new(field, Code::InvalidTime, "must be a day, as in 2026-11-24"))?;
    let latest = now.date_naive().checked_add_days(Days::new(366)).unwrap_or(NaiveDate::MAX);
    if day > latest {
        return Err(Fault::new(field, Code::InFuture, "is more than a year in the future"));
    }
    if chrono::Datelike::year(&day) < YEAR_MIN {
        return Err(Fault::new(field, Code::OutOfRange, format!("is before the year {YEAR_MIN}")));
    }
    Ok(Some(day))
}

/// Reads RFC 3339 and cuts it to milliseconds, which is what is kept.
pub(in crate::intake) fn read_instant(text: &str) -> Option<Instant> {
    if let Some(at) = read_usual(text.as_bytes()) {
        return Some(at);
    }
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let ms = at.nanosecond() / 1_000_000;
    at.with_nanosecond(ms * 1_000_000)
}

/// The form that nearly everybody writes, `2026-11-24T10:00:00.123+08:00`, several times as fast as in general.
fn read_usual(text: &[u8]) -> Option<Instant> {
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1, rest @ ..] =
        text
    else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| -> Option<u32> {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, two(mo0, mo1)?, two(d0, d1)?)?;
    let (ms, offset) = match rest {
        [b'.', m0, m1, m2, offset @ ..] if m2.is_ascii_digit() => {
            (two(m0, m1)? * 10 + u32::from(m2 - b'0'), offset)
        }
        offset => (0, offset),
    };
    let time = NaiveTime::from_hms_milli_opt(two(h0, h1)?, two(mi0, mi1)?, two(s0, s1)?, ms)?;
    let east_minutes = match offset {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (two(h0, h1)?, two(m0, m1)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    day.and_time(time).and_utc().checked_sub_signed(TimeDelta::minutes(east_minutes))
}

/// Pairs of short texts, sorted by key.
pub(super) fn attributes<'a, T: From<Cow<'a, str>>>(
    pairs: Vec<(Text<'a>, Text<'a>)>,
) -> Result<Vec<(T, T)>, Fault> {
    const FIELD: &str = "attributes";
    let mut kept = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let key: Cow<'a, str> = required_text(FIELD, Some(key), ATTRIBUTE_KEY_CHARS_MAX)?;
        if names_card_secret(&key) {
            let message = "has a key for a card number, security code or PIN, which may not be sent here";
            return Err(Fault::new(FIELD, Code::PanSuspected, message));
        }
        let value: Option<Cow<'a, str>> = text(FIELD, Some(value), ATTRIBUTE_VALUE_CHARS_MAX)?;
        kept.push((key, value.unwrap_or_default()));
    }
    kept.sort();
    if kept.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
        return Err(Fault::new(FIELD, Code::DuplicateField, "has the same key twice"));
    }
    Ok(kept.into_iter().map(|(key, value)| (T::from(key), T::from(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_reading_a_time_agree() {
        for text in [
            "2026-11-24T10:00:00+08:00",
            "2026-11-24T10:00:00Z",
            "2026-11-24T10:00:00.123Z",
            "2026-02-29T10:00:00Z",
            "2024-02-29T23:59:59.999-11:30",
            "2026-11-24T24:00:00Z",
            "2026-11-24T10:00:00",
            "2026-11-24 10:00:00Z",
            "2026-11-24T10:00:00+25:00",
            "2026-11-24T10:00:00+08:60",
            "2026-11-24T10:00:60Z",
            "2026-13-24T10:00:00Z",
            "2026-11-24t10:00:00z",
            "2026-11-24T10:00:00.1234567+08:00",
            "2026-11-24T10:00:00.1+08:00",
            "",
            "2026-11-24T10:00:00.12aZ",
            "-026-11-24T10:00:00Z",
            "2026-11-24T10:00:00+0800",
        ] {
            let slow = DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis());
            if let Some(usual) = read_usual(text.as_bytes()) {
                assert_eq!(Some(usual.timestamp_millis()), slow, "{text}");
            }
            assert_eq!(read_instant(text).map(|at| at.timestamp_millis()), slow, "{text}");
        }
        assert!(read_usual(b"2026-11-24T10:00:00+08:00").is_some());
        assert!(read_usual(b"2026-11-24T10:00:00.5+08:00").is_none(), "left to the general reader");
    }

    #[test]
    fn decimals_are_exact() {
        let read = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            decimal("quantity", Some(&raw)).map(|number| number.map(|number| number.to_string()))
        };
        assert_eq!(read("0.1").unwrap().unwrap(), "0.1");
        assert_eq!(read("\"-12.340\"").unwrap().unwrap(), "-12.34");
        assert_eq!(read("null").unwrap(), None);
        for bad in
            ["1e3", "\"1e3\"", "true", "[1]", "\"\"", "\"1.2.3\"", "\"--1\"", "1234567890123456789012345"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
