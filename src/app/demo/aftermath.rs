use chrono::{TimeDelta, Timelike};
use rust_decimal::Decimal;

use super::order::Draft;
use super::rails::{self, share_half_up};
use super::random::Random;
use super::script::{BURST_OPERATOR, CHENGDU, Script};
use super::shops::{Rail, SHOPS};
use crate::domain::{FailureClass, Instant, Item, Kind, Money, Status, Transaction, Word};

/// What a lost or won dispute costs, minor units.
const DISPUTE_FEE: i64 = 1_500;

/// What comes after a paid payment: money given back, or taken back by the shopper's bank.
pub fn aftermath(paid: &Draft, script: &Script, random: &mut Random) -> Option<Draft> {
    if paid.record.status != Status::Succeeded || paid.unheard {
        return None;
    }
    let disputable =
        paid.record.provider.is_some_and(|one| one.as_str() == "stripe") && paid.rail == Rail::Card;
    if disputable && random.chance(1_900) {
        return dispute(paid, random);
    }
    let burst = is_burst(paid, script);
    let likely = match (burst, paid.rail, paid.record.operator.is_some()) {
        (true, _, _) => 420_000,
        (false, Rail::Cash | Rail::Usdt, _) => 6_000,
        (false, _, true) => 17_000,
        (false, _, false) => 36_000,
    };
    if random.chance(likely) { refund(paid, burst, random) } else { None }
}

fn is_burst(paid: &Draft, script: &Script) -> bool {
    let name = SHOPS[CHENGDU].operators[BURST_OPERATOR];
    paid.shop == CHENGDU
        && paid.record.operator.as_deref() == Some(name)
        && paid.record.completed_at.is_some_and(|at| script.burst.contains(at))
}

fn refund(paid: &Draft, burst: bool, random: &mut Random) -> Option<Draft> {
    let payment = &paid.record;
    let shop = &SHOPS[paid.shop];
    let at = refunded_at(paid, burst, random)?;
    let (amount, items) = given_back(payment, burst, random);
    let failed = !burst && random.chance(14_000);
    let takes_ms = match paid.rail {
        Rail::Cash => 0,
        Rail::BankTransfer | Rail::Usdt => random.between(600_000, 5_400_000),
        _ => random.between(1_200, 45_000),
    };
    let completed = at + TimeDelta::milliseconds(takes_ms);
    let operator = match payment.operator.clone() {
        Some(own) if burst || random.chance(600_000) => Some(own),
        _ => random.pick(shop.operators).map(|one| (*one).to_owned()),
    };
    let mut record = follow_up(payment, Kind::Refund, format!("R-{}", payment.transaction_id), at);
    record.status = if failed { Status::Failed } else { Status::Succeeded };
    record.amount = Money::from_minor(amount, payment.amount.currency()).ok()?;
    record.items = items;
    record.operator = operator;
    record.terminal.clone_from(&payment.terminal);
    record.submitted_at = Some(at + TimeDelta::milliseconds(random.between(100, 700)).min(completed - at));
    record.completed_at = Some(completed);
    record.updated_at = Some(completed);
    record.provider_transaction_id = refund_id(paid, completed, random).filter(|_| !failed);
    if failed {
        record.failure_code = Some("NOTENOUGH".to_owned());
        record.failure_message = Some("商户可用余额不足".to_owned());
        record.failure_class = Some(FailureClass::Merchant);
    }
    Some(Draft { record, rail: paid.rail, shop: paid.shop, paid_unheard: None, unheard: false })
}

fn refunded_at(paid: &Draft, burst: bool, random: &mut Random) -> Option<Instant> {
    let completed = paid.record.completed_at?;
    let minutes = match (burst, paid.record.operator.is_some()) {
        (true, _) => return Some(completed + TimeDelta::seconds(random.between(240, 3_000))),
        (false, true) => random.skewed(6, 3 * 1_440),
        (false, false) => random.skewed(25, 9 * 1_440),
    };
    let at = completed + TimeDelta::minutes(minutes) + TimeDelta::milliseconds(random.between(0, 59_999));
    // Nobody gives money back while the store sleeps: that waits for the morning.
    let asleep = (5..10).contains(&at.with_timezone(&SHOPS[paid.shop].zone).hour());
    Some(if asleep { at + TimeDelta::hours(6) } else { at })
}

