use chrono::TimeDelta;

use super::basket::{Basket, Shopper};
use super::order::{Arrival, Draft, USDT_PER_PENNY};
use super::random::Random;
use super::shops::{Rail, Shop};
use crate::domain::{CheckoutEvent, Instant, Scene, Status, Step, Word};

/// Steps before a payment is tried, in order, with the time spent on each (seconds, shortest and longest).
const WAY: [(Step, i64, i64); 5] = [
    (Step::ViewItem, 12, 160),
    (Step::AddToCart, 6, 240),
    (Step::BeginCheckout, 5, 45),
    (Step::AddShippingInfo, 8, 95),
    (Step::AddPaymentInfo, 3, 30),
];

/// Where a shopper who buys nothing leaves: after how many steps of [`WAY`], and how often.
const LEAVES: [u64; 5] = [48, 22, 15, 9, 6];

/// Shoppers who leave, in percent of those who try to pay.
pub const LEAVING_PERCENT: i64 = 118;

/// True where a shopper walks through our own checkout.
pub fn has_checkout(draft: &Draft) -> bool {
    matches!(
        draft.record.scene,
        Some(Scene::MiniProgram | Scene::OfficialAccount | Scene::H5 | Scene::App | Scene::Web)
    )
}

/// The way of a shopper whose order is `drafts`: up to the last try, and the purchase if there was one.
pub fn session_of_order(arrival: &Arrival, drafts: &[Draft], random: &mut Random) -> Vec<CheckoutEvent> {
    let Some(first) = drafts.first() else { return Vec::new() };
    let visitor = first.record.customer.clone();
    let mut session = Session::begin(arrival, first.record.created_at, random);
    session.visitor = visitor.or(session.visitor);
    session.of(first);
    let spent: i64 = session.walk(WAY.len());
    session.shift(first.record.created_at - TimeDelta::milliseconds(spent));
    for draft in drafts {
        session.try_to_pay(draft);
    }
    session.events
}

/// The way of a shopper who never tries to pay.
pub fn session_that_leaves(arrival: &Arrival, random: &mut Random) -> Vec<CheckoutEvent> {
    let steps = 1 + random.weighted(LEAVES.into_iter());
    let shopper = Shopper::draw(arrival.shop, random);
    let basket = Basket::draw(arrival.shop, arrival.day, true, shopper, arrival.script, random);
    let mut session = Session::begin(arrival, arrival.at, random);
    session.value = Some(basket.asked());
    session.walk(steps);
    if steps == WAY.len() && random.chance(300_000) {
        let fields: &[&str] = &["card_number", "expiry", "phone"];
        if let (Some(last), Some(field)) = (session.events.last_mut(), random.pick(fields)) {
            last.field_error = Some((*field).to_owned());
        }
    }
    session.events
}

struct Session {
    events: Vec<CheckoutEvent>,
    blank: CheckoutEvent,
    shop: &'static Shop,
    visitor: Option<String>,
    value: Option<i64>,
    at: Instant,
    random: Random,
}

impl Session {
    fn begin(arrival: &Arrival, at: Instant, random: &mut Random) -> Self {
        let shop = arrival.shop();
        let devices: &[&str] =
            if shop.code == "LD" { &["Desktop", "iPhone"] } else { &["iPhone", "Android"] };
        let sources: &[&str] = if shop.code == "LD" { &["direct", "google"] } else { &["direct", "douyin"] };
        let blank = CheckoutEvent {
            event_id: String::new(),
            time: at,
            store: arrival.store,
            session_id: format!("S-{}", arrival.order_id),
            visitor: None,
            step: Step::ViewItem,
            order_id: None,
            currency: Some(shop.currency()),
            value: None,
            methods_offered: Vec::new(),
            method: None,
            promotion: None,
            source: random.pick(sources).map(|one| (*one).to_owned()),
            campaign: None,
            device: random.pick(devices).map(|one| (*one).to_owned()),
            dwell_ms: None,
            autofilled: None,
            field_error: None,
            items: Vec::new(),
            attributes: Vec::new(),
            test: false,
        };
        Self {
            events: Vec::new(),
            blank,
            shop,
            visitor: Some(format!("v{}{}", shop.code, random.letters(12))),
            value: None,
            at,
            random: Random::of(random.next(), "session", &[]),
        }
    }

    /// Takes over what the payment says.
    fn of(&mut self, first: &Draft) {
        let record = &first.record;
        self.value = Some(match first.rail {
            // The shop's checkout shows the price in its own unit.
            Rail::Usdt => record.amount.minor() / USDT_PER_PENNY,
            _ => record.amount.minor(),
        });
        self.blank.device.clone_from(&record.device);
        self.blank.source.clone_from(&record.source);
        self.blank.campaign.clone_from(&record.campaign);
        self.blank.promotion.clone_from(&record.promotion);
        self.blank.order_id.clone_from(&record.order_id);
    }

    /// The first `steps` steps; returns the milliseconds they took.
    fn walk(&mut self, steps: usize) -> i64 {
        let begin = self.at;
        for (step, shortest, longest) in WAY.into_iter().take(steps) {
            let dwell = self.random.skewed(shortest * 1_000, longest * 1_000);
            let mut event = self.event(step);
            event.dwell_ms = Some(dwell);
            if step == Step::AddPaymentInfo {
                event.methods_offered = self.offered();
                event.autofilled = Some(self.random.chance(410_000));
            }
            self.events.push(event);
            self.at += TimeDelta::milliseconds(dwell);
        }
        (self.at - begin).num_milliseconds()
    }

    fn offered(&self) -> Vec<Word> {
        let mut methods: Vec<Word> = Vec::new();
        for lane in self.shop.lanes.iter().filter(|lane| lane.online > 0) {
            let method = Word::of(lane.method);
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        methods
    }

    fn try_to_pay(&mut self, draft: &Draft) {
        let record = &draft.record;
        self.at = record.created_at;
        let mut tried = self.event(Step::PaymentAttempt);
        tried.method = record.method;
        self.events.push(tried);
        self.at = record.completed_at.unwrap_or(record.created_at);
        let step = match record.status {
            Status::Succeeded => Step::Purchase,
            Status::Failed | Status::Blocked => Step::PaymentFailed,
            _ => return,
        };
        let mut ended = self.event(step);
        ended.method = record.method;
        self.events.push(ended);
    }

    fn event(&self, step: Step) -> CheckoutEvent {
        let number = self.events.len() + 1;
        let priced = !matches!(step, Step::ViewItem);
        CheckoutEvent {
            event_id: format!("E-{}-{number}", &self.blank.session_id),
            time: self.at,
            step,
            visitor: self.visitor.clone(),
            value: self.value.filter(|_| priced),
            order_id: self.blank.order_id.clone().filter(|_| step >= Step::PaymentAttempt),
            ..self.blank.clone()
        }
    }

    /// Moves the whole session so that it begins at `begin`.
    fn shift(&mut self, begin: Instant) {
        let Some(first) = self.events.first().map(|event| event.time) else { return };
        for event in &mut self.events {
            event.time = begin + (event.time - first);
        }
    }
}
