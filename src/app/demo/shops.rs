use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::goods::{self, Good};
use crate::domain::{Currency, Instant, Scene};

/// How money travels; decides ids, delays, failures and fees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rail {
    WeChatPay,
    Alipay,
    UnionPay,
    Card,
    BankTransfer,
    Cash,
    PayPal,
    Usdt,
}

/// One way to pay in one store.
#[derive(Debug)]
pub struct Lane {
    pub rail: Rail,
    pub provider: &'static str,
    pub method: &'static str,
    /// The merchant id at the provider, as its bills name it.
    pub account: &'static str,
    pub aggregator: Option<&'static str>,
    /// Share among the store's ways at the till, and online.
    pub at_till: u64,
    pub online: u64,
    pub till_scenes: &'static [(Scene, u64)],
    pub online_scenes: &'static [(Scene, u64)],
}

/// One store of the demo and how it lives.
#[derive(Debug)]
pub struct Shop {
    pub slug: &'static str,
    /// Begins every order id.
    pub code: &'static str,
    pub name: &'static str,
    pub zone: Tz,
    pub cut_off_hour: u32,
    pub currency: &'static str,
    pub language: &'static str,
    pub orders_a_day: u64,
    /// Orders that come in online, in percent.
    pub online_percent: u64,
    /// Weights of the local hours 0 to 23.
    pub till_hours: [u64; 24],
    pub online_hours: [u64; 24],
    /// Percent of an ordinary day, Monday first.
    pub weekdays: [u64; 7],
    pub lanes: &'static [Lane],
    pub goods: &'static [Good],
    pub operators: &'static [&'static str],
    pub terminals: &'static [&'static str],
    /// Share of online orders whose way through checkout is recorded, per million.
    pub observed: u64,
    /// How many people know the store.
    pub customers: i64,
}

/// The hours in which a shopper orders from home.
const HOME_HOURS: [u64; 24] = [3, 2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 9, 8, 7, 7, 7, 8, 9, 11, 14, 15, 12, 7];

const SCANNED: &[(Scene, u64)] = &[(Scene::Scanner, 70), (Scene::StaticQr, 30)];
const FACED: &[(Scene, u64)] = &[(Scene::Scanner, 66), (Scene::StaticQr, 26), (Scene::Face, 8)];
const TABLED: &[(Scene, u64)] = &[(Scene::StaticQr, 45), (Scene::Scanner, 55)];
const TERMINAL: &[(Scene, u64)] = &[(Scene::PosTerminal, 1)];
const OTHER: &[(Scene, u64)] = &[(Scene::Other, 1)];
const WEB: &[(Scene, u64)] = &[(Scene::Web, 80), (Scene::App, 20)];
const PHONE: &[(Scene, u64)] = &[(Scene::H5, 60), (Scene::App, 40)];
const MINI: &[(Scene, u64)] = &[(Scene::MiniProgram, 86), (Scene::OfficialAccount, 6), (Scene::H5, 8)];
const DELIVERY: &[(Scene, u64)] = &[(Scene::MiniProgram, 60), (Scene::DeliveryPlatform, 40)];

const fn lane(rail: Rail, provider: &'static str, method: &'static str, account: &'static str) -> Lane {
    Lane {
        rail,
        provider,
        method,
        account,
        aggregator: None,
        at_till: 0,
        online: 0,
        till_scenes: OTHER,
        online_scenes: WEB,
    }
}

const CASH: Lane = lane(Rail::Cash, "cash", "cash", "default");
const BANK: Lane = lane(Rail::BankTransfer, "cmb", "bank_transfer", "default");
const UNIONPAY: Lane = lane(Rail::UnionPay, "unionpay", "unionpay", "default");

