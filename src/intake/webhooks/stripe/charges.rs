//! The attempts of one payment intent.
//!
//! Each charge is an attempt and one row. Until an event of the charge itself is known, its row is what the intent says
//! of it (`latest_charge`); afterwards the charge's own word counts. An attempt that failed before there was a charge
//! (authentication) is a row of its own. An intent without any attempt is no payment yet: a page that was opened. Only
//! when it is cancelled so, that is a row. Sessions and intents lend their order number to the charges.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::Provider;
use super::super::derive::{Derived, version};
use super::super::exponents::provider_money;
use super::super::fields::Fields;
use super::super::reading::{
    EndpointContext, Fault, FaultCode, Said, currency, failed_with, label, money, slug, transaction,
};
use super::{Event, PROVIDER, payment_row_id};
use crate::domain::{Currency, Kind, MethodDetail, Status, Transaction, Word, instant_from_ms};

/// Who says a thing: what a charge says of itself counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Teller {
    Session,
    Intent,
    Charge,
}

/// What one event says of an intent or one of its charges.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct IntentFact {
    teller: Teller,
    event: String,
    at_ms: i64,
    created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    status: Status,
    amount: i64,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_brand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    funding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_message: Option<String>,
    test: bool,
}

impl IntentFact {
    fn new(teller: Teller, event: &Event<'_>, status: Status) -> Self {
        Self {
            teller,
            event: event.id.clone(),
            at_ms: event.at.timestamp_millis(),
            created_ms: event.at.timestamp_millis(),
            intent: None,
            charge: None,
            order: None,
            status,
            amount: 0,
            currency: String::new(),
            method: None,
            card_brand: None,
            funding: None,
            wallet: None,
            failure_code: None,
            failure_message: None,
            test: event.context.test,
        }
    }

    /// Adds when it began, what it is worth, and whose order it is.
    fn common(
        &mut self,
        object: &Fields<'_>,
        event: &Event<'_>,
        amount: (&'static str, &'static str),
    ) -> Result<(), Fault> {
        let created = object.epoch("created", &event.context)?;
        self.created_ms =
            created.ok_or_else(|| Fault::new("created", FaultCode::Missing))?.timestamp_millis();
        let unit = currency("currency", object.needed_text("currency")?)?;
        // What was taken, where anything was; else what was asked for.
        let taken = object.integer(amount.0)?.filter(|taken| *taken > 0);
        let asked = object.needed_integer(amount.1)?;
        self.amount = provider_money(Provider::Stripe, amount.1, taken.unwrap_or(asked), unit)?.minor();
        unit.code().clone_into(&mut self.currency);
        if let Some(metadata) = object.object("metadata")? {
            self.order = metadata.optional_id("order_id")?;
        }
        Ok(())
    }

    fn said(self, object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
        let subject = self.intent.as_deref().or(self.charge.as_deref()).unwrap_or_default();
        let customer = object.text("customer");
        let customer = customer.map(|of| event.context.pseudonyms.of("customer", PROVIDER, of));
        Said::fact(format!("intent/{subject}"), self.event.clone(), &self, customer)
    }
}

/// An event of a charge.
pub(super) fn charge(object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
    let outcome = object.object("outcome")?;
    let outcome_text = |name| outcome.as_ref().and_then(|outcome| outcome.text(name));
    let captured = object.truth("captured").unwrap_or(true);
    let status = match (object.needed_text("status")?, captured) {
        _ if event.kind == "charge.expired" => Status::Expired,
        ("succeeded", true) => Status::Succeeded,
        ("succeeded", false) if object.truth("refunded") == Some(true) => Status::Cancelled,
        ("succeeded", false) => Status::Authorized,
        ("pending", _) => Status::Pending,
        ("failed", _) if outcome_text("type") == Some("blocked") => Status::Blocked,
        ("failed", _) => Status::Failed,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    };
    let mut fact = IntentFact::new(Teller::Charge, event, status);
    fact.common(object, event, ("amount_captured", "amount"))?;
    fact.charge = Some(object.id("id")?);
    fact.intent = object.optional_id("payment_intent")?;
    if matches!(status, Status::Failed | Status::Blocked) {
        fact.failure_code = outcome_text("reason").or_else(|| object.text("failure_code")).and_then(label);
        fact.failure_message = object.text("failure_message").map(str::to_owned);
    }
    if let Some(details) = object.object("payment_method_details")? {
        fact.method = details.text("type").map(str::to_owned);
        if let Some(card) = details.object("card")? {
            fact.card_brand = card.text("brand").and_then(label);
            fact.funding = card.text("funding").and_then(label);
            let wallet = card.object("wallet")?;
            fact.wallet = wallet.and_then(|wallet| wallet.text("type").and_then(label));
        }
    }
    fact.said(object, event)
}

