use chrono::{NaiveDate, TimeDelta};

use super::basket::{Basket, Shopper};
use super::rails::{self, Ending};
use super::random::Random;
use super::script::Script;
use super::shops::{Lane, Rail, SHOPS, Shop};
use crate::domain::{
    Currency, FailureClass, Instant, Kind, MethodDetail, Money, Risk, Scene, Status, StoreId, Transaction,
    Word,
};

/// Tries of one order at most.
const TRIES_MAX: u32 = 4;

/// Micro-USDT for a penny.
pub const USDT_PER_PENNY: i64 = 12_700;

/// A record in its final state, with what its live feed does not know.
#[derive(Clone, Debug)]
pub struct Draft {
    pub record: Transaction,
    pub rail: Rail,
    /// Index into [`SHOPS`].
    pub shop: usize,
    /// Paid according to the provider though the store never heard of it: the provider's id and the moment.
    pub paid_unheard: Option<(String, Instant)>,
    /// The answer was lost: the live feed has it as pending for good.
    pub unheard: bool,
}

impl Draft {
    /// When the money moved, as the provider's bill has it.
    pub fn billed_at(&self) -> Option<Instant> {
        if let Some((_, at)) = &self.paid_unheard {
            return Some(*at);
        }
        self.record.completed_at.filter(|_| self.record.status == Status::Succeeded)
    }
}

/// Where and when an order comes in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub script: &'a Script,
    pub shop: usize,
    pub store: StoreId,
    pub day: NaiveDate,
    pub at: Instant,
    pub online: bool,
    /// Part of every id of the order.
    pub order_id: &'a str,
}

impl Arrival<'_> {
    pub fn shop(&self) -> &'static Shop {
        &SHOPS[self.shop]
    }

    /// Draws a way to pay that is not silent.
    fn lane(&self, at: Instant, random: &mut Random) -> &'static Lane {
        let lanes = self.shop().lanes;
        let share = |lane: &Lane| match (self.script.is_silent(self.shop, lane, at), self.online) {
            (true, _) => 0,
            (false, true) => lane.online,
            (false, false) => lane.at_till,
        };
        &lanes[random.weighted(lanes.iter().map(share)).min(lanes.len() - 1)]
    }
}

/// Makes an order: every attempt to pay it, the last one successful or not.
pub fn order(arrival: &Arrival, random: &mut Random) -> Vec<Draft> {
    let shopper = Shopper::draw(arrival.shop, random);
    let basket = Basket::draw(arrival.shop, arrival.day, arrival.online, shopper, arrival.script, random);
    let visit = Visit::draw(arrival, random);
    let mut lane = arrival.lane(arrival.at, random);
    let mut drafts = Vec::new();
    let mut at = arrival.at;
    for attempt in 1..=TRIES_MAX {
        let this = Try { lane, at, attempt };
        let Some(draft) = try_once(arrival, &this, shopper, &basket, &visit, random) else { break };
        let (status, class) = (draft.record.status, draft.record.failure_class);
        let ended = draft.record.completed_at.unwrap_or(at);
        drafts.push(draft);
        let Some((again, other_way)) = second_thoughts(status, class) else { break };
        if !random.chance(again) {
            break;
        }
        at = ended + TimeDelta::milliseconds(random.skewed(9_000, 140_000));
        if random.chance(other_way) || arrival.script.is_silent(arrival.shop, lane, at) {
            lane = arrival.lane(at, random);
        }
    }
    drafts
}

/// How likely a shopper tries again, and then another way, per million. `None` after success.
const fn second_thoughts(status: Status, class: Option<FailureClass>) -> Option<(u64, u64)> {
    match (status, class) {
        (Status::Succeeded | Status::Overpaid, _) => None,
        (Status::Failed, Some(FailureClass::Technical)) => Some((710_000, 380_000)),
        (Status::Failed, _) => Some((690_000, 460_000)),
        (Status::Cancelled, _) => Some((330_000, 420_000)),
        _ => Some((210_000, 350_000)),
    }
}

struct Try {
    lane: &'static Lane,
    at: Instant,
    attempt: u32,
}

/// What does not change between the tries of one order.
struct Visit {
    operator: Option<&'static str>,
    terminal: Option<&'static str>,
    shift: Option<&'static str>,
    device: Option<&'static str>,
    source: Option<&'static str>,
    campaign: Option<&'static str>,
    table: Option<String>,
}