/// The whole, one line of the basket, one piece of a line, or something for the trouble.
fn given_back(payment: &Transaction, burst: bool, random: &mut Random) -> (i64, Vec<Item>) {
    let paid = payment.amount.minor();
    if burst || random.chance(540_000) {
        return (paid, payment.items.clone());
    }
    let lines: i64 = payment.items.iter().map(|item| item.line_amount).sum();
    let Some(line) = random.pick(&payment.items) else { return (paid, Vec::new()) };
    let (part, items) = if payment.items.len() > 1 {
        (line.line_amount, vec![line.clone()])
    } else if line.quantity > Decimal::ONE {
        let pieces = i64::try_from(line.quantity.round()).unwrap_or(1).max(1);
        let one = line.line_amount / pieces;
        let discount = line.discount.map(|all| all / pieces);
        (one, vec![Item { quantity: Decimal::ONE, discount, line_amount: one, ..line.clone() }])
    } else {
        (share_half_up(lines, random.between(10, 50) * 10_000), Vec::new())
    };
    // Where the provider paid a part of the basket, its part of the line does not come back to the shopper.
    let amount = if lines == paid { part } else { part * paid / lines.max(1) };
    (amount.clamp(1, paid.max(1)), items)
}

fn refund_id(paid: &Draft, at: Instant, random: &mut Random) -> Option<String> {
    match (paid.rail, paid.record.provider.map(Word::as_str)) {
        (Rail::WeChatPay, _) => Some(format!("50300{}{}", at.format("%Y%m%d"), random.digits(15))),
        // Alipay names a refund by the payment's number and the merchant's own request.
        (Rail::Alipay, Some("alipay")) => paid.record.provider_transaction_id.clone(),
        (Rail::Card | Rail::Alipay, _) => Some(format!("re_3Q{}", random.letters(22))),
        (Rail::UnionPay | Rail::PayPal | Rail::Usdt, _) => rails::provider_id(paid.rail, at, random),
        (Rail::BankTransfer | Rail::Cash, _) => None,
    }
}

fn dispute(paid: &Draft, random: &mut Random) -> Option<Draft> {
    const REASONS: &[&str] = &["fraudulent", "product_not_received", "unrecognized", "duplicate"];
    let payment = &paid.record;
    let at = payment.completed_at? + TimeDelta::minutes(random.between(4 * 1_440, 24 * 1_440));
    let id = format!("du_{}", random.letters(20));
    let decided = at + TimeDelta::minutes(random.between(16 * 1_440, 34 * 1_440));
    let mut record = follow_up(payment, Kind::Dispute, id.clone(), at);
    record.status = match random.weighted([48, 42, 10].into_iter()) {
        0 => Status::Lost,
        1 => Status::Won,
        _ => Status::Accepted,
    };
    record.provider_transaction_id = Some(id);
    record.fee = Some(DISPUTE_FEE);
    record.completed_at = Some(decided);
    record.updated_at = Some(decided);
    let reason = random.pick(REASONS).map_or("general", |reason| *reason);
    record.attributes.push(("reason".to_owned(), reason.to_owned()));
    record.attributes.sort();
    Some(Draft { record, rail: paid.rail, shop: paid.shop, paid_unheard: None, unheard: false })
}

/// A record about an earlier payment: who and which order, nothing of how it went.
fn follow_up(payment: &Transaction, kind: Kind, id: String, at: Instant) -> Transaction {
    Transaction {
        transaction_id: id,
        created_at: at,
        kind,
        parent_transaction_id: Some(payment.transaction_id.clone()),
        provider_transaction_id: None,
        attempt: None,
        scene: None,
        device: None,
        operator: None,
        terminal: None,
        shift: None,
        submitted_at: None,
        authorized_at: None,
        settled_on: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        tax: None,
        fee: None,
        items: Vec::new(),
        risk: crate::domain::Risk::default(),
        ..payment.clone()
    }
}
