//! Hyperswitch: HMAC-SHA-512 in hex over the raw bytes, without a time.
//!
//! Each object says all of itself, with the moment of its last change: that is its row's version, so of several notices
//! in any order the newest counts, and one that is sent again changes nothing. `net_amount` is the amount with surcharge,
//! tax and shipping, *not* net of fees; there is no processor's fee anywhere in it. The first form of the API has the
//! amounts beside each other, the second under `amount`: told apart by what is there.

use serde_json::Value;

use super::delivery::Notice;
use super::fields::{Fields, parse};
use super::keys::{Keys, SecretKind, from_hex, is_hmac_sha512};
use super::reading::{
    EndpointContext, Fault, FaultCode, Reading, Said, currency, failed_with, label, money, slug, transaction,
};
use super::unverified::Unverified;
use crate::domain::{Instant, Kind, Money, Status, Transaction, Word};

const AGGREGATOR: &str = "hyperswitch";

/// An event that Hyperswitch signed.
#[derive(Debug)]
pub(super) struct Proved {
    event: Value,
    pub used: Vec<String>,
}

/// Proves an event and asks whose it is.
pub(super) fn prove(
    notice: &Notice<'_>,
    keys: &Keys,
    context: &EndpointContext<'_>,
) -> Result<Proved, Unverified> {
    let tag = notice.headers.get("x-webhook-signature-512").ok_or_else(|| {
        let weaker = notice.headers.get("x-webhook-signature-256").is_some();
        if weaker { Unverified::SignatureKind } else { Unverified::SignatureMissing }
    })?;
    let tag = from_hex(tag).ok_or(Unverified::SignatureWrong)?;
    let mut secrets = keys.of(SecretKind::SigningSecret).peekable();
    if secrets.peek().is_none() {
        return Err(Unverified::NoKey);
    }
    let key = secrets.find(|key| is_hmac_sha512(key, notice.body, &tag)).ok_or(Unverified::SignatureWrong)?;
    let event = parse(notice.body).map_err(|_| Unverified::Malformed)?;
    if event.get("merchant_id").and_then(Value::as_str) != Some(context.account) {
        return Err(Unverified::OtherAccount);
    }
    Ok(Proved { event, used: vec![key.id.clone()] })
}

impl Proved {
    /// What it says.
    pub(super) fn read(&self, context: &EndpointContext<'_>) -> Reading {
        let mut reading = Reading::default();
        let kind = self.event.get("event_type").and_then(Value::as_str).unwrap_or_default();
        let said = self.said(context, &mut reading.unread_fields);
        reading.add(kind, said);
        reading
    }

    fn said(&self, context: &EndpointContext<'_>, unread: &mut usize) -> Result<Said, Fault> {
        let envelope = Fields::of("", &self.event)?;
        let told_at = envelope.moment("timestamp", context)?;
        let inner = envelope.needed_object("content")?;
        let Some(object) = inner.object("object")? else { return Ok(Said::Nothing) };
        let row = match inner.text("type").unwrap_or_default() {
            "payment_details" => payment(&object, told_at, context)?,
            "refund_details" => refund(&object, told_at, context)?,
            "dispute_details" => dispute(&object, told_at, context)?,
            // Mandates, payouts, subscriptions, and what came after this version.
            _ => return Ok(Said::Nothing),
        };
        *unread = object.unread();
        Said::transaction(row)
    }
}

