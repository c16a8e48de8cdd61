//! Figures as people read them. Both languages group digits in threes with commas and write a decimal point, so
//! one formatter serves both; what differs (compact numbers, dates, words) takes the language.

use chrono::{Datelike, NaiveDate, Timelike};
use chrono_tz::Tz;
use fixed_decimal::Decimal;
use icu_decimal::DecimalFormatter;
use icu_decimal::options::DecimalFormatterOptions;
use icu_locale_core::locale;

use super::texts::Language;
use crate::domain::{Currency, Instant};

/// What stands where nothing is known. Never 0.
pub const NONE: &str = "–";

thread_local! {
    /// One per thread: the formatter may not be shared.
    static GROUPED: Option<DecimalFormatter> =
        DecimalFormatter::try_new(locale!("en").into(), DecimalFormatterOptions::default()).ok();
}

/// A figure that may not be known. Lets templates hand over whole numbers, options and references alike.
pub trait Figure {
    /// The number; `None` when not known.
    fn figure(self) -> Option<i128>;
}

macro_rules! figure_from_whole {
    ($($kind:ty),+) => {$(
        impl Figure for $kind {
            fn figure(self) -> Option<i128> {
                i128::try_from(self).ok()
            }
        }
    )+};
}
figure_from_whole!(i32, u32, i64, u64, usize, i128);

impl<T: Figure + Copy> Figure for &T {
    fn figure(self) -> Option<i128> {
        (*self).figure()
    }
}

impl<T: Figure> Figure for Option<T> {
    fn figure(self) -> Option<i128> {
        self.and_then(Figure::figure)
    }
}

/// A decimal text such as `-1234.5` with grouping and a real minus sign.
pub fn plain_decimal(text: &str) -> String {
    match text.parse::<Decimal>() {
        Ok(number) => grouped(&number),
        Err(_) => text.to_owned(),
    }
}

fn grouped(number: &Decimal) -> String {
    let text = GROUPED.with(|formatter| match formatter {
        Some(formatter) => formatter.format(number).to_string(),
        None => number.to_string(),
    });
    text.replace('-', "−")
}

/// A whole number, grouped.
pub fn count(figure: impl Figure) -> String {
    figure.figure().map_or_else(|| NONE.to_owned(), |whole| grouped(&Decimal::from(whole)))
}

/// An amount of minor units, e.g. `¥1,204.00`; with the code instead of the sign when `coded`.
pub fn money(minor: impl Figure, currency: Currency, coded: bool) -> String {
    let Some(minor) = minor.figure() else { return NONE.to_owned() };
    let digits = grouped(&major(minor.unsigned_abs(), currency));
    let minus = if minor < 0 { "−" } else { "" };
    match symbol(currency) {
        Some(symbol) if !coded => format!("{minus}{symbol}{digits}"),
        _ => format!("{minus}{}\u{a0}{digits}", currency.code()),
    }
}

/// An amount as a machine reads it: `-1204.00`, no grouping, no sign of the currency.
pub fn money_plain(minor: i128, currency: Currency) -> String {
    let minus = if minor < 0 { "-" } else { "" };
    format!("{minus}{}", major(minor.unsigned_abs(), currency))
}

fn major(minor: u128, currency: Currency) -> Decimal {
    let exponent = i16::try_from(currency.exponent()).unwrap_or(0);
    let mut amount = Decimal::from(minor);
    amount.multiply_pow10(-exponent);
    amount.pad_end(-exponent);
    amount
}

/// The sign of a currency that is not used by another common one; `¥` only ever stands for yuan here.
fn symbol(currency: Currency) -> Option<&'static str> {
    match currency.code() {
        "CNY" => Some("¥"),
        "USD" => Some("$"),
        "EUR" => Some("€"),
        "GBP" => Some("£"),
        "HKD" => Some("HK$"),
        _ => None,
    }
}

/// `part` of `whole` in percent, rounded half away from zero; exact, for both are whole numbers.
pub fn ratio(part: impl Figure, whole: impl Figure, places: u8) -> String {
    percent_of(part.figure(), whole.figure(), places, false).unwrap_or_else(|| NONE.to_owned())
}

/// As [`ratio`], with a plus sign in front of gains.
pub fn signed_ratio(part: impl Figure, whole: impl Figure, places: u8) -> Option<String> {
    percent_of(part.figure(), whole.figure(), places, true)
}

