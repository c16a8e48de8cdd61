//! What happened, since when, how much money, how sure, what to do next: in Chinese and English, from the numbers.

mod chinese;
mod english;

use chrono::Datelike;
use chrono_tz::Tz;

use crate::domain::{Instant, Word};

use super::{AlertKind, AlertState, Episode, Evidence, Loss, Surprise};

/// The language of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Chinese,
    English,
}

impl Tongue {
    /// The tongue of a language tag; English for all but Chinese.
    pub fn of(tag: &str) -> Self {
        if tag.starts_with("zh") { Self::Chinese } else { Self::English }
    }
}

/// Where it happened, for the sentence.
#[derive(Clone, Copy, Debug)]
pub struct Where<'a> {
    /// The store's name; empty: the installation itself.
    pub store: &'a str,
    /// Times are told in this zone.
    pub zone: Tz,
}

/// An alert in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// One line, at most some 80 characters.
    pub title: String,
    /// What and since when; cost; how sure; what to do. One sentence or two each.
    pub lines: Vec<String>,
}

/// Fewer payments than this are told as counts, without a percentage.
const PERCENT_FROM: i64 = 30;
/// A rarer chance than once in so many weeks is told as this.
const WEEKS_MAX: f64 = 1_000.0;

/// Tells an episode.
pub fn sentence(tongue: Tongue, episode: &Episode, place: &Where) -> Told {
    match tongue {
        Tongue::Chinese => chinese::tell(episode, place),
        Tongue::English => english::tell(episode, place),
    }
}

/// The name of a kind, as a heading.
pub const fn kind_name(tongue: Tongue, kind: AlertKind) -> &'static str {
    match tongue {
        Tongue::Chinese => chinese::kind_name(kind),
        Tongue::English => english::kind_name(kind),
    }
}

/// A provider's own name.
fn provider_name(tongue: Tongue, provider: Word) -> String {
    let (chinese, english) = match provider.as_str() {
        "wechat_pay" => ("微信支付", "WeChat Pay"),
        "alipay" => ("支付宝", "Alipay"),
        "unionpay" => ("云闪付", "UnionPay QuickPass"),
        "ecny" | "e_cny" => ("数字人民币", "e-CNY"),
        "stripe" => ("Stripe", "Stripe"),
        "paypal" => ("PayPal", "PayPal"),
        "adyen" => ("Adyen", "Adyen"),
        "cash" => ("现金", "Cash"),
        "" => ("未注明支付机构", "Provider not given"),
        other => (other, other),
    };
    if tongue == Tongue::Chinese { chinese.to_owned() } else { english.to_owned() }
}

/// `¥4,200.00`, `USD 12.50`: exact, from minor units.
fn money(loss: Loss) -> String {
    let exponent = loss.currency.exponent() as usize;
    let digits = format!("{:0>width$}", loss.minor.unsigned_abs(), width = exponent + 1);
    let (whole, part) = digits.split_at(digits.len() - exponent);
    let sign = if loss.minor < 0 { "−" } else { "" };
    let point = if part.is_empty() { "" } else { "." };
    let unit = if loss.currency.code() == "CNY" { "¥".to_owned() } else { format!("{} ", loss.currency) };
    format!("{sign}{unit}{}{point}{part}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn count(number: i64) -> String {
    let sign = if number < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(&number.unsigned_abs().to_string()))
}

/// An expectation as people say it: whole from 10 on, else one decimal.
fn about(usual: f64) -> String {
    if usual >= 9.95 { grouped(&format!("{usual:.0}")) } else { format!("{usual:.1}") }
}

/// A rate in millionths in percent: at least two decimals, more where needed.
fn percent_of_ppm(ppm: i64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    let trimmed = text.trim_end_matches('0');
    let decimals = trimmed.len() - trimmed.find('.').unwrap_or(0) - 1;
    format!("{trimmed}{}%", "0".repeat(2_usize.saturating_sub(decimals)))
}

/// Share of successes in percent, one decimal.
#[expect(clippy::cast_precision_loss, reason = "a share that is told")]
fn success(failed: f64, of: i64) -> String {
    format!("{:.1}%", (1.0 - failed / of.max(1) as f64) * 100.0)
}

/// How many weeks pass, on average, until chance alone does this: told with one or two digits.
#[expect(clippy::cast_possible_truncation, reason = "between 1 and 1,000")]
fn weeks_by_chance(surprise: &Surprise) -> i64 {
    let weeks = (1.0 / surprise.weekly_by_chance.max(1e-12)).clamp(1.0, WEEKS_MAX);
    if weeks < 10.0 { weeks.floor() as i64 } else { (weeks / 10.0).floor() as i64 * 10 }
}

struct Local {
    month: u32,
    day: u32,
    time: String,
}

fn local(at: Instant, zone: Tz) -> Local {
    let local = at.with_timezone(&zone);
    Local { month: local.month(), day: local.day(), time: local.format("%H:%M").to_string() }
}

/// Minutes from the onset to the recovery (or to the last look).
fn minutes(episode: &Episode) -> i64 {
    (episode.resolved_at.unwrap_or(episode.evaluated_at) - episode.onset_at).num_minutes().max(0)
}

#[cfg(test)]
mod tests;
