//! Stripe: HMAC over the time and the raw bytes; the record is the charge.
//!
//! One payment makes events of its intent, its charge and its checkout session. They are facts about one subject, the
//! intent; its rows are its charges, each an attempt (`charges`). Refunds and disputes are objects that say all of
//! themselves: their row is the last event's object, their version its time. `charge.refunded` carries a sum that is
//! also sent for partial refunds, so rows of refunds come from `refund.*` only. Payouts are ledger lines.

mod charges;

use serde_json::Value;

use super::Provider;
use super::delivery::Notice;
use super::exponents::provider_money;
use super::fields::{Fields, parse};
use super::keys::{Keys, SecretKind, from_hex, is_hmac_sha256};
use super::reading::{
    EndpointContext, Fault, FaultCode, Reading, Said, currency, failed_with, id, label, transaction,
};
use super::unverified::Unverified;
use crate::domain::{
    Direction, Instant, Kind, LedgerKind, LedgerLine, MethodDetail, Money, Status, Transaction, Word,
    instant_from_ms,
};

pub(super) use charges::derive;

const PROVIDER: &str = "stripe";
/// Signatures in one header: two secrets are in force while one is changed.
const SIGNATURES_MAX: usize = 16;

/// An event that Stripe signed.
#[derive(Debug)]
pub(super) struct Proved {
    event: Value,
    pub used: Vec<String>,
}

/// Proves an event.
pub(super) fn prove(notice: &Notice<'_>, keys: &Keys) -> Result<Proved, Unverified> {
    let header = notice.headers.get("stripe-signature").ok_or(Unverified::SignatureMissing)?;
    let (timestamp, signatures) = read_header(header).ok_or(Unverified::SignatureMissing)?;
    let mut secrets = keys.of(SecretKind::SigningSecret).peekable();
    if secrets.peek().is_none() {
        return Err(Unverified::NoKey);
    }
    let message = [timestamp.as_bytes(), b".", notice.body];
    let key = secrets
        .find(|key| signatures.iter().any(|signature| is_hmac_sha256(key, &message, signature)))
        .ok_or(Unverified::SignatureWrong)?;
    let signed_at = timestamp.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    // A stamp from the future is refused too, unlike in Stripe's own libraries.
    if !signed_at.is_some_and(|ms| notice.is_in_window(instant_from_ms(ms))) {
        return Err(Unverified::ClockOff);
    }
    let event = parse(notice.body).map_err(|_| Unverified::Malformed)?;
    // A thin event only says that something happened and has to be fetched with a secret key.
    if event.get("object").and_then(Value::as_str) != Some("event") {
        return Err(Unverified::ThinEvent);
    }
    Ok(Proved { event, used: vec![key.id.clone()] })
}

/// The time and the `v1` signatures of `t=…,v1=…[,v1=…][,v0=…]`; other schemes are ignored.
fn read_header(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let pairs = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let timestamp = pairs().find(|(name, _)| *name == "t").map(|(_, value)| value)?;
    let signatures = pairs().filter(|(name, _)| *name == "v1").take(SIGNATURES_MAX);
    let signatures: Vec<Vec<u8>> = signatures.filter_map(|(_, value)| from_hex(value)).collect();
    (!signatures.is_empty()).then_some((timestamp, signatures))
}

/// What every event says beside its object.
struct Event<'a> {
    id: String,
    kind: &'a str,
    at: Instant,
    context: EndpointContext<'a>,
}

impl Proved {
    /// What it says.
    pub(super) fn read(&self, context: &EndpointContext<'_>) -> Reading {
        let mut reading = Reading::default();
        let kind = self.event.get("type").and_then(Value::as_str).unwrap_or_default();
        let said = self.said(kind, context, &mut reading.unread_fields);
        reading.add(kind, said);
        reading
    }

    fn said(&self, kind: &str, context: &EndpointContext<'_>, unread: &mut usize) -> Result<Said, Fault> {
        let envelope = Fields::of("", &self.event)?;
        let at = envelope.epoch("created", context)?;
        let test = context.test || envelope.truth("livemode") == Some(false);
        let event = Event {
            id: envelope.id("id")?,
            kind,
            at: at.ok_or_else(|| Fault::new("created", FaultCode::Missing))?,
            context: EndpointContext { test, ..*context },
        };
        let data = envelope.needed_object("data")?;
        let object = data.needed_object("object")?;
        let said = match object.text("object").unwrap_or_default() {
            "charge" => charges::charge(&object, &event),
            "payment_intent" => charges::intent(&object, &event),
            "checkout.session" => charges::session(&object, &event),
            "refund" => refund(&object, &event),
            "dispute" => dispute(&object, &event),
            "payout" => payout(&object, &event),
            _ => Ok(Said::Nothing),
        };
        *unread = object.unread();
        said
    }
}

/// The id of a charge's row: charges stand under their intent, if they have one.
fn payment_row_id(intent: Option<&str>, charge: &str) -> Result<String, Fault> {
    match intent {
        Some(intent) => id("charge", &format!("{intent}/{charge}")),
        None => id("charge", charge),
    }
}

/// `amount` and `currency` of an object.
fn amount(object: &Fields<'_>) -> Result<Money, Fault> {
    let unit = currency("currency", object.needed_text("currency")?)?;
    provider_money(Provider::Stripe, "amount", object.needed_integer("amount")?, unit)
}

