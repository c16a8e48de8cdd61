//! When a bill is asked for, and what an answer means at which hour. Pure, and in Beijing's time, which knows no summer.

use chrono::{Days, Months, NaiveDate, TimeDelta};

use crate::domain::{BillProvider, Instant};
use crate::intake::fetching::Fault;
use crate::store::{BillFetch, FetchOutcome, FetchState, Told};

/// Beijing is this far ahead of UTC, all year.
const BEIJING: TimeDelta = TimeDelta::hours(8);
/// The hour of the next day, in Beijing, from which a day's bill is asked for; it is made from nine on.
const OPENS: TimeDelta = TimeDelta::hours(10);
/// The hour from which "there is no bill" is believed of a provider that does not tell it from "not yet".
const CLOSES: TimeDelta = TimeDelta::hours(14);
/// Between tries.
const PAUSE: TimeDelta = TimeDelta::minutes(30);
/// Between tries after so many of them.
const LONG_PAUSE: TimeDelta = TimeDelta::hours(6);
const PATIENT_TRIES: i64 = 48;
/// How far back WeChat Pay has bills.
const WECHAT_PAY_MONTHS: Months = Months::new(3);
/// How far back Alipay's are fetched; it has six years.
const ALIPAY_MONTHS: Months = Months::new(12);

/// A time of the next try that is further off was written under a wrong clock.
pub const PAUSE_MAX: TimeDelta = TimeDelta::hours(7);

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Taken in, as this import.
    Bill(i64),
    NotReady,
    NoActivity,
    NotThere,
    Fault(Fault),
    /// It came, and the import refused it.
    NotTaken(i64, Told),
    /// Something on our side.
    Ours(String),
}

fn in_beijing(at: Instant) -> NaiveDate {
    (at + BEIJING).date_naive()
}

/// An hour of the day after `day`, in Beijing.
fn next_day_at(day: NaiveDate, hour: TimeDelta) -> Instant {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    begins(next) + hour
}

/// When a day begins in Beijing.
pub fn begins(day: NaiveDate) -> Instant {
    day.and_time(chrono::NaiveTime::MIN).and_utc() - BEIJING
}

/// The newest day whose bill may be asked for.
pub fn newest_day(now: Instant) -> NaiveDate {
    let begun = in_beijing(now - OPENS);
    begun.checked_sub_days(Days::new(1)).unwrap_or(begun)
}

/// The oldest day that the provider still has.
pub fn oldest_day(provider: BillProvider, now: Instant) -> NaiveDate {
    let months = match provider {
        BillProvider::WechatPay => WECHAT_PAY_MONTHS,
        BillProvider::Alipay => ALIPAY_MONTHS,
    };
    let today = in_beijing(now);
    today.checked_sub_months(months).unwrap_or(today)
}

/// The days whose bills are to be there, from `first` on.
pub fn days(provider: BillProvider, first: NaiveDate, now: Instant) -> impl Iterator<Item = NaiveDate> {
    let newest = newest_day(now);
    first.max(oldest_day(provider, now)).iter_days().take_while(move |day| *day <= newest)
}

/// What a try leads to. Whether payments of the day are known is for the caller to add.
pub fn outcome(fetch: &BillFetch, provider: BillProvider, came: Came, now: Instant) -> FetchOutcome {
    let pause = if fetch.tries < PATIENT_TRIES { PAUSE } else { LONG_PAUSE };
    let later = now + pause;
    let closes = next_day_at(fetch.day, CLOSES);
    let (state, next_try_at, told, import) = match came {
        Came::Bill(import) => (FetchState::Fetched, now, Told::default(), Some(import)),
        Came::NoActivity => (FetchState::NoActivity, now, Told::default(), None),
        Came::NotReady => (FetchState::Waiting, later, not_ready(), None),
        Came::NotThere if now >= closes => (FetchState::NoBill, now, no_bill(), None),
        Came::NotThere => (FetchState::Waiting, later.min(closes), not_there(), None),
        Came::NotTaken(import, told) => (FetchState::Failed, now, told, Some(import)),
        Came::Fault(fault) => {
            let state = if fault.is_final() { FetchState::Failed } else { FetchState::Waiting };
            (state, later, told_of(&fault), None)
        }
        Came::Ours(cause) => (FetchState::Waiting, later, ours(&cause), None),
    };
    // Beyond the provider's reach there is nothing to wait for.
    let is_lost = state == FetchState::Waiting && oldest_day(provider, next_try_at) > fetch.day;
    let state = if is_lost { FetchState::Failed } else { state };
    FetchOutcome { state, next_try_at, told, import, payments_known: None }
}

fn told_of(fault: &Fault) -> Told {
    Told { code: fault.code().to_owned(), sentence_en: fault.sentence_en(), sentence_zh: fault.sentence_zh() }
}

fn told(code: &str, sentence_en: &str, sentence_zh: &str) -> Told {
    Told { code: code.into(), sentence_en: sentence_en.into(), sentence_zh: sentence_zh.into() }
}

fn not_ready() -> Told {
    told(
        "not_ready",
        "The provider is still making this bill. It is asked again every half hour.",
        "支付机构还在生成这份账单，每半小时自动再取一次。",
    )
}

fn not_there() -> Told {
    told(
        "not_there",
        "The provider has no bill for this day yet, or none at all: it does not say which. It is asked again until 14:00 Beijing time of the next day.",
        "支付机构目前没有这一天的账单，可能尚未生成，也可能当天没有业务，支付机构不作区分。会一直取到次日北京时间 14:00。",
    )
}

fn no_bill() -> Told {
    told("no_bill", "The provider has no bill for this day.", "支付机构没有这一天的账单。")
}

fn ours(cause: &str) -> Told {
    told(
        "ours",
        &format!("This server could not take the bill in ({cause}). It is tried again by itself."),
        &format!("本服务器未能导入账单（{cause}），稍后会自动重试。"),
    )
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