fn percent_of(part: Option<i128>, whole: Option<i128>, places: u8, signed: bool) -> Option<String> {
    let (part, whole) = (part?, whole?);
    if whole == 0 {
        return None;
    }
    let scale = 100_i128.checked_mul(10_i128.pow(u32::from(places)))?;
    let scaled = part.checked_mul(scale)?;
    let negative = (scaled < 0) != (whole < 0);
    let (scaled, whole) = (scaled.unsigned_abs(), whole.unsigned_abs());
    let rounded = i128::try_from(scaled / whole + u128::from(scaled % whole * 2 >= whole)).ok()?;
    let mut number = Decimal::from(rounded);
    number.multiply_pow10(-i16::from(places));
    number.pad_end(-i16::from(places));
    let sign = match (rounded, negative) {
        (0, _) => "",
        (_, true) => "−",
        (_, false) if signed => "+",
        _ => "",
    };
    Some(format!("{sign}{}%", grouped(&number)))
}

/// A share in 0..=1 in percent.
pub fn share(share: Option<f64>, places: u8) -> String {
    share.filter(|share| share.is_finite()).map_or_else(
        || NONE.to_owned(),
        |share| format!("{:.*}%", usize::from(places), share * 100.0).replace('-', "−"),
    )
}

/// The difference of two shares in percentage points, signed; `None` when either is not known.
pub fn points(now: Option<f64>, before: Option<f64>) -> Option<String> {
    let difference = (now? - before?) * 100.0;
    let text = format!("{:.1}", difference.abs());
    let sign = match (text == "0.0", difference < 0.0) {
        (true, _) => "±",
        (false, true) => "−",
        (false, false) => "+",
    };
    Some(format!("{sign}{text}"))
}

/// A number for an axis: `600k`, `1.2M`; in Chinese `60万`, `1.2亿`.
pub fn compact(language: Language, value: f64) -> String {
    let steps: &[(f64, &str)] = match language {
        Language::Chinese => &[(1e8, "亿"), (1e4, "万")],
        Language::English => &[(1e9, "B"), (1e6, "M"), (1e3, "k")],
    };
    for (size, unit) in steps {
        if value.abs() >= *size {
            return format!("{}{unit}", short(value / size));
        }
    }
    short(value)
}

/// At most two decimal places, none of them a closing zero.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(day: NaiveDate) -> &'static str {
    usize::try_from(day.month0()).ok().and_then(|index| MONTHS.get(index).copied()).unwrap_or_default()
}

/// A day: `31 Oct 2026`, `2026年10月31日`.
pub fn day(language: Language, day: NaiveDate) -> String {
    match language {
        Language::English => format!("{} {} {}", day.day(), month(day), day.year()),
        Language::Chinese => format!("{}年{}月{}日", day.year(), day.month(), day.day()),
    }
}

/// A day without its year, for charts: `31 Oct`, `10月31日`.
pub fn short_day(language: Language, day: NaiveDate) -> String {
    match language {
        Language::English => format!("{} {}", day.day(), month(day)),
        Language::Chinese => format!("{}月{}日", day.month(), day.day()),
    }
}

/// Days from `first` to `last`, both in: `1–31 Oct 2026`, `2026年10月1日—31日`.
pub fn days(language: Language, first: NaiveDate, last: NaiveDate) -> String {
    if first == last {
        return day(language, first);
    }
    let (same_year, same_month) = (first.year() == last.year(), first.month() == last.month());
    match language {
        Language::English if same_year && same_month => format!("{}–{}", first.day(), day(language, last)),
        Language::English if same_year => format!("{} – {}", short_day(language, first), day(language, last)),
        Language::English => format!("{} – {}", day(language, first), day(language, last)),
        Language::Chinese if same_year && same_month => format!("{}—{}日", day(language, first), last.day()),
        Language::Chinese if same_year => format!("{}—{}", day(language, first), short_day(language, last)),
        Language::Chinese => format!("{}—{}", day(language, first), day(language, last)),
    }
}

/// An instant in a zone: `31 Oct 2026 23:58`.
pub fn when(language: Language, at: Instant, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    format!("{} {}", day(language, local.date_naive()), time(at, zone))
}

