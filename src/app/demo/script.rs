use chrono::{Days, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};

use super::shops::{Lane, Rail, SHOPS, Shop};
use crate::domain::{Instant, Range};

/// Indexes into [`SHOPS`].
pub const SHANGHAI: usize = 0;
pub const CHENGDU: usize = 1;

/// Beijing has no clock changes: the source day of WeChat Pay and Alipay is this offset's.
pub const BEIJING: FixedOffset = match FixedOffset::east_opt(8 * 3600) {
    Some(offset) => offset,
    None => panic!("eight hours east is an offset"),
};

/// When a provider's bill of a day can be fetched, Beijing time of the next day.
const BILL_READY_HOUR: u32 = 10;

/// Hours after which a bill that has not come is late.
const BILL_LATE_HOURS: i64 = 2;

/// Days before the end on which a provider began to charge more than the contract says.
const RAISED_DAYS_AGO: u64 = 12;

/// Days before the end whose money came late, and came short.
const LATE_PAYOUT_DAYS_AGO: u64 = 9;
const SHORT_PAYOUT_DAYS_AGO: u64 = 6;
/// By how much it was late, and short.
pub const LATE_WORKING_DAYS: u32 = 2;
pub const SHORT_FEN: i64 = 20_000;

/// Orders that must be missing before a provider counts as silent, in thousandths.
const MISSING_ORDERS: u64 = 26_000;

/// A code that takes something off and brings people in, between two business days.
#[derive(Clone, Copy, Debug)]
pub struct Promotion {
    pub code: &'static str,
    /// Only this store, or all.
    pub shop: Option<usize>,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub percent_off: i64,
    /// Orders in percent of a day without it.
    pub lift: u64,
    /// Share of orders that use the code, per million.
    pub used: u64,
}

/// What is planted in a history that ends at `until`: every incident that the pages must show.
#[derive(Clone, Debug)]
pub struct Script {
    pub until: Instant,
    /// Alipay in Shanghai fails for technical reasons: yesterday afternoon.
    pub drop: Range,
    /// UnionPay in Chengdu says nothing from here on.
    pub silent_from: Instant,
    /// WeChat Pay's bills of Shanghai charge 0.60 % instead of 0.38 % from this Beijing day on.
    pub raised_from: NaiveDate,
    /// One cashier in Chengdu gives back far more than the others.
    pub burst: Range,
    /// The Alipay bill of Chengdu for this Beijing day has not come.
    pub missing_bill: NaiveDate,
    /// Alipay pays Shanghai out for this Beijing day later than agreed.
    pub late_payout: NaiveDate,
    /// WeChat Pay pays Chengdu out for this Beijing day, and less than its bill says.
    pub short_payout: NaiveDate,
    pub promotions: [Promotion; 2],
}

/// The cashier of the refund burst, an index into the operators of Chengdu.
pub const BURST_OPERATOR: usize = 3;

impl Script {
    /// The script of a history that ends at `until`.
    pub fn until(until: Instant) -> Self {
        let shanghai = &SHOPS[SHANGHAI];
        let today = shanghai.day_of(until);
        let yesterday = before(today, 1);
        Self {
            until,
            drop: Range {
                from: shanghai.instant(yesterday, 13, 40 * 60_000),
                until: shanghai.instant(yesterday, 16, 10 * 60_000),
            },
            silent_from: silent_from(&SHOPS[CHENGDU], until),
            raised_from: before(beijing_day(until), RAISED_DAYS_AGO),
            burst: Range { from: until - TimeDelta::hours(48), until },
            missing_bill: last_bill_day(until - TimeDelta::hours(BILL_LATE_HOURS)),
            late_payout: before(beijing_day(until), LATE_PAYOUT_DAYS_AGO),
            short_payout: before(beijing_day(until), SHORT_PAYOUT_DAYS_AGO),
            promotions: [
                Promotion {
                    code: "FRESH10",
                    shop: None,
                    first: before(today, 47),
                    last: before(today, 41),
                    percent_off: 10,
                    lift: 138,
                    used: 620_000,
                },
                Promotion {
                    code: "NIGHT20",
                    shop: Some(CHENGDU),
                    first: before(today, 19),
                    last: before(today, 15),
                    percent_off: 20,
                    lift: 155,
                    used: 540_000,
                },
            ],
        }
    }