/// An event of an intent.
pub(super) fn intent(object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
    let error = object.object("last_payment_error")?;
    let error_text = |name| error.as_ref().and_then(|error| error.text(name));
    let has_failed = event.kind == "payment_intent.payment_failed";
    let status = match object.needed_text("status")? {
        "succeeded" => Status::Succeeded,
        "processing" => Status::Pending,
        "requires_capture" => Status::Authorized,
        "canceled" => Status::Cancelled,
        _ if has_failed => Status::Failed,
        "requires_action" => Status::ActionRequired,
        "requires_payment_method" | "requires_confirmation" => Status::Created,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    };
    let mut fact = IntentFact::new(Teller::Intent, event, status);
    fact.common(object, event, ("amount_received", "amount"))?;
    fact.intent = Some(object.id("id")?);
    let latest = object.optional_id("latest_charge")?;
    // Between two attempts the latest charge is still the one that failed.
    fact.charge = match status {
        Status::Succeeded | Status::Pending | Status::Authorized => latest,
        Status::Cancelled if error.is_none() => latest,
        _ => None,
    };
    if has_failed {
        // The attempt that failed: the one the error names, or none where it failed before there was a charge.
        fact.charge = error_text("charge").map(str::to_owned);
        fact.failure_code = error_text("decline_code").or_else(|| error_text("code")).and_then(label);
        fact.failure_message = error_text("message").map(str::to_owned);
    }
    if let [only] = object.list("payment_method_types") {
        fact.method = only.as_str().map(str::to_owned);
    }
    fact.said(object, event)
}

/// A checkout session: it only lends its order number to the payment of its intent.
pub(super) fn session(object: &Fields<'_>, event: &Event<'_>) -> Result<Said, Fault> {
    let Some(intent) = object.optional_id("payment_intent")? else { return Ok(Said::Nothing) };
    let mut fact = IntentFact::new(Teller::Session, event, Status::Created);
    fact.intent = Some(intent);
    fact.order = object.optional_id("client_reference_id")?;
    if fact.order.is_none()
        && let Some(metadata) = object.object("metadata")?
    {
        fact.order = metadata.optional_id("order_id")?;
    }
    if fact.order.is_none() { Ok(Said::Nothing) } else { fact.said(object, event) }
}

/// How far a status is: decides between events of one second.
const fn rank(status: Status) -> u8 {
    match status {
        Status::Created => 0,
        Status::ActionRequired => 1,
        Status::Pending => 2,
        Status::Authorized => 3,
        Status::Failed | Status::Blocked | Status::Expired => 4,
        Status::Cancelled => 5,
        _ => 6,
    }
}

/// The attempts that the facts about one intent make.
pub(in super::super) fn derive(
    facts: &[IntentFact],
    customer: Option<&str>,
    context: &EndpointContext<'_>,
) -> Result<Vec<Derived>, Fault> {
    let attempts: BTreeSet<&str> = facts.iter().filter_map(|fact| fact.charge.as_deref()).collect();
    let mut told: BTreeMap<String, &IntentFact> = BTreeMap::new();
    for charge in &attempts {
        let of_it = facts.iter().filter(|fact| fact.charge.as_deref() == Some(charge));
        let last = of_it.max_by_key(|fact| (fact.teller, fact.at_ms, rank(fact.status), &fact.event));
        if let Some(last) = last {
            told.insert(payment_row_id(last.intent.as_deref(), charge)?, last);
        }
    }
    for fact in facts.iter().filter(|fact| fact.teller == Teller::Intent && fact.charge.is_none()) {
        match (fact.status, &fact.intent) {
            (Status::Failed, _) => told.insert(fact.event.clone(), fact),
            (Status::Cancelled, Some(intent)) if attempts.is_empty() => told.insert(intent.clone(), fact),
            _ => None,
        };
    }
    let order = order(facts);
    let updated_at = version(facts.iter().map(|fact| fact.at_ms).max().unwrap_or_default(), facts.len());
    let rows = told.into_iter().map(|(own, fact)| {
        let mut row = attempt(own, fact, context)?;
        let reached = instant_from_ms(first_told(facts, fact));
        row.completed_at = fact.status.is_terminal().then_some(reached);
        row.authorized_at = (fact.status == Status::Authorized).then_some(reached);
        row.order_id.clone_from(&order);
        row.customer = customer.map(str::to_owned);
        row.updated_at = Some(updated_at);
        Ok(Derived::new(row))
    });
    rows.collect()
}

/// When a charge was first told to be where it is: later events (a refund, a change of its metadata) say it again.
fn first_told(facts: &[IntentFact], last: &IntentFact) -> i64 {
    let alike = facts.iter().filter(|fact| fact.charge == last.charge && fact.status == last.status);
    alike.map(|fact| fact.at_ms).min().unwrap_or(last.at_ms)
}

/// The order's number: the charge's word before the intent's, that before the session's.
fn order(facts: &[IntentFact]) -> Option<String> {
    let named = facts.iter().filter(|fact| fact.order.is_some());
    named.max_by_key(|fact| (fact.teller, fact.at_ms, &fact.event)).and_then(|fact| fact.order.clone())
}

fn attempt(own: String, fact: &IntentFact, context: &EndpointContext<'_>) -> Result<Transaction, Fault> {
    let unit: Currency = currency("currency", &fact.currency)?;
    let amount = money("amount", fact.amount, unit)?;
    let context = EndpointContext { test: fact.test, ..*context };
    let mut row =
        transaction(&context, Kind::Payment, own, instant_from_ms(fact.created_ms), fact.status, amount);
    row.provider = Some(Word::of(PROVIDER));
    row.method = fact.method.as_deref().and_then(slug);
    row.method_detail = MethodDetail {
        bank: None,
        card_brand: fact.card_brand.clone(),
        funding: fact.funding.clone(),
        wallet: fact.wallet.clone(),
    };
    row.payment_id.clone_from(&fact.intent);
    row.provider_transaction_id = fact.charge.clone().or_else(|| fact.intent.clone());
    if matches!(fact.status, Status::Failed | Status::Blocked) {
        failed_with(&mut row, fact.failure_code.as_deref(), fact.failure_message.as_deref());
    }
    Ok(row)
}
