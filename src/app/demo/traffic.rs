use std::collections::BTreeMap;

use chrono::{TimeDelta, Timelike};

use super::aftermath::aftermath;
use super::day::orders_of;
use super::funnel;
use super::order::{Arrival, Draft, order};
use super::random::Random;
use super::script::Script;
use super::shops::SHOPS;
use super::state::as_of;
use crate::domain::{CheckoutEvent, Instant, StoreId, Transaction};

/// Steps that may wait to become due; beyond it the farthest are let go.
const WAITING_MAX: usize = 20_000;
/// What comes of an order later than this is not kept.
const AHEAD: TimeDelta = TimeDelta::hours(48);

/// Something that happened just now and that the store's systems report.
#[derive(Clone, Debug)]
pub enum Happening {
    Transaction(Box<Transaction>),
    Event(Box<CheckoutEvent>),
}

/// Live traffic of the three stores: what happens in each moment, at the pace of the local hour.
///
/// What the script has silenced stays silent; what the history left open is brought to its end.
pub struct Traffic {
    script: Script,
    stores: [StoreId; 3],
    random: Random,
    waiting: BTreeMap<(Instant, u64), Happening>,
    count: u64,
    reached: Instant,
}

impl Traffic {
    /// Traffic from `from` on; `open` are the drafts of the history that are not at their end yet.
    pub fn from(seed: u64, script: Script, stores: [StoreId; 3], from: Instant, open: Vec<Draft>) -> Self {
        let random = Random::of(seed, "traffic", &[from.timestamp_millis()]);
        let mut traffic = Self { script, stores, random, waiting: BTreeMap::new(), count: 0, reached: from };
        for draft in open {
            traffic.expect(&draft);
        }
        traffic
    }

    /// Everything that happened since the last call, up to `now`.
    pub fn until(&mut self, now: Instant) -> Vec<Happening> {
        // After a long sleep of the machine nobody makes up for the lost hours.
        self.reached = self.reached.max(now - TimeDelta::minutes(5));
        while self.reached + TimeDelta::seconds(1) <= now {
            for shop in 0..SHOPS.len() {
                for online in [false, true] {
                    if self.random.chance(arrivals_per_million(shop, online, self.reached, &self.script)) {
                        self.arrive(shop, online);
                    }
                }
            }
            self.reached += TimeDelta::seconds(1);
        }
        let later = self.waiting.split_off(&(now, 0));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    fn arrive(&mut self, shop: usize, online: bool) {
        let at = self.reached + TimeDelta::milliseconds(self.random.between(0, 999));
        let day = SHOPS[shop].day_of(at);
        let local = at.with_timezone(&SHOPS[shop].zone);
        let order_id = format!("{}{}-L{}", SHOPS[shop].code, day.format("%Y%m%d"), local.format("%H%M%S%3f"));
        let script = self.script.clone();
        let arrival =
            Arrival { script: &script, shop, store: self.stores[shop], day, at, online, order_id: &order_id };
        let drafts = order(&arrival, &mut self.random);
        if drafts.first().is_some_and(funnel::has_checkout) && self.random.chance(SHOPS[shop].observed) {
            let mut events = funnel::session_of_order(&arrival, &drafts, &mut self.random);
            if self.random.chance(u64::try_from(funnel::LEAVING_PERCENT).unwrap_or(0) * 8_000) {
                let other = format!("{order_id}x");
                let away = Arrival { order_id: &other, ..arrival };
                events.extend(funnel::session_that_leaves(&away, &mut self.random));
            }
            for event in events {
                self.add(event.time.max(at), Happening::Event(Box::new(event)));
            }
        }
        for draft in &drafts {
            self.expect(draft);
            if let Some(after) = aftermath(draft, &script, &mut self.random) {
                self.expect(&after);
            }
        }
    }

    /// Notes each step of a record for the moment when it is taken.
    fn expect(&mut self, draft: &Draft) {
        let record = &draft.record;
        let moments = [Some(record.created_at), record.submitted_at, record.completed_at];
        let mut told = None;
        for at in moments.into_iter().flatten() {
            let known_at = at + TimeDelta::milliseconds(1);
            if at < self.reached || at > self.reached + AHEAD {
                continue;
            }
            let Some(state) = as_of(draft, known_at) else { continue };
            if told != Some(state.status) {
                told = Some(state.status);
                self.add(known_at, Happening::Transaction(Box::new(state)));
            }
        }
    }

    fn add(&mut self, at: Instant, happening: Happening) {
        self.count += 1;
        self.waiting.insert((at, self.count), happening);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_last();
        }
    }
}

/// Chance of an order within the second that begins at `at`, per million.
fn arrivals_per_million(shop: usize, online: bool, at: Instant, script: &Script) -> u64 {
    let place = &SHOPS[shop];
    let day = place.day_of(at);
    let hour = usize::try_from(at.with_timezone(&place.zone).hour()).unwrap_or(0);
    let hours = place.hours(online);
    let percent = if online { place.online_percent } else { 100 - place.online_percent };
    let share = orders_of(shop, day, script) * percent * hours[hour];
    share * 1_000_000 / (100 * hours.iter().sum::<u64>() * 3_600)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{Kind, Status, Word};

    #[test]
    fn an_evening_of_traffic_looks_like_an_evening_of_the_history() {
        let begin: Instant = "2026-11-24T11:00:00Z".parse().expect("an instant");
        let script = Script::until(begin);
        let mut traffic = Traffic::from(1, script, [StoreId(1), StoreId(2), StoreId(3)], begin, Vec::new());
        let mut last: BTreeMap<String, (Instant, Status)> = BTreeMap::new();
        let (mut payments, mut events) = (0, 0);
        for second in 0..7_200 {
            let now = begin + TimeDelta::seconds(second);
            for happening in traffic.until(now) {
                match happening {
                    Happening::Event(event) => {
                        assert!(event.time < now && now - event.time < TimeDelta::hours(1));
                        events += 1;
                    }
                    Happening::Transaction(one) => {
                        assert!(one.updated_at.is_some_and(|at| at < now), "{one:?}");
                        let silent = one.store == StoreId(2) && one.provider == Some(Word::of("unionpay"));
                        assert!(!silent || one.kind != Kind::Payment, "{one:?}");
                        let before = last.insert(one.transaction_id.clone(), (one.created_at, one.status));
                        if let Some((created_at, status)) = before {
                            assert_eq!(created_at, one.created_at);
                            assert!(!status.is_terminal(), "{status:?} then {:?}", one.status);
                        } else if one.kind == Kind::Payment {
                            payments += 1;
                        }
                    }
                }
            }
        }
        let ended = last.values().filter(|(_, status)| status.is_terminal()).count();
        assert!((600..1_400).contains(&payments), "{payments}");
        assert!(ended * 100 > last.len() * 90, "{ended} of {}", last.len());
        assert!(events > 200, "{events}");
    }
}