impl Visit {
    fn draw(arrival: &Arrival, random: &mut Random) -> Self {
        let shop = arrival.shop();
        if arrival.online {
            const PHONES: &[&str] = &["iPhone", "Android", "Android", "HarmonyOS"];
            const DESKS: &[&str] = &["Desktop", "iPhone", "Android"];
            const SOURCES: [(&str, Option<&str>, u64); 5] = [
                ("direct", None, 46),
                ("xiaohongshu", Some("xhs-autumn"), 18),
                ("douyin", Some("live-room"), 16),
                ("wechat_moments", None, 12),
                ("sms", Some("member-day"), 8),
            ];
            const ABROAD: [(&str, Option<&str>, u64); 4] = [
                ("direct", None, 44),
                ("google", Some("brand-search"), 30),
                ("instagram", Some("tea-stories"), 16),
                ("newsletter", Some("november"), 10),
            ];
            let sources: &[(&str, Option<&str>, u64)] = if shop.code == "LD" { &ABROAD } else { &SOURCES };
            let (source, campaign, _) = sources[random.weighted(sources.iter().map(|one| one.2))];
            let devices = if shop.code == "LD" { DESKS } else { PHONES };
            return Self {
                operator: None,
                terminal: None,
                shift: None,
                device: random.pick(devices).copied(),
                source: Some(source),
                campaign,
                table: None,
            };
        }
        let late = shop.instant(arrival.day, 16, 0) <= arrival.at;
        let shift = match (late, shop.code) {
            (false, "LD") => "early",
            (true, "LD") => "late",
            (false, _) => "早班",
            (true, _) => "晚班",
        };
        let letter = ["A", "B", "C"][random.weighted([5, 3, 2].into_iter())];
        let table = (shop.code == "CD").then(|| format!("{letter}{:02}", random.between(1, 14)));
        Self {
            operator: random.pick(shop.operators).copied(),
            terminal: random.pick(shop.terminals).copied(),
            shift: Some(shift),
            device: None,
            source: None,
            campaign: None,
            table,
        }
    }
}

fn try_once(
    arrival: &Arrival,
    this: &Try,
    shopper: Shopper,
    basket: &Basket,
    visit: &Visit,
    random: &mut Random,
) -> Option<Draft> {
    let lane = this.lane;
    let shop = arrival.shop();
    let scenes = if arrival.online { lane.online_scenes } else { lane.till_scenes };
    let scene = scenes.get(random.weighted(scenes.iter().map(|one| one.1))).map_or(Scene::Other, |one| one.0);
    let down = arrival.script.is_down(arrival.shop, lane.rail, this.at);
    let ending = rails::ending(lane.rail, scene, down, random);
    let (basket, currency) = priced(basket, lane.rail, shop.currency());
    let platform = platform_discount(lane.rail, basket.asked(), random);

    let amount = Money::from_minor(basket.asked() - platform.unwrap_or(0), currency).ok()?;
    let mut record = blank(arrival, this, amount);
    record.scene = Some(scene);
    record.list_amount = Some(basket.list);
    record.discount_merchant = (basket.discount > 0).then_some(basket.discount);
    record.discount_platform = platform;
    record.promotion = basket.promotion.map(str::to_owned);
    record.tax = (shop.code == "LD").then(|| basket.asked() - basket.asked() * 100 / 120);
    record.items = basket.items;
    record.method_detail = detail(lane, random);
    set_visit(&mut record, visit, shopper);
    set_shopper(&mut record, shop.code, lane, shopper, arrival.online);
    end(&mut record, lane, &ending, random);
    let mut draft = Draft { record, rail: lane.rail, shop: arrival.shop, paid_unheard: None, unheard: false };
    lose_answers(&mut draft, arrival.script, random);
    Some(draft)
}

/// USDT is priced in its own unit; everything else in the store's.
fn priced(basket: &Basket, rail: Rail, own: Currency) -> (Basket, Currency) {
    match Currency::parse("USDT") {
        Ok(usdt) if rail == Rail::Usdt => (basket.converted(USDT_PER_PENNY, own, usdt), usdt),
        _ => (basket.clone(), own),
    }
}

/// UnionPay's app takes something off now and then, at its own cost.
fn platform_discount(rail: Rail, asked: i64, random: &mut Random) -> Option<i64> {
    let lucky = rail == Rail::UnionPay && asked >= 3_000 && random.chance(170_000);
    lucky.then(|| (asked / 10).min(random.between(2, 12) * 100))
}

fn blank(arrival: &Arrival, this: &Try, amount: Money) -> Transaction {
    Transaction {
        transaction_id: format!("{}-{}", arrival.order_id, this.attempt),
        created_at: this.at,
        kind: Kind::Payment,
        status: Status::Created,
        amount,
        store: arrival.store,
        account: this.lane.account.to_owned(),
        provider: Some(Word::of(this.lane.provider)),
        method: Some(Word::of(this.lane.method)),
        aggregator: this.lane.aggregator.map(Word::of),
        method_detail: MethodDetail::default(),
        scene: None,
        device: None,
        operator: None,
        terminal: None,
        shift: None,
        source: None,
        campaign: None,
        promotion: None,
        order_id: Some(arrival.order_id.to_owned()),
        payment_id: Some(format!("P-{}", arrival.order_id)),
        attempt: Some(this.attempt),
        parent_transaction_id: None,
        provider_transaction_id: None,
        subscription_id: None,
        submitted_at: None,
        authorized_at: None,
        completed_at: None,
        settled_on: None,
        updated_at: None,
        failure_code: None,
        failure_message: None,
        failure_class: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        tax: None,
        fee: None,
        fee_refunded: None,
        customer: None,
        payment_fingerprint: None,
        ip: None,
        items: Vec::new(),
        risk: Risk::default(),
        attributes: Vec::new(),
        test: false,
    }
}

