use chrono::{Datelike, NaiveDate};

use super::aftermath::aftermath;
use super::funnel;
use super::order::{Arrival, Draft, order};
use super::random::Random;
use super::script::Script;
use super::shops::SHOPS;
use crate::domain::{CheckoutEvent, Instant, StoreId};

/// Everything that begins on one business day of one store, and what comes of it later.
#[derive(Debug, Default)]
pub struct ShopDay {
    pub drafts: Vec<Draft>,
    pub events: Vec<CheckoutEvent>,
}

/// Orders to be expected on a business day, after weekday, growth and promotion, before chance.
pub fn orders_of(shop: usize, day: NaiveDate, script: &Script) -> u64 {
    let weekday = usize::try_from(day.weekday().num_days_from_monday()).unwrap_or(0);
    let ago = (SHOPS[shop].day_of(script.until) - day).num_days().clamp(-365, 365);
    let growth = u64::try_from(1_050 - ago).unwrap_or(1_000);
    let lift = script.promotion(shop, day).map_or(100, |promotion| promotion.lift);
    SHOPS[shop].orders_a_day * SHOPS[shop].weekdays[weekday] * growth * lift / 10_000_000
}

/// Makes a business day. Pure: equal arguments give an equal day.
pub fn shop_day(seed: u64, script: &Script, shop: usize, store: StoreId, day: NaiveDate) -> ShopDay {
    let number = i64::from(day.num_days_from_ce());
    let part = i64::try_from(shop).unwrap_or(0);
    let mut random = Random::of(seed, "day", &[part, number]);
    let orders = orders_of(shop, day, script) * random.below(121).saturating_add(940) / 1_000;

    let mut made = ShopDay::default();
    let arrivals = arrivals(shop, day, orders, &mut random);
    for (count, (at, online)) in arrivals.into_iter().enumerate() {
        if at >= script.until {
            continue;
        }
        let order_id = format!("{}{}-{:05}", SHOPS[shop].code, day.format("%Y%m%d"), count + 1);
        let arrival = Arrival { script, shop, store, day, at, online, order_id: &order_id };
        let draws = [part, number, i64::try_from(count).unwrap_or(0)];
        add_order(&mut made, &arrival, &mut Random::of(seed, "order", &draws));
    }
    made
}

/// Moments of the day's orders, earliest first, and whether each comes in online.
fn arrivals(shop: usize, day: NaiveDate, orders: u64, random: &mut Random) -> Vec<(Instant, bool)> {
    let mut arrivals = Vec::new();
    for _ in 0..orders {
        let online = random.below(100) < SHOPS[shop].online_percent;
        let hour = random.weighted(SHOPS[shop].hours(online).iter().copied());
        let ms = random.between(0, 3_599_999);
        arrivals.push((SHOPS[shop].instant(day, u32::try_from(hour).unwrap_or(0), ms), online));
    }
    arrivals.sort_unstable();
    arrivals
}

fn add_order(made: &mut ShopDay, arrival: &Arrival, random: &mut Random) {
    let drafts = order(arrival, random);
    let watched = drafts.first().is_some_and(funnel::has_checkout) && random.chance(arrival.shop().observed);
    if watched {
        made.events.extend(funnel::session_of_order(arrival, &drafts, random));
        for number in 0..leaving(random) {
            let order_id = format!("{}x{number}", arrival.order_id);
            let away = Arrival { order_id: &order_id, ..*arrival };
            made.events.extend(funnel::session_that_leaves(&away, random));
        }
    }
    // Payments first: the bills need them before the refunds that name them.
    let after: Vec<Draft> =
        drafts.iter().filter_map(|draft| aftermath(draft, arrival.script, random)).collect();
    made.drafts.extend(drafts);
    made.drafts.extend(after);
}

/// Shoppers who leave for each who tries to pay.
fn leaving(random: &mut Random) -> i64 {
    let whole = funnel::LEAVING_PERCENT / 100;
    let rest = u64::try_from(funnel::LEAVING_PERCENT % 100).unwrap_or(0);
    whole + i64::from(random.chance(rest * 10_000))
}