/// The first of several fields that says a moment.
fn moment(
    object: &Fields<'_>,
    names: &[&'static str],
    context: &EndpointContext<'_>,
) -> Result<Option<Instant>, Fault> {
    for name in names {
        if let Some(at) = object.moment(name, context)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// When it began and when it changed last: the version.
fn times(
    object: &Fields<'_>,
    told_at: Option<Instant>,
    context: &EndpointContext<'_>,
) -> Result<(Instant, Instant), Fault> {
    let created = moment(object, &["created", "created_at"], context)?;
    let created = created.ok_or_else(|| Fault::new("created", FaultCode::Missing))?;
    let updated = moment(object, &["updated", "updated_at", "modified_at", "modified"], context)?;
    Ok((created, updated.or(told_at).unwrap_or(created)))
}

/// What all objects say alike.
fn head(row: &mut Transaction, object: &Fields<'_>, updated: Instant) {
    row.provider = object.text("connector").and_then(slug);
    row.aggregator = Some(Word::of(AGGREGATOR));
    row.updated_at = Some(updated);
    row.completed_at = row.status.is_terminal().then_some(updated);
}

/// Whole minor units of the currency, also written as text.
fn amount(object: &Fields<'_>, field: &'static str, unit: &'static str) -> Result<Money, Fault> {
    let unit = currency(unit, object.needed_text(unit)?)?;
    money(field, object.needed_integer(field)?, unit)
}

fn payment(
    object: &Fields<'_>,
    told_at: Option<Instant>,
    context: &EndpointContext<'_>,
) -> Result<Transaction, Fault> {
    let (created, updated) = times(object, told_at, context)?;
    let nested = object.value("amount").is_some_and(Value::is_object);
    let paid = if nested {
        amount(&object.needed_object("amount")?, "order_amount", "currency")?
    } else {
        amount(object, "amount", "currency")?
    };
    let own = match object.optional_id("payment_id")? {
        Some(id) => id,
        None => object.id("id")?,
    };
    let status = payment_status(object.needed_text("status")?)?;
    let mut row = transaction(context, Kind::Payment, own.clone(), created, status, paid);
    head(&mut row, object, updated);
    row.method = method(object);
    row.payment_id = Some(own);
    row.order_id = match object.optional_id("merchant_order_reference_id")? {
        Some(order) => Some(order),
        None => object.optional_id("merchant_reference_id")?,
    };
    let joined = object.optional_id("connector_transaction_id")?;
    row.provider_transaction_id = joined.or(object.optional_id("connector_payment_id")?);
    row.attempt = object.integer("attempt_count")?.and_then(|count| u32::try_from(count).ok());
    row.tax = object.integer("order_tax_amount")?.filter(|tax| *tax >= 0);
    row.customer = customer(object, context)?;
    card(&mut row, object)?;
    if status == Status::Failed {
        let code = object.text("error_code").or_else(|| object.text("unified_code"));
        let message = object.text("error_message").or_else(|| object.text("unified_message"));
        failed_with(&mut row, code, message);
    }
    Ok(row)
}

fn payment_status(status: &str) -> Result<Status, Fault> {
    Ok(match status {
        "succeeded" | "partially_captured" | "partially_captured_and_capturable" => Status::Succeeded,
        // Paid, and given back afterwards as a whole.
        "cancelled_post_capture" | "cancelled" => Status::Cancelled,
        "failed" => Status::Failed,
        "processing" | "conflicted" | "requires_merchant_action" => Status::Pending,
        "requires_customer_action" => Status::ActionRequired,
        "requires_payment_method" | "requires_confirmation" => Status::Created,
        "requires_capture" | "partially_authorized_and_requires_capture" => Status::Authorized,
        "expired" => Status::Expired,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    })
}

/// `card` with its scheme, or the wallet or transfer that it was.
fn method(object: &Fields<'_>) -> Option<Word> {
    let family = object.text("payment_method").or_else(|| object.text("payment_method_type"));
    let kind = object.text("payment_method_type").or_else(|| object.text("payment_method_subtype"));
    match (family, kind) {
        (Some("wallet" | "bank_redirect" | "pay_later" | "voucher"), Some(kind)) => slug(kind),
        (Some(family), _) => slug(family),
        (None, kind) => kind.and_then(slug),
    }
}

fn card(row: &mut Transaction, object: &Fields<'_>) -> Result<(), Fault> {
    let Some(data) = object.object("payment_method_data")? else { return Ok(()) };
    let Some(card) = data.object("card")? else { return Ok(()) };
    let lower = |name| card.text(name).and_then(|text: &str| label(&text.to_ascii_lowercase()));
    row.method_detail.card_brand = lower("card_network");
    row.method_detail.funding = lower("card_type");
    Ok(())
}

fn customer(object: &Fields<'_>, context: &EndpointContext<'_>) -> Result<Option<String>, Fault> {
    let own = object.text("customer_id");
    let nested = object.value("customer").filter(|customer| customer.is_object());
    let nested = nested.map(|customer| Fields::of("customer", customer)).transpose()?;
    let id = own.or_else(|| nested.as_ref().and_then(|customer| customer.text("id")));
    Ok(id.map(|id| context.pseudonyms.of("customer", AGGREGATOR, id)))
}

fn refund(
    object: &Fields<'_>,
    told_at: Option<Instant>,
    context: &EndpointContext<'_>,
) -> Result<Transaction, Fault> {
    let (created, updated) = times(object, told_at, context)?;
    let status = match object.needed_text("status")? {
        "succeeded" | "success" => Status::Succeeded,
        "failed" | "failure" | "transaction_failure" => Status::Failed,
        "pending" | "review" | "manual_review" => Status::Pending,
        _ => return Err(Fault::new("status", FaultCode::UnknownStatus)),
    };
    let own = match object.optional_id("refund_id")? {
        Some(id) => id,
        None => object.id("id")?,
    };
    let given_back = amount(object, "amount", "currency")?;
    let mut row = transaction(context, Kind::Refund, own.clone(), created, status, given_back);
    head(&mut row, object, updated);
    row.parent_transaction_id = object.optional_id("payment_id")?;
    row.payment_id.clone_from(&row.parent_transaction_id);
    row.provider_transaction_id = object.optional_id("connector_refund_id")?.or(Some(own));
    if status == Status::Failed {
        failed_with(&mut row, object.text("error_code"), object.text("error_message"));
    }
    Ok(row)
}

fn dispute(
    object: &Fields<'_>,
    told_at: Option<Instant>,
    context: &EndpointContext<'_>,
) -> Result<Transaction, Fault> {
    let (created, updated) = times(object, told_at, context)?;
    let status = match object.needed_text("dispute_status")? {
        // Challenged: the shop has answered, and it is the bank's turn.
        "dispute_opened" | "dispute_challenged" => Status::Opened,
        "dispute_won" | "dispute_cancelled" => Status::Won,
        // Not answered in time.
        "dispute_lost" | "dispute_expired" => Status::Lost,
        "dispute_accepted" => Status::Accepted,
        _ => return Err(Fault::new("dispute_status", FaultCode::UnknownStatus)),
    };
    let own = object.id("dispute_id")?;
    let disputed = amount(object, "amount", "currency")?;
    let mut row = transaction(context, Kind::Dispute, own.clone(), created, status, disputed);
    head(&mut row, object, updated);
    row.parent_transaction_id = object.optional_id("payment_id")?;
    row.payment_id.clone_from(&row.parent_transaction_id);
    row.provider_transaction_id = object.optional_id("connector_dispute_id")?.or(Some(own));
    failed_with(&mut row, object.text("connector_reason_code"), object.text("connector_reason"));
    Ok(row)
}
