use std::borrow::Cow;

use super::fields::{
    amount, attributes, bounded, currency, day, instant, missing, required_text, text, word_of,
};
use super::items::{WireItems, items};
use super::judge::{Judge, Row};
use super::row_error::{Code, Fault};
use super::wire::{Nested, Pairs, Text, object};
use super::{ATTRIBUTES_MAX, FREE_TEXT_CHARS_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX};
use crate::domain::{
    AMOUNT_MINOR_MAX, FailureClass, Kind, MethodDetail, Money, Risk, Scene, Status, Transaction, Word,
    failure_reason,
};

/// Largest number of a try.
const ATTEMPT_MAX: i64 = 1_000_000;
/// Largest risk score, either way.
const SCORE_MAX: i64 = 1_000_000;
const KINDS: &str = "payment, refund, dispute, hold, top_up";
const SCENES: &str = "static_qr, scanner, mini_program, official_account, h5, app, web, face, delivery_platform, \
     pos_terminal, other";

object! {
    /// A transaction as it is sent.
    WireTransaction<'a> {
        transaction_id: Text<'a>, created_at: Text<'a>, kind: Text<'a>, status: Text<'a>, amount: i64,
        currency: Text<'a>, store: Text<'a>, account: Text<'a>, provider: Text<'a>, method: Text<'a>,
        aggregator: Text<'a>, method_detail: Nested<WireMethodDetail<'a>>, scene: Text<'a>, device: Text<'a>,
        operator: Text<'a>, terminal: Text<'a>, shift: Text<'a>, source: Text<'a>, campaign: Text<'a>,
        promotion: Text<'a>, order_id: Text<'a>, payment_id: Text<'a>, attempt: i64,
        parent_transaction_id: Text<'a>, provider_transaction_id: Text<'a>, subscription_id: Text<'a>,
        submitted_at: Text<'a>, authorized_at: Text<'a>, completed_at: Text<'a>, settled_on: Text<'a>,
        updated_at: Text<'a>, failure_code: Text<'a>, failure_message: Text<'a>, failure_class: Text<'a>,
        list_amount: i64, discount_merchant: i64, discount_platform: i64, tax: i64, fee: i64, fee_refunded: i64,
        customer: Text<'a>, payment_fingerprint: Text<'a>, ip: Text<'a>, items: WireItems<'a>,
        risk: Nested<WireRisk<'a>>, attributes: Pairs<'a, ATTRIBUTES_MAX>, test: bool,
    }
}

object! {
    /// What exactly the shopper paid with, as it is sent.
    WireMethodDetail<'a> { bank: Text<'a>, card_brand: Text<'a>, funding: Text<'a>, wallet: Text<'a> }
}

object! {
    /// A risk service's word, as it is sent.
    WireRisk<'a> { score: i64, verdict: Text<'a>, outcome: Text<'a> }
}