/// The three stores.
pub const SHOPS: [Shop; 3] = [
    Shop {
        slug: "nanjing-road",
        code: "SH",
        name: "上海南京西路店",
        zone: Tz::Asia__Shanghai,
        cut_off_hour: 0,
        currency: "CNY",
        language: "zh-Hans",
        orders_a_day: 1_830,
        online_percent: 28,
        till_hours: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 8, 11, 10, 7, 7, 8, 10, 13, 13, 10, 6, 0, 0],
        online_hours: HOME_HOURS,
        weekdays: [92, 88, 90, 94, 108, 124, 116],
        lanes: &[
            Lane {
                at_till: 45,
                online: 58,
                till_scenes: FACED,
                online_scenes: MINI,
                ..lane(Rail::WeChatPay, "wechat_pay", "wechat_pay", "1688320417")
            },
            Lane {
                at_till: 32,
                online: 30,
                till_scenes: FACED,
                online_scenes: PHONE,
                ..lane(Rail::Alipay, "alipay", "alipay", "2088541209376615")
            },
            Lane { at_till: 9, online: 6, till_scenes: SCANNED, online_scenes: PHONE, ..UNIONPAY },
            Lane {
                at_till: 7,
                online: 4,
                till_scenes: TERMINAL,
                online_scenes: PHONE,
                ..lane(Rail::Card, "chinaums", "card", "default")
            },
            Lane { at_till: 6, ..CASH },
            Lane { at_till: 1, online: 2, ..BANK },
        ],
        goods: goods::SHANGHAI,
        operators: &["陈怡", "林晓", "王敏", "赵磊", "周舟", "吴桐", "郑好"],
        terminals: &["SH-T01", "SH-T02", "SH-T03", "SH-T04", "SH-T05"],
        observed: 300_000,
        customers: 11_000,
    },
    Shop {
        slug: "yulin",
        code: "CD",
        name: "成都玉林餐酒馆",
        zone: Tz::Asia__Shanghai,
        cut_off_hour: 4,
        currency: "CNY",
        language: "zh-Hans",
        orders_a_day: 960,
        online_percent: 22,
        till_hours: [12, 8, 5, 2, 0, 0, 0, 2, 3, 3, 3, 6, 10, 8, 4, 3, 4, 7, 11, 14, 16, 17, 18, 16],
        online_hours: [4, 3, 2, 1, 1, 1, 2, 5, 8, 7, 7, 12, 14, 9, 5, 5, 6, 10, 14, 13, 10, 9, 8, 6],
        weekdays: [80, 82, 88, 96, 126, 138, 104],
        lanes: &[
            Lane {
                at_till: 45,
                online: 62,
                till_scenes: TABLED,
                online_scenes: DELIVERY,
                ..lane(Rail::WeChatPay, "wechat_pay", "wechat_pay", "1690175822")
            },
            Lane {
                at_till: 24,
                online: 22,
                till_scenes: TABLED,
                online_scenes: DELIVERY,
                ..lane(Rail::Alipay, "alipay", "alipay", "2088630014825573")
            },
            Lane {
                at_till: 16,
                online: 14,
                till_scenes: SCANNED,
                online_scenes: PHONE,
                aggregator: Some("shouqianba"),
                ..UNIONPAY
            },
            Lane { at_till: 5, till_scenes: TERMINAL, ..lane(Rail::Card, "chinaums", "card", "default") },
            Lane { at_till: 9, ..CASH },
            Lane { at_till: 1, online: 2, ..BANK },
        ],
        goods: goods::CHENGDU,
        operators: &["阿杰", "小夏", "罗兰", "何川", "唐糖"],
        terminals: &["CD-T01", "CD-T02", "CD-T03"],
        observed: 300_000,
        customers: 4_200,
    },
    Shop {
        slug: "covent-garden",
        code: "LD",
        name: "London Covent Garden",
        zone: Tz::Europe__London,
        cut_off_hour: 0,
        currency: "GBP",
        language: "en",
        orders_a_day: 760,
        online_percent: 38,
        till_hours: [0, 0, 0, 0, 0, 0, 0, 0, 2, 5, 7, 9, 13, 13, 10, 9, 9, 11, 12, 8, 3, 0, 0, 0],
        online_hours: HOME_HOURS,
        weekdays: [90, 92, 95, 100, 112, 126, 85],
        lanes: &[
            Lane {
                at_till: 68,
                online: 58,
                till_scenes: TERMINAL,
                online_scenes: WEB,
                ..lane(Rail::Card, "stripe", "card", "acct_1QdemoLDN")
            },
            Lane {
                at_till: 7,
                online: 8,
                till_scenes: SCANNED,
                online_scenes: WEB,
                // Alipay of tourists, taken through the card provider.
                ..lane(Rail::Alipay, "stripe", "alipay", "acct_1QdemoLDN")
            },
            Lane { online: 20, ..lane(Rail::PayPal, "paypal", "paypal", "default") },
            Lane {
                at_till: 3,
                online: 9,
                till_scenes: OTHER,
                ..lane(Rail::BankTransfer, "truelayer", "bank_transfer", "default")
            },
            Lane { at_till: 1, online: 5, ..lane(Rail::Usdt, "tron", "usdt", "default") },
            Lane { at_till: 21, ..CASH },
        ],
        goods: goods::LONDON,
        operators: &["Amelia", "Noah", "Priya", "Owen"],
        terminals: &["LD-T01", "LD-T02", "LD-T03"],
        observed: 300_000,
        customers: 5_200,
    },
];