fn detail(lane: &Lane, random: &mut Random) -> MethodDetail {
    const BANKS: &[&str] = &["CMB", "ICBC", "CCB", "ABC", "BOC", "PSBC"];
    const BRANDS: &[(&str, u64)] = &[("visa", 54), ("mastercard", 34), ("amex", 9), ("unionpay", 3)];
    let mut detail = MethodDetail::default();
    match (lane.rail, lane.provider) {
        (Rail::Card, "stripe") => {
            let brand = BRANDS.get(random.weighted(BRANDS.iter().map(|one| one.1)));
            detail.card_brand = brand.map(|one| one.0.to_owned());
            detail.wallet = random.chance(310_000).then(|| "apple_pay".to_owned());
        }
        (Rail::Card, _) => detail.card_brand = Some("unionpay".to_owned()),
        _ => {}
    }
    if matches!(lane.rail, Rail::Card | Rail::UnionPay | Rail::WeChatPay) && lane.provider != "stripe" {
        detail.bank = random.pick(BANKS).map(|bank| (*bank).to_owned());
    }
    if matches!(lane.rail, Rail::Card | Rail::UnionPay) {
        detail.funding = Some(if random.chance(560_000) { "debit" } else { "credit" }.to_owned());
    }
    detail
}

fn set_visit(record: &mut Transaction, visit: &Visit, shopper: Shopper) {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    record.operator = owned(visit.operator);
    record.terminal = owned(visit.terminal);
    record.shift = owned(visit.shift);
    record.device = owned(visit.device);
    record.source = owned(visit.source);
    record.campaign = owned(visit.campaign);
    if let Some(level) = shopper.level {
        record.attributes.push(("member_level".to_owned(), level.to_owned()));
    }
    if let Some(table) = &visit.table {
        record.attributes.push(("table".to_owned(), table.clone()));
    }
}

/// Who paid, as the provider names people: each provider has its own ids, cash has none.
fn set_shopper(record: &mut Transaction, code: &str, lane: &Lane, shopper: Shopper, online: bool) {
    let number = shopper.number;
    record.customer = match lane.rail {
        Rail::WeChatPay => Some(format!("oDemo{code}w{number:06}")),
        Rail::Alipay => Some(format!("uDemo{code}a{number:06}")),
        Rail::Cash | Rail::BankTransfer => shopper.level.map(|_| format!("m{code}{number:06}")),
        _ if online || shopper.level.is_some() => Some(format!("m{code}{number:06}")),
        _ => None,
    };
    if lane.rail == Rail::Card {
        record.payment_fingerprint = Some(format!("fp{code}{number:06}"));
    }
}

/// Writes the end of an attempt into its record.
fn end(record: &mut Transaction, lane: &Lane, ending: &Ending, random: &mut Random) {
    let submitted = record.created_at + TimeDelta::milliseconds(random.between(120, 900));
    let completed = submitted + TimeDelta::milliseconds(ending.takes_ms);
    record.status = ending.status;
    record.submitted_at = (ending.status != Status::Blocked).then_some(submitted);
    record.completed_at = Some(completed);
    record.updated_at = Some(completed);
    if let Some(failure) = ending.failure {
        record.failure_code = Some(failure.code.to_owned());
        record.failure_message = Some(failure.message.to_owned());
        record.failure_class = Some(failure.class);
    }
    if ending.status == Status::Blocked {
        record.failure_class = Some(FailureClass::Risk);
        record.failure_code = Some("highest_risk_level".to_owned());
        record.risk =
            Risk { score: Some(random.between(81, 99)), verdict: Some("block".into()), outcome: None };
    }
    if ending.status != Status::Succeeded {
        return;
    }
    record.provider_transaction_id = rails::provider_id(lane.rail, completed, random);
    record.fee = rails::live_fee(lane.provider, lane.rail, record.amount.minor());
    if lane.rail == Rail::Card {
        record.authorized_at = Some(completed - TimeDelta::milliseconds(60));
        record.risk.score = (lane.provider == "stripe").then(|| random.skewed(1, 70));
    }
    record.settled_on = rails::settles_after(lane.provider).map(|days| (completed + days).date_naive());
}

/// A few answers never reach the store: orders that expire here though they are paid there, and, in the
/// last day and a half, some that still wait.
fn lose_answers(draft: &mut Draft, script: &Script, random: &mut Random) {
    let record = &mut draft.record;
    let billed = matches!(record.provider.map(Word::as_str), Some("wechat_pay" | "alipay"));
    let (true, Status::Succeeded, Some(completed)) = (billed, record.status, record.completed_at) else {
        return;
    };
    if random.chance(220) {
        if let Some(id) = record.provider_transaction_id.take() {
            draft.paid_unheard = Some((id, completed));
        }
        let lifetime = rails::lifetime_ms(draft.rail, record.scene.unwrap_or(Scene::Other));
        let expired = record.created_at + TimeDelta::milliseconds(lifetime.max(900_000));
        record.status = Status::Expired;
        record.completed_at = Some(expired);
        record.updated_at = Some(expired);
    } else if script.until - record.created_at < TimeDelta::hours(36) && random.chance(2_500) {
        draft.unheard = true;
    }
}