impl<'de, T: From<Cow<'de, str>>> Row<'de> for Transaction<T> {
    type Wire = WireTransaction<'de>;

    fn judge(wire: WireTransaction<'de>, judge: &Judge<'_>) -> Result<Self, Fault> {
        let now = judge.now;
        let kind = word_of("kind", wire.kind, Kind::parse, KINDS)?.unwrap_or(Kind::Payment);
        let status = status_of(wire.status, kind)?;
        let currency = currency("currency", wire.currency)?.ok_or_else(|| missing("currency"))?;
        let minor = amount("amount", wire.amount)?.ok_or_else(|| missing("amount"))?;
        let provider = judge.slug("provider", wire.provider)?;
        let failure_code: Option<Cow<'de, str>> = text("failure_code", wire.failure_code, LABEL_CHARS_MAX)?;
        let failure_class = word_of(
            "failure_class",
            wire.failure_class,
            FailureClass::parse,
            "customer, issuer, risk, technical, merchant",
        )?
        .or_else(|| known_class(provider, failure_code.as_deref()));
        Ok(Self {
            transaction_id: required_text("transaction_id", wire.transaction_id, ID_CHARS_MAX)?,
            created_at: instant("created_at", wire.created_at, now)?.ok_or_else(|| missing("created_at"))?,
            kind,
            status,
            amount: Money::from_minor(minor, currency).map_err(|_| {
                Fault::new("amount", Code::OutOfRange, format!("is beyond {AMOUNT_MINOR_MAX}"))
            })?,
            store: judge.store(wire.store)?,
            account: judge.account(wire.account)?,
            provider,
            method: judge.slug("method", wire.method)?,
            aggregator: judge.slug("aggregator", wire.aggregator)?,
            method_detail: method_detail(wire.method_detail)?,
            scene: word_of("scene", wire.scene, Scene::parse, SCENES)?,
            device: text("device", wire.device, LABEL_CHARS_MAX)?,
            operator: text("operator", wire.operator, LABEL_CHARS_MAX)?,
            terminal: text("terminal", wire.terminal, LABEL_CHARS_MAX)?,
            shift: text("shift", wire.shift, LABEL_CHARS_MAX)?,
            source: text("source", wire.source, LABEL_CHARS_MAX)?,
            campaign: text("campaign", wire.campaign, LABEL_CHARS_MAX)?,
            promotion: text("promotion", wire.promotion, LABEL_CHARS_MAX)?,
            order_id: text("order_id", wire.order_id, ID_CHARS_MAX)?,
            payment_id: text("payment_id", wire.payment_id, ID_CHARS_MAX)?,
            attempt: bounded("attempt", wire.attempt, 0, ATTEMPT_MAX)?.and_then(|n| u32::try_from(n).ok()),
            parent_transaction_id: text("parent_transaction_id", wire.parent_transaction_id, ID_CHARS_MAX)?,
            provider_transaction_id: text(
                "provider_transaction_id",
                wire.provider_transaction_id,
                ID_CHARS_MAX,
            )?,
            subscription_id: text("subscription_id", wire.subscription_id, ID_CHARS_MAX)?,
            submitted_at: instant("submitted_at", wire.submitted_at, now)?,
            authorized_at: instant("authorized_at", wire.authorized_at, now)?,
            completed_at: instant("completed_at", wire.completed_at, now)?,
            settled_on: day("settled_on", wire.settled_on, now)?,
            updated_at: instant("updated_at", wire.updated_at, now)?,
            failure_code: failure_code.map(T::from),
            failure_message: text("failure_message", wire.failure_message, FREE_TEXT_CHARS_MAX)?,
            failure_class,
            list_amount: amount("list_amount", wire.list_amount)?,
            discount_merchant: amount("discount_merchant", wire.discount_merchant)?,
            discount_platform: amount("discount_platform", wire.discount_platform)?,
            tax: amount("tax", wire.tax)?,
            fee: super::fields::signed_amount("fee", wire.fee)?,
            fee_refunded: amount("fee_refunded", wire.fee_refunded)?,
            customer: judge.pseudonym("customer", wire.customer)?,
            payment_fingerprint: judge.pseudonym("payment_fingerprint", wire.payment_fingerprint)?,
            ip: judge.ip(wire.ip)?,
            items: items(wire.items, currency)?,
            risk: risk(wire.risk)?,
            attributes: wire.attributes.map_or(Ok(Vec::new()), |pairs| attributes(pairs.0))?,
            test: judge.test(wire.test)?,
        })
    }
}

fn status_of(value: Option<Text<'_>>, kind: Kind) -> Result<Status, Fault> {
    let Some(Text(word)) = value else { return Err(missing("status")) };
    let fitting = || {
        let words: Vec<&str> =
            Status::ALL.iter().filter(|status| status.fits(kind)).map(|status| status.as_str()).collect();
        format!("of a {} must be one of: {}", kind.as_str(), words.join(", "))
    };
    match Status::parse(&word) {
        None => Err(Fault::new("status", Code::UnknownValue, fitting())),
        Some(status) if !status.fits(kind) => Err(Fault::new("status", Code::StatusMismatch, fitting())),
        Some(status) => Ok(status),
    }
}

/// Whose fault a failure is, where the provider's code is one we know.
fn known_class(provider: Option<Word>, code: Option<&str>) -> Option<FailureClass> {
    failure_reason(provider.unwrap_or(Word::NONE), code?).map(crate::domain::FailureReason::class)
}

pub(super) fn method_detail<'a, T: From<Cow<'a, str>>>(
    wire: Option<Nested<WireMethodDetail<'a>>>,
) -> Result<MethodDetail<T>, Fault> {
    let Some(Nested(wire)) = wire else {
        return Ok(MethodDetail { bank: None, card_brand: None, funding: None, wallet: None });
    };
    let label = |field, value| {
        text(field, value, LABEL_CHARS_MAX).map_err(|fault: Fault| fault.inside("method_detail"))
    };
    Ok(MethodDetail {
        bank: label("bank", wire.bank)?,
        card_brand: label("card_brand", wire.card_brand)?,
        funding: label("funding", wire.funding)?,
        wallet: label("wallet", wire.wallet)?,
    })
}

fn risk<'a, T: From<Cow<'a, str>>>(wire: Option<Nested<WireRisk<'a>>>) -> Result<Risk<T>, Fault> {
    let Some(Nested(wire)) = wire else {
        return Ok(Risk { score: None, verdict: None, outcome: None });
    };
    let inside = |fault: Fault| fault.inside("risk");
    Ok(Risk {
        score: bounded("score", wire.score, -SCORE_MAX, SCORE_MAX).map_err(inside)?,
        verdict: text("verdict", wire.verdict, LABEL_CHARS_MAX).map_err(inside)?,
        outcome: text("outcome", wire.outcome, LABEL_CHARS_MAX).map_err(inside)?,
    })
}