    /// The promotion that runs in a store on a business day.
    pub fn promotion(&self, shop: usize, day: NaiveDate) -> Option<&Promotion> {
        self.promotions
            .iter()
            .find(|one| one.shop.is_none_or(|only| only == shop) && one.first <= day && day <= one.last)
    }

    /// True when this way to pay takes nothing at that moment.
    pub fn is_silent(&self, shop: usize, lane: &Lane, at: Instant) -> bool {
        shop == CHENGDU && lane.rail == Rail::UnionPay && at >= self.silent_from
    }

    /// True when attempts of this kind run into the planted outage.
    pub fn is_down(&self, shop: usize, rail: Rail, at: Instant) -> bool {
        shop == SHANGHAI && rail == Rail::Alipay && self.drop.contains(at)
    }
}

/// The Beijing day of an instant.
pub fn beijing_day(at: Instant) -> NaiveDate {
    at.with_timezone(&BEIJING).date_naive()
}

/// The instant from which the bill of a Beijing day can be had.
pub fn bill_ready_at(day: NaiveDate) -> Instant {
    let time = NaiveTime::from_hms_opt(BILL_READY_HOUR, 0, 0).unwrap_or(NaiveTime::MIN);
    (day + Days::new(1)).and_time(time).and_utc() - TimeDelta::hours(8)
}

/// The last Beijing day whose bill could be had at `until`.
fn last_bill_day(until: Instant) -> NaiveDate {
    let yesterday = before(beijing_day(until), 1);
    if bill_ready_at(yesterday) <= until { yesterday } else { before(yesterday, 1) }
}

/// Far enough back that many payments are missing, at least three hours.
fn silent_from(shop: &Shop, until: Instant) -> Instant {
    let whole = until.with_nanosecond(0).unwrap_or(until);
    let mut from = whole - TimeDelta::hours(3);
    let Some(lane) = shop.lanes.iter().find(|lane| lane.rail == Rail::UnionPay) else { return from };
    while shop.expected(lane, from, whole) < MISSING_ORDERS && whole - from < TimeDelta::hours(20) {
        from -= TimeDelta::minutes(30);
    }
    from.with_timezone(&Utc)
}

fn before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("an instant")
    }

    #[test]
    fn the_bill_that_is_late_is_yesterdays_only_after_noon_in_beijing() {
        assert_eq!(Script::until(at("2026-11-25T03:59:59Z")).missing_bill.to_string(), "2026-11-23");
        assert_eq!(Script::until(at("2026-11-25T04:00:00Z")).missing_bill.to_string(), "2026-11-24");
    }

    #[test]
    fn the_silence_begins_where_many_payments_are_missing_at_any_hour() {
        let lane = SHOPS[CHENGDU].lanes.iter().find(|lane| lane.rail == Rail::UnionPay).expect("a lane");
        for hour in 0..24 {
            let until = at("2026-11-25T00:06:00Z") + TimeDelta::hours(hour);
            let script = Script::until(until);
            let missing = SHOPS[CHENGDU].expected(lane, script.silent_from, until);
            assert!((26_000..80_000).contains(&missing), "{missing} at {until}");
            assert!(until - script.silent_from >= TimeDelta::hours(3));
            assert!(script.is_silent(CHENGDU, lane, until) && !script.is_silent(SHANGHAI, lane, until));
        }
    }

    #[test]
    fn the_outage_is_yesterday_afternoon_in_shanghai() {
        let script = Script::until(at("2026-11-24T17:30:00Z")); // 01:30 on the 25th in Shanghai
        assert_eq!(script.drop.from, at("2026-11-24T05:40:00Z"));
        assert_eq!(script.drop.until, at("2026-11-24T08:10:00Z"));
    }
}