/// A refund or dispute of a charge.
fn reversal(
    object: &Fields<'_>,
    event: &Event<'_>,
    kind: Kind,
    status: Status,
) -> Result<Transaction, Fault> {
    let created = object.epoch("created", &event.context)?;
    let created = created.ok_or_else(|| Fault::new("created", FaultCode::Missing))?;
    let own = object.id("id")?;
    let mut row = transaction(&event.context, kind, own.clone(), created, status, amount(object)?);
    let intent = object.optional_id("payment_intent")?;
    let charge = object.optional_id("charge")?;
    row.provider = Some(Word::of(PROVIDER));
    row.provider_transaction_id = Some(own);
    row.parent_transaction_id = match (&intent, &charge) {
        (_, Some(charge)) => Some(payment_row_id(intent.as_deref(), charge)?),
        (Some(_), None) => intent.clone(),
        (None, None) => None,
    };
    row.payment_id = intent;
    if let Some(metadata) = object.object("metadata")? {
        row.order_id = metadata.optional_id("order_id")?;
    }
    row.updated_at = Some(event.at);
    row.completed_at = status.is_terminal().then_some(event.at);
    Ok(row)
}

fn refund(object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
    let status = match object.needed_text("status")? {
        "pending" | "requires_action" => Status::Pending,
        "succeeded" => Status::Succeeded,
        "failed" => Status::Failed,
        "canceled" => Status::Cancelled,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    };
    let mut row = reversal(object, event, Kind::Refund, status)?;
    if status == Status::Failed {
        failed_with(&mut row, object.text("failure_reason"), None);
    }
    Said::transaction(row)
}

fn dispute(object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
    let status = match object.needed_text("status")? {
        "needs_response" | "warning_needs_response" => Status::EvidenceDue,
        "under_review" | "warning_under_review" => Status::Opened,
        // An inquiry that came to nothing; one that was prevented was given back as a refund, which is a row of its own.
        "won" | "warning_closed" | "prevented" => Status::Won,
        "lost" => Status::Lost,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    };
    let mut row = reversal(object, event, Kind::Dispute, status)?;
    row.failure_code = object.text("network_reason_code").or_else(|| object.text("reason")).and_then(label);
    row.failure_message = object.text("reason").and_then(label);
    row.fee = dispute_fee(object, row.amount)?;
    Said::transaction(row)
}

/// What the dispute itself costs, where it is booked in the dispute's own currency.
fn dispute_fee(object: &Fields<'_>, disputed: Money) -> Result<Option<i64>, Fault> {
    let mut sum = None;
    for value in object.list("balance_transactions") {
        let booked = Fields::of("balance_transactions", value)?;
        let unit = currency("currency", booked.needed_text("currency")?)?;
        if unit == disputed.currency() {
            let fee = booked.integer("fee")?.unwrap_or(0);
            let fee_minor = provider_money(Provider::Stripe, "fee", fee.saturating_abs(), unit)?.minor();
            sum = Some(sum.unwrap_or(0_i64).saturating_add(if fee < 0 { -fee_minor } else { fee_minor }));
        }
    }
    Ok(sum)
}

fn payout(object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
    let status = match object.needed_text("status")? {
        "paid" => Status::Succeeded,
        "pending" | "in_transit" => Status::Pending,
        "failed" | "canceled" => Status::Failed,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    };
    let posted_at = object.epoch("created", &event.context)?;
    let posted_at = posted_at.ok_or_else(|| Fault::new("created", FaultCode::Missing))?;
    let unit = currency("currency", object.needed_text("currency")?)?;
    let given = object.needed_integer("amount")?;
    let gross = provider_money(Provider::Stripe, "amount", given.saturating_abs(), unit)?.minor();
    let own = object.id("id")?;
    let is_out = given >= 0;
    Ok(Said::Line(Box::new(LedgerLine {
        // The balance report has the same movement under its own number: one line, whichever comes first.
        line_id: object.optional_id("balance_transaction")?.unwrap_or_else(|| own.clone()),
        posted_at,
        source_day: Some(posted_at.date_naive()),
        store: event.context.store,
        account: event.context.account.to_owned(),
        provider: Some(Word::of(PROVIDER)),
        status,
        completed_at: object.epoch("arrival_date", &event.context).ok().flatten(),
        updated_at: Some(event.at),
        operator: None,
        terminal: None,
        scene: None,
        list_amount: None,
        discount_merchant: None,
        discount_platform: None,
        category: None,
        attributes: Vec::new(),
        kind: LedgerKind::Payout,
        direction: if is_out { Direction::Out } else { Direction::In },
        currency: unit,
        gross,
        fee: None,
        net: Some(if is_out { -gross } else { gross }),
        fee_rate: None,
        settle_currency: None,
        settle_amount: None,
        exchange_rate: None,
        provider_transaction_id: Some(own.clone()),
        parent_transaction_id: None,
        order_id: None,
        payout_id: Some(own),
        method: None,
        method_detail: MethodDetail::default(),
        customer: None,
        description: object
            .text("failure_message")
            .or_else(|| object.text("statement_descriptor"))
            .and_then(label),
        file: None,
        line_number: None,
        test: event.context.test,
    })))
}