/// The time of day of an instant in a zone: `23:58`.
pub fn time(at: Instant, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    format!("{:02}:{:02}", local.hour(), local.minute())
}

/// Milliseconds as a length of time: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn length_of_time(language: Language, ms: u64) -> String {
    let (s, min, h) = match language {
        Language::English => (" s", " min", " h"),
        Language::Chinese => ("秒", "分", "小时"),
    };
    let gap = if language == Language::English { " " } else { "" };
    let seconds = ms / 1000;
    match seconds {
        0 if language == Language::Chinese => format!("{ms}毫秒"),
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}{s}"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}{min}", seconds / 60),
        60..3600 => format!("{}{min}{gap}{}{s}", seconds / 60, seconds % 60),
        _ if (seconds / 60).is_multiple_of(60) => format!("{}{h}", seconds / 3600),
        _ => format!("{}{h}{gap}{}{min}", seconds / 3600, seconds / 60 % 60),
    }
}

/// A rate in millionths in percent: 6,000 is `0.60%`, 3,750 is `0.375%`.
pub fn rate_ppm(ppm: impl Figure) -> String {
    let Some(ppm) = ppm.figure() else { return NONE.to_owned() };
    let mut number = Decimal::from(ppm);
    number.multiply_pow10(-4);
    number.trim_end();
    number.pad_end(-2);
    format!("{}%", grouped(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_at_any_size() {
        let cny = Currency::CNY;
        let jpy = Currency::parse("JPY").unwrap();
        let usdt = Currency::parse("USDT").unwrap();
        assert_eq!(money(1_320_411_820_i64, cny, false), "¥13,204,118.20");
        assert_eq!(money(-5_i64, cny, false), "−¥0.05");
        assert_eq!(money(0_i64, cny, true), "CNY\u{a0}0.00");
        assert_eq!(money(1_204_i64, jpy, false), "JPY\u{a0}1,204");
        assert_eq!(money(12_000_000_i64, usdt, false), "USDT\u{a0}12.000000");
        assert_eq!(money(None::<i128>, cny, false), NONE);
        assert_eq!(money(i128::from(i64::MAX) * 100, cny, false), "¥9,223,372,036,854,775,807.00");
        assert_eq!(money_plain(-123_456, cny), "-1234.56");
    }

    #[test]
    fn shares_are_rounded_half_up_and_nothing_is_a_dash() {
        assert_eq!(ratio(6_150_i64, 1_000_000_i64, 3), "0.615%");
        assert_eq!(ratio(5_i64, 1_000_i64, 0), "1%");
        assert_eq!(ratio(0_i64, 0_i64, 1), NONE);
        assert_eq!(signed_ratio(98_i64, 1_000_i64, 1).as_deref(), Some("+9.8%"));
        assert_eq!(signed_ratio(-7_i64, 1_000_i64, 1).as_deref(), Some("−0.7%"));
        assert_eq!(share(Some(0.964), 1), "96.4%");
        assert_eq!(share(None, 1), NONE);
        assert_eq!(points(Some(0.957), Some(0.964)).as_deref(), Some("−0.7"));
        assert_eq!(rate_ppm(6_000_i64), "0.60%");
        assert_eq!(rate_ppm(3_750_i64), "0.375%");
    }

    #[test]
    fn dates_read_as_written_in_each_language() {
        let first: NaiveDate = "2026-10-01".parse().unwrap();
        let last: NaiveDate = "2026-10-31".parse().unwrap();
        assert_eq!(days(Language::English, first, last), "1–31 Oct 2026");
        assert_eq!(days(Language::Chinese, first, last), "2026年10月1日—31日");
        let at: Instant = "2026-10-31T15:58:00Z".parse().unwrap();
        assert_eq!(when(Language::Chinese, at, Tz::Asia__Shanghai), "2026年10月31日 23:58");
        assert_eq!(length_of_time(Language::English, 200_000), "3 min 20 s");
        assert_eq!(length_of_time(Language::Chinese, 7_500_000), "2小时5分");
    }

    #[test]
    fn axes_are_compact() {
        assert_eq!(compact(Language::Chinese, 600_000.0), "60万");
        assert_eq!(compact(Language::English, 600_000.0), "600k");
        assert_eq!(compact(Language::Chinese, 1.2e8), "1.2亿");
        assert_eq!(compact(Language::English, -2.5), "−2.5");
    }
}