impl Shop {
    /// The store's own currency.
    pub fn currency(&self) -> Currency {
        Currency::parse(self.currency).unwrap_or(Currency::CNY)
    }

    /// The weights of the local hours for orders at the till or online.
    pub const fn hours(&self, online: bool) -> &[u64; 24] {
        if online { &self.online_hours } else { &self.till_hours }
    }

    /// The business day (local, by cut-off) of an instant.
    pub fn day_of(&self, at: Instant) -> NaiveDate {
        let local = at.with_timezone(&self.zone).naive_local();
        (local - TimeDelta::hours(i64::from(self.cut_off_hour))).date()
    }

    /// The instant of a local hour, minute … of a business day; `ms` counts from the hour's begin.
    ///
    /// Hours before the cut-off belong to the following calendar day.
    pub fn instant(&self, day: NaiveDate, hour: u32, ms: i64) -> Instant {
        let date = if hour < self.cut_off_hour { day + Days::new(1) } else { day };
        let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
        let begin = self.zone.from_local_datetime(&date.and_time(time)).earliest();
        // An hour that a clock change leaves out: the one after it.
        let begin = begin.map_or_else(|| date.and_time(time).and_utc(), |local| local.with_timezone(&Utc));
        begin + TimeDelta::milliseconds(ms)
    }

    /// Orders to be expected from `from` to `until` over one lane, in thousandths, on ordinary days.
    pub fn expected(&self, lane: &Lane, from: Instant, until: Instant) -> u64 {
        let mut sum = 0;
        let mut at = from;
        while at < until {
            let local = at.with_timezone(&self.zone);
            let hour = usize::try_from(local.hour()).unwrap_or(0);
            let weekday = usize::try_from(self.day_of(at).weekday().num_days_from_monday()).unwrap_or(0);
            let minutes = u64::try_from((until - at).num_minutes().min(15)).unwrap_or(0);
            for (online, percent) in [(true, self.online_percent), (false, 100 - self.online_percent)] {
                let hours = self.hours(online);
                let share = |lane: &Lane| if online { lane.online } else { lane.at_till };
                let lanes: u64 = self.lanes.iter().map(share).sum();
                // orders × channel % × weekday % × hour share × lane share × minutes of the hour, ×1000
                let over = hours.iter().sum::<u64>() * lanes * 60 * 10_000;
                let of = self.orders_a_day * percent * self.weekdays[weekday] * hours[hour];
                sum += of * share(lane) * minutes * 1_000 / over.max(1);
            }
            at += TimeDelta::minutes(15);
        }
        sum
    }
}
